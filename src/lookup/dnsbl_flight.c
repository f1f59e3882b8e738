/* SPDX-License-Identifier: ISC */
#include "lookup/dnsbl_flight.h"

/* One question of each lane in turn, until none can be sent any more. A lane
 * that finds the resolver full keeps its turn. */

#include <errno.h>

#include "base/mem.h"
#include "base/must.h"
#include "lookup/dnsbl_spec.h"

/* The resolver was full with the questions of others: ask again soon, as no
 * answer of ours may be coming that would remind us. */
enum { RETRY_MS = 20 };

TAILQ_HEAD(question_queue, dnsbl_question);

struct dnsbl_lane {
	const char *zone;
	size_t in_flight;
	struct question_queue waiting;
};

struct dnsbl_flight {
	struct loop *loop;
	struct resolver *resolver;
	dnsbl_asked_fn *on_asked;
	void *arg;
	struct question_queue refused;
	struct loop_later later; /* tells them */
	struct loop_timer retry;
	bool starved; /* the resolver took no more questions */
	size_t turn;  /* the lane that is served next */
	size_t lane_count;
	struct dnsbl_lane lane[];
};

/* Nothing is touched when the last of them has been told. */
static void
on_later(struct loop_later *later)
{
	static const struct resolver_answer failed = {
	    .status = RESOLVER_FAILED, .why = "query could not be sent"};
	struct dnsbl_flight *f = OWNER_OF(later, struct dnsbl_flight, later);
	struct dnsbl_question *q = TAILQ_FIRST(&f->refused);

	if (q == NULL)
		return;
	dnsbl_flight_drop(f, q);
	if (!TAILQ_EMPTY(&f->refused))
		loop_later_add(f->loop, &f->later, on_later);
	q->fn(q, &failed);
}

static void
on_answer(const struct resolver_answer *answer, void *arg)
{
	struct dnsbl_question *q = arg;

	q->lane->in_flight--;
	q->state = DNSBL_QUESTION_IDLE;
	q->asked = NULL; /* gone with its answer */
	q->fn(q, answer);
}

/* Put the lane's first question to the resolver. False when there is none, or
 * it has to wait. */
static bool
lane_send(struct dnsbl_flight *f, struct dnsbl_lane *lane)
{
	struct dnsbl_question *q = TAILQ_FIRST(&lane->waiting);
	char name[DNSBL_NAME_MAX];

	if (q == NULL || lane->in_flight >= DNSBL_ZONE_FLIGHT_MAX)
		return false;
	errno = EINVAL;
	if (dnsbl_query_name(q->about, lane->zone, name) == 0)
		q->asked = resolver_ask(f->resolver, name, on_answer, q);
	if (q->asked == NULL && errno == EAGAIN) {
		f->starved = true;
		return false;
	}
	TAILQ_REMOVE(&lane->waiting, q, link);
	if (q->asked == NULL) {
		q->state = DNSBL_QUESTION_REFUSED;
		TAILQ_INSERT_TAIL(&f->refused, q, link);
		loop_later_add(f->loop, &f->later, on_later);
		return true;
	}
	q->state = DNSBL_QUESTION_ASKED;
	q->was_sent = true;
	q->asked_at = loop_now(f->loop);
	lane->in_flight++;
	f->on_asked(lane->zone, f->arg);
	return true;
}

void
dnsbl_flight_serve(struct dnsbl_flight *f)
{
	size_t idle = 0;

	f->starved = false;
	while (idle < f->lane_count) {
		if (lane_send(f, &f->lane[f->turn]))
			idle = 0;
		else
			idle++;
		if (f->starved)
			break;
		f->turn = (f->turn + 1) % f->lane_count;
	}
	if (!f->starved)
		loop_timer_stop(&f->retry);
	else if (!loop_timer_is_running(&f->retry))
		(void)loop_timer_start(&f->retry, RETRY_MS);
}

static void
on_retry(struct loop_timer *timer)
{
	dnsbl_flight_serve(OWNER_OF(timer, struct dnsbl_flight, retry));
}

struct dnsbl_flight *
dnsbl_flight_new(struct loop *loop, struct resolver *resolver, size_t lanes,
    dnsbl_asked_fn *asked, void *arg)
{
	struct dnsbl_flight *f =
	    mem_new(sizeof(*f) + lanes * sizeof(f->lane[0]));

	if (f == NULL)
		return NULL;
	f->loop = loop;
	f->resolver = resolver;
	f->on_asked = asked;
	f->arg = arg;
	f->lane_count = lanes;
	TAILQ_INIT(&f->refused);
	loop_timer_init(&f->retry, loop, on_retry);
	return f;
}

void
dnsbl_flight_free(struct dnsbl_flight **fp)
{
	struct dnsbl_flight *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	must(TAILQ_EMPTY(&f->refused));
	loop_timer_stop(&f->retry);
	loop_later_cancel(&f->later);
	mem_free(f);
}

void
dnsbl_flight_name(struct dnsbl_flight *f, size_t lane, const char *zone)
{
	f->lane[lane].zone = zone;
	TAILQ_INIT(&f->lane[lane].waiting);
}

void
dnsbl_flight_add(struct dnsbl_flight *f, size_t lane, struct dnsbl_question *q,
    const struct addr *about, dnsbl_question_fn *fn)
{
	must(q->state == DNSBL_QUESTION_IDLE);
	*q = (struct dnsbl_question){
	    .state = DNSBL_QUESTION_WAITING,
	    .lane = &f->lane[lane],
	    .about = about,
	    .fn = fn,
	};
	TAILQ_INSERT_TAIL(&q->lane->waiting, q, link);
}

void
dnsbl_flight_drop(struct dnsbl_flight *f, struct dnsbl_question *q)
{
	switch (q->state) {
	case DNSBL_QUESTION_IDLE:
		return;
	case DNSBL_QUESTION_WAITING:
		TAILQ_REMOVE(&q->lane->waiting, q, link);
		break;
	case DNSBL_QUESTION_ASKED:
		resolver_abandon(&q->asked);
		q->lane->in_flight--;
		break;
	case DNSBL_QUESTION_REFUSED:
		TAILQ_REMOVE(&f->refused, q, link);
		break;
	}
	q->state = DNSBL_QUESTION_IDLE;
}
