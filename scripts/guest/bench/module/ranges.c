// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges of both kinds, tracked and with an interval notifier, and what a
 * driver does when the memory below one changes.
 *
 * A driver takes the lock of its page table in its callback and tears entries
 * down. There is no page table here, so the lock is all. A range with an
 * interval notifier has the callback there, and it also has to set the
 * sequence number. A tracked range has none yet: the driver registers a plain
 * notifier in the mm, which hears of every invalidation and looks first
 * whether the invalidation concerns its page table.
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
static int hit_plain(struct mmu_notifier *notifier,
		     const struct mmu_notifier_range *invalidation)
{
	struct bench *bench = container_of(notifier, struct bench, callback);

	if (invalidation->start < bench->last && invalidation->end > bench->first) {
		spin_lock(&bench->lock);
		spin_unlock(&bench->lock);
	}
	return 0;
}

static const struct mmu_notifier_ops plain_ops = {
	.invalidate_range_start = hit_plain,
};

/* Before a range is registered in [@first, @last), for the timing's sake. */
int bench_prepare(struct bench *bench, unsigned long first, unsigned long last)
{
	int ret;

	bench->first = first;
	bench->last = last;
	if (bench->mm || bench->legacy)
		return 0;
	bench->callback.ops = &plain_ops;
	ret = mmu_notifier_register(&bench->callback, current->mm);
	if (!ret)
		bench->mm = current->mm;
	return ret;
}

void bench_finish(struct bench *bench)
{
	if (bench->mm)
		mmu_notifier_unregister(&bench->callback, bench->mm);
}

int bench_range_add(struct bench *bench, struct bench_range *range,
		    unsigned long start, unsigned long end)
{
	range->bench = bench;
	if (bench->legacy)
		return interval_add(range, start, end);
	return hmm_range_register(&range->hmm, current->mm, start, end);
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
int bench_prepare(struct bench *bench, unsigned long first, unsigned long last)
{
	return 0;
}

void bench_finish(struct bench *bench)
{
}

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
