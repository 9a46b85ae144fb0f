// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HMM: map a range for DMA, page by page or run by run.
 *
 * How the walks and this file share the pfn array, and which lock the driver
 * holds, stands in include/linux/hmm-dma.h under "sticky bits".
 */
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/hmm-dma.h>
#include <linux/memremap.h>
#include <linux/overflow.h>
#include <linux/pci-p2pdma.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hmm_array.h"

/* How an entry is mapped: what hmm_dma_map.mapped holds. */
enum hmm_dma_kind {
	HMM_DMA_UNMAPPED = 0,
	HMM_DMA_MEMORY,
	HMM_DMA_P2P_HOST,	/* peer to peer, through the host bridge */
	HMM_DMA_P2P_BUS,	/* peer to peer, by bus address */
};

/* Beside the kind: mapped by the hmm_dma_map_range() that runs, and may fail. */
#define HMM_DMA_NEW	BIT(7)

static const unsigned long hmm_dma_sticky[] = {
	[HMM_DMA_UNMAPPED]	= 0,
	[HMM_DMA_MEMORY]	= HMM_PFN_DMA_MAPPED,
	[HMM_DMA_P2P_HOST]	= HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA,
	[HMM_DMA_P2P_BUS]	= HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA_BUS,
};

/*
 * Note how an entry is mapped, and show it in the pfn array, without undoing
 * what a walk stores there at the same time.
 */
static void hmm_dma_note(struct hmm_dma_map *map, size_t idx,
			 enum hmm_dma_kind kind)
{
	unsigned long *hmm_pfn = &map->pfn_list[idx];
	unsigned long old = READ_ONCE(*hmm_pfn);
	unsigned long new;

	map->mapped[idx] = kind;
	do {
		new = (old & ~HMM_PFN_STICKY) | hmm_dma_sticky[kind];
	} while (old != new && !try_cmpxchg(hmm_pfn, &old, new));
}

/*
 * A page that the CPU maps is never handed over to the device, so there is
 * nobody who could copy a bounce buffer or flush a cache at the right time.
 */
static unsigned long hmm_dma_attrs(enum hmm_dma_kind kind)
{
	if (kind == HMM_DMA_P2P_HOST)
		return DMA_ATTR_REQUIRE_COHERENT | DMA_ATTR_MMIO;
	return DMA_ATTR_REQUIRE_COHERENT;
}

/* What kind of mapping the page takes; HMM_DMA_UNMAPPED: none is possible. */
static enum hmm_dma_kind hmm_dma_kind(struct device *dev, struct page *page,
				      struct pci_p2pdma_map_state *p2pdma_state)
{
	/* It has a pfn, but no address on any bus. */
	if (is_device_private_page(page))
		return HMM_DMA_UNMAPPED;

	switch (pci_p2pdma_state(p2pdma_state, dev, page)) {
	case PCI_P2PDMA_MAP_NONE:
		return HMM_DMA_MEMORY;
	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
		return HMM_DMA_P2P_HOST;
	case PCI_P2PDMA_MAP_BUS_ADDR:
		return HMM_DMA_P2P_BUS;
	default:
		return HMM_DMA_UNMAPPED;
	}
}

/* The address of an entry that is mapped, DMA_MAPPING_ERROR if nobody keeps it. */
static dma_addr_t hmm_dma_known_addr(struct hmm_dma_map *map, size_t idx)
{
	switch (map->mapped[idx]) {
	case HMM_DMA_MEMORY:
	case HMM_DMA_P2P_HOST:
		break;
	default:
		return DMA_MAPPING_ERROR;
	}

	if (dma_use_iova(&map->state))
		return map->state.addr + idx * map->dma_entry_size;
	if (map->dma_list)
		return map->dma_list[idx];
	/* A mapping without state: making it once more gives the same. */
	return DMA_MAPPING_ERROR;
}

/* Put the page into the map's own IOVA space, where the entry belongs. */
static dma_addr_t hmm_dma_link(struct device *dev, struct hmm_dma_map *map,
			       size_t idx, phys_addr_t paddr,
			       unsigned long attrs)
{
	struct dma_iova_state *state = &map->state;
	size_t size = map->dma_entry_size;
	size_t offset = idx * size;

	if (dma_iova_link(dev, state, paddr, offset, size, DMA_BIDIRECTIONAL,
			  attrs))
		return DMA_MAPPING_ERROR;

	if (dma_iova_sync(dev, state, offset, size)) {
		dma_iova_unlink(dev, state, offset, size, DMA_BIDIRECTIONAL,
				attrs);
		return DMA_MAPPING_ERROR;
	}

	return state->addr + offset;
}

/* Map @nr consecutive pages by themselves; only one if there is a dma_list. */
static dma_addr_t hmm_dma_map_direct(struct device *dev,
				     struct hmm_dma_map *map, size_t idx,
				     size_t nr, phys_addr_t paddr,
				     unsigned long attrs)
{
	dma_addr_t addr;

	addr = dma_map_phys(dev, paddr, nr * map->dma_entry_size,
			    DMA_BIDIRECTIONAL, attrs);
	if (dma_mapping_error(dev, addr))
		return DMA_MAPPING_ERROR;
	if (map->dma_list)
		map->dma_list[idx] = addr;
	return addr;
}

/*
 * Must each mapping be undone, if the device has no IOVA space for the map?
 *
 * Asked once: the answer for a device turns to true as soon as any of its other
 * mappings uses a bounce buffer, but with DMA_ATTR_REQUIRE_COHERENT none of ours
 * ever does.
 */
static int hmm_dma_alloc_list(struct device *dev, struct hmm_dma_map *map,
			      size_t nr_entries)
{
	if (!dma_need_unmap(dev))
		return 0;

	map->dma_list = kvcalloc(nr_entries, sizeof(*map->dma_list),
				 GFP_KERNEL | __GFP_NOWARN);
	return map->dma_list ? 0 : -ENOMEM;
}

/* A best guess: no mapping for it needs a cache flush or a bounce buffer. */
static bool hmm_dma_is_coherent(struct device *dev)
{
	if (IS_ENABLED(CONFIG_DMA_NEED_SYNC) && !dev_dma_skip_sync(dev))
		return false;
	return !dma_addressing_limited(dev);
}

/**
 * hmm_dma_map_alloc() - prepare the mapping of a range for DMA
 * @dev: the device that is going to access the pages
 * @map: what is initialised; its old content is ignored
 * @nr_entries: the number of pages of the range, each of %PAGE_SIZE
 * @dma_entry_size: how much one call of hmm_dma_map_pfn() maps, in bytes
 *
 * Allocates the pfn array, all entries 0, and where the device has an IOMMU
 * that can do so a space of IO virtual addresses for the whole range, so that
 * the address of an entry is known from its index.
 *
 * Context: May sleep.
 *
 * Return:
 * * 0: @map is to be freed by hmm_dma_map_free().
 * * -EINVAL: The range holds no entry, or is larger than the address space.
 * * -EOPNOTSUPP: The device cannot access memory coherently or not all of it:
 *   pages that the CPU uses at the same time cannot be mapped.
 * * -ENOMEM: An allocation failed.
 */
int hmm_dma_map_alloc(struct device *dev, struct hmm_dma_map *map,
		      size_t nr_entries, size_t dma_entry_size)
{
	size_t size;

	*map = (struct hmm_dma_map){ .dma_entry_size = dma_entry_size };

	if (!dma_entry_size ||
	    check_mul_overflow(nr_entries, (size_t)PAGE_SIZE, &size) ||
	    size < dma_entry_size)
		return -EINVAL;

	if (!hmm_dma_is_coherent(dev))
		return -EOPNOTSUPP;

	map->pfn_list = kvcalloc(nr_entries, sizeof(*map->pfn_list),
				 GFP_KERNEL | __GFP_NOWARN);
	map->mapped = kvcalloc(nr_entries, sizeof(*map->mapped),
			       GFP_KERNEL | __GFP_NOWARN);
	if (!map->pfn_list || !map->mapped)
		goto nomem;

	if (!dma_iova_try_alloc(dev, &map->state, 0, size) &&
	    hmm_dma_alloc_list(dev, map, nr_entries))
		goto nomem;

	return 0;

nomem:
	hmm_dma_map_free(dev, map);
	return -ENOMEM;
}
EXPORT_SYMBOL_GPL(hmm_dma_map_alloc);

/**
 * hmm_dma_map_free() - undo hmm_dma_map_alloc()
 * @dev: the device that @map was allocated for
 * @map: what is freed; nothing is left to free afterwards
 *
 * Context: May sleep. All entries have been unmapped, and neither a walk nor an
 * invalidate callback uses the array any more.
 */
void hmm_dma_map_free(struct device *dev, struct hmm_dma_map *map)
{
	if (dma_use_iova(&map->state))
		dma_iova_free(dev, &map->state);
	kvfree(map->pfn_list);
	kvfree(map->mapped);
	kvfree(map->dma_list);
	*map = (struct hmm_dma_map){};
}
EXPORT_SYMBOL_GPL(hmm_dma_map_free);

/**
 * hmm_dma_map_pfn() - map an entry for DMA
 * @dev: the device that @map was allocated for
 * @map: the map
 * @idx: the entry, in &hmm_dma_map.pfn_list
 * @p2pdma_state: peer to peer state that the calls for one range share, zeroed
 *	before the first
 *
 * Maps &hmm_dma_map.dma_entry_size bytes from the page of the entry on. An
 * entry that is mapped already keeps its address, so the driver may call this
 * again, for instance when a new walk has found the page writable.
 *
 * Context: Does not sleep. The driver's lock is held, and under it the driver
 * has found that the walk which stored the entry still stands.
 *
 * Return: the DMA address, or %DMA_MAPPING_ERROR if the entry is not
 * %HMM_PFN_VALID or holds a page that the device cannot reach, or if the
 * mapping failed; the entry is then mapped as it was before.
 */
dma_addr_t hmm_dma_map_pfn(struct device *dev, struct hmm_dma_map *map,
			   size_t idx,
			   struct pci_p2pdma_map_state *p2pdma_state)
{
	unsigned long hmm_pfn = READ_ONCE(map->pfn_list[idx]);
	phys_addr_t paddr = hmm_pfn_to_phys(hmm_pfn);
	enum hmm_dma_kind kind = map->mapped[idx];
	dma_addr_t addr;

	if (!(hmm_pfn & HMM_PFN_VALID))
		return DMA_MAPPING_ERROR;

	addr = hmm_dma_known_addr(map, idx);
	if (addr == DMA_MAPPING_ERROR) {
		kind = hmm_dma_kind(dev, hmm_pfn_to_page(hmm_pfn), p2pdma_state);
		if (kind == HMM_DMA_UNMAPPED)
			return DMA_MAPPING_ERROR;
		if (kind == HMM_DMA_P2P_BUS)
			addr = pci_p2pdma_bus_addr_map(p2pdma_state->mem, paddr);
		else if (dma_use_iova(&map->state))
			addr = hmm_dma_link(dev, map, idx, paddr,
					    hmm_dma_attrs(kind));
		else
			addr = hmm_dma_map_direct(dev, map, idx, 1, paddr,
						  hmm_dma_attrs(kind));
		if (addr == DMA_MAPPING_ERROR)
			return addr;
	}

	hmm_dma_note(map, idx, kind);
	return addr;
}
EXPORT_SYMBOL_GPL(hmm_dma_map_pfn);

/*
 * A stretch: consecutive entries that are mapped in the same way.
 */

/* The length of the one that starts at @idx, @nr at most. */
static size_t hmm_dma_stretch(const struct hmm_dma_map *map, size_t idx,
			      size_t nr)
{
	const u8 *mapped = &map->mapped[idx];
	const u8 *other = memchr_inv(mapped, *mapped, nr);

	return other ? other - mapped : nr;
}

/* Take the sticky bits of a stretch away, which few of its entries have. */
static void hmm_dma_clear_bits(struct hmm_dma_map *map, size_t idx, size_t nr)
{
	const unsigned long *entries = &map->pfn_list[idx];
	size_t n;

	for (; nr; nr -= n, entries += n, idx += n) {
		n = min(nr, HMM_BLOCK);
		if (n == HMM_BLOCK &&
		    !(hmm_block_bits(entries) & HMM_PFN_STICKY))
			continue;
		for (size_t i = 0; i < n; i++)
			if (hmm_peek(&entries[i]) & HMM_PFN_STICKY)
				hmm_dma_note(map, idx + i, HMM_DMA_UNMAPPED);
	}
}

static void hmm_dma_unmap_stretch(struct device *dev, struct hmm_dma_map *map,
				  size_t idx, size_t nr)
{
	enum hmm_dma_kind kind = map->mapped[idx];
	size_t size = map->dma_entry_size;

	if (kind != HMM_DMA_P2P_BUS) {
		if (dma_use_iova(&map->state))
			dma_iova_unlink(dev, &map->state, idx * size, nr * size,
					DMA_BIDIRECTIONAL, hmm_dma_attrs(kind));
		else if (map->dma_list)
			for (size_t i = idx; i < idx + nr; i++)
				dma_unmap_phys(dev, map->dma_list[i], size,
					       DMA_BIDIRECTIONAL,
					       hmm_dma_attrs(kind));
	}

	memset(&map->mapped[idx], HMM_DMA_UNMAPPED, nr);
	hmm_dma_clear_bits(map, idx, nr);
}

/**
 * hmm_dma_unmap_range() - undo hmm_dma_map_range() and hmm_dma_map_pfn()
 * @dev: the device that @map was allocated for
 * @map: the map; or one whose &hmm_dma_map.pfn_list the driver has allocated by
 *	itself, since its device does no DMA
 * @first: the first entry, in &hmm_dma_map.pfn_list
 * @nr_entries: how many
 *
 * Unmaps those that are mapped, however they were, and clears the sticky bits.
 * What a walk found stays.
 *
 * Context: Does not sleep. The driver's lock is held.
 *
 * Return: true if an entry was mapped, false if there was nothing to do.
 */
bool hmm_dma_unmap_range(struct device *dev, struct hmm_dma_map *map,
			 size_t first, size_t nr_entries)
{
	bool unmapped = false;
	size_t n;

	if (!map->mapped)
		return false;
	for (; nr_entries; nr_entries -= n, first += n) {
		n = hmm_dma_stretch(map, first, nr_entries);
		if (map->mapped[first] == HMM_DMA_UNMAPPED)
			continue;
		hmm_dma_unmap_stretch(dev, map, first, n);
		unmapped = true;
	}
	return unmapped;
}
EXPORT_SYMBOL_GPL(hmm_dma_unmap_range);

/**
 * hmm_dma_unmap_pfn() - undo hmm_dma_map_pfn()
 * @dev: the device that @map was allocated for
 * @map: as for hmm_dma_unmap_range()
 * @idx: the entry, in &hmm_dma_map.pfn_list
 *
 * Context: As hmm_dma_unmap_range(), for one entry.
 *
 * Return: true if the entry was mapped, false if there was nothing to do.
 */
bool hmm_dma_unmap_pfn(struct device *dev, struct hmm_dma_map *map, size_t idx)
{
	return hmm_dma_unmap_range(dev, map, idx, 1);
}
EXPORT_SYMBOL_GPL(hmm_dma_unmap_pfn);

/* Map a stretch of unmapped entries, whose pages follow on that of @hmm_pfn. */
static int hmm_dma_map_stretch(struct device *dev, struct hmm_dma_map *map,
			       size_t idx, size_t nr, unsigned long hmm_pfn,
			       struct pci_p2pdma_map_state *p2pdma_state)
{
	enum hmm_dma_kind kind = hmm_dma_kind(dev, hmm_pfn_to_page(hmm_pfn),
					      p2pdma_state);
	phys_addr_t paddr = hmm_pfn_to_phys(hmm_pfn);
	size_t size = map->dma_entry_size;
	int ret;

	if (kind == HMM_DMA_UNMAPPED)
		return -EREMOTEIO;
	if (kind != HMM_DMA_P2P_BUS && dma_use_iova(&map->state)) {
		ret = dma_iova_link(dev, &map->state, paddr, idx * size,
				    nr * size, DMA_BIDIRECTIONAL,
				    hmm_dma_attrs(kind));
		if (ret)
			return ret;
	} else if (kind != HMM_DMA_P2P_BUS) {
		if (hmm_dma_map_direct(dev, map, idx, nr, paddr,
				       hmm_dma_attrs(kind)) == DMA_MAPPING_ERROR)
			return -EIO;
	}

	hmm_dma_note(map, idx, kind);
	memset(&map->mapped[idx], kind | HMM_DMA_NEW, nr);
	return 0;
}

/* Map what is not mapped of a run. */
static int hmm_dma_map_run(struct device *dev, struct hmm_dma_map *map,
			   size_t idx, const struct hmm_run *run,
			   struct pci_p2pdma_map_state *p2pdma_state)
{
	size_t n;
	int ret;

	if (!(run->hmm_pfn & HMM_PFN_VALID))
		return -EFAULT;
	for (size_t i = 0; i < run->nr_pages; i += n) {
		n = hmm_dma_stretch(map, idx + i, run->nr_pages - i);
		if (map->mapped[idx + i] != HMM_DMA_UNMAPPED)
			continue;
		/* What is undone one by one is done one by one. */
		if (map->dma_list)
			n = 1;
		ret = hmm_dma_map_stretch(dev, map, idx + i, n,
					  run->hmm_pfn + i, p2pdma_state);
		if (ret)
			return ret;
	}
	return 0;
}

/* A call has mapped what is new: keep that, or undo it. */
static void hmm_dma_settle(struct device *dev, struct hmm_dma_map *map,
			   size_t idx, size_t nr, bool keep)
{
	size_t n;

	for (; nr; nr -= n, idx += n) {
		n = hmm_dma_stretch(map, idx, nr);
		if (!(map->mapped[idx] & HMM_DMA_NEW))
			continue;
		memset(&map->mapped[idx], map->mapped[idx] & ~HMM_DMA_NEW, n);
		if (!keep)
			hmm_dma_unmap_stretch(dev, map, idx, n);
	}
}

/**
 * hmm_dma_map_range() - map all of a range for DMA
 * @dev: the device that @map was allocated for
 * @map: the map, whose entries are %PAGE_SIZE each
 * @range: what was walked: its array is @map's, or a part of it
 * @p2pdma_state: as for hmm_dma_map_pfn()
 *
 * Maps each run as a whole, and where @map has an IOVA synchronises once for all
 * of them. What is mapped already keeps its address. To get the address of a
 * run, call hmm_dma_map_pfn() for its first page afterwards; those of the others
 * follow on it. It goes with dense and sparse arrays alike, and with
 * hmm_dma_unmap_pfn() for a part of what it mapped.
 *
 * Context: As hmm_dma_map_pfn().
 *
 * Return: 0, all of the range is mapped; or, with nothing mapped that was not
 * mapped before,
 *
 * * -EFAULT: an entry is not %HMM_PFN_VALID.
 * * -EREMOTEIO: a page that the device cannot reach.
 * * -EINVAL: the entries of @map are not of %PAGE_SIZE.
 * * -ENOMEM, -EIO: the mapping failed, through the IOVA or without.
 */
int hmm_dma_map_range(struct device *dev, struct hmm_dma_map *map,
		      const struct hmm_range *range,
		      struct pci_p2pdma_map_state *p2pdma_state)
{
	size_t first = range->hmm_pfns - map->pfn_list;
	size_t nr = (range->end - range->start) >> PAGE_SHIFT;
	struct hmm_run run = {};
	int ret = 0;

	if (map->dma_entry_size != PAGE_SIZE)
		return -EINVAL;
	while (hmm_next_run(range, &run)) {
		ret = hmm_dma_map_run(dev, map, first + run.first, &run,
				      p2pdma_state);
		if (ret)
			break;
	}
	if (!ret && dma_use_iova(&map->state))
		ret = dma_iova_sync(dev, &map->state, first * PAGE_SIZE,
				    nr * PAGE_SIZE);
	hmm_dma_settle(dev, map, first, nr, !ret);
	return ret;
}
EXPORT_SYMBOL_GPL(hmm_dma_map_range);
