// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of allocations that fail: the first one of a call, then the second
 * and so on, until the call needs no more of them. Each time it fails as it says
 * that it does, or does without; either way nothing of it is left afterwards. And
 * of calls that allocate nothing.
 *
 * As drivers and user space have it by /proc/self/fail-nth, see
 * Documentation/fault-injection/fault-injection.rst.
 */
#include <kunit/test.h>
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/hmm-dma.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pci-p2pdma.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "hmm_dma_kunit.h"
#include "hmm_kunit.h"

#if defined(CONFIG_FAULT_INJECTION_DEBUG_FS) && defined(CONFIG_FAILSLAB) && \
	defined(CONFIG_FAIL_PAGE_ALLOC)

#define NR		4
#define FAULT_WRITE	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)

/* No call here needs as many allocations. */
#define FAIL_LIMIT	500U

/*
 * What the defaults leave out is what is to fail. The files of debugfs take what
 * they are told from user memory, so write where they do.
 */
static void *fail_knob(const char *attr, const char *name)
{
	struct dentry *dir = debugfs_lookup(attr, NULL);
	struct dentry *file = NULL;
	void *knob = NULL;

	if (dir)
		file = debugfs_lookup(name, dir);
	if (file)
		knob = d_inode(file)->i_private;
	dput(file);
	dput(dir);
	return knob;
}

static struct fail_setting {
	const char *attr, *name;
	size_t size;
	unsigned long value, saved;
} fail_settings[] = {
	{ "failslab", "ignore-gfp-wait", sizeof(bool), false },
	{ "failslab", "verbose", sizeof(unsigned long), 0 },
	{ "fail_page_alloc", "ignore-gfp-wait", sizeof(bool), false },
	{ "fail_page_alloc", "ignore-gfp-highmem", sizeof(bool), false },
	{ "fail_page_alloc", "min-order", sizeof(u32), 0 },
	{ "fail_page_alloc", "verbose", sizeof(unsigned long), 0 },
};

static void fail_set(const struct fail_setting *setting, unsigned long value,
		     unsigned long *old)
{
	void *knob = fail_knob(setting->attr, setting->name);

	if (!knob)
		return;
	if (setting->size == sizeof(bool)) {
		*old = *(bool *)knob;
		*(bool *)knob = value;
	} else if (setting->size == sizeof(u32)) {
		*old = *(u32 *)knob;
		*(u32 *)knob = value;
	} else {
		*old = *(unsigned long *)knob;
		*(unsigned long *)knob = value;
	}
}

static int fail_init_suite(struct kunit_suite *suite)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(fail_settings); i++)
		fail_set(&fail_settings[i], fail_settings[i].value,
			 &fail_settings[i].saved);
#ifdef CONFIG_IOMMU_DMA
	return hmm_dma_mock_init(suite);
#else
	return 0;
#endif
}

static void fail_exit_suite(struct kunit_suite *suite)
{
	unsigned long value;
	int i;

#ifdef CONFIG_IOMMU_DMA
	hmm_dma_mock_exit(suite);
#endif
	for (i = 0; i < ARRAY_SIZE(fail_settings); i++)
		fail_set(&fail_settings[i], fail_settings[i].saved, &value);
}

/**
 * struct fail_test - what one test needs; all but @test and @mm are the flow's
 *
 * @test: the test
 * @mm: the address space of the thread
 * @users: who use it
 * @range: a range of pages that are not there, or none
 * @dev: a device
 * @map: a map for it
 * @p2pdma: for that map
 * @page: a page to be mapped there
 */
struct fail_test {
	struct kunit *test;
	struct mm_struct *mm;
	int users;
	struct hmm_range *range;
	struct device *dev;
	struct hmm_dma_map map;
	struct pci_p2pdma_map_state p2pdma;
	struct page *page;
};

/**
 * struct fail_flow - a call that allocates
 *
 * @name: of the test
 * @prepare: what comes before each call; nothing fails there
 * @call: the call
 * @check: it has succeeded: is it as it should be?
 * @undo: what comes after each call; @ok: it has succeeded
 * @insists: there is no allocation that it cannot do without, or do again
 */
struct fail_flow {
	const char *name;
	void (*prepare)(struct fail_test *t);
	int (*call)(struct fail_test *t);
	void (*check)(struct fail_test *t);
	void (*undo)(struct fail_test *t, bool ok);
	bool insists;
};

/* Registering: the first range of an mm. */

static void register_prepare(struct fail_test *t)
{
	t->mm = hmm_test_mm(t->test);
	t->range = hmm_test_alloc_range(t->test, NR);
}

static int register_call(struct fail_test *t)
{
	return hmm_range_register(t->range, t->mm, hmm_test_addr(0),
				  hmm_test_addr(NR));
}

static void register_check(struct fail_test *t)
{
	KUNIT_EXPECT_EQ(t->test, hmm_range_begin(t->range), 0);
	KUNIT_EXPECT_TRUE(t->test, hmm_range_valid(t->range));
}

/* One that failed has to be as if it had never been. */
static void register_undo(struct fail_test *t, bool ok)
{
	const int pins = 2;

	KUNIT_EXPECT_EQ(t->test, atomic_read(&t->mm->mm_count), pins + ok);
	KUNIT_EXPECT_TRUE(t->test, mmap_lock_is_free(t->mm));
	if (!ok) {
		KUNIT_EXPECT_EQ(t->test, hmm_range_begin(t->range), -EINVAL);
		KUNIT_EXPECT_EQ(t->test, register_call(t), 0);
	}
	hmm_range_unregister(t->range);
	KUNIT_EXPECT_EQ(t->test, atomic_read(&t->mm->mm_count), pins);
	hmm_test_kill_mm(t->test, t->mm);
	KUNIT_EXPECT_EQ(t->test, atomic_read(&t->mm->mm_count), pins - 1);
}

/* Faults */

static void map_range(struct fail_test *t, struct file *file,
		      unsigned long flags)
{
	struct hmm_range *range = hmm_test_alloc_range(t->test, NR);
	const unsigned long len = max(NR * PAGE_SIZE, 2 * PMD_SIZE);

	KUNIT_ASSERT_EQ(t->test, vm_mmap(file, hmm_test_addr(0), len,
					 PROT_READ | PROT_WRITE,
					 flags | MAP_FIXED | MAP_NORESERVE, 0),
			hmm_test_addr(0));
	KUNIT_ASSERT_EQ(t->test, 0, hmm_range_register(range, t->mm,
						       hmm_test_addr(0),
						       hmm_test_addr(NR)));
	range->default_flags = FAULT_WRITE;
	t->range = range;
	t->users = atomic_read(&t->mm->mm_users);
}

static void anon_prepare(struct fail_test *t)
{
	map_range(t, NULL, MAP_PRIVATE | MAP_ANONYMOUS);
}

static void shmem_prepare(struct fail_test *t)
{
	map_range(t, NULL, MAP_SHARED | MAP_ANONYMOUS);
}

static void huge_prepare(struct fail_test *t)
{
	anon_prepare(t);
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		KUNIT_EXPECT_EQ(t->test, 0, do_madvise(t->mm, hmm_test_addr(0),
						       PMD_SIZE, MADV_HUGEPAGE));
}

static int fault_call(struct fail_test *t)
{
	return hmm_range_fault_unlocked_timeout(t->range, 0);
}

static int fault_locked_call(struct fail_test *t)
{
	return hmm_test_fault(t->range);
}

static void fault_check(struct fail_test *t)
{
	KUNIT_EXPECT_TRUE(t->test, hmm_range_valid(t->range));
}

/* What was done before it failed is kept, and needs not be done again. */
static void fault_undo(struct fail_test *t, bool ok)
{
	KUNIT_EXPECT_TRUE(t->test, mmap_lock_is_free(t->mm));
	KUNIT_EXPECT_EQ(t->test, hmm_range_valid(t->range), ok);
	KUNIT_EXPECT_EQ(t->test, atomic_read(&t->mm->mm_users), t->users);
	if (!ok)
		KUNIT_EXPECT_EQ(t->test, hmm_test_retry(t->range), 0);
	hmm_range_unregister(t->range);
	KUNIT_EXPECT_EQ(t->test, 0, vm_munmap(hmm_test_addr(0), 2 * PMD_SIZE));
	KUNIT_EXPECT_EQ(t->test, get_mm_rss(t->mm), 0);
	KUNIT_EXPECT_EQ(t->test, mm_pgtables_bytes(t->mm), 0);
}

/* DMA */

static void direct_prepare(struct fail_test *t)
{
	if (!t->dev)
		t->dev = hmm_dma_direct_device(t->test);
}

static int dma_alloc_call(struct fail_test *t)
{
	return hmm_dma_map_alloc(t->dev, &t->map, NR, PAGE_SIZE);
}

static void dma_alloc_undo(struct fail_test *t, bool ok)
{
	if (!ok)
		KUNIT_EXPECT_NULL(t->test, t->map.pfn_list);
	hmm_dma_map_free(t->dev, &t->map);
}

#ifdef CONFIG_IOMMU_DMA
static void free_page_of(void *page)
{
	__free_page(page);
}

static void mock_prepare(struct fail_test *t)
{
	if (!t->dev)
		t->dev = hmm_dma_mock_device(t->test, PAGE_SIZE);
}

/* The addresses have to come back each time, or there would be none in the end. */
static void mock_alloc_check(struct fail_test *t)
{
	for (int i = 0; i < NR; i++)
		KUNIT_EXPECT_FALSE(t->test,
				   hmm_dma_unmap_pfn(t->dev, &t->map, i));
}

/* A map for which there is no range of addresses: each page gets one. */
static void dma_map_prepare(struct fail_test *t)
{
	mock_prepare(t);
	if (t->page)
		return;
	t->page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(t->test, t->page);
	KUNIT_ASSERT_EQ(t->test, 0,
			kunit_add_action_or_reset(t->test, free_page_of, t->page));
}

static void dma_single_prepare(struct fail_test *t)
{
	dma_map_prepare(t);
	KUNIT_ASSERT_EQ(t->test, 0, hmm_dma_map_alloc(t->dev, &t->map, MOCK_PAGES,
						      PAGE_SIZE));
	KUNIT_ASSERT_FALSE(t->test, dma_use_iova(&t->map.state));
	for (int i = 0; i < NR; i++)
		t->map.pfn_list[i] = page_to_pfn(t->page) | HMM_PFN_VALID;
}

static int dma_single_call(struct fail_test *t)
{
	for (int i = 0; i < NR; i++)
		if (hmm_dma_map_pfn(t->dev, &t->map, i, &t->p2pdma) ==
		    DMA_MAPPING_ERROR)
			return -ENOMEM;
	return 0;
}

static int dma_range_call(struct fail_test *t)
{
	const struct hmm_range range = {
		.end = NR * PAGE_SIZE,
		.hmm_pfns = t->map.pfn_list,
	};

	return hmm_dma_map_range(t->dev, &t->map, &range, &t->p2pdma);
}

static void dma_check(struct fail_test *t)
{
	KUNIT_EXPECT_EQ(t->test, hmm_dma_mock_nr_mapped(), NR);
}

static void dma_single_undo(struct fail_test *t, bool ok)
{
	int nr = 0;

	for (int i = 0; i < NR; i++)
		nr += hmm_dma_unmap_pfn(t->dev, &t->map, i);
	KUNIT_EXPECT_TRUE(t->test, ok ? nr == NR : nr < NR);
	KUNIT_EXPECT_EQ(t->test, hmm_dma_mock_nr_mapped(), 0);
	hmm_dma_map_free(t->dev, &t->map);
}

/* A call for all of them leaves none behind. */
static void dma_range_undo(struct fail_test *t, bool ok)
{
	if (!ok)
		KUNIT_EXPECT_EQ(t->test, hmm_dma_mock_nr_mapped(), 0);
	KUNIT_EXPECT_EQ(t->test, ok, hmm_dma_unmap_range(t->dev, &t->map, 0, NR));
	KUNIT_EXPECT_EQ(t->test, hmm_dma_mock_nr_mapped(), 0);
	hmm_dma_map_free(t->dev, &t->map);
}
#endif /* CONFIG_IOMMU_DMA */

static const struct fail_flow fail_flows[] = {
	{ "register", register_prepare, register_call, register_check,
	  register_undo },
	{ "fault, anonymous", anon_prepare, fault_call, fault_check,
	  fault_undo },
	{ "fault, anonymous, mmap lock", anon_prepare, fault_locked_call,
	  fault_check, fault_undo },
	{ "fault, huge", huge_prepare, fault_call, fault_check, fault_undo },
	{ "fault, shmem", shmem_prepare, fault_call, fault_check, fault_undo },
	{ "DMA alloc", direct_prepare, dma_alloc_call, NULL, dma_alloc_undo },
#ifdef CONFIG_IOMMU_DMA
	{ "DMA alloc, IOMMU", mock_prepare, dma_alloc_call, mock_alloc_check,
	  dma_alloc_undo },
	/* An IOVA that was not to be had is asked for once more. */
	{ "DMA map of pages", dma_single_prepare, dma_single_call, dma_check,
	  dma_single_undo, true },
	{ "DMA map of a range", dma_single_prepare, dma_range_call, dma_check,
	  dma_range_undo, true },
#endif
};

KUNIT_ARRAY_PARAM_DESC(fail_flow, fail_flows, name);

/* Did the allocation to fail come at all? Then it was not the last one yet. */
static bool fail_nth_call(struct fail_test *t, const struct fail_flow *flow,
			  unsigned int n, int *ret)
{
	unsigned int left;

	current->fail_nth = n;
	*ret = flow->call(t);
	left = current->fail_nth;
	current->fail_nth = 0;
	return !left;
}

static void each_allocation_fails(struct kunit *test)
{
	const struct fail_flow *flow = test->param_value;
	struct fail_test t = { .test = test };
	unsigned int n, failures = 0;
	bool came = true;
	int ret;

	for (n = 1; came && n < FAIL_LIMIT; n++) {
		t.mm = current->mm;
		flow->prepare(&t);
		came = fail_nth_call(&t, flow, n, &ret);
		KUNIT_EXPECT_TRUE_MSG(test, !ret || (came && ret == -ENOMEM),
				      "allocation %u: %d", n, ret);
		failures += !!ret;
		if (!ret && flow->check)
			flow->check(&t);
		flow->undo(&t, !ret);
	}
	KUNIT_EXPECT_FALSE(test, came);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, n, 2);
	KUNIT_EXPECT_EQ(test, !failures, flow->insists);
	kunit_info(test, "%u of %u allocations are needed", failures, n - 2);
}

/* No matter how it ends: there was nothing that could have failed. */
#define EXPECT_NO_ALLOCATION(test, call) do {				\
	current->fail_nth = 1;						\
	call;								\
	KUNIT_EXPECT_EQ_MSG(test, current->fail_nth, 1, #call);		\
	current->fail_nth = 0;						\
} while (0)

/*
 * An invalidation may come where no memory is to be had, and a walk of what is
 * present is an everyday thing. More are in flight than a range can note apart.
 */
static void t11_nothing_is_allocated(struct kunit *test)
{
	struct mmu_notifier_range in_flight[20], *one;
	struct fail_test t = { .test = test, .mm = current->mm };
	const unsigned long nr = 2 * ARRAY_SIZE(in_flight);
	struct hmm_range *range;
	int ret = 0;

	hmm_test_map(test, NULL, 0, nr, PROT_READ | PROT_WRITE);
	range = hmm_test_range(test, t.mm, 0, nr);
	range->default_flags = FAULT_WRITE;
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);

	for (unsigned long i = 0; i < nr; i += 2) {
		one = &in_flight[i / 2];
		mmu_notifier_range_init(one, MMU_NOTIFY_CLEAR, 0, t.mm,
					hmm_test_addr(i), hmm_test_addr(i + 1));
		EXPECT_NO_ALLOCATION(test, mmu_notifier_invalidate_range_start(one));
	}
	EXPECT_NO_ALLOCATION(test, ret = hmm_test_retry(range));
	KUNIT_EXPECT_EQ(test, ret, -EBUSY);
	for (one = in_flight; one < in_flight + ARRAY_SIZE(in_flight); one++)
		EXPECT_NO_ALLOCATION(test, mmu_notifier_invalidate_range_end(one));
	EXPECT_NO_ALLOCATION(test, ret = hmm_test_retry(range));
	KUNIT_EXPECT_EQ(test, ret, 0);
	EXPECT_NO_ALLOCATION(test, ret = hmm_test_snapshot(range));
	KUNIT_EXPECT_EQ(test, ret, 0);
	EXPECT_NO_ALLOCATION(test, ret = hmm_range_begin(range));
	KUNIT_EXPECT_EQ(test, ret, 0);
	EXPECT_NO_ALLOCATION(test, hmm_test_unregister(test, range));
}

/* An unmap may be in an invalidation: it must not need any memory, either. */
static void t15_unmap_allocates_nothing(struct kunit *test)
{
#ifdef CONFIG_IOMMU_DMA
	struct fail_test t = { .test = test };
	struct hmm_dma_map *map = &t.map;

	dma_map_prepare(&t);
	KUNIT_ASSERT_EQ(test, dma_alloc_call(&t), 0);
	KUNIT_ASSERT_TRUE(test, dma_use_iova(&map->state));
	for (int i = 0; i < NR; i++)
		map->pfn_list[i] = page_to_pfn(t.page) | HMM_PFN_VALID;
	KUNIT_ASSERT_EQ(test, dma_range_call(&t), 0);
	dma_check(&t);
	EXPECT_NO_ALLOCATION(test, hmm_dma_unmap_pfn(t.dev, map, 1));
	EXPECT_NO_ALLOCATION(test, hmm_dma_unmap_range(t.dev, map, 0, NR));
	KUNIT_EXPECT_EQ(test, hmm_dma_mock_nr_mapped(), 0);
	hmm_dma_map_free(t.dev, map);
#else
	kunit_skip(test, "no IOMMU for DMA");
#endif
}

static struct kunit_case hmm_fail_cases[] = {
	KUNIT_CASE_PARAM(each_allocation_fails, fail_flow_gen_params),
	KUNIT_CASE(t11_nothing_is_allocated),
	KUNIT_CASE(t15_unmap_allocates_nothing),
	{ }
};

static struct kunit_suite hmm_fail_suite = {
	.name = "hmm_fail",
	.suite_init = fail_init_suite,
	.suite_exit = fail_exit_suite,
	.init = hmm_test_attach_mm,
	.test_cases = hmm_fail_cases,
};

kunit_test_suite(hmm_fail_suite);

MODULE_DESCRIPTION("KUnit tests of allocations of HMM that fail");
MODULE_LICENSE("GPL");

#endif /* fault injection */
