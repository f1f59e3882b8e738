/* SPDX-License-Identifier: ISC */
/* lookup/cache_total.h - totals of hours, which the cache file keeps beside the
 * passes.
 *
 * What they count is somebody else's: a total is bytes, and a function that
 * makes one of two. Several processes add to the same hour. Totals that are
 * CACHE_TOTAL_HOURS older than the newest one go.
 *
 * Owns:    a total owns its bytes.
 * Units:   hours since 1970.
 * Errors:  NULL with errno; codes of LMDB, which are errno's when positive.
 * Threads: the function runs on the writer's thread: no state, no log. */
#ifndef DOORBELL_LOOKUP_CACHE_TOTAL_H
#define DOORBELL_LOOKUP_CACHE_TOTAL_H

#include <stdint.h>

#include "base/buf.h"

#define CACHE_TOTAL_BYTES_MAX (128 * 1024)
#define CACHE_TOTAL_HOURS (400 * 24)
#define CACHE_TOTALS_WAITING_MAX 4

/* 0, or -1 when there is no memory: then `stored` stays as it is. */
typedef int cache_merge_fn(
    struct span stored, struct span more, struct buf *out);

struct cache_total {
	uint32_t hour;
	cache_merge_fn *merge;
	struct buf bytes;
};

struct cache_total *cache_total_new(
    uint32_t hour, struct span bytes, cache_merge_fn *merge);
void cache_total_free(struct cache_total **total);

/* Of a total that is kept; valid inside. */
typedef void cache_total_fn(uint32_t hour, struct span bytes, void *arg);

struct MDB_txn;
int cache_total_put(
    struct MDB_txn *txn, unsigned database, const struct cache_total *total);
/* All from that hour on, ascending. */
int cache_total_walk(struct MDB_txn *txn, unsigned database, uint32_t from,
    cache_total_fn *fn, void *arg);

#endif
