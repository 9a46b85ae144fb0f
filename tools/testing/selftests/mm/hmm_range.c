// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests the protocol of tracked ranges (mm/hmm_range.c) through the device of
 * lib/test_hmm_range.c: what makes a range invalid and what does not, what has
 * to be waited for, what a retry walks, and what becomes of ranges when their
 * process, its files or the device's memory go away.
 *
 * What fails if a part is taken out of mm/hmm_range.c or mm/mmu_notifier.c:
 *
 *	the exclusive end		touching_does_not_invalidate
 *	the test for an overlap		unrelated_in_flight
 *	the record of invalidations	registered_in_flight
 *	  while there are no ranges
 *	the unwind on -EAGAIN		refused_invalidation_is_taken_back,
 *					process_mrelease_is_taken_back
 *	the map of dirty parts		walks_what_was_invalidated,
 *					keeps_what_a_failed_walk_left
 *	an owner that is not NULL	other_owners_count
 *	the killable wait		wait_ends_with_a_fatal_signal
 *	the mark of a dying mm		wait_ends_with_the_mm, exit_of_... and
 *					exec_of_the_mirrored_process
 *
 * An invalidation that is held open holds the mmap lock for read. Until it is
 * released, a test must not do what needs that lock for write: map memory, start
 * a thread or fork.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include <lib/test_hmm_uapi.h>
#include "hmm_range_dev.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* One page in each of the 64 parts that a range is divided into. */
#define NR_PAGES	64
/* By when what should not take time is over, even on a slow machine. */
#define SOON_MS		10000

static const char pause_option[] = "--pause";

static unsigned long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static char *map_pages(size_t size)
{
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

/* Wait for a child, but not for ever. */
static bool reap_soon(pid_t pid, int *status)
{
	unsigned long end = now_ms() + SOON_MS;
	pid_t ret;

	do {
		ret = waitpid(pid, status, WNOHANG);
		if (ret)
			return ret == pid;
		usleep(1000);
	} while (now_ms() < end);
	return false;
}

static bool join_soon(pthread_t thread)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += SOON_MS / 1000;
	return !pthread_timedjoin_np(thread, NULL, &end);
}

FIXTURE(range) {
	int		fd;
	size_t		page;
	size_t		size;
	char		*map;
};

/* Which callback of the device listens beside the tracking. */
FIXTURE_VARIANT(range) {
	unsigned int	notifier;
};

FIXTURE_VARIANT_ADD(range, plain) {
	.notifier = HMM_RANGE_DEV_NOTIFIER_PLAIN,
};

FIXTURE_VARIANT_ADD(range, interval) {
	.notifier = HMM_RANGE_DEV_NOTIFIER_INTERVAL,
};

FIXTURE_SETUP(range)
{
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, dev_config(self->fd, variant->notifier, false));
	self->page = sysconf(_SC_PAGESIZE);
	self->size = NR_PAGES * self->page;
	self->map = map_pages(self->size);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, madvise(self->map, self->size, MADV_NOHUGEPAGE));
	memset(self->map, 1, self->size);
}

FIXTURE_TEARDOWN(range)
{
	if (self->fd < 0)
		return;
	EXPECT_EQ(0, dev_release(self->fd, 0));
	/* Whatever the test did: marking comes before callbacks. */
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_UNMARKED));
	EXPECT_EQ(0, close(self->fd));
}

/*
 * T1: an invalidation leaves the range invalid until the next walk, however
 * short it was.
 */

static bool swap_is_on(void)
{
	char line[256];
	unsigned int lines = 0;
	FILE *swaps = fopen("/proc/swaps", "r");

	if (!swaps)
		return false;
	while (fgets(line, sizeof(line), swaps))
		lines++;
	fclose(swaps);
	return lines > 1;
}

static bool do_dontneed(char *map, size_t size)
{
	return !madvise(map, size, MADV_DONTNEED);
}

static bool do_protect(char *map, size_t size)
{
	return !mprotect(map, size, PROT_READ) &&
	       !mprotect(map, size, PROT_READ | PROT_WRITE);
}

static bool do_unmap(char *map, size_t size)
{
	return !munmap(map, size) &&
	       mmap(map, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == map;
}

static bool do_map_over(char *map, size_t size)
{
	return mmap(map, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_FIXED, -1, 0) == map;
}

static bool do_move(char *map, size_t size)
{
	char *to = map_pages(size);

	if (!to || mremap(map, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
			  to) != to)
		return false;
	return mremap(to, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		      map) == map;
}

static bool do_fork(char *map, size_t size)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static bool do_pageout(char *map, size_t size)
{
	return !madvise(map, size, MADV_PAGEOUT);
}

/* Not about a range of addresses: all that there is in the mm. */
static bool do_clear_refs(char *map, size_t size)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);
	bool done = fd >= 0 && write(fd, "4", 1) == 1;

	close(fd);
	return done;
}

static const struct {
	const char *name;
	bool (*change)(char *map, size_t size);
	bool needs_swap;
} changes[] = {
	{ "madvise(MADV_DONTNEED)", do_dontneed },
	{ "mprotect", do_protect },
	{ "munmap", do_unmap },
	{ "mmap over it", do_map_over },
	{ "mremap", do_move },
	{ "fork", do_fork },
	{ "madvise(MADV_PAGEOUT)", do_pageout, true },
	{ "clear_refs", do_clear_refs },
};

TEST_F(range, invalid_after_any_change)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	char *page = self->map + 7 * self->page;
	unsigned int i;

	ASSERT_LT(0, id);
	EXPECT_EQ(0, dev_valid(self->fd, id));
	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		if (changes[i].needs_swap && !swap_is_on())
			continue;
		/* A fault that copies a page invalidates, too. */
		ASSERT_EQ(0, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID |
					HMM_RANGE_DEV_WRITE, SOON_MS));
		ASSERT_EQ(1, dev_valid(self->fd, id));
		ASSERT_TRUE(changes[i].change(page, self->page));
		EXPECT_EQ(0, dev_valid(self->fd, id)) {
			TH_LOG("valid after %s", changes[i].name);
		}
		/* It is over: nothing to wait for, but still not valid. */
		EXPECT_EQ(1, dev_wait(self->fd, id, 0));
		EXPECT_EQ(0, dev_valid(self->fd, id));
	}
}

/* A walk of a valid range changes nothing about that, nor does a fault. */
TEST_F(range, valid_until_a_change)
{
	int id = dev_register(self->fd, self->map, self->size, 0);

	ASSERT_LT(0, id);
	ASSERT_EQ(0, dev_snapshot(self->fd, id));
	EXPECT_EQ(1, dev_valid(self->fd, id));
	memset(self->map, 2, self->size);
	EXPECT_EQ(1, dev_valid(self->fd, id));
	ASSERT_EQ(0, dev_fault(self->fd, id));
	EXPECT_EQ(1, dev_valid(self->fd, id));
	ASSERT_EQ(0, dev_unregister(self->fd, id));
	EXPECT_EQ(-ENOENT, dev_valid(self->fd, id));
}

TEST_F(range, nothing_succeeds_while_in_flight)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	struct hmm_range_dev_walk walk = {
		.id = id,
		.how = HMM_RANGE_DEV_FAULT_UNLOCKED,
		.default_flags = HMM_RANGE_DEV_VALID,
		.timeout_ms = 100,
	};
	unsigned int how;
	int held;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, dev_fault(self->fd, id));
	held = dev_hold(self->fd, self->map + self->page, self->page);
	ASSERT_LT(0, held);

	EXPECT_EQ(0, dev_valid(self->fd, id));
	EXPECT_EQ(0, dev_wait(self->fd, id, 0));
	EXPECT_EQ(-EBUSY, dev_begin(self->fd, id));
	for (how = HMM_RANGE_DEV_SNAPSHOT; how <= HMM_RANGE_DEV_FAULT_LOCKED; how++) {
		EXPECT_EQ(-EBUSY, dev_walk(self->fd, id, how, HMM_RANGE_DEV_VALID)) {
			TH_LOG("way %u", how);
		}
	}
	EXPECT_EQ(-EBUSY, dev_call(self->fd, HMM_RANGE_IOC_WALK, &walk));
	EXPECT_EQ(0, walk.locked);
	EXPECT_EQ(-EBUSY, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID, 100));
	EXPECT_EQ(0, dev_valid(self->fd, id));

	ASSERT_EQ(0, dev_release(self->fd, held));
	EXPECT_EQ(0, dev_valid(self->fd, id));
	EXPECT_EQ(1, dev_wait(self->fd, id, 0));
	EXPECT_EQ(0, dev_valid(self->fd, id));
	EXPECT_EQ(0, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID, SOON_MS));
	EXPECT_EQ(1, dev_valid(self->fd, id));
}

TEST_F(range, begin_arms_without_a_walk)
{
	int id = dev_register(self->fd, self->map, self->size,
			      HMM_RANGE_DEV_NO_ARRAY);

	ASSERT_LT(0, id);
	EXPECT_EQ(0, dev_valid(self->fd, id));
	ASSERT_EQ(0, dev_begin(self->fd, id));
	EXPECT_EQ(1, dev_valid(self->fd, id));
	ASSERT_TRUE(do_dontneed(self->map, self->page));
	EXPECT_EQ(0, dev_valid(self->fd, id));
	/* There is nothing to put the result into. */
	EXPECT_EQ(-EINVAL, dev_snapshot(self->fd, id));
}

/*
 * T3: nothing waits for an invalidation that is elsewhere.
 */

TEST_F(range, unrelated_in_flight)
{
	size_t half = self->size / 2;
	int id = dev_register(self->fd, self->map, half, 0);
	unsigned long start = now_ms();
	int other, i;

	ASSERT_LT(0, id);
	ASSERT_LT(0, dev_hold(self->fd, self->map + half, half));

	EXPECT_EQ(1, dev_wait(self->fd, id, 0));
	EXPECT_EQ(0, dev_snapshot(self->fd, id));
	EXPECT_EQ(0, dev_fault_write(self->fd, id));
	EXPECT_EQ(1, dev_valid(self->fd, id));
	for (i = 0; i < 100; i++) {
		other = dev_register(self->fd, self->map, self->size, 0);
		ASSERT_LT(0, other);
		ASSERT_EQ(0, dev_unregister(self->fd, other));
	}
	EXPECT_EQ(1, dev_valid(self->fd, id));
	/* That one is still there, and nobody waited until it ended by itself. */
	EXPECT_GT(HMM_RANGE_DEV_MAX_MS / 2, now_ms() - start);
	other = dev_register(self->fd, self->map + half, half, 0);
	ASSERT_LT(0, other);
	EXPECT_EQ(0, dev_wait(self->fd, other, 0));
}

/*
 * T4: the end of an interval does not belong to it.
 */

TEST_F(range, touching_does_not_invalidate)
{
	char *middle = self->map + 4 * self->page;
	int id = dev_register(self->fd, middle, 4 * self->page, 0);
	int below, above;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, dev_fault(self->fd, id));
	below = dev_hold(self->fd, self->map, 4 * self->page);
	above = dev_hold(self->fd, middle + 4 * self->page, self->page);
	ASSERT_LT(0, below);
	ASSERT_LT(0, above);
	EXPECT_EQ(1, dev_valid(self->fd, id));
	EXPECT_EQ(1, dev_wait(self->fd, id, 0));
	EXPECT_EQ(0, dev_fault(self->fd, id));
	ASSERT_EQ(0, dev_release(self->fd, 0));
	EXPECT_EQ(1, dev_valid(self->fd, id));
}

TEST_F(range, one_page_invalidates)
{
	char *middle = self->map + 4 * self->page;
	char * const hits[] = { middle - self->page, middle + 3 * self->page };
	int id = dev_register(self->fd, middle, 4 * self->page, 0);
	unsigned int i;

	ASSERT_LT(0, id);
	for (i = 0; i < ARRAY_SIZE(hits); i++) {
		ASSERT_EQ(0, dev_fault(self->fd, id));
		ASSERT_LT(0, dev_hold(self->fd, hits[i], 2 * self->page));
		EXPECT_EQ(0, dev_valid(self->fd, id));
		EXPECT_EQ(0, dev_wait(self->fd, id, 0));
		ASSERT_EQ(0, dev_release(self->fd, 0));
		EXPECT_EQ(0, dev_valid(self->fd, id));
	}
}

/*
 * T5: an invalidation that must not block, and gives up.
 */

TEST_F(range, nonblocking_is_not_held_up_by_ranges)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	int held;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, dev_fault(self->fd, id));
	held = dev_hold_event(self->fd, self->map, self->size, NOTIFY_CLEAR,
			      HMM_RANGE_DEV_HOLD_NONBLOCK);
	ASSERT_LT(0, held);
	EXPECT_EQ(0, dev_valid(self->fd, id));
	EXPECT_EQ(-EBUSY, dev_snapshot(self->fd, id));
}

struct wait_args {
	int fd;
	int id;
	unsigned int ms;
	atomic_int result;
};

static void *wait_thread(void *data)
{
	struct wait_args *args = data;

	args->result = dev_wait(args->fd, args->id, args->ms);
	return NULL;
}

TEST_F(range, refused_invalidation_is_taken_back)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	/* It waits by mmu_interval_read_begin(), which knows no timeout. */
	struct wait_args legacy = { .fd = self->fd, .result = -1 };
	pthread_t thread;

	legacy.id = dev_register(self->fd, self->map, self->size,
				 HMM_RANGE_DEV_LEGACY);
	ASSERT_LT(0, legacy.id);
	ASSERT_LT(0, id);
	ASSERT_EQ(0, dev_fault(self->fd, id));
	ASSERT_EQ(0, dev_config(self->fd, HMM_RANGE_DEV_NOTIFIER_KEEP, true));
	EXPECT_EQ(-EAGAIN, dev_hold_event(self->fd, self->map, self->size,
					  NOTIFY_CLEAR,
					  HMM_RANGE_DEV_HOLD_NONBLOCK));
	EXPECT_LT(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_REFUSED));

	EXPECT_EQ(1, dev_wait(self->fd, id, 0));
	EXPECT_EQ(0, dev_fault(self->fd, id));
	EXPECT_EQ(1, dev_valid(self->fd, id));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_thread, &legacy));
	ASSERT_TRUE(join_soon(thread)) {
		TH_LOG("mmu_interval_read_begin() hangs");
	}
	EXPECT_EQ(1, legacy.result);
	EXPECT_EQ(0, dev_unregister(self->fd, legacy.id));
}

/*
 * T6: ranges that appear in the middle of an invalidation.
 */

TEST_F(range, registered_in_flight)
{
	/* The first one, so that the mm is tracked; then there is none. */
	int id = dev_register(self->fd, self->map, self->size, 0);
	int held;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, dev_unregister(self->fd, id));
	held = dev_hold(self->fd, self->map, self->size);
	ASSERT_LT(0, held);

	id = dev_register(self->fd, self->map + self->page, self->page, 0);
	ASSERT_LT(0, id);
	EXPECT_EQ(0, dev_valid(self->fd, id));
	EXPECT_EQ(0, dev_wait(self->fd, id, 0));
	EXPECT_EQ(-EBUSY, dev_begin(self->fd, id));
	EXPECT_EQ(-EBUSY, dev_snapshot(self->fd, id));

	ASSERT_EQ(0, dev_release(self->fd, held));
	EXPECT_EQ(1, dev_wait(self->fd, id, 0));
	EXPECT_EQ(0, dev_snapshot(self->fd, id));
	EXPECT_EQ(1, dev_valid(self->fd, id));
}

/*
 * T7: every wait ends.
 */

TEST_F(range, wait_ends_with_its_time)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	unsigned long start;

	ASSERT_LT(0, id);
	ASSERT_LT(0, dev_hold(self->fd, self->map, self->page));
	start = now_ms();
	EXPECT_EQ(0, dev_wait(self->fd, id, 1000));
	/* It counts ticks, of which a busy emulator delivers some in a hurry. */
	EXPECT_LE(200, now_ms() - start);
	EXPECT_GT(SOON_MS, now_ms() - start);
}

TEST_F(range, wait_ends_with_the_invalidation)
{
	struct wait_args args = {
		.fd = self->fd,
		.ms = HMM_RANGE_DEV_MAX_MS,
		.result = -1,
	};
	pthread_t thread;
	int held, id;

	id = dev_register(self->fd, self->map, self->size, 0);
	ASSERT_LT(0, id);
	args.id = dev_register(self->fd, self->map, self->page, 0);
	ASSERT_LT(0, args.id);
	/* Threads need memory: this one is there before, and waits for us. */
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_thread, &args));
	ASSERT_TRUE(join_soon(thread));
	EXPECT_EQ(1, args.result);

	held = dev_hold(self->fd, self->map, self->page);
	ASSERT_LT(0, held);
	EXPECT_EQ(0, dev_wait(self->fd, args.id, 0));
	ASSERT_EQ(0, dev_release(self->fd, held));
	EXPECT_EQ(1, dev_wait(self->fd, args.id, HMM_RANGE_DEV_MAX_MS));
}

/*
 * T8: a retry walks what was invalidated, and a new call walks everything.
 */

FIXTURE(retry) {
	int		fd;
	int		id;
	size_t		page;
	char		*map;
	struct hmm_range_dev_entry entries[NR_PAGES];
};

/*
 * Pages are missing to begin with, and page 10 appears later. That is not
 * notified, so whether a walk reports it says whether it went there.
 */
FIXTURE_SETUP(retry)
{
	size_t size;

	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	self->page = sysconf(_SC_PAGESIZE);
	size = NR_PAGES * self->page;
	self->map = map_pages(size);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, madvise(self->map, size, MADV_NOHUGEPAGE));
	self->map[5 * self->page] = 1;
	self->id = dev_register(self->fd, self->map, size, 0);
	ASSERT_LT(0, self->id);

	ASSERT_EQ(0, dev_snapshot(self->fd, self->id));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, NR_PAGES,
			      self->entries));
	ASSERT_EQ(HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE,
		  self->entries[5].flags);
	ASSERT_EQ(0, self->entries[10].flags);

	ASSERT_TRUE(do_dontneed(self->map + 5 * self->page, self->page));
	self->map[10 * self->page] = 1;
	ASSERT_EQ(0, dev_valid(self->fd, self->id));
}

FIXTURE_TEARDOWN(retry)
{
	if (self->fd >= 0)
		close(self->fd);
}

static unsigned int entry_flags(int fd, int id, char *page)
{
	struct hmm_range_dev_entry entry;

	return dev_read(fd, id, page, 1, &entry) ? UINT_MAX : entry.flags;
}

TEST_F(retry, walks_what_was_invalidated)
{
	ASSERT_EQ(0, dev_snapshot(self->fd, self->id));
	EXPECT_EQ(1, dev_valid(self->fd, self->id));
	EXPECT_EQ(0, entry_flags(self->fd, self->id, self->map + 5 * self->page));
	EXPECT_EQ(0, entry_flags(self->fd, self->id, self->map + 10 * self->page));

	/* The range is valid, so this is a new call. */
	ASSERT_EQ(0, dev_snapshot(self->fd, self->id));
	EXPECT_EQ(HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE,
		  entry_flags(self->fd, self->id, self->map + 10 * self->page));
}

/* It failed, and took notice of nothing: what was invalid still is. */
TEST_F(retry, keeps_what_a_failed_walk_left)
{
	int held = dev_hold(self->fd, self->map, self->page);

	ASSERT_LT(0, held);
	ASSERT_EQ(-EBUSY, dev_snapshot(self->fd, self->id));
	ASSERT_EQ(0, dev_release(self->fd, held));
	ASSERT_EQ(0, dev_snapshot(self->fd, self->id));
	EXPECT_EQ(0, entry_flags(self->fd, self->id, self->map + 5 * self->page));
	EXPECT_EQ(0, entry_flags(self->fd, self->id, self->map + 10 * self->page));
}

TEST_F(retry, other_mode_walks_everything)
{
	struct hmm_range_dev_walk walk = {
		.id = self->id,
		.how = HMM_RANGE_DEV_FAULT,
	};

	/* It asks for nothing, but it is another call. */
	ASSERT_EQ(0, dev_call(self->fd, HMM_RANGE_IOC_WALK, &walk));
	EXPECT_NE(0, entry_flags(self->fd, self->id, self->map + 10 * self->page));
}

TEST_F(retry, other_bounds_walk_everything)
{
	struct hmm_range_dev_walk walk = {
		.id = self->id,
		.how = HMM_RANGE_DEV_SNAPSHOT,
		.start = (uintptr_t)self->map,
		.end = (uintptr_t)self->map + 32 * self->page,
	};

	ASSERT_EQ(0, dev_call(self->fd, HMM_RANGE_IOC_WALK, &walk));
	EXPECT_NE(0, entry_flags(self->fd, self->id, self->map + 10 * self->page));
}

TEST_F(retry, mask_walks_everything)
{
	uint32_t requests[NR_PAGES] = { [20] = HMM_RANGE_DEV_VALID };
	struct hmm_range_dev_walk walk = {
		.id = self->id,
		.how = HMM_RANGE_DEV_FAULT,
		.requests = (uintptr_t)requests,
		.flags_mask = HMM_RANGE_DEV_VALID,
	};

	ASSERT_EQ(0, dev_call(self->fd, HMM_RANGE_IOC_WALK, &walk));
	EXPECT_NE(0, entry_flags(self->fd, self->id, self->map + 10 * self->page));
	EXPECT_NE(0, entry_flags(self->fd, self->id, self->map + 20 * self->page));
	ASSERT_TRUE(do_dontneed(self->map + 5 * self->page, self->page));
	self->map[30 * self->page] = 1;
	/* The same call again. */
	ASSERT_EQ(0, dev_call(self->fd, HMM_RANGE_IOC_WALK, &walk));
	EXPECT_NE(0, entry_flags(self->fd, self->id, self->map + 30 * self->page));
}

/* One page is dropped all the time; the range around it becomes valid anyway. */

struct churn {
	char *page;
	size_t size;
	atomic_bool stop;
};

static void *churn_thread(void *data)
{
	struct churn *churn = data;

	while (!churn->stop)
		do_dontneed(churn->page, churn->size);
	return NULL;
}

TEST_F(range, converges_under_local_churn)
{
	const unsigned long nr = 4096;
	size_t size = nr * self->page;
	char *map = map_pages(size);
	struct churn churn = { .page = map + 100 * self->page, .size = self->page };
	unsigned long end = now_ms() + SOON_MS;
	unsigned long walked, again, retries;
	pthread_t thread;
	int id, err = 0;

	ASSERT_NE(NULL, map);
	id = dev_register(self->fd, map, size, 0);
	ASSERT_LT(0, id);
	ASSERT_EQ(0, pthread_create(&thread, NULL, churn_thread, &churn));
	do {
		err = dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID, SOON_MS);
		retries = dev_stat(self->fd, HMM_RANGE_DEV_STAT_RETRIES);
	} while (!err && retries < 50 && now_ms() < end);
	churn.stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, err);

	walked = dev_stat(self->fd, HMM_RANGE_DEV_STAT_PAGES);
	again = dev_stat(self->fd, HMM_RANGE_DEV_STAT_PAGES_AGAIN);
	TH_LOG("%lu pages walked, %lu of them again in %lu retries", walked,
	       again, retries);
	ASSERT_LT(0, retries);
	/* One part of 64; the first walk may have been cut short anywhere. */
	EXPECT_GT(nr / 2, again / retries);
	munmap(map, size);
}

/*
 * T9: a driver's own invalidations.
 */

FIXTURE(owner) {
	int		fd;
	size_t		page;
	char		*map;
};

FIXTURE_VARIANT(owner) {
	unsigned int	event;
};

FIXTURE_VARIANT_ADD(owner, migrate) {
	.event = NOTIFY_MIGRATE,
};

FIXTURE_VARIANT_ADD(owner, exclusive) {
	.event = NOTIFY_EXCLUSIVE,
};

FIXTURE_SETUP(owner)
{
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	self->page = sysconf(_SC_PAGESIZE);
	self->map = map_pages(self->page);
	ASSERT_NE(NULL, self->map);
}

FIXTURE_TEARDOWN(owner)
{
	if (self->fd >= 0)
		close(self->fd);
}

/*
 * Does an invalidation leave a range valid? And no walk waits for it then: 1.
 * Or it does neither: 0.
 */
static int event_is_ignored(int fd, void *map, size_t size,
			    unsigned int range_flags, unsigned int ignore,
			    unsigned int event, unsigned int hold_flags)
{
	int id = dev_register_events(fd, map, size, range_flags, ignore);
	int ret, valid;

	if (id < 0)
		return id;
	ret = dev_snapshot(fd, id);
	if (!ret)
		ret = dev_hold_event(fd, map, size, event, hold_flags);
	if (ret < 0)
		return ret;
	valid = dev_valid(fd, id);
	ret = dev_snapshot(fd, id);
	if (ret != (valid ? 0 : -EBUSY) || dev_wait(fd, id, 0) != valid)
		return -EPROTO;
	ret = dev_release(fd, 0);
	return ret ?: dev_unregister(fd, id) ?: valid;
}

TEST_F(owner, ignored_if_asked_for)
{
	EXPECT_EQ(1, event_is_ignored(self->fd, self->map, self->page,
				      HMM_RANGE_DEV_OWNER, 1U << variant->event,
				      variant->event,
				      HMM_RANGE_DEV_HOLD_OWNER));
	/* Nobody asked. */
	EXPECT_EQ(0, event_is_ignored(self->fd, self->map, self->page,
				      HMM_RANGE_DEV_OWNER, 0, variant->event,
				      HMM_RANGE_DEV_HOLD_OWNER));
}

TEST_F(owner, other_events_count)
{
	unsigned int event;

	for (event = 0; event < NOTIFY_NR; event++) {
		if (event == variant->event || event == NOTIFY_RELEASE)
			continue;
		EXPECT_EQ(0, event_is_ignored(self->fd, self->map, self->page,
					      HMM_RANGE_DEV_OWNER,
					      1U << variant->event, event,
					      HMM_RANGE_DEV_HOLD_OWNER)) {
			TH_LOG("event %u", event);
		}
	}
}

TEST_F(owner, other_owners_count)
{
	/* Of nobody, and of another open file. */
	EXPECT_EQ(0, event_is_ignored(self->fd, self->map, self->page,
				      HMM_RANGE_DEV_OWNER, 1U << variant->event,
				      variant->event, 0));
	EXPECT_EQ(0, event_is_ignored(self->fd, self->map, self->page, 0,
				      1U << variant->event, variant->event,
				      HMM_RANGE_DEV_HOLD_OWNER));
	/* Two that are of nobody have nothing to do with each other. */
	EXPECT_EQ(0, event_is_ignored(self->fd, self->map, self->page, 0,
				      1U << variant->event, variant->event, 0));
}

/*
 * T12 and more: the process goes away, the file stays.
 */

/*
 * A child that mirrors a page of itself. @fd is its file, in our hands; @dfd is
 * the number that it has in the child.
 */
struct other {
	pid_t	pid;
	int	fd;
	int	id;
	int	go;
	char	*map;
	size_t	page;
};

struct hello {
	int	fd;
	int	id;
	void	*map;
};

/* The child: says hello and does what it is told by one letter. */
static void run_other(int hello_pipe, int go_pipe, unsigned int flags)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct hello hello = { .map = map_pages(2 * page) };
	char go;

	hello.fd = dev_open();
	if (hello.fd >= 0 && !dev_config(hello.fd,
					 HMM_RANGE_DEV_NOTIFIER_PLAIN, false))
		hello.id = dev_register(hello.fd, hello.map, page, flags);
	if (write(hello_pipe, &hello, sizeof(hello)) != sizeof(hello))
		_exit(1);
	if (read(go_pipe, &go, 1) != 1)
		_exit(0);
	if (go == 'e')
		execl("/proc/self/exe", "hmm_range", pause_option, NULL);
	if (go == 'w')
		dev_wait(hello.fd, hello.id, HMM_RANGE_DEV_MAX_MS);
	_exit(1);
}

static bool start_other(struct other *other, unsigned int flags)
{
	struct hello hello;
	int in[2], out[2], pidfd;

	if (pipe(in) || pipe(out))
		return false;
	other->page = sysconf(_SC_PAGESIZE);
	other->pid = fork();
	if (!other->pid) {
		close(in[0]);
		close(out[1]);
		run_other(in[1], out[0], flags);
	}
	close(in[1]);
	close(out[0]);
	other->go = out[1];
	if (other->pid < 0 ||
	    read(in[0], &hello, sizeof(hello)) != sizeof(hello) ||
	    hello.fd < 0 || hello.id <= 0)
		return false;
	close(in[0]);
	other->id = hello.id;
	other->map = hello.map;
	pidfd = syscall(SYS_pidfd_open, other->pid, 0);
	other->fd = syscall(SYS_pidfd_getfd, pidfd, hello.fd, 0);
	close(pidfd);
	return other->fd >= 0;
}

/* All that is left of a range whose address space is gone. */
static void expect_dead(struct __test_metadata *_metadata,
			const struct other *other)
{
	struct hmm_range_dev_entry entry;
	unsigned int how;

	EXPECT_EQ(0, dev_valid(other->fd, other->id));
	EXPECT_EQ(0, dev_wait(other->fd, other->id, 0));
	EXPECT_EQ(0, dev_wait(other->fd, other->id, 1000));
	EXPECT_EQ(-EFAULT, dev_begin(other->fd, other->id));
	for (how = HMM_RANGE_DEV_SNAPSHOT; how <= HMM_RANGE_DEV_FAULT_UNLOCKED; how++) {
		EXPECT_EQ(-EFAULT, dev_walk(other->fd, other->id, how,
					    HMM_RANGE_DEV_VALID));
	}
	EXPECT_EQ(-EFAULT, dev_mirror(other->fd, other->id,
				      HMM_RANGE_DEV_VALID, 1000));
	/* The device's entries are gone as well. */
	EXPECT_EQ(0, dev_read(other->fd, other->id, other->map, 1, &entry));
	EXPECT_EQ(-EFAULT, dev_register(other->fd, other->map, other->page, 0));
	EXPECT_EQ(-EFAULT, dev_register(other->fd, other->map, other->page,
					HMM_RANGE_DEV_LOCKED));
	EXPECT_EQ(-EFAULT, dev_hold(other->fd, other->map, other->page));
	EXPECT_EQ(0, dev_unregister(other->fd, other->id));
	EXPECT_EQ(0, dev_stat(other->fd, HMM_RANGE_DEV_STAT_UNMARKED));
	EXPECT_EQ(0, close(other->fd));
}

TEST(exit_of_the_mirrored_process)
{
	char byte[16];
	struct other other;
	int status;

	if (access("/dev/hmm_range", F_OK))
		SKIP(return, "no /dev/hmm_range");
	ASSERT_TRUE(start_other(&other, 0));
	ASSERT_EQ(0, dev_mirror(other.fd, other.id, HMM_RANGE_DEV_VALID, SOON_MS));
	ASSERT_EQ(1, dev_valid(other.fd, other.id));
	ASSERT_EQ(0, dev_copy(other.fd, other.id, HMM_RANGE_DEV_TABLE, other.map,
			      1, byte, sizeof(byte)));
	ASSERT_EQ(0, kill(other.pid, SIGKILL));
	ASSERT_EQ(other.pid, waitpid(other.pid, &status, 0));
	EXPECT_EQ(-EBUSY, dev_copy(other.fd, other.id, HMM_RANGE_DEV_TABLE,
				   other.map, 1, byte, sizeof(byte)));
	expect_dead(_metadata, &other);
}

TEST(exec_of_the_mirrored_process)
{
	unsigned long end = now_ms() + SOON_MS;
	struct other other;

	if (access("/dev/hmm_range", F_OK))
		SKIP(return, "no /dev/hmm_range");
	ASSERT_TRUE(start_other(&other, 0));
	ASSERT_EQ(0, dev_mirror(other.fd, other.id, HMM_RANGE_DEV_VALID, SOON_MS));
	ASSERT_EQ(1, write(other.go, "e", 1));
	/* Its new address space is not the one that the file mirrors. */
	while (dev_begin(other.fd, other.id) != -EFAULT && now_ms() < end)
		usleep(1000);
	EXPECT_EQ(0, kill(other.pid, 0));
	expect_dead(_metadata, &other);
	kill(other.pid, SIGKILL);
	waitpid(other.pid, NULL, 0);
}

/*
 * A process waits for an invalidation that goes on. When it is killed, it gets
 * out of there, and lets go of its address space before the invalidation ends.
 */
TEST(wait_ends_with_a_fatal_signal)
{
	struct other other;
	unsigned long end;
	int status, id;

	if (access("/dev/hmm_range", F_OK))
		SKIP(return, "no /dev/hmm_range");
	ASSERT_TRUE(start_other(&other, 0));
	/* One that nobody else uses: the calls on one range take turns. */
	id = dev_register(other.fd, other.map, other.page, 0);
	ASSERT_LT(0, id);
	ASSERT_LT(0, dev_hold(other.fd, other.map, other.page));
	ASSERT_EQ(1, write(other.go, "w", 1));
	usleep(100000);
	EXPECT_EQ(-EBUSY, dev_begin(other.fd, id));
	ASSERT_EQ(0, kill(other.pid, SIGKILL));
	end = now_ms() + SOON_MS;
	while (dev_begin(other.fd, id) != -EFAULT && now_ms() < end)
		usleep(1000);
	EXPECT_EQ(-EFAULT, dev_begin(other.fd, id)) {
		TH_LOG("the wait goes on although the process is killed");
	}
	ASSERT_EQ(0, dev_release(other.fd, 0));
	ASSERT_TRUE(reap_soon(other.pid, &status));
	close(other.fd);
}

/* An invalidation is in flight when the process dies, and somebody waits. */
TEST(wait_ends_with_the_mm)
{
	struct wait_args args = { .ms = HMM_RANGE_DEV_MAX_MS, .result = -1 };
	struct other other;
	pthread_t thread;
	int status;

	if (access("/dev/hmm_range", F_OK))
		SKIP(return, "no /dev/hmm_range");
	ASSERT_TRUE(start_other(&other, 0));
	ASSERT_LT(0, dev_hold(other.fd, other.map, other.page));
	args.fd = other.fd;
	args.id = other.id;
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_thread, &args));
	usleep(100000);
	EXPECT_EQ(-1, args.result);
	ASSERT_EQ(0, kill(other.pid, SIGKILL));
	ASSERT_TRUE(join_soon(thread)) {
		TH_LOG("the wait goes on although the mm is dying");
	}
	EXPECT_EQ(0, args.result);
	EXPECT_EQ(-EFAULT, dev_begin(other.fd, other.id));
	/* It cannot be torn down entirely before the invalidation is over. */
	ASSERT_EQ(0, dev_release(other.fd, 0));
	ASSERT_TRUE(reap_soon(other.pid, &status));
	expect_dead(_metadata, &other);
}

/* An inherited file mirrors the parent, not the child that uses it. */
TEST_F(range, fork_keeps_the_parent)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	int status;
	char byte;
	pid_t pid;

	ASSERT_LT(0, id);
	memset(self->map, 'p', self->size);
	pid = fork();
	if (!pid) {
		memset(self->map, 'c', self->size);
		if (dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID, SOON_MS) ||
		    dev_copy(self->fd, id, HMM_RANGE_DEV_TABLE, self->map, 1,
			     &byte, 1))
			_exit(1);
		_exit(byte == 'p' ? 0 : 2);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* The child closed it, the parent still has it. */
	EXPECT_EQ(0, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID, SOON_MS));
}

TEST_F(range, close_with_ranges_and_invalidations)
{
	int fd = dev_open();
	unsigned long start;
	int i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dev_config(fd, variant->notifier, false));
	for (i = 0; i < 100; i++) {
		ASSERT_LT(0, dev_register(fd, self->map, self->size, 0)) {
			TH_LOG("range %d", i);
		}
	}
	ASSERT_LT(0, dev_register(fd, self->map, self->size,
				  HMM_RANGE_DEV_LEGACY));
	ASSERT_LT(0, dev_hold(fd, self->map, self->size));
	start = now_ms();
	ASSERT_EQ(0, close(fd));
	/* The mmap lock can be had again. */
	ASSERT_TRUE(do_protect(self->map, self->page));
	EXPECT_GT(SOON_MS, now_ms() - start);
}

/*
 * Copies by the device's page table.
 */

TEST_F(range, copies_what_the_process_has)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	char *data = map_pages(self->size);
	unsigned int i;

	ASSERT_LT(0, id);
	ASSERT_NE(NULL, data);
	for (i = 0; i < NR_PAGES; i++)
		memset(self->map + i * self->page, i, self->page);
	ASSERT_EQ(0, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID |
				HMM_RANGE_DEV_WRITE, SOON_MS));
	ASSERT_EQ(0, dev_copy(self->fd, id, HMM_RANGE_DEV_TABLE, self->map,
			      NR_PAGES, data, self->page));
	EXPECT_EQ(0, memcmp(self->map, data, self->size));
	EXPECT_EQ(0, dev_copy(self->fd, id, 0, self->map, NR_PAGES, data,
			      self->page));

	memset(data, 0xa5, self->size);
	ASSERT_EQ(0, dev_copy(self->fd, id, HMM_RANGE_DEV_TABLE |
			      HMM_RANGE_DEV_COPY_WRITE, self->map, NR_PAGES,
			      data, self->page));
	EXPECT_EQ(0, memcmp(self->map, data, self->size));
}

TEST_F(range, torn_down_entries_are_not_used)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	char byte;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID, SOON_MS));
	ASSERT_TRUE(do_dontneed(self->map, self->page));
	EXPECT_LT(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_TORN_DOWN));
	EXPECT_EQ(-EBUSY, dev_copy(self->fd, id, HMM_RANGE_DEV_TABLE, self->map,
				   1, &byte, 1));
	/* The next page is still there. */
	EXPECT_EQ(0, dev_copy(self->fd, id, HMM_RANGE_DEV_TABLE,
			      self->map + self->page, 1, &byte, 1));
	EXPECT_EQ(1, byte);
	/* But a check of the range fails, and so does a copy that relies on it. */
	EXPECT_EQ(-EBUSY, dev_copy(self->fd, id, 0, self->map + self->page, 1,
				   &byte, 1));
}

TEST_F(range, read_only_entries_are_not_written)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	char byte = 0;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, mprotect(self->map, self->size, PROT_READ));
	ASSERT_EQ(0, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID, SOON_MS));
	EXPECT_EQ(-EPERM, dev_copy(self->fd, id, HMM_RANGE_DEV_TABLE |
				   HMM_RANGE_DEV_COPY_WRITE, self->map, 1,
				   &byte, 1));
	EXPECT_EQ(-EPERM, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID |
				     HMM_RANGE_DEV_WRITE, SOON_MS));
	EXPECT_EQ(1, self->map[0]);
}

/* Without the check an old entry gets in: the check is what keeps it out. */
TEST_F(range, the_check_can_fail)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	char byte;

	ASSERT_LT(0, id);
	memset(self->map, 2, self->size);
	ASSERT_EQ(0, dev_fault(self->fd, id));
	ASSERT_TRUE(do_dontneed(self->map, self->page));
	self->map[0] = 3;
	EXPECT_EQ(-EBUSY, dev_copy(self->fd, id, 0, self->map, 1, &byte, 1));
	EXPECT_EQ(-EINVAL, dev_copy(self->fd, id, HMM_RANGE_DEV_SKIP_CHECK |
				    HMM_RANGE_DEV_COPY_WRITE, self->map, 1,
				    &byte, 1));
}

/*
 * process_mrelease() of a process that cannot die yet: its invalidations must
 * not block. A callback refuses them, after those of interval notifiers ran.
 */

struct victim {
	int		fd;
	char		*map;
	size_t		page;
};

static void *hold_thread(void *data)
{
	struct victim *victim = data;
	struct hmm_range_dev_hold args = {
		.start = (uintptr_t)victim->map + victim->page,
		.end = (uintptr_t)victim->map + 2 * victim->page,
		.event = NOTIFY_CLEAR,
		.flags = HMM_RANGE_DEV_HOLD_SYNC | HMM_RANGE_DEV_HOLD_UNKILLABLE,
		.timeout_ms = HMM_RANGE_DEV_MAX_MS,
	};

	dev_call(victim->fd, HMM_RANGE_IOC_HOLD, &args);
	return NULL;
}

static void run_victim(int hello_pipe)
{
	struct victim victim = { .page = sysconf(_SC_PAGESIZE) };
	struct hello hello = {};
	pthread_t thread;
	int legacy;

	victim.map = map_pages(2 * victim.page);
	memset(victim.map, 1, 2 * victim.page);
	victim.fd = dev_open();
	if (victim.fd < 0 ||
	    dev_config(victim.fd, HMM_RANGE_DEV_NOTIFIER_PLAIN, true))
		_exit(1);
	/* The test knows that the ids are 1 and 2. */
	hello.id = dev_register(victim.fd, victim.map, victim.page, 0);
	legacy = dev_register(victim.fd, victim.map, victim.page,
			      HMM_RANGE_DEV_LEGACY);
	if (hello.id != 1 || legacy != 2 ||
	    pthread_create(&thread, NULL, hold_thread, &victim))
		_exit(2);
	hello.fd = victim.fd;
	hello.map = victim.map;
	if (write(hello_pipe, &hello, sizeof(hello)) != sizeof(hello))
		_exit(3);
	for (;;)
		pause();
}

/* Is the victim's thread inside its invalidation yet? */
static bool wait_for_hold(int fd, char *map, size_t page)
{
	unsigned long end = now_ms() + SOON_MS;
	int id = dev_register(fd, map + page, page, 0);

	while (dev_wait(fd, id, 0) == 1 && now_ms() < end)
		usleep(1000);
	return dev_wait(fd, id, 0) == 0;
}

TEST(process_mrelease_is_taken_back)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct hello hello;
	int in[2], pidfd, fd, ret, status;
	struct wait_args legacy = { .id = 2, .result = -1 };
	pthread_t thread;
	pid_t pid;

	if (access("/dev/hmm_range", F_OK))
		SKIP(return, "no /dev/hmm_range");
	ASSERT_EQ(0, pipe(in));
	pid = fork();
	if (!pid)
		run_victim(in[1]);
	ASSERT_LT(0, pid);
	close(in[1]);
	ASSERT_EQ(sizeof(hello), read(in[0], &hello, sizeof(hello)));
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, pidfd);
	fd = syscall(SYS_pidfd_getfd, pidfd, hello.fd, 0);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(wait_for_hold(fd, hello.map, page));
	ASSERT_EQ(0, dev_fault(fd, 1));

	ASSERT_EQ(0, kill(pid, SIGKILL));
	ret = syscall(SYS_process_mrelease, pidfd, 0);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LT(0, dev_stat(fd, HMM_RANGE_DEV_STAT_REFUSED));

	/* It was marked, and what marked it is not in flight any more. */
	EXPECT_EQ(0, dev_valid(fd, 1));
	EXPECT_EQ(1, dev_wait(fd, 1, 0));
	EXPECT_EQ(0, dev_begin(fd, 1));

	/* Interval notifiers wait for the one that is still held. */
	legacy.fd = fd;
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_thread, &legacy));
	ASSERT_EQ(0, dev_release(fd, 0));
	ASSERT_TRUE(join_soon(thread)) {
		TH_LOG("mmu_interval_read_begin() hangs");
	}
	ASSERT_TRUE(reap_soon(pid, &status));
	EXPECT_EQ(-EFAULT, dev_begin(fd, 1));
	EXPECT_EQ(0, dev_unregister(fd, 2));
	EXPECT_EQ(0, dev_unregister(fd, 1));
	close(fd);
	close(pidfd);
}

/*
 * Hostile arguments get an errno.
 */

static int register_bounds(int fd, unsigned long start, unsigned long end,
			   unsigned int flags)
{
	struct hmm_range_dev_bounds bounds = { .start = start, .end = end };
	struct hmm_range_dev_register args = {
		.bounds = (uintptr_t)&bounds,
		.count = 1,
		.flags = flags,
	};

	return dev_call(fd, HMM_RANGE_IOC_REGISTER, &args);
}

TEST_F(range, register_bad_bounds)
{
	static const unsigned int flags[] = {
		0, HMM_RANGE_DEV_LOCKED, HMM_RANGE_DEV_NO_ARRAY,
		HMM_RANGE_DEV_LOCKED | HMM_RANGE_DEV_NO_ARRAY,
	};
	unsigned long map = (uintptr_t)self->map, page = self->page;
	const unsigned long bounds[][2] = {
		{ map + 1, map + page },
		{ map, map + page - 1 },
		{ map, map },
		{ map + page, map },
		{ 0, 0 },
		{ -page, 0 },
		{ -page, page },
		{ -2 * page, -page },
		{ -page, -1UL },
		/* Addresses of the kernel, and where there are none. */
		{ 0xffff888000000000UL, 0xffff888000000000UL + page },
		{ 0x8000000000000000UL, 0x8000000000000000UL + page },
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(bounds); i++) {
		for (j = 0; j < ARRAY_SIZE(flags); j++) {
			EXPECT_EQ(-EINVAL, register_bounds(self->fd,
							   bounds[i][0],
							   bounds[i][1],
							   flags[j])) {
				TH_LOG("%#lx-%#lx flags %#x", bounds[i][0],
				       bounds[i][1], flags[j]);
			}
		}
	}
	/* Beyond the end of the address space by far, from within it. */
	EXPECT_EQ(-EINVAL, register_bounds(self->fd, map, -page,
					   HMM_RANGE_DEV_NO_ARRAY));
	/* More memory for arrays than one file gets. */
	EXPECT_EQ(-E2BIG, register_bounds(self->fd, page, map, 0));
	EXPECT_EQ(-E2BIG, register_bounds(self->fd, map, -page, 0));
	/* As large as it gets is all right. */
	EXPECT_EQ(0, register_bounds(self->fd, 0, 0x7ffffffff000UL,
				     HMM_RANGE_DEV_NO_ARRAY));
	EXPECT_EQ(1, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RANGES));
}

TEST_F(range, register_bad_flags)
{
	struct hmm_range_dev_bounds bounds = {
		.start = (uintptr_t)self->map,
		.end = (uintptr_t)self->map + self->page,
	};
	struct hmm_range_dev_register args = {
		.bounds = (uintptr_t)&bounds,
		.count = 1,
	};
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		args.range_flags = 1U << bit;
		EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_REGISTER, &args));
	}
	args.range_flags = 0;
	for (bit = NOTIFY_NR; bit < 32; bit++) {
		args.ignore_events = 1U << bit;
		EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_REGISTER, &args));
	}
	args.ignore_events = 0;
	args.flags = 1U << 31;
	EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_REGISTER, &args));
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RANGES));
}

TEST_F(range, register_bad_pointers)
{
	struct hmm_range_dev_register args = { .count = 1 };
	struct hmm_range_dev_bounds *bounds = (void *)self->map;
	char *hole = self->map + self->page;
	const unsigned long pointers[] = {
		0, 1, -1UL, 0xffff888000000000UL, (uintptr_t)hole,
		(uintptr_t)hole - 1,
	};
	unsigned int i;

	ASSERT_EQ(0, munmap(hole, self->page));
	for (i = 0; i < ARRAY_SIZE(pointers); i++) {
		args.bounds = pointers[i];
		EXPECT_EQ(-EFAULT, dev_call(self->fd, HMM_RANGE_IOC_REGISTER, &args));
		EXPECT_EQ(-EFAULT, dev_call(self->fd, HMM_RANGE_IOC_REGISTER,
					    (void *)pointers[i]));
	}
	/* It can be read, but the id cannot be written: nothing is registered. */
	bounds->start = (uintptr_t)self->map;
	bounds->end = bounds->start + self->page;
	bounds->reserved = 0;
	args.bounds = (uintptr_t)bounds;
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, dev_call(self->fd, HMM_RANGE_IOC_REGISTER, &args));
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RANGES));
}

TEST_F(range, register_many)
{
	const unsigned int nr = 10000;
	struct hmm_range_dev_bounds *bounds = calloc(nr, sizeof(*bounds));
	struct hmm_range_dev_register args = {
		.bounds = (uintptr_t)bounds,
		.count = nr,
	};
	struct hmm_range_dev_unregister gone = { .count = nr };
	uint32_t *ids = calloc(nr, sizeof(*ids));
	unsigned int i;

	ASSERT_NE(NULL, bounds);
	ASSERT_NE(NULL, ids);
	for (i = 0; i < nr; i++) {
		bounds[i].start = (uintptr_t)self->map + i % NR_PAGES * self->page;
		bounds[i].end = bounds[i].start + self->page;
	}
	ASSERT_EQ(0, dev_call(self->fd, HMM_RANGE_IOC_REGISTER, &args));
	EXPECT_EQ(nr, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RANGES));
	ASSERT_EQ(0, dev_snapshot(self->fd, bounds[nr - 1].id));
	ASSERT_TRUE(do_dontneed(self->map, self->size));
	EXPECT_EQ(0, dev_valid(self->fd, bounds[nr - 1].id));

	/* One of them is bad: none is registered. */
	bounds[nr - 1].end++;
	EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_REGISTER, &args));
	EXPECT_EQ(nr, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RANGES));
	args.count = 0;
	EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_REGISTER, &args));
	args.count = HMM_RANGE_DEV_MAX_RANGES + 1;
	EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_REGISTER, &args));
	args.count = -1U;
	EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_REGISTER, &args));

	for (i = 0; i < nr; i++)
		ids[i] = bounds[i].id;
	gone.ids = (uintptr_t)ids;
	EXPECT_EQ(0, dev_call(self->fd, HMM_RANGE_IOC_UNREGISTER, &gone));
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RANGES));
	free(bounds);
	free(ids);
}

TEST_F(range, unknown_ranges)
{
	const uint32_t ids[] = { 0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff };
	struct hmm_range_dev_entry entry;
	unsigned int i;
	char byte;
	int id;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		EXPECT_EQ(-ENOENT, dev_unregister(self->fd, ids[i]));
		EXPECT_EQ(-ENOENT, dev_wait(self->fd, ids[i], 0));
		EXPECT_EQ(-ENOENT, dev_begin(self->fd, ids[i]));
		EXPECT_EQ(-ENOENT, dev_valid(self->fd, ids[i]));
		EXPECT_EQ(-ENOENT, dev_fault(self->fd, ids[i]));
		EXPECT_EQ(-ENOENT, dev_mirror(self->fd, ids[i], 0, 0));
		EXPECT_EQ(-ENOENT, dev_read(self->fd, ids[i], self->map, 1, &entry));
		EXPECT_EQ(-ENOENT, dev_copy(self->fd, ids[i], 0, self->map, 1,
					    &byte, 1));
	}
	id = dev_register(self->fd, self->map, self->size, 0);
	ASSERT_LT(0, id);
	EXPECT_EQ(0, dev_unregister(self->fd, id));
	EXPECT_EQ(-ENOENT, dev_unregister(self->fd, id));
	EXPECT_EQ(-ENOENT, dev_release(self->fd, 1));
	EXPECT_EQ(-ENOTTY, dev_call(self->fd, _IO('H', 0x7f), NULL));
	EXPECT_EQ(-ENOTTY, dev_call(self->fd, _IOWR('H', 0x46, char[4096]),
				    self->map));
}

TEST_F(range, walk_bad_arguments)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	unsigned long map = (uintptr_t)self->map, page = self->page;
	const struct hmm_range_dev_walk bad[] = {
		{ .how = HMM_RANGE_DEV_FAULT_UNLOCKED + 1 },
		{ .how = -1U },
		{ .default_flags = HMM_RANGE_DEV_ERROR },
		{ .flags_mask = 1U << 31 },
		{ .flags = HMM_RANGE_DEV_SKIP_CHECK },
		{ .flags = 1U << 31 },
		{ .timeout_ms = HMM_RANGE_DEV_MAX_MS + 1 },
		{ .latency_us = 1 },
		{ .start = map + 1, .end = map + page },
		{ .start = map, .end = map + 1 },
		{ .start = map, .end = map },
		{ .start = map + page, .end = map },
		{ .start = map - page, .end = map + page },
		{ .start = map, .end = map + self->size + page },
		{ .start = -page, .end = page },
		{ .start = map, .end = -page },
	};
	struct hmm_range_dev_walk args;
	unsigned int i;

	ASSERT_LT(0, id);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		args = bad[i];
		args.id = id;
		EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_WALK, &args)) {
			TH_LOG("case %u", i);
		}
	}
	args = (struct hmm_range_dev_walk) {
		.id = id,
		.how = HMM_RANGE_DEV_FAULT,
		.flags_mask = HMM_RANGE_DEV_VALID,
		.requests = -page,
	};
	EXPECT_EQ(-EFAULT, dev_call(self->fd, HMM_RANGE_IOC_WALK, &args));
	EXPECT_EQ(0, dev_snapshot(self->fd, id));
}

TEST_F(range, copy_bad_arguments)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	unsigned long map = (uintptr_t)self->map, page = self->page;
	const struct hmm_range_dev_copy bad[] = {
		{ .start = map + 1, .nr = 1, .bytes = 1 },
		{ .start = map, .nr = 0, .bytes = 1 },
		{ .start = map, .nr = NR_PAGES + 1, .bytes = 1 },
		{ .start = map, .nr = -1ULL, .bytes = 1 },
		{ .start = map + page, .nr = -1ULL, .bytes = page },
		{ .start = map - page, .nr = 1, .bytes = 1 },
		{ .start = map + self->size, .nr = 1, .bytes = 1 },
		{ .start = -page, .nr = 1, .bytes = 1 },
		{ .start = map, .nr = 1, .bytes = 0 },
		{ .start = map, .nr = 1, .bytes = page + 1 },
		{ .start = map, .nr = 1, .bytes = 1, .offset = page },
		{ .start = map, .nr = 1, .bytes = 2, .offset = page - 1 },
		{ .start = map, .nr = 1, .bytes = -1U, .offset = 1 },
		{ .start = map, .nr = 1, .bytes = 1, .flags = 1U << 31 },
	};
	struct hmm_range_dev_copy args;
	unsigned int i;
	char byte;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, dev_mirror(self->fd, id, HMM_RANGE_DEV_VALID |
				HMM_RANGE_DEV_WRITE, SOON_MS));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		args = bad[i];
		args.id = id;
		args.buffer = (uintptr_t)&byte;
		EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_COPY, &args)) {
			TH_LOG("case %u", i);
		}
	}
	EXPECT_EQ(-EFAULT, dev_copy(self->fd, id, 0, self->map, 1,
				    (void *)-page, 1));
	EXPECT_EQ(-EFAULT, dev_copy(self->fd, id, HMM_RANGE_DEV_COPY_WRITE,
				    self->map, 1, (void *)-page, 1));
	EXPECT_EQ(-EFAULT, dev_read(self->fd, id, self->map, 1, (void *)-page));
	EXPECT_EQ(-EINVAL, dev_read(self->fd, id, self->map, NR_PAGES + 1, NULL));
	EXPECT_EQ(-EINVAL, dev_read(self->fd, id, self->map + 1, 1, NULL));
	EXPECT_EQ(0, dev_copy(self->fd, id, 0, self->map, 1, &byte, 1));
}

TEST_F(range, hold_bad_arguments)
{
	unsigned long map = (uintptr_t)self->map, page = self->page;
	const struct hmm_range_dev_hold bad[] = {
		{ .start = map + 1, .end = map + page },
		{ .start = map, .end = map + 1 },
		{ .start = map, .end = map },
		{ .start = map + page, .end = map },
		{ .start = -page, .end = 0 },
		{ .start = map, .end = -page },
		{ .start = 0xffff888000000000UL, .end = 0xffff888000001000UL },
		{ .start = map, .end = map + page, .event = NOTIFY_RELEASE },
		{ .start = map, .end = map + page, .event = NOTIFY_NR },
		{ .start = map, .end = map + page, .event = -1U },
		{ .start = map, .end = map + page, .flags = 1U << 31 },
		{ .start = map, .end = map + page,
		  .flags = HMM_RANGE_DEV_HOLD_UNKILLABLE },
		{ .start = map, .end = map + page,
		  .timeout_ms = HMM_RANGE_DEV_MAX_MS + 1 },
	};
	struct hmm_range_dev_hold args;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		args = bad[i];
		EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_HOLD, &args)) {
			TH_LOG("case %u", i);
		}
	}
	for (i = 0; i < HMM_RANGE_DEV_MAX_HELD; i++) {
		ASSERT_LT(0, dev_hold(self->fd, self->map, self->page)) {
			TH_LOG("invalidation %u", i);
		}
	}
	EXPECT_EQ(-EBUSY, dev_hold(self->fd, self->map, self->page));
	EXPECT_EQ(0, dev_release(self->fd, 1));
	EXPECT_EQ(-ENOENT, dev_release(self->fd, 1));
}

TEST_F(range, config_bad_arguments)
{
	int fd = dev_open();
	char byte;
	int id;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, dev_config(self->fd, variant->notifier, false));
	EXPECT_EQ(-EINVAL, dev_config(fd, 99, false));
	/* Nothing tears entries down: there may be none. */
	id = dev_register(fd, self->map, self->page, 0);
	ASSERT_LT(0, id);
	EXPECT_EQ(0, dev_fault(fd, id));
	EXPECT_EQ(-EINVAL, dev_mirror(fd, id, HMM_RANGE_DEV_VALID, SOON_MS));
	EXPECT_EQ(-EINVAL, dev_copy(fd, id, 0, self->map, 1, &byte, 1));
	close(fd);
}

/*
 * Device memory that goes away. The other test device has it: lib/test_hmm.c.
 */

FIXTURE(devmem) {
	int		fd;
	int		dmirror;
	int		id;
	size_t		size;
	size_t		page;
	char		*map;
};

FIXTURE_VARIANT(devmem) {
	const char	*path;
	bool		visible;
};

FIXTURE_VARIANT_ADD(devmem, private) {
	.path = "/dev/hmm_dmirror0",
};

/* The CPU maps it, and so do our entries show it. */
FIXTURE_VARIANT_ADD(devmem, coherent) {
	.path = "/dev/hmm_dmirror2",
	.visible = true,
};

FIXTURE_SETUP(devmem)
{
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	self->dmirror = open(variant->path, O_RDWR);
	if (self->dmirror < 0)
		SKIP(return, "no %s", variant->path);
	ASSERT_EQ(0, dev_config(self->fd, HMM_RANGE_DEV_NOTIFIER_PLAIN, false));
	self->page = sysconf(_SC_PAGESIZE);
	self->size = NR_PAGES * self->page;
	self->map = map_pages(self->size);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, madvise(self->map, self->size, MADV_NOHUGEPAGE));
	memset(self->map, 0x5a, self->size);
	self->id = dev_register(self->fd, self->map, self->size, 0);
	ASSERT_LT(0, self->id);
}

FIXTURE_TEARDOWN(devmem)
{
	if (self->dmirror >= 0)
		close(self->dmirror);
	if (self->fd >= 0)
		close(self->fd);
}

static int migrate_to_device(int dmirror, char *map, size_t nr, void *data)
{
	struct hmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)map,
		.ptr = (uintptr_t)data,
		.npages = nr,
	};

	return dev_call(dmirror, HMM_DMIRROR_MIGRATE_TO_DEV, &cmd);
}

static int release_device_memory(int dmirror)
{
	struct hmm_dmirror_cmd cmd = { .npages = 1 };

	return dev_call(dmirror, HMM_DMIRROR_RELEASE, &cmd);
}

struct walker {
	int		fd;
	int		id;
	atomic_bool	stop;
	atomic_int	err;
	atomic_ulong	walks;
};

static void *walker_thread(void *data)
{
	struct walker *walker = data;
	int err;

	while (!walker->stop) {
		err = dev_snapshot(walker->fd, walker->id);
		if (err && err != -EBUSY)
			walker->err = err;
		walker->walks++;
	}
	return NULL;
}

TEST_F(devmem, goes_away_while_walked)
{
	struct hmm_range_dev_entry before[NR_PAGES], after[NR_PAGES];
	struct walker walker = { .fd = self->fd };
	char *data = map_pages(self->size);
	pthread_t thread;
	unsigned int i, j;

	walker.id = dev_register(self->fd, self->map, self->size, 0);
	ASSERT_LT(0, walker.id);
	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, dev_snapshot(self->fd, self->id));
	ASSERT_EQ(0, migrate_to_device(self->dmirror, self->map, NR_PAGES, data));
	/* The pages moved, so what was walked before is not valid now. */
	EXPECT_EQ(0, dev_valid(self->fd, self->id));
	ASSERT_EQ(0, dev_snapshot(self->fd, self->id));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, NR_PAGES, before));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(variant->visible, !!(before[i].flags & HMM_RANGE_DEV_VALID)) {
			TH_LOG("page %u: flags %#x", i, before[i].flags);
		}
	}
	EXPECT_EQ(1, dev_valid(self->fd, self->id));

	ASSERT_EQ(0, pthread_create(&thread, NULL, walker_thread, &walker));
	while (walker.walks < 10)
		sched_yield();
	ASSERT_EQ(0, release_device_memory(self->dmirror));
	i = walker.walks;
	while (walker.walks < i + 10)
		sched_yield();
	walker.stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, walker.err);

	EXPECT_EQ(0, dev_valid(self->fd, self->id));
	ASSERT_EQ(0, dev_fault(self->fd, self->id));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, NR_PAGES, after));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_NE(0, after[i].flags & HMM_RANGE_DEV_VALID);
		for (j = 0; variant->visible && j < NR_PAGES; j++) {
			EXPECT_NE(before[j].pfn, after[i].pfn) {
				TH_LOG("pages %u, %u", j, i);
			}
		}
		EXPECT_EQ(0x5a, self->map[i * self->page]);
	}
	ASSERT_EQ(0, dev_unregister(self->fd, walker.id));
}

/* A fault of foreign device memory brings it back. */
TEST_F(devmem, fault_brings_back)
{
	struct hmm_range_dev_entry entries[NR_PAGES];
	char *data = map_pages(self->size);
	unsigned int i;

	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, migrate_to_device(self->dmirror, self->map, NR_PAGES, data));
	ASSERT_EQ(0, dev_mirror(self->fd, self->id, HMM_RANGE_DEV_VALID |
				HMM_RANGE_DEV_WRITE, SOON_MS));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, NR_PAGES, entries));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE,
			  entries[i].flags);
	}
	memset(data, 0, self->size);
	ASSERT_EQ(0, dev_copy(self->fd, self->id, HMM_RANGE_DEV_TABLE,
			      self->map, NR_PAGES, data, self->page));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(0x5a, data[i * self->page]) {
			TH_LOG("page %u", i);
		}
	}
}

/*
 * Persistent memory that a process maps directly, and that is taken from its
 * driver. Boot with memmap=64M!<address> to have some.
 */

#define ND	"/sys/bus/nd/"

FIXTURE(pmem) {
	int		fd;
	int		dax;
	int		id;
	size_t		page;
	size_t		size;
	char		*map;
	/* Its name on the bus. */
	char		name[32];
};

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t length = strlen(text);
	bool done = fd >= 0 && write(fd, text, length) == length;

	close(fd);
	return done;
}

static bool put_attribute(const char *device, const char *attribute,
			  const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), ND "devices/%s/%s", device, attribute);
	return put(path, text);
}

/* Make a device of the memory that can be mapped, unless there is one. */
static bool make_dax(char *name, size_t size)
{
	ssize_t length = -1;
	int fd;

	fd = open(ND "devices/region0/dax_seed", O_RDONLY);
	if (fd >= 0)
		length = read(fd, name, size - 1);
	close(fd);
	if (length <= 1)
		return false;
	name[length - 1] = '\0';
	put(ND "drivers/nd_pmem/unbind", "namespace0.0");
	return put_attribute(name, "uuid", "2f1c6e0a-5b0e-4d6c-9f7c-48a4d2f6b001") &&
	       put_attribute(name, "mode", "ram") &&
	       put_attribute(name, "align", "2097152") &&
	       put_attribute(name, "namespace", "namespace0.0") &&
	       put(ND "drivers/dax_pmem/bind", name);
}

FIXTURE_SETUP(pmem)
{
	self->dax = -1;
	self->size = 2UL << 20;
	self->page = sysconf(_SC_PAGESIZE);
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, dev_config(self->fd, HMM_RANGE_DEV_NOTIFIER_PLAIN, false));
	if (access(ND "devices/namespace0.0", F_OK))
		SKIP(return, "no persistent memory");
	ASSERT_TRUE(make_dax(self->name, sizeof(self->name)));
	self->dax = open("/dev/dax0.0", O_RDWR);
	ASSERT_LE(0, self->dax);

	self->map = mmap(NULL, 2 * self->size, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->map += -(uintptr_t)self->map & (self->size - 1);
	ASSERT_EQ(self->map, mmap(self->map, self->size, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_FIXED, self->dax, 0));
	memset(self->map, 0x3c, self->size);
	self->id = dev_register(self->fd, self->map, self->size, 0);
	ASSERT_LT(0, self->id);
}

FIXTURE_TEARDOWN(pmem)
{
	if (self->dax >= 0) {
		munmap(self->map, self->size);
		close(self->dax);
		put(ND "drivers/dax_pmem/unbind", self->name);
		put_attribute(self->name, "namespace", "");
	}
	if (self->fd >= 0)
		close(self->fd);
}

TEST_F(pmem, goes_away_while_walked)
{
	struct hmm_range_dev_entry before[NR_PAGES], after[NR_PAGES];
	struct walker walker = { .fd = self->fd };
	unsigned long walks;
	pthread_t thread;
	unsigned int i;
	char byte;

	walker.id = dev_register(self->fd, self->map, self->size, 0);
	ASSERT_LT(0, walker.id);
	ASSERT_EQ(0, dev_mirror(self->fd, self->id, HMM_RANGE_DEV_VALID |
				HMM_RANGE_DEV_WRITE, SOON_MS));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, NR_PAGES, before));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE,
			  before[i].flags);
		EXPECT_EQ(__builtin_ctzl(self->size / self->page),
			  before[i].order);
		EXPECT_EQ(before[0].pfn + i, before[i].pfn);
	}
	ASSERT_EQ(0, dev_copy(self->fd, self->id, HMM_RANGE_DEV_TABLE,
			      self->map, 1, &byte, 1));
	EXPECT_EQ(0x3c, byte);

	ASSERT_EQ(0, pthread_create(&thread, NULL, walker_thread, &walker));
	while (walker.walks < 10)
		sched_yield();
	ASSERT_TRUE(put(ND "drivers/dax_pmem/unbind", self->name));
	walks = walker.walks;
	while (walker.walks < walks + 10)
		sched_yield();
	walker.stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, walker.err);

	EXPECT_EQ(0, dev_valid(self->fd, self->id));
	EXPECT_EQ(-EBUSY, dev_copy(self->fd, self->id, HMM_RANGE_DEV_TABLE,
				   self->map, 1, &byte, 1));
	ASSERT_EQ(0, dev_snapshot(self->fd, self->id));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, NR_PAGES, after));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(0, after[i].flags);
		EXPECT_EQ(0, after[i].pfn);
	}
	EXPECT_EQ(-EFAULT, dev_fault(self->fd, self->id));
}

int main(int argc, char **argv)
{
	/* What exec_of_the_mirrored_process becomes. */
	if (argc > 1 && !strcmp(argv[1], pause_option))
		return pause();
	return test_harness_run(argc, argv);
}
