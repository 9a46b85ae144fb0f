// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How each kind of page table entry comes about for the tests of HMM's page
 * table walkers. A kind is had in the ordinary way (a fault, madvise, a
 * driver's vmf_insert_...()) where that is exact; else the entry is replaced
 * under the page table lock, and put back before the mapping goes, so that
 * counters and references stay balanced.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/leafops.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/set_memory.h>
#include <linux/swap.h>
#include <linux/userfaultfd_k.h>

#include "../internal.h"
#include "hmm_walk_kunit.h"

#define WALK_RW		(PROT_READ | PROT_WRITE)

/* The configuration or the machine cannot have this kind: the test is skipped. */
int walk_cannot(struct walk_env *env, const char *why)
{
	env->why = why;
	return -EOPNOTSUPP;
}

/* Anonymous memory */

static int walk_advise(struct walk_env *env, unsigned long addr,
		       unsigned long len, int advice)
{
	return do_madvise(env->mm, addr, len, advice);
}

/* Anonymous memory in base pages, the walked part untouched. */
static int walk_map_small(struct walk_env *env, unsigned long len)
{
	int err = walk_map_anon(env, len, WALK_RW);

	if (!err && IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		err = walk_advise(env, WALK_BASE, len, MADV_NOHUGEPAGE);
	return err;
}

static int walk_touch_all(struct walk_env *env, bool write)
{
	unsigned long i;
	int err = 0;

	for (i = 0; i < env->npages && !err; i++)
		err = walk_touch(env->addr + i * PAGE_SIZE, write);
	return err;
}

int walk_install_no_vma(struct walk_env *env)
{
	return 0;
}

/* A hole: untouched, but another page is there @distance bytes further. */
static int walk_install_hole(struct walk_env *env, unsigned long len,
			     unsigned long distance)
{
	int err = walk_map_small(env, len);

	if (!err && distance)
		err = walk_touch(WALK_BASE + distance, true);
	return err;
}

int walk_install_none(struct walk_env *env)
{
	int err = walk_install_hole(env, PMD_SIZE, PMD_SIZE - PAGE_SIZE);

	if (!err)
		err = walk_touch_all(env, true);
	if (!err)
		err = walk_advise(env, env->addr, env->npages * PAGE_SIZE,
				  MADV_DONTNEED);
	return err;
}

int walk_install_pte_hole(struct walk_env *env)
{
	return walk_install_hole(env, PMD_SIZE, PMD_SIZE - PAGE_SIZE);
}

int walk_install_pmd_hole(struct walk_env *env)
{
	return walk_install_hole(env, 4 * PMD_SIZE, 3 * PMD_SIZE);
}

int walk_install_pud_hole(struct walk_env *env)
{
	return walk_install_hole(env, 2 * PUD_SIZE, PUD_SIZE);
}

int walk_install_p4d_hole(struct walk_env *env)
{
	return walk_install_hole(env, 2 * PUD_SIZE, 0);
}

int walk_install_page(struct walk_env *env)
{
	int err = walk_map_small(env, PMD_SIZE);

	return err ?: walk_touch_all(env, true);
}

int walk_install_zero_page(struct walk_env *env)
{
	int err = walk_map_small(env, PMD_SIZE);

	return err ?: walk_touch_all(env, false);
}

int walk_install_swap(struct walk_env *env)
{
	unsigned long pfn;
	int err, tries;

	if (!total_swap_pages)
		return walk_cannot(env, "no swap is on");
	err = walk_install_page(env);
	for (tries = 0; !err && tries < 10; tries++) {
		err = walk_advise(env, env->addr, env->npages * PAGE_SIZE,
				  MADV_PAGEOUT);
		if (!walk_leaf(env->mm, env->addr, &pfn) &&
		    !walk_leaf(env->mm, env->addr +
			       (env->npages - 1) * PAGE_SIZE, &pfn))
			return err;
	}
	return err ?: -ETIME;
}

int walk_install_guard_marker(struct walk_env *env)
{
	int err = walk_map_small(env, PMD_SIZE);

	return err ?: walk_advise(env, env->addr, env->npages * PAGE_SIZE,
				  MADV_GUARD_INSTALL);
}

/* Two PMDs of a mapping that wants huge pages, untouched. */
int walk_map_thp_absent(struct walk_env *env)
{
	int err;

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		return walk_cannot(env, "no transparent huge pages");
	err = walk_map_anon(env, 2 * PMD_SIZE, WALK_RW);
	return err ?: walk_advise(env, WALK_BASE, env->len, MADV_HUGEPAGE);
}

static int walk_map_thp(struct walk_env *env, bool write)
{
	pmd_t *pmd;
	int err;

	err = walk_map_thp_absent(env);
	if (!err)
		err = walk_touch(WALK_BASE, write);
	if (err)
		return err;
	pmd = mm_find_pmd(env->mm, WALK_BASE);
	return pmd && pmd_trans_huge(*pmd) ? 0 : -ENOMEM;
}

int walk_install_thp(struct walk_env *env)
{
	return walk_map_thp(env, true);
}

int walk_install_huge_zero_page(struct walk_env *env)
{
	return walk_map_thp(env, false);
}

int walk_install_large_folio(struct walk_env *env)
{
	int err = walk_map_thp(env, true);

	if (err)
		return err;
	mmap_read_lock(env->mm);
	__split_huge_pmd(env->vma, mm_find_pmd(env->mm, WALK_BASE), WALK_BASE,
			 false);
	mmap_read_unlock(env->mm);
	return 0;
}

/* PTEs that are replaced by hand */

static void walk_put_back_pte(struct walk_env *env, unsigned int i)
{
	unsigned long addr = env->addr + i * PAGE_SIZE;
	spinlock_t *ptl; /* of @pte */
	pte_t *pte;

	pte = get_locked_pte(env->mm, addr, &ptl);
	if (!pte)
		return;
	if (pte_same(ptep_get(pte), env->new_pte[i])) {
		ptep_get_and_clear(env->mm, addr, pte);
		set_pte_at(env->mm, addr, pte, env->old_pte[i]);
	}
	pte_unmap_unlock(pte, ptl);
}

static void walk_undo_ptes(struct walk_env *env)
{
	unsigned int i;

	for (i = 0; i < env->nr_ptes; i++)
		walk_put_back_pte(env, i);
}

/* Replace the entry of each page of the walked part by what @make makes. */
int walk_replace_ptes(struct walk_env *env, walk_make_pte_fn make)
{
	unsigned int i;

	if (env->npages > WALK_MAX_PTES)
		return -E2BIG;
	for (i = 0; i < env->npages; i++) {
		unsigned long addr = env->addr + i * PAGE_SIZE;
		spinlock_t *ptl; /* of @pte */
		pte_t *pte;

		pte = get_locked_pte(env->mm, addr, &ptl);
		if (!pte)
			return -ENOMEM;
		/* Gone in between: arm64 warns of unsafe changes of a live one. */
		env->old_pte[i] = ptep_get_and_clear(env->mm, addr, pte);
		env->new_pte[i] = make(env, i, env->old_pte[i]);
		set_pte_at(env->mm, addr, pte, env->new_pte[i]);
		env->nr_ptes = i + 1;
		pte_unmap_unlock(pte, ptl);
	}
	env->undo = walk_undo_ptes;
	flush_tlb_mm(env->mm);
	return 0;
}

pte_t walk_make_wrprotected(struct walk_env *env, unsigned int i, pte_t old)
{
	return pte_wrprotect(old);
}

static pte_t walk_make_poison_marker(struct walk_env *env, unsigned int i,
				     pte_t old)
{
	return make_pte_marker(PTE_MARKER_POISONED);
}

/* The walked part holds pages of its own, each entry of them replaced. */
int walk_install_replaced(struct walk_env *env, walk_make_pte_fn make)
{
	int err = walk_install_page(env);

	return err ?: walk_replace_ptes(env, make);
}

int walk_install_page_ro(struct walk_env *env)
{
	return walk_install_replaced(env, walk_make_wrprotected);
}

int walk_install_poison_marker(struct walk_env *env)
{
	int err = walk_map_small(env, PMD_SIZE);

	return err ?: walk_replace_ptes(env, walk_make_poison_marker);
}

/*
 * Run on the CPUs of a node for the rest of the test. A NUMA hinting fault on
 * another node than that of the page may migrate the page, which then is no
 * longer writable: the entry that it was migrated from was not.
 */
static int __maybe_unused walk_stay_on_node(struct walk_env *env, int nid)
{
	if (cpumask_empty(cpumask_of_node(nid)))
		return walk_cannot(env, "the memory's node has no CPU");
	return set_cpus_allowed_ptr(current, cpumask_of_node(nid));
}

#ifdef CONFIG_ARCH_HAS_PTE_PROTNONE
static pte_t walk_make_protnone(struct walk_env *env, unsigned int i, pte_t old)
{
	return pte_modify(old, PAGE_NONE);
}

int walk_install_numa(struct walk_env *env)
{
	int err = walk_stay_on_node(env, numa_node_id());

	return err ?: walk_install_replaced(env, walk_make_protnone);
}
#else
int walk_install_numa(struct walk_env *env)
{
	return walk_cannot(env, "no PTEs without any access");
}
#endif

#ifdef CONFIG_MEMORY_FAILURE
static pte_t walk_make_hwpoison(struct walk_env *env, unsigned int i, pte_t old)
{
	struct folio *folio = pfn_folio(pte_pfn(old));
	pte_t pte;

	/* No one else has the page, so this does not wait for the lock. */
	if (!folio_trylock(folio))
		return old;
	pte = softleaf_to_pte(make_hwpoison_entry(pfn_to_page(pte_pfn(old))));
	folio_unlock(folio);
	return pte;
}

int walk_install_hwpoison(struct walk_env *env)
{
	return walk_install_replaced(env, walk_make_hwpoison);
}
#else
int walk_install_hwpoison(struct walk_env *env)
{
	return walk_cannot(env, "no memory failure handling");
}
#endif

/* Migration: the folio stays locked until its entry is put back */

void walk_unlock_folio(struct walk_env *env)
{
	struct folio *folio = env->folio;

	env->folio = NULL;
	if (folio)
		folio_unlock(folio);
}

static void walk_undo_migration(struct walk_env *env)
{
	walk_put_back(env, env->addr);
	walk_unlock_folio(env);
}

/* Lock the folio that is mapped at the start of the walked part. */
void walk_lock_folio(struct walk_env *env)
{
	unsigned long pfn;

	if (!walk_leaf(env->mm, env->addr, &pfn))
		return;
	env->folio = pfn_folio(pfn);
	folio_lock(env->folio);
}

#ifdef CONFIG_MIGRATION
static pte_t walk_make_migration(struct walk_env *env, unsigned int i,
				 pte_t old)
{
	return softleaf_to_pte(make_writable_migration_entry(pte_pfn(old)));
}

/* One page: a walk waits for one entry at a time. */
int walk_install_migration(struct walk_env *env)
{
	int err = walk_install_page(env);

	if (err)
		return err;
	walk_lock_folio(env);
	err = walk_replace_ptes(env, walk_make_migration);
	env->undo = walk_undo_migration;
	return err;
}
#else
int walk_install_migration(struct walk_env *env)
{
	return walk_cannot(env, "no migration of pages");
}
#endif

/* PMDs that are replaced by hand: the table deposited with the THP stays */

#ifdef CONFIG_ARCH_HAS_PMD_SOFTLEAVES
static void walk_put_back_pmd(struct walk_env *env)
{
	pmd_t *pmd = mm_find_pmd(env->mm, WALK_BASE);
	spinlock_t *ptl = pmd_lock(env->mm, pmd);

	if (pmd_same(*pmd, env->new_pmd))
		set_pmd_at(env->mm, WALK_BASE, pmd, env->old_pmd);
	spin_unlock(ptl);
}

/* @env->undo is set: the PMD of the mapping becomes what @make makes of it. */
int walk_replace_mapped_pmd(struct walk_env *env, walk_make_pmd_fn make)
{
	pmd_t *pmd = mm_find_pmd(env->mm, WALK_BASE);
	spinlock_t *ptl = pmd_lock(env->mm, pmd);

	env->old_pmd = *pmd;
	env->new_pmd = make(env, *pmd);
	set_pmd_at(env->mm, WALK_BASE, pmd, env->new_pmd);
	spin_unlock(ptl);
	flush_tlb_mm(env->mm);
	env->undo = walk_put_back_pmd;
	return 0;
}

/* The walked part lies in a THP, whose entry is replaced by what @make makes. */
int walk_replace_pmd(struct walk_env *env, walk_make_pmd_fn make)
{
	int err = walk_map_thp(env, true);

	return err ?: walk_replace_mapped_pmd(env, make);
}

pmd_t walk_make_pmd_wrprotected(struct walk_env *env, pmd_t old)
{
	return pmd_wrprotect(old);
}

static pmd_t walk_make_pmd_protnone(struct walk_env *env, pmd_t old)
{
	return pmd_modify(old, PAGE_NONE);
}

static pmd_t walk_make_pmd_migration(struct walk_env *env, pmd_t old)
{
	return softleaf_to_pmd(make_writable_migration_entry(pmd_pfn(old)));
}

int walk_install_thp_ro(struct walk_env *env)
{
	return walk_replace_pmd(env, walk_make_pmd_wrprotected);
}

/* A huge page may come from any node that has one. */
int walk_install_numa_pmd(struct walk_env *env)
{
	int err = walk_replace_pmd(env, walk_make_pmd_protnone);

	return err ?: walk_stay_on_node(env, pfn_to_nid(pmd_pfn(env->old_pmd)));
}

#ifdef CONFIG_X86
/* A table that is not writable, which none is. */
static pmd_t walk_make_pmd_bad(struct walk_env *env, pmd_t old)
{
	return __pmd(pmd_val(old) & ~(pmdval_t)(_PAGE_PSE | _PAGE_RW));
}

int walk_install_bad_pmd(struct walk_env *env)
{
	return walk_replace_pmd(env, walk_make_pmd_bad);
}
#else
int walk_install_bad_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no bad PMD known for this architecture");
}
#endif

int walk_install_migration_pmd(struct walk_env *env)
{
	int err = walk_map_thp(env, true);

	if (err)
		return err;
	walk_lock_folio(env);
	err = walk_replace_mapped_pmd(env, walk_make_pmd_migration);
	env->undo = walk_undo_migration;
	return err;
}
#else
static void walk_put_back_pmd(struct walk_env *env) { }

int walk_replace_mapped_pmd(struct walk_env *env, walk_make_pmd_fn make)
{
	return walk_cannot(env, "no transparent huge pages");
}

pmd_t walk_make_pmd_wrprotected(struct walk_env *env, pmd_t old)
{
	return old;
}

int walk_install_thp_ro(struct walk_env *env)
{
	return walk_cannot(env, "no transparent huge pages");
}

int walk_install_numa_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no transparent huge pages");
}

int walk_install_bad_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no transparent huge pages");
}

int walk_install_migration_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no migration of PMDs");
}
#endif /* CONFIG_ARCH_HAS_PMD_SOFTLEAVES */

void walk_put_back(struct walk_env *env, unsigned long addr)
{
	if (env->nr_ptes)
		walk_put_back_pte(env, (addr - env->addr) >> PAGE_SHIFT);
	else
		walk_put_back_pmd(env);
}

/* userfaultfd: a context that refuses to wait, so that a fault is an error */

#ifdef CONFIG_USERFAULTFD
static void walk_undo_uffd(struct walk_env *env)
{
	if (env->undo_before)
		env->undo_before(env);
	mmap_write_lock(env->mm);
	vm_flags_clear(env->vma, __VM_UFFD_FLAGS);
	env->vma->vm_userfaultfd_ctx = NULL_VM_UFFD_CTX;
	mmap_write_unlock(env->mm);
}

int walk_register_uffd(struct walk_env *env, vm_flags_t flags)
{
	struct userfaultfd_ctx *ctx;

	if (flags == VM_NONE)
		return walk_cannot(env, "no such mode of userfaultfd");
	ctx = kunit_kzalloc(env->test, sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	ctx->mm = env->mm;
	ctx->features = UFFD_FEATURE_SIGBUS;
	mmap_write_lock(env->mm);
	vm_flags_set(env->vma, flags);
	env->vma->vm_userfaultfd_ctx.ctx = ctx;
	mmap_write_unlock(env->mm);
	env->undo_before = env->undo;
	env->undo = walk_undo_uffd;
	return 0;
}

static pte_t walk_make_uffd_wp(struct walk_env *env, unsigned int i, pte_t old)
{
	return pte_mkuffd(old);
}

static pte_t walk_make_uffd_wp_marker(struct walk_env *env, unsigned int i,
				      pte_t old)
{
	return make_pte_marker(PTE_MARKER_UFFD_WP);
}

int walk_install_uffd_wp(struct walk_env *env)
{
	int err = walk_install_replaced(env, walk_make_uffd_wp);

	return err ?: walk_register_uffd(env, VM_UFFD_WP);
}

#ifdef CONFIG_USERFAULTFD_RWP
static pte_t walk_make_uffd_rwp(struct walk_env *env, unsigned int i, pte_t old)
{
	return pte_mkuffd(pte_modify(old, PAGE_NONE));
}

int walk_install_uffd_rwp(struct walk_env *env)
{
	int err = walk_install_replaced(env, walk_make_uffd_rwp);

	return err ?: walk_register_uffd(env, VM_UFFD_RWP);
}
#else
int walk_install_uffd_rwp(struct walk_env *env)
{
	return walk_cannot(env, "no such mode of userfaultfd");
}
#endif

#if defined(CONFIG_USERFAULTFD_RWP) && defined(CONFIG_ARCH_HAS_PMD_SOFTLEAVES)
static pmd_t walk_make_pmd_uffd_rwp(struct walk_env *env, pmd_t old)
{
	return pmd_mkuffd(pmd_modify(old, PAGE_NONE));
}

int walk_install_uffd_rwp_pmd(struct walk_env *env)
{
	int err = walk_replace_pmd(env, walk_make_pmd_uffd_rwp);

	return err ?: walk_register_uffd(env, VM_UFFD_RWP);
}
#else
int walk_install_uffd_rwp_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no such mode of userfaultfd");
}
#endif

int walk_install_uffd_wp_left_over(struct walk_env *env)
{
	int err = walk_map_small(env, PMD_SIZE);

	return err ?: walk_replace_ptes(env, walk_make_uffd_wp_marker);
}

int walk_install_uffd_wp_marker(struct walk_env *env)
{
	int err = walk_install_uffd_wp_left_over(env);

	return err ?: walk_register_uffd(env, VM_UFFD_WP);
}

int walk_install_uffd_missing(struct walk_env *env)
{
	int err = walk_install_pte_hole(env);

	return err ?: walk_register_uffd(env, VM_UFFD_MISSING);
}

#ifdef CONFIG_ARCH_HAS_PMD_SOFTLEAVES
static pmd_t walk_make_pmd_uffd_wp(struct walk_env *env, pmd_t old)
{
	return pmd_mkuffd(old);
}

int walk_install_uffd_wp_pmd(struct walk_env *env)
{
	int err = walk_replace_pmd(env, walk_make_pmd_uffd_wp);

	return err ?: walk_register_uffd(env, VM_UFFD_WP);
}
#else
int walk_install_uffd_wp_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no transparent huge pages");
}
#endif
#else /* CONFIG_USERFAULTFD */
int walk_register_uffd(struct walk_env *env, vm_flags_t flags)
{
	return walk_cannot(env, "no userfaultfd");
}

int walk_install_uffd_rwp_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no userfaultfd");
}

int walk_install_uffd_wp(struct walk_env *env)
{
	return walk_cannot(env, "no userfaultfd");
}

int walk_install_uffd_rwp(struct walk_env *env)
{
	return walk_cannot(env, "no userfaultfd");
}

int walk_install_uffd_wp_left_over(struct walk_env *env)
{
	return walk_cannot(env, "no userfaultfd");
}

int walk_install_uffd_wp_marker(struct walk_env *env)
{
	return walk_cannot(env, "no userfaultfd");
}

int walk_install_uffd_missing(struct walk_env *env)
{
	return walk_cannot(env, "no userfaultfd");
}

int walk_install_uffd_wp_pmd(struct walk_env *env)
{
	return walk_cannot(env, "no userfaultfd");
}
#endif /* CONFIG_USERFAULTFD */

/* Mappings that are special as a whole: present pages, other flags */

int walk_install_prot_none(struct walk_env *env)
{
	int err;

	if (IS_ENABLED(CONFIG_ARCH_HAS_PTE_PROTNONE))
		err = walk_install_numa(env);
	else
		err = walk_install_page(env);
	if (!err)
		walk_vm_flags(env, VM_NONE, VM_READ | VM_WRITE | VM_EXEC);
	return err;
}

int walk_install_no_read(struct walk_env *env)
{
	int err = walk_install_page(env);

	if (!err)
		walk_vm_flags(env, VM_NONE, VM_READ | VM_EXEC);
	return err;
}

int walk_install_read_only(struct walk_env *env)
{
	int err = walk_install_page_ro(env);

	if (!err)
		walk_vm_flags(env, VM_NONE, VM_WRITE);
	return err;
}

int walk_install_read_only_none(struct walk_env *env)
{
	int err = walk_map_small(env, PMD_SIZE);

	if (!err)
		walk_vm_flags(env, VM_NONE, VM_WRITE);
	return err;
}

int walk_install_io(struct walk_env *env)
{
	int err = walk_install_page(env);

	if (!err)
		walk_vm_flags(env, VM_IO, VM_NONE);
	return err;
}

static void walk_undo_shadow_stack(struct walk_env *env)
{
	walk_vm_flags(env, VM_NONE, VM_SHADOW_STACK);
}

/*
 * The flag alone: the processor that the tests run on need not have shadow
 * stacks, and none is asked to use this one.
 */
int walk_install_shadow_stack(struct walk_env *env)
{
	int err;

	if (VM_SHADOW_STACK == VM_NONE)
		return walk_cannot(env, "no shadow stacks");
	err = walk_install_page(env);
	if (err)
		return err;
	walk_vm_flags(env, VM_SHADOW_STACK, VM_NONE);
	env->undo = walk_undo_shadow_stack;
	return 0;
}

#if defined(CONFIG_SECRETMEM) && \
	(defined(CONFIG_X86_64) || defined(CONFIG_ARM64))
#include <asm/syscall.h>

/* There is no other way to such a file than the system call. */
static struct file *walk_secretmem_file(void)
{
	struct pt_regs regs = {};
	struct file *file;
	long fd;

	fd = sys_call_table[__NR_memfd_secret](&regs);
	if (fd < 0)
		return ERR_PTR(fd);
	file = fget(fd);
	close_fd(fd);
	return file;
}

int walk_install_secretmem(struct walk_env *env)
{
	struct file *file;
	int err;

	if (!can_set_direct_map())
		return walk_cannot(env, "the direct map cannot lack pages");
	file = walk_secretmem_file();
	if (IS_ERR_OR_NULL(file))
		return file ? PTR_ERR(file) : -EBADF;
	i_size_write(file_inode(file), PMD_SIZE);
	err = walk_map_file(env, file, PMD_SIZE, WALK_RW, MAP_SHARED);
	fput(file);
	return err ?: walk_touch_all(env, true);
}
#else
int walk_install_secretmem(struct walk_env *env)
{
	return walk_cannot(env, "no secretmem, or no way to call for it");
}
#endif
