// SPDX-License-Identifier: GPL-2.0
/*
 * The program of make bench: bench CASE... prints "case value" for each, in
 * instructions, per page of 4 KiB unless the name says otherwise. It is the same
 * for all kernels; hmm_bench.c does what is measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hmm_bench.h"

#define PAGE	4096UL
#define HUGE	(512 * PAGE)
#define MIB	(1024 * 1024UL)
#define SIZE	(64 * MIB)
#define REPEAT	5

/* hmm_range.flags */
#define SPARSE	1

static int fd;

static uint64_t try_bench(unsigned int op, void *addr, size_t size, uint64_t arg)
{
	struct hmm_bench args = {
		.op = op, .repeat = REPEAT, .addr = (uintptr_t)addr,
		.size = size, .arg = arg,
	};

	errno = 0;
	if (ioctl(fd, HMM_BENCH_IOC, &args))
		return 0;
	return args.ns;
}

static uint64_t bench(unsigned int op, void *addr, size_t size, uint64_t arg)
{
	uint64_t ns = try_bench(op, addr, size, arg);

	if (!ns && op != BENCH_RANGE && op != BENCH_DROP) {
		fprintf(stderr, "bench: op %u: %s\n", op, strerror(errno));
		exit(1);
	}
	return ns;
}

static void *map(size_t size, int flags)
{
	char *p = mmap(NULL, size + 1024 * MIB, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	/* Nobody else is in the PUD, or in the first PMD of it. */
	char *start = (char *)(((uintptr_t)p + 1024 * MIB - 1) & ~(1024 * MIB - 1));

	if (p == MAP_FAILED ||
	    mmap(start, size, PROT_READ | PROT_WRITE,
		 (flags & MAP_SHARED ? 0 : MAP_PRIVATE) | MAP_ANONYMOUS |
		 MAP_FIXED | flags, -1, 0) != start) {
		perror("bench: mmap");
		exit(1);
	}
	if (!(flags & MAP_HUGETLB))
		madvise(start, size, MADV_NOHUGEPAGE);
	return start;
}

static void *populated(size_t size, int advice, int flags)
{
	char *p = map(size, flags);

	if (!(flags & MAP_HUGETLB))
		madvise(p, size, advice);
	memset(p, 1, size);
	return p;
}

static void setting(const char *name, const char *value)
{
	int file = open(name, O_WRONLY);

	if (file < 0 || write(file, value, strlen(value)) < 0) {
		fprintf(stderr, "bench: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	close(file);
}

/* Not above 0: the kernel cannot do it. Then there is nothing to report. */
static void report(const char *name, double value)
{
	if (value <= 0) {
		fprintf(stderr, "bench: %s: not measured\n", name);
		return;
	}
	printf("%s %.3f\n", name, value);
	fflush(stdout);
}

static double walked(char *p, size_t size, unsigned int kind, unsigned int flags)
{
	uint64_t ns;

	if (try_bench(BENCH_RANGE, p, size, flags), errno)
		return -1;
	ns = bench(BENCH_WALK, p, size, kind);
	bench(BENCH_DROP, p, size, 0);
	return (double)ns / (size / PAGE);
}

static double snapshot_and_free(char *p, size_t size, unsigned int kind,
				unsigned int flags)
{
	double value = walked(p, size, kind, flags);

	munmap(p, size);
	return value;
}

static double snapshot_4k(void)
{
	return snapshot_and_free(populated(SIZE, MADV_NOHUGEPAGE, 0), SIZE,
				 BENCH_SNAPSHOT, 0);
}

static double snapshot_64k_folios(void)
{
	double value;

	setting("/sys/kernel/mm/transparent_hugepage/enabled", "never");
	setting("/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled", "madvise");
	setting("/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/enabled", "never");
	value = snapshot_and_free(populated(SIZE, MADV_HUGEPAGE, 0), SIZE,
				  BENCH_SNAPSHOT, 0);
	setting("/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/enabled", "inherit");
	setting("/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled", "never");
	setting("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	return value;
}

static double fault_4k(void)
{
	return snapshot_and_free(populated(SIZE, MADV_NOHUGEPAGE, 0), SIZE,
				 BENCH_WRITE, 0);
}

/* Page by page, as a driver's handler of single faults does. */
static double fault_pages(void)
{
	char *p = populated(SIZE, MADV_NOHUGEPAGE, 0);
	uint64_t ns;

	bench(BENCH_RANGE, p, SIZE, 0);
	bench(BENCH_PAGES, p, HUGE, 0);
	ns = bench(BENCH_PAGES, p, HUGE, 0);
	bench(BENCH_DROP, p, SIZE, 0);
	munmap(p, SIZE);
	return (double)ns / (HUGE / PAGE);
}

static double snapshot_pmd(void)
{
	return snapshot_and_free(populated(SIZE, MADV_HUGEPAGE, 0), SIZE,
				 BENCH_SNAPSHOT, 0);
}

static double snapshot_pmd_sparse(void)
{
	return snapshot_and_free(populated(SIZE, MADV_HUGEPAGE, 0), SIZE,
				 BENCH_SNAPSHOT, SPARSE);
}

static double snapshot_hugetlb(void)
{
	return snapshot_and_free(populated(SIZE, 0, MAP_HUGETLB), SIZE,
				 BENCH_SNAPSHOT, 0);
}

static double fault_pmd(void)
{
	return snapshot_and_free(populated(SIZE, MADV_HUGEPAGE, 0), SIZE,
				 BENCH_WRITE, 0);
}

/* The table of PMDs is there, for the page before, and nothing below it. */
static double snapshot_hole_pmd(void)
{
	char *p = map(SIZE + HUGE, 0);

	*p = 1;
	return snapshot_and_free(p + HUGE, SIZE, BENCH_SNAPSHOT, 0);
}

static double snapshot_hole_pud(void)
{
	return snapshot_and_free(map(1024 * MIB, 0), 1024 * MIB, BENCH_SNAPSHOT, 0);
}

/* Memory of a device, which setup has made a DAX device of 4 KiB pages of. */
static double snapshot_zone_device(void)
{
	char *p = map(SIZE, 0);
	int dax = open("/dev/dax0.0", O_RDWR);

	if (dax < 0 || mmap(p, SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, dax, 0) != p) {
		perror("bench: /dev/dax0.0");
		exit(1);
	}
	close(dax);
	memset(p, 1, SIZE);
	return snapshot_and_free(p, SIZE, BENCH_SNAPSHOT, 0);
}

static double snapshot_4k_of(size_t size)
{
	return snapshot_and_free(populated(size, MADV_NOHUGEPAGE, 0), size,
				 BENCH_SNAPSHOT, 0);
}

static double snapshot_4k_2m(void) { return snapshot_4k_of(2 * MIB); }
static double snapshot_4k_1g(void) { return snapshot_4k_of(1024 * MIB); }

static double snapshot_pmd_of(size_t size)
{
	return snapshot_and_free(populated(size, MADV_HUGEPAGE, 0), size,
				 BENCH_SNAPSHOT, 0);
}

static double snapshot_pmd_2m(void) { return snapshot_pmd_of(2 * MIB); }
static double snapshot_pmd_1g(void) { return snapshot_pmd_of(1024 * MIB); }

/* With so many other ranges in the mm, of a page each. */
static double snapshot_ranges(unsigned long nr)
{
	char *p = map(nr * 2 * PAGE, 0);
	double value;

	bench(BENCH_INSERT, p, nr, false);
	value = snapshot_4k();
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
		if (mprotect(p + i * PAGE, PAGE, PROT_NONE)) {
			perror("bench: mprotect");
			exit(1);
		}
	value = snapshot_4k();
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
		if (ioctl(fd, HMM_BENCH_IOC, &args)) {
			perror("bench: cold");
			exit(1);
		}
		ns = args.ns;
		bench(BENCH_DROP, p, SIZE, 0);
	}
	munmap(p, SIZE);
	return (double)ns / ((SIZE - 2 * HUGE) / PAGE) - 4096;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The median: where the pages come from differs from one time to the next. */
static double cold(int advice, int flags, size_t step, bool bare)
{
	double values[REPEAT];

	for (int i = 0; i < REPEAT; i++)
		values[i] = cold_once(advice, flags, step, bare);
	qsort(values, REPEAT, sizeof(*values), compare);
	return values[REPEAT / 2];
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

/* One page, with so many ranges elsewhere in the mm. */
static double munmap_page(unsigned long nr)
{
	char *p = map(nr * 2 * PAGE + SIZE, 0);
	uint64_t ns, least = UINT64_MAX;

	if (nr)
		bench(BENCH_INSERT, p, nr, false);
	for (int i = 0; i < 20; i++) {
		char *page = p + nr * 2 * PAGE + HUGE + 2 * i * PAGE;

		*page = 1;
		ns = bench(BENCH_MUNMAP, page, PAGE, 0);
		if (ns < least)
			least = ns;
	}
	if (nr)
		bench(BENCH_REMOVE, p, nr, false);
	munmap(p, nr * 2 * PAGE + SIZE);
	return least;
}

/* In this order: the first range changes the mm for good. */
static double munmap_plain(void) { return munmap_page(0); }
static double munmap_10000(void) { return munmap_page(10000); }

/* One page of the range goes between the walk and the check: all of it again? */
static double converge_1g(void)
{
	const size_t size = 1024 * MIB;
	char *p = populated(size, MADV_NOHUGEPAGE, 0);
	struct hmm_bench args = {
		.op = BENCH_WALK, .repeat = 1, .addr = (uintptr_t)p,
		.size = size, .arg = BENCH_WRITE,
	};
	uint64_t first, again;

	bench(BENCH_RANGE, p, size, 0);
	bench(BENCH_WALK, p, size, BENCH_WRITE);
	if (ioctl(fd, HMM_BENCH_IOC, &args))
		return -1;
	first = args.ns;
	madvise(p + size / 2, PAGE, MADV_DONTNEED);
	p[size / 2] = 1;
	if (ioctl(fd, HMM_BENCH_IOC, &args))
		return -1;
	again = args.ns;
	bench(BENCH_DROP, p, size, 0);
	munmap(p, size);
	return (double)(first + again) / first;
}

static double dma(bool unmap, bool whole, unsigned int flags)
{
	char *p = populated(HUGE, MADV_HUGEPAGE, 0);
	uint64_t mapped, unmapped;

	bench(BENCH_RANGE, p, HUGE, flags);
	if (errno) {
		perror("bench: a range for DMA");
		exit(1);
	}
	bench(BENCH_WALK, p, HUGE, BENCH_WRITE);
	mapped = try_bench(BENCH_DMA_MAP, p, HUGE, whole);
	unmapped = mapped ? bench(BENCH_DMA_UNMAP, p, HUGE, whole) : 0;
	bench(BENCH_DROP, p, HUGE, 0);
	munmap(p, HUGE);
	return unmap ? unmapped : mapped;
}

static double dma_map_pages(void) { return dma(false, false, 0); }
static double dma_unmap_pages(void) { return dma(true, false, 0); }
static double dma_map_range(void) { return dma(false, true, 0); }
static double dma_unmap_range(void) { return dma(true, true, 0); }
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
	char *p = populated(SIZE, MADV_NOHUGEPAGE, 0);
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
		ns += bench(BENCH_PAGES, part, 16 * PAGE, 0);
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

static const struct {
	const char *name;
	double (*run)(void);
} cases[] = {
	{ "munmap-plain",		munmap_plain },
	{ "snapshot-4k",		snapshot_4k },
	{ "snapshot-4k-2m",		snapshot_4k_2m },
	{ "snapshot-4k-1g",		snapshot_4k_1g },
	{ "snapshot-4k-100-ranges",	snapshot_100_ranges },
	{ "snapshot-4k-10000-ranges",	snapshot_10000_ranges },
	{ "snapshot-4k-100-vmas",	snapshot_100_vmas },
	{ "snapshot-4k-10000-vmas",	snapshot_10000_vmas },
	{ "snapshot-64k-folios",	snapshot_64k_folios },
	{ "snapshot-zone-device",	snapshot_zone_device },
	{ "fault-4k",			fault_4k },
	{ "fault-pages",		fault_pages },
	{ "snapshot-pmd",		snapshot_pmd },
	{ "snapshot-pmd-2m",		snapshot_pmd_2m },
	{ "snapshot-pmd-1g",		snapshot_pmd_1g },
	{ "snapshot-hugetlb",		snapshot_hugetlb },
	{ "fault-pmd",			fault_pmd },
	{ "snapshot-hole-pmd",		snapshot_hole_pmd },
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
	{ "register-1",			register_1 },
	{ "register-100",		register_100 },
	{ "register-10000",		register_10000 },
	{ "register-10000-random",	register_10000_random },
	{ "register-growth",		register_growth },
	{ "munmap-10000",		munmap_10000 },
	{ "converge-1g",		converge_1g },
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
	{ "contention-cold",		contention_cold },
	{ "contention-present",		contention_present },
};

int main(int argc, char **argv)
{
	fd = open("/dev/hmm_bench", O_RDWR);
	if (fd < 0) {
		perror("bench: /dev/hmm_bench");
		return 1;
	}
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool wanted = argc == 1;

		for (int k = 1; k < argc; k++)
			wanted |= !strcmp(argv[k], cases[i].name);
		if (wanted)
			report(cases[i].name, cases[i].run());
	}
	return 0;
}
