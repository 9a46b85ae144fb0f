/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interval notifiers: be told of the invalidations of an interval of an mm.
 * mm/mmu_interval.c explains the protocol.
 */
#ifndef LINUX_MMU_INTERVAL_H
#define LINUX_MMU_INTERVAL_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/interval_tree.h>
#include <linux/llist.h>
#include <linux/types.h>

struct completion;
struct mm_struct;
struct mmu_interval_notifier;
struct mmu_notifier_range;
struct mmu_tracker;

/**
 * struct mmu_interval_notifier_finish - the second pass of a callback
 * @link: of those that are to come
 * @notifier: whose it is
 *
 * Best embedded in what the two passes share. An object is taken until
 * &mmu_interval_notifier_ops.invalidate_finish gets it back, and invalidations run
 * at the same time, so there has to be one for each; a pool is better than an
 * allocation, which must not wait and may fail.
 */
struct mmu_interval_notifier_finish {
	struct llist_node		link;
	struct mmu_interval_notifier	*notifier;
};

/**
 * struct mmu_interval_notifier_ops - what is called when an interval is hit
 * @invalidate: stop the device from using what it copied of the page table, for
 *	what lies in both @range and the interval. May sleep, unless
 *	mmu_notifier_range_blockable() is false; then it may return false, to say
 *	that it would have to. Else it returns true.
 * @invalidate_start: the same in two passes, in place of @invalidate: begin, and
 *	let *@finish, which is NULL before, point to what the second pass needs.
 *	If it stays NULL there is no second pass, and all has to be done here.
 * @invalidate_finish: the second pass, after the first ones of all that is hit
 * @mark: of tracked ranges alone (mm/hmm_range.c): called with the tracker's lock
 *	held, before any callback, and again at the end if @range has an owner
 *
 * All pass @cur_seq on to mmu_interval_set_seq().
 */
struct mmu_interval_notifier_ops {
	bool (*invalidate)(struct mmu_interval_notifier *interval_sub,
			   const struct mmu_notifier_range *range,
			   unsigned long cur_seq);
	bool (*invalidate_start)(struct mmu_interval_notifier *interval_sub,
				 const struct mmu_notifier_range *range,
				 unsigned long cur_seq,
				 struct mmu_interval_notifier_finish **finish);
	void (*invalidate_finish)(struct mmu_interval_notifier_finish *finish);
	void (*mark)(struct mmu_interval_notifier *interval_sub,
		     const struct mmu_notifier_range *range, bool end);
};

/*
 * A subscription. @interval_tree, @ops, @mm and @tracker do not change while it
 * is inserted. @invalidate_seq of an interval notifier is written by its callback
 * alone, under the driver's lock. The rest is mm/mmu_interval.c's, under the lock
 * of the struct mmu_tracker.
 */
struct mmu_interval_notifier {
	struct interval_tree_node		interval_tree;
	const struct mmu_interval_notifier_ops	*ops;
	struct mm_struct			*mm;
	struct mmu_tracker			*tracker;
	/* The number of the youngest invalidation that has called back. */
	unsigned long				invalidate_seq;

	/* What it wants, in MMU_TRACKER_ bits. */
	unsigned int				kinds;
	/* The number that was drawn when it was inserted. */
	u64					inserted;
	/* The one that was drawn to remove it; U64_MAX: it is not being removed, */
	u64					removed;
	/* else how many starts have to make their calls first, */
	unsigned int				callers;
	/* what is called then, */
	void (*release)(struct mmu_interval_notifier *interval_sub);
	/* and who waits. */
	struct completion			*done;
};

int mmu_interval_notifier_insert(struct mmu_interval_notifier *interval_sub,
				 struct mm_struct *mm, unsigned long start,
				 unsigned long length,
				 const struct mmu_interval_notifier_ops *ops);
int mmu_interval_notifier_insert_locked(struct mmu_interval_notifier *interval_sub,
					struct mm_struct *mm,
					unsigned long start,
					unsigned long length,
					const struct mmu_interval_notifier_ops *ops);
void mmu_interval_notifier_remove(struct mmu_interval_notifier *interval_sub);
void
mmu_interval_notifier_remove_async(struct mmu_interval_notifier *interval_sub,
				   void (*release)(struct mmu_interval_notifier *interval_sub));
unsigned long
mmu_interval_read_begin(struct mmu_interval_notifier *interval_sub);
int mmu_interval_read_begin_timeout(struct mmu_interval_notifier *interval_sub,
				    unsigned long timeout, unsigned long *seq);

/**
 * mmu_interval_set_seq() - note in a callback that an invalidation has come
 * @interval_sub: the notifier that is called
 * @cur_seq: the number of the invalidation
 *
 * Called by each callback, unless the driver never asks whether it was hit, under
 * the lock under which it calls mmu_interval_read_retry().
 */
static inline void
mmu_interval_set_seq(struct mmu_interval_notifier *interval_sub,
		     unsigned long cur_seq)
{
	unsigned long seq = READ_ONCE(interval_sub->invalidate_seq);

	/*
	 * Of two that overlap in time the one that started first may come last.
	 * On 32 bit an old number may seem to be a newer one, and it does no harm
	 * if an older one comes last: no reader has a number of those in flight.
	 */
	if (BITS_PER_LONG == 32 || (long)(cur_seq - seq) > 0)
		WRITE_ONCE(interval_sub->invalidate_seq, cur_seq);
}

/**
 * mmu_interval_read_retry() - was it hit since mmu_interval_read_begin()?
 * @interval_sub: the notifier
 * @seq: what mmu_interval_read_begin() returned
 *
 * Context: The caller holds the lock under which the callback calls
 * mmu_interval_set_seq().
 *
 * Return: true if what was read since must not be used.
 */
static inline bool
mmu_interval_read_retry(struct mmu_interval_notifier *interval_sub,
			unsigned long seq)
{
	return interval_sub->invalidate_seq != seq;
}

/**
 * mmu_interval_check_retry() - is it of any use to go on reading?
 * @interval_sub: the notifier
 * @seq: what mmu_interval_read_begin() returned
 *
 * Context: Any; no lock needs to be held.
 *
 * Return: true if mmu_interval_read_retry() will be; false says nothing.
 */
static inline bool
mmu_interval_check_retry(struct mmu_interval_notifier *interval_sub,
			 unsigned long seq)
{
	/* Pairs with the WRITE_ONCE() in mmu_interval_set_seq(). */
	return READ_ONCE(interval_sub->invalidate_seq) != seq;
}

#endif /* LINUX_MMU_INTERVAL_H */
