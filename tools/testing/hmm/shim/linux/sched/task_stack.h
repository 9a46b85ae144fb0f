/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for task_stack.h. Within the callback of one invalidation a test lets
 * others come that are meant to be of another task, unless it says otherwise.
 */
#ifndef HMM_SHIM_SCHED_TASK_STACK_H
#define HMM_SHIM_SCHED_TASK_STACK_H

#include <linux/compiler.h>

extern bool shim_one_task;
bool shim_is_on_stack(const void *object);

#define object_is_on_stack(object)	(shim_one_task && shim_is_on_stack(object))

#endif /* HMM_SHIM_SCHED_TASK_STACK_H */
