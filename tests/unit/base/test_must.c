/* SPDX-License-Identifier: ISC */
/* links: expect_panic */
#include "base/must.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "support/expect_panic.h"

static void
claim(void *arg)
{
	const int *n = arg;

	must(*n == 4);
}

static void
test_true_claim_costs_nothing(void **state)
{
	int n = 4;

	(void)state;
	claim(&n);
	assert_false(expect_panic("", claim, &n));
}

static void
test_broken_claim_is_told_and_fatal(void **state)
{
	int n = 5;

	(void)state;
	assert_true(expect_panic("*n == 4", claim, &n));
	assert_true(expect_panic("tests/unit/base/test_must.c:", claim, &n));
}

/* must() is an expression, and looks at its claim once. */
static void
test_claim_is_evaluated_once(void **state)
{
	int n = 0;

	(void)state;
	if (n == 0)
		must(++n == 1);
	else
		fail();
	assert_int_equal(n, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_true_claim_costs_nothing),
	    cmocka_unit_test(test_broken_claim_is_told_and_fatal),
	    cmocka_unit_test(test_claim_is_evaluated_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
