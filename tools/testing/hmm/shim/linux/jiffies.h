/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands for time: one jiffy is a millisecond, and passes only when a test
 * says so or when a thread sleeps to the end of its timeout.
 */
#ifndef HMM_SHIM_JIFFIES_H
#define HMM_SHIM_JIFFIES_H

#include <limits.h>

#define HZ			1000UL
#define MAX_JIFFY_OFFSET	((LONG_MAX >> 1) - 1)
#define MAX_SCHEDULE_TIMEOUT	LONG_MAX

extern unsigned long shim_jiffies;
#define jiffies			READ_ONCE(shim_jiffies)

#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_before(a, b)	time_after(b, a)
#define time_after_eq(a, b)	((long)((a) - (b)) >= 0)
#define time_before_eq(a, b)	time_after_eq(b, a)

static inline unsigned long msecs_to_jiffies(const unsigned int ms)
{
	return (int)ms < 0 ? MAX_JIFFY_OFFSET : ms;
}

#endif /* HMM_SHIM_JIFFIES_H */
