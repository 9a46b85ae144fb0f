// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The protocol at work, with real threads: some invalidate, with a callback
 * that takes the driver's lock, others walk, wait, and check under that lock.
 * Most of use with TSan.
 */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

#define PAGES		256
#define RUN_SECONDS	1

static struct mm_struct *mm;
static unsigned long content[PAGES];
static pthread_mutex_t driver_lock = PTHREAD_MUTEX_INITIALIZER;
static bool stop;
static unsigned long checked, stale, retried;

static unsigned int pick(unsigned int *state, unsigned int below)
{
	return (unsigned int)rand_r(state) % below;
}

static void *invalidate(void *arg)
{
	unsigned int state = test_seed + (unsigned long)arg;

	while (!READ_ONCE(stop)) {
		unsigned long first = pick(&state, PAGES), nr;
		struct mmu_notifier_range invalidation;

		nr = 1 + pick(&state, min(PAGES - first, 16UL));
		start_pages(&invalidation, mm, first, nr);
		/* The driver's callback would zap its entries here. */
		pthread_mutex_lock(&driver_lock);
		pthread_mutex_unlock(&driver_lock);
		for (unsigned long page = first; page < first + nr; page++)
			__atomic_add_fetch(&content[page], 1, __ATOMIC_RELAXED);
		end_pages(&invalidation);
		usleep(pick(&state, 100));
	}
	return NULL;
}

static int walk(struct hmm_range *range, unsigned long *array)
{
	unsigned long start, end, page;
	u64 todo;
	int ret;

	mmap_read_lock(mm);
	ret = hmm_range_walk_begin(range, true, &todo);
	while (!ret && todo) {
		hmm_range_first_span(range, todo, &start, &end);
		for (page = start; page < end; page += PAGE_SIZE)
			array[(page - range->start) >> PAGE_SHIFT] =
				READ_ONCE(content[(page - BASE) >> PAGE_SHIFT]);
		todo &= ~hmm_range_chunks(range, start, end);
		if (todo && hmm_range_walk_invalidated(range))
			break;
	}
	if (!ret)
		ret = hmm_range_walk_end(range, todo, todo ? -EBUSY : 0);
	mmap_read_unlock(mm);
	return ret;
}

static void use(struct hmm_range *range, unsigned long *array)
{
	unsigned long first = (range->start - BASE) >> PAGE_SHIFT;
	unsigned long nr = (range->end - range->start) >> PAGE_SHIFT;

	pthread_mutex_lock(&driver_lock);
	if (hmm_range_valid(range)) {
		checked++;
		for (unsigned long i = 0; i < nr; i++)
			stale += array[i] != READ_ONCE(content[first + i]);
	} else {
		retried++;
	}
	pthread_mutex_unlock(&driver_lock);
}

static void *mirror(void *arg)
{
	unsigned int state = test_seed + 100 + (unsigned long)arg;
	unsigned long array[PAGES];

	while (!READ_ONCE(stop)) {
		struct hmm_range range = {
			.hmm_pfns = array,
			.default_flags = HMM_PFN_REQ_FAULT,
		};
		unsigned long first = pick(&state, PAGES);
		unsigned long nr = 1 + pick(&state, min(PAGES - first, 80UL));

		if (register_pages(&range, mm, first, nr))
			abort();
		for (int i = 0; i < 20 && !READ_ONCE(stop); i++) {
			hmm_range_wait_until_valid(&range, 1000);
			if (!walk(&range, array))
				use(&range, array);
		}
		hmm_range_unregister(&range);
	}
	return NULL;
}

static void threads_see_nothing_stale(void)
{
	struct hmm_range first = { };
	pthread_t threads[6];

	mm = mm_alloc();
	/* All locks of the mm keep invalidations out, which nothing here does. */
	EXPECT(!register_pages(&first, mm, 0, 1));
	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		if (pthread_create(&threads[i], NULL, i & 1 ? mirror : invalidate,
				   (void *)i))
			abort();
	sleep(RUN_SECONDS);
	WRITE_ONCE(stop, true);
	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	hmm_range_unregister(&first);
	mmput(mm);

	printf("# %lu uses, %lu of them had to retry, %lu stale pages\n",
	       checked + retried, retried, stale);
	EXPECT(checked);
	EXPECT(!stale);
}

const struct test thread_tests[] = {
	{ "threads_see_nothing_stale", threads_see_nothing_stale },
	{ }
};
