/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "lookup/dnsbl_health.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "support/fake_mem.h"

static struct dnsbl_health *health;

static int
setup(void **state)
{
	(void)state;
	return (health = dnsbl_health_new("bl.test")) == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	dnsbl_health_unref(&health);
	return fake_mem_live() != 0;
}

static struct mono
at(int64_t ms)
{
	return (struct mono){ms};
}

/* --- self-tests --------------------------------------------------------- */
/* A life of one list, told in letters.
 * c s e	canary, 127.0.0.1 and test entry: + listed, - not, . no answer
 * L N		a client is listed, is not
 * Each examination is followed by the news and the state it should bring. */
static const struct {
	const char *name;
	struct {
		const char *exam; /* "cse", or "L", "N"; NULL: the end */
		enum dnsbl_news news;
		enum dnsbl_state state;
	} step[8];
} lives[] = {
    {"as it should be", {{"--+", DNSBL_NEWS_NONE, DNSBL_USED},
			    {"--+", DNSBL_NEWS_NONE, DNSBL_USED}}},
    {"everybody, for a while", {{"+++", DNSBL_NEWS_WILD, DNSBL_OUT_WILD},
				   {"+++", DNSBL_NEWS_NONE, DNSBL_OUT_WILD},
				   {".-+", DNSBL_NEWS_NONE, DNSBL_OUT_WILD},
				   {"-.+", DNSBL_NEWS_NONE, DNSBL_OUT_WILD},
				   {"--+", DNSBL_NEWS_BACK, DNSBL_USED},
				   {"--+", DNSBL_NEWS_NONE, DNSBL_USED}}},
    {"everybody, and no test entry afterwards",
	{{"+-+", DNSBL_NEWS_WILD, DNSBL_OUT_WILD},
	    {"--.", DNSBL_NEWS_BACK, DNSBL_USED}}},
    {"this host", {{"-++", DNSBL_NEWS_SELF, DNSBL_OUT_SELF},
		      {"++.", DNSBL_NEWS_WILD, DNSBL_OUT_WILD},
		      {"-+.", DNSBL_NEWS_SELF, DNSBL_OUT_SELF},
		      {"---", DNSBL_NEWS_BACK, DNSBL_USED}}},
    {"never had the entry", {{"---", DNSBL_NEWS_NO_ENTRY, DNSBL_USED},
				{"---", DNSBL_NEWS_NONE, DNSBL_USED},
				{"---", DNSBL_NEWS_NONE, DNSBL_USED}}},
    {"lost the entry, but lists",
	{{"--+", DNSBL_NEWS_NONE, DNSBL_USED},
	    {"L", DNSBL_NEWS_NONE, DNSBL_USED},
	    {"---", DNSBL_NEWS_NO_ENTRY, DNSBL_USED},
	    {"N", DNSBL_NEWS_NONE, DNSBL_USED},
	    {"---", DNSBL_NEWS_MUTE, DNSBL_OUT_MUTE}}},
    {"lost everything, and found the entry",
	{{"--+", DNSBL_NEWS_NONE, DNSBL_USED},
	    {"--.", DNSBL_NEWS_NONE, DNSBL_USED},
	    {"---", DNSBL_NEWS_MUTE, DNSBL_OUT_MUTE},
	    {"---", DNSBL_NEWS_NONE, DNSBL_OUT_MUTE},
	    {"N", DNSBL_NEWS_NONE, DNSBL_OUT_MUTE},
	    {"--.", DNSBL_NEWS_NONE, DNSBL_OUT_MUTE},
	    {"--+", DNSBL_NEWS_BACK, DNSBL_USED}}},
    {"lost everything, and lists again",
	{{"--+", DNSBL_NEWS_NONE, DNSBL_USED},
	    {"---", DNSBL_NEWS_MUTE, DNSBL_OUT_MUTE},
	    {"L", DNSBL_NEWS_BACK, DNSBL_USED},
	    {"---", DNSBL_NEWS_NO_ENTRY, DNSBL_USED}}},
    {"no answers at all", {{"...", DNSBL_NEWS_NONE, DNSBL_USED},
			      {"..-", DNSBL_NEWS_NONE, DNSBL_USED}}},
};

static enum dnsbl_finding
finding(char c)
{
	if (c == '.')
		return DNSBL_UNKNOWN;
	return c == '+' ? DNSBL_PRESENT : DNSBL_ABSENT;
}

static enum dnsbl_news
live(const char *what, int64_t now)
{
	if (what[1] == '\0')
		return dnsbl_health_answered(
		    health, what[0] == 'L', 1, at(now));
	return dnsbl_health_examined(health,
	    &(struct dnsbl_exam){
		finding(what[0]), finding(what[1]), finding(what[2])},
	    at(now));
}

static void
test_lives(void **state)
{
	for (size_t i = 0; i < sizeof(lives) / sizeof(*lives); i++) {
		teardown(state);
		setup(state);
		for (int k = 0; lives[i].step[k].exam != NULL; k++) {
			enum dnsbl_news news =
			    live(lives[i].step[k].exam, 1000 * k);

			if (news != lives[i].step[k].news ||
			    health->state != lives[i].step[k].state)
				fail_msg("%s: step %d: news %d, state %d",
				    lives[i].name, k, news, health->state);
		}
	}
}

static void
test_a_missing_entry_is_told_once_a_day(void **state)
{
	(void)state;
	assert_int_equal(live("---", 5), DNSBL_NEWS_NO_ENTRY);
	assert_int_equal(live("---", 4 + DNSBL_NAG_ENTRY_MS), DNSBL_NEWS_NONE);
	assert_int_equal(
	    live("---", 5 + DNSBL_NAG_ENTRY_MS), DNSBL_NEWS_NO_ENTRY);
}

static void
test_out_is_not_asked(void **state)
{
	(void)state;
	live("+--", 0);
	assert_true(dnsbl_health_is_out(health));
	assert_int_equal(
	    dnsbl_health_permit(health, at(1000000000)), DNSBL_SKIP);
	assert_int_equal(health->unasked, 1);
	assert_string_equal(dnsbl_health_word(health), "out");
}

/* --- timeouts ----------------------------------------------------------- */
static void
time_out(int times, int64_t now)
{
	while (times-- > 0)
		assert_int_equal(dnsbl_health_timed_out(health, true, at(now)),
		    DNSBL_NEWS_NONE);
}

static void
test_timeouts_in_a_row_are_a_rest(void **state)
{
	const int64_t then = DNSBL_SILENCE_MS;

	(void)state;
	time_out(DNSBL_STREAK_MAX - 1, 0);
	/* one that the list has never seen */
	assert_int_equal(
	    dnsbl_health_timed_out(health, false, at(0)), DNSBL_NEWS_NONE);
	assert_int_equal(
	    dnsbl_health_answered(health, false, 1, at(0)), DNSBL_NEWS_NONE);
	time_out(DNSBL_STREAK_MAX - 1, 0);
	dnsbl_health_failed(health, at(0)); /* neither way */
	assert_int_equal(
	    dnsbl_health_timed_out(health, true, at(then)), DNSBL_NEWS_RESTS);
	assert_string_equal(dnsbl_health_word(health), "resting");
	time_out(3, then); /* those that were on the way */
	assert_int_equal(health->timeouts, 2 * DNSBL_STREAK_MAX + 3);
	assert_int_equal(
	    dnsbl_health_permit(health, at(then - 1 + DNSBL_REST_MS)),
	    DNSBL_SKIP);
	assert_int_equal(
	    dnsbl_health_permit(health, at(then + DNSBL_REST_MS)), DNSBL_TRY);
	assert_int_equal(
	    dnsbl_health_permit(health, at(then + DNSBL_REST_MS)), DNSBL_SKIP);
}

static void
test_losses_are_no_rest(void **state)
{
	(void)state;
	(void)dnsbl_health_answered(health, false, 1, at(0));
	time_out(1000, DNSBL_SILENCE_MS - 1);
	(void)dnsbl_health_answered(health, false, 1, at(DNSBL_SILENCE_MS));
	time_out(DNSBL_STREAK_MAX - 1, 3 * DNSBL_SILENCE_MS);
	assert_int_equal(health->state, DNSBL_USED);
	assert_int_equal(
	    dnsbl_health_timed_out(health, true, at(3 * DNSBL_SILENCE_MS)),
	    DNSBL_NEWS_RESTS);
}

/* What comes of a trial, and whether the next question may go. */
static const struct {
	const char *name;
	char what; /* T timeout, F failure, A answer, U nothing */
	enum dnsbl_permit at_once, later;
} trials[] = {
    {"timed out again", 'T', DNSBL_SKIP, DNSBL_TRY},
    {"server failure", 'F', DNSBL_SKIP, DNSBL_TRY},
    {"answered", 'A', DNSBL_ASK, DNSBL_ASK},
    {"the client went away", 'U', DNSBL_TRY, DNSBL_SKIP},
};

static void
test_trials(void **state)
{
	const int64_t then = 2 * DNSBL_REST_MS;

	for (size_t i = 0; i < sizeof(trials) / sizeof(*trials); i++) {
		teardown(state);
		setup(state);
		time_out(DNSBL_STREAK_MAX - 1, 0);
		(void)dnsbl_health_timed_out(health, true, at(0));
		assert_int_equal(
		    dnsbl_health_permit(health, at(then)), DNSBL_TRY);
		if (trials[i].what == 'T')
			time_out(1, then);
		else if (trials[i].what == 'F')
			dnsbl_health_failed(health, at(then));
		else if (trials[i].what == 'A')
			assert_int_equal(
			    dnsbl_health_answered(health, false, 1, at(then)),
			    DNSBL_NEWS_ANSWERS);
		else
			dnsbl_health_untried(health);
		if (dnsbl_health_permit(health, at(then)) !=
			trials[i].at_once ||
		    dnsbl_health_permit(health, at(then + DNSBL_REST_MS)) !=
			trials[i].later)
			fail_msg("%s", trials[i].name);
	}
}

static void
test_error_codes_are_told_once_an_hour(void **state)
{
	(void)state;
	assert_int_equal(
	    dnsbl_health_error_code(health, at(9)), DNSBL_NEWS_ERROR_CODE);
	assert_int_equal(
	    dnsbl_health_error_code(health, at(8 + DNSBL_NAG_CODE_MS)),
	    DNSBL_NEWS_NONE);
	assert_int_equal(
	    dnsbl_health_error_code(health, at(9 + DNSBL_NAG_CODE_MS)),
	    DNSBL_NEWS_ERROR_CODE);
	assert_int_equal(health->error_codes, 3);
}

/* --- figures ------------------------------------------------------------ */
static void
test_latency(void **state)
{
	(void)state;
	assert_int_equal(dnsbl_health_latency(health, 50), 0);
	for (int i = 0; i < 98; i++)
		(void)dnsbl_health_answered(health, false, 3, at(0));
	(void)dnsbl_health_answered(health, false, 150, at(0));
	(void)dnsbl_health_answered(health, true, 20000, at(0));
	assert_int_equal(dnsbl_health_latency(health, 50), 5);
	assert_int_equal(dnsbl_health_latency(health, 98), 5);
	assert_int_equal(dnsbl_health_latency(health, 99), 200);
	assert_true(dnsbl_health_latency(health, 100) == INT64_MAX);
	assert_int_equal(health->listed, 1);
	assert_string_equal(dnsbl_health_word(health), "used");
}

static void
test_references_and_memory(void **state)
{
	struct dnsbl_health *again = dnsbl_health_ref(health);

	(void)state;
	dnsbl_health_unref(&again);
	assert_null(again);
	assert_string_equal(health->zone, "bl.test");
	for (unsigned n = 0; n < 2; n++) {
		fake_mem_fail_after(n);
		assert_null(dnsbl_health_new("x.test"));
		fake_mem_heal();
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_lives),
	    TEST(test_a_missing_entry_is_told_once_a_day),
	    TEST(test_out_is_not_asked),
	    TEST(test_timeouts_in_a_row_are_a_rest),
	    TEST(test_losses_are_no_rest),
	    TEST(test_trials),
	    TEST(test_error_codes_are_told_once_an_hour),
	    TEST(test_latency),
	    TEST(test_references_and_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
