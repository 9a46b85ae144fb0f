// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the KUnit tests of tracked ranges share.
 */
#include <kunit/resource.h>
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "../internal.h"
#include "hmm_kunit.h"

KUNIT_DEFINE_ACTION_WRAPPER(put_mm, mmput, struct mm_struct *);
KUNIT_DEFINE_ACTION_WRAPPER(drop_mm, mmdrop, struct mm_struct *);
KUNIT_DEFINE_ACTION_WRAPPER(unregister_range, hmm_range_unregister,
			    struct hmm_range *);
KUNIT_DEFINE_ACTION_WRAPPER(remove_interval, mmu_interval_notifier_remove,
			    struct mmu_interval_notifier *);
KUNIT_DEFINE_ACTION_WRAPPER(put_file, fput, struct file *);

/* For a suite whose tests have an mm of their own, in @test->priv. */
int hmm_test_attach_mm(struct kunit *test)
{
	int ret = kunit_attach_mm();

	test->priv = current->mm;
	return ret;
}

/* An address space without a thread, and with one user: the test. */
struct mm_struct *hmm_test_mm(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mm->task_size = TASK_SIZE;
	arch_pick_mmap_layout(mm, &current->signal->rlim[RLIMIT_STACK]);

	/* The struct stays to be looked at after hmm_test_kill_mm(). */
	mmgrab(mm);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, drop_mm, mm), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_mm, mm), 0);
	return mm;
}

/* As the exit of its last thread does. */
void hmm_test_kill_mm(struct kunit *test, struct mm_struct *mm)
{
	kunit_release_action(test, put_mm, mm);
}

/* Zeroed but for an array of @nr entries; not registered. */
struct hmm_range *hmm_test_alloc_range(struct kunit *test, unsigned long nr)
{
	struct hmm_range *range = kunit_kzalloc(test, sizeof(*range), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, range);
	range->hmm_pfns = kunit_kcalloc(test, nr, sizeof(*range->hmm_pfns),
					GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, range->hmm_pfns);
	return range;
}

/* Registered, until hmm_test_unregister() or the end of the test. */
struct hmm_range *hmm_test_range(struct kunit *test, struct mm_struct *mm,
				 unsigned long first, unsigned long nr)
{
	struct hmm_range *range = hmm_test_alloc_range(test, nr);

	KUNIT_ASSERT_EQ(test, hmm_range_register(range, mm, hmm_test_addr(first),
						 hmm_test_addr(first + nr)), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister_range,
							range), 0);
	return range;
}

void hmm_test_unregister(struct kunit *test, struct hmm_range *range)
{
	kunit_release_action(test, unregister_range, range);
}

static void end_invalidation(void *data)
{
	struct mmu_notifier_range *invalidation = data;
	struct mm_struct *mm = invalidation->mm;

	mmu_notifier_invalidate_range_end(invalidation);
	mmdrop(mm);
}

/* In flight until hmm_test_end() or the end of the test. */
struct mmu_notifier_range *
hmm_test_start_event(struct kunit *test, struct mm_struct *mm,
		     unsigned long first, unsigned long nr,
		     enum mmu_notifier_event event, void *owner)
{
	struct mmu_notifier_range *invalidation;

	invalidation = kunit_kzalloc(test, sizeof(*invalidation), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, invalidation);
	mmu_notifier_range_init_owner(invalidation, event, 0, mm,
				      hmm_test_addr(first),
				      hmm_test_addr(first + nr), owner);
	mmgrab(mm);
	mmu_notifier_invalidate_range_start(invalidation);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, end_invalidation,
							invalidation), 0);
	return invalidation;
}

struct mmu_notifier_range *hmm_test_start(struct kunit *test,
					  struct mm_struct *mm,
					  unsigned long first,
					  unsigned long nr)
{
	return hmm_test_start_event(test, mm, first, nr, MMU_NOTIFY_CLEAR, NULL);
}

void hmm_test_end(struct kunit *test, struct mmu_notifier_range *invalidation)
{
	kunit_release_action(test, end_invalidation, invalidation);
}

void hmm_test_invalidate(struct mm_struct *mm, unsigned long first,
			 unsigned long nr)
{
	struct mmu_notifier_range invalidation;

	mmu_notifier_range_init(&invalidation, MMU_NOTIFY_CLEAR, 0, mm,
				hmm_test_addr(first), hmm_test_addr(first + nr));
	mmu_notifier_invalidate_range_start(&invalidation);
	mmu_notifier_invalidate_range_end(&invalidation);
}

int hmm_test_snapshot(struct hmm_range *range)
{
	struct mm_struct *mm = range->tracking.sub.mm;
	int ret;

	mmap_read_lock(mm);
	ret = hmm_range_snapshot(range);
	mmap_read_unlock(mm);
	return ret;
}

int hmm_test_fault(struct hmm_range *range)
{
	struct mm_struct *mm = range->tracking.sub.mm;
	int ret;

	mmap_read_lock(mm);
	ret = hmm_range_fault(range);
	mmap_read_unlock(mm);
	return ret;
}

/* The same, told that the array is as the last walk left it. */
int hmm_test_retry(struct hmm_range *range)
{
	hmm_range_retry(range);
	return hmm_test_fault(range);
}

static bool legacy_invalidate(struct mmu_interval_notifier *interval,
			      const struct mmu_notifier_range *invalidation,
			      unsigned long cur_seq)
{
	mmu_interval_set_seq(interval, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops legacy_ops = {
	.invalidate = legacy_invalidate,
};

/*
 * A range with an interval notifier, of the thread's mm, as a driver of old has
 * it: what it does not know of is not even zeroed.
 */
struct hmm_range *hmm_test_legacy_range(struct kunit *test, unsigned long nr)
{
	struct hmm_range *range = hmm_test_alloc_range(test, nr);
	unsigned long *pfns = range->hmm_pfns;
	struct mmu_interval_notifier *interval;

	interval = kunit_kzalloc(test, sizeof(*interval), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, interval);
	KUNIT_ASSERT_EQ(test, mmu_interval_notifier_insert(interval, current->mm,
							   hmm_test_addr(0),
							   nr * PAGE_SIZE,
							   &legacy_ops), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, remove_interval,
							interval), 0);
	memset(range, 0xa5, sizeof(*range));
	range->notifier = interval;
	range->start = hmm_test_addr(0);
	range->end = hmm_test_addr(nr);
	range->hmm_pfns = pfns;
	range->default_flags = HMM_PFN_REQ_FAULT;
	range->pfn_flags_mask = 0;
	range->dev_private_owner = NULL;
	return range;
}

int hmm_test_legacy_fault(struct hmm_range *range)
{
	struct mm_struct *mm = range->notifier->mm;
	int ret;

	mmap_read_lock(mm);
	ret = hmm_range_fault(range);
	mmap_read_unlock(mm);
	return ret;
}

/* Private pages of the thread's mm; anonymous ones if there is no file. */
void hmm_test_map(struct kunit *test, struct file *file, unsigned long first,
		  unsigned long nr, unsigned long prot)
{
	const unsigned long flags = MAP_PRIVATE | MAP_FIXED |
				    (file ? 0 : MAP_ANONYMOUS);

	KUNIT_ASSERT_EQ(test, kunit_vm_mmap(test, file, hmm_test_addr(first),
					    nr * PAGE_SIZE, prot, flags, 0),
			hmm_test_addr(first));
}

static vm_fault_t record_fault(struct vm_fault *vmf)
{
	struct hmm_test_recorder *recorder = vmf->vma->vm_private_data;
	vm_fault_t ret;

	recorder->faults++;
	recorder->by_vma += !!(vmf->flags & FAULT_FLAG_VMA_LOCK);
	recorder->flags = vmf->flags;
	if (vmf->pgoff < HMM_TEST_COUNTED)
		recorder->nr_hits[vmf->pgoff]++;
	if (recorder->hook) {
		ret = recorder->hook(recorder, vmf);
		if (ret)
			return ret;
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

/* @nr pages of one from hmm_test_addr(0) on. @by_vma: the vma lock will do. */
struct hmm_test_recorder *hmm_test_map_recorder(struct kunit *test,
						unsigned long nr,
						unsigned long prot, bool by_vma)
{
	const struct file_operations *fops = by_vma ? &by_vma_fops :
						      &by_mmap_fops;
	struct hmm_test_recorder *recorder;
	struct file *file;

	recorder = kunit_kzalloc(test, sizeof(*recorder), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, recorder);
	file = anon_inode_getfile("hmm_kunit", fops, recorder, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_file, file), 0);
	hmm_test_map(test, file, 0, nr, prot);
	return recorder;
}

/*
 * Unmap pages for real, with the invalidation that goes with it. The mmap lock
 * or that of the vma is held for read, so a fault handler may do it.
 */
void hmm_test_zap(struct vm_area_struct *vma, unsigned long first,
		  unsigned long nr)
{
	zap_vma_range(vma, hmm_test_addr(first), nr * PAGE_SIZE);
}

static unsigned long mapped_pmd(pmd_t pmd, unsigned long addr)
{
	return HMM_PFN_VALID | (pmd_write(pmd) ? HMM_PFN_WRITE : 0) |
	       (unsigned long)PMD_ORDER << HMM_PFN_ORDER_SHIFT |
	       (pmd_pfn(pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT));
}

/*
 * The entry that a page is to have by what the page table says now; 0: nothing
 * is mapped. The mmap lock is held.
 */
unsigned long hmm_test_mapped(struct mm_struct *mm, unsigned long page)
{
	const unsigned long addr = hmm_test_addr(page);
	pmd_t *pmdp = mm_find_pmd(mm, addr);
	unsigned long entry = 0;
	pte_t *ptep, pte;

	if (!pmdp)
		return 0;
	if (pmd_leaf(pmdp_get(pmdp)))
		return mapped_pmd(pmdp_get(pmdp), addr);
	ptep = pte_offset_map(pmdp, addr);
	if (!ptep)
		return 0;
	pte = ptep_get(ptep);
	if (pte_present(pte))
		entry = HMM_PFN_VALID | (pte_write(pte) ? HMM_PFN_WRITE : 0) |
			pte_pfn(pte);
	pte_unmap(ptep);
	return entry;
}

void hmm_test_forget(struct hmm_range *range, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		range->hmm_pfns[i] = HMM_TEST_UNTOUCHED;
}

static bool is_among(const struct hmm_test_pages *pages, unsigned long page)
{
	for (; pages->end; pages++)
		if (page >= pages->first && page < pages->end)
			return true;
	return false;
}

/* What was walked has what is mapped, all else is as hmm_test_forget() left it. */
void hmm_test_expect_walked(struct kunit *test, const struct hmm_range *range,
			    unsigned long nr,
			    const struct hmm_test_pages *walked)
{
	const unsigned long first = (range->start - HMM_TEST_BASE) >> PAGE_SHIFT;
	struct mm_struct *mm = range->notifier ? range->notifier->mm :
						 range->tracking.sub.mm;
	unsigned long entry;

	mmap_read_lock(mm);
	for (unsigned long i = 0; i < nr; i++) {
		entry = HMM_TEST_UNTOUCHED;
		if (is_among(walked, i))
			entry = hmm_test_mapped(mm, first + i);
		if (range->hmm_pfns[i] != entry) {
			KUNIT_FAIL(test, "entry %lu of %lu is %#lx, not %#lx", i,
				   nr, range->hmm_pfns[i], entry);
			break;
		}
	}
	mmap_read_unlock(mm);
}

/* Every entry has what is mapped, whenever it was stored. */
void hmm_test_expect_mapped(struct kunit *test, const struct hmm_range *range,
			    unsigned long nr)
{
	const struct hmm_test_pages all[] = { { 0, nr }, { } };

	hmm_test_expect_walked(test, range, nr, all);
}

static int job_thread(void *data)
{
	struct hmm_test_job *job = data;

	allow_kernel_signal(SIGKILL);
	job->run(job);
	complete(&job->done);
	return 0;
}

static void free_job(void *data)
{
	struct hmm_test_job *job = data;

	hmm_test_kill_job(job);
	if (!hmm_test_job_ends(job)) {
		pr_err("a job of a test never ended, and may bring the kernel down\n");
		return;
	}
	kthread_stop_put(job->task);
	kfree(job);
}

/* Runs @run in a thread of its own, which has @args to go by. */
struct hmm_test_job *hmm_test_start_job(struct kunit *test,
					void (*run)(struct hmm_test_job *job),
					const struct hmm_test_job *args)
{
	struct hmm_test_job *job = kmemdup(args, sizeof(*args), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, job);
	job->run = run;
	init_completion(&job->done);
	job->task = kthread_create(job_thread, job, "hmm_test_job");
	if (IS_ERR(job->task)) {
		kfree(job);
		KUNIT_FAIL_AND_ABORT(test, "no thread for a job");
	}
	get_task_struct(job->task);
	wake_up_process(job->task);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_job, job), 0);
	return job;
}

/* Is it asleep, waiting for something, or soon? False if it has ended. */
bool hmm_test_job_sleeps(struct hmm_test_job *job)
{
	unsigned long until = jiffies + HMM_TEST_LONG;

	while (!completion_done(&job->done) && time_before(jiffies, until)) {
		if (READ_ONCE(job->task->__state) & TASK_WAKEKILL)
			return true;
		usleep_range(1000, 2000);
	}
	return false;
}

bool hmm_test_job_ends(struct hmm_test_job *job)
{
	if (!wait_for_completion_timeout(&job->done, HMM_TEST_LONG))
		return false;
	/* It may be asked for again. */
	complete(&job->done);
	return true;
}

void hmm_test_kill_job(struct hmm_test_job *job)
{
	send_sig(SIGKILL, job->task, 1);
}
