/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two drivers, each with an interval notifier, give their devices what they read
 * from the page table, and two threads invalidate it. One notifier has two passes
 * and may be removed by a callback of its own, before the device has done with the
 * page. The other comes at any time, and its driver removes it in the end.
 */

#define NR_SUBS		2
#define NR_WAITERS	2

#define TWO_PASSES	0
#define ONE_PASS	1

/* Of each driver: its lock, and what it does under it */
bool locked[NR_SUBS];
bool stopped[NR_SUBS];
bool published[NR_SUBS];
/* What it has read is what the page table says. */
bool fresh[NR_SUBS];

#define driver_lock(d)		atomic { !locked[d] -> locked[d] = true }
#define driver_unlock(d)	locked[d] = false

#define range_mark(d)		skip
#define plain_start()		skip

/* Used within one step */
hidden byte before;

/*
 * It takes the lock of the driver, or says no. The second pass may be left with
 * what the device has, even if this one removes the notifier: a start that does
 * not call it any more waits for that pass.
 */
inline invalidate_start(d)
{
	atomic {
		!locked[d] || !blockable;
		if
		:: !locked[d] ->
			before = sub[d].invalidate_seq;
			mmu_interval_set_seq(d);
			/* It is that of the youngest. */
			assert(sub[d].invalidate_seq >= before);
			if
			:: d == ONE_PASS ->
				published[d] = false
			:: d == TWO_PASSES ->
				second = true
			:: d == TWO_PASSES ->
				second = true;
				stopped[d] = true;
				removes = true
			fi
		:: else ->
			err = true
		fi
	}
	/* This one has not made its calls, so it goes later. */
	if
	:: removes -> removes = false; mmu_interval_notifier_remove_async(d)
	:: else
	fi
}

inline invalidate_finish(d)
{
	atomic { !locked[d] -> published[d] = false }
}

/* All that is told of it has been torn down. */
inline change_page_table()
{
	d_step {
		for (i : 0 .. NR_SUBS - 1) {
			if
			:: sub[i].pages & pages ->
				assert(!published[i]);
				fresh[i] = false
			:: else
			fi
		}
	}
}

#include "tracker.pml"

proctype driver(byte d)
{
	byte seq, sampled;
	bool gone;

	if
	:: d == ONE_PASS -> mmu_tracker_insert(d)
	:: else
	fi;
	do
	:: mmu_interval_read_begin(d, d, seq, sampled);
		fresh[d] = true;
		driver_lock(d);
		atomic {
			driver_unlock(d);
			if
			:: stopped[d] ->
				break
			:: !stopped[d] && !mmu_interval_read_retry(d, seq) ->
				assert(fresh[d]);
				published[d] = true;
				break
			:: else
			fi
		}
	od;
	seq = 0;

	if
	:: d == ONE_PASS ->
		atomic { !locked[d] -> published[d] = false }
		mmu_interval_notifier_remove(d)
	:: else
	fi
}

/* The second thread may hit one of the two, or both. */
init {
	atomic {
		sub[TWO_PASSES].pages = 1;
		sub[TWO_PASSES].kind = MMU_TRACKER_CALL;
		sub[ONE_PASS].pages = 3;
		sub[ONE_PASS].kind = MMU_TRACKER_CALL;
		mmu_tracker_insert(TWO_PASSES);
		run driver(TWO_PASSES);
		if
		:: run invalidate(0, 1, 1, true);
		   run invalidate(1, 3, 1, false);
		   run driver(ONE_PASS)
		:: mmu_tracker_insert(ONE_PASS);
		   run invalidate(0, 1, 2, true);
		   run invalidate(1, 2, 1, true)
		fi
	}
}
