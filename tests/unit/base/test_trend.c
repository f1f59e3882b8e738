/* SPDX-License-Identifier: ISC */
#include "base/trend.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

enum { NOON = 1800000000 };

static struct wall
at(int64_t s)
{
	return (struct wall){NOON + s};
}

static struct trend_slot
slot_at(const struct trend *t, int64_t s)
{
	return trend_at(t, trend_number(at(s)));
}

static void
test_what_is_new_is_of_now(void **state)
{
	struct trend t = {0};
	struct counters c = {0};

	(void)state;
	counters_add(&c, COUNTER_HANDED_OFF, 3);
	counters_add(&c, COUNTER_RELAYED, 4);
	trend_update(&t, &c, at(0), 5);
	trend_update(&t, &c, at(1), 2);
	assert_int_equal(slot_at(&t, 0).count[TREND_LET_IN], 7);
	assert_int_equal(slot_at(&t, 0).held_max, 5);
	counters_add(&c, COUNTER_REFUSED, 1);
	counters_add(&c, COUNTER_HUNG_UP, 2);
	counters_add(&c, COUNTER_SHED, 3);
	trend_update(&t, &c, at(TREND_SLOT_S), 1);
	assert_int_equal(slot_at(&t, 0).count[TREND_REFUSED], 0);
	assert_int_equal(slot_at(&t, TREND_SLOT_S).count[TREND_REFUSED], 1);
	assert_int_equal(slot_at(&t, TREND_SLOT_S).count[TREND_HUNG_UP], 2);
	assert_int_equal(slot_at(&t, TREND_SLOT_S).count[TREND_SHED], 3);
	assert_int_equal(slot_at(&t, TREND_SLOT_S).count[TREND_LET_IN], 0);
	assert_int_equal(slot_at(&t, 2 * TREND_SLOT_S).held_max, 0);
}

/* A day later the place is another's, also when nobody has looked meanwhile. */
static void
test_a_day_later(void **state)
{
	const int64_t day = TREND_SLOT_S * TREND_SLOTS;
	struct trend t = {0};
	struct counters c = {0};

	(void)state;
	counters_add(&c, COUNTER_SHED, 9);
	trend_update(&t, &c, at(0), 9);
	assert_int_equal(slot_at(&t, day).count[TREND_SHED], 0);
	counters_add(&c, COUNTER_SHED, 1);
	trend_update(&t, &c, at(day), 1);
	assert_int_equal(slot_at(&t, day).count[TREND_SHED], 1);
	assert_int_equal(slot_at(&t, day).held_max, 1);
	assert_int_equal(slot_at(&t, 0).count[TREND_SHED], 0);
	/* The clock is set back. */
	counters_add(&c, COUNTER_SHED, 2);
	trend_update(&t, &c, at(0), 1);
	assert_int_equal(slot_at(&t, 0).count[TREND_SHED], 2);
}

static void
test_more_than_fits(void **state)
{
	struct trend t = {0};
	struct counters c = {0};

	(void)state;
	counters_add(&c, COUNTER_REFUSED, UINT64_C(1) << 40);
	trend_update(&t, &c, at(0), UINT64_C(1) << 40);
	assert_int_equal(slot_at(&t, 0).count[TREND_REFUSED], UINT32_MAX);
	assert_int_equal(slot_at(&t, 0).held_max, UINT32_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_new_is_of_now),
	    cmocka_unit_test(test_a_day_later),
	    cmocka_unit_test(test_more_than_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
