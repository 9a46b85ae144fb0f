/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmark's program asks of its module, through /dev/hmm_bench.
 */
#ifndef HMM_BENCH_H
#define HMM_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum hmm_bench_op {
	BENCH_LEGACY,	/* interval notifiers from now on, if the kernel has tracked ranges too */
	BENCH_RANGE,	/* register [addr, addr + size); arg: hmm_range.flags, BENCH_FLAGS */
	BENCH_DROP,	/* unregister it */
	BENCH_WALK,	/* until it is valid; arg: BENCH_SNAPSHOT and so on, BENCH_RETRY */
	BENCH_PAGES,	/* step pages a call; arg: as BENCH_WALK */
	BENCH_TOUCH,	/* handle_mm_fault() to write, once each arg bytes */
	BENCH_MUNMAP,	/* [addr, addr + size) */
	BENCH_INSERT,	/* size ranges of a page from addr on; arg: random order */
	BENCH_REMOVE,	/* in the same order */
	BENCH_PLAIN,	/* a plain notifier in the mm */
	BENCH_DMA_MAP,	/* the range; arg: page by page (0), or as a whole */
	BENCH_DMA_UNMAP,
	BENCH_GUP,	/* get_user_pages_fast(), or pin_user_pages_fast() if arg */
	BENCH_MIGRATE,	/* every step-th page to private memory of a device */
	BENCH_EXCLUSIVE, /* every step-th page becomes exclusive to a device */
};

enum { BENCH_SNAPSHOT, BENCH_READ, BENCH_WRITE };

/* The array is as the last walk left it. */
#define BENCH_RETRY	0x100

/* What the array holds before each walk of BENCH_WALK. */
enum hmm_bench_fill {
	FILL_KEEP,	/* what the last walk stored */
	FILL_ZERO,
	FILL_OTHER,	/* that, from the last page to the first: a walk of other memory */
	FILL_RANDOM,	/* any bits that are not sticky */
	FILL_STICKY,	/* FILL_OTHER, with a sticky bit */
	FILL_ASK_ALL,	/* a request for each page; the range has none of its own */
	FILL_ASK_HALF,	/* a request for each other page, from the first on */
};

/* The array is that of a map for DMA: by a device behind the IOMMU, by another. */
#define BENCH_IOVA	0x80000000
#define BENCH_DIRECT	0x40000000
/* Private pages of BENCH_MIGRATE are somebody else's. */
#define BENCH_FOREIGN	0x20000000
#define BENCH_FLAGS	(BENCH_IOVA | BENCH_DIRECT | BENCH_FOREIGN)

/*
 * @op, @addr, @size, @arg, @step: see above
 * @repeat: BENCH_WALK: how often, the quickest one counts
 * @fill: BENCH_WALK: an enum hmm_bench_fill
 * @ns: out: how long it took; instructions, if the guest counts those
 */
struct hmm_bench {
	__u32 op;
	__u32 repeat;
	__u32 fill;
	__u32 step;
	__u64 addr;
	__u64 size;
	__u64 arg;
	__u64 ns;
};

#define HMM_BENCH_IOC	_IOWR('H', 0xb0, struct hmm_bench)

#endif /* HMM_BENCH_H */
