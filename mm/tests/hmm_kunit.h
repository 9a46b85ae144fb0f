/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the KUnit tests of tracked ranges share: ranges, invalidations and
 * address spaces that are let go when the test ends, however it ends, and jobs
 * that may block.
 */
#ifndef MM_TESTS_HMM_KUNIT_H
#define MM_TESTS_HMM_KUNIT_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/hmm.h>
#include <linux/mmu_notifier.h>

/* Ranges are given in pages from here on; nothing is mapped unasked. */
#define HMM_TEST_BASE	0x10000000UL

static inline unsigned long hmm_test_addr(unsigned long page)
{
	return HMM_TEST_BASE + page * PAGE_SIZE;
}

/* Longer than anything takes that does not wait for ever. */
#define HMM_TEST_LONG	(10 * HZ)

struct mm_struct *hmm_test_mm(struct kunit *test);
void hmm_test_kill_mm(struct kunit *test, struct mm_struct *mm);

struct hmm_range *hmm_test_alloc_range(struct kunit *test, unsigned long nr);
struct hmm_range *hmm_test_range(struct kunit *test, struct mm_struct *mm,
				 unsigned long first, unsigned long nr);
void hmm_test_unregister(struct kunit *test, struct hmm_range *range);

struct mmu_notifier_range *
hmm_test_start_event(struct kunit *test, struct mm_struct *mm,
		     unsigned long first, unsigned long nr,
		     enum mmu_notifier_event event, void *owner);
struct mmu_notifier_range *hmm_test_start(struct kunit *test,
					  struct mm_struct *mm,
					  unsigned long first,
					  unsigned long nr);
void hmm_test_end(struct kunit *test, struct mmu_notifier_range *invalidation);
void hmm_test_invalidate(struct mm_struct *mm, unsigned long first,
			 unsigned long nr);

int hmm_test_snapshot(struct hmm_range *range);
int hmm_test_fault(struct hmm_range *range);

/*
 * Something that may take for ever when it should not, and is therefore left to
 * another thread: @run, which finds here what it is about, and stores @result.
 */
struct hmm_test_job {
	void (*run)(struct hmm_test_job *job);
	struct hmm_range *range;
	struct mm_struct *mm;
	struct mmu_interval_notifier *interval;
	unsigned long timeout;
	long result;
	struct completion done;
	struct task_struct *task;
};

struct hmm_test_job *hmm_test_start_job(struct kunit *test,
					void (*run)(struct hmm_test_job *job),
					const struct hmm_test_job *args);
bool hmm_test_job_sleeps(struct hmm_test_job *job);
bool hmm_test_job_ends(struct hmm_test_job *job);
void hmm_test_kill_job(struct hmm_test_job *job);

#endif /* MM_TESTS_HMM_KUNIT_H */
