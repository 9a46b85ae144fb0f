/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for bitops.h: what tools/include lacks of it. */
#ifndef HMM_SHIM_BITOPS_H
#define HMM_SHIM_BITOPS_H

#include_next <linux/bitops.h>

#define __ffs64(word)	((unsigned int)__builtin_ctzll(word))

#endif /* HMM_SHIM_BITOPS_H */
