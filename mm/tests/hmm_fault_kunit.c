// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of how HMM walks and faults: which faults a walk takes and how
 * many, what it takes for a request, when it gives up, and who holds the mmap
 * lock afterwards. What it reports is tested in hmm_walk_kunit.c.
 *
 * The mapping is one of a file of the test's own, so each fault is seen. Each
 * test runs on a range with an interval notifier and on a tracked one.
 */
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "hmm_walk_kunit.h"

#define WALK_READ	HMM_PFN_REQ_FAULT
#define WALK_WRITE	(HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE)
/* What an entry of the array is filled with that asks for everything. */
#define WALK_GARBAGE	(WALK_WRITE | HMM_PFN_ERROR | 0x123456UL)
/* Four pages on either side of the border between the first two PMDs. */
#define WALK_BORDER	(WALK_BASE + PMD_SIZE)
#define WALK_AT_BORDER	(WALK_BORDER - 4 * PAGE_SIZE)
/* The pages of these two. */
#define WALK_TWO_PMDS	(2UL << PMD_ORDER)

/**
 * struct fault_test - one test
 *
 * @test: the test
 * @tracked: on a registered range
 * @env: its address space
 * @wr: the range
 * @pfns: its array
 */
struct fault_test {
	struct kunit		*test;
	bool			tracked;
	struct walk_env		*env;
	struct walk_range	wr;
	unsigned long		*pfns;
};

/* An address space; the range is to be @npages pages from @addr on. */
static struct fault_test *fault_create(struct kunit *test, unsigned long addr,
				       unsigned long npages)
{
	struct fault_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned long i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->test = test;
	t->tracked = test->param_value == (void *)2;
	t->pfns = kunit_kcalloc(test, npages, sizeof(*t->pfns), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->pfns);
	for (i = 0; i < npages; i++)
		t->pfns[i] = WALK_GARBAGE;
	t->env = walk_env_create(test);
	t->env->addr = addr;
	t->env->npages = npages;
	return t;
}

static void fault_add_range(struct fault_test *t)
{
	int err = walk_range_add(t->env, &t->wr, t->tracked, t->pfns);

	KUNIT_ASSERT_EQ(t->test, err, 0);
}

/* The same with the mapping of the test's own file, and with the range. */
static struct fault_test *fault_start(struct kunit *test, unsigned long addr,
				      unsigned long npages)
{
	struct fault_test *t = fault_create(test, addr, npages);

	KUNIT_ASSERT_EQ(test, walk_map_own(t->env, 4 * PMD_SIZE, MAP_SHARED),
			0);
	fault_add_range(t);
	return t;
}

/* The same with what @install installs; skips the test if it cannot. */
static struct fault_test *
fault_start_installed(struct kunit *test, unsigned long npages,
		      int (*install)(struct walk_env *env))
{
	struct fault_test *t = fault_create(test, WALK_BASE, npages);
	const char *why;

	if (install(t->env)) {
		why = t->env->why;
		walk_env_destroy(t->env);
		KUNIT_ASSERT_NOT_NULL(test, why);
		kunit_skip(test, "%s", why);
	}
	fault_add_range(t);
	return t;
}

static void fault_end(struct fault_test *t)
{
	walk_range_del(&t->wr);
	walk_env_destroy(t->env);
}

/* Ask for @flags of all pages, and for nothing page by page. */
static void fault_ask_all(struct fault_test *t, unsigned long flags)
{
	t->wr.range.default_flags = flags;
	t->wr.range.pfn_flags_mask = 0;
}

/* Ask for @flags of the one page only. */
static void fault_ask_one(struct fault_test *t, unsigned int page,
			  unsigned long flags)
{
	memset(t->pfns, 0, t->env->npages * sizeof(*t->pfns));
	t->pfns[page] = flags;
	t->wr.range.default_flags = 0;
	t->wr.range.pfn_flags_mask = WALK_WRITE;
}

/* One walk, with the lock held; hmm_range_fault() has to keep it. */
static int fault_walk(struct fault_test *t, bool fault)
{
	struct mm_struct *mm = t->env->mm;
	int ret;

	walk_range_begin(&t->wr);
	mmap_read_lock(mm);
	ret = walk_range_walk(&t->wr, fault);
	KUNIT_EXPECT_TRUE(t->test, rwsem_is_locked(&mm->mmap_lock));
	mmap_read_unlock(mm);
	KUNIT_EXPECT_FALSE(t->test,
			   t->env->fault_flags & FAULT_FLAG_ALLOW_RETRY);
	return ret;
}

/* Fault in all pages of [@first, @first + @n) of the range beforehand. */
static void fault_populate(struct fault_test *t, unsigned int first,
			   unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		KUNIT_EXPECT_EQ(t->test, 0,
				walk_touch(t->env->addr + i * PAGE_SIZE, true));
	walk_forget_faults(t->env);
}

/* Which of the recorded faults were at or behind @addr? */
static unsigned int fault_count_from(struct fault_test *t, unsigned long addr)
{
	unsigned int i, n = t->env->nr_faults + t->env->nr_huge_faults, hits = 0;

	KUNIT_EXPECT_LE(t->test, n, WALK_MAX_FAULTS);
	for (i = 0; i < min(n, WALK_MAX_FAULTS); i++)
		hits += t->env->fault_addr[i] >= addr;
	return hits;
}

/* Pages [@first, @first + @n) are reported as they are mapped now, and are. */
static void fault_expect_mapped(struct fault_test *t, unsigned long first,
				unsigned long n)
{
	unsigned long i, entry;

	for (i = first; i < first + n; i++) {
		entry = walk_mapped(t->env->mm, t->env->addr + i * PAGE_SIZE);
		KUNIT_EXPECT_NE_MSG(t->test, entry, 0, "page %lu", i);
		KUNIT_ASSERT_EQ_MSG(t->test, t->pfns[i], entry, "page %lu", i);
	}
}

/* The faults that this thread took so far, of whatever kind. */
static unsigned long fault_taken(void)
{
	return current->min_flt + current->maj_flt;
}

/* Which faults are taken */

/* Of 16 pages 8 are missing: these are faulted, and none behind the range. */
static void fault_missing_only(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 16);
	unsigned int i;

	fault_populate(t, 0, 8);
	fault_ask_all(t, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, 8);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, t->env->fault_addr[i],
				WALK_BASE + (8 + i) * PAGE_SIZE);
	fault_expect_mapped(t, 0, 16);
	fault_end(t);
}

/* One page of a hole is asked for. */
static void fault_asked_only(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 16);
	unsigned int i;

	fault_ask_one(t, 5, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, 1);
	KUNIT_EXPECT_EQ(test, t->env->fault_addr[0],
			WALK_BASE + 5 * PAGE_SIZE);
	fault_expect_mapped(t, 5, 1);
	for (i = 0; i < 16; i++)
		if (i != 5)
			KUNIT_EXPECT_EQ(test, t->pfns[i], 0);
	fault_end(t);
}

/* The same where a page table is there already. */
static void fault_asked_only_pte(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 16);

	fault_populate(t, 3, 1);
	fault_ask_one(t, 5, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, 1);
	KUNIT_EXPECT_EQ(test, t->env->fault_addr[0],
			WALK_BASE + 5 * PAGE_SIZE);
	fault_end(t);
}

/* All are to be read and one is to be written: one write fault. */
static void fault_write_asked_only(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 8);
	unsigned int i;

	fault_ask_one(t, 2, HMM_PFN_REQ_WRITE);
	t->wr.range.default_flags = WALK_READ;
	t->wr.range.pfn_flags_mask = HMM_PFN_REQ_WRITE;
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, 8);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, t->env->fault_write[i], i == 2);
	fault_expect_mapped(t, 0, 8);
	fault_end(t);
}

/* Write without fault asks for nothing. */
static void fault_write_alone(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 8);

	fault_ask_one(t, 2, HMM_PFN_REQ_WRITE);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, 0);
	KUNIT_EXPECT_EQ(test, t->pfns[2], 0);
	fault_end(t);
}

/* With a mask of 0 the array is no request, whatever is in it. */
static void fault_array_no_request(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 8);
	unsigned int i;

	fault_ask_all(t, 0);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, 0);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, t->pfns[i], 0);
	fault_end(t);
}

/* What nobody asked for is as in a snapshot, also where it could not be had. */
static void fault_unasked_error(struct kunit *test)
{
	struct fault_test *t = fault_create(test, WALK_BASE, 8);

	KUNIT_ASSERT_EQ(test, walk_map_own(t->env, 4 * PAGE_SIZE, MAP_SHARED),
			0);
	fault_add_range(t);
	fault_ask_one(t, 1, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, 1);
	KUNIT_EXPECT_EQ(test, t->pfns[0], 0);
	fault_expect_mapped(t, 1, 1);
	KUNIT_EXPECT_EQ(test, t->pfns[3], 0);
	KUNIT_EXPECT_EQ(test, t->pfns[4], HMM_PFN_ERROR);
	KUNIT_EXPECT_EQ(test, t->pfns[7], HMM_PFN_ERROR);

	fault_ask_one(t, 6, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), -EFAULT);
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, 1);
	fault_end(t);
}

/* Two PMDs, each a leaf or together a part of one: one fault a leaf. */
static void fault_once_per_leaf(struct kunit *test,
				int (*install)(struct walk_env *env),
				unsigned int leaves)
{
	unsigned long before, npages = WALK_TWO_PMDS;
	struct fault_test *t = fault_start_installed(test, npages, install);

	fault_ask_all(t, WALK_WRITE);
	before = fault_taken();
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_EQ(test, fault_taken() - before, leaves);
	fault_expect_mapped(t, 0, npages);
	KUNIT_EXPECT_TRUE(test, t->pfns[npages - 1] & HMM_PFN_WRITE);
	fault_end(t);
}

static void fault_once_per_thp(struct kunit *test)
{
	fault_once_per_leaf(test, walk_map_thp_absent, 2);
}

static void fault_once_per_pmd(struct kunit *test)
{
	fault_once_per_leaf(test, walk_map_dax_pmd, 2);
}

static void fault_once_per_pud(struct kunit *test)
{
	fault_once_per_leaf(test, walk_map_dax_pud, 1);
}

static void fault_once_per_hugetlb(struct kunit *test)
{
	fault_once_per_leaf(test, walk_install_hugetlb_hole, 2);
}

#if WALK_HAVE_TRACKED
/* Of three pages of hugetlb the first two are asked for, which is a batch. */
static void fault_asked_only_hugetlb(struct kunit *test)
{
	const unsigned long npages = 3UL << PMD_ORDER, last = npages - 1;
	struct fault_test *t = fault_start_installed(test, npages,
						     walk_install_hugetlb_three);
	unsigned long before;

	fault_ask_one(t, 0, WALK_READ);
	t->pfns[1UL << PMD_ORDER] = WALK_READ;
	before = fault_taken();
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_EQ(test, fault_taken() - before, 2);
	fault_expect_mapped(t, 0, 2UL << PMD_ORDER);
	KUNIT_EXPECT_EQ(test, t->pfns[last], 0);
	KUNIT_EXPECT_EQ(test, walk_mapped(t->env->mm,
					  WALK_BASE + last * PAGE_SIZE), 0);
	fault_end(t);
}
#endif

/* A sticky bit that is cleared while the page is faulted stays cleared. */
static unsigned long *fault_array;

static vm_fault_t fault_clear_sticky(struct walk_env *env, struct vm_fault *vmf)
{
	clear_bit(__ffs(HMM_PFN_DMA_MAPPED), fault_array);
	return walk_fault_fresh_page(vmf);
}

static void fault_sticky_cleared(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 2);

	t->pfns[0] = HMM_PFN_DMA_MAPPED;
	t->pfns[1] = HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA;
	fault_array = t->pfns;
	t->env->fault = fault_clear_sticky;
	fault_ask_all(t, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_FALSE(test, t->pfns[0] & HMM_PFN_DMA_MAPPED);
	fault_expect_mapped(t, 0, 1);
	KUNIT_EXPECT_EQ(test, t->pfns[1] & (HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA),
			HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA);
	fault_end(t);
}

/* What the fault answers, and the errno that becomes of it */

static vm_fault_t fault_answer;

static vm_fault_t fault_answer_as_told(struct walk_env *env,
				       struct vm_fault *vmf)
{
	return fault_answer;
}

static void fault_errors(struct kunit *test)
{
	static const struct {
		vm_fault_t answer;
		int err;
	} errors[] = {
		{ VM_FAULT_OOM, -ENOMEM },
		{ VM_FAULT_SIGBUS, -EFAULT },
		{ VM_FAULT_SIGSEGV, -EFAULT },
		{ VM_FAULT_HWPOISON, -EFAULT },
	};
	struct fault_test *t = fault_start(test, WALK_BASE, 4);
	unsigned int i;

	t->env->fault = fault_answer_as_told;
	fault_ask_all(t, WALK_READ);
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		fault_answer = errors[i].answer;
		KUNIT_EXPECT_EQ_MSG(test, fault_walk(t, true), errors[i].err,
				    "error %u", i);
		KUNIT_EXPECT_FALSE(test, t->tracked &&
				   walk_range_valid(&t->wr));
	}
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, ARRAY_SIZE(errors));
	fault_end(t);
}

/* Giving up between PMDs */

static void fault_kill(void)
{
	send_sig(SIGKILL, current, 1);
}

static vm_fault_t fault_and_kill(struct walk_env *env, struct vm_fault *vmf)
{
	fault_kill();
	return walk_fault_fresh_page(vmf);
}

static void fault_killed(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_AT_BORDER, 8);

	allow_kernel_signal(SIGKILL);
	t->env->fault = fault_and_kill;
	fault_ask_all(t, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), -EINTR);
	KUNIT_EXPECT_TRUE(test, fatal_signal_pending(current));
	KUNIT_EXPECT_EQ(test, fault_count_from(t, WALK_BORDER), 0);
	flush_signals(current);
	fault_end(t);
}

/* A long snapshot can be killed as well. */
static void fault_killed_snapshot(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, WALK_TWO_PMDS);

	allow_kernel_signal(SIGKILL);
	fault_kill();
	KUNIT_EXPECT_EQ(test, fault_walk(t, false), -EINTR);
	flush_signals(current);
	KUNIT_EXPECT_EQ(test, fault_walk(t, false), 0);
	fault_end(t);
}

#if WALK_HAVE_TRACKED
/* So can one of two pages, between which there is the end of something. */
static void fault_killed_between(struct kunit *test, struct fault_test *t)
{
	allow_kernel_signal(SIGKILL);
	fault_kill();
	KUNIT_EXPECT_EQ(test, fault_walk(t, false), -EINTR);
	flush_signals(current);
	KUNIT_EXPECT_EQ(test, fault_walk(t, false), 0);
}

/* With page tables on both sides of @border, and in both of them a page. */
static void fault_killed_at_border(struct kunit *test, unsigned long border)
{
	struct fault_test *t = fault_create(test, border - PAGE_SIZE, 2);

	KUNIT_ASSERT_EQ(test, walk_map_own(t->env, border + PMD_SIZE - WALK_BASE,
					   MAP_SHARED), 0);
	fault_add_range(t);
	fault_populate(t, 0, 2);
	fault_killed_between(test, t);
	fault_expect_mapped(t, 0, 2);
	fault_end(t);
}

static void fault_killed_between_pmds(struct kunit *test)
{
	fault_killed_at_border(test, WALK_BORDER);
}

static void fault_killed_between_puds(struct kunit *test)
{
	fault_killed_at_border(test, WALK_BASE + PUD_SIZE);
}

/* The second page is behind the vma. */
static void fault_killed_between_vmas(struct kunit *test)
{
	struct fault_test *t = fault_create(test, WALK_BASE, 2);

	KUNIT_ASSERT_EQ(test, walk_map_own(t->env, PAGE_SIZE, MAP_SHARED), 0);
	fault_add_range(t);
	fault_killed_between(test, t);
	fault_end(t);
}

static int fault_install_hugetlb_border(struct walk_env *env)
{
	env->addr = WALK_BORDER - PAGE_SIZE;
	return walk_install_hugetlb(env);
}

static void fault_killed_between_hugetlb(struct kunit *test)
{
	struct fault_test *t = fault_start_installed(test, 2,
						     fault_install_hugetlb_border);

	fault_killed_between(test, t);
	fault_end(t);
}
#endif /* WALK_HAVE_TRACKED */

/* The first page was stored: invalidating it spoils what the walk holds. */
static vm_fault_t fault_and_invalidate(struct walk_env *env,
				       struct vm_fault *vmf)
{
	if (vmf->address != env->addr)
		walk_invalidate(env->mm, env->addr, env->addr + PAGE_SIZE);
	return walk_fault_fresh_page(vmf);
}

static void fault_invalidated(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_AT_BORDER, 8);

	t->env->fault = fault_and_invalidate;
	fault_ask_all(t, WALK_READ);
	/* A tracked walk reads the page again; the other one ends, if not yet. */
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), t->tracked ? 0 : -EBUSY);
	KUNIT_EXPECT_EQ(test, walk_range_valid(&t->wr), t->tracked);
	KUNIT_EXPECT_EQ(test, fault_count_from(t, WALK_BORDER),
			WALK_HAVE_TRACKED ? 4 : 0);

	t->env->fault = NULL;
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_TRUE(test, walk_range_valid(&t->wr));
	fault_expect_mapped(t, 0, 8);
	fault_end(t);
}

#if WALK_HAVE_TRACKED
/* To be killed is more than to be invalidated: nobody is to try again. */
static vm_fault_t fault_invalidate_and_kill(struct walk_env *env,
					    struct vm_fault *vmf)
{
	if (vmf->address != env->addr)
		fault_kill();
	return fault_and_invalidate(env, vmf);
}

static void fault_killed_and_invalidated(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 4);

	allow_kernel_signal(SIGKILL);
	t->env->fault = fault_invalidate_and_kill;
	fault_ask_all(t, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), -EINTR);
	flush_signals(current);
	fault_end(t);
}
#endif

/* An invalidation of other pages does not: not of those that touch it either. */
static vm_fault_t fault_and_invalidate_others(struct walk_env *env,
					      struct vm_fault *vmf)
{
	unsigned long end = env->addr + env->npages * PAGE_SIZE;

	walk_invalidate(env->mm, env->addr - PAGE_SIZE, env->addr);
	walk_invalidate(env->mm, end, end + PAGE_SIZE);
	return walk_fault_fresh_page(vmf);
}

static void fault_others_invalidated(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_AT_BORDER, 8);

	t->env->fault = fault_and_invalidate_others;
	fault_ask_all(t, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), 0);
	KUNIT_EXPECT_TRUE(test, walk_range_valid(&t->wr));
	fault_expect_mapped(t, 0, 8);
	fault_end(t);
}

/* Dropping the mmap lock */

/* Drop the lock if that is allowed, as if there were something to wait for. */
static vm_fault_t fault_and_drop_lock(struct walk_env *env,
				      struct vm_fault *vmf)
{
	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY))
		return VM_FAULT_SIGBUS;
	env->fault = NULL;
	env->huge_fault = NULL;
	release_fault_lock(vmf);
	return fault_answer;
}

static vm_fault_t fault_drop_lock_and_kill(struct walk_env *env,
					   struct vm_fault *vmf)
{
	fault_kill();
	return fault_and_drop_lock(env, vmf);
}

/* A fault that wants to drop the lock fails where it has to be kept. */
static void fault_lock_kept(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 4);

	fault_answer = VM_FAULT_RETRY;
	t->env->fault = fault_and_drop_lock;
	fault_ask_all(t, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk(t, true), -EFAULT);
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, 1);
	fault_end(t);
}

/* hmm_range_fault_unlocked_timeout() calls again by itself. */
static void fault_lock_dropped_unlocked(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 4);

	fault_answer = VM_FAULT_RETRY;
	t->env->fault = fault_and_drop_lock;
	fault_ask_all(t, WALK_READ);
	KUNIT_EXPECT_EQ(test,
			hmm_range_fault_unlocked_timeout(&t->wr.range, 0), 0);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(t->env->mm));
	KUNIT_EXPECT_TRUE(test, walk_range_valid(&t->wr));
	/* The one that dropped the lock, and one for each page. */
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, 5);
	fault_expect_mapped(t, 0, 4);
	fault_end(t);
}

/* ->migrate_to_ram() is promised the mmap lock, whatever lock the walk took. */
static void fault_migrates_unlocked(struct kunit *test)
{
	struct fault_test *t = fault_start_installed(test, 4,
						     walk_install_device_foreign);

	fault_ask_all(t, WALK_WRITE);
	KUNIT_EXPECT_EQ(test,
			hmm_range_fault_unlocked_timeout(&t->wr.range, 0), 0);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(t->env->mm));
	KUNIT_EXPECT_TRUE(test, walk_range_valid(&t->wr));
	KUNIT_EXPECT_EQ(test, t->env->nr_migrations, 4);
	KUNIT_EXPECT_FALSE(test, t->env->fault_flags & FAULT_FLAG_VMA_LOCK);
	fault_expect_mapped(t, 0, 4);
	for (int i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, t->pfns[i] & HMM_PFN_WRITE);
	fault_end(t);
}

static void fault_killed_unlocked(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 4);

	allow_kernel_signal(SIGKILL);
	fault_answer = VM_FAULT_RETRY;
	t->env->fault = fault_drop_lock_and_kill;
	fault_ask_all(t, WALK_READ);
	KUNIT_EXPECT_EQ(test,
			hmm_range_fault_unlocked_timeout(&t->wr.range, 0),
			-EINTR);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(t->env->mm));
	KUNIT_EXPECT_EQ(test, t->env->nr_faults, 1);
	flush_signals(current);
	fault_end(t);
}

/* Never done: the page goes as soon as it was faulted. */
static vm_fault_t fault_and_invalidate_always(struct walk_env *env,
					      struct vm_fault *vmf)
{
	walk_invalidate(env->mm, env->addr, env->addr + PAGE_SIZE);
	return VM_FAULT_NOPAGE;
}

static void fault_timeout(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 4);

	t->env->fault = fault_and_invalidate_always;
	fault_ask_all(t, WALK_READ);
	KUNIT_EXPECT_EQ(test,
			hmm_range_fault_unlocked_timeout(&t->wr.range,
							 HZ / 20), -EBUSY);
	KUNIT_EXPECT_TRUE(test, mmap_lock_is_free(t->env->mm));
	KUNIT_EXPECT_GT(test, t->env->nr_faults, 1);
	/* An interval notifier does not know that the walk failed. */
	KUNIT_EXPECT_FALSE(test, t->tracked && walk_range_valid(&t->wr));
	fault_end(t);
}

#if WALK_HAVE_TRACKED
/* hmm_range_fault_locked() once; the lock is released if it still is held. */
static int fault_walk_locked(struct fault_test *t, int *locked)
{
	struct mm_struct *mm = t->env->mm;
	int ret;

	walk_range_begin(&t->wr);
	mmap_read_lock(mm);
	*locked = 1;
	ret = hmm_range_fault_locked(&t->wr.range, locked);
	KUNIT_EXPECT_EQ(t->test, rwsem_is_locked(&mm->mmap_lock), *locked);
	if (*locked)
		mmap_read_unlock(mm);
	return ret;
}

static void fault_lock_dropped(struct kunit *test)
{
	static const vm_fault_t answers[] = {
		VM_FAULT_RETRY, VM_FAULT_COMPLETED,
	};
	struct fault_test *t = fault_start(test, WALK_BASE, 4);
	unsigned int i;
	int locked;

	/* With pages of 64 KiB a PMD is too large for files other than DAX. */
	file_inode(t->env->vma->vm_file)->i_flags |= S_DAX;
	fault_ask_all(t, WALK_READ);
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		fault_answer = answers[i];
		/* Of the two handlers only this one may answer COMPLETED. */
		t->env->huge_fault = fault_and_drop_lock;
		t->env->huge_order = PMD_ORDER;
		KUNIT_EXPECT_EQ(test, fault_walk_locked(t, &locked), -EBUSY);
		KUNIT_EXPECT_EQ(test, locked, 0);
		KUNIT_EXPECT_FALSE(test, t->tracked &&
				   walk_range_valid(&t->wr));
	}
	KUNIT_EXPECT_EQ(test, t->env->nr_huge_faults, ARRAY_SIZE(answers));
	KUNIT_EXPECT_EQ(test, fault_walk_locked(t, &locked), 0);
	KUNIT_EXPECT_EQ(test, locked, 1);
	KUNIT_EXPECT_TRUE(test, walk_range_valid(&t->wr));
	fault_expect_mapped(t, 0, 4);
	fault_end(t);
}

static void fault_lock_dropped_killed(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_BASE, 4);
	int locked;

	allow_kernel_signal(SIGKILL);
	fault_answer = VM_FAULT_RETRY;
	t->env->fault = fault_drop_lock_and_kill;
	fault_ask_all(t, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk_locked(t, &locked), -EINTR);
	KUNIT_EXPECT_EQ(test, locked, 0);
	flush_signals(current);
	fault_end(t);
}

/* Any other error leaves the lock held. */
static void fault_lock_kept_error(struct kunit *test)
{
	struct fault_test *t = fault_start(test, WALK_AT_BORDER, 8);
	struct mmu_notifier_range in_flight;
	int locked;

	allow_kernel_signal(SIGKILL);
	fault_answer = VM_FAULT_SIGBUS;
	t->env->fault = fault_answer_as_told;
	fault_ask_all(t, WALK_READ);
	KUNIT_EXPECT_EQ(test, fault_walk_locked(t, &locked), -EFAULT);
	KUNIT_EXPECT_EQ(test, locked, 1);

	/* mmu_interval_read_begin() would wait for what is in flight. */
	if (t->tracked) {
		t->env->fault = NULL;
		mmu_notifier_range_init(&in_flight, MMU_NOTIFY_CLEAR, 0,
					t->env->mm, t->env->addr,
					t->env->addr + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&in_flight);
		KUNIT_EXPECT_EQ(test, fault_walk_locked(t, &locked), -EBUSY);
		mmu_notifier_invalidate_range_end(&in_flight);
	} else {
		t->env->fault = fault_and_invalidate;
		KUNIT_EXPECT_EQ(test, fault_walk_locked(t, &locked), -EBUSY);
	}
	KUNIT_EXPECT_EQ(test, locked, 1);

	t->env->fault = fault_and_kill;
	vm_munmap(WALK_BASE, t->env->len);
	KUNIT_EXPECT_EQ(test, walk_map_own(t->env, 4 * PMD_SIZE, MAP_SHARED),
			0);
	KUNIT_EXPECT_EQ(test, fault_walk_locked(t, &locked), -EINTR);
	KUNIT_EXPECT_EQ(test, locked, 1);
	flush_signals(current);
	fault_end(t);
}
#endif /* WALK_HAVE_TRACKED */

static void fault_suite_exit(struct kunit_suite *suite)
{
	walk_mem_put_all();
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE_PARAM(fault_missing_only, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_asked_only, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_asked_only_pte, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_write_asked_only, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_write_alone, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_array_no_request, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_unasked_error, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_once_per_thp, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_once_per_pmd, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_once_per_pud, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_once_per_hugetlb, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_sticky_cleared, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_errors, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_killed, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_killed_snapshot, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_invalidated, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_others_invalidated, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_lock_kept, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_lock_dropped_unlocked, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_migrates_unlocked, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_killed_unlocked, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_timeout, walk_tracked_params),
#if WALK_HAVE_TRACKED
	KUNIT_CASE_PARAM(fault_asked_only_hugetlb, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_killed_and_invalidated, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_killed_between_pmds, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_killed_between_puds, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_killed_between_vmas, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_killed_between_hugetlb, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_lock_dropped, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_lock_dropped_killed, walk_tracked_params),
	KUNIT_CASE_PARAM(fault_lock_kept_error, walk_tracked_params),
#endif
	{}
};

static struct kunit_suite fault_suite = {
	.name		= "hmm_fault",
	.suite_exit	= fault_suite_exit,
	.test_cases	= fault_cases,
};

kunit_test_suite(fault_suite);

MODULE_DESCRIPTION("Tests of how HMM walks and faults");
MODULE_LICENSE("GPL");
