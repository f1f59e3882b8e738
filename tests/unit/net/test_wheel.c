/* SPDX-License-Identifier: ISC */
#include "net/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static struct wheel wheel;
static struct wheel_link due;

static int
setup(void **state)
{
	(void)state;
	wheel_init(&wheel, 1000);
	wheel_circle_init(&due);
	return 0;
}

/* Turn until something is due, as a loop does; returns when. */
static int64_t
run_to_next(void)
{
	int64_t at = 0;

	while (due.next == &due && (at = wheel_next(&wheel)) != WHEEL_NEVER)
		wheel_turn(&wheel, at, &due);
	return at;
}

static void
each_comes_at_its_moment(void **state)
{
	static const int64_t moments[] = {1000, 1001, 1023, 1024, 1063, 1064,
	    1087, 1088, 4095, 4096, 5119, 5120, 262143, 262144, 1 << 30,
	    INT64_C(1) << 41, (INT64_C(1) << 42) - 1};
	enum { COUNT = sizeof(moments) / sizeof(moments[0]) };
	struct wheel_entry e[COUNT];
	size_t i;

	(void)state;
	memset(e, 0, sizeof(e));
	for (i = COUNT; i-- > 0;)
		wheel_add(&wheel, &e[i], moments[i]);
	for (i = 0; i < COUNT; i++) {
		assert_true(wheel_has(&e[i]));
		assert_int_equal(run_to_next(), moments[i]);
		assert_ptr_equal(wheel_circle_take(&due), &e[i]);
		assert_false(wheel_has(&e[i]));
		assert_null(wheel_circle_take(&due));
	}
	assert_true(wheel_next(&wheel) == WHEEL_NEVER);
}

static void
past_and_far_moments_are_bent(void **state)
{
	struct wheel_entry past, far;

	(void)state;
	memset(&past, 0, sizeof(past));
	memset(&far, 0, sizeof(far));
	wheel_add(&wheel, &past, 7);
	wheel_add(&wheel, &far, INT64_MAX - 1);
	assert_int_equal(wheel_next(&wheel), 1000);
	assert_int_equal(run_to_next(), 1000);
	assert_ptr_equal(wheel_circle_take(&due), &past);
	assert_int_equal(run_to_next(), (INT64_C(1) << 42) - 1);
	assert_ptr_equal(wheel_circle_take(&due), &far);
}

static void
equal_moments_keep_their_order(void **state)
{
	struct wheel_entry e[5];

	(void)state;
	memset(e, 0, sizeof(e));
	for (size_t i = 0; i < 5; i++)
		wheel_add(&wheel, &e[i], 99999);
	wheel_turn(&wheel, 200000, &due);
	for (size_t i = 0; i < 5; i++)
		assert_ptr_equal(wheel_circle_take(&due), &e[i]);
}

static void
removed_ones_do_not_come(void **state)
{
	struct wheel_entry e[3];

	(void)state;
	memset(e, 0, sizeof(e));
	wheel_remove(&e[0]); /* is in none */
	wheel_add(&wheel, &e[0], 1010);
	wheel_add(&wheel, &e[1], 5000);
	wheel_add(&wheel, &e[2], 5000);
	wheel_remove(&e[0]);
	assert_true(wheel_next(&wheel) > 1010);
	wheel_turn(&wheel, 6000, &due);
	wheel_remove(&e[1]); /* due, and not told yet */
	assert_ptr_equal(wheel_circle_take(&due), &e[2]);
	assert_null(wheel_circle_take(&due));
	assert_true(wheel_next(&wheel) == WHEEL_NEVER);
	wheel_add(&wheel, &e[0], 6000); /* and again */
	assert_int_equal(wheel_next(&wheel), 6000);
}

/* A wheel that was not turned for long has all of it at once, in order. */
static void
a_late_turn_keeps_the_order(void **state)
{
	enum { COUNT = 5000 };
	struct wheel_entry *e = mem_array(COUNT, sizeof(*e)), *next;
	uint32_t random = 1;
	int64_t last = 0;
	size_t n = 0;

	(void)state;
	assert_non_null(e);
	for (size_t i = 0; i < COUNT; i++) {
		random = random * 1664525 + 1013904223;
		wheel_add(&wheel, &e[i], 1000 + (random >> 12));
	}
	wheel_turn(&wheel, INT64_C(1) << 30, &due);
	for (; (next = wheel_circle_take(&due)) != NULL; n++) {
		assert_true(next->due >= last);
		last = next->due;
	}
	assert_int_equal(n, COUNT);
	mem_free(e);
}

/* Against the obvious: turns of odd lengths, entries that come and go. */
static void
nothing_is_early_or_late(void **state)
{
	enum { COUNT = 300 };
	static struct wheel_entry e[COUNT];
	struct wheel_entry *next;
	uint32_t random = 7;
	int64_t now = 1000;

	(void)state;
	memset(e, 0, sizeof(e));
	for (int step = 0; step < 20000; step++) {
		random = random * 1664525 + 1013904223;
		next = &e[(random >> 8) % COUNT];
		wheel_remove(next);
		if (random >> 31)
			wheel_add(
			    &wheel, next, now + (random >> (random >> 4) % 24));
		now += (random >> 5) % 97;
		wheel_turn(&wheel, now, &due);
		while ((next = wheel_circle_take(&due)) != NULL)
			assert_true(next->due <= now);
		for (size_t i = 0; i < COUNT; i++)
			assert_true(!wheel_has(&e[i]) || e[i].due > now);
		assert_true(wheel_next(&wheel) > now);
	}
}

#define WHEEL_TEST(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    WHEEL_TEST(each_comes_at_its_moment),
	    WHEEL_TEST(past_and_far_moments_are_bent),
	    WHEEL_TEST(equal_moments_keep_their_order),
	    WHEEL_TEST(removed_ones_do_not_come),
	    WHEEL_TEST(a_late_turn_keeps_the_order),
	    WHEEL_TEST(nothing_is_early_or_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
