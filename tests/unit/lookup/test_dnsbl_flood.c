/* SPDX-License-Identifier: ISC */
/* links: fake_clock fake_loop fake_resolver fake_mem */
/* 65,536 questions wanted at once, and nobody answers. */
#include "lookup/dnsbl_flight.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "lookup/dnsbl.h"
#include "support/fake_clock.h"
#include "support/fake_loop.h"
#include "support/fake_mem.h"
#include "support/fake_resolver.h"

enum { ZONES = 16, CLIENTS = 4096, TIMEOUT_MS = 10000 };

struct client {
	struct dnsbl_ticket ticket;
	unsigned completed;
	bool missing;
};

static struct loop *loop;
static struct resolver *resolver;
static struct client client[CLIENTS];
static size_t asked, timed_out, unasked, rests;

static void
on_asked(const char *zone, void *arg)
{
	(void)zone;
	(void)arg;
	asked++;
}

static void
on_timed_out(const char *zone, int64_t waited_ms, void *arg)
{
	(void)zone;
	(void)arg;
	assert_true(waited_ms == TIMEOUT_MS);
	timed_out++;
}

static void
on_unasked(const char *zone, void *arg)
{
	(void)zone;
	(void)arg;
	unasked++;
}

static void
on_news(const char *zone, enum dnsbl_news news, const struct addr *about,
    const struct addr *as, void *arg)
{
	(void)zone;
	(void)about;
	(void)as;
	(void)arg;
	assert_int_equal(news, DNSBL_NEWS_RESTS);
	rests++;
}

static void
on_score(struct dnsbl_ticket *ticket, const struct dnsbl_score *score)
{
	struct client *c = OWNER_OF(ticket, struct client, ticket);

	c->completed += score->complete;
	c->missing = score->missing;
}

static struct dnsbl *
open_lists(void)
{
	char sites[ZONES * 16] = "";
	struct dnsbl_options o = {.timeout_ms = TIMEOUT_MS};
	struct errtext why;
	struct dnsbl *bl;

	for (int i = 0; i < ZONES; i++)
		snprintf(sites + strlen(sites), sizeof(sites) - strlen(sites),
		    "bl%d.test ", i);
	o.sites = span_str(sites);
	o.observer = (struct dnsbl_observer){
	    .asked = on_asked,
	    .timed_out = on_timed_out,
	    .unasked = on_unasked,
	    .news = on_news,
	};
	bl = dnsbl_new(loop, resolver, &o, &why);
	assert_non_null(bl);
	return bl;
}

static void
start(struct dnsbl *bl, int i)
{
	struct addr from = {.family = ADDR_IPV4,
	    .bytes = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
	bool joined;

	client[i].completed = 0;
	assert_int_equal(
	    dnsbl_start(bl, &from, &client[i].ticket, on_score, &joined), 0);
	assert_true(fake_resolver_pending() <= RESOLVER_FLIGHT_MAX);
}

static void
pass_ms(int64_t ms)
{
	fake_loop_advance_to(loop, mono_after(clock_mono(), ms));
}

/* Each session ends at its time to the millisecond, nothing is left out without
 * a word, and no list has more than its share of what is under way. */
static void
test_a_dead_resolver_holds_nobody_up(void **state)
{
	struct dnsbl *bl;
	long empty;

	(void)state;
	bl = open_lists();
	empty = fake_mem_live();
	for (int i = 0; i < CLIENTS; i++)
		start(bl, i);
	assert_int_equal(asked, RESOLVER_FLIGHT_MAX);
	/* the first come are served first, in all lists alike */
	for (int i = 0; i < ZONES; i++) {
		char name[64];

		snprintf(name, sizeof(name), "255.1.0.10.bl%d.test", i);
		assert_int_equal(fake_resolver_asked(name), 1);
		snprintf(name, sizeof(name), "0.2.0.10.bl%d.test", i);
		assert_int_equal(fake_resolver_asked(name), 0);
	}
	pass_ms(TIMEOUT_MS - 1);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(client[i].completed, 0);
	pass_ms(1);
	for (int i = 0; i < CLIENTS; i++)
		assert_true(client[i].completed == 1 && client[i].missing);
	assert_int_equal(timed_out, ZONES * CLIENTS);
	assert_int_equal(fake_resolver_pending(), 0);
	assert_int_equal(rests, ZONES);
	/* who comes now waits for nothing */
	start(bl, 0);
	assert_int_equal(unasked, ZONES);
	fake_loop_settle(loop);
	assert_true(client[0].completed == 1 && client[0].missing);
	assert_true(fake_mem_live() <= empty + 1); /* the loop's array */
	dnsbl_unref(&bl);
}

/* Answers that come slowly let all others in, one list like the other. */
static void
test_a_slow_resolver_serves_all(void **state)
{
	struct dnsbl *bl = open_lists();

	(void)state;
	fake_resolver_limit(64);
	for (int i = 0; i < 500; i++)
		start(bl, i);
	assert_int_equal(fake_resolver_pending(), 64);
	for (int i = 0; i < 500 * ZONES; i++)
		assert_true(fake_resolver_answer_first(RESOLVER_ABSENT));
	for (int i = 0; i < 500; i++)
		assert_true(client[i].completed == 1 && !client[i].missing);
	assert_int_equal(asked, 500 * ZONES);
	dnsbl_unref(&bl);
}

static int
setup(void **state)
{
	(void)state;
	fake_clock_reset();
	fake_resolver_reset();
	asked = timed_out = unasked = rests = 0;
	memset(client, 0, sizeof(client));
	loop = loop_new();
	resolver = resolver_new(loop, NULL, NULL);
	return loop == NULL || resolver == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(fake_loop_timers(loop), 0);
	resolver_free(&resolver);
	loop_free(&loop);
	return fake_mem_live() != 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_dead_resolver_holds_nobody_up),
	    TEST(test_a_slow_resolver_serves_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
