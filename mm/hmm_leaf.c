// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copyright 2013 Red Hat Inc.
 *
 * Authors: Jérôme Glisse <jglisse@redhat.com>
 *
 * HMM: what a leaf of the page table becomes in the array of a range: all but
 * the plain cases, which mm/hmm_leaf.h has.
 */
#include <linux/hugetlb.h>
#include <linux/memremap.h>
#include <linux/range.h>

#include "hmm_leaf.h"

/* A PTE that is not none and not plain. */
unsigned long hmm_pfn_from_other_pte(struct vm_area_struct *vma,
				     unsigned long addr, pte_t pte)
{
	unsigned long pfn = pte_pfn(pte);
	struct page *page;

	if (!pte_present(pte))
		return hmm_pfn_from_softleaf(softleaf_from_pte(pte));
	if (pte_protnone(pte))
		return 0;
	if (!is_zero_pfn(pfn)) {
		page = vm_normal_page(vma, addr, pte);
		if (!page)
			return HMM_PFN_ERROR;
		pfn = page_to_pfn(page);
	}
	return pfn | hmm_pfn_flags(vma, pte_write(pte), 0);
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/* A present leaf, for the page of it that is at @addr. */
unsigned long hmm_pfn_from_pmd(struct vm_area_struct *vma, unsigned long addr,
			       pmd_t pmd)
{
	if (pmd_protnone(pmd))
		return 0;
	if (!hmm_pmd_is_plain(pmd) && !is_huge_zero_pmd(pmd) &&
	    !vm_normal_page_pmd(vma, addr, pmd))
		return HMM_PFN_ERROR;
	return hmm_pfn_from_plain_pmd(vma, addr, pmd);
}
#endif

#ifdef CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD
unsigned long hmm_pfn_from_pud(struct vm_area_struct *vma, unsigned long addr,
			       pud_t pud)
{
	if (!vm_normal_page_pud(vma, addr, pud))
		return HMM_PFN_ERROR;
	return (pud_pfn(pud) + ((addr & ~PUD_MASK) >> PAGE_SHIFT)) |
	       hmm_pfn_flags(vma, pud_write(pud), PUD_SHIFT - PAGE_SHIFT);
}
#endif

#ifdef CONFIG_HUGETLB_PAGE
/* Where several entries are read for a page, that is done with the lock held. */
static pte_t hmm_read_hugetlb(struct vm_area_struct *vma, unsigned long addr,
			      pte_t *ptep)
{
#ifdef __HAVE_ARCH_HUGE_PTEP_GET
	spinlock_t *ptl = huge_pte_lock(hstate_vma(vma), vma->vm_mm, ptep);
	const pte_t pte = huge_ptep_get(vma->vm_mm, addr, ptep);

	spin_unlock(ptl);
	return pte;
#else
	return ptep_get_lockless(ptep);
#endif
}

/* For the first page of it. */
unsigned long hmm_pfn_from_hugetlb(struct vm_area_struct *vma,
				   unsigned long addr, pte_t *ptep)
{
	const pte_t pte = hmm_read_hugetlb(vma, addr, ptep);

	if (huge_pte_none(pte))
		return 0;
	if (!pte_present(pte))
		return hmm_pfn_from_softleaf(softleaf_from_pte(pte));
	if (pte_protnone(pte))
		return 0;
	return pte_pfn(pte) | hmm_pfn_flags(vma, huge_pte_write(pte),
					    huge_page_order(hstate_vma(vma)));
}
#endif

/*
 * Look up whose memory a device private leaf is of. The lock of the page table
 * that it is in is held: an entry that is there under it holds a reference to
 * the page, and the page one to its pgmap. What is found may be relied upon
 * without the lock for the other pages of the page table: the memory goes away
 * only after they have been taken out of it, which the walk is told of.
 */
void hmm_private_look_up(struct hmm_private *private, softleaf_t leaf,
			 const void *owner)
{
	const struct dev_pagemap *pgmap = page_pgmap(softleaf_to_page(leaf));
	int i;

	private->own = pgmap->owner == owner;
	for (i = 0; i < pgmap->nr_range; i++) {
		private->pfn = PHYS_PFN(pgmap->ranges[i].start);
		private->nr = PHYS_PFN(range_len(&pgmap->ranges[i]));
		if (hmm_private_knows(private, leaf))
			return;
	}
	/* None: what was found is good for this leaf alone. */
	private->pfn = softleaf_to_pfn(leaf);
	private->nr = 1;
}
