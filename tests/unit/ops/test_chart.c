/* SPDX-License-Identifier: ISC */
#include "ops/chart.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text += strlen(what);
		n++;
	}
	return n;
}

static void
test_text(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	chart_text(&out, "<a href=\"x\">&\x01'\n</a> \xc3\xa9");
	assert_string_equal(buf_str(&out),
	    "&lt;a href=&quot;x&quot;&gt;&amp;?'?&lt;/a&gt; \xc3\xa9");
	buf_clear(&out);
}

static void
test_numbers(void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
	} cases[] = {
	    {0, "0"},
	    {999, "999"},
	    {1000, "1k"},
	    {1500, "1.5k"},
	    {99999, "99.9k"},
	    {250000, "250k"},
	    {1200000, "1.2M"},
	    {UINT64_MAX, "18446744073G"},
	};
	char out[CHART_NUMBER_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
		    chart_number(cases[i].n, out), cases[i].want);
}

static void
test_ceiling(void **state)
{
	static const struct {
		uint64_t most, want, step;
	} cases[] = {
	    {0, 1, 1},
	    {1, 1, 1},
	    {4, 4, 1},
	    {5, 6, 2},
	    {9, 10, 2},
	    {10, 10, 5},
	    {7742, 8000, 2000},
	    {100000, 100000, 50000},
	};
	uint64_t step;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
		    chart_ceiling(cases[i].most, &step), cases[i].want);
		assert_int_equal(step, cases[i].step);
	}
	assert_true(chart_ceiling(UINT64_MAX, &step) > 0);
	assert_true(step > 0);
}

static void
test_bars(void **state)
{
	static const struct chart_series what[] = {{"good & bad", 0}, {"b", 7}};
	static const char *label[400];
	static uint64_t value[800];
	struct chart_bars c = {.title = "<t>",
	    .x = "day",
	    .y = "n",
	    .series = 2,
	    .value = value,
	    .what = what,
	    .label = label};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < 400; i++) {
		label[i] = "Fri 20 Nov";
		value[2 * i] = i;
		value[2 * i + 1] = i == 7 ? 0 : 3;
	}
	buf_init(&out, 1 << 20);
	for (c.n = 0; c.n <= 400; c.n += c.n < 8 ? 1 : 392) {
		buf_reset(&out);
		chart_bars(&out, &c);
		assert_int_equal(count(buf_str(&out), "<svg"), 1);
		assert_int_equal(count(buf_str(&out), "</svg>"), 1);
		assert_null(strstr(buf_str(&out), "nan"));
		assert_null(strstr(buf_str(&out), "inf"));
	}
	/* The first bar has no 0, the eighth no 3. */
	assert_int_equal(count(buf_str(&out), "<rect"), 798);
	assert_true(count(buf_str(&out), ">Fri 20 Nov</text>") <= 14);
	assert_non_null(strstr(buf_str(&out), "good &amp; bad 399<"));
	assert_non_null(strstr(buf_str(&out), "<title>&lt;t&gt;</title>"));
	c.n = 400;
	c.mark = 1000;
	c.mark_label = "limit";
	buf_reset(&out);
	chart_bars(&out, &c);
	assert_non_null(strstr(buf_str(&out), ">limit</text>"));
	assert_non_null(strstr(buf_str(&out), ">1k</text>"));
	/* A narrow one has its edge where it says. */
	buf_reset(&out);
	c.width = 400;
	chart_bars(&out, &c);
	assert_non_null(strstr(buf_str(&out), "viewBox=\"0 0 400 "));
	assert_non_null(strstr(buf_str(&out), "x2=\"384\""));
	assert_null(strstr(buf_str(&out), "\"944"));
	assert_true(count(buf_str(&out), ">Fri 20 Nov</text>") <= 4);
	buf_reset(&out);
	chart_legend(&out, what, 2);
	assert_int_equal(count(buf_str(&out), "<li>"), 2);
	buf_clear(&out);
}

static void
test_rows(void **state)
{
	const struct chart_row row[] = {{"a.very.long.name.of.a.dns.list.that."
					 "does.not.fit.anywhere.test",
					    "note", 10, 3},
	    {"b", "", 0, 0}};
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	chart_rows(&out, "t", row, 2, 10);
	assert_int_equal(count(buf_str(&out), "<rect"), 4);
	assert_non_null(strstr(buf_str(&out), "...</text>"));
	chart_rows(&out, "t", row + 1, 1, 0);
	assert_null(strstr(buf_str(&out), "nan"));
	buf_clear(&out);
}

static void
test_grid(void **state)
{
	static const char *const labels[] = {"a", "b", "c"};
	static const char *const cells[] = {"1", "2", "3", "4", "5", "6"};
	static const uint64_t value[6] = {0, 1, 2, 3, 4, 5};
	struct chart_grid c = {.title = "t",
	    .rows = 2,
	    .columns = 3,
	    .value = value,
	    .row_label = labels,
	    .column_label = labels,
	    .cell = cells};
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	chart_grid(&out, &c);
	assert_int_equal(count(buf_str(&out), "<rect"), 6);
	assert_non_null(strstr(buf_str(&out), "fill-opacity=\"0.00\""));
	assert_non_null(strstr(buf_str(&out), "fill-opacity=\"0.90\""));
	buf_reset(&out);
	c.rows = 0;
	chart_grid(&out, &c);
	assert_int_equal(out.n, 0);
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_ceiling),
	    cmocka_unit_test(test_bars),
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_grid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
