/* SPDX-License-Identifier: ISC */
/* links: stage fake_clock fake_loop fake_resolver fake_cache fake_mem */
#include "ops/explain_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lookup/access.h"
#include "ops/json_value.h"
#include "screen/policy.h"
#include "screen/policy_tables.h"
#include "support/fake_clock.h"
#include "support/fake_loop.h"
#include "support/fake_mem.h"
#include "support/fake_resolver.h"
#include "support/stage.h"
#include "support/table_file.h"

/* The ends of a call, which ops/control.c has, are here: what would be sent is
 * kept. What the answer says is in tests/integration/test_ctl.py. */

enum { BODY_MAX = 65536 };

static struct stage stage;
static struct control control;
static struct control_call call;
static int finished, failed;
static enum control_status status;
static char trouble[256];

void
control_finish(struct control_call *c)
{
	assert_ptr_equal(c, &call);
	assert_null(c->abandon);
	assert_int_equal(json_finish(&c->json), 0);
	finished++;
}

void
control_fail(
    struct control_call *c, enum control_status why, const char *format, ...)
{
	va_list ap;

	assert_ptr_equal(c, &call);
	assert_null(c->abandon);
	va_start(ap, format);
	vsnprintf(trouble, sizeof(trouble), format, ap);
	va_end(ap);
	status = why;
	failed++;
}

static void
open_with(const char *const *settings)
{
	stage_open(&stage, settings);
	control = (struct control){.loop = stage.loop, .screen = stage.screen};
	finished = failed = 0;
}

static void
forget(void)
{
	buf_clear(&call.body);
}

/* Somebody wants to know. */
static void
ask(const char *client)
{
	forget();
	call = (struct control_call){.control = &control};
	call.request.argument[0] = client;
	buf_init(&call.body, BODY_MAX);
	json_init(&call.json, &call.body);
	json_object(&call.json, NULL);
	explain_answer(&call);
}

/* A client comes meanwhile, and everybody is asked about it. */
static void
come(const char *client)
{
	struct addr a;

	assert_int_equal(addr_parse(span_str(client), &a), 0);
	(void)access_find(stage.policy->access, &a);
	(void)policy_zone_name(stage.policy, "xxxx.a.test");
}

static int
tear_down(void **state)
{
	(void)state;
	assert_int_equal(control.explaining, 0);
	assert_int_equal(fake_resolver_pending(), 0);
	forget();
	stage_close(&stage);
	return 0;
}

static bool
says(const char *text)
{
	return strstr(buf_str(&call.body), text) != NULL;
}

/* A table of patterns writes each answer over the one before. */
static void
test_patterns(void **state)
{
	static const char *const settings[] = {
	    "doorbell_dnsbl_sites=k3y.a.test, 2nd.b.test*2",
	    "doorbell_dnsbl_reply_map=regexp:{{/^[^.]+\\.(.*)$$/ the $${1}}}",
	    "doorbell_access_list=regexp:{{/\\.([0-9]+)$$/"
	    " {dunno, connection_rate_limit = $$1}}}",
	    NULL};

	(void)state;
	open_with(settings);
	ask("192.0.2.7");
	assert_int_equal(control.explaining, 1);
	assert_int_equal(fake_resolver_pending(), 2);
	come("192.0.2.99");
	fake_resolver_found("7.2.0.192.k3y.a.test", "127.0.0.2", 60);
	come("192.0.2.98");
	assert_int_equal(finished, 0);
	fake_resolver_absent("7.2.0.192.2nd.b.test", 60);
	assert_int_equal(finished, 1);
	assert_true(says("\"settings\":\"connection_rate_limit = 7\""));
	assert_true(says("{\"list\":\"the a.test\",\"result\":\"listed\""));
	assert_true(says("{\"list\":\"the b.test\",\"result\":\"not listed\""));
	assert_false(says("k3y"));
}

/* A file is read anew while the lists are waited for. */
static void
on_change(enum table_change change, const char *what, const struct errtext *why,
    void *arg)
{
	unsigned *count = arg;

	(void)what;
	(void)why;
	*count += change == TABLE_RELOADED;
}

static void
test_new_tables(void **state)
{
	char directory[128], list[160], map[160], by_list[200], by_map[200];
	const char *settings[] = {
	    "doorbell_dnsbl_sites=k3y.a.test", by_list, by_map, NULL};
	unsigned changes = 0;

	(void)state;
	make_directory(directory);
	snprintf(list, sizeof(list), "%s/list", directory);
	snprintf(map, sizeof(map), "%s/map", directory);
	snprintf(
	    by_list, sizeof(by_list), "doorbell_access_list=cidr:%s", list);
	snprintf(by_map, sizeof(by_map), "doorbell_dnsbl_reply_map=texthash:%s",
	    map);
	write_file(list, "192.0.2.0/24 {dunno, connection_rate_limit = 7}\n"
			 "::/0 reject\n");
	write_file(map, "k3y.a.test the-only-one\n");
	open_with(settings);
	ask("192.0.2.7");
	write_file(list, "# all are gone\n");
	write_file(map, "# all are gone, too\n");
	policy_tables_refresh(stage.policy, on_change, &changes);
	assert_int_equal(changes, 2);
	fake_resolver_absent("7.2.0.192.k3y.a.test", 60);
	assert_int_equal(finished, 1);
	assert_true(says("\"settings\":\"connection_rate_limit = 7\""));
	assert_true(says("{\"list\":\"the-only-one\","));
	assert_false(says("k3y"));
	unlink(list);
	unlink(map);
	rmdir(directory);
}

static const char *const one_list[] = {
    "doorbell_dnsbl_sites=a.test", "doorbell_dnsbl_timeout=5s", NULL};

/* Nobody answers, or everybody has gone. */
static void
test_ends_of_waiting(void **state)
{
	(void)state;
	open_with(one_list);
	ask("192.0.2.7");
	fake_loop_advance_to(stage.loop, mono_after(clock_mono(), 4999));
	assert_int_equal(finished, 0);
	fake_loop_advance_to(stage.loop, mono_after(clock_mono(), 1));
	assert_int_equal(finished, 1);
	assert_true(says("\"result\":\"no answer\""));
	assert_true(says("\"ms\":5000"));
	ask("192.0.2.7");
	call.abandon(&call);
	assert_int_equal(finished, 1);
	assert_int_equal(fake_loop_timers(stage.loop), 0);
}

static void
test_bad_answers(void **state)
{
	struct resolver_query *other;

	(void)state;
	open_with(one_list);
	ask("192.0.2.7");
	fake_resolver_fail("7.2.0.192.a.test", "broken");
	assert_true(says("\"result\":\"failed\""));
	ask("192.0.2.7");
	fake_resolver_answer_first(RESOLVER_TIMED_OUT);
	assert_true(says("\"result\":\"no answer\""));
	ask("192.0.2.7");
	fake_resolver_found("7.2.0.192.a.test", "127.255.255.254", 60);
	assert_true(says("\"result\":\"error code\""));
	assert_true(says("\"points\":0"));
	fake_resolver_limit(1);
	other = resolver_ask(stage.policy->resolver, "x.test", NULL, NULL);
	assert_non_null(other);
	ask("192.0.2.7");
	resolver_abandon(&other);
	fake_resolver_limit(0);
	assert_int_equal(finished, 4);
	assert_true(says("too many questions"));
}

static void
test_refusals(void **state)
{
	int asked = 0;

	(void)state;
	open_with(one_list);
	ask("mail.test");
	assert_int_equal(status, CONTROL_BAD);
	assert_string_equal(trouble, "mail.test: not an address");
	/* Answered at once, so that only the pace counts. */
	for (failed = 0; failed == 0 && asked < 10000; asked++) {
		ask("192.0.2.7");
		fake_resolver_absent("7.2.0.192.a.test", 60);
	}
	assert_int_equal(status, CONTROL_FAILED);
	assert_string_equal(
	    trouble, "too much is explained at once: try again");
	assert_int_equal(finished, asked - 1);
	fake_clock_advance(1000);
	ask("192.0.2.7");
	fake_resolver_absent("7.2.0.192.a.test", 60);
	assert_int_equal(finished, asked);
}

static void
test_no_memory(void **state)
{
	static const char *const settings[] = {
	    "doorbell_dnsbl_sites=a.test, b.test",
	    "doorbell_access_list=static:{{dunno, connection_rate_limit = 7}}",
	    NULL};
	unsigned n = 0, troubles = 0;
	long before;

	(void)state;
	open_with(settings);
	/* What is kept for the next one is there. */
	ask("192.0.2.7");
	fake_resolver_absent("7.2.0.192.a.test", 60);
	fake_resolver_absent("7.2.0.192.b.test", 60);
	forget();
	before = fake_mem_live();
	do {
		fake_clock_advance(60000);
		finished = failed = 0;
		forget();
		call = (struct control_call){.control = &control};
		call.request.argument[0] = "192.0.2.7";
		buf_init(&call.body, BODY_MAX);
		assert_non_null(buf_reserve(&call.body, BODY_MAX / 2));
		json_init(&call.json, &call.body);
		json_object(&call.json, NULL);
		fake_mem_fail_after(n++);
		explain_answer(&call);
		fake_mem_heal();
		if (failed == 0) {
			fake_resolver_absent("7.2.0.192.a.test", 60);
			fake_resolver_absent("7.2.0.192.b.test", 60);
		}
		assert_int_equal(finished + failed, 1);
		troubles += (unsigned)failed;
		forget();
		assert_int_equal(fake_mem_live(), before);
	} while (failed != 0);
	assert_true(troubles > 3);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_patterns),
	    TEST(test_new_tables),
	    TEST(test_ends_of_waiting),
	    TEST(test_bad_answers),
	    TEST(test_refusals),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name(
	    "ops/explain_answer", tests, NULL, NULL);
}
