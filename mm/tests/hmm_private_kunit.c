// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of T14 for a page of the caller's own device memory that may not be
 * written to, when write is asked for. A driver whose ->migrate_to_ram() does
 * nothing for its own page, as amdgpu's, gets the same entry after each fault.
 *
 * With an interval notifier the page is reported as it is, and not faulted: such
 * drivers rely on it. A tracked range is told that nothing helps.
 *
 * And of what a walk takes for the caller's own, where memory of two owners
 * follows each other in one page table.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/spinlock.h>

#include "../internal.h"
#include "hmm_walk_kunit.h"

/* So many that a walk remembers what they are. */
#define NR_PAGES	8

/* So often is a page faulted in before a walk gives up on it. */
#define FAULTS		4

static struct walk_env *private_env(struct kunit *test,
				    int (*install)(struct walk_env *env))
{
	struct walk_env *env = walk_env_create(test);
	int err;

	env->npages = NR_PAGES;
	err = install(env);
	if (err) {
		walk_env_destroy(env);
		if (err == -EOPNOTSUPP && env->why)
			kunit_skip(test, "%s", env->why);
		KUNIT_FAIL_AND_ABORT(test, "not installed: %d", err);
	}
	walk_forget_faults(env);
	return env;
}

/* @flags are asked for of each page, or else what @mask admits of the array. */
static int walk_all(struct walk_env *env, struct walk_range *wr,
		    unsigned long *pfns, bool tracked, unsigned long flags,
		    unsigned long mask)
{
	int ret = walk_range_add(env, wr, tracked, pfns);

	KUNIT_EXPECT_EQ(env->test, ret, 0);
	if (ret)
		return ret;
	wr->range.default_flags = flags;
	wr->range.pfn_flags_mask = mask;
	walk_range_begin(wr);
	mmap_read_lock(env->mm);
	ret = walk_range_walk(wr, flags | mask);
	mmap_read_unlock(env->mm);
	return ret;
}

static int fault_for_write(struct walk_env *env, struct walk_range *wr,
			   unsigned long *pfns, bool tracked)
{
	return walk_all(env, wr, pfns, tracked,
			HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE, 0);
}

static void expect_reported(struct kunit *test,
			    int (*install)(struct walk_env *env),
			    unsigned int order)
{
	const unsigned long flags = HMM_PFN_VALID |
				    (unsigned long)order << HMM_PFN_ORDER_SHIFT;
	struct walk_env *env = private_env(test, install);
	unsigned long pfns[NR_PAGES] = { };
	struct walk_range wr;

	env->stays = true;
	KUNIT_EXPECT_EQ(test, fault_for_write(env, &wr, pfns, false), 0);
	KUNIT_EXPECT_EQ(test, env->nr_migrations, 0);
	KUNIT_EXPECT_TRUE(test, walk_range_valid(&wr));
	for (int i = 0; i < NR_PAGES; i++)
		KUNIT_EXPECT_EQ(test, pfns[i], (env->pfn + i) | flags);
	walk_range_del(&wr);
	walk_env_destroy(env);
}

static void t14_own_readonly_page_legacy(struct kunit *test)
{
	expect_reported(test, walk_install_device_own_ro, 0);
}

static void t14_own_readonly_pmd_legacy(struct kunit *test)
{
	expect_reported(test, walk_install_device_own_ro_pmd, PMD_ORDER);
}

/* All pages but the last are of one owner, and that one of the other. */
static void expect_own(struct kunit *test, void *owner, bool first, bool tracked)
{
	struct walk_env *env = private_env(test, walk_install_device_two_owners);
	unsigned long pfns[NR_PAGES] = { };
	struct walk_range wr;

	env->owner = owner;
	KUNIT_EXPECT_EQ(test, walk_all(env, &wr, pfns, tracked, 0, 0), 0);
	for (int i = 0; i < NR_PAGES; i++)
		KUNIT_EXPECT_EQ_MSG(test, pfns[i],
				    (i < NR_PAGES - 1) != first ? 0 :
				    (env->pfn + i) | HMM_PFN_VALID | HMM_PFN_WRITE,
				    "page %d", i);
	walk_range_del(&wr);
	walk_env_destroy(env);
}

static void pages_before_those_of_another_legacy(struct kunit *test)
{
	expect_own(test, walk_mem_owner(), true, false);
}

static void a_page_behind_those_of_another_legacy(struct kunit *test)
{
	expect_own(test, walk_mem_other_owner(), false, false);
}

#if WALK_HAVE_TRACKED
static void pages_before_those_of_another(struct kunit *test)
{
	expect_own(test, walk_mem_owner(), true, true);
}

static void a_page_behind_those_of_another(struct kunit *test)
{
	expect_own(test, walk_mem_other_owner(), false, true);
}

/* Those of another are brought back, and this one is not among them. */
static void expect_stays(struct kunit *test, unsigned long flags,
			 unsigned long mask)
{
	struct walk_env *env = private_env(test, walk_install_device_two_owners);
	unsigned long pfns[NR_PAGES];
	struct walk_range wr;

	for (int i = 0; i < NR_PAGES; i++)
		pfns[i] = mask;
	env->owner = walk_mem_other_owner();
	KUNIT_EXPECT_EQ(test, walk_all(env, &wr, pfns, true, flags, mask), 0);
	KUNIT_EXPECT_EQ(test, env->nr_migrations, NR_PAGES - 1);
	for (int i = 0; i < NR_PAGES - 1; i++) {
		KUNIT_EXPECT_TRUE(test, pfns[i] & HMM_PFN_VALID);
		KUNIT_EXPECT_EQ(test, pfns[i],
				walk_mapped(env->mm, env->addr + i * PAGE_SIZE));
	}
	KUNIT_EXPECT_EQ(test, pfns[NR_PAGES - 1],
			(env->pfn + NR_PAGES - 1) | HMM_PFN_VALID |
			HMM_PFN_WRITE);
	walk_range_del(&wr);
	walk_env_destroy(env);
}

static void a_page_behind_those_of_another_stays(struct kunit *test)
{
	expect_stays(test, HMM_PFN_REQ_FAULT, 0);
}

static void a_page_behind_those_of_another_stays_by_mask(struct kunit *test)
{
	expect_stays(test, 0, HMM_PFN_REQ_FAULT);
}

/*
 * The first page that is brought back goes with all memory of that kind to the
 * caller: whose the others are is looked up again.
 */
static void owner_that_changes_with_a_fault(struct kunit *test)
{
	struct walk_env *env = private_env(test, walk_install_device_foreign);
	unsigned long pfns[NR_PAGES] = { };
	struct walk_range wr;

	env->owner = walk_mem_other_owner();
	env->gives = env->owner;
	KUNIT_EXPECT_EQ(test, walk_all(env, &wr, pfns, true, HMM_PFN_REQ_FAULT,
				       0), 0);
	KUNIT_EXPECT_EQ(test, env->nr_migrations, 1);
	KUNIT_EXPECT_EQ(test, pfns[0], walk_mapped(env->mm, env->addr));
	for (int i = 1; i < NR_PAGES; i++)
		KUNIT_EXPECT_EQ_MSG(test, pfns[i], (env->pfn + i) |
				    HMM_PFN_VALID | HMM_PFN_WRITE, "page %d", i);
	walk_mem_pgmap(WALK_MEM_PRIVATE)->owner = walk_mem_owner();
	walk_range_del(&wr);
	walk_env_destroy(env);
}

#ifdef CONFIG_SMP
struct snapshot_job {
	struct mm_struct	*mm;
	struct walk_range	wr;
	unsigned long		pfns[NR_PAGES];
	struct completion	done;
	bool			begun;
	int			ret;
};

static int snapshot_thread(void *data)
{
	struct snapshot_job *job = data;

	mmap_read_lock(job->mm);
	WRITE_ONCE(job->begun, true);
	job->ret = walk_range_walk(&job->wr, false);
	mmap_read_unlock(job->mm);
	complete(&job->done);
	return 0;
}

/* Wait till it has come to the lock of the caller: a virtual one does not tell. */
static bool wait_for_walk(const struct snapshot_job *job)
{
	for (int i = 0; i < MSEC_PER_SEC && !READ_ONCE(job->begun); i++)
		mdelay(1);
	mdelay(50);
	return READ_ONCE(job->begun);
}

/*
 * The walk has found an own entry and waits for the lock of it, to see whose it
 * is. Meanwhile @change makes it another one: that is what counts.
 */
static void change_under_walk(struct kunit *test, struct walk_env *env,
			      struct snapshot_job *job, spinlock_t *ptl,
			      void (*change)(struct walk_env *env))
{
	struct task_struct *task;
	unsigned int cpu;
	bool begun;

	job->mm = env->mm;
	init_completion(&job->done);
	KUNIT_EXPECT_EQ(test, walk_range_add(env, &job->wr, true, job->pfns), 0);
	task = kthread_create(snapshot_thread, job, "hmm-snapshot");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));

	migrate_disable();
	cpu = cpumask_any_but(cpu_online_mask, smp_processor_id());
	if (cpu < nr_cpu_ids)
		kthread_bind(task, cpu);
	/* The walk begins when it cannot get past the lock. */
	spin_lock(ptl);
	wake_up_process(task);
	begun = wait_for_walk(job);
	change(env);
	spin_unlock(ptl);
	migrate_enable();
	wait_for_completion(&job->done);

	KUNIT_EXPECT_TRUE(test, begun);
	KUNIT_EXPECT_EQ(test, job->ret, 0);
	walk_range_del(&job->wr);
}

static void put_first_page_back(struct walk_env *env)
{
	pte_t *ptep = pte_offset_map(mm_find_pmd(env->mm, env->addr), env->addr);

	ptep_get_and_clear(env->mm, env->addr, ptep);
	set_pte_at(env->mm, env->addr, ptep, env->old_pte[0]);
	pte_unmap(ptep);
}

static void own_page_that_changes_under_the_walk(struct kunit *test)
{
	struct walk_env *env = private_env(test, walk_install_device_own);
	struct snapshot_job job = { };
	spinlock_t *ptl; /* of the PTEs */

	ptl = pte_lockptr(env->mm, mm_find_pmd(env->mm, env->addr));
	change_under_walk(test, env, &job, ptl, put_first_page_back);
	KUNIT_EXPECT_EQ(test, job.pfns[0], pte_pfn(env->old_pte[0]) |
			HMM_PFN_VALID | HMM_PFN_WRITE);
	KUNIT_EXPECT_EQ(test, job.pfns[1], (env->pfn + 1) |
			HMM_PFN_VALID | HMM_PFN_WRITE);
	walk_env_destroy(env);
}
#else
static void own_page_that_changes_under_the_walk(struct kunit *test)
{
	kunit_skip(test, "nobody else to take a lock");
}
#endif

#if defined(CONFIG_TRANSPARENT_HUGEPAGE) && defined(CONFIG_SMP)
static void set_own_pmd(struct walk_env *env, pmd_t pmd)
{
	set_pmd_at(env->mm, env->addr & PMD_MASK,
		   mm_find_pmd(env->mm, env->addr), pmd);
}

static void put_pmd_back(struct walk_env *env)
{
	set_own_pmd(env, env->old_pmd);
}

static void own_pmd_that_changes_under_the_walk(struct kunit *test)
{
	struct walk_env *env = private_env(test, walk_install_device_own_pmd);
	struct snapshot_job job = { };
	unsigned long pfn;
	spinlock_t *ptl; /* of the PMD */

	ptl = pmd_lockptr(env->mm, mm_find_pmd(env->mm, env->addr));
	change_under_walk(test, env, &job, ptl, put_pmd_back);
	for (int i = 0; i < NR_PAGES; i++) {
		pfn = pmd_pfn(env->old_pmd) + i +
		      ((env->addr & ~PMD_MASK) >> PAGE_SHIFT);
		KUNIT_EXPECT_TRUE(test, job.pfns[i] & HMM_PFN_VALID);
		KUNIT_EXPECT_EQ(test, hmm_pfn_to_map_order(job.pfns[i]), PMD_ORDER);
		KUNIT_EXPECT_EQ(test, page_to_pfn(hmm_pfn_to_page(job.pfns[i])),
				pfn);
	}
	spin_lock(ptl);
	set_own_pmd(env, env->new_pmd);
	spin_unlock(ptl);
	walk_env_destroy(env);
}
#else
static void own_pmd_that_changes_under_the_walk(struct kunit *test)
{
	kunit_skip(test, "no huge pages, or nobody else to take a lock");
}
#endif

static void expect_given_up(struct kunit *test,
			    int (*install)(struct walk_env *env))
{
	struct walk_env *env = private_env(test, install);
	unsigned long pfns[NR_PAGES] = { };
	struct walk_range wr;

	env->stays = true;
	KUNIT_EXPECT_EQ(test, fault_for_write(env, &wr, pfns, true), -EBUSY);
	KUNIT_EXPECT_EQ(test, env->nr_migrations, FAULTS);
	KUNIT_EXPECT_FALSE(test, walk_range_valid(&wr));
	walk_range_del(&wr);
	walk_env_destroy(env);
}

static void t14_own_readonly_page_tracked(struct kunit *test)
{
	expect_given_up(test, walk_install_device_own_ro);
}

static void t14_own_readonly_pmd_tracked(struct kunit *test)
{
	expect_given_up(test, walk_install_device_own_ro_pmd);
}
#endif /* WALK_HAVE_TRACKED */

static void private_suite_exit(struct kunit_suite *suite)
{
	walk_mem_put_all();
}

static struct kunit_case private_cases[] = {
	KUNIT_CASE(t14_own_readonly_page_legacy),
	KUNIT_CASE(t14_own_readonly_pmd_legacy),
	KUNIT_CASE(pages_before_those_of_another_legacy),
	KUNIT_CASE(a_page_behind_those_of_another_legacy),
#if WALK_HAVE_TRACKED
	KUNIT_CASE(pages_before_those_of_another),
	KUNIT_CASE(a_page_behind_those_of_another),
	KUNIT_CASE(a_page_behind_those_of_another_stays),
	KUNIT_CASE(a_page_behind_those_of_another_stays_by_mask),
	KUNIT_CASE(owner_that_changes_with_a_fault),
	KUNIT_CASE(own_page_that_changes_under_the_walk),
	KUNIT_CASE(own_pmd_that_changes_under_the_walk),
	KUNIT_CASE(t14_own_readonly_page_tracked),
	KUNIT_CASE(t14_own_readonly_pmd_tracked),
#endif
	{ }
};

static struct kunit_suite private_suite = {
	.name		= "hmm_private",
	.suite_exit	= private_suite_exit,
	.test_cases	= private_cases,
};

kunit_test_suite(private_suite);
