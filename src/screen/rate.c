/* SPDX-License-Identifier: ISC */
#include "screen/rate.h"

#include <string.h>
#include <sys/queue.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"

/* Each entry is a ring of counts, one for each step of the window; `newest` is
 * the step that was counted in last, and what lies more than a window behind
 * the present one is read as zero. Entries are chained by their last event, so
 * those that have nothing left to tell stand at the front: each event takes up
 * to two of them away, and adds at most one. */

enum { FORGET_AT_ONCE = 2 };

struct entry {
	struct map_link link;
	TAILQ_ENTRY(entry) by_age;
	int64_t newest; /* step */
	struct record_key key;
	uint16_t counts[RATE_SLOTS]; /* of step n in [n % RATE_SLOTS] */
};
TAILQ_HEAD(entry_list, entry);

struct rate {
	struct map *map;
	struct entry_list by_age; /* longest without an event first */
	size_t entries_max;
	int64_t step_ms;
};

struct rate *
rate_new(int64_t window_ms, size_t entries_max)
{
	struct rate *r = mem_new(sizeof(*r));

	must(window_ms >= RATE_SLOTS && window_ms % RATE_SLOTS == 0);
	must(entries_max > 0);
	if (r != NULL && (r->map = map_new()) == NULL) {
		mem_free(r);
		r = NULL;
	}
	if (r == NULL)
		return NULL;
	TAILQ_INIT(&r->by_age);
	r->entries_max = entries_max;
	r->step_ms = window_ms / RATE_SLOTS;
	return r;
}

static void
forget(struct rate *r, struct entry *e)
{
	map_remove(r->map, &e->link);
	TAILQ_REMOVE(&r->by_age, e, by_age);
	mem_free(e);
}

void
rate_free(struct rate **rp)
{
	struct rate *r = *rp;
	struct entry *e;

	*rp = NULL;
	if (r == NULL)
		return;
	while ((e = TAILQ_FIRST(&r->by_age)) != NULL)
		forget(r, e);
	map_free(&r->map);
	mem_free(r);
}

static int64_t
step_of(const struct rate *r, struct mono now)
{
	return now.ms / r->step_ms;
}

static struct entry *
find(const struct rate *r, const struct record_key *key)
{
	struct map_link *link = map_find(r->map, key->bytes, key->n);

	return link != NULL ? OWNER_OF(link, struct entry, link) : NULL;
}

static void
forget_old(struct rate *r, int64_t step)
{
	struct entry *e;

	for (int i = 0; i < FORGET_AT_ONCE; i++) {
		e = TAILQ_FIRST(&r->by_age);
		if (e == NULL || step - e->newest < RATE_SLOTS)
			return;
		forget(r, e);
	}
}

static struct entry *
add_entry(struct rate *r, const struct record_key *key, int64_t step)
{
	struct entry *e = mem_new(sizeof(*e));

	if (e == NULL)
		return NULL;
	if (map_count(r->map) >= r->entries_max)
		forget(r, TAILQ_FIRST(&r->by_age));
	e->key = *key;
	e->newest = step;
	map_add(r->map, &e->link, e->key.bytes, e->key.n);
	TAILQ_INSERT_TAIL(&r->by_age, e, by_age);
	return e;
}

/* The steps without an event, up to the present one, begin at zero. */
static void
move_on(struct entry *e, int64_t step)
{
	if (step - e->newest >= RATE_SLOTS)
		memset(e->counts, 0, sizeof(e->counts));
	else
		while (e->newest < step)
			e->counts[++e->newest % RATE_SLOTS] = 0;
	e->newest = step;
}

void
rate_add(struct rate *r, const struct record_key *key, struct mono now)
{
	int64_t step = step_of(r, now);
	struct entry *e;
	uint16_t *count;

	forget_old(r, step);
	if ((e = find(r, key)) == NULL && (e = add_entry(r, key, step)) == NULL)
		return;
	move_on(e, step);
	TAILQ_REMOVE(&r->by_age, e, by_age);
	TAILQ_INSERT_TAIL(&r->by_age, e, by_age);
	count = &e->counts[step % RATE_SLOTS];
	if (*count < RATE_COUNT_MAX)
		++*count;
}

unsigned
rate_of(const struct rate *r, const struct record_key *key, struct mono now)
{
	const struct entry *e = find(r, key);
	int64_t step = step_of(r, now);
	unsigned sum = 0;

	if (e == NULL)
		return 0;
	for (int64_t i = e->newest; i > e->newest - RATE_SLOTS && i >= 0; i--)
		if (step - i < RATE_SLOTS)
			sum += e->counts[i % RATE_SLOTS];
	return sum;
}

size_t
rate_entries(const struct rate *r)
{
	return map_count(r->map);
}
