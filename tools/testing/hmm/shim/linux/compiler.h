/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for the kernel's compiler.h: READ_ONCE() and WRITE_ONCE() as relaxed
 * atomics, which is what the sanitizers take them for.
 */
#ifndef HMM_SHIM_COMPILER_H
#define HMM_SHIM_COMPILER_H

#define __uninitialized

#include_next <linux/compiler.h>

#undef READ_ONCE
#undef WRITE_ONCE
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, val)	__atomic_store_n(&(x), (val), __ATOMIC_RELAXED)

#ifndef __must_hold
#define __must_hold(lock)
#endif

/* As the kernel has it without KCSAN. */
#define data_race(expr)	(expr)

#endif /* HMM_SHIM_COMPILER_H */
