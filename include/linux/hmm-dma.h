/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HMM: map the pages of a range for DMA, for drivers that keep one pfn array
 * for as long as they mirror the range.
 */
#ifndef LINUX_HMM_DMA_H
#define LINUX_HMM_DMA_H

#include <linux/dma-mapping.h>
#include <linux/types.h>

struct device;
struct pci_p2pdma_map_state;

/**
 * DOC: sticky bits
 *
 * %HMM_PFN_DMA_MAPPED, %HMM_PFN_P2PDMA and %HMM_PFN_P2PDMA_BUS of an entry say
 * how the page is mapped for DMA. A walk of the range carries them over, and it
 * does so without a lock: it reads the entry, and stores what it found together
 * with the bits that it read. hmm_dma_map_pfn() and hmm_dma_unmap_pfn() change
 * the same entries under a lock of the driver, the latter from the driver's
 * invalidate callback, so at any time during a walk. There is one rule:
 *
 *	What is mapped is kept in struct hmm_dma_map, where no walk writes. The
 *	driver's lock protects it, and the hmm_dma_*() functions decide by it
 *	alone. The bits in the pfn array are a copy for the driver to read.
 *
 * So a walk may lose a bit that was set, or bring one back that was cleared,
 * while it ran, and does no harm: the next hmm_dma_map_pfn() or
 * hmm_dma_unmap_pfn() of the entry acts on what is mapped and corrects the copy.
 * In return these functions never undo what a walk stored: they change an entry
 * by compare and exchange, while a walk needs no locked instruction.
 *
 * For the driver this means that it
 *
 * - holds one lock, which its invalidate callback takes as well, around all
 *   hmm_dma_map_pfn() and hmm_dma_unmap_pfn() of one map;
 * - calls hmm_dma_map_pfn() only after it has found, under that lock, that the
 *   walk still stands: by hmm_range_valid() or mmu_interval_read_retry();
 * - calls hmm_dma_unmap_pfn() for what is invalidated whether or not the copy
 *   says that it is mapped;
 * - takes the bits as a hint while a walk of the same entries may be running.
 *
 * A driver that uses the bits without struct hmm_dma_map has to keep the truth
 * of its own in the same way, or to exclude walks while it changes them.
 */

/**
 * struct hmm_dma_map - an array of pfns and how its entries are mapped for DMA
 *
 * @state: the space of IO virtual addresses, if the device has one for the map
 * @pfn_list: one entry a page, the &hmm_range.hmm_pfns of the walks
 * @dma_list: the DMA address of each entry; NULL if there is an IOVA, or if the
 *	address can be computed and nothing has to be undone
 * @mapped: private: how each entry is mapped
 * @dma_entry_size: how much one entry maps, in bytes
 *
 * Initialised by hmm_dma_map_alloc().
 */
struct hmm_dma_map {
	struct dma_iova_state state;
	unsigned long *pfn_list;
	dma_addr_t *dma_list;
	u8 *mapped;
	size_t dma_entry_size;
};

int hmm_dma_map_alloc(struct device *dev, struct hmm_dma_map *map,
		      size_t nr_entries, size_t dma_entry_size);
void hmm_dma_map_free(struct device *dev, struct hmm_dma_map *map);
dma_addr_t hmm_dma_map_pfn(struct device *dev, struct hmm_dma_map *map,
			   size_t idx,
			   struct pci_p2pdma_map_state *p2pdma_state);
bool hmm_dma_unmap_pfn(struct device *dev, struct hmm_dma_map *map, size_t idx);

#endif /* LINUX_HMM_DMA_H */
