/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * What lib/test_hmm_range.c and its tests in user space say to each other
 * through /dev/hmm_range. Not a stable interface: both come from one tree.
 *
 * An open file mirrors the address space of the process that opened it. It goes
 * on doing so in whoever inherits or is sent the file; pointers to buffers are
 * the caller's, addresses to mirror are the opener's. Reserved fields are 0.
 */
#ifndef _LIB_TEST_HMM_RANGE_UAPI_H
#define _LIB_TEST_HMM_RANGE_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* What one open file may hold at a time. */
#define HMM_RANGE_DEV_MAX_RANGES	65536
#define HMM_RANGE_DEV_MAX_PAGES		1048576
#define HMM_RANGE_DEV_MAX_HELD		64
/* The longest time that a call waits or an invalidation is held, in ms. */
#define HMM_RANGE_DEV_MAX_MS		20000

/*
 * Which callback tears the device's page table down; can be chosen once: that of
 * a notifier for the whole mm, or of each range by hmm_range_register_ops(), in
 * one pass or in two. The latter is for ranges that are registered afterwards.
 */
enum {
	HMM_RANGE_DEV_NOTIFIER_KEEP,
	HMM_RANGE_DEV_NOTIFIER_PLAIN,
	HMM_RANGE_DEV_NOTIFIER_INTERVAL,
	HMM_RANGE_DEV_NOTIFIER_OPS,
	HMM_RANGE_DEV_NOTIFIER_TWO_PASS,
};

/*
 * @notifier: HMM_RANGE_DEV_NOTIFIER_...
 * @refuse: the callback answers each invalidation that must not block with
 *	-EAGAIN, as if the driver's lock were taken
 * @pause: the callback of a range that may block does not return until this is
 *	0 again, the file is closed, or HMM_RANGE_DEV_MAX_MS are over
 */
struct hmm_range_dev_config {
	__u32	notifier;
	__u32	refuse;
	__u32	pause;
	__u32	reserved;
};

/*
 * @start, @end: virtual addresses, @end exclusive
 * @id: (out) the handle of the range; never 0
 */
struct hmm_range_dev_bounds {
	__u64	start;
	__u64	end;
	__u32	id;
	__u32	reserved;
};

/*
 * With the mmap lock held: by hmm_range_register_locked(), or, if the range has
 * a callback, by hmm_range_register_ops() after hmm_mm_track().
 */
#define HMM_RANGE_DEV_LOCKED	0x1U
/* dev_private_owner is the open file's own; otherwise NULL. */
#define HMM_RANGE_DEV_OWNER	0x2U
/* No array: the range can be armed and waited for, but not walked. */
#define HMM_RANGE_DEV_NO_ARRAY	0x4U
/* With an interval notifier of its own, instead of a tracked range. */
#define HMM_RANGE_DEV_LEGACY	0x8U
/*
 * In its first callback that no call on it is in the way of, the range is
 * unregistered, by hmm_range_unregister_async(). From then on it is unknown to
 * all calls but HMM_RANGE_IOC_UNREGISTER, which gives its id back.
 */
#define HMM_RANGE_DEV_ONCE	0x10U

/*
 * @bounds: pointer to @count struct hmm_range_dev_bounds
 * @flags: HMM_RANGE_DEV_LOCKED and so on
 * @ignore_events: for hmm_range.ignore_events
 * @range_flags: for hmm_range.flags
 *
 * Either all of them are registered or none.
 */
struct hmm_range_dev_register {
	__u64	bounds;
	__u32	count;
	__u32	flags;
	__u32	ignore_events;
	__u32	range_flags;
};

/*
 * By hmm_range_unregister_async(), if they have callbacks; the call still waits
 * for the release.
 */
#define HMM_RANGE_DEV_ASYNC	0x1U

/*
 * @ids: pointer to @count __u32
 * @flags: HMM_RANGE_DEV_ASYNC
 *
 * Stops at the first one that is unknown.
 */
struct hmm_range_dev_unregister {
	__u64	ids;
	__u32	count;
	__u32	flags;
};

/*
 * @timeout_ms: for HMM_RANGE_IOC_WAIT, at most HMM_RANGE_DEV_MAX_MS
 * @result: (out) what hmm_range_wait_until_valid() or hmm_range_valid() said
 */
struct hmm_range_dev_range {
	__u32	id;
	__u32	timeout_ms;
	__u32	result;
	__u32	reserved;
};

/*
 * What the callback of a range was told, the last time.
 *
 * @start, @end: (out) its bounds
 * @event: (out) enum mmu_notifier_event
 * @calls: (out) how often it was called
 * @finishes: (out) how often it had a second pass
 */
struct hmm_range_dev_calls {
	__u32	id;
	__u32	event;
	__u64	start;
	__u64	end;
	__u32	calls;
	__u32	finishes;
};

/* Bits of an entry. The first two are requests as well. */
#define HMM_RANGE_DEV_VALID	0x1U
#define HMM_RANGE_DEV_WRITE	0x2U
#define HMM_RANGE_DEV_ERROR	0x4U
#define HMM_RANGE_DEV_STICKY	0x8U

/* Which way to walk. */
enum {
	HMM_RANGE_DEV_SNAPSHOT,
	HMM_RANGE_DEV_FAULT,
	HMM_RANGE_DEV_FAULT_LOCKED,
	HMM_RANGE_DEV_FAULT_UNLOCKED,
	/* HMM_RANGE_IOC_MIRROR: all of it, by hmm_range_fault_commit(). */
	HMM_RANGE_DEV_FAULT_COMMIT,
};

/*
 * Fill the array with ones before the walk. HMM_RANGE_DEV_FAULT_COMMIT does so
 * before each walk, and leaves the device's page table alone.
 */
#define HMM_RANGE_DEV_POISON		0x1U
/*
 * HMM_RANGE_IOC_MIRROR, HMM_RANGE_IOC_COPY: leave the validity check out, as a
 * broken driver would.
 */
#define HMM_RANGE_DEV_SKIP_CHECK	0x2U
/* HMM_RANGE_IOC_COPY: to the page; otherwise from it. */
#define HMM_RANGE_DEV_COPY_WRITE	0x4U
/*
 * HMM_RANGE_IOC_COPY, HMM_RANGE_IOC_READ: go by the device's page table, not by
 * the array of the last walk.
 */
#define HMM_RANGE_DEV_TABLE		0x8U
/* HMM_RANGE_IOC_WALK: by hmm_range_retry(), after a walk of the same pages. */
#define HMM_RANGE_DEV_RETRY		0x10U

/*
 * HMM_RANGE_IOC_WALK walks once. HMM_RANGE_IOC_MIRROR does all that a driver's
 * fault handler does: wait, walk, check and fill the device's page table, over
 * and over until the time is up.
 *
 * @how: HMM_RANGE_DEV_SNAPSHOT and so on
 * @start, @end: the part to walk; both 0: the range
 * @requests: pointer to one __u32 per page; read if @flags_mask is not 0
 * @default_flags, @flags_mask: requests, for the fields of struct hmm_range
 * @flags: HMM_RANGE_DEV_POISON or HMM_RANGE_DEV_RETRY to walk,
 *	HMM_RANGE_DEV_SKIP_CHECK to mirror, or, with HMM_RANGE_DEV_FAULT_COMMIT,
 *	HMM_RANGE_DEV_POISON
 * @timeout_ms: 0 is no limit, for HMM_RANGE_DEV_FAULT_UNLOCKED and _COMMIT alone
 * @latency_us: how long the device takes from the walk to the check
 * @locked: (out) whether the mmap lock was still held after the walk; written
 *	on failure too
 * @refusals: HMM_RANGE_DEV_FAULT_COMMIT: so many commits fail first
 * @refusal: with this errno, a positive number
 * @commits: (out) how often commit was called; written on failure too
 */
struct hmm_range_dev_walk {
	__u32	id;
	__u32	how;
	__u64	start;
	__u64	end;
	__u64	requests;
	__u32	default_flags;
	__u32	flags_mask;
	__u32	flags;
	__u32	timeout_ms;
	__u32	latency_us;
	__u32	locked;
	__u32	refusals;
	__u32	refusal;
	__u32	commits;
	__u32	reserved;
};

/*
 * @flags: HMM_RANGE_DEV_VALID and so on
 * @order: of the mapping
 * @pfn: whatever stands in the bits of the pfn, valid or not
 */
struct hmm_range_dev_entry {
	__u32	flags;
	__u32	order;
	__u64	pfn;
};

/*
 * @flags: HMM_RANGE_DEV_TABLE
 * @start: address of the first page; all @nr pages lie in the range
 * @entries: pointer to @nr struct hmm_range_dev_entry
 */
struct hmm_range_dev_read {
	__u32	id;
	__u32	flags;
	__u64	start;
	__u64	nr;
	__u64	entries;
};

/*
 * Copies @bytes at @offset of each of @nr pages, between the pages and a packed
 * buffer.
 *
 * @flags: HMM_RANGE_DEV_COPY_WRITE, HMM_RANGE_DEV_TABLE,
 *	HMM_RANGE_DEV_SKIP_CHECK
 * @start: address of the first page; all @nr pages lie in the range
 * @buffer: pointer to @nr * @bytes bytes
 * @done: (out) how many pages were copied; written on failure too
 */
struct hmm_range_dev_copy {
	__u32	id;
	__u32	flags;
	__u64	start;
	__u64	nr;
	__u64	buffer;
	__u32	offset;
	__u32	bytes;
	__u64	done;
};

/* HMM_RANGE_IOC_HOLD: the invalidation is caused by the open file itself. */
#define HMM_RANGE_DEV_HOLD_OWNER	0x1U
/* It must not block: a callback that would have to ends it with -EAGAIN. */
#define HMM_RANGE_DEV_HOLD_NONBLOCK	0x2U
/* The caller holds it itself, and returns when it has ended. */
#define HMM_RANGE_DEV_HOLD_SYNC		0x4U
/* With HMM_RANGE_DEV_HOLD_SYNC: no signal ends it early. */
#define HMM_RANGE_DEV_HOLD_UNKILLABLE	0x8U

/*
 * Start an invalidation of [@start, @end) and leave it open until it is
 * released, the time is up or the file is closed. The mmap lock is held for
 * read meanwhile: whoever wants it for write waits.
 *
 * @event: enum mmu_notifier_event, but not MMU_NOTIFY_RELEASE
 * @flags: HMM_RANGE_DEV_HOLD_...
 * @timeout_ms: at most HMM_RANGE_DEV_MAX_MS
 * @id: (out) to release it by; not with HMM_RANGE_DEV_HOLD_SYNC
 */
struct hmm_range_dev_hold {
	__u64	start;
	__u64	end;
	__u32	event;
	__u32	flags;
	__u32	timeout_ms;
	__u32	id;
};

/* What HMM_RANGE_IOC_STATS counts, since the file was opened. */
enum {
	/* Registered now. */
	HMM_RANGE_DEV_STAT_RANGES,
	/* Walks, and the pages that they got through. */
	HMM_RANGE_DEV_STAT_WALKS,
	HMM_RANGE_DEV_STAT_PAGES,
	/* Walks that were done again, and the pages that these got through. */
	HMM_RANGE_DEV_STAT_RETRIES,
	HMM_RANGE_DEV_STAT_PAGES_AGAIN,
	/*
	 * Times that an invalidation had to be waited for, and the longest of
	 * them since this was last asked for, in us. What
	 * HMM_RANGE_DEV_FAULT_UNLOCKED waits for is not seen.
	 */
	HMM_RANGE_DEV_STAT_WAITS,
	HMM_RANGE_DEV_STAT_LONGEST_WAIT,
	/* Callbacks, and entries of the device's page table torn down by them. */
	HMM_RANGE_DEV_STAT_INVALIDATIONS,
	HMM_RANGE_DEV_STAT_TORN_DOWN,
	/* Callbacks that found a range in their way unmarked: never. */
	HMM_RANGE_DEV_STAT_UNMARKED,
	/* Callbacks that answered -EAGAIN. */
	HMM_RANGE_DEV_STAT_REFUSED,
	/*
	 * Callbacks of ranges that were not registered any more, or not over when
	 * the range was unregistered or released: never.
	 */
	HMM_RANGE_DEV_STAT_STRAY,
	/* Ranges that were released, after hmm_range_unregister_async(). */
	HMM_RANGE_DEV_STAT_RELEASED,
	/* Pages copied. */
	HMM_RANGE_DEV_STAT_COPIED,
	/* Callbacks of each enum mmu_notifier_event. */
	HMM_RANGE_DEV_STAT_EVENTS,
	HMM_RANGE_DEV_NR_STATS = HMM_RANGE_DEV_STAT_EVENTS + 8
};

struct hmm_range_dev_stats {
	__u64	stat[HMM_RANGE_DEV_NR_STATS];
};

#define HMM_RANGE_IOC_CONFIG	_IOW('H', 0x40, struct hmm_range_dev_config)
#define HMM_RANGE_IOC_REGISTER	_IOWR('H', 0x41, struct hmm_range_dev_register)
#define HMM_RANGE_IOC_UNREGISTER _IOW('H', 0x42, struct hmm_range_dev_unregister)
#define HMM_RANGE_IOC_WAIT	_IOWR('H', 0x43, struct hmm_range_dev_range)
#define HMM_RANGE_IOC_BEGIN	_IOWR('H', 0x44, struct hmm_range_dev_range)
#define HMM_RANGE_IOC_CHECK	_IOWR('H', 0x45, struct hmm_range_dev_range)
#define HMM_RANGE_IOC_WALK	_IOWR('H', 0x46, struct hmm_range_dev_walk)
#define HMM_RANGE_IOC_MIRROR	_IOWR('H', 0x47, struct hmm_range_dev_walk)
#define HMM_RANGE_IOC_READ	_IOW('H', 0x48, struct hmm_range_dev_read)
#define HMM_RANGE_IOC_COPY	_IOWR('H', 0x49, struct hmm_range_dev_copy)
#define HMM_RANGE_IOC_HOLD	_IOWR('H', 0x4a, struct hmm_range_dev_hold)
/* The argument is the id of an invalidation, or 0 for all. */
#define HMM_RANGE_IOC_RELEASE	_IO('H', 0x4b)
#define HMM_RANGE_IOC_STATS	_IOR('H', 0x4c, struct hmm_range_dev_stats)
#define HMM_RANGE_IOC_CALLS	_IOWR('H', 0x4d, struct hmm_range_dev_calls)

#endif /* _LIB_TEST_HMM_RANGE_UAPI_H */
