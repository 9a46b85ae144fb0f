// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of tracked ranges: what invalidates them, who waits for whom, and
 * how they come and go. The number in a test's name is that of the property in
 * Documentation/mm/hmm_tests.rst.
 *
 * Nothing here is left to chance: invalidations are started and ended by hand.
 * hmm_retry_kunit.c has the tests of what a retry walks.
 */
#include <kunit/resource.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <asm/tlb.h>

#include "../hmm_internal.h"
#include "hmm_kunit.h"

static int owner, other_owner;

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

static bool can_walk(struct hmm_range *range)
{
	return hmm_range_wait_until_valid(range, 0);
}

static void t1_start_invalidates(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);
	struct mmu_notifier_range *invalidation;

	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));

	invalidation = hmm_test_start(test, mm, 15, 1);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	hmm_test_end(test, invalidation);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));

	hmm_test_unregister(test, range);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
}

static void t1_no_walk_during_an_invalidation(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);
	struct mmu_notifier_range *first = hmm_test_start(test, mm, 0, 100);
	struct mmu_notifier_range *second = hmm_test_start(test, mm, 19, 1);

	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), -EBUSY);
	hmm_test_end(test, first);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), -EBUSY);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	hmm_test_end(test, second);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

static void t1_begin_arms_without_a_walk(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);

	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_invalidate(mm, 19, 1);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* A driver with both kinds of notifier, that looks at a range from within. */
struct watcher {
	struct mmu_notifier plain;
	struct mmu_interval_notifier interval;
	struct hmm_range *range;
	/* Refuse when it may not block; or also when it may. */
	bool plain_refuses, interval_refuses, plain_refuses_all;
	/* How often each was called, and how often the range was valid then. */
	int plain_calls, interval_calls, release_calls;
	int valid;
};

static int watch_start(struct mmu_notifier *plain,
		       const struct mmu_notifier_range *invalidation)
{
	struct watcher *watcher = container_of(plain, struct watcher, plain);

	watcher->plain_calls++;
	watcher->valid += hmm_range_valid(watcher->range);
	if (watcher->plain_refuses_all)
		return -EAGAIN;
	if (watcher->plain_refuses && !mmu_notifier_range_blockable(invalidation))
		return -EAGAIN;
	return 0;
}

static void watch_release(struct mmu_notifier *plain, struct mm_struct *mm)
{
	struct watcher *watcher = container_of(plain, struct watcher, plain);

	watcher->release_calls++;
	watcher->valid += hmm_range_valid(watcher->range);
}

static const struct mmu_notifier_ops watch_ops = {
	.invalidate_range_start = watch_start,
	.release = watch_release,
};

static bool watch_interval(struct mmu_interval_notifier *interval,
			   const struct mmu_notifier_range *invalidation,
			   unsigned long cur_seq)
{
	struct watcher *watcher = container_of(interval, struct watcher,
					       interval);

	watcher->interval_calls++;
	watcher->valid += hmm_range_valid(watcher->range);
	if (watcher->interval_refuses &&
	    !mmu_notifier_range_blockable(invalidation))
		return false;
	mmu_interval_set_seq(interval, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops watch_interval_ops = {
	.invalidate = watch_interval,
};

/* Never freed: a kernel that hangs below is still going to look at it. */
static struct watcher *watch(struct kunit *test, struct hmm_range *range)
{
	struct watcher *watcher = kzalloc(sizeof(*watcher), GFP_KERNEL);
	struct mm_struct *mm = range->tracking.sub.mm;

	KUNIT_ASSERT_NOT_NULL(test, watcher);
	watcher->range = range;
	watcher->plain.ops = &watch_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&watcher->plain, mm), 0);
	KUNIT_ASSERT_EQ(test, mmu_interval_notifier_insert(&watcher->interval, mm,
							   range->start,
							   range->end - range->start,
							   &watch_interval_ops), 0);
	return watcher;
}

static void remove_interval(struct hmm_test_job *job)
{
	mmu_interval_notifier_remove(job->interval);
}

static void unwatch(struct kunit *test, struct watcher *watcher)
{
	struct hmm_test_job args = { .interval = &watcher->interval };
	struct hmm_test_job *job;

	job = hmm_test_start_job(test, remove_interval, &args);
	KUNIT_ASSERT_TRUE_MSG(test, hmm_test_job_ends(job),
			      "mmu_interval_notifier_remove() hangs");
	mmu_notifier_unregister(&watcher->plain, watcher->plain.mm);
	kfree(watcher);
}

static void t2_marked_before_any_callback(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);
	struct watcher *watcher = watch(test, range);

	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_invalidate(mm, 15, 1);
	KUNIT_EXPECT_EQ(test, watcher->plain_calls, 1);
	KUNIT_EXPECT_EQ(test, watcher->interval_calls, 1);
	KUNIT_EXPECT_EQ(test, watcher->valid, 0);
	unwatch(test, watcher);
}

static void t2_marked_before_any_release(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);
	struct watcher *watcher = watch(test, range);

	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_kill_mm(test, mm);
	KUNIT_EXPECT_EQ(test, watcher->interval_calls, 1);
	KUNIT_EXPECT_EQ(test, watcher->release_calls, 1);
	KUNIT_EXPECT_EQ(test, watcher->valid, 0);
	unwatch(test, watcher);
}

static void do_register(struct hmm_test_job *job)
{
	job->result = hmm_range_register(job->range, job->mm, hmm_test_addr(30),
					 hmm_test_addr(40));
}

static void do_unregister(struct hmm_test_job *job)
{
	hmm_range_unregister(job->range);
}

/* Runs in a thread of its own, so that a wait is a failure and no hang. */
static void in_time(struct kunit *test, void (*run)(struct hmm_test_job *job),
		    struct hmm_range *range, struct mm_struct *mm)
{
	struct hmm_test_job args = { .range = range, .mm = mm };
	struct hmm_test_job *job = hmm_test_start_job(test, run, &args);

	KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(job));
	KUNIT_EXPECT_EQ(test, job->result, 0);
}

static void t3_unrelated_invalidation_held_open(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *early = hmm_test_range(test, mm, 10, 10);
	struct hmm_range *late = hmm_test_alloc_range(test, 10);

	hmm_test_start(test, mm, 1000, 10);
	in_time(test, do_register, late, mm);
	KUNIT_EXPECT_TRUE(test, can_walk(early));
	KUNIT_EXPECT_TRUE(test, can_walk(late));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(early), 0);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(late), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(early));
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(late));
	in_time(test, do_unregister, late, mm);
}

static void t3_register_does_not_wait_for_an_overlapping_one(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_alloc_range(test, 10);
	struct watcher *watcher;
	struct mmu_notifier_range *invalidation;

	/* It is hit, and called, and the tree changes all the same. */
	watcher = watch(test, hmm_test_range(test, mm, 10, 30));
	invalidation = hmm_test_start(test, mm, 10, 30);
	in_time(test, do_register, range, mm);
	in_time(test, do_unregister, range, mm);
	hmm_test_end(test, invalidation);
	unwatch(test, watcher);
}

static void t3_only_the_first_takes_the_locks(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *first = hmm_test_alloc_range(test, 10);
	struct hmm_range *second = hmm_test_alloc_range(test, 10);
	struct hmm_test_job args = { .range = first, .mm = mm };
	struct hmm_test_job *job;

	mmap_read_lock(mm);
	job = hmm_test_start_job(test, do_register, &args);
	KUNIT_EXPECT_TRUE(test, hmm_test_job_sleeps(job));
	mmap_read_unlock(mm);
	KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(job));
	KUNIT_EXPECT_EQ(test, job->result, 0);

	mmap_read_lock(mm);
	in_time(test, do_register, second, mm);
	in_time(test, do_unregister, first, mm);
	in_time(test, do_unregister, second, mm);
	/* The first in the mm is meant, not the first of its time. */
	in_time(test, do_register, first, mm);
	in_time(test, do_unregister, first, mm);
	mmap_read_unlock(mm);
}

#ifdef CONFIG_PER_VMA_LOCK
/* How often the mmap lock was let go after the locks of the vmas were taken. */
static unsigned int mmap_writes_since_locked(struct kunit *test,
					     struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	unsigned int since;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, hmm_test_addr(0));
	KUNIT_EXPECT_NOT_NULL(test, vma);
	since = vma ? mm->mm_lock_seq.sequence - vma->vm_lock_seq : 0;
	mmap_read_unlock(mm);
	return since;
}

/* Both find that nothing is recorded yet, and one takes the locks. */
static void t3_racing_first_ones_take_the_locks_once(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *ranges[2];
	struct hmm_test_job *jobs[2];
	unsigned int once;

	hmm_test_map(test, NULL, 0, 1, PROT_READ);
	mmap_write_lock(mm);
	vma_start_write(vma_lookup(mm, hmm_test_addr(0)));
	mmap_write_unlock(mm);
	once = mmap_writes_since_locked(test, mm);

	mmap_read_lock(mm);
	for (int i = 0; i < 2; i++) {
		struct hmm_test_job args = { .mm = mm };

		ranges[i] = hmm_test_alloc_range(test, 10);
		args.range = ranges[i];
		jobs[i] = hmm_test_start_job(test, do_register, &args);
		KUNIT_EXPECT_TRUE(test, hmm_test_job_sleeps(jobs[i]));
	}
	mmap_read_unlock(mm);
	for (int i = 0; i < 2; i++) {
		KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(jobs[i]));
		KUNIT_EXPECT_EQ(test, jobs[i]->result, 0);
		hmm_range_unregister(ranges[i]);
	}
	/* The second took the mmap lock later, and none of a vma under it. */
	KUNIT_EXPECT_GT(test, mmap_writes_since_locked(test, mm), once);
}
#else
static void t3_racing_first_ones_take_the_locks_once(struct kunit *test)
{
	kunit_skip(test, "sees it by the locks of vmas");
}
#endif

static void t4_ends_are_exclusive(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);

	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	hmm_test_start(test, mm, 0, 10);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_start(test, mm, 20, 10);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	KUNIT_EXPECT_TRUE(test, can_walk(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));

	hmm_test_invalidate(mm, 10, 1);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	hmm_test_invalidate(mm, 19, 1);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
}

/*
 * May an invalidation that does not block start? It ends at once. It is kept for
 * the time of the test, so that one not taken back is not in freed memory.
 */
static int start_nonblock(struct kunit *test, struct mm_struct *mm,
			  unsigned long first, unsigned long nr)
{
	struct mmu_notifier_range *invalidation;
	int ret;

	invalidation = kunit_kzalloc(test, sizeof(*invalidation), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, invalidation);
	mmu_notifier_range_init(invalidation, MMU_NOTIFY_CLEAR, 0, mm,
				hmm_test_addr(first), hmm_test_addr(first + nr));
	ret = mmu_notifier_invalidate_range_start_nonblock(invalidation);
	if (!ret)
		mmu_notifier_invalidate_range_end(invalidation);
	return ret;
}

static void t5_ranges_do_not_fail_a_nonblocking_one(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);

	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_EQ(test, start_nonblock(test, mm, 10, 1), 0);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);

	/* Nor while another is in flight, or a walk holds the mmap lock. */
	hmm_test_start(test, mm, 0, 100);
	mmap_read_lock(mm);
	KUNIT_EXPECT_EQ(test, start_nonblock(test, mm, 10, 1), 0);
	mmap_read_unlock(mm);
}

static void begin_interval(struct hmm_test_job *job)
{
	job->result = mmu_interval_read_begin(job->interval);
}

/* After an invalidation that was refused all must be as if it had ended. */
static void expect_taken_back(struct kunit *test, struct watcher *watcher)
{
	struct hmm_test_job args = { .interval = &watcher->interval };
	struct hmm_test_job *job;

	KUNIT_EXPECT_TRUE(test, can_walk(watcher->range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(watcher->range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(watcher->range));

	job = hmm_test_start_job(test, begin_interval, &args);
	KUNIT_ASSERT_TRUE_MSG(test, hmm_test_job_ends(job),
			      "mmu_interval_read_begin() hangs");
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&watcher->interval,
							 job->result));
}

static void refuse(struct kunit *test, bool plain, bool interval)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);
	struct watcher *watcher = watch(test, range);

	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	watcher->plain_refuses = plain;
	watcher->interval_refuses = interval;
	KUNIT_EXPECT_EQ(test, start_nonblock(test, mm, 15, 1), -EAGAIN);
	KUNIT_EXPECT_EQ(test, watcher->interval_calls, 1);
	KUNIT_EXPECT_EQ(test, watcher->plain_calls, interval ? 0 : 1);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	expect_taken_back(test, watcher);

	/* One that may block goes through, and so does its end. */
	hmm_test_invalidate(mm, 15, 1);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	expect_taken_back(test, watcher);
	unwatch(test, watcher);
}

static void t5_a_plain_notifier_refuses(struct kunit *test)
{
	refuse(test, true, false);
}

static void t5_an_interval_notifier_refuses(struct kunit *test)
{
	refuse(test, false, true);
}

static void t5_both_refuse(struct kunit *test)
{
	refuse(test, true, true);
}

static void t5_refused_while_another_is_in_flight(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);
	struct watcher *watcher = watch(test, range);
	struct mmu_notifier_range *other = hmm_test_start(test, mm, 12, 1);

	watcher->plain_refuses = true;
	KUNIT_EXPECT_EQ(test, start_nonblock(test, mm, 15, 1), -EAGAIN);
	KUNIT_EXPECT_EQ(test, start_nonblock(test, mm, 15, 1), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, can_walk(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EBUSY);
	hmm_test_end(test, other);
	expect_taken_back(test, watcher);
	unwatch(test, watcher);
}

/* Against the rules, and the kernel says so: its end comes all the same. */
static void t5_a_blocking_one_is_refused(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);
	struct watcher *watcher = watch(test, range);
	struct mmu_notifier_range *invalidation = NULL;

	watcher->plain_refuses_all = true;
	kunit_warning_suppress(test) {
		invalidation = hmm_test_start(test, mm, 15, 1);
	}
	watcher->plain_refuses_all = false;
	KUNIT_EXPECT_EQ(test, watcher->plain_calls, 1);
	KUNIT_EXPECT_FALSE(test, can_walk(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EBUSY);
	hmm_test_end(test, invalidation);
	expect_taken_back(test, watcher);
	unwatch(test, watcher);
}

/* A plain notifier that has both callbacks. */
struct paired {
	struct mmu_notifier plain;
	int starts, ends;
};

static int paired_start(struct mmu_notifier *plain,
			const struct mmu_notifier_range *invalidation)
{
	container_of(plain, struct paired, plain)->starts++;
	return 0;
}

static void paired_end(struct mmu_notifier *plain,
		       const struct mmu_notifier_range *invalidation)
{
	container_of(plain, struct paired, plain)->ends++;
}

static const struct mmu_notifier_ops paired_ops = {
	.invalidate_range_start = paired_start,
	.invalidate_range_end = paired_end,
};

/* One refuses, and each other one is told of the end once: or never was of any. */
static void t5_those_that_started_are_told_of_the_end(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);
	struct watcher *watcher = watch(test, range);
	struct paired paired = { .plain.ops = &paired_ops };

	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&paired.plain, mm), 0);
	watcher->plain_refuses = true;
	KUNIT_EXPECT_EQ(test, start_nonblock(test, mm, 15, 1), -EAGAIN);
	KUNIT_EXPECT_EQ(test, paired.starts, 1);
	KUNIT_EXPECT_EQ(test, paired.ends, 1);

	watcher->interval_refuses = true;
	KUNIT_EXPECT_EQ(test, start_nonblock(test, mm, 15, 1), -EAGAIN);
	KUNIT_EXPECT_EQ(test, paired.starts, 1);
	KUNIT_EXPECT_EQ(test, paired.ends, 1);

	hmm_test_invalidate(mm, 15, 1);
	KUNIT_EXPECT_EQ(test, paired.starts, 2);
	KUNIT_EXPECT_EQ(test, paired.ends, 2);
	expect_taken_back(test, watcher);
	mmu_notifier_unregister(&paired.plain, mm);
	unwatch(test, watcher);
}

static struct hmm_range *owned_range(struct kunit *test, void *by,
				     unsigned int events)
{
	struct hmm_range *range = hmm_test_alloc_range(test, 10);

	range->dev_private_owner = by;
	range->ignore_events = events;
	KUNIT_ASSERT_EQ(test, hmm_range_register(range, test_mm(test),
						 hmm_test_addr(10),
						 hmm_test_addr(20)), 0);
	return range;
}

static void t6_registered_in_mid_invalidation(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct mmu_notifier_range *invalidation;
	struct hmm_range *range;

	hmm_test_range(test, mm, 0, 1);
	invalidation = hmm_test_start(test, mm, 10, 10);
	range = hmm_test_range(test, mm, 15, 10);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_FALSE(test, can_walk(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), -EBUSY);
	hmm_test_end(test, invalidation);
	KUNIT_EXPECT_TRUE(test, can_walk(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* Also if it is one that the range, once it is valid, is going to ignore. */
static void t6_registered_in_mid_own_invalidation(struct kunit *test)
{
	static const enum mmu_notifier_event events[] = {
		MMU_NOTIFY_MIGRATE, MMU_NOTIFY_EXCLUSIVE,
	};
	struct mm_struct *mm = test_mm(test);
	struct mmu_notifier_range *own;
	struct hmm_range *range;

	hmm_test_range(test, mm, 0, 1);
	for (int i = 0; i < ARRAY_SIZE(events); i++) {
		own = hmm_test_start_event(test, mm, 15, 1, events[i], &owner);
		range = owned_range(test, &owner, BIT(events[i]));
		KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
		KUNIT_EXPECT_FALSE(test, can_walk(range));
		KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EBUSY);
		KUNIT_EXPECT_EQ(test, hmm_range_begin(range), -EBUSY);
		KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
		hmm_test_end(test, own);
		KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
		KUNIT_EXPECT_TRUE(test, can_walk(range));
		KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
		KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
		hmm_range_unregister(range);
	}
}

static void t6_recorded_while_no_range_is_registered(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct mmu_notifier_range *invalidation;
	struct hmm_range *range;

	hmm_test_unregister(test, hmm_test_range(test, mm, 10, 10));
	invalidation = hmm_test_start(test, mm, 10, 10);
	range = hmm_test_range(test, mm, 10, 10);
	KUNIT_EXPECT_FALSE(test, can_walk(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), -EBUSY);
	hmm_test_end(test, invalidation);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

static void do_wait(struct hmm_test_job *job)
{
	job->result = hmm_range_wait_until_valid(job->range, job->timeout);
}

static void do_fault(struct hmm_test_job *job)
{
	job->result = hmm_range_fault_unlocked_timeout(job->range, job->timeout);
}

static struct hmm_test_job *start_wait(struct kunit *test,
				       struct hmm_range *range)
{
	struct hmm_test_job args = { .range = range, .timeout = ULONG_MAX };
	struct hmm_test_job *job = hmm_test_start_job(test, do_wait, &args);

	KUNIT_EXPECT_TRUE(test, hmm_test_job_sleeps(job));
	return job;
}

static struct hmm_test_job *start_fault(struct kunit *test,
					struct hmm_range *range)
{
	struct hmm_test_job args = { .range = range };
	struct hmm_test_job *job = hmm_test_start_job(test, do_fault, &args);

	KUNIT_EXPECT_TRUE(test, hmm_test_job_sleeps(job));
	return job;
}

static void t7_wait_ends_with_the_invalidation(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);
	struct mmu_notifier_range *first = hmm_test_start(test, mm, 10, 1);
	struct mmu_notifier_range *second = hmm_test_start(test, mm, 12, 1);
	struct mmu_notifier_range *unrelated = hmm_test_start(test, mm, 99, 1);
	struct hmm_test_job *wait, *fault;

	wait = start_wait(test, range);
	fault = start_fault(test, hmm_test_range(test, mm, 10, 10));
	hmm_test_end(test, first);
	hmm_test_end(test, unrelated);
	KUNIT_EXPECT_TRUE(test, hmm_test_job_sleeps(wait));
	KUNIT_EXPECT_TRUE(test, hmm_test_job_sleeps(fault));
	hmm_test_end(test, second);
	KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(wait));
	KUNIT_EXPECT_EQ(test, wait->result, true);
	/* Nothing was asked for. */
	KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(fault));
	KUNIT_EXPECT_EQ(test, fault->result, 0);
}

#define TIMEOUT_MS	50
#define TIMEOUT		msecs_to_jiffies(TIMEOUT_MS)

/*
 * No sooner, and not much later: on a loaded machine a wait may take any time, so
 * that goes for the shortest of a few.
 */
static void t7_wait_ends_on_timeout(struct kunit *test)
{
	unsigned long began, wait = ULONG_MAX, fault = ULONG_MAX;
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);

	hmm_test_start(test, mm, 10, 1);
	for (int i = 0; i < 4; i++) {
		began = jiffies;
		KUNIT_EXPECT_FALSE(test, hmm_range_wait_until_valid(range,
								    TIMEOUT_MS));
		wait = min(wait, jiffies - began);

		began = jiffies;
		KUNIT_EXPECT_EQ(test,
				hmm_range_fault_unlocked_timeout(range, TIMEOUT),
				-EBUSY);
		fault = min(fault, jiffies - began);
		/* It has let the mmap lock go, if it ever took it. */
		KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(mm));
	}
	KUNIT_EXPECT_GE(test, wait, TIMEOUT);
	KUNIT_EXPECT_LT(test, wait, 2 * TIMEOUT);
	KUNIT_EXPECT_GE(test, fault, TIMEOUT);
	KUNIT_EXPECT_LT(test, fault, 2 * TIMEOUT);
}

/* Zero is to ask, and not to wait at all. */
static void t7_no_timeout_is_no_wait(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);
	bool ready;

	hmm_test_start(test, mm, 10, 1);
	preempt_disable();
	ready = can_walk(range);
	preempt_enable();
	KUNIT_EXPECT_FALSE(test, ready);
}

static void t7_wait_ends_on_a_fatal_signal(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_test_job *wait, *fault;

	hmm_test_range(test, mm, 10, 10);
	hmm_test_start(test, mm, 10, 10);
	wait = start_wait(test, hmm_test_range(test, mm, 10, 10));
	fault = start_fault(test, hmm_test_range(test, mm, 10, 10));
	hmm_test_kill_job(wait);
	hmm_test_kill_job(fault);
	KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(wait));
	KUNIT_EXPECT_EQ(test, wait->result, false);
	KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(fault));
	KUNIT_EXPECT_EQ(test, fault->result, -EINTR);
}

static void t7_register_ends_on_a_fatal_signal(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_test_job args = {
		.range = hmm_test_alloc_range(test, 10),
		.mm = mm,
	};
	struct hmm_test_job *job;

	mmap_read_lock(mm);
	job = hmm_test_start_job(test, do_register, &args);
	KUNIT_EXPECT_TRUE(test, hmm_test_job_sleeps(job));
	hmm_test_kill_job(job);
	KUNIT_EXPECT_TRUE(test, hmm_test_job_ends(job));
	mmap_read_unlock(mm);
	KUNIT_EXPECT_EQ(test, job->result, -EINTR);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(args.range), -EINVAL);
}

static void t7_wait_ends_when_the_mm_dies(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct hmm_test_job *wait;

	hmm_test_range(test, mm, 10, 10);
	hmm_test_start(test, mm, 10, 10);
	wait = start_wait(test, hmm_test_range(test, mm, 10, 10));
	hmm_test_kill_mm(test, mm);
	KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(wait));
	KUNIT_EXPECT_EQ(test, wait->result, false);
}

static void t7_all_fails_once_the_mm_is_dying(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 10, 10);
	struct hmm_range *late = hmm_test_alloc_range(test, 10);

	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	hmm_test_kill_mm(test, mm);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));

	for (int i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EFAULT);
		KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EFAULT);
		KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0),
				-EFAULT);
		KUNIT_EXPECT_EQ(test, hmm_range_begin(range), -EFAULT);
		KUNIT_EXPECT_FALSE(test, hmm_range_wait_until_valid(range, 1000));
		KUNIT_EXPECT_EQ(test, hmm_range_register(late, mm,
							 hmm_test_addr(10),
							 hmm_test_addr(20)),
				-EFAULT);
		mmap_write_lock(mm);
		KUNIT_EXPECT_EQ(test, hmm_range_register_locked(late, mm,
								hmm_test_addr(10),
								hmm_test_addr(20)),
				-EFAULT);
		mmap_write_unlock(mm);
	}
	hmm_test_unregister(test, range);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), -EINVAL);
}

/*
 * Is a valid range hit by an invalidation of this kind? Whoever causes it, no
 * walk of what it overlaps succeeds before it ends.
 */
static bool hit_by(struct kunit *test, struct hmm_range *range,
		   enum mmu_notifier_event event, void *by)
{
	struct mmu_notifier_range *invalidation;
	bool hit;

	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	invalidation = hmm_test_start_event(test, range->tracking.sub.mm, 10, 1,
					    event, by);
	hit = !hmm_range_valid(range);
	KUNIT_EXPECT_FALSE(test, can_walk(range));
	hmm_test_end(test, invalidation);
	KUNIT_EXPECT_EQ(test, hmm_range_valid(range), !hit);
	return hit;
}

static void t9_own_events_are_ignored_if_asked_for(struct kunit *test)
{
	struct hmm_range *range;

	range = owned_range(test, &owner, BIT(MMU_NOTIFY_MIGRATE));
	KUNIT_EXPECT_FALSE(test, hit_by(test, range, MMU_NOTIFY_MIGRATE, &owner));
	KUNIT_EXPECT_TRUE(test, hit_by(test, range, MMU_NOTIFY_MIGRATE,
				       &other_owner));
	KUNIT_EXPECT_TRUE(test, hit_by(test, range, MMU_NOTIFY_MIGRATE, NULL));
	KUNIT_EXPECT_TRUE(test, hit_by(test, range, MMU_NOTIFY_EXCLUSIVE, &owner));
	KUNIT_EXPECT_TRUE(test, hit_by(test, range, MMU_NOTIFY_CLEAR, &owner));
	hmm_range_unregister(range);

	range = owned_range(test, &owner, BIT(MMU_NOTIFY_MIGRATE) |
					  BIT(MMU_NOTIFY_EXCLUSIVE));
	KUNIT_EXPECT_FALSE(test, hit_by(test, range, MMU_NOTIFY_MIGRATE, &owner));
	KUNIT_EXPECT_FALSE(test, hit_by(test, range, MMU_NOTIFY_EXCLUSIVE,
					&owner));
	hmm_range_unregister(range);

	range = owned_range(test, &owner, 0);
	KUNIT_EXPECT_TRUE(test, hit_by(test, range, MMU_NOTIFY_MIGRATE, &owner));
	hmm_range_unregister(range);
}

static void t9_no_owner_never_matches(struct kunit *test)
{
	struct hmm_range *range;

	range = owned_range(test, NULL, BIT(MMU_NOTIFY_MIGRATE));
	KUNIT_EXPECT_TRUE(test, hit_by(test, range, MMU_NOTIFY_MIGRATE, NULL));
	hmm_range_unregister(range);
}

static void t9_latched_at_register(struct kunit *test)
{
	struct hmm_range *range;

	range = owned_range(test, &owner, BIT(MMU_NOTIFY_MIGRATE));
	range->dev_private_owner = &other_owner;
	range->ignore_events = BIT(MMU_NOTIFY_EXCLUSIVE);
	KUNIT_EXPECT_FALSE(test, hit_by(test, range, MMU_NOTIFY_MIGRATE, &owner));
	KUNIT_EXPECT_TRUE(test, hit_by(test, range, MMU_NOTIFY_MIGRATE,
				       &other_owner));
	KUNIT_EXPECT_TRUE(test, hit_by(test, range, MMU_NOTIFY_EXCLUSIVE,
				       &other_owner));
	hmm_range_unregister(range);
}

static void t9_owner_is_always_defined(struct kunit *test)
{
	struct mmu_notifier_range invalidation;

	memset(&invalidation, 0xa5, sizeof(invalidation));
	mmu_notifier_range_init(&invalidation, MMU_NOTIFY_MIGRATE, 0,
				test_mm(test), hmm_test_addr(0),
				hmm_test_addr(1));
	KUNIT_EXPECT_NULL(test, invalidation.owner);
}

static void t10_one_of_many_is_hit(struct kunit *test)
{
	const unsigned long nr = 1000;
	struct mm_struct *mm = test_mm(test);
	struct hmm_range **ranges;

	ranges = kunit_kcalloc(test, nr, sizeof(*ranges), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ranges);
	for (unsigned long i = 0; i < nr; i++) {
		ranges[i] = hmm_test_range(test, mm, 2 * i, 2);
		KUNIT_ASSERT_EQ(test, hmm_range_begin(ranges[i]), 0);
	}
	hmm_test_invalidate(mm, 601, 1);
	hmm_test_invalidate(mm, 1000, 3);
	for (unsigned long i = 0; i < nr; i++)
		KUNIT_EXPECT_EQ(test, hmm_range_valid(ranges[i]),
				i != 300 && i != 500 && i != 501);
}

static void t10_exit_marks_all(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct hmm_range *ranges[20];

	for (int i = 0; i < ARRAY_SIZE(ranges); i++) {
		ranges[i] = hmm_test_range(test, mm, i * 3, 1 + i);
		KUNIT_EXPECT_EQ(test, hmm_test_snapshot(ranges[i]), 0);
	}
	hmm_test_kill_mm(test, mm);
	for (int i = 0; i < ARRAY_SIZE(ranges); i++)
		KUNIT_EXPECT_FALSE(test, hmm_range_valid(ranges[i]));
}

/* The bounds that /proc/PID/clear_refs gives: 0 to -1UL. */
static void t10_clear_refs_marks_all(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *first = hmm_test_alloc_range(test, 1);
	struct hmm_range *last = hmm_test_alloc_range(test, 1);
	struct mmu_notifier_range invalidation;

	KUNIT_ASSERT_EQ(test, hmm_range_register(first, mm, 0, PAGE_SIZE), 0);
	KUNIT_ASSERT_EQ(test, hmm_range_register(last, mm,
						 mm->task_size - PAGE_SIZE,
						 mm->task_size), 0);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(first), 0);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(last), 0);

	mmu_notifier_range_init(&invalidation, MMU_NOTIFY_SOFT_DIRTY, 0, mm, 0,
				-1UL);
	mmu_notifier_invalidate_range_start(&invalidation);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(first));
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(last));
	KUNIT_EXPECT_FALSE(test, can_walk(first));
	KUNIT_EXPECT_FALSE(test, can_walk(last));
	mmu_notifier_invalidate_range_end(&invalidation);
	KUNIT_EXPECT_TRUE(test, can_walk(first));
	KUNIT_EXPECT_TRUE(test, can_walk(last));

	hmm_range_unregister(first);
	hmm_range_unregister(last);
}

static void t11_a_thousand_in_flight(struct kunit *test)
{
	const unsigned long nr = 1000;
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 0, 100);
	struct hmm_range *quiet = hmm_test_range(test, mm, 500, 10);
	struct mmu_notifier_range **invalidations;

	invalidations = kunit_kcalloc(test, nr, sizeof(*invalidations),
				      GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, invalidations);
	for (unsigned long i = 0; i < nr; i++)
		invalidations[i] = hmm_test_start(test, mm, i % 100, 1 + i % 7);
	KUNIT_EXPECT_FALSE(test, can_walk(range));
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(quiet), 0);

	/* In an order of their own; the one left is enough. */
	for (unsigned long i = 1; i < nr; i++)
		hmm_test_end(test, invalidations[i * 7 % nr]);
	KUNIT_EXPECT_FALSE(test, can_walk(range));
	hmm_test_end(test, invalidations[0]);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(quiet));
}

/* Counts the invalidations that start and those that end. */
struct counter {
	struct mmu_notifier notifier;
	int started, ended;
};

static int count_start(struct mmu_notifier *notifier,
		       const struct mmu_notifier_range *invalidation)
{
	container_of(notifier, struct counter, notifier)->started++;
	return 0;
}

static void count_end(struct mmu_notifier *notifier,
		      const struct mmu_notifier_range *invalidation)
{
	container_of(notifier, struct counter, notifier)->ended++;
}

static const struct mmu_notifier_ops count_ops = {
	.invalidate_range_start = count_start,
	.invalidate_range_end = count_end,
};

/* What mprotect() does to the page table. */
static void protect_page_0(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	struct mmu_gather tlb;

	mmap_write_lock(mm);
	vma = vma_lookup(mm, 0);
	if (vma) {
		vma_start_write(vma);
		tlb_gather_mmu(&tlb, mm);
		change_protection(&tlb, vma, 0, PAGE_SIZE, 0);
		tlb_finish_mmu(&tlb);
	}
	mmap_write_unlock(mm);
}

/* One that does not would leave its place on the stack in the list. */
static void t11_mprotect_of_address_0_ends(struct kunit *test)
{
	struct counter counter = { .notifier.ops = &count_ops };
	struct mm_struct *mm = test_mm(test);

	KUNIT_ASSERT_EQ(test, vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
				      MAP_POPULATE, 0), 0);
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&counter.notifier, mm), 0);
	protect_page_0(mm);
	mmu_notifier_unregister(&counter.notifier, mm);
	KUNIT_EXPECT_EQ(test, counter.started, 1);
	KUNIT_EXPECT_EQ(test, counter.ended, 1);
}

static void t12_register_pins_the_mm(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct hmm_range *first = hmm_test_range(test, mm, 10, 10);
	struct hmm_range *second = hmm_test_range(test, mm, 10, 10);

	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_users), 1);
	hmm_test_unregister(test, second);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);
	hmm_range_unregister(second);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);

	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(first), 0);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(first, 0), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_users), 1);
	hmm_test_unregister(test, first);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
}

static void t12_a_failed_register_pins_nothing(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct hmm_range *range = hmm_test_alloc_range(test, 10);
	int count = atomic_read(&mm->mm_count);

	KUNIT_EXPECT_EQ(test, hmm_range_register(range, mm, 1, PAGE_SIZE),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_users), 1);
	hmm_range_unregister(range);

	hmm_test_kill_mm(test, mm);
	count = atomic_read(&mm->mm_count);
	KUNIT_EXPECT_EQ(test, hmm_range_register(range, mm, 0, PAGE_SIZE),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	hmm_range_unregister(range);
}

static void errno_of_bad_bounds(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_alloc_range(test, 10);
	const unsigned long here = hmm_test_addr(1), top = mm->task_size;
	const unsigned long bad[][2] = {
		{ here + 1, here + PAGE_SIZE },		/* misaligned */
		{ here, here + PAGE_SIZE - 1 },
		{ here, here },				/* empty */
		{ 0, 0 },
		{ here, here - PAGE_SIZE },		/* wrapped */
		{ here, 0 },
		{ -PAGE_SIZE, 0 },
		{ top, top + PAGE_SIZE },		/* outside */
		{ 0, top + PAGE_SIZE },
		{ -2 * PAGE_SIZE, -PAGE_SIZE },
	};

	for (int i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ(test, hmm_range_register(range, mm, bad[i][0],
							 bad[i][1]), -EINVAL);
		mmap_write_lock(mm);
		KUNIT_EXPECT_EQ(test, hmm_range_register_locked(range, mm,
								bad[i][0],
								bad[i][1]),
				-EINVAL);
		mmap_write_unlock(mm);
	}
}

static void errno_of_unknown_flags_and_events(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_alloc_range(test, 10);

	for (int bit = 2; bit < 32; bit++) {
		range->flags = BIT(bit);
		KUNIT_EXPECT_EQ(test, hmm_range_register(range, mm, 0, PAGE_SIZE),
				-EINVAL);
	}
	range->flags = 0;
	for (int bit = 0; bit < 32; bit++) {
		/* Beside one that can be ignored, too. */
		range->ignore_events = BIT(bit) | BIT(MMU_NOTIFY_MIGRATE);
		if (bit == MMU_NOTIFY_MIGRATE || bit == MMU_NOTIFY_EXCLUSIVE)
			continue;
		KUNIT_EXPECT_EQ(test, hmm_range_register(range, mm, 0, PAGE_SIZE),
				-EINVAL);
		range->ignore_events = BIT(bit);
		KUNIT_EXPECT_EQ(test, hmm_range_register(range, mm, 0, PAGE_SIZE),
				-EINVAL);
	}
}

/* Each call on a range that is not registered, with the mmap lock held. */
static void expect_unregistered(struct kunit *test, struct hmm_range *range)
{
	struct mm_struct *mm = test_mm(test);
	int locked = 1;

	mmap_read_lock(mm);
	KUNIT_EXPECT_EQ(test, hmm_range_snapshot(range), -EINVAL);
	KUNIT_EXPECT_EQ(test, hmm_range_fault(range), -EINVAL);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_locked(range, &locked), -EINVAL);
	KUNIT_EXPECT_EQ(test, locked, 1);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), -EINVAL);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_FALSE(test, hmm_range_wait_until_valid(range, 1000));
	hmm_range_unregister(range);
}

static void errno_of_an_unregistered_range(struct kunit *test)
{
	struct hmm_range *range = hmm_test_alloc_range(test, 10);

	expect_unregistered(test, range);
	memset(range, 0, sizeof(*range));
	expect_unregistered(test, range);

	range = hmm_test_range(test, test_mm(test), 10, 10);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	hmm_test_unregister(test, range);
	expect_unregistered(test, range);
}

static void errno_of_changed_bounds(struct kunit *test)
{
	struct hmm_range *range = hmm_test_range(test, test_mm(test), 10, 10);
	const unsigned long first = range->start, end = range->end;
	unsigned long *pfns = range->hmm_pfns;
	const unsigned long bad[][2] = {
		{ first - PAGE_SIZE, end },
		{ first, end + PAGE_SIZE },
		{ end, end + PAGE_SIZE },
		{ first + 1, end },
		{ first, end - 1 },
		{ first, first },
		{ end, first },
		{ first, 0 },
	};

	for (int i = 0; i < ARRAY_SIZE(bad); i++) {
		range->start = bad[i][0];
		range->end = bad[i][1];
		KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EINVAL);
		KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EINVAL);
		KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, hmm_range_begin(range), -EINVAL);
		KUNIT_EXPECT_FALSE(test, hmm_range_wait_until_valid(range, 0));
		KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	}
	range->start = first;
	range->end = end;
	range->hmm_pfns = NULL;
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EINVAL);
	range->hmm_pfns = pfns;
	range->start += PAGE_SIZE;
	range->end -= PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* Whatever the memory of a range held before, nothing of it is taken for so. */
static void garbage_in_the_range_at_register(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range = hmm_test_alloc_range(test, 10);
	unsigned long *pfns = range->hmm_pfns;

	for (int byte = 0; byte < 256; byte++) {
		memset(range, byte, sizeof(*range));
		range->dev_private_owner = NULL;
		range->ignore_events = 0;
		range->flags = 0;
		KUNIT_ASSERT_EQ(test, hmm_range_register(range, mm,
							 hmm_test_addr(10),
							 hmm_test_addr(20)), 0);
		KUNIT_EXPECT_NULL(test, range->notifier);
		KUNIT_EXPECT_EQ(test, range->notifier_seq, 0);
		KUNIT_EXPECT_EQ(test, range->start, hmm_test_addr(10));
		KUNIT_EXPECT_EQ(test, range->end, hmm_test_addr(20));
		KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
		/* What is noted goes where there is room for it. */
		hmm_test_invalidate(mm, 10, 1);
		hmm_test_invalidate(mm, 12, 1);
		KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
		range->hmm_pfns = pfns;
		range->default_flags = 0;
		range->pfn_flags_mask = 0;
		KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
		KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
		hmm_test_invalidate(mm, 10, 1);
		KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
		hmm_range_unregister(range);
	}
}

/* A range of ten pages, walked as a whole, and let go while it was valid. */
static struct hmm_range *range_of_before(struct kunit *test)
{
	struct hmm_range *range = hmm_test_alloc_range(test, 10);

	KUNIT_ASSERT_EQ(test, hmm_range_register(range, test_mm(test),
						 hmm_test_addr(0),
						 hmm_test_addr(10)), 0);
	range->default_flags = HMM_PFN_REQ_FAULT;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_ASSERT_TRUE(test, hmm_range_valid(range));
	return range;
}

/* It is unregistered, and its memory holds what it held before that. */
static struct hmm_range *unregistered_as_before(struct kunit *test)
{
	struct hmm_range *range, copy;

	hmm_test_map(test, NULL, 0, 10, PROT_READ);
	range = range_of_before(test);
	copy = *range;
	hmm_range_unregister(range);

	*range = copy;
	return range;
}

static void register_again(struct kunit *test, struct hmm_range *range)
{
	KUNIT_ASSERT_EQ(test, hmm_range_register(range, test_mm(test),
						 hmm_test_addr(0),
						 hmm_test_addr(10)), 0);
}

/* Validity: a range whose memory says that it is valid, since it once was. */
static void register_again_is_not_valid(struct kunit *test)
{
	struct hmm_range *range = unregistered_as_before(test);

	register_again(test, range);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	hmm_range_unregister(range);
}

/* The remembered call: the first walk has no predecessor, whatever is told. */
static void register_again_forgets_the_call(struct kunit *test)
{
	struct hmm_range *range = unregistered_as_before(test);

	register_again(test, range);
	hmm_test_forget(range, 10);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, 10, { 0, 10 });
	hmm_range_unregister(range);
}

/* That a retry was told: it was about a walk of before. */
static void register_again_forgets_the_retry(struct kunit *test)
{
	struct hmm_range *range;

	hmm_test_map(test, NULL, 0, 10, PROT_READ);
	range = range_of_before(test);
	hmm_range_retry(range);
	hmm_range_unregister(range);

	register_again(test, range);
	KUNIT_EXPECT_FALSE(test, range->tracking.retry);
	hmm_range_unregister(range);
}

/* What was noted: dirty of before is not read beside what is dirty now. */
static void register_again_forgets_the_notes(struct kunit *test)
{
	const struct hmm_dirty *dirty;
	struct hmm_range *range;

	hmm_test_map(test, NULL, 0, 10, PROT_READ);
	range = range_of_before(test);
	for (int i = 0; i < 10; i += 2)
		hmm_test_invalidate(test_mm(test), i, 1);
	hmm_range_unregister(range);

	register_again(test, range);
	/* Nothing can be noted before there is a window. */
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), 0);
	dirty = &range->tracking.dirty;
	KUNIT_EXPECT_EQ(test, dirty->nr, 0);
	KUNIT_EXPECT_EQ(test, dirty->left, 0);
	KUNIT_EXPECT_EQ(test, dirty->chunks, 0);
	KUNIT_EXPECT_EQ(test, dirty->rest.start, 0);
	KUNIT_EXPECT_EQ(test, dirty->rest.end, 0);
	hmm_range_unregister(range);
}

/* The mm: after a registration that failed there is none. */
static void register_again_in_vain_has_no_mm(struct kunit *test)
{
	struct hmm_range *range = unregistered_as_before(test);
	int count;

	count = atomic_read(&test_mm(test)->mm_count);
	KUNIT_EXPECT_EQ(test, hmm_range_register(range, test_mm(test), 1, 2),
			-EINVAL);
	KUNIT_EXPECT_NULL(test, range->tracking.sub.mm);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(range), -EINVAL);
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EINVAL);
	/* Or it would be dropped by one that never took it. */
	if (!range->tracking.sub.mm)
		hmm_range_unregister(range);
	KUNIT_EXPECT_EQ(test, atomic_read(&test_mm(test)->mm_count), count);
}

static void register_locked(struct kunit *test)
{
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *first = hmm_test_alloc_range(test, 10);
	struct hmm_range *second = hmm_test_alloc_range(test, 10);

	mmap_write_lock(mm);
	KUNIT_EXPECT_EQ(test, hmm_range_register_locked(first, mm,
							hmm_test_addr(10),
							hmm_test_addr(20)), 0);
	KUNIT_EXPECT_EQ(test, hmm_range_register_locked(second, mm,
							hmm_test_addr(10),
							hmm_test_addr(20)), 0);
	mmap_write_unlock(mm);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(first), 0);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(second), 0);
	hmm_test_invalidate(mm, 10, 1);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(first));
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(second));

	/* Any lock that no interrupt takes may be held here. */
	mmap_write_lock(mm);
	hmm_range_unregister(first);
	hmm_range_unregister(second);
	mmap_write_unlock(mm);
}

static struct kunit_case hmm_range_cases[] = {
	KUNIT_CASE(t1_start_invalidates),
	KUNIT_CASE(t1_no_walk_during_an_invalidation),
	KUNIT_CASE(t1_begin_arms_without_a_walk),
	KUNIT_CASE(t2_marked_before_any_callback),
	KUNIT_CASE(t2_marked_before_any_release),
	KUNIT_CASE(t3_unrelated_invalidation_held_open),
	KUNIT_CASE(t3_register_does_not_wait_for_an_overlapping_one),
	KUNIT_CASE(t3_only_the_first_takes_the_locks),
	KUNIT_CASE(t3_racing_first_ones_take_the_locks_once),
	KUNIT_CASE(t4_ends_are_exclusive),
	KUNIT_CASE(t5_ranges_do_not_fail_a_nonblocking_one),
	KUNIT_CASE(t5_a_plain_notifier_refuses),
	KUNIT_CASE(t5_an_interval_notifier_refuses),
	KUNIT_CASE(t5_both_refuse),
	KUNIT_CASE(t5_refused_while_another_is_in_flight),
	KUNIT_CASE(t5_a_blocking_one_is_refused),
	KUNIT_CASE(t5_those_that_started_are_told_of_the_end),
	KUNIT_CASE(t6_registered_in_mid_invalidation),
	KUNIT_CASE(t6_registered_in_mid_own_invalidation),
	KUNIT_CASE(t6_recorded_while_no_range_is_registered),
	KUNIT_CASE(t7_wait_ends_with_the_invalidation),
	KUNIT_CASE(t7_wait_ends_on_timeout),
	KUNIT_CASE(t7_no_timeout_is_no_wait),
	KUNIT_CASE(t7_wait_ends_on_a_fatal_signal),
	KUNIT_CASE(t7_register_ends_on_a_fatal_signal),
	KUNIT_CASE(t7_wait_ends_when_the_mm_dies),
	KUNIT_CASE(t7_all_fails_once_the_mm_is_dying),
	KUNIT_CASE(t9_own_events_are_ignored_if_asked_for),
	KUNIT_CASE(t9_no_owner_never_matches),
	KUNIT_CASE(t9_latched_at_register),
	KUNIT_CASE(t9_owner_is_always_defined),
	KUNIT_CASE(t10_one_of_many_is_hit),
	KUNIT_CASE(t10_exit_marks_all),
	KUNIT_CASE(t10_clear_refs_marks_all),
	KUNIT_CASE(t11_a_thousand_in_flight),
	KUNIT_CASE(t11_mprotect_of_address_0_ends),
	KUNIT_CASE(t12_register_pins_the_mm),
	KUNIT_CASE(t12_a_failed_register_pins_nothing),
	KUNIT_CASE(errno_of_bad_bounds),
	KUNIT_CASE(errno_of_unknown_flags_and_events),
	KUNIT_CASE(errno_of_an_unregistered_range),
	KUNIT_CASE(errno_of_changed_bounds),
	KUNIT_CASE(garbage_in_the_range_at_register),
	KUNIT_CASE(register_again_is_not_valid),
	KUNIT_CASE(register_again_forgets_the_call),
	KUNIT_CASE(register_again_forgets_the_retry),
	KUNIT_CASE(register_again_forgets_the_notes),
	KUNIT_CASE(register_again_in_vain_has_no_mm),
	KUNIT_CASE(register_locked),
	{ }
};

static struct kunit_suite hmm_range_suite = {
	.name = "hmm_range",
	.init = hmm_test_attach_mm,
	.test_cases = hmm_range_cases,
};

kunit_test_suite(hmm_range_suite);
