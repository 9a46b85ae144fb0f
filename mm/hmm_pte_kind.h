/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HMM: PTEs of a known kind.
 *
 * Most PTEs of a page table differ from one close by in the pfn alone, or in
 * nothing that matters. To decode one by pte_present() and the rest takes 35
 * instructions and more on x86-64; to compare it with one that was decoded before
 * takes 6 if it is present, and 12 if it is not.
 *
 * What all PTEs of a kind have in common is cleared, and the pfn is rotated to
 * the right. Any other difference becomes a very high bit, so one compare
 * rejects that, and a pfn which is not one of the kind's as well.
 */
#ifndef MM_HMM_PTE_KIND_H
#define MM_HMM_PTE_KIND_H

#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "hmm_internal.h"

/*
 * PTEs that are present, or none.
 *
 * @base: the PTE, less the pfn and the accessed bit; or a whole one
 * @nr: the pfns from 0 on that the kind has; 1 for a whole PTE, 0 for no kind
 * @entry: what it becomes, less the pfn if that is not in @base
 */
struct hmm_pte_kind {
	unsigned long	base;
	unsigned long	nr;
	unsigned long	entry;
};

/*
 * PTEs that are neither.
 *
 * @mask: the bits that matter
 * @base: what they are where the pfn is 0
 * @shift: of the pfn
 * @first: the first pfn that the kind has
 * @nr: and how many there are; 1 where there are none, 0 for no kind
 * @reported: the bits of the pfn that what it becomes has: all, or none
 * @entry: what it becomes, less the pfn
 */
struct hmm_absent_kind {
	unsigned long	mask;
	unsigned long	base;
	unsigned int	shift;
	unsigned long	first;
	unsigned long	nr;
	unsigned long	reported;
	unsigned long	entry;
};

/*
 * The page table formats that are tested, with the lowest flag above the pfn.
 * arm64 has no names for these: its guarded page bit is bit 50, and what of a
 * pfn lies below PAGE_SHIFT or above bit 49 is not arithmetic.
 */
#if defined(CONFIG_X86_64)
#define HMM_PTE_FLAGS_SHIFT	52
#elif defined(CONFIG_ARM64)
#define HMM_PTE_FLAGS_SHIFT	50
#endif

#ifdef HMM_PTE_FLAGS_SHIFT
/*
 * Read a PTE whose accessed and dirty bits do not matter: ptep_get_lockless() would
 * gather those of the other PTEs of a contiguous block.
 */
static __always_inline pte_t hmm_pte_peek(pte_t *ptep)
{
	return READ_ONCE(*ptep);
}

static __always_inline unsigned long
hmm_kind_pfn(const struct hmm_pte_kind *kind, pte_t pte)
{
	return ror64(pte_val(pte_mkold(pte)) - kind->base, PAGE_SHIFT);
}

static __always_inline bool hmm_is_absent_kind(const struct hmm_absent_kind *kind,
					       pte_t pte, unsigned long *new)
{
	unsigned long pfn = ror64((pte_val(pte) & kind->mask) ^ kind->base,
				  kind->shift);

	*new = (pfn & kind->reported) | kind->entry;
	return pfn - kind->first < kind->nr;
}

/* mm/hmm_pte_kind.c */
bool hmm_kind_of_pte(struct hmm_pte_kind *kind, const struct vm_area_struct *vma,
		     pte_t pte, unsigned long new);
bool hmm_kind_of_absent(struct hmm_absent_kind *kind,
			const struct hmm_private *private, pte_t pte,
			unsigned long new);
#else
static inline pte_t hmm_pte_peek(pte_t *ptep)
{
	return ptep_get_lockless(ptep);
}

/* Of no kind. */
static inline unsigned long hmm_kind_pfn(const struct hmm_pte_kind *kind,
					 pte_t pte)
{
	return ULONG_MAX;
}

static inline bool hmm_is_absent_kind(const struct hmm_absent_kind *kind,
				      pte_t pte, unsigned long *new)
{
	return false;
}

static inline bool hmm_kind_of_pte(struct hmm_pte_kind *kind,
				   const struct vm_area_struct *vma, pte_t pte,
				   unsigned long new)
{
	return false;
}

static inline bool hmm_kind_of_absent(struct hmm_absent_kind *kind,
				      const struct hmm_private *private,
				      pte_t pte, unsigned long new)
{
	return false;
}
#endif /* HMM_PTE_FLAGS_SHIFT */

#endif /* MM_HMM_PTE_KIND_H */
