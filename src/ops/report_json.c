/* SPDX-License-Identifier: ISC */
#include "ops/report_json.h"

#include "ops/json.h"
#include "ops/period.h"

/* Numbers as they were counted: who reads this makes shares of its own. Names
 * stay, new ones may come; figures.def has them. */

static const struct {
	enum figure figure;
	size_t n;
} rows[] = {
#define FIGURE(id, name, kind, n, help) {FIGURE_##id, n},
#include "screen/figures.def"
#undef FIGURE
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void
put_number(struct json *j, const char *key, uint64_t n)
{
	json_number(j, key, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

static void
put_array(struct json *j, const char *key, const uint64_t *numbers, size_t n)
{
	json_array(j, key);
	for (size_t i = 0; i < n; i++)
		put_number(j, NULL, numbers[i]);
	json_end(j);
}

static void
put_figures(struct json *j, const uint64_t *figures)
{
	for (size_t i = 0; i < ROWS; i++) {
		const uint64_t *figure = &figures[rows[i].figure];

		if (rows[i].n == 1)
			put_number(j, totals_name(rows[i].figure), *figure);
		else
			put_array(
			    j, totals_name(rows[i].figure), figure, rows[i].n);
	}
}

static void
put_totals(struct json *j, const uint64_t *figures)
{
	put_number(j, "connections", report_visits(figures));
	put_number(j, "nuisance", report_nuisance(figures));
	for (int i = 0; i < REPORT_PARTS; i++)
		put_number(j, report_part_key((enum report_part)i),
		    report_part(figures, (enum report_part)i));
}

static void
put_times(struct json *j, const char *key, const struct report_time *t,
    size_t n, bool are_days)
{
	char date[PERIOD_TEXT_MAX];

	json_array(j, key);
	for (size_t i = 0; i < n; i++) {
		json_object(j, NULL);
		json_number(j, "begin", t[i].begin.s);
		if (are_days)
			json_text(j, "date", period_date(t[i].begin, date));
		put_totals(j, t[i].figure);
		for (size_t k = FIGURE_BURST; k <= FIGURE_SMTPD; k++)
			put_number(
			    j, totals_name((enum figure)k), t[i].figure[k]);
		put_number(j, "stress_seconds", t[i].figure[FIGURE_STRESS_S]);
		json_end(j);
	}
	json_end(j);
}

static void
put_list(struct json *j, const struct report *r, const struct totals_list *l)
{
	static const char *const uses[] = {
	    [TOTALS_USE_BLOCKS] = "blocks",
	    [TOTALS_USE_WATCHED] = "watched",
	    [TOTALS_USE_ALLOWS] = "allows",
	};
	json_object(j, NULL);
	json_text(j, "name", l->name);
	if (l->use != TOTALS_USE_UNKNOWN)
		json_text(j, "use", uses[l->use]);
	put_number(j, "clients", l->visits);
	put_number(j, "only", l->only);
	if (!r->history->from_logs) {
		put_number(j, "queries", l->queries);
		put_number(j, "failures", l->failures);
		put_number(j, "timeouts", l->timeouts);
		put_number(j, "error_codes", l->error_codes);
		put_number(j, "unasked", l->unasked);
		put_array(j, "latency", l->latency, DNSBL_LATENCY_BUCKETS);
	}
	json_array(j, "with"); /* in the order of the lists */
	for (size_t i = 0; i < r->lists; i++)
		put_number(j, NULL, report_overlap(r, l, r->list[i]));
	json_end(j);
	json_end(j);
}

static void
put_source(struct json *j, const struct report *r)
{
	const struct history *h = r->history;

	json_text(j, "source", h->from_logs ? "logs" : "history");
	if (h->from_logs) {
		put_number(j, "lines", h->lines);
		put_number(j, "lines_understood", h->ours);
		put_number(j, "unfinished", h->unfinished);
	}
	json_number(j, "since", r->since.s);
	json_number(j, "until", r->until.s);
}

static void
put_advice(struct json *j, const struct report_advice *a)
{
	json_object(j, "smtpd");
	json_bool(j, "measured", a->is_measured);
	put_number(j, "peak", a->peak);
	put_number(j, "with_spare", a->with_spare);
	put_number(j, "processes", a->processes);
	json_end(j);
}

int
report_json(const struct report *r, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j, NULL);
	put_source(&j, r);
	json_array(&j, "bucket_ends_ms"); /* the last bucket has none */
	for (size_t i = 0; i + 1 < TOTALS_BUCKETS; i++)
		json_number(&j, NULL, totals_bucket_end(i));
	json_end(&j);
	json_object(&j, "total");
	put_totals(&j, r->sum);
	json_end(&j);
	json_object(&j, "figures");
	put_figures(&j, r->sum);
	json_end(&j);
	put_advice(&j, &r->advice);
	json_array(&j, "lists");
	for (size_t i = 0; i < r->lists; i++)
		put_list(&j, r, r->list[i]);
	json_end(&j);
	put_times(&j, "days", r->day, r->days, true);
	put_times(&j, "hours", r->hour, r->hours, false);
	json_end(&j);
	return json_finish(&j);
}
