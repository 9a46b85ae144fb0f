// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HMM: find out what kind a PTE is of, see mm/hmm_pte_kind.h.
 */
#include <linux/leafops.h>
#include <linux/minmax.h>

#include "hmm_leaf.h"
#include "hmm_pte_kind.h"

#ifdef HMM_PTE_FLAGS_SHIFT
/**
 * hmm_kind_of_pte() - the kind of a PTE that is present or none
 * @kind: is set
 * @vma: the vma that the PTE is in
 * @pte: the PTE
 * @new: what it becomes
 *
 * Return: false if what it becomes may depend on more than these bits.
 */
bool hmm_kind_of_pte(struct hmm_pte_kind *kind, const struct vm_area_struct *vma,
		     pte_t pte, unsigned long new)
{
	const unsigned long bits = pte_val(pte_mkold(pte));
	const unsigned long pfn = pte_pfn(pte);

	*kind = (struct hmm_pte_kind){ .base = bits, .nr = 1, .entry = new };
	if (pte_none(pte) || is_zero_pfn(pfn))
		return true;
	if (!hmm_pte_is_plain(vma, pte))
		return false;
	/* The pfn field must start at PAGE_SHIFT. */
	if (pte_val(pte_advance_pfn(pte, 1)) - pte_val(pte) != PAGE_SIZE)
		return false;
	kind->base = bits - (pfn << PAGE_SHIFT);
	/* Without a memory map it is no page. A flag must not look like a pfn. */
	kind->nr = min(highest_memmap_pfn + 1,
		       BIT(HMM_PTE_FLAGS_SHIFT - PAGE_SHIFT));
	kind->entry = new & HMM_PFN_FLAGS;
	return pfn < kind->nr;
}

/* All flags that such a PTE may have beside type and offset. */
static unsigned long hmm_swp_flags(unsigned long bits)
{
	pte_t pte = __pte(bits);

	pte = pte_swp_mkexclusive(pte);
	pte = pte_swp_mksoft_dirty(pte);
	return pte_val(pte_swp_mkuffd(pte));
}

/**
 * hmm_kind_of_absent() - the kind of a PTE that is neither present nor none
 * @kind: is set
 * @private: the memory that @pte is of, if it is device private
 * @pte: the PTE
 * @new: what it becomes
 *
 * Markers are told apart by their offset, device private pages by the memory that
 * they lie in, and all others by their type alone.
 *
 * Return: true.
 */
bool hmm_kind_of_absent(struct hmm_absent_kind *kind,
			const struct hmm_private *private, pte_t pte,
			unsigned long new)
{
	/* The offset is one field, and may be stored inverted. */
	const unsigned long zero = pte_val(softleaf_to_pte(swp_entry(0, 0)));
	const unsigned long one = pte_val(softleaf_to_pte(swp_entry(0, 1)));
	const unsigned long all = pte_val(softleaf_to_pte(swp_entry(0, ~0UL)));
	const unsigned long offset = zero ^ all;
	const unsigned long flags = zero ^ hmm_swp_flags(zero);
	const softleaf_t leaf = softleaf_from_pte(pte);

	*kind = (struct hmm_absent_kind){ .mask = ~0UL, .nr = 1, .entry = new };
	if (!softleaf_is_marker(leaf))
		kind->mask = ~(offset | flags);
	kind->base = pte_val(pte) & kind->mask;
	if (softleaf_is_device_private(leaf)) {
		kind->mask |= offset;
		kind->base |= zero & offset;
		kind->shift = __ffs(zero ^ one);
		kind->first = private->pfn;
		kind->nr = private->nr;
		kind->reported = new ? ~0UL : 0;
		kind->entry = new & HMM_PFN_FLAGS;
	}
	return true;
}
#endif /* HMM_PTE_FLAGS_SHIFT */
