// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of HMM_RANGE_SPARSE and of hmm_next_run(): run by run, a
 * sparse array says the same as a dense one.
 */
#include <kunit/resource.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "hmm_kunit.h"

/* No pfn has all of these bits, and it is none of the sticky ones. */
#define UNTOUCHED	((1UL << HMM_PFN_ORDER_SHIFT) - 1)

#define NR_LEAF		HPAGE_PMD_NR

#define FAULT_WRITE	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

static void map_pages(struct kunit *test, unsigned long first, unsigned long nr,
		      unsigned long prot)
{
	KUNIT_ASSERT_EQ(test, kunit_vm_mmap(test, NULL, hmm_test_addr(first),
					    nr * PAGE_SIZE, prot, MAP_PRIVATE |
					    MAP_FIXED | MAP_ANONYMOUS, 0),
			hmm_test_addr(first));
}

static void fault_pages(struct kunit *test, unsigned long first, unsigned long nr)
{
	struct hmm_range *range = hmm_test_range(test, test_mm(test), first, nr);

	range->default_flags = FAULT_WRITE;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	hmm_test_unregister(test, range);
}

/* A huge page from page 0 on. */
static void map_huge_page(struct kunit *test)
{
	map_pages(test, 0, NR_LEAF, PROT_READ | PROT_WRITE);
	KUNIT_ASSERT_EQ(test, do_madvise(test_mm(test), hmm_test_addr(0),
					 HPAGE_PMD_SIZE, MADV_HUGEPAGE), 0);
	fault_pages(test, 0, NR_LEAF);
}

/* A huge page, a table with few pages, no table, no vma, and a little more. */
static void map_mixture(struct kunit *test)
{
	map_huge_page(test);
	map_pages(test, NR_LEAF, NR_LEAF, PROT_READ | PROT_WRITE | PROT_EXEC);
	fault_pages(test, NR_LEAF + 3, 2);
	fault_pages(test, NR_LEAF + 100, 1);
	map_pages(test, 2 * NR_LEAF, NR_LEAF, PROT_READ);
	map_pages(test, 3 * NR_LEAF + 5, 20, PROT_READ | PROT_WRITE);
}

static struct hmm_range *test_range(struct kunit *test, unsigned long first,
				    unsigned long nr, unsigned int flags)
{
	struct hmm_range *range = hmm_test_alloc_range(test, nr);

	for (unsigned long i = 0; i < nr; i++)
		range->hmm_pfns[i] = UNTOUCHED;
	range->flags = flags;
	KUNIT_ASSERT_EQ(test, hmm_range_register(range, test_mm(test),
						 hmm_test_addr(first),
						 hmm_test_addr(first + nr)), 0);
	return range;
}

/* What the run says of its page @i. */
static unsigned long run_entry(const struct hmm_run *run, unsigned long i)
{
	if (run->hmm_pfn & HMM_PFN_VALID)
		return run->hmm_pfn + i;
	return run->hmm_pfn & HMM_PFN_ERROR;
}

/* Do the runs follow on each other, and say what @dense has? */
static void expect_runs(struct kunit *test, const struct hmm_range *range,
			const unsigned long *dense, unsigned long nr)
{
	unsigned long next = 0;
	struct hmm_run run = {};

	while (hmm_next_run(range, &run)) {
		KUNIT_ASSERT_EQ(test, run.first, next);
		KUNIT_ASSERT_GT(test, run.nr_pages, 0);
		next += run.nr_pages;
		KUNIT_ASSERT_LE(test, next, nr);
		for (unsigned long i = 0; i < run.nr_pages; i++)
			KUNIT_ASSERT_EQ_MSG(test, run_entry(&run, i),
					    dense[run.first + i], "page %lu",
					    run.first + i);
	}
	KUNIT_EXPECT_EQ(test, next, nr);
}

static unsigned long nr_written(const struct hmm_range *range, unsigned long nr)
{
	unsigned long written = 0;

	for (unsigned long i = 0; i < nr; i++)
		written += range->hmm_pfns[i] != UNTOUCHED;
	return written;
}

/* From the middle of one thing to the middle of another. */
static void sparse_says_what_dense_says(struct kunit *test)
{
	const struct {
		unsigned long first, end;
	} bounds[] = {
		{ 0, NR_LEAF },
		{ 100, 3 * NR_LEAF + 12 },
		{ 0, 4 * NR_LEAF },
		{ NR_LEAF - 1, NR_LEAF + 2 },
		{ NR_LEAF + 4, 3 * NR_LEAF - 7 },
		{ 3 * NR_LEAF - 1, 3 * NR_LEAF + 6 },
	};

	map_mixture(test);
	for (int i = 0; i < ARRAY_SIZE(bounds); i++) {
		unsigned long nr = bounds[i].end - bounds[i].first;
		struct hmm_range *sparse, *dense;

		sparse = test_range(test, bounds[i].first, nr, HMM_RANGE_SPARSE);
		dense = test_range(test, bounds[i].first, nr, 0);
		KUNIT_EXPECT_EQ(test, hmm_test_snapshot(sparse), 0);
		KUNIT_EXPECT_EQ(test, hmm_test_snapshot(dense), 0);
		expect_runs(test, sparse, dense->hmm_pfns, nr);
		expect_runs(test, dense, dense->hmm_pfns, nr);
		KUNIT_EXPECT_EQ(test, nr_written(dense, nr), nr);
		hmm_range_unregister(sparse);
		hmm_range_unregister(dense);
	}
}

static void a_leaf_takes_one_entry(struct kunit *test)
{
	struct hmm_range *range;

	map_huge_page(test);
	range = test_range(test, 0, NR_LEAF, HMM_RANGE_SPARSE);
	range->default_flags = FAULT_WRITE;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, nr_written(range, NR_LEAF), 1);
	KUNIT_EXPECT_EQ(test, hmm_pfn_to_map_order(range->hmm_pfns[0]),
			HPAGE_PMD_ORDER);
	hmm_range_unregister(range);
}

static void a_hole_takes_one_entry(struct kunit *test)
{
	struct hmm_range *range;

	map_pages(test, 0, NR_LEAF, PROT_READ);
	range = test_range(test, 0, NR_LEAF, HMM_RANGE_SPARSE);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_EQ(test, nr_written(range, NR_LEAF), 1);
	hmm_range_unregister(range);
}

/* A page in the middle is hit: it alone is walked again. */
static void a_retry_keeps_the_runs(struct kunit *test)
{
	struct hmm_range *range, *dense;

	map_huge_page(test);
	dense = test_range(test, 0, NR_LEAF, 0);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(dense), 0);
	range = test_range(test, 0, NR_LEAF, HMM_RANGE_SPARSE);
	range->default_flags = FAULT_WRITE;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	hmm_test_invalidate(test_mm(test), 100, 1);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
	range->hmm_pfns[0] |= HMM_PFN_DMA_MAPPED;
	KUNIT_EXPECT_EQ(test, hmm_test_retry(range), 0);
	KUNIT_EXPECT_EQ(test, nr_written(range, NR_LEAF), 2);
	KUNIT_EXPECT_EQ(test, range->hmm_pfns[100],
			dense->hmm_pfns[100] & ~HMM_PFN_DMA_MAPPED);
	range->hmm_pfns[0] &= ~HMM_PFN_DMA_MAPPED;
	expect_runs(test, range, dense->hmm_pfns, NR_LEAF);
	hmm_range_unregister(range);
	hmm_range_unregister(dense);
}

static void requests_by_page_are_refused(struct kunit *test)
{
	struct hmm_range *range;

	map_pages(test, 0, 4, PROT_READ);
	range = test_range(test, 0, 4, HMM_RANGE_SPARSE);
	range->pfn_flags_mask = HMM_PFN_REQ_FAULT;
	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), -EINVAL);
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), -EINVAL);
	KUNIT_EXPECT_EQ(test, nr_written(range, 4), 0);
	range->pfn_flags_mask = 0;
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	hmm_range_unregister(range);
}

/* The flags are those of the registration, whatever becomes of the field. */
static void flags_are_latched(struct kunit *test)
{
	struct hmm_range *range;

	map_huge_page(test);
	range = test_range(test, 0, NR_LEAF, 0);
	range->flags = HMM_RANGE_SPARSE;
	KUNIT_EXPECT_EQ(test, hmm_test_snapshot(range), 0);
	KUNIT_EXPECT_EQ(test, nr_written(range, NR_LEAF), NR_LEAF);
	hmm_range_unregister(range);

	range->flags = HMM_RANGE_OWN_EVENTS << 1;
	KUNIT_EXPECT_EQ(test, hmm_range_register(range, test_mm(test),
						 hmm_test_addr(0),
						 hmm_test_addr(1)), -EINVAL);
}

static int attach_mm(struct kunit *test)
{
	int ret;

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		kunit_skip(test, "needs huge pages");
	ret = kunit_attach_mm();
	test->priv = current->mm;
	return ret;
}

static struct kunit_case hmm_sparse_cases[] = {
	KUNIT_CASE(sparse_says_what_dense_says),
	KUNIT_CASE(a_leaf_takes_one_entry),
	KUNIT_CASE(a_hole_takes_one_entry),
	KUNIT_CASE(a_retry_keeps_the_runs),
	KUNIT_CASE(requests_by_page_are_refused),
	KUNIT_CASE(flags_are_latched),
	{ }
};

static struct kunit_suite hmm_sparse_suite = {
	.name = "hmm_sparse",
	.init = attach_mm,
	.test_cases = hmm_sparse_cases,
};

kunit_test_suite(hmm_sparse_suite);

MODULE_DESCRIPTION("KUnit tests of sparse arrays of HMM");
MODULE_LICENSE("GPL");
