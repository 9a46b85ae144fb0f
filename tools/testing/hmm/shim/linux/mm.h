/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for mm.h: the size of a page, and an mm that holds nothing but its
 * references, its mmap lock and its tracked ranges.
 */
#ifndef HMM_SHIM_MM_H
#define HMM_SHIM_MM_H

#include <errno.h>
#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/types.h>

#define PAGE_SHIFT	12
#define PAGE_SIZE	BIT(PAGE_SHIFT)
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define PAGE_ALIGNED(x)	IS_ALIGNED((unsigned long)(x), PAGE_SIZE)
#define PAGE_ALIGN(x)	ALIGN(x, PAGE_SIZE)
#define PAGE_ALIGN_DOWN(x)	ALIGN_DOWN(x, PAGE_SIZE)
#define offset_in_page(p)	((unsigned long)(p) & ~PAGE_MASK)

#define U64_MAX			((u64)~0ULL)

/* include/linux/hmm.h names these; nothing here has pages. */
struct page;
#define pfn_to_page(pfn)	((struct page *)(pfn))
#define __pfn_to_phys(pfn)	((phys_addr_t)(pfn) << PAGE_SHIFT)

struct mmu_tracker;

/* The walk of the harness has no vmas. */
struct vma_iterator {
};

struct mm_struct {
	atomic_t mm_users;
	atomic_t mm_count;
	unsigned long task_size;
	/* The OOM killer was here. */
	bool unstable;
	/* Who holds it does not matter to the tracking, only that it is held. */
	pthread_rwlock_t mmap_lock;
	int mmap_write_locks;
	/* Not NULL once __mmu_notifier_register() ran. */
	struct mmu_notifier_subscriptions *notifier_subscriptions;
	/* How often somebody took all locks of the mm. */
	int all_locks_taken;
};

/* Called once, when somebody next waits for the mmap lock to write. */
extern void (*shim_mmap_awaited)(void);

void mmap_read_lock(struct mm_struct *mm);
void mmap_read_unlock(struct mm_struct *mm);
void mmap_write_lock(struct mm_struct *mm);
int mmap_write_lock_killable(struct mm_struct *mm);
void mmap_write_unlock(struct mm_struct *mm);
void mmap_assert_locked(struct mm_struct *mm);
void mmap_assert_write_locked(struct mm_struct *mm);

#endif /* HMM_SHIM_MM_H */
