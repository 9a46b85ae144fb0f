// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that the cases walk: mappings of which each page is like the next,
 * or is not.
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

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

void *map(size_t size, int flags)
{
	char *p = mmap(NULL, size + 1024 * MIB, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	/* Nobody else is in the PUD, or in the first PMD of it. */
	char *start = (char *)(((uintptr_t)p + 1024 * MIB - 1) & ~(1024 * MIB - 1));

	if (p == MAP_FAILED ||
	    mmap(start, size, PROT_READ | PROT_WRITE,
		 (flags & MAP_SHARED ? 0 : MAP_PRIVATE) | MAP_ANONYMOUS |
		 MAP_FIXED | flags, -1, 0) != start)
		fail("mmap");
	if (!(flags & MAP_HUGETLB))
		madvise(start, size, MADV_NOHUGEPAGE);
	return start;
}

void *populated(size_t size, int advice, int flags)
{
	char *p = map(size, flags);

	if (!(flags & MAP_HUGETLB))
		madvise(p, size, advice);
	memset(p, 1, size);
	return p;
}

void setting(const char *name, const char *value)
{
	int file = open(name, O_WRONLY);

	if (file < 0 || write(file, value, strlen(value)) < 0)
		fail(name);
	close(file);
}

/* Write to every @step-th page. */
static void touch(char *p, size_t size, unsigned long step)
{
	for (size_t i = 0; i < size; i += step * PAGE)
		p[i] = 1;
}

static void advise(char *p, size_t size, unsigned long step, int advice)
{
	size_t length = step == 1 ? size : PAGE;

	for (size_t i = 0; i < size; i += step == 1 ? size : step * PAGE)
		if (madvise(p + i, length, advice))
			fail("madvise");
}

static void protect(char *p, size_t size, int protection)
{
	for (size_t i = 0; i < size; i += 2 * PAGE)
		if (mprotect(p + i, PAGE, protection))
			fail("mprotect");
}

char *pages_4k(size_t size) { return populated(size, MADV_NOHUGEPAGE, 0); }
char *pages_pmd(size_t size) { return populated(size, MADV_HUGEPAGE, 0); }

/* The first page of every @step-th 64 KiB is written, which makes a folio of it. */
static char *touch_64k(size_t size, unsigned long step)
{
#define THP "/sys/kernel/mm/transparent_hugepage/"
	char *p = map(size, 0);

	madvise(p, size, MADV_HUGEPAGE);
	setting(THP "hugepages-64kB/enabled", "madvise");
	setting(THP "hugepages-2048kB/enabled", "never");
	touch(p, size, step * 16);
	setting(THP "hugepages-2048kB/enabled", "inherit");
	setting(THP "hugepages-64kB/enabled", "never");
	madvise(p, size, MADV_NOHUGEPAGE);
	memset(p, 1, size);
	return p;
}

/* Folios of 64 KiB, mapped by PTEs; or between two of them 16 pages of their own. */
char *folios_64k(size_t size) { return touch_64k(size, 1); }
char *folios_64k_each(size_t size) { return touch_64k(size, 2); }

/* The table of PMDs is there, for the page before, and nothing below it. */
char *hole_pmd(size_t size)
{
	char *p = map(size + HUGE, 0);

	*p = 1;
	return p + HUGE;
}

/* A child shared all of it for a while, and half of it was written since. */
char *writable_readonly(size_t size)
{
	char *p = pages_4k(size);
	pid_t child = fork();

	if (!child)
		_exit(0);
	if (waitpid(child, NULL, 0) != child)
		fail("waitpid");
	touch(p, size, 2);
	return p;
}

char *page_hole(size_t size)
{
	char *p = map(size, 0);

	touch(p, size, 2);
	return p;
}

char *one_in_eight(size_t size)
{
	char *p = map(size, 0);

	touch(p, size, 8);
	return p;
}

char *zeroes(size_t size)
{
	char *p = map(size, 0);

	for (size_t i = 0; i < size; i += PAGE)
		*(volatile char *)(p + i);
	return p;
}

char *zero_page(size_t size)
{
	char *p = zeroes(size);

	touch(p, size, 2);
	return p;
}

char *vma_each(size_t size)
{
	char *p = pages_4k(size);

	protect(p, size, PROT_READ);
	return p;
}

char *guard_each(size_t size)
{
	char *p = pages_4k(size);

	advise(p, size, 2, MADV_GUARD_INSTALL);
	return p;
}

char *no_access(size_t size)
{
	char *p = pages_4k(size);

	if (mprotect(p, size, PROT_NONE))
		fail("mprotect");
	return p;
}

char *no_access_each(size_t size)
{
	char *p = pages_4k(size);

	protect(p, size, PROT_NONE);
	return p;
}

/* Is each page that should be in swap there? Bit 62 of an entry says so. */
static void check_swapped(char *p, size_t size, unsigned long step)
{
	int file = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;

	for (size_t i = 0; i < size; i += step * PAGE)
		if (pread(file, &entry, sizeof(entry),
			  ((uintptr_t)p + i) / PAGE * sizeof(entry)) != sizeof(entry) ||
		    !(entry >> 62 & 1)) {
			errno = ENODATA;
			fail("a page is not in swap");
		}
	close(file);
}

static char *swap_out(size_t size, unsigned long step)
{
	char *p = pages_4k(size);

	advise(p, size, step, MADV_PAGEOUT);
	check_swapped(p, size, step);
	return p;
}

char *swapped(size_t size) { return swap_out(size, 1); }
char *swapped_each(size_t size) { return swap_out(size, 2); }

static char *to_device(unsigned int op, size_t size, unsigned int step)
{
	char *p = pages_4k(size);
	struct hmm_bench args = {
		.op = op, .addr = (uintptr_t)p, .size = size, .step = step,
	};

	if (ask(&args), errno)
		fail("to device");
	return p;
}

char *private(size_t size) { return to_device(BENCH_MIGRATE, size, 1); }
char *private_each(size_t size) { return to_device(BENCH_MIGRATE, size, 2); }
char *exclusive(size_t size) { return to_device(BENCH_EXCLUSIVE, size, 1); }
char *exclusive_each(size_t size) { return to_device(BENCH_EXCLUSIVE, size, 2); }

/* No page follows the one before it in memory: 1021 is prime to the number. */
char *scattered(size_t size)
{
	char *p = map(size, 0);

	for (size_t i = 0; i < size / PAGE; i++)
		p[i * 1021 % (size / PAGE) * PAGE] = 1;
	return p;
}

char *pmd_hole(size_t size)
{
	char *p = map(size, 0);

	madvise(p, size, MADV_HUGEPAGE);
	touch(p, size, 2 * HUGE / PAGE);
	return p;
}

char *pmd_4k(size_t size)
{
	char *p = pmd_hole(size);

	madvise(p, size, MADV_NOHUGEPAGE);
	for (size_t i = HUGE; i < size; i += 2 * HUGE)
		memset(p + i, 1, HUGE);
	return p;
}
