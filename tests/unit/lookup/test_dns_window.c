/* SPDX-License-Identifier: ISC */
#include "lookup/dns_window.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static struct dns_window window;
static struct mono now;

static int
setup(void **state)
{
	(void)state;
	now = (struct mono){1000};
	dns_window_init(&window, now);
	return 0;
}

/* Sends until there is no room; returns how many. */
static uint32_t
fill(void)
{
	uint32_t n = 0;

	while (dns_window_has_room(&window, now)) {
		dns_window_sent(&window);
		n++;
	}
	return n;
}

static void
answer(uint32_t n, bool again)
{
	while (n-- > 0) {
		dns_window_aged(&window);
		dns_window_answered(&window, again);
	}
}

static void
test_room_is_for_the_young(void **state)
{
	(void)state;
	assert_int_equal(fill(), DNS_WINDOW_START);
	assert_int_equal(fill(), 0);
	dns_window_aged(&window);
	answer(2, false);
	assert_int_equal(fill(), 3);
}

/* One term each, in which all room is used `rounds` times. */
static const struct {
	const char *name;
	uint32_t rounds;
	uint32_t losses; /* in a term */
	uint32_t terms;
	uint32_t limit; /* in the end */
} lives[] = {
    {"once full", 1, 0, 1, 160},
    {"no more is wanted than there is room for", 0, 0, 5, 128},
    {"always full", 3, 0, 4, 312},
    {"always full, for ever", 1, 0, 40, DNS_WINDOW_MAX},
    {"a single loss", 3, 1, 2, 128},
    {"one in 16", 16, 128, 1, 128},
    {"more than one in 16", 16, 129, 1, 64},
    {"drowned", 1, 128, 9, DNS_WINDOW_MIN},
};

static void
live_a_term(uint32_t rounds, uint32_t losses)
{
	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t n = fill(), lost = losses < n ? losses : n;

		losses -= lost;
		answer(lost, true);
		answer(n - lost, false);
	}
	now = mono_after(now, DNS_WINDOW_TERM_MS);
	assert_true(dns_window_has_room(&window, now));
}

static void
test_lives(void **state)
{
	for (size_t i = 0; i < sizeof(lives) / sizeof(*lives); i++) {
		setup(state);
		for (uint32_t k = 0; k < lives[i].terms; k++)
			live_a_term(lives[i].rounds, lives[i].losses);
		if (window.limit != lives[i].limit)
			fail_msg("%s: %u", lives[i].name, window.limit);
	}
}

static void
test_a_term_is_judged_at_its_end(void **state)
{
	(void)state;
	answer(0, false);
	assert_int_equal(fill(), DNS_WINDOW_START);
	answer(DNS_WINDOW_START, true);
	now = mono_after(now, DNS_WINDOW_TERM_MS - 1);
	assert_int_equal(fill(), DNS_WINDOW_START);
	now = mono_after(now, 1);
	assert_false(dns_window_has_room(&window, now));
	assert_int_equal(window.limit, DNS_WINDOW_START / 2);
	/* what was said before does not count again */
	now = mono_after(now, DNS_WINDOW_TERM_MS);
	assert_false(dns_window_has_room(&window, now));
	assert_int_equal(window.limit, DNS_WINDOW_START / 2);
}

static void
test_silence_teaches_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		uint32_t n = fill();

		assert_int_equal(n, DNS_WINDOW_START);
		while (n-- > 0)
			dns_window_aged(&window);
		now = mono_after(now, DNS_WINDOW_TERM_MS);
	}
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_room_is_for_the_young),
	    TEST(test_lives),
	    TEST(test_a_term_is_judged_at_its_end),
	    TEST(test_silence_teaches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
