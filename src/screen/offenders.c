/* SPDX-License-Identifier: ISC */
#include "screen/offenders.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"

/* Weights do not fade one by one: an offence at time t is worth 2^(t/half life)
 * in a scale that all share, so entries only change when something happens with
 * them, and their order never changes by itself. Before the scale leaves the
 * range of a double all weights are brought down.
 *
 * The entries are a binary heap with the least at its head: an offence is one
 * look into the map and a walk of at most log2(max) steps. */

struct entry {
	struct map_link link;
	double weight, inherited;
	struct mono first, last;
	uint32_t count[OFFENCE_COUNT];
	uint32_t place; /* in the heap */
	struct record_key key;
};

struct offenders {
	struct map *map;
	struct entry **heap;
	size_t n, max;
	int64_t half_life_ms;
	int64_t epoch_ms; /* where the scale is 1 */
};

enum { SCALE_MAX = 256 }; /* half lives */

struct offenders *
offenders_new(size_t max, int64_t half_life_ms)
{
	struct offenders *o = mem_new(sizeof(*o));

	must(max > 0 && max <= UINT32_MAX && half_life_ms > 0);
	if (o == NULL)
		return NULL;
	o->max = max;
	o->half_life_ms = half_life_ms;
	if ((o->map = map_new()) == NULL ||
	    /* NOLINTNEXTLINE(bugprone-sizeof-expression): these are pointers. */
	    (o->heap = mem_array(max, sizeof(*o->heap))) == NULL)
		offenders_free(&o);
	return o;
}

void
offenders_free(struct offenders **op)
{
	struct offenders *o = *op;

	*op = NULL;
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->n; i++) {
		/* NOLINTNEXTLINE(*NullDereference): n is 0 without a heap. */
		map_remove(o->map, &o->heap[i]->link);
		mem_free(o->heap[i]);
	}
	map_free(&o->map);
	mem_free(o->heap);
	mem_free(o);
}

/* --- the heap -------------------------------------------------------------- */
static void
put(struct offenders *o, struct entry *e, size_t place)
{
	o->heap[place] = e;
	e->place = (uint32_t)place;
}

static void
sink(struct offenders *o, struct entry *e)
{
	size_t place = e->place, child;

	while ((child = 2 * place + 1) < o->n) {
		if (child + 1 < o->n &&
		    o->heap[child + 1]->weight < o->heap[child]->weight)
			child++;
		if (o->heap[child]->weight >= e->weight)
			break;
		put(o, o->heap[child], place);
		place = child;
	}
	put(o, e, place);
}

static void
rise(struct offenders *o, struct entry *e)
{
	size_t place = e->place, parent;

	while (place > 0) {
		parent = (place - 1) / 2;
		if (o->heap[parent]->weight <= e->weight)
			break;
		put(o, o->heap[parent], place);
		place = parent;
	}
	put(o, e, place);
}

/* --- entries --------------------------------------------------------------- */
static struct entry *
find(const struct offenders *o, const struct record_key *key)
{
	struct map_link *link = map_find(o->map, key->bytes, key->n);

	return link != NULL ? OWNER_OF(link, struct entry, link) : NULL;
}

static struct entry *
begin(struct offenders *o, struct entry *e, const struct record_key *key,
    struct mono now)
{
	e->key = *key;
	e->first = now;
	map_add(o->map, &e->link, e->key.bytes, e->key.n);
	return e;
}

/* The newcomer takes the place of the least. */
static struct entry *
replace_least(
    struct offenders *o, const struct record_key *key, struct mono now)
{
	struct entry *e = o->heap[0];

	map_remove(o->map, &e->link);
	*e = (struct entry){.weight = e->weight, .inherited = e->weight};
	return begin(o, e, key, now);
}

static struct entry *
add(struct offenders *o, const struct record_key *key, struct mono now)
{
	struct entry *e;

	if (o->n == o->max)
		return replace_least(o, key, now);
	if ((e = mem_new(sizeof(*e))) == NULL)
		return NULL;
	put(o, e, o->n++);
	rise(o, e);
	return begin(o, e, key, now);
}

static double
scale_at(const struct offenders *o, struct mono now)
{
	return exp2((double)(now.ms - o->epoch_ms) / (double)o->half_life_ms);
}

static void
rescale(struct offenders *o, struct mono now)
{
	double by = 1 / scale_at(o, now);

	for (size_t i = 0; i < o->n; i++) {
		o->heap[i]->weight *= by;
		o->heap[i]->inherited *= by;
	}
	o->epoch_ms = now.ms;
}

void
offenders_note(struct offenders *o, const struct record_key *key,
    enum offence offence, struct mono now)
{
	struct entry *e = find(o, key);

	if (e == NULL && (e = add(o, key, now)) == NULL)
		return;
	if (now.ms - o->epoch_ms >= SCALE_MAX * o->half_life_ms)
		rescale(o, now);
	e->weight += scale_at(o, now);
	e->count[offence] += e->count[offence] < UINT32_MAX;
	e->last = now;
	sink(o, e);
}

void
offenders_forgive(struct offenders *o, const struct record_key *key)
{
	struct entry *e = find(o, key);
	struct entry *last;

	if (e == NULL)
		return;
	map_remove(o->map, &e->link);
	last = o->heap[--o->n];
	if (last != e) {
		put(o, last, e->place);
		rise(o, last);
		sink(o, last);
	}
	mem_free(e);
}

static int
compare_entries(const void *left, const void *right)
{
	const struct entry *a = *(struct entry *const *)left;
	const struct entry *b = *(struct entry *const *)right;

	return (a->weight > b->weight) - (a->weight < b->weight);
}

/* Sorted, the least first, the heap is one still. */
static void
sort(struct offenders *o)
{
	qsort(o->heap, o->n, sizeof(struct entry *), compare_entries);
	for (size_t i = 0; i < o->n; i++)
		o->heap[i]->place = (uint32_t)i;
}

size_t
offenders_worst(
    struct offenders *o, struct offender *out, size_t n, struct mono now)
{
	double scale = scale_at(o, now);

	sort(o);
	if (n > o->n)
		n = o->n;
	for (size_t i = 0; i < n; i++) {
		const struct entry *e = o->heap[o->n - 1 - i];

		out[i] = (struct offender){.key = e->key,
		    .weight = e->weight / scale,
		    .inherited = e->inherited / scale,
		    .first = e->first,
		    .last = e->last};
		memcpy(out[i].count, e->count, sizeof(out[i].count));
	}
	return n;
}

const char *
offenders_word(enum offence offence)
{
	static const char *const words[OFFENCE_COUNT] = {
	    [OFFENCE_PREGREET] = "pregreet",
	    [OFFENCE_LISTED] = "listed",
	    [OFFENCE_PROTOCOL] = "protocol",
	    [OFFENCE_DENIED] = "denied",
	    [OFFENCE_FLOOD] = "flood",
	    [OFFENCE_HANGUP] = "hangup",
	};

	return words[offence];
}
