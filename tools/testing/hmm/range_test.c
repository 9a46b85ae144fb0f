// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The properties of tracked ranges, one by one. The number in a test's name is
 * that of the property in Documentation/mm/hmm_tests.rst.
 */
#include "test.h"

static unsigned long pfns[1], other_pfns[1];
static int owner, other_owner;

/* A range that can be walked; nothing here reads or writes the array. */
#define RANGE() ((struct hmm_range) {					\
	.hmm_pfns = pfns,						\
	.default_flags = HMM_PFN_REQ_FAULT,				\
})

static int walk_begin(struct hmm_range *range, u64 *todo)
{
	int ret;

	mmap_read_lock(range->tracking.mm);
	ret = hmm_range_walk_begin(range, true, todo);
	if (ret)
		mmap_read_unlock(range->tracking.mm);
	return ret;
}

static int walk_end(struct hmm_range *range, u64 todo, int err)
{
	err = hmm_range_walk_end(range, todo, err);
	mmap_read_unlock(range->tracking.mm);
	return err;
}

/* A walk that nothing gets in the way of; @walked gets the chunks of it. */
static int walk_chunks(struct hmm_range *range, u64 *walked)
{
	int ret = walk_begin(range, walked);

	return ret ?: walk_end(range, 0, 0);
}

static int walk(struct hmm_range *range)
{
	u64 walked;

	return walk_chunks(range, &walked);
}

static bool can_walk(struct hmm_range *range)
{
	return hmm_range_wait_until_valid(range, 0);
}

/* Wherever this is set nothing may sleep. */
static void must_not_sleep(void)
{
	printf("# slept\n");
	test_failed = true;
}

static void t1_start_invalidates(void)
{
	struct mm_struct *mm = mm_alloc();
	struct mmu_notifier_range invalidation;
	struct hmm_range range = RANGE();

	EXPECT(!register_pages(&range, mm, 10, 10));
	EXPECT(!hmm_range_valid(&range));
	EXPECT(!walk(&range));
	EXPECT(hmm_range_valid(&range));

	start_pages(&invalidation, mm, 15, 1);
	EXPECT(!hmm_range_valid(&range));
	end_pages(&invalidation);
	EXPECT(!hmm_range_valid(&range));
	EXPECT(!walk(&range));
	EXPECT(hmm_range_valid(&range));

	hmm_range_unregister(&range);
	EXPECT(!hmm_range_valid(&range));
	mmput(mm);
}

static void t1_walk_is_refused_during_an_invalidation(void)
{
	struct mm_struct *mm = mm_alloc();
	struct mmu_notifier_range first, second;
	struct hmm_range range = RANGE();
	u64 todo;

	register_pages(&range, mm, 10, 10);
	start_pages(&first, mm, 0, 100);
	start_pages(&second, mm, 19, 1);
	EXPECT(walk_begin(&range, &todo) == -EBUSY);
	EXPECT(hmm_range_begin(&range) == -EBUSY);
	end_pages(&first);
	EXPECT(walk_begin(&range, &todo) == -EBUSY);
	EXPECT(hmm_range_begin(&range) == -EBUSY);
	EXPECT(!hmm_range_valid(&range));
	end_pages(&second);
	EXPECT(!walk(&range));
	EXPECT(hmm_range_valid(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t1_invalidation_during_a_walk(void)
{
	struct mm_struct *mm = mm_alloc();
	struct mmu_notifier_range invalidation;
	struct hmm_range range = RANGE();
	u64 todo;

	register_pages(&range, mm, 10, 10);

	/* It goes on after the walk. */
	EXPECT(!walk_begin(&range, &todo));
	EXPECT(!hmm_range_walk_invalidated(&range));
	start_pages(&invalidation, mm, 10, 1);
	EXPECT(hmm_range_walk_invalidated(&range));
	EXPECT(walk_end(&range, 0, 0) == -EBUSY);
	EXPECT(!hmm_range_valid(&range));
	end_pages(&invalidation);
	EXPECT(!hmm_range_valid(&range));

	/* It is over before the walk. */
	EXPECT(!walk_begin(&range, &todo));
	invalidate_pages(mm, 10, 1);
	EXPECT(hmm_range_walk_invalidated(&range));
	EXPECT(walk_end(&range, 0, 0) == -EBUSY);
	EXPECT(!hmm_range_valid(&range));
	EXPECT(!walk(&range));
	EXPECT(hmm_range_valid(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t1_begin_arms_without_a_walk(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	register_pages(&range, mm, 10, 10);
	EXPECT(!hmm_range_begin(&range));
	EXPECT(hmm_range_valid(&range));
	invalidate_pages(mm, 19, 1);
	EXPECT(!hmm_range_valid(&range));
	EXPECT(!hmm_range_begin(&range));
	EXPECT(hmm_range_valid(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t3_unrelated_invalidation_held_for_ever(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range early = RANGE(), late = RANGE();
	struct mmu_notifier_range unrelated;

	register_pages(&early, mm, 10, 10);
	start_pages(&unrelated, mm, 1000, 10);
	shim_asleep = must_not_sleep;

	EXPECT(!register_pages(&late, mm, 30, 10));
	EXPECT(hmm_range_wait_until_valid(&early, HMM_RANGE_DEFAULT_TIMEOUT));
	EXPECT(hmm_range_wait_until_valid(&late, HMM_RANGE_DEFAULT_TIMEOUT));
	EXPECT(!walk(&early));
	EXPECT(!walk(&late));
	EXPECT(hmm_range_valid(&early));
	EXPECT(hmm_range_valid(&late));
	hmm_range_unregister(&early);
	hmm_range_unregister(&late);

	end_pages(&unrelated);
	mmput(mm);
}

static void t3_register_and_unregister_do_not_wait(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE(), again = RANGE();
	struct mmu_notifier_range overlapping;

	register_pages(&range, mm, 10, 10);
	start_pages(&overlapping, mm, 15, 10);
	shim_asleep = must_not_sleep;
	EXPECT(!register_pages(&again, mm, 15, 10));
	hmm_range_unregister(&range);
	hmm_range_unregister(&again);
	end_pages(&overlapping);
	mmput(mm);
}

static void t3_only_the_first_takes_the_locks(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range ranges[20];

	for (int i = 0; i < 20; i++) {
		ranges[i] = RANGE();
		EXPECT(!register_pages(&ranges[i], mm, i * 10, 10));
	}
	EXPECT(mm->all_locks_taken == 1);
	EXPECT(mm->mmap_write_locks == 1);
	for (int i = 0; i < 20; i++)
		hmm_range_unregister(&ranges[i]);

	/* It is the first in the mm that counts, not the first of its time. */
	EXPECT(!register_pages(&ranges[0], mm, 0, 10));
	EXPECT(mm->all_locks_taken == 1);
	hmm_range_unregister(&ranges[0]);
	mmput(mm);
}

static void t4_ends_are_exclusive(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range below, above;

	register_pages(&range, mm, 10, 10);
	EXPECT(!walk(&range));

	/* Both touch it; neither overlaps it. */
	start_pages(&below, mm, 0, 10);
	start_pages(&above, mm, 20, 10);
	EXPECT(hmm_range_valid(&range));
	EXPECT(can_walk(&range));
	EXPECT(!walk(&range));
	end_pages(&below);
	end_pages(&above);
	EXPECT(hmm_range_valid(&range));

	invalidate_pages(mm, 10, 1);
	EXPECT(!hmm_range_valid(&range));
	EXPECT(!walk(&range));
	invalidate_pages(mm, 19, 1);
	EXPECT(!hmm_range_valid(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t4_an_empty_invalidation_hits_nothing(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range empty;

	register_pages(&range, mm, 10, 10);
	EXPECT(!walk(&range));
	start_pages(&empty, mm, 10, 0);
	EXPECT(hmm_range_valid(&range));
	EXPECT(can_walk(&range));
	end_pages(&empty);
	start_pages(&empty, mm, 15, 0);
	EXPECT(hmm_range_valid(&range));
	EXPECT(can_walk(&range));
	end_pages(&empty);

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t4_the_whole_address_space(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range first = RANGE(), last = RANGE();
	struct mmu_notifier_range all = { .mm = mm, .end = ULONG_MAX };

	EXPECT(!hmm_range_register(&first, mm, 0, PAGE_SIZE));
	EXPECT(!hmm_range_register(&last, mm, mm->task_size - PAGE_SIZE,
				   mm->task_size));
	EXPECT(!walk(&first));
	EXPECT(!walk(&last));
	mmu_notifier_invalidate_range_start(&all);
	EXPECT(!hmm_range_valid(&first));
	EXPECT(!hmm_range_valid(&last));
	EXPECT(!can_walk(&first));
	EXPECT(!can_walk(&last));
	mmu_notifier_invalidate_range_end(&all);
	EXPECT(can_walk(&first));

	hmm_range_unregister(&first);
	hmm_range_unregister(&last);
	mmput(mm);
}

/* Start that failed is taken back by an end; nobody else may notice. */
static void t5_taking_back_a_start(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range refused;

	register_pages(&range, mm, 10, 10);
	EXPECT(!walk(&range));
	start_pages(&refused, mm, 10, 10);
	end_pages(&refused);
	/* What is on the stack is free to be used again. */
	memset(&refused, 0xff, sizeof(refused));
	EXPECT(can_walk(&range));
	EXPECT(!walk(&range));
	EXPECT(hmm_range_valid(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t6_registered_in_mid_invalidation(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range first = RANGE(), range = RANGE();
	struct mmu_notifier_range invalidation;

	register_pages(&first, mm, 0, 1);
	start_pages(&invalidation, mm, 10, 10);
	EXPECT(!register_pages(&range, mm, 15, 10));
	EXPECT(!hmm_range_valid(&range));
	EXPECT(!can_walk(&range));
	EXPECT(walk(&range) == -EBUSY);
	EXPECT(hmm_range_begin(&range) == -EBUSY);
	end_pages(&invalidation);
	EXPECT(can_walk(&range));
	EXPECT(!walk(&range));

	hmm_range_unregister(&first);
	hmm_range_unregister(&range);
	mmput(mm);
}

static void t6_recorded_while_no_range_is_registered(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range invalidation;

	register_pages(&range, mm, 10, 10);
	hmm_range_unregister(&range);

	start_pages(&invalidation, mm, 10, 10);
	EXPECT(!register_pages(&range, mm, 10, 10));
	EXPECT(!can_walk(&range));
	EXPECT(walk(&range) == -EBUSY);
	EXPECT(hmm_range_begin(&range) == -EBUSY);
	end_pages(&invalidation);
	EXPECT(!walk(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* What the sleepers of the next tests are woken by, or not. */
static struct mmu_notifier_range *end_asleep[4];
static struct mm_struct *put_asleep;
static bool kill_asleep;
static int times_asleep;

static void one_more_sleep(void)
{
	struct mmu_notifier_range *end = end_asleep[times_asleep++];

	shim_jiffies += 10;
	if (end)
		end_pages(end);
	if (put_asleep)
		mmput(put_asleep);
	put_asleep = NULL;
	shim_killed = kill_asleep;
}

static void t7_wait_ends_with_the_invalidation(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range first, second, unrelated;
	unsigned long began;

	register_pages(&range, mm, 10, 10);
	start_pages(&first, mm, 10, 1);
	start_pages(&second, mm, 12, 1);
	start_pages(&unrelated, mm, 100, 1);
	shim_asleep = one_more_sleep;
	end_asleep[0] = &first;
	end_asleep[1] = &second;
	began = jiffies;
	EXPECT(hmm_range_wait_until_valid(&range, 1000));
	EXPECT(times_asleep == 2);
	EXPECT(jiffies - began == 20);
	end_pages(&unrelated);

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t7_wait_ends_on_timeout(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range invalidation, unrelated;
	unsigned long began = jiffies;

	register_pages(&range, mm, 10, 10);
	start_pages(&invalidation, mm, 10, 1);
	start_pages(&unrelated, mm, 100, 1);
	shim_asleep = one_more_sleep;
	/* The end of another invalidation does not make it wait longer. */
	end_asleep[0] = &unrelated;
	EXPECT(!hmm_range_wait_until_valid(&range, 1000));
	EXPECT(jiffies - began == 1000);
	EXPECT(hmm_range_wait(&range, 50) == -EBUSY);
	EXPECT(jiffies - began == 1050);

	/* 0 asks without waiting. */
	shim_asleep = must_not_sleep;
	EXPECT(!hmm_range_wait_until_valid(&range, 0));
	EXPECT(hmm_range_wait(&range, 0) == -EBUSY);
	end_pages(&invalidation);
	EXPECT(hmm_range_wait_until_valid(&range, 0));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* A time that does not fit into an int of jiffies is long, not short. */
static void t7_wait_for_very_long(void)
{
	static const unsigned long ms[] = { ULONG_MAX, 1UL << 32, UINT_MAX, INT_MAX };
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range invalidation;

	register_pages(&range, mm, 10, 10);
	shim_asleep = one_more_sleep;
	for (unsigned int i = 0; i < ARRAY_SIZE(ms); i++) {
		start_pages(&invalidation, mm, 10, 1);
		times_asleep = 0;
		end_asleep[0] = &invalidation;
		EXPECT(hmm_range_wait_until_valid(&range, ms[i]));
	}
	start_pages(&invalidation, mm, 10, 1);
	times_asleep = 0;
	EXPECT(!hmm_range_wait(&range, ULONG_MAX));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t7_wait_ends_on_a_fatal_signal(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range invalidation;

	register_pages(&range, mm, 10, 10);
	start_pages(&invalidation, mm, 10, 1);
	shim_asleep = one_more_sleep;
	kill_asleep = true;
	EXPECT(!hmm_range_wait_until_valid(&range, 1000));
	EXPECT(times_asleep == 1);
	EXPECT(hmm_range_wait(&range, 1000) == -EINTR);
	shim_killed = false;
	end_pages(&invalidation);

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t7_wait_ends_when_the_mm_dies(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range invalidation;
	unsigned long began;

	register_pages(&range, mm, 10, 10);
	start_pages(&invalidation, mm, 10, 1);
	shim_asleep = one_more_sleep;
	put_asleep = mm;
	began = jiffies;
	EXPECT(!hmm_range_wait_until_valid(&range, 1000));
	EXPECT(times_asleep == 1);
	EXPECT(jiffies - began == 10);
	EXPECT(hmm_range_wait(&range, 1000) == -EFAULT);
	end_pages(&invalidation);
	hmm_range_unregister(&range);
}

static void t7_all_fails_once_the_mm_is_dying(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE(), late = RANGE();

	register_pages(&range, mm, 10, 10);
	EXPECT(!walk(&range));
	mmgrab(mm);
	mmput(mm);
	EXPECT(!hmm_range_valid(&range));

	for (int i = 0; i < 3; i++) {
		EXPECT(walk(&range) == -EFAULT);
		EXPECT(hmm_range_begin(&range) == -EFAULT);
		EXPECT(!hmm_range_wait_until_valid(&range, 1000));
		EXPECT(hmm_range_wait(&range, 1000) == -EFAULT);
		EXPECT(register_pages(&late, mm, 10, 10) == -EFAULT);
	}
	hmm_range_unregister(&range);
	EXPECT(!hmm_range_valid(&range));
	mmdrop(mm);
}

/* Emptied by the OOM killer: what is missing must not be read as a hole. */
static void t7_walk_fails_when_the_mm_is_unstable(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	register_pages(&range, mm, 10, 10);
	mm->unstable = true;
	EXPECT(walk(&range) == -EFAULT);
	EXPECT(!hmm_range_valid(&range));
	hmm_range_unregister(&range);
	mmput(mm);
}

/* The number of pages in a chunk of a range of @nr pages, found the slow way. */
static unsigned long chunk_pages(unsigned long nr)
{
	unsigned long pages = 1;

	while (pages * 64 < nr)
		pages *= 2;
	return pages;
}

static void t8_retry_walks_the_chunks_that_were_hit(void)
{
	static const unsigned long sizes[] = {
		1, 2, 63, 64, 65, 127, 128, 129, 1000, 4096, 65536, 65537,
	};
	struct mm_struct *mm = mm_alloc();

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned long nr = sizes[i], chunk = chunk_pages(nr);
		unsigned long chunks = (nr + chunk - 1) / chunk;
		unsigned long step = nr / 50 + 1;
		struct hmm_range range = RANGE();
		u64 walked;

		EXPECT(!register_pages(&range, mm, 7, nr));
		EXPECT(!walk_chunks(&range, &walked));
		EXPECT(walked == GENMASK_ULL(chunks - 1, 0));
		for (unsigned long page = 0; page < nr; page += step) {
			invalidate_pages(mm, 7 + page, 1);
			EXPECT(!walk_chunks(&range, &walked));
			EXPECT(walked == BIT_ULL(page / chunk));
			EXPECT(hmm_range_valid(&range));
		}
		invalidate_pages(mm, 7 + nr - 1, 1);
		EXPECT(!walk_chunks(&range, &walked));
		EXPECT(walked == BIT_ULL(chunks - 1));
		hmm_range_unregister(&range);
	}
	mmput(mm);
}

static void t8_hits_add_up(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	u64 walked;

	register_pages(&range, mm, 100, 128);
	EXPECT(!walk(&range));
	invalidate_pages(mm, 0, 101);		/* the first page */
	invalidate_pages(mm, 105, 2);		/* pages 5 and 6: chunks 2, 3 */
	invalidate_pages(mm, 227, 100);		/* the last page */
	EXPECT(!walk_chunks(&range, &walked));
	EXPECT(walked == (BIT_ULL(0) | BIT_ULL(2) | BIT_ULL(3) | BIT_ULL(63)));

	invalidate_pages(mm, 0, 1000);
	EXPECT(!walk_chunks(&range, &walked));
	EXPECT(walked == ~0ULL);

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t8_spans_cover_the_chunks(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	unsigned long start, end;

	/* Chunks of two pages, the last one of one page. */
	register_pages(&range, mm, 100, 127);
	hmm_range_first_span(&range, BIT_ULL(3) | BIT_ULL(4) | BIT_ULL(9),
			     &start, &end);
	EXPECT(start == ADDR(106) && end == ADDR(110));
	hmm_range_first_span(&range, BIT_ULL(63), &start, &end);
	EXPECT(start == ADDR(226) && end == ADDR(227));
	hmm_range_first_span(&range, ~0ULL, &start, &end);
	EXPECT(start == ADDR(100) && end == ADDR(227));

	/* A walk of a part begins and ends in the middle of a chunk. */
	range.start = ADDR(103);
	range.end = ADDR(109);
	hmm_range_first_span(&range, BIT_ULL(1) | BIT_ULL(2), &start, &end);
	EXPECT(start == ADDR(103) && end == ADDR(106));
	hmm_range_first_span(&range, BIT_ULL(4), &start, &end);
	EXPECT(start == ADDR(108) && end == ADDR(109));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t8_a_new_call_walks_everything(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	u64 walked;

	register_pages(&range, mm, 100, 64);
	EXPECT(!walk(&range));
	EXPECT(!walk_chunks(&range, &walked));
	EXPECT(walked == ~0ULL);

	/* The one after it can be retried again. */
	invalidate_pages(mm, 100, 1);
	EXPECT(!walk_chunks(&range, &walked));
	EXPECT(walked == BIT_ULL(0));
	EXPECT(!walk_chunks(&range, &walked));
	EXPECT(walked == ~0ULL);

	hmm_range_unregister(&range);
	mmput(mm);
}

/* Walk, be invalidated, let @change happen: is everything walked then? */
#define WALKS_ALL_AFTER(change) do {					\
	u64 __walked;							\
									\
	range.default_flags = HMM_PFN_REQ_FAULT;			\
	range.pfn_flags_mask = 0;					\
	range.dev_private_owner = NULL;					\
	range.hmm_pfns = pfns;						\
	range.start = ADDR(100);					\
	range.end = ADDR(164);						\
	EXPECT(!walk(&range));						\
	invalidate_pages(mm, 100, 1);					\
	change;								\
	EXPECT(!walk_chunks(&range, &__walked));			\
	EXPECT(__walked ==						\
	       hmm_range_chunks(&range, range.start, range.end));	\
} while (0)

static int snapshot(struct hmm_range *range)
{
	u64 todo;
	int ret;

	mmap_read_lock(range->tracking.mm);
	ret = hmm_range_walk_begin(range, false, &todo);
	if (!ret)
		ret = hmm_range_walk_end(range, 0, 0);
	mmap_read_unlock(range->tracking.mm);
	return ret;
}

static void t8_only_the_same_call_is_a_retry(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	register_pages(&range, mm, 100, 64);
	WALKS_ALL_AFTER(range.default_flags |= HMM_PFN_REQ_WRITE);
	WALKS_ALL_AFTER(range.default_flags = 0);
	WALKS_ALL_AFTER(range.pfn_flags_mask = HMM_PFN_REQ_WRITE);
	WALKS_ALL_AFTER(range.dev_private_owner = &owner);
	WALKS_ALL_AFTER(range.hmm_pfns = other_pfns);
	WALKS_ALL_AFTER(range.start += PAGE_SIZE);
	WALKS_ALL_AFTER(range.end -= PAGE_SIZE);
	/* The array is that of the snapshot now, which only reports. */
	WALKS_ALL_AFTER(EXPECT(!snapshot(&range)); invalidate_pages(mm, 100, 1));
	/* Between the walk and the retry the array could miss a hit. */
	WALKS_ALL_AFTER(EXPECT(!hmm_range_begin(&range)));
	WALKS_ALL_AFTER(EXPECT(!hmm_range_begin(&range));
			invalidate_pages(mm, 101, 1));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t8_with_a_mask_everything_is_walked(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	u64 walked;

	range.pfn_flags_mask = HMM_PFN_REQ_FAULT;
	register_pages(&range, mm, 100, 64);
	EXPECT(!walk(&range));
	invalidate_pages(mm, 100, 1);
	EXPECT(!walk_chunks(&range, &walked));
	EXPECT(walked == ~0ULL);

	/* Nor does the array of that call serve one without a mask. */
	invalidate_pages(mm, 100, 1);
	range.pfn_flags_mask = 0;
	EXPECT(!walk_chunks(&range, &walked));
	EXPECT(walked == ~0ULL);

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t8_a_walk_that_fails_puts_its_chunks_back(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	u64 todo;

	register_pages(&range, mm, 100, 64);
	EXPECT(!walk_begin(&range, &todo));
	EXPECT(todo == ~0ULL);
	/* The mmap lock was dropped when chunks 0 to 7 were done. */
	EXPECT(walk_end(&range, ~0xffULL, -EBUSY) == -EBUSY);
	EXPECT(!hmm_range_valid(&range));
	invalidate_pages(mm, 102, 1);
	EXPECT(!walk_begin(&range, &todo));
	EXPECT(todo == (~0xffULL | BIT_ULL(2)));
	/* One that is done again is hit again meanwhile. */
	invalidate_pages(mm, 102, 1);
	EXPECT(walk_end(&range, BIT_ULL(63), -EBUSY) == -EBUSY);
	EXPECT(!walk_begin(&range, &todo));
	EXPECT(todo == (BIT_ULL(63) | BIT_ULL(2)));
	EXPECT(!walk_end(&range, 0, 0));
	EXPECT(hmm_range_valid(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void t8_a_final_error_ends_the_call(void)
{
	static const int errors[] = { -EFAULT, -EPERM, -ENOMEM, -EINTR };
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	register_pages(&range, mm, 100, 64);
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		u64 todo;

		EXPECT(!walk_begin(&range, &todo));
		EXPECT(walk_end(&range, ~0xffULL, errors[i]) == errors[i]);
		EXPECT(!hmm_range_valid(&range));
		EXPECT(!walk_begin(&range, &todo));
		EXPECT((todo & ~0xffULL) == ~0xffULL);
		EXPECT(!walk_end(&range, 0, 0));
	}

	hmm_range_unregister(&range);
	mmput(mm);
}

/* One page is invalidated in each walk: the retries must not start over. */
static void t8_retries_converge_under_local_churn(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	unsigned int done = 0;
	u64 todo;

	register_pages(&range, mm, 100, 64);
	for (int i = 0; i < 16; i++) {
		u64 now;

		EXPECT(!walk_begin(&range, &todo));
		/* Time for four chunks, page 0 is invalidated each time. */
		now = todo & GENMASK_ULL(min(done + 3, 63u), 0);
		done += 4;
		invalidate_pages(mm, 100, 1);
		EXPECT(walk_end(&range, todo & ~now, -EBUSY) == -EBUSY);
	}
	EXPECT(!walk_begin(&range, &todo));
	EXPECT(todo == BIT_ULL(0));
	EXPECT(!walk_end(&range, 0, 0));
	EXPECT(hmm_range_valid(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* Is a walk refused, and the range marked, by an invalidation of this kind? */
static bool hit_by(struct hmm_range *range, enum mmu_notifier_event event,
		   void *by)
{
	struct mmu_notifier_range invalidation;
	bool hit;

	EXPECT(!walk(range));
	start_event(&invalidation, range->tracking.mm, 10, 1, event, by);
	hit = !hmm_range_valid(range);
	EXPECT(can_walk(range) == !hit);
	end_pages(&invalidation);
	return hit;
}

static void t9_own_events_are_ignored_if_asked_for(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	range.dev_private_owner = &owner;
	range.ignore_events = BIT(MMU_NOTIFY_MIGRATE);
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
	struct hmm_range range = RANGE();

	range.dev_private_owner = &owner;
	range.ignore_events = BIT(MMU_NOTIFY_MIGRATE);
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

/* An own invalidation stays one for its whole life, also for late comers. */
static void t9_ignored_in_flight(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range own = RANGE(), foreign = RANGE();
	struct mmu_notifier_range invalidation;

	register_pages(&foreign, mm, 10, 10);
	start_event(&invalidation, mm, 10, 1, MMU_NOTIFY_MIGRATE, &owner);
	own.dev_private_owner = &owner;
	own.ignore_events = BIT(MMU_NOTIFY_MIGRATE);
	register_pages(&own, mm, 10, 10);
	EXPECT(!walk(&own));
	EXPECT(hmm_range_valid(&own));
	EXPECT(walk(&foreign) == -EBUSY);
	end_pages(&invalidation);
	hmm_range_unregister(&own);
	hmm_range_unregister(&foreign);
	mmput(mm);
}

/* Linear in either would take minutes. */
static void t10_many_ranges(void)
{
	const unsigned long nr = 100000;
	struct mm_struct *mm = mm_alloc();
	struct hmm_range *ranges = calloc(nr, sizeof(*ranges));

	for (unsigned long i = 0; i < nr; i++) {
		ranges[i] = RANGE();
		EXPECT(!register_pages(&ranges[i], mm, i * 2, 1));
		EXPECT(!walk(&ranges[i]));
	}
	for (unsigned long i = 0; i < nr; i += 2) {
		invalidate_pages(mm, i * 2, 2);
		EXPECT(!hmm_range_valid(&ranges[i]));
		EXPECT(hmm_range_valid(&ranges[i + 1]));
	}
	for (unsigned long i = 0; i < nr; i++)
		hmm_range_unregister(&ranges[i]);
	mmput(mm);
	free(ranges);
}

static void t10_exit_marks_all(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range ranges[50];

	for (int i = 0; i < 50; i++) {
		ranges[i] = RANGE();
		register_pages(&ranges[i], mm, i * 3, 1 + i);
		EXPECT(!walk(&ranges[i]));
	}
	mmput(mm);
	for (int i = 0; i < 50; i++) {
		EXPECT(!hmm_range_valid(&ranges[i]));
		hmm_range_unregister(&ranges[i]);
	}
}

static void t11_no_limit_in_flight(void)
{
	const unsigned long nr = 100000;
	struct mm_struct *mm = mm_alloc();
	struct mmu_notifier_range *invalidations = calloc(nr, sizeof(*invalidations));
	struct hmm_range range = RANGE(), quiet = RANGE();

	register_pages(&range, mm, 0, 1000);
	register_pages(&quiet, mm, 2000, 10);
	for (unsigned long i = 0; i < nr; i++)
		start_pages(&invalidations[i], mm, i % 1000, 1 + i % 7);
	EXPECT(!can_walk(&range));
	EXPECT(can_walk(&quiet));
	EXPECT(!walk(&quiet));
	/* All but one, in an order of their own. */
	for (unsigned long i = 0; i < nr; i++)
		if (i * 7 % nr != 77)
			end_pages(&invalidations[i * 7 % nr]);
	EXPECT(!can_walk(&range));
	end_pages(&invalidations[77]);
	EXPECT(!walk(&range));
	EXPECT(hmm_range_valid(&quiet));

	hmm_range_unregister(&range);
	hmm_range_unregister(&quiet);
	mmput(mm);
	free(invalidations);
}

static void t12_register_pins_the_mm(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range first = RANGE(), second = RANGE();

	EXPECT(atomic_read(&mm->mm_count) == 1);
	register_pages(&first, mm, 10, 10);
	register_pages(&second, mm, 10, 10);
	EXPECT(atomic_read(&mm->mm_count) == 3);
	EXPECT(atomic_read(&mm->mm_users) == 1);
	hmm_range_unregister(&second);
	EXPECT(atomic_read(&mm->mm_count) == 2);
	hmm_range_unregister(&second);
	EXPECT(atomic_read(&mm->mm_count) == 2);
	mmput(mm);
	/* The range's is the last reference, and frees the mm. */
	EXPECT(atomic_read(&mm->mm_count) == 1);
	hmm_range_unregister(&first);
}

static void t12_a_failed_register_leaves_nothing(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	EXPECT(hmm_range_register(&range, mm, 1, PAGE_SIZE) == -EINVAL);
	EXPECT(atomic_read(&mm->mm_count) == 1);
	EXPECT(atomic_read(&mm->mm_users) == 1);
	hmm_range_unregister(&range);

	shim_killed = true;
	EXPECT(register_pages(&range, mm, 10, 10) == -EINTR);
	shim_killed = false;
	EXPECT(atomic_read(&mm->mm_count) == 1);
	EXPECT(atomic_read(&mm->mm_users) == 1);
	hmm_range_unregister(&range);
	EXPECT(!hmm_range_valid(&range));
	mmput(mm);
}

static void errno_of_bad_bounds(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	const unsigned long top = mm->task_size;
	const unsigned long bad[][2] = {
		{ ADDR(1) + 1, ADDR(2) },	/* misaligned */
		{ ADDR(1), ADDR(2) - 1 },
		{ ADDR(1), ADDR(1) },		/* empty */
		{ 0, 0 },
		{ ADDR(2), ADDR(1) },		/* wrapped */
		{ ADDR(2), 0 },
		{ -PAGE_SIZE, 0 },
		{ top, top + PAGE_SIZE },	/* outside the address space */
		{ 0, top + PAGE_SIZE },
		{ -2 * PAGE_SIZE, -PAGE_SIZE },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT(hmm_range_register(&range, mm, bad[i][0], bad[i][1]) ==
		       -EINVAL);
		mmap_write_lock(mm);
		EXPECT(hmm_range_register_locked(&range, mm, bad[i][0],
						 bad[i][1]) == -EINVAL);
		mmap_write_unlock(mm);
	}
	EXPECT(!mm->all_locks_taken);
	mmput(mm);
}

static void errno_of_unknown_flags_and_events(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	for (int bit = 1; bit < 32; bit++) {
		range.flags = 1U << bit;
		EXPECT(register_pages(&range, mm, 10, 10) == -EINVAL);
	}
	range.flags = 0;
	for (int bit = MMU_NOTIFY_EXCLUSIVE + 1; bit < 32; bit++) {
		range.ignore_events = 1U << bit;
		EXPECT(register_pages(&range, mm, 10, 10) == -EINVAL);
	}
	mmput(mm);
}

static void errno_of_an_unregistered_range(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = { };
	u64 todo;

	for (int i = 0; i < 2; i++) {
		EXPECT(hmm_range_walk_begin(&range, true, &todo) == -EINVAL);
		EXPECT(hmm_range_walk_begin(&range, false, &todo) == -EINVAL);
		EXPECT(hmm_range_begin(&range) == -EINVAL);
		EXPECT(!hmm_range_valid(&range));
		EXPECT(!hmm_range_wait_until_valid(&range, 1000));
		EXPECT(hmm_range_wait(&range, 1000) == -EINVAL);
		hmm_range_unregister(&range);

		/* The second time it is one that was registered before. */
		range = RANGE();
		register_pages(&range, mm, 10, 10);
		EXPECT(!walk(&range));
		hmm_range_unregister(&range);
	}
	mmput(mm);
}

static void errno_of_changed_bounds(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	const unsigned long bad[][2] = {
		{ ADDR(9), ADDR(20) },
		{ ADDR(10), ADDR(21) },
		{ ADDR(30), ADDR(31) },
		{ ADDR(10) + 1, ADDR(20) },
		{ ADDR(10), ADDR(20) - 1 },
		{ ADDR(12), ADDR(12) },
		{ ADDR(13), ADDR(12) },
		{ ADDR(13), 0 },
	};
	u64 todo;

	register_pages(&range, mm, 10, 10);
	mmap_read_lock(mm);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		range.start = bad[i][0];
		range.end = bad[i][1];
		EXPECT(hmm_range_walk_begin(&range, true, &todo) == -EINVAL);
	}
	range.start = ADDR(10);
	range.end = ADDR(20);
	range.hmm_pfns = NULL;
	EXPECT(hmm_range_walk_begin(&range, true, &todo) == -EINVAL);
	mmap_read_unlock(mm);

	range.hmm_pfns = pfns;
	range.start = ADDR(12);
	range.end = ADDR(13);
	EXPECT(!walk(&range));
	EXPECT(hmm_range_valid(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

static void garbage_in_the_range_at_register(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range;
	u64 walked;

	for (int byte = 0; byte < 256; byte += 5) {
		memset(&range, byte, sizeof(range));
		range.flags = 0;
		range.ignore_events = 0;
		range.dev_private_owner = NULL;
		EXPECT(!register_pages(&range, mm, 10, 10));
		EXPECT(!range.notifier);
		EXPECT(range.start == ADDR(10) && range.end == ADDR(20));
		EXPECT(!hmm_range_valid(&range));
		range.hmm_pfns = pfns;
		range.default_flags = 0;
		range.pfn_flags_mask = 0;
		EXPECT(!walk_chunks(&range, &walked));
		EXPECT(walked == 0x3ff);
		invalidate_pages(mm, 10, 1);
		EXPECT(!hmm_range_valid(&range));
		hmm_range_unregister(&range);
	}
	mmput(mm);
}

static void register_locked(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range first = RANGE(), second = RANGE();

	mmap_write_lock(mm);
	EXPECT(!hmm_range_register_locked(&first, mm, ADDR(10), ADDR(20)));
	EXPECT(!hmm_range_register_locked(&second, mm, ADDR(10), ADDR(20)));
	mmap_assert_write_locked(mm);
	mmap_write_unlock(mm);
	EXPECT(mm->all_locks_taken == 1);
	EXPECT(!walk(&first));
	EXPECT(!walk(&second));
	invalidate_pages(mm, 10, 1);
	EXPECT(!hmm_range_valid(&first));
	EXPECT(!hmm_range_valid(&second));

	/* Any lock may be held here. */
	mmap_write_lock(mm);
	hmm_range_unregister(&first);
	hmm_range_unregister(&second);
	mmap_write_unlock(mm);
	mmput(mm);
}

/* As of a driver of the base: nothing is read but what it sets. */
static void legacy_range_is_left_alone(void)
{
	struct hmm_range range;
	u64 todo;

	memset(&range, 0xa5, sizeof(range));
	EXPECT(hmm_range_walk_begin(&range, true, &todo) == -EINVAL);
	EXPECT(hmm_range_begin(&range) == -EINVAL);
	EXPECT(!hmm_range_wait_until_valid(&range, 0));
	hmm_range_unregister(&range);
}

#define TEST(name) { #name, name }

const struct test range_tests[] = {
	TEST(t1_start_invalidates),
	TEST(t1_walk_is_refused_during_an_invalidation),
	TEST(t1_invalidation_during_a_walk),
	TEST(t1_begin_arms_without_a_walk),
	TEST(t3_unrelated_invalidation_held_for_ever),
	TEST(t3_register_and_unregister_do_not_wait),
	TEST(t3_only_the_first_takes_the_locks),
	TEST(t4_ends_are_exclusive),
	TEST(t4_an_empty_invalidation_hits_nothing),
	TEST(t4_the_whole_address_space),
	TEST(t5_taking_back_a_start),
	TEST(t6_registered_in_mid_invalidation),
	TEST(t6_recorded_while_no_range_is_registered),
	TEST(t7_wait_ends_with_the_invalidation),
	TEST(t7_wait_ends_on_timeout),
	TEST(t7_wait_for_very_long),
	TEST(t7_wait_ends_on_a_fatal_signal),
	TEST(t7_wait_ends_when_the_mm_dies),
	TEST(t7_all_fails_once_the_mm_is_dying),
	TEST(t7_walk_fails_when_the_mm_is_unstable),
	TEST(t8_retry_walks_the_chunks_that_were_hit),
	TEST(t8_hits_add_up),
	TEST(t8_spans_cover_the_chunks),
	TEST(t8_a_new_call_walks_everything),
	TEST(t8_only_the_same_call_is_a_retry),
	TEST(t8_with_a_mask_everything_is_walked),
	TEST(t8_a_walk_that_fails_puts_its_chunks_back),
	TEST(t8_a_final_error_ends_the_call),
	TEST(t8_retries_converge_under_local_churn),
	TEST(t9_own_events_are_ignored_if_asked_for),
	TEST(t9_no_owner_never_matches),
	TEST(t9_latched_at_register),
	TEST(t9_ignored_in_flight),
	TEST(t10_many_ranges),
	TEST(t10_exit_marks_all),
	TEST(t11_no_limit_in_flight),
	TEST(t12_register_pins_the_mm),
	TEST(t12_a_failed_register_leaves_nothing),
	TEST(errno_of_bad_bounds),
	TEST(errno_of_unknown_flags_and_events),
	TEST(errno_of_an_unregistered_range),
	TEST(errno_of_changed_bounds),
	TEST(garbage_in_the_range_at_register),
	TEST(register_locked),
	TEST(legacy_range_is_left_alone),
	{ }
};
