// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How the kinds of page table entries that are not anonymous memory come about
 * for the tests of HMM's page table walkers: device memory, DAX, special
 * entries of drivers, and hugetlb. hmm_walk_entries.c has the rest.
 */
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/leafops.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/swap.h>

#include "../internal.h"
#include "hmm_walk_kunit.h"

/* Device private and coherent memory: takes the place of anonymous pages */

static unsigned long walk_entry_pfn(struct walk_env *env, unsigned int i)
{
	return env->pfn + ((env->addr - WALK_BASE) >> PAGE_SHIFT) + i;
}

static int walk_take_memory(struct walk_env *env, enum walk_mem_kind kind)
{
	env->pfn = walk_mem_get(kind);
	if (!env->pfn)
		return walk_cannot(env, "no such device memory");
	return 0;
}

#ifdef CONFIG_DEVICE_PRIVATE
static void walk_undo_device(struct walk_env *env)
{
	unsigned int i, n = env->nr_ptes ?: 1;

	for (i = 0; i < n; i++)
		walk_put_back(env, env->addr + i * PAGE_SIZE);
	for (i = 0; i < n && env->folio; i++)
		folio_put(pfn_folio(folio_pfn(env->folio) + i));
	env->folio = NULL;
}

/* @n folios of @order, as a driver hands them out. */
static void walk_take_folios(struct walk_env *env, enum walk_mem_kind kind,
			     unsigned long pfn, unsigned int n,
			     unsigned int order)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct page *page = pfn_to_page(pfn + i);

		/* It may have been a tail page last time: no page_folio() yet. */
		zone_device_page_init(page, walk_mem_pgmap(kind), order);
		page->zone_device_data = env;
		folio_unlock(page_folio(page));
	}
	env->folio = pfn_folio(pfn);
}

static pte_t walk_make_private(struct walk_env *env, unsigned int i, pte_t old)
{
	unsigned long pfn = walk_entry_pfn(env, i);

	return softleaf_to_pte(make_writable_device_private_entry(pfn));
}

static pte_t walk_make_private_ro(struct walk_env *env, unsigned int i,
				  pte_t old)
{
	unsigned long pfn = walk_entry_pfn(env, i);

	return softleaf_to_pte(make_readable_device_private_entry(pfn));
}

static int walk_install_device(struct walk_env *env,
			       pte_t (*make)(struct walk_env *env,
					     unsigned int i, pte_t old))
{
	int err = walk_take_memory(env, WALK_MEM_PRIVATE);

	if (err)
		return err;
	walk_take_folios(env, WALK_MEM_PRIVATE, walk_entry_pfn(env, 0),
			 env->npages, 0);
	err = walk_install_replaced(env, make);
	env->undo = walk_undo_device;
	return err;
}

int walk_install_device_foreign(struct walk_env *env)
{
	return walk_install_device(env, walk_make_private);
}

/* The last page is the first one of the other owner, its pfn the next one. */
int walk_install_device_two_owners(struct walk_env *env)
{
	const unsigned int n = env->npages - 1;
	int err = walk_take_memory(env, WALK_MEM_OTHER);

	if (err)
		return err;
	env->pfn -= n;
	walk_take_folios(env, WALK_MEM_OTHER, env->pfn + n, 1, 0);
	walk_take_folios(env, WALK_MEM_PRIVATE, env->pfn, n, 0);
	err = walk_install_replaced(env, walk_make_private);
	env->undo = walk_undo_device;
	return err;
}

int walk_install_device_own(struct walk_env *env)
{
	env->owner = walk_mem_owner();
	return walk_install_device(env, walk_make_private);
}

int walk_install_device_own_ro(struct walk_env *env)
{
	env->owner = walk_mem_owner();
	return walk_install_device(env, walk_make_private_ro);
}

#ifdef CONFIG_ARCH_HAS_PMD_SOFTLEAVES
static pmd_t walk_make_private_pmd(struct walk_env *env, pmd_t old)
{
	return softleaf_to_pmd(make_writable_device_private_entry(env->pfn));
}

static pmd_t walk_make_private_ro_pmd(struct walk_env *env, pmd_t old)
{
	return softleaf_to_pmd(make_readable_device_private_entry(env->pfn));
}

static int walk_install_device_pmd(struct walk_env *env,
				   pmd_t (*make)(struct walk_env *env,
						 pmd_t old))
{
	int err = walk_take_memory(env, WALK_MEM_PRIVATE);

	if (err)
		return err;
	walk_take_folios(env, WALK_MEM_PRIVATE, env->pfn, 1, PMD_ORDER);
	err = walk_replace_pmd(env, make);
	env->undo = walk_undo_device;
	return err;
}

int walk_install_device_foreign_pmd(struct walk_env *env)
{
	return walk_install_device_pmd(env, walk_make_private_pmd);
}

int walk_install_device_own_pmd(struct walk_env *env)
{
	env->owner = walk_mem_owner();
	return walk_install_device_pmd(env, walk_make_private_pmd);
}

int walk_install_device_own_ro_pmd(struct walk_env *env)
{
	env->owner = walk_mem_owner();
	return walk_install_device_pmd(env, walk_make_private_ro_pmd);
}
#else
int walk_install_device_foreign_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no device private PMDs");
}

int walk_install_device_own_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no device private PMDs");
}

int walk_install_device_own_ro_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no device private PMDs");
}
#endif /* CONFIG_ARCH_HAS_PMD_SOFTLEAVES */

int walk_install_device_exclusive(struct walk_env *env)
{
	unsigned long i;
	int err;

	err = walk_install_page(env);
	for (i = 0; i < env->npages && !err; i++) {
		struct folio *folio;
		struct page *page;

		mmap_read_lock(env->mm);
		page = make_device_exclusive(env->mm, env->addr + i * PAGE_SIZE,
					     env, &folio);
		mmap_read_unlock(env->mm);
		if (IS_ERR(page))
			return PTR_ERR(page);
		folio_unlock(folio);
		folio_put(folio);
	}
	return err;
}
#else /* CONFIG_DEVICE_PRIVATE */
int walk_install_device_foreign(struct walk_env *env)
{
	return walk_cannot(env, "no device private memory");
}

int walk_install_device_two_owners(struct walk_env *env)
{
	return walk_cannot(env, "no device private memory");
}

int walk_install_device_own(struct walk_env *env)
{
	return walk_cannot(env, "no device private memory");
}

int walk_install_device_own_ro(struct walk_env *env)
{
	return walk_cannot(env, "no device private memory");
}

int walk_install_device_foreign_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no device private memory");
}

int walk_install_device_own_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no device private memory");
}

int walk_install_device_own_ro_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no device private memory");
}

int walk_install_device_exclusive(struct walk_env *env)
{
	return walk_cannot(env, "no device exclusive entries");
}
#endif /* CONFIG_DEVICE_PRIVATE */

static pte_t walk_make_coherent(struct walk_env *env, unsigned int i, pte_t old)
{
	struct page *page = pfn_to_page(walk_entry_pfn(env, i));

	return pte_mkwrite(pte_mkdirty(mk_pte(page, env->vma->vm_page_prot)),
			   env->vma);
}

int walk_install_device_coherent(struct walk_env *env)
{
	int err = walk_take_memory(env, WALK_MEM_COHERENT);

	return err ?: walk_install_replaced(env, walk_make_coherent);
}

/* Entries that a driver inserts when its mapping faults */

static unsigned long walk_fault_pfn(struct walk_env *env, struct vm_fault *vmf)
{
	return env->pfn + ((vmf->address - WALK_BASE) >> PAGE_SHIFT);
}

static vm_fault_t walk_insert_dax(struct walk_env *env, struct vm_fault *vmf)
{
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	struct page *page = pfn_to_page(walk_fault_pfn(env, vmf));

	return vmf_insert_page_mkwrite(vmf, page, write);
}

static vm_fault_t walk_insert_pfn(struct walk_env *env, struct vm_fault *vmf)
{
	return vmf_insert_pfn(vmf->vma, vmf->address, walk_fault_pfn(env, vmf));
}

static vm_fault_t walk_insert_mixed(struct walk_env *env, struct vm_fault *vmf)
{
	return vmf_insert_mixed(vmf->vma, vmf->address,
				walk_fault_pfn(env, vmf));
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
static unsigned long walk_fault_huge_pfn(struct walk_env *env,
					 struct vm_fault *vmf)
{
	return ALIGN_DOWN(walk_fault_pfn(env, vmf), 1UL << env->huge_order);
}

/* A write to a private mapping gets a page of its own, and no leaf of the file. */
static bool walk_fault_copies(struct vm_fault *vmf)
{
	return (vmf->flags & FAULT_FLAG_WRITE) &&
	       !(vmf->vma->vm_flags & VM_SHARED);
}

static vm_fault_t walk_insert_dax_pmd(struct walk_env *env,
				      struct vm_fault *vmf)
{
	bool write = vmf->flags & FAULT_FLAG_WRITE;

	return vmf_insert_folio_pmd(vmf,
				    pfn_folio(walk_fault_huge_pfn(env, vmf)),
				    write);
}

static vm_fault_t walk_insert_pfn_pmd(struct walk_env *env,
				      struct vm_fault *vmf)
{
	if (walk_fault_copies(vmf))
		return VM_FAULT_FALLBACK;
	return vmf_insert_pfn_pmd(vmf, walk_fault_huge_pfn(env, vmf),
				  vmf->flags & FAULT_FLAG_WRITE);
}
#else
#define walk_insert_dax_pmd	NULL
#define walk_insert_pfn_pmd	NULL
#endif /* CONFIG_TRANSPARENT_HUGEPAGE */

#if defined(CONFIG_TRANSPARENT_HUGEPAGE) && \
	defined(CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD)
static vm_fault_t walk_insert_dax_pud(struct walk_env *env,
				      struct vm_fault *vmf)
{
	bool write = vmf->flags & FAULT_FLAG_WRITE;

	return vmf_insert_folio_pud(vmf,
				    pfn_folio(walk_fault_huge_pfn(env, vmf)),
				    write);
}

static vm_fault_t walk_insert_pfn_pud(struct walk_env *env,
				      struct vm_fault *vmf)
{
	if (walk_fault_copies(vmf))
		return VM_FAULT_FALLBACK;
	return vmf_insert_pfn_pud(vmf, walk_fault_huge_pfn(env, vmf),
				  vmf->flags & FAULT_FLAG_WRITE);
}
#else
#define walk_insert_dax_pud	NULL
#define walk_insert_pfn_pud	NULL
#endif

/* Fault the walked part in without an access: nothing answers at the pfns. */
static int walk_populate(struct walk_env *env, bool write)
{
	unsigned int flags = write ? FAULT_FLAG_WRITE : 0;
	unsigned long i, pfn;
	int err = 0;

	mmap_read_lock(env->mm);
	for (i = 0; i < env->npages && !err; i++) {
		unsigned long addr = env->addr + i * PAGE_SIZE;

		if (!walk_leaf(env->mm, addr, &pfn))
			err = fixup_user_fault(env->mm, addr, flags, NULL);
	}
	mmap_read_unlock(env->mm);
	return err;
}

/* A mapping whose faults insert single pages of @kind by @fault. */
static int walk_map_driver(struct walk_env *env, enum walk_mem_kind kind,
			   vm_fault_t (*fault)(struct walk_env *env,
					       struct vm_fault *vmf))
{
	int err = walk_take_memory(env, kind);

	env->fault = fault;
	return err ?: walk_map_own(env, 2 * PMD_SIZE, MAP_SHARED);
}

/* The same with leaves of @order, @len bytes in all; nothing is there yet. */
static int walk_map_driver_huge(struct walk_env *env, enum walk_mem_kind kind,
				unsigned int order, unsigned long len,
				unsigned long flags,
				vm_fault_t (*huge_fault)(struct walk_env *env,
							 struct vm_fault *vmf))
{
	int err;

	if (!huge_fault)
		return walk_cannot(env, "no leaves of this size");
	err = walk_take_memory(env, kind);
	env->huge_fault = huge_fault;
	env->huge_order = order;
	return err ?: walk_map_own(env, len, flags);
}

/* The walked part lies in one leaf: that takes one fault. */
static int walk_populate_leaf(struct walk_env *env, bool write)
{
	int err = walk_populate(env, write);

	return err ?: env->nr_huge_faults == 1 ? 0 : -EIO;
}

static int walk_populate_huge(struct walk_env *env)
{
	return walk_populate_leaf(env, true);
}

/* @flags: MAP_PRIVATE is for reading, as a write has its own copy of a page. */
static int walk_map_pfn_pmd(struct walk_env *env, vm_flags_t vm_flags,
			    unsigned long flags)
{
	int err;

	env->vm_flags = vm_flags;
	err = walk_map_driver_huge(env, WALK_MEM_BARE, PMD_ORDER, PMD_SIZE,
				   flags, walk_insert_pfn_pmd);
	return err ?: walk_populate_leaf(env, flags == MAP_SHARED);
}

static int walk_map_pfn_pud(struct walk_env *env, vm_flags_t vm_flags,
			    unsigned long flags)
{
	int err;

	env->vm_flags = vm_flags;
	err = walk_map_driver_huge(env, WALK_MEM_BARE, PUD_ORDER, PUD_SIZE,
				   flags, walk_insert_pfn_pud);
	return err ?: walk_populate_leaf(env, flags == MAP_SHARED);
}

int walk_map_dax_pmd(struct walk_env *env)
{
	env->dax = true;
	return walk_map_driver_huge(env, WALK_MEM_DAX_PMD, PMD_ORDER,
				    2 * PMD_SIZE, MAP_SHARED,
				    walk_insert_dax_pmd);
}

int walk_map_dax_pud(struct walk_env *env)
{
	env->dax = true;
	return walk_map_driver_huge(env, WALK_MEM_DAX_PUD, PUD_ORDER,
				    PUD_SIZE, MAP_SHARED, walk_insert_dax_pud);
}

int walk_install_dax_pte(struct walk_env *env)
{
	int err;

	env->dax = true;
	err = walk_map_driver(env, WALK_MEM_DAX_PTE, walk_insert_dax);
	return err ?: walk_populate(env, true);
}

int walk_install_dax_pte_ro(struct walk_env *env)
{
	int err = walk_install_dax_pte(env);

	return err ?: walk_replace_ptes(env, walk_make_wrprotected);
}

int walk_install_dax_pmd(struct walk_env *env)
{
	int err = walk_map_dax_pmd(env);

	return err ?: walk_populate_huge(env);
}

int walk_install_dax_pmd_ro(struct walk_env *env)
{
	int err = walk_install_dax_pmd(env);

	return err ?: walk_replace_mapped_pmd(env, walk_make_pmd_wrprotected);
}

int walk_install_dax_pud(struct walk_env *env)
{
	int err = walk_map_dax_pud(env);

	return err ?: walk_populate_huge(env);
}

#if defined(CONFIG_TRANSPARENT_HUGEPAGE) && \
	defined(CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD)
static pud_t *walk_pud(struct walk_env *env)
{
	pgd_t *pgd = pgd_offset(env->mm, WALK_BASE);

	return pud_offset(p4d_offset(pgd, WALK_BASE), WALK_BASE);
}

static void walk_put_back_pud(struct walk_env *env)
{
	pud_t *pud = walk_pud(env);
	spinlock_t *ptl = pud_lock(env->mm, pud);

	if (pud_same(*pud, env->new_pud))
		set_pud_at(env->mm, WALK_BASE, pud, env->old_pud);
	spin_unlock(ptl);
}

/* The mapping is one leaf of the size of a PUD. */
static int walk_wrprotect_pud(struct walk_env *env)
{
	pud_t *pud = walk_pud(env);
	spinlock_t *ptl = pud_lock(env->mm, pud);

	env->old_pud = *pud;
	env->new_pud = pud_wrprotect(*pud);
	set_pud_at(env->mm, WALK_BASE, pud, env->new_pud);
	spin_unlock(ptl);
	flush_tlb_mm(env->mm);
	env->undo = walk_put_back_pud;
	return 0;
}
#else
static int walk_wrprotect_pud(struct walk_env *env)
{
	return walk_cannot(env, "no leaves of this size");
}
#endif

int walk_install_dax_pud_ro(struct walk_env *env)
{
	int err = walk_install_dax_pud(env);

	return err ?: walk_wrprotect_pud(env);
}

int walk_install_pfnmap_pte(struct walk_env *env)
{
	int err;

	env->vm_flags = VM_PFNMAP;
	err = walk_map_driver(env, WALK_MEM_BARE, walk_insert_pfn);
	return err ?: walk_populate(env, true);
}

int walk_install_pfnmap_pmd(struct walk_env *env)
{
	return walk_map_pfn_pmd(env, VM_PFNMAP, MAP_SHARED);
}

int walk_install_pfnmap_pud(struct walk_env *env)
{
	return walk_map_pfn_pud(env, VM_PFNMAP, MAP_SHARED);
}

/* A hole, which a fault fills with a special entry. */
int walk_install_mixed_absent(struct walk_env *env)
{
	env->vm_flags = VM_MIXEDMAP;
	return walk_map_driver(env, WALK_MEM_BARE, walk_insert_mixed);
}

int walk_install_mixed_pte(struct walk_env *env)
{
	int err = walk_install_mixed_absent(env);

	return err ?: walk_populate(env, true);
}

int walk_install_mixed_pte_ro(struct walk_env *env)
{
	int err = walk_install_mixed_pte(env);

	return err ?: walk_replace_ptes(env, walk_make_wrprotected);
}

static void walk_free_pages(void *page)
{
	__free_pages(page, 3);
}

/*
 * Entries that are special though there are struct pages, of memory in this
 * case: in a private mapping a write copies it.
 */
static int walk_map_special_pages(struct walk_env *env, unsigned long flags)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, 3);
	int err;

	if (!page)
		return -ENOMEM;
	err = kunit_add_action_or_reset(env->test, walk_free_pages, page);
	if (err)
		return err;
	env->pfn = page_to_pfn(page);
	env->vm_flags = VM_MIXEDMAP;
	env->fault = walk_insert_mixed;
	return walk_map_own(env, PMD_SIZE, flags);
}

int walk_install_mixed_page(struct walk_env *env)
{
	int err = walk_map_special_pages(env, MAP_SHARED);

	return err ?: walk_populate(env, true);
}

int walk_install_mixed_private(struct walk_env *env)
{
	int err = walk_map_special_pages(env, MAP_PRIVATE);

	return err ?: walk_populate(env, false);
}

static vm_fault_t walk_fault_sigbus(struct walk_env *env, struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

/* What a file system answers to a fault behind the end of its file. */
int walk_install_file_end(struct walk_env *env)
{
	env->fault = walk_fault_sigbus;
	return walk_map_own(env, PMD_SIZE, MAP_SHARED);
}

int walk_install_mixed_pmd(struct walk_env *env)
{
	return walk_map_pfn_pmd(env, VM_MIXEDMAP, MAP_SHARED);
}

int walk_install_mixed_pmd_ro(struct walk_env *env)
{
	int err = walk_install_mixed_pmd(env);

	return err ?: walk_replace_mapped_pmd(env, walk_make_pmd_wrprotected);
}

/* A write splits the leaf, and is one of a page that is not there then. */
int walk_install_mixed_pmd_private(struct walk_env *env)
{
	return walk_map_pfn_pmd(env, VM_MIXEDMAP, MAP_PRIVATE);
}

int walk_install_mixed_pud(struct walk_env *env)
{
	return walk_map_pfn_pud(env, VM_MIXEDMAP, MAP_SHARED);
}

int walk_install_mixed_pud_ro(struct walk_env *env)
{
	int err = walk_install_mixed_pud(env);

	return err ?: walk_wrprotect_pud(env);
}

int walk_install_mixed_pud_private(struct walk_env *env)
{
	return walk_map_pfn_pud(env, VM_MIXEDMAP, MAP_PRIVATE);
}

/* hugetlb: pages of the size of a PMD, most often two, from the overcommitted pool */

#ifdef CONFIG_HUGETLB_PAGE
static void walk_undo_hugetlb(struct walk_env *env)
{
	unsigned long size = env->huge_size;
	struct hstate *h = size_to_hstate(size);
	spinlock_t *ptl; /* of @pte */
	pte_t *pte;

	h->nr_overcommit_huge_pages = env->overcommit;
	if (!env->huge_replaced)
		return;
	pte = huge_pte_offset(env->mm, WALK_BASE, size);
	ptl = huge_pte_lock(h, env->mm, pte);
	if (pte_same(huge_ptep_get(env->mm, WALK_BASE, pte), env->new_pte[0]))
		set_huge_pte_at(env->mm, WALK_BASE, pte, env->old_pte[0], size);
	spin_unlock(ptl);
	walk_unlock_folio(env);
}

static int walk_map_hugetlb_of(struct walk_env *env, unsigned int shift,
			       unsigned int nr)
{
	const unsigned long size = 1UL << shift;
	struct hstate *h = size_to_hstate(size);
	struct file *file;
	int err;

	if (!h)
		return walk_cannot(env, "no hugetlb pages of this size");
	env->huge_size = size;
	env->overcommit = h->nr_overcommit_huge_pages;
	h->nr_overcommit_huge_pages += nr;
	env->undo = walk_undo_hugetlb;
	file = hugetlb_file_setup("hmm_walk", nr * size,
				  mk_vma_flags(VMA_NORESERVE_BIT),
				  HUGETLB_ANONHUGE_INODE, shift);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = walk_map_file(env, file, nr * size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE);
	fput(file);
	return err;
}

static int walk_map_hugetlb(struct walk_env *env)
{
	return walk_map_hugetlb_of(env, PMD_SHIFT, 2);
}

static int walk_replace_huge(struct walk_env *env,
			     pte_t (*make)(struct walk_env *env, pte_t old))
{
	unsigned long size = env->huge_size;
	struct hstate *h = size_to_hstate(size);
	spinlock_t *ptl; /* of @pte */
	pte_t *pte;

	pte = huge_pte_offset(env->mm, WALK_BASE, size);
	if (!pte)
		return -EIO;
	ptl = huge_pte_lock(h, env->mm, pte);
	env->old_pte[0] = huge_ptep_get(env->mm, WALK_BASE, pte);
	env->new_pte[0] = make(env, env->old_pte[0]);
	set_huge_pte_at(env->mm, WALK_BASE, pte, env->new_pte[0], size);
	spin_unlock(ptl);
	env->huge_replaced = true;
	flush_tlb_mm(env->mm);
	return 0;
}

int walk_install_hugetlb_hole(struct walk_env *env)
{
	return walk_map_hugetlb(env);
}

int walk_install_hugetlb_three(struct walk_env *env)
{
	return walk_map_hugetlb_of(env, PMD_SHIFT, 3);
}

/* The other page is there, so that there is a table with an empty entry. */
int walk_install_hugetlb_none(struct walk_env *env)
{
	int err = walk_map_hugetlb(env);

	return err ?: walk_touch(WALK_BASE + PMD_SIZE, true);
}

int walk_install_hugetlb_empty(struct walk_env *env)
{
	int err = walk_install_hugetlb_none(env);
	struct hstate *h = size_to_hstate(PMD_SIZE);

	if (err)
		return err;
	if (h->free_huge_pages)
		return walk_cannot(env, "the pool of hugetlb is not empty");
	h->nr_overcommit_huge_pages = 0;
	return 0;
}

int walk_install_hugetlb(struct walk_env *env)
{
	int err = walk_map_hugetlb(env);

	return err ?: walk_touch(WALK_BASE, true);
}

static pte_t walk_make_huge_ro(struct walk_env *env, pte_t old)
{
	return huge_pte_wrprotect(old);
}

int walk_install_hugetlb_ro(struct walk_env *env)
{
	int err = walk_install_hugetlb(env);

	return err ?: walk_replace_huge(env, walk_make_huge_ro);
}

#ifdef CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD
static pte_t walk_make_huge_pud(struct walk_env *env, pte_t old)
{
	pte_t pte = pfn_pte(env->pfn, env->vma->vm_page_prot);

	pte = pte_mkyoung(huge_pte_mkwrite(huge_pte_mkdirty(pte)));
	return arch_make_huge_pte(pte, PUD_SHIFT, env->vma->vm_flags);
}

/* To have such a page takes long. The entry is one of a device's memory. */
int walk_install_hugetlb_pud(struct walk_env *env)
{
	pte_t *pte;
	int err = walk_take_memory(env, WALK_MEM_DAX_PUD);

	if (!err)
		err = walk_map_hugetlb_of(env, PUD_SHIFT, 2);
	if (err)
		return err;
	mmap_read_lock(env->mm);
	hugetlb_vma_lock_read(env->vma);
	pte = huge_pte_alloc(env->mm, env->vma, WALK_BASE, PUD_SIZE);
	hugetlb_vma_unlock_read(env->vma);
	mmap_read_unlock(env->mm);
	return pte ? walk_replace_huge(env, walk_make_huge_pud) : -ENOMEM;
}
#else
int walk_install_hugetlb_pud(struct walk_env *env)
{
	return walk_cannot(env, "no leaves of this size");
}
#endif

static pte_t walk_make_huge_poison_marker(struct walk_env *env, pte_t old)
{
	return make_pte_marker(PTE_MARKER_POISONED);
}

int walk_install_hugetlb_poison_marker(struct walk_env *env)
{
	int err = walk_install_hugetlb_none(env);

	return err ?: walk_replace_huge(env, walk_make_huge_poison_marker);
}

static pte_t walk_make_huge_wp_marker(struct walk_env *env, pte_t old)
{
	return make_pte_marker(PTE_MARKER_UFFD_WP);
}

int walk_install_hugetlb_wp_marker(struct walk_env *env)
{
	int err = walk_install_hugetlb_none(env);

	return err ?: walk_replace_huge(env, walk_make_huge_wp_marker);
}

int walk_install_hugetlb_uffd_wp(struct walk_env *env)
{
	int err = walk_install_hugetlb_wp_marker(env);

	return err ?: walk_register_uffd(env, VM_UFFD_WP);
}

#ifdef CONFIG_USERFAULTFD_RWP
static pte_t walk_make_huge_uffd_rwp(struct walk_env *env, pte_t old)
{
	pte_t pte = huge_pte_modify(old, PAGE_NONE);

	return huge_pte_mkuffd(arch_make_huge_pte(pte, PMD_SHIFT,
						  env->vma->vm_flags));
}

int walk_install_hugetlb_uffd_rwp(struct walk_env *env)
{
	int err = walk_install_hugetlb(env);

	err = err ?: walk_replace_huge(env, walk_make_huge_uffd_rwp);
	return err ?: walk_register_uffd(env, VM_UFFD_RWP);
}
#else
int walk_install_hugetlb_uffd_rwp(struct walk_env *env)
{
	return walk_cannot(env, "no such mode of userfaultfd");
}
#endif

#ifdef CONFIG_MIGRATION
static pte_t walk_make_huge_migration(struct walk_env *env, pte_t old)
{
	return softleaf_to_pte(make_writable_migration_entry(pte_pfn(old)));
}

int walk_install_hugetlb_migration(struct walk_env *env)
{
	int err = walk_install_hugetlb(env);

	if (err)
		return err;
	walk_lock_folio(env);
	return walk_replace_huge(env, walk_make_huge_migration);
}
#else
int walk_install_hugetlb_migration(struct walk_env *env)
{
	return walk_cannot(env, "no migration of pages");
}
#endif

#ifdef CONFIG_MEMORY_FAILURE
static pte_t walk_make_huge_hwpoison(struct walk_env *env, pte_t old)
{
	return softleaf_to_pte(make_hwpoison_entry(pte_page(old)));
}

int walk_install_hugetlb_poisoned(struct walk_env *env)
{
	int err = walk_install_hugetlb(env);

	if (err)
		return err;
	walk_lock_folio(env);
	err = walk_replace_huge(env, walk_make_huge_hwpoison);
	walk_unlock_folio(env);
	return err;
}
#else
int walk_install_hugetlb_poisoned(struct walk_env *env)
{
	return walk_cannot(env, "no memory failure handling");
}
#endif

#else /* CONFIG_HUGETLB_PAGE */
int walk_install_hugetlb_uffd_rwp(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb_uffd_wp(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb_pud(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb_ro(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb_hole(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb_three(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb_none(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb_empty(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb_poison_marker(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb_wp_marker(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb_migration(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}

int walk_install_hugetlb_poisoned(struct walk_env *env)
{
	return walk_cannot(env, "no hugetlb");
}
#endif /* CONFIG_HUGETLB_PAGE */
