// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The forks of hmm_range_stress: a child gets copies of the pages, which nobody
 * but the child may write to from then on. A device that still had a page as
 * writable, and wrote to it, would change the child's copy.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hmm_range_stress.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* How much a child compares, and takes for itself. */
#define CHILD_PAGES	256UL
#define MAX_WAIT_US	100000

/*
 * @before: the states of the pages before the fork
 * @data: what the child had first, and what it has now
 * @there: which pages it had
 */
struct child {
	struct run	run;
	uint64_t	random;
	__u64		*before;
	char		*data[2];
	bool		*there;
};

static uint64_t *child_page(struct child *child, unsigned int which,
			    unsigned long i)
{
	return (uint64_t *)(child->data[which] + i * page_size);
}

/* A page that may be gone is not for a pointer to touch. */
static bool read_page(const struct child *child, unsigned long i, void *to)
{
	struct iovec local = { to, page_size };
	struct iovec remote = { run_address(&child->run) + i * page_size,
				page_size };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) ==
	       (ssize_t)page_size;
}

/* The page cannot have changed while the process was forked. */
static bool was_steady(const struct child *child, unsigned long i)
{
	struct page *page = &run_pages(&child->run)[i];

	return atomic_load(&page->announced) == child->before[i];
}

static void child_looks(struct child *child)
{
	const struct run *run = &child->run;
	bool steady[CHILD_PAGES];
	unsigned long i;
	uint64_t word;
	long at;

	for (i = 0; i < run->nr; i++)
		steady[i] = was_steady(child, i);
	for (i = 0; i < run->nr; i++) {
		child->there[i] = read_page(child, i, child_page(child, 0, i));
		if (!child->there[i] || !steady[i])
			continue;
		word = page_word(run->buffer, run->first + i,
				 state_content(child->before[i]));
		at = differing_word(child_page(child, 0, i), word);
		if (at >= 0)
			complain(TRACKED, MISMATCHES,
				 "mismatch: buffer %u place %u page %lu word %ld: a child reads %#llx where its parent had %#llx\n",
				 run->buffer->number, run->place,
				 run->first + i, at,
				 (unsigned long long)child_page(child, 0, i)[at],
				 (unsigned long long)word);
	}
}

static void child_looks_again(struct child *child)
{
	const struct run *run = &child->run;
	unsigned long i;

	for (i = 0; i < run->nr; i++) {
		if (!child->there[i] ||
		    !read_page(child, i, child_page(child, 1, i)) ||
		    !memcmp(child_page(child, 0, i), child_page(child, 1, i),
			    page_size))
			continue;
		complain(TRACKED, MISMATCHES,
			 "mismatch: buffer %u place %u page %lu: the copy of a child changed\n",
			 run->buffer->number, run->place, run->first + i);
	}
}

static void run_child(struct child *child)
{
	const struct run *run = &child->run;

	if (!memory_kinds[memory].shared) {
		child_looks(child);
		usleep(below(&child->random, MAX_WAIT_US));
		child_looks_again(child);
	}
	madvise(run_address(run), run_bytes(run), MADV_POPULATE_WRITE);
	_exit(0);
}

static void fork_once(struct child *child)
{
	int status;
	pid_t pid;

	any_run(&child->run, &buffers[below(&child->random, NR_BUFFERS)],
		&child->random);
	if (child->run.nr > CHILD_PAGES)
		child->run.nr = CHILD_PAGES;
	take_states(run_pages(&child->run), child->run.nr, child->before);
	pid = fork();
	if (!pid)
		run_child(child);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return;
	if (status)
		complain(TRACKED, ERRORS, "a child ended with status %#x\n",
			 status);
	count_change(FORK, 1);
}

/*
 * Fork a child that looks at its copy of @run when it is told to. That has to
 * have @content then, whatever the parent or a device has written since.
 */
pid_t fork_onlooker(enum api api, const struct run *run, uint32_t content,
		    int *tell)
{
	unsigned long i;
	uint64_t *data;
	int ends[2];
	char byte;
	pid_t pid;
	long at;

	if (pipe2(ends, O_CLOEXEC))
		fatal("pipe2");
	pid = fork();
	if (pid < 0)
		fatal("fork");
	close(ends[pid ? 0 : 1]);
	*tell = ends[1];
	if (pid)
		return pid;
	if (read(ends[0], &byte, 1) != 1)
		_exit(0);
	for (i = 0; i < run->nr; i++) {
		data = (uint64_t *)(run_address(run) + i * page_size);
		at = differing_word(data, page_word(run->buffer, run->first + i,
						    content));
		if (at >= 0)
			complain(api, MISMATCHES,
				 "mismatch: buffer %u place %u page %lu word %ld: the copy of a child has %#llx, which was written after the fork\n",
				 run->buffer->number, run->place, run->first + i,
				 at, (unsigned long long)data[at]);
	}
	_exit(0);
}

void tell_onlooker(pid_t pid, int tell)
{
	int status;

	if (write(tell, "", 1) != 1 || waitpid(pid, &status, 0) != pid || status)
		complain(TRACKED, ERRORS, "a child came to a bad end\n");
	close(tell);
	count_change(COPY, 1);
}

/* All pages at once: the next write to each is a fault. */
static void clear_soft_dirty(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "4", 1) == 1)
		count_change(SOFT_DIRTY, 1);
	close(fd);
}

/* Both hold the mmap lock for long, which slows all others down. */
void *fork_thread(void *unused)
{
	struct child child = {
		.random = thread_seed(NR_BUFFERS + 1),
		.before = own_memory(CHILD_PAGES * sizeof(*child.before)),
		.data = { own_memory(CHILD_PAGES * page_size),
			  own_memory(CHILD_PAGES * page_size) },
		.there = own_memory(CHILD_PAGES),
	};

	while (!stop) {
		fork_once(&child);
		usleep(below(&child.random, 2 * MAX_WAIT_US));
		if (below(&child.random, 2))
			clear_soft_dirty();
	}
	return unused;
}
