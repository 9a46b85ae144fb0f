// SPDX-License-Identifier: GPL-2.0
/*
 * Write faults that copy a page or bring it back: each is an invalidation of the
 * range that is being walked. The walk is compared with bare calls of
 * handle_mm_fault() in an mm that has the same subscriptions.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* A child that shares all memory until it is killed. */
static pid_t share(void)
{
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	while (!child)
		pause();
	return child;
}

static double copies_once(const struct bench_case *c, bool bare)
{
	char *p = c->make(c->size);
	pid_t child = c->copies == SHARED ? share() : 0;
	struct hmm_bench args = { .op = BENCH_WALK, .repeat = 1, .arg = BENCH_WRITE };
	uint64_t ns;

	if (try_bench(BENCH_RANGE, p, c->size, BENCH_FOREIGN), errno)
		fail("range");
	if (bare)
		ns = bench(BENCH_TOUCH, p, c->size, PAGE);
	else
		ns = ask(&args);
	if (errno)
		perror("bench: copies");
	bench(BENCH_DROP, p, c->size, 0);
	if (child) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	munmap(p, c->size);
	return (double)ns / (c->size / PAGE);
}

/* The median: where the pages come from differs from one time to the next. */
double copies(const struct bench_case *c, bool bare)
{
	unsigned int nr = c->size > SIZE ? 1 : REPEAT;
	double values[REPEAT];

	for (unsigned int i = 0; i < nr; i++) {
		values[i] = copies_once(c, bare);
		if (!values[i])
			return 0;
	}
	return median(values, nr);
}

const struct bench_case copy_cases[] = {
	{ "copy-2m", .make = pages_4k, .size = 2 * MIB, .copies = SHARED },
	{ "copy-16m", .make = pages_4k, .size = 16 * MIB, .copies = SHARED },
	{ "copy-64m", .make = pages_4k, .size = SIZE, .copies = SHARED },
	{ "copy-1g", .make = pages_4k, .size = 1024 * MIB, .copies = SHARED },
	{ "copy-zero", .make = zeroes, .size = 16 * MIB, .copies = PRIVATE },
	{ "copy-thp", .make = pages_pmd, .size = 16 * MIB, .copies = SHARED },
	{ "back-exclusive", .make = exclusive, .size = 16 * MIB, .copies = PRIVATE },
	{ "back-private", .make = private, .size = 16 * MIB, .copies = PRIVATE },
	{ }
};
