/* SPDX-License-Identifier: ISC */
#include "screen/screen.h"

#include <string.h>
#include <unistd.h>

#include "base/ident.h"
#include "base/mem.h"
#include "base/slab.h"
#include "screen/offenders.h"
#include "screen/patience.h"
#include "screen/rate.h"
#include "screen/replay.h"
#include "screen/session.h"
#include "screen/verdict.h"

/* Sessions are chained oldest first. Stress is looked at whenever their number
 * changes, so both its ends are exact. */

static void
free_parts(struct screen *screen)
{
	slab_free(&screen->session_memory);
	quota_free(&screen->quota);
	rate_free(&screen->connections);
	rate_free(&screen->failures);
	offenders_free(&screen->offenders);
}

struct screen *
screen_new(const struct screen_options *o)
{
	struct screen *screen = mem_new(sizeof(*screen));

	if (screen == NULL)
		return NULL;
	screen->session_memory = slab_new(sizeof(struct session));
	screen->quota = quota_new();
	screen->connections =
	    rate_new(PATIENCE_CONNECTIONS_MS, RATE_ENTRIES_MAX);
	screen->failures = rate_new(PATIENCE_FAILURES_MS, RATE_ENTRIES_MAX);
	screen->offenders =
	    offenders_new(OFFENDERS_MAX, OFFENDERS_HALF_LIFE_MS);
	if (screen->session_memory == NULL || screen->quota == NULL ||
	    screen->connections == NULL || screen->failures == NULL ||
	    screen->offenders == NULL || crowd_init(&screen->crowd) < 0) {
		free_parts(screen);
		mem_free(screen);
		return NULL;
	}
	screen->next_ident = ident_begin();
	screen->loop = o->loop;
	screen->counters = o->counters;
	screen->cache = o->cache;
	screen->rules = o->rules;
	TAILQ_INIT(&screen->sessions);
	TAILQ_INIT(&screen->ended);
	handoff_queue_init(&screen->handoffs, screen->loop);
	replay_queue_init(screen);
	return screen;
}

void
screen_free(struct screen **sp)
{
	struct screen *screen = *sp;
	struct session *s;

	*sp = NULL;
	if (screen == NULL)
		return;
	screen->on_empty = NULL;
	while ((s = TAILQ_FIRST(&screen->sessions)) != NULL)
		session_free(s);
	loop_later_cancel(&screen->reaper);
	while ((s = TAILQ_FIRST(&screen->ended)) != NULL)
		session_free(s);
	handoff_queue_stop(&screen->handoffs);
	replay_queue_stop(screen);
	crowd_clear(&screen->crowd);
	free_parts(screen);
	policy_unref(&screen->policy);
	mem_free(screen);
}

static void
ignore_stream(struct stream *stream, enum stream_event event)
{
	(void)stream;
	(void)event;
}

/* No memory for a session: a reply that needs none, and the door. */
static void
turn_away_unmet(struct screen *screen, int fd, const struct endpoint *client)
{
	char text[VERDICT_TEXT_MAX];
	struct stream stream;

	counters_bump(screen->counters, COUNTER_REFUSED);
	journal_write_limited(&screen->journal, EVENT_NO_MEMORY,
	    &(struct journal_line){.client = client}, loop_now(screen->loop));
	stream_init(&stream, screen->loop, fd, ignore_stream);
	(void)stream_write(
	    &stream, text, verdict_plain(VERDICT_NO_RESOURCES, text));
	stream_close(&stream);
}

void
screen_arrive(struct screen *screen, int fd, const struct endpoint *client,
    const struct endpoint *server)
{
	counters_bump(screen->counters, COUNTER_CONNECTIONS);
	if (session_new(screen, fd, client, server) == NULL)
		turn_away_unmet(screen, fd, client);
}

void
screen_set_policy(struct screen *screen, struct policy *policy)
{
	struct policy *old = screen->policy;

	screen->policy = policy_ref(policy);
	memcpy(screen->journal.quiet, policy->quiet,
	    sizeof(screen->journal.quiet));
	if (old != NULL)
		policy_leave(old);
	policy_unref(&old);
	policy_enter(policy, screen->stress);
	screen_update_stress(screen);
}

const struct config *
screen_config(const struct screen *screen, const struct policy *policy)
{
	return config_under(policy->config, screen->stress);
}

void
screen_update_stress(struct screen *screen)
{
	const struct config *cfg = config_under(screen->policy->config, false);
	bool stress;

	screen->crowded =
	    quota_stress(screen->quota, screen->crowded, cfg->pre_queue_limit);
	stress = screen->crowded || handoff_server_is_slow(screen);
	if (stress == screen->stress)
		return;
	screen->stress = stress;
	if (stress)
		counters_bump(screen->counters, COUNTER_STRESS_ENTERED);
	policy_set_stress(screen->policy, stress);
	journal_write(&screen->journal,
	    stress ? EVENT_STRESS_ENTER : EVENT_STRESS_LEAVE,
	    &(struct journal_line){
		.number = (int64_t)quota_sessions(screen->quota)});
}

void
screen_drain(struct screen *screen, screen_empty_fn *fn, void *arg)
{
	screen->on_empty = fn;
	screen->on_empty_arg = arg;
	session_reap_later(screen);
}

void
screen_shut(struct screen *screen)
{
	struct session *s, *next;

	for (s = TAILQ_FIRST(&screen->sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, others);
		/* What was sent to smtpd is its to answer. */
		s->handed_off = s->passed_on || s->phase == PHASE_RELAY;
		session_follow(s, s->handed_off
				      ? PHASE_DONE
				      : verdict_close(s, VERDICT_DEFER));
	}
}

/* A relayed session has three descriptors. */
static size_t
load_of(const struct screen *screen)
{
	return quota_sessions(screen->quota) + 2 * screen->replays.active;
}

bool
screen_is_over_limit(const struct screen *screen)
{
	return load_of(screen) > screen->policy->session_limit;
}

bool
screen_is_full(const struct screen *screen)
{
	return load_of(screen) >= screen->policy->session_ceiling;
}

size_t
screen_session_count(const struct screen *screen)
{
	return quota_sessions(screen->quota);
}
