/* SPDX-License-Identifier: ISC */
#include "lookup/dnsbl_selftest.h"

/* Each list has four questions, which go the way of all questions. When all are
 * answered, in whatever way, the findings go into the list's record, which
 * draws the conclusions.
 *
 * "Listed" is a record that would count for a client, or an error code: who
 * answers those for the canary answers them for everybody. A record that no
 * rule of the site asks for does no harm: some lists rate every address there
 * is. */

#include <sys/random.h>
#include <string.h>

#include "base/mem.h"

enum exam_topic { CANARY, SELF, ENTRY_IPV4, ENTRY_IPV6, TOPICS };

struct inquiry {
	struct exam *exam;
	enum exam_topic topic;
	struct addr about;
	struct addr as; /* the record that counts */
	enum dnsbl_finding finding;
	struct dnsbl_question question;
};

struct exam {
	struct dnsbl_selftest *test;
	size_t zone;
	size_t open; /* inquiries */
	struct mono begun, due;
	struct inquiry inquiry[TOPICS];
};

struct dnsbl_selftest {
	struct dnsbl_selftest_options o;
	int64_t interval_ms;
	struct loop_timer timer;
	struct exam exam[];
};

static struct addr
ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct addr){.family = ADDR_IPV4, .bytes = {a, b, c, d}};
}

/* Somebody new each time, so that no cache on the way knows it. */
static struct addr
canary(void)
{
	uint8_t r[4] = {7, 7, 7, 7};

	(void)!getrandom(r, sizeof(r), GRND_NONBLOCK);
	/* not 255.255.255.255, and no octet that is a common mistake */
	return ipv4((uint8_t)(240 + r[0] % 15), (uint8_t)(1 + r[1] % 254),
	    (uint8_t)(1 + r[2] % 254), (uint8_t)(1 + r[3] % 254));
}

static struct addr
address_for(enum exam_topic topic)
{
	switch (topic) {
	case SELF:
		return ipv4(127, 0, 0, 1);
	case ENTRY_IPV4:
		return ipv4(127, 0, 0, 2);
	case ENTRY_IPV6:
		return (struct addr){.family = ADDR_IPV6,
		    .bytes = {[10] = 0xff, [11] = 0xff, [12] = 0x7f, [15] = 2}};
	case CANARY:
	case TOPICS:
		break;
	}
	return canary();
}

/* --- answers ------------------------------------------------------------ */
/* A site that takes 127.0.0.1 for a listing may well list 127.0.0.1 so. */
static bool
counts(const struct dnsbl_zone_spec *spec, const struct inquiry *q,
    const struct addr *as)
{
	bool is_error = dnsbl_zone_is_error(spec, as);

	if (q->topic == ENTRY_IPV4 || q->topic == ENTRY_IPV6)
		return !is_error;
	if (q->topic == SELF && addr_equal(&q->about, as))
		return is_error;
	return is_error ||
	       dnsbl_zone_top_weight(spec, as, 1) != DNSBL_NO_WEIGHT;
}

static void
take_records(struct inquiry *q, const struct resolver_answer *answer)
{
	const struct exam *e = q->exam;

	for (size_t i = 0; i < answer->n; i++) {
		if (!counts(
			&e->test->o.spec->zones[e->zone], q, &answer->addr[i]))
			continue;
		q->finding = DNSBL_PRESENT;
		q->as = answer->addr[i];
		return;
	}
}

static enum dnsbl_finding
either(enum dnsbl_finding a, enum dnsbl_finding b)
{
	if (a == DNSBL_PRESENT || b == DNSBL_PRESENT)
		return DNSBL_PRESENT;
	return a == DNSBL_UNKNOWN ? a : b;
}

/* Sleep until the next exam is due. */
static void
schedule(struct dnsbl_selftest *t)
{
	struct mono now = loop_now(t->o.loop);
	int64_t wait = t->interval_ms;

	for (size_t i = 0; i < t->o.spec->zone_count; i++) {
		int64_t left = mono_between(now, t->exam[i].due);

		wait = left < wait ? left : wait;
	}
	(void)loop_timer_start(&t->timer, wait);
}

static void
exam_end(struct exam *e)
{
	const struct dnsbl_selftest_options *o = &e->test->o;
	struct dnsbl_health *health = o->health[e->zone];
	struct mono now = loop_now(o->loop);
	const struct dnsbl_exam findings = {
	    .canary = e->inquiry[CANARY].finding,
	    .self = e->inquiry[SELF].finding,
	    .entry = either(
		e->inquiry[ENTRY_IPV4].finding, e->inquiry[ENTRY_IPV6].finding),
	};
	const struct inquiry *cause = &e->inquiry[CANARY];
	enum dnsbl_news news = dnsbl_health_examined(health, &findings, now);

	if (findings.canary != DNSBL_PRESENT)
		cause = &e->inquiry[SELF];
	if (health->state != DNSBL_USED &&
	    e->test->interval_ms > DNSBL_RETEST_MS)
		e->due = mono_after(e->begun, DNSBL_RETEST_MS);
	schedule(e->test);
	if (news != DNSBL_NEWS_NONE)
		o->news(o->spec->zones[e->zone].name, news, &cause->about,
		    &cause->as, o->arg);
}

static void
on_answer(struct dnsbl_question *question, const struct resolver_answer *answer)
{
	struct inquiry *q = OWNER_OF(question, struct inquiry, question);
	struct exam *e = q->exam;

	if (answer->status == RESOLVER_FOUND ||
	    answer->status == RESOLVER_ABSENT)
		q->finding = DNSBL_ABSENT;
	if (answer->status == RESOLVER_FOUND)
		take_records(q, answer);
	if (--e->open == 0)
		exam_end(e);
	dnsbl_flight_serve(e->test->o.flight);
}

/* --- rounds of exams ---------------------------------------------------- */
static void
exam_begin(struct exam *e)
{
	struct dnsbl_selftest *t = e->test;

	e->begun = loop_now(t->o.loop);
	for (enum exam_topic i = 0; i < TOPICS; i++) {
		struct inquiry *q = &e->inquiry[i];

		q->exam = e;
		q->topic = i;
		q->about = address_for(i);
		q->finding = DNSBL_UNKNOWN;
		dnsbl_flight_add(
		    t->o.flight, e->zone, &q->question, &q->about, on_answer);
		e->open++;
	}
}

/* An exam that is still open (its list is slow, or crowded) goes on. */
static void
begin_what_is_due(struct dnsbl_selftest *t)
{
	struct mono now = loop_now(t->o.loop);

	for (size_t i = 0; i < t->o.spec->zone_count; i++) {
		struct exam *e = &t->exam[i];

		if (mono_between(now, e->due) > 0)
			continue;
		e->due = mono_after(now, t->interval_ms);
		if (e->open == 0)
			exam_begin(e);
	}
	dnsbl_flight_serve(t->o.flight);
	schedule(t);
}

static void
on_timer(struct loop_timer *timer)
{
	begin_what_is_due(OWNER_OF(timer, struct dnsbl_selftest, timer));
}

struct dnsbl_selftest *
dnsbl_selftest_new(const struct dnsbl_selftest_options *o)
{
	struct dnsbl_selftest *t =
	    mem_new(sizeof(*t) + o->spec->zone_count * sizeof(t->exam[0]));

	if (t == NULL)
		return NULL;
	t->o = *o;
	loop_timer_init(&t->timer, o->loop, on_timer);
	for (size_t i = 0; i < o->spec->zone_count; i++) {
		t->exam[i].test = t;
		t->exam[i].zone = i;
	}
	return t;
}

void
dnsbl_selftest_start(struct dnsbl_selftest *t, int64_t interval_ms)
{
	t->interval_ms = interval_ms;
	for (size_t i = 0; i < t->o.spec->zone_count; i++)
		t->exam[i].due = loop_now(t->o.loop);
	begin_what_is_due(t);
}

void
dnsbl_selftest_stop(struct dnsbl_selftest *t)
{
	loop_timer_stop(&t->timer);
	for (size_t i = 0; i < t->o.spec->zone_count; i++) {
		struct exam *e = &t->exam[i];

		for (size_t k = 0; k < TOPICS; k++)
			dnsbl_flight_drop(t->o.flight, &e->inquiry[k].question);
		e->open = 0;
	}
}

void
dnsbl_selftest_free(struct dnsbl_selftest **tp)
{
	struct dnsbl_selftest *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	dnsbl_selftest_stop(t);
	mem_free(t);
}
