// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests the sample driver for tracked ranges (samples/hmm/hmm_sample.c): what
 * the device reads is what the process holds, while its memory changes, while
 * files are opened and closed, and after the process is gone.
 *
 * What fails if nothing is done in a part of the driver:
 *
 *	mirror_unmap()		reads_what_has_changed, outlives_the_process and
 *				refuses_what_the_process_cannot_read
 *	mirror_invalidate()	outlives_the_process, if nothing is done at
 *				MMU_NOTIFY_RELEASE
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "hmm_range_test.h"

/* More than the page table of the device holds. */
#define MANY_PAGES	150
#define STRESS_MS	1000

FIXTURE(sample)
{
	int	fd;
	size_t	page;
	char	*map;
};

FIXTURE_SETUP(sample)
{
	self->fd = open("/dev/hmm_sample", O_RDONLY | O_CLOEXEC);
	if (self->fd < 0)
		SKIP(return, "no /dev/hmm_sample: CONFIG_SAMPLE_HMM is off, or not root");
	self->page = sysconf(_SC_PAGESIZE);
	self->map = map_pages(MANY_PAGES * self->page);
	ASSERT_NE(NULL, self->map);
}

FIXTURE_TEARDOWN(sample)
{
	munmap(self->map, MANY_PAGES * self->page);
	close(self->fd);
}

/* What the device reads at @addr: a byte, or -errno. */
static int device_byte(int fd, const void *addr)
{
	unsigned char byte;

	if (pread(fd, &byte, 1, (off_t)(unsigned long)addr) == 1)
		return byte;
	return -errno;
}

TEST_F(sample, reads_all_pages)
{
	size_t size = MANY_PAGES * self->page, done = 0;
	char *copy = malloc(size);
	ssize_t n;

	ASSERT_NE(NULL, copy);
	for (size_t i = 0; i < size; i++)
		self->map[i] = i % 251;
	while (done < size) {
		n = pread(self->fd, copy + done, size - done,
			  (off_t)(unsigned long)self->map + done);
		ASSERT_GT(n, 0);
		done += n;
	}
	EXPECT_EQ(0, memcmp(copy, self->map, size));
	EXPECT_EQ(0, pread(self->fd, copy, 0, (off_t)(unsigned long)self->map));
	free(copy);
}

TEST_F(sample, reads_what_has_changed)
{
	char *map = self->map, *moved;
	int status;
	pid_t pid;

	map[5] = 1;
	EXPECT_EQ(1, device_byte(self->fd, map + 5));
	map[5] = 2;
	EXPECT_EQ(2, device_byte(self->fd, map + 5));

	ASSERT_TRUE(do_dontneed(map, self->page));
	EXPECT_EQ(0, device_byte(self->fd, map + 5));
	map[5] = 3;
	EXPECT_EQ(3, device_byte(self->fd, map + 5));

	/* The child keeps the page, so that the parent's write copies it. */
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	ASSERT_GT(pid, 0);
	map[5] = 4;
	EXPECT_EQ(4, device_byte(self->fd, map + 5));
	kill(pid, SIGKILL);
	ASSERT_TRUE(reap_soon(pid, &status));

	moved = mremap(map, self->page, self->page,
		       MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	ASSERT_NE(MAP_FAILED, moved);
	EXPECT_EQ(4, device_byte(self->fd, moved + 5));
	EXPECT_EQ(0, device_byte(self->fd, map + 5));
	munmap(moved, self->page);
	EXPECT_EQ(-EFAULT, device_byte(self->fd, moved + 5));
}

TEST_F(sample, refuses_what_the_process_cannot_read)
{
	EXPECT_EQ(0, device_byte(self->fd, self->map));
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_NONE));
	EXPECT_EQ(-EFAULT, device_byte(self->fd, self->map));
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ));
	EXPECT_EQ(0, device_byte(self->fd, self->map));
	EXPECT_EQ(-EFAULT, device_byte(self->fd, NULL));
	EXPECT_EQ(-1, pread(self->fd, self->map + self->page, 1, -1));
}

/* A thread that replaces a page and says what it has written to the new one. */
struct writer {
	atomic_uint	*page;
	size_t		size;
	atomic_uint	written;
	atomic_bool	stop;
};

static void *writer_run(void *arg)
{
	struct writer *writer = arg;
	unsigned int value = 0;

	while (!atomic_load(&writer->stop)) {
		do_dontneed((char *)writer->page, writer->size);
		atomic_store(writer->page, ++value);
		atomic_store(&writer->written, value);
	}
	return NULL;
}

/* Between its two steps the writer has a page of zeroes. */
TEST_F(sample, never_reads_an_old_page)
{
	struct writer writer = {
		.page = (atomic_uint *)self->map,
		.size = self->page,
	};
	unsigned long end = now_ms() + STRESS_MS;
	unsigned int before, value, reads = 0;
	pthread_t thread;
	ssize_t n;

	ASSERT_EQ(0, pthread_create(&thread, NULL, writer_run, &writer));
	while (now_ms() < end) {
		before = atomic_load(&writer.written);
		n = pread(self->fd, &value, sizeof(value),
			  (off_t)(unsigned long)self->map);
		/* It may give up on a page that is replaced all the time. */
		if (n < 0 && errno == EBUSY)
			continue;
		if (n != sizeof(value) || (value && value < before)) {
			TH_LOG("read %u after %u: %zd", value, before, n);
			EXPECT_TRUE(false);
			break;
		}
		reads++;
	}
	atomic_store(&writer.stop, true);
	EXPECT_TRUE(join_soon(thread));
	EXPECT_GT(reads, 0);
}

TEST_F(sample, opens_and_closes)
{
	struct writer writer = {
		.page = (atomic_uint *)self->map,
		.size = self->page,
	};
	unsigned long end = now_ms() + STRESS_MS;
	pthread_t thread;
	int fd;

	ASSERT_EQ(0, pthread_create(&thread, NULL, writer_run, &writer));
	while (now_ms() < end) {
		fd = open("/dev/hmm_sample", O_RDONLY);
		EXPECT_GE(fd, 0);
		if (fd < 0)
			break;
		device_byte(fd, self->map);
		EXPECT_EQ(0, close(fd));
	}
	atomic_store(&writer.stop, true);
	EXPECT_TRUE(join_soon(thread));
}

/* Says what the device reads of its opener, before and after that has died. */
static void run_heir(int fd, const char *map, int pipe_fd)
{
	int report[2];

	report[0] = device_byte(fd, map);
	kill(getppid(), SIGKILL);
	/* Its mm goes before it has a new parent. */
	while (getppid() != 1)
		usleep(1000);
	report[1] = device_byte(fd, map);
	close(fd);
	if (write(pipe_fd, report, sizeof(report)) != sizeof(report))
		_exit(1);
	_exit(0);
}

TEST_F(sample, outlives_the_process)
{
	int pipe_fds[2], report[2], fd, status;
	pid_t pid;

	self->map[0] = 7;
	ASSERT_EQ(0, pipe(pipe_fds));
	pid = fork();
	if (!pid) {
		fd = open("/dev/hmm_sample", O_RDONLY);
		if (!fork())
			run_heir(fd, self->map, pipe_fds[1]);
		pause();
	}
	ASSERT_GT(pid, 0);
	close(pipe_fds[1]);
	ASSERT_TRUE(reap_soon(pid, &status));
	ASSERT_EQ((ssize_t)sizeof(report),
		  read(pipe_fds[0], report, sizeof(report)));
	EXPECT_EQ(7, report[0]);
	EXPECT_EQ(-EFAULT, report[1]);
	close(pipe_fds[0]);
}

TEST_HARNESS_MAIN
