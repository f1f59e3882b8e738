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

struct dnsbl_observer
listing_observer(struct policy *policy)
{
	return (struct dnsbl_observer){
	    .asked = on_asked,
	    .listed = on_listed,
	    .failed = on_failed,
	    .timed_out = on_timed_out,
	    .arg = policy,
	};
}
