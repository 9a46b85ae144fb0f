// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What hmm_range_stress makes of its counts: a run in which little happened has
 * shown little, and fails.
 */
#include <stdio.h>

#include "hmm_range_stress.h"

/* At most this part of the pages, and of the calls, in percent. */
#define MAX_LOOSE	1
#define MAX_TIMEOUTS	1

const char * const count_names[NR_COUNTS] = {
	[RANGES]	= "ranges",
	[PAGES]		= "pages",
	[WRITTEN]	= "written",
	[INVALIDATIONS]	= "invalidations",
	[RETRIES]	= "retries",
	[PAGES_AGAIN]	= "pages_again",
	[WAITS]		= "waits",
	[LONGEST_WAIT]	= "longest_wait_us",
	[LONGEST_CALL]	= "longest_call_us",
	[MISMATCHES]	= "mismatches",
	[LOOSE]		= "pages changed too often while read",
	[TIMEOUTS]	= "calls that ran out of time",
	[ERRORS]	= "unexpected errors",
};

static const char * const change_names[NR_CHANGES] = {
	[WRITE]		= "write",
	[LOOK]		= "look",
	[DISCARD]	= "discard",
	[MAP]		= "map",
	[UNMAP]		= "unmap",
	[PROTECT]	= "protect",
	[MOVE]		= "move",
	[RESIZE]	= "resize",
	[FORK]		= "fork",
	[COLLAPSE]	= "collapse",
	[PAGEOUT]	= "page out",
	[MIGRATE]	= "migrate",
	[SOFT_DIRTY]	= "clear soft-dirty",
	[WRITEBACK]	= "write back",
	[MERGE]		= "pages found merged",
	[TO_DEVICE]	= "migrate to the device",
	[EXCLUSIVE]	= "make exclusive",
	[LOCK_OUT]	= "protect what a device writes to",
	[COPY]		= "fork what a device writes to",
};

static const char * const event_names[NOTIFY_NR] = {
	[NOTIFY_UNMAP]			= "UNMAP",
	[NOTIFY_CLEAR]			= "CLEAR",
	[NOTIFY_PROTECTION_VMA]		= "PROTECTION_VMA",
	[NOTIFY_PROTECTION_PAGE]	= "PROTECTION_PAGE",
	[NOTIFY_SOFT_DIRTY]		= "SOFT_DIRTY",
	[NOTIFY_MIGRATE]		= "MIGRATE",
	[NOTIFY_EXCLUSIVE]		= "EXCLUSIVE",
};

/*
 * What has to happen at least for each second of CPU, and at least once: a
 * third and less of what a kernel with all its debugging does in an emulator,
 * for kernels without are ten times as fast. What the clock sets, forks and the
 * clearing of soft-dirty bits, has to do with many CPUs as well.
 */
struct floors {
	double	pages;
	double	written;
	double	changes[NR_CHANGES];
	double	events[NOTIFY_NR];
};

/* On each kind of memory. */
static const struct floors common = {
	.pages		= 4,
	.written	= 1,
	.changes = {
		[WRITE]		= 1,
		[LOOK]		= 0.6,
		[DISCARD]	= 0.5,
		[MAP]		= 1,
		[UNMAP]		= 0.7,
		[PROTECT]	= 0.7,
		[MOVE]		= 0.3,
		[FORK]		= 0.05,
		[MIGRATE]	= 0.1,
		[SOFT_DIRTY]	= 0.02,
	},
	.events = {
		[NOTIFY_UNMAP]		= 1,
		[NOTIFY_CLEAR]		= 6,
		[NOTIFY_PROTECTION_VMA]	= 0.7,
		[NOTIFY_SOFT_DIRTY]	= 0.02,
	},
};

/* On this one, beside that. */
static const struct floors extra[NR_MEMORIES] = {
	[ANONYMOUS] = {
		.changes = {
			[PAGEOUT]	= 0.1,
			[LOCK_OUT]	= 0.1,
			[COPY]		= 0.04,
		},
		.events = { [NOTIFY_PROTECTION_PAGE] = 3 },
	},
	[SHMEM] = {
		.changes = { [PAGEOUT] = 0.1, [LOCK_OUT] = 0.1 },
	},
	[FILES] = {
		.changes = {
			[PAGEOUT]	= 0.1,
			[LOCK_OUT]	= 0.1,
			[WRITEBACK]	= 0.5,
		},
		.events = { [NOTIFY_PROTECTION_PAGE] = 3 },
	},
	[HUGETLB] = {
		.changes = { [COPY] = 0.04 },
		.events = { [NOTIFY_PROTECTION_PAGE] = 3 },
	},
	[MERGED] = {
		.changes = {
			[PAGEOUT]	= 0.1,
			[MERGE]		= 2,
			[LOCK_OUT]	= 0.1,
			[COPY]		= 0.04,
		},
		.events = { [NOTIFY_PROTECTION_PAGE] = 3 },
	},
	[DEVICE] = {
		.changes = {
			[TO_DEVICE]	= 1,
			[EXCLUSIVE]	= 0.1,
			[LOCK_OUT]	= 0.1,
			[COPY]		= 0.04,
		},
		.events = {
			[NOTIFY_PROTECTION_PAGE]	= 3,
			[NOTIFY_MIGRATE]		= 10,
			[NOTIFY_EXCLUSIVE]		= 2,
		},
	},
};

/*
 * A loop of known speed. It lies in one page, by its alignment: an emulator
 * looks code up anew each time that it leaves a page, which makes the loop ten
 * times slower. And in another file than its caller, so that it is not inlined.
 */
#pragma GCC push_options
#pragma GCC optimize("align-functions=256")
uint64_t take_steps(unsigned long n)
{
	uint64_t random = 1;

	while (n--) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
	}
	return random;
}

#pragma GCC pop_options

static double per_second(unsigned long n)
{
	return counts->work_ms ? n * 1000.0 / counts->work_ms : 0;
}

/* For enough_yet(): judge without a word. */
static bool quiet;

/* Is @n enough? If not, say of what there is too little. */
static bool enough(const char *what, unsigned long n, double floor)
{
	if (!floor || (n && per_second(n) >= floor))
		return true;
	if (!quiet)
		ksft_print_msg("%s: %lu, that is %.3f for each second of CPU, and has to be %.3f\n",
			       what, n, per_second(n), floor);
	return false;
}

static bool enough_changes(void)
{
	bool all = true;
	unsigned int i;

	for (i = 0; i < NR_CHANGES; i++)
		all &= enough(change_names[i], counts->changes[i],
			      common.changes[i] + extra[memory].changes[i]);
	return all;
}

static bool enough_events(void)
{
	bool all = true;
	unsigned int i;

	for (i = 0; i < NOTIFY_NR; i++)
		all &= enough(event_names[i], counts->events[i],
			      common.events[i] + extra[memory].events[i]);
	return all;
}

static bool not_too_many(enum count what, enum count of, unsigned int percent)
{
	unsigned long n = counts->devices[TRACKED][what];
	unsigned long all = counts->devices[TRACKED][of];

	if (n * 100 <= all * percent)
		return true;
	ksft_print_msg("%s: %lu of %lu\n", count_names[what], n, all);
	return false;
}

static unsigned long of_all(enum count what)
{
	return counts->devices[TRACKED][what] + counts->devices[INTERVAL][what];
}

void print_counts(void)
{
	unsigned int i;

	ksft_print_msg("%s: %.2f s of CPU, worth %.2f s, in %lu s, %lu without progress\n",
		       memory_kinds[memory].name, counts->cpu_ms / 1000.0,
		       counts->work_ms / 1000.0, counts->seconds,
		       counts->still);
	if (options.compare)
		ksft_print_msg("%-40s %12s %12s\n", "", "tracked", "interval");
	for (i = 0; i < NR_COUNTS; i++) {
		ksft_print_msg("%-40s %12lu", count_names[i],
			       counts->devices[TRACKED][i]);
		if (options.compare)
			printf(" %12lu", counts->devices[INTERVAL][i]);
		putchar('\n');
	}
	for (i = 0; i < NR_CHANGES; i++)
		if (counts->changes[i])
			ksft_print_msg("changes: %-31s %12lu\n", change_names[i],
				       counts->changes[i]);
	for (i = 0; i < NOTIFY_NR; i++)
		if (event_names[i])
			ksft_print_msg("invalidations: %-25s %12lu\n",
				       event_names[i], counts->events[i]);
}

static bool enough_read(void)
{
	return enough("pages read", counts->devices[TRACKED][PAGES],
		      common.pages);
}

static bool enough_written(void)
{
	return enough("pages written", counts->devices[TRACKED][WRITTEN],
		      common.written);
}

/* Has all happened that has to? Otherwise it is worth to go on for a while. */
bool enough_yet(void)
{
	bool all;

	if (options.skip_check)
		return of_all(MISMATCHES);
	quiet = true;
	all = enough_read() && enough_written() && enough_changes() &&
	      enough_events();
	quiet = false;
	return all;
}

unsigned int nr_tests(void)
{
	return options.skip_check ? 1 : NR_TESTS;
}

/* @ended: the run came to its end. There are nr_tests() verdicts. */
void judge_memory(bool ended, struct verdict verdicts[NR_TESTS])
{
	if (options.skip_check) {
		*verdicts = (struct verdict) {
			ended && of_all(MISMATCHES) && counts->reports[MISMATCHES],
			"without the check, mismatches are found and named" };
		return;
	}
	*verdicts++ = (struct verdict) {
		enough_read(), "the device reads" };
	*verdicts++ = (struct verdict) {
		enough_written(), "the device writes" };
	*verdicts++ = (struct verdict) {
		enough_changes(), "the process changes" };
	*verdicts++ = (struct verdict) {
		enough_events(), "there is each kind of invalidation" };
	*verdicts++ = (struct verdict) {
		not_too_many(LOOSE, PAGES, MAX_LOOSE) &
		not_too_many(TIMEOUTS, RANGES, MAX_TIMEOUTS),
		"what is read can be judged" };
	*verdicts++ = (struct verdict) {
		!of_all(MISMATCHES), "the device reads what the process holds" };
	*verdicts++ = (struct verdict) {
		ended && !of_all(ERRORS), "no call fails without a reason" };
}
