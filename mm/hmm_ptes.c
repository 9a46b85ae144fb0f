// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copyright 2013 Red Hat Inc.
 *
 * Authors: Jérôme Glisse <jglisse@redhat.com>
 *
 * HMM: walk a page table, the part of a walk that most of its time goes into.
 *
 * PTEs of the few kinds that were met last, see mm/hmm_pte_kind.h, are stored by
 * a compare each. Any other is decoded, and its kind remembered, by
 * hmm_walk_new_pte(). The first PTE that does not satisfy what is asked for ends
 * it, with a note of which PTEs need the same fault.
 */
#include <linux/hmm.h>
#include <linux/leafops.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/unroll.h>

#include "hmm_array.h"
#include "hmm_leaf.h"
#include "hmm_pte_kind.h"
#include "hmm_walk.h"

/* How many PTEs are looked at in one turn of a loop. */
#define HMM_PTES	4

/*
 * A page table on its way through the walk.
 *
 * @pmdp: where it hangs
 * @start: the address that the walk begins at
 * @learned: how often a kind was remembered
 * @kinds: the last two of PTEs that are stored unless more is asked for, page by
 *	page. Two, since writable and read-only pages may alternate, or pages and
 *	holes.
 * @absent: and the last one of those that are neither present nor none
 */
struct hmm_pte_table {
	struct hmm_walk		*walk;
	struct vm_area_struct	*vma;
	pmd_t			*pmdp;
	unsigned long		start;
	unsigned int		learned;
	struct hmm_pte_kind	kinds[2];
	struct hmm_absent_kind	absent;
};

/*
 * Faults.
 */

static bool hmm_pte_is_none(pte_t pte)
{
	return pte_none(pte);
}

static bool hmm_pte_is_readonly(pte_t pte)
{
	return pte_present(pte) && !pte_write(pte);
}

static bool hmm_pte_is_private(pte_t pte)
{
	return !pte_none(pte) && !pte_present(pte) &&
	       softleaf_is_device_private(softleaf_from_pte(pte));
}

/*
 * @pte needs a fault. Is it sure that @other needs one for the same reason? An
 * own device private page next to a foreign one must not be brought back.
 */
static bool hmm_ptes_need_same_fault(const struct hmm_walk *walk, pte_t pte,
				     pte_t other, bool write)
{
	softleaf_t leaf;

	if (pte_present(pte))
		return write && hmm_pte_is_readonly(pte) &&
		       hmm_pte_is_readonly(other);
	if (pte_none(pte) || pte_none(other))
		return pte_none(pte) && pte_none(other);
	if (pte_present(other))
		return false;
	leaf = softleaf_from_pte(other);
	if (softleaf_type(leaf) != softleaf_type(softleaf_from_pte(pte)))
		return false;
	return !softleaf_is_device_private(leaf) ||
	       hmm_private_knows(&walk->private, leaf);
}

/* How many of @nr PTEs in a row, of which the first is known to be, are so. */
static __always_inline unsigned long
hmm_ptes_that_are(bool (*so)(pte_t pte), pte_t *ptep, unsigned long nr)
{
	unsigned long i;
	int k;

	for (i = 1; i + HMM_PTES <= nr; i += HMM_PTES) {
		unrolled_full
		for (k = 0; k < HMM_PTES; k++)
			if (!so(hmm_pte_peek(ptep + i + k)))
				return i + k;
	}
	while (i < nr && so(hmm_pte_peek(ptep + i)))
		i++;
	return i;
}

/* Those that are neither present nor none, and of one kind. */
static unsigned long hmm_ptes_of_kind(const struct hmm_absent_kind *kind,
				      pte_t *ptep, unsigned long nr)
{
	unsigned long i = 1, new;

	while (i < nr && hmm_is_absent_kind(kind, hmm_pte_peek(ptep + i), &new))
		i++;
	return i;
}

/*
 * Return how many PTEs from here need the same fault, at most walk->batch. A
 * fault may map more than its page, and then the others need none.
 */
static unsigned long hmm_pte_fault_batch(const struct hmm_walk *walk, pte_t pte,
					 pte_t *ptep,
					 const unsigned long *entries,
					 unsigned long nr,
					 unsigned long required)
{
	const bool write = required & HMM_PFN_REQ_WRITE;
	struct hmm_absent_kind kind;
	unsigned long i;
	pte_t other;

	nr = min_t(unsigned long, nr, walk->batch);
	/* The plain cases: all pages are asked for alike. */
	if (!walk->mask && pte_none(pte))
		return hmm_ptes_that_are(hmm_pte_is_none, ptep, nr);
	if (!walk->mask && write && hmm_pte_is_readonly(pte))
		return hmm_ptes_that_are(hmm_pte_is_readonly, ptep, nr);
	if (!walk->mask && nr > 1 && !pte_present(pte) &&
	    hmm_kind_of_absent(&kind, &walk->private, pte, 0))
		return hmm_ptes_of_kind(&kind, ptep, nr);
	for (i = 1; i < nr; i++) {
		other = hmm_pte_peek(ptep + i);
		if (hmm_required(walk, entries[i]) != required ||
		    !hmm_ptes_need_same_fault(walk, pte, other, write))
			break;
	}
	return i;
}

static enum hmm_step hmm_walk_pte_miss(struct hmm_walk *walk,
				       struct vm_area_struct *vma,
				       unsigned long addr, pte_t pte,
				       pte_t *ptep, unsigned long nr,
				       unsigned long required,
				       unsigned long new)
{
	const unsigned long *entries = hmm_entries(walk, addr);
	enum hmm_step step;

	step = hmm_walk_miss(walk, vma, addr, required, new,
			     hmm_pte_is_readonly(pte));
	if (step == HMM_FAULT)
		walk->fault_end = addr + PAGE_SIZE *
			hmm_pte_fault_batch(walk, pte, ptep, entries, nr,
					    required);
	return step;
}

/*
 * Find out whose memory the device private page at @addr is of. False: the page
 * table has gone, or @pte is something else by now.
 */
static bool hmm_look_up_private_pte(struct hmm_pte_table *table,
				    unsigned long addr, pte_t pte)
{
	struct hmm_walk *walk = table->walk;
	spinlock_t *ptl; /* of the page table */
	pte_t *ptep;
	bool same;

	ptep = pte_offset_map_lock(table->vma->vm_mm, table->pmdp, addr, &ptl);
	if (!ptep)
		return false;
	same = pte_same(ptep_get(ptep), pte);
	if (same)
		hmm_private_look_up(&walk->private, softleaf_from_pte(pte),
				    walk->range->dev_private_owner);
	pte_unmap_unlock(ptep, ptl);
	return same;
}

/*
 * What a device private PTE becomes depends on whose page it is. HMM_AGAIN: it
 * has to be looked at anew.
 */
static enum hmm_step hmm_private_pte(struct hmm_pte_table *table,
				     unsigned long addr, pte_t pte,
				     unsigned long *new)
{
	const struct hmm_private *private = &table->walk->private;
	const softleaf_t leaf = softleaf_from_pte(pte);

	if (!hmm_private_knows(private, leaf) &&
	    !hmm_look_up_private_pte(table, addr, pte))
		return HMM_AGAIN;
	*new = hmm_pfn_from_private(private, table->vma, leaf, 0);
	return HMM_NEXT;
}

/*
 * Kinds.
 */

/*
 * Remember the kind of @pte, which becomes @new and satisfies what is required.
 * Where kinds are too many that costs more than it gains, so it is done for one
 * PTE in sixteen, and otherwise what is known is kept.
 */
static void hmm_learn_kind(struct hmm_pte_table *table, unsigned long addr,
			   pte_t pte, unsigned long new)
{
	struct hmm_pte_kind kind;

	if (table->learned >
	    HMM_PTES + ((addr - table->start) >> (PAGE_SHIFT + 4)))
		return;
	table->learned++;
	if (!pte_none(pte) && !pte_present(pte)) {
		hmm_kind_of_absent(&table->absent, &table->walk->private, pte,
				   new);
	} else if (hmm_kind_of_pte(&kind, table->vma, pte, new)) {
		table->kinds[1] = table->kinds[0];
		table->kinds[0] = kind;
	}
}

/*
 * What a PTE of a known kind becomes; false: it is of none. *@same: how many in
 * a row have been of the first kind.
 */
static __always_inline bool hmm_pte_is_known(const struct hmm_pte_table *table,
					     pte_t *ptep,
					     unsigned long *new,
					     unsigned int *same)
{
	const struct hmm_pte_kind *kinds = table->kinds;
	pte_t pte = hmm_pte_peek(ptep);
	unsigned long pfn;

	pfn = hmm_kind_pfn(&kinds[0], pte);
	if (likely(pfn < kinds[0].nr)) {
		*new = pfn | kinds[0].entry;
		(*same)++;
		return true;
	}
	*same = 0;
	pfn = hmm_kind_pfn(&kinds[1], pte);
	if (pfn < kinds[1].nr) {
		*new = pfn | kinds[1].entry;
		return true;
	}
	return hmm_is_absent_kind(&table->absent, pte, new);
}

/*
 * Store a few PTEs at once, if all are of one kind and no entry has sticky bits.
 * This takes 11 instructions a page where one by one it is 17.
 */
static __always_inline bool hmm_store_known_ptes(const struct hmm_pte_kind *kind,
						 pte_t *ptep,
						 unsigned long *entries)
{
	unsigned long new[HMM_PTES] __uninitialized, bits = 0;
	bool same = true;
	int k;

	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		new[k] = hmm_kind_pfn(kind, hmm_pte_peek(ptep + k));
	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		if (unlikely(new[k] >= kind->nr))
			return false;
	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		new[k] |= kind->entry;
	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		same = same && hmm_peek(&entries[k]) == new[k];
	if (same)
		return true;
	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		bits |= hmm_peek(&entries[k]);
	if (unlikely(bits & HMM_PFN_STICKY))
		return false;
	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		WRITE_ONCE(entries[k], new[k]);
	return true;
}

/*
 * The walk.
 */

/* Walk a PTE that is of no known kind, or whose page is asked for specially. */
static noinline enum hmm_step hmm_walk_new_pte(struct hmm_pte_table *table,
					       unsigned long addr, pte_t *ptep,
					       unsigned long nr)
{
	struct hmm_walk *walk = table->walk;
	unsigned long *entries = hmm_entries(walk, addr);
	unsigned long required = hmm_required(walk, *entries);
	const pte_t pte = hmm_pte_peek(ptep);
	enum hmm_step step;
	unsigned long new;

	if (hmm_pte_is_private(pte)) {
		step = hmm_private_pte(table, addr, pte, &new);
		if (step != HMM_NEXT)
			return step;
		if (new && hmm_settles_for_readonly(walk))
			required = 0;
	} else {
		new = hmm_pfn_from_pte(table->vma, addr, pte);
	}
	if (required & ~new)
		return hmm_walk_pte_miss(walk, table->vma, addr, pte, ptep, nr,
					 required, new);
	hmm_store(entries, new);
	if (nr > HMM_PTES)
		hmm_learn_kind(table, addr, pte, new);
	return HMM_NEXT;
}

/*
 * @masked: each page may be asked for something else. Without, only what
 * satisfies all is known.
 */
static __always_inline enum hmm_step
hmm_walk_table(struct hmm_pte_table *table, unsigned long end, pte_t *ptep,
	       bool masked)
{
	struct hmm_walk *walk = table->walk;
	unsigned long *entries = hmm_entries(walk, table->start);
	unsigned long nr = (end - table->start) >> PAGE_SHIFT;
	enum hmm_step step = HMM_NEXT;
	unsigned long i = 0, new;
	unsigned int same = 0;

	while (i < nr) {
		if (!hmm_pte_is_known(table, ptep + i, &new, &same) ||
		    (masked && (hmm_required(walk, entries[i]) & ~new))) {
			step = hmm_walk_new_pte(table,
						table->start + i * PAGE_SIZE,
						ptep + i, nr - i);
			if (step != HMM_NEXT)
				break;
			i++;
			continue;
		}
		hmm_store(&entries[i++], new);
		if (masked || same < HMM_PTES)
			continue;
		while (i + HMM_PTES <= nr &&
		       hmm_store_known_ptes(&table->kinds[0], ptep + i,
					    entries + i))
			i += HMM_PTES;
		same = 0;
	}
	walk->extent.start = table->start + i * PAGE_SIZE;
	return step;
}

/*
 * Walk a part of a page table, and move the start of @walk->extent behind what is
 * stored. HMM_AGAIN: the page table has gone, or must be looked at anew.
 */
enum hmm_step hmm_walk_ptes(struct hmm_walk *walk, struct vm_area_struct *vma,
			    pmd_t *pmdp, unsigned long addr, unsigned long end)
{
	struct hmm_pte_table table = {
		.walk = walk,
		.vma = vma,
		.pmdp = pmdp,
		.start = addr,
	};
	enum hmm_step step;
	pte_t *ptep;

	/* It may be another one's by now. */
	walk->private.nr = 0;
	ptep = pte_offset_map(pmdp, addr);
	if (!ptep)
		return HMM_AGAIN;
	if (walk->mask)
		step = hmm_walk_table(&table, end, ptep, true);
	else
		step = hmm_walk_table(&table, end, ptep, false);
	pte_unmap(ptep);
	return step;
}
