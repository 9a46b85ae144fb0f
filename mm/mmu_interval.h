/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is told of the invalidations of an interval, and which are in flight: what
 * mm/mmu_interval.c has for the notifier core and for tracked ranges.
 */
#ifndef MM_MMU_INTERVAL_H
#define MM_MMU_INTERVAL_H

#include <linux/interval_tree.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/preempt.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <asm/barrier.h>

/*
 * What a subscription wants: interval notifiers are called, tracked ranges are
 * marked, and may be called after those.
 */
#define MMU_TRACKER_CALL	1
#define MMU_TRACKER_MARK	2
#define MMU_TRACKER_CALL_LATER	4

/*
 * The interval subscriptions of one mm, and what is in flight in it. Lives in its
 * mmu_notifier_subscriptions, so it stays while anybody holds a reference to the
 * mm by mmgrab().
 */
struct mmu_tracker {
	/*
	 * Protects everything here, and of each subscription in @tree all that
	 * its driver does not write. Nests inside all locks of the mm and of
	 * drivers, and nothing is called with it held but the marks of a range.
	 * Never taken by an interrupt.
	 */
	spinlock_t		lock;
	/* &mmu_interval_notifier.interval_tree */
	struct rb_root_cached	tree;
	/* &mmu_notifier_range.tracked.node */
	struct list_head	invalidations;
	/* &mn_waiter.node */
	struct list_head	waiters;
	/* &mn_cursor.node */
	struct list_head	cursors;
	/*
	 * The last number that was drawn, by a start, an insertion or a removal:
	 * odd, and goes on in steps of 2. Does not wrap; drivers get as much of
	 * it as fits.
	 */
	u64			seq;
	/* Subscriptions that are being removed, and are still in @tree. */
	unsigned int		nr_removing;
	/* MMU_TRACKER_ bits of all that was ever inserted. */
	unsigned int		kinds;
	/* The mm is being torn down; never cleared. */
	bool			dying;
};

/*
 * All notifiers of an mm, and what is in flight in it. Installed in
 * mm->notifier_subscriptions under mm_take_all_locks(), and released when the last
 * reference to the mm goes, as by mmdrop().
 */
struct mmu_notifier_subscriptions {
	/* all mmu notifiers registered in this mm are queued in this list */
	struct hlist_head list;
	/* set for good once there was an interval notifier or a tracked range */
	bool has_tracker;
	/* to serialize the list modifications and hlist_unhashed */
	spinlock_t lock;
	struct mmu_tracker tracker;
};

/* NULL as long as the invalidations of @mm, to which there is a reference, are not. */
static inline struct mmu_tracker *mmu_notifier_tracker(struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subscriptions;

	/* Pairs with the smp_store_release() in __mmu_notifier_register(). */
	subscriptions = smp_load_acquire(&mm->notifier_subscriptions);
	if (!subscriptions || !READ_ONCE(subscriptions->has_tracker))
		return NULL;
	return &subscriptions->tracker;
}

void mmu_tracker_init(struct mmu_tracker *tracker);
int mmu_tracker_hit(struct mmu_tracker *tracker,
		    struct mmu_notifier_range *range,
		    struct interval_tree_node *node);
void mmu_tracker_end(struct mmu_tracker *tracker,
		     struct mmu_notifier_range *range);
void mmu_tracker_release(struct mmu_tracker *tracker, struct mm_struct *mm);

void mmu_tracker_skip(struct mmu_tracker *tracker,
		      const struct interval_tree_node *node);
bool mmu_tracker_remove(struct mmu_tracker *tracker,
			struct mmu_interval_notifier *interval_sub);
void mmu_tracker_remove_async(struct mmu_tracker *tracker,
			      struct mmu_interval_notifier *interval_sub,
			      void (*release)(struct mmu_interval_notifier *sub));
void mmu_interval_synchronize(void);
int mmu_tracker_readable(const struct mmu_tracker *tracker, unsigned long start,
			 unsigned long last);
int mmu_tracker_wait(struct mmu_tracker *tracker, unsigned long start,
		     unsigned long last, unsigned long timeout);

/* The lock is not taken by an interrupt, so none may come in while it is held. */
static inline void mmu_tracker_assert_task(void)
{
	lockdep_assert_irqs_enabled();
	lockdep_assert(in_task());
}

/* Does an invalidation overlap an interval? Its end is exclusive, @last is not. */
static inline bool mmu_range_hits(const struct mmu_notifier_range *range,
				  unsigned long start, unsigned long last)
{
	return range->start < range->end && range->start <= last &&
	       range->end > start;
}

/* A number of its own, for a start, an insertion or a removal. */
static inline u64 mmu_tracker_draw(struct mmu_tracker *tracker)
{
	tracker->seq += 2;
	return tracker->seq;
}

/* Put a subscription of these MMU_TRACKER_ kinds into the tree. The lock is held. */
static inline void mmu_tracker_insert(struct mmu_tracker *tracker,
				      struct mmu_interval_notifier *interval_sub,
				      unsigned int kinds)
{
	interval_sub->tracker = tracker;
	interval_sub->kinds = kinds;
	interval_sub->inserted = mmu_tracker_draw(tracker);
	interval_sub->invalidate_seq = interval_sub->inserted;
	interval_sub->removed = U64_MAX;
	tracker->kinds |= kinds;
	interval_tree_insert(&interval_sub->interval_tree, &tracker->tree);
}

/* Take one out that nobody calls. The lock is held. */
static inline void mmu_tracker_erase(struct mmu_tracker *tracker,
				     struct mmu_interval_notifier *interval_sub)
{
	if (unlikely(!list_empty(&tracker->cursors)))
		mmu_tracker_skip(tracker, &interval_sub->interval_tree);
	interval_tree_remove(&interval_sub->interval_tree, &tracker->tree);
	interval_sub->removed = 0;
	/* Nobody steps the number of a range any more: let none be true. */
	if (interval_sub->kinds & MMU_TRACKER_MARK)
		WRITE_ONCE(interval_sub->invalidate_seq, 0);
}

/*
 * An invalidation starts: mark the ranges that it overlaps and make the calls.
 * Inline, since every one in the mm comes here, and most hit nothing at all.
 * Returns 0, or -EAGAIN from one that must not block; then its end comes next.
 */
static inline int mmu_tracker_start(struct mmu_tracker *tracker,
				    struct mmu_notifier_range *range)
{
	struct interval_tree_node *node;

	spin_lock(&tracker->lock);
	range->tracked.seq = mmu_tracker_draw(tracker);
	range->tracked.calls = 0;
	list_add(&range->tracked.node, &tracker->invalidations);
	node = interval_tree_iter_first(&tracker->tree, range->start,
					range->end - 1);
	if (node)
		return mmu_tracker_hit(tracker, range, node);
	spin_unlock(&tracker->lock);
	return 0;
}

#endif /* MM_MMU_INTERVAL_H */
