/* SPDX-License-Identifier: ISC */
#include "base/clock.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <time.h>

static void
test_mono_never_goes_back(void **state)
{
	const struct timespec pause = {0, 3000000};
	struct mono before = clock_mono(), after;

	(void)state;
	assert_true(before.ms > 0);
	nanosleep(&pause, NULL);
	after = clock_mono();
	assert_true(mono_between(before, after) >= 2);
	assert_true(mono_between(after, before) <= -2);
}

static void
test_wall_is_the_time_of_day(void **state)
{
	time_t before = time(NULL);
	struct wall now = clock_wall();

	(void)state;
	/* time() reads a coarser clock, up to a tick behind */
	assert_true(now.s >= before && now.s <= time(NULL) + 1);
}

static void
test_arithmetic(void **state)
{
	struct mono m = {1000};
	struct wall w = {1000};

	(void)state;
	assert_int_equal(mono_after(m, 250).ms, 1250);
	assert_int_equal(mono_between(m, mono_after(m, 250)), 250);
	assert_int_equal(wall_after(w, -1).s, 999);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mono_never_goes_back),
	    cmocka_unit_test(test_wall_is_the_time_of_day),
	    cmocka_unit_test(test_arithmetic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
