// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of what a retry of a tracked range walks, of who holds the mmap
 * lock after a call, and of the errno that it gives. The number in a test's name
 * is that of the property in Documentation/mm/hmm_tests.rst.
 *
 * What has been walked is seen in the array: it is filled with a value that no
 * walk stores, and what a walk passed over still has it.
 */
#include <kunit/resource.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "hmm_kunit.h"

/* No pfn has all of these bits, and it is none of the sticky ones. */
#define UNTOUCHED	((1UL << HMM_PFN_ORDER_SHIFT) - 1)

static int owner;

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

/* Pages of the test's own from hmm_test_addr(0) on. */
static void map_pages(struct kunit *test, struct file *file, unsigned long nr,
		      unsigned long prot)
{
	const unsigned long flags = MAP_PRIVATE | MAP_FIXED |
				    (file ? 0 : MAP_ANONYMOUS);

	KUNIT_ASSERT_EQ(test, kunit_vm_mmap(test, file, hmm_test_addr(0),
					    nr * PAGE_SIZE, prot, flags, 0),
			hmm_test_addr(0));
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

	map_pages(test, NULL, nr, PROT_READ | PROT_WRITE);
	range = fault_range(test, nr);
	range->default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	range->default_flags = HMM_PFN_REQ_FAULT;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_ASSERT_TRUE(test, hmm_range_valid(range));
	return range;
}

static void forget_entries(struct hmm_range *range, unsigned long first,
			   unsigned long end)
{
	for (unsigned long i = first; i < end; i++)
		range->hmm_pfns[i] = UNTOUCHED;
}

/* The first entry of @nr, from @first on, that has been stored, or not. */
static unsigned long next_entry(const struct hmm_range *range, unsigned long nr,
				unsigned long first, bool stored)
{
	while (first < nr && (range->hmm_pfns[first] != UNTOUCHED) != stored)
		first++;
	return first;
}

/* Exactly the entries [first, end) of @nr have been stored, and are valid. */
static void expect_walked(struct kunit *test, struct hmm_range *range,
			  unsigned long nr, unsigned long first,
			  unsigned long end)
{
	unsigned long invalid = first;

	if (first == end) {
		KUNIT_EXPECT_EQ(test, next_entry(range, nr, 0, true), nr);
		return;
	}
	KUNIT_EXPECT_EQ(test, next_entry(range, nr, 0, true), first);
	KUNIT_EXPECT_EQ(test, next_entry(range, nr, first, false), end);
	KUNIT_EXPECT_EQ(test, next_entry(range, nr, end, true), nr);
	while (invalid < end && (range->hmm_pfns[invalid] & HMM_PFN_VALID))
		invalid++;
	KUNIT_EXPECT_EQ(test, invalid, end);
}

static void t8_retry_walks_the_chunks_that_were_hit(struct kunit *test)
{
	static const unsigned long sizes[] = { 1, 3, 64, 65, 128, 129, 300 };

	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		const unsigned long nr = sizes[i];
		struct hmm_range *range = faulted_range(test, nr);
		unsigned long chunk = 1;

		while (chunk * 64 < nr)
			chunk *= 2;
		for (unsigned long hit = 0; hit < nr; hit += nr / 3 + 1) {
			unsigned long first = hit / chunk * chunk;

			forget_entries(range, 0, nr);
			hmm_test_invalidate(test_mm(test), hit, 1);
			KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
			KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
			KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
			expect_walked(test, range, nr, first,
				      min(first + chunk, nr));
		}
		hmm_test_unregister(test, range);
	}
}

static void t8_hits_add_up(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, 64);
	struct mmu_notifier_range *late;

	forget_entries(range, 0, 64);
	hmm_test_invalidate(test_mm(test), 6, 1);
	hmm_test_invalidate(test_mm(test), 4, 2);
	late = hmm_test_start(test, test_mm(test), 7, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	expect_walked(test, range, 64, 0, 0);
	hmm_test_end(test, late);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	expect_walked(test, range, 64, 4, 8);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

static void t8_a_new_call_walks_everything(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, 64);

	forget_entries(range, 0, 64);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	expect_walked(test, range, 64, 0, 64);
}

/* Nobody is told when a page is populated. */
static void t8_a_new_call_sees_what_was_populated(struct kunit *test)
{
	struct hmm_range *range, *other;

	map_pages(test, NULL, 64, PROT_READ | PROT_WRITE);
	range = hmm_test_range(test, test_mm(test), 0, 64);
	other = fault_range(test, 64);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_EQ(test, range->hmm_pfns[40], 0);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(other), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	expect_walked(test, range, 64, 0, 64);
}

/* Fault, be invalidated, let @change happen: is everything walked then? */
#define WALKS_ALL_AFTER(change) do {					\
	range->hmm_pfns = pfns;						\
	range->default_flags = HMM_PFN_REQ_FAULT;			\
	range->pfn_flags_mask = 0;					\
	range->dev_private_owner = NULL;				\
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);		\
	forget_entries(range, 0, 64);					\
	hmm_test_invalidate(test_mm(test), 7, 1);			\
	change;								\
	forget_entries(range, 0, 64);					\
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);		\
	expect_walked(test, range, 64, 0, 64);				\
} while (0)

static void t8_only_the_same_call_is_a_retry(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, 64);
	unsigned long *pfns = range->hmm_pfns;
	unsigned long *others = hmm_test_alloc_range(test, 64)->hmm_pfns;

	WALKS_ALL_AFTER(range->default_flags |= HMM_PFN_REQ_WRITE);
	WALKS_ALL_AFTER(range->default_flags = 0);
	WALKS_ALL_AFTER(range->pfn_flags_mask = HMM_PFN_REQ_WRITE);
	WALKS_ALL_AFTER(range->dev_private_owner = &owner);
	WALKS_ALL_AFTER(range->hmm_pfns = others);
	WALKS_ALL_AFTER(KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
			hmm_test_invalidate(test_mm(test), 7, 1));
	WALKS_ALL_AFTER(KUNIT_EXPECT_EQ(test, hmm_range_begin(range), 0);
			hmm_test_invalidate(test_mm(test), 9, 1));
}

static void t8_a_part_of_the_range_is_another_call(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, 64);

	forget_entries(range, 0, 64);
	hmm_test_invalidate(test_mm(test), 7, 1);
	range->start += 4 * PAGE_SIZE;
	range->end -= 4 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	/* The array starts where the walk does. */
	expect_walked(test, range, 64, 0, 56);

	forget_entries(range, 0, 64);
	hmm_test_invalidate(test_mm(test), 7, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	expect_walked(test, range, 64, 3, 4);

	/* Hit where it was not walked: there is nothing to be walked again. */
	forget_entries(range, 0, 64);
	hmm_test_invalidate(test_mm(test), 0, 1);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	expect_walked(test, range, 64, 0, 0);
}

static void t8_with_a_mask_everything_is_walked(struct kunit *test)
{
	struct hmm_range *range = faulted_range(test, 64);

	range->default_flags = 0;
	range->pfn_flags_mask = HMM_PFN_REQ_FAULT;
	for (int i = 0; i < 2; i++) {
		forget_entries(range, 0, 64);
		range->hmm_pfns[7] = HMM_PFN_REQ_FAULT;
		hmm_test_invalidate(test_mm(test), 7, 1);
		KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
		expect_walked(test, range, 64, 0, 64);
	}
}

/* A mapping whose faults are counted, and are done as the test tells. */
struct recorder {
	unsigned int faults;
	bool may_drop_lock;
	/* Drop the mmap lock once, at this page. */
	unsigned long drop_at;
	/* Invalidate the first page with each fault. */
	bool churn;
	vm_fault_t failure;
};

static vm_fault_t record_fault(struct vm_fault *vmf)
{
	struct recorder *recorder = vmf->vma->vm_private_data;

	recorder->faults++;
	recorder->may_drop_lock = vmf->flags & FAULT_FLAG_ALLOW_RETRY;
	if (recorder->failure)
		return recorder->failure;
	if (recorder->may_drop_lock && vmf->pgoff == recorder->drop_at) {
		recorder->drop_at = ULONG_MAX;
		release_fault_lock(vmf);
		return VM_FAULT_RETRY;
	}
	if (recorder->churn)
		hmm_test_invalidate(vmf->vma->vm_mm, 0, 1);
	vmf->page = alloc_page(GFP_HIGHUSER | __GFP_ZERO);
	return vmf->page ? 0 : VM_FAULT_OOM;
}

static const struct vm_operations_struct recorder_vm_ops = {
	.fault = record_fault,
};

static int recorder_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &recorder_vm_ops;
	vma->vm_private_data = file->private_data;
	return 0;
}

static const struct file_operations recorder_fops = {
	.mmap = recorder_mmap,
};

KUNIT_DEFINE_ACTION_WRAPPER(put_file, fput, struct file *);

/* @nr pages of it from hmm_test_addr(0) on. */
static struct recorder *map_recorder(struct kunit *test, unsigned long nr)
{
	struct recorder *recorder;
	struct file *file;

	recorder = kunit_kzalloc(test, sizeof(*recorder), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, recorder);
	recorder->drop_at = ULONG_MAX;
	file = anon_inode_getfile("hmm_kunit", &recorder_fops, recorder, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_file, file), 0);
	map_pages(test, file, nr, PROT_READ);
	return recorder;
}

/* Returns what the call does, with the mmap lock let go if it still is held. */
static int fault_locked(struct hmm_range *range, int *locked)
{
	struct mm_struct *mm = range->tracking.mm;
	int ret;

	mmap_read_lock(mm);
	*locked = 1;
	ret = hmm_range_fault_locked(range, locked);
	if (*locked)
		mmap_read_unlock(mm);
	return ret;
}

static void t8_what_is_left_comes_back_when_a_walk_fails(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, 64);
	struct hmm_range *range = fault_range(test, 64);
	unsigned long done;
	int locked;

	forget_entries(range, 0, 64);
	recorder->drop_at = 40;
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), -EBUSY);
	KUNIT_EXPECT_EQ(test, locked, 0);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	/* It may fault some pages ahead of those that it stores. */
	done = next_entry(range, 64, 0, false);
	KUNIT_ASSERT_GT(test, done, 1);
	KUNIT_ASSERT_LE(test, done, 40);
	expect_walked(test, range, 64, 0, done);

	/* All that was done is kept, but for what is hit now. */
	forget_entries(range, 0, 64);
	hmm_test_invalidate(test_mm(test), done - 1, 1);
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), 0);
	KUNIT_EXPECT_EQ(test, locked, 1);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	expect_walked(test, range, 64, done - 1, 64);
	KUNIT_EXPECT_EQ(test, recorder->faults, 65);
}

/* Chunks of four pages: the first one is left in its middle. */
static void t8_a_chunk_left_in_its_middle_comes_back(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, 256);
	struct hmm_range *range = fault_range(test, 256);
	int locked;

	forget_entries(range, 0, 256);
	recorder->drop_at = 1;
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), -EBUSY);
	expect_walked(test, range, 256, 0, 1);
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	expect_walked(test, range, 256, 0, 256);
}

static void t8_a_final_error_ends_the_call(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, 64);
	struct hmm_range *range = fault_range(test, 64);

	recorder->failure = VM_FAULT_SIGBUS;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EFAULT);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	recorder->failure = 0;
	forget_entries(range, 0, 64);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	expect_walked(test, range, 64, 0, 64);
}

/* The first page is invalidated with each fault. The others are walked once. */
static void t8_retries_converge_under_local_churn(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, 64);
	struct hmm_range *range = fault_range(test, 64);
	unsigned int walked = 0, calls = 0;
	int ret;

	recorder->churn = true;
	do {
		forget_entries(range, 0, 64);
		ret = hmm_test_fault(range);
		for (int i = 1; i < 64; i++)
			walked += range->hmm_pfns[i] != UNTOUCHED;
	} while (ret == -EBUSY && ++calls < 1000);

	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, calls, 1);
	KUNIT_EXPECT_EQ(test, walked, 63);
	KUNIT_EXPECT_EQ(test, recorder->faults, 64);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

static void t1_invalidated_while_it_faults(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, 1);
	struct hmm_range *range = fault_range(test, 1);

	recorder->churn = true;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
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
	struct recorder *recorder = map_recorder(test, 1);
	struct hmm_range *range = fault_range(test, 1);
	struct mmu_notifier_range *invalidation;
	int locked;

	invalidation = hmm_test_start(test, test_mm(test), 0, 1);
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), -EBUSY);
	KUNIT_EXPECT_EQ(test, locked, 1);
	hmm_test_end(test, invalidation);

	recorder->drop_at = 0;
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), -EBUSY);
	KUNIT_EXPECT_EQ(test, locked, 0);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&test_mm(test)->mmap_lock));
	KUNIT_EXPECT_EQ(test, fault_locked(range, &locked), 0);
	KUNIT_EXPECT_EQ(test, locked, 1);
}

static void fault_keeps_the_lock(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, 4);
	struct hmm_range *range = fault_range(test, 4);

	recorder->drop_at = 2;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_FALSE(test, recorder->may_drop_lock);
	KUNIT_EXPECT_EQ(test, recorder->faults, 4);
}

static void unlocked_fault_retries(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, 4);
	struct hmm_range *range = fault_range(test, 4);

	recorder->drop_at = 2;
	recorder->churn = true;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_TRUE(test, recorder->may_drop_lock);
	KUNIT_EXPECT_EQ(test, recorder->faults, 5);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&test_mm(test)->mmap_lock));
}

static void errno_of_a_fault(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, 4);
	struct hmm_range *range = fault_range(test, 4);
	struct hmm_range *nothing = hmm_test_range(test, test_mm(test), 100, 4);

	recorder->failure = VM_FAULT_OOM;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -ENOMEM);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -ENOMEM);
	recorder->failure = VM_FAULT_SIGBUS;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EFAULT);
	recorder->failure = 0;

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

static bool legacy_invalidate(struct mmu_interval_notifier *interval,
			      const struct mmu_notifier_range *invalidation,
			      unsigned long cur_seq)
{
	mmu_interval_set_seq(interval, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops legacy_ops = {
	.invalidate = legacy_invalidate,
};

KUNIT_DEFINE_ACTION_WRAPPER(remove_interval, mmu_interval_notifier_remove,
			    struct mmu_interval_notifier *);

/* As a driver of old has it: what it does not know of is not even zeroed. */
static struct hmm_range *legacy_range(struct kunit *test, unsigned long nr)
{
	struct hmm_range *range = hmm_test_alloc_range(test, nr);
	unsigned long *pfns = range->hmm_pfns;
	struct mmu_interval_notifier *interval;

	interval = kunit_kzalloc(test, sizeof(*interval), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, interval);
	KUNIT_ASSERT_EQ(test, mmu_interval_notifier_insert(interval, test_mm(test),
							   hmm_test_addr(0),
							   nr * PAGE_SIZE,
							   &legacy_ops), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, remove_interval,
							interval), 0);
	memset(range, 0xa5, sizeof(*range));
	range->notifier = interval;
	range->start = hmm_test_addr(0);
	range->end = hmm_test_addr(nr);
	range->hmm_pfns = pfns;
	range->default_flags = HMM_PFN_REQ_FAULT;
	range->pfn_flags_mask = 0;
	range->dev_private_owner = NULL;
	return range;
}

static int legacy_fault(struct hmm_range *range)
{
	struct mm_struct *mm = range->notifier->mm;
	int ret;

	mmap_read_lock(mm);
	ret = hmm_range_fault(range);
	mmap_read_unlock(mm);
	return ret;
}

static void legacy_range_works_as_before(struct kunit *test)
{
	struct mmu_interval_notifier *interval;
	struct hmm_range *range, before;

	map_recorder(test, 64);
	range = legacy_range(test, 64);
	interval = range->notifier;
	before = *range;

	range->notifier_seq = mmu_interval_read_begin(interval);
	KUNIT_EXPECT_EQ(test, legacy_fault(range), 0);
	expect_walked(test, range, 64, 0, 64);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(interval,
							 range->notifier_seq));

	/* Hit, it is walked as a whole, and not before the driver begins anew. */
	hmm_test_invalidate(test_mm(test), 7, 1);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_retry(interval,
							range->notifier_seq));
	KUNIT_EXPECT_EQ(test, legacy_fault(range), -EBUSY);
	forget_entries(range, 0, 64);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	expect_walked(test, range, 64, 0, 64);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(interval,
							 range->notifier_seq));

	before.notifier_seq = range->notifier_seq;
	KUNIT_EXPECT_MEMEQ(test, range, &before, sizeof(before));
}

static int hmm_retry_test_init(struct kunit *test)
{
	int ret = kunit_attach_mm();

	test->priv = current->mm;
	return ret;
}

static struct kunit_case hmm_retry_cases[] = {
	KUNIT_CASE(t1_invalidated_while_it_faults),
	KUNIT_CASE(t8_retry_walks_the_chunks_that_were_hit),
	KUNIT_CASE(t8_hits_add_up),
	KUNIT_CASE(t8_a_new_call_walks_everything),
	KUNIT_CASE(t8_a_new_call_sees_what_was_populated),
	KUNIT_CASE(t8_only_the_same_call_is_a_retry),
	KUNIT_CASE(t8_a_part_of_the_range_is_another_call),
	KUNIT_CASE(t8_with_a_mask_everything_is_walked),
	KUNIT_CASE(t8_what_is_left_comes_back_when_a_walk_fails),
	KUNIT_CASE(t8_a_chunk_left_in_its_middle_comes_back),
	KUNIT_CASE(t8_a_final_error_ends_the_call),
	KUNIT_CASE(t8_retries_converge_under_local_churn),
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
	.init = hmm_retry_test_init,
	.test_cases = hmm_retry_cases,
};

kunit_test_suite(hmm_retry_suite);
