// SPDX-License-Identifier: GPL-2.0
/*
 * What user space sees of the rules of GUP (get_user_pages.rst): special
 * entries that are pinned, populated, locked or waited at, a request for no
 * pages, and the core dump of a process whose memory is in a device.
 *
 * A mapping of the gup_test file holds special entries: a PMD where there is
 * room for one, else PTEs. The pages of its second PMD have no references, and
 * GUP complains if it looks at one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/elf.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <mm/gup_test.h>
#include <lib/test_hmm_uapi.h>
#include "kselftest_harness.h"
#include "vm_util.h"

#define GUP_TEST_FILE	"/sys/kernel/debug/gup_test"
#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"

/* Reserve address space, and return the first address of it that is aligned. */
static char *reserve(size_t size, size_t align)
{
	char *map = mmap(NULL, size + align, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	return (char *)(((uintptr_t)map + align - 1) & ~(align - 1));
}

static char *map_special(int fd, char *addr, size_t size, off_t offset)
{
	return mmap(addr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		    fd, offset);
}

FIXTURE(special)
{
	int fd;
	int pagemap;
	size_t page;
	size_t pmd;
	size_t size;		/* of the special mapping */
	char *map;		/* a page of memory lies in front of it */
};

FIXTURE_VARIANT(special)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(special, pte)
{
	.huge = false,
};

FIXTURE_VARIANT_ADD(special, pmd)
{
	.huge = true,
};

FIXTURE_SETUP(special)
{
	char *front;

	self->page = psize();
	self->pmd = read_pmd_pagesize();
	self->fd = open(GUP_TEST_FILE, O_RDWR);
	if (self->fd < 0)
		SKIP(return, "no %s: run as root, with CONFIG_GUP_TEST",
		     GUP_TEST_FILE);
	self->pagemap = open("/proc/self/pagemap", O_RDONLY);
	ASSERT_GE(self->pagemap, 0);

	/* One page short of a PMD has no room for one. */
	self->size = variant->huge ? self->pmd : self->pmd - self->page;
	front = reserve(3 * self->pmd, self->pmd);
	ASSERT_NE(front, NULL);
	self->map = front + self->pmd;
	ASSERT_EQ(map_special(self->fd, self->map, self->size, 0), self->map);
	front = mmap(self->map - self->page, self->page, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_NE(front, MAP_FAILED);
	memset(front, 1, self->page);
}

FIXTURE_TEARDOWN(special)
{
	close(self->pagemap);
	close(self->fd);
}

static int pin(int fd, char *addr, size_t size, unsigned int flags)
{
	struct pin_longterm_test args = {
		.addr = (uintptr_t)addr,
		.size = size,
		.flags = flags,
	};

	return ioctl(fd, PIN_LONGTERM_TEST_START, &args) ? -errno : 0;
}

static void expect_pin(struct __test_metadata *_metadata, int fd, char *addr,
		       size_t size, int want)
{
	static const unsigned int flags[] = {
		0,
		PIN_LONGTERM_TEST_FLAG_USE_WRITE,
		PIN_LONGTERM_TEST_FLAG_USE_FAST,
		PIN_LONGTERM_TEST_FLAG_USE_WRITE |
		PIN_LONGTERM_TEST_FLAG_USE_FAST,
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		EXPECT_EQ(pin(fd, addr, size, flags[i]), want)
			TH_LOG("flags %u", flags[i]);
		ioctl(fd, PIN_LONGTERM_TEST_STOP);
	}
}

TEST_F(special, pin)
{
	expect_pin(_metadata, self->fd, self->map, self->page, -EFAULT);
	expect_pin(_metadata, self->fd, self->map + self->page, self->page,
		   -EFAULT);
}

TEST_F(special, pin_across)
{
	char *front = self->map - self->page;

	expect_pin(_metadata, self->fd, front, self->page, 0);
	expect_pin(_metadata, self->fd, front, 2 * self->page, -EFAULT);
}

static bool all_present(int pagemap, char *addr, size_t size)
{
	for (size_t i = 0; i < size; i += psize())
		if (!PAGEMAP_PRESENT(pagemap_get_entry(pagemap, addr + i)))
			return false;
	return true;
}

TEST_F(special, populate_read)
{
	/* From the second page on, so that a PMD counts less than it maps */
	char *addr = self->map + self->page;
	size_t size = self->size - self->page;

	ASSERT_EQ(map_special(self->fd, self->map, self->size, self->pmd),
		  self->map);
	EXPECT_EQ(madvise(addr, size, MADV_POPULATE_READ), 0);
	EXPECT_TRUE(all_present(self->pagemap, addr, size));
}

TEST_F(special, populate_write)
{
	/* From the second page on, so that a PMD counts less than it maps */
	char *addr = self->map + self->page;
	size_t size = self->size - self->page;

	ASSERT_EQ(map_special(self->fd, self->map, self->size, self->pmd),
		  self->map);
	EXPECT_EQ(madvise(addr, size, MADV_POPULATE_WRITE), 0);
	EXPECT_TRUE(all_present(self->pagemap, addr, size));
	memset(addr, 2, size);
}

TEST_F(special, mlock)
{
	/* From the second page on, so that a PMD counts less than it maps */
	char *addr = self->map + self->page;
	size_t size = self->size - self->page;

	ASSERT_EQ(map_special(self->fd, self->map, self->size, self->pmd),
		  self->map);
	EXPECT_EQ(mlock(addr, size), 0);
	EXPECT_TRUE(all_present(self->pagemap, addr, size));
	EXPECT_EQ(munlock(addr, size), 0);
}

/* A shared futex is known by the page that it is in. */
TEST_F(special, futex)
{
	struct timespec timeout = { .tv_nsec = 1000000 };
	uint32_t *futex = (uint32_t *)(self->map + self->page);
	long ret;

	memset(self->map + self->page, 0, self->page);
	ret = syscall(SYS_futex, futex, FUTEX_WAIT, 0, &timeout, NULL, 0);
	EXPECT_EQ(ret, -1);
	EXPECT_EQ(errno, EFAULT);
}

TEST_F(special, process_vm_readv)
{
	char byte;
	struct iovec local = { .iov_base = &byte, .iov_len = 1 };
	struct iovec remote = { .iov_base = self->map + self->page,
				.iov_len = 1 };

	EXPECT_EQ(syscall(SYS_process_vm_readv, getpid(), &local, 1, &remote, 1,
			  0), -1);
	EXPECT_EQ(errno, EFAULT);
}

/* Core dumps */

FIXTURE(dump)
{
	char old_pattern[256];
	char pattern[64];		/* of the child's core, with its pid */
	char core[64];
};

FIXTURE_SETUP(dump)
{
	int fd = open("/dev/hmm_dmirror0", O_RDWR);

	if (fd < 0)
		SKIP(return, "no /dev/hmm_dmirror0: test_hmm is not there");
	close(fd);
	ASSERT_GT(read_file(CORE_PATTERN, self->old_pattern,
			    sizeof(self->old_pattern)), 0);
	strcpy(self->pattern, "/tmp/gup_special.%p");
	write_file(CORE_PATTERN, self->pattern, strlen(self->pattern) + 1);
}

FIXTURE_TEARDOWN(dump)
{
	write_file(CORE_PATTERN, self->old_pattern,
		   strlen(self->old_pattern) + 1);
	unlink(self->core);
}

struct device_memory {
	char *map;
	size_t size;
	int error;
};

static unsigned char byte_at(size_t i)
{
	return (i >> 12) + i * 7 + 1;
}

/* Memory in one huge page, which is moved to the device as it is */
static int fill_device_memory(struct device_memory *mem)
{
	const int fd = open("/dev/hmm_dmirror0", O_RDWR);
	struct hmm_dmirror_cmd cmd = {};
	unsigned char *prot;

	mem->size = read_pmd_pagesize();
	mem->map = reserve(2 * mem->size, mem->size);
	if (!mem->map ||
	    mprotect(mem->map, mem->size, PROT_READ | PROT_WRITE) ||
	    madvise(mem->map, mem->size, MADV_HUGEPAGE))
		return -errno;
	for (size_t i = 0; i < mem->size; i++)
		mem->map[i] = byte_at(i);

	cmd.addr = (uintptr_t)mem->map;
	cmd.ptr = (uintptr_t)malloc(mem->size);
	cmd.npages = mem->size / psize();
	if (ioctl(fd, HMM_DMIRROR_MIGRATE_TO_DEV, &cmd))
		return -errno;
	if (cmd.cpages != cmd.npages)
		return -EBUSY;
	prot = (unsigned char *)cmd.ptr;
	if (ioctl(fd, HMM_DMIRROR_SNAPSHOT, &cmd))
		return -errno;
	if (prot[0] != (HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL |
			HMM_DMIRROR_PROT_WRITE | HMM_DMIRROR_PROT_PMD))
		return -EDOM;
	return 0;
}

static void dump_core(struct device_memory *mem)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	mem->error = fill_device_memory(mem);
	if (mem->error)
		_exit(1);
	setrlimit(RLIMIT_CORE, &unlimited);
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* Read what the core file has for an address. */
static bool read_core(int fd, uintptr_t addr, unsigned char *buf, size_t size)
{
	struct elf64_hdr ehdr;
	struct elf64_phdr phdr;

	if (pread(fd, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr))
		return false;
	for (int i = 0; i < ehdr.e_phnum; i++) {
		if (pread(fd, &phdr, sizeof(phdr),
			  ehdr.e_phoff + i * sizeof(phdr)) != sizeof(phdr))
			return false;
		if (phdr.p_type != PT_LOAD || addr < phdr.p_vaddr ||
		    addr + size > phdr.p_vaddr + phdr.p_filesz)
			continue;
		return pread(fd, buf, size, phdr.p_offset + addr -
			     phdr.p_vaddr) == (ssize_t)size;
	}
	return false;
}

TEST_F(dump, device_thp)
{
	struct device_memory *mem;
	unsigned char *buf;
	int status, fd;
	size_t wrong = 0;
	pid_t pid;

	mem = mmap(NULL, sizeof(*mem), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(mem, MAP_FAILED);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		dump_core(mem);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT_EQ(mem->error, 0);
	ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status));

	snprintf(self->core, sizeof(self->core), "/tmp/gup_special.%d", pid);
	fd = open(self->core, O_RDONLY);
	ASSERT_GE(fd, 0);
	buf = malloc(mem->size);
	ASSERT_NE(buf, NULL);
	ASSERT_TRUE(read_core(fd, (uintptr_t)mem->map, buf, mem->size));
	for (size_t i = 0; i < mem->size; i++)
		wrong += buf[i] != byte_at(i);
	EXPECT_EQ(wrong, 0);
	close(fd);
}

/*
 * gup_test asks for the pages of a range that holds none, with an array for as
 * many. The last test: a kernel that stores a page there does not survive it.
 */
FIXTURE(last) { };
FIXTURE_SETUP(last) { }
FIXTURE_TEARDOWN(last) { }

TEST_F(last, no_pages)
{
	static const unsigned long cmds[] = {
		GUP_BASIC_TEST, PIN_BASIC_TEST,
		GUP_FAST_BENCHMARK, PIN_FAST_BENCHMARK,
	};
	char *page = mmap(NULL, psize(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const int fd = open(GUP_TEST_FILE, O_RDWR);

	ASSERT_NE(page, MAP_FAILED);
	memset(page, 1, psize());
	if (fd < 0)
		SKIP(return, "no %s", GUP_TEST_FILE);
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		struct gup_test args = {
			.addr = (uintptr_t)page,
			.size = 100,
			.nr_pages_per_call = 1,
			.gup_flags = 1,		/* FOLL_WRITE */
		};

		EXPECT_EQ(ioctl(fd, cmds[i], &args), 0);
		EXPECT_EQ(args.size, 0);
	}
	close(fd);
}

TEST_HARNESS_MAIN
