/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of tracked ranges have in common: memory to work on, and waits
 * that do not last for ever.
 *
 * An invalidation that is held open holds the mmap lock for read. Until it is
 * released, a test must not do what needs that lock for write: map memory, start
 * a thread or fork.
 */
#ifndef _SELFTESTS_MM_HMM_RANGE_TEST_H
#define _SELFTESTS_MM_HMM_RANGE_TEST_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "hmm_range_dev.h"

/* One page in each of the 64 parts that a range is divided into. */
#define NR_PAGES	64
/* By when what should not take time is over, even on a slow machine. */
#define SOON_MS		10000

static inline unsigned long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline char *map_pages(size_t size)
{
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

/* Wait for a child, but not for ever. */
static inline bool reap_soon(pid_t pid, int *status)
{
	unsigned long end = now_ms() + SOON_MS;
	pid_t ret;

	do {
		ret = waitpid(pid, status, WNOHANG);
		if (ret)
			return ret == pid;
		usleep(1000);
	} while (now_ms() < end);
	return false;
}

static inline bool join_soon(pthread_t thread)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += SOON_MS / 1000;
	return !pthread_timedjoin_np(thread, NULL, &end);
}

/*
 * What tears the device's entries down, and how they are faulted in. For a
 * fixture whose variants are these four.
 */
struct form {
	unsigned int	notifier;
	unsigned int	how;
};

#define FORM_PLAIN	{ HMM_RANGE_DEV_NOTIFIER_PLAIN, HMM_RANGE_DEV_FAULT }
#define FORM_INTERVAL	{ HMM_RANGE_DEV_NOTIFIER_INTERVAL, HMM_RANGE_DEV_FAULT }
#define FORM_OPS	{ HMM_RANGE_DEV_NOTIFIER_OPS, HMM_RANGE_DEV_FAULT_COMMIT }
#define FORM_TWO_PASS	{ HMM_RANGE_DEV_NOTIFIER_TWO_PASS, HMM_RANGE_DEV_FAULT }

static inline bool form_has_ops(struct form form)
{
	return form.notifier == HMM_RANGE_DEV_NOTIFIER_OPS ||
	       form.notifier == HMM_RANGE_DEV_NOTIFIER_TWO_PASS;
}

static inline bool do_dontneed(char *map, size_t size)
{
	return !madvise(map, size, MADV_DONTNEED);
}

static inline bool do_protect(char *map, size_t size)
{
	return !mprotect(map, size, PROT_READ) &&
	       !mprotect(map, size, PROT_READ | PROT_WRITE);
}

/* A wait for a range, for a thread of its own. */
struct wait_args {
	int fd;
	int id;
	unsigned int ms;
	atomic_int result;
};

static inline void *wait_thread(void *data)
{
	struct wait_args *args = data;

	args->result = dev_wait(args->fd, args->id, args->ms);
	return NULL;
}

/* Memory that a thread drops all the time. */
struct churn {
	char *page;
	size_t size;
	atomic_bool stop;
};

static inline void *churn_thread(void *data)
{
	struct churn *churn = data;

	while (!churn->stop)
		do_dontneed(churn->page, churn->size);
	return NULL;
}

#endif /* _SELFTESTS_MM_HMM_RANGE_TEST_H */
