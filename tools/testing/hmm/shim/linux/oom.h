/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for the OOM killer: an address space that it has emptied. */
#ifndef HMM_SHIM_OOM_H
#define HMM_SHIM_OOM_H

#include <linux/mm.h>

static inline int check_stable_address_space(struct mm_struct *mm)
{
	return mm->unstable ? -EFAULT : 0;
}

#endif /* HMM_SHIM_OOM_H */
