/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of HMM's page table walkers share: an address space of their
 * own, a mapping in it that records its faults, memory of a device, and a range
 * over a part of the mapping.
 */
#ifndef MM_TESTS_HMM_WALK_KUNIT_H
#define MM_TESTS_HMM_WALK_KUNIT_H

#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/delay.h>
#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#include "mmap_lock.h"

/*
 * A kernel without tracked ranges runs these tests too, with interval notifiers
 * alone: that shows what the tests find there.
 */
#if __has_include("../hmm_internal.h")
#define WALK_HAVE_TRACKED 1
#else
#define WALK_HAVE_TRACKED 0
#endif

/* Where the mapping lies: nothing else is mapped within this P4D entry. */
#ifdef CONFIG_64BIT
#define WALK_BASE	BIT(44)
#else
#define WALK_BASE	BIT(30)
#endif

/* The longest one whose PTEs are replaced by hand. */
#define WALK_MAX_PTES	8
/* How many faults have their address recorded. */
#define WALK_MAX_FAULTS	16

/* Kinds of device memory, see walk_mem_get(). */
enum walk_mem_kind {
	WALK_MEM_PRIVATE,	/* migrates back to the page that it replaced */
	WALK_MEM_OTHER,		/* the same, of another owner, next to it */
	WALK_MEM_COHERENT,
	WALK_MEM_DAX_PTE,	/* folios of order 0, of a PMD, of a PUD */
	WALK_MEM_DAX_PMD,
	WALK_MEM_DAX_PUD,
	WALK_MEM_BARE,		/* no struct page; a whole PUD of it */
	WALK_MEM_KINDS,
};

struct walk_env;

/**
 * struct walk_env - one test's address space and what lies in it
 *
 * @test: the test
 * @mm: its address space, the thread's own
 * @vma: the mapping at %WALK_BASE
 * @len: the length of that mapping in bytes
 * @addr: where the walked part starts
 * @npages: its length in pages
 * @pfn: the device's pfn for %WALK_BASE, others follow in order; 0: none
 * @owner: the &hmm_range.dev_private_owner for the walk
 * @why: the reason for which the kind cannot be had
 *
 * @fault: what the vma of the test's own file does on a fault; NULL: it maps
 *	a fresh page
 * @huge_fault: the same for a leaf of order @huge_order; NULL: none
 * @huge_order: the order of the leaves that @huge_fault inserts
 * @vm_flags: further flags of that vma
 * @dax: its inode is one of DAX
 * @stays: ->migrate_to_ram() succeeds and does nothing
 * @gives: it makes this the owner of all private memory
 * @sparse: the tracked ranges are sparse
 *
 * @nr_faults: calls of @fault
 * @nr_huge_faults: calls of @huge_fault
 * @nr_migrations: calls of ->migrate_to_ram()
 * @fault_flags: the FAULT_FLAG_... of all of these
 * @fault_addr: the addresses of the first calls of either kind
 * @fault_write: which of these were for write
 *
 * @undo: puts back what was installed by hand; may be called twice
 * @undo_before: the @undo of before there was a userfaultfd
 * @old_pte: what @undo restores, where @new_pte is still there
 * @new_pte: what was installed
 * @old_pmd: the same for a PMD
 * @new_pmd: the same for a PMD
 * @old_pud: the same for a PUD
 * @new_pud: the same for a PUD
 * @folio: the folio that is locked because of a migration entry, or the first
 *	folio of the device
 * @nr_ptes: how many PTEs were replaced
 * @huge_replaced: the first of @new_pte is the entry of a hugetlb page
 * @huge_size: of that page
 * @overcommit: the limit of the hugetlb pool to be restored
 */
struct walk_env {
	struct kunit		*test;
	struct mm_struct	*mm;
	struct vm_area_struct	*vma;
	unsigned long		len;
	unsigned long		addr;
	unsigned long		npages;
	unsigned long		pfn;
	void			*owner;
	const char		*why;

	vm_fault_t (*fault)(struct walk_env *env, struct vm_fault *vmf);
	vm_fault_t (*huge_fault)(struct walk_env *env, struct vm_fault *vmf);
	unsigned int		huge_order;
	vm_flags_t		vm_flags;
	bool			dax;
	bool			stays;
	void			*gives;
	bool			sparse;

	unsigned int		nr_faults;
	unsigned int		nr_huge_faults;
	unsigned int		nr_migrations;
	unsigned int		fault_flags;
	unsigned long		fault_addr[WALK_MAX_FAULTS];
	bool			fault_write[WALK_MAX_FAULTS];

	void (*undo)(struct walk_env *env);
	void (*undo_before)(struct walk_env *env);
	pte_t			old_pte[WALK_MAX_PTES];
	pte_t			new_pte[WALK_MAX_PTES];
	pmd_t			old_pmd;
	pmd_t			new_pmd;
	pud_t			old_pud;
	pud_t			new_pud;
	struct folio		*folio;
	unsigned int		nr_ptes;
	bool			huge_replaced;
	unsigned long		huge_size;
	unsigned long		overcommit;
};

typedef pte_t (*walk_make_pte_fn)(struct walk_env *env, unsigned int i,
				  pte_t old);
typedef pmd_t (*walk_make_pmd_fn)(struct walk_env *env, pmd_t old);

/**
 * struct walk_range - a range under test, tracked or with an interval notifier
 *
 * @range: the range
 * @notifier: the interval notifier, unless @tracked
 * @tracked: the range is registered
 */
struct walk_range {
	struct hmm_range		range;
	struct mmu_interval_notifier	notifier;
	bool				tracked;
};

/*
 * How a walk is called: with the mmap lock held and kept; with leave to drop it,
 * which is taken for -EBUSY; or without it.
 */
enum walk_call {
	WALK_KEEP,
	WALK_LOCKED,
	WALK_UNLOCKED,
};

struct walk_env *walk_env_create(struct kunit *test);
void walk_env_destroy(struct walk_env *env);
int walk_map_anon(struct walk_env *env, unsigned long len, unsigned long prot);
int walk_map_file(struct walk_env *env, struct file *file, unsigned long len,
		  unsigned long prot, unsigned long flags);
int walk_map_own(struct walk_env *env, unsigned long len, unsigned long flags);
vm_fault_t walk_fault_fresh_page(struct vm_fault *vmf);
void walk_forget_faults(struct walk_env *env);
void walk_vm_flags(struct walk_env *env, vm_flags_t set, vm_flags_t clear);
int walk_touch(unsigned long addr, bool write);
unsigned long walk_mapped(struct mm_struct *mm, unsigned long addr);
bool walk_leaf(struct mm_struct *mm, unsigned long addr, unsigned long *pfn);
void walk_invalidate(struct mm_struct *mm, unsigned long start,
		     unsigned long end);

unsigned long walk_mem_get(enum walk_mem_kind kind);
void walk_mem_put_all(void);
struct dev_pagemap *walk_mem_pgmap(enum walk_mem_kind kind);
void *walk_mem_owner(void);
void *walk_mem_other_owner(void);

const void *walk_tracked_params(struct kunit *test, const void *prev,
				char *desc);
int walk_range_add(struct walk_env *env, struct walk_range *wr, bool tracked,
		   unsigned long *pfns);
void walk_range_del(struct walk_range *wr);
void walk_range_begin(struct walk_range *wr);
int walk_range_walk(struct walk_range *wr, bool fault);
int walk_range_call(struct walk_range *wr, enum walk_call call, bool fault);
bool walk_range_valid(struct walk_range *wr);

int walk_cannot(struct walk_env *env, const char *why);
int walk_replace_ptes(struct walk_env *env, walk_make_pte_fn make);
int walk_install_replaced(struct walk_env *env, walk_make_pte_fn make);
int walk_replace_pmd(struct walk_env *env, walk_make_pmd_fn make);
int walk_replace_mapped_pmd(struct walk_env *env, walk_make_pmd_fn make);
int walk_register_uffd(struct walk_env *env, vm_flags_t flags);
/* How an entry is put back that a device or a migration held. */
pte_t walk_make_wrprotected(struct walk_env *env, unsigned int i, pte_t old);
pmd_t walk_make_pmd_wrprotected(struct walk_env *env, pmd_t old);
void walk_put_back(struct walk_env *env, unsigned long addr);
void walk_lock_folio(struct walk_env *env);
void walk_unlock_folio(struct walk_env *env);

/* Kinds of entries; each is installed for [@env->addr, + @env->npages). */
int walk_install_no_vma(struct walk_env *env);
int walk_install_none(struct walk_env *env);
int walk_install_pte_hole(struct walk_env *env);
int walk_install_pmd_hole(struct walk_env *env);
int walk_install_pud_hole(struct walk_env *env);
int walk_install_p4d_hole(struct walk_env *env);
int walk_install_file_end(struct walk_env *env);
int walk_install_page(struct walk_env *env);
int walk_install_page_ro(struct walk_env *env);
int walk_install_large_folio(struct walk_env *env);
int walk_map_thp_absent(struct walk_env *env);
int walk_install_thp(struct walk_env *env);
int walk_install_thp_ro(struct walk_env *env);
int walk_install_zero_page(struct walk_env *env);
int walk_install_huge_zero_page(struct walk_env *env);
int walk_install_swap(struct walk_env *env);
int walk_install_migration(struct walk_env *env);
int walk_install_migration_pmd(struct walk_env *env);
int walk_install_hwpoison(struct walk_env *env);
int walk_install_poison_marker(struct walk_env *env);
int walk_install_guard_marker(struct walk_env *env);
int walk_install_uffd_wp_marker(struct walk_env *env);
int walk_install_uffd_wp_left_over(struct walk_env *env);
int walk_install_uffd_wp(struct walk_env *env);
int walk_install_uffd_wp_pmd(struct walk_env *env);
int walk_install_uffd_rwp(struct walk_env *env);
int walk_install_uffd_rwp_pmd(struct walk_env *env);
int walk_install_uffd_missing(struct walk_env *env);
int walk_install_device_own(struct walk_env *env);
int walk_install_device_own_ro(struct walk_env *env);
int walk_install_device_foreign(struct walk_env *env);
int walk_install_device_two_owners(struct walk_env *env);
int walk_install_device_own_pmd(struct walk_env *env);
int walk_install_device_own_ro_pmd(struct walk_env *env);
int walk_install_device_foreign_pmd(struct walk_env *env);
int walk_install_device_coherent(struct walk_env *env);
int walk_install_device_exclusive(struct walk_env *env);
int walk_map_dax_pmd(struct walk_env *env);
int walk_map_dax_pud(struct walk_env *env);
int walk_install_dax_pte(struct walk_env *env);
int walk_install_dax_pmd(struct walk_env *env);
int walk_install_dax_pte_ro(struct walk_env *env);
int walk_install_dax_pmd_ro(struct walk_env *env);
int walk_install_dax_pud(struct walk_env *env);
int walk_install_dax_pud_ro(struct walk_env *env);
int walk_install_pfnmap_pte(struct walk_env *env);
int walk_install_pfnmap_pmd(struct walk_env *env);
int walk_install_pfnmap_pud(struct walk_env *env);
int walk_install_mixed_pte(struct walk_env *env);
int walk_install_mixed_page(struct walk_env *env);
int walk_install_mixed_pte_ro(struct walk_env *env);
int walk_install_mixed_private(struct walk_env *env);
int walk_install_mixed_pmd(struct walk_env *env);
int walk_install_mixed_pmd_ro(struct walk_env *env);
int walk_install_mixed_pmd_private(struct walk_env *env);
int walk_install_mixed_pud(struct walk_env *env);
int walk_install_mixed_pud_ro(struct walk_env *env);
int walk_install_mixed_pud_private(struct walk_env *env);
int walk_install_mixed_absent(struct walk_env *env);
int walk_install_prot_none(struct walk_env *env);
int walk_install_numa(struct walk_env *env);
int walk_install_numa_pmd(struct walk_env *env);
int walk_install_bad_pmd(struct walk_env *env);
int walk_install_shadow_stack(struct walk_env *env);
int walk_install_secretmem(struct walk_env *env);
int walk_install_no_read(struct walk_env *env);
int walk_install_read_only(struct walk_env *env);
int walk_install_read_only_none(struct walk_env *env);
int walk_install_io(struct walk_env *env);
int walk_install_hugetlb(struct walk_env *env);
int walk_install_hugetlb_ro(struct walk_env *env);
int walk_install_hugetlb_pud(struct walk_env *env);
int walk_install_hugetlb_hole(struct walk_env *env);
int walk_install_hugetlb_three(struct walk_env *env);
int walk_install_hugetlb_none(struct walk_env *env);
int walk_install_hugetlb_empty(struct walk_env *env);
int walk_install_hugetlb_migration(struct walk_env *env);
int walk_install_hugetlb_poisoned(struct walk_env *env);
int walk_install_hugetlb_poison_marker(struct walk_env *env);
int walk_install_hugetlb_wp_marker(struct walk_env *env);
int walk_install_hugetlb_uffd_wp(struct walk_env *env);
int walk_install_hugetlb_uffd_rwp(struct walk_env *env);

#endif /* MM_TESTS_HMM_WALK_KUNIT_H */
