// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests what becomes of tracked ranges (mm/hmm_range.c) when the process that
 * they mirror exits, is killed or goes on with another address space, and when
 * the file that they belong to is closed or inherited.
 *
 * What fails if a part is taken out of mm/hmm_range.c or mm/mmu_notifier.c:
 *
 *	the unwind on -EAGAIN		process_mrelease_is_taken_back
 *	the killable wait		wait_ends_with_a_fatal_signal
 *	the mark of a dying mm		wait_ends_with_the_mm, exit_of_... and
 *					exec_of_the_mirrored_process
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>

#include "hmm_range_fixture.h"

static const char pause_option[] = "--pause";

/* A child that mirrors a page of itself. @fd is its file, in our hands. */
struct other {
	pid_t	pid;
	int	fd;
	int	id;
	int	go;
	char	*map;
	size_t	page;
};

struct hello {
	int	fd;
	int	id;
	void	*map;
};

/* The child: says hello and does what it is told by one letter. */
static void run_other(int hello_pipe, int go_pipe, struct form form)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct hello hello = { .map = map_pages(2 * page) };
	char go;

	hello.fd = dev_open();
	if (hello.fd >= 0 && !dev_config(hello.fd, form.notifier, false))
		hello.id = dev_register(hello.fd, hello.map, page, 0);
	if (write(hello_pipe, &hello, sizeof(hello)) != sizeof(hello))
		_exit(1);
	if (read(go_pipe, &go, 1) != 1)
		_exit(0);
	if (go == 'e')
		execl("/proc/self/exe", "hmm_range", pause_option, NULL);
	if (go == 'w')
		dev_wait(hello.fd, hello.id, HMM_RANGE_DEV_MAX_MS);
	if (go == 'c')
		dev_mirror_how(hello.fd, hello.id, HMM_RANGE_DEV_FAULT_COMMIT,
			       HMM_RANGE_DEV_VALID, 0);
	_exit(1);
}

static bool start_other(struct other *other, struct form form)
{
	struct hello hello;
	int in[2], out[2], pidfd;

	if (pipe(in) || pipe(out))
		return false;
	other->page = sysconf(_SC_PAGESIZE);
	other->pid = fork();
	if (!other->pid) {
		close(in[0]);
		close(out[1]);
		run_other(in[1], out[0], form);
	}
	close(in[1]);
	close(out[0]);
	other->go = out[1];
	if (other->pid < 0 ||
	    read(in[0], &hello, sizeof(hello)) != sizeof(hello) ||
	    hello.fd < 0 || hello.id <= 0)
		return false;
	close(in[0]);
	other->id = hello.id;
	other->map = hello.map;
	pidfd = syscall(SYS_pidfd_open, other->pid, 0);
	other->fd = syscall(SYS_pidfd_getfd, pidfd, hello.fd, 0);
	close(pidfd);
	return other->fd >= 0;
}

/* All that is left of a range whose address space is gone. */
static void expect_dead(struct __test_metadata *_metadata,
			const struct other *other)
{
	struct hmm_range_dev_entry entry;
	unsigned int how;

	EXPECT_EQ(0, dev_valid(other->fd, other->id));
	EXPECT_EQ(0, dev_wait(other->fd, other->id, 0));
	EXPECT_EQ(0, dev_wait(other->fd, other->id, 1000));
	EXPECT_EQ(-EFAULT, dev_begin(other->fd, other->id));
	for (how = HMM_RANGE_DEV_SNAPSHOT; how <= HMM_RANGE_DEV_FAULT_UNLOCKED; how++) {
		EXPECT_EQ(-EFAULT, dev_walk(other->fd, other->id, how,
					    HMM_RANGE_DEV_VALID));
	}
	EXPECT_EQ(-EFAULT, dev_mirror(other->fd, other->id,
				      HMM_RANGE_DEV_VALID, 1000));
	EXPECT_EQ(-EFAULT, dev_mirror_how(other->fd, other->id,
					  HMM_RANGE_DEV_FAULT_COMMIT,
					  HMM_RANGE_DEV_VALID, 1000));
	/* The device's entries are gone as well. */
	EXPECT_EQ(0, dev_read(other->fd, other->id, other->map, 1, &entry));
	EXPECT_EQ(-EFAULT, dev_register(other->fd, other->map, other->page, 0));
	EXPECT_EQ(-EFAULT, dev_register(other->fd, other->map, other->page,
					HMM_RANGE_DEV_LOCKED));
	EXPECT_EQ(-EFAULT, dev_hold(other->fd, other->map, other->page));
	EXPECT_EQ(0, dev_unregister(other->fd, other->id));
	EXPECT_EQ(0, dev_stat(other->fd, HMM_RANGE_DEV_STAT_UNMARKED));
	EXPECT_EQ(0, dev_stat(other->fd, HMM_RANGE_DEV_STAT_STRAY));
	EXPECT_EQ(0, close(other->fd));
}

TEST_F(range, exit_of_the_mirrored_process)
{
	char byte[16];
	struct other other;
	int status;

	ASSERT_TRUE(start_other(&other, variant->form));
	ASSERT_EQ(0, dev_mirror_how(other.fd, other.id, self->how,
				    HMM_RANGE_DEV_VALID, SOON_MS));
	ASSERT_EQ(1, dev_valid(other.fd, other.id));
	ASSERT_EQ(0, dev_copy(other.fd, other.id, HMM_RANGE_DEV_TABLE, other.map,
			      1, byte, sizeof(byte)));
	ASSERT_EQ(0, kill(other.pid, SIGKILL));
	ASSERT_EQ(other.pid, waitpid(other.pid, &status, 0));
	EXPECT_EQ(-EBUSY, dev_copy(other.fd, other.id, HMM_RANGE_DEV_TABLE,
				   other.map, 1, byte, sizeof(byte)));
	/* By the one callback that is for this. */
	EXPECT_EQ(1, dev_stat(other.fd, HMM_RANGE_DEV_STAT_EVENTS +
			      NOTIFY_RELEASE));
	EXPECT_EQ(1, dev_stat(other.fd, HMM_RANGE_DEV_STAT_TORN_DOWN));
	expect_dead(_metadata, &other);
}

TEST_F(range, exec_of_the_mirrored_process)
{
	unsigned long end = now_ms() + SOON_MS;
	struct other other;

	ASSERT_TRUE(start_other(&other, variant->form));
	ASSERT_EQ(0, dev_mirror_how(other.fd, other.id, self->how,
				    HMM_RANGE_DEV_VALID, SOON_MS));
	ASSERT_EQ(1, write(other.go, "e", 1));
	/* Its new address space is not the one that the file mirrors. */
	while (dev_begin(other.fd, other.id) != -EFAULT && now_ms() < end)
		usleep(1000);
	EXPECT_EQ(0, kill(other.pid, 0));
	expect_dead(_metadata, &other);
	kill(other.pid, SIGKILL);
	waitpid(other.pid, NULL, 0);
}

/*
 * A process waits for an invalidation that goes on. When it is killed, it gets
 * out of there, and lets go of its address space before the invalidation ends.
 */
static void expect_killed(struct __test_metadata *_metadata, struct form form,
			  const char *what)
{
	struct other other;
	unsigned long end;
	int status, id;

	ASSERT_TRUE(start_other(&other, form));
	/* One that nobody else uses: the calls on one range take turns. */
	id = dev_register(other.fd, other.map, other.page, 0);
	ASSERT_LT(0, id);
	ASSERT_LT(0, dev_hold(other.fd, other.map, other.page));
	ASSERT_EQ(1, write(other.go, what, 1));
	usleep(100000);
	EXPECT_EQ(-EBUSY, dev_begin(other.fd, id));
	ASSERT_EQ(0, kill(other.pid, SIGKILL));
	end = now_ms() + SOON_MS;
	while (dev_begin(other.fd, id) != -EFAULT && now_ms() < end)
		usleep(1000);
	EXPECT_EQ(-EFAULT, dev_begin(other.fd, id)) {
		TH_LOG("the wait goes on although the process is killed");
	}
	ASSERT_EQ(0, dev_release(other.fd, 0));
	ASSERT_TRUE(reap_soon(other.pid, &status));
	close(other.fd);
}

TEST_F(range, wait_ends_with_a_fatal_signal)
{
	expect_killed(_metadata, variant->form, "w");
}

/* It has no limit in time. */
TEST_F(range, commit_ends_with_a_fatal_signal)
{
	expect_killed(_metadata, variant->form, "c");
}

/* An invalidation is in flight when the process dies, and somebody waits. */
TEST_F(range, wait_ends_with_the_mm)
{
	struct wait_args args = { .ms = HMM_RANGE_DEV_MAX_MS, .result = -1 };
	struct other other;
	pthread_t thread;
	int status;

	ASSERT_TRUE(start_other(&other, variant->form));
	ASSERT_LT(0, dev_hold(other.fd, other.map, other.page));
	args.fd = other.fd;
	args.id = other.id;
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_thread, &args));
	usleep(100000);
	EXPECT_EQ(-1, args.result);
	ASSERT_EQ(0, kill(other.pid, SIGKILL));
	ASSERT_TRUE(join_soon(thread)) {
		TH_LOG("the wait goes on although the mm is dying");
	}
	EXPECT_EQ(0, args.result);
	EXPECT_EQ(-EFAULT, dev_begin(other.fd, other.id));
	/* It cannot be torn down entirely before the invalidation is over. */
	ASSERT_EQ(0, dev_release(other.fd, 0));
	ASSERT_TRUE(reap_soon(other.pid, &status));
	expect_dead(_metadata, &other);
}

/* An inherited file mirrors the parent, not the child that uses it. */
TEST_F(range, fork_keeps_the_parent)
{
	int id = dev_register(self->fd, self->map, self->size, 0);
	int status;
	char byte;
	pid_t pid;

	ASSERT_LT(0, id);
	memset(self->map, 'p', self->size);
	pid = fork();
	if (!pid) {
		memset(self->map, 'c', self->size);
		if (mirror(self, id, HMM_RANGE_DEV_VALID, SOON_MS) ||
		    dev_copy(self->fd, id, HMM_RANGE_DEV_TABLE, self->map, 1,
			     &byte, 1))
			_exit(1);
		_exit(byte == 'p' ? 0 : 2);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* The child closed it, the parent still has it. */
	EXPECT_EQ(0, mirror(self, id, HMM_RANGE_DEV_VALID, SOON_MS));
}

TEST_F(range, close_with_ranges_and_invalidations)
{
	int fd = dev_open();
	unsigned long start;
	int i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dev_config(fd, variant->form.notifier, false));
	for (i = 0; i < 100; i++) {
		ASSERT_LT(0, dev_register(fd, self->map, self->size, 0)) {
			TH_LOG("range %d", i);
		}
	}
	ASSERT_LT(0, dev_register(fd, self->map, self->size,
				  HMM_RANGE_DEV_LEGACY));
	ASSERT_LT(0, dev_hold(fd, self->map, self->size));
	start = now_ms();
	ASSERT_EQ(0, close(fd));
	/* The mmap lock can be had again. */
	ASSERT_TRUE(do_protect(self->map, self->page));
	EXPECT_GT(SOON_MS, now_ms() - start);
}

/*
 * process_mrelease() of a process that cannot die yet: its invalidations must
 * not block. A callback refuses them, after those of interval notifiers ran.
 */

struct victim {
	int		fd;
	char		*map;
	size_t		page;
};

static void *hold_thread(void *data)
{
	struct victim *victim = data;
	struct hmm_range_dev_hold args = {
		.start = (uintptr_t)victim->map + victim->page,
		.end = (uintptr_t)victim->map + 2 * victim->page,
		.event = NOTIFY_CLEAR,
		.flags = HMM_RANGE_DEV_HOLD_SYNC | HMM_RANGE_DEV_HOLD_UNKILLABLE,
		.timeout_ms = HMM_RANGE_DEV_MAX_MS,
	};

	dev_call(victim->fd, HMM_RANGE_IOC_HOLD, &args);
	return NULL;
}

static void run_victim(int hello_pipe, struct form form)
{
	struct victim victim = { .page = sysconf(_SC_PAGESIZE) };
	struct hello hello = {};
	pthread_t thread;
	int legacy;

	victim.map = map_pages(2 * victim.page);
	memset(victim.map, 1, 2 * victim.page);
	victim.fd = dev_open();
	if (victim.fd < 0 || dev_config(victim.fd, form.notifier, true))
		_exit(1);
	/* The test knows that the ids are 1 and 2. */
	hello.id = dev_register(victim.fd, victim.map, victim.page, 0);
	legacy = dev_register(victim.fd, victim.map, victim.page,
			      HMM_RANGE_DEV_LEGACY);
	if (hello.id != 1 || legacy != 2 ||
	    pthread_create(&thread, NULL, hold_thread, &victim))
		_exit(2);
	hello.fd = victim.fd;
	hello.map = victim.map;
	if (write(hello_pipe, &hello, sizeof(hello)) != sizeof(hello))
		_exit(3);
	for (;;)
		pause();
}

/* Is the victim's thread inside its invalidation yet? */
static bool wait_for_hold(int fd, char *map, size_t page)
{
	unsigned long end = now_ms() + SOON_MS;
	int id = dev_register(fd, map + page, page, 0);

	while (dev_wait(fd, id, 0) == 1 && now_ms() < end)
		usleep(1000);
	return dev_wait(fd, id, 0) == 0;
}

TEST_F(range, process_mrelease_is_taken_back)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct hello hello;
	int in[2], pidfd, fd, ret, status;
	struct wait_args legacy = { .id = 2, .result = -1 };
	pthread_t thread;
	pid_t pid;

	ASSERT_EQ(0, pipe(in));
	pid = fork();
	if (!pid)
		run_victim(in[1], variant->form);
	ASSERT_LT(0, pid);
	close(in[1]);
	ASSERT_EQ(sizeof(hello), read(in[0], &hello, sizeof(hello)));
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, pidfd);
	fd = syscall(SYS_pidfd_getfd, pidfd, hello.fd, 0);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(wait_for_hold(fd, hello.map, page));
	ASSERT_EQ(0, dev_fault(fd, 1));

	ASSERT_EQ(0, kill(pid, SIGKILL));
	ret = syscall(SYS_process_mrelease, pidfd, 0);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LT(0, dev_stat(fd, HMM_RANGE_DEV_STAT_REFUSED));

	/* It was marked, and what marked it is not in flight any more. */
	EXPECT_EQ(0, dev_valid(fd, 1));
	EXPECT_EQ(1, dev_wait(fd, 1, 0));
	EXPECT_EQ(0, dev_begin(fd, 1));

	/* Interval notifiers wait for the one that is still held. */
	legacy.fd = fd;
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_thread, &legacy));
	ASSERT_EQ(0, dev_release(fd, 0));
	ASSERT_TRUE(join_soon(thread)) {
		TH_LOG("mmu_interval_read_begin() hangs");
	}
	ASSERT_TRUE(reap_soon(pid, &status));
	EXPECT_EQ(-EFAULT, dev_begin(fd, 1));
	EXPECT_EQ(0, dev_unregister(fd, 2));
	EXPECT_EQ(0, dev_unregister(fd, 1));
	close(fd);
	close(pidfd);
}

int main(int argc, char **argv)
{
	/* What exec_of_the_mirrored_process becomes. */
	if (argc > 1 && !strcmp(argv[1], pause_option))
		return pause();
	return test_harness_run(argc, argv);
}
