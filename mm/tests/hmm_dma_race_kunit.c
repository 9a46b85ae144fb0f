// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of entries that are unmapped for DMA while another thread walks
 * the same array: the rule of "sticky bits" in include/linux/hmm-dma.h. The
 * device is behind an IOMMU that the tests play, so that what is mapped there can
 * be compared.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hmm-dma.h>
#include <linux/hmm.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mutex.h>
#include <linux/pci-p2pdma.h>
#include <linux/prandom.h>

#include "hmm_dma_kunit.h"
#include "hmm_kunit.h"

#ifdef CONFIG_IOMMU_DMA

#define NR	64
#define ROUNDS	48
#define STICKY	(HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA | HMM_PFN_P2PDMA_BUS)

/**
 * struct race - a driver that maps a range for a device
 *
 * @test: the test
 * @mm: the address space
 * @range: the range; its array is that of @map
 * @notifier: the driver's, which takes @lock and unmaps what is hit
 * @lock: the driver's lock
 * @dev: the device
 * @map: the map
 * @p2pdma: for @map
 * @mapped: which entries are
 * @go: the other thread is to walk
 * @done: it has
 * @stop: or is to end
 * @ret: what the walk did
 * @us: how long it took
 */
struct race {
	struct kunit			*test;
	struct mm_struct		*mm;
	struct hmm_range		*range;
	struct mmu_interval_notifier	notifier;
	struct mutex			lock;	/* of @map and @mapped */
	struct device			*dev;
	struct hmm_dma_map		map;
	struct pci_p2pdma_map_state	p2pdma;
	bool				mapped[NR];
	struct completion		go;
	struct completion		done;
	bool				stop;
	int				ret;
	unsigned long			us;
};

/* One by one, or by one call. Only what was mapped is said to have been. */
static void race_unmap(struct race *race, unsigned long first, unsigned long nr,
		       bool whole)
{
	bool any = false, unmapped = false;
	unsigned long i;

	for (i = first; i < first + nr; i++) {
		any |= race->mapped[i];
		race->mapped[i] = false;
		if (!whole)
			unmapped |= hmm_dma_unmap_pfn(race->dev, &race->map, i);
	}
	if (whole)
		unmapped = hmm_dma_unmap_range(race->dev, &race->map, first, nr);
	KUNIT_EXPECT_EQ(race->test, unmapped, any);
}

static bool race_invalidate(struct mmu_interval_notifier *notifier,
			    const struct mmu_notifier_range *invalidation,
			    unsigned long seq)
{
	struct race *race = container_of(notifier, struct race, notifier);
	unsigned long start = max(invalidation->start, hmm_test_addr(0));
	unsigned long end = min(invalidation->end, hmm_test_addr(NR));

	mutex_lock(&race->lock);
	mmu_interval_set_seq(notifier, seq);
	race_unmap(race, (start - hmm_test_addr(0)) >> PAGE_SHIFT,
		   (end - start) >> PAGE_SHIFT, true);
	mutex_unlock(&race->lock);
	return true;
}

static const struct mmu_interval_notifier_ops race_notifier_ops = {
	.invalidate = race_invalidate,
};

static int race_walks(void *data)
{
	struct race *race = data;
	ktime_t start;

	for (;;) {
		wait_for_completion(&race->go);
		if (race->stop)
			return 0;
		start = ktime_get();
		race->ret = hmm_test_fault(race->range);
		race->us = ktime_us_delta(ktime_get(), start);
		complete(&race->done);
	}
}

/*
 * Take the right to write away, as mprotect() and fork() do. Who writes next has
 * it back without an invalidation, so that a walk changes entries that are mapped.
 */
static void race_protect(struct race *race)
{
	struct mmu_notifier_range invalidation;
	spinlock_t *ptl; /* of the page table */
	unsigned long addr;
	pte_t *ptep;

	mmap_read_lock(race->mm);
	mmu_notifier_range_init(&invalidation, MMU_NOTIFY_PROTECTION_PAGE, 0,
				race->mm, hmm_test_addr(0), hmm_test_addr(NR));
	mmu_notifier_invalidate_range_start(&invalidation);
	for (addr = hmm_test_addr(0); addr != hmm_test_addr(NR);
	     addr += PAGE_SIZE) {
		ptep = get_locked_pte(race->mm, addr, &ptl);
		if (!ptep)
			break;
		if (pte_present(ptep_get(ptep)))
			ptep_set_wrprotect(race->mm, addr, ptep);
		pte_unmap_unlock(ptep, ptl);
	}
	flush_tlb_mm(race->mm);
	mmu_notifier_invalidate_range_end(&invalidation);
	mmap_read_unlock(race->mm);
}

/* What a driver does when its device reads. */
static void race_map(struct race *race)
{
	dma_addr_t addr = race->map.state.addr;
	unsigned long i;

	KUNIT_EXPECT_EQ(race->test, 0, hmm_test_snapshot(race->range));
	mutex_lock(&race->lock);
	KUNIT_EXPECT_TRUE(race->test, hmm_range_valid(race->range));
	for (i = 0; i < NR; i++, addr += PAGE_SIZE) {
		KUNIT_EXPECT_EQ(race->test, addr,
				hmm_dma_map_pfn(race->dev, &race->map, i,
						&race->p2pdma));
		race->mapped[i] = true;
	}
	mutex_unlock(&race->lock);
	KUNIT_EXPECT_EQ(race->test, hmm_dma_mock_nr_mapped(), NR);
}

/* Unmap all while the other thread walks: by the driver, or as it is told to. */
static void race_unmap_all(struct race *race, unsigned int round,
			   struct rnd_state *rnd)
{
	unsigned long i, nr;

	udelay(prandom_u32_state(rnd) % (race->us / 2 + 1) % 2000);
	for (i = 0; i < NR; i += nr) {
		nr = min(1 + prandom_u32_state(rnd) % 8, NR - i);
		if (round % 3 == 2 && !(i & 16)) {
			KUNIT_EXPECT_EQ(race->test, 0,
					do_madvise(race->mm, hmm_test_addr(i),
						   nr * PAGE_SIZE,
						   MADV_DONTNEED));
			continue;
		}
		mutex_lock(&race->lock);
		race_unmap(race, i, nr, round % 3);
		mutex_unlock(&race->lock);
	}
}

/* What is read is what is mapped, and no bit says of a page that a device has it. */
static void race_check(struct race *race)
{
	unsigned long i;

	if (race->ret == -EBUSY)
		race->ret = hmm_test_retry(race->range);
	KUNIT_EXPECT_EQ(race->test, race->ret, 0);
	if (!hmm_range_valid(race->range))
		KUNIT_EXPECT_EQ(race->test, hmm_test_retry(race->range), 0);
	KUNIT_EXPECT_EQ(race->test, hmm_dma_mock_nr_mapped(), 0);
	for (i = 0; i < NR; i++)
		KUNIT_EXPECT_EQ_MSG(race->test, 0,
				    race->map.pfn_list[i] & STICKY,
				    "entry %lu", i);
	hmm_test_expect_mapped(race->test, race->range, NR);
}

static struct race *race_create(struct kunit *test)
{
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, race);
	race->test = test;
	race->mm = test->priv;
	mutex_init(&race->lock);
	init_completion(&race->go);
	init_completion(&race->done);
	race->dev = hmm_dma_mock_device(test, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, 0, hmm_dma_map_alloc(race->dev, &race->map, NR,
						   PAGE_SIZE));
	KUNIT_ASSERT_TRUE(test, dma_use_iova(&race->map.state));
	hmm_test_map(test, NULL, 0, NR, PROT_READ | PROT_WRITE);
	race->range = hmm_test_range(test, race->mm, 0, NR);
	race->range->hmm_pfns = race->map.pfn_list;
	race->range->default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
	KUNIT_ASSERT_EQ(test, 0, hmm_test_fault(race->range));
	KUNIT_ASSERT_EQ(test, 0,
			mmu_interval_notifier_insert(&race->notifier, race->mm,
						     hmm_test_addr(0),
						     NR * PAGE_SIZE,
						     &race_notifier_ops));
	return race;
}

static void unmapped_under_a_walk(struct kunit *test)
{
	struct race *race = race_create(test);
	struct task_struct *task;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 1);
	task = kthread_run(race_walks, race, "hmm_dma_race");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	get_task_struct(task);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		race_protect(race);
		race_map(race);
		complete(&race->go);
		race_unmap_all(race, round, &rnd);
		wait_for_completion(&race->done);
		race_check(race);
	}
	race->stop = true;
	complete(&race->go);
	kthread_stop_put(task);
	mmu_interval_notifier_remove(&race->notifier);
	hmm_test_unregister(test, race->range);
	hmm_dma_map_free(race->dev, &race->map);
}

static struct kunit_case hmm_dma_race_cases[] = {
	KUNIT_CASE(unmapped_under_a_walk),
	{ }
};

static struct kunit_suite hmm_dma_race_suite = {
	.name		= "hmm_dma_race",
	.suite_init	= hmm_dma_mock_init,
	.suite_exit	= hmm_dma_mock_exit,
	.init		= hmm_test_attach_mm,
	.test_cases	= hmm_dma_race_cases,
};

kunit_test_suite(hmm_dma_race_suite);

MODULE_DESCRIPTION("KUnit tests of DMA mappings of HMM that change under walks");
MODULE_LICENSE("GPL");

#endif /* CONFIG_IOMMU_DMA */
