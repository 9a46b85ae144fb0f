// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compares what a device reads through tracked ranges with what the process
 * holds, while the process changes its memory as hard as it can.
 *
 * Threads write to buffers, map, unmap and move parts of them, change their
 * protection, drop, collapse, migrate and page out their pages, and fork. The
 * device of lib/test_hmm_range.c mirrors random parts of the buffers meanwhile.
 * All that it reads is checked, byte by byte, and so is what it writes: by the
 * process, and by children that have copies. This is done for each kind of
 * memory in turn, by a process of its own.
 *
 * What a page may hold is known from its state: a content, which is a number
 * that fills the page, or zeros, and whether it can be read and written. A
 * thread that is about to change a page announces the new state, does it, and
 * then confirms it. So a read has to find
 *
 *	what was confirmed before it began, if nothing was announced until it
 *	ended;
 *	that or what was announced meanwhile, if there were a few changes;
 *	anything that belongs to the page, if there were more.
 *
 * Older content, the content of another page, or a successful read of a page
 * that cannot be read is a mismatch: the device used an entry that was stale.
 *
 * A run in which little happened shows little: there are floors for what has to
 * happen for each second of CPU that the process gets, and at least once. A
 * machine that has hardly any CPU to give gets some more time for that.
 *
 *	--seconds N	how long it runs on each kind of memory (10)
 *	--memory KIND	on this one only: anonymous, shmem, file, hugetlb, KSM,
 *			device-private
 *	--max-size MiB	the largest size of each of the buffers (16), unless the
 *			kind of memory allows less
 *	--files DIR	where the files are (/var/tmp)
 *	--seed N	another course of events (1)
 *	--csv FILE	a line of numbers for each second
 *	--compare	beside it, devices that use interval notifiers
 *	--ops		beside it, devices whose ranges have callbacks
 *	--break		the device leaves out the validity check: mismatches have
 *			to be found, or it fails; the floors do not count
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/magic.h>

#include "hmm_range_stress.h"

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif

#define MAX_REPORTS	10
/* How much longer than asked for it runs, if too little has happened. */
#define MORE_SECONDS	50
/*
 * The speed that is taken for one of an undisturbed CPU, in steps of
 * take_steps() a second, and how many steps are measured at a time.
 */
#define FULL_SPEED	250000000.0
#define SPEED_STEPS	2000000UL
/* How long threads may take to end before it is called a hang. */
#define GRACE_SECONDS	60
/* MiB of each buffer without the validity check. */
#define MAX_BROKEN	2
/* Those of the buffers, and those that a fork copies. */
#define HUGE_PAGES	150

struct options options = {
	.seconds = 10, .max_size = 16, .seed = 1, .files = "/var/tmp",
	.memory = -1,
};

enum memory memory;

unsigned long page_size, max_pages;
atomic_bool stop;
struct counts *counts;

static bool is_longest(enum count what)
{
	return what == LONGEST_WAIT || what == LONGEST_CALL;
}

/*
 * Say what is wrong, the first few times, and count it. A child of a process
 * with threads may find the locks of stdio taken.
 */
void complain(enum api api, enum count what, const char *format, ...)
{
	char text[256];
	va_list args;
	int n;

	count(api, what, 1);
	if (atomic_fetch_add(&counts->reports[what], 1) >= MAX_REPORTS)
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > (int)sizeof(text) - 1)
		n = sizeof(text) - 1;
	if (write(STDERR_FILENO, text, n) != n)
		return;
}

void fatal(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(KSFT_FAIL);
}

/*
 * Memory of our own that a fork leaves alone: private one would be copied page
 * by page afterwards.
 */
void *own_memory(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		fatal("mmap");
	return mem;
}

uint64_t next_random(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

unsigned long below(uint64_t *random, unsigned long limit)
{
	return (next_random(random) >> 11) % limit;
}

/* From 1 to @max, small ones as often as large ones. */
unsigned long any_size(uint64_t *random, unsigned long max)
{
	unsigned int bits = 64 - __builtin_clzl(max);
	unsigned long size = 1UL << below(random, bits);

	size += below(random, size);
	return size > max ? max : size;
}

uint64_t thread_seed(unsigned int n)
{
	uint64_t random = options.seed * 0x9e3779b97f4a7c15ULL + n + 1;

	for (n = 0; n < 16; n++)
		next_random(&random);
	return random;
}

/*
 * Watch.
 */

/* What was counted up to the last second, and the longest of each second. */
struct seconds {
	unsigned long	last[NR_APIS][NR_COLUMNS];
	unsigned long	now[NR_APIS][NR_COLUMNS];
	unsigned long	longest[NR_APIS][NR_COLUMNS];
	unsigned long	cpu_ms;
	unsigned long	steps;
	double		steps_ms;
};

static double cpu_ms(clockid_t clock)
{
	struct timespec cpu;

	clock_gettime(clock, &cpu);
	return cpu.tv_sec * 1000.0 + cpu.tv_nsec / 1000000.0;
}

/*
 * An emulated CPU that waits for one of its host takes that for time that it
 * has worked. How much it really got is seen by how far it gets meanwhile.
 */
static void measure_speed(struct seconds *seconds)
{
	double start = cpu_ms(CLOCK_THREAD_CPUTIME_ID);
	/* Or the compiler leaves all of it out. */
	asm volatile("" : : "r" (take_steps(SPEED_STEPS)));
	seconds->steps += SPEED_STEPS;
	seconds->steps_ms += cpu_ms(CLOCK_THREAD_CPUTIME_ID) - start;
}

/* @seconds->now: what this second brought. */
static void take_second(struct seconds *seconds)
{
	unsigned long ms = cpu_ms(CLOCK_PROCESS_CPUTIME_ID), n;
	unsigned int api, i;

	count_devices();
	measure_speed(seconds);
	for (api = 0; api < NR_APIS; api++) {
		for (i = 0; i < NR_COLUMNS; i++) {
			if (is_longest(i)) {
				n = atomic_exchange(&counts->devices[api][i], 0);
				seconds->now[api][i] = n;
				if (n > seconds->longest[api][i])
					seconds->longest[api][i] = n;
				continue;
			}
			n = counts->devices[api][i];
			seconds->now[api][i] = n - seconds->last[api][i];
			seconds->last[api][i] = n;
		}
	}
	seconds->cpu_ms = ms - counts->cpu_ms;
	counts->cpu_ms = ms;
	counts->work_ms = ms * (seconds->steps * 1000.0 / seconds->steps_ms) /
			  FULL_SPEED;
}

static unsigned int nr_apis(void)
{
	return options.compare ? NR_APIS : 1;
}

/* Mostly of one second: from after @last to @second. */
static void print_second(unsigned long last, unsigned long second,
			 const struct seconds *seconds)
{
	char when[32] = "";
	unsigned int api, i;

	if (second - last > 1)
		snprintf(when, sizeof(when), "%lu-", last + 1);
	for (api = 0; api < nr_apis(); api++) {
		if (!api)
			fprintf(stderr, "%3s%2lu s:", when, second);
		else
			fprintf(stderr, "       ");
		if (options.compare)
			fprintf(stderr, " %s", api ? "interval" : "tracked ");
		for (i = 0; i < NR_COLUMNS; i++)
			fprintf(stderr, " %s %lu", count_names[i],
				seconds->now[api][i]);
		if (!api)
			fprintf(stderr, " cpu %lu.%02lu", seconds->cpu_ms / 1000,
				seconds->cpu_ms % 1000 / 10);
		fputc('\n', stderr);
	}
	if (seconds->now[TRACKED][PAGES])
		return;
	counts->still += second - last;
	fprintf(stderr, "       no progress: the device read nothing\n");
}

static void write_second(FILE *csv, unsigned long second,
			 const struct seconds *seconds)
{
	unsigned int api, i;

	if (!csv)
		return;
	fprintf(csv, "%lu,%lu", second, seconds->cpu_ms);
	for (api = 0; api < nr_apis(); api++)
		for (i = 0; i < NR_COLUMNS; i++)
			fprintf(csv, ",%lu", seconds->now[api][i]);
	fputc('\n', csv);
	fflush(csv);
}

static FILE *open_csv(void)
{
	unsigned int api, i;
	FILE *csv;

	if (!options.csv)
		return NULL;
	csv = fopen(options.csv, "w");
	if (!csv)
		fatal(options.csv);
	fputs("second,cpu_ms", csv);
	for (api = 0; api < nr_apis(); api++)
		for (i = 0; i < NR_COLUMNS; i++)
			fprintf(csv, ",%s%s", api ? "interval_" : "",
				count_names[i]);
	fputc('\n', csv);
	return csv;
}

/* How many pages of ours share one with others just now. */
static unsigned long merged_pages(void)
{
	FILE *file = fopen("/proc/self/ksm_merging_pages", "r");
	unsigned long n = 0;

	if (file && fscanf(file, "%lu", &n) != 1)
		n = 0;
	if (file)
		fclose(file);
	return n;
}

/*
 * Sleep to the @second after @start. Returns the one that it is then: if it is a
 * later one, the machine had no CPU for us, and what follows is of all of them.
 */
static unsigned long sleep_past(const struct timespec *start, unsigned long second)
{
	struct timespec now = *start;

	now.tv_sec += second;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL))
		;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now.tv_sec -= start->tv_sec + (now.tv_nsec < start->tv_nsec);
	return now.tv_sec;
}

static void watch(void)
{
	struct seconds seconds = {};
	unsigned long second = 0, last;
	FILE *csv = open_csv();
	struct timespec start;
	unsigned int api, i;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (second < options.seconds ||
	       (!enough_yet() && second < options.seconds + MORE_SECONDS)) {
		last = second;
		second = sleep_past(&start, last + 1);
		counts->seconds = second;
		take_second(&seconds);
		print_second(last, second, &seconds);
		write_second(csv, second, &seconds);
		if (memory == MERGED)
			count_change(MERGE, merged_pages());
	}
	for (api = 0; api < NR_APIS; api++)
		for (i = 0; i < NR_COLUMNS; i++)
			if (is_longest(i))
				counts->devices[api][i] = seconds.longest[api][i];
	if (csv && fclose(csv))
		fatal(options.csv);
}

/*
 * Run, in a process for each kind of memory.
 */

static void end_thread(pthread_t thread)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += GRACE_SECONDS;
	errno = pthread_timedjoin_np(thread, NULL, &end);
	if (errno)
		fatal("a thread does not end");
}

static void start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	errno = pthread_create(thread, NULL, run, arg);
	if (errno)
		fatal("pthread_create");
}

static void run_threads(void)
{
	pthread_t threads[NR_BUFFERS + NR_DEVICES + 3];
	unsigned int i, nr = 0;

	for (i = 0; i < NR_BUFFERS; i++)
		start_thread(&threads[nr++], change_thread, &buffers[i]);
	start_thread(&threads[nr++], advise_thread, NULL);
	start_thread(&threads[nr++], fork_thread, NULL);
	if (memory == DEVICE)
		start_thread(&threads[nr++], device_memory_thread, NULL);
	for (i = 0; i < nr_devices(); i++)
		start_thread(&threads[nr++], device_thread, (void *)(uintptr_t)i);
	watch();
	stop = true;
	while (nr--)
		end_thread(threads[nr]);
}

static unsigned long read_number(const char *path)
{
	unsigned long n = 0;
	FILE *file = fopen(path, "r");

	if (file && fscanf(file, "%lu", &n) != 1)
		n = 0;
	if (file)
		fclose(file);
	return n;
}

static void write_number(const char *path, unsigned long n)
{
	FILE *file = fopen(path, "w");

	if (!file || fprintf(file, "%lu\n", n) < 0 || fclose(file))
		fatal(path);
}

/* What is missing for this kind of memory, or NULL. */
static const char *lacks(void)
{
	struct statfs fs;

	switch (memory) {
	case FILES:
		if (statfs(options.files, &fs) || fs.f_type == TMPFS_MAGIC ||
		    fs.f_type == RAMFS_MAGIC)
			return "a file system that writes back, for --files";
		return NULL;
	case HUGETLB:
		return read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") <
		       HUGE_PAGES ? "150 free huge pages" : NULL;
	case MERGED:
		return access("/sys/kernel/mm/ksm/run", W_OK) ? "KSM, root" : NULL;
	case DEVICE:
		return access("/dev/hmm_dmirror0", R_OK | W_OK) ?
		       "/dev/hmm_dmirror0: CONFIG_TEST_HMM, root" : NULL;
	default:
		return NULL;
	}
}

/* How KSM is set up, and how it was before. */
static struct {
	const char	*path;
	unsigned long	wanted, before;
} ksm[] = {
	{ "/sys/kernel/mm/ksm/pages_to_scan", 2000 },
	{ "/sys/kernel/mm/ksm/sleep_millisecs", 10 },
	{ "/sys/kernel/mm/ksm/run", 1 },
};

static void set_up_ksm(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ksm); i++) {
		ksm[i].before = read_number(ksm[i].path);
		write_number(ksm[i].path, ksm[i].wanted);
	}
}

static void restore_ksm(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ksm); i++)
		write_number(ksm[i].path, ksm[i].before);
}

static __noreturn void run_memory(void)
{
	unsigned long size = memory_kinds[memory].max_size;

	if (size > options.max_size)
		size = options.max_size;
	/* More of the changes hit what the device is about to use. */
	if (size > MAX_BROKEN && options.skip_check)
		size = MAX_BROKEN;
	max_pages = size * ((1UL << 20) / page_size);
	if (memory == MERGED && prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0))
		fatal("PR_SET_MEMORY_MERGE");
	set_up_devices();
	set_up_buffers();
	run_threads();
	_exit(KSFT_PASS);
}

/*
 * Kind after kind.
 */

static void test_memory(void)
{
	const char *name = memory_kinds[memory].name, *missing = lacks();
	struct verdict verdicts[NR_TESTS];
	unsigned int i;
	int status;
	pid_t pid;

	memset(counts, 0, sizeof(*counts));
	if (!missing) {
		fflush(stdout);
		if (memory == MERGED)
			set_up_ksm();
		pid = fork();
		if (!pid)
			run_memory();
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			fatal("fork");
		if (WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP)
			missing = "/dev/hmm_range: CONFIG_TEST_HMM_RANGE, root";
		if (memory == MERGED)
			restore_ksm();
	}
	for (i = 0; missing && i < nr_tests(); i++)
		ksft_test_result_skip("%s: there is no %s\n", name, missing);
	if (missing)
		return;
	if (status)
		ksft_print_msg("it ended with status %#x\n", status);
	print_counts();
	judge_memory(!status, verdicts);
	for (i = 0; i < nr_tests(); i++)
		ksft_test_result(verdicts[i].passes, "%s: %s\n", name,
				 verdicts[i].what);
}

/*
 * Options.
 */

static unsigned long number(const char *arg, unsigned long max)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(arg, &end, 0);
	if (errno || *end || end == arg || !n || n > max)
		ksft_exit_fail_msg("'%s' is not from 1 to %lu\n", arg, max);
	return n;
}

static int memory_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < NR_MEMORIES; i++)
		if (!strcmp(name, memory_kinds[i].name))
			return i;
	ksft_exit_fail_msg("there is no memory '%s'\n", name);
}

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seconds",	required_argument, NULL, 's' },
		{ "memory",	required_argument, NULL, 'k' },
		{ "max-size",	required_argument, NULL, 'm' },
		{ "files",	required_argument, NULL, 'f' },
		{ "seed",	required_argument, NULL, 'r' },
		{ "csv",	required_argument, NULL, 'c' },
		{ "compare",	no_argument,	   NULL, 'i' },
		{ "ops",	no_argument,	   NULL, 'o' },
		{ "break",	no_argument,	   NULL, 'b' },
		{}
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 's':
			options.seconds = number(optarg, 1000000);
			break;
		case 'k':
			options.memory = memory_named(optarg);
			break;
		case 'm':
			options.max_size = number(optarg, 1024);
			break;
		case 'f':
			options.files = optarg;
			break;
		case 'r':
			options.seed = number(optarg, ~0UL);
			break;
		case 'c':
			options.csv = optarg;
			break;
		case 'i':
			options.compare = true;
			break;
		case 'o':
			options.ops = true;
			break;
		case 'b':
			options.skip_check = true;
			break;
		default:
			ksft_exit_fail_msg("bad option: see the head of %s\n",
					   __FILE__);
		}
	}
}

int main(int argc, char **argv)
{
	struct rlimit no_core = {};

	page_size = sysconf(_SC_PAGESIZE);
	ksft_print_header();
	parse_options(argc, argv);
	ksft_set_plan(nr_tests() * (options.memory < 0 ? NR_MEMORIES : 1));
	setrlimit(RLIMIT_CORE, &no_core);
	counts = own_memory(sizeof(*counts));
	for (memory = 0; memory < NR_MEMORIES; memory++)
		if (options.memory < 0 || memory == (enum memory)options.memory)
			test_memory();
	ksft_finished();
}
