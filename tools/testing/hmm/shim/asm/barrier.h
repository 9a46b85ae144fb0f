/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for the architecture's barriers: those that pair as C11 does, so that
 * the sanitizers see them.
 */
#ifndef HMM_SHIM_BARRIER_H
#define HMM_SHIM_BARRIER_H

/* Pairs with smp_store_release(). */
#define smp_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
/* Pairs with smp_load_acquire(). */
#define smp_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

#endif /* HMM_SHIM_BARRIER_H */
