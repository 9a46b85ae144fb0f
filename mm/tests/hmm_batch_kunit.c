// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of the faults of a walk: with which flags they are made, and what
 * ends a batch of them. Pages of a page table are faulted in by batches, which
 * grow from one page to eight, to 64, and to all of the page table.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>

#include "hmm_kunit.h"

/* Enough for the third batch. */
#define NR		100
#define FAULT_WRITE	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

static struct hmm_range *fault_range(struct kunit *test, unsigned long nr,
				     unsigned long flags)
{
	struct hmm_range *range = hmm_test_range(test, test_mm(test), 0, nr);

	range->default_flags = flags;
	return range;
}

/* In the midst of the third batch. */
#define KILLED_AT	20U

static vm_fault_t kill(struct hmm_test_recorder *recorder, struct vm_fault *vmf)
{
	if (recorder->faults == KILLED_AT)
		send_sig(SIGKILL, current, 1);
	return 0;
}

static void a_batch_ends_with_a_signal(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct hmm_range *range;

	recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	recorder->hook = kill;
	range = fault_range(test, NR, HMM_PFN_REQ_FAULT);
	allow_kernel_signal(SIGKILL);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EINTR);
	KUNIT_EXPECT_EQ(test, recorder->faults, KILLED_AT);
	flush_signals(current);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, NR);
}

/* The flags of faults: those that all of them had, and those that any had. */
struct flags {
	unsigned int all;
	unsigned int any;
};

static vm_fault_t note_flags(struct hmm_test_recorder *recorder,
			     struct vm_fault *vmf)
{
	struct flags *flags = recorder->data;

	flags->all &= vmf->flags;
	flags->any |= vmf->flags;
	return 0;
}

/* Map afresh and fault for what @request says, by @fault: each with @expected. */
static void expect_flags(struct kunit *test, int (*fault)(struct hmm_range *),
			 bool by_vma, unsigned long request,
			 unsigned int expected)
{
	const unsigned int of_callers = FAULT_FLAG_REMOTE | FAULT_FLAG_WRITE |
					FAULT_FLAG_ALLOW_RETRY |
					FAULT_FLAG_RETRY_NOWAIT |
					FAULT_FLAG_KILLABLE |
					FAULT_FLAG_INTERRUPTIBLE |
					FAULT_FLAG_USER | FAULT_FLAG_VMA_LOCK;
	struct flags flags = { .all = ~0U };
	struct hmm_test_recorder *recorder;

	recorder = hmm_test_map_recorder(test, NR, PROT_READ | PROT_WRITE,
					 by_vma);
	recorder->hook = note_flags;
	recorder->data = &flags;
	KUNIT_EXPECT_EQ(test, fault(fault_range(test, NR, request)), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, NR);
	KUNIT_EXPECT_EQ(test, flags.all & of_callers, expected);
	KUNIT_EXPECT_EQ(test, flags.any & of_callers, expected);
}

static int fault_unlocked(struct hmm_range *range)
{
	return hmm_range_fault_unlocked_timeout(range, 0);
}

/* For another process than the one that runs: as a remote access, always. */
static void flags_with_the_lock_kept(struct kunit *test)
{
	expect_flags(test, hmm_test_fault, false, HMM_PFN_REQ_FAULT,
		     FAULT_FLAG_REMOTE);
	expect_flags(test, hmm_test_fault, false, FAULT_WRITE,
		     FAULT_FLAG_REMOTE | FAULT_FLAG_WRITE);
}

/* What may drop the lock to wait may be killed then. */
static void flags_with_a_lock_that_may_go(struct kunit *test)
{
	const unsigned int may_go = FAULT_FLAG_REMOTE | FAULT_FLAG_ALLOW_RETRY |
				    FAULT_FLAG_KILLABLE;

	expect_flags(test, fault_unlocked, false, HMM_PFN_REQ_FAULT, may_go);
	expect_flags(test, fault_unlocked, false, FAULT_WRITE,
		     may_go | FAULT_FLAG_WRITE);
	expect_flags(test, fault_unlocked, true, HMM_PFN_REQ_FAULT,
		     may_go | FAULT_FLAG_VMA_LOCK);
}

static struct kunit_case hmm_batch_cases[] = {
	KUNIT_CASE(a_batch_ends_with_a_signal),
	KUNIT_CASE(flags_with_the_lock_kept),
	KUNIT_CASE(flags_with_a_lock_that_may_go),
	{ }
};

static struct kunit_suite hmm_batch_suite = {
	.name = "hmm_batch",
	.init = hmm_test_attach_mm,
	.test_cases = hmm_batch_cases,
};

kunit_test_suite(hmm_batch_suite);
