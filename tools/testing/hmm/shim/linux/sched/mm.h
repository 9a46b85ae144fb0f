/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for the life of an mm: mm_users keep the address space, mm_count the
 * struct. The last mmput() tears the address space down as exit_mmap() does,
 * the last mmdrop() frees the struct.
 */
#ifndef HMM_SHIM_SCHED_MM_H
#define HMM_SHIM_SCHED_MM_H

#include <linux/mm.h>

struct mm_struct *mm_alloc(void);
void mmgrab(struct mm_struct *mm);
void mmdrop(struct mm_struct *mm);
bool mmget_not_zero(struct mm_struct *mm);
void mmput(struct mm_struct *mm);
#define mmput_async(mm)	mmput(mm)

#endif /* HMM_SHIM_SCHED_MM_H */
