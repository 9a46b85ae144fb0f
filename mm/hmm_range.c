// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tracked ranges: does what a walk read from the page table still stand?
 *
 * A tracked range is a subscription to the invalidations of an mm that has no
 * callback: the notifier core marks the ranges that an invalidation overlaps,
 * and whoever cares looks at the mark. Marking takes a spinlock and nothing
 * else, so it cannot sleep, fail or allocate, and ranges may come and go while
 * invalidations run.
 *
 * A range is in one of three states:
 *
 *	STALE     the array says nothing that may be relied upon
 *	WALKING   a walk began after the last overlapping invalidation ended
 *	VALID     that walk is complete, and none has started since
 *
 * A walk takes the range from STALE (or VALID) to WALKING, which is refused
 * while an overlapping invalidation is in flight, and when it is done to VALID.
 * An invalidation takes it to STALE from whichever state it is in. There is no
 * way back to VALID but a new walk, so an invalidation that starts and ends
 * between a walk and the check of it is not missed:
 *
 *	the mm                                the driver
 *
 *	                                      hmm_range_fault()
 *	                                        STALE -> WALKING
 *	                                        reads the page table
 *	                                        WALKING -> VALID
 *	invalidate_range_start()
 *	  the range becomes STALE
 *	  callbacks run:
 *	    driver_lock()
 *	    zap the device's entries
 *	    driver_unlock()
 *	changes the page table
 *	invalidate_range_end()
 *	                                      driver_lock()
 *	                                      hmm_range_valid(): false, retry
 *	                                      driver_unlock()
 *
 * All ranges are marked before the first callback of any kind. If the driver
 * takes its lock first, the check may pass, the device's entries are written,
 * and the callback, which waits for the lock, zaps them. If the callback takes
 * it first, the mark was set before that, and the check fails. The driver's
 * lock orders the two, so hmm_range_valid() needs no barrier.
 *
 * Which invalidations are in flight is known exactly: each struct
 * mmu_notifier_range, which its caller keeps from start to end without changing
 * its bounds, event or owner, is linked into a list for that time. A range thus
 * waits for those that overlap it and for no others. The first registration in
 * an mm switches the recording on, under mm_take_all_locks(), when none can be
 * in flight; it is never switched off, so a range that is registered in the
 * middle of an invalidation finds it in the list.
 *
 * A range is divided into at most 64 chunks, and an invalidation notes which
 * ones it hit. The retry of a walk reads only these again. Not everything is
 * notified, though: a page that is populated, or one that becomes writable,
 * is not. This does not matter to the retry of one and the same call, which is
 * answered as of the time when it began; any other call walks everything.
 */
#include <linux/bitops.h>
#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/interval_tree.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/oom.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "hmm_internal.h"

#define HMM_RANGE_CHUNK_BITS	6

static struct hmm_ranges *hmm_range_ranges(const struct hmm_range *range)
{
	if (range->notifier || !range->tracking.mm)
		return NULL;
	return mmu_notifier_hmm_ranges(range->tracking.mm);
}

/* The least that leaves no more chunks than there are bits, or one a page. */
static unsigned int hmm_range_chunk_shift(const struct hmm_range *range)
{
	const struct interval_tree_node *node = &range->tracking.node;

	return max(fls_long(node->last - node->start) - HMM_RANGE_CHUNK_BITS,
		   PAGE_SHIFT);
}

/* The chunks of @range that [@start, @end) touches; none if it is empty. */
u64 hmm_range_chunks(const struct hmm_range *range, unsigned long start,
		     unsigned long end)
{
	const struct interval_tree_node *node = &range->tracking.node;
	unsigned int shift = hmm_range_chunk_shift(range);
	unsigned long last;

	start = max(start, node->start);
	last = min(end - 1, node->last);
	if (start >= end || start > last)
		return 0;
	return GENMASK_ULL((last - node->start) >> shift,
			   (start - node->start) >> shift);
}

/*
 * The first run of chunks in @todo, which is not 0, and its addresses, as far as
 * they lie in the bounds of the walk.
 */
u64 hmm_range_first_span(const struct hmm_range *range, u64 todo,
			 unsigned long *start, unsigned long *end)
{
	const struct interval_tree_node *node = &range->tracking.node;
	unsigned int shift = hmm_range_chunk_shift(range);
	/* The carry of the sum runs through the first run, to the bit behind. */
	u64 span = todo & ~(todo + (todo & -todo));
	u64 first = (u64)__ffs64(span) << shift;
	u64 last = ((u64)fls64(span) << shift) - 1;

	last = min_t(u64, last, node->last - node->start);
	*start = max(range->start, node->start + (unsigned long)first);
	*end = min(range->end, node->start + (unsigned long)last + 1);
	return span;
}

/*
 * The invalidations that a driver causes itself, and has asked not to hear of.
 * The event goes first: few have an owner that means anything.
 */
static bool hmm_range_ignores(const struct hmm_range *range,
			      const struct mmu_notifier_range *invalidation)
{
	return (range->tracking.ignore_events & BIT(invalidation->event)) &&
	       invalidation->owner &&
	       invalidation->owner == range->tracking.owner;
}

static void hmm_range_mark(struct hmm_range *range, unsigned long start,
			   unsigned long end)
{
	range->tracking.dirty |= hmm_range_chunks(range, start, end);
	WRITE_ONCE(range->tracking.state, HMM_RANGE_STALE);
}

/* Mark the ranges from @node on that @invalidation overlaps. */
static noinline void hmm_ranges_mark(struct interval_tree_node *node,
				     const struct mmu_notifier_range *invalidation)
{
	unsigned long start = invalidation->start, end = invalidation->end;
	struct hmm_range *range;

	/* To the tree one that is empty may seem to lie within a range. */
	if (start >= end)
		return;
	for (; node; node = interval_tree_iter_next(node, start, end - 1)) {
		range = container_of(node, struct hmm_range, tracking.node);
		if (!hmm_range_ignores(range, invalidation))
			hmm_range_mark(range, start, end);
	}
}

/* Called before any callback of @invalidation, blocking or not. */
void hmm_ranges_invalidate_start(struct hmm_ranges *ranges,
				 struct mmu_notifier_range *invalidation)
{
	struct interval_tree_node *node;

	spin_lock(&ranges->lock);
	list_add(&invalidation->tracked, &ranges->invalidations);
	node = interval_tree_iter_first(&ranges->ranges, invalidation->start,
					invalidation->end - 1);
	if (node)
		hmm_ranges_mark(node, invalidation);
	spin_unlock(&ranges->lock);
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
	ranges->dying = true;
	for (node = interval_tree_iter_first(&ranges->ranges, 0, ULONG_MAX);
	     node; node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		range = container_of(node, struct hmm_range, tracking.node);
		hmm_range_mark(range, range->tracking.node.start,
			       range->tracking.node.last + 1);
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

static bool hmm_range_overlaps(const struct hmm_range *range,
			       const struct mmu_notifier_range *invalidation)
{
	return invalidation->start < invalidation->end &&
	       invalidation->start <= range->tracking.node.last &&
	       invalidation->end > range->tracking.node.start;
}

/*
 * May the page table be read now, as far as invalidations go? 0, -EBUSY while
 * one that overlaps @range is in flight, or -EFAULT for good.
 */
static int hmm_range_readable(const struct hmm_ranges *ranges,
			      const struct hmm_range *range)
{
	const struct mmu_notifier_range *invalidation;

	lockdep_assert_held(&ranges->lock);

	if (ranges->dying)
		return -EFAULT;
	list_for_each_entry(invalidation, &ranges->invalidations, tracked) {
		if (hmm_range_overlaps(range, invalidation) &&
		    !hmm_range_ignores(range, invalidation))
			return -EBUSY;
	}
	return 0;
}

static int hmm_range_prepare(struct hmm_range *range, struct mm_struct *mm,
			     unsigned long start, unsigned long end)
{
	range->notifier = NULL;
	range->notifier_seq = 0;
	range->start = start;
	range->end = end;
	range->tracking.mm = NULL;
	range->tracking.state = HMM_RANGE_STALE;
	range->tracking.dirty = 0;
	range->tracking.call.hmm_pfns = NULL;

	if (offset_in_page(start | end) || start >= end || end > mm->task_size)
		return -EINVAL;
	if (range->flags & ~HMM_RANGE_SPARSE ||
	    range->ignore_events >= BIT(MMU_NOTIFY_EXCLUSIVE + 1))
		return -EINVAL;
	return 0;
}

/*
 * Recording is on. If the users of the mm go away meanwhile that does no harm:
 * what is among the ranges of a dying mm is never readable.
 */
static int hmm_range_insert(struct hmm_range *range, struct mm_struct *mm,
			    struct hmm_ranges *ranges)
{
	struct hmm_range_tracking *tracking = &range->tracking;

	if (!atomic_read(&mm->mm_users))
		return -EFAULT;
	/* Pairs with the mmdrop() in hmm_range_unregister(). */
	mmgrab(mm);
	tracking->mm = mm;
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

/* Switch recording on. */
static int hmm_ranges_record(struct mm_struct *mm)
{
	int ret;

	if (!mmget_not_zero(mm))
		return -EFAULT;
	ret = mmap_write_lock_killable(mm);
	if (!ret) {
		ret = mmu_notifier_track_ranges(mm);
		mmap_write_unlock(mm);
	}
	mmput(mm);
	return ret;
}

/**
 * hmm_range_register() - track the invalidations of a range
 * @range: the range. &hmm_range.dev_private_owner, &hmm_range.ignore_events and
 *	&hmm_range.flags are set by the caller; the rest may hold anything.
 * @mm: the address space, which need not be the caller's own
 * @start: first virtual address, page aligned
 * @end: first virtual address behind the range, page aligned
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
 *   beyond the address space, or @range has an unknown flag or event.
 * * -EFAULT: @mm has no users any more.
 * * -ENOMEM: no memory for the notifier subscriptions of @mm.
 * * -EINTR: a signal came while the locks were awaited.
 */
int hmm_range_register(struct hmm_range *range, struct mm_struct *mm,
		       unsigned long start, unsigned long end)
{
	struct hmm_ranges *ranges;
	int ret;

	ret = hmm_range_prepare(range, mm, start, end);
	if (ret)
		return ret;
	ranges = mmu_notifier_hmm_ranges(mm);
	if (!ranges) {
		ret = hmm_ranges_record(mm);
		if (ret)
			return ret;
		ranges = mmu_notifier_hmm_ranges(mm);
	}
	return hmm_range_insert(range, mm, ranges);
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
	struct hmm_ranges *ranges;
	int ret;

	mmap_assert_write_locked(mm);

	ret = hmm_range_prepare(range, mm, start, end);
	if (ret)
		return ret;
	ranges = mmu_notifier_hmm_ranges(mm);
	if (!ranges) {
		if (!atomic_read(&mm->mm_users))
			return -EFAULT;
		ret = mmu_notifier_track_ranges(mm);
		if (ret)
			return ret;
		ranges = mmu_notifier_hmm_ranges(mm);
	}
	return hmm_range_insert(range, mm, ranges);
}
EXPORT_SYMBOL_GPL(hmm_range_register_locked);

/**
 * hmm_range_unregister() - stop tracking a range
 * @range: the range; nothing happens if it is zeroed or unregistered already
 *
 * No other call on @range is running, and none follows but hmm_range_valid(),
 * which is false from now on, and hmm_range_register().
 *
 * Context: Takes a spinlock and never waits for an invalidation; may drop the
 * last reference to the mm, for which it may sleep. Any lock of the driver or
 * of the mm may be held. Works on an mm that is dying or dead.
 */
void hmm_range_unregister(struct hmm_range *range)
{
	struct hmm_ranges *ranges = hmm_range_ranges(range);
	struct mm_struct *mm = range->tracking.mm;

	if (!ranges)
		return;

	spin_lock(&ranges->lock);
	interval_tree_remove(&range->tracking.node, &ranges->ranges);
	WRITE_ONCE(range->tracking.state, HMM_RANGE_STALE);
	spin_unlock(&ranges->lock);

	range->tracking.mm = NULL;
	mmdrop(mm);
}
EXPORT_SYMBOL_GPL(hmm_range_unregister);

/**
 * hmm_range_begin() - arm a range without a walk
 * @range: a registered range
 *
 * For a driver that looks the memory up in another way, such as
 * make_device_exclusive(): from here on hmm_range_valid() is true until the
 * next overlapping invalidation starts. What the driver looks up afterwards
 * stands as long as that is so.
 *
 * Context: Process context, also with spinlocks held; never waits. No lock needs
 * to be held. The caller serialises it with the walks of @range. A walk that
 * follows reads everything anew.
 *
 * Return: 0, or
 *
 * * -EBUSY: an overlapping invalidation is in flight. Call
 *   hmm_range_wait_until_valid() and try again.
 * * -EFAULT: the mm is dying.
 * * -EINVAL: @range is not registered.
 */
int hmm_range_begin(struct hmm_range *range)
{
	struct hmm_ranges *ranges = hmm_range_ranges(range);
	int ret;

	if (!ranges)
		return -EINVAL;

	spin_lock(&ranges->lock);
	ret = hmm_range_readable(ranges, range);
	if (!ret)
		WRITE_ONCE(range->tracking.state, HMM_RANGE_VALID);
	range->tracking.call.hmm_pfns = NULL;
	spin_unlock(&ranges->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(hmm_range_begin);

/**
 * hmm_range_valid() - does the last walk of a range still stand?
 * @range: a registered range, or one that is zeroed or unregistered again
 *
 * Context: Any; lockless. For the answer to mean anything the caller holds the
 * lock that its invalidation callback takes to tear down the device's entries:
 * as long as that lock is held, what the walk stored may be given to the
 * device.
 *
 * Return: true if the last walk or hmm_range_begin() succeeded and no
 * overlapping invalidation has started since.
 */
bool hmm_range_valid(const struct hmm_range *range)
{
	return READ_ONCE(range->tracking.state) == HMM_RANGE_VALID;
}
EXPORT_SYMBOL_GPL(hmm_range_valid);

static int hmm_range_poll(struct hmm_ranges *ranges,
			  const struct hmm_range *range)
{
	int ret;

	spin_lock(&ranges->lock);
	ret = hmm_range_readable(ranges, range);
	spin_unlock(&ranges->lock);
	return ret;
}

/*
 * Sleep until no overlapping invalidation is in flight, for @timeout jiffies at
 * most: 0, -EBUSY when the time is up, -EFAULT when the mm is dying, -EINTR on
 * a fatal signal, -EINVAL for a range that is not registered.
 */
int hmm_range_wait(struct hmm_range *range, unsigned long timeout)
{
	struct hmm_ranges *ranges = hmm_range_ranges(range);
	long left;
	int ret;

	if (!ranges)
		return -EINVAL;
	ret = hmm_range_poll(ranges, range);
	if (ret != -EBUSY || !timeout)
		return ret;

	/* To wait for an invalidation from within one may be a deadlock. */
	lock_map_acquire(&__mmu_notifier_invalidate_range_start_map);
	lock_map_release(&__mmu_notifier_invalidate_range_start_map);

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
 * Waits for the invalidations that overlap @range and for no others. It says
 * nothing about hmm_range_valid(): that takes a walk, which is to come next.
 *
 * Context: May sleep, unless @timeout_ms is 0. The mmap lock may be held, but
 * no lock that an invalidation callback takes.
 *
 * Return: true if no overlapping invalidation is in flight and the mm is alive;
 * false if there still is one at the end of the time, on a fatal signal, when
 * the mm is dying, or if @range is not registered.
 */
bool hmm_range_wait_until_valid(struct hmm_range *range,
				unsigned long timeout_ms)
{
	unsigned int ms = min_t(unsigned long, timeout_ms, UINT_MAX);

	return !hmm_range_wait(range, msecs_to_jiffies(ms));
}
EXPORT_SYMBOL_GPL(hmm_range_wait_until_valid);

/*
 * Is this the retry of the call that @range->tracking.dirty is about? With a
 * mask the array is input too, and the last output has overwritten it.
 */
static bool hmm_range_is_retry(const struct hmm_range *range, bool fault)
{
	const struct hmm_range_tracking *tracking = &range->tracking;

	return tracking->state != HMM_RANGE_VALID && !range->pfn_flags_mask &&
	       tracking->call.hmm_pfns == range->hmm_pfns &&
	       tracking->call.start == range->start &&
	       tracking->call.end == range->end &&
	       tracking->call.default_flags == range->default_flags &&
	       tracking->call.dev_private_owner == range->dev_private_owner &&
	       tracking->call.fault == fault;
}

static void hmm_range_new_call(struct hmm_range *range, bool fault)
{
	struct hmm_range_tracking *tracking = &range->tracking;

	tracking->call.hmm_pfns = range->pfn_flags_mask ? NULL : range->hmm_pfns;
	tracking->call.start = range->start;
	tracking->call.end = range->end;
	tracking->call.default_flags = range->default_flags;
	tracking->call.dev_private_owner = range->dev_private_owner;
	tracking->call.fault = fault;
}

/*
 * Begin a walk: 0 with the chunks to walk in @todo, or the errno that the
 * caller of the walk gets. The caller holds the mmap lock.
 */
int hmm_range_walk_begin(struct hmm_range *range, bool fault, u64 *todo)
{
	struct hmm_ranges *ranges = hmm_range_ranges(range);
	struct hmm_range_tracking *tracking = &range->tracking;
	int ret;

	if (!ranges || !range->hmm_pfns || range->start >= range->end ||
	    offset_in_page(range->start | range->end) ||
	    range->start < tracking->node.start ||
	    range->end - 1 > tracking->node.last)
		return -EINVAL;
	if (range->pfn_flags_mask && tracking->flags & HMM_RANGE_SPARSE)
		return -EINVAL;
	if (!atomic_read(&tracking->mm->mm_users) ||
	    check_stable_address_space(tracking->mm))
		return -EFAULT;

	spin_lock(&ranges->lock);
	ret = hmm_range_readable(ranges, range);
	if (!ret) {
		*todo = hmm_range_chunks(range, range->start, range->end);
		if (hmm_range_is_retry(range, fault))
			*todo &= tracking->dirty;
		else
			hmm_range_new_call(range, fault);
		tracking->dirty = 0;
		WRITE_ONCE(tracking->state, HMM_RANGE_WALKING);
	}
	spin_unlock(&ranges->lock);
	return ret;
}

/*
 * End the walk: @todo are the chunks that it did not get to, @err why. The
 * range becomes valid if it got to all of them and was not invalidated
 * meanwhile. Returns what the caller of the walk gets. A walk that ran into
 * something else than an invalidation is no call to be retried.
 */
int hmm_range_walk_end(struct hmm_range *range, u64 todo, int err)
{
	struct hmm_ranges *ranges = hmm_range_ranges(range);
	struct hmm_range_tracking *tracking = &range->tracking;

	spin_lock(&ranges->lock);
	if (!err && tracking->state != HMM_RANGE_WALKING)
		err = ranges->dying ? -EFAULT : -EBUSY;
	if (err && err != -EBUSY)
		tracking->call.hmm_pfns = NULL;
	tracking->dirty |= todo;
	WRITE_ONCE(tracking->state, err ? HMM_RANGE_STALE : HMM_RANGE_VALID);
	spin_unlock(&ranges->lock);
	return err;
}
