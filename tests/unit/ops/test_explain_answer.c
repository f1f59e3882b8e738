/* SPDX-License-Identifier: ISC */
/* links: stage fake_clock fake_loop fake_resolver fake_cache fake_mem given_addr */
#include "ops/explain_answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lookup/access.h"
#include "ops/explain.h"
#include "ops/json_value.h"
#include "screen/policy.h"
#include "screen/policy_tables.h"
#include "screen/rate.h"
#include "support/fake_cache.h"
#include "support/fake_clock.h"
#include "support/fake_loop.h"
#include "support/fake_mem.h"
#include "support/fake_resolver.h"
#include "support/given_addr.h"
#include "support/stage.h"
#include "support/table_file.h"

/* The ends of a call, which ops/control.c has, are here: what would be sent is
 * kept. Which sentences come of it is a matter of test_explain.c. */

enum { BODY_MAX = 65536 };

#define NAME(list) "7.2.0.192." list

static struct stage stage;
static struct control control;
static struct control_call call; /* unless a test has more than one */
static struct json_tree *tree;
static int finished, failed;
static enum control_status status;
static char trouble[256];

void
control_finish(struct control_call *c)
{
	assert_null(c->abandon);
	assert_int_equal(json_finish(&c->json), 0);
	finished++;
}

void
control_fail(
    struct control_call *c, enum control_status why, const char *format, ...)
{
	va_list ap;

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
	json_tree_free(&tree);
	buf_clear(&call.body);
}

/* Somebody wants to know. */
static void
ask_by(struct control_call *c, const char *client)
{
	*c = (struct control_call){.control = &control};
	c->request.argument[0] = client;
	buf_init(&c->body, BODY_MAX);
	json_init(&c->json, &c->body);
	json_object(&c->json, NULL);
	explain_answer(c);
}

static void
ask(const char *client)
{
	forget();
	ask_by(&call, client);
}

static void
pass_time(int64_t ms)
{
	fake_loop_advance_to(stage.loop, mono_after(clock_mono(), ms));
}

/* What the one call was answered. */
static const struct json_value *
answer(void)
{
	struct errtext why;

	json_tree_free(&tree);
	if ((tree = json_tree_new(buf_span(&call.body), &why)) == NULL)
		fail_msg("%s: %s", why.text, buf_str(&call.body));
	return json_tree_root(tree);
}

/* One list of it. */
static const struct json_value *
assert_list(size_t i, const char *name, const char *result, int points)
{
	const struct json_value *v = json_value_get(answer(), "dnsbl");

	v = json_value_get(v, "lists");
	assert_true(i < json_value_count(v));
	for (v = v->first; i > 0; i--)
		v = v->next;
	assert_string_equal(json_value_text(v, "list"), name);
	assert_string_equal(json_value_text(v, "result"), result);
	assert_int_equal(json_value_number(v, "points"), points);
	return v;
}

/* A client comes meanwhile, and everybody is asked about it. */
static void
come(const char *client)
{
	const struct addr a = given_addr(client);

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

/* --- the lists ---------------------------------------------------------- */

static void
test_each_kind_of_answer(void **state)
{
	static const char *const settings[] = {
	    "doorbell_dnsbl_sites=a.test=127.0.0.4*2 b.test*-5 code.test*9 "
	    "failed.test slow.test*7",
	    "doorbell_dnsbl_timeout=3s", NULL};
	const struct addr found[2] = {
	    {.family = ADDR_IPV4, .bytes = {127, 0, 0, 4}},
	    {.family = ADDR_IPV4, .bytes = {127, 255, 255, 254}}};
	const struct json_value *v;

	(void)state;
	open_with(settings);
	ask("192.0.2.7");
	assert_int_equal(fake_resolver_pending(), 5);
	pass_time(41);
	fake_resolver_answer(
	    NAME("a.test"), RESOLVER_FOUND, found, 2, 300, true);
	pass_time(1);
	fake_resolver_absent(NAME("b.test"), 60);
	fake_resolver_found(NAME("code.test"), "127.255.255.252", 10);
	fake_resolver_fail(NAME("failed.test"), "server failure");
	pass_time(3000 - 42 - 1);
	assert_int_equal(finished, 0);
	pass_time(1);
	assert_int_equal(finished, 1);
	v = assert_list(0, "a.test", "listed", 2);
	assert_int_equal(json_value_number(v, "ms"), 41);
	assert_int_equal(json_value_number(v, "ttl"), 300);
	/* What it says about us is shown, too. */
	assert_int_equal(json_value_count(json_value_get(v, "answers")), 2);
	v = assert_list(1, "b.test", "not listed", 0);
	assert_int_equal(json_value_number(v, "ms"), 42);
	assert_int_equal(json_value_number(v, "ttl"), 60);
	assert_list(2, "code.test", "error code", 0);
	v = assert_list(3, "failed.test", "failed", 0);
	assert_int_equal(json_value_get(v, "ttl")->kind, JSON_NULL);
	assert_true(says("failed.test cannot be asked: server failure."));
	v = assert_list(4, "slow.test", "no answer", 0);
	assert_int_equal(json_value_number(v, "ms"), 3000);
	assert_int_equal(json_value_get(v, "ttl")->kind, JSON_NULL);
	assert_string_equal(json_value_text(answer(), "outcome"), "listed");
	/* Its answer, when it comes, is nobody's any more. */
	assert_int_equal(fake_resolver_pending(), 0);
}

static void
test_more_addresses_than_are_shown(void **state)
{
	/* The one that counts is the last of them. */
	static const char *const settings[] = {
	    "doorbell_dnsbl_sites=a.test=127.0.0.65*3", NULL};
	struct addr found[RESOLVER_ADDR_MAX];
	const struct json_value *v;

	(void)state;
	for (size_t i = 0; i < RESOLVER_ADDR_MAX; i++)
		found[i] = (struct addr){.family = ADDR_IPV4,
		    .bytes = {127, 0, 0, (uint8_t)(i + 2)}};
	open_with(settings);
	ask("192.0.2.7");
	fake_resolver_answer(NAME("a.test"), RESOLVER_FOUND, found,
	    RESOLVER_ADDR_MAX, UINT32_MAX, true);
	v = assert_list(0, "a.test", "listed", 3);
	assert_int_equal(json_value_number(v, "ttl"), UINT32_MAX);
	v = json_value_get(v, "answers");
	assert_int_equal(json_value_count(v), EXPLAIN_ADDR_MAX);
}

/* Where nobody can be asked there is nothing to wait for. */
static void
test_questions_that_cannot_be_asked(void **state)
{
	(void)state;
	open_with(one_list);
	fake_resolver_refuse(NAME("a.test"), EINVAL);
	ask("192.0.2.7");
	assert_int_equal(finished, 1);
	assert_list(0, "a.test", "failed", 0);
	assert_true(
	    says("a.test cannot be asked: the question cannot be sent."));
	fake_resolver_refuse(NULL, 0);
}

/* They are asked and shown; one that is out does not count. */
static void
test_lists_that_are_not_used(void **state)
{
	static const char *const settings[] = {
	    "doorbell_dnsbl_sites=a.test*4 b.test*3", NULL};
	const struct json_value *v;
	struct dnsbl *bl;

	(void)state;
	open_with(settings);
	bl = stage.policy->dnsbl;
	dnsbl_zone_record(bl, 0)->state = DNSBL_OUT_WILD;
	dnsbl_zone_record(bl, 1)->state = DNSBL_RESTS;
	ask("192.0.2.7");
	fake_resolver_found(NAME("a.test"), "127.0.0.2", 60);
	fake_resolver_found(NAME("b.test"), "127.0.0.2", 60);
	v = assert_list(0, "a.test", "listed", 0);
	assert_string_equal(json_value_text(v, "state"), "out");
	assert_true(says("the list is out of use and does not count"));
	v = assert_list(1, "b.test", "listed", 3);
	assert_string_equal(json_value_text(v, "state"), "resting");
	/* Their statistics do not know of that. */
	assert_int_equal(dnsbl_zone_health(bl, 1)->queries, 0);
	assert_int_equal(dnsbl_zone_health(bl, 1)->listed, 0);
}

/* The lists are those of the calm state, the time is not. */
static void
test_lists_under_stress(void **state)
{
	static const char *const settings[] = {
	    "doorbell_dnsbl_sites=${stress?{b.test}:{a.test*2 b.test*3}}",
	    "doorbell_dnsbl_timeout=${stress?{1}:{5}}s", NULL};
	const struct json_value *v;

	(void)state;
	open_with(settings);
	dnsbl_zone_record(stage.policy->dnsbl, 0)->state = DNSBL_OUT_SELF;
	stage.screen->stress = true;
	ask("192.0.2.7");
	assert_int_equal(fake_resolver_asked(NAME("a.test")), 1);
	fake_resolver_found(NAME("b.test"), "127.0.0.2", 60);
	pass_time(1000);
	assert_int_equal(finished, 1);
	v = assert_list(0, "a.test", "no answer", 0);
	assert_string_equal(json_value_text(v, "state"), "out");
	v = assert_list(1, "b.test", "listed", 3);
	assert_string_equal(json_value_text(v, "state"), "used");
}

static void
test_lists_that_nobody_asks(void **state)
{
	static const char *const settings[] = {"doorbell_dnsbl_sites=a.test",
	    "doorbell_dnsbl_skip_networks=192.0.2.0/24", NULL};

	(void)state;
	open_with(settings);
	ask("192.0.2.7");
	assert_int_equal(finished, 1);
	assert_true(says("DNS lists are not asked"));
	assert_int_equal(fake_resolver_total(), 0);
}

/* A reload takes the policy away. */
static void
test_policy_goes_meanwhile(void **state)
{
	static const char *const others[] = {
	    "doorbell_dnsbl_sites=b.test", NULL};
	struct policy *next;

	(void)state;
	open_with(one_list);
	ask("192.0.2.7");
	next = stage_policy(&stage, others);
	policy_unref(&stage.policy);
	stage.policy = next;
	screen_set_policy(stage.screen, next);
	fake_resolver_found(NAME("a.test"), "127.0.0.2", 60);
	assert_int_equal(finished, 1);
	assert_list(0, "a.test", "listed", 1);
}

/* --- what the house knows ------------------------------------------------ */

static void
test_memory_and_rates(void **state)
{
	static const char *const settings[] = {"doorbell_ipv6_prefix_length=64",
	    "doorbell_connection_rate_limit=9", NULL};
	struct record record = {.expires = {{0}}};
	struct quota_client *client;
	const struct json_value *v;
	const struct addr a = given_addr("2001:db8:0:1::7");
	const struct record_key key = record_key_of(&a, 32, 64);

	(void)state;
	open_with(settings);
	record.expires[RECORD_PREGREET].s = FAKE_CLOCK_WALL_S + 60;
	assert_int_equal(cache_store(stage.cache, &key, &record), 0);
	client = quota_enter(stage.screen->quota, &key);
	quota_enter(stage.screen->quota, &key);
	rate_add(stage.screen->connections, &key, clock_mono());
	for (int i = 0; i < 3; i++)
		rate_add(stage.screen->failures, &key, clock_mono());
	/* A neighbour in its network. */
	ask("2001:db8:0:1:ffff::1");
	v = answer();
	assert_string_equal(json_value_text(v, "outcome"), "known");
	assert_true(json_value_is_true(json_value_get(v, "cache"), "used"));
	v = json_value_get(v, "rates");
	assert_int_equal(json_value_number(v, "connections_now"), 2);
	assert_int_equal(json_value_number(v, "connections_a_minute"), 1);
	assert_int_equal(json_value_number(v, "failures_an_hour"), 3);
	quota_leave(stage.screen->quota, client);
	quota_leave(stage.screen->quota, client);
	/* Somebody else. */
	ask("2001:db8:0:2::7");
	v = answer();
	assert_string_equal(json_value_text(v, "outcome"), "tested");
	v = json_value_get(v, "rates");
	assert_int_equal(json_value_number(v, "connections_now"), 0);
	assert_int_equal(json_value_number(v, "failures_an_hour"), 0);
	/* The file is of no use any longer. */
	fake_cache_fail(stage.cache, "gone");
	ask("2001:db8:0:1::7");
	v = answer();
	assert_string_equal(json_value_text(v, "outcome"), "tested");
	assert_false(json_value_is_true(json_value_get(v, "cache"), "used"));
	stage.screen->cache = NULL;
	ask("2001:db8:0:1::7");
	assert_true(says("There is no memory of clients."));
}

/* --- who asks ------------------------------------------------------------- */

static void
test_what_is_no_address(void **state)
{
	static const struct {
		const char *text, *trouble;
	} cases[] = {
	    {"mail.test", "mail.test: not an address"},
	    {"192.0.2.0/24", "192.0.2.0/24: not an address"},
	    {"", ": not an address"},
	};
	char text[300], cut[200];

	(void)state;
	open_with(one_list);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		status = CONTROL_DONE;
		ask(cases[i].text);
		assert_int_equal(status, CONTROL_BAD);
		assert_string_equal(trouble, cases[i].trouble);
	}
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	snprintf(cut, sizeof(cut), "%.100s: not an address", text);
	ask(text);
	assert_string_equal(trouble, cut);
	assert_int_equal(fake_resolver_total(), 0);
}

static void
assert_put_off(void)
{
	failed = 0;
	ask("192.0.2.7");
	assert_int_equal(failed, 1);
	assert_int_equal(status, CONTROL_FAILED);
	assert_string_equal(
	    trouble, "too much is explained at once: try again");
}

static void
assert_served(void)
{
	finished = 0;
	ask("192.0.2.7");
	fake_resolver_absent(NAME("a.test"), 60);
	assert_int_equal(finished, 1);
}

static void
test_pace(void **state)
{
	(void)state;
	open_with(one_list);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < EXPLAIN_BURST; i++)
			assert_served();
		assert_put_off();
		/* Who is put off does not make it worse. */
		pass_time(EXPLAIN_PACE_MS - 1);
		assert_put_off();
		pass_time(1);
		assert_served();
		assert_put_off();
		pass_time((int64_t)24 * 3600 * 1000);
	}
}

static void
test_so_many_at_once(void **state)
{
	struct control_call many[EXPLAIN_AT_ONCE];

	(void)state;
	open_with(one_list);
	for (size_t i = 0; i < EXPLAIN_AT_ONCE; i++)
		ask_by(&many[i], "192.0.2.7");
	assert_put_off();
	/* Who goes makes room, and his questions go with him. */
	many[3].abandon(&many[3]);
	buf_clear(&many[3].body);
	assert_int_equal(fake_resolver_pending(), EXPLAIN_AT_ONCE - 1);
	ask_by(&many[3], "192.0.2.8");
	assert_put_off();
	assert_int_equal(
	    fake_resolver_absent(NAME("a.test"), 60), EXPLAIN_AT_ONCE - 1);
	assert_int_equal(finished, EXPLAIN_AT_ONCE - 1);
	assert_int_equal(control.explaining, 1);
	fake_resolver_absent("8.2.0.192.a.test", 60);
	assert_non_null(strstr(buf_str(&many[3].body), "\"192.0.2.8\""));
	for (size_t i = 0; i < EXPLAIN_AT_ONCE; i++)
		buf_clear(&many[i].body);
}

static void
test_no_timer(void **state)
{
	(void)state;
	open_with(one_list);
	fake_loop_fault = (struct fake_fault){.armed = true, .at = 1};
	ask("192.0.2.7");
	fake_loop_fault.armed = false;
	assert_int_equal(failed, 1);
	assert_int_equal(status, CONTROL_FAILED);
	assert_string_equal(trouble, strerror(ENOMEM));
	assert_int_equal(fake_resolver_total(), 0);
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
	    TEST(test_each_kind_of_answer),
	    TEST(test_more_addresses_than_are_shown),
	    TEST(test_questions_that_cannot_be_asked),
	    TEST(test_lists_that_are_not_used),
	    TEST(test_lists_under_stress),
	    TEST(test_lists_that_nobody_asks),
	    TEST(test_policy_goes_meanwhile),
	    TEST(test_memory_and_rates),
	    TEST(test_what_is_no_address),
	    TEST(test_pace),
	    TEST(test_so_many_at_once),
	    TEST(test_no_timer),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name(
	    "ops/explain_answer", tests, NULL, NULL);
}
