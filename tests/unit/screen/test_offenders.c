/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "screen/offenders.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support/fake_mem.h"

enum { HOUR = 3600 * 1000 };

static struct record_key
key_of(unsigned n)
{
	struct addr a = {
	    ADDR_IPV4, {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};

	return record_key_of(&a, 32, 64);
}

static struct mono
at(int64_t ms)
{
	return (struct mono){ms};
}

static void
note(struct offenders *o, unsigned n, int64_t ms)
{
	struct record_key key = key_of(n);

	offenders_note(o, &key, OFFENCE_HANGUP, at(ms));
}

static void
assert_worst(struct offenders *o, int64_t ms, unsigned n, double weight)
{
	struct record_key key = key_of(n);
	struct offender worst;

	assert_int_equal(offenders_worst(o, &worst, 1, at(ms)), 1);
	assert_memory_equal(worst.key.bytes, key.bytes, key.n);
	assert_float_equal(worst.weight, weight, 1e-9);
}

static void
test_the_worst_first(void **state)
{
	struct offenders *o = offenders_new(10, HOUR);
	struct record_key key = key_of(3);
	struct offender out[10];

	(void)state;
	assert_int_equal(offenders_worst(o, out, 10, at(0)), 0);
	for (unsigned n = 0; n < 8; n++)
		for (unsigned i = 0; i < 1 + n * 5 % 8; i++)
			note(o, n, 0);
	offenders_note(o, &key, OFFENCE_PREGREET, at(0));
	assert_int_equal(offenders_worst(o, out, 10, at(0)), 8);
	for (size_t i = 1; i < 8; i++)
		assert_true(out[i - 1].weight >= out[i].weight);
	assert_int_equal(offenders_worst(o, out, 1, at(0)), 1);
	assert_memory_equal(out[0].key.bytes, key.bytes, key.n);
	assert_int_equal(out[0].count[OFFENCE_HANGUP], 8);
	assert_int_equal(out[0].count[OFFENCE_PREGREET], 1);
	assert_int_equal(offenders_worst(o, out, 0, at(0)), 0);
	offenders_free(&o);
}

static void
test_weights_halve(void **state)
{
	struct offenders *o = offenders_new(10, HOUR);

	(void)state;
	/* A machine that has been up for years. */
	for (int i = 0; i < 4; i++)
		note(o, 1, INT64_C(90000) * HOUR);
	assert_worst(o, INT64_C(90000) * HOUR, 1, 4);
	assert_worst(o, INT64_C(90002) * HOUR, 1, 1);
	for (int i = 0; i < 2; i++)
		note(o, 2, INT64_C(90002) * HOUR);
	assert_worst(o, INT64_C(90002) * HOUR, 2, 2);
	offenders_free(&o);
}

/* The scale is brought down now and then; that shows nowhere. */
static void
test_months(void **state)
{
	struct offenders *o = offenders_new(10, HOUR);

	(void)state;
	for (int64_t hour = 1; hour < 3000; hour++)
		note(o, 1, hour * HOUR);
	assert_worst(o, INT64_C(2999) * HOUR, 1, 2);
	note(o, 2, INT64_C(9000) * HOUR);
	assert_worst(o, INT64_C(9000) * HOUR, 2, 1);
	offenders_free(&o);
}

/* A flood of prefixes that come once does not wash away one that comes again
 * and again. */
static void
test_flood_of_newcomers(void **state)
{
	struct offenders *o = offenders_new(16, HOUR);
	struct offender out[32];

	(void)state;
	for (unsigned n = 100; n < 5100; n++) {
		note(o, n, n);
		if (n % 10 == 0)
			note(o, 7, n);
	}
	assert_int_equal(offenders_worst(o, out, 32, at(5100)), 16);
	assert_int_equal(out[0].key.bytes[out[0].key.n - 1], 7);
	assert_true(out[0].weight - out[0].inherited <= 500);
	assert_true(out[0].weight >= 499);
	offenders_free(&o);
}

static void
test_forgiven(void **state)
{
	struct offenders *o = offenders_new(100, HOUR);
	struct offender out[100];

	(void)state;
	for (unsigned n = 0; n < 100; n++)
		for (unsigned i = 0; i <= n * 37 % 100; i++)
			note(o, n, 0);
	for (unsigned n = 0; n < 100; n++) {
		struct record_key key = key_of(n);

		offenders_forgive(o, &key);
		offenders_forgive(o, &key);
		assert_int_equal(offenders_worst(o, out, 100, at(0)), 99 - n);
		for (size_t i = 1; i < 99 - n; i++)
			assert_true(out[i - 1].weight >= out[i].weight);
	}
	note(o, 1, 0);
	assert_worst(o, 0, 1, 1);
	offenders_free(&o);
}

static void
test_no_memory(void **state)
{
	struct offenders *o = offenders_new(10, HOUR);
	struct offender out[1];

	(void)state;
	fake_mem_fail_after(0);
	note(o, 1, 0);
	fake_mem_heal();
	assert_int_equal(offenders_worst(o, out, 1, at(0)), 0);
	note(o, 1, 0);
	assert_worst(o, 0, 1, 1);
	offenders_free(&o);
	for (unsigned n = 0; n < 3; n++) {
		fake_mem_fail_after(n);
		o = offenders_new(10, HOUR);
		fake_mem_heal();
		offenders_free(&o);
	}
}

static void
test_words(void **state)
{
	(void)state;
	for (int i = 0; i < OFFENCE_COUNT; i++)
		assert_non_null(offenders_word((enum offence)i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_worst_first),
	    cmocka_unit_test(test_weights_halve),
	    cmocka_unit_test(test_months),
	    cmocka_unit_test(test_flood_of_newcomers),
	    cmocka_unit_test(test_forgiven),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
