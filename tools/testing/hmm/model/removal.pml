/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver removes two interval notifiers at any time, one of them asynchronously,
 * and three threads invalidate: some call them, others wait for those calls.
 */

#define NR_SUBS			2
#define NR_WAITERS		1
#define NR_INVALIDATIONS	3

#define range_mark(s)		skip
#define invalidate_start(s)	second = (s == 1)
#define invalidate_finish(s)	skip
#define plain_start()		skip

/* Is one being removed that this start does not call? */
#define mn_must_wait_for(s) \
	(sub[s].in_tree && sub[s].release && (sub[s].pages & pages) && \
	 sub[s].removed < number[me])
#define mn_must_wait()	(mn_must_wait_for(0) || mn_must_wait_for(1))

/* Who calls it may have promised something, and not be there yet. */
inline change_page_table()
{
	assert(!mn_must_wait())
}

#include "tracker.pml"

proctype driver()
{
	bool gone;

	mmu_interval_notifier_remove_async(0);
	mmu_interval_notifier_remove(1)
}

init {
	atomic {
		sub[0].pages = 1;
		sub[0].kind = MMU_TRACKER_CALL;
		sub[0].in_tree = true;
		sub[1].pages = 3;
		sub[1].kind = MMU_TRACKER_CALL;
		sub[1].in_tree = true;
		run invalidate(0, 3, 1, true);
		run invalidate(1, 1, 1, true);
		run invalidate(2, 2, 1, true);
		run driver()
	}
}
