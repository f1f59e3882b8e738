/* SPDX-License-Identifier: ISC */
#include "screen/session.h"

#include <string.h>

#include "base/mem.h"
#include "screen/patience.h"
#include "screen/verdict.h"

/* Two waits run side by side: for the client to talk before its turn, and for
 * the DNS lists. What the client says is only looked at (the bytes are
 * smtpd's). The phase ends when nothing is waited for any more, or when the
 * greet wait is over; a score that no outstanding answer can change ends its
 * wait at once. */

enum { WAIT_PREGREET = 1, WAIT_DNSBL = 2 };

/* For each tick the process has to be woken, which costs as much as some clients
 * in the same tick. But those that end together are worked off in one go, and a
 * known client waits for them: at 10 ms and 2,000 strangers a second, five times
 * as long as at 2 ms. */
enum { GREET_SLACK_MS = 2 };

static int64_t
clamp(int64_t n, int64_t low, int64_t high)
{
	if (n > high)
		n = high;
	return n < low ? low : n;
}

/* Nothing that may still come in has a weight. */
static bool
score_is_final(const struct dnsbl_score *score)
{
	return score->complete || score->low == score->high;
}

/* Until when a passed DNSBL test is remembered: an answer that is missing makes
 * it as short as allowed. */
static struct wall
dnsbl_expiry(const struct session *s, const struct dnsbl_score *score)
{
	const struct config *cfg = session_config(s);
	int64_t ttl = score->ttl_s;

	if (score->missing || !score_is_final(score))
		ttl = 0;
	return wall_after(clock_wall(),
	    clamp(ttl, cfg->dnsbl_min_ttl / 1000, cfg->dnsbl_max_ttl / 1000));
}

static struct wall
pregreet_expiry(const struct session *s)
{
	return wall_after(clock_wall(),
	    checks_ttl_ms(session_config(s), CHECK_PREGREET) / 1000);
}

static bool
score_allows(const struct config *cfg, int points)
{
	return cfg->dnsbl_allowlist_threshold < 0 &&
	       points <= cfg->dnsbl_allowlist_threshold;
}

/* No answer that is still missing can change what follows from the score. */
static bool
score_is_decided(const struct config *cfg, const struct dnsbl_score *score)
{
	if (score_is_final(score))
		return true;
	if ((score->low >= cfg->dnsbl_threshold) !=
	    (score->high >= cfg->dnsbl_threshold))
		return false;
	return score_allows(cfg, score->low) == score_allows(cfg, score->high);
}

/* Lists that can only speak for a client are no reason; what is watched is
 * none either. */
static void
remember_lists(struct session *s, const struct dnsbl_score *score)
{
	const struct dnsbl *bl = s->policy->dnsbl;

	for (size_t i = 0; i < dnsbl_zone_count(bl); i++) {
		if ((score->listed_by >> i & 1) == 0 ||
		    !dnsbl_zone_blames(bl, i))
			continue;
		s->listed_by |= UINT64_C(1) << i;
		if (score->zone != NULL &&
		    strcmp(dnsbl_zone_health(bl, i)->zone, score->zone) == 0)
			s->blamed = (uint8_t)i;
	}
}

static bool
wait_is_over(const struct session *s)
{
	return !loop_timer_is_running(&s->deadline);
}

static enum phase
judge_score(struct session *s, const struct dnsbl_score *score)
{
	const struct config *cfg = session_config(s);

	if (score->missing || !score_is_final(score)) {
		counters_bump(s->screen->counters, COUNTER_DNSBL_INCOMPLETE);
		if (!score_is_decided(cfg, score) || score->missing ||
		    wait_is_over(s))
			session_log(s, EVENT_DNSBL_INCOMPLETE,
			    (struct journal_line){.number = score->points});
	}
	if (score->points >= cfg->dnsbl_threshold) {
		remember_lists(s, score);
		session_log(s, EVENT_DNSBL_RANK,
		    (struct journal_line){.number = score->points});
		return verdict_weigh(s, CHECK_DNSBL);
	}
	checks_pass(&s->checks, CHECK_DNSBL, dnsbl_expiry(s, score));
	if (score_allows(cfg, score->points))
		checks_skip_pending(&s->checks, dnsbl_expiry(s, score));
	return PHASE_STAY;
}

/* Who has not answered in all that time, but could not change the verdict, is
 * given its own time to: else it would never be found out to be dead. */
static void
leave_lists(struct session *s)
{
	struct greet *g = &s->greet;

	g->score = dnsbl_score_now(&g->ticket);
	if (!score_is_decided(session_config(s), &g->score))
		dnsbl_give_up(&g->ticket);
	else if (wait_is_over(s))
		dnsbl_let_go(&g->ticket);
	else
		dnsbl_cancel(&g->ticket);
}

/* The early tests are over: what came of them? */
static enum phase
greet_finish(struct session *s)
{
	struct greet *g = &s->greet;
	enum phase wish;

	if (g->ticket.round != NULL)
		leave_lists(s);
	if (g->asked && (wish = judge_score(s, &g->score)) != PHASE_STAY)
		return wish;
	if (s->checks.state[CHECK_PREGREET] == CHECK_PENDING)
		checks_pass(&s->checks, CHECK_PREGREET, pregreet_expiry(s));
	return verdict_conclude(s);
}

static enum phase
stop_waiting(struct session *s, unsigned bits)
{
	s->greet.waiting &= ~bits;
	return s->greet.waiting == 0 ? greet_finish(s) : PHASE_STAY;
}

static enum phase
on_score(struct session *s, const struct dnsbl_score *score)
{
	const struct config *cfg = session_config(s);
	bool listed;

	if ((s->greet.waiting & WAIT_DNSBL) == 0 ||
	    !score_is_decided(cfg, score))
		return PHASE_STAY;
	listed = score->low >= cfg->dnsbl_threshold;
	if (score_allows(cfg, score->high) ||
	    (listed && cfg->dnsbl_action == ACTION_DROP))
		return greet_finish(s);
	return stop_waiting(s, WAIT_DNSBL);
}

static void
on_dnsbl(struct dnsbl_ticket *ticket, const struct dnsbl_score *score)
{
	struct session *s = OWNER_OF(ticket, struct session, greet.ticket);

	s->greet.score = *score;
	session_follow(s, on_score(s, score));
}

/* Ask the lists, unless none of them can know the address. */
static void
ask_lists(struct session *s)
{
	struct screen *screen = s->screen;
	bool joined = false;

	if (s->policy->dnsbl == NULL ||
	    list_has(s->policy->skip_networks, &s->client.addr)) {
		const struct dnsbl_score none = {
		    .complete = true, .ttl_s = UINT32_MAX};

		counters_bump(screen->counters, COUNTER_DNSBL_SKIPPED);
		checks_pass(&s->checks, CHECK_DNSBL, dnsbl_expiry(s, &none));
		return;
	}
	if (dnsbl_start(s->policy->dnsbl, &s->client.addr, &s->greet.ticket,
		on_dnsbl, &joined) < 0) {
		const struct dnsbl_score none = {.missing = true};

		/* No memory for a question: as if no list had answered. */
		(void)judge_score(s, &none);
		return;
	}
	if (joined)
		counters_bump(screen->counters, COUNTER_DNSBL_SHARED);
	s->greet.asked = true;
	s->greet.score = dnsbl_score_now(&s->greet.ticket);
	if (!score_is_final(&s->greet.score))
		s->greet.waiting |= WAIT_DNSBL;
}

static enum phase
greet_begin(struct session *s)
{
	session_mark(s);
	s->greet = (struct greet){.waiting = 0};
	if (s->checks.state[CHECK_PREGREET] == CHECK_PENDING) {
		const char *teaser = s->policy->teaser[s->screen->stress];

		s->greet.waiting |= WAIT_PREGREET;
		s->greeted = true;
		if (stream_write(&s->stream, teaser, span_str(teaser).n) < 0)
			return verdict_hang_up(s, EVENT_HANGUP_EARLY);
	}
	if (s->checks.state[CHECK_DNSBL] == CHECK_PENDING)
		ask_lists(s);
	if (s->greet.waiting == 0)
		return greet_finish(s);
	if (stream_watch(&s->stream) < 0 ||
	    loop_timer_start_within(
		&s->deadline, patience_greet_wait(s), GREET_SLACK_MS) < 0)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	return PHASE_STAY;
}

static enum phase
on_early_talk(struct session *s)
{
	struct span said = stream_peeked(&s->stream);
	enum phase wish;

	if ((s->greet.waiting & WAIT_PREGREET) == 0)
		return PHASE_STAY;
	session_log(s, EVENT_PREGREET,
	    (struct journal_line){.number = (int64_t)said.n, .quoted = said});
	if ((wish = verdict_weigh(s, CHECK_PREGREET)) != PHASE_STAY)
		return wish;
	return stop_waiting(s, WAIT_PREGREET);
}

static enum phase
greet_on_stream(struct session *s, enum stream_event event)
{
	switch (event) {
	case STREAM_PEEKED:
		return on_early_talk(s);
	case STREAM_EOF:
	case STREAM_ERROR:
		return verdict_hang_up(s, EVENT_HANGUP_EARLY);
	case STREAM_NO_MEMORY:
		return verdict_close(s, VERDICT_NO_RESOURCES);
	case STREAM_INPUT:
	case STREAM_DRAINED:
		break;
	}
	return PHASE_STAY;
}

static void
greet_end(struct session *s)
{
	dnsbl_cancel(&s->greet.ticket);
	s->visit.lists = s->greet.score.listed_by;
}

const struct phase_ops greet_phase = {
    .name = "greet",
    .begin = greet_begin,
    .on_stream = greet_on_stream,
    .on_deadline = greet_finish,
    .end = greet_end,
};
