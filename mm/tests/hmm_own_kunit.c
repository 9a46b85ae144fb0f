// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of T9: what the owner of a range does to memory itself, as it
 * migrates pages to its device, keeps a valid range valid, and is never
 * forgotten by the next walk.
 *
 * Here the owner's migration is an invalidation with its owner, and a real
 * replacement of the page while that is in flight. hmm_range of the selftests
 * has the same with migrate_vma_setup() and device memory.
 */
#include <kunit/resource.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgtable.h>

#include "hmm_kunit.h"

#define NR	16
#define PAGE_A	3
#define PAGE_B	9
/* A page behind the range, that takes the place of one in it. */
#define SPARE	NR

static int owner;

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

KUNIT_DEFINE_ACTION_WRAPPER(unregister_range, hmm_range_unregister,
			    struct hmm_range *);

/* All faulted in, and valid, with a page more that is mapped behind it. */
static struct hmm_range *own_range(struct kunit *test)
{
	struct hmm_range *range = hmm_test_alloc_range(test, NR);
	struct hmm_range *more = hmm_test_range(test, test_mm(test), SPARE, 1);

	more->default_flags = HMM_PFN_REQ_FAULT;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(more), 0);

	range->dev_private_owner = &owner;
	range->ignore_events = BIT(MMU_NOTIFY_MIGRATE);
	KUNIT_ASSERT_EQ(test, hmm_range_register(range, test_mm(test),
						 hmm_test_addr(0),
						 hmm_test_addr(NR)), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister_range,
							range), 0);
	range->default_flags = HMM_PFN_REQ_FAULT;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_ASSERT_TRUE(test, hmm_range_valid(range));
	return range;
}

/*
 * Exchange a page with the spare one, and tell nobody: the caller has. Both are
 * in one vma, which is all that counts of them.
 */
static void exchange_page(struct vm_area_struct *vma, unsigned long page)
{
	const unsigned long addr = hmm_test_addr(page);
	const unsigned long spare = hmm_test_addr(SPARE);
	spinlock_t *ptl; /* of the page table, which has both */
	pte_t *ptep, pte, other;

	ptep = get_locked_pte(vma->vm_mm, addr, &ptl);
	if (WARN_ON_ONCE(!ptep))
		return;
	pte = ptep_get_and_clear(vma->vm_mm, addr, ptep);
	other = ptep_get_and_clear(vma->vm_mm, spare, ptep + SPARE - page);
	set_pte_at(vma->vm_mm, addr, ptep, other);
	set_pte_at(vma->vm_mm, spare, ptep + SPARE - page, pte);
	pte_unmap_unlock(ptep, ptl);
	flush_tlb_range(vma, addr, spare + PAGE_SIZE);
}

static void exchange(struct kunit *test, unsigned long page)
{
	mmap_read_lock(test_mm(test));
	exchange_page(vma_lookup(test_mm(test), hmm_test_addr(page)), page);
	mmap_read_unlock(test_mm(test));
}

static struct mmu_notifier_range *start_own(struct kunit *test,
					    unsigned long page)
{
	return hmm_test_start_event(test, test_mm(test), page, 1,
				    MMU_NOTIFY_MIGRATE, &owner);
}

/* Page A goes elsewhere, and the range stays valid. */
static void migrate(struct kunit *test, unsigned long page)
{
	struct mmu_notifier_range *own = start_own(test, page);

	exchange(test, page);
	hmm_test_end(test, own);
}

static void discard(struct kunit *test, unsigned long page)
{
	KUNIT_EXPECT_EQ(test, do_madvise(test_mm(test), hmm_test_addr(page),
					 PAGE_SIZE, MADV_DONTNEED), 0);
}

static void map_pages(struct kunit *test)
{
	hmm_test_map_recorder(test, NR + 1, PROT_READ, false);
}

/*
 * The owner migrates A, which leaves the range valid. Somebody else discards B.
 * The retry must not keep what the array says of A: that page may be free.
 */
static void t9_a_retry_reads_what_the_owner_migrated(struct kunit *test)
{
	struct hmm_range *range;
	unsigned long before;

	map_pages(test);
	range = own_range(test);
	before = range->hmm_pfns[PAGE_A];
	migrate(test, PAGE_A);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	discard(test, PAGE_B);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));

	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { PAGE_A, PAGE_A + 1 },
			{ PAGE_B, PAGE_B + 1 });
	KUNIT_EXPECT_NE(test, range->hmm_pfns[PAGE_A], before);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* In flight, it is noted by the walk that finds it so, and gone round. */
static void t9_no_walk_begins_in_the_middle_of_one(struct kunit *test)
{
	struct mmu_notifier_range *own;
	struct hmm_range *range;

	map_pages(test);
	range = own_range(test);
	own = start_own(test, PAGE_A);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	KUNIT_EXPECT_FALSE(test, hmm_range_wait_until_valid(range, 0));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EBUSY);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	HMM_TEST_WALKED(test, range, NR, { 0, PAGE_A }, { PAGE_A + 1, NR });
	discard(test, PAGE_B);
	exchange(test, PAGE_A);
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), -EBUSY);
	HMM_TEST_WALKED(test, range, NR, { PAGE_B, PAGE_B + 1 });
	hmm_test_end(test, own);

	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { PAGE_A, PAGE_A + 1 });
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

static void t9_no_begin_in_the_middle_of_one(struct kunit *test)
{
	struct mmu_notifier_range *own;
	struct hmm_range *range;

	map_pages(test);
	range = own_range(test);
	own = start_own(test, PAGE_A);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), -EBUSY);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	hmm_test_end(test, own);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* What comes while the range is not valid is noted when it starts. */
static void t9_own_one_of_an_invalid_range(struct kunit *test)
{
	struct mmu_notifier_range *own;
	struct hmm_range *range;

	map_pages(test);
	range = own_range(test);
	discard(test, PAGE_B);
	own = start_own(test, PAGE_A);
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), -EBUSY);
	HMM_TEST_WALKED(test, range, NR, { PAGE_B, PAGE_B + 1 });
	exchange(test, PAGE_A);
	hmm_test_end(test, own);
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { PAGE_A, PAGE_A + 1 });
}

/*
 * Started and ended in the course of the last fault of a walk, or started only:
 * then @data gets it.
 */
static vm_fault_t migrate_below(struct hmm_test_recorder *recorder,
				struct vm_fault *vmf)
{
	struct mmu_notifier_range own;

	if (vmf->pgoff != NR - 1)
		return 0;
	mmu_notifier_range_init_owner(&own, MMU_NOTIFY_MIGRATE, 0,
				      vmf->vma->vm_mm, hmm_test_addr(PAGE_A),
				      hmm_test_addr(PAGE_A + 1), &owner);
	mmu_notifier_invalidate_range_start(&own);
	exchange_page(vmf->vma, PAGE_A);
	mmu_notifier_invalidate_range_end(&own);
	return 0;
}

static vm_fault_t start_below(struct hmm_test_recorder *recorder,
			      struct vm_fault *vmf)
{
	struct kunit *test = recorder->data;

	if (vmf->pgoff == NR - 1)
		start_own(test, PAGE_A);
	return 0;
}

/* A walk that runs takes it for any other: nobody knows what it has read. */
static void t9_a_walk_takes_it_for_any_other(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct hmm_range *range;
	unsigned long before;

	recorder = hmm_test_map_recorder(test, NR + 1, PROT_READ, false);
	range = own_range(test);
	before = range->hmm_pfns[PAGE_A];
	discard(test, NR - 1);
	recorder->hook = migrate_below;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_NE(test, range->hmm_pfns[PAGE_A], before);
	hmm_test_expect_mapped(test, range, NR);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));

	discard(test, NR - 1);
	recorder->data = test;
	recorder->hook = start_below;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
}

static struct kunit_case hmm_own_cases[] = {
	KUNIT_CASE(t9_a_retry_reads_what_the_owner_migrated),
	KUNIT_CASE(t9_no_walk_begins_in_the_middle_of_one),
	KUNIT_CASE(t9_no_begin_in_the_middle_of_one),
	KUNIT_CASE(t9_own_one_of_an_invalid_range),
	KUNIT_CASE(t9_a_walk_takes_it_for_any_other),
	{ }
};

static struct kunit_suite hmm_own_suite = {
	.name = "hmm_own",
	.init = hmm_test_attach_mm,
	.test_cases = hmm_own_cases,
};

kunit_test_suite(hmm_own_suite);
