// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many ranges, invalidations and walks in random order, checked at each step
 * against a model that is too plain to be wrong: an address space of PAGES
 * pages, each with a content, and arrays of bool.
 *
 * Others run whenever a walk is between two pages or holds no lock. An
 * invalidation, whoever causes it, changes its pages while it is in flight; a
 * walk stores what it reads of them. So whatever the tracking does: what a walk
 * that succeeds leaves in the array was in the page table at some time since it
 * began, and as long as the range is valid, it still is.
 */
#include "test.h"

#define PAGES		300
#define RANGES		8
#define INVALIDATIONS	6
#define CHUNKS		64
/* The sanitizer of threads has nothing to find here, and takes its time. */
#ifdef __SANITIZE_THREAD__
#define STEPS		30000
#else
#define STEPS		150000
#endif

/* An entry of the page table: the page is in it, to tell it from any other. */
#define ENTRY(page)	(HMM_PFN_VALID | (++last_content * PAGES + (page)))
#define NUMBER(entry)	((entry) & ~HMM_PFN_FLAGS)
#define HOLE		0UL

/* What an array is filled with that says nothing; no page has this number. */
#define POISON		(~HMM_PFN_FLAGS)

struct model_range {
	struct hmm_range range;
	unsigned long array[2][PAGES];
	bool registered;
	unsigned long first, nr;
	void *owner;
	unsigned int ignore_events;

	/* What must be true of hmm_range_valid(). */
	bool valid;
	/* It was armed by hmm_range_begin(): the array says nothing. */
	bool armed;
	/* The last walk's window, in pages. */
	unsigned long window, window_end;
	/* By page: own invalidations that were ignored have changed it since. */
	bool excused[PAGES];

	/* The call that a retry would be one of. */
	bool has_call;
	struct hmm_range call;
	/* By page: how often a retry may read it at most. */
	unsigned int owed[PAGES];
	/* By chunk: it may read any page of it. */
	bool owed_chunk[CHUNKS];
	/* What was hit since all was read: few notes are exact. */
	unsigned int hits;
};

struct model_invalidation {
	struct mmu_notifier_range range;
	bool in_flight;
	unsigned long first, nr;
};

static struct mm_struct *mm;
static unsigned long entries[PAGES];
/* The entry was made writable, or present, without a notification. */
static bool quietly[PAGES];
static struct model_range ranges[RANGES];
static struct model_invalidation invalidations[INVALIDATIONS];
static int owners[2];
static unsigned long long random_state;
static unsigned long last_content;

/* The walk that runs, if one does. */
static struct {
	struct test_walk w;
	struct model_range *r;
	bool retry, begun, done;
	/* The page table when it began, and which pages were holes since. */
	unsigned long content;
	unsigned long entries[PAGES];
	bool hole[PAGES];
	/* Something got into its way. */
	bool disturbed;
	/* What a fault ended it with; 0 if none did. */
	int error;
	/* How likely it is that others run, 1 in so many; 0: they do not. */
	unsigned int others;
} running;

/* How often what the test is about has happened. */
static struct {
	unsigned long starts, walks, busy, failed, retries, empty, own, valid;
	unsigned long faults, exact;
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

static unsigned long page_of(unsigned long address)
{
	return (address - BASE) >> PAGE_SHIFT;
}

static void *pick_owner(void)
{
	static void *const some[] = { NULL, &owners[0], &owners[1] };

	return some[pick(ARRAY_SIZE(some))];
}

/*
 * The model's own notion of overlap, chunks and what is ignored.
 */

static bool model_overlaps(const struct model_invalidation *i,
			   unsigned long first, unsigned long end)
{
	for (unsigned long page = i->first; page < i->first + i->nr; page++)
		if (page >= first && page < end)
			return true;
	return false;
}

static bool model_is_own(const struct model_range *r,
			 const struct model_invalidation *i)
{
	bool asked = r->ignore_events & (1U << i->range.event);

	return asked && r->owner && i->range.owner == r->owner;
}

/* Of what the driver has set now. */
static bool model_blocked(const struct model_range *r)
{
	for (int i = 0; i < INVALIDATIONS; i++)
		if (invalidations[i].in_flight &&
		    model_overlaps(&invalidations[i], page_of(r->range.start),
				   page_of(r->range.end)))
			return true;
	return false;
}

static unsigned int model_chunk(const struct model_range *r, unsigned long page)
{
	unsigned long pages = 1;

	while (pages * CHUNKS < r->window_end - r->window)
		pages *= 2;
	return (page - r->window) / pages;
}

/* A retry has to read what this one hits. */
static void model_note(struct model_range *r, const struct model_invalidation *i)
{
	if (!model_overlaps(i, r->window, r->window_end))
		return;
	r->hits++;
	for (unsigned long page = i->first; page < i->first + i->nr; page++) {
		if (page < r->window || page >= r->window_end)
			continue;
		r->owed[page]++;
		r->owed_chunk[model_chunk(r, page)] = true;
	}
}

static void model_owes_nothing(struct model_range *r)
{
	memset(r->owed, 0, sizeof(r->owed));
	memset(r->owed_chunk, 0, sizeof(r->owed_chunk));
	r->hits = 0;
}

/*
 * What an array may say.
 */

static bool was_read_since(unsigned long page, unsigned long entry)
{
	if (entry == HOLE)
		return running.hole[page];
	return NUMBER(entry) == NUMBER(running.entries[page]) ||
	       (NUMBER(entry) % PAGES == page &&
		NUMBER(entry) / PAGES > running.content &&
		NUMBER(entry) / PAGES <= last_content);
}

/* An entry that was made present, or writable, may be out of date for that. */
static bool is_true_now(unsigned long page, unsigned long entry)
{
	unsigned long now = entries[page];

	if (entry == now)
		return true;
	return quietly[page] && (entry == HOLE || entry == (now & ~HMM_PFN_WRITE));
}

static void check_true_now(const struct model_range *r)
{
	for (unsigned long page = r->window; page < r->window_end; page++)
		EXPECT(r->excused[page] ||
		       is_true_now(page, r->call.hmm_pfns[page - r->window]));
}

/* No poison, nothing older than the walk, and all that was asked for. */
static void check_walked(const struct model_range *r)
{
	unsigned long required = 0, entry;

	if (!running.w.snapshot && r->call.default_flags & HMM_PFN_REQ_FAULT)
		required = r->call.default_flags;
	for (unsigned long page = r->window; page < r->window_end; page++) {
		entry = r->call.hmm_pfns[page - r->window];
		EXPECT(was_read_since(page, entry));
		EXPECT(!(required & ~entry));
	}
}

/*
 * Compare what the tracking says now with the model. The one change that the
 * model does not foresee is that the walk that runs makes its range valid.
 */
static void observe(struct model_range *r)
{
	bool valid = hmm_range_valid(&r->range);

	if (valid && running.r == r && !running.done) {
		running.done = true;
		r->valid = true;
		r->armed = false;
		memset(r->excused, 0, sizeof(r->excused));
		model_owes_nothing(r);
		check_walked(r);
	}
	EXPECT(valid == r->valid);
	if (valid && !r->armed)
		check_true_now(r);
}

/*
 * Others: they start and end invalidations, and change what is in the page table
 * meanwhile.
 */

static void set_entry(unsigned long page, unsigned long entry)
{
	entries[page] = entry;
	quietly[page] = false;
	if (entry == HOLE)
		running.hole[page] = true;
}

static void change_page(unsigned long page)
{
	switch (pick(4)) {
	case 0:
		set_entry(page, HOLE);
		break;
	case 1:
		set_entry(page, ENTRY(page));
		break;
	default:
		set_entry(page, ENTRY(page) | HMM_PFN_WRITE);
		break;
	}
}

static void change_pages(const struct model_invalidation *i)
{
	for (unsigned long page = i->first; page < i->first + i->nr; page++)
		if (!one_in(4))
			change_page(page);
}

/* What an invalidation that starts does to a range. */
static void model_hit(struct model_range *r, const struct model_invalidation *i)
{
	if (!r->registered || !model_overlaps(i, r->window, r->window_end))
		return;
	if (r->valid && model_is_own(r, i)) {
		seen.own++;
		for (unsigned long page = i->first; page < i->first + i->nr; page++)
			r->excused[page] = true;
		return;
	}
	r->valid = false;
	if (running.r == r)
		running.disturbed = true;
	model_note(r, i);
}

static void start_invalidation(struct model_invalidation *i)
{
	static const enum mmu_notifier_event events[] = {
		MMU_NOTIFY_UNMAP, MMU_NOTIFY_CLEAR, MMU_NOTIFY_PROTECTION_VMA,
		MMU_NOTIFY_MIGRATE, MMU_NOTIFY_MIGRATE, MMU_NOTIFY_EXCLUSIVE,
	};

	/* Half of them are by the driver of some range. */
	void *owner = one_in(2) ? ranges[pick(RANGES)].owner : pick_owner();

	for (int n = 0; n < RANGES; n++)
		if (ranges[n].registered)
			observe(&ranges[n]);
	start_event(&i->range, mm, i->first, i->nr,
		    events[pick(ARRAY_SIZE(events))], owner);
	i->in_flight = true;
	seen.starts++;
	for (int n = 0; n < RANGES; n++)
		model_hit(&ranges[n], i);
	change_pages(i);
}

static void end_invalidation(struct model_invalidation *i)
{
	change_pages(i);
	end_pages(&i->range);
	i->in_flight = false;
	/* An own one is noted when it ends, as well. */
	for (int n = 0; n < RANGES; n++)
		if (ranges[n].registered && model_is_own(&ranges[n], i))
			model_note(&ranges[n], i);
}

static void step_invalidation(struct model_invalidation *i)
{
	if (i->in_flight) {
		end_invalidation(i);
	} else {
		i->first = pick(PAGES);
		i->nr = 1 + pick(one_in(10) ? PAGES - i->first :
					      min(PAGES - i->first, 10UL));
		start_invalidation(i);
	}
}

static void populate(unsigned long page)
{
	if (entries[page] == HOLE)
		entries[page] = ENTRY(page);
	else
		entries[page] |= HMM_PFN_WRITE;
	quietly[page] = true;
}

static void others_run(void)
{
	/* The first time it has not begun, which is as if they ran before. */
	if (!running.begun) {
		running.begun = true;
		return;
	}
	observe(running.r);
	if (!running.others || test_failed)
		return;
	/* One at a time: none starts while another one does. */
	shim_run_unlocked(NULL);
	while (one_in(running.others)) {
		if (one_in(10))
			populate(pick(PAGES));
		else
			step_invalidation(&invalidations[pick(INVALIDATIONS)]);
	}
	shim_run_unlocked(others_run);
}

/*
 * A walk.
 */

static void at_page(struct test_walk *w, enum walk_place place,
		    unsigned long page)
{
	struct model_range *r = running.r;
	bool exact = r->hits <= HMM_DIRTY_HITS;

	if (place == WALK_STORES) {
		EXPECT(r->owed[page] ||
		       (!exact && r->owed_chunk[model_chunk(r, page)]));
		seen.exact += exact && running.retry;
		if (r->owed[page])
			r->owed[page]--;
	}
	others_run();
}

static unsigned long read_entry(struct test_walk *w, unsigned long page)
{
	return entries[page];
}

/* Copying a page is an invalidation, as for one that a fork has shared. */
static void copy(unsigned long page)
{
	struct model_invalidation copied = { .first = page, .nr = 1 };

	shim_run_unlocked(NULL);
	start_invalidation(&copied);
	set_entry(page, ENTRY(page) | HMM_PFN_WRITE);
	end_invalidation(&copied);
	populate(page);
	shim_run_unlocked(others_run);
}

static int fault(struct test_walk *w, unsigned long page, unsigned long required)
{
	static const int errors[] = { -EFAULT, -EPERM, -ENOMEM, -EINTR };

	seen.faults++;
	others_run();
	if (one_in(200)) {
		running.error = errors[pick(ARRAY_SIZE(errors))];
		return running.error;
	}
	if (required & HMM_PFN_REQ_WRITE && one_in(2))
		copy(page);
	else if (!one_in(10))
		populate(page);
	others_run();
	if (one_in(50)) {
		drop_mmap_lock(w);
		return -EBUSY;
	}
	return 0;
}

/* Sometimes the driver asks for something else than it did before. */
static void change_call(struct model_range *r)
{
	struct hmm_range *range = &r->range;

	switch (pick(40)) {
	case 0:
		range->default_flags ^= HMM_PFN_REQ_WRITE;
		break;
	case 1:
		range->default_flags ^= HMM_PFN_REQ_FAULT;
		break;
	case 2:
		range->pfn_flags_mask ^= HMM_PFN_REQ_FAULT;
		break;
	case 3:
		range->dev_private_owner = pick_owner();
		break;
	case 4:
		range->hmm_pfns = r->array[pick(2)];
		break;
	case 5:
		range->start = ADDR(r->first + pick(page_of(range->end) - r->first));
		break;
	case 6:
		range->start = ADDR(r->first);
		range->end = range->start + (1 + pick(r->nr)) * PAGE_SIZE;
		break;
	case 7:
		range->start = ADDR(r->first);
		range->end = ADDR(r->first + r->nr);
		break;
	}
}

static bool model_is_retry(const struct model_range *r, bool snapshot)
{
	const struct hmm_range *now = &r->range;

	return r->has_call && !snapshot && !now->pfn_flags_mask &&
	       now->default_flags & HMM_PFN_REQ_FAULT &&
	       now->hmm_pfns == r->call.hmm_pfns &&
	       now->start == r->call.start && now->end == r->call.end &&
	       now->default_flags == r->call.default_flags &&
	       now->dev_private_owner == r->call.dev_private_owner;
}

/* In an array that is asked page by page, some ask. */
static void poison(struct model_range *r)
{
	unsigned long nr = page_of(r->range.end) - page_of(r->range.start);

	for (unsigned long i = 0; i < nr; i++)
		r->range.hmm_pfns[i] = POISON |
			(one_in(2) ? HMM_PFN_REQ_FAULT : 0) |
			(one_in(2) ? HMM_PFN_REQ_WRITE : 0);
}

static void begin_walk(struct model_range *r, bool snapshot)
{
	running.w = (struct test_walk){
		.snapshot = snapshot,
		.read = read_entry,
		.fault = fault,
		.hook = at_page,
	};
	running.r = r;
	running.begun = false;
	running.done = false;
	running.error = 0;
	running.content = last_content;
	memcpy(running.entries, entries, sizeof(entries));
	for (unsigned long page = 0; page < PAGES; page++)
		running.hole[page] = entries[page] == HOLE;
	running.others = one_in(4) ? 0 : 4 + pick(60);

	r->valid = false;
	r->armed = true;
	if (!running.retry) {
		r->window = page_of(r->range.start);
		r->window_end = page_of(r->range.end);
		model_owes_nothing(r);
		for (unsigned long page = r->window; page < r->window_end; page++)
			r->owed[page] = 1;
	}
	for (int i = 0; i < INVALIDATIONS; i++)
		if (invalidations[i].in_flight)
			model_note(r, &invalidations[i]);
	r->call = r->range;
	r->has_call = !snapshot && !r->range.pfn_flags_mask;
	running.disturbed = model_blocked(r);
}

static void end_walk(struct model_range *r, int ret)
{
	observe(r);
	running.r = NULL;
	/* It puts back what it has not read; beyond the notes, as chunks. */
	for (unsigned long page = r->window; page < r->window_end; page++)
		if (r->owed[page])
			r->owed_chunk[model_chunk(r, page)] = true;
	seen.walks++;
	seen.busy += ret == -EBUSY;
	seen.failed += ret && ret != -EBUSY;
	seen.valid += !ret;
	seen.retries += running.retry;
	seen.empty += running.retry && !running.w.nr_pages;
	/* It says that it has succeeded exactly if the range was valid then. */
	EXPECT(!ret == running.done);
	if (ret == -EBUSY)
		EXPECT(!running.w.locked || running.disturbed);
	EXPECT(running.error == (ret == -EBUSY ? 0 : ret));
}

static void step_walk(struct model_range *r)
{
	bool told, snapshot;
	int ret;

	change_call(r);
	snapshot = one_in(20);
	told = !one_in(6);
	running.retry = told && model_is_retry(r, snapshot);
	if (told)
		hmm_range_retry(&r->range);
	if (!running.retry)
		poison(r);
	begin_walk(r, snapshot);
	shim_run_unlocked(others_run);
	ret = walk_range(&running.w, &r->range);
	shim_run_unlocked(NULL);
	end_walk(r, ret);
}

/*
 * The other steps. Each does the same to the tracking and to the model.
 */

static void step_register(struct model_range *r)
{
	r->first = pick(PAGES);
	r->nr = 1 + pick(one_in(2) ? PAGES - r->first : min(PAGES - r->first, 20UL));
	r->owner = pick_owner();
	r->ignore_events = (one_in(2) ? BIT(MMU_NOTIFY_MIGRATE) : 0) |
			   (one_in(2) ? BIT(MMU_NOTIFY_EXCLUSIVE) : 0);
	memset(&r->range, pick(256), sizeof(r->range));
	r->range.hmm_pfns = r->array[0];
	r->range.default_flags = HMM_PFN_REQ_FAULT;
	r->range.pfn_flags_mask = 0;
	r->range.flags = 0;
	r->range.dev_private_owner = r->owner;
	r->range.ignore_events = r->ignore_events;
	EXPECT(!register_pages(&r->range, mm, r->first, r->nr));
	r->registered = true;
	r->valid = false;
	r->has_call = false;
	r->window = r->first;
	r->window_end = r->first + r->nr;
	model_owes_nothing(r);
	/* It is latched: what the driver does now makes no difference. */
	r->range.ignore_events = pick(4);
}

static void step_unregister(struct model_range *r)
{
	hmm_range_unregister(&r->range);
	EXPECT(!hmm_range_valid(&r->range));
	r->registered = false;
}

static void step_begin(struct model_range *r)
{
	int ret;

	change_call(r);
	ret = hmm_range_begin(&r->range);
	EXPECT(ret == (model_blocked(r) ? -EBUSY : 0));
	r->has_call = false;
	r->window = page_of(r->range.start);
	r->window_end = page_of(r->range.end);
	r->valid = !ret;
	r->armed = true;
	model_owes_nothing(r);
}

static void step_range(struct model_range *r)
{
	if (!r->registered)
		step_register(r);
	else if (one_in(100))
		step_unregister(r);
	else if (one_in(60))
		step_begin(r);
	else
		step_walk(r);
}

static void check(void)
{
	for (int n = 0; n < RANGES && !test_failed; n++) {
		if (!ranges[n].registered)
			continue;
		observe(&ranges[n]);
		EXPECT(hmm_range_wait_until_valid(&ranges[n].range, 0) ==
		       !model_blocked(&ranges[n]));
	}
}

static void print_seen(void)
{
	printf("# %lu invalidations, %lu of them ignored; %lu walks: %lu busy, ",
	       seen.starts, seen.own, seen.walks, seen.busy);
	printf("%lu failed, %lu valid, %lu faults; %lu retries, %lu empty, ",
	       seen.failed, seen.valid, seen.faults, seen.retries, seen.empty);
	printf("%lu pages of them exact\n", seen.exact);
	EXPECT(seen.own && seen.busy && seen.failed && seen.valid &&
	       seen.faults && seen.retries && seen.empty && seen.exact);
}

/* The mm dies: nothing is valid any more, and nothing is left of it. */
static void tear_down(void)
{
	for (int i = 0; i < INVALIDATIONS; i++)
		if (invalidations[i].in_flight)
			end_invalidation(&invalidations[i]);
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
}

static void random_steps(void)
{
	mm = mm_alloc();
	random_state = test_seed * 2 + 1;
	for (unsigned long page = 0; page < PAGES; page++)
		change_page(page);

	/* All locks of the mm keep invalidations out, which nothing here does. */
	step_register(&ranges[0]);
	for (int step = 0; step < STEPS && !test_failed; step++) {
		if (one_in(2))
			step_range(&ranges[pick(RANGES)]);
		else
			step_invalidation(&invalidations[pick(INVALIDATIONS)]);
		check();
		if (test_failed)
			printf("# at step %d of seed %lu\n", step, test_seed);
	}
	tear_down();
	print_seen();
}

#define TEST(name) { #name, name }

const struct test random_tests[] = {
	TEST(random_steps),
	{ }
};
