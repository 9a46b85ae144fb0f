// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of T13 where a walk copies pages: each copy invalidates the page
 * that it is of. N pages cost N faults, and no walk starts over.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/uprobes.h>

#include "../internal.h"
#include "hmm_kunit.h"

#define NR		512UL
#define FAULT_WRITE	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

/* In kernels without huge pages there is no such advice, and no need of it. */
static void advise(struct kunit *test, int advice)
{
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		KUNIT_ASSERT_EQ(test, do_madvise(current->mm, hmm_test_addr(0),
						 NR * PAGE_SIZE, advice), 0);
}

static void fault_pages(struct kunit *test, unsigned long flags)
{
	struct hmm_range *range = hmm_test_range(test, current->mm, 0, NR);

	range->default_flags = flags;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	hmm_test_unregister(test, range);
}

/* Anonymous pages, faulted in one by one. */
static void map_pages(struct kunit *test, unsigned long flags)
{
	hmm_test_map(test, NULL, 0, NR, PROT_READ | PROT_WRITE);
	advise(test, MADV_NOHUGEPAGE);
	fault_pages(test, flags);
}

/* As fork() does, to an mm that lives until the end of the test. */
static void share_with_a_child(struct kunit *test)
{
	struct mm_struct *child = hmm_test_mm(test);
	int ret;

	uprobe_start_dup_mmap();
	ret = dup_mmap(child, current->mm);
	uprobe_end_dup_mmap();
	KUNIT_ASSERT_EQ(test, ret, 0);
}

/* One walk of a tracked range gets all of it for write, by a fault a page. */
static void expect_a_fault_a_page(struct kunit *test)
{
	struct hmm_range *range = hmm_test_range(test, current->mm, 0, NR);
	unsigned long faults = current->min_flt;

	range->default_flags = FAULT_WRITE;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, current->min_flt - faults, NR);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_expect_mapped(test, range, NR);
	for (unsigned long i = 0; i < NR; i++)
		KUNIT_ASSERT_TRUE(test, range->hmm_pfns[i] & HMM_PFN_WRITE);
}

/* The walk of an interval notifier says so once, when all has been done. */
static void expect_one_retry_of_a_legacy_range(struct kunit *test)
{
	struct hmm_range *range = hmm_test_legacy_range(test, NR);
	unsigned long faults = current->min_flt;

	range->default_flags = FAULT_WRITE;
	range->notifier_seq = mmu_interval_read_begin(range->notifier);
	KUNIT_EXPECT_EQ(test, hmm_test_legacy_fault(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, current->min_flt - faults, NR);
	range->notifier_seq = mmu_interval_read_begin(range->notifier);
	KUNIT_EXPECT_EQ(test, hmm_test_legacy_fault(range), 0);
	KUNIT_EXPECT_EQ(test, current->min_flt - faults, NR);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(range->notifier,
							 range->notifier_seq));
	hmm_test_expect_mapped(test, range, NR);
}

static void t13_pages_that_a_fork_shares(struct kunit *test)
{
	map_pages(test, FAULT_WRITE);
	share_with_a_child(test);
	expect_a_fault_a_page(test);
}

static void t13_pages_that_a_fork_shares_legacy(struct kunit *test)
{
	map_pages(test, FAULT_WRITE);
	share_with_a_child(test);
	expect_one_retry_of_a_legacy_range(test);
}

static void t13_zero_pages_that_were_read(struct kunit *test)
{
	map_pages(test, HMM_PFN_REQ_FAULT);
	expect_a_fault_a_page(test);
}

static void t13_zero_pages_that_were_read_legacy(struct kunit *test)
{
	map_pages(test, HMM_PFN_REQ_FAULT);
	expect_one_retry_of_a_legacy_range(test);
}

/* The first fault splits the huge page, and copies its page like the others. */
static void t13_a_huge_page_that_a_fork_shares(struct kunit *test)
{
	struct hmm_range *range;

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) || HPAGE_PMD_NR != NR)
		kunit_skip(test, "no huge pages of %lu pages", NR);
	hmm_test_map(test, NULL, 0, NR, PROT_READ | PROT_WRITE);
	advise(test, MADV_HUGEPAGE);
	fault_pages(test, FAULT_WRITE);
	range = hmm_test_range(test, current->mm, 0, NR);
	KUNIT_ASSERT_EQ(test, hmm_test_snapshot(range), 0);
	if (hmm_pfn_to_map_order(range->hmm_pfns[0]) != HPAGE_PMD_ORDER)
		kunit_skip(test, "no huge page to be had");
	share_with_a_child(test);
	expect_a_fault_a_page(test);
}

/* A call that retries for itself needs no more faults than that either. */
static void t13_an_unlocked_call_copies_once(struct kunit *test)
{
	struct hmm_range *range;
	unsigned long faults;

	map_pages(test, FAULT_WRITE);
	share_with_a_child(test);
	range = hmm_test_legacy_range(test, NR);
	range->default_flags = FAULT_WRITE;
	faults = current->min_flt;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, current->min_flt - faults, NR);
	hmm_test_expect_mapped(test, range, NR);
}

static struct kunit_case hmm_copy_cases[] = {
	KUNIT_CASE(t13_pages_that_a_fork_shares),
	KUNIT_CASE(t13_pages_that_a_fork_shares_legacy),
	KUNIT_CASE(t13_zero_pages_that_were_read),
	KUNIT_CASE(t13_zero_pages_that_were_read_legacy),
	KUNIT_CASE(t13_a_huge_page_that_a_fork_shares),
	KUNIT_CASE(t13_an_unlocked_call_copies_once),
	{ }
};

static struct kunit_suite hmm_copy_suite = {
	.name = "hmm_copy",
	.init = hmm_test_attach_mm,
	.test_cases = hmm_copy_cases,
};

kunit_test_suite(hmm_copy_suite);
