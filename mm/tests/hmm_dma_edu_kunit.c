// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of mm/hmm_dma.c with a device that reads and writes memory: the
 * edu of QEMU, once behind an IOMMU and once without. What it copies says where
 * an address leads to, and so does the page table of the IOMMU. A test is skipped
 * if the machine has no such device.
 *
 * The device has a buffer, to which it copies from memory, and back.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/dma-mapping.h>
#include <linux/hmm-dma.h>
#include <linux/hmm.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iommu.h>
#include <linux/iopoll.h>
#include <linux/pci-p2pdma.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

/* docs/specs/edu.rst of QEMU */
#define EDU_VENDOR		0x1234
#define EDU_DEVICE		0x11e8
#define EDU_DMA_SOURCE		0x80
#define EDU_DMA_DESTINATION	0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_COMMAND		0x98
#define EDU_DMA_START		BIT(0)
#define EDU_DMA_TO_MEMORY	BIT(1)
#define EDU_BUFFER		0x40000

/* Half of a page, and of the buffer: some versions refuse the last byte of it. */
#define EDU_COUNT		(PAGE_SIZE / 2)

/* A leaf, a page of its own, and the page that the device writes to. */
#define LEAF_ORDER	3
#define LEAF_PAGES	BIT(LEAF_ORDER)
#define SINGLE		LEAF_PAGES
#define TARGET		(LEAF_PAGES + 1)
#define RANGE_PAGES	(LEAF_PAGES + 2)

/* Leaves as large as the IOMMU may have them too. */
#define LARGE_ORDER	(ilog2(SZ_2M) - PAGE_SHIFT)
#define LARGE_PAGES	BIT(LARGE_ORDER)
#define LARGE_LEAVES	4
#define LARGE_ENTRIES	(LARGE_LEAVES * LARGE_PAGES)

struct edu_large {
	struct hmm_dma_map map;
	struct hmm_range range;
	struct page *leaf[LARGE_LEAVES];
	struct iommu_domain *domain;
	DECLARE_BITMAP(mapped, LARGE_ENTRIES);	/* what has to be */
};

struct edu_test {
	struct pci_dev *pdev;
	u16 command;
	void __iomem *regs;
	struct hmm_dma_map map;
	struct hmm_range range;
	struct pci_p2pdma_map_state p2pdma;
	struct edu_large large;
	struct page *pages[RANGE_PAGES];
	/* Where the map is by the first hmm_dma_map_range(). */
	dma_addr_t addr[RANGE_PAGES];
};

/*
 * Let the device copy. An address that leads nowhere is no error to it;
 * it then copies something else.
 */
static void edu_copy(struct kunit *test, dma_addr_t memory, bool to_memory)
{
	struct edu_test *t = test->priv;
	u64 command = EDU_DMA_START | (to_memory ? EDU_DMA_TO_MEMORY : 0);

	writeq(to_memory ? EDU_BUFFER : memory, t->regs + EDU_DMA_SOURCE);
	writeq(to_memory ? memory : EDU_BUFFER, t->regs + EDU_DMA_DESTINATION);
	writeq(EDU_COUNT, t->regs + EDU_DMA_COUNT);
	writeq(command, t->regs + EDU_DMA_COMMAND);
	KUNIT_ASSERT_EQ(test, 0,
			read_poll_timeout(readq, command,
					  !(command & EDU_DMA_START), 1000,
					  10 * USEC_PER_SEC, false,
					  t->regs + EDU_DMA_COMMAND));
}

/* No two pages hold the same. */
static u8 edu_content(unsigned int page)
{
	return 0x51 + page;
}

/* Does the device find @content at @addr? It shows by copying it to a page. */
static bool edu_reads_content(struct kunit *test, dma_addr_t addr, u8 content)
{
	struct edu_test *t = test->priv;
	void *target = page_address(t->pages[TARGET]);
	dma_addr_t target_addr;

	memset(target, edu_content(TARGET), PAGE_SIZE);
	target_addr = hmm_dma_map_pfn(&t->pdev->dev, &t->map, TARGET,
				      &t->p2pdma);
	KUNIT_ASSERT_NE(test, DMA_MAPPING_ERROR, target_addr);
	/* What the buffer holds if it finds nothing. */
	edu_copy(test, target_addr, false);
	edu_copy(test, addr, false);
	edu_copy(test, target_addr, true);
	return !memchr_inv(target, content, EDU_COUNT);
}

static bool edu_reads(struct kunit *test, dma_addr_t addr, unsigned int page)
{
	return edu_reads_content(test, addr, edu_content(page));
}

static int edu_map(struct edu_test *t)
{
	struct device *dev = &t->pdev->dev;
	struct hmm_dma_segment segment = {};
	int ret;

	ret = hmm_dma_map_range(dev, &t->map, &t->range, &t->p2pdma);
	if (ret)
		return ret;
	while (hmm_dma_next_segment(dev, &t->map, &t->range, &t->p2pdma,
				    &segment))
		for (size_t i = 0; i < segment.nr_pages; i++)
			t->addr[segment.first + i] = segment.addr +
						     i * PAGE_SIZE;
	return 0;
}

static bool edu_unmap(struct edu_test *t)
{
	return hmm_dma_unmap_range(&t->pdev->dev, &t->map, 0, RANGE_PAGES);
}

static void edu_reads_a_range(struct kunit *test)
{
	struct edu_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, edu_map(t));
	for (int i = 0; i < TARGET; i++)
		KUNIT_EXPECT_TRUE(test, edu_reads(test, t->addr[i], i));
	KUNIT_EXPECT_FALSE(test, edu_reads(test, t->addr[0], SINGLE));
	KUNIT_EXPECT_TRUE(test, edu_unmap(t));
}

static void edu_reads_what_came_back(struct kunit *test)
{
	struct edu_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, edu_map(t));
	hmm_dma_unmap_pfn(&t->pdev->dev, &t->map, 3);
	KUNIT_ASSERT_EQ(test, 0, edu_map(t));
	for (int i = 2; i < 5; i++)
		KUNIT_EXPECT_TRUE(test, edu_reads(test, t->addr[i], i));
	KUNIT_EXPECT_TRUE(test, edu_unmap(t));
}

/* All that follow have an IOMMU. Without, the device gets wherever it likes. */

static void edu_loses_what_is_unmapped(struct kunit *test)
{
	struct edu_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, edu_map(t));
	hmm_dma_unmap_pfn(&t->pdev->dev, &t->map, 3);
	KUNIT_EXPECT_FALSE(test, edu_reads(test, t->addr[3], 3));
	KUNIT_EXPECT_TRUE(test, edu_reads(test, t->addr[4], 4));
	KUNIT_EXPECT_TRUE(test, edu_unmap(t));
	KUNIT_EXPECT_FALSE(test, edu_reads(test, t->addr[4], 4));
	KUNIT_EXPECT_FALSE(test, edu_reads(test, t->addr[SINGLE], SINGLE));
}

static void edu_gets_nothing_of_a_failure(struct kunit *test)
{
	struct edu_test *t = test->priv;
	unsigned long *single = &t->range.hmm_pfns[SINGLE];
	unsigned long hmm_pfn;

	KUNIT_ASSERT_EQ(test, 0, edu_map(t));
	KUNIT_EXPECT_TRUE(test, edu_unmap(t));
	hmm_pfn = *single;
	*single = 0;
	KUNIT_EXPECT_EQ(test, -EFAULT, edu_map(t));
	KUNIT_EXPECT_FALSE(test, edu_reads(test, t->addr[0], 0));
	*single = hmm_pfn;
	KUNIT_ASSERT_EQ(test, 0, edu_map(t));
	KUNIT_EXPECT_TRUE(test, edu_reads(test, t->addr[0], 0));
}

/*
 * Large leaves: what the page table of the IOMMU says of each of their pages
 */

static phys_addr_t large_phys(struct edu_large *large, size_t idx)
{
	return page_to_phys(large->leaf[idx / LARGE_PAGES]) +
	       idx % LARGE_PAGES * PAGE_SIZE;
}

/* Each entry leads to its page if it is mapped, and nowhere if it is not. */
static void large_check(struct kunit *test)
{
	struct edu_test *t = test->priv;
	struct edu_large *large = &t->large;
	size_t reachable = 0, lost = 0, expected = 0;
	phys_addr_t phys;

	for (size_t i = 0; i < LARGE_ENTRIES; i++) {
		phys = iommu_iova_to_phys(large->domain, large->map.state.addr +
					  i * PAGE_SIZE);
		if (test_bit(i, large->mapped)) {
			expected++;
			lost += phys != large_phys(large, i);
		} else {
			reachable += !!phys;
		}
	}
	KUNIT_EXPECT_EQ_MSG(test, 0, reachable, "still reachable");
	KUNIT_EXPECT_EQ_MSG(test, 0, lost, "of %zu not at their address",
			    expected);
}

static void large_map(struct kunit *test)
{
	struct edu_test *t = test->priv;
	struct edu_large *large = &t->large;

	KUNIT_ASSERT_EQ(test, 0, hmm_dma_map_range(&t->pdev->dev, &large->map,
						   &large->range, &t->p2pdma));
	bitmap_fill(large->mapped, LARGE_ENTRIES);
	large_check(test);
}

static void large_unmap(struct kunit *test, size_t first, size_t nr)
{
	struct edu_test *t = test->priv;
	struct edu_large *large = &t->large;
	bool any = find_next_bit(large->mapped, first + nr, first) < first + nr;

	KUNIT_EXPECT_EQ(test, any, hmm_dma_unmap_range(&t->pdev->dev,
						       &large->map, first, nr));
	bitmap_clear(large->mapped, first, nr);
	large_check(test);
}

static void large_free_pages(void *data)
{
	struct edu_large *large = data;

	for (int i = 0; i < LARGE_LEAVES; i++)
		if (large->leaf[i])
			__free_pages(large->leaf[i], LARGE_ORDER);
}

static void large_free_map(void *data)
{
	struct edu_test *t = data;

	hmm_dma_unmap_range(&t->pdev->dev, &t->large.map, 0, LARGE_ENTRIES);
	hmm_dma_map_free(&t->pdev->dev, &t->large.map);
}

static void large_alloc_pages(struct kunit *test, struct edu_large *large)
{
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   large_free_pages,
							   large));
	for (int i = 0; i < LARGE_LEAVES; i++) {
		large->leaf[i] = alloc_pages(GFP_KERNEL, LARGE_ORDER);
		KUNIT_ASSERT_NOT_NULL(test, large->leaf[i]);
	}
}

/* Four leaves at addresses that are aligned, virtually and physically. */
static void large_init(struct kunit *test, unsigned int flags)
{
	struct edu_test *t = test->priv;
	struct edu_large *large = &t->large;
	struct device *dev = &t->pdev->dev;
	unsigned long *hmm_pfns;

	large_alloc_pages(test, large);
	KUNIT_ASSERT_EQ(test, 0, hmm_dma_map_alloc_flags(dev, &large->map,
							 LARGE_ENTRIES,
							 PAGE_SIZE, flags));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, large_free_map,
							   t));
	KUNIT_ASSERT_TRUE(test, dma_use_iova(&large->map.state));
	KUNIT_ASSERT_TRUE(test, IS_ALIGNED(large->map.state.addr, SZ_2M));
	large->domain = iommu_get_domain_for_dev(dev);
	if (!(large->map.leaf_sizes & SZ_2M))
		kunit_skip(test, "the IOMMU has no leaves of 2 MiB");

	hmm_pfns = large->map.pfn_list;
	for (size_t i = 0; i < LARGE_ENTRIES; i++)
		hmm_pfns[i] = PHYS_PFN(large_phys(large, i)) | HMM_PFN_VALID |
			      (unsigned long)LARGE_ORDER << HMM_PFN_ORDER_SHIFT;
	large->range.start = SZ_2M;
	large->range.end = SZ_2M + LARGE_ENTRIES * PAGE_SIZE;
	large->range.hmm_pfns = hmm_pfns;
	large_map(test);
}

static void large_unmaps_entry_3(struct kunit *test)
{
	large_init(test, 0);
	large_unmap(test, 3, 1);
	large_map(test);
}

static void large_unmaps_entry_0(struct kunit *test)
{
	large_init(test, 0);
	large_unmap(test, 0, 1);
	large_map(test);
}

static void large_unmaps_all_but_the_ends(struct kunit *test)
{
	large_init(test, 0);
	large_unmap(test, 1, LARGE_ENTRIES - 2);
	large_map(test);
	large_unmap(test, 0, LARGE_ENTRIES);
}

/* Pages come and go in any order, some of them by themselves. */
static void large_random(struct kunit *test)
{
	struct edu_test *t = test->priv;
	struct edu_large *large = &t->large;
	struct rnd_state rnd;
	size_t first, nr;

	prandom_seed_state(&rnd, 1);
	large_init(test, 0);
	for (int step = 0; step < 60; step++) {
		first = prandom_u32_state(&rnd) % LARGE_ENTRIES;
		nr = 1 + prandom_u32_state(&rnd) % (LARGE_ENTRIES - first);
		if (step % 5 == 4) {
			large_map(test);
		} else if (step % 5 == 3) {
			hmm_dma_unmap_pfn(&t->pdev->dev, &large->map, first);
			clear_bit(first, large->mapped);
			large_check(test);
		} else {
			large_unmap(test, first,
				    step % 5 ? min_t(size_t, nr, 7) : nr);
		}
	}
}

/* The device has used what it loses, so the IOMMU may have kept a copy of it. */
static void large_is_lost_to_the_device(struct kunit *test)
{
	struct edu_test *t = test->priv;
	struct edu_large *large = &t->large;
	dma_addr_t addr;

	large_init(test, 0);
	addr = large->map.state.addr;
	for (int i = 0; i < 8; i++)
		memset(page_address(large->leaf[1]) + i * PAGE_SIZE, 0x91 + i,
		       PAGE_SIZE);
	addr += LARGE_PAGES * PAGE_SIZE;
	for (int i = 0; i < 8; i++)
		KUNIT_EXPECT_TRUE(test, edu_reads_content(test, addr +
							  i * PAGE_SIZE,
							  0x91 + i));
	large_unmap(test, LARGE_PAGES + 3, 1);
	large_unmap(test, LARGE_PAGES, 1);
	for (int i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, i != 0 && i != 3,
				edu_reads_content(test, addr + i * PAGE_SIZE,
						  0x91 + i));
}

/*
 * Whole leaves: each is one entry of the page table of the IOMMU, so what the
 * driver has to remove is wider than what is hit.
 */
static void large_whole_leaves(struct kunit *test)
{
	struct edu_test *t = test->priv;
	struct edu_large *large = &t->large;
	size_t first = LARGE_PAGES + 3, nr = 1;

	large_init(test, HMM_DMA_WHOLE_LEAVES);
	hmm_dma_widen(&large->map, &first, &nr);
	KUNIT_EXPECT_EQ(test, LARGE_PAGES, first);
	KUNIT_EXPECT_EQ(test, LARGE_PAGES, nr);
	large_unmap(test, first, nr);
	/* There is nothing left that could go with it. */
	first += 3;
	nr = 1;
	hmm_dma_widen(&large->map, &first, &nr);
	KUNIT_EXPECT_EQ(test, 1, nr);
	large_map(test);

	first = LARGE_PAGES - 1;
	nr = 2 * LARGE_PAGES + 2;
	hmm_dma_widen(&large->map, &first, &nr);
	KUNIT_EXPECT_EQ(test, 0, first);
	KUNIT_EXPECT_EQ(test, LARGE_ENTRIES, nr);
	large_unmap(test, first, nr);

	/* Nothing of a hit can be reached, by a driver that did not ask either. */
	large_map(test);
	hmm_dma_unmap_pfn(&t->pdev->dev, &large->map, 3);
	bitmap_clear(large->mapped, 0, LARGE_PAGES);
	large_check(test);
	hmm_dma_unmap_range(&t->pdev->dev, &large->map, LARGE_PAGES, 1);
	bitmap_clear(large->mapped, LARGE_PAGES, LARGE_PAGES);
	large_check(test);
	large_map(test);
}

/* A leaf that is mapped by pages in the end can be unmapped by pages. */
static void large_whole_leaves_by_pages(struct kunit *test)
{
	struct edu_test *t = test->priv;
	struct edu_large *large = &t->large;
	size_t first = 7, nr = 1;

	large_init(test, HMM_DMA_WHOLE_LEAVES);
	large_unmap(test, 0, LARGE_PAGES);
	KUNIT_EXPECT_EQ(test, large->map.state.addr + 5 * PAGE_SIZE,
			hmm_dma_map_pfn(&t->pdev->dev, &large->map, 5,
					&t->p2pdma));
	large_map(test);
	hmm_dma_widen(&large->map, &first, &nr);
	KUNIT_EXPECT_EQ(test, 7, first);
	KUNIT_EXPECT_EQ(test, 1, nr);
	large_unmap(test, 7, 1);
}

static struct pci_dev *edu_find(bool iommu)
{
	struct pci_dev *pdev = NULL;

	while ((pdev = pci_get_device(EDU_VENDOR, EDU_DEVICE, pdev)))
		if (device_iommu_mapped(&pdev->dev) == iommu)
			return pdev;
	return NULL;
}

static void edu_disable(void *data)
{
	struct edu_test *t = data;

	if (t->regs)
		pci_iounmap(t->pdev, t->regs);
	pci_write_config_word(t->pdev, PCI_COMMAND, t->command);
	pci_dev_put(t->pdev);
}

/*
 * By hand: pci_enable_device() looks for the interrupt too, which is not used,
 * and which takes ACPI ten seconds under KASAN.
 */
static void edu_enable(struct kunit *test, struct edu_test *t, bool iommu)
{
	if (!IS_ENABLED(CONFIG_64BIT))
		kunit_skip(test, "its registers take 64 bits at once");
	t->pdev = edu_find(iommu);
	if (!t->pdev)
		kunit_skip(test, "QEMU has no -device edu %s an IOMMU",
			   iommu ? "behind" : "without");
	pci_read_config_word(t->pdev, PCI_COMMAND, &t->command);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, edu_disable, t));
	pci_write_config_word(t->pdev, PCI_COMMAND,
			      t->command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask_and_coherent(&t->pdev->dev,
							   DMA_BIT_MASK(64)));
	t->regs = pci_iomap(t->pdev, 0, 0);
	KUNIT_ASSERT_NOT_NULL(test, t->regs);
}

static void edu_free_pages(void *data)
{
	struct edu_test *t = data;

	__free_pages(t->pages[0], LEAF_ORDER);
	if (t->pages[SINGLE])
		__free_page(t->pages[SINGLE]);
	if (t->pages[TARGET])
		__free_page(t->pages[TARGET]);
}

static void edu_alloc_pages(struct kunit *test, struct edu_test *t)
{
	t->pages[0] = alloc_pages(GFP_KERNEL, LEAF_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, t->pages[0]);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, edu_free_pages,
							   t));
	for (int i = 1; i < RANGE_PAGES; i++) {
		t->pages[i] = i < LEAF_PAGES ? t->pages[0] + i :
					      alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t->pages[i]);
	}
	for (int i = 0; i < RANGE_PAGES; i++)
		memset(page_address(t->pages[i]), edu_content(i), PAGE_SIZE);
}

static void edu_free_map(void *data)
{
	struct edu_test *t = data;

	edu_unmap(t);
	hmm_dma_map_free(&t->pdev->dev, &t->map);
}

/* The array is as a walk with HMM_RANGE_SPARSE leaves it. */
static void edu_alloc_map(struct kunit *test, struct edu_test *t)
{
	unsigned long *hmm_pfns;

	KUNIT_ASSERT_EQ(test, 0, hmm_dma_map_alloc(&t->pdev->dev, &t->map,
						   RANGE_PAGES, PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, edu_free_map,
							   t));
	hmm_pfns = t->map.pfn_list;
	hmm_pfns[0] = page_to_pfn(t->pages[0]) | HMM_PFN_VALID |
		      (unsigned long)LEAF_ORDER << HMM_PFN_ORDER_SHIFT;
	hmm_pfns[SINGLE] = page_to_pfn(t->pages[SINGLE]) | HMM_PFN_VALID;
	hmm_pfns[TARGET] = page_to_pfn(t->pages[TARGET]) | HMM_PFN_VALID;
	t->range.start = LEAF_PAGES * PAGE_SIZE;
	t->range.end = t->range.start + RANGE_PAGES * PAGE_SIZE;
	t->range.hmm_pfns = hmm_pfns;
}

static int edu_init(struct kunit *test)
{
	const bool *param = test->param_value;
	const bool iommu = param ? *param : true;
	struct edu_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	edu_alloc_pages(test, t);
	edu_enable(test, t, iommu);
	edu_alloc_map(test, t);
	KUNIT_EXPECT_EQ(test, iommu, dma_use_iova(&t->map.state));
	return 0;
}

static const bool edu_iommu[] = { true, false };

static void edu_describe(const bool *iommu, char *text)
{
	strscpy(text, *iommu ? "iova" : "direct", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(edu, edu_iommu, edu_describe);

static struct kunit_case hmm_dma_edu_cases[] = {
	KUNIT_CASE_PARAM(edu_reads_a_range, edu_gen_params),
	KUNIT_CASE_PARAM(edu_reads_what_came_back, edu_gen_params),
	KUNIT_CASE(edu_loses_what_is_unmapped),
	KUNIT_CASE(edu_gets_nothing_of_a_failure),
	KUNIT_CASE(large_unmaps_entry_3),
	KUNIT_CASE(large_unmaps_entry_0),
	KUNIT_CASE(large_unmaps_all_but_the_ends),
	KUNIT_CASE(large_random),
	KUNIT_CASE(large_is_lost_to_the_device),
	KUNIT_CASE(large_whole_leaves),
	KUNIT_CASE(large_whole_leaves_by_pages),
	{}
};

static struct kunit_suite hmm_dma_edu_suite = {
	.name		= "hmm_dma_edu",
	.init		= edu_init,
	.test_cases	= hmm_dma_edu_cases,
};

kunit_test_suite(hmm_dma_edu_suite);

MODULE_DESCRIPTION("KUnit tests of the DMA mapping of HMM, with a device");
MODULE_LICENSE("GPL");
