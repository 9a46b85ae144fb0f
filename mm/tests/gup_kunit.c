// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of get_user_pages() and its relatives: what each function
 * returns, and who holds the mmap lock then, for entries that no struct page
 * belongs to and for faults that fail, ask for a retry or wait. The rules are
 * those of Documentation/core-api/get_user_pages.rst.
 *
 * Each test runs in a task and an mm of its own. Most of them map a file whose
 * fault handlers do what the test tells them, and record how they were called.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/debug_locks.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/ioport.h>
#include <linux/kthread.h>
#include <linux/leafops.h>
#include <linux/memblock.h>
#include <linux/memfd.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/percpu-refcount.h>
#include <linux/pgtable.h>
#include <linux/rmap.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include "../internal.h"
#include "mmap_lock.h"

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");

/* All mappings start here: aligned to a PUD, and alone in the mm. */
#define MAP_ADDR	(16 * PUD_SIZE)

#define MAX_FAULTS	4

/* What the fault handlers do about a page */
enum answer {
	ANSWER_SPECIAL,		/* insert a special entry of map->order */
	ANSWER_PAGE,		/* give map->page */
	ANSWER_RETRY,		/* once: ask for a retry, as the flags allow */
	ANSWER_KILL,		/* the same, after a SIGKILL to the caller */
	ANSWER_DROP,		/* drop the lock against the flags */
	ANSWER_ERROR,		/* map->error */
};

struct gup_map {
	struct kunit *test;
	struct file *file;

	unsigned int order;		/* of special entries */
	unsigned long pfn;		/* that MAP_ADDR maps, if special */
	bool same_pfn;			/* that of all special entries */
	struct page *page;		/* the first of a PMD of them */
	enum answer answer;
	enum answer later;		/* from page later_from on */
	pgoff_t later_from;
	vm_fault_t error;

	unsigned int faults;		/* answered */
	unsigned int flags[MAX_FAULTS];	/* vmf->flags of the first of them */
};

static void record(struct gup_map *map, struct vm_fault *vmf)
{
	if (map->faults < MAX_FAULTS)
		map->flags[map->faults] =
			vmf->flags & ~FAULT_FLAG_ORIG_PTE_VALID;
	map->faults++;
}

static vm_fault_t give_page(struct gup_map *map, struct vm_fault *vmf)
{
	get_page(map->page);
	vmf->page = map->page;
	return 0;
}

static vm_fault_t ask_for_retry(struct vm_fault *vmf)
{
	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY))
		return VM_FAULT_SIGBUS;
	if (!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		mmap_read_unlock(vmf->vma->vm_mm);
	return VM_FAULT_RETRY;
}

static vm_fault_t insert_special(struct gup_map *map, struct vm_fault *vmf)
{
	const bool write = vmf->flags & FAULT_FLAG_WRITE;
	unsigned long addr, pfn;

	addr = ALIGN_DOWN(vmf->address, PAGE_SIZE << map->order);
	pfn = map->pfn;
	if (!map->same_pfn)
		pfn += (addr - MAP_ADDR) >> PAGE_SHIFT;
	if (!map->order)
		return vmf_insert_mixed(vmf->vma, addr, pfn);
	if (map->order == PMD_ORDER)
		return vmf_insert_pfn_pmd(vmf, pfn, write);
	if (IS_ENABLED(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP))
		return vmf_insert_pfn_pud(vmf, pfn, write);
	return VM_FAULT_SIGBUS;
}

static vm_fault_t map_fault(struct vm_fault *vmf)
{
	struct gup_map *map = vmf->vma->vm_private_data;

	record(map, vmf);
	switch (vmf->pgoff < map->later_from ? map->answer : map->later) {
	case ANSWER_SPECIAL:
		return map->order ? VM_FAULT_SIGBUS : insert_special(map, vmf);
	case ANSWER_PAGE:
		return give_page(map, vmf);
	case ANSWER_RETRY:
		if (map->faults > 1)
			return give_page(map, vmf);
		return ask_for_retry(vmf);
	case ANSWER_KILL:
		send_sig(SIGKILL, current, 1);
		return ask_for_retry(vmf);
	case ANSWER_DROP:
		mmap_read_unlock(vmf->vma->vm_mm);
		return VM_FAULT_RETRY;
	case ANSWER_ERROR:
		return map->error;
	}
	return VM_FAULT_SIGBUS;
}

static vm_fault_t map_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct gup_map *map = vmf->vma->vm_private_data;

	if (map->answer != ANSWER_SPECIAL || order != map->order)
		return VM_FAULT_FALLBACK;
	record(map, vmf);
	return insert_special(map, vmf);
}

static const struct vm_operations_struct map_vm_ops = {
	.fault		= map_fault,
	.huge_fault	= map_huge_fault,
};

static int map_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &map_vm_ops;
	vma->vm_private_data = file->private_data;
	vm_flags_set(vma, VM_MIXEDMAP | VM_HUGEPAGE | VM_DONTEXPAND);
	return 0;
}

static const struct file_operations map_fops = {
	.mmap	= map_mmap,
};

KUNIT_DEFINE_ACTION_WRAPPER(put_file, fput, struct file *);

static void free_test_pages(void *page)
{
	__free_pages(page, PMD_ORDER);
}

static struct gup_map *new_map(struct kunit *test, enum answer answer)
{
	struct gup_map *map = kunit_kzalloc(test, sizeof(*map), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, map);
	map->test = test;
	map->answer = answer;
	map->later_from = ULONG_MAX;

	map->page = alloc_pages(GFP_KERNEL | __GFP_ZERO, PMD_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, map->page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   free_test_pages,
							   map->page));

	map->file = anon_inode_getfile("gup_kunit", &map_fops, map, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(map->file));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_file,
							   map->file));
	return map;
}

static void mmap_at(struct kunit *test, struct file *file, unsigned long size,
		    unsigned long prot, unsigned long flags)
{
	KUNIT_ASSERT_EQ(test, MAP_ADDR,
			kunit_vm_mmap(test, file, MAP_ADDR, size, prot,
				      flags | MAP_FIXED, 0));
}

static struct gup_map *new_shared_map(struct kunit *test, enum answer answer,
				      unsigned long nr_pages)
{
	struct gup_map *map = new_map(test, answer);

	mmap_at(test, map->file, nr_pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_SHARED);
	return map;
}

static void mmap_anon(struct kunit *test, unsigned long size)
{
	mmap_at(test, NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS);
}

/* As if nobody had touched the mapping */
static void forget(struct gup_map *map)
{
	struct mm_struct *mm = current->mm;

	mmap_read_lock(mm);
	zap_vma(vma_lookup(mm, MAP_ADDR));
	mmap_read_unlock(mm);
	map->faults = 0;
}

/* Each function that returns pages, and what its contract is about */
static const struct entry {
	const char *name;
	bool pin;
	bool lock;		/* the caller holds the mmap lock */
	bool locked;		/* and says in *locked that it may be dropped */
	bool fast;
} entries[] = {
	{ "get_user_pages", .lock = true },
	{ "get_user_pages_remote", .lock = true },
	{ "get_user_pages_remote_locked", .lock = true, .locked = true },
	{ "get_user_pages_unlocked" },
	{ "get_user_pages_fast", .fast = true },
	{ "pin_user_pages", .pin = true, .lock = true },
	{ "pin_user_pages_remote", .pin = true, .lock = true },
	{ "pin_user_pages_remote_locked", .pin = true, .lock = true,
	  .locked = true },
	{ "pin_user_pages_unlocked", .pin = true },
	{ "pin_user_pages_fast", .pin = true, .fast = true },
	{}
};

enum {
	GET, GET_REMOTE, GET_REMOTE_LOCKED, GET_UNLOCKED, GET_FAST,
	PIN, PIN_REMOTE, PIN_REMOTE_LOCKED, PIN_UNLOCKED, PIN_FAST,
};

static long call_entry(const struct entry *entry, unsigned long addr, long nr,
		       unsigned int flags, struct page **pages, int *locked)
{
	struct mm_struct *mm = current->mm;

	switch (entry - entries) {
	case GET:
		return get_user_pages(addr, nr, flags, pages);
	case GET_REMOTE:
	case GET_REMOTE_LOCKED:
		return get_user_pages_remote(mm, addr, nr, flags, pages,
					     entry->locked ? locked : NULL);
	case GET_UNLOCKED:
		return get_user_pages_unlocked(addr, nr, pages, flags);
	case GET_FAST:
		return get_user_pages_fast(addr, nr, flags, pages);
	case PIN:
		return pin_user_pages(addr, nr, flags, pages);
	case PIN_REMOTE:
	case PIN_REMOTE_LOCKED:
		return pin_user_pages_remote(mm, addr, nr, flags, pages,
					     entry->locked ? locked : NULL);
	case PIN_UNLOCKED:
		return pin_user_pages_unlocked(addr, nr, pages, flags);
	case PIN_FAST:
		return pin_user_pages_fast(addr, nr, flags, pages);
	}
	return -EOPNOTSUPP;
}

/*
 * Call a function with the lock that it wants, check that it leaves what it
 * says in *locked, and drop the rest.
 */
static long gup(struct kunit *test, const struct entry *entry,
		unsigned long addr, long nr, unsigned int flags,
		struct page **pages, int *locked)
{
	long ret;

	*locked = 1;
	if (entry->lock)
		mmap_read_lock(current->mm);
	ret = call_entry(entry, addr, nr, flags, pages, locked);
	if (entry->lock && *locked) {
		KUNIT_EXPECT_TRUE_MSG(test,
				      rwsem_is_locked(&current->mm->mmap_lock),
				      "%s dropped the lock", entry->name);
		mmap_read_unlock(current->mm);
	}
	KUNIT_EXPECT_TRUE_MSG(test, mmap_lock_is_free(current->mm), "%s kept the lock",
			      entry->name);
	return ret;
}

static void release(const struct entry *entry, struct page **pages, long nr)
{
	long i;

	for (i = 0; i < nr; i++) {
		if (entry->pin)
			unpin_user_page(pages[i]);
		else
			put_page(pages[i]);
	}
}

/* Call a function that is to return @want, and not to drop the lock. */
static void expect_gup(struct kunit *test, const struct entry *entry,
		       unsigned long addr, long nr, unsigned int flags,
		       long want)
{
	struct page *pages[8] = {};
	int locked;
	long ret;

	ret = gup(test, entry, addr, nr, flags, pages, &locked);
	KUNIT_EXPECT_EQ_MSG(test, ret, want, "%s, flags %#x", entry->name,
			    flags);
	KUNIT_EXPECT_EQ_MSG(test, locked, 1, "%s, flags %#x", entry->name,
			    flags);
	release(entry, pages, ret);
}

/* Special entries, at each level */

/* The orders are no constants on powerpc. */
enum depth {
	AT_PTE,
	AT_PMD,
	AT_PUD,
};

static const struct level {
	const char *name;
	enum depth depth;
} levels[] = {
	{ "pte", AT_PTE },
	{ "pmd", AT_PMD },
	{ "pud", AT_PUD },
};

KUNIT_ARRAY_PARAM_DESC(level, levels, name);

/* There is no anonymous memory in PUDs. */
static const struct level anon_levels[] = {
	{ "pte", AT_PTE },
	{ "pmd", AT_PMD },
};

KUNIT_ARRAY_PARAM_DESC(anon_level, anon_levels, name);

static unsigned int depth_order(enum depth depth)
{
	switch (depth) {
	case AT_PMD:
		return PMD_ORDER;
	case AT_PUD:
		return PUD_ORDER;
	default:
		return 0;
	}
}

static unsigned int level_order(struct kunit *test)
{
	const struct level *level = test->param_value;

	if (level->depth == AT_PMD &&
	    !IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP))
		kunit_skip(test, "no special PMDs here");
	if (level->depth == AT_PUD &&
	    !IS_ENABLED(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP))
		kunit_skip(test, "no special PUDs here");
	return depth_order(level->depth);
}

/*
 * Map @nr special leaves of the level of the test. map->page lies behind the
 * address that is returned: a function that takes the entry for one of a page
 * finds a page that the test knows.
 */
static unsigned long map_special(struct kunit *test, struct gup_map *map,
				 unsigned long nr, unsigned long prot,
				 unsigned long flags)
{
	const unsigned long pfn = page_to_pfn(map->page);

	map->order = level_order(test);
	map->pfn = ALIGN_DOWN(pfn, 1UL << map->order);
	mmap_at(test, map->file, nr * (PAGE_SIZE << map->order), prot, flags);
	return MAP_ADDR + (pfn - map->pfn) * PAGE_SIZE;
}

/* A pfn for special leaves of any order, where a look at its page oopses */
static unsigned long pfn_without_page(void)
{
	unsigned long pfn = ALIGN(max_pfn, 1UL << PUD_ORDER);

	while (pfn_valid(pfn))
		pfn += 1UL << PUD_ORDER;
	return pfn;
}

static void special_get(struct kunit *test)
{
	struct gup_map *map = new_map(test, ANSWER_SPECIAL);
	const struct entry *entry;
	unsigned long addr;

	addr = map_special(test, map, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
	for (entry = entries; entry->name; entry++) {
		expect_gup(test, entry, addr, 1, 0, -EFAULT);
		expect_gup(test, entry, addr, 1, FOLL_WRITE, -EFAULT);
		if (entry->pin)
			expect_gup(test, entry, addr, 1,
				   FOLL_LONGTERM | FOLL_WRITE, -EFAULT);
	}
	KUNIT_EXPECT_EQ(test, map->faults, 1);
	KUNIT_EXPECT_EQ(test, page_ref_count(map->page), 1);
}

/*
 * FOLL_FORCE makes the walk look whether it is an anonymous page that may not
 * be written to. A special entry is none; the fault has to decide. It copies
 * what a PTE maps, and splits a huge entry, after which ->fault() has nothing.
 */
static void special_force(struct kunit *test)
{
	struct gup_map *map = new_map(test, ANSWER_SPECIAL);
	const struct entry *unlocked = &entries[GET_UNLOCKED];
	unsigned long addr;

	addr = map_special(test, map, 1, PROT_READ, MAP_PRIVATE);
	if (map->order) {
		map->pfn = pfn_without_page();
		addr = MAP_ADDR;
	}
	expect_gup(test, unlocked, addr, 1, FOLL_FORCE, -EFAULT);
	KUNIT_EXPECT_EQ(test, map->faults, 1);
	expect_gup(test, unlocked, addr, 1, FOLL_FORCE | FOLL_WRITE,
		   map->order ? -EFAULT : 1);
	KUNIT_EXPECT_EQ(test, map->faults, map->order ? 2 : 1);
	KUNIT_EXPECT_EQ(test, page_ref_count(map->page), 1);
}

static struct page *dump_page_at(struct kunit *test, unsigned long addr)
{
	struct page *page;
	int locked = 1;

	mmap_read_lock(current->mm);
	page = get_dump_page(addr, &locked);
	if (locked)
		mmap_read_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(current->mm));
	return page;
}

static void special_dump(struct kunit *test)
{
	struct gup_map *map = new_map(test, ANSWER_SPECIAL);
	unsigned long addr;
	struct page *page;

	addr = map_special(test, map, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
	expect_gup(test, &entries[GET], addr, 1, 0, -EFAULT);
	KUNIT_EXPECT_EQ(test, map->faults, 1);
	page = dump_page_at(test, addr);
	KUNIT_EXPECT_NULL(test, page);
	if (page)
		put_page(page);
	KUNIT_EXPECT_EQ(test, page_ref_count(map->page), 1);
}

static long faultin(unsigned long start, unsigned long nr, bool write)
{
	int locked = 1;
	long ret;

	mmap_read_lock(current->mm);
	ret = faultin_page_range(current->mm, start, start + nr * PAGE_SIZE,
				 write, &locked);
	if (locked)
		mmap_read_unlock(current->mm);
	return ret;
}

static long populate(unsigned long start, unsigned long nr)
{
	struct vm_area_struct *vma;
	int locked = 1;
	long ret;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, start);
	ret = populate_vma_page_range(vma, start, start + nr * PAGE_SIZE,
				      &locked);
	if (locked)
		mmap_read_unlock(current->mm);
	return ret;
}

/* What KVM does for an asynchronous page fault */
static long async_fault(unsigned long addr, unsigned long nr)
{
	int locked = 1;
	long ret;

	mmap_read_lock(current->mm);
	ret = get_user_pages_remote(current->mm, addr, nr, FOLL_WRITE, NULL,
				    &locked);
	if (locked)
		mmap_read_unlock(current->mm);
	return ret;
}

/* Where no page is wanted, special entries are there as asked for. */
static void expect_populated(struct kunit *test, unsigned long addr, long nr)
{
	struct mm_struct *mm = current->mm;
	const size_t size = nr * PAGE_SIZE;

	KUNIT_EXPECT_EQ(test, faultin(addr, nr, false), nr);
	KUNIT_EXPECT_EQ(test, faultin(addr, nr, true), nr);
	KUNIT_EXPECT_EQ(test, populate(addr, nr), nr);
	KUNIT_EXPECT_EQ(test, async_fault(addr, nr), nr);
	KUNIT_EXPECT_EQ(test, do_madvise(mm, addr, size, MADV_POPULATE_READ),
			0);
	KUNIT_EXPECT_EQ(test, do_madvise(mm, addr, size, MADV_POPULATE_WRITE),
			0);
	/* mlock() and MAP_POPULATE */
	KUNIT_EXPECT_EQ(test, __mm_populate(addr, size, 0), 0);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(current->mm));
}

/*
 * GUP warns and fails if it grabs a page without references, which those behind
 * map->page are anyway. special_no_memmap looks whether it touches one.
 */
static void special_populate(struct kunit *test)
{
	struct gup_map *map = new_map(test, ANSWER_SPECIAL);
	unsigned long addr, end;

	addr = map_special(test, map, 4, PROT_READ | PROT_WRITE, MAP_SHARED) +
	       PAGE_SIZE;
	end = ALIGN(addr + 1, PAGE_SIZE << map->order) +
	      (PAGE_SIZE << map->order) + PAGE_SIZE;
	map->same_pfn = true;
	set_page_count(map->page, 0);
	kunit_warning_suppress(test) {
		/* To the end of a leaf, one whole, and one page of the next */
		expect_populated(test, addr, (end - addr) >> PAGE_SHIFT);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	set_page_count(map->page, 1);
	KUNIT_EXPECT_EQ(test, map->faults, 3);
}

static void special_no_memmap(struct kunit *test)
{
	struct gup_map *map = new_map(test, ANSWER_SPECIAL);
	const struct entry *entry;

	map_special(test, map, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
	map->pfn = pfn_without_page();
	expect_populated(test, MAP_ADDR, 1);
	for (entry = entries; entry->name; entry++)
		expect_gup(test, entry, MAP_ADDR, 1, FOLL_WRITE, -EFAULT);
	KUNIT_EXPECT_EQ(test, map->faults, 1);
}

/* The entry at MAP_ADDR, of the level of the test */
union leaf {
	pud_t *pud;
	pmd_t *pmd;
	pte_t *pte;
};

static union leaf find_leaf(unsigned int order)
{
	pgd_t *pgd = pgd_offset(current->mm, MAP_ADDR);
	union leaf leaf;

	leaf.pud = pud_offset(p4d_offset(pgd, MAP_ADDR), MAP_ADDR);
	if (order < PUD_ORDER)
		leaf.pmd = pmd_offset(leaf.pud, MAP_ADDR);
	if (order < PMD_ORDER)
		leaf.pte = pte_offset_kernel(leaf.pmd, MAP_ADDR);
	return leaf;
}

/*
 * By way of no entry: what is live may only be changed in ways that do not race
 * with the hardware, and arm64 warns of others.
 */
static void make_old_and_clean(union leaf leaf, unsigned int order)
{
	struct mm_struct *mm = current->mm;

#ifdef CONFIG_ARCH_SUPPORTS_PUD_PFNMAP
	if (order == PUD_ORDER) {
		pud_t pud = pudp_huge_get_and_clear(mm, MAP_ADDR, leaf.pud);

		set_pud_at(mm, MAP_ADDR, leaf.pud, pud_mkclean(pud_mkold(pud)));
	}
#endif
	if (order == PMD_ORDER) {
		pmd_t pmd = pmdp_huge_get_and_clear(mm, MAP_ADDR, leaf.pmd);

		set_pmd_at(mm, MAP_ADDR, leaf.pmd, pmd_mkclean(pmd_mkold(pmd)));
	}
	if (!order) {
		pte_t pte = ptep_get_and_clear(mm, MAP_ADDR, leaf.pte);

		set_pte_at(mm, MAP_ADDR, leaf.pte, pte_mkclean(pte_mkold(pte)));
	}
}

static void expect_leaf(struct kunit *test, union leaf leaf,
			unsigned int order, bool young, bool dirty)
{
#ifdef CONFIG_ARCH_SUPPORTS_PUD_PFNMAP
	if (order == PUD_ORDER) {
		KUNIT_EXPECT_EQ(test, !!pud_young(*leaf.pud), young);
		KUNIT_EXPECT_EQ(test, !!pud_dirty(*leaf.pud), dirty);
	}
#endif
	if (order == PMD_ORDER) {
		KUNIT_EXPECT_EQ(test, !!pmd_young(*leaf.pmd), young);
		KUNIT_EXPECT_EQ(test, !!pmd_dirty(*leaf.pmd), dirty);
	}
	if (!order) {
		KUNIT_EXPECT_EQ(test, !!pte_young(ptep_get(leaf.pte)), young);
		KUNIT_EXPECT_EQ(test, !!pte_dirty(ptep_get(leaf.pte)), dirty);
	}
}

static void special_touch(struct kunit *test)
{
	struct gup_map *map = new_map(test, ANSWER_SPECIAL);
	union leaf leaf;

	map_special(test, map, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
	KUNIT_ASSERT_EQ(test, faultin(MAP_ADDR, 1, true), 1);
	leaf = find_leaf(map->order);

	/*
	 * To read a huge leaf makes it young only where the hardware does not,
	 * see pmdp_set_access_flags().
	 */
	make_old_and_clean(leaf, map->order);
	expect_leaf(test, leaf, map->order, false, false);
	KUNIT_EXPECT_EQ(test, faultin(MAP_ADDR, 1, false), 1);
	if (!map->order)
		expect_leaf(test, leaf, map->order, true, false);

	make_old_and_clean(leaf, map->order);
	KUNIT_EXPECT_EQ(test, faultin(MAP_ADDR, 1, true), 1);
	expect_leaf(test, leaf, map->order, true, true);
	KUNIT_EXPECT_EQ(test, map->faults, 1);
}

/* The zero pages are special as well, but GUP hands them out. */

static void expect_zero_page(struct kunit *test, bool huge)
{
	const struct entry *get = &entries[GET_UNLOCKED];
	const struct entry *pin = &entries[PIN_UNLOCKED];
	struct page *page;
	int locked;

	KUNIT_ASSERT_EQ(test, 1, gup(test, get, MAP_ADDR, 1, 0, &page,
				     &locked));
	if (huge && !is_huge_zero_folio(page_folio(page))) {
		put_page(page);
		kunit_skip(test, "no huge zero page");
	}
	KUNIT_EXPECT_TRUE(test, huge || is_zero_page(page));
	put_page(page);

	KUNIT_EXPECT_NULL(test, dump_page_at(test, MAP_ADDR));
	KUNIT_EXPECT_EQ(test, 8, faultin(MAP_ADDR, 8, false));

	/* A long-term pin must see what is written later: no zero page. */
	KUNIT_ASSERT_EQ(test, 1, gup(test, pin, MAP_ADDR, 1, FOLL_LONGTERM,
				     &page, &locked));
	KUNIT_EXPECT_FALSE(test, is_zero_page(page));
	KUNIT_EXPECT_FALSE(test, is_huge_zero_folio(page_folio(page)));
	unpin_user_page(page);
}

static void zero_page(struct kunit *test)
{
	mmap_anon(test, 8 * PAGE_SIZE);
	expect_zero_page(test, false);
}

static void huge_zero_page(struct kunit *test)
{
	mmap_anon(test, PMD_SIZE);
	KUNIT_ASSERT_EQ(test, 0, do_madvise(current->mm, MAP_ADDR, PMD_SIZE,
					    MADV_HUGEPAGE));
	expect_zero_page(test, true);
}

/* Fault flags, retries and the lock */

#define RETRY	FAULT_FLAG_ALLOW_RETRY
#define KILL	FAULT_FLAG_KILLABLE
#define INT	FAULT_FLAG_INTERRUPTIBLE
#define NOWAIT	FAULT_FLAG_RETRY_NOWAIT
#define REMOTE	FAULT_FLAG_REMOTE
#define TRIED	FAULT_FLAG_TRIED

/*
 * What the fault is told for what the caller allows. The caller allows
 * FOLL_UNLOCKABLE with *locked or by the _unlocked functions, FOLL_REMOTE by
 * the _remote functions, and FOLL_TRIED after a retry that dropped the lock,
 * which takes FOLL_UNLOCKABLE without FOLL_NOWAIT.
 */
static const struct fault_flags {
	unsigned int entry;
	unsigned int foll;
	unsigned int first;
	unsigned int second;		/* 0: no second fault */
} fault_flags_table[] = {
	{ GET, 0, 0, 0 },
	{ GET, FOLL_INTERRUPTIBLE, 0, 0 },
	{ GET, FOLL_NOWAIT, RETRY | NOWAIT, 0 },
	{ GET, FOLL_NOWAIT | FOLL_INTERRUPTIBLE, RETRY | NOWAIT, 0 },
	{ GET_REMOTE, 0, REMOTE, 0 },
	{ GET_REMOTE, FOLL_INTERRUPTIBLE, REMOTE, 0 },
	{ GET_REMOTE, FOLL_NOWAIT, REMOTE | RETRY | NOWAIT, 0 },
	{ GET_REMOTE, FOLL_NOWAIT | FOLL_INTERRUPTIBLE,
	  REMOTE | RETRY | NOWAIT, 0 },
	{ GET_UNLOCKED, 0, RETRY | KILL, RETRY | KILL | TRIED },
	{ GET_UNLOCKED, FOLL_INTERRUPTIBLE, RETRY | KILL | INT,
	  RETRY | KILL | INT | TRIED },
	{ GET_UNLOCKED, FOLL_NOWAIT, RETRY | NOWAIT, 0 },
	{ GET_UNLOCKED, FOLL_NOWAIT | FOLL_INTERRUPTIBLE, RETRY | NOWAIT, 0 },
	{ GET_REMOTE_LOCKED, 0, REMOTE | RETRY | KILL,
	  REMOTE | RETRY | KILL | TRIED },
	{ GET_REMOTE_LOCKED, FOLL_INTERRUPTIBLE, REMOTE | RETRY | KILL | INT,
	  REMOTE | RETRY | KILL | INT | TRIED },
	{ GET_REMOTE_LOCKED, FOLL_NOWAIT, REMOTE | RETRY | NOWAIT, 0 },
	{ GET_REMOTE_LOCKED, FOLL_NOWAIT | FOLL_INTERRUPTIBLE,
	  REMOTE | RETRY | NOWAIT, 0 },
};

static void fault_flags_desc(const struct fault_flags *row, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s%s%s",
		 entries[row->entry].name,
		 row->foll & FOLL_NOWAIT ? " nowait" : "",
		 row->foll & FOLL_INTERRUPTIBLE ? " interruptible" : "");
}

KUNIT_ARRAY_PARAM(fault_flags, fault_flags_table, fault_flags_desc);

static void expect_fault_flags(struct kunit *test, struct gup_map *map,
			       const struct fault_flags *row, bool write)
{
	const unsigned int extra = write ? FAULT_FLAG_WRITE : 0;
	const struct entry *entry = &entries[row->entry];
	struct page *page;
	int locked;
	long ret;

	ret = gup(test, entry, MAP_ADDR, 1, row->foll | (write ? FOLL_WRITE : 0),
		  &page, &locked);
	KUNIT_EXPECT_EQ(test, ret, row->first & NOWAIT ? 0 : 1);
	release(entry, &page, ret);

	KUNIT_EXPECT_EQ(test, map->flags[0], row->first | extra);
	KUNIT_EXPECT_EQ(test, map->faults, row->second ? 2 : 1);
	if (row->second)
		KUNIT_EXPECT_EQ(test, map->flags[1], row->second | extra);
	if (entry->locked)
		KUNIT_EXPECT_EQ(test, locked, row->second ? 0 : 1);
}

static void fault_flags(struct kunit *test)
{
	const struct fault_flags *row = test->param_value;
	struct gup_map *map = new_shared_map(test, ANSWER_RETRY, 1);

	if (!(row->first & RETRY))
		map->answer = ANSWER_PAGE;
	expect_fault_flags(test, map, row, false);
	forget(map);
	expect_fault_flags(test, map, row, true);
}

/* A fault handler that drops the lock though FOLL_NOWAIT was given is told. */
static void nowait_keeps_lock(struct kunit *test)
{
	struct mm_struct *mm;
	struct page *page;
	int locked = 1;
	long ret;

	new_shared_map(test, ANSWER_DROP, 1);
	mm = current->mm;
	kunit_warning_suppress(test) {
		mmap_read_lock(mm);
		ret = get_user_pages_remote(mm, MAP_ADDR, 1, FOLL_NOWAIT,
					    &page, &locked);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, locked, 0);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(current->mm));
}

/* fixup_user_fault() does not know how not to wait. */
static void fixup_waits(struct kunit *test)
{
	struct gup_map *map = new_shared_map(test, ANSWER_PAGE, 1);
	struct mm_struct *mm = current->mm;
	bool unlocked = false;

	mmap_read_lock(mm);
	KUNIT_EXPECT_EQ(test, 0, fixup_user_fault(mm, MAP_ADDR, NOWAIT,
						  &unlocked));
	mmap_read_unlock(mm);
	KUNIT_EXPECT_FALSE(test, unlocked);
	KUNIT_EXPECT_EQ(test, map->flags[0], RETRY | KILL);

	forget(map);
	mmap_read_lock(mm);
	KUNIT_EXPECT_EQ(test, 0, fixup_user_fault(mm, MAP_ADDR, 0, NULL));
	mmap_read_unlock(mm);
	KUNIT_EXPECT_EQ(test, map->flags[0], 0);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(mm));
}

/* A fault drops the lock by mmap_read_unlock(): it has to be held that way. */
static void unlockable_for_read(struct kunit *test)
{
	const bool checked = IS_ENABLED(CONFIG_LOCKDEP) && debug_locks;
	struct mm_struct *mm;
	struct page *page;
	int locked = 1;

	new_shared_map(test, ANSWER_PAGE, 1);
	mm = current->mm;
	mmap_write_lock(mm);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, 1, get_user_pages_remote(mm, MAP_ADDR, 1,
							       0, &page, NULL));
		put_page(page);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
		KUNIT_EXPECT_EQ(test, 1, get_user_pages_remote(mm, MAP_ADDR, 1,
							       0, &page,
							       &locked));
		put_page(page);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, checked);
	}
	mmap_write_unlock(mm);
	KUNIT_EXPECT_EQ(test, locked, 1);
}

/* faultin_page_range() wants to be told about a lock that it may drop. */
/* The lock may be held or not: that is not looked at before *locked is. */
static void expect_faultin_refuses(struct kunit *test, int value)
{
	int locked = value;
	long ret;

	kunit_warning_suppress(test) {
		ret = faultin_page_range(current->mm, MAP_ADDR,
					 MAP_ADDR + PAGE_SIZE, false, &locked);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	KUNIT_EXPECT_EQ(test, locked, value);
}

static void faultin_locked(struct kunit *test)
{
	struct gup_map *map = new_shared_map(test, ANSWER_PAGE, 1);

	expect_faultin_refuses(test, 0);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(current->mm));
	mmap_read_lock(current->mm);
	expect_faultin_refuses(test, 2);
	expect_faultin_refuses(test, -1);
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(current->mm));
	KUNIT_EXPECT_EQ(test, map->faults, 0);
}

static void faultin_locked_null(struct kunit *test)
{
	long ret;

	new_shared_map(test, ANSWER_PAGE, 1);
	mmap_read_lock(current->mm);
	kunit_warning_suppress(test) {
		ret = faultin_page_range(current->mm, MAP_ADDR,
					 MAP_ADDR + PAGE_SIZE, false, NULL);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(current->mm));
}

static void faultin_drops_lock(struct kunit *test)
{
	struct gup_map *map = new_shared_map(test, ANSWER_RETRY, 1);
	int locked = 1;

	mmap_read_lock(current->mm);
	KUNIT_EXPECT_EQ(test, 1, faultin_page_range(current->mm, MAP_ADDR,
						    MAP_ADDR + PAGE_SIZE,
						    false, &locked));
	KUNIT_EXPECT_EQ(test, locked, 0);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(current->mm));
	KUNIT_EXPECT_EQ(test, map->faults, 2);
}

/* So does populate_vma_page_range(), if it may drop the lock. */
static void populate_locked(struct kunit *test)
{
	struct gup_map *map = new_shared_map(test, ANSWER_PAGE, 1);
	static const int bad[] = { 0, 2, -1 };
	struct vm_area_struct *vma;
	unsigned int i;
	long ret;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, MAP_ADDR);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		int locked = bad[i];

		kunit_warning_suppress(test) {
			ret = populate_vma_page_range(vma, MAP_ADDR,
						      MAP_ADDR + PAGE_SIZE,
						      &locked);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		}
		KUNIT_EXPECT_EQ(test, ret, -EINVAL);
		KUNIT_EXPECT_EQ(test, locked, bad[i]);
	}
	KUNIT_EXPECT_EQ(test, map->faults, 0);
	KUNIT_EXPECT_EQ(test, 1, populate_vma_page_range(vma, MAP_ADDR,
							 MAP_ADDR + PAGE_SIZE,
							 NULL));
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(current->mm));
}

/* A dump may drop the lock, that of its caller and its own. */
static struct page *dump_locked(struct kunit *test, struct gup_map *map,
				int locked)
{
	struct page *page;

	forget(map);
	if (locked)
		mmap_read_lock(current->mm);
	page = get_dump_page(MAP_ADDR, &locked);
	KUNIT_EXPECT_EQ(test, locked, 0);
	if (locked)
		mmap_read_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(current->mm));
	KUNIT_EXPECT_EQ(test, map->flags[0], RETRY | KILL);
	return page;
}

static void dump_drops_lock(struct kunit *test)
{
	struct gup_map *map = new_shared_map(test, ANSWER_RETRY, 1);
	struct page *page;
	int locked;

	for (locked = 0; locked <= 1; locked++) {
		page = dump_locked(test, map, locked);
		KUNIT_EXPECT_PTR_EQ(test, page, map->page);
		if (page)
			put_page(page);
		KUNIT_EXPECT_EQ(test, map->faults, 2);
		KUNIT_EXPECT_EQ(test, map->flags[1], RETRY | KILL | TRIED);
	}
}

/* Bad numbers and bad flags */

static void expect_no_pages(struct kunit *test, const struct entry *entry,
			    unsigned long addr, long nr)
{
	struct page *const unset = ERR_PTR(-ENODATA);
	struct page *pages[8];
	unsigned int i;
	int locked;

	for (i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = unset;
	KUNIT_EXPECT_EQ_MSG(test, 0, gup(test, entry, addr, nr, FOLL_WRITE,
					 pages, &locked),
			    "%s of %ld pages", entry->name, nr);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		if (pages[i] == unset)
			continue;
		KUNIT_FAIL(test, "%s of %ld pages stored page %u", entry->name,
			   nr, i);
		release(entry, &pages[i], 1);
	}
}

static void no_pages(struct kunit *test)
{
	const struct entry *entry;

	mmap_anon(test, PAGE_SIZE);
	expect_gup(test, &entries[GET_UNLOCKED], MAP_ADDR, 1, FOLL_WRITE, 1);
	for (entry = entries; entry->name; entry++) {
		expect_no_pages(test, entry, MAP_ADDR, 0);
		expect_no_pages(test, entry, MAP_ADDR, -1);
		expect_no_pages(test, entry, MAP_ADDR, INT_MIN);
		/* No walk: it makes no difference whether there is a vma. */
		expect_no_pages(test, entry, MAP_ADDR + PAGE_SIZE, 0);
		expect_no_pages(test, entry, 0, -1);
		if (!entry->fast)
			expect_no_pages(test, entry, MAP_ADDR, LONG_MIN);
	}
	KUNIT_EXPECT_EQ(test, 0, faultin(MAP_ADDR, 0, true));
	KUNIT_EXPECT_EQ(test, 0, populate(MAP_ADDR, 0));
	KUNIT_EXPECT_EQ(test, 0, async_fault(MAP_ADDR, 0));
}

static void no_pages_fast_only(struct kunit *test)
{
	struct page *page = NULL;

	mmap_anon(test, PAGE_SIZE);
	expect_gup(test, &entries[GET_UNLOCKED], MAP_ADDR, 1, FOLL_WRITE, 1);
	KUNIT_EXPECT_EQ(test, 0, get_user_pages_fast_only(MAP_ADDR, 0, 0,
							  &page));
	KUNIT_EXPECT_EQ(test, 0, get_user_pages_fast_only(MAP_ADDR, -1, 0,
							  &page));
	KUNIT_EXPECT_NULL(test, page);
	if (page)
		put_page(page);
}

static void expect_bad(struct kunit *test, const struct entry *entry,
		       unsigned int flags, struct page **pages, int locked)
{
	long ret;

	if (entry->lock)
		mmap_read_lock(current->mm);
	kunit_warning_suppress(test) {
		ret = call_entry(entry, MAP_ADDR, 1, flags, pages, &locked);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	if (entry->lock)
		mmap_read_unlock(current->mm);
	KUNIT_EXPECT_EQ_MSG(test, ret, -EINVAL, "%s, flags %#x", entry->name,
			    flags);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(current->mm));
}

static void bad_flags(struct kunit *test)
{
	static const unsigned int internal[] = {
		FOLL_TOUCH, FOLL_TRIED, FOLL_REMOTE, FOLL_PIN, FOLL_FAST_ONLY,
		FOLL_UNLOCKABLE, FOLL_MADV_POPULATE,
	};
	const struct entry *entry;
	struct page *pages[1];
	unsigned int i;

	mmap_anon(test, PAGE_SIZE);
	for (entry = entries; entry->name; entry++) {
		for (i = 0; i < ARRAY_SIZE(internal); i++)
			expect_bad(test, entry, internal[i], pages, 1);
		if (entry->pin) {
			expect_bad(test, entry, FOLL_GET, pages, 1);
			expect_bad(test, entry, FOLL_LONGTERM |
				   FOLL_PCI_P2PDMA, pages, 1);
			expect_bad(test, entry, 0, NULL, 1);
		} else {
			expect_bad(test, entry, FOLL_LONGTERM, pages, 1);
			expect_bad(test, entry, FOLL_GET, NULL, 1);
		}
		if (entry->locked) {
			expect_bad(test, entry, 0, pages, 0);
			expect_bad(test, entry, 0, pages, 2);
		}
		if (entry->fast)
			expect_bad(test, entry, FOLL_NOWAIT, pages, 1);
	}
}

/* And flags that are not bad: each alone, and with the one for writing */
static void good_flags(struct kunit *test)
{
	static const struct {
		unsigned int flag;
		bool not_fast;
		bool pin_only;
	} legal[] = {
		{ 0 }, { FOLL_FORCE }, { FOLL_NOFAULT }, { FOLL_PCI_P2PDMA },
		{ FOLL_HONOR_NUMA_FAULT },
		{ FOLL_NOWAIT, .not_fast = true },
		{ FOLL_HWPOISON, .not_fast = true },
		{ FOLL_ANON, .not_fast = true },
		{ FOLL_DUMP, .not_fast = true },
		{ FOLL_INTERRUPTIBLE, .not_fast = true },
		{ FOLL_INTERRUPTIBLE | FOLL_NOWAIT, .not_fast = true },
		{ FOLL_LONGTERM, .pin_only = true },
	};
	const struct entry *entry;
	unsigned int i;

	mmap_anon(test, PAGE_SIZE);
	expect_gup(test, &entries[GET_UNLOCKED], MAP_ADDR, 1, FOLL_WRITE, 1);
	for (entry = entries; entry->name; entry++) {
		for (i = 0; i < ARRAY_SIZE(legal); i++) {
			if ((entry->fast && legal[i].not_fast) ||
			    (!entry->pin && legal[i].pin_only))
				continue;
			expect_gup(test, entry, MAP_ADDR, 1, legal[i].flag, 1);
			expect_gup(test, entry, MAP_ADDR, 1,
				   legal[i].flag | FOLL_WRITE, 1);
		}
		if (!entry->pin)
			expect_gup(test, entry, MAP_ADDR, 1, FOLL_GET, 1);
	}
}

/* Errors, after some pages and after none */

/* Kernel threads get no signals unless they ask for them. */
static void be_mortal(void)
{
	allow_signal(SIGKILL);
}

static void revive(void)
{
	flush_signals(current);
	disallow_signal(SIGKILL);
}

static const struct partial {
	const char *name;
	enum answer answer;
	vm_fault_t error;
	unsigned int foll;
	long want;
} partials[] = {
	{ "special", ANSWER_SPECIAL, 0, 0, -EFAULT },
	{ "sigbus", ANSWER_ERROR, VM_FAULT_SIGBUS, 0, -EFAULT },
	{ "sigsegv", ANSWER_ERROR, VM_FAULT_SIGSEGV, 0, -EFAULT },
	{ "oom", ANSWER_ERROR, VM_FAULT_OOM, 0, -ENOMEM },
	{ "poison", ANSWER_ERROR, VM_FAULT_HWPOISON, 0, -EFAULT },
	{ "poison told", ANSWER_ERROR, VM_FAULT_HWPOISON, FOLL_HWPOISON,
	  -EHWPOISON },
	{ "not to be faulted", ANSWER_PAGE, 0, FOLL_NOFAULT, -EFAULT },
	{ "nowait", ANSWER_RETRY, 0, FOLL_NOWAIT, 0 },
};

KUNIT_ARRAY_PARAM_DESC(partial, partials, name);

/* Two pages are there, the third makes the error. */
static void expect_partial(struct kunit *test, struct gup_map *map,
			   const struct entry *entry)
{
	const struct partial *row = test->param_value;

	forget(map);
	expect_gup(test, &entries[GET], MAP_ADDR, 2, 0, 2);
	map->faults = 0;
	expect_gup(test, entry, MAP_ADDR, 4, row->foll, 2);
	map->faults = 0;
	expect_gup(test, entry, MAP_ADDR + 2 * PAGE_SIZE, 2, row->foll,
		   row->want);
	/* The test's own, and two mappings */
	KUNIT_EXPECT_EQ(test, page_ref_count(map->page), 3);
}

static void partial(struct kunit *test)
{
	const struct partial *row = test->param_value;
	struct gup_map *map = new_map(test, ANSWER_PAGE);
	const struct entry *entry;

	map->later_from = 2;
	map->later = row->answer;
	map->error = row->error;
	/* A special page 2 must not be the page that the others are. */
	map->pfn = pfn_without_page();
	mmap_at(test, map->file, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_SHARED);
	for (entry = entries; entry->name; entry++) {
		/* The _fast functions know few flags. */
		if (!entry->fast || !(row->foll & (FOLL_HWPOISON | FOLL_NOWAIT)))
			expect_partial(test, map, entry);
	}
}

static void partial_no_vma(struct kunit *test)
{
	const struct entry *entry;

	new_shared_map(test, ANSWER_PAGE, 2);
	for (entry = entries; entry->name; entry++) {
		expect_gup(test, entry, MAP_ADDR, 4, 0, 2);
		expect_gup(test, entry, MAP_ADDR + 2 * PAGE_SIZE, 2, 0,
			   -EFAULT);
	}
}

/* Killed while the fault waits: the lock was dropped and is not taken again. */
static void killed_fault(struct kunit *test)
{
	static const unsigned int may_drop[] = {
		GET_REMOTE_LOCKED, GET_UNLOCKED, GET_FAST,
		PIN_REMOTE_LOCKED, PIN_UNLOCKED, PIN_FAST,
	};
	struct gup_map *map = new_shared_map(test, ANSWER_PAGE, 4);
	struct page *pages[4];
	unsigned int i;
	int locked;
	long ret;

	map->later_from = 2;
	map->later = ANSWER_KILL;
	for (i = 0; i < ARRAY_SIZE(may_drop); i++) {
		const struct entry *entry = &entries[may_drop[i]];

		be_mortal();
		ret = gup(test, entry, MAP_ADDR, 4, 0, pages, &locked);
		revive();
		KUNIT_EXPECT_EQ_MSG(test, ret, 2, "%s", entry->name);
		KUNIT_EXPECT_EQ(test, locked, !entry->locked);
		release(entry, pages, ret);

		be_mortal();
		ret = gup(test, entry, MAP_ADDR + 2 * PAGE_SIZE, 2, 0, pages,
			  &locked);
		revive();
		KUNIT_EXPECT_EQ_MSG(test, ret, -EINTR, "%s", entry->name);
		KUNIT_EXPECT_EQ(test, locked, !entry->locked);
	}
}

static void dump_killed(struct kunit *test)
{
	struct gup_map *map = new_shared_map(test, ANSWER_KILL, 1);
	int locked;

	for (locked = 0; locked <= 1; locked++) {
		be_mortal();
		KUNIT_EXPECT_NULL(test, dump_locked(test, map, locked));
		revive();
		KUNIT_EXPECT_EQ(test, map->faults, 1);
	}
}

/* A task that holds the mmap lock for writing */
struct holder {
	struct mm_struct *mm;
	struct completion held;
	struct completion drop;
	struct completion dropped;
};

static int hold_lock(void *data)
{
	struct holder *holder = data;

	mmap_write_lock(holder->mm);
	complete(&holder->held);
	wait_for_completion(&holder->drop);
	mmap_write_unlock(holder->mm);
	complete(&holder->dropped);
	return 0;
}

static void killed_wait(struct kunit *test)
{
	static const unsigned int may_wait[] = {
		GET_UNLOCKED, GET_FAST, PIN_UNLOCKED, PIN_FAST,
	};
	struct holder holder = {};
	struct page *pages[1];
	unsigned int i;
	int locked = 0;

	mmap_anon(test, PAGE_SIZE);
	holder.mm = current->mm;
	init_completion(&holder.held);
	init_completion(&holder.drop);
	init_completion(&holder.dropped);
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(hold_lock, &holder,
						    "gup_holder")));
	wait_for_completion(&holder.held);
	be_mortal();
	send_sig(SIGKILL, current, 1);
	for (i = 0; i < ARRAY_SIZE(may_wait); i++) {
		const struct entry *entry = &entries[may_wait[i]];

		KUNIT_EXPECT_EQ_MSG(test, -EINTR,
				    call_entry(entry, MAP_ADDR, 1, 0, pages,
					       NULL),
				    "%s", entry->name);
	}
	KUNIT_EXPECT_NULL(test, get_dump_page(MAP_ADDR, &locked));
	KUNIT_EXPECT_EQ(test, locked, 0);
	revive();
	complete(&holder.drop);
	wait_for_completion(&holder.dropped);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(current->mm));
}

/* A ->fault() that returns what only a ->huge_fault() may */
static void unexpected_fault(struct kunit *test)
{
	struct gup_map *map = new_shared_map(test, ANSWER_ERROR, 1);

	map->error = VM_FAULT_FALLBACK;
	kunit_warning_suppress(test) {
		expect_gup(test, &entries[GET_UNLOCKED], MAP_ADDR, 1, 0,
			   -EFAULT);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
}

static void unexpected_fixup(struct kunit *test)
{
	struct gup_map *map = new_shared_map(test, ANSWER_ERROR, 1);
	bool unlocked = false;

	map->error = VM_FAULT_FALLBACK;
	mmap_read_lock(current->mm);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, -EFAULT,
				fixup_user_fault(current->mm, MAP_ADDR, 0,
						 &unlocked));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_FALSE(test, unlocked);
}

/* Entries that are populated and not present */

#define PATTERN		0x5a

/* A task that ends a migration when somebody waits for it, or was told to */
struct migration {
	struct folio *folio;
	bool end;
	struct completion ended;
};

static int end_migration(void *data)
{
	struct migration *migration = data;
	struct folio *folio = migration->folio;

	while (!READ_ONCE(migration->end) && !folio_test_waiters(folio))
		usleep_range(100, 200);
	remove_migration_ptes(folio, folio, 0);
	folio_unlock(folio);
	complete(&migration->ended);
	return 0;
}

/* An anonymous folio of a level at MAP_ADDR, with a reference */
static struct folio *anon_folio(struct kunit *test, const struct level *level)
{
	const unsigned int order = depth_order(level->depth);
	const unsigned long size = PAGE_SIZE << order;
	struct folio *folio;
	struct page *page;
	int locked;

	mmap_anon(test, size);
	if (order)
		KUNIT_ASSERT_EQ(test, 0, do_madvise(current->mm, MAP_ADDR, size,
						    MADV_HUGEPAGE));
	KUNIT_ASSERT_EQ(test, 1, gup(test, &entries[GET_UNLOCKED], MAP_ADDR, 1,
				     FOLL_WRITE, &page, &locked));
	folio = page_folio(page);
	memset_page(page, 0, PATTERN, PAGE_SIZE);
	if (folio_order(folio) != order) {
		put_page(page);
		kunit_skip(test, "no huge page");
	}
	return folio;
}

/*
 * Put migration entries there, and start the task that takes them away. It does
 * so only after @migration->end, or when somebody waits for the folio.
 */
static void start_migration(struct kunit *test, struct migration *migration)
{
	migration->folio = anon_folio(test, test->param_value);
	migration->end = false;
	init_completion(&migration->ended);
	folio_lock(migration->folio);
	try_to_migrate(migration->folio, 0);
	KUNIT_EXPECT_FALSE(test, folio_mapped(migration->folio));
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(end_migration, migration,
						    "gup_migration")));
}

static void finish_migration(struct migration *migration)
{
	WRITE_ONCE(migration->end, true);
	wait_for_completion(&migration->ended);
	folio_put(migration->folio);
}

static void migrating_dump(struct kunit *test)
{
	struct migration migration;
	struct page *page;
	u8 byte;

	start_migration(test, &migration);
	page = dump_page_at(test, MAP_ADDR);
	finish_migration(&migration);
	KUNIT_ASSERT_NOT_NULL(test, page);
	memcpy_from_page(&byte, page, PAGE_SIZE - 1, 1);
	KUNIT_EXPECT_EQ(test, byte, PATTERN);
	put_page(page);
}

static void migrating_force(struct kunit *test)
{
	struct migration migration;

	start_migration(test, &migration);
	expect_gup(test, &entries[GET_UNLOCKED], MAP_ADDR, 1,
		   FOLL_FORCE | FOLL_WRITE, 1);
	finish_migration(&migration);
}

/* Folios of which no reference can be had: GUP warns, and says -ENOMEM. */

static void expect_no_reference(struct kunit *test, struct folio *folio,
				int refs, long nr)
{
	const int before = folio_ref_count(folio);
	const struct entry *entry;

	folio_ref_add(folio, refs);
	for (entry = entries; entry->name; entry++) {
		if (entry->fast)
			continue;
		kunit_warning_suppress(test) {
			expect_gup(test, entry, MAP_ADDR, nr, FOLL_WRITE,
				   -ENOMEM);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		}
	}
	folio_ref_sub(folio, refs);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), before);
}

static void no_reference(struct kunit *test)
{
	struct folio *folio = anon_folio(test, test->param_value);

	/* A batch drops its reference when it is full. */
	lru_add_drain_all();
	expect_no_reference(test, folio, INT_MIN, 1);
	folio_put(folio);
}

/* The count overflows when the first page is grabbed. */
static void no_reference_rest(struct kunit *test)
{
	struct folio *folio = anon_folio(test, &anon_levels[1]);

	expect_no_reference(test, folio, INT_MAX - folio_ref_count(folio), 2);
	folio_put(folio);
}

static void no_reference_memfd(struct kunit *test)
{
	struct folio *folio, *pinned;
	struct file *file;
	pgoff_t offset;

	if (!IS_ENABLED(CONFIG_SHMEM))
		kunit_skip(test, "no shmem");
	file = shmem_file_setup("gup", PAGE_SIZE, EMPTY_VMA_FLAGS);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_file,
							   file));
	folio = shmem_read_folio(file->f_mapping, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_ref_add(folio, INT_MIN);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, -ENOMEM,
				memfd_pin_folios(file, 0, PAGE_SIZE - 1,
						 &pinned, 1, &offset));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	folio_ref_sub(folio, INT_MIN);
	folio_put(folio);
}

/* Memory of a PCI device that its peers may use */

#ifdef CONFIG_PCI_P2PDMA
static void p2pdma_free(struct folio *folio)
{
	percpu_ref_put(&folio->pgmap->ref);
}

static const struct dev_pagemap_ops p2pdma_ops = {
	.folio_free	= p2pdma_free,
};

/* Waits until all pages are free. */
static void free_p2pdma(void *data)
{
	struct dev_pagemap *pgmap = data;
	struct range range = pgmap->range;

	memunmap_pages(pgmap);
	release_mem_region(range.start, range_len(&range));
}

static struct dev_pagemap *new_p2pdma(struct kunit *test)
{
	struct dev_pagemap *pgmap = kunit_kzalloc(test, sizeof(*pgmap),
						  GFP_KERNEL);
	struct resource *res;
	void *addr;

	KUNIT_ASSERT_NOT_NULL(test, pgmap);
	res = request_free_mem_region(&iomem_resource, PMD_SIZE, "gup-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, res);
	pgmap->type = MEMORY_DEVICE_PCI_P2PDMA;
	pgmap->range.start = res->start;
	pgmap->range.end = res->end;
	pgmap->nr_range = 1;
	pgmap->ops = &p2pdma_ops;
	addr = memremap_pages(pgmap, numa_node_id());
	if (IS_ERR(addr))
		release_mem_region(res->start, resource_size(res));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, addr);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_p2pdma,
							   pgmap));
	return pgmap;
}

/* As p2pmem_alloc_mmap() does it. Returns the first of the pages. */
static struct page *map_p2pdma(struct kunit *test, struct gup_map *map,
			       unsigned long nr_pages)
{
	struct dev_pagemap *pgmap = new_p2pdma(test);
	struct page *page = pfn_to_page(PHYS_PFN(pgmap->range.start));
	struct vm_area_struct *vma;
	unsigned long i;

	mmap_at(test, map->file, nr_pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_SHARED);
	mmap_write_lock(current->mm);
	vma = vma_lookup(current->mm, MAP_ADDR);
	for (i = 0; i < nr_pages; i++) {
		set_page_count(page + i, 1);
		percpu_ref_get(&pgmap->ref);
		KUNIT_EXPECT_EQ(test, 0,
				vm_insert_page(vma, MAP_ADDR + i * PAGE_SIZE,
					       page + i));
		put_page(page + i);
	}
	mmap_write_unlock(current->mm);
	return page;
}

/* Who wants no pages does not ask what they are. */
static void p2pdma_populate(struct kunit *test)
{
	struct gup_map *map = new_map(test, ANSWER_ERROR);
	struct page *page = map_p2pdma(test, map, 2);

	map->error = VM_FAULT_SIGBUS;
	expect_populated(test, MAP_ADDR, 2);
	KUNIT_EXPECT_EQ(test, map->faults, 0);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	forget(map);
}

static void p2pdma_get(struct kunit *test)
{
	struct gup_map *map = new_map(test, ANSWER_ERROR);
	struct page *page = map_p2pdma(test, map, 2);
	const struct entry *entry;

	map->error = VM_FAULT_SIGBUS;
	for (entry = entries; entry->name; entry++) {
		expect_gup(test, entry, MAP_ADDR, 2, 0, -EREMOTEIO);
		expect_gup(test, entry, MAP_ADDR, 2, FOLL_WRITE, -EREMOTEIO);
		expect_gup(test, entry, MAP_ADDR, 2, FOLL_PCI_P2PDMA, 2);
		expect_gup(test, entry, MAP_ADDR, 2,
			   FOLL_PCI_P2PDMA | FOLL_WRITE, 2);
		if (entry->pin)
			expect_gup(test, entry, MAP_ADDR, 2, FOLL_LONGTERM,
				   -EREMOTEIO);
	}
	KUNIT_EXPECT_NULL(test, dump_page_at(test, MAP_ADDR));
	KUNIT_EXPECT_EQ(test, map->faults, 0);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	forget(map);
}
#else
static void p2pdma_populate(struct kunit *test)
{
	kunit_skip(test, "no PCI peer-to-peer memory");
}

static void p2pdma_get(struct kunit *test)
{
	kunit_skip(test, "no PCI peer-to-peer memory");
}
#endif

/* Entries of hugetlb that have no contents, or that no fault makes present */

#ifdef CONFIG_HUGETLB_PAGE
static void set_hugetlb(pte_t *ptep, unsigned long size, pte_t pte)
{
	spinlock_t *ptl = huge_pte_lock(size_to_hstate(size), current->mm, ptep);

	set_huge_pte_at(current->mm, MAP_ADDR, ptep, pte, size);
	spin_unlock(ptl);
}

/* A private mapping of one page of hugetlb, and its entry */
static pte_t *map_hugetlb(struct kunit *test, unsigned int shift,
			  unsigned long prot)
{
	const unsigned long size = 1UL << shift;
	struct vm_area_struct *vma;
	struct file *file;
	pte_t *ptep;

	if (!size_to_hstate(size))
		kunit_skip(test, "no hugetlb pages of this size");
	file = hugetlb_file_setup("gup", size, mk_vma_flags(VMA_NORESERVE_BIT),
				  HUGETLB_ANONHUGE_INODE, shift);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	mmap_at(test, file, size, prot, MAP_PRIVATE | MAP_NORESERVE);
	fput(file);

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, MAP_ADDR);
	hugetlb_vma_lock_read(vma);
	ptep = huge_pte_alloc(current->mm, vma, MAP_ADDR, size);
	hugetlb_vma_unlock_read(vma);
	mmap_read_unlock(current->mm);
	KUNIT_ASSERT_NOT_NULL(test, ptep);
	return ptep;
}

/* Protected by userfaultfd before there was a page: a dump allocates none. */
static void marker_dump(struct kunit *test)
{
	pte_t *ptep = map_hugetlb(test, PMD_SHIFT, PROT_READ | PROT_WRITE);
	struct hstate *h = size_to_hstate(PMD_SIZE);
	struct page *page;

	h->nr_overcommit_huge_pages++;
	set_hugetlb(ptep, PMD_SIZE, make_pte_marker(PTE_MARKER_UFFD_WP));
	page = dump_page_at(test, MAP_ADDR);
	KUNIT_EXPECT_NULL(test, page);
	if (page)
		put_page(page);
	KUNIT_EXPECT_TRUE(test, pte_is_marker(huge_ptep_get(current->mm,
							    MAP_ADDR, ptep)));
	h->nr_overcommit_huge_pages--;
}

/* Nobody follows it, so that it need not be a page of hugetlb. */
static pte_t *map_protnone_pud(struct kunit *test)
{
	pte_t *ptep = map_hugetlb(test, PUD_SHIFT, PROT_NONE);
	pte_t pte = arch_make_huge_pte(pfn_pte(0, vm_get_page_prot(VM_NONE)),
				       PUD_SHIFT, VM_HUGETLB);

	KUNIT_ASSERT_TRUE(test, pte_present(pte));
	set_hugetlb(ptep, PUD_SIZE, pte);
	if (pud_present(*(pud_t *)ptep)) {
		set_hugetlb(ptep, PUD_SIZE, __pte(0));
		kunit_skip(test, "a PUD that is PROT_NONE is present here");
	}
	return ptep;
}

static void protnone_pud_dump(struct kunit *test)
{
	pte_t *ptep = map_protnone_pud(test);

	KUNIT_EXPECT_NULL(test, dump_page_at(test, MAP_ADDR));
	set_hugetlb(ptep, PUD_SIZE, __pte(0));
}

static void protnone_pud_force(struct kunit *test)
{
	pte_t *ptep = map_protnone_pud(test);

	expect_gup(test, &entries[GET_UNLOCKED], MAP_ADDR, 1, FOLL_FORCE,
		   -EFAULT);
	set_hugetlb(ptep, PUD_SIZE, __pte(0));
}
#else
static void marker_dump(struct kunit *test)
{
	kunit_skip(test, "no hugetlb");
}

static void protnone_pud_dump(struct kunit *test)
{
	kunit_skip(test, "no hugetlb");
}

static void protnone_pud_force(struct kunit *test)
{
	kunit_skip(test, "no hugetlb");
}
#endif

static struct kunit_case gup_test_cases[] = {
	KUNIT_CASE_PARAM(special_get, level_gen_params),
	KUNIT_CASE_PARAM(special_dump, level_gen_params),
	KUNIT_CASE_PARAM(special_populate, level_gen_params),
	KUNIT_CASE_PARAM(special_touch, level_gen_params),
	KUNIT_CASE(zero_page),
	KUNIT_CASE(huge_zero_page),
	KUNIT_CASE_PARAM(fault_flags, fault_flags_gen_params),
	KUNIT_CASE(nowait_keeps_lock),
	KUNIT_CASE(fixup_waits),
	KUNIT_CASE(unlockable_for_read),
	KUNIT_CASE(faultin_drops_lock),
	KUNIT_CASE(faultin_locked),
	KUNIT_CASE(populate_locked),
	KUNIT_CASE(dump_drops_lock),
	KUNIT_CASE(no_pages),
	KUNIT_CASE(no_pages_fast_only),
	KUNIT_CASE(bad_flags),
	KUNIT_CASE(good_flags),
	KUNIT_CASE_PARAM(partial, partial_gen_params),
	KUNIT_CASE(partial_no_vma),
	KUNIT_CASE(killed_fault),
	KUNIT_CASE(dump_killed),
	KUNIT_CASE(killed_wait),
	KUNIT_CASE_PARAM(migrating_dump, anon_level_gen_params),
	KUNIT_CASE_PARAM(migrating_force, anon_level_gen_params),
	KUNIT_CASE_PARAM(no_reference, anon_level_gen_params),
	KUNIT_CASE(no_reference_rest),
	KUNIT_CASE(no_reference_memfd),
	KUNIT_CASE(p2pdma_populate),
	KUNIT_CASE(p2pdma_get),
	KUNIT_CASE(marker_dump),
	KUNIT_CASE(protnone_pud_dump),
	{}
};

static struct kunit_suite gup_test_suite = {
	.name = "gup",
	.test_cases = gup_test_cases,
};

/*
 * Where a rule is broken, one of these ends in an oops with locks held, or never.
 * They are a suite of their own, so that it can be run last, or one test a boot.
 */
static struct kunit_case gup_fatal_test_cases[] = {
	KUNIT_CASE_PARAM(special_no_memmap, level_gen_params),
	KUNIT_CASE_PARAM(special_force, level_gen_params),
	KUNIT_CASE(faultin_locked_null),
	KUNIT_CASE(unexpected_fault),
	KUNIT_CASE(unexpected_fixup),
	KUNIT_CASE(protnone_pud_force),
	{}
};

static struct kunit_suite gup_fatal_test_suite = {
	.name = "gup_fatal",
	.test_cases = gup_fatal_test_cases,
};

kunit_test_suites(&gup_test_suite, &gup_fatal_test_suite);

MODULE_DESCRIPTION("Tests of get_user_pages()");
MODULE_LICENSE("GPL");
