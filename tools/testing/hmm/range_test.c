// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The properties of tracked ranges, one by one. The number in a test's name is
 * that of the property in Documentation/mm/hmm_tests.rst.
 */
#include <pthread.h>
#include <unistd.h>

#include "test.h"

static unsigned long pfns[1];

/* A range that can be walked; nothing here reads or writes the array. */
#define RANGE() ((struct hmm_range) {					\
	.hmm_pfns = pfns,						\
	.default_flags = HMM_PFN_REQ_FAULT,				\
})

static int walk(struct hmm_range *range)
{
	struct test_walk w = { };

	return walk_range(&w, range);
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

static void t1_walk_fails_during_an_invalidation(void)
{
	struct mm_struct *mm = mm_alloc();
	struct mmu_notifier_range first, second;
	struct hmm_range range = RANGE();

	register_pages(&range, mm, 10, 10);
	start_pages(&first, mm, 0, 100);
	start_pages(&second, mm, 19, 1);
	EXPECT(walk(&range) == -EBUSY);
	EXPECT(hmm_range_begin(&range) == -EBUSY);
	end_pages(&first);
	EXPECT(walk(&range) == -EBUSY);
	EXPECT(hmm_range_begin(&range) == -EBUSY);
	EXPECT(!hmm_range_valid(&range));
	end_pages(&second);
	EXPECT(!walk(&range));
	EXPECT(hmm_range_valid(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* The invalidation that a walk is hit by, and where. */
static struct mmu_notifier_range hit;
static unsigned long hit_page;
static enum walk_place hit_place;
static bool hit_in_flight, hit_goes_on;

static void hit_once(struct test_walk *w, enum walk_place place,
		     unsigned long page)
{
	if (page != hit_page || place != hit_place || hit_in_flight)
		return;
	hit_in_flight = true;
	start_pages(&hit, w->walk.mm, page, 1);
	EXPECT(!hmm_range_valid(w->walk.range));
	if (!hit_goes_on)
		end_pages(&hit);
}

static void t1_invalidation_during_a_walk(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { .hook = hit_once };

	register_pages(&range, mm, 10, 10);
	for (hit_page = 10; hit_page < 20; hit_page++) {
		for (hit_place = WALK_READS; hit_place <= WALK_STEPS; hit_place++) {
			/* It goes on after the walk. */
			hit_in_flight = false;
			hit_goes_on = true;
			EXPECT(walk_range(&w, &range) == -EBUSY);
			EXPECT(!hmm_range_valid(&range));
			end_pages(&hit);
			EXPECT(!hmm_range_valid(&range));

			/* It is over before the walk, which reads it again. */
			hit_in_flight = false;
			hit_goes_on = false;
			EXPECT(!walk_range(&w, &range));
			EXPECT(STORED(&w, { 10, 10 }, { hit_page, 1 }));
			EXPECT(hmm_range_valid(&range));
		}
	}

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

/* Validity speaks of what the last walk, or begin, was asked for. */
static void t1_of_the_window_that_was_walked(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	register_pages(&range, mm, 10, 10);
	EXPECT(!walk(&range));
	for (int armed = 0; armed < 2; armed++) {
		range.start = ADDR(12);
		range.end = ADDR(14);
		EXPECT(!(armed ? hmm_range_begin(&range) : walk(&range)));
		invalidate_pages(mm, 10, 2);
		invalidate_pages(mm, 14, 6);
		EXPECT(hmm_range_valid(&range));

		/* To set the bounds alone moves no window. */
		range.start = ADDR(10);
		range.end = ADDR(20);
		invalidate_pages(mm, 14, 6);
		EXPECT(hmm_range_valid(&range));
		invalidate_pages(mm, 13, 1);
		EXPECT(!hmm_range_valid(&range));
		EXPECT(!(armed ? hmm_range_begin(&range) : walk(&range)));
		invalidate_pages(mm, 19, 1);
		EXPECT(!hmm_range_valid(&range));
	}
	hmm_range_unregister(&range);
	mmput(mm);
}

/* What has to be waited for is what overlaps the bounds as they are now. */
static void t3_waits_for_the_bounds_that_are_set(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range invalidation;

	register_pages(&range, mm, 10, 10);
	EXPECT(!walk(&range));
	start_pages(&invalidation, mm, 15, 1);
	EXPECT(!can_walk(&range));
	range.end = ADDR(15);
	EXPECT(can_walk(&range));
	EXPECT(!walk(&range));
	EXPECT(hmm_range_valid(&range));
	range.end = ADDR(20);
	EXPECT(!can_walk(&range));
	EXPECT(hmm_range_valid(&range));
	range.start = ADDR(16);
	EXPECT(can_walk(&range));
	EXPECT(!hmm_range_begin(&range));
	end_pages(&invalidation);
	EXPECT(hmm_range_valid(&range));

	/* Nor does what was armed before matter. */
	start_pages(&invalidation, mm, 17, 1);
	range.end = ADDR(17);
	EXPECT(!hmm_range_begin(&range));
	range.end = ADDR(18);
	EXPECT(hmm_range_begin(&range) == -EBUSY);
	range.end = ADDR(17);
	EXPECT(!hmm_range_begin(&range));
	end_pages(&invalidation);

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

/* Another one gets the mmap lock first, and has done all by then. */
static struct mm_struct *raced_mm;
static struct hmm_range raced_range;

static void register_meanwhile(void)
{
	raced_range = RANGE();
	EXPECT(!register_pages(&raced_range, raced_mm, 30, 10));
}

static void t3_racing_registrations_take_the_locks_once(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	raced_mm = mm;
	shim_mmap_awaited = register_meanwhile;
	EXPECT(!register_pages(&range, mm, 10, 10));
	EXPECT(mm->mmap_write_locks == 2);
	EXPECT(mm->all_locks_taken == 1);
	EXPECT(!walk(&range));
	EXPECT(!walk(&raced_range));
	hmm_range_unregister(&range);
	hmm_range_unregister(&raced_range);
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
	struct test_walk w = { };

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
	/* Nor is the page gone round that one lies in. */
	empty = (struct mmu_notifier_range){
		.mm = mm, .start = ADDR(15) + 8, .end = ADDR(15) + 8,
	};
	mmu_notifier_invalidate_range_start(&empty);
	EXPECT(!walk_range(&w, &range));
	EXPECT(w.nr_pages == 10);
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

/* In one sleep: the first of the two wakes nobody. */
static void end_two(void)
{
	shim_jiffies += 10;
	end_pages(end_asleep[0]);
	EXPECT(!shim_wakeups);
	shim_jiffies += 10;
	end_pages(end_asleep[1]);
	EXPECT(shim_wakeups == 1);
	times_asleep++;
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
	shim_asleep = end_two;
	shim_wakeups = 0;
	end_asleep[0] = &first;
	end_asleep[1] = &second;
	began = jiffies;
	EXPECT(hmm_range_wait_until_valid(&range, 1000));
	EXPECT(times_asleep == 1);
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
	spinlock_t driver_lock; /* as that of a callback */

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
	spin_lock_init(&driver_lock);
	spin_lock(&driver_lock);
	EXPECT(!hmm_range_wait_until_valid(&range, 0));
	EXPECT(hmm_range_wait(&range, 0) == -EBUSY);
	spin_unlock(&driver_lock);
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

static void *wait_in_earnest(void *range)
{
	return (void *)(long)hmm_range_wait(range, 1000);
}

static void let_others_run(void)
{
	usleep(20000);
}

static void t7_woken_when_the_invalidation_is_off_the_list(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range invalidation;
	pthread_t waiter;
	void *ret;

	register_pages(&range, mm, 10, 10);
	start_pages(&invalidation, mm, 10, 1);
	if (pthread_create(&waiter, NULL, wait_in_earnest, &range))
		abort();
	while (!shim_sleepers())
		usleep(1000);
	shim_sleep_overran = false;
	shim_run_unlocked(let_others_run);
	end_pages(&invalidation);
	shim_run_unlocked(NULL);
	/* Nobody wakes it once more: it would find out when its time is up. */
	pthread_join(waiter, &ret);
	EXPECT(!ret);
	EXPECT(!shim_sleep_overran);

	hmm_range_unregister(&range);
	mmput(mm);
}

static struct hmm_range *armed_range;

static void arm(void)
{
	hmm_range_begin(armed_range);
}

/* At each moment of the release, whoever arms the range does so in vain. */
static void t7_nothing_becomes_valid_when_the_mm_dies(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	register_pages(&range, mm, 10, 10);
	mmgrab(mm);
	armed_range = &range;
	shim_run_unlocked(arm);
	mmput(mm);
	shim_run_unlocked(NULL);
	EXPECT(!hmm_range_valid(&range));
	EXPECT(hmm_range_begin(&range) == -EFAULT);
	hmm_range_unregister(&range);
	mmdrop(mm);
}

/* From the first moment at which the lock is free again. */
static unsigned int times_unlocked;

static void arm_in_vain(void)
{
	if (++times_unlocked > 1)
		EXPECT(hmm_range_begin(armed_range) == -EBUSY);
}

/* It is marked and in the list at once: between the two it could be missed. */
static void t1_nothing_becomes_valid_once_one_has_started(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct mmu_notifier_range invalidation;

	register_pages(&range, mm, 10, 10);
	armed_range = &range;
	shim_run_unlocked(arm_in_vain);
	start_pages(&invalidation, mm, 15, 1);
	shim_run_unlocked(NULL);
	EXPECT(times_unlocked > 1);
	EXPECT(!hmm_range_valid(&range));
	EXPECT(hmm_range_begin(&range) == -EBUSY);
	end_pages(&invalidation);
	hmm_range_unregister(&range);
	mmput(mm);
}

/* At which of the moments the next invalidation starts. */
static unsigned int started_at;

static void start_at_a_moment(void)
{
	if (++times_unlocked != started_at)
		return;
	start_pages(&hit, armed_range->tracking.sub.mm, 15, 1);
	EXPECT(!hmm_range_valid(armed_range));
}

/* What is armed and what has started is one before the other. */
static void t1_an_invalidation_at_each_moment_of_begin(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	register_pages(&range, mm, 10, 10);
	armed_range = &range;
	for (started_at = 1; ; started_at++) {
		times_unlocked = 0;
		shim_run_unlocked(start_at_a_moment);
		hmm_range_begin(&range);
		shim_run_unlocked(NULL);
		if (times_unlocked < started_at)
			break;
		EXPECT(!hmm_range_valid(&range));
		end_pages(&hit);
		EXPECT(!hmm_range_valid(&range));
	}
	EXPECT(started_at > 2);
	hmm_range_unregister(&range);
	mmput(mm);
}

/* Out of the tree it is not marked any more, so it is not valid either. */
static void t1_an_invalidation_at_each_moment_of_unregister(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	armed_range = &range;
	for (started_at = 1; ; started_at++) {
		register_pages(&range, mm, 10, 10);
		EXPECT(!hmm_range_begin(&range));
		times_unlocked = 0;
		shim_run_unlocked(start_at_a_moment);
		hmm_range_unregister(&range);
		shim_run_unlocked(NULL);
		if (times_unlocked < started_at)
			break;
		end_pages(&hit);
	}
	EXPECT(started_at > 2);
	mmput(mm);
}

/* One that comes and goes while others are marked, noted, or the mm dies. */
static struct hmm_range *passing;
static unsigned int passes_at;

static void pass(void)
{
	if (++times_unlocked != passes_at)
		return;
	hmm_range_unregister(passing);
	free(passing);
	passing = NULL;
}

static void t3_unregistered_at_each_moment(void)
{
	struct mm_struct *mm;
	struct hmm_range stays;
	struct mmu_notifier_range own;
	static int owner;

	for (passes_at = 1; !passing; passes_at++) {
		mm = mm_alloc();
		passing = malloc(sizeof(*passing));
		*passing = stays = RANGE();
		passing->dev_private_owner = &owner;
		passing->ignore_events = BIT(MMU_NOTIFY_MIGRATE);
		register_pages(passing, mm, 10, 10);
		register_pages(&stays, mm, 12, 10);
		times_unlocked = 0;
		shim_run_unlocked(pass);
		start_event(&own, mm, 15, 1, MMU_NOTIFY_MIGRATE, &owner);
		EXPECT(walk(&stays) == -EBUSY);
		end_pages(&own);
		EXPECT(!walk(&stays));
		mmput(mm);
		shim_run_unlocked(NULL);
		EXPECT(!hmm_range_valid(&stays));
		hmm_range_unregister(&stays);
	}
	EXPECT(passes_at > 5);
	hmm_range_unregister(passing);
	free(passing);
}

/* A walk that is told to leave all as it is does look. */
static void t7_an_empty_retry_fails_when_the_mm_dies(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	register_pages(&range, mm, 10, 10);
	EXPECT(!walk(&range));
	/* The users are gone, and what is called on that has not come yet. */
	mmgrab(mm);
	atomic_set(&mm->mm_users, 0);
	EXPECT(retry_range(&w, &range) == -EFAULT);
	atomic_set(&mm->mm_users, 1);
	/* It is dying, and the range is not marked yet. */
	WRITE_ONCE(mmu_notifier_tracker(mm)->dying, true);
	EXPECT(retry_range(&w, &range) == -EFAULT);
	EXPECT(!hmm_range_valid(&range));
	mmu_tracker_release(mmu_notifier_tracker(mm), mm);
	EXPECT(retry_range(&w, &range) == -EFAULT);
	EXPECT(!w.nr_pages);
	EXPECT(walk_range(&w, &range) == -EFAULT);
	EXPECT(!w.nr_pages);
	EXPECT(!hmm_range_valid(&range));
	mmput(mm);
	hmm_range_unregister(&range);
	mmdrop(mm);
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
	shim_no_memory = true;
	EXPECT(register_pages(&range, mm, 10, 10) == -ENOMEM);
	shim_no_memory = false;
	mmap_write_lock(mm);
	mmap_write_unlock(mm);
	EXPECT(atomic_read(&mm->mm_count) == 1);
	EXPECT(atomic_read(&mm->mm_users) == 1);
	hmm_range_unregister(&range);
	EXPECT(!hmm_range_valid(&range));
	mmput(mm);
}

/* A plain notifier has invalidations called for, and not recorded. */
static void t3_the_first_beside_a_plain_notifier(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	mm->notifier_subscriptions =
		calloc(1, sizeof(*mm->notifier_subscriptions));
	mmu_tracker_init(&mm->notifier_subscriptions->tracker);
	EXPECT(!mmu_notifier_tracker(mm));
	EXPECT(!register_pages(&range, mm, 10, 10));
	EXPECT(mm->all_locks_taken == 1);
	EXPECT(!walk(&range));
	invalidate_pages(mm, 10, 1);
	EXPECT(!hmm_range_valid(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* Nobody invalidates it any more, so there is nothing to switch on. */
static void t12_a_dead_mm_is_not_recorded(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	mmgrab(mm);
	mmput(mm);
	EXPECT(register_pages(&range, mm, 10, 10) == -EFAULT);
	mmap_write_lock(mm);
	EXPECT(hmm_range_register_locked(&range, mm, ADDR(10), ADDR(20)) ==
	       -EFAULT);
	mmap_write_unlock(mm);
	EXPECT(!mm->all_locks_taken);
	hmm_range_unregister(&range);
	mmdrop(mm);
}

/* Its last user goes when the call has seen that there is one. */
static struct mm_struct *abandoned_mm;

static void abandon(void)
{
	mmput(abandoned_mm);
}

static void t12_a_mm_that_dies_meanwhile_is_not_recorded(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	mmgrab(mm);
	abandoned_mm = mm;
	shim_may_sleep = abandon;
	EXPECT(register_pages(&range, mm, 10, 10) == -EFAULT);
	EXPECT(!atomic_read(&mm->mm_users));
	EXPECT(!mm->all_locks_taken);
	EXPECT(!mm->mmap_write_locks);
	hmm_range_unregister(&range);
	mmdrop(mm);
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
		hmm_range_unregister(&range);
		mmap_write_lock(mm);
		EXPECT(hmm_range_register_locked(&range, mm, bad[i][0],
						 bad[i][1]) == -EINVAL);
		mmap_write_unlock(mm);
		hmm_range_unregister(&range);
	}
	EXPECT(!mm->all_locks_taken);
	mmput(mm);
}

static void errno_of_unknown_flags_and_events(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	for (int bit = 2; bit < 32; bit++) {
		range.flags = 1U << bit;
		EXPECT(register_pages(&range, mm, 10, 10) == -EINVAL);
	}
	range.flags = 0;
	for (int bit = 0; bit < 32; bit++) {
		bool allowed = bit == MMU_NOTIFY_MIGRATE ||
			       bit == MMU_NOTIFY_EXCLUSIVE;

		range.ignore_events = 1U << bit;
		EXPECT(register_pages(&range, mm, 10, 10) ==
		       (allowed ? 0 : -EINVAL));
		hmm_range_unregister(&range);
	}
	mmput(mm);
}

static void errno_of_an_unregistered_range(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = { };
	struct test_walk snapshot = { .snapshot = true };

	for (int i = 0; i < 2; i++) {
		EXPECT(walk(&range) == -EINVAL);
		EXPECT(walk_range(&snapshot, &range) == -EINVAL);
		EXPECT(hmm_range_begin(&range) == -EINVAL);
		EXPECT(!hmm_range_valid(&range));
		EXPECT(!hmm_range_wait_until_valid(&range, 1000));
		EXPECT(hmm_range_wait(&range, 1000) == -EINVAL);
		hmm_range_unregister(&range);
		EXPECT(!range.tracking.sub.mm);

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

	register_pages(&range, mm, 10, 10);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		range.start = bad[i][0];
		range.end = bad[i][1];
		EXPECT(walk(&range) == -EINVAL);
		EXPECT(hmm_range_begin(&range) == -EINVAL);
		EXPECT(!hmm_range_wait_until_valid(&range, 0));
		EXPECT(hmm_range_wait(&range, 10) == -EINVAL);
	}
	range.start = ADDR(10);
	range.end = ADDR(20);
	range.hmm_pfns = NULL;
	EXPECT(walk(&range) == -EINVAL);

	range.hmm_pfns = pfns;
	range.start = ADDR(12);
	range.end = ADDR(13);
	EXPECT(!walk(&range));
	EXPECT(hmm_range_valid(&range));

	hmm_range_unregister(&range);
	mmput(mm);
}

/* A sparse array has no entry for each page that could be asked for. */
static void errno_of_a_mask_with_a_sparse_array(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	range.flags = HMM_RANGE_SPARSE;
	register_pages(&range, mm, 10, 10);
	range.flags = 0;
	range.pfn_flags_mask = HMM_PFN_REQ_WRITE;
	EXPECT(walk(&range) == -EINVAL);
	range.pfn_flags_mask = 0;
	EXPECT(!walk(&range));
	hmm_range_unregister(&range);
	mmput(mm);
}

/*
 * The rest of a range may hold anything at register. Each field by itself, with
 * the value that does most harm if it is kept.
 */
static void garbage_validity_at_register(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	range.tracking.valid = true;
	EXPECT(!register_pages(&range, mm, 10, 10));
	EXPECT(!hmm_range_valid(&range));
	hmm_range_unregister(&range);

	/* Of one that cannot be registered nothing is valid either. */
	range.tracking.valid = true;
	EXPECT(register_pages(&range, mm, 10, 0) == -EINVAL);
	EXPECT(!hmm_range_valid(&range));
	mmput(mm);
}

static void garbage_notes_at_register(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	range.tracking.dirty.nr = UINT_MAX;
	EXPECT(!register_pages(&range, mm, 10, 10));
	invalidate_pages(mm, 10, 1);
	EXPECT(!walk(&range));
	hmm_range_unregister(&range);
	mmput(mm);
}

/* What was called before the range was registered is no call to retry. */
static void garbage_call_at_register(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	EXPECT(!register_pages(&range, mm, 10, 10));
	EXPECT(!walk(&range));
	hmm_range_unregister(&range);
	invalidate_pages(mm, 10, 1);
	EXPECT(!register_pages(&range, mm, 10, 10));
	EXPECT(!retry_range(&w, &range));
	EXPECT(STORED(&w, { 10, 10 }));
	hmm_range_unregister(&range);
	mmput(mm);
}

static void garbage_retry_at_register(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	struct test_walk w = { };

	/* No bool has this value; the sanitizer knows. */
	memset(&range.tracking.retry, 0x5a, sizeof(range.tracking.retry));
	EXPECT(!register_pages(&range, mm, 10, 10));
	EXPECT(!walk_range(&w, &range));
	EXPECT(STORED(&w, { 10, 10 }));
	hmm_range_unregister(&range);
	mmput(mm);
}

static void garbage_mm_at_register(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range other = RANGE(), range = RANGE();

	register_pages(&other, mm, 0, 1);
	range.tracking.sub.mm = mm;
	range.tracking.sub.tracker = other.tracking.sub.tracker;
	EXPECT(register_pages(&range, mm, 10, 0) == -EINVAL);
	/* A fault that takes the locks itself asks for the mm first. */
	EXPECT(!range.tracking.sub.mm);
	EXPECT(walk(&range) == -EINVAL);
	hmm_range_unregister(&range);
	EXPECT(atomic_read(&mm->mm_count) == 2);
	hmm_range_unregister(&other);
	mmput(mm);
}

static void garbage_in_all_of_the_range_at_register(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range;

	for (int byte = 0; byte < 256; byte += 5) {
		struct test_walk w = { .snapshot = true };

		memset(&range, byte, sizeof(range));
		range.flags = 0;
		range.ignore_events = 0;
		range.dev_private_owner = NULL;
		EXPECT(!register_pages(&range, mm, 10, 10));
		EXPECT(!range.notifier && !range.notifier_seq);
		EXPECT(range.start == ADDR(10) && range.end == ADDR(20));
		EXPECT(!hmm_range_valid(&range));
		range.hmm_pfns = pfns;
		range.default_flags = 0;
		range.pfn_flags_mask = 0;
		EXPECT(!walk_range(&w, &range));
		EXPECT(STORED(&w, { 10, 10 }));
		invalidate_pages(mm, 10, 1);
		EXPECT(!hmm_range_valid(&range));
		hmm_range_unregister(&range);
	}
	mmput(mm);
}

/* There is no window before the first walk, so nothing can be hit. */
static void garbage_window_at_register(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();

	range.tracking.window = (struct hmm_extent){ 0, ULONG_MAX };
	EXPECT(!register_pages(&range, mm, 10, 10));
	invalidate_pages(mm, 10, 1);
	EXPECT(!range.tracking.seq);
	EXPECT(!range.tracking.dirty.nr);
	hmm_range_unregister(&range);
	mmput(mm);
}

/*
 * Tracking that was zeroed, and tracking that was not, are the same once there
 * is a window.
 */
static void garbage_leaves_no_trace_at_register(void)
{
	struct mm_struct *mm = mm_alloc();
	struct hmm_range range = RANGE();
	const struct hmm_range_tracking *tracking = &range.tracking;

	memset(&range.tracking, 0x5a, sizeof(range.tracking));
	range.tracking.unclaimed = (struct hmm_extent){ 0, ULONG_MAX };
	range.tracking.faulting = current;
	EXPECT(!register_pages(&range, mm, 10, 10));
	EXPECT(!tracking->seq);
	EXPECT(tracking->tried == ULONG_MAX);

	EXPECT(!hmm_range_begin(&range));
	EXPECT(tracking->window.start == ADDR(10) &&
	       tracking->window.end == ADDR(20));
	EXPECT(!tracking->dirty.nr && !tracking->dirty.left &&
	       !tracking->dirty.chunks &&
	       tracking->dirty.rest.start == tracking->dirty.rest.end);
	EXPECT(!tracking->faulting);
	EXPECT(tracking->unclaimed.start == tracking->unclaimed.end);
	invalidate_pages(mm, 10, 1);
	EXPECT(tracking->seq == 1);
	hmm_range_unregister(&range);
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

	memset(&range, 0xa5, sizeof(range));
	EXPECT(hmm_range_begin(&range) == -EINVAL);
	EXPECT(!hmm_range_wait_until_valid(&range, 0));
	hmm_range_unregister(&range);
}

#define TEST(name) { #name, name }

const struct test range_tests[] = {
	TEST(t1_start_invalidates),
	TEST(t1_walk_fails_during_an_invalidation),
	TEST(t1_invalidation_during_a_walk),
	TEST(t1_begin_arms_without_a_walk),
	TEST(t1_of_the_window_that_was_walked),
	TEST(t3_waits_for_the_bounds_that_are_set),
	TEST(t3_unrelated_invalidation_held_for_ever),
	TEST(t3_register_and_unregister_do_not_wait),
	TEST(t3_only_the_first_takes_the_locks),
	TEST(t3_racing_registrations_take_the_locks_once),
	TEST(t3_the_first_beside_a_plain_notifier),
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
	TEST(t7_woken_when_the_invalidation_is_off_the_list),
	TEST(t7_nothing_becomes_valid_when_the_mm_dies),
	TEST(t1_nothing_becomes_valid_once_one_has_started),
	TEST(t1_an_invalidation_at_each_moment_of_begin),
	TEST(t1_an_invalidation_at_each_moment_of_unregister),
	TEST(t3_unregistered_at_each_moment),
	TEST(t7_an_empty_retry_fails_when_the_mm_dies),
	TEST(t7_all_fails_once_the_mm_is_dying),
	TEST(t7_walk_fails_when_the_mm_is_unstable),
	TEST(t10_many_ranges),
	TEST(t10_exit_marks_all),
	TEST(t11_no_limit_in_flight),
	TEST(t12_register_pins_the_mm),
	TEST(t12_a_failed_register_leaves_nothing),
	TEST(t12_a_dead_mm_is_not_recorded),
	TEST(t12_a_mm_that_dies_meanwhile_is_not_recorded),
	TEST(errno_of_bad_bounds),
	TEST(errno_of_unknown_flags_and_events),
	TEST(errno_of_an_unregistered_range),
	TEST(errno_of_changed_bounds),
	TEST(errno_of_a_mask_with_a_sparse_array),
	TEST(garbage_validity_at_register),
	TEST(garbage_notes_at_register),
	TEST(garbage_call_at_register),
	TEST(garbage_retry_at_register),
	TEST(garbage_mm_at_register),
	TEST(garbage_in_all_of_the_range_at_register),
	TEST(garbage_window_at_register),
	TEST(garbage_leaves_no_trace_at_register),
	TEST(register_locked),
	TEST(legacy_range_is_left_alone),
	{ }
};
