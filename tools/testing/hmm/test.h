/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tests of the harness, and what they share: expectations, an address space
 * with pages counted from BASE, invalidations, and a walk that stands for
 * mm/hmm.c with mm/hmm_walk.c.
 */
#ifndef HMM_TEST_H
#define HMM_TEST_H

#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../../mm/hmm_internal.h"

/* Seconds of the CPU that one test may use, and that it may take at all. */
#define TEST_CPU_SECONDS	10
#define TEST_SECONDS		60

struct test {
	const char *name;
	void (*run)(void);
};

extern const struct test range_tests[], random_tests[], thread_tests[];

/* Set by EXPECT(); the test goes on. */
extern bool test_failed;

#define EXPECT(condition) do {						\
	if (!(condition)) {						\
		printf("# %s:%d: expected %s\n", __FILE__, __LINE__,	\
		       #condition);					\
		test_failed = true;					\
	}								\
} while (0)

/* What the random tests start from, as printed; SEED in the environment. */
extern unsigned long test_seed;

/* Addresses are given in pages from here on. */
#define BASE		0x10000000UL
#define ADDR(page)	(BASE + (page) * PAGE_SIZE)

static inline int register_pages(struct hmm_range *range, struct mm_struct *mm,
				 unsigned long first, unsigned long nr)
{
	return hmm_range_register(range, mm, ADDR(first), ADDR(first + nr));
}

static inline void start_event(struct mmu_notifier_range *invalidation,
			       struct mm_struct *mm, unsigned long first,
			       unsigned long nr, enum mmu_notifier_event event,
			       void *owner)
{
	*invalidation = (struct mmu_notifier_range) {
		.mm = mm,
		.start = ADDR(first),
		.end = ADDR(first + nr),
		.event = event,
		.owner = owner,
	};
	mmu_notifier_invalidate_range_start(invalidation);
}

static inline void start_pages(struct mmu_notifier_range *invalidation,
			       struct mm_struct *mm, unsigned long first,
			       unsigned long nr)
{
	start_event(invalidation, mm, first, nr, MMU_NOTIFY_UNMAP, NULL);
}

static inline void end_pages(struct mmu_notifier_range *invalidation)
{
	mmu_notifier_invalidate_range_end(invalidation);
}

static inline void invalidate_pages(struct mm_struct *mm, unsigned long first,
				    unsigned long nr)
{
	struct mmu_notifier_range invalidation;

	start_pages(&invalidation, mm, first, nr);
	end_pages(&invalidation);
}

#endif /* HMM_TEST_H */
