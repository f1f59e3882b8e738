/* SPDX-License-Identifier: ISC */
/* lookup/cache_place.h - where the cache file is, and the way there.
 *
 * The directory is known by descriptor, so the place stays good after
 * chroot(2), setuid(2) and fork(2).
 *
 * Owns:    the descriptor and the path.
 * Errors:  0/-1 with errno.
 * Threads: while inside, the whole process has another working directory and
 *          effective user; call on the loop's thread, never while another one
 *          opens files. */
#ifndef DOORBELL_LOOKUP_CACHE_PLACE_H
#define DOORBELL_LOOKUP_CACHE_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct cache_place {
	int dir;                 /* descriptor of the directory, or -1 */
	char name[NAME_MAX + 1]; /* in it */
	char *path;              /* for texts */
	uid_t uid;               /* who shall own new files; (uid_t)-1: we */
	gid_t gid;
};

int cache_place_init(
    struct cache_place *place, const char *path, uid_t uid, gid_t gid);
void cache_place_clear(struct cache_place *place);

/* What the file is renamed to by a process that dies of it. */
#define CACHE_PLACE_CRASHED ".crashed"

/* The name with something behind it; all that this project puts there fits. */
void cache_place_name(const struct cache_place *place, const char *suffix,
    char name_r[NAME_MAX + 1]);

/* Where we were. */
struct cache_visit {
	int cwd;
	uid_t euid;
	gid_t egid;
	bool is_other_user;
};
/* Go to the directory, as the user who shall own the files. */
int cache_place_enter(
    const struct cache_place *place, struct cache_visit *visit);
int cache_place_leave(struct cache_visit *visit);

/* Rename the file to NAME.broken, its lock file likewise, when it is
 * still the file that `before` tells of. */
int cache_place_set_aside(
    const struct cache_place *place, const struct stat *before);
/* A file that a process died of becomes NAME.broken; true when there was one. */
bool cache_place_had_crashed(const struct cache_place *place);

#endif
