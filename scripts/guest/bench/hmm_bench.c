// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's side of make bench: do one thing that a driver does, and say how
 * long it took. With TRACKED by tracked ranges, else by interval notifiers; the
 * program does not see which.
 *
 * Under QEMU's -icount shift=0 time advances by a nanosecond an instruction.
 */
#include <linux/dma-mapping.h>
#include <linux/hmm-dma.h>
#include <linux/hmm.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/platform_device.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "hmm_bench.h"

/* One range; the callback has nothing to tear down, as far as that can be. */
struct bench_range {
	struct hmm_range hmm;
	struct mmu_interval_notifier notifier;
};

struct bench {
	struct bench_range range;
	struct device *dev;
	struct hmm_dma_map map;
	struct bench_range *many;
	unsigned long nr_many;
};

/* One without an IOMMU, and QEMU's edu, which has one if the machine does. */
static struct platform_device *device;
static struct pci_dev *edu;

#ifdef TRACKED
static int range_add(struct bench_range *range, unsigned long start,
		     unsigned long end)
{
	return hmm_range_register(&range->hmm, current->mm, start, end);
}

static void range_del(struct bench_range *range)
{
	hmm_range_unregister(&range->hmm);
}

static int range_try(struct hmm_range *range, bool fault)
{
	int ret;

	if (!hmm_range_wait_until_valid(range, HMM_RANGE_DEFAULT_TIMEOUT))
		return -ETIME;
	mmap_read_lock(current->mm);
	ret = fault ? hmm_range_fault(range) : hmm_range_snapshot(range);
	mmap_read_unlock(current->mm);
	if (!ret && !hmm_range_valid(range))
		ret = -EBUSY;
	return ret;
}
#else
static bool invalidate(struct mmu_interval_notifier *notifier,
		       const struct mmu_notifier_range *invalidation,
		       unsigned long seq)
{
	mmu_interval_set_seq(notifier, seq);
	return true;
}

static const struct mmu_interval_notifier_ops ops = { .invalidate = invalidate };

static int range_add(struct bench_range *range, unsigned long start,
		     unsigned long end)
{
	range->hmm.notifier = &range->notifier;
	range->hmm.start = start;
	range->hmm.end = end;
	return mmu_interval_notifier_insert(&range->notifier, current->mm, start,
					    end - start, &ops);
}

static void range_del(struct bench_range *range)
{
	mmu_interval_notifier_remove(&range->notifier);
}

static int range_try(struct hmm_range *range, bool fault)
{
	int ret;

	range->notifier_seq = mmu_interval_read_begin(range->notifier);
	mmap_read_lock(current->mm);
	ret = hmm_range_fault(range);
	mmap_read_unlock(current->mm);
	if (!ret && mmu_interval_read_retry(range->notifier, range->notifier_seq))
		ret = -EBUSY;
	return ret;
}
#endif

/* The array is kept from one walk to the next; a walk of a valid range is whole. */
static int walk(struct bench *bench, struct hmm_bench *args)
{
	static const unsigned long flags[] = {
		[BENCH_SNAPSHOT] = 0,
		[BENCH_READ] = HMM_PFN_REQ_FAULT,
		[BENCH_WRITE] = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
	};
	struct hmm_range *range = &bench->range.hmm;
	u64 start, ns;
	int ret = 0;

	if (args->arg >= ARRAY_SIZE(flags))
		return -EINVAL;
	range->default_flags = flags[args->arg];
	args->ns = U64_MAX;
	for (u32 i = 0; i < args->repeat && !ret; i++) {
		start = ktime_get_ns();
		do {
			ret = range_try(range, args->arg != BENCH_SNAPSHOT);
		} while (ret == -EBUSY);
		ns = ktime_get_ns() - start;
		args->ns = min(args->ns, ns);
	}
	return ret;
}

/* A part of the range, each page of it by a call of its own. */
static int pages(struct bench *bench, struct hmm_bench *args)
{
	struct hmm_range *range = &bench->range.hmm;
	const struct hmm_range whole = *range;
	unsigned long addr = args->addr, end = args->addr + args->size;
	u64 start;
	int ret = 0;

	if (addr < whole.start || addr > end || end > whole.end)
		return -EINVAL;
	range->default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
	start = ktime_get_ns();
	for (; addr != end && !ret; addr += PAGE_SIZE) {
		range->start = addr;
		range->end = addr + PAGE_SIZE;
		range->hmm_pfns = whole.hmm_pfns + ((addr - whole.start) >> PAGE_SHIFT);
		ret = hmm_range_fault_unlocked_timeout(range, 10 * HZ);
	}
	args->ns = ktime_get_ns() - start;
	range->start = whole.start;
	range->end = whole.end;
	range->hmm_pfns = whole.hmm_pfns;
	return ret;
}

static int touch(struct hmm_bench *args)
{
	struct vm_area_struct *vma;
	u64 addr, start;
	int ret = 0;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, args->addr);
	if (!vma || args->addr + args->size > vma->vm_end || !args->arg)
		ret = -EINVAL;
	start = ktime_get_ns();
	for (addr = args->addr; !ret && addr < args->addr + args->size; addr += args->arg)
		if (handle_mm_fault(vma, addr, FAULT_FLAG_WRITE | FAULT_FLAG_REMOTE,
				    NULL) & VM_FAULT_ERROR)
			ret = -EFAULT;
	args->ns = ktime_get_ns() - start;
	mmap_read_unlock(current->mm);
	return ret;
}

/* 7919 is prime to all numbers of ranges that the program asks for. */
static unsigned long position(const struct bench *bench,
			      const struct hmm_bench *args, unsigned long i)
{
	return args->arg ? i * 7919 % bench->nr_many : i;
}

static int insert(struct bench *bench, struct hmm_bench *args)
{
	unsigned long i, addr;
	u64 start;
	int ret = 0;

	bench->many = vcalloc(args->size, sizeof(*bench->many));
	if (!bench->many)
		return -ENOMEM;
	bench->nr_many = args->size;
	start = ktime_get_ns();
	for (i = 0; i < bench->nr_many && !ret; i++) {
		addr = args->addr + position(bench, args, i) * 2 * PAGE_SIZE;
		ret = range_add(&bench->many[i], addr, addr + PAGE_SIZE);
	}
	args->ns = ktime_get_ns() - start;
	return ret;
}

static int remove(struct bench *bench, struct hmm_bench *args)
{
	u64 start = ktime_get_ns();

	for (unsigned long i = 0; i < bench->nr_many; i++)
		range_del(&bench->many[i]);
	args->ns = ktime_get_ns() - start;
	vfree(bench->many);
	bench->nr_many = 0;
	return 0;
}

static int dma_map(struct bench *bench, struct hmm_bench *args)
{
	struct pci_p2pdma_map_state p2pdma = { };
	unsigned long nr = args->size >> PAGE_SHIFT;
	u64 start = ktime_get_ns();
	int ret = 0;

	if (!args->arg) {
		for (unsigned long i = 0; i < nr && !ret; i++)
			if (hmm_dma_map_pfn(bench->dev, &bench->map, i, &p2pdma) ==
			    DMA_MAPPING_ERROR)
				ret = -EIO;
	} else {
#ifdef DMA_RANGE
		ret = hmm_dma_map_range(bench->dev, &bench->map,
					&bench->range.hmm, &p2pdma);
#else
		ret = -EOPNOTSUPP;
#endif
	}
	args->ns = ktime_get_ns() - start;
	return ret;
}

static int dma_unmap(struct bench *bench, struct hmm_bench *args)
{
	unsigned long nr = args->size >> PAGE_SHIFT;
	u64 start = ktime_get_ns();
	int ret = 0;

	if (!args->arg) {
		for (unsigned long i = 0; i < nr; i++)
			if (!hmm_dma_unmap_pfn(bench->dev, &bench->map, i))
				ret = -EIO;
	} else {
#ifdef DMA_RANGE
		if (!hmm_dma_unmap_range(bench->dev, &bench->map, 0, nr))
			ret = -EIO;
#else
		ret = -EOPNOTSUPP;
#endif
	}
	args->ns = ktime_get_ns() - start;
	return ret;
}

static int gup(struct hmm_bench *args)
{
	int nr = args->size >> PAGE_SHIFT, got;
	struct page **pages = kvcalloc(nr, sizeof(*pages), GFP_KERNEL);
	u64 start = ktime_get_ns();

	if (!pages)
		return -ENOMEM;
	if (args->arg)
		got = pin_user_pages_fast(args->addr, nr, FOLL_WRITE, pages);
	else
		got = get_user_pages_fast(args->addr, nr, FOLL_WRITE, pages);
	args->ns = ktime_get_ns() - start;
	if (args->arg && got > 0)
		unpin_user_pages(pages, got);
	for (int i = 0; !args->arg && i < got; i++)
		put_page(pages[i]);
	kvfree(pages);
	return got == nr ? 0 : -EFAULT;
}

static int add(struct bench *bench, struct hmm_bench *args)
{
	int ret;

	if (bench->map.pfn_list)
		return -EBUSY;
	if (args->arg & BENCH_IOVA && !edu)
		return -ENODEV;
	bench->dev = args->arg & BENCH_IOVA ? &edu->dev : &device->dev;
	ret = hmm_dma_map_alloc(bench->dev, &bench->map, args->size >> PAGE_SHIFT,
				PAGE_SIZE);
	if (ret)
		return ret;
	if (args->arg & BENCH_IOVA && !dma_use_iova(&bench->map.state)) {
		hmm_dma_map_free(bench->dev, &bench->map);
		return -ENODEV;
	}
	bench->range = (struct bench_range){ .hmm.hmm_pfns = bench->map.pfn_list };
#ifdef TRACKED
	bench->range.hmm.flags = args->arg & ~BENCH_IOVA;
#endif
	ret = range_add(&bench->range, args->addr, args->addr + args->size);
	if (ret) {
		hmm_dma_map_free(bench->dev, &bench->map);
		bench->map = (struct hmm_dma_map){ };
	}
	return ret;
}

static void drop(struct bench *bench)
{
	if (!bench->map.pfn_list)
		return;
	range_del(&bench->range);
	hmm_dma_map_free(bench->dev, &bench->map);
	bench->map = (struct hmm_dma_map){ };
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct bench *bench = file->private_data;
	struct hmm_bench args;
	u64 start;
	int ret;

	if (cmd != HMM_BENCH_IOC)
		return -ENOTTY;
	if (copy_from_user(&args, (void __user *)arg, sizeof(args)))
		return -EFAULT;
	switch (args.op) {
	case BENCH_RANGE:
		ret = add(bench, &args);
		break;
	case BENCH_DROP:
		drop(bench);
		ret = 0;
		break;
	case BENCH_WALK:
		ret = walk(bench, &args);
		break;
	case BENCH_PAGES:
		ret = pages(bench, &args);
		break;
	case BENCH_TOUCH:
		ret = touch(&args);
		break;
	case BENCH_MUNMAP:
		start = ktime_get_ns();
		ret = vm_munmap(args.addr, args.size);
		args.ns = ktime_get_ns() - start;
		break;
	case BENCH_INSERT:
		ret = insert(bench, &args);
		break;
	case BENCH_REMOVE:
		ret = remove(bench, &args);
		break;
	case BENCH_DMA_MAP:
		ret = dma_map(bench, &args);
		break;
	case BENCH_DMA_UNMAP:
		ret = dma_unmap(bench, &args);
		break;
	case BENCH_GUP:
		ret = gup(&args);
		break;
	default:
		ret = -EINVAL;
	}
	if (copy_to_user((void __user *)arg, &args, sizeof(args)))
		return -EFAULT;
	return ret;
}

static int bench_open(struct inode *inode, struct file *file)
{
	file->private_data = kvzalloc(sizeof(struct bench), GFP_KERNEL);
	return file->private_data ? 0 : -ENOMEM;
}

static int bench_release(struct inode *inode, struct file *file)
{
	drop(file->private_data);
	kvfree(file->private_data);
	return 0;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.unlocked_ioctl = bench_ioctl,
};

static struct miscdevice misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hmm_bench",
	.fops = &bench_fops,
};

static int __init bench_init(void)
{
	int ret;

	device = platform_device_register_simple("hmm_bench", -1, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	ret = dma_set_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	edu = pci_get_device(0x1234, 0x11e8, NULL);
	if (edu)
		ret = ret ?: dma_set_mask_and_coherent(&edu->dev, DMA_BIT_MASK(64));
	ret = ret ?: misc_register(&misc);
	if (ret) {
		pci_dev_put(edu);
		platform_device_unregister(device);
	}
	return ret;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	misc_deregister(&misc);
	pci_dev_put(edu);
	platform_device_unregister(device);
}
module_exit(bench_exit);

MODULE_DESCRIPTION("What make bench measures");
MODULE_LICENSE("GPL");
