// SPDX-License-Identifier: GPL-2.0
/*
 * Walks of memory of which each page differs from the next, with whatever in the
 * array, and of few pages a call: none may take longer than on the base. Memory
 * that a fault walks is present already.
 */
#include <sys/mman.h>

#include "bench.h"

/* By calls of so many pages, as a driver's handler of single faults does. */
static double by_calls(unsigned int step, unsigned int mode)
{
	char *p = pages_4k(SIZE);
	struct hmm_bench args = {
		.op = BENCH_PAGES, .addr = (uintptr_t)p, .size = HUGE,
		.arg = mode, .step = step,
	};
	uint64_t ns;

	bench(BENCH_RANGE, p, SIZE, 0);
	if (!ask(&args))
		fail("pages");
	ns = ask(&args);
	bench(BENCH_DROP, p, SIZE, 0);
	munmap(p, SIZE);
	return (double)ns / (HUGE / PAGE);
}

static double fault_1(void) { return by_calls(1, BENCH_WRITE); }
static double fault_16(void) { return by_calls(16, BENCH_WRITE); }
static double snapshot_1(void) { return by_calls(1, BENCH_SNAPSHOT); }
static double snapshot_16(void) { return by_calls(16, BENCH_SNAPSHOT); }

const struct bench_case neighbour_cases[] = {
	{ "snapshot-rw-ro", .make = writable_readonly },
	{ "read-rw-ro", .make = writable_readonly, .mode = BENCH_READ },
	{ "snapshot-page-hole", .make = page_hole },
	{ "snapshot-page-zero", .make = zero_page },
	{ "read-page-zero", .make = zero_page, .mode = BENCH_READ },
	{ "snapshot-one-in-eight", .make = one_in_eight },
	{ "snapshot-scattered", .make = scattered },
	{ "fault-scattered", .make = scattered, .mode = BENCH_WRITE },
	{ "snapshot-64k-each", .make = folios_64k_each },
	{ "snapshot-vma-each", .make = vma_each },
	{ "read-vma-each", .make = vma_each, .mode = BENCH_READ },
	{ "snapshot-guard-each", .make = guard_each },
	{ "snapshot-no-access", .make = no_access },
	{ "snapshot-no-access-each", .make = no_access_each },
	{ "snapshot-swap", .make = swapped },
	{ "snapshot-swap-each", .make = swapped_each },
	{ "snapshot-private", .make = private },
	{ "snapshot-private-each", .make = private_each },
	{ "fault-private-each", .make = private_each, .mode = BENCH_WRITE },
	{ "snapshot-foreign-each", .make = private_each, .flags = BENCH_FOREIGN },
	{ "snapshot-exclusive-each", .make = exclusive_each },
	{ "snapshot-pmd-hole", .make = pmd_hole },
	{ "snapshot-pmd-4k", .make = pmd_4k },
	{ "snapshot-4k-old", .make = pages_4k, .fill = FILL_OTHER },
	{ "snapshot-4k-random", .make = pages_4k, .fill = FILL_RANDOM },
	{ "snapshot-4k-sticky", .make = pages_4k, .fill = FILL_STICKY },
	{ "snapshot-rw-ro-old", .make = writable_readonly, .fill = FILL_OTHER },
	{ "snapshot-page-hole-old", .make = page_hole, .fill = FILL_OTHER },
	{ "snapshot-page-hole-sticky", .make = page_hole, .fill = FILL_STICKY },
	{ "snapshot-pmd-old", .make = pages_pmd, .fill = FILL_OTHER },
	{ "snapshot-pmd-random", .make = pages_pmd, .fill = FILL_RANDOM },
	{ "snapshot-pmd-sticky", .make = pages_pmd, .fill = FILL_STICKY },
	{ "snapshot-hole-random", .make = hole_pmd, .fill = FILL_RANDOM },
	{ "snapshot-hole-sticky", .make = hole_pmd, .fill = FILL_STICKY },
	{ "fault-4k-random", .make = pages_4k, .mode = BENCH_WRITE, .fill = FILL_RANDOM },
	{ "fault-mask", .make = pages_4k, .mode = BENCH_WRITE, .fill = FILL_ASK_ALL },
	{ "fault-mask-half", .make = pages_4k, .mode = BENCH_WRITE, .fill = FILL_ASK_HALF },
	{ "fault-mask-page-hole", .make = page_hole, .mode = BENCH_WRITE, .fill = FILL_ASK_HALF },
	{ "fault-mask-pmd", .make = pages_pmd, .mode = BENCH_WRITE, .fill = FILL_ASK_ALL },
	{ "fault-pages", .run = fault_1 },
	{ "fault-pages-16", .run = fault_16 },
	{ "snapshot-pages", .run = snapshot_1 },
	{ "snapshot-pages-16", .run = snapshot_16 },
	{ }
};
