// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of mm/hmm_dma.c: what is mapped by leaves can be unmapped by pages,
 * and segments say what is mapped. They run with IOMMUs whose leaves have various
 * sizes, and with virtual addresses that are aligned as the physical ones are
 * and that are not.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/dma-mapping.h>
#include <linux/hmm-dma.h>
#include <linux/hmm.h>
#include <linux/pci-p2pdma.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "hmm_dma_kunit.h"

#ifdef CONFIG_IOMMU_DMA
/*
 * What is mapped: single pages, a leaf of the CPU of 64 pages, one of 32, and
 * four single pages. They come from 128 consecutive pages, so that each leaf is
 * aligned, but in another order.
 */
#define LARGE_ORDER	6
#define SMALL_ORDER	5
#define LARGE_PAGES	BIT(LARGE_ORDER)
#define SMALL_PAGES	BIT(SMALL_ORDER)
#define TAIL_PAGES	4
#define MAX_SHIFT	8
#define MAX_ENTRIES	(MAX_SHIFT + LARGE_PAGES + SMALL_PAGES + TAIL_PAGES)
#define PHYS_ORDER	7

/* An address where a leaf of any size may start. */
#define BASE		(16 * LARGE_PAGES * PAGE_SIZE)

/* What a walk never stores. */
#define POISON		(HMM_PFN_ERROR | 0x5a5a)

struct leaf_param {
	const char *name;
	unsigned long sizes;	/* of the leaves of the IOMMU */
	unsigned int shift;	/* single pages before the first leaf */
};

struct leaf_test {
	struct device *dev;
	struct hmm_dma_map map;
	struct pci_p2pdma_map_state p2pdma;
	struct page *page;
	struct rnd_state rnd;
	size_t nr;
	size_t shift;
	unsigned long entry[MAX_ENTRIES];	/* a dense array */
	DECLARE_BITMAP(mapped, MAX_ENTRIES);	/* what has to be */
};

/* Windows are given in entries of the map. */
static struct hmm_range leaf_window(struct leaf_test *t, size_t first, size_t nr)
{
	unsigned long start = BASE + (first - t->shift) * PAGE_SIZE;

	return (struct hmm_range){
		.start = start,
		.end = start + nr * PAGE_SIZE,
		.hmm_pfns = t->map.pfn_list + first,
	};
}

static unsigned long leaf_entry(struct page *page, unsigned int order)
{
	return page_to_pfn(page) | HMM_PFN_VALID | HMM_PFN_WRITE |
	       (unsigned long)order << HMM_PFN_ORDER_SHIFT;
}

/* The walk: what it stores of each page, all of it or the first of each leaf. */
static void leaf_walk(struct leaf_test *t, bool sparse)
{
	size_t large = t->shift, small = large + LARGE_PAGES;
	size_t tail = small + SMALL_PAGES, i;

	for (i = 0; i < t->nr; i++) {
		struct page *single = t->page + SMALL_PAGES - 1 - i % SMALL_PAGES;
		bool first = true;

		if (i >= large && i < small) {
			t->entry[i] = leaf_entry(t->page + LARGE_PAGES + i - large,
						 LARGE_ORDER);
			first = i == large;
		} else if (i >= small && i < tail) {
			t->entry[i] = leaf_entry(t->page + SMALL_PAGES + i - small,
						 SMALL_ORDER);
			first = i == small;
		} else {
			t->entry[i] = leaf_entry(single, 0);
		}
		t->map.pfn_list[i] = first || !sparse ? t->entry[i] : POISON;
	}
}

static phys_addr_t leaf_phys(struct leaf_test *t, size_t idx)
{
	return hmm_pfn_to_phys(t->entry[idx]);
}

static dma_addr_t leaf_iova(struct leaf_test *t, size_t idx)
{
	return t->map.state.addr + idx * PAGE_SIZE;
}

static void leaf_free_page(void *page)
{
	__free_pages(page, PHYS_ORDER);
}

static void leaf_free_map(void *data)
{
	struct leaf_test *t = data;

	hmm_dma_unmap_range(t->dev, &t->map, 0, t->nr);
	hmm_dma_map_free(t->dev, &t->map);
}

static struct leaf_test *leaf_test(struct kunit *test, struct device *dev,
				   unsigned int shift, unsigned int flags)
{
	struct leaf_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->dev = dev;
	t->shift = shift;
	t->nr = shift + LARGE_PAGES + SMALL_PAGES + TAIL_PAGES;
	prandom_seed_state(&t->rnd, 1);
	t->page = alloc_pages(GFP_KERNEL, PHYS_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, t->page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, leaf_free_page,
							   t->page));
	KUNIT_ASSERT_EQ(test, 0, hmm_dma_map_alloc_flags(dev, &t->map, t->nr,
							 PAGE_SIZE, flags));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, leaf_free_map,
							   t));
	leaf_walk(t, false);
	return t;
}

static struct device *leaf_device(struct kunit *test)
{
	const struct leaf_param *param = test->param_value;

	return hmm_dma_mock_device(test, param->sizes);
}

static struct leaf_test *leaf_test_iova(struct kunit *test, struct device *dev,
					unsigned int flags)
{
	const struct leaf_param *param = test->param_value;
	struct leaf_test *t = leaf_test(test, dev, param->shift, flags);

	KUNIT_ASSERT_TRUE(test, dma_use_iova(&t->map.state));
	return t;
}

static struct leaf_test *leaf_test_param(struct kunit *test, unsigned int flags)
{
	return leaf_test_iova(test, leaf_device(test), flags);
}

/* Each entry leads to its page if it is mapped, and nowhere if it is not. */
static void leaf_check(struct kunit *test, struct leaf_test *t)
{
	for (size_t i = 0; i < t->nr; i++)
		KUNIT_ASSERT_EQ_MSG(test,
				    test_bit(i, t->mapped) ? leaf_phys(t, i) : 0,
				    hmm_dma_mock_phys(leaf_iova(t, i)),
				    "entry %zu", i);
}

static int leaf_map(struct leaf_test *t, size_t first, size_t nr)
{
	struct hmm_range range = leaf_window(t, first, nr);
	int ret = hmm_dma_map_range(t->dev, &t->map, &range, &t->p2pdma);

	if (!ret)
		bitmap_set(t->mapped, first, nr);
	return ret;
}

static void leaf_unmap(struct kunit *test, struct leaf_test *t, size_t first,
		       size_t nr)
{
	bool any = find_next_bit(t->mapped, first + nr, first) < first + nr;

	KUNIT_EXPECT_EQ(test, any, hmm_dma_unmap_range(t->dev, &t->map, first,
						       nr));
	bitmap_clear(t->mapped, first, nr);
}

/* A window that has an entry at least. */
static void leaf_random_window(struct leaf_test *t, size_t *first, size_t *nr)
{
	*first = prandom_u32_state(&t->rnd) % t->nr;
	*nr = 1 + prandom_u32_state(&t->rnd) % (t->nr - *first);
	/* Short ones more often. */
	if (prandom_u32_state(&t->rnd) % 2)
		*nr = min_t(size_t, *nr, 3);
}

/* Whatever is unmapped, all else stays; the IOMMU never has to split a leaf. */
static void leaf_random(struct kunit *test)
{
	struct leaf_test *t = leaf_test_param(test, 0);
	size_t first, nr;

	for (int step = 0; step < 200; step++) {
		leaf_random_window(t, &first, &nr);
		switch (prandom_u32_state(&t->rnd) % 4) {
		case 0:
			KUNIT_ASSERT_EQ(test, 0, leaf_map(t, first, nr));
			break;
		case 1:
			KUNIT_ASSERT_EQ(test, leaf_iova(t, first),
					hmm_dma_map_pfn(t->dev, &t->map, first,
							&t->p2pdma));
			set_bit(first, t->mapped);
			break;
		case 2:
			leaf_unmap(test, t, first, nr);
			break;
		case 3:
			KUNIT_EXPECT_EQ(test, test_bit(first, t->mapped),
					hmm_dma_unmap_pfn(t->dev, &t->map, first));
			clear_bit(first, t->mapped);
			break;
		}
		leaf_check(test, t);
	}
	leaf_unmap(test, t, 0, t->nr);
	KUNIT_EXPECT_EQ(test, 0, hmm_dma_mock_nr_mapped());
}

/* No leaf is larger than a page, and few calls map all of them. */
static void leaf_small_links(struct kunit *test)
{
	const struct leaf_param *param = test->param_value;
	struct leaf_test *t = leaf_test_param(test, 0);
	int maps = hmm_dma_mock.nr_maps, syncs = hmm_dma_mock.nr_syncs;
	unsigned long larger = param->sizes & -(2 * PAGE_SIZE);
	size_t smallest = larger ? BIT(__ffs(larger)) / PAGE_SIZE : 0;
	size_t links = t->shift + TAIL_PAGES + 2;

	KUNIT_ASSERT_EQ(test, 0, leaf_map(t, 0, t->nr));
	leaf_check(test, t);
	for (size_t i = 0; i < t->nr; i++)
		KUNIT_EXPECT_LE(test, hmm_dma_mock_leaf(leaf_iova(t, i)),
				PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 1, hmm_dma_mock.nr_syncs - syncs);

	/* One for each aligned place that a leaf could be at, and the rest. */
	if (smallest && !(t->shift % smallest))
		links += (LARGE_PAGES + SMALL_PAGES) / smallest;
	/* The core may need two calls for a link, if it wants smaller pages. */
	KUNIT_EXPECT_LE(test, hmm_dma_mock.nr_maps - maps, 2 * links);
}

/* What the IOMMU would take away with @first to @last; it knows best. */
static void leaf_widen(struct leaf_test *t, size_t *first, size_t *last)
{
	size_t size = hmm_dma_mock_leaf(leaf_iova(t, *first));

	while (size > PAGE_SIZE && !IS_ALIGNED(leaf_iova(t, *first), size))
		--*first;
	size = hmm_dma_mock_leaf(leaf_iova(t, *last));
	while (size > PAGE_SIZE && !IS_ALIGNED(leaf_iova(t, *last + 1), size))
		++*last;
}

/* The same with whole leaves: what goes is what the helper says, no more. */
static void leaf_random_whole(struct kunit *test)
{
	struct leaf_test *t = leaf_test_param(test, HMM_DMA_WHOLE_LEAVES);
	size_t first, nr, wide_first, wide_nr, last;

	for (int step = 0; step < 200; step++) {
		leaf_random_window(t, &first, &nr);
		if (prandom_u32_state(&t->rnd) % 2) {
			KUNIT_ASSERT_EQ(test, 0, leaf_map(t, first, nr));
			leaf_check(test, t);
			continue;
		}
		wide_first = first;
		wide_nr = nr;
		hmm_dma_widen(&t->map, &wide_first, &wide_nr);
		last = first + nr - 1;
		leaf_widen(t, &first, &last);
		KUNIT_EXPECT_EQ(test, first, wide_first);
		KUNIT_EXPECT_EQ(test, last, wide_first + wide_nr - 1);

		/* The driver hands over the one or the other. */
		if (nr == 1) {
			hmm_dma_unmap_pfn(t->dev, &t->map, first);
			bitmap_clear(t->mapped, wide_first, wide_nr);
		} else {
			leaf_unmap(test, t, wide_first, wide_nr);
		}
		leaf_check(test, t);
	}
}

/* Nothing that was hit takes nothing along, also in the middle of a leaf. */
static void leaf_nothing_is_widened(struct kunit *test)
{
	struct leaf_test *t = leaf_test_param(test, HMM_DMA_WHOLE_LEAVES);

	KUNIT_ASSERT_EQ(test, 0, leaf_map(t, 0, t->nr));
	for (size_t i = 1; i < t->nr; i++) {
		size_t first = i, nr = 0;

		hmm_dma_widen(&t->map, &first, &nr);
		KUNIT_EXPECT_EQ(test, first, i);
		KUNIT_EXPECT_EQ(test, nr, 0);
		KUNIT_EXPECT_FALSE(test, hmm_dma_unmap_range(t->dev, &t->map, i, 0));
	}
	leaf_check(test, t);
}

/* Each leaf of the CPU gets the largest that its addresses allow for. */
static void leaf_whole_is_large(struct kunit *test)
{
	const struct leaf_param *param = test->param_value;
	struct leaf_test *t = leaf_test_param(test, HMM_DMA_WHOLE_LEAVES);
	size_t small = t->shift + LARGE_PAGES;
	size_t size, expected = 0;
	int i;

	for (i = 0; i <= SMALL_ORDER; i++)
		if (param->sizes & PAGE_SIZE << i && !(t->shift % BIT(i)))
			expected = PAGE_SIZE << i;
	KUNIT_ASSERT_EQ(test, 0, leaf_map(t, 0, t->nr));
	leaf_check(test, t);
	size = hmm_dma_mock_leaf(leaf_iova(t, small));
	if (expected)
		KUNIT_EXPECT_EQ(test, expected, size);
	else
		KUNIT_EXPECT_LE(test, size, PAGE_SIZE);
}

/* A failure half way, at each call of the IOMMU, leaves what was there before. */
static void leaf_fails(struct kunit *test)
{
	unsigned int flags[] = { 0, HMM_DMA_WHOLE_LEAVES };
	struct device *dev = leaf_device(test);
	struct leaf_test *t;

	for (int i = 0; i < ARRAY_SIZE(flags); i++) {
		t = leaf_test_iova(test, dev, flags[i]);
		KUNIT_ASSERT_EQ(test, 0, leaf_map(t, t->shift + 3, 2));
		hmm_dma_mock.map_error = -ENOMEM;
		for (int n = 0;; n++) {
			hmm_dma_mock.maps_left = n;
			if (!leaf_map(t, 0, t->nr))
				break;
			leaf_check(test, t);
		}
		hmm_dma_mock.map_error = 0;
		leaf_check(test, t);

		leaf_unmap(test, t, 0, t->nr);
		hmm_dma_mock.sync_error = -EIO;
		KUNIT_EXPECT_EQ(test, -EIO, leaf_map(t, 0, t->nr));
		hmm_dma_mock.sync_error = 0;
		leaf_check(test, t);
		kunit_release_action(test, leaf_free_map, t);
	}
}

/* An array that is not the map's, or reaches beyond it, is not mapped. */
static void leaf_foreign_array(struct kunit *test)
{
	struct leaf_test *t = leaf_test_param(test, 0);
	struct hmm_range range = leaf_window(t, 0, t->nr);
	struct hmm_dma_segment segment = {};
	unsigned long *own = range.hmm_pfns;
	const struct {
		unsigned long *hmm_pfns;
		long more;
	} bad[] = {
		{ t->entry, 0 },
		{ own - 1, 0 },
		{ own + 1, 0 },
		{ own + t->nr, -(long)t->nr + 1 },
		{ (unsigned long *)((char *)own + 1), -1 },
		{ NULL, 0 },
		{ own, 1 },
		{ own + 5, -4 },
		{ own, -(long)t->nr - 1 },
	};

	for (int i = 0; i < ARRAY_SIZE(bad); i++) {
		range.hmm_pfns = bad[i].hmm_pfns;
		range.end = range.start + (t->nr + bad[i].more) * PAGE_SIZE;
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    hmm_dma_map_range(t->dev, &t->map, &range,
						      &t->p2pdma),
				    "case %d", i);
		KUNIT_EXPECT_FALSE(test,
				   hmm_dma_next_segment(t->dev, &t->map, &range,
							&t->p2pdma, &segment));
	}
	leaf_check(test, t);
	/* The last entries are. */
	KUNIT_EXPECT_EQ(test, 0, leaf_map(t, t->nr - 2, 2));
	leaf_check(test, t);
}

/*
 * Segments
 */

/* Where the device gets to by @addr. */
static phys_addr_t segment_phys(struct leaf_test *t, dma_addr_t addr)
{
	return device_iommu_mapped(t->dev) ? hmm_dma_mock_phys(addr) : addr;
}

/*
 * The segments of a window are what is mapped of it, each page at its address,
 * and none could be longer. Return: how many there are.
 */
static int segments_check(struct kunit *test, struct leaf_test *t, size_t first,
			  size_t nr)
{
	struct hmm_range range = leaf_window(t, first, nr);
	struct hmm_dma_segment segment = {}, last = {};
	size_t idx = first;
	int n = 0;

	while (hmm_dma_next_segment(t->dev, &t->map, &range, &t->p2pdma,
				    &segment)) {
		KUNIT_ASSERT_EQ(test, segment.first,
				find_next_bit(t->mapped, first + nr, idx));
		KUNIT_EXPECT_FALSE(test, n && segment.first == idx &&
				   segment.addr == last.addr +
						   last.nr_pages * PAGE_SIZE &&
				   !((segment.hmm_pfn ^ last.hmm_pfn) &
				     HMM_PFN_WRITE));
		KUNIT_EXPECT_EQ(test, segment.hmm_pfn, t->entry[segment.first]);
		idx = segment.first + segment.nr_pages;
		KUNIT_ASSERT_LE(test, idx, first + nr);
		KUNIT_EXPECT_EQ(test, idx,
				find_next_zero_bit(t->mapped, idx, segment.first));
		for (size_t i = 0; i < segment.nr_pages; i++) {
			KUNIT_ASSERT_EQ(test, leaf_phys(t, segment.first + i),
					segment_phys(t, segment.addr +
							i * PAGE_SIZE));
			KUNIT_ASSERT_EQ(test, segment.hmm_pfn & HMM_PFN_WRITE,
					t->entry[segment.first + i] &
					HMM_PFN_WRITE);
		}
		last = segment;
		n++;
	}
	KUNIT_EXPECT_EQ(test, first + nr,
			find_next_bit(t->mapped, first + nr, idx));
	return n;
}

/* Any entries are unmapped, and some of them mapped again. */
static void segments_random(struct kunit *test, struct leaf_test *t)
{
	size_t first, nr;

	for (int step = 0; step < 50; step++) {
		leaf_random_window(t, &first, &nr);
		leaf_unmap(test, t, first, nr);
		segments_check(test, t, 0, t->nr);
		leaf_random_window(t, &first, &nr);
		if (step % 4 == 3) {
			leaf_walk(t, false);
			KUNIT_ASSERT_EQ(test, 0, leaf_map(t, first, nr));
			leaf_walk(t, true);
			segments_check(test, t, 0, t->nr);
			leaf_walk(t, false);
			segments_check(test, t, first, nr);
		}
	}
}

static void segments_iova(struct kunit *test)
{
	unsigned int flags[] = { 0, HMM_DMA_WHOLE_LEAVES };
	struct device *dev = leaf_device(test);
	struct leaf_test *t;

	for (int i = 0; i < ARRAY_SIZE(flags); i++) {
		t = leaf_test_iova(test, dev, flags[i]);
		KUNIT_EXPECT_EQ(test, 0, segments_check(test, t, 0, t->nr));
		leaf_walk(t, true);
		KUNIT_ASSERT_EQ(test, 0, leaf_map(t, 0, t->nr));
		KUNIT_EXPECT_EQ(test, 1, segments_check(test, t, 0, t->nr));
		if (!flags[i])
			segments_random(test, t);
		kunit_release_action(test, leaf_free_map, t);
	}
}

/* Pages that may be written to, and others. */
static void segments_permissions(struct kunit *test)
{
	struct leaf_test *t = leaf_test_param(test, 0);
	size_t small = t->shift + LARGE_PAGES, tail = small + SMALL_PAGES;

	for (size_t i = small; i < tail; i++) {
		t->entry[i] &= ~HMM_PFN_WRITE;
		t->map.pfn_list[i] &= ~HMM_PFN_WRITE;
	}
	KUNIT_ASSERT_EQ(test, 0, leaf_map(t, 0, t->nr));
	KUNIT_EXPECT_EQ(test, 3, segments_check(test, t, 0, t->nr));
	KUNIT_EXPECT_EQ(test, 1, segments_check(test, t, small + 1, 9));
}

/* What is mapped still, and was not found by the last walk. */
static void segments_are_valid(struct kunit *test)
{
	struct leaf_test *t = leaf_test_param(test, 0);
	size_t small = t->shift + LARGE_PAGES, tail = small + SMALL_PAGES;

	KUNIT_ASSERT_EQ(test, 0, leaf_map(t, 0, t->nr));
	for (size_t i = small; i < tail; i++)
		t->map.pfn_list[i] = HMM_PFN_DMA_MAPPED;
	bitmap_clear(t->mapped, small, SMALL_PAGES);
	KUNIT_EXPECT_EQ(test, 2, segments_check(test, t, 0, t->nr));
	KUNIT_EXPECT_EQ(test, 0, segments_check(test, t, small, 1));
}

/* No IOVA for the whole map is to be had: each page has an address of its own. */
static void segments_list(struct kunit *test)
{
	struct device *dev = hmm_dma_mock_device(test, PAGE_SIZE |
							8 * PAGE_SIZE);
	struct leaf_test *hog = leaf_test(test, dev, 0, 0);
	struct leaf_test *t = leaf_test(test, dev, 0, HMM_DMA_WHOLE_LEAVES);

	KUNIT_ASSERT_TRUE(test, dma_use_iova(&hog->map.state));
	KUNIT_ASSERT_NOT_NULL(test, t->map.dma_list);
	leaf_walk(t, true);
	KUNIT_ASSERT_EQ(test, 0, leaf_map(t, 0, t->nr));
	KUNIT_EXPECT_LT(test, 1, segments_check(test, t, 0, t->nr));
	leaf_walk(t, false);
	KUNIT_EXPECT_LT(test, 1, segments_check(test, t, 5, 40));
	segments_random(test, t);
	KUNIT_EXPECT_EQ(test, hmm_dma_mock_nr_mapped(),
			bitmap_weight(t->mapped, t->nr));
	leaf_unmap(test, t, 0, t->nr);
	KUNIT_EXPECT_EQ(test, 0, hmm_dma_mock_nr_mapped());
}

static void segments_direct(struct kunit *test)
{
	struct device *dev = hmm_dma_direct_device(test);
	struct leaf_test *t = leaf_test(test, dev, 3, HMM_DMA_WHOLE_LEAVES);

	KUNIT_ASSERT_FALSE(test, dma_use_iova(&t->map.state));
	leaf_walk(t, true);
	KUNIT_ASSERT_EQ(test, 0, leaf_map(t, 0, t->nr));
	/* In falling order, each single page is a segment, and so is each leaf. */
	KUNIT_EXPECT_EQ(test, 3 + 2 + TAIL_PAGES,
			segments_check(test, t, 0, t->nr));
	segments_random(test, t);
}

static const struct leaf_param leaf_params[] = {
	{ "pages_0",		PAGE_SIZE,			0 },
	{ "pages_1",		PAGE_SIZE,			1 },
	{ "8_and_32_0",		41 * PAGE_SIZE,			0 },
	{ "8_and_32_1",		41 * PAGE_SIZE,			1 },
	{ "8_and_32_8",		41 * PAGE_SIZE,			8 },
	{ "powers_of_2_0",	127 * PAGE_SIZE,		0 },
	{ "powers_of_2_1",	127 * PAGE_SIZE,		1 },
	{ "powers_of_2_4",	127 * PAGE_SIZE,		4 },
	{ "powers_of_2_8",	127 * PAGE_SIZE,		8 },
	{ "quarters_and_8_0",	PAGE_SIZE / 4 + 8 * PAGE_SIZE,	0 },
	{ "quarters_and_8_1",	PAGE_SIZE / 4 + 8 * PAGE_SIZE,	1 },
	{ "quarters_and_8_8",	PAGE_SIZE / 4 + 8 * PAGE_SIZE,	8 },
};

static void leaf_describe(const struct leaf_param *param, char *text)
{
	strscpy(text, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(leaf, leaf_params, leaf_describe);

static struct kunit_case hmm_dma_leaf_cases[] = {
	KUNIT_CASE_PARAM(leaf_random, leaf_gen_params),
	KUNIT_CASE_PARAM(leaf_small_links, leaf_gen_params),
	KUNIT_CASE_PARAM(leaf_random_whole, leaf_gen_params),
	KUNIT_CASE_PARAM(leaf_nothing_is_widened, leaf_gen_params),
	KUNIT_CASE_PARAM(leaf_whole_is_large, leaf_gen_params),
	KUNIT_CASE_PARAM(leaf_fails, leaf_gen_params),
	KUNIT_CASE_PARAM(leaf_foreign_array, leaf_gen_params),
	KUNIT_CASE_PARAM(segments_iova, leaf_gen_params),
	KUNIT_CASE_PARAM(segments_permissions, leaf_gen_params),
	KUNIT_CASE_PARAM(segments_are_valid, leaf_gen_params),
	KUNIT_CASE(segments_list),
	KUNIT_CASE(segments_direct),
	{}
};

static struct kunit_suite hmm_dma_leaf_suite = {
	.name		= "hmm_dma_leaf",
	.suite_init	= hmm_dma_mock_init,
	.suite_exit	= hmm_dma_mock_exit,
	.test_cases	= hmm_dma_leaf_cases,
};

kunit_test_suite(hmm_dma_leaf_suite);
#endif /* CONFIG_IOMMU_DMA */

MODULE_DESCRIPTION("KUnit tests of the DMA mapping of HMM by leaves");
MODULE_LICENSE("GPL");
