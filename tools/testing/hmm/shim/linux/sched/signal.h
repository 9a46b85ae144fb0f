/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for signals: a flag, set by the test, that the thread is being killed. */
#ifndef HMM_SHIM_SCHED_SIGNAL_H
#define HMM_SHIM_SCHED_SIGNAL_H

#include <stdbool.h>

#ifndef ERESTARTSYS
#define ERESTARTSYS 512
#endif

extern __thread bool shim_killed;

/* Each thread has one of its own. */
#define current			((struct task_struct *)&shim_killed)
#define fatal_signal_pending(task)	((void)(task), shim_killed)

#endif /* HMM_SHIM_SCHED_SIGNAL_H */
