// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interval notifiers: who is told of the invalidations of an interval, and how
 * a driver finds out that it was hit.
 *
 *  Copyright (C) 2008  Qumranet, Inc.
 *  Copyright (C) 2008  SGI
 *             Christoph Lameter <cl@gentwo.org>
 *
 * A driver reads the page table, writes what it found into its device, and must
 * not do that if the page table has changed in between. So it takes a number
 * before it reads, and compares under the lock that its callback takes:
 *
 *	CPU 0 (driver)                        CPU 1 (mm)
 *
 *	seq = mmu_interval_read_begin()
 *	reads the page table
 *	                                      invalidate_range_start()
 *	                                        draws a number
 *	                                        the driver's callback:
 *	                                          driver_lock()
 *	                                          mmu_interval_set_seq()
 *	                                          zap the device's entries
 *	                                          driver_unlock()
 *	                                      changes the page table
 *	                                      invalidate_range_end()
 *	driver_lock()
 *	mmu_interval_read_retry(): true
 *	driver_unlock()
 *
 * If the driver locks first, read_retry() is false, the device gets the entries,
 * and the callback, which waits for the lock, zaps them.
 *
 * A number may be taken only when nothing in flight overlaps the interval, since
 * the callback may be over and the page table not changed yet. Both are done in
 * one hold of the lock. This order would lose:
 *
 *	finds nothing in flight
 *	                                      invalidate_range_start()
 *	                                        the callback sets 7
 *	takes 7
 *	reads the page table
 *	                                      changes the page table
 *	                                      invalidate_range_end()
 *	driver_lock()
 *	mmu_interval_read_retry(): false, and the device gets a stale entry
 *
 * No two invalidations that hit have the same number. Else one who took the
 * number of the first when that was over would not see the second.
 *
 * What is in flight is known exactly: each struct mmu_notifier_range, which its
 * caller keeps from start to end without changing its bounds, event or owner, is
 * linked into a list for that time. The first subscription in an mm switches that
 * on, under mm_take_all_locks(), when none can be in flight; it is never switched
 * off. So subscriptions may come and go at any time, and who waits does so only
 * for what overlaps.
 *
 * A start first marks the tracked ranges that it hits (mm/hmm_range.c), all of
 * them, then calls the interval notifiers, then the tracked ranges that have a
 * callback; plain notifiers follow. Calls are made without the lock.
 *
 * What was in the tree when a start took the lock is called, whatever is removed
 * meanwhile, and what is inserted meanwhile is not. A driver may exchange one
 * notifier for another that covers the same memory, with entries in its device:
 *
 *	CPU 0 (driver)                        CPU 1 (mm)
 *
 *	                                      invalidate_range_start()
 *	                                        draws a number
 *	inserts the new one
 *	removes the old one
 *	                                        calls whom?
 *	                                      changes the page table
 *
 * So a removal is in force for starts that come after it, and what is removed
 * stays in the tree until those before it have made their calls. A later start
 * does not call it, but waits until they have: one of them may have promised that
 * the device will have done with a page, and not be there yet. Unless it comes
 * within one of those calls, as reclaim does when the callback allocates memory:
 * then it need not wait, and could not, since it keeps what it has to call itself.
 */
#include <linux/completion.h>
#include <linux/export.h>
#include <linux/interval_tree.h>
#include <linux/jiffies.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/sched/task_stack.h>
#include <linux/srcu.h>

#include "mmu_interval.h"

/* Callbacks run as its readers, and so does the release that they have left. */
DEFINE_STATIC_SRCU(mn_srcu);

/* There may be such a release: nobody else waits for all callbacks there are. */
static bool mn_leaves_release;

/* How many are called after a hold of the lock, and how many more it looks at. */
#define MN_CALLS	16
#define MN_LOOKS	48

#define MN_CALLED	(MMU_TRACKER_CALL | MMU_TRACKER_CALL_LATER)

/* &mmu_notifier_range.tracked.calls: what a start does. */
enum { MN_CALLS_NONE, MN_CALLING, MN_RELEASES };

/*
 * Someone who goes through the tree and has dropped the lock. What is next is in
 * the tree: who takes it out moves @next on.
 */
struct mn_cursor {
	struct list_head		node;
	struct interval_tree_node	*next;
	unsigned long			start;
	unsigned long			last;
};

/*
 * Someone who waits for so many of those in flight that overlap [@start, @last],
 * younger than @after and not younger than @seq: until they have ended, or have
 * made their calls.
 */
struct mn_waiter {
	struct list_head	node;
	unsigned long		start;
	unsigned long		last;
	u64			after;
	u64			seq;
	unsigned int		nr;
	bool			for_calls;
	struct completion	done;
};

static struct mmu_interval_notifier *
mn_interval(struct interval_tree_node *node)
{
	return container_of(node, struct mmu_interval_notifier, interval_tree);
}

void mmu_tracker_init(struct mmu_tracker *tracker)
{
	spin_lock_init(&tracker->lock);
	tracker->tree = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&tracker->invalidations);
	INIT_LIST_HEAD(&tracker->waiters);
	INIT_LIST_HEAD(&tracker->cursors);
	tracker->seq = 1;
	tracker->nr_removing = 0;
	tracker->kinds = 0;
	tracker->dying = false;
}

/*
 * The tree.
 */

static struct mn_cursor mn_cursor_at(const struct mmu_notifier_range *range,
				     struct interval_tree_node *node)
{
	return (struct mn_cursor){
		.next = node,
		.start = range->start,
		.last = range->end - 1,
	};
}

static struct mn_cursor mn_cursor_first(struct mmu_tracker *tracker,
					const struct mmu_notifier_range *range)
{
	return mn_cursor_at(range, interval_tree_iter_first(&tracker->tree,
							    range->start,
							    range->end - 1));
}

static void mn_cursor_step(struct mn_cursor *cursor)
{
	cursor->next = interval_tree_iter_next(cursor->next, cursor->start,
					       cursor->last);
}

/* From here on to mn_cursor_resume() the lock may be dropped. */
static void mn_cursor_park(struct mmu_tracker *tracker,
			   struct mn_cursor *cursor)
{
	list_add(&cursor->node, &tracker->cursors);
}

static void mn_cursor_resume(struct mn_cursor *cursor)
{
	list_del(&cursor->node);
}

/* Let others have the lock. */
static void mn_cursor_pause(struct mmu_tracker *tracker,
			    struct mn_cursor *cursor)
{
	mn_cursor_park(tracker, cursor);
	spin_unlock(&tracker->lock);
	spin_lock(&tracker->lock);
	mn_cursor_resume(cursor);
}

/* @node leaves the tree: it is not the next one of anybody. */
void mmu_tracker_skip(struct mmu_tracker *tracker,
		      const struct interval_tree_node *node)
{
	struct mn_cursor *cursor;

	list_for_each_entry(cursor, &tracker->cursors, node)
		if (cursor->next == node)
			mn_cursor_step(cursor);
}

static bool mn_hits_sub(const struct mmu_notifier_range *range,
			const struct mmu_interval_notifier *interval_sub)
{
	return mmu_range_hits(range, interval_sub->interval_tree.start,
			      interval_sub->interval_tree.last);
}

/*
 * Callbacks.
 */

/* Was it in the tree when @range started, and not being removed? Then it stays. */
static bool mn_keeps_sub(const struct mmu_notifier_range *range,
			 const struct mmu_interval_notifier *interval_sub)
{
	return interval_sub->inserted < range->tracked.seq &&
	       interval_sub->removed >= range->tracked.seq;
}

/*
 * Has @range started within the calls of one that keeps a subscription, so on the
 * same stack? It ends before they do.
 */
static noinline bool
mn_is_kept_for(const struct mmu_notifier_range *range,
	       const struct mmu_interval_notifier *interval_sub)
{
	const struct mmu_notifier_range *outer;

	list_for_each_entry(outer, &interval_sub->tracker->invalidations,
			    tracked.node)
		if (outer != range && outer->tracked.calls == MN_CALLING &&
		    object_is_on_stack(outer) &&
		    mn_hits_sub(outer, interval_sub) &&
		    mn_keeps_sub(outer, interval_sub))
			return true;
	return false;
}

static bool mn_calls_sub(const struct mmu_notifier_range *range,
			 const struct mmu_interval_notifier *interval_sub)
{
	if (unlikely(interval_sub->removed < range->tracked.seq))
		return mn_is_kept_for(range, interval_sub);
	return interval_sub->inserted < range->tracked.seq;
}

/*
 * The next ones of a kind to be called, of as many as one hold of the lock sees.
 * They stay until @range has made its calls; what has no callback need not.
 */
static unsigned int mn_collect(struct mn_cursor *cursor,
			       const struct mmu_notifier_range *range,
			       unsigned int kind,
			       struct mmu_interval_notifier **subs)
{
	struct interval_tree_node *node = cursor->next;
	struct mmu_interval_notifier *interval_sub;
	unsigned int nr = 0, seen;

	for (seen = 0; node && seen < MN_LOOKS; seen++) {
		interval_sub = mn_interval(node);
		node = interval_tree_iter_next(node, cursor->start,
					       cursor->last);
		if (!(interval_sub->kinds & kind) ||
		    !mn_calls_sub(range, interval_sub))
			continue;
		subs[nr++] = interval_sub;
		if (nr == MN_CALLS)
			break;
	}
	cursor->next = node;
	return nr;
}

static __always_inline int
mn_call(struct mmu_interval_notifier *interval_sub,
	const struct mmu_notifier_range *range, struct llist_head *finish_passes)
{
	const struct mmu_interval_notifier_ops *ops = interval_sub->ops;
	struct mmu_interval_notifier_finish *finish = NULL;
	const unsigned long seq = range->tracked.seq;
	bool done;

	if (ops->invalidate_start)
		done = ops->invalidate_start(interval_sub, range, seq, &finish);
	else
		done = ops->invalidate(interval_sub, range, seq);
	if (done && finish) {
		finish->notifier = interval_sub;
		__llist_add(&finish->link, finish_passes);
	}
	if (done || WARN_ON(mmu_notifier_range_blockable(range)))
		return 0;
	return -EAGAIN;
}

/* Call all of a kind that are hit. The lock is held, and dropped meanwhile. */
static int mn_call_kind(struct mmu_tracker *tracker,
			const struct mmu_notifier_range *range,
			unsigned int kind, struct llist_head *finish_passes)
{
	struct mmu_interval_notifier *subs[MN_CALLS] __uninitialized;
	struct mn_cursor cursor = mn_cursor_first(tracker, range);
	unsigned int nr, i;
	int err = 0;

	while (cursor.next && !err) {
		nr = mn_collect(&cursor, range, kind, subs);
		mn_cursor_park(tracker, &cursor);
		spin_unlock(&tracker->lock);
		for (i = 0; i < nr && !err; i++)
			err = mn_call(subs[i], range, finish_passes);
		spin_lock(&tracker->lock);
		mn_cursor_resume(&cursor);
	}
	return err;
}

/* The second passes, in the order of the first ones. */
static void mn_finish(struct llist_head *finish_passes)
{
	struct llist_node *node, *next;
	struct mmu_interval_notifier_finish *finish;

	node = llist_reverse_order(__llist_del_all(finish_passes));
	for (; node; node = next) {
		next = node->next;
		finish = llist_entry(node, struct mmu_interval_notifier_finish,
				     link);
		finish->notifier->ops->invalidate_finish(finish);
	}
}

/*
 * Mark all tracked ranges from @node on that an invalidation hits, at its start
 * or its end. The lock is held, and dropped now and then: a fork may hit all of
 * many.
 */
static void mn_mark_all(struct mmu_tracker *tracker,
			const struct mmu_notifier_range *range,
			struct interval_tree_node *node, bool end)
{
	struct mn_cursor cursor = mn_cursor_at(range, node);
	struct mmu_interval_notifier *interval_sub;
	unsigned int nr = 0;

	while (cursor.next) {
		interval_sub = mn_interval(cursor.next);
		if (interval_sub->kinds & MMU_TRACKER_MARK)
			interval_sub->ops->mark(interval_sub, range, end);
		mn_cursor_step(&cursor);
		if (cursor.next && ++nr % MN_LOOKS == 0)
			mn_cursor_pause(tracker, &cursor);
	}
}

/* Mark what is hit from @node on, and call all that is. */
static noinline int mn_call_many(struct mmu_tracker *tracker,
				 const struct mmu_notifier_range *range,
				 struct interval_tree_node *node,
				 struct llist_head *finish_passes)
{
	int err = 0;

	if (tracker->kinds & MMU_TRACKER_MARK)
		mn_mark_all(tracker, range, node, false);
	if (tracker->kinds & MMU_TRACKER_CALL)
		err = mn_call_kind(tracker, range, MMU_TRACKER_CALL,
				   finish_passes);
	if (!err && tracker->kinds & MMU_TRACKER_CALL_LATER)
		err = mn_call_kind(tracker, range, MMU_TRACKER_CALL_LATER,
				   finish_passes);
	return err;
}

/*
 * Mark the first ones that are hit, from *@node on, and keep those that are to be
 * called, how many is returned. *@node is the next one then; NULL: that was all.
 */
static unsigned int mn_mark_few(const struct mmu_notifier_range *range,
				struct interval_tree_node **node,
				struct mmu_interval_notifier **subs)
{
	struct mmu_interval_notifier *interval_sub;
	unsigned int nr = 0, seen;

	for (seen = 0; *node && seen < MN_CALLS; seen++) {
		interval_sub = mn_interval(*node);
		if (interval_sub->kinds & MMU_TRACKER_MARK)
			interval_sub->ops->mark(interval_sub, range, false);
		if (interval_sub->kinds & MN_CALLED &&
		    mn_calls_sub(range, interval_sub))
			subs[nr++] = interval_sub;
		*node = interval_tree_iter_next(*node, range->start,
						range->end - 1);
	}
	return nr;
}

/* Call those of a kind: 0, or -EAGAIN. */
static int mn_call_few(struct mmu_interval_notifier **subs, unsigned int nr,
		       unsigned int kind, const struct mmu_notifier_range *range,
		       struct llist_head *finish_passes)
{
	int err = 0;

	for (; nr && !err; nr--, subs++)
		if ((*subs)->kinds & kind)
			err = mn_call(*subs, range, finish_passes);
	return err;
}

/*
 * Mark and call all that is hit, from @node on. That is little, most often, and
 * can be kept while the lock is dropped: each is looked at once.
 */
static int mn_mark_and_call(struct mmu_tracker *tracker,
			    const struct mmu_notifier_range *range,
			    struct interval_tree_node *node,
			    struct llist_head *finish_passes)
{
	struct mmu_interval_notifier *subs[MN_CALLS] __uninitialized;
	const unsigned int kinds = tracker->kinds;
	unsigned int nr;
	int err;

	nr = mn_mark_few(range, &node, subs);
	if (node)
		return mn_call_many(tracker, range, node, finish_passes);
	if (!nr)
		return 0;
	spin_unlock(&tracker->lock);
	err = mn_call_few(subs, nr, MMU_TRACKER_CALL, range, finish_passes);
	if (!err && kinds & MMU_TRACKER_CALL_LATER)
		err = mn_call_few(subs, nr, MMU_TRACKER_CALL_LATER, range,
				  finish_passes);
	spin_lock(&tracker->lock);
	return err;
}

/*
 * Waiting.
 */

static bool mn_in_flight(const struct mmu_tracker *tracker, unsigned long start,
			 unsigned long last)
{
	const struct mmu_notifier_range *range;

	lockdep_assert_held(&tracker->lock);

	list_for_each_entry(range, &tracker->invalidations, tracked.node)
		if (mmu_range_hits(range, start, last))
			return true;
	return false;
}

static bool mn_is_awaited(const struct mmu_notifier_range *range,
			  const struct mn_waiter *waiter)
{
	return range->tracked.seq > waiter->after &&
	       range->tracked.seq <= waiter->seq &&
	       mmu_range_hits(range, waiter->start, waiter->last);
}

static void mn_wake(struct mn_waiter *waiter)
{
	list_del_init(&waiter->node);
	complete(&waiter->done);
}

/* @range has ended, or has made its calls: wake who waited for it and no other. */
static noinline void mn_passed(struct mmu_tracker *tracker,
			       const struct mmu_notifier_range *range,
			       bool calls)
{
	struct mn_waiter *waiter, *next;

	list_for_each_entry_safe(waiter, next, &tracker->waiters, node)
		if (waiter->for_calls == calls && mn_is_awaited(range, waiter) &&
		    !--waiter->nr)
			mn_wake(waiter);
}

/*
 * Wait once, for what is in flight and awaited, @timeout jiffies at most. The lock
 * is held, and dropped meanwhile. Returns as wait_for_completion_killable_timeout()
 * does; MAX_SCHEDULE_TIMEOUT is no limit.
 */
static long mn_wait_once(struct mmu_tracker *tracker, struct mn_waiter *waiter,
			 long timeout, bool killable)
{
	const struct mmu_notifier_range *range;
	long left = timeout;

	waiter->nr = 0;
	list_for_each_entry(range, &tracker->invalidations, tracked.node)
		if (mn_is_awaited(range, waiter) &&
		    (range->tracked.calls || !waiter->for_calls))
			waiter->nr++;
	if (!waiter->nr)
		return left;

	init_completion(&waiter->done);
	list_add_tail(&waiter->node, &tracker->waiters);
	spin_unlock(&tracker->lock);

	if (killable)
		left = wait_for_completion_killable_timeout(&waiter->done,
							    timeout);
	else
		wait_for_completion(&waiter->done);

	spin_lock(&tracker->lock);
	list_del_init(&waiter->node);
	return left;
}

/* The same, for all that overlaps [@start, @last]. */
static long mn_wait_for_ends(struct mmu_tracker *tracker, unsigned long start,
			     unsigned long last, long timeout, bool killable)
{
	struct mn_waiter waiter = {
		.start = start,
		.last = last,
		.seq = tracker->seq,
	};

	return mn_wait_once(tracker, &waiter, timeout, killable);
}

/*
 * May [@start, @last] be read now, as far as invalidations go? 0, -EBUSY while
 * one that overlaps it is in flight, or -EFAULT for good.
 */
int mmu_tracker_readable(const struct mmu_tracker *tracker, unsigned long start,
			 unsigned long last)
{
	if (tracker->dying)
		return -EFAULT;
	return mn_in_flight(tracker, start, last) ? -EBUSY : 0;
}

/*
 * Wait until that is not -EBUSY, for @timeout jiffies at most: 0, -EBUSY, -EINTR, or
 * -EFAULT for good. Others may come whenever it is woken, so the time is looked at.
 */
static int mn_wait(struct mmu_tracker *tracker, unsigned long start,
		   unsigned long last, unsigned long timeout)
{
	long left = min_t(unsigned long, timeout, MAX_SCHEDULE_TIMEOUT);
	const bool limited = left != MAX_SCHEDULE_TIMEOUT;
	const unsigned long deadline = jiffies + left;
	unsigned long now;
	int ret;

	for (;;) {
		ret = mmu_tracker_readable(tracker, start, last);
		if (ret != -EBUSY || !left)
			return ret;
		if (mn_wait_for_ends(tracker, start, last, left, true) < 0)
			return -EINTR;
		now = jiffies;
		if (limited)
			left = time_before(now, deadline) ? deadline - now : 0;
	}
}

/*
 * Waiting for one invalidation from within another may deadlock: let lockdep see
 * it each time, and not only when there is something to wait for.
 */
static void mn_may_wait(void)
{
	might_sleep();
	lock_map_acquire(&__mmu_notifier_invalidate_range_start_map);
	lock_map_release(&__mmu_notifier_invalidate_range_start_map);
}

/*
 * Wait until nothing in flight overlaps [@start, @last], for @timeout jiffies at
 * most; 0 only looks. 0, -EBUSY when the time is up, -EFAULT when the mm is
 * dying, -EINTR on a fatal signal.
 */
int mmu_tracker_wait(struct mmu_tracker *tracker, unsigned long start,
		     unsigned long last, unsigned long timeout)
{
	int ret;

	mmu_tracker_assert_task();
	if (timeout)
		mn_may_wait();
	/* Most often nothing is in flight; what counts is what a walk claims. */
	if (list_empty(&tracker->invalidations) && !READ_ONCE(tracker->dying))
		return 0;

	spin_lock(&tracker->lock);
	ret = mn_wait(tracker, start, last, timeout);
	spin_unlock(&tracker->lock);
	return ret;
}

/*
 * Removal.
 */

/* The core does not touch it any more, and who removed it is told. */
static void mn_released(struct mmu_interval_notifier *interval_sub)
{
	struct mm_struct *mm = interval_sub->mm;

	interval_sub->release(interval_sub);
	/* Pairs with the mmgrab() of who inserted it. */
	mmdrop(mm);
}

/* How many of those in flight make calls, and keep it for that. */
static __always_inline unsigned int
mn_callers(const struct mmu_tracker *tracker,
	   const struct mmu_interval_notifier *interval_sub)
{
	const struct mmu_notifier_range *range;
	unsigned int nr = 0;

	list_for_each_entry(range, &tracker->invalidations, tracked.node)
		if (range->tracked.calls == MN_CALLING &&
		    mn_hits_sub(range, interval_sub) &&
		    mn_keeps_sub(range, interval_sub))
			nr++;
	return nr;
}

/*
 * Take those out that nobody else keeps any more, of the next ones that @range has
 * kept and that are being removed by now, which @limit is.
 */
static unsigned int mn_collect_removed(struct mmu_tracker *tracker,
				       struct mn_cursor *cursor,
				       const struct mmu_notifier_range *range,
				       u64 limit,
				       struct mmu_interval_notifier **subs)
{
	struct mmu_interval_notifier *interval_sub;
	unsigned int nr = 0, seen;

	for (seen = 0; cursor->next && nr < MN_CALLS && seen < MN_LOOKS; seen++) {
		interval_sub = mn_interval(cursor->next);
		mn_cursor_step(cursor);
		if (interval_sub->removed > limit ||
		    !mn_keeps_sub(range, interval_sub) ||
		    --interval_sub->callers)
			continue;
		mmu_tracker_erase(tracker, interval_sub);
		tracker->nr_removing--;
		subs[nr++] = interval_sub;
	}
	return nr;
}

/* Let go what a start has called and that is being removed by now, if it is the last. */
static noinline void mn_release_removed(struct mmu_tracker *tracker,
					const struct mmu_notifier_range *range)
{
	struct mn_cursor cursor = mn_cursor_first(tracker, range);
	struct mmu_interval_notifier *subs[MN_CALLS] __uninitialized;
	const u64 limit = tracker->seq;
	unsigned int nr, i;

	while (cursor.next) {
		nr = mn_collect_removed(tracker, &cursor, range, limit, subs);
		mn_cursor_park(tracker, &cursor);
		spin_unlock(&tracker->lock);
		for (i = 0; i < nr; i++)
			mn_released(subs[i]);
		spin_lock(&tracker->lock);
		mn_cursor_resume(&cursor);
	}
}

/*
 * A start has made its calls: what it has called may go, and younger ones that hit
 * that may go on. The lock is held, and dropped meanwhile.
 */
static void mn_calls_are_over(struct mmu_tracker *tracker,
			      struct mmu_notifier_range *range)
{
	/* Who removes one from now on does not count on it. */
	range->tracked.calls = MN_RELEASES;
	if (unlikely(tracker->nr_removing))
		mn_release_removed(tracker, range);
	range->tracked.calls = MN_CALLS_NONE;
	if (unlikely(!list_empty(&tracker->waiters)))
		mn_passed(tracker, range, true);
}

/*
 * Wait until those that are hit, not called, and whose removal came before this
 * start are gone, so that all is done that their callbacks have begun: 0, or
 * -EAGAIN if that must not block. By now nobody waits for this one's calls. The
 * lock is held, and dropped meanwhile.
 */
static noinline int mn_wait_for_removals(struct mmu_tracker *tracker,
					 const struct mmu_notifier_range *range)
{
	struct mn_cursor cursor = mn_cursor_first(tracker, range);
	struct mn_waiter waiter = { .for_calls = true };
	struct mmu_interval_notifier *interval_sub;
	unsigned int nr = 0;

	while (cursor.next) {
		interval_sub = mn_interval(cursor.next);
		if (interval_sub->removed >= range->tracked.seq ||
		    mn_is_kept_for(range, interval_sub)) {
			mn_cursor_step(&cursor);
			if (++nr % MN_LOOKS == 0)
				mn_cursor_pause(tracker, &cursor);
			continue;
		}
		if (!mmu_notifier_range_blockable(range))
			return -EAGAIN;
		waiter.start = interval_sub->interval_tree.start;
		waiter.last = interval_sub->interval_tree.last;
		waiter.after = interval_sub->inserted;
		waiter.seq = interval_sub->removed;
		/* Who takes it out of the tree moves the cursor on. */
		mn_cursor_park(tracker, &cursor);
		mn_wait_once(tracker, &waiter, MAX_SCHEDULE_TIMEOUT, false);
		mn_cursor_resume(&cursor);
	}
	return 0;
}

/*
 * Invalidations.
 */

/*
 * The rest of mmu_tracker_start(): @node is the first that is hit. The lock is
 * held, and dropped.
 */
int mmu_tracker_hit(struct mmu_tracker *tracker,
		    struct mmu_notifier_range *range,
		    struct interval_tree_node *node)
{
	LLIST_HEAD(finish_passes);
	int err, id;

	if (range->start >= range->end) {
		spin_unlock(&tracker->lock);
		return 0;
	}
	id = srcu_read_lock(&mn_srcu);
	range->tracked.calls = MN_CALLING;
	err = mn_mark_and_call(tracker, range, node, &finish_passes);
	if (!llist_empty(&finish_passes)) {
		spin_unlock(&tracker->lock);
		mn_finish(&finish_passes);
		spin_lock(&tracker->lock);
	}
	mn_calls_are_over(tracker, range);
	if (!err && unlikely(tracker->nr_removing))
		err = mn_wait_for_removals(tracker, range);
	spin_unlock(&tracker->lock);
	srcu_read_unlock(&mn_srcu, id);
	return err;
}

/* Called when the page table is changed, or when the start failed. */
void mmu_tracker_end(struct mmu_tracker *tracker,
		     struct mmu_notifier_range *range)
{
	spin_lock(&tracker->lock);
	if (unlikely(range->owner) && tracker->kinds & MMU_TRACKER_MARK)
		mn_mark_all(tracker, range,
			    interval_tree_iter_first(&tracker->tree,
						     range->start,
						     range->end - 1), true);
	__list_del_entry(&range->tracked.node);
	if (unlikely(!list_empty(&tracker->waiters)))
		mn_passed(tracker, range, false);
	spin_unlock(&tracker->lock);
}

/* Called before any other callback of the release of the mm. */
void mmu_tracker_release(struct mmu_tracker *tracker, struct mm_struct *mm)
{
	struct mmu_notifier_range range = {
		.flags = MMU_NOTIFIER_RANGE_BLOCKABLE,
		.event = MMU_NOTIFY_RELEASE,
		.mm = mm,
		.start = 0,
		.end = ULONG_MAX,
	};
	struct mn_waiter *waiter, *next;

	spin_lock(&tracker->lock);
	WRITE_ONCE(tracker->dying, true);
	list_for_each_entry_safe(waiter, next, &tracker->waiters, node)
		if (!waiter->for_calls)
			mn_wake(waiter);
	spin_unlock(&tracker->lock);

	mmu_tracker_start(tracker, &range);
	mmu_tracker_end(tracker, &range);
}

/*
 * Interval notifiers.
 */

/* A number that no subscription ever has: it is even. */
#define MN_NO_SEQ	0UL

/*
 * The number of a subscription that nothing in flight overlaps, in the hold of
 * the lock that has found that out.
 */
static unsigned long mn_seq(const struct mmu_interval_notifier *interval_sub)
{
	/* Pairs with the WRITE_ONCE() in mmu_interval_set_seq(). */
	return READ_ONCE(interval_sub->invalidate_seq);
}

/**
 * mmu_interval_read_begin() - begin to read what an interval notifier watches
 * @interval_sub: the notifier
 *
 * What is read from the page table afterwards may be used as long as
 * mmu_interval_read_retry() is false for the number returned, under the lock that
 * the callback takes.
 *
 * If invalidations that overlap the interval are in flight it waits for them,
 * once, and for no others. If more have come and called back by then it returns a
 * number for which read_retry() is true, so that the caller can keep a limit in
 * time of its own. Those for which the callback has not set a number do not count.
 *
 * Context: May sleep. The caller holds no lock that an invalidation takes.
 *
 * Return: the number for mmu_interval_read_retry() and
 * mmu_interval_check_retry().
 */
unsigned long
mmu_interval_read_begin(struct mmu_interval_notifier *interval_sub)
{
	const struct interval_tree_node *node = &interval_sub->interval_tree;
	struct mmu_tracker *tracker = interval_sub->tracker;
	unsigned long seq, before;

	mn_may_wait();
	spin_lock(&tracker->lock);
	seq = mn_seq(interval_sub);
	if (mn_in_flight(tracker, node->start, node->last)) {
		before = seq;
		mn_wait_for_ends(tracker, node->start, node->last,
				 MAX_SCHEDULE_TIMEOUT, false);
		seq = mn_seq(interval_sub);
		/* What had called back before has ended, unless the mm is dying. */
		if ((seq != before || tracker->dying) &&
		    mn_in_flight(tracker, node->start, node->last))
			seq = MN_NO_SEQ;
	}
	spin_unlock(&tracker->lock);
	return seq;
}
EXPORT_SYMBOL_GPL(mmu_interval_read_begin);

/**
 * mmu_interval_read_begin_timeout() - the same, with a limit in time
 * @interval_sub: the notifier
 * @timeout: how long to wait, in jiffies; 0 is no limit
 * @seq: the number for mmu_interval_read_retry(), if 0 is returned
 *
 * Waits for all that overlaps the interval, also for what comes meanwhile.
 *
 * Context: as for mmu_interval_read_begin(); a fatal signal ends it.
 *
 * Return: 0, or
 *
 * * -EBUSY: the time is up.
 * * -EINTR: a fatal signal.
 * * -EFAULT: the mm is dying.
 */
int mmu_interval_read_begin_timeout(struct mmu_interval_notifier *interval_sub,
				    unsigned long timeout, unsigned long *seq)
{
	const struct interval_tree_node *node = &interval_sub->interval_tree;
	struct mmu_tracker *tracker = interval_sub->tracker;
	int ret;

	mn_may_wait();
	spin_lock(&tracker->lock);
	ret = mn_wait(tracker, node->start, node->last,
		      timeout ?: MAX_SCHEDULE_TIMEOUT);
	if (!ret)
		*seq = mn_seq(interval_sub);
	spin_unlock(&tracker->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(mmu_interval_read_begin_timeout);

static int mn_insert(struct mmu_tracker *tracker,
		     struct mmu_interval_notifier *interval_sub,
		     struct mm_struct *mm, unsigned long start,
		     unsigned long length,
		     const struct mmu_interval_notifier_ops *ops)
{
	unsigned long last;

	/* Drivers look at @mm to find out whether it was inserted. */
	if (!length || check_add_overflow(start, length - 1, &last))
		return -EOVERFLOW;
	interval_sub->mm = mm;
	interval_sub->ops = ops;
	interval_sub->interval_tree.start = start;
	interval_sub->interval_tree.last = last;

	/* Pairs with the mmdrop() of its removal. */
	mmgrab(mm);
	spin_lock(&tracker->lock);
	mmu_tracker_insert(tracker, interval_sub, MMU_TRACKER_CALL);
	spin_unlock(&tracker->lock);
	return 0;
}

/**
 * mmu_interval_notifier_insert() - be told of the invalidations of an interval
 * @interval_sub: the notifier
 * @mm: the address space; the caller keeps its users from going away
 * @start: first address
 * @length: how many bytes
 * @ops: the callbacks
 *
 * It is in force on return. One that is in flight then does not call back any
 * more, but mmu_interval_read_begin() waits for it if it overlaps.
 *
 * Context: May sleep. The caller does not hold the mmap lock of @mm, which the
 * first subscription in an mm takes for write.
 *
 * Return: 0, or
 *
 * * -EOVERFLOW: the interval is empty or wraps.
 * * -EINVAL: @mm has no users any more.
 * * -ENOMEM: no memory for the subscriptions of @mm.
 * * -EINTR: a signal came while the locks of @mm were taken.
 */
int mmu_interval_notifier_insert(struct mmu_interval_notifier *interval_sub,
				 struct mm_struct *mm, unsigned long start,
				 unsigned long length,
				 const struct mmu_interval_notifier_ops *ops)
{
	struct mmu_tracker *tracker = mmu_notifier_tracker(mm);
	int ret;

	WARN_ON_ONCE(ops->invalidate_start && !ops->invalidate_finish);
	might_lock(&mm->mmap_lock);
	/* The caller holds a reference to the users, as by mmget(). */
	if (WARN_ON(atomic_read(&mm->mm_users) <= 0))
		return -EINVAL;

	if (unlikely(!tracker)) {
		ret = mmu_notifier_register(NULL, mm);
		if (ret)
			return ret;
		tracker = mmu_notifier_tracker(mm);
	}
	return mn_insert(tracker, interval_sub, mm, start, length, ops);
}
EXPORT_SYMBOL_GPL(mmu_interval_notifier_insert);

/**
 * mmu_interval_notifier_insert_locked() - the same, with the mmap lock held
 * @interval_sub: as for mmu_interval_notifier_insert()
 * @mm: as there
 * @start: as there
 * @length: as there
 * @ops: as there
 *
 * Context: May sleep. The caller holds the mmap lock of @mm for write.
 *
 * Return: as mmu_interval_notifier_insert().
 */
int mmu_interval_notifier_insert_locked(struct mmu_interval_notifier *interval_sub,
					struct mm_struct *mm,
					unsigned long start,
					unsigned long length,
					const struct mmu_interval_notifier_ops *ops)
{
	struct mmu_tracker *tracker = mmu_notifier_tracker(mm);
	int ret;

	mmap_assert_write_locked(mm);
	if (WARN_ON(atomic_read(&mm->mm_users) <= 0))
		return -EINVAL;

	if (unlikely(!tracker)) {
		ret = __mmu_notifier_register(NULL, mm);
		if (ret)
			return ret;
		tracker = mmu_notifier_tracker(mm);
	}
	return mn_insert(tracker, interval_sub, mm, start, length, ops);
}
EXPORT_SYMBOL_GPL(mmu_interval_notifier_insert_locked);

/* Starts still call it: the last of those takes it out of the tree. */
static noinline void mn_remove_later(struct mmu_tracker *tracker,
				     struct mmu_interval_notifier *interval_sub,
				     unsigned int callers,
				     struct completion *removed)
{
	interval_sub->removed = mmu_tracker_draw(tracker);
	interval_sub->callers = callers;
	tracker->nr_removing++;
	interval_sub->done = removed;
	if (removed)
		init_completion(removed);
	else
		WRITE_ONCE(mn_leaves_release, true);
}

/*
 * Take it out of the tree. 1: it is; 0: the last that calls it will, and call
 * @release; -EALREADY: somebody has asked for that before.
 */
static __always_inline int
mn_remove(struct mmu_tracker *tracker,
	  struct mmu_interval_notifier *interval_sub,
	  void (*release)(struct mmu_interval_notifier *),
	  struct completion *removed)
{
	unsigned int callers;
	int ret = -EALREADY;

	mmu_tracker_assert_task();
	spin_lock(&tracker->lock);
	if (interval_sub->removed != U64_MAX)
		goto out;
	interval_sub->release = release;
	callers = mn_callers(tracker, interval_sub);
	ret = !callers;
	if (ret)
		mmu_tracker_erase(tracker, interval_sub);
	else
		mn_remove_later(tracker, interval_sub, callers, removed);
out:
	spin_unlock(&tracker->lock);
	return ret;
}

static void mn_removed(struct mmu_interval_notifier *interval_sub)
{
	complete(interval_sub->done);
}

static __always_inline bool
mn_remove_and_wait(struct mmu_tracker *tracker,
		   struct mmu_interval_notifier *interval_sub)
{
	struct completion removed __uninitialized;
	int ret;

	mn_may_wait();
	ret = mn_remove(tracker, interval_sub, mn_removed, &removed);
	if (WARN_ON_ONCE(ret < 0))
		return false;
	if (ret)
		/* Pairs with the mmgrab() of who inserted it. */
		mmdrop(interval_sub->mm);
	else
		wait_for_completion(&removed);
	return true;
}

/* Returns false if somebody has asked for that before. */
bool mmu_tracker_remove(struct mmu_tracker *tracker,
			struct mmu_interval_notifier *interval_sub)
{
	return mn_remove_and_wait(tracker, interval_sub);
}

/* The same, without waiting; nothing happens if it was asked for before. */
void mmu_tracker_remove_async(struct mmu_tracker *tracker,
			      struct mmu_interval_notifier *interval_sub,
			      void (*release)(struct mmu_interval_notifier *sub))
{
	if (mn_remove(tracker, interval_sub, release, NULL) > 0)
		mn_released(interval_sub);
}

/**
 * mmu_interval_notifier_remove() - be told no more
 * @interval_sub: a notifier that was inserted, and is not being removed
 *
 * On return no callback runs, and none will. Waits for the invalidations that hit
 * @interval_sub and are making their calls, not for their ends. What starts
 * meanwhile, and not within those calls, does not call it any more, but waits for
 * them.
 *
 * Context: May sleep. Not to be called from a callback of an invalidation, nor
 * with a lock held that one takes: see mmu_interval_notifier_remove_async().
 */
void mmu_interval_notifier_remove(struct mmu_interval_notifier *interval_sub)
{
	mn_remove_and_wait(interval_sub->tracker, interval_sub);
}
EXPORT_SYMBOL_GPL(mmu_interval_notifier_remove);

/**
 * mmu_interval_notifier_remove_async() - be told no more, without waiting
 * @interval_sub: a notifier that was inserted; nothing happens if this was called
 *	for it already, and @release was not yet
 * @release: called when no callback runs any more and none will, once, maybe
 *	before this returns. It may free the memory, and must not sleep.
 *
 * Until then it is called by the invalidations that had started, by those that
 * start within their callbacks, and by no others.
 *
 * Context: Task context, also a callback of @interval_sub; spinlocks may be held.
 * May drop the last reference to the mm: a caller that must not sleep holds
 * another one, as the caller of a callback does. A module that has called it calls
 * mmu_notifier_synchronize() before it goes away.
 */
void mmu_interval_notifier_remove_async(struct mmu_interval_notifier *interval_sub,
					void (*release)(struct mmu_interval_notifier *sub))
{
	mmu_tracker_remove_async(interval_sub->tracker, interval_sub, release);
}
EXPORT_SYMBOL_GPL(mmu_interval_notifier_remove_async);

/* Wait for what mmu_interval_notifier_remove_async() has left to callbacks. */
void mmu_interval_synchronize(void)
{
	if (READ_ONCE(mn_leaves_release))
		synchronize_srcu(&mn_srcu);
}
