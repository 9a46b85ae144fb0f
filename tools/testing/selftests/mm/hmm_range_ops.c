// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests tracked ranges that have callbacks, hmm_range_register_ops(), and
 * hmm_range_fault_commit(), through the device of lib/test_hmm_range.c: what a
 * callback is told, when it is not called any more, and when the loop ends.
 *
 * What fails if a part is taken out of mm/hmm_range.c, mm/mmu_interval.c or
 * mm/hmm.c:
 *
 *	the clipping to the range	told_what_was_hit
 *	HMM_RANGE_OWN_EVENTS		own_events_if_asked_for
 *	the pin of what is called	unregister_waits_for_callbacks,
 *					ends_in_its_callback, ends_once
 *	hmm_mm_track()			registers_under_the_mmap_lock
 *	hmm_range_retry() in the loop	commit_reads_again_what_was_hit
 *	its deadline			commit_gives_up
 *	its limit of -EAGAIN		commit_is_called_again
 */
#define _GNU_SOURCE
#include "hmm_range_test.h"

#define FAULT_WRITE	(HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE)
/* No walk says both. */
#define POISON		(HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_ERROR)

FIXTURE(ops) {
	int		fd;
	size_t		page;
	size_t		size;
	char		*map;
};

FIXTURE_VARIANT(ops) {
	struct form	form;
	bool		second_pass;
};

FIXTURE_VARIANT_ADD(ops, one_pass) { .form = FORM_OPS };
FIXTURE_VARIANT_ADD(ops, two_pass) { .form = FORM_TWO_PASS, .second_pass = true };

FIXTURE_SETUP(ops)
{
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, dev_config(self->fd, variant->form.notifier, false));
	self->page = sysconf(_SC_PAGESIZE);
	self->size = NR_PAGES * self->page;
	self->map = map_pages(self->size);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, madvise(self->map, self->size, MADV_NOHUGEPAGE));
	memset(self->map, 1, self->size);
}

FIXTURE_TEARDOWN(ops)
{
	if (self->fd < 0)
		return;
	EXPECT_EQ(0, dev_release(self->fd, 0));
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_UNMARKED));
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_STRAY));
	EXPECT_EQ(0, close(self->fd));
}

/* How often the callback of a range was called, or -errno. */
static long nr_calls(int fd, int id)
{
	struct hmm_range_dev_calls calls;
	int ret = dev_calls(fd, id, &calls);

	return ret ? ret : (long)calls.calls;
}

/*
 * What a callback is told.
 */

/* In pages; @nr_told 0: it is not called. */
static const struct {
	unsigned int first, nr, told, nr_told;
} hits[] = {
	{ 0, 9, 8, 1 },
	{ 15, 20, 15, 1 },
	{ 0, NR_PAGES, 8, 8 },
	{ 10, 2, 10, 2 },
	{ 8, 8, 8, 8 },
	/* They touch it. */
	{ 0, 8 },
	{ 16, 8 },
};

TEST_F(ops, told_what_was_hit)
{
	unsigned long map = (uintptr_t)self->map, page = self->page;
	int id = dev_register(self->fd, self->map + 8 * page, 8 * page, 0);
	struct hmm_range_dev_calls calls;
	unsigned int i, nr = 0;

	ASSERT_LT(0, id);
	for (i = 0; i < ARRAY_SIZE(hits); i++) {
		unsigned int event = i & 1 ? NOTIFY_UNMAP : NOTIFY_MIGRATE;

		ASSERT_LT(0, dev_hold_event(self->fd, self->map + hits[i].first * page,
					    hits[i].nr * page, event, 0));
		ASSERT_EQ(0, dev_release(self->fd, 0));
		ASSERT_EQ(0, dev_calls(self->fd, id, &calls));
		nr += !!hits[i].nr_told;
		EXPECT_EQ(nr, calls.calls) {
			TH_LOG("case %u", i);
		}
		EXPECT_EQ(variant->second_pass ? nr : 0, calls.finishes);
		if (!hits[i].nr_told)
			continue;
		EXPECT_EQ(event, calls.event);
		EXPECT_EQ(map + hits[i].told * page, calls.start);
		EXPECT_EQ(calls.start + hits[i].nr_told * page, calls.end);
	}
}

/* The second pass may sleep, so there is none if that is not allowed. */
TEST_F(ops, nonblocking_has_one_pass)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	struct hmm_range_dev_calls calls;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID, SOON_MS));
	ASSERT_LT(0, dev_hold_event(self->fd, self->map, self->size, NOTIFY_CLEAR,
				    HMM_RANGE_DEV_HOLD_NONBLOCK));
	ASSERT_EQ(0, dev_calls(self->fd, id, &calls));
	EXPECT_EQ(1, calls.calls);
	EXPECT_EQ(0, calls.finishes);
	EXPECT_EQ(NR_PAGES, dev_stat(self->fd, HMM_RANGE_DEV_STAT_TORN_DOWN));
}

/* Own events that leave the range valid are not its callback's business. */
TEST_F(ops, own_events_if_asked_for)
{
	const unsigned int ignore = 1U << NOTIFY_MIGRATE;
	int quiet = dev_register_own(self->fd, self->map, self->size,
				     HMM_RANGE_DEV_OWNER, ignore, 0);
	int told = dev_register_own(self->fd, self->map, self->size,
				    HMM_RANGE_DEV_OWNER, ignore,
				    RANGE_OWN_EVENTS);

	ASSERT_LT(0, quiet);
	ASSERT_LT(0, told);
	ASSERT_EQ(0, dev_fault(self->fd, quiet));
	ASSERT_EQ(0, dev_fault(self->fd, told));
	ASSERT_LT(0, dev_hold_event(self->fd, self->map, self->size,
				    NOTIFY_MIGRATE, HMM_RANGE_DEV_HOLD_OWNER));
	EXPECT_EQ(0, nr_calls(self->fd, quiet));
	EXPECT_EQ(1, nr_calls(self->fd, told));
	EXPECT_EQ(1, dev_valid(self->fd, quiet));
	EXPECT_EQ(1, dev_valid(self->fd, told));
	ASSERT_EQ(0, dev_release(self->fd, 0));

	/* Another event, and another owner. */
	ASSERT_LT(0, dev_hold_event(self->fd, self->map, self->size,
				    NOTIFY_CLEAR, HMM_RANGE_DEV_HOLD_OWNER));
	ASSERT_LT(0, dev_hold_event(self->fd, self->map, self->size,
				    NOTIFY_MIGRATE, 0));
	EXPECT_EQ(2, nr_calls(self->fd, quiet));
	EXPECT_EQ(3, nr_calls(self->fd, told));
	EXPECT_EQ(0, dev_valid(self->fd, quiet));
	EXPECT_EQ(0, dev_valid(self->fd, told));
}

/*
 * Registering, and the end of it.
 */

/* In a new address space, where nobody has registered anything. */
TEST_F(ops, registers_under_the_mmap_lock)
{
	int id = dev_register(self->fd, self->map, self->size,
			      HMM_RANGE_DEV_LOCKED);

	ASSERT_LT(0, id);
	ASSERT_LT(0, dev_register(self->fd, self->map, self->page,
				  HMM_RANGE_DEV_LOCKED));
	ASSERT_EQ(0, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID, SOON_MS));
	ASSERT_TRUE(do_dontneed(self->map, self->page));
	EXPECT_EQ(0, dev_valid(self->fd, id));
	EXPECT_EQ(1, nr_calls(self->fd, id));
	EXPECT_EQ(1, dev_stat(self->fd, HMM_RANGE_DEV_STAT_TORN_DOWN));
}

TEST_F(ops, no_callback_after_unregister)
{
	static const unsigned int ways[] = { 0, HMM_RANGE_DEV_ASYNC };
	unsigned int i;
	int id, other;

	other = dev_register(self->fd, self->map, self->page, 0);
	ASSERT_LT(0, other);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		id = dev_register(self->fd, self->map, self->size, 0);
		ASSERT_LT(0, id);
		ASSERT_TRUE(do_dontneed(self->map, self->page));
		EXPECT_EQ(3 * i + 2, dev_stat(self->fd,
					      HMM_RANGE_DEV_STAT_INVALIDATIONS));
		ASSERT_EQ(0, dev_unregister_flags(self->fd, id, ways[i]));
		EXPECT_EQ(i, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RELEASED));
		ASSERT_TRUE(do_dontneed(self->map, self->page));
		EXPECT_EQ(3 * i + 3, dev_stat(self->fd,
					      HMM_RANGE_DEV_STAT_INVALIDATIONS));
	}
}

/*
 * What threads do once they are told: there can be no new ones while a callback
 * pauses.
 */
struct job {
	pthread_t	thread;
	int		fd;
	int		id;
	unsigned int	flags;
	char		*map;
	size_t		size;
	atomic_bool	go;
	atomic_int	result;
};

static void *discard_thread(void *data)
{
	struct job *job = data;

	while (!job->go)
		usleep(100);
	job->result = do_dontneed(job->map, job->size) ? 0 : -errno;
	return NULL;
}

static void *unregister_thread(void *data)
{
	struct job *job = data;

	while (!job->go)
		usleep(100);
	job->result = dev_unregister_flags(job->fd, job->id, job->flags);
	return NULL;
}

static bool await_calls(int fd, int id, long nr)
{
	unsigned long end = now_ms() + SOON_MS;

	while (nr_calls(fd, id) < nr && now_ms() < end)
		usleep(1000);
	return nr_calls(fd, id) == nr;
}

/* What did not end in this time waits. */
#define A_WHILE_US	200000

static void expect_wait(struct __test_metadata *_metadata, int fd, char *map,
			size_t page, unsigned int flags)
{
	struct job discard = { .map = map, .size = page, .result = -1 };
	struct job unregister = { .fd = fd, .flags = flags, .result = -1 };
	long released = dev_stat(fd, HMM_RANGE_DEV_STAT_RELEASED);
	int other;

	unregister.id = dev_register(fd, map, 2 * page, 0);
	ASSERT_LT(0, unregister.id);
	ASSERT_EQ(0, pthread_create(&discard.thread, NULL, discard_thread,
				    &discard));
	ASSERT_EQ(0, pthread_create(&unregister.thread, NULL, unregister_thread,
				    &unregister));
	ASSERT_EQ(0, dev_pause(fd, true));
	discard.go = true;
	ASSERT_TRUE(await_calls(fd, unregister.id, 1));

	/* Nobody else waits for that callback. */
	other = dev_register(fd, map + page, page, 0);
	ASSERT_LT(0, other);
	EXPECT_EQ(0, dev_unregister_flags(fd, other, flags));
	released += !!flags;

	unregister.go = true;
	usleep(A_WHILE_US);
	EXPECT_EQ(-1, unregister.result);
	EXPECT_EQ(-1, discard.result);
	EXPECT_EQ(released, dev_stat(fd, HMM_RANGE_DEV_STAT_RELEASED));
	ASSERT_EQ(0, dev_pause(fd, false));
	ASSERT_TRUE(join_soon(unregister.thread));
	ASSERT_TRUE(join_soon(discard.thread));
	EXPECT_EQ(0, unregister.result);
	EXPECT_EQ(0, discard.result);
	EXPECT_EQ(released + !!flags, dev_stat(fd, HMM_RANGE_DEV_STAT_RELEASED));
}

TEST_F(ops, unregister_waits_for_callbacks)
{
	expect_wait(_metadata, self->fd, self->map, self->page, 0);
	expect_wait(_metadata, self->fd, self->map, self->page,
		    HMM_RANGE_DEV_ASYNC);
}

TEST_F(ops, ends_in_its_callback)
{
	int id = dev_register(self->fd, self->map, self->size, HMM_RANGE_DEV_ONCE);
	struct hmm_range_dev_calls calls;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID, SOON_MS));
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RELEASED));
	ASSERT_TRUE(do_dontneed(self->map, self->page));
	EXPECT_EQ(1, dev_stat(self->fd, HMM_RANGE_DEV_STAT_TORN_DOWN));
	EXPECT_EQ(1, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RELEASED));

	EXPECT_EQ(-ENOENT, dev_valid(self->fd, id));
	EXPECT_EQ(-ENOENT, dev_fault(self->fd, id));
	EXPECT_EQ(-ENOENT, dev_calls(self->fd, id, &calls));
	ASSERT_TRUE(do_dontneed(self->map, self->size));
	EXPECT_EQ(1, dev_stat(self->fd, HMM_RANGE_DEV_STAT_INVALIDATIONS));

	EXPECT_EQ(0, dev_unregister(self->fd, id));
	EXPECT_EQ(-ENOENT, dev_unregister(self->fd, id));
	EXPECT_EQ(1, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RELEASED));
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RANGES));
}

/* Two callbacks of it run, and the later end is the end. */
TEST_F(ops, ends_once)
{
	int id = dev_register(self->fd, self->map, self->size, HMM_RANGE_DEV_ONCE);
	struct job jobs[2] = {};
	unsigned int i;

	ASSERT_LT(0, id);
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i].map = self->map + i * self->page;
		jobs[i].size = self->page;
		jobs[i].result = -1;
		ASSERT_EQ(0, pthread_create(&jobs[i].thread, NULL,
					    discard_thread, &jobs[i]));
	}
	ASSERT_EQ(0, dev_pause(self->fd, true));
	jobs[0].go = true;
	jobs[1].go = true;
	ASSERT_TRUE(await_calls(self->fd, id, 2));
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RELEASED));
	ASSERT_EQ(0, dev_pause(self->fd, false));
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		ASSERT_TRUE(join_soon(jobs[i].thread));
		EXPECT_EQ(0, jobs[i].result);
	}
	EXPECT_EQ(1, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RELEASED));
	/* It is left for the file to give back when it is closed. */
	EXPECT_EQ(-ENOENT, dev_valid(self->fd, id));
}

/*
 * The whole loop in one call.
 */

struct commit {
	int				fd;
	struct hmm_range_dev_walk	args;
	int				ret;
};

static int call_commit(struct commit *commit)
{
	commit->args.how = HMM_RANGE_DEV_FAULT_COMMIT;
	commit->args.default_flags = FAULT_WRITE;
	commit->ret = dev_call(commit->fd, HMM_RANGE_IOC_MIRROR, &commit->args);
	return commit->ret;
}

static void *commit_thread(void *data)
{
	call_commit(data);
	return NULL;
}

TEST_F(ops, commit_is_called_again)
{
	static const struct {
		unsigned int refusals, refusal;
		int ret;
		unsigned int commits;
	} answers[] = {
		{ 0, 0, 0, 1 },
		{ 1, EAGAIN, 0, 2 },
		{ 2, EAGAIN, 0, 3 },
		{ 3, EAGAIN, -EBUSY, 3 },
		{ 1, E2BIG, -E2BIG, 1 },
	};
	struct commit commit = { .fd = self->fd };
	unsigned int i;
	char byte = 0;

	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		long walks = dev_stat(self->fd, HMM_RANGE_DEV_STAT_WALKS);
		/* Does it get into the device's page table? */
		int in_table = answers[i].ret ? -EBUSY : 0;
		int id = dev_register(self->fd, self->map, self->size, 0);

		ASSERT_LT(0, id);
		commit.args = (struct hmm_range_dev_walk) {
			.id = id,
			.timeout_ms = SOON_MS,
			.refusals = answers[i].refusals,
			.refusal = answers[i].refusal,
		};
		EXPECT_EQ(answers[i].ret, call_commit(&commit)) {
			TH_LOG("case %u", i);
		}
		EXPECT_EQ(answers[i].commits, commit.args.commits);
		/* Nothing has hit it. */
		EXPECT_EQ(walks + 1, dev_stat(self->fd, HMM_RANGE_DEV_STAT_WALKS));
		EXPECT_EQ(in_table, dev_copy(self->fd, id, HMM_RANGE_DEV_TABLE,
					     self->map, 1, &byte, 1));
		ASSERT_EQ(0, dev_unregister(self->fd, id));
	}
	EXPECT_EQ(1, byte);
}

/* Page 5 goes after the first walk, unless we are late. Returns the walks. */
static long commit_and_hit(struct commit *commit, char *page, size_t size)
{
	long walks = dev_stat(commit->fd, HMM_RANGE_DEV_STAT_WALKS);
	unsigned long end = now_ms() + SOON_MS;
	pthread_t thread;

	if (pthread_create(&thread, NULL, commit_thread, commit))
		return -EAGAIN;
	while (dev_stat(commit->fd, HMM_RANGE_DEV_STAT_WALKS) == walks &&
	       now_ms() < end)
		usleep(100);
	if (!do_dontneed(page, size) || !join_soon(thread))
		return -EPROTO;
	return dev_stat(commit->fd, HMM_RANGE_DEV_STAT_WALKS) - walks;
}

TEST_F(ops, commit_reads_again_what_was_hit)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	struct hmm_range_dev_entry entries[NR_PAGES];
	struct commit commit = { .fd = self->fd };
	unsigned int i, tries;
	long walks = 1;

	ASSERT_LT(0, id);
	for (tries = 0; tries < 20 && walks == 1; tries++) {
		commit.args = (struct hmm_range_dev_walk) {
			.id = id,
			.timeout_ms = SOON_MS,
			.latency_us = 100000,
			.flags = HMM_RANGE_DEV_POISON,
		};
		walks = commit_and_hit(&commit, self->map + 5 * self->page,
				       self->page);
		ASSERT_EQ(0, commit.ret);
		EXPECT_EQ(1, commit.args.commits);
	}
	ASSERT_EQ(2, walks);
	ASSERT_EQ(0, dev_read(self->fd, id, self->map, NR_PAGES, entries));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(i != 5, (entries[i].flags & POISON) == POISON) {
			TH_LOG("page %u", i);
		}
	}
	EXPECT_EQ(FAULT_WRITE, entries[5].flags);
	EXPECT_EQ(1, dev_valid(self->fd, id));
}

/* Something is in flight all the time. */
TEST_F(ops, commit_waits_no_longer_than_its_time)
{
	struct commit commit = { .fd = self->fd };
	unsigned long start;

	commit.args.id = dev_register(self->fd, self->map, self->size, 0);
	commit.args.timeout_ms = 1000;
	ASSERT_LT(0, commit.args.id);
	ASSERT_LT(0, dev_hold(self->fd, self->map, self->page));
	start = now_ms();
	EXPECT_EQ(-EBUSY, call_commit(&commit));
	EXPECT_LE(200, now_ms() - start);
	EXPECT_GT(SOON_MS, now_ms() - start);
	EXPECT_EQ(0, commit.args.commits);
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_WALKS));
}

/* Each walk succeeds, and none of them lasts until the device has set itself up. */
TEST_F(ops, commit_gives_up)
{
	struct churn churn = { .page = self->map, .size = self->page };
	struct commit commit = { .fd = self->fd };
	pthread_t churner, committer;
	unsigned int tries = 0;

	commit.args.id = dev_register(self->fd, self->map, self->size, 0);
	commit.args.timeout_ms = 500;
	commit.args.latency_us = 100000;
	ASSERT_LT(0, commit.args.id);
	ASSERT_EQ(0, pthread_create(&churner, NULL, churn_thread, &churn));
	do {
		ASSERT_EQ(0, pthread_create(&committer, NULL, commit_thread,
					    &commit));
		ASSERT_TRUE(join_soon(committer)) {
			TH_LOG("it goes on and on");
		}
	} while (!commit.ret && ++tries < 20);
	churn.stop = true;
	ASSERT_EQ(0, pthread_join(churner, NULL));
	EXPECT_EQ(-EBUSY, commit.ret);
	EXPECT_EQ(0, commit.args.commits);
	EXPECT_LT(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RETRIES));
}

TEST_HARNESS_MAIN
