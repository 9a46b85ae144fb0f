/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for a spinlock: a mutex that ends the program on a misuse which
 * lockdep would report, and knows how many of its kind the thread holds.
 */
#ifndef HMM_SHIM_SPINLOCK_H
#define HMM_SHIM_SPINLOCK_H

#include <pthread.h>

struct shim_spinlock {
	pthread_mutex_t mutex;
	pthread_t owner;
	int held;
};

#define spinlock_t	struct shim_spinlock

/*
 * What the rest of the machine does while this thread holds no spinlock: called
 * before it takes one and after it has released one, but not from itself.
 */
void shim_run_unlocked(void (*others)(void));

void spin_lock_init(spinlock_t *lock);
void spin_lock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);
void lockdep_assert_held(const spinlock_t *lock);

/* Called wherever the kernel may sleep: no spinlock may be held. */
void might_sleep(void);

/* Called once, where a thread next may sleep. */
extern void (*shim_may_sleep)(void);

#endif /* HMM_SHIM_SPINLOCK_H */
