// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ground that the tests of HMM's page table walkers stand on: an address
 * space with one mapping, faults that are recorded, device memory, and a range
 * of either kind over a part of the mapping.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ioport.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "hmm_walk_kunit.h"

/* The address space, the mapping and its faults */

static void walk_record_fault(struct walk_env *env, struct vm_fault *vmf)
{
	unsigned int n = env->nr_faults + env->nr_huge_faults;

	if (n < WALK_MAX_FAULTS) {
		env->fault_addr[n] = vmf->address;
		env->fault_write[n] = vmf->flags & FAULT_FLAG_WRITE;
	}
	env->fault_flags |= vmf->flags;
}

/* What a fault does that has nothing else to do. */
vm_fault_t walk_fault_fresh_page(struct vm_fault *vmf)
{
	struct page *page = alloc_page(GFP_HIGHUSER | __GFP_ZERO);
	vm_fault_t ret;

	if (!page)
		return VM_FAULT_OOM;
	ret = vmf_insert_page_mkwrite(vmf, page,
				      vmf->flags & FAULT_FLAG_WRITE);
	put_page(page);
	return ret;
}

/* What has been recorded until now is not what is to be tested. */
void walk_forget_faults(struct walk_env *env)
{
	env->nr_faults = 0;
	env->nr_huge_faults = 0;
	env->nr_migrations = 0;
	env->fault_flags = 0;
}

static vm_fault_t walk_vm_fault(struct vm_fault *vmf)
{
	struct walk_env *env = vmf->vma->vm_private_data;

	walk_record_fault(env, vmf);
	env->nr_faults++;
	if (env->fault)
		return env->fault(env, vmf);
	return walk_fault_fresh_page(vmf);
}

static vm_fault_t walk_vm_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct walk_env *env = vmf->vma->vm_private_data;

	if (!env->huge_fault || order != env->huge_order)
		return VM_FAULT_FALLBACK;
	walk_record_fault(env, vmf);
	env->nr_huge_faults++;
	return env->huge_fault(env, vmf);
}

static const struct vm_operations_struct walk_vm_ops = {
	.fault		= walk_vm_fault,
	.huge_fault	= walk_vm_huge_fault,
};

static int walk_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct walk_env *env = file->private_data;

	vma->vm_ops = &walk_vm_ops;
	vma->vm_private_data = env;
	/* VM_HUGEPAGE: leaves also where THP is for those that ask. */
	vm_flags_set(vma, env->vm_flags | VM_HUGEPAGE);
	return 0;
}

static const struct file_operations walk_fops = {
	.mmap	= walk_file_mmap,
};

/**
 * walk_env_create() - an address space for one test
 * @test: the test; the thread that runs it takes on the address space
 *
 * Return: the environment; without one the test is aborted.
 */
struct walk_env *walk_env_create(struct kunit *test)
{
	struct walk_env *env = kunit_kzalloc(test, sizeof(*env), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, env);
	KUNIT_ASSERT_EQ(test, kunit_attach_mm(), 0);
	env->test = test;
	env->mm = current->mm;
	env->addr = WALK_BASE;
	return env;
}

/**
 * walk_env_destroy() - undo what was installed, and unmap everything
 * @env: the environment
 *
 * The address space itself goes with the thread.
 */
void walk_env_destroy(struct walk_env *env)
{
	if (env->undo)
		env->undo(env);
	env->undo = NULL;
	if (env->len)
		vm_munmap(WALK_BASE, env->len);
	env->len = 0;
	env->vma = NULL;
}

int walk_map_file(struct walk_env *env, struct file *file, unsigned long len,
		  unsigned long prot, unsigned long flags)
{
	unsigned long addr;

	addr = vm_mmap(file, WALK_BASE, len, prot,
		       flags | MAP_FIXED | MAP_NORESERVE, 0);
	if (IS_ERR_VALUE(addr))
		return addr;
	env->len = len;
	mmap_read_lock(env->mm);
	env->vma = vma_lookup(env->mm, addr);
	mmap_read_unlock(env->mm);
	return 0;
}

int walk_map_anon(struct walk_env *env, unsigned long len, unsigned long prot)
{
	return walk_map_file(env, NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS);
}

/* A mapping of a file of the test's own, whose faults are recorded. */
int walk_map_own(struct walk_env *env, unsigned long len, unsigned long flags)
{
	struct file *file;
	int err;

	file = anon_inode_create_getfile("[hmm_walk]", &walk_fops, env, O_RDWR,
					 NULL);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (env->dax)
		file_inode(file)->i_flags |= S_DAX;
	err = walk_map_file(env, file, len, PROT_READ | PROT_WRITE, flags);
	fput(file);
	return err;
}

void walk_vm_flags(struct walk_env *env, vm_flags_t set, vm_flags_t clear)
{
	mmap_write_lock(env->mm);
	vm_flags_mod(env->vma, set, clear);
	mmap_write_unlock(env->mm);
}

/* Access @addr as the process would, with the faults that this takes. */
int walk_touch(unsigned long addr, bool write)
{
	u8 __user *p = (u8 __user *)addr;
	u8 byte = 0x5a;

	return write ? put_user(byte, p) : get_user(byte, p);
}

static unsigned long walk_leaf_entry(unsigned long pfn, bool write,
				     unsigned long order)
{
	return pfn | HMM_PFN_VALID | (write ? HMM_PFN_WRITE : 0) |
	       order << HMM_PFN_ORDER_SHIFT;
}

/* What a walk is to report of @addr; 0 if there is no present leaf. */
unsigned long walk_mapped(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d = p4d_offset(pgd, addr);
	unsigned long entry = 0;
	pud_t *pud;
	pmd_t *pmd;
	pte_t *ptep, pte;

	if (pgd_none(*pgd) || p4d_none(*p4d))
		return 0;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud) || !pud_present(*pud))
		return 0;
	if (pud_leaf(*pud))
		return walk_leaf_entry(pud_pfn(*pud) +
				       ((addr & ~PUD_MASK) >> PAGE_SHIFT),
				       pud_write(*pud), PUD_ORDER);
	pmd = pmd_offset(pud, addr);
	if (pmd_none(*pmd) || !pmd_present(*pmd))
		return 0;
	/* pte_offset_map() would clear a bad one. */
	if (!pmd_leaf(*pmd) && pmd_bad(*pmd))
		return 0;
	if (pmd_leaf(*pmd))
		return walk_leaf_entry(pmd_pfn(*pmd) +
				       ((addr & ~PMD_MASK) >> PAGE_SHIFT),
				       pmd_write(*pmd), PMD_ORDER);
	ptep = pte_offset_map(pmd, addr);
	if (!ptep)
		return 0;
	pte = ptep_get(ptep);
	if (pte_present(pte))
		entry = walk_leaf_entry(pte_pfn(pte), pte_write(pte), 0);
	pte_unmap(ptep);
	return entry;
}

/* The pfn that the leaf of @addr maps; false if there is no present leaf. */
bool walk_leaf(struct mm_struct *mm, unsigned long addr, unsigned long *pfn)
{
	unsigned long entry = walk_mapped(mm, addr);

	if (entry)
		*pfn = entry & ~HMM_PFN_FLAGS;
	return entry;
}

/* An invalidation that starts and ends, of nothing in particular. */
void walk_invalidate(struct mm_struct *mm, unsigned long start,
		     unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}

/* Device memory */

struct walk_mem {
	struct dev_pagemap	pgmap;
	struct resource		*res;
	unsigned long		size;
	unsigned long		pfn;
	bool			mapped;
};

static struct walk_mem walk_mems[WALK_MEM_KINDS];

void *walk_mem_owner(void)
{
	return walk_mems;
}

/* Who owns WALK_MEM_OTHER. */
void *walk_mem_other_owner(void)
{
	return &walk_mems[WALK_MEM_OTHER];
}

#ifdef CONFIG_ZONE_DEVICE
static void walk_folio_free(struct folio *folio)
{
}

/* Take the page back: what was mapped before the device had it, returns. */
static vm_fault_t walk_migrate_to_ram(struct vm_fault *vmf)
{
	struct walk_env *env = vmf->page->zone_device_data;
	unsigned long size = env->nr_ptes ? PAGE_SIZE : PMD_SIZE;
	unsigned long addr = ALIGN_DOWN(vmf->address, size);
	struct mmu_notifier_range range;

	mmap_assert_locked(env->mm);
	env->nr_migrations++;
	env->fault_flags |= vmf->flags;
	if (env->gives)
		walk_mem_pgmap(WALK_MEM_PRIVATE)->owner = env->gives;
	if (env->stays)
		return 0;
	mmu_notifier_range_init_owner(&range, MMU_NOTIFY_MIGRATE, 0, env->mm,
				      addr, addr + size, walk_mem_owner());
	mmu_notifier_invalidate_range_start(&range);
	walk_put_back(env, addr);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static const struct dev_pagemap_ops walk_pgmap_ops = {
	.folio_free	= walk_folio_free,
	.migrate_to_ram	= walk_migrate_to_ram,
};

static const enum memory_type walk_mem_types[WALK_MEM_KINDS] = {
	[WALK_MEM_PRIVATE]	= MEMORY_DEVICE_PRIVATE,
	[WALK_MEM_OTHER]	= MEMORY_DEVICE_PRIVATE,
	[WALK_MEM_COHERENT]	= MEMORY_DEVICE_COHERENT,
	[WALK_MEM_DAX_PTE]	= MEMORY_DEVICE_GENERIC,
	[WALK_MEM_DAX_PMD]	= MEMORY_DEVICE_GENERIC,
	[WALK_MEM_DAX_PUD]	= MEMORY_DEVICE_GENERIC,
};

static unsigned int walk_mem_order(enum walk_mem_kind kind)
{
	switch (kind) {
	case WALK_MEM_DAX_PMD:
		return PMD_ORDER;
	case WALK_MEM_DAX_PUD:
		return PUD_ORDER;
	default:
		return 0;
	}
}

static int walk_mem_map(struct walk_mem *mem, enum walk_mem_kind kind,
			unsigned long size)
{
	void *addr;

	mem->pgmap.type = walk_mem_types[kind];
	mem->pgmap.vmemmap_shift = walk_mem_order(kind);
	mem->pgmap.ops = &walk_pgmap_ops;
	mem->pgmap.owner = kind == WALK_MEM_OTHER ? walk_mem_other_owner() :
						    walk_mem_owner();
	mem->pgmap.nr_range = 1;
	mem->pgmap.range.start = PFN_PHYS(mem->pfn);
	mem->pgmap.range.end = PFN_PHYS(mem->pfn) + size - 1;
	addr = memremap_pages(&mem->pgmap, numa_node_id());
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	mem->mapped = true;
	return 0;
}

static void walk_mem_unmap(struct walk_mem *mem)
{
	if (mem->mapped)
		memunmap_pages(&mem->pgmap);
}
#else
static int walk_mem_map(struct walk_mem *mem, enum walk_mem_kind kind,
			unsigned long size)
{
	return -EOPNOTSUPP;
}

static void walk_mem_unmap(struct walk_mem *mem) { }
#endif /* CONFIG_ZONE_DEVICE */

/* Is this a kind for leaves of the size of a PUD, where there are such? */
static bool walk_mem_is_pud(enum walk_mem_kind kind)
{
	return IS_ENABLED(CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD) &&
	       (kind == WALK_MEM_DAX_PUD || kind == WALK_MEM_BARE);
}

/*
 * Physical addresses that nothing answers at. They are mapped, and have struct
 * pages, but are never accessed. Two PMDs at least, which are 1 GiB with pages
 * of 64 KiB. For whole PUDs twice as much is taken, as addresses come aligned
 * to sections only, and for private memory, to have that of another owner next
 * to it.
 */
static int walk_mem_create(struct walk_mem *mem, enum walk_mem_kind kind)
{
	unsigned long size = max(SZ_128M, 2 * PMD_SIZE);
	bool pud = walk_mem_is_pud(kind);

	if (!IS_ENABLED(CONFIG_GET_FREE_REGION))
		return -EOPNOTSUPP;
	if (kind == WALK_MEM_OTHER) {
		mem->pfn = walk_mem_get(WALK_MEM_PRIVATE);
		if (!mem->pfn)
			return -EOPNOTSUPP;
		mem->pfn += PHYS_PFN(size);
		return walk_mem_map(mem, kind, size);
	}
	if (pud)
		size = PUD_SIZE;
	mem->size = pud || kind == WALK_MEM_PRIVATE ? 2 * size : size;
	mem->res = request_free_mem_region(&iomem_resource, mem->size,
					   "hmm_walk_kunit");
	if (IS_ERR(mem->res)) {
		int err = PTR_ERR(mem->res);

		mem->res = NULL;
		return err;
	}
	mem->pfn = PHYS_PFN(ALIGN(mem->res->start, pud ? PUD_SIZE : PMD_SIZE));
	return kind == WALK_MEM_BARE ? 0 : walk_mem_map(mem, kind, size);
}

static void walk_mem_put(struct walk_mem *mem)
{
	walk_mem_unmap(mem);
	if (mem->res)
		release_mem_region(mem->res->start, mem->size);
	memset(mem, 0, sizeof(*mem));
}

/**
 * walk_mem_get() - memory of a device, created when first asked for
 * @kind: which
 *
 * Return: its first pfn, aligned to a PMD at least; 0 if it cannot be had.
 */
unsigned long walk_mem_get(enum walk_mem_kind kind)
{
	struct walk_mem *mem = &walk_mems[kind];

	if (!mem->pfn && walk_mem_create(mem, kind))
		walk_mem_put(mem);
	return mem->pfn;
}

void walk_mem_put_all(void)
{
	int i;

	/* WALK_MEM_OTHER before what it lies in. */
	for (i = WALK_MEM_KINDS - 1; i >= 0; i--)
		walk_mem_put(&walk_mems[i]);
}

struct dev_pagemap *walk_mem_pgmap(enum walk_mem_kind kind)
{
	return &walk_mems[kind].pgmap;
}

/* Ranges */

static bool walk_notifier_invalidate(struct mmu_interval_notifier *notifier,
				     const struct mmu_notifier_range *range,
				     unsigned long cur_seq)
{
	/* The test's thread is the only one, so there is no driver's lock. */
	mmu_interval_set_seq(notifier, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops walk_notifier_ops = {
	.invalidate	= walk_notifier_invalidate,
};

#if WALK_HAVE_TRACKED
static int walk_range_register(struct walk_env *env, struct hmm_range *range)
{
	range->ignore_events = 0;
	range->flags = env->sparse ? HMM_RANGE_SPARSE : 0;
	return hmm_range_register(range, env->mm, env->addr,
				  env->addr + env->npages * PAGE_SIZE);
}

static void walk_range_unregister(struct hmm_range *range)
{
	hmm_range_unregister(range);
}

static bool walk_range_wait(struct hmm_range *range)
{
	return hmm_range_wait_until_valid(range, HMM_RANGE_DEFAULT_TIMEOUT);
}

static bool walk_range_tracked_valid(struct hmm_range *range)
{
	return hmm_range_valid(range);
}

static int walk_range_snapshot(struct hmm_range *range)
{
	return hmm_range_snapshot(range);
}

static int walk_range_fault_locked(struct hmm_range *range, int *locked)
{
	return hmm_range_fault_locked(range, locked);
}
#else
static int walk_range_register(struct walk_env *env, struct hmm_range *range)
{
	return -EOPNOTSUPP;
}

static void walk_range_unregister(struct hmm_range *range) { }

static bool walk_range_wait(struct hmm_range *range)
{
	return false;
}

static bool walk_range_tracked_valid(struct hmm_range *range)
{
	return false;
}

static int walk_range_snapshot(struct hmm_range *range)
{
	return -EOPNOTSUPP;
}

static int walk_range_fault_locked(struct hmm_range *range, int *locked)
{
	return -EOPNOTSUPP;
}
#endif /* WALK_HAVE_TRACKED */

/* Parameters of a test that is run on a range with a notifier, and a tracked one. */
const void *walk_tracked_params(struct kunit *test, const void *prev,
				char *desc)
{
	static const char * const name[] = { "legacy", "tracked" };
	unsigned long n = (unsigned long)prev;

	if (n >= (WALK_HAVE_TRACKED ? 2 : 1))
		return NULL;
	strscpy(desc, name[n], KUNIT_PARAM_DESC_SIZE);
	return (void *)(n + 1);
}

/**
 * walk_range_add() - a range over the walked part of an environment
 * @env: the environment
 * @wr: the range
 * @tracked: register it; false: give it an interval notifier
 * @pfns: the array that the range gets
 *
 * What a driver need not set holds garbage. It asks for a fault nowhere.
 *
 * Return: 0 or an errno.
 */
int walk_range_add(struct walk_env *env, struct walk_range *wr, bool tracked,
		   unsigned long *pfns)
{
	struct hmm_range *range = &wr->range;
	unsigned long len = env->npages * PAGE_SIZE;
	int err;

	memset(range, 0xa5, sizeof(*range));
	wr->tracked = tracked;
	range->dev_private_owner = env->owner;
	if (tracked) {
		err = walk_range_register(env, range);
	} else {
		err = mmu_interval_notifier_insert(&wr->notifier, env->mm,
						   env->addr, len,
						   &walk_notifier_ops);
		range->notifier = &wr->notifier;
	}
	range->start = env->addr;
	range->end = env->addr + len;
	range->hmm_pfns = pfns;
	range->default_flags = 0;
	range->pfn_flags_mask = 0;
	return err;
}

void walk_range_del(struct walk_range *wr)
{
	if (wr->tracked)
		walk_range_unregister(&wr->range);
	else
		mmu_interval_notifier_remove(&wr->notifier);
}

/* What comes before each walk: wait until one can succeed. */
void walk_range_begin(struct walk_range *wr)
{
	if (wr->tracked)
		walk_range_wait(&wr->range);
	else
		wr->range.notifier_seq = mmu_interval_read_begin(&wr->notifier);
}

/* Walk with the mmap lock held; a legacy range takes its mode from its flags. */
int walk_range_walk(struct walk_range *wr, bool fault)
{
	if (wr->tracked && !fault)
		return walk_range_snapshot(&wr->range);
	return hmm_range_fault(&wr->range);
}

/**
 * walk_range_call() - walk, and take the mmap lock for it if that is to be held
 * @wr: the range
 * @call: how
 * @fault: false for a snapshot, for which @call is WALK_KEEP
 *
 * Return: what the walk does.
 */
int walk_range_call(struct walk_range *wr, enum walk_call call, bool fault)
{
	struct mm_struct *mm = current->mm;
	int ret, locked = 1;

	if (call == WALK_UNLOCKED)
		return hmm_range_fault_unlocked_timeout(&wr->range, 0);
	mmap_read_lock(mm);
	if (call == WALK_LOCKED)
		ret = walk_range_fault_locked(&wr->range, &locked);
	else
		ret = walk_range_walk(wr, fault);
	if (locked)
		mmap_read_unlock(mm);
	return ret;
}

bool walk_range_valid(struct walk_range *wr)
{
	if (wr->tracked)
		return walk_range_tracked_valid(&wr->range);
	return !mmu_interval_read_retry(&wr->notifier, wr->range.notifier_seq);
}
