/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copyright 2013 Red Hat Inc.
 *
 * Authors: Jérôme Glisse <jglisse@redhat.com>
 *
 * HMM: share the address space of a process with a device.
 *
 * This header is the interface for drivers. Documentation/mm/hmm.rst gives the
 * overview, a complete example and the table of what a walk reports for every
 * kind of page table entry; mm/hmm_range.c explains the protocol.
 */
#ifndef LINUX_HMM_H
#define LINUX_HMM_H

#include <linux/bits.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

struct task_struct;

/**
 * enum hmm_pfn_flags - bits of an entry of &hmm_range.hmm_pfns beside the pfn
 *
 * @HMM_PFN_VALID: Output: the entry holds a pfn that may be read. The pfn may
 *	be one of device private memory if &hmm_range.dev_private_owner owns it.
 * @HMM_PFN_WRITE: Output: the page may be written to. Set only with
 *	@HMM_PFN_VALID.
 * @HMM_PFN_ERROR: Output: no access is possible, and a fault would not help:
 *	no vma, no struct page behind the entry, poisoned memory.
 * @HMM_PFN_DMA_MAPPED: Sticky: the page is mapped for DMA.
 * @HMM_PFN_P2PDMA: Sticky: the mapping for DMA is peer to peer.
 * @HMM_PFN_P2PDMA_BUS: Sticky: the same, by bus address.
 * @HMM_PFN_ORDER_SHIFT: Where the order of the mapping starts, see
 *	hmm_pfn_to_map_order().
 * @HMM_PFN_REQ_FAULT: Input: the output must be valid, or the call fails.
 * @HMM_PFN_REQ_WRITE: Input: the output must be writable, or the call fails.
 *	Goes with @HMM_PFN_REQ_FAULT.
 * @HMM_PFN_FLAGS: All the bits that are not the pfn.
 *
 * An entry of 0 on output says that there is no page now, and that a call that
 * asks for %HMM_PFN_REQ_FAULT may find one. On input it asks for a report only.
 * A walk carries the sticky bits from input to output.
 */
enum hmm_pfn_flags {
	HMM_PFN_VALID = 1UL << (BITS_PER_LONG - 1),
	HMM_PFN_WRITE = 1UL << (BITS_PER_LONG - 2),
	HMM_PFN_ERROR = 1UL << (BITS_PER_LONG - 3),
	HMM_PFN_DMA_MAPPED = 1UL << (BITS_PER_LONG - 4),
	HMM_PFN_P2PDMA     = 1UL << (BITS_PER_LONG - 5),
	HMM_PFN_P2PDMA_BUS = 1UL << (BITS_PER_LONG - 6),

	HMM_PFN_ORDER_SHIFT = (BITS_PER_LONG - 11),

	HMM_PFN_REQ_FAULT = HMM_PFN_VALID,
	HMM_PFN_REQ_WRITE = HMM_PFN_WRITE,

	HMM_PFN_FLAGS = ~((1UL << HMM_PFN_ORDER_SHIFT) - 1),
};

/**
 * hmm_pfn_to_page() - the struct page of an entry
 * @hmm_pfn: an entry that has %HMM_PFN_VALID
 *
 * Context: Nothing pins the page. Use it under the driver's lock, after
 * hmm_range_valid() (or mmu_interval_read_retry()) under that same lock said
 * that the walk is still valid.
 *
 * Return: the page.
 */
static inline struct page *hmm_pfn_to_page(unsigned long hmm_pfn)
{
	return pfn_to_page(hmm_pfn & ~HMM_PFN_FLAGS);
}

/**
 * hmm_pfn_to_phys() - the physical address of an entry
 * @hmm_pfn: an entry that has %HMM_PFN_VALID
 *
 * Context: As hmm_pfn_to_page().
 *
 * Return: the physical address of the page, in bytes.
 */
static inline phys_addr_t hmm_pfn_to_phys(unsigned long hmm_pfn)
{
	return __pfn_to_phys(hmm_pfn & ~HMM_PFN_FLAGS);
}

/**
 * hmm_pfn_to_map_order() - the size at which the CPU maps the page of an entry
 * @hmm_pfn: an entry that has %HMM_PFN_VALID
 *
 * The page lies in a mapping of 2^order pages that starts at a virtual address
 * of the same alignment, all of it with the same permissions. That mapping may
 * reach beyond the range that was walked, on either side.
 *
 * In the array of a range with %HMM_RANGE_SPARSE an entry without a pfn has an
 * order too, see there.
 *
 * Context: As hmm_pfn_to_page().
 *
 * Return: the order, in pages: 0 for a page of its own.
 */
static inline unsigned int hmm_pfn_to_map_order(unsigned long hmm_pfn)
{
	return (hmm_pfn >> HMM_PFN_ORDER_SHIFT) & 0x1F;
}

/* Addresses from @start up to and excluding @end, both page aligned. */
struct hmm_extent {
	unsigned long start;
	unsigned long end;
};

/* How many hits of a walk are kept exactly; as many may be left of the last. */
#define HMM_DIRTY_HITS	8
#define HMM_DIRTY_NOTES	(2 * HMM_DIRTY_HITS)

/*
 * What has to be read of a window: the union of its members. mm/hmm_dirty.c
 *
 * @notes: the first extents that were added, exactly
 * @nr: how many of @notes there are
 * @left: how many of them are what a walk that was interrupted had left
 * @chunks: later ones, as bits for a 64th of the window or more
 * @rest: what a walk that was interrupted had left of one extent
 */
struct hmm_dirty {
	struct hmm_extent	notes[HMM_DIRTY_NOTES];
	unsigned int		nr;
	unsigned int		left;
	u64			chunks;
	struct hmm_extent	rest;
};

/*
 * What mm/hmm_range.c keeps in a tracked range. Drivers do not look inside.
 *
 * @sub, @ops, @owner, @ignore_events and @flags do not change while the
 * range is registered. @retry and @tried are the walking thread's, without a lock.
 * All else is written under the lock of the mm's struct mmu_tracker, but @valid
 * may be cleared without it; @valid and @seq are also read without it.
 */
struct hmm_range_tracking {
	/* The bounds as registered, and of which mm; @tracker NULL: not registered. */
	struct mmu_interval_notifier sub;
	/* NULL: nothing is called. */
	const struct hmm_range_ops *ops;
	/* Own invalidations of these events keep a valid range valid. */
	void			*owner;
	unsigned int		ignore_events;
	unsigned int		flags;

	/* All of the window was read, and nothing has hit it since. */
	bool			valid;
	/* hmm_range_retry() was called since the last walk. */
	bool			retry;
	/* Counts what has marked the range, but for faults of its own walk. */
	unsigned long		seq;
	/* Bounds of the last walk or hmm_range_begin(). */
	struct hmm_extent	window;
	/* What was hit of the window, or not read, since it was last read. */
	struct hmm_dirty	dirty;
	/* The page whose fault has dropped the lock of a walk that failed. */
	unsigned long		tried;
	/* What the walk that runs has not claimed yet of its extent. */
	struct hmm_extent	unclaimed;
	/* The thread that walks, while a fault runs. */
	const struct task_struct *faulting;
	/* What wrote the array: only the same call may keep what it says. */
	struct {
		const unsigned long	*hmm_pfns;
		unsigned long		default_flags;
		void			*dev_private_owner;
	} call;
};

/**
 * enum hmm_range_flags - bits of &hmm_range.flags
 *
 * @HMM_RANGE_SPARSE: Write one entry for each leaf of the page table instead of
 *	one for each of its pages, or for each hole or error, so that a
 *	walk of large mappings stores few entries. An entry with order n
 *	describes the pages from its own up to the next address that is a
 *	multiple of 2^n pages, or to the end of the window. Use hmm_next_run()
 *	to find the entries that the walk wrote; those in between hold what
 *	they held before. Requests page by page do not go with it: a walk with
 *	&hmm_range.pfn_flags_mask set is -EINVAL.
 * @HMM_RANGE_OWN_EVENTS: The callbacks of &struct hmm_range_ops are called for
 *	own invalidations too that &hmm_range.ignore_events names.
 */
enum hmm_range_flags {
	HMM_RANGE_SPARSE = 1U << 0,
	HMM_RANGE_OWN_EVENTS = 1U << 1,
};

/**
 * struct hmm_range - a range of a process's address space that a device mirrors
 *
 * @notifier: NULL for a range registered by hmm_range_register(). Otherwise an
 *	interval notifier that covers [@start, @end), and the driver does by
 *	mmu_interval_read_begin() and mmu_interval_read_retry() what the
 *	tracking does for a registered range.
 * @notifier_seq: With @notifier: the result of mmu_interval_read_begin().
 * @start: First virtual address, page aligned. A walk of a registered range may
 *	be narrowed to a part of it.
 * @end: First address past the end of the range, page aligned.
 * @hmm_pfns: One entry a page from @start on, see &enum hmm_pfn_flags. Each walk
 *	writes all of a dense array, whatever it holds, unless the driver has
 *	called hmm_range_retry().
 * @default_flags: What is asked for of each page: 0, %HMM_PFN_REQ_FAULT, or
 *	that and %HMM_PFN_REQ_WRITE.
 * @pfn_flags_mask: Which request bits of the entries of @hmm_pfns are added to
 *	@default_flags, page by page. With 0 the array is not read for
 *	requests.
 * @dev_private_owner: The &dev_pagemap.owner of the device memory that a walk
 *	reports instead of faulting it back to system memory. NULL: none.
 * @ignore_events: Set before registering: 0, or a mask of
 *	BIT(MMU_NOTIFY_MIGRATE) and BIT(MMU_NOTIFY_EXCLUSIVE). A valid range
 *	stays valid when the owner @dev_private_owner causes such an
 *	invalidation. Between a walk and the use of its result the driver holds
 *	such invalidations off, or updates the entries itself.
 * @flags: Set before registering: &enum hmm_range_flags.
 * @tracking: private
 *
 * The driver serialises the calls that walk one range. It may let any number of
 * threads use hmm_range_valid().
 */
struct hmm_range {
	struct mmu_interval_notifier *notifier;
	unsigned long		notifier_seq;
	unsigned long		start;
	unsigned long		end;
	unsigned long		*hmm_pfns;
	unsigned long		default_flags;
	unsigned long		pfn_flags_mask;
	void			*dev_private_owner;
	unsigned int		ignore_events;
	unsigned int		flags;

	struct hmm_range_tracking tracking;
};

/**
 * struct hmm_range_finish - the second pass of a callback of a range
 * @finish: private
 *
 * Embedded in what the two passes share; see &struct mmu_interval_notifier_finish.
 */
struct hmm_range_finish {
	struct mmu_interval_notifier_finish finish;
};

/**
 * struct hmm_range_ops - what is called when a tracked range is hit
 * @invalidate: stop the device from using [@start, @end), which is what the
 *	invalidation has hit of the range as it was registered; its bounds need not
 *	be page aligned. If that is in the window of the last walk, the range is
 *	not valid any more, unless it is an own event (%HMM_RANGE_OWN_EVENTS). May
 *	sleep, unless mmu_notifier_range_blockable() is false; then it may return
 *	false, to say that it would have to. Else it returns true.
 * @invalidate_start: the same in two passes, in place of @invalidate: begin, and
 *	let *@finish, which is NULL before, point to what the second pass needs.
 *	If it stays NULL there is no second pass, and all has to be done here.
 * @invalidate_finish: the second pass, after the first ones of all ranges
 * @release: the range is not touched any more, after
 *	hmm_range_unregister_async(): its memory may go. Must not sleep.
 *
 * They are called after interval notifiers and before plain ones, without a lock
 * of the notifier core, but with what the invalidation holds of the mm; at the
 * end of the mm with MMU_NOTIFY_RELEASE, for all of the range.
 */
struct hmm_range_ops {
	bool (*invalidate)(struct hmm_range *range,
			   const struct mmu_notifier_range *invalidation,
			   unsigned long start, unsigned long end);
	bool (*invalidate_start)(struct hmm_range *range,
				 const struct mmu_notifier_range *invalidation,
				 unsigned long start, unsigned long end,
				 struct hmm_range_finish **finish);
	void (*invalidate_finish)(struct hmm_range_finish *finish);
	void (*release)(struct hmm_range *range);
};

/**
 * struct hmm_commit_ops - the driver's part of hmm_range_fault_commit()
 * @lock: take the lock that the callback takes to tear entries down
 * @unlock: release it
 * @commit: give the device what is in the array: 0, -EAGAIN to be called again,
 *	or an errno that ends the call
 */
struct hmm_commit_ops {
	void (*lock)(void *data);
	void (*unlock)(void *data);
	int (*commit)(struct hmm_range *range, void *data);
};

/**
 * struct hmm_run - consecutive pages of a range that one entry describes
 * @first: index of the first page in &hmm_range.hmm_pfns
 * @nr_pages: how many
 * @hmm_pfn: the entry of the first page. If it is %HMM_PFN_VALID, the pfns of
 *	the others follow on its own, and the flags are the same.
 */
struct hmm_run {
	unsigned long first;
	unsigned long nr_pages;
	unsigned long hmm_pfn;
};

/**
 * hmm_next_run() - step to the next run in what a walk stored
 * @range: the range, with the bounds and the array of the walk
 * @run: the run before; zeroed to begin
 *
 * Works the same with a sparse array and with a dense one::
 *
 *	struct hmm_run run = {};
 *
 *	while (hmm_next_run(range, &run))
 *		...
 *
 * Context: As for reading the array: under the driver's lock, after
 * hmm_range_valid(). The sticky bits of the entry may be out of date.
 *
 * Return: true, and @run is the next run; false if there is none.
 */
static inline bool hmm_next_run(const struct hmm_range *range,
				struct hmm_run *run)
{
	unsigned long nr = (range->end - range->start) >> PAGE_SHIFT;
	unsigned long pfn, next;

	run->first += run->nr_pages;
	if (run->first >= nr)
		return false;
	run->hmm_pfn = READ_ONCE(range->hmm_pfns[run->first]);
	pfn = (range->start >> PAGE_SHIFT) + run->first;
	next = (pfn | ((1UL << hmm_pfn_to_map_order(run->hmm_pfn)) - 1)) + 1;
	run->nr_pages = min(next - pfn, nr - run->first);
	return true;
}

int hmm_range_register(struct hmm_range *range, struct mm_struct *mm,
		       unsigned long start, unsigned long end);
int hmm_range_register_locked(struct hmm_range *range, struct mm_struct *mm,
			      unsigned long start, unsigned long end);
int hmm_range_register_ops(struct hmm_range *range, struct mm_struct *mm,
			   unsigned long start, unsigned long end,
			   const struct hmm_range_ops *ops);
int hmm_mm_track(struct mm_struct *mm);
void hmm_range_unregister(struct hmm_range *range);
void hmm_range_unregister_async(struct hmm_range *range);
int hmm_range_begin(struct hmm_range *range);
bool hmm_range_valid(const struct hmm_range *range);
unsigned long hmm_range_begin_seq(struct hmm_range *range);
bool hmm_range_unchanged(const struct hmm_range *range, unsigned long seq);
bool hmm_range_wait_until_valid(struct hmm_range *range,
				unsigned long timeout_ms);

int hmm_range_snapshot(struct hmm_range *range);
int hmm_range_fault(struct hmm_range *range);
int hmm_range_fault_locked(struct hmm_range *range, int *locked);
int hmm_range_fault_unlocked_timeout(struct hmm_range *range,
				     unsigned long timeout);
int hmm_range_fault_commit(struct hmm_range *range, unsigned long timeout,
			   const struct hmm_commit_ops *ops, void *data);
void hmm_range_retry(struct hmm_range *range);

/*
 * How long, in milliseconds, a driver that has no better idea waits:
 * for hmm_range_wait_until_valid() as it is, and by msecs_to_jiffies() for
 * hmm_range_fault_unlocked_timeout().
 */
#define HMM_RANGE_DEFAULT_TIMEOUT 1000

#endif /* LINUX_HMM_H */
