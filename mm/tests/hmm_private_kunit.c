// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of T14 for a page of the caller's own device memory that may not be
 * written to, when write is asked for. A driver whose ->migrate_to_ram() does
 * nothing for its own page, as amdgpu's, gets the same entry after each fault.
 *
 * With an interval notifier the page is reported as it is, and not faulted: such
 * drivers rely on it. A tracked range is told that nothing helps.
 */
#include <linux/mm.h>

#include "hmm_walk_kunit.h"

#define NR_PAGES	4

/* So often is a page faulted in before a walk gives up on it. */
#define FAULTS		4

static struct walk_env *private_env(struct kunit *test,
				    int (*install)(struct walk_env *env))
{
	struct walk_env *env = walk_env_create(test);
	int err;

	env->npages = NR_PAGES;
	env->stays = true;
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

static int fault_for_write(struct walk_env *env, struct walk_range *wr,
			   unsigned long *pfns, bool tracked)
{
	int ret = walk_range_add(env, wr, tracked, pfns);

	KUNIT_EXPECT_EQ(env->test, ret, 0);
	if (ret)
		return ret;
	wr->range.default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
	walk_range_begin(wr);
	mmap_read_lock(env->mm);
	ret = walk_range_walk(wr, true);
	mmap_read_unlock(env->mm);
	return ret;
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

#if WALK_HAVE_TRACKED
static void expect_given_up(struct kunit *test,
			    int (*install)(struct walk_env *env))
{
	struct walk_env *env = private_env(test, install);
	unsigned long pfns[NR_PAGES] = { };
	struct walk_range wr;

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
#if WALK_HAVE_TRACKED
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
