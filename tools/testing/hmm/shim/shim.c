// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What of the kernel mm/hmm_range.c calls: locks, sleeping, the life of an mm,
 * and the part of the notifier core that hands invalidations to it.
 *
 * A misuse that the kernel's debugging would report ends the test.
 */
#include <asm/barrier.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/wait.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hmm_internal.h"

unsigned long shim_jiffies = -300 * 1000UL;
void (*shim_asleep)(void);
bool shim_sleep_overran;
__thread bool shim_killed;
void (*shim_mmap_awaited)(void);
void (*shim_may_sleep)(void);
bool shim_no_memory;
struct lockdep_map __mmu_notifier_invalidate_range_start_map;

static __thread int spinlocks_held;
static __thread int mmap_locks_held;
static __thread bool mmap_lock_is_write;
static __thread void (*run_unlocked)(void);

static void require(bool ok, const char *rule)
{
	if (ok)
		return;
	printf("# broken rule: %s\n", rule);
	fflush(stdout);
	abort();
}

void shim_run_unlocked(void (*others)(void))
{
	run_unlocked = others;
}

static void others_run(void)
{
	void (*others)(void) = run_unlocked;

	if (!others || spinlocks_held)
		return;
	run_unlocked = NULL;
	others();
	run_unlocked = others;
}

void spin_lock_init(spinlock_t *lock)
{
	pthread_mutex_init(&lock->mutex, NULL);
	lock->held = 0;
}

void spin_lock(spinlock_t *lock)
{
	others_run();
	require(!(READ_ONCE(lock->held) && READ_ONCE(lock->owner) == pthread_self()),
		"a spinlock is not taken twice");
	pthread_mutex_lock(&lock->mutex);
	WRITE_ONCE(lock->owner, pthread_self());
	WRITE_ONCE(lock->held, 1);
	spinlocks_held++;
}

void spin_unlock(spinlock_t *lock)
{
	lockdep_assert_held(lock);
	WRITE_ONCE(lock->held, 0);
	spinlocks_held--;
	pthread_mutex_unlock(&lock->mutex);
	others_run();
}

void lockdep_assert_held(const spinlock_t *lock)
{
	require(READ_ONCE(lock->held) && READ_ONCE(lock->owner) == pthread_self(),
		"the lock is held");
}

void might_sleep(void)
{
	void (*others)(void) = shim_may_sleep;

	require(!spinlocks_held, "nothing sleeps with a spinlock held");
	if (others) {
		shim_may_sleep = NULL;
		others();
	}
}

void init_waitqueue_head(wait_queue_head_t *wq)
{
	pthread_mutex_init(&wq->mutex, NULL);
	pthread_cond_init(&wq->cond, NULL);
	wq->sleepers = 0;
	wq->asleep = 0;
	wq->wakeups = 0;
}

/* For a caller that has ordered it behind its own change. */
bool waitqueue_active(wait_queue_head_t *wq)
{
	return READ_ONCE(wq->sleepers);
}

void wake_up_all(wait_queue_head_t *wq)
{
	pthread_mutex_lock(&wq->mutex);
	wq->wakeups++;
	wq->asleep = 0;
	pthread_cond_broadcast(&wq->cond);
	pthread_mutex_unlock(&wq->mutex);
}

bool shim_is_asleep(wait_queue_head_t *wq)
{
	bool asleep;

	pthread_mutex_lock(&wq->mutex);
	asleep = wq->asleep;
	pthread_mutex_unlock(&wq->mutex);
	return asleep;
}

/* Returns what shim_schedule() compares with to know of a wakeup since. */
unsigned long shim_prepare_to_wait(wait_queue_head_t *wq)
{
	unsigned long wakeups;

	pthread_mutex_lock(&wq->mutex);
	WRITE_ONCE(wq->sleepers, wq->sleepers + 1);
	wakeups = wq->wakeups;
	pthread_mutex_unlock(&wq->mutex);
	return wakeups;
}

void shim_finish_wait(wait_queue_head_t *wq)
{
	pthread_mutex_lock(&wq->mutex);
	WRITE_ONCE(wq->sleepers, wq->sleepers - 1);
	pthread_mutex_unlock(&wq->mutex);
}

static long sleep_in_earnest(wait_queue_head_t *wq, unsigned long wakeups,
			     long timeout)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += min(timeout, 3600 * 1000L) / 1000 + 1;
	pthread_mutex_lock(&wq->mutex);
	if (wq->wakeups == wakeups)
		wq->asleep++;
	while (wq->wakeups == wakeups && !err)
		err = pthread_cond_timedwait(&wq->cond, &wq->mutex, &until);
	if (wq->wakeups == wakeups)
		wq->asleep--;
	pthread_mutex_unlock(&wq->mutex);
	if (err)
		WRITE_ONCE(shim_sleep_overran, true);
	return err ? 0 : timeout;
}

/* Sleep until a wakeup, a fatal signal or the end of @timeout: what is left. */
long shim_schedule(wait_queue_head_t *wq, unsigned long wakeups, long timeout)
{
	unsigned long began = shim_jiffies;
	long left;

	require(timeout > 0, "the time to sleep is neither 0 nor negative");
	if (!shim_asleep)
		return sleep_in_earnest(wq, wakeups, timeout);

	shim_asleep();
	left = timeout - (long)(shim_jiffies - began);
	if (left > 0 && (wq->wakeups != wakeups || shim_killed))
		return left;
	if (left > 0)
		shim_jiffies += left;
	return 0;
}

struct mm_struct *mm_alloc(void)
{
	struct mm_struct *mm = calloc(1, sizeof(*mm));

	atomic_set(&mm->mm_users, 1);
	atomic_set(&mm->mm_count, 1);
	/* That of a process of x86_64. */
	mm->task_size = (1UL << 47) - PAGE_SIZE;
	pthread_rwlock_init(&mm->mmap_lock, NULL);
	return mm;
}

void mmgrab(struct mm_struct *mm)
{
	atomic_inc(&mm->mm_count);
}

void mmdrop(struct mm_struct *mm)
{
	/* On a preemptible kernel the last one frees page tables and may sleep. */
	might_sleep();
	if (!atomic_dec_and_test(&mm->mm_count))
		return;
	if (mm->hmm_ranges)
		require(list_empty(&mm->hmm_ranges->invalidations) &&
			!mm->hmm_ranges->ranges.rb_root.rb_node,
			"nothing is left of the tracking when the mm is freed");
	free(mm->hmm_ranges);
	free(mm);
}

bool mmget_not_zero(struct mm_struct *mm)
{
	int users = atomic_read(&mm->mm_users);

	do {
		if (!users)
			return false;
	} while (!__atomic_compare_exchange_n(&mm->mm_users.counter, &users,
					      users + 1, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

void mmput(struct mm_struct *mm)
{
	might_sleep();
	if (!atomic_dec_and_test(&mm->mm_users))
		return;
	if (mm->hmm_ranges)
		hmm_ranges_release(mm->hmm_ranges);
	mmdrop(mm);
}

void mmap_read_lock(struct mm_struct *mm)
{
	might_sleep();
	pthread_rwlock_rdlock(&mm->mmap_lock);
	mmap_locks_held++;
}

void mmap_read_unlock(struct mm_struct *mm)
{
	mmap_locks_held--;
	pthread_rwlock_unlock(&mm->mmap_lock);
}

void mmap_write_lock(struct mm_struct *mm)
{
	might_sleep();
	require(!mmap_locks_held, "the mmap lock is not taken twice");
	pthread_rwlock_wrlock(&mm->mmap_lock);
	mmap_locks_held++;
	mmap_lock_is_write = true;
	mm->mmap_write_locks++;
}

int mmap_write_lock_killable(struct mm_struct *mm)
{
	void (*awaited)(void) = shim_mmap_awaited;

	shim_mmap_awaited = NULL;
	if (awaited)
		awaited();
	if (fatal_signal_pending(current))
		return -EINTR;
	mmap_write_lock(mm);
	return 0;
}

void mmap_write_unlock(struct mm_struct *mm)
{
	mmap_assert_write_locked(mm);
	mmap_lock_is_write = false;
	mmap_locks_held--;
	pthread_rwlock_unlock(&mm->mmap_lock);
}

void mmap_assert_locked(struct mm_struct *mm)
{
	require(mmap_locks_held, "the mmap lock is held");
}

void mmap_assert_write_locked(struct mm_struct *mm)
{
	require(mmap_locks_held && mmap_lock_is_write,
		"the mmap lock is held for write");
}

/* The part of mm/mmu_notifier.c that mm/hmm_range.c calls. */

struct hmm_ranges *mmu_notifier_hmm_ranges(struct mm_struct *mm)
{
	/* Pairs with the release in mmu_notifier_track_ranges(). */
	return smp_load_acquire(&mm->hmm_ranges);
}

int mmu_notifier_track_ranges(struct mm_struct *mm)
{
	struct hmm_ranges *ranges;

	mmap_assert_write_locked(mm);
	might_sleep();
	mm->all_locks_taken++;
	if (mm->hmm_ranges)
		return 0;
	if (shim_no_memory)
		return -ENOMEM;
	ranges = calloc(1, sizeof(*ranges));
	hmm_ranges_init(ranges);
	/* Pairs with the acquire in mmu_notifier_hmm_ranges(). */
	smp_store_release(&mm->hmm_ranges, ranges);
	return 0;
}

/* The part of mm/mmu_notifier.c that calls mm/hmm_range.c. */

void mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
	struct hmm_ranges *ranges = mmu_notifier_hmm_ranges(range->mm);

	if (ranges)
		hmm_ranges_invalidate_start(ranges, range);
}

void mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range)
{
	struct hmm_ranges *ranges = mmu_notifier_hmm_ranges(range->mm);

	if (ranges)
		hmm_ranges_invalidate_end(ranges, range);
}
