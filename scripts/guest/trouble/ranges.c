// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse a tracked range of HMM while loading, in one of the ways that the
 * kernel is to report, so that the workbench can show that it does:
 *
 *	insmod ranges.ko kind=twice
 *
 * What is misused is put right again, as far as that can be done.
 */

#include <linux/hmm.h>
#include <linux/kasan.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#define LEN	(4 * PAGE_SIZE)

static char *kind = "";
module_param(kind, charp, 0);
MODULE_PARM_DESC(kind, "which report to provoke");

/* Memory of the process that loads the module. */
static unsigned long addr;
static struct hmm_range *lost;

static int register_range(struct hmm_range *range)
{
	range->ignore_events = 0;
	range->flags = 0;
	return hmm_range_register(range, current->mm, addr, addr + LEN);
}

static noinline void register_twice(void)
{
	static struct hmm_range range;

	if (register_range(&range))
		return;
	if (register_range(&range) != -EINVAL)
		pr_err("a range was registered twice\n");
	hmm_range_unregister(&range);
}

static noinline void free_registered(void)
{
	struct hmm_range *range = kzalloc_obj(*range);

	if (!range)
		return;
	if (register_range(range))
		pr_err("no range was registered\n");
	kfree(range);
}

/*
 * A stack. KASAN knows what of it is a function's, and nothing of what was
 * another one's before: the range is found when somebody else uses its place.
 */

static noinline void forget_range(void)
{
	struct hmm_range range = {};

	if (!register_range(&range))
		WRITE_ONCE(lost, &range);
}

/* The range comes to lie lower than what use_stack() saves of its caller. */
static noinline void forget_range_below(void)
{
	char gap[512] __uninitialized;

	barrier_data(gap);
	forget_range();
	barrier_data(gap);
}

/* Little but what KASAN puts between variables, so the range stays as it is. */
#define BYTE_AMONG_NOTHING	char __aligned(256) __uninitialized

static noinline void use_stack(void)
{
	BYTE_AMONG_NOTHING a;
	BYTE_AMONG_NOTHING b;
	BYTE_AMONG_NOTHING c;
	BYTE_AMONG_NOTHING d;
	BYTE_AMONG_NOTHING e;
	BYTE_AMONG_NOTHING f;

	barrier_data(&a);
	barrier_data(&b);
	barrier_data(&c);
	barrier_data(&d);
	barrier_data(&e);
	barrier_data(&f);
	vm_munmap(addr, LEN);
	kasan_disable_current();
	hmm_range_unregister(lost);
	kasan_enable_current();
}

static void leave_on_stack(void)
{
	forget_range_below();
	if (lost)
		use_stack();
}

/*
 * Locks.
 */

static noinline void begin_without_irqs(void)
{
	static struct hmm_range range;

	if (register_range(&range))
		return;
	local_irq_disable();
	if (hmm_range_begin(&range))
		pr_err("a range could not be armed\n");
	local_irq_enable();
	hmm_range_unregister(&range);
}

static noinline void unregister_without_irqs(void)
{
	static struct hmm_range range;

	if (register_range(&range))
		return;
	local_irq_disable();
	hmm_range_unregister(&range);
	local_irq_enable();
}

/* Nothing is in flight there, so that it does not have to wait. */
static noinline bool wait_in_callback(struct mmu_interval_notifier *notifier,
				      const struct mmu_notifier_range *hit,
				      unsigned long cur_seq)
{
	static struct hmm_range range;

	mmu_interval_set_seq(notifier, cur_seq);
	if (hmm_range_register(&range, current->mm, addr + LEN, addr + 2 * LEN))
		return true;
	if (!hmm_range_wait_until_valid(&range, 1))
		pr_err("something is in flight elsewhere\n");
	hmm_range_unregister(&range);
	return true;
}

static const struct mmu_interval_notifier_ops waiting_ops = {
	.invalidate = wait_in_callback,
};

static void invalidate_and_wait(void)
{
	static struct mmu_interval_notifier notifier;
	static struct hmm_range range;

	/* The first one in an mm takes locks, which a callback must not. */
	if (register_range(&range))
		return;
	hmm_range_unregister(&range);
	if (mmu_interval_notifier_insert(&notifier, current->mm, addr, LEN,
					 &waiting_ops))
		return;
	vm_munmap(addr, LEN);
	mmu_interval_notifier_remove(&notifier);
}

/* Killed, it does not wait for itself for ever. */
static noinline void register_locked_for_read(void)
{
	static struct hmm_range range;

	send_sig(SIGKILL, current, 1);
	mmap_read_lock(current->mm);
	if (register_range(&range) != -EINTR)
		pr_err("a range was registered\n");
	mmap_read_unlock(current->mm);
}

static const struct {
	const char *name;
	void (*provoke)(void);
} kinds[] = {
	{ "twice", register_twice },
	{ "freed", free_registered },
	{ "stack", leave_on_stack },
	{ "begin-without-irqs", begin_without_irqs },
	{ "unregister-without-irqs", unregister_without_irqs },
	{ "wait-in-callback", invalidate_and_wait },
	{ "register-locked", register_locked_for_read },
};

static int __init ranges_init(void)
{
	int i;

	addr = vm_mmap(NULL, 0, 2 * LEN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(addr))
		return addr;
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kind, kinds[i].name)) {
			kinds[i].provoke();
			vm_munmap(addr, 2 * LEN);
			return 0;
		}
	}
	return -EINVAL;
}
module_init(ranges_init);

static void __exit ranges_exit(void)
{
}
module_exit(ranges_exit);

MODULE_DESCRIPTION("Provokes reports about tracked ranges");
MODULE_LICENSE("GPL");
