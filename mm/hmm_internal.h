/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of HMM tell each other.
 */
#ifndef MM_HMM_INTERNAL_H
#define MM_HMM_INTERNAL_H

#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#include "mmu_interval.h"

static inline void hmm_dirty_clear(struct hmm_dirty *dirty)
{
	dirty->nr = 0;
	dirty->left = 0;
	dirty->chunks = 0;
	dirty->rest = (struct hmm_extent){};
}

static inline bool hmm_dirty_is_empty(const struct hmm_dirty *dirty)
{
	return !dirty->nr && !dirty->chunks &&
	       dirty->rest.start == dirty->rest.end;
}

/* mm/hmm_dirty.c */
void hmm_dirty_move(struct hmm_dirty *to, struct hmm_dirty *from);
void hmm_dirty_add(struct hmm_dirty *dirty, const struct hmm_extent *window,
		   unsigned long start, unsigned long end);
bool hmm_dirty_next(const struct hmm_dirty *dirty,
		    const struct hmm_extent *window, unsigned long from,
		    struct hmm_extent *next);

/*
 * The device private memory that a walk has met last below a PMD entry: pages of
 * one pgmap follow each other.
 *
 * @pfn: the first pfn of a part of that memory
 * @nr: and how many there are; 0 if none was met yet
 * @own: the pages are the caller's, and are reported
 */
struct hmm_private {
	unsigned long	pfn;
	unsigned long	nr;
	bool		own;
};

/* How often a call reads again what was hit while it ran. */
#define HMM_WALK_ROUNDS	2

/*
 * One walk of a range: a call of hmm_range_fault() or one of its kind.
 *
 * @range: what is walked; its bounds, array, flags and owner
 * @mm: the address space
 * @vma: NULL if the caller holds the mmap lock of @mm; else the vma that all of
 *	the range lies in, whose lock it holds for read instead
 * @locked: as in GUP: NULL if that lock has to be kept, else *@locked is
 *	cleared when a fault dropped it
 * @fault: make present what is asked for; false: report only
 * @retry: the array is as the last walk of the range left it
 * @stuck: it ended because faults of a page succeeded and did not help
 * @faulted: it has faulted something in
 *
 * @todo: what this round reads
 * @extent: the extent of @todo that is being read; below its start all is
 *	stored
 * @claimed: up to where it may be read now
 * @rounds: how many more there may be
 *
 * @first: the page of the first entry of the array
 * @required: request bits that hold for every page; 0 if there are none
 * @mask: request bits that are taken from the array as well
 * @sparse: write one entry for each leaf
 * @last_vma: the vma that was walked last
 * @vmi: found it, unless it is @vma
 * @fault_start: the first page of the last faults
 * @fault_end: first address past the last page
 * @fault_write: it was for write
 * @fault_step: how far apart they are
 * @batch: how many of equal pages to fault in before looking again
 * @tries: how often @fault_start was faulted in without effect
 * @tried: the page whose fault has dropped the lock last; ULONG_MAX: none
 * @private: the device private memory that was met last
 * @err: why the walk stops
 */
struct hmm_walk {
	struct hmm_range	*range;
	struct mm_struct	*mm;
	struct vm_area_struct	*vma;
	int			*locked;
	bool			fault;
	bool			retry;
	bool			stuck;
	bool			faulted;

	/* mm/hmm_walk.c */
	bool			sparse;
	bool			fault_write;
	unsigned long		first;
	unsigned long		required;
	unsigned long		mask;
	struct vm_area_struct	*last_vma;
	unsigned long		fault_start;
	unsigned long		fault_end;
	unsigned long		fault_step;
	unsigned int		batch;
	unsigned int		tries;
	unsigned long		tried;
	struct hmm_private	private;
	int			err;

	/* mm/hmm_claim.c */
	unsigned int		rounds;
	struct hmm_extent	extent;
	unsigned long		claimed;

	struct hmm_dirty	todo;
	struct vma_iterator	vmi;
};

/* mm/hmm_walk.c */
void hmm_walk_init(struct hmm_walk *walk, struct hmm_range *range,
		   struct vm_area_struct *vma, int *locked, bool fault);
int hmm_walk_claimed(struct hmm_walk *walk, unsigned long end);

/* mm/hmm_range.c */
void hmm_range_note(struct hmm_range *range,
		    const struct mmu_notifier_range *invalidation);
int hmm_range_wait(struct hmm_range *range, unsigned long timeout);

/* NULL: it is not registered. */
static inline struct mmu_tracker *
hmm_range_tracker(const struct hmm_range *range)
{
	return range->notifier ? NULL :
				 READ_ONCE(range->tracking.sub.tracker);
}

/* Is the window that the driver has set aligned, not empty, and registered? */
static inline bool hmm_range_has_window(const struct hmm_range *range)
{
	const struct interval_tree_node *node =
		&range->tracking.sub.interval_tree;

	return range->start < range->end &&
	       !offset_in_page(range->start | range->end) &&
	       range->start >= node->start && range->end - 1 <= node->last;
}

static inline bool hmm_overlaps(const struct mmu_notifier_range *invalidation,
				unsigned long start, unsigned long end)
{
	return invalidation->start < invalidation->end &&
	       invalidation->start < end && invalidation->end > start;
}

/* mm/hmm_claim.c */
bool hmm_range_take_retry(struct hmm_range *range);
int hmm_range_walk(struct hmm_walk *walk);
void hmm_range_unclaim(struct hmm_walk *walk);

#endif /* MM_HMM_INTERNAL_H */
