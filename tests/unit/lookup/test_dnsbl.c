/* SPDX-License-Identifier: ISC */
/* links: fake_resolver fake_mem given_addr turn_loop */
#include "lookup/dnsbl.h"

#include <stdarg.h>
#include <setjmp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "support/fake_mem.h"
#include "support/fake_resolver.h"
#include "support/given_addr.h"
#include "support/turn_loop.h"

enum { NEVER_MS = 60000, SOON_MS = 300 };

/* One client of the test: what it was told, and what it does then. */
struct client {
	struct dnsbl_ticket ticket;
	unsigned calls, completed;
	struct dnsbl_score last;
	char zone[64];
	void (*then)(struct client *self);
	struct client *other;
	struct dnsbl **drop;
};

static struct loop *loop;
static struct resolver *resolver;
static char facts[4096];

/* --- the world ---------------------------------------------------------- */
static int
setup(void **state)
{
	(void)state;
	fake_resolver_reset();
	facts[0] = '\0';
	loop = loop_new();
	resolver = resolver_new(loop, NULL, NULL);
	return loop == NULL || resolver == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	resolver_free(&resolver);
	loop_free(&loop);
	assert_int_equal(fake_mem_live(), 0);
	return 0;
}

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
note(const char *format, ...)
{
	size_t used = strlen(facts);
	va_list ap;

	va_start(ap, format);
	vsnprintf(facts + used, sizeof(facts) - used, format, ap);
	va_end(ap);
}

static void
on_asked(const char *zone, void *arg)
{
	(void)arg;
	note("asked %s\n", zone);
}

static void
on_listed(const struct addr *client, const char *zone, const struct addr *as,
    void *arg)
{
	char who[ADDR_TEXT_MAX], what[ADDR_TEXT_MAX];

	(void)arg;
	note("%s listed %s %s\n", addr_format(client, who), zone,
	    addr_format(as, what));
}

static void
on_failed(
    const char *query_name, const char *zone, const char *reason, void *arg)
{
	(void)arg;
	note("failed %s %s: %s\n", query_name, zone, reason);
}

static void
on_timed_out(const char *zone, int64_t waited_ms, void *arg)
{
	(void)arg;
	(void)waited_ms;
	note("timed out %s\n", zone);
}

static void
on_error_code(const char *zone, void *arg)
{
	(void)arg;
	note("error code %s\n", zone);
}

static void
on_unasked(const char *zone, void *arg)
{
	(void)arg;
	note("unasked %s\n", zone);
}

static void
on_news(const char *zone, enum dnsbl_news news, const struct addr *about,
    const struct addr *as, void *arg)
{
	(void)about;
	(void)as;
	(void)arg;
	note("news %d %s\n", (int)news, zone);
}

static struct dnsbl *
open_lists(const char *sites, int64_t timeout_ms, bool observed)
{
	struct dnsbl_options o = {
	    .sites = span_str(sites), .timeout_ms = timeout_ms};
	struct errtext why = {""};
	struct dnsbl *bl;

	if (observed)
		o.observer = (struct dnsbl_observer){
		    .asked = on_asked,
		    .listed = on_listed,
		    .failed = on_failed,
		    .timed_out = on_timed_out,
		    .error_code = on_error_code,
		    .unasked = on_unasked,
		    .news = on_news,
		};
	if ((bl = dnsbl_new(loop, resolver, &o, &why)) == NULL)
		fail_msg("%s: %s", sites, why.text);
	return bl;
}

static void
on_score(struct dnsbl_ticket *ticket, const struct dnsbl_score *score)
{
	struct client *c = OWNER_OF(ticket, struct client, ticket);

	c->calls++;
	c->completed += score->complete;
	c->last = *score;
	snprintf(c->zone, sizeof(c->zone), "%s",
	    score->zone == NULL ? "" : score->zone);
	if (c->then != NULL)
		c->then(c);
}

/* Returns whether a running round was joined. */
static bool
start(struct dnsbl *bl, struct client *c, const char *from)
{
	struct addr a = given_addr(from);
	unsigned calls = c->calls;
	bool joined;

	assert_int_equal(dnsbl_start(bl, &a, &c->ticket, on_score, &joined), 0);
	assert_int_equal(c->calls, calls);
	return joined;
}

static void
expect_score(struct dnsbl_score s, int points, int low, int high)
{
	assert_int_equal(s.points, points);
	assert_int_equal(s.low, low);
	assert_int_equal(s.high, high);
}

/* --- scores ------------------------------------------------------------- */
static void
test_points_and_range_follow_the_answers(void **state)
{
	struct dnsbl *bl =
	    open_lists("a.test*2 b.test=127.0.0.3*5 w.test*-4", NEVER_MS, true);
	struct client c = {0};

	(void)state;
	assert_int_equal(dnsbl_zone_count(bl), 3);
	assert_false(start(bl, &c, "192.0.2.9"));
	assert_int_equal(fake_resolver_pending(), 3);
	assert_int_equal(fake_resolver_asked("9.2.0.192.b.test"), 1);
	expect_score(dnsbl_score_now(&c.ticket), 0, -4, 7);

	fake_resolver_found("9.2.0.192.a.test", "127.0.0.2", 300);
	assert_int_equal(c.calls, 1);
	expect_score(c.last, 2, -2, 7);
	assert_false(c.last.complete);
	assert_int_equal(c.last.ttl_s, 300);
	assert_string_equal(c.zone, "a.test");

	/* listed, but its filter does not match */
	fake_resolver_found("9.2.0.192.b.test", "127.0.0.4", 60);
	expect_score(c.last, 2, -2, 2);
	assert_int_equal(c.last.ttl_s, 60);
	assert_string_equal(c.zone, "a.test");

	fake_resolver_absent("9.2.0.192.w.test", 30);
	assert_int_equal(c.calls, 3);
	assert_int_equal(c.completed, 1);
	expect_score(c.last, 2, 2, 2);
	assert_false(c.last.missing);
	assert_int_equal(c.last.ttl_s, 30);
	assert_null(c.ticket.round);
	assert_string_equal(facts, "asked a.test\nasked b.test\nasked w.test\n"
				   "192.0.2.9 listed a.test 127.0.0.2\n"
				   "192.0.2.9 listed b.test 127.0.0.4\n");
	dnsbl_unref(&bl);
}

static void
test_several_records_count_once_for_each_rule(void **state)
{
	struct dnsbl *bl = open_lists(
	    "a.test=127.0.0.2*3 a.test=127.0.0.[2..9]*4", NEVER_MS, true);
	struct addr found[] = {given_addr("127.0.0.2"), given_addr("127.0.0.3"),
	    given_addr("127.0.0.200")};
	struct client c = {0};

	(void)state;
	start(bl, &c, "192.0.2.9");
	assert_int_equal(fake_resolver_total(), 1);
	fake_resolver_answer(
	    "9.2.0.192.a.test", RESOLVER_FOUND, found, 3, 5, true);
	expect_score(c.last, 7, 7, 7);
	assert_int_equal(c.completed, 1);
	assert_string_equal(facts, "asked a.test\n"
				   "192.0.2.9 listed a.test 127.0.0.2\n"
				   "192.0.2.9 listed a.test 127.0.0.3\n"
				   "192.0.2.9 listed a.test 127.0.0.200\n");
	dnsbl_unref(&bl);
}

static void
test_the_heaviest_rule_names_the_zone(void **state)
{
	struct dnsbl *bl = open_lists(
	    "a.test*2 b.test*3 c.test*3 d.test=1.1.1.1*9", NEVER_MS, false);
	struct client c = {0};

	(void)state;
	start(bl, &c, "192.0.2.9");
	fake_resolver_found("9.2.0.192.a.test", "127.0.0.2", 1);
	assert_string_equal(c.zone, "a.test");
	fake_resolver_found("9.2.0.192.c.test", "127.0.0.2", 1);
	assert_string_equal(c.zone, "c.test");
	fake_resolver_found("9.2.0.192.b.test", "127.0.0.2", 1);
	assert_string_equal(c.zone, "c.test"); /* the first of two equals */
	fake_resolver_found("9.2.0.192.d.test", "127.0.0.2", 1);
	assert_string_equal(c.zone, "c.test"); /* its filter did not match */
	expect_score(c.last, 8, 8, 8);
	dnsbl_unref(&bl);
}

static void
test_only_changes_are_told(void **state)
{
	struct dnsbl *bl = open_lists("a.test*0 b.test", NEVER_MS, false);
	struct client c = {0};

	(void)state;
	start(bl, &c, "192.0.2.9");
	fake_resolver_answer(
	    "9.2.0.192.a.test", RESOLVER_ABSENT, NULL, 0, 0, false);
	assert_int_equal(c.calls, 0);
	fake_resolver_answer(
	    "9.2.0.192.b.test", RESOLVER_ABSENT, NULL, 0, 0, false);
	assert_int_equal(c.calls, 1);
	assert_true(c.last.complete);
	assert_true(c.last.ttl_s == UINT32_MAX);
	assert_null(c.last.zone);
	dnsbl_unref(&bl);
}

static void
test_ipv6_clients(void **state)
{
	struct dnsbl *bl = open_lists("a.test", NEVER_MS, false);
	struct client c = {0};

	(void)state;
	start(bl, &c, "2001:db8::1");
	assert_string_equal(fake_resolver_name(0),
	    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "8.b.d.0.1.0.0.2.a.test");
	assert_true(fake_resolver_answer_first(RESOLVER_ABSENT));
	assert_int_equal(c.completed, 1);
	dnsbl_unref(&bl);
}

static void
test_no_zones_complete_on_a_later_tick(void **state)
{
	struct dnsbl *bl = open_lists("", NEVER_MS, false);
	struct client c = {0}, d = {0};

	(void)state;
	assert_false(start(bl, &c, "192.0.2.9"));
	assert_true(start(bl, &d, "192.0.2.9"));
	turn_loop(loop, 0);
	assert_int_equal(c.completed, 1);
	assert_int_equal(d.completed, 1);
	expect_score(c.last, 0, 0, 0);
	assert_true(c.last.ttl_s == UINT32_MAX);
	dnsbl_unref(&bl);
}

/* --- zones that do not answer ------------------------------------------- */
static void
test_failures_are_missing(void **state)
{
	struct dnsbl *bl = open_lists("a.test*2 b.test*-1", NEVER_MS, true);
	struct client c = {0};

	(void)state;
	start(bl, &c, "192.0.2.9");
	fake_resolver_fail("9.2.0.192.a.test", "server failure");
	assert_int_equal(c.calls, 1);
	assert_true(c.last.missing);
	expect_score(c.last, 0, -1, 0);
	fake_resolver_answer(
	    "9.2.0.192.b.test", RESOLVER_TIMED_OUT, NULL, 0, 0, false);
	assert_true(c.last.complete);
	assert_true(c.last.missing);
	assert_true(c.last.ttl_s == UINT32_MAX);
	assert_string_equal(facts,
	    "asked a.test\nasked b.test\n"
	    "failed 9.2.0.192.a.test a.test: server failure\n"
	    "timed out b.test\n");
	dnsbl_unref(&bl);
}

static void
test_the_deadline_belongs_to_the_round(void **state)
{
	struct dnsbl *bl = open_lists("a.test*2 b.test*3", SOON_MS, true);
	struct client c = {0}, late = {0};

	(void)state;
	start(bl, &c, "192.0.2.9");
	fake_resolver_found("9.2.0.192.b.test", "127.0.0.2", 90);
	turn_loop(loop, SOON_MS * 2 / 3);
	assert_int_equal(c.completed, 0);
	assert_true(start(bl, &late, "192.0.2.9"));
	turn_loop(loop, SOON_MS * 2 / 3);
	assert_int_equal(c.completed, 1);
	assert_int_equal(late.completed, 1);
	assert_true(c.last.missing);
	expect_score(c.last, 3, 3, 3);
	assert_int_equal(c.last.ttl_s, 90);
	assert_int_equal(fake_resolver_pending(), 0); /* abandoned */
	assert_non_null(strstr(facts, "timed out a.test\n"));
	assert_null(strstr(facts, "timed out b.test\n"));
	dnsbl_unref(&bl);
}

static void
test_a_query_that_cannot_be_sent_fails_later(void **state)
{
	struct dnsbl *bl = open_lists("a.test b.test", NEVER_MS, true);
	struct client c = {0};

	(void)state;
	fake_resolver_refuse("9.2.0.192.a.test", ENOMEM);
	start(bl, &c, "192.0.2.9");
	assert_int_equal(c.calls, 0);
	turn_loop(loop, 0);
	assert_int_equal(c.calls, 1);
	assert_true(c.last.missing);
	expect_score(c.last, 0, 0, 1);
	fake_resolver_found("9.2.0.192.b.test", "127.0.0.2", 1);
	assert_int_equal(c.completed, 1);
	assert_non_null(strstr(facts,
	    "failed 9.2.0.192.a.test a.test: query could not be sent\n"));
	dnsbl_unref(&bl);
}

/* --- answers that are none ---------------------------------------------- */
static void
test_error_codes_are_missing(void **state)
{
	struct dnsbl *bl = open_lists("a.test*2 b.test*3", NEVER_MS, true);
	struct addr found[] = {
	    given_addr("127.0.0.1"), given_addr("127.0.0.3")};
	struct client c = {0};

	(void)state;
	start(bl, &c, "192.0.2.9");
	fake_resolver_found("9.2.0.192.a.test", "127.255.255.254", 9);
	expect_score(c.last, 0, 0, 3);
	assert_true(c.last.missing);
	assert_true(c.last.ttl_s == UINT32_MAX);
	assert_null(c.last.zone);
	fake_resolver_answer(
	    "9.2.0.192.b.test", RESOLVER_FOUND, found, 2, 60, true);
	expect_score(c.last, 3, 3, 3);
	assert_int_equal(c.last.ttl_s, 60);
	assert_true(c.last.listed_by == 2);
	assert_string_equal(facts, "asked a.test\nasked b.test\n"
				   "error code a.test\nnews 1 a.test\n"
				   "error code b.test\nnews 1 b.test\n"
				   "192.0.2.9 listed b.test 127.0.0.3\n");
	assert_int_equal(dnsbl_zone_health(bl, 0)->error_codes, 1);
	assert_int_equal(dnsbl_zone_health(bl, 1)->listed, 1);
	/* a score that lacks an answer does not tell who was alone */
	assert_int_equal(dnsbl_zone_health(bl, 1)->only, 0);
	dnsbl_unref(&bl);
}

static void
test_who_listed_together_and_who_alone(void **state)
{
	struct dnsbl *bl =
	    open_lists("a.test b.test=127.0.0.9 c.test*0", NEVER_MS, false);
	struct client c = {0};

	(void)state;
	start(bl, &c, "192.0.2.1");
	fake_resolver_found("1.2.0.192.a.test", "127.0.0.2", 1);
	fake_resolver_found("1.2.0.192.b.test", "127.0.0.2", 1);
	fake_resolver_found("1.2.0.192.c.test", "127.0.0.2", 1);
	assert_true(c.last.listed_by == 5); /* the filter did not match */
	start(bl, &c, "192.0.2.2");
	fake_resolver_absent("2.2.0.192.a.test", 1);
	fake_resolver_absent("2.2.0.192.b.test", 1);
	fake_resolver_found("2.2.0.192.c.test", "127.0.0.2", 1);
	assert_true(c.last.listed_by == 4);
	assert_int_equal(dnsbl_zone_health(bl, 0)->only, 0);
	assert_int_equal(dnsbl_zone_health(bl, 2)->only, 1);
	assert_int_equal(dnsbl_zone_health(bl, 2)->listed, 2);
	assert_int_equal(dnsbl_zone_health(bl, 2)->queries, 2);
	dnsbl_unref(&bl);
}

/* --- lists that are watched --------------------------------------------- */
static void
test_watched_lists_leave_no_mark(void **state)
{
	struct dnsbl *bl =
	    open_lists("w.test*0 x.test*0 y.test*0 a.test", NEVER_MS, true);
	struct client c = {0};

	(void)state;
	start(bl, &c, "192.0.2.9");
	fake_resolver_fail("9.2.0.192.w.test", "server failure");
	fake_resolver_found("9.2.0.192.x.test", "127.255.255.254", 1);
	fake_resolver_found("9.2.0.192.y.test", "127.0.0.2", 1);
	fake_resolver_absent("9.2.0.192.a.test", 300);
	assert_int_equal(c.completed, 1);
	assert_false(c.last.missing);
	assert_int_equal(c.last.ttl_s, 300);
	assert_true(c.last.listed_by == 4);
	dnsbl_unref(&bl);
}

static void
test_watched_lists_are_asked_to_the_end(void **state)
{
	struct dnsbl *bl = open_lists("a.test w.test*0", SOON_MS, true);
	struct client c = {0}, d = {0};

	(void)state;
	start(bl, &c, "192.0.2.9");
	dnsbl_cancel(&c.ticket);
	assert_int_equal(fake_resolver_asked("9.2.0.192.a.test"), 0);
	assert_int_equal(fake_resolver_asked("9.2.0.192.w.test"), 1);
	assert_false(start(bl, &d, "192.0.2.9")); /* not that round */
	dnsbl_give_up(&d.ticket);
	assert_int_equal(fake_resolver_asked("9.2.0.192.w.test"), 2);
	fake_resolver_found("9.2.0.192.w.test", "127.0.0.2", 1);
	assert_int_equal(fake_resolver_pending(), 0);
	assert_int_equal(dnsbl_zone_health(bl, 1)->listed, 2);
	assert_int_equal(dnsbl_zone_health(bl, 1)->only, 0);

	start(bl, &c, "192.0.2.10");
	dnsbl_cancel(&c.ticket);
	turn_loop(loop, SOON_MS + 10);
	assert_int_equal(fake_resolver_pending(), 0);
	assert_non_null(strstr(facts, "timed out w.test\n"));

	start(bl, &c, "192.0.2.11");
	dnsbl_cancel(&c.ticket);
	dnsbl_unref(&bl); /* and with the last owner they go */
	assert_int_equal(fake_resolver_pending(), 0);
	/* nor does a round stay behind when it was the last one to know */
	bl = open_lists("w.test*0", NEVER_MS, false);
	start(bl, &c, "192.0.2.12");
	dnsbl_unref(&bl);
	dnsbl_cancel(&c.ticket);
	assert_int_equal(fake_resolver_pending(), 0);
}

static void
test_only_so_many_linger(void **state)
{
	enum { CLIENTS = 1024 + 5 };
	struct dnsbl *bl = open_lists("v.test*0 w.test*0", NEVER_MS, false);
	struct client c = {0};
	char from[64];

	(void)state;
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(from, sizeof(from), "10.0.%d.%d", i / 256, i % 256);
		start(bl, &c, from);
		dnsbl_cancel(&c.ticket);
	}
	assert_int_equal(fake_resolver_pending(), 2 * 1024);
	dnsbl_unref(&bl);
	assert_int_equal(fake_resolver_pending(), 0);
}

/* --- lists that are not asked ------------------------------------------- */
static void
let_time_out(struct dnsbl *bl, int clients)
{
	struct client c[8] = {0};
	char from[64];

	for (int i = 0; i < clients; i++) {
		snprintf(from, sizeof(from), "10.0.0.%d", i);
		start(bl, &c[i], from);
		fake_resolver_answer(fake_resolver_name(0), RESOLVER_TIMED_OUT,
		    NULL, 0, 0, false);
		assert_int_equal(c[i].completed, 1);
	}
}

static void
test_a_list_at_rest_is_missing(void **state)
{
	struct dnsbl *bl = open_lists("a.test", NEVER_MS, true), *old;
	struct dnsbl_options o = {
	    .sites = span_str("b.test*3 a.test*2"), .timeout_ms = NEVER_MS};
	struct client c = {0};
	struct errtext why;

	(void)state;
	let_time_out(bl, DNSBL_STREAK_MAX);
	assert_non_null(strstr(facts, "news 7 a.test\n"));
	start(bl, &c, "192.0.2.9");
	assert_int_equal(fake_resolver_pending(), 0);
	assert_int_equal(c.calls, 0);
	turn_loop(loop, 0);
	assert_int_equal(c.completed, 1);
	assert_true(c.last.missing);
	assert_non_null(strstr(facts, "unasked a.test\n"));

	/* a new configuration knows */
	old = bl;
	o.before = old;
	bl = dnsbl_new(loop, resolver, &o, &why);
	assert_ptr_equal(dnsbl_zone_health(bl, 1), dnsbl_zone_health(old, 0));
	assert_ptr_not_equal(
	    dnsbl_zone_health(bl, 0), dnsbl_zone_health(old, 0));
	dnsbl_unref(&old);
	start(bl, &c, "192.0.2.9");
	assert_int_equal(fake_resolver_pending(), 1);
	expect_score(dnsbl_score_now(&c.ticket), 0, 0, 3);
	dnsbl_cancel(&c.ticket);
	dnsbl_unref(&bl);
}

/* --- sharing ------------------------------------------------------------ */
static void
test_sessions_of_one_address_share_a_round(void **state)
{
	struct dnsbl *bl = open_lists("a.test b.test", NEVER_MS, false);
	struct client c[3] = {0}, stranger = {0};

	(void)state;
	assert_false(start(bl, &c[0], "192.0.2.9"));
	assert_true(start(bl, &c[1], "192.0.2.9"));
	assert_false(start(bl, &stranger, "192.0.2.10"));
	assert_int_equal(fake_resolver_total(), 4);
	fake_resolver_found("9.2.0.192.a.test", "127.0.0.2", 1);
	assert_true(start(bl, &c[2], "192.0.2.9"));
	expect_score(dnsbl_score_now(&c[2].ticket), 1, 1, 2);
	dnsbl_cancel(&c[1].ticket);
	dnsbl_cancel(&c[1].ticket);
	fake_resolver_found("9.2.0.192.b.test", "127.0.0.2", 1);
	assert_int_equal(c[0].calls, 2);
	assert_int_equal(c[1].calls, 1);
	assert_int_equal(c[2].calls, 1);
	assert_int_equal(c[0].completed + c[2].completed, 2);
	assert_int_equal(stranger.calls, 0);
	/* it is over: who comes now begins anew */
	assert_false(start(bl, &c[0], "192.0.2.9"));
	dnsbl_cancel(&c[0].ticket);
	dnsbl_cancel(&stranger.ticket);
	dnsbl_unref(&bl);
}

static void
test_a_round_without_tickets_is_abandoned(void **state)
{
	struct dnsbl *bl = open_lists("a.test b.test", NEVER_MS, true);
	struct client c = {0}, d = {0};

	(void)state;
	start(bl, &c, "192.0.2.9");
	start(bl, &d, "192.0.2.9");
	dnsbl_cancel(&c.ticket);
	assert_int_equal(fake_resolver_pending(), 2);
	dnsbl_cancel(&d.ticket);
	assert_int_equal(fake_resolver_pending(), 0);
	assert_string_equal(facts, "asked a.test\nasked b.test\n");
	expect_score(dnsbl_score_now(&c.ticket), 0, 0, 0);
	assert_false(dnsbl_score_now(&c.ticket).complete);
	dnsbl_unref(&bl);
}

static void
test_rounds_outlive_the_last_owner(void **state)
{
	struct dnsbl *bl = open_lists("a.test", NEVER_MS, false);
	struct dnsbl *again = dnsbl_ref(bl);
	struct client c = {0}, d = {0};

	(void)state;
	start(bl, &c, "192.0.2.9");
	start(bl, &d, "192.0.2.10");
	dnsbl_unref(&again);
	assert_null(again);
	dnsbl_unref(&bl);
	dnsbl_unref(&bl);
	fake_resolver_found("9.2.0.192.a.test", "127.0.0.2", 1);
	assert_int_equal(c.completed, 1);
	assert_string_equal(c.zone, "a.test");
	dnsbl_cancel(&d.ticket); /* frees the rest */
	assert_int_equal(fake_resolver_pending(), 0);
}

/* --- limits ------------------------------------------------------------- */
static void
test_a_zone_has_a_queue_of_its_own(void **state)
{
	enum { CLIENTS = DNSBL_ZONE_FLIGHT_MAX + 3 };
	struct dnsbl *bl = open_lists("slow.test b.test", NEVER_MS, false);
	struct client *c = mem_array(CLIENTS, sizeof(*c));
	char from[64];

	(void)state;
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(from, sizeof(from), "10.0.%d.%d", i / 256, i % 256);
		start(bl, &c[i], from);
		snprintf(
		    from, sizeof(from), "%d.%d.0.10.b.test", i % 256, i / 256);
		assert_int_equal(fake_resolver_absent(from, 1), 1);
	}
	assert_int_equal(fake_resolver_pending(), DNSBL_ZONE_FLIGHT_MAX);
	/* an answer, an abandoned round: each lets the next one in, in order */
	fake_resolver_absent("0.0.0.10.slow.test", 1);
	assert_int_equal(fake_resolver_pending(), DNSBL_ZONE_FLIGHT_MAX);
	assert_int_equal(fake_resolver_asked("0.4.0.10.slow.test"), 1);
	assert_int_equal(fake_resolver_asked("1.4.0.10.slow.test"), 0);
	dnsbl_cancel(&c[1].ticket);
	assert_int_equal(fake_resolver_asked("1.4.0.10.slow.test"), 1);
	assert_int_equal(fake_resolver_asked("2.4.0.10.slow.test"), 0);
	for (int i = 0; i < CLIENTS; i++)
		dnsbl_cancel(&c[i].ticket);
	assert_int_equal(fake_resolver_pending(), 0);
	dnsbl_unref(&bl);
	mem_free(c);
}

static void
test_a_full_resolver_serves_the_zones_in_turn(void **state)
{
	struct dnsbl *bl = open_lists("a.test b.test", NEVER_MS, true);
	struct client c[3] = {0};

	(void)state;
	fake_resolver_limit(1);
	start(bl, &c[0], "192.0.2.1");
	start(bl, &c[1], "192.0.2.2");
	start(bl, &c[2], "192.0.2.3");
	assert_int_equal(fake_resolver_pending(), 1);
	while (fake_resolver_answer_first(RESOLVER_ABSENT))
		;
	for (int i = 0; i < 3; i++)
		assert_int_equal(c[i].completed, 1);
	assert_string_equal(facts,
	    "asked a.test\nasked b.test\nasked a.test\n"
	    "asked b.test\nasked a.test\nasked b.test\n");
	dnsbl_unref(&bl);
}

static void
test_a_resolver_full_with_others_is_asked_again(void **state)
{
	struct dnsbl *mine = open_lists("a.test", NEVER_MS, false);
	struct dnsbl *others = open_lists("b.test", NEVER_MS, false);
	struct client c = {0}, d = {0};

	(void)state;
	fake_resolver_limit(1);
	start(others, &d, "192.0.2.1");
	start(mine, &c, "192.0.2.1");
	turn_loop(loop, 50);
	assert_int_equal(fake_resolver_asked("1.2.0.192.a.test"), 0);
	fake_resolver_absent("1.2.0.192.b.test", 1);
	turn_loop(loop, 50);
	assert_int_equal(fake_resolver_asked("1.2.0.192.a.test"), 1);
	fake_resolver_absent("1.2.0.192.a.test", 1);
	assert_int_equal(c.completed, 1);
	dnsbl_unref(&mine);
	dnsbl_unref(&others);
}

static void
test_what_was_never_asked_times_out_too(void **state)
{
	struct dnsbl *bl = open_lists("a.test b.test", SOON_MS, true);
	struct client c = {0};

	(void)state;
	fake_resolver_limit(1);
	start(bl, &c, "192.0.2.1");
	turn_loop(loop, SOON_MS + 10);
	assert_int_equal(c.completed, 1);
	assert_true(c.last.missing);
	assert_string_equal(
	    facts, "asked a.test\ntimed out a.test\ntimed out b.test\n");
	dnsbl_unref(&bl);
}

/* --- callbacks that do not keep still ----------------------------------- */
static void
cancel_self(struct client *c)
{
	dnsbl_cancel(&c->ticket);
}

static void
cancel_other(struct client *c)
{
	dnsbl_cancel(&c->other->ticket);
}

static void
cancel_both_and_drop(struct client *c)
{
	dnsbl_cancel(&c->other->ticket);
	dnsbl_cancel(&c->ticket);
	dnsbl_unref(c->drop);
}

static void
drop(struct client *c)
{
	dnsbl_unref(c->drop);
}

/* Four sessions in one round; the one at `actor` does `then` at the first of
 * two answers, mostly to the one at `victim`. How often is each called? */
static const struct {
	const char *name;
	void (*then)(struct client *);
	int actor, victim;
	unsigned calls[4];
} moves[] = {
    {"first cancels itself", cancel_self, 0, 0, {1, 2, 2, 2}},
    {"middle cancels itself", cancel_self, 1, 1, {2, 1, 2, 2}},
    {"last cancels itself", cancel_self, 3, 3, {2, 2, 2, 1}},
    {"first cancels next", cancel_other, 0, 1, {2, 0, 2, 2}},
    {"first cancels last", cancel_other, 0, 3, {2, 2, 2, 0}},
    {"last cancels first", cancel_other, 3, 0, {1, 2, 2, 2}},
    {"middle cancels previous", cancel_other, 2, 1, {2, 1, 2, 2}},
    {"middle cancels next", cancel_other, 2, 3, {2, 2, 2, 0}},
    {"both and the lists", cancel_both_and_drop, 1, 2, {2, 1, 0, 2}},
    {"the lists", drop, 1, 1, {2, 2, 2, 2}},
};

static void
test_callbacks_that_cancel(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(moves) / sizeof(*moves); i++) {
		struct dnsbl *bl = open_lists("a.test b.test", NEVER_MS, false);
		struct client *c[4];

		for (int k = 0; k < 4; k++) {
			c[k] = mem_new(sizeof(*c[k]));
			start(bl, c[k], "192.0.2.9");
		}
		c[moves[i].actor]->then = moves[i].then;
		c[moves[i].actor]->other = c[moves[i].victim];
		c[moves[i].actor]->drop = &bl;
		fake_resolver_found("9.2.0.192.a.test", "127.0.0.2", 1);
		fake_resolver_found("9.2.0.192.b.test", "127.0.0.2", 1);
		for (int k = 0; k < 4; k++) {
			if (c[k]->calls != moves[i].calls[k])
				fail_msg("%s: %d was called %u times",
				    moves[i].name, k, c[k]->calls);
			mem_free(c[k]);
		}
		dnsbl_unref(&bl);
	}
}

static void
test_callbacks_that_cancel_at_the_end(void **state)
{
	static const unsigned want[4] = {1, 1, 0, 0};
	struct dnsbl *bl = open_lists("a.test", NEVER_MS, false);
	struct client c[4] = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		start(bl, &c[i], "192.0.2.9");
	c[0].then = cancel_both_and_drop;
	c[0].other = &c[2];
	c[0].drop = &bl;
	c[1].then = cancel_other;
	c[1].other = &c[3];
	fake_resolver_found("9.2.0.192.a.test", "127.0.0.2", 1);
	for (int i = 0; i < 4; i++)
		assert_int_equal(c[i].calls, want[i]);
}

/* Everybody leaves at the first answer: the round is gone with its queries. */
static void
test_all_leave_at_once(void **state)
{
	struct dnsbl *bl = open_lists("a.test b.test", NEVER_MS, false);
	struct client c[3] = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		c[i].then = cancel_self;
		start(bl, &c[i], "192.0.2.9");
	}
	dnsbl_unref(&bl);
	fake_resolver_found("9.2.0.192.a.test", "127.0.0.2", 1);
	assert_int_equal(c[0].calls + c[1].calls + c[2].calls, 3);
	assert_int_equal(fake_resolver_pending(), 0);
}

static struct dnsbl *rejoin_bl;
static bool rejoin_joined;

static void
start_other(struct client *c)
{
	c->then = NULL;
	rejoin_joined = start(rejoin_bl, c->other, "192.0.2.9");
}

static void
test_who_joins_from_a_callback_is_told_next_time(void **state)
{
	struct client c = {0}, d = {0}, joiner = {0};

	(void)state;
	for (int last = 0; last < 2; last++) {
		struct client *actor = last ? &d : &c;

		rejoin_bl = open_lists("a.test b.test", NEVER_MS, false);
		c = d = joiner = (struct client){0};
		actor->then = start_other;
		actor->other = &joiner;
		start(rejoin_bl, &c, "192.0.2.9");
		start(rejoin_bl, &d, "192.0.2.9");
		fake_resolver_found("9.2.0.192.a.test", "127.0.0.2", 1);
		assert_true(rejoin_joined);
		assert_int_equal(c.calls, 1);
		assert_int_equal(d.calls, 1);
		assert_int_equal(joiner.calls, 0);
		fake_resolver_found("9.2.0.192.b.test", "127.0.0.2", 1);
		assert_int_equal(joiner.completed, 1);
		dnsbl_unref(&rejoin_bl);
	}
}

static void
test_a_ticket_may_start_again_when_complete(void **state)
{
	struct client c = {0};

	(void)state;
	rejoin_bl = open_lists("a.test", NEVER_MS, false);
	c.then = start_other;
	c.other = &c;
	start(rejoin_bl, &c, "192.0.2.9");
	fake_resolver_found("9.2.0.192.a.test", "127.0.0.2", 1);
	assert_false(rejoin_joined);
	assert_int_equal(c.completed, 1);
	assert_int_equal(fake_resolver_pending(), 1);
	fake_resolver_found("9.2.0.192.a.test", "127.0.0.2", 1);
	assert_int_equal(c.completed, 2);
	dnsbl_unref(&rejoin_bl);
}

/* A joiner that is cancelled before the pass is over. */
static void
join_and_leave(struct client *c)
{
	c->then = NULL;
	start(rejoin_bl, c->other->other, "192.0.2.9");
	dnsbl_cancel(&c->other->other->ticket);
	start(rejoin_bl, c->other, "192.0.2.9");
	dnsbl_cancel(&c->ticket);
}

static void
test_join_and_leave_from_a_callback(void **state)
{
	struct client c = {0}, d = {0}, joiner = {0}, visitor = {0};

	(void)state;
	rejoin_bl = open_lists("a.test b.test", NEVER_MS, false);
	c.then = join_and_leave;
	c.other = &joiner;
	joiner.other = &visitor;
	start(rejoin_bl, &c, "192.0.2.9");
	start(rejoin_bl, &d, "192.0.2.9");
	fake_resolver_found("9.2.0.192.a.test", "127.0.0.2", 1);
	assert_int_equal(c.calls, 1);
	assert_int_equal(d.calls, 1);
	assert_int_equal(joiner.calls, 0);
	fake_resolver_found("9.2.0.192.b.test", "127.0.0.2", 1);
	assert_int_equal(c.calls, 1);
	assert_int_equal(joiner.completed, 1);
	dnsbl_unref(&rejoin_bl);
}

/* Clients that start and cancel each other at random, from outside and from
 * inside callbacks, while the lists are replaced under them. The order is the
 * same in every run. */
enum { CROWD = 24, STEPS = 20000 };

static struct crowd {
	struct client client[CROWD];
	struct dnsbl *bl;
	unsigned seed, started, cancelled, completed;
} crowd;

static unsigned
chance(unsigned n)
{
	crowd.seed = crowd.seed * 1103515245 + 12345;
	return crowd.seed / 65536 % n;
}

static void
crowd_reopen(void)
{
	dnsbl_unref(&crowd.bl);
	crowd.bl = open_lists(
	    "a.test*2 b.test=127.0.0.2 c.test*-1 w.test*0", NEVER_MS, false);
}

static void
crowd_move(void)
{
	struct client *c = &crowd.client[chance(CROWD)];
	char from[ADDR_TEXT_MAX];

	if (chance(100) == 0)
		crowd_reopen();
	if (c->ticket.round != NULL) {
		dnsbl_cancel(&c->ticket);
		crowd.cancelled++;
		return;
	}
	snprintf(from, sizeof(from), "192.0.2.%u", chance(5));
	start(crowd.bl, c, from);
	crowd.started++;
}

static void
crowd_told(struct client *self)
{
	crowd.completed += self->last.complete;
	assert_true(self->last.points >= self->last.low &&
		    self->last.points <= self->last.high);
	assert_true(!self->last.complete || self->last.low == self->last.high);
	/* `self` may be cancelled and even told again by what follows */
	for (unsigned i = chance(4); i > 0; i--)
		crowd_move();
}

static void
crowd_answer(void)
{
	size_t n = fake_resolver_pending();
	const char *name;

	if (n == 0)
		return;
	name = fake_resolver_name(chance((unsigned)n));
	if (chance(2) == 0)
		fake_resolver_found(name, "127.0.0.2", chance(1000));
	else
		(void)fake_resolver_answer_first(RESOLVER_ABSENT + chance(3));
}

static void
test_a_restless_crowd(void **state)
{
	(void)state;
	crowd = (struct crowd){.seed = 1};
	fake_resolver_limit(9);
	crowd_reopen();
	for (int i = 0; i < CROWD; i++)
		crowd.client[i].then = crowd_told;
	for (int i = 0; i < STEPS; i++) {
		if (chance(2) == 0)
			crowd_move();
		else
			crowd_answer();
		if (i % 1000 == 0)
			turn_loop(loop, 0);
	}
	for (int i = 0; i < CROWD; i++) {
		crowd.cancelled += crowd.client[i].ticket.round != NULL;
		dnsbl_cancel(&crowd.client[i].ticket);
	}
	dnsbl_unref(&crowd.bl);
	assert_int_equal(fake_resolver_pending(), 0);
	assert_int_equal(crowd.started, crowd.cancelled + crowd.completed);
	assert_true(crowd.completed > STEPS / 100);
}

/* --- no memory ---------------------------------------------------------- */
static void
test_no_memory(void **state)
{
	struct dnsbl_options o = {
	    .sites = span_str("a.test"), .timeout_ms = NEVER_MS};
	struct addr from = given_addr("192.0.2.9");
	struct client c = {0};
	struct dnsbl *bl = NULL;
	struct errtext why;
	bool joined;

	(void)state;
	for (unsigned n = 0; bl == NULL; n++) {
		fake_mem_fail_after(n);
		why.text[0] = '\0';
		bl = dnsbl_new(loop, resolver, &o, &why);
		fake_mem_heal();
		assert_true(bl != NULL || why.text[0] != '\0');
	}
	fake_mem_fail_after(0);
	assert_int_equal(
	    dnsbl_start(bl, &from, &c.ticket, on_score, &joined), -1);
	assert_int_equal(errno, ENOMEM);
	fake_mem_heal();
	assert_null(c.ticket.round);
	dnsbl_unref(&bl);
}

static void
test_bad_sites(void **state)
{
	struct dnsbl_options o = {.sites = span_str("a.test=1")};
	struct errtext why = {""};

	(void)state;
	assert_null(dnsbl_new(loop, resolver, &o, &why));
	assert_string_equal(why.text, "bad DNSBL filter in \"a.test=1\"");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_points_and_range_follow_the_answers),
	    TEST(test_several_records_count_once_for_each_rule),
	    TEST(test_the_heaviest_rule_names_the_zone),
	    TEST(test_only_changes_are_told),
	    TEST(test_ipv6_clients),
	    TEST(test_no_zones_complete_on_a_later_tick),
	    TEST(test_failures_are_missing),
	    TEST(test_the_deadline_belongs_to_the_round),
	    TEST(test_a_query_that_cannot_be_sent_fails_later),
	    TEST(test_error_codes_are_missing),
	    TEST(test_who_listed_together_and_who_alone),
	    TEST(test_watched_lists_leave_no_mark),
	    TEST(test_watched_lists_are_asked_to_the_end),
	    TEST(test_only_so_many_linger),
	    TEST(test_a_list_at_rest_is_missing),
	    TEST(test_sessions_of_one_address_share_a_round),
	    TEST(test_a_round_without_tickets_is_abandoned),
	    TEST(test_rounds_outlive_the_last_owner),
	    TEST(test_a_zone_has_a_queue_of_its_own),
	    TEST(test_a_full_resolver_serves_the_zones_in_turn),
	    TEST(test_a_resolver_full_with_others_is_asked_again),
	    TEST(test_what_was_never_asked_times_out_too),
	    TEST(test_callbacks_that_cancel),
	    TEST(test_callbacks_that_cancel_at_the_end),
	    TEST(test_all_leave_at_once),
	    TEST(test_who_joins_from_a_callback_is_told_next_time),
	    TEST(test_a_ticket_may_start_again_when_complete),
	    TEST(test_join_and_leave_from_a_callback),
	    TEST(test_a_restless_crowd),
	    TEST(test_no_memory),
	    TEST(test_bad_sites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
