/* SPDX-License-Identifier: ISC */
#include "ops/explain.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/override.h"

/* The steps are those of screen/admit.c and screen/greet.c, in their order; what
 * a step decides there ends the story here. */

enum { SENTENCE_MAX = 1024, BLOCK_TEXT_MAX = ADDR_TEXT_MAX + 4 };

/* Where the decision falls. */
enum outcome {
	OUTCOME_CROWD,     /* it has too many connections */
	OUTCOME_PERMITTED, /* by the access list */
	OUTCOME_REJECTED,
	OUTCOME_ALLOWED, /* by hand */
	OUTCOME_DENIED,
	OUTCOME_RUSHED, /* it comes too often */
	OUTCOME_KNOWN,
	OUTCOME_LOST,     /* it has failed too often */
	OUTCOME_LISTED,   /* the score reaches the threshold */
	OUTCOME_VOUCHED,  /* the score is at the allowlist threshold */
	OUTCOME_STRANGER, /* it is tested */
};

static const char *const outcome_names[] = {
    [OUTCOME_CROWD] = "too many at once",
    [OUTCOME_PERMITTED] = "permitted",
    [OUTCOME_REJECTED] = "rejected",
    [OUTCOME_ALLOWED] = "allowed",
    [OUTCOME_DENIED] = "denied",
    [OUTCOME_RUSHED] = "too many connections",
    [OUTCOME_LOST] = "too many failures",
    [OUTCOME_KNOWN] = "known",
    [OUTCOME_LISTED] = "listed",
    [OUTCOME_VOUCHED] = "vouched",
    [OUTCOME_STRANGER] = "tested",
};

static const char *const result_names[] = {
    [EXPLAIN_SILENT] = "no answer",
    [EXPLAIN_LISTED] = "listed",
    [EXPLAIN_ABSENT] = "not listed",
    [EXPLAIN_ERROR_CODE] = "error code",
    [EXPLAIN_FAILED] = "failed",
};

static const char *const action_names[] = {
    [ACTION_IGNORE] = "ignore",
    [ACTION_ENFORCE] = "enforce",
    [ACTION_DROP] = "drop",
};

/* --- facts ------------------------------------------------------------------ */

/* What a table has found is its own, and gone when it is asked again or read
 * anew; the facts wait for DNS lists. */
static void
keep_settings(struct explain_facts *f)
{
	struct span found = f->access.settings;

	f->access.settings = (struct span){0};
	if (found.n > 0 &&
	    (f->settings = mem_strndup(found.p, found.n)) != NULL)
		f->access.settings = span_of(f->settings, found.n);
}

void
explain_look(struct explain_facts *f, const struct policy *policy, bool stress,
    const struct rules *rules, const struct addr *client)
{
	const struct rule *rule;

	*f = (struct explain_facts){.client = *client,
	    .policy = policy,
	    .cfg = config_under(policy->config, stress),
	    .now = clock_wall(),
	    .access = access_find(policy->access, client)};
	if (f->access.settings.n > 0)
		f->override =
		    override_get(policy->overrides, f->access.settings, NULL);
	keep_settings(f);
	if (f->override != NULL)
		f->cfg = override_under(f->override, stress);
	rule = rules != NULL ? rules_find(rules, client, f->now) : NULL;
	if (rule != NULL) {
		f->has_rule = true;
		f->rule = *rule;
	}
	if (policy->dnsbl == NULL)
		f->unasked = "there are none in the configuration";
	else if (list_has(policy->skip_networks, client))
		f->unasked = "no list can know this address"
			     " (doorbell_dnsbl_skip_networks)";
}

void
explain_remember(struct explain_facts *f, const struct record *record)
{
	f->is_known = record != NULL;
	checks_begin(&f->checks, f->cfg, record, f->now);
}

void
explain_forget(struct explain_facts *f)
{
	override_put(&f->override);
	mem_free(f->settings);
	f->settings = NULL;
}

static int
score_of(const struct explain_facts *f)
{
	int64_t score = 0;

	for (size_t i = 0; i < f->list_count; i++)
		score += f->lists[i].points;
	if (score > INT_MAX)
		return INT_MAX;
	return score < INT_MIN ? INT_MIN : (int)score;
}

static bool
is_asked(const struct explain_facts *f)
{
	return f->unasked == NULL;
}

static bool
is_at(int64_t count, int64_t limit)
{
	return limit > 0 && count >= limit;
}

static enum outcome
outcome_of(const struct explain_facts *f)
{
	int64_t allow = f->cfg->dnsbl_allowlist_threshold;
	bool ruled = f->access.verdict == ACCESS_DUNNO && f->has_rule;

	if (is_at(f->sessions, f->cfg->client_connection_count_limit))
		return OUTCOME_CROWD;
	if (f->access.verdict == ACCESS_PERMIT)
		return OUTCOME_PERMITTED;
	if (ruled && f->rule.allow)
		return OUTCOME_ALLOWED;
	if (is_at(f->connections, f->cfg->connection_rate_limit))
		return OUTCOME_RUSHED;
	if (f->access.verdict == ACCESS_REJECT &&
	    f->cfg->denylist_action != ACTION_IGNORE)
		return OUTCOME_REJECTED;
	if (ruled)
		return OUTCOME_DENIED;
	if (f->is_known && !checks_any(&f->checks, CHECK_ANY, CHECK_PENDING))
		return OUTCOME_KNOWN;
	if (is_at(f->failures, f->cfg->failure_rate_limit))
		return OUTCOME_LOST;
	if (f->checks.state[CHECK_DNSBL] != CHECK_PENDING || !is_asked(f))
		return OUTCOME_STRANGER;
	if (score_of(f) >= f->cfg->dnsbl_threshold)
		return OUTCOME_LISTED;
	return allow < 0 && score_of(f) <= allow ? OUTCOME_VOUCHED
						 : OUTCOME_STRANGER;
}

/* --- members ---------------------------------------------------------------- */

static void
format_block(const struct addr_block *block, char text[BLOCK_TEXT_MAX])
{
	char address[ADDR_TEXT_MAX];

	(void)snprintf(text, BLOCK_TEXT_MAX, "%s/%u",
	    addr_format(&block->base, address), block->bits);
}

static void
write_access(const struct explain_facts *f, struct json *j)
{
	static const char *const names[] = {
	    [ACCESS_DUNNO] = "no opinion",
	    [ACCESS_PERMIT] = "permit",
	    [ACCESS_REJECT] = "reject",
	};

	json_object(j, "access_list");
	json_text(j, "verdict", names[f->access.verdict]);
	if (f->access.word != NULL)
		json_text(j, "by", f->access.word);
	if (f->access.file != NULL) {
		json_text(j, "file", f->access.file);
		if (f->access.line > 0)
			json_number(j, "line", f->access.line);
		else
			json_null(j, "line");
	}
	if (f->access.settings.n > 0)
		json_span(j, "settings", f->access.settings);
	json_end(j);
}

static void
write_rule(const struct explain_facts *f, struct json *j)
{
	char text[BLOCK_TEXT_MAX];

	if (!f->has_rule) {
		json_null(j, "rule");
		return;
	}
	format_block(&f->rule.block, text);
	json_object(j, "rule");
	json_text(j, "what", f->rule.allow ? "allow" : "deny");
	json_text(j, "block", text);
	if (f->rule.until.s == RULE_FOR_GOOD)
		json_null(j, "until");
	else
		json_number(j, "until", f->rule.until.s);
	json_text(j, "note", f->rule.note);
	json_end(j);
}

static void
write_checks(const struct explain_facts *f, struct json *j)
{
	struct wall until;

	json_object(j, "cache");
	json_bool(j, "used", f->has_cache);
	if (f->cache_trouble != NULL)
		json_text(j, "trouble", f->cache_trouble);
	json_bool(j, "known", f->is_known);
	json_array(j, "tests");
	for (enum check_id i = 0; i < CHECK_COUNT; i++) {
		until = checks_until(&f->checks, i);
		json_object(j, NULL);
		json_text(j, "test", checks_name(i));
		json_bool(j, "due", f->checks.state[i] == CHECK_PENDING);
		if (until.s > RECORD_OFF)
			json_number(j, "until", until.s);
		else
			json_null(j, "until");
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

static void
write_counts(const struct explain_facts *f, struct json *j)
{
	if (!f->has_counts)
		return;
	json_object(j, "rates");
	json_number(j, "connections_now", f->sessions);
	json_number(j, "client_connection_count_limit",
	    f->cfg->client_connection_count_limit);
	json_number(j, "connections_a_minute", f->connections);
	json_number(j, "connection_rate_limit", f->cfg->connection_rate_limit);
	json_number(j, "failures_an_hour", f->failures);
	json_number(j, "failure_rate_limit", f->cfg->failure_rate_limit);
	json_end(j);
}

static void
write_list(const struct explain_list *l, struct json *j)
{
	char text[ADDR_TEXT_MAX];

	json_object(j, NULL);
	json_text(j, "list", l->name);
	json_text(j, "result", result_names[l->result]);
	json_array(j, "answers");
	for (size_t i = 0; i < l->n; i++)
		json_text(j, NULL, addr_format(&l->addr[i], text));
	json_end(j);
	json_number(j, "points", l->points);
	if (l->has_ttl)
		json_number(j, "ttl", l->ttl_s);
	else
		json_null(j, "ttl");
	json_number(j, "ms", l->waited_ms);
	json_text(j, "state", l->state);
	json_end(j);
}

static void
write_dnsbl(const struct explain_facts *f, struct json *j)
{
	json_object(j, "dnsbl");
	json_bool(j, "asked", is_asked(f));
	if (!is_asked(f))
		json_text(j, "why_not", f->unasked);
	json_array(j, "lists");
	for (size_t i = 0; i < f->list_count; i++)
		write_list(&f->lists[i], j);
	json_end(j);
	json_number(j, "score", score_of(f));
	json_number(j, "threshold", f->cfg->dnsbl_threshold);
	json_text(j, "action", action_names[f->cfg->dnsbl_action]);
	json_end(j);
}

/* --- sentences -------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3)))
say(struct json *j, const char *format, ...)
{
	char text[SENTENCE_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	json_text(j, NULL, text);
}

static const char *
say_time(struct wall t, char text[64])
{
	time_t seconds = (time_t)t.s;
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(text, 64, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		text[0] = '\0';
	return text;
}

static void
tell_access(const struct explain_facts *f, struct json *j)
{
	const struct access_fact *a = &f->access;
	const char *does = a->verdict == ACCESS_PERMIT   ? "permits it"
			   : a->verdict == ACCESS_REJECT ? "rejects it"
							 : "has no opinion";

	/* An indexed file has no lines. */
	if (a->file != NULL && a->line > 0)
		say(j, "The permanent access list %s: %s, line %d.", does,
		    a->file, a->line);
	else if (a->word != NULL)
		say(j, "The permanent access list %s: %s.", does, a->word);
	else
		say(j, "The permanent access list %s.", does);
	if (a->verdict == ACCESS_REJECT &&
	    f->cfg->denylist_action == ACTION_IGNORE)
		say(j, "That has no effect (doorbell_denylist_action is"
		       " ignore).");
}

static void
tell_rule(const struct explain_facts *f, struct json *j)
{
	char block[BLOCK_TEXT_MAX], time[64];

	if (!f->has_rule)
		return;
	format_block(&f->rule.block, block);
	say(j, "By hand %s is %s, %s%s%s%s.", block,
	    f->rule.allow ? "allowed" : "denied",
	    f->rule.until.s == RULE_FOR_GOOD ? "for good" : "until ",
	    f->rule.until.s == RULE_FOR_GOOD ? ""
					     : say_time(f->rule.until, time),
	    f->rule.note[0] != '\0' ? ": " : "", f->rule.note);
}

static void
tell_checks(const struct explain_facts *f, struct json *j)
{
	struct wall until;
	char time[64];

	if (f->cache_trouble != NULL)
		say(j,
		    "What is known of clients, and what was said by hand,"
		    " cannot be read: %s.",
		    f->cache_trouble);
	else if (!f->has_cache)
		say(j, "There is no memory of clients.");
	else if (!f->is_known)
		say(j, "It has not passed the tests before, or not lately.");
	for (enum check_id i = 0; i < CHECK_COUNT; i++) {
		until = checks_until(&f->checks, i);
		if (f->checks.state[i] == CHECK_PENDING)
			say(j, "The %s test is due.", checks_name(i));
		else if (until.s > f->now.s)
			say(j, "The %s test is passed until %s.",
			    checks_name(i), say_time(until, time));
	}
}

static void
tell_counts(const struct explain_facts *f, struct json *j)
{
	if (is_at(f->sessions, f->cfg->client_connection_count_limit))
		say(j, "It has %lld connections now; the limit is %lld.",
		    (long long)f->sessions,
		    (long long)f->cfg->client_connection_count_limit);
	if (f->connections > 0 && f->cfg->connection_rate_limit > 0)
		say(j,
		    "It came %lld times in the last minute; the limit is"
		    " %lld.",
		    (long long)f->connections,
		    (long long)f->cfg->connection_rate_limit);
	if (f->failures > 0 && f->cfg->failure_rate_limit > 0)
		say(j,
		    "It failed %lld times in the last hour; the limit is"
		    " %lld.",
		    (long long)f->failures,
		    (long long)f->cfg->failure_rate_limit);
	else if (f->failures > 0)
		say(j, "It failed %lld times in the last hour.",
		    (long long)f->failures);
}

static void
tell_listed(const struct explain_list *l, struct json *j)
{
	char text[EXPLAIN_ADDR_MAX * (ADDR_TEXT_MAX + 1)];
	char address[ADDR_TEXT_MAX];
	struct buf all;

	buf_borrow(&all, text, sizeof(text));
	for (size_t i = 0; i < l->n; i++)
		(void)buf_printf(&all, "%s%s", i > 0 ? " " : "",
		    addr_format(&l->addr[i], address));
	say(j,
	    "%s lists it as %s: %d points (answer in %lld ms, good for %u "
	    "s%s).",
	    l->name, buf_str(&all), l->points, (long long)l->waited_ms,
	    l->ttl_s,
	    l->is_out ? "; the list is out of use and does not count" : "");
}

static void
tell_list(const struct explain_list *l, struct json *j)
{
	switch (l->result) {
	case EXPLAIN_LISTED:
		tell_listed(l, j);
		return;
	case EXPLAIN_ABSENT:
		say(j, "%s does not list it: %d points (answer in %lld ms).",
		    l->name, l->points, (long long)l->waited_ms);
		return;
	case EXPLAIN_ERROR_CODE:
		say(j, "%s does not want to answer us; that never counts.",
		    l->name);
		return;
	case EXPLAIN_FAILED:
		say(j, "%s cannot be asked: %s.", l->name,
		    l->why != NULL ? l->why : "no reason is known");
		return;
	case EXPLAIN_SILENT:
		say(j, "%s has not answered within %lld ms.", l->name,
		    (long long)l->waited_ms);
		return;
	}
}

static void
tell_dnsbl(const struct explain_facts *f, struct json *j)
{
	if (!is_asked(f)) {
		say(j, "DNS lists are not asked: %s.", f->unasked);
		return;
	}
	for (size_t i = 0; i < f->list_count; i++)
		tell_list(&f->lists[i], j);
	say(j, "Its score is %d; from %lld on a client counts as listed.",
	    score_of(f), (long long)f->cfg->dnsbl_threshold);
}

static void
tell_refusal(const char *why, enum config_action action, struct json *j)
{
	switch (action) {
	case ACTION_IGNORE:
		say(j, "%s, but that is only logged.", why);
		break;
	case ACTION_ENFORCE:
		say(j, "%s: each recipient is refused with a 550 reply.", why);
		break;
	case ACTION_DROP:
		say(j, "%s: it is sent away with a 521 reply at once.", why);
		break;
	}
}

static void
tell_interfaces(const struct explain_facts *f, struct json *j)
{
	if (strcmp(f->cfg->allowlist_interfaces, "static:all") != 0)
		say(j,
		    "That is so on the addresses of"
		    " doorbell_allowlist_interfaces; on others each recipient"
		    " is refused with a 450 reply.");
}

static void
tell_outcome(const struct explain_facts *f, struct json *j)
{
	enum config_action deny = (enum config_action)f->cfg->denylist_action;

	switch (outcome_of(f)) {
	case OUTCOME_CROWD:
		say(j, "So it is sent away with a 421 reply, for now: it has"
		       " too many connections"
		       " (doorbell_client_connection_count_limit).");
		break;
	case OUTCOME_PERMITTED:
	case OUTCOME_ALLOWED:
		say(j, "So it gets to the mail server at once, without a"
		       " test.");
		break;
	case OUTCOME_REJECTED:
		tell_refusal("So it is refused", deny, j);
		break;
	case OUTCOME_DENIED:
		tell_refusal("So it is refused",
		    deny == ACTION_IGNORE ? ACTION_ENFORCE : deny, j);
		break;
	case OUTCOME_RUSHED:
		say(j, "So it is sent away with a 421 reply, for now: it comes"
		       " too often (doorbell_connection_rate_limit).");
		break;
	case OUTCOME_LOST:
		say(j, "So it is sent away with a 421 reply, for now: it has"
		       " failed too often (doorbell_failure_rate_limit).");
		break;
	case OUTCOME_KNOWN:
		say(j, "So it gets to the mail server at once: it is known.");
		break;
	case OUTCOME_LISTED:
		tell_refusal("So it fails the DNSBL test",
		    (enum config_action)f->cfg->dnsbl_action, j);
		break;
	case OUTCOME_VOUCHED:
		say(j, "So it passes all other tests, too: the score is at or"
		       " below doorbell_dnsbl_allowlist_threshold.");
		tell_interfaces(f, j);
		break;
	case OUTCOME_STRANGER:
		say(j, "So nothing speaks against it: it gets to the mail"
		       " server when it has passed the tests that are due.");
		tell_interfaces(f, j);
		break;
	}
}

void
explain_write(const struct explain_facts *f, struct json *j)
{
	char text[ADDR_TEXT_MAX];

	json_text(j, "address", addr_format(&f->client, text));
	json_text(j, "outcome", outcome_names[outcome_of(f)]);
	write_access(f, j);
	write_rule(f, j);
	write_checks(f, j);
	write_counts(f, j);
	write_dnsbl(f, j);
	json_array(j, "story");
	tell_access(f, j);
	tell_rule(f, j);
	tell_checks(f, j);
	tell_counts(f, j);
	tell_dnsbl(f, j);
	tell_outcome(f, j);
	json_end(j);
}
