/* SPDX-License-Identifier: ISC */
#include "daemon/housekeeping.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/reload.h"
#include "daemon/watchdog.h"

enum {
	HOUSEKEEPING_MS = 1000,
	FLOOD_SESSIONS = 1000 /* gone: about a megabyte */
};

static const struct config *
config_now(const struct doorbell *d)
{
	return screen_config(d->screen, d->screen->policy);
}

static void
log_cleanup(struct doorbell *d, const char *how, const struct cache_news *news)
{
	char text[96];

	(void)snprintf(text, sizeof(text),
	    "%s cleanup: retained=%llu dropped=%llu entries", how,
	    (unsigned long long)news->retained,
	    (unsigned long long)news->dropped);
	journal_write(&d->screen->journal, EVENT_CACHE_CLEANUP,
	    &(struct journal_line){
		.word = config_now(d)->cache_map, .quoted = span_str(text)});
}

static void
note_cache_news(struct doorbell *d, bool is_last)
{
	const struct config *cfg = config_now(d);
	struct cache_news news;

	cache_take_news(d->cache, &news);
	if (is_last && news.sweeping)
		log_cleanup(d, "partial", &news);
	counters_add(d->counters, COUNTER_CACHE_DROPS, news.lost);
	if (news.swept)
		log_cleanup(d, "full", &news);
	if (news.full)
		log_warning("cache %s is full (%s): some clients will be tested"
			    " again",
		    cfg->cache_map, news.why.text);
	if (news.room_again)
		log_info("cache %s has room again", cfg->cache_map);
	if (news.failed)
		log_warning("cache %s: %s; going on without it", cfg->cache_map,
		    news.why.text);
}

/* The first sweep is at the start, as in postscreen. */
static void
sweep_when_due(struct doorbell *d)
{
	const struct config *cfg = config_now(d);

	if (cfg->cache_cleanup_interval == 0 || d->draining)
		return;
	if (d->swept && mono_between(d->swept_at, loop_now(d->loop)) <
			    cfg->cache_cleanup_interval)
		return;
	d->swept = true;
	d->swept_at = loop_now(d->loop);
	cache_sweep(d->cache,
	    wall_after(clock_wall(), -cfg->cache_retention_time / 1000));
}

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
	watchdog_feed((unsigned)(config_now(d)->watchdog_timeout / 1000));
}

static void
on_housekeeping(struct loop_timer *timer)
{
	struct doorbell *d = OWNER_OF(timer, struct doorbell, housekeeping);

	(void)loop_timer_start(timer, HOUSEKEEPING_MS);
	feed_watchdog(d);
	count_log_drops(d);
	annals_tick(d);
	if (!d->draining)
		trend_update(&d->tally.page->trend, d->counters, clock_wall(),
		    screen_session_count(d->screen));
	if (d->cache != NULL) {
		note_cache_news(d, false);
		sweep_when_due(d);
	}
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
	if (d->cache != NULL)
		sweep_when_due(d);
	(void)loop_timer_start(&d->housekeeping, HOUSEKEEPING_MS);
}

void
housekeeping_finish(struct doorbell *d)
{
	watchdog_rest();
	loop_timer_stop(&d->housekeeping);
	if (d->cache != NULL && d->screen != NULL && d->screen->policy != NULL)
		note_cache_news(d, true);
}
