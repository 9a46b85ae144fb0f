// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What of the kernel mm/mmu_interval.c and mm/hmm_range.c call: locks, sleeping, the life of an mm,
 * and the part of the notifier core that hands invalidations to it.
 *
 * A misuse that the kernel's debugging would report ends the test.
 */
#include <asm/barrier.h>
#include <linux/completion.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/task_stack.h>
#include <linux/srcu.h>
#include <linux/wait.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hmm_internal.h"

unsigned long shim_jiffies = -300 * 1000UL;
void (*shim_asleep)(void);
unsigned long shim_wakeups;
bool shim_sleep_overran;
unsigned int shim_warnings;
unsigned long shim_may_waits;
__thread bool shim_killed;
void (*shim_mmap_awaited)(void);
void (*shim_may_sleep)(void);
bool shim_no_memory;
struct lockdep_map __mmu_notifier_invalidate_range_start_map;
atomic_t shim_srcu_readers;
unsigned long shim_srcu_waits;
bool shim_one_task;

/* How many threads really sleep, and have not been woken. */
static atomic_t asleep;
static __thread int spinlocks_held;
static __thread int mmap_locks_held;
static __thread bool mmap_lock_is_write;
static __thread void (*run_unlocked)(void);

#define SHIM_STACK	(64 * 1024)

static void require(bool ok, const char *rule)
{
	if (ok)
		return;
	printf("# broken rule: %s\n", rule);
	fflush(stdout);
	abort();
}

/* Of what this thread has called, not of all that its stack may grow to. */
bool shim_is_on_stack(const void *object)
{
	const char *here = __builtin_frame_address(0), *byte = object;

	return byte >= here && byte < here + SHIM_STACK;
}

unsigned int shim_take_warnings(void)
{
	return __atomic_exchange_n(&shim_warnings, 0, __ATOMIC_RELAXED);
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

static void wake_locked(wait_queue_head_t *wq)
{
	wq->wakeups++;
	__atomic_add_fetch(&shim_wakeups, 1, __ATOMIC_RELAXED);
	for (; wq->asleep; wq->asleep--)
		atomic_dec(&asleep);
	pthread_cond_broadcast(&wq->cond);
}

void wake_up_all(wait_queue_head_t *wq)
{
	pthread_mutex_lock(&wq->mutex);
	wake_locked(wq);
	pthread_mutex_unlock(&wq->mutex);
}

int shim_sleepers(void)
{
	/* Pairs with the release in sleep_in_earnest(): what they did before. */
	return __atomic_load_n(&asleep.counter, __ATOMIC_ACQUIRE);
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
	if (wq->wakeups == wakeups) {
		wq->asleep++;
		/* Pairs with the acquire in shim_sleepers(). */
		__atomic_add_fetch(&asleep.counter, 1, __ATOMIC_RELEASE);
	}
	while (wq->wakeups == wakeups && !err)
		err = pthread_cond_timedwait(&wq->cond, &wq->mutex, &until);
	if (wq->wakeups == wakeups) {
		wq->asleep--;
		atomic_dec(&asleep);
	}
	pthread_mutex_unlock(&wq->mutex);
	if (err)
		WRITE_ONCE(shim_sleep_overran, true);
	return err ? 0 : timeout;
}

/* Sleep until a wakeup, a fatal signal or the end of @timeout: what is left. */
long shim_schedule(wait_queue_head_t *wq, unsigned long wakeups, long timeout,
		   bool killable)
{
	unsigned long began = shim_jiffies;
	long left;

	require(timeout > 0, "the time to sleep is neither 0 nor negative");
	if (!shim_asleep)
		return sleep_in_earnest(wq, wakeups, timeout);

	shim_asleep();
	left = timeout - (long)(shim_jiffies - began);
	if (left > 0 && (wq->wakeups != wakeups ||
			 (killable && shim_killed)))
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
	struct mmu_tracker *tracker;

	/* On a preemptible kernel the last one frees page tables and may sleep. */
	might_sleep();
	if (!atomic_dec_and_test(&mm->mm_count))
		return;
	tracker = mmu_notifier_tracker(mm);
	if (tracker)
		require(list_empty(&tracker->invalidations) &&
			list_empty(&tracker->waiters) &&
			list_empty(&tracker->cursors) &&
			!tracker->tree.rb_root.rb_node &&
			!tracker->nr_removing,
			"nothing is left of the tracking when the mm is freed");
	free(mm->notifier_subscriptions);
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
	struct mmu_tracker *tracker;

	might_sleep();
	if (!atomic_dec_and_test(&mm->mm_users))
		return;
	tracker = mmu_notifier_tracker(mm);
	if (tracker)
		mmu_tracker_release(tracker, mm);
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

/* The part of mm/mmu_notifier.c that mm/mmu_interval.c calls. */

int __mmu_notifier_register(struct mmu_notifier *none, struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subscriptions;

	mmap_assert_write_locked(mm);
	might_sleep();
	mm->all_locks_taken++;
	if (mm->notifier_subscriptions) {
		WRITE_ONCE(mm->notifier_subscriptions->has_tracker, true);
		return 0;
	}
	if (shim_no_memory)
		return -ENOMEM;
	subscriptions = calloc(1, sizeof(*subscriptions));
	mmu_tracker_init(&subscriptions->tracker);
	subscriptions->has_tracker = true;
	/* Pairs with the acquire in mmu_notifier_tracker(). */
	smp_store_release(&mm->notifier_subscriptions, subscriptions);
	return 0;
}

int mmu_notifier_register(struct mmu_notifier *none, struct mm_struct *mm)
{
	int ret;

	mmap_write_lock(mm);
	ret = __mmu_notifier_register(none, mm);
	mmap_write_unlock(mm);
	return ret;
}

/* The part of mm/mmu_notifier.c that calls mm/mmu_interval.c. */

void mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
	struct mmu_tracker *tracker = mmu_notifier_tracker(range->mm);

	range->flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;
	if (tracker)
		require(!mmu_tracker_start(tracker, range),
			"an invalidation that may block does not fail");
}

int mmu_notifier_invalidate_range_start_nonblock(struct mmu_notifier_range *range)
{
	struct mmu_tracker *tracker = mmu_notifier_tracker(range->mm);
	int ret = 0;

	range->flags &= ~MMU_NOTIFIER_RANGE_BLOCKABLE;
	if (tracker)
		ret = mmu_tracker_start(tracker, range);
	if (ret)
		mmu_tracker_end(tracker, range);
	return ret;
}

void mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range)
{
	struct mmu_tracker *tracker = mmu_notifier_tracker(range->mm);

	if (tracker)
		mmu_tracker_end(tracker, range);
}

/* Completions. */

/*
 * Who waits takes the mutex once more before it returns, so a completion may lie on
 * its stack: it does not go away under who completes it.
 */
void complete(struct completion *x)
{
	pthread_mutex_lock(&x->wait.mutex);
	WRITE_ONCE(x->done, true);
	wake_locked(&x->wait);
	pthread_mutex_unlock(&x->wait.mutex);
}

long wait_for_completion_killable_timeout(struct completion *x, long timeout)
{
	return wait_event_killable_timeout(x->wait, READ_ONCE(x->done),
					   timeout);
}

void wait_for_completion(struct completion *x)
{
	require(shim_wait_event(x->wait, READ_ONCE(x->done), 30 * HZ, false),
		"what is waited for without a limit comes");
}
