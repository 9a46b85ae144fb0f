// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of T14: every loop has a bound. A fault handler that succeeds and
 * maps nothing makes a walk try the same page again; it gives up on that, and so
 * does the call that retries without a limit in time. One that has a limit does
 * not give up while there is progress, and a round of it waits once.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "hmm_kunit.h"

#define NR	4

/* How often one walk faults a page in. */
#define TRIES	4U

/* And how often a call walks then: it sleeps twice as long after each of them. */
static unsigned int walks(void)
{
	return 1 + fls(HZ / 4);
}

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

/*
 * From which fault on a page is mapped; at which one somebody else invalidates
 * the pages; at which one the mmap lock is dropped; and whether each fault
 * invalidates by itself, as one that fails to migrate a page.
 */
struct plan {
	unsigned int helps_at;
	unsigned int hit_at;
	unsigned int drops_at;
	bool hits_itself;
};

struct other {
	struct work_struct work;
	struct mm_struct *mm;
};

static void invalidate_work(struct work_struct *work)
{
	hmm_test_invalidate(container_of(work, struct other, work)->mm, 0, NR);
}

static void invalidate_elsewhere(struct mm_struct *mm)
{
	struct other other = { .mm = mm };

	INIT_WORK_ONSTACK(&other.work, invalidate_work);
	schedule_work(&other.work);
	flush_work(&other.work);
	destroy_work_on_stack(&other.work);
}

static vm_fault_t do_plan(struct hmm_test_recorder *recorder,
			  struct vm_fault *vmf)
{
	const struct plan *plan = recorder->data;

	if (recorder->faults == plan->hit_at)
		invalidate_elsewhere(vmf->vma->vm_mm);
	if (plan->hits_itself)
		hmm_test_invalidate(vmf->vma->vm_mm, 0, NR);
	if (recorder->faults == plan->drops_at) {
		release_fault_lock(vmf);
		return VM_FAULT_RETRY;
	}
	return recorder->faults >= plan->helps_at ? 0 : VM_FAULT_NOPAGE;
}

static struct hmm_test_recorder *map_plan(struct kunit *test, struct plan *plan)
{
	struct hmm_test_recorder *recorder;

	recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	recorder->hook = do_plan;
	recorder->data = plan;
	return recorder;
}

static struct hmm_range *fault_range(struct kunit *test)
{
	struct hmm_range *range = hmm_test_range(test, test_mm(test), 0, NR);

	range->default_flags = HMM_PFN_REQ_FAULT;
	return range;
}

static void t14_a_walk_gives_up_on_a_page(struct kunit *test)
{
	struct plan plan = { .helps_at = UINT_MAX };
	struct hmm_test_recorder *recorder = map_plan(test, &plan);
	struct hmm_range *range = fault_range(test);

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->faults, TRIES);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->faults, 2 * TRIES);
	KUNIT_EXPECT_EQ(test, recorder->nr_hits[0], 2 * TRIES);
}

static void t14_a_walk_gives_up_on_a_page_legacy(struct kunit *test)
{
	struct plan plan = { .helps_at = UINT_MAX };
	struct hmm_test_recorder *recorder = map_plan(test, &plan);
	struct hmm_range *range = hmm_test_legacy_range(test, NR);

	range->notifier_seq = mmu_interval_read_begin(range->notifier);
	KUNIT_EXPECT_EQ(test, hmm_test_legacy_fault(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->faults, TRIES);
}

/* A racing zap, or a migration without a folio, is no reason to give up. */
static void t14_a_fault_that_helps_at_last(struct kunit *test)
{
	struct plan plan = { .helps_at = 3 };
	struct hmm_test_recorder *recorder = map_plan(test, &plan);
	struct hmm_range *range = fault_range(test);

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, recorder->nr_hits[0], 3);
	KUNIT_EXPECT_EQ(test, recorder->faults, NR + 2);
	hmm_test_expect_mapped(test, range, NR);
}

/* Without a limit in time, too, and without a wait that is worth the name. */
static void t14_an_unlocked_call_gives_up(struct kunit *test)
{
	struct plan plan = { .helps_at = UINT_MAX };
	struct hmm_test_recorder *recorder = map_plan(test, &plan);
	struct hmm_range *range = fault_range(test);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->faults, walks() * TRIES);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(test_mm(test)));

	/* The next call begins to count anew. */
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->faults, 2 * walks() * TRIES);
}

static void t14_an_unlocked_call_gives_up_legacy(struct kunit *test)
{
	struct plan plan = { .helps_at = UINT_MAX };
	struct hmm_test_recorder *recorder = map_plan(test, &plan);
	struct hmm_range *range = hmm_test_legacy_range(test, NR);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->faults, walks() * TRIES);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(test_mm(test)));
}

/* Its own invalidations are no reason to go on. */
static void t14_a_fault_that_invalidates_gives_up(struct kunit *test)
{
	struct plan plan = { .helps_at = UINT_MAX, .hits_itself = true };
	struct hmm_test_recorder *recorder = map_plan(test, &plan);
	struct hmm_range *range = fault_range(test);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->faults, walks() * TRIES);
}

static void t14_an_unlocked_call_is_helped_at_last(struct kunit *test)
{
	struct plan plan = { .helps_at = walks() * TRIES };
	struct hmm_test_recorder *recorder = map_plan(test, &plan);
	struct hmm_range *range = fault_range(test);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->nr_hits[0], walks() * TRIES);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_expect_mapped(test, range, NR);
}

/* Something has happened in what would have been the last walk. */
static void t14_an_invalidation_in_between_goes_on(struct kunit *test)
{
	struct plan plan = {
		.helps_at = UINT_MAX,
		.hit_at = (walks() - 1) * TRIES + 2,
	};
	struct hmm_test_recorder *recorder = map_plan(test, &plan);
	struct hmm_range *range = fault_range(test);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->faults, (walks() + 1) * TRIES);
}

/* The driver's sequence number is of before the walk: in the last but one. */
static void t14_an_invalidation_in_between_goes_on_legacy(struct kunit *test)
{
	struct plan plan = {
		.helps_at = UINT_MAX,
		.hit_at = (walks() - 2) * TRIES + 2,
	};
	struct hmm_test_recorder *recorder = map_plan(test, &plan);
	struct hmm_range *range = hmm_test_legacy_range(test, NR);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->faults, (walks() + 1) * TRIES);
}

/* A range with a notifier cannot tell its own: there is another limit. */
static void t14_a_fault_that_invalidates_gives_up_legacy(struct kunit *test)
{
	struct plan plan = { .helps_at = UINT_MAX, .hits_itself = true };
	struct hmm_test_recorder *recorder = map_plan(test, &plan);
	struct hmm_range *range = hmm_test_legacy_range(test, NR);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->faults, (1 + fls(2 * HZ)) * TRIES);
}

/* So has the walk that drops the lock: what it waited for may help. */
static void t14_a_dropped_lock_in_between_goes_on(struct kunit *test)
{
	struct plan plan = {
		.drops_at = (walks() - 1) * TRIES + 1,
		.helps_at = walks() * TRIES + 2,
	};
	struct hmm_test_recorder *recorder = map_plan(test, &plan);
	struct hmm_range *range = fault_range(test);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, walks() * TRIES + 1 + NR);
	hmm_test_expect_mapped(test, range, NR);
}

/* Each page is there after one walk has given up on it. */
static vm_fault_t hold_a_moment(struct hmm_test_recorder *recorder,
				struct vm_fault *vmf)
{
	return recorder->nr_hits[vmf->pgoff] > TRIES ? 0 : VM_FAULT_NOPAGE;
}

/* A page that comes at the second walk is had soon: one of a few, by the clock. */
static void t14_a_page_that_is_held_for_a_moment(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct hmm_range *range;
	unsigned long start, least = ULONG_MAX;

	recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	recorder->hook = hold_a_moment;
	for (int i = 0; i < NR; i++) {
		range = hmm_test_range(test, test_mm(test), i, 1);
		range->default_flags = HMM_PFN_REQ_FAULT;
		start = jiffies;
		KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
		least = min(least, jiffies - start);
		KUNIT_EXPECT_EQ(test, recorder->nr_hits[i], TRIES + 1);
	}
	KUNIT_EXPECT_LT(test, least, HZ / 20);
}

/* The one page that is held now, and how often it was faulted in. */
struct held {
	unsigned long page;
	unsigned int faults;
};

/* Page after page, each until one walk at least has given up on it. */
static vm_fault_t hold_one_after_the_other(struct hmm_test_recorder *recorder,
					   struct vm_fault *vmf)
{
	struct held *held = recorder->data;

	if (vmf->pgoff != held->page)
		return vmf->pgoff < held->page ? 0 : VM_FAULT_NOPAGE;
	if (++held->faults <= 2 * TRIES)
		return VM_FAULT_NOPAGE;
	held->page++;
	held->faults = 0;
	return 0;
}

/* That is progress: the call begins to count anew with each of them. */
static void t14_pages_that_are_held_one_after_the_other(struct kunit *test)
{
	const unsigned long nr = 2 * walks();
	struct hmm_test_recorder *recorder;
	struct hmm_range *range;
	struct held held = { };

	recorder = hmm_test_map_recorder(test, nr, PROT_READ, false);
	recorder->hook = hold_one_after_the_other;
	recorder->data = &held;
	range = hmm_test_range(test, test_mm(test), 0, nr);
	range->default_flags = HMM_PFN_REQ_FAULT;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, held.page, nr);
	hmm_test_expect_mapped(test, range, nr);
}

/* It waits with the lock dropped, whenever it may, for what is gone again then. */
static vm_fault_t drop_lock_first(struct hmm_test_recorder *recorder,
				  struct vm_fault *vmf)
{
	/* Without an end the test would have none, either. */
	if (!fault_flag_allow_retry_first(vmf->flags) || recorder->faults > 64)
		return 0;
	release_fault_lock(vmf);
	return VM_FAULT_RETRY;
}

static struct hmm_test_recorder *map_dropping(struct kunit *test)
{
	struct hmm_test_recorder *recorder;

	recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	recorder->hook = drop_lock_first;
	return recorder;
}

static void t14_a_fault_drops_the_lock_once(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_dropping(test);
	struct hmm_range *range = fault_range(test);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, 2 * NR);
	hmm_test_expect_mapped(test, range, NR);

	/* A call that has ended is no try of the next: it may drop the lock. */
	KUNIT_EXPECT_EQ(test, do_madvise(test_mm(test), hmm_test_addr(NR - 1),
					 PAGE_SIZE, MADV_DONTNEED), 0);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, 2 * NR + 2);
}

static void t14_a_fault_drops_the_lock_once_legacy(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_dropping(test);
	struct hmm_range *range = hmm_test_legacy_range(test, NR);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, 2 * NR);
	hmm_test_expect_mapped(test, range, NR);
}

static void t14_a_fault_drops_the_lock_once_locked(struct kunit *test)
{
	struct hmm_test_recorder *recorder = map_dropping(test);
	struct hmm_range *range = fault_range(test);
	int ret = -EBUSY, locked;

	for (int i = 0; i < 2 * NR && ret == -EBUSY; i++) {
		locked = 1;
		mmap_read_lock(test_mm(test));
		ret = hmm_range_fault_locked(range, &locked);
		if (locked)
			mmap_read_unlock(test_mm(test));
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, 2 * NR);
}

/* The lock goes with the second page, once; @data: which were told of that. */
static vm_fault_t drop_lock_at_1(struct hmm_test_recorder *recorder,
				 struct vm_fault *vmf)
{
	unsigned long *told = recorder->data;

	if (vmf->flags & FAULT_FLAG_TRIED)
		*told |= BIT(vmf->pgoff);
	if (vmf->pgoff != 1 || recorder->nr_hits[1] > 1)
		return 0;
	release_fault_lock(vmf);
	return VM_FAULT_RETRY;
}

/* The page behind it is faulted in by the same batch, and was not tried before. */
static void t14_only_the_page_that_was_tried_is_told(struct kunit *test)
{
	struct hmm_range *range = fault_range(test);
	struct hmm_test_recorder *recorder;
	unsigned long told = 0;
	int locked = 1;

	recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	recorder->hook = drop_lock_at_1;
	recorder->data = &told;
	mmap_read_lock(test_mm(test));
	KUNIT_EXPECT_EQ(test, hmm_range_fault_locked(range, &locked), -EBUSY);
	KUNIT_ASSERT_EQ(test, locked, 0);
	/* For a batch the page before has to be faulted in as well. */
	KUNIT_EXPECT_EQ(test, do_madvise(test_mm(test), hmm_test_addr(0),
					 PAGE_SIZE, MADV_DONTNEED), 0);
	locked = 1;
	mmap_read_lock(test_mm(test));
	KUNIT_EXPECT_EQ(test, hmm_range_fault_locked(range, &locked), 0);
	mmap_read_unlock(test_mm(test));
	KUNIT_EXPECT_EQ(test, recorder->faults, NR + 2);
	KUNIT_EXPECT_EQ(test, told, BIT(1));
}

/* Each page takes half of the time of the call, and the lock is let go for it. */
#define PAGE_TIME	(HZ / 20)
#define CALL_TIME	(2 * PAGE_TIME)

static vm_fault_t take_time(struct hmm_test_recorder *recorder,
			    struct vm_fault *vmf)
{
	if (recorder->nr_hits[vmf->pgoff] > 1)
		return 0;
	release_fault_lock(vmf);
	schedule_timeout_uninterruptible(PAGE_TIME);
	return VM_FAULT_RETRY;
}

static void expect_time_enough(struct kunit *test, struct hmm_range *range)
{
	struct hmm_test_recorder *recorder;

	recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	recorder->hook = take_time;
	KUNIT_EXPECT_EQ(test,
			hmm_range_fault_unlocked_timeout(range, CALL_TIME), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, 2 * NR);
	hmm_test_expect_mapped(test, range, NR);
}

static void t7_the_time_begins_anew_with_progress(struct kunit *test)
{
	expect_time_enough(test, fault_range(test));
}

static void t7_the_time_begins_anew_with_progress_legacy(struct kunit *test)
{
	expect_time_enough(test, hmm_test_legacy_range(test, NR));
}

static void fault_unlocked(struct hmm_test_job *job)
{
	job->result = hmm_range_fault_unlocked_timeout(job->range, 0);
}

/* mmu_interval_read_begin() cannot be killed, what waits for the mmap lock can. */
static bool waits_for_an_invalidation(const struct hmm_test_job *job)
{
	unsigned long until = jiffies + HMM_TEST_LONG;

	while (time_before(jiffies, until)) {
		if (READ_ONCE(job->task->__state) == TASK_UNINTERRUPTIBLE)
			return true;
		usleep_range(1000, 2000);
	}
	return false;
}

/*
 * Woken by the end of one invalidation, the call finds another one in flight. It
 * has waited for its round, so that it goes on to the walk, for the mmap lock.
 * It runs on the CPU of the test when that sleeps, and not in between.
 */
static void legacy_call_waits_once_a_round(struct kunit *test)
{
	struct hmm_test_job args = { }, *job;
	struct mmu_notifier_range *in_flight;

	hmm_test_map_recorder(test, NR, PROT_READ, false);
	args.range = hmm_test_legacy_range(test, NR);
	in_flight = hmm_test_start(test, test_mm(test), 0, NR);
	job = hmm_test_start_job(test, fault_unlocked, &args);
	migrate_disable();
	set_cpus_allowed_ptr(job->task, cpumask_of(smp_processor_id()));
	sched_set_fifo(current);
	for (int round = 0; round < 3; round++) {
		KUNIT_EXPECT_TRUE(test, waits_for_an_invalidation(job));
		mmap_write_lock(test_mm(test));
		hmm_test_end(test, in_flight);
		in_flight = hmm_test_start(test, test_mm(test), 0, NR);
		KUNIT_EXPECT_TRUE(test, hmm_test_job_sleeps(job));
		mmap_write_unlock(test_mm(test));
	}
	sched_set_normal(current, 0);
	migrate_enable();
	hmm_test_end(test, in_flight);
	KUNIT_EXPECT_TRUE(test, hmm_test_job_ends(job));
	KUNIT_EXPECT_EQ(test, job->result, 0);
}

static struct kunit_case hmm_bound_cases[] = {
	KUNIT_CASE(t14_a_walk_gives_up_on_a_page),
	KUNIT_CASE(t14_a_walk_gives_up_on_a_page_legacy),
	KUNIT_CASE(t14_a_fault_that_helps_at_last),
	KUNIT_CASE(t14_an_unlocked_call_gives_up),
	KUNIT_CASE(t14_an_unlocked_call_gives_up_legacy),
	KUNIT_CASE(t14_a_fault_that_invalidates_gives_up),
	KUNIT_CASE(t14_an_unlocked_call_is_helped_at_last),
	KUNIT_CASE(t14_an_invalidation_in_between_goes_on),
	KUNIT_CASE(t14_an_invalidation_in_between_goes_on_legacy),
	KUNIT_CASE(t14_a_fault_that_invalidates_gives_up_legacy),
	KUNIT_CASE(t14_a_dropped_lock_in_between_goes_on),
	KUNIT_CASE(t14_a_page_that_is_held_for_a_moment),
	KUNIT_CASE(t14_pages_that_are_held_one_after_the_other),
	KUNIT_CASE(t14_a_fault_drops_the_lock_once),
	KUNIT_CASE(t14_a_fault_drops_the_lock_once_legacy),
	KUNIT_CASE(t14_a_fault_drops_the_lock_once_locked),
	KUNIT_CASE(t14_only_the_page_that_was_tried_is_told),
	KUNIT_CASE(t7_the_time_begins_anew_with_progress),
	KUNIT_CASE(t7_the_time_begins_anew_with_progress_legacy),
	KUNIT_CASE(legacy_call_waits_once_a_round),
	{ }
};

static struct kunit_suite hmm_bound_suite = {
	.name = "hmm_bound",
	.init = hmm_test_attach_mm,
	.test_cases = hmm_bound_cases,
};

kunit_test_suite(hmm_bound_suite);
