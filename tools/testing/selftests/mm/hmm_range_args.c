// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests that the device of lib/test_hmm_range.c, and the tracked ranges behind
 * it, answer hostile arguments, and allocations that fail, with an errno and
 * nothing else.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "hmm_range_fixture.h"
#include "vm_util.h"

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
		if (args.range_flags == RANGE_OWN_EVENTS)
			continue;
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
	/* It has no callback that it could end in. */
	args.flags = HMM_RANGE_DEV_ONCE | HMM_RANGE_DEV_LEGACY;
	EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_REGISTER, &args));
	args.flags = HMM_RANGE_DEV_ONCE;
	if (!form_has_ops(variant->form))
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
	const unsigned int nr = 2000;
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
	gone.flags = 1U << 31;
	EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_UNREGISTER, &gone));
	gone.flags = 0;
	EXPECT_EQ(0, dev_call(self->fd, HMM_RANGE_IOC_UNREGISTER, &gone));
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RANGES));
	free(bounds);
	free(ids);
}

TEST_F(range, unknown_ranges)
{
	const uint32_t ids[] = { 0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff };
	struct hmm_range_dev_calls calls;
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
		EXPECT_EQ(-ENOENT, mirror(self, ids[i], 0, 0));
		EXPECT_EQ(-ENOENT, dev_calls(self->fd, ids[i], &calls));
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
		{ .how = HMM_RANGE_DEV_FAULT_COMMIT },
		{ .how = HMM_RANGE_DEV_FAULT_COMMIT + 1 },
		{ .refusals = 1 },
		{ .refusal = EAGAIN },
		{ .reserved = 1 },
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

TEST_F(range, commit_bad_arguments)
{
	int legacy = dev_register(self->fd, self->map, self->page,
				  HMM_RANGE_DEV_LEGACY);
	int id = dev_register(self->fd, self->map, self->size, 0);
	const struct hmm_range_dev_walk bad[] = {
		{ .id = legacy },
		{ .id = id, .flags = HMM_RANGE_DEV_SKIP_CHECK },
		{ .id = id, .refusals = 1 },
		{ .id = id, .refusal = EAGAIN },
		{ .id = id, .refusals = 1, .refusal = -1U },
		{ .id = id, .refusals = 1, .refusal = 4096 },
		{ .id = id, .latency_us = -1U },
		{ .id = id, .start = (uintptr_t)self->map + 1,
		  .end = (uintptr_t)self->map + self->page },
	};
	struct hmm_range_dev_walk args;
	unsigned int i;

	ASSERT_LT(0, legacy);
	ASSERT_LT(0, id);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		args = bad[i];
		args.how = HMM_RANGE_DEV_FAULT_COMMIT;
		args.timeout_ms = 1000;
		EXPECT_EQ(-EINVAL, dev_call(self->fd, HMM_RANGE_IOC_MIRROR, &args)) {
			TH_LOG("case %u", i);
		}
		EXPECT_EQ(0, args.commits);
	}
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
	ASSERT_EQ(0, mirror(self, id, HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE,
			    SOON_MS));
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
	EXPECT_EQ(-EBUSY, dev_config(self->fd, variant->form.notifier, false));
	EXPECT_EQ(-EINVAL, dev_config(fd, 99, false));
	/* Nothing tears entries down: there may be none. */
	id = dev_register(fd, self->map, self->page, 0);
	ASSERT_LT(0, id);
	EXPECT_EQ(0, dev_fault(fd, id));
	EXPECT_EQ(-EINVAL, dev_mirror(fd, id, HMM_RANGE_DEV_VALID, SOON_MS));
	EXPECT_EQ(-EINVAL, dev_copy(fd, id, 0, self->map, 1, &byte, 1));
	/* Chosen too late for a range that should have had a callback. */
	ASSERT_EQ(0, dev_config(fd, variant->form.notifier, false));
	EXPECT_EQ(form_has_ops(variant->form) ? -EINVAL : 0,
		  dev_mirror(fd, id, HMM_RANGE_DEV_VALID, SOON_MS));
	EXPECT_EQ(form_has_ops(variant->form) ? -EINVAL : 0,
		  dev_copy(fd, id, 0, self->map, 1, &byte, 1));
	close(fd);
}

/*
 * Fault injection: the first allocation of a call fails, then the second and so
 * on, until it needs no more of them.
 */

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGE_ALLOC	"/sys/kernel/debug/fail_page_alloc/"
/* No call here needs as many. */
#define FAIL_LIMIT	200

/* The file that says which one fails, or -1: what the defaults leave out does, too. */
static int open_fail_nth(void)
{
	if (access(FAILSLAB "ignore-gfp-wait", W_OK) ||
	    access(FAIL_PAGE_ALLOC "min-order", W_OK))
		return -1;
	write_num(FAILSLAB "verbose", 0);
	write_num(FAILSLAB "ignore-gfp-wait", 0);
	write_num(FAIL_PAGE_ALLOC "verbose", 0);
	write_num(FAIL_PAGE_ALLOC "ignore-gfp-wait", 0);
	write_num(FAIL_PAGE_ALLOC "min-order", 0);
	return open("/proc/thread-self/fail-nth", O_RDWR);
}

static void set_fail_nth(int fd, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	if (pwrite(fd, text, strlen(text), 0) < 0)
		exit(KSFT_FAIL);
}

/* Has the one that was to fail come? */
static bool nth_came(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		exit(KSFT_FAIL);
	set_fail_nth(fd, 0);
	return !atoi(text);
}

TEST_F(range, open_without_memory)
{
	int fail_nth = open_fail_nth(), fd, n;
	bool came = true;

	if (fail_nth < 0)
		SKIP(return, "no fault injection");
	for (n = 1; came && n < FAIL_LIMIT; n++) {
		set_fail_nth(fail_nth, n);
		fd = dev_open();
		came = nth_came(fail_nth);
		if (fd < 0) {
			EXPECT_EQ(-ENOMEM, fd);
			continue;
		}
		EXPECT_EQ(0, close(fd));
	}
	EXPECT_FALSE(came);
	EXPECT_LE(0, fd);
	EXPECT_LT(2, n);
	close(fail_nth);
}

TEST_F(range, register_without_memory)
{
	int fail_nth = open_fail_nth(), id, n;
	bool came = true;

	if (fail_nth < 0)
		SKIP(return, "no fault injection");
	for (n = 1; came && n < FAIL_LIMIT; n++) {
		set_fail_nth(fail_nth, n);
		id = dev_register(self->fd, self->map, self->size, 0);
		came = nth_came(fail_nth);
		EXPECT_EQ(id > 0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_RANGES));
		if (id < 0) {
			EXPECT_EQ(-ENOMEM, id);
			continue;
		}
		EXPECT_EQ(0, dev_unregister(self->fd, id));
	}
	EXPECT_FALSE(came);
	EXPECT_LT(0, id);
	EXPECT_LT(2, n);
	close(fail_nth);
}

TEST_HARNESS_MAIN
