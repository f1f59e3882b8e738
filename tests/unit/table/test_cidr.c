/* SPDX-License-Identifier: ISC */
/* links: given_addr */
#include "table/cidr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/given_addr.h"

static const struct table_options no_options;

static struct cidr *
read_rules(const char *text, unsigned *bad_r)
{
	struct cidr *c;
	struct load l;

	load_init(&l, "test", &no_options);
	c = cidr_read(span_str(text), &l);
	assert_non_null(c);
	*bad_r = l.bad;
	return c;
}

/* The value for a key, or "-". */
static const char *
ask(const struct cidr *c, const char *key)
{
	const struct addr a = given_addr(key);
	struct table_match match;

	return cidr_find(c, &a, &match) == TABLE_FOUND ? match.value : "-";
}

static const struct {
	const char *name, *text, *key, *want;
	unsigned bad;
} rule_cases[] = {
    {"exact", "192.0.2.1 x", "192.0.2.1", "x", 0},
    {"exact, other", "192.0.2.1 x", "192.0.2.2", "-", 0},
    {"network", "192.0.2.0/24 x y  ", "192.0.2.255", "x y", 0},
    {"beside network", "192.0.2.0/24 x", "192.0.3.0", "-", 0},
    {"everything", "0.0.0.0/0 x", "255.1.2.3", "x", 0},
    {"odd length", "10.0.0.128/25 x", "10.0.0.127", "-", 0},
    {"first wins over longest", "10.0.0.0/8 a\n10.1.0.0/16 b", "10.1.0.1", "a",
	0},
    {"longest first", "10.1.0.0/16 b\n10.0.0.0/8 a", "10.1.0.1", "b", 0},
    {"duplicate", "10.0.0.0/8 a\n10.0.0.0/8 b", "10.1.0.1", "a", 0},
    {"ipv6", "2001:db8::/32 x", "2001:db8:1::1", "x", 0},
    {"ipv6 spelling", "2001:0DB8:0:0::1 x", "2001:db8::1", "x", 0},
    {"ipv6 everything is not ipv4", "::/0 x", "10.0.0.1", "-", 0},
    {"ipv4 everything is not ipv6", "0.0.0.0/0 x", "::1", "-", 0},
    {"brackets", "[::1] x", "::1", "x", 0},
    {"brackets and length", "[2001:db8::]/32 x", "2001:db8::9", "x", 0},
    {"brackets around ipv4", "[10.0.0.1] x", "10.0.0.1", "x", 0},
    {"garbage behind bracket", "[10.0.0.1]x y", "10.0.0.1", "-", 1},
    {"open bracket", "[10.0.0.1 x", "10.0.0.1", "-", 1},
    {"empty brackets", "[] x", "10.0.0.1", "-", 1},
    {"mapped", "::ffff:10.0.0.0/104 x", "10.9.9.9", "x", 0},
    {"negated", "!10.0.0.0/8 x", "11.0.0.1", "x", 0},
    {"negated, inside", "!10.0.0.0/8 x", "10.0.0.1", "-", 0},
    {"negated, other family", "!10.0.0.0/8 x", "::1", "-", 0},
    {"negated with blank", "! 10.0.0.0/8 x", "11.0.0.1", "x", 0},
    {"twice negated", "!!10.0.0.0/8 x", "10.0.0.1", "x", 0},
    {"negated before plain", "!10.0.0.0/8 x\n11.0.0.0/8 y", "11.0.0.1", "x", 0},
    {"plain before negated", "11.0.0.0/8 y\n!10.0.0.0/8 x", "11.0.0.1", "y", 0},
    {"if", "if 10.0.0.0/8\n10.1.0.0/16 x\nendif\n", "10.1.0.1", "x", 0},
    {"if, outside", "if 10.0.0.0/8\n0.0.0.0/0 x\nendif\n", "11.1.0.1", "-", 0},
    {"if not", "if !10.0.0.0/8\n0.0.0.0/0 x\nendif", "11.1.0.1", "x", 0},
    {"if not, inside", "if !10.0.0.0/8\n0.0.0.0/0 x\nendif", "10.1.0.1", "-",
	0},
    {"if not, other family", "if !10.0.0.0/8\n::/0 x\nendif", "::1", "-", 0},
    {"behind if", "if 10.0.0.0/8\n10.1.0.0/16 x\nendif\n0.0.0.0/0 y",
	"11.0.0.1", "y", 0},
    {"through if", "if 10.0.0.0/8\n10.1.0.0/16 x\nendif\n0.0.0.0/0 y",
	"10.0.0.1", "y", 0},
    {"nested",
	"if 10.0.0.0/8\nif 10.1.0.0/16\n10.1.1.0/24 x\nendif\n10.0.0.0/8 y\n"
	"endif\n0.0.0.0/0 z",
	"10.1.1.1", "x", 0},
    {"nested, inner skipped",
	"if 10.0.0.0/8\nif 10.1.0.0/16\n0.0.0.0/0 x\nendif\n10.0.0.0/8 y\n"
	"endif\n0.0.0.0/0 z",
	"10.2.1.1", "y", 0},
    {"nested, both skipped",
	"if 10.0.0.0/8\nif 10.1.0.0/16\n0.0.0.0/0 x\nendif\n10.0.0.0/8 y\n"
	"endif\n0.0.0.0/0 z",
	"12.2.1.1", "z", 0},
    {"duplicates", "10.0.0.0/8 a\n10.0.0.0/8 b\n10.0.0.0/8 c\n10.0.0.0/8 d",
	"10.1.0.1", "a", 0},
    {"if alone", "if\n10.0.0.1 x", "10.0.0.1", "x", 1},
    {"a word like if", "ifs 10.0.0.0/8\n10.0.0.1 x", "10.0.0.1", "x", 1},
    {"brackets around too much",
	"[0000000000000000000000000000000000000000000000000000000000::1] x",
	"::1", "-", 1},
    {"a long word",
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx y",
	"::1", "-", 1},
    {"keywords in capitals", "IF 10.0.0.0/8\n10.1.0.0/16 x\nENDIF", "10.1.0.1",
	"x", 0},
    {"if without blank", "if!10.0.0.0/8\n0.0.0.0/0 x\nendif", "11.0.0.1", "x",
	0},
    {"if without endif", "if 10.0.0.0/8\n11.0.0.0/8 x\n", "11.0.0.1", "-", 1},
    {"endif without if", "endif\n10.0.0.1 x", "10.0.0.1", "x", 1},
    {"text after endif", "if 10.0.0.1\nendif x\n11.0.0.1 x", "11.0.0.1", "-",
	2},
    {"text after if", "if 10.0.0.1 x\n11.0.0.1 x", "11.0.0.1", "x", 1},
    {"host bits", "10.0.0.1/8 x\n10.0.0.0/16 y", "10.0.0.1", "y", 1},
    {"length too long", "10.0.0.0/33 x", "10.0.0.0", "-", 1},
    {"no length", "10.0.0.0/ x", "10.0.0.0", "-", 1},
    {"no value", "10.0.0.1\n10.0.0.1 y", "10.0.0.1", "y", 1},
    {"not an address", "example.com x\n10.0.0.1 y", "10.0.0.1", "y", 1},
    {"octal", "010.0.0.1 x", "10.0.0.1", "-", 1},
    {"comments", "# a\n  # b\n\n10.0.0.1 x # y\n", "10.0.0.1", "x # y", 0},
    {"continued", "10.0.0.1 x\n  y\n", "10.0.0.1", "x  y", 0},
    {"continued over a comment", "10.0.0.1 x\n# c\n\n\ty", "10.0.0.1", "x\ty",
	0},
    {"white space first", " 10.0.0.1 x\n10.0.0.1 y", "10.0.0.1", "y", 1},
    {"empty", "", "10.0.0.1", "-", 0},
    {"carriage returns", "10.0.0.1 x\r\n10.0.0.2 y\r\n", "10.0.0.2", "y", 0},
};

static void
test_rules(void **state)
{
	unsigned bad;

	(void)state;
	for (size_t i = 0; i < sizeof(rule_cases) / sizeof(rule_cases[0]);
	     i++) {
		struct cidr *c = read_rules(rule_cases[i].text, &bad);
		const char *got = ask(c, rule_cases[i].key);

		if (strcmp(got, rule_cases[i].want) != 0 ||
		    bad != rule_cases[i].bad)
			fail_msg("%s: got \"%s\", %u bad", rule_cases[i].name,
			    got, bad);
		cidr_free(&c);
		assert_null(c);
	}
}

static void
test_line_numbers(void **state)
{
	struct table_match match;
	unsigned bad;
	struct cidr *c = read_rules(
	    "# one\n\n10.0.0.0/8\n  a\n10.0.0.0/8 b\n11.0.0.1 c", &bad);
	struct addr a;

	(void)state;
	addr_parse(span_str("10.0.0.1"), &a);
	assert_int_equal(cidr_find(c, &a, &match), TABLE_FOUND);
	assert_int_equal(match.line, 3);
	addr_parse(span_str("11.0.0.1"), &a);
	assert_int_equal(cidr_find(c, &a, &match), TABLE_FOUND);
	assert_int_equal(match.line, 6);
	cidr_free(&c);
}

static void
test_first_complaint(void **state)
{
	struct cidr *c;
	struct load l;

	(void)state;
	load_init(&l, "/etc/x", &no_options);
	c = cidr_read(span_str("10.0.0.0/8 a\n10.0.0.3/30 b\nfoo c\n"), &l);
	assert_int_equal(l.bad, 2);
	assert_string_equal(l.first.text,
	    "/etc/x:2: non-null host address bits in \"10.0.0.3/30\", perhaps "
	    "you should use \"10.0.0.0/30\" instead");
	cidr_free(&c);
}

/* --- the index against a walk over all rules ------------------------------ */
enum { RANDOM_RULES = 300, RANDOM_KEYS = 400, RANDOM_TABLES = 60 };

struct plain_rule {
	char kind; /* 'm'atch, 'i'f, 'e'ndif */
	bool negated;
	struct addr_block block;
};

static uint32_t
next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Few distinct bits, so that blocks overlap and keys hit them. */
static struct addr
random_addr(uint32_t *seed)
{
	struct addr a = {.family = ADDR_IPV4};

	a.bytes[0] = (uint8_t)(10 + next_random(seed) % 2);
	a.bytes[1] = (uint8_t)(next_random(seed) % 4 * 64);
	a.bytes[2] = (uint8_t)(next_random(seed) % 4);
	a.bytes[3] = (uint8_t)(next_random(seed) % 8);
	if (next_random(seed) % 3 == 0) {
		a.family = ADDR_IPV6;
		a.bytes[15] = (uint8_t)(next_random(seed) % 4);
	}
	return a;
}

static const struct plain_rule *
walk(const struct plain_rule *rules, size_t n, const struct addr *a)
{
	int depth, skip = 0;

	depth = 0;
	for (size_t i = 0; i < n; i++) {
		bool applies =
		    rules[i].block.base.family == a->family &&
		    addr_block_has(&rules[i].block, a) != rules[i].negated;

		if (rules[i].kind == 'i') {
			depth++;
			if (skip == 0 && !applies)
				skip = depth;
		} else if (rules[i].kind == 'e') {
			if (skip == depth)
				skip = 0;
			depth--;
		} else if (skip == 0 && applies) {
			return &rules[i];
		}
	}
	return NULL;
}

static size_t
make_rules(struct plain_rule *rules, char *text, size_t size, uint32_t *seed)
{
	char addr[ADDR_TEXT_MAX];
	int open = 0;
	size_t used = 0;

	for (size_t i = 0; i < RANDOM_RULES; i++) {
		struct plain_rule *rule = &rules[i];
		struct addr a = random_addr(seed);
		unsigned bits = next_random(seed) % (addr_bits(&a) + 1);
		uint32_t dice = next_random(seed) % 40;
		bool ends = open > 0 && dice < 4;

		rule->kind = ends ? 'e' : dice == 5 ? 'i' : 'm';
		rule->negated = rule->kind != 'e' && dice % 39 == 5;
		rule->block.bits = (uint8_t)bits;
		rule->block.base = addr_masked(&a, bits);
		open += rule->kind == 'i' ? 1 : rule->kind == 'e' ? -1 : 0;
		if (rule->kind == 'e')
			used += (size_t)snprintf(
			    text + used, size - used, "endif\n");
		else
			used += (size_t)snprintf(text + used, size - used,
			    "%s%s%s/%u %s\n", rule->kind == 'i' ? "if " : "",
			    rule->negated ? "!" : "",
			    addr_format(&rule->block.base, addr), bits,
			    rule->kind == 'i' ? "" : "x");
		assert_true(used < size);
	}
	return (size_t)open;
}

static void
test_index_is_a_walk(void **state)
{
	static struct plain_rule rules[RANDOM_RULES];
	static char text[RANDOM_RULES * 64];
	uint32_t seed = 20240229;
	unsigned bad, found = 0;

	(void)state;
	for (int round = 0; round < RANDOM_TABLES; round++) {
		size_t open = make_rules(rules, text, sizeof(text), &seed);
		struct cidr *c = read_rules(text, &bad);

		assert_int_equal(bad, open);
		for (int k = 0; k < RANDOM_KEYS; k++) {
			struct addr a = random_addr(&seed);
			struct table_match match = {.line = 0};
			const struct plain_rule *want =
			    walk(rules, RANDOM_RULES, &a);
			int line = want == NULL ? 0 : (int)(want - rules) + 1;

			found += cidr_find(c, &a, &match) == TABLE_FOUND;
			if (match.line != line)
				fail_msg("round %d: line %d, expected %d",
				    round, match.line, line);
		}
		cidr_free(&c);
	}
	assert_true(found > RANDOM_TABLES * RANDOM_KEYS / 10);
}

/* 100,000 rules and 100,000 questions: this would take minutes by walking. */
static void
test_big_table(void **state)
{
	enum { COUNT = 100000 };
	struct cidr *c = cidr_new();
	struct addr_block block = {.base.family = ADDR_IPV4, .bits = 32};
	struct table_match match;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		block.base.bytes[0] = 10;
		block.base.bytes[1] = (uint8_t)(i >> 16);
		block.base.bytes[2] = (uint8_t)(i >> 8);
		block.base.bytes[3] = (uint8_t)i;
		assert_int_equal(cidr_add(c, &block, "x", i + 1), 0);
	}
	assert_int_equal(cidr_seal(c), 0);
	for (int i = 0; i < COUNT; i++) {
		block.base.bytes[1] = (uint8_t)(i >> 16);
		block.base.bytes[2] = (uint8_t)(i >> 8);
		block.base.bytes[3] = (uint8_t)i;
		assert_int_equal(
		    cidr_find(c, &block.base, &match), TABLE_FOUND);
		assert_int_equal(match.line, i + 1);
	}
	cidr_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_line_numbers),
	    cmocka_unit_test(test_first_complaint),
	    cmocka_unit_test(test_index_is_a_walk),
	    cmocka_unit_test(test_big_table),
	};

	return cmocka_run_group_tests_name("cidr", tests, NULL, NULL);
}
