/* SPDX-License-Identifier: ISC */
#include "daemon/cache_care.h"

#include <stdio.h>

#include "base/log.h"

/* A file that has failed is mostly set aside by then, or its disk was full for a
 * moment. One that goes on failing is tried less and less often, lest it fill
 * the log. */
enum { REVIVE_MIN_MS = 5000, REVIVE_MAX_MS = 10 * 60 * 1000 };

static const struct config *
config_now(const struct doorbell *d)
{
	return screen_config(d->screen, d->screen->policy);
}

/* The one that is open: another takes a restart. */
static const char *
cache_name(const struct doorbell *d)
{
	return config_under(d->began_with, false)->cache_map;
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
		.word = cache_name(d), .quoted = span_str(text)});
}

static void
note_news(struct doorbell *d, bool is_last)
{
	const char *name = cache_name(d);
	struct cache_news news;

	cache_take_news(d->cache, &news);
	if (is_last && news.sweeping)
		log_cleanup(d, "partial", &news);
	counters_add(d->counters, COUNTER_CACHE_DROPS, news.lost);
	if (news.stored > 0)
		d->care.pause_ms = 0;
	if (news.swept)
		log_cleanup(d, "full", &news);
	if (news.full)
		log_warning("cache %s is full (%s): some clients will be tested"
			    " again",
		    name, news.why.text);
	if (news.room_again)
		log_info("cache %s has room again", name);
	if (news.failed)
		log_warning(
		    "cache %s: %s; going on without it", name, news.why.text);
}

static void
sweep_when_due(struct doorbell *d)
{
	const struct config *cfg = config_now(d);
	struct cache_care *care = &d->care;

	if (cfg->cache_cleanup_interval == 0)
		return;
	if (care->swept && mono_between(care->swept_at, loop_now(d->loop)) <
			       cfg->cache_cleanup_interval)
		return;
	care->swept = true;
	care->swept_at = loop_now(d->loop);
	cache_sweep(d->cache,
	    wall_after(clock_wall(), -cfg->cache_retention_time / 1000));
}

static void
pause(struct cache_care *care, struct mono now)
{
	care->tried_at = now;
	care->pause_ms *= 2;
	if (care->pause_ms < REVIVE_MIN_MS)
		care->pause_ms = REVIVE_MIN_MS;
	if (care->pause_ms > REVIVE_MAX_MS)
		care->pause_ms = REVIVE_MAX_MS;
}

static bool
is_revival_due(struct doorbell *d)
{
	struct cache_care *care = &d->care;
	struct mono now = loop_now(d->loop);
	bool was_down = care->is_down;

	care->is_down = !cache_is_usable(d->cache);
	if (!care->is_down)
		return false;
	if (was_down && mono_between(care->tried_at, now) < care->pause_ms)
		return false;
	pause(care, now);
	return was_down;
}

static void
revive_when_due(struct doorbell *d)
{
	struct errtext why;

	if (!is_revival_due(d))
		return;
	if (cache_revive(d->cache, &why) < 0)
		return;
	if (why.text[0] != '\0')
		log_warning("cache: %s", why.text);
	log_info("cache %s is in use again", cache_name(d));
	rules_lose(d->rules);
}

static int
keep_rule(const struct rule *rule, void *arg)
{
	struct doorbell *d = arg;
	struct cache_note note;

	rules_encode(rule, &note);
	return cache_keep_note(d->cache, &note);
}

void
cache_care_start(struct doorbell *d)
{
	if (d->cache != NULL && !d->draining)
		sweep_when_due(d);
}

void
cache_care_tick(struct doorbell *d)
{
	if (d->cache == NULL)
		return;
	note_news(d, false);
	if (d->draining)
		return;
	sweep_when_due(d);
	revive_when_due(d);
	rules_keep(d->rules, keep_rule, d);
}

void
cache_care_finish(struct doorbell *d)
{
	if (d->cache != NULL && d->screen != NULL && d->screen->policy != NULL)
		note_news(d, true);
}
