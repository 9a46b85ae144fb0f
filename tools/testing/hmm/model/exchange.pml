/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver whose device has an entry exchanges one interval notifier for another
 * that covers the same page, and takes the entry along: whichever is called tears
 * it down. Two threads invalidate the page; one of them must not block.
 */

#define NR_SUBS		2
#define NR_WAITERS	1
#define OTHERS

#define OLD		0
#define NEW		1

/* Of the driver: its lock, and what it does under it */
bool locked;
bool published = true;
/* What it has read is what the page table says. */
bool fresh = true;

#define range_mark(s)		skip
#define plain_start()		skip

/* It takes the lock of the driver, or says no. */
inline invalidate_start(s)
{
	!locked || !blockable;
	if
	:: locked -> err = true
	:: !locked -> mmu_interval_set_seq(s); published = false
	:: !locked -> mmu_interval_set_seq(s); second = true
	fi
}

inline invalidate_finish(s)
{
	!locked -> published = false
}

/* All that is told of it has been torn down. */
inline change_page_table()
{
	d_step {
		assert(!published);
		fresh = false
	}
}

#include "tracker.pml"

proctype driver()
{
	byte seq, sampled;
	bool gone;

	mmu_tracker_insert(NEW);
	mmu_interval_notifier_remove_async(OLD);
	/* Another time, if its memory is not gone */
	atomic {
		if
		:: !sub[OLD].released -> mmu_interval_notifier_remove_async(OLD)
		:: else
		fi
	}

	/* If the entry went, another one. */
	do
	:: mmu_interval_read_begin(0, NEW, seq, sampled);
		fresh = true;
		atomic { !locked -> locked = true }
		atomic {
			locked = false;
			if
			:: !mmu_interval_read_retry(NEW, seq) ->
				assert(fresh);
				published = true;
				break
			:: else
			fi
		}
	od
}

init {
	atomic {
		sub[OLD].pages = 1;
		sub[OLD].kind = MMU_TRACKER_CALL;
		sub[OLD].in_tree = true;
		sub[NEW].pages = 1;
		sub[NEW].kind = MMU_TRACKER_CALL;
		run invalidate(0, 1, 1, true);
		run invalidate(1, 1, 1, false);
		run driver()
	}
}
