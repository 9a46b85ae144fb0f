/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of HMM and the notifier core tell each other.
 */
#ifndef MM_HMM_INTERNAL_H
#define MM_HMM_INTERNAL_H

#include <linux/hmm.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#ifdef CONFIG_HMM_MIRROR

/*
 * The tracked ranges of one mm. Lives in its mmu_notifier_subscriptions, so it
 * stays while anybody holds a reference by mmgrab().
 */
struct hmm_ranges {
	/*
	 * Protects everything here, and the tracking of each range in @ranges.
	 * Nests inside all locks of the mm and of drivers, and nothing that
	 * takes a lock is called with it held.
	 */
	spinlock_t		lock;
	/* The registered ranges, by address: &hmm_range.tracking.node. */
	struct rb_root_cached	ranges;
	/* Invalidations in flight: &mmu_notifier_range.tracked. */
	struct list_head	invalidations;
	/* Those that wait for an invalidation to end. */
	wait_queue_head_t	wq;
	/* The mm is being torn down; never cleared. */
	bool			dying;
};

/* mm/mmu_notifier.c calls these in mm/hmm_range.c. */
void hmm_ranges_init(struct hmm_ranges *ranges);
void hmm_ranges_invalidate_start(struct hmm_ranges *ranges,
				 struct mmu_notifier_range *invalidation);
void hmm_ranges_invalidate_end(struct hmm_ranges *ranges,
			       struct mmu_notifier_range *invalidation);
void hmm_ranges_release(struct hmm_ranges *ranges);

/* mm/hmm_range.c calls these in mm/mmu_notifier.c. */
struct hmm_ranges *mmu_notifier_hmm_ranges(struct mm_struct *mm);
int mmu_notifier_track_ranges(struct mm_struct *mm);

/*
 * One walk of a range, from mm/hmm.c to mm/hmm_walk.c.
 *
 * @range: what is walked; its bounds, array, flags and owner
 * @mm: the address space
 * @vma: NULL if the caller holds the mmap lock of @mm; else the vma that all of
 *	the range lies in, whose lock it holds for read instead
 * @locked: as in GUP: NULL if that lock has to be kept, else *@locked is
 *	cleared when a fault dropped it
 * @fault: make present what is asked for; false: report only
 * @last: everything below, from the start of the span on, is stored
 */
struct hmm_walk {
	struct hmm_range	*range;
	struct mm_struct	*mm;
	struct vm_area_struct	*vma;
	int			*locked;
	bool			fault;
	unsigned long		last;
};

/* mm/hmm_walk.c */
int hmm_walk_span(struct hmm_walk *walk, unsigned long start,
		  unsigned long end);

/* mm/hmm_range.c: a walk's side of the tracking. */
int hmm_range_wait(struct hmm_range *range, unsigned long timeout);
int hmm_range_walk_begin(struct hmm_range *range, bool fault, u64 *todo);
int hmm_range_walk_end(struct hmm_range *range, u64 todo, int err);
u64 hmm_range_first_span(const struct hmm_range *range, u64 todo,
			 unsigned long *start, unsigned long *end);
u64 hmm_range_chunks(const struct hmm_range *range, unsigned long start,
		     unsigned long end);

/* What &hmm_range_tracking.state says; mm/hmm_range.c explains it. */
enum {
	HMM_RANGE_STALE,
	HMM_RANGE_WALKING,
	HMM_RANGE_VALID,
};

/* Was the range marked since hmm_range_walk_begin()? Lockless, a hint. */
static inline bool hmm_range_walk_invalidated(const struct hmm_range *range)
{
	return READ_ONCE(range->tracking.state) != HMM_RANGE_WALKING;
}

#else /* CONFIG_HMM_MIRROR */

struct hmm_ranges {
};

static inline void hmm_ranges_init(struct hmm_ranges *ranges)
{
}

static inline void
hmm_ranges_invalidate_start(struct hmm_ranges *ranges,
			    struct mmu_notifier_range *invalidation)
{
}

static inline void
hmm_ranges_invalidate_end(struct hmm_ranges *ranges,
			  struct mmu_notifier_range *invalidation)
{
}

static inline void hmm_ranges_release(struct hmm_ranges *ranges)
{
}

#endif /* CONFIG_HMM_MIRROR */

#endif /* MM_HMM_INTERNAL_H */
