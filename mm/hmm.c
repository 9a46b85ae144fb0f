// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copyright 2013 Red Hat Inc.
 *
 * Authors: Jérôme Glisse <jglisse@redhat.com>
 *
 * HMM entry points: take a snapshot of a range, or fault it in.
 *
 * A walk is guarded in one of two ways. A tracked range, registered by
 * hmm_range_register(), is guarded by mm/hmm_range.c. A range with an interval
 * notifier is guarded by the driver with mmu_interval_read_begin() and
 * mmu_interval_read_retry(), and is walked as a whole; none of the fields that
 * tracking added to it is looked at, for drivers that know nothing of them leave
 * them unset.
 *
 * What the walk itself does is in mm/hmm_walk.c.
 */
#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/oom.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "hmm_internal.h"

/*
 * How long walks in a row may make no progress at a page: with no invalidation
 * in between, and in any case, for a fault may invalidate and not help either.
 */
#define HMM_STUCK_TIME	(HZ / 4)
#define HMM_STUCK_LIMIT	(2 * HZ)

/*
 * An invalidation does not end the walk once it has faulted: a fault that copies
 * a page invalidates the range, and each copy would cost a walk from the start.
 * The caller gets -EBUSY after the last fault, or when one fails. The sequence
 * number is looked at after each fault and never else: some drivers rely on it
 * that what is present is reported, and judge themselves.
 */
static int hmm_walk_legacy(struct hmm_walk *walk)
{
	const struct hmm_range *range = walk->range;
	struct hmm_extent *extent = &walk->extent;
	bool spoilt = false;
	int ret = 0;

	if (mmu_interval_check_retry(range->notifier, range->notifier_seq))
		return -EBUSY;
	if (range->start >= range->end)
		return -EINVAL;
	/* Some drivers give addresses within a page: as many pages, from there. */
	extent->start = walk->first;
	extent->end = walk->first + PAGE_ALIGN(range->end - range->start);
	while (!ret && extent->start != extent->end) {
		walk->faulted = false;
		ret = hmm_walk_claimed(walk, extent->end);
		if (walk->faulted &&
		    mmu_interval_check_retry(range->notifier,
					     range->notifier_seq))
			spoilt = true;
	}
	return spoilt && ret != -EINTR ? -EBUSY : ret;
}

static int hmm_walk_range(struct hmm_walk *walk)
{
	if (!walk->range->notifier)
		return hmm_range_walk(walk);
	return hmm_walk_legacy(walk);
}

/**
 * hmm_range_snapshot() - report what is mapped, without a fault
 * @range: the range; its request flags are ignored
 *
 * The array gets the state of each page: holes and addresses without a vma are
 * reported there, and are no error. Documentation/mm/hmm.rst has the table.
 *
 * Context: The mmap lock of the mm is held, for read or write, and still held
 * on return. The caller keeps the users of the mm from going away, as by
 * mmget_not_zero(). May sleep for a lock, never for I/O. The caller serialises
 * the walks of @range.
 *
 * Return: 0, the array is complete, and hmm_range_valid() tells whether it is
 * still valid; or
 *
 * * -EBUSY: an overlapping invalidation is in flight, or others came whenever
 *   what was hit was read again. Drop the mmap lock, call
 *   hmm_range_wait_until_valid(), and snapshot again.
 * * -EFAULT: the mm is dying.
 * * -EINTR: a fatal signal is pending.
 * * -EINVAL: @range is not registered, has no array, or its bounds are not
 *   within those registered.
 */
int hmm_range_snapshot(struct hmm_range *range)
{
	struct hmm_walk walk __uninitialized;

	hmm_walk_init(&walk, range, NULL, NULL, false);
	return hmm_walk_range(&walk);
}
EXPORT_SYMBOL_GPL(hmm_range_snapshot);

/**
 * hmm_range_fault() - fault in what is asked for, and keep the mmap lock
 * @range: the range; &hmm_range.default_flags and the entries of the array, as
 *	far as &hmm_range.pfn_flags_mask admits them, tell what is asked for
 *
 * Pages that nobody asked for are reported as by hmm_range_snapshot(). Since
 * the mmap lock has to be kept, a fault handler that has to drop it fails.
 * Prefer hmm_range_fault_unlocked_timeout(), or hmm_range_fault_locked() where
 * the lock has to be held on entry.
 *
 * Context: As hmm_range_snapshot(), but it may sleep for I/O as well.
 *
 * Return: 0, each page that was asked for is in the array, and
 * hmm_range_valid() tells whether it is still valid; or
 *
 * * -EBUSY: an overlapping invalidation is in flight, or others came whenever
 *   what was hit was read again, or faults of a page succeed again and again
 *   and do not help. Drop the mmap lock, call hmm_range_wait_until_valid() and,
 *   if the array is as the walk left it, hmm_range_retry(), and call again.
 * * -EFAULT: a page was asked for where there is no vma, or an entry that
 *   cannot be used, or the mm is dying.
 * * -EPERM: write was asked for, and the mapping is not writable.
 * * -ENOMEM: no memory for a page.
 * * -EINTR: a fatal signal is pending.
 * * -EINVAL: as hmm_range_snapshot().
 *
 * A range with &hmm_range.notifier set gets -EBUSY when
 * mmu_interval_read_retry() would be true, after what was asked for has been
 * faulted in; call mmu_interval_read_begin() and then again. Its bounds are not
 * checked, but -EINVAL says that it is empty.
 */
int hmm_range_fault(struct hmm_range *range)
{
	struct hmm_walk walk __uninitialized;

	hmm_walk_init(&walk, range, NULL, NULL, true);
	return hmm_walk_range(&walk);
}
EXPORT_SYMBOL(hmm_range_fault);

/**
 * hmm_range_fault_locked() - fault in what is asked for, the mmap lock may go
 * @range: as for hmm_range_fault()
 * @locked: in: 1. Out: 0 if the mmap lock was dropped
 *
 * The contract of GUP: a fault that waits drops the mmap lock first, and the
 * call then ends, since the vmas may have changed.
 *
 * Context: The mmap lock of the mm is held for read. On return it is held if
 * *@locked is 1, whatever the return value, and not held if it is 0, which goes
 * with -EBUSY or -EINTR only. Otherwise as hmm_range_fault().
 *
 * Return: as hmm_range_fault(), and
 *
 * * -EBUSY: also that the mmap lock was dropped. Take it again, and call again.
 * * -EINVAL: also that @locked is NULL or *@locked is not 1.
 */
int hmm_range_fault_locked(struct hmm_range *range, int *locked)
{
	struct hmm_walk walk __uninitialized;

	if (!locked || *locked != 1) {
		if (!range->notifier)
			hmm_range_take_retry(range);
		return -EINVAL;
	}
	hmm_walk_init(&walk, range, NULL, locked, true);
	return hmm_walk_range(&walk);
}
EXPORT_SYMBOL_GPL(hmm_range_fault_locked);

/*
 * What is kept from one walk to the next of hmm_range_fault_unlocked_timeout() and
 * hmm_range_fault_commit().
 *
 * @timeout: of the caller, in jiffies; 0: none
 * @in_all: it bounds the whole call, whatever progress is made
 * @deadline: when the time is up
 * @page: the one that the last walk was stuck at
 * @seq: of the range when that ended
 * @stuck: jiffies slept since walks are stuck there
 * @idle: and since the range was invalidated
 * @mmap: a fault cannot be had under the lock of a vma
 * @told: the array is as the last walk left it
 * @tried: of a legacy range, the page whose fault has dropped the lock last
 */
struct hmm_retry {
	unsigned long	timeout;
	bool		in_all;
	unsigned long	deadline;
	unsigned long	seq;
	unsigned long	page;
	unsigned long	stuck;
	unsigned long	idle;
	bool		mmap;
	bool		told;
	unsigned long	tried;
};

/*
 * The timeout bounds consecutive retries for invalidations; it restarts when a
 * fault drops the lock, as that is progress.
 */
static void hmm_retry_restart(struct hmm_retry *retry)
{
	retry->deadline = jiffies + retry->timeout;
}

static unsigned long hmm_retry_left(const struct hmm_retry *retry)
{
	const unsigned long now = jiffies;

	if (!retry->timeout)
		return MAX_SCHEDULE_TIMEOUT;
	if (time_after(now, retry->deadline))
		return 0;
	return max(retry->deadline - now, 1UL);
}

/*
 * Called after a walk ended with -EBUSY. Return true if that is final, since walks
 * have been stuck at one page for too long. Else sleep after such a walk, twice as
 * long each time, so that whoever holds the page can go on: some drivers keep one
 * on their device for milliseconds, whoever faults.
 */
static bool hmm_retry_gives_up(struct hmm_retry *retry,
			       const struct hmm_walk *walk)
{
	const struct hmm_range *range = walk->range;
	unsigned long seq = range->notifier ? range->notifier_seq :
					      READ_ONCE(range->tracking.seq);
	unsigned long nap;

	if (!walk->stuck || walk->fault_start != retry->page)
		retry->stuck = 0;
	if (!retry->stuck || seq != retry->seq)
		retry->idle = 0;
	if (!walk->stuck)
		return false;
	if (retry->idle >= HMM_STUCK_TIME || retry->stuck >= HMM_STUCK_LIMIT)
		return true;
	retry->page = walk->fault_start;
	retry->seq = seq;
	nap = retry->stuck + 1;
	retry->stuck += nap;
	retry->idle += nap;
	schedule_timeout_killable(min(hmm_retry_left(retry), nap));
	return false;
}

/* Walk once under the mmap lock. *@locked: was it still held after? */
static int hmm_fault_mmap_locked(struct hmm_walk *walk, struct hmm_range *range,
				 const struct hmm_retry *retry, int *locked)
{
	int ret;

	*locked = 1;
	hmm_walk_init(walk, range, NULL, locked, true);
	walk->retry = retry->told;
	if (range->notifier)
		walk->tried = retry->tried;
	ret = mmap_read_lock_killable(walk->mm);
	if (ret)
		return ret;
	if (check_stable_address_space(walk->mm))
		ret = -EFAULT;
	else
		ret = hmm_walk_range(walk);
	if (*locked)
		mmap_read_unlock(walk->mm);
	return ret;
}

/*
 * Lock the vma that contains all of the window for read, which leaves the rest
 * of the mm alone. NULL if no vma does, or if it is write-locked.
 */
static struct vm_area_struct *hmm_range_lock_vma(const struct hmm_range *range)
{
	struct vm_area_struct *vma;

	vma = lock_vma_under_rcu(range->tracking.sub.mm, range->start);
	if (vma && range->end > vma->vm_end) {
		vma_end_read(vma);
		vma = NULL;
	}
	return vma;
}

/*
 * Walk once, under the lock of the vma if possible, else under the mmap lock.
 * *@dropped: a fault dropped the mmap lock, so the timeout restarts.
 */
static int hmm_fault_tracked_once(struct hmm_walk *walk,
				  struct hmm_range *range,
				  struct hmm_retry *retry, bool *dropped)
{
	struct vm_area_struct *vma;
	int locked = 1;
	int ret;

	*dropped = false;
	if (retry->mmap)
		goto mmap;
	vma = hmm_range_lock_vma(range);
	if (!vma)
		goto mmap;
	hmm_walk_init(walk, range, vma, &locked, true);
	walk->retry = retry->told;
	ret = hmm_walk_range(walk);
	if (locked)
		vma_end_read(vma);
	if (locked || ret != -EBUSY)
		return ret;
	retry->told = true;
mmap:
	retry->mmap = true;
	ret = hmm_fault_mmap_locked(walk, range, retry, &locked);
	*dropped = !locked;
	return ret;
}

static int hmm_fault_tracked(struct hmm_range *range, struct hmm_retry *retry)
{
	struct hmm_walk walk __uninitialized;
	bool dropped;
	int ret;

	retry->told = hmm_range_take_retry(range);
	/* With a mask the array is input: it is walked once. */
	retry->mmap = range->pfn_flags_mask;
	retry->stuck = 0;
	for (;;) {
		if (fatal_signal_pending(current))
			return -EINTR;
		ret = hmm_fault_tracked_once(&walk, range, retry, &dropped);
		if (ret != -EBUSY || range->pfn_flags_mask ||
		    hmm_retry_gives_up(retry, &walk))
			return ret;
		if (dropped && !retry->in_all)
			hmm_retry_restart(retry);
		ret = hmm_range_wait(range, hmm_retry_left(retry));
		if (ret)
			return ret;
		if (!hmm_retry_left(retry))
			return -EBUSY;
		retry->told = true;
	}
}

static int hmm_fault_legacy(struct hmm_range *range, unsigned long timeout)
{
	struct hmm_retry retry = { .timeout = timeout, .tried = ULONG_MAX };
	struct hmm_walk walk __uninitialized;
	int locked = 0;
	int ret;

	for (;;) {
		if (!locked)
			hmm_retry_restart(&retry);
		if (fatal_signal_pending(current))
			return -EINTR;
		range->notifier_seq = mmu_interval_read_begin(range->notifier);
		if (!hmm_retry_left(&retry))
			return -EBUSY;
		ret = hmm_fault_mmap_locked(&walk, range, &retry, &locked);
		if (ret != -EBUSY || hmm_retry_gives_up(&retry, &walk))
			return ret;
		retry.tried = walk.tried;
	}
}

/**
 * hmm_range_fault_unlocked_timeout() - fault in what is asked for, and retry
 * @range: as for hmm_range_fault()
 * @timeout: how long to go on, in jiffies; 0 for no limit
 *
 * Takes a lock and faults, and waits for the invalidations that are in the way,
 * until it succeeds, fails for good or the time is up. @timeout bounds
 * consecutive retries for invalidations; it restarts when a fault drops the mmap
 * lock, as that is progress. A fault under way is not interrupted.
 *
 * The lock is that of the vma if a tracked range lies in one, and else, or when
 * a fault cannot be had so, the mmap lock for read. See "Under the lock of a
 * vma" in Documentation/mm/hmm.rst.
 *
 * Context: May sleep. The mmap lock is not held, on entry or on return, nor is
 * any lock that an invalidation callback takes. The caller serialises the walks
 * of @range. For a tracked range the users of the mm are kept from going away
 * while the call runs; with &hmm_range.notifier set the caller does that.
 *
 * Return: as hmm_range_fault(), except
 *
 * * -EBUSY: the time is up; or, also with @timeout 0, faults of a page succeed
 *   again and again, do not help, and nothing invalidates the range; or, for a
 *   tracked range with &hmm_range.pfn_flags_mask, as hmm_range_fault_locked():
 *   the array has to be filled again.
 * * -EFAULT: also that the mm has no users any more.
 */
int hmm_range_fault_unlocked_timeout(struct hmm_range *range,
				     unsigned long timeout)
{
	struct hmm_retry retry = { .timeout = timeout };
	struct mm_struct *mm;
	int ret;

	if (range->notifier) {
		might_lock_read(&range->notifier->mm->mmap_lock);
		return hmm_fault_legacy(range, timeout);
	}
	mm = range->tracking.sub.mm;
	if (!mm)
		return -EINVAL;
	might_lock_read(&mm->mmap_lock);
	/* Without users the vmas may be going away under lock_vma_under_rcu(). */
	if (!mmget_not_zero(mm)) {
		hmm_range_take_retry(range);
		return -EFAULT;
	}
	hmm_retry_restart(&retry);
	ret = hmm_fault_tracked(range, &retry);
	/*
	 * mmput() of the last reference would call .release of every driver
	 * here, in a worker that the driver may flush.
	 */
	mmput_async(mm);
	return ret;
}
EXPORT_SYMBOL(hmm_range_fault_unlocked_timeout);

/*
 * One commit of hmm_range_fault_commit(): 0, -EBUSY if the range has to be walked
 * again, -EAGAIN to be called again, or the driver's errno.
 */
static int hmm_commit_once(struct hmm_range *range,
			   const struct hmm_commit_ops *ops, void *data,
			   bool *valid)
{
	int ret = -EBUSY;

	ops->lock(data);
	*valid = hmm_range_valid(range);
	if (*valid)
		ret = ops->commit(range, data);
	ops->unlock(data);
	return ret;
}

/* How often in a row a commit may say -EAGAIN while nothing else happens. */
#define HMM_COMMIT_TRIES	3

static int hmm_fault_and_commit(struct hmm_range *range, unsigned long timeout,
				const struct hmm_commit_ops *ops, void *data)
{
	struct hmm_retry retry = { .timeout = timeout, .in_all = true };
	unsigned int tries = 0;
	bool valid = false;
	int ret;

	hmm_retry_restart(&retry);
	for (;;) {
		if (!valid) {
			ret = hmm_fault_tracked(range, &retry);
			if (ret)
				return ret;
			tries = 0;
		}
		ret = hmm_commit_once(range, ops, data, &valid);
		if (valid && ret != -EAGAIN)
			return ret;
		if (valid && ++tries == HMM_COMMIT_TRIES)
			return -EBUSY;
		if (fatal_signal_pending(current))
			return -EINTR;
		if (!hmm_retry_left(&retry))
			return -EBUSY;
		if (!valid)
			hmm_range_retry(range);
		cond_resched();
	}
}

/**
 * hmm_range_fault_commit() - fault in a range, and give it to the device
 * @range: a registered range
 * @timeout: how long to go on, in jiffies; 0 for no limit
 * @ops: the driver's lock, and what it does under it
 * @data: for @ops
 *
 * The whole loop: faults what is asked for, takes the driver's lock, and if the
 * range is still valid calls &hmm_commit_ops.commit under it. What was hit
 * meanwhile is read again, and nothing else.
 *
 * Context: as hmm_range_fault_unlocked_timeout() for a registered range; the
 * driver's lock is not held.
 *
 * Return: 0, what &hmm_commit_ops.commit returned, or as
 * hmm_range_fault_unlocked_timeout(), where -EBUSY also says that commit has
 * returned -EAGAIN three times while nothing invalidated the range, and -EINVAL
 * that &hmm_range.pfn_flags_mask is not 0.
 */
int hmm_range_fault_commit(struct hmm_range *range, unsigned long timeout,
			   const struct hmm_commit_ops *ops, void *data)
{
	struct mm_struct *mm = range->tracking.sub.mm;
	int ret;

	/* A mask makes the array input too, which a second walk does not find. */
	if (!hmm_range_tracker(range) || range->pfn_flags_mask)
		return -EINVAL;
	might_lock_read(&mm->mmap_lock);
	if (!mmget_not_zero(mm)) {
		hmm_range_take_retry(range);
		return -EFAULT;
	}
	ret = hmm_fault_and_commit(range, timeout, ops, data);
	/* As in hmm_range_fault_unlocked_timeout(). */
	mmput_async(mm);
	return ret;
}
EXPORT_SYMBOL_GPL(hmm_range_fault_commit);
