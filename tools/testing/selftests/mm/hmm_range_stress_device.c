// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The devices of hmm_range_stress: each mirrors random parts of the buffers,
 * reads and writes them by its page table, and checks what it got.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "hmm_range_stress.h"

/* What a device thread keeps registered. */
#define NR_POOL		12
/* How many pages are read, and checked, at a time. */
#define PIECE		32UL
#define TIMEOUT_MS	5000

/* A range that a device thread has registered. */
struct mirrored {
	struct run		run;
	uint32_t		id;
};

struct device {
	enum api		api;
	int			fd;
	uint64_t		random;
	struct mirrored		pool[NR_POOL];
	/* What was read, and the states of the pages before. */
	uint64_t		*data;
	__u64			*states;
};

static struct device devices[NR_DEVICES];

static unsigned long mirrored_address(const struct mirrored *mirrored,
				      unsigned long first)
{
	return (unsigned long)run_address(&mirrored->run) + first * page_size;
}

static struct page *mirrored_pages(const struct mirrored *mirrored,
				   unsigned long first)
{
	return run_pages(&mirrored->run) + first;
}

static void forget(struct device *device, struct mirrored *mirrored)
{
	if (mirrored->id && dev_unregister(device->fd, mirrored->id))
		complain(device->api, ERRORS, "unregister fails\n");
	mirrored->id = 0;
}

/*
 * Choose pages to mirror: mostly such that can be read, as far as one can see,
 * because a walk stops at the first one that cannot.
 */
static void choose_pages(struct device *device, struct run *run)
{
	unsigned long nr = run->buffer->nr, n = 0;
	struct page *pages;

	run->place = !below(&device->random, 4);
	run->nr = any_size(&device->random, any_size(&device->random, nr));
	run->first = below(&device->random, nr - run->nr + 1);
	if (!below(&device->random, 4))
		return;
	pages = run_pages(run);
	while (n < run->nr - 1 && page_access(&pages[n]) < READ_ONLY)
		n++;
	run->first += n;
	nr = run->nr - n;
	pages += n;
	for (n = 1; n < nr && page_access(&pages[n]) >= READ_ONLY; n++)
		;
	run->nr = n;
}

static void replace(struct device *device, struct mirrored *mirrored)
{
	unsigned int flags = device->api == INTERVAL ? HMM_RANGE_DEV_LEGACY : 0;
	int id;

	forget(device, mirrored);
	mirrored->run.buffer = &buffers[below(&device->random, NR_BUFFERS)];
	choose_pages(device, &mirrored->run);
	id = dev_register(device->fd, run_address(&mirrored->run),
			  run_bytes(&mirrored->run), flags);
	if (id > 0)
		mirrored->id = id;
	else if (id != -E2BIG)
		complain(device->api, ERRORS, "register: %s\n", strerror(-id));
}

/* Could one of @nr pages lack @access at some time since @before was taken? */
static bool lacked_access(struct page *pages, const __u64 *before,
			  unsigned long nr, enum access access)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		__u64 after = atomic_load(&pages[i].announced);

		if (after != before[i] || state_access(after) < access)
			return true;
	}
	return false;
}

static unsigned long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void count_longest(enum api api, enum count what, unsigned long n)
{
	unsigned long longest = counts->devices[api][what];

	while (n > longest &&
	       !atomic_compare_exchange_weak(&counts->devices[api][what],
					     &longest, n))
		;
}

static int call_mirror(struct device *device, const struct mirrored *mirrored,
		       unsigned long first, unsigned long nr, enum access access)
{
	static const uint32_t ways[] = {
		HMM_RANGE_DEV_FAULT, HMM_RANGE_DEV_FAULT_LOCKED,
		HMM_RANGE_DEV_FAULT_UNLOCKED, HMM_RANGE_DEV_FAULT_COMMIT,
	};
	/*
	 * What the last two wait for, and walk again, the device cannot count,
	 * and the last one cannot leave the check out.
	 */
	unsigned int nr_ways = options.compare ? 2 : 4 - options.skip_check;
	struct hmm_range_dev_walk args = {
		.id		= mirrored->id,
		.how		= ways[below(&device->random, nr_ways)],
		.start		= mirrored_address(mirrored, first),
		.end		= mirrored_address(mirrored, first + nr),
		.default_flags	= HMM_RANGE_DEV_VALID,
		.timeout_ms	= TIMEOUT_MS,
		.flags		= options.skip_check ? HMM_RANGE_DEV_SKIP_CHECK : 0,
	};
	unsigned long start = now_us();
	int err;

	if (access == READ_WRITE)
		args.default_flags |= HMM_RANGE_DEV_WRITE;
	/* A device that is slow to set up its entries, now and then. */
	if (options.skip_check)
		args.latency_us = below(&device->random, 100000);
	else if (!below(&device->random, 8))
		args.latency_us = below(&device->random, 2000);
	err = dev_call(device->fd, HMM_RANGE_IOC_MIRROR, &args);
	count(device->api, RANGES, 1);
	count_longest(device->api, LONGEST_CALL, now_us() - start);
	return err;
}

/*
 * Let the device mirror @nr pages from @first on. An error is all right if the
 * pages were not all there, with the access that is needed, all the time.
 */
static bool mirror(struct device *device, const struct mirrored *mirrored,
		   unsigned long first, unsigned long nr, enum access access)
{
	struct page *pages = mirrored_pages(mirrored, first);
	int err;

	take_states(pages, nr, device->states);
	err = call_mirror(device, mirrored, first, nr, access);
	if (err == -EBUSY)
		count(device->api, TIMEOUTS, 1);
	else if (err && ((err != -EFAULT && err != -EPERM) ||
			 !lacked_access(pages, device->states, nr, access)))
		complain(device->api, ERRORS,
			 "the device cannot map %#lx-%#lx: %s\n",
			 mirrored_address(mirrored, first),
			 mirrored_address(mirrored, first + nr), strerror(-err));
	return !err;
}

/*
 * The words that a read may find in a page between two states of it. None at
 * all fits if the page could not be read.
 */
struct expected {
	uint64_t	words[NR_HISTORY];
	unsigned int	nr;
	/* After too many changes: any content of this page. */
	bool		loose;
	uint32_t	owner;
};

static void expect(struct expected *expected, struct page *page,
		   const struct buffer *buffer, unsigned long index,
		   __u64 before, __u64 after)
{
	uint32_t changes = state_changes(before);
	__u64 state = before;

	expected->nr = 0;
	expected->owner = page_word(buffer, index, 1);
	expected->loose = state_changes(after) - changes >= NR_HISTORY;
	while (!expected->loose) {
		if (state_access(state) >= READ_ONLY)
			expected->words[expected->nr++] =
				page_word(buffer, index, state_content(state));
		if (changes == state_changes(after))
			break;
		state = past_state(page, ++changes);
		expected->loose = state_changes(state) != changes;
	}
}

static bool word_fits(const struct expected *expected, uint64_t word)
{
	unsigned int i;

	if (expected->loose)
		return !word || (uint32_t)word == expected->owner;
	for (i = 0; i < expected->nr; i++)
		if (word == expected->words[i])
			return true;
	return false;
}

static void check_page(enum api api, const struct mirrored *mirrored,
		       unsigned long first, const uint64_t *data, __u64 before,
		       __u64 after)
{
	const struct run *run = &mirrored->run;
	unsigned long index = run->first + first;
	struct expected expected;
	unsigned long i;

	expect(&expected, mirrored_pages(mirrored, first), run->buffer, index,
	       before, after);
	if (expected.loose)
		count(api, LOOSE, 1);
	for (i = 0; i < page_size / sizeof(*data); i++) {
		if (word_fits(&expected, data[i]))
			continue;
		complain(api, MISMATCHES,
			 "mismatch: buffer %u place %u page %lu word %lu: the device read %#llx; %#llx before, %#llx after\n",
			 run->buffer->number, run->place, index, i,
			 (unsigned long long)data[i], before, after);
		return;
	}
}

/* By the device's page table; returns how many of @nr pages were copied. */
static unsigned long copy_pages(struct device *device,
				const struct mirrored *mirrored,
				unsigned int flags, unsigned long first,
				unsigned long nr, int *err)
{
	struct hmm_range_dev_copy args = {
		.id	= mirrored->id,
		.flags	= flags | HMM_RANGE_DEV_TABLE,
		.start	= mirrored_address(mirrored, first),
		.nr	= nr,
		.buffer	= (uintptr_t)device->data,
		.bytes	= page_size,
	};

	*err = dev_call(device->fd, HMM_RANGE_IOC_COPY, &args);
	return args.done;
}

/* Read @nr pages, at most PIECE, and check them; returns how many were read. */
static unsigned long read_piece(struct device *device,
				const struct mirrored *mirrored,
				unsigned long first, unsigned long nr)
{
	struct page *pages = mirrored_pages(mirrored, first);
	__u64 before[PIECE], after[PIECE];
	unsigned long i, done;
	int err;

	take_states(pages, nr, before);
	done = copy_pages(device, mirrored, 0, first, nr, &err);
	/* At once: the longer it takes, the more pages have changed twice. */
	for (i = 0; i < done; i++)
		after[i] = atomic_load(&pages[i].announced);
	if (err && err != -EBUSY)
		complain(device->api, ERRORS, "copy: %s\n", strerror(-err));
	for (i = 0; i < done; i++)
		check_page(device->api, mirrored, first + i,
			   device->data + i * page_size / sizeof(*device->data),
			   before[i], after[i]);
	count(device->api, PAGES, done);
	return done;
}

/* By what is in the device's page table, which has to be refilled at times. */
static void read_all(struct device *device, const struct mirrored *mirrored)
{
	unsigned long first = 0, nr, done;
	unsigned int missing = 0;

	while (first < mirrored->run.nr && missing < 16 && !stop) {
		nr = mirrored->run.nr - first;
		if (nr > PIECE)
			nr = PIECE;
		done = read_piece(device, mirrored, first, nr);
		first += done;
		if (done == nr)
			continue;
		missing++;
		if (!mirror(device, mirrored, first, nr - done, READ_ONLY))
			first += nr - done;
	}
}

/* The data for @nr pages of @mirrored. */
static void fill_data(struct device *device, const struct mirrored *mirrored,
		      unsigned long first, unsigned long nr, uint32_t content)
{
	const struct run *run = &mirrored->run;
	unsigned long i;

	for (i = 0; i < nr; i++)
		fill_page(device->data + i * page_size / sizeof(*device->data),
			  page_word(run->buffer, run->first + first + i, content));
}

/*
 * Write @nr pages, at most PIECE, whose content nobody else changes now: by
 * what the table has, which may be old, unless it is to be @fresh.
 */
static bool write_piece(struct device *device, const struct mirrored *mirrored,
			unsigned long nr, uint32_t content, bool fresh)
{
	unsigned long done = 0;
	unsigned int tries;
	int err;

	for (tries = 0; done < nr && tries < 100; tries++) {
		if (fresh && !mirror(device, mirrored, done, nr - done, READ_WRITE))
			continue;
		fresh = true;
		fill_data(device, mirrored, done, nr - done, content);
		done += copy_pages(device, mirrored, HMM_RANGE_DEV_COPY_WRITE,
				   done, nr - done, &err);
		/* Not writable as yet: the last mirror did not ask for that. */
		if (err && err != -EBUSY && err != -EPERM)
			complain(device->api, ERRORS, "device write: %s\n",
				 strerror(-err));
	}
	count(device->api, WRITTEN, done);
	return done == nr;
}

/* The process has to find what the device wrote. */
static void check_written(enum api api, const struct mirrored *mirrored,
			  unsigned long nr, uint32_t content)
{
	const struct run *run = &mirrored->run;
	unsigned long i;
	uint64_t word, *data;
	long at;

	for (i = 0; i < nr; i++) {
		data = (uint64_t *)mirrored_address(mirrored, i);
		word = page_word(run->buffer, run->first + i, content);
		at = differing_word(data, word);
		if (at >= 0)
			complain(api, MISMATCHES,
				 "mismatch: buffer %u place %u page %lu word %ld: the device wrote %#llx, the process reads %#llx\n",
				 run->buffer->number, run->place, run->first + i,
				 at, (unsigned long long)word,
				 (unsigned long long)data[at]);
	}
}

/* What the process may not write to, the device may not either. */
static void write_in_vain(struct device *device, const struct mirrored *mirrored,
			  unsigned long nr)
{
	const struct run *run = &mirrored->run;
	unsigned long done;
	int err;

	fill_data(device, mirrored, 0, nr, ++run->buffer->content);
	if (!below(&device->random, 4)) {
		err = call_mirror(device, mirrored, 0, nr, READ_WRITE);
		if (!err)
			complain(device->api, MISMATCHES,
				 "mismatch: buffer %u place %u page %lu: the device maps what is read-only for writing\n",
				 run->buffer->number, run->place, run->first);
	}
	done = copy_pages(device, mirrored, HMM_RANGE_DEV_COPY_WRITE, 0, nr, &err);
	if (done)
		complain(device->api, MISMATCHES,
			 "mismatch: buffer %u place %u page %lu: the device writes to what is read-only\n",
			 run->buffer->number, run->place, run->first);
}

/* Under the lock of the buffer, to pages that the process may write to. */
static void write_run(struct device *device, const struct mirrored *mirrored,
		      const struct run *run, bool fresh)
{
	uint32_t content = ++run->buffer->content;

	announce_all(run_pages(run), run->nr, READ_WRITE, content);
	if (write_piece(device, mirrored, run->nr, content, fresh))
		check_written(device->api, mirrored, run->nr, content);
	else
		complain(device->api, ERRORS, "the device could not write\n");
	confirm_all(run_pages(run), run->nr);
}

/*
 * The device has just written to @run, so its page table says that it may. Take
 * that away, by a lock of the process or by a copy for a child, and write again.
 */
static void write_again(struct device *device, const struct mirrored *mirrored,
			struct run *run)
{
	const struct memory_kind *kind = &memory_kinds[memory];
	pid_t pid;
	int tell;

	if (!kind->huge && !below(&device->random, 4)) {
		protect_run(run, READ_ONLY);
		write_in_vain(device, mirrored, run->nr);
		protect_run(run, READ_WRITE);
		count_change(LOCK_OUT, 1);
	} else if (!kind->shared && !below(&device->random, kind->huge ? 2 : 4)) {
		pid = fork_onlooker(device->api, run, run->buffer->content, &tell);
		write_run(device, mirrored, run, false);
		tell_onlooker(pid, tell);
	}
}

static void write_some(struct device *device, const struct mirrored *mirrored)
{
	struct run run = mirrored->run;
	enum access access;

	if (run.nr > PIECE)
		run.nr = PIECE;
	device_lock_buffer(run.buffer);
	access = cut_to_access(&run);
	if (access == READ_WRITE) {
		write_run(device, mirrored, &run, below(&device->random, 2));
		write_again(device, mirrored, &run);
	} else if (access == READ_ONLY) {
		write_in_vain(device, mirrored, run.nr);
	}
	device_unlock_buffer(run.buffer);
}

void *device_thread(void *number)
{
	struct device *device = &devices[(uintptr_t)number];
	struct mirrored *mirrored;

	/* No device waits until the threads of the process let it run. */
	setpriority(PRIO_PROCESS, 0, -10);
	while (!stop) {
		mirrored = &device->pool[below(&device->random, NR_POOL)];
		if (!mirrored->id || !below(&device->random, 4))
			replace(device, mirrored);
		if (!mirrored->id)
			continue;
		/* The device may only read by an entry that was not checked. */
		if (!below(&device->random, 4) && !options.skip_check)
			write_some(device, mirrored);
		if (below(&device->random, 2))
			mirror(device, mirrored, 0, mirrored->run.nr, READ_ONLY);
		read_all(device, mirrored);
	}
	return NULL;
}

/* The first one is always there, and told of all that happens in the mm. */
static const struct device_kind {
	enum api	api;
	unsigned int	notifier;
	const bool	*option;
} device_kinds[NR_DEVICES] = {
	{ TRACKED, HMM_RANGE_DEV_NOTIFIER_PLAIN },
	{ TRACKED, HMM_RANGE_DEV_NOTIFIER_INTERVAL },
	{ INTERVAL, HMM_RANGE_DEV_NOTIFIER_PLAIN, &options.compare },
	{ INTERVAL, HMM_RANGE_DEV_NOTIFIER_INTERVAL, &options.compare },
	{ TRACKED, HMM_RANGE_DEV_NOTIFIER_OPS, &options.ops },
	{ TRACKED, HMM_RANGE_DEV_NOTIFIER_TWO_PASS, &options.ops },
};

static unsigned int nr_set_up;

static void set_up_device(struct device *device, unsigned int number,
			  const struct device_kind *kind)
{
	int err;

	device->api = kind->api;
	device->fd = dev_open();
	if (device->fd == -ENOENT || device->fd == -EACCES)
		exit(KSFT_SKIP);
	err = dev_config(device->fd, kind->notifier, false);
	if (device->fd < 0 || err)
		fatal("/dev/hmm_range");
	device->random = thread_seed(NR_BUFFERS + 3 + number);
	device->data = own_memory(PIECE * page_size);
	device->states = own_memory(max_pages * sizeof(*device->states));
}

unsigned int nr_devices(void)
{
	return nr_set_up;
}

void set_up_devices(void)
{
	unsigned int i;

	for (i = 0; i < NR_DEVICES; i++) {
		const struct device_kind *kind = &device_kinds[i];

		if (kind->option && !*kind->option)
			continue;
		set_up_device(&devices[nr_set_up], nr_set_up, kind);
		nr_set_up++;
	}
}

/* Bring what the device itself counts up to date. */
void count_devices(void)
{
	static const unsigned int from[NR_COUNTS] = {
		[INVALIDATIONS]	= HMM_RANGE_DEV_STAT_INVALIDATIONS,
		[RETRIES]	= HMM_RANGE_DEV_STAT_RETRIES,
		[PAGES_AGAIN]	= HMM_RANGE_DEV_STAT_PAGES_AGAIN,
		[WAITS]		= HMM_RANGE_DEV_STAT_WAITS,
	};
	unsigned long sum[NR_APIS][NR_COUNTS] = {};
	struct hmm_range_dev_stats stats;
	unsigned int i, j, api;

	for (i = 0; i < nr_devices(); i++) {
		if (dev_call(devices[i].fd, HMM_RANGE_IOC_STATS, &stats))
			fatal("HMM_RANGE_IOC_STATS");
		api = devices[i].api;
		for (j = 0; j < NR_COUNTS; j++)
			sum[api][j] += from[j] ? stats.stat[from[j]] : 0;
		count_longest(api, LONGEST_WAIT,
			      stats.stat[HMM_RANGE_DEV_STAT_LONGEST_WAIT]);
		/* A range that a callback found unmarked is an error for itself. */
		if (stats.stat[HMM_RANGE_DEV_STAT_UNMARKED])
			complain(api, ERRORS, "a callback found a range unmarked\n");
		if (stats.stat[HMM_RANGE_DEV_STAT_STRAY])
			complain(api, ERRORS, "a callback after the range has gone\n");
		for (j = 0; !i && j < NOTIFY_NR; j++)
			counts->events[j] = stats.stat[HMM_RANGE_DEV_STAT_EVENTS + j];
	}
	for (api = 0; api < NR_APIS; api++)
		for (j = 0; j < NR_COUNTS; j++)
			if (from[j])
				counts->devices[api][j] = sum[api][j];
}
