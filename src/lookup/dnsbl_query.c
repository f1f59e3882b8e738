/* SPDX-License-Identifier: ISC */
#include "lookup/dnsbl_query.h"

/* An answer is cut in two: records that list the client, and error codes, by
 * which the list speaks about us. With nothing but error codes it has not
 * answered at all. What a list says that is out is not heard, also when it was
 * asked before it went out. */

#include "lookup/dnsbl_round.h"

static const struct dnsbl_zone *
query_zone(const struct dnsbl_query *q)
{
	return &q->round->bl->zones[q->zone];
}

static struct dnsbl_health *
query_health(const struct dnsbl_query *q)
{
	return q->round->bl->health[q->zone];
}

bool
dnsbl_query_is_watched(const struct dnsbl_query *q)
{
	return query_zone(q)->low == 0 && query_zone(q)->high == 0;
}

/* --- facts for the observer --------------------------------------------- */
static void
query_tell(
    const struct dnsbl_query *q, enum dnsbl_news news, const struct addr *as)
{
	const struct dnsbl_observer *o = &q->round->bl->observer;

	if (news != DNSBL_NEWS_NONE && o->news != NULL)
		o->news(query_zone(q)->spec->name, news, &q->round->client, as,
		    o->arg);
}

/* --- settling ----------------------------------------------------------- */
void
dnsbl_query_settle(struct dnsbl_query *q)
{
	struct dnsbl_round *round = q->round;

	if (q->question.was_sent)
		query_health(q)->queries++;
	if (q->is_trial)
		dnsbl_health_untried(query_health(q));
	dnsbl_flight_drop(round->bl->flight, &q->question);
	q->is_settled = true;
	round->outstanding--;
	round->low -= query_zone(q)->low;
	round->high -= query_zone(q)->high;
}

void
dnsbl_query_miss(const struct dnsbl_query *q)
{
	if (!dnsbl_query_is_watched(q))
		q->round->missing = true;
}

static void
query_fail(struct dnsbl_query *q, const char *reason)
{
	const struct dnsbl_observer *o = &q->round->bl->observer;
	const char *zone = query_zone(q)->spec->name;
	char name[DNSBL_NAME_MAX];

	dnsbl_query_miss(q);
	dnsbl_health_failed(query_health(q), loop_now(q->round->bl->loop));
	if (o->failed == NULL)
		return;
	if (dnsbl_query_name(&q->round->client, zone, name) < 0)
		name[0] = '\0';
	o->failed(name, zone, reason, o->arg);
}

void
dnsbl_query_complain(struct dnsbl_query *q)
{
	struct dnsbl *bl = q->round->bl;
	struct mono now = loop_now(bl->loop);

	if (q->is_complained_of)
		return;
	q->is_complained_of = true;
	if (bl->observer.timed_out != NULL)
		bl->observer.timed_out(query_zone(q)->spec->name,
		    mono_between(q->round->began, now), bl->observer.arg);
	query_tell(q,
	    dnsbl_health_timed_out(query_health(q), q->question.was_sent, now),
	    NULL);
}

/* What the list says about the client, without what it says about us. */
static size_t
keep_listings(struct dnsbl_query *q, const struct resolver_answer *answer,
    struct addr kept[RESOLVER_ADDR_MAX])
{
	const struct dnsbl_zone_spec *spec = query_zone(q)->spec;
	const struct dnsbl_observer *o = &q->round->bl->observer;
	struct mono now = loop_now(q->round->bl->loop);
	size_t n = 0;

	for (size_t i = 0; i < answer->n; i++) {
		const struct addr *as = &answer->addr[i];

		if (!dnsbl_zone_is_error(spec, as)) {
			kept[n++] = *as;
			if (o->listed != NULL)
				o->listed(
				    &q->round->client, spec->name, as, o->arg);
			continue;
		}
		if (o->error_code != NULL)
			o->error_code(spec->name, o->arg);
		query_tell(
		    q, dnsbl_health_error_code(query_health(q), now), as);
	}
	return n;
}

static void
query_score(struct dnsbl_query *q, const struct addr *found, size_t n, int top)
{
	const struct dnsbl_zone_spec *spec = query_zone(q)->spec;
	struct dnsbl_round *round = q->round;

	round->points += dnsbl_zone_points(spec, found, n);
	round->listed_by |= UINT64_C(1) << q->zone;
	if (top > round->zone_weight) {
		round->zone_weight = top;
		round->zone = spec->name;
	}
}

/* An answer about the client, or "not listed". */
static void
query_hear(struct dnsbl_query *q, const struct resolver_answer *answer)
{
	struct dnsbl_round *round = q->round;
	const struct dnsbl_observer *o = &round->bl->observer;
	struct mono now = loop_now(round->bl->loop);
	int64_t waited_ms = mono_between(q->question.asked_at, now);
	struct addr found[RESOLVER_ADDR_MAX];
	size_t n = keep_listings(q, answer, found);
	int top = dnsbl_zone_top_weight(query_zone(q)->spec, found, n);
	bool listed = top != DNSBL_NO_WEIGHT;

	if (o->answered != NULL)
		o->answered(waited_ms, o->arg);
	query_tell(q,
	    dnsbl_health_answered(query_health(q), listed, waited_ms, now),
	    NULL);
	if (listed)
		query_score(q, found, n, top);
	if (n == 0 && answer->n > 0)
		dnsbl_query_miss(q); /* nothing but error codes */
	else if (answer->has_ttl && answer->ttl_s < round->ttl_s &&
		 !dnsbl_query_is_watched(q))
		round->ttl_s = answer->ttl_s;
}

void
dnsbl_query_take(struct dnsbl_query *q, const struct resolver_answer *answer)
{
	switch (answer->status) {
	case RESOLVER_FOUND:
	case RESOLVER_ABSENT:
		if (!dnsbl_health_is_out(query_health(q)))
			query_hear(q, answer);
		break;
	case RESOLVER_FAILED:
		query_fail(q, answer->why != NULL ? answer->why : "no answer");
		break;
	case RESOLVER_TIMED_OUT:
		dnsbl_query_miss(q);
		dnsbl_query_complain(q);
		break;
	}
}

/* A list that is out is as good as none; one that rests is missed. */
static bool
query_is_permitted(struct dnsbl_query *q)
{
	const struct dnsbl *bl = q->round->bl;
	struct dnsbl_health *health = query_health(q);

	switch (dnsbl_health_permit(health, loop_now(bl->loop))) {
	case DNSBL_ASK:
		return true;
	case DNSBL_TRY:
		q->is_trial = true;
		return true;
	case DNSBL_SKIP:
		break;
	}
	if (health->state == DNSBL_RESTS)
		dnsbl_query_miss(q);
	if (bl->observer.unasked != NULL)
		bl->observer.unasked(
		    query_zone(q)->spec->name, bl->observer.arg);
	return false;
}

void
dnsbl_query_begin(struct dnsbl_query *q, struct dnsbl_round *round, size_t zone,
    dnsbl_question_fn *fn)
{
	struct dnsbl *bl = round->bl;

	q->round = round;
	q->zone = zone;
	q->is_settled = !query_is_permitted(q);
	if (q->is_settled)
		return;
	dnsbl_flight_add(bl->flight, zone, &q->question, &round->client, fn);
	round->outstanding++;
	round->low += bl->zones[zone].low;
	round->high += bl->zones[zone].high;
}
