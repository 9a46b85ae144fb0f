// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests tracked ranges over memory of a device that goes away while they are
 * registered and being walked: they are marked, and no later walk returns its
 * pages.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>

#include <lib/test_hmm_uapi.h>
#include "hmm_range_test.h"

/*
 * That of the other test device: lib/test_hmm.c.
 */

FIXTURE(devmem) {
	int		fd;
	int		dmirror;
	int		id;
	size_t		size;
	size_t		page;
	char		*map;
};

FIXTURE_VARIANT(devmem) {
	const char	*path;
	bool		visible;
	struct form	form;
};

#define PRIVATE		.path = "/dev/hmm_dmirror0"
/* The CPU maps it, and so do our entries show it. */
#define COHERENT	.path = "/dev/hmm_dmirror2", .visible = true

FIXTURE_VARIANT_ADD(devmem, private) { PRIVATE, .form = FORM_PLAIN };
FIXTURE_VARIANT_ADD(devmem, private_interval) { PRIVATE, .form = FORM_INTERVAL };
FIXTURE_VARIANT_ADD(devmem, private_ops) { PRIVATE, .form = FORM_OPS };
FIXTURE_VARIANT_ADD(devmem, coherent) { COHERENT, .form = FORM_PLAIN };
FIXTURE_VARIANT_ADD(devmem, coherent_interval) { COHERENT, .form = FORM_INTERVAL };
FIXTURE_VARIANT_ADD(devmem, coherent_two_pass) { COHERENT, .form = FORM_TWO_PASS };

FIXTURE_SETUP(devmem)
{
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	self->dmirror = open(variant->path, O_RDWR);
	if (self->dmirror < 0)
		SKIP(return, "no %s", variant->path);
	ASSERT_EQ(0, dev_config(self->fd, variant->form.notifier, false));
	self->page = sysconf(_SC_PAGESIZE);
	self->size = NR_PAGES * self->page;
	self->map = map_pages(self->size);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, madvise(self->map, self->size, MADV_NOHUGEPAGE));
	memset(self->map, 0x5a, self->size);
	self->id = dev_register(self->fd, self->map, self->size, 0);
	ASSERT_LT(0, self->id);
}

FIXTURE_TEARDOWN(devmem)
{
	if (self->dmirror >= 0)
		close(self->dmirror);
	if (self->fd >= 0)
		close(self->fd);
}

static int migrate_to_device(int dmirror, char *map, size_t nr, void *data)
{
	struct hmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)map,
		.ptr = (uintptr_t)data,
		.npages = nr,
	};

	return dev_call(dmirror, HMM_DMIRROR_MIGRATE_TO_DEV, &cmd);
}

static int release_device_memory(int dmirror)
{
	struct hmm_dmirror_cmd cmd = { .npages = 1 };

	return dev_call(dmirror, HMM_DMIRROR_RELEASE, &cmd);
}

struct walker {
	int		fd;
	int		id;
	atomic_bool	stop;
	atomic_int	err;
	atomic_ulong	walks;
};

static void *walker_thread(void *data)
{
	struct walker *walker = data;
	int err;

	while (!walker->stop) {
		err = dev_snapshot(walker->fd, walker->id);
		if (err && err != -EBUSY)
			walker->err = err;
		walker->walks++;
	}
	return NULL;
}

/* Let it walk some more. */
static void await_walks(struct walker *walker)
{
	unsigned long end = walker->walks + 10;

	while (walker->walks < end)
		sched_yield();
}

TEST_F(devmem, goes_away_while_walked)
{
	struct hmm_range_dev_entry before[NR_PAGES], after[NR_PAGES];
	struct walker walker = { .fd = self->fd };
	char *data = map_pages(self->size);
	pthread_t thread;
	unsigned int i, j;

	walker.id = dev_register(self->fd, self->map, self->size, 0);
	ASSERT_LT(0, walker.id);
	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, dev_snapshot(self->fd, self->id));
	ASSERT_EQ(0, migrate_to_device(self->dmirror, self->map, NR_PAGES, data));
	/* The pages moved, so what was walked before is not valid now. */
	EXPECT_EQ(0, dev_valid(self->fd, self->id));
	ASSERT_EQ(0, dev_snapshot(self->fd, self->id));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, NR_PAGES, before));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(variant->visible, !!(before[i].flags & HMM_RANGE_DEV_VALID)) {
			TH_LOG("page %u: flags %#x", i, before[i].flags);
		}
	}
	EXPECT_EQ(1, dev_valid(self->fd, self->id));

	ASSERT_EQ(0, pthread_create(&thread, NULL, walker_thread, &walker));
	await_walks(&walker);
	ASSERT_EQ(0, release_device_memory(self->dmirror));
	await_walks(&walker);
	walker.stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, walker.err);

	EXPECT_EQ(0, dev_valid(self->fd, self->id));
	ASSERT_EQ(0, dev_fault(self->fd, self->id));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, NR_PAGES, after));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_NE(0, after[i].flags & HMM_RANGE_DEV_VALID);
		for (j = 0; variant->visible && j < NR_PAGES; j++) {
			EXPECT_NE(before[j].pfn, after[i].pfn) {
				TH_LOG("pages %u, %u", j, i);
			}
		}
		EXPECT_EQ(0x5a, self->map[i * self->page]);
	}
	ASSERT_EQ(0, dev_unregister(self->fd, walker.id));
}

/* A fault of foreign device memory brings it back. */
TEST_F(devmem, fault_brings_back)
{
	struct hmm_range_dev_entry entries[NR_PAGES];
	char *data = map_pages(self->size);
	unsigned int i;

	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, migrate_to_device(self->dmirror, self->map, NR_PAGES, data));
	ASSERT_EQ(0, dev_mirror_how(self->fd, self->id, variant->form.how,
				    HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE,
				    SOON_MS));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, NR_PAGES, entries));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE,
			  entries[i].flags);
	}
	memset(data, 0, self->size);
	ASSERT_EQ(0, dev_copy(self->fd, self->id, HMM_RANGE_DEV_TABLE,
			      self->map, NR_PAGES, data, self->page));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(0x5a, data[i * self->page]) {
			TH_LOG("page %u", i);
		}
	}
}

/*
 * Persistent memory that a process maps directly, and that is taken from its
 * driver. Boot with memmap=64M!<address> to have some.
 */

#define ND	"/sys/bus/nd/"

FIXTURE(pmem) {
	int		fd;
	int		dax;
	int		id;
	size_t		page;
	size_t		size;
	char		*map;
	/* Its name on the bus. */
	char		name[32];
};

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t length = strlen(text);
	bool done = fd >= 0 && write(fd, text, length) == length;

	close(fd);
	return done;
}

static bool put_attribute(const char *device, const char *attribute,
			  const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), ND "devices/%s/%s", device, attribute);
	return put(path, text);
}

/* Make a device of the memory that can be mapped, unless there is one. */
static bool make_dax(char *name, size_t size)
{
	ssize_t length = -1;
	int fd;

	fd = open(ND "devices/region0/dax_seed", O_RDONLY);
	if (fd >= 0)
		length = read(fd, name, size - 1);
	close(fd);
	if (length <= 1)
		return false;
	name[length - 1] = '\0';
	put(ND "drivers/nd_pmem/unbind", "namespace0.0");
	return put_attribute(name, "uuid", "2f1c6e0a-5b0e-4d6c-9f7c-48a4d2f6b001") &&
	       put_attribute(name, "mode", "ram") &&
	       put_attribute(name, "align", "2097152") &&
	       put_attribute(name, "namespace", "namespace0.0") &&
	       put(ND "drivers/dax_pmem/bind", name);
}

FIXTURE_SETUP(pmem)
{
	self->dax = -1;
	self->size = 2UL << 20;
	self->page = sysconf(_SC_PAGESIZE);
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	/* The memory can be set up once a boot: the form with most passes. */
	ASSERT_EQ(0, dev_config(self->fd, HMM_RANGE_DEV_NOTIFIER_TWO_PASS, false));
	if (access(ND "devices/namespace0.0", F_OK))
		SKIP(return, "no persistent memory");
	ASSERT_TRUE(make_dax(self->name, sizeof(self->name)));
	self->dax = open("/dev/dax0.0", O_RDWR);
	ASSERT_LE(0, self->dax);

	self->map = mmap(NULL, 2 * self->size, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->map += -(uintptr_t)self->map & (self->size - 1);
	ASSERT_EQ(self->map, mmap(self->map, self->size, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_FIXED, self->dax, 0));
	memset(self->map, 0x3c, self->size);
	self->id = dev_register(self->fd, self->map, self->size, 0);
	ASSERT_LT(0, self->id);
}

FIXTURE_TEARDOWN(pmem)
{
	if (self->dax >= 0) {
		munmap(self->map, self->size);
		close(self->dax);
		put(ND "drivers/dax_pmem/unbind", self->name);
		put_attribute(self->name, "namespace", "");
	}
	if (self->fd >= 0)
		close(self->fd);
}

TEST_F(pmem, goes_away_while_walked)
{
	struct hmm_range_dev_entry before[NR_PAGES], after[NR_PAGES];
	struct walker walker = { .fd = self->fd };
	pthread_t thread;
	unsigned int i;
	char byte;

	walker.id = dev_register(self->fd, self->map, self->size, 0);
	ASSERT_LT(0, walker.id);
	ASSERT_EQ(0, dev_mirror(self->fd, self->id, HMM_RANGE_DEV_VALID |
				HMM_RANGE_DEV_WRITE, SOON_MS));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, NR_PAGES, before));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(HMM_RANGE_DEV_VALID | HMM_RANGE_DEV_WRITE,
			  before[i].flags);
		EXPECT_EQ(__builtin_ctzl(self->size / self->page),
			  before[i].order);
		EXPECT_EQ(before[0].pfn + i, before[i].pfn);
	}
	ASSERT_EQ(0, dev_copy(self->fd, self->id, HMM_RANGE_DEV_TABLE,
			      self->map, 1, &byte, 1));
	EXPECT_EQ(0x3c, byte);

	ASSERT_EQ(0, pthread_create(&thread, NULL, walker_thread, &walker));
	await_walks(&walker);
	ASSERT_TRUE(put(ND "drivers/dax_pmem/unbind", self->name));
	await_walks(&walker);
	walker.stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, walker.err);

	EXPECT_EQ(0, dev_valid(self->fd, self->id));
	EXPECT_EQ(-EBUSY, dev_copy(self->fd, self->id, HMM_RANGE_DEV_TABLE,
				   self->map, 1, &byte, 1));
	ASSERT_EQ(0, dev_snapshot(self->fd, self->id));
	ASSERT_EQ(0, dev_read(self->fd, self->id, self->map, NR_PAGES, after));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(0, after[i].flags);
		EXPECT_EQ(0, after[i].pfn);
	}
	EXPECT_EQ(-EFAULT, dev_fault(self->fd, self->id));
}

TEST_HARNESS_MAIN
