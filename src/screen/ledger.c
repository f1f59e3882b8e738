/* SPDX-License-Identifier: ISC */
#include "screen/ledger.h"

#include "screen/session.h"
#include "screen/totals.h"

struct totals_list *
ledger_list(struct totals *t, const struct policy *policy, size_t i)
{
	const char *zone = dnsbl_zone_health(policy->dnsbl, i)->zone;
	struct totals_list *list =
	    totals_list(t, policy_zone_name(policy, zone));
	int low, high;

	if (list == NULL)
		return NULL;
	dnsbl_zone_bounds(policy->dnsbl, i, &low, &high);
	list->use = high > 0  ? TOTALS_USE_BLOCKS
		    : low < 0 ? TOTALS_USE_ALLOWS
			      : TOTALS_USE_WATCHED;
	return list;
}

/* Lists of the policy become lists of the totals, which may come from more than
 * one configuration. */
static uint64_t
translate(struct session *s, uint64_t zones)
{
	struct totals *t = s->screen->totals;
	const struct totals_list *list;
	uint64_t lists = 0;

	for (size_t i = 0; zones != 0; i++, zones >>= 1)
		if ((zones & 1) != 0 &&
		    (list = ledger_list(t, s->policy, i)) != NULL)
			lists |= UINT64_C(1) << (list - t->list);
	return lists;
}

void
ledger_note(struct session *s, enum journal_event event, int64_t delay_ms)
{
	struct screen *screen = s->screen;
	struct mono now = loop_now(screen->loop);
	unsigned before = s->visit.marks;

	if (screen->totals == NULL)
		return;
	visit_note(&s->visit, event, mono_between(s->begun, now), delay_ms);
	if (event == EVENT_CONNECT)
		totals_peak(screen->totals->figure, FIGURE_HELD,
		    quota_sessions(screen->quota));
	if ((before & VISIT_PASSED) == 0 &&
	    (s->visit.marks & VISIT_PASSED) != 0)
		totals_peak(screen->totals->figure, FIGURE_BURST,
		    totals_burst(&screen->burst, now.ms / 1000));
}

void
ledger_close(struct session *s)
{
	struct visit *v = &s->visit;

	if (s->screen->totals == NULL || (v->marks & VISIT_CAME) == 0)
		return;
	v->lists = translate(s, v->lists);
	totals_visit(s->screen->totals, v);
}
