// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copyright 2013 Red Hat Inc.
 *
 * Authors: Jérôme Glisse <jglisse@redhat.com>
 *
 * HMM: read the page tables of a range into its array, and fault in what is
 * asked for and missing.
 *
 * A walk goes through the page tables in address order and stores what each leaf
 * becomes, see mm/hmm_leaf.h. At the first page that is required and whose entry
 * does not satisfy the request, it notes which pages to fault in and leaves what
 * it has locked or mapped of the page tables: the fault runs with the lock of
 * the caller and nothing else. Then the walk goes on at the first page that is not
 * stored yet, and sees for itself what the fault did.
 *
 * Page table entries are read without their lock, and all that is stored of one
 * comes from one read. It may be out of date by the time that it is stored;
 * whoever changes an entry has invalidated the range before, and the part of it
 * that the walk has claimed is read again. The lock is taken for hugetlb, where
 * several entries may make a page, and where a struct page has to be looked
 * into, which is to find the owner of device private memory.
 *
 * See mm/hmm_array.h for how entries are written.
 */
#include <linux/bitops.h>
#include <linux/hmm.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/signal.h>
#include <linux/unroll.h>

#include "hmm_array.h"
#include "hmm_internal.h"
#include "hmm_leaf.h"

/* How often a page is faulted in before the call gives up on it. */
#define HMM_FAULT_TRIES	4

#define HMM_PFN_REQ	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

/* How many PTEs are looked at in one turn of a loop. */
#define HMM_PTES	4

/* What is next, as a level of the page table tells the one above. */
enum hmm_step {
	HMM_NEXT,	/* all is stored: what is behind it */
	HMM_AGAIN,	/* the page table below has gone: the same entry */
	HMM_FAULT,	/* leave the page table for the fault that is noted */
	HMM_STOP,	/* leave it for good, because of @walk->err */
};

static enum hmm_step hmm_stop(struct hmm_walk *walk, int err)
{
	walk->err = err;
	return HMM_STOP;
}

/*
 * The array.
 */

static unsigned long *hmm_entries(const struct hmm_walk *walk,
				  unsigned long addr)
{
	return &walk->range->hmm_pfns[(addr - walk->first) >> PAGE_SHIFT];
}

/* The pages of a leaf; a sparse array gets the first. */
static void hmm_store_leaf(const struct hmm_walk *walk, unsigned long addr,
			   unsigned long end, unsigned long new)
{
	unsigned long *entries = hmm_entries(walk, addr);
	unsigned long nr = (end - addr) >> PAGE_SHIFT;

	if (new & HMM_PFN_VALID) {
		if (walk->sparse)
			hmm_store(entries, new);
		else
			hmm_store_leaf_pages(entries, new, nr);
	} else if (walk->sparse) {
		hmm_store_same_sparse(entries, new, addr, end);
	} else {
		hmm_store_same(entries, new, nr);
	}
}

/*
 * What is asked for.
 */

/* A snapshot asks for nothing, nor does a fault without HMM_PFN_REQ_FAULT. */
static void hmm_walk_requests(struct hmm_walk *walk)
{
	const struct hmm_range *range = walk->range;

	if (!walk->fault ||
	    !((range->default_flags | range->pfn_flags_mask) &
	      HMM_PFN_REQ_FAULT))
		return;
	walk->required = range->default_flags & HMM_PFN_REQ;
	walk->mask = range->pfn_flags_mask & HMM_PFN_REQ;
}

/* The inputs are those of struct hmm_walk; @range is registered or legacy. */
void hmm_walk_init(struct hmm_walk *walk, struct hmm_range *range,
		   struct vm_area_struct *vma, int *locked, bool fault)
{
	/* The notes are most of it, and are written before they are read. */
	memset(walk, 0, offsetof(struct hmm_walk, todo));
	walk->range = range;
	walk->mm = range->notifier ? range->notifier->mm : range->tracking.mm;
	walk->vma = vma;
	walk->locked = locked;
	walk->fault = fault;
	walk->first = PAGE_ALIGN_DOWN(range->start);
	walk->sparse = !range->notifier &&
		       range->tracking.flags & HMM_RANGE_SPARSE;
	walk->batch = 1;
	/* No page is at this address. */
	walk->fault_start = ULONG_MAX;
	hmm_walk_requests(walk);
}

/* The bits that the output for this page must have; @entry is its input. */
static unsigned long hmm_required(const struct hmm_walk *walk,
				  unsigned long entry)
{
	unsigned long required = walk->required | (entry & walk->mask);

	return required & HMM_PFN_REQ_FAULT ? required : 0;
}

/* The first of @nr pages that @new does not satisfy; @nr if there is none. */
static unsigned long hmm_first_unmet(const struct hmm_walk *walk,
				     const unsigned long *entries,
				     unsigned long nr, unsigned long new)
{
	unsigned long i;

	if (!walk->mask)
		return hmm_required(walk, 0) & ~new ? 0 : nr;
	for (i = 0; i < nr; i++)
		if (hmm_required(walk, entries[i]) & ~new)
			break;
	return i;
}

/*
 * Drivers with an interval notifier are told of an own device private page that
 * may not be written to, also if they ask to write: migrate_to_ram() of amdgpu
 * does nothing for a fault of its own, so it would be repeated to no end.
 */
static bool hmm_settles_for_readonly(const struct hmm_walk *walk)
{
	return walk->range->notifier;
}

/*
 * Common to all levels.
 */

/*
 * Called between PMD entries, or parts as large of something larger, and between
 * vmas: check for signals and reschedule.
 */
static __always_inline enum hmm_step hmm_walk_pause(struct hmm_walk *walk)
{
	if (fatal_signal_pending(current))
		return hmm_stop(walk, -EINTR);
	cond_resched();
	return HMM_NEXT;
}

/*
 * The page at @addr is required and its entry does not satisfy that: note the
 * fault, or say why none would help. @may_copy: the entry is there, and a fault
 * for write may put another page in its place.
 */
static enum hmm_step hmm_walk_miss(struct hmm_walk *walk,
				   struct vm_area_struct *vma,
				   unsigned long addr, unsigned long required,
				   unsigned long new, bool may_copy)
{
	const bool write = required & HMM_PFN_REQ_WRITE;

	if (!vma || hmm_vma_refuses(vma))
		return hmm_stop(walk, -EFAULT);
	if (write && !hmm_vma_may_write(vma))
		return hmm_stop(walk, -EPERM);
	if ((new & HMM_PFN_ERROR) && !(write && may_copy))
		return hmm_stop(walk, -EFAULT);

	walk->tries = addr == walk->fault_start ? walk->tries + 1 : 0;
	if (walk->tries == HMM_FAULT_TRIES) {
		walk->stuck = true;
		return hmm_stop(walk, -EBUSY);
	}
	walk->fault_start = addr;
	walk->fault_end = addr + PAGE_SIZE;
	walk->fault_write = write;
	return HMM_FAULT;
}

/*
 * Store the pages of [addr, end), for which one leaf stands, or none. @new is
 * for the page at @addr.
 */
static enum hmm_step hmm_walk_leaf(struct hmm_walk *walk,
				   struct vm_area_struct *vma,
				   unsigned long addr, unsigned long end,
				   unsigned long new, bool may_copy)
{
	unsigned long *entries = hmm_entries(walk, addr);
	unsigned long nr = (end - addr) >> PAGE_SHIFT;
	unsigned long i;

	i = hmm_first_unmet(walk, entries, nr, new);
	if (i != nr)
		return hmm_walk_miss(walk, vma, addr + i * PAGE_SIZE,
				     hmm_required(walk, entries[i]), new,
				     may_copy);
	hmm_store_leaf(walk, addr, end, new);
	walk->extent.start = end;
	return HMM_NEXT;
}

/* The same for what may be larger: a PUD, a hugetlb page, a hole, a vma. */
static enum hmm_step hmm_walk_leaves(struct hmm_walk *walk,
				     struct vm_area_struct *vma,
				     unsigned long addr, unsigned long end,
				     unsigned long new, bool may_copy)
{
	enum hmm_step step;
	unsigned long next;

	for (;; addr = next) {
		next = pmd_addr_end(addr, end);
		step = hmm_walk_leaf(walk, vma, addr, next, new, may_copy);
		if (step != HMM_NEXT || next == end)
			return step;
		if (new & HMM_PFN_VALID)
			new += (next - addr) >> PAGE_SHIFT;
		step = hmm_walk_pause(walk);
		if (step != HMM_NEXT)
			return step;
	}
}

/*
 * PTEs of a known kind.
 *
 * Most PTEs of a page table differ by their pfn and accessed bit alone, or are
 * equal. Decoding a PTE by pte_present() and the rest costs 35 instructions on
 * x86-64, comparing it with one that was decoded before costs 16.
 * Two kinds, so that two may alternate: writable and read-only pages, pages and
 * holes.
 *
 * A difference outside the pfn field becomes a very high bit after the rotate,
 * so one compare rejects it, and a pfn without a memory map too. That needs a
 * limit that is no higher than the first flag above the field.
 *
 * @base: a PTE of the kind, less the pfn and the accessed bit; or a whole one
 * @limit: the pfns that the kind has; 1 for a whole PTE, 0 for no kind at all
 * @entry: what it becomes, less the pfn if that is not in @base
 */
struct hmm_pte_kind {
	unsigned long	base;
	unsigned long	limit;
	unsigned long	entry;
};

/*
 * The page table formats that are tested, with the lowest flag above the pfn.
 * arm64 has no names for these: its guarded page bit is bit 50, and what of a
 * pfn lies below PAGE_SHIFT or above bit 49 is not arithmetic.
 */
#if defined(CONFIG_X86_64)
#define HMM_PTE_KINDS		2
#define HMM_PTE_FLAGS_SHIFT	52
#elif defined(CONFIG_ARM64)
#define HMM_PTE_KINDS		2
#define HMM_PTE_FLAGS_SHIFT	50
#else
#define HMM_PTE_KINDS		0
#endif

#if HMM_PTE_KINDS
/*
 * The accessed and dirty bits of the other PTEs of a contiguous block do not
 * matter, so ptep_get_lockless(), which gathers them, is not needed.
 */
static __always_inline unsigned long hmm_pte_bits(pte_t pte)
{
	return pte_val(pte_mkold(pte));
}

static __always_inline unsigned long
hmm_pte_kind_pfn(const struct hmm_pte_kind *kind, unsigned long bits)
{
	return ror64(bits - kind->base, PAGE_SHIFT);
}

/*
 * What a PTE of a known kind becomes; false: it is of none. *@same: how many in
 * a row have been of the first kind.
 */
static __always_inline bool
hmm_pte_is_known(const struct hmm_pte_kind *kinds, pte_t *ptep,
		 unsigned long *new, unsigned int *same)
{
	unsigned long bits = hmm_pte_bits(READ_ONCE(*ptep));
	unsigned long pfn = hmm_pte_kind_pfn(&kinds[0], bits);

	if (likely(pfn < kinds[0].limit)) {
		*new = pfn | kinds[0].entry;
		(*same)++;
		return true;
	}
	*same = 0;
	pfn = hmm_pte_kind_pfn(&kinds[1], bits);
	*new = pfn | kinds[1].entry;
	return pfn < kinds[1].limit;
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
		new[k] = hmm_pte_kind_pfn(kind, hmm_pte_bits(READ_ONCE(ptep[k])));
	unrolled_full
	for (k = 0; k < HMM_PTES; k++)
		if (unlikely(new[k] >= kind->limit))
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

/* Remember the kind of @pte, which becomes @new and satisfies what is required. */
static void hmm_learn_kind(struct hmm_pte_kind *kinds,
			   const struct vm_area_struct *vma, pte_t pte,
			   unsigned long new)
{
	const unsigned long bits = hmm_pte_bits(pte);
	struct hmm_pte_kind kind = { .base = bits, .limit = 1, .entry = new };

	if (pte_present(pte) && hmm_pte_is_plain(vma, pte)) {
		/* The pfn field must start at PAGE_SHIFT. */
		if (pte_val(pte_advance_pfn(pte, 1)) - pte_val(pte) != PAGE_SIZE)
			return;
		kind.base = bits - (pte_pfn(pte) << PAGE_SHIFT);
		kind.limit = min(highest_memmap_pfn + 1,
				 BIT(HMM_PTE_FLAGS_SHIFT - PAGE_SHIFT));
		if (pte_pfn(pte) >= kind.limit)
			return;
		kind.entry = new & HMM_PFN_FLAGS;
	} else if (!pte_none(pte) &&
		   !(pte_present(pte) && is_zero_pfn(pte_pfn(pte)))) {
		/* What it becomes may depend on more than these bits. */
		return;
	}
	kinds[1] = kinds[0];
	kinds[0] = kind;
}
#else
static bool hmm_store_known_ptes(const struct hmm_pte_kind *kind, pte_t *ptep,
				 unsigned long *entries)
{
	return false;
}

static bool hmm_pte_is_known(const struct hmm_pte_kind *kinds, pte_t *ptep,
			     unsigned long *new, unsigned int *same)
{
	return false;
}

static void hmm_learn_kind(struct hmm_pte_kind *kinds,
			   const struct vm_area_struct *vma, pte_t pte,
			   unsigned long new)
{
}
#endif /* HMM_PTE_KINDS */

/*
 * PTEs.
 */

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

/* The plain case: all pages are asked for alike, and none of @nr is there. */
static unsigned long hmm_none_ptes(pte_t *ptep, unsigned long nr)
{
	unsigned long i;
	int k;

	for (i = 1; i + HMM_PTES <= nr; i += HMM_PTES) {
		unrolled_full
		for (k = 0; k < HMM_PTES; k++)
			if (!pte_none(ptep_get_lockless(ptep + i + k)))
				return i + k;
	}
	while (i < nr && pte_none(ptep_get_lockless(ptep + i)))
		i++;
	return i;
}

/* The other one: they are there, and none may be written to. */
static unsigned long hmm_readonly_ptes(pte_t *ptep, unsigned long nr)
{
	unsigned long i = 1;

	while (i < nr && hmm_pte_is_readonly(ptep_get_lockless(ptep + i)))
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
	unsigned long i;
	pte_t other;

	nr = min_t(unsigned long, nr, walk->batch);
	if (!walk->mask && pte_none(pte))
		return hmm_none_ptes(ptep, nr);
	if (!walk->mask && write && hmm_pte_is_readonly(pte))
		return hmm_readonly_ptes(ptep, nr);
	for (i = 1; i < nr; i++) {
		other = ptep_get_lockless(ptep + i);
		if (hmm_required(walk, entries[i]) != required ||
		    !hmm_ptes_need_same_fault(walk, pte, other, write))
			break;
	}
	return i;
}

/*
 * Faults in a page table come in batches, because each look at what they did
 * costs another walk. If the last batch made present what it was to and no
 * more, the next one may be larger.
 */
static enum hmm_step hmm_walk_pte_miss(struct hmm_walk *walk,
				       struct vm_area_struct *vma,
				       unsigned long addr, pte_t pte,
				       pte_t *ptep, unsigned long nr,
				       unsigned long required,
				       unsigned long new)
{
	const unsigned long *entries = hmm_entries(walk, addr);
	const bool went_on = addr == walk->fault_end;
	enum hmm_step step;

	step = hmm_walk_miss(walk, vma, addr, required, new,
			     hmm_pte_is_readonly(pte));
	if (step != HMM_FAULT)
		return step;
	walk->batch = went_on ? min_t(unsigned int, walk->batch * 8,
				       PTRS_PER_PTE) : 1;
	walk->fault_end = addr + PAGE_SIZE *
		hmm_pte_fault_batch(walk, pte, ptep, entries, nr, required);
	return HMM_FAULT;
}

/*
 * Find out whose memory the device private page at @addr is of. *@pte becomes
 * what the entry is under the lock, which may be something else by now. False if
 * the page table has gone.
 */
static bool hmm_look_up_private_pte(struct hmm_walk *walk,
				    struct vm_area_struct *vma, pmd_t *pmdp,
				    unsigned long addr, pte_t *pte)
{
	spinlock_t *ptl; /* of the page table */
	pte_t *ptep;

	ptep = pte_offset_map_lock(vma->vm_mm, pmdp, addr, &ptl);
	if (!ptep)
		return false;
	*pte = ptep_get(ptep);
	if (hmm_pte_is_private(*pte))
		hmm_private_look_up(&walk->private, softleaf_from_pte(*pte),
				    walk->range->dev_private_owner);
	pte_unmap_unlock(ptep, ptl);
	return true;
}

/*
 * A page table on its way through the walk.
 *
 * @pmdp: where it hangs
 * @kinds: of the PTEs that were decoded last
 */
struct hmm_pte_table {
	struct hmm_walk		*walk;
	struct vm_area_struct	*vma;
	pmd_t			*pmdp;
	struct hmm_pte_kind	kinds[HMM_PTE_KINDS + 1];
};

/*
 * What a device private PTE becomes depends on whose page it is. HMM_AGAIN: the
 * page table has gone, or the PTE is something else by now.
 */
static __always_inline enum hmm_step
hmm_private_pte(struct hmm_pte_table *table, unsigned long addr,
		softleaf_t leaf, unsigned long *new)
{
	struct hmm_walk *walk = table->walk;
	pte_t pte;

	if (unlikely(!hmm_private_knows(&walk->private, leaf))) {
		if (!hmm_look_up_private_pte(walk, table->vma, table->pmdp,
					     addr, &pte))
			return HMM_AGAIN;
		if (!hmm_pte_is_private(pte) ||
		    softleaf_from_pte(pte).val != leaf.val)
			return HMM_AGAIN;
	}
	*new = hmm_pfn_from_private(&walk->private, table->vma, leaf, 0);
	return HMM_NEXT;
}

/*
 * Walk PTEs that are neither none nor present, as long as there are any of @nr.
 * *@done: how many were stored; 0 if the first one is something else by now.
 */
static noinline enum hmm_step hmm_walk_absent_ptes(struct hmm_pte_table *table,
						   unsigned long addr,
						   pte_t *ptep,
						   unsigned long nr,
						   unsigned long *done)
{
	struct hmm_walk *walk = table->walk;
	unsigned long *entries = hmm_entries(walk, addr);
	const unsigned long for_all = hmm_required(walk, 0);
	enum hmm_step step = HMM_NEXT;
	unsigned long i, required, new;
	softleaf_t leaf;
	pte_t pte;

	for (i = 0; i < nr; i++) {
		pte = ptep_get_lockless(ptep + i);
		if (pte_none(pte) || pte_present(pte))
			break;
		required = for_all;
		if (unlikely(walk->mask))
			required = hmm_required(walk, entries[i]);
		leaf = softleaf_from_pte(pte);
		if (softleaf_is_device_private(leaf)) {
			step = hmm_private_pte(table, addr + i * PAGE_SIZE,
					       leaf, &new);
			if (step != HMM_NEXT)
				break;
			if (new && hmm_settles_for_readonly(walk))
				required = 0;
		} else {
			new = hmm_pfn_from_softleaf(leaf);
		}
		if (required & ~new) {
			step = hmm_walk_pte_miss(walk, table->vma,
						 addr + i * PAGE_SIZE, pte,
						 ptep + i, nr - i, required,
						 new);
			break;
		}
		hmm_store(&entries[i], new);
	}
	*done = i;
	return step;
}

/* Walk a PTE that is of no known kind, none or present. *@done: was it stored? */
static noinline enum hmm_step hmm_walk_new_pte(struct hmm_pte_table *table,
					       unsigned long addr, pte_t *ptep,
					       unsigned long nr,
					       unsigned long *done)
{
	struct hmm_walk *walk = table->walk;
	unsigned long *entries = hmm_entries(walk, addr);
	unsigned long required = hmm_required(walk, *entries);
	const pte_t pte = ptep_get_lockless(ptep);
	unsigned long new;

	*done = 0;
	if (!pte_none(pte) && !pte_present(pte))
		return HMM_NEXT;
	new = hmm_pfn_from_pte(table->vma, addr, pte);
	if (required & ~new)
		return hmm_walk_pte_miss(walk, table->vma, addr, pte, ptep, nr,
					 required, new);
	hmm_store(entries, new);
	hmm_learn_kind(table->kinds, table->vma, pte, new);
	*done = 1;
	return HMM_NEXT;
}

/*
 * This is what a walk of small pages spends its time in. @masked: each page may
 * be asked for something else. Without, only what satisfies all is known.
 */
static __always_inline enum hmm_step
hmm_walk_known_ptes(struct hmm_pte_table *table, unsigned long addr,
		    unsigned long end, pte_t *ptep, bool masked)
{
	struct hmm_walk *walk = table->walk;
	unsigned long *entries = hmm_entries(walk, addr);
	unsigned long nr = (end - addr) >> PAGE_SHIFT;
	enum hmm_step step = HMM_NEXT;
	unsigned long i = 0, new, done;
	unsigned int same = 0;
	pte_t pte;

	while (i < nr) {
		if (hmm_pte_is_known(table->kinds, ptep + i, &new, &same) &&
		    !(masked && (hmm_required(walk, entries[i]) & ~new))) {
			hmm_store(&entries[i++], new);
			if (masked || same < HMM_PTES)
				continue;
			while (i + HMM_PTES <= nr &&
			       hmm_store_known_ptes(&table->kinds[0], ptep + i,
						    entries + i))
				i += HMM_PTES;
			same = 0;
			continue;
		}
		pte = ptep_get_lockless(ptep + i);
		if (pte_none(pte) || pte_present(pte))
			step = hmm_walk_new_pte(table, addr + i * PAGE_SIZE,
						ptep + i, nr - i, &done);
		else
			step = hmm_walk_absent_ptes(table, addr + i * PAGE_SIZE,
						    ptep + i, nr - i, &done);
		i += done;
		if (step != HMM_NEXT)
			break;
	}
	walk->extent.start = addr + i * PAGE_SIZE;
	return step;
}

static noinline enum hmm_step hmm_walk_ptes(struct hmm_walk *walk,
					    struct vm_area_struct *vma,
					    pmd_t *pmdp, unsigned long addr,
					    unsigned long end)
{
	struct hmm_pte_table table = {
		.walk = walk,
		.vma = vma,
		.pmdp = pmdp,
	};
	enum hmm_step step;
	pte_t *ptep;

	/* It may be another one's by now. */
	walk->private.nr = 0;
	ptep = pte_offset_map(pmdp, addr);
	if (!ptep)
		return HMM_AGAIN;
	if (walk->mask)
		step = hmm_walk_known_ptes(&table, addr, end, ptep, true);
	else
		step = hmm_walk_known_ptes(&table, addr, end, ptep, false);
	pte_unmap(ptep);
	return step;
}

/*
 * Above the PTEs.
 */

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/*
 * The plain case, which a walk of huge pages spends its time in: a leaf that is
 * all that is asked for. False, and nothing is stored, if it is anything else.
 */
static __always_inline bool hmm_walk_plain_pmd(struct hmm_walk *walk,
					       struct vm_area_struct *vma,
					       pmd_t pmd, unsigned long addr,
					       unsigned long end)
{
	unsigned long new;

	if (walk->mask || !pmd_present(pmd) || !pmd_trans_huge(pmd) ||
	    !hmm_pmd_is_plain(pmd))
		return false;
	new = hmm_pfn_from_pmd(vma, addr, pmd);
	if (hmm_required(walk, 0) & ~new)
		return false;
	if (walk->sparse)
		hmm_store(hmm_entries(walk, addr), new);
	else
		hmm_store_leaf_pages(hmm_entries(walk, addr), new,
				     (end - addr) >> PAGE_SHIFT);
	walk->extent.start = end;
	return true;
}

/* As for a PTE; under the lock it is always found out. */
static unsigned long hmm_pfn_from_private_pmd(struct hmm_walk *walk,
					      struct vm_area_struct *vma,
					      unsigned long addr, pmd_t *pmdp)
{
	spinlock_t *ptl = pmd_lock(vma->vm_mm, pmdp);
	const pmd_t pmd = pmdp_get(pmdp);
	unsigned long new = 0;
	softleaf_t leaf;

	if (pmd_is_device_private_entry(pmd)) {
		leaf = softleaf_from_pmd(pmd);
		hmm_private_look_up(&walk->private, leaf,
				    walk->range->dev_private_owner);
		new = hmm_pfn_from_private(&walk->private, vma, leaf,
					   PMD_ORDER);
	}
	spin_unlock(ptl);
	if (new)
		new += (addr & ~PMD_MASK) >> PAGE_SHIFT;
	return new;
}

/* A PMD that is neither none nor present: migrating, or device private. */
static enum hmm_step hmm_walk_absent_pmd(struct hmm_walk *walk,
					 struct vm_area_struct *vma,
					 pmd_t *pmdp, pmd_t pmd,
					 unsigned long addr, unsigned long end)
{
	unsigned long new;

	if (!pmd_is_device_private_entry(pmd))
		return hmm_walk_leaf(walk, vma, addr, end,
				     hmm_pfn_from_softleaf(softleaf_from_pmd(pmd)),
				     false);
	new = hmm_pfn_from_private_pmd(walk, vma, addr, pmdp);
	if (new && hmm_settles_for_readonly(walk)) {
		hmm_store_leaf(walk, addr, end, new);
		walk->extent.start = end;
		return HMM_NEXT;
	}
	return hmm_walk_leaf(walk, vma, addr, end, new, false);
}

static enum hmm_step hmm_walk_huge_pmd(struct hmm_walk *walk,
				       struct vm_area_struct *vma, pmd_t *pmdp,
				       pmd_t pmd, unsigned long addr,
				       unsigned long end)
{
	unsigned long new;

	if (!pmd_present(pmd))
		return hmm_walk_absent_pmd(walk, vma, pmdp, pmd, addr, end);
	new = hmm_pfn_from_pmd(vma, addr, pmd);
	return hmm_walk_leaf(walk, vma, addr, end, new,
			     (new & HMM_PFN_ERROR) && !pmd_write(pmd));
}
#else
static bool hmm_walk_plain_pmd(struct hmm_walk *walk,
			       struct vm_area_struct *vma, pmd_t pmd,
			       unsigned long addr, unsigned long end)
{
	return false;
}

static enum hmm_step hmm_walk_huge_pmd(struct hmm_walk *walk,
				       struct vm_area_struct *vma, pmd_t *pmdp,
				       pmd_t pmd, unsigned long addr,
				       unsigned long end)
{
	return hmm_walk_leaf(walk, vma, addr, end, HMM_PFN_ERROR, false);
}
#endif /* CONFIG_TRANSPARENT_HUGEPAGE */

static enum hmm_step hmm_walk_pmd(struct hmm_walk *walk,
				  struct vm_area_struct *vma, pmd_t *pmdp,
				  unsigned long addr, unsigned long end)
{
	const pmd_t pmd = pmdp_get_lockless(pmdp);

	if (hmm_walk_plain_pmd(walk, vma, pmd, addr, end))
		return HMM_NEXT;
	if (pmd_none(pmd))
		return hmm_walk_leaf(walk, vma, addr, end, 0, false);
	if (!pmd_present(pmd) || pmd_trans_huge(pmd))
		return hmm_walk_huge_pmd(walk, vma, pmdp, pmd, addr, end);
	if (pmd_bad(pmd))
		return hmm_walk_leaf(walk, vma, addr, end, HMM_PFN_ERROR, false);
	return hmm_walk_ptes(walk, vma, pmdp, addr, end);
}

static enum hmm_step hmm_walk_pmds(struct hmm_walk *walk,
				   struct vm_area_struct *vma, pmd_t *pmdp,
				   unsigned long addr, unsigned long end)
{
	enum hmm_step step;
	unsigned long next;

	for (;;) {
		next = pmd_addr_end(addr, end);
		step = hmm_walk_pmd(walk, vma, pmdp, addr, next);
		if (step != HMM_AGAIN && (step != HMM_NEXT || next == end))
			return step;
		if (step == HMM_NEXT)
			pmdp++;
		addr = walk->extent.start;
		step = hmm_walk_pause(walk);
		if (step != HMM_NEXT)
			return step;
	}
}

#ifdef CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD
static enum hmm_step hmm_walk_huge_pud(struct hmm_walk *walk,
				       struct vm_area_struct *vma, pud_t pud,
				       unsigned long addr, unsigned long end)
{
	return hmm_walk_leaves(walk, vma, addr, end,
			       hmm_pfn_from_pud(vma, addr, pud),
			       !pud_write(pud));
}
#else
static enum hmm_step hmm_walk_huge_pud(struct hmm_walk *walk,
				       struct vm_area_struct *vma, pud_t pud,
				       unsigned long addr, unsigned long end)
{
	return hmm_walk_leaves(walk, vma, addr, end, HMM_PFN_ERROR, false);
}
#endif /* CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD */

/* A table of PMDs stays, so it is enough that the entry is one when read. */
static enum hmm_step hmm_walk_pud(struct hmm_walk *walk,
				  struct vm_area_struct *vma, pud_t *pudp,
				  unsigned long addr, unsigned long end)
{
	const pud_t pud = pudp_get(pudp);

	if (pud_none(pud))
		return hmm_walk_leaves(walk, vma, addr, end, 0, false);
	if (pud_trans_huge(pud))
		return hmm_walk_huge_pud(walk, vma, pud, addr, end);
	if (!pud_present(pud) || pud_leaf(pud) || pud_bad(pud))
		return hmm_walk_leaves(walk, vma, addr, end, HMM_PFN_ERROR,
				       false);
	return hmm_walk_pmds(walk, vma, pmd_offset(pudp, addr), addr, end);
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

static enum hmm_step hmm_walk_puds(struct hmm_walk *walk,
				   struct vm_area_struct *vma,
				   unsigned long addr, unsigned long end)
{
	enum hmm_step step;
	unsigned long next;
	pud_t *pudp;

	for (;; addr = next) {
		next = pud_addr_end(addr, end);
		pudp = hmm_find_pud(vma->vm_mm, addr);
		if (pudp)
			step = hmm_walk_pud(walk, vma, pudp, addr, next);
		else
			step = hmm_walk_leaves(walk, vma, addr, next, 0, false);
		if (step != HMM_NEXT || next == end)
			return step;
		step = hmm_walk_pause(walk);
		if (step != HMM_NEXT)
			return step;
	}
}

#ifdef CONFIG_HUGETLB_PAGE
/* The lock of hugetlb for the vma keeps the page table, and ends before a fault. */
static enum hmm_step hmm_walk_hugetlb(struct hmm_walk *walk,
				      struct vm_area_struct *vma,
				      unsigned long addr, unsigned long end)
{
	struct hstate *h = hstate_vma(vma);
	enum hmm_step step = HMM_NEXT;
	unsigned long base, next, new;
	pte_t *ptep;

	hugetlb_vma_lock_read(vma);
	for (; step == HMM_NEXT && addr != end; addr = next) {
		base = addr & huge_page_mask(h);
		next = min(base + huge_page_size(h), end);
		ptep = hugetlb_walk(vma, base, huge_page_size(h));
		new = ptep ? hmm_pfn_from_hugetlb(vma, base, ptep) : 0;
		if (new & HMM_PFN_VALID)
			new += (addr - base) >> PAGE_SHIFT;
		step = hmm_walk_leaves(walk, vma, addr, next, new, false);
		if (step == HMM_NEXT && next != end)
			step = hmm_walk_pause(walk);
	}
	hugetlb_vma_unlock_read(vma);
	return step;
}
#else
static enum hmm_step hmm_walk_hugetlb(struct hmm_walk *walk,
				      struct vm_area_struct *vma,
				      unsigned long addr, unsigned long end)
{
	return hmm_stop(walk, -EFAULT);
}
#endif /* CONFIG_HUGETLB_PAGE */

/*
 * vmas.
 */

static enum hmm_step hmm_walk_vma(struct hmm_walk *walk,
				  struct vm_area_struct *vma,
				  unsigned long addr, unsigned long end)
{
	VM_WARN_ON_ONCE(addr < vma->vm_start || end > vma->vm_end);

	if (hmm_vma_refuses(vma))
		return hmm_walk_leaves(walk, vma, addr, end, HMM_PFN_ERROR,
				       false);
	if (is_vm_hugetlb_page(vma))
		return hmm_walk_hugetlb(walk, vma, addr, end);
	return hmm_walk_puds(walk, vma, addr, end);
}

/* The vma at an address or above: most often that of the last fault, or the next. */
static struct vm_area_struct *hmm_find_vma(struct hmm_walk *walk,
					   unsigned long addr)
{
	struct vm_area_struct *vma = walk->vma ?: walk->last_vma;

	if (vma && addr >= vma->vm_start && addr < vma->vm_end) {
		walk->last_vma = vma;
		return vma;
	}
	if (!vma || addr != vma->vm_end)
		vma_iter_init(&walk->vmi, walk->mm, addr);
	walk->last_vma = vma_next(&walk->vmi);
	return walk->last_vma;
}

/* Walk up to the end of a vma, or of a gap between two. */
static enum hmm_step hmm_walk_next_vma(struct hmm_walk *walk, unsigned long end)
{
	unsigned long addr = walk->extent.start;
	struct vm_area_struct *vma = hmm_find_vma(walk, addr);

	if (!vma || vma->vm_start >= end)
		return hmm_walk_leaves(walk, NULL, addr, end, HMM_PFN_ERROR,
				       false);
	if (vma->vm_start > addr)
		return hmm_walk_leaves(walk, NULL, addr, vma->vm_start,
				       HMM_PFN_ERROR, false);
	return hmm_walk_vma(walk, vma, addr, min(end, vma->vm_end));
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
 * the start of @walk->extent.
 */
static int hmm_walk_fault(struct hmm_walk *walk)
{
	unsigned int flags = FAULT_FLAG_REMOTE;
	unsigned long addr;
	vm_fault_t fault;

	if (walk->fault_write)
		flags |= FAULT_FLAG_WRITE;
	if (walk->locked)
		flags |= FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;
	if (walk->vma)
		flags |= FAULT_FLAG_VMA_LOCK;

	walk->faulted = true;
	if (!walk->range->notifier)
		hmm_range_unclaim(walk);
	for (addr = walk->fault_start; addr != walk->fault_end;
	     addr += PAGE_SIZE) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		fault = handle_mm_fault(walk->last_vma, addr, flags, NULL);
		if (unlikely(fault & (VM_FAULT_ERROR | VM_FAULT_RETRY |
				      VM_FAULT_COMPLETED)))
			return hmm_fault_result(walk, fault);
	}
	return 0;
}

/**
 * hmm_walk_claimed() - store what is mapped, up to the first fault
 * @walk: the range, its mm, and whether to fault in what is asked for. The walk
 *	begins at the start of @walk->extent, which moves on with what is stored.
 * @end: first address past what is claimed, page aligned, in @walk->extent
 *
 * Returns when all is stored, or after it has faulted in what the first page
 * needs that did not satisfy what is asked for. The array holds output below the
 * start of @walk->extent, and from there on its input.
 *
 * Context: Process context, may sleep. The caller holds the mmap lock of
 * @walk->mm, for read or write, or the lock of @walk->vma for read. It is held
 * on return too, unless *@walk->locked was cleared. A snapshot (@walk->fault is
 * false) does not fault and does not wait for I/O or for migration.
 *
 * Return:
 * * 0 - call again, unless the extent is stored up to @end
 * * -EBUSY - a fault dropped the lock (*@walk->locked is 0); or faults of a page
 *   do not help (@walk->stuck)
 * * -EFAULT - a page was asked for and there is no vma, the vma or the entry
 *   cannot be used, or the fault failed
 * * -EPERM - a page was asked for to write, and the vma does not allow that
 * * -ENOMEM - a fault ran out of memory
 * * -EINTR - a fatal signal is pending (*@walk->locked may be 0)
 */
int hmm_walk_claimed(struct hmm_walk *walk, unsigned long end)
{
	enum hmm_step step = HMM_NEXT;
	unsigned long start;

	if (walk->vma)
		vma_assert_locked(walk->vma);
	else
		mmap_assert_locked(walk->mm);

	while (step == HMM_NEXT && walk->extent.start != end) {
		start = walk->extent.start;
		step = hmm_walk_next_vma(walk, end);
		VM_WARN_ON_ONCE(walk->extent.start > end ||
				(step == HMM_NEXT &&
				 walk->extent.start <= start));
		if (step == HMM_NEXT && walk->extent.start != end)
			step = hmm_walk_pause(walk);
	}
	if (step == HMM_STOP)
		return walk->err;
	return step == HMM_FAULT ? hmm_walk_fault(walk) : 0;
}
