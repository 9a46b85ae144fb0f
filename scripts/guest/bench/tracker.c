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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

enum where { ELSEWHERE, HIT, GONE };

/*
 * One page, with so many ranges in the mm: one of them has the page, all are
 * elsewhere, or all are gone again.
 */
static double munmap_page(unsigned long nr, enum where where)
{
	char *p = map(nr * 2 * PAGE + SIZE, 0);
	char *first = where == HIT ? p : p + nr * 2 * PAGE + HUGE;
	uint64_t ns, least = UINT64_MAX;

	if (nr)
		bench(BENCH_INSERT, p, nr, false);
	if (where == GONE)
		bench(BENCH_REMOVE, p, nr, false);
	for (int i = 0; i < 20; i++) {
		char *page = first + 2 * i * PAGE;

		*page = 1;
		ns = bench(BENCH_MUNMAP, page, PAGE, 0);
		least = ns < least ? ns : least;
	}
	if (nr && where != GONE)
		bench(BENCH_REMOVE, p, nr, false);
	munmap(p, nr * 2 * PAGE + SIZE);
	return least;
}

static double munmap_plain(void) { return munmap_page(0, ELSEWHERE); }
static double munmap_1(void) { return munmap_page(1, ELSEWHERE); }
static double munmap_100(void) { return munmap_page(100, ELSEWHERE); }
static double munmap_10000(void) { return munmap_page(10000, ELSEWHERE); }
static double munmap_hit(void) { return munmap_page(10000, HIT); }

static double munmap_notifier(void)
{
	char *p = map(PAGE, 0);

	bench(BENCH_PLAIN, p, PAGE, 0);
	munmap(p, PAGE);
	return munmap_page(0, ELSEWHERE);
}

static double munmap_tracked(void) { return munmap_page(1, GONE); }

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* A fork that copies one page of what so many ranges cover, and hits them all. */
static double fork_hit(unsigned long nr)
{
	char *p = map(nr * 2 * PAGE, 0);
	uint64_t ns, least = UINT64_MAX;

	*p = 1;
	if (nr > 1)
		bench(BENCH_INSERT, p, nr, false);
	for (int i = 0; i < REPEAT; i++) {
		pid_t child;

		ns = now();
		child = fork();
		if (!child)
			_exit(0);
		ns = now() - ns;
		least = ns < least ? ns : least;
		if (child < 0 || waitpid(child, NULL, 0) != child)
			fail("fork");
	}
	if (nr > 1)
		bench(BENCH_REMOVE, p, nr, false);
	munmap(p, nr * 2 * PAGE);
	return least;
}

static double fork_hit_10000(void) { return fork_hit(10000); }

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

/* Threads that map, touch and unmap: three while one faults page by page, */

static bool churning;
static unsigned long churned;

static void *churn(void *unused)
{
	unsigned long pages = 0;

	(void)unused;
	while (__atomic_load_n(&churning, __ATOMIC_RELAXED)) {
		char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			break;
		for (int i = 0; i < 16; i++)
			p[i * PAGE] = 1;
		munmap(p, 16 * PAGE);
		pages += 16;
	}
	__atomic_add_fetch(&churned, pages, __ATOMIC_RELAXED);
	return NULL;
}

static void start_churning(pthread_t *threads, unsigned int nr)
{
	churned = 0;
	churning = true;
	for (unsigned int i = 0; i < nr; i++)
		if (pthread_create(&threads[i], NULL, churn, NULL))
			exit(1);
}

static void stop_churning(pthread_t *threads, unsigned int nr)
{
	__atomic_store_n(&churning, false, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
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
	start_churning(threads, 3);
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
	stop_churning(threads, 3);
	bench(BENCH_DROP, p, SIZE, 0);
	munmap(p, SIZE);
	return (double)ns / pages;
}

static double contention_cold(void) { return contention(false); }
static double contention_present(void) { return contention(true); }

/* or so many alone, beside ranges that have nothing to do with it. */
static double contention_own(unsigned int nr_threads, unsigned long nr)
{
	char *p = map((nr + 1) * 2 * PAGE, 0);
	pthread_t threads[16];
	uint64_t ns;

	if (nr)
		bench(BENCH_INSERT, p, nr, false);
	ns = now();
	start_churning(threads, nr_threads);
	usleep(1000000);
	stop_churning(threads, nr_threads);
	ns = now() - ns;
	if (nr)
		bench(BENCH_REMOVE, p, nr, false);
	munmap(p, (nr + 1) * 2 * PAGE);
	return (double)ns / churned;
}

static double contention_4_0(void) { return contention_own(4, 0); }
static double contention_4_1(void) { return contention_own(4, 1); }
static double contention_4_1000(void) { return contention_own(4, 1000); }
static double contention_16_0(void) { return contention_own(16, 0); }
static double contention_16_1(void) { return contention_own(16, 1); }
static double contention_16_1000(void) { return contention_own(16, 1000); }

const struct bench_case tracker_cases[] = {
	{ "munmap-plain",		munmap_plain },
	{ "munmap-notifier",		munmap_notifier },
	{ "munmap-tracked",		munmap_tracked },
	{ "munmap-1",			munmap_1 },
	{ "munmap-100",			munmap_100 },
	{ "register-1",			register_1 },
	{ "register-100",		register_100 },
	{ "register-10000",		register_10000 },
	{ "register-10000-random",	register_10000_random },
	{ "register-growth",		register_growth },
	{ "munmap-10000",		munmap_10000 },
	{ "munmap-hit",			munmap_hit },
	{ "fork-hit-10000",		fork_hit_10000 },
	{ "converge-1g",		converge_1g },
	{ "converge-1g-8x10",		converge_1g_8x10 },
	{ "contention-cold",		contention_cold },
	{ "contention-present",		contention_present },
	{ "contention-4-0",		contention_4_0 },
	{ "contention-4-1",		contention_4_1 },
	{ "contention-4-1000",		contention_4_1000 },
	{ "contention-16-0",		contention_16_0 },
	{ "contention-16-1",		contention_16_1 },
	{ "contention-16-1000",		contention_16_1000 },
	{ }
};
