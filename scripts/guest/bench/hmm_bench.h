/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmark's program asks of its module, through /dev/hmm_bench.
 */
#ifndef HMM_BENCH_H
#define HMM_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum hmm_bench_op {
	BENCH_RANGE,	/* register [addr, addr + size); arg: hmm_range.flags, BENCH_IOVA */
	BENCH_DROP,	/* unregister it */
	BENCH_WALK,	/* until it is valid; arg: BENCH_SNAPSHOT and so on */
	BENCH_PAGES,	/* page by page, as a driver's handler of single faults does */
	BENCH_TOUCH,	/* handle_mm_fault() to write, once each arg bytes */
	BENCH_MUNMAP,	/* [addr, addr + size) */
	BENCH_INSERT,	/* size ranges of a page from addr on; arg: random order */
	BENCH_REMOVE,	/* in the same order */
	BENCH_DMA_MAP,	/* the range; arg: page by page (0), or as a whole */
	BENCH_DMA_UNMAP,
	BENCH_GUP,	/* get_user_pages_fast(), or pin_user_pages_fast() if arg */
};

enum { BENCH_SNAPSHOT, BENCH_READ, BENCH_WRITE };

/* For a device behind the IOMMU. */
#define BENCH_IOVA	0x80000000

/*
 * @op, @addr, @size, @arg: see above
 * @repeat: BENCH_WALK: how often, the quickest one counts
 * @ns: out: how long it took; instructions, if the guest counts those
 */
struct hmm_bench {
	__u32 op;
	__u32 repeat;
	__u64 addr;
	__u64 size;
	__u64 arg;
	__u64 ns;
};

#define HMM_BENCH_IOC	_IOWR('H', 0xb0, struct hmm_bench)

#endif /* HMM_BENCH_H */
