// SPDX-License-Identifier: GPL-2.0
/*
 * Walk a range as drivers do, with whatever in the array, and fault the same
 * memory without HMM for comparison.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>

#include "module.h"

/*
 * A call that is invalidated again and again ends after so many instructions
 * a page: many times what any copy of a page takes.
 */
#define ENOUGH	50000

static const unsigned long requests[] = {
	[BENCH_SNAPSHOT] = 0,
	[BENCH_READ] = HMM_PFN_REQ_FAULT,
	[BENCH_WRITE] = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
};

static unsigned long nr_pages(const struct hmm_range *range)
{
	return (range->end - range->start) >> PAGE_SHIFT;
}

static void reverse(unsigned long *pfns, unsigned long nr)
{
	for (unsigned long i = 0; i < nr / 2; i++)
		swap(pfns[i], pfns[nr - 1 - i]);
}

static int fill(struct hmm_range *range, u32 kind, unsigned long request)
{
	unsigned long nr = nr_pages(range), *pfns = range->hmm_pfns;
	bool random = kind == FILL_RANDOM;
	unsigned long i;

	switch (kind) {
	case FILL_KEEP:
		break;
	case FILL_STICKY:
	case FILL_OTHER:
		reverse(pfns, nr);
		for (i = 0; kind == FILL_STICKY && i < nr; i++)
			pfns[i] |= HMM_PFN_DMA_MAPPED;
		break;
	case FILL_ZERO:
	case FILL_RANDOM:
		for (i = 0; i < nr; i++)
			pfns[i] = random ? i * GOLDEN_RATIO_64 & ~BENCH_STICKY : 0;
		break;
	case FILL_ASK_ALL:
	case FILL_ASK_HALF:
		for (i = 0; i < nr; i++)
			pfns[i] = kind == FILL_ASK_HALF && i % 2 ? 0 : request;
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

/*
 * What a walk has stored, as a number: every walk of a case has to store the
 * same, whatever the array held. Without the sticky bits if they may be lost.
 */
static u64 stored(const struct hmm_range *range, u32 kind)
{
	unsigned long keep = kind == FILL_STICKY ? ~0UL : ~BENCH_STICKY;
	u64 sum = 0;

	for (unsigned long i = 0; i < nr_pages(range); i++)
		sum = sum * 31 + (range->hmm_pfns[i] & keep);
	return sum;
}

/* One walk, until the range is valid. */
static int walk_once(struct hmm_range *range, bool fault, bool retry, u64 *ns)
{
	u64 start = ktime_get_ns(), limit = (nr_pages(range) + 1000) * ENOUGH;
	int ret;

	for (;;) {
		if (retry)
			bench_range_retry(range);
		ret = bench_range_try(range, fault);
		*ns = ktime_get_ns() - start;
		if (ret != -EBUSY)
			return ret;
		if (*ns > limit)
			return -ETIME;
		retry = true;
	}
}

int bench_walk(struct bench *bench, struct hmm_bench *args)
{
	struct hmm_range *range = &bench->range.hmm;
	bool ask = args->fill == FILL_ASK_ALL || args->fill == FILL_ASK_HALF;
	unsigned int mode = args->arg & ~BENCH_RETRY;
	u64 sum = 0, ns;
	int ret;

	if (mode >= ARRAY_SIZE(requests) || !range->hmm_pfns)
		return -EINVAL;
	range->default_flags = ask ? 0 : requests[mode];
	range->pfn_flags_mask = ask ? requests[BENCH_WRITE] : 0;
	args->ns = U64_MAX;
	for (u32 i = 0; i < args->repeat; i++) {
		ret = fill(range, args->fill, requests[mode]);
		ret = ret ?: walk_once(range, mode != BENCH_SNAPSHOT,
				       args->arg & BENCH_RETRY, &ns);
		if (ret)
			return ret;
		if (i && sum != stored(range, args->fill))
			return -EUCLEAN;
		sum = stored(range, args->fill);
		args->ns = min(args->ns, ns);
	}
	return 0;
}

/* A part of the range, by calls of so many pages each. */
int bench_pages(struct bench *bench, struct hmm_bench *args)
{
	struct hmm_range *range = &bench->range.hmm;
	const struct hmm_range whole = *range;
	unsigned long addr = args->addr, end = args->addr + args->size;
	unsigned long step = args->step * PAGE_SIZE;
	u64 start;
	int ret = 0;

	if (addr < whole.start || addr > end || end > whole.end || !step ||
	    args->size % step || args->arg >= ARRAY_SIZE(requests))
		return -EINVAL;
	range->default_flags = requests[args->arg];
	range->pfn_flags_mask = 0;
	start = ktime_get_ns();
	for (; addr != end && !ret; addr += step) {
		range->start = addr;
		range->end = addr + step;
		range->hmm_pfns = whole.hmm_pfns + ((addr - whole.start) >> PAGE_SHIFT);
		if (args->arg == BENCH_SNAPSHOT)
			ret = bench_range_try(range, false);
		else
			ret = hmm_range_fault_unlocked_timeout(range, 10 * HZ);
	}
	args->ns = ktime_get_ns() - start;
	range->start = whole.start;
	range->end = whole.end;
	range->hmm_pfns = whole.hmm_pfns;
	return ret;
}

int bench_touch(struct hmm_bench *args)
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
