// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copyright 2013 Red Hat Inc.
 * Copyright (c) 2024 NVIDIA Corporation & Affiliates
 *
 * Authors: Jérôme Glisse <jglisse@redhat.com>
 */
/*
 * HMM: map a range for DMA, entry by entry or all of it.
 *
 * See "sticky bits" in include/linux/hmm-dma.h for how the walks and this file
 * share the pfn array, and for the lock that the driver holds.
 */
#include <linux/bitfield.h>
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/hmm-dma.h>
#include <linux/iommu.h>
#include <linux/memremap.h>
#include <linux/overflow.h>
#include <linux/pci-p2pdma.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hmm_array.h"

/* How an entry is mapped. */
enum hmm_dma_kind {
	HMM_DMA_UNMAPPED = 0,
	HMM_DMA_MEMORY,
	HMM_DMA_P2P_HOST,	/* peer to peer, through the host bridge */
	HMM_DMA_P2P_BUS,	/* peer to peer, by bus address */
};

/* What hmm_dma_map.mapped holds for an entry: the kind, ... */
#define HMM_DMA_KIND	GENMASK(1, 0)

/*
 * ... the order, in pages, of the leaf of the IOMMU's page table that maps it
 * together with others, as the pfn array does not hold a higher one than 31, ...
 */
#define HMM_DMA_ORDER	GENMASK(6, 2)

/* ... and: mapped by the hmm_dma_map_range() that runs, and may fail. */
#define HMM_DMA_NEW	BIT(7)

static const unsigned long hmm_dma_sticky[] = {
	[HMM_DMA_UNMAPPED]	= 0,
	[HMM_DMA_MEMORY]	= HMM_PFN_DMA_MAPPED,
	[HMM_DMA_P2P_HOST]	= HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA,
	[HMM_DMA_P2P_BUS]	= HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA_BUS,
};

/*
 * Show in the pfn array how an entry is mapped, without undoing what a walk
 * stores there at the same time.
 */
static void hmm_dma_show(struct hmm_dma_map *map, size_t idx,
			 enum hmm_dma_kind kind)
{
	unsigned long *entry = &map->pfn_list[idx];
	unsigned long old = READ_ONCE(*entry);
	unsigned long new;

	do {
		new = (old & ~HMM_PFN_STICKY) | hmm_dma_sticky[kind];
	} while (!try_cmpxchg(entry, &old, new));
}

static enum hmm_dma_kind hmm_dma_mapped(const struct hmm_dma_map *map,
					size_t idx)
{
	return map->mapped[idx] & HMM_DMA_KIND;
}

/*
 * A page that the CPU maps is never handed over to the device, so there is
 * nobody who could copy a bounce buffer or flush a cache at the right time.
 */
static __always_inline unsigned long hmm_dma_attrs(enum hmm_dma_kind kind)
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

/* Put the page into the map's own IOVA space, where the entry belongs. */
static __always_inline int hmm_dma_link(struct device *dev,
					struct hmm_dma_map *map, size_t offset,
					phys_addr_t paddr, unsigned long attrs)
{
	size_t size = map->dma_entry_size;
	int ret;

	ret = dma_iova_link(dev, &map->state, paddr, offset, size,
			    DMA_BIDIRECTIONAL, attrs);
	if (ret)
		return ret;
	ret = dma_iova_sync(dev, &map->state, offset, size);
	if (unlikely(ret))
		dma_iova_unlink(dev, &map->state, offset, size,
				DMA_BIDIRECTIONAL, attrs);
	return ret;
}

/* Map @nr consecutive pages by themselves; only one if there is a dma_list. */
static __always_inline dma_addr_t
hmm_dma_map_direct(struct device *dev, struct hmm_dma_map *map, size_t idx,
		   size_t nr, phys_addr_t paddr, unsigned long attrs)
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

/* The address of an entry that is mapped. */
static dma_addr_t hmm_dma_addr(struct device *dev, struct hmm_dma_map *map,
			       size_t idx, unsigned long hmm_pfn,
			       struct pci_p2pdma_map_state *p2pdma_state)
{
	enum hmm_dma_kind kind = hmm_dma_mapped(map, idx);
	phys_addr_t paddr = hmm_pfn_to_phys(hmm_pfn);

	if (kind == HMM_DMA_P2P_BUS) {
		pci_p2pdma_state(p2pdma_state, dev, hmm_pfn_to_page(hmm_pfn));
		return pci_p2pdma_bus_addr_map(p2pdma_state->mem, paddr);
	}
	if (dma_use_iova(&map->state))
		return map->state.addr + idx * map->dma_entry_size;
	if (map->dma_list)
		return map->dma_list[idx];
	/* A mapping without state: making it once more gives the same. */
	return hmm_dma_map_direct(dev, map, idx, 1, paddr, hmm_dma_attrs(kind));
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

#ifdef CONFIG_IOMMU_DMA
/* The sizes above a page of the leaves of the IOMMU's page table. */
static unsigned long hmm_dma_leaf_sizes(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain ? domain->pgsize_bitmap & -(2 * PAGE_SIZE) : 0;
}
#else
static unsigned long hmm_dma_leaf_sizes(struct device *dev)
{
	return 0;
}
#endif

/**
 * hmm_dma_map_alloc_flags() - prepare the mapping of a range for DMA
 * @dev: the device that is going to access the pages
 * @map: what is initialised; its old content is ignored
 * @nr_entries: the number of pages of the range, each of %PAGE_SIZE
 * @dma_entry_size: how much one call of hmm_dma_map_pfn() maps, in bytes
 * @flags: &enum hmm_dma_map_flags, or 0
 *
 * Allocates the pfn array, all entries 0, and where the device has an IOMMU
 * that can do so a space of IO virtual addresses for the whole range, so that
 * the address of an entry is known from its index.
 *
 * Context: May sleep.
 *
 * Return:
 * * 0: @map is to be freed by hmm_dma_map_free().
 * * -EINVAL: The range holds no entry, or is larger than the address space; or
 *   an unknown flag.
 * * -EOPNOTSUPP: The device cannot access memory coherently or not all of it:
 *   pages that the CPU uses at the same time cannot be mapped.
 * * -ENOMEM: An allocation failed.
 */
int hmm_dma_map_alloc_flags(struct device *dev, struct hmm_dma_map *map,
			    size_t nr_entries, size_t dma_entry_size,
			    unsigned int flags)
{
	size_t size;

	*map = (struct hmm_dma_map){
		.dma_entry_size = dma_entry_size,
		.nr_entries = nr_entries,
		.flags = flags,
	};

	if (!dma_entry_size || flags & ~HMM_DMA_WHOLE_LEAVES ||
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

	if (dma_iova_try_alloc(dev, &map->state, 0, size))
		map->leaf_sizes = hmm_dma_leaf_sizes(dev);
	else if (hmm_dma_alloc_list(dev, map, nr_entries))
		goto nomem;

	return 0;

nomem:
	hmm_dma_map_free(dev, map);
	return -ENOMEM;
}
EXPORT_SYMBOL_GPL(hmm_dma_map_alloc_flags);

/**
 * hmm_dma_map_alloc() - hmm_dma_map_alloc_flags() without flags
 * @dev: the device that is going to access the pages
 * @map: what is initialised; its old content is ignored
 * @nr_entries: the number of pages of the range, each of %PAGE_SIZE
 * @dma_entry_size: how much one call of hmm_dma_map_pfn() maps, in bytes
 *
 * Any entries that are mapped can be unmapped without the others.
 *
 * Context: As hmm_dma_map_alloc_flags().
 *
 * Return: 0, -EINVAL, -EOPNOTSUPP or -ENOMEM, as hmm_dma_map_alloc_flags().
 */
int hmm_dma_map_alloc(struct device *dev, struct hmm_dma_map *map,
		      size_t nr_entries, size_t dma_entry_size)
{
	return hmm_dma_map_alloc_flags(dev, map, nr_entries, dma_entry_size, 0);
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

/* Map an entry that is not mapped and that held @hmm_pfn; record that. */
static __always_inline dma_addr_t
hmm_dma_map_one(struct device *dev, struct hmm_dma_map *map, size_t idx,
		unsigned long *entry, unsigned long hmm_pfn,
		enum hmm_dma_kind kind)
{
	phys_addr_t paddr = hmm_pfn_to_phys(hmm_pfn);
	unsigned long attrs = hmm_dma_attrs(kind);
	unsigned long new;
	dma_addr_t addr;

	if (likely(dma_use_iova(&map->state))) {
		size_t offset = idx * map->dma_entry_size;

		if (hmm_dma_link(dev, map, offset, paddr, attrs))
			return DMA_MAPPING_ERROR;
		addr = map->state.addr + offset;
	} else {
		addr = hmm_dma_map_direct(dev, map, idx, 1, paddr, attrs);
		if (addr == DMA_MAPPING_ERROR)
			return DMA_MAPPING_ERROR;
	}

	map->mapped[idx] = kind;
	new = (hmm_pfn & ~HMM_PFN_STICKY) | hmm_dma_sticky[kind];
	/* No walk has changed it meanwhile, if the driver keeps them apart. */
	if (unlikely(!try_cmpxchg(entry, &hmm_pfn, new)))
		hmm_dma_show(map, idx, kind);
	return addr;
}

/* hmm_dma_map_pfn() of what is mapped already, or is memory of a device. */
static noinline dma_addr_t
hmm_dma_map_other(struct device *dev, struct hmm_dma_map *map, size_t idx,
		  unsigned long hmm_pfn,
		  struct pci_p2pdma_map_state *p2pdma_state)
{
	enum hmm_dma_kind kind = hmm_dma_mapped(map, idx);

	if (kind != HMM_DMA_UNMAPPED) {
		hmm_dma_show(map, idx, kind);
		return hmm_dma_addr(dev, map, idx, hmm_pfn, p2pdma_state);
	}

	kind = hmm_dma_kind(dev, hmm_pfn_to_page(hmm_pfn), p2pdma_state);
	if (kind == HMM_DMA_UNMAPPED)
		return DMA_MAPPING_ERROR;
	if (kind != HMM_DMA_P2P_BUS)
		return hmm_dma_map_one(dev, map, idx, &map->pfn_list[idx],
				       hmm_pfn, kind);

	map->mapped[idx] = kind;
	hmm_dma_show(map, idx, kind);
	return pci_p2pdma_bus_addr_map(p2pdma_state->mem,
				       hmm_pfn_to_phys(hmm_pfn));
}

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
 * has found that the walk which stored the entry is still valid.
 *
 * Return: the DMA address, or %DMA_MAPPING_ERROR if the entry is not
 * %HMM_PFN_VALID or holds a page that the device cannot reach, or if the
 * mapping failed; the entry is then mapped as it was before.
 */
dma_addr_t hmm_dma_map_pfn(struct device *dev, struct hmm_dma_map *map,
			   size_t idx,
			   struct pci_p2pdma_map_state *p2pdma_state)
{
	unsigned long *entry = &map->pfn_list[idx];
	unsigned long hmm_pfn = READ_ONCE(*entry);

	if (unlikely(!(hmm_pfn & HMM_PFN_VALID)))
		return DMA_MAPPING_ERROR;
	if (unlikely(map->mapped[idx] != HMM_DMA_UNMAPPED ||
		     is_zone_device_page(hmm_pfn_to_page(hmm_pfn))))
		return hmm_dma_map_other(dev, map, idx, hmm_pfn, p2pdma_state);
	return hmm_dma_map_one(dev, map, idx, entry, hmm_pfn, HMM_DMA_MEMORY);
}
EXPORT_SYMBOL_GPL(hmm_dma_map_pfn);

/* How many entries, from @idx on and @nr at most, are mapped as that one is. */
static size_t hmm_dma_nr_alike(const struct hmm_dma_map *map, size_t idx,
			       size_t nr)
{
	const u8 *mapped = &map->mapped[idx];
	const u8 *other = memchr_inv(mapped, *mapped, nr);

	return other ? other - mapped : nr;
}

/* Take the sticky bits of entries away, which few of them have. */
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
				hmm_dma_show(map, idx + i, HMM_DMA_UNMAPPED);
	}
}

/* Take the mappings of entries away that are all mapped as @kind. */
static __always_inline void hmm_dma_undo(struct device *dev,
					 struct hmm_dma_map *map, size_t idx,
					 size_t nr, enum hmm_dma_kind kind)
{
	unsigned long attrs = hmm_dma_attrs(kind);
	size_t size = map->dma_entry_size;

	if (kind == HMM_DMA_P2P_BUS)
		return;
	if (dma_use_iova(&map->state)) {
		dma_iova_unlink(dev, &map->state, idx * size, nr * size,
				DMA_BIDIRECTIONAL, attrs);
	} else if (map->dma_list) {
		for (size_t i = idx; i < idx + nr; i++)
			dma_unmap_phys(dev, map->dma_list[i], size,
				       DMA_BIDIRECTIONAL, attrs);
	}
}

static void hmm_dma_unmap_alike(struct device *dev, struct hmm_dma_map *map,
				size_t idx, size_t nr)
{
	hmm_dma_undo(dev, map, idx, nr, hmm_dma_mapped(map, idx));
	memset(&map->mapped[idx], HMM_DMA_UNMAPPED, nr);
	hmm_dma_clear_bits(map, idx, nr);
}

/* How far the entry lies from the start of the leaf that maps it. */
static size_t hmm_dma_leaf_offset(const struct hmm_dma_map *map, size_t idx,
				  size_t leaf_pages)
{
	return ((map->state.addr >> PAGE_SHIFT) + idx) & (leaf_pages - 1);
}

static size_t hmm_dma_leaf_pages(const struct hmm_dma_map *map, size_t idx)
{
	return (size_t)1 << FIELD_GET(HMM_DMA_ORDER, map->mapped[idx]);
}

/**
 * hmm_dma_widen() - what is unmapped together with some entries
 * @map: as for hmm_dma_unmap_range()
 * @first: the first entry, in &hmm_dma_map.pfn_list; set to the first that
 *	hmm_dma_unmap_range() is going to unmap
 * @nr_entries: how many; set likewise
 *
 * Changes nothing in a map without %HMM_DMA_WHOLE_LEAVES. With it, the invalidate
 * callback calls this for what is hit, then removes the entries of the device
 * for all of the result, and then unmaps it::
 *
 *	hmm_dma_widen(map, &first, &nr);
 *	device_unmap_pages(mirror, first, nr);
 *	hmm_dma_unmap_range(dev, map, first, nr);
 *
 * What was not hit stays valid: the next hmm_dma_map_range() maps it again.
 *
 * Context: Any. The driver's lock is held from here to hmm_dma_unmap_range().
 */
void hmm_dma_widen(const struct hmm_dma_map *map, size_t *first,
		   size_t *nr_entries)
{
	size_t last = *first + *nr_entries - 1;
	size_t pages;

	if (!map->mapped || !(map->flags & HMM_DMA_WHOLE_LEAVES) || !*nr_entries)
		return;

	pages = hmm_dma_leaf_pages(map, last);
	last += pages - 1 - hmm_dma_leaf_offset(map, last, pages);
	pages = hmm_dma_leaf_pages(map, *first);
	*first -= hmm_dma_leaf_offset(map, *first, pages);
	*nr_entries = last - *first + 1;
}
EXPORT_SYMBOL_GPL(hmm_dma_widen);

/**
 * hmm_dma_unmap_range() - undo hmm_dma_map_range() and hmm_dma_map_pfn()
 * @dev: the device that @map was allocated for
 * @map: the map; or one whose &hmm_dma_map.pfn_list the driver has allocated by
 *	itself, since its device does no DMA
 * @first: the first entry, in &hmm_dma_map.pfn_list
 * @nr_entries: how many
 *
 * Unmaps those that are mapped, however they were, and clears the sticky bits.
 * What a walk found stays. Every other entry stays mapped at its address all the
 * time, but for those that hmm_dma_widen() names if the map is one with
 * %HMM_DMA_WHOLE_LEAVES.
 *
 * On return the device cannot reach the pages any more. Where @map has neither
 * an IOVA nor an IOMMU that is strict, this is as sure as dma_unmap_phys() is:
 * the IOMMU may forget the pages a little later.
 *
 * Context: Does not sleep, does not allocate. The driver's lock is held.
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
	hmm_dma_widen(map, &first, &nr_entries);
	for (; nr_entries; nr_entries -= n, first += n) {
		n = hmm_dma_nr_alike(map, first, nr_entries);
		if (map->mapped[first] == HMM_DMA_UNMAPPED)
			continue;
		hmm_dma_unmap_alike(dev, map, first, n);
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
	if (unlikely(!map->mapped))
		return false;
	/* Another kind, or all of a leaf. */
	if (unlikely(map->mapped[idx] != HMM_DMA_MEMORY))
		return hmm_dma_unmap_range(dev, map, idx, 1);

	hmm_dma_undo(dev, map, idx, 1, HMM_DMA_MEMORY);
	map->mapped[idx] = HMM_DMA_UNMAPPED;
	hmm_dma_show(map, idx, HMM_DMA_UNMAPPED);
	return true;
}
EXPORT_SYMBOL_GPL(hmm_dma_unmap_pfn);

/*
 * How the IOMMU's page table maps an IOVA that is linked. It takes the largest
 * leaf that the addresses, virtual and physical, and the size of the link allow
 * for, and it cannot split one later: who unmaps a page of a leaf either fails or
 * takes all of it away.
 */

/* The order of the largest leaf from @iova on; 0: no larger one than a page. */
static unsigned int hmm_dma_leaf_order(const struct hmm_dma_map *map, u64 iova,
				       u64 paddr, size_t nr)
{
	unsigned long sizes = map->leaf_sizes;
	u64 addrs = iova | paddr;

	sizes &= GENMASK(__fls(nr << PAGE_SHIFT), 0);
	/* The lowest bit that is set, and those below it. */
	sizes &= addrs ^ (addrs - 1);
	return sizes ? __fls(sizes) - PAGE_SHIFT : 0;
}

/*
 * How many pages from @iova on a link may have so that each gets a leaf of its
 * own. If virtual and physical address are alike below the smallest size of a
 * leaf, one can start wherever they are aligned to it. Larger ones contain such
 * places too. So a link ends a page behind each of them, and holds none wholly:
 *
 *	leaves	|-------------------|-------------------|-------
 *	links	|-|-------------------|-------------------|-----
 *
 * With %HMM_DMA_WHOLE_LEAVES it ends where the first leaf starts.
 */
static size_t hmm_dma_nr_single(const struct hmm_dma_map *map, u64 iova,
				u64 paddr, size_t nr)
{
	u64 size, left;

	if (!map->leaf_sizes)
		return nr;
	size = BIT(__ffs(map->leaf_sizes));
	if ((iova ^ paddr) & (size - 1))
		return nr;

	left = -iova & (size - 1);
	if (!(map->flags & HMM_DMA_WHOLE_LEAVES))
		left += PAGE_SIZE;
	else if (!left)
		return nr;
	return min_t(u64, left >> PAGE_SHIFT, nr);
}

/*
 * How many of @nr consecutive pages one call maps, so that they can be unmapped
 * as @map promises. Adds the order to @how if that is only all of them at once.
 */
static size_t hmm_dma_nr_at_once(struct hmm_dma_map *map, size_t idx,
				 size_t nr, phys_addr_t paddr, u8 *how)
{
	dma_addr_t iova = map->state.addr + idx * PAGE_SIZE;
	unsigned int order = 0;

	if ((*how & HMM_DMA_KIND) == HMM_DMA_P2P_BUS)
		return nr;
	if (!dma_use_iova(&map->state))
		return map->dma_list ? 1 : nr;

	if (map->flags & HMM_DMA_WHOLE_LEAVES)
		order = hmm_dma_leaf_order(map, iova, paddr, nr);
	if (!order)
		return hmm_dma_nr_single(map, iova, paddr, nr);
	*how |= FIELD_PREP(HMM_DMA_ORDER, order);
	return (size_t)1 << order;
}

static int hmm_dma_map_once(struct device *dev, struct hmm_dma_map *map,
			    size_t idx, size_t nr, phys_addr_t paddr,
			    enum hmm_dma_kind kind)
{
	unsigned long attrs = hmm_dma_attrs(kind);

	if (kind == HMM_DMA_P2P_BUS)
		return 0;
	if (dma_use_iova(&map->state))
		return dma_iova_link(dev, &map->state, paddr, idx * PAGE_SIZE,
				     nr * PAGE_SIZE, DMA_BIDIRECTIONAL, attrs);
	if (hmm_dma_map_direct(dev, map, idx, nr, paddr, attrs) ==
	    DMA_MAPPING_ERROR)
		return -EIO;
	return 0;
}

/* Map unmapped entries, whose pages follow on that of @hmm_pfn. */
static int hmm_dma_map_new(struct device *dev, struct hmm_dma_map *map,
			   size_t idx, size_t nr, unsigned long hmm_pfn,
			   struct pci_p2pdma_map_state *p2pdma_state)
{
	enum hmm_dma_kind kind = hmm_dma_kind(dev, hmm_pfn_to_page(hmm_pfn),
					      p2pdma_state);
	phys_addr_t paddr = hmm_pfn_to_phys(hmm_pfn);
	size_t done, n;

	if (kind == HMM_DMA_UNMAPPED)
		return -EREMOTEIO;
	for (done = 0; done < nr; done += n, paddr += n * PAGE_SIZE) {
		u8 how = kind | HMM_DMA_NEW;
		int ret;

		n = hmm_dma_nr_at_once(map, idx + done, nr - done, paddr, &how);
		ret = hmm_dma_map_once(dev, map, idx + done, n, paddr, kind);
		if (ret)
			return ret;
		memset(&map->mapped[idx + done], how, n);
	}
	hmm_dma_show(map, idx, kind);
	return 0;
}

/* Map what is not mapped of the pages that one entry of the array stands for. */
static int hmm_dma_map_run(struct device *dev, struct hmm_dma_map *map,
			   size_t idx, const struct hmm_run *run,
			   struct pci_p2pdma_map_state *p2pdma_state)
{
	size_t n;
	int ret;

	if (!(run->hmm_pfn & HMM_PFN_VALID))
		return -EFAULT;
	for (size_t i = 0; i < run->nr_pages; i += n) {
		n = hmm_dma_nr_alike(map, idx + i, run->nr_pages - i);
		if (map->mapped[idx + i] != HMM_DMA_UNMAPPED)
			continue;
		ret = hmm_dma_map_new(dev, map, idx + i, n, run->hmm_pfn + i,
				      p2pdma_state);
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
		n = hmm_dma_nr_alike(map, idx, nr);
		if (!(map->mapped[idx] & HMM_DMA_NEW))
			continue;
		memset(&map->mapped[idx], map->mapped[idx] & ~HMM_DMA_NEW, n);
		if (!keep)
			hmm_dma_unmap_alike(dev, map, idx, n);
	}
}

/*
 * Where the window of @range lies in the map, entry by entry.
 * Return: false if it is not the map's, or reaches beyond.
 */
static bool hmm_dma_window(const struct hmm_dma_map *map,
			   const struct hmm_range *range, size_t *first,
			   size_t *nr)
{
	uintptr_t offset = (uintptr_t)range->hmm_pfns - (uintptr_t)map->pfn_list;

	*first = offset / sizeof(*map->pfn_list);
	*nr = (range->end - range->start) >> PAGE_SHIFT;
	return map->dma_entry_size == PAGE_SIZE &&
	       IS_ALIGNED(offset, sizeof(*map->pfn_list)) &&
	       *first < map->nr_entries && *nr <= map->nr_entries - *first;
}

/**
 * hmm_dma_map_range() - map all of a range for DMA
 * @dev: the device that @map was allocated for
 * @map: the map, whose entries are %PAGE_SIZE each
 * @range: what was walked: its array is @map's, or begins within it
 * @p2pdma_state: as for hmm_dma_map_pfn()
 *
 * Maps the pages of a leaf by few calls, and where @map has an IOVA synchronises
 * once for all. What is mapped already keeps its address. To get the addresses,
 * call hmm_dma_next_segment() afterwards. It goes with dense and sparse arrays
 * alike.
 *
 * Any entries of what it maps can be unmapped without the others, unless the map
 * is one with %HMM_DMA_WHOLE_LEAVES, see hmm_dma_widen().
 *
 * Context: As hmm_dma_map_pfn().
 *
 * Return: 0, all of the range is mapped; or, with nothing mapped that was not
 * mapped before,
 *
 * * -EFAULT: an entry is not %HMM_PFN_VALID.
 * * -EREMOTEIO: a page that the device cannot reach.
 * * -EINVAL: the entries of @map are not of %PAGE_SIZE, or the array of @range
 *   is not @map's, or reaches beyond its end.
 * * -ENOMEM, -EIO: the mapping failed, through the IOVA or without.
 */
int hmm_dma_map_range(struct device *dev, struct hmm_dma_map *map,
		      const struct hmm_range *range,
		      struct pci_p2pdma_map_state *p2pdma_state)
{
	struct hmm_run run = {};
	size_t first, nr;
	int ret = 0;

	if (!hmm_dma_window(map, range, &first, &nr))
		return -EINVAL;
	while (hmm_next_run(range, &run)) {
		ret = hmm_dma_map_run(dev, map, first + run.first, &run,
				      p2pdma_state);
		if (ret)
			break;
	}
	if (!ret && nr && dma_use_iova(&map->state))
		ret = dma_iova_sync(dev, &map->state, first * PAGE_SIZE,
				    nr * PAGE_SIZE);
	hmm_dma_settle(dev, map, first, nr, !ret);
	return ret;
}
EXPORT_SYMBOL_GPL(hmm_dma_map_range);

/* How many of the entries that are mapped alike have consecutive addresses. */
static size_t hmm_dma_nr_consecutive(const struct hmm_dma_map *map, size_t idx,
				     size_t nr)
{
	size_t n = 1;

	if (!map->dma_list || hmm_dma_mapped(map, idx) == HMM_DMA_P2P_BUS)
		return nr;
	while (n < nr &&
	       map->dma_list[idx + n] == map->dma_list[idx] + n * PAGE_SIZE)
		n++;
	return n;
}

/*
 * Step to the next entries that are mapped, by consecutive addresses, and that
 * one entry of the array stands for. @first is where the array starts in @map.
 */
static bool hmm_dma_next_mapped(const struct hmm_dma_map *map,
				const struct hmm_range *range, size_t first,
				struct hmm_dma_segment *segment)
{
	size_t idx = max(segment->first + segment->nr_pages, first);
	struct hmm_run *run = &segment->run;
	size_t left, n;

	for (;; idx += n) {
		left = first + run->first + run->nr_pages - idx;
		if (!left) {
			if (!hmm_next_run(range, run))
				return false;
			left = run->nr_pages;
		}
		n = hmm_dma_nr_alike(map, idx, left);
		if (hmm_dma_mapped(map, idx) != HMM_DMA_UNMAPPED &&
		    run->hmm_pfn & HMM_PFN_VALID)
			break;
	}
	segment->first = idx;
	segment->nr_pages = hmm_dma_nr_consecutive(map, idx, n);
	segment->hmm_pfn = (run->hmm_pfn & ~HMM_PFN_STICKY) +
			   (idx - first - run->first);
	return true;
}

/* Is @next the same segment still? */
static bool hmm_dma_follows(const struct hmm_dma_map *map,
			    const struct hmm_dma_segment *segment,
			    const struct hmm_dma_segment *next)
{
	return next->first == segment->first + segment->nr_pages &&
	       next->addr == segment->addr + segment->nr_pages * PAGE_SIZE &&
	       !((next->hmm_pfn ^ segment->hmm_pfn) & HMM_PFN_WRITE) &&
	       hmm_dma_mapped(map, next->first) ==
	       hmm_dma_mapped(map, segment->first);
}

/**
 * hmm_dma_next_segment() - step to the next segment of what is mapped
 * @dev: the device that @map was allocated for
 * @map: the map, whose entries are %PAGE_SIZE each
 * @range: as for hmm_dma_map_range()
 * @p2pdma_state: as for hmm_dma_map_pfn()
 * @segment: the segment before; zeroed to begin
 *
 * Goes through the entries of the range that are %HMM_PFN_VALID and mapped,
 * however they are, and leaves out the others::
 *
 *	struct hmm_dma_segment segment = {};
 *
 *	while (hmm_dma_next_segment(dev, map, range, &p2pdma_state, &segment))
 *		device_map_pages(mirror, segment.first, segment.nr_pages,
 *				 segment.addr, segment.hmm_pfn & HMM_PFN_WRITE);
 *
 * It goes with dense and sparse arrays alike. A segment is as long as it can be,
 * longer than a leaf where the next ones follow on it.
 *
 * Context: As hmm_dma_map_pfn().
 *
 * Return: true, and @segment is the next one; false if there is none, or if
 * hmm_dma_map_range() of @range is -EINVAL.
 */
bool hmm_dma_next_segment(struct device *dev, struct hmm_dma_map *map,
			  const struct hmm_range *range,
			  struct pci_p2pdma_map_state *p2pdma_state,
			  struct hmm_dma_segment *segment)
{
	struct hmm_dma_segment next;
	size_t first, nr;

	if (!hmm_dma_window(map, range, &first, &nr) ||
	    !hmm_dma_next_mapped(map, range, first, segment))
		return false;
	segment->addr = hmm_dma_addr(dev, map, segment->first, segment->hmm_pfn,
				     p2pdma_state);

	for (;;) {
		next = *segment;
		if (!hmm_dma_next_mapped(map, range, first, &next))
			return true;
		next.addr = hmm_dma_addr(dev, map, next.first, next.hmm_pfn,
					 p2pdma_state);
		if (!hmm_dma_follows(map, segment, &next))
			return true;
		segment->nr_pages += next.nr_pages;
		segment->run = next.run;
	}
}
EXPORT_SYMBOL_GPL(hmm_dma_next_segment);
