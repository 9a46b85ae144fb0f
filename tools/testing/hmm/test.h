/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tests of the harness, and what they share: expectations, an address space
 * with pages counted from BASE, invalidations, and the walk of walk.c.
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
#define TEST_SECONDS		300

struct test {
	const char *name;
	void (*run)(void);
};

extern const struct test range_tests[], retry_tests[], order_tests[],
			 random_tests[], thread_tests[], interval_tests[], ops_tests[];

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

/* Some pages that follow each other. */
struct pages {
	unsigned long first, nr;
};

/* Where in hmm_walk_claimed() a walk is. */
enum walk_place {
	WALK_READS,	/* about to read the page */
	WALK_STORES,	/* has read it, about to store it */
	WALK_STEPS,	/* has stored it, about to move its position on */
};

#define WALK_LOG	64

/*
 * A walk of the harness. The test sets @snapshot and the functions, of which
 * each may be NULL; walk_range() all else.
 *
 * @read: what the page table says of a page. NULL: all is present, and nothing
 *	is stored
 * @fault: make a page present that does not satisfy @required, with nothing
 *	claimed: 0, to look again, or an errno that ends the walk
 * @hook: what others do meanwhile
 * @locked: 0 if a fault dropped the mmap lock
 * @log: what was stored, in that order; @nr_log of them fit into it
 * @nr_pages: how many pages were stored
 * @nr_faults: how many faults there were
 */
struct test_walk {
	bool snapshot;
	unsigned long (*read)(struct test_walk *w, unsigned long page);
	int (*fault)(struct test_walk *w, unsigned long page,
		     unsigned long required);
	void (*hook)(struct test_walk *w, enum walk_place place,
		     unsigned long page);

	struct hmm_walk walk;
	int locked;
	struct pages log[WALK_LOG];
	unsigned int nr_log;
	unsigned long nr_pages;
	unsigned int nr_faults;
};

int walk_range(struct test_walk *w, struct hmm_range *range);
int retry_range(struct test_walk *w, struct hmm_range *range);
void drop_mmap_lock(struct test_walk *w);
bool walk_stored(const struct test_walk *w, const struct pages *expected,
		 unsigned int nr);

/* Did the walk store these pages, in this order, and no others? */
#define STORED(w, ...) ({						\
	const struct pages __expected[] = { __VA_ARGS__ };		\
									\
	walk_stored(w, __expected, ARRAY_SIZE(__expected));		\
})

#endif /* HMM_TEST_H */
