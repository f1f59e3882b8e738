/* SPDX-License-Identifier: ISC */
#include "lookup/dnsbl_round.h"

/* What is still outstanding is kept as two sums, so the range of the final score
 * costs nothing to tell.
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
 * one gets less time, but never waits longer than it would have alone.
 *
 * A list whose weights are all 0 is watched: nobody waits for it, and when
 * everybody has left a round lingers until such lists have answered. So it does
 * for the others when the verdict was clear without them: a list that is dead
 * would never be found out, if its weight alone decides nothing. Lingering rounds
 * hold no reference; the last owner ends them. */

#include <limits.h>

#include "base/mem.h"

static int
clamped(int64_t points)
{
	if (points > INT_MAX)
		return INT_MAX;
	return points < INT_MIN ? INT_MIN : (int)points;
}

/* --- tickets of a round ------------------------------------------------- */
void
dnsbl_round_join(
    struct dnsbl_round *round, struct dnsbl_ticket *ticket, dnsbl_fn *fn)
{
	ticket->fn = fn;
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

/* --- rounds ------------------------------------------------------------- */
struct dnsbl_score
dnsbl_round_score(const struct dnsbl_round *round)
{
	return (struct dnsbl_score){
	    .points = clamped(round->points),
	    .low = clamped(round->points + round->low),
	    .high = clamped(round->points + round->high),
	    .complete = round->outstanding == 0,
	    .missing = round->missing,
	    .ttl_s = round->ttl_s,
	    .listed_by = round->listed_by,
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

void
dnsbl_round_free(struct dnsbl_round *round)
{
	struct dnsbl *bl = round->bl;

	for (size_t i = 0; i < bl->spec.zone_count; i++)
		if (!round->query[i].is_settled)
			dnsbl_query_settle(&round->query[i]);
	round_retire(round);
	if (round->lingers) {
		TAILQ_REMOVE(&bl->lingering, round, others);
		bl->lingering_count--;
	}
	mem_free(round);
}

/* What is settled needs no more; else a list that is watched, or one that has
 * been asked and shall show whether it answers. */
static bool
query_lingers(const struct dnsbl_round *round, const struct dnsbl_query *q)
{
	return q->is_settled || dnsbl_query_is_watched(q) ||
	       (round->goes_on && q->question.was_sent);
}

/* Wait on for such lists, if there are any; nobody else does. */
static bool
round_linger(struct dnsbl_round *round)
{
	struct dnsbl *bl = round->bl;

	if (round->lingers)
		return round->outstanding > 0;
	if (bl->refs == 1 || bl->lingering_count == DNSBL_LINGER_MAX)
		return false;
	for (size_t i = 0; i < bl->spec.zone_count; i++)
		if (!query_lingers(round, &round->query[i]))
			dnsbl_query_settle(&round->query[i]);
	if (round->outstanding == 0)
		return false;
	if (round->is_in_map)
		map_remove(bl->rounds, &round->link);
	round->is_in_map = false;
	round->lingers = true;
	TAILQ_INSERT_TAIL(&bl->lingering, round, others);
	bl->lingering_count++;
	bl->refs--; /* not the last one */
	return true;
}

/* The one place where rounds end: when nobody waits for them any more. */
static void
round_release(struct dnsbl_round *round)
{
	struct dnsbl *bl = round->bl;
	bool lingered = round->lingers;

	if (round->first != NULL || round->is_telling)
		return;
	if (round_linger(round)) {
		dnsbl_flight_serve(bl->flight);
		return;
	}
	dnsbl_round_free(round);
	dnsbl_flight_serve(bl->flight);
	if (!lingered)
		dnsbl_unref(&bl);
}

/* The answers of all lists are in; was one of them alone? */
static void
round_sum_up(const struct dnsbl_round *round)
{
	uint64_t by = round->listed_by;

	if (round->lingers || round->missing || by == 0 || (by & (by - 1)) != 0)
		return;
	for (size_t i = 0; i < round->bl->spec.zone_count; i++)
		if (by == UINT64_C(1) << i)
			round->bl->health[i]->only++;
}

/* May release the round. */
static void
round_tell(struct dnsbl_round *round)
{
	const struct dnsbl_score score = dnsbl_round_score(round);
	struct dnsbl_ticket *ticket;

	if (score.complete) {
		round_retire(round);
		round_sum_up(round);
	}
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
on_answer(struct dnsbl_question *question, const struct resolver_answer *answer)
{
	struct dnsbl_query *q =
	    OWNER_OF(question, struct dnsbl_query, question);
	struct dnsbl_round *round = q->round;
	const struct dnsbl_score before = dnsbl_round_score(round);
	struct dnsbl_score after;

	dnsbl_query_take(q, answer);
	dnsbl_query_settle(q);
	dnsbl_flight_serve(round->bl->flight);
	after = dnsbl_round_score(round);
	if (!score_is_same(&before, &after))
		round_tell(round);
}

static void
on_later(struct loop_later *later)
{
	round_tell(OWNER_OF(later, struct dnsbl_round, later));
}

static void
on_deadline(struct loop_timer *timer)
{
	struct dnsbl_round *round =
	    OWNER_OF(timer, struct dnsbl_round, deadline);

	for (size_t i = 0; i < round->bl->spec.zone_count; i++) {
		struct dnsbl_query *q = &round->query[i];

		if (q->is_settled)
			continue;
		dnsbl_query_miss(q);
		dnsbl_query_complain(q);
		dnsbl_query_settle(q);
	}
	round_tell(round);
}

struct dnsbl_round *
dnsbl_round_find(const struct dnsbl *bl, const struct addr *client)
{
	struct map_link *link = map_find(bl->rounds, client, sizeof(*client));

	return link == NULL ? NULL : OWNER_OF(link, struct dnsbl_round, link);
}

struct dnsbl_round *
dnsbl_round_new(struct dnsbl *bl, const struct addr *client)
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
	for (size_t i = 0; i < bl->spec.zone_count; i++)
		dnsbl_query_begin(&round->query[i], round, i, on_answer);
	if (round->outstanding == 0)
		loop_later_add(bl->loop, &round->later, on_later);
	return round;
}

void
dnsbl_round_leave(struct dnsbl_ticket *ticket)
{
	struct dnsbl_round *round = ticket->round;

	ticket_unlink(ticket);
	round_release(round);
}
