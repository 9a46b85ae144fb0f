// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of what HMM's page table walkers report and do for each kind of
 * page table entry: the table in Documentation/mm/hmm.rst, cell by cell.
 *
 * Each row is run as a snapshot, a read fault and a write fault; on a tracked
 * range, dense and sparse, and on one with an interval notifier; with the request
 * for the whole range and page by page; by a call that keeps the mmap lock, by
 * one that may drop it, and by one that takes it itself, or else the lock of the
 * vma. The array is filled with garbage first, request bits included where the
 * array is no request, and with sticky bits.
 */
#include <linux/kthread.h>
#include <linux/delay.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "hmm_walk_kunit.h"

#define WALK_GUARD	0x5a5a5a5aUL
#define WALK_STICKY	(HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA | HMM_PFN_P2PDMA_BUS)
#define WALK_REQUEST	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

/* How often a walk that was invalidated is tried again. */
#define WALK_MAX_TRIES	64

enum walk_column {
	WALK_SNAPSHOT,
	WALK_READ,
	WALK_WRITE,
	WALK_COLUMNS,
};

/* The level of a leaf: how much it maps is no constant everywhere. */
enum walk_level {
	WALK_PTE,
	WALK_PMD,
	WALK_PUD,
};

/**
 * struct walk_cell - what is expected of one kind of entry in one mode
 *
 * @err: what the walk returns
 * @flags: the flags of each page; with %HMM_PFN_VALID goes the pfn that is
 *	mapped there then
 * @level: the level of the leaf that gives each page its order
 */
struct walk_cell {
	int		err;
	unsigned long	flags;
	enum walk_level	level;
};

/* For @pages of a row: all those of a PMD. */
#define WALK_WHOLE_PMD		UINT_MAX
/* For @first of a row: two pages before the end of a PMD. */
#define WALK_ACROSS_PMDS	UINT_MAX

/**
 * struct walk_row - one kind of entry
 *
 * @name: its name
 * @install: makes the pages of the range such
 * @first: the page of the mapping at which the range starts
 * @pages: the length of the range
 * @migrating: faults wait, until somebody ends the migration
 * @cell: what is expected
 * @settles: with an interval notifier a write fault reports what a read fault
 *	does
 */
struct walk_row {
	const char		*name;
	int (*install)(struct walk_env *env);
	unsigned int		first;
	unsigned int		pages;
	bool			migrating;
	struct walk_cell	cell[WALK_COLUMNS];
	bool			settles;
};

#define NOTHING		{ 0, 0, WALK_PTE }
#define ERROR		{ 0, HMM_PFN_ERROR, WALK_PTE }
#define RO(level)	{ 0, HMM_PFN_VALID, level }
#define RW(level)	{ 0, HMM_PFN_VALID | HMM_PFN_WRITE, level }
#define FAIL(err)	{ err, 0, WALK_PTE }
#define REFUSED		{ ERROR, FAIL(-EFAULT), FAIL(-EFAULT) }

static const struct walk_row walk_rows[] = {
	/* The vma decides */
	{ "no vma", walk_install_no_vma, 0, 4, false, REFUSED },
	{ "PROT_NONE", walk_install_prot_none, 0, 4, false, REFUSED },
	{ "no VM_READ", walk_install_no_read, 0, 4, false, REFUSED },
	{ "VM_IO", walk_install_io, 0, 4, false, REFUSED },
	{ "VM_PFNMAP, PTE", walk_install_pfnmap_pte, 0, 4, false, REFUSED },
	{ "VM_PFNMAP, PMD", walk_install_pfnmap_pmd, 3, 5, false, REFUSED },
	{ "VM_PFNMAP, PUD", walk_install_pfnmap_pud, 3, 5, false, REFUSED },
	{ "secretmem", walk_install_secretmem, 0, 4, false, REFUSED },
	{ "shadow stack", walk_install_shadow_stack, 0, 4, false,
		{ RO(WALK_PTE), RO(WALK_PTE), FAIL(-EPERM) } },
	{ "write to read-only", walk_install_read_only, 0, 4, false,
		{ RO(WALK_PTE), RO(WALK_PTE), FAIL(-EPERM) } },
	{ "write to read-only, none", walk_install_read_only_none, 0, 4, false,
		{ NOTHING, RO(WALK_PTE), FAIL(-EPERM) } },

	/* Nothing there */
	{ "none", walk_install_none, 0, 4, false,
		{ NOTHING, RO(WALK_PTE), RW(WALK_PTE) } },
	{ "hole at PTE level", walk_install_pte_hole, 3, 4, false,
		{ NOTHING, RO(WALK_PTE), RW(WALK_PTE) } },
	{ "hole at PMD level", walk_install_pmd_hole, WALK_ACROSS_PMDS, 4, false,
		{ NOTHING, RO(WALK_PTE), RW(WALK_PTE) } },
	{ "hole at PUD level", walk_install_pud_hole, WALK_ACROSS_PMDS, 4, false,
		{ NOTHING, RO(WALK_PTE), RW(WALK_PTE) } },
	{ "hole at P4D level", walk_install_p4d_hole, WALK_ACROSS_PMDS, 4, false,
		{ NOTHING, RO(WALK_PTE), RW(WALK_PTE) } },
	{ "behind the end of the file", walk_install_file_end, 0, 4, false,
		{ NOTHING, FAIL(-EFAULT), FAIL(-EFAULT) } },
	{ "userfaultfd missing", walk_install_uffd_missing, 0, 4, false,
		{ NOTHING, FAIL(-EFAULT), FAIL(-EFAULT) } },

	/* Pages */
	{ "page", walk_install_page, 0, 4, false,
		{ RW(WALK_PTE), RW(WALK_PTE), RW(WALK_PTE) } },
	{ "page, not writable", walk_install_page_ro, 0, 4, false,
		{ RO(WALK_PTE), RO(WALK_PTE), RW(WALK_PTE) } },
	{ "large folio mapped by PTEs", walk_install_large_folio, 3, 8, false,
		{ RW(WALK_PTE), RW(WALK_PTE), RW(WALK_PTE) } },
	{ "PMD leaf", walk_install_thp, 0, WALK_WHOLE_PMD, false,
		{ RW(WALK_PMD), RW(WALK_PMD), RW(WALK_PMD) } },
	{ "PMD leaf, from the middle", walk_install_thp, 3, 5, false,
		{ RW(WALK_PMD), RW(WALK_PMD), RW(WALK_PMD) } },
	{ "PMD leaf, not writable", walk_install_thp_ro, 3, 5, false,
		{ RO(WALK_PMD), RO(WALK_PMD), RW(WALK_PMD) } },
	{ "zero page", walk_install_zero_page, 0, 4, false,
		{ RO(WALK_PTE), RO(WALK_PTE), RW(WALK_PTE) } },
	{ "huge zero page", walk_install_huge_zero_page, 0, WALK_WHOLE_PMD, false,
		{ RO(WALK_PMD), RO(WALK_PMD), RW(WALK_PMD) } },
	{ "huge zero page, from the middle", walk_install_huge_zero_page,
		3, 5, false,
		{ RO(WALK_PMD), RO(WALK_PMD), RW(WALK_PMD) } },
	{ "DAX, PTE", walk_install_dax_pte, 0, 4, false,
		{ RW(WALK_PTE), RW(WALK_PTE), RW(WALK_PTE) } },
	{ "DAX, PTE, not writable", walk_install_dax_pte_ro, 0, 4, false,
		{ RO(WALK_PTE), RO(WALK_PTE), RW(WALK_PTE) } },
	{ "DAX, PMD", walk_install_dax_pmd, 3, 5, false,
		{ RW(WALK_PMD), RW(WALK_PMD), RW(WALK_PMD) } },
	{ "DAX, PMD, not writable", walk_install_dax_pmd_ro, 3, 5, false,
		{ RO(WALK_PMD), RO(WALK_PMD), RW(WALK_PMD) } },
	{ "PUD leaf: DAX", walk_install_dax_pud, 0, 1024, false,
		{ RW(WALK_PUD), RW(WALK_PUD), RW(WALK_PUD) } },
	{ "PUD leaf: DAX, from the middle", walk_install_dax_pud, 600, 1000,
		false,
		{ RW(WALK_PUD), RW(WALK_PUD), RW(WALK_PUD) } },
	{ "PUD leaf: DAX, not writable", walk_install_dax_pud_ro, 600, 1000,
		false,
		{ RO(WALK_PUD), RO(WALK_PUD), RW(WALK_PUD) } },

	/* hugetlb */
	{ "hugetlb", walk_install_hugetlb, 0, WALK_WHOLE_PMD, false,
		{ RW(WALK_PMD), RW(WALK_PMD), RW(WALK_PMD) } },
	{ "hugetlb, part of one", walk_install_hugetlb, 3, 5, false,
		{ RW(WALK_PMD), RW(WALK_PMD), RW(WALK_PMD) } },
	{ "hugetlb, not writable", walk_install_hugetlb_ro, 3, 5, false,
		{ RO(WALK_PMD), RO(WALK_PMD), RW(WALK_PMD) } },
	{ "hugetlb of a PUD", walk_install_hugetlb_pud, 600, 1000, false,
		{ RW(WALK_PUD), RW(WALK_PUD), RW(WALK_PUD) } },
	{ "hugetlb, none", walk_install_hugetlb_none, 3, 5, false,
		{ NOTHING, RO(WALK_PMD), RW(WALK_PMD) } },
	{ "hugetlb, no table", walk_install_hugetlb_hole, 3, 5, false,
		{ NOTHING, RO(WALK_PMD), RW(WALK_PMD) } },
	{ "hugetlb, none, pool empty", walk_install_hugetlb_empty, 3, 5, false,
		{ NOTHING, FAIL(-EFAULT), FAIL(-EFAULT) } },
	{ "hugetlb, marker of userfaultfd-wp", walk_install_hugetlb_wp_marker,
		3, 5, false,
		{ NOTHING, RO(WALK_PMD), RW(WALK_PMD) } },
	{ "hugetlb, userfaultfd-wp marker", walk_install_hugetlb_uffd_wp,
		3, 5, false,
		{ NOTHING, RO(WALK_PMD), FAIL(-EFAULT) } },
#if WALK_HAVE_TRACKED
	{ "hugetlb, userfaultfd-rwp", walk_install_hugetlb_uffd_rwp, 3, 5, false,
		{ NOTHING, FAIL(-EFAULT), FAIL(-EFAULT) } },
#endif
	{ "hugetlb, migration", walk_install_hugetlb_migration, 0, WALK_WHOLE_PMD, true,
		{ NOTHING, RW(WALK_PMD), RW(WALK_PMD) } },
	{ "hugetlb, migration, part of one", walk_install_hugetlb_migration,
		3, 5, true,
		{ NOTHING, RW(WALK_PMD), RW(WALK_PMD) } },
	{ "hugetlb, poisoned", walk_install_hugetlb_poisoned, 3, 5, false,
		REFUSED },
	{ "hugetlb, poison marker", walk_install_hugetlb_poison_marker,
		3, 5, false, REFUSED },

	/* Not present */
	{ "swap", walk_install_swap, 0, 4, false,
		{ NOTHING, RW(WALK_PTE), RW(WALK_PTE) } },
	{ "migration, PTE", walk_install_migration, 3, 1, true,
		{ NOTHING, RW(WALK_PTE), RW(WALK_PTE) } },
	{ "migration, PMD", walk_install_migration_pmd, 0, WALK_WHOLE_PMD, true,
		{ NOTHING, RW(WALK_PMD), RW(WALK_PMD) } },
	{ "migration, PMD, from the middle", walk_install_migration_pmd,
		3, 5, true,
		{ NOTHING, RW(WALK_PMD), RW(WALK_PMD) } },
	{ "poisoned page", walk_install_hwpoison, 0, 4, false, REFUSED },
	{ "poison marker", walk_install_poison_marker, 0, 4, false, REFUSED },
	{ "guard marker", walk_install_guard_marker, 0, 4, false, REFUSED },
	{ "NUMA hinting, PTE", walk_install_numa, 0, 4, false,
		{ NOTHING, RW(WALK_PTE), RW(WALK_PTE) } },
	{ "NUMA hinting, PMD", walk_install_numa_pmd, 3, 5, false,
		{ NOTHING, RW(WALK_PMD), RW(WALK_PMD) } },
	{ "bad PMD", walk_install_bad_pmd, 3, 5, false, REFUSED },

	/* Devices */
	{ "device private, own", walk_install_device_own, 0, 4, false,
		{ RW(WALK_PTE), RW(WALK_PTE), RW(WALK_PTE) } },
	{ "device private, own, not writable", walk_install_device_own_ro,
		0, 4, false,
		{ RO(WALK_PTE), RO(WALK_PTE), RW(WALK_PTE) }, true },
	{ "device private, foreign", walk_install_device_foreign, 0, 4, false,
		{ NOTHING, RW(WALK_PTE), RW(WALK_PTE) } },
	{ "device private, own, PMD", walk_install_device_own_pmd, 0, WALK_WHOLE_PMD,
		false,
		{ RW(WALK_PMD), RW(WALK_PMD), RW(WALK_PMD) } },
	{ "device private, own, PMD, from the middle",
		walk_install_device_own_pmd, 3, 5, false,
		{ RW(WALK_PMD), RW(WALK_PMD), RW(WALK_PMD) } },
	{ "device private, own, PMD, not writable",
		walk_install_device_own_ro_pmd, 3, 5, false,
		{ RO(WALK_PMD), RO(WALK_PMD), RW(WALK_PMD) }, true },
	{ "device private, foreign, PMD", walk_install_device_foreign_pmd,
		0, WALK_WHOLE_PMD, false,
		{ NOTHING, RW(WALK_PMD), RW(WALK_PMD) } },
	{ "device private, foreign, PMD, from the middle",
		walk_install_device_foreign_pmd, 3, 5, false,
		{ NOTHING, RW(WALK_PMD), RW(WALK_PMD) } },
	{ "device coherent", walk_install_device_coherent, 0, 4, false,
		{ RW(WALK_PTE), RW(WALK_PTE), RW(WALK_PTE) } },
	{ "device exclusive", walk_install_device_exclusive, 0, 4, false,
		{ NOTHING, RW(WALK_PTE), RW(WALK_PTE) } },

	/* Special entries */
	{ "special, PTE", walk_install_mixed_pte, 0, 4, false, REFUSED },
	{ "special, PTE, with a struct page", walk_install_mixed_page, 0, 4,
		false, REFUSED },
	{ "special, PTE, not writable, shared", walk_install_mixed_pte_ro,
		0, 4, false, REFUSED },
	{ "special, PTE, not writable, private", walk_install_mixed_private,
		0, 4, false,
		{ ERROR, FAIL(-EFAULT), RW(WALK_PTE) } },
	{ "special, PMD", walk_install_mixed_pmd, 3, 5, false, REFUSED },
	{ "special, PMD, not writable, shared", walk_install_mixed_pmd_ro,
		3, 5, false, REFUSED },
	{ "special, PMD, not writable, private", walk_install_mixed_pmd_private,
		3, 5, false,
		{ ERROR, FAIL(-EFAULT), RW(WALK_PTE) } },
	{ "special, PUD", walk_install_mixed_pud, 3, 5, false, REFUSED },
	{ "special, PUD, not writable, shared", walk_install_mixed_pud_ro,
		3, 5, false, REFUSED },
	{ "special, PUD, not writable, private", walk_install_mixed_pud_private,
		3, 5, false,
		{ ERROR, FAIL(-EFAULT), RW(WALK_PTE) } },
	{ "none, a fault makes it special", walk_install_mixed_absent, 0, 4,
		false,
		{ NOTHING, FAIL(-EFAULT), FAIL(-EFAULT) } },

	/* userfaultfd */
	{ "userfaultfd-wp", walk_install_uffd_wp, 0, 4, false,
		{ RO(WALK_PTE), RO(WALK_PTE), FAIL(-EFAULT) } },
	{ "userfaultfd-wp, PMD", walk_install_uffd_wp_pmd, 3, 5, false,
		{ RO(WALK_PMD), RO(WALK_PMD), FAIL(-EFAULT) } },
	{ "userfaultfd-wp marker", walk_install_uffd_wp_marker, 0, 4, false,
		{ NOTHING, RO(WALK_PTE), FAIL(-EFAULT) } },
	{ "userfaultfd-wp marker, left over", walk_install_uffd_wp_left_over,
		0, 4, false,
		{ NOTHING, RO(WALK_PTE), RW(WALK_PTE) } },
	{ "userfaultfd-rwp", walk_install_uffd_rwp, 0, 4, false,
		{ NOTHING, FAIL(-EFAULT), FAIL(-EFAULT) } },
	{ "userfaultfd-rwp, PMD", walk_install_uffd_rwp_pmd, 3, 5, false,
		{ NOTHING, FAIL(-EFAULT), FAIL(-EFAULT) } },
};

/**
 * struct walk_variant - in which ways a row is run
 *
 * @name: for the name of the test
 * @call: by which function it faults
 * @tracked: on a registered range
 * @sparse: with a sparse array
 * @by_page: the request is in the array
 */
struct walk_variant {
	const char	*name;
	enum walk_call	call;
	bool		tracked;
	bool		sparse;
	bool		by_page;
};

static const struct walk_variant walk_variants[] = {
	{ "legacy" },
	{ "legacy, by page", .by_page = true },
	{ "tracked", .tracked = true },
	{ "tracked, by page", .tracked = true, .by_page = true },
	{ "tracked, unlocked", WALK_UNLOCKED, .tracked = true },
	{ "sparse, locked", WALK_LOCKED, .tracked = true, .sparse = true },
};

/**
 * struct walk_run - one row in one mode and variant
 *
 * @test: the test
 * @row: the row
 * @variant: the variant
 * @column: the mode
 * @npages: the length of the range
 * @env: the address space
 * @wr: the range
 * @array: the array of the range, with an entry more at either end
 * @pfn: which pfn each page had before the walk; 0: none
 * @waited: the migration was ended because a walk waited for it
 */
struct walk_run {
	struct kunit			*test;
	const struct walk_row		*row;
	const struct walk_variant	*variant;
	enum walk_column		column;
	unsigned int			npages;
	struct walk_env			*env;
	struct walk_range		wr;
	unsigned long			*array;
	unsigned long			*pfn;
	bool				waited;
};

static unsigned long walk_order(enum walk_level level)
{
	switch (level) {
	case WALK_PMD:
		return PMD_ORDER;
	case WALK_PUD:
		return PUD_ORDER;
	default:
		return 0;
	}
}

static unsigned int walk_row_pages(const struct walk_row *row)
{
	return row->pages == WALK_WHOLE_PMD ? 1U << PMD_ORDER : row->pages;
}

static unsigned long walk_row_first(const struct walk_row *row)
{
	if (row->first == WALK_ACROSS_PMDS)
		return (1UL << PMD_ORDER) - 2;
	return row->first;
}

/* Case and variant of a parameter, which is a number from 1 on. */
static const void *walk_next_param(const void *prev, char *desc, bool fault)
{
	unsigned long n = (unsigned long)prev;

	for (; n < ARRAY_SIZE(walk_rows) * ARRAY_SIZE(walk_variants); n++) {
		const struct walk_variant *v;

		v = &walk_variants[n % ARRAY_SIZE(walk_variants)];
		if ((v->tracked && !WALK_HAVE_TRACKED) ||
		    ((v->by_page || v->call == WALK_UNLOCKED) && !fault))
			continue;
		snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s; %s",
			 walk_rows[n / ARRAY_SIZE(walk_variants)].name, v->name);
		return (void *)(n + 1);
	}
	return NULL;
}

static const void *walk_snapshot_params(struct kunit *test, const void *prev,
					char *desc)
{
	return walk_next_param(prev, desc, false);
}

static const void *walk_fault_params(struct kunit *test, const void *prev,
				     char *desc)
{
	return walk_next_param(prev, desc, true);
}

static unsigned long walk_sticky(unsigned int i)
{
	static const unsigned long sticky[] = {
		0,
		HMM_PFN_DMA_MAPPED,
		HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA,
		HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA_BUS,
	};

	return sticky[i % ARRAY_SIZE(sticky)];
}

static unsigned long walk_request(const struct walk_run *run)
{
	switch (run->column) {
	case WALK_READ:
		return HMM_PFN_REQ_FAULT;
	case WALK_WRITE:
		return HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
	default:
		return 0;
	}
}

/* Request bits only if they mean something. */
static unsigned long walk_garbage(const struct walk_run *run)
{
	return HMM_PFN_ERROR | 0x123456UL |
	       (run->variant->by_page ? walk_request(run) : WALK_REQUEST);
}

static void walk_fill_array(struct walk_run *run)
{
	unsigned int i, n = run->npages;

	run->array[0] = WALK_GUARD;
	for (i = 0; i < n; i++)
		run->array[1 + i] = walk_garbage(run) | walk_sticky(i);
	run->array[1 + n] = WALK_GUARD;
}

static void walk_set_request(struct walk_run *run)
{
	struct hmm_range *range = &run->wr.range;

	if (run->variant->by_page)
		range->pfn_flags_mask = WALK_REQUEST;
	else
		range->default_flags = walk_request(run);
	/* A snapshot of a tracked range is one whatever is asked for. */
	if (run->column == WALK_SNAPSHOT && run->variant->tracked)
		range->default_flags = WALK_REQUEST;
}

/* The pfn of page @i of the range: what is mapped, or else of the device. */
static unsigned long walk_page_pfn(const struct walk_run *run, unsigned int i)
{
	const struct walk_env *env = run->env;
	unsigned long addr = env->addr + i * PAGE_SIZE;
	unsigned long pfn;

	if (walk_leaf(env->mm, addr, &pfn))
		return pfn;
	if (env->pfn)
		return env->pfn + ((addr - WALK_BASE) >> PAGE_SHIFT);
	return 0;
}

/* Ends the migration once somebody waits for it. */
static int walk_end_migration(void *data)
{
	struct walk_run *run = data;
	struct walk_env *env = run->env;

	while (!kthread_should_stop()) {
		if (folio_test_waiters(env->folio)) {
			run->waited = true;
			env->undo(env);
			break;
		}
		usleep_range(100, 200);
	}
	return 0;
}

static struct task_struct *walk_start_migration(struct walk_run *run)
{
	struct task_struct *task;

	task = kthread_create(walk_end_migration, run, "hmm_walk_migrate");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(run->test, task);
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

static void walk_stop_migration(struct task_struct *task)
{
	kthread_stop(task);
	put_task_struct(task);
}

/* Walk until the range is not invalidated, as a driver does. */
static int walk_until_done(struct walk_run *run)
{
	const bool fault = run->column != WALK_SNAPSHOT;
	struct mm_struct *mm = run->env->mm;
	unsigned int tries;
	int ret;

	for (tries = 0; tries < WALK_MAX_TRIES; tries++) {
		walk_range_begin(&run->wr);
		if (tries && run->variant->by_page)
			walk_fill_array(run);
		ret = walk_range_call(&run->wr, fault ? run->variant->call :
							WALK_KEEP, fault);
		KUNIT_EXPECT_TRUE(run->test, mmap_lock_is_free(mm));
		if (ret != -EBUSY || !fault)
			break;
	}
	return ret;
}

/* What the entry of page @i is to be, but for the order of what is no page. */
static unsigned long walk_entry(struct walk_run *run,
				const struct walk_cell *cell, unsigned int i)
{
	unsigned long want = walk_sticky(i) | cell->flags |
			     walk_order(cell->level) << HMM_PFN_ORDER_SHIFT;
	unsigned long pfn = run->pfn[i];

	if (!(cell->flags & HMM_PFN_VALID))
		return want;
	if (run->column != WALK_SNAPSHOT)
		pfn = walk_page_pfn(run, i);
	KUNIT_EXPECT_NE_MSG(run->test, pfn, 0, "page %u", i);
	return want | pfn;
}

/*
 * Is page @i in a run of a sparse array that another page began? Nothing was
 * stored for it then. What is no page has any order; it does not begin a run
 * that reaches beyond the end of a PMD.
 */
static bool walk_is_within_run(const struct walk_run *run, unsigned int i,
			       unsigned int *next)
{
	const unsigned long at = (run->env->addr >> PAGE_SHIFT) + i;
	unsigned long nr;

	if (!run->variant->sparse || i >= *next) {
		nr = 1UL << hmm_pfn_to_map_order(run->array[1 + i]);
		nr = min(nr, 1UL << PMD_ORDER);
		*next = i + nr - (at & (nr - 1));
		return false;
	}
	return true;
}

static void walk_check_array(struct walk_run *run, const struct walk_cell *cell)
{
	const unsigned long any_order = run->variant->sparse &&
					!(cell->flags & HMM_PFN_VALID) ?
					~0UL << HMM_PFN_ORDER_SHIFT : 0;
	unsigned int i, next = 0, wrong = 0;
	unsigned long want;

	for (i = 0; i < run->npages; i++) {
		want = walk_is_within_run(run, i, &next) ?
		       walk_garbage(run) | walk_sticky(i) :
		       walk_entry(run, cell, i);
		if (!((run->array[1 + i] ^ want) & ~any_order) || wrong++ >= 4)
			continue;
		KUNIT_FAIL(run->test, "page %u: is %#lx, should be %#lx", i,
			   run->array[1 + i], want);
	}
	KUNIT_EXPECT_EQ(run->test, wrong, 0);
}

static const struct walk_cell *walk_expected(const struct walk_run *run)
{
	enum walk_column column = run->column;

	if (column == WALK_WRITE && run->row->settles && !run->variant->tracked)
		column = WALK_READ;
	return &run->row->cell[column];
}

static void walk_check(struct walk_run *run, int ret)
{
	const struct walk_cell *cell = walk_expected(run);
	const struct walk_env *env = run->env;
	struct kunit *test = run->test;

	KUNIT_EXPECT_EQ(test, ret, cell->err);
	KUNIT_EXPECT_EQ(test, run->array[0], WALK_GUARD);
	KUNIT_EXPECT_EQ(test, run->array[1 + run->npages], WALK_GUARD);
	KUNIT_EXPECT_EQ(test, run->waited,
			run->row->migrating && run->column != WALK_SNAPSHOT);
	if (run->column == WALK_SNAPSHOT)
		KUNIT_EXPECT_EQ(test, env->nr_faults + env->nr_huge_faults +
				env->nr_migrations, 0);
	if (run->row->settles && !run->variant->tracked)
		KUNIT_EXPECT_EQ(test, env->nr_migrations, 0);
	/* If the lock is kept, no fault may be allowed to drop it. */
	if (env->fault_flags)
		KUNIT_EXPECT_EQ(test, !(env->fault_flags & FAULT_FLAG_ALLOW_RETRY),
				run->variant->call == WALK_KEEP);
	if (ret || cell->err)
		return;
	KUNIT_EXPECT_TRUE(test, walk_range_valid(&run->wr));
	walk_check_array(run, cell);
}

static void walk_run_installed(struct walk_run *run)
{
	bool migrating = run->row->migrating && run->column != WALK_SNAPSHOT;
	struct task_struct *task = NULL;
	unsigned int i;
	int ret;

	walk_forget_faults(run->env);
	for (i = 0; i < run->npages; i++)
		run->pfn[i] = walk_page_pfn(run, i);
	walk_fill_array(run);
	run->env->sparse = run->variant->sparse;
	ret = walk_range_add(run->env, &run->wr, run->variant->tracked,
			     run->array + 1);
	KUNIT_EXPECT_EQ(run->test, ret, 0);
	if (ret)
		return;
	walk_set_request(run);
	if (migrating)
		task = walk_start_migration(run);
	ret = walk_until_done(run);
	if (task)
		walk_stop_migration(task);
	walk_check(run, ret);
	walk_range_del(&run->wr);
}

static void walk_run_row(struct kunit *test, enum walk_column column)
{
	unsigned long n = (unsigned long)test->param_value - 1;
	struct walk_run *run;
	const char *why;
	int err;

	run = kunit_kzalloc(test, sizeof(*run), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, run);
	run->test = test;
	run->row = &walk_rows[n / ARRAY_SIZE(walk_variants)];
	run->variant = &walk_variants[n % ARRAY_SIZE(walk_variants)];
	run->column = column;
	run->npages = walk_row_pages(run->row);
	run->array = kunit_kcalloc(test, run->npages + 2, sizeof(*run->array),
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, run->array);
	run->pfn = kunit_kcalloc(test, run->npages, sizeof(*run->pfn),
				 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, run->pfn);

	run->env = walk_env_create(test);
	run->env->addr = WALK_BASE + walk_row_first(run->row) * PAGE_SIZE;
	run->env->npages = run->npages;
	err = run->row->install(run->env);
	if (!err)
		walk_run_installed(run);
	walk_env_destroy(run->env);
	why = run->env->why;
	if (err == -EOPNOTSUPP && why)
		kunit_skip(test, "%s", why);
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "the entries could not be installed");
}

static void walk_snapshot(struct kunit *test)
{
	walk_run_row(test, WALK_SNAPSHOT);
}

static void walk_read_fault(struct kunit *test)
{
	walk_run_row(test, WALK_READ);
}

static void walk_write_fault(struct kunit *test)
{
	walk_run_row(test, WALK_WRITE);
}

static void walk_suite_exit(struct kunit_suite *suite)
{
	walk_mem_put_all();
}

static struct kunit_case walk_cases[] = {
	KUNIT_CASE_PARAM(walk_snapshot, walk_snapshot_params),
	KUNIT_CASE_PARAM(walk_read_fault, walk_fault_params),
	KUNIT_CASE_PARAM(walk_write_fault, walk_fault_params),
	{}
};

static struct kunit_suite walk_suite = {
	.name		= "hmm_walk",
	.suite_exit	= walk_suite_exit,
	.test_cases	= walk_cases,
};

kunit_test_suite(walk_suite);

MODULE_DESCRIPTION("Tests of what HMM reports for each kind of page table entry");
MODULE_LICENSE("GPL");
