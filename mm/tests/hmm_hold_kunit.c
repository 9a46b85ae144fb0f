// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of walks that are held at a chosen place, while what they walk is
 * changed, and page tables are taken away:
 *
 * - at a mapping of hugetlb, whose lock the test holds for write. A walk takes it
 *   for read, and waits for it with nothing held of the page table;
 * - at the lock of a page table with device private pages, whose owner is to be
 *   looked up;
 * - in the middle of a page table, by a thread that takes its CPU away.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/jiffies.h>
#include <linux/khugepaged.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/pgalloc.h>
#include <linux/rcupdate.h>
#include <linux/rmap.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>
#include <asm/tlb.h>

#include "../internal.h"
#include "hmm_walk_kunit.h"

static bool hold_is_tracked(struct kunit *test)
{
	return test->param_value == (void *)2;
}

#ifdef CONFIG_HUGETLB_PAGE

/* A page, a page of hugetlb that nobody faults in, and a page again. */
#define HOLD_HUGE	(WALK_BASE + PMD_SIZE)
#define HOLD_START	(HOLD_HUGE - PAGE_SIZE)
#define HOLD_LAST	((1UL << PMD_ORDER) + 1)
#define HOLD_PAGES	(HOLD_LAST + 1)

/* How many pages of hugetlb more there may be. */
#define HOLD_SPARE	4

/* Longer than a walk takes to get there. */
#define HOLD_TIME	(10 * HZ)

/**
 * struct hold - a walk in a thread of its own
 *
 * @test: the test
 * @env: its address space
 * @huge: the mapping of hugetlb
 * @wr: the range
 * @pfns: its array
 * @task: the thread
 * @done: it has ended
 * @ret: with what
 */
struct hold {
	struct kunit		*test;
	struct walk_env		*env;
	struct vm_area_struct	*huge;
	struct walk_range	wr;
	unsigned long		*pfns;
	struct task_struct	*task;
	struct completion	done;
	int			ret;
};

static struct file *hold_huge_file(struct kunit *test, unsigned long len)
{
	struct file *file;

	file = hugetlb_file_setup("hmm_hold", len,
				  mk_vma_flags(VMA_NORESERVE_BIT),
				  HUGETLB_ANONHUGE_INODE, PMD_SHIFT);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	return file;
}

static struct vm_area_struct *hold_map_huge(struct hold *hold, struct file *file,
					    unsigned long addr,
					    unsigned long len)
{
	struct vm_area_struct *vma;

	KUNIT_ASSERT_EQ(hold->test, addr,
			vm_mmap(file, addr, len, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED | MAP_NORESERVE, 0));
	mmap_read_lock(hold->env->mm);
	vma = vma_lookup(hold->env->mm, addr);
	mmap_read_unlock(hold->env->mm);
	/* It has a lock of its own, for which there was memory. */
	KUNIT_ASSERT_NOT_NULL(hold->test, vma->vm_private_data);
	return vma;
}

static struct hold *hold_alloc(struct kunit *test, unsigned long addr,
			       unsigned long npages)
{
	struct hold *hold = kunit_kzalloc(test, sizeof(*hold), GFP_KERNEL);

	if (!size_to_hstate(PMD_SIZE))
		kunit_skip(test, "no hugetlb pages of the size of a PMD");
	KUNIT_ASSERT_NOT_NULL(test, hold);
	hold->test = test;
	hold->pfns = kunit_kcalloc(test, npages, sizeof(*hold->pfns),
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, hold->pfns);
	init_completion(&hold->done);
	hold->env = walk_env_create(test);
	hold->env->addr = addr;
	hold->env->npages = npages;
	return hold;
}

/* What the walk asks for is in the array, which holds nothing yet. */
static struct hold *hold_create(struct kunit *test)
{
	struct hold *hold = hold_alloc(test, HOLD_START, HOLD_PAGES);
	struct walk_env *env = hold->env;
	struct file *file;

	KUNIT_ASSERT_EQ(test, 0, walk_map_anon(env, 3 * PMD_SIZE,
					       PROT_READ | PROT_WRITE));
	file = hold_huge_file(test, PMD_SIZE);
	hold->huge = hold_map_huge(hold, file, HOLD_HUGE, PMD_SIZE);
	fput(file);
	KUNIT_ASSERT_EQ(test, 0, walk_touch(HOLD_START, true));
	KUNIT_ASSERT_EQ(test, 0, walk_range_add(env, &hold->wr,
						hold_is_tracked(test),
						hold->pfns));
	hold->wr.range.pfn_flags_mask = HMM_PFN_REQ_FAULT;
	return hold;
}

static void hold_destroy(struct hold *hold)
{
	walk_range_del(&hold->wr);
	walk_env_destroy(hold->env);
}

static int hold_thread(void *data)
{
	struct hold *hold = data;

	mmap_read_lock(hold->env->mm);
	hold->ret = walk_range_walk(&hold->wr, true);
	mmap_read_unlock(hold->env->mm);
	complete(&hold->done);
	return 0;
}

/* Is somebody waiting for the lock that the test holds? */
static bool hold_wait(struct hold *hold)
{
	struct hugetlb_vma_lock *lock = hold->huge->vm_private_data;
	unsigned long until = jiffies + HOLD_TIME;

	while (time_before(jiffies, until)) {
		if (rwsem_is_contended(&lock->rw_sema))
			return true;
		usleep_range(500, 1000);
	}
	return false;
}

/* Let a walk begin, which stores the first page, and goes no further. */
static void hold_walk(struct hold *hold)
{
	walk_range_begin(&hold->wr);
	hold->task = kthread_create(hold_thread, hold, "hmm_hold");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(hold->test, hold->task);
	hugetlb_vma_lock_write(hold->huge);
	wake_up_process(hold->task);
	KUNIT_EXPECT_TRUE(hold->test, hold_wait(hold));
}

/* Let it go on, and see it end. */
static void hold_release(struct hold *hold)
{
	hugetlb_vma_unlock_write(hold->huge);
	wait_for_completion(&hold->done);
}

/* Hit the page that the walk has stored. */
static void hold_invalidate(struct hold *hold)
{
	unsigned long pfn;

	KUNIT_EXPECT_TRUE(hold->test,
			  walk_leaf(hold->env->mm, HOLD_START, &pfn));
	KUNIT_EXPECT_EQ(hold->test, hold->pfns[0],
			pfn | HMM_PFN_VALID | HMM_PFN_WRITE);
	walk_invalidate(hold->env->mm, HOLD_START, HOLD_HUGE);
}

static void hold_expect_mapped(struct hold *hold, unsigned long page)
{
	unsigned long addr = HOLD_START + page * PAGE_SIZE, pfn;

	KUNIT_EXPECT_TRUE(hold->test, walk_leaf(hold->env->mm, addr, &pfn));
	KUNIT_EXPECT_EQ(hold->test, hold->pfns[page] & ~HMM_PFN_WRITE,
			pfn | HMM_PFN_VALID);
}

/*
 * All that is asked for is present. A walk with an interval notifier looks at it
 * before it begins and after each fault, and never else: there is none, so it
 * reports what it has read, and it is the driver who sees that this is stale. A
 * tracked walk knows what was hit; with a mask it may not read that again.
 */
static void hold_invalidated_without_a_fault(struct kunit *test)
{
	struct hold *hold = hold_create(test);

	hold->pfns[0] = HMM_PFN_REQ_FAULT;
	hold_walk(hold);
	hold_invalidate(hold);
	hold_release(hold);
	KUNIT_EXPECT_EQ(test, hold->ret, hold->wr.tracked ? -EBUSY : 0);
	KUNIT_EXPECT_FALSE(test, walk_range_valid(&hold->wr));
	hold_expect_mapped(hold, 0);
	KUNIT_EXPECT_EQ(test, hold->pfns[1], 0);
	KUNIT_EXPECT_EQ(test, hold->pfns[HOLD_LAST], 0);
	hold_destroy(hold);
}

/* The same, and the last page has to be faulted in after that. */
static void hold_invalidated_before_a_fault(struct kunit *test)
{
	struct hold *hold = hold_create(test);

	hold->pfns[0] = HMM_PFN_REQ_FAULT;
	hold->pfns[HOLD_LAST] = HMM_PFN_REQ_FAULT;
	hold_walk(hold);
	hold_invalidate(hold);
	hold_release(hold);
	KUNIT_EXPECT_EQ(test, hold->ret, -EBUSY);
	KUNIT_EXPECT_FALSE(test, walk_range_valid(&hold->wr));
	hold_destroy(hold);
}

/* Faults before it, which were good when they were done, are no reason either. */
static void hold_invalidated_after_a_fault(struct kunit *test)
{
	struct hold *hold = hold_create(test);

	KUNIT_EXPECT_EQ(test, 0, do_madvise(hold->env->mm, HOLD_START, PAGE_SIZE,
					    MADV_DONTNEED));
	hold->pfns[0] = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
	hold->wr.range.pfn_flags_mask |= HMM_PFN_REQ_WRITE;
	hold_walk(hold);
	hold_invalidate(hold);
	hold_release(hold);
	KUNIT_EXPECT_EQ(test, hold->ret, hold->wr.tracked ? -EBUSY : 0);
	KUNIT_EXPECT_FALSE(test, walk_range_valid(&hold->wr));
	hold_expect_mapped(hold, 0);
	hold_destroy(hold);
}

#ifdef CONFIG_HUGETLB_PMD_PAGE_TABLE_SHARING
/* Take from the mapping the table of PMDs that it has in common with the other. */
static void hold_unshare(struct hold *hold)
{
	struct address_space *mapping = hold->huge->vm_file->f_mapping;
	struct vm_area_struct *vma = hold->huge;
	struct mmu_gather tlb;
	spinlock_t *ptl; /* of @ptep */
	pte_t *ptep;

	i_mmap_lock_write(mapping);
	tlb_gather_mmu_vma(&tlb, vma);
	ptep = hugetlb_walk(vma, vma->vm_start, PMD_SIZE);
	ptl = huge_pte_lock(hstate_vma(vma), vma->vm_mm, ptep);
	KUNIT_EXPECT_EQ(hold->test, 1,
			huge_pmd_unshare(&tlb, vma, vma->vm_start, ptep));
	spin_unlock(ptl);
	huge_pmd_unshare_flush(&tlb, vma);
	tlb_finish_mmu(&tlb);
	i_mmap_unlock_write(mapping);
}

/* Two mappings of one page, in tables that they share. */
static struct hold *hold_create_shared(struct kunit *test)
{
	struct hold *hold = hold_alloc(test, WALK_BASE, 4);
	struct file *file = hold_huge_file(test, PUD_SIZE);

	hold_map_huge(hold, file, WALK_BASE + PUD_SIZE, PUD_SIZE);
	hold->huge = hold_map_huge(hold, file, WALK_BASE, PUD_SIZE);
	hold->env->len = 2 * PUD_SIZE;
	fput(file);
	KUNIT_ASSERT_EQ(test, 0, walk_touch(WALK_BASE + PUD_SIZE, true));
	KUNIT_ASSERT_EQ(test, 0, walk_touch(WALK_BASE, true));
	KUNIT_ASSERT_EQ(test, 0, walk_range_add(hold->env, &hold->wr,
						hold_is_tracked(test),
						hold->pfns));
	return hold;
}

/* What the walk waits for is a hole by the time that it can go on. */
static void hold_shared_table_goes(struct kunit *test)
{
	struct hstate *h = size_to_hstate(PMD_SIZE);
	struct hold *hold;
	int i;

	if (!h || PUD_SIZE != SZ_1G)
		kunit_skip(test, "no table of PMDs that maps a GiB");
	/* Pages of the tests before are given back later, and count till then. */
	h->nr_overcommit_huge_pages += HOLD_SPARE;
	hold = hold_create_shared(test);
	memset(hold->pfns, 0x43, 4 * sizeof(*hold->pfns));
	hold_walk(hold);
	hold_unshare(hold);
	hold_release(hold);
	KUNIT_EXPECT_EQ(test, hold->ret, 0);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, hold->pfns[i], 0);
	hold_destroy(hold);
	h->nr_overcommit_huge_pages -= HOLD_SPARE;
}
#else
static void hold_shared_table_goes(struct kunit *test)
{
	kunit_skip(test, "mappings of hugetlb share no tables");
}
#endif

#else /* CONFIG_HUGETLB_PAGE */
static void hold_invalidated_without_a_fault(struct kunit *test)
{
	kunit_skip(test, "no hugetlb");
}

static void hold_invalidated_before_a_fault(struct kunit *test)
{
	kunit_skip(test, "no hugetlb");
}

static void hold_invalidated_after_a_fault(struct kunit *test)
{
	kunit_skip(test, "no hugetlb");
}

static void hold_shared_table_goes(struct kunit *test)
{
	kunit_skip(test, "no hugetlb");
}
#endif /* CONFIG_HUGETLB_PAGE */

#if defined(CONFIG_SMP) && defined(CONFIG_PREEMPT_RCU) && \
	defined(CONFIG_TRANSPARENT_HUGEPAGE) && defined(CONFIG_SHMEM)
/**
 * struct hold_loop - a thread that walks over and over, on a CPU of its own
 *
 * @env: the address space
 * @wr: the range
 * @pfns: its array
 * @cpu: where it runs
 * @walks: how often it has walked
 * @errors: how many of these failed
 * @hold: hold the CPU for as long as this is set
 * @held: the CPU is held
 */
struct hold_loop {
	struct walk_env		*env;
	struct walk_range	wr;
	unsigned long		*pfns;
	unsigned int		cpu;
	unsigned long		walks;
	unsigned long		errors;
	bool			hold;
	bool			held;
};

/* Just the page table is read: a snapshot, or a fault that asks for nothing. */
static int hold_loop_walk(struct hold_loop *loop)
{
	int ret;

	walk_range_begin(&loop->wr);
	mmap_read_lock(loop->env->mm);
	ret = walk_range_walk(&loop->wr, false);
	mmap_read_unlock(loop->env->mm);
	return ret;
}

static int hold_loop_thread(void *data)
{
	struct hold_loop *loop = data;
	int ret;

	while (!kthread_should_stop()) {
		ret = hold_loop_walk(loop);
		loop->errors += ret && ret != -EBUSY;
		WRITE_ONCE(loop->walks, loop->walks + 1);
	}
	return 0;
}

/* Of higher priority: it takes the CPU when it is woken, and keeps it. */
static int hold_cpu_thread(void *data)
{
	struct hold_loop *loop = data;

	while (!kthread_should_stop()) {
		if (!READ_ONCE(loop->hold)) {
			usleep_range(500, 700);
			continue;
		}
		WRITE_ONCE(loop->held, true);
		while (READ_ONCE(loop->hold))
			cpu_relax();
		WRITE_ONCE(loop->held, false);
	}
	return 0;
}

static struct task_struct *hold_start(struct kunit *test, struct hold_loop *loop,
				      int (*run)(void *data))
{
	struct task_struct *task = kthread_create(run, loop, "hmm_hold");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	kthread_bind(task, loop->cpu);
	if (run == hold_cpu_thread)
		sched_set_fifo(task);
	wake_up_process(task);
	return task;
}

/* A huge page of shmem; false if there is none to be had. */
static bool hold_map_shmem(struct walk_env *env)
{
	struct file *file = shmem_file_setup("hmm_hold", PMD_SIZE,
					     EMPTY_VMA_FLAGS);
	int err;

	if (IS_ERR(file))
		return false;
	err = walk_map_file(env, file, PMD_SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED);
	fput(file);
	if (!err)
		err = walk_touch(WALK_BASE, true);
	return !err && !do_madvise(env->mm, WALK_BASE, PMD_SIZE, MADV_COLLAPSE);
}

/* Map its pages one by one, in a page table. */
static int hold_map_ptes(struct walk_env *env)
{
	pmd_t *pmd = mm_find_pmd(env->mm, WALK_BASE);
	unsigned long addr;
	int err;

	mmap_read_lock(env->mm);
	if (!pmd_none(*pmd))
		__split_huge_pmd(env->vma, pmd, WALK_BASE, false);
	err = pte_alloc(env->mm, pmd) ? -ENOMEM : 0;
	mmap_read_unlock(env->mm);
	for (addr = WALK_BASE; !err && addr < WALK_BASE + PMD_SIZE;
	     addr += PAGE_SIZE)
		err = walk_touch(addr, false);
	return err;
}

/*
 * Hold the CPU of the walk, wherever that is, and collapse the page table under
 * it. True: the walk was in it, for its memory is not free as long as the walk
 * is held.
 */
static bool hold_and_collapse(struct hold_loop *loop)
{
	unsigned long until, cookie, walks = READ_ONCE(loop->walks);
	struct mm_struct *mm = loop->env->mm;
	bool freed = false;

	while (READ_ONCE(loop->walks) == walks)
		usleep_range(100, 200);
	WRITE_ONCE(loop->hold, true);
	while (!READ_ONCE(loop->held))
		usleep_range(100, 200);
	mmap_read_lock(mm);
	collapse_pte_mapped_thp(mm, WALK_BASE, false);
	mmap_read_unlock(mm);
	cookie = start_poll_synchronize_rcu();
	until = jiffies + HZ / 5;
	while (!freed && time_before(jiffies, until)) {
		usleep_range(1000, 2000);
		freed = poll_state_synchronize_rcu(cookie);
	}
	WRITE_ONCE(loop->hold, false);
	while (READ_ONCE(loop->held))
		usleep_range(100, 200);
	return !freed;
}

/* So often is a walk to be met in the page table, of so many times at most. */
#define HOLD_MET	3
#define HOLD_TRIES	100

static void hold_collapse_under_walks(struct kunit *test, struct hold_loop *loop)
{
	struct task_struct *walks, *holds;
	unsigned int met = 0, tries;
	unsigned long pfn;

	walks = hold_start(test, loop, hold_loop_thread);
	holds = hold_start(test, loop, hold_cpu_thread);
	for (tries = 0; met < HOLD_MET && tries < HOLD_TRIES; tries++) {
		KUNIT_EXPECT_EQ(test, 0, hold_map_ptes(loop->env));
		met += hold_and_collapse(loop);
		KUNIT_EXPECT_FALSE(test, walk_leaf(loop->env->mm, WALK_BASE,
						   &pfn));
	}
	kthread_stop(holds);
	kthread_stop(walks);
	KUNIT_EXPECT_EQ(test, met, HOLD_MET);
	kunit_info(test, "met %u times in %u tries, of %lu walks", met, tries,
		   loop->walks);
}

/* A page table of a file may go at any time: only its memory stays a while. */
static void hold_page_table_goes(struct kunit *test)
{
	const unsigned int here = cpumask_first(cpu_online_mask);
	struct hold_loop loop = { .env = walk_env_create(test) };
	const unsigned long npages = 1UL << PMD_ORDER;
	unsigned long i;

	loop.cpu = cpumask_any_but(cpu_online_mask, here);
	if (loop.cpu >= nr_cpu_ids)
		kunit_skip(test, "only one CPU");
	if (PMD_SIZE > SZ_32M)
		kunit_skip(test, "a huge page is too much memory");
	KUNIT_ASSERT_EQ(test, 0, set_cpus_allowed_ptr(current, cpumask_of(here)));
	loop.pfns = kunit_kcalloc(test, npages, sizeof(*loop.pfns), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, loop.pfns);
	KUNIT_ASSERT_TRUE(test, hold_map_shmem(loop.env));
	loop.env->npages = npages;
	KUNIT_ASSERT_EQ(test, 0, walk_range_add(loop.env, &loop.wr,
						hold_is_tracked(test),
						loop.pfns));
	hold_collapse_under_walks(test, &loop);
	KUNIT_EXPECT_EQ(test, loop.errors, 0);
	KUNIT_EXPECT_EQ(test, 0, hold_loop_walk(&loop));
	for (i = 0; i < npages; i++)
		KUNIT_ASSERT_EQ(test, loop.pfns[i], 0);
	walk_range_del(&loop.wr);
	walk_env_destroy(loop.env);
}

/* So many that a walk looks up whose the first one is. */
#define HOLD_PRIVATE	8

struct hold_once {
	struct hold_loop	loop;
	struct completion	done;
	bool			begun;
	int			ret;
};

static int hold_once_thread(void *data)
{
	struct hold_once *once = data;

	WRITE_ONCE(once->begun, true);
	once->ret = hold_loop_walk(&once->loop);
	complete(&once->done);
	return 0;
}

/*
 * A walk waits for the lock of a page table, to see whose memory an entry is of,
 * and then the table is gone. It must not be taken for one that has it, but is a
 * hole like any other. A virtual lock does not tell whether somebody waits.
 */
static void hold_private_table_goes(struct kunit *test)
{
	struct walk_env *env = walk_env_create(test);
	struct hold_once once = { .loop.env = env };
	unsigned long pfns[HOLD_PRIVATE];
	struct task_struct *task;
	spinlock_t *ptl; /* of the page table */
	pmd_t *pmdp, pmd;
	int i;

	env->npages = HOLD_PRIVATE;
	if (walk_install_device_own(env)) {
		walk_env_destroy(env);
		kunit_skip(test, "%s", env->why);
	}
	memset(pfns, 0x43, sizeof(pfns));
	init_completion(&once.done);
	KUNIT_EXPECT_EQ(test, 0, walk_range_add(env, &once.loop.wr,
						hold_is_tracked(test), pfns));
	task = kthread_create(hold_once_thread, &once, "hmm_hold");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);

	pmdp = mm_find_pmd(env->mm, env->addr);
	pmd = *pmdp;
	migrate_disable();
	once.loop.cpu = cpumask_any_but(cpu_online_mask, smp_processor_id());
	if (once.loop.cpu < nr_cpu_ids)
		kthread_bind(task, once.loop.cpu);
	ptl = pte_lockptr(env->mm, pmdp);
	spin_lock(ptl);
	wake_up_process(task);
	for (i = 0; i < MSEC_PER_SEC && !READ_ONCE(once.begun); i++)
		mdelay(1);
	mdelay(50);
	pmd_clear(pmdp);
	spin_unlock(ptl);
	migrate_enable();
	wait_for_completion(&once.done);
	pmd_populate(env->mm, pmdp, pmd_pgtable(pmd));

	KUNIT_EXPECT_TRUE(test, once.begun);
	KUNIT_EXPECT_EQ(test, once.ret, 0);
	for (i = 0; i < HOLD_PRIVATE; i++)
		KUNIT_EXPECT_EQ(test, pfns[i], 0);
	walk_range_del(&once.loop.wr);
	walk_env_destroy(env);
}
#else
static void hold_page_table_goes(struct kunit *test)
{
	kunit_skip(test, "nobody can be held in a page table");
}

static void hold_private_table_goes(struct kunit *test)
{
	kunit_skip(test, "nobody can be held at the lock of a page table");
}
#endif

static void hold_suite_exit(struct kunit_suite *suite)
{
	walk_mem_put_all();
}

static struct kunit_case hold_cases[] = {
	KUNIT_CASE_PARAM(hold_invalidated_without_a_fault, walk_tracked_params),
	KUNIT_CASE_PARAM(hold_invalidated_before_a_fault, walk_tracked_params),
	KUNIT_CASE_PARAM(hold_invalidated_after_a_fault, walk_tracked_params),
	KUNIT_CASE_PARAM(hold_shared_table_goes, walk_tracked_params),
	KUNIT_CASE_PARAM(hold_page_table_goes, walk_tracked_params),
	KUNIT_CASE_PARAM(hold_private_table_goes, walk_tracked_params),
	{ }
};

static struct kunit_suite hold_suite = {
	.name		= "hmm_hold",
	.suite_exit	= hold_suite_exit,
	.test_cases	= hold_cases,
};

kunit_test_suite(hold_suite);

MODULE_DESCRIPTION("Tests of walks of HMM that are held while things change");
MODULE_LICENSE("GPL");
