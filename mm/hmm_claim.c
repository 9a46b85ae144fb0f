// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HMM: walk a tracked range, in spite of invalidations.
 *
 * A walk may not read what an invalidation in flight is changing, and must be told
 * of one that starts after it has read. Looking at the list first and comparing
 * positions later is not enough:
 *
 *	CPU 0 (walk)                          CPU 1 (mm)
 *
 *	nothing in flight at A
 *	                                      invalidate_range_start(A)
 *	                                        the walk has not come to A,
 *	                                        nothing to note
 *	reads A
 *	stores A, steps on
 *	                                      zaps A
 *	the range becomes valid: A is stale
 *
 * So a walk claims an extent before it reads the first entry of it, in one hold
 * of the lock with the look at the list, and only what nothing in flight
 * overlaps. A start notes what it hits of what the walk holds: what is claimed,
 * what is stored, and what is kept from an earlier walk. That last part may lie
 * above the position of the walk, and would be lost if only what is below it
 * were compared:
 *
 *	CPU 0 (walk)                          CPU 1 (mm)
 *
 *	retry, only A has to be read,
 *	B above A is kept
 *	reads A
 *	                                      invalidate_range_start(B)
 *	                                        B is above A, nothing to note
 *	                                      zaps B
 *	the range becomes valid: B is stale
 *
 * Therefore the tracking stores the one part that needs no note, @unclaimed: the
 * end of the extent under way that is not claimed yet. Before the walk lets
 * handle_mm_fault() run it gives back what it has not stored, so that the copies
 * that it asks for itself do not disturb it.
 *
 * A walk holds locks that an invalidation may be waiting for, so it never waits
 * for one: it notes what is in flight, goes round it, and comes back. What was
 * noted is read again last, in at most HMM_WALK_ROUNDS rounds a call.
 *
 * Own invalidations
 * -----------------
 *
 * A driver may ask not to have a valid range invalidated by migrations of its
 * own. What they hit is noted all the same, or a retry would keep it:
 *
 *	CPU 0 (driver)                        CPU 1 (mm)
 *
 *	walk stores page X for A
 *	own migration of A: X is freed,
 *	the range stays valid
 *	                                      munmap() of B: the range becomes
 *	                                      invalid, B is noted
 *	retry reads B and keeps A, which
 *	still says X
 *
 * It is noted when it ends. From its start on it is in the list, where a walk
 * that begins finds it and takes it for noted; a walk that runs treats it as any
 * other.
 */
#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/oom.h>
#include <linux/sched/signal.h>
#include <asm/barrier.h>

#include "hmm_internal.h"

/**
 * hmm_range_retry() - the array is as the last walk left it
 * @range: a registered range
 *
 * Unless told so, a walk reads and writes everything, whatever the array holds.
 * After this the next call may leave out what the last walk stored and nothing
 * has hit since. It does so if it is a fault that asks for every page alike,
 * with the same array, bounds, &hmm_range.default_flags and
 * &hmm_range.dev_private_owner as the last walk, and with
 * &hmm_range.pfn_flags_mask 0. It does not matter whether that one succeeded.
 *
 * Only the hmm_dma_*() functions may have written to the array meanwhile, and
 * the driver, for pages that it has migrated itself (&hmm_range.ignore_events).
 *
 * Context: Any. The caller serialises it with the walks of @range.
 */
void hmm_range_retry(struct hmm_range *range)
{
	range->tracking.retry = true;
}
EXPORT_SYMBOL_GPL(hmm_range_retry);

/*
 * Each call takes what it was told when it begins, also if it fails before it
 * walks: the driver may use the array for something else after that.
 */
bool hmm_range_take_retry(struct hmm_range *range)
{
	bool retry = range->tracking.retry;

	range->tracking.retry = false;
	return retry;
}

/*
 * A hole or a snapshot is read again every time: nobody is told when a page is
 * populated. With a mask the array was input too, and is overwritten.
 */
static bool hmm_walk_is_retry(const struct hmm_walk *walk)
{
	const struct hmm_range *range = walk->range;
	const struct hmm_range_tracking *tracking = &range->tracking;

	return walk->retry && walk->fault && !range->pfn_flags_mask &&
	       (range->default_flags & HMM_PFN_REQ_FAULT) &&
	       tracking->call.hmm_pfns == range->hmm_pfns &&
	       tracking->call.default_flags == range->default_flags &&
	       tracking->call.dev_private_owner == range->dev_private_owner &&
	       tracking->window.start == range->start &&
	       tracking->window.end == range->end;
}

/* The walk reads all of the window, whatever is noted or in flight. */
static void hmm_walk_new_call(struct hmm_walk *walk)
{
	struct hmm_range *range = walk->range;
	struct hmm_range_tracking *tracking = &range->tracking;
	bool kept = walk->fault && !range->pfn_flags_mask;

	tracking->window = (struct hmm_extent){ range->start, range->end };
	tracking->call.hmm_pfns = kept ? range->hmm_pfns : NULL;
	tracking->call.default_flags = range->default_flags;
	tracking->call.dev_private_owner = range->dev_private_owner;
	hmm_dirty_clear(&tracking->dirty);
	hmm_dirty_clear(&walk->todo);
	walk->extent = tracking->window;
}

/* Step to the next extent of what this round reads; false, and empty: none. */
static bool hmm_walk_next(struct hmm_walk *walk)
{
	const struct hmm_extent *window = &walk->range->tracking.window;

	if (walk->extent.end != window->end &&
	    hmm_dirty_next(&walk->todo, window, walk->extent.end, &walk->extent))
		return true;
	walk->extent = (struct hmm_extent){};
	return false;
}

/* Let the walk read next what has been noted, and note what comes from now on. */
static void hmm_walk_take_notes(struct hmm_walk *walk)
{
	hmm_dirty_move(&walk->todo, &walk->range->tracking.dirty);
	walk->extent = (struct hmm_extent){};
	hmm_walk_next(walk);
}

/* The walk reads what is noted, and what is in flight. */
static void hmm_walk_go_on(struct hmm_walk *walk)
{
	struct mmu_tracker *tracker = hmm_range_tracker(walk->range);
	const struct mmu_notifier_range *invalidation;

	/* Own ones that the range has ignored are noted only when they end. */
	list_for_each_entry(invalidation, &tracker->invalidations, tracked.node)
		hmm_range_note(walk->range, invalidation);
	hmm_walk_take_notes(walk);
}

/* What is left of the extent when an invalidation that covers its start is over. */
static void hmm_walk_go_round(struct hmm_walk *walk,
			      const struct mmu_notifier_range *invalidation)
{
	struct hmm_range_tracking *tracking = &walk->range->tracking;
	struct hmm_extent *extent = &walk->extent;

	tracking->unclaimed = (struct hmm_extent){};
	hmm_range_note(walk->range, invalidation);
	extent->start = extent->end;
	if (invalidation->end < extent->end)
		extent->start = PAGE_ALIGN(invalidation->end);
}

/*
 * Claim what can be read now of the extent, from its start up to walk->claimed.
 * What an invalidation in flight overlaps is left out, by a step of the start
 * over it, and is noted. Only over one: the next call checks what follows it, and
 * walk->claimed is the start till then.
 */
static int hmm_walk_claim(struct hmm_walk *walk)
{
	struct hmm_range_tracking *tracking = &walk->range->tracking;
	struct mmu_tracker *tracker = hmm_range_tracker(walk->range);
	struct hmm_extent *extent = &walk->extent;
	const struct mmu_notifier_range *invalidation;
	unsigned long start;

	lockdep_assert_held(&tracker->lock);

	walk->claimed = extent->end;
	list_for_each_entry(invalidation, &tracker->invalidations, tracked.node) {
		if (!hmm_overlaps(invalidation, extent->start, walk->claimed))
			continue;
		start = PAGE_ALIGN_DOWN(invalidation->start);
		if (start > extent->start) {
			walk->claimed = start;
			continue;
		}
		hmm_walk_go_round(walk, invalidation);
		walk->claimed = extent->start;
		break;
	}
	tracking->unclaimed = (struct hmm_extent){ walk->claimed, extent->end };
	tracking->faulting = NULL;
	return tracker->dying ? -EFAULT : 0;
}

/*
 * Begin a walk, and claim its first extent. 0, or the errno that the caller of
 * the walk gets.
 */
static int hmm_walk_begin(struct hmm_walk *walk)
{
	struct hmm_range *range = walk->range;
	struct hmm_range_tracking *tracking = &range->tracking;
	struct mmu_tracker *tracker = hmm_range_tracker(range);
	int ret = 0;

	if (hmm_range_take_retry(range))
		walk->retry = true;
	if (!tracker || !range->hmm_pfns || !hmm_range_has_window(range))
		return -EINVAL;
	if (range->pfn_flags_mask && tracking->flags & HMM_RANGE_SPARSE)
		return -EINVAL;
	if (!atomic_read(&tracking->sub.mm->mm_users) ||
	    check_stable_address_space(tracking->sub.mm))
		return -EFAULT;
	/* With a mask a second round would take the output of the first for requests. */
	walk->rounds = walk->mask ? 0 : HMM_WALK_ROUNDS;

	spin_lock(&tracker->lock);
	WRITE_ONCE(tracking->valid, false);
	if (hmm_walk_is_retry(walk))
		hmm_walk_go_on(walk);
	else
		hmm_walk_new_call(walk);
	if (walk->extent.end)
		ret = hmm_walk_claim(walk);
	spin_unlock(&tracker->lock);
	return ret;
}

/* Give back what is claimed and not stored, before a fault. */
void hmm_range_unclaim(struct hmm_walk *walk)
{
	struct mmu_tracker *tracker = hmm_range_tracker(walk->range);

	spin_lock(&tracker->lock);
	walk->range->tracking.unclaimed = walk->extent;
	walk->range->tracking.faulting = current;
	spin_unlock(&tracker->lock);
}

/* Note what this round has not read, for the next walk. */
static void hmm_walk_put_back(struct hmm_walk *walk)
{
	struct hmm_range_tracking *tracking = &walk->range->tracking;

	tracking->dirty.rest = walk->extent;
	while (hmm_walk_next(walk)) {
		tracking->dirty.left++;
		hmm_dirty_add(&tracking->dirty, &tracking->window,
			      walk->extent.start, walk->extent.end);
	}
}

/*
 * A round has ended; *@err says why, if that was early. True: there is another
 * one, for what was hit meanwhile. Else the walk is over, and *@err becomes what
 * its caller gets: the range is valid if all of it was read and nothing has hit
 * it since.
 */
static bool hmm_walk_again(struct hmm_walk *walk, int *err)
{
	struct hmm_range_tracking *tracking = &walk->range->tracking;
	struct mmu_tracker *tracker = hmm_range_tracker(walk->range);
	bool again = false;

	spin_lock(&tracker->lock);
	tracking->unclaimed = (struct hmm_extent){};
	tracking->faulting = NULL;
	if (*err) {
		hmm_walk_put_back(walk);
	} else if (tracker->dying) {
		*err = -EFAULT;
	} else if (hmm_dirty_is_empty(&tracking->dirty)) {
		tracking->tried = ULONG_MAX;
		/* Pairs with the smp_load_acquire() in hmm_range_valid(). */
		smp_store_release(&tracking->valid, true);
	} else if (walk->rounds) {
		walk->rounds--;
		hmm_walk_take_notes(walk);
		*err = hmm_walk_claim(walk);
		again = true;
	} else {
		*err = -EBUSY;
	}
	spin_unlock(&tracker->lock);
	return again;
}

static int hmm_walk_claim_more(struct hmm_walk *walk)
{
	struct mmu_tracker *tracker = hmm_range_tracker(walk->range);
	int ret;

	spin_lock(&tracker->lock);
	ret = hmm_walk_claim(walk);
	spin_unlock(&tracker->lock);
	return ret;
}

/* Read one extent, as far as invalidations let it be read. */
static int hmm_walk_extent(struct hmm_walk *walk)
{
	struct hmm_extent *extent = &walk->extent;
	int ret = 0;

	for (;;) {
		if (extent->start != walk->claimed)
			ret = hmm_walk_claimed(walk, walk->claimed);
		if (ret || extent->start == extent->end)
			return ret;
		ret = hmm_walk_claim_more(walk);
		if (ret)
			return ret;
	}
}

/*
 * Walk a tracked range. The caller has locked the mm or the vma; what of it is
 * held on return, and the errno, is as for hmm_range_fault_locked().
 */
int hmm_range_walk(struct hmm_walk *walk)
{
	int ret;

	ret = hmm_walk_begin(walk);
	if (ret)
		return ret;
	do {
		while (!ret && walk->extent.end) {
			ret = hmm_walk_extent(walk);
			if (!ret && hmm_walk_next(walk))
				ret = hmm_walk_claim_more(walk);
		}
	} while (hmm_walk_again(walk, &ret));
	return ret;
}
