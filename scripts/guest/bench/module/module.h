/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the benchmark's module share.
 */
#ifndef BENCH_MODULE_H
#define BENCH_MODULE_H

#include <linux/hmm-dma.h>
#include <linux/hmm.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>

#include "../hmm_bench.h"

#define BENCH_STICKY	(HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA | HMM_PFN_P2PDMA_BUS)

struct bench_range {
	struct hmm_range hmm;
	struct mmu_interval_notifier notifier;
	struct bench *bench;
};

/*
 * What a driver has for one process.
 *
 * @legacy: its ranges have interval notifiers
 * @mm: the mm that @plain is registered in; NULL: it is not
 */
struct bench {
	bool legacy;
	struct mm_struct *mm;
	struct mmu_notifier plain;
	spinlock_t lock; /* of the device's page table */
	struct bench_range range;
	struct device *dev;
	struct hmm_dma_map map;
	struct bench_range *many;
	unsigned long nr_many;
};

/* ranges.c */
int bench_plain(struct bench *bench);
void bench_finish(struct bench *bench);
int bench_range_add(struct bench *bench, struct bench_range *range,
		    unsigned long start, unsigned long end);
void bench_range_del(struct bench_range *range);
int bench_range_try(struct hmm_range *range, bool fault);
void bench_range_retry(struct hmm_range *range);

/* walks.c */
int bench_walk(struct bench *bench, struct hmm_bench *args);
int bench_pages(struct bench *bench, struct hmm_bench *args);
int bench_touch(struct hmm_bench *args);

/* device.c */
extern void *bench_owner;
int bench_device_init(void);
void bench_device_exit(void);
int bench_migrate(struct hmm_bench *args);
int bench_exclusive(struct hmm_bench *args);

#endif /* BENCH_MODULE_H */
