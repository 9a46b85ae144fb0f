// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of mm/hmm_dma.c with a device that reads and writes memory: the
 * edu of QEMU, once behind an IOMMU and once without. What it copies says where
 * an address leads to. A test is skipped if the machine has no such device.
 *
 * The device has a buffer, to which it copies from memory, and back.
 */
#include <kunit/test.h>
#include <linux/dma-mapping.h>
#include <linux/hmm-dma.h>
#include <linux/hmm.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>
#include <linux/pci-p2pdma.h>
#include <linux/pci.h>

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

/* A run, a page of its own, and the page that the device writes to. */
#define RUN_ORDER	3
#define RUN_PAGES	BIT(RUN_ORDER)
#define SINGLE		RUN_PAGES
#define TARGET		(RUN_PAGES + 1)
#define RANGE_PAGES	(RUN_PAGES + 2)

struct edu_test {
	struct pci_dev *pdev;
	u16 command;
	void __iomem *regs;
	struct hmm_dma_map map;
	struct hmm_range range;
	struct pci_p2pdma_map_state p2pdma;
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

/* Does the device find the page at @addr? It shows by copying it to another. */
static bool edu_reads(struct kunit *test, dma_addr_t addr, unsigned int page)
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
	return !memchr_inv(target, edu_content(page), EDU_COUNT);
}

static int edu_map(struct edu_test *t)
{
	int ret = hmm_dma_map_range(&t->pdev->dev, &t->map, &t->range,
				    &t->p2pdma);

	if (ret)
		return ret;
	for (int i = 0; i < RANGE_PAGES; i++)
		t->addr[i] = hmm_dma_map_pfn(&t->pdev->dev, &t->map,
					     i < RUN_PAGES ? 0 : i, &t->p2pdma) +
			     (i < RUN_PAGES ? i * PAGE_SIZE : 0);
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

/* The two that follow have an IOMMU. Without, the device gets wherever it likes. */

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

	__free_pages(t->pages[0], RUN_ORDER);
	if (t->pages[SINGLE])
		__free_page(t->pages[SINGLE]);
	if (t->pages[TARGET])
		__free_page(t->pages[TARGET]);
}

static void edu_alloc_pages(struct kunit *test, struct edu_test *t)
{
	t->pages[0] = alloc_pages(GFP_KERNEL, RUN_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, t->pages[0]);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, edu_free_pages,
							   t));
	for (int i = 1; i < RANGE_PAGES; i++) {
		t->pages[i] = i < RUN_PAGES ? t->pages[0] + i :
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
		      (unsigned long)RUN_ORDER << HMM_PFN_ORDER_SHIFT;
	hmm_pfns[SINGLE] = page_to_pfn(t->pages[SINGLE]) | HMM_PFN_VALID;
	hmm_pfns[TARGET] = page_to_pfn(t->pages[TARGET]) | HMM_PFN_VALID;
	t->range.start = RUN_PAGES * PAGE_SIZE;
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
