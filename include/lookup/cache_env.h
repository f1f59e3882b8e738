/* SPDX-License-Identifier: ISC */
/* lookup/cache_env.h - an LMDB environment with the databases of the cache.
 *
 * Owns:    what is open in it.
 * Errors:  the codes of LMDB, which are errno's when positive.
 * Threads: as LMDB has it; all calls are made inside cache_guard. */
#ifndef DOORBELL_LOOKUP_CACHE_ENV_H
#define DOORBELL_LOOKUP_CACHE_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "lookup/cache_place.h"

struct MDB_env;
struct MDB_txn;

struct cache_env {
	struct MDB_env *env;
	struct MDB_txn *reading; /* the loop's; reset between lookups */
	unsigned pass;           /* the database */
	unsigned notes;          /* and the one beside it */
	bool has_notes;          /* not in an old file that is opened to read */
	unsigned totals;         /* of hours */
	bool has_totals;
	struct stat opened; /* which file this is, whatever has its name now */
};

/* In the directory of `place`. After a failure, too, it is to be closed. */
int cache_env_open(
    struct cache_env *e, const struct cache_place *place, size_t map_bytes);
/* The same without making, mending or renaming anything; MDB_NOTFOUND when the
 * cache's database is not there. */
int cache_env_open_to_read(
    struct cache_env *e, const struct cache_place *place, size_t map_bytes);
void cache_env_close(struct cache_env *e);

/* The file itself is the fault: it can be set aside. */
bool cache_env_is_unsound(int rc);
/* After a commit: make the file as long as its meta page says. */
void cache_env_mend_length(struct MDB_env *env);

#endif
