/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tracker of mm/mmu_interval.c, for the models that include this file.
 *
 * One hold of the tracker's lock is one step here, an atomic or a d_step; an
 * atomic that blocks drops the lock to sleep. Steps have the names of the
 * functions that they stand for. Nothing is looked at without that lock but what
 * a driver looks at under its own.
 *
 * An address is a page, and an interval a mask of pages. The tree has the order
 * of the array. MN_LOOKS and MN_CALLS are 1: with two subscriptions others run
 * in between. Numbers go up in steps of 1.
 *
 * Nobody waits for ever: no run may stop before all processes have ended, or go
 * in circles. Timeouts and signals, which would hide that, are left out.
 *
 * Two threads invalidate, or NR_INVALIDATIONS. Who includes this defines NR_SUBS,
 * which is 2, and NR_WAITERS; EXIT if the second thread is the end of the mm;
 * OTHERS if there are more subscriptions, so that the lock is also dropped between
 * the marks and the calls, or FEW if there are none, so that all that is hit is
 * marked and kept in one hold; and what is not the tracker's:
 *
 *	range_mark(n)		the mark of a tracked range
 *	invalidate_start(n)	a callback: sets @err to say no, and @second if
 *				another pass is to come
 *	invalidate_finish(n)	which is this
 *	plain_start()		the callbacks of plain notifiers: may set @err
 *	change_page_table()	what the caller does between start and end
 *
 * Each MUTANT_ takes one thing away; check.sh demands that a run then goes wrong.
 */

#ifndef NR_INVALIDATIONS
#define NR_INVALIDATIONS 2
#endif
#define NOBODY		NR_SUBS
#define MN_NO_SEQ	0

/* What a subscription wants beside its mark; 0 has no callback. */
#define MMU_TRACKER_CALL	1
#define MMU_TRACKER_CALL_LATER	2

/* What a start does */
#define MN_CALLS_NONE	0
#define MN_CALLING	1
#define MN_RELEASES	2

/* struct mmu_interval_notifier */
typedef subscription {
	byte pages;
	byte kind;
	bool in_tree;
	byte inserted;
	byte removed;
	byte callers;
	byte invalidate_seq;
	bool release;		/* It is being removed. */
	bool released;		/* It has been: its memory may be gone. */
};

subscription sub[NR_SUBS];

/* struct mmu_tracker */
byte tracker_seq = 1;
byte nr_removing;
bool dying;

/* struct mmu_notifier_range, and its cursor. What is not in flight has no pages. */
byte in_flight[NR_INVALIDATIONS];
byte number[NR_INVALIDATIONS];
byte calls[NR_INVALIDATIONS];
byte cursor[NR_INVALIDATIONS] = NOBODY;

/*
 * struct mn_waiter: the pages that it waits for, 0 if it is awake, the youngest
 * that it waits for, and how many. Drivers come first, they wait for ends; then
 * the starts, which wait for calls.
 */
#define WAITERS		(NR_WAITERS + NR_INVALIDATIONS)
#define mn_for_calls(w)	((w) >= NR_WAITERS)

byte awaited[WAITERS];
byte awaited_seq[WAITERS];
byte awaited_nr[WAITERS];

#ifdef MUTANT_NUMBER_SHARED
byte drawn;
#endif

/* Used within one step */
hidden byte i;

#define BIT(n)		(1 << (n))

#if NR_INVALIDATIONS == 2
#define of_all(one, arg, op)	(one(arg, 0) op one(arg, 1))
#else
#define of_all(one, arg, op)	(one(arg, 0) op one(arg, 1) op one(arg, 2))
#endif

#define mn_overlaps(what, who)	(in_flight[who] & (what))
#define mn_in_flight(what)	of_all(mn_overlaps, what, |)

/*
 * The tree.
 */

inline mn_cursor_seek(who)
{
	do
	:: cursor[who] != NOBODY && !(sub[cursor[who]].in_tree &&
				      (sub[cursor[who]].pages & in_flight[who])) ->
		cursor[who]++
	:: else ->
		break
	od;
	/* A d_step must not end in a break. */
	skip
}

inline mn_cursor_step(who)
{
	cursor[who]++;
	mn_cursor_seek(who)
}

inline interval_tree_iter_first(who)
{
	cursor[who] = 0;
	mn_cursor_seek(who)
}

inline mmu_tracker_insert(s)
{
	d_step {
		tracker_seq++;
		sub[s].inserted = tracker_seq;
		sub[s].invalidate_seq = tracker_seq;
		sub[s].in_tree = true
	}
}

inline mmu_tracker_erase(s)
{
	sub[s].in_tree = false;
#ifndef MUTANT_CURSOR_NOT_MOVED
	for (i : 0 .. NR_INVALIDATIONS - 1) {
		if
		:: cursor[i] == s -> mn_cursor_step(i)
		:: else
		fi
	}
#endif
}

/*
 * Waiting.
 */

#ifndef MUTANT_WAITS_FOR_ALL_CALLS_DURING_ITS_OWN
#define mn_is_awaited(w, who, what) \
	((awaited[w] & (what)) && number[who] <= awaited_seq[w])
#else
#define mn_is_awaited(w, who, what)	(awaited[w] & (what))
#endif

inline mn_wake(w)
{
	awaited[w] = 0;
	awaited_seq[w] = 0;
	awaited_nr[w] = 0
}

#ifndef MUTANT_ENDS_AND_CALLS_MIXED
#define mn_is_told(w, of_calls)	(mn_for_calls(w) == (of_calls))
#else
#define mn_is_told(w, of_calls)	true
#endif

inline mn_passed(who, what, of_calls)
{
	for (i : 0 .. WAITERS - 1) {
		if
		:: mn_is_told(i, of_calls) && mn_is_awaited(i, who, what) ->
			assert(awaited_nr[i]);
			awaited_nr[i]--;
			if
			:: !awaited_nr[i] -> mn_wake(i)
			:: else
			fi
		:: else
		fi
	}
}

#if defined(MUTANT_YOUNGER_COUNTED)
#define mn_counts(w, who) \
	((awaited[w] & in_flight[who]) && (calls[who] || !mn_for_calls(w)))
#elif defined(MUTANT_WAITS_FOR_ALL_CALLS_DURING_ITS_OWN)
#define mn_counts(w, who) \
	(mn_is_awaited(w, who, in_flight[who]) && (w) != NR_WAITERS + (who) && \
	 (calls[who] || !mn_for_calls(w)))
#else
#define mn_counts(w, who) \
	(mn_is_awaited(w, who, in_flight[who]) && \
	 (calls[who] || !mn_for_calls(w)))
#endif

/* It goes on when it is not in the list any more. */
inline mn_list_waiter(w, what, youngest)
{
	awaited[w] = what;
	awaited_seq[w] = youngest;
	awaited_nr[w] = of_all(mn_counts, w, +);
	/* Else nobody would wake it, and who waits again would spin. */
	assert(awaited_nr[w])
}

/* Part of an atomic, which drops the lock while this blocks */
inline mn_wait_once(w, what, youngest)
{
	d_step { mn_list_waiter(w, what, youngest) }
	!awaited[w]
}

/* Wait until nothing in flight overlaps, or the mm is dying. */
inline mn_wait(w, what)
{
	do
	:: !dying && mn_in_flight(what) -> mn_wait_once(w, what, tracker_seq)
	:: else -> break
	od
}

/*
 * Callbacks. Local to who invalidates: @me, @pages and @blockable; @due, who
 * has to be called, and nobody else; @kinds that are called, @kind and @n, who is
 * called; @passes, whose second pass is to come; @limit, the last removal that
 * has counted on this one; whether it @hits something, still @marks, and @waits.
 */

#if defined(MUTANT_INSERTED_LATER_IS_CALLED)
#define mn_calls_sub(who, s) \
	(!sub[s].release || sub[s].removed >= number[who])
#elif defined(MUTANT_REMOVED_LATER_IS_NOT_CALLED)
#define mn_calls_sub(who, s) \
	(sub[s].inserted < number[who] && !sub[s].release)
#elif defined(MUTANT_REMOVED_BEFORE_IS_CALLED)
#define mn_calls_sub(who, s)	(sub[s].inserted < number[who])
#else
#define mn_calls_sub(who, s) \
	(sub[s].inserted < number[who] && \
	 (!sub[s].release || sub[s].removed >= number[who]))
#endif

/* Leaves it in @n, or NOBODY. */
inline mn_collect()
{
	/* What is next has stayed in the tree. */
	assert(cursor[me] == NOBODY || sub[cursor[me]].in_tree);
	do
	:: cursor[me] != NOBODY &&
	   (sub[cursor[me]].kind != kind || !mn_calls_sub(me, cursor[me])) ->
		mn_cursor_step(me)
	:: else ->
		break
	od;
	n = cursor[me];
	if
	:: n != NOBODY -> mn_cursor_step(me)
	:: else
	fi;
	skip
}

inline mn_call()
{
	atomic {
		/* It has its memory, and this one has not called it yet. */
		assert(!sub[n].released && (due & BIT(n)));
		due = due & ~BIT(n);
		invalidate_start(n);
		if
		:: second -> passes = passes | BIT(n)
		:: else
		fi;
		second = false
	}
}

#ifdef FEW
#define mn_kept(s, k)	((kept & BIT(s)) && sub[s].kind == k)
#define mn_kept_of(k)	(mn_kept(0, k) -> 0 : (mn_kept(1, k) -> 1 : NOBODY))

/* The next one of those that are kept: mn_call_few() */
inline mn_collect_next()
{
	n = mn_kept_of(MMU_TRACKER_CALL);
	if
	:: n == NOBODY -> n = mn_kept_of(MMU_TRACKER_CALL_LATER)
	:: else
	fi;
	if
	:: n != NOBODY -> kept = kept & ~BIT(n)
	:: else
	fi;
	skip
}
#else
/* The next one, of this kind or of another */
inline mn_collect_next()
{
	mn_collect();
	do
	:: n == NOBODY && kinds ->
		kind = (kinds & MMU_TRACKER_CALL -> MMU_TRACKER_CALL : MMU_TRACKER_CALL_LATER);
		kinds = kinds & ~kind;
		interval_tree_iter_first(me);
		mn_collect()
	:: else ->
		break
	od;
	skip
}

#endif

/* In the order of the first passes */
inline mn_finish()
{
	if
	:: passes -> n = 0
	:: else
	fi;
	do
	:: atomic {
		passes & BIT(n) ->
		assert(!sub[n].released);
		invalidate_finish(n);
		passes = passes & ~BIT(n)
	   }
	:: atomic {
		passes && !(passes & BIT(n)) ->
		n++
	   }
	:: atomic {
		!passes ->
		n = NOBODY;
		break
	   }
	od
}

/* The first has been collected, unless the lock was dropped before. */
inline mn_call_all()
{
#if defined(OTHERS) && !defined(FEW)
	d_step { mn_collect_next() }
#endif
	do
	:: n != NOBODY ->
		mn_call();
		d_step {
			n = NOBODY;
			if
			:: !err ->
				mn_collect_next()
			:: else ->
				cursor[me] = NOBODY;
				kinds = 0;
				kept = 0
			fi;
			skip
		}
	:: else ->
		break
	od;
	/* All that were there when it started have been called. */
	assert(err || !due);
	due = 0;
	kind = 0;
#ifndef MUTANT_RELEASED_BEFORE_THE_SECOND_PASS
	mn_finish()
#endif
}

#ifdef FEW
/* All in one hold of the lock: mn_mark_few() */
inline mn_mark()
{
	do
	:: cursor[me] != NOBODY ->
		assert(sub[cursor[me]].in_tree);
		range_mark(cursor[me]);
		if
		:: sub[cursor[me]].kind && mn_calls_sub(me, cursor[me]) ->
			kept = kept | BIT(cursor[me])
		:: else
		fi;
		mn_cursor_step(me)
	:: else ->
		break
	od;
	marks = false;
	mn_collect_next()
}
#else
/* One in a hold of the lock; the last one goes on to the calls. */
inline mn_mark()
{
	if
	:: cursor[me] != NOBODY ->
		assert(sub[cursor[me]].in_tree);
		range_mark(cursor[me]);
		kinds = kinds | sub[cursor[me]].kind;
		mn_cursor_step(me)
	:: else
	fi;
	if
	:: cursor[me] == NOBODY ->
		marks = false;
#ifdef MUTANT_CALLING_AFTER_MARKS
		calls[me] = MN_CALLING;
#endif
#ifndef MUTANT_CALLS_BEFORE_MARKS
#ifndef OTHERS
		mn_collect_next()
#endif
#endif
	:: else
	fi;
	skip
}
#endif

inline mn_mark_all()
{
	do
	:: d_step { marks -> mn_mark() }
	:: !marks -> break
	od
}

/*
 * Removal.
 */

/*
 * The core does not touch it any more. Called without the lock. To forget the
 * numbers leaves fewer states.
 */
inline mn_released(s)
{
	d_step {
		assert(!sub[s].released);
		sub[s].released = true;
		sub[s].inserted = 0;
		sub[s].removed = 0;
		sub[s].invalidate_seq = 0
	}
}

#ifndef MUTANT_CALLERS_THAT_RELEASE_COUNTED
#define mn_is_calling(who)	(calls[who] == MN_CALLING)
#else
#define mn_is_calling(who)	calls[who]
#endif

#define mn_is_caller(s, who) \
	(mn_is_calling(who) && (in_flight[who] & sub[s].pages) && \
	 mn_calls_sub(who, s))

#ifndef MUTANT_REMOVED_AT_ONCE
#define mn_callers(s)	of_all(mn_is_caller, s, +)
#else
#define mn_callers(s)	0
#endif

#ifndef MUTANT_LIMIT_FORGOTTEN
#define mn_counts_on_me(s)	(sub[s].removed <= limit)
#else
#define mn_counts_on_me(s)	true
#endif

/* Look at one, and leave it in @n if nobody else calls it any more. */
inline mn_collect_removed()
{
	n = cursor[me];
	mn_cursor_step(me);
	if
	:: sub[n].release && mn_counts_on_me(n) && mn_calls_sub(me, n) ->
		sub[n].callers--;
		if
#ifndef MUTANT_LAST_CALLER_RELEASES_NOTHING
		:: !sub[n].callers ->
			mmu_tracker_erase(n);
			nr_removing--
#endif
		:: else ->
			n = NOBODY
		fi
	:: else ->
		n = NOBODY
	fi;
	skip
}

#define mn_is_removing(s) \
	(sub[s].in_tree && sub[s].release && (sub[s].pages & pages) && \
	 sub[s].removed < number[me])
#define mn_removing() \
	(mn_is_removing(0) -> 0 : (mn_is_removing(1) -> 1 : NOBODY))

inline mn_look_for_removals()
{
	waits = false;
#ifndef MUTANT_LATER_START_DOES_NOT_WAIT
	if
	:: !err && mn_removing() != NOBODY ->
		if
#ifndef MUTANT_MUST_NOT_BLOCK_AND_WAITS
		:: !blockable ->
			err = true
#endif
		:: else ->
			assert(blockable);
			waits = true;
			mn_list_waiter(NR_WAITERS + me,
				       sub[mn_removing()].pages,
				       sub[mn_removing()].removed)
		fi
	:: else
	fi;
#endif
	skip
}

/* Nobody waits for this one from now on, so it may wait for older ones. */
inline mn_call_nobody_else()
{
	limit = 0;
	calls[me] = MN_CALLS_NONE;
#ifndef MUTANT_CALLS_WAKE_NOBODY
	mn_passed(me, pages, true);
#endif
	mn_look_for_removals()
}

/* One in a hold of the lock */
inline mn_calls_are_over()
{
	d_step {
		calls[me] = MN_RELEASES;
		limit = tracker_seq;
		if
		:: nr_removing -> interval_tree_iter_first(me)
		:: else
		fi;
		if
		:: cursor[me] == NOBODY -> mn_call_nobody_else()
		:: else
		fi;
		skip
	}
	do
	:: d_step { limit && n == NOBODY && cursor[me] != NOBODY ->
		    mn_collect_removed() }
	:: atomic { limit && n != NOBODY -> mn_released(n); n = NOBODY }
	:: d_step { limit && n == NOBODY && cursor[me] == NOBODY ->
		    mn_call_nobody_else() }
	:: !limit -> break
	od
}

/* The first look was in the hold of the lock that ended the calls. */
inline mn_wait_for_removals()
{
	do
	:: d_step { waits && !awaited[NR_WAITERS + me] ->
		    mn_look_for_removals() }
	:: !waits -> break
	od
}

/*
 * Take it out of the tree, now or later. Somebody else may have asked for that;
 * it may be out already then, and not released yet.
 */
inline mn_remove(s)
{
	d_step {
#ifndef MUTANT_REMOVED_TWICE_MUST_BE_IN_TREE
		assert(sub[s].in_tree || sub[s].release);
#else
		assert(sub[s].in_tree);
#endif
		if
		:: !sub[s].release ->
			sub[s].release = true;
#ifndef MUTANT_REMOVAL_DRAWS_NO_NUMBER
			tracker_seq++;
#endif
			sub[s].removed = tracker_seq;
			sub[s].callers = mn_callers(s);
			if
			:: sub[s].callers -> nr_removing++
			:: else -> mmu_tracker_erase(s); gone = true
			fi
		:: else
		fi;
		skip
	}
	if
	:: gone -> gone = false; mn_released(s)
	:: else
	fi
}

inline mmu_interval_notifier_remove_async(s)
{
	mn_remove(s)
}

inline mmu_interval_notifier_remove(s)
{
	mn_remove(s);
#ifndef MUTANT_REMOVAL_DOES_NOT_WAIT
	sub[s].released;
#endif
	/* No callback runs, and none will. */
	assert(!sub[s].in_tree && sub[s].released)
}

/*
 * Invalidations.
 */

inline mmu_tracker_hit()
{
#ifndef MUTANT_CALLS_BEFORE_MARKS
	mn_mark_all();
	mn_call_all();
#else
	mn_call_all();
	skip;
	d_step {
		interval_tree_iter_first(me);
		marks = (cursor[me] != NOBODY)
	}
	mn_mark_all();
	kinds = 0;
#endif
#ifdef MUTANT_WAITS_FOR_ALL_CALLS_DURING_ITS_OWN
	skip;
	d_step { mn_look_for_removals() }
	mn_wait_for_removals();
#endif
	mn_calls_are_over();
#ifdef MUTANT_RELEASED_BEFORE_THE_SECOND_PASS
	mn_finish();
#endif
	mn_wait_for_removals()
}

#define mn_is_due(s) \
	(sub[s].in_tree && !sub[s].release && sub[s].kind && \
	 (sub[s].pages & pages))

/* The first hold of the lock: a number, in the list, and the first mark */
inline mmu_tracker_start()
{
	d_step {
#ifndef MUTANT_NUMBER_SHARED
		tracker_seq++;
#else
		tracker_seq = tracker_seq + !drawn;
		drawn = drawn | BIT(me);
#endif
		number[me] = tracker_seq;
		in_flight[me] = pages;
		due = mn_is_due(0) | (mn_is_due(1) << 1);
		interval_tree_iter_first(me);
		if
		:: cursor[me] != NOBODY ->
			hits = true;
#ifndef MUTANT_CALLING_AFTER_MARKS
			calls[me] = MN_CALLING;
#endif
#ifndef MUTANT_CALLS_BEFORE_MARKS
			marks = true;
			mn_mark()
#else
			kinds = MMU_TRACKER_CALL | MMU_TRACKER_CALL_LATER;
			cursor[me] = NOBODY;
			mn_collect_next()
#endif
		:: else
		fi;
		skip
	}
	if
	:: hits -> hits = false; mmu_tracker_hit()
	:: else
	fi
}

inline mmu_tracker_end()
{
#ifdef MUTANT_WOKEN_BEFORE_UNLINK
	d_step { mn_passed(me, pages, false) }
#endif
	d_step {
		in_flight[me] = 0;
#ifndef MUTANT_WOKEN_BEFORE_UNLINK
		mn_passed(me, pages, false);
#endif
#ifdef MUTANT_NUMBER_SHARED
		drawn = drawn & ~BIT(me);
#endif
		number[me] = 0
	}
}

/*
 * Interval notifiers.
 */

/* Once it has waited it looks only for those that have called back since. */
inline mmu_interval_read_begin(w, s, seq, before)
{
	atomic {
		seq = sub[s].invalidate_seq;
		if
		:: mn_in_flight(sub[s].pages) ->
			before = seq;
			mn_wait_once(w, sub[s].pages, tracker_seq);
			seq = sub[s].invalidate_seq;
#ifndef MUTANT_NUMBER_THAT_HAS_CHANGED
			if
			:: seq != before && mn_in_flight(sub[s].pages) ->
				seq = MN_NO_SEQ
			:: else
			fi;
#endif
			before = 0
		:: else
#ifdef MUTANT_NUMBER_IN_ANOTHER_HOLD
			-> seq = MN_NO_SEQ
#endif
		fi
	}
#ifdef MUTANT_NUMBER_IN_ANOTHER_HOLD
	seq = (seq == MN_NO_SEQ -> sub[s].invalidate_seq : seq)
#endif
}

/* Of two that overlap in time the one that started first may come last. */
inline mmu_interval_set_seq(s)
{
#ifndef MUTANT_OLDER_NUMBER_COMES_LAST
	if
	:: number[me] > sub[s].invalidate_seq ->
		sub[s].invalidate_seq = number[me]
	:: else
	fi
#else
	sub[s].invalidate_seq = number[me]
#endif
}

#define mmu_interval_read_retry(s, seq)	(sub[s].invalidate_seq != (seq))

/*
 * mm/mmu_notifier.c
 */

/* The first half of mmu_tracker_release(); an invalidation of all follows. */
inline mmu_tracker_dies()
{
	d_step {
#ifndef MUTANT_DYING_FORGOTTEN
#ifndef MUTANT_DYING_AFTER_WAKE
		dying = true;
#endif
#endif
#ifndef MUTANT_DEATH_WAKES_NOBODY
		for (i : 0 .. WAITERS - 1) {
			if
			:: !mn_for_calls(i) -> mn_wake(i)
			:: else
			fi
		}
#endif
		skip
	}
#ifdef MUTANT_DYING_AFTER_WAKE
	dying = true
#endif
}

/* Invalidate the same some times over, or tear the mm down. */
proctype invalidate(byte me, pages, times; bool blockable)
{
	byte due, kinds, kept, kind, n = NOBODY, passes, limit;
	bool hits, marks, second, waits, removes, gone, err;

	do
	:: times ->
#ifdef EXIT
		if
		:: me == EXIT ->
#ifdef MUTANT_RELEASE_MARKS_LAST
			plain_start();
#endif
			mmu_tracker_dies()
		:: else
		fi;
#endif
		mmu_tracker_start();
#ifdef EXIT
		if
		:: me == EXIT -> mmu_tracker_end()
		:: else
		fi;
#endif
		if
#ifdef MUTANT_RELEASE_MARKS_LAST
		:: me == EXIT
#endif
		:: !err -> plain_start()
		:: else
		fi;
		if
		:: !err -> change_page_table()
		:: else
		fi;
		/* Called by who invalidates, or by a start that takes itself back */
		if
#ifdef EXIT
		:: me == EXIT
#endif
#ifdef MUTANT_UNWIND_FORGOTTEN
		:: err
#endif
		:: else -> mmu_tracker_end()
		fi;
		err = false;
		times--
	:: else ->
		break
	od
}
