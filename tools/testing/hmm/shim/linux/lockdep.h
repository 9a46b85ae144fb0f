/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for lockdep: the shims of the locks check their use themselves, and
 * nothing is learnt about who may wait for an invalidation.
 */
#ifndef HMM_SHIM_LOCKDEP_H
#define HMM_SHIM_LOCKDEP_H

struct lockdep_map {
	const char *name;
};

extern struct lockdep_map __mmu_notifier_invalidate_range_start_map;

#define might_lock(lock)		((void)(lock))
#define lockdep_assert_irqs_enabled()	((void)0)
#define lockdep_assert(condition)	((void)(condition))

static inline void lock_map_acquire(struct lockdep_map *map)
{
}

static inline void lock_map_release(struct lockdep_map *map)
{
}

#endif /* HMM_SHIM_LOCKDEP_H */
