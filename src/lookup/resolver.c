/* SPDX-License-Identifier: ISC */
#include "lookup/resolver.h"

/* The channel calls back when it likes: inside dns_channel_ask(), from ticks,
 * while it is closed. So an answer is only kept there, and delivered by a
 * loop_later; nothing of c-ares is on the stack when a resolver_fn runs, and it
 * may ask, abandon and free as it wants.
 *
 * c-ares cannot take back one query. An abandoned one stays inside, without a
 * reader, and is freed when c-ares is done with it. What it may still cost is
 * bounded by INSIDE_MAX: ids are drawn at random, and would never be found when
 * all 65,536 are taken.
 *
 * A truncated answer is asked for again by TCP, through a channel of its own
 * that is opened when it is first needed: a server that refuses TCP must not
 * disturb questions that go by UDP. When TCP brings nothing, what the truncated
 * answer held is the answer: to list an address one A record is enough.
 *
 * Retries of c-ares have no common end: every query has a deadline of our own,
 * and as all wait equally long, the first in line is the next to expire. The
 * young ones (lookup/dns_window.h) are the end of that line. The tick is short
 * because c-ares repeats in it all that has become due since the last one. */

#include <sys/queue.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "lookup/dns_channel.h"
#include "lookup/dns_window.h"

enum {
	TICK_MS = 25,
	NAME_BYTES_MAX = 253,
	LABEL_BYTES_MAX = 63,
	INSIDE_MAX = 4 * RESOLVER_FLIGHT_MAX,
	RESOLVER_MAGIC = 0x7265736f,
	QUERY_MAGIC = 0x71756572,
};

enum query_state {
	QUERY_ASKED,     /* in `asked`: waits for the channel or its deadline */
	QUERY_ANSWERED,  /* in `answered`: waits for delivery */
	QUERY_ABANDONED, /* nobody wants it; only the channel knows it */
};

struct resolver_query {
	uint32_t magic;
	enum query_state state;
	struct dns_channel_query inside; /* has a channel while inside it */
	struct resolver *resolver;
	TAILQ_ENTRY(resolver_query) link;
	struct mono deadline;
	resolver_fn *fn;
	void *arg;
	bool by_tcp;   /* the second time */
	bool is_young; /* counted by the window */
	/* the answer, kept small until it is delivered */
	enum resolver_status status;
	bool has_ttl;
	uint32_t ttl_s;
	const char *why;
	size_t n;
	struct addr *addr;
	char name[];
};

TAILQ_HEAD(query_list, resolver_query);

struct resolver {
	uint32_t magic;
	struct loop *loop;
	struct dns_channel_options options;
	struct dns_channel *udp, *tcp;
	struct query_list asked, answered;
	size_t asked_count, answered_count, inside_count;
	struct dns_window window;
	struct resolver_query *oldest_young; /* in `asked`, or NULL */
	struct loop_timer tick;
	struct loop_later delivery;
	bool *is_gone; /* tells a delivery that the resolver was freed */
};

/* --- the life of a query ------------------------------------------------ */
static void
query_free(struct resolver_query *q)
{
	q->magic = 0;
	mem_free(q->addr);
	mem_free(q);
}

static void
query_age(struct resolver_query *q)
{
	struct resolver *r = q->resolver;

	if (!q->is_young)
		return;
	q->is_young = false;
	dns_window_aged(&r->window);
	if (r->oldest_young == q)
		r->oldest_young = TAILQ_NEXT(q, link);
}

static void
asked_remove(struct resolver_query *q)
{
	query_age(q);
	TAILQ_REMOVE(&q->resolver->asked, q, link);
	q->resolver->asked_count--;
}

static void
asked_add(struct resolver_query *q)
{
	struct resolver *r = q->resolver;

	TAILQ_INSERT_TAIL(&r->asked, q, link);
	r->asked_count++;
	q->is_young = true;
	dns_window_sent(&r->window);
	if (r->oldest_young == NULL)
		r->oldest_young = q;
}

/* Off its list, and gone as soon as c-ares does not know it any more. */
static void
query_leave(struct resolver_query *q)
{
	struct resolver *r = q->resolver;

	if (q->state == QUERY_ASKED) {
		asked_remove(q);
	} else if (q->state == QUERY_ANSWERED) {
		TAILQ_REMOVE(&r->answered, q, link);
		r->answered_count--;
	}
	q->state = QUERY_ABANDONED;
	if (q->inside.channel == NULL)
		query_free(q);
}

/* What a truncated answer held stays when nothing better comes. */
static void
keep(struct resolver_query *q, const struct resolver_answer *answer)
{
	bool is_better = answer->status == RESOLVER_FOUND ||
			 answer->status == RESOLVER_ABSENT;

	if (q->n > 0 && !is_better)
		return;
	mem_free(q->addr);
	q->addr = NULL;
	q->n = 0;
	q->status = answer->status;
	q->has_ttl = answer->has_ttl;
	q->ttl_s = answer->ttl_s;
	q->why = answer->why;
	if (answer->n == 0)
		return;
	if ((q->addr = mem_array(answer->n, sizeof(*q->addr))) == NULL) {
		q->status = RESOLVER_FAILED;
		q->why = "out of memory";
		return;
	}
	q->n = answer->n;
	memcpy(q->addr, answer->addr, q->n * sizeof(*q->addr));
}

static void on_delivery(struct loop_later *later);

static void
query_answer(struct resolver_query *q, const struct resolver_answer *answer)
{
	struct resolver *r = q->resolver;

	must(q->state == QUERY_ASKED);
	keep(q, answer);
	asked_remove(q);
	q->state = QUERY_ANSWERED;
	TAILQ_INSERT_TAIL(&r->answered, q, link);
	r->answered_count++;
	loop_later_add(r->loop, &r->delivery, on_delivery);
}

static void
query_deliver(struct resolver_query *q)
{
	struct resolver_answer answer = {
	    .status = q->status,
	    .n = q->n,
	    .ttl_s = q->ttl_s,
	    .has_ttl = q->has_ttl,
	    .why = q->why,
	};
	resolver_fn *fn = q->fn;
	void *arg = q->arg;

	if (q->n > 0)
		memcpy(answer.addr, q->addr, q->n * sizeof(*q->addr));
	query_leave(q);
	fn(&answer, arg);
}

/* Those that are there now; answers that come in meanwhile wait a tick. */
static void
on_delivery(struct loop_later *later)
{
	struct resolver *r = OWNER_OF(later, struct resolver, delivery);
	struct resolver_query *q;
	bool is_gone = false;

	r->is_gone = &is_gone;
	for (size_t n = r->answered_count; n > 0; n--) {
		if ((q = TAILQ_FIRST(&r->answered)) == NULL)
			break;
		query_deliver(q);
		if (is_gone)
			return;
	}
	r->is_gone = NULL;
	if (!TAILQ_EMPTY(&r->answered))
		loop_later_add(r->loop, &r->delivery, on_delivery);
}

/* --- what the channels say ---------------------------------------------- */
static void on_channel_answer(
    struct dns_channel_query *inside, const struct resolver_answer *answer);

static void
query_put(struct resolver_query *q, struct dns_channel *channel)
{
	q->resolver->inside_count++;
	dns_channel_ask(channel, &q->inside, q->name, on_channel_answer);
}

static bool
query_repeat_by_tcp(
    struct resolver_query *q, const struct resolver_answer *answer)
{
	struct resolver *r = q->resolver;
	struct dns_channel_options by_tcp = r->options;
	struct errtext why;

	by_tcp.tcp = true;
	if (q->by_tcp)
		return false;
	if (r->tcp == NULL &&
	    (r->tcp = dns_channel_open(r->loop, &by_tcp, &why)) == NULL)
		return false;
	q->by_tcp = true;
	keep(q, answer);
	query_put(q, r->tcp);
	return true;
}

/* Without an answer the channel has closed: either everything is going, or the
 * question will be put to the next channel. */
static void
on_channel_answer(
    struct dns_channel_query *inside, const struct resolver_answer *answer)
{
	struct resolver_query *q =
	    OWNER_OF(inside, struct resolver_query, inside);

	must(q->magic == QUERY_MAGIC);
	q->resolver->inside_count--;
	if (answer != NULL && answer->status != RESOLVER_TIMED_OUT)
		dns_window_answered(&q->resolver->window, inside->repeats > 0);
	if (q->state == QUERY_ABANDONED)
		query_free(q);
	else if (q->state == QUERY_ASKED && answer != NULL &&
		 !(answer->truncated && query_repeat_by_tcp(q, answer)))
		query_answer(q, answer);
}

/* The tick: retries of c-ares, then deadlines of ours. */
static void
on_tick(struct loop_timer *timer)
{
	static const struct resolver_answer late = {
	    .status = RESOLVER_TIMED_OUT};
	struct resolver *r = OWNER_OF(timer, struct resolver, tick);
	struct mono now = loop_now(r->loop);
	struct resolver_query *q;

	dns_channel_tick(r->udp);
	if (r->tcp != NULL)
		dns_channel_tick(r->tcp);
	while ((q = TAILQ_FIRST(&r->asked)) != NULL &&
	       mono_between(now, q->deadline) <= 0)
		query_answer(q, &late);
	if (r->inside_count > 0)
		(void)loop_timer_start(&r->tick, TICK_MS);
}

/* --- the contract ------------------------------------------------------- */
static int
resolver_open(struct resolver *r, const char *servers, struct errtext *why)
{
	struct dns_servers *found = &r->options.servers;

	if (servers != NULL && dns_servers_parse(servers, found, why) < 0)
		return -1;
	if (found->n == 0 && dns_servers_learn(found, why) < 0)
		return -1;
	if (found->n == 0) {
		errtext_set(why, "there are no name servers");
		return -1;
	}
	r->udp = dns_channel_open(r->loop, &r->options, why);
	return r->udp != NULL ? 0 : -1;
}

struct resolver *
resolver_new(
    struct loop *loop, const struct resolver_options *o, struct errtext *why)
{
	struct resolver *r = mem_new(sizeof(*r));

	if (r == NULL) {
		errtext_set(why, "out of memory");
		return NULL;
	}
	r->magic = RESOLVER_MAGIC;
	r->loop = loop;
	r->options.timeout_ms = o->timeout_ms;
	TAILQ_INIT(&r->asked);
	TAILQ_INIT(&r->answered);
	dns_window_init(&r->window, loop_now(loop));
	loop_timer_init(&r->tick, loop, on_tick);
	if (resolver_open(r, o->servers, why) < 0)
		resolver_free(&r);
	return r;
}

void
resolver_free(struct resolver **r_ref)
{
	struct resolver *r = *r_ref;
	struct resolver_query *q;

	*r_ref = NULL;
	if (r == NULL)
		return;
	while ((q = TAILQ_FIRST(&r->asked)) != NULL)
		query_leave(q);
	while ((q = TAILQ_FIRST(&r->answered)) != NULL)
		query_leave(q);
	dns_channel_close(&r->udp); /* calls back for all the rest */
	dns_channel_close(&r->tcp);
	must(r->inside_count == 0);
	loop_timer_stop(&r->tick);
	loop_later_cancel(&r->delivery);
	if (r->is_gone != NULL)
		*r->is_gone = true;
	r->magic = 0;
	mem_free(r);
}

/* No escapes, no empty labels: what c-ares takes literally. */
static bool
name_is_askable(const char *name)
{
	size_t n = strlen(name), label = 0;

	if (n == 0 || n > NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '\\')
			return false;
		if (name[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (++label > LABEL_BYTES_MAX) {
			return false;
		}
	}
	return true;
}

static bool
has_room(struct resolver *r)
{
	struct mono now = loop_now(r->loop);
	struct resolver_query *q;

	while ((q = r->oldest_young) != NULL &&
	       mono_between(now, q->deadline) <=
		   r->options.timeout_ms - DNS_YOUNG_MS)
		query_age(q);
	return r->asked_count < RESOLVER_FLIGHT_MAX &&
	       r->inside_count < INSIDE_MAX &&
	       dns_window_has_room(&r->window, now);
}

struct resolver_query *
resolver_ask(struct resolver *r, const char *name, resolver_fn *fn, void *arg)
{
	size_t n = strlen(name);
	struct resolver_query *q;

	if (!name_is_askable(name)) {
		errno = EINVAL;
		return NULL;
	}
	if (!has_room(r)) {
		errno = EAGAIN;
		return NULL;
	}
	if (!loop_timer_is_running(&r->tick) &&
	    loop_timer_start(&r->tick, TICK_MS) < 0)
		return NULL;
	if ((q = mem_new(sizeof(*q) + n + 1)) == NULL)
		return NULL;
	q->magic = QUERY_MAGIC;
	q->resolver = r;
	q->fn = fn;
	q->arg = arg;
	q->deadline = mono_after(loop_now(r->loop), r->options.timeout_ms);
	memcpy(q->name, name, n + 1);
	asked_add(q);
	query_put(q, r->udp);
	return q;
}

void
resolver_abandon(struct resolver_query **query)
{
	struct resolver_query *q = *query;

	*query = NULL;
	if (q == NULL)
		return;
	must(q->magic == QUERY_MAGIC && q->state != QUERY_ABANDONED);
	query_leave(q);
}

int
resolver_after_fork(struct resolver *r, struct errtext *why)
{
	struct dns_channel *fresh, *stale = r->udp;
	struct resolver_query *q, *next;

	if ((fresh = dns_channel_open(r->loop, &r->options, why)) == NULL)
		return -1;
	r->udp = fresh;
	dns_channel_close(&stale);
	dns_channel_close(&r->tcp);
	for (q = TAILQ_FIRST(&r->asked); q != NULL; q = next) {
		next = TAILQ_NEXT(q, link); /* may be answered right here */
		q->by_tcp = false;
		query_put(q, r->udp);
	}
	return 0;
}

const char *
resolver_version(void)
{
	return dns_channel_version();
}
