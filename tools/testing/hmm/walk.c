// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stands for mm/hmm_walk.c: a page table that is one function, read page by
 * page, with a fault that gives back what is claimed before it runs, and with
 * places between the pages at which a test lets others run.
 */
#include "test.h"

#define REQUESTS	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

static unsigned long page_at(unsigned long address)
{
	return (address - BASE) >> PAGE_SHIFT;
}

static void others_run(struct test_walk *w, enum walk_place place)
{
	if (w->hook)
		w->hook(w, place, page_at(w->walk.extent.start));
}

static void log_page(struct test_walk *w, unsigned long page)
{
	struct pages *last = w->log + w->nr_log;

	w->nr_pages++;
	if (w->nr_log && last[-1].first + last[-1].nr == page)
		last[-1].nr++;
	else if (w->nr_log < WALK_LOG)
		w->log[w->nr_log++] = (struct pages){ page, 1 };
}

/* What is asked for of a page whose entry was @entry on input. */
static unsigned long asked_for(const struct test_walk *w, unsigned long entry)
{
	const struct hmm_range *range = w->walk.range;
	unsigned long required = range->default_flags |
				 (entry & range->pfn_flags_mask);

	if (w->snapshot || !(required & HMM_PFN_REQ_FAULT))
		return 0;
	return required & REQUESTS;
}

static int fault_in(struct test_walk *w, unsigned long page,
		    unsigned long required)
{
	w->nr_faults++;
	hmm_range_unclaim(&w->walk);
	return w->fault ? w->fault(w, page, required) : -EFAULT;
}

/* As that of mm/hmm_walk.c: up to the first fault. */
int hmm_walk_claimed(struct hmm_walk *walk, unsigned long end)
{
	struct test_walk *w = container_of(walk, struct test_walk, walk);
	struct hmm_extent *extent = &walk->extent;
	const struct hmm_range *range = walk->range;
	unsigned long page, required, *entry, new = 0;

	mmap_assert_locked(walk->mm);
	EXPECT(extent->start < end && end <= extent->end);
	EXPECT(extent->start >= range->start && end <= range->end);
	EXPECT(!offset_in_page(extent->start | end));

	for (; extent->start != end; extent->start += PAGE_SIZE) {
		page = page_at(extent->start);
		others_run(w, WALK_READS);
		if (w->read) {
			entry = &range->hmm_pfns[(extent->start - range->start) >>
						 PAGE_SHIFT];
			new = w->read(w, page);
			required = asked_for(w, *entry);
			if (required & ~new)
				return fault_in(w, page, required);
			others_run(w, WALK_STORES);
			*entry = new;
		} else {
			others_run(w, WALK_STORES);
		}
		log_page(w, page);
		others_run(w, WALK_STEPS);
	}
	return 0;
}

/* A fault lets the mmap lock go. */
void drop_mmap_lock(struct test_walk *w)
{
	mmap_read_unlock(w->walk.mm);
	w->locked = 0;
}

/* A walk as hmm_range_fault_locked() or, with @w->snapshot, _snapshot() does. */
int walk_range(struct test_walk *w, struct hmm_range *range)
{
	struct mm_struct *mm = range->tracking.sub.mm;
	int ret;

	w->locked = 1;
	w->walk = (struct hmm_walk){
		.range = range,
		.mm = mm,
		.locked = &w->locked,
		.fault = !w->snapshot,
		.mask = w->snapshot ? 0 : range->pfn_flags_mask & REQUESTS,
	};
	/* hmm_walk_init() leaves what lay on the stack there. */
	memset(&w->walk.todo, 0x5a, sizeof(w->walk.todo));
	w->nr_log = 0;
	w->nr_pages = 0;
	w->nr_faults = 0;

	if (mm)
		mmap_read_lock(mm);
	ret = hmm_range_walk(&w->walk);
	if (mm && w->locked)
		mmap_read_unlock(mm);
	return ret;
}

/* The same for a driver that says that the array is as it was left. */
int retry_range(struct test_walk *w, struct hmm_range *range)
{
	hmm_range_retry(range);
	return walk_range(w, range);
}

bool walk_stored(const struct test_walk *w, const struct pages *expected,
		 unsigned int nr)
{
	bool same = w->nr_log == nr &&
		    !memcmp(w->log, expected, nr * sizeof(*expected));

	for (unsigned int i = 0; !same && i < w->nr_log; i++)
		printf("# stored %lu pages from %lu on\n", w->log[i].nr,
		       w->log[i].first);
	return same;
}
