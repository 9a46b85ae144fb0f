// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges of both kinds, tracked and with an interval notifier, and what a
 * driver does when the memory below one changes.
 *
 * A driver takes the lock of its page table in its callback and tears entries
 * down. There is no page table here, so the lock is all. A range with an
 * interval notifier also has to set the sequence number.
 */
#include <linux/sched/mm.h>

#include "module.h"

static bool hit_interval(struct mmu_interval_notifier *notifier,
			 const struct mmu_notifier_range *invalidation,
			 unsigned long seq)
{
	struct bench_range *range = container_of(notifier, struct bench_range,
						 notifier);

	spin_lock(&range->bench->lock);
	mmu_interval_set_seq(notifier, seq);
	spin_unlock(&range->bench->lock);
	return true;
}

static const struct mmu_interval_notifier_ops interval_ops = {
	.invalidate = hit_interval,
};

static int interval_add(struct bench_range *range, unsigned long start,
			unsigned long end)
{
	range->hmm.notifier = &range->notifier;
	range->hmm.start = start;
	range->hmm.end = end;
	return mmu_interval_notifier_insert(&range->notifier, current->mm, start,
					    end - start, &interval_ops);
}

static int interval_try(struct hmm_range *range)
{
	int ret;

	range->notifier_seq = mmu_interval_read_begin(range->notifier);
	mmap_read_lock(current->mm);
	ret = hmm_range_fault(range);
	mmap_read_unlock(current->mm);
	if (!ret && mmu_interval_read_retry(range->notifier, range->notifier_seq))
		ret = -EBUSY;
	return ret;
}

#ifdef TRACKED
static bool hit_range(struct hmm_range *hmm,
		      const struct mmu_notifier_range *invalidation,
		      unsigned long start, unsigned long end)
{
	struct bench_range *range = container_of(hmm, struct bench_range, hmm);

	spin_lock(&range->bench->lock);
	spin_unlock(&range->bench->lock);
	return true;
}

static const struct hmm_range_ops range_ops = {
	.invalidate = hit_range,
};

int bench_range_add(struct bench *bench, struct bench_range *range,
		    unsigned long start, unsigned long end)
{
	range->bench = bench;
	if (bench->legacy)
		return interval_add(range, start, end);
	return hmm_range_register_ops(&range->hmm, current->mm, start, end,
				      &range_ops);
}

void bench_range_del(struct bench_range *range)
{
	if (range->hmm.notifier)
		mmu_interval_notifier_remove(&range->notifier);
	else
		hmm_range_unregister(&range->hmm);
}

int bench_range_try(struct hmm_range *range, bool fault)
{
	int ret;

	if (range->notifier)
		return interval_try(range);
	if (!hmm_range_wait_until_valid(range, HMM_RANGE_DEFAULT_TIMEOUT))
		return -ETIME;
	mmap_read_lock(current->mm);
	ret = fault ? hmm_range_fault(range) : hmm_range_snapshot(range);
	mmap_read_unlock(current->mm);
	if (!ret && !hmm_range_valid(range))
		ret = -EBUSY;
	return ret;
}
#else
int bench_range_add(struct bench *bench, struct bench_range *range,
		    unsigned long start, unsigned long end)
{
	range->bench = bench;
	return interval_add(range, start, end);
}

void bench_range_del(struct bench_range *range)
{
	mmu_interval_notifier_remove(&range->notifier);
}

int bench_range_try(struct hmm_range *range, bool fault)
{
	return interval_try(range);
}
#endif

/* The array is as the last walk left it. */
void bench_range_retry(struct hmm_range *range)
{
#ifdef RANGE_RETRY
	if (!range->notifier)
		hmm_range_retry(range);
#endif
}

static int hit_plain(struct mmu_notifier *notifier,
		     const struct mmu_notifier_range *invalidation)
{
	return 0;
}

static const struct mmu_notifier_ops plain_ops = {
	.invalidate_range_start = hit_plain,
};

/* A notifier that hears of every invalidation, as KVM's does. */
int bench_plain(struct bench *bench)
{
	int ret;

	if (bench->mm)
		return -EBUSY;
	bench->plain.ops = &plain_ops;
	ret = mmu_notifier_register(&bench->plain, current->mm);
	if (!ret)
		bench->mm = current->mm;
	return ret;
}

void bench_finish(struct bench *bench)
{
	if (bench->mm)
		mmu_notifier_unregister(&bench->plain, bench->mm);
}
