// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a walk reads and what it may leave out: retries (T8), own invalidations
 * (T9), and claims (T13). The number in a test's name is that of the property in
 * Documentation/mm/hmm_tests.rst.
 */
#include <pthread.h>

#include "test.h"

#define CHUNKS		64
/* What is noted exactly. */
#define NOTES		HMM_DIRTY_HITS

static unsigned long pfns[1], other_pfns[1];
static int owner, other_owner;

/* A range that can be walked; most tests neither read nor write the array. */
#define RANGE() ((struct hmm_range) {					\
	.hmm_pfns = pfns,						\
	.default_flags = HMM_PFN_REQ_FAULT,				\
})

/* One that ignores migrations by its owner. */
#define OWN_RANGE() ((struct hmm_range) {				\
	.hmm_pfns = pfns,						\
	.default_flags = HMM_PFN_REQ_FAULT,				\
	.dev_private_owner = &owner,					\
	.ignore_events = BIT(MMU_NOTIFY_MIGRATE),			\
})

static int walk(struct hmm_range *range)
{
	struct test_walk w = { };

	return walk_range(&w, range);
}

static void migrate_own(struct mm_struct *mm, unsigned long first,
			unsigned long nr)
{
	struct mmu_notifier_range invalidation;

	start_event(&invalidation, mm, first, nr, MMU_NOTIFY_MIGRATE, &owner);
	end_pages(&invalidation);
}

/*
 * An invalidation that a walk meets at @page: started there, and ended when the
 * walk is at @end_page, or, if that is 0, at once.
 */
static struct meeting {
	enum walk_place place;
	unsigned long page;
	unsigned long first, nr;
	unsigned long end_page;
	/* How often it happens. */
	unsigned int times;
	void *owner;

	bool in_flight;
	struct mmu_notifier_range invalidation;
} meetings[4];

static void meet(struct test_walk *w, enum walk_place place, unsigned long page)
{
	for (struct meeting *m = meetings; m < meetings + ARRAY_SIZE(meetings); m++) {
		if (m->in_flight && place == m->place && page == m->end_page) {
			m->in_flight = false;
			end_pages(&m->invalidation);
		}
		if (!m->times || place != m->place || page != m->page)
			continue;
		m->times--;
		start_event(&m->invalidation, w->walk.mm, m->first, m->nr,
			    m->owner ? MMU_NOTIFY_MIGRATE : MMU_NOTIFY_UNMAP,
			    m->owner);
		if (m->end_page)
			m->in_flight = true;
		else
			end_pages(&m->invalidation);
	}
}

/*
 * T8
 */

static void t8_untold_all_is_read(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	register_pages(&range, mm, 100, 64);
	EXPECT(!walk(&range));
	/* While it is valid, and when it was hit. */
	EXPECT(!walk_range(&w, &range));
	EXPECT(STORED(&w, { 100, 64 }));
	invalidate_pages(mm, 100, 1);
	EXPECT(!walk_range(&w, &range));
	EXPECT(STORED(&w, { 100, 64 }));

	/* To be told holds for one walk. */
	invalidate_pages(mm, 100, 1);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 100, 1 }));
	invalidate_pages(mm, 100, 1);
	EXPECT(!walk_range(&w, &range));
	EXPECT(STORED(&w, { 100, 64 }));

	/* Also for one that was not a retry of the same. */
	range.pfn_flags_mask = HMM_PFN_REQ_WRITE;
	EXPECT(!retry_range(&w, &range));
	range.pfn_flags_mask = 0;
	for (int i = 0; i < 2; i++) {
		invalidate_pages(mm, 100, 1);
		EXPECT(!walk_range(&w, &range));
		EXPECT(STORED(&w, { 100, 64 }));
	}

	/* And for one that fails before it walks. */
	range.hmm_pfns = NULL;
	EXPECT(retry_range(&w, &range) == -EINVAL);
	range.hmm_pfns = pfns;
	invalidate_pages(mm, 100, 1);
	EXPECT(!walk_range(&w, &range));
	EXPECT(STORED(&w, { 100, 64 }));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t8_told_what_was_hit_is_read(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	register_pages(&range, mm, 100, 1000);
	EXPECT(!walk(&range));
	EXPECT(!retry_range(&w, &range));
	EXPECT(!w.nr_pages);
	EXPECT(hmm_range_valid(&range));

	for (unsigned long page = 100; page < 1100; page++) {
		invalidate_pages(mm, page, 1);
		EXPECT(!hmm_range_valid(&range));
		EXPECT(!retry_range(&w, &range));
		EXPECT(STORED(&w, { page, 1 }));
		EXPECT(hmm_range_valid(&range));
	}

	/* Of an invalidation that reaches beyond, what is in the range. */
	invalidate_pages(mm, 0, 101);
	invalidate_pages(mm, 1099, 100);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 100, 1 }, { 1099, 1 }));
	invalidate_pages(mm, 0, 2000);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 100, 1000 }));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t8_notes_are_exact(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	register_pages(&range, mm, 0, 65536);
	EXPECT(!walk(&range));
	/* In an order of their own. */
	for (unsigned long i = 0; i < NOTES; i++)
		invalidate_pages(mm, 100 + 8000 * (i * 5 % NOTES), 1);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 100, 1 }, { 8100, 1 }, { 16100, 1 }, { 24100, 1 },
		      { 32100, 1 }, { 40100, 1 }, { 48100, 1 }, { 56100, 1 }));

	/* It is the next walk's turn to have so many. */
	for (unsigned long i = 0; i < NOTES; i++)
		invalidate_pages(mm, 200 + 8000 * i, 2);
	EXPECT(!retry_range(&w, &range));
	EXPECT(w.nr_pages == 2 * NOTES);

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t8_notes_that_meet_share_a_place(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	register_pages(&range, mm, 0, 65536);
	EXPECT(!walk(&range));
	/* Equal, adjoining above and below, overlapping. */
	for (int i = 0; i < 20; i++) {
		invalidate_pages(mm, 1000, 1);
		invalidate_pages(mm, 2000 + i, 1);
		invalidate_pages(mm, 3000 - i, 1);
		invalidate_pages(mm, 4000 + i, 2);
		invalidate_pages(mm, 5000 - i, 1 + 2 * i);
	}
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 1000, 1 }, { 2000, 20 }, { 2981, 20 }, { 4000, 21 },
		      { 4981, 39 }));

	/* One that joins two, and one that joins all, free their places. */
	for (unsigned long i = 0; i < NOTES; i++)
		invalidate_pages(mm, 100 + 2 * i, 1);
	invalidate_pages(mm, 101, 1);
	invalidate_pages(mm, 60000, 1);
	EXPECT(!retry_range(&w, &range));
	EXPECT(w.nr_pages == NOTES + 2);
	for (unsigned long i = 0; i < NOTES; i++)
		invalidate_pages(mm, 100 + 2 * i, 1);
	invalidate_pages(mm, 90, 50);
	for (unsigned long i = 1; i < NOTES; i++)
		invalidate_pages(mm, 5000 * i, 1);
	EXPECT(!retry_range(&w, &range));
	EXPECT(w.nr_pages == 50 + NOTES - 1);

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t8_notes_a_page_apart_are_two(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	register_pages(&range, mm, 100, 64);
	EXPECT(!walk(&range));
	invalidate_pages(mm, 110, 1);
	invalidate_pages(mm, 112, 1);
	invalidate_pages(mm, 108, 1);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 108, 1 }, { 110, 1 }, { 112, 1 }));
	hmm_range_unregister(&range);
	mmput(mm);
}

/*
 * It ends when the walk has begun, and has taken the note of its start, while
 * another extent is claimed.
 */
static struct mmu_notifier_range foreign;
static unsigned int times_unlocked;

static void end_foreign(void)
{
	if (++times_unlocked == 2)
		end_pages(&foreign);
}

static void t8_the_end_of_a_foreign_one_is_not_noted(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = OWN_RANGE();
	struct test_walk w = { };

	register_pages(&range, mm, 100, 64);
	EXPECT(!walk(&range));
	invalidate_pages(mm, 105, 1);
	start_event(&foreign, mm, 110, 1, MMU_NOTIFY_MIGRATE, &other_owner);
	hmm_range_retry(&range);
	shim_run_unlocked(end_foreign);
	EXPECT(!walk_range(&w, &range));
	shim_run_unlocked(NULL);
	EXPECT(times_unlocked >= 2);
	EXPECT(STORED(&w, { 105, 1 }, { 110, 1 }));
	hmm_range_unregister(&range);
	mmput(mm);
}

/* The number of pages in a chunk of a range of @nr pages, found the slow way. */
static unsigned long chunk_pages(unsigned long nr)
{
	unsigned long pages = 1;

	while (pages * CHUNKS < nr)
		pages *= 2;
	return pages;
}

/* So many notes that the next goes into the chunks; all are of one page. */
static void fill_notes(struct mm_struct *mm, unsigned long first)
{
	for (unsigned long i = 0; i < NOTES; i++)
		invalidate_pages(mm, first + 2 * i, 1);
}

static bool stored_page(const struct test_walk *w, unsigned long page)
{
	for (unsigned int i = 0; i < w->nr_log; i++)
		if (page - w->log[i].first < w->log[i].nr)
			return true;
	return false;
}

static void check_chunk_of(struct hmm_range *range, unsigned long nr,
			   unsigned long page)
{
	struct mm_struct *mm = range->tracking.sub.mm;
	unsigned long chunk = chunk_pages(nr), pages;
	unsigned long first = page / chunk * chunk;
	struct test_walk w = { };

	fill_notes(mm, 7);
	invalidate_pages(mm, 7 + page, 1);
	EXPECT(!retry_range(&w, range));
	pages = min(chunk, nr - first);
	EXPECT(stored_page(&w, 7 + first));
	EXPECT(stored_page(&w, 7 + page));
	EXPECT(stored_page(&w, 7 + first + pages - 1));
	/* Those of the notes are at the lowest addresses, some in the chunk. */
	for (unsigned long i = 0; i < 2 * NOTES; i += 2)
		pages += i / chunk != page / chunk;
	EXPECT(w.nr_pages == pages);
}

static void t8_beyond_the_notes_chunks_are_read(void)
{
	static const unsigned long sizes[] = {
		63, 64, 65, 127, 128, 129, 1000, 4096, 65536, 65537,
	};
	struct mm_struct *mm = mm_alloc();

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned long nr = sizes[i];
		struct hmm_range range = RANGE();

		EXPECT(!register_pages(&range, mm, 7, nr));
		EXPECT(!walk(&range));
		/* Not one that shares a place with a note. */
		for (unsigned long page = 2 * NOTES; page < nr; page += nr / 50 + 1)
			check_chunk_of(&range, nr, page);
		check_chunk_of(&range, nr, nr - 1);
		hmm_range_unregister(&range);
	}
	mmput(mm);
}

static void t8_chunks_add_up(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	/* Chunks of two pages, the last one of one. */
	register_pages(&range, mm, 100, 127);
	EXPECT(!walk(&range));
	fill_notes(mm, 100);
	invalidate_pages(mm, 131, 2);
	invalidate_pages(mm, 226, 1);
	invalidate_pages(mm, 201, 1);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 100, 1 }, { 102, 1 }, { 104, 1 }, { 106, 1 },
		      { 108, 1 }, { 110, 1 }, { 112, 1 }, { 114, 1 },
		      { 130, 4 }, { 200, 2 }, { 226, 1 }));

	fill_notes(mm, 100);
	invalidate_pages(mm, 150, 1000);
	invalidate_pages(mm, 118, 1);
	/* A note in the middle of what is in the chunks as well. */
	invalidate_pages(mm, 90, 100);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 100, 127 }));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* An invalidation need not be of whole pages. */
static void t8_parts_of_pages(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range part = {
		.mm = mm, .start = ADDR(102) + 1, .end = ADDR(104) + 1,
	};
	struct test_walk w = { };

	register_pages(&range, mm, 100, 10);
	EXPECT(!walk(&range));
	mmu_notifier_invalidate_range_start(&part);
	mmu_notifier_invalidate_range_end(&part);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 102, 3 }));

	/* A walk goes round all of the pages. */
	mmu_notifier_invalidate_range_start(&part);
	EXPECT(walk_range(&w, &range) == -EBUSY);
	EXPECT(STORED(&w, { 100, 2 }, { 105, 5 }));
	mmu_notifier_invalidate_range_end(&part);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 102, 3 }));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* A note may grow into a chunk that is marked already. */
static void t8_notes_and_chunks_may_overlap(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	/* Chunks of two pages. */
	register_pages(&range, mm, 100, 128);
	EXPECT(!walk(&range));
	fill_notes(mm, 101);
	invalidate_pages(mm, 120, 4);
	invalidate_pages(mm, 116, 6);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 101, 1 }, { 103, 1 }, { 105, 1 }, { 107, 1 },
		      { 109, 1 }, { 111, 1 }, { 113, 1 }, { 115, 9 }));
	hmm_range_unregister(&range);
	mmput(mm);
}

/* Walk, be invalidated, let @change happen: is everything read then? */
#define READS_ALL_AFTER(change) do {					\
	struct test_walk __w = { };					\
									\
	range.default_flags = HMM_PFN_REQ_FAULT;			\
	range.pfn_flags_mask = 0;					\
	range.dev_private_owner = NULL;					\
	range.hmm_pfns = pfns;						\
	range.start = ADDR(100);					\
	range.end = ADDR(164);						\
	EXPECT(!walk(&range));						\
	invalidate_pages(mm, 120, 1);					\
	change;								\
	EXPECT(!retry_range(&__w, &range));				\
	EXPECT(__w.nr_pages ==						\
	       (range.end - range.start) >> PAGE_SHIFT);		\
} while (0)

static int snapshot(struct hmm_range *range)
{
	struct test_walk w = { .snapshot = true };

	return walk_range(&w, range);
}

static void t8_only_the_same_call_is_a_retry(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	register_pages(&range, mm, 100, 64);
	READS_ALL_AFTER(range.default_flags |= HMM_PFN_REQ_WRITE);
	READS_ALL_AFTER(range.default_flags = 0);
	READS_ALL_AFTER(range.pfn_flags_mask = HMM_PFN_REQ_WRITE);
	READS_ALL_AFTER(range.dev_private_owner = &owner);
	READS_ALL_AFTER(range.hmm_pfns = other_pfns);
	READS_ALL_AFTER(range.start += PAGE_SIZE);
	READS_ALL_AFTER(range.end -= PAGE_SIZE);
	/* The array is that of the snapshot now, which only reports. */
	READS_ALL_AFTER(EXPECT(!snapshot(&range)));
	READS_ALL_AFTER(EXPECT(!snapshot(&range)); invalidate_pages(mm, 100, 1));
	/* There and back: what was last walked is another window. */
	READS_ALL_AFTER(range.end -= PAGE_SIZE; EXPECT(!walk(&range));
			range.end += PAGE_SIZE);
	/* The owner that counts is that of the call. */
	range.dev_private_owner = &owner;
	EXPECT(!walk(&range));
	invalidate_pages(mm, 120, 1);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 120, 1 }));
	/* Between the walk and the retry the array could miss a hit. */
	READS_ALL_AFTER(EXPECT(!hmm_range_begin(&range)));
	READS_ALL_AFTER(EXPECT(!hmm_range_begin(&range));
			invalidate_pages(mm, 101, 1));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* Nobody is told when a hole is populated, so it is read every time. */
static void t8_what_asks_for_nothing_reads_all(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .snapshot = true };

	register_pages(&range, mm, 100, 64);
	for (int i = 0; i < 2; i++) {
		EXPECT(!walk_range(&w, &range));
		invalidate_pages(mm, 100, 1);
		EXPECT(!retry_range(&w, &range));
		EXPECT(STORED(&w, { 100, 64 }));
		/* The second time it is a fault. */
		w.snapshot = false;
		range.default_flags = 0;
	}

	/* A snapshot of what a fault has left reports its holes, too. */
	range.default_flags = HMM_PFN_REQ_FAULT;
	EXPECT(!walk_range(&w, &range));
	invalidate_pages(mm, 100, 1);
	w.snapshot = true;
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 100, 64 }));
	hmm_range_unregister(&range);
	mmput(mm);
}

static void t8_with_a_mask_all_is_read(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	range.pfn_flags_mask = HMM_PFN_REQ_FAULT;
	register_pages(&range, mm, 100, 64);
	EXPECT(!walk(&range));
	invalidate_pages(mm, 100, 1);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 100, 64 }));

	/* Nor does the array of that call serve one without a mask. */
	invalidate_pages(mm, 100, 1);
	range.pfn_flags_mask = 0;
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 100, 64 }));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* A page at which the walk ends, and with what. */
static unsigned long fails_at;
static int fails_with;

static unsigned long read_until(struct test_walk *w, unsigned long page)
{
	return page == fails_at ? 0 : HMM_PFN_VALID | HMM_PFN_WRITE | page;
}

static int fail(struct test_walk *w, unsigned long page, unsigned long required)
{
	if (fails_with == -EBUSY)
		drop_mmap_lock(w);
	return fails_with;
}

static void t8_a_walk_that_fails_puts_its_notes_back(void)
{
	static const int errors[] = { -EBUSY, -EFAULT, -EPERM, -ENOMEM, -EINTR };
	struct mm_struct *mm = mm_alloc();
	unsigned long array[64];
	struct hmm_range range = RANGE();
	struct test_walk w = { .read = read_until, .fault = fail };

	range.hmm_pfns = array;
	register_pages(&range, mm, 100, 64);
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		fails_at = 117;
		fails_with = errors[i];
		EXPECT(walk_range(&w, &range) == errors[i]);
		EXPECT(!hmm_range_valid(&range));
		EXPECT(STORED(&w, { 100, 17 }));
		/* Where it was interrupted is kept to the page. */
		fails_at = 0;
		EXPECT(!retry_range(&w, &range));
		EXPECT(STORED(&w, { 117, 47 }));
		EXPECT(hmm_range_valid(&range));

		/* In the middle of one note, with others behind it. */
		invalidate_pages(mm, 102, 3);
		invalidate_pages(mm, 110, 3);
		invalidate_pages(mm, 120, 3);
		fails_at = 111;
		EXPECT(retry_range(&w, &range) == errors[i]);
		EXPECT(STORED(&w, { 102, 3 }, { 110, 1 }));
		/* One that was done is hit again meanwhile. */
		invalidate_pages(mm, 103, 1);
		fails_at = 0;
		EXPECT(!retry_range(&w, &range));
		EXPECT(STORED(&w, { 103, 1 }, { 111, 2 }, { 120, 3 }));
		EXPECT(hmm_range_valid(&range));
	}
	hmm_range_unregister(&range);
	mmput(mm);
}

/* What a walk that is interrupted has left are extents as others are. */
static void t8_put_back_beyond_the_notes(void)
{
	struct mm_struct *mm = mm_alloc();
	unsigned long array[127];
	struct hmm_range range = RANGE();
	struct test_walk w = { .read = read_until, .fault = fail };

	range.hmm_pfns = array;
	fails_with = -EBUSY;
	fails_at = 0;
	/* Chunks of two pages, the last one of one. */
	register_pages(&range, mm, 100, 127);
	EXPECT(!walk_range(&w, &range));
	fill_notes(mm, 101);
	invalidate_pages(mm, 200, 3);
	invalidate_pages(mm, 226, 1);
	fails_at = 101;
	for (int i = 0; i < 3; i++) {
		EXPECT(retry_range(&w, &range) == -EBUSY);
		EXPECT(!w.nr_pages);
	}
	fails_at = 0;
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 101, 1 }, { 103, 1 }, { 105, 1 }, { 107, 1 },
		      { 109, 1 }, { 111, 1 }, { 113, 1 }, { 115, 1 },
		      { 200, 4 }, { 226, 1 }));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* It leaves the next walk as many notes as any other. */
static void t8_where_it_was_interrupted_takes_no_note(void)
{
	struct mm_struct *mm = mm_alloc();
	unsigned long array[1000];
	struct hmm_range range = RANGE();
	struct test_walk w = { .read = read_until, .fault = fail };

	range.hmm_pfns = array;
	register_pages(&range, mm, 0, ARRAY_SIZE(array));
	fails_with = -EBUSY;
	fails_at = ULONG_MAX;
	EXPECT(!walk_range(&w, &range));
	invalidate_pages(mm, 900, 10);
	fails_at = 905;
	EXPECT(retry_range(&w, &range) == -EBUSY);
	EXPECT(STORED(&w, { 900, 5 }));
	fails_at = ULONG_MAX;
	for (unsigned long i = 0; i < NOTES; i++)
		invalidate_pages(mm, 100 * i + 3, 1);
	EXPECT(!retry_range(&w, &range));
	EXPECT(w.nr_pages == NOTES + 5);

	hmm_range_unregister(&range);
	mmput(mm);
}

/* So many single pages, each far from the others. */
static void hit_far_apart(struct mm_struct *mm, unsigned long first)
{
	for (unsigned long i = 0; i < NOTES; i++)
		invalidate_pages(mm, first + 200 * i, 1);
}

/* Nor do those behind it: what hits the next walk is noted exactly. */
static void t8_what_is_left_takes_no_note(void)
{
	struct mm_struct *mm = mm_alloc();
	unsigned long array[4096];
	struct hmm_range range = RANGE();
	struct test_walk w = { .read = read_until, .fault = fail };

	range.hmm_pfns = array;
	register_pages(&range, mm, 0, ARRAY_SIZE(array));
	fails_with = -EBUSY;
	fails_at = ULONG_MAX;
	EXPECT(!walk_range(&w, &range));
	for (int times = 1; times < 3; times++) {
		hit_far_apart(mm, 10);
		for (int i = 0; i < times; i++) {
			fails_at = 10;
			EXPECT(retry_range(&w, &range) == -EBUSY);
			EXPECT(!w.nr_pages);
			hit_far_apart(mm, 50 + 40 * i);
		}
		fails_at = ULONG_MAX;
		EXPECT(!retry_range(&w, &range));
		for (unsigned long i = 0; i < NOTES; i++)
			EXPECT(stored_page(&w, 10 + 200 * i) &&
			       stored_page(&w, 50 + 200 * i));
		/* The second time there is not room for all. */
		EXPECT(times == 1 ? w.nr_pages == 2 * NOTES :
				    stored_page(&w, 90 + 200 * (NOTES - 1)));
	}
	hmm_range_unregister(&range);
	mmput(mm);
}

/* Eight single pages are hit after each of ten walks. */
static void converge(unsigned long nr)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	EXPECT(!register_pages(&range, mm, 0, nr));
	EXPECT(!walk_range(&w, &range));
	EXPECT(w.nr_pages == nr);
	for (unsigned long i = 0; i < 10; i++) {
		for (unsigned long n = 0; n < NOTES; n++)
			invalidate_pages(mm, (nr / NOTES * n + i * 7919) % nr, 1);
		EXPECT(!retry_range(&w, &range));
		EXPECT(w.nr_pages == NOTES);
	}
	hmm_range_unregister(&range);
	mmput(mm);
}

static void t8_converges_in_1_gib(void)
{
	converge(1UL << (30 - PAGE_SHIFT));
}

static void t8_converges_in_64_gib(void)
{
	converge(1UL << (36 - PAGE_SHIFT));
}

static void t8_a_hit_below_does_not_stop_the_walk_above(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .hook = meet };

	register_pages(&range, mm, 100, 64);
	for (int i = 0; i < 3; i++) {
		meetings[0] = (struct meeting){
			.page = 163, .first = 100, .nr = 1, .times = 1,
		};
		meetings[1] = (struct meeting){
			.place = WALK_STEPS, .page = 100, .first = 100, .nr = 1,
			.times = UINT_MAX,
		};
		EXPECT(walk_range(&w, &range) == -EBUSY);
		EXPECT(STORED(&w, { 100, 64 }, { 100, 1 }, { 100, 1 }));
		/* All but that page is done. */
		meetings[1].times = 0;
		EXPECT(!retry_range(&w, &range));
		EXPECT(STORED(&w, { 100, 1 }));
	}
	hmm_range_unregister(&range);
	mmput(mm);
}

/*
 * T9
 */

/* Does an invalidation of this kind make a valid range invalid? */
static bool hit_by(struct hmm_range *range, enum mmu_notifier_event event,
		   void *by)
{
	struct mmu_notifier_range invalidation;
	bool hit;

	EXPECT(!walk(range));
	start_event(&invalidation, range->tracking.sub.mm, 10, 1, event, by);
	hit = !hmm_range_valid(range);
	EXPECT(!hmm_range_wait_until_valid(range, 0));
	end_pages(&invalidation);
	EXPECT(hmm_range_valid(range) == !hit);
	return hit;
}

static void t9_own_events_are_ignored_if_asked_for(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = OWN_RANGE();

	register_pages(&range, mm, 10, 10);
	EXPECT(!hit_by(&range, MMU_NOTIFY_MIGRATE, &owner));
	EXPECT(hit_by(&range, MMU_NOTIFY_MIGRATE, &other_owner));
	EXPECT(hit_by(&range, MMU_NOTIFY_MIGRATE, NULL));
	EXPECT(hit_by(&range, MMU_NOTIFY_EXCLUSIVE, &owner));
	EXPECT(hit_by(&range, MMU_NOTIFY_CLEAR, &owner));
	EXPECT(hit_by(&range, MMU_NOTIFY_UNMAP, &owner));
	hmm_range_unregister(&range);

	range.ignore_events = BIT(MMU_NOTIFY_MIGRATE) | BIT(MMU_NOTIFY_EXCLUSIVE);
	register_pages(&range, mm, 10, 10);
	EXPECT(!hit_by(&range, MMU_NOTIFY_MIGRATE, &owner));
	EXPECT(!hit_by(&range, MMU_NOTIFY_EXCLUSIVE, &owner));
	hmm_range_unregister(&range);

	range.ignore_events = 0;
	register_pages(&range, mm, 10, 10);
	EXPECT(hit_by(&range, MMU_NOTIFY_MIGRATE, &owner));
	EXPECT(hit_by(&range, MMU_NOTIFY_EXCLUSIVE, &owner));
	hmm_range_unregister(&range);
	mmput(mm);
}

static void t9_no_owner_never_matches(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	range.ignore_events = BIT(MMU_NOTIFY_MIGRATE);
	register_pages(&range, mm, 10, 10);
	EXPECT(hit_by(&range, MMU_NOTIFY_MIGRATE, NULL));
	EXPECT(hit_by(&range, MMU_NOTIFY_MIGRATE, &owner));
	hmm_range_unregister(&range);
	mmput(mm);
}

static void t9_latched_at_register(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = OWN_RANGE();

	register_pages(&range, mm, 10, 10);
	range.dev_private_owner = &other_owner;
	range.ignore_events = BIT(MMU_NOTIFY_EXCLUSIVE);
	EXPECT(!hit_by(&range, MMU_NOTIFY_MIGRATE, &owner));
	EXPECT(hit_by(&range, MMU_NOTIFY_MIGRATE, &other_owner));
	EXPECT(hit_by(&range, MMU_NOTIFY_EXCLUSIVE, &owner));
	EXPECT(hit_by(&range, MMU_NOTIFY_EXCLUSIVE, &other_owner));
	hmm_range_unregister(&range);
	mmput(mm);
}

/* The loss that is drawn at the head of mm/hmm_claim.c. */
static void t9_a_retry_reads_what_own_ones_hit(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = OWN_RANGE();
	struct mmu_notifier_range own;
	struct test_walk w = { };

	register_pages(&range, mm, 100, 64);
	EXPECT(!walk(&range));
	migrate_own(mm, 110, 2);
	EXPECT(hmm_range_valid(&range));
	invalidate_pages(mm, 150, 1);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 110, 2 }, { 150, 1 }));

	/* Also if nothing else was hit. */
	migrate_own(mm, 110, 2);
	EXPECT(hmm_range_valid(&range));
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 110, 2 }));

	/* Others' are noted when they start, and not once more. */
	invalidate_pages(mm, 150, 1);
	migrate_own(mm, 110, 1);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 110, 1 }, { 150, 1 }));
	hmm_range_unregister(&range);

	/* Whatever its kind. */
	range.ignore_events = BIT(MMU_NOTIFY_EXCLUSIVE);
	register_pages(&range, mm, 100, 64);
	EXPECT(!walk(&range));
	start_event(&own, mm, 110, 1, MMU_NOTIFY_EXCLUSIVE, &owner);
	end_pages(&own);
	EXPECT(hmm_range_valid(&range));
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 110, 1 }));
	hmm_range_unregister(&range);
	mmput(mm);
}

/* Each order of a migration and of what makes the retry necessary. */
static void t9_own_one_around_a_foreign_one(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = OWN_RANGE();
	struct mmu_notifier_range own, foreign;
	struct test_walk w = { };

	register_pages(&range, mm, 100, 64);
	EXPECT(!walk(&range));
	start_event(&own, mm, 110, 1, MMU_NOTIFY_MIGRATE, &owner);
	invalidate_pages(mm, 150, 1);
	/* It is in flight, and was ignored. */
	EXPECT(retry_range(&w, &range) == -EBUSY);
	EXPECT(STORED(&w, { 150, 1 }));
	end_pages(&own);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 110, 1 }));

	start_pages(&foreign, mm, 150, 1);
	start_event(&own, mm, 110, 1, MMU_NOTIFY_MIGRATE, &owner);
	end_pages(&foreign);
	EXPECT(retry_range(&w, &range) == -EBUSY);
	EXPECT(STORED(&w, { 150, 1 }));
	end_pages(&own);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 110, 1 }));

	/* It ends before the retry begins, and started while all was valid. */
	start_event(&own, mm, 110, 1, MMU_NOTIFY_MIGRATE, &owner);
	start_pages(&foreign, mm, 150, 1);
	end_pages(&own);
	end_pages(&foreign);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 110, 1 }, { 150, 1 }));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* A retry that comes as soon as an own one has left the list. */
static struct hmm_range *retried_range;

static void retry_after_the_end(void)
{
	struct test_walk w = { };

	if (++times_unlocked != 2)
		return;
	EXPECT(!retry_range(&w, retried_range));
	EXPECT(STORED(&w, { 110, 1 }));
}

static void t9_noted_when_it_leaves_the_list(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = OWN_RANGE();
	struct mmu_notifier_range own;

	register_pages(&range, mm, 100, 64);
	EXPECT(!walk(&range));
	start_event(&own, mm, 110, 1, MMU_NOTIFY_MIGRATE, &owner);
	EXPECT(hmm_range_valid(&range));
	retried_range = &range;
	times_unlocked = 0;
	shim_run_unlocked(retry_after_the_end);
	end_pages(&own);
	shim_run_unlocked(NULL);
	EXPECT(times_unlocked == 2);
	hmm_range_unregister(&range);
	mmput(mm);
}

static void t9_noted_for_each_range(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range ranges[3];
	struct test_walk w = { };

	for (int i = 0; i < 3; i++) {
		ranges[i] = OWN_RANGE();
		register_pages(&ranges[i], mm, 100 + i, 64);
		EXPECT(!walk(&ranges[i]));
	}
	migrate_own(mm, 110, 1);
	for (int i = 0; i < 3; i++) {
		EXPECT(!retry_range(&w, &ranges[i]));
		EXPECT(STORED(&w, { 110, 1 }));
	}
	/* One that is hit at its first page, and one at its last. */
	migrate_own(mm, 100, 1);
	EXPECT(!retry_range(&w, &ranges[0]));
	EXPECT(STORED(&w, { 100, 1 }));
	migrate_own(mm, 165, 1);
	EXPECT(!retry_range(&w, &ranges[2]));
	EXPECT(STORED(&w, { 165, 1 }));
	for (int i = 0; i < 3; i++)
		hmm_range_unregister(&ranges[i]);
	mmput(mm);
}

static void t9_none_begins_in_the_middle_of_an_own_one(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = OWN_RANGE(), late = OWN_RANGE();
	struct mmu_notifier_range own;

	register_pages(&range, mm, 10, 10);
	EXPECT(!walk(&range));
	start_event(&own, mm, 15, 1, MMU_NOTIFY_MIGRATE, &owner);
	EXPECT(hmm_range_valid(&range));
	register_pages(&late, mm, 10, 10);
	EXPECT(walk(&late) == -EBUSY);
	EXPECT(hmm_range_begin(&late) == -EBUSY);
	EXPECT(!hmm_range_wait_until_valid(&late, 0));
	EXPECT(walk(&range) == -EBUSY);
	EXPECT(hmm_range_begin(&range) == -EBUSY);
	EXPECT(!hmm_range_valid(&range));
	end_pages(&own);
	EXPECT(!hmm_range_valid(&range));
	EXPECT(!walk(&range));
	EXPECT(!hmm_range_begin(&late));

	hmm_range_unregister(&range);
	hmm_range_unregister(&late);
	mmput(mm);
}

static void t9_a_running_walk_takes_own_ones_for_others(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = OWN_RANGE();
	struct test_walk w = { .hook = meet };

	register_pages(&range, mm, 100, 64);
	for (enum walk_place place = WALK_READS; place <= WALK_STEPS; place++) {
		/* It ends at once. */
		meetings[0] = (struct meeting){
			.place = place, .page = 120, .first = 120, .nr = 1,
			.times = 1, .owner = &owner,
		};
		EXPECT(!walk_range(&w, &range));
		EXPECT(STORED(&w, { 100, 64 }, { 120, 1 }));
		/* It goes on for a while. */
		meetings[0].times = 1;
		meetings[0].end_page = 163;
		EXPECT(!walk_range(&w, &range));
		EXPECT(STORED(&w, { 100, 64 }, { 120, 1 }));
		/* It goes on when the walk has ended. */
		meetings[0].times = 1;
		meetings[0].end_page = 1000;
		EXPECT(walk_range(&w, &range) == -EBUSY);
		EXPECT(!hmm_range_valid(&range));
		end_pages(&meetings[0].invalidation);
		EXPECT(!hmm_range_valid(&range));
		meetings[0].in_flight = false;
	}
	hmm_range_unregister(&range);
	mmput(mm);
}

/*
 * T13
 */

/* What the pages hold, and a walk that stores it. */
static unsigned long content[200], array[100];

static unsigned long read_content(struct test_walk *w, unsigned long page)
{
	return HMM_PFN_VALID | HMM_PFN_WRITE | content[page];
}

static void change(unsigned long page)
{
	content[page]++;
}

static bool array_is_true(const struct hmm_range *range)
{
	unsigned long first = (range->start - BASE) >> PAGE_SHIFT;
	unsigned long nr = (range->end - range->start) >> PAGE_SHIFT;

	for (unsigned long i = 0; i < nr; i++)
		if ((array[i] & ~HMM_PFN_FLAGS) != content[first + i])
			return false;
	return true;
}

/* The page that is zapped at each page of the walk, and in which place. */
static enum walk_place zap_place;
static unsigned long zap_at, zap_page;

static void zap_there(struct test_walk *w, enum walk_place place,
		      unsigned long page)
{
	struct mmu_notifier_range invalidation;

	if (place != zap_place || page != zap_at)
		return;
	zap_at = 0;
	start_pages(&invalidation, w->walk.mm, zap_page, 1);
	change(zap_page);
	end_pages(&invalidation);
}

/* Each page is zapped at each place of a walk: of all, and of a retry. */
static void t13_what_is_hit_is_read_again(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .read = read_content, .hook = zap_there };

	range.hmm_pfns = array;
	register_pages(&range, mm, 100, 20);
	for (int i = 0; i < 3 * 20 * 20; i++) {
		zap_place = i % 3;
		zap_at = 100 + i / 3 % 20;
		zap_page = 100 + i / 60;
		EXPECT(!walk_range(&w, &range));
		EXPECT(hmm_range_valid(&range));
		EXPECT(array_is_true(&range));
		EXPECT(w.nr_pages == 21);

		/* Some lie below what the retry reads, some above. */
		invalidate_pages(mm, 105, 2);
		zap_at = 105;
		EXPECT(!retry_range(&w, &range));
		EXPECT(hmm_range_valid(&range));
		EXPECT(array_is_true(&range));
		EXPECT(w.nr_pages == 3);
	}
	hmm_range_unregister(&range);
	mmput(mm);
}

/* It starts when the page is read, and zaps when the walk has moved on. */
static struct mmu_notifier_range slow_zap;

static void zap_slowly(struct test_walk *w, enum walk_place place,
		       unsigned long page)
{
	if (place == WALK_READS && page == 110)
		start_pages(&slow_zap, w->walk.mm, 110, 1);
	if (place == WALK_STEPS && page == 115)
		change(110);
}

static void t13_the_position_need_not_have_moved(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .read = read_content, .hook = zap_slowly };

	range.hmm_pfns = array;
	register_pages(&range, mm, 100, 20);
	EXPECT(walk_range(&w, &range) == -EBUSY);
	EXPECT(!hmm_range_valid(&range));
	end_pages(&slow_zap);
	w.hook = NULL;
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 110, 1 }));
	EXPECT(array_is_true(&range));
	hmm_range_unregister(&range);
	mmput(mm);
}

static void t13_goes_round_what_is_in_flight(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .hook = meet };
	struct mmu_notifier_range before, middle, inner, end;

	register_pages(&range, mm, 100, 20);
	start_pages(&before, mm, 90, 12);
	start_pages(&middle, mm, 105, 3);
	start_pages(&inner, mm, 106, 4);
	start_pages(&end, mm, 118, 10);
	EXPECT(walk_range(&w, &range) == -EBUSY);
	EXPECT(STORED(&w, { 102, 3 }, { 110, 8 }));
	end_pages(&middle);
	EXPECT(retry_range(&w, &range) == -EBUSY);
	EXPECT(STORED(&w, { 105, 1 }));
	end_pages(&before);
	end_pages(&end);
	EXPECT(retry_range(&w, &range) == -EBUSY);
	EXPECT(STORED(&w, { 100, 2 }, { 118, 2 }));
	end_pages(&inner);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 106, 4 }));

	/* One of more than there is. */
	start_pages(&before, mm, 0, 1000);
	EXPECT(walk_range(&w, &range) == -EBUSY);
	EXPECT(!w.nr_pages);
	end_pages(&before);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 100, 20 }));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* Which of two came first must not matter. */
static void t13_goes_round_in_any_order(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };
	struct mmu_notifier_range first, second;

	register_pages(&range, mm, 100, 20);
	for (int i = 0; i < 2; i++) {
		start_pages(&first, mm, i ? 115 : 105, 1);
		start_pages(&second, mm, i ? 105 : 115, 1);
		EXPECT(walk_range(&w, &range) == -EBUSY);
		EXPECT(STORED(&w, { 100, 5 }, { 106, 9 }, { 116, 4 }));
		end_pages(&first);
		end_pages(&second);
		EXPECT(!retry_range(&w, &range));
		EXPECT(STORED(&w, { 105, 1 }, { 115, 1 }));
	}
	hmm_range_unregister(&range);
	mmput(mm);
}

/* It is over while the walk is elsewhere, which then comes back. */
static void t13_comes_back(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .hook = meet };

	register_pages(&range, mm, 100, 20);
	meetings[0] = (struct meeting){ .page = 1, .end_page = 115, .in_flight = true };
	start_pages(&meetings[0].invalidation, mm, 105, 3);
	EXPECT(!walk_range(&w, &range));
	EXPECT(STORED(&w, { 100, 5 }, { 108, 12 }, { 105, 3 }));
	EXPECT(hmm_range_valid(&range));
	hmm_range_unregister(&range);
	mmput(mm);
}

/* What is not claimed is not disturbed: it is read once. */
static void t13_nothing_is_noted_of_what_is_not_claimed(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .hook = meet };

	register_pages(&range, mm, 100, 20);
	/* The first claim ends at page 110. */
	start_pages(&slow_zap, mm, 110, 1);
	meetings[0] = (struct meeting){
		.page = 105, .first = 112, .nr = 8, .times = 1,
	};
	EXPECT(walk_range(&w, &range) == -EBUSY);
	EXPECT(STORED(&w, { 100, 10 }, { 111, 9 }));
	end_pages(&slow_zap);
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 110, 1 }));

	/* What the claim ends at is over by then, and hit once more. */
	meetings[1] = (struct meeting){ .page = 1, .end_page = 103, .in_flight = true };
	start_pages(&meetings[1].invalidation, mm, 110, 1);
	meetings[0] = (struct meeting){
		.page = 105, .first = 110, .nr = 10, .times = 1,
	};
	EXPECT(!walk_range(&w, &range));
	EXPECT(STORED(&w, { 100, 20 }));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t13_two_rounds(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .hook = meet };

	register_pages(&range, mm, 100, 20);
	for (enum walk_place place = WALK_READS; place <= WALK_STEPS; place++) {
		meetings[0] = (struct meeting){
			.place = place, .page = 107, .first = 107, .nr = 1,
			.times = 2,
		};
		EXPECT(!walk_range(&w, &range));
		EXPECT(STORED(&w, { 100, 20 }, { 107, 1 }, { 107, 1 }));
		meetings[0].times = 3;
		EXPECT(walk_range(&w, &range) == -EBUSY);
		EXPECT(STORED(&w, { 100, 20 }, { 107, 1 }, { 107, 1 }));
		EXPECT(!retry_range(&w, &range));
		EXPECT(STORED(&w, { 107, 1 }));
	}
	hmm_range_unregister(&range);
	mmput(mm);
}

/* What one round has written is no request of the next. */
static void t13_no_rounds_with_a_mask(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .hook = meet };

	range.pfn_flags_mask = HMM_PFN_REQ_WRITE;
	register_pages(&range, mm, 100, 20);
	meetings[0] = (struct meeting){
		.page = 107, .first = 107, .nr = 1, .times = 2,
	};
	EXPECT(walk_range(&w, &range) == -EBUSY);
	EXPECT(STORED(&w, { 100, 20 }));
	/* A snapshot takes no requests from the array. */
	w.snapshot = true;
	EXPECT(!walk_range(&w, &range));
	EXPECT(STORED(&w, { 100, 20 }, { 107, 1 }));
	hmm_range_unregister(&range);
	mmput(mm);
}

/* Each round is hit, and the mm dies in the last one. */
static void die_in_the_last_round(struct test_walk *w, enum walk_place place,
				  unsigned long page)
{
	if (place != WALK_STEPS || page != 107)
		return;
	invalidate_pages(w->walk.mm, page, 1);
	if (w->nr_pages == 20 + HMM_WALK_ROUNDS)
		mmu_tracker_release(mmu_notifier_tracker(w->walk.mm),
				    w->walk.mm);
}

static void t7_a_walk_that_is_hit_fails_when_the_mm_dies(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .hook = die_in_the_last_round };

	register_pages(&range, mm, 100, 20);
	EXPECT(walk_range(&w, &range) == -EFAULT);
	EXPECT(STORED(&w, { 100, 20 }, { 107, 1 }, { 107, 1 }));
	hmm_range_unregister(&range);
	mmput(mm);
}

/* Pages that a fork has shared: a fault copies, and invalidates what it copies. */
static bool shared[200];
static unsigned long copy_around;

static unsigned long read_shared(struct test_walk *w, unsigned long page)
{
	return HMM_PFN_VALID | (shared[page] ? 0 : HMM_PFN_WRITE) | content[page];
}

static int copy(struct test_walk *w, unsigned long page, unsigned long required)
{
	unsigned long first = page & ~(copy_around - 1);
	struct mmu_notifier_range invalidation;

	start_pages(&invalidation, w->walk.mm, first, copy_around);
	for (page = first; page < first + copy_around; page++) {
		shared[page] = false;
		change(page);
	}
	end_pages(&invalidation);
	return 0;
}

/* N pages cost N faults, and each is stored once. */
static void t13_copies_do_not_disturb_the_walk(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .read = read_shared, .fault = copy };

	range.hmm_pfns = array;
	range.default_flags |= HMM_PFN_REQ_WRITE;
	register_pages(&range, mm, 100, 64);
	copy_around = 1;
	for (unsigned long page = 100; page < 164; page++)
		shared[page] = true;
	EXPECT(!walk_range(&w, &range));
	EXPECT(w.nr_faults == 64);
	EXPECT(STORED(&w, { 100, 64 }));
	EXPECT(hmm_range_valid(&range));
	EXPECT(array_is_true(&range));

	/* In a retry too, where some is kept. */
	for (unsigned long page = 110; page < 120; page++)
		shared[page] = true;
	invalidate_pages(mm, 110, 10);
	EXPECT(!retry_range(&w, &range));
	EXPECT(w.nr_faults == 10);
	EXPECT(STORED(&w, { 110, 10 }));
	EXPECT(array_is_true(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* A huge page is split: what is stored of it already is read again. */
static void t13_a_copy_disturbs_what_is_stored(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .read = read_shared, .fault = copy };

	range.hmm_pfns = array;
	range.default_flags |= HMM_PFN_REQ_WRITE;
	register_pages(&range, mm, 100, 20);
	copy_around = 8;
	shared[107] = true;
	EXPECT(!walk_range(&w, &range));
	EXPECT(w.nr_faults == 1);
	EXPECT(STORED(&w, { 100, 20 }, { 104, 3 }));
	EXPECT(hmm_range_valid(&range));
	EXPECT(array_is_true(&range));

	/* In a retry, what is kept behind that as well. */
	invalidate_pages(mm, 104, 3);
	shared[104] = true;
	EXPECT(!retry_range(&w, &range));
	EXPECT(w.nr_faults == 1);
	EXPECT(STORED(&w, { 104, 8 }));
	EXPECT(hmm_range_valid(&range));
	EXPECT(array_is_true(&range));
	hmm_range_unregister(&range);
	mmput(mm);
}

/* The page that is zapped while another one is faulted in. */
static unsigned long zap_in_fault;

static int fault_and_zap(struct test_walk *w, unsigned long page,
			 unsigned long required)
{
	struct mmu_notifier_range invalidation;

	shared[page] = false;
	start_pages(&invalidation, w->walk.mm, zap_in_fault, 1);
	change(zap_in_fault);
	end_pages(&invalidation);
	return 0;
}

/* Before the fault a walk gives back what it has not stored, and no more. */
static void t13_what_is_kept_is_zapped_during_a_fault(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .read = read_shared, .fault = fault_and_zap };

	range.hmm_pfns = array;
	range.default_flags |= HMM_PFN_REQ_WRITE;
	register_pages(&range, mm, 100, 20);
	EXPECT(!walk_range(&w, &range));
	for (zap_in_fault = 100; zap_in_fault < 120; zap_in_fault++) {
		invalidate_pages(mm, 109, 3);
		shared[110] = true;
		EXPECT(!retry_range(&w, &range));
		EXPECT(w.nr_faults == 1);
		EXPECT(hmm_range_valid(&range));
		EXPECT(array_is_true(&range));
		/* What is yet to be read is read once. */
		EXPECT(w.nr_pages == (zap_in_fault == 110 || zap_in_fault == 111 ?
				      3 : 4));
	}
	hmm_range_unregister(&range);
	mmput(mm);
}

/* What has hit a range is counted; what was ignored is not. */
static void t14_hits_are_counted(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = OWN_RANGE();
	unsigned long seq;

	register_pages(&range, mm, 10, 10);
	EXPECT(!walk(&range));
	seq = range.tracking.seq;
	invalidate_pages(mm, 30, 1);
	migrate_own(mm, 10, 1);
	EXPECT(range.tracking.seq == seq);
	invalidate_pages(mm, 10, 1);
	EXPECT(range.tracking.seq == seq + 1);
	invalidate_pages(mm, 10, 1);
	migrate_own(mm, 10, 1);
	EXPECT(range.tracking.seq == seq + 3);

	/* Only what hits the window that is walked. */
	range.end = ADDR(15);
	EXPECT(!walk(&range));
	seq = range.tracking.seq;
	invalidate_pages(mm, 15, 5);
	EXPECT(range.tracking.seq == seq);
	invalidate_pages(mm, 14, 2);
	EXPECT(range.tracking.seq == seq + 1);
	mmgrab(mm);
	mmput(mm);
	EXPECT(range.tracking.seq == seq + 2);
	hmm_range_unregister(&range);
	mmdrop(mm);
}

/* Where a page is faulted in, and what hits the range meanwhile. */
static bool hit_by_another_thread;

static void *hit_a_page(void *mm)
{
	invalidate_pages(mm, 119, 1);
	return NULL;
}

static int copy_and_hit(struct test_walk *w, unsigned long page,
			unsigned long required)
{
	pthread_t thread;

	if (hit_by_another_thread) {
		if (pthread_create(&thread, NULL, hit_a_page, w->walk.mm))
			abort();
		pthread_join(thread, NULL);
	}
	return copy(w, page, required) ?: fails_with;
}

/* Faults that a walk asks for are its own; nothing else that hits it is. */
static void t14_own_copies_are_not_counted(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .read = read_shared, .fault = copy_and_hit };
	unsigned long seq;

	range.hmm_pfns = array;
	range.default_flags |= HMM_PFN_REQ_WRITE;
	register_pages(&range, mm, 100, 20);
	copy_around = 1;
	fails_with = 0;
	seq = range.tracking.seq;
	shared[105] = true;
	EXPECT(!walk_range(&w, &range));
	EXPECT(range.tracking.seq == seq);

	/* Also of what is stored, which it has to read again. */
	copy_around = 8;
	shared[107] = true;
	EXPECT(!walk_range(&w, &range));
	EXPECT(STORED(&w, { 100, 20 }, { 104, 3 }));
	EXPECT(range.tracking.seq == seq);
	copy_around = 1;

	/* The walk goes on, and meets one of others. */
	w.hook = meet;
	meetings[0] = (struct meeting){
		.page = 107, .first = 100, .nr = 1, .times = 1,
	};
	shared[105] = true;
	EXPECT(!walk_range(&w, &range));
	EXPECT(range.tracking.seq == seq + 1);

	/* Another thread is the cause while a fault runs. */
	hit_by_another_thread = true;
	shared[105] = true;
	EXPECT(!walk_range(&w, &range));
	EXPECT(range.tracking.seq == seq + 2);
	hit_by_another_thread = false;

	/* A walk that a fault has ended does not fault any more. */
	fails_with = -EFAULT;
	shared[105] = true;
	EXPECT(walk_range(&w, &range) == -EFAULT);
	EXPECT(range.tracking.seq == seq + 2);
	invalidate_pages(mm, 100, 1);
	EXPECT(range.tracking.seq == seq + 3);

	hmm_range_unregister(&range);
	mmput(mm);
}

#define TEST(name) { #name, name }

const struct test retry_tests[] = {
	TEST(t8_untold_all_is_read),
	TEST(t8_told_what_was_hit_is_read),
	TEST(t8_notes_are_exact),
	TEST(t8_notes_that_meet_share_a_place),
	TEST(t8_notes_a_page_apart_are_two),
	TEST(t8_the_end_of_a_foreign_one_is_not_noted),
	TEST(t8_beyond_the_notes_chunks_are_read),
	TEST(t8_chunks_add_up),
	TEST(t8_notes_and_chunks_may_overlap),
	TEST(t8_parts_of_pages),
	TEST(t8_only_the_same_call_is_a_retry),
	TEST(t8_what_asks_for_nothing_reads_all),
	TEST(t8_with_a_mask_all_is_read),
	TEST(t8_a_walk_that_fails_puts_its_notes_back),
	TEST(t8_put_back_beyond_the_notes),
	TEST(t8_where_it_was_interrupted_takes_no_note),
	TEST(t8_what_is_left_takes_no_note),
	TEST(t8_converges_in_1_gib),
	TEST(t8_converges_in_64_gib),
	TEST(t8_a_hit_below_does_not_stop_the_walk_above),
	TEST(t9_own_events_are_ignored_if_asked_for),
	TEST(t9_no_owner_never_matches),
	TEST(t9_latched_at_register),
	TEST(t9_a_retry_reads_what_own_ones_hit),
	TEST(t9_own_one_around_a_foreign_one),
	TEST(t9_noted_when_it_leaves_the_list),
	TEST(t9_noted_for_each_range),
	TEST(t9_none_begins_in_the_middle_of_an_own_one),
	TEST(t9_a_running_walk_takes_own_ones_for_others),
	TEST(t13_what_is_hit_is_read_again),
	TEST(t13_the_position_need_not_have_moved),
	TEST(t13_goes_round_what_is_in_flight),
	TEST(t13_goes_round_in_any_order),
	TEST(t13_comes_back),
	TEST(t13_nothing_is_noted_of_what_is_not_claimed),
	TEST(t13_two_rounds),
	TEST(t13_no_rounds_with_a_mask),
	TEST(t7_a_walk_that_is_hit_fails_when_the_mm_dies),
	TEST(t13_copies_do_not_disturb_the_walk),
	TEST(t13_a_copy_disturbs_what_is_stored),
	TEST(t13_what_is_kept_is_zapped_during_a_fault),
	TEST(t14_hits_are_counted),
	TEST(t14_own_copies_are_not_counted),
	{ }
};
