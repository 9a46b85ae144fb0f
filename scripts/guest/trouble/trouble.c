// SPDX-License-Identifier: GPL-2.0
/*
 * Provoke one report of trouble in the kernel's log while loading, so that the
 * workbench can show that it sees it:
 *
 *	insmod trouble.ko kind=warn
 */

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *kind = "";
module_param(kind, charp, 0);
MODULE_PARM_DESC(kind, "which report to provoke");

static DEFINE_MUTEX(first_lock);
static DEFINE_MUTEX(second_lock);
static DEFINE_SPINLOCK(spin);
static int __rcu *rcu_pointer;

static void provoke_warn(void)
{
	WARN(1, "trouble: asked for");
}

static void provoke_bug(void)
{
	BUG();
}

static void provoke_oops(void)
{
	WRITE_ONCE(*(int *)8, 1);
}

static void provoke_panic(void)
{
	panic("trouble: asked for");
}

static void provoke_deadlock(void)
{
	mutex_lock(&first_lock);
	mutex_lock(&second_lock);
	mutex_unlock(&second_lock);
	mutex_unlock(&first_lock);

	mutex_lock(&second_lock);
	mutex_lock(&first_lock);
	mutex_unlock(&first_lock);
	mutex_unlock(&second_lock);
}

static void provoke_rcu(void)
{
	(void)rcu_dereference(rcu_pointer);
}

static void provoke_atomic_sleep(void)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
}

static void provoke_overrun(void)
{
	char *bytes = kmalloc(64, GFP_KERNEL);

	if (!bytes)
		return;
	OPTIMIZER_HIDE_VAR(bytes);
	(void)READ_ONCE(bytes[64]);
	kfree(bytes);
}

/*
 * Many more than one: the slab's arrays of free objects still point to those
 * that were handed out last.
 */
static void provoke_leak(void)
{
	void *lost;
	int i;

	for (i = 0; i < 512; i++) {
		lost = kmalloc(1000, GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(lost);
	}
}

static void provoke_list(void)
{
	LIST_HEAD(head);
	struct list_head entry;

	head.next = &entry;
	entry.prev = &entry;
	list_add(&entry, &head);
}

/* Who gets the page next is told, and that is one of these. */
static void provoke_poison(void)
{
	unsigned long *stale = (unsigned long *)__get_free_page(GFP_KERNEL);
	struct page *page, *next;
	LIST_HEAD(pages);
	int i;

	if (!stale)
		return;
	OPTIMIZER_HIDE_VAR(stale);
	free_page((unsigned long)stale);
	WRITE_ONCE(*stale, 1);
	for (i = 0; i < 4096; i++) {
		page = alloc_page(GFP_KERNEL);
		if (page)
			list_add(&page->lru, &pages);
	}
	list_for_each_entry_safe(page, next, &pages, lru)
		__free_page(page);
}

static void provoke_dma(void)
{
	struct platform_device *device;
	struct page *page = alloc_page(GFP_KERNEL);
	dma_addr_t addr;

	if (!page)
		return;
	device = platform_device_register_simple("trouble", PLATFORM_DEVID_NONE, NULL, 0);
	if (!IS_ERR(device)) {
		addr = dma_map_page(&device->dev, page, 0, PAGE_SIZE, DMA_TO_DEVICE);
		if (!dma_mapping_error(&device->dev, addr)) {
			dma_unmap_page(&device->dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
			dma_unmap_page(&device->dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
		}
		platform_device_unregister(device);
	}
	__free_page(page);
}

static void ring(struct timer_list *timer)
{
}

static void provoke_object(void)
{
	struct timer_list *timer = kmalloc_obj(*timer);

	if (!timer)
		return;
	timer_setup(timer, ring, 0);
	mod_timer(timer, jiffies + 1000 * HZ);
	kfree(timer);
}

static void provoke_hang(void)
{
	schedule_timeout_uninterruptible(15 * HZ);
}

static const struct {
	const char *name;
	void (*provoke)(void);
} kinds[] = {
	{ "warn", provoke_warn },
	{ "bug", provoke_bug },
	{ "oops", provoke_oops },
	{ "panic", provoke_panic },
	{ "deadlock", provoke_deadlock },
	{ "rcu", provoke_rcu },
	{ "atomic-sleep", provoke_atomic_sleep },
	{ "overrun", provoke_overrun },
	{ "leak", provoke_leak },
	{ "list", provoke_list },
	{ "dma", provoke_dma },
	{ "poison", provoke_poison },
	{ "object", provoke_object },
	{ "hang", provoke_hang },
};

static int __init trouble_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kind, kinds[i].name)) {
			kinds[i].provoke();
			return 0;
		}
	}
	return -EINVAL;
}
module_init(trouble_init);

static void __exit trouble_exit(void)
{
}
module_exit(trouble_exit);

MODULE_DESCRIPTION("Provokes reports in the kernel's log");
MODULE_LICENSE("GPL");
