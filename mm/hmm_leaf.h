/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HMM: what a leaf of the page table becomes in the array of a range, as
 * Documentation/mm/hmm.rst ("What a walk reports") lists it.
 *
 * Each function looks at one value that was read from the page table, and knows
 * nothing of requests and faults. Small ones are inline: a walk calls them for
 * each page.
 */
#ifndef MM_HMM_LEAF_H
#define MM_HMM_LEAF_H

#include <linux/hmm.h>
#include <linux/huge_mm.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/secretmem.h>

#include "hmm_internal.h"
#include "internal.h"

/*
 * Does the vma keep all of its pages from a device? Those with VM_IO or
 * VM_PFNMAP have no struct page, or none to be used; the pages of secretmem are
 * the process's alone. No architecture that HMM runs on can write to what it
 * cannot read.
 */
static inline bool hmm_vma_refuses(struct vm_area_struct *vma)
{
	return (vma->vm_flags & (VM_IO | VM_PFNMAP)) ||
	       !(vma->vm_flags & VM_READ) || vma_is_secretmem(vma);
}

/*
 * Only calls and returns of the CPU write to a shadow stack, although its
 * entries count as writable.
 */
static inline bool hmm_vma_may_write(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & VM_WRITE) && !(vma->vm_flags & VM_SHADOW_STACK);
}

/* The flags of a page that a leaf of 2^@order pages maps. */
static inline unsigned long hmm_pfn_flags(const struct vm_area_struct *vma,
					  bool write, unsigned int order)
{
	unsigned long flags = HMM_PFN_VALID;

	if (write && !(vma->vm_flags & VM_SHADOW_STACK))
		flags |= HMM_PFN_WRITE;
	return flags | (unsigned long)order << HMM_PFN_ORDER_SHIFT;
}

/* Does it take no vm_normal_page() to see that a present PTE maps a page? */
static inline bool hmm_pte_is_plain(const struct vm_area_struct *vma, pte_t pte)
{
	if (pte_protnone(pte) || pte_special(pte) ||
	    pte_pfn(pte) > highest_memmap_pfn)
		return false;
	return IS_ENABLED(CONFIG_ARCH_HAS_PTE_SPECIAL) ||
	       !(vma->vm_flags & VM_MIXEDMAP);
}

/* An entry that is neither present nor none, device private ones apart. */
static inline unsigned long hmm_pfn_from_softleaf(softleaf_t leaf)
{
	switch (softleaf_type(leaf)) {
	case SOFTLEAF_SWAP:
	case SOFTLEAF_MIGRATION_READ:
	case SOFTLEAF_MIGRATION_READ_EXCLUSIVE:
	case SOFTLEAF_MIGRATION_WRITE:
	case SOFTLEAF_DEVICE_PRIVATE_READ:
	case SOFTLEAF_DEVICE_PRIVATE_WRITE:
	case SOFTLEAF_DEVICE_EXCLUSIVE:
		return 0;
	case SOFTLEAF_MARKER:
		if (softleaf_is_poison_marker(leaf) ||
		    softleaf_is_guard_marker(leaf))
			return HMM_PFN_ERROR;
		return 0;
	default:
		return HMM_PFN_ERROR;
	}
}

/* mm/hmm_leaf.c */
unsigned long hmm_pfn_from_other_pte(struct vm_area_struct *vma,
				     unsigned long addr, pte_t pte);

/* All but device private PTEs. */
static inline unsigned long hmm_pfn_from_pte(struct vm_area_struct *vma,
					     unsigned long addr, pte_t pte)
{
	if (pte_none(pte))
		return 0;
	if (pte_present(pte) && hmm_pte_is_plain(vma, pte))
		return pte_pfn(pte) | hmm_pfn_flags(vma, pte_write(pte), 0);
	return hmm_pfn_from_other_pte(vma, addr, pte);
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
unsigned long hmm_pfn_from_pmd(struct vm_area_struct *vma, unsigned long addr,
			       pmd_t pmd);

/* See hmm_pte_is_plain(). */
static inline bool hmm_pmd_is_plain(pmd_t pmd)
{
	return IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) &&
	       !pmd_protnone(pmd) && !pmd_special(pmd) &&
	       pmd_pfn(pmd) <= highest_memmap_pfn;
}

/* A present leaf, for the page of it that is at @addr. */
static inline unsigned long hmm_pfn_from_plain_pmd(struct vm_area_struct *vma,
						   unsigned long addr, pmd_t pmd)
{
	return (pmd_pfn(pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT)) |
	       hmm_pfn_flags(vma, pmd_write(pmd), PMD_ORDER);
}
#endif /* CONFIG_TRANSPARENT_HUGEPAGE */

#ifdef CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD
unsigned long hmm_pfn_from_pud(struct vm_area_struct *vma, unsigned long addr,
			       pud_t pud);
#endif

#ifdef CONFIG_HUGETLB_PAGE
unsigned long hmm_pfn_from_hugetlb(struct vm_area_struct *vma,
				   unsigned long addr, pte_t *ptep);
#endif

void hmm_private_look_up(struct hmm_private *private, softleaf_t leaf,
			 const void *owner);

/* Does @leaf lie in the device memory that was looked up last? */
static inline bool hmm_private_knows(const struct hmm_private *private,
				     softleaf_t leaf)
{
	return softleaf_to_pfn(leaf) - private->pfn < private->nr;
}

/* 0 for memory of another owner: a fault brings it back to system memory. */
static inline unsigned long
hmm_pfn_from_private(const struct hmm_private *private,
		     const struct vm_area_struct *vma, softleaf_t leaf,
		     unsigned int order)
{
	if (!private->own)
		return 0;
	return softleaf_to_pfn(leaf) |
	       hmm_pfn_flags(vma, softleaf_is_device_private_write(leaf),
			     order);
}

#endif /* MM_HMM_LEAF_H */
