/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fixture of the tests of tracked ranges: the device of lib/test_hmm_range.c
 * and memory of one page in each of the parts that a range is divided into.
 */
#ifndef _SELFTESTS_MM_HMM_RANGE_FIXTURE_H
#define _SELFTESTS_MM_HMM_RANGE_FIXTURE_H

#include "hmm_range_test.h"

FIXTURE(range) {
	int		fd;
	unsigned int	how;
	size_t		page;
	size_t		size;
	char		*map;
};

/* Which callback listens: beside the tracking, or the ranges' own. */
FIXTURE_VARIANT(range) {
	struct form	form;
};

FIXTURE_VARIANT_ADD(range, plain) { .form = FORM_PLAIN };
FIXTURE_VARIANT_ADD(range, interval) { .form = FORM_INTERVAL };
FIXTURE_VARIANT_ADD(range, ops) { .form = FORM_OPS };
FIXTURE_VARIANT_ADD(range, two_pass) { .form = FORM_TWO_PASS };

FIXTURE_SETUP(range)
{
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, dev_config(self->fd, variant->form.notifier, false));
	self->how = variant->form.how;
	self->page = sysconf(_SC_PAGESIZE);
	self->size = NR_PAGES * self->page;
	self->map = map_pages(self->size);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, madvise(self->map, self->size, MADV_NOHUGEPAGE));
	memset(self->map, 1, self->size);
}

FIXTURE_TEARDOWN(range)
{
	if (self->fd < 0)
		return;
	EXPECT_EQ(0, dev_release(self->fd, 0));
	/* Whatever the test did: marking comes before callbacks. */
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_UNMARKED));
	EXPECT_EQ(0, dev_stat(self->fd, HMM_RANGE_DEV_STAT_STRAY));
	EXPECT_EQ(0, close(self->fd));
}

/* Fault in all of a range, in the way of the variant. */
static inline int mirror(FIXTURE_DATA(range) const *range, int id,
			 unsigned int request, unsigned int ms)
{
	return dev_mirror_how(range->fd, id, range->how, request, ms);
}

#endif /* _SELFTESTS_MM_HMM_RANGE_FIXTURE_H */
