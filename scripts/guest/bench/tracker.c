// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes to register a range, to invalidate memory with ranges about, and
 * to become valid again.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"

static double register_once(unsigned long nr, bool random)
{
	char *p = map(nr * 2 * PAGE, 0);
	uint64_t ns = bench(BENCH_INSERT, p, nr, random);

	ns += bench(BENCH_REMOVE, p, nr, random);
	munmap(p, nr * 2 * PAGE);
	return (double)ns / nr;
}

static double register_many(unsigned long nr, bool random)
{
	double ns, least = register_once(nr, random);

	for (int i = 1; i < REPEAT; i++) {
		ns = register_once(nr, random);
		least = ns < least ? ns : least;
	}
	return least;
}

static double register_1(void) { return register_many(1, false); }
static double register_100(void) { return register_many(100, false); }
static double register_10000(void) { return register_many(10000, false); }
static double register_10000_random(void) { return register_many(10000, true); }
static double register_growth(void) { return register_10000() - register_1(); }

/*
 * One page, with so many ranges in the mm: one of them has the page, or all are
 * elsewhere.
 */
static double munmap_page(unsigned long nr, bool hit)
{
	char *p = map(nr * 2 * PAGE + SIZE, 0);
	char *first = hit ? p : p + nr * 2 * PAGE + HUGE;
	uint64_t ns, least = UINT64_MAX;

	if (nr)
		bench(BENCH_INSERT, p, nr, false);
	for (int i = 0; i < 20; i++) {
		char *page = first + 2 * i * PAGE;

		*page = 1;
		ns = bench(BENCH_MUNMAP, page, PAGE, 0);
		least = ns < least ? ns : least;
	}
	if (nr)
		bench(BENCH_REMOVE, p, nr, false);
	munmap(p, nr * 2 * PAGE + SIZE);
	return least;
}

static double munmap_plain(void) { return munmap_page(0, false); }
static double munmap_10000(void) { return munmap_page(10000, false); }
static double munmap_hit(void) { return munmap_page(10000, true); }

/*
 * So many pages, far from each other, go after the walk of a range that is
 * present: all of it again? Each is there once more before the next walk.
 *
 * Returns how many walks it takes until the range is valid after the last time.
 */
static double converge(unsigned int times, unsigned int hits)
{
	const size_t size = 1024 * MIB, apart = size / hits;
	char *p = pages_4k(size);
	struct hmm_bench args = {
		.op = BENCH_WALK, .repeat = 1, .arg = BENCH_WRITE,
	};
	uint64_t first, all;

	bench(BENCH_RANGE, p, size, 0);
	bench(BENCH_WALK, p, size, BENCH_WRITE);
	first = ask(&args);
	all = first;
	args.arg |= BENCH_RETRY;
	for (unsigned int i = 0; i < times; i++) {
		for (unsigned int k = 0; k < hits; k++) {
			char *page = p + k * apart + apart / 2 + 2 * i * PAGE;

			madvise(page, PAGE, MADV_DONTNEED);
			*page = 1;
		}
		all += ask(&args);
		if (errno)
			fail("walk");
	}
	bench(BENCH_DROP, p, size, 0);
	munmap(p, size);
	return (double)all / first;
}

static double converge_1g(void) { return converge(1, 1); }
static double converge_1g_8x10(void) { return converge(10, 8); }

/* Three threads that map, touch and unmap while one faults page by page. */

static bool churning;

static void *churn(void *unused)
{
	(void)unused;
	while (__atomic_load_n(&churning, __ATOMIC_RELAXED)) {
		char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			break;
		for (int i = 0; i < 16; i++)
			p[i * PAGE] = 1;
		munmap(p, 16 * PAGE);
	}
	return NULL;
}

/* Nanoseconds a page, of two seconds that are spent on faults. */
static double contention(bool present)
{
	char *p = pages_4k(SIZE);
	struct hmm_bench args = {
		.op = BENCH_PAGES, .size = 16 * PAGE, .arg = BENCH_WRITE, .step = 1,
	};
	uint64_t ns = 0, pages = 0;
	pthread_t threads[3];

	bench(BENCH_RANGE, p, SIZE, 0);
	churning = true;
	for (int i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, churn, NULL))
			exit(1);
	while (ns < 2000000000) {
		char *part = p + pages * PAGE % SIZE;

		if (!present)
			madvise(part, 16 * PAGE, MADV_DONTNEED);
		args.addr = (uintptr_t)part;
		ns += ask(&args);
		if (errno)
			fail("pages");
		pages += 16;
	}
	__atomic_store_n(&churning, false, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	bench(BENCH_DROP, p, SIZE, 0);
	munmap(p, SIZE);
	return (double)ns / pages;
}

static double contention_cold(void) { return contention(false); }
static double contention_present(void) { return contention(true); }

const struct bench_case tracker_cases[] = {
	{ "munmap-plain",		munmap_plain },
	{ "register-1",			register_1 },
	{ "register-100",		register_100 },
	{ "register-10000",		register_10000 },
	{ "register-10000-random",	register_10000_random },
	{ "register-growth",		register_growth },
	{ "munmap-10000",		munmap_10000 },
	{ "munmap-hit",			munmap_hit },
	{ "converge-1g",		converge_1g },
	{ "converge-1g-8x10",		converge_1g_8x10 },
	{ "contention-cold",		contention_cold },
	{ "contention-present",		contention_present },
	{ }
};
