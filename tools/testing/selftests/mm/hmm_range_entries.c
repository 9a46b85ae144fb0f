// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests what a walk of a tracked range reports and does for each kind of page
 * table entry that user space can make: the rows of the table in
 * Documentation/mm/hmm.rst ("What a walk reports"), through the device of
 * lib/test_hmm_range.c.
 *
 * For each kind, a snapshot, a fault for read and a fault for write look at an
 * entry of their own. What they say is compared with the table, with what
 * /proc/self/pagemap says, and, by a copy that the device makes, with what the
 * CPU reads.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lib/test_hmm_uapi.h>
#include "hmm_range_test.h"
#include "hugepage_settings.h"
#include "vm_util.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define NUMA_BALANCING	"/proc/sys/kernel/numa_balancing"

/* Which page of a large mapping is looked at. */
#define MIDDLE		3

#define V		HMM_RANGE_DEV_VALID
#define W		HMM_RANGE_DEV_WRITE
#define E		HMM_RANGE_DEV_ERROR

enum order { ANY_ORDER = -3, HUGETLB_ORDER = -2, PMD_ORDER = -1 };

/* What a walk does: an errno, or an entry with flags, @any of them aside. */
struct cell {
	int		err;
	unsigned int	flags;
	unsigned int	any;
	int		order;
};

/*
 * An entry under test. @keep: what has to stay open; @undo: called at the end,
 * with what it needs in @saved.
 */
struct subject {
	char		*page;
	size_t		page_size;
	size_t		pmd_size;
	int		keep;
	unsigned long	saved;
	void		(*undo)(struct subject *subject);
};

HUGETLB_SETUP_DEFAULT_PAGES(4)

static char *map_flags(size_t size, int prot, int flags, int fd)
{
	char *map = mmap(NULL, size, prot, flags, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

/* Small pages only. */
static char *map_small(size_t size)
{
	char *map = map_flags(size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (map)
		madvise(map, size, MADV_NOHUGEPAGE);
	return map;
}

/* Room for a huge page, at its alignment. */
static char *map_huge(struct subject *subject)
{
	size_t size = subject->pmd_size;
	char *map;

	if (!size)
		return NULL;
	map = map_flags(2 * size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	if (!map)
		return NULL;
	map += -(uintptr_t)map & (size - 1);
	return madvise(map, size, MADV_HUGEPAGE) ? NULL : map;
}

static uint64_t pagemap_of(const char *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = fd < 0 ? 0 : pagemap_get_entry(fd, (char *)page);

	close(fd);
	return entry;
}

/*
 * How to make each kind: the address of a page goes into @subject. They return
 * NULL, or why there is none of this kind here.
 */

static const char *no_memory = "no memory";

static const char *make_no_vma(struct subject *subject)
{
	subject->page = map_small(3 * subject->page_size) + subject->page_size;
	return munmap(subject->page, subject->page_size) ? no_memory : NULL;
}

static const char *make_none(struct subject *subject)
{
	subject->page = map_small(3 * subject->page_size);
	if (!subject->page)
		return no_memory;
	/* Its neighbour sees to it that there is a page table. */
	subject->page[0] = 1;
	subject->page += subject->page_size;
	return NULL;
}

/* No page table at any level, that is, for as far as one of them reaches. */
static const char *make_hole(struct subject *subject)
{
	const size_t size = 3UL << 30;
	char *map = map_flags(size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			      MAP_ANONYMOUS | MAP_NORESERVE, -1);

	if (!map || madvise(map, size, MADV_NOHUGEPAGE))
		return no_memory;
	subject->page = map + size / 2;
	return NULL;
}

static const char *make_anonymous(struct subject *subject)
{
	subject->page = map_small(subject->page_size);
	if (!subject->page)
		return no_memory;
	memset(subject->page, 0x11, subject->page_size);
	return NULL;
}

static const char *make_zero_page(struct subject *subject)
{
	subject->page = map_small(subject->page_size);
	if (!subject->page)
		return no_memory;
	FORCE_READ(*subject->page);
	return NULL;
}

/* The child stays, so that the page is shared. */
static void undo_shared(struct subject *subject)
{
	kill(subject->keep, SIGKILL);
	waitpid(subject->keep, NULL, 0);
}

static const char *make_shared_by_fork(struct subject *subject)
{
	const char *failed = make_anonymous(subject);

	if (failed)
		return failed;
	subject->keep = fork();
	if (!subject->keep)
		for (;;)
			pause();
	if (subject->keep < 0)
		return "no fork";
	subject->undo = undo_shared;
	return NULL;
}

static const char *make_protected(struct subject *subject, int prot)
{
	const char *failed = make_anonymous(subject);

	if (failed)
		return failed;
	return mprotect(subject->page, subject->page_size, prot) ? no_memory : NULL;
}

static const char *make_read_only(struct subject *subject)
{
	return make_protected(subject, PROT_READ);
}

static const char *make_prot_none(struct subject *subject)
{
	return make_protected(subject, PROT_NONE);
}

static const char *make_write_only(struct subject *subject)
{
	return make_protected(subject, PROT_WRITE);
}

static const char *make_thp(struct subject *subject)
{
	char *map = map_huge(subject);

	if (!map)
		return "no huge pages";
	memset(map, 0x22, subject->pmd_size);
	if (!check_huge_anon(map, subject->pmd_size, 1, subject->pmd_size))
		return "the huge page is in pieces";
	subject->page = map + MIDDLE * subject->page_size;
	return NULL;
}

static const char *make_thp_read_only(struct subject *subject)
{
	const char *failed = make_thp(subject);

	if (failed)
		return failed;
	return mprotect(subject->page - MIDDLE * subject->page_size,
			subject->pmd_size, PROT_READ) ? no_memory : NULL;
}

/* The page table entry of the whole is gone, the large folio is still there. */
static const char *make_thp_by_ptes(struct subject *subject)
{
	const char *failed = make_thp(subject);
	char *other;

	if (failed)
		return failed;
	other = subject->page + subject->page_size;
	return mprotect(other, subject->page_size, PROT_READ) ? no_memory : NULL;
}

static const char *make_huge_zero_page(struct subject *subject)
{
	char *map = map_huge(subject);
	unsigned long on;

	if (!map || read_sysfs("/sys/kernel/mm/transparent_hugepage/use_zero_page",
			       &on) || !on)
		return "no huge zero page";
	FORCE_READ(*map);
	/* The small one is the same everywhere. */
	if (PAGEMAP_PFN(pagemap_of(map)) + 1 !=
	    PAGEMAP_PFN(pagemap_of(map + subject->page_size)))
		return "the zero page is a small one";
	subject->page = map + MIDDLE * subject->page_size;
	return NULL;
}

static const char *make_hugetlb_none(struct subject *subject)
{
	char *map;

	if (!default_huge_page_size())
		return "no hugetlb";
	map = map_flags(default_huge_page_size(), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	if (!map)
		return "no hugetlb pages";
	subject->page = map + MIDDLE * subject->page_size;
	return NULL;
}

static const char *make_hugetlb(struct subject *subject)
{
	const char *failed = make_hugetlb_none(subject);

	if (failed)
		return failed;
	memset(subject->page, 0x33, subject->page_size);
	return NULL;
}

static const char *map_memfd(struct subject *subject, size_t size, int flags)
{
	int fd = syscall(SYS_memfd_create, "hmm_range", 0);

	if (fd < 0 || ftruncate(fd, size))
		return "no memfd";
	subject->page = map_flags(subject->page_size, PROT_READ | PROT_WRITE,
				  flags, fd);
	close(fd);
	return subject->page ? NULL : no_memory;
}

static const char *make_shmem_none(struct subject *subject)
{
	return map_memfd(subject, subject->page_size, MAP_SHARED);
}

static const char *make_shmem(struct subject *subject)
{
	const char *failed = make_shmem_none(subject);

	if (!failed)
		memset(subject->page, 0x44, subject->page_size);
	return failed;
}

static const char *make_beyond_the_file(struct subject *subject)
{
	return map_memfd(subject, 0, MAP_SHARED);
}

/* A page of the page cache, private to us once it is written to. */
static const char *make_private_file(struct subject *subject)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	subject->page = map_flags(subject->page_size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE, fd);
	close(fd);
	if (!subject->page)
		return no_memory;
	FORCE_READ(*subject->page);
	return NULL;
}

static const char *make_swap(struct subject *subject)
{
	const char *failed = make_anonymous(subject);

	if (failed)
		return failed;
	madvise(subject->page, subject->page_size, MADV_PAGEOUT);
	return pagemap_of(subject->page) & PM_SWAP ? NULL : "no swap";
}

/* A userfaultfd without anybody who would listen to it. */
static const char *register_uffd(struct subject *subject, unsigned int mode,
				 uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	subject->keep = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (subject->keep < 0 || ioctl(subject->keep, UFFDIO_API, &api))
		return "no such userfaultfd";
	return uffd_register(subject->keep, subject->page, subject->page_size,
			     mode & UFFDIO_REGISTER_MODE_MISSING,
			     mode & UFFDIO_REGISTER_MODE_WP, false) ?
	       "no such userfaultfd" : NULL;
}

static const char *write_protect(struct subject *subject)
{
	struct uffdio_writeprotect protect = {
		.range = {
			.start = (uintptr_t)subject->page,
			.len = subject->page_size,
		},
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return ioctl(subject->keep, UFFDIO_WRITEPROTECT, &protect) ?
	       "no write protection" : NULL;
}

static const char *make_uffd_missing(struct subject *subject)
{
	const char *failed = make_none(subject);

	return failed ?: register_uffd(subject, UFFDIO_REGISTER_MODE_MISSING, 0);
}

static const char *make_uffd_wp(struct subject *subject)
{
	const char *failed = make_anonymous(subject);

	failed = failed ?: register_uffd(subject, UFFDIO_REGISTER_MODE_WP,
					 UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	return failed ?: write_protect(subject);
}

static const char *make_uffd_wp_marker(struct subject *subject)
{
	const char *failed = make_none(subject);

	failed = failed ?: register_uffd(subject, UFFDIO_REGISTER_MODE_WP,
					 UFFD_FEATURE_WP_UNPOPULATED);
	return failed ?: write_protect(subject);
}

static const char *make_poison_marker(struct subject *subject)
{
	const char *failed = make_none(subject);
	struct uffdio_poison poison = {};

	failed = failed ?: register_uffd(subject, UFFDIO_REGISTER_MODE_MISSING,
					 UFFD_FEATURE_POISON);
	if (failed)
		return failed;
	poison.range.start = (uintptr_t)subject->page;
	poison.range.len = subject->page_size;
	return ioctl(subject->keep, UFFDIO_POISON, &poison) ?
	       "no UFFDIO_POISON" : NULL;
}

static const char *make_guard(struct subject *subject)
{
	const char *failed = make_anonymous(subject);

	if (failed)
		return failed;
	return madvise(subject->page, subject->page_size, MADV_GUARD_INSTALL) ?
	       "no guard regions" : NULL;
}

static const char *make_secret(struct subject *subject)
{
	int fd = syscall(SYS_memfd_secret, 0);

	if (fd < 0 || ftruncate(fd, subject->page_size))
		return "no memfd_secret()";
	subject->page = map_flags(subject->page_size, PROT_READ | PROT_WRITE,
				  MAP_SHARED, fd);
	close(fd);
	if (!subject->page)
		return no_memory;
	*subject->page = 1;
	return NULL;
}

static void undo_ksm(struct subject *subject)
{
	ksm_stop();
}

static const char *make_ksm(struct subject *subject)
{
	size_t size = 2 * subject->page_size;

	subject->page = map_small(size);
	if (!subject->page)
		return no_memory;
	memset(subject->page, 0x66, size);
	subject->undo = undo_ksm;
	if (madvise(subject->page, size, MADV_MERGEABLE) || ksm_start() < 0)
		return "no KSM";
	return PAGEMAP_PFN(pagemap_of(subject->page)) ==
	       PAGEMAP_PFN(pagemap_of(subject->page + subject->page_size)) ?
	       NULL : "KSM did not merge the pages";
}

static void undo_numa_hinting(struct subject *subject)
{
	write_num(NUMA_BALANCING, subject->saved);
}

/*
 * NUMA balancing comes by once the process has run for a second or so, and
 * marks what is on another node. To do so it invalidates the page.
 */
static const char *make_numa_hinting(struct subject *subject)
{
	const unsigned long second_node = 1UL << 1, end = now_ms() + SOON_MS;
	const size_t size = subject->page_size;
	cpu_set_t first_cpu;
	int id, valid;

	if (access(NUMA_BALANCING, W_OK))
		return "no NUMA balancing";
	subject->saved = read_num(NUMA_BALANCING);
	subject->undo = undo_numa_hinting;
	write_num(NUMA_BALANCING, 1);
	CPU_ZERO(&first_cpu);
	CPU_SET(0, &first_cpu);
	subject->page = map_small(size);
	if (!subject->page)
		return no_memory;
	if (sched_setaffinity(0, sizeof(first_cpu), &first_cpu) ||
	    syscall(SYS_mbind, subject->page, size, MPOL_BIND, &second_node,
		    8 * sizeof(second_node), 0))
		return "no second node";
	memset(subject->page, 0x88, size);
	if (syscall(SYS_mbind, subject->page, size, MPOL_DEFAULT, NULL, 0, 0))
		return "no second node";

	subject->keep = dev_open();
	id = dev_register(subject->keep, subject->page, size, 0);
	if (id < 0 || dev_begin(subject->keep, id))
		return "the device is not there";
	do {
		valid = dev_valid(subject->keep, id);
	} while (valid == 1 && now_ms() < end);
	close(subject->keep);
	return valid ? "NUMA balancing did not come by" : NULL;
}

static void undo_poison(struct subject *subject)
{
	munmap(subject->page, subject->page_size);
	unpoison_memory(subject->saved);
}

static sigjmp_buf after_poison;

static void poisoned(int signal)
{
	siglongjmp(after_poison, signal);
}

/* Who poisons a page of its own is told so by a signal. */
static const char *make_poison(struct subject *subject)
{
	const char *failed = make_anonymous(subject);

	if (failed)
		return failed;
	subject->saved = PAGEMAP_PFN(pagemap_of(subject->page));
	signal(SIGBUS, poisoned);
	if (!sigsetjmp(after_poison, 1) &&
	    madvise(subject->page, subject->page_size, MADV_HWPOISON))
		return "no memory failure";
	subject->undo = undo_poison;
	return NULL;
}

/* Memory without struct page, or not for us: the first page of physical memory. */
static const char *make_pfnmap(struct subject *subject)
{
	int fd = open("/dev/mem", O_RDONLY);

	subject->page = map_flags(subject->page_size, PROT_READ, MAP_SHARED, fd);
	close(fd);
	return subject->page ? NULL : "no /dev/mem";
}

/* What the other test device maps by vm_insert_page(). */
static const char *make_mixedmap(struct subject *subject)
{
	int fd = open("/dev/hmm_dmirror0", O_RDWR);

	subject->page = map_flags(subject->page_size, PROT_READ | PROT_WRITE,
				  MAP_SHARED, fd);
	close(fd);
	if (!subject->page)
		return "no /dev/hmm_dmirror0";
	memset(subject->page, 0x77, subject->page_size);
	return NULL;
}

static const char *make_vdso(struct subject *subject)
{
	subject->page = (char *)getauxval(AT_SYSINFO_EHDR);
	if (!subject->page)
		return "no vdso";
	FORCE_READ(*subject->page);
	return NULL;
}

/* Let the other test device do something with a page. */
static const char *make_dmirror(struct subject *subject, const char *path,
				unsigned long request)
{
	const char *failed = make_anonymous(subject);
	char *data = map_small(subject->page_size);
	struct hmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)subject->page,
		.ptr = (uintptr_t)data,
		.npages = 1,
	};

	if (failed || !data)
		return no_memory;
	subject->keep = open(path, O_RDWR);
	if (subject->keep < 0)
		return "the device is not there";
	return ioctl(subject->keep, request, &cmd) ?
	       "the device cannot do this" : NULL;
}

static const char *make_device_private(struct subject *subject)
{
	return make_dmirror(subject, "/dev/hmm_dmirror0",
			    HMM_DMIRROR_MIGRATE_TO_DEV);
}

static const char *make_device_coherent(struct subject *subject)
{
	return make_dmirror(subject, "/dev/hmm_dmirror2",
			    HMM_DMIRROR_MIGRATE_TO_DEV);
}

static const char *make_device_exclusive(struct subject *subject)
{
	return make_dmirror(subject, "/dev/hmm_dmirror0", HMM_DMIRROR_EXCLUSIVE);
}

/*
 * The table.
 */

FIXTURE(entry) {
	int		fd;
	struct subject	subject;
};

FIXTURE_VARIANT(entry) {
	const char	*(*make)(struct subject *subject);
	struct cell	snapshot;
	struct cell	read;
	struct cell	write;
};

/* The columns: a snapshot, a fault for read, a fault for write. */
#define ROW(kind, ...) .make = make_##kind, __VA_ARGS__

#define REFUSED		{ .err = -EFAULT }
#define NOT_ALLOWED	{ .err = -EPERM }
#define NOTHING		{}
#define FAILED		{ .flags = E }
#define PAGE(...)	{ .flags = V | W, __VA_ARGS__ }
#define PAGE_R(...)	{ .flags = V, __VA_ARGS__ }
/* Whether a fault for read makes it writable is its own business. */
#define PAGE_ANY(...)	{ .flags = V, .any = W, __VA_ARGS__ }

FIXTURE_VARIANT_ADD(entry, no_vma) {
	ROW(no_vma, FAILED, REFUSED, REFUSED)
};

FIXTURE_VARIANT_ADD(entry, none) {
	ROW(none, NOTHING, PAGE_R(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, hole) {
	ROW(hole, NOTHING, PAGE_R(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, anonymous) {
	ROW(anonymous, PAGE(), PAGE(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, zero_page) {
	ROW(zero_page, PAGE_R(), PAGE_R(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, shared_by_fork) {
	ROW(shared_by_fork, PAGE_R(), PAGE_R(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, read_only) {
	ROW(read_only, PAGE_R(), PAGE_R(), NOT_ALLOWED)
};

FIXTURE_VARIANT_ADD(entry, prot_none) {
	ROW(prot_none, FAILED, REFUSED, REFUSED)
};

FIXTURE_VARIANT_ADD(entry, write_only) {
	ROW(write_only, FAILED, REFUSED, REFUSED)
};

FIXTURE_VARIANT_ADD(entry, thp) {
	ROW(thp, PAGE(.order = PMD_ORDER), PAGE(.order = PMD_ORDER),
	    PAGE(.order = PMD_ORDER))
};

FIXTURE_VARIANT_ADD(entry, thp_read_only) {
	ROW(thp_read_only, PAGE_R(.order = PMD_ORDER), PAGE_R(.order = PMD_ORDER),
	    NOT_ALLOWED)
};

FIXTURE_VARIANT_ADD(entry, thp_by_ptes) {
	ROW(thp_by_ptes, PAGE(), PAGE(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, huge_zero_page) {
	ROW(huge_zero_page, PAGE_R(.order = PMD_ORDER), PAGE_R(.order = PMD_ORDER),
	    PAGE(.order = ANY_ORDER))
};

FIXTURE_VARIANT_ADD(entry, hugetlb_none) {
	ROW(hugetlb_none, NOTHING, PAGE_ANY(.order = HUGETLB_ORDER),
	    PAGE(.order = HUGETLB_ORDER))
};

FIXTURE_VARIANT_ADD(entry, hugetlb) {
	ROW(hugetlb, PAGE(.order = HUGETLB_ORDER), PAGE(.order = HUGETLB_ORDER),
	    PAGE(.order = HUGETLB_ORDER))
};

FIXTURE_VARIANT_ADD(entry, shmem_none) {
	ROW(shmem_none, NOTHING, PAGE_ANY(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, shmem) {
	ROW(shmem, PAGE(), PAGE(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, beyond_the_file) {
	ROW(beyond_the_file, NOTHING, REFUSED, REFUSED)
};

FIXTURE_VARIANT_ADD(entry, private_file) {
	ROW(private_file, PAGE_R(), PAGE_R(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, swap) {
	ROW(swap, NOTHING, PAGE_ANY(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, uffd_missing) {
	ROW(uffd_missing, NOTHING, REFUSED, REFUSED)
};

FIXTURE_VARIANT_ADD(entry, uffd_wp) {
	ROW(uffd_wp, PAGE_R(), PAGE_R(), REFUSED)
};

FIXTURE_VARIANT_ADD(entry, uffd_wp_marker) {
	ROW(uffd_wp_marker, NOTHING, PAGE_R(), REFUSED)
};

FIXTURE_VARIANT_ADD(entry, poison_marker) {
	ROW(poison_marker, FAILED, REFUSED, REFUSED)
};

FIXTURE_VARIANT_ADD(entry, guard) {
	ROW(guard, FAILED, REFUSED, REFUSED)
};

FIXTURE_VARIANT_ADD(entry, secret) {
	ROW(secret, FAILED, REFUSED, REFUSED)
};

FIXTURE_VARIANT_ADD(entry, ksm) {
	ROW(ksm, PAGE_R(), PAGE_R(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, poison) {
	ROW(poison, FAILED, REFUSED, REFUSED)
};

FIXTURE_VARIANT_ADD(entry, numa_hinting) {
	ROW(numa_hinting, NOTHING, PAGE_ANY(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, pfnmap) {
	ROW(pfnmap, FAILED, REFUSED, REFUSED)
};

FIXTURE_VARIANT_ADD(entry, mixedmap) {
	ROW(mixedmap, PAGE(), PAGE(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, vdso) {
	ROW(vdso, PAGE_R(), PAGE_R(), NOT_ALLOWED)
};

FIXTURE_VARIANT_ADD(entry, device_private) {
	ROW(device_private, NOTHING, PAGE_ANY(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, device_coherent) {
	ROW(device_coherent, PAGE(), PAGE(), PAGE())
};

FIXTURE_VARIANT_ADD(entry, device_exclusive) {
	ROW(device_exclusive, NOTHING, PAGE_ANY(), PAGE())
};

FIXTURE_SETUP(entry)
{
	const char *failed;

	self->subject.keep = -1;
	self->subject.page_size = psize();
	self->subject.pmd_size = read_pmd_pagesize();
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, dev_config(self->fd, HMM_RANGE_DEV_NOTIFIER_PLAIN, false));
	failed = variant->make(&self->subject);
	if (failed)
		SKIP(return, "%s", failed);
}

FIXTURE_TEARDOWN(entry)
{
	if (self->subject.undo)
		self->subject.undo(&self->subject);
	if (self->fd >= 0)
		close(self->fd);
}

static unsigned int mapping_order(const struct subject *subject, int order)
{
	size_t size = subject->page_size;

	if (order == PMD_ORDER)
		size = subject->pmd_size;
	else if (order == HUGETLB_ORDER)
		size = default_huge_page_size();
	return order >= 0 ? order : sz2ord(size, subject->page_size);
}

/* The entry, the page table and the memory say the same. */
static void check_page(struct __test_metadata *_metadata, int fd, int id,
		       const struct subject *subject,
		       const struct hmm_range_dev_entry *entry)
{
	uint64_t pagemap = pagemap_of(subject->page);
	char *data = map_small(subject->page_size);

	EXPECT_TRUE(PAGEMAP_PRESENT(pagemap));
	EXPECT_EQ(PAGEMAP_PFN(pagemap), entry->pfn);
	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, dev_copy(fd, id, 0, subject->page, 1, data,
			      subject->page_size));
	EXPECT_EQ(0, memcmp(subject->page, data, subject->page_size));
}

static void check_cell(struct __test_metadata *_metadata, int fd,
		       const struct subject *subject, const struct cell *cell,
		       unsigned int how, unsigned int request)
{
	int id = dev_register(fd, subject->page, subject->page_size, 0);
	struct hmm_range_dev_entry entry;
	int tries = 0, err;

	ASSERT_LT(0, id);
	/* What it takes to make some pages present invalidates the range. */
	do {
		err = dev_walk(fd, id, how, request);
	} while (err == -EBUSY && ++tries < 3);
	ASSERT_EQ(cell->err, err);
	EXPECT_EQ(!err, dev_valid(fd, id));
	if (err)
		return;
	ASSERT_EQ(0, dev_read(fd, id, subject->page, 1, &entry));
	ASSERT_EQ(cell->flags & ~cell->any, entry.flags & ~cell->any);
	if (cell->order != ANY_ORDER)
		EXPECT_EQ(mapping_order(subject, cell->order), entry.order);
	if (entry.flags & V)
		check_page(_metadata, fd, id, subject, &entry);
	else
		EXPECT_EQ(0, entry.pfn);
}

TEST_F(entry, snapshot)
{
	uint64_t before = pagemap_of(self->subject.page);

	check_cell(_metadata, self->fd, &self->subject, &variant->snapshot,
		   HMM_RANGE_DEV_SNAPSHOT, 0);
	/* It reports, and changes nothing. */
	EXPECT_EQ(before, pagemap_of(self->subject.page));
}

TEST_F(entry, read)
{
	check_cell(_metadata, self->fd, &self->subject, &variant->read,
		   HMM_RANGE_DEV_FAULT, V);
}

TEST_F(entry, write)
{
	check_cell(_metadata, self->fd, &self->subject, &variant->write,
		   HMM_RANGE_DEV_FAULT, V | W);
}

/* A fault that asks for nothing is a snapshot. */
TEST_F(entry, fault_for_nothing)
{
	check_cell(_metadata, self->fd, &self->subject, &variant->snapshot,
		   HMM_RANGE_DEV_FAULT, 0);
}

/*
 * Writable and read-only pages in one page table, in several orders: pages that
 * the process has written since a fork are its own, and the others are not.
 */

/* Half of the smallest page table, and aligned to that. */
#define NR_MIXED	256

enum mixture_kind { MIXED_SHARED, MIXED_OWN, MIXED_NONE };

FIXTURE(mixture) {
	int		fd;
	int		pagemap;
	size_t		page_size;
	char		*map;
	pid_t		child;
	enum mixture_kind kinds[NR_MIXED];
	struct hmm_range_dev_entry entries[NR_MIXED];
};

FIXTURE_VARIANT(mixture) {
	enum mixture_kind (*kind_of)(unsigned int page);
};

static enum mixture_kind mix_ones(unsigned int page)
{
	return page & 1 ? MIXED_OWN : MIXED_SHARED;
}

static enum mixture_kind mix_twos(unsigned int page)
{
	return page & 2 ? MIXED_OWN : MIXED_SHARED;
}

static enum mixture_kind mix_fours(unsigned int page)
{
	return page & 4 ? MIXED_SHARED : MIXED_OWN;
}

static enum mixture_kind mix_one_own(unsigned int page)
{
	return page % 37 == 11 ? MIXED_OWN : MIXED_SHARED;
}

static enum mixture_kind mix_one_shared(unsigned int page)
{
	return page % 37 == 11 ? MIXED_SHARED : MIXED_OWN;
}

static enum mixture_kind mix_with_holes(unsigned int page)
{
	return page % 3;
}

static enum mixture_kind mix_any(unsigned int page)
{
	return random() % 3;
}

FIXTURE_VARIANT_ADD(mixture, ones) { .kind_of = mix_ones, };
FIXTURE_VARIANT_ADD(mixture, twos) { .kind_of = mix_twos, };
FIXTURE_VARIANT_ADD(mixture, fours) { .kind_of = mix_fours, };
FIXTURE_VARIANT_ADD(mixture, one_own) { .kind_of = mix_one_own, };
FIXTURE_VARIANT_ADD(mixture, one_shared) { .kind_of = mix_one_shared, };
FIXTURE_VARIANT_ADD(mixture, with_holes) { .kind_of = mix_with_holes, };
FIXTURE_VARIANT_ADD(mixture, any) { .kind_of = mix_any, };

FIXTURE_SETUP(mixture)
{
	size_t size;
	char *page;

	self->pagemap = -1;
	self->child = -1;
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	self->pagemap = open("/proc/self/pagemap", O_RDONLY);
	ASSERT_LE(0, self->pagemap);
	self->page_size = psize();
	size = NR_MIXED * self->page_size;
	self->map = map_small(2 * size);
	ASSERT_NE(NULL, self->map);
	self->map += -(uintptr_t)self->map & (size - 1);
	memset(self->map, 1, size);

	self->child = fork();
	ASSERT_LE(0, self->child);
	while (!self->child)
		pause();
	for (unsigned int i = 0; i < NR_MIXED; i++) {
		self->kinds[i] = variant->kind_of(i);
		page = self->map + i * self->page_size;
		if (self->kinds[i] == MIXED_OWN)
			*page = 2;
		else if (self->kinds[i] == MIXED_NONE)
			ASSERT_EQ(0, madvise(page, self->page_size,
					     MADV_DONTNEED));
	}
}

FIXTURE_TEARDOWN(mixture)
{
	if (self->child > 0) {
		kill(self->child, SIGKILL);
		waitpid(self->child, NULL, 0);
	}
	if (self->pagemap >= 0)
		close(self->pagemap);
	if (self->fd >= 0)
		close(self->fd);
}

static long faults_taken(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

/* The page table, what is known of the page, and the CPU say the same. */
TEST_F(mixture, each_page_is_as_it_says)
{
	static const unsigned int flags[] = {
		[MIXED_SHARED] = V, [MIXED_OWN] = V | W, [MIXED_NONE] = 0,
	};
	int id = dev_register(self->fd, self->map, NR_MIXED * self->page_size, 0);
	struct hmm_range_dev_entry *entry;
	uint64_t pagemap;
	long faults;
	char *page;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, dev_walk(self->fd, id, HMM_RANGE_DEV_SNAPSHOT, 0));
	ASSERT_EQ(0, dev_read(self->fd, id, self->map, NR_MIXED, self->entries));
	for (unsigned int i = 0; i < NR_MIXED; i++) {
		entry = &self->entries[i];
		page = self->map + i * self->page_size;
		ASSERT_EQ(flags[self->kinds[i]], entry->flags)
			TH_LOG("page %u", i);
		pagemap = pagemap_get_entry(self->pagemap, page);
		ASSERT_EQ(!!(entry->flags & V), PAGEMAP_PRESENT(pagemap));
		ASSERT_EQ(!!(entry->flags & W), !!(pagemap & PM_MMAP_EXCLUSIVE));
		if (entry->flags & V)
			ASSERT_EQ(PAGEMAP_PFN(pagemap), entry->pfn);
	}
	for (unsigned int i = 0; i < NR_MIXED; i++) {
		entry = &self->entries[i];
		page = self->map + i * self->page_size;
		faults = faults_taken();
		*page = 3;
		faults = faults_taken() - faults;
		pagemap = pagemap_get_entry(self->pagemap, page);
		/* Other faults may come in between. None of them copies. */
		if (entry->flags & W) {
			ASSERT_EQ(entry->pfn, PAGEMAP_PFN(pagemap))
				TH_LOG("a write to page %u", i);
		} else {
			ASSERT_NE(entry->pfn, PAGEMAP_PFN(pagemap))
				TH_LOG("a write to page %u", i);
			ASSERT_LE(1, faults);
		}
	}
}

/*
 * Requests.
 */

FIXTURE(request) {
	int		fd;
	int		id;
	size_t		page_size;
	char		*map;
	struct hmm_range_dev_entry entries[4];
};

FIXTURE_SETUP(request)
{
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	self->page_size = psize();
	self->map = map_small(4 * self->page_size);
	ASSERT_NE(NULL, self->map);
	self->id = dev_register(self->fd, self->map, 4 * self->page_size, 0);
	ASSERT_LT(0, self->id);
}

FIXTURE_TEARDOWN(request)
{
	if (self->fd >= 0)
		close(self->fd);
}

static int walk_and_read(int fd, struct hmm_range_dev_walk *walk, char *map,
			 struct hmm_range_dev_entry *entries)
{
	int ret = dev_call(fd, HMM_RANGE_IOC_WALK, walk);

	return ret ?: dev_read(fd, walk->id, map, 4, entries);
}

/* Each page gets what it asks for, and those that ask for nothing get nothing. */
TEST_F(request, page_by_page)
{
	const uint32_t requests[] = { 0, V, W, V | W };
	struct hmm_range_dev_walk walk = {
		.id = self->id,
		.how = HMM_RANGE_DEV_FAULT,
		.requests = (uintptr_t)requests,
		.flags_mask = V | W,
	};

	ASSERT_EQ(0, walk_and_read(self->fd, &walk, self->map, self->entries));
	EXPECT_EQ(0, self->entries[0].flags);
	EXPECT_EQ(V, self->entries[1].flags);
	EXPECT_EQ(0, self->entries[2].flags);
	EXPECT_EQ(V | W, self->entries[3].flags);
	EXPECT_FALSE(PAGEMAP_PRESENT(pagemap_of(self->map)));
	EXPECT_FALSE(PAGEMAP_PRESENT(pagemap_of(self->map + 2 * self->page_size)));
}

TEST_F(request, default_and_mask_add_up)
{
	const uint32_t requests[] = { 0, V, W, V | W };
	struct hmm_range_dev_walk walk = {
		.id = self->id,
		.how = HMM_RANGE_DEV_FAULT,
		.requests = (uintptr_t)requests,
		.default_flags = V,
		.flags_mask = W,
	};

	ASSERT_EQ(0, walk_and_read(self->fd, &walk, self->map, self->entries));
	EXPECT_EQ(V, self->entries[0].flags);
	EXPECT_EQ(V, self->entries[1].flags);
	EXPECT_EQ(V | W, self->entries[2].flags);
	EXPECT_EQ(V | W, self->entries[3].flags);
}

/* A page that nobody asks for may be one that cannot be had. */
TEST_F(request, not_asked_for_is_no_error)
{
	uint32_t requests[] = { V | W, 0, 0, 0 };
	struct hmm_range_dev_walk walk = {
		.id = self->id,
		.how = HMM_RANGE_DEV_FAULT,
		.requests = (uintptr_t)requests,
		.flags_mask = V | W,
	};

	ASSERT_EQ(0, munmap(self->map + 2 * self->page_size, self->page_size));
	ASSERT_EQ(0, walk_and_read(self->fd, &walk, self->map, self->entries));
	EXPECT_EQ(V | W, self->entries[0].flags);
	EXPECT_EQ(0, self->entries[1].flags);
	EXPECT_EQ(E, self->entries[2].flags);
	EXPECT_EQ(0, self->entries[3].flags);
	requests[2] = V;
	EXPECT_EQ(-EFAULT, dev_call(self->fd, HMM_RANGE_IOC_WALK, &walk));
}

/* Without a mask nothing that is in the array counts. */
TEST_F(request, array_is_not_read)
{
	struct hmm_range_dev_walk walk = {
		.id = self->id,
		.how = HMM_RANGE_DEV_FAULT,
		.flags = HMM_RANGE_DEV_POISON,
	};
	unsigned int i;

	*self->map = 1;
	ASSERT_EQ(0, walk_and_read(self->fd, &walk, self->map, self->entries));
	EXPECT_EQ(V | W, self->entries[0].flags);
	for (i = 1; i < 4; i++) {
		EXPECT_EQ(0, self->entries[i].flags);
		EXPECT_EQ(0, self->entries[i].pfn);
		EXPECT_EQ(0, self->entries[i].order);
	}
}

/* A walk of a part leaves the entries of the rest alone. */
TEST_F(request, part_of_the_range)
{
	struct hmm_range_dev_walk walk = {
		.id = self->id,
		.how = HMM_RANGE_DEV_FAULT,
		.default_flags = V | W,
		.start = (uintptr_t)self->map + self->page_size,
		.end = (uintptr_t)self->map + 2 * self->page_size,
	};

	ASSERT_EQ(0, walk_and_read(self->fd, &walk, self->map, self->entries));
	EXPECT_EQ(0, self->entries[0].flags);
	EXPECT_EQ(V | W, self->entries[1].flags);
	EXPECT_EQ(0, self->entries[2].flags);
	EXPECT_FALSE(PAGEMAP_PRESENT(pagemap_of(self->map)));
	EXPECT_FALSE(PAGEMAP_PRESENT(pagemap_of(self->map + 2 * self->page_size)));
}

/*
 * A fault that has to drop the mmap lock.
 */

struct monitor {
	int	uffd;
	size_t	page_size;
	int	faults;
};

/* Answer the first fault with a page, after a moment. */
static void *monitor_thread(void *data)
{
	struct monitor *monitor = data;
	struct uffdio_zeropage zero = {};
	struct uffd_msg msg;

	if (read(monitor->uffd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		return NULL;
	monitor->faults++;
	zero.range.start = msg.arg.pagefault.address & -monitor->page_size;
	zero.range.len = monitor->page_size;
	ioctl(monitor->uffd, UFFDIO_ZEROPAGE, &zero);
	return NULL;
}

FIXTURE(unlock) {
	int		fd;
	int		id;
	pthread_t	thread;
	struct monitor	monitor;
	struct subject	subject;
};

FIXTURE_SETUP(unlock)
{
	const char *failed;

	self->subject.page_size = psize();
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	failed = make_uffd_missing(&self->subject);
	if (failed)
		SKIP(return, "%s", failed);
	self->monitor.uffd = self->subject.keep;
	self->monitor.page_size = self->subject.page_size;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, monitor_thread,
				    &self->monitor));
	self->id = dev_register(self->fd, self->subject.page,
				self->subject.page_size, 0);
	ASSERT_LT(0, self->id);
}

FIXTURE_TEARDOWN(unlock)
{
	if (self->fd >= 0)
		close(self->fd);
}

TEST_F(unlock, says_so)
{
	struct hmm_range_dev_walk walk = {
		.id = self->id,
		.how = HMM_RANGE_DEV_FAULT_LOCKED,
		.default_flags = V,
	};

	EXPECT_EQ(-EBUSY, dev_call(self->fd, HMM_RANGE_IOC_WALK, &walk));
	EXPECT_EQ(0, walk.locked);
	EXPECT_EQ(0, dev_valid(self->fd, self->id));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(1, self->monitor.faults);
	EXPECT_EQ(0, dev_call(self->fd, HMM_RANGE_IOC_WALK, &walk));
	EXPECT_EQ(1, walk.locked);
	EXPECT_EQ(1, dev_valid(self->fd, self->id));
}

TEST_F(unlock, is_retried)
{
	EXPECT_EQ(0, dev_walk(self->fd, self->id, HMM_RANGE_DEV_FAULT_UNLOCKED, V));
	EXPECT_EQ(1, dev_valid(self->fd, self->id));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(1, self->monitor.faults);
}

/*
 * Pages that are moved from node to node and back all the time.
 */

#define NR_MOVED	64

struct mover {
	char		*map;
	size_t		page_size;
	bool		stop;
	unsigned int	moves;
};

FIXTURE(migration) {
	int		fd;
	int		id;
	bool		moving;
	pthread_t	thread;
	struct mover	mover;
	struct hmm_range_dev_entry entries[NR_MOVED];
};

static bool move_to(struct mover *mover, int node)
{
	void *pages[NR_MOVED];
	int nodes[NR_MOVED], status[NR_MOVED];

	for (int i = 0; i < NR_MOVED; i++) {
		pages[i] = mover->map + i * mover->page_size;
		nodes[i] = node;
	}
	return !syscall(SYS_move_pages, 0, NR_MOVED, pages, nodes, status,
			MPOL_MF_MOVE) && status[0] == node;
}

static void *mover_thread(void *data)
{
	struct mover *mover = data;

	while (!__atomic_load_n(&mover->stop, __ATOMIC_RELAXED)) {
		if (move_to(mover, mover->moves % 2))
			__atomic_add_fetch(&mover->moves, 1, __ATOMIC_RELAXED);
		/* Leave the others a moment. */
		usleep(1000);
	}
	return NULL;
}

FIXTURE_VARIANT(migration) {
	struct form	form;
};

FIXTURE_VARIANT_ADD(migration, plain) { .form = FORM_PLAIN };
FIXTURE_VARIANT_ADD(migration, interval) { .form = FORM_INTERVAL };
FIXTURE_VARIANT_ADD(migration, ops) { .form = FORM_OPS };
FIXTURE_VARIANT_ADD(migration, two_pass) { .form = FORM_TWO_PASS };

FIXTURE_SETUP(migration)
{
	struct mover *mover = &self->mover;
	size_t size;

	mover->page_size = psize();
	size = NR_MOVED * mover->page_size;
	self->fd = dev_open();
	if (self->fd == -ENOENT || self->fd == -EACCES)
		SKIP(return, "no /dev/hmm_range");
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, dev_config(self->fd, variant->form.notifier, false));
	mover->map = map_small(size);
	ASSERT_NE(NULL, mover->map);
	for (int i = 0; i < NR_MOVED; i++)
		memset(mover->map + i * mover->page_size, i + 1,
		       mover->page_size);
	if (!move_to(mover, 1))
		SKIP(return, "no second node");
	self->id = dev_register(self->fd, mover->map, size, 0);
	ASSERT_LT(0, self->id);
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, mover_thread, mover));
	self->moving = true;
}

FIXTURE_TEARDOWN(migration)
{
	__atomic_store_n(&self->mover.stop, true, __ATOMIC_RELAXED);
	if (self->moving)
		pthread_join(self->thread, NULL);
	if (self->fd >= 0)
		close(self->fd);
}

/* Each page is there, or its entry is one of migration, and says nothing. */
TEST_F(migration, snapshot)
{
	const unsigned long end = now_ms() + SOON_MS;
	unsigned int migrating = 0, there = 0;
	int err;

	while ((!migrating || !there) && now_ms() < end) {
		err = dev_snapshot(self->fd, self->id);
		if (err == -EBUSY)
			continue;
		ASSERT_EQ(0, err);
		ASSERT_EQ(0, dev_read(self->fd, self->id, self->mover.map,
				      NR_MOVED, self->entries));
		for (int i = 0; i < NR_MOVED; i++) {
			if (self->entries[i].flags) {
				ASSERT_EQ(V | W, self->entries[i].flags);
				there++;
			} else {
				ASSERT_EQ(0, self->entries[i].pfn);
				migrating++;
			}
		}
	}
	EXPECT_LT(0, there);
	EXPECT_LT(0, migrating);
}

/* A fault waits for the end of the migration, and finds the page. */
TEST_F(migration, fault)
{
	const unsigned long end = now_ms() + SOON_MS;
	const size_t page_size = self->mover.page_size;
	char *data = map_small(NR_MOVED * page_size);
	unsigned int copies = 0, moves = 0;
	int err;

	ASSERT_NE(NULL, data);
	while ((copies < 20 || moves < 20) && now_ms() < end) {
		moves = __atomic_load_n(&self->mover.moves, __ATOMIC_RELAXED);
		err = dev_fault_write(self->fd, self->id);
		if (err == -EBUSY)
			continue;
		ASSERT_EQ(0, err);
		memset(data, 0, NR_MOVED * page_size);
		err = dev_copy(self->fd, self->id, 0, self->mover.map, NR_MOVED,
			       data, page_size);
		if (err == -EBUSY)
			continue;
		ASSERT_EQ(0, err);
		ASSERT_EQ(0, memcmp(self->mover.map, data,
				    NR_MOVED * page_size));
		copies++;
	}
	EXPECT_LT(0, copies);
	EXPECT_LT(0, moves);
}

TEST_HARNESS_MAIN
