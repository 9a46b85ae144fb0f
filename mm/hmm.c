// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HMM entry points: take a snapshot of a range, or fault it in.
 *
 * A walk is guarded in one of two ways. A tracked range, registered by
 * hmm_range_register(), is guarded by mm/hmm_range.c, and only the chunks that
 * need it are walked. A range with an interval notifier is guarded by the
 * driver with mmu_interval_read_begin() and mmu_interval_read_retry(), and is
 * walked as a whole; none of the fields that tracking added to it is looked at,
 * for drivers that know nothing of them leave them unset.
 *
 * What the walk itself does is in mm/hmm_walk.c.
 */
#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/oom.h>
#include <linux/sched/signal.h>

#include "hmm_internal.h"

static void hmm_walk_assert_locked(const struct hmm_walk *walk)
{
	if (walk->vma)
		vma_assert_locked(walk->vma);
	else
		mmap_assert_locked(walk->mm);
}

static int hmm_walk_tracked(struct hmm_walk *walk)
{
	struct hmm_range *range = walk->range;
	unsigned long start, end;
	u64 todo, span;
	int ret;

	ret = hmm_range_walk_begin(range, walk->fault, &todo);
	if (ret)
		return ret;

	hmm_walk_assert_locked(walk);
	while (todo && !ret) {
		span = hmm_range_first_span(range, todo, &start, &end);
		ret = hmm_walk_span(walk, start, end);
		todo &= ~span;
		if (ret)
			todo |= hmm_range_chunks(range, walk->last, end);
	}
	return hmm_range_walk_end(range, todo, ret);
}

static int hmm_walk_range(struct hmm_range *range, bool fault, int *locked)
{
	struct hmm_walk walk = {
		.range = range,
		.locked = locked,
		.fault = fault,
	};

	if (!range->notifier) {
		walk.mm = range->tracking.mm;
		return hmm_walk_tracked(&walk);
	}

	walk.mm = range->notifier->mm;
	hmm_walk_assert_locked(&walk);
	return hmm_walk_span(&walk, range->start, range->end);
}

/**
 * hmm_range_snapshot() - report what is mapped, without a fault
 * @range: the range; what its flags ask for is of no account
 *
 * The array gets the state of each page: holes and addresses without a vma are
 * reported there, and are no error. Documentation/mm/hmm.rst has the table.
 *
 * Context: The mmap lock of the mm is held, for read or write, and still held
 * on return. The caller keeps the users of the mm from going away, as by
 * mmget_not_zero(). May sleep for a lock, never for I/O. The caller serialises
 * the walks of @range.
 *
 * Return: 0, the array is complete, and hmm_range_valid() tells whether it
 * still stands; or
 *
 * * -EBUSY: an overlapping invalidation is in flight or came in between. Drop
 *   the mmap lock, call hmm_range_wait_until_valid(), and snapshot again.
 * * -EFAULT: the mm is dying.
 * * -EINTR: a fatal signal is pending.
 * * -EINVAL: @range is not registered, has no array, or its bounds are not
 *   within those registered.
 */
int hmm_range_snapshot(struct hmm_range *range)
{
	return hmm_walk_range(range, false, NULL);
}
EXPORT_SYMBOL_GPL(hmm_range_snapshot);

/**
 * hmm_range_fault() - fault in what is asked for, and keep the mmap lock
 * @range: the range; &hmm_range.default_flags and the entries of the array, as
 *	far as &hmm_range.pfn_flags_mask admits them, tell what is asked for
 *
 * Pages that nobody asked for are reported as by hmm_range_snapshot(). Since
 * the mmap lock has to be kept, memory whose fault handler must drop it cannot
 * be had this way. Prefer hmm_range_fault_unlocked_timeout(), or
 * hmm_range_fault_locked() where the lock has to be held on entry.
 *
 * Context: As hmm_range_snapshot(), but it may sleep for I/O as well.
 *
 * Return: 0, each page that was asked for is in the array, and
 * hmm_range_valid() tells whether it still stands; or
 *
 * * -EBUSY: an overlapping invalidation is in flight or came in between, which
 *   the fault may have caused itself. Drop the mmap lock, call
 *   hmm_range_wait_until_valid(), and call again; what has been walked is kept,
 *   and only what was invalidated is walked again.
 * * -EFAULT: a page was asked for where there is no vma, or an entry that
 *   cannot be used, or the mm is dying.
 * * -EPERM: write was asked for, and the mapping is not writable.
 * * -ENOMEM: no memory for a page.
 * * -EINTR: a fatal signal is pending.
 * * -EINVAL: as hmm_range_snapshot().
 *
 * A range with &hmm_range.notifier set gets -EBUSY when
 * mmu_interval_read_retry() would be true; call mmu_interval_read_begin() and
 * then again. It never gets -EINVAL.
 */
int hmm_range_fault(struct hmm_range *range)
{
	return hmm_walk_range(range, true, NULL);
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
	if (!locked || *locked != 1)
		return -EINVAL;
	return hmm_walk_range(range, true, locked);
}
EXPORT_SYMBOL_GPL(hmm_range_fault_locked);

/*
 * Wait until @range can be walked: 0, or the errno of the call. An interval
 * notifier waits without a limit.
 */
static int hmm_range_await(struct hmm_range *range, unsigned long timeout,
			   unsigned long deadline)
{
	unsigned long left = MAX_SCHEDULE_TIMEOUT;

	if (range->notifier) {
		range->notifier_seq = mmu_interval_read_begin(range->notifier);
		return 0;
	}
	if (timeout)
		left = time_before(jiffies, deadline) ? deadline - jiffies : 0;
	return hmm_range_wait(range, left);
}

/*
 * One try under the lock of the one vma that a tracked range lies in, which
 * leaves the rest of the mm alone. *@locked: 0 if it takes the mmap lock to get
 * on: there is no such vma, somebody changes it, or the fault needs more.
 */
static int hmm_range_fault_vma(struct hmm_range *range, struct mm_struct *mm,
			       int *locked)
{
	struct hmm_walk walk = {
		.range = range,
		.mm = mm,
		.locked = locked,
		.fault = true,
	};
	int ret = -EBUSY;

	*locked = 0;
	if (range->notifier)
		return ret;
	walk.vma = lock_vma_under_rcu(mm, range->start);
	if (!walk.vma)
		return ret;
	if (range->end <= walk.vma->vm_end) {
		*locked = 1;
		ret = hmm_walk_tracked(&walk);
		if (!*locked)
			return ret;
	}
	vma_end_read(walk.vma);
	return ret;
}

/* One try under the mmap lock. *@locked: was it still held after? */
static int hmm_range_fault_mmap(struct hmm_range *range, struct mm_struct *mm,
				int *locked)
{
	int ret;

	ret = mmap_read_lock_killable(mm);
	if (ret)
		return ret;

	*locked = 1;
	if (check_stable_address_space(mm))
		ret = -EFAULT;
	else
		ret = hmm_walk_range(range, true, locked);
	if (*locked)
		mmap_read_unlock(mm);
	return ret;
}

/**
 * hmm_range_fault_unlocked_timeout() - fault in what is asked for, and retry
 * @range: as for hmm_range_fault()
 * @timeout: how long to go on, in jiffies; 0 for no limit
 *
 * Takes a lock and faults, and waits for the invalidations that are in the way,
 * until it succeeds, fails for good or the time is up. The time is that of being
 * invalidated: when a fault had to drop the lock, it starts again. A fault under
 * way is not interrupted. With 0 the only limit is a fatal signal.
 *
 * The lock is that of the vma if a tracked range lies in one, and else, or when
 * a fault cannot be had so, the mmap lock for read. See "Under the lock of a
 * vma" in Documentation/mm/hmm.rst.
 *
 * Context: May sleep. The mmap lock is not held, on entry or on return, nor is
 * any lock that an invalidation callback takes. The caller keeps the users of
 * the mm from going away, as by mmget_not_zero(), and serialises the walks of
 * @range.
 *
 * Return: as hmm_range_fault(), except
 *
 * * -EBUSY: the time is up.
 */
int hmm_range_fault_unlocked_timeout(struct hmm_range *range,
				     unsigned long timeout)
{
	struct mm_struct *mm = range->notifier ? range->notifier->mm :
						 range->tracking.mm;
	unsigned long deadline = 0;
	bool by_vma = true;
	int locked = 0;
	int ret;

	if (!mm)
		return -EINVAL;

	do {
		if (!locked)
			deadline = jiffies + timeout;
		if (fatal_signal_pending(current))
			return -EINTR;
		/* At first the walk itself tells whether it has to wait. */
		if (locked || range->notifier) {
			ret = hmm_range_await(range, timeout, deadline);
			if (ret)
				return ret;
		}
		if (timeout && time_after(jiffies, deadline))
			return -EBUSY;
		if (by_vma) {
			ret = hmm_range_fault_vma(range, mm, &locked);
			by_vma = locked;
		} else {
			ret = hmm_range_fault_mmap(range, mm, &locked);
		}
	} while (ret == -EBUSY);
	return ret;
}
EXPORT_SYMBOL(hmm_range_fault_unlocked_timeout);
