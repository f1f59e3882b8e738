/* SPDX-License-Identifier: ISC */
/* support/cache_dir.h - a directory of its own for each test of the cache. */
#ifndef DOORBELL_TESTS_CACHE_DIR_H
#define DOORBELL_TESTS_CACHE_DIR_H

#include <stdbool.h>

#include "lookup/cache.h"

struct cache_dir {
	char dir[256];
	char path[256 + 16]; /* "pass" in it */
	size_t map_bytes;    /* small enough for valgrind */
};

/* For cmocka; *state becomes a struct cache_dir. */
int cache_dir_setup(void **state);
int cache_dir_teardown(void **state);

struct cache_options cache_dir_options(const struct cache_dir *d);
/* The cache in it, which is usable, and the same with its writer; or the test
 * fails. */
struct cache *cache_dir_open(const struct cache_dir *d);
struct cache *cache_dir_start(const struct cache_dir *d);
void cache_dir_empty(const struct cache_dir *d);
bool cache_dir_has(const struct cache_dir *d, const char *name);
/* The i-th client. */
struct record_key cache_dir_key(unsigned i);
bool cache_dir_knows(struct cache *c, unsigned i);

#endif
