/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The array of a range: how its entries are looked at and written.
 *
 * A walk and the hmm_dma_*() functions write the same words without a lock in
 * common, by the rule in include/linux/hmm-dma.h, "sticky bits".
 */
#ifndef MM_HMM_ARRAY_H
#define MM_HMM_ARRAY_H

#include <linux/compiler.h>
#include <linux/hmm.h>
#include <linux/unroll.h>

/* The bits of an entry that a walk carries from input to output. */
#define HMM_PFN_STICKY	(HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA | \
			 HMM_PFN_P2PDMA_BUS)

/* How many entries of an array are looked at or written at once: a batch. */
#define HMM_BLOCK	64

/*
 * Read an entry whose sticky bits hmm_dma_*() may be changing; only those can
 * differ. Plain, so that it can be the operand of a comparison.
 */
static __always_inline unsigned long hmm_peek(const unsigned long *entry)
{
	/* Only hmm_dma_{map,unmap}_*() write it now. */
	return data_race(*entry);
}

/* All bits that are set in a block. */
static __always_inline unsigned long
hmm_block_bits(const unsigned long *entries)
{
	unsigned long bits = 0;
	int i;

	unrolled_full
	for (i = 0; i < HMM_BLOCK; i++)
		bits |= hmm_peek(&entries[i]);
	return bits;
}

/* mm/hmm_array.c */
void hmm_store_sticky(unsigned long *entry, unsigned long new);
void hmm_store_leaf_pages(unsigned long *entries, unsigned long new, unsigned long n);
void hmm_store_same(unsigned long *entries, unsigned long new, unsigned long n);
void hmm_store_same_sparse(unsigned long *entries, unsigned long new,
			   unsigned long addr, unsigned long end);

/* Write all of an entry but the sticky bits. */
static __always_inline void hmm_store(unsigned long *entry, unsigned long new)
{
	unsigned long old = hmm_peek(entry);

	if (old == new)
		return;
	if (likely(!(old & HMM_PFN_STICKY)))
		WRITE_ONCE(*entry, new);
	else if ((old ^ new) & ~HMM_PFN_STICKY)
		hmm_store_sticky(entry, new);
}

#endif /* MM_HMM_ARRAY_H */
