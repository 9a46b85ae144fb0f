// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HMM: write the entries of an array for more than one page at once.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/pgtable.h>

#include "hmm_array.h"

/* For an entry that has sticky bits, which others may clear now. */
void hmm_store_sticky(unsigned long *entry, unsigned long new)
{
	unsigned long old = READ_ONCE(*entry);

	while (((old ^ new) & ~HMM_PFN_STICKY) &&
	       !try_cmpxchg(entry, &old, (old & HMM_PFN_STICKY) | new))
		;
}

/* Store @n entries one by one, each @step above the one before. */
static noinline void hmm_store_each(unsigned long *entries, unsigned long new,
				    unsigned long n, unsigned long step)
{
	for (; n; n--, new += step)
		hmm_store(entries++, new);
}

/* Is this a block of consecutive pfns from @new on, with no sticky bits? */
static __always_inline bool hmm_block_is(const unsigned long *entries,
					 unsigned long new)
{
	int i;

	unrolled_full
	for (i = 0; i < HMM_BLOCK; i++)
		if (hmm_peek(&entries[i]) != new + i)
			return false;
	return true;
}

/* Store a block of consecutive pfns that is not in the array yet. */
static noinline void hmm_store_block(unsigned long *entries, unsigned long new)
{
	int i;

	if (hmm_block_bits(entries) & HMM_PFN_STICKY) {
		hmm_store_each(entries, new, HMM_BLOCK, 1);
		return;
	}
	unrolled_full
	for (i = 0; i < HMM_BLOCK; i++)
		WRITE_ONCE(entries[i], new + i);
}

/* Consecutive pfns with the same flags: the pages of a leaf. */
void hmm_store_run(unsigned long *entries, unsigned long new, unsigned long n)
{
	for (; n >= HMM_BLOCK; n -= HMM_BLOCK) {
		if (!hmm_block_is(entries, new))
			hmm_store_block(entries, new);
		entries += HMM_BLOCK;
		new += HMM_BLOCK;
	}
	if (n)
		hmm_store_each(entries, new, n, 1);
}

/* Entries that are all alike: 0 or an error. */
void hmm_store_same(unsigned long *entries, unsigned long new, unsigned long n)
{
	for (; n >= HMM_BLOCK; n -= HMM_BLOCK) {
		if (hmm_block_bits(entries) | new)
			hmm_store_each(entries, new, HMM_BLOCK, 0);
		entries += HMM_BLOCK;
	}
	if (n)
		hmm_store_each(entries, new, n, 0);
}

/*
 * In a sparse array: as few entries as their orders allow for what is no page.
 * An entry reaches to the next multiple of its order, so the highest bit in
 * which the two ends differ is the order of the largest step that stays within.
 * No part that is walked at once reaches beyond what a PMD maps.
 */
void hmm_store_same_sparse(unsigned long *entries, unsigned long new,
			   unsigned long addr, unsigned long end)
{
	unsigned long at = addr >> PAGE_SHIFT, last = end >> PAGE_SHIFT, next;
	unsigned int order;

	for (; at != last; entries += next - at, at = next) {
		order = min(__fls(at ^ last), PMD_ORDER);
		next = round_up(at + 1, 1UL << order);
		hmm_store(entries,
			  new | (unsigned long)order << HMM_PFN_ORDER_SHIFT);
	}
}
