/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For KUnit tests of calls that take the mmap lock: have they let it go?
 */
#ifndef MM_TESTS_MMAP_LOCK_H
#define MM_TESTS_MMAP_LOCK_H

#include <linux/delay.h>
#include <linux/mm_types.h>
#include <linux/rwsem.h>

/* Only khugepaged may use the mm besides the test. It does not hold it long. */
static inline bool mmap_lock_is_free(struct mm_struct *mm)
{
	unsigned int tries = 1000;

	while (rwsem_is_locked(&mm->mmap_lock)) {
		if (!tries--)
			return false;
		usleep_range(1000, 2000);
	}
	return true;
}

#endif /* MM_TESTS_MMAP_LOCK_H */
