/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for wait queues. A sleeper looks at its condition again only when it
 * was woken, so a wakeup that is missing shows as a timeout.
 *
 * What goes on in the machine meanwhile is what the test's shim_asleep() does.
 * With none set a sleeper really sleeps, until another thread wakes it.
 */
#ifndef HMM_SHIM_WAIT_H
#define HMM_SHIM_WAIT_H

#include <linux/sched/signal.h>
#include <linux/types.h>
#include <pthread.h>

struct wait_queue_head {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int sleepers;
	/* Those that really sleep, and have not been woken. */
	int asleep;
	unsigned long wakeups;
};

#define wait_queue_head_t	struct wait_queue_head

void init_waitqueue_head(wait_queue_head_t *wq);
/* Is there a sleeper? As in the kernel it is for the caller to order. */
bool waitqueue_active(wait_queue_head_t *wq);
void wake_up_all(wait_queue_head_t *wq);

unsigned long shim_prepare_to_wait(wait_queue_head_t *wq);
long shim_schedule(wait_queue_head_t *wq, unsigned long wakeups, long timeout,
		   bool killable);
void shim_finish_wait(wait_queue_head_t *wq);

/* How many threads really sleep, and have not been woken yet. */
int shim_sleepers(void);

extern void (*shim_asleep)(void);
/* How often anybody was woken. */
extern unsigned long shim_wakeups;
/* A thread has really slept, to the end of its time. */
extern bool shim_sleep_overran;

/*
 * The remaining time, at least 1, when @condition came true; 0 when the time
 * ran out, -ERESTARTSYS on a fatal signal if @killable.
 */
#define shim_wait_event(wq, condition, timeout, killable)		\
({									\
	wait_queue_head_t *__wq = &(wq);				\
	const bool __killable = (killable);				\
	long __left = (timeout);					\
	unsigned long __seen;						\
									\
	might_sleep();							\
	for (;;) {							\
		__seen = shim_prepare_to_wait(__wq);			\
		if (condition) {					\
			__left = __left ?: 1;				\
			break;						\
		}							\
		if (!__left)						\
			break;						\
		if (__killable && fatal_signal_pending(current)) {	\
			__left = -ERESTARTSYS;				\
			break;						\
		}							\
		__left = shim_schedule(__wq, __seen, __left,		\
				       __killable);			\
		shim_finish_wait(__wq);					\
	}								\
	shim_finish_wait(__wq);						\
	__left;								\
})

#define wait_event_killable_timeout(wq, condition, timeout)		\
	shim_wait_event(wq, condition, timeout, true)

#endif /* HMM_SHIM_WAIT_H */
