// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HMM: read the page tables of a range into its array, and fault in what is
 * asked for and missing.
 *
 * A walk goes through the page tables in address order and stores one entry for
 * each page, as Documentation/mm/hmm.rst ("What a walk reports") lists them. At
 * the first page that is asked for and that the page table does not give, it
 * notes which pages to fault in and leaves what it has locked or mapped of the
 * page tables: the fault runs with the lock of the caller and nothing else. Then
 * the walk goes on at the first page that is not stored yet, and sees for itself
 * what the fault did.
 *
 * Page table entries are read without their lock, and all that is stored of one
 * comes from one read. It may be out of date by the time that it is stored;
 * whoever changes an entry has invalidated the range before, so the caller finds
 * out and walks again. The lock is taken for hugetlb, where several entries may
 * make a page, and where a struct page has to be looked into, which is to find
 * the owner of device private memory: an entry that is there under the lock
 * holds a reference to the page, and the page one to its pgmap.
 *
 * How the array is written stands in mm/hmm_array.h.
 */
#include <linux/bitops.h>
#include <linux/hmm.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/leafops.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/secretmem.h>
#include <linux/unroll.h>

#include "hmm_array.h"
#include "hmm_internal.h"
#include "internal.h"

/*
 * What a level returns to leave the page table for a fault, and one for a table
 * of PTEs that is gone.
 */
#define HMM_WALK_FAULT	1
#define HMM_WALK_AGAIN	2

#define HMM_PFN_REQ	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

/* How many PTEs are looked at in one turn of a loop. */
#define HMM_PTES	4

/*
 * A span on its way through the page tables.
 *
 * @walk: what the caller asked for
 * @want: request bits that hold for every page; 0 if there are none
 * @mask: request bits that are taken from the array as well
 * @sparse: write one entry for each leaf
 * @first: where the page tables were entered
 * @fault_start: the first page to fault in
 * @fault_end: behind the last one
 * @fault_write: fault for write
 * @batch: how many pages of a page table to fault in before looking again
 */
struct hmm_walker {
	struct hmm_walk	*walk;
	unsigned long	want;
	unsigned long	mask;
	bool		sparse;
	unsigned long	first;
	unsigned long	fault_start;
	unsigned long	fault_end;
	bool		fault_write;
	unsigned int	batch;
};

/*
 * The array.
 */

static unsigned long *hmm_entries(const struct hmm_walker *walker,
				  unsigned long addr)
{
	const struct hmm_range *range = walker->walk->range;

	return &range->hmm_pfns[(addr - range->start) >> PAGE_SHIFT];
}

/* The pages of a leaf; a sparse array gets the first. */
static __always_inline void hmm_store_leaf(const struct hmm_walker *walker,
					   unsigned long addr,
					   unsigned long end, unsigned long new)
{
	unsigned long *entries = hmm_entries(walker, addr);

	if (walker->sparse)
		hmm_store(entries, new);
	else
		hmm_store_run(entries, new, (end - addr) >> PAGE_SHIFT);
}

/*
 * What is asked for.
 */

/* A snapshot asks for nothing, nor does a fault without HMM_PFN_REQ_FAULT. */
static void hmm_walker_requests(struct hmm_walker *walker)
{
	const struct hmm_range *range = walker->walk->range;

	walker->sparse = !range->notifier &&
			 range->tracking.flags & HMM_RANGE_SPARSE;
	if (!walker->walk->fault ||
	    !((range->default_flags | range->pfn_flags_mask) &
	      HMM_PFN_REQ_FAULT))
		return;
	walker->want = range->default_flags & HMM_PFN_REQ;
	walker->mask = range->pfn_flags_mask & HMM_PFN_REQ;
}

/* The bits that the output for this page must have; @entry is its input. */
static unsigned long hmm_want(const struct hmm_walker *walker,
			      unsigned long entry)
{
	unsigned long want = walker->want | (entry & walker->mask);

	return want & HMM_PFN_REQ_FAULT ? want : 0;
}

/* The first page of @n that @new does not satisfy; @n if there is none. */
static __always_inline unsigned long
hmm_first_unmet(const struct hmm_walker *walker, const unsigned long *entries,
		unsigned long n, unsigned long new)
{
	unsigned long i;

	if (!walker->mask)
		return walker->want & ~new ? 0 : n;
	for (i = 0; i < n; i++)
		if (hmm_want(walker, entries[i]) & ~new)
			break;
	return i;
}

/*
 * The vma.
 */

/*
 * Does the vma keep all of its pages from a device? Those with VM_IO or
 * VM_PFNMAP have no struct page, or none to be used; the pages of secretmem are
 * the process's alone. No architecture that HMM runs on can write to what it
 * cannot read.
 */
static bool hmm_vma_refuses(struct vm_area_struct *vma)
{
	return (vma->vm_flags & (VM_IO | VM_PFNMAP)) ||
	       !(vma->vm_flags & VM_READ) || vma_is_secretmem(vma);
}

/*
 * Only calls and returns of the CPU write to a shadow stack, although its
 * entries count as writable.
 */
static bool hmm_vma_may_write(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & VM_WRITE) && !(vma->vm_flags & VM_SHADOW_STACK);
}

/* The flags of a page of a mapping of 2^@order pages. */
static unsigned long hmm_page_flags(const struct vm_area_struct *vma,
				    bool write, unsigned int order)
{
	unsigned long flags = HMM_PFN_VALID;

	if (write && !(vma->vm_flags & VM_SHADOW_STACK))
		flags |= HMM_PFN_WRITE;
	return flags | (unsigned long)order << HMM_PFN_ORDER_SHIFT;
}

/*
 * Common to all levels.
 */

/* Was the range invalidated since its walk began? Lockless. */
static inline bool hmm_walk_invalidated(const struct hmm_walk *walk)
{
	const struct hmm_range *range = walk->range;

	if (range->notifier)
		return mmu_interval_check_retry(range->notifier,
						range->notifier_seq);
	return hmm_range_walk_invalidated(range);
}

/*
 * Runs before each part of a walk, which is what one PMD entry maps or a piece
 * of the same size. Between parts it looks around, so that no walk holds the
 * CPU, outlives its task or goes on in vain.
 */
static inline int hmm_walk_enter(const struct hmm_walker *walker,
				 unsigned long addr)
{
	walker->walk->last = addr;
	if (addr == walker->first)
		return 0;
	if (fatal_signal_pending(current))
		return -EINTR;
	if (hmm_walk_invalidated(walker->walk))
		return -EBUSY;
	cond_resched();
	return 0;
}

/*
 * The page at @addr is asked for by @want and its entry does not give that:
 * note the fault, or say why none would help. @may_copy: the entry is there, and
 * a fault for write may put another page in its place.
 */
static int hmm_walk_miss(struct hmm_walker *walker, struct vm_area_struct *vma,
			 unsigned long addr, unsigned long want,
			 unsigned long new, bool may_copy)
{
	const bool write = want & HMM_PFN_REQ_WRITE;

	if (!vma || hmm_vma_refuses(vma))
		return -EFAULT;
	if (write && !hmm_vma_may_write(vma))
		return -EPERM;
	if ((new & HMM_PFN_ERROR) && !(write && may_copy))
		return -EFAULT;
	walker->fault_start = addr;
	walker->fault_end = addr + PAGE_SIZE;
	walker->fault_write = write;
	return HMM_WALK_FAULT;
}

/*
 * Store the pages of [addr, end), a part for which one entry stands, or none.
 * @new is for the page at @addr.
 */
static int hmm_walk_part(struct hmm_walker *walker, struct vm_area_struct *vma,
			 unsigned long addr, unsigned long end,
			 unsigned long new, bool may_copy)
{
	unsigned long *entries = hmm_entries(walker, addr);
	unsigned long n = (end - addr) >> PAGE_SHIFT;
	unsigned long i;
	int err;

	err = hmm_walk_enter(walker, addr);
	if (err)
		return err;
	i = hmm_first_unmet(walker, entries, n, new);
	if (i != n)
		return hmm_walk_miss(walker, vma, addr + i * PAGE_SIZE,
				     hmm_want(walker, entries[i]), new,
				     may_copy);
	if (new & HMM_PFN_VALID)
		hmm_store_leaf(walker, addr, end, new);
	else if (walker->sparse)
		hmm_store_same_sparse(entries, new, addr, end);
	else
		hmm_store_same(entries, new, n);
	return 0;
}

/* The same for what may be larger: a PUD, a hugetlb page, a hole, a vma. */
static int hmm_walk_parts(struct hmm_walker *walker,
			  struct vm_area_struct *vma, unsigned long addr,
			  unsigned long end, unsigned long new, bool may_copy)
{
	unsigned long next;
	int err;

	do {
		next = pmd_addr_end(addr, end);
		err = hmm_walk_part(walker, vma, addr, next, new, may_copy);
		if (new & HMM_PFN_VALID)
			new += (next - addr) >> PAGE_SHIFT;
	} while (!err && (addr = next, addr != end));
	return err;
}

/* What to report for an entry that is neither present nor none. */
static unsigned long hmm_softleaf(softleaf_t leaf)
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

/*
 * What to report for a device private entry; 0 if its memory is not the
 * caller's. Holds the lock of the page table that the entry was read from.
 */
static unsigned long hmm_device_private(const struct hmm_walker *walker,
					const struct vm_area_struct *vma,
					softleaf_t leaf, unsigned int order)
{
	const struct page *page = softleaf_to_page(leaf);

	if (page_pgmap(page)->owner != walker->walk->range->dev_private_owner)
		return 0;
	return softleaf_to_pfn(leaf) |
	       hmm_page_flags(vma, softleaf_is_device_private_write(leaf),
			      order);
}

/*
 * What a run of plain leaves of one size has in common. Another leaf is of the
 * run if its entry differs from the first one by no more than the pfn and the
 * accessed bit.
 *
 * @base: the page table entry less its pfn and accessed bit
 * @flags: of the entries of the array
 * @highest: the highest pfn that has a memory map
 */
struct hmm_leaf_run {
	unsigned long	base;
	unsigned long	flags;
	unsigned long	highest;
};

/*
 * Which of the leaves of 2^@order pages that memory consists of does an entry
 * map? If the result is above that of the last one, the leaf is not of the run.
 * @bits are those of its entry but the accessed bit. They are not taken apart:
 * if subtracting the base leaves anything below the pfn or above it, some other
 * bit differs. Rotated, both are beyond any pfn that there is, and so is a pfn
 * without a memory map, which vm_normal_page() has to see.
 */
static __always_inline unsigned long
hmm_run_leaf(const struct hmm_leaf_run *run, unsigned long bits,
	     unsigned int order)
{
	return ror64(bits - run->base, PFN_PTE_SHIFT + order);
}

static __always_inline unsigned long
hmm_run_last(const struct hmm_leaf_run *run, unsigned int order)
{
	return run->highest >> order;
}

/*
 * PTEs.
 */

static __always_inline unsigned long hmm_pte_bits(pte_t *ptep)
{
	return pte_val(pte_mkold(ptep_get_lockless(ptep)));
}

/* What to report for a PTE, device private ones apart. */
static unsigned long hmm_pte(struct vm_area_struct *vma, unsigned long addr,
			     pte_t pte)
{
	unsigned long pfn = pte_pfn(pte);
	struct page *page;

	if (pte_none(pte))
		return 0;
	if (!pte_present(pte))
		return hmm_softleaf(softleaf_from_pte(pte));
	if (pte_protnone(pte))
		return 0;
	page = vm_normal_page(vma, addr, pte);
	if (page)
		pfn = page_to_pfn(page);
	else if (!is_zero_pfn(pfn))
		return HMM_PFN_ERROR;
	return pfn | hmm_page_flags(vma, pte_write(pte), 0);
}

/* Is it plain that there is a page, without vm_normal_page()? */
static bool hmm_pte_is_plain(const struct vm_area_struct *vma, pte_t pte)
{
	if (!pte_present(pte) || pte_protnone(pte) || pte_special(pte))
		return false;
	return IS_ENABLED(CONFIG_ARCH_HAS_PTE_SPECIAL) ||
	       !(vma->vm_flags & VM_MIXEDMAP);
}

/*
 * Store a block of PTEs, unless one of them is not of the run, or an entry of
 * the array has sticky bits.
 */
static __always_inline bool hmm_store_pte_block(const struct hmm_leaf_run *run,
						pte_t *ptep,
						unsigned long *entries)
{
	unsigned long new[HMM_PTES] __uninitialized, bits = 0;
	bool same = true;
	int k;

	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		new[k] = hmm_run_leaf(run, hmm_pte_bits(ptep + k), 0);
	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		if (unlikely(new[k] > hmm_run_last(run, 0)))
			return false;
	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		new[k] |= run->flags;
	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		same = same && hmm_peek(&entries[k]) == new[k];
	if (same)
		return true;
	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		bits |= READ_ONCE(entries[k]);
	if (unlikely(bits & HMM_PFN_STICKY))
		return false;
	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		WRITE_ONCE(entries[k], new[k]);
	return true;
}

/*
 * Store the PTEs that are of the run, and return how many of @n they are. This
 * is what a walk of small pages spends its time in.
 */
static noinline unsigned long hmm_store_ptes(const struct hmm_leaf_run *run,
					     pte_t *ptep,
					     unsigned long *entries,
					     unsigned long n)
{
	const struct hmm_leaf_run local = *run;
	unsigned long left = n, new;

	while (left >= HMM_PTES && hmm_store_pte_block(&local, ptep, entries)) {
		ptep += HMM_PTES;
		entries += HMM_PTES;
		left -= HMM_PTES;
	}
	for (; left; left--) {
		new = hmm_run_leaf(&local, hmm_pte_bits(ptep++), 0);
		if (new > hmm_run_last(&local, 0))
			break;
		hmm_store(entries++, new | local.flags);
	}
	return n - left;
}

/*
 * Store a run of plain PTEs. Returns how many of @n; 0 if the first one is not
 * plain, or not all that is asked for.
 */
static unsigned long hmm_walk_plain_ptes(const struct hmm_walker *walker,
					 const struct vm_area_struct *vma,
					 pte_t *ptep, unsigned long *entries,
					 unsigned long n)
{
	const pte_t pte = ptep_get_lockless(ptep);
	struct hmm_leaf_run run;

	if (!IS_ENABLED(CONFIG_64BIT) || !hmm_pte_is_plain(vma, pte))
		return 0;
	run.flags = hmm_page_flags(vma, pte_write(pte), 0);
	if (hmm_want(walker, *entries) & ~run.flags)
		return 0;
	run.base = (unsigned long)pte_val(pte_mkold(pte)) -
		   (pte_pfn(pte) << PFN_PTE_SHIFT);
	run.highest = highest_memmap_pfn;
	return hmm_store_ptes(&run, ptep, entries, walker->mask ? 1 : n);
}

/*
 * Store PTEs that are exactly like the first one and report the same: holes,
 * markers, the zero page. Returns how many of @n were stored, at least one.
 */
static unsigned long hmm_walk_equal_ptes(const struct hmm_walker *walker,
					 pte_t pte, pte_t *ptep,
					 unsigned long *entries,
					 unsigned long n, unsigned long new)
{
	unsigned long i = 0;

	if (walker->mask ||
	    (pte_present(pte) && !is_zero_pfn(pte_pfn(pte))))
		n = 1;
	do {
		hmm_store(&entries[i], new);
	} while (++i < n && pte_same(ptep_get_lockless(ptep + i), pte));
	return i;
}

/*
 * What a run of device private PTEs has in common: all but the pfn, and the
 * pgmap that it lies in. As with plain PTEs they are told by arithmetic: on each
 * architecture that has such memory, the offset of a swap entry is one field of
 * the PTE, though some store its complement.
 *
 * @base: the PTE less its pfn
 * @invert: what makes the value of a PTE grow with its pfn
 * @shift: where the pfn starts
 * @flags: of the entries; 0 if the memory is not the caller's
 * @pfn: the first pfn of the pgmap's memory
 * @npfns: and how many there are
 */
struct hmm_private_run {
	unsigned long	base;
	unsigned long	invert;
	unsigned int	shift;
	unsigned long	flags;
	unsigned long	pfn;
	unsigned long	npfns;
};

/* Start a run with a PTE, whose page table is locked. */
static void hmm_private_run(struct hmm_private_run *run,
			    const struct hmm_walker *walker,
			    const struct vm_area_struct *vma, pte_t pte)
{
	const softleaf_t leaf = softleaf_from_pte(pte);
	const struct dev_pagemap *pgmap = page_pgmap(softleaf_to_page(leaf));
	const unsigned long new = hmm_device_private(walker, vma, leaf, 0);
	const unsigned long pfn = softleaf_to_pfn(leaf);
	const long step = pte_val(pte_next_swp_offset(pte)) - pte_val(pte);
	int i;

	run->invert = step < 0 ? ~0UL : 0;
	run->shift = __ffs(step);
	run->base = (pte_val(pte) ^ run->invert) - (pfn << run->shift);
	run->flags = new & HMM_PFN_FLAGS;
	for (i = 0; i < pgmap->nr_range; i++) {
		run->pfn = PHYS_PFN(pgmap->ranges[i].start);
		run->npfns = PHYS_PFN(range_len(&pgmap->ranges[i]));
		if (pfn - run->pfn < run->npfns)
			break;
	}
}

static __always_inline bool hmm_store_private(const struct hmm_private_run *run,
					      pte_t pte, unsigned long *entry)
{
	unsigned long pfn = (pte_val(pte) ^ run->invert) - run->base;

	pfn = ror64(pfn, run->shift);
	if (pfn - run->pfn >= run->npfns)
		return false;
	hmm_store(entry, run->flags ? pfn | run->flags : 0);
	return true;
}

/*
 * Store device private pages under the lock of the page table. Returns how many
 * from @addr on were stored; 0 if there is none, or it is not all that is asked
 * for.
 */
static unsigned long hmm_walk_private_ptes(const struct hmm_walker *walker,
					   struct vm_area_struct *vma,
					   pmd_t *pmdp, unsigned long addr,
					   unsigned long n)
{
	unsigned long i = 0, *entries = hmm_entries(walker, addr);
	spinlock_t *ptl; /* of the page table */
	struct hmm_private_run run;
	pte_t *ptep, pte;

	ptep = pte_offset_map_lock(vma->vm_mm, pmdp, addr, &ptl);
	if (!ptep)
		return 0;
	pte = ptep_get(ptep);
	if (softleaf_is_device_private(softleaf_from_pte(pte))) {
		hmm_private_run(&run, walker, vma, pte);
		if (walker->mask)
			n = 1;
		if (!(hmm_want(walker, *entries) & ~run.flags))
			while (i < n && hmm_store_private(&run,
							  ptep_get(ptep + i),
							  entries + i))
				i++;
	}
	pte_unmap_unlock(ptep, ptl);
	return i;
}

static bool hmm_pte_is_readonly(pte_t pte)
{
	return pte_present(pte) && !pte_write(pte);
}

/* How many of @n PTEs from the start are none? */
static unsigned long hmm_none_ptes(pte_t *ptep, unsigned long n)
{
	unsigned long i = 0;
	int k;

	for (; i + HMM_PTES <= n; i += HMM_PTES) {
		unrolled_full
		for (k = 0; k < HMM_PTES; k++)
			if (!pte_none(ptep_get_lockless(ptep + i + k)))
				return i + k;
	}
	while (i < n && pte_none(ptep_get_lockless(ptep + i)))
		i++;
	return i;
}

/*
 * The PTE is missed, @want says for what. How many of the @n pages from there on
 * does the same fault help? Only those that are sure to need it, and no more
 * than a batch: a fault may map more than its page, and then the others need
 * none.
 */
static unsigned long hmm_pte_miss_run(const struct hmm_walker *walker,
				      pte_t pte, pte_t *ptep,
				      const unsigned long *entries,
				      unsigned long n, unsigned long want)
{
	unsigned long i;

	n = min_t(unsigned long, n, walker->batch);
	if (walker->mask)
		for (i = 1; i < n; i++)
			if (hmm_want(walker, entries[i]) != want)
				n = i;
	if (pte_none(pte))
		return max(1UL, hmm_none_ptes(ptep, n));
	if (!pte_present(pte) || !(want & HMM_PFN_REQ_WRITE))
		return 1;
	for (i = 1; i < n; i++)
		if (!hmm_pte_is_readonly(ptep_get_lockless(ptep + i)))
			break;
	return i;
}

/*
 * Faults in a page table come in batches, because each look at what they did
 * costs another walk. If the last batch made present what it was to and
 * no more, the next one may be larger.
 */
static int hmm_walk_pte_miss(struct hmm_walker *walker,
			     struct vm_area_struct *vma, unsigned long addr,
			     pte_t pte, pte_t *ptep, unsigned long n,
			     unsigned long new)
{
	const unsigned long *entries = hmm_entries(walker, addr);
	const unsigned long want = hmm_want(walker, *entries);
	const bool went_on = addr == walker->fault_end;
	int err;

	err = hmm_walk_miss(walker, vma, addr, want, new,
			    hmm_pte_is_readonly(pte));
	if (err != HMM_WALK_FAULT)
		return err;
	walker->batch = went_on ? min(walker->batch * 8, PTRS_PER_PTE) : 1;
	walker->fault_end = addr + PAGE_SIZE *
		hmm_pte_miss_run(walker, pte, ptep, entries, n, want);
	return err;
}

/* Walk the first of @n PTEs, and those that are like it. */
static int hmm_walk_other_ptes(struct hmm_walker *walker,
			       struct vm_area_struct *vma, pmd_t *pmdp,
			       unsigned long addr, pte_t *ptep,
			       unsigned long n, unsigned long *done)
{
	unsigned long *entries = hmm_entries(walker, addr);
	const pte_t pte = ptep_get_lockless(ptep);
	unsigned long new;

	if (!pte_present(pte) &&
	    softleaf_is_device_private(softleaf_from_pte(pte))) {
		*done = hmm_walk_private_ptes(walker, vma, pmdp, addr, n);
		if (*done)
			return 0;
	}
	new = hmm_pte(vma, addr, pte);
	if (hmm_want(walker, *entries) & ~new)
		return hmm_walk_pte_miss(walker, vma, addr, pte, ptep, n, new);
	*done = hmm_walk_equal_ptes(walker, pte, ptep, entries, n, new);
	return 0;
}

static noinline int hmm_walk_ptes(struct hmm_walker *walker,
				  struct vm_area_struct *vma, pmd_t *pmdp,
				  unsigned long addr, unsigned long end)
{
	unsigned long n, done;
	pte_t *table, *ptep;
	int err = 0;

	table = pte_offset_map(pmdp, addr);
	if (!table)
		return HMM_WALK_AGAIN;
	for (ptep = table; addr != end; ptep += done) {
		n = (end - addr) >> PAGE_SHIFT;
		done = hmm_walk_plain_ptes(walker, vma, ptep,
					   hmm_entries(walker, addr), n);
		if (!done) {
			err = hmm_walk_other_ptes(walker, vma, pmdp, addr,
						  ptep, n, &done);
			if (err)
				break;
		}
		addr += done * PAGE_SIZE;
	}
	pte_unmap(table);
	walker->walk->last = addr;
	return err;
}

/*
 * Faults.
 */

/*
 * A fault did not simply succeed. If it dropped the lock, the caller has to
 * know, and the vma may be gone.
 */
static int hmm_fault_result(const struct hmm_walk *walk, vm_fault_t fault)
{
	int err;

	if (fault & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)) {
		/* A handler must keep the lock unless it is allowed to. */
		if (WARN_ON_ONCE(!walk->locked))
			return -EFAULT;
		*walk->locked = 0;
		return fatal_signal_pending(current) ? -EINTR : -EBUSY;
	}
	err = vm_fault_to_errno(fault, 0);
	return WARN_ON_ONCE(!err) ? -EFAULT : err;
}

/*
 * Fault in what the walk noted, as a remote access. Then the walk may go on at
 * @walk->last.
 */
static int hmm_walk_fault(struct hmm_walker *walker, struct vm_area_struct *vma)
{
	const struct hmm_walk *walk = walker->walk;
	unsigned int flags = FAULT_FLAG_REMOTE;
	unsigned long addr;
	vm_fault_t fault;

	if (walker->fault_write)
		flags |= FAULT_FLAG_WRITE;
	if (walk->locked)
		flags |= FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;
	if (walk->vma)
		flags |= FAULT_FLAG_VMA_LOCK;

	for (addr = walker->fault_start; addr != walker->fault_end;
	     addr += PAGE_SIZE) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		fault = handle_mm_fault(vma, addr, flags, NULL);
		if (unlikely(fault & (VM_FAULT_ERROR | VM_FAULT_RETRY |
				      VM_FAULT_COMPLETED)))
			return hmm_fault_result(walk, fault);
	}
	if (hmm_walk_invalidated(walk))
		return -EBUSY;
	walker->first = walk->last;
	return 0;
}

/*
 * Above the PTEs.
 */

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/* As for a PTE: is it plain that there is a page? */
static bool hmm_pmd_is_plain(pmd_t pmd)
{
	return IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) &&
	       !pmd_special(pmd) && pmd_pfn(pmd) <= highest_memmap_pfn;
}

static unsigned long hmm_pmd(struct vm_area_struct *vma, unsigned long addr,
			     pmd_t pmd)
{
	if (pmd_protnone(pmd))
		return 0;
	if (!hmm_pmd_is_plain(pmd) && !vm_normal_page_pmd(vma, addr, pmd) &&
	    !is_huge_zero_pmd(pmd))
		return HMM_PFN_ERROR;
	return (pmd_pfn(pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT)) |
	       hmm_page_flags(vma, pmd_write(pmd), PMD_SHIFT - PAGE_SHIFT);
}

/* A PMD that is neither none nor present: migrating, or device private. */
static unsigned long hmm_absent_pmd(const struct hmm_walker *walker,
				    struct vm_area_struct *vma,
				    unsigned long addr, pmd_t *pmdp, pmd_t pmd)
{
	const softleaf_t leaf = softleaf_from_pmd(pmd);
	unsigned long new = hmm_softleaf(leaf);
	spinlock_t *ptl; /* of the PMD */

	if (!softleaf_is_device_private(leaf))
		return new;
	ptl = pmd_lock(vma->vm_mm, pmdp);
	if (pmd_same(pmdp_get(pmdp), pmd))
		new = hmm_device_private(walker, vma, leaf,
					 PMD_SHIFT - PAGE_SHIFT);
	spin_unlock(ptl);
	if (new)
		new += (addr & ~PMD_MASK) >> PAGE_SHIFT;
	return new;
}

static int hmm_walk_huge_pmd(struct hmm_walker *walker,
			     struct vm_area_struct *vma, pmd_t *pmdp,
			     pmd_t pmd, unsigned long addr, unsigned long end)
{
	unsigned long new;
	bool may_copy;

	if (pmd_present(pmd))
		new = hmm_pmd(vma, addr, pmd);
	else
		new = hmm_absent_pmd(walker, vma, addr, pmdp, pmd);
	may_copy = pmd_present(pmd) && (new & HMM_PFN_ERROR) && !pmd_write(pmd);
	return hmm_walk_parts(walker, vma, addr, end, new, may_copy);
}

static __always_inline unsigned long hmm_pmd_bits(pmd_t *pmdp)
{
	return pmd_val(pmd_mkold(pmdp_get_lockless(pmdp)));
}

/*
 * Store a run of plain huge PMDs, and step @pmdp and @addr over them; over none
 * if the first one is not plain, or not all that is asked for.
 */
static int hmm_walk_plain_pmds(struct hmm_walker *walker,
			       struct vm_area_struct *vma, pmd_t **pmdp,
			       unsigned long *addr, unsigned long end)
{
	const pmd_t pmd = pmdp_get_lockless(*pmdp);
	struct hmm_leaf_run run;
	unsigned long at, next, new;
	int err;

	if (!IS_ENABLED(CONFIG_64BIT) || walker->mask || !pmd_present(pmd) ||
	    !pmd_trans_huge(pmd) || pmd_protnone(pmd) || !hmm_pmd_is_plain(pmd))
		return 0;
	run.flags = hmm_page_flags(vma, pmd_write(pmd), PMD_ORDER);
	if (walker->want & ~run.flags)
		return 0;
	run.base = (unsigned long)pmd_val(pmd_mkold(pmd)) -
		   (pmd_pfn(pmd) << PFN_PTE_SHIFT);
	run.highest = highest_memmap_pfn;
	for (at = *addr; at != end; at = next, (*pmdp)++) {
		new = hmm_run_leaf(&run, hmm_pmd_bits(*pmdp), PMD_ORDER);
		if (new > hmm_run_last(&run, PMD_ORDER))
			break;
		err = hmm_walk_enter(walker, at);
		if (err)
			return err;
		new = (new << PMD_ORDER) + ((at & ~PMD_MASK) >> PAGE_SHIFT);
		next = pmd_addr_end(at, end);
		hmm_store_leaf(walker, at, next, new | run.flags);
	}
	*addr = at;
	return 0;
}
#else
static int hmm_walk_huge_pmd(struct hmm_walker *walker,
			     struct vm_area_struct *vma, pmd_t *pmdp,
			     pmd_t pmd, unsigned long addr, unsigned long end)
{
	return hmm_walk_parts(walker, vma, addr, end, HMM_PFN_ERROR, false);
}

static int hmm_walk_plain_pmds(struct hmm_walker *walker,
			       struct vm_area_struct *vma, pmd_t **pmdp,
			       unsigned long *addr, unsigned long end)
{
	return 0;
}
#endif /* CONFIG_TRANSPARENT_HUGEPAGE */

static int hmm_walk_pmd(struct hmm_walker *walker, struct vm_area_struct *vma,
			pmd_t *pmdp, unsigned long addr, unsigned long end)
{
	const pmd_t pmd = pmdp_get_lockless(pmdp);
	int err;

	if (pmd_none(pmd))
		return hmm_walk_parts(walker, vma, addr, end, 0, false);
	if (!pmd_present(pmd) || pmd_trans_huge(pmd))
		return hmm_walk_huge_pmd(walker, vma, pmdp, pmd, addr, end);
	if (pmd_bad(pmd))
		return hmm_walk_parts(walker, vma, addr, end, HMM_PFN_ERROR,
				      false);
	err = hmm_walk_enter(walker, addr);
	if (err)
		return err;
	return hmm_walk_ptes(walker, vma, pmdp, addr, end);
}

static int hmm_walk_pmds(struct hmm_walker *walker, struct vm_area_struct *vma,
			 pmd_t *pmdp, unsigned long addr, unsigned long end)
{
	unsigned long next;
	int err;

	while (addr != end) {
		err = hmm_walk_plain_pmds(walker, vma, &pmdp, &addr, end);
		if (err || addr == end)
			return err;
		next = pmd_addr_end(addr, end);
		err = hmm_walk_pmd(walker, vma, pmdp, addr, next);
		if (err == HMM_WALK_AGAIN)
			continue;
		if (err)
			return err;
		pmdp++;
		addr = next;
	}
	return 0;
}

#ifdef CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD
static int hmm_walk_huge_pud(struct hmm_walker *walker,
			     struct vm_area_struct *vma, pud_t pud,
			     unsigned long addr, unsigned long end)
{
	unsigned long new = HMM_PFN_ERROR;

	if (vm_normal_page_pud(vma, addr, pud))
		new = (pud_pfn(pud) + ((addr & ~PUD_MASK) >> PAGE_SHIFT)) |
		      hmm_page_flags(vma, pud_write(pud),
				     PUD_SHIFT - PAGE_SHIFT);
	return hmm_walk_parts(walker, vma, addr, end, new, !pud_write(pud));
}
#else
static int hmm_walk_huge_pud(struct hmm_walker *walker,
			     struct vm_area_struct *vma, pud_t pud,
			     unsigned long addr, unsigned long end)
{
	return hmm_walk_parts(walker, vma, addr, end, HMM_PFN_ERROR, false);
}
#endif /* CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD */

/* A table of PMDs stays, so it is enough that the entry is one when read. */
static int hmm_walk_pud(struct hmm_walker *walker, struct vm_area_struct *vma,
			pud_t *pudp, unsigned long addr, unsigned long end)
{
	const pud_t pud = pudp_get(pudp);

	if (pud_none(pud))
		return hmm_walk_parts(walker, vma, addr, end, 0, false);
	if (pud_trans_huge(pud))
		return hmm_walk_huge_pud(walker, vma, pud, addr, end);
	if (!pud_present(pud) || pud_leaf(pud) || pud_bad(pud))
		return hmm_walk_parts(walker, vma, addr, end, HMM_PFN_ERROR,
				      false);
	return hmm_walk_pmds(walker, vma, pmd_offset(pudp, addr), addr, end);
}

/* The PUD of an address; NULL if there is no table of them. */
static pud_t *hmm_find_pud(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgdp = pgd_offset(mm, addr);
	p4d_t *p4dp;

	if (pgd_none_or_clear_bad(pgdp))
		return NULL;
	p4dp = p4d_offset(pgdp, addr);
	if (p4d_none_or_clear_bad(p4dp))
		return NULL;
	return pud_offset(p4dp, addr);
}

static int hmm_walk_puds(struct hmm_walker *walker, struct vm_area_struct *vma,
			 unsigned long addr, unsigned long end)
{
	unsigned long next;
	pud_t *pudp;
	int err;

	for (; addr != end; addr = next) {
		next = pud_addr_end(addr, end);
		pudp = hmm_find_pud(vma->vm_mm, addr);
		if (pudp)
			err = hmm_walk_pud(walker, vma, pudp, addr, next);
		else
			err = hmm_walk_parts(walker, vma, addr, next, 0, false);
		if (err)
			return err;
	}
	return 0;
}

#ifdef CONFIG_HUGETLB_PAGE
static unsigned long hmm_hugetlb(struct vm_area_struct *vma,
				 unsigned long addr, pte_t *ptep)
{
	struct hstate *h = hstate_vma(vma);
	spinlock_t *ptl = huge_pte_lock(h, vma->vm_mm, ptep);
	const pte_t pte = huge_ptep_get(vma->vm_mm, addr, ptep);

	spin_unlock(ptl);
	if (huge_pte_none(pte))
		return 0;
	if (!pte_present(pte))
		return hmm_softleaf(softleaf_from_pte(pte));
	if (pte_protnone(pte))
		return 0;
	return pte_pfn(pte) | hmm_page_flags(vma, huge_pte_write(pte),
					     huge_page_order(h));
}

/* The lock of hugetlb for the vma keeps the page table, and ends before a fault. */
static int hmm_walk_hugetlb(struct hmm_walker *walker,
			    struct vm_area_struct *vma, unsigned long addr,
			    unsigned long end)
{
	struct hstate *h = hstate_vma(vma);
	unsigned long base, next, new;
	pte_t *ptep;
	int err = 0;

	hugetlb_vma_lock_read(vma);
	for (; addr != end && !err; addr = next) {
		base = addr & huge_page_mask(h);
		next = min(base + huge_page_size(h), end);
		ptep = hugetlb_walk(vma, base, huge_page_size(h));
		new = ptep ? hmm_hugetlb(vma, base, ptep) : 0;
		if (new & HMM_PFN_VALID)
			new += (addr - base) >> PAGE_SHIFT;
		err = hmm_walk_parts(walker, vma, addr, next, new, false);
	}
	hugetlb_vma_unlock_read(vma);
	return err;
}
#else
static int hmm_walk_hugetlb(struct hmm_walker *walker,
			    struct vm_area_struct *vma, unsigned long addr,
			    unsigned long end)
{
	return -EFAULT;
}
#endif /* CONFIG_HUGETLB_PAGE */

/*
 * Walk what lies in one vma. It stays where it is as long as the lock is held,
 * so after a fault that keeps the lock the walk goes on in it.
 */
static int hmm_walk_vma(struct hmm_walker *walker, struct vm_area_struct *vma,
			unsigned long start, unsigned long end)
{
	int err;

	if (hmm_vma_refuses(vma))
		return hmm_walk_parts(walker, vma, start, end, HMM_PFN_ERROR,
				      false);
	for (;;) {
		if (is_vm_hugetlb_page(vma))
			err = hmm_walk_hugetlb(walker, vma, start, end);
		else
			err = hmm_walk_puds(walker, vma, start, end);
		if (err != HMM_WALK_FAULT)
			return err;
		err = hmm_walk_fault(walker, vma);
		if (err)
			return err;
		start = walker->walk->last;
	}
}

/* Walk all vmas of the part, and what lies between them. */
static noinline int hmm_walk_vmas(struct hmm_walker *walker,
				  unsigned long start, unsigned long end)
{
	VMA_ITERATOR(vmi, walker->walk->mm, start);
	struct vm_area_struct *vma;
	unsigned long addr = start;
	int err;

	for_each_vma_range(vmi, vma, end) {
		if (addr < vma->vm_start) {
			err = hmm_walk_parts(walker, NULL, addr, vma->vm_start,
					     HMM_PFN_ERROR, false);
			if (err)
				return err;
			addr = vma->vm_start;
		}
		err = hmm_walk_vma(walker, vma, addr, min(end, vma->vm_end));
		if (err)
			return err;
		addr = vma->vm_end;
	}
	if (addr < end)
		return hmm_walk_parts(walker, NULL, addr, end, HMM_PFN_ERROR,
				      false);
	return 0;
}

/**
 * hmm_walk_span() - store what is mapped at a part of a range
 * @walk: the range, its mm, and whether to fault in what is asked for
 * @start: first virtual address, page aligned, in the range
 * @end: first virtual address behind the part, page aligned
 *
 * The array holds output below @walk->last, and from there on its input.
 *
 * Context: Process context, may sleep. The caller holds the mmap lock of
 * @walk->mm, for read or write, or the lock of @walk->vma for read. It is held
 * on return too, unless *@walk->locked was cleared. A snapshot (@walk->fault is
 * false) does not fault and does not wait for I/O or for migration.
 *
 * Return:
 * * 0 - all of the part is stored
 * * -EBUSY - the range was invalidated, or a fault dropped the lock
 *   (*@walk->locked is 0)
 * * -EINVAL - the part is empty: a range with an interval notifier may be
 * * -EFAULT - a page was asked for and there is no vma, the vma or the entry
 *   cannot be used, or the fault failed
 * * -EPERM - a page was asked for to write, and the vma does not allow that
 * * -ENOMEM - a fault ran out of memory
 * * -EINTR - a fatal signal is pending (*@walk->locked may be 0)
 */
int hmm_walk_span(struct hmm_walk *walk, unsigned long start,
		  unsigned long end)
{
	struct hmm_walker walker = {
		.walk	= walk,
		.first	= start,
		.batch	= 1,
	};

	walk->last = start;
	if (hmm_walk_invalidated(walk))
		return -EBUSY;
	if (start >= end)
		return -EINVAL;
	hmm_walker_requests(&walker);
	if (walk->vma)
		return hmm_walk_vma(&walker, walk->vma, start, end);
	return hmm_walk_vmas(&walker, start, end);
}
