/* SPDX-License-Identifier: ISC */
#include "ops/report_lists.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "lookup/dnsbl_health.h"
#include "ops/chart.h"

/* A list is worth its questions for what only it knows; so that stands beside
 * what it has, and the overlap of each with each below. */

static void
say(struct buf *out, const char *text)
{
	(void)buf_add_str(out, text);
}

static const char *
use_of(const struct totals_list *l)
{
	static const char *const uses[] = {
	    [TOTALS_USE_UNKNOWN] = "",
	    [TOTALS_USE_BLOCKS] = "blocks",
	    [TOTALS_USE_WATCHED] = "watched",
	    [TOTALS_USE_ALLOWS] = "lets pass",
	};

	return uses[l->use];
}

static void
add_coverage(const struct report *r, struct buf *out)
{
	struct chart_row row[TOTALS_LISTS_MAX];
	char note[TOTALS_LISTS_MAX][96], a[REPORT_NUMBER_MAX];
	char b[REPORT_NUMBER_MAX], text[TOTALS_NAME_MAX + 96];

	for (size_t i = 0; i < r->lists; i++) {
		const struct totals_list *l = r->list[i];

		(void)snprintf(note[i], sizeof(note[i]), "%s, %s only it%s%s",
		    report_percent(l->visits, report_tested(r->sum), a),
		    report_number(l->only, b),
		    l->use > TOTALS_USE_BLOCKS ? " - " : "",
		    l->use > TOTALS_USE_BLOCKS ? use_of(l) : "");
		row[i] =
		    (struct chart_row){l->name, note[i], l->visits, l->only};
	}
	(void)snprintf(text, sizeof(text), "%s has %s of all that were tested",
	    r->list[0]->name,
	    report_percent(r->list[0]->visits, report_tested(r->sum), a));
	chart_heading(out, text,
	    "How many of them each list has; the dark part are those that no"
	    " other list blocks.");
	chart_rows(out, text, row, r->lists, r->list[0]->visits);
}

static int
add_overlap(const struct report *r, struct buf *out)
{
	char(*cell)[8] = mem_array(TOTALS_LISTS_MAX * TOTALS_LISTS_MAX, 8);
	const char *cells[TOTALS_LISTS_MAX * TOTALS_LISTS_MAX];
	uint64_t value[TOTALS_LISTS_MAX * TOTALS_LISTS_MAX];
	const char *rows[TOTALS_LISTS_MAX], *columns[TOTALS_LISTS_MAX];
	char number[TOTALS_LISTS_MAX][4];
	char name[TOTALS_LISTS_MAX][TOTALS_NAME_MAX + 8];

	if (cell == NULL)
		return -1;
	for (size_t i = 0; i < r->lists * r->lists; i++) {
		const struct totals_list *a = r->list[i / r->lists];
		const struct totals_list *b = r->list[i % r->lists];

		cell[i][0] = '\0';
		value[i] = 0;
		if (a != b) {
			value[i] = (report_permille(
					report_overlap(r, a, b), a->visits) +
				       5) /
				   10;
			(void)snprintf(
			    cell[i], 8, "%u", (unsigned)value[i] % 1000);
		}
		cells[i] = cell[i];
	}
	for (size_t i = 0; i < r->lists; i++) {
		(void)snprintf(number[i], sizeof(number[i]), "%u",
		    (unsigned)(i + 1) % 100);
		(void)snprintf(name[i], sizeof(name[i]), "%s  %s", number[i],
		    r->list[i]->name);
		rows[i] = name[i];
		columns[i] = number[i];
	}
	chart_heading(out, "Which lists know the same clients",
	    "Of 100 clients that the list in the row has, so many are in the"
	    " list of the column, too.");
	chart_grid(out, &(struct chart_grid){.title = "overlap of DNS lists",
			    .rows = r->lists,
			    .columns = r->lists,
			    .value = value,
			    .row_label = rows,
			    .column_label = columns,
			    .cell = cells,
			    .color = 0,
			    .most = 100});
	mem_free(cell);
	return 0;
}

static void
add_latency(struct buf *out, const struct totals_list *l, unsigned percent)
{
	struct dnsbl_health h = {.zone = NULL};
	int64_t ms;

	memcpy(h.latency, l->latency, sizeof(h.latency));
	ms = dnsbl_health_latency(&h, percent);
	if (ms == 0)
		say(out, "<td>-</td>");
	else if (ms == INT64_MAX)
		say(out, "<td>more</td>");
	else
		(void)buf_printf(out, "<td>%lld ms</td>", (long long)ms);
}

static void
add_health(const struct report *r, struct buf *out)
{
	if (r->history->from_logs) {
		say(out,
		    "<p>Logs do not tell weights, how fast the lists answer,"
		    " nor what was not listed.</p>\n");
		return;
	}
	chart_heading(out, "How well the lists answer",
	    "Questions, and what came of them; half, and 99 of 100 answers,"
	    " came within the times at the end.");
	say(out, "<div class=\"wide\"><table><tr><th>list</th><th>use</th>"
		 "<th>questions</th><th>failed</th><th>timed out</th>"
		 "<th>error codes</th><th>not asked</th><th>half</th>"
		 "<th>99 %</th></tr>\n");
	for (size_t i = 0; i < r->lists; i++) {
		const struct totals_list *l = r->list[i];
		const uint64_t n[] = {l->queries, l->failures, l->timeouts,
		    l->error_codes, l->unasked};
		char text[REPORT_NUMBER_MAX];

		say(out, "<tr><td>");
		chart_text(out, l->name);
		(void)buf_printf(out, "</td><td>%s</td>", use_of(l));
		for (size_t k = 0; k < sizeof(n) / sizeof(n[0]); k++)
			(void)buf_printf(
			    out, "<td>%s</td>", report_number(n[k], text));
		add_latency(out, l, 50);
		add_latency(out, l, 99);
		say(out, "</tr>\n");
	}
	say(out, "</table></div>\n");
}

int
report_lists(const struct report *r, struct buf *out)
{
	if (r->lists == 0) {
		chart_heading(out, "No client was on a DNS list",
		    "Or no list was asked.");
		return 0;
	}
	add_coverage(r, out);
	if (r->lists > 1 && add_overlap(r, out) < 0)
		return -1;
	add_health(r, out);
	return 0;
}
