// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit tests of faults under the lock of a vma, and of when the mmap lock is
 * taken instead. To tell which it was, the test holds the mmap lock for write:
 * a call that ends all the same did without it, and one that sleeps did not.
 */
#include <kunit/resource.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "hmm_kunit.h"

/* A mapping that tells what its faults were called with. */
struct recorder {
	unsigned int by_vma;
	unsigned int by_mmap;
	/* How many more faults invalidate the page that they map. */
	unsigned int churn;
};

static vm_fault_t record_fault(struct vm_fault *vmf)
{
	struct recorder *recorder = vmf->vma->vm_private_data;

	if (vmf->flags & FAULT_FLAG_VMA_LOCK)
		recorder->by_vma++;
	else
		recorder->by_mmap++;
	if (recorder->churn) {
		recorder->churn--;
		hmm_test_invalidate(vmf->vma->vm_mm, vmf->pgoff, 1);
	}
	vmf->page = alloc_page(GFP_HIGHUSER | __GFP_ZERO);
	return vmf->page ? 0 : VM_FAULT_OOM;
}

/* The core takes a mapping with this for one that needs no mmap lock. */
static vm_fault_t map_nothing_around(struct vm_fault *vmf, pgoff_t first,
				     pgoff_t last)
{
	return 0;
}

static const struct vm_operations_struct by_vma_ops = {
	.fault = record_fault,
	.map_pages = map_nothing_around,
};

static const struct vm_operations_struct by_mmap_ops = {
	.fault = record_fault,
};

static int by_vma_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &by_vma_ops;
	vma->vm_private_data = file->private_data;
	return 0;
}

static int by_mmap_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &by_mmap_ops;
	vma->vm_private_data = file->private_data;
	return 0;
}

static const struct file_operations by_vma_fops = { .mmap = by_vma_mmap };
static const struct file_operations by_mmap_fops = { .mmap = by_mmap_mmap };

KUNIT_DEFINE_ACTION_WRAPPER(put_file, fput, struct file *);

static struct mm_struct *test_mm(struct kunit *test)
{
	return test->priv;
}

static void map_pages(struct kunit *test, struct file *file, unsigned long first,
		      unsigned long nr, unsigned long prot)
{
	const unsigned long flags = MAP_PRIVATE | MAP_FIXED |
				    (file ? 0 : MAP_ANONYMOUS);

	KUNIT_ASSERT_EQ(test, kunit_vm_mmap(test, file, hmm_test_addr(first),
					    nr * PAGE_SIZE, prot, flags, 0),
			hmm_test_addr(first));
}

static struct recorder *map_recorder(struct kunit *test,
				     const struct file_operations *fops,
				     unsigned long nr)
{
	struct recorder *recorder;
	struct file *file;

	recorder = kunit_kzalloc(test, sizeof(*recorder), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, recorder);
	file = anon_inode_getfile("hmm_kunit", fops, recorder, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_file, file), 0);
	map_pages(test, file, 0, nr, PROT_READ);
	return recorder;
}

static struct hmm_range *fault_range(struct kunit *test, unsigned long nr,
				     unsigned long write)
{
	struct hmm_range *range = hmm_test_range(test, test_mm(test), 0, nr);

	range->default_flags = HMM_PFN_REQ_FAULT | write;
	return range;
}

static void fault_unlocked(struct hmm_test_job *job)
{
	job->result = hmm_range_fault_unlocked_timeout(job->range, 0);
}

/*
 * Fault @range in while the mmap lock, and the lock of @vma if there is one, is
 * held for write. Returns whether that was in its way.
 */
static bool fault_needs_mmap_lock(struct kunit *test, struct hmm_range *range,
				  struct vm_area_struct *vma)
{
	const struct hmm_test_job args = { .range = range };
	struct hmm_test_job *job;
	bool sleeps;

	mmap_write_lock(test_mm(test));
	if (vma)
		vma_start_write(vma);
	job = hmm_test_start_job(test, fault_unlocked, &args);
	sleeps = hmm_test_job_sleeps(job);
	mmap_write_unlock(test_mm(test));

	KUNIT_EXPECT_TRUE(test, hmm_test_job_ends(job));
	KUNIT_EXPECT_EQ(test, job->result, 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
	return sleeps;
}

static void present_pages_need_no_mmap_lock(struct kunit *test)
{
	struct hmm_range *range;

	map_pages(test, NULL, 0, 4, PROT_READ | PROT_WRITE);
	range = fault_range(test, 4, HMM_PFN_REQ_WRITE);
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_FALSE(test, fault_needs_mmap_lock(test, range, NULL));
}

/* The first page of all needs it, for the vma to get its anon_vma. */
static void absent_pages_need_no_mmap_lock(struct kunit *test)
{
	struct hmm_range *range;

	map_pages(test, NULL, 0, 4, PROT_READ | PROT_WRITE);
	range = fault_range(test, 1, HMM_PFN_REQ_WRITE);
	KUNIT_EXPECT_TRUE(test, fault_needs_mmap_lock(test, range, NULL));
	range = fault_range(test, 4, HMM_PFN_REQ_WRITE);
	KUNIT_EXPECT_FALSE(test, fault_needs_mmap_lock(test, range, NULL));
	for (int i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, range->hmm_pfns[i] & HMM_PFN_WRITE);
}

static void two_vmas_need_the_mmap_lock(struct kunit *test)
{
	struct hmm_range *range;

	map_pages(test, NULL, 0, 2, PROT_READ | PROT_WRITE);
	map_pages(test, NULL, 2, 2, PROT_READ);
	range = fault_range(test, 4, 0);
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_TRUE(test, fault_needs_mmap_lock(test, range, NULL));
}

static void a_vma_that_is_changed_needs_the_mmap_lock(struct kunit *test)
{
	struct vm_area_struct *vma;
	struct hmm_range *range;

	map_pages(test, NULL, 0, 4, PROT_READ | PROT_WRITE);
	range = fault_range(test, 4, 0);
	KUNIT_ASSERT_EQ(test, hmm_test_fault(range), 0);
	mmap_read_lock(test_mm(test));
	vma = vma_lookup(test_mm(test), hmm_test_addr(0));
	mmap_read_unlock(test_mm(test));
	KUNIT_ASSERT_NOT_NULL(test, vma);
	KUNIT_EXPECT_TRUE(test, fault_needs_mmap_lock(test, range, vma));
}

static void no_vma_is_no_page(struct kunit *test)
{
	struct hmm_range *range = fault_range(test, 4, 0);

	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), -EFAULT);
	KUNIT_EXPECT_FALSE(test, hmm_range_valid(range));
}

static void a_fault_runs_under_the_lock_of_the_vma(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, &by_vma_fops, 4);
	struct hmm_range *range = fault_range(test, 4, 0);

	/* Four PTEs may come in one table or, at its first page, after it. */
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->by_vma, 4);
	KUNIT_EXPECT_EQ(test, recorder->by_mmap, 0);
}

static void a_fault_that_asks_for_it_gets_the_mmap_lock(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, &by_mmap_fops, 4);
	struct hmm_range *range = fault_range(test, 4, 0);

	KUNIT_EXPECT_TRUE(test, fault_needs_mmap_lock(test, range, NULL));
	KUNIT_EXPECT_EQ(test, recorder->by_vma, 0);
	KUNIT_EXPECT_EQ(test, recorder->by_mmap, 4);
}

/* An invalidation is no reason to go for the mmap lock. */
static void a_retry_stays_under_the_lock_of_the_vma(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, &by_vma_fops, 4);
	struct hmm_range *range = fault_range(test, 4, 0);

	recorder->churn = 2;
	KUNIT_EXPECT_EQ(test, hmm_range_fault_unlocked_timeout(range, 0), 0);
	KUNIT_EXPECT_EQ(test, recorder->churn, 0);
	KUNIT_EXPECT_EQ(test, recorder->by_vma, 4);
	KUNIT_EXPECT_EQ(test, recorder->by_mmap, 0);
	KUNIT_EXPECT_TRUE(test, hmm_range_valid(range));
}

/* As said, with the mmap lock kept by the caller, a fault knows of no other. */
static void a_caller_with_the_mmap_lock_keeps_to_it(struct kunit *test)
{
	struct recorder *recorder = map_recorder(test, &by_vma_fops, 4);
	struct hmm_range *range = fault_range(test, 4, 0);

	KUNIT_EXPECT_EQ(test, hmm_test_fault(range), 0);
	KUNIT_EXPECT_EQ(test, recorder->by_vma, 0);
	KUNIT_EXPECT_EQ(test, recorder->by_mmap, 4);
}

static int attach_mm(struct kunit *test)
{
	int ret = kunit_attach_mm();

	test->priv = current->mm;
	return ret;
}

static struct kunit_case hmm_vma_cases[] = {
	KUNIT_CASE(present_pages_need_no_mmap_lock),
	KUNIT_CASE(absent_pages_need_no_mmap_lock),
	KUNIT_CASE(two_vmas_need_the_mmap_lock),
	KUNIT_CASE(a_vma_that_is_changed_needs_the_mmap_lock),
	KUNIT_CASE(no_vma_is_no_page),
	KUNIT_CASE(a_fault_runs_under_the_lock_of_the_vma),
	KUNIT_CASE(a_fault_that_asks_for_it_gets_the_mmap_lock),
	KUNIT_CASE(a_retry_stays_under_the_lock_of_the_vma),
	KUNIT_CASE(a_caller_with_the_mmap_lock_keeps_to_it),
	{ }
};

static struct kunit_suite hmm_vma_suite = {
	.name = "hmm_vma",
	.init = attach_mm,
	.test_cases = hmm_vma_cases,
};

kunit_test_suite(hmm_vma_suite);

MODULE_DESCRIPTION("KUnit tests of HMM faults under the lock of a vma");
MODULE_LICENSE("GPL");
