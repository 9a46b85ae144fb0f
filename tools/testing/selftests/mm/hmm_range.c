// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests the protocol of tracked ranges (mm/hmm_range.c) through the device of
 * lib/test_hmm_range.c: what makes a range invalid and what does not, what has
 * to be waited for, what a retry walks, and what a device reads by it.
 *
 * What fails if a part is taken out of mm/hmm_range.c or mm/mmu_notifier.c:
 *
 *	the exclusive end		touching_does_not_invalidate
 *	the test for an overlap		unrelated_in_flight
 *	the record of invalidations	registered_in_flight
 *	  while there are no ranges
 *	the unwind on -EAGAIN		refused_invalidation_is_taken_back
 *	the map of dirty parts		walks_what_was_invalidated,
 *					keeps_what_a_failed_walk_left
 *	an owner that is not NULL	other_owners_count
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>

#include "hmm_range_fixture.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

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
		ASSERT_EQ(0, mirror(self, id, HMM_RANGE_DEV_VALID |
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
	EXPECT_EQ(-EBUSY, mirror(self, id, HMM_RANGE_DEV_VALID, 100));
	EXPECT_EQ(0, dev_valid(self->fd, id));

	ASSERT_EQ(0, dev_release(self->fd, held));
	EXPECT_EQ(0, dev_valid(self->fd, id));
	EXPECT_EQ(1, dev_wait(self->fd, id, 0));
	EXPECT_EQ(0, dev_valid(self->fd, id));
	EXPECT_EQ(0, mirror(self, id, HMM_RANGE_DEV_VALID, SOON_MS));
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

/* Threads need memory: this one is there before the invalidation. */
struct late_wait {
	struct wait_args args;
	atomic_bool go;
};

static void *late_wait_thread(void *data)
{
	struct late_wait *late = data;

	while (!late->go)
		usleep(100);
	return wait_thread(&late->args);
}

TEST_F(range, wait_ends_with_the_invalidation)
{
	struct late_wait late = {
		.args = {
			.fd = self->fd,
			.ms = HMM_RANGE_DEV_MAX_MS,
			.result = -1,
		},
	};
	pthread_t thread;
	int held;

	late.args.id = dev_register(self->fd, self->map, self->page, 0);
	ASSERT_LT(0, late.args.id);
	ASSERT_EQ(0, pthread_create(&thread, NULL, late_wait_thread, &late));
	held = dev_hold(self->fd, self->map, self->page);
	ASSERT_LT(0, held);
	late.go = true;
	usleep(100000);
	EXPECT_EQ(-1, late.args.result);
	ASSERT_EQ(0, dev_release(self->fd, held));
	ASSERT_TRUE(join_soon(thread));
	EXPECT_EQ(1, late.args.result);
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

/* Callbacks do not look at the marks, nor marking at the callbacks. */
FIXTURE_VARIANT(retry) {
	struct form	form;
};

FIXTURE_VARIANT_ADD(retry, plain) { .form = FORM_PLAIN };
FIXTURE_VARIANT_ADD(retry, interval) { .form = FORM_INTERVAL };
FIXTURE_VARIANT_ADD(retry, ops) { .form = FORM_OPS };
FIXTURE_VARIANT_ADD(retry, two_pass) { .form = FORM_TWO_PASS };

/*
 * All pages are faulted in, and page 5 is discarded. From here on a walk is seen
 * by what becomes of the poison that the array is filled with.
 */
FIXTURE_SETUP(retry)
{
	size_t size;

	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, dev_config(self->fd, variant->form.notifier, false));
	self->page = sysconf(_SC_PAGESIZE);
	size = NR_PAGES * self->page;
	self->map = map_pages(size);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, madvise(self->map, size, MADV_NOHUGEPAGE));
	self->id = dev_register(self->fd, self->map, size, 0);
	ASSERT_LT(0, self->id);
	ASSERT_EQ(0, dev_fault_write(self->fd, self->id));
	ASSERT_EQ(1, dev_valid(self->fd, self->id));
	ASSERT_TRUE(do_dontneed(self->map + 5 * self->page, self->page));
	ASSERT_EQ(0, dev_valid(self->fd, self->id));
}

FIXTURE_TEARDOWN(retry)
{
	if (self->fd >= 0)
		close(self->fd);
}

#define FAULT_WRITE	(HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE)
/* No walk says both. */
#define POISON		(HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_ERROR)

/* Which pages has a walk written? A bit for each of the 64. */
static uint64_t pages_walked(int fd, int id, char *map)
{
	struct hmm_range_dev_entry entries[NR_PAGES];
	uint64_t walked = 0;
	unsigned int i;

	if (dev_read(fd, id, map, NR_PAGES, entries))
		return 0;
	for (i = 0; i < NR_PAGES; i++)
		if ((entries[i].flags & POISON) != POISON)
			walked |= 1ULL << i;
	return walked;
}

#define ALL_PAGES	(~0ULL)

static int poisoned_walk(int fd, int id, unsigned int how, unsigned int request,
			 bool retry)
{
	struct hmm_range_dev_walk walk = {
		.id = id,
		.how = how,
		.default_flags = request,
		.flags = HMM_RANGE_DEV_POISON |
			 (retry ? HMM_RANGE_DEV_RETRY : 0),
		.timeout_ms = how == HMM_RANGE_DEV_FAULT_UNLOCKED ? 5000 : 0,
	};

	return dev_call(fd, HMM_RANGE_IOC_WALK, &walk);
}

TEST_F(retry, walks_what_was_invalidated)
{
	ASSERT_EQ(0, poisoned_walk(self->fd, self->id, HMM_RANGE_DEV_FAULT,
				   FAULT_WRITE, true));
	EXPECT_EQ(1, dev_valid(self->fd, self->id));
	EXPECT_EQ(1ULL << 5, pages_walked(self->fd, self->id, self->map));
}

/* Not told, the same call is a new one, also after one that failed. */
TEST_F(retry, has_to_be_told)
{
	static const unsigned int hows[] = {
		HMM_RANGE_DEV_FAULT, HMM_RANGE_DEV_FAULT_LOCKED,
		HMM_RANGE_DEV_FAULT_UNLOCKED,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hows); i++) {
		ASSERT_TRUE(do_dontneed(self->map + 7 * self->page, self->page));
		ASSERT_EQ(0, poisoned_walk(self->fd, self->id, hows[i],
					   FAULT_WRITE, false));
		EXPECT_EQ(1, dev_valid(self->fd, self->id));
		EXPECT_EQ(ALL_PAGES, pages_walked(self->fd, self->id, self->map));
	}
}

/* What is in flight is left out, and is all that is left for the next. */
TEST_F(retry, keeps_what_a_failed_walk_left)
{
	int held = dev_hold(self->fd, self->map, self->page);

	ASSERT_LT(0, held);
	ASSERT_EQ(-EBUSY, poisoned_walk(self->fd, self->id, HMM_RANGE_DEV_FAULT,
					FAULT_WRITE, true));
	EXPECT_EQ(1ULL << 5, pages_walked(self->fd, self->id, self->map));
	ASSERT_EQ(0, dev_release(self->fd, held));
	ASSERT_EQ(0, poisoned_walk(self->fd, self->id, HMM_RANGE_DEV_FAULT,
				   FAULT_WRITE, true));
	EXPECT_EQ(1ULL << 0, pages_walked(self->fd, self->id, self->map));
	EXPECT_EQ(1, dev_valid(self->fd, self->id));
}

TEST_F(retry, goes_round_what_is_in_flight)
{
	int held = dev_hold(self->fd, self->map + 20 * self->page,
			    3 * self->page);

	ASSERT_LT(0, held);
	ASSERT_EQ(-EBUSY, poisoned_walk(self->fd, self->id, HMM_RANGE_DEV_FAULT,
					FAULT_WRITE, false));
	EXPECT_EQ(~(7ULL << 20), pages_walked(self->fd, self->id, self->map));
}

/* A page that is populated is notified to nobody. */
TEST_F(retry, snapshots_see_what_was_populated)
{
	struct hmm_range_dev_entry entry;
	int told;

	for (told = 0; told < 2; told++) {
		ASSERT_TRUE(do_dontneed(self->map + 10 * self->page, self->page));
		ASSERT_EQ(0, dev_snapshot(self->fd, self->id));
		ASSERT_EQ(0, dev_read(self->fd, self->id,
				      self->map + 10 * self->page, 1, &entry));
		ASSERT_EQ(0, entry.flags);
		self->map[10 * self->page] = 1;
		ASSERT_TRUE(do_dontneed(self->map + 30 * self->page, self->page));
		ASSERT_EQ(0, poisoned_walk(self->fd, self->id,
					   HMM_RANGE_DEV_SNAPSHOT, 0, told));
		EXPECT_EQ(ALL_PAGES, pages_walked(self->fd, self->id, self->map));
		ASSERT_EQ(0, dev_read(self->fd, self->id,
				      self->map + 10 * self->page, 1, &entry));
		EXPECT_EQ(FAULT_WRITE, entry.flags);
	}
}

TEST_F(retry, other_requests_walk_everything)
{
	ASSERT_EQ(0, poisoned_walk(self->fd, self->id, HMM_RANGE_DEV_FAULT,
				   HMM_RANGE_DEV_VALID, true));
	EXPECT_EQ(ALL_PAGES, pages_walked(self->fd, self->id, self->map));
	/* It asks for nothing, and so reports what may have come meanwhile. */
	ASSERT_EQ(0, poisoned_walk(self->fd, self->id, HMM_RANGE_DEV_FAULT, 0,
				   true));
	EXPECT_EQ(ALL_PAGES, pages_walked(self->fd, self->id, self->map));
}

TEST_F(retry, other_bounds_walk_everything)
{
	struct hmm_range_dev_walk walk = {
		.id = self->id,
		.how = HMM_RANGE_DEV_FAULT,
		.default_flags = FAULT_WRITE,
		.flags = HMM_RANGE_DEV_POISON | HMM_RANGE_DEV_RETRY,
		.start = (uintptr_t)self->map,
		.end = (uintptr_t)self->map + 32 * self->page,
	};
	struct hmm_range_dev_entry entries[32];
	unsigned int i;

	ASSERT_EQ(0, dev_call(self->fd, HMM_RANGE_IOC_WALK, &walk));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, 32, entries));
	for (i = 0; i < 32; i++)
		EXPECT_EQ(FAULT_WRITE, entries[i].flags);
}

TEST_F(retry, mask_walks_everything)
{
	uint32_t requests[NR_PAGES] = { [5] = HMM_RANGE_DEV_VALID };
	struct hmm_range_dev_walk walk = {
		.id = self->id,
		.how = HMM_RANGE_DEV_FAULT,
		.requests = (uintptr_t)requests,
		.flags_mask = HMM_RANGE_DEV_VALID,
		.flags = HMM_RANGE_DEV_POISON | HMM_RANGE_DEV_RETRY,
	};
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(do_dontneed(self->map + 5 * self->page, self->page));
		ASSERT_EQ(0, dev_call(self->fd, HMM_RANGE_IOC_WALK, &walk));
		EXPECT_EQ(ALL_PAGES, pages_walked(self->fd, self->id, self->map));
	}
}

/* One page is dropped all the time; the range around it becomes valid anyway. */
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
	/* One page; the first walk may have been cut short anywhere. */
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
	struct form	form;
};

FIXTURE_VARIANT_ADD(owner, migrate) {
	.event = NOTIFY_MIGRATE, .form = FORM_PLAIN,
};

FIXTURE_VARIANT_ADD(owner, migrate_interval) {
	.event = NOTIFY_MIGRATE, .form = FORM_INTERVAL,
};

FIXTURE_VARIANT_ADD(owner, migrate_ops) {
	.event = NOTIFY_MIGRATE, .form = FORM_OPS,
};

FIXTURE_VARIANT_ADD(owner, exclusive) {
	.event = NOTIFY_EXCLUSIVE, .form = FORM_PLAIN,
};

FIXTURE_VARIANT_ADD(owner, exclusive_two_pass) {
	.event = NOTIFY_EXCLUSIVE, .form = FORM_TWO_PASS,
};

FIXTURE_SETUP(owner)
{
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, dev_config(self->fd, variant->form.notifier, false));
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
 * Does an invalidation leave a range valid? 1, or 0. In either case a walk that
 * begins in the middle of it has to come again.
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
	if (dev_wait(fd, id, 0))
		return -EPROTO;
	ret = dev_release(fd, 0);
	if (!ret && dev_valid(fd, id) != valid)
		return -EPROTO;
	if (!ret)
		ret = dev_hold_event(fd, map, size, event, hold_flags);
	if (ret < 0)
		return ret;
	if (dev_snapshot(fd, id) != -EBUSY || dev_begin(fd, id) != -EBUSY ||
	    dev_valid(fd, id))
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
	ASSERT_EQ(0, mirror(self, id, HMM_RANGE_DEV_VALID |
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
	ASSERT_EQ(0, mirror(self, id, HMM_RANGE_DEV_VALID, SOON_MS));
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
	ASSERT_EQ(0, mirror(self, id, HMM_RANGE_DEV_VALID, SOON_MS));
	EXPECT_EQ(-EPERM, dev_copy(self->fd, id, HMM_RANGE_DEV_TABLE |
				   HMM_RANGE_DEV_COPY_WRITE, self->map, 1,
				   &byte, 1));
	EXPECT_EQ(-EPERM, mirror(self, id, HMM_RANGE_DEV_VALID |
				 HMM_RANGE_DEV_WRITE, SOON_MS));
	EXPECT_EQ(1, self->map[0]);
}

/*
 * Without the check an old entry gets in: the check is what keeps it out. The
 * page that the old entry leads to is moved away and lives on, so what is found
 * in it is known.
 */

#define OLD	2
#define NEW	3

static bool replace_first_page(char *map, size_t page, char *away)
{
	if (mremap(map, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, away) != away)
		return false;
	if (mmap(map, page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != map)
		return false;
	memset(map, NEW, page);
	return true;
}

TEST_F(range, the_check_can_fail)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	char *away = map_pages(self->page);
	char byte = 0;

	ASSERT_LT(0, id);
	ASSERT_NE(NULL, away);
	memset(self->map, OLD, self->size);
	ASSERT_EQ(0, dev_fault(self->fd, id));
	ASSERT_TRUE(replace_first_page(self->map, self->page, away));
	EXPECT_EQ(-EBUSY, dev_copy(self->fd, id, 0, self->map, 1, &byte, 1));
	EXPECT_EQ(0, byte);
	/* Left out, it lets the device read what the process has not got there. */
	EXPECT_EQ(0, dev_copy(self->fd, id, HMM_RANGE_DEV_SKIP_CHECK, self->map,
			      1, &byte, 1));
	EXPECT_EQ(OLD, byte);
	EXPECT_EQ(NEW, self->map[0]);
	EXPECT_EQ(-EINVAL, dev_copy(self->fd, id, HMM_RANGE_DEV_SKIP_CHECK |
				    HMM_RANGE_DEV_COPY_WRITE, self->map, 1,
				    &byte, 1));
}

struct slow_mirror {
	int				fd;
	struct hmm_range_dev_walk	args;
	int				ret;
};

static void *slow_mirror_thread(void *data)
{
	struct slow_mirror *slow = data;

	slow->ret = dev_call(slow->fd, HMM_RANGE_IOC_MIRROR, &slow->args);
	return NULL;
}

/*
 * What the device then reads by its page table, if the first page is replaced
 * after a walk and before its result is entered; -EBUSY if that came too late,
 * so that the entry was torn down instead.
 */
static int read_after_race(int fd, char *map, size_t page, unsigned int how,
			   unsigned int flags)
{
	struct slow_mirror slow = {
		.fd = fd,
		.args = {
			.how = how,
			.default_flags = HMM_RANGE_DEV_VALID,
			.flags = flags,
			.timeout_ms = SOON_MS,
			.latency_us = 100000,
		},
	};
	int id = dev_register(fd, map, page, 0), ret;
	char *away = map_pages(page), byte = 0;
	long walks = dev_stat(fd, HMM_RANGE_DEV_STAT_WALKS);
	pthread_t thread;

	if (id < 0 || !away)
		return -ENOMEM;
	memset(map, OLD, page);
	slow.args.id = id;
	if (pthread_create(&thread, NULL, slow_mirror_thread, &slow))
		return -EAGAIN;
	while (dev_stat(fd, HMM_RANGE_DEV_STAT_WALKS) == walks)
		usleep(100);
	if (!replace_first_page(map, page, away))
		return -EPROTO;
	if (pthread_join(thread, NULL))
		return -EPROTO;
	ret = slow.ret;
	if (!ret)
		ret = dev_copy(fd, id, HMM_RANGE_DEV_TABLE, map, 1, &byte, 1);
	munmap(away, page);
	dev_unregister(fd, id);
	return ret ? ret : byte;
}

TEST_F(range, the_check_of_a_mirror_can_fail)
{
	int byte = -EBUSY, tries;

	for (tries = 0; tries < 20 && byte == -EBUSY; tries++)
		byte = read_after_race(self->fd, self->map, self->page,
				       HMM_RANGE_DEV_FAULT,
				       HMM_RANGE_DEV_SKIP_CHECK);
	EXPECT_EQ(OLD, byte);
	byte = -EBUSY;
	for (tries = 0; tries < 20 && byte == -EBUSY; tries++)
		byte = read_after_race(self->fd, self->map, self->page,
				       self->how, 0);
	EXPECT_EQ(NEW, byte);
}

TEST_HARNESS_MAIN
