// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of what a retry of a tracked range walks, of who holds the mmap
 * lock after a call, and of the errno that it gives. The number in a test's name
 * is that of the property in Documentation/mm/hmm_tests.rst.
 */
#include <kunit/resource.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "hmm_kunit.h"

#define NR	64
#define FAULT_WRITE	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

static int owner;

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

/* A registered range of @nr pages that are to be faulted in. */
static struct hmm_range *fault_range(struct kunit *test, unsigned long nr)
{
	struct hmm_range *range = hmm_test_range(test, test_mm(test), 0, nr);

	range->default_flags = HMM_PFN_REQ_FAULT;
	return range;
}

/* The same of anonymous memory, all of it faulted in, and writable. */
static struct hmm_range *faulted_range(struct kunit *test, unsigned long nr)
{
	struct hmm_range *range;

	hmm_test_map(test, NULL, 0, nr, PROT_READ | PROT_WRITE);
	range = fault_range(test, nr);
	range->default_flags = FAULT_WRITE;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_ASSERT_TRUE(test, hmm_range_valid(range));
	hmm_test_forget(range, nr);
	return range;
}

static void t8_a_retry_walks_the_pages_that_were_hit(struct kunit *test)
{
	static const unsigned long sizes[] = { 1, 3, 64, 65, 128, 129, 300 };

	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		const unsigned long nr = sizes[i];
		struct hmm_range *range = faulted_range(test, nr);

		for (unsigned long hit = 0; hit < nr; hit += nr / 3 + 1) {
			hmm_test_forget(range, nr);
			hmm_test_invalidate(test_mm(test), hit, 1);
			KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
			KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
			KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
			HMM_TEST_WALKED(test, range, nr, { hit, hit + 1 });
		}
		hmm_test_unregister(test, range);
	}
}

static void t8_hits_add_up(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, NR);
	struct mmu_notifier_range *late;

	hmm_test_invalidate(test_mm(test), 6, 1);
	hmm_test_invalidate(test_mm(test), 4, 2);
	hmm_test_invalidate(test_mm(test), 30, 3);
	late = hmm_test_start(test, test_mm(test), 7, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), -EBUSY);
	HMM_TEST_WALKED(test, range, NR, { 4, 7 }, { 30, 33 });
	hmm_test_end(test, late);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));

	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 7, 8 });
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));

	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { });
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* What was hit lies in the first vma and in the last one; no two are alike. */
static void t8_hits_in_two_of_three_vmas(struct kunit *test)
{
	struct hmm_range *range;

	hmm_test_map(test, NULL, 0, 2, PROT_READ | PROT_WRITE);
	hmm_test_map(test, NULL, 2, 2, PROT_READ);
	hmm_test_map(test, NULL, 4, 2, PROT_READ | PROT_WRITE);
	range = fault_range(test, 6);
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	hmm_test_forget(range, 6);
	hmm_test_invalidate(test_mm(test), 0, 1);
	hmm_test_invalidate(test_mm(test), 5, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, 6, { 0, 1 }, { 5, 6 });
	/* Nobody went on from there: what is behind all of them was not faulted in. */
	KUNIT_EXPECT_EQ(test, hmm_test_mapped(test_mm(test), 6), 0);
}

/* Every fifth page is hit, each alone. Nothing adjoins, so eight fit. */
static void t8_eight_pages_are_kept_exactly(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, 300);

	for (int i = 8; i >= 1; i--)
		hmm_test_invalidate(test_mm(test), i * 30, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, 300, { 30, 31 }, { 60, 61 }, { 90, 91 },
			{ 120, 121 }, { 150, 151 }, { 180, 181 }, { 210, 211 },
			{ 240, 241 });
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* 300 pages are divided into chunks of eight. */
static void t8_the_ninth_is_kept_as_a_chunk(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, 300);

	for (int i = 1; i <= 9; i++)
		hmm_test_invalidate(test_mm(test), i * 30, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, 300, { 30, 31 }, { 60, 61 }, { 90, 91 },
			{ 120, 121 }, { 150, 151 }, { 180, 181 }, { 210, 211 },
			{ 240, 241 }, { 264, 272 });
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* Equal notes, and those that adjoin or overlap, share a place. */
static void t8_notes_that_adjoin_share_a_place(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, 300);

	for (int i = 0; i < 20; i++)
		hmm_test_invalidate(test_mm(test), 101 + i, 1);
	for (int i = 0; i < 20; i++)
		hmm_test_invalidate(test_mm(test), 221 - i, 2);
	for (int i = 0; i < 20; i++)
		hmm_test_invalidate(test_mm(test), 31, 1);
	/* The last one joins two that were apart. */
	hmm_test_invalidate(test_mm(test), 3, 2);
	hmm_test_invalidate(test_mm(test), 7, 2);
	hmm_test_invalidate(test_mm(test), 5, 2);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, 300, { 3, 9 }, { 31, 32 }, { 101, 121 },
			{ 202, 223 });
}

static void t8_a_new_call_walks_everything(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, NR);

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 0, NR });

	/* Also when the one before did not end well. */
	hmm_test_start(test, test_mm(test), 7, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	HMM_TEST_WALKED(test, range, NR, { 0, 7 }, { 8, NR });
}

/* It is for one walk, and the next is a new one again. */
static void t8_a_retry_is_told_once(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, NR);

	hmm_test_invalidate(test_mm(test), 7, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 7, 8 });
	hmm_test_forget(range, NR);
	hmm_test_invalidate(test_mm(test), 7, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 0, NR });

	/* One that is refused uses it up, too. */
	hmm_test_forget(range, NR);
	range->pfn_flags_mask = HMM_PFN_REQ_FAULT;
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	range->pfn_flags_mask = 0;
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 0, NR });
}

/* A driver that frees its array and allocates another gets the same address. */
static void t8_an_array_at_the_same_address_is_filled(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, NR);
	const unsigned long size = NR * sizeof(*range->hmm_pfns);
	unsigned long *array = range->hmm_pfns;

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	hmm_test_invalidate(test_mm(test), 7, 1);
	/* As after kfree() and kmalloc(); none of the sticky bits is in this. */
	memset(array, 0x43, size);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	hmm_test_expect_mapped(test, range, NR);
	hmm_test_invalidate(test_mm(test), 7, 1);
	memset(array, 0x43, size);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	hmm_test_expect_mapped(test, range, NR);
}

/* Nobody is told when a page is populated: told or not, holes are read again. */
static void t8_a_snapshot_sees_what_was_populated(struct kunit *test)
{
	struct hmm_range *range, *other;

	hmm_test_map(test, NULL, 0, NR, PROT_READ | PROT_WRITE);
	for (int told = 0; told < 2; told++) {
		range = hmm_test_range(test, test_mm(test), 0, NR);
		other = hmm_test_range(test, test_mm(test), 40 + told, 1);
		other->default_flags = FAULT_WRITE;
		KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
		KUNIT_EXPECT_EQ(test, range->hmm_pfns[40 + told], 0);
		KUNIT_EXPECT_EQ(test, hmm_test_fault(other), 0);
		hmm_test_invalidate(test_mm(test), 7, 1);
		if (told)
			hmm_range_retry(range);
		KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
		KUNIT_EXPECT_EQ(test, range->hmm_pfns[40 + told],
				other->hmm_pfns[0]);
		hmm_test_expect_mapped(test, range, NR);
		KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	}
}

/* The same of a fault that asks for nothing. */
static void t8_a_fault_for_nothing_sees_what_was_populated(struct kunit *test)
{
	struct hmm_range *range, *other;

	hmm_test_map(test, NULL, 0, NR, PROT_READ | PROT_WRITE);
	range = hmm_test_range(test, test_mm(test), 0, NR);
	other = hmm_test_range(test, test_mm(test), 40, 1);
	other->default_flags = FAULT_WRITE;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(other), 0);
	hmm_test_invalidate(test_mm(test), 7, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	hmm_test_expect_mapped(test, range, NR);
}

/* Fault, be invalidated, let @change happen: is everything walked then? */
#define WALKS_ALL_AFTER(change) do {					\
	range->hmm_pfns = pfns;						\
	range->default_flags = HMM_PFN_REQ_FAULT;			\
	range->pfn_flags_mask = 0;					\
	range->dev_private_owner = NULL;				\
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);		\
	hmm_test_forget(range, NR);					\
	hmm_test_invalidate(test_mm(test), 7, 1);			\
	change;								\
	hmm_test_forget(range, NR);					\
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);		\
	HMM_TEST_WALKED(test, range, NR, { 0, NR });			\
} while (0)

static void t8_only_the_same_call_is_a_retry(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, NR);
	unsigned long *pfns = range->hmm_pfns;
	unsigned long *others = hmm_test_alloc_range(test, NR)->hmm_pfns;

	WALKS_ALL_AFTER(range->default_flags |= HMM_PFN_REQ_WRITE);
	WALKS_ALL_AFTER(range->default_flags = 0);
	WALKS_ALL_AFTER(range->pfn_flags_mask = HMM_PFN_REQ_WRITE);
	WALKS_ALL_AFTER(range->dev_private_owner = &owner);
	WALKS_ALL_AFTER(range->hmm_pfns = others);
	WALKS_ALL_AFTER(KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
			hmm_test_invalidate(test_mm(test), 7, 1));
	WALKS_ALL_AFTER(KUNIT_EXPECT_EQ(test, hmm_range_begin(range), 0);
			hmm_test_invalidate(test_mm(test), 9, 1));
	/* With a mask the array was input, and that is gone. */
	WALKS_ALL_AFTER(range->pfn_flags_mask = HMM_PFN_REQ_FAULT;
			KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
			hmm_test_invalidate(test_mm(test), 7, 1);
			range->pfn_flags_mask = 0);
}

static void t8_a_part_of_the_range_is_another_call(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, NR);

	hmm_test_invalidate(test_mm(test), 7, 1);
	range->start += 4 * PAGE_SIZE;
	range->end -= 4 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	/* The array starts where the walk does. */
	HMM_TEST_WALKED(test, range, NR, { 0, NR - 8 });

	hmm_test_forget(range, NR);
	hmm_test_invalidate(test_mm(test), 7, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 3, 4 });
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* Validity is about the window of the last walk, or of the last begin. */
static void t1_validity_is_of_the_window(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, NR);
	const unsigned long start = range->start;

	range->start = hmm_test_addr(10);
	range->end = hmm_test_addr(20);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	hmm_test_invalidate(test_mm(test), 0, 10);
	hmm_test_invalidate(test_mm(test), 20, 10);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_start(test, test_mm(test), 30, 1);
	KUNIT_EXPECT_TRUE(test, hmm_range_wait_until_valid(range, 0));
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_invalidate(test_mm(test), 0, 10);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	/* Other bounds that nobody has walked change nothing. */
	range->start = start;
	hmm_test_invalidate(test_mm(test), 0, 10);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_invalidate(test_mm(test), 19, 10);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
}

static void t8_with_a_mask_everything_is_walked(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, NR);

	range->default_flags = 0;
	range->pfn_flags_mask = HMM_PFN_REQ_FAULT;
	for (int i = 0; i < 2; i++) {
		hmm_test_forget(range, NR);
		range->hmm_pfns[7] = HMM_PFN_REQ_FAULT;
		hmm_test_invalidate(test_mm(test), 7, 1);
		KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
		HMM_TEST_WALKED(test, range, NR, { 0, NR });
	}
}

/* Drop the lock once, at the page that @data says. */
static vm_fault_t drop_lock_at(struct hmm_test_recorder *recorder,
			       struct vm_fault *vmf)
{
	unsigned long *page = recorder->data;

	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY) || vmf->pgoff != *page)
		return 0;
	*page = ULONG_MAX;
	release_fault_lock(vmf);
	return VM_FAULT_RETRY;
}

/* Invalidate the first page with each fault, and leave it mapped. */
static vm_fault_t churn(struct hmm_test_recorder *recorder, struct vm_fault *vmf)
{
	hmm_test_invalidate(vmf->vma->vm_mm, 0, 1);
	return 0;
}

static vm_fault_t churn_and_drop(struct hmm_test_recorder *recorder,
				 struct vm_fault *vmf)
{
	churn(recorder, vmf);
	return drop_lock_at(recorder, vmf);
}

static vm_fault_t out_of_memory(struct hmm_test_recorder *recorder,
				struct vm_fault *vmf)
{
	return VM_FAULT_OOM;
}

static vm_fault_t no_page(struct hmm_test_recorder *recorder,
			  struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static struct hmm_test_recorder *map_recorder(struct kunit *test,
					      unsigned long nr)
{
	return hmm_test_map_recorder(test, nr, PROT_READ, false);
}

/* Returns what the call does, with the mmap lock let go if it still is held. */
static int fault_locked(struct hmm_range *range, int *locked)
{
	struct mm_struct *mm = range->tracking.sub.mm;
	int ret;

	mmap_read_lock(mm);
	*locked = 1;
	ret = hmm_range_fault_locked(range, locked);
	if (*locked)
		mmap_read_unlock(mm);
	return ret;
}

/* The first entry of a new walk that has not been stored. */
static unsigned long first_missing(const struct hmm_range *range)
{
	unsigned long i = 0;

	while (range->hmm_pfns[i] != HMM_TEST_UNTOUCHED)
		i++;
	return i;
}

static void t8_what_is_left_comes_back_when_a_walk_fails(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, NR);
	struct hmm_range *range = fault_range(test, NR);
	unsigned long page = 40, done;
	int locked;

	recorder->hook = drop_lock_at;
	recorder->data = &page;
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), -EBUSY);
	KUNIT_EXPECT_EQ(test, locked, 0);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	/* It may fault some pages ahead of those that it stores. */
	done = first_missing(range);
	KUNIT_ASSERT_GT(test, done, 1);
	KUNIT_ASSERT_LE(test, done, 40);
	HMM_TEST_WALKED(test, range, NR, { 0, done });

	/* All that was done is kept, but for what is hit now. */
	hmm_test_forget(range, NR);
	hmm_test_invalidate(test_mm(test), 0, 1);
	hmm_range_retry(range);
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), 0);
	KUNIT_EXPECT_EQ(test, locked, 1);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	HMM_TEST_WALKED(test, range, NR, { 0, 1 }, { done, NR });
	KUNIT_EXPECT_EQ(test, recorder->faults, NR + 1);
}

/* Where a walk was left is kept to the page, whatever the size of the range. */
static void t8_left_in_mid_range_to_the_page(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, 512);
	struct hmm_range *range = fault_range(test, 512);
	unsigned long page = 1;
	int locked;

	recorder->hook = drop_lock_at;
	recorder->data = &page;
	hmm_test_forget(range, 512);
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), -EBUSY);
	HMM_TEST_WALKED(test, range, 512, { 0, 1 });
	hmm_test_forget(range, 512);
	hmm_range_retry(range);
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	HMM_TEST_WALKED(test, range, 512, { 1, 512 });
}

/* What a retry had still to do when it failed is left for the next. */
static void t8_a_retry_that_fails_leaves_the_rest(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, 512);
	struct hmm_range *range = fault_range(test, 512);
	struct vm_area_struct *vma;
	int locked;

	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	mmap_read_lock(test_mm(test));
	vma = vma_lookup(test_mm(test), range->start);
	hmm_test_zap(vma, 20, 2);
	hmm_test_zap(vma, 300, 2);
	mmap_read_unlock(test_mm(test));
	hmm_test_invalidate(test_mm(test), 400, 4);

	recorder->hook = no_page;
	hmm_test_forget(range, 512);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), -EFAULT);
	HMM_TEST_WALKED(test, range, 512, { });
	recorder->hook = NULL;
	hmm_range_retry(range);
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), 0);
	HMM_TEST_WALKED(test, range, 512, { 20, 22 }, { 300, 302 }, { 400, 404 });
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

static void t8_a_final_error_ends_the_call(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, NR);
	struct hmm_range *range = fault_range(test, NR);

	recorder->hook = no_page;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EFAULT);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	recorder->hook = NULL;
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 0, NR });
}

/*
 * The first page is invalidated with each fault, and is read again, last, in the
 * same call. That costs no further fault, and the others are walked once.
 */
static void t8_converges_under_local_churn(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, NR);
	struct hmm_range *range = fault_range(test, NR);

	recorder->hook = churn;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, NR);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_expect_mapped(test, range, NR);
}

static void locked_has_to_be_1(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, 1);
	int locked;

	mmap_read_lock(test_mm(test));
	KUNIT_EXPECT_EQ(test, hmm_range_fault_locked(range, NULL), -EINVAL);
	locked = 0;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_locked(range, &locked), -EINVAL);
	KUNIT_EXPECT_EQ(test, locked, 0);
	locked = 2;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_locked(range, &locked), -EINVAL);
	KUNIT_EXPECT_EQ(test, locked, 2);
	locked = 1;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_locked(range, &locked), 0);
	KUNIT_EXPECT_EQ(test, locked, 1);
	mmap_read_unlock(test_mm(test));
}

/* -EBUSY for an invalidation leaves the lock held, for a fault it does not. */
static void locked_tells_why_it_is_busy(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, 1);
	struct hmm_range *range = fault_range(test, 1);
	struct mmu_notifier_range *invalidation;
	unsigned long page = 0;
	int locked;

	invalidation = hmm_test_start(test, test_mm(test), 0, 1);
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), -EBUSY);
	KUNIT_EXPECT_EQ(test, locked, 1);
	hmm_test_end(test, invalidation);

	recorder->hook = drop_lock_at;
	recorder->data = &page;
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), -EBUSY);
	KUNIT_EXPECT_EQ(test, locked, 0);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(test_mm(test)));
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), 0);
	KUNIT_EXPECT_EQ(test, locked, 1);
}

static void fault_keeps_the_lock(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, 4);
	struct hmm_range *range = fault_range(test, 4);
	unsigned long page = 2;

	recorder->hook = drop_lock_at;
	recorder->data = &page;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_FALSE(test, recorder->flags & FAULT_FLAG_ALLOW_RETRY);
	KUNIT_EXPECT_EQ(test, recorder->faults, 4);
}

static void unlocked_fault_retries(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, 4);
	struct hmm_range *range = fault_range(test, 4);
	unsigned long page = 2;

	recorder->hook = churn_and_drop;
	recorder->data = &page;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_TRUE(test, recorder->flags & FAULT_FLAG_ALLOW_RETRY);
	KUNIT_EXPECT_EQ(test, recorder->faults, 5);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_expect_mapped(test, range, 4);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(test_mm(test)));
}

static void errno_of_a_fault(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, 4);
	struct hmm_range *range = fault_range(test, 4);
	struct hmm_range *nothing = hmm_test_range(test, test_mm(test), 100, 4);

	recorder->hook = out_of_memory;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -ENOMEM);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -ENOMEM);
	recorder->hook = no_page;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EFAULT);
	recorder->hook = NULL;

	range->default_flags |= HMM_PFN_REQ_WRITE;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EPERM);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));

	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(nothing), 0);
	nothing->default_flags = HMM_PFN_REQ_FAULT;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(nothing), -EFAULT);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(nothing));
}

static void fault_while_killed(struct hmm_test_job *job)
{
	send_sig(SIGKILL, current, 1);
	job->result = job->timeout ?
		hmm_range_fault_unlocked_timeout(job->range, job->timeout) :
		hmm_test_fault(job->range);
}

static void errno_of_a_fatal_signal(struct kunit *test)
{
	struct hmm_test_job args = { };

	map_recorder(test, 4);
	args.range = fault_range(test, 4);
	for (int i = 0; i < 2; i++) {
		struct hmm_test_job *job;

		args.timeout = i * HMM_TEST_LONG;
		job = hmm_test_start_job(test, fault_while_killed, &args);
		KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(job));
		KUNIT_EXPECT_EQ(test, job->result, -EINTR);
		KUNIT_EXPECT_FALSE(test, hmm_range_valid(args.range));
	}
}

static void legacy_range_works_as_before(struct kunit *test)
{
	struct mmu_interval_notifier *interval;
	struct hmm_range *range, before;

	map_recorder(test, NR);
	range = hmm_test_legacy_range(test, NR);
	interval = range->notifier;
	before = *range;

	range->notifier_seq = mmu_interval_read_begin(interval);
	KUNIT_EXPECT_EQ(test, hmm_test_legacy_fault(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 0, NR });
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(interval,
							 range->notifier_seq));

	/* Hit, it is walked as a whole, and not before the driver begins anew. */
	hmm_test_invalidate(test_mm(test), 7, 1);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_retry(interval,
							range->notifier_seq));
	KUNIT_EXPECT_EQ(test, hmm_test_legacy_fault(range), -EBUSY);
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	HMM_TEST_WALKED(test, range, NR, { 0, NR });
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(interval,
							 range->notifier_seq));

	before.notifier_seq = range->notifier_seq;
	KUNIT_EXPECT_MEMEQ(test, range, &before, sizeof(before));
}

static struct kunit_case hmm_retry_cases[] = {
	KUNIT_CASE(t1_validity_is_of_the_window),
	KUNIT_CASE(t8_a_retry_walks_the_pages_that_were_hit),
	KUNIT_CASE(t8_hits_add_up),
	KUNIT_CASE(t8_hits_in_two_of_three_vmas),
	KUNIT_CASE(t8_eight_pages_are_kept_exactly),
	KUNIT_CASE(t8_the_ninth_is_kept_as_a_chunk),
	KUNIT_CASE(t8_notes_that_adjoin_share_a_place),
	KUNIT_CASE(t8_a_new_call_walks_everything),
	KUNIT_CASE(t8_a_retry_is_told_once),
	KUNIT_CASE(t8_an_array_at_the_same_address_is_filled),
	KUNIT_CASE(t8_a_snapshot_sees_what_was_populated),
	KUNIT_CASE(t8_a_fault_for_nothing_sees_what_was_populated),
	KUNIT_CASE(t8_only_the_same_call_is_a_retry),
	KUNIT_CASE(t8_a_part_of_the_range_is_another_call),
	KUNIT_CASE(t8_with_a_mask_everything_is_walked),
	KUNIT_CASE(t8_what_is_left_comes_back_when_a_walk_fails),
	KUNIT_CASE(t8_left_in_mid_range_to_the_page),
	KUNIT_CASE(t8_a_retry_that_fails_leaves_the_rest),
	KUNIT_CASE(t8_a_final_error_ends_the_call),
	KUNIT_CASE(t8_converges_under_local_churn),
	KUNIT_CASE(locked_has_to_be_1),
	KUNIT_CASE(locked_tells_why_it_is_busy),
	KUNIT_CASE(fault_keeps_the_lock),
	KUNIT_CASE(unlocked_fault_retries),
	KUNIT_CASE(errno_of_a_fault),
	KUNIT_CASE(errno_of_a_fatal_signal),
	KUNIT_CASE(legacy_range_works_as_before),
	{ }
};

static struct kunit_suite hmm_retry_suite = {
	.name = "hmm_retry",
	.init = hmm_test_attach_mm,
	.test_cases = hmm_retry_cases,
};

kunit_test_suite(hmm_retry_suite);
