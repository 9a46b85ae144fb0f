/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for lockdep: the shims of the locks check their use themselves, and of
 * who may wait for an invalidation no more is learnt than how often it was told.
 */
#ifndef HMM_SHIM_LOCKDEP_H
#define HMM_SHIM_LOCKDEP_H

struct lockdep_map {
	const char *name;
};

extern unsigned long shim_may_waits;
extern struct lockdep_map __mmu_notifier_invalidate_range_start_map;

#define might_lock(lock)		((void)(lock))
#define lockdep_assert_irqs_enabled()	((void)0)
#define lockdep_assert(condition)	((void)(condition))

static inline void lock_map_acquire(struct lockdep_map *map)
{
	__atomic_add_fetch(&shim_may_waits, 1, __ATOMIC_RELAXED);
}

static inline void lock_map_release(struct lockdep_map *map)
{
}

#endif /* HMM_SHIM_LOCKDEP_H */
