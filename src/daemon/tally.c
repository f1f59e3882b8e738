/* SPDX-License-Identifier: ISC */
#include "daemon/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "lookup/cache_place.h"

/* A file of another shape is never written to: some process may still add to
 * it. The new one gets all its blocks before it gets the name, because a write
 * to a mapped page that the disk has no room for would end the process. */

enum { FILE_MODE = 0600 };

/* FNV-1a over all that says what the bytes mean. */
static uint64_t
mix(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t
mix_number(uint64_t hash, int64_t n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld", (long long)n);
	return mix(hash, text);
}

static uint64_t
shape_of_now(void)
{
	uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), "doorbell 1");

	for (int i = 0; i < COUNTER_COUNT; i++)
		hash = mix(hash, counters_name((enum counter)i));
	for (int i = 0; i < HISTOGRAM_COUNT; i++)
		hash = mix(hash, counters_wait_name((enum histogram_id)i));
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		hash = mix_number(hash, histogram_bound(i));
	hash = mix_number(hash, TREND_SLOT_S);
	hash = mix_number(hash, TREND_SLOTS);
	hash = mix_number(hash, TREND_ROWS);
	return mix_number(hash, (int64_t)sizeof(struct tally_page));
}

static struct tally_page *
map_file(int fd)
{
	void *p = mmap(NULL, sizeof(struct tally_page), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);

	return p != MAP_FAILED ? p : NULL;
}

/* NULL with errno; ENOENT also for a file that means something else. */
static struct tally_page *
take_over(const char *name)
{
	int fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct tally_page *page = NULL;
	struct stat st;

	if (fd < 0)
		return NULL;
	errno = ENOENT;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size == (off_t)sizeof(*page))
		page = map_file(fd);
	if (page != NULL && page->shape != shape_of_now()) {
		(void)munmap(page, sizeof(*page));
		errno = ENOENT;
		page = NULL;
	}
	close(fd);
	return page;
}

static int
fill_new(int fd)
{
	const uint64_t shape = shape_of_now();
	int error = posix_fallocate(fd, 0, (off_t)sizeof(struct tally_page));

	if (error != 0) {
		errno = error;
		return -1;
	}
	return pwrite(fd, &shape, sizeof(shape),
		   (off_t)offsetof(struct tally_page, shape)) == sizeof(shape)
		   ? 0
		   : -1;
}

static struct tally_page *
make_new(const char *name)
{
	static const char fresh[] = TALLY_NAME ".new";
	struct tally_page *page = NULL;
	int fd, saved_errno;

	(void)unlink(fresh);
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    FILE_MODE);
	if (fd < 0)
		return NULL;
	if (fill_new(fd) == 0 && (page = map_file(fd)) != NULL &&
	    rename(fresh, name) < 0) {
		saved_errno = errno;
		(void)munmap(page, sizeof(*page));
		errno = saved_errno;
		page = NULL;
	}
	saved_errno = errno;
	if (page == NULL)
		(void)unlink(fresh);
	close(fd);
	errno = saved_errno;
	return page;
}

static struct tally_page *
open_in(const struct cache_place *place)
{
	struct cache_visit visit;
	struct tally_page *page = NULL;
	int saved_errno;

	if (cache_place_enter(place, &visit) < 0)
		return NULL;
	if ((page = take_over(place->name)) == NULL && errno == ENOENT)
		page = make_new(place->name);
	saved_errno = errno;
	if (cache_place_leave(&visit) < 0 && page != NULL) {
		saved_errno = errno;
		(void)munmap(page, sizeof(*page));
		page = NULL;
	}
	errno = saved_errno;
	return page;
}

static struct tally_page *
open_at(const char *directory, uid_t uid, gid_t gid)
{
	char *path = mem_printf("%s/%s", directory, TALLY_NAME);
	struct cache_place place = {.dir = -1};
	struct tally_page *page = NULL;
	int saved_errno;

	if (path != NULL && cache_place_init(&place, path, uid, gid) == 0)
		page = open_in(&place);
	saved_errno = errno;
	cache_place_clear(&place);
	mem_free(path);
	errno = saved_errno;
	return page;
}

int
tally_open(struct tally *t, const char *directory, uid_t uid, gid_t gid,
    struct errtext *trouble)
{
	t->is_private = false;
	if ((t->page = open_at(directory, uid, gid)) != NULL)
		return 0;
	errtext_set(
	    trouble, "%s/%s: %s", directory, TALLY_NAME, strerror(errno));
	t->is_private = true;
	return (t->page = mem_new(sizeof(*t->page))) != NULL ? 0 : -1;
}

void
tally_close(struct tally *t)
{
	if (t->is_private)
		mem_free(t->page);
	else if (t->page != NULL)
		(void)munmap(t->page, sizeof(*t->page));
	t->page = NULL;
}
