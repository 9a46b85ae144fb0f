// SPDX-License-Identifier: GPL-2.0
/*
 * The program of make bench: bench CASE... prints "case value" for each, in
 * instructions, per page of 4 KiB unless the name says otherwise. It is the same
 * for all kernels; the module does what is measured. legacy-CASE is CASE by
 * interval notifiers on a kernel that has tracked ranges too.
 *
 * Each case is run by a process of its own, so that no notifier of an earlier one
 * is left in its mm, and one that fails is no more than not measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* hmm_range.flags */
#define SPARSE	1

static int fd;

void fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* Returns 0 and sets errno, or returns what was measured, if anything was. */
uint64_t ask(struct hmm_bench *args)
{
	errno = 0;
	if (ioctl(fd, HMM_BENCH_IOC, args))
		return 0;
	return args->ns;
}

uint64_t try_bench(unsigned int op, void *addr, size_t size, uint64_t arg)
{
	struct hmm_bench args = {
		.op = op, .repeat = REPEAT, .addr = (uintptr_t)addr,
		.size = size, .arg = arg,
	};

	return ask(&args);
}

uint64_t bench(unsigned int op, void *addr, size_t size, uint64_t arg)
{
	uint64_t ns = try_bench(op, addr, size, arg);
	char what[16];

	if (!ns && op != BENCH_RANGE && op != BENCH_DROP && op != BENCH_PLAIN) {
		snprintf(what, sizeof(what), "op %u", op);
		fail(what);
	}
	return ns;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

double median(double *values, unsigned int nr)
{
	qsort(values, nr, sizeof(*values), compare);
	return values[nr / 2];
}

static double walked(char *p, size_t size, unsigned int mode, unsigned int flags,
		     enum hmm_bench_fill fill)
{
	struct hmm_bench args = {
		.op = BENCH_WALK, .repeat = REPEAT, .arg = mode, .fill = fill,
	};
	uint64_t ns;

	if (try_bench(BENCH_RANGE, p, size, flags), errno)
		fail("range");
	ns = ask(&args);
	if (errno)
		fail("walk");
	bench(BENCH_DROP, p, size, 0);
	munmap(p, size);
	return (double)ns / (size / PAGE);
}

static double snapshot(char *p, size_t size)
{
	return walked(p, size, BENCH_SNAPSHOT, 0, FILL_KEEP);
}

static double snapshot_pmd_sparse(void)
{
	return walked(pages_pmd(SIZE), SIZE, BENCH_SNAPSHOT, SPARSE, FILL_KEEP);
}

static double snapshot_hugetlb(void)
{
	return snapshot(populated(SIZE, 0, MAP_HUGETLB), SIZE);
}

static double snapshot_hole_pud(void)
{
	return snapshot(map(1024 * MIB, 0), 1024 * MIB);
}

/* Memory of a device, which setup has made a DAX device of 4 KiB pages of. */
static double snapshot_zone_device(void)
{
	char *p = map(SIZE, 0);
	int dax = open("/dev/dax0.0", O_RDWR);

	if (dax < 0 || mmap(p, SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, dax, 0) != p)
		fail("/dev/dax0.0");
	close(dax);
	memset(p, 1, SIZE);
	return snapshot(p, SIZE);
}

static double snapshot_4k_2m(void) { return snapshot(pages_4k(2 * MIB), 2 * MIB); }
static double snapshot_4k_1g(void) { return snapshot(pages_4k(1024 * MIB), 1024 * MIB); }
static double snapshot_pmd_2m(void) { return snapshot(pages_pmd(2 * MIB), 2 * MIB); }
static double snapshot_pmd_1g(void) { return snapshot(pages_pmd(1024 * MIB), 1024 * MIB); }

/* With so many other ranges in the mm, of a page each. */
static double snapshot_ranges(unsigned long nr)
{
	char *p = map(nr * 2 * PAGE, 0);
	double value;

	bench(BENCH_INSERT, p, nr, false);
	value = snapshot(pages_4k(SIZE), SIZE);
	bench(BENCH_REMOVE, p, nr, false);
	munmap(p, nr * 2 * PAGE);
	return value;
}

static double snapshot_100_ranges(void) { return snapshot_ranges(100); }
static double snapshot_10000_ranges(void) { return snapshot_ranges(10000); }

/* With so many other vmas in the mm: every other page has no access. */
static double snapshot_vmas(unsigned long nr)
{
	char *p = map(nr * PAGE, 0);
	double value;

	for (unsigned long i = 0; i < nr; i += 2)
		if (mprotect(p + i * PAGE, PAGE, PROT_NONE))
			fail("mprotect");
	value = snapshot(pages_4k(SIZE), SIZE);
	munmap(p, nr * PAGE);
	return value;
}

static double snapshot_100_vmas(void) { return snapshot_vmas(100); }
static double snapshot_10000_vmas(void) { return snapshot_vmas(10000); }

/*
 * Memory that nobody has touched, faulted in by a walk, or by bare calls of
 * handle_mm_fault(). What it takes to clear a page, 4096, is taken off.
 */
static double cold_once(int advice, int flags, size_t step, bool bare)
{
	struct hmm_bench args = { .op = BENCH_WALK, .repeat = 1, .arg = BENCH_WRITE };
	char *p = map(SIZE, flags);
	uint64_t ns;

	if (!(flags & MAP_HUGETLB))
		madvise(p, SIZE, advice);
	/* The first fault of a vma does more than the others. */
	memset(p, 1, 2 * HUGE);
	if (bare) {
		ns = bench(BENCH_TOUCH, p + 2 * HUGE, SIZE - 2 * HUGE, step);
	} else {
		bench(BENCH_RANGE, p + 2 * HUGE, SIZE - 2 * HUGE, 0);
		ns = ask(&args);
		if (errno)
			fail("cold");
		bench(BENCH_DROP, p, SIZE, 0);
	}
	munmap(p, SIZE);
	return (double)ns / ((SIZE - 2 * HUGE) / PAGE) - 4096;
}

/*
 * The median: where the pages come from differs from one time to the next. So
 * does how often the clock ticks while they are cleared, which is more than what
 * a walk adds to a huge page: those are taken more often.
 */
static double cold(int advice, int flags, size_t step, bool bare)
{
	double values[5 * REPEAT];
	int n = step == HUGE ? 5 * REPEAT : REPEAT;

	for (int i = 0; i < n; i++)
		values[i] = cold_once(advice, flags, step, bare);
	return median(values, n);
}

static double cold_4k(void) { return cold(MADV_NOHUGEPAGE, 0, PAGE, false); }
static double cold_4k_bare(void) { return cold(MADV_NOHUGEPAGE, 0, PAGE, true); }
static double cold_thp(void) { return cold(MADV_HUGEPAGE, 0, HUGE, false); }
static double cold_thp_bare(void) { return cold(MADV_HUGEPAGE, 0, HUGE, true); }
static double cold_hugetlb(void) { return cold(0, MAP_HUGETLB, HUGE, false); }
static double cold_hugetlb_bare(void) { return cold(0, MAP_HUGETLB, HUGE, true); }

static double cold_shmem(int advice, size_t step, bool bare)
{
	setting("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "advise");
	return cold(advice, MAP_SHARED, step, bare);
}

static double cold_shmem_4k(void) { return cold_shmem(MADV_NOHUGEPAGE, PAGE, false); }
static double cold_shmem_4k_bare(void) { return cold_shmem(MADV_NOHUGEPAGE, PAGE, true); }
static double cold_shmem_thp(void) { return cold_shmem(MADV_HUGEPAGE, HUGE, false); }
static double cold_shmem_thp_bare(void) { return cold_shmem(MADV_HUGEPAGE, HUGE, true); }

static double dma(bool unmap, bool whole, unsigned int flags)
{
	char *p = populated(HUGE, MADV_HUGEPAGE, 0);
	uint64_t mapped, unmapped;

	bench(BENCH_RANGE, p, HUGE, flags);
	if (errno)
		fail("a range for DMA");
	bench(BENCH_WALK, p, HUGE, BENCH_WRITE);
	mapped = try_bench(BENCH_DMA_MAP, p, HUGE, whole);
	unmapped = mapped ? bench(BENCH_DMA_UNMAP, p, HUGE, whole) : 0;
	bench(BENCH_DROP, p, HUGE, 0);
	munmap(p, HUGE);
	return unmap ? unmapped : mapped;
}

static double dma_map_pages(void) { return dma(false, false, BENCH_DIRECT); }
static double dma_unmap_pages(void) { return dma(true, false, BENCH_DIRECT); }
static double dma_map_range(void) { return dma(false, true, BENCH_DIRECT); }
static double dma_unmap_range(void) { return dma(true, true, BENCH_DIRECT); }
static double dma_map_pages_iova(void) { return dma(false, false, BENCH_IOVA); }
static double dma_unmap_pages_iova(void) { return dma(true, false, BENCH_IOVA); }
static double dma_map_range_iova(void) { return dma(false, true, BENCH_IOVA); }
static double dma_unmap_range_iova(void) { return dma(true, true, BENCH_IOVA); }

static uint64_t gup_least(char *p, size_t size, bool pin)
{
	uint64_t ns, least = UINT64_MAX;

	for (int i = 0; i < REPEAT; i++) {
		ns = bench(BENCH_GUP, p, size, pin);
		least = ns < least ? ns : least;
	}
	return least;
}

/* What a page takes, without what a call does: the difference of two sizes. */
static double gup_fast(int advice, bool pin)
{
	char *p = populated(SIZE, advice, 0);
	uint64_t ns = gup_least(p, SIZE, pin) - gup_least(p, HUGE, pin);

	munmap(p, SIZE);
	return (double)ns / ((SIZE - HUGE) / PAGE);
}

static double gup_fast_4k(void) { return gup_fast(MADV_NOHUGEPAGE, false); }
static double gup_fast_thp(void) { return gup_fast(MADV_HUGEPAGE, false); }
static double pin_fast_4k(void) { return gup_fast(MADV_NOHUGEPAGE, true); }
static double pin_fast_thp(void) { return gup_fast(MADV_HUGEPAGE, true); }

static const struct bench_case walk_cases[] = {
	{ "snapshot-4k",		.make = pages_4k },
	{ "fault-4k",			.make = pages_4k, .mode = BENCH_WRITE },
	{ "snapshot-pmd",		.make = pages_pmd },
	{ "fault-pmd",			.make = pages_pmd, .mode = BENCH_WRITE },
	{ "snapshot-hole-pmd",		.make = hole_pmd },
	{ "snapshot-4k-2m",		snapshot_4k_2m },
	{ "snapshot-4k-1g",		snapshot_4k_1g },
	{ "snapshot-4k-100-ranges",	snapshot_100_ranges },
	{ "snapshot-4k-10000-ranges",	snapshot_10000_ranges },
	{ "snapshot-4k-100-vmas",	snapshot_100_vmas },
	{ "snapshot-4k-10000-vmas",	snapshot_10000_vmas },
	{ "snapshot-64k-folios",	.make = folios_64k },
	{ "fault-64k-folios",		.make = folios_64k, .mode = BENCH_WRITE },
	{ "snapshot-zone-device",	snapshot_zone_device },
	{ "snapshot-pmd-2m",		snapshot_pmd_2m },
	{ "snapshot-pmd-1g",		snapshot_pmd_1g },
	{ "snapshot-hugetlb",		snapshot_hugetlb },
	{ "snapshot-hole-pud",		snapshot_hole_pud },
	{ "snapshot-pmd-sparse",	snapshot_pmd_sparse },
	{ "cold-4k-bare",		cold_4k_bare },
	{ "cold-4k",			cold_4k },
	{ "cold-thp-bare",		cold_thp_bare },
	{ "cold-thp",			cold_thp },
	{ "cold-shmem-4k-bare",		cold_shmem_4k_bare },
	{ "cold-shmem-4k",		cold_shmem_4k },
	{ "cold-shmem-thp-bare",	cold_shmem_thp_bare },
	{ "cold-shmem-thp",		cold_shmem_thp },
	{ "cold-hugetlb-bare",		cold_hugetlb_bare },
	{ "cold-hugetlb",		cold_hugetlb },
	{ "dma-map-pages",		dma_map_pages },
	{ "dma-unmap-pages",		dma_unmap_pages },
	{ "dma-map-range",		dma_map_range },
	{ "dma-unmap-range",		dma_unmap_range },
	{ "dma-map-pages-iova",		dma_map_pages_iova },
	{ "dma-unmap-pages-iova",	dma_unmap_pages_iova },
	{ "dma-map-range-iova",		dma_map_range_iova },
	{ "dma-unmap-range-iova",	dma_unmap_range_iova },
	{ "gup-fast-4k",		gup_fast_4k },
	{ "gup-fast-thp",		gup_fast_thp },
	{ "pin-fast-4k",		pin_fast_4k },
	{ "pin-fast-thp",		pin_fast_thp },
	{ }
};

static const struct bench_case *const all[] = {
	walk_cases, neighbour_cases, copy_cases, tracker_cases,
};

static const struct bench_case *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		for (const struct bench_case *c = all[i]; c->name; c++)
			if (!strcmp(c->name, name))
				return c;
	return NULL;
}

/* The name without what the module or copies() is told by another way. */
static const struct bench_case *parse(const char *name, bool *legacy, bool *bare)
{
	const struct bench_case *c;
	char buffer[64];
	size_t length;

	*legacy = !strncmp(name, "legacy-", 7);
	*bare = false;
	if (*legacy)
		name += 7;
	c = find(name);
	length = strlen(name);
	if (c || length < 5 || length >= sizeof(buffer) ||
	    strcmp(name + length - 5, "-bare"))
		return c;
	*bare = true;
	strcpy(buffer, name);
	buffer[length - 5] = 0;
	return find(buffer);
}

/* Nothing that was measured is 0: the kernel cannot do it. */
static void report(const char *name)
{
	bool legacy, bare;
	const struct bench_case *c = parse(name, &legacy, &bare);
	double value;

	fd = open("/dev/hmm_bench", O_RDWR);
	if (!c || fd < 0)
		fail(c ? "/dev/hmm_bench" : "no such case");
	if (legacy)
		try_bench(BENCH_LEGACY, NULL, 0, 0);
	if (c->run)
		value = c->run();
	else if (c->copies)
		value = copies(c, bare);
	else
		value = walked(c->make(SIZE), SIZE, c->mode, c->flags, c->fill);
	if (!value)
		fail("nothing measured");
	printf("%s %.3f\n", name, value);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int status;

	for (int i = 1; i < argc; i++) {
		pid_t child = fork();

		if (!child) {
			report(argv[i]);
			_exit(0);
		}
		if (waitpid(child, &status, 0) != child)
			fail("waitpid");
		if (status)
			fprintf(stderr, "bench: %s: not measured\n", argv[i]);
	}
	return 0;
}
