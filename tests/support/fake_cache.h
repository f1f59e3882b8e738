/* SPDX-License-Identifier: ISC */
/* support/fake_cache.h - a pass cache in plain memory, without file or thread.
 *
 * Takes the place of lookup/cache.c. What is stored is "written" at once;
 * a sweep is over when cache_sweep() returns. */
#ifndef DOORBELL_TESTS_FAKE_CACHE_H
#define DOORBELL_TESTS_FAKE_CACHE_H

#include "lookup/cache.h"

/* From now on as after a failure of the file: nothing is found or stored.
 * The news says so with `why`. */
void fake_cache_fail(struct cache *c, const char *why);
/* Records known. */
size_t fake_cache_count(const struct cache *c);
/* What cache_open() got. */
const char *fake_cache_path(const struct cache *c);

#endif
