/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for RCU: what the rbtree uses of it. */
#ifndef HMM_SHIM_RCUPDATE_H
#define HMM_SHIM_RCUPDATE_H

#include <linux/compiler.h>

#define rcu_dereference_raw(p)		__atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define rcu_assign_pointer(p, v)	__atomic_store_n(&(p), (v), __ATOMIC_RELEASE)

#endif /* HMM_SHIM_RCUPDATE_H */
