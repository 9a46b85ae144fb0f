/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for atomic_t: the compiler's own atomics, which the sanitizers know. */
#ifndef HMM_SHIM_ATOMIC_H
#define HMM_SHIM_ATOMIC_H

#include <linux/types.h>

#define atomic_read(v)		__atomic_load_n(&(v)->counter, __ATOMIC_RELAXED)
#define atomic_set(v, i)	__atomic_store_n(&(v)->counter, (i), __ATOMIC_RELAXED)
#define atomic_inc(v)							\
	((void)__atomic_add_fetch(&(v)->counter, 1, __ATOMIC_RELAXED))
#define atomic_dec(v)							\
	((void)__atomic_sub_fetch(&(v)->counter, 1, __ATOMIC_RELAXED))
#define atomic_dec_and_test(v)						\
	(!__atomic_sub_fetch(&(v)->counter, 1, __ATOMIC_ACQ_REL))

#endif /* HMM_SHIM_ATOMIC_H */
