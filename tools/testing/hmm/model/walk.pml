/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tracked range of two pages (mm/hmm_range.c, mm/hmm_claim.c) and the driver
 * that walks it, for the models that include this file. One of three callbacks
 * tears down what the device has: that of an interval notifier, of the range
 * itself, or of a plain notifier. It knows nothing of the range.
 *
 * The window is the range. What a walk reads, or reads again, is one extent:
 * a mask of two pages has no gap. A fault gives the claim back, and no more.
 */

#define NR_SUBS		2
#define NR_WAITERS	1

#define NOTIFIER	0
#define RANGE		1
#define ALL_PAGES	3

/* Who tears down: MMU_TRACKER_CALL, MMU_TRACKER_CALL_LATER, or 0 for the plain notifier */
byte torn_by;

/* Of the driver: its lock, and what it does under it */
bool locked;
bool published;
bool ended;
/* Which entries of the array are what the page table says */
byte fresh;

/* struct hmm_range_tracking */
bool valid;
byte dirty;
byte unclaimed;

/* hmm_range_hit() */
inline range_mark(s)
{
	if
	:: s == RANGE ->
#ifndef MUTANT_START_LEAVES_VALID
		valid = false;
#endif
		dirty = dirty | (pages & ~unclaimed)
	:: else
	fi
}

/*
 * Within an atomic: take the lock of the driver, or say no. All marks have been
 * made by now.
 */
inline tear_down(kind_of)
{
	assert(!valid);
#ifdef EXIT
	/* A callback of the release may wait for the driver. */
	if
	:: true
	:: me == EXIT && kind_of == torn_by -> ended
	fi;
#endif
	if
	:: kind_of == torn_by && !locked -> published = false
	:: kind_of == torn_by && locked && !blockable -> err = true
	:: kind_of != torn_by
	fi
}

inline invalidate_start(s)
{
	if
	:: tear_down(sub[s].kind)
	:: second = true
	fi
}

inline invalidate_finish(s)
{
	assert(!valid);
	if
	:: sub[s].kind == torn_by && !locked -> published = false
	:: sub[s].kind != torn_by
	fi
}

inline plain_start()
{
	atomic { tear_down(0) }
}

#include "tracker.pml"

#define EXTENT_START	(extent & 1 -> 1 : 2)

/*
 * Part of an atomic: claim up to what is in flight. If that is where the extent
 * starts, go round it instead; the next claim looks at what else there is. When
 * the mm is dying the walk ends.
 */
inline hmm_walk_claim()
{
	if
	:: mn_in_flight(EXTENT_START) ->
		/* hmm_walk_go_round() */
		i = (in_flight[0] & EXTENT_START -> 0 : 1);
		dirty = dirty | in_flight[i];
		extent = extent & ~in_flight[i];
		claimed = 0
	:: else ->
		claimed = extent & ~mn_in_flight(ALL_PAGES)
	fi;
#if defined(MUTANT_POSITION_COMPARED)
	/* What is stored is held, and no more. */
	unclaimed = extent
#elif defined(MUTANT_KEPT_ABOVE_IS_NOT_NOTED)
	unclaimed = ALL_PAGES & ~claimed & ~(extent == 2)
#elif defined(MUTANT_CLAIM_AFTER_FAULT_FORGOTTEN)
	unclaimed = (faulted -> extent : extent & ~claimed)
#else
	unclaimed = extent & ~claimed
#endif
	;
#ifdef EXIT
	if
	:: dying -> goto dead
	:: else
	fi
#endif
}

inline hmm_walk_begin()
{
	atomic {
		valid = false;
		if
		:: retry ->
			/* hmm_walk_go_on() */
			extent = dirty | mn_in_flight(ALL_PAGES)
		:: else ->
			/* hmm_walk_new_call() */
			extent = ALL_PAGES
		fi;
		dirty = 0;
		rounds = 1;
		if
		:: extent -> hmm_walk_claim()
		:: else
		fi
	}
}

/* Part of an atomic: another round, or the end of the walk */
inline hmm_walk_again()
{
	unclaimed = 0;
	if
#ifdef EXIT
	:: dying ->
		goto dead
#endif
	:: !dying && !dirty ->
		valid = true;
		break
	:: !dying && dirty && rounds ->
		rounds--;
		extent = dirty;
		dirty = 0;
		hmm_walk_claim()
	:: !dying && dirty && !rounds ->
		break
	fi
}

/* One page in a step */
inline hmm_walk_claimed()
{
	fresh = fresh | EXTENT_START;
	claimed = claimed & ~EXTENT_START;
	extent = extent & ~EXTENT_START
}

inline hmm_range_unclaim()
{
	faulted = true;
	claimed = 0;
	unclaimed = extent
}

inline hmm_range_walk()
{
	hmm_walk_begin();
	do
	:: atomic { extent && claimed -> hmm_walk_claimed() }
	:: atomic { extent && claimed && !faulted -> hmm_range_unclaim() }
	:: atomic { extent && !claimed -> hmm_walk_claim() }
	:: atomic { !extent -> hmm_walk_again() }
	od;
	faulted = false;
	rounds = 0
}

proctype driver()
{
	byte extent, claimed, rounds;
	bool retry, faulted, gone;

	mmu_tracker_insert(RANGE);
	do
	:: hmm_range_walk();
		/* driver_lock() */
		atomic { !locked -> locked = true }
		atomic {
			/* hmm_range_valid(), and driver_unlock() */
			locked = false;
			if
			:: valid ->
				assert(fresh == ALL_PAGES);
				published = true;
				break
			:: else
			fi
		}
		/* hmm_range_wait_until_valid() */
		atomic {
			mn_wait(0, ALL_PAGES);
			if
			:: retry = true
			:: retry = false
			fi
		}
	od;
dead:
	atomic { !locked -> published = false; ended = true }
	/* hmm_range_unregister() */
	if
	:: sub[RANGE].kind == MMU_TRACKER_CALL_LATER ->
		/* hmm_range_invalid() */
		valid = false;
		mmu_interval_notifier_remove(RANGE)
	:: else ->
		d_step { mmu_tracker_erase(RANGE); valid = false }
	fi
}

/* Who tears down, and whether the range has a callback */
inline subscribe()
{
	sub[NOTIFIER].pages = ALL_PAGES;
	sub[NOTIFIER].kind = MMU_TRACKER_CALL;
	sub[NOTIFIER].in_tree = true;
	sub[RANGE].pages = ALL_PAGES;
	select(torn_by : 0 .. MMU_TRACKER_CALL_LATER);
	sub[RANGE].kind = (torn_by == MMU_TRACKER_CALL_LATER -> MMU_TRACKER_CALL_LATER : 0)
}
