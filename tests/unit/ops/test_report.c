/* SPDX-License-Identifier: ISC */
#include "ops/report.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ops/json_value.h"
#include "ops/report_json.h"
#include "ops/report_text.h"

/* 2026-11-21 00:00 UTC */
#define HOUR_0 498672

static void
fill(struct history *h)
{
	static struct totals t;
	struct visit v = {
	    .marks = VISIT_CAME | VISIT_LISTED | VISIT_ENDED, .lists = 2};

	history_init(h);
	memset(&t, 0, sizeof(t));
	totals_list(&t, "small.test")->use = TOTALS_USE_WATCHED;
	totals_list(&t, "large.test")->use = TOTALS_USE_BLOCKS;
	t.list[1].latency[4] = 10;
	t.list[1].timeouts = 3;
	for (int i = 0; i < 7; i++)
		totals_visit(&t, &v);
	v = (struct visit){.marks = VISIT_CAME | VISIT_OLD};
	totals_visit(&t, &v);
	v = (struct visit){.marks = VISIT_CAME | VISIT_NEW, .wait_ms = 6000};
	totals_visit(&t, &v);
	v = (struct visit){.marks = VISIT_CAME | VISIT_BUSY | VISIT_ENDED};
	totals_visit(&t, &v);
	totals_peak(t.figure, FIGURE_BURST, 9);
	assert_int_equal(history_add(h, HOUR_0, &t), 0);
	/* Out of order, and a gap of a day. */
	t.figure[FIGURE_BURST] = 14;
	assert_int_equal(history_add(h, HOUR_0 - 48, &t), 0);
	assert_int_equal(history_add(h, HOUR_0, &t), 0);
}

static struct report *
make(const struct history *h)
{
	struct report *r =
	    report_new(h, (struct wall){0}, (struct wall){2000000000});

	assert_non_null(r);
	return r;
}

static void
test_model(void **state)
{
	struct history h;
	struct report *r;
	uint64_t parts = 0;

	(void)state;
	fill(&h);
	r = make(&h);
	assert_int_equal(r->hours, 49);
	assert_int_equal(r->days, 3);
	assert_int_equal(report_visits(r->sum), 30);
	assert_int_equal(report_visits(r->day[0].figure), 10);
	assert_int_equal(report_visits(r->day[1].figure), 0);
	assert_int_equal(report_visits(r->day[2].figure), 20);
	assert_int_equal(report_nuisance(r->sum), 21);
	for (int i = 0; i < REPORT_PARTS; i++)
		parts += report_part(r->sum, (enum report_part)i);
	assert_int_equal(parts, 30);
	assert_int_equal(report_tested(r->sum), 24);
	assert_string_equal(r->list[0]->name, "large.test");
	assert_int_equal(r->list[0]->only, 21);
	assert_int_equal(report_overlap(r, r->list[0], r->list[1]), 0);
	assert_false(r->advice.is_measured);
	assert_int_equal(r->advice.peak, 14);
	assert_int_equal(r->advice.on.s, r->day[0].begin.s);
	assert_int_equal(r->advice.with_spare, 21);
	assert_int_equal(r->advice.processes, 25);
	report_free(&r);
	history_clear(&h);
}

static void
test_days_of_other_lengths(void **state)
{
	struct history h;
	struct report *r;

	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	history_init(&h);
	/* 24 October 00:00 to 26 October 23:00, local time. */
	for (int64_t hour = 498022 - 24; hour < 498022 + 25 + 24; hour++)
		history_hour(&h, hour)[FIGURE_KNOWN] = 1;
	r = make(&h);
	assert_int_equal(r->days, 3);
	assert_int_equal(report_visits(r->day[0].figure), 24);
	assert_int_equal(report_visits(r->day[1].figure), 25);
	assert_int_equal(report_visits(r->day[2].figure), 24);
	report_free(&r);
	history_clear(&h);
	setenv("TZ", "UTC", 1);
	tzset();
}

static void
test_bounds(void **state)
{
	struct history h;
	struct report *r;

	(void)state;
	history_init(&h);
	r = make(&h);
	assert_int_equal(r->days, 0);
	report_free(&r);
	/* A date of another century leaves no gap of 100 years. */
	assert_non_null(history_hour(&h, 1));
	assert_non_null(history_hour(&h, HOUR_0));
	r = make(&h);
	assert_int_equal(r->hours, HISTORY_HOURS_MAX);
	assert_true(r->days <= HISTORY_DAYS_MAX + 3);
	report_free(&r);
	for (int64_t i = 0; i < HISTORY_HOURS_MAX - 2; i++)
		assert_non_null(history_hour(&h, 100 + i));
	assert_null(history_hour(&h, 99));
	history_clear(&h);
}

static void
test_words(void **state)
{
	static const struct {
		uint64_t part, whole;
		const char *want;
	} shares[] = {
	    {0, 0, "0.0 %"},
	    {0, 7, "0.0 %"},
	    {1, 3, "33.3 %"},
	    {2, 3, "66.7 %"},
	    {3, 3, "100.0 %"},
	    {1, 100000, "<0.1 %"},
	    {99999, 100000, ">99.9 %"},
	};
	uint64_t bucket[TOTALS_BUCKETS] = {[2] = 50, [5] = 40, [19] = 10};
	uint64_t none[TOTALS_BUCKETS] = {0};
	char out[REPORT_NUMBER_MAX], span[REPORT_SPAN_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		assert_string_equal(
		    report_percent(shares[i].part, shares[i].whole, out),
		    shares[i].want);
	assert_string_equal(report_number(0, out), "0");
	assert_string_equal(report_number(999, out), "999");
	assert_string_equal(report_number(1234567, out), "1,234,567");
	assert_string_equal(
	    report_number(UINT64_MAX, out), "18,446,744,073,709,551,615");
	assert_string_equal(report_span(100, span), "0.1 s");
	assert_string_equal(report_span(6000, span), "6 s");
	assert_string_equal(report_span(120000, span), "2 min");
	assert_string_equal(report_span(INT64_MAX, span), "more");
	assert_int_equal(report_wait(bucket, TOTALS_BUCKETS, 50), 500);
	assert_int_equal(report_wait(bucket, TOTALS_BUCKETS, 90), 2000);
	assert_int_equal(report_wait(bucket, TOTALS_BUCKETS, 99), INT64_MAX);
	assert_int_equal(report_wait(none, TOTALS_BUCKETS, 50), -1);
}

static void
test_json(void **state)
{
	struct history h;
	struct report *r;
	struct buf out;
	struct errtext why;
	struct json_tree *tree;
	const struct json_value *v;

	(void)state;
	fill(&h);
	r = make(&h);
	buf_init(&out, REPORT_BYTES_MAX);
	assert_int_equal(report_json(r, &out), 0);
	tree = json_tree_new(buf_span(&out), &why);
	assert_non_null(tree);
	v = json_value_get(json_tree_root(tree), "total");
	assert_int_equal(json_value_number(v, "connections"), 30);
	assert_int_equal(json_value_number(v, "nuisance"), 21);
	v = json_value_get(json_tree_root(tree), "figures");
	assert_int_equal(json_value_number(v, "burst"), 14);
	json_tree_free(&tree);
	buf_clear(&out);
	report_free(&r);
	history_clear(&h);
}

static void
test_text(void **state)
{
	static const char *const wanted[] = {
	    "30 connections; 70.0 % of them brought no mail\n",
	    "  on DNS lists                       21   70.0 %  ####",
	    "  14, and half as many to spare: 21; rounded up: 25 processes.\n",
	    "  small.test (watched: weight 0)\n",
	    "  Sat 21 Nov             20   70.0 %",
	};
	struct history h;
	struct report *r;
	struct buf out, small;

	(void)state;
	fill(&h);
	r = make(&h);
	buf_init(&out, REPORT_BYTES_MAX);
	assert_int_equal(report_text(r, &out), 0);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (strstr(buf_str(&out), wanted[i]) == NULL)
			print_error(
			    "not there: %s\n%s", wanted[i], buf_str(&out));
		assert_non_null(strstr(buf_str(&out), wanted[i]));
	}
	buf_init(&small, 100);
	assert_int_equal(report_json(r, &small), -1);
	buf_clear(&small);
	buf_clear(&out);
	report_free(&r);
	history_clear(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_model),
	    cmocka_unit_test(test_days_of_other_lengths),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_text),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
