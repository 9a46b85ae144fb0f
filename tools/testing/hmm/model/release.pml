/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver walks a tracked range, and the mm is torn down. One invalidation may
 * stay in flight until the driver has ended, which must not wait for it then.
 */

#define EXIT	1

inline change_page_table()
{
	atomic {
		assert(!published);
		fresh = fresh & ~pages
	}
	if
	:: me == EXIT
	:: me != EXIT
	:: me != EXIT -> ended
	fi
}

#include "walk.pml"

init {
	atomic {
		subscribe();
		run invalidate(0, 1, 1, false);
		run invalidate(EXIT, ALL_PAGES, 1, true);
		run driver()
	}
}
