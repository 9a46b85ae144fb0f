/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for SRCU: counts its readers, and who would wait for them. */
#ifndef HMM_SHIM_SRCU_H
#define HMM_SHIM_SRCU_H

#include <linux/atomic.h>
#include <linux/compiler.h>

struct srcu_struct {
	int unused;
};

#define DEFINE_STATIC_SRCU(name)	static struct srcu_struct name

/* Of all domains, now. */
extern atomic_t shim_srcu_readers;
/* How often somebody has waited for them. */
extern unsigned long shim_srcu_waits;

static inline int srcu_read_lock(struct srcu_struct *srcu)
{
	atomic_inc(&shim_srcu_readers);
	return 0;
}

static inline void srcu_read_unlock(struct srcu_struct *srcu, int id)
{
	atomic_dec(&shim_srcu_readers);
}

static inline void synchronize_srcu(struct srcu_struct *srcu)
{
	WRITE_ONCE(shim_srcu_waits, shim_srcu_waits + 1);
}

#endif /* HMM_SHIM_SRCU_H */
