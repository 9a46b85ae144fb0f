// SPDX-License-Identifier: GPL-2.0
/*
 * Private memory of a device that does not exist: pages can be migrated to it
 * and come back one by one at a fault. Their content is lost.
 */
#include <linux/ioport.h>
#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/rmap.h>

#include "module.h"

#define NR_PRIVATE	(SZ_64M >> PAGE_SHIFT)
#define BATCH		512

void *bench_owner = &bench_owner;

static struct dev_pagemap pagemap;
static DEFINE_SPINLOCK(free_lock);
static struct page *free_private;

static void give(struct page *page)
{
	spin_lock(&free_lock);
	page->zone_device_data = free_private;
	free_private = page;
	spin_unlock(&free_lock);
}

static struct page *take(void)
{
	struct page *page;

	spin_lock(&free_lock);
	page = free_private;
	if (page)
		free_private = page->zone_device_data;
	spin_unlock(&free_lock);
	if (page)
		zone_device_page_init(page, &pagemap, 0);
	return page;
}

static void freed(struct folio *folio)
{
	give(&folio->page);
}

static vm_fault_t back(struct vm_fault *vmf)
{
	unsigned long src = 0, dst = 0;
	struct migrate_vma migrate = {
		.vma = vmf->vma,
		.src = &src,
		.dst = &dst,
		.start = vmf->address & PAGE_MASK,
		.end = (vmf->address & PAGE_MASK) + PAGE_SIZE,
		.pgmap_owner = bench_owner,
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
		.fault_page = vmf->page,
	};
	struct page *page;
	vm_fault_t ret = 0;

	if (migrate_vma_setup(&migrate))
		return VM_FAULT_SIGBUS;
	if (src & MIGRATE_PFN_MIGRATE) {
		page = alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_ZERO);
		if (page) {
			lock_page(page);
			dst = migrate_pfn(page_to_pfn(page)) |
				(src & MIGRATE_PFN_WRITE);
		} else {
			ret = VM_FAULT_OOM;
		}
	}
	migrate_vma_pages(&migrate);
	migrate_vma_finalize(&migrate);
	return ret;
}

static const struct dev_pagemap_ops pagemap_ops = {
	.folio_free = freed,
	.migrate_to_ram = back,
};

/* Each @step-th page of a batch that starts with @page pages before it. */
static int migrate_batch(struct migrate_vma *migrate, unsigned int step,
			 unsigned long page)
{
	unsigned long i, nr = (migrate->end - migrate->start) >> PAGE_SHIFT;
	unsigned long missing = 0;
	struct page *private;
	int ret;

	ret = migrate_vma_setup(migrate);
	if (ret)
		return ret;
	for (i = 0; i < nr; i++) {
		migrate->dst[i] = 0;
		if ((page + i) % step)
			continue;
		private = migrate->src[i] & MIGRATE_PFN_MIGRATE ? take() : NULL;
		if (private)
			migrate->dst[i] = migrate_pfn(page_to_pfn(private)) |
				(migrate->src[i] & MIGRATE_PFN_WRITE);
		else
			missing++;
	}
	migrate_vma_pages(migrate);
	for (i = 0; i < nr; i++)
		if (migrate->dst[i] && !(migrate->src[i] & MIGRATE_PFN_MIGRATE))
			missing++;
	migrate_vma_finalize(migrate);
	return missing ? -EBUSY : 0;
}

int bench_migrate(struct hmm_bench *args)
{
	unsigned long *pfns = kvcalloc(2 * BATCH, sizeof(*pfns), GFP_KERNEL);
	unsigned long addr, end = args->addr + args->size;
	int ret = 0;

	if (!pfns)
		return -ENOMEM;
	mmap_read_lock(current->mm);
	for (addr = args->addr; addr < end && !ret; addr += BATCH * PAGE_SIZE) {
		struct migrate_vma migrate = {
			.vma = vma_lookup(current->mm, addr),
			.src = pfns,
			.dst = pfns + BATCH,
			.start = addr,
			.end = min(addr + BATCH * PAGE_SIZE, end),
			.pgmap_owner = bench_owner,
			.flags = MIGRATE_VMA_SELECT_SYSTEM,
		};

		ret = migrate_batch(&migrate, args->step,
				    (addr - args->addr) >> PAGE_SHIFT);
	}
	mmap_read_unlock(current->mm);
	kvfree(pfns);
	return ret;
}

int bench_exclusive(struct hmm_bench *args)
{
	unsigned long addr, end = args->addr + args->size;
	struct folio *folio;
	struct page *page;
	int ret = 0;

	mmap_read_lock(current->mm);
	for (addr = args->addr; addr < end && !ret; addr += args->step * PAGE_SIZE) {
		page = make_device_exclusive(current->mm, addr, NULL, &folio);
		if (IS_ERR(page)) {
			ret = PTR_ERR(page);
		} else {
			folio_unlock(folio);
			folio_put(folio);
		}
	}
	mmap_read_unlock(current->mm);
	return ret;
}

int bench_device_init(void)
{
	struct resource *memory;
	void *mapped;

	memory = request_free_mem_region(&iomem_resource, NR_PRIVATE * PAGE_SIZE,
					 "hmm_bench");
	if (IS_ERR(memory))
		return PTR_ERR(memory);
	pagemap.type = MEMORY_DEVICE_PRIVATE;
	pagemap.range.start = memory->start;
	pagemap.range.end = memory->end;
	pagemap.nr_range = 1;
	pagemap.ops = &pagemap_ops;
	pagemap.owner = bench_owner;
	mapped = memremap_pages(&pagemap, numa_node_id());
	if (IS_ERR(mapped)) {
		release_mem_region(memory->start, resource_size(memory));
		return PTR_ERR(mapped);
	}
	for (unsigned long i = 0; i < NR_PRIVATE; i++)
		give(pfn_to_page((memory->start >> PAGE_SHIFT) + i));
	return 0;
}

void bench_device_exit(void)
{
	memunmap_pages(&pagemap);
	release_mem_region(pagemap.range.start, range_len(&pagemap.range));
}
