/* SPDX-License-Identifier: ISC */
#include "screen/session.h"

#include <stdio.h>

#include "base/clock.h"
#include "config/override.h"
#include "screen/patience.h"
#include "screen/verdict.h"

/* At the door, in this order, because log tools and admins know it: connection
 * limit, access list, rules by hand, cache, veto, room. Who is in the access
 * list or known is never refused for want of room; for all others room is made,
 * as long as somebody stands worse. How often a client comes is asked before the
 * cache, as a flood of known clients is one too; how often it has failed is
 * asked behind it, as what its neighbours do is not a known client's fault. */

static enum phase
turn_away(struct session *s, enum journal_event event, enum verdict v)
{
	session_log(s, event, (struct journal_line){0});
	return verdict_close(s, v);
}

/* Who is with smtpd already, but not collected yet, is nobody's burden. */
static bool
client_has_too_many(const struct session *s)
{
	int64_t limit = session_config(s)->client_connection_count_limit;

	/* A proxy's own connections are no client's. */
	if (limit == 0 || s->local || s->client_entry->sessions <= limit)
		return false;
	fdpass_collect(&s->screen->handoffs.sent);
	return s->client_entry->sessions > limit;
}

/* Old log words by default rather than by choice: said once, as Postfix does,
 * behind the first line that is affected. */
static void
note_compatibility(struct session *s)
{
	struct journal *j = &s->screen->journal;

	if (j->compatibility_noted || !s->policy->words_by_default)
		return;
	j->compatibility_noted = true;
	session_log(s, EVENT_COMPATIBILITY, (struct journal_line){0});
}

static void
log_listing(struct session *s, enum journal_event event)
{
	session_log(s, event, (struct journal_line){0});
	note_compatibility(s);
}

/* What is different for the client's network counts from here on. Without
 * memory for it, what counts for everybody does. */
static struct access_fact
ask_access_list(struct session *s)
{
	struct access_fact fact =
	    access_find(s->policy->access, &s->client.addr);

	if (fact.settings.n > 0)
		s->override =
		    override_get(s->policy->overrides, fact.settings, NULL);
	return fact;
}

static enum phase
turn_away_flood(
    struct session *s, bool permitted, enum journal_event event, enum verdict v)
{
	if (!permitted)
		patience_note_offence(s, OFFENCE_FLOOD);
	return turn_away(s, event, v);
}

/* What the access list says: PHASE_HANDOFF, PHASE_DONE, or go on. */
static enum phase
follow_access_list(struct session *s, const struct access_fact *fact)
{
	switch (fact->verdict) {
	case ACCESS_PERMIT:
		s->standing = STANDING_ALLOWED;
		log_listing(s, EVENT_ALLOWLISTED);
		(void)crowd_make_room(s);
		return PHASE_HANDOFF;
	case ACCESS_REJECT:
		log_listing(s, EVENT_DENYLISTED);
		return verdict_denylisted(s);
	case ACCESS_DUNNO:
		break;
	}
	return PHASE_STAY;
}

/* Which rule it was, behind the line that log tools know. */
static void
log_rule(struct session *s, const struct rule *rule)
{
	char address[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + 4];

	(void)snprintf(text, sizeof(text), "%s/%u",
	    addr_format(&rule->block.base, address), rule->block.bits);
	session_log(s, EVENT_RULE,
	    (struct journal_line){.word = rule->allow ? "allowed" : "denied",
		.text = span_str(text)});
}

/* What was said by hand, where the access list has no opinion. */
static enum phase
follow_rule(struct session *s, const struct rule *rule)
{
	if (rule == NULL)
		return PHASE_STAY;
	if (rule->allow) {
		s->standing = STANDING_ALLOWED;
		log_listing(s, EVENT_ALLOWLISTED);
		log_rule(s, rule);
		(void)crowd_make_room(s);
		return PHASE_HANDOFF;
	}
	log_listing(s, EVENT_DENYLISTED);
	log_rule(s, rule);
	return verdict_denied_by_rule(s);
}

/* NULL: none, or the access list has decided. */
static const struct rule *
find_rule(const struct session *s, const struct access_fact *fact)
{
	const struct rules *rules = s->screen->rules;

	if (rules == NULL || fact->verdict != ACCESS_DUNNO)
		return NULL;
	return rules_find(rules, &s->client.addr, clock_wall());
}

/* A client that the access list rejects has no memory: all tests are due each
 * time. Returns whether every enabled test is still valid. */
static bool
ask_cache(struct session *s)
{
	struct screen *screen = s->screen;
	struct record record;
	bool found, known;

	found = !s->denied && screen->cache != NULL &&
		cache_find(screen->cache, session_key(s), &record);
	checks_begin(&s->checks, session_config(s), found ? &record : NULL,
	    clock_wall());
	known = found && !checks_any(&s->checks, CHECK_ANY, CHECK_PENDING);
	if (!s->denied && screen->cache != NULL)
		counters_bump(screen->counters,
		    known ? COUNTER_CACHE_HITS : COUNTER_CACHE_MISSES);
	return known;
}

static enum phase
admit_begin(struct session *s)
{
	bool permitted;
	struct access_fact fact;
	const struct rule *rule;
	enum phase wish;

	session_log(s, EVENT_CONNECT, (struct journal_line){0});
	if (!policy_speaks(s->policy, &s->client.addr) ||
	    !policy_speaks(s->policy, &s->server.addr))
		return turn_away(s, EVENT_FAMILY, VERDICT_NO_RESOURCES);
	fact = ask_access_list(s);
	rule = find_rule(s, &fact);
	permitted =
	    fact.verdict == ACCESS_PERMIT || (rule != NULL && rule->allow);
	if (client_has_too_many(s))
		return turn_away_flood(
		    s, permitted, EVENT_REJECT_COUNT, VERDICT_TOO_MANY);
	if (!permitted && patience_is_rushed(s))
		return turn_away_flood(
		    s, permitted, EVENT_REJECT_RATE, VERDICT_RUSHED);
	if ((wish = follow_access_list(s, &fact)) != PHASE_STAY ||
	    (wish = follow_rule(s, rule)) != PHASE_STAY)
		return wish;
	if (ask_cache(s)) {
		s->standing = STANDING_KNOWN;
		session_log(s, EVENT_PASS_OLD, (struct journal_line){0});
		(void)crowd_make_room(s);
		return verdict_hand_on(s);
	}
	if (patience_is_lost(s))
		return turn_away(s, EVENT_REJECT_FAILURES, VERDICT_LOST);
	if (!list_has(s->policy->allow_interfaces, &s->server.addr)) {
		s->vetoed = true;
		log_listing(s, EVENT_ALLOWLIST_VETO);
	}
	if (!crowd_make_room(s))
		return turn_away(s, EVENT_REJECT_FULL, VERDICT_SCREEN_FULL);
	if (checks_any(&s->checks, CHECK_EARLY, CHECK_PENDING))
		return PHASE_GREET;
	return verdict_conclude(s);
}

const struct phase_ops admit_phase = {
    .name = "admit",
    .begin = admit_begin,
};
