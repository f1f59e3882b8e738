/* SPDX-License-Identifier: ISC */
/* clang-format off */
/* links: control_room stage heard_log fake_local fake_clock fake_loop fake_stream fake_fdpass fake_resolver fake_cache fake_mem given_addr */
/* clang-format on */
#include "ops/rule_answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/control_room.h"
#include "support/fake_cache.h"
#include "support/fake_clock.h"
#include "support/given_addr.h"
#include "support/heard_log.h"

/* A client of the cache is 24 bits of IPv4 here, or 64 of IPv6. */
static const char *const settings[] = {
    "doorbell_ipv4_prefix_length=24", "doorbell_ipv6_prefix_length=64", NULL};

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
	return 0;
}

static void
expect_log(const char *want)
{
	assert_string_equal(heard_log(), want);
}

static const struct rule *
rule_for(const char *client)
{
	const struct addr a = given_addr(client);

	return rules_find(room.rules, &a, clock_wall());
}

/* --- allow and deny ---------------------------------------------------------- */

static const struct {
	const char *line, *block, *what;
	int64_t for_s; /* 0: for good */
	const char *note, *log;
} made[] = {
    {"allow 192.0.2.1", "192.0.2.1/32", "allow", 0, "",
	"control: uid 4711: allow 192.0.2.1/32\n"},
    {"deny 192.0.2.0/24 --for=2h --note=\"a \\\"bot\\\" net\"", "192.0.2.0/24",
	"deny", 7200, "a \"bot\" net",
	"control: uid 4711: deny 192.0.2.0/24\n"},
    /* The bits of a host do not count. */
    {"deny 192.0.2.77/25", "192.0.2.0/25", "deny", 0, "",
	"control: uid 4711: deny 192.0.2.0/25\n"},
    {"allow 10.0.0.0/8 --for=1", "10.0.0.0/8", "allow", 1, "",
	"control: uid 4711: allow 10.0.0.0/8\n"},
    {"allow 2001:db8::1/64 --note=\"\"", "2001:db8::/64", "allow", 0, "",
	"control: uid 4711: allow 2001:db8::/64\n"},
    {"allow 2001::/16 --for=3660d", "2001::/16", "allow", 316224000, "",
	"control: uid 4711: allow 2001::/16\n"},
    /* It is IPv4 in disguise. */
    {"deny ::ffff:192.0.2.9", "192.0.2.9/32", "deny", 0, "",
	"control: uid 4711: deny 192.0.2.9/32\n"},
};

static void
expect_rule(const struct json_value *rule, size_t i)
{
	const struct json_value *until = json_value_get(rule, "until");

	assert_string_equal(json_value_text(rule, "block"), made[i].block);
	assert_string_equal(json_value_text(rule, "what"), made[i].what);
	assert_int_equal(json_value_number(rule, "uid"), CONTROL_ROOM_UID);
	assert_int_equal(json_value_number(rule, "since"), FAKE_CLOCK_WALL_S);
	assert_string_equal(json_value_text(rule, "note"), made[i].note);
	assert_non_null(until);
	if (made[i].for_s == 0)
		assert_int_equal(until->kind, JSON_NULL);
	else
		assert_int_equal(
		    until->number, FAKE_CLOCK_WALL_S + made[i].for_s);
}

/* What the cache keeps is the same rule. */
static void
expect_kept(size_t i)
{
	const struct cache_note *note =
	    &fake_cache_hooks(room.stage.cache)->note;
	struct rule rule;

	assert_int_equal(fake_cache_hooks(room.stage.cache)->notes, 1);
	assert_false(note->drop);
	assert_int_equal(
	    rules_decode(span_of((const char *)note->key.bytes, note->key.n),
		span_of((const char *)note->bytes, note->n), &rule),
	    0);
	assert_int_equal(rule.allow, made[i].what[0] == 'a');
	assert_int_equal(rule.uid, CONTROL_ROOM_UID);
	assert_string_equal(rule.note, made[i].note);
	assert_int_equal(rule.until.s, made[i].for_s == 0
					   ? RULE_FOR_GOOD
					   : FAKE_CLOCK_WALL_S + made[i].for_s);
}

static void
test_make(void **state)
{
	const struct json_value *v;

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		tear_down(state);
		set_up(state);
		v = control_room_ask(&room, made[i].line);
		if (room.status != CONTROL_DONE)
			fail_msg("%s: %s", made[i].line,
			    json_value_text(v, "error"));
		expect_rule(json_value_get(v, "rule"), i);
		assert_true(json_value_is_true(v, "kept"));
		assert_int_equal(rules_count(room.rules), 1);
		expect_kept(i);
		expect_log(made[i].log);
	}
}

static const struct {
	const char *line, *error;
} mistakes[] = {
    {"allow mx.test", "mx.test: not an address or address/length"},
    {"allow \"\"", ": not an address or address/length"},
    {"allow 192.0.2.1/33", "192.0.2.1/33: not an address or address/length"},
    {"allow 192.0.2.1/", "192.0.2.1/: not an address or address/length"},
    {"deny 192.0.2", "192.0.2: not an address or address/length"},
    {"deny [2001:db8::1]", "[2001:db8::1]: not an address or address/length"},
    {"allow 0.0.0.0/0", "0.0.0.0/0: blocks larger than /8 are not for rules"
			" made by hand; use the access list"},
    {"allow 10.0.0.0/7", "10.0.0.0/7: blocks larger than /8 are not for rules"
			 " made by hand; use the access list"},
    {"deny ::/0", "::/0: blocks larger than /16 are not for rules"
		  " made by hand; use the access list"},
    {"deny 2000::/15", "2000::/15: blocks larger than /16 are not for rules"
		       " made by hand; use the access list"},
    {"allow 192.0.2.1 --for=0", "--for 0: not a time between 1s and ten years"},
    {"allow 192.0.2.1 --for=-1",
	"--for -1: not a time between 1s and ten years"},
    {"allow 192.0.2.1 --for=", "--for : not a time between 1s and ten years"},
    {"allow 192.0.2.1 --for=3661d",
	"--for 3661d: not a time between 1s and ten years"},
    {"allow 192.0.2.1 --for=99999999999999999999w",
	"--for 99999999999999999999w: not a time between 1s and ten years"},
    {"allow 192.0.2.1 --for=2y",
	"--for 2y: not a time between 1s and ten years"},
    {"forget mx.test", "mx.test: not an address or address/length"},
    {"forget 0.0.0.0/0", "0.0.0.0/0: blocks larger than /8 are not for rules"
			 " made by hand; use the access list"},
    {"rules --limit=20001", "--limit is 0 to 20000"},
    {"rules --limit=-1", "--limit is 0 to 20000"},
    {"rules --limit=", "--limit is 0 to 20000"},
    {"rules --limit=all", "--limit is 0 to 20000"},
};

static void
test_mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		control_room_refuses(
		    &room, mistakes[i].line, CONTROL_BAD, mistakes[i].error);
	assert_int_equal(rules_count(room.rules), 0);
	assert_int_equal(fake_cache_hooks(room.stage.cache)->notes, 0);
	expect_log("");
}

/* What is not an address is repeated only so far. */
static void
test_long_mistake(void **state)
{
	char line[300] = "deny ", want[300];

	(void)state;
	memset(line + 5, '1', 250);
	(void)snprintf(want, sizeof(want),
	    "%.100s: not an address or address/length", line + 5);
	control_room_refuses(&room, line, CONTROL_BAD, want);
}

/* 127 bytes fit, one more does not. */
static void
test_note(void **state)
{
	char note[RULE_NOTE_MAX + 1], line[REQUEST_LINE_MAX];
	const struct json_value *v;

	(void)state;
	memset(note, 'n', sizeof(note));
	note[RULE_NOTE_MAX - 1] = '\0';
	(void)snprintf(line, sizeof(line), "allow 192.0.2.1 --note=%s", note);
	v = control_room_ask(&room, line);
	assert_int_equal(room.status, CONTROL_DONE);
	assert_string_equal(
	    json_value_text(json_value_get(v, "rule"), "note"), note);
	assert_string_equal(rule_for("192.0.2.1")->note, note);
	note[RULE_NOTE_MAX - 1] = 'n';
	note[RULE_NOTE_MAX] = '\0';
	(void)snprintf(line, sizeof(line), "deny 192.0.2.1 --note=%s", note);
	control_room_refuses(
	    &room, line, CONTROL_BAD, "the note is longer than 127 bytes");
	assert_true(rule_for("192.0.2.1")->allow);
}

/* The last word about a block counts, and it is one rule. */
static void
test_change_of_mind(void **state)
{
	(void)state;
	(void)control_room_ask(&room, "allow 192.0.2.1 --for=1h");
	(void)control_room_ask(&room, "deny 192.0.2.1");
	assert_int_equal(rules_count(room.rules), 1);
	assert_false(rule_for("192.0.2.1")->allow);
	assert_int_equal(rule_for("192.0.2.1")->until.s, RULE_FOR_GOOD);
}

/* A rule counts, and somebody hears that it will not last. */
static void
test_not_kept(void **state)
{
	const struct json_value *v;

	(void)state;
	fake_cache_fail(room.stage.cache, "on fire");
	v = control_room_ask(&room, "allow 192.0.2.1");
	assert_int_equal(room.status, CONTROL_DONE);
	assert_int_equal(json_value_get(v, "kept")->kind, JSON_FALSE);
	room.screen->cache = NULL;
	v = control_room_ask(&room, "deny 192.0.2.2");
	assert_int_equal(room.status, CONTROL_DONE);
	assert_int_equal(json_value_get(v, "kept")->kind, JSON_FALSE);
	assert_int_equal(rules_count(room.rules), 2);
	/* Nothing is known of records then, either. */
	v = control_room_ask(&room, "forget 192.0.2.2");
	assert_int_equal(room.status, CONTROL_DONE);
	assert_true(json_value_is_true(v, "rule"));
}

static void
test_too_many_rules(void **state)
{
	struct rule rule = {
	    .block = {.base = {.family = ADDR_IPV4}, .bits = 32}};

	(void)state;
	for (unsigned i = 0; i < RULES_MAX; i++) {
		rule.block.base.bytes[1] = (uint8_t)(i >> 16);
		rule.block.base.bytes[2] = (uint8_t)(i >> 8);
		rule.block.base.bytes[3] = (uint8_t)i;
		assert_int_equal(rules_set(room.rules, &rule), 0);
	}
	control_room_refuses(&room, "allow 192.0.2.1", CONTROL_FAILED,
	    "there are too many rules");
	assert_int_equal(fake_cache_hooks(room.stage.cache)->notes, 0);
	expect_log("");
}

/* --- forget ------------------------------------------------------------------ */

static struct record_key
key_of(const char *client)
{
	const struct addr a = given_addr(client);

	return record_key_of(&a, 24, 64);
}

static void
remember(const char *client)
{
	const struct record record = {.expires = {{FAKE_CLOCK_WALL_S + 60}}};
	struct record_key key = key_of(client);

	assert_int_equal(cache_store(room.stage.cache, &key, &record), 0);
}

static bool
is_known(const char *client)
{
	struct record_key key = key_of(client);
	struct record record;

	return cache_find(room.stage.cache, &key, &record);
}

static const struct {
	const char *name, *rule, *known, *line;
	const char *error; /* NULL: it is done */
	const char *block;
	bool had_rule;
	enum json_kind record; /* JSON_NULL: it was not looked for */
} forgotten[] = {
    {"a rule", "192.0.2.1", NULL, "forget 192.0.2.1", NULL, "192.0.2.1/32",
	true, JSON_FALSE},
    {"a record", NULL, "192.0.2.77", "forget 192.0.2.1", NULL, "192.0.2.1/32",
	false, JSON_TRUE},
    {"both", "192.0.2.0/24", "192.0.2.77", "forget 192.0.2.9/24", NULL,
	"192.0.2.0/24", true, JSON_TRUE},
    {"ipv6", "2001:db8::/64", "2001:db8::7", "forget 2001:db8::/64", NULL,
	"2001:db8::/64", true, JSON_TRUE},
    /* There are many clients in it: their records stay. */
    {"a wide rule", "192.0.0.0/16", "192.0.2.1", "forget 192.0.0.0/16", NULL,
	"192.0.0.0/16", true, JSON_NULL},
    {"nothing", NULL, NULL, "forget 192.0.2.1",
	"192.0.2.1/32: there is no rule for it, and nothing in the cache", "",
	false, JSON_NULL},
    {"a wide block without a rule", NULL, "192.0.2.1", "forget 192.0.0.0/16",
	"192.0.0.0/16: there is no rule for it", "", false, JSON_NULL},
    {"the rule for a part of it", "192.0.2.1", NULL, "forget 192.0.0.0/16",
	"192.0.0.0/16: there is no rule for it", "", false, JSON_NULL},
    {"the rule that has it", "192.0.2.0/24", NULL, "forget 192.0.2.1",
	"192.0.2.1/32: there is no rule for it, and nothing in the cache", "",
	false, JSON_NULL},
};

static void
prepare_to_forget(size_t i)
{
	char line[100];

	if (forgotten[i].rule != NULL) {
		(void)snprintf(
		    line, sizeof(line), "deny %s", forgotten[i].rule);
		(void)control_room_ask(&room, line);
	}
	if (forgotten[i].known != NULL)
		remember(forgotten[i].known);
	(void)heard_log();
}

static bool
is_answered(size_t i)
{
	const struct json_value *v = control_room_ask(&room, forgotten[i].line);
	const struct json_value *record = json_value_get(v, "cache");
	char line[100] = "";

	if (forgotten[i].error == NULL)
		(void)snprintf(line, sizeof(line),
		    "control: uid 4711: forget %s\n", forgotten[i].block);
	if (strcmp(heard_log(), line) != 0)
		return false;
	if (forgotten[i].error != NULL)
		return room.status == CONTROL_FAILED &&
		       strcmp(json_value_text(v, "error"),
			   forgotten[i].error) == 0;
	return room.status == CONTROL_DONE && record != NULL &&
	       record->kind == forgotten[i].record &&
	       strcmp(json_value_text(v, "block"), forgotten[i].block) == 0 &&
	       json_value_is_true(v, "rule") == forgotten[i].had_rule;
}

/* The file drops a rule as well. */
static bool
is_done(size_t i)
{
	unsigned made_before = forgotten[i].rule != NULL;

	return rules_count(room.rules) == made_before - forgotten[i].had_rule &&
	       fake_cache_hooks(room.stage.cache)->notes ==
		   made_before + forgotten[i].had_rule &&
	       fake_cache_hooks(room.stage.cache)->note.drop ==
		   forgotten[i].had_rule &&
	       (forgotten[i].known == NULL ||
		   is_known(forgotten[i].known) ==
		       (forgotten[i].record != JSON_TRUE));
}

static void
test_forget(void **state)
{
	for (size_t i = 0; i < sizeof(forgotten) / sizeof(forgotten[0]); i++) {
		tear_down(state);
		set_up(state);
		prepare_to_forget(i);
		if (!is_answered(i) || !is_done(i))
			fail_msg("case \"%s\"", forgotten[i].name);
	}
}

/* The note that drops a rule is for the key of the one that kept it. */
static void
test_forget_keeps_to_its_key(void **state)
{
	struct record_key key;

	(void)state;
	(void)control_room_ask(&room, "allow 2001:db8::99/64");
	key = fake_cache_hooks(room.stage.cache)->note.key;
	(void)control_room_ask(&room, "forget 2001:db8::1/64");
	assert_true(fake_cache_hooks(room.stage.cache)->note.drop);
	assert_int_equal(fake_cache_hooks(room.stage.cache)->note.key.n, key.n);
	assert_memory_equal(fake_cache_hooks(room.stage.cache)->note.key.bytes,
	    key.bytes, key.n);
}

static void
test_cache_delete(void **state)
{
	const struct json_value *v;

	(void)state;
	(void)control_room_ask(&room, "deny 192.0.2.1");
	remember("192.0.2.1");
	(void)heard_log();
	v = control_room_ask(&room, "cache delete 192.0.2.200");
	assert_int_equal(room.status, CONTROL_DONE);
	assert_string_equal(json_value_text(v, "client"), "192.0.2.200");
	expect_log("control: uid 4711: cache delete 192.0.2.200\n");
	assert_false(is_known("192.0.2.1"));
	/* What was said by hand is not the cache's. */
	assert_non_null(rule_for("192.0.2.1"));
	control_room_refuses(&room, "cache delete 192.0.2.200", CONTROL_FAILED,
	    "192.0.2.200: not in the cache");
	control_room_refuses(&room, "cache delete 192.0.2.0/24", CONTROL_FAILED,
	    "192.0.2.0/24: not an address");
	control_room_refuses(&room, "cache delete \"a b\"", CONTROL_FAILED,
	    "a b: not an address");
	remember("192.0.2.1");
	fake_cache_fail(room.stage.cache, "on fire");
	control_room_refuses(&room, "cache delete 192.0.2.1", CONTROL_FAILED,
	    "192.0.2.1: not in the cache");
	room.screen->cache = NULL;
	control_room_refuses(&room, "cache delete 192.0.2.1", CONTROL_FAILED,
	    "192.0.2.1: not in the cache");
	expect_log("");
}

/* --- the list ---------------------------------------------------------------- */

/* By address, IPv4 first, the wider block first; what has expired is not there. */
static void
test_list(void **state)
{
	static const char *const lines[] = {"allow 2001:db8::/32",
	    "deny 198.51.100.7", "deny 9.0.0.0/8", "allow 198.51.100.0/24",
	    "deny 192.0.2.1 --for=10s", "allow 192.0.2.2 --for=11s",
	    "allow 2001:db8::/64", "allow 10.1.2.3"};
	static const char *const want[] = {"9.0.0.0/8", "10.1.2.3/32",
	    "192.0.2.2/32", "198.51.100.0/24", "198.51.100.7/32",
	    "2001:db8::/32", "2001:db8::/64"};
	const struct json_value *v, *rule;
	size_t n = 0;

	(void)state;
	v = control_room_ask(&room, "rules");
	assert_int_equal(json_value_get(v, "rules")->kind, JSON_ARRAY);
	assert_int_equal(json_value_count(json_value_get(v, "rules")), 0);
	assert_int_equal(json_value_get(v, "total")->kind, JSON_NUMBER);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		(void)control_room_ask(&room, lines[i]);
	fake_clock_advance(10000);
	v = control_room_ask(&room, "rules");
	assert_int_equal(json_value_number(v, "total"), 7);
	rule = json_value_get(v, "rules")->first;
	for (; rule != NULL; rule = rule->next) {
		assert_true(n < sizeof(want) / sizeof(want[0]));
		assert_string_equal(json_value_text(rule, "block"), want[n++]);
	}
	assert_int_equal(n, 7);
	rule = json_value_get(v, "rules")->first->next->next;
	assert_string_equal(json_value_text(rule, "what"), "allow");
	assert_int_equal(
	    json_value_number(rule, "until"), FAKE_CLOCK_WALL_S + 11);
	v = control_room_ask(&room, "rules --limit=2");
	assert_int_equal(json_value_number(v, "total"), 7);
	rule = json_value_get(v, "rules");
	assert_int_equal(json_value_count(rule), 2);
	assert_string_equal(
	    json_value_text(rule->first->next, "block"), "10.1.2.3/32");
	v = control_room_ask(&room, "rules --limit=0");
	assert_int_equal(json_value_number(v, "total"), 7);
	assert_int_equal(json_value_count(json_value_get(v, "rules")), 0);
}

/* Some are shown without a word, many with one, and there is an end to it. */
static void
test_long_list(void **state)
{
	struct rule rule = {
	    .block = {.base = {.family = ADDR_IPV4}, .bits = 32}};
	const struct json_value *v;

	(void)state;
	memset(rule.note, '"', RULE_NOTE_MAX - 1);
	for (unsigned i = 0; i < 20001; i++) {
		rule.block.base.bytes[2] = (uint8_t)(i >> 8);
		rule.block.base.bytes[3] = (uint8_t)i;
		assert_int_equal(rules_set(room.rules, &rule), 0);
	}
	v = control_room_ask(&room, "rules");
	assert_int_equal(json_value_count(json_value_get(v, "rules")), 1000);
	assert_int_equal(json_value_number(v, "total"), 20001);
	/* Long ones may be too much for one answer: that is said. */
	control_room_refuses(&room, "rules --limit=20000", CONTROL_FAILED,
	    "the answer is too long");
	v = control_room_ask(&room, "rules --limit=10000");
	assert_int_equal(json_value_count(json_value_get(v, "rules")), 10000);
}

/* A daemon that could not make its table of rules. */
static void
test_no_rules(void **state)
{
	const struct json_value *v;

	(void)state;
	room.screen->rules = NULL;
	v = control_room_ask(&room, "rules");
	assert_int_equal(json_value_number(v, "total"), 0);
	v = control_room_ask(&room, "allow 192.0.2.1");
	assert_int_equal(room.status, CONTROL_FAILED);
	assert_true(json_value_text(v, "error")[0] != '\0');
	remember("192.0.2.1");
	v = control_room_ask(&room, "forget 192.0.2.1");
	assert_int_equal(room.status, CONTROL_DONE);
	assert_false(json_value_is_true(v, "rule"));
	assert_true(json_value_is_true(v, "cache"));
	assert_int_equal(fake_cache_hooks(room.stage.cache)->notes, 0);
}

static void
test_no_memory(void **state)
{
	(void)state;
	(void)control_room_ask(&room, "allow 198.51.100.0/24");
	(void)control_room_ask(&room, "deny 198.51.100.1");
	control_room_starves(
	    &room, "deny 192.0.2.1 --for=2h --note=x", "forget 192.0.2.1");
	control_room_starves(&room, "allow mx.test", NULL);
	control_room_starves(&room, "forget 192.0.2.1", NULL);
	control_room_starves(&room, "cache delete 192.0.2.1", NULL);
	control_room_starves(&room, "rules", NULL);
	assert_int_equal(rules_count(room.rules), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_make),
	    TEST(test_mistakes),
	    TEST(test_long_mistake),
	    TEST(test_note),
	    TEST(test_change_of_mind),
	    TEST(test_not_kept),
	    TEST(test_too_many_rules),
	    TEST(test_forget),
	    TEST(test_forget_keeps_to_its_key),
	    TEST(test_cache_delete),
	    TEST(test_list),
	    TEST(test_long_list),
	    TEST(test_no_rules),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
