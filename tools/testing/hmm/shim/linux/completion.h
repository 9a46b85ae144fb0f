/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for completions: a flag, and a wait queue to sleep on. */
#ifndef HMM_SHIM_COMPLETION_H
#define HMM_SHIM_COMPLETION_H

#include <linux/compiler.h>
#include <linux/wait.h>

struct completion {
	bool done;
	wait_queue_head_t wait;
};

static inline void init_completion(struct completion *x)
{
	WRITE_ONCE(x->done, false);
	init_waitqueue_head(&x->wait);
}

void complete(struct completion *x);
void wait_for_completion(struct completion *x);
long wait_for_completion_killable_timeout(struct completion *x, long timeout);

#endif /* HMM_SHIM_COMPLETION_H */
