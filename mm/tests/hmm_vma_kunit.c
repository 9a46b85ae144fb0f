// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of faults under the lock of a vma, and of when the mmap lock is
 * taken instead. To tell which it was, the test holds the mmap lock for write:
 * a call that ends all the same did without it, and one that sleeps did not.
 */
#include <kunit/resource.h>
#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uprobes.h>

#include "../internal.h"
#include "hmm_kunit.h"

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

static void map_pages(struct kunit *test, unsigned long first, unsigned long nr,
		      unsigned long prot)
{
	hmm_test_map(test, NULL, first, nr, prot);
}

static struct hmm_range *fault_range(struct kunit *test, unsigned long nr,
				     unsigned long write)
{
	struct hmm_range *range = hmm_test_range(test, test_mm(test), 0, nr);

	range->default_flags = HMM_PFN_REQ_FAULT | write;
	return range;
}

static void fault_unlocked(struct hmm_test_job *job)
{
	job->result = hmm_range_fault_unlocked_timeout(job->range, 0);
}

/*
 * Fault @range in while the mmap lock, and the lock of @vma if there is one, is
 * held for write. Returns whether that was in its way.
 */
static bool fault_needs_mmap_lock(struct kunit *test, struct hmm_range *range,
				  struct vm_area_struct *vma)
{
	const struct hmm_test_job args = { .range = range };
	struct hmm_test_job *job;
	bool sleeps;

	mmap_write_lock(test_mm(test));
	if (vma)
		vma_start_write(vma);
	job = hmm_test_start_job(test, fault_unlocked, &args);
	sleeps = hmm_test_job_sleeps(job);
	mmap_write_unlock(test_mm(test));

	KUNIT_EXPECT_TRUE(test, hmm_test_job_ends(job));
	KUNIT_EXPECT_EQ(test, job->result, 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	return sleeps;
}

static void present_pages_need_no_mmap_lock(struct kunit *test)
{
	struct hmm_range *range;

	map_pages(test, 0, 4, PROT_READ | PROT_WRITE);
	range = fault_range(test, 4, HMM_PFN_REQ_WRITE);
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_FALSE(test, fault_needs_mmap_lock(test, range, NULL));
}

/* The first page of all needs it, for the vma to get its anon_vma. */
static void absent_pages_need_no_mmap_lock(struct kunit *test)
{
	struct hmm_range *range;

	map_pages(test, 0, 4, PROT_READ | PROT_WRITE);
	range = fault_range(test, 1, HMM_PFN_REQ_WRITE);
	KUNIT_EXPECT_TRUE(test, fault_needs_mmap_lock(test, range, NULL));
	range = fault_range(test, 4, HMM_PFN_REQ_WRITE);
	KUNIT_EXPECT_FALSE(test, fault_needs_mmap_lock(test, range, NULL));
	hmm_test_expect_mapped(test, range, 4);
	for (int i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, range->hmm_pfns[i] & HMM_PFN_WRITE);
}

static void two_vmas_need_the_mmap_lock(struct kunit *test)
{
	struct hmm_range *range;

	map_pages(test, 0, 2, PROT_READ | PROT_WRITE);
	map_pages(test, 2, 2, PROT_READ);
	range = fault_range(test, 4, 0);
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_TRUE(test, fault_needs_mmap_lock(test, range, NULL));
}

/*
 * With a mask the array is input. Under the lock of the vma a fault may find that
 * it needs the other one, when what has been walked is input no more.
 */
static void a_mask_needs_the_mmap_lock(struct kunit *test)
{
	struct hmm_range *range;

	map_pages(test, 0, 4, PROT_READ);
	range = fault_range(test, 4, 0);
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	range->pfn_flags_mask = HMM_PFN_REQ_FAULT;
	KUNIT_EXPECT_TRUE(test, fault_needs_mmap_lock(test, range, NULL));
}

static void a_vma_that_is_changed_needs_the_mmap_lock(struct kunit *test)
{
	struct vm_area_struct *vma;
	struct hmm_range *range;

	map_pages(test, 0, 4, PROT_READ | PROT_WRITE);
	range = fault_range(test, 4, 0);
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	mmap_read_lock(test_mm(test));
	vma = vma_lookup(test_mm(test), hmm_test_addr(0));
	mmap_read_unlock(test_mm(test));
	KUNIT_ASSERT_NOT_NULL(test, vma);
	KUNIT_EXPECT_TRUE(test, fault_needs_mmap_lock(test, range, vma));
}

static void no_vma_is_no_page(struct kunit *test)
{
	struct hmm_range *range = fault_range(test, 4, 0);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EFAULT);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
}

static struct hmm_test_recorder *map_recorder(struct kunit *test, bool by_vma)
{
	return hmm_test_map_recorder(test, 4, PROT_READ, by_vma);
}

static void a_fault_runs_under_the_lock_of_the_vma(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, true);
	struct hmm_range *range = fault_range(test, 4, 0);

	/* Four PTEs may come in one table or, at its first page, after it. */
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, 4);
	KUNIT_EXPECT_EQ(test, recorder->by_vma, 4);
}

static void a_fault_that_asks_for_it_gets_the_mmap_lock(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, false);
	struct hmm_range *range = fault_range(test, 4, 0);

	KUNIT_EXPECT_TRUE(test, fault_needs_mmap_lock(test, range, NULL));
	KUNIT_EXPECT_EQ(test, recorder->faults, 4);
	KUNIT_EXPECT_EQ(test, recorder->by_vma, 0);
}

/*
 * Unmap the first page with a fault of the last one, and the other way round,
 * until the call has had to walk a second time.
 */
static vm_fault_t zap_other_end(struct hmm_test_recorder *recorder,
				struct vm_fault *vmf)
{
	if (recorder->faults >= 4 && recorder->faults < 8)
		hmm_test_zap(vmf->vma, vmf->pgoff ? 0 : 3, 1);
	return 0;
}

/* An invalidation is no reason to go for the mmap lock. */
static void a_retry_stays_under_the_lock_of_the_vma(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, true);
	struct hmm_range *range = fault_range(test, 4, 0);

	recorder->hook = zap_other_end;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, 8);
	KUNIT_EXPECT_EQ(test, recorder->by_vma, 8);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_expect_mapped(test, range, 4);
}

/* Let go of whatever lock it is, with the first pages of the array forgotten. */
static vm_fault_t forget_and_drop_lock(struct hmm_test_recorder *recorder,
				       struct vm_fault *vmf)
{
	recorder->hook = NULL;
	hmm_test_forget(recorder->data, 3);
	release_fault_lock(vmf);
	return VM_FAULT_RETRY;
}

/* Of four pages three are there, and are read before a fault of the last one. */
static struct hmm_test_recorder *map_three_of_four(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, true);

	KUNIT_ASSERT_EQ(test, hmm_test_fault(fault_range(test, 3, 0)), 0);
	recorder->hook = forget_and_drop_lock;
	recorder->by_vma = 0;
	return recorder;
}

static void t8_what_was_read_by_vma_is_kept(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_three_of_four(test);
	struct hmm_range *range = fault_range(test, 4, 0);

	recorder->data = range;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->by_vma, 1);
	HMM_TEST_WALKED(test, range, 4, { 3, 4 });
}

/* A second vma makes the call take the mmap lock from the beginning. */
static void t8_what_was_read_by_mmap_is_kept(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_three_of_four(test);
	struct hmm_range *range = fault_range(test, 5, 0);

	map_pages(test, 4, 1, PROT_READ);
	recorder->data = range;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->by_vma, 0);
	HMM_TEST_WALKED(test, range, 5, { 3, 5 });
}

/* Refuse the lock of the vma, and drop the mmap lock at one page. */
static vm_fault_t drop_both_locks(struct hmm_test_recorder *recorder,
				  struct vm_fault *vmf)
{
	if (!(vmf->flags & FAULT_FLAG_VMA_LOCK) &&
	    (vmf->pgoff != 2 || recorder->nr_hits[2] > 1))
		return 0;
	release_fault_lock(vmf);
	return VM_FAULT_RETRY;
}

/* What was refused once would be again. */
static void a_call_keeps_to_the_mmap_lock(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, true);
	struct hmm_range *range = fault_range(test, 4, 0);

	recorder->hook = drop_both_locks;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->nr_hits[2], 2);
	KUNIT_EXPECT_EQ(test, recorder->by_vma, 1);
}

/* The vma goes away while its lock is let go: it must not be looked at again. */
static vm_fault_t lose_the_vma(struct hmm_test_recorder *recorder,
			       struct vm_fault *vmf)
{
	if (!(vmf->flags & FAULT_FLAG_VMA_LOCK))
		return VM_FAULT_SIGSEGV;
	release_fault_lock(vmf);
	vm_munmap(hmm_test_addr(0), 4 * PAGE_SIZE);
	return VM_FAULT_RETRY;
}

static void a_vma_that_went_is_not_looked_at(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, true);
	struct hmm_range *range = fault_range(test, 4, 0);

	recorder->hook = lose_the_vma;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, recorder->faults, 1);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(test_mm(test)));
}

/* Another one comes to the same place: the fault is one of that. */
static vm_fault_t replace_the_vma(struct hmm_test_recorder *recorder,
				  struct vm_fault *vmf)
{
	if (!(vmf->flags & FAULT_FLAG_VMA_LOCK))
		return VM_FAULT_SIGSEGV;
	release_fault_lock(vmf);
	if (vm_mmap(NULL, hmm_test_addr(0), 4 * PAGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0) !=
	    hmm_test_addr(0))
		recorder->faults = UINT_MAX;
	return VM_FAULT_RETRY;
}

static void a_vma_that_was_replaced_is_not_looked_at(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, true);
	struct hmm_range *range = fault_range(test, 4, 0);

	recorder->hook = replace_the_vma;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, 1);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_expect_mapped(test, range, 4);
}

/* The mm of a child, with what is mapped here, which has one user: the test. */
static struct mm_struct *fork_mm(struct kunit *test)
{
	struct mm_struct *child = hmm_test_mm(test);
	int ret;

	uprobe_start_dup_mmap();
	ret = dup_mmap(child, test_mm(test));
	uprobe_end_dup_mmap();
	KUNIT_ASSERT_EQ(test, ret, 0);
	return child;
}

/*
 * Without users the vmas may be going away, and no lock keeps them: none is to
 * be asked for. Here both are held for write, so that one who asks sleeps.
 */
static void t12_without_users_no_lock_is_taken(struct kunit *test)
{
	struct hmm_test_job args = { }, *job;
	struct mm_struct *child;

	map_recorder(test, true);
	child = fork_mm(test);
	args.range = hmm_test_range(test, child, 0, 4);
	args.range->default_flags = HMM_PFN_REQ_FAULT;

	mmap_write_lock(child);
	vma_start_write(vma_lookup(child, hmm_test_addr(0)));
	/* As in the last mmput(), before all is taken down. */
	atomic_dec(&child->mm_users);
	job = hmm_test_start_job(test, fault_unlocked, &args);
	KUNIT_EXPECT_FALSE(test, hmm_test_job_sleeps(job));
	atomic_inc(&child->mm_users);
	mmap_write_unlock(child);
	KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(job));
	KUNIT_EXPECT_EQ(test, job->result, -EFAULT);
	KUNIT_EXPECT_EQ(test, atomic_read(&child->mm_users), 1);
}

/* Who runs the release of the drivers of an mm? */
struct releaser {
	struct mmu_notifier notifier;
	struct task_struct *task;
	struct completion done;
};

static void note_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct releaser *releaser = container_of(notifier, struct releaser,
						 notifier);

	releaser->task = current;
	complete(&releaser->done);
}

static const struct mmu_notifier_ops releaser_ops = {
	.release = note_release,
};

/* All others that use the mm go while it is faulted in. */
static vm_fault_t drop_last_user(struct hmm_test_recorder *recorder,
				 struct vm_fault *vmf)
{
	recorder->hook = NULL;
	hmm_test_kill_mm(recorder->data, vmf->vma->vm_mm);
	return 0;
}

/* A worker of a driver may be what that driver's release waits for. */
static void t12_the_last_user_is_put_elsewhere(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, true);
	struct mm_struct *child = fork_mm(test);
	struct hmm_range *range = hmm_test_range(test, child, 0, 4);
	struct releaser *releaser;

	releaser = kunit_kzalloc(test, sizeof(*releaser), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, releaser);
	init_completion(&releaser->done);
	releaser->notifier.ops = &releaser_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&releaser->notifier, child),
			0);
	range->default_flags = HMM_PFN_REQ_FAULT;
	recorder->data = test;
	recorder->hook = drop_last_user;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_TRUE(test, wait_for_completion_timeout(&releaser->done,
							    HMM_TEST_LONG));
	KUNIT_EXPECT_PTR_NE(test, releaser->task, current);
	mmu_notifier_unregister(&releaser->notifier, child);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EFAULT);
}

/* As said, with the mmap lock kept by the caller, a fault knows of no other. */
static void a_caller_with_the_mmap_lock_keeps_to_it(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_recorder(test, true);
	struct hmm_range *range = fault_range(test, 4, 0);

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, 4);
	KUNIT_EXPECT_EQ(test, recorder->by_vma, 0);
}

static struct kunit_case hmm_vma_cases[] = {
	KUNIT_CASE(present_pages_need_no_mmap_lock),
	KUNIT_CASE(absent_pages_need_no_mmap_lock),
	KUNIT_CASE(two_vmas_need_the_mmap_lock),
	KUNIT_CASE(a_mask_needs_the_mmap_lock),
	KUNIT_CASE(a_vma_that_is_changed_needs_the_mmap_lock),
	KUNIT_CASE(no_vma_is_no_page),
	KUNIT_CASE(a_fault_runs_under_the_lock_of_the_vma),
	KUNIT_CASE(a_fault_that_asks_for_it_gets_the_mmap_lock),
	KUNIT_CASE(a_retry_stays_under_the_lock_of_the_vma),
	KUNIT_CASE(a_caller_with_the_mmap_lock_keeps_to_it),
	KUNIT_CASE(t8_what_was_read_by_vma_is_kept),
	KUNIT_CASE(t8_what_was_read_by_mmap_is_kept),
	KUNIT_CASE(a_call_keeps_to_the_mmap_lock),
	KUNIT_CASE(a_vma_that_went_is_not_looked_at),
	KUNIT_CASE(a_vma_that_was_replaced_is_not_looked_at),
	KUNIT_CASE(t12_without_users_no_lock_is_taken),
	KUNIT_CASE(t12_the_last_user_is_put_elsewhere),
	{ }
};

static struct kunit_suite hmm_vma_suite = {
	.name = "hmm_vma",
	.init = hmm_test_attach_mm,
	.test_cases = hmm_vma_cases,
};

kunit_test_suite(hmm_vma_suite);

MODULE_DESCRIPTION("KUnit tests of HMM faults under the lock of a vma");
MODULE_LICENSE("GPL");
