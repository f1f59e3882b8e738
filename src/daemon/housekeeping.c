/* SPDX-License-Identifier: ISC */
#include "daemon/housekeeping.h"

#include "base/mem.h"
#include "daemon/cache_care.h"
#include "daemon/reload.h"
#include "daemon/watchdog.h"

enum {
	HOUSEKEEPING_MS = 1000,
	FLOOD_SESSIONS = 1000 /* gone: about a megabyte */
};

static void
drop_rule(const struct rule *rule, void *arg)
{
	struct doorbell *d = arg;
	struct cache_note note;

	rules_encode(rule, &note);
	note.drop = true;
	if (d->cache != NULL)
		(void)cache_keep_note(d->cache, &note);
}

static void
count_log_drops(struct doorbell *d)
{
	uint64_t drops = logsock_drops(d->logsock);

	counters_add(d->counters, COUNTER_LOG_DROPS, drops - d->log_drops);
	d->log_drops = drops;
}

/* After a flood its memory is somebody else's. */
static void
give_memory_back(struct doorbell *d)
{
	size_t sessions = screen_session_count(d->screen);

	if (d->sessions_peak > sessions + FLOOD_SESSIONS &&
	    sessions < d->sessions_peak / 2) {
		mem_give_back();
		d->sessions_peak = sessions;
	}
	if (sessions > d->sessions_peak)
		d->sessions_peak = sessions;
}

static void
feed_watchdog(const struct doorbell *d)
{
	const struct config *cfg = screen_config(d->screen, d->screen->policy);

	watchdog_feed((unsigned)(cfg->watchdog_timeout / 1000));
}

static void
on_housekeeping(struct loop_timer *timer)
{
	struct doorbell *d = OWNER_OF(timer, struct doorbell, housekeeping);

	(void)loop_timer_start(timer, HOUSEKEEPING_MS);
	feed_watchdog(d);
	count_log_drops(d);
	journal_tick(&d->screen->journal, loop_now(d->loop));
	annals_tick(d);
	if (!d->draining)
		trend_update(&d->tally.page->trend, d->counters, clock_wall(),
		    screen_session_count(d->screen));
	cache_care_tick(d);
	/* Who accepts nobody needs no rules, and the next process may have been
	 * told to keep one of them for longer. */
	if (!d->draining)
		rules_expire(d->rules, clock_wall(), drop_rule, d);
	reload_tables(d);
	systemd_tell(
	    &d->systemd, screen_session_count(d->screen), d->screen->stress);
	give_memory_back(d);
}

void
housekeeping_start(struct doorbell *d)
{
	loop_timer_init(&d->housekeeping, d->loop, on_housekeeping);
	feed_watchdog(d);
	cache_care_start(d);
	(void)loop_timer_start(&d->housekeeping, HOUSEKEEPING_MS);
}

void
housekeeping_finish(struct doorbell *d)
{
	watchdog_rest();
	loop_timer_stop(&d->housekeeping);
	cache_care_finish(d);
}
