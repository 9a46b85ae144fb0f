// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of ranges with callbacks (T16): when they are called and with what,
 * and how they are taken away; and of hmm_range_fault_commit(), which is the loop
 * of a driver that has them.
 */
#include <kunit/resource.h>
#include <kunit/test-bug.h>
#include <linux/delay.h>
#include <linux/hmm.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>

#include "hmm_kunit.h"

#define NR	16
/* More than are pinned at a time. */
#define MANY	40

/* A driver's range. Its page table is an array, with a lock. */
struct mirror {
	struct hmm_range range;
	struct hmm_range_finish finish;
	unsigned int calls, finished, released, commits;
	unsigned long start, end;
	enum mmu_notifier_event event;
	/* Called in the callback, or in a commit. */
	void (*also)(struct mirror *mirror);
	int result;
	bool refuses;

	struct mutex lock; /* protects @table */
	unsigned long table[NR];
};

/* What was called, in turn. */
static char order[4 * MANY];

static void called(char who)
{
	size_t len = strlen(order);

	if (len + 1 < sizeof(order))
		order[len] = who;
}

static bool invalidate(struct hmm_range *range,
		       const struct mmu_notifier_range *invalidation,
		       unsigned long start, unsigned long end)
{
	struct mirror *mirror = container_of(range, struct mirror, range);

	mirror->calls++;
	mirror->start = start;
	mirror->end = end;
	mirror->event = invalidation->event;
	called('r');
	if (mirror->also)
		mirror->also(mirror);
	return !mirror->refuses || mmu_notifier_range_blockable(invalidation);
}

static bool invalidate_start(struct hmm_range *range,
			     const struct mmu_notifier_range *invalidation,
			     unsigned long start, unsigned long end,
			     struct hmm_range_finish **finish)
{
	if (!invalidate(range, invalidation, start, end))
		return false;
	*finish = &container_of(range, struct mirror, range)->finish;
	return true;
}

static void invalidate_finish(struct hmm_range_finish *finish)
{
	container_of(finish, struct mirror, finish)->finished++;
	called('f');
}

static void release(struct hmm_range *range)
{
	container_of(range, struct mirror, range)->released++;
}

static const struct hmm_range_ops one_pass = {
	.invalidate = invalidate,
	.release = release,
};

static const struct hmm_range_ops two_passes = {
	.invalidate_start = invalidate_start,
	.invalidate_finish = invalidate_finish,
	.release = release,
};

KUNIT_DEFINE_ACTION_WRAPPER(unregister_range, hmm_range_unregister,
			    struct hmm_range *);

static struct mirror *alloc_mirror(struct kunit *test)
{
	struct mirror *mirror = kunit_kzalloc(test, sizeof(*mirror), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mirror);
	mutex_init(&mirror->lock);
	mirror->range.hmm_pfns = kunit_kcalloc(test, NR, sizeof(unsigned long),
					       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mirror->range.hmm_pfns);
	mirror->range.default_flags = HMM_PFN_REQ_FAULT;
	return mirror;
}

static void add(struct kunit *test, struct mirror *mirror, struct mm_struct *mm,
		unsigned long first, unsigned long nr,
		const struct hmm_range_ops *ops)
{
	KUNIT_ASSERT_EQ(test, 0,
			hmm_range_register_ops(&mirror->range, mm,
					       hmm_test_addr(first),
					       hmm_test_addr(first + nr), ops));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister_range,
							&mirror->range), 0);
}

static struct mirror *mirror_of(struct kunit *test, struct mm_struct *mm,
				unsigned long first, unsigned long nr,
				const struct hmm_range_ops *ops)
{
	struct mirror *mirror = alloc_mirror(test);

	add(test, mirror, mm, first, nr, ops);
	return mirror;
}

static void t16_called_with_what_was_hit(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct mirror *mirror = mirror_of(test, mm, 4, 8, &one_pass);

	hmm_test_invalidate(mm, 0, 4);
	hmm_test_invalidate(mm, 12, 4);
	KUNIT_EXPECT_EQ(test, mirror->calls, 0);
	hmm_test_invalidate(mm, 0, 5);
	KUNIT_EXPECT_EQ(test, mirror->calls, 1);
	KUNIT_EXPECT_EQ(test, mirror->start, hmm_test_addr(4));
	KUNIT_EXPECT_EQ(test, mirror->end, hmm_test_addr(5));
	hmm_test_invalidate(mm, 11, 100);
	KUNIT_EXPECT_EQ(test, mirror->start, hmm_test_addr(11));
	KUNIT_EXPECT_EQ(test, mirror->end, hmm_test_addr(12));

	/* All that is registered counts, not the window. */
	mirror->range.start = hmm_test_addr(10);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(&mirror->range), 0);
	hmm_test_invalidate(mm, 6, 1);
	KUNIT_EXPECT_EQ(test, mirror->calls, 3);
	KUNIT_EXPECT_EQ(test, mirror->start, hmm_test_addr(6));
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(&mirror->range));

	hmm_test_kill_mm(test, mm);
	KUNIT_EXPECT_EQ(test, mirror->calls, 4);
	KUNIT_EXPECT_EQ(test, mirror->event, MMU_NOTIFY_RELEASE);
	KUNIT_EXPECT_EQ(test, mirror->start, hmm_test_addr(4));
	KUNIT_EXPECT_EQ(test, mirror->end, hmm_test_addr(12));
}

/* Interval and plain notifiers beside ranges, of which one watches the marks. */
struct bystander {
	struct mmu_interval_notifier interval;
	struct mmu_notifier plain;
	struct mm_struct *mm;
};

static bool interval_called(struct mmu_interval_notifier *interval,
			    const struct mmu_notifier_range *invalidation,
			    unsigned long cur_seq)
{
	mmu_interval_set_seq(interval, cur_seq);
	called('i');
	return true;
}

static const struct mmu_interval_notifier_ops interval_ops = {
	.invalidate = interval_called,
};

static int plain_called(struct mmu_notifier *plain,
			const struct mmu_notifier_range *invalidation)
{
	called('p');
	return 0;
}

static void plain_released(struct mmu_notifier *plain, struct mm_struct *mm)
{
	called('p');
}

static const struct mmu_notifier_ops plain_ops = {
	.invalidate_range_start = plain_called,
	.release = plain_released,
};

static void remove_bystander(void *data)
{
	struct bystander *bystander = data;

	mmu_interval_notifier_remove(&bystander->interval);
	mmu_notifier_unregister(&bystander->plain, bystander->mm);
}

static void add_bystander(struct kunit *test, struct mm_struct *mm)
{
	struct bystander *bystander;

	bystander = kunit_kzalloc(test, sizeof(*bystander), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bystander);
	bystander->mm = mm;
	bystander->plain.ops = &plain_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&bystander->plain, mm), 0);
	KUNIT_ASSERT_EQ(test, 0,
			mmu_interval_notifier_insert(&bystander->interval, mm,
						     hmm_test_addr(0),
						     NR * PAGE_SIZE,
						     &interval_ops));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, remove_bystander,
							bystander), 0);
}

/* The range that was marked last is looked at in the first call of all. */
static struct mirror *marked;

static void expect_marked(struct mirror *mirror)
{
	if (hmm_range_valid(&marked->range))
		called('!');
}

static void t16_in_order(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct mirror *first;

	first = mirror_of(test, mm, 0, NR, &two_passes);
	add_bystander(test, mm);
	marked = mirror_of(test, mm, 0, NR, &one_pass);
	first->also = expect_marked;
	marked->also = expect_marked;
	KUNIT_EXPECT_EQ(test, hmm_range_begin(&marked->range), 0);
	memset(order, 0, sizeof(order));
	hmm_test_invalidate(mm, 3, 1);
	KUNIT_EXPECT_STREQ(test, order, "irrfp");

	KUNIT_EXPECT_EQ(test, hmm_range_begin(&marked->range), 0);
	memset(order, 0, sizeof(order));
	hmm_test_kill_mm(test, mm);
	KUNIT_EXPECT_STREQ(test, order, "irrfp");
}

/* Of many, one says no to an invalidation that must not block. */
static void t16_a_callback_refuses(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct mmu_notifier_range invalidation;
	struct mirror *mirrors[MANY];
	unsigned int calls = 0;

	for (int i = 0; i < MANY; i++)
		mirrors[i] = mirror_of(test, mm, 0, NR, &two_passes);
	mirrors[MANY / 2]->refuses = true;
	mmu_notifier_range_init(&invalidation, MMU_NOTIFY_CLEAR, 0, mm,
				hmm_test_addr(0), hmm_test_addr(1));
	KUNIT_EXPECT_EQ(test,
			mmu_notifier_invalidate_range_start_nonblock(&invalidation),
			-EAGAIN);
	for (int i = 0; i < MANY; i++) {
		calls += mirrors[i]->calls;
		KUNIT_EXPECT_EQ(test, mirrors[i]->finished,
				mirrors[i]->calls && !mirrors[i]->refuses);
		/* It is not in flight any more. */
		KUNIT_EXPECT_EQ(test, hmm_range_begin(&mirrors[i]->range), 0);
	}
	KUNIT_EXPECT_GT(test, calls, 0);
	KUNIT_EXPECT_LT(test, calls, MANY);
}

static void t16_own_events(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct mirror *quiet = alloc_mirror(test), *told = alloc_mirror(test);

	quiet->range.dev_private_owner = test;
	quiet->range.ignore_events = BIT(MMU_NOTIFY_MIGRATE);
	told->range = quiet->range;
	told->range.flags = HMM_RANGE_OWN_EVENTS;
	add(test, quiet, mm, 0, NR, &one_pass);
	add(test, told, mm, 0, NR, &one_pass);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(&quiet->range), 0);
	KUNIT_EXPECT_EQ(test, hmm_range_begin(&told->range), 0);
	hmm_test_end(test, hmm_test_start_event(test, mm, 0, 1,
						MMU_NOTIFY_MIGRATE, test));
	KUNIT_EXPECT_EQ(test, quiet->calls, 0);
	KUNIT_EXPECT_EQ(test, told->calls, 1);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(&quiet->range));
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(&told->range));
	hmm_test_end(test, hmm_test_start_event(test, mm, 0, 1,
						MMU_NOTIFY_MIGRATE, mm));
	KUNIT_EXPECT_EQ(test, quiet->calls, 1);
	KUNIT_EXPECT_EQ(test, told->calls, 2);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(&quiet->range));
}

/* A callback that takes its time. */
static DECLARE_COMPLETION(inside);
static DECLARE_COMPLETION(go_on);

static void stay(struct mirror *mirror)
{
	complete(&inside);
	wait_for_completion(&go_on);
}

static void do_invalidate(struct hmm_test_job *job)
{
	hmm_test_invalidate(job->mm, 0, 1);
}

static void do_unregister(struct hmm_test_job *job)
{
	hmm_range_unregister(job->range);
}

static void t16_unregister_waits_for_its_callback(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct mirror *mirror = mirror_of(test, mm, 0, 1, &one_pass);
	struct mirror *other = mirror_of(test, mm, 1, 1, &one_pass);
	struct hmm_test_job args = { .mm = mm, .range = &mirror->range };
	struct hmm_test_job *call, *unregister;

	reinit_completion(&inside);
	reinit_completion(&go_on);
	mirror->also = stay;
	call = hmm_test_start_job(test, do_invalidate, &args);
	wait_for_completion(&inside);
	/* Another range has nothing to wait for. */
	hmm_range_unregister(&other->range);
	unregister = hmm_test_start_job(test, do_unregister, &args);
	msleep(50);
	KUNIT_EXPECT_FALSE(test, completion_done(&unregister->done));
	complete_all(&go_on);
	KUNIT_EXPECT_TRUE(test, hmm_test_job_ends(unregister));
	KUNIT_EXPECT_TRUE(test, hmm_test_job_ends(call));
	hmm_test_invalidate(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, mirror->calls, 1);
	KUNIT_EXPECT_EQ(test, mirror->released, 0);
}

static void unregister_it(struct mirror *mirror)
{
	hmm_range_unregister_async(&mirror->range);
	if (mirror->released)
		called('!');
}

static void t16_unregistered_in_the_callback(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct mirror *mirrors[MANY];

	for (int i = 0; i < MANY; i++) {
		mirrors[i] = mirror_of(test, mm, 0, NR,
				       i & 1 ? &one_pass : &two_passes);
		mirrors[i]->also = unregister_it;
	}
	memset(order, 0, sizeof(order));
	hmm_test_invalidate(mm, 0, 1);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_NULL(test, strchr(order, '!'));
	for (int i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, mirrors[i]->released, 1);
	hmm_test_invalidate(mm, 0, 1);
	for (int i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, mirrors[i]->calls, 1);
}

/* Without recording a registration takes the mmap lock, so it must not be held. */
static void t16_register_under_the_mmap_lock(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct mirror *mirror = alloc_mirror(test);
	struct hmm_range *range = &mirror->range;
	unsigned long start = hmm_test_addr(0), end = hmm_test_addr(NR);

	if (IS_ENABLED(CONFIG_LOCKDEP)) {
		mmap_read_lock(mm);
		kunit_warning_suppress(test) {
			KUNIT_EXPECT_EQ(test, -EINVAL,
					hmm_range_register_ops(range, mm, start,
							       end, &one_pass));
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		}
		mmap_read_unlock(mm);
	}
	KUNIT_EXPECT_EQ(test, hmm_mm_track(mm), 0);
	KUNIT_EXPECT_EQ(test, hmm_mm_track(mm), 0);
	mmap_read_lock(mm);
	KUNIT_EXPECT_EQ(test, 0, hmm_range_register_ops(range, mm, start, end,
							&one_pass));
	mmap_read_unlock(mm);
	hmm_range_unregister(range);
	hmm_test_kill_mm(test, mm);
	KUNIT_EXPECT_EQ(test, hmm_mm_track(mm), -EFAULT);
}

static void several_users_have_a_number_each(struct kunit *test)
{
	struct mm_struct *mm = hmm_test_mm(test);
	struct hmm_range *range = hmm_test_range(test, mm, 0, NR);
	struct mmu_notifier_range *invalidation;
	unsigned long one, two;

	one = hmm_range_begin_seq(range);
	KUNIT_EXPECT_TRUE(test, hmm_range_unchanged(range, one));
	hmm_test_invalidate(mm, NR, 1);
	KUNIT_EXPECT_TRUE(test, hmm_range_unchanged(range, one));
	invalidation = hmm_test_start(test, mm, 0, 1);
	KUNIT_EXPECT_FALSE(test, hmm_range_unchanged(range, one));
	two = hmm_range_begin_seq(range);
	KUNIT_EXPECT_FALSE(test, hmm_range_unchanged(range, two));
	hmm_test_end(test, invalidation);
	KUNIT_EXPECT_FALSE(test, hmm_range_unchanged(range, two));
	two = hmm_range_begin_seq(range);
	KUNIT_EXPECT_TRUE(test, hmm_range_unchanged(range, two));
	KUNIT_EXPECT_FALSE(test, hmm_range_unchanged(range, one));
	hmm_test_kill_mm(test, mm);
	KUNIT_EXPECT_FALSE(test, hmm_range_unchanged(range, two));
	KUNIT_EXPECT_FALSE(test, hmm_range_unchanged(range,
						     hmm_range_begin_seq(range)));
}

/*
 * hmm_range_fault_commit(). The driver's table is torn down by the callback.
 */

static void tear_down(struct mirror *mirror)
{
	unsigned long i, nr = (mirror->end - mirror->start) >> PAGE_SHIFT;
	unsigned long first = (mirror->start - HMM_TEST_BASE) >> PAGE_SHIFT;

	mutex_lock(&mirror->lock);
	for (i = 0; i < nr; i++)
		mirror->table[first + i] = 0;
	mutex_unlock(&mirror->lock);
}

static void lock_table(void *data)
{
	mutex_lock(&((struct mirror *)data)->lock);
}

static void unlock_table(void *data)
{
	mutex_unlock(&((struct mirror *)data)->lock);
}

static int commit(struct hmm_range *range, void *data)
{
	struct mirror *mirror = data;

	lockdep_assert_held(&mirror->lock);
	if (++mirror->commits == 1 && mirror->result)
		return mirror->result;
	memcpy(mirror->table, range->hmm_pfns, sizeof(mirror->table));
	return 0;
}

static const struct hmm_commit_ops commit_ops = {
	.lock = lock_table,
	.unlock = unlock_table,
	.commit = commit,
};

/* One whose table follows the pages, which are there already. */
static struct mirror *committing(struct kunit *test,
				 struct hmm_test_recorder **recorder)
{
	struct mirror *mirror;

	KUNIT_ASSERT_EQ(test, hmm_test_attach_mm(test), 0);
	*recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	mirror = mirror_of(test, current->mm, 0, NR, &one_pass);
	mirror->also = tear_down;
	return mirror;
}

static void expect_table(struct kunit *test, struct mirror *mirror)
{
	mmap_read_lock(current->mm);
	for (unsigned long i = 0; i < NR; i++)
		KUNIT_EXPECT_EQ(test, mirror->table[i],
				hmm_test_mapped(current->mm, i));
	mmap_read_unlock(current->mm);
}

static void commit_what_was_faulted(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct mirror *mirror = committing(test, &recorder);

	KUNIT_EXPECT_EQ(test, 0, hmm_range_fault_commit(&mirror->range, 0,
							&commit_ops, mirror));
	KUNIT_EXPECT_EQ(test, mirror->commits, 1);
	KUNIT_EXPECT_EQ(test, recorder->faults, NR);
	KUNIT_EXPECT_NE(test, mirror->table[NR - 1], 0);
	expect_table(test, mirror);
	KUNIT_EXPECT_EQ(test, do_madvise(current->mm, hmm_test_addr(3), PAGE_SIZE,
					 MADV_DONTNEED), 0);
	KUNIT_EXPECT_EQ(test, mirror->table[3], 0);
	expect_table(test, mirror);
}

/* It is hit when the lock is awaited: what was hit is read again, all else kept. */
static void hit_before_the_lock(void *data)
{
	struct kunit *test = kunit_get_current_test();
	struct mirror *mirror = data;

	if (!mirror->commits && !mirror->calls) {
		hmm_test_forget(&mirror->range, 3);
		KUNIT_EXPECT_EQ(test, do_madvise(current->mm, hmm_test_addr(5),
						 PAGE_SIZE, MADV_DONTNEED), 0);
	}
	lock_table(data);
}

static void commit_reads_what_was_hit_again(struct kunit *test)
{
	const struct hmm_commit_ops ops = {
		.lock = hit_before_the_lock,
		.unlock = unlock_table,
		.commit = commit,
	};
	struct hmm_test_recorder *recorder;
	struct mirror *mirror = committing(test, &recorder);

	KUNIT_EXPECT_EQ(test, 0, hmm_range_fault_commit(&mirror->range, HZ, &ops,
							mirror));
	KUNIT_EXPECT_EQ(test, mirror->commits, 1);
	KUNIT_EXPECT_EQ(test, recorder->faults, NR + 1);
	KUNIT_EXPECT_EQ(test, recorder->nr_hits[5], 2);
	/* Kept, as the driver may not have changed it. */
	for (int i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, mirror->table[i], HMM_TEST_UNTOUCHED);
		mirror->table[i] = hmm_test_mapped(current->mm, i);
	}
	expect_table(test, mirror);
}

static void commit_again_without_a_walk(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct mirror *mirror = committing(test, &recorder);

	mirror->result = -EAGAIN;
	KUNIT_EXPECT_EQ(test, 0, hmm_range_fault_commit(&mirror->range, 0,
							&commit_ops, mirror));
	KUNIT_EXPECT_EQ(test, mirror->commits, 2);
	KUNIT_EXPECT_EQ(test, recorder->faults, NR);
	expect_table(test, mirror);
}

static int never_commit(struct hmm_range *range, void *data)
{
	((struct mirror *)data)->commits++;
	return -EAGAIN;
}

/* No limit in time, nothing that invalidates: it ends all the same. */
static void commit_gives_up(struct kunit *test)
{
	const struct hmm_commit_ops ops = {
		.lock = lock_table,
		.unlock = unlock_table,
		.commit = never_commit,
	};
	struct hmm_test_recorder *recorder;
	struct mirror *mirror = committing(test, &recorder);

	KUNIT_EXPECT_EQ(test, -EBUSY, hmm_range_fault_commit(&mirror->range, 0,
							     &ops, mirror));
	KUNIT_EXPECT_EQ(test, mirror->commits, 3);
	KUNIT_EXPECT_FALSE(test, mutex_is_locked(&mirror->lock));
}

/* Not before the fifth time; and at the second it is hit, which is a new walk. */
static int commit_and_be_hit(struct hmm_range *range, void *data)
{
	struct mirror *mirror = data;

	if (++mirror->commits > 4)
		return 0;
	if (mirror->commits == 2)
		hmm_test_invalidate(current->mm, 0, 1);
	return -EAGAIN;
}

static void lock_nothing(void *data)
{
}

static void commit_counts_anew_after_a_walk(struct kunit *test)
{
	const struct hmm_commit_ops ops = {
		.lock = lock_nothing,
		.unlock = lock_nothing,
		.commit = commit_and_be_hit,
	};
	struct hmm_test_recorder *recorder;
	struct mirror *mirror = committing(test, &recorder);

	KUNIT_EXPECT_EQ(test, 0, hmm_range_fault_commit(&mirror->range, 0, &ops,
							mirror));
	KUNIT_EXPECT_EQ(test, mirror->commits, 5);
}

/* Each time that it may be committed it has been hit. */
static void always_hit(void *data)
{
	hmm_test_invalidate(current->mm, 0, 1);
	lock_table(data);
}

static const struct hmm_commit_ops always_hit_ops = {
	.lock = always_hit,
	.unlock = unlock_table,
	.commit = commit,
};

static void commit_has_one_deadline(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct mirror *mirror = committing(test, &recorder);
	unsigned long began = jiffies;

	KUNIT_EXPECT_EQ(test, -EBUSY, hmm_range_fault_commit(&mirror->range, HZ / 5,
							     &always_hit_ops,
							     mirror));
	KUNIT_EXPECT_GE(test, jiffies - began, HZ / 5);
	KUNIT_EXPECT_LT(test, jiffies - began, HMM_TEST_LONG);
	KUNIT_EXPECT_EQ(test, mirror->commits, 0);
	KUNIT_EXPECT_GT(test, mirror->calls, 1);
}

/* Each page takes a quarter of the time, and the lock is let go for it. */
static vm_fault_t take_time(struct hmm_test_recorder *recorder,
			    struct vm_fault *vmf)
{
	if (recorder->nr_hits[vmf->pgoff] > 1)
		return 0;
	release_fault_lock(vmf);
	schedule_timeout_uninterruptible(HZ / 20);
	return VM_FAULT_RETRY;
}

static void commit_has_one_deadline_for_all_faults(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct mirror *mirror = committing(test, &recorder);

	recorder->hook = take_time;
	KUNIT_EXPECT_EQ(test, -EBUSY, hmm_range_fault_commit(&mirror->range, HZ / 5,
							     &commit_ops, mirror));
	KUNIT_EXPECT_EQ(test, mirror->commits, 0);
	KUNIT_EXPECT_LT(test, recorder->faults, 2 * NR);
}

static void do_commit(struct hmm_test_job *job)
{
	struct mirror *mirror = container_of(job->range, struct mirror, range);

	kthread_use_mm(job->mm);
	job->result = hmm_range_fault_commit(job->range, 0, &always_hit_ops,
					     mirror);
	kthread_unuse_mm(job->mm);
}

static void commit_ends_on_a_fatal_signal(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct mirror *mirror = committing(test, &recorder);
	struct hmm_test_job args = { .mm = current->mm, .range = &mirror->range };
	struct hmm_test_job *job = hmm_test_start_job(test, do_commit, &args);

	msleep(50);
	KUNIT_EXPECT_FALSE(test, completion_done(&job->done));
	hmm_test_kill_job(job);
	KUNIT_ASSERT_TRUE(test, hmm_test_job_ends(job));
	KUNIT_EXPECT_EQ(test, job->result, -EINTR);
	KUNIT_EXPECT_FALSE(test, mutex_is_locked(&mirror->lock));
}

static void commit_errno(struct kunit *test)
{
	struct mm_struct *dead = hmm_test_mm(test);
	struct mirror *orphan = mirror_of(test, dead, 0, NR, &one_pass);
	struct hmm_test_recorder *recorder;
	struct mirror *mirror = committing(test, &recorder);

	mirror->result = -ENOSPC;
	mirror->range.pfn_flags_mask = HMM_PFN_REQ_FAULT;
	KUNIT_EXPECT_EQ(test, -EINVAL, hmm_range_fault_commit(&mirror->range, 0,
							      &commit_ops,
							      mirror));
	KUNIT_EXPECT_EQ(test, mirror->commits, 0);
	mirror->range.pfn_flags_mask = 0;
	KUNIT_EXPECT_EQ(test, -ENOSPC, hmm_range_fault_commit(&mirror->range, 0,
							      &commit_ops,
							      mirror));
	KUNIT_EXPECT_EQ(test, mirror->commits, 1);
	hmm_test_kill_mm(test, dead);
	KUNIT_EXPECT_EQ(test, -EFAULT, hmm_range_fault_commit(&orphan->range, 0,
							      &commit_ops,
							      orphan));
	hmm_range_unregister(&orphan->range);
	KUNIT_EXPECT_EQ(test, -EINVAL, hmm_range_fault_commit(&orphan->range, 0,
							      &commit_ops,
							      orphan));
	KUNIT_EXPECT_EQ(test, orphan->commits, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(t16_called_with_what_was_hit),
	KUNIT_CASE(t16_in_order),
	KUNIT_CASE(t16_a_callback_refuses),
	KUNIT_CASE(t16_own_events),
	KUNIT_CASE(t16_unregister_waits_for_its_callback),
	KUNIT_CASE(t16_unregistered_in_the_callback),
	KUNIT_CASE(t16_register_under_the_mmap_lock),
	KUNIT_CASE(several_users_have_a_number_each),
	KUNIT_CASE(commit_what_was_faulted),
	KUNIT_CASE(commit_reads_what_was_hit_again),
	KUNIT_CASE(commit_again_without_a_walk),
	KUNIT_CASE(commit_gives_up),
	KUNIT_CASE(commit_counts_anew_after_a_walk),
	KUNIT_CASE(commit_has_one_deadline),
	KUNIT_CASE(commit_has_one_deadline_for_all_faults),
	KUNIT_CASE(commit_ends_on_a_fatal_signal),
	KUNIT_CASE(commit_errno),
	{ }
};

static struct kunit_suite suite = {
	.name = "hmm_ops",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of ranges with callbacks");
MODULE_LICENSE("GPL");
