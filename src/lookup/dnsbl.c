/* SPDX-License-Identifier: ISC */
#include "lookup/dnsbl.h"

/* The parts of a configuration's lists, put together: dnsbl_round scores
 * clients, dnsbl_flight holds the questions, dnsbl_selftest asks its own, and
 * dnsbl_health keeps the record of each list, which is handed on when a new
 * configuration names the list again. */

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "lookup/dnsbl_round.h"

static void
on_asked(const char *zone, void *arg)
{
	const struct dnsbl *bl = arg;

	if (bl->observer.asked != NULL)
		bl->observer.asked(zone, bl->observer.arg);
}

static void
on_news(const char *zone, enum dnsbl_news news, const struct addr *about,
    const struct addr *as, void *arg)
{
	const struct dnsbl *bl = arg;

	if (bl->observer.news != NULL)
		bl->observer.news(zone, news, about, as, bl->observer.arg);
}

/* The record of a list that was there before goes on. */
static struct dnsbl_health *
health_of(const struct dnsbl *before, const char *zone)
{
	for (size_t i = 0; before != NULL && i < before->spec.zone_count; i++)
		if (strcmp(before->spec.zones[i].name, zone) == 0)
			return dnsbl_health_ref(before->health[i]);
	return dnsbl_health_new(zone);
}

static int
zones_new(struct dnsbl *bl, const struct dnsbl *before)
{
	size_t n = bl->spec.zone_count;

	/* One more, as no list at all is allowed. */
	bl->zones = mem_array(n + 1, sizeof(*bl->zones));
	bl->health = mem_array(n + 1, sizeof(struct dnsbl_health *));
	if (bl->zones == NULL || bl->health == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct dnsbl_zone *zone = &bl->zones[i];

		zone->spec = &bl->spec.zones[i];
		dnsbl_zone_range(zone->spec, &zone->low, &zone->high);
		dnsbl_flight_name(bl->flight, i, zone->spec->name);
		if ((bl->health[i] = health_of(before, zone->spec->name)) ==
		    NULL)
			return -1;
	}
	return 0;
}

static int
parts_new(
    struct dnsbl *bl, struct resolver *resolver, const struct dnsbl *before)
{
	bl->flight = dnsbl_flight_new(
	    bl->loop, resolver, bl->spec.zone_count, on_asked, bl);
	if (bl->flight == NULL || zones_new(bl, before) < 0)
		return -1;
	bl->selftest =
	    dnsbl_selftest_new(&(const struct dnsbl_selftest_options){
		.loop = bl->loop,
		.flight = bl->flight,
		.spec = &bl->spec,
		.health = bl->health,
		.news = on_news,
		.arg = bl,
	    });
	bl->rounds = map_new();
	return bl->selftest != NULL && bl->rounds != NULL ? 0 : -1;
}

struct dnsbl *
dnsbl_new(struct loop *loop, struct resolver *resolver,
    const struct dnsbl_options *o, struct errtext *why)
{
	struct dnsbl *bl = mem_new(sizeof(*bl));

	if (bl == NULL) {
		errtext_set(why, "out of memory");
		return NULL;
	}
	bl->refs = 1;
	bl->loop = loop;
	bl->observer = o->observer;
	bl->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : 0;
	TAILQ_INIT(&bl->lingering);
	if (dnsbl_spec_parse(o->sites, &bl->spec, why) < 0) {
		dnsbl_unref(&bl);
		return NULL;
	}
	if (parts_new(bl, resolver, o->before) < 0) {
		errtext_set(why, "out of memory");
		dnsbl_unref(&bl);
	}
	return bl;
}

struct dnsbl *
dnsbl_ref(struct dnsbl *bl)
{
	bl->refs++;
	return bl;
}

void
dnsbl_unref(struct dnsbl **bl_ref)
{
	struct dnsbl *bl = *bl_ref;
	struct dnsbl_round *round;

	*bl_ref = NULL;
	if (bl == NULL || --bl->refs > 0)
		return;
	while ((round = TAILQ_FIRST(&bl->lingering)) != NULL)
		dnsbl_round_free(round);
	dnsbl_selftest_free(&bl->selftest);
	dnsbl_flight_free(&bl->flight);
	map_free(&bl->rounds);
	for (size_t i = 0; bl->health != NULL && i < bl->spec.zone_count; i++)
		dnsbl_health_unref(&bl->health[i]);
	mem_free(bl->health);
	mem_free(bl->zones);
	dnsbl_spec_clear(&bl->spec);
	mem_free(bl);
}

void
dnsbl_set_timeout(struct dnsbl *bl, int64_t timeout_ms)
{
	bl->timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
}

void
dnsbl_watch(struct dnsbl *bl, int64_t interval_ms)
{
	dnsbl_selftest_stop(bl->selftest);
	if (interval_ms > 0)
		dnsbl_selftest_start(bl->selftest, interval_ms);
}

size_t
dnsbl_zone_count(const struct dnsbl *bl)
{
	return bl->spec.zone_count;
}

const struct dnsbl_health *
dnsbl_zone_health(const struct dnsbl *bl, size_t i)
{
	return bl->health[i];
}

bool
dnsbl_zone_blames(const struct dnsbl *bl, size_t i)
{
	return bl->zones[i].high > 0;
}

struct dnsbl_health *
dnsbl_zone_record(const struct dnsbl *bl, size_t i)
{
	return bl->health[i];
}

void
dnsbl_zone_bounds(const struct dnsbl *bl, size_t i, int *low_r, int *high_r)
{
	*low_r = bl->zones[i].low;
	*high_r = bl->zones[i].high;
}

int
dnsbl_start(struct dnsbl *bl, const struct addr *client,
    struct dnsbl_ticket *ticket, dnsbl_fn *fn, bool *joined_r)
{
	struct dnsbl_round *round = dnsbl_round_find(bl, client);

	must(ticket->round == NULL);
	*joined_r = round != NULL;
	if (round == NULL && (round = dnsbl_round_new(bl, client)) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	dnsbl_round_join(round, ticket, fn);
	if (!*joined_r)
		dnsbl_flight_serve(bl->flight);
	return 0;
}

void
dnsbl_give_up(struct dnsbl_ticket *ticket)
{
	struct dnsbl_round *round = ticket->round;

	if (round == NULL)
		return;
	for (size_t i = 0; i < round->bl->spec.zone_count; i++) {
		struct dnsbl_query *q = &round->query[i];

		if (!q->is_settled && !dnsbl_query_is_watched(q))
			dnsbl_query_complain(q);
	}
	dnsbl_round_leave(ticket);
}

void
dnsbl_let_go(struct dnsbl_ticket *ticket)
{
	if (ticket->round == NULL)
		return;
	ticket->round->goes_on = true;
	dnsbl_round_leave(ticket);
}

void
dnsbl_cancel(struct dnsbl_ticket *ticket)
{
	if (ticket->round != NULL)
		dnsbl_round_leave(ticket);
}

struct dnsbl_score
dnsbl_score_now(const struct dnsbl_ticket *ticket)
{
	if (ticket->round == NULL)
		return (struct dnsbl_score){.ttl_s = UINT32_MAX};
	return dnsbl_round_score(ticket->round);
}
