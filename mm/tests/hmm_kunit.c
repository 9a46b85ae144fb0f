// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the KUnit tests of tracked ranges share.
 */
#include <kunit/resource.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "hmm_kunit.h"

KUNIT_DEFINE_ACTION_WRAPPER(put_mm, mmput, struct mm_struct *);
KUNIT_DEFINE_ACTION_WRAPPER(drop_mm, mmdrop, struct mm_struct *);
KUNIT_DEFINE_ACTION_WRAPPER(unregister_range, hmm_range_unregister,
			    struct hmm_range *);

/* An address space without a thread, and with one user: the test. */
struct mm_struct *hmm_test_mm(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mm->task_size = TASK_SIZE;
	arch_pick_mmap_layout(mm, &current->signal->rlim[RLIMIT_STACK]);

	/* The struct stays to be looked at after hmm_test_kill_mm(). */
	mmgrab(mm);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, drop_mm, mm), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_mm, mm), 0);
	return mm;
}

/* As the exit of its last thread does. */
void hmm_test_kill_mm(struct kunit *test, struct mm_struct *mm)
{
	kunit_release_action(test, put_mm, mm);
}

/* Zeroed but for an array of @nr entries; not registered. */
struct hmm_range *hmm_test_alloc_range(struct kunit *test, unsigned long nr)
{
	struct hmm_range *range = kunit_kzalloc(test, sizeof(*range), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, range);
	range->hmm_pfns = kunit_kcalloc(test, nr, sizeof(*range->hmm_pfns),
					GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, range->hmm_pfns);
	return range;
}

/* Registered, until hmm_test_unregister() or the end of the test. */
struct hmm_range *hmm_test_range(struct kunit *test, struct mm_struct *mm,
				 unsigned long first, unsigned long nr)
{
	struct hmm_range *range = hmm_test_alloc_range(test, nr);

	KUNIT_ASSERT_EQ(test, hmm_range_register(range, mm, hmm_test_addr(first),
						 hmm_test_addr(first + nr)), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister_range,
							range), 0);
	return range;
}

void hmm_test_unregister(struct kunit *test, struct hmm_range *range)
{
	kunit_release_action(test, unregister_range, range);
}

static void end_invalidation(void *data)
{
	struct mmu_notifier_range *invalidation = data;
	struct mm_struct *mm = invalidation->mm;

	mmu_notifier_invalidate_range_end(invalidation);
	mmdrop(mm);
}

/* In flight until hmm_test_end() or the end of the test. */
struct mmu_notifier_range *
hmm_test_start_event(struct kunit *test, struct mm_struct *mm,
		     unsigned long first, unsigned long nr,
		     enum mmu_notifier_event event, void *owner)
{
	struct mmu_notifier_range *invalidation;

	invalidation = kunit_kzalloc(test, sizeof(*invalidation), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, invalidation);
	mmu_notifier_range_init_owner(invalidation, event, 0, mm,
				      hmm_test_addr(first),
				      hmm_test_addr(first + nr), owner);
	mmgrab(mm);
	mmu_notifier_invalidate_range_start(invalidation);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, end_invalidation,
							invalidation), 0);
	return invalidation;
}

struct mmu_notifier_range *hmm_test_start(struct kunit *test,
					  struct mm_struct *mm,
					  unsigned long first,
					  unsigned long nr)
{
	return hmm_test_start_event(test, mm, first, nr, MMU_NOTIFY_CLEAR, NULL);
}

void hmm_test_end(struct kunit *test, struct mmu_notifier_range *invalidation)
{
	kunit_release_action(test, end_invalidation, invalidation);
}

void hmm_test_invalidate(struct mm_struct *mm, unsigned long first,
			 unsigned long nr)
{
	struct mmu_notifier_range invalidation;

	mmu_notifier_range_init(&invalidation, MMU_NOTIFY_CLEAR, 0, mm,
				hmm_test_addr(first), hmm_test_addr(first + nr));
	mmu_notifier_invalidate_range_start(&invalidation);
	mmu_notifier_invalidate_range_end(&invalidation);
}

int hmm_test_snapshot(struct hmm_range *range)
{
	struct mm_struct *mm = range->tracking.mm;
	int ret;

	mmap_read_lock(mm);
	ret = hmm_range_snapshot(range);
	mmap_read_unlock(mm);
	return ret;
}

int hmm_test_fault(struct hmm_range *range)
{
	struct mm_struct *mm = range->tracking.mm;
	int ret;

	mmap_read_lock(mm);
	ret = hmm_range_fault(range);
	mmap_read_unlock(mm);
	return ret;
}

static int job_thread(void *data)
{
	struct hmm_test_job *job = data;

	allow_kernel_signal(SIGKILL);
	job->run(job);
	complete(&job->done);
	return 0;
}

static void free_job(void *data)
{
	struct hmm_test_job *job = data;

	hmm_test_kill_job(job);
	if (!hmm_test_job_ends(job)) {
		pr_err("a job of a test never ended, and may bring the kernel down\n");
		return;
	}
	kthread_stop_put(job->task);
	kfree(job);
}

/* Runs @run in a thread of its own, which has @args to go by. */
struct hmm_test_job *hmm_test_start_job(struct kunit *test,
					void (*run)(struct hmm_test_job *job),
					const struct hmm_test_job *args)
{
	struct hmm_test_job *job = kmemdup(args, sizeof(*args), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, job);
	job->run = run;
	init_completion(&job->done);
	job->task = kthread_create(job_thread, job, "hmm_test_job");
	if (IS_ERR(job->task)) {
		kfree(job);
		KUNIT_FAIL_AND_ABORT(test, "no thread for a job");
	}
	get_task_struct(job->task);
	wake_up_process(job->task);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_job, job), 0);
	return job;
}

/* Is it asleep, waiting for something, or soon? False if it has ended. */
bool hmm_test_job_sleeps(struct hmm_test_job *job)
{
	unsigned long until = jiffies + HMM_TEST_LONG;

	while (!completion_done(&job->done) && time_before(jiffies, until)) {
		if (READ_ONCE(job->task->__state) & TASK_WAKEKILL)
			return true;
		usleep_range(1000, 2000);
	}
	return false;
}

bool hmm_test_job_ends(struct hmm_test_job *job)
{
	if (!wait_for_completion_timeout(&job->done, HMM_TEST_LONG))
		return false;
	/* It may be asked for again. */
	complete(&job->done);
	return true;
}

void hmm_test_kill_job(struct hmm_test_job *job)
{
	send_sig(SIGKILL, job->task, 1);
}
