// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tracked ranges: is what a walk read from the page table still valid?
 *
 * A tracked range is a subscription to the invalidations of an mm that has no
 * callback: the notifier core marks the ranges that an invalidation overlaps,
 * and drivers check the mark. Marking takes a spinlock and nothing
 * else, so it cannot sleep, fail or allocate, and ranges may come and go while
 * invalidations run.
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
 * Which invalidations are in flight is known exactly: each struct
 * mmu_notifier_range, which its caller keeps from start to end without changing
 * its bounds, event or owner, is linked into a list for that time. The first
 * registration in an mm switches the recording on, under mm_take_all_locks(),
 * when none can be in flight; it is never switched off, so a range that is
 * registered in the middle of an invalidation finds it in the list.
 *
 * mm/hmm_claim.c has what a walk does for it.
 */
#include <linux/debugobjects.h>
#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/interval_tree.h>
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
 * Whoever asks for that does so until the object is gone, so take it back.
 */
static bool hmm_range_debug_fixup_free(void *addr, enum debug_obj_state state)
{
	if (state != ODEBUG_STATE_ACTIVE)
		return false;
	hmm_range_unregister(addr);
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
 * Called by the notifier core.
 */

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

static void hmm_range_mark(struct hmm_range *range,
			   const struct mmu_notifier_range *invalidation)
{
	struct hmm_range_tracking *tracking = &range->tracking;

	if (hmm_range_asked_for(tracking, invalidation) ||
	    !hmm_overlaps(invalidation, tracking->window.start,
			  tracking->window.end))
		return;
	if (tracking->valid && hmm_range_ignores(range, invalidation))
		return;
	WRITE_ONCE(tracking->valid, false);
	if (tracking->faulting != current)
		WRITE_ONCE(tracking->seq, tracking->seq + 1);
	hmm_range_note(range, invalidation);
}

/* The rest of hmm_ranges_invalidate_start(): @node is the first that is hit. */
void hmm_ranges_mark(struct interval_tree_node *node,
		     const struct mmu_notifier_range *invalidation)
{
	/* One that is empty, searched as [start, end - 1], can match. */
	for (; node; node = interval_tree_iter_next(node, invalidation->start,
						    invalidation->end - 1))
		hmm_range_mark(container_of(node, struct hmm_range,
					    tracking.node), invalidation);
}

/* What the owner's invalidation has hit of the ranges that it kept valid. */
static noinline void
hmm_ranges_note_own(struct hmm_ranges *ranges,
		    const struct mmu_notifier_range *invalidation)
{
	struct interval_tree_node *node;
	struct hmm_range *range;

	for (node = interval_tree_iter_first(&ranges->ranges,
					     invalidation->start,
					     invalidation->end - 1);
	     node; node = interval_tree_iter_next(node, invalidation->start,
						  invalidation->end - 1)) {
		range = container_of(node, struct hmm_range, tracking.node);
		if (hmm_range_ignores(range, invalidation))
			hmm_range_note(range, invalidation);
	}
}

static noinline void hmm_ranges_wake(struct hmm_ranges *ranges)
{
	wake_up_all(&ranges->wq);
}

/* Called when the page table is changed, or when the start failed. */
void hmm_ranges_invalidate_end(struct hmm_ranges *ranges,
			       struct mmu_notifier_range *invalidation)
{
	spin_lock(&ranges->lock);
	__list_del_entry(&invalidation->tracked);
	if (unlikely(invalidation->owner))
		hmm_ranges_note_own(ranges, invalidation);
	spin_unlock(&ranges->lock);

	/*
	 * No barrier: a sleeper queues itself before it looks at the list under
	 * the lock. If it found @invalidation there, it is in the queue by now.
	 */
	if (waitqueue_active(&ranges->wq))
		hmm_ranges_wake(ranges);
}

/* Called before any callback of the release of the mm. */
void hmm_ranges_release(struct hmm_ranges *ranges)
{
	struct interval_tree_node *node;
	struct hmm_range *range;

	spin_lock(&ranges->lock);
	WRITE_ONCE(ranges->dying, true);
	for (node = interval_tree_iter_first(&ranges->ranges, 0, ULONG_MAX);
	     node; node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		range = container_of(node, struct hmm_range, tracking.node);
		WRITE_ONCE(range->tracking.valid, false);
		WRITE_ONCE(range->tracking.seq, range->tracking.seq + 1);
	}
	spin_unlock(&ranges->lock);

	wake_up_all(&ranges->wq);
}

void hmm_ranges_init(struct hmm_ranges *ranges)
{
	spin_lock_init(&ranges->lock);
	ranges->ranges = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&ranges->invalidations);
	init_waitqueue_head(&ranges->wq);
	ranges->dying = false;
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
	range->tracking.mm = NULL;
	range->tracking.ranges = NULL;
}

static bool hmm_range_is_sound(const struct hmm_range *range,
			       const struct mm_struct *mm)
{
	const unsigned int events = BIT(MMU_NOTIFY_MIGRATE) |
				    BIT(MMU_NOTIFY_EXCLUSIVE);

	return range->start < range->end && range->end <= mm->task_size &&
	       !offset_in_page(range->start | range->end) &&
	       !(range->flags & ~HMM_RANGE_SPARSE) &&
	       !(range->ignore_events & ~events);
}

static int hmm_ranges_record_locked(struct mm_struct *mm)
{
	if (mmu_notifier_hmm_ranges(mm))
		return 0;
	if (!atomic_read(&mm->mm_users))
		return -EFAULT;
	return mmu_notifier_track_ranges(mm);
}

/* Switch recording on, unless somebody else does so first. */
static noinline int hmm_ranges_record(struct mm_struct *mm)
{
	int ret;

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
		 int (*record)(struct mm_struct *mm))
{
	struct hmm_range_tracking *tracking = &range->tracking;
	struct hmm_ranges *ranges = mmu_notifier_hmm_ranges(mm);
	int ret;

	if (!atomic_read(&mm->mm_users))
		return -EFAULT;
	if (unlikely(!ranges)) {
		ret = record(mm);
		if (ret)
			return ret;
		ranges = mmu_notifier_hmm_ranges(mm);
	}
	/* Pairs with the mmdrop() in hmm_range_unregister(). */
	mmgrab(mm);
	tracking->mm = mm;
	tracking->ranges = ranges;
	tracking->owner = range->dev_private_owner;
	tracking->ignore_events = range->ignore_events;
	tracking->flags = range->flags;
	tracking->node.start = range->start;
	tracking->node.last = range->end - 1;

	spin_lock(&ranges->lock);
	interval_tree_insert(&tracking->node, &ranges->ranges);
	spin_unlock(&ranges->lock);
	return 0;
}

static __always_inline int
__hmm_range_register(struct hmm_range *range, struct mm_struct *mm,
		     unsigned long start, unsigned long end,
		     int (*record)(struct mm_struct *mm))
{
	int ret;

	ret = hmm_range_debug_register(range);
	if (ret)
		return ret;
	hmm_range_reset(range, start, end);
	ret = -EINVAL;
	if (hmm_range_is_sound(range, mm))
		ret = hmm_range_insert(range, mm, record);
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
 * mm; later ones take a spinlock and never wait for an invalidation.
 *
 * Return: 0, or
 *
 * * -EINVAL: a bound is not page aligned, the range is empty, wraps or reaches
 *   beyond the address space, or @range has an unknown flag or an event that
 *   cannot be ignored.
 * * -EFAULT: @mm has no users any more.
 * * -ENOMEM: no memory for the notifier subscriptions of @mm.
 * * -EINTR: a fatal signal came while the locks were awaited.
 */
int hmm_range_register(struct hmm_range *range, struct mm_struct *mm,
		       unsigned long start, unsigned long end)
{
	return __hmm_range_register(range, mm, start, end, hmm_ranges_record);
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
	return __hmm_range_register(range, mm, start, end,
				    hmm_ranges_record_locked);
}
EXPORT_SYMBOL_GPL(hmm_range_register_locked);

/**
 * hmm_range_unregister() - stop tracking a range
 * @range: the range; nothing happens if it is zeroed or unregistered already
 *
 * No other call on @range is running, and none follows but hmm_range_valid(),
 * which is false from now on, and hmm_range_register().
 *
 * Context: Takes a spinlock and never waits for an invalidation. May drop the
 * last reference to the mm; a caller that must not sleep, or holds locks of the
 * mm, holds another one. Interrupts are on, so no lock is held that an interrupt
 * takes. Works on an mm that is dying or dead.
 */
void hmm_range_unregister(struct hmm_range *range)
{
	struct hmm_ranges *ranges = hmm_range_ranges(range);
	struct mm_struct *mm = range->tracking.mm;

	if (!ranges)
		return;
	lockdep_assert_irqs_enabled();

	spin_lock(&ranges->lock);
	interval_tree_remove(&range->tracking.node, &ranges->ranges);
	WRITE_ONCE(range->tracking.valid, false);
	spin_unlock(&ranges->lock);

	hmm_range_disown(range);
	mmdrop(mm);
}
EXPORT_SYMBOL_GPL(hmm_range_unregister);

/*
 * Validity, and waiting.
 */

/*
 * May [@start, @end) be read now, as far as invalidations go? 0, -EBUSY while
 * one that overlaps it is in flight, or -EFAULT for good.
 */
static int hmm_ranges_readable(const struct hmm_ranges *ranges,
			       unsigned long start, unsigned long end)
{
	const struct mmu_notifier_range *invalidation;

	lockdep_assert_held(&ranges->lock);

	if (ranges->dying)
		return -EFAULT;
	list_for_each_entry(invalidation, &ranges->invalidations, tracked)
		if (hmm_overlaps(invalidation, start, end))
			return -EBUSY;
	return 0;
}

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
	struct hmm_ranges *ranges = hmm_range_ranges(range);
	int ret;

	if (!ranges || !hmm_range_has_window(range))
		return -EINVAL;
	lockdep_assert_irqs_enabled();

	spin_lock(&ranges->lock);
	ret = hmm_ranges_readable(ranges, range->start, range->end);
	tracking->window = (struct hmm_extent){ range->start, range->end };
	hmm_dirty_clear(&tracking->dirty);
	tracking->call.hmm_pfns = NULL;
	WRITE_ONCE(tracking->valid, !ret);
	spin_unlock(&ranges->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(hmm_range_begin);

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

static int hmm_range_poll(struct hmm_ranges *ranges,
			  const struct hmm_range *range)
{
	int ret;

	lockdep_assert_irqs_enabled();

	/* Most often nothing is in flight; what counts is what a walk claims. */
	if (list_empty(&ranges->invalidations) && !READ_ONCE(ranges->dying))
		return 0;

	spin_lock(&ranges->lock);
	ret = hmm_ranges_readable(ranges, range->start, range->end);
	spin_unlock(&ranges->lock);
	return ret;
}

/*
 * Sleep until no overlapping invalidation is in flight, for @timeout jiffies at
 * most: 0, -EBUSY when the time is up, -EFAULT when the mm is dying, -EINTR on
 * a fatal signal, -EINVAL for a range that is not registered or has no window.
 */
int hmm_range_wait(struct hmm_range *range, unsigned long timeout)
{
	struct hmm_ranges *ranges = hmm_range_ranges(range);
	long left;
	int ret;

	if (!ranges || !hmm_range_has_window(range))
		return -EINVAL;
	if (timeout) {
		might_sleep();
		/* Waiting for one invalidation from within another may deadlock. */
		lock_map_acquire(&__mmu_notifier_invalidate_range_start_map);
		lock_map_release(&__mmu_notifier_invalidate_range_start_map);
	}
	ret = hmm_range_poll(ranges, range);
	if (ret != -EBUSY || !timeout)
		return ret;

	timeout = min_t(unsigned long, timeout, MAX_SCHEDULE_TIMEOUT);
	left = wait_event_killable_timeout(ranges->wq,
					   (ret = hmm_range_poll(ranges, range)) != -EBUSY,
					   timeout);
	return left < 0 ? -EINTR : ret;
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
