/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of hmm_range_stress share: the states of pages, buffers, and
 * what is counted. hmm_range_stress.c explains it.
 */
#ifndef _SELFTESTS_MM_HMM_RANGE_STRESS_H
#define _SELFTESTS_MM_HMM_RANGE_STRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/types.h>

#include "kselftest.h"
#include "hmm_range_dev.h"

#define NR_BUFFERS	3
/* At most: one for each way to tear entries down, of each interface. */
#define NR_DEVICES	6
/* Each buffer can lie in either of two places, page by page. */
#define NR_PLACES	2

/*
 * Kinds of memory.
 */

enum memory { ANONYMOUS, SHMEM, FILES, HUGETLB, MERGED, DEVICE, NR_MEMORIES };

/*
 * @shared: it has an object behind it, which keeps what is no longer mapped
 * @same: all pages of one content are equal, so that they can be merged
 * @huge: only huge pages can be mapped, and the like
 * @max_size: of a buffer, in MiB
 */
struct memory_kind {
	const char	*name;
	bool		shared;
	bool		same;
	bool		huge;
	unsigned long	max_size;
};

extern const struct memory_kind memory_kinds[NR_MEMORIES];

struct options {
	unsigned long	seconds;
	unsigned long	max_size;
	uint64_t	seed;
	const char	*csv;
	const char	*files;
	int		memory;
	bool		skip_check;
	bool		compare;
	bool		ops;
};

extern struct options options;
/* The kind that is being run. */
extern enum memory memory;
extern unsigned long page_size;
extern unsigned long max_pages;
extern atomic_bool stop;

/*
 * What is counted: for each of the two interfaces that devices use, for each
 * kind of change of the process, and for each kind of invalidation.
 */

enum api { TRACKED, INTERVAL, NR_APIS };

/* The ones up to NR_COLUMNS are printed each second. */
enum count {
	RANGES, PAGES, WRITTEN, INVALIDATIONS, RETRIES, PAGES_AGAIN, WAITS,
	LONGEST_WAIT, LONGEST_CALL, MISMATCHES,
	NR_COLUMNS,
	LOOSE = NR_COLUMNS, TIMEOUTS, ERRORS,
	NR_COUNTS
};

enum change {
	WRITE, LOOK, DISCARD, MAP, UNMAP, PROTECT, MOVE, RESIZE, FORK, COLLAPSE,
	PAGEOUT, MIGRATE, SOFT_DIRTY, WRITEBACK, MERGE, TO_DEVICE, EXCLUSIVE,
	LOCK_OUT, COPY,
	NR_CHANGES
};

/*
 * In memory that children share, so that they can count as well.
 *
 * @devices: by interface, see enum count
 * @changes: of the process, those that were made
 * @events: invalidations by their event
 * @cpu_ms: how much CPU the process got, as far as the kernel knows
 * @work_ms: how much it could do in this time, see measure_speed()
 * @seconds: how long it ran
 * @still: seconds in which no device read a page
 * @reports: how often complain() was called, for each kind of count
 */
struct counts {
	atomic_ulong	devices[NR_APIS][NR_COUNTS];
	atomic_ulong	changes[NR_CHANGES];
	atomic_ulong	events[NOTIFY_NR];
	atomic_ulong	cpu_ms;
	atomic_ulong	work_ms;
	atomic_ulong	seconds;
	atomic_ulong	still;
	atomic_ulong	reports[NR_COUNTS];
};

extern struct counts *counts;
extern const char * const count_names[NR_COUNTS];

static inline void count(enum api api, enum count what, unsigned long n)
{
	atomic_fetch_add_explicit(&counts->devices[api][what], n,
				  memory_order_relaxed);
}

static inline void count_change(enum change what, unsigned long n)
{
	atomic_fetch_add_explicit(&counts->changes[what], n,
				  memory_order_relaxed);
}

__printf(3, 4)
void complain(enum api api, enum count what, const char *format, ...);
__noreturn void fatal(const char *what);
void *own_memory(size_t size);

/*
 * Random numbers.
 */

uint64_t thread_seed(unsigned int n);
uint64_t next_random(uint64_t *random);
unsigned long below(uint64_t *random, unsigned long limit);
unsigned long any_size(uint64_t *random, unsigned long max);

/*
 * States.
 */

enum access { UNMAPPED, NO_ACCESS, READ_ONLY, READ_WRITE };

/* How many changes of a page, while it is read, can be told apart. */
#define NR_HISTORY	16

/*
 * The states of a page. Each is one word: number of changes (30 bits), access
 * (2), content (32).
 *
 * @history: the last states that were announced, by number of changes
 */
struct page {
	atomic_ullong	announced;
	atomic_ullong	confirmed;
	atomic_ullong	history[NR_HISTORY];
};

static inline enum access state_access(__u64 state)
{
	return (state >> 32) & 3;
}

static inline uint32_t state_content(__u64 state)
{
	return state;
}

static inline uint32_t state_changes(__u64 state)
{
	return state >> 34;
}

static inline enum access page_access(struct page *page)
{
	return state_access(atomic_load(&page->confirmed));
}

void announce(struct page *page, enum access access, uint32_t content);
void confirm(struct page *page);
void announce_all(struct page *pages, unsigned long nr, enum access access,
		  uint32_t content);
void confirm_all(struct page *pages, unsigned long nr);
__u64 past_state(struct page *page, uint32_t changes);
void take_states(struct page *pages, unsigned long nr, __u64 *states);

/*
 * Buffers.
 */

/*
 * @lock: held by whoever changes the states or the content of the pages
 * @waiting: devices that wait for @lock, or hold it; they come first
 * @turn: none of them is left
 * @places: address of each of the two places
 * @pages: states, page by page, of each place
 * @nr: how many pages are in use
 * @content: the last content that was given out
 * @fd: of the object behind it; -1 if there is none
 * @half: which half of that object the first place maps, page by page
 */
struct buffer {
	pthread_mutex_t	lock;
	pthread_cond_t	turn;
	atomic_int	waiting;
	unsigned int	number;
	char		*places[NR_PLACES];
	struct page	*pages[NR_PLACES];
	atomic_ulong	nr;
	uint32_t	content;
	int		fd;
	bool		*half;
};

extern struct buffer buffers[NR_BUFFERS];

/* @nr pages of a place of a buffer, from @first on. */
struct run {
	struct buffer	*buffer;
	unsigned int	place;
	unsigned long	first;
	unsigned long	nr;
};

static inline char *run_address(const struct run *run)
{
	return run->buffer->places[run->place] + run->first * page_size;
}

static inline struct page *run_pages(const struct run *run)
{
	return &run->buffer->pages[run->place][run->first];
}

static inline size_t run_bytes(const struct run *run)
{
	return run->nr * page_size;
}

void any_run(struct run *run, struct buffer *buffer, uint64_t *random);
enum access cut_to_access(struct run *run);
uint64_t page_word(const struct buffer *buffer, unsigned long index,
		   uint32_t content);
void fill_page(uint64_t *to, uint64_t word);
long differing_word(const uint64_t *page, uint64_t word);
void device_lock_buffer(struct buffer *buffer);
void device_unlock_buffer(struct buffer *buffer);

/*
 * The parts that run.
 */

void set_up_buffers(void);
void *change_thread(void *buffer);
void *advise_thread(void *unused);
void *fork_thread(void *unused);
void *device_memory_thread(void *unused);
void protect_run(struct run *run, enum access access);
pid_t fork_onlooker(enum api api, const struct run *run, uint32_t content,
		    int *tell);
void tell_onlooker(pid_t pid, int tell);

void set_up_devices(void);
unsigned int nr_devices(void);
void *device_thread(void *number);
void count_devices(void);

/* At most. */
#define NR_TESTS	7

struct verdict {
	bool		passes;
	const char	*what;
};

uint64_t take_steps(unsigned long n);
void print_counts(void);
unsigned int nr_tests(void);
bool enough_yet(void);
void judge_memory(bool ended, struct verdict verdicts[NR_TESTS]);

#endif /* _SELFTESTS_MM_HMM_RANGE_STRESS_H */
