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
#include <linux/delay.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#include "mmap_lock.h"

/*
 * Ranges are given in pages from here on; nothing is mapped unasked. It is
 * aligned to a PMD, which with pages of 64 KiB maps 512 MiB.
 */
#define HMM_TEST_BASE	0x20000000UL

static inline unsigned long hmm_test_addr(unsigned long page)
{
	return HMM_TEST_BASE + page * PAGE_SIZE;
}

/* Longer than anything takes that does not wait for ever. */
#define HMM_TEST_LONG	(10 * HZ)

int hmm_test_attach_mm(struct kunit *test);
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
int hmm_test_retry(struct hmm_range *range);

struct hmm_range *hmm_test_legacy_range(struct kunit *test, unsigned long nr);
int hmm_test_legacy_fault(struct hmm_range *range);

/*
 * A mapping whose faults are counted, and are done as the test tells.
 *
 * @faults: how many there were
 * @by_vma: how many of them under the lock of the vma
 * @flags: the fault flags of the last one
 * @nr_hits: how often each of the first pages was faulted in
 * @hook: called with each fault before a page is mapped; what it returns is
 *	the result, unless that is 0
 * @data: the hook's
 */
#define HMM_TEST_COUNTED 64
struct hmm_test_recorder {
	unsigned int faults;
	unsigned int by_vma;
	unsigned int flags;
	unsigned int nr_hits[HMM_TEST_COUNTED];
	vm_fault_t (*hook)(struct hmm_test_recorder *recorder,
			   struct vm_fault *vmf);
	void *data;
};

struct hmm_test_recorder *hmm_test_map_recorder(struct kunit *test,
						unsigned long nr,
						unsigned long prot,
						bool by_vma);
void hmm_test_map(struct kunit *test, struct file *file, unsigned long first,
		  unsigned long nr, unsigned long prot);
void hmm_test_zap(struct vm_area_struct *vma, unsigned long first,
		  unsigned long nr);
unsigned long hmm_test_mapped(struct mm_struct *mm, unsigned long page);

/*
 * What a walk has written is seen in the array: it is filled with a value that
 * no walk stores, and what a walk passed over still has it. No pfn has all of
 * these bits, and it is none of the sticky ones.
 */
#define HMM_TEST_UNTOUCHED	((1UL << HMM_PFN_ORDER_SHIFT) - 1)

/* Pages [first, end); in a list, the one that is empty is the last. */
struct hmm_test_pages {
	unsigned long first;
	unsigned long end;
};

void hmm_test_forget(struct hmm_range *range, unsigned long nr);
void hmm_test_expect_walked(struct kunit *test, const struct hmm_range *range,
			    unsigned long nr,
			    const struct hmm_test_pages *walked);
void hmm_test_expect_mapped(struct kunit *test, const struct hmm_range *range,
			    unsigned long nr);

/* Exactly these pages of the first @nr have been stored, as they are mapped. */
#define HMM_TEST_WALKED(test, range, nr, ...)				\
	hmm_test_expect_walked(test, range, nr,				\
			       (const struct hmm_test_pages[]){		\
				       __VA_ARGS__, { } })

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
