// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of what an invalidation does to a walk that runs (T13): it
 * disturbs the walk only in what the walk holds, and is never waited for.
 *
 * The exact moments are those of a fault: the handler of the mapping under the
 * walk starts invalidations, ends them, and unmaps pages for real.
 */
#include <kunit/resource.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "hmm_kunit.h"

#define NR	16

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

static struct hmm_range *fault_range(struct kunit *test, unsigned long nr)
{
	struct hmm_range *range = hmm_test_range(test, test_mm(test), 0, nr);

	range->default_flags = HMM_PFN_REQ_FAULT;
	hmm_test_forget(range, nr);
	return range;
}

/*
 * What is done in the course of a fault.
 *
 * @fault: of which one, counted from 1
 * @what: unmap the pages, invalidate them and leave them mapped, or start an
 *	invalidation of them that stays in flight
 * @first: the first of them
 * @nr: how many there are
 */
struct act {
	unsigned int fault;
	enum { ZAP, INVALIDATE, HOLD } what;
	unsigned long first;
	unsigned long nr;
};

/* The acts, and what they have started last that is in flight. */
struct script {
	struct kunit *test;
	const struct act *acts;
	unsigned int nr;
	struct mmu_notifier_range *held;
};

static vm_fault_t do_script(struct hmm_test_recorder *recorder,
			    struct vm_fault *vmf)
{
	struct script *script = recorder->data;
	struct mm_struct *mm = vmf->vma->vm_mm;

	for (unsigned int i = 0; i < script->nr; i++) {
		const struct act *act = &script->acts[i];

		if (act->fault != recorder->faults)
			continue;
		if (act->what == ZAP)
			hmm_test_zap(vmf->vma, act->first, act->nr);
		else if (act->what == INVALIDATE)
			hmm_test_invalidate(mm, act->first, act->nr);
		else
			script->held = hmm_test_start(script->test, mm,
						      act->first, act->nr);
	}
	return 0;
}

static struct hmm_test_recorder *map_script(struct kunit *test,
					    struct script *script)
{
	struct hmm_test_recorder *recorder;

	script->test = test;
	recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	recorder->hook = do_script;
	recorder->data = script;
	return recorder;
}

#define SCRIPT(...) ((struct script) {					\
	.acts = (struct act[]){ __VA_ARGS__ },				\
	.nr = sizeof((struct act[]){ __VA_ARGS__ }) / sizeof(struct act), \
})

/* All but what is in flight is read, and the retry reads that alone. */
static void t13_a_walk_goes_round_what_is_in_flight(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct mmu_notifier_range *one, *two, *three;
	struct hmm_range *range;

	recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	range = fault_range(test, NR);
	one = hmm_test_start(test, test_mm(test), 3, 2);
	two = hmm_test_start(test, test_mm(test), 4, 3);
	three = hmm_test_start(test, test_mm(test), 15, 10);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	HMM_TEST_WALKED(test, range, NR, { 0, 3 }, { 7, 15 });
	KUNIT_EXPECT_EQ(test, recorder->faults, 11);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));

	hmm_test_end(test, two);
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), -EBUSY);
	HMM_TEST_WALKED(test, range, NR, { 5, 7 });

	hmm_test_end(test, one);
	hmm_test_end(test, three);
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 3, 5 }, { 15, 16 });
	KUNIT_EXPECT_EQ(test, recorder->faults, NR);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

static void t13_a_snapshot_goes_round_what_is_in_flight(struct kunit *test)
{
	struct hmm_range *range;

	hmm_test_map_recorder(test, NR, PROT_READ, false);
	range = fault_range(test, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	hmm_test_forget(range, NR);
	hmm_test_start(test, test_mm(test), 0, 1);
	hmm_test_start(test, test_mm(test), 9, 2);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EBUSY);
	HMM_TEST_WALKED(test, range, NR, { 1, 9 }, { 11, NR });
}

/* In flight at an address that is no multiple of the size of a page. */
static struct mmu_notifier_range *
start_at(struct kunit *test, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range *invalidation;

	invalidation = kunit_kzalloc(test, sizeof(*invalidation), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, invalidation);
	mmu_notifier_range_init(invalidation, MMU_NOTIFY_CLEAR, 0,
				test_mm(test), start, end);
	mmu_notifier_invalidate_range_start(invalidation);
	return invalidation;
}

static void snapshot(struct hmm_test_job *job)
{
	job->result = hmm_test_snapshot(job->range);
}

/* The page that a bound lies in is in flight as a whole. */
static void t13_goes_round_bounds_within_a_page(struct kunit *test)
{
	static const struct {
		unsigned long first, start, last, end;
	} bounds[] = {
		{ 0, 16, 1, 0 }, { 0, 0, 0, 16 }, { 0, 16, 0, 32 },
		{ 5, 8, 7, 0 }, { 5, 0, 7, 8 }, { NR - 1, 16, NR - 1, 17 },
	};
	struct mmu_notifier_range *invalidation;
	struct hmm_test_job args = {}, *job;
	bool ended;

	hmm_test_map_recorder(test, NR, PROT_READ, false);
	args.range = fault_range(test, NR);
	KUNIT_ASSERT_EQ(test, hmm_test_fault(args.range), 0);
	for (int i = 0; i < ARRAY_SIZE(bounds); i++) {
		hmm_test_forget(args.range, NR);
		invalidation = start_at(test, hmm_test_addr(bounds[i].first) +
					      bounds[i].start,
					hmm_test_addr(bounds[i].last) +
					bounds[i].end);
		job = hmm_test_start_job(test, snapshot, &args);
		ended = hmm_test_job_ends(job);
		mmu_notifier_invalidate_range_end(invalidation);
		KUNIT_ASSERT_TRUE_MSG(test, ended, "bounds %d: no end", i);
		KUNIT_EXPECT_EQ(test, job->result, -EBUSY);
		HMM_TEST_WALKED(test, args.range, NR,
				{ bounds[i].last + !!bounds[i].end, NR },
				{ 0, bounds[i].first });
	}
}

/*
 * A fault that invalidates its own page, as a copy does, disturbs nothing: not
 * even in the last round, after which what was hit could not be read again.
 */
static void t13_a_fault_may_invalidate_its_page(struct kunit *test)
{
	struct script script = SCRIPT({ 16, ZAP, 0, 1 },
				      /* the first round: page 0 */
				      { 17, ZAP, 15, 1 },
				      /* the second: page 15 */
				      { 18, INVALIDATE, 15, 1 });
	struct hmm_test_recorder *recorder = map_script(test, &script);
	struct hmm_range *range = fault_range(test, NR);

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, NR + 2);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_expect_mapped(test, range, NR);
}

/* Nor does a hit of what the walk has not come to yet. */
static void t13_what_is_not_read_yet_may_be_hit(struct kunit *test)
{
	struct script script = SCRIPT({ 16, ZAP, 0, 1 },
				      /* the first round: page 0 */
				      { 17, ZAP, 14, 2 },
				      /* the second: page 14, and then 15 */
				      { 18, INVALIDATE, 15, 1 });
	struct hmm_test_recorder *recorder = map_script(test, &script);
	struct hmm_range *range = fault_range(test, NR);

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, recorder->faults, NR + 3);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_expect_mapped(test, range, NR);
}

/*
 * The walk looks, reads, and steps on; the invalidation must not compare with a
 * position that has not moved yet. Pages 0 and 1 have been read when the last one
 * is faulted in, and are unmapped then.
 */
static void t13_a_page_below_is_zapped(struct kunit *test)
{
	struct script script = SCRIPT({ 16, ZAP, 0, 2 });
	struct hmm_test_recorder *recorder = map_script(test, &script);
	struct hmm_range *range = fault_range(test, NR);

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, recorder->nr_hits[0], 2);
	KUNIT_EXPECT_EQ(test, recorder->nr_hits[1], 2);
	KUNIT_EXPECT_EQ(test, recorder->faults, NR + 2);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	hmm_test_expect_mapped(test, range, NR);
}

/* A retry for page 2 keeps page 9, above where it reads. That is zapped. */
static void t13_what_is_kept_above_is_zapped(struct kunit *test)
{
	struct script script = SCRIPT({ NR + 1, ZAP, 9, 1 },
				      { NR + 2, ZAP, 3, 1 });
	struct hmm_test_recorder *recorder = map_script(test, &script);
	struct hmm_range *range = fault_range(test, NR);

	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	mmap_read_lock(test_mm(test));
	hmm_test_zap(vma_lookup(test_mm(test), range->start), 2, 1);
	mmap_read_unlock(test_mm(test));

	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 2, 4 }, { 9, 10 });
	KUNIT_EXPECT_EQ(test, recorder->faults, NR + 3);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* What starts in mid-walk, and does not end, is gone round as well. */
static void t13_starts_below_and_stays(struct kunit *test)
{
	struct script script = SCRIPT({ 16, HOLD, 2, 3 });
	struct hmm_test_recorder *recorder = map_script(test, &script);
	struct hmm_range *range = fault_range(test, NR);

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	KUNIT_EXPECT_EQ(test, recorder->faults, NR);
	HMM_TEST_WALKED(test, range, NR, { 0, NR });
	hmm_test_end(test, script.held);
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 2, 5 });
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* Above, where the walk gave back what it has not stored: it must not read. */
static void t13_starts_above_and_stays(struct kunit *test)
{
	struct script script = SCRIPT({ 1, HOLD, 8, 3 });
	struct hmm_range *range;

	map_script(test, &script);
	range = fault_range(test, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	HMM_TEST_WALKED(test, range, NR, { 0, 8 }, { 11, NR });
	hmm_test_end(test, script.held);
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 8, 11 });
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* Page 0 is unmapped when page 15 is faulted in, and the other way round. */
static void t13_two_rounds_and_no_more(struct kunit *test)
{
	struct script script = SCRIPT({ 16, ZAP, 0, 1 },
				      /* the first round: page 0 */
				      { 17, ZAP, 15, 1 },
				      /* the second: page 15 */
				      { 18, ZAP, 0, 1 });
	struct hmm_test_recorder *recorder = map_script(test, &script);
	struct hmm_range *range = fault_range(test, NR);

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->faults, 18);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));

	/* What was hit in the second is left to be read. */
	hmm_test_forget(range, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	HMM_TEST_WALKED(test, range, NR, { 0, 1 });
	KUNIT_EXPECT_EQ(test, recorder->faults, 19);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* A hit that comes with the very last page of the walk is not missed. */
static void t1_invalidation_at_the_end_of_a_walk(struct kunit *test)
{
	struct script script = SCRIPT({ 16, HOLD, 15, 1 });
	struct hmm_range *range;

	map_script(test, &script);
	range = fault_range(test, NR);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	HMM_TEST_WALKED(test, range, NR, { 0, 15 });
}

/* An invalidation in the lowest page does not stop the walk in the highest. */
static void t8_a_low_hit_does_not_stop_a_walk(struct kunit *test)
{
	struct hmm_test_recorder *recorder;
	struct mmu_notifier_range *low;
	struct hmm_range *range;

	recorder = hmm_test_map_recorder(test, NR, PROT_READ, false);
	range = fault_range(test, NR);
	low = hmm_test_start(test, test_mm(test), 0, 1);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	KUNIT_EXPECT_EQ(test, recorder->nr_hits[0], 0);
	KUNIT_EXPECT_EQ(test, recorder->nr_hits[NR - 1], 1);
	HMM_TEST_WALKED(test, range, NR, { 1, NR });
	hmm_test_end(test, low);
}

/* Nothing is mapped there, and that is no error yet: nothing is looked at. */
static void t13_all_of_it_is_in_flight(struct kunit *test)
{
	struct hmm_range *range = fault_range(test, NR);
	struct mmu_notifier_range *all = hmm_test_start(test, test_mm(test), 0, NR);

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EBUSY);
	HMM_TEST_WALKED(test, range, NR, { });
	hmm_test_end(test, all);
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EFAULT);
}

static struct kunit_case hmm_claim_cases[] = {
	KUNIT_CASE(t1_invalidation_at_the_end_of_a_walk),
	KUNIT_CASE(t8_a_low_hit_does_not_stop_a_walk),
	KUNIT_CASE(t13_a_walk_goes_round_what_is_in_flight),
	KUNIT_CASE(t13_a_snapshot_goes_round_what_is_in_flight),
	KUNIT_CASE(t13_goes_round_bounds_within_a_page),
	KUNIT_CASE(t13_all_of_it_is_in_flight),
	KUNIT_CASE(t13_a_fault_may_invalidate_its_page),
	KUNIT_CASE(t13_what_is_not_read_yet_may_be_hit),
	KUNIT_CASE(t13_a_page_below_is_zapped),
	KUNIT_CASE(t13_what_is_kept_above_is_zapped),
	KUNIT_CASE(t13_starts_below_and_stays),
	KUNIT_CASE(t13_starts_above_and_stays),
	KUNIT_CASE(t13_two_rounds_and_no_more),
	{ }
};

static struct kunit_suite hmm_claim_suite = {
	.name = "hmm_claim",
	.init = hmm_test_attach_mm,
	.test_cases = hmm_claim_cases,
};

kunit_test_suite(hmm_claim_suite);
