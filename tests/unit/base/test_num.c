/* SPDX-License-Identifier: ISC */
#include "base/num.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

static void
test_parse(void **state)
{
	static const struct {
		const char *in;
		int64_t min, max;
		int want_errno; /* 0: a number */
		int64_t want;
	} cases[] = {
	    {"0", 0, 10, 0, 0},
	    {"10", 0, 10, 0, 10},
	    {"11", 0, 10, ERANGE, 0},
	    {"-1", 0, 10, ERANGE, 0},
	    {"-3", -3, 10, 0, -3},
	    {"-0", 0, 10, 0, 0},
	    {"007", 0, 10, 0, 7},
	    {"", 0, 10, EINVAL, 0},
	    {"-", -10, 10, EINVAL, 0},
	    {"--1", -10, 10, EINVAL, 0},
	    {"+1", 0, 10, EINVAL, 0},
	    {" 1", 0, 10, EINVAL, 0},
	    {"1 ", 0, 10, EINVAL, 0},
	    {"0x1", 0, 10, EINVAL, 0},
	    {"1e1", 0, 10, EINVAL, 0},
	    {"9223372036854775807", 0, INT64_MAX, 0, INT64_MAX},
	    {"9223372036854775808", 0, INT64_MAX, ERANGE, 0},
	    {"-9223372036854775808", INT64_MIN, 0, 0, INT64_MIN},
	    {"-9223372036854775809", INT64_MIN, 0, ERANGE, 0},
	    {"99999999999999999999999", 0, INT64_MAX, ERANGE, 0},
	    {"9999999999999999999999x", 0, INT64_MAX, EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t got = 4711;
		int rc;

		errno = 0;
		rc = num_parse(
		    span_str(cases[i].in), cases[i].min, cases[i].max, &got);
		if (rc != (cases[i].want_errno == 0 ? 0 : -1) ||
		    errno != cases[i].want_errno)
			fail_msg(
			    "\"%s\": %d, errno %d", cases[i].in, rc, errno);
		if (got != (rc == 0 ? cases[i].want : 4711))
			fail_msg(
			    "\"%s\": wrote %lld", cases[i].in, (long long)got);
	}
}

/* The span ends where it says, whatever follows in memory. */
static void
test_parse_stops_at_the_end(void **state)
{
	int64_t got;

	(void)state;
	assert_int_equal(num_parse(span_of("12345", 2), 0, 99, &got), 0);
	assert_int_equal(got, 12);
	assert_int_equal(num_parse(span_of("1\0002", 3), 0, 99, &got), -1);
	assert_int_equal(num_parse(span_of(NULL, 0), 0, 99, &got), -1);
}

static void
test_parse_seconds(void **state)
{
	static const struct {
		const char *in;
		char unit;
		int want_errno;
		int64_t want;
	} cases[] = {
	    {"6s", 'd', 0, 6},
	    {"6", 's', 0, 6},
	    {"6", 'm', 0, 360},
	    {"2h", 's', 0, 7200},
	    {"1d", 's', 0, 86400},
	    {"1w", 's', 0, 604800},
	    {"0", 'w', 0, 0},
	    {"", 's', EINVAL, 0},
	    {"s", 's', EINVAL, 0},
	    {"6S", 's', EINVAL, 0},
	    {"6x", 's', EINVAL, 0},
	    {"6ss", 's', EINVAL, 0},
	    {"6 s", 's', EINVAL, 0},
	    {"-6s", 's', EINVAL, 0},
	    {"1.5s", 's', EINVAL, 0},
	    {"9223372036854775807s", 's', 0, INT64_MAX},
	    {"9223372036854775807", 'm', ERANGE, 0},
	    {"15250284452471w", 's', 0, INT64_C(9223372036854460800)},
	    {"15250284452472w", 's', ERANGE, 0},
	    {"99999999999999999999s", 's', ERANGE, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t got = 4711;
		int rc;

		errno = 0;
		rc = num_parse_seconds(
		    span_str(cases[i].in), cases[i].unit, &got);
		if (rc != (cases[i].want_errno == 0 ? 0 : -1) ||
		    errno != cases[i].want_errno)
			fail_msg(
			    "\"%s\": %d, errno %d", cases[i].in, rc, errno);
		if (got != (rc == 0 ? cases[i].want : 4711))
			fail_msg(
			    "\"%s\": wrote %lld", cases[i].in, (long long)got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_parse_stops_at_the_end),
	    cmocka_unit_test(test_parse_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
