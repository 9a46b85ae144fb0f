/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HMM: what the two halves of a walk tell each other: mm/hmm_walk.c, which comes
 * down to a page table, and mm/hmm_ptes.c, which goes through it.
 */
#ifndef MM_HMM_WALK_H
#define MM_HMM_WALK_H

#include <linux/hmm.h>
#include <linux/mm.h>

#include "hmm_internal.h"

/* What is next, as a level of the page table tells the one above. */
enum hmm_step {
	HMM_NEXT,	/* all is stored: what is behind it */
	HMM_AGAIN,	/* the page table below has gone: the same entry */
	HMM_FAULT,	/* leave the page table for the fault that is noted */
	HMM_STOP,	/* leave it for good, because of @walk->err */
};

static inline unsigned long *hmm_entries(const struct hmm_walk *walk,
					 unsigned long addr)
{
	return &walk->range->hmm_pfns[(addr - walk->first) >> PAGE_SHIFT];
}

/* The bits that the output for this page must have; @entry is its input. */
static inline unsigned long hmm_required(const struct hmm_walk *walk,
					 unsigned long entry)
{
	unsigned long required = walk->required | (entry & walk->mask);

	return required & HMM_PFN_REQ_FAULT ? required : 0;
}

/*
 * Drivers with an interval notifier are told of an own device private page that
 * may not be written to, also if they ask to write: migrate_to_ram() of amdgpu
 * does nothing for a fault of its own, so it would be repeated to no end.
 */
static inline bool hmm_settles_for_readonly(const struct hmm_walk *walk)
{
	return walk->range->notifier;
}

/* mm/hmm_walk.c */
enum hmm_step hmm_walk_miss(struct hmm_walk *walk, struct vm_area_struct *vma,
			    unsigned long addr, unsigned long required,
			    unsigned long new, bool may_copy);

/* mm/hmm_ptes.c */
enum hmm_step hmm_walk_ptes(struct hmm_walk *walk, struct vm_area_struct *vma,
			    pmd_t *pmdp, unsigned long addr, unsigned long end);

#endif /* MM_HMM_WALK_H */
