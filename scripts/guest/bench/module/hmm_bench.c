// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's side of make bench: do one thing that a driver does, and say how
 * long it took. With TRACKED by tracked ranges, unless the program asks for
 * interval notifiers, else by interval notifiers.
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

#include "module.h"

/* One without an IOMMU, and QEMU's edu, which has one if the machine does. */
static struct platform_device *device;
static struct pci_dev *edu;

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
		ret = bench_range_add(bench, &bench->many[i], addr,
				      addr + PAGE_SIZE);
	}
	args->ns = ktime_get_ns() - start;
	return ret;
}

static int remove(struct bench *bench, struct hmm_bench *args)
{
	u64 start = ktime_get_ns();

	for (unsigned long i = 0; i < bench->nr_many; i++)
		bench_range_del(&bench->many[i]);
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

/* The array, of its own or that of a map for DMA. */
static int alloc_array(struct bench *bench, struct hmm_bench *args)
{
	unsigned long nr = args->size >> PAGE_SHIFT;
	bool iova = args->arg & BENCH_IOVA;
	int ret;

	bench->dev = NULL;
	bench->map = (struct hmm_dma_map){ };
	if (!(args->arg & (BENCH_DIRECT | BENCH_IOVA))) {
		bench->map.pfn_list = kvcalloc(nr, sizeof(*bench->map.pfn_list),
					       GFP_KERNEL);
		return bench->map.pfn_list ? 0 : -ENOMEM;
	}
	if (iova && !edu)
		return -ENODEV;
	bench->dev = iova ? &edu->dev : &device->dev;
	ret = hmm_dma_map_alloc(bench->dev, &bench->map, nr, PAGE_SIZE);
	if (ret)
		return ret;
	if (iova && !dma_use_iova(&bench->map.state)) {
		hmm_dma_map_free(bench->dev, &bench->map);
		return -ENODEV;
	}
	return 0;
}

static void free_array(struct bench *bench)
{
	if (bench->dev)
		hmm_dma_map_free(bench->dev, &bench->map);
	else
		kvfree(bench->map.pfn_list);
	bench->range = (struct bench_range){ };
}

static int add(struct bench *bench, struct hmm_bench *args)
{
	int ret;

	if (bench->range.hmm.hmm_pfns)
		return -EBUSY;
	ret = alloc_array(bench, args);
	if (ret)
		return ret;
	bench->range = (struct bench_range){ .hmm.hmm_pfns = bench->map.pfn_list };
#ifdef TRACKED
	bench->range.hmm.flags = (u32)args->arg & ~BENCH_FLAGS;
#endif
	if (!(args->arg & BENCH_FOREIGN))
		bench->range.hmm.dev_private_owner = bench_owner;
	ret = bench_range_add(bench, &bench->range, args->addr,
			      args->addr + args->size);
	if (ret)
		free_array(bench);
	return ret;
}

static void drop(struct bench *bench)
{
	if (!bench->range.hmm.hmm_pfns)
		return;
	bench_range_del(&bench->range);
	free_array(bench);
}

static int unmap(struct hmm_bench *args)
{
	u64 start = ktime_get_ns();
	int ret = vm_munmap(args->addr, args->size);

	args->ns = ktime_get_ns() - start;
	return ret;
}

static int bench_do(struct bench *bench, struct hmm_bench *args)
{
	switch (args->op) {
	case BENCH_LEGACY:
		bench->legacy = true;
		return 0;
	case BENCH_RANGE:
		return add(bench, args);
	case BENCH_DROP:
		drop(bench);
		return 0;
	case BENCH_WALK:
		return bench_walk(bench, args);
	case BENCH_PAGES:
		return bench_pages(bench, args);
	case BENCH_TOUCH:
		return bench_touch(args);
	case BENCH_MUNMAP:
		return unmap(args);
	case BENCH_INSERT:
		return insert(bench, args);
	case BENCH_REMOVE:
		return remove(bench, args);
	case BENCH_PLAIN:
		return bench_plain(bench);
	case BENCH_DMA_MAP:
		return dma_map(bench, args);
	case BENCH_DMA_UNMAP:
		return dma_unmap(bench, args);
	case BENCH_GUP:
		return gup(args);
	case BENCH_MIGRATE:
		return bench_migrate(args);
	case BENCH_EXCLUSIVE:
		return bench_exclusive(args);
	default:
		return -EINVAL;
	}
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct bench *bench = file->private_data;
	struct hmm_bench args;
	int ret;

	if (cmd != HMM_BENCH_IOC)
		return -ENOTTY;
	if (copy_from_user(&args, (void __user *)arg, sizeof(args)))
		return -EFAULT;
	ret = bench_do(bench, &args);
	if (copy_to_user((void __user *)arg, &args, sizeof(args)))
		return -EFAULT;
	return ret;
}

static int bench_open(struct inode *inode, struct file *file)
{
	struct bench *bench = kvzalloc(sizeof(*bench), GFP_KERNEL);

	if (!bench)
		return -ENOMEM;
	spin_lock_init(&bench->lock);
	file->private_data = bench;
	return 0;
}

static int bench_release(struct inode *inode, struct file *file)
{
	drop(file->private_data);
	bench_finish(file->private_data);
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
	ret = ret ?: bench_device_init();
	if (!ret) {
		ret = misc_register(&misc);
		if (ret)
			bench_device_exit();
	}
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
	bench_device_exit();
	pci_dev_put(edu);
	platform_device_unregister(device);
}
module_exit(bench_exit);

MODULE_DESCRIPTION("What make bench measures");
MODULE_LICENSE("GPL");
