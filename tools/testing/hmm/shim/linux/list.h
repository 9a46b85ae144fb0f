/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for list.h: what list_empty() may read without a lock is read and
 * written once, as in the kernel.
 */
#ifndef HMM_SHIM_LIST_H
#define HMM_SHIM_LIST_H

#include_next <linux/list.h>
#include <linux/compiler.h>

#define list_empty		shim_list_empty
#define list_add		shim_list_add
#define __list_del_entry	shim_list_del_entry

static inline bool shim_list_empty(const struct list_head *head)
{
	return READ_ONCE(head->next) == head;
}

static inline void shim_list_add(struct list_head *entry,
				 struct list_head *head)
{
	entry->next = head->next;
	entry->prev = head;
	head->next->prev = entry;
	WRITE_ONCE(head->next, entry);
}

static inline void shim_list_del_entry(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	WRITE_ONCE(entry->prev->next, entry->next);
}

#endif /* HMM_SHIM_LIST_H */
