/* SPDX-License-Identifier: ISC */
#include "daemon/housekeeping.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/reload.h"

enum { HOUSEKEEPING_MS = 1000 };

static const struct config *
config_now(const struct doorbell *d)
{
	return screen_config(d->screen, d->screen->policy);
}

static void
log_cleanup(struct doorbell *d, const char *how, const struct cache_news *news)
{
	log_info("cache %s %s cleanup: retained=%llu dropped=%llu entries",
	    config_now(d)->cache_map, how, (unsigned long long)news->retained,
	    (unsigned long long)news->dropped);
}

static void
note_cache_news(struct doorbell *d)
{
	const struct config *cfg = config_now(d);
	struct cache_news news;

	cache_take_news(d->cache, &news);
	counters_add(&d->counters, COUNTER_CACHE_DROPS, news.lost);
	if (news.swept)
		log_cleanup(d, "full", &news);
	if (news.full)
		log_warning("cache %s is full (%s): some clients will be tested"
			    " again",
		    cfg->cache_map, news.why.text);
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
count_log_drops(struct doorbell *d)
{
	uint64_t drops = logsock_drops(d->logsock);

	counters_add(&d->counters, COUNTER_LOG_DROPS, drops - d->log_drops);
	d->log_drops = drops;
}

static void
on_housekeeping(struct loop_timer *timer)
{
	struct doorbell *d = OWNER_OF(timer, struct doorbell, housekeeping);

	(void)loop_timer_start(timer, HOUSEKEEPING_MS);
	/* A loop that stands still is ended by SIGALRM; master starts anew. */
	alarm((unsigned)(config_now(d)->watchdog_timeout / 1000));
	count_log_drops(d);
	if (d->cache != NULL) {
		note_cache_news(d);
		sweep_when_due(d);
	}
	reload_tables(d);
}

void
housekeeping_start(struct doorbell *d)
{
	loop_timer_init(&d->housekeeping, d->loop, on_housekeeping);
	on_housekeeping(&d->housekeeping);
}

void
housekeeping_finish(struct doorbell *d)
{
	struct cache_news news;

	alarm(0);
	loop_timer_stop(&d->housekeeping);
	if (d->cache == NULL || d->screen == NULL)
		return;
	note_cache_news(d);
	cache_take_news(d->cache, &news);
	if (news.sweeping)
		log_cleanup(d, "partial", &news);
}
