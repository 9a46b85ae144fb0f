/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for the notifier core: the kinds of invalidation, an invalidation, and
 * its start and end, which shim.c hands to mm/mmu_interval.c as mm/mmu_notifier.c
 * does.
 */
#ifndef HMM_SHIM_MMU_NOTIFIER_H
#define HMM_SHIM_MMU_NOTIFIER_H

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmu_interval.h>

enum mmu_notifier_event {
	MMU_NOTIFY_UNMAP,
	MMU_NOTIFY_CLEAR,
	MMU_NOTIFY_PROTECTION_VMA,
	MMU_NOTIFY_PROTECTION_PAGE,
	MMU_NOTIFY_SOFT_DIRTY,
	MMU_NOTIFY_RELEASE,
	MMU_NOTIFY_MIGRATE,
	MMU_NOTIFY_EXCLUSIVE,
};

#define MMU_NOTIFIER_RANGE_BLOCKABLE	BIT(0)

struct mmu_notifier_range {
	struct mm_struct *mm;
	unsigned long start;
	unsigned long end;
	unsigned int flags;
	enum mmu_notifier_event event;
	void *owner;
	struct {
		struct list_head node;
		u64 seq;
		u8 calls;
	} tracked;
};

/* There is none for the subscriptions of an mm. */
extern bool shim_no_memory;

static inline bool
mmu_notifier_range_blockable(const struct mmu_notifier_range *range)
{
	return range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE;
}

struct mmu_notifier;
int mmu_notifier_register(struct mmu_notifier *none, struct mm_struct *mm);
int __mmu_notifier_register(struct mmu_notifier *none, struct mm_struct *mm);

void mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range);
int mmu_notifier_invalidate_range_start_nonblock(struct mmu_notifier_range *range);
void mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range);

#endif /* HMM_SHIM_MMU_NOTIFIER_H */
