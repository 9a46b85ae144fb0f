/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One function for each call of the device of lib/test_hmm_range.c. They return
 * 0, or what the call gave, or -errno.
 */
#ifndef _SELFTESTS_MM_HMM_RANGE_DEV_H
#define _SELFTESTS_MM_HMM_RANGE_DEV_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include <lib/test_hmm_range_uapi.h>

/* enum mmu_notifier_event, as far as the tests need it. */
enum {
	NOTIFY_UNMAP,
	NOTIFY_CLEAR,
	NOTIFY_PROTECTION_VMA,
	NOTIFY_PROTECTION_PAGE,
	NOTIFY_SOFT_DIRTY,
	NOTIFY_RELEASE,
	NOTIFY_MIGRATE,
	NOTIFY_EXCLUSIVE,
	NOTIFY_NR
};

/* HMM_RANGE_OWN_EVENTS of enum hmm_range_flags */
#define RANGE_OWN_EVENTS	0x2U

static inline int dev_call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

/* A file that mirrors the caller, or -errno. */
static inline int dev_open(void)
{
	int fd = open("/dev/hmm_range", O_RDWR);

	return fd < 0 ? -errno : fd;
}

static inline int dev_config(int fd, unsigned int notifier, bool refuse)
{
	struct hmm_range_dev_config args = {
		.notifier = notifier,
		.refuse = refuse,
	};

	return dev_call(fd, HMM_RANGE_IOC_CONFIG, &args);
}

/* Let the callbacks of ranges wait before they return, or go on. */
static inline int dev_pause(int fd, bool pause)
{
	struct hmm_range_dev_config args = { .pause = pause };

	return dev_call(fd, HMM_RANGE_IOC_CONFIG, &args);
}

/* The id of the new range. */
static inline int dev_register_own(int fd, const void *start, size_t size,
				   unsigned int flags, unsigned int events,
				   unsigned int range_flags)
{
	struct hmm_range_dev_bounds bounds = {
		.start = (uintptr_t)start,
		.end = (uintptr_t)start + size,
	};
	struct hmm_range_dev_register args = {
		.bounds = (uintptr_t)&bounds,
		.count = 1,
		.flags = flags,
		.ignore_events = events,
		.range_flags = range_flags,
	};
	int ret = dev_call(fd, HMM_RANGE_IOC_REGISTER, &args);

	return ret ? ret : (int)bounds.id;
}

static inline int dev_register_events(int fd, const void *start, size_t size,
				      unsigned int flags, unsigned int events)
{
	return dev_register_own(fd, start, size, flags, events, 0);
}

static inline int dev_register(int fd, const void *start, size_t size,
			       unsigned int flags)
{
	return dev_register_events(fd, start, size, flags, 0);
}

static inline int dev_unregister_flags(int fd, uint32_t id, unsigned int flags)
{
	struct hmm_range_dev_unregister args = {
		.ids = (uintptr_t)&id,
		.count = 1,
		.flags = flags,
	};

	return dev_call(fd, HMM_RANGE_IOC_UNREGISTER, &args);
}

static inline int dev_unregister(int fd, uint32_t id)
{
	return dev_unregister_flags(fd, id, 0);
}

/* What the callback of a range was told. */
static inline int dev_calls(int fd, uint32_t id, struct hmm_range_dev_calls *calls)
{
	calls->id = id;
	return dev_call(fd, HMM_RANGE_IOC_CALLS, calls);
}

/* 1 or 0: what hmm_range_wait_until_valid() said. */
static inline int dev_wait(int fd, uint32_t id, unsigned int ms)
{
	struct hmm_range_dev_range args = { .id = id, .timeout_ms = ms };
	int ret = dev_call(fd, HMM_RANGE_IOC_WAIT, &args);

	return ret ? ret : (int)args.result;
}

static inline int dev_begin(int fd, uint32_t id)
{
	struct hmm_range_dev_range args = { .id = id };

	return dev_call(fd, HMM_RANGE_IOC_BEGIN, &args);
}

/* 1 or 0: what hmm_range_valid() said. */
static inline int dev_valid(int fd, uint32_t id)
{
	struct hmm_range_dev_range args = { .id = id };
	int ret = dev_call(fd, HMM_RANGE_IOC_CHECK, &args);

	return ret ? ret : (int)args.result;
}

/* Walk all of the range once; @request is what is asked for of each page. */
static inline int dev_walk(int fd, uint32_t id, unsigned int how,
			   unsigned int request)
{
	struct hmm_range_dev_walk args = {
		.id = id,
		.how = how,
		.default_flags = request,
		.timeout_ms = how == HMM_RANGE_DEV_FAULT_UNLOCKED ? 5000 : 0,
	};

	return dev_call(fd, HMM_RANGE_IOC_WALK, &args);
}

static inline int dev_snapshot(int fd, uint32_t id)
{
	return dev_walk(fd, id, HMM_RANGE_DEV_SNAPSHOT, 0);
}

static inline int dev_fault(int fd, uint32_t id)
{
	return dev_walk(fd, id, HMM_RANGE_DEV_FAULT, HMM_RANGE_DEV_VALID);
}

static inline int dev_fault_write(int fd, uint32_t id)
{
	return dev_walk(fd, id, HMM_RANGE_DEV_FAULT,
			HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE);
}

/* All that a driver does, up to a filled page table of the device. */
static inline int dev_mirror_how(int fd, uint32_t id, unsigned int how,
				 unsigned int request, unsigned int ms)
{
	struct hmm_range_dev_walk args = {
		.id = id,
		.how = how,
		.default_flags = request,
		.timeout_ms = ms,
	};

	return dev_call(fd, HMM_RANGE_IOC_MIRROR, &args);
}

static inline int dev_mirror(int fd, uint32_t id, unsigned int request,
			     unsigned int ms)
{
	return dev_mirror_how(fd, id, HMM_RANGE_DEV_FAULT, request, ms);
}

/* What the last walk stored, of @nr pages from @start on. */
static inline int dev_read(int fd, uint32_t id, const void *start, size_t nr,
			   struct hmm_range_dev_entry *entries)
{
	struct hmm_range_dev_read args = {
		.id = id,
		.start = (uintptr_t)start,
		.nr = nr,
		.entries = (uintptr_t)entries,
	};

	return dev_call(fd, HMM_RANGE_IOC_READ, &args);
}

/* Copy @bytes of each of @nr pages, as the device does; @flags say which way. */
static inline int dev_copy(int fd, uint32_t id, unsigned int flags,
			   const void *start, size_t nr, void *buffer,
			   size_t bytes)
{
	struct hmm_range_dev_copy args = {
		.id = id,
		.flags = flags,
		.start = (uintptr_t)start,
		.nr = nr,
		.buffer = (uintptr_t)buffer,
		.bytes = bytes,
	};

	return dev_call(fd, HMM_RANGE_IOC_COPY, &args);
}

/* Start an invalidation that stays open. Its id. */
static inline int dev_hold_event(int fd, const void *start, size_t size,
				 unsigned int event, unsigned int flags)
{
	struct hmm_range_dev_hold args = {
		.start = (uintptr_t)start,
		.end = (uintptr_t)start + size,
		.event = event,
		.flags = flags,
		.timeout_ms = HMM_RANGE_DEV_MAX_MS,
	};
	int ret = dev_call(fd, HMM_RANGE_IOC_HOLD, &args);

	return ret ? ret : (int)args.id;
}

static inline int dev_hold(int fd, const void *start, size_t size)
{
	return dev_hold_event(fd, start, size, NOTIFY_CLEAR, 0);
}

/* End the invalidation @id, or all if it is 0. */
static inline int dev_release(int fd, unsigned long id)
{
	return ioctl(fd, HMM_RANGE_IOC_RELEASE, id) < 0 ? -errno : 0;
}

static inline long dev_stat(int fd, unsigned int stat)
{
	struct hmm_range_dev_stats args;
	int ret = dev_call(fd, HMM_RANGE_IOC_STATS, &args);

	return ret ? ret : (long)args.stat[stat];
}

#endif /* _SELFTESTS_MM_HMM_RANGE_DEV_H */
