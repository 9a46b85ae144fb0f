// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The protocol at work, with real threads: some invalidate, with a callback
 * that takes the driver's lock, others walk, wait, and check under that lock.
 * Each driver migrates pages of its own as well. Most of use with TSan.
 */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "test.h"

#define PAGES		256
#define DRIVERS		3
#define RUN_SECONDS	1

/*
 * A device's mirror of some pages, and the thread that keeps it.
 *
 * @lock: of the device's page table
 * @migrated: under @lock: what own migrations have changed of the entries since
 *	the array was last up to date
 */
struct driver {
	pthread_mutex_t lock;
	struct hmm_range range;
	unsigned long array[PAGES];
	bool migrated[PAGES];
	unsigned int random;
	unsigned long used, stale, refused, missed;
	pthread_t mirrors, migrates;
};

static struct mm_struct *mm;
static unsigned long content[PAGES];
static struct driver drivers[DRIVERS];
static bool stop;

static unsigned int pick(unsigned int *state, unsigned int below)
{
	return (unsigned int)rand_r(state) % below;
}

static void change(unsigned long first, unsigned long nr)
{
	for (unsigned long page = first; page < first + nr; page++)
		__atomic_add_fetch(&content[page], 1, __ATOMIC_RELAXED);
}

/* Each driver has a callback; it would zap the device's entries here. */
static void run_callbacks(void)
{
	for (int i = 0; i < DRIVERS; i++) {
		pthread_mutex_lock(&drivers[i].lock);
		pthread_mutex_unlock(&drivers[i].lock);
	}
}

static void *invalidate(void *seed)
{
	unsigned int state = test_seed + (unsigned long)seed;

	while (!READ_ONCE(stop)) {
		unsigned long first = pick(&state, PAGES);
		unsigned long nr = 1 + pick(&state, min(PAGES - first, 16UL));
		struct mmu_notifier_range invalidation;

		start_pages(&invalidation, mm, first, nr);
		run_callbacks();
		change(first, nr);
		end_pages(&invalidation);
		usleep(pick(&state, 100));
	}
	return NULL;
}

/* The driver moves pages, and knows itself what has become of its entries. */
static void *migrate(void *arg)
{
	struct driver *driver = arg;
	unsigned int state = test_seed + 1000 + (driver - drivers);

	while (!READ_ONCE(stop)) {
		unsigned long first = pick(&state, PAGES);
		unsigned long nr = 1 + pick(&state, min(PAGES - first, 4UL));
		struct mmu_notifier_range invalidation;

		start_event(&invalidation, mm, first, nr, MMU_NOTIFY_MIGRATE,
			    driver);
		run_callbacks();
		pthread_mutex_lock(&driver->lock);
		for (unsigned long page = first; page < first + nr; page++)
			driver->migrated[page] = true;
		pthread_mutex_unlock(&driver->lock);
		change(first, nr);
		end_pages(&invalidation);
		usleep(pick(&state, 200));
	}
	return NULL;
}

static unsigned long read_content(struct test_walk *w, unsigned long page)
{
	return HMM_PFN_VALID | READ_ONCE(content[page]);
}

/* So that others get their turn in mid-walk, on few CPUs too. */
static void yield_at_times(struct test_walk *w, enum walk_place place,
			   unsigned long page)
{
	if (page % 32 == place)
		sched_yield();
}

/* Under the lock of the driver: is what a valid range says true? */
static void use(struct driver *driver)
{
	const struct hmm_range *range = &driver->range;
	unsigned long first = (range->start - BASE) >> PAGE_SHIFT;
	unsigned long nr = (range->end - range->start) >> PAGE_SHIFT;

	pthread_mutex_lock(&driver->lock);
	if (hmm_range_valid(range)) {
		driver->used++;
		for (unsigned long i = 0; i < nr; i++)
			driver->stale += !driver->migrated[first + i] &&
				(driver->array[i] & ~HMM_PFN_FLAGS) !=
				READ_ONCE(content[first + i]);
	} else {
		driver->missed++;
	}
	pthread_mutex_unlock(&driver->lock);
}

/*
 * What is migrated from here on counts as changed by the driver. What was
 * migrated before has to be read by the next walk that succeeds.
 */
static void forget_migrated(struct driver *driver)
{
	pthread_mutex_lock(&driver->lock);
	memset(driver->migrated, 0, sizeof(driver->migrated));
	pthread_mutex_unlock(&driver->lock);
}

static void walk_and_use(struct driver *driver, bool *told)
{
	struct test_walk w = { .read = read_content, .hook = yield_at_times };
	int ret;

	hmm_range_wait_until_valid(&driver->range, 1000);
	forget_migrated(driver);
	if (*told)
		ret = retry_range(&w, &driver->range);
	else
		ret = walk_range(&w, &driver->range);
	*told = pick(&driver->random, 8);
	if (ret)
		driver->refused++;
	else
		use(driver);
}

static void *mirror(void *arg)
{
	struct driver *driver = arg;

	driver->random = test_seed + 100 + (driver - drivers);
	while (!READ_ONCE(stop)) {
		unsigned long first = pick(&driver->random, PAGES);
		unsigned long nr = 1 + pick(&driver->random,
					    min(PAGES - first, 80UL));
		bool told = false;

		driver->range = (struct hmm_range){
			.hmm_pfns = driver->array,
			.default_flags = HMM_PFN_REQ_FAULT,
			.dev_private_owner = driver,
			.ignore_events = BIT(MMU_NOTIFY_MIGRATE),
		};
		if (register_pages(&driver->range, mm, first, nr))
			abort();
		for (int i = 0; i < 40 && !READ_ONCE(stop); i++)
			walk_and_use(driver, &told);
		hmm_range_unregister(&driver->range);
	}
	return NULL;
}

static void start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	if (pthread_create(thread, NULL, run, arg))
		abort();
}

static void stop_driver(struct driver *driver)
{
	pthread_join(driver->mirrors, NULL);
	pthread_join(driver->migrates, NULL);
	printf("# %lu uses, %lu stale pages; %lu walks failed, %lu came too late\n",
	       driver->used, driver->stale, driver->refused, driver->missed);
	EXPECT(driver->used);
	EXPECT(!driver->stale);
}

static void threads_see_nothing_stale(void)
{
	struct hmm_range first = { };
	pthread_t threads[2];

	mm = mm_alloc();
	/* All locks of the mm keep invalidations out, which nothing here does. */
	EXPECT(!register_pages(&first, mm, 0, 1));
	for (int i = 0; i < DRIVERS; i++)
		pthread_mutex_init(&drivers[i].lock, NULL);
	for (int i = 0; i < DRIVERS; i++) {
		start_thread(&drivers[i].mirrors, mirror, &drivers[i]);
		start_thread(&drivers[i].migrates, migrate, &drivers[i]);
	}
	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		start_thread(&threads[i], invalidate, (void *)i);
	sleep(RUN_SECONDS);
	WRITE_ONCE(stop, true);
	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < DRIVERS; i++)
		stop_driver(&drivers[i]);
	hmm_range_unregister(&first);
	mmput(mm);
}

/* One thread walks, another uses the result: nothing but validity orders them. */
#define HANDOVERS	2000

static struct hmm_range handed;
static unsigned long handed_array[16];
static unsigned int taken;

static void *take_over(void *unused)
{
	unsigned long wrong = 0;

	for (unsigned int n = 1; n <= HANDOVERS; n++) {
		while (!hmm_range_valid(&handed))
			sched_yield();
		for (unsigned int i = 0; i < ARRAY_SIZE(handed_array); i++)
			wrong += (handed_array[i] & ~HMM_PFN_FLAGS) != n;
		invalidate_pages(mm, 0, 1);
		/* Pairs with the acquire in the walking thread. */
		__atomic_store_n(&taken, n, __ATOMIC_RELEASE);
	}
	return (void *)wrong;
}

static void threads_see_what_another_has_walked(void)
{
	struct test_walk w = { .read = read_content };
	pthread_t thread;
	void *wrong;

	mm = mm_alloc();
	handed.hmm_pfns = handed_array;
	handed.default_flags = HMM_PFN_REQ_FAULT;
	EXPECT(!register_pages(&handed, mm, 0, ARRAY_SIZE(handed_array)));
	start_thread(&thread, take_over, NULL);
	for (unsigned int n = 1; n <= HANDOVERS; n++) {
		change(0, ARRAY_SIZE(handed_array));
		EXPECT(!walk_range(&w, &handed));
		while (__atomic_load_n(&taken, __ATOMIC_ACQUIRE) != n)
			sched_yield();
	}
	pthread_join(thread, &wrong);
	EXPECT(!wrong);
	hmm_range_unregister(&handed);
	mmput(mm);
}

/*
 * Interval notifiers. Each driver maps pages into a device, which may go on using
 * what is mapped until a callback zaps it: at any time, under the driver's lock, it
 * is what the page table says. Meanwhile one notifier takes the place of another.
 *
 * @pages: what the device has mapped of them
 * @nr_notifiers: how many there are, with those that are being removed
 */
struct device {
	pthread_mutex_t lock;
	struct {
		bool mapped;
		unsigned long content;
	} pages[PAGES];
	unsigned int random;
	unsigned long mapped, too_late, exchanged;
	int nr_notifiers;
	pthread_t thread;
};

/* On the heap, and gone when it is released. */
struct notifier {
	struct mmu_interval_notifier sub;
	struct device *device;
	unsigned long first, nr;
};

static struct device devices[DRIVERS];
static unsigned long nr_called, nr_refused;

static void expect_not_stale(const struct device *device, unsigned long first,
			     unsigned long nr)
{
	for (unsigned long page = first; page < first + nr; page++)
		EXPECT(!device->pages[page].mapped ||
		       device->pages[page].content == READ_ONCE(content[page]));
}

static bool zap(struct mmu_interval_notifier *sub,
		const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	struct notifier *notifier = container_of(sub, struct notifier, sub);
	struct device *device = notifier->device;
	unsigned long first = max(notifier->first,
				  (range->start - BASE) >> PAGE_SHIFT);
	unsigned long end = min(notifier->first + notifier->nr,
				(range->end - BASE) >> PAGE_SHIFT);

	if (cur_seq % 8 == 1)
		sched_yield();
	if (mmu_notifier_range_blockable(range))
		pthread_mutex_lock(&device->lock);
	else if (pthread_mutex_trylock(&device->lock))
		return false;
	mmu_interval_set_seq(sub, cur_seq);
	expect_not_stale(device, first, end - first);
	for (unsigned long page = first; page < end; page++)
		device->pages[page].mapped = false;
	pthread_mutex_unlock(&device->lock);
	__atomic_add_fetch(&nr_called, 1, __ATOMIC_RELAXED);
	return true;
}

static const struct mmu_interval_notifier_ops zap_ops = {
	.invalidate = zap,
};

static struct notifier *new_notifier(struct device *device,
				     unsigned long first, unsigned long nr)
{
	struct notifier *notifier = malloc(sizeof(*notifier));

	notifier->device = device;
	notifier->first = first;
	notifier->nr = nr;
	if (mmu_interval_notifier_insert(&notifier->sub, mm, ADDR(first),
					 nr * PAGE_SIZE, &zap_ops))
		abort();
	__atomic_add_fetch(&device->nr_notifiers, 1, __ATOMIC_RELAXED);
	return notifier;
}

static void free_notifier(struct mmu_interval_notifier *sub)
{
	struct notifier *notifier = container_of(sub, struct notifier, sub);
	struct device *device = notifier->device;

	memset(notifier, 0x5a, sizeof(*notifier));
	free(notifier);
	__atomic_sub_fetch(&device->nr_notifiers, 1, __ATOMIC_RELEASE);
}

static void remove_notifier(struct notifier *notifier, bool async)
{
	if (async) {
		mmu_interval_notifier_remove_async(&notifier->sub,
						   free_notifier);
	} else {
		mmu_interval_notifier_remove(&notifier->sub);
		free_notifier(&notifier->sub);
	}
}

static void map(struct device *device, struct notifier *notifier)
{
	const unsigned long first = notifier->first, nr = notifier->nr;
	unsigned long read[PAGES], seq;

	if (pick(&device->random, 2))
		seq = mmu_interval_read_begin(&notifier->sub);
	else if (mmu_interval_read_begin_timeout(&notifier->sub, 0, &seq))
		abort();
	for (unsigned long i = 0; i < nr; i++) {
		read[i] = READ_ONCE(content[first + i]);
		if (i == nr / 2)
			sched_yield();
	}
	pthread_mutex_lock(&device->lock);
	if (mmu_interval_read_retry(&notifier->sub, seq)) {
		device->too_late++;
	} else {
		device->mapped++;
		for (unsigned long i = 0; i < nr; i++) {
			device->pages[first + i].mapped = true;
			device->pages[first + i].content = read[i];
		}
	}
	expect_not_stale(device, first, nr);
	pthread_mutex_unlock(&device->lock);
}

static void unmap_all(struct device *device)
{
	pthread_mutex_lock(&device->lock);
	expect_not_stale(device, 0, PAGES);
	for (unsigned long page = 0; page < PAGES; page++)
		device->pages[page].mapped = false;
	pthread_mutex_unlock(&device->lock);
}

static void *use_device(void *arg)
{
	struct device *device = arg;

	device->random = test_seed + 200 + (device - devices);
	while (!READ_ONCE(stop)) {
		unsigned long first = pick(&device->random, PAGES);
		unsigned long nr = 1 + pick(&device->random,
					    min(PAGES - first, 80UL));
		struct notifier *notifier, *old;

		notifier = new_notifier(device, first, nr);
		for (int i = 0; i < 20 && !READ_ONCE(stop); i++) {
			map(device, notifier);
			/* What is mapped stays, and is the new one's. */
			old = notifier;
			notifier = new_notifier(device, first, nr);
			remove_notifier(old, pick(&device->random, 2));
			device->exchanged++;
			pthread_mutex_lock(&device->lock);
			expect_not_stale(device, first, nr);
			pthread_mutex_unlock(&device->lock);
		}
		unmap_all(device);
		remove_notifier(notifier, pick(&device->random, 2));
	}
	return NULL;
}

static void *invalidate_devices(void *seed)
{
	unsigned int state = test_seed + 300 + (unsigned long)seed;

	while (!READ_ONCE(stop)) {
		unsigned long first = pick(&state, PAGES);
		unsigned long nr = 1 + pick(&state, min(PAGES - first, 16UL));
		struct mmu_notifier_range range = {
			.mm = mm, .start = ADDR(first), .end = ADDR(first + nr),
		};

		if (pick(&state, 4)) {
			mmu_notifier_invalidate_range_start(&range);
		} else if (mmu_notifier_invalidate_range_start_nonblock(&range)) {
			__atomic_add_fetch(&nr_refused, 1, __ATOMIC_RELAXED);
			continue;
		}
		change(first, nr);
		end_pages(&range);
		usleep(pick(&state, 100));
	}
	return NULL;
}

/* More than the core keeps while it makes its calls, so that it takes turns. */
#define IDLE		20

static bool do_nothing(struct mmu_interval_notifier *sub,
		       const struct mmu_notifier_range *range,
		       unsigned long cur_seq)
{
	return true;
}

static const struct mmu_interval_notifier_ops idle_ops = {
	.invalidate = do_nothing,
};

static void exchange_notifiers(int nr_idle)
{
	struct mmu_interval_notifier idle[IDLE];
	pthread_t threads[3];

	/* Who is not woken any more is found out sooner than by the common limit. */
	alarm(60);
	mm = mm_alloc();
	/* As above: before the first invalidation. */
	EXPECT(!hmm_mm_track(mm));
	for (int i = 0; i < nr_idle; i++)
		EXPECT(!mmu_interval_notifier_insert(&idle[i], mm, ADDR(0),
						     PAGES * PAGE_SIZE,
						     &idle_ops));
	for (int i = 0; i < DRIVERS; i++) {
		pthread_mutex_init(&devices[i].lock, NULL);
		start_thread(&devices[i].thread, use_device, &devices[i]);
	}
	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		start_thread(&threads[i], invalidate_devices, (void *)i);
	sleep(RUN_SECONDS);
	WRITE_ONCE(stop, true);
	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < DRIVERS; i++) {
		struct device *device = &devices[i];

		pthread_join(device->thread, NULL);
		printf("# %lu times mapped, %lu too late; %lu exchanged\n",
		       device->mapped, device->too_late, device->exchanged);
		EXPECT(device->mapped);
		EXPECT(!__atomic_load_n(&device->nr_notifiers, __ATOMIC_ACQUIRE));
	}
	printf("# %lu calls, %lu refused\n", nr_called, nr_refused);
	EXPECT(nr_called);
	for (int i = 0; i < nr_idle; i++)
		mmu_interval_notifier_remove(&idle[i]);
	EXPECT(atomic_read(&mm->mm_count) == 1);
	mmput(mm);
}

static void threads_exchange_notifiers(void)
{
	exchange_notifiers(0);
}

static void threads_exchange_notifiers_beside_many(void)
{
	exchange_notifiers(IDLE);
}

#define TEST(name) { #name, name }

const struct test thread_tests[] = {
	TEST(threads_see_nothing_stale),
	TEST(threads_see_what_another_has_walked),
	TEST(threads_exchange_notifiers),
	TEST(threads_exchange_notifiers_beside_many),
	{ }
};
