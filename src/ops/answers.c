/* SPDX-License-Identifier: ISC */
#include "ops/answers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ident.h"
#include "base/log.h"
#include "base/num.h"
#include "ops/explain_answer.h"
#include "ops/offender_answers.h"
#include "ops/rule_answers.h"
#include "screen/session.h"

/* Sessions are walked once for each answer; their number is bounded by the
 * descriptors, and that of the sessions shown by --limit. */

enum { SESSIONS_SHOWN = 1000, SESSIONS_SHOWN_MAX = 10000, WORST_SHOWN = 10 };

static const char *const standing_names[] = {
    [STANDING_STRANGER] = "stranger",
    [STANDING_KNOWN] = "known",
    [STANDING_ALLOWED] = "allowed",
};

/* --- status ---------------------------------------------------------------- */

static void
write_phases(const struct screen *screen, struct json *j)
{
	int64_t count[PHASE_COUNT] = {0};
	const struct session *s;

	TAILQ_FOREACH (s, &screen->sessions, others)
		count[s->phase]++;
	json_object(j, "phases");
	for (enum phase p = PHASE_PROXY; p < PHASE_DONE; p++)
		json_number(j, session_phase_name(p), count[p]);
	json_end(j);
}

static void
write_counters(const struct counters *counters, struct json *j)
{
	json_object(j, "counters");
	for (enum counter i = 0; i < COUNTER_COUNT; i++)
		json_number(
		    j, counters_name(i), (int64_t)counters_read(counters, i));
	json_end(j);
}

static void
write_cache(struct cache *cache, struct json *j)
{
	json_object(j, "cache");
	json_bool(j, "usable", cache != NULL && cache_is_usable(cache));
	json_number(
	    j, "waiting", cache != NULL ? (int64_t)cache_backlog(cache) : 0);
	json_end(j);
}

void
answers_write_status(const struct control *c, struct json *j)
{
	const struct screen *screen = c->screen;

	json_text(j, "version", DOORBELL_VERSION);
	json_number(j, "pid", getpid());
	json_text(j, "mode", c->host->mode);
	json_text(j, "config", c->host->config);
	json_number(j, "since", c->host->since.s);
	json_number(j, "uptime_ms",
	    mono_between(c->host->since_mono, loop_now(c->loop)));
	json_bool(j, "stress", screen->stress);
	json_number(j, "sessions", (int64_t)screen_session_count(screen));
	json_number(j, "session_limit", (int64_t)screen->policy->session_limit);
	write_phases(screen, j);
	json_object(j, "handoffs");
	json_number(j, "waiting", (int64_t)screen->handoffs.waiting);
	json_number(j, "in_flight", (int64_t)screen->handoffs.in_flight);
	json_end(j);
	json_number(j, "relayed", (int64_t)screen->replays.active);
	write_cache(screen->cache, j);
	json_number(j, "explaining", c->explaining);
	json_number(j, "log_level", c->host->log_level);
	write_counters(screen->counters, j);
}

static void
answer_status(struct control_call *call)
{
	answers_write_status(call->control, &call->json);
	control_finish(call);
}

/* --- top ------------------------------------------------------------------- */

/* The clients with most sessions, most first. */
static size_t
find_worst(const struct screen *screen, const struct quota_client **worst)
{
	const struct session *s;
	size_t n = 0, at;

	TAILQ_FOREACH (s, &screen->sessions, others) {
		const struct quota_client *c = s->client_entry;

		for (at = 0; at < n && worst[at] != c; at++)
			;
		if (at < n)
			continue;
		if (n == WORST_SHOWN && worst[n - 1]->sessions >= c->sessions)
			continue;
		at = n < WORST_SHOWN ? n++ : n - 1;
		for (; at > 0 && worst[at - 1]->sessions < c->sessions; at--)
			worst[at] = worst[at - 1];
		worst[at] = c;
	}
	return n;
}

static void
write_client(
    const struct screen *screen, const struct quota_client *c, struct json *j)
{
	char text[ADDR_TEXT_MAX + 4], address[ADDR_TEXT_MAX];
	const struct session *s;
	struct addr_block block;
	int64_t failed = 0;

	if (record_key_block(
		span_of((const char *)c->key.bytes, c->key.n), &block) < 0)
		return;
	TAILQ_FOREACH (s, &screen->sessions, others)
		if (s->client_entry == c &&
		    checks_any(&s->checks, CHECK_ANY, CHECK_FAILED))
			failed++;
	(void)snprintf(text, sizeof(text), "%s/%u",
	    addr_format(&block.base, address), block.bits);
	json_object(j, NULL);
	json_text(j, "block", text);
	json_number(j, "sessions", c->sessions);
	json_number(j, "failed", failed);
	json_end(j);
}

static void
answer_top(struct control_call *call)
{
	const struct quota_client *worst[WORST_SHOWN] = {0};
	const struct screen *screen = call->control->screen;
	size_t n = find_worst(screen, worst);

	answers_write_status(call->control, &call->json);
	json_array(&call->json, "worst");
	for (size_t i = 0; i < n; i++)
		write_client(screen, worst[i], &call->json);
	json_end(&call->json);
	control_finish(call);
}

static void
answer_version(struct control_call *call)
{
	json_text(&call->json, "version", DOORBELL_VERSION);
	json_number(&call->json, "pid", getpid());
	control_finish(call);
}

/* --- sessions -------------------------------------------------------------- */

static void
write_endpoint(const struct endpoint *e, const char *address, const char *port,
    struct json *j)
{
	char text[ADDR_TEXT_MAX];

	json_text(j, address, addr_format(&e->addr, text));
	json_number(j, port, e->port);
}

static void
write_session(const struct session *s, struct mono now, struct json *j)
{
	char ident[IDENT_TEXT_MAX];

	json_object(j, NULL);
	json_text(j, "session", ident_format(s->ident, ident));
	write_endpoint(&s->client, "address", "port", j);
	write_endpoint(&s->server, "server_address", "server_port", j);
	json_text(j, "phase", session_phase_name((enum phase)s->phase));
	json_number(j, "age_ms", mono_between(s->begun, now));
	json_text(j, "standing", standing_names[s->standing]);
	json_bool(j, "tls", stream_has_tls(&s->stream));
	json_array(j, "failed");
	for (enum check_id i = 0; i < CHECK_COUNT; i++)
		if (s->checks.state[i] == CHECK_FAILED)
			json_text(j, NULL, checks_name(i));
	json_end(j);
	json_end(j);
}

/* 0 for all of them, -1 for a name that no phase has. */
static int
phase_wanted(const char *name)
{
	if (name == NULL)
		return 0;
	for (enum phase p = PHASE_PROXY; p < PHASE_DONE; p++)
		if (strcmp(session_phase_name(p), name) == 0)
			return (int)p;
	return -1;
}

static void
write_sessions(struct control_call *call, int phase, int64_t limit)
{
	const struct screen *screen = call->control->screen;
	struct mono now = loop_now(call->control->loop);
	const struct session *s;
	int64_t matching = 0;

	json_array(&call->json, "sessions");
	TAILQ_FOREACH (s, &screen->sessions, others) {
		if (phase != 0 && s->phase != phase)
			continue;
		if (matching++ < limit)
			write_session(s, now, &call->json);
	}
	json_end(&call->json);
	json_number(&call->json, "matching", matching);
	json_number(
	    &call->json, "total", (int64_t)screen_session_count(screen));
}

static void
answer_sessions(struct control_call *call)
{
	const char *limit_text = call->request.with[SWITCH_LIMIT];
	const char *phase_text = call->request.with[SWITCH_PHASE];
	int phase = phase_wanted(phase_text);
	int64_t limit = SESSIONS_SHOWN;

	if (phase < 0) {
		control_fail(
		    call, CONTROL_BAD, "there is no phase %s", phase_text);
		return;
	}
	if (limit_text != NULL && num_parse(span_str(limit_text), 0,
				      SESSIONS_SHOWN_MAX, &limit) < 0) {
		control_fail(call, CONTROL_BAD, "--limit is 0 to %d",
		    SESSIONS_SHOWN_MAX);
		return;
	}
	write_sessions(call, phase, limit);
	control_finish(call);
}

/* --- DNS lists ------------------------------------------------------------- */

static void
write_list(
    const struct policy *policy, const struct dnsbl_health *h, struct json *j)
{
	json_object(j, NULL);
	json_text(j, "list", policy_zone_name(policy, h->zone));
	json_text(j, "state", dnsbl_health_word(h));
	json_number(j, "queries", (int64_t)h->queries);
	json_number(j, "listed", (int64_t)h->listed);
	json_number(j, "only", (int64_t)h->only);
	json_number(j, "error_codes", (int64_t)h->error_codes);
	json_number(j, "failures", (int64_t)h->failures);
	json_number(j, "timeouts", (int64_t)h->timeouts);
	json_number(j, "unasked", (int64_t)h->unasked);
	json_number(j, "p50_ms", dnsbl_health_latency(h, 50));
	json_number(j, "p99_ms", dnsbl_health_latency(h, 99));
	json_end(j);
}

void
answers_write_lists(const struct policy *policy, struct json *j)
{
	const struct dnsbl *bl = policy->dnsbl;
	size_t n = bl != NULL ? dnsbl_zone_count(bl) : 0;

	json_array(j, "lists");
	for (size_t i = 0; i < n; i++)
		write_list(policy, dnsbl_zone_health(bl, i), j);
	json_end(j);
}

static void
answer_dnsbl(struct control_call *call)
{
	answers_write_lists(call->control->screen->policy, &call->json);
	control_finish(call);
}

/* --- steering -------------------------------------------------------------- */

static void
answer_reload(struct control_call *call)
{
	struct control *c = call->control;
	struct errtext why;

	if (c->host->reload(c->arg, &why) < 0) {
		control_fail(call, CONTROL_FAILED, "%s", why.text);
		return;
	}
	control_log_act(call, "reload");
	json_bool(&call->json, "reloading", true);
	control_finish(call);
}

static void
answer_drain(struct control_call *call)
{
	struct control *c = call->control;
	struct errtext why;

	if (c->host->drain(c->arg, &why) < 0) {
		control_fail(call, CONTROL_FAILED, "%s", why.text);
		return;
	}
	control_log_act(call, "drain");
	json_number(
	    &call->json, "sessions", (int64_t)screen_session_count(c->screen));
	control_finish(call);
}

static void
answer_log_level(struct control_call *call)
{
	struct control_host *host = call->control->host;
	int64_t level;

	if (call->request.arguments > 0) {
		if (num_parse(span_str(call->request.argument[0]), 0, 9,
			&level) < 0) {
			control_fail(
			    call, CONTROL_BAD, "a log level is 0 to 9");
			return;
		}
		host->log_level = (unsigned)level;
		log_set_verbose(host->log_level);
		control_log_act(call, "log level %u", host->log_level);
	}
	json_number(&call->json, "log_level", host->log_level);
	control_finish(call);
}

control_fn *const answers_handler[ORDER_COUNT] = {
    [ORDER_STATUS] = answer_status,
    [ORDER_TOP] = answer_top,
    [ORDER_SESSIONS] = answer_sessions,
    [ORDER_EXPLAIN] = explain_answer,
    [ORDER_DNSBL] = answer_dnsbl,
    [ORDER_CACHE_DELETE] = rule_answers_cache_delete,
    [ORDER_ALLOW] = rule_answers_allow,
    [ORDER_DENY] = rule_answers_deny,
    [ORDER_FORGET] = rule_answers_forget,
    [ORDER_RULES] = rule_answers_list,
    [ORDER_OFFENDERS] = offender_answers_list,
    [ORDER_RELOAD] = answer_reload,
    [ORDER_DRAIN] = answer_drain,
    [ORDER_LOG_LEVEL] = answer_log_level,
    [ORDER_VERSION] = answer_version,
};
