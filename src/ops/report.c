/* SPDX-License-Identifier: ISC */
#include "ops/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ops/period.h"

/* Hours without a client are not in a history, but between others they are in a
 * report: a gap in a chart is news.
 *
 * How many smtpd processes? As many as are busy at the same time at the worst
 * moment, and some to spare. A log with smtpd's lines tells how many that were.
 * Else the clients that were given to smtpd within ten seconds stand for them:
 * as if a mail took so long. */

enum { HOUR_S = 3600, ROUND_TO = 5 };

static const struct {
	const char *key, *name;
} parts[REPORT_PARTS] = {
    [REPORT_KNOWN] = {"known", "known clients"},
    [REPORT_NEW] = {"new", "strangers that passed"},
    [REPORT_LISTED] = {"listed", "on DNS lists"},
    [REPORT_EARLY] = {"early", "talked too early"},
    [REPORT_OTHER] = {"other", "failed otherwise"},
    [REPORT_HUNG_UP] = {"hung_up", "hung up"},
    [REPORT_FULL] = {"full", "turned away: no room"},
};

const char *
report_part_name(enum report_part part)
{
	return parts[part].name;
}

const char *
report_part_key(enum report_part part)
{
	return parts[part].key;
}

uint64_t
report_part(const uint64_t *f, enum report_part part)
{
	switch (part) {
	case REPORT_KNOWN:
		return f[FIGURE_KNOWN];
	case REPORT_NEW:
		return f[FIGURE_NEW];
	case REPORT_LISTED:
		return f[FIGURE_LISTED] + f[FIGURE_BOTH];
	case REPORT_EARLY:
		return f[FIGURE_EARLY];
	case REPORT_OTHER:
		return f[FIGURE_PROTOCOL] + f[FIGURE_DENIED] +
		       f[FIGURE_LIMITED] + f[FIGURE_LEFT];
	case REPORT_HUNG_UP:
		return f[FIGURE_HUNG_UP];
	case REPORT_FULL:
	case REPORT_PARTS:
		break;
	}
	return f[FIGURE_SHED] + f[FIGURE_BUSY];
}

uint64_t
report_visits(const uint64_t *figures)
{
	uint64_t sum = 0;

	for (int i = 0; i < REPORT_PARTS; i++)
		sum += report_part(figures, (enum report_part)i);
	return sum;
}

uint64_t
report_nuisance(const uint64_t *figures)
{
	return report_visits(figures) - report_part(figures, REPORT_KNOWN) -
	       report_part(figures, REPORT_NEW) -
	       report_part(figures, REPORT_FULL);
}

uint64_t
report_permille(uint64_t part, uint64_t whole)
{
	if (whole == 0)
		return 0;
	/* No overflow before 2^54 connections. */
	return (part * 1000 + whole / 2) / whole;
}

uint64_t
report_histogram_sum(const uint64_t *bucket)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < TOTALS_BUCKETS; i++)
		sum += bucket[i];
	return sum;
}

int64_t
report_wait(const uint64_t *bucket, size_t n, unsigned percent)
{
	uint64_t all = 0, seen = 0;

	for (size_t i = 0; i < n; i++)
		all += bucket[i];
	for (size_t i = 0; i < n; i++) {
		seen += bucket[i];
		if (seen > 0 && seen * 100 >= all * percent)
			return totals_bucket_end(i);
	}
	return -1;
}

/* --- words ------------------------------------------------------------------ */

char *
report_span(int64_t ms, char out[REPORT_SPAN_MAX])
{
	long long n = (long long)ms;

	if (ms == INT64_MAX)
		(void)snprintf(out, REPORT_SPAN_MAX, "more");
	else if (ms >= 60000)
		(void)snprintf(out, REPORT_SPAN_MAX, "%lld min", n / 60000);
	else if (ms % 1000 != 0)
		(void)snprintf(out, REPORT_SPAN_MAX, "%lld.%lld s", n / 1000,
		    n % 1000 / 100);
	else
		(void)snprintf(out, REPORT_SPAN_MAX, "%lld s", n / 1000);
	return out;
}

char *
report_number(uint64_t n, char out[REPORT_NUMBER_MAX])
{
	char digits[TEXT_NUMBER_MAX + 1];
	size_t len, o = 0;

	len = (size_t)(text_put_number(digits, n) - digits);
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[o++] = ',';
		out[o++] = digits[i];
	}
	out[o] = '\0';
	return out;
}

char *
report_percent(uint64_t part, uint64_t whole, char out[REPORT_NUMBER_MAX])
{
	unsigned long long permille = report_permille(part, whole);

	if (part > 0 && permille == 0)
		(void)snprintf(out, REPORT_NUMBER_MAX, "<0.1 %%");
	else if (part < whole && permille == 1000)
		(void)snprintf(out, REPORT_NUMBER_MAX, ">99.9 %%");
	else
		(void)snprintf(out, REPORT_NUMBER_MAX, "%llu.%llu %%",
		    permille / 10, permille % 10);
	return out;
}

/* --- days and hours --------------------------------------------------------- */

static int
make_hours(struct report *r)
{
	const struct history *h = r->history;
	int64_t first = h->hour[0].hour;
	size_t n = (size_t)(h->hour[h->hours - 1].hour - first) + 1;

	/* A log may have strange dates. */
	if (n > HISTORY_HOURS_MAX) {
		n = HISTORY_HOURS_MAX;
		first = h->hour[h->hours - 1].hour - (int64_t)n + 1;
	}
	if ((r->hour = mem_array(n, sizeof(*r->hour))) == NULL)
		return -1;
	r->hours = n;
	for (size_t i = 0; i < n; i++)
		r->hour[i].begin.s = (first + (int64_t)i) * HOUR_S;
	for (size_t i = 0; i < h->hours; i++)
		if (h->hour[i].hour >= first)
			memcpy(r->hour[h->hour[i].hour - first].figure,
			    h->hour[i].figure, sizeof(h->hour[i].figure));
	return 0;
}

static int
make_days(struct report *r)
{
	struct wall day = period_day(r->hour[0].begin, 0), next;
	struct report_time *d;

	r->day = mem_array(HISTORY_DAYS_MAX + 3, sizeof(*r->day));
	if (r->day == NULL)
		return -1;
	for (size_t i = 0; i < r->hours && r->days < HISTORY_DAYS_MAX + 3;
	     day = next) {
		next = period_day(day, 1);
		d = &r->day[r->days++];
		d->begin = day;
		for (; i < r->hours && r->hour[i].begin.s < next.s; i++)
			totals_add_figures(d->figure, r->hour[i].figure);
	}
	return 0;
}

static void
advise(struct report *r)
{
	struct report_advice *a = &r->advice;
	enum figure figure;

	a->is_measured = r->sum[FIGURE_SMTPD] > 0;
	figure = a->is_measured ? FIGURE_SMTPD : FIGURE_BURST;
	for (size_t i = 0; i < r->days; i++)
		if (r->day[i].figure[figure] > a->peak) {
			a->peak = r->day[i].figure[figure];
			a->on = r->day[i].begin;
		}
	a->with_spare = a->peak + (a->peak + 1) / 2;
	a->processes = (a->with_spare + ROUND_TO - 1) / ROUND_TO * ROUND_TO;
}

static int
by_visits(const void *a, const void *b)
{
	const struct totals_list *x = *(const struct totals_list *const *)a;
	const struct totals_list *y = *(const struct totals_list *const *)b;

	return (x->visits < y->visits) - (x->visits > y->visits);
}

static void
sort_lists(struct report *r)
{
	const struct totals *t = &r->history->lists;

	for (r->lists = 0; r->lists < t->lists; r->lists++)
		r->list[r->lists] = &t->list[r->lists];
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): these are pointers. */
	qsort(r->list, r->lists, sizeof(r->list[0]), by_visits);
}

uint64_t
report_overlap(const struct report *r, const struct totals_list *a,
    const struct totals_list *b)
{
	return a->with[b - r->history->lists.list];
}

uint64_t
report_tested(const uint64_t *f)
{
	return f[FIGURE_BY_EARLY] + f[FIGURE_BY_LISTS] + f[FIGURE_BY_BOTH] +
	       f[FIGURE_BY_NONE];
}

struct report *
report_new(const struct history *h, struct wall since, struct wall until)
{
	struct report *r = mem_new(sizeof(*r));

	if (r == NULL)
		return NULL;
	r->history = h;
	r->since = since;
	r->until = until;
	history_sum(h, r->sum);
	sort_lists(r);
	if (h->hours > 0 && (make_hours(r) < 0 || make_days(r) < 0))
		report_free(&r);
	else
		advise(r);
	return r;
}

void
report_free(struct report **rp)
{
	struct report *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	mem_free(r->hour);
	mem_free(r->day);
	mem_free(r);
}
