// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HMM: write the entries of an array for more than one page at once.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/mm.h>

#include "hmm_array.h"

/* For an entry that has sticky bits, which others may clear now. */
void hmm_store_sticky(unsigned long *entry, unsigned long new)
{
	unsigned long old = READ_ONCE(*entry);

	while (!try_cmpxchg(entry, &old, (old & HMM_PFN_STICKY) | new))
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

/*
 * For an entry of a block in which some have sticky bits: without a look whether
 * it changes, so as not to take longer than stores that lose such bits.
 */
static __always_inline void hmm_replace(unsigned long *entry, unsigned long new)
{
	unsigned long old = READ_ONCE(*entry);

	if (unlikely(!try_cmpxchg(entry, &old, (old & HMM_PFN_STICKY) | new)))
		hmm_store_sticky(entry, new);
}

/* The same for a hole. */
static __always_inline void hmm_replace_by_0(unsigned long *entry)
{
	atomic_long_and(HMM_PFN_STICKY, (atomic_long_t *)entry);
}

/* Store a block that has no sticky bits, each entry @step above the one before. */
static __always_inline void hmm_store_plain_block(unsigned long *entries,
						  unsigned long new,
						  unsigned long step)
{
	int i;

	unrolled_full
	for (i = 0; i < HMM_BLOCK; i++)
		WRITE_ONCE(entries[i], new + i * step);
}

/* Store a block of consecutive pfns that is not in the array yet. */
static noinline void hmm_store_block(unsigned long *entries, unsigned long new)
{
	int i, k;

	if (!(hmm_block_bits(entries) & HMM_PFN_STICKY)) {
		hmm_store_plain_block(entries, new, 1);
		return;
	}
	for (i = 0; i < HMM_BLOCK; i += 8)
		unrolled_full
		for (k = 0; k < 8; k++)
			hmm_replace(&entries[i + k], new + i + k);
}

/* Store a block of holes or errors; @bits are those that are set in it now. */
static noinline void hmm_store_same_block(unsigned long *entries,
					  unsigned long new, unsigned long bits)
{
	int i;

	if (!(bits & HMM_PFN_STICKY)) {
		hmm_store_plain_block(entries, new, 0);
		return;
	}
	if (new) {
		hmm_store_each(entries, new, HMM_BLOCK, 0);
		return;
	}
	unrolled_full
	for (i = 0; i < HMM_BLOCK; i++)
		hmm_replace_by_0(&entries[i]);
}

/* Consecutive pfns with the same flags: the pages of a leaf. */
void hmm_store_leaf_pages(unsigned long *entries, unsigned long new,
			  unsigned long n)
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
	unsigned long bits;

	for (; n >= HMM_BLOCK; n -= HMM_BLOCK) {
		bits = hmm_block_bits(entries);
		if (bits | new)
			hmm_store_same_block(entries, new, bits);
		entries += HMM_BLOCK;
	}
	if (n)
		hmm_store_each(entries, new, n, 0);
}

/*
 * In a sparse array: as few entries as their orders allow for what is no page.
 * An entry reaches to the next multiple of its order, so the highest bit in
 * which the two ends differ is the order of the largest step that stays within.
 * What is stored at once does not reach beyond what a PMD maps.
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
