// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The smallest complete driver that mirrors the memory of a process with HMM.
 *
 * /dev/hmm_sample gives the process that opens it a device without hardware.
 * pread() lets that read the process's memory, by a page table of its own.
 *
 * Documentation/mm/hmm.rst quotes what is between two "hmm.rst:" comments.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

/* hmm.rst: state */
#define MIRROR_PAGES	64	/* entries of the page table of the device */
#define MIRROR_TRIES	16	/* faults of one access */

struct mirror {
	/* Serialises the walks of @range, and covers all down to @bounce. */
	struct mutex		walk_lock;
	struct hmm_range	range;
	unsigned long		pfns[MIRROR_PAGES];
	char			bounce[PAGE_SIZE];

	/* The driver's lock: covers the page table of the device, below. */
	struct mutex		lock;
	/* The addresses that @table maps now, and an entry for each page. */
	unsigned long		start, end;
	unsigned long		table[MIRROR_PAGES];
};

/* hmm.rst: callback */
/* Hardware also flushes its TLB here, and waits for accesses under way. */
static void mirror_unmap(struct mirror *mirror, unsigned long start,
			 unsigned long end)
{
	unsigned long addr;

	lockdep_assert_held(&mirror->lock);
	end = min(end, mirror->end);
	for (addr = max(PAGE_ALIGN_DOWN(start), mirror->start); addr < end;
	     addr += PAGE_SIZE)
		mirror->table[(addr - mirror->start) >> PAGE_SHIFT] = 0;
}

/* The process or the kernel is about to change what is mapped, or is exiting. */
static bool mirror_invalidate(struct hmm_range *range,
			      const struct mmu_notifier_range *invalidation,
			      unsigned long start, unsigned long end)
{
	struct mirror *mirror = container_of(range, struct mirror, range);

	if (mmu_notifier_range_blockable(invalidation))
		mutex_lock(&mirror->lock);
	else if (!mutex_trylock(&mirror->lock))
		return false;
	mirror_unmap(mirror, start, end);
	mutex_unlock(&mirror->lock);
	return true;
}

static const struct hmm_range_ops mirror_range_ops = {
	.invalidate	= mirror_invalidate,
};

/* hmm.rst: fault */
static void mirror_lock(void *data)
{
	struct mirror *mirror = data;

	mutex_lock(&mirror->lock);
}

static void mirror_unlock(void *data)
{
	struct mirror *mirror = data;

	mutex_unlock(&mirror->lock);
}

/* The walk is valid: give the device what it found, and that alone. */
static int mirror_commit(struct hmm_range *range, void *data)
{
	unsigned long nr = (range->end - range->start) >> PAGE_SHIFT;
	struct mirror *mirror = data;

	mirror_unmap(mirror, 0, ULONG_MAX);
	mirror->start = range->start;
	mirror->end = range->end;
	memcpy(mirror->table, mirror->pfns, nr * sizeof(*mirror->pfns));
	return 0;
}

static const struct hmm_commit_ops mirror_commit_ops = {
	.lock	= mirror_lock,
	.unlock	= mirror_unlock,
	.commit	= mirror_commit,
};

/* The device misses a page of [start, end), at most MIRROR_PAGES pages. */
static int mirror_fault(struct mirror *mirror, unsigned long start,
			unsigned long end)
{
	mirror->range.start = start;
	mirror->range.end = end;
	return hmm_range_fault_commit(&mirror->range,
				      msecs_to_jiffies(HMM_RANGE_DEFAULT_TIMEOUT),
				      &mirror_commit_ops, mirror);
}

/* hmm.rst: access */
/* The device reads the page at @addr; false: its page table has no entry. */
static bool mirror_load(struct mirror *mirror, unsigned long addr)
{
	unsigned long entry = 0;

	mutex_lock(&mirror->lock);
	if (addr >= mirror->start && addr < mirror->end)
		entry = mirror->table[(addr - mirror->start) >> PAGE_SHIFT];
	if (entry & HMM_PFN_VALID)
		memcpy_from_page(mirror->bounce, hmm_pfn_to_page(entry), 0,
				 PAGE_SIZE);
	mutex_unlock(&mirror->lock);
	return entry & HMM_PFN_VALID;
}

/* As hardware does: access, and if that misses, fault and access again. */
static int mirror_read_page(struct mirror *mirror, unsigned long addr,
			    unsigned long end)
{
	int tries, ret;

	end = min(end, addr + MIRROR_PAGES * PAGE_SIZE);
	for (tries = 0; tries < MIRROR_TRIES; tries++) {
		if (mirror_load(mirror, addr))
			return 0;
		ret = mirror_fault(mirror, addr, end);
		if (ret)
			return ret;
	}
	return -EBUSY;
}

/* Reads to the end of a page at most; what is behind it is faulted in too. */
static ssize_t mirror_read(struct file *file, char __user *buf, size_t count,
			   loff_t *pos)
{
	struct mirror *mirror = file->private_data;
	size_t offset = offset_in_page(*pos);
	size_t nr = min(count, PAGE_SIZE - offset);
	int ret;

	if (*pos < 0 || *pos > ULONG_MAX - PAGE_SIZE - count)
		return -EFAULT;
	if (!count)
		return 0;
	if (mutex_lock_killable(&mirror->walk_lock))
		return -EINTR;
	ret = mirror_read_page(mirror, *pos - offset, PAGE_ALIGN(*pos + count));
	/* Not under mirror->lock: this may fault, and so invalidate. */
	if (!ret && copy_to_user(buf, mirror->bounce + offset, nr))
		ret = -EFAULT;
	mutex_unlock(&mirror->walk_lock);
	if (ret)
		return ret;
	*pos += nr;
	return nr;
}

/* hmm.rst: open */
static int mirror_open(struct inode *inode, struct file *file)
{
	struct mm_struct *mm = current->mm;
	struct mirror *mirror;
	int ret;

	mirror = kzalloc_obj(*mirror);
	if (!mirror)
		return -ENOMEM;
	mutex_init(&mirror->walk_lock);
	mutex_init(&mirror->lock);

	mirror->range.hmm_pfns = mirror->pfns;
	mirror->range.default_flags = HMM_PFN_REQ_FAULT;
	ret = hmm_range_register_ops(&mirror->range, mm, 0, mm->task_size,
				     &mirror_range_ops);
	if (ret) {
		kfree(mirror);
		return ret;
	}
	file->private_data = mirror;
	return 0;
}

static int mirror_close(struct inode *inode, struct file *file)
{
	struct mirror *mirror = file->private_data;

	/* The device lets go of the memory while it is still told of changes. */
	mutex_lock(&mirror->lock);
	mirror_unmap(mirror, 0, ULONG_MAX);
	mutex_unlock(&mirror->lock);
	/* No callback runs after this. */
	hmm_range_unregister(&mirror->range);
	kfree(mirror);
	return 0;
}

/* hmm.rst: end */
static const struct file_operations mirror_fops = {
	.owner		= THIS_MODULE,
	.open		= mirror_open,
	.read		= mirror_read,
	.release	= mirror_close,
};

static struct miscdevice mirror_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "hmm_sample",
	.fops	= &mirror_fops,
	.mode	= 0600,
};

module_misc_device(mirror_device);

MODULE_DESCRIPTION("Sample driver that mirrors the memory of a process");
MODULE_LICENSE("GPL");
