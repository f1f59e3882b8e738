/* SPDX-License-Identifier: ISC */
#include "base/histogram.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void
test_bounds(void **state)
{
	static const struct {
		const char *name;
		int64_t ms, bound;
	} cases[] = {
	    {"before the clock began", -5, 1},
	    {"nothing", 0, 1},
	    {"a bound is inside", 1, 1},
	    {"just behind it", 3, 5},
	    {"a greet wait", 6000, 10000},
	    {"the last bound", 200000, 200000},
	    {"beyond all bounds", 200001, INT64_MAX},
	    {"for ever", INT64_MAX, INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct histogram h = {0};

		histogram_note(&h, cases[i].ms);
		if (histogram_count(&h) != 1 ||
		    histogram_percentile(&h, 50) != cases[i].bound)
			fail_msg("%s: up to %lld", cases[i].name,
			    (long long)histogram_percentile(&h, 50));
	}
}

static void
test_bounds_grow(void **state)
{
	(void)state;
	for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++)
		assert_true(histogram_bound(i - 1) < histogram_bound(i));
	assert_true(histogram_bound(HISTOGRAM_BUCKETS - 1) == INT64_MAX);
}

static void
test_percentiles(void **state)
{
	struct histogram h = {0};

	(void)state;
	assert_int_equal(histogram_percentile(&h, 50), 0);
	for (int i = 0; i < 98; i++)
		histogram_note(&h, 8);
	histogram_note(&h, 70);
	histogram_note(&h, 900);
	assert_int_equal(histogram_count(&h), 100);
	assert_int_equal(h.sum_ms, 98 * 8 + 70 + 900);
	assert_int_equal(histogram_percentile(&h, 0), 10);
	assert_int_equal(histogram_percentile(&h, 98), 10);
	assert_int_equal(histogram_percentile(&h, 99), 100);
	assert_int_equal(histogram_percentile(&h, 100), 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_bounds_grow),
	    cmocka_unit_test(test_percentiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
