// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HMM: remember which addresses of a window have to be read again.
 *
 * A set of page aligned extents of a window. The first HMM_DIRTY_HITS of them
 * are kept as they are, beside those that an interrupted walk has left; extents
 * that overlap or adjoin share a place. Beyond that the window is divided into
 * at most 64 chunks, and the chunks that an extent touches are marked. Adding
 * takes constant time and no memory, since it happens while an invalidation
 * starts.
 */
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/hmm.h>
#include <linux/mm.h>

#include "hmm_internal.h"

#define HMM_DIRTY_CHUNK_BITS	6

/* The smallest chunk of which 64 cover the window, but at least a page. */
static unsigned int hmm_chunk_shift(const struct hmm_extent *window)
{
	return max(fls_long(window->end - window->start - 1) -
		   HMM_DIRTY_CHUNK_BITS, PAGE_SHIFT);
}

/* The chunks of @window that @extent touches. */
static u64 hmm_chunks(const struct hmm_extent *window,
		      const struct hmm_extent *extent)
{
	unsigned int shift = hmm_chunk_shift(window);

	return GENMASK_ULL((extent->end - 1 - window->start) >> shift,
			   (extent->start - window->start) >> shift);
}

/* Most often there are no notes, and what is no note need not be copied. */
void hmm_dirty_move(struct hmm_dirty *to, struct hmm_dirty *from)
{
	unsigned int i;

	for (i = 0; i < from->nr; i++)
		to->notes[i] = from->notes[i];
	to->nr = from->nr;
	to->chunks = from->chunks;
	to->rest = from->rest;
	hmm_dirty_clear(from);
}

/* Take the notes that @extent overlaps or adjoins out, and into @extent. */
static void hmm_dirty_join(struct hmm_dirty *dirty, struct hmm_extent *extent)
{
	struct hmm_extent *note = dirty->notes;

	while (note != dirty->notes + dirty->nr) {
		if (note->end < extent->start || extent->end < note->start) {
			note++;
			continue;
		}
		extent->start = min(extent->start, note->start);
		extent->end = max(extent->end, note->end);
		/* Notes are apart, so none that was passed adjoins this one. */
		*note = dirty->notes[--dirty->nr];
	}
}

/**
 * hmm_dirty_add() - add what lies in a window of some addresses
 * @dirty: the set
 * @window: the window that the set is about
 * @start: first address; need not be aligned
 * @end: first address past the last; nothing is added unless it is above @start
 */
void hmm_dirty_add(struct hmm_dirty *dirty, const struct hmm_extent *window,
		   unsigned long start, unsigned long end)
{
	struct hmm_extent extent = {
		.start = max(start, window->start),
		.end = min(end, window->end),
	};

	if (extent.start >= extent.end)
		return;
	/* The window is aligned, so this stays within. */
	extent.start = round_down(extent.start, PAGE_SIZE);
	extent.end = round_up(extent.end, PAGE_SIZE);

	hmm_dirty_join(dirty, &extent);
	if (dirty->nr < min(dirty->left + HMM_DIRTY_HITS, HMM_DIRTY_NOTES))
		dirty->notes[dirty->nr++] = extent;
	else
		dirty->chunks |= hmm_chunks(window, &extent);
}

/* Set @next to the part of @extent from @from on, if that starts below @next. */
static void hmm_extent_first(struct hmm_extent *next,
			     const struct hmm_extent *extent,
			     unsigned long from)
{
	unsigned long start = max(extent->start, from);

	if (start < extent->end && start < next->start) {
		next->start = start;
		next->end = extent->end;
	}
}

/* The first extent of marked chunks that ends above @from; empty: none does. */
static struct hmm_extent hmm_dirty_chunks(const struct hmm_dirty *dirty,
					  const struct hmm_extent *window,
					  unsigned long from)
{
	unsigned long first, end;
	unsigned int shift;
	u64 chunks = dirty->chunks;

	if (from >= window->end)
		return (struct hmm_extent){};
	shift = hmm_chunk_shift(window);
	from = max(from, window->start) - window->start;
	chunks &= GENMASK_ULL(63, from >> shift);
	if (!chunks)
		return (struct hmm_extent){};
	first = __ffs64(chunks);
	/* The first chunk above @first that is not marked. */
	chunks = ~(chunks | (BIT_ULL(first) - 1));
	end = chunks ? __ffs64(chunks) : 64;
	return (struct hmm_extent) {
		.start = window->start + (first << shift),
		.end = window->start + (unsigned long)
			min_t(u64, (u64)end << shift,
			      window->end - window->start),
	};
}

/**
 * hmm_dirty_next() - find the first extent of a set from an address on
 * @dirty: the set
 * @window: the window that the set is about
 * @from: where to look from
 * @next: the extent; it starts at @from if that lies in the middle of one
 *
 * What overlaps or adjoins may come as one extent or as two, one behind the
 * other. Going on from the end of each one visits no address twice.
 *
 * Return: true if there is one.
 */
bool hmm_dirty_next(const struct hmm_dirty *dirty,
		    const struct hmm_extent *window, unsigned long from,
		    struct hmm_extent *next)
{
	struct hmm_extent chunks;
	unsigned int i;

	*next = (struct hmm_extent){ .start = ULONG_MAX };
	hmm_extent_first(next, &dirty->rest, from);
	for (i = 0; i < dirty->nr; i++)
		hmm_extent_first(next, &dirty->notes[i], from);
	if (dirty->chunks) {
		chunks = hmm_dirty_chunks(dirty, window, from);
		hmm_extent_first(next, &chunks, from);
	}
	return next->start != ULONG_MAX;
}
