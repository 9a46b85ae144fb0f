/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the benchmark's program share.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hmm_bench.h"

#define PAGE	4096UL
#define HUGE	(512 * PAGE)
#define MIB	(1024 * 1024UL)
#define SIZE	(64 * MIB)
#define REPEAT	5
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* SHARED: with a child. */
enum copies { NO_COPIES, PRIVATE, SHARED };

/*
 * A case: what @run returns, or, without @run, what a walk takes for each page
 * of the memory that @make makes.
 *
 * @size: how much of it, where @copies is set; else SIZE
 * @copies: the memory is faulted once, and each fault invalidates it; CASE-bare is
 *	the same by handle_mm_fault()
 * @mode: BENCH_SNAPSHOT and so on
 * @fill: what the array holds before each walk
 * @flags: as for BENCH_RANGE
 */
struct bench_case {
	const char *name;
	double (*run)(void);
	char *(*make)(size_t size);
	size_t size;
	enum copies copies;
	unsigned int mode;
	enum hmm_bench_fill fill;
	unsigned int flags;
};

/* Each ends with an empty one. */
extern const struct bench_case neighbour_cases[], copy_cases[], tracker_cases[];

/* bench.c */
uint64_t ask(struct hmm_bench *args);
uint64_t try_bench(unsigned int op, void *addr, size_t size, uint64_t arg);
uint64_t bench(unsigned int op, void *addr, size_t size, uint64_t arg);
double median(double *values, unsigned int nr);
void fail(const char *what);

/* copies.c */
double copies(const struct bench_case *c, bool bare);

/* memory.c: what is walked */
void *map(size_t size, int flags);
void *populated(size_t size, int advice, int flags);
void setting(const char *name, const char *value);
char *pages_4k(size_t size);
char *pages_pmd(size_t size);
char *folios_64k(size_t size);
char *folios_64k_each(size_t size);
char *hole_pmd(size_t size);
char *writable_readonly(size_t size);
char *page_hole(size_t size);
char *zero_page(size_t size);
char *zeroes(size_t size);
char *one_in_eight(size_t size);
char *vma_each(size_t size);
char *guard_each(size_t size);
char *no_access(size_t size);
char *no_access_each(size_t size);
char *swapped(size_t size);
char *swapped_each(size_t size);
char *private(size_t size);
char *private_each(size_t size);
char *exclusive(size_t size);
char *exclusive_each(size_t size);
char *scattered(size_t size);
char *pmd_hole(size_t size);
char *pmd_4k(size_t size);

#endif /* BENCH_H */
