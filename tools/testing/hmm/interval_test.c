// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Interval notifiers: what a driver may rely on, and what it need not wait for.
 */
#include <linux/mmu_interval.h>
#include <linux/sched/task_stack.h>
#include <linux/srcu.h>
#include <pthread.h>
#include <unistd.h>

#include "test.h"

#define SUBS	40

/* An interval notifier of pages, and what has happened to it. */
struct watcher {
	struct mmu_interval_notifier sub;
	struct mmu_interval_notifier_finish finish;
	unsigned int calls, finished, released;
	/* The number of the last call. */
	unsigned long seq;
	/* What its callback does beside that. */
	void (*also)(struct watcher *watcher);
	bool refuses;
	/* It sets no number. */
	bool ignores;
	/* A thread is in hold(), and may go on. */
	int held, let_go;
	/* What its release does beside counting. */
	void (*release_also)(struct watcher *watcher);
};

static struct watcher watchers[SUBS];
static struct mm_struct *mm;
/* What was called, in order. */
static struct watcher *called[4 * SUBS];
static unsigned int nr_called;

static struct watcher *watcher_of(struct mmu_interval_notifier *sub)
{
	return container_of(sub, struct watcher, sub);
}

static bool invalidate(struct mmu_interval_notifier *sub,
		       const struct mmu_notifier_range *range,
		       unsigned long cur_seq)
{
	struct watcher *watcher = watcher_of(sub);

	EXPECT(!watcher->released);
	EXPECT(range->mm == sub->mm);
	/* No lock is held. */
	might_sleep();
	watcher->calls++;
	if (nr_called < ARRAY_SIZE(called))
		called[nr_called++] = watcher;
	if (watcher->also)
		watcher->also(watcher);
	watcher->seq = cur_seq;
	if (!container_of(sub, struct watcher, sub)->ignores)
		mmu_interval_set_seq(sub, cur_seq);
	return !watcher->refuses;
}

static const struct mmu_interval_notifier_ops one_pass = {
	.invalidate = invalidate,
};

static bool invalidate_start(struct mmu_interval_notifier *sub,
			     const struct mmu_notifier_range *range,
			     unsigned long cur_seq,
			     struct mmu_interval_notifier_finish **finish)
{
	if (!invalidate(sub, range, cur_seq))
		return false;
	*finish = &watcher_of(sub)->finish;
	return true;
}

static void invalidate_finish(struct mmu_interval_notifier_finish *finish)
{
	struct watcher *watcher = container_of(finish, struct watcher, finish);

	EXPECT(!watcher->released);
	EXPECT(finish->notifier == &watcher->sub);
	might_sleep();
	/* The driver has it back, and may use it for the next one. */
	memset(finish, 0x5a, sizeof(*finish));
	watcher->finished++;
	if (nr_called < ARRAY_SIZE(called))
		called[nr_called++] = watcher;
}

static const struct mmu_interval_notifier_ops two_passes = {
	.invalidate_start = invalidate_start,
	.invalidate_finish = invalidate_finish,
};

static void released(struct mmu_interval_notifier *sub)
{
	struct watcher *watcher = watcher_of(sub);

	watcher->released++;
	if (watcher->release_also)
		watcher->release_also(watcher);
}

static void remove_async(struct watcher *watcher)
{
	mmu_interval_notifier_remove_async(&watcher->sub, released);
}

static void insert_ops(struct watcher *watcher, unsigned long first,
		       unsigned long nr,
		       const struct mmu_interval_notifier_ops *ops)
{
	EXPECT(!mmu_interval_notifier_insert(&watcher->sub, mm, ADDR(first),
					     nr * PAGE_SIZE, ops));
}

static void insert(struct watcher *watcher, unsigned long first,
		   unsigned long nr)
{
	insert_ops(watcher, first, nr, &one_pass);
}

/* With them more is hit than the core keeps while it makes its calls. */
static struct watcher crowd[SUBS];

static void insert_crowd(void)
{
	for (int i = 0; i < SUBS; i++)
		insert(&crowd[i], 10, 1);
}

static void remove_crowd(void)
{
	for (int i = 0; i < SUBS; i++)
		mmu_interval_notifier_remove(&crowd[i].sub);
}

static void begin_test(void)
{
	memset(watchers, 0, sizeof(watchers));
	memset(crowd, 0, sizeof(crowd));
	nr_called = 0;
	mm = mm_alloc();
}

static void may_not_sleep(void)
{
	EXPECT(!"may not sleep");
}

/* What happens while somebody sleeps. */
static struct mmu_notifier_range first, second, third;

static void end_first(void)
{
	shim_jiffies += 10;
	end_pages(&first);
}

/* A reader sleeps until the first has ended, and has the number of its call. */
static void expect_read_waits(struct watcher *watcher)
{
	shim_asleep = end_first;
	shim_wakeups = 0;
	EXPECT(mmu_interval_read_begin(&watcher->sub) == watcher->seq);
	EXPECT(shim_wakeups == 1);
}

static void start_second_end_first(void)
{
	start_pages(&second, mm, 12, 1);
	end_first();
}

static void o1_an_unrelated_one_is_not_waited_for(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long seq;

	begin_test();
	insert(watcher, 10, 10);
	start_pages(&first, mm, 9, 1);
	start_pages(&second, mm, 20, 1);
	invalidate_pages(mm, 10, 1);
	EXPECT(watcher->calls == 1);
	shim_asleep = may_not_sleep;
	seq = mmu_interval_read_begin(&watcher->sub);
	EXPECT(!mmu_interval_read_retry(&watcher->sub, seq));
	invalidate_pages(mm, 19, 1);
	EXPECT(mmu_interval_read_retry(&watcher->sub, seq));
	end_pages(&first);
	end_pages(&second);
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

static void o1_what_overlaps_is_waited_for(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long seq;

	begin_test();
	insert(watcher, 10, 10);
	start_pages(&first, mm, 5, 6);
	start_pages(&second, mm, 30, 1);
	shim_asleep = end_first;
	shim_wakeups = 0;
	seq = mmu_interval_read_begin(&watcher->sub);
	EXPECT(shim_wakeups == 1);
	EXPECT(seq & 1);
	EXPECT(seq == watcher->seq);
	EXPECT(!mmu_interval_read_retry(&watcher->sub, seq));
	end_pages(&second);
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

static void o1_each_page_of_it_is_waited_for(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long page, seq;

	begin_test();
	insert(watcher, 10, 10);
	shim_asleep = end_first;
	for (page = 10; page < 20; page++) {
		shim_wakeups = 0;
		start_pages(&first, mm, page, 1);
		EXPECT(mmu_interval_read_begin(&watcher->sub) == watcher->seq);
		EXPECT(shim_wakeups == 1);
		start_pages(&first, mm, page, 1);
		EXPECT(!mmu_interval_read_begin_timeout(&watcher->sub, 0, &seq));
		EXPECT(seq == watcher->seq);
		EXPECT(shim_wakeups == 2);
	}
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

/* Another one that comes meanwhile is not waited for, and makes it fail. */
static void o1_waits_once(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long seq;

	begin_test();
	insert(watcher, 10, 10);
	start_pages(&first, mm, 10, 1);
	shim_asleep = start_second_end_first;
	shim_wakeups = 0;
	seq = mmu_interval_read_begin(&watcher->sub);
	EXPECT(shim_wakeups == 1);
	EXPECT(!(seq & 1));
	EXPECT(mmu_interval_read_retry(&watcher->sub, seq));
	EXPECT(mmu_interval_check_retry(&watcher->sub, seq));
	end_pages(&second);
	EXPECT(mmu_interval_read_retry(&watcher->sub, seq));
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

/* One whose callback sets no number does not make it fail: the driver ignores it. */
static void o1_what_a_callback_ignores(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long seq;

	begin_test();
	insert(watcher, 10, 10);
	watcher->ignores = true;
	start_pages(&first, mm, 10, 1);
	shim_asleep = start_second_end_first;
	seq = mmu_interval_read_begin(&watcher->sub);
	EXPECT(seq & 1);
	EXPECT(!mmu_interval_read_retry(&watcher->sub, seq));
	end_pages(&second);
	EXPECT(!mmu_interval_read_retry(&watcher->sub, seq));
	watcher->ignores = false;
	invalidate_pages(mm, 10, 1);
	EXPECT(mmu_interval_read_retry(&watcher->sub, seq));
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

static void start_and_end_second_then_first(void)
{
	start_pages(&second, mm, 12, 1);
	end_pages(&second);
	start_pages(&third, mm, 40, 1);
	end_pages(&third);
	EXPECT(!shim_wakeups);
	end_first();
}

static void o1_only_the_last_one_wakes(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long seq;

	begin_test();
	insert(watcher, 10, 10);
	start_pages(&first, mm, 10, 1);
	shim_asleep = start_and_end_second_then_first;
	shim_wakeups = 0;
	seq = mmu_interval_read_begin(&watcher->sub);
	EXPECT(shim_wakeups == 1);
	EXPECT(!mmu_interval_read_retry(&watcher->sub, seq));
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

static struct mmu_notifier_range beside;

/* They end, and another one comes and goes. */
static void end_one_after_the_other(void)
{
	end_pages(&beside);
	invalidate_pages(mm, 10, 2);
	EXPECT(!shim_wakeups);
	end_pages(&second);
	EXPECT(!shim_wakeups);
	end_first();
	EXPECT(shim_wakeups == 1);
}

static void o1_each_that_overlaps_counts(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long seq;

	begin_test();
	insert(watcher, 10, 10);
	start_pages(&beside, mm, 30, 1);
	start_pages(&first, mm, 10, 1);
	start_pages(&second, mm, 12, 1);
	shim_asleep = end_one_after_the_other;
	shim_wakeups = 0;
	seq = mmu_interval_read_begin(&watcher->sub);
	EXPECT(shim_wakeups == 1);
	EXPECT(!mmu_interval_read_retry(&watcher->sub, seq));
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

static void o1_an_empty_one_is_none(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long seq;

	begin_test();
	insert(watcher, 10, 10);
	start_pages(&first, mm, 15, 0);
	EXPECT(!watcher->calls);
	shim_asleep = may_not_sleep;
	seq = mmu_interval_read_begin(&watcher->sub);
	EXPECT(seq & 1);
	/* Nobody waits for its calls. */
	mmu_interval_notifier_remove(&watcher->sub);
	end_pages(&first);
	mmput(mm);
}

/* An interval need not be of pages. */
static void o1_a_single_byte(void)
{
	struct watcher *watcher = &watchers[0];

	begin_test();
	EXPECT(!mmu_interval_notifier_insert(&watcher->sub, mm, ADDR(10), 1,
					     &one_pass));
	invalidate_pages(mm, 9, 1);
	EXPECT(!watcher->calls);
	start_pages(&first, mm, 10, 1);
	EXPECT(watcher->calls == 1);
	expect_read_waits(watcher);
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

/* It returns no errno, so a fatal signal does not end it. */
static void o1_a_fatal_signal_is_no_end(void)
{
	struct watcher *watcher = &watchers[0];

	begin_test();
	insert(watcher, 10, 10);
	start_pages(&first, mm, 10, 1);
	shim_asleep = end_first;
	shim_wakeups = 0;
	shim_killed = true;
	EXPECT(mmu_interval_read_begin(&watcher->sub) == watcher->seq);
	shim_killed = false;
	EXPECT(shim_wakeups == 1);
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

/* At which of the moments that the lock is free one starts, and what became of it. */
static unsigned int start_at, times_free;
static bool has_started, has_ended;

static void start_at_a_moment(void)
{
	if (times_free++ != start_at)
		return;
	has_started = true;
	start_pages(&first, mm, 10, 1);
}

static void end_it(void)
{
	has_ended = true;
	end_first();
}

static void at_each_moment(void (*take_a_number)(void))
{
	start_at = 0;
	do {
		has_started = false;
		has_ended = false;
		times_free = 0;
		shim_asleep = end_it;
		shim_run_unlocked(start_at_a_moment);
		take_a_number();
		shim_run_unlocked(NULL);
		if (has_started && !has_ended)
			end_pages(&first);
		start_at++;
	} while (has_started);
	/* Before it takes the lock, and after. */
	EXPECT(start_at > 2);
}

static void expect_true_or_ended(unsigned long seq)
{
	EXPECT(!has_started || has_ended ||
	       mmu_interval_read_retry(&watchers[0].sub, seq));
}

static void take_seq(void)
{
	expect_true_or_ended(mmu_interval_read_begin(&watchers[0].sub));
}

static void take_seq_timeout(void)
{
	unsigned long seq = 0;

	EXPECT(!mmu_interval_read_begin_timeout(&watchers[0].sub, 0, &seq));
	expect_true_or_ended(seq);
}

static struct hmm_range numbered;

static void take_seq_of_range(void)
{
	unsigned long seq = hmm_range_begin_seq(&numbered);

	EXPECT(!has_started || !hmm_range_unchanged(&numbered, seq));
}

/* A number that is true is older than what is in flight, whenever that starts. */
static void o1_an_invalidation_at_each_moment(void)
{
	begin_test();
	insert(&watchers[0], 10, 10);
	register_pages(&numbered, mm, 10, 10);
	at_each_moment(take_seq);
	at_each_moment(take_seq_timeout);
	at_each_moment(take_seq_of_range);
	hmm_range_unregister(&numbered);
	mmu_interval_notifier_remove(&watchers[0].sub);
	mmput(mm);
}

static void end_at_a_moment(void)
{
	if (times_free++ == start_at)
		end_it();
}

static void end_at_last(void)
{
	if (!has_ended)
		end_it();
}

/* Whoever is about to wait for it does not, or is woken. */
static void o1_an_end_at_each_moment(void)
{
	unsigned int reached;

	begin_test();
	insert(&watchers[0], 10, 10);
	start_at = 0;
	do {
		start_pages(&first, mm, 10, 1);
		has_ended = false;
		times_free = 0;
		shim_asleep = end_at_last;
		shim_run_unlocked(end_at_a_moment);
		EXPECT(mmu_interval_read_begin(&watchers[0].sub) ==
		       watchers[0].seq);
		shim_run_unlocked(NULL);
		EXPECT(has_ended);
		reached = times_free;
	} while (start_at++ < reached);
	EXPECT(reached > 2);
	mmu_interval_notifier_remove(&watchers[0].sub);
	mmput(mm);
}

/* To the last byte of the address space. */
static void o1_the_end_of_the_address_space(void)
{
	struct watcher *watcher = &watchers[0];

	begin_test();
	EXPECT(!mmu_interval_notifier_insert(&watcher->sub, mm, -PAGE_SIZE,
					     PAGE_SIZE, &one_pass));
	first = (struct mmu_notifier_range){
		.mm = mm, .start = -2 * PAGE_SIZE, .end = ULONG_MAX,
	};
	mmu_notifier_invalidate_range_start(&first);
	EXPECT(watcher->calls == 1);
	expect_read_waits(watcher);
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

static void o2_insert_is_in_force_at_once(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long seq;

	begin_test();
	insert(&watchers[1], 0, 100);
	start_pages(&first, mm, 10, 1);
	insert(watcher, 10, 10);
	EXPECT(!watcher->calls);
	invalidate_pages(mm, 11, 1);
	EXPECT(watcher->calls == 1);
	shim_asleep = end_first;
	shim_wakeups = 0;
	seq = mmu_interval_read_begin(&watcher->sub);
	EXPECT(shim_wakeups == 1);
	EXPECT(!mmu_interval_read_retry(&watcher->sub, seq));
	mmu_interval_notifier_remove(&watcher->sub);
	mmu_interval_notifier_remove(&watchers[1].sub);
	mmput(mm);
}

static void o2_remove_does_not_wait_for_an_end(void)
{
	begin_test();
	insert(&watchers[0], 10, 10);
	insert(&watchers[1], 10, 10);
	EXPECT(atomic_read(&mm->mm_count) == 3);
	start_pages(&first, mm, 10, 1);
	shim_asleep = may_not_sleep;
	mmu_interval_notifier_remove(&watchers[0].sub);
	EXPECT(atomic_read(&mm->mm_count) == 2);
	invalidate_pages(mm, 10, 1);
	EXPECT(watchers[0].calls == 1);
	EXPECT(watchers[1].calls == 2);
	end_pages(&first);
	mmu_interval_notifier_remove(&watchers[1].sub);
	mmput(mm);
}

/*
 * Threads. What they wait for does not come if something is broken: a test gives
 * up then, and leaves them where they are.
 */
#define PATIENCE_MS	5000

static bool is_set(const int *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(int *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

static void give_up(const char *what)
{
	printf("# gave up: %s\n", what);
	fflush(stdout);
	_exit(1);
}

static void await(const int *flag, const char *what)
{
	for (int ms = 0; !is_set(flag); ms++) {
		if (ms > PATIENCE_MS)
			give_up(what);
		usleep(1000);
	}
}

/* Until so many threads sleep. */
static void await_sleepers(int nr)
{
	for (int ms = 0; shim_sleepers() != nr; ms++) {
		if (ms > PATIENCE_MS)
			give_up("somebody sleeps");
		usleep(1000);
	}
}

/* A callback, or a release, that goes on when the test lets it. */
static void hold(struct watcher *watcher)
{
	set(&watcher->held);
	await(&watcher->let_go, "a callback may go on");
}

/* An invalidation in a thread of its own. */
struct actor {
	pthread_t thread;
	struct mmu_notifier_range range;
	int started, may_end;
};

static void *act(void *arg)
{
	struct actor *actor = arg;

	mmu_notifier_invalidate_range_start(&actor->range);
	set(&actor->started);
	await(&actor->may_end, "an invalidation may end");
	mmu_notifier_invalidate_range_end(&actor->range);
	return NULL;
}

/* As a task that is being killed does, which waits all the same. */
static void *act_killed(void *arg)
{
	shim_killed = true;
	return act(arg);
}

static void start_actor_as(struct actor *actor, unsigned long first_page,
			   unsigned long nr, void *(*as)(void *actor))
{
	*actor = (struct actor){
		.range = {
			.mm = mm,
			.start = ADDR(first_page),
			.end = ADDR(first_page + nr),
		},
	};
	if (pthread_create(&actor->thread, NULL, as, actor))
		abort();
}

static void start_actor(struct actor *actor, unsigned long first_page,
			unsigned long nr)
{
	start_actor_as(actor, first_page, nr, act);
}

static void end_actor(struct actor *actor)
{
	set(&actor->may_end);
	await(&actor->started, "an invalidation has started");
	pthread_join(actor->thread, NULL);
}

/* Its callback is being made, and does not go on yet. */
static void start_held(struct actor *actor, unsigned long first_page,
		       unsigned long nr, struct watcher *watcher)
{
	watcher->also = hold;
	start_actor(actor, first_page, nr);
	await(&watcher->held, "a callback runs");
	watcher->also = NULL;
}

/* It sleeps in its start, and has not got through it. */
static void expect_asleep(struct actor *actor, int sleepers)
{
	for (int ms = 0; shim_sleepers() != sleepers && !is_set(&actor->started);
	     ms++) {
		if (ms > PATIENCE_MS)
			give_up("a start sleeps");
		usleep(1000);
	}
	EXPECT(!is_set(&actor->started));
}

/* -EAGAIN, or 0, and it has ended. */
static int try_nonblock(unsigned long first_page, unsigned long nr)
{
	struct mmu_notifier_range range = {
		.mm = mm, .start = ADDR(first_page), .end = ADDR(first_page + nr),
	};
	int ret = mmu_notifier_invalidate_range_start_nonblock(&range);

	if (!ret)
		end_pages(&range);
	return ret;
}

static int gone;

static void *remove_thread(void *watcher)
{
	mmu_interval_notifier_remove(&((struct watcher *)watcher)->sub);
	set(&gone);
	return NULL;
}

static void o2_remove_waits_for_its_callback(void)
{
	struct actor calls, younger;
	pthread_t removes;

	begin_test();
	insert(&watchers[0], 10, 1);
	insert(&watchers[1], 50, 1);
	start_held(&calls, 10, 1, &watchers[0]);

	/* Another one has nothing to wait for. */
	shim_asleep = may_not_sleep;
	mmu_interval_notifier_remove(&watchers[1].sub);
	shim_asleep = NULL;
	pthread_create(&removes, NULL, remove_thread, &watchers[0]);
	await_sleepers(1);
	EXPECT(!is_set(&gone));

	/* Nobody calls what is being removed, or goes on before that is done. */
	start_actor(&younger, 10, 1);
	expect_asleep(&younger, 2);
	/* Nor can one that must not block. */
	EXPECT(try_nonblock(10, 1) == -EAGAIN);
	/* It is asked for once: this one has no effect. */
	remove_async(&watchers[0]);
	EXPECT(!watchers[0].released);

	set(&watchers[0].let_go);
	await(&gone, "it is removed");
	pthread_join(removes, NULL);
	end_actor(&calls);
	end_actor(&younger);
	EXPECT(watchers[0].calls == 1);
	EXPECT(!watchers[0].released);
	EXPECT(atomic_read(&mm->mm_count) == 1);
	/* It has left nothing to a callback. */
	mmu_interval_synchronize();
	EXPECT(!shim_srcu_waits);
	mmput(mm);
}

/* A reader waits for ends, and not for calls. */
static struct watcher *read_from;
static unsigned long read_seq;
static int read_begun;

static void *read_thread(void *unused)
{
	read_seq = mmu_interval_read_begin(&read_from->sub);
	set(&read_begun);
	return NULL;
}

static void o1_calls_that_are_over_wake_no_reader(void)
{
	struct watcher *watcher = &watchers[0];
	struct actor calls;
	pthread_t reads;

	begin_test();
	insert(watcher, 10, 10);
	start_held(&calls, 10, 1, watcher);
	read_from = watcher;
	pthread_create(&reads, NULL, read_thread, NULL);
	await_sleepers(1);
	shim_wakeups = 0;
	set(&watcher->let_go);
	await(&calls.started, "the calls are over");
	EXPECT(!READ_ONCE(shim_wakeups));
	EXPECT(shim_sleepers() == 1);
	end_actor(&calls);
	await(&read_begun, "the reader is woken");
	pthread_join(reads, NULL);
	EXPECT(read_seq == watcher->seq);
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

/*
 * A start waits for the calls of those that were before the removal, whatever
 * else is in flight: one whose calls were over, and one that came later.
 */
static void o2_a_start_waits_for_a_removal(void)
{
	struct watcher *gone_one = &watchers[0], *other = &watchers[1];
	struct actor calls, later, waits;

	begin_test();
	insert(gone_one, 10, 1);
	insert(other, 12, 1);
	start_pages(&first, mm, 10, 1);
	start_held(&calls, 10, 1, gone_one);
	remove_async(gone_one);
	start_held(&later, 10, 3, other);
	start_actor(&waits, 10, 2);
	expect_asleep(&waits, 1);

	/* An end is not what it waits for. */
	shim_wakeups = 0;
	end_pages(&first);
	EXPECT(!READ_ONCE(shim_wakeups));
	EXPECT(!gone_one->released);

	set(&gone_one->let_go);
	await(&waits.started, "the later one is not waited for");
	EXPECT(gone_one->released == 1);
	EXPECT(gone_one->calls == 2);
	EXPECT(!is_set(&later.started));
	set(&other->let_go);
	end_actor(&later);
	end_actor(&waits);
	end_actor(&calls);
	mmu_interval_notifier_remove(&other->sub);
	mmput(mm);
}

/* Those that call it may hit no page of it that the start hits. */
static void o2_a_start_waits_for_calls_elsewhere(void)
{
	static const unsigned long pages[] = { 10, 19 };
	struct watcher *gone_one = &watchers[0];
	struct actor calls, waits;

	for (int i = 0; i < ARRAY_SIZE(pages); i++) {
		begin_test();
		insert(gone_one, 10, 10);
		start_held(&calls, pages[i], 1, gone_one);
		remove_async(gone_one);
		start_actor(&waits, 14, 1);
		expect_asleep(&waits, 1);
		set(&gone_one->let_go);
		end_actor(&waits);
		end_actor(&calls);
		EXPECT(gone_one->calls == 1);
		EXPECT(gone_one->released == 1);
		mmput(mm);
	}
}

static void o2_a_start_waits_though_it_is_killed(void)
{
	struct watcher *gone_one = &watchers[0];
	struct actor calls, waits;

	begin_test();
	insert(gone_one, 10, 1);
	start_held(&calls, 10, 1, gone_one);
	remove_async(gone_one);
	start_actor_as(&waits, 10, 1, act_killed);
	expect_asleep(&waits, 1);
	EXPECT(!gone_one->released);
	set(&gone_one->let_go);
	end_actor(&waits);
	end_actor(&calls);
	EXPECT(gone_one->released == 1);
	mmput(mm);
}

static void remove_first(struct watcher *watcher)
{
	remove_async(&watchers[0]);
}

/* One beside it neither waits for it nor releases it, whatever else it calls. */
static void o2_a_start_beside_a_removal(void)
{
	struct watcher *gone_one = &watchers[0], *mine = &watchers[1];
	struct actor calls;

	begin_test();
	insert(gone_one, 11, 1);
	insert(mine, 10, 1);
	start_held(&calls, 11, 1, gone_one);
	mine->also = remove_first;
	EXPECT(!try_nonblock(10, 1));
	EXPECT(!try_nonblock(10, 1));
	EXPECT(!gone_one->released);
	/* Nor does one that has nothing left that it hits. */
	mine->also = remove_async;
	EXPECT(!try_nonblock(10, 1));
	EXPECT(mine->released == 1);
	EXPECT(!gone_one->released);
	set(&gone_one->let_go);
	end_actor(&calls);
	EXPECT(gone_one->released == 1);
	mmput(mm);
}

/* What its caller's memory held before says nothing of its calls. */
static void o2_garbage_in_an_invalidation(void)
{
	struct watcher *gone_one = &watchers[0];
	struct actor calls, waits;

	begin_test();
	EXPECT(!hmm_mm_track(mm));
	memset(&first, 0x5a, sizeof(first));
	first.mm = mm;
	first.start = ADDR(10);
	first.end = ADDR(11);
	first.owner = NULL;
	/* It hits nothing yet. */
	mmu_notifier_invalidate_range_start(&first);
	insert(gone_one, 10, 1);
	start_held(&calls, 10, 1, gone_one);
	remove_async(gone_one);
	start_actor(&waits, 10, 1);
	expect_asleep(&waits, 1);
	set(&gone_one->let_go);
	await(&waits.started, "the calls are over");
	EXPECT(gone_one->released == 1);
	end_actor(&waits);
	end_actor(&calls);
	end_pages(&first);
	mmput(mm);
}

static void insert_meanwhile(void)
{
	if (watchers[0].sub.tracker)
		return;
	insert(&watchers[0], 10, 1);
}

/* What is inserted before the start has the lock is called. */
static void o2_inserted_before_the_start_has_the_lock(void)
{
	begin_test();
	EXPECT(!hmm_mm_track(mm));
	shim_run_unlocked(insert_meanwhile);
	start_pages(&first, mm, 10, 1);
	shim_run_unlocked(NULL);
	EXPECT(watchers[0].calls == 1);
	end_pages(&first);
	mmu_interval_notifier_remove(&watchers[0].sub);
	mmput(mm);
}

static void o2_a_start_waits_after_its_own_calls(void)
{
	struct watcher *gone_one = &watchers[0], *mine = &watchers[1];
	struct actor calls, waits;

	begin_test();
	insert(gone_one, 10, 1);
	insert(mine, 11, 1);
	start_held(&calls, 10, 1, gone_one);
	remove_async(gone_one);
	start_actor(&waits, 10, 2);
	expect_asleep(&waits, 1);
	EXPECT(mine->calls == 1);
	/* Nobody waits for it: nor does a driver that removes it. */
	remove_async(mine);
	EXPECT(mine->released == 1);
	EXPECT(!gone_one->released);
	set(&gone_one->let_go);
	end_actor(&waits);
	end_actor(&calls);
	mmput(mm);
}

static void o2_a_start_waits_for_each_removal(void)
{
	struct actor calls[2], waits;
	int i;

	begin_test();
	for (i = 0; i < 2; i++) {
		insert(&watchers[i], 10 + 2 * i, 1);
		start_held(&calls[i], 10 + 2 * i, 1, &watchers[i]);
		remove_async(&watchers[i]);
	}
	start_actor(&waits, 10, 3);
	for (i = 0; i < 2; i++) {
		expect_asleep(&waits, 1);
		set(&watchers[i].let_go);
		await(&calls[i].started, "the calls are over");
		EXPECT(watchers[i].released == 1);
	}
	end_actor(&waits);
	for (i = 0; i < 2; i++)
		end_actor(&calls[i]);
	mmput(mm);
}

static void *die_thread(void *unused)
{
	mmput(mm);
	return NULL;
}

/* Who waits for a removal does so also when the mm dies, and so does its death. */
static void o2_a_removal_when_the_mm_dies(void)
{
	struct actor calls, waits;
	pthread_t dies;

	begin_test();
	mmgrab(mm);
	insert(&watchers[0], 10, 1);
	start_held(&calls, 10, 1, &watchers[0]);
	remove_async(&watchers[0]);
	start_actor(&waits, 10, 1);
	expect_asleep(&waits, 1);
	shim_wakeups = 0;
	pthread_create(&dies, NULL, die_thread, NULL);
	await_sleepers(2);
	EXPECT(!READ_ONCE(shim_wakeups));
	expect_asleep(&waits, 2);
	set(&watchers[0].let_go);
	end_actor(&waits);
	end_actor(&calls);
	pthread_join(dies, NULL);
	EXPECT(watchers[0].calls == 1);
	EXPECT(watchers[0].released == 1);
	mmdrop(mm);
}

static int read_result;

static void *read_timeout_thread(void *unused)
{
	read_result = mmu_interval_read_begin_timeout(&read_from->sub, 0,
						      &read_seq);
	set(&read_begun);
	return NULL;
}

/* Give who was woken the time to look, and to sleep again. */
static void let_it_look(void)
{
	for (int ms = 0; !is_set(&read_begun) && !shim_sleepers(); ms++) {
		if (ms > PATIENCE_MS)
			give_up("who was woken sleeps again, or does not");
		usleep(1000);
	}
}

/* Who waits finds the mm dying as soon as it is woken. */
static void o5_woken_when_the_mm_dies(void)
{
	pthread_t reads;

	begin_test();
	insert(&watchers[0], 10, 1);
	start_pages(&first, mm, 10, 1);
	read_from = &watchers[0];
	pthread_create(&reads, NULL, read_timeout_thread, NULL);
	await_sleepers(1);
	shim_run_unlocked(let_it_look);
	mmput(mm);
	shim_run_unlocked(NULL);
	await(&read_begun, "the reader is woken");
	pthread_join(reads, NULL);
	EXPECT(read_result == -EFAULT);
	end_pages(&first);
	mmu_interval_notifier_remove(&watchers[0].sub);
}

static void remove_all(struct watcher *watcher);

/* One that releases many is waited for until it is through. */
static void o2_a_start_waits_for_releases(void)
{
	struct actor calls, waits;
	int i, nr = 0;

	begin_test();
	for (i = 0; i < SUBS; i++)
		insert(&watchers[i], 10, 1);
	invalidate_pages(mm, 10, 1);
	called[0]->also = remove_all;
	called[0]->release_also = hold;
	start_actor(&calls, 10, 1);
	await(&called[0]->held, "it is released");
	start_actor(&waits, 10, 1);
	expect_asleep(&waits, 1);
	set(&called[0]->let_go);
	await(&waits.started, "all are released");
	for (i = 0; i < SUBS; i++)
		nr += watchers[i].released;
	EXPECT(nr == SUBS);
	end_actor(&calls);
	end_actor(&waits);
	mmput(mm);
}

static void o2_inserted_again(void)
{
	struct watcher *watcher = &watchers[0];
	struct actor calls;
	int i;

	begin_test();
	for (i = 0; i < 2; i++) {
		insert(watcher, 10, 1);
		watcher->held = 0;
		watcher->let_go = 0;
		start_held(&calls, 10, 1, watcher);
		remove_async(watcher);
		EXPECT(watcher->released == 0);
		set(&watcher->let_go);
		end_actor(&calls);
		EXPECT(watcher->calls == i + 1);
		EXPECT(watcher->released == 1);
		watcher->released = 0;
	}
	mmput(mm);
}

static void o3_no_two_have_the_same_number(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long inserted, seq;

	begin_test();
	insert(watcher, 10, 10);
	inserted = mmu_interval_read_begin(&watcher->sub);
	EXPECT(inserted & 1);
	start_pages(&first, mm, 10, 1);
	seq = watcher->seq;
	EXPECT(seq & 1);
	EXPECT(seq != inserted);
	start_pages(&second, mm, 11, 1);
	EXPECT(watcher->seq & 1);
	EXPECT((long)(watcher->seq - seq) > 0);
	end_pages(&first);
	end_pages(&second);
	insert(&watchers[1], 10, 10);
	EXPECT((long)(mmu_interval_read_begin(&watchers[1].sub) -
		      watcher->seq) > 0);
	mmu_interval_notifier_remove(&watcher->sub);
	mmu_interval_notifier_remove(&watchers[1].sub);
	mmput(mm);
}

static void another_meanwhile(struct watcher *watcher)
{
	watcher->also = NULL;
	invalidate_pages(mm, 11, 1);
}

/* The callback of the older one runs last: its number does not. */
static void o3_numbers_do_not_go_back(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long seq;

	begin_test();
	insert(watcher, 10, 10);
	seq = mmu_interval_read_begin(&watcher->sub);
	watcher->also = another_meanwhile;
	invalidate_pages(mm, 10, 1);
	EXPECT(watcher->calls == 2);
	EXPECT((long)(watcher->sub.invalidate_seq - watcher->seq) == 2);
	EXPECT(mmu_interval_read_retry(&watcher->sub, seq));
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

static struct hmm_range marked;

static void is_marked(struct watcher *watcher)
{
	EXPECT(!hmm_range_valid(&marked));
}

static void marks_come_before_calls(bool crowded)
{
	begin_test();
	insert(&watchers[0], 10, 1);
	if (crowded)
		insert_crowd();
	marked = (struct hmm_range){ };
	register_pages(&marked, mm, 10, 10);
	EXPECT(!hmm_range_begin(&marked));
	EXPECT(hmm_range_valid(&marked));
	watchers[0].also = is_marked;
	invalidate_pages(mm, 10, 1);
	EXPECT(watchers[0].calls == 1);

	EXPECT(!hmm_range_begin(&marked));
	mmput(mm);
	EXPECT(watchers[0].calls == 2);
	EXPECT(hmm_range_begin(&marked) == -EFAULT);
	if (crowded)
		remove_crowd();
	hmm_range_unregister(&marked);
	mmu_interval_notifier_remove(&watchers[0].sub);
}

static void o4_marks_come_before_calls(void)
{
	marks_come_before_calls(false);
}

static void o4_marks_come_before_calls_of_many(void)
{
	marks_come_before_calls(true);
}

/* All of the first passes, then the second ones, in the same order. */
static void o4_two_passes(void)
{
	int i;

	begin_test();
	for (i = 0; i < SUBS; i++)
		insert_ops(&watchers[i], 10, 1, &two_passes);
	invalidate_pages(mm, 10, 1);
	EXPECT(nr_called == 2 * SUBS);
	for (i = 0; i < SUBS; i++) {
		EXPECT(called[i] == called[SUBS + i]);
		EXPECT(watchers[i].calls == 1);
		EXPECT(watchers[i].finished == 1);
		mmu_interval_notifier_remove(&watchers[i].sub);
	}
	mmput(mm);
}

static void refuse(struct watcher *watcher)
{
	/* What has been called before has its second pass to come. */
	for (int i = 0; i < SUBS; i++)
		if (watchers[i].calls && &watchers[i] != watcher) {
			mmu_interval_notifier_remove_async(&watchers[i].sub,
							   released);
			EXPECT(!watchers[i].released);
		}
}

/* One that must not block fails: what was called before it is finished. */
static void o4_a_failure_finishes_what_was_begun(void)
{
	unsigned int calls = 0;
	unsigned long seq;
	int i;

	begin_test();
	for (i = 0; i < SUBS; i++)
		insert_ops(&watchers[i], 10, 1, &two_passes);
	watchers[SUBS / 2].refuses = true;
	watchers[SUBS / 2].also = refuse;
	first = (struct mmu_notifier_range){
		.mm = mm, .start = ADDR(10), .end = ADDR(11),
	};
	EXPECT(mmu_notifier_invalidate_range_start_nonblock(&first) == -EAGAIN);
	shim_asleep = may_not_sleep;
	seq = mmu_interval_read_begin(&watchers[SUBS / 2].sub);
	EXPECT(seq & 1);
	for (i = 0; i < SUBS; i++) {
		calls += watchers[i].calls;
		EXPECT(watchers[i].finished ==
		       (watchers[i].calls && i != SUBS / 2));
		EXPECT(watchers[i].released == watchers[i].finished);
		if (!watchers[i].released)
			mmu_interval_notifier_remove(&watchers[i].sub);
	}
	EXPECT(calls > 1 && calls < SUBS);
	mmput(mm);
}

/* Of few as of many: who comes after it is not called, and does not undo it. */
static void o4_a_failure_ends_the_calls(void)
{
	int i;

	begin_test();
	for (i = 0; i < 3; i++)
		insert(&watchers[i], 10, 1);
	invalidate_pages(mm, 10, 1);
	called[0]->refuses = true;
	EXPECT(try_nonblock(10, 1) == -EAGAIN);
	for (i = 0; i < 3; i++) {
		EXPECT(watchers[i].calls == 1 + (&watchers[i] == called[0]));
		mmu_interval_notifier_remove(&watchers[i].sub);
	}
	mmput(mm);
}

/* It is one, whatever is being removed elsewhere. */
static void o4_a_failure_beside_a_removal(void)
{
	struct actor calls;

	begin_test();
	insert(&watchers[0], 50, 1);
	insert(&watchers[1], 10, 1);
	watchers[1].refuses = true;
	start_held(&calls, 50, 1, &watchers[0]);
	remove_async(&watchers[0]);
	EXPECT(try_nonblock(10, 1) == -EAGAIN);
	set(&watchers[0].let_go);
	end_actor(&calls);
	mmu_interval_notifier_remove(&watchers[1].sub);
	mmput(mm);
}

/* One that may block is not refused: that is reported, and it goes on. */
static void o4_a_refusal_has_no_effect(void)
{
	int i;

	begin_test();
	for (i = 0; i < 2; i++) {
		insert(&watchers[i], 10, 1);
		watchers[i].refuses = true;
	}
	invalidate_pages(mm, 10, 1);
	EXPECT(shim_take_warnings() == 2);
	for (i = 0; i < 2; i++) {
		EXPECT(watchers[i].calls == 1);
		mmu_interval_notifier_remove(&watchers[i].sub);
	}
	mmput(mm);
}

static void o4_what_is_beside_many_is_not_called(void)
{
	int i;

	begin_test();
	insert_crowd();
	insert(&watchers[0], 9, 1);
	insert(&watchers[1], 11, 1);
	invalidate_pages(mm, 10, 1);
	EXPECT(crowd[0].calls == 1);
	for (i = 0; i < 2; i++) {
		EXPECT(!watchers[i].calls);
		mmu_interval_notifier_remove(&watchers[i].sub);
	}
	remove_crowd();
	mmput(mm);
}

/* However many there are, and the core keeps while it makes its calls. */
static void o4_each_of_any_number_is_called(void)
{
	int i, nr;

	begin_test();
	for (nr = 1; nr <= SUBS; nr++) {
		for (i = 0; i < nr; i++)
			insert(&watchers[i], 10, 1);
		invalidate_pages(mm, 10, 1);
		for (i = 0; i < nr; i++) {
			EXPECT(watchers[i].calls == 1);
			watchers[i].calls = 0;
			mmu_interval_notifier_remove(&watchers[i].sub);
		}
	}
	mmput(mm);
}

static unsigned int nr_inserted;

static void insert_more(struct watcher *watcher)
{
	watcher->also = NULL;
	insert(&watchers[nr_inserted++], 10, 1);
}

/* Its first mmu_interval_read_begin() waits for this one. */
static void o4_what_is_inserted_meanwhile_is_not_called(void)
{
	int i;

	begin_test();
	for (i = 0; i < SUBS / 2; i++) {
		insert(&watchers[i], 10, 1);
		watchers[i].also = insert_more;
	}
	nr_inserted = SUBS / 2;
	start_pages(&first, mm, 10, 1);
	EXPECT(nr_inserted == SUBS);
	for (i = 0; i < SUBS; i++)
		EXPECT(watchers[i].calls == (i < SUBS / 2));
	end_pages(&first);
	invalidate_pages(mm, 10, 1);
	for (i = 0; i < SUBS; i++) {
		EXPECT(watchers[i].calls == 1 + (i < SUBS / 2));
		mmu_interval_notifier_remove(&watchers[i].sub);
	}
	mmput(mm);
}

static void remove_itself(struct watcher *watcher)
{
	mmu_interval_notifier_remove_async(&watcher->sub, released);
	EXPECT(!watcher->released);
}

static void remove_all(struct watcher *watcher)
{
	int i;

	for (i = 0; i < SUBS; i++)
		mmu_interval_notifier_remove_async(&watchers[i].sub, released);
	EXPECT(!watcher->released);
}

static void o5_removed_in_the_callback(void)
{
	int i;

	begin_test();
	for (i = 0; i < SUBS; i++) {
		insert_ops(&watchers[i], 10, 1, i & 1 ? &one_pass : &two_passes);
		watchers[i].also = remove_itself;
	}
	invalidate_pages(mm, 10, 1);
	for (i = 0; i < SUBS; i++) {
		EXPECT(watchers[i].calls == 1);
		EXPECT(watchers[i].finished == !(i & 1));
		EXPECT(watchers[i].released == 1);
	}
	EXPECT(atomic_read(&mm->mm_count) == 1);
	mmput(mm);
}

/*
 * The first that is called removes all. They were there when the invalidation
 * started, and the device may have entries of theirs: they are called.
 */
static void o5_all_removed_in_one_callback(void)
{
	int i;

	begin_test();
	for (i = 0; i < SUBS; i++)
		insert(&watchers[i], 10, 1);
	start_pages(&first, mm, 10, 1);
	end_pages(&first);
	called[0]->also = remove_all;
	invalidate_pages(mm, 10, 1);
	for (i = 0; i < SUBS; i++) {
		EXPECT(watchers[i].calls == 2);
		EXPECT(watchers[i].released == 1);
	}
	mmput(mm);
}

static void o5_removed_at_once_if_nothing_runs(void)
{
	begin_test();
	insert(&watchers[0], 10, 1);
	start_pages(&first, mm, 10, 1);
	remove_async(&watchers[0]);
	EXPECT(watchers[0].released == 1);
	EXPECT(atomic_read(&mm->mm_count) == 1);
	end_pages(&first);
	mmput(mm);
}

static void remove_what_is_not_called(struct watcher *watcher)
{
	/* Not hit. */
	remove_async(&watchers[1]);
	EXPECT(watchers[1].released == 1);
	/* Came later. */
	insert(&watchers[2], 10, 1);
	remove_async(&watchers[2]);
	EXPECT(watchers[2].released == 1);
}

static void o5_removed_at_once_if_it_is_not_called(void)
{
	begin_test();
	insert(&watchers[0], 10, 1);
	insert(&watchers[1], 50, 1);
	watchers[0].also = remove_what_is_not_called;
	invalidate_pages(mm, 10, 1);
	EXPECT(!watchers[1].calls);
	EXPECT(!watchers[2].calls);
	mmu_interval_notifier_remove(&watchers[0].sub);
	mmput(mm);
}

/* The callback of one, and in it two others come, of which the first removes. */
static void call_again_and_remove(struct watcher *watcher)
{
	watcher->also = remove_async;
	/* What is removed after it has started it need not wait for. */
	EXPECT(!try_nonblock(10, 1));
	EXPECT(watcher->calls == 2);
	EXPECT(!watcher->released);
	/* This one would have to wait, and has nobody to call. */
	EXPECT(try_nonblock(10, 1) == -EAGAIN);
	EXPECT(watcher->calls == 2);
	EXPECT(!watcher->released);
	/* Those beside have nothing to do with it. */
	EXPECT(!try_nonblock(20, 1));
	EXPECT(watchers[1].calls == 1);
}

static void removed_while_two_call_it(bool crowded)
{
	begin_test();
	if (crowded)
		insert_crowd();
	insert(&watchers[0], 10, 1);
	/* What memory held before has no effect. */
	watchers[1].sub.callers = 1;
	insert(&watchers[1], 20, 1);
	watchers[0].also = call_again_and_remove;
	shim_asleep = may_not_sleep;
	invalidate_pages(mm, 10, 1);
	EXPECT(watchers[0].calls == 2);
	EXPECT(watchers[0].released == 1);
	if (crowded)
		remove_crowd();
	mmu_interval_notifier_remove(&watchers[1].sub);
	mmput(mm);
}

static void o5_removed_while_two_call_it(void)
{
	removed_while_two_call_it(false);
}

static void o5_removed_while_two_call_it_and_more(void)
{
	removed_while_two_call_it(true);
}

/* Memory is allocated in a callback, and reclaim of the same mm comes within it. */
static void remove_and_reclaim(struct watcher *watcher)
{
	watcher->also = NULL;
	remove_async(&watchers[0]);
	remove_async(&watchers[1]);
	invalidate_pages(mm, 10, 1);
	EXPECT(!try_nonblock(10, 1));
}

static void removed_before_reclaim(bool crowded)
{
	begin_test();
	if (crowded)
		insert_crowd();
	insert(&watchers[0], 10, 1);
	insert(&watchers[1], 10, 1);
	watchers[0].also = remove_and_reclaim;
	shim_one_task = true;
	shim_asleep = may_not_sleep;
	invalidate_pages(mm, 10, 1);
	/* Else the device would still have what reclaim has freed. */
	EXPECT(watchers[0].calls == 3);
	EXPECT(watchers[1].calls == 3);
	EXPECT(watchers[0].released == 1);
	EXPECT(watchers[1].released == 1);
	if (crowded)
		remove_crowd();
	mmput(mm);
}

static void o2_removed_before_reclaim_in_a_callback(void)
{
	removed_before_reclaim(false);
}

static void o2_removed_before_reclaim_in_a_callback_of_many(void)
{
	removed_before_reclaim(true);
}

static struct actor another_task;

static void *let_go_thread(void *watcher)
{
	await_sleepers(1);
	set(&((struct watcher *)watcher)->let_go);
	return NULL;
}

/* Another task calls what is being removed; reclaim waits until it has. */
static void reclaim_what_another_calls(struct watcher *watcher,
				       unsigned long page)
{
	unsigned int calls = watcher->calls;
	pthread_t lets_go;

	start_held(&another_task, page, 1, watcher);
	remove_async(watcher);
	pthread_create(&lets_go, NULL, let_go_thread, watcher);
	invalidate_pages(mm, 10, 2);
	EXPECT(watcher->calls == calls + 1);
	EXPECT(watcher->released == 1);
	EXPECT(!shim_sleep_overran);
	pthread_join(lets_go, NULL);
	end_actor(&another_task);
}

/* One that came after the outer start, and one that it does not hit */
static void reclaim_twice(struct watcher *watcher)
{
	watcher->also = NULL;
	insert(&watchers[1], 10, 1);
	reclaim_what_another_calls(&watchers[1], 10);
	reclaim_what_another_calls(&watchers[2], 11);
}

static void o2_reclaim_in_a_callback_waits_for_others(void)
{
	begin_test();
	insert(&watchers[0], 10, 1);
	insert(&watchers[2], 11, 1);
	watchers[0].also = reclaim_twice;
	shim_one_task = true;
	invalidate_pages(mm, 10, 1);
	mmu_interval_notifier_remove(&watchers[0].sub);
	mmput(mm);
}

/* The outer one has made its calls. */
static void o2_reclaim_after_the_calls_waits_for_others(void)
{
	struct mmu_notifier_range outer;

	begin_test();
	insert(&watchers[0], 10, 1);
	shim_one_task = true;
	start_pages(&outer, mm, 10, 1);
	reclaim_what_another_calls(&watchers[0], 10);
	end_pages(&outer);
	mmput(mm);
}

/*
 * The core is through with the calls of a start, and releases what was removed
 * meanwhile, bit by bit. What the first release removes in turn is not this
 * start's to release: it may go at once, or waits for another that calls it.
 */
#define LAST	(SUBS - 1)

static void remove_the_last(struct watcher *watcher)
{
	remove_async(&watchers[LAST]);
}

static void remove_all_but_the_last(struct watcher *watcher)
{
	for (int i = 0; i < LAST; i++)
		remove_async(&watchers[i]);
}

/* Page 10 is that of all but the last, which has the next one. */
static void insert_many(void)
{
	for (int i = 0; i < SUBS; i++) {
		insert(&watchers[i], i == LAST ? 11 : 10, 1);
		watchers[i].also = i ? NULL : remove_all_but_the_last;
	}
	watchers[0].release_also = remove_the_last;
}

static void o5_removed_by_a_release(void)
{
	begin_test();
	insert_many();
	invalidate_pages(mm, 10, 2);
	for (int i = 0; i < SUBS; i++) {
		EXPECT(watchers[i].calls == 1);
		EXPECT(watchers[i].released == 1);
	}
	/* The death of the mm would wait for it. */
	if (!test_failed)
		mmput(mm);
}

static void release_many_meanwhile(struct watcher *watcher)
{
	watcher->also = NULL;
	invalidate_pages(mm, 10, 2);
	EXPECT(watchers[0].released == 1);
	EXPECT(watcher->calls == 2);
	EXPECT(!watcher->released);
}

static void o5_removed_by_a_release_while_another_calls_it(void)
{
	begin_test();
	insert_many();
	watchers[LAST].also = release_many_meanwhile;
	invalidate_pages(mm, 11, 1);
	EXPECT(watchers[LAST].calls == 2);
	EXPECT(watchers[LAST].released == 1);
	if (!test_failed)
		mmput(mm);
}

static void expect_reader(struct watcher *watcher)
{
	EXPECT(atomic_read(&shim_srcu_readers) == 1);
	remove_async(watcher);
}

static void is_in_reader(struct watcher *watcher)
{
	EXPECT(atomic_read(&shim_srcu_readers) == 1);
}

/* A module waits for the callbacks, if one of them is to call its release. */
static void o5_synchronize(void)
{
	begin_test();
	insert(&watchers[0], 10, 1);
	insert(&watchers[1], 10, 1);
	remove_async(&watchers[1]);
	mmu_interval_synchronize();
	EXPECT(!shim_srcu_waits);
	watchers[0].also = expect_reader;
	watchers[0].release_also = is_in_reader;
	invalidate_pages(mm, 10, 1);
	EXPECT(watchers[0].released == 1);
	EXPECT(!atomic_read(&shim_srcu_readers));
	mmu_interval_synchronize();
	EXPECT(shim_srcu_waits == 1);
	mmput(mm);
}

/* Another thread asks for the same, finds that it was, and its module goes away. */
static void remove_again_and_synchronize(void)
{
	if (watchers[0].sub.removed == U64_MAX)
		return;
	remove_async(&watchers[0]);
	EXPECT(!watchers[0].released);
	mmu_interval_synchronize();
	EXPECT(shim_srcu_waits);
}

static void remove_with_others(struct watcher *watcher)
{
	shim_run_unlocked(remove_again_and_synchronize);
	remove_async(watcher);
	shim_run_unlocked(NULL);
}

static void o5_synchronize_at_once(void)
{
	begin_test();
	insert(&watchers[0], 10, 1);
	watchers[0].also = remove_with_others;
	invalidate_pages(mm, 10, 1);
	EXPECT(watchers[0].released == 1);
	mmput(mm);
}

static void pass_time(void)
{
	shim_jiffies += 10;
}

static void be_killed(void)
{
	shim_killed = true;
}

static void die(void)
{
	mmput(mm);
}

static void o5_a_limit_in_time(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long began, seq = 0;

	begin_test();
	insert(watcher, 10, 10);
	EXPECT(!mmu_interval_read_begin_timeout(&watcher->sub, 5, &seq));
	EXPECT(!mmu_interval_read_retry(&watcher->sub, seq));

	start_pages(&first, mm, 10, 1);
	shim_asleep = pass_time;
	began = jiffies;
	EXPECT(mmu_interval_read_begin_timeout(&watcher->sub, 50, &seq) ==
	       -EBUSY);
	EXPECT(jiffies - began == 50);
	shim_asleep = be_killed;
	EXPECT(mmu_interval_read_begin_timeout(&watcher->sub, 0, &seq) ==
	       -EINTR);
	shim_killed = false;
	shim_asleep = end_first;
	EXPECT(!mmu_interval_read_begin_timeout(&watcher->sub, 0, &seq));
	EXPECT(seq == watcher->seq);

	start_pages(&first, mm, 10, 1);
	shim_asleep = die;
	EXPECT(mmu_interval_read_begin_timeout(&watcher->sub, 0, &seq) ==
	       -EFAULT);
	end_pages(&first);
	shim_asleep = may_not_sleep;
	EXPECT(mmu_interval_read_begin_timeout(&watcher->sub, 0, &seq) ==
	       -EFAULT);
	mmu_interval_notifier_remove(&watcher->sub);
}

static void end_second(void)
{
	end_pages(&second);
}

/* As many jiffies pass as a limit could have; ten of them as the first one ends. */
static void start_second_end_first_late(void)
{
	shim_jiffies += LONG_MAX - 10;
	start_second_end_first();
	shim_asleep = end_second;
}

/* Its driver may hold no reference to the users: no number is true then. */
static void o1_the_mm_dies(void)
{
	struct watcher *watcher = &watchers[0];

	begin_test();
	insert(watcher, 10, 10);
	start_pages(&first, mm, 10, 1);
	EXPECT(watcher->calls == 1);
	watcher->ignores = true;
	shim_asleep = die;
	EXPECT(!(mmu_interval_read_begin(&watcher->sub) & 1));
	end_pages(&first);
	shim_asleep = may_not_sleep;
	EXPECT(mmu_interval_read_begin(&watcher->sub) & 1);
	mmu_interval_notifier_remove(&watcher->sub);
}

static void o5_no_limit_in_time(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long seq = 0;

	begin_test();
	insert(watcher, 10, 10);
	start_pages(&first, mm, 10, 1);
	shim_asleep = start_second_end_first_late;
	EXPECT(!mmu_interval_read_begin_timeout(&watcher->sub, 0, &seq));
	EXPECT(seq == watcher->seq);
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

static struct mmu_notifier_range stream[2];
static unsigned int nr_streamed;

/* The next one overlaps in time with the one before, which ends: no gap. */
static void stream_on(void)
{
	start_pages(&stream[++nr_streamed % 2], mm, 10, 1);
	shim_jiffies++;
	end_pages(&stream[(nr_streamed + 1) % 2]);
	if (nr_streamed > 1000)
		end_pages(&stream[nr_streamed % 2]);
}

/* Whoever waits is woken again and again, and looks at the time. */
static void o5_a_limit_in_time_in_a_stream(void)
{
	struct watcher *watcher = &watchers[0];
	unsigned long began = jiffies, seq = 0;

	begin_test();
	insert(watcher, 10, 10);
	nr_streamed = 0;
	start_pages(&stream[0], mm, 10, 1);
	shim_asleep = stream_on;
	EXPECT(mmu_interval_read_begin_timeout(&watcher->sub, 50, &seq) ==
	       -EBUSY);
	EXPECT(jiffies - began == 50);
	end_pages(&stream[nr_streamed % 2]);
	mmu_interval_notifier_remove(&watcher->sub);
	mmput(mm);
}

static void remove_twice(struct watcher *watcher)
{
	mmu_interval_notifier_remove_async(&watcher->sub, released);
	mmu_interval_notifier_remove_async(&watcher->sub, released);
	EXPECT(!watcher->released);
}

/* Callbacks that run at the same time may each ask for it. */
static void o5_removed_twice(void)
{
	begin_test();
	insert(&watchers[0], 10, 1);
	watchers[0].also = remove_twice;
	invalidate_pages(mm, 10, 1);
	EXPECT(watchers[0].released == 1);
	mmput(mm);
}

static void remove_again(void)
{
	/* The first time is before the removal has the lock. */
	if (++times_free == 2)
		remove_async(&watchers[0]);
}

/* Somebody asks for it between the removal and the release. */
static void o5_removed_twice_at_once(void)
{
	begin_test();
	insert(&watchers[0], 10, 1);
	insert(&watchers[1], 10, 1);
	times_free = 0;
	shim_run_unlocked(remove_again);
	remove_async(&watchers[0]);
	shim_run_unlocked(NULL);
	EXPECT(times_free > 1);
	EXPECT(watchers[0].released == 1);
	mmu_interval_notifier_remove(&watchers[1].sub);
	EXPECT(atomic_read(&mm->mm_count) == 1);
	mmput(mm);
}

static struct actor calling;

static void let_calls_end(void)
{
	if (watchers[0].sub.removed == U64_MAX || is_set(&watchers[0].let_go))
		return;
	set(&watchers[0].let_go);
	await(&calling.started, "the calls are over");
}

/* The calls may be over as soon as who removes it has dropped the lock. */
static void o5_released_before_the_removal_returns(void)
{
	begin_test();
	insert(&watchers[0], 10, 1);
	start_held(&calling, 10, 1, &watchers[0]);
	shim_run_unlocked(let_calls_end);
	remove_async(&watchers[0]);
	shim_run_unlocked(NULL);
	EXPECT(watchers[0].released == 1);
	end_actor(&calling);
	mmput(mm);
}

static void call_at_a_moment(void)
{
	if (times_free++ != start_at)
		return;
	has_started = true;
	watchers[0].also = hold;
	start_actor(&calling, 10, 1);
	for (int ms = 0; !is_set(&watchers[0].held) && !is_set(&calling.started);
	     ms++) {
		if (ms > PATIENCE_MS)
			give_up("a start calls, or does not");
		usleep(1000);
	}
}

/* Whoever calls it by then keeps it, and it is called by nobody else. */
static void o5_a_start_at_each_moment_of_a_removal(void)
{
	start_at = 0;
	do {
		begin_test();
		insert(&watchers[0], 10, 1);
		has_started = false;
		times_free = 0;
		shim_run_unlocked(call_at_a_moment);
		remove_async(&watchers[0]);
		shim_run_unlocked(NULL);
		EXPECT(watchers[0].released == !is_set(&watchers[0].held));
		set(&watchers[0].let_go);
		if (has_started)
			end_actor(&calling);
		EXPECT(watchers[0].released == 1);
		mmput(mm);
		start_at++;
	} while (has_started);
	EXPECT(start_at > 2);
}

/* Lockdep is told each time, also when there is nothing to wait for. */
static void o5_all_that_may_wait_says_so(void)
{
	struct hmm_range range = { };
	unsigned long told, seq;

	begin_test();
	insert(&watchers[0], 10, 10);
	register_pages(&range, mm, 10, 10);
	shim_asleep = may_not_sleep;
	told = shim_may_waits;
	mmu_interval_read_begin(&watchers[0].sub);
	EXPECT(shim_may_waits == ++told);
	EXPECT(!mmu_interval_read_begin_timeout(&watchers[0].sub, 1, &seq));
	EXPECT(shim_may_waits == ++told);
	EXPECT(hmm_range_wait_until_valid(&range, 1));
	EXPECT(shim_may_waits == ++told);
	/* What asks without waiting, and what does not wait */
	EXPECT(hmm_range_wait_until_valid(&range, 0));
	hmm_range_unregister(&range);
	EXPECT(shim_may_waits == told);
	mmu_interval_notifier_remove(&watchers[0].sub);
	EXPECT(shim_may_waits == ++told);
	mmput(mm);
}

/* One takes the place of another while an invalidation makes its calls. */
static void exchange_last(struct watcher *watcher)
{
	watcher->also = NULL;
	insert(&watchers[SUBS - 1], 10, 1);
	mmu_interval_notifier_remove_async(&called[SUBS - 2]->sub, released);
	EXPECT(!called[SUBS - 2]->released);
}

static void o4_one_of_two_is_called(void)
{
	int i;

	begin_test();
	for (i = 0; i < SUBS - 1; i++)
		insert(&watchers[i], 10, 1);
	invalidate_pages(mm, 10, 1);
	called[0]->also = exchange_last;
	invalidate_pages(mm, 10, 1);
	EXPECT(called[SUBS - 2]->calls == 2);
	EXPECT(called[SUBS - 2]->released == 1);
	EXPECT(!watchers[SUBS - 1].calls);
	for (i = 0; i < SUBS; i++)
		if (!watchers[i].released)
			mmu_interval_notifier_remove(&watchers[i].sub);
	mmput(mm);
}

/* More ranges than are marked in one hold of the lock; some go, and some come. */
#define MANY	400

static struct hmm_range many[MANY];
static unsigned int next_gone;

/* Those that come next, each time that the lock is dropped. */
static void unregister_some(void)
{
	for (int i = 0; i < 10 && next_gone < MANY / 2; i++) {
		hmm_range_unregister(&many[next_gone]);
		/* As if it were freed. */
		memset(&many[next_gone++], 0x5a, sizeof(many[0]));
	}
}

static void unregister_first(struct watcher *watcher)
{
	for (int i = 0; next_gone < MANY / 2; i++, next_gone++) {
		hmm_range_unregister(&many[i]);
		memset(&many[i], 0xff, sizeof(many[0]));
	}
}

static void marks_go_on_where_they_were(void)
{
	int i;

	begin_test();
	for (i = 0; i < MANY; i++) {
		many[i] = (struct hmm_range){ };
		register_pages(&many[i], mm, 10, 1);
		EXPECT(!hmm_range_begin(&many[i]));
	}
	next_gone = 60;
	shim_run_unlocked(unregister_some);
	start_pages(&first, mm, 10, 1);
	shim_run_unlocked(NULL);
	EXPECT(next_gone > 80);
	end_pages(&first);
	for (i = 0; i < MANY; i++) {
		if (i >= 60 && i < next_gone)
			continue;
		EXPECT(!hmm_range_valid(&many[i]));
		hmm_range_unregister(&many[i]);
	}
	mmput(mm);
}

static int gone_at;

static void unregister_one(void)
{
	/* Before the start takes the lock, and when it drops it first. */
	if (++times_free == 2)
		hmm_range_unregister(&many[gone_at]);
}

/* Wherever the one is that goes meanwhile: the others are marked, and once. */
static void marks_leave_out_what_goes_alone(void)
{
	int i;

	begin_test();
	for (gone_at = 0; gone_at < 100; gone_at++) {
		for (i = 0; i < 100; i++) {
			many[i] = (struct hmm_range){ };
			register_pages(&many[i], mm, 10, 1);
			EXPECT(!hmm_range_begin(&many[i]));
		}
		times_free = 0;
		shim_run_unlocked(unregister_one);
		start_pages(&first, mm, 10, 1);
		shim_run_unlocked(NULL);
		EXPECT(times_free > 2);
		end_pages(&first);
		for (i = 0; i < 100; i++) {
			EXPECT(!hmm_range_valid(&many[i]));
			EXPECT(i == gone_at || many[i].tracking.seq == 1);
			hmm_range_unregister(&many[i]);
		}
	}
	mmput(mm);
}

static void unregister_at_a_moment(void)
{
	if (times_free++ != start_at)
		return;
	hmm_range_unregister(&many[0]);
	memset(&many[0], 0x5a, sizeof(many[0]));
}

/* It comes after as many as are called, and released, at a time. */
static void a_range_goes_at_each_moment(void)
{
	bool gone;
	int i;

	start_at = 0;
	do {
		begin_test();
		for (i = 0; i <= 16; i++) {
			if (i == 16) {
				many[0] = (struct hmm_range){ };
				register_pages(&many[0], mm, 10, 1);
			}
			insert(&watchers[i], 10, 1);
			watchers[i].also = remove_async;
		}
		times_free = 0;
		shim_run_unlocked(unregister_at_a_moment);
		invalidate_pages(mm, 10, 1);
		shim_run_unlocked(NULL);
		for (i = 0; i <= 16; i++) {
			EXPECT(watchers[i].calls == 1);
			EXPECT(watchers[i].released == 1);
		}
		gone = times_free > start_at++;
		if (!gone)
			hmm_range_unregister(&many[0]);
		if (!test_failed)
			mmput(mm);
	} while (gone && !test_failed);
	/* The lock is dropped twice for the calls, and for the releases. */
	EXPECT(start_at > 8);
}

static void remove_and_try(struct watcher *watcher)
{
	watcher->also = NULL;
	remove_async(watcher);
	EXPECT(!watcher->released);
	EXPECT(try_nonblock(10, 1) == -EAGAIN);
}

/* However many are looked at in a hold of the lock, it is found behind them. */
static void o4_a_notifier_behind_ranges(void)
{
	int i, nr;

	begin_test();
	for (nr = 0; nr < 110 && !test_failed; nr++) {
		many[nr] = (struct hmm_range){ };
		insert(&watchers[0], 10, 1);
		watchers[0].calls = 0;
		watchers[0].released = 0;
		watchers[0].also = remove_and_try;
		invalidate_pages(mm, 10, 1);
		EXPECT(watchers[0].calls == 1);
		EXPECT(watchers[0].released == 1);
		register_pages(&many[nr], mm, 10, 1);
	}
	for (i = 0; i < nr; i++)
		hmm_range_unregister(&many[i]);
	if (!test_failed)
		mmput(mm);
}

/* They are not called, so nothing keeps them while the last notifier is. */
static void ranges_go_while_it_is_called(int subs, int ranges)
{
	int i;

	begin_test();
	for (i = 0; i < subs; i++)
		insert(&watchers[i], 10, 1);
	for (i = 0; i < ranges; i++) {
		many[i] = (struct hmm_range){ };
		register_pages(&many[i], mm, 10, 1);
	}
	next_gone = MANY / 2 - ranges;
	watchers[subs - 1].also = unregister_first;
	invalidate_pages(mm, 10, 1);
	EXPECT(next_gone == MANY / 2);
	for (i = 0; i < subs; i++) {
		EXPECT(watchers[i].calls == 1);
		mmu_interval_notifier_remove(&watchers[i].sub);
	}
	mmput(mm);
}

static void a_range_goes_while_others_are_called(void)
{
	ranges_go_while_it_is_called(1, 1);
}

static void ranges_go_while_others_are_called(void)
{
	ranges_go_while_it_is_called(SUBS, MANY / 2);
}

static void remove_in_mid_mark(void)
{
	/* The first time is before the start takes the lock. */
	if (++times_free == 2) {
		remove_async(&watchers[0]);
		EXPECT(!watchers[0].released);
	}
}

static void o4_what_is_removed_in_mid_mark_is_called(void)
{
	int i;

	begin_test();
	insert(&watchers[0], 10, 1);
	for (i = 0; i < MANY; i++) {
		many[i] = (struct hmm_range){ };
		register_pages(&many[i], mm, 10, 1);
	}
	times_free = 0;
	shim_run_unlocked(remove_in_mid_mark);
	start_pages(&first, mm, 10, 1);
	shim_run_unlocked(NULL);
	EXPECT(times_free > 2);
	EXPECT(watchers[0].calls == 1);
	EXPECT(watchers[0].released == 1);
	end_pages(&first);
	for (i = 0; i < MANY; i++)
		hmm_range_unregister(&many[i]);
	mmput(mm);
}

static void is_free(void)
{
	times_free++;
}

/* How often others get their turn while one starts. */
static unsigned int turns(void)
{
	times_free = 0;
	shim_run_unlocked(is_free);
	start_pages(&first, mm, 10, 1);
	shim_run_unlocked(NULL);
	end_pages(&first);
	return times_free;
}

/* Marks, calls and releases have to look at many, and do so bit by bit. */
static void no_hold_of_the_lock_is_long(void)
{
	unsigned int few, marks, calls, releases, i;

	begin_test();
	few = 2 * (MANY / 64);
	for (i = 0; i < MANY; i++) {
		many[i] = (struct hmm_range){ };
		register_pages(&many[i], mm, 10, 1);
	}
	marks = turns();
	EXPECT(marks >= few);
	insert(&watchers[0], 10, 1);
	calls = turns();
	EXPECT(calls >= marks + few);
	watchers[0].also = remove_async;
	releases = turns();
	EXPECT(releases >= calls + few);
	EXPECT(watchers[0].released == 1);
	for (i = 0; i < MANY; i++)
		hmm_range_unregister(&many[i]);
	mmput(mm);
}

static void register_many(struct watcher *watcher)
{
	watcher->also = NULL;
	for (int i = 0; i < MANY; i++) {
		many[i] = (struct hmm_range){ };
		register_pages(&many[i], mm, 10, 1);
	}
}

/* Nor because of many that came later, and are not called. */
static void no_hold_of_the_lock_is_long_for_others(void)
{
	unsigned int alone, beside_many;

	begin_test();
	insert_crowd();
	alone = turns();
	crowd[0].also = register_many;
	beside_many = turns();
	/* A registration takes the lock too. */
	EXPECT(beside_many >= alone + 2 * MANY + 2 * (MANY / 64));
	remove_crowd();
	for (int i = 0; i < MANY; i++)
		hmm_range_unregister(&many[i]);
	mmput(mm);
}

/* Nor to look for removals that have nothing to do with what is hit. */
static void no_hold_of_the_lock_is_long_for_removals(void)
{
	unsigned int before, meanwhile;
	struct actor calls;

	begin_test();
	insert(&watchers[0], 10, 1);
	register_many(&watchers[0]);
	before = turns();
	insert(&watchers[1], 50, 1);
	start_held(&calls, 50, 1, &watchers[1]);
	remove_async(&watchers[1]);
	meanwhile = turns();
	/* To look for what is to be released, and for what is to be awaited */
	EXPECT(meanwhile >= before + 4 * (MANY / 64));
	set(&watchers[1].let_go);
	end_actor(&calls);
	mmu_interval_notifier_remove(&watchers[0].sub);
	for (int i = 0; i < MANY; i++)
		hmm_range_unregister(&many[i]);
	mmput(mm);
}

static void errno_of_insert(void)
{
	struct mmu_interval_notifier sub = { };

	begin_test();
	EXPECT(mmu_interval_notifier_insert(&sub, mm, ADDR(1), 0, &one_pass) ==
	       -EOVERFLOW);
	EXPECT(mmu_interval_notifier_insert(&sub, mm, ADDR(1), -PAGE_SIZE,
					    &one_pass) == -EOVERFLOW);
	/* It does not look as if it were inserted. */
	EXPECT(!sub.mm);
	EXPECT(mm->all_locks_taken == 1);
	mmap_write_lock(mm);
	EXPECT(!mmu_interval_notifier_insert_locked(&sub, mm, ADDR(1),
						    PAGE_SIZE, &one_pass));
	mmap_write_unlock(mm);
	EXPECT(mm->all_locks_taken == 1);
	mmu_interval_notifier_remove(&sub);
	mmput(mm);
}

/* The first one in an mm has the invalidations recorded, and that may fail. */
static void errno_of_the_first_insert(void)
{
	struct mmu_interval_notifier sub = { };

	begin_test();
	shim_no_memory = true;
	EXPECT(mmu_interval_notifier_insert(&sub, mm, ADDR(1), PAGE_SIZE,
					    &one_pass) == -ENOMEM);
	mmap_write_lock(mm);
	EXPECT(mmu_interval_notifier_insert_locked(&sub, mm, ADDR(1), PAGE_SIZE,
						   &one_pass) == -ENOMEM);
	EXPECT(!sub.mm);
	shim_no_memory = false;
	EXPECT(!mmu_interval_notifier_insert_locked(&sub, mm, ADDR(1),
						    PAGE_SIZE, &one_pass));
	mmap_write_unlock(mm);
	EXPECT(mm->all_locks_taken == 3);
	mmu_interval_notifier_remove(&sub);
	EXPECT(atomic_read(&mm->mm_count) == 1);

	/* Its users have to stay. */
	mmgrab(mm);
	mmput(mm);
	EXPECT(mmu_interval_notifier_insert(&sub, mm, ADDR(1), PAGE_SIZE,
					    &one_pass) == -EINVAL);
	EXPECT(shim_take_warnings() == 1);
	mmap_write_lock(mm);
	EXPECT(mmu_interval_notifier_insert_locked(&sub, mm, ADDR(1), PAGE_SIZE,
						   &one_pass) == -EINVAL);
	mmap_write_unlock(mm);
	EXPECT(shim_take_warnings() == 1);
	mmdrop(mm);
}

#define TEST(name) { #name, name }

const struct test interval_tests[] = {
	TEST(o1_an_unrelated_one_is_not_waited_for),
	TEST(o1_what_overlaps_is_waited_for),
	TEST(o1_each_page_of_it_is_waited_for),
	TEST(o1_waits_once),
	TEST(o1_what_a_callback_ignores),
	TEST(o1_only_the_last_one_wakes),
	TEST(o1_each_that_overlaps_counts),
	TEST(o1_an_empty_one_is_none),
	TEST(o1_a_single_byte),
	TEST(o1_a_fatal_signal_is_no_end),
	TEST(o1_an_invalidation_at_each_moment),
	TEST(o1_an_end_at_each_moment),
	TEST(o1_calls_that_are_over_wake_no_reader),
	TEST(o1_the_end_of_the_address_space),
	TEST(o1_the_mm_dies),
	TEST(o2_insert_is_in_force_at_once),
	TEST(o2_remove_does_not_wait_for_an_end),
	TEST(o2_remove_waits_for_its_callback),
	TEST(o2_a_start_waits_for_a_removal),
	TEST(o2_a_start_waits_for_calls_elsewhere),
	TEST(o2_a_start_waits_though_it_is_killed),
	TEST(o2_a_start_beside_a_removal),
	TEST(o2_garbage_in_an_invalidation),
	TEST(o2_inserted_before_the_start_has_the_lock),
	TEST(o2_a_start_waits_after_its_own_calls),
	TEST(o2_a_start_waits_for_each_removal),
	TEST(o2_a_removal_when_the_mm_dies),
	TEST(o2_a_start_waits_for_releases),
	TEST(o2_removed_before_reclaim_in_a_callback),
	TEST(o2_removed_before_reclaim_in_a_callback_of_many),
	TEST(o2_reclaim_in_a_callback_waits_for_others),
	TEST(o2_reclaim_after_the_calls_waits_for_others),
	TEST(o2_inserted_again),
	TEST(o3_no_two_have_the_same_number),
	TEST(o3_numbers_do_not_go_back),
	TEST(o4_marks_come_before_calls),
	TEST(o4_marks_come_before_calls_of_many),
	TEST(o4_two_passes),
	TEST(o4_a_failure_finishes_what_was_begun),
	TEST(o4_a_failure_ends_the_calls),
	TEST(o4_a_failure_beside_a_removal),
	TEST(o4_a_refusal_has_no_effect),
	TEST(o4_what_is_beside_many_is_not_called),
	TEST(o4_each_of_any_number_is_called),
	TEST(o4_what_is_inserted_meanwhile_is_not_called),
	TEST(o5_removed_in_the_callback),
	TEST(o5_all_removed_in_one_callback),
	TEST(o5_removed_at_once_if_nothing_runs),
	TEST(o5_removed_at_once_if_it_is_not_called),
	TEST(o5_removed_while_two_call_it),
	TEST(o5_removed_while_two_call_it_and_more),
	TEST(o5_removed_by_a_release),
	TEST(o5_removed_by_a_release_while_another_calls_it),
	TEST(o5_synchronize),
	TEST(o5_synchronize_at_once),
	TEST(o5_woken_when_the_mm_dies),
	TEST(o5_a_limit_in_time),
	TEST(o5_a_limit_in_time_in_a_stream),
	TEST(o5_no_limit_in_time),
	TEST(o5_removed_twice),
	TEST(o5_removed_twice_at_once),
	TEST(o5_released_before_the_removal_returns),
	TEST(o5_a_start_at_each_moment_of_a_removal),
	TEST(o5_all_that_may_wait_says_so),
	TEST(o4_one_of_two_is_called),
	TEST(marks_go_on_where_they_were),
	TEST(marks_leave_out_what_goes_alone),
	TEST(a_range_goes_at_each_moment),
	TEST(o4_a_notifier_behind_ranges),
	TEST(a_range_goes_while_others_are_called),
	TEST(ranges_go_while_others_are_called),
	TEST(o4_what_is_removed_in_mid_mark_is_called),
	TEST(no_hold_of_the_lock_is_long),
	TEST(no_hold_of_the_lock_is_long_for_others),
	TEST(no_hold_of_the_lock_is_long_for_removals),
	TEST(errno_of_insert),
	TEST(errno_of_the_first_insert),
	{ }
};
