/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for lock-free lists, as far as one thread alone has them. */
#ifndef HMM_SHIM_LLIST_H
#define HMM_SHIM_LLIST_H

#include <linux/container_of.h>
#include <stddef.h>

struct llist_node {
	struct llist_node *next;
};

struct llist_head {
	struct llist_node *first;
};

#define LLIST_HEAD(name)	struct llist_head name = { NULL }

static inline bool llist_empty(const struct llist_head *head)
{
	return !head->first;
}

static inline void __llist_add(struct llist_node *node, struct llist_head *head)
{
	node->next = head->first;
	head->first = node;
}

static inline struct llist_node *__llist_del_all(struct llist_head *head)
{
	struct llist_node *first = head->first;

	head->first = NULL;
	return first;
}

static inline struct llist_node *llist_reverse_order(struct llist_node *head)
{
	struct llist_node *reversed = NULL, *next;

	for (; head; head = next) {
		next = head->next;
		head->next = reversed;
		reversed = head;
	}
	return reversed;
}

#define llist_entry(ptr, type, member)	container_of(ptr, type, member)

#endif /* HMM_SHIM_LLIST_H */
