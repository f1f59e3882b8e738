/* SPDX-License-Identifier: ISC */
#include "table/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* Change is told by device, inode, size, mtime and ctime. These do not tell a
 * file that was written again within one tick of the file system's clock, so
 * a file that was young when it was read is read again until it has settled;
 * a digest says whether there was anything new. Only then is a file that was
 * caught half-written sure to end up right.
 *
 * A directory that may no longer be searched (privileges were dropped) hides
 * all change, and so does a symbolic link whose target is out of reach (the
 * root was changed): no news is what that looks like, not a vanished file. */

enum { SETTLE_S = 2, READ_CHUNK_BYTES = 64 * 1024 };

void
watch_init(struct watch *w)
{
	*w = (struct watch){.dir = -1};
}

void
watch_close(struct watch *w)
{
	if (w->dir >= 0)
		close(w->dir);
	mem_free(w->name);
	watch_init(w);
}

static int
open_directory(const char *path, const char *slash)
{
	char *directory;
	int dir;

	if (slash == NULL)
		return open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	directory = mem_strndup(path, (size_t)(slash - path) + 1);
	if (directory == NULL)
		return -1;
	dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	mem_free(directory);
	return dir;
}

int
watch_open(struct watch *w, const char *path, const char *suffix)
{
	const char *slash = strrchr(path, '/');

	watch_init(w);
	w->dir = open_directory(path, slash);
	if (w->dir < 0)
		return -1;
	w->name = mem_printf("%s%s", slash == NULL ? path : slash + 1, suffix);
	if (w->name == NULL) {
		watch_close(w);
		return errno = ENOMEM, -1;
	}
	w->present = fstatat(w->dir, w->name, &w->seen, 0) == 0;
	return 0;
}

static bool
is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       is_same_time(&a->st_mtim, &b->st_mtim) &&
	       is_same_time(&a->st_ctim, &b->st_ctim);
}

static bool
is_young(const struct stat *st)
{
	int64_t age_s = clock_wall().s - (int64_t)st->st_mtim.tv_sec;

	return age_s >= -SETTLE_S && age_s <= SETTLE_S;
}

/* After a failed fstatat(2): is that for want of the file? */
static bool
is_gone(const struct watch *w)
{
	struct stat link;

	if (errno == EACCES || errno == EPERM)
		return false;
	return fstatat(w->dir, w->name, &link, AT_SYMLINK_NOFOLLOW) < 0 ||
	       !S_ISLNK(link.st_mode);
}

enum watch_look
watch_look(struct watch *w)
{
	struct stat now;
	bool was_present = w->present;

	if (w->dir < 0)
		return WATCH_SAME;
	if (fstatat(w->dir, w->name, &now, 0) < 0) {
		if (!is_gone(w))
			return WATCH_SAME;
		w->present = false;
		w->has_digest = false;
		return was_present ? WATCH_GONE : WATCH_SAME;
	}
	if (was_present && !w->unsettled && is_same_file(&now, &w->seen))
		return WATCH_SAME;
	w->is_second_look = was_present && is_same_file(&now, &w->seen);
	w->present = true;
	w->unsettled = false;
	w->seen = now;
	return WATCH_CHANGED;
}

void
watch_forget(struct watch *w)
{
	w->unsettled = true;
	w->has_digest = false;
}

static int
read_all(int fd, struct buf *out)
{
	size_t room;
	ssize_t got;
	char *p;

	for (;;) {
		room = out->max - out->n;
		if (room > READ_CHUNK_BYTES)
			room = READ_CHUNK_BYTES;
		p = buf_reserve(out, room);
		if (p == NULL)
			return -1;
		if (room == 0)
			return errno = EFBIG, -1;
		got = read(fd, p, room);
		if (got < 0 && errno != EINTR)
			return -1;
		if (got == 0)
			return 0;
		if (got > 0)
			out->n += (size_t)got;
	}
}

/* FNV-1a: it only has to notice an edit, nobody gains from a collision that
 * could not simply have left the file alone. */
static uint64_t
digest_of(struct span text)
{
	uint64_t digest = 0xcbf29ce484222325u;

	for (size_t i = 0; i < text.n; i++)
		digest = (digest ^ (unsigned char)text.p[i]) * 0x100000001b3u;
	return digest ^ text.n;
}

static int
read_file(struct watch *w, struct buf *out)
{
	int fd, rc, saved_errno;

	/* O_NONBLOCK: a FIFO must not hold us up. */
	fd = openat(
	    w->dir, w->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -1;
	rc = fstat(fd, &w->seen);
	if (rc == 0)
		rc = read_all(fd, out);
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return rc;
}

int
watch_read(struct watch *w, struct buf *out)
{
	uint64_t digest;
	bool is_news;

	if (w->dir < 0)
		return errno = ENOENT, -1;
	if (read_file(w, out) < 0) {
		/* What is wrong with us is no property of the file. */
		if (errno == ENOMEM || errno == EMFILE || errno == ENFILE)
			watch_forget(w);
		return -1;
	}
	w->present = true;
	w->unsettled = is_young(&w->seen);
	digest = digest_of(buf_span(out));
	is_news = !w->has_digest || digest != w->digest;
	w->has_digest = true;
	w->digest = digest;
	return is_news;
}

enum table_change
watch_fetch(
    struct watch *w, const char *name, struct buf *text, struct errtext *why)
{
	int rc;

	switch (watch_look(w)) {
	case WATCH_SAME:
		return TABLE_SAME;
	case WATCH_GONE:
		errtext_set(why, "%s: the file is gone", name);
		return TABLE_BROKEN;
	case WATCH_CHANGED:
		break;
	}
	rc = watch_read(w, text);
	if (rc >= 0)
		return rc > 0 ? TABLE_RELOADED : TABLE_SAME;
	if (errno != EACCES && errno != EPERM) {
		errtext_set(why, "%s: %s", name, strerror(errno));
		return TABLE_BROKEN;
	}
	/* Read when it was young, with more rights than we have now. */
	if (w->is_second_look)
		return TABLE_SAME;
	errtext_set(why, "%s", name);
	return TABLE_STALE;
}
