// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of calls at the edge of what HMM is asked for: what a driver has
 * told once, requests page by page, addresses within a page, errors of a walk
 * that was invalidated, and page table entries that differ in one bit.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/oom.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>

#include "../internal.h"
#include "hmm_kunit.h"

#define NR		32
#define FAULT_WRITE	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

static struct hmm_range *faulted_range(struct kunit *test)
{
	struct hmm_range *range;

	hmm_test_map(test, NULL, 0, NR, PROT_READ | PROT_WRITE);
	range = hmm_test_range(test, test_mm(test), 0, NR);
	range->default_flags = FAULT_WRITE;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	return range;
}

/* A call that fails before it walks has used up what the driver has told. */
static void t8_what_was_told_ends_with_the_call(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test);
	unsigned long *pfns = range->hmm_pfns;

	hmm_range_retry(range);
	range->hmm_pfns = NULL;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EINVAL);
	range->hmm_pfns = pfns;
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 0, NR });

	hmm_range_retry(range);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_locked(range, NULL), -EINVAL);
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 0, NR });
}

static void fault_while_killed(struct hmm_test_job *job)
{
	send_sig(SIGKILL, current, 1);
	hmm_range_retry(job->range);
	job->result = hmm_range_fault_unlocked_timeout(job->range, HZ);
}

static void t8_what_was_told_ends_with_a_signal(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test);
	struct hmm_test_job args = { .range = range };
	struct hmm_test_job *job;

	job = hmm_test_start_job(test, fault_while_killed, &args);
	KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(job));
	KUNIT_EXPECT_EQ(test, job->result, -EINTR);
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 0, NR });
}

/* The first page, which is stored, goes while the second one is faulted in. */
static vm_fault_t zap_first_page(struct hmm_test_recorder *recorder,
				 struct vm_fault *vmf)
{
	if (vmf->pgoff == 1)
		hmm_test_zap(vmf->vma, 0, 1);
	return 0;
}

static void expect_no_request(struct kunit *test,
			      int (*fault)(struct hmm_range *range))
{
	struct hmm_test_recorder *recorder;
	struct hmm_range *range;

	recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	range = hmm_test_range(test, test_mm(test), 0, NR);
	range->pfn_flags_mask = HMM_PFN_REQ_FAULT;
	range->hmm_pfns[0] = HMM_PFN_REQ_FAULT;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_ASSERT_EQ(test, recorder->faults, 1);

	recorder->hook = zap_first_page;
	memset(range->hmm_pfns, 0, NR * sizeof(*range->hmm_pfns));
	range->hmm_pfns[1] = HMM_PFN_REQ_FAULT;
	KUNIT_EXPECT_EQ(test, fault(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->nr_hits[0], 1);
	KUNIT_EXPECT_EQ(test, recorder->nr_hits[1], 1);
	KUNIT_EXPECT_EQ(test, recorder->faults, 2);
}

static void t13_output_is_no_request(struct kunit *test)
{
	expect_no_request(test, hmm_test_fault);
}

static int fault_unlocked(struct hmm_range *range)
{
	return hmm_range_fault_unlocked_timeout(range, 0);
}

static void t13_output_is_no_request_unlocked(struct kunit *test)
{
	expect_no_request(test, fault_unlocked);
}

/* Faults come in batches, of pages that are asked for. */
static void a_batch_ends_where_nothing_is_asked_for(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct hmm_range *range;

	recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	range = hmm_test_range(test, test_mm(test), 0, NR);
	range->pfn_flags_mask = HMM_PFN_REQ_FAULT;
	for (int i = 0; i < 10; i++)
		range->hmm_pfns[i] = HMM_PFN_REQ_FAULT;
	range->hmm_pfns[20] = HMM_PFN_REQ_FAULT;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, 11);
	for (int i = 0; i < NR; i++)
		KUNIT_EXPECT_EQ_MSG(test, recorder->nr_hits[i],
				    i < 10 || i == 20, "page %d", i);
}

/* A neighbour of the same kind is not asked for the same. */
static void one_page_is_asked_for_to_write(struct kunit *test)
{
	struct hmm_range *range;

	hmm_test_map_recorder(test, NR, PROT_READ | PROT_WRITE, false);
	range = hmm_test_range(test, test_mm(test), 0, NR);
	range->default_flags = HMM_PFN_REQ_FAULT;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	range->pfn_flags_mask = HMM_PFN_REQ_WRITE;
	memset(range->hmm_pfns, 0, NR * sizeof(*range->hmm_pfns));
	range->hmm_pfns[9] = HMM_PFN_REQ_WRITE;
	/* The copy hits nothing that is held, so this takes one call. */
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	for (int i = 0; i < NR; i++)
		KUNIT_EXPECT_EQ_MSG(test, !!(range->hmm_pfns[i] & HMM_PFN_WRITE),
				    i == 9, "page %d", i);
}

/*
 * Drivers of today may start within a page (a user pointer of amdgpu): entry n
 * is the n-th page from there, and there are as many as there were.
 */
static void expect_within_a_page(struct kunit *test, unsigned long nr,
				 unsigned long flags)
{
	struct hmm_range *range = hmm_test_legacy_range(test, nr);

	range->start += PAGE_SIZE / 2;
	range->end -= PAGE_SIZE / 2;
	range->default_flags = flags;
	hmm_test_forget(range, nr);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	for (unsigned long i = 0; i < nr - 1; i++)
		KUNIT_ASSERT_EQ_MSG(test, range->hmm_pfns[i],
				    hmm_test_mapped(test_mm(test), i),
				    "entry %lu", i);
	KUNIT_EXPECT_EQ(test, range->hmm_pfns[nr - 1], HMM_TEST_UNTOUCHED);
}

/* A PMD may map 512 MiB. */
static bool memory_has_room_for(unsigned long nr)
{
	return nr < totalram_pages() / 4;
}

static void legacy_range_within_a_page(struct kunit *test)
{
	const unsigned long nr = PTRS_PER_PTE + 100;

	if (!memory_has_room_for(nr))
		kunit_skip(test, "two PMDs are too much memory");
	hmm_test_map(test, NULL, 0, nr, PROT_READ | PROT_WRITE);
	expect_within_a_page(test, nr, 0);
	expect_within_a_page(test, nr, FAULT_WRITE);
}

static void legacy_range_within_a_huge_page(struct kunit *test)
{
	const unsigned long nr = 2 * PTRS_PER_PTE;

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) || !memory_has_room_for(nr))
		kunit_skip(test, "no huge page to be had");
	hmm_test_map(test, NULL, 0, nr, PROT_READ | PROT_WRITE);
	KUNIT_ASSERT_EQ(test, do_madvise(test_mm(test), hmm_test_addr(0),
					 nr * PAGE_SIZE, MADV_HUGEPAGE), 0);
	expect_within_a_page(test, nr, FAULT_WRITE);
}

/*
 * What is alike is stored in blocks of 64. In one of holes there may be errors
 * now, and one that begins with the right entry may go on with others.
 */
static void errors_take_the_place_of_holes(struct kunit *test)
{
	const unsigned long nr = 2 * 64;
	struct hmm_range *range = hmm_test_range(test, test_mm(test), 0, nr);

	memset(range->hmm_pfns, 0, nr * sizeof(*range->hmm_pfns));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	for (unsigned long i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ_MSG(test, range->hmm_pfns[i], HMM_PFN_ERROR,
				    "entry %lu", i);
}

static void a_block_is_more_than_its_first_entry(struct kunit *test)
{
	const unsigned long nr = PTRS_PER_PTE;
	struct hmm_range *range;
	unsigned long first;

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) || !memory_has_room_for(nr))
		kunit_skip(test, "no huge page to be had");
	hmm_test_map(test, NULL, 0, nr, PROT_READ | PROT_WRITE);
	KUNIT_ASSERT_EQ(test, do_madvise(test_mm(test), hmm_test_addr(0),
					 nr * PAGE_SIZE, MADV_HUGEPAGE), 0);
	range = hmm_test_range(test, test_mm(test), 0, nr);
	range->default_flags = FAULT_WRITE;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	first = range->hmm_pfns[0];
	hmm_test_forget(range, nr);
	range->hmm_pfns[0] = first;
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	hmm_test_expect_mapped(test, range, nr);
}

/* PTEs of one kind are stored by fours, and some of their entries have bits. */
static void sticky_bits_stay_among_many(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test);
	unsigned long bits[NR];

	for (int i = 0; i < NR; i++) {
		bits[i] = i % 3 ? 0 : HMM_PFN_DMA_MAPPED;
		range->hmm_pfns[i] = HMM_TEST_UNTOUCHED | bits[i];
	}
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	for (int i = 0; i < NR; i++)
		KUNIT_EXPECT_EQ_MSG(test, range->hmm_pfns[i],
				    hmm_test_mapped(test_mm(test), i) | bits[i],
				    "entry %d", i);
}

/* And none behind the window, where there are PTEs of that kind, too. */
static void fours_end_with_the_window(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test);

	for (unsigned long nr = NR / 2; nr < NR / 2 + 4; nr++) {
		range->end = hmm_test_addr(nr);
		hmm_test_forget(range, NR);
		KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
		HMM_TEST_WALKED(test, range, NR, { 0, nr });
	}
}

/* Invalidate what is stored, and fail the next page. */
static vm_fault_t spoil_and_fail(struct hmm_test_recorder *recorder,
				 struct vm_fault *vmf)
{
	if (vmf->pgoff == 1)
		hmm_test_invalidate(vmf->vma->vm_mm, 0, 1);
	return vmf->pgoff == 2 ? VM_FAULT_SIGBUS : 0;
}

/* Its array is stale, which the driver has to be told before anything else. */
static void legacy_range_is_spoilt_before_it_fails(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct hmm_range *range;

	recorder = hmm_test_map_recorder(test, 4, PROT_READ, false);
	recorder->hook = spoil_and_fail;
	range = hmm_test_legacy_range(test, 4);
	range->notifier_seq = mmu_interval_read_begin(range->notifier);
	KUNIT_EXPECT_EQ(test, hmm_test_legacy_fault(range), -EBUSY);
	range->notifier_seq = mmu_interval_read_begin(range->notifier);
	KUNIT_EXPECT_EQ(test, hmm_test_legacy_fault(range), -EFAULT);
}

static void an_unstable_mm_is_refused(struct kunit *test)
{
	struct hmm_range *legacy, *range = faulted_range(test);

	legacy = hmm_test_legacy_range(test, NR);
	mm_flags_set(MMF_UNSTABLE, test_mm(test));
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(legacy, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EFAULT);
	mm_flags_clear(MMF_UNSTABLE, test_mm(test));
}

static pte_t exchange_pte(struct mm_struct *mm, unsigned long page, pte_t pte)
{
	unsigned long addr = hmm_test_addr(page);
	spinlock_t *ptl; /* of the page table */
	pte_t *ptep, old;

	ptep = pte_offset_map_lock(mm, mm_find_pmd(mm, addr), addr, &ptl);
	old = ptep_get(ptep);
	set_pte_at(mm, addr, ptep, pte);
	pte_unmap_unlock(ptep, ptl);
	return old;
}

#ifdef CONFIG_64BIT
#define HIGH_PFN	(BIT(40) - BIT(35))
#else
#define HIGH_PFN	0UL
#endif

/*
 * A PTE is told from the one before by arithmetic. The limit of it goes up with
 * the highest pfn, and device memory is as high as it can be.
 */
static void one_flag_tells_two_ptes_apart(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test);
	const unsigned long highest = highest_memmap_pfn;
	unsigned long pfns[2] = {
		hmm_test_mapped(test_mm(test), 0) & ~HMM_PFN_WRITE,
		hmm_test_mapped(test_mm(test), 1),
	};
	pte_t ptes[2];

	mmap_write_lock(test_mm(test));
	for (int i = 0; i < 2; i++)
		ptes[i] = exchange_pte(test_mm(test), i, __pte(0));
	exchange_pte(test_mm(test), 0, pte_wrprotect(pte_mkclean(ptes[0])));
	exchange_pte(test_mm(test), 1, pte_mkclean(ptes[1]));
	highest_memmap_pfn = max(highest, HIGH_PFN);
	KUNIT_EXPECT_EQ(test, hmm_range_snapshot(range), 0);
	highest_memmap_pfn = highest;
	for (int i = 0; i < 2; i++)
		exchange_pte(test_mm(test), i, ptes[i]);
	mmap_write_unlock(test_mm(test));
	KUNIT_EXPECT_EQ(test, range->hmm_pfns[0], pfns[0]);
	KUNIT_EXPECT_EQ(test, range->hmm_pfns[1], pfns[1]);
}

#ifndef CONFIG_LOCKDEP
/*
 * No page has such a pfn, so something has gone wrong: the kernel reports it each
 * time that it is looked at, and would turn lockdep off with that. The last one is
 * among pages that are stored by fours.
 */
static void a_pfn_without_memory_is_an_error(struct kunit *test)
{
	const unsigned long pfn = highest_memmap_pfn + 1;
	const int bad_pages[] = { 0, 2, NR / 2 };
	struct hmm_range *range = faulted_range(test);
	pte_t ptes[ARRAY_SIZE(bad_pages)], bad;
	unsigned long plain;

	mmap_write_lock(test_mm(test));
	plain = hmm_test_mapped(test_mm(test), 1);
	for (int i = 0; i < ARRAY_SIZE(bad_pages); i++)
		ptes[i] = exchange_pte(test_mm(test), bad_pages[i], __pte(0));
	bad = pfn_pte(pfn, pte_pgprot(ptes[0]));
	for (int i = 0; i < ARRAY_SIZE(bad_pages); i++) {
		pr_info("expect-splat: BUG: Bad page map\n");
		exchange_pte(test_mm(test), bad_pages[i], bad);
	}
	KUNIT_EXPECT_EQ(test, hmm_range_snapshot(range), 0);
	for (int i = 0; i < ARRAY_SIZE(bad_pages); i++) {
		exchange_pte(test_mm(test), bad_pages[i], __pte(0));
		exchange_pte(test_mm(test), bad_pages[i], ptes[i]);
	}
	mmap_write_unlock(test_mm(test));
	KUNIT_EXPECT_EQ(test, pte_pfn(bad), pfn);
	KUNIT_EXPECT_EQ(test, range->hmm_pfns[1], plain);
	for (int i = 0; i < ARRAY_SIZE(bad_pages); i++)
		KUNIT_EXPECT_EQ(test, range->hmm_pfns[bad_pages[i]],
				HMM_PFN_ERROR);
}
#endif /* CONFIG_LOCKDEP */

static struct kunit_case hmm_edge_cases[] = {
	KUNIT_CASE(t8_what_was_told_ends_with_the_call),
	KUNIT_CASE(t8_what_was_told_ends_with_a_signal),
	KUNIT_CASE(t13_output_is_no_request),
	KUNIT_CASE(t13_output_is_no_request_unlocked),
	KUNIT_CASE(a_batch_ends_where_nothing_is_asked_for),
	KUNIT_CASE(one_page_is_asked_for_to_write),
	KUNIT_CASE(legacy_range_within_a_page),
	KUNIT_CASE(legacy_range_within_a_huge_page),
	KUNIT_CASE(errors_take_the_place_of_holes),
	KUNIT_CASE(sticky_bits_stay_among_many),
	KUNIT_CASE(fours_end_with_the_window),
	KUNIT_CASE(a_block_is_more_than_its_first_entry),
	KUNIT_CASE(legacy_range_is_spoilt_before_it_fails),
	KUNIT_CASE(an_unstable_mm_is_refused),
	KUNIT_CASE(one_flag_tells_two_ptes_apart),
#ifndef CONFIG_LOCKDEP
	KUNIT_CASE(a_pfn_without_memory_is_an_error),
#endif
	{ }
};

static struct kunit_suite hmm_edge_suite = {
	.name = "hmm_edge",
	.init = hmm_test_attach_mm,
	.test_cases = hmm_edge_cases,
};

kunit_test_suite(hmm_edge_suite);
