/* SPDX-License-Identifier: ISC */
#include "screen/listing.h"

#include <stdio.h>
#include <string.h>

#include "screen/screen.h"

static void
on_asked(const char *zone, void *arg)
{
	struct policy *policy = arg;

	(void)zone;
	counters_bump(policy->screen->counters, COUNTER_DNSBL_QUERIES);
}

static void
on_answered(int64_t waited_ms, void *arg)
{
	struct policy *policy = arg;

	counters_note_wait(
	    policy->screen->counters, HISTOGRAM_DNSBL_ANSWER, waited_ms);
}

static void
on_listed(const struct addr *client, const char *zone, const struct addr *as,
    void *arg)
{
	struct policy *policy = arg;

	counters_bump(policy->screen->counters, COUNTER_DNSBL_LISTED);
	journal_write(&policy->screen->journal, EVENT_DNSBL_LISTED,
	    &(struct journal_line){.address = client,
		.word = policy_zone_name(policy, zone),
		.listed_as = as});
}

/* Dead name servers make these by the thousand. */
static void
write_trouble(struct policy *policy, enum journal_event event,
    const struct journal_line *line)
{
	journal_write_limited(&policy->screen->journal, event, line,
	    loop_now(policy->screen->loop));
}

static void
on_failed(
    const char *query_name, const char *zone, const char *reason, void *arg)
{
	struct policy *policy = arg;
	size_t n = strlen(query_name), zone_n = strlen(zone);
	char shown[2 * DNSBL_NAME_MAX];

	/* The zone is the end of the name. */
	(void)snprintf(shown, sizeof(shown), "%.*s%s",
	    (int)(n > zone_n ? n - zone_n : 0), query_name,
	    policy_zone_name(policy, zone));
	counters_bump(policy->screen->counters, COUNTER_DNSBL_ERRORS);
	write_trouble(policy, EVENT_DNSBL_FAILED,
	    &(struct journal_line){.word = shown, .quoted = span_str(reason)});
}

static void
on_timed_out(const char *zone, int64_t waited_ms, void *arg)
{
	struct policy *policy = arg;

	counters_bump(policy->screen->counters, COUNTER_DNSBL_TIMEOUTS);
	write_trouble(policy, EVENT_DNSBL_TIMEOUT,
	    &(struct journal_line){.number = (waited_ms + 500) / 1000,
		.word = policy_zone_name(policy, zone)});
}

static void
on_unasked(const char *zone, void *arg)
{
	struct policy *policy = arg;

	(void)zone;
	counters_bump(policy->screen->counters, COUNTER_DNSBL_UNASKED);
}

static void
on_error_code(const char *zone, void *arg)
{
	struct policy *policy = arg;

	(void)zone;
	counters_bump(policy->screen->counters, COUNTER_DNSBL_ERROR_CODES);
}

static void
on_news(const char *zone, enum dnsbl_news news, const struct addr *about,
    const struct addr *as, void *arg)
{
	static const enum journal_event events[] = {
	    [DNSBL_NEWS_ERROR_CODE] = EVENT_DNSBL_ERROR_CODE,
	    [DNSBL_NEWS_WILD] = EVENT_DNSBL_WILD,
	    [DNSBL_NEWS_SELF] = EVENT_DNSBL_SELF,
	    [DNSBL_NEWS_MUTE] = EVENT_DNSBL_MUTE,
	    [DNSBL_NEWS_NO_ENTRY] = EVENT_DNSBL_NO_ENTRY,
	    [DNSBL_NEWS_BACK] = EVENT_DNSBL_BACK,
	    [DNSBL_NEWS_RESTS] = EVENT_DNSBL_RESTS,
	    [DNSBL_NEWS_ANSWERS] = EVENT_DNSBL_ANSWERS,
	};
	struct policy *policy = arg;

	write_trouble(policy, events[news],
	    &(struct journal_line){.address = about,
		.listed_as = as,
		.number = DNSBL_REST_MS / 1000,
		.word = policy_zone_name(policy, zone)});
}

struct dnsbl_observer
listing_observer(struct policy *policy)
{
	return (struct dnsbl_observer){
	    .asked = on_asked,
	    .answered = on_answered,
	    .listed = on_listed,
	    .failed = on_failed,
	    .timed_out = on_timed_out,
	    .unasked = on_unasked,
	    .error_code = on_error_code,
	    .news = on_news,
	    .arg = policy,
	};
}
