/* SPDX-License-Identifier: ISC */
/* lookup/cache_queue.h - changes to the pass cache that wait for the writer.
 *
 * At most one item for each client; a change to a client that has one is folded
 * into it. Items that the writer has taken ("flying") stay findable until it
 * has committed them; a change that arrives meanwhile waits beside the flying
 * one.
 *
 * Owns:    the items.
 * Errors:  NULL/-1 with errno: ENOMEM, ENOBUFS (CACHE_QUEUE_MAX items).
 * Threads: none of its own; cache_writer calls it under its mutex. */
#ifndef DOORBELL_LOOKUP_CACHE_QUEUE_H
#define DOORBELL_LOOKUP_CACHE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "lookup/record.h"

struct cache_change {
	struct record_key key;
	struct record record; /* with `store` */
	bool forget;          /* first drop what was known */
	bool store;           /* then merge `record` in */
};

struct cache_queue;

struct cache_queue *cache_queue_new(void);
void cache_queue_free(struct cache_queue **q);

int cache_queue_add(struct cache_queue *q, const struct cache_change *change);
/* What will be done to `key`, flying and waiting changes as one. */
bool cache_queue_find(const struct cache_queue *q, const struct record_key *key,
    struct cache_change *change_r);

/* Let up to `max` waiting changes fly, oldest first, and copy them. Those that
 * fly already still do. */
size_t cache_queue_take(
    struct cache_queue *q, struct cache_change *batch, size_t max);
/* What was flying is done with: `max` of it. True if there is more. */
bool cache_queue_settle(struct cache_queue *q, size_t max);
/* What was flying waits again. */
void cache_queue_put_back(struct cache_queue *q);

size_t cache_queue_count(const struct cache_queue *q);   /* items */
size_t cache_queue_waiting(const struct cache_queue *q); /* of them waiting */

#endif
