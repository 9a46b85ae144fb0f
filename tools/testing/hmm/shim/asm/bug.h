/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for warnings: one that the test has not asked for is its failure. */
#ifndef HMM_SHIM_BUG_H
#define HMM_SHIM_BUG_H

#include_next <asm/bug.h>

/* How many there were that nobody has taken. */
extern unsigned int shim_warnings;

unsigned int shim_take_warnings(void);

#undef __WARN_printf
#define __WARN_printf(arg...)						\
do {									\
	fprintf(stderr, "# " arg);					\
	__atomic_add_fetch(&shim_warnings, 1, __ATOMIC_RELAXED);	\
} while (0)

#endif /* HMM_SHIM_BUG_H */
