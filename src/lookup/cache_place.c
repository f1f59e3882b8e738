/* SPDX-License-Identifier: ISC */
#include "lookup/cache_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

/* LMDB takes path names only, and our directory may lie outside the root when
 * a drain child opens the file anew. So we go there by descriptor, open by the
 * bare name and come back: the daemon's socket paths are relative to its
 * working directory. Files are created with the owner's effective user, never
 * made by root and given away: who owns the directory could have a link waiting
 * there. */

static int
split_path(const char *path, size_t *dir_n, char name[NAME_MAX + 1])
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	size_t n = strlen(base);

	if (n == 0) {
		errno = EISDIR;
		return -1;
	}
	/* Room for the longest name that we make of it. */
	if (n > NAME_MAX - strlen(".broken-lock")) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name, base, n + 1);
	*dir_n = (size_t)(base - path);
	return 0;
}

int
cache_place_init(
    struct cache_place *place, const char *path, uid_t uid, gid_t gid)
{
	size_t dir_n;
	char *dir;

	*place = (struct cache_place){.dir = -1, .uid = uid, .gid = gid};
	if ((place->path = mem_strdup(path)) == NULL ||
	    split_path(path, &dir_n, place->name) < 0)
		return -1;
	dir = dir_n > 0 ? mem_strndup(path, dir_n) : mem_strdup(".");
	if (dir == NULL)
		return -1;
	place->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	mem_free(dir);
	return place->dir < 0 ? -1 : 0;
}

void
cache_place_clear(struct cache_place *place)
{
	if (place->dir >= 0)
		close(place->dir);
	place->dir = -1;
	mem_free(place->path);
	place->path = NULL;
}

static int
become(const struct cache_place *place, struct cache_visit *v)
{
	v->euid = geteuid();
	v->egid = getegid();
	v->is_other_user = v->euid == 0 && place->uid != (uid_t)-1;
	if (!v->is_other_user)
		return 0;
	if (place->gid != (gid_t)-1 && setegid(place->gid) < 0)
		return -1;
	return seteuid(place->uid);
}

static int
become_again(const struct cache_visit *v)
{
	if (!v->is_other_user)
		return 0;
	return seteuid(v->euid) < 0 || setegid(v->egid) < 0 ? -1 : 0;
}

int
cache_place_enter(const struct cache_place *place, struct cache_visit *visit)
{
	int saved_errno;

	if ((visit->cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return -1;
	if (become(place, visit) == 0 && fchdir(place->dir) == 0)
		return 0;
	saved_errno = errno;
	cache_place_leave(visit);
	errno = saved_errno;
	return -1;
}

int
cache_place_leave(struct cache_visit *visit)
{
	int rc = become_again(visit);

	if (fchdir(visit->cwd) < 0)
		rc = -1;
	close(visit->cwd);
	return rc;
}

void
cache_place_name(const struct cache_place *place, const char *suffix,
    char name_r[NAME_MAX + 1])
{
	size_t n = strlen(place->name);

	must(n + strlen(suffix) <= NAME_MAX);
	memcpy(name_r, place->name, n);
	memcpy(name_r + n, suffix, strlen(suffix) + 1);
}

bool
cache_place_had_crashed(const struct cache_place *place)
{
	char from[NAME_MAX + 1], to[NAME_MAX + 1];

	cache_place_name(place, CACHE_PLACE_CRASHED, from);
	cache_place_name(place, ".broken", to);
	return renameat(place->dir, from, place->dir, to) == 0;
}

int
cache_place_set_aside(
    const struct cache_place *place, const struct stat *before)
{
	char from[NAME_MAX + 1], to[NAME_MAX + 1];
	struct stat now;

	/* Another process may have found the same fault, renamed the file and
	 * begun a new one by now. */
	if (fstatat(place->dir, place->name, &now, 0) < 0)
		return errno == ENOENT ? 0 : -1;
	if (now.st_ino != before->st_ino || now.st_dev != before->st_dev)
		return 0;
	cache_place_name(place, ".broken", to);
	if (renameat(place->dir, place->name, place->dir, to) < 0)
		return -1;
	/* A new file must not inherit the transaction numbers in the lock. */
	cache_place_name(place, "-lock", from);
	cache_place_name(place, ".broken-lock", to);
	if (renameat(place->dir, from, place->dir, to) < 0 && errno != ENOENT)
		return -1;
	return 0;
}
