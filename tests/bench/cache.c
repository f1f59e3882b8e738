/* SPDX-License-Identifier: ISC */
/* The pass cache by itself, as the event loop sees it: fill it, look clients up,
 * sweep it, and tell what that took.
 *
 *	cache FILE CLIENTS [keep]
 *
 * With "keep" it only fills the file. All that is stored has expired, so that
 * the sweep has everything to do. A stall is the longest call that the loop
 * made while the writer swept; calls during which the kernel took the processor
 * away from us (an involuntary switch) are left out, because that is not the
 * cache's doing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/kit.h"
#include "lookup/cache.h"

#define LOOKUPS 1000000
#define NAP_US 200

static struct record_key
key_of(uint32_t i)
{
	struct addr a;
	char text[64];

	/* Neighbours in time are strangers in the tree. */
	i *= 2654435761U;
	snprintf(text, sizeof(text), "%u.%u.%u.%u", i >> 24, i >> 16 & 255,
	    i >> 8 & 255, i & 255);
	if (addr_parse(span_str(text), &a) < 0)
		kit_die(text);
	return record_key_of(&a, 32, 64);
}

/* Made before anything is measured. */
static struct record_key *
make_keys(uint32_t clients)
{
	struct record_key *keys = kit_zeroed(clients, sizeof(*keys));

	for (uint32_t i = 0; i < clients; i++)
		keys[i] = key_of(i);
	return keys;
}

static int64_t
cpu_us(int who)
{
	struct rusage r;

	getrusage(who, &r);
	return (int64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
	       r.ru_utime.tv_usec + r.ru_stime.tv_usec;
}

static long
switches(void)
{
	struct rusage r;

	getrusage(RUSAGE_THREAD, &r);
	return r.ru_nivcsw;
}

static void
drain(struct cache *c)
{
	while (cache_backlog(c) > 0)
		usleep(NAP_US);
}

static double
fill(struct cache *c, const struct record_key *keys, uint32_t clients)
{
	struct record r;
	int64_t began = cpu_us(RUSAGE_SELF);
	struct wall before = clock_wall();

	for (int slot = 0; slot < RECORD_SLOTS; slot++)
		r.expires[slot] = wall_after(before, -3600);
	for (uint32_t i = 0; i < clients; i++) {
		while (cache_backlog(c) > CACHE_QUEUE_MAX / 2)
			usleep(NAP_US);
		if (cache_store(c, &keys[i], &r) < 0)
			kit_die("cache_store");
	}
	drain(c);
	return (double)(cpu_us(RUSAGE_SELF) - began) / clients;
}

static double
look_up(struct cache *c, const struct record_key *keys, uint32_t clients)
{
	struct record r;
	uint32_t found = 0;
	int64_t began = cpu_us(RUSAGE_THREAD);

	for (uint32_t i = 0; i < LOOKUPS; i++) {
		if (cache_find(c, &keys[(i * 48271U) % clients], &r))
			found++;
	}
	if (found != LOOKUPS)
		kit_die("clients are missing");
	return (double)(cpu_us(RUSAGE_THREAD) - began) / LOOKUPS;
}

/* The longest call while it is swept, in us. */
static int64_t
sweep(struct cache *c, const struct record_key *keys, uint32_t clients)
{
	struct cache_news news;
	int64_t longest = 0;
	uint64_t dropped = 0;

	cache_sweep(c, clock_wall());
	for (uint32_t i = 0;; i++) {
		const struct record_key *key = &keys[i % clients];
		struct record r;
		long before = switches();
		int64_t took = kit_now_us();

		if (cache_find(c, key, &r) && i % 64 == 0)
			cache_forget(c, key);
		if (i % 1024 == 0) {
			cache_take_news(c, &news);
			dropped += news.swept ? news.dropped : 0;
		}
		took = kit_now_us() - took;
		if (switches() == before && took > longest)
			longest = took;
		if (dropped > 0)
			return longest;
	}
}

int
main(int argc, char **argv)
{
	struct cache_options o = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	struct errtext why;
	struct record_key *keys;
	struct cache *c;
	uint32_t clients;
	double update, lookup;

	if (argc < 3)
		return 2;
	kit_settle();
	o.path = argv[1];
	clients = kit_number(argv[2], 1000, 100000000);
	if ((c = cache_open(&o, &why)) == NULL || !cache_is_usable(c) ||
	    cache_start(c, &why) < 0)
		kit_die(argv[1]);
	keys = make_keys(clients);
	update = fill(c, keys, clients);
	if (argc == 3) {
		lookup = look_up(c, keys, clients);
		printf("{\"lookup_us\": %.2f, \"update_us\": %.2f, "
		       "\"stall_us\": %lld}\n",
		    lookup, update, (long long)sweep(c, keys, clients));
	}
	cache_close(&c);
	free(keys);
	return 0;
}
