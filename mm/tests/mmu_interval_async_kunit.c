// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of what interval notifiers have beyond what they had: a beginning
 * with a limit in time, a removal that does not wait, and a refusal that leaves
 * nothing behind.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#define ASYNC_BASE	0x20000000UL
#define ASYNC_SUBS	40
/* Longer than anything takes that does not wait for ever. */
#define ASYNC_LONG	(10 * HZ)

struct async_sub {
	struct mmu_interval_notifier sub;
	struct mmu_interval_notifier_finish finish;
	unsigned int calls;
	unsigned int finished;
	unsigned int released;
	void (*also)(struct async_sub *sub);
	bool refuses;
};

struct async_test {
	struct mm_struct *mm;
	struct completion started;
	struct async_sub subs[ASYNC_SUBS];
};

static bool async_call(struct mmu_interval_notifier *notifier,
		       const struct mmu_notifier_range *range,
		       unsigned long cur_seq)
{
	struct async_sub *sub = container_of(notifier, struct async_sub, sub);

	mmu_interval_set_seq(notifier, cur_seq);
	sub->calls++;
	if (sub->also)
		sub->also(sub);
	return true;
}

static const struct mmu_interval_notifier_ops async_ops = {
	.invalidate = async_call,
};

static bool async_call_start(struct mmu_interval_notifier *notifier,
			     const struct mmu_notifier_range *range,
			     unsigned long cur_seq,
			     struct mmu_interval_notifier_finish **finish)
{
	struct async_sub *sub = container_of(notifier, struct async_sub, sub);

	async_call(notifier, range, cur_seq);
	if (sub->refuses && !mmu_notifier_range_blockable(range))
		return false;
	*finish = &sub->finish;
	return true;
}

static void async_finish(struct mmu_interval_notifier_finish *finish)
{
	container_of(finish, struct async_sub, finish)->finished++;
}

static const struct mmu_interval_notifier_ops async_two_passes = {
	.invalidate_start = async_call_start,
	.invalidate_finish = async_finish,
};

static void async_release(struct mmu_interval_notifier *notifier)
{
	container_of(notifier, struct async_sub, sub)->released++;
}

static struct async_sub *
async_insert_ops(struct kunit *test, unsigned int n,
		 const struct mmu_interval_notifier_ops *ops)
{
	struct async_test *t = test->priv;
	struct async_sub *sub = &t->subs[n];

	KUNIT_ASSERT_EQ(test, 0,
			mmu_interval_notifier_insert(&sub->sub, t->mm, ASYNC_BASE,
						     PAGE_SIZE, ops));
	return sub;
}

static struct async_sub *async_insert(struct kunit *test, unsigned int n)
{
	return async_insert_ops(test, n, &async_ops);
}

static void async_start(struct mm_struct *mm, struct mmu_notifier_range *range)
{
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, mm, ASYNC_BASE,
				ASYNC_BASE + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(range);
}

static void async_invalidate(struct mm_struct *mm)
{
	struct mmu_notifier_range range;

	async_start(mm, &range);
	mmu_notifier_invalidate_range_end(&range);
}

/* Another thread begins to read. */
struct async_reader {
	struct mmu_interval_notifier *sub;
	unsigned long seq;
	int result;
	struct completion done;
	struct task_struct *task;
};

static int async_read(void *data)
{
	struct async_reader *reader = data;

	allow_kernel_signal(SIGKILL);
	reader->result = mmu_interval_read_begin_timeout(reader->sub, 0,
							 &reader->seq);
	complete(&reader->done);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

static void async_start_reader(struct kunit *test, struct async_reader *reader,
			       struct async_sub *sub)
{
	unsigned long until = jiffies + ASYNC_LONG;

	reader->sub = &sub->sub;
	reader->seq = 0;
	init_completion(&reader->done);
	reader->task = kthread_run(async_read, reader, "async_reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(reader->task));
	while (!(READ_ONCE(reader->task->__state) & TASK_WAKEKILL) &&
	       time_before(jiffies, until))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_FALSE(test, completion_done(&reader->done));
}

static void async_end_reader(struct kunit *test, struct async_reader *reader)
{
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&reader->done,
							  ASYNC_LONG), 0);
	kthread_stop(reader->task);
}

static void o5_the_time_is_up(struct kunit *test)
{
	struct async_test *t = test->priv;
	struct async_sub *sub = async_insert(test, 0);
	struct mmu_notifier_range range;
	unsigned long began, seq = 0;

	KUNIT_EXPECT_EQ(test, 0, mmu_interval_read_begin_timeout(&sub->sub, 1,
								 &seq));
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&sub->sub, seq));
	async_start(t->mm, &range);
	began = jiffies;
	KUNIT_EXPECT_EQ(test, -EBUSY,
			mmu_interval_read_begin_timeout(&sub->sub, HZ / 10, &seq));
	KUNIT_EXPECT_GE(test, jiffies - began, HZ / 10);
	KUNIT_EXPECT_LT(test, jiffies - began, ASYNC_LONG);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_retry(&sub->sub, seq));
	mmu_interval_notifier_remove(&sub->sub);
}

static void o5_no_limit_in_time(struct kunit *test)
{
	struct async_test *t = test->priv;
	struct async_sub *sub = async_insert(test, 0);
	struct mmu_notifier_range range;
	struct async_reader reader;

	async_start(t->mm, &range);
	async_start_reader(test, &reader, sub);
	mmu_notifier_invalidate_range_end(&range);
	async_end_reader(test, &reader);
	KUNIT_EXPECT_EQ(test, reader.result, 0);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&sub->sub, reader.seq));
	mmu_interval_notifier_remove(&sub->sub);
}

static void o5_a_fatal_signal(struct kunit *test)
{
	struct async_test *t = test->priv;
	struct async_sub *sub = async_insert(test, 0);
	struct mmu_notifier_range range;
	struct async_reader reader;

	async_start(t->mm, &range);
	async_start_reader(test, &reader, sub);
	send_sig(SIGKILL, reader.task, 1);
	async_end_reader(test, &reader);
	KUNIT_EXPECT_EQ(test, reader.result, -EINTR);
	mmu_notifier_invalidate_range_end(&range);
	mmu_interval_notifier_remove(&sub->sub);
}

static void o5_the_mm_dies(struct kunit *test)
{
	struct async_test *t = test->priv;
	struct async_sub *sub = async_insert(test, 0);
	struct mmu_notifier_range range;
	struct async_reader reader;
	unsigned long seq = 0;

	async_start(t->mm, &range);
	async_start_reader(test, &reader, sub);
	mmput(t->mm);
	async_end_reader(test, &reader);
	KUNIT_EXPECT_EQ(test, reader.result, -EFAULT);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			mmu_interval_read_begin_timeout(&sub->sub, 0, &seq));
	mmu_interval_notifier_remove(&sub->sub);
}

static void async_remove_it(struct async_sub *sub)
{
	mmu_interval_notifier_remove_async(&sub->sub, async_release);
	/* Its callback runs. */
	WARN_ON_ONCE(sub->released);
}

static void o5_removed_in_the_callback(struct kunit *test)
{
	struct async_test *t = test->priv;
	int i;

	for (i = 0; i < ASYNC_SUBS; i++)
		async_insert(test, i)->also = async_remove_it;
	async_invalidate(t->mm);
	mmu_notifier_synchronize();
	for (i = 0; i < ASYNC_SUBS; i++)
		KUNIT_EXPECT_EQ(test, t->subs[i].released, 1);
	async_invalidate(t->mm);
	for (i = 0; i < ASYNC_SUBS; i++)
		KUNIT_EXPECT_EQ(test, t->subs[i].calls, 1);
}

static DECLARE_COMPLETION(async_inside);
static DECLARE_COMPLETION(async_go_on);

static void async_stay(struct async_sub *sub)
{
	complete(&async_inside);
	wait_for_completion(&async_go_on);
}

static int async_invalidate_thread(void *mm)
{
	async_invalidate(mm);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

static int async_synchronize_thread(void *done)
{
	mmu_notifier_synchronize();
	complete(done);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

/* What was removed while it is called is released after that, and waited for. */
static void o5_synchronize_waits_for_the_release(struct kunit *test)
{
	struct async_test *t = test->priv;
	struct async_sub *sub = async_insert(test, 0);
	struct task_struct *call, *synchronize;
	DECLARE_COMPLETION_ONSTACK(done);

	reinit_completion(&async_inside);
	reinit_completion(&async_go_on);
	sub->also = async_stay;
	call = kthread_run(async_invalidate_thread, t->mm, "async_call");
	KUNIT_ASSERT_FALSE(test, IS_ERR(call));
	wait_for_completion(&async_inside);
	mmu_interval_notifier_remove_async(&sub->sub, async_release);
	KUNIT_EXPECT_EQ(test, sub->released, 0);
	synchronize = kthread_run(async_synchronize_thread, &done, "async_sync");
	KUNIT_ASSERT_FALSE(test, IS_ERR(synchronize));
	msleep(100);
	KUNIT_EXPECT_FALSE(test, completion_done(&done));
	complete_all(&async_go_on);
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&done, ASYNC_LONG), 0);
	KUNIT_EXPECT_EQ(test, sub->released, 1);
	kthread_stop(synchronize);
	kthread_stop(call);
}

/* One that must not block fails: what was called before it is finished. */
static void o4_a_failure_finishes_what_was_begun(struct kunit *test)
{
	struct async_test *t = test->priv;
	struct mmu_notifier_range range;
	unsigned int calls = 0;
	unsigned long seq = 0;
	int i;

	for (i = 0; i < ASYNC_SUBS; i++)
		async_insert_ops(test, i, &async_two_passes);
	t->subs[ASYNC_SUBS / 2].refuses = true;
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, t->mm, ASYNC_BASE,
				ASYNC_BASE + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			mmu_notifier_invalidate_range_start_nonblock(&range));
	for (i = 0; i < ASYNC_SUBS; i++) {
		calls += t->subs[i].calls;
		KUNIT_EXPECT_EQ(test, t->subs[i].finished,
				t->subs[i].calls && !t->subs[i].refuses);
	}
	KUNIT_EXPECT_GE(test, calls, 1);
	KUNIT_EXPECT_LT(test, calls, ASYNC_SUBS);
	/* It is not in flight any more. */
	KUNIT_EXPECT_EQ(test, 0, mmu_interval_read_begin_timeout(&t->subs[0].sub,
								 1, &seq));
	for (i = 0; i < ASYNC_SUBS; i++)
		mmu_interval_notifier_remove(&t->subs[i].sub);
}

/* A start waits for the callbacks of what is removed, and does not call it. */
static int async_start_thread(void *data)
{
	struct async_test *t = data;

	async_invalidate(t->mm);
	complete(&t->started);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

static void o4_a_start_waits_for_what_is_removed(struct kunit *test)
{
	struct async_test *t = test->priv;
	struct async_sub *sub = async_insert(test, 0);
	struct task_struct *call, *start;

	reinit_completion(&async_inside);
	reinit_completion(&async_go_on);
	init_completion(&t->started);
	sub->also = async_stay;
	call = kthread_run(async_invalidate_thread, t->mm, "async_call");
	KUNIT_ASSERT_FALSE(test, IS_ERR(call));
	wait_for_completion(&async_inside);
	mmu_interval_notifier_remove_async(&sub->sub, async_release);
	start = kthread_run(async_start_thread, t, "async_start");
	KUNIT_ASSERT_FALSE(test, IS_ERR(start));
	msleep(100);
	KUNIT_EXPECT_FALSE(test, completion_done(&t->started));
	complete_all(&async_go_on);
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&t->started, ASYNC_LONG),
			0);
	KUNIT_EXPECT_EQ(test, sub->calls, 1);
	KUNIT_EXPECT_EQ(test, sub->released, 1);
	kthread_stop(start);
	kthread_stop(call);
}

static int async_init(struct kunit *test)
{
	struct async_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->mm = mm_alloc();
	KUNIT_ASSERT_NOT_NULL(test, t->mm);
	mmgrab(t->mm);
	test->priv = t;
	return 0;
}

static void async_exit(struct kunit *test)
{
	struct async_test *t = test->priv;

	if (!t)
		return;
	if (atomic_read(&t->mm->mm_users))
		mmput(t->mm);
	mmdrop(t->mm);
}

static struct kunit_case async_cases[] = {
	KUNIT_CASE(o5_the_time_is_up),
	KUNIT_CASE(o5_no_limit_in_time),
	KUNIT_CASE(o5_a_fatal_signal),
	KUNIT_CASE(o5_the_mm_dies),
	KUNIT_CASE(o5_removed_in_the_callback),
	KUNIT_CASE(o5_synchronize_waits_for_the_release),
	KUNIT_CASE(o4_a_failure_finishes_what_was_begun),
	KUNIT_CASE(o4_a_start_waits_for_what_is_removed),
	{ }
};

static struct kunit_suite async_suite = {
	.name = "mmu_interval_async",
	.init = async_init,
	.exit = async_exit,
	.test_cases = async_cases,
};

kunit_test_suite(async_suite);

MODULE_DESCRIPTION("KUnit tests of interval notifiers that are removed without waiting");
MODULE_LICENSE("GPL");
