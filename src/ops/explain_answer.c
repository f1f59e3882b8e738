/* SPDX-License-Identifier: ISC */
#include "ops/explain_answer.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "ops/explain.h"
#include "screen/quota.h"
#include "screen/rate.h"

/* The lists are asked once more, past the rounds of lookup/dnsbl.c: an admin
 * wants to see what each answers now and how long that takes, also one that
 * rests, and the questions of clients and their statistics are left alone.
 *
 * The pace is kept by one moment: when the lists would have been asked enough
 * for all calls so far. */

struct question {
	struct work *work;
	struct resolver_query
	    *query; /* NULL: answered, or could not be asked */
	size_t at;  /* in the facts' lists */
	char *name; /* of the list: a table's would not last */
};

struct work {
	struct control_call *call;
	struct policy *policy;
	struct dnsbl_spec spec;
	struct explain_facts facts;
	struct question *questions;
	size_t outstanding;
	struct mono began;
	struct loop_timer deadline;
};

static void
work_free(struct work *w)
{
	loop_timer_stop(&w->deadline);
	for (size_t i = 0; w->questions != NULL && i < w->spec.zone_count;
	     i++) {
		resolver_abandon(&w->questions[i].query);
		mem_free(w->questions[i].name);
	}
	mem_free(w->questions);
	mem_free(w->facts.lists);
	dnsbl_spec_clear(&w->spec);
	explain_forget(&w->facts);
	policy_unref(&w->policy);
	mem_free(w);
}

static void
abandon(struct control_call *call)
{
	struct control *c = call->control;

	c->explaining--;
	work_free(call->work);
	call->work = NULL;
}

static void
finish(struct work *w)
{
	struct control_call *call = w->call;

	explain_write(&w->facts, &call->json);
	abandon(call);
	call->abandon = NULL;
	control_finish(call);
}

static void
on_deadline(struct loop_timer *timer)
{
	finish(OWNER_OF(timer, struct work, deadline));
}

/* --- answers ---------------------------------------------------------------- */

static void
take_found(struct explain_list *l, const struct dnsbl_zone_spec *zone,
    const struct resolver_answer *answer)
{
	struct addr listed[RESOLVER_ADDR_MAX];
	size_t n = 0;

	for (size_t i = 0; i < answer->n; i++)
		if (!dnsbl_zone_is_error(zone, &answer->addr[i]))
			listed[n++] = answer->addr[i];
	l->result = n > 0 ? EXPLAIN_LISTED : EXPLAIN_ERROR_CODE;
	l->n = answer->n < EXPLAIN_ADDR_MAX ? answer->n : EXPLAIN_ADDR_MAX;
	memcpy(l->addr, answer->addr, l->n * sizeof(l->addr[0]));
	if (n > 0 && !l->is_out)
		l->points = dnsbl_zone_points(zone, listed, n);
}

static void
on_answer(const struct resolver_answer *answer, void *arg)
{
	struct question *q = arg;
	struct work *w = q->work;
	struct explain_list *l = &w->facts.lists[q->at];

	q->query = NULL;
	l->waited_ms = mono_between(w->began, loop_now(w->call->control->loop));
	l->ttl_s = answer->ttl_s;
	l->has_ttl = answer->status == RESOLVER_FOUND || answer->has_ttl;
	switch (answer->status) {
	case RESOLVER_FOUND:
		take_found(l, &w->spec.zones[q->at], answer);
		break;
	case RESOLVER_ABSENT:
		l->result = EXPLAIN_ABSENT;
		break;
	case RESOLVER_FAILED:
		l->result = EXPLAIN_FAILED;
		l->has_ttl = false;
		l->why = answer->why;
		break;
	case RESOLVER_TIMED_OUT:
		l->has_ttl = false;
		break;
	}
	if (--w->outstanding == 0)
		finish(w);
}

/* --- questions -------------------------------------------------------------- */

static void
ask_list(struct work *w, size_t i)
{
	const struct dnsbl_zone_spec *zone = &w->spec.zones[i];
	struct explain_list *l = &w->facts.lists[i];
	struct question *q = &w->questions[i];
	char name[DNSBL_NAME_MAX];

	q->work = w;
	q->at = i;
	errno = EINVAL;
	if (dnsbl_query_name(&w->facts.client, zone->name, name) == 0)
		q->query =
		    resolver_ask(w->policy->resolver, name, on_answer, q);
	if (q->query != NULL) {
		w->outstanding++;
		return;
	}
	l->result = EXPLAIN_FAILED;
	l->why = errno == EAGAIN ? "too many questions are under way"
				 : "the question cannot be sent";
}

static int
name_list(struct work *w, size_t i)
{
	struct explain_list *l = &w->facts.lists[i];
	const struct dnsbl_health *h = dnsbl_zone_health(w->policy->dnsbl, i);

	l->name = w->questions[i].name =
	    mem_strdup(policy_zone_name(w->policy, w->spec.zones[i].name));
	if (l->name == NULL)
		return -1;
	l->state = dnsbl_health_word(h);
	l->is_out = dnsbl_health_is_out(h);
	return 0;
}

static int
make_room(struct work *w)
{
	struct explain_facts *f = &w->facts;
	size_t n = w->spec.zone_count;

	f->lists = mem_array(n + 1, sizeof(*f->lists));
	w->questions = mem_array(n + 1, sizeof(*w->questions));
	if (f->lists == NULL || w->questions == NULL)
		return -1;
	f->list_count = n;
	return 0;
}

static int
name_lists(struct work *w)
{
	for (size_t i = 0; i < w->facts.list_count; i++)
		if (name_list(w, i) < 0)
			return -1;
	return 0;
}

/* Those of the policy: which lists there are does not depend on stress. */
static int
ask_lists(struct work *w, struct errtext *why)
{
	const struct config *calm = config_under(w->policy->config, false);
	struct explain_facts *f = &w->facts;

	if (dnsbl_spec_parse(span_str(calm->dnsbl_sites), &w->spec, why) < 0)
		return -1;
	if (make_room(w) < 0 || name_lists(w) < 0 ||
	    loop_timer_start(&w->deadline, f->cfg->dnsbl_timeout) < 0) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	w->began = loop_now(w->call->control->loop);
	for (size_t i = 0; i < f->list_count; i++) {
		f->lists[i].waited_ms = f->cfg->dnsbl_timeout;
		ask_list(w, i);
	}
	return 0;
}

static bool
may_ask(struct control *c)
{
	struct mono now = loop_now(c->loop);

	if (mono_between(c->explain_due, now) > 0)
		c->explain_due = now;
	if (c->explaining >= EXPLAIN_AT_ONCE ||
	    mono_between(now, c->explain_due) >
		EXPLAIN_PACE_MS * (EXPLAIN_BURST - 1))
		return false;
	c->explain_due = mono_after(c->explain_due, EXPLAIN_PACE_MS);
	return true;
}

static void
look_at_cache(struct work *w, struct screen *screen)
{
	struct explain_facts *f = &w->facts;
	struct record_key key =
	    record_key_of(&f->client, (unsigned)f->cfg->ipv4_prefix_length,
		(unsigned)f->cfg->ipv6_prefix_length);
	struct record record;

	f->has_cache = screen->cache != NULL && cache_is_usable(screen->cache);
	explain_remember(f,
	    f->has_cache && cache_find(screen->cache, &key, &record) ? &record
								     : NULL);
}

static void
look_at_rates(struct work *w, struct screen *screen)
{
	struct explain_facts *f = &w->facts;
	struct record_key key =
	    record_key_of(&f->client, (unsigned)f->cfg->ipv4_prefix_length,
		(unsigned)f->cfg->ipv6_prefix_length);
	struct mono now = loop_now(screen->loop);

	f->has_counts = true;
	f->sessions = quota_sessions_of(screen->quota, &key);
	f->connections = rate_of(screen->connections, &key, now);
	f->failures = rate_of(screen->failures, &key, now);
}

static void
begin(struct control_call *call, struct work *w, const struct addr *client)
{
	struct control *c = call->control;
	struct screen *screen = c->screen;
	struct errtext why;

	w->call = call;
	w->policy = policy_ref(screen->policy);
	loop_timer_init(&w->deadline, c->loop, on_deadline);
	call->work = w;
	call->abandon = abandon;
	c->explaining++;
	explain_look(
	    &w->facts, w->policy, screen->stress, screen->rules, client);
	look_at_cache(w, screen);
	look_at_rates(w, screen);
	if (w->facts.unasked == NULL && ask_lists(w, &why) < 0) {
		abandon(call);
		call->abandon = NULL;
		control_fail(call, CONTROL_FAILED, "%s", why.text);
	} else if (w->outstanding == 0) {
		finish(w);
	}
}

void
explain_answer(struct control_call *call)
{
	const char *text = call->request.argument[0];
	struct addr client;
	struct work *w;

	if (addr_parse(span_str(text), &client) < 0)
		control_fail(call, CONTROL_BAD, "%.100s: not an address", text);
	else if (!may_ask(call->control))
		control_fail(call, CONTROL_FAILED,
		    "too much is explained at once: try again");
	else if ((w = mem_new(sizeof(*w))) == NULL)
		control_fail(call, CONTROL_FAILED, "%s", strerror(errno));
	else
		begin(call, w, &client);
}
