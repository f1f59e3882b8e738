/* SPDX-License-Identifier: ISC */
#include "screen/screen.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "screen/session.h"
#include "screen/verdict.h"

/* Sessions are chained oldest first. Stress is looked at whenever their number
 * changes, so both its ends are exact. */

struct screen *
screen_new(const struct screen_options *o)
{
	struct screen *screen = mem_new(sizeof(*screen));

	if (screen == NULL)
		return NULL;
	if ((screen->quota = quota_new()) == NULL) {
		mem_free(screen);
		return NULL;
	}
	screen->loop = o->loop;
	screen->counters = o->counters;
	screen->cache = o->cache;
	TAILQ_INIT(&screen->sessions);
	TAILQ_INIT(&screen->ended);
	handoff_queue_init(&screen->handoffs, screen->loop);
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
	while ((s = TAILQ_FIRST(&screen->ended)) != NULL)
		session_free(s);
	handoff_queue_stop(&screen->handoffs);
	quota_free(&screen->quota);
	policy_unref(&screen->policy);
	mem_free(screen);
}

void
screen_arrive(struct screen *screen, int fd, const struct endpoint *client,
    const struct endpoint *server)
{
	counters_bump(screen->counters, COUNTER_CONNECTIONS);
	if (session_new(screen, fd, client, server) == NULL) {
		counters_bump(screen->counters, COUNTER_REFUSED);
		close(fd);
	}
}

void
screen_set_policy(struct screen *screen, struct policy *policy)
{
	struct policy *old = screen->policy;

	screen->policy = policy_ref(policy);
	policy_unref(&old);
	policy_set_stress(policy, screen->stress);
	screen_update_stress(screen);
}

static void
on_asked(const char *zone, void *arg)
{
	struct screen *screen = arg;

	(void)zone;
	counters_bump(screen->counters, COUNTER_DNSBL_QUERIES);
}

static void
on_listed(const struct addr *client, const char *zone, const struct addr *as,
    void *arg)
{
	struct screen *screen = arg;

	counters_bump(screen->counters, COUNTER_DNSBL_LISTED);
	journal_write(&screen->journal, EVENT_DNSBL_LISTED,
	    &(struct journal_line){.address = client,
		.word = policy_zone_name(screen->policy, zone),
		.listed_as = as});
}

/* The zone at the end of the query's name may be a secret. */
static void
on_failed(
    const char *query_name, const char *zone, const char *reason, void *arg)
{
	struct screen *screen = arg;
	size_t n = strlen(query_name), zone_n = strlen(zone);
	char shown[2 * DNSBL_NAME_MAX];

	if (n < zone_n)
		n = zone_n;
	(void)snprintf(shown, sizeof(shown), "%.*s%s", (int)(n - zone_n),
	    query_name, policy_zone_name(screen->policy, zone));
	counters_bump(screen->counters, COUNTER_DNSBL_ERRORS);
	journal_write_limited(&screen->journal, EVENT_DNSBL_FAILED,
	    &(struct journal_line){.word = shown, .quoted = span_str(reason)},
	    loop_now(screen->loop));
}

static void
on_timed_out(const char *zone, void *arg)
{
	struct screen *screen = arg;
	const struct config *cfg = screen_config(screen, screen->policy);

	counters_bump(screen->counters, COUNTER_DNSBL_TIMEOUTS);
	journal_write_limited(&screen->journal, EVENT_DNSBL_TIMEOUT,
	    &(struct journal_line){.number = cfg->dnsbl_timeout / 1000,
		.word = policy_zone_name(screen->policy, zone)},
	    loop_now(screen->loop));
}

struct dnsbl_observer
screen_observer(struct screen *screen)
{
	return (struct dnsbl_observer){
	    .asked = on_asked,
	    .listed = on_listed,
	    .failed = on_failed,
	    .timed_out = on_timed_out,
	    .arg = screen,
	};
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
	bool stress =
	    quota_stress(screen->quota, screen->stress, cfg->pre_queue_limit);

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
	if (TAILQ_EMPTY(&screen->sessions))
		fn(screen, arg);
}

void
screen_shut(struct screen *screen)
{
	struct session *s, *next;

	for (s = TAILQ_FIRST(&screen->sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, others);
		session_follow(s, s->passed_on
				      ? PHASE_DONE
				      : verdict_close(s, VERDICT_DEFER));
	}
}

size_t
screen_session_count(const struct screen *screen)
{
	return quota_sessions(screen->quota);
}
