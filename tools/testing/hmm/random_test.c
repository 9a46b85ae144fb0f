// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many ranges, invalidations and walks in random order, checked at each step
 * against a model that is too plain to be wrong: an address space of PAGES
 * pages, each with a content, and arrays of bool.
 *
 * An invalidation changes the content of its pages while it is in flight; a
 * walk copies the content into the array of its range. So whatever the tracking
 * does, a valid range whose array differs from the pages is an error.
 */
#include "test.h"

#define PAGES		700
#define RANGES		12
#define INVALIDATIONS	10
#define CHUNKS		64
#define STEPS		200000

/* How a page was read last: pages are never given this content. */
#define NEVER		0UL

struct model_range {
	struct hmm_range range;
	bool registered;
	unsigned long first, nr;
	int owner;
	unsigned int ignore_events;

	/* A walk that has begun, and what it has still to do. */
	bool walking;
	u64 todo;

	/* What must be true of the tracking. */
	bool valid;
	bool hit_while_walking;
	bool dirty[CHUNKS];
	/* The call that a retry would be one of. */
	bool has_call;
	struct hmm_range call;

	unsigned long arrays[2][PAGES];
};

struct model_invalidation {
	struct mmu_notifier_range range;
	bool in_flight;
	unsigned long first, nr;
};

static struct mm_struct *mm;
static unsigned long content[PAGES];
static struct model_range ranges[RANGES];
static struct model_invalidation invalidations[INVALIDATIONS];
static int owners[3];
static unsigned long long random_state, last_content;

/* How often what the test is about has happened. */
static struct {
	unsigned long starts, walks, refused, retries, invalidated, valid;
} seen;

static unsigned int pick(unsigned int below)
{
	/* xorshift64* */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dULL >> 33) % below;
}

static bool one_in(unsigned int n)
{
	return !pick(n);
}

static void *owner_ptr(int owner)
{
	return owner ? &owners[owner] : NULL;
}

/* The model's own notion of overlap, chunks and what is ignored. */

static bool model_overlaps(const struct model_range *r,
			   const struct model_invalidation *i)
{
	for (unsigned long page = i->first; page < i->first + i->nr; page++)
		if (page >= r->first && page < r->first + r->nr)
			return true;
	return false;
}

static bool model_ignores(const struct model_range *r,
			  const struct model_invalidation *i)
{
	bool asked = r->ignore_events & (1U << i->range.event);

	return asked && r->owner && i->range.owner == owner_ptr(r->owner);
}

static bool model_blocked(const struct model_range *r)
{
	for (int i = 0; i < INVALIDATIONS; i++)
		if (invalidations[i].in_flight &&
		    model_overlaps(r, &invalidations[i]) &&
		    !model_ignores(r, &invalidations[i]))
			return true;
	return false;
}

static unsigned int model_chunk(const struct model_range *r, unsigned long page)
{
	unsigned long pages = 1;

	while (pages * CHUNKS < r->nr)
		pages *= 2;
	return (page - r->first) / pages;
}

static void model_hit(struct model_range *r, const struct model_invalidation *i)
{
	if (!r->registered || !model_overlaps(r, i) || model_ignores(r, i))
		return;
	r->valid = false;
	r->hit_while_walking = true;
	for (unsigned long page = i->first; page < i->first + i->nr; page++)
		if (page >= r->first && page < r->first + r->nr)
			r->dirty[model_chunk(r, page)] = true;
}

static bool model_is_retry(const struct model_range *r)
{
	const struct hmm_range *now = &r->range;

	return r->has_call && !r->valid && !now->pfn_flags_mask &&
	       now->hmm_pfns == r->call.hmm_pfns &&
	       now->start == r->call.start && now->end == r->call.end &&
	       now->default_flags == r->call.default_flags &&
	       now->dev_private_owner == r->call.dev_private_owner;
}

/* default_flags stand for the mode, too: 0 is a snapshot. */
static bool is_fault(const struct model_range *r)
{
	return r->range.default_flags;
}

static unsigned long page_of(unsigned long address)
{
	return (address - BASE) >> PAGE_SHIFT;
}

static u64 model_todo(const struct model_range *r)
{
	bool all = !model_is_retry(r);
	u64 todo = 0;

	for (unsigned long page = page_of(r->range.start);
	     page < page_of(r->range.end); page++)
		if (all || r->dirty[model_chunk(r, page)])
			todo |= 1ULL << model_chunk(r, page);
	return todo;
}

/* The steps. Each does the same to the tracking and to the model. */

static void step_register(struct model_range *r)
{
	r->first = pick(PAGES);
	r->nr = 1 + pick(one_in(3) ? PAGES - r->first : min(PAGES - r->first, 20UL));
	r->owner = pick(3);
	r->ignore_events = pick(4) * BIT(MMU_NOTIFY_MIGRATE);
	memset(&r->range, pick(256), sizeof(r->range));
	r->range.hmm_pfns = r->arrays[0];
	r->range.default_flags = HMM_PFN_REQ_FAULT;
	r->range.pfn_flags_mask = 0;
	r->range.flags = 0;
	r->range.dev_private_owner = owner_ptr(r->owner);
	r->range.ignore_events = r->ignore_events;
	EXPECT(!register_pages(&r->range, mm, r->first, r->nr));
	r->registered = true;
	r->valid = false;
	r->has_call = false;
	/* It is latched: what the driver does now makes no difference. */
	r->range.ignore_events = pick(4);
}

static void step_unregister(struct model_range *r)
{
	hmm_range_unregister(&r->range);
	EXPECT(!hmm_range_valid(&r->range));
	r->registered = false;
}

/* What is done by a driver's owner changes nothing that others could miss. */
static void change_pages(const struct model_invalidation *i)
{
	if (i->range.owner)
		return;
	for (unsigned long page = i->first; page < i->first + i->nr; page++)
		content[page] = ++last_content;
}

static void step_start(struct model_invalidation *i)
{
	static const enum mmu_notifier_event events[] = {
		MMU_NOTIFY_UNMAP, MMU_NOTIFY_CLEAR, MMU_NOTIFY_PROTECTION_VMA,
		MMU_NOTIFY_MIGRATE, MMU_NOTIFY_MIGRATE, MMU_NOTIFY_EXCLUSIVE,
	};

	i->first = pick(PAGES);
	i->nr = 1 + pick(one_in(10) ? PAGES - i->first : min(PAGES - i->first, 10UL));
	start_event(&i->range, mm, i->first, i->nr,
		    events[pick(ARRAY_SIZE(events))], owner_ptr(pick(3)));
	i->in_flight = true;
	seen.starts++;
	for (int n = 0; n < RANGES; n++)
		model_hit(&ranges[n], i);
	change_pages(i);
}

static void step_end(struct model_invalidation *i)
{
	change_pages(i);
	end_pages(&i->range);
	i->in_flight = false;
}

/* Sometimes the driver asks for something else than it did before. */
static void change_call(struct model_range *r)
{
	switch (pick(30)) {
	case 0:
		r->range.default_flags ^= HMM_PFN_REQ_WRITE;
		break;
	case 1:
		r->range.default_flags ^= HMM_PFN_REQ_FAULT;
		break;
	case 2:
		r->range.pfn_flags_mask ^= HMM_PFN_REQ_FAULT;
		break;
	case 3:
		r->range.dev_private_owner = owner_ptr(pick(3));
		break;
	case 4:
		r->range.hmm_pfns = r->arrays[pick(2)];
		break;
	case 5:
		r->range.start = ADDR(r->first + pick(page_of(r->range.end) - r->first));
		break;
	case 6:
		r->range.start = ADDR(r->first);
		r->range.end = r->range.start + (1 + pick(r->nr)) * PAGE_SIZE;
		break;
	case 7:
		r->range.start = ADDR(r->first);
		r->range.end = ADDR(r->first + r->nr);
		break;
	}
}

/* The array starts at the page that the walk starts at. */
static unsigned long *entry(struct model_range *r, unsigned long page)
{
	return &r->range.hmm_pfns[page - page_of(r->range.start)];
}

static void step_walk_begin(struct model_range *r)
{
	u64 expected;
	int ret;

	change_call(r);
	expected = model_todo(r);
	ret = hmm_range_walk_begin(&r->range, is_fault(r), &r->todo);
	EXPECT(ret == (model_blocked(r) ? -EBUSY : 0));
	seen.walks++;
	seen.refused += !!ret;
	if (ret)
		return;

	EXPECT(r->todo == expected);
	if (model_is_retry(r)) {
		seen.retries++;
	} else {
		r->call = r->range;
		r->has_call = !r->range.pfn_flags_mask;
	}
	memset(r->dirty, 0, sizeof(r->dirty));
	r->walking = true;
	r->valid = false;
	r->hit_while_walking = false;
}

/* Reads the first run of chunks, or a part of it, as mm/hmm_walk.c would. */
static void step_walk_on(struct model_range *r)
{
	unsigned long start, end, page;

	if (!r->todo)
		return;
	hmm_range_first_span(&r->range, r->todo, &start, &end);
	EXPECT(start >= r->range.start && start < end && end <= r->range.end);
	EXPECT(!(hmm_range_chunks(&r->range, start, end) & ~r->todo));
	if (one_in(3))
		end = start + (1 + pick((end - start) >> PAGE_SHIFT)) * PAGE_SIZE;
	for (page = page_of(start); page < page_of(end); page++)
		*entry(r, page) = content[page];
	/* A chunk of which a part is missing is still to be done. */
	for (page = page_of(start); page < page_of(end); page++) {
		unsigned int chunk = model_chunk(r, page);

		if (page + 1 == page_of(r->range.end) ||
		    model_chunk(r, page + 1) != chunk)
			r->todo &= ~BIT_ULL(chunk);
	}
}

static void step_walk_end(struct model_range *r)
{
	static const int errors[] = { -EBUSY, -EBUSY, -EFAULT, -EPERM, -EINTR };
	int err = r->todo ? errors[pick(ARRAY_SIZE(errors))] : 0;
	int ret = hmm_range_walk_end(&r->range, r->todo, err);

	r->walking = false;
	if (!err && r->hit_while_walking) {
		seen.invalidated++;
		err = -EBUSY;
	}
	EXPECT(ret == err);
	r->valid = !err;
	seen.valid += r->valid;
	if (err && err != -EBUSY)
		r->has_call = false;
	for (int chunk = 0; chunk < CHUNKS; chunk++)
		if (r->todo & BIT_ULL(chunk))
			r->dirty[chunk] = true;
}

static void step_begin(struct model_range *r)
{
	int ret = hmm_range_begin(&r->range);

	EXPECT(ret == (model_blocked(r) ? -EBUSY : 0));
	r->has_call = false;
	if (ret)
		return;
	r->valid = true;
	/* There was no walk, so the array says nothing. */
	memset(r->arrays, NEVER, sizeof(r->arrays));
}

static void step_range(struct model_range *r)
{
	if (!r->registered)
		step_register(r);
	else if (r->walking && one_in(4))
		step_walk_end(r);
	else if (r->walking)
		step_walk_on(r);
	else if (one_in(30))
		step_unregister(r);
	else if (one_in(30))
		step_begin(r);
	else
		step_walk_begin(r);
}

static void step_invalidation(struct model_invalidation *i)
{
	if (i->in_flight)
		step_end(i);
	else if (one_in(3))
		step_start(i);
}

static void check_array(struct model_range *r)
{
	unsigned long page;

	for (page = page_of(r->range.start); page < page_of(r->range.end); page++)
		EXPECT(*entry(r, page) == NEVER || *entry(r, page) == content[page]);
}

static void check(void)
{
	for (int n = 0; n < RANGES && !test_failed; n++) {
		struct model_range *r = &ranges[n];

		if (!r->registered)
			continue;
		EXPECT(hmm_range_valid(&r->range) == r->valid);
		EXPECT(hmm_range_wait_until_valid(&r->range, 0) ==
		       !model_blocked(r));
		if (r->valid)
			check_array(r);
		if (r->walking)
			EXPECT(hmm_range_walk_invalidated(&r->range) ==
			       r->hit_while_walking);
	}
}

static void stop_all(void)
{
	for (int n = 0; n < RANGES; n++)
		if (ranges[n].walking)
			step_walk_end(&ranges[n]);
	for (int i = 0; i < INVALIDATIONS; i++)
		if (invalidations[i].in_flight)
			step_end(&invalidations[i]);
}

static void random_steps(void)
{
	mm = mm_alloc();
	random_state = test_seed * 2 + 1;
	for (unsigned long page = 0; page < PAGES; page++)
		content[page] = ++last_content;

	/* The first takes the mmap lock, which the walks below hold all along. */
	step_register(&ranges[0]);
	mmap_read_lock(mm);
	for (int step = 0; step < STEPS && !test_failed; step++) {
		if (one_in(2))
			step_range(&ranges[pick(RANGES)]);
		else
			step_invalidation(&invalidations[pick(INVALIDATIONS)]);
		check();
		if (test_failed)
			printf("# at step %d of seed %lu\n", step, test_seed);
	}
	stop_all();
	mmap_read_unlock(mm);

	mmgrab(mm);
	mmput(mm);
	for (int n = 0; n < RANGES; n++) {
		if (!ranges[n].registered)
			continue;
		EXPECT(!hmm_range_valid(&ranges[n].range));
		EXPECT(hmm_range_begin(&ranges[n].range) == -EFAULT);
		hmm_range_unregister(&ranges[n].range);
	}
	EXPECT(atomic_read(&mm->mm_count) == 1);
	mmdrop(mm);

	printf("# %lu invalidations, %lu walks: %lu refused, %lu retries, ",
	       seen.starts, seen.walks, seen.refused, seen.retries);
	printf("%lu invalidated, %lu valid\n", seen.invalidated, seen.valid);
	EXPECT(seen.retries && seen.refused && seen.invalidated && seen.valid);
}

#define TEST(name) { #name, name }

const struct test random_tests[] = {
	TEST(random_steps),
	{ }
};
