/* SPDX-License-Identifier: ISC */
/* links: fake_cache fake_clock fake_loop fake_mem fake_resolver given_config */
#include "daemon/annals.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/context.h"
#include "support/fake_cache.h"
#include "support/fake_clock.h"
#include "support/fake_loop.h"
#include "support/fake_mem.h"
#include "support/fake_resolver.h"
#include "support/given_config.h"

/* A daemon that keeps the totals of nobody but what the test counts. */

enum {
	HOUR_S = 3600,
	HOUR = FAKE_CLOCK_WALL_S / HOUR_S, /* it has 2800 s to go */
};

static struct counters counters;
static struct screen screen;
static struct doorbell d;
static struct fake_cache_hooks *asked;
static uint64_t *figure; /* that are counted now */

static struct policy *
policy_of(const char *lists, const char *reply_map)
{
	char sites[4096], map[256];
	const char *const words[] = {"mynetworks=127.0.0.0/8",
	    "compatibility_level=3.6", sites, map, NULL};
	struct policy_options o = {.loop = d.loop,
	    .screen = &screen,
	    .descriptor_limit = 1000,
	    .before = screen.policy};
	struct errtext why;
	struct policy *p;

	(void)snprintf(sites, sizeof(sites), "doorbell_dnsbl_sites=%s", lists);
	(void)snprintf(
	    map, sizeof(map), "doorbell_dnsbl_reply_map=%s", reply_map);
	o.config = given_config(words);
	p = policy_new(&o, &why);
	config_unref(&o.config);
	if (p == NULL)
		fail_msg("%s: %s", lists, why.text);
	return p;
}

static void
use_lists(const char *lists, const char *reply_map)
{
	struct policy *p = policy_of(lists, reply_map);

	policy_unref(&screen.policy);
	screen.policy = p;
}

static int
set_up(void **state)
{
	struct errtext why;

	(void)state;
	fake_clock_reset();
	memset(&screen, 0, sizeof(screen));
	screen.counters = &counters;
	memset(&d, 0, sizeof(d));
	d.screen = &screen;
	d.loop = screen.loop = loop_new();
	d.cache = cache_open(&(struct cache_options){.path = "fake"}, &why);
	asked = fake_cache_hooks(d.cache);
	use_lists("", "");
	assert_int_equal(annals_begin(&d), 0);
	assert_non_null(screen.totals);
	assert_ptr_equal(screen.totals, d.annals.totals);
	figure = screen.totals->figure;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	annals_end(&d);
	policy_unref(&screen.policy);
	cache_close(&d.cache);
	loop_free(&d.loop);
	return 0;
}

static void
tick_seconds(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		fake_clock_advance(1000);
		annals_tick(&d);
	}
}

/* What the cache holds for this hour. */
static const struct totals *
stored(int64_t want)
{
	static struct totals t;
	uint32_t hour;
	struct span bytes = fake_cache_total(d.cache, &hour);

	assert_int_equal(hour, want);
	assert_int_equal(totals_decode(bytes, &t), 0);
	return &t;
}

/* --- when ------------------------------------------------------------------- */

static void
once_a_minute(void **state)
{
	(void)state;
	assert_true(annals_is_empty(&d));
	figure[FIGURE_NEW] = 3;
	figure[FIGURE_HELD] = 9;
	assert_false(annals_is_empty(&d));
	tick_seconds(ANNALS_EVERY_S - 1);
	assert_int_equal(asked->totals, 0);
	tick_seconds(1);
	assert_int_equal(asked->totals, 1);
	assert_int_equal(stored(HOUR)->figure[FIGURE_NEW], 3);
	assert_true(annals_is_empty(&d));
	figure[FIGURE_NEW] = 2;
	figure[FIGURE_HELD] = 4;
	tick_seconds(ANNALS_EVERY_S - 1);
	assert_int_equal(asked->totals, 1);
	tick_seconds(1);
	assert_int_equal(asked->totals, 2);
	assert_int_equal(stored(HOUR)->figure[FIGURE_NEW], 5);
	assert_int_equal(stored(HOUR)->figure[FIGURE_HELD], 9); /* a peak */
}

static void
nothing_is_not_stored(void **state)
{
	(void)state;
	tick_seconds(3 * HOUR_S);
	assert_int_equal(asked->totals, 0);
}

/* What came in the last seconds of an hour is that hour's. */
static void
an_hour_ends(void **state)
{
	const unsigned left = HOUR_S - FAKE_CLOCK_WALL_S % HOUR_S;

	(void)state;
	tick_seconds(left - 10);
	figure[FIGURE_NEW] = 1;
	tick_seconds(9);
	assert_int_equal(asked->totals, 0);
	tick_seconds(1);
	assert_int_equal(stored(HOUR)->figure[FIGURE_NEW], 1);
	figure[FIGURE_NEW] = 1;
	tick_seconds(ANNALS_EVERY_S);
	assert_int_equal(stored(HOUR + 1)->figure[FIGURE_NEW], 1);
	assert_int_equal(asked->totals, 2);
}

/* Else nothing would be stored until the old time has come again. */
static void
the_clock_is_set_back(void **state)
{
	(void)state;
	tick_seconds(30);
	figure[FIGURE_NEW] = 1;
	fake_clock_set_wall((struct wall){FAKE_CLOCK_WALL_S - 1});
	annals_tick(&d);
	assert_int_equal(asked->totals, 1);
	figure[FIGURE_NEW] = 1;
	tick_seconds(ANNALS_EVERY_S - 1);
	assert_int_equal(asked->totals, 1);
	tick_seconds(1);
	assert_int_equal(asked->totals, 2);
	/* By a day: */
	figure[FIGURE_NEW] = 1;
	fake_clock_set_wall((struct wall){FAKE_CLOCK_WALL_S - 86400});
	annals_tick(&d);
	assert_int_equal(asked->totals, 3);
	assert_int_equal(stored(HOUR)->figure[FIGURE_NEW], 3);
}

static void
what_is_refused_waits(void **state)
{
	(void)state;
	asked->totals_refused = true;
	figure[FIGURE_NEW] = 1;
	tick_seconds(ANNALS_EVERY_S);
	assert_false(annals_is_empty(&d));
	figure[FIGURE_NEW] += 5;
	asked->totals_refused = false;
	tick_seconds(ANNALS_EVERY_S - 1);
	assert_int_equal(asked->totals, 0);
	tick_seconds(1);
	assert_int_equal(stored(HOUR)->figure[FIGURE_NEW], 6);
	assert_true(annals_is_empty(&d));
}

/* No memory for the bytes: the same. */
static void
what_cannot_be_written_waits(void **state)
{
	(void)state;
	figure[FIGURE_NEW] = 1;
	fake_mem_fail_after(0);
	tick_seconds(ANNALS_EVERY_S);
	fake_mem_heal();
	assert_int_equal(asked->totals, 0);
	tick_seconds(ANNALS_EVERY_S);
	assert_int_equal(stored(HOUR)->figure[FIGURE_NEW], 1);
}

/* --- what it sees itself ------------------------------------------------------- */

static void
stress_is_counted(void **state)
{
	const struct totals *t;

	(void)state;
	screen.journal.seen[EVENT_STRESS_ENTER] = 2;
	screen.stress = true;
	tick_seconds(10);
	screen.stress = false;
	tick_seconds(ANNALS_EVERY_S - 10);
	t = stored(HOUR);
	assert_int_equal(t->figure[FIGURE_STRESS_ENTERED], 2);
	assert_int_equal(t->figure[FIGURE_STRESS_S], 10);
	/* Not again what was seen before. */
	screen.journal.seen[EVENT_STRESS_ENTER] = 3;
	tick_seconds(ANNALS_EVERY_S);
	t = stored(HOUR);
	assert_int_equal(t->figure[FIGURE_STRESS_ENTERED], 3);
	assert_int_equal(t->figure[FIGURE_STRESS_S], 10);
}

static void
the_longest_queue_is_kept(void **state)
{
	(void)state;
	screen.handoffs.waiting = 1;
	tick_seconds(1);
	screen.handoffs.waiting = 100;
	screen.handoffs.in_flight = 20;
	screen.replays.active = 3;
	tick_seconds(1);
	memset(&screen.handoffs, 0, sizeof(screen.handoffs));
	tick_seconds(ANNALS_EVERY_S - 2);
	assert_int_equal(stored(HOUR)->figure[FIGURE_WAITING], 123);
}

/* --- DNS lists ------------------------------------------------------------------ */

static struct dnsbl_health *
list_number(size_t i)
{
	return dnsbl_zone_record(screen.policy->dnsbl, i);
}

/* A minute in which there was something to store. */
static const struct totals *
after_a_minute(void)
{
	figure[FIGURE_NEW]++;
	tick_seconds(ANNALS_EVERY_S);
	return stored(HOUR);
}

static const struct totals_list *
list_in(const struct totals *t, const char *name)
{
	for (size_t i = 0; i < t->lists; i++)
		if (strcmp(t->list[i].name, name) == 0)
			return &t->list[i];
	return NULL;
}

static void
lists_count_from_the_last_time(void **state)
{
	const struct totals_list *list;
	struct dnsbl_health *h;

	(void)state;
	use_lists("good.test*-2, bad.test*3, seen.test*0", "");
	h = list_number(1);
	h->queries = 100;
	h->failures = 5;
	h->timeouts = 4;
	h->error_codes = 3;
	h->unasked = 2;
	h->latency[0] = 60;
	h->latency[DNSBL_LATENCY_BUCKETS - 1] = 1;
	list = list_in(after_a_minute(), "bad.test");
	assert_non_null(list);
	assert_int_equal(list->use, TOTALS_USE_BLOCKS);
	assert_int_equal(list->queries, 100);
	h->queries += 10;
	h->timeouts += 1;
	h->latency[0] += 7;
	list = list_in(after_a_minute(), "bad.test");
	assert_int_equal(list->queries, 110); /* of both minutes */
	assert_int_equal(list->failures, 5);
	assert_int_equal(list->timeouts, 5);
	assert_int_equal(list->error_codes, 3);
	assert_int_equal(list->unasked, 2);
	assert_int_equal(list->latency[0], 67);
	assert_int_equal(list->latency[DNSBL_LATENCY_BUCKETS - 1], 1);
	list = list_in(after_a_minute(), "bad.test");
	assert_int_equal(list->queries, 110);
	assert_int_equal(
	    list_in(stored(HOUR), "good.test")->use, TOTALS_USE_ALLOWS);
	assert_int_equal(
	    list_in(stored(HOUR), "seen.test")->use, TOTALS_USE_WATCHED);
}

/* A list that stays in the configuration keeps its record, and so do we. One
 * that goes is let go, and begins anew when it comes back. */
static void
lists_come_and_go(void **state)
{
	struct dnsbl_health *kept, *gone;

	(void)state;
	use_lists("kept.test, gone.test", "");
	kept = list_number(0);
	kept->queries = 10;
	gone = dnsbl_health_ref(list_number(1));
	gone->queries = 20;
	(void)after_a_minute();
	use_lists("kept.test", "");
	assert_ptr_equal(list_number(0), kept);
	kept->queries += 1;
	assert_int_equal(list_in(after_a_minute(), "kept.test")->queries, 11);
	assert_int_equal(gone->refs, 1);
	dnsbl_health_unref(&gone);
	use_lists("gone.test, kept.test", "");
	list_number(0)->queries = 5;
	kept->queries += 1;
	assert_int_equal(list_in(after_a_minute(), "kept.test")->queries, 12);
	assert_int_equal(list_in(stored(HOUR), "gone.test")->queries, 25);
	kept = dnsbl_health_ref(kept);
	use_lists("", "");
	(void)after_a_minute();
	assert_int_equal(kept->refs, 1);
	assert_int_equal(d.annals.lists, 0);
	dnsbl_health_unref(&kept);
}

static void
more_lists_than_totals_have(void **state)
{
	char lists[4096] = "", name[32];
	size_t n = 0;
	const struct totals *t;

	(void)state;
	for (int i = 0; i <= TOTALS_LISTS_MAX; i++)
		n += (size_t)snprintf(
		    lists + n, sizeof(lists) - n, "l%d.test ", i);
	use_lists(lists, "");
	for (size_t i = 0; i <= TOTALS_LISTS_MAX; i++)
		list_number(i)->queries = i + 1;
	t = after_a_minute();
	assert_int_equal(t->lists, TOTALS_LISTS_MAX);
	for (size_t i = 0; i < TOTALS_LISTS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "l%zu.test", i);
		assert_int_equal(list_in(t, name)->queries, i + 1);
	}
	assert_null(list_in(t, "l32.test"));
	/* A place becomes free for the last one, which has all it counted. */
	use_lists(strchr(lists, ' ') + 1, "");
	list_number(0)->queries += 1;
	(void)after_a_minute();
	assert_int_equal(d.annals.lists, TOTALS_LISTS_MAX);
	t = stored(HOUR);
	assert_int_equal(list_in(t, "l1.test")->queries, 3);
}

/* dnsbl_reply_map: a secret in the name, or no name at all. */
static void
lists_have_their_public_names(void **state)
{
	const struct totals *t;

	(void)state;
	use_lists(
	    "key.a.test, key.b.test, c.test", "inline:{key.a.test=a.test}");
	list_number(0)->queries = 1;
	list_number(2)->queries = 3;
	t = after_a_minute();
	assert_null(list_in(t, "key.a.test"));
	assert_int_equal(list_in(t, "a.test")->queries, 1);
	assert_int_equal(list_in(t, "c.test")->queries, 3);
	assert_int_equal(t->lists, 3);
}

static void
the_rest_is_stored_at_the_end(void **state)
{
	(void)state;
	use_lists("bl.test", "");
	(void)after_a_minute();
	assert_int_equal(list_number(0)->refs, 2);
	figure[FIGURE_LISTED] = 4;
	annals_end(&d);
	assert_int_equal(stored(HOUR)->figure[FIGURE_LISTED], 4);
	assert_int_equal(list_number(0)->refs, 1);
	assert_null(screen.totals);
	annals_tick(&d);
	annals_end(&d);
	assert_int_equal(asked->totals, 2);
}

/* --- without ------------------------------------------------------------------- */

static void
without_a_cache_nothing_is_kept(void **state)
{
	struct doorbell other = {.screen = &screen};

	(void)state;
	screen.totals = NULL;
	assert_int_equal(annals_begin(&other), 0);
	assert_null(screen.totals);
	assert_true(annals_is_empty(&other));
	annals_tick(&other);
	annals_end(&other);
}

static void
without_memory_it_does_not_begin(void **state)
{
	struct doorbell other = {.screen = &screen, .cache = d.cache};

	(void)state;
	screen.totals = NULL;
	fake_mem_fail_after(0);
	assert_int_equal(annals_begin(&other), -1);
	assert_int_equal(errno, ENOMEM);
	fake_mem_heal();
	assert_null(screen.totals);
	annals_end(&other);
}

/* A daemon that ends before it has a policy, or a screen. */
static void
half_built(void **state)
{
	struct policy *policy = screen.policy;

	(void)state;
	figure[FIGURE_NEW] = 1;
	screen.policy = NULL;
	tick_seconds(ANNALS_EVERY_S);
	assert_false(annals_is_empty(&d));
	d.screen = NULL;
	annals_end(&d);
	assert_int_equal(asked->totals, 0);
	d.screen = &screen;
	screen.policy = policy;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(once_a_minute),
	    TEST(nothing_is_not_stored),
	    TEST(an_hour_ends),
	    TEST(the_clock_is_set_back),
	    TEST(what_is_refused_waits),
	    TEST(what_cannot_be_written_waits),
	    TEST(the_rest_is_stored_at_the_end),
	    TEST(stress_is_counted),
	    TEST(the_longest_queue_is_kept),
	    TEST(lists_count_from_the_last_time),
	    TEST(lists_come_and_go),
	    TEST(more_lists_than_totals_have),
	    TEST(lists_have_their_public_names),
	    TEST(without_a_cache_nothing_is_kept),
	    TEST(without_memory_it_does_not_begin),
	    TEST(half_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
