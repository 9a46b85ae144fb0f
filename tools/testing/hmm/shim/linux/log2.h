/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for log2.h: what tools/include lacks of it. */
#ifndef HMM_SHIM_LOG2_H
#define HMM_SHIM_LOG2_H

#include_next <linux/log2.h>

/* The least order with 2^order >= n. */
static inline unsigned int order_base_2(unsigned long n)
{
	return n > 1 ? ilog2(n - 1) + 1 : 0;
}

#endif /* HMM_SHIM_LOG2_H */
