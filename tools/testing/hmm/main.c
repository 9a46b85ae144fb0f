// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Run the tests, each in a process of its own: a crash, a hang or a report of a
 * sanitizer is the failure of one test. Prints KTAP, and returns non-zero if
 * anything failed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

bool test_failed;
unsigned long test_seed;

static unsigned long choose_seed(void)
{
	const char *given = getenv("SEED");
	struct timespec now;

	if (given && *given)
		return strtoul(given, NULL, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec * 1000000000UL + now.tv_nsec) % 1000000007UL;
}

/* Much work is a test that fails; no work is a deadlock, or a busy machine. */
static void limit_time(void)
{
	const struct itimerval cpu = { .it_value.tv_sec = TEST_CPU_SECONDS };

	setitimer(ITIMER_PROF, &cpu, NULL);
	alarm(TEST_SECONDS);
}

static bool run(const struct test *test)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("# fork");
		return false;
	}
	if (!pid) {
		limit_time();
		test->run();
		/* Not _exit(): the leak sanitizer looks at exit. */
		exit(test_failed || shim_take_warnings());
	}

	if (waitpid(pid, &status, 0) < 0) {
		perror("# waitpid");
		return false;
	}
	if (WIFSIGNALED(status))
		printf("# killed by signal %d (%s)\n", WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static const struct test *const suites[] = {
	range_tests, retry_tests, order_tests, random_tests, thread_tests, interval_tests, ops_tests
};

static bool wanted(const struct test *test, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], test->name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	unsigned int nr = 0, failed = 0;
	const struct test *test;

	for (unsigned int i = 0; i < ARRAY_SIZE(suites); i++)
		for (test = suites[i]; test->name; test++)
			nr += wanted(test, argc, argv);
	if (!nr) {
		fprintf(stderr, "%s: no test of that name\n", argv[0]);
		return 2;
	}

	test_seed = choose_seed();
	printf("KTAP version 1\n1..%u\n# seed %lu: to run the same again, set SEED\n",
	       nr, test_seed);

	nr = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(suites); i++) {
		for (test = suites[i]; test->name; test++) {
			bool ok;

			if (!wanted(test, argc, argv))
				continue;
			ok = run(test);
			failed += !ok;
			printf("%s %u - %s\n", ok ? "ok" : "not ok", ++nr,
			       test->name);
		}
	}
	printf("# %u passed, %u failed\n", nr - failed, failed);
	return failed ? 1 : 0;
}
