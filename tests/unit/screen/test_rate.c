/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "screen/rate.h"
#include "support/fake_mem.h"

enum { MINUTE = 60 * 1000, STEP = MINUTE / RATE_SLOTS };

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

static unsigned
count_of(struct rate *r, unsigned n, int64_t ms)
{
	struct record_key key = key_of(n);

	return rate_of(r, &key, at(ms));
}

static void
add(struct rate *r, unsigned n, int64_t ms)
{
	struct record_key key = key_of(n);

	rate_add(r, &key, at(ms));
}

/* An event of `then` is seen, or not, at `now`. */
static void
test_window(void **state)
{
	static const struct {
		const char *name;
		int64_t then, now;
		unsigned want;
	} cases[] = {
	    {"at once", 0, 0, 1},
	    {"in the same step", 0, STEP - 1, 1},
	    {"a step later", 0, STEP, 1},
	    {"in the last step", 0, MINUTE - 1, 1},
	    {"a window later", 0, MINUTE, 0},
	    {"end of a step, never late", STEP - 1, MINUTE, 0},
	    {"end of a step, up to a step early", STEP - 1, MINUTE - 1, 1},
	    {"far away", 12345678 * (int64_t)STEP + 7,
		12345678 * (int64_t)STEP + MINUTE - 1, 1},
	    {"far away, a window later", 12345678 * (int64_t)STEP + 7,
		12345678 * (int64_t)STEP + MINUTE, 0},
	    {"a day later", 0, 24 * 60 * (int64_t)MINUTE, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rate *r = rate_new(MINUTE, 4);

		add(r, 1, cases[i].then);
		if (count_of(r, 1, cases[i].now) != cases[i].want)
			fail_msg("%s: %u", cases[i].name,
			    count_of(r, 1, cases[i].now));
		rate_free(&r);
		assert_null(r);
	}
}

/* Against a list of all events, for a long walk with pauses of every length. */
static void
test_sliding(void **state)
{
	enum { EVENTS = 2000 };
	static int64_t when[EVENTS];
	struct rate *r = rate_new(MINUTE, 4);
	uint32_t random = 1;
	int64_t now = 0;

	(void)state;
	for (int i = 0; i < EVENTS; i++) {
		unsigned want = 0;

		random = random * 1664525u + 1013904223u;
		now += random >> 16 & (i % 50 == 0 ? 0x1ffff : 0x1fff);
		when[i] = now;
		add(r, 1, now);
		for (int j = 0; j <= i; j++)
			want += now / STEP - when[j] / STEP < RATE_SLOTS;
		assert_int_equal(count_of(r, 1, now), want);
	}
	assert_int_equal(count_of(r, 1, now + MINUTE), 0);
	assert_int_equal(rate_entries(r), 1);
	rate_free(&r);
}

static void
test_clients_are_apart(void **state)
{
	struct rate *r = rate_new(MINUTE, 4);
	struct addr one = {ADDR_IPV6, {0x20, 1, [15] = 1}};
	struct addr two = {ADDR_IPV6, {0x20, 1, [15] = 2}};
	struct record_key a = record_key_of(&one, 32, 64);
	struct record_key b = record_key_of(&two, 32, 64);

	(void)state;
	add(r, 1, 0);
	add(r, 1, 0);
	add(r, 2, 0);
	assert_int_equal(count_of(r, 1, 0), 2);
	assert_int_equal(count_of(r, 2, 0), 1);
	assert_int_equal(count_of(r, 3, 0), 0);
	rate_add(r, &a, at(0));
	rate_add(r, &b, at(0));
	assert_int_equal(rate_of(r, &a, at(0)), 2);
	rate_free(&r);
}

/* Who has not come for the longest time goes, not who came first. */
static void
test_oldest_is_evicted(void **state)
{
	struct rate *r = rate_new(MINUTE, 3);

	(void)state;
	add(r, 1, 0);
	add(r, 2, 1);
	add(r, 3, 2);
	add(r, 1, 3);
	add(r, 4, 4);
	assert_int_equal(rate_entries(r), 3);
	assert_int_equal(count_of(r, 1, 4), 2);
	assert_int_equal(count_of(r, 2, 4), 0);
	assert_int_equal(count_of(r, 3, 4), 1);
	assert_int_equal(count_of(r, 4, 4), 1);
	rate_free(&r);
}

static void
test_bounded(void **state)
{
	struct rate *r = rate_new(MINUTE, 100);

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		add(r, i, i / 1000);
		assert_true(rate_entries(r) <= 100);
	}
	assert_int_equal(count_of(r, 99999, 100), 1);
	assert_int_equal(count_of(r, 99900, 100), 1);
	assert_int_equal(count_of(r, 99899, 100), 0);
	rate_free(&r);
}

/* What has nothing to tell any more goes by itself, a few at a time. */
static void
test_old_ones_go(void **state)
{
	struct rate *r = rate_new(MINUTE, 1000);

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		add(r, i, 0);
	assert_int_equal(rate_entries(r), 100);
	for (unsigned i = 0; i < 50; i++) {
		add(r, 1000, MINUTE);
		assert_int_equal(rate_entries(r), 99 - 2 * i);
	}
	add(r, 1000, MINUTE);
	assert_int_equal(rate_entries(r), 1);
	assert_int_equal(count_of(r, 1000, MINUTE), 51);
	rate_free(&r);
}

static void
test_counts_stop_at_their_end(void **state)
{
	struct rate *r = rate_new(MINUTE, 1);

	(void)state;
	for (unsigned i = 0; i < RATE_COUNT_MAX + 10; i++)
		add(r, 1, 0);
	assert_int_equal(count_of(r, 1, 0), RATE_COUNT_MAX);
	add(r, 1, STEP);
	assert_int_equal(count_of(r, 1, STEP), RATE_COUNT_MAX + 1);
	rate_free(&r);
}

static void
test_without_memory(void **state)
{
	struct rate *r = NULL;

	(void)state;
	for (unsigned n = 0; n < 10; n++) {
		fake_mem_fail_after(n);
		r = rate_new(MINUTE, 2);
		fake_mem_heal();
		if (r != NULL)
			break;
		assert_int_equal(fake_mem_live(), 0);
	}
	assert_non_null(r);
	add(r, 1, 0);
	add(r, 2, 0);
	fake_mem_fail_after(0);
	add(r, 3, 0);
	fake_mem_heal();
	/* Nobody was forgotten for the sake of somebody who cannot be kept. */
	assert_int_equal(count_of(r, 1, 0), 1);
	assert_int_equal(count_of(r, 2, 0), 1);
	assert_int_equal(count_of(r, 3, 0), 0);
	rate_free(&r);
	assert_int_equal(fake_mem_live(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_window),
	    cmocka_unit_test(test_sliding),
	    cmocka_unit_test(test_clients_are_apart),
	    cmocka_unit_test(test_oldest_is_evicted),
	    cmocka_unit_test(test_bounded),
	    cmocka_unit_test(test_old_ones_go),
	    cmocka_unit_test(test_counts_stop_at_their_end),
	    cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
