/* SPDX-License-Identifier: ISC */
#include "base/map.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/must.h"

/* While the map grows there are two bucket arrays. Buckets of the old one
 * below `moved` are empty, their links live in the new one; at and above it
 * nothing has moved. A hash therefore has exactly one home at any time
 * (home_of), and a search never looks into two chains. Growing begins when
 * there is a link per bucket and doubles the array; as every map_add() moves
 * MOVED_PER_ADD buckets, it is over long before the next doubling. Only
 * map_add() moves anything, so map_each() may remove while it walks. */

#define FIRST_BUCKETS 16 /* a power of two, as every size after it */
#define MOVED_PER_ADD 4

struct map {
	struct map_link **buckets;
	size_t mask;           /* number of buckets - 1 */
	struct map_link **old; /* NULL unless growing */
	size_t old_mask;
	size_t moved; /* buckets of `old` emptied so far */
	size_t count;
	uint64_t secret[2];
};

/* --- SipHash-2-4 (Aumasson and Bernstein, 2012) ------------------------- */

static uint64_t
rotated(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void
sip_rounds(uint64_t v[4], unsigned rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotated(v[1], 13) ^ v[0];
		v[3] = rotated(v[3], 16) ^ v[2];
		v[0] = rotated(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotated(v[1], 17) ^ v[2];
		v[3] = rotated(v[3], 21) ^ v[0];
		v[2] = rotated(v[2], 32);
	}
}

static uint64_t
little_endian(const unsigned char *p, size_t n)
{
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

static void
sip_absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
}

static uint64_t
sip_hash(const uint64_t secret[2], const void *key, size_t n)
{
	const unsigned char *p = key;
	uint64_t length_byte = (uint64_t)n << 56;
	uint64_t v[4] = {
	    secret[0] ^ UINT64_C(0x736f6d6570736575),
	    secret[1] ^ UINT64_C(0x646f72616e646f6d),
	    secret[0] ^ UINT64_C(0x6c7967656e657261),
	    secret[1] ^ UINT64_C(0x7465646279746573),
	};

	for (; n >= 8; p += 8, n -= 8)
		sip_absorb(v, little_endian(p, 8));
	sip_absorb(v, length_byte | little_endian(p, n));
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- the table ---------------------------------------------------------- */

static int
draw_secret(uint64_t secret[2])
{
	const size_t n = 2 * sizeof(secret[0]);
	ssize_t got;

	do
		got = getrandom(secret, n, 0);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)n ? 0 : -1;
}

struct map *
map_new(void)
{
	struct map *map = mem_new(sizeof(*map));

	if (map == NULL)
		return NULL;
	map->mask = FIRST_BUCKETS - 1;
	map->buckets = mem_array(FIRST_BUCKETS, sizeof(struct map_link *));
	if (map->buckets == NULL || draw_secret(map->secret) < 0)
		map_free(&map);
	return map;
}

void
map_free(struct map **map)
{
	if (*map == NULL)
		return;
	mem_free((*map)->buckets);
	mem_free((*map)->old);
	mem_free(*map);
	*map = NULL;
}

static struct map_link **
home_of(const struct map *map, uint32_t hash)
{
	if (map->old != NULL && (hash & map->old_mask) >= map->moved)
		return &map->old[hash & map->old_mask];
	return &map->buckets[hash & map->mask];
}

static void
push(struct map_link **bucket, struct map_link *link)
{
	link->next = *bucket;
	*bucket = link;
}

static void
move_one_bucket(struct map *map)
{
	struct map_link *link = map->old[map->moved], *next;

	map->old[map->moved++] = NULL;
	for (; link != NULL; link = next) {
		next = link->next;
		push(home_of(map, link->hash), link);
	}
	if (map->moved > map->old_mask) {
		mem_free(map->old);
		map->old = NULL;
	}
}

/* Without memory for it the map stays as it is, and the next add asks again. */
static void
begin_growing(struct map *map)
{
	struct map_link **buckets;

	if (map->mask >= UINT32_MAX / 2)
		return;
	buckets = mem_array((map->mask + 1) * 2, sizeof(struct map_link *));
	if (buckets == NULL)
		return;
	map->old = map->buckets;
	map->old_mask = map->mask;
	map->moved = 0;
	map->buckets = buckets;
	map->mask = map->mask * 2 + 1;
}

void
map_add(struct map *map, struct map_link *link, const void *key, size_t key_n)
{
	int saved_errno = errno;

	must(key_n <= UINT32_MAX);
	if (map->old == NULL && map->count > map->mask)
		begin_growing(map);
	for (int i = 0; i < MOVED_PER_ADD && map->old != NULL; i++)
		move_one_bucket(map);
	link->hash = (uint32_t)sip_hash(map->secret, key, key_n);
	link->key = key;
	link->key_n = (uint32_t)key_n;
	push(home_of(map, link->hash), link);
	map->count++;
	errno = saved_errno;
}

struct map_link *
map_find(const struct map *map, const void *key, size_t key_n)
{
	uint32_t hash = (uint32_t)sip_hash(map->secret, key, key_n);
	struct map_link *link = *home_of(map, hash);

	for (; link != NULL; link = link->next)
		if (link->hash == hash && link->key_n == key_n &&
		    (key_n == 0 || memcmp(link->key, key, key_n) == 0))
			return link;
	return NULL;
}

void
map_remove(struct map *map, struct map_link *link)
{
	struct map_link **at = home_of(map, link->hash);

	while (*at != NULL && *at != link)
		at = &(*at)->next;
	must(*at == link);
	*at = link->next;
	link->next = NULL;
	map->count--;
}

size_t
map_count(const struct map *map)
{
	return map->count;
}

static void
each_in(struct map_link *link, map_each_fn *fn, void *arg)
{
	struct map_link *next;

	for (; link != NULL; link = next) {
		next = link->next;
		fn(link, arg);
	}
}

void
map_each(struct map *map, map_each_fn *fn, void *arg)
{
	if (map->old != NULL)
		for (size_t i = map->moved; i <= map->old_mask; i++)
			each_in(map->old[i], fn, arg);
	for (size_t i = 0; i <= map->mask; i++)
		each_in(map->buckets[i], fn, arg);
}
