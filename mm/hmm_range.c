// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tracked ranges: is what a walk read from the page table still valid?
 *
 * A tracked range is a subscription to the invalidations of an interval, as an
 * interval notifier is (mm/mmu_interval.c), that has a state in place of a number:
 * those that an invalidation overlaps are marked, and drivers check the mark.
 * Marking takes a spinlock and nothing else, so it cannot sleep, fail or allocate,
 * and ranges may come and go while invalidations run.
 *
 * A range is valid if all of its window, which is what the last walk was asked
 * for, has been read and nothing has hit it since. Only a walk makes it valid
 * again, so an invalidation that starts and ends between a walk and the check
 * of it is not missed:
 *
 *	CPU 0 (driver)                        CPU 1 (mm)
 *
 *	hmm_range_fault()
 *	  reads the page table
 *	  the range becomes valid
 *	                                      invalidate_range_start()
 *	                                        the range becomes invalid
 *	                                        callbacks run:
 *	                                          driver_lock()
 *	                                          zap the device's entries
 *	                                          driver_unlock()
 *	                                      changes the page table
 *	                                      invalidate_range_end()
 *	driver_lock()
 *	hmm_range_valid(): false, retry
 *	driver_unlock()
 *
 * All ranges are marked before the first callback of any kind. If the driver
 * takes its lock first, the check may pass, the device's entries are written,
 * and the callback, which waits for the lock, zaps them. If the callback takes
 * it first, the mark was set before that, and the check fails.
 *
 * mm/hmm_claim.c has what a walk does for it.
 */
#include <linux/debugobjects.h>
#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <asm/barrier.h>

#include "hmm_internal.h"

/*
 * Debugging: with CONFIG_DEBUG_OBJECTS a range that is registered twice, or
 * whose memory is freed or reused while it is registered, is reported where
 * that happens.
 */

/*
 * The memory of a registered range is about to be freed, which has been reported.
 * Whoever asks for that does so until the object is gone, so take it back; not
 * one that may be called at this moment.
 */
static bool hmm_range_debug_fixup_free(void *addr, enum debug_obj_state state)
{
	struct hmm_range *range = addr;

	if (state != ODEBUG_STATE_ACTIVE || range->tracking.ops)
		return false;
	hmm_range_unregister(range);
	return true;
}

static const struct debug_obj_descr hmm_range_debug_descr = {
	.name		= "hmm_range",
	.fixup_free	= hmm_range_debug_fixup_free,
};

/* -EINVAL: the range is registered already, and has to be left as it is. */
static int hmm_range_debug_register(struct hmm_range *range)
{
	if (object_is_on_stack(range))
		debug_object_init_on_stack(range, &hmm_range_debug_descr);
	else
		debug_object_init(range, &hmm_range_debug_descr);
	return debug_object_activate(range, &hmm_range_debug_descr);
}

static void hmm_range_debug_unregister(struct hmm_range *range)
{
	debug_object_deactivate(range, &hmm_range_debug_descr);
	debug_object_free(range, &hmm_range_debug_descr);
}

/*
 * Marking.
 */

static struct hmm_range *hmm_range_of(struct mmu_interval_notifier *sub)
{
	return container_of(sub, struct hmm_range, tracking.sub);
}

/* Test the event first; most events carry no owner. */
static bool hmm_range_ignores(const struct hmm_range *range,
			      const struct mmu_notifier_range *invalidation)
{
	return (range->tracking.ignore_events & BIT(invalidation->event)) &&
	       invalidation->owner &&
	       invalidation->owner == range->tracking.owner;
}

/* What the walk that runs has yet to claim needs no note. */
void hmm_range_note(struct hmm_range *range,
		    const struct mmu_notifier_range *invalidation)
{
	struct hmm_range_tracking *tracking = &range->tracking;

	hmm_dirty_add(&tracking->dirty, &tracking->window, invalidation->start,
		      min(invalidation->end, tracking->unclaimed.start));
	hmm_dirty_add(&tracking->dirty, &tracking->window,
		      max(invalidation->start, tracking->unclaimed.end),
		      invalidation->end);
}

/* Has the walk that runs caused it, by a fault, where it holds nothing? */
static bool hmm_range_asked_for(const struct hmm_range_tracking *tracking,
				const struct mmu_notifier_range *invalidation)
{
	return tracking->faulting == current &&
	       invalidation->start >= tracking->unclaimed.start &&
	       invalidation->end <= tracking->unclaimed.end;
}

/* Its window is hit. */
static noinline void hmm_range_hit(struct hmm_range *range,
				   const struct mmu_notifier_range *invalidation)
{
	struct hmm_range_tracking *tracking = &range->tracking;

	if (hmm_range_asked_for(tracking, invalidation))
		return;
	if (READ_ONCE(tracking->valid) &&
	    hmm_range_ignores(range, invalidation))
		return;
	WRITE_ONCE(tracking->valid, false);
	if (tracking->faulting != current)
		WRITE_ONCE(tracking->seq, tracking->seq + 1);
	hmm_range_note(range, invalidation);
}

/* Called at the start of an invalidation and, if it has an owner, at its end. */
static void hmm_range_mark(struct mmu_interval_notifier *sub,
			   const struct mmu_notifier_range *invalidation,
			   bool end)
{
	struct hmm_range *range = hmm_range_of(sub);
	const struct hmm_extent *window = &range->tracking.window;

	if (end) {
		/* It may have hit a range that it kept valid. */
		if (hmm_range_ignores(range, invalidation))
			hmm_range_note(range, invalidation);
		return;
	}
	if (!hmm_range_ignores(range, invalidation))
		WRITE_ONCE(sub->invalidate_seq, invalidation->tracked.seq);
	if (hmm_overlaps(invalidation, window->start, window->end))
		hmm_range_hit(range, invalidation);
}

/*
 * Callbacks.
 */

/* What the invalidation has hit of what is registered; false: nothing to be told. */
static bool hmm_range_clip(const struct hmm_range *range,
			   const struct mmu_notifier_range *invalidation,
			   struct hmm_extent *hit)
{
	const struct interval_tree_node *node =
		&range->tracking.sub.interval_tree;

	hit->start = max(invalidation->start, node->start);
	hit->end = min(invalidation->end, node->last + 1);
	return hit->start < hit->end &&
	       (range->tracking.flags & HMM_RANGE_OWN_EVENTS ||
		!hmm_range_ignores(range, invalidation));
}

static bool hmm_range_call(struct mmu_interval_notifier *sub,
			   const struct mmu_notifier_range *invalidation,
			   unsigned long cur_seq)
{
	struct hmm_range *range = hmm_range_of(sub);
	struct hmm_extent hit;

	return !hmm_range_clip(range, invalidation, &hit) ||
	       range->tracking.ops->invalidate(range, invalidation, hit.start,
					       hit.end);
}

static bool hmm_range_call_start(struct mmu_interval_notifier *sub,
				 const struct mmu_notifier_range *invalidation,
				 unsigned long cur_seq,
				 struct mmu_interval_notifier_finish **finish)
{
	struct hmm_range *range = hmm_range_of(sub);
	struct hmm_range_finish *second = NULL;
	struct hmm_extent hit;

	if (!hmm_range_clip(range, invalidation, &hit))
		return true;
	if (!range->tracking.ops->invalidate_start(range, invalidation,
						   hit.start, hit.end, &second))
		return false;
	if (second)
		*finish = &second->finish;
	return true;
}

static void hmm_range_call_finish(struct mmu_interval_notifier_finish *finish)
{
	const struct hmm_range *range = hmm_range_of(finish->notifier);
	struct hmm_range_finish *second;

	second = container_of(finish, struct hmm_range_finish, finish);
	range->tracking.ops->invalidate_finish(second);
}

static const struct mmu_interval_notifier_ops hmm_range_mark_ops = {
	.mark = hmm_range_mark,
};

static const struct mmu_interval_notifier_ops hmm_range_call_ops = {
	.mark = hmm_range_mark,
	.invalidate = hmm_range_call,
};

static const struct mmu_interval_notifier_ops hmm_range_two_pass_ops = {
	.mark = hmm_range_mark,
	.invalidate_start = hmm_range_call_start,
	.invalidate_finish = hmm_range_call_finish,
};

static const struct mmu_interval_notifier_ops *
hmm_range_core_ops(const struct hmm_range_ops *ops)
{
	if (!ops)
		return &hmm_range_mark_ops;
	return ops->invalidate_start ? &hmm_range_two_pass_ops :
				       &hmm_range_call_ops;
}

/*
 * Registering.
 */

/*
 * Without a window nothing is marked or noted; the first walk or
 * hmm_range_begin() sets one, and the rest with it.
 */
static void hmm_range_reset(struct hmm_range *range, unsigned long start,
			    unsigned long end)
{
	struct hmm_range_tracking *tracking = &range->tracking;

	range->notifier = NULL;
	range->notifier_seq = 0;
	range->start = start;
	range->end = end;
	/* Others may be looking at a range that was registered before. */
	WRITE_ONCE(tracking->valid, false);
	WRITE_ONCE(tracking->seq, 0);
	tracking->retry = false;
	tracking->tried = ULONG_MAX;
	tracking->faulting = NULL;
	tracking->window = (struct hmm_extent){};
	tracking->unclaimed = (struct hmm_extent){};
	tracking->call.hmm_pfns = NULL;
}

/* The range is not registered any more, or is not after all. */
static void hmm_range_disown(struct hmm_range *range)
{
	hmm_range_debug_unregister(range);
	range->tracking.sub.mm = NULL;
	/* Pairs with the READ_ONCE() in hmm_range_tracker(). */
	WRITE_ONCE(range->tracking.sub.tracker, NULL);
}

static bool hmm_range_is_sound(const struct hmm_range *range,
			       const struct mm_struct *mm)
{
	const unsigned int events = BIT(MMU_NOTIFY_MIGRATE) |
				    BIT(MMU_NOTIFY_EXCLUSIVE);

	return range->start < range->end && range->end <= mm->task_size &&
	       !offset_in_page(range->start | range->end) &&
	       !(range->flags & ~(HMM_RANGE_SPARSE | HMM_RANGE_OWN_EVENTS)) &&
	       !(range->ignore_events & ~events);
}

static bool hmm_range_has_sound_ops(const struct hmm_range_ops *ops)
{
	return !ops || (!ops->invalidate != !ops->invalidate_start &&
			!ops->invalidate_start == !ops->invalidate_finish);
}

static int hmm_ranges_record_locked(struct mm_struct *mm)
{
	if (mmu_notifier_tracker(mm))
		return 0;
	if (!atomic_read(&mm->mm_users))
		return -EFAULT;
	return __mmu_notifier_register(NULL, mm);
}

#ifdef CONFIG_LOCKDEP
static bool hmm_mmap_lock_is_held(const struct mm_struct *mm)
{
	return debug_locks && lockdep_is_held(&mm->mmap_lock);
}
#else
static bool hmm_mmap_lock_is_held(const struct mm_struct *mm)
{
	return false;
}
#endif

/* Switch recording on, unless somebody else does so first. */
static noinline int hmm_ranges_record(struct mm_struct *mm)
{
	int ret;

	if (WARN_ON_ONCE(hmm_mmap_lock_is_held(mm)))
		return -EINVAL;
	might_sleep();
	might_lock(&mm->mmap_lock);
	if (!mmget_not_zero(mm))
		return -EFAULT;
	ret = mmap_write_lock_killable(mm);
	if (!ret) {
		ret = hmm_ranges_record_locked(mm);
		mmap_write_unlock(mm);
	}
	/* Not mmput(): .release of a driver may wait for the caller. */
	mmput_async(mm);
	return ret;
}

/*
 * @record switches recording on. If the users of the mm go away meanwhile that
 * does no harm: a range of a dying mm never becomes valid.
 */
static __always_inline int
hmm_range_insert(struct hmm_range *range, struct mm_struct *mm,
		 const struct hmm_range_ops *ops,
		 int (*record)(struct mm_struct *mm))
{
	struct hmm_range_tracking *tracking = &range->tracking;
	struct mmu_tracker *tracker = mmu_notifier_tracker(mm);
	int ret;

	if (!atomic_read(&mm->mm_users))
		return -EFAULT;
	if (unlikely(!tracker)) {
		ret = record(mm);
		if (ret)
			return ret;
		tracker = mmu_notifier_tracker(mm);
	}
	/* Pairs with the mmdrop() of unregistering, here or in mm/mmu_interval.c. */
	mmgrab(mm);
	tracking->sub.mm = mm;
	tracking->sub.ops = hmm_range_core_ops(ops);
	tracking->sub.interval_tree.start = range->start;
	tracking->sub.interval_tree.last = range->end - 1;
	tracking->ops = ops;
	tracking->owner = range->dev_private_owner;
	tracking->ignore_events = range->ignore_events;
	tracking->flags = range->flags;

	spin_lock(&tracker->lock);
	mmu_tracker_insert(tracker, &tracking->sub,
			   ops ? MMU_TRACKER_MARK | MMU_TRACKER_CALL_LATER :
				 MMU_TRACKER_MARK);
	spin_unlock(&tracker->lock);
	return 0;
}

static __always_inline int
__hmm_range_register(struct hmm_range *range, struct mm_struct *mm,
		     unsigned long start, unsigned long end,
		     const struct hmm_range_ops *ops,
		     int (*record)(struct mm_struct *mm))
{
	int ret;

	ret = hmm_range_debug_register(range);
	if (ret)
		return ret;
	hmm_range_reset(range, start, end);
	ret = -EINVAL;
	if (hmm_range_is_sound(range, mm) && hmm_range_has_sound_ops(ops))
		ret = hmm_range_insert(range, mm, ops, record);
	if (ret)
		hmm_range_disown(range);
	return ret;
}

/**
 * hmm_range_register() - track the invalidations of a range
 * @range: the range. &hmm_range.dev_private_owner, &hmm_range.ignore_events and
 *	&hmm_range.flags are set by the caller; the rest may hold anything.
 * @mm: the address space, which need not be the caller's own
 * @start: first virtual address, page aligned
 * @end: first address past the end of the range, page aligned
 *
 * The range is not valid before it was walked, or hmm_range_begin() was called.
 * Any number of ranges may overlap. It stays in place, and memory, until
 * hmm_range_unregister(), whatever becomes of the address space; until then it
 * pins @mm as mmgrab() does.
 *
 * Context: May sleep. The caller holds a reference to @mm, as by mmgrab(), and
 * neither its mmap lock nor a lock that an invalidation may take. Only the first
 * registration in an mm takes the mmap lock, for write, and all the locks of the
 * mm; later ones, and all after hmm_mm_track(), take a spinlock, never wait for
 * an invalidation, and may be made with those locks held.
 *
 * Return: 0, or
 *
 * * -EINVAL: a bound is not page aligned, the range is empty, wraps or reaches
 *   beyond the address space, or @range has an unknown flag or an event that
 *   cannot be ignored.
 * * -EFAULT: @mm has no users any more.
 * * -ENOMEM: no memory for the notifier subscriptions of @mm.
 * * -EINTR: a signal came while the locks of @mm were taken, or a fatal one
 *   while they were awaited.
 */
int hmm_range_register(struct hmm_range *range, struct mm_struct *mm,
		       unsigned long start, unsigned long end)
{
	return __hmm_range_register(range, mm, start, end, NULL,
				    hmm_ranges_record);
}
EXPORT_SYMBOL_GPL(hmm_range_register);

/**
 * hmm_range_register_locked() - track a range, with the mmap lock held
 * @range: as for hmm_range_register()
 * @mm: as for hmm_range_register()
 * @start: as for hmm_range_register()
 * @end: as for hmm_range_register()
 *
 * Context: May sleep. The caller holds the mmap lock of @mm for write, and
 * still does on return, and keeps the users of @mm from going away, as by
 * mmget_not_zero().
 *
 * Return: as hmm_range_register().
 */
int hmm_range_register_locked(struct hmm_range *range, struct mm_struct *mm,
			      unsigned long start, unsigned long end)
{
	mmap_assert_write_locked(mm);
	return __hmm_range_register(range, mm, start, end, NULL,
				    hmm_ranges_record_locked);
}
EXPORT_SYMBOL_GPL(hmm_range_register_locked);

/**
 * hmm_range_register_ops() - track a range, and be called when it is hit
 * @range: as for hmm_range_register()
 * @mm: as for hmm_range_register()
 * @start: as for hmm_range_register()
 * @end: as for hmm_range_register()
 * @ops: the callbacks; they stay until the range is unregistered
 *
 * Context: as hmm_range_register().
 *
 * Return: as hmm_range_register(); -EINVAL also if @ops has neither or both of
 * &hmm_range_ops.invalidate and &hmm_range_ops.invalidate_start, or only one of
 * the two passes.
 */
int hmm_range_register_ops(struct hmm_range *range, struct mm_struct *mm,
			   unsigned long start, unsigned long end,
			   const struct hmm_range_ops *ops)
{
	return __hmm_range_register(range, mm, start, end, ops,
				    hmm_ranges_record);
}
EXPORT_SYMBOL_GPL(hmm_range_register_ops);

/**
 * hmm_mm_track() - record the invalidations of an mm from now on
 * @mm: the address space
 *
 * After it hmm_range_register() and hmm_range_register_ops() take a spinlock and
 * nothing else, so that they may be called with the mmap lock or locks of the
 * driver held.
 *
 * Context: May sleep. The caller holds a reference to @mm, as by mmgrab(), and
 * neither its mmap lock, which is a WARN and -EINVAL, nor a lock that an
 * invalidation takes.
 *
 * Return: 0, also if it was so already; -EFAULT: @mm has no users any more;
 * -ENOMEM; -EINTR: a signal came while the locks of @mm were taken.
 */
int hmm_mm_track(struct mm_struct *mm)
{
	if (!atomic_read(&mm->mm_users))
		return -EFAULT;
	return mmu_notifier_tracker(mm) ? 0 : hmm_ranges_record(mm);
}
EXPORT_SYMBOL_GPL(hmm_mm_track);

/**
 * hmm_range_unregister() - stop tracking a range
 * @range: the range; nothing happens if it is zeroed or unregistered already
 *
 * No other call on @range is running, and none follows but hmm_range_valid(),
 * which is false from now on, and one that registers it again.
 *
 * Context: Takes a spinlock and never waits for an invalidation; but a range with
 * &struct hmm_range_ops waits for those that hit it and are making their calls, so
 * it is not unregistered in a callback, nor with a lock held that one takes. May
 * drop the last reference to the mm; a caller that must not sleep, or holds locks
 * of the mm, holds another one. Task context with interrupts on, so no lock is held
 * that an interrupt takes. Works on an mm that is dying or dead.
 */
void hmm_range_unregister(struct hmm_range *range)
{
	struct mmu_tracker *tracker = hmm_range_tracker(range);
	struct mm_struct *mm = range->tracking.sub.mm;

	if (!tracker)
		return;
	mmu_tracker_assert_task();

	if (range->tracking.ops) {
		/* Before it leaves the tree, and no walk runs: so it stays. */
		WRITE_ONCE(range->tracking.valid, false);
		if (mmu_tracker_remove(tracker, &range->tracking.sub))
			hmm_range_disown(range);
		return;
	}
	spin_lock(&tracker->lock);
	mmu_tracker_erase(tracker, &range->tracking.sub);
	WRITE_ONCE(range->tracking.valid, false);
	spin_unlock(&tracker->lock);

	hmm_range_disown(range);
	mmdrop(mm);
}
EXPORT_SYMBOL_GPL(hmm_range_unregister);

static void hmm_range_released(struct mmu_interval_notifier *sub)
{
	struct hmm_range *range = hmm_range_of(sub);

	hmm_range_disown(range);
	range->tracking.ops->release(range);
}

/**
 * hmm_range_unregister_async() - stop tracking a range, without waiting
 * @range: a range with &hmm_range_ops.release, which is called when no callback
 *	of @range runs any more and none will; maybe before this returns. Nothing
 *	happens if this was called for it already, and that has not returned.
 *
 * No walk of @range runs, nor hmm_range_fault_commit(). A callback that was due
 * may see a range that is being unregistered. hmm_range_unregister() is not called
 * for it any more: it WARNs and does nothing.
 *
 * Context: Task context, also a callback of @range; spinlocks may be held. A module
 * that has called it calls mmu_notifier_synchronize() before it goes away. Else as
 * hmm_range_unregister().
 */
void hmm_range_unregister_async(struct hmm_range *range)
{
	struct mmu_tracker *tracker = hmm_range_tracker(range);
	const struct hmm_range_ops *ops = range->tracking.ops;

	/* The caller may race with hmm_range_released(): ask for it once. */
	if (!tracker || WARN_ON_ONCE(!ops || !ops->release))
		return;
	/* Before it leaves the tree, and no walk runs: so it stays. */
	WRITE_ONCE(range->tracking.valid, false);
	mmu_tracker_remove_async(tracker, &range->tracking.sub,
				 hmm_range_released);
}
EXPORT_SYMBOL_GPL(hmm_range_unregister_async);

/*
 * Validity, and waiting.
 */

/**
 * hmm_range_begin() - arm a range without a walk
 * @range: a registered range; its bounds may be narrowed as for a walk
 *
 * For a driver that looks the memory up in another way, such as
 * make_device_exclusive(): from here on hmm_range_valid() is true until the
 * next invalidation that overlaps [@range->start, @range->end) starts. What the
 * driver looks up afterwards is good as long as that is so. Looking it up may
 * invalidate it, as make_device_exclusive() does: see &hmm_range.ignore_events.
 *
 * Context: Takes a spinlock and never waits. No lock needs to be held;
 * interrupts are on, so none that an interrupt takes. The caller serialises it
 * with the walks of @range. A walk that follows reads everything.
 *
 * Return: 0, or
 *
 * * -EBUSY: an overlapping invalidation is in flight. Call
 *   hmm_range_wait_until_valid() and try again.
 * * -EFAULT: the mm is dying.
 * * -EINVAL: @range is not registered, or its bounds are not within those
 *   registered.
 */
int hmm_range_begin(struct hmm_range *range)
{
	struct hmm_range_tracking *tracking = &range->tracking;
	struct mmu_tracker *tracker = hmm_range_tracker(range);
	int ret;

	if (!tracker || !hmm_range_has_window(range))
		return -EINVAL;
	mmu_tracker_assert_task();

	spin_lock(&tracker->lock);
	ret = mmu_tracker_readable(tracker, range->start, range->end - 1);
	tracking->window = (struct hmm_extent){ range->start, range->end };
	hmm_dirty_clear(&tracking->dirty);
	tracking->call.hmm_pfns = NULL;
	WRITE_ONCE(tracking->valid, !ret);
	spin_unlock(&tracker->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(hmm_range_begin);

/**
 * hmm_range_begin_seq() - begin to use a range that has several users
 * @range: a registered range
 *
 * In place of hmm_range_begin() and hmm_range_valid(), which have one state for
 * all: each user has a number of his own. It speaks of all that was registered,
 * and does not go with the walks of @range.
 *
 * Context: as hmm_range_begin(), but any number of threads may call it.
 *
 * Return: the number for hmm_range_unchanged(); 0, for which that is false, while
 * an overlapping invalidation is in flight, the mm is dying, or @range is not
 * registered.
 */
unsigned long hmm_range_begin_seq(struct hmm_range *range)
{
	const struct interval_tree_node *node =
		&range->tracking.sub.interval_tree;
	struct mmu_tracker *tracker = hmm_range_tracker(range);
	unsigned long seq = 0;

	if (!tracker)
		return 0;
	mmu_tracker_assert_task();

	spin_lock(&tracker->lock);
	if (!mmu_tracker_readable(tracker, node->start, node->last))
		seq = READ_ONCE(range->tracking.sub.invalidate_seq);
	spin_unlock(&tracker->lock);
	return seq;
}
EXPORT_SYMBOL_GPL(hmm_range_begin_seq);

/**
 * hmm_range_unchanged() - has nothing hit a range since hmm_range_begin_seq()?
 * @range: the range, which is still registered
 * @seq: what hmm_range_begin_seq() returned
 *
 * Context: as hmm_range_valid().
 *
 * Return: true if no invalidation has started since that overlaps what was
 * registered, but for own ones that are ignored.
 */
bool hmm_range_unchanged(const struct hmm_range *range, unsigned long seq)
{
	return seq & 1 && READ_ONCE(range->tracking.sub.invalidate_seq) == seq;
}
EXPORT_SYMBOL_GPL(hmm_range_unchanged);

/**
 * hmm_range_valid() - is the last walk of a range still valid?
 * @range: a registered range, or one that is zeroed or unregistered again
 *
 * It covers the window of the last walk or hmm_range_begin(), which may be less
 * than what was registered.
 *
 * Context: Any; lockless. For the answer to mean anything the caller holds the
 * lock that its invalidation callback takes to tear down the device's entries:
 * as long as that lock is held, what the walk stored may be given to the
 * device. A thread that sees true sees what the walk stored, also if another
 * thread walked.
 *
 * Return: true if the last walk or hmm_range_begin() succeeded and no
 * invalidation that overlaps it has started since.
 */
bool hmm_range_valid(const struct hmm_range *range)
{
	/*
	 * Pairs with the smp_store_release() in hmm_walk_again(): the
	 * entries of the array are read after the flag that vouches for them.
	 */
	return smp_load_acquire(&range->tracking.valid);
}
EXPORT_SYMBOL_GPL(hmm_range_valid);

/*
 * Sleep until no overlapping invalidation is in flight, for @timeout jiffies at
 * most: 0, -EBUSY when the time is up, -EFAULT when the mm is dying, -EINTR on
 * a fatal signal, -EINVAL for a range that is not registered or has no window.
 */
int hmm_range_wait(struct hmm_range *range, unsigned long timeout)
{
	struct mmu_tracker *tracker = hmm_range_tracker(range);

	if (!tracker || !hmm_range_has_window(range))
		return -EINVAL;
	return mmu_tracker_wait(tracker, range->start, range->end - 1, timeout);
}

/**
 * hmm_range_wait_until_valid() - wait until a walk of a range can succeed
 * @range: a registered range
 * @timeout_ms: how long to wait, in milliseconds; 0 asks without waiting
 *
 * Waits for the invalidations that overlap [@range->start, @range->end) and for
 * no others. It says nothing about hmm_range_valid(): that takes a walk, which
 * is to come next.
 *
 * Context: May sleep, unless @timeout_ms is 0. The mmap lock may be held, but
 * no lock that an invalidation callback takes. Interrupts are on.
 *
 * Return: true if no overlapping invalidation is in flight and the mm is alive;
 * false if there still is one at the end of the time, on a fatal signal, when
 * the mm is dying, or if @range is not registered or its bounds are not within
 * those registered.
 */
bool hmm_range_wait_until_valid(struct hmm_range *range,
				unsigned long timeout_ms)
{
	unsigned int ms = min_t(unsigned long, timeout_ms, UINT_MAX);

	return !hmm_range_wait(range, msecs_to_jiffies(ms));
}
EXPORT_SYMBOL_GPL(hmm_range_wait_until_valid);
