// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of interval notifiers: what they wait for and what not, which
 * numbers they get, and what is called when. They call nothing that the series
 * adds, and can be built without it; what then would wait for ever ends after
 * INTERVAL_OPEN, which is a failure.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>

/* Nothing is mapped here: an invalidation is a start and an end, no more. */
#define INTERVAL_BASE	0x20000000UL

/* How long one that is held open stays so, unless the test ends it. */
#define INTERVAL_OPEN	(2 * HZ)
/* What is not to wait for it takes less, also on a busy machine. */
#define INTERVAL_SOON	HZ

#define INTERVAL_SUBS		40
#define INTERVAL_UNRELATED	10000

struct interval_sub {
	struct mmu_interval_notifier sub;
	struct mmu_interval_notifier_finish finish;
	unsigned int calls;
	unsigned int finished;
	unsigned long seq;
	void (*also)(struct interval_sub *sub);
	bool in;
};

struct interval_test {
	struct mm_struct *mm;
	struct interval_sub subs[INTERVAL_SUBS];
};

static bool interval_call(struct mmu_interval_notifier *notifier,
			  const struct mmu_notifier_range *range,
			  unsigned long cur_seq)
{
	struct interval_sub *sub = container_of(notifier, struct interval_sub,
						sub);

	sub->calls++;
	if (sub->also)
		sub->also(sub);
	sub->seq = cur_seq;
	mmu_interval_set_seq(notifier, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops interval_one_pass = {
	.invalidate = interval_call,
};

static bool interval_call_start(struct mmu_interval_notifier *notifier,
				const struct mmu_notifier_range *range,
				unsigned long cur_seq,
				struct mmu_interval_notifier_finish **finish)
{
	if (!interval_call(notifier, range, cur_seq))
		return false;
	*finish = &container_of(notifier, struct interval_sub, sub)->finish;
	return true;
}

static void interval_call_finish(struct mmu_interval_notifier_finish *finish)
{
	container_of(finish, struct interval_sub, finish)->finished++;
}

static const struct mmu_interval_notifier_ops interval_two_passes = {
	.invalidate_start = interval_call_start,
	.invalidate_finish = interval_call_finish,
};

static struct interval_sub *
interval_insert(struct kunit *test, unsigned int n, unsigned long first,
		unsigned long nr, const struct mmu_interval_notifier_ops *ops)
{
	struct interval_test *t = test->priv;
	struct interval_sub *sub = &t->subs[n];

	KUNIT_ASSERT_EQ(test, 0,
			mmu_interval_notifier_insert(&sub->sub, t->mm,
						     INTERVAL_BASE + first * PAGE_SIZE,
						     nr * PAGE_SIZE, ops));
	sub->in = true;
	return sub;
}

static void interval_remove(struct interval_sub *sub)
{
	sub->in = false;
	mmu_interval_notifier_remove(&sub->sub);
}

static void interval_start(struct kunit *test, struct mmu_notifier_range *range,
			   unsigned long first, unsigned long nr)
{
	struct interval_test *t = test->priv;
	unsigned long start = INTERVAL_BASE + first * PAGE_SIZE;

	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, t->mm, start,
				start + nr * PAGE_SIZE);
	mmu_notifier_invalidate_range_start(range);
}

static void interval_invalidate(struct kunit *test, unsigned long first,
				unsigned long nr)
{
	struct mmu_notifier_range range;

	interval_start(test, &range, first, nr);
	mmu_notifier_invalidate_range_end(&range);
}

/* Another thread ends an invalidation after a while. */
struct interval_open {
	struct mmu_notifier_range *range;
	struct task_struct *task;
};

static int interval_end_later(void *data)
{
	struct interval_open *open = data;

	schedule_timeout_uninterruptible(INTERVAL_OPEN);
	mmu_notifier_invalidate_range_end(open->range);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	/* A thread that is stopped before it begins returns -EINTR. */
	return 0;
}

static void interval_hold(struct kunit *test, struct interval_open *open,
			  struct mmu_notifier_range *range)
{
	open->range = range;
	open->task = kthread_run(interval_end_later, open, "interval_open");
	KUNIT_ASSERT_FALSE(test, IS_ERR(open->task));
}

/* It has ended; the thread may not even have begun. */
static void interval_let_go(struct interval_open *open)
{
	if (kthread_stop(open->task) == -EINTR)
		mmu_notifier_invalidate_range_end(open->range);
}

static void o1_an_unrelated_one_is_not_waited_for(struct kunit *test)
{
	struct interval_sub *sub = interval_insert(test, 0, 10, 10,
						   &interval_one_pass);
	struct mmu_notifier_range unrelated;
	struct interval_open open;
	unsigned long seq, began;

	interval_start(test, &unrelated, 30, 1);
	interval_invalidate(test, 10, 1);
	KUNIT_EXPECT_EQ(test, sub->calls, 1);
	interval_hold(test, &open, &unrelated);
	began = jiffies;
	seq = mmu_interval_read_begin(&sub->sub);
	KUNIT_EXPECT_LT(test, jiffies - began, INTERVAL_SOON);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&sub->sub, seq));
	interval_let_go(&open);
}

static void o1_what_overlaps_is_waited_for(struct kunit *test)
{
	struct interval_sub *sub = interval_insert(test, 0, 10, 10,
						   &interval_one_pass);
	struct mmu_notifier_range range;
	struct interval_open open;
	unsigned long seq, began;

	interval_start(test, &range, 5, 6);
	began = jiffies;
	interval_hold(test, &open, &range);
	seq = mmu_interval_read_begin(&sub->sub);
	KUNIT_EXPECT_GE(test, jiffies - began, INTERVAL_OPEN);
	KUNIT_EXPECT_EQ(test, seq & 1, 1);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&sub->sub, seq));
	interval_let_go(&open);
}

static int interval_wait_thread(void *data)
{
	mmu_interval_read_begin(data);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* How often they have gone to sleep. */
static unsigned long interval_sleeps(struct task_struct **tasks, unsigned int nr)
{
	unsigned long sleeps = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		sleeps += READ_ONCE(tasks[i]->nvcsw);
	return sleeps;
}

static void interval_wait_until_asleep(struct task_struct *task)
{
	unsigned long began = jiffies;

	while (READ_ONCE(task->__state) != TASK_UNINTERRUPTIBLE &&
	       jiffies - began < INTERVAL_OPEN)
		schedule_timeout_uninterruptible(1);
}

/* Waiters that an end does not concern sleep on. */
static void o1_nobody_is_woken_in_vain(struct kunit *test)
{
	struct task_struct *tasks[INTERVAL_SUBS];
	struct mmu_notifier_range range;
	struct interval_sub *sub;
	unsigned long sleeps;
	int i;

	for (i = 0; i < INTERVAL_SUBS; i++)
		interval_insert(test, i, 2 * i, 1, &interval_one_pass);
	interval_start(test, &range, 0, 2 * INTERVAL_SUBS);
	for (i = 0; i < INTERVAL_SUBS; i++) {
		sub = &((struct interval_test *)test->priv)->subs[i];
		tasks[i] = kthread_run(interval_wait_thread, &sub->sub,
				       "interval_wait");
		KUNIT_ASSERT_FALSE(test, IS_ERR(tasks[i]));
		interval_wait_until_asleep(tasks[i]);
	}
	sleeps = interval_sleeps(tasks, INTERVAL_SUBS);
	for (i = 0; i < INTERVAL_UNRELATED; i++)
		interval_invalidate(test, 2 * INTERVAL_SUBS, 1);
	KUNIT_EXPECT_EQ(test, interval_sleeps(tasks, INTERVAL_SUBS), sleeps);
	mmu_notifier_invalidate_range_end(&range);
	for (i = 0; i < INTERVAL_SUBS; i++)
		kthread_stop(tasks[i]);
}

static void o2_insert_is_in_force_at_once(struct kunit *test)
{
	struct mmu_notifier_range range;
	struct interval_open open;
	struct interval_sub *sub;
	unsigned long seq, began;

	interval_insert(test, 1, 0, 100, &interval_one_pass);
	interval_start(test, &range, 10, 1);
	sub = interval_insert(test, 0, 10, 10, &interval_one_pass);
	KUNIT_EXPECT_EQ(test, sub->calls, 0);
	interval_invalidate(test, 11, 1);
	KUNIT_EXPECT_EQ(test, sub->calls, 1);
	began = jiffies;
	interval_hold(test, &open, &range);
	seq = mmu_interval_read_begin(&sub->sub);
	KUNIT_EXPECT_GE(test, jiffies - began, INTERVAL_OPEN);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&sub->sub, seq));
	interval_let_go(&open);
}

static void o2_remove_does_not_wait_for_an_end(struct kunit *test)
{
	struct interval_sub *sub = interval_insert(test, 0, 10, 10,
						   &interval_one_pass);
	struct mmu_notifier_range range;
	struct interval_open open;
	unsigned long began;

	interval_insert(test, 1, 10, 10, &interval_one_pass);
	interval_start(test, &range, 10, 1);
	interval_hold(test, &open, &range);
	began = jiffies;
	interval_remove(sub);
	KUNIT_EXPECT_LT(test, jiffies - began, INTERVAL_SOON);
	interval_invalidate(test, 10, 1);
	KUNIT_EXPECT_EQ(test, sub->calls, 1);
	interval_let_go(&open);
}

static struct completion interval_called, interval_go_on;

static void interval_block(struct interval_sub *sub)
{
	complete(&interval_called);
	wait_for_completion_timeout(&interval_go_on, INTERVAL_OPEN);
}

static int interval_invalidate_thread(void *test)
{
	interval_invalidate(test, 10, 1);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void o2_remove_waits_for_its_callback(struct kunit *test)
{
	struct interval_sub *sub = interval_insert(test, 0, 10, 1,
						   &interval_one_pass);
	struct interval_sub *other = interval_insert(test, 1, 50, 1,
						     &interval_one_pass);
	struct task_struct *task;
	unsigned long began;

	init_completion(&interval_called);
	init_completion(&interval_go_on);
	sub->also = interval_block;
	task = kthread_run(interval_invalidate_thread, test, "interval_call");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	wait_for_completion(&interval_called);
	began = jiffies;
	interval_remove(other);
	KUNIT_EXPECT_LT(test, jiffies - began, INTERVAL_SOON);
	interval_remove(sub);
	KUNIT_EXPECT_GE(test, jiffies - began, INTERVAL_OPEN);
	kthread_stop(task);
}

static void o3_no_two_have_the_same_number(struct kunit *test)
{
	struct interval_sub *sub = interval_insert(test, 0, 10, 10,
						   &interval_one_pass);
	struct mmu_notifier_range first, second;
	unsigned long inserted, seq;

	inserted = mmu_interval_read_begin(&sub->sub);
	KUNIT_EXPECT_EQ(test, inserted & 1, 1);
	interval_start(test, &first, 10, 1);
	seq = sub->seq;
	KUNIT_EXPECT_EQ(test, seq & 1, 1);
	KUNIT_EXPECT_NE(test, seq, inserted);
	interval_start(test, &second, 11, 1);
	KUNIT_EXPECT_EQ(test, sub->seq & 1, 1);
	KUNIT_EXPECT_GT(test, (long)(sub->seq - seq), 0);
	mmu_notifier_invalidate_range_end(&first);
	mmu_notifier_invalidate_range_end(&second);
}

static void interval_another(struct interval_sub *sub)
{
	struct mmu_notifier_range range;

	sub->also = NULL;
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, sub->sub.mm,
				INTERVAL_BASE + 11 * PAGE_SIZE,
				INTERVAL_BASE + 12 * PAGE_SIZE);
	/* As by another CPU: lockdep would object to one in the other. */
	__mmu_notifier_invalidate_range_start(&range);
	__mmu_notifier_invalidate_range_end(&range);
}

/* The callback of the older of two runs last: its number does not. */
static void o3_numbers_do_not_go_back(struct kunit *test)
{
	struct interval_sub *sub = interval_insert(test, 0, 10, 10,
						   &interval_one_pass);
	unsigned long seq = mmu_interval_read_begin(&sub->sub);

	sub->also = interval_another;
	lockdep_off();
	interval_invalidate(test, 10, 1);
	lockdep_on();
	KUNIT_EXPECT_EQ(test, sub->calls, 2);
	KUNIT_EXPECT_GT(test, (long)(sub->sub.invalidate_seq - sub->seq), 0);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_retry(&sub->sub, seq));
}

static void o4_two_passes(struct kunit *test)
{
	struct interval_test *t = test->priv;
	int i;

	for (i = 0; i < INTERVAL_SUBS; i++)
		interval_insert(test, i, 10, 1, &interval_two_passes);
	interval_invalidate(test, 10, 1);
	for (i = 0; i < INTERVAL_SUBS; i++) {
		KUNIT_EXPECT_EQ(test, t->subs[i].calls, 1);
		KUNIT_EXPECT_EQ(test, t->subs[i].finished, 1);
	}
}

static int interval_init(struct kunit *test)
{
	struct interval_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_ASSERT_EQ(test, kunit_attach_mm(), 0);
	t->mm = current->mm;
	test->priv = t;
	return 0;
}

static void interval_exit(struct kunit *test)
{
	struct interval_test *t = test->priv;
	int i;

	for (i = 0; t && i < INTERVAL_SUBS; i++)
		if (t->subs[i].in)
			interval_remove(&t->subs[i]);
}

static struct kunit_case interval_cases[] = {
	KUNIT_CASE_SLOW(o1_an_unrelated_one_is_not_waited_for),
	KUNIT_CASE_SLOW(o1_what_overlaps_is_waited_for),
	KUNIT_CASE_SLOW(o1_nobody_is_woken_in_vain),
	KUNIT_CASE_SLOW(o2_insert_is_in_force_at_once),
	KUNIT_CASE_SLOW(o2_remove_does_not_wait_for_an_end),
	KUNIT_CASE_SLOW(o2_remove_waits_for_its_callback),
	KUNIT_CASE(o3_no_two_have_the_same_number),
	KUNIT_CASE(o3_numbers_do_not_go_back),
	KUNIT_CASE(o4_two_passes),
	{ }
};

static struct kunit_suite interval_suite = {
	.name = "mmu_interval",
	.init = interval_init,
	.exit = interval_exit,
	.test_cases = interval_cases,
};

kunit_test_suite(interval_suite);

MODULE_DESCRIPTION("KUnit tests of interval notifiers");
MODULE_LICENSE("GPL");
