/* SPDX-License-Identifier: ISC */
/* links: fake_cache fake_clock fake_loop given_config heard_log */
#include "daemon/cache_care.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/fake_cache.h"
#include "support/fake_clock.h"
#include "support/fake_loop.h"
#include "support/given_config.h"
#include "support/heard_log.h"

/* A daemon that has what its cache needs, and no clients. */

#define MAP "lmdb:/test/pass"
enum { RETENTION_S = 3 * 3600, INTERVAL_MS = 3600 * 1000 };

static struct counters counters;
static struct policy policy;
static struct screen screen;
static struct doorbell d;
static struct fake_cache_hooks *asked;

static void
begin(const char *interval)
{
	const char *const words[] = {"doorbell_cache_map=" MAP,
	    "doorbell_cache_retention_time=3h", interval, NULL};
	struct errtext why;

	fake_clock_reset();
	memset(&counters, 0, sizeof(counters));
	policy = (struct policy){.config = given_config(words)};
	screen = (struct screen){.policy = &policy};
	d = (struct doorbell){.began_with = config_ref(policy.config),
	    .screen = &screen,
	    .counters = &counters,
	    .loop = loop_new(),
	    .rules = rules_new(),
	    .cache = cache_open(&(struct cache_options){.path = "fake"}, &why)};
	assert_non_null(d.loop);
	assert_non_null(d.rules);
	assert_non_null(d.cache);
	asked = fake_cache_hooks(d.cache);
	asked->revival_why = "";
	heard_log_begin();
}

static int
set_up(void **state)
{
	(void)state;
	begin("doorbell_cache_cleanup_interval=1h");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	heard_log_end();
	cache_close(&d.cache);
	rules_free(&d.rules);
	loop_free(&d.loop);
	config_unref(&d.began_with);
	config_unref(&policy.config);
	return 0;
}

static void
store_client(uint8_t last, int64_t until)
{
	const struct addr a = {.family = ADDR_IPV4, .bytes = {192, 0, 2, last}};
	const struct record_key key = record_key_of(&a, 32, 64);
	const struct record r = {{{until}}};

	assert_int_equal(cache_store(d.cache, &key, &r), 0);
}

static void
add_rule(const char *block)
{
	struct rule rule = {.allow = true, .uid = 7};

	assert_int_equal(
	    addr_block_parse(span_str(block), false, &rule.block), 0);
	assert_int_equal(rules_set(d.rules, &rule), 0);
}

/* --- sweeping --------------------------------------------------------------- */

static void
the_first_sweep_is_at_the_start(void **state)
{
	const int64_t now = FAKE_CLOCK_WALL_S;

	(void)state;
	store_client(1, now - RETENTION_S - 1);
	store_client(2, now - RETENTION_S);
	store_client(3, now);
	cache_care_start(&d);
	assert_int_equal(asked->sweeps, 1);
	assert_int_equal(asked->swept_before.s, now - RETENTION_S);
	assert_string_equal(heard_log(), "");
	cache_care_tick(&d);
	assert_string_equal(heard_log(),
	    "cache " MAP " full cleanup: retained=2 dropped=1 entries\n");
	assert_int_equal(fake_cache_count(d.cache), 2);
}

/* A reload may have named another one, which takes a restart. */
static void
the_name_is_that_of_the_open_one(void **state)
{
	const char *const words[] = {"doorbell_cache_map=lmdb:/test/new", NULL};

	(void)state;
	config_unref(&policy.config);
	policy.config = given_config(words);
	cache_care_start(&d);
	cache_care_tick(&d);
	assert_string_equal(heard_log(),
	    "cache " MAP " full cleanup: retained=0 dropped=0 entries\n");
}

static void
then_there_is_one_in_an_interval(void **state)
{
	(void)state;
	cache_care_start(&d);
	cache_care_tick(&d);
	fake_clock_advance(INTERVAL_MS - 1);
	cache_care_tick(&d);
	assert_int_equal(asked->sweeps, 1);
	fake_clock_advance(1);
	cache_care_tick(&d);
	assert_int_equal(asked->sweeps, 2);
	assert_int_equal(asked->swept_before.s,
	    FAKE_CLOCK_WALL_S + INTERVAL_MS / 1000 - RETENTION_S);
	fake_clock_advance(INTERVAL_MS - 1);
	cache_care_tick(&d);
	assert_int_equal(asked->sweeps, 2);
}

/* The clock of a machine that has just been started begins near zero. */
static void
the_first_sweep_needs_no_old_clock(void **state)
{
	(void)state;
	fake_clock_set_mono((struct mono){5});
	cache_care_start(&d);
	assert_int_equal(asked->sweeps, 1);
}

static void
without_an_interval_nothing_is_swept(void **state)
{
	(void)state;
	begin("doorbell_cache_cleanup_interval=0");
	cache_care_start(&d);
	for (int i = 0; i < 3; i++) {
		fake_clock_advance(100 * INTERVAL_MS);
		cache_care_tick(&d);
	}
	assert_int_equal(asked->sweeps, 0);
	assert_string_equal(heard_log(), "");
}

static void
one_on_its_way_out_leaves_the_file_alone(void **state)
{
	(void)state;
	d.draining = true;
	add_rule("192.0.2.0/24");
	rules_lose(d.rules);
	asked->can_revive = true;
	cache_care_start(&d);
	assert_int_equal(asked->sweeps, 0);
	for (int i = 0; i < 3; i++) {
		fake_clock_advance(2 * INTERVAL_MS);
		cache_care_tick(&d);
	}
	assert_int_equal(asked->sweeps, 0);
	assert_int_equal(asked->notes, 0);
	assert_string_equal(heard_log(), "");
	/* It only says what happens. */
	fake_cache_fail(d.cache, "a broken page");
	for (int i = 0; i < 3; i++) {
		fake_clock_advance(2 * INTERVAL_MS);
		cache_care_tick(&d);
	}
	assert_int_equal(asked->revivals, 0);
	assert_string_equal(heard_log(),
	    "warning: cache " MAP ": a broken page; going on without it\n");
}

/* --- news ------------------------------------------------------------------- */

static void
news_is_told(void **state)
{
	static const struct {
		const char *name;
		struct cache_news news;
		const char *line;
		unsigned lost;
	} cases[] = {
	    {"none", {.stored = 5}, "", 0},
	    {"a sweep goes on", {.sweeping = true, .retained = 5}, "", 0},
	    {"a sweep has ended",
		{.swept = true, .retained = 5, .dropped = UINT64_MAX},
		"cache " MAP " full cleanup: retained=5"
		" dropped=18446744073709551615 entries\n",
		0},
	    {"full", {.full = true, .lost = 3, .why = {"no space"}},
		"warning: cache " MAP " is full (no space): some clients will"
		" be tested again\n",
		3},
	    {"room again", {.room_again = true},
		"cache " MAP " has room again\n", 0},
	    {"failed", {.failed = true, .lost = 1, .why = {"bad\npage"}},
		"warning: cache " MAP ": bad?page; going on without it\n", 1},
	};
	uint64_t lost = 0;

	(void)state;
	cache_care_start(&d);
	cache_care_tick(&d);
	(void)heard_log();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *line;

		*fake_cache_news(d.cache) = cases[i].news;
		cache_care_tick(&d);
		line = heard_log();
		if (strcmp(line, cases[i].line) != 0)
			fail_msg("%s: %s", cases[i].name, line);
		lost += cases[i].lost;
		if (counters_read(&counters, COUNTER_CACHE_DROPS) != lost)
			fail_msg("%s: not counted", cases[i].name);
		cache_care_tick(&d);
		assert_string_equal(heard_log(), "");
	}
}

static void
at_the_end_a_sweep_is_told_in_part(void **state)
{
	(void)state;
	*fake_cache_news(d.cache) = (struct cache_news){
	    .sweeping = true, .retained = 12, .dropped = 30, .lost = 2};
	cache_care_finish(&d);
	assert_string_equal(heard_log(),
	    "cache " MAP " partial cleanup: retained=12 dropped=30 entries\n");
	assert_int_equal(counters_read(&counters, COUNTER_CACHE_DROPS), 2);
	cache_care_finish(&d);
	assert_string_equal(heard_log(), "");
}

/* A daemon that has not come as far as that. */
static void
half_built(void **state)
{
	struct cache *cache = d.cache;

	(void)state;
	fake_cache_news(cache)->failed = true;
	d.screen = NULL;
	cache_care_finish(&d);
	d.screen = &screen;
	screen.policy = NULL;
	cache_care_finish(&d);
	screen.policy = &policy;
	d.cache = NULL;
	cache_care_start(&d);
	cache_care_tick(&d);
	cache_care_finish(&d);
	d.cache = cache;
	assert_string_equal(heard_log(), "");
	assert_true(fake_cache_news(cache)->failed);
}

/* --- a cache that has failed --------------------------------------------------- */

/* Tick once a second, as housekeeping does, until the next try, which has to be
 * after so many seconds. */
static void
expect_try_after(unsigned seconds)
{
	const unsigned before = asked->revivals;

	for (unsigned i = 1; i <= seconds; i++) {
		fake_clock_advance(1000);
		cache_care_tick(&d);
		if (asked->revivals != before + (i == seconds))
			fail_msg("%u tries after %u of %u seconds",
			    asked->revivals - before, i, seconds);
	}
}

static void
break_cache(void)
{
	fake_cache_fail(d.cache, "a broken page");
	cache_care_tick(&d);
}

static void
it_is_tried_less_and_less_often(void **state)
{
	static const unsigned pauses_s[] = {
	    5, 10, 20, 40, 80, 160, 320, 600, 600};

	(void)state;
	break_cache();
	assert_int_equal(asked->revivals, 0);
	(void)heard_log();
	for (size_t i = 0; i < sizeof(pauses_s) / sizeof(*pauses_s); i++)
		expect_try_after(pauses_s[i]);
	assert_string_equal(heard_log(), ""); /* no success is no news */
}

static void
in_use_again(void **state)
{
	(void)state;
	add_rule("192.0.2.0/24");
	add_rule("2001:db8::/32");
	break_cache();
	(void)heard_log();
	asked->can_revive = true;
	expect_try_after(5);
	assert_string_equal(heard_log(), "cache " MAP " is in use again\n");
	/* A new file knows no rules. */
	assert_int_equal(asked->notes, 2);
	fake_clock_advance(1000);
	cache_care_tick(&d);
	assert_int_equal(asked->notes, 2);
	assert_int_equal(asked->revivals, 1);
}

static void
with_something_set_aside(void **state)
{
	(void)state;
	break_cache();
	(void)heard_log();
	asked->can_revive = true;
	asked->revival_why = "/test/pass: damaged, set aside";
	expect_try_after(5);
	assert_string_equal(heard_log(),
	    "warning: cache: /test/pass: damaged, set aside\n"
	    "cache " MAP " is in use again\n");
}

static void
rules_wait_for_room(void **state)
{
	struct rule rule;

	(void)state;
	add_rule("192.0.2.0/24");
	rules_lose(d.rules);
	asked->notes_refused = true;
	cache_care_tick(&d);
	assert_int_equal(asked->notes, 0);
	asked->notes_refused = false;
	cache_care_tick(&d);
	assert_int_equal(asked->notes, 1);
	assert_int_equal(
	    rules_decode(
		span_of((const char *)asked->note.key.bytes, asked->note.key.n),
		span_of((const char *)asked->note.bytes, asked->note.n), &rule),
	    0);
	assert_true(rule.allow);
	assert_int_equal(rule.uid, 7);
}

/* One that lives for a moment and stores nothing has not recovered. */
static void
the_pause_ends_with_a_stored_record(void **state)
{
	(void)state;
	asked->can_revive = true;
	break_cache();
	expect_try_after(5);
	break_cache();
	expect_try_after(10);
	store_client(1, FAKE_CLOCK_WALL_S);
	cache_care_tick(&d);
	break_cache();
	expect_try_after(5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_first_sweep_is_at_the_start),
	    TEST(the_name_is_that_of_the_open_one),
	    TEST(then_there_is_one_in_an_interval),
	    TEST(the_first_sweep_needs_no_old_clock),
	    cmocka_unit_test_teardown(
		without_an_interval_nothing_is_swept, tear_down),
	    TEST(one_on_its_way_out_leaves_the_file_alone),
	    TEST(news_is_told),
	    TEST(at_the_end_a_sweep_is_told_in_part),
	    TEST(half_built),
	    TEST(it_is_tried_less_and_less_often),
	    TEST(in_use_again),
	    TEST(with_something_set_aside),
	    TEST(rules_wait_for_room),
	    TEST(the_pause_ends_with_a_stored_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
