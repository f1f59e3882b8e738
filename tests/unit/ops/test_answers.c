/* SPDX-License-Identifier: ISC */
/* clang-format off */
/* links: control_room stage heard_log fake_local fake_clock fake_loop fake_stream fake_fdpass fake_resolver fake_cache fake_mem given_addr */
/* clang-format on */
#include "ops/answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "screen/session.h"
#include "support/control_room.h"
#include "support/fake_cache.h"
#include "support/fake_clock.h"
#include "support/fake_resolver.h"
#include "support/fake_stream.h"
#include "support/heard_log.h"

/* 192.0.2.1 may pass, 192.0.2.2 is refused in the dialogue, others are tested. */
static const char *const settings[] = {
    "doorbell_access_list=cidr:{{192.0.2.1 permit} {192.0.2.2 reject}}",
    "doorbell_denylist_action=enforce", "doorbell_greet_action=enforce",
    "doorbell_greet_wait=6s", "doorbell_session_limit=500",
    "doorbell_client_connection_count_limit=0",
    "doorbell_dnsbl_sites=s3cret.test*2, plain.test",
    "doorbell_dnsbl_reply_map=inline:{s3cret.test=public.test}",
    "doorbell_dnsbl_action=enforce", NULL};

static struct control_room room;

static int
set_up(void **state)
{
	(void)state;
	control_room_open(&room, settings);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	control_room_close(&room);
	log_set_verbose(0);
	return 0;
}

static int64_t
number_in(const struct json_value *v, const char *object, const char *key)
{
	return json_value_number(json_value_get(v, object), key);
}

/* --- status ------------------------------------------------------------------ */

static void
test_status(void **state)
{
	const struct json_value *v;

	(void)state;
	room.host.config = "/etc/a \"b\"";
	room.host.log_level = 2;
	control_room_arrive(&room, "192.0.2.1");
	control_room_arrive(&room, "192.0.2.1");
	control_room_arrive(&room, "192.0.2.2");
	control_room_arrive(&room, "2001:db8::1");
	fake_clock_advance(1500);
	room.screen->stress = true;
	v = control_room_ask(&room, "status");
	assert_int_equal(room.status, CONTROL_DONE);
	assert_string_equal(json_value_text(v, "version"), DOORBELL_VERSION);
	assert_int_equal(json_value_number(v, "pid"), getpid());
	assert_string_equal(json_value_text(v, "mode"), "standalone");
	assert_string_equal(json_value_text(v, "config"), "/etc/a \"b\"");
	assert_int_equal(json_value_number(v, "since"), FAKE_CLOCK_WALL_S);
	assert_int_equal(json_value_number(v, "uptime_ms"), 1500);
	assert_int_equal(json_value_number(v, "sessions"), 4);
	assert_int_equal(json_value_number(v, "session_limit"), 500);
	assert_int_equal(json_value_number(v, "log_level"), 2);
	assert_true(json_value_is_true(v, "stress"));
	assert_int_equal(number_in(v, "phases", "proxy"), 0);
	assert_int_equal(number_in(v, "phases", "hand-off"), 2);
	assert_int_equal(number_in(v, "phases", "dialogue"), 0);
	assert_int_equal(number_in(v, "phases", "greet"), 2);
	assert_int_equal(number_in(v, "phases", "relay"), 0);
	assert_null(json_value_get(json_value_get(v, "phases"), "done"));
	assert_int_equal(number_in(v, "handoffs", "waiting"), 0);
	assert_int_equal(number_in(v, "handoffs", "in_flight"), 2);
	v = json_value_get(v, "counters");
	assert_int_equal(json_value_count(v), COUNTER_COUNT);
	assert_int_equal(json_value_number(v, "connections_total"), 4);
}

static void
test_status_of_the_cache(void **state)
{
	const struct json_value *v;

	(void)state;
	v = json_value_get(control_room_ask(&room, "status"), "cache");
	assert_true(json_value_is_true(v, "usable"));
	fake_cache_fail(room.stage.cache, "on fire");
	v = json_value_get(control_room_ask(&room, "status"), "cache");
	assert_false(json_value_is_true(v, "usable"));
	/* There may be none. */
	room.screen->cache = NULL;
	v = json_value_get(control_room_ask(&room, "status"), "cache");
	assert_int_equal(json_value_get(v, "usable")->kind, JSON_FALSE);
	assert_int_equal(json_value_get(v, "waiting")->kind, JSON_NUMBER);
	assert_int_equal(json_value_number(v, "waiting"), 0);
}

static void
test_version(void **state)
{
	const struct json_value *v;

	(void)state;
	v = control_room_ask(&room, "version");
	assert_int_equal(room.status, CONTROL_DONE);
	assert_string_equal(json_value_text(v, "version"), DOORBELL_VERSION);
	assert_int_equal(json_value_number(v, "pid"), getpid());
	assert_int_equal(json_value_count(v), 2);
}

/* --- top --------------------------------------------------------------------- */

/* This many sessions of one client, the first `bad` of which talk early. */
static void
crowd(const char *address, int n, int bad)
{
	for (int i = 0; i < n; i++) {
		int fd = control_room_arrive(&room, address);

		if (i < bad)
			fake_stream_say(fd, "EHLO x\r\n", 8);
	}
	control_room_settle(&room);
}

static const struct json_value *
worst_of(const struct json_value *v, size_t i)
{
	v = json_value_get(v, "worst");
	assert_non_null(v);
	for (v = v->first; v != NULL && i > 0; i--)
		v = v->next;
	return v;
}

static void
expect_worst(
    const struct json_value *v, const char *block, int64_t n, int64_t failed)
{
	assert_non_null(v);
	assert_string_equal(json_value_text(v, "block"), block);
	assert_int_equal(json_value_number(v, "sessions"), n);
	assert_int_equal(json_value_number(v, "failed"), failed);
}

static void
test_top(void **state)
{
	const struct json_value *v;

	(void)state;
	v = control_room_ask(&room, "top");
	assert_int_equal(json_value_count(json_value_get(v, "worst")), 0);
	crowd("198.51.100.1", 2, 1);
	crowd("198.51.100.2", 5, 0);
	crowd("198.51.100.3", 1, 0);
	/* One client: they are in one prefix. */
	crowd("2001:db8::1", 2, 2);
	crowd("2001:db8::ffff", 1, 1);
	v = control_room_ask(&room, "top");
	assert_int_equal(json_value_number(v, "sessions"), 11);
	expect_worst(worst_of(v, 0), "198.51.100.2/32", 5, 0);
	expect_worst(worst_of(v, 1), "2001:db8::/64", 3, 3);
	expect_worst(worst_of(v, 2), "198.51.100.1/32", 2, 1);
	expect_worst(worst_of(v, 3), "198.51.100.3/32", 1, 0);
	assert_null(worst_of(v, 4));
}

/* Ten are shown; who comes late and is worse takes a place, in either order. */
static void
test_top_of_many(void **state)
{
	static const int sessions[] = {
	    3, 1, 7, 2, 9, 4, 1, 8, 6, 5, 2, 11, 10, 1};
	const struct json_value *v;
	char address[32];
	unsigned places = 0;
	int64_t before = 100, n;

	(void)state;
	for (unsigned i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
		(void)snprintf(
		    address, sizeof(address), "198.51.100.%u", i + 1);
		crowd(address, sessions[i], 0);
	}
	v = control_room_ask(&room, "top");
	for (v = worst_of(v, 0); v != NULL; v = v->next) {
		n = json_value_number(v, "sessions");
		assert_int_equal(n, 11 - places);
		assert_true(n < before);
		before = n;
		places++;
	}
	assert_int_equal(places, 10);
}

/* --- sessions ---------------------------------------------------------------- */

static const struct json_value *
session_of(const struct json_value *v, size_t i)
{
	v = json_value_get(v, "sessions");
	assert_non_null(v);
	for (v = v->first; v != NULL && i > 0; i--)
		v = v->next;
	return v;
}

static void
test_sessions(void **state)
{
	const struct json_value *v, *s;
	int fd;

	(void)state;
	control_room_arrive(&room, "192.0.2.1");
	fake_clock_advance(250);
	fd = control_room_arrive(&room, "2001:db8::5");
	fake_stream_say(fd, "EHLO x\r\n", 8);
	control_room_settle(&room);
	fake_clock_advance(1000);
	v = control_room_ask(&room, "sessions");
	assert_int_equal(json_value_number(v, "matching"), 2);
	assert_int_equal(json_value_number(v, "total"), 2);
	s = session_of(v, 0);
	assert_int_equal(strlen(json_value_text(s, "session")), 11);
	assert_string_equal(json_value_text(s, "address"), "192.0.2.1");
	assert_int_equal(json_value_number(s, "port"), 40000);
	assert_string_equal(
	    json_value_text(s, "server_address"), "198.51.100.25");
	assert_int_equal(json_value_number(s, "server_port"), 25);
	assert_string_equal(json_value_text(s, "phase"), "hand-off");
	assert_int_equal(json_value_number(s, "age_ms"), 1250);
	assert_string_equal(json_value_text(s, "standing"), "allowed");
	assert_int_equal(json_value_get(s, "tls")->kind, JSON_FALSE);
	assert_int_equal(json_value_count(json_value_get(s, "failed")), 0);
	s = session_of(v, 1);
	assert_string_not_equal(json_value_text(s, "session"),
	    json_value_text(session_of(v, 0), "session"));
	assert_string_equal(json_value_text(s, "address"), "2001:db8::5");
	assert_int_equal(json_value_number(s, "age_ms"), 1000);
	assert_string_equal(json_value_text(s, "standing"), "stranger");
	s = json_value_get(s, "failed");
	assert_int_equal(json_value_count(s), 1);
	assert_string_equal(s->first->text, "pregreet");
}

static const struct {
	const char *line;
	size_t shown;
	int64_t matching;
} filters[] = {
    {"sessions", 5, 5},
    {"sessions --phase=greet", 3, 3},
    {"sessions --phase=hand-off", 2, 2},
    {"sessions --phase=dialogue", 0, 0},
    {"sessions --limit=2", 2, 5},
    {"sessions --limit=0", 0, 5},
    {"sessions --limit=10000", 5, 5},
    {"sessions --phase=greet --limit=1", 1, 3},
};

static void
test_sessions_wanted(void **state)
{
	const struct json_value *v;

	(void)state;
	crowd("192.0.2.1", 2, 0);
	crowd("198.51.100.1", 3, 0);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		v = control_room_ask(&room, filters[i].line);
		if (room.status != CONTROL_DONE ||
		    json_value_count(json_value_get(v, "sessions")) !=
			filters[i].shown ||
		    json_value_number(v, "matching") != filters[i].matching ||
		    json_value_number(v, "total") != 5)
			fail_msg("%s", filters[i].line);
	}
}

static void
test_sessions_refused(void **state)
{
	char line[REQUEST_LINE_MAX - 1];
	const struct json_value *v;

	(void)state;
	control_room_refuses(&room, "sessions --phase=done", CONTROL_BAD,
	    "there is no phase done");
	control_room_refuses(
	    &room, "sessions --phase=", CONTROL_BAD, "there is no phase ");
	control_room_refuses(&room, "sessions --phase=\"a \\\"b\"", CONTROL_BAD,
	    "there is no phase a \"b");
	control_room_refuses(&room, "sessions --limit=10001", CONTROL_BAD,
	    "--limit is 0 to 10000");
	control_room_refuses(
	    &room, "sessions --limit=-1", CONTROL_BAD, "--limit is 0 to 10000");
	control_room_refuses(
	    &room, "sessions --limit=", CONTROL_BAD, "--limit is 0 to 10000");
	control_room_refuses(
	    &room, "sessions --limit=1x", CONTROL_BAD, "--limit is 0 to 10000");
	/* What is too long to repeat is cut, and bytes that are no text are
	 * replaced. */
	memset(line, '\xff', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	memcpy(line, "sessions --phase=", 17);
	v = control_room_ask(&room, line);
	assert_int_equal(room.status, CONTROL_BAD);
	assert_int_equal(strncmp(json_value_text(v, "error"),
			     "there is no phase \xef\xbf\xbd",
			     strlen("there is no phase ") + 3),
	    0);
}

/* --- DNS lists --------------------------------------------------------------- */

static void
test_dnsbl(void **state)
{
	const struct json_value *v;

	(void)state;
	control_room_arrive(&room, "198.51.100.7");
	fake_clock_advance(3);
	assert_int_equal(
	    fake_resolver_found("7.100.51.198.s3cret.test", "127.0.0.2", 60),
	    1);
	assert_int_equal(
	    fake_resolver_fail("7.100.51.198.plain.test", "SERVFAIL"), 1);
	v = json_value_get(control_room_ask(&room, "dnsbl"), "lists");
	assert_int_equal(json_value_count(v), 2);
	v = v->first;
	/* The name that the world may see. */
	assert_string_equal(json_value_text(v, "list"), "public.test");
	assert_string_equal(json_value_text(v, "state"), "used");
	assert_int_equal(json_value_number(v, "queries"), 1);
	assert_int_equal(json_value_number(v, "listed"), 1);
	assert_int_equal(json_value_number(v, "failures"), 0);
	assert_int_equal(json_value_number(v, "p50_ms"), 5);
	assert_int_equal(json_value_number(v, "p99_ms"), 5);
	v = v->next;
	assert_string_equal(json_value_text(v, "list"), "plain.test");
	assert_int_equal(json_value_number(v, "queries"), 1);
	assert_int_equal(json_value_number(v, "listed"), 0);
	assert_int_equal(json_value_number(v, "failures"), 1);
	assert_int_equal(json_value_number(v, "timeouts"), 0);
	assert_int_equal(json_value_number(v, "unasked"), 0);
	assert_int_equal(json_value_number(v, "error_codes"), 0);
	assert_int_equal(json_value_number(v, "p99_ms"), 0);
	assert_null(v->next);
}

static void
test_no_dnsbl(void **state)
{
	static const char *const none[] = {NULL};
	const struct json_value *v;

	(void)state;
	control_room_open(&room, none);
	v = json_value_get(control_room_ask(&room, "dnsbl"), "lists");
	assert_non_null(v);
	assert_int_equal(v->kind, JSON_ARRAY);
	assert_int_equal(json_value_count(v), 0);
	control_room_close(&room);
}

/* --- steering ---------------------------------------------------------------- */

static void
test_reload_and_drain(void **state)
{
	const struct json_value *v;

	(void)state;
	v = control_room_ask(&room, "reload");
	assert_int_equal(room.status, CONTROL_DONE);
	assert_true(json_value_is_true(v, "reloading"));
	assert_int_equal(room.reloads, 1);
	assert_string_equal(heard_log(), "control: uid 4711: reload\n");
	(void)heard_log();
	crowd("192.0.2.1", 2, 0);
	(void)heard_log();
	v = control_room_ask(&room, "drain");
	assert_int_equal(room.status, CONTROL_DONE);
	assert_int_equal(json_value_number(v, "sessions"), 2);
	assert_int_equal(room.drains, 1);
	assert_string_equal(heard_log(), "control: uid 4711: drain\n");
}

/* What was not done is not in the log as if it were. */
static void
test_host_refuses(void **state)
{
	(void)state;
	room.refusal = "not now: \x01 \"later\"";
	control_room_refuses(
	    &room, "reload", CONTROL_FAILED, "not now: \x01 \"later\"");
	control_room_refuses(
	    &room, "drain", CONTROL_FAILED, "not now: \x01 \"later\"");
	assert_int_equal(room.reloads, 1);
	assert_int_equal(room.drains, 1);
	assert_string_equal(heard_log(), "");
}

static void
test_log_level(void **state)
{
	const struct json_value *v;

	(void)state;
	room.host.log_level = 0;
	v = control_room_ask(&room, "log-level");
	assert_int_equal(json_value_number(v, "log_level"), 0);
	assert_int_equal(json_value_get(v, "log_level")->kind, JSON_NUMBER);
	assert_string_equal(heard_log(), "");
	assert_false(log_is_verbose());
	v = control_room_ask(&room, "log-level 9");
	assert_int_equal(json_value_number(v, "log_level"), 9);
	assert_int_equal(room.host.log_level, 9);
	assert_true(log_is_verbose());
	assert_string_equal(heard_log(), "control: uid 4711: log level 9\n");
	control_room_refuses(
	    &room, "log-level 10", CONTROL_BAD, "a log level is 0 to 9");
	control_room_refuses(
	    &room, "log-level \"\"", CONTROL_BAD, "a log level is 0 to 9");
	control_room_refuses(
	    &room, "log-level x", CONTROL_BAD, "a log level is 0 to 9");
	assert_int_equal(room.host.log_level, 9);
	(void)control_room_ask(&room, "log-level 0");
	assert_int_equal(room.host.log_level, 0);
	assert_false(log_is_verbose());
}

/* --- all of them ------------------------------------------------------------- */

/* What doorbellctl asks is answered, and what it does itself is not asked. */
static void
test_every_order(void **state)
{
	char line[64];

	(void)state;
	for (enum order_id i = ORDER_NONE + 1; i < ORDER_COUNT; i++) {
		const struct order *o = &request_orders[i];

		if (o->place == ORDER_ASKS) {
			assert_non_null(answers_handler[i]);
			continue;
		}
		/* One that is done by doorbellctl, but asked while it can. */
		if (i == ORDER_CACHE_DELETE)
			continue;
		assert_null(answers_handler[i]);
		(void)snprintf(line, sizeof(line), "%s%s", o->words,
		    o->min > 0 ? " x" : "");
		control_room_refuses(
		    &room, line, CONTROL_BAD, "this is not for doorbelld");
	}
	assert_null(answers_handler[ORDER_NONE]);
}

static void
test_no_memory(void **state)
{
	(void)state;
	crowd("192.0.2.1", 2, 0);
	crowd("198.51.100.1", 3, 1);
	control_room_starves(&room, "status", NULL);
	control_room_starves(&room, "top", NULL);
	control_room_starves(&room, "sessions", NULL);
	control_room_starves(&room, "sessions --limit=x", NULL);
	control_room_starves(&room, "dnsbl", NULL);
}

static const struct {
	const char *name, *line;
	int rc;
	size_t length;
} headers[] = {
    {"whole", "doorbell 1 0 123", 0, 123},
    {"another status", "doorbell 1 7 0", 0, 0},
    {"another protocol", "doorbell 2 0 123", -1, 0},
    {"no length", "doorbell 1 0", -1, 0},
    {"no status", "doorbell 1 ", -1, 0},
    {"not a number", "doorbell 1 0 12x", -1, 0},
    {"negative", "doorbell 1 0 -1", -1, 0},
    {"too much", "doorbell 1 0 99999999", -1, 0},
    {"nothing", "", -1, 0},
};

static void
test_headers(void **state)
{
	enum control_status status;
	size_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		length = 0;
		if (control_parse_header(span_str(headers[i].line), &status,
			&length) != headers[i].rc ||
		    length != headers[i].length) {
			print_error("case \"%s\"\n", headers[i].name);
			fail();
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_status),
	    TEST(test_status_of_the_cache),
	    TEST(test_version),
	    TEST(test_top),
	    TEST(test_top_of_many),
	    TEST(test_sessions),
	    TEST(test_sessions_wanted),
	    TEST(test_sessions_refused),
	    TEST(test_dnsbl),
	    cmocka_unit_test(test_no_dnsbl),
	    TEST(test_reload_and_drain),
	    TEST(test_host_refuses),
	    TEST(test_log_level),
	    TEST(test_every_order),
	    TEST(test_no_memory),
	    cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
