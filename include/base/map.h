/* SPDX-License-Identifier: ISC */
/* base/map.h - a hash table of things that carry their own link.
 *
 * Intrusive: the element embeds a struct map_link (find it back with
 * OWNER_OF from base/mem.h) and the map only chains links, so storing allocates nothing but bucket arrays. Keys are bytes inside
 * the element, hashed with SipHash-2-4 under a random key: a client that picks
 * addresses cannot make chains long. Growing moves a few buckets per insert,
 * never all at once.
 *
 * Owns:    the buckets. Elements belong to the caller.
 * Errors:  map_add() cannot fail once the map exists: when there is no memory
 *          for more buckets the chains get longer. */
#ifndef DOORBELL_BASE_MAP_H
#define DOORBELL_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_link {
	struct map_link *next;
	const void *key; /* inside the element, stable while stored */
	uint32_t key_n;
	uint32_t hash; /* the lower half */
};

struct map;

struct map *map_new(void);       /* NULL with errno */
void map_free(struct map **map); /* elements are left alone */
/* The key must not be stored yet. */
void map_add(
    struct map *map, struct map_link *link, const void *key, size_t key_n);
struct map_link *map_find(const struct map *map, const void *key, size_t key_n);
void map_remove(struct map *map, struct map_link *link);
size_t map_count(const struct map *map);
/* Any order; `fn` may remove the link it is given. Not for hot paths. */
typedef void map_each_fn(struct map_link *link, void *arg);
void map_each(struct map *map, map_each_fn *fn, void *arg);

#endif
