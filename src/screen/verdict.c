/* SPDX-License-Identifier: ISC */
#include "screen/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "screen/patience.h"

/* Later faults overwrite earlier ones in what a refused client is told, as in
 * postscreen: the last test to fail is the one to name. */

struct verdict_row {
	int drop, enforce;
	const char *enhanced, *text;
};

static const struct verdict_row rows[VERDICT_COUNT] = {
#define VERDICT(id, drop, enforce, enhanced, text) \
	[VERDICT_##id] = {drop, enforce, enhanced, text},
#include "screen/verdicts.def"
#undef VERDICT
};

static const uint8_t check_verdict[CHECK_COUNT] = {
#define CHECK(id, name, stage, slot, enabled, action, ttl, verdict) \
	[CHECK_##id] = VERDICT_##verdict,
#include "screen/checks.def"
#undef CHECK
};

static void
add_field(const struct session *s, char letter, struct buf *out)
{
	char address[ADDR_TEXT_MAX];

	switch (letter) {
	case 'H':
		(void)buf_add_str(out, session_config(s)->postfix.myhostname);
		break;
	case 'a':
		(void)buf_add_str(out, addr_format(&s->client.addr, address));
		break;
	case 'z':
		(void)buf_add_str(
		    out, policy_zone_name(s->policy, session_blamed_zone(s)));
		break;
	default:
		(void)buf_add_char(out, letter);
	}
}

struct reply
verdict_reply(const struct session *s, enum verdict v, bool closing,
    char text[VERDICT_TEXT_MAX])
{
	const struct verdict_row *row = &rows[v];
	struct buf out;

	buf_borrow(&out, text, VERDICT_TEXT_MAX);
	for (const char *p = row->text; *p != '\0'; p++) {
		if (*p == '%' && p[1] != '\0')
			add_field(s, *++p, &out);
		else
			(void)buf_add_char(&out, *p);
	}
	text[out.n] = '\0';
	return (struct reply){
	    .code = closing ? row->drop : row->enforce,
	    .enhanced = row->enhanced,
	    .text = text,
	};
}

size_t
verdict_plain(enum verdict v, char text[VERDICT_TEXT_MAX])
{
	const struct verdict_row *row = &rows[v];
	int n = snprintf(text, VERDICT_TEXT_MAX, "%d %s %s\r\n", row->drop,
	    row->enhanced, row->text);

	must(n > 0 && n < VERDICT_TEXT_MAX);
	return (size_t)n;
}

bool
verdict_is_against(const struct session *s)
{
	return s->refusal != VERDICT_NONE || s->vetoed || s->denied ||
	       s->turn_away != VERDICT_NONE ||
	       checks_any(&s->checks, CHECK_ANY, CHECK_FAILED);
}

enum phase
verdict_close(struct session *s, enum verdict v)
{
	s->farewell = (uint8_t)v;
	return PHASE_DONE;
}

/* The one switch over actions. */
static enum phase
act(struct session *s, enum config_action action, enum verdict v)
{
	switch (action) {
	case ACTION_DROP:
		return verdict_close(s, v);
	case ACTION_ENFORCE:
		s->refusal = (uint8_t)v;
		break;
	case ACTION_IGNORE:
		break;
	}
	return PHASE_STAY;
}

/* For a fault that is ignored: no longer than any test is remembered. */
static struct wall
shortest_pass(const struct session *s)
{
	const struct config *cfg = session_config(s);
	int64_t least = cfg->greet_ttl;

	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		int64_t ttl = checks_ttl_ms(cfg, (enum check_id)id);

		if (checks_is_deep((enum check_id)id) && ttl < least)
			least = ttl;
	}
	return wall_after(clock_wall(), least / 1000);
}

static enum offence
offence_of(enum check_id id)
{
	if (checks_is_deep(id))
		return OFFENCE_PROTOCOL;
	return id == CHECK_DNSBL ? OFFENCE_LISTED : OFFENCE_PREGREET;
}

enum phase
verdict_weigh(struct session *s, enum check_id id)
{
	enum config_action action = checks_action(session_config(s), id);

	if (s->checks.state[id] == CHECK_PENDING)
		patience_note_offence(s, offence_of(id));
	if (action != ACTION_IGNORE && s->checks.state[id] != CHECK_FAILED)
		patience_note_failure(s);
	if (action != ACTION_IGNORE)
		checks_fail(&s->checks, id);
	else if (checks_is_deep(id))
		checks_forgive(&s->checks, id, shortest_pass(s));
	else
		checks_excuse(&s->checks, id);
	if (action == ACTION_DROP && id == CHECK_NON_SMTP)
		return verdict_close(s, VERDICT_GOODBYE);
	return act(s, action, (enum verdict)check_verdict[id]);
}

enum phase
verdict_denylisted(struct session *s)
{
	enum config_action action =
	    (enum config_action)session_config(s)->denylist_action;

	s->denied = action != ACTION_IGNORE;
	patience_note_offence(s, OFFENCE_DENIED);
	return act(s, action, VERDICT_DENYLIST);
}

/* Who denies a client by hand means it. */
enum phase
verdict_denied_by_rule(struct session *s)
{
	enum config_action action =
	    (enum config_action)session_config(s)->denylist_action;

	s->denied = true;
	patience_note_offence(s, OFFENCE_DENIED);
	return act(s, action == ACTION_IGNORE ? ACTION_ENFORCE : action,
	    VERDICT_DENYLIST);
}

void
verdict_settle(struct session *s)
{
	struct screen *screen = s->screen;
	struct record record;
	bool is_new;

	if (s->settled)
		return;
	s->settled = true;
	if (s->denied || s->vetoed ||
	    checks_any(&s->checks, CHECK_ANY, CHECK_FAILED))
		return;
	if (checks_all_passed(&s->checks)) {
		is_new = s->checks.is_new && s->client_entry->passed_new++ == 0;
		session_log(s, is_new ? EVENT_PASS_NEW : EVENT_PASS_OLD,
		    (struct journal_line){0});
		offenders_forgive(screen->offenders, session_key(s));
	}
	if (screen->cache == NULL ||
	    !checks_outcome(&s->checks, session_config(s), &record))
		return;
	if (cache_store(screen->cache, session_key(s), &record) == 0)
		counters_bump(screen->counters, COUNTER_CACHE_STORES);
	else
		counters_bump(screen->counters, COUNTER_CACHE_DROPS);
}

/* How clients usually leave is no news. */
static bool
is_plain_hang_up(int error)
{
	return error == 0 || error == EPIPE || error == ECONNRESET ||
	       error == ETIMEDOUT || error == EHOSTUNREACH ||
	       error == ENETUNREACH || error == EHOSTDOWN ||
	       error == EPROTO; /* of TLS */
}

static void
note_wait(const struct session *s, enum histogram_id id)
{
	counters_note_wait(s->screen->counters, id,
	    mono_between(s->begun, loop_now(s->screen->loop)));
}

enum phase
verdict_hang_up(struct session *s, enum journal_event event)
{
	int error = stream_error(&s->stream);

	if (!is_plain_hang_up(error))
		session_log(s, EVENT_WRITE_ERROR,
		    (struct journal_line){.quoted = span_str(strerror(error))});
	session_log(s, event, (struct journal_line){0});
	if (s->phase == PHASE_GREET)
		patience_note_offence(s, OFFENCE_HANGUP);
	verdict_settle(s);
	s->outcome = COUNTER_HUNG_UP;
	note_wait(s, HISTOGRAM_HANGUP_DELAY);
	return PHASE_DONE;
}

enum phase
verdict_conclude(struct session *s)
{
	if (s->refusal != VERDICT_NONE || s->vetoed ||
	    checks_any(&s->checks, CHECK_DEEP, CHECK_PENDING))
		return PHASE_DIALOGUE;
	verdict_settle(s);
	note_wait(s, HISTOGRAM_STRANGER_WAIT);
	return verdict_hand_on(s);
}

enum phase
verdict_hand_on(struct session *s)
{
	if (!session_config(s)->late_handoff || s->standing == STANDING_ALLOWED)
		return PHASE_HANDOFF;
	s->late = true;
	return PHASE_DIALOGUE;
}

void
verdict_pass_in_tls(struct session *s)
{
	const struct config *cfg = session_config(s);
	struct wall now = clock_wall();

	for (unsigned i = 0; i < CHECK_COUNT; i++) {
		enum check_id id = (enum check_id)i;
		int64_t ttl = checks_ttl_ms(cfg, id);

		if (ttl > cfg->greet_ttl)
			ttl = cfg->greet_ttl;
		if (checks_is_deep(id) && s->checks.state[i] == CHECK_PENDING)
			checks_pass(
			    &s->checks, id, wall_after(now, ttl / 1000));
	}
	verdict_settle(s);
}
