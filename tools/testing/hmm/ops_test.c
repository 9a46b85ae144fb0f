// SPDX-License-Identifier: GPL-2.0-or-later
/* Tracked ranges with callbacks, and numbers for several users of one range. */
#include "test.h"

#define NR	40

/* A driver's range, and what it was told. */
struct mirror {
	struct hmm_range range;
	struct hmm_range_finish finish;
	unsigned int calls, finished, released;
	unsigned long start, end;
	enum mmu_notifier_event event;
	void (*also)(struct mirror *mirror);
	bool refuses;
	/* Its first pass leaves nothing to the second. */
	bool at_once;
};

static struct mirror mirrors[NR];
static struct mm_struct *mm;
static unsigned int order;
static struct mmu_notifier_range first;

static struct mirror *mirror_of(struct hmm_range *range)
{
	return container_of(range, struct mirror, range);
}

static bool invalidate(struct hmm_range *range,
		       const struct mmu_notifier_range *invalidation,
		       unsigned long start, unsigned long end)
{
	struct mirror *mirror = mirror_of(range);

	EXPECT(!mirror->released);
	/* Valid is what the last walk was asked for, which need not be hit. */
	EXPECT(!hmm_range_valid(range) || range->flags ||
	       end <= range->start || start >= range->end);
	mirror->calls++;
	mirror->start = start;
	mirror->end = end;
	mirror->event = invalidation->event;
	if (mirror->also)
		mirror->also(mirror);
	return !mirror->refuses;
}

static bool invalidate_start(struct hmm_range *range,
			     const struct mmu_notifier_range *invalidation,
			     unsigned long start, unsigned long end,
			     struct hmm_range_finish **finish)
{
	if (!invalidate(range, invalidation, start, end))
		return false;
	if (!mirror_of(range)->at_once)
		*finish = &mirror_of(range)->finish;
	return true;
}

static void invalidate_finish(struct hmm_range_finish *finish)
{
	struct mirror *mirror = container_of(finish, struct mirror, finish);

	EXPECT(mirror->calls == mirror->finished + 1);
	EXPECT(!mirror->released);
	/* No lock is held, and the driver has it back. */
	might_sleep();
	memset(finish, 0x5a, sizeof(*finish));
	mirror->finished++;
}

static void release(struct hmm_range *range)
{
	mirror_of(range)->released++;
	/* It is not registered any more. */
	EXPECT(hmm_range_begin(range) == -EINVAL);
	/* As if it were freed. */
	memset(range, 0x5a, sizeof(*range));
}

static const struct hmm_range_ops one_pass = {
	.invalidate = invalidate,
	.release = release,
};

static const struct hmm_range_ops two_passes = {
	.invalidate_start = invalidate_start,
	.invalidate_finish = invalidate_finish,
	.release = release,
};

static void just_count(struct hmm_range *range)
{
	mirror_of(range)->released++;
}

static const struct hmm_range_ops kept = {
	.invalidate = invalidate,
	.release = just_count,
};

static void begin_test(void)
{
	memset(mirrors, 0, sizeof(mirrors));
	mm = mm_alloc();
}

static void track(struct mirror *mirror, unsigned long page, unsigned long nr,
		  const struct hmm_range_ops *ops)
{
	EXPECT(!hmm_range_register_ops(&mirror->range, mm, ADDR(page),
				       ADDR(page + nr), ops));
	EXPECT(!hmm_range_begin(&mirror->range));
}

static void t16_called_with_what_was_hit(void)
{
	struct mirror *mirror = &mirrors[0];

	begin_test();
	track(mirror, 10, 10, &one_pass);
	invalidate_pages(mm, 5, 5);
	invalidate_pages(mm, 20, 5);
	EXPECT(!mirror->calls);
	invalidate_pages(mm, 5, 6);
	EXPECT(mirror->calls == 1);
	EXPECT(mirror->start == ADDR(10) && mirror->end == ADDR(11));
	invalidate_pages(mm, 19, 100);
	EXPECT(mirror->start == ADDR(19) && mirror->end == ADDR(20));

	/* Of all that is registered, wherever the window is. */
	mirror->range.start = ADDR(15);
	EXPECT(!hmm_range_begin(&mirror->range));
	start_pages(&first, mm, 12, 2);
	EXPECT(mirror->calls == 3);
	EXPECT(mirror->start == ADDR(12) && mirror->end == ADDR(14));
	end_pages(&first);

	mmput(mm);
	EXPECT(mirror->calls == 4);
	EXPECT(mirror->event == MMU_NOTIFY_RELEASE);
	EXPECT(mirror->start == ADDR(10) && mirror->end == ADDR(20));
	hmm_range_unregister(&mirror->range);
}

/* How many there are: more than the core keeps while it makes its calls, or fewer. */
#define FEW	4
static int nr_tracked;

static void check_marks(struct mirror *mirror)
{
	for (int i = 0; i < nr_tracked; i++)
		EXPECT(!hmm_range_valid(&mirrors[i].range));
}

static bool interval_called(struct mmu_interval_notifier *sub,
			    const struct mmu_notifier_range *range,
			    unsigned long cur_seq)
{
	EXPECT(!order);
	order = 1;
	check_marks(NULL);
	return true;
}

static const struct mmu_interval_notifier_ops interval_ops = {
	.invalidate = interval_called,
};

static void expect_second(struct mirror *mirror)
{
	EXPECT(order == 1);
}

static void after_marks_and_interval_notifiers(int nr)
{
	struct mmu_interval_notifier sub;
	int i;

	begin_test();
	order = 0;
	nr_tracked = nr;
	for (i = 0; i < nr; i++) {
		track(&mirrors[i], 10, 1, i & 1 ? &one_pass : &two_passes);
		mirrors[i].also = i ? expect_second : check_marks;
	}
	EXPECT(!mmu_interval_notifier_insert(&sub, mm, ADDR(10), PAGE_SIZE,
					     &interval_ops));
	invalidate_pages(mm, 10, 1);
	for (i = 0; i < nr; i++) {
		EXPECT(mirrors[i].calls == 1);
		EXPECT(mirrors[i].finished == !(i & 1));
		hmm_range_unregister(&mirrors[i].range);
	}
	mmu_interval_notifier_remove(&sub);
	mmput(mm);
}

static void t16_after_marks_and_interval_notifiers(void)
{
	after_marks_and_interval_notifiers(FEW);
}

static void t16_after_marks_and_interval_notifiers_of_many(void)
{
	after_marks_and_interval_notifiers(NR);
}

static void own_events(const struct hmm_range_ops *ops)
{
	struct mirror *mirror = &mirrors[0];
	unsigned long seq;
	unsigned int flags;

	for (flags = 0; flags <= HMM_RANGE_OWN_EVENTS;
	     flags += HMM_RANGE_OWN_EVENTS) {
		begin_test();
		mirror->range.flags = flags;
		mirror->range.dev_private_owner = mirror;
		mirror->range.ignore_events = BIT(MMU_NOTIFY_MIGRATE);
		track(mirror, 10, 10, ops);
		seq = hmm_range_begin_seq(&mirror->range);
		start_event(&first, mm, 10, 1, MMU_NOTIFY_MIGRATE, mirror);
		end_pages(&first);
		EXPECT(mirror->calls == !!flags);
		EXPECT(hmm_range_valid(&mirror->range));
		EXPECT(hmm_range_unchanged(&mirror->range, seq));
		/* Not to be called is not to refuse. */
		first.flags = 0;
		EXPECT(!mmu_notifier_invalidate_range_start_nonblock(&first));
		end_pages(&first);
		start_event(&first, mm, 10, 1, MMU_NOTIFY_MIGRATE, &first);
		end_pages(&first);
		EXPECT(mirror->calls == 1 + 2 * !!flags);
		EXPECT(!hmm_range_valid(&mirror->range));
		EXPECT(!hmm_range_unchanged(&mirror->range, seq));
		hmm_range_unregister(&mirror->range);
		mmput(mm);
	}
}

static void t16_own_events(void)
{
	own_events(&one_pass);
	own_events(&two_passes);
}

/* The second pass is made only for what the first has asked for. */
static void t16_one_of_two_passes(void)
{
	struct mirror *mirror = &mirrors[0];

	begin_test();
	track(mirror, 10, 10, &two_passes);
	mirror->at_once = true;
	invalidate_pages(mm, 10, 1);
	EXPECT(mirror->calls == 1);
	EXPECT(!mirror->finished);
	hmm_range_unregister(&mirror->range);
	mmput(mm);
}

static void unregister_it(struct mirror *mirror)
{
	hmm_range_unregister_async(&mirror->range);
	EXPECT(!mirror->released);
}

static void t16_unregistered_in_the_callback(void)
{
	int i;

	begin_test();
	for (i = 0; i < NR; i++) {
		track(&mirrors[i], 10, 1, i & 1 ? &one_pass : &two_passes);
		mirrors[i].also = unregister_it;
	}
	invalidate_pages(mm, 10, 1);
	for (i = 0; i < NR; i++) {
		EXPECT(mirrors[i].calls == 1);
		EXPECT(mirrors[i].released == 1);
	}
	mirrors[0] = (struct mirror){ };
	track(&mirrors[0], 10, 1, &one_pass);
	hmm_range_unregister_async(&mirrors[0].range);
	EXPECT(mirrors[0].released == 1);
	mmput(mm);
}

static bool is_poisoned(const void *memory, size_t size)
{
	const unsigned char *byte = memory;

	while (size && *byte == 0x5a) {
		byte++;
		size--;
	}
	return !size;
}

/* What is released is the driver's: nothing is written to it. */
static void t16_released_is_left_alone(void)
{
	begin_test();
	track(&mirrors[0], 10, 1, &one_pass);
	mirrors[0].also = unregister_it;
	invalidate_pages(mm, 10, 1);
	EXPECT(mirrors[0].released == 1);
	EXPECT(is_poisoned(&mirrors[0].range, sizeof(mirrors[0].range)));
	mmput(mm);
}

/* It may be that nothing calls it, or that something does. */
static void expect_invalid(struct mirror *mirror)
{
	EXPECT(hmm_range_valid(&mirror->range));
	hmm_range_unregister_async(&mirror->range);
	EXPECT(!hmm_range_valid(&mirror->range));
	/* To ask for the other removal is reported, and has no effect. */
	hmm_range_unregister(&mirror->range);
	EXPECT(shim_take_warnings() == 1);
	EXPECT(!mirror->released);
}

static void t16_unregistered_is_invalid(void)
{
	struct hmm_range *range = &mirrors[0].range;

	begin_test();
	track(&mirrors[0], 10, 10, &kept);
	hmm_range_unregister(range);
	EXPECT(!hmm_range_valid(range));
	EXPECT(hmm_range_begin(range) == -EINVAL);
	EXPECT(!hmm_range_begin_seq(range));
	/* A second time it has no effect. */
	hmm_range_unregister(range);
	EXPECT(!mirrors[0].released);
	EXPECT(atomic_read(&mm->mm_count) == 1);

	track(&mirrors[0], 10, 10, &kept);
	range->start = ADDR(15);
	EXPECT(!hmm_range_begin(range));
	mirrors[0].also = expect_invalid;
	invalidate_pages(mm, 10, 1);
	EXPECT(mirrors[0].released == 1);
	EXPECT(!hmm_range_valid(range));
	EXPECT(atomic_read(&mm->mm_count) == 1);
	mmput(mm);
}

/* At which of the moments that the lock is free there is an invalidation. */
static unsigned int hit_at, times_free;

static void hit_at_a_moment(void)
{
	if (times_free++ != hit_at)
		return;
	start_pages(&first, mm, 10, 1);
	EXPECT(!hmm_range_valid(&mirrors[0].range));
	end_pages(&first);
}

/* It is never valid when it has left the tree. */
static void t16_hit_at_each_moment_of_unregister(void)
{
	static void (*const unregister[])(struct hmm_range *range) = {
		hmm_range_unregister, hmm_range_unregister_async,
	};

	begin_test();
	for (int i = 0; i < ARRAY_SIZE(unregister); i++) {
		hit_at = 0;
		do {
			track(&mirrors[0], 10, 1, &kept);
			mirrors[0].released = 0;
			times_free = 0;
			shim_run_unlocked(hit_at_a_moment);
			unregister[i](&mirrors[0].range);
			shim_run_unlocked(NULL);
			EXPECT(!hmm_range_valid(&mirrors[0].range));
		} while (hit_at++ < times_free);
		EXPECT(times_free > 1);
	}
	mmput(mm);
}

/* Without a release there is nobody to tell: it stays registered. */
static void t16_no_release(void)
{
	static const struct hmm_range_ops unreleased = {
		.invalidate = invalidate,
	};
	struct mirror *mirror = &mirrors[0];

	begin_test();
	track(mirror, 10, 10, &unreleased);
	hmm_range_unregister_async(&mirror->range);
	EXPECT(shim_take_warnings() == 1);
	EXPECT(hmm_range_valid(&mirror->range));
	invalidate_pages(mm, 10, 1);
	EXPECT(mirror->calls == 1);
	hmm_range_unregister(&mirror->range);
	mmput(mm);
}

static unsigned long last_seq;

/* Before the removal has the lock. */
static void hit_and_take_a_number(void)
{
	if (last_seq)
		return;
	invalidate_pages(mm, 10, 1);
	last_seq = hmm_range_begin_seq(&mirrors[0].range);
	EXPECT(last_seq & 1);
}

/* Whoever took a number while the range was unregistered: it is not true after. */
static void t16_a_number_does_not_outlive_the_range(void)
{
	struct hmm_range *range = &mirrors[0].range;

	begin_test();
	track(&mirrors[0], 10, 1, &kept);
	last_seq = 0;
	shim_run_unlocked(hit_and_take_a_number);
	hmm_range_unregister_async(range);
	shim_run_unlocked(NULL);
	EXPECT(last_seq);
	EXPECT(mirrors[0].released == 1);
	EXPECT(!hmm_range_unchanged(range, last_seq));
	mmput(mm);
}

/* A callback may say no to one that must not block; nothing is left of it. */
static void a_callback_refuses(const struct hmm_range_ops *ops)
{
	struct mirror *mirror = &mirrors[0];

	begin_test();
	track(mirror, 10, 10, ops);
	mirror->refuses = true;
	first = (struct mmu_notifier_range){
		.mm = mm, .start = ADDR(10), .end = ADDR(11),
	};
	EXPECT(mmu_notifier_invalidate_range_start_nonblock(&first) == -EAGAIN);
	EXPECT(!hmm_range_valid(&mirror->range));
	EXPECT(!hmm_range_begin(&mirror->range));
	EXPECT(!mirror->finished);
	hmm_range_unregister(&mirror->range);
	mmput(mm);
}

static void t5_a_callback_refuses(void)
{
	a_callback_refuses(&one_pass);
	a_callback_refuses(&two_passes);
}

static bool refuse(struct mmu_interval_notifier *sub,
		   const struct mmu_notifier_range *range,
		   unsigned long cur_seq)
{
	return mmu_notifier_range_blockable(range);
}

static const struct mmu_interval_notifier_ops refusing_ops = {
	.invalidate = refuse,
};

/* Ranges come after it: they are marked, and not called. */
static void an_interval_notifier_refuses(int nr)
{
	struct mmu_interval_notifier sub;
	int i;

	begin_test();
	for (i = 0; i < nr; i++)
		track(&mirrors[i], 10, 10, &one_pass);
	EXPECT(!mmu_interval_notifier_insert(&sub, mm, ADDR(10), PAGE_SIZE,
					     &refusing_ops));
	first = (struct mmu_notifier_range){
		.mm = mm, .start = ADDR(10), .end = ADDR(11),
	};
	EXPECT(mmu_notifier_invalidate_range_start_nonblock(&first) == -EAGAIN);
	for (i = 0; i < nr; i++) {
		EXPECT(!hmm_range_valid(&mirrors[i].range));
		EXPECT(!mirrors[i].calls);
	}
	invalidate_pages(mm, 10, 1);
	mmu_interval_notifier_remove(&sub);
	for (i = 0; i < nr; i++) {
		EXPECT(mirrors[i].calls == 1);
		hmm_range_unregister(&mirrors[i].range);
	}
	mmput(mm);
}

static void t5_an_interval_notifier_refuses(void)
{
	an_interval_notifier_refuses(FEW);
}

static void t5_an_interval_notifier_refuses_many(void)
{
	an_interval_notifier_refuses(NR);
}

static void begin_seq_has_a_number_for_each(void)
{
	struct hmm_range *range = &mirrors[0].range;
	unsigned long one, two;

	begin_test();
	EXPECT(!hmm_range_begin_seq(range));
	EXPECT(!hmm_range_unchanged(range, 0));
	EXPECT(!hmm_range_register(range, mm, ADDR(10), ADDR(20)));
	one = hmm_range_begin_seq(range);
	EXPECT(one & 1);
	EXPECT(hmm_range_unchanged(range, one));
	invalidate_pages(mm, 20, 1);
	EXPECT(hmm_range_unchanged(range, one));
	start_pages(&first, mm, 19, 1);
	EXPECT(!hmm_range_unchanged(range, one));
	two = hmm_range_begin_seq(range);
	EXPECT(!hmm_range_unchanged(range, two));
	end_pages(&first);
	EXPECT(!hmm_range_unchanged(range, two));
	two = hmm_range_begin_seq(range);
	EXPECT(two != one);
	EXPECT(hmm_range_unchanged(range, two));
	/* It is of all that is registered, whatever is walked. */
	range->end = ADDR(15);
	start_pages(&first, mm, 19, 1);
	EXPECT(!hmm_range_begin_seq(range));
	end_pages(&first);
	two = hmm_range_begin_seq(range);
	EXPECT(hmm_range_unchanged(range, two));
	mmput(mm);
	EXPECT(!hmm_range_unchanged(range, two));
	EXPECT(!hmm_range_begin_seq(range));
	hmm_range_unregister(range);
}

static void errno_of_ops(void)
{
	static const struct hmm_range_ops none, both = {
		.invalidate = invalidate,
		.invalidate_start = invalidate_start,
		.invalidate_finish = invalidate_finish,
	}, half = {
		.invalidate_start = invalidate_start,
	}, other_half = {
		.invalidate = invalidate,
		.invalidate_finish = invalidate_finish,
	};
	struct hmm_range *range = &mirrors[0].range;

	begin_test();
	EXPECT(hmm_range_register_ops(range, mm, ADDR(1), ADDR(2), &none) ==
	       -EINVAL);
	EXPECT(hmm_range_register_ops(range, mm, ADDR(1), ADDR(2), &both) ==
	       -EINVAL);
	EXPECT(hmm_range_register_ops(range, mm, ADDR(1), ADDR(2), &half) ==
	       -EINVAL);
	EXPECT(hmm_range_register_ops(range, mm, ADDR(1), ADDR(2),
				      &other_half) == -EINVAL);
	EXPECT(!mm->all_locks_taken);
	EXPECT(!hmm_mm_track(mm));
	EXPECT(!hmm_mm_track(mm));
	EXPECT(mm->all_locks_taken == 1);
	EXPECT(!hmm_range_register_ops(range, mm, ADDR(1), ADDR(2), &one_pass));
	EXPECT(mm->all_locks_taken == 1);
	hmm_range_unregister(range);
	mmgrab(mm);
	mmput(mm);
	EXPECT(hmm_mm_track(mm) == -EFAULT);
	mmdrop(mm);
}

#define TEST(name) { #name, name }

const struct test ops_tests[] = {
	TEST(t16_called_with_what_was_hit),
	TEST(t16_after_marks_and_interval_notifiers),
	TEST(t16_after_marks_and_interval_notifiers_of_many),
	TEST(t16_own_events),
	TEST(t16_one_of_two_passes),
	TEST(t16_unregistered_in_the_callback),
	TEST(t16_released_is_left_alone),
	TEST(t16_unregistered_is_invalid),
	TEST(t16_hit_at_each_moment_of_unregister),
	TEST(t16_no_release),
	TEST(t16_a_number_does_not_outlive_the_range),
	TEST(t5_a_callback_refuses),
	TEST(t5_an_interval_notifier_refuses),
	TEST(t5_an_interval_notifier_refuses_many),
	TEST(begin_seq_has_a_number_for_each),
	TEST(errno_of_ops),
	{ }
};
