/* SPDX-License-Identifier: ISC */
#include "support/disk_log.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/must.h"

/* A function of the program takes the place of the C library's for shared
 * libraries, too. There is one thread. */

enum { EVENTS_MAX = 20000, SECTOR = 512 };

struct event {
	enum { WRITTEN, CUT, SYNCED } what;
	bool durable; /* O_DSYNC: on the disk when it returns */
	off_t at;     /* or the new length */
	size_t n;
	char *bytes;
};

static struct event events[EVENTS_MAX];
static size_t event_count;
static const char *watched;

static bool
is_watched(int fd)
{
	struct stat here, there;

	return watched != NULL && fstat(fd, &here) == 0 &&
	       stat(watched, &there) == 0 && here.st_dev == there.st_dev &&
	       here.st_ino == there.st_ino;
}

static struct event *
note(int fd)
{
	struct event *e = &events[event_count++];

	must(event_count <= EVENTS_MAX);
	*e = (struct event){.durable = (fcntl(fd, F_GETFL) & O_DSYNC) != 0};
	return e;
}

static void
note_written(int fd, const void *p, size_t n, off_t at)
{
	struct event *e = note(fd);

	e->what = WRITTEN;
	e->at = at;
	e->n = n;
	e->bytes = malloc(n);
	must(e->bytes != NULL);
	memcpy(e->bytes, p, n);
}

/* --- in the place of the C library ------------------------------------------ */
ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	ssize_t done = syscall(SYS_pwrite64, fd, p, n, at);

	if (done > 0 && is_watched(fd))
		note_written(fd, p, (size_t)done, at);
	return done;
}

ssize_t
write(int fd, const void *p, size_t n)
{
	bool noted = is_watched(fd);
	off_t at = noted ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t done = syscall(SYS_write, fd, p, n);

	if (done > 0 && noted)
		note_written(fd, p, (size_t)done, at);
	return done;
}

ssize_t
writev(int fd, const struct iovec *v, int count)
{
	bool noted = is_watched(fd);
	off_t at = noted ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t done = syscall(SYS_writev, fd, v, count);

	for (ssize_t left = done; noted && left > 0; v++) {
		size_t n = v->iov_len;

		if (n > (size_t)left)
			n = (size_t)left;
		note_written(fd, v->iov_base, n, at);
		at += (off_t)n;
		left -= (ssize_t)n;
	}
	return done;
}

int
ftruncate(int fd, off_t length)
{
	int rc = (int)syscall(SYS_ftruncate, fd, length);

	if (rc == 0 && is_watched(fd)) {
		struct event *e = note(fd);

		e->what = CUT;
		e->at = length;
	}
	return rc;
}

int
fdatasync(int fd)
{
	int rc = (int)syscall(SYS_fdatasync, fd);

	if (rc == 0 && is_watched(fd))
		note(fd)->what = SYNCED;
	return rc;
}

int
fsync(int fd)
{
	int rc = (int)syscall(SYS_fsync, fd);

	if (rc == 0 && is_watched(fd))
		note(fd)->what = SYNCED;
	return rc;
}

/* --- the test's side --------------------------------------------------------- */
void
disk_log_start(const char *path)
{
	watched = path;
}

void
disk_log_stop(void)
{
	watched = NULL;
}

size_t
disk_log_count(void)
{
	return event_count;
}

size_t
disk_log_syncs(void)
{
	size_t n = 0;

	for (size_t i = 0; i < event_count; i++)
		n += events[i].what == SYNCED || events[i].durable;
	return n;
}

void
disk_log_forget(void)
{
	for (size_t i = 0; i < event_count; i++)
		free(events[i].bytes);
	event_count = 0;
}

/* The disk, while the file is made. */
struct image {
	char *bytes;
	size_t n, room;
};

static void
reach(struct image *disk, size_t n)
{
	if (n > disk->room) {
		disk->bytes = realloc(disk->bytes, 2 * n);
		must(disk->bytes != NULL);
		memset(disk->bytes + disk->room, 0, 2 * n - disk->room);
		disk->room = 2 * n;
	}
	if (n > disk->n)
		disk->n = n;
}

static bool
toss(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 30 & 1) != 0;
}

static void
apply(struct image *disk, const struct event *e, bool torn, uint32_t *seed)
{
	size_t at = (size_t)e->at;

	if (e->what == CUT) {
		reach(disk, at);
		memset(disk->bytes + at, 0, disk->n - at);
		disk->n = at;
	}
	for (size_t i = 0; e->what == WRITTEN && i < e->n; i += SECTOR) {
		size_t n = e->n - i < SECTOR ? e->n - i : SECTOR;

		if (torn && toss(seed))
			continue;
		reach(disk, at + i + n);
		memcpy(disk->bytes + at + i, e->bytes + i, n);
	}
}

static size_t
last_sync(size_t n)
{
	while (n > 0 && events[n - 1].what != SYNCED)
		n--;
	return n;
}

void
disk_log_rebuild(size_t n, enum disk_luck luck, uint32_t seed, const char *path)
{
	struct image disk = {.n = 0};
	size_t synced = last_sync(n);
	FILE *fp;

	for (size_t i = 0; i < n; i++) {
		const struct event *e = &events[i];
		bool sure = i < synced || e->durable || luck == DISK_LUCK_GOOD;

		if (sure)
			apply(&disk, e, false, &seed);
		else if (luck == DISK_LUCK_ANY && toss(&seed))
			apply(&disk, e, toss(&seed), &seed);
	}
	fp = fopen(path, "we");
	must(fp != NULL);
	must(disk.n == 0 || fwrite(disk.bytes, 1, disk.n, fp) == disk.n);
	must(fclose(fp) == 0);
	free(disk.bytes);
}
