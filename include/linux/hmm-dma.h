/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copyright (c) 2024 NVIDIA Corporation & Affiliates
 *
 * HMM: map the pages of a range for DMA, for drivers that keep one pfn array
 * for as long as they mirror the range.
 */
#ifndef LINUX_HMM_DMA_H
#define LINUX_HMM_DMA_H

#include <linux/bits.h>
#include <linux/dma-mapping.h>
#include <linux/hmm.h>
#include <linux/types.h>

struct device;
struct pci_p2pdma_map_state;

/**
 * DOC: sticky bits
 *
 * %HMM_PFN_DMA_MAPPED, %HMM_PFN_P2PDMA and %HMM_PFN_P2PDMA_BUS of an entry say
 * how the page is mapped for DMA. hmm_dma_map_pfn() and hmm_dma_unmap_pfn() set
 * and clear them under a lock of the driver, the latter from the driver's
 * invalidate callback, so at any time during a walk, which does not hold that
 * lock and writes the same words. There is one rule:
 *
 *	What is mapped is kept in struct hmm_dma_map, where no walk writes. The
 *	driver's lock protects it, and the hmm_dma_*() functions decide by it
 *	alone. The bits in the pfn array are a copy for the driver to read.
 *
 * Neither side undoes what the other stores in an entry at the same time. The
 * hmm_dma_*() functions change it by compare and exchange. So does a walk if the
 * entry holds a sticky bit, which may be cleared at any time; else it stores
 * without a locked instruction, for the driver calls hmm_dma_map_pfn() between
 * the walks that write the entry. If it does not, as ODP, which faults the same
 * pages from several threads, then the copy may miss a bit, but what is mapped
 * is still known.
 *
 * For the driver this means that it
 *
 * - holds one lock, which its invalidate callback takes as well, around all
 *   hmm_dma_*() calls for one map but hmm_dma_map_alloc() and hmm_dma_map_free();
 * - calls hmm_dma_map_pfn() only after it has found, under that lock, that the
 *   walk is still valid: by hmm_range_valid() or mmu_interval_read_retry();
 * - calls hmm_dma_unmap_pfn() for all that is invalidated.
 *
 * The same holds for hmm_dma_map_range() and hmm_dma_unmap_range(). The former
 * shows the bits of consecutive entries that it maps at the first one only, so
 * after an unmapping the bit of an entry that is still mapped may be clear.
 * hmm_dma_next_segment() says what is mapped.
 */

/**
 * enum hmm_dma_map_flags - for hmm_dma_map_alloc_flags()
 *
 * @HMM_DMA_WHOLE_LEAVES: hmm_dma_map_range() uses the largest entries that the
 *	page table of the IOMMU has. Such a leaf can only be unmapped as a
 *	whole: hmm_dma_unmap_range() and hmm_dma_unmap_pfn() of some of its
 *	pages unmap the others too. The driver calls hmm_dma_widen() before it
 *	removes the entries of its device.
 */
enum hmm_dma_map_flags {
	HMM_DMA_WHOLE_LEAVES = BIT(0),
};

/**
 * struct hmm_dma_map - an array of pfns and how its entries are mapped for DMA
 *
 * @state: the space of IO virtual addresses, if the device has one for the map
 * @pfn_list: one entry a page, the &hmm_range.hmm_pfns of the walks
 * @dma_list: the DMA address of each entry; NULL if there is an IOVA, or if the
 *	address can be computed and nothing has to be undone
 * @mapped: private: how each entry is mapped
 * @dma_entry_size: how much one entry maps, in bytes
 * @nr_entries: how many entries there are
 * @leaf_sizes: private: the sizes above a page that a leaf of the IOMMU's page
 *	table can have, one bit for each
 * @flags: &enum hmm_dma_map_flags
 *
 * Initialised by hmm_dma_map_alloc() or hmm_dma_map_alloc_flags().
 */
struct hmm_dma_map {
	struct dma_iova_state state;
	unsigned long *pfn_list;
	dma_addr_t *dma_list;
	u8 *mapped;
	size_t dma_entry_size;
	size_t nr_entries;
	unsigned long leaf_sizes;
	unsigned int flags;
};

/**
 * struct hmm_dma_segment - consecutive entries with consecutive DMA addresses
 * @addr: the DMA address of the first page
 * @first: the first entry, in &hmm_dma_map.pfn_list
 * @nr_pages: how many entries, each of %PAGE_SIZE
 * @hmm_pfn: what the walk found for the first page, without the sticky bits.
 *	%HMM_PFN_WRITE is the same for all pages; the pfns of the others need
 *	not follow.
 * @run: private: where hmm_dma_next_segment() is
 */
struct hmm_dma_segment {
	dma_addr_t addr;
	size_t first;
	size_t nr_pages;
	unsigned long hmm_pfn;
	struct hmm_run run;
};

int hmm_dma_map_alloc(struct device *dev, struct hmm_dma_map *map,
		      size_t nr_entries, size_t dma_entry_size);
int hmm_dma_map_alloc_flags(struct device *dev, struct hmm_dma_map *map,
			    size_t nr_entries, size_t dma_entry_size,
			    unsigned int flags);
void hmm_dma_map_free(struct device *dev, struct hmm_dma_map *map);
dma_addr_t hmm_dma_map_pfn(struct device *dev, struct hmm_dma_map *map,
			   size_t idx,
			   struct pci_p2pdma_map_state *p2pdma_state);
bool hmm_dma_unmap_pfn(struct device *dev, struct hmm_dma_map *map, size_t idx);
int hmm_dma_map_range(struct device *dev, struct hmm_dma_map *map,
		      const struct hmm_range *range,
		      struct pci_p2pdma_map_state *p2pdma_state);
bool hmm_dma_next_segment(struct device *dev, struct hmm_dma_map *map,
			  const struct hmm_range *range,
			  struct pci_p2pdma_map_state *p2pdma_state,
			  struct hmm_dma_segment *segment);
void hmm_dma_widen(const struct hmm_dma_map *map, size_t *first,
		   size_t *nr_entries);
bool hmm_dma_unmap_range(struct device *dev, struct hmm_dma_map *map,
			 size_t first, size_t nr_entries);

#endif /* LINUX_HMM_DMA_H */
