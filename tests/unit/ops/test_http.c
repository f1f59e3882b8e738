/* SPDX-License-Identifier: ISC */
/* links: stage fake_clock fake_loop fake_resolver fake_cache given_addr */
#include "ops/http.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "ops/json_value.h"
#include "ops/metrics.h"
#include "ops/page_look.h"
#include "screen/offenders.h"
#include "support/fake_clock.h"
#include "support/given_addr.h"
#include "support/stage.h"

/* net/httpd.c is played here: who would be asked is kept, and the test asks. */

struct httpd {
	httpd_fn *fn; /* NULL: it has not begun */
	void *arg;
	bool is_broken, is_closed;
};

int
httpd_start(struct httpd *h, httpd_fn *fn, void *arg, struct errtext *why)
{
	if (h->is_broken) {
		errtext_set(why, "broken");
		return -1;
	}
	h->fn = fn;
	h->arg = arg;
	return 0;
}

void
httpd_close(struct httpd **h)
{
	if (*h != NULL)
		(*h)->is_closed = true;
	*h = NULL;
}

static void
test_places(void **state)
{
	static const struct {
		const char *text;
		const char *fault; /* NULL: none */
	} cases[] = {
	    {"inet:127.0.0.1:9125", NULL},
	    {"inet:127.255.0.1:1", NULL},
	    {"inet:[::1]:65535", NULL},
	    {"inet:::1:9125", NULL},
	    {"unix:/run/doorbell/page", NULL},
	    {"unix:page", "not an absolute path"},
	    {"unix:", "not an absolute path"},
	    {"inet:0.0.0.0:9125", "not a loopback address"},
	    {"inet:[::]:9125", "not a loopback address"},
	    {"inet:[::ffff:127.0.0.1]:9125", NULL},
	    {"inet:[::ffff:192.0.2.1]:9125", "not a loopback address"},
	    {"inet:192.0.2.1:9125", "not a loopback address"},
	    {"inet:[fe80::1]:9125", "not a loopback address"},
	    {"inet:localhost:9125", "not inet:address:port"},
	    {"inet:127.0.0.1", "not inet:address:port"},
	    {"inet:127.0.0.1:0", "not inet:address:port"},
	    {"inet:127.0.0.1:65536", "not inet:address:port"},
	    {"inet::9125", "not inet:address:port"},
	    {"127.0.0.1:9125", "not inet:address:port"},
	    {"9125", "not inet:address:port"},
	};
	struct httpd_place place;
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int rc = http_parse_place(cases[i].text, &place, &why);

		if ((rc == 0) != (cases[i].fault == NULL) ||
		    (rc < 0 && strstr(why.text, cases[i].fault) == NULL))
			fail_msg("%s: %s", cases[i].text,
			    rc < 0 ? why.text : "taken");
	}
}

static void
test_hosts(void **state)
{
	static const char *const ours[] = {"", "127.0.0.1", "127.0.0.1:9125",
	    "192.0.2.1:80", "::1", "[::1]", "[::1]:9125", "localhost",
	    "LocalHost:9125"};
	static const char *const others[] = {"evil.test", "evil.test:9125",
	    "localhost.evil.test", "localhostevil.test", "127.0.0.1.evil.test",
	    "[::1", "[evil]", ":", ":9125", "127.0.0.1@evil.test"};

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (!http_host_is_ours(ours[i]))
			fail_msg("%s is not ours", ours[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (http_host_is_ours(others[i]))
			fail_msg("%s is ours", others[i]);
}

static void
test_dialects(void **state)
{
	static const char *const text[] = {"", "*/*", "text/plain",
	    "application/openmetrics-text;q=0", "application/openmetrics",
	    "text/html;application/openmetrics-text"};
	static const char *const open[] = {"application/openmetrics-text",
	    "Application/OpenMetrics-Text",
	    "application/openmetrics-text; version=1.0.0,text/plain;q=0.5",
	    "text/plain;q=1, application/openmetrics-text;q=0.5, */*;q=0.1"};

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
		if (metrics_dialect_for(text[i]) != METRICS_TEXT)
			fail_msg("\"%s\" does not ask for it", text[i]);
	for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++)
		if (metrics_dialect_for(open[i]) != METRICS_OPEN)
			fail_msg("\"%s\" asks for it", open[i]);
}

/* --- pages ------------------------------------------------------------------ */
static struct stage stage;
static struct trend trend;
static bool draining;
static struct control_host host = {.mode = "standalone", .config = "/etc/x"};
static struct control control = {.host = &host};
static struct httpd server;
static struct http http = {
    .control = &control, .trend = &trend, .draining = &draining};
static struct httpd_reply reply;

static const char *const with_lists[] = {
    "doorbell_dnsbl_sites=a.test, b.test", NULL};
static const char *const without[] = {NULL};

static void
open_with(const char *const *settings)
{
	struct httpd *h = &server;
	struct errtext why;

	stage_open(&stage, settings);
	control.loop = stage.loop;
	control.screen = stage.screen;
	draining = false;
	server = (struct httpd){0};
	assert_int_equal(http_start(&http, &h, &why), 0);
	assert_null(h);
	assert_ptr_equal(http.httpd, &server);
}

static int
tear_down(void **state)
{
	(void)state;
	http_stop(&http);
	assert_null(http.httpd);
	assert_true(server.is_closed);
	buf_clear(&reply.body);
	stage_close(&stage);
	return 0;
}

/* As net/httpd.c asks, with room for so much of an answer. */
static void
ask_within(const char *path, const char *from, const char *accept, size_t max)
{
	const struct httpd_request request = {
	    .path = path, .host = from, .accept = accept};

	buf_clear(&reply.body);
	reply = (struct httpd_reply){
	    .status = 200, .type = "text/plain", .policy = "none"};
	buf_init(&reply.body, max);
	server.fn(&request, &reply, server.arg);
}

static const char *
ask(const char *path)
{
	ask_within(path, "localhost", "", HTTPD_BODY_MAX);
	return buf_str(&reply.body);
}

static void
test_start_and_stop(void **state)
{
	struct http h = http;
	struct httpd *broken = &server;
	struct errtext why;

	(void)state;
	h.httpd = NULL;
	http_stop(&h);
	server = (struct httpd){.is_broken = true};
	assert_int_equal(http_start(&h, &broken, &why), -1);
	assert_string_equal(why.text, "broken");
	assert_null(h.httpd);
	assert_ptr_equal(broken, &server);
	assert_false(server.is_closed);
}

static void
test_no_such_page(void **state)
{
	static const char *const paths[] = {"", "//", "/metrics/", "/Metrics",
	    "/healthz?", "metrics", "/api", "/api/status.json/..", "/%2f"};

	(void)state;
	open_with(without);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		if (strcmp(ask(paths[i]), "There is no such page.\n") != 0 ||
		    reply.status != 404)
			fail_msg("%s: %d", paths[i], reply.status);
	}
}

/* A page from elsewhere must not read them with our name. */
static void
test_other_hosts(void **state)
{
	static const char *const paths[] = {
	    "/", "/metrics", "/healthz", "/api/status.json", "/no"};

	(void)state;
	open_with(without);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		ask_within(paths[i], "evil.test", "", HTTPD_BODY_MAX);
		assert_int_equal(reply.status, 421);
		assert_string_equal(reply.type, "text/plain; charset=utf-8");
		assert_string_equal(buf_str(&reply.body),
		    "This machine is not known by that name.\n");
	}
}

static void
set_list(size_t i, enum dnsbl_state now)
{
	dnsbl_zone_record(stage.policy->dnsbl, i)->state = now;
}

static void
expect_health(int status, const char *text)
{
	assert_string_equal(ask("/healthz"), text);
	assert_int_equal(reply.status, status);
	assert_string_equal(reply.type, "text/plain");
}

static void
test_health(void **state)
{
	struct handoff_queue *q;

	(void)state;
	open_with(with_lists);
	q = &stage.screen->handoffs;
	expect_health(200, "ok\n");
	draining = true;
	expect_health(503, "draining: no new clients\n");
	draining = false;
	/* One list is better than none. */
	set_list(0, DNSBL_OUT_WILD);
	expect_health(200, "ok\n");
	set_list(1, DNSBL_RESTS);
	expect_health(503, "no DNS list answers\n");
	q->is_gone = true;
	q->gone_since = q->gone_at = clock_mono();
	fake_clock_advance(2999);
	draining = true;
	expect_health(503, "draining: no new clients\n"
			   "smtpd cannot be reached, for 2 s now\n"
			   "no DNS list answers\n");
	set_list(0, DNSBL_USED);
	draining = false;
	q->gone_at = clock_mono();
	fake_clock_advance(HTTP_SERVER_GONE_MS);
	expect_health(503, "smtpd cannot be reached, for 62 s now\n");
	/* Nobody has tried since. */
	fake_clock_advance(1);
	expect_health(200, "ok\n");
}

static void
test_health_without_lists(void **state)
{
	(void)state;
	open_with(without);
	expect_health(200, "ok\n");
}

static void
test_health_without_room(void **state)
{
	(void)state;
	open_with(without);
	draining = true;
	ask_within("/healthz", "", "", 0);
	assert_int_equal(reply.status, 503);
	assert_int_equal(reply.body.n, 0);
}

static void
test_metrics(void **state)
{
	(void)state;
	open_with(without);
	assert_non_null(strstr(ask("/metrics"), "\ndoorbell_shed_total 0\n"));
	assert_string_equal(reply.type, metrics_type(METRICS_TEXT));
	assert_int_equal(reply.status, 200);
	ask_within("/metrics", "[::1]:9125", "application/openmetrics-text",
	    HTTPD_BODY_MAX);
	assert_string_equal(reply.type, metrics_type(METRICS_OPEN));
	assert_non_null(strstr(buf_str(&reply.body), "\n# EOF\n"));
}

static void
test_no_room(void **state)
{
	static const char *const paths[] = {
	    "/", "/metrics", "/api/status.json"};

	(void)state;
	open_with(without);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		ask_within(paths[i], "", "", 500);
		assert_int_equal(reply.status, 500);
		assert_string_equal(reply.type, "text/plain; charset=utf-8");
		assert_string_equal(buf_str(&reply.body), "no memory\n");
	}
}

/* --- status ------------------------------------------------------------------- */
static struct json_tree *
status(void)
{
	struct errtext why;
	struct json_tree *tree;

	(void)ask("/api/status.json");
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.type, "application/json");
	tree = json_tree_new(buf_span(&reply.body), &why);
	if (tree == NULL)
		fail_msg("%s", why.text);
	return tree;
}

static void
misbehave(const char *text, enum offence offence, int often)
{
	const struct addr a = given_addr(text);
	const struct record_key key = record_key_of(&a, 32, 64);

	for (int i = 0; i < often; i++)
		offenders_note(
		    stage.screen->offenders, &key, offence, clock_mono());
}

static void
test_status(void **state)
{
	const struct json_value *v, *worst, *first;
	struct json_tree *tree;

	(void)state;
	open_with(with_lists);
	misbehave("192.0.2.1", OFFENCE_PREGREET, 2);
	misbehave("2001:db8::1", OFFENCE_LISTED, 3);
	misbehave("2001:db8::2", OFFENCE_FLOOD, 1);
	tree = status();
	v = json_tree_root(tree);
	assert_true(json_value_is_true(v, "healthy"));
	assert_string_equal(json_value_text(v, "trouble"), "");
	assert_string_equal(json_value_text(v, "config"), "/etc/x");
	assert_int_equal(json_value_count(json_value_get(v, "lists")), 2);
	worst = json_value_get(v, "offenders");
	assert_int_equal(json_value_count(worst), 2);
	first = worst->first;
	assert_string_equal(json_value_text(first, "client"), "2001:db8::/64");
	assert_int_equal(json_value_number(first, "weight"), 4);
	assert_int_equal(json_value_number(first, "listed"), 3);
	assert_int_equal(json_value_number(first, "flood"), 1);
	assert_int_equal(json_value_number(first, "pregreet"), 0);
	assert_string_equal(
	    json_value_text(first->next, "client"), "192.0.2.1");
	json_tree_free(&tree);
	draining = true;
	tree = status();
	v = json_tree_root(tree);
	assert_false(json_value_is_true(v, "healthy"));
	assert_string_equal(
	    json_value_text(v, "trouble"), "draining: no new clients\n");
	json_tree_free(&tree);
}

static void
test_no_more_offenders_than_so_many(void **state)
{
	struct json_tree *tree;
	char text[32];

	(void)state;
	open_with(without);
	for (int i = 0; i < 30; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d", i);
		misbehave(text, OFFENCE_HANGUP, i + 1);
	}
	tree = status();
	assert_int_equal(
	    json_value_count(json_value_get(json_tree_root(tree), "offenders")),
	    20);
	json_tree_free(&tree);
}

static void
test_page(void **state)
{
	(void)state;
	open_with(with_lists);
	assert_non_null(strstr(ask("/"), "<!DOCTYPE html>"));
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.type, "text/html; charset=utf-8");
	assert_string_equal(reply.policy, PAGE_LOOK_POLICY);
	assert_null(strstr(reply.body.p, "no new clients"));
	draining = true;
	assert_non_null(strstr(ask("/"), "draining: no new clients"));
	assert_int_equal(reply.status, 200);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, tear_down)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_dialects),
	    cmocka_unit_test(test_start_and_stop),
	    TEST(test_no_such_page),
	    TEST(test_other_hosts),
	    TEST(test_health),
	    TEST(test_health_without_lists),
	    TEST(test_health_without_room),
	    TEST(test_metrics),
	    TEST(test_no_room),
	    TEST(test_status),
	    TEST(test_no_more_offenders_than_so_many),
	    TEST(test_page),
	};

	return cmocka_run_group_tests_name("ops/http", tests, NULL, NULL);
}
