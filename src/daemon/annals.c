/* SPDX-License-Identifier: ISC */
#include "daemon/annals.h"

#include <string.h>

#include "base/mem.h"
#include "daemon/context.h"
#include "screen/ledger.h"

/* DNS lists count for themselves, since the start of the process: what they
 * have counted since the last time is the difference. */

enum { HOUR_S = 3600 };

int
annals_begin(struct doorbell *d)
{
	struct annals *a = &d->annals;

	if (d->cache == NULL)
		return 0;
	if ((a->totals = mem_new(sizeof(*a->totals))) == NULL)
		return -1;
	d->screen->totals = a->totals;
	a->stored_at = clock_wall();
	a->hour = a->stored_at.s / HOUR_S;
	return 0;
}

/* --- DNS lists -------------------------------------------------------------- */

static struct annals_list *
find_list(struct annals *a, struct dnsbl_health *health)
{
	struct annals_list *list;

	for (size_t i = 0; i < a->lists; i++)
		if (a->list[i].health == health)
			return &a->list[i];
	if (a->lists == TOTALS_LISTS_MAX)
		return NULL;
	list = &a->list[a->lists++];
	memset(&list->before, 0, sizeof(list->before));
	list->health = dnsbl_health_ref(health);
	return list;
}

static void
take_list(struct totals_list *to, struct annals_list *list)
{
	const struct dnsbl_health *now = list->health;
	const struct dnsbl_health *before = &list->before;

	to->queries += now->queries - before->queries;
	to->failures += now->failures - before->failures;
	to->timeouts += now->timeouts - before->timeouts;
	to->error_codes += now->error_codes - before->error_codes;
	to->unasked += now->unasked - before->unasked;
	for (size_t i = 0; i < DNSBL_LATENCY_BUCKETS; i++)
		to->latency[i] += now->latency[i] - before->latency[i];
	list->before = *now;
}

/* Lists that no configuration in force names make room for others. */
static void
forget_lists(struct annals *a, const struct dnsbl *bl)
{
	size_t kept = 0, i;

	for (size_t k = 0; k < a->lists; k++) {
		for (i = 0; bl != NULL && i < dnsbl_zone_count(bl); i++)
			if (dnsbl_zone_health(bl, i) == a->list[k].health)
				break;
		if (bl != NULL && i < dnsbl_zone_count(bl))
			a->list[kept++] = a->list[k];
		else
			dnsbl_health_unref(&a->list[k].health);
	}
	a->lists = kept;
}

static void
take_lists(struct doorbell *d)
{
	const struct policy *policy = d->screen->policy;
	struct annals *a = &d->annals;
	struct annals_list *list;
	struct totals_list *to;

	forget_lists(a, policy->dnsbl);
	if (policy->dnsbl == NULL)
		return;
	for (size_t i = 0; i < dnsbl_zone_count(policy->dnsbl); i++) {
		list = find_list(a, dnsbl_zone_record(policy->dnsbl, i));
		to = ledger_list(a->totals, policy, i);
		if (list != NULL && to != NULL)
			take_list(to, list);
	}
}

/* --- storing ---------------------------------------------------------------- */

bool
annals_is_empty(const struct doorbell *d)
{
	const struct totals *t = d->annals.totals;

	if (t == NULL)
		return true;
	for (size_t i = 0; i < FIGURE_COUNT; i++)
		if (t->figure[i] > 0)
			return false;
	return true;
}

static void
store(struct doorbell *d)
{
	struct annals *a = &d->annals;
	struct buf bytes;

	if (annals_is_empty(d) || d->screen == NULL ||
	    d->screen->policy == NULL)
		return;
	take_lists(d);
	buf_init(&bytes, TOTALS_BYTES_MAX);
	/* With too many waiting it is for the next time. */
	if (totals_encode(a->totals, &bytes) == 0 &&
	    cache_total(d->cache, (uint32_t)a->hour, buf_span(&bytes),
		totals_merge) == 0)
		memset(a->totals, 0, sizeof(*a->totals));
	buf_clear(&bytes);
}

static void
look_around(struct doorbell *d)
{
	const struct screen *screen = d->screen;
	uint64_t seen = screen->journal.seen[EVENT_STRESS_ENTER];
	uint64_t *figure = d->annals.totals->figure;

	figure[FIGURE_STRESS_ENTERED] += seen - d->annals.stress_seen;
	d->annals.stress_seen = seen;
	if (screen->stress)
		figure[FIGURE_STRESS_S]++;
	totals_peak(figure, FIGURE_WAITING,
	    screen->handoffs.waiting + screen->handoffs.in_flight +
		screen->replays.active);
}

void
annals_tick(struct doorbell *d)
{
	struct annals *a = &d->annals;
	struct wall now;
	int64_t hour;

	if (a->totals == NULL)
		return;
	look_around(d);
	now = clock_wall();
	hour = now.s / HOUR_S;
	if (hour == a->hour && now.s - a->stored_at.s < ANNALS_EVERY_S &&
	    now.s >= a->stored_at.s)
		return;
	store(d);
	a->hour = hour;
	a->stored_at = now;
}

void
annals_end(struct doorbell *d)
{
	store(d);
	if (d->screen != NULL)
		d->screen->totals = NULL;
	forget_lists(&d->annals, NULL);
	mem_free(d->annals.totals);
	d->annals.totals = NULL;
}
