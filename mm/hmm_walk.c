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
 * that the walk has claimed is read again. The lock is taken where several entries
 * are read for one page of hugetlb, and where a struct page has to be looked into,
 * which is to find the owner of device private memory.
 *
 * See mm/hmm_array.h for how entries are written.
 */
#include <linux/bitops.h>
#include <linux/hmm.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/signal.h>

#include "hmm_array.h"
#include "hmm_leaf.h"
#include "hmm_walk.h"

/* How often a page is faulted in before the call gives up on it. */
#define HMM_FAULT_TRIES	4

/* How many are faulted in at most before the walk looks at them. */
#define HMM_FAULT_BATCH	512U

#define HMM_PFN_REQ	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

static enum hmm_step hmm_stop(struct hmm_walk *walk, int err)
{
	walk->err = err;
	return HMM_STOP;
}

/*
 * The array.
 */

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

	walk->required = 0;
	walk->mask = 0;
	if (!walk->fault ||
	    !((range->default_flags | range->pfn_flags_mask) &
	      HMM_PFN_REQ_FAULT))
		return;
	walk->required = range->default_flags & HMM_PFN_REQ;
	walk->mask = range->pfn_flags_mask & HMM_PFN_REQ;
}

/*
 * The inputs are those of struct hmm_walk; @range is registered or legacy. What
 * is not set here is written before it is read: a walk may be for one page.
 */
void hmm_walk_init(struct hmm_walk *walk, struct hmm_range *range,
		   struct vm_area_struct *vma, int *locked, bool fault)
{
	walk->range = range;
	walk->mm = range->notifier ? range->notifier->mm : range->tracking.sub.mm;
	walk->vma = vma;
	walk->locked = locked;
	walk->fault = fault;
	walk->retry = false;
	walk->stuck = false;
	walk->faulted = false;
	walk->first = PAGE_ALIGN_DOWN(range->start);
	walk->sparse = !range->notifier &&
		       range->tracking.flags & HMM_RANGE_SPARSE;
	walk->last_vma = NULL;
	/* No page is there. */
	walk->fault_start = ULONG_MAX;
	walk->fault_end = ULONG_MAX;
	walk->tried = locked && !range->notifier ? range->tracking.tried :
						   ULONG_MAX;
	walk->batch = 1;
	hmm_walk_requests(walk);
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
 *
 * Each look at what faults did costs another walk. So if the last ones made
 * present what they were to and no more, the next may be for more pages; the
 * caller finds out how many, up to @walk->batch, need the same.
 */
enum hmm_step hmm_walk_miss(struct hmm_walk *walk, struct vm_area_struct *vma,
			    unsigned long addr, unsigned long required,
			    unsigned long new, bool may_copy)
{
	const bool write = required & HMM_PFN_REQ_WRITE;
	const bool went_on = addr == walk->fault_end;

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
	walk->batch = went_on ? min(walk->batch * 8, HMM_FAULT_BATCH) : 1;
	walk->fault_start = addr;
	walk->fault_end = addr + PAGE_SIZE;
	walk->fault_step = PAGE_SIZE;
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

	if (walk->mask || !pmd_trans_huge(pmd) || !pmd_present(pmd) ||
	    !hmm_pmd_is_plain(pmd))
		return false;
	new = hmm_pfn_from_plain_pmd(vma, addr, pmd);
	if (walk->required & ~new)
		return false;
	if (walk->sparse)
		hmm_store(hmm_entries(walk, addr), new);
	else
		hmm_store_leaf_pages(hmm_entries(walk, addr), new,
				     (end - addr) >> PAGE_SHIFT);
	walk->extent.start = end;
	return true;
}

/*
 * What a device private PMD becomes, as for a PTE. HMM_AGAIN: it is something
 * else by now, such as a table of PTEs.
 */
static enum hmm_step hmm_private_pmd(struct hmm_walk *walk,
				     struct vm_area_struct *vma, pmd_t *pmdp,
				     pmd_t pmd, unsigned long addr,
				     unsigned long *new)
{
	const softleaf_t leaf = softleaf_from_pmd(pmd);
	spinlock_t *ptl = pmd_lock(vma->vm_mm, pmdp);
	const bool same = pmd_same(pmdp_get(pmdp), pmd);

	if (same)
		hmm_private_look_up(&walk->private, leaf,
				    walk->range->dev_private_owner);
	spin_unlock(ptl);
	if (!same)
		return HMM_AGAIN;
	*new = hmm_pfn_from_private(&walk->private, vma, leaf, PMD_ORDER);
	if (*new)
		*new += (addr & ~PMD_MASK) >> PAGE_SHIFT;
	return HMM_NEXT;
}

/* A PMD that is neither none nor present: migrating, or device private. */
static enum hmm_step hmm_walk_absent_pmd(struct hmm_walk *walk,
					 struct vm_area_struct *vma,
					 pmd_t *pmdp, pmd_t pmd,
					 unsigned long addr, unsigned long end)
{
	enum hmm_step step;
	unsigned long new;

	if (!pmd_is_device_private_entry(pmd))
		return hmm_walk_leaf(walk, vma, addr, end,
				     hmm_pfn_from_softleaf(softleaf_from_pmd(pmd)),
				     false);
	step = hmm_private_pmd(walk, vma, pmdp, pmd, addr, &new);
	if (step != HMM_NEXT)
		return step;
	if (new && hmm_settles_for_readonly(walk)) {
		hmm_store_leaf(walk, addr, end, new);
		walk->extent.start = end;
		return HMM_NEXT;
	}
	return hmm_walk_leaf(walk, vma, addr, end, new, false);
}

static noinline enum hmm_step
hmm_walk_huge_pmd(struct hmm_walk *walk, struct vm_area_struct *vma,
		  pmd_t *pmdp, pmd_t pmd, unsigned long addr, unsigned long end)
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
		/* Where PUDs are folded, pud_addr_end() is the end. */
		next = pud_addr_end(addr, pgd_addr_end(addr, end));
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
/* The page at @walk->fault_start is missing: so may be some that follow. */
static void hmm_hugetlb_fault_batch(struct hmm_walk *walk,
				    struct vm_area_struct *vma,
				    unsigned long end)
{
	const unsigned long size = huge_page_size(hstate_vma(vma));
	unsigned long addr = walk->fault_start + size;
	unsigned int i;
	pte_t *ptep;

	for (i = 1; i < walk->batch && addr < end; i++, addr += size) {
		ptep = hugetlb_walk(vma, addr & ~(size - 1), size);
		if (ptep && hmm_pfn_from_hugetlb(vma, addr & ~(size - 1), ptep))
			break;
	}
	walk->fault_step = size;
	walk->fault_end = addr;
}

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
	if (step == HMM_FAULT && !walk->mask)
		hmm_hugetlb_fault_batch(walk, vma, end);
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
 * The fault of the page at @addr has dropped the lock. When it is tried again it
 * is told so, or it might do that for ever: it waits for what it needs with the
 * lock dropped, and that may be gone by the time that it comes again. Under the
 * lock of a vma it may just have needed the other lock.
 */
static void hmm_fault_dropped_lock(struct hmm_walk *walk, unsigned long addr,
				   vm_fault_t fault)
{
	*walk->locked = 0;
	if (walk->vma && !(fault & VM_FAULT_MAJOR))
		return;
	walk->tried = addr;
	if (!walk->range->notifier)
		walk->range->tracking.tried = addr;
}

/*
 * A fault did not simply succeed. If it dropped the lock, the caller has to
 * know, and the vma may be gone.
 */
static int hmm_fault_result(struct hmm_walk *walk, unsigned long addr,
			    vm_fault_t fault)
{
	int err;

	if (fault & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)) {
		/* A handler must keep the lock unless it is allowed to. */
		if (WARN_ON_ONCE(!walk->locked))
			return -EFAULT;
		hmm_fault_dropped_lock(walk, addr, fault);
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
	if (walk->fault_start == walk->tried)
		flags |= FAULT_FLAG_TRIED;

	walk->faulted = true;
	if (!walk->range->notifier)
		hmm_range_unclaim(walk);
	for (addr = walk->fault_start; addr != walk->fault_end;
	     addr += walk->fault_step) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		fault = handle_mm_fault(walk->last_vma, addr, flags, NULL);
		flags &= ~FAULT_FLAG_TRIED;
		if (unlikely(fault & (VM_FAULT_ERROR | VM_FAULT_RETRY |
				      VM_FAULT_COMPLETED)))
			return hmm_fault_result(walk, addr, fault);
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
