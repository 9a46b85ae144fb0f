// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compares what a device reads through tracked ranges with what the process
 * holds, while the process changes its memory as hard as it can.
 *
 * Threads write to buffers, map, unmap and move parts of them, change their
 * protection, drop, collapse and page out their pages, and fork. The device of
 * lib/test_hmm_range.c mirrors random parts of the buffers meanwhile. All that
 * it reads is checked, byte by byte.
 *
 * What a page may hold is known from its state: a content, which is a number
 * that fills the page, or zeros, and whether it can be read and written. A
 * thread that is about to change a page announces the new state, does it, and
 * then confirms it. So a read has to find
 *
 *	what was confirmed before it began, if nothing was announced until it
 *	ended;
 *	that or what was announced, if there was one change;
 *	anything that belongs to the page, if there were more.
 *
 * Older content, the content of another page, or a successful read of a page
 * that cannot be read is a mismatch: the device used an entry that was stale.
 *
 *	--seconds N	how long it runs (3)
 *	--max-size MiB	the largest size of each of the buffers (32)
 *	--seed N	another course of events (1)
 *	--csv FILE	a line of numbers for each second
 *	--break		the device leaves out the validity check: this has to fail
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include <lib/test_hmm_range_uapi.h>

#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define NR_BUFFERS	3
#define NR_DEVICES	2
/* Each buffer can lie in either of two places, page by page. */
#define NR_PLACES	2
#define HUGE_SIZE	(2UL << 20)
#define MIN_PAGES	64UL
/*
 * The buffers lie from here on, far below where the kernel looks for room for
 * other mappings, which must not land where a buffer is unmapped just now.
 */
#define BASE_ADDRESS	0x1000000000UL
/* How much a child takes for itself, and how much is written at a time. */
#define CHILD_PAGES	512UL
#define WRITE_PAGES	2048UL

/* What a device thread keeps registered. */
#define NR_POOL		12
/* How many pages are read, and checked, at a time. */
#define PIECE		64UL
#define TIMEOUT_MS	1000
#define MAX_REPORTS	10
/* How long threads may take to end before it is called a hang. */
#define GRACE_SECONDS	60

enum access { UNMAPPED, NO_ACCESS, READ_ONLY, READ_WRITE };

/*
 * The states of a page. Each is one word: number of changes (30 bits), access
 * (2), content (32).
 */
struct page {
	atomic_ullong		announced;
	atomic_ullong		confirmed;
};

/*
 * @lock: held by whoever changes the states or the content of the pages
 * @waiting: the device waits for @lock, which is not fair by itself
 * @places: address of each of the two places
 * @pages: states, page by page, of each place
 * @nr: how many pages are in use
 * @content: the last content that was given out
 */
struct buffer {
	pthread_mutex_t		lock;
	atomic_int		waiting;
	unsigned int		number;
	char			*places[NR_PLACES];
	struct page		*pages[NR_PLACES];
	atomic_ulong		nr;
	uint32_t		content;
};

/* A range that a device thread has registered: @nr pages from @first on. */
struct mirrored {
	struct buffer		*buffer;
	unsigned int		place;
	unsigned long		first;
	unsigned long		nr;
	uint32_t		id;
};

struct device {
	int			fd;
	uint64_t		random;
	struct mirrored		pool[NR_POOL];
	/* What was read, and the states of the pages before. */
	uint64_t		*data;
	__u64			*states;
};

enum count {
	RANGES, PAGES, INVALIDATIONS, RETRIES, PAGES_AGAIN, WAITS, MISMATCHES,
	NR_COLUMNS,
	WRITTEN = NR_COLUMNS, LOOSE, TIMEOUTS, CHANGES, FORKS, ERRORS,
	NR_COUNTS
};

static const char * const count_names[NR_COUNTS] = {
	[RANGES]	= "ranges",
	[PAGES]		= "pages",
	[INVALIDATIONS]	= "invalidations",
	[RETRIES]	= "retries",
	[PAGES_AGAIN]	= "pages_again",
	[WAITS]		= "waits",
	[MISMATCHES]	= "mismatches",
	[WRITTEN]	= "pages written by the device",
	[LOOSE]		= "pages changed more than once while read",
	[TIMEOUTS]	= "mirrors that ran out of time",
	[CHANGES]	= "changes of the process",
	[FORKS]		= "forks",
	[ERRORS]	= "unexpected errors",
};

static struct {
	unsigned long		seconds;
	unsigned long		max_pages;
	uint64_t		seed;
	const char		*csv;
	bool			skip_check;
} options = { .seconds = 3, .max_pages = 8192, .seed = 1 };

static unsigned long page_size;
static struct buffer buffers[NR_BUFFERS];
static struct device devices[NR_DEVICES];
static atomic_ulong counts[NR_COUNTS];
static atomic_bool stop;

static void count(enum count what, unsigned long n)
{
	atomic_fetch_add_explicit(&counts[what], n, memory_order_relaxed);
}

/* Say what is wrong, the first few times, and count it. */
static __printf(2, 3)
void complain(enum count what, const char *format, ...)
{
	va_list args;

	if (atomic_fetch_add(&counts[what], 1) >= MAX_REPORTS)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}

static __noreturn void fatal(const char *what)
{
	ksft_exit_fail_msg("%s: %s\n", what, strerror(errno));
}

/*
 * Memory of our own that a fork leaves alone: private one would be copied page
 * by page afterwards.
 */
static void *own_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fatal("mmap");
	return memory;
}

static uint64_t next_random(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

static unsigned long below(uint64_t *random, unsigned long limit)
{
	return (next_random(random) >> 11) % limit;
}

/* From 1 to @max, small ones as often as large ones. */
static unsigned long any_size(uint64_t *random, unsigned long max)
{
	unsigned int bits = 64 - __builtin_clzl(max);
	unsigned long size = 1UL << below(random, bits);

	size += below(random, size);
	return size > max ? max : size;
}

static uint64_t thread_seed(unsigned int n)
{
	uint64_t random = options.seed * 0x9e3779b97f4a7c15ULL + n + 1;

	for (n = 0; n < 16; n++)
		next_random(&random);
	return random;
}

/*
 * States.
 */

static enum access state_access(__u64 state)
{
	return (state >> 32) & 3;
}

static uint32_t state_content(__u64 state)
{
	return state;
}

static uint32_t state_changes(__u64 state)
{
	return state >> 34;
}

static __u64 next_state(__u64 state, enum access access, uint32_t content)
{
	return ((__u64)(state_changes(state) + 1) << 34) |
	       ((__u64)access << 32) | content;
}

static void announce(struct page *page, enum access access, uint32_t content)
{
	__u64 now = atomic_load(&page->confirmed);

	atomic_store(&page->announced, next_state(now, access, content));
}

static void confirm(struct page *page)
{
	atomic_store(&page->confirmed, atomic_load(&page->announced));
}

static void announce_all(struct page *page, unsigned long nr,
			 enum access access, uint32_t content)
{
	while (nr--)
		announce(page++, access, content);
}

static void confirm_all(struct page *page, unsigned long nr)
{
	while (nr--)
		confirm(page++);
}

static enum access page_access(struct page *page)
{
	return state_access(atomic_load(&page->confirmed));
}

/* The word that a page is filled with: the content and whose it is. */
static uint64_t page_word(const struct buffer *buffer, unsigned long index,
			  uint32_t content)
{
	if (!content)
		return 0;
	return ((uint64_t)content << 32) | ((uint64_t)(buffer->number + 1) << 24) |
	       index;
}

static void fill_page(uint64_t *to, uint64_t word)
{
	unsigned long i;

	for (i = 0; i < page_size / sizeof(*to); i++)
		to[i] = word;
}

/*
 * The process: threads that change the buffers. Each of these changes a run of
 * pages, under the lock of the buffer.
 */

struct run {
	struct buffer	*buffer;
	unsigned int	place;
	unsigned long	first;
	unsigned long	nr;
};

static char *run_address(const struct run *run)
{
	return run->buffer->places[run->place] + run->first * page_size;
}

static struct page *run_pages(const struct run *run)
{
	return &run->buffer->pages[run->place][run->first];
}

static size_t run_bytes(const struct run *run)
{
	return run->nr * page_size;
}

/* Cut @run down to the leading pages with the access of the first one. */
static enum access cut_to_access(struct run *run)
{
	struct page *pages = run_pages(run);
	enum access access = page_access(pages);
	unsigned long n = 1;

	while (n < run->nr && page_access(&pages[n]) == access)
		n++;
	run->nr = n;
	return access;
}

static void change_write(struct run *run)
{
	struct page *pages = run_pages(run);
	uint32_t content = ++run->buffer->content;
	unsigned long i;

	if (run->nr > WRITE_PAGES)
		run->nr = WRITE_PAGES;
	if (cut_to_access(run) != READ_WRITE)
		return;
	for (i = 0; i < run->nr; i++) {
		announce(&pages[i], READ_WRITE, content);
		fill_page((uint64_t *)(run_address(run) + i * page_size),
			  page_word(run->buffer, run->first + i, content));
		confirm(&pages[i]);
	}
}

static void change_dontneed(struct run *run)
{
	enum access access = cut_to_access(run);

	if (access == UNMAPPED)
		return;
	announce_all(run_pages(run), run->nr, access, 0);
	if (madvise(run_address(run), run_bytes(run), MADV_DONTNEED))
		fatal("madvise(MADV_DONTNEED)");
	confirm_all(run_pages(run), run->nr);
}

static void change_map(struct run *run)
{
	announce_all(run_pages(run), run->nr, READ_WRITE, 0);
	if (mmap(run_address(run), run_bytes(run), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		fatal("mmap");
	/* Every other one. */
	if (run->buffer->content & 1)
		madvise(run_address(run), run_bytes(run), MADV_HUGEPAGE);
	confirm_all(run_pages(run), run->nr);
}

static void change_unmap(struct run *run)
{
	announce_all(run_pages(run), run->nr, UNMAPPED, 0);
	if (munmap(run_address(run), run_bytes(run)))
		fatal("munmap");
	confirm_all(run_pages(run), run->nr);
}

static void change_protect(struct run *run, enum access access)
{
	static const int prot[] = {
		[NO_ACCESS]	= PROT_NONE,
		[READ_ONLY]	= PROT_READ,
		[READ_WRITE]	= PROT_READ | PROT_WRITE,
	};
	struct page *pages = run_pages(run);
	unsigned long i;

	if (cut_to_access(run) == UNMAPPED)
		return;
	for (i = 0; i < run->nr; i++)
		announce(&pages[i], access,
			 state_content(atomic_load(&pages[i].confirmed)));
	if (mprotect(run_address(run), run_bytes(run), prot[access]))
		fatal("mprotect");
	confirm_all(pages, run->nr);
}

/* To the same pages of the other place. */
static void change_move(struct run *run)
{
	struct run to = *run;
	struct page *from_pages = run_pages(run), *to_pages;
	enum access access = cut_to_access(run);
	unsigned long i;

	if (access == UNMAPPED)
		return;
	to.place = !run->place;
	to.nr = run->nr;
	to_pages = run_pages(&to);
	for (i = 0; i < run->nr; i++) {
		announce(&to_pages[i], access,
			 state_content(atomic_load(&from_pages[i].confirmed)));
		announce(&from_pages[i], UNMAPPED, 0);
	}
	if (mremap(run_address(run), run_bytes(run), run_bytes(run),
		   MREMAP_MAYMOVE | MREMAP_FIXED, run_address(&to)) == MAP_FAILED)
		fatal("mremap");
	confirm_all(from_pages, run->nr);
	confirm_all(to_pages, run->nr);
}

static void change_size(struct buffer *buffer, uint64_t *random)
{
	struct run all = { .buffer = buffer, .nr = buffer->nr };

	for (all.place = 0; all.place < NR_PLACES; all.place++)
		change_unmap(&all);
	all.nr = any_size(random, options.max_pages);
	if (all.nr < MIN_PAGES)
		all.nr = MIN_PAGES;
	buffer->nr = all.nr;
	all.place = 0;
	change_map(&all);
}

static void any_run(struct run *run, struct buffer *buffer, uint64_t *random)
{
	unsigned long nr = buffer->nr;

	run->buffer = buffer;
	run->place = below(random, NR_PLACES);
	run->nr = any_size(random, nr);
	run->first = below(random, nr - run->nr + 1);
}

static void change_something(struct buffer *buffer, uint64_t *random)
{
	struct run run;

	any_run(&run, buffer, random);
	pthread_mutex_lock(&buffer->lock);
	switch (below(random, 32)) {
	case 0 ... 15:
		change_write(&run);
		break;
	case 16 ... 19:
		change_dontneed(&run);
		break;
	case 20 ... 22:
		change_map(&run);
		break;
	case 23 ... 24:
		change_unmap(&run);
		break;
	case 25 ... 27:
		change_protect(&run, NO_ACCESS + below(random, 3));
		break;
	case 28 ... 29:
		change_protect(&run, READ_WRITE);
		break;
	case 30:
		change_move(&run);
		break;
	case 31:
		if (!below(random, 8))
			change_size(buffer, random);
		break;
	}
	pthread_mutex_unlock(&buffer->lock);
	count(CHANGES, 1);
}

static void *change_thread(void *arg)
{
	struct buffer *buffer = arg;
	uint64_t random = thread_seed(buffer->number);

	while (!stop) {
		change_something(buffer, &random);
		while (buffer->waiting && !stop)
			sched_yield();
	}
	return NULL;
}

/*
 * What leaves the content alone needs no lock, and may fail: the pages may be
 * gone by now.
 */
static void *advise_thread(void *arg)
{
	static const int advice[] = {
		MADV_COLLAPSE, MADV_PAGEOUT, MADV_COLD, MADV_POPULATE_READ,
		MADV_PAGEOUT, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
	};
	uint64_t random = thread_seed(NR_BUFFERS);
	struct run run;

	(void)arg;
	while (!stop) {
		any_run(&run, &buffers[below(&random, NR_BUFFERS)], &random);
		madvise(run_address(&run), run_bytes(&run),
			advice[below(&random, ARRAY_SIZE(advice))]);
		count(CHANGES, 1);
	}
	return NULL;
}

/* The child takes some pages for itself, and so does the parent's next write. */
static void *fork_thread(void *arg)
{
	uint64_t random = thread_seed(NR_BUFFERS + 1);
	struct run run;
	pid_t pid;

	(void)arg;
	while (!stop) {
		any_run(&run, &buffers[below(&random, NR_BUFFERS)], &random);
		if (run.nr > CHILD_PAGES)
			run.nr = CHILD_PAGES;
		pid = fork();
		if (!pid) {
			madvise(run_address(&run), run_bytes(&run),
				MADV_POPULATE_WRITE);
			_exit(0);
		}
		if (pid > 0 && waitpid(pid, NULL, 0) == pid)
			count(FORKS, 1);
		/* It holds the mmap lock for long, which slows all others down. */
		usleep(below(&random, 200000));
	}
	return NULL;
}

/*
 * The device.
 */

static unsigned long mirrored_address(const struct mirrored *mirrored,
				      unsigned long first)
{
	return (unsigned long)mirrored->buffer->places[mirrored->place] +
	       (mirrored->first + first) * page_size;
}

static struct page *mirrored_pages(const struct mirrored *mirrored,
				   unsigned long first)
{
	return &mirrored->buffer->pages[mirrored->place][mirrored->first + first];
}

static void forget(struct device *device, struct mirrored *mirrored)
{
	struct hmm_range_dev_unregister args = {
		.ids	= (uintptr_t)&mirrored->id,
		.count	= 1,
	};

	if (!mirrored->id)
		return;
	if (ioctl(device->fd, HMM_RANGE_IOC_UNREGISTER, &args))
		complain(ERRORS, "unregister: %s\n", strerror(errno));
	mirrored->id = 0;
}

/*
 * Choose pages to mirror: mostly such that can be read, as far as one can see,
 * because a walk stops at the first one that cannot.
 */
static void choose_pages(struct device *device, struct mirrored *mirrored)
{
	unsigned long nr = mirrored->buffer->nr, n = 0;
	struct page *pages;

	mirrored->place = !below(&device->random, 4);
	mirrored->nr = any_size(&device->random, any_size(&device->random, nr));
	mirrored->first = below(&device->random, nr - mirrored->nr + 1);
	if (!below(&device->random, 4))
		return;
	pages = mirrored_pages(mirrored, 0);
	while (n < mirrored->nr - 1 && page_access(&pages[n]) < READ_ONLY)
		n++;
	mirrored->first += n;
	nr = mirrored->nr - n;
	pages += n;
	for (n = 1; n < nr && page_access(&pages[n]) >= READ_ONLY; n++)
		;
	mirrored->nr = n;
}

static void replace(struct device *device, struct mirrored *mirrored)
{
	struct buffer *buffer = &buffers[below(&device->random, NR_BUFFERS)];
	struct hmm_range_dev_bounds bounds = {};
	struct hmm_range_dev_register args = {
		.bounds	= (uintptr_t)&bounds,
		.count	= 1,
	};

	forget(device, mirrored);
	mirrored->buffer = buffer;
	choose_pages(device, mirrored);
	bounds.start = mirrored_address(mirrored, 0);
	bounds.end = mirrored_address(mirrored, mirrored->nr);
	if (!ioctl(device->fd, HMM_RANGE_IOC_REGISTER, &args))
		mirrored->id = bounds.id;
	else if (errno != E2BIG)
		complain(ERRORS, "register: %s\n", strerror(errno));
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

static void take_states(struct page *pages, unsigned long nr, __u64 *states)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		states[i] = atomic_load(&pages[i].confirmed);
}

/*
 * Let the device mirror @nr pages from @first on. An error is all right if the
 * pages were not all there, with the access that is needed, all the time.
 */
static bool mirror(struct device *device, const struct mirrored *mirrored,
		   unsigned long first, unsigned long nr, enum access access)
{
	static const uint32_t ways[] = {
		HMM_RANGE_DEV_FAULT, HMM_RANGE_DEV_FAULT_LOCKED,
		HMM_RANGE_DEV_FAULT_UNLOCKED,
	};
	struct page *pages = mirrored_pages(mirrored, first);
	struct hmm_range_dev_walk args = {
		.id		= mirrored->id,
		.how		= ways[below(&device->random, ARRAY_SIZE(ways))],
		.start		= mirrored_address(mirrored, first),
		.end		= mirrored_address(mirrored, first + nr),
		.default_flags	= HMM_RANGE_DEV_VALID,
		.timeout_ms	= TIMEOUT_MS,
		.flags		= options.skip_check ? HMM_RANGE_DEV_SKIP_CHECK : 0,
	};
	__u64 *before = device->states;
	bool done;

	if (access == READ_WRITE)
		args.default_flags |= HMM_RANGE_DEV_WRITE;
	/* A device that is slow to set up its entries, now and then. */
	if (options.skip_check || !below(&device->random, 8))
		args.latency_us = below(&device->random, 2000);
	take_states(pages, nr, before);
	done = !ioctl(device->fd, HMM_RANGE_IOC_MIRROR, &args);
	count(RANGES, 1);
	if (!done && errno == EBUSY)
		count(TIMEOUTS, 1);
	else if (!done && ((errno != EFAULT && errno != EPERM) ||
			   !lacked_access(pages, before, nr, access)))
		complain(ERRORS, "the device cannot map %#llx-%#llx: %s\n", args.start,
			 args.end, strerror(errno));
	return done;
}

/*
 * The words that a read may find in a page between two states of it. None at
 * all fits if the page could not be read.
 */
struct expected {
	uint64_t	words[2];
	unsigned int	nr;
	/* After more than one change: any content of this page. */
	bool		loose;
	uint32_t	owner;
};

static void expect(struct expected *expected, const struct buffer *buffer,
		   unsigned long index, __u64 before, __u64 after)
{
	uint32_t changes = state_changes(after) - state_changes(before);

	expected->nr = 0;
	if (state_access(before) >= READ_ONLY)
		expected->words[expected->nr++] =
			page_word(buffer, index, state_content(before));
	if (changes && state_access(after) >= READ_ONLY)
		expected->words[expected->nr++] =
			page_word(buffer, index, state_content(after));
	expected->loose = changes > 1;
	expected->owner = page_word(buffer, index, 1);
}

static bool word_fits(const struct expected *expected, uint64_t word)
{
	unsigned int i;

	for (i = 0; i < expected->nr; i++)
		if (word == expected->words[i])
			return true;
	return expected->loose && (!word || (uint32_t)word == expected->owner);
}

static void check_page(const struct mirrored *mirrored, unsigned long first,
		       const uint64_t *data, __u64 before)
{
	__u64 after = atomic_load(&mirrored_pages(mirrored, first)->announced);
	const struct buffer *buffer = mirrored->buffer;
	unsigned long index = mirrored->first + first;
	struct expected expected;
	unsigned long i;

	expect(&expected, buffer, index, before, after);
	if (expected.loose)
		count(LOOSE, 1);
	for (i = 0; i < page_size / sizeof(*data); i++) {
		if (word_fits(&expected, data[i]))
			continue;
		complain(MISMATCHES,
			 "mismatch: buffer %u place %u page %lu word %lu: the device read %#llx; %#llx before, %#llx after\n",
			 buffer->number, mirrored->place, index, i,
			 (unsigned long long)data[i], before, after);
		return;
	}
}

/* Read @nr pages, at most PIECE, and check them; returns how many were read. */
static unsigned long read_piece(struct device *device,
				const struct mirrored *mirrored,
				unsigned long first, unsigned long nr)
{
	struct hmm_range_dev_copy args = {
		.id	= mirrored->id,
		.flags	= HMM_RANGE_DEV_TABLE,
		.start	= mirrored_address(mirrored, first),
		.nr	= nr,
		.buffer	= (uintptr_t)device->data,
		.bytes	= page_size,
	};
	__u64 before[PIECE];
	unsigned long i;

	take_states(mirrored_pages(mirrored, first), nr, before);
	if (ioctl(device->fd, HMM_RANGE_IOC_COPY, &args) && errno != EBUSY)
		complain(ERRORS, "copy: %s\n", strerror(errno));
	for (i = 0; i < args.done; i++)
		check_page(mirrored, first + i,
			   device->data + i * page_size / sizeof(*device->data),
			   before[i]);
	count(PAGES, args.done);
	return args.done;
}

/* By what is in the device's page table, which has to be refilled at times. */
static void read_all(struct device *device, const struct mirrored *mirrored)
{
	unsigned long first = 0, nr, done;
	unsigned int missing = 0;

	while (first < mirrored->nr && missing < 16 && !stop) {
		nr = mirrored->nr - first;
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

/* Write @nr pages, at most PIECE, whose content nobody else changes now. */
static bool write_piece(struct device *device, const struct mirrored *mirrored,
			unsigned long nr)
{
	unsigned long words = page_size / sizeof(*device->data);
	struct hmm_range_dev_copy args = {
		.id	= mirrored->id,
		.flags	= HMM_RANGE_DEV_TABLE | HMM_RANGE_DEV_COPY_WRITE,
		.bytes	= page_size,
	};
	unsigned long done = 0;
	unsigned int tries;

	for (tries = 0; done < nr && tries < 100; tries++) {
		if (!mirror(device, mirrored, done, nr - done, READ_WRITE))
			continue;
		args.start = mirrored_address(mirrored, done);
		args.nr = nr - done;
		args.buffer = (uintptr_t)(device->data + done * words);
		if (ioctl(device->fd, HMM_RANGE_IOC_COPY, &args) &&
		    errno != EBUSY)
			complain(ERRORS, "device write: %s\n", strerror(errno));
		done += args.done;
	}
	count(WRITTEN, done);
	return done == nr;
}

/* The process has to find what the device wrote. */
static void check_written(const struct mirrored *mirrored, unsigned long nr,
			  uint32_t content)
{
	uint64_t *data = (uint64_t *)mirrored_address(mirrored, 0);
	unsigned long i, j, words = page_size / sizeof(*data);

	for (i = 0; i < nr; i++) {
		uint64_t word = page_word(mirrored->buffer, mirrored->first + i,
					  content);

		for (j = 0; j < words && data[i * words + j] == word; j++)
			;
		if (j < words)
			complain(MISMATCHES,
				 "mismatch: buffer %u place %u page %lu word %lu: the device wrote %#llx, the process reads %#llx\n",
				 mirrored->buffer->number, mirrored->place,
				 mirrored->first + i, j,
				 (unsigned long long)word,
				 (unsigned long long)data[i * words + j]);
	}
}

static void write_some(struct device *device, const struct mirrored *mirrored)
{
	struct run run = {
		.buffer	= mirrored->buffer,
		.place	= mirrored->place,
		.first	= mirrored->first,
		.nr	= mirrored->nr < PIECE ? mirrored->nr : PIECE,
	};
	unsigned long i, words = page_size / sizeof(*device->data);
	uint32_t content;

	run.buffer->waiting++;
	pthread_mutex_lock(&run.buffer->lock);
	run.buffer->waiting--;
	if (cut_to_access(&run) == READ_WRITE) {
		content = ++run.buffer->content;
		for (i = 0; i < run.nr; i++)
			fill_page(device->data + i * words,
				  page_word(run.buffer, run.first + i, content));
		announce_all(run_pages(&run), run.nr, READ_WRITE, content);
		if (write_piece(device, mirrored, run.nr))
			check_written(mirrored, run.nr, content);
		else
			complain(ERRORS, "the device could not write\n");
		confirm_all(run_pages(&run), run.nr);
	}
	pthread_mutex_unlock(&run.buffer->lock);
}

static void *device_thread(void *arg)
{
	struct device *device = arg;
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
			mirror(device, mirrored, 0, mirrored->nr, READ_ONLY);
		read_all(device, mirrored);
	}
	return NULL;
}

/*
 * Start, watch, end.
 */

static void set_up_buffer(struct buffer *buffer, unsigned int number)
{
	size_t size = (options.max_pages * page_size + HUGE_SIZE) & -HUGE_SIZE;
	unsigned long address = BASE_ADDRESS + number * NR_PLACES * size;
	unsigned int place;

	pthread_mutex_init(&buffer->lock, NULL);
	buffer->number = number;
	buffer->nr = MIN_PAGES;
	for (place = 0; place < NR_PLACES; place++, address += size) {
		buffer->places[place] = mmap((void *)address, size, PROT_NONE,
					     MAP_PRIVATE | MAP_ANONYMOUS |
					     MAP_FIXED_NOREPLACE, -1, 0);
		if (buffer->places[place] == MAP_FAILED ||
		    munmap(buffer->places[place], size))
			fatal("no room for the buffers");
		buffer->pages[place] = own_memory(options.max_pages *
						  sizeof(struct page));
	}
}

static void set_up_device(struct device *device, unsigned int number)
{
	struct hmm_range_dev_config config = {
		.notifier = number & 1 ? HMM_RANGE_DEV_NOTIFIER_INTERVAL :
					 HMM_RANGE_DEV_NOTIFIER_PLAIN,
	};

	device->fd = open("/dev/hmm_range", O_RDWR | O_CLOEXEC);
	if (device->fd < 0 && (errno == ENOENT || errno == EACCES))
		ksft_exit_skip("no /dev/hmm_range: CONFIG_TEST_HMM_RANGE, root\n");
	if (device->fd < 0 || ioctl(device->fd, HMM_RANGE_IOC_CONFIG, &config))
		fatal("/dev/hmm_range");
	device->random = thread_seed(NR_BUFFERS + 2 + number);
	device->data = own_memory(PIECE * page_size);
	device->states = own_memory(options.max_pages * sizeof(*device->states));
}

static void sum_up(unsigned long *sum)
{
	struct hmm_range_dev_stats stats;
	unsigned int i;

	for (i = 0; i < NR_COUNTS; i++)
		sum[i] = atomic_load(&counts[i]);
	for (i = 0; i < NR_DEVICES; i++) {
		if (ioctl(devices[i].fd, HMM_RANGE_IOC_STATS, &stats))
			fatal("HMM_RANGE_IOC_STATS");
		sum[INVALIDATIONS] += stats.stat[HMM_RANGE_DEV_STAT_INVALIDATIONS];
		sum[RETRIES] += stats.stat[HMM_RANGE_DEV_STAT_RETRIES];
		sum[PAGES_AGAIN] += stats.stat[HMM_RANGE_DEV_STAT_PAGES_AGAIN];
		sum[WAITS] += stats.stat[HMM_RANGE_DEV_STAT_WAITS];
		/* A range that a callback found unmarked is an error for itself. */
		sum[ERRORS] += stats.stat[HMM_RANGE_DEV_STAT_UNMARKED];
	}
}

static void print_second(FILE *csv, unsigned long second,
			 const unsigned long *now, const unsigned long *last)
{
	unsigned int i;

	fprintf(stderr, "%4lu s:", second);
	for (i = 0; i < NR_COLUMNS; i++)
		fprintf(stderr, " %s %lu", count_names[i], now[i] - last[i]);
	fputc('\n', stderr);
	if (!csv)
		return;
	fprintf(csv, "%lu", second);
	for (i = 0; i < NR_COLUMNS; i++)
		fprintf(csv, ",%lu", now[i] - last[i]);
	fputc('\n', csv);
	fflush(csv);
}

static FILE *open_csv(void)
{
	unsigned int i;
	FILE *csv;

	if (!options.csv)
		return NULL;
	csv = fopen(options.csv, "w");
	if (!csv)
		fatal(options.csv);
	fputs("second", csv);
	for (i = 0; i < NR_COLUMNS; i++)
		fprintf(csv, ",%s", count_names[i]);
	fputc('\n', csv);
	return csv;
}

static void watch(void)
{
	unsigned long last[NR_COUNTS] = {}, now[NR_COUNTS];
	FILE *csv = open_csv();
	struct timespec next;
	unsigned long second;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (second = 1; second <= options.seconds; second++) {
		next.tv_sec++;
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL))
			;
		sum_up(now);
		print_second(csv, second, now, last);
		memcpy(last, now, sizeof(last));
	}
	if (csv && fclose(csv))
		fatal(options.csv);
}

static void end_thread(pthread_t thread)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += GRACE_SECONDS;
	errno = pthread_timedjoin_np(thread, NULL, &end);
	if (errno)
		fatal("a thread does not end");
}

static void start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	errno = pthread_create(thread, NULL, run, arg);
	if (errno)
		fatal("pthread_create");
}

static void run_all(void)
{
	pthread_t threads[NR_BUFFERS + NR_DEVICES + 2];
	unsigned int i, nr = 0;

	for (i = 0; i < NR_BUFFERS; i++)
		start_thread(&threads[nr++], change_thread, &buffers[i]);
	start_thread(&threads[nr++], advise_thread, NULL);
	start_thread(&threads[nr++], fork_thread, NULL);
	for (i = 0; i < NR_DEVICES; i++)
		start_thread(&threads[nr++], device_thread, &devices[i]);
	watch();
	stop = true;
	while (nr--)
		end_thread(threads[nr]);
}

static unsigned long number(const char *arg, unsigned long max)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(arg, &end, 0);
	if (errno || *end || end == arg || !n || n > max)
		ksft_exit_fail_msg("'%s' is not from 1 to %lu\n", arg, max);
	return n;
}

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seconds",	required_argument, NULL, 's' },
		{ "max-size",	required_argument, NULL, 'm' },
		{ "seed",	required_argument, NULL, 'r' },
		{ "csv",	required_argument, NULL, 'c' },
		{ "break",	no_argument,	   NULL, 'b' },
		{}
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 's':
			options.seconds = number(optarg, 1000000);
			break;
		case 'm':
			options.max_pages = number(optarg, 1024) *
					    ((1UL << 20) / page_size);
			break;
		case 'r':
			options.seed = number(optarg, ~0UL);
			break;
		case 'c':
			options.csv = optarg;
			break;
		case 'b':
			options.skip_check = true;
			break;
		default:
			ksft_exit_fail_msg("bad option: see the head of %s\n",
					   __FILE__);
		}
	}
}

static void report(void)
{
	unsigned long sum[NR_COUNTS];
	unsigned int i;

	sum_up(sum);
	for (i = 0; i < NR_COUNTS; i++)
		ksft_print_msg("%-40s %12lu\n", count_names[i], sum[i]);
	ksft_test_result(sum[PAGES] && (sum[WRITTEN] || options.skip_check),
			 "the device gets to read and write\n");
	ksft_test_result(!sum[MISMATCHES], "the device reads what the process holds\n");
	ksft_test_result(!sum[ERRORS], "no call fails without a reason\n");
}

int main(int argc, char **argv)
{
	struct rlimit no_core = {};
	unsigned int i;

	page_size = sysconf(_SC_PAGESIZE);
	ksft_print_header();
	parse_options(argc, argv);
	ksft_set_plan(3);
	setrlimit(RLIMIT_CORE, &no_core);
	for (i = 0; i < NR_DEVICES; i++)
		set_up_device(&devices[i], i);
	for (i = 0; i < NR_BUFFERS; i++)
		set_up_buffer(&buffers[i], i);
	run_all();
	report();
	ksft_finished();
}
