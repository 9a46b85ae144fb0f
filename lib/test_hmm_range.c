// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Test device for tracked ranges: mirrors a process through /dev/hmm_range.
 *
 * User space drives each step of struct hmm_range's protocol by an ioctl, sees
 * what it returns and what it stored, and can hold invalidations open, so that
 * each step can be made to meet one. lib/test_hmm_range_uapi.h describes the
 * calls.
 */

/**
 * DOC: How a driver mirrors a range
 *
 * This device has what a real one has, except for the hardware: a page table of
 * its own, which says where in memory each virtual page lies and whether it may
 * be written to, and accesses that go by that table and by nothing else. No
 * page is pinned. samples/hmm/hmm_sample.c does the same in fewer lines; here
 * each step is a call of its own. What keeps this safe:
 *
 * 1. One lock, &struct mirror.lock, is held whenever entries of the device's
 *    page table are written, and whenever the device may use them. (Hardware
 *    does not take locks. There, removing an entry means to flush the device's
 *    TLB and to wait for accesses under way; this device's accesses are made
 *    under the lock instead.)
 *
 * 2. A callback removes the entries of the pages that the CPU's page table is
 *    about to drop, under that lock. When it returns, the device cannot reach
 *    them. It is the range's own, mirror_invalidate(), or that of a notifier
 *    for the whole mm, mirror_invalidate_plain() or
 *    mirror_invalidate_interval(). The end of the address space is an
 *    invalidation of everything: a plain notifier has mirror_release_plain()
 *    for it, the others get %MMU_NOTIFY_RELEASE.
 *
 * 3. mirror_range_fault() fills the table: it walks without &struct mirror.lock,
 *    takes it, and asks hmm_range_valid(). If the range is valid, each
 *    invalidation that started before is over, and each that starts later calls
 *    the callback, which waits for the lock and then removes what was written.
 *    If it is not, there was an invalidation since, its callback may have run
 *    already, and the walk has to be done again. The handler then calls
 *    hmm_range_retry(), because the array is as the walk left it, and gives up
 *    when its time is up. mirror_fault_commit() leaves that loop to the core.
 *
 * Nothing is allocated under the lock, because memory reclaim may wait for the
 * callback and so for the lock; and nothing of user space is touched, because a
 * page fault may invalidate. Data goes through a bounce buffer.
 *
 * Locks, outermost first:
 *
 * &struct mirror_range.lock
 *    serialises the calls on one range, as hmm_range_retry() and the walks
 *    require
 * mm->mmap_lock
 *    held around a walk
 * &struct mirror.lock
 *    taken by the callback, that is, from inside an invalidation
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/hmm.h>
#include <linux/interval_tree.h>
#include <linux/kasan.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/kthread.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "test_hmm_range_uapi.h"

#define MIRROR_BOUNCE_BYTES	SZ_64K
#define MIRROR_MAX_LATENCY_US	100000

/*
 * An open file: the mirror of one address space.
 *
 * @mm is the opener's, and pinned; it may be dead.
 */
struct mirror {
	struct mm_struct	*mm;

	/* id -> struct mirror_range; its xa_lock covers taking a reference. */
	struct xarray		ranges;
	atomic_long_t		nr_ranges;
	atomic_long_t		nr_pages;

	/* The driver's lock: see above. */
	struct mutex		lock;
	/* The ranges by address: &mirror_range.node. Under @lock. */
	struct rb_root_cached	tree;

	/* Serialises the choice of the notifier. */
	struct mutex		notifier_lock;
	unsigned int		notifier;
	bool			refuse;
	bool			pause;
	union {
		struct mmu_notifier		plain;
		struct mmu_interval_notifier	interval;
	};

	/* id -> struct held. */
	struct xarray		held;
	/* Covers @held, from looking one up to its end. */
	struct mutex		held_lock;
	/* Who holds an invalidation, or pauses in a callback. */
	wait_queue_head_t	held_wq;

	atomic64_t		stat[HMM_RANGE_DEV_NR_STATS];
};

/*
 * @GONE: not registered
 * @REGISTERED: what all calls want
 * @ENDING: its callback has called hmm_range_unregister_async()
 */
enum mirror_state { GONE, REGISTERED, ENDING };

/* The second pass of a callback: what it has to tear down. */
struct mirror_finish {
	struct hmm_range_finish	finish;
	unsigned long		start;
	unsigned long		end;
	bool			busy;
};

/*
 * A range of a mirror. The ids of the mirror hold one reference, and so does
 * each call that uses it.
 */
struct mirror_range {
	struct kref		ref;
	struct mirror		*mirror;
	/* Serialises the calls on @hmm, and covers the fields down to @pfns. */
	struct mutex		lock;
	enum mirror_state	state;
	/* The validity check was left out: trust no entry. */
	bool			unchecked;
	/* The last walk of @hmm stored all it was asked for (legacy ranges). */
	bool			walked;
	struct hmm_range	hmm;
	/* Of a legacy range; &hmm_range.notifier points here. */
	struct mmu_interval_notifier legacy;
	/* Callbacks of @hmm; NULL: a notifier of the mirror does their work. */
	const struct hmm_range_ops *ops;
	/* End in a callback. */
	bool			once;
	/* Callbacks that run, and whether there may be any. */
	atomic_t		running;
	bool			over;
	struct completion	released;
	/* What callbacks were told, and the second pass. Under mirror->lock. */
	struct hmm_range_dev_calls told;
	struct mirror_finish	second;
	/* One entry a page, NULL for a range without an array. */
	unsigned long		*pfns;
	/* The device's page table: entries as in @pfns. Under mirror->lock. */
	unsigned long		*table;
	/* The bounds as registered. */
	struct interval_tree_node node;
};

/* An invalidation that is held open. */
struct held {
	struct mirror		*mirror;
	struct mmu_notifier_range invalidation;
	unsigned int		flags;
	unsigned long		timeout;
	struct task_struct	*task;
	struct completion	started;
	int			err;
	bool			released;
};

static void mirror_count(struct mirror *mirror, unsigned int stat, long n)
{
	atomic64_add(n, &mirror->stat[stat]);
}

static void mirror_count_wait(struct mirror *mirror, ktime_t start)
{
	atomic64_t *longest = &mirror->stat[HMM_RANGE_DEV_STAT_LONGEST_WAIT];
	s64 us = ktime_us_delta(ktime_get(), start);
	s64 old = atomic64_read(longest);

	mirror_count(mirror, HMM_RANGE_DEV_STAT_WAITS, 1);
	while (us > old && !atomic64_try_cmpxchg(longest, &old, us))
		;
}

static unsigned long mirror_range_pages(const struct mirror_range *mrange)
{
	return ((mrange->node.last - mrange->node.start) >> PAGE_SHIFT) + 1;
}

static bool mirror_range_legacy(const struct mirror_range *mrange)
{
	return mrange->hmm.notifier;
}

/* May the array be relied upon? The caller holds mirror->lock. */
static bool mirror_range_valid(struct mirror_range *mrange)
{
	struct hmm_range *hmm = &mrange->hmm;

	lockdep_assert_held(&mrange->mirror->lock);

	if (!mirror_range_legacy(mrange))
		return hmm_range_valid(hmm);
	return mrange->walked &&
	       !mmu_interval_read_retry(hmm->notifier, hmm->notifier_seq);
}

/*
 * Callbacks.
 */

/* Whether the core may have left @mrange unmarked. */
static bool mirror_range_ignores(const struct mirror_range *mrange,
				 const struct mmu_notifier_range *invalidation)
{
	return (mrange->hmm.ignore_events & BIT(invalidation->event)) &&
	       invalidation->owner == mrange->mirror;
}

static void mirror_range_tear_down(struct mirror_range *mrange,
				   unsigned long start, unsigned long end)
{
	unsigned long first, last, i, n = 0;

	if (!mrange->table)
		return;
	first = max(start, mrange->node.start) - mrange->node.start;
	last = min(end - 1, mrange->node.last) - mrange->node.start;
	for (i = first >> PAGE_SHIFT; i <= last >> PAGE_SHIFT; i++) {
		n += !!mrange->table[i];
		mrange->table[i] = 0;
	}
	mirror_count(mrange->mirror, HMM_RANGE_DEV_STAT_TORN_DOWN, n);
}

/*
 * Is the range valid although [@start, @end), which is being invalidated, hits
 * the window that it is valid for? Another walk may change the window meanwhile:
 * then this says nothing.
 */
static bool mirror_range_unmarked(const struct mirror_range *mrange,
				  unsigned long start, unsigned long end)
{
	const struct hmm_range_tracking *tracking = &mrange->hmm.tracking;
	unsigned long first = READ_ONCE(tracking->window.start);
	unsigned long last = READ_ONCE(tracking->window.end);

	if (first >= end || last <= start || !hmm_range_valid(&mrange->hmm))
		return false;
	return first == READ_ONCE(tracking->window.start) &&
	       last == READ_ONCE(tracking->window.end);
}

/*
 * What @invalidation hits, or everything if it is NULL, has been marked before
 * any callback runs, or the check in mirror_range_install() would be worth
 * nothing.
 */
static void mirror_range_check_mark(struct mirror_range *mrange,
				    const struct mmu_notifier_range *invalidation,
				    unsigned long start, unsigned long end)
{
	if (mirror_range_legacy(mrange) ||
	    !mirror_range_unmarked(mrange, start, end))
		return;
	if (!invalidation || !mirror_range_ignores(mrange, invalidation))
		mirror_count(mrange->mirror, HMM_RANGE_DEV_STAT_UNMARKED, 1);
}

static void mirror_count_callback(struct mirror *mirror, unsigned int event)
{
	BUILD_BUG_ON(HMM_RANGE_DEV_STAT_EVENTS + MMU_NOTIFY_EXCLUSIVE >=
		     HMM_RANGE_DEV_NR_STATS);
	mirror_count(mirror, HMM_RANGE_DEV_STAT_INVALIDATIONS, 1);
	mirror_count(mirror, HMM_RANGE_DEV_STAT_EVENTS + event, 1);
}

/* Tear down the device's entries of @invalidation, or all if it is NULL. */
static void mirror_tear_down(struct mirror *mirror,
			     const struct mmu_notifier_range *invalidation)
{
	unsigned long start = invalidation ? invalidation->start : 0;
	unsigned long end = invalidation ? invalidation->end : ULONG_MAX;
	struct interval_tree_node *node;
	struct mirror_range *mrange;

	lockdep_assert_held(&mirror->lock);

	mirror_count_callback(mirror, invalidation ? invalidation->event :
						     MMU_NOTIFY_RELEASE);
	if (start >= end)
		return;
	for (node = interval_tree_iter_first(&mirror->tree, start, end - 1);
	     node; node = interval_tree_iter_next(node, start, end - 1)) {
		mrange = container_of(node, struct mirror_range, node);
		mirror_range_tear_down(mrange, start, end);
		mirror_range_check_mark(mrange, invalidation, start, end);
	}
}

/* Take the driver's lock in a callback, unless that must not block. */
static bool mirror_lock_for(struct mirror *mirror,
			    const struct mmu_notifier_range *invalidation)
{
	if (mmu_notifier_range_blockable(invalidation)) {
		mutex_lock(&mirror->lock);
		return true;
	}
	if (!READ_ONCE(mirror->refuse) && mutex_trylock(&mirror->lock))
		return true;
	mirror_count(mirror, HMM_RANGE_DEV_STAT_REFUSED, 1);
	return false;
}

static int mirror_invalidate_plain(struct mmu_notifier *notifier,
				   const struct mmu_notifier_range *invalidation)
{
	struct mirror *mirror = container_of(notifier, struct mirror, plain);

	if (!mirror_lock_for(mirror, invalidation))
		return -EAGAIN;
	mirror_tear_down(mirror, invalidation);
	mutex_unlock(&mirror->lock);
	return 0;
}

static void mirror_release_plain(struct mmu_notifier *notifier,
				 struct mm_struct *mm)
{
	struct mirror *mirror = container_of(notifier, struct mirror, plain);

	mutex_lock(&mirror->lock);
	mirror_tear_down(mirror, NULL);
	mutex_unlock(&mirror->lock);
}

static const struct mmu_notifier_ops mirror_plain_ops = {
	.invalidate_range_start	= mirror_invalidate_plain,
	.release		= mirror_release_plain,
};

static bool
mirror_invalidate_interval(struct mmu_interval_notifier *notifier,
			   const struct mmu_notifier_range *invalidation,
			   unsigned long seq)
{
	struct mirror *mirror = container_of(notifier, struct mirror, interval);

	if (!mirror_lock_for(mirror, invalidation))
		return false;
	mmu_interval_set_seq(notifier, seq);
	mirror_tear_down(mirror, invalidation);
	mutex_unlock(&mirror->lock);
	return true;
}

static const struct mmu_interval_notifier_ops mirror_interval_ops = {
	.invalidate = mirror_invalidate_interval,
};

/* Do ranges have callbacks of their own, in place of the above? */
static bool mirror_has_ops(const struct mirror *mirror)
{
	return READ_ONCE(mirror->notifier) >= HMM_RANGE_DEV_NOTIFIER_OPS;
}

/* All that a legacy range needs, if the above tear the entries down. */
static bool
mirror_invalidate_legacy(struct mmu_interval_notifier *notifier,
			 const struct mmu_notifier_range *invalidation,
			 unsigned long seq)
{
	struct mirror_range *mrange =
		container_of(notifier, struct mirror_range, legacy);

	if (!mirror_lock_for(mrange->mirror, invalidation))
		return false;
	mmu_interval_set_seq(notifier, seq);
	if (mirror_has_ops(mrange->mirror))
		mirror_range_tear_down(mrange, invalidation->start,
				       invalidation->end);
	mutex_unlock(&mrange->mirror->lock);
	return true;
}

static const struct mmu_interval_notifier_ops mirror_legacy_ops = {
	.invalidate = mirror_invalidate_legacy,
};

/*
 * The callbacks of a range: then the device needs no notifier of its own.
 */

/* No callback of @mrange may run from now on. */
static void mirror_range_over(struct mirror_range *mrange)
{
	WRITE_ONCE(mrange->over, true);
	if (atomic_read(&mrange->running))
		mirror_count(mrange->mirror, HMM_RANGE_DEV_STAT_STRAY, 1);
}

/* Take the driver's lock in a callback of a range, and note what it is told. */
static bool mirror_call_begins(struct mirror_range *mrange,
			       const struct mmu_notifier_range *invalidation,
			       unsigned long start, unsigned long end)
{
	struct mirror *mirror = mrange->mirror;

	atomic_inc(&mrange->running);
	if (READ_ONCE(mrange->over))
		mirror_count(mirror, HMM_RANGE_DEV_STAT_STRAY, 1);
	if (!mirror_lock_for(mirror, invalidation)) {
		atomic_dec(&mrange->running);
		return false;
	}
	mirror_count_callback(mirror, invalidation->event);
	mrange->told.start = start;
	mrange->told.end = end;
	mrange->told.event = invalidation->event;
	mrange->told.calls++;
	mirror_range_check_mark(mrange, invalidation, start, end);
	return true;
}

static void mirror_pause(struct mirror *mirror,
			 const struct mmu_notifier_range *invalidation)
{
	if (mmu_notifier_range_blockable(invalidation))
		wait_event_timeout(mirror->held_wq, !READ_ONCE(mirror->pause),
				   msecs_to_jiffies(HMM_RANGE_DEV_MAX_MS));
}

/*
 * A range must not be unregistered while another call on it runs. That is so if
 * nobody has its lock, which must not be waited for in here; else the next
 * callback tries again.
 */
static void mirror_end_once(struct mirror_range *mrange)
{
	if (!mrange->once || !mutex_trylock(&mrange->lock))
		return;
	if (mrange->state == REGISTERED) {
		mrange->state = ENDING;
		hmm_range_unregister_async(&mrange->hmm);
	}
	mutex_unlock(&mrange->lock);
}

static bool mirror_invalidate(struct hmm_range *range,
			      const struct mmu_notifier_range *invalidation,
			      unsigned long start, unsigned long end)
{
	struct mirror_range *mrange =
		container_of(range, struct mirror_range, hmm);

	if (!mirror_call_begins(mrange, invalidation, start, end))
		return false;
	mirror_range_tear_down(mrange, start, end);
	mutex_unlock(&mrange->mirror->lock);

	mirror_pause(mrange->mirror, invalidation);
	mirror_end_once(mrange);
	atomic_dec(&mrange->running);
	return true;
}

/*
 * The second pass takes the lock again, so it is for those that may block, and
 * there is room for one at a time. The others do all in the first pass.
 */
static bool mirror_invalidate_start(struct hmm_range *range,
				    const struct mmu_notifier_range *invalidation,
				    unsigned long start, unsigned long end,
				    struct hmm_range_finish **finish)
{
	struct mirror_range *mrange =
		container_of(range, struct mirror_range, hmm);
	struct mirror_finish *second = &mrange->second;

	if (!mirror_call_begins(mrange, invalidation, start, end))
		return false;
	if (!second->busy && mmu_notifier_range_blockable(invalidation)) {
		second->busy = true;
		second->start = start;
		second->end = end;
		*finish = &second->finish;
	} else {
		mirror_range_tear_down(mrange, start, end);
	}
	mutex_unlock(&mrange->mirror->lock);

	mirror_pause(mrange->mirror, invalidation);
	if (!*finish)
		atomic_dec(&mrange->running);
	return true;
}

static void mirror_invalidate_finish(struct hmm_range_finish *finish)
{
	struct mirror_finish *second =
		container_of(finish, struct mirror_finish, finish);
	struct mirror_range *mrange =
		container_of(second, struct mirror_range, second);

	mutex_lock(&mrange->mirror->lock);
	mirror_range_tear_down(mrange, second->start, second->end);
	mrange->told.finishes++;
	second->busy = false;
	mutex_unlock(&mrange->mirror->lock);

	mirror_end_once(mrange);
	atomic_dec(&mrange->running);
}

static void mirror_range_release(struct hmm_range *range)
{
	struct mirror_range *mrange =
		container_of(range, struct mirror_range, hmm);

	mirror_range_over(mrange);
	mirror_count(mrange->mirror, HMM_RANGE_DEV_STAT_RELEASED, 1);
	complete(&mrange->released);
}

static const struct hmm_range_ops mirror_one_pass_ops = {
	.invalidate		= mirror_invalidate,
	.release		= mirror_range_release,
};

static const struct hmm_range_ops mirror_two_pass_ops = {
	.invalidate_start	= mirror_invalidate_start,
	.invalidate_finish	= mirror_invalidate_finish,
	.release		= mirror_range_release,
};

static const struct hmm_range_ops *mirror_ops(const struct mirror *mirror)
{
	if (!mirror_has_ops(mirror))
		return NULL;
	return READ_ONCE(mirror->notifier) == HMM_RANGE_DEV_NOTIFIER_OPS ?
	       &mirror_one_pass_ops : &mirror_two_pass_ops;
}

/* Is there a callback that empties the table of @mrange? */
static bool mirror_range_guarded(const struct mirror_range *mrange)
{
	if (mirror_has_ops(mrange->mirror))
		return mrange->ops || mirror_range_legacy(mrange);
	return READ_ONCE(mrange->mirror->notifier);
}

/*
 * Choosing one of them.
 */

static int mirror_register_notifier(struct mirror *mirror, unsigned int kind)
{
	switch (kind) {
	case HMM_RANGE_DEV_NOTIFIER_PLAIN:
		mirror->plain.ops = &mirror_plain_ops;
		return mmu_notifier_register(&mirror->plain, mirror->mm);
	case HMM_RANGE_DEV_NOTIFIER_INTERVAL:
		return mmu_interval_notifier_insert(&mirror->interval,
						    mirror->mm, 0,
						    ULONG_MAX & PAGE_MASK,
						    &mirror_interval_ops);
	case HMM_RANGE_DEV_NOTIFIER_OPS:
	case HMM_RANGE_DEV_NOTIFIER_TWO_PASS:
		return 0;
	default:
		return -EINVAL;
	}
}

static void mirror_unregister_notifier(struct mirror *mirror)
{
	switch (mirror->notifier) {
	case HMM_RANGE_DEV_NOTIFIER_PLAIN:
		mmu_notifier_unregister(&mirror->plain, mirror->mm);
		break;
	case HMM_RANGE_DEV_NOTIFIER_INTERVAL:
		mmu_interval_notifier_remove(&mirror->interval);
		break;
	}
}

static int mirror_choose_notifier(struct mirror *mirror, unsigned int kind)
{
	int ret;

	if (kind == HMM_RANGE_DEV_NOTIFIER_KEEP)
		return 0;
	if (mirror->notifier)
		return -EBUSY;
	if (!mmget_not_zero(mirror->mm))
		return -EFAULT;
	ret = mirror_register_notifier(mirror, kind);
	mmput(mirror->mm);
	if (!ret)
		WRITE_ONCE(mirror->notifier, kind);
	return ret;
}

static int mirror_config(struct mirror *mirror,
			 struct hmm_range_dev_config *config)
{
	int ret;

	if (config->refuse > 1 || config->pause > 1 || config->reserved)
		return -EINVAL;
	if (mutex_lock_killable(&mirror->notifier_lock))
		return -EINTR;
	ret = mirror_choose_notifier(mirror, config->notifier);
	if (!ret) {
		WRITE_ONCE(mirror->refuse, config->refuse);
		WRITE_ONCE(mirror->pause, config->pause);
		wake_up_all(&mirror->held_wq);
	}
	mutex_unlock(&mirror->notifier_lock);
	return ret;
}

/*
 * Ranges.
 */

static void mirror_range_free(struct kref *ref)
{
	struct mirror_range *mrange =
		container_of(ref, struct mirror_range, ref);
	struct mirror *mirror = mrange->mirror;

	if (mrange->pfns)
		atomic_long_sub(mirror_range_pages(mrange), &mirror->nr_pages);
	atomic_long_dec(&mirror->nr_ranges);
	kvfree(mrange->pfns);
	kvfree(mrange->table);
	mutex_destroy(&mrange->lock);
	kfree(mrange);
}

static void mirror_range_put(struct mirror_range *mrange)
{
	kref_put(&mrange->ref, mirror_range_free);
}

static void mirror_range_unlock(struct mirror_range *mrange)
{
	mutex_unlock(&mrange->lock);
	mirror_range_put(mrange);
}

/* The range of @id, in whatever state, locked, or an ERR_PTR(). */
static struct mirror_range *mirror_range_find(struct mirror *mirror, u32 id)
{
	struct mirror_range *mrange;

	xa_lock(&mirror->ranges);
	mrange = xa_load(&mirror->ranges, id);
	if (mrange)
		kref_get(&mrange->ref);
	xa_unlock(&mirror->ranges);
	if (!mrange)
		return ERR_PTR(-ENOENT);

	if (mutex_lock_killable(&mrange->lock)) {
		mirror_range_put(mrange);
		return ERR_PTR(-EINTR);
	}
	return mrange;
}

/* The range of @id if it is registered, locked, or an ERR_PTR(). */
static struct mirror_range *mirror_range_get(struct mirror *mirror, u32 id)
{
	struct mirror_range *mrange = mirror_range_find(mirror, id);

	if (IS_ERR(mrange) || mrange->state == REGISTERED)
		return mrange;
	mirror_range_unlock(mrange);
	return ERR_PTR(-ENOENT);
}

static int mirror_range_alloc_arrays(struct mirror_range *mrange,
				     unsigned long nr)
{
	struct mirror *mirror = mrange->mirror;

	if (atomic_long_add_return(nr, &mirror->nr_pages) >
	    HMM_RANGE_DEV_MAX_PAGES) {
		atomic_long_sub(nr, &mirror->nr_pages);
		return -E2BIG;
	}
	mrange->pfns = kvcalloc(nr, sizeof(*mrange->pfns), GFP_KERNEL_ACCOUNT);
	mrange->table = kvcalloc(nr, sizeof(*mrange->table),
				 GFP_KERNEL_ACCOUNT);
	if (mrange->pfns && mrange->table)
		return 0;
	kvfree(mrange->pfns);
	mrange->pfns = NULL;
	atomic_long_sub(nr, &mirror->nr_pages);
	return -ENOMEM;
}

/*
 * A range, not yet registered. Bounds that make no sense get no array: they are
 * for hmm_range_register() to refuse.
 */
static struct mirror_range *
mirror_range_alloc(struct mirror *mirror,
		   const struct hmm_range_dev_bounds *bounds, u32 flags)
{
	struct mirror_range *mrange;
	int ret;

	if (atomic_long_inc_return(&mirror->nr_ranges) >
	    HMM_RANGE_DEV_MAX_RANGES) {
		ret = -E2BIG;
		goto uncount;
	}
	ret = -ENOMEM;
	mrange = kzalloc_obj(*mrange, GFP_KERNEL_ACCOUNT);
	if (!mrange)
		goto uncount;

	kref_init(&mrange->ref);
	mutex_init(&mrange->lock);
	init_completion(&mrange->released);
	mrange->mirror = mirror;
	mrange->node.start = bounds->start;
	mrange->node.last = bounds->end - 1;
	if (!(flags & HMM_RANGE_DEV_NO_ARRAY) && bounds->start < bounds->end) {
		ret = mirror_range_alloc_arrays(mrange,
						mirror_range_pages(mrange));
		if (ret) {
			mirror_range_put(mrange);
			return ERR_PTR(ret);
		}
	}
	return mrange;
uncount:
	atomic_long_dec(&mirror->nr_ranges);
	return ERR_PTR(ret);
}

static int mirror_range_register_locked(struct mirror_range *mrange,
					const struct hmm_range_dev_bounds *bounds)
{
	struct mm_struct *mm = mrange->mirror->mm;
	int ret;

	if (mrange->ops) {
		ret = hmm_mm_track(mm);
		if (ret)
			return ret;
	}
	if (!mmget_not_zero(mm))
		return -EFAULT;
	ret = mmap_write_lock_killable(mm);
	if (!ret) {
		if (mrange->ops)
			ret = hmm_range_register_ops(&mrange->hmm, mm,
						     bounds->start, bounds->end,
						     mrange->ops);
		else
			ret = hmm_range_register_locked(&mrange->hmm, mm,
							bounds->start,
							bounds->end);
		mmap_write_unlock(mm);
	}
	mmput(mm);
	return ret;
}

static int mirror_range_register_legacy(struct mirror_range *mrange,
					const struct hmm_range_dev_bounds *bounds)
{
	struct mm_struct *mm = mrange->mirror->mm;
	int ret;

	if (offset_in_page(bounds->start | bounds->end) ||
	    bounds->start >= bounds->end)
		return -EINVAL;
	if (!mmget_not_zero(mm))
		return -EFAULT;
	mrange->hmm.notifier = &mrange->legacy;
	ret = mmu_interval_notifier_insert(&mrange->legacy, mm, bounds->start,
					   bounds->end - bounds->start,
					   &mirror_legacy_ops);
	mmput(mm);
	return ret;
}

/* Make @mrange, which is locked, known to the mm, the notifier and the caller. */
static int mirror_range_register(struct mirror_range *mrange,
				 struct hmm_range_dev_bounds *bounds, u32 flags)
{
	struct mirror *mirror = mrange->mirror;
	int ret;

	if (!(flags & HMM_RANGE_DEV_LEGACY))
		mrange->ops = mirror_ops(mirror);
	mrange->once = flags & HMM_RANGE_DEV_ONCE;
	if (mrange->once && !mrange->ops)
		return -EINVAL;

	if (flags & HMM_RANGE_DEV_LEGACY)
		ret = mirror_range_register_legacy(mrange, bounds);
	else if (flags & HMM_RANGE_DEV_LOCKED)
		ret = mirror_range_register_locked(mrange, bounds);
	else if (mrange->ops)
		ret = hmm_range_register_ops(&mrange->hmm, mirror->mm,
					     bounds->start, bounds->end,
					     mrange->ops);
	else
		ret = hmm_range_register(&mrange->hmm, mirror->mm,
					 bounds->start, bounds->end);
	if (ret)
		return ret;

	mutex_lock(&mirror->lock);
	interval_tree_insert(&mrange->node, &mirror->tree);
	mutex_unlock(&mirror->lock);
	mrange->state = REGISTERED;
	mirror_count(mirror, HMM_RANGE_DEV_STAT_RANGES, 1);
	return 0;
}

static void mirror_range_unregister_ops(struct mirror_range *mrange, bool async)
{
	if (mrange->state == ENDING || async) {
		if (mrange->state == REGISTERED)
			hmm_range_unregister_async(&mrange->hmm);
		wait_for_completion(&mrange->released);
	} else {
		hmm_range_unregister(&mrange->hmm);
		mirror_range_over(mrange);
	}
}

/* @mrange is locked. */
static void mirror_range_unregister(struct mirror_range *mrange, bool async)
{
	struct mirror *mirror = mrange->mirror;

	/* The device loses its entries before the mm loses sight of it. */
	mutex_lock(&mirror->lock);
	interval_tree_remove(&mrange->node, &mirror->tree);
	mutex_unlock(&mirror->lock);

	if (mirror_range_legacy(mrange))
		mmu_interval_notifier_remove(&mrange->legacy);
	else if (mrange->ops)
		mirror_range_unregister_ops(mrange, async);
	else
		hmm_range_unregister(&mrange->hmm);
	mrange->state = GONE;
	mirror_count(mirror, HMM_RANGE_DEV_STAT_RANGES, -1);
}

static int mirror_add_range(struct mirror *mirror,
			    const struct hmm_range_dev_register *args,
			    struct hmm_range_dev_bounds *bounds)
{
	struct mirror_range *mrange;
	int ret;

	mrange = mirror_range_alloc(mirror, bounds, args->flags);
	if (IS_ERR(mrange))
		return PTR_ERR(mrange);
	mrange->hmm.ignore_events = args->ignore_events;
	mrange->hmm.flags = args->range_flags;
	if (args->flags & HMM_RANGE_DEV_OWNER)
		mrange->hmm.dev_private_owner = mirror;

	mutex_lock(&mrange->lock);
	ret = mirror_range_register(mrange, bounds, args->flags);
	if (ret)
		goto put;
	ret = xa_alloc(&mirror->ranges, &bounds->id, mrange, xa_limit_31b,
		       GFP_KERNEL_ACCOUNT);
	if (!ret) {
		mutex_unlock(&mrange->lock);
		return 0;
	}
	mirror_range_unregister(mrange, false);
put:
	mirror_range_unlock(mrange);
	return ret;
}

static int mirror_remove_range(struct mirror *mirror, u32 id, bool async)
{
	struct mirror_range *mrange = mirror_range_find(mirror, id);

	if (IS_ERR(mrange))
		return PTR_ERR(mrange);
	if (mrange->state == GONE) {
		mirror_range_unlock(mrange);
		return -ENOENT;
	}
	xa_erase(&mirror->ranges, id);
	mirror_range_unregister(mrange, async);
	mirror_range_unlock(mrange);
	/* The reference of the ids. */
	mirror_range_put(mrange);
	return 0;
}

static int mirror_register(struct mirror *mirror,
			   struct hmm_range_dev_register *args)
{
	struct hmm_range_dev_bounds __user *ubounds = u64_to_user_ptr(args->bounds);
	struct hmm_range_dev_bounds *bounds;
	u32 i;
	int ret = 0;

	if (!args->count || args->count > HMM_RANGE_DEV_MAX_RANGES ||
	    args->flags & ~(HMM_RANGE_DEV_LOCKED | HMM_RANGE_DEV_OWNER |
			    HMM_RANGE_DEV_NO_ARRAY | HMM_RANGE_DEV_LEGACY |
			    HMM_RANGE_DEV_ONCE))
		return -EINVAL;
	/* The device reads an entry for each page. */
	if (args->range_flags & HMM_RANGE_SPARSE)
		return -EINVAL;
	bounds = vmemdup_array_user(ubounds, args->count, sizeof(*bounds));
	if (IS_ERR(bounds))
		return PTR_ERR(bounds);

	for (i = 0; i < args->count && !ret; i++) {
		ret = bounds[i].reserved ? -EINVAL :
		      mirror_add_range(mirror, args, &bounds[i]);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret)
			break;
	}
	if (!ret && copy_to_user(ubounds, bounds,
				 array_size(args->count, sizeof(*bounds))))
		ret = -EFAULT;
	if (ret) {
		while (i--)
			mirror_remove_range(mirror, bounds[i].id, false);
	}
	kvfree(bounds);
	return ret;
}

static int mirror_unregister(struct mirror *mirror,
			     struct hmm_range_dev_unregister *args)
{
	u32 __user *uids = u64_to_user_ptr(args->ids);
	u32 i, id;
	int ret;

	if (!args->count || args->flags & ~HMM_RANGE_DEV_ASYNC)
		return -EINVAL;
	for (i = 0; i < args->count; i++) {
		if (get_user(id, &uids[i]))
			return -EFAULT;
		ret = mirror_remove_range(mirror, id,
					  args->flags & HMM_RANGE_DEV_ASYNC);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * Walks.
 */

static unsigned long mirror_extent_pages(const struct hmm_extent *extent)
{
	return (extent->end - extent->start) >> PAGE_SHIFT;
}

/*
 * How many pages the next walk has to read. What a retry leaves out is not for
 * drivers to know, but nobody else counts it; without the lock it is a guess.
 */
static unsigned long mirror_range_dirty(const struct mirror_range *mrange,
					bool retry)
{
	const struct hmm_range *hmm = &mrange->hmm;
	struct hmm_dirty dirty;
	unsigned long nr = (hmm->end - hmm->start) >> PAGE_SHIFT;
	unsigned long pages;

	if (mirror_range_legacy(mrange) || !retry ||
	    hmm->tracking.call.hmm_pfns != hmm->hmm_pfns)
		return nr;
	/* Invalidations may be adding to it. */
	dirty = data_race(hmm->tracking.dirty);
	pages = mirror_extent_pages(&dirty.rest) +
		hweight64(dirty.chunks) *
		DIV_ROUND_UP(roundup_pow_of_two(nr), 64);
	for (unsigned int i = 0; i < min(dirty.nr, HMM_DIRTY_NOTES); i++)
		pages += mirror_extent_pages(&dirty.notes[i]);
	return min(pages, nr);
}

/* Count the pages that a walk has dealt with. */
static void mirror_count_walk(struct mirror *mirror, unsigned long pages,
			      bool again)
{
	mirror_count(mirror, HMM_RANGE_DEV_STAT_WALKS, 1);
	mirror_count(mirror, HMM_RANGE_DEV_STAT_PAGES, pages);
	if (!again)
		return;
	mirror_count(mirror, HMM_RANGE_DEV_STAT_RETRIES, 1);
	mirror_count(mirror, HMM_RANGE_DEV_STAT_PAGES_AGAIN, pages);
}

static unsigned long mirror_request(u32 flags)
{
	return (flags & HMM_RANGE_DEV_VALID ? HMM_PFN_REQ_FAULT : 0) |
	       (flags & HMM_RANGE_DEV_WRITE ? HMM_PFN_REQ_WRITE : 0);
}

/* What no walk writes: an entry that is left out stays so. */
static void mirror_poison(struct mirror_range *mrange)
{
	unsigned long i, nr = (mrange->hmm.end - mrange->hmm.start) >> PAGE_SHIFT;

	for (i = 0; i < nr; i++)
		mrange->hmm.hmm_pfns[i] = ~(HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA |
					    HMM_PFN_P2PDMA_BUS);
}

/* Requests go in where the output comes out, so each walk needs them anew. */
static int mirror_fill_requests(struct mirror_range *mrange,
				const struct hmm_range_dev_walk *args)
{
	unsigned long i, nr = (mrange->hmm.end - mrange->hmm.start) >> PAGE_SHIFT;
	unsigned long *pfns = mrange->hmm.hmm_pfns;
	u32 __user *requests = u64_to_user_ptr(args->requests);
	u32 flags;

	if (args->flags & HMM_RANGE_DEV_POISON)
		mirror_poison(mrange);
	if (!args->flags_mask)
		return 0;
	for (i = 0; i < nr; i++) {
		if (get_user(flags, &requests[i]))
			return -EFAULT;
		pfns[i] = mirror_request(flags);
	}
	return 0;
}

static int mirror_set_window(struct mirror_range *mrange,
			     const struct hmm_range_dev_walk *args)
{
	unsigned long start = args->start, end = args->end;

	if (!start && !end) {
		start = mrange->node.start;
		end = mrange->node.last + 1;
	}
	/* Where the array would be left; the rest is for the core to refuse. */
	if (!mrange->pfns || start < mrange->node.start || start >= end ||
	    end - 1 > mrange->node.last || offset_in_page(start | end))
		return -EINVAL;
	mrange->hmm.start = start;
	mrange->hmm.end = end;
	mrange->hmm.hmm_pfns = mrange->pfns +
			       ((start - mrange->node.start) >> PAGE_SHIFT);
	mrange->hmm.default_flags = mirror_request(args->default_flags);
	mrange->hmm.pfn_flags_mask = mirror_request(args->flags_mask);
	return 0;
}

/* The core does not say whether it had to wait; it sleeps if so. */
static unsigned long mirror_legacy_begin(struct mirror_range *mrange)
{
	unsigned long switches = current->nvcsw;
	ktime_t start = ktime_get();
	unsigned long seq;

	seq = mmu_interval_read_begin(mrange->hmm.notifier);
	if (current->nvcsw != switches)
		mirror_count_wait(mrange->mirror, start);
	return seq;
}

/* A walk by a caller that takes the mmap lock itself. */
static int mirror_walk_locked(struct mirror_range *mrange, u32 how, int *locked)
{
	struct mm_struct *mm = mrange->mirror->mm;
	struct hmm_range *hmm = &mrange->hmm;
	int ret;

	if (mirror_range_legacy(mrange))
		hmm->notifier_seq = mirror_legacy_begin(mrange);
	ret = mmap_read_lock_killable(mm);
	if (ret)
		return ret;
	*locked = 1;
	if (how == HMM_RANGE_DEV_FAULT_LOCKED)
		ret = hmm_range_fault_locked(hmm, locked);
	else if (how == HMM_RANGE_DEV_FAULT || mirror_range_legacy(mrange))
		ret = hmm_range_fault(hmm);
	else
		ret = hmm_range_snapshot(hmm);
	if (*locked)
		mmap_read_unlock(mm);
	return ret;
}

static int mirror_walk_unlocked(struct mirror_range *mrange, u32 timeout_ms,
				int *locked)
{
	*locked = 0;
	return hmm_range_fault_unlocked_timeout(&mrange->hmm,
						msecs_to_jiffies(timeout_ms));
}

/* One walk. @again: it repeats the one before, whose result was invalidated. */
static int mirror_range_walk(struct mirror_range *mrange,
			     struct hmm_range_dev_walk *args, bool again)
{
	bool retry = again || args->flags & HMM_RANGE_DEV_RETRY;
	struct mirror *mirror = mrange->mirror;
	unsigned long todo, left = 0;
	int locked = 0, ret;

	ret = mirror_fill_requests(mrange, args);
	if (ret)
		return ret;
	if (!mmget_not_zero(mirror->mm))
		return -EFAULT;
	todo = mirror_range_dirty(mrange, retry);
	if (retry && !mirror_range_legacy(mrange))
		hmm_range_retry(&mrange->hmm);
	if (args->how == HMM_RANGE_DEV_FAULT_UNLOCKED)
		ret = mirror_walk_unlocked(mrange, args->timeout_ms, &locked);
	else
		ret = mirror_walk_locked(mrange, args->how, &locked);
	mmput(mirror->mm);

	args->locked = locked;
	mrange->walked = !ret;
	if (ret)
		left = mirror_range_dirty(mrange, true);
	mirror_count_walk(mirror, todo - min(todo, left), again);
	return ret;
}

/*
 * Write the walk's result into the device's page table. Entries that the device
 * cannot use stay out.
 */
static void mirror_range_fill(struct mirror_range *mrange)
{
	struct hmm_range *hmm = &mrange->hmm;
	unsigned long first = hmm->hmm_pfns - mrange->pfns;
	unsigned long nr = (hmm->end - hmm->start) >> PAGE_SHIFT;
	unsigned long i, entry;

	lockdep_assert_held(&mrange->mirror->lock);

	for (i = first; i < first + nr; i++) {
		entry = mrange->pfns[i];
		mrange->table[i] = entry & HMM_PFN_VALID ? entry : 0;
	}
}

/* The same, if the walk's result is still valid. */
static int mirror_range_install(struct mirror_range *mrange, bool check)
{
	struct mirror *mirror = mrange->mirror;
	int ret = -EBUSY;

	mutex_lock(&mirror->lock);
	if (!check)
		mrange->unchecked = true;
	if (!check || mirror_range_valid(mrange)) {
		mirror_range_fill(mrange);
		ret = 0;
	}
	mutex_unlock(&mirror->lock);
	return ret;
}

/* Wait for what is in the way of a walk, or until the time is up. */
static int mirror_range_wait(struct mirror_range *mrange, unsigned long ms)
{
	struct hmm_range *hmm = &mrange->hmm;
	ktime_t start;
	bool done;

	/* A legacy range waits in mmu_interval_read_begin(), without a limit. */
	if (mirror_range_legacy(mrange) || hmm_range_wait_until_valid(hmm, 0))
		return 0;
	start = ktime_get();
	done = hmm_range_wait_until_valid(hmm, ms);
	mirror_count_wait(mrange->mirror, start);
	if (done)
		return 0;
	if (fatal_signal_pending(current))
		return -EINTR;
	/* The walk tells a dying mm from the end of the time. */
	return 0;
}

/*
 * What a driver's fault handler does. hmm_range_fault_unlocked_timeout() waits
 * and retries by itself, so with it the loop is shorter.
 */
static int mirror_range_fault(struct mirror_range *mrange,
			      struct hmm_range_dev_walk *args)
{
	bool check = !(args->flags & HMM_RANGE_DEV_SKIP_CHECK);
	unsigned long end = jiffies + msecs_to_jiffies(args->timeout_ms);
	bool again = false;
	int ret;

	do {
		unsigned long left = time_before(jiffies, end) ? end - jiffies : 0;

		ret = mirror_range_wait(mrange, jiffies_to_msecs(left));
		if (ret)
			return ret;
		ret = mirror_range_walk(mrange, args, again);
		if (!ret && args->latency_us)
			fsleep(args->latency_us);
		if (!ret)
			ret = mirror_range_install(mrange, check);
		again = true;
		if (ret == -EBUSY && fatal_signal_pending(current))
			return -EINTR;
	} while (ret == -EBUSY && time_before(jiffies, end));
	return ret;
}

/*
 * The same by hmm_range_fault_commit().
 *
 * @todo: how many pages the walk has to read that comes next, or has come
 * @valid: the last walk still was: none has followed
 * @again: it was not, at some time
 */
struct mirror_commit {
	struct mirror_range		*mrange;
	struct hmm_range_dev_walk	*args;
	unsigned long			todo;
	bool				valid;
	bool				again;
};

static void mirror_commit_lock(void *data)
{
	struct mirror_commit *commit = data;
	struct mirror *mirror = commit->mrange->mirror;

	if (!commit->valid)
		mirror_count_walk(mirror, commit->todo, commit->again);
	commit->valid = false;
	if (commit->args->latency_us)
		fsleep(commit->args->latency_us);
	mutex_lock(&mirror->lock);
}

static void mirror_commit_unlock(void *data)
{
	struct mirror_commit *commit = data;

	if (!commit->valid) {
		commit->todo = mirror_range_dirty(commit->mrange, true);
		commit->again = true;
		if (commit->args->flags & HMM_RANGE_DEV_POISON)
			mirror_poison(commit->mrange);
	}
	mutex_unlock(&commit->mrange->mirror->lock);
}

static int mirror_commit_commit(struct hmm_range *range, void *data)
{
	struct mirror_commit *commit = data;
	struct hmm_range_dev_walk *args = commit->args;

	commit->valid = true;
	if (args->commits++ < args->refusals)
		return -(int)args->refusal;
	if (!(args->flags & HMM_RANGE_DEV_POISON))
		mirror_range_fill(commit->mrange);
	return 0;
}

static const struct hmm_commit_ops mirror_commit_ops = {
	.lock	= mirror_commit_lock,
	.unlock	= mirror_commit_unlock,
	.commit	= mirror_commit_commit,
};

static int mirror_fault_commit(struct mirror_range *mrange,
			       struct hmm_range_dev_walk *args)
{
	struct mirror_commit commit = {
		.mrange = mrange,
		.args = args,
		.todo = mirror_range_dirty(mrange, false),
	};
	int ret = mirror_fill_requests(mrange, args);

	if (ret)
		return ret;
	return hmm_range_fault_commit(&mrange->hmm,
				      msecs_to_jiffies(args->timeout_ms),
				      &mirror_commit_ops, &commit);
}

/* The flags that go with a walk. */
static u32 mirror_walk_flags(u32 how, bool fault)
{
	if (!fault)
		return HMM_RANGE_DEV_POISON | HMM_RANGE_DEV_RETRY;
	return how == HMM_RANGE_DEV_FAULT_COMMIT ? HMM_RANGE_DEV_POISON :
						   HMM_RANGE_DEV_SKIP_CHECK;
}

static bool mirror_commit_sound(const struct hmm_range_dev_walk *args,
				bool fault)
{
	if (args->how != HMM_RANGE_DEV_FAULT_COMMIT)
		return !args->refusals && !args->refusal;
	return fault && args->refusal <= MAX_ERRNO &&
	       !args->refusals == !args->refusal;
}

static int mirror_check_walk(const struct hmm_range_dev_walk *args, bool fault)
{
	u32 request = HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE;
	u32 flags = mirror_walk_flags(args->how, fault);

	if (args->how > HMM_RANGE_DEV_FAULT_COMMIT ||
	    !mirror_commit_sound(args, fault) || args->reserved ||
	    args->timeout_ms > HMM_RANGE_DEV_MAX_MS ||
	    args->latency_us > (fault ? MIRROR_MAX_LATENCY_US : 0) ||
	    (args->default_flags | args->flags_mask) & ~request ||
	    args->flags & ~flags)
		return -EINVAL;
	return 0;
}

static int mirror_walk(struct mirror *mirror, struct hmm_range_dev_walk *args,
		       bool fault)
{
	struct mirror_range *mrange;
	int ret;

	args->locked = 0;
	args->commits = 0;
	ret = mirror_check_walk(args, fault);
	if (ret)
		return ret;
	mrange = mirror_range_get(mirror, args->id);
	if (IS_ERR(mrange))
		return PTR_ERR(mrange);
	ret = mirror_set_window(mrange, args);
	/* Without a callback there is nothing that would empty the table. */
	if (!ret && fault && !mirror_range_guarded(mrange))
		ret = -EINVAL;
	if (!ret && args->how == HMM_RANGE_DEV_FAULT_COMMIT)
		ret = mirror_fault_commit(mrange, args);
	else if (!ret && fault)
		ret = mirror_range_fault(mrange, args);
	else if (!ret)
		ret = mirror_range_walk(mrange, args, false);
	mirror_range_unlock(mrange);
	return ret;
}

static int mirror_wait(struct mirror *mirror, struct hmm_range_dev_range *args)
{
	struct mirror_range *mrange;

	if (args->timeout_ms > HMM_RANGE_DEV_MAX_MS)
		return -EINVAL;
	mrange = mirror_range_get(mirror, args->id);
	if (IS_ERR(mrange))
		return PTR_ERR(mrange);
	args->result = true;
	if (mirror_range_legacy(mrange))
		mmu_interval_read_begin(&mrange->legacy);
	else
		args->result = hmm_range_wait_until_valid(&mrange->hmm,
							  args->timeout_ms);
	mirror_range_unlock(mrange);
	return 0;
}

static int mirror_begin(struct mirror *mirror, struct hmm_range_dev_range *args)
{
	struct mirror_range *mrange = mirror_range_get(mirror, args->id);
	int ret;

	if (IS_ERR(mrange))
		return PTR_ERR(mrange);
	ret = mirror_range_legacy(mrange) ? -EINVAL :
	      hmm_range_begin(&mrange->hmm);
	mirror_range_unlock(mrange);
	return ret;
}

static int mirror_check(struct mirror *mirror, struct hmm_range_dev_range *args)
{
	struct mirror_range *mrange = mirror_range_get(mirror, args->id);

	if (IS_ERR(mrange))
		return PTR_ERR(mrange);
	mutex_lock(&mirror->lock);
	args->result = mirror_range_valid(mrange);
	mutex_unlock(&mirror->lock);
	mirror_range_unlock(mrange);
	return 0;
}

/*
 * What the device has, for user space.
 */

static int mirror_calls(struct mirror *mirror, struct hmm_range_dev_calls *args)
{
	struct mirror_range *mrange = mirror_range_get(mirror, args->id);
	u32 id = args->id;

	if (IS_ERR(mrange))
		return PTR_ERR(mrange);
	mutex_lock(&mirror->lock);
	*args = mrange->told;
	mutex_unlock(&mirror->lock);
	args->id = id;
	mirror_range_unlock(mrange);
	return 0;
}

/* Do @nr pages from @start on lie in @mrange? Then where in its arrays. */
static int mirror_range_index(const struct mirror_range *mrange, u64 start,
			      u64 nr, unsigned long *index)
{
	unsigned long first;

	if (!mrange->pfns || offset_in_page(start) ||
	    start < mrange->node.start || start > mrange->node.last)
		return -EINVAL;
	first = (start - mrange->node.start) >> PAGE_SHIFT;
	if (!nr || nr > mirror_range_pages(mrange) - first)
		return -EINVAL;
	*index = first;
	return 0;
}

static void mirror_show_entry(unsigned long pfn, struct hmm_range_dev_entry *entry)
{
	entry->flags = (pfn & HMM_PFN_VALID ? HMM_RANGE_DEV_VALID : 0) |
		       (pfn & HMM_PFN_WRITE ? HMM_RANGE_DEV_WRITE : 0) |
		       (pfn & HMM_PFN_ERROR ? HMM_RANGE_DEV_ERROR : 0) |
		       (pfn & (HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA |
			       HMM_PFN_P2PDMA_BUS) ? HMM_RANGE_DEV_STICKY : 0);
	entry->order = hmm_pfn_to_map_order(pfn);
	entry->pfn = pfn & ~HMM_PFN_FLAGS;
}

static int mirror_range_read(struct mirror_range *mrange,
			     const struct hmm_range_dev_read *args)
{
	struct hmm_range_dev_entry __user *uentries = u64_to_user_ptr(args->entries);
	const unsigned long *from;
	struct hmm_range_dev_entry entry;
	unsigned long first, i;
	int ret;

	ret = mirror_range_index(mrange, args->start, args->nr, &first);
	if (ret)
		return ret;
	from = args->flags & HMM_RANGE_DEV_TABLE ? mrange->table : mrange->pfns;
	for (i = 0; i < args->nr; i++) {
		/* No lock: a table that is torn down meanwhile shows either. */
		mirror_show_entry(READ_ONCE(from[first + i]), &entry);
		if (copy_to_user(&uentries[i], &entry, sizeof(entry)))
			return -EFAULT;
	}
	return 0;
}

static int mirror_read(struct mirror *mirror, struct hmm_range_dev_read *args)
{
	struct mirror_range *mrange;
	int ret;

	if (args->flags & ~HMM_RANGE_DEV_TABLE)
		return -EINVAL;
	mrange = mirror_range_get(mirror, args->id);
	if (IS_ERR(mrange))
		return PTR_ERR(mrange);
	ret = mirror_range_read(mrange, args);
	mirror_range_unlock(mrange);
	return ret;
}

/* The page that the device reaches by @entry, or an ERR_PTR(). */
static struct page *mirror_entry_page(const struct mirror_range *mrange,
				      unsigned long entry, bool write)
{
	struct page *page;

	if (!(entry & HMM_PFN_VALID))
		return ERR_PTR(entry & HMM_PFN_ERROR ? -EFAULT : -EBUSY);
	if (write && !(entry & HMM_PFN_WRITE))
		return ERR_PTR(-EPERM);
	if (mrange->unchecked)
		page = pfn_to_online_page(entry & ~HMM_PFN_FLAGS);
	else
		page = hmm_pfn_to_page(entry);
	if (!page || is_device_private_page(page))
		return ERR_PTR(-EFAULT);
	return page;
}

static int mirror_copy_page(const struct mirror_range *mrange,
			    unsigned long entry,
			    const struct hmm_range_dev_copy *args, void *bounce)
{
	bool write = args->flags & HMM_RANGE_DEV_COPY_WRITE;
	struct page *page = mirror_entry_page(mrange, entry, write);

	if (IS_ERR(page))
		return PTR_ERR(page);
	/* An entry that nobody checked may lead to a page that was freed. */
	if (mrange->unchecked)
		kasan_disable_current();
	if (write) {
		memcpy_to_page(page, args->offset, bounce, args->bytes);
		/* Not the _lock() kind: who has the folio locked may wait for us. */
		set_page_dirty(page);
	} else {
		memcpy_from_page(bounce, page, args->offset, args->bytes);
	}
	if (mrange->unchecked)
		kasan_enable_current();
	return 0;
}

/*
 * Copy up to @nr pages between @bounce and memory, in one hold of the driver's
 * lock. Returns how many, or an errno if not even the first.
 */
static long mirror_copy_chunk(struct mirror_range *mrange,
			      const struct hmm_range_dev_copy *args,
			      unsigned long first, unsigned long nr,
			      void *bounce)
{
	bool table = args->flags & HMM_RANGE_DEV_TABLE;
	bool check = !table && !(args->flags & HMM_RANGE_DEV_SKIP_CHECK);
	const unsigned long *entries = table ? mrange->table : mrange->pfns;
	struct mirror *mirror = mrange->mirror;
	long i = 0;
	int ret = 0;

	mutex_lock(&mirror->lock);
	if (check && !mirror_range_valid(mrange))
		ret = -EBUSY;
	for (; !ret && i < nr; i++) {
		ret = mirror_copy_page(mrange, entries[first + i], args,
				       bounce + i * args->bytes);
		if (ret)
			break;
	}
	mutex_unlock(&mirror->lock);
	mirror_count(mirror, HMM_RANGE_DEV_STAT_COPIED, i);
	return i ? i : ret;
}

static int mirror_range_copy(struct mirror_range *mrange,
			     struct hmm_range_dev_copy *args, void *bounce)
{
	unsigned long room = MIRROR_BOUNCE_BYTES / args->bytes;
	bool write = args->flags & HMM_RANGE_DEV_COPY_WRITE;
	unsigned long first, nr;
	void __user *buffer;
	long ret;

	ret = mirror_range_index(mrange, args->start, args->nr, &first);
	if (ret)
		return ret;
	while (args->done < args->nr) {
		nr = min(args->nr - args->done, room);
		buffer = u64_to_user_ptr(args->buffer + args->done * args->bytes);
		if (write && copy_from_user(bounce, buffer, nr * args->bytes))
			return -EFAULT;
		ret = mirror_copy_chunk(mrange, args, first + args->done, nr,
					bounce);
		if (ret < 0)
			return ret;
		if (!write && copy_to_user(buffer, bounce, ret * args->bytes))
			return -EFAULT;
		args->done += ret;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

static int mirror_check_copy(const struct hmm_range_dev_copy *args)
{
	u32 unchecked_write = HMM_RANGE_DEV_COPY_WRITE | HMM_RANGE_DEV_SKIP_CHECK;

	if (args->flags & ~(unchecked_write | HMM_RANGE_DEV_TABLE))
		return -EINVAL;
	/* Where a stale entry points is not ours to scribble on. */
	if ((args->flags & unchecked_write) == unchecked_write)
		return -EINVAL;
	if (!args->bytes || args->offset >= PAGE_SIZE ||
	    args->bytes > PAGE_SIZE - args->offset)
		return -EINVAL;
	return 0;
}

static int mirror_copy(struct mirror *mirror, struct hmm_range_dev_copy *args)
{
	struct mirror_range *mrange;
	void *bounce;
	int ret;

	args->done = 0;
	ret = mirror_check_copy(args);
	if (ret)
		return ret;
	bounce = kvmalloc(MIRROR_BOUNCE_BYTES, GFP_KERNEL);
	if (!bounce)
		return -ENOMEM;

	mrange = mirror_range_get(mirror, args->id);
	if (IS_ERR(mrange)) {
		ret = PTR_ERR(mrange);
	} else {
		if (args->flags & HMM_RANGE_DEV_SKIP_CHECK)
			mrange->unchecked = true;
		/*
		 * Without a callback that takes the lock, holding it protects
		 * nothing.
		 */
		if (!mirror_range_guarded(mrange) ||
		    (mrange->unchecked && args->flags & HMM_RANGE_DEV_COPY_WRITE))
			ret = -EINVAL;
		else
			ret = mirror_range_copy(mrange, args, bounce);
		mirror_range_unlock(mrange);
	}
	kvfree(bounce);
	return ret;
}

/*
 * Invalidations that are held open. They are as real as any other, save that
 * nothing happens to the page table.
 */

static bool held_over(const struct held *held)
{
	return READ_ONCE(held->released) ||
	       (held->task && kthread_should_stop());
}

static void held_sleep(struct held *held)
{
	wait_queue_head_t *wq = &held->mirror->held_wq;

	if (held->task)
		wait_event_idle_timeout(*wq, held_over(held), held->timeout);
	else if (held->flags & HMM_RANGE_DEV_HOLD_UNKILLABLE)
		wait_event_timeout(*wq, held_over(held), held->timeout);
	else
		wait_event_killable_timeout(*wq, held_over(held), held->timeout);
}

/*
 * The mmap lock is what the notifier core asks for: it keeps subscriptions from
 * appearing between the start and the end. Users of the mm are not kept, so it
 * may die meanwhile, as it may under an invalidation by the reverse map.
 */
static void held_run(struct held *held)
{
	struct mmu_notifier_range *invalidation = &held->invalidation;

	mmap_read_lock(invalidation->mm);
	if (held->flags & HMM_RANGE_DEV_HOLD_NONBLOCK)
		held->err = mmu_notifier_invalidate_range_start_nonblock(invalidation);
	else
		mmu_notifier_invalidate_range_start(invalidation);
	complete(&held->started);
	if (!held->err) {
		held_sleep(held);
		mmu_notifier_invalidate_range_end(invalidation);
	}
	mmap_read_unlock(invalidation->mm);
}

static int held_thread(void *data)
{
	held_run(data);

	/* Until kthread_stop(), which does not find a thread that is gone. */
	set_current_state(TASK_IDLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_IDLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static struct held *held_alloc(struct mirror *mirror,
			       const struct hmm_range_dev_hold *args)
{
	void *owner = args->flags & HMM_RANGE_DEV_HOLD_OWNER ? mirror : NULL;
	struct held *held = kzalloc_obj(*held, GFP_KERNEL_ACCOUNT);

	if (!held)
		return NULL;
	held->mirror = mirror;
	held->flags = args->flags;
	held->timeout = msecs_to_jiffies(args->timeout_ms);
	init_completion(&held->started);
	mmu_notifier_range_init_owner(&held->invalidation, args->event, 0,
				      mirror->mm, args->start, args->end, owner);
	return held;
}

static int held_check(const struct mirror *mirror,
		      const struct hmm_range_dev_hold *args)
{
	if (offset_in_page(args->start | args->end) ||
	    args->start >= args->end || args->end > mirror->mm->task_size)
		return -EINVAL;
	if (args->event > MMU_NOTIFY_EXCLUSIVE ||
	    args->event == MMU_NOTIFY_RELEASE ||
	    args->timeout_ms > HMM_RANGE_DEV_MAX_MS)
		return -EINVAL;
	if (args->flags & ~(HMM_RANGE_DEV_HOLD_OWNER | HMM_RANGE_DEV_HOLD_SYNC |
			    HMM_RANGE_DEV_HOLD_NONBLOCK |
			    HMM_RANGE_DEV_HOLD_UNKILLABLE))
		return -EINVAL;
	if (args->flags & HMM_RANGE_DEV_HOLD_UNKILLABLE &&
	    !(args->flags & HMM_RANGE_DEV_HOLD_SYNC))
		return -EINVAL;
	return 0;
}

static int held_add(struct mirror *mirror, struct held *held, u32 *id)
{
	int ret;

	mutex_lock(&mirror->held_lock);
	ret = xa_alloc(&mirror->held, id, held,
		       XA_LIMIT(1, HMM_RANGE_DEV_MAX_HELD), GFP_KERNEL_ACCOUNT);
	mutex_unlock(&mirror->held_lock);
	return ret;
}

static void held_remove(struct mirror *mirror, u32 id)
{
	mutex_lock(&mirror->held_lock);
	xa_erase(&mirror->held, id);
	mutex_unlock(&mirror->held_lock);
}

static int held_start_thread(struct held *held)
{
	struct task_struct *task;

	task = kthread_create(held_thread, held, "hmm_range_held");
	if (IS_ERR(task))
		return PTR_ERR(task);
	held->task = task;
	wake_up_process(task);
	wait_for_completion(&held->started);
	if (held->err)
		kthread_stop(task);
	return held->err;
}

/* Returns when the invalidation has started, or, if it is SYNC, has ended. */
static int held_start(struct held *held, u32 *id)
{
	struct mirror *mirror = held->mirror;
	bool sync = held->flags & HMM_RANGE_DEV_HOLD_SYNC;
	int ret;

	if (sync) {
		ret = held_add(mirror, held, id);
		if (ret)
			return ret;
		held_run(held);
		held_remove(mirror, *id);
		return held->err;
	}
	ret = held_start_thread(held);
	if (ret)
		return ret;
	ret = held_add(mirror, held, id);
	if (ret)
		kthread_stop(held->task);
	return ret;
}

static int mirror_hold(struct mirror *mirror, struct hmm_range_dev_hold *args)
{
	struct held *held;
	int ret;

	ret = held_check(mirror, args);
	if (ret)
		return ret;
	held = held_alloc(mirror, args);
	if (!held)
		return -ENOMEM;
	/* It starts in a live address space, whatever becomes of that. */
	ret = -EFAULT;
	if (mmget_not_zero(mirror->mm)) {
		ret = held_start(held, &args->id);
		mmput(mirror->mm);
	}
	if (ret || args->flags & HMM_RANGE_DEV_HOLD_SYNC)
		kfree(held);
	return ret;
}

/* End the invalidation of @id, or all of them if it is 0. */
static int mirror_release_held(struct mirror *mirror, unsigned long id)
{
	unsigned long index;
	struct held *held;
	int ret = -ENOENT;

	mutex_lock(&mirror->held_lock);
	xa_for_each(&mirror->held, index, held) {
		if (id && id != index)
			continue;
		ret = 0;
		WRITE_ONCE(held->released, true);
		wake_up_all(&mirror->held_wq);
		/* One that is SYNC belongs to the call that holds it. */
		if (!held->task)
			continue;
		xa_erase(&mirror->held, index);
		kthread_stop(held->task);
		kfree(held);
	}
	mutex_unlock(&mirror->held_lock);
	return id ? ret : 0;
}

/*
 * The file.
 */

static int mirror_open(struct inode *inode, struct file *file)
{
	struct mirror *mirror;

	/* Only a process has something to mirror. */
	if (!current->mm)
		return -EINVAL;
	mirror = kzalloc_obj(*mirror, GFP_KERNEL_ACCOUNT);
	if (!mirror)
		return -ENOMEM;
	xa_init_flags(&mirror->ranges, XA_FLAGS_ALLOC1);
	xa_init_flags(&mirror->held, XA_FLAGS_ALLOC1);
	mutex_init(&mirror->lock);
	mutex_init(&mirror->notifier_lock);
	mutex_init(&mirror->held_lock);
	init_waitqueue_head(&mirror->held_wq);
	mirror->tree = RB_ROOT_CACHED;
	mirror->mm = current->mm;
	mmgrab(mirror->mm);
	file->private_data = mirror;
	return nonseekable_open(inode, file);
}

static int mirror_close(struct inode *inode, struct file *file)
{
	struct mirror *mirror = file->private_data;
	struct mirror_range *mrange;
	unsigned long id;

	/* First, for ranges wait for callbacks that pause. */
	WRITE_ONCE(mirror->pause, false);
	wake_up_all(&mirror->held_wq);
	mirror_release_held(mirror, 0);
	xa_for_each(&mirror->ranges, id, mrange) {
		mutex_lock(&mrange->lock);
		mirror_range_unregister(mrange, false);
		mirror_range_unlock(mrange);
		cond_resched();
	}
	mirror_unregister_notifier(mirror);
	xa_destroy(&mirror->ranges);
	xa_destroy(&mirror->held);
	mmdrop(mirror->mm);
	kfree(mirror);
	return 0;
}

static void mirror_stats(struct mirror *mirror, struct hmm_range_dev_stats *stats)
{
	unsigned int i;

	for (i = 0; i < HMM_RANGE_DEV_NR_STATS; i++)
		stats->stat[i] = i == HMM_RANGE_DEV_STAT_LONGEST_WAIT ?
				 atomic64_xchg(&mirror->stat[i], 0) :
				 atomic64_read(&mirror->stat[i]);
}

union mirror_args {
	struct hmm_range_dev_config	config;
	struct hmm_range_dev_register	reg;
	struct hmm_range_dev_unregister	unreg;
	struct hmm_range_dev_range	range;
	struct hmm_range_dev_walk	walk;
	struct hmm_range_dev_read	read;
	struct hmm_range_dev_copy	copy;
	struct hmm_range_dev_hold	hold;
	struct hmm_range_dev_stats	stats;
	struct hmm_range_dev_calls	calls;
};

static int mirror_do_ioctl(struct mirror *mirror, unsigned int cmd,
			   union mirror_args *args)
{
	switch (cmd) {
	case HMM_RANGE_IOC_CONFIG:
		return mirror_config(mirror, &args->config);
	case HMM_RANGE_IOC_REGISTER:
		return mirror_register(mirror, &args->reg);
	case HMM_RANGE_IOC_UNREGISTER:
		return mirror_unregister(mirror, &args->unreg);
	case HMM_RANGE_IOC_WAIT:
		return mirror_wait(mirror, &args->range);
	case HMM_RANGE_IOC_BEGIN:
		return mirror_begin(mirror, &args->range);
	case HMM_RANGE_IOC_CHECK:
		return mirror_check(mirror, &args->range);
	case HMM_RANGE_IOC_WALK:
		return mirror_walk(mirror, &args->walk, false);
	case HMM_RANGE_IOC_MIRROR:
		return mirror_walk(mirror, &args->walk, true);
	case HMM_RANGE_IOC_READ:
		return mirror_read(mirror, &args->read);
	case HMM_RANGE_IOC_COPY:
		return mirror_copy(mirror, &args->copy);
	case HMM_RANGE_IOC_HOLD:
		return mirror_hold(mirror, &args->hold);
	case HMM_RANGE_IOC_STATS:
		mirror_stats(mirror, &args->stats);
		return 0;
	case HMM_RANGE_IOC_CALLS:
		return mirror_calls(mirror, &args->calls);
	default:
		return -ENOTTY;
	}
}

static long mirror_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mirror *mirror = file->private_data;
	void __user *uarg = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);
	union mirror_args args = {};
	int ret;

	if (cmd == HMM_RANGE_IOC_RELEASE)
		return mirror_release_held(mirror, arg);
	if (size > sizeof(args))
		return -ENOTTY;
	if (_IOC_DIR(cmd) & _IOC_WRITE && copy_from_user(&args, uarg, size))
		return -EFAULT;
	ret = mirror_do_ioctl(mirror, cmd, &args);
	/* On failure too, for what was done up to there. */
	if (ret != -ENOTTY && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user(uarg, &args, size))
		ret = ret ?: -EFAULT;
	return ret;
}

static const struct file_operations mirror_fops = {
	.owner		= THIS_MODULE,
	.open		= mirror_open,
	.release	= mirror_close,
	.unlocked_ioctl	= mirror_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice mirror_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "hmm_range",
	.fops	= &mirror_fops,
	.mode	= 0600,
};

static int __init mirror_init(void)
{
	return misc_register(&mirror_device);
}
module_init(mirror_init);

static void __exit mirror_exit(void)
{
	misc_deregister(&mirror_device);
	/* A release may have been the last that a file waited for. */
	mmu_notifier_synchronize();
}
module_exit(mirror_exit);

MODULE_DESCRIPTION("Test device for tracked ranges of HMM");
MODULE_LICENSE("GPL");
