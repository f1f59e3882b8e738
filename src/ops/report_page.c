/* SPDX-License-Identifier: ISC */
#include "ops/report_page.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ops/chart.h"
#include "ops/period.h"
#include "ops/report_lists.h"

/* One file, without scripts and without anything from elsewhere. A heading says
 * what the picture shows, not what it is about. Colours are those of Okabe and
 * Ito, which people who see few colours can tell apart. */

enum { HOURLY_DAYS_MAX = 3, HOURS_OF_DAY = 24 };

static const char style[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    "<title>doorbell report</title><style>\n"
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1a1c20;--dim:#5b616b;"
    "--line:#dfe2e7;--card:#f4f5f7}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#15171b;--fg:#eceef1;"
    "--dim:#a3a9b3;--line:#343942;--card:#1f2228}}\n"
    "body{margin:0 auto;max-width:1000px;padding:24px 20px 60px;"
    "background:var(--bg);color:var(--fg);"
    "font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:28px;margin:0}h2{font-size:21px;margin:52px 0 4px}\n"
    "p{margin:4px 0 12px;color:var(--dim);max-width:75ch}\n"
    ".cards{display:grid;gap:12px;margin:24px 0;"
    "grid-template-columns:repeat(auto-fit,minmax(170px,1fr))}\n"
    ".cards div{background:var(--card);border-radius:8px;"
    "padding:14px 16px}\n"
    ".cards b{display:block;font-size:27px;line-height:1.2}\n"
    ".cards span{color:var(--dim);font-size:14px}\n"
    ".chart{overflow-x:auto}.chart svg{width:100%;min-width:620px;"
    "height:auto;display:block}\n"
    "text{font:13px system-ui,sans-serif;fill:var(--fg)}\n"
    ".axis{fill:var(--dim)}.end{text-anchor:end}.mid{text-anchor:middle}\n"
    ".strong{font-weight:600}.on{fill:#fff;font-weight:600}\n"
    ".grid{stroke:var(--line)}"
    ".mark{stroke:var(--fg);stroke-width:1.5;stroke-dasharray:6 4}\n"
    ".c0{fill:#0072b2}.c1{fill:#56b4e9}.c2{fill:#d55e00}.c3{fill:#e69f00}"
    ".c4{fill:#cc79a7}.c5{fill:#8c929c}.c6{fill:#f0e442}.c7{fill:#009e73}\n"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;"
    "padding:0;margin:8px 0;font-size:14px}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:14px;"
    "width:100%}td,th{padding:5px 8px;text-align:right;"
    "border-bottom:1px solid var(--line);white-space:nowrap}"
    "th{color:var(--dim);font-weight:500}"
    "td:first-child,th:first-child{text-align:left}\n"
    "</style></head><body>\n";

static const struct chart_series parts[REPORT_PARTS] = {
    [REPORT_KNOWN] = {"known clients", 0},
    [REPORT_NEW] = {"strangers that passed", 1},
    [REPORT_LISTED] = {"on DNS lists", 2},
    [REPORT_EARLY] = {"talked too early", 3},
    [REPORT_OTHER] = {"failed otherwise", 4},
    [REPORT_HUNG_UP] = {"hung up", 5},
    [REPORT_FULL] = {"turned away: no room", 6},
};

/* What is made for a page and freed with it. */
struct page {
	const struct report *r;
	struct buf *out;
	const struct report_time *time; /* the bars of charts over time */
	size_t times;
	bool are_days;
	char (*name)[PERIOD_TEXT_MAX];
	const char **label;
	uint64_t *value;
};

static void
say(struct page *p, const char *text)
{
	(void)buf_add_str(p->out, text);
}

static void
add_card(struct page *p, const char *number, const char *what)
{
	say(p, "<div><b>");
	chart_text(p->out, number);
	say(p, "</b><span>");
	chart_text(p->out, what);
	say(p, "</span></div>\n");
}

static void
add_head(struct page *p)
{
	const struct report *r = p->r;
	char from[PERIOD_TEXT_MAX], to[PERIOD_TEXT_MAX], zone[PERIOD_TEXT_MAX];
	struct wall last = {0};

	say(p, style);
	say(p, "<h1>Who rang, and who was let in</h1>\n<p>");
	if (r->days > 0) {
		last = r->day[r->days - 1].begin;
		(void)buf_printf(p->out, "%s to %s, ",
		    period_date(r->day[0].begin, from), period_date(last, to));
		chart_text(p->out, period_zone(last, zone));
	}
	if (r->history->from_logs)
		(void)buf_printf(p->out,
		    "%srom %llu lines of log files; %llu connections are left"
		    " out, as their ends are not in there",
		    r->days > 0 ? ", f" : "F",
		    (unsigned long long)r->history->lines,
		    (unsigned long long)r->history->unfinished);
	say(p, "</p>\n");
}

static void
add_cards(struct page *p)
{
	const struct report *r = p->r;
	const uint64_t *f = r->sum;
	char text[REPORT_NUMBER_MAX];
	uint64_t new = f[FIGURE_NEW];

	say(p, "<div class=\"cards\">\n");
	add_card(p, report_number(report_visits(f), text), "connections");
	add_card(p, report_percent(report_nuisance(f), report_visits(f), text),
	    "brought no mail");
	add_card(p,
	    report_percent(f[FIGURE_KNOWN], f[FIGURE_KNOWN] + new, text),
	    "of good clients did not wait");
	(void)snprintf(text, sizeof(text), "%.1f s",
	    new > 0 ? (double)f[FIGURE_WAIT_MS] / (double)new / 1000 : 0.0);
	add_card(p, new > 0 ? text : "-", "a stranger waits on average");
	(void)snprintf(text, sizeof(text), "%llu",
	    (unsigned long long)r->advice.processes);
	add_card(
	    p, r->advice.peak > 0 ? text : "-", "smtpd processes are enough");
	say(p, "</div>\n");
}

/* --- over time -------------------------------------------------------------- */

static void
add_bars(struct page *p, const char *title, const char *y,
    const struct chart_series *what, size_t series, uint64_t mark,
    const char *mark_label)
{
	chart_bars(p->out, &(struct chart_bars){
			       .title = title,
			       .x = p->are_days ? "day" : "hour",
			       .y = y,
			       .n = p->times,
			       .series = series,
			       .value = p->value,
			       .what = what,
			       .label = p->label,
			       .mark = mark,
			       .mark_label = mark_label,
			   });
}

static void
add_verdicts(struct page *p)
{
	const uint64_t *f = p->r->sum;
	char text[160], number[REPORT_NUMBER_MAX], percent[REPORT_NUMBER_MAX];

	for (size_t i = 0; i < p->times * REPORT_PARTS; i++)
		p->value[i] = report_part(p->time[i / REPORT_PARTS].figure,
		    (enum report_part)(i % REPORT_PARTS));
	(void)snprintf(text, sizeof(text),
	    "%s of %s connections brought no mail",
	    report_percent(report_nuisance(f), report_visits(f), percent),
	    report_number(report_visits(f), number));
	chart_heading(p->out, text, "Every connection, and what became of it.");
	chart_legend(p->out, parts, REPORT_PARTS);
	add_bars(p, text, "connections", parts, REPORT_PARTS, 0, NULL);
}

static void
count_hours(const struct report *r, uint64_t *value)
{
	size_t day = 0;

	for (size_t i = 0; i < r->hours; i++) {
		while (day + 1 < r->days &&
		       r->hour[i].begin.s >= r->day[day + 1].begin.s)
			day++;
		value[(size_t)period_hour(r->hour[i].begin) * r->days + day] +=
		    report_visits(r->hour[i].figure);
	}
}

static void
add_clock(struct page *p)
{
	static const char *const hours[HOURS_OF_DAY] = {"00:00", "01:00",
	    "02:00", "03:00", "04:00", "05:00", "06:00", "07:00", "08:00",
	    "09:00", "10:00", "11:00", "12:00", "13:00", "14:00", "15:00",
	    "16:00", "17:00", "18:00", "19:00", "20:00", "21:00", "22:00",
	    "23:00"};
	const struct report *r = p->r;
	char text[128], number[REPORT_NUMBER_MAX];
	uint64_t most = 0;
	size_t n = HOURS_OF_DAY * r->days;

	if (!p->are_days)
		return;
	memset(p->value, 0, n * sizeof(p->value[0]));
	count_hours(r, p->value);
	for (size_t i = 0; i < n; i++)
		if (p->value[i] > most)
			most = p->value[i];
	(void)snprintf(text, sizeof(text), "At most %s came in an hour",
	    report_number(most, number));
	chart_heading(p->out, text,
	    "Connections of each hour: a day is a column, darker is more.");
	chart_grid(p->out, &(struct chart_grid){
			       .title = text,
			       .rows = HOURS_OF_DAY,
			       .columns = r->days,
			       .value = p->value,
			       .row_label = hours,
			       .column_label = p->label,
			   });
}

/* --- who catches whom ------------------------------------------------------- */

static void
add_catchers(struct page *p)
{
	static const char *const rows[] = {"talked early", "waited its turn"};
	static const char *const columns[] = {"on DNS lists", "not listed"};
	const uint64_t *f = p->r->sum;
	const uint64_t value[] = {f[FIGURE_BY_BOTH], f[FIGURE_BY_EARLY],
	    f[FIGURE_BY_LISTS], f[FIGURE_BY_NONE]};
	char text[160], one[REPORT_NUMBER_MAX], cell[4][REPORT_NUMBER_MAX];
	const char *cells[4];
	uint64_t all = report_tested(f);
	uint64_t caught = all - f[FIGURE_BY_NONE];

	if (all == 0)
		return;
	for (size_t i = 0; i < 4; i++)
		cells[i] = report_percent(value[i], all, cell[i]);
	(void)snprintf(text, sizeof(text),
	    "%s of those caught were caught by DNS lists alone",
	    report_percent(f[FIGURE_BY_LISTS], caught, one));
	chart_heading(p->out, text,
	    "Shares of all that were tested at the door: did they talk before"
	    " their turn, and were they listed?");
	chart_grid(p->out, &(struct chart_grid){.title = text,
			       .rows = 2,
			       .columns = 2,
			       .value = value,
			       .row_label = rows,
			       .column_label = columns,
			       .cell = cells,
			       .color = 2});
}

/* --- histograms ------------------------------------------------------------- */

static void
add_histogram(struct page *p, const char *title, const char *x,
    const struct chart_series *what, size_t series, const uint64_t *first,
    const uint64_t *second)
{
	char name[TOTALS_BUCKETS][REPORT_SPAN_MAX];
	const char *label[TOTALS_BUCKETS];
	uint64_t value[2 * TOTALS_BUCKETS];
	size_t n = 1;

	for (size_t i = 0; i < TOTALS_BUCKETS; i++) {
		if (first[i] + (series > 1 ? second[i] : 0) > 0)
			n = i + 2 < TOTALS_BUCKETS ? i + 2 : TOTALS_BUCKETS;
		label[i] = report_span(totals_bucket_end(i), name[i]);
		value[i * series] = first[i];
		if (series > 1)
			value[i * series + 1] = second[i];
	}
	chart_bars(p->out, &(struct chart_bars){.title = title,
			       .x = x,
			       .y = "connections",
			       .n = n,
			       .series = series,
			       .value = value,
			       .what = what,
			       .label = label});
}

/* The last bucket has no end, only a beginning. */
static char *
bounded_span(int64_t ms, char out[REPORT_SPAN_MAX])
{
	if (ms == INT64_MAX)
		ms = totals_bucket_end(TOTALS_BUCKETS - 2);
	return report_span(ms, out);
}

static void
add_hangups(struct page *p)
{
	static const struct chart_series what[] = {
	    {"before the greeting", 5}, {"after it", 4}};
	const uint64_t *early = &p->r->sum[FIGURE_HANGUPS_EARLY];
	const uint64_t *late = &p->r->sum[FIGURE_HANGUPS_LATE];
	uint64_t n = report_histogram_sum(early);
	char text[128], span[REPORT_SPAN_MAX];
	int64_t half = report_wait(early, TOTALS_BUCKETS, 50);

	if (n + report_histogram_sum(late) == 0)
		return;
	if (n == 0)
		(void)snprintf(
		    text, sizeof(text), "Nobody hung up before the greeting");
	else
		(void)snprintf(text, sizeof(text),
		    "Half of those who hang up before the greeting %s %s",
		    half == INT64_MAX ? "stay longer than" : "have gone after",
		    bounded_span(half, span));
	chart_heading(p->out, text,
	    "Clients that left before anybody told them to, and after how"
	    " long.");
	chart_legend(p->out, what, 2);
	add_histogram(p, text, "gone after, up to", what, 2, early, late);
}

static void
add_waits(struct page *p)
{
	static const struct chart_series what[] = {
	    {"strangers that passed", 1}};
	const uint64_t *waits = &p->r->sum[FIGURE_WAITS];
	int64_t most = report_wait(waits, TOTALS_BUCKETS, 90);
	char text[128], span[REPORT_SPAN_MAX];

	if (p->r->sum[FIGURE_NEW] == 0)
		return;
	(void)snprintf(text, sizeof(text), "%s %s",
	    most == INT64_MAX
		? "More than one in ten strangers had waited longer than"
		: "Nine of ten strangers had waited no longer than",
	    bounded_span(most, span));
	chart_heading(p->out, text,
	    p->r->history->is_coarse
		? "From their coming until they had passed; the log has whole"
		  " seconds. Known clients do not wait."
		: "From their coming until they had passed. Known clients do"
		  " not wait.");
	add_histogram(p, text, "waited, up to", what, 1, waits, NULL);
}

/* --- smtpd, pressure -------------------------------------------------------- */

static void
fill(struct page *p, enum figure a, enum figure b, size_t series)
{
	for (size_t i = 0; i < p->times; i++) {
		p->value[i * series] = p->time[i].figure[a];
		if (series > 1)
			p->value[i * series + 1] = p->time[i].figure[b];
	}
}

static void
add_advice(struct page *p)
{
	static const struct chart_series busy[] = {
	    {"busy at the same time", 0}};
	static const struct chart_series burst[] = {
	    {"good clients within ten seconds", 0}};
	const struct report_advice *a = &p->r->advice;
	char text[128], how[320], mark[64], date[PERIOD_TEXT_MAX];

	if (a->peak == 0)
		return;
	(void)snprintf(text, sizeof(text),
	    "%llu smtpd processes are enough for those who bring mail",
	    (unsigned long long)a->processes);
	(void)snprintf(how, sizeof(how),
	    "%s%llu on %s. Half as many to spare: %llu. Rounded up: %llu.",
	    a->is_measured ? "Most smtpd processes busy at the same time: "
			   : "Most good clients within ten seconds, as if a"
			     " mail took so long: ",
	    (unsigned long long)a->peak, period_date(a->on, date),
	    (unsigned long long)a->with_spare,
	    (unsigned long long)a->processes);
	(void)snprintf(mark, sizeof(mark), "process limit %llu",
	    (unsigned long long)a->processes);
	chart_heading(p->out, text, how);
	fill(p, a->is_measured ? FIGURE_SMTPD : FIGURE_BURST, FIGURE_HELD, 1);
	add_bars(p, text, a->is_measured ? "processes" : "clients",
	    a->is_measured ? busy : burst, 1, a->processes, mark);
}

static void
add_pressure(struct page *p)
{
	static const struct chart_series what[] = {
	    {"had to make room for others", 4}, {"found no room", 6}};
	const uint64_t *f = p->r->sum;
	char text[160], a[REPORT_NUMBER_MAX], b[REPORT_NUMBER_MAX];

	if (f[FIGURE_SHED] + f[FIGURE_BUSY] + f[FIGURE_STRESS_S] +
		f[FIGURE_STRESS_ENTERED] ==
	    0) {
		(void)snprintf(text, sizeof(text),
		    "There was room for everybody, and never any stress: at"
		    " most %s at a time",
		    report_number(f[FIGURE_HELD], a));
		chart_heading(p->out, text, "");
		return;
	}
	(void)snprintf(text, sizeof(text),
	    "Under stress %s times, %s seconds in all",
	    report_number(f[FIGURE_STRESS_ENTERED], a),
	    report_number(f[FIGURE_STRESS_S], b));
	chart_heading(
	    p->out, text, "Who was turned away because there was no room.");
	if (f[FIGURE_SHED] + f[FIGURE_BUSY] == 0) {
		say(p, "<p>Nobody was.</p>\n");
		return;
	}
	chart_legend(p->out, what, 2);
	fill(p, FIGURE_SHED, FIGURE_BUSY, 2);
	add_bars(p, text, "connections", what, 2, 0, NULL);
}

/* --- all of it -------------------------------------------------------------- */

static int
prepare(struct page *p)
{
	const struct report *r = p->r;
	size_t most;

	p->are_days = r->days > HOURLY_DAYS_MAX;
	p->time = p->are_days ? r->day : r->hour;
	p->times = p->are_days ? r->days : r->hours;
	most = p->times * REPORT_PARTS + HOURS_OF_DAY * r->days;
	p->name = mem_array(p->times, sizeof(p->name[0]));
	p->label = mem_array(p->times, sizeof(const char *));
	p->value = mem_array(most, sizeof(p->value[0]));
	if (p->name == NULL || p->label == NULL || p->value == NULL)
		return -1;
	for (size_t i = 0; i < p->times; i++)
		p->label[i] = p->are_days
				  ? period_short(p->time[i].begin, p->name[i])
				  : period_time(p->time[i].begin, p->name[i]);
	return 0;
}

static int
add_all(struct page *p)
{
	add_head(p);
	if (report_visits(p->r->sum) == 0) {
		say(p, "<h2>Nobody came in this time</h2>\n");
		return 0;
	}
	if (prepare(p) < 0)
		return -1;
	add_cards(p);
	add_verdicts(p);
	add_clock(p);
	add_catchers(p);
	add_hangups(p);
	add_waits(p);
	if (report_lists(p->r, p->out) < 0)
		return -1;
	add_advice(p);
	add_pressure(p);
	return 0;
}

int
report_page(const struct report *r, struct buf *out)
{
	struct page p = {.r = r, .out = out};
	int rc = add_all(&p);

	mem_free(p.name);
	mem_free((void *)p.label);
	mem_free(p.value);
	(void)buf_add_str(out, "</body></html>\n");
	return rc == 0 && buf_is_whole(out) ? 0 : -1;
}
