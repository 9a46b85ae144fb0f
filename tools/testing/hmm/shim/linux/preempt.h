/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for what tells tasks from interrupts: there are only tasks. */
#ifndef HMM_SHIM_PREEMPT_H
#define HMM_SHIM_PREEMPT_H

#define in_task()	true

#endif /* HMM_SHIM_PREEMPT_H */
