/* SPDX-License-Identifier: ISC */
#include "ops/report_text.h"

#include <stdio.h>
#include <string.h>

#include "ops/period.h"

/* 78 columns, ASCII. What cannot be known is not shown as 0: it is left out, or
 * a sentence says so. A buffer that is full is told once, at the end. */

enum { BAR_MAX = 28 };

static void
say(struct buf *out, const char *text)
{
	(void)buf_add_str(out, text);
}

static void
add_bar(struct buf *out, uint64_t n, uint64_t most, int width)
{
	uint64_t len = most == 0 ? 0 : (n * (uint64_t)width + most / 2) / most;

	if (n > 0 && len == 0)
		len = 1;
	if (len > 0)
		say(out, "  ");
	while (len-- > 0)
		(void)buf_add_char(out, '#');
}

/* "  on DNS lists        123,456   48.2 %  ########" */
static void
add_share(struct buf *out, const char *name, uint64_t n, uint64_t whole)
{
	char number[REPORT_NUMBER_MAX], percent[REPORT_NUMBER_MAX];

	(void)buf_printf(out, "  %-24.24s%13s%9s", name,
	    report_number(n, number), report_percent(n, whole, percent));
	add_bar(out, n, whole, BAR_MAX);
	say(out, "\n");
}

static void
add_head(const struct report *r, struct buf *out)
{
	char from[PERIOD_TEXT_MAX], to[PERIOD_TEXT_MAX], zone[PERIOD_TEXT_MAX];
	const struct report_time *last = &r->day[r->days - 1];
	const struct history *h = r->history;

	(void)buf_printf(out, "doorbell: %s to %s (%s)\n",
	    period_date(r->day[0].begin, from), period_date(last->begin, to),
	    period_zone(last->begin, zone));
	if (!h->from_logs)
		return;
	(void)buf_printf(out,
	    "from log files: %llu lines, %llu of them about screening\n",
	    (unsigned long long)h->lines, (unsigned long long)h->ours);
	if (h->unfinished > 0)
		(void)buf_printf(out,
		    "left out, as their ends are not in there: %llu"
		    " connections\n",
		    (unsigned long long)h->unfinished);
}

static void
add_parts(const struct report *r, struct buf *out)
{
	uint64_t all = report_visits(r->sum);
	char number[REPORT_NUMBER_MAX], percent[REPORT_NUMBER_MAX];

	(void)buf_printf(out, "\n%s connections; %s of them brought no mail\n",
	    report_number(all, number),
	    report_percent(report_nuisance(r->sum), all, percent));
	for (int i = 0; i < REPORT_PARTS; i++)
		add_share(out, report_part_name((enum report_part)i),
		    report_part(r->sum, (enum report_part)i), all);
	if (r->sum[FIGURE_EXCUSED] > 0)
		(void)buf_printf(out,
		    "  %s failed a test whose action is ignore, and went on"
		    " to smtpd\n",
		    report_number(r->sum[FIGURE_EXCUSED], number));
}

static void
add_catchers(const struct report *r, struct buf *out)
{
	const uint64_t *f = r->sum;
	uint64_t all = report_tested(f);

	if (all == 0)
		return;
	say(out, "\nWho catches whom, of all that were tested\n");
	add_share(out, "DNS lists alone", f[FIGURE_BY_LISTS], all);
	add_share(out, "talking early alone", f[FIGURE_BY_EARLY], all);
	add_share(out, "both", f[FIGURE_BY_BOTH], all);
	add_share(out, "neither", f[FIGURE_BY_NONE], all);
}

static void
add_histogram(struct buf *out, const uint64_t *bucket)
{
	uint64_t all = report_histogram_sum(bucket);
	char name[REPORT_SPAN_MAX + 16], end[REPORT_SPAN_MAX];

	for (size_t i = 0; i < TOTALS_BUCKETS; i++) {
		if (bucket[i] == 0)
			continue;
		if (totals_bucket_end(i) == INT64_MAX)
			(void)snprintf(name, sizeof(name), "more");
		else
			(void)snprintf(name, sizeof(name), "up to %s",
			    report_span(totals_bucket_end(i), end));
		add_share(out, name, bucket[i], all);
	}
}

static void
add_hangups(const struct report *r, struct buf *out)
{
	const uint64_t *early = &r->sum[FIGURE_HANGUPS_EARLY];
	const uint64_t *late = &r->sum[FIGURE_HANGUPS_LATE];

	if (report_histogram_sum(early) > 0) {
		say(out, "\nHang-ups before the greeting, after\n");
		add_histogram(out, early);
	}
	if (report_histogram_sum(late) > 0) {
		say(out, "\nHang-ups after the greeting, after\n");
		add_histogram(out, late);
	}
}

static void
add_strangers(const struct report *r, struct buf *out)
{
	const uint64_t *waits = &r->sum[FIGURE_WAITS];
	uint64_t known = r->sum[FIGURE_KNOWN], new = r->sum[FIGURE_NEW];
	char number[REPORT_NUMBER_MAX];

	if (known + new == 0)
		return;
	(void)buf_printf(
	    out, "\n%s good clients\n", report_number(known + new, number));
	add_share(out, "known: no wait", known, known + new);
	add_share(out, "strangers", new, known + new);
	if (new == 0)
		return;
	(void)buf_printf(out,
	    "What the strangers waited, %lld.%lld s on average%s\n",
	    (long long)(r->sum[FIGURE_WAIT_MS] / new / 1000),
	    (long long)(r->sum[FIGURE_WAIT_MS] / new % 1000 / 100),
	    r->history->is_coarse ? " (the log has whole seconds)" : "");
	add_histogram(out, waits);
}

/* --- DNS lists -------------------------------------------------------------- */

/* Whoever wrote the log; a terminal obeys control characters. */
static void
add_name(struct buf *out, const struct totals_list *l)
{
	for (const char *p = l->name; *p != '\0'; p++)
		(void)buf_add_char(
		    out, (unsigned char)*p < ' ' || *p == '\x7f' ? '?' : *p);
}

static const char *
use_of(const struct totals_list *l)
{
	switch (l->use) {
	case TOTALS_USE_WATCHED:
		return " (watched: weight 0)";
	case TOTALS_USE_ALLOWS:
		return " (lets pass)";
	default:
		return "";
	}
}

static void
add_latency(struct buf *out, const struct totals_list *l)
{
	struct dnsbl_health figures = {.zone = NULL};
	int64_t half, worst;

	memcpy(figures.latency, l->latency, sizeof(figures.latency));
	half = dnsbl_health_latency(&figures, 50);
	worst = dnsbl_health_latency(&figures, 99);
	if (half == 0)
		return;
	if (half == INT64_MAX) {
		say(out, "    answers: half later than 10 s\n");
		return;
	}
	(void)buf_printf(
	    out, "    answers: half within %lld ms, ", (long long)half);
	if (worst == INT64_MAX)
		say(out, "one in a hundred later than 10 s\n");
	else
		(void)buf_printf(
		    out, "99 %% within %lld ms\n", (long long)worst);
}

static void
add_trouble(struct buf *out, const struct totals_list *l)
{
	if (l->failures + l->timeouts + l->error_codes + l->unasked == 0)
		return;
	(void)buf_printf(out,
	    "    of %llu questions: %llu failed, %llu timed out, %llu error"
	    " codes; %llu not asked\n",
	    (unsigned long long)l->queries, (unsigned long long)l->failures,
	    (unsigned long long)l->timeouts, (unsigned long long)l->error_codes,
	    (unsigned long long)l->unasked);
}

static void
add_list(const struct report *r, struct buf *out, const struct totals_list *l)
{
	char number[REPORT_NUMBER_MAX], percent[REPORT_NUMBER_MAX];

	say(out, "  ");
	add_name(out, l);
	(void)buf_printf(out, "%s\n", use_of(l));
	add_share(out, "  listed", l->visits, report_tested(r->sum));
	(void)buf_printf(out, "    nobody else blocks %s of these, %s\n",
	    report_number(l->only, number),
	    report_percent(l->only, l->visits, percent));
	add_latency(out, l);
	add_trouble(out, l);
}

/* Of those that the list in the row has, how many the one in the column has. */
static void
add_overlap_row(const struct report *r, struct buf *out, size_t i)
{
	const struct totals_list *l = r->list[i];
	unsigned long long both;

	(void)buf_printf(out, "  %4zu ", i + 1);
	for (size_t j = 0; j < r->lists; j++) {
		both = report_permille(
		    report_overlap(r, l, r->list[j]), l->visits);
		if (j == i || l->visits == 0)
			say(out, "   -");
		else
			(void)buf_printf(out, "%4llu", (both + 5) / 10);
	}
	say(out, "  ");
	add_name(out, l);
	say(out, "\n");
}

static void
add_overlap(const struct report *r, struct buf *out)
{
	say(out, "\nHow many in 100 of a row's clients the column has, too\n"
		 "       ");
	for (size_t j = 0; j < r->lists; j++)
		(void)buf_printf(out, "%4zu", j + 1);
	say(out, "\n");
	for (size_t i = 0; i < r->lists; i++)
		add_overlap_row(r, out, i);
}

static void
add_lists(const struct report *r, struct buf *out)
{
	if (r->lists == 0)
		return;
	say(out, "\nDNS lists, and how many of all tested clients they have\n");
	for (size_t i = 0; i < r->lists; i++)
		add_list(r, out, r->list[i]);
	if (r->lists > 1)
		add_overlap(r, out);
	if (r->history->from_logs)
		say(out, "  Logs do not tell weights, how fast the lists"
			 " answer,\n  nor what was not listed.\n");
}

/* --- smtpd, days ------------------------------------------------------------ */

static void
add_advice(const struct report *r, struct buf *out)
{
	const struct report_advice *a = &r->advice;
	char date[PERIOD_TEXT_MAX];

	if (a->peak == 0)
		return;
	say(out, "\nHow many smtpd processes\n");
	if (a->is_measured)
		(void)buf_printf(out,
		    "  At most %llu were busy at the same time (%s).\n",
		    (unsigned long long)a->peak, period_date(a->on, date));
	else
		(void)buf_printf(out,
		    "  At most %llu good clients came within %d seconds (%s)."
		    "  If a mail takes\n  so long, they need as many"
		    " processes.\n",
		    (unsigned long long)a->peak, TOTALS_BURST_S,
		    period_date(a->on, date));
	(void)buf_printf(out,
	    "  %llu, and half as many to spare: %llu; rounded up: %llu"
	    " processes.\n",
	    (unsigned long long)a->peak, (unsigned long long)a->with_spare,
	    (unsigned long long)a->processes);
}

static void
add_pressure(const struct report *r, struct buf *out)
{
	const uint64_t *f = r->sum;
	char a[REPORT_NUMBER_MAX], b[REPORT_NUMBER_MAX];

	(void)buf_printf(out, "\nAt most %s connections were held at a time.\n",
	    report_number(f[FIGURE_HELD], a));
	if (f[FIGURE_STRESS_ENTERED] + f[FIGURE_STRESS_S] > 0)
		(void)buf_printf(out, "Under stress %s times, %s seconds.\n",
		    report_number(f[FIGURE_STRESS_ENTERED], a),
		    report_number(f[FIGURE_STRESS_S], b));
	if (f[FIGURE_SHED] + f[FIGURE_BUSY] > 0)
		(void)buf_printf(out,
		    "%s had to make room for others, %s found none.\n",
		    report_number(f[FIGURE_SHED], a),
		    report_number(f[FIGURE_BUSY], b));
}

static void
add_times(
    struct buf *out, const struct report_time *time, size_t n, bool are_days)
{
	char name[PERIOD_TEXT_MAX], number[REPORT_NUMBER_MAX];
	char percent[REPORT_NUMBER_MAX];
	uint64_t most = 0, all;

	for (size_t i = 0; i < n; i++)
		if ((all = report_visits(time[i].figure)) > most)
			most = all;
	for (size_t i = 0; i < n; i++) {
		const uint64_t *f = time[i].figure;

		all = report_visits(f);
		(void)buf_printf(out, "  %-12s%13s%9s",
		    are_days ? period_short(time[i].begin, name)
			     : period_time(time[i].begin, name),
		    report_number(all, number),
		    report_percent(report_nuisance(f), all, percent));
		add_bar(out, all, most, BAR_MAX);
		say(out, "\n");
	}
}

static void
add_calendar(const struct report *r, struct buf *out)
{
	if (r->days > 2) {
		say(out, "\nConnections per day, and how many in 100 brought"
			 " no mail\n");
		add_times(out, r->day, r->days, true);
	} else {
		say(out, "\nConnections per hour, and how many in 100 brought"
			 " no mail\n");
		add_times(out, r->hour, r->hours, false);
	}
}

static void
add_visits(const struct report *r, struct buf *out)
{
	add_parts(r, out);
	add_catchers(r, out);
	add_hangups(r, out);
	add_strangers(r, out);
	add_lists(r, out);
	add_advice(r, out);
	add_pressure(r, out);
	add_calendar(r, out);
}

int
report_text(const struct report *r, struct buf *out)
{
	if (r->hours > 0)
		add_head(r, out);
	if (report_visits(r->sum) > 0)
		add_visits(r, out);
	else
		say(out, "nobody came in this time\n");
	return buf_is_whole(out) ? 0 : -1;
}
