// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The process of hmm_range_stress: buffers, and threads that change them. A
 * thread changes a run of pages under the lock of the buffer; what leaves the
 * content alone needs no lock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <lib/test_hmm_uapi.h>
#include "hmm_range_stress.h"

#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define MOVE_THEM	2	/* MPOL_MF_MOVE */

#define HUGE_SIZE	(2UL << 20)
#define MIN_PAGES	64UL
/*
 * The buffers lie from here on, far below where the kernel looks for room for
 * other mappings, which must not land where a buffer is unmapped just now.
 */
#define BASE_ADDRESS	0x1000000000UL
/* How much is written or looked at, and how many pages change node, at a time. */
#define WRITE_PAGES	512UL
#define LOOK_PAGES	64UL
#define NODE_PAGES	64UL

const struct memory_kind memory_kinds[NR_MEMORIES] = {
	[ANONYMOUS]	= { .name = "anonymous", .max_size = 1024 },
	[SHMEM]		= { .name = "shmem", .shared = true, .max_size = 64 },
	[FILES]		= { .name = "file", .shared = true, .max_size = 64 },
	[HUGETLB]	= { .name = "hugetlb", .huge = true, .max_size = 16 },
	[MERGED]	= { .name = "KSM", .same = true, .max_size = 8 },
	[DEVICE]	= { .name = "device-private", .max_size = 16 },
};

struct buffer buffers[NR_BUFFERS];

static const struct memory_kind *kind(void)
{
	return &memory_kinds[memory];
}

/*
 * States.
 */

static __u64 next_state(__u64 state, enum access access, uint32_t content)
{
	return ((__u64)(state_changes(state) + 1) << 34) |
	       ((__u64)access << 32) | content;
}

void announce(struct page *page, enum access access, uint32_t content)
{
	__u64 now = atomic_load(&page->confirmed);
	__u64 next = next_state(now, access, content);

	atomic_store(&page->history[state_changes(next) % NR_HISTORY], next);
	atomic_store(&page->announced, next);
}

/* The state after @changes; another one if that was too long ago. */
__u64 past_state(struct page *page, uint32_t changes)
{
	return atomic_load(&page->history[changes % NR_HISTORY]);
}

void confirm(struct page *page)
{
	atomic_store(&page->confirmed, atomic_load(&page->announced));
}

void announce_all(struct page *pages, unsigned long nr, enum access access,
		  uint32_t content)
{
	while (nr--)
		announce(pages++, access, content);
}

/* Another access, the same content. */
static void announce_access(struct page *pages, unsigned long nr,
			    enum access access)
{
	for (; nr--; pages++)
		announce(pages, access,
			 state_content(atomic_load(&pages->confirmed)));
}

void confirm_all(struct page *pages, unsigned long nr)
{
	while (nr--)
		confirm(pages++);
}

void take_states(struct page *pages, unsigned long nr, __u64 *states)
{
	while (nr--)
		*states++ = atomic_load(&pages++->confirmed);
}

/* The word that a page is filled with: the content and whose it is. */
uint64_t page_word(const struct buffer *buffer, unsigned long index,
		   uint32_t content)
{
	if (!content)
		return 0;
	if (kind()->same)
		index = 0;
	return ((uint64_t)content << 32) | ((uint64_t)(buffer->number + 1) << 24) |
	       index;
}

void fill_page(uint64_t *to, uint64_t word)
{
	unsigned long i;

	for (i = 0; i < page_size / sizeof(*to); i++)
		to[i] = word;
}

/* The first word of @page that is another one, or -1. */
long differing_word(const uint64_t *page, uint64_t word)
{
	unsigned long i;

	for (i = 0; i < page_size / sizeof(*page); i++)
		if (page[i] != word)
			return i;
	return -1;
}

/*
 * Runs.
 */

/* Cut @run down to the leading pages with the access of the first one. */
enum access cut_to_access(struct run *run)
{
	struct page *pages = run_pages(run);
	enum access access = page_access(pages);
	unsigned long n = 1;

	while (n < run->nr && page_access(&pages[n]) == access)
		n++;
	run->nr = n;
	return access;
}

/* Cut @run down to the leading pages that lie in one half of the object. */
static bool cut_to_half(struct run *run)
{
	const bool *half = &run->buffer->half[run->first];
	unsigned long n = 1;

	while (n < run->nr && half[n] == half[0])
		n++;
	run->nr = n;
	return half[0] ^ run->place;
}

static size_t place_size(void)
{
	return (max_pages * page_size + HUGE_SIZE) & -HUGE_SIZE;
}

static off_t run_offset(const struct run *run, bool half)
{
	return half * place_size() + run->first * page_size;
}

void any_run(struct run *run, struct buffer *buffer, uint64_t *random)
{
	unsigned long nr = buffer->nr;

	run->buffer = buffer;
	run->place = !below(random, 4);
	run->nr = any_size(random, nr);
	run->first = below(random, nr - run->nr + 1);
}

/* To what can be mapped. */
static void align_run(struct run *run)
{
	unsigned long grain = kind()->huge ? HUGE_SIZE / page_size : 1;
	unsigned long end = run->first + run->nr;

	run->first -= run->first % grain;
	end += -end % grain;
	run->nr = end - run->first;
}

/*
 * Changes of a run, under the lock of the buffer.
 */

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
	count_change(WRITE, 1);
}

/* No change: a device that wrote where it must not write is found out. */
static void change_look(struct run *run)
{
	struct page *pages = run_pages(run);
	uint64_t *data, word;
	unsigned long i;
	long at;

	if (run->nr > LOOK_PAGES)
		run->nr = LOOK_PAGES;
	if (cut_to_access(run) < READ_ONLY)
		return;
	for (i = 0; i < run->nr; i++) {
		data = (uint64_t *)(run_address(run) + i * page_size);
		word = page_word(run->buffer, run->first + i,
				 state_content(atomic_load(&pages[i].confirmed)));
		at = differing_word(data, word);
		if (at < 0)
			continue;
		complain(TRACKED, MISMATCHES,
			 "mismatch: buffer %u place %u page %lu word %ld: the process reads %#llx where it wrote %#llx\n",
			 run->buffer->number, run->place, run->first + i, at,
			 (unsigned long long)data[at], (unsigned long long)word);
	}
	count_change(LOOK, 1);
}

/* What has an object behind it only loses its mapping, or its content too. */
static void change_discard(struct run *run, bool content)
{
	int advice = content && kind()->shared ? MADV_REMOVE : MADV_DONTNEED;
	enum access access;

	align_run(run);
	access = cut_to_access(run);
	if (access == UNMAPPED)
		return;
	if (kind()->shared && !content)
		announce_access(run_pages(run), run->nr, access);
	else
		announce_all(run_pages(run), run->nr, access, 0);
	if (madvise(run_address(run), run_bytes(run), advice))
		fatal("madvise(MADV_DONTNEED or MADV_REMOVE)");
	confirm_all(run_pages(run), run->nr);
	count_change(DISCARD, 1);
}

static void map_run(struct run *run, bool half)
{
	int flags = MAP_FIXED, fd = run->buffer->fd;
	off_t offset = 0;

	if (kind()->shared) {
		flags |= MAP_SHARED;
		offset = run_offset(run, half);
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      offset, run_bytes(run)))
			fatal("fallocate");
	} else {
		flags |= MAP_PRIVATE | MAP_ANONYMOUS;
	}
	if (kind()->huge)
		flags |= MAP_HUGETLB;
	if (mmap(run_address(run), run_bytes(run), PROT_READ | PROT_WRITE,
		 flags, fd, offset) == MAP_FAILED)
		fatal("mmap");
}

static void change_map(struct run *run)
{
	bool half = false;

	align_run(run);
	if (kind()->shared)
		half = cut_to_half(run);
	announce_all(run_pages(run), run->nr, READ_WRITE, 0);
	map_run(run, half);
	/* Every other one. */
	if (run->buffer->content & 1)
		madvise(run_address(run), run_bytes(run), MADV_HUGEPAGE);
	confirm_all(run_pages(run), run->nr);
	count_change(MAP, 1);
}

static void change_unmap(struct run *run)
{
	align_run(run);
	announce_all(run_pages(run), run->nr, UNMAPPED, 0);
	if (munmap(run_address(run), run_bytes(run)))
		fatal("munmap");
	confirm_all(run_pages(run), run->nr);
	count_change(UNMAP, 1);
}

void protect_run(struct run *run, enum access access)
{
	static const int prot[] = {
		[NO_ACCESS]	= PROT_NONE,
		[READ_ONLY]	= PROT_READ,
		[READ_WRITE]	= PROT_READ | PROT_WRITE,
	};

	announce_access(run_pages(run), run->nr, access);
	if (mprotect(run_address(run), run_bytes(run), prot[access]))
		fatal("mprotect");
	confirm_all(run_pages(run), run->nr);
}

static void change_protect(struct run *run, enum access access)
{
	align_run(run);
	if (cut_to_access(run) == UNMAPPED)
		return;
	protect_run(run, access);
	count_change(PROTECT, 1);
}

/* To the same pages of the other place, with the half of the object. */
static void change_move(struct run *run)
{
	struct page *from_pages, *to_pages;
	struct run to;
	enum access access;
	unsigned long i;

	align_run(run);
	access = cut_to_access(run);
	if (access == UNMAPPED)
		return;
	if (kind()->shared)
		cut_to_half(run);
	to = *run;
	to.place = !run->place;
	from_pages = run_pages(run);
	to_pages = run_pages(&to);
	for (i = 0; i < run->nr; i++) {
		announce(&to_pages[i], access,
			 state_content(atomic_load(&from_pages[i].confirmed)));
		announce(&from_pages[i], UNMAPPED, 0);
	}
	if (mremap(run_address(run), run_bytes(run), run_bytes(run),
		   MREMAP_MAYMOVE | MREMAP_FIXED, run_address(&to)) == MAP_FAILED)
		fatal("mremap");
	for (i = 0; i < run->nr; i++)
		run->buffer->half[run->first + i] ^= true;
	confirm_all(from_pages, run->nr);
	confirm_all(to_pages, run->nr);
	count_change(MOVE, 1);
}

/* The first place is mapped again, the second one is left empty. */
static void change_size(struct buffer *buffer, uint64_t *random)
{
	struct run all = { .buffer = buffer, .nr = buffer->nr };

	for (all.place = 0; all.place < NR_PLACES; all.place++)
		change_unmap(&all);
	memset(buffer->half, 0, max_pages);
	all.nr = any_size(random, max_pages);
	if (all.nr < MIN_PAGES)
		all.nr = MIN_PAGES;
	all.place = 0;
	align_run(&all);
	buffer->nr = all.nr;
	change_map(&all);
	count_change(RESIZE, 1);
}

static void change_something(struct buffer *buffer, uint64_t *random)
{
	struct run run;

	any_run(&run, buffer, random);
	switch (below(random, 32)) {
	case 0 ... 11:
		change_write(&run);
		break;
	case 12 ... 14:
		change_look(&run);
		break;
	case 15 ... 18:
		change_discard(&run, below(random, 2));
		break;
	case 19 ... 21:
		change_map(&run);
		break;
	case 22 ... 23:
		change_unmap(&run);
		break;
	case 24 ... 26:
		change_protect(&run, NO_ACCESS + below(random, 3));
		break;
	case 27 ... 28:
		change_protect(&run, READ_WRITE);
		break;
	case 29 ... 30:
		change_move(&run);
		break;
	case 31:
		if (!below(random, 8))
			change_size(buffer, random);
		break;
	}
}

/*
 * The lock of a buffer. It is not fair by itself, so the process lets devices
 * go first, asleep: whoever holds the lock may need the CPU to get on.
 */

void device_lock_buffer(struct buffer *buffer)
{
	buffer->waiting++;
	pthread_mutex_lock(&buffer->lock);
}

void device_unlock_buffer(struct buffer *buffer)
{
	if (!--buffer->waiting)
		pthread_cond_signal(&buffer->turn);
	pthread_mutex_unlock(&buffer->lock);
}

void *change_thread(void *arg)
{
	struct buffer *buffer = arg;
	uint64_t random = thread_seed(buffer->number);

	while (!stop) {
		pthread_mutex_lock(&buffer->lock);
		while (buffer->waiting)
			pthread_cond_wait(&buffer->turn, &buffer->lock);
		change_something(buffer, &random);
		pthread_mutex_unlock(&buffer->lock);
		/* Equal pages have to stay for a while to be merged. */
		if (kind()->same)
			usleep(below(&random, 10000));
	}
	return NULL;
}

/*
 * What leaves the content alone may fail: the pages may be gone by now.
 */

static void advise(struct run *run, uint64_t *random)
{
	static const int advice[] = {
		MADV_COLLAPSE, MADV_PAGEOUT, MADV_COLD, MADV_POPULATE_READ,
		MADV_PAGEOUT, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
	};
	int chosen = advice[below(random, ARRAY_SIZE(advice))];

	/* Even then it is done where there is a mapping. */
	if (madvise(run_address(run), run_bytes(run), chosen) && errno != ENOMEM)
		return;
	if (chosen == MADV_COLLAPSE)
		count_change(COLLAPSE, 1);
	else if (chosen == MADV_PAGEOUT)
		count_change(PAGEOUT, 1);
}

/* To another node. */
static void migrate(struct run *run, uint64_t *random)
{
	void *addresses[NODE_PAGES];
	int nodes[NODE_PAGES], status[NODE_PAGES], node = below(random, 2);
	unsigned long i, step = kind()->huge ? HUGE_SIZE / page_size : 1, nr;
	unsigned long moved = 0;

	align_run(run);
	nr = run->nr / step;
	if (nr > NODE_PAGES)
		nr = NODE_PAGES;
	for (i = 0; i < nr; i++) {
		addresses[i] = run_address(run) + i * step * page_size;
		nodes[i] = node;
		status[i] = -1;
	}
	if (syscall(SYS_move_pages, 0, nr, addresses, nodes, status, MOVE_THEM))
		return;
	for (i = 0; i < nr; i++)
		moved += status[i] == node;
	count_change(MIGRATE, !!moved);
}

static void write_back(struct buffer *buffer)
{
	if (!sync_file_range(buffer->fd, 0, 0, SYNC_FILE_RANGE_WRITE))
		count_change(WRITEBACK, 1);
}

void *advise_thread(void *unused)
{
	uint64_t random = thread_seed(NR_BUFFERS);
	struct buffer *buffer;
	struct run run;

	while (!stop) {
		buffer = &buffers[below(&random, NR_BUFFERS)];
		any_run(&run, buffer, &random);
		if (memory == FILES && !below(&random, 4))
			write_back(buffer);
		else if (!below(&random, 4))
			migrate(&run, &random);
		else
			advise(&run, &random);
		if (kind()->same)
			usleep(below(&random, 20000));
	}
	return unused;
}

/*
 * Into the memory of the device of lib/test_hmm.c, or away from the CPU. Either
 * hands out a copy, which nobody wants.
 */
void *device_memory_thread(void *unused)
{
	char *copy = own_memory(LOOK_PAGES * page_size);
	uint64_t random = thread_seed(NR_BUFFERS + 2);
	int fd = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
	struct hmm_dmirror_cmd cmd = { .ptr = (uintptr_t)copy };
	bool exclusive;
	struct run run;

	if (fd < 0)
		fatal("/dev/hmm_dmirror0");
	while (!stop) {
		any_run(&run, &buffers[below(&random, NR_BUFFERS)], &random);
		cmd.addr = (uintptr_t)run_address(&run);
		cmd.npages = run.nr < LOOK_PAGES ? run.nr : LOOK_PAGES;
		exclusive = !below(&random, 4);
		if (!ioctl(fd, exclusive ? HMM_DMIRROR_EXCLUSIVE :
					   HMM_DMIRROR_MIGRATE_TO_DEV, &cmd))
			count_change(exclusive ? EXCLUSIVE : TO_DEVICE, 1);
	}
	close(fd);
	return unused;
}

/*
 * Set up.
 */

static int make_object(void)
{
	int fd = -1;

	if (memory == SHMEM)
		fd = memfd_create("hmm_range_stress", MFD_CLOEXEC);
	else if (memory == FILES)
		fd = open(options.files, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (kind()->shared &&
	    (fd < 0 || ftruncate(fd, NR_PLACES * place_size())))
		fatal(options.files);
	return fd;
}

static void set_up_buffer(struct buffer *buffer, unsigned int number)
{
	size_t size = place_size();
	unsigned long address = BASE_ADDRESS + number * NR_PLACES * size;
	unsigned int place;

	pthread_mutex_init(&buffer->lock, NULL);
	pthread_cond_init(&buffer->turn, NULL);
	buffer->number = number;
	buffer->nr = kind()->huge ? HUGE_SIZE / page_size : MIN_PAGES;
	buffer->fd = make_object();
	buffer->half = own_memory(max_pages);
	for (place = 0; place < NR_PLACES; place++, address += size) {
		buffer->places[place] = mmap((void *)address, size, PROT_NONE,
					     MAP_PRIVATE | MAP_ANONYMOUS |
					     MAP_FIXED_NOREPLACE, -1, 0);
		if (buffer->places[place] == MAP_FAILED ||
		    munmap(buffer->places[place], size))
			fatal("no room for the buffers");
		buffer->pages[place] = own_memory(max_pages *
						  sizeof(struct page));
	}
}

void set_up_buffers(void)
{
	unsigned int i;

	for (i = 0; i < NR_BUFFERS; i++)
		set_up_buffer(&buffers[i], i);
}
