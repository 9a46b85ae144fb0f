// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of mm/hmm_dma.c: what is mapped for DMA, at which address, and
 * what the sticky bits say, on a device without an IOMMU and on one behind an
 * IOMMU that the tests play.
 */
#include <kunit/test.h>
#include <linux/dma-mapping.h>
#include <linux/hmm-dma.h>
#include <linux/hmm.h>
#include <linux/iommu.h>
#include <linux/memremap.h>
#include <linux/pci-p2pdma.h>
#include <linux/slab.h>

#include "hmm_dma_kunit.h"

#define NR_ENTRIES	16

#define STICKY	(HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA | HMM_PFN_P2PDMA_BUS)

/* A map for @dev, and pages to fill it with. */
struct dma_test {
	struct device *dev;
	struct hmm_dma_map map;
	struct pci_p2pdma_map_state p2pdma;
	struct page *page;
};

static void free_test_page(void *page)
{
	__free_page(page);
}

static struct page *test_page(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_test_page,
							   page));
	return page;
}

static void free_map(void *data)
{
	struct dma_test *t = data;
	size_t i;

	for (i = 0; i < NR_ENTRIES; i++)
		hmm_dma_unmap_pfn(t->dev, &t->map, i);
	hmm_dma_map_free(t->dev, &t->map);
}

static struct dma_test *test_map(struct kunit *test, struct device *dev)
{
	struct dma_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->dev = dev;
	t->page = test_page(test);
	KUNIT_ASSERT_EQ(test, 0, hmm_dma_map_alloc(dev, &t->map, NR_ENTRIES,
						   PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_map, t));
	return t;
}

/* What a walk stores: it carries the sticky bits that it has read. */
static void walk_stores(struct dma_test *t, size_t idx, unsigned long val,
			unsigned long carried)
{
	t->map.pfn_list[idx] = val | (carried & STICKY);
}

static dma_addr_t map_page(struct dma_test *t, size_t idx)
{
	return hmm_dma_map_pfn(t->dev, &t->map, idx, &t->p2pdma);
}

static unsigned long valid_entry(struct page *page)
{
	return page_to_pfn(page) | HMM_PFN_VALID;
}

static void alloc_bad_size(struct kunit *test)
{
	struct device *dev = hmm_dma_direct_device(test);
	struct hmm_dma_map map;

	KUNIT_EXPECT_EQ(test, -EINVAL, hmm_dma_map_alloc(dev, &map, 0, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, hmm_dma_map_alloc(dev, &map, 1, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, hmm_dma_map_alloc(dev, &map, 1, 2 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, hmm_dma_map_alloc(dev, &map,
							 SIZE_MAX / PAGE_SIZE + 1,
							 PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			hmm_dma_map_alloc_flags(dev, &map, 1, PAGE_SIZE,
						HMM_DMA_WHOLE_LEAVES << 1));
	/* There is nothing to free, and no harm in it. */
	hmm_dma_map_free(dev, &map);
}

static void alloc_too_large(struct kunit *test)
{
	struct device *dev = hmm_dma_direct_device(test);
	struct hmm_dma_map map;

	KUNIT_EXPECT_EQ(test, -ENOMEM, hmm_dma_map_alloc(dev, &map,
							 SIZE_MAX / PAGE_SIZE,
							 PAGE_SIZE));
	hmm_dma_map_free(dev, &map);
}

static void alloc_incoherent(struct kunit *test)
{
	struct device *dev = hmm_dma_direct_device(test);
	struct hmm_dma_map map;

	if (!IS_ENABLED(CONFIG_DMA_NEED_SYNC))
		kunit_skip(test, "no device needs cache maintenance here");
	dev_clear_dma_skip_sync(dev);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, hmm_dma_map_alloc(dev, &map, 1, PAGE_SIZE));
}

static void alloc_limited(struct kunit *test)
{
	struct device *dev = hmm_dma_direct_device(test);
	struct hmm_dma_map map;

	*dev->dma_mask = DMA_BIT_MASK(20);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, hmm_dma_map_alloc(dev, &map, 1, PAGE_SIZE));
}

static void alloc_ignores_garbage(struct kunit *test)
{
	struct device *dev = hmm_dma_direct_device(test);
	struct hmm_dma_map map;
	size_t i;

	memset(&map, 0xa5, sizeof(map));
	KUNIT_ASSERT_EQ(test, 0, hmm_dma_map_alloc(dev, &map, NR_ENTRIES, PAGE_SIZE));
	for (i = 0; i < NR_ENTRIES; i++) {
		KUNIT_EXPECT_EQ(test, 0, map.pfn_list[i]);
		KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(dev, &map, i));
	}
	hmm_dma_map_free(dev, &map);
	KUNIT_EXPECT_NULL(test, map.pfn_list);
	hmm_dma_map_free(dev, &map);
}

/* A device that does no DMA brings its own array and may unmap all of it. */
static void unmap_without_alloc(struct kunit *test)
{
	unsigned long pfn = HMM_PFN_VALID | HMM_PFN_DMA_MAPPED;
	struct hmm_dma_map map = { .pfn_list = &pfn };
	size_t first = 0, nr = 1;

	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(NULL, &map, 0));
	hmm_dma_widen(&map, &first, &nr);
	KUNIT_EXPECT_EQ(test, 0, first);
	KUNIT_EXPECT_EQ(test, 1, nr);
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_range(NULL, &map, first, nr));
}

static void direct_map_unmap(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	unsigned long entry = valid_entry(t->page) | HMM_PFN_WRITE |
			      (3UL << HMM_PFN_ORDER_SHIFT);

	walk_stores(t, 5, entry, 0);
	KUNIT_EXPECT_EQ(test, (u64)page_to_phys(t->page), (u64)map_page(t, 5));
	KUNIT_EXPECT_EQ(test, entry | HMM_PFN_DMA_MAPPED, t->map.pfn_list[5]);
	KUNIT_EXPECT_EQ(test, 0, t->map.pfn_list[4]);
	KUNIT_EXPECT_EQ(test, 0, t->map.pfn_list[6]);

	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 5));
	KUNIT_EXPECT_EQ(test, entry, t->map.pfn_list[5]);
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 5));
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 4));
}

static void direct_map_twice(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	dma_addr_t addr;

	walk_stores(t, 0, valid_entry(t->page), 0);
	addr = map_page(t, 0);
	walk_stores(t, 0, valid_entry(t->page) | HMM_PFN_WRITE, HMM_PFN_DMA_MAPPED);
	KUNIT_EXPECT_EQ(test, (u64)addr, (u64)map_page(t, 0));
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
}

static void map_invalid(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));

	KUNIT_EXPECT_EQ(test, (u64)DMA_MAPPING_ERROR, (u64)map_page(t, 0));
	KUNIT_EXPECT_EQ(test, 0, t->map.pfn_list[0]);
	walk_stores(t, 1, HMM_PFN_ERROR, 0);
	KUNIT_EXPECT_EQ(test, (u64)DMA_MAPPING_ERROR, (u64)map_page(t, 1));
	KUNIT_EXPECT_EQ(test, HMM_PFN_ERROR, t->map.pfn_list[1]);
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 1));
}

/*
 * Another mapping of the device has used a bounce buffer since the map was
 * allocated, so the device says from now on that mappings have to be undone.
 */
static void direct_bounced_elsewhere(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	dma_addr_t addr;

	walk_stores(t, 0, valid_entry(t->page), 0);
	walk_stores(t, 1, valid_entry(t->page), 0);
	addr = map_page(t, 0);
	dev_clear_dma_skip_sync(t->dev);
	KUNIT_EXPECT_TRUE(test, dma_need_unmap(t->dev));
	KUNIT_EXPECT_EQ(test, (u64)addr, (u64)map_page(t, 0));
	KUNIT_EXPECT_EQ(test, (u64)addr, (u64)map_page(t, 1));
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 1));
}

/* The device cannot reach the page: nothing changes. */
static void direct_map_fails(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	unsigned long entry = valid_entry(t->page);

	walk_stores(t, 0, entry, 0);
	*t->dev->dma_mask = DMA_BIT_MASK(12);
	/* The DMA core warns of a device like that. */
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, (u64)DMA_MAPPING_ERROR, (u64)map_page(t, 0));
	}
	KUNIT_EXPECT_EQ(test, entry, t->map.pfn_list[0]);
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));

	*t->dev->dma_mask = DMA_BIT_MASK(64);
	KUNIT_EXPECT_EQ(test, (u64)page_to_phys(t->page), (u64)map_page(t, 0));
}

/*
 * Ranges: eight pages of a leaf, and two pages of their own.
 */

#define LEAF_ORDER	3
#define LEAF_PAGES	BIT(LEAF_ORDER)
#define RANGE_PAGES	(LEAF_PAGES + 2)

/* Entries before the range, so that it is not all of the map. */
#define RANGE_FIRST	3

static void free_test_leaf(void *page)
{
	__free_pages(page, LEAF_ORDER);
}

static struct page *test_leaf(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL, LEAF_ORDER);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_test_leaf,
							   page));
	return page;
}

/* As a walk with HMM_RANGE_SPARSE leaves it: nothing inside of the leaf. */
static struct hmm_range test_range(struct dma_test *t, struct page *leaf)
{
	struct hmm_range range = {
		.start = LEAF_PAGES * PAGE_SIZE,
		.end = (LEAF_PAGES + RANGE_PAGES) * PAGE_SIZE,
		.hmm_pfns = t->map.pfn_list + RANGE_FIRST,
	};

	range.hmm_pfns[0] = valid_entry(leaf) |
			    (unsigned long)LEAF_ORDER << HMM_PFN_ORDER_SHIFT;
	range.hmm_pfns[LEAF_PAGES] = valid_entry(t->page);
	range.hmm_pfns[LEAF_PAGES + 1] = valid_entry(t->page);
	return range;
}

static int map_range(struct dma_test *t, const struct hmm_range *range)
{
	return hmm_dma_map_range(t->dev, &t->map, range, &t->p2pdma);
}

static bool unmap_range(struct dma_test *t)
{
	return hmm_dma_unmap_range(t->dev, &t->map, RANGE_FIRST, RANGE_PAGES);
}

static bool any_sticky(const struct dma_test *t)
{
	unsigned long bits = 0;

	for (int i = 0; i < NR_ENTRIES; i++)
		bits |= t->map.pfn_list[i];
	return bits & STICKY;
}

static void direct_range(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	struct page *leaf = test_leaf(test);
	struct hmm_range range = test_range(t, leaf);

	KUNIT_EXPECT_EQ(test, 0, map_range(t, &range));
	KUNIT_EXPECT_EQ(test, page_to_phys(leaf), map_page(t, RANGE_FIRST));
	KUNIT_EXPECT_EQ(test, page_to_phys(t->page),
			map_page(t, RANGE_FIRST + LEAF_PAGES));
	KUNIT_EXPECT_TRUE(test, range.hmm_pfns[0] & HMM_PFN_DMA_MAPPED);
	KUNIT_EXPECT_EQ(test, 0, range.hmm_pfns[1]);
	KUNIT_EXPECT_TRUE(test, unmap_range(t));
	KUNIT_EXPECT_FALSE(test, any_sticky(t));
	KUNIT_EXPECT_FALSE(test, unmap_range(t));
}

/* Single pages of a leaf come and go. */
static void direct_range_by_pages(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	struct hmm_range range = test_range(t, test_leaf(test));
	const size_t idx = RANGE_FIRST + 5;

	KUNIT_EXPECT_EQ(test, 0, map_range(t, &range));
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, idx));
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, idx));
	KUNIT_EXPECT_EQ(test, 0, map_range(t, &range));
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, idx));
	KUNIT_EXPECT_TRUE(test, unmap_range(t));
	KUNIT_EXPECT_FALSE(test, any_sticky(t));
	for (int i = 0; i < NR_ENTRIES; i++)
		KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, i));
}

static void range_with_a_hole(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	struct hmm_range range = test_range(t, test_leaf(test));

	/* Mapped before, it stays so. */
	map_page(t, RANGE_FIRST + LEAF_PAGES);
	range.hmm_pfns[LEAF_PAGES + 1] = 0;
	KUNIT_EXPECT_EQ(test, -EFAULT, map_range(t, &range));
	KUNIT_EXPECT_FALSE(test, range.hmm_pfns[0] & STICKY);
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map,
						  RANGE_FIRST + LEAF_PAGES));
	KUNIT_EXPECT_FALSE(test, unmap_range(t));
}

static void range_of_large_entries(struct kunit *test)
{
	struct device *dev = hmm_dma_direct_device(test);
	struct hmm_dma_map map;
	struct hmm_range range;

	KUNIT_ASSERT_EQ(test, 0, hmm_dma_map_alloc(dev, &map, 2, 2 * PAGE_SIZE));
	range = (struct hmm_range){ .end = PAGE_SIZE, .hmm_pfns = map.pfn_list };
	KUNIT_EXPECT_EQ(test, -EINVAL, hmm_dma_map_range(dev, &map, &range, NULL));
	hmm_dma_map_free(dev, &map);
}

#if defined(CONFIG_DEVICE_PRIVATE) || defined(CONFIG_PCI_P2PDMA)
/*
 * Memory of a device. To see the states of peer to peer without two devices
 * the pagemap is laid out as in drivers/pci/p2pdma.c, where a state that knows
 * the provider already is not computed again.
 */
struct test_pagemap {
	struct dev_pagemap pgmap;
	struct p2pdma_provider *mem;
	struct p2pdma_provider provider;
};

static void free_pagemap(void *data)
{
	struct test_pagemap *p = data;
	struct range range = p->pgmap.range;

	memunmap_pages(&p->pgmap);
	release_mem_region(range.start, range_len(&range));
}

static void no_folio_free(struct folio *folio)
{
}

static vm_fault_t no_migrate_to_ram(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static const struct dev_pagemap_ops test_pagemap_ops = {
	.folio_free	= no_folio_free,
	.migrate_to_ram	= no_migrate_to_ram,
};

static struct test_pagemap *test_pagemap(struct kunit *test,
					 enum memory_type type)
{
	struct test_pagemap *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct resource *res;
	void *addr;

	KUNIT_ASSERT_NOT_NULL(test, p);
	res = request_free_mem_region(&iomem_resource, PMD_SIZE, "hmm-dma-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, res);
	p->pgmap.type = type;
	p->pgmap.range.start = res->start;
	p->pgmap.range.end = res->end;
	p->pgmap.nr_range = 1;
	p->pgmap.owner = p;
	p->mem = &p->provider;
	if (type == MEMORY_DEVICE_PRIVATE)
		p->pgmap.ops = &test_pagemap_ops;
	addr = memremap_pages(&p->pgmap, numa_node_id());
	if (IS_ERR(addr))
		release_mem_region(res->start, resource_size(res));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, addr);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_pagemap, p));
	return p;
}

static struct page *pagemap_page(struct test_pagemap *p)
{
	return pfn_to_page(PHYS_PFN(p->pgmap.range.start));
}
#endif

#ifdef CONFIG_DEVICE_PRIVATE
static void map_device_private(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	struct test_pagemap *p = test_pagemap(test, MEMORY_DEVICE_PRIVATE);

	walk_stores(t, 0, valid_entry(pagemap_page(p)), 0);
	KUNIT_EXPECT_EQ(test, (u64)DMA_MAPPING_ERROR, (u64)map_page(t, 0));
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
}
#endif

#ifdef CONFIG_PCI_P2PDMA
static void p2p_not_supported(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	struct test_pagemap *p = test_pagemap(test, MEMORY_DEVICE_PCI_P2PDMA);
	unsigned long entry = valid_entry(pagemap_page(p));

	t->p2pdma.mem = &p->provider;
	t->p2pdma.map = PCI_P2PDMA_MAP_NOT_SUPPORTED;
	walk_stores(t, 0, entry, 0);
	KUNIT_EXPECT_EQ(test, (u64)DMA_MAPPING_ERROR, (u64)map_page(t, 0));
	KUNIT_EXPECT_EQ(test, entry, t->map.pfn_list[0]);
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
}

static void p2p_bus_addr(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	struct test_pagemap *p = test_pagemap(test, MEMORY_DEVICE_PCI_P2PDMA);
	unsigned long entry = valid_entry(pagemap_page(p));
	u64 addr = p->pgmap.range.start + SZ_1G;
	int i;

	p->provider.bus_offset = SZ_1G;
	t->p2pdma.mem = &p->provider;
	t->p2pdma.map = PCI_P2PDMA_MAP_BUS_ADDR;
	walk_stores(t, 0, entry, 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, addr, (u64)map_page(t, 0));
		KUNIT_EXPECT_EQ(test, entry | HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA_BUS,
				t->map.pfn_list[0]);
	}
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
	KUNIT_EXPECT_EQ(test, entry, t->map.pfn_list[0]);
}

static void p2p_host_bridge(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	struct test_pagemap *p = test_pagemap(test, MEMORY_DEVICE_PCI_P2PDMA);
	unsigned long entry = valid_entry(pagemap_page(p));

	t->p2pdma.mem = &p->provider;
	t->p2pdma.map = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
	walk_stores(t, 0, entry, 0);
	KUNIT_EXPECT_EQ(test, (u64)p->pgmap.range.start, (u64)map_page(t, 0));
	KUNIT_EXPECT_EQ(test, entry | HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA,
			t->map.pfn_list[0]);
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
	KUNIT_EXPECT_EQ(test, entry, t->map.pfn_list[0]);
}

/* Memory, the page of the other device by its bus address, and memory again. */
static void p2p_segments(struct kunit *test, struct dma_test *t,
			 const struct hmm_range *range)
{
	const struct {
		u64 addr;
		size_t first;
		size_t nr_pages;
	} expected[] = {
		{ hmm_pfn_to_phys(range->hmm_pfns[0]), RANGE_FIRST, LEAF_PAGES },
		{ hmm_pfn_to_phys(range->hmm_pfns[LEAF_PAGES]) + SZ_1G,
		  RANGE_FIRST + LEAF_PAGES, 1 },
		{ hmm_pfn_to_phys(range->hmm_pfns[LEAF_PAGES + 1]),
		  RANGE_FIRST + LEAF_PAGES + 1, 1 },
	};
	struct hmm_dma_segment segment = {};

	for (int i = 0; i < ARRAY_SIZE(expected); i++) {
		KUNIT_ASSERT_TRUE(test,
				  hmm_dma_next_segment(t->dev, &t->map, range,
						       &t->p2pdma, &segment));
		KUNIT_EXPECT_EQ(test, expected[i].addr, (u64)segment.addr);
		KUNIT_EXPECT_EQ(test, expected[i].first, segment.first);
		KUNIT_EXPECT_EQ(test, expected[i].nr_pages, segment.nr_pages);
	}
	KUNIT_EXPECT_FALSE(test, hmm_dma_next_segment(t->dev, &t->map, range,
						      &t->p2pdma, &segment));
}

/* By bus address in the middle of memory; the one is not mapped, all is noted. */
static void p2p_range(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_direct_device(test));
	struct test_pagemap *p = test_pagemap(test, MEMORY_DEVICE_PCI_P2PDMA);
	struct hmm_range range = test_range(t, test_leaf(test));

	p->provider.bus_offset = SZ_1G;
	t->p2pdma.mem = &p->provider;
	t->p2pdma.map = PCI_P2PDMA_MAP_BUS_ADDR;
	range.hmm_pfns[LEAF_PAGES] = valid_entry(pagemap_page(p));
	KUNIT_EXPECT_EQ(test, 0, map_range(t, &range));
	KUNIT_EXPECT_EQ(test, HMM_PFN_DMA_MAPPED, range.hmm_pfns[0] & STICKY);
	KUNIT_EXPECT_EQ(test, HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA_BUS,
			range.hmm_pfns[LEAF_PAGES] & STICKY);
	KUNIT_EXPECT_EQ(test, HMM_PFN_DMA_MAPPED,
			range.hmm_pfns[LEAF_PAGES + 1] & STICKY);
	KUNIT_EXPECT_EQ(test, p->pgmap.range.start + SZ_1G,
			(u64)map_page(t, RANGE_FIRST + LEAF_PAGES));
	p2p_segments(test, t, &range);
	KUNIT_EXPECT_TRUE(test, unmap_range(t));
	KUNIT_EXPECT_FALSE(test, any_sticky(t));

	/* A page that the device cannot reach leaves nothing behind. */
	t->p2pdma.map = PCI_P2PDMA_MAP_NOT_SUPPORTED;
	KUNIT_EXPECT_EQ(test, -EREMOTEIO, map_range(t, &range));
	KUNIT_EXPECT_FALSE(test, any_sticky(t));
	KUNIT_EXPECT_FALSE(test, unmap_range(t));
}
#endif

#ifdef CONFIG_IOMMU_DMA
static void iova_map_unmap(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_mock_device(test, PAGE_SIZE));
	unsigned long entry = valid_entry(t->page);
	dma_addr_t addr;

	KUNIT_ASSERT_TRUE(test, dma_use_iova(&t->map.state));
	walk_stores(t, 7, entry, 0);
	addr = map_page(t, 7);
	KUNIT_EXPECT_EQ(test, (u64)t->map.state.addr + 7 * PAGE_SIZE, (u64)addr);
	KUNIT_EXPECT_EQ(test, (u64)page_to_phys(t->page), (u64)hmm_dma_mock_phys(addr));
	KUNIT_EXPECT_EQ(test, 1, hmm_dma_mock_nr_mapped());
	KUNIT_EXPECT_EQ(test, entry | HMM_PFN_DMA_MAPPED, t->map.pfn_list[7]);

	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 7));
	KUNIT_EXPECT_EQ(test, 0, hmm_dma_mock_nr_mapped());
	KUNIT_EXPECT_EQ(test, entry, t->map.pfn_list[7]);
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 7));
}

static void iova_map_twice(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_mock_device(test, PAGE_SIZE));
	dma_addr_t addr;

	walk_stores(t, 0, valid_entry(t->page), 0);
	addr = map_page(t, 0);
	KUNIT_EXPECT_EQ(test, (u64)addr, (u64)map_page(t, 0));
	KUNIT_EXPECT_EQ(test, 1, hmm_dma_mock.nr_maps);
}

/* A walk loses the bit that was set while it ran. */
static void iova_walk_loses_bit(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_mock_device(test, PAGE_SIZE));
	unsigned long carried = 0;
	dma_addr_t addr;

	walk_stores(t, 0, valid_entry(t->page), 0);
	addr = map_page(t, 0);
	walk_stores(t, 0, valid_entry(t->page), carried);

	KUNIT_EXPECT_EQ(test, (u64)addr, (u64)map_page(t, 0));
	KUNIT_EXPECT_EQ(test, 1, hmm_dma_mock.nr_maps);
	KUNIT_EXPECT_TRUE(test, t->map.pfn_list[0] & HMM_PFN_DMA_MAPPED);

	walk_stores(t, 0, valid_entry(t->page), carried);
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
	KUNIT_EXPECT_EQ(test, 0, hmm_dma_mock_nr_mapped());
}

/* The same, and the walk has found no page. */
static void iova_walk_stores_nothing(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_mock_device(test, PAGE_SIZE));

	walk_stores(t, 0, valid_entry(t->page), 0);
	map_page(t, 0);
	walk_stores(t, 0, 0, HMM_PFN_DMA_MAPPED);
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
	KUNIT_EXPECT_EQ(test, 0, hmm_dma_mock_nr_mapped());
	KUNIT_EXPECT_EQ(test, 0, t->map.pfn_list[0]);
}

/* A walk brings back the bit that was cleared while it ran. */
static void iova_walk_brings_bit_back(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_mock_device(test, PAGE_SIZE));
	struct page *other = test_page(test);
	unsigned long carried;
	dma_addr_t addr;

	walk_stores(t, 0, valid_entry(t->page), 0);
	map_page(t, 0);
	carried = t->map.pfn_list[0];
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
	walk_stores(t, 0, valid_entry(other), carried);

	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
	walk_stores(t, 0, valid_entry(other), carried);
	addr = map_page(t, 0);
	KUNIT_EXPECT_EQ(test, (u64)page_to_phys(other), (u64)hmm_dma_mock_phys(addr));
}

/* A link for each leaf, and a synchronisation for all of them. */
static void iova_range(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_mock_device(test, PAGE_SIZE));
	struct page *leaf = test_leaf(test);
	struct hmm_range range = test_range(t, leaf);
	int maps = hmm_dma_mock.nr_maps, syncs = hmm_dma_mock.nr_syncs;
	dma_addr_t addr;

	KUNIT_EXPECT_EQ(test, 0, map_range(t, &range));
	KUNIT_EXPECT_EQ(test, RANGE_PAGES, hmm_dma_mock_nr_mapped());
	KUNIT_EXPECT_EQ(test, 3, hmm_dma_mock.nr_maps - maps);
	KUNIT_EXPECT_EQ(test, 1, hmm_dma_mock.nr_syncs - syncs);
	addr = map_page(t, RANGE_FIRST);
	for (int i = 0; i < LEAF_PAGES; i++)
		KUNIT_EXPECT_EQ(test, (u64)page_to_phys(leaf) + i * PAGE_SIZE,
				(u64)hmm_dma_mock_phys(addr + i * PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, unmap_range(t));
	KUNIT_EXPECT_EQ(test, 0, hmm_dma_mock_nr_mapped());
	KUNIT_EXPECT_FALSE(test, any_sticky(t));
}

static void iova_range_by_pages(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_mock_device(test, PAGE_SIZE));
	struct hmm_range range = test_range(t, test_leaf(test));
	const size_t idx = RANGE_FIRST + 5;

	map_page(t, RANGE_FIRST);
	KUNIT_EXPECT_EQ(test, 0, map_range(t, &range));
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, idx));
	KUNIT_EXPECT_EQ(test, RANGE_PAGES - 1, hmm_dma_mock_nr_mapped());
	KUNIT_EXPECT_EQ(test, 0, map_range(t, &range));
	KUNIT_EXPECT_EQ(test, RANGE_PAGES, hmm_dma_mock_nr_mapped());
	KUNIT_EXPECT_TRUE(test, unmap_range(t));
	KUNIT_EXPECT_EQ(test, 0, hmm_dma_mock_nr_mapped());
}

/* What the call has mapped goes again, and what was mapped before stays. */
static void iova_range_fails(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_mock_device(test, PAGE_SIZE));
	struct hmm_range range = test_range(t, test_leaf(test));

	map_page(t, RANGE_FIRST + LEAF_PAGES);
	range.hmm_pfns[LEAF_PAGES + 1] = 0;
	KUNIT_EXPECT_EQ(test, -EFAULT, map_range(t, &range));
	KUNIT_EXPECT_EQ(test, 1, hmm_dma_mock_nr_mapped());
	KUNIT_EXPECT_FALSE(test, range.hmm_pfns[0] & STICKY);

	range.hmm_pfns[LEAF_PAGES + 1] = valid_entry(t->page);
	hmm_dma_mock.sync_error = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, map_range(t, &range));
	KUNIT_EXPECT_EQ(test, 1, hmm_dma_mock_nr_mapped());
	hmm_dma_mock.sync_error = 0;
	hmm_dma_mock.map_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, map_range(t, &range));
	KUNIT_EXPECT_EQ(test, 1, hmm_dma_mock_nr_mapped());
	hmm_dma_mock.map_error = 0;
	KUNIT_EXPECT_EQ(test, 0, map_range(t, &range));
	KUNIT_EXPECT_EQ(test, RANGE_PAGES, hmm_dma_mock_nr_mapped());
}

static void iova_map_fails(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_mock_device(test, PAGE_SIZE));
	unsigned long entry = valid_entry(t->page);

	walk_stores(t, 0, entry, 0);
	hmm_dma_mock.map_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, (u64)DMA_MAPPING_ERROR, (u64)map_page(t, 0));
	KUNIT_EXPECT_EQ(test, entry, t->map.pfn_list[0]);
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
	hmm_dma_mock.map_error = 0;
	KUNIT_EXPECT_NE(test, (u64)DMA_MAPPING_ERROR, (u64)map_page(t, 0));
}

static void iova_sync_fails(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_mock_device(test, PAGE_SIZE));
	unsigned long entry = valid_entry(t->page);

	walk_stores(t, 0, entry, 0);
	hmm_dma_mock.sync_error = -EIO;
	KUNIT_EXPECT_EQ(test, (u64)DMA_MAPPING_ERROR, (u64)map_page(t, 0));
	KUNIT_EXPECT_EQ(test, 0, hmm_dma_mock_nr_mapped());
	KUNIT_EXPECT_EQ(test, entry, t->map.pfn_list[0]);
	KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
	hmm_dma_mock.sync_error = 0;
	KUNIT_EXPECT_NE(test, (u64)DMA_MAPPING_ERROR, (u64)map_page(t, 0));
}

#ifdef CONFIG_PCI_P2PDMA
static void iova_p2p_host_bridge(struct kunit *test)
{
	struct dma_test *t = test_map(test, hmm_dma_mock_device(test, PAGE_SIZE));
	struct test_pagemap *p = test_pagemap(test, MEMORY_DEVICE_PCI_P2PDMA);
	dma_addr_t addr;

	t->p2pdma.mem = &p->provider;
	t->p2pdma.map = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
	walk_stores(t, 0, valid_entry(pagemap_page(p)), 0);
	walk_stores(t, 1, valid_entry(t->page), 0);
	addr = map_page(t, 0);
	KUNIT_ASSERT_EQ(test, (u64)p->pgmap.range.start, (u64)hmm_dma_mock_phys(addr));
	KUNIT_EXPECT_TRUE(test, hmm_dma_mock_prot(addr) & IOMMU_MMIO);
	addr = map_page(t, 1);
	KUNIT_ASSERT_EQ(test, (u64)page_to_phys(t->page), (u64)hmm_dma_mock_phys(addr));
	KUNIT_EXPECT_FALSE(test, hmm_dma_mock_prot(addr) & IOMMU_MMIO);
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 0));
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(t->dev, &t->map, 1));
	KUNIT_EXPECT_EQ(test, 0, hmm_dma_mock_nr_mapped());
}
#endif

/* No IOVA for the whole range is to be had: each page gets one of its own. */
static void iova_exhausted(struct kunit *test)
{
	struct device *dev = hmm_dma_mock_device(test, PAGE_SIZE);
	struct dma_test *hog = test_map(test, dev);
	struct hmm_dma_map map;
	dma_addr_t addr;

	KUNIT_ASSERT_EQ(test, 0, hmm_dma_map_alloc(dev, &map, MOCK_PAGES, PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, dma_use_iova(&map.state));
	map.pfn_list[3] = valid_entry(hog->page);
	addr = hmm_dma_map_pfn(dev, &map, 3, &hog->p2pdma);
	KUNIT_EXPECT_EQ(test, (u64)page_to_phys(hog->page), (u64)hmm_dma_mock_phys(addr));
	KUNIT_EXPECT_EQ(test, (u64)addr, (u64)hmm_dma_map_pfn(dev, &map, 3, &hog->p2pdma));
	KUNIT_EXPECT_EQ(test, 1, hmm_dma_mock.nr_maps);
	KUNIT_EXPECT_TRUE(test, hmm_dma_unmap_pfn(dev, &map, 3));
	KUNIT_EXPECT_EQ(test, 0, hmm_dma_mock_nr_mapped());
	hmm_dma_map_free(dev, &map);
}

/* Freeing a map gives its addresses back: they suffice for ever. */
static void iova_freed(struct kunit *test)
{
	struct device *dev = hmm_dma_mock_device(test, PAGE_SIZE);
	struct hmm_dma_map map;
	int i;

	for (i = 0; i < 2 * MOCK_PAGES / NR_ENTRIES; i++) {
		KUNIT_ASSERT_EQ(test, 0, hmm_dma_map_alloc(dev, &map, NR_ENTRIES,
							   PAGE_SIZE));
		KUNIT_EXPECT_TRUE(test, dma_use_iova(&map.state));
		hmm_dma_map_free(dev, &map);
	}
}

static struct kunit_case hmm_dma_iova_cases[] = {
	KUNIT_CASE(iova_map_unmap),
	KUNIT_CASE(iova_map_twice),
	KUNIT_CASE(iova_walk_loses_bit),
	KUNIT_CASE(iova_walk_stores_nothing),
	KUNIT_CASE(iova_walk_brings_bit_back),
	KUNIT_CASE(iova_range),
	KUNIT_CASE(iova_range_by_pages),
	KUNIT_CASE(iova_range_fails),
	KUNIT_CASE(iova_map_fails),
	KUNIT_CASE(iova_sync_fails),
#ifdef CONFIG_PCI_P2PDMA
	KUNIT_CASE(iova_p2p_host_bridge),
#endif
	KUNIT_CASE(iova_exhausted),
	KUNIT_CASE(iova_freed),
	{}
};

static struct kunit_suite hmm_dma_iova_suite = {
	.name		= "hmm_dma_iova",
	.suite_init	= hmm_dma_mock_init,
	.suite_exit	= hmm_dma_mock_exit,
	.test_cases	= hmm_dma_iova_cases,
};

kunit_test_suite(hmm_dma_iova_suite);
#endif /* CONFIG_IOMMU_DMA */

static struct kunit_case hmm_dma_cases[] = {
	KUNIT_CASE(alloc_bad_size),
	KUNIT_CASE(alloc_too_large),
	KUNIT_CASE(alloc_incoherent),
	KUNIT_CASE(alloc_limited),
	KUNIT_CASE(alloc_ignores_garbage),
	KUNIT_CASE(unmap_without_alloc),
	KUNIT_CASE(direct_map_unmap),
	KUNIT_CASE(direct_map_twice),
	KUNIT_CASE(map_invalid),
	KUNIT_CASE(direct_bounced_elsewhere),
	KUNIT_CASE(direct_map_fails),
	KUNIT_CASE(direct_range),
	KUNIT_CASE(direct_range_by_pages),
	KUNIT_CASE(range_with_a_hole),
	KUNIT_CASE(range_of_large_entries),
#ifdef CONFIG_DEVICE_PRIVATE
	KUNIT_CASE(map_device_private),
#endif
#ifdef CONFIG_PCI_P2PDMA
	KUNIT_CASE(p2p_not_supported),
	KUNIT_CASE(p2p_bus_addr),
	KUNIT_CASE(p2p_host_bridge),
	KUNIT_CASE(p2p_range),
#endif
	{}
};

static struct kunit_suite hmm_dma_suite = {
	.name		= "hmm_dma",
	.test_cases	= hmm_dma_cases,
};

kunit_test_suite(hmm_dma_suite);

MODULE_DESCRIPTION("KUnit tests of the DMA mapping of HMM");
MODULE_LICENSE("GPL");
