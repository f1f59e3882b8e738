/* SPDX-License-Identifier: ISC */
#include "lookup/dnsbl.h"

/* A round is one address with one query for each zone. A query waits in its
 * zone's queue, is asked, and is settled - by an answer, by the deadline of the
 * round, or because it could not even be asked. What is still outstanding is
 * kept as two sums, so the range of the final score costs nothing to tell.
 *
 * Callbacks may do everything: cancel any ticket, start others for the same
 * address, drop the last reference. Therefore
 *  - a round is released only by round_release(), which does nothing while the
 *    round is telling its tickets; and each round holds a reference;
 *  - while a round tells its tickets, `cursor` is the next one to be told and
 *    `fence` the first one that joined meanwhile; unlinking a ticket moves
 *    both on;
 *  - a round is out of the map before it says "complete", and a ticket is idle
 *    before its last callback, so it may be started again right there.
 *
 * All sessions of a round share the deadline that was set when it began: a late
 * one gets less time, but never waits longer than it would have alone. */

#include <sys/queue.h>
#include <errno.h>
#include <limits.h>

#include "base/mem.h"
#include "base/must.h"

/* The resolver was full with the questions of others: ask again soon, as no
 * answer of ours may be coming that would remind us. */
enum { RETRY_MS = 20 };

struct query;
TAILQ_HEAD(query_queue, query);

struct zone {
	const struct dnsbl_zone_spec *spec;
	int low, high; /* what an answer can add */
	size_t in_flight;
	struct query_queue waiting;
};

struct query {
	struct dnsbl_round *round;
	struct zone *zone;
	enum {
		QUERY_WAITING, /* in its zone's queue */
		QUERY_ASKED,
		QUERY_REFUSED, /* could not be asked; to be settled later */
		QUERY_SETTLED,
	} state;
	bool is_complained_of; /* the observer knows that it is late */
	struct resolver_query *asked;
	TAILQ_ENTRY(query) link;
};

struct dnsbl {
	struct loop *loop;
	struct resolver *resolver;
	struct dnsbl_observer observer;
	int64_t timeout_ms;
	struct dnsbl_spec spec;
	struct zone *zones; /* spec.zone_count of them */
	size_t turn;        /* the zone that is served next */
	bool starved;       /* the resolver took no more questions */
	struct loop_timer retry;
	struct map *rounds;
	size_t refs; /* owners and rounds */
};

struct dnsbl_round {
	struct map_link link;
	struct dnsbl *bl;
	struct addr client; /* the key */
	bool is_in_map, is_telling;
	struct dnsbl_ticket *first, **end;
	struct dnsbl_ticket *cursor, *fence;
	struct mono began;
	struct loop_timer deadline;
	struct loop_later later; /* settles what needs no answer */
	int64_t points;
	int64_t low, high; /* what the outstanding queries can add */
	size_t outstanding;
	bool missing;
	uint32_t ttl_s;
	const char *zone;
	int zone_weight;
	struct query query[]; /* one for each zone */
};

static int
clamped(int64_t points)
{
	if (points > INT_MAX)
		return INT_MAX;
	return points < INT_MIN ? INT_MIN : (int)points;
}

/* --- tickets of a round ------------------------------------------------- */
static void
ticket_link(struct dnsbl_round *round, struct dnsbl_ticket *ticket)
{
	ticket->round = round;
	ticket->next = NULL;
	ticket->prev = round->end;
	*round->end = ticket;
	round->end = &ticket->next;
	if (round->is_telling && round->fence == NULL)
		round->fence = ticket;
}

static void
ticket_unlink(struct dnsbl_ticket *ticket)
{
	struct dnsbl_round *round = ticket->round;

	if (round->cursor == ticket)
		round->cursor = ticket->next;
	if (round->fence == ticket)
		round->fence = ticket->next;
	if (ticket->next != NULL)
		ticket->next->prev = ticket->prev;
	else
		round->end = ticket->prev;
	*ticket->prev = ticket->next;
	*ticket = (struct dnsbl_ticket){0};
}

/* --- asking ------------------------------------------------------------- */
static void on_answer(const struct resolver_answer *answer, void *arg);
static void on_later(struct loop_later *later);

/* Put the first waiting query of the zone to the resolver. False when there is
 * none, or it has to wait. */
static bool
zone_ask_next(struct dnsbl *bl, struct zone *zone)
{
	struct query *q = TAILQ_FIRST(&zone->waiting);
	char name[DNSBL_NAME_MAX];

	if (q == NULL || zone->in_flight >= DNSBL_ZONE_FLIGHT_MAX)
		return false;
	errno = EINVAL;
	if (dnsbl_query_name(&q->round->client, zone->spec->name, name) == 0)
		q->asked = resolver_ask(bl->resolver, name, on_answer, q);
	if (q->asked == NULL && errno == EAGAIN) {
		bl->starved = true;
		return false;
	}
	TAILQ_REMOVE(&zone->waiting, q, link);
	if (q->asked == NULL) {
		q->state = QUERY_REFUSED;
		loop_later_add(bl->loop, &q->round->later, on_later);
		return true;
	}
	q->state = QUERY_ASKED;
	zone->in_flight++;
	if (bl->observer.asked != NULL)
		bl->observer.asked(zone->spec->name, bl->observer.arg);
	return true;
}

/* One query of each zone in turn, until none can be asked any more. The zone
 * that found the resolver full is the first one next time. */
static void
serve_zones(struct dnsbl *bl)
{
	size_t idle = 0;

	bl->starved = false;
	while (idle < bl->spec.zone_count) {
		if (zone_ask_next(bl, &bl->zones[bl->turn]))
			idle = 0;
		else
			idle++;
		if (bl->starved)
			break;
		bl->turn = (bl->turn + 1) % bl->spec.zone_count;
	}
	if (!bl->starved)
		loop_timer_stop(&bl->retry);
	else if (!loop_timer_is_running(&bl->retry))
		(void)loop_timer_start(&bl->retry, RETRY_MS);
}

static void
on_retry(struct loop_timer *timer)
{
	serve_zones(OWNER_OF(timer, struct dnsbl, retry));
}

/* --- settling ----------------------------------------------------------- */
/* Nothing is expected from this query any more. */
static void
query_settle(struct query *q)
{
	struct dnsbl_round *round = q->round;

	if (q->state == QUERY_WAITING)
		TAILQ_REMOVE(&q->zone->waiting, q, link);
	if (q->state == QUERY_ASKED) {
		resolver_abandon(&q->asked);
		q->zone->in_flight--;
	}
	q->state = QUERY_SETTLED;
	round->outstanding--;
	round->low -= q->zone->low;
	round->high -= q->zone->high;
}

static void
query_fail(struct query *q, const char *reason)
{
	const struct dnsbl_observer *o = &q->round->bl->observer;
	char name[DNSBL_NAME_MAX];

	q->round->missing = true;
	if (o->failed == NULL)
		return;
	if (dnsbl_query_name(&q->round->client, q->zone->spec->name, name) < 0)
		name[0] = '\0';
	o->failed(name, q->zone->spec->name, reason, o->arg);
}

/* Once for each query, whether its round's time is up or its client's. */
static void
query_complain(struct query *q)
{
	struct dnsbl *bl = q->round->bl;

	if (q->is_complained_of || bl->observer.timed_out == NULL)
		return;
	q->is_complained_of = true;
	bl->observer.timed_out(q->zone->spec->name,
	    mono_between(q->round->began, loop_now(bl->loop)),
	    bl->observer.arg);
}

static void
query_score(struct query *q, const struct resolver_answer *answer)
{
	const struct dnsbl_zone_spec *spec = q->zone->spec;
	struct dnsbl_round *round = q->round;
	const struct dnsbl_observer *o = &round->bl->observer;
	int top = dnsbl_zone_top_weight(spec, answer->addr, answer->n);

	for (size_t i = 0; i < answer->n && o->listed != NULL; i++)
		o->listed(&round->client, spec->name, &answer->addr[i], o->arg);
	round->points += dnsbl_zone_points(spec, answer->addr, answer->n);
	if (top > round->zone_weight) {
		round->zone_weight = top;
		round->zone = spec->name;
	}
}

static void
query_take(struct query *q, const struct resolver_answer *answer)
{
	struct dnsbl_round *round = q->round;

	switch (answer->status) {
	case RESOLVER_FOUND:
		query_score(q, answer);
		break;
	case RESOLVER_ABSENT:
		break;
	case RESOLVER_FAILED:
		query_fail(q, answer->why != NULL ? answer->why : "no answer");
		return;
	case RESOLVER_TIMED_OUT:
		q->round->missing = true;
		query_complain(q);
		return;
	}
	if (answer->has_ttl && answer->ttl_s < round->ttl_s)
		round->ttl_s = answer->ttl_s;
}

/* --- rounds ------------------------------------------------------------- */
static struct dnsbl_score
round_score(const struct dnsbl_round *round)
{
	return (struct dnsbl_score){
	    .points = clamped(round->points),
	    .low = clamped(round->points + round->low),
	    .high = clamped(round->points + round->high),
	    .complete = round->outstanding == 0,
	    .missing = round->missing,
	    .ttl_s = round->ttl_s,
	    .zone = round->zone,
	};
}

static bool
score_is_same(const struct dnsbl_score *a, const struct dnsbl_score *b)
{
	return a->points == b->points && a->low == b->low &&
	       a->high == b->high && a->complete == b->complete &&
	       a->missing == b->missing && a->ttl_s == b->ttl_s &&
	       a->zone == b->zone;
}

static void
round_retire(struct dnsbl_round *round)
{
	if (round->is_in_map)
		map_remove(round->bl->rounds, &round->link);
	round->is_in_map = false;
	loop_timer_stop(&round->deadline);
	loop_later_cancel(&round->later);
}

/* The one place where rounds end: when nobody waits for them any more. */
static void
round_release(struct dnsbl_round *round)
{
	struct dnsbl *bl = round->bl;

	if (round->first != NULL || round->is_telling)
		return;
	round_retire(round);
	for (size_t i = 0; i < bl->spec.zone_count; i++)
		if (round->query[i].state != QUERY_SETTLED)
			query_settle(&round->query[i]);
	mem_free(round);
	serve_zones(bl);
	dnsbl_unref(&bl);
}

/* May release the round. */
static void
round_tell(struct dnsbl_round *round)
{
	const struct dnsbl_score score = round_score(round);
	struct dnsbl_ticket *ticket;

	if (score.complete)
		round_retire(round);
	round->is_telling = true;
	round->fence = NULL;
	round->cursor = round->first;
	while ((ticket = round->cursor) != NULL && ticket != round->fence) {
		dnsbl_fn *fn = ticket->fn;

		round->cursor = ticket->next;
		if (score.complete)
			ticket_unlink(ticket);
		fn(ticket, &score);
	}
	round->cursor = NULL;
	round->is_telling = false;
	round_release(round);
}

static void
on_answer(const struct resolver_answer *answer, void *arg)
{
	struct query *q = arg;
	struct dnsbl_round *round = q->round;
	const struct dnsbl_score before = round_score(round);
	struct dnsbl_score after;

	q->asked = NULL; /* gone with its answer */
	query_take(q, answer);
	query_settle(q);
	serve_zones(round->bl);
	after = round_score(round);
	if (!score_is_same(&before, &after))
		round_tell(round);
}

/* Settle the queries that could not be asked; a round without any zone ends
 * here too. */
static void
on_later(struct loop_later *later)
{
	struct dnsbl_round *round = OWNER_OF(later, struct dnsbl_round, later);

	for (size_t i = 0; i < round->bl->spec.zone_count; i++) {
		struct query *q = &round->query[i];

		if (q->state != QUERY_REFUSED)
			continue;
		query_fail(q, "query could not be sent");
		query_settle(q);
	}
	round_tell(round);
}

static void
on_deadline(struct loop_timer *timer)
{
	struct dnsbl_round *round =
	    OWNER_OF(timer, struct dnsbl_round, deadline);

	for (size_t i = 0; i < round->bl->spec.zone_count; i++) {
		struct query *q = &round->query[i];

		if (q->state == QUERY_SETTLED)
			continue;
		round->missing = true;
		query_complain(q);
		query_settle(q);
	}
	round_tell(round);
}

static void
round_queue(struct dnsbl_round *round)
{
	struct dnsbl *bl = round->bl;

	for (size_t i = 0; i < bl->spec.zone_count; i++) {
		struct query *q = &round->query[i];

		q->round = round;
		q->zone = &bl->zones[i];
		q->state = QUERY_WAITING;
		TAILQ_INSERT_TAIL(&q->zone->waiting, q, link);
		round->outstanding++;
		round->low += q->zone->low;
		round->high += q->zone->high;
	}
}

static struct dnsbl_round *
round_new(struct dnsbl *bl, const struct addr *client)
{
	struct dnsbl_round *round = mem_new(
	    sizeof(*round) + bl->spec.zone_count * sizeof(round->query[0]));

	if (round == NULL)
		return NULL;
	loop_timer_init(&round->deadline, bl->loop, on_deadline);
	if (loop_timer_start(&round->deadline, bl->timeout_ms) < 0) {
		mem_free(round);
		return NULL;
	}
	round->bl = dnsbl_ref(bl);
	round->client = *client;
	round->began = loop_now(bl->loop);
	round->end = &round->first;
	round->ttl_s = UINT32_MAX;
	round->zone_weight = DNSBL_NO_WEIGHT;
	map_add(
	    bl->rounds, &round->link, &round->client, sizeof(round->client));
	round->is_in_map = true;
	round_queue(round);
	return round;
}

/* --- the contract ------------------------------------------------------- */
static int
zones_new(struct dnsbl *bl)
{
	/* One more, as no list at all is allowed. */
	bl->zones = mem_array(bl->spec.zone_count + 1, sizeof(*bl->zones));
	if (bl->zones == NULL)
		return -1;
	for (size_t i = 0; i < bl->spec.zone_count; i++) {
		struct zone *zone = &bl->zones[i];

		zone->spec = &bl->spec.zones[i];
		dnsbl_zone_range(zone->spec, &zone->low, &zone->high);
		TAILQ_INIT(&zone->waiting);
	}
	return 0;
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
	bl->resolver = resolver;
	bl->observer = o->observer;
	bl->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : 0;
	loop_timer_init(&bl->retry, loop, on_retry);
	if (dnsbl_spec_parse(o->sites, &bl->spec, why) < 0) {
		dnsbl_unref(&bl);
		return NULL;
	}
	if (zones_new(bl) < 0 || (bl->rounds = map_new()) == NULL) {
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

	*bl_ref = NULL;
	if (bl == NULL || --bl->refs > 0)
		return;
	loop_timer_stop(&bl->retry);
	map_free(&bl->rounds);
	mem_free(bl->zones);
	dnsbl_spec_clear(&bl->spec);
	mem_free(bl);
}

void
dnsbl_set_timeout(struct dnsbl *bl, int64_t timeout_ms)
{
	bl->timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
}

size_t
dnsbl_zone_count(const struct dnsbl *bl)
{
	return bl->spec.zone_count;
}

int
dnsbl_start(struct dnsbl *bl, const struct addr *client,
    struct dnsbl_ticket *ticket, dnsbl_fn *fn, bool *joined_r)
{
	struct map_link *link = map_find(bl->rounds, client, sizeof(*client));
	struct dnsbl_round *round;

	must(ticket->round == NULL);
	*joined_r = link != NULL;
	if (link != NULL) {
		round = OWNER_OF(link, struct dnsbl_round, link);
	} else if ((round = round_new(bl, client)) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	ticket->fn = fn;
	ticket_link(round, ticket);
	if (link != NULL)
		return 0;
	if (round->outstanding == 0)
		loop_later_add(bl->loop, &round->later, on_later);
	serve_zones(bl);
	return 0;
}

void
dnsbl_give_up(struct dnsbl_ticket *ticket)
{
	struct dnsbl_round *round = ticket->round;

	if (round == NULL)
		return;
	for (size_t i = 0; i < round->bl->spec.zone_count; i++)
		if (round->query[i].state != QUERY_SETTLED)
			query_complain(&round->query[i]);
	dnsbl_cancel(ticket);
}

void
dnsbl_cancel(struct dnsbl_ticket *ticket)
{
	struct dnsbl_round *round = ticket->round;

	if (round == NULL)
		return;
	ticket_unlink(ticket);
	round_release(round);
}

struct dnsbl_score
dnsbl_score_now(const struct dnsbl_ticket *ticket)
{
	if (ticket->round == NULL)
		return (struct dnsbl_score){.ttl_s = UINT32_MAX};
	return round_score(ticket->round);
}
