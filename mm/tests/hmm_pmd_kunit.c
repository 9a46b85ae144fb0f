// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of PMD leaves that lie side by side: what is true of one of them
 * says nothing of the next.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgtable.h>

#include "../internal.h"
#include "hmm_kunit.h"

#define NR_LEAVES	2
#define FAULT_WRITE	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

/* Others have no name for the state. */
#if defined(CONFIG_TRANSPARENT_HUGEPAGE) && \
	(defined(CONFIG_X86) || defined(CONFIG_ARM64))
static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

static struct hmm_range *map_leaves(struct kunit *test)
{
	const unsigned long nr = NR_LEAVES * HPAGE_PMD_NR;
	struct hmm_range *range;

	hmm_test_map(test, NULL, 0, nr, PROT_READ | PROT_WRITE);
	KUNIT_ASSERT_EQ(test, do_madvise(test_mm(test), hmm_test_addr(0),
					 nr * PAGE_SIZE, MADV_HUGEPAGE), 0);
	range = hmm_test_range(test, test_mm(test), 0, nr);
	range->default_flags = FAULT_WRITE;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	for (unsigned long i = 0; i < nr; i += HPAGE_PMD_NR)
		if (hmm_pfn_to_map_order(range->hmm_pfns[i]) != HPAGE_PMD_ORDER)
			kunit_skip(test, "no huge page to be had");
	return range;
}

/* Exchange the entries of all leaves with @pmds, and tell nobody. */
static void exchange_pmds(struct mm_struct *mm, pmd_t *pmds)
{
	for (int i = 0; i < NR_LEAVES; i++) {
		unsigned long addr = hmm_test_addr(i * HPAGE_PMD_NR);
		pmd_t *pmdp = mm_find_pmd(mm, addr);
		spinlock_t *ptl = pmd_lock(mm, pmdp);
		pmd_t old = pmdp_get(pmdp);

		set_pmd_at(mm, addr, pmdp, pmds[i]);
		pmds[i] = old;
		spin_unlock(ptl);
	}
}

/*
 * On their way to be split, zapped or protected, the leaves in the mask @which
 * are present and no longer so for the CPU; on some CPUs the pfn is stored
 * inverted then. A snapshot stores what it stored before.
 */
static void snapshot_invalidated(struct kunit *test, unsigned long which)
{
	const unsigned long nr = NR_LEAVES * HPAGE_PMD_NR;
	struct hmm_range *range = map_leaves(test);
	unsigned long *before = hmm_test_alloc_range(test, nr)->hmm_pfns;
	pmd_t pmds[NR_LEAVES];

	memcpy(before, range->hmm_pfns, nr * sizeof(*before));
	hmm_test_forget(range, nr);
	mmap_write_lock(test_mm(test));
	for (int i = 0; i < NR_LEAVES; i++) {
		pmds[i] = pmdp_get(mm_find_pmd(test_mm(test),
					       hmm_test_addr(i * HPAGE_PMD_NR)));
		if (which & BIT(i))
			pmds[i] = pmd_mkinvalid(pmds[i]);
	}
	exchange_pmds(test_mm(test), pmds);
	KUNIT_EXPECT_EQ(test, hmm_range_snapshot(range), 0);
	exchange_pmds(test_mm(test), pmds);
	mmap_write_unlock(test_mm(test));
	for (unsigned long i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ_MSG(test, range->hmm_pfns[i], before[i],
				    "entry %lu", i);
}

static void pmds_that_are_invalidated(struct kunit *test)
{
	snapshot_invalidated(test, BIT(NR_LEAVES) - 1);
}

/* One is, and the other is not: in either order. */
static void first_of_two_pmds_is_invalidated(struct kunit *test)
{
	snapshot_invalidated(test, BIT(0));
}

static void last_of_two_pmds_is_invalidated(struct kunit *test)
{
	snapshot_invalidated(test, BIT(NR_LEAVES - 1));
}
#else
static void pmds_that_are_invalidated(struct kunit *test)
{
	kunit_skip(test, "no huge pages, or no pmd_mkinvalid()");
}

static void first_of_two_pmds_is_invalidated(struct kunit *test)
{
	kunit_skip(test, "no huge pages, or no pmd_mkinvalid()");
}

static void last_of_two_pmds_is_invalidated(struct kunit *test)
{
	kunit_skip(test, "no huge pages, or no pmd_mkinvalid()");
}
#endif

static struct kunit_case hmm_pmd_cases[] = {
	KUNIT_CASE(pmds_that_are_invalidated),
	KUNIT_CASE(first_of_two_pmds_is_invalidated),
	KUNIT_CASE(last_of_two_pmds_is_invalidated),
	{ }
};

static struct kunit_suite hmm_pmd_suite = {
	.name = "hmm_pmd",
	.init = hmm_test_attach_mm,
	.test_cases = hmm_pmd_cases,
};

kunit_test_suite(hmm_pmd_suite);
