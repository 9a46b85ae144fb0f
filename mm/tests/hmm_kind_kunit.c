// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of page tables in which entries of different kinds follow each
 * other: a walk compares each with the kinds that it has met before, and must
 * report what it would report of that entry alone.
 */
#include <linux/cleanup.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgtable.h>
#include <linux/prandom.h>

#include "../hmm_leaf.h"
#include "hmm_kunit.h"

/* Enough for what is remembered to be forgotten again, and to run in fours. */
#define NR	128

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

/* What a PTE of the table is made into; @page is what it was. */

static pte_t make_page(pte_t page)
{
	return page;
}

static pte_t make_old(pte_t page)
{
	return pte_mkold(page);
}

static pte_t make_readonly(pte_t page)
{
	return pte_wrprotect(pte_mkclean(page));
}

static pte_t make_no_access(pte_t page)
{
	return pte_modify(page, vm_get_page_prot(VM_NONE));
}

static pte_t make_none(pte_t page)
{
	return __pte(0);
}

static pte_t make_zero_page(pte_t page)
{
	return pte_mkspecial(pfn_pte(zero_pfn(hmm_test_addr(0)),
				     vm_get_page_prot(VM_READ)));
}

/* Swap entries: the type, which is the device, is all that may matter. */
static pte_t make_swap(pte_t page)
{
	return swp_entry_to_pte(swp_entry(0, pte_pfn(page)));
}

static pte_t make_swap_of_another(pte_t page)
{
	return swp_entry_to_pte(swp_entry(1, pte_pfn(page)));
}

static pte_t make_swap_with_flags(pte_t page)
{
	pte_t pte = make_swap(page);

	pte = pte_swp_mksoft_dirty(pte);
	return pte_swp_mkexclusive(pte);
}

static pte_t make_migration(pte_t page)
{
	return swp_entry_to_pte(make_readable_migration_entry(pte_pfn(page)));
}

static pte_t make_writable_migration(pte_t page)
{
	return swp_entry_to_pte(make_writable_migration_entry(pte_pfn(page)));
}

static pte_t make_exclusive(pte_t page)
{
	return swp_entry_to_pte(make_device_exclusive_entry(pte_pfn(page)));
}

static pte_t make_guard(pte_t page)
{
	return make_pte_marker(PTE_MARKER_GUARD);
}

static pte_t make_poison(pte_t page)
{
	return make_pte_marker(PTE_MARKER_POISONED);
}

static pte_t make_uffd_wp(pte_t page)
{
	return make_pte_marker(PTE_MARKER_UFFD_WP);
}

#ifdef CONFIG_MEMORY_FAILURE
/* The folio need not be locked, as it would have to for the entry proper. */
static pte_t make_hwpoison(pte_t page)
{
	return swp_entry_to_pte(swp_entry(SWP_HWPOISON, pte_pfn(page)));
}
#endif

static pte_t (*const makers[])(pte_t page) = {
	make_page, make_old, make_readonly, make_no_access, make_none,
	make_zero_page, make_swap, make_swap_of_another, make_swap_with_flags,
	make_migration, make_writable_migration, make_exclusive, make_guard,
	make_poison, make_uffd_wp,
#ifdef CONFIG_MEMORY_FAILURE
	make_hwpoison,
#endif
};

/*
 * The table.
 *
 * @pages: what it holds of itself
 * @ptes: what it is made to hold
 */
struct table {
	struct hmm_range	*range;
	struct vm_area_struct	*vma;
	pte_t			pages[NR];
	pte_t			ptes[NR];
};

static struct table *map_table(struct kunit *test)
{
	struct table *table = kunit_kzalloc(test, sizeof(*table), GFP_KERNEL);
	struct mm_struct *mm = test_mm(test);
	struct hmm_range *range;
	spinlock_t *ptl; /* of the page table */
	pte_t *ptep;

	KUNIT_ASSERT_NOT_NULL(test, table);
	hmm_test_map(test, NULL, 0, NR, PROT_READ | PROT_WRITE);
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		KUNIT_ASSERT_EQ(test, do_madvise(mm, hmm_test_addr(0),
						 NR * PAGE_SIZE,
						 MADV_NOHUGEPAGE), 0);
	range = hmm_test_range(test, mm, 0, NR);
	range->default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	table->range = range;

	mmap_write_lock(mm);
	table->vma = vma_lookup(mm, hmm_test_addr(0));
	ptep = get_locked_pte(mm, hmm_test_addr(0), &ptl);
	for (int i = 0; i < NR; i++)
		table->pages[i] = ptep_get(ptep + i);
	pte_unmap_unlock(ptep, ptl);
	mmap_write_unlock(mm);
	return table;
}

static void set_table(struct mm_struct *mm, const pte_t *ptes)
{
	spinlock_t *ptl; /* of the page table */
	pte_t *ptep;

	ptep = get_locked_pte(mm, hmm_test_addr(0), &ptl);
	for (int i = 0; i < NR; i++) {
		/* Not every PTE may be made of every other one. */
		pte_clear(mm, hmm_test_addr(i), ptep + i);
		set_pte_at(mm, hmm_test_addr(i), ptep + i, ptes[i]);
	}
	pte_unmap_unlock(ptep, ptl);
}

static unsigned long expected(const struct table *table, int i)
{
	const unsigned long addr = hmm_test_addr(i);

	return hmm_pfn_from_pte(table->vma, addr, table->ptes[i]);
}

/* Walk the table as it is made, and compare each entry. */
static void check_table(struct kunit *test, struct table *table,
			int (*walk)(struct hmm_range *range))
{
	struct hmm_range *range = table->range;
	struct mm_struct *mm = test_mm(test);
	int ret;

	mmap_write_lock(mm);
	set_table(mm, table->ptes);
	ret = walk(range);
	set_table(mm, table->pages);
	mmap_write_unlock(mm);
	KUNIT_ASSERT_EQ(test, ret, 0);
	for (int i = 0; i < NR; i++)
		KUNIT_ASSERT_EQ_MSG(test, range->hmm_pfns[i], expected(table, i),
				    "entry %d, PTE %llx", i,
				    (u64)pte_val(table->ptes[i]));
}

static void make_pte(struct table *table, int i, int maker)
{
	table->ptes[i] = makers[maker](table->pages[i]);
}

/* Each kind beside each other one: in turn, and in runs of eight. */
static void kinds_in_pairs(struct kunit *test)
{
	struct table *table = map_table(test);

	for (int a = 0; a < ARRAY_SIZE(makers); a++) {
		for (int b = 0; b < ARRAY_SIZE(makers); b++) {
			for (int i = 0; i < NR / 2; i++)
				make_pte(table, i, i % 2 ? a : b);
			for (int i = NR / 2; i < NR; i++)
				make_pte(table, i, i % 16 < 8 ? a : b);
			hmm_test_forget(table->range, NR);
			check_table(test, table, hmm_range_snapshot);
		}
	}
}

/* More kinds than are remembered, in no order. */
static void kinds_at_random(struct kunit *test)
{
	struct table *table = map_table(test);
	struct rnd_state random;

	prandom_seed_state(&random, 5);
	for (int round = 0; round < 64; round++) {
		for (int i = 0; i < NR; i++)
			make_pte(table, i, prandom_u32_state(&random) %
					   ARRAY_SIZE(makers));
		hmm_test_forget(table->range, NR);
		check_table(test, table, hmm_range_snapshot);
	}
}

/* The same where each page may be asked for, and what is there is enough. */
static void kinds_with_requests(struct kunit *test)
{
	struct table *table = map_table(test);
	struct hmm_range *range = table->range;
	struct rnd_state random;

	range->default_flags = 0;
	range->pfn_flags_mask = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
	prandom_seed_state(&random, 6);
	for (int round = 0; round < 64; round++) {
		for (int i = 0; i < NR; i++) {
			make_pte(table, i, prandom_u32_state(&random) %
					   ARRAY_SIZE(makers));
			range->hmm_pfns[i] = expected(table, i) &
					     (HMM_PFN_VALID | HMM_PFN_WRITE);
		}
		check_table(test, table, hmm_range_fault);
	}
}

static struct kunit_case hmm_kind_cases[] = {
	KUNIT_CASE(kinds_in_pairs),
	KUNIT_CASE(kinds_at_random),
	KUNIT_CASE(kinds_with_requests),
	{ }
};

static struct kunit_suite hmm_kind_suite = {
	.name = "hmm_kind",
	.init = hmm_test_attach_mm,
	.test_cases = hmm_kind_cases,
};

kunit_test_suite(hmm_kind_suite);
