/* SPDX-License-Identifier: ISC */
#include "daemon/cache_care.h"

#include <stdio.h>

#include "base/log.h"

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
note_news(struct doorbell *d, bool is_last)
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

static void
sweep_when_due(struct doorbell *d)
{
	const struct config *cfg = config_now(d);
	struct cache_care *care = &d->care;

	if (cfg->cache_cleanup_interval == 0 || d->draining)
		return;
	if (care->swept && mono_between(care->swept_at, loop_now(d->loop)) <
			       cfg->cache_cleanup_interval)
		return;
	care->swept = true;
	care->swept_at = loop_now(d->loop);
	cache_sweep(d->cache,
	    wall_after(clock_wall(), -cfg->cache_retention_time / 1000));
}

void
cache_care_start(struct doorbell *d)
{
	if (d->cache != NULL)
		sweep_when_due(d);
}

void
cache_care_tick(struct doorbell *d)
{
	if (d->cache == NULL)
		return;
	note_news(d, false);
	sweep_when_due(d);
}

void
cache_care_finish(struct doorbell *d)
{
	if (d->cache != NULL && d->screen != NULL && d->screen->policy != NULL)
		note_news(d, true);
}
