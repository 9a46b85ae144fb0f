/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the KUnit tests of mm/hmm_dma.c share: a device that reaches all memory,
 * and one behind an IOMMU that needs no hardware and can let each step fail.
 */
#ifndef MM_TESTS_HMM_DMA_KUNIT_H
#define MM_TESTS_HMM_DMA_KUNIT_H

#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/mm.h>

struct device *hmm_dma_direct_device(struct kunit *test);

#ifdef CONFIG_IOMMU_DMA
/* The aperture, in pages, of which IOVAs take all but the first. */
#define MOCK_PAGES	256

/* It is mapped in these units, so that an IOMMU can have smaller pages. */
#define MOCK_UNIT	(PAGE_SIZE / 4)
#define MOCK_UNITS	(MOCK_PAGES * 4)

/*
 * One page table, whose leaves have the sizes that the test chooses. As a real
 * one, it does not split a leaf.
 */
struct hmm_dma_mock {
	struct iommu_device iommu;
	struct iommu_domain domain;
	unsigned long sizes;
	struct {
		phys_addr_t phys;
		size_t leaf;		/* its size; 0: not mapped */
		int prot;
	} pt[MOCK_UNITS];
	int nr_maps;			/* calls of map_pages */
	int map_error;			/* what they return, ... */
	int maps_left;			/* ... after this many */
	int nr_syncs;
	int sync_error;
};

extern struct hmm_dma_mock hmm_dma_mock;

int hmm_dma_mock_init(struct kunit_suite *suite);
void hmm_dma_mock_exit(struct kunit_suite *suite);
struct device *hmm_dma_mock_device(struct kunit *test, unsigned long sizes);
phys_addr_t hmm_dma_mock_phys(dma_addr_t addr);
size_t hmm_dma_mock_leaf(dma_addr_t addr);
int hmm_dma_mock_prot(dma_addr_t addr);
int hmm_dma_mock_nr_mapped(void);
#endif

#endif /* MM_TESTS_HMM_DMA_KUNIT_H */
