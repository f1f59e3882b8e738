/* SPDX-License-Identifier: ISC */
#include "ops/period.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

/* 2026-11-21 12:00 in Berlin */
#define NOW ((struct wall){1795258800})

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		bool is_end;
		int64_t want; /* -1: refused */
	} cases[] = {
	    {"2026-11-21", false, 1795215600},
	    {"2026-11-21", true, 1795302000},
	    {"today", false, 1795215600},
	    {"yesterday", false, 1795129200},
	    {"yesterday", true, 1795215600},
	    {"2026-03-29", false, 1774738800}, /* 23 hours long */
	    {"2026-03-29", true, 1774821600},
	    {"2026-10-25", false, 1792879200}, /* 25 hours long */
	    {"2026-10-25", true, 1792969200},
	    {"7d", false, 1795258800 - 7 * 86400},
	    {"12h", true, 1795258800 - 12 * 3600},
	    {"2026-04-31", false, -1},
	    {"2026-13-01", false, -1},
	    {"2026-1-1", false, -1},
	    {"2026-11-2x", false, -1},
	    {"tomorrow", false, -1},
	    {"7", false, -1},
	    {"7y", false, -1},
	    {"-7d", false, -1},
	    {"999999d", false, -1},
	    {"", false, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wall at = {-1};
		struct errtext why = {""};
		int rc = period_parse(
		    span_str(cases[i].text), NOW, cases[i].is_end, &at, &why);

		if (rc != (cases[i].want < 0 ? -1 : 0) ||
		    (rc == 0 && at.s != cases[i].want))
			print_error("%s: %d %lld\n", cases[i].text, rc,
			    (long long)at.s);
		assert_int_equal(rc, cases[i].want < 0 ? -1 : 0);
		if (rc == 0)
			assert_int_equal(at.s, cases[i].want);
		else
			assert_true(why.text[0] != '\0');
	}
}

static void
test_days(void **state)
{
	struct wall day = {1792879200}; /* 25 October */

	(void)state;
	assert_int_equal(period_day(day, 1).s - day.s, 25 * 3600);
	assert_int_equal(period_day((struct wall){day.s + 24 * 3600}, 0).s,
	    day.s); /* 23:00 of the same day */
	assert_int_equal(period_hour((struct wall){day.s + 2 * 3600}), 2);
	assert_int_equal(period_hour((struct wall){day.s + 3 * 3600}), 2);
}

static void
test_words(void **state)
{
	char out[PERIOD_TEXT_MAX];

	(void)state;
	assert_string_equal(period_date(NOW, out), "2026-11-21");
	assert_string_equal(period_short(NOW, out), "Sat 21 Nov");
	assert_string_equal(period_time(NOW, out), "12:00");
	assert_string_equal(period_zone(NOW, out), "CET");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_days),
	    cmocka_unit_test(test_words),
	};

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
