/* SPDX-License-Identifier: ISC */
/* links: given_addr */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "screen/quota.h"
#include "support/given_addr.h"

static struct record_key
key_of(const char *text)
{
	const struct addr a = given_addr(text);

	return record_key_of(&a, 32, 64);
}

static void
test_counts_by_prefix(void **state)
{
	struct quota *q = quota_new();
	struct record_key one = key_of("2001:db8::1");
	struct record_key same = key_of("2001:db8::2");
	struct record_key other = key_of("192.0.2.1");
	struct quota_client *a, *b, *c;

	(void)state;
	assert_non_null(q);
	a = quota_enter(q, &one);
	b = quota_enter(q, &same);
	c = quota_enter(q, &other);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_int_equal(a->sessions, 2);
	assert_int_equal(c->sessions, 1);
	assert_int_equal(quota_sessions(q), 3);
	a->passed_new = 1;
	quota_leave(q, a);
	assert_int_equal(b->sessions, 1);
	assert_int_equal(b->passed_new, 1);
	quota_leave(q, b);
	assert_int_equal(quota_sessions(q), 1);
	/* The last session took the entry with it: a new one begins. */
	a = quota_enter(q, &one);
	assert_int_equal(a->sessions, 1);
	assert_int_equal(a->passed_new, 0);
	quota_free(&q);
	assert_null(q);
}

static void
test_stress(void **state)
{
	static const struct {
		int64_t limit;
		unsigned on,
		    off; /* first number that is on; last that is off */
	} cases[] = {
	    {100, 90, 70},
	    {10, 9, 7},
	    {15, 13, 10}, /* 13.5 and 10.5, rounded down */
	    {2, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct quota *q = quota_new();
		struct record_key key = key_of("192.0.2.1");

		for (unsigned n = 1; n <= cases[i].on; n++) {
			assert_non_null(quota_enter(q, &key));
			assert_int_equal(quota_stress(q, false, cases[i].limit),
			    n >= cases[i].on);
			assert_int_equal(quota_stress(q, true, cases[i].limit),
			    n > cases[i].off);
		}
		quota_free(&q);
	}
}

static void
test_stress_of_a_huge_limit(void **state)
{
	struct quota *q = quota_new();

	(void)state;
	assert_false(quota_stress(q, false, INT64_MAX));
	assert_false(quota_stress(q, true, INT64_MAX));
	quota_free(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts_by_prefix),
	    cmocka_unit_test(test_stress),
	    cmocka_unit_test(test_stress_of_a_huge_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
