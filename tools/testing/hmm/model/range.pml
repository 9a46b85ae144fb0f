/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver walks a tracked range that comes and goes at any time. Two threads
 * invalidate it: all of it, or a page; one of them must not block, and fails if
 * the driver holds its lock.
 */

inline change_page_table()
{
	d_step {
		assert(!published);
		fresh = fresh & ~pages
	}
}

#include "walk.pml"

init {
	byte pages;

	atomic {
		subscribe();
		select(pages : 1 .. ALL_PAGES);
		run invalidate(0, pages, 1, true);
		run invalidate(1, 1, 1, false);
		run driver()
	}
}
