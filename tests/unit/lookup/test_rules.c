/* SPDX-License-Identifier: ISC */
/* links: fake_mem given_addr */
#include "lookup/rules.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "support/fake_mem.h"
#include "support/given_addr.h"

static struct rules *rules;
static const struct wall now = {1000};

static int
set_up(void **state)
{
	(void)state;
	rules = rules_new();
	return rules == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rules_free(&rules);
	return 0;
}

static struct rule
rule_for(const char *block, bool allow, int64_t until)
{
	struct rule rule = {.allow = allow, .until = {until}, .uid = 7};

	assert_int_equal(
	    addr_block_parse(span_str(block), false, &rule.block), 0);
	return rule;
}

static void
set(const char *block, bool allow, int64_t until)
{
	struct rule rule = rule_for(block, allow, until);

	assert_int_equal(rules_set(rules, &rule), 0);
}

static const struct rule *
find(const char *client, int64_t when)
{
	const struct addr a = given_addr(client);

	return rules_find(rules, &a, (struct wall){when});
}

static void
test_the_longest_block_decides(void **state)
{
	static const struct {
		const char *client;
		int want; /* bits of the rule, -1: none */
	} cases[] = {
	    {"192.0.2.1", 32},
	    {"192.0.2.2", 24},
	    {"192.0.3.1", 8},
	    {"193.0.2.1", -1},
	    {"2001:db8::1", 64},
	    {"2001:db8:0:1::1", 32},
	    {"2001:db9::1", -1},
	    {"::1", 128},
	};

	(void)state;
	assert_null(find("192.0.2.1", now.s));
	set("192.0.0.0/8", true, RULE_FOR_GOOD);
	set("192.0.2.0/24", false, RULE_FOR_GOOD);
	set("192.0.2.1", true, RULE_FOR_GOOD);
	set("2001:db8::/32", false, RULE_FOR_GOOD);
	set("2001:db8::/64", true, RULE_FOR_GOOD);
	set("::1", true, RULE_FOR_GOOD);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct rule *rule = find(cases[i].client, now.s);
		int got = rule != NULL ? rule->block.bits : -1;

		if (got != cases[i].want) {
			print_error("%s: %d\n", cases[i].client, got);
			fail();
		}
	}
	assert_int_equal(rules_count(rules), 6);
}

static void
count(const struct rule *rule, void *arg)
{
	assert_non_null(rule);
	++*(int *)arg;
}

static void
test_time_is_up(void **state)
{
	int gone = 0;

	(void)state;
	set("192.0.2.0/24", true, RULE_FOR_GOOD);
	set("192.0.2.1", false, 1010);
	set("192.0.2.2", false, 1020);
	assert_int_equal(find("192.0.2.1", 1009)->block.bits, 32);
	/* The shorter one counts again, on the second. */
	assert_int_equal(find("192.0.2.1", 1010)->block.bits, 24);
	rules_expire(rules, (struct wall){1009}, count, &gone);
	assert_int_equal(gone, 0);
	rules_expire(rules, (struct wall){1010}, count, &gone);
	assert_int_equal(gone, 1);
	assert_int_equal(rules_count(rules), 2);
	rules_expire(rules, (struct wall){1019}, count, &gone);
	assert_int_equal(gone, 1);
	/* Renewed: the old time does not count any more. */
	set("192.0.2.2", false, 1030);
	rules_expire(rules, (struct wall){1020}, count, &gone);
	assert_int_equal(gone, 1);
	rules_expire(rules, (struct wall){1030}, count, &gone);
	assert_int_equal(gone, 2);
	rules_expire(rules, (struct wall){999999}, count, &gone);
	assert_int_equal(gone, 2);
	assert_int_equal(rules_count(rules), 1);
}

static void
test_replaced_and_removed(void **state)
{
	const struct rule rule = rule_for("192.0.2.0/24", true, 0);
	const struct rule other = rule_for("192.0.2.0/25", true, 0);

	(void)state;
	set("192.0.2.0/24", true, RULE_FOR_GOOD);
	set("192.0.2.0/24", false, RULE_FOR_GOOD);
	assert_int_equal(rules_count(rules), 1);
	assert_false(find("192.0.2.9", now.s)->allow);
	assert_false(rules_remove(rules, &other.block));
	assert_true(rules_remove(rules, &rule.block));
	assert_false(rules_remove(rules, &rule.block));
	assert_null(find("192.0.2.9", now.s));
}

static void
test_no_more_than_so_many(void **state)
{
	struct rule rule = rule_for("10.0.0.0", true, 0);
	int n = 0;

	(void)state;
	for (uint32_t i = 0; i < RULES_MAX; i++) {
		rule.block.base.bytes[1] = (uint8_t)(i >> 16);
		rule.block.base.bytes[2] = (uint8_t)(i >> 8);
		rule.block.base.bytes[3] = (uint8_t)i;
		assert_int_equal(rules_set(rules, &rule), 0);
	}
	/* Again is not one more. */
	assert_int_equal(rules_set(rules, &rule), 0);
	rule.block.base.bytes[0] = 11;
	assert_int_equal(rules_set(rules, &rule), -1);
	assert_int_equal(errno, ENOSPC);
	rules_each(rules, count, &n);
	assert_int_equal(n, RULES_MAX);
}

static struct span
key_of(const struct cache_note *note)
{
	return span_of((const char *)note->key.bytes, note->key.n);
}

static struct span
bytes_of(const struct cache_note *note, size_t n)
{
	return span_of((const char *)note->bytes, n);
}

static void
test_bytes(void **state)
{
	struct rule rule = rule_for("2001:db8::/48", true, 1LL << 40), back;
	struct cache_note note;

	(void)state;
	rule.uid = UINT32_MAX - 1;
	rule.since.s = 1763718855;
	memset(rule.note, 'n', RULE_NOTE_MAX - 1);
	rules_encode(&rule, &note);
	assert_false(note.drop);
	assert_int_equal(
	    rules_decode(key_of(&note), bytes_of(&note, note.n), &back), 0);
	assert_memory_equal(&rule, &back, sizeof(rule));
	/* The note is what is left of it. */
	for (size_t n = 0; n < note.n; n++) {
		int rc = rules_decode(key_of(&note), bytes_of(&note, n), &back);

		assert_int_equal(rc, n < 22 ? -1 : 0);
		if (rc == 0)
			assert_int_equal(strlen(back.note), n - 22);
	}
	assert_int_equal(
	    rules_decode(key_of(&note), bytes_of(&note, note.n + 1u), &back),
	    -1);
	note.bytes[0] = 9;
	assert_int_equal(
	    rules_decode(key_of(&note), bytes_of(&note, note.n), &back), -1);
	note.bytes[0] = 1;
	note.key.bytes[0] = 5;
	assert_int_equal(
	    rules_decode(key_of(&note), bytes_of(&note, note.n), &back), -1);
}

static void
test_without_memory(void **state)
{
	const struct rule rule = rule_for("192.0.2.0/24", false, RULE_FOR_GOOD);
	struct rules *other = NULL;
	long before = fake_mem_live();

	(void)state;
	rules_free(&other);
	for (unsigned n = 0; other == NULL; n++) {
		assert_true(n < 10);
		assert_int_equal(fake_mem_live(), before);
		fake_mem_fail_after(n);
		other = rules_new();
		fake_mem_heal();
	}
	fake_mem_fail_after(0);
	assert_int_equal(rules_set(other, &rule), -1);
	assert_int_equal(errno, ENOMEM);
	fake_mem_heal();
	assert_int_equal(rules_count(other), 0);
	assert_int_equal(rules_set(other, &rule), 0);
	rules_free(&other);
	assert_int_equal(fake_mem_live(), before);
}

/* Takes as many as there is room for. */
static int
keep_some(const struct rule *rule, void *arg)
{
	int *room = arg;

	assert_true(rule->block.bits > 0);
	if (*room == 0)
		return -1;
	--*room;
	return 0;
}

static void
test_lost_rules_are_kept_anew(void **state)
{
	struct addr_block block = rule_for("192.0.2.4", true, 0).block;
	char text[32];
	int room = 1;

	(void)state;
	for (int i = 0; i < 9; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d", i);
		set(text, i % 2 == 0, RULE_FOR_GOOD);
	}
	rules_keep(rules, keep_some, &room);
	assert_int_equal(room, 1);
	rules_lose(rules);
	/* Twice is once. */
	rules_lose(rules);
	/* Who is removed, or made after the loss, need not be kept. */
	assert_true(rules_remove(rules, &block));
	set("192.0.2.99", true, RULE_FOR_GOOD);
	room = 3;
	rules_keep(rules, keep_some, &room);
	assert_int_equal(room, 0);
	room = 100;
	rules_keep(rules, keep_some, &room);
	assert_int_equal(room, 95);
	room = 100;
	rules_keep(rules, keep_some, &room);
	assert_int_equal(room, 100);
}

static void
count_rule(const struct rule *rule, void *arg)
{
	(void)rule;
	++*(int *)arg;
}

/* Later ones do not hide that an earlier one is due. */
static void
test_the_earliest_is_known(void **state)
{
	int gone = 0;

	(void)state;
	set("192.0.2.0/24", true, 2000);
	set("198.51.100.0/24", true, 3000);
	set("203.0.113.0/24", true, 1500);
	rules_expire(rules, (struct wall){1600}, count_rule, &gone);
	assert_int_equal(rules_count(rules), 2);
	rules_expire(rules, (struct wall){2500}, count_rule, &gone);
	assert_int_equal(rules_count(rules), 1);
	assert_int_equal(gone, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_the_longest_block_decides),
	    TEST(test_time_is_up),
	    TEST(test_replaced_and_removed),
	    TEST(test_no_more_than_so_many),
	    TEST(test_bytes),
	    TEST(test_without_memory),
	    TEST(test_lost_rules_are_kept_anew),
	    TEST(test_the_earliest_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
