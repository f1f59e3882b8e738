/* SPDX-License-Identifier: ISC */
#include "ops/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* A new file is written beside the old one and renamed over it, so that nobody
 * ever sees half of it. Its name is our own and must not exist: a link that
 * somebody left there is not followed. */

static int
read_all(int fd, struct buf *out)
{
	char part[16384];
	ssize_t got;

	while ((got = read(fd, part, sizeof(part))) != 0) {
		if (got < 0 && errno != EINTR)
			return -1;
		if (got > 0 && buf_add(out, part, (size_t)got) < 0)
			return -1;
	}
	return 0;
}

int
replace_read(
    const char *path, struct buf *out, struct stat *st_r, struct errtext *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1, saved;

	if (fd >= 0 && (st_r == NULL || fstat(fd, st_r) == 0) &&
	    read_all(fd, out) == 0)
		rc = 0;
	saved = errno;
	if (rc < 0)
		errtext_set(why, "%s: %s", path, strerror(saved));
	if (fd >= 0)
		close(fd);
	errno = saved;
	return rc;
}

static int
write_all(int fd, struct span bytes)
{
	ssize_t put;

	while (bytes.n > 0) {
		put = write(fd, bytes.p, bytes.n);
		if (put < 0 && errno != EINTR)
			return -1;
		if (put > 0)
			bytes = span_of(bytes.p + put, bytes.n - (size_t)put);
	}
	return 0;
}

static int
make_new(const char *path, struct span bytes, mode_t mode, uid_t uid, gid_t gid)
{
	int fd, saved;

	if (unlink(path) < 0 && errno != ENOENT)
		return -1;
	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (write_all(fd, bytes) < 0 || fchown(fd, uid, gid) < 0 ||
	    fchmod(fd, mode) < 0 || fsync(fd) < 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return close(fd);
}

int
replace_write(const char *path, struct span bytes, mode_t mode, uid_t uid,
    gid_t gid, struct errtext *why)
{
	char *fresh = mem_printf("%s.doorbellctl", path);
	int rc = -1;

	if (fresh == NULL || make_new(fresh, bytes, mode, uid, gid) < 0 ||
	    rename(fresh, path) < 0)
		errtext_set(why, "%s: %s", path, strerror(errno));
	else
		rc = 0;
	if (rc < 0 && fresh != NULL)
		(void)unlink(fresh);
	mem_free(fresh);
	return rc;
}
