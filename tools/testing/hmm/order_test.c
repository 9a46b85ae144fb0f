// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A walk, and invalidations that start and end at each moment of it: before and
 * after each hold of the tracker's lock, and between reading, storing and
 * stepping over each page. Few pages, but no order of these is left out, so what
 * is lost between two steps does not depend on luck.
 */
#include "test.h"

#define FIRST		100
#define PAGES		4
#define NEVER		UINT_MAX
/* What no page holds. */
#define POISON		(~HMM_PFN_FLAGS)

/* An invalidation: of which page, and at which moments it starts and ends. */
struct other {
	unsigned long page;
	unsigned int start, end;
	void *owner;

	enum { TO_COME, IN_FLIGHT, OVER } state;
	struct mmu_notifier_range invalidation;
};

/* What the walk finds: which pages are noted, and which a fault has to copy. */
struct setting {
	const char *name;
	bool retry;
	bool noted[PAGES], shared[PAGES];
};

static const struct setting settings[] = {
	{ .name = "a valid range is read again" },
	{ .name = "all is read", .noted = { true, true, true, true } },
	{ .name = "all is copied", .shared = { true, true, true, true } },
	{ .name = "one page in the middle is copied", .shared = { [2] = true } },
	{ .name = "nothing is read", .retry = true },
	{ .name = "all but the ends is kept", .retry = true,
	  .noted = { [0] = true, [3] = true } },
	{ .name = "the ends are kept, the rest is copied", .retry = true,
	  .noted = { [1] = true, [2] = true },
	  .shared = { [1] = true, [2] = true } },
};

static int owner;
static struct mm_struct *mm;
static struct hmm_range range;
static unsigned long content[PAGES], array[PAGES];
static bool shared[PAGES];
/* An own one that the valid range has ignored has changed the page. */
static bool excused[PAGES];
static struct other *others;
static unsigned int nr_others, now;
static bool others_run;

static void change(unsigned long page)
{
	content[page]++;
}

static void check_array(void)
{
	for (unsigned long page = 0; page < PAGES; page++)
		EXPECT(excused[page] ||
		       (array[page] & ~HMM_PFN_FLAGS) == content[page]);
}

static void start_other(struct other *o)
{
	bool valid = hmm_range_valid(&range);

	start_event(&o->invalidation, mm, FIRST + o->page, 1,
		    o->owner ? MMU_NOTIFY_MIGRATE : MMU_NOTIFY_UNMAP, o->owner);
	EXPECT(hmm_range_valid(&range) == (valid && o->owner));
	excused[o->page] |= valid && o->owner;
	change(o->page);
	o->state = IN_FLIGHT;
}

static void end_other(struct other *o)
{
	change(o->page);
	end_pages(&o->invalidation);
	o->state = OVER;
}

static void moment(void)
{
	/* What they do takes the lock as well. */
	if (others_run)
		return;
	others_run = true;
	for (struct other *o = others; o < others + nr_others; o++) {
		if (o->state == TO_COME && now == o->start)
			start_other(o);
		if (o->state == IN_FLIGHT && now == o->end)
			end_other(o);
	}
	now++;
	/* What is not valid has to be read, whoever has changed it. */
	if (hmm_range_valid(&range))
		check_array();
	else
		memset(excused, 0, sizeof(excused));
	others_run = false;
}

static void at_page(struct test_walk *w, enum walk_place place,
		    unsigned long page)
{
	moment();
}

static unsigned long read_page(struct test_walk *w, unsigned long page)
{
	return HMM_PFN_VALID | content[page - FIRST] |
	       (shared[page - FIRST] ? 0 : HMM_PFN_WRITE);
}

static int copy(struct test_walk *w, unsigned long page, unsigned long required)
{
	struct mmu_notifier_range invalidation;

	moment();
	start_pages(&invalidation, mm, page, 1);
	change(page - FIRST);
	shared[page - FIRST] = false;
	end_pages(&invalidation);
	return 0;
}

static int walk(struct test_walk *w, bool retry)
{
	int ret;

	*w = (struct test_walk){
		.read = read_page, .fault = copy, .hook = at_page,
	};
	now = 0;
	shim_run_unlocked(moment);
	ret = retry ? retry_range(w, &range) : walk_range(w, &range);
	shim_run_unlocked(NULL);
	return ret;
}

/* As @setting has it. How many pages the walk has to read in it. */
static unsigned long set_up(const struct setting *setting)
{
	struct test_walk w;
	unsigned long nr = 0;

	nr_others = 0;
	memset(shared, 0, sizeof(shared));
	memset(excused, 0, sizeof(excused));
	EXPECT(!walk(&w, false));
	for (unsigned long page = 0; page < PAGES; page++) {
		shared[page] = setting->shared[page];
		nr += setting->noted[page] || !setting->retry;
		if (!setting->noted[page])
			continue;
		invalidate_pages(mm, FIRST + page, 1);
		change(page);
		array[page] = POISON;
	}
	return nr;
}

/*
 * Own ones that the valid range ignores are noted when they end; those that hit
 * a walk when they start, as well.
 */
static unsigned long pages_hit(void)
{
	unsigned long nr = 0;

	for (struct other *o = others; o < others + nr_others; o++)
		nr += o->state == TO_COME ? 0 : o->owner ? 2 : 1;
	return nr;
}

static void run_order(const struct setting *setting, struct other *some,
		      unsigned int nr)
{
	struct test_walk w, again;
	unsigned long pages = set_up(setting);
	int ret;

	others = some;
	nr_others = nr;
	ret = walk(&w, setting->retry);
	if (hmm_range_valid(&range))
		check_array();
	for (struct other *o = others; o < others + nr_others; o++)
		if (o->state == IN_FLIGHT)
			end_other(o);
	if (hmm_range_valid(&range)) {
		EXPECT(!ret);
		check_array();
	}
	pages += pages_hit();

	/* What is told to go on reads what is missing, and no more. */
	nr_others = 0;
	EXPECT(!walk(&again, true));
	EXPECT(hmm_range_valid(&range));
	check_array();
	EXPECT(w.nr_pages + again.nr_pages <= pages);
}

static void report(const struct setting *setting, const struct other *some,
		   unsigned int nr)
{
	printf("# where %s", setting->name);
	for (const struct other *o = some; o < some + nr; o++)
		printf("; page %lu, moments %u to %u, by %s", o->page, o->start,
		       o->end, o->owner ? "the owner" : "others");
	printf("\n");
}

/* False: the walk is over by the time that the first one starts. */
static bool try_order(const struct setting *setting, struct other first,
		      struct other second, unsigned int nr)
{
	struct other some[] = { first, second };

	if (test_failed)
		return false;
	run_order(setting, some, nr);
	if (test_failed)
		report(setting, some, nr);
	return some[0].state != TO_COME && !test_failed;
}

static void try_page(const struct setting *setting, unsigned long page,
		     void *by)
{
	struct other one = { .page = page, .owner = by };
	struct other none = { };

	for (one.start = 0; !test_failed; one.start++) {
		one.end = NEVER;
		if (!try_order(setting, one, none, 1))
			break;
		for (one.end = one.start; one.end < one.start + 30; one.end++)
			try_order(setting, one, none, 1);
	}
}

/* With another one that is in flight when the walk begins. */
static void try_pages(const struct setting *setting, unsigned long page,
		      unsigned long in_flight, void *by)
{
	struct other one = { .page = page };
	struct other two = { .page = in_flight, .owner = by };

	for (two.end = 0; two.end < 24 && !test_failed; two.end += 3)
		for (one.start = 0; !test_failed; one.start++) {
			one.end = one.start + 1;
			if (!try_order(setting, one, two, 2))
				break;
			one.end += 5;
			try_order(setting, one, two, 2);
		}
}

static void register_range(void)
{
	mm = mm_alloc();
	range = (struct hmm_range){
		.hmm_pfns = array,
		.default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
		.dev_private_owner = &owner,
		.ignore_events = BIT(MMU_NOTIFY_MIGRATE),
	};
	EXPECT(!register_pages(&range, mm, FIRST, PAGES));
}

static void t13_one_invalidation_in_each_order(void)
{
	register_range();
	for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++)
		for (unsigned long page = 0; page < PAGES; page++) {
			try_page(&settings[i], page, NULL);
			try_page(&settings[i], page, &owner);
		}
	hmm_range_unregister(&range);
	mmput(mm);
}

static void t13_two_invalidations_in_many_orders(void)
{
	register_range();
	for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++)
		for (unsigned long n = 0; n < PAGES * PAGES; n++) {
			try_pages(&settings[i], n / PAGES, n % PAGES, NULL);
			try_pages(&settings[i], n / PAGES, n % PAGES, &owner);
		}
	hmm_range_unregister(&range);
	mmput(mm);
}

#define TEST(name) { #name, name }

const struct test order_tests[] = {
	TEST(t13_one_invalidation_in_each_order),
	TEST(t13_two_invalidations_in_many_orders),
	{ }
};
