/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "lookup/dnsbl_spec.h"

#include <stdarg.h>
#include <setjmp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "support/fake_mem.h"

#define LABEL_59 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static struct addr
addr(const char *text)
{
	struct addr a = {0};

	if (addr_parse(span_str(text), &a) < 0)
		fail_msg("no address: %s", text);
	return a;
}

/* One word, some answers, and what they earn. `low` and `high` are the range
 * of the zone; top NONE: no rule matches. */
#define NONE DNSBL_NO_WEIGHT
static const struct {
	const char *words, *found;
	int points, low, high, top;
} scores[] = {
    {"a.test", "", 0, 0, 1, NONE},
    {"a.test", "127.0.0.2", 1, 0, 1, 1},
    {"a.test", "127.0.0.2 127.0.0.3 127.0.0.4", 1, 0, 1, 1},
    {"a.test*7", "10.0.0.1", 7, 0, 7, 7},
    {"a.test*+7", "10.0.0.1", 7, 0, 7, 7},
    {"a.test*0", "127.0.0.2", 0, 0, 0, 0},
    {"a.test*-3", "127.0.0.2", -3, -3, 0, -3},
    {"a.test=127.0.0.4*2", "127.0.0.4", 2, 0, 2, 2},
    {"a.test=127.0.0.4*2", "127.0.0.5", 0, 0, 2, NONE},
    {"a.test=127.0.0.4*2", "127.0.0.5 127.0.0.4", 2, 0, 2, 2},
    {"a.test=127.0.0.[4]", "127.0.0.4", 1, 0, 1, 1},
    {"a.test=127.0.0.[2..4]", "127.0.0.1", 0, 0, 1, NONE},
    {"a.test=127.0.0.[2..4]", "127.0.0.2", 1, 0, 1, 1},
    {"a.test=127.0.0.[2..4]", "127.0.0.4", 1, 0, 1, 1},
    {"a.test=127.0.0.[2..4]", "127.0.0.5", 0, 0, 1, NONE},
    {"a.test=127.0.0.[2..2]", "127.0.0.2", 1, 0, 1, 1},
    {"a.test=127.0.0.[0;9;200..255]", "127.0.0.0", 1, 0, 1, 1},
    {"a.test=127.0.0.[0;9;200..255]", "127.0.0.9", 1, 0, 1, 1},
    {"a.test=127.0.0.[0;9;200..255]", "127.0.0.199", 0, 0, 1, NONE},
    {"a.test=127.0.0.[0;9;200..255]", "127.0.0.255", 1, 0, 1, 1},
    {"a.test=127.0.[0..255].[1..3]*-2", "127.0.31.3", -2, -2, 0, -2},
    {"a.test=127.0.[0..255].[1..3]*-2", "127.1.31.3", 0, -2, 0, NONE},
    {"a.test=[126;128].[0].[0..9].1", "128.0.9.1", 1, 0, 1, 1},
    /* several rules */
    {"a.test=1.1.1.1*2 a.test=1.1.1.2*3", "1.1.1.1 1.1.1.2", 5, 0, 5, 3},
    {"a.test=1.1.1.1*2,a.test=1.1.1.[1..2]*3", "1.1.1.1", 5, 0, 5, 3},
    {"a.test*2 a.test", "1.1.1.1", 3, 0, 3, 2},
    {"a.test*5 a.test=1.1.1.1*-2", "1.1.1.1", 3, 0, 5, 5},
    {"a.test*5 a.test=1.1.1.1*-8", "1.1.1.1", -3, -3, 5, 5},
    {"a.test*5 a.test=1.1.1.1*-8", "1.1.1.2", 5, -3, 5, 5},
    {"a.test*-5 a.test=1.1.1.1*2", "1.1.1.1", -3, -5, 0, 2},
    {"a.test=1.1.1.1*2 a.test=1.1.1.2*-3", "1.1.1.2", -3, -3, 2, -3},
    /* the ends of int */
    {"a.test*2147483647 a.test*2147483647", "1.1.1.1", INT_MAX, 0, INT_MAX,
	INT_MAX},
    {"a.test*-2147483647 a.test*-2147483647", "1.1.1.1", INT_MIN, INT_MIN, 0,
	-INT_MAX},
    /* names compare without case, and without the root's dot */
    {"A.Test*2 a.tEST.*3", "1.1.1.1", 5, 0, 5, 3},
};

static void
test_scores(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scores) / sizeof(*scores); i++) {
		struct span rest = span_str(scores[i].found), word;
		struct errtext why = {""};
		struct dnsbl_spec spec;
		struct addr found[8];
		size_t n = 0;
		int low, high, points, top;

		while (text_token(&rest, " ", &word))
			if (addr_parse(word, &found[n++]) < 0)
				fail_msg("%s", scores[i].found);
		if (dnsbl_spec_parse(span_str(scores[i].words), &spec, &why) <
		    0)
			fail_msg("%s: %s", scores[i].words, why.text);
		assert_int_equal(spec.zone_count, 1);
		assert_string_equal(spec.zones[0].name, "a.test");
		points = dnsbl_zone_points(spec.zones, found, n);
		top = dnsbl_zone_top_weight(spec.zones, found, n);
		dnsbl_zone_range(spec.zones, &low, &high);
		if (points != scores[i].points || low != scores[i].low ||
		    high != scores[i].high || top != scores[i].top)
			fail_msg("%s: %s earns %d in %d..%d, top %d",
			    scores[i].words, scores[i].found, points, low, high,
			    top);
		dnsbl_spec_clear(&spec);
	}
}

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *words, *why;
} errors[] = {
    {"=127.0.0.1", "bad DNSBL domain name in \"=127.0.0.1\""},
    /* so much is quoted, and no more */
    {"-" X50 X50 X50 X50 "yz",
	"bad DNSBL domain name in \"-" X50 X50 X50
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""},
    {"*2", "bad DNSBL domain name in \"*2\""},
    {"good.test, .bad.test", "bad DNSBL domain name in \".bad.test\""},
    {"bad..test", "bad DNSBL domain name in \"bad..test\""},
    {"-bad.test", "bad DNSBL domain name in \"-bad.test\""},
    {"bad-.test", "bad DNSBL domain name in \"bad-.test\""},
    {"b/d.test", "bad DNSBL domain name in \"b/d.test\""},
    {"bad.test..", "bad DNSBL domain name in \"bad.test..\""},
    {".", "bad DNSBL domain name in \".\""},
    {"127.0.0.4", "bad DNSBL domain name in \"...0.4\""},
    {LABEL_59 "xxxxx.test",
	"bad DNSBL domain name in \"" LABEL_59 "xxxxx.test\""},
    {LABEL_59 "." LABEL_59 "." LABEL_59 ".a*2",
	"bad DNSBL domain name in \"..." LABEL_59 ".a*2\""},
    /* a customer's key is not told */
    {"key.zen.bl.test=127.0.0", "bad DNSBL filter in \"...bl.test=127.0.0\""},
    {"key.bl.test.*two", "bad DNSBL weight in \"...bl.test.*two\""},
    {"key..bl.test", "bad DNSBL domain name in \"...bl.test\""},
    {"key.bl.test..", "bad DNSBL domain name in \"...bl.test..\""},
    {"key.bl.te/st", "bad DNSBL domain name in \"...bl.te/st\""},
    {"a.test=", "bad DNSBL filter in \"a.test=\""},
    {"a.test=*2", "bad DNSBL filter in \"a.test=*2\""},
    {"a.test=127.0.0", "bad DNSBL filter in \"a.test=127.0.0\""},
    {"a.test=127.0.0.", "bad DNSBL filter in \"a.test=127.0.0.\""},
    {"a.test=127.0.0.1.", "bad DNSBL filter in \"a.test=127.0.0.1.\""},
    {"a.test=127.0.0.1.2", "bad DNSBL filter in \"a.test=127.0.0.1.2\""},
    {"a.test=127.0.0.256", "bad DNSBL filter in \"a.test=127.0.0.256\""},
    {"a.test=127.0.0.-1", "bad DNSBL filter in \"a.test=127.0.0.-1\""},
    {"a.test=127.0.0.[]", "bad DNSBL filter in \"a.test=127.0.0.[]\""},
    {"a.test=127.0.0.[2", "bad DNSBL filter in \"a.test=127.0.0.[2\""},
    {"a.test=127.0.0.[2;]", "bad DNSBL filter in \"a.test=127.0.0.[2;]\""},
    {"a.test=127.0.0.[2.4]", "bad DNSBL filter in \"a.test=127.0.0.[2.4]\""},
    {"a.test=127.0.0.[4..2]", "bad DNSBL filter in \"a.test=127.0.0.[4..2]\""},
    {"a.test=127.0.0.[2..]", "bad DNSBL filter in \"a.test=127.0.0.[2..]\""},
    {"a.test=127.0.0.2..4", "bad DNSBL filter in \"a.test=127.0.0.2..4\""},
    {"a.test=::1", "bad DNSBL filter in \"a.test=::1\""},
    {"a.test*", "bad DNSBL weight in \"a.test*\""},
    {"a.test*two", "bad DNSBL weight in \"a.test*two\""},
    {"a.test*1.5", "bad DNSBL weight in \"a.test*1.5\""},
    {"a.test*+", "bad DNSBL weight in \"a.test*+\""},
    {"a.test*+-1", "bad DNSBL weight in \"a.test*+-1\""},
    {"a.test*2147483648", "bad DNSBL weight in \"a.test*2147483648\""},
    {"a.test*1=127.0.0.1", "bad DNSBL weight in \"a.test*1=127.0.0.1\""},
};

static void
test_errors_quote_the_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		struct errtext why = {""};
		struct dnsbl_spec spec;

		if (dnsbl_spec_parse(span_str(errors[i].words), &spec, &why) ==
		    0)
			fail_msg("accepted: %s", errors[i].words);
		if (strncmp(why.text, errors[i].why, strlen(errors[i].why)) !=
		    0)
			fail_msg("%s: %s", errors[i].words, why.text);
		assert_int_equal(spec.zone_count, 0);
		assert_null(spec.zones);
	}
}

static void
test_zones_are_merged_and_keep_their_order(void **state)
{
	struct errtext why = {""};
	struct dnsbl_spec spec;

	(void)state;
	assert_int_equal(dnsbl_spec_parse(span_str(" b.test*2,\ta.test\r\n"
						   "B.test=1.2.3.4 ,, c_1"),
			     &spec, &why),
	    0);
	assert_int_equal(spec.zone_count, 3);
	assert_string_equal(spec.zones[0].name, "b.test");
	assert_int_equal(spec.zones[0].rule_count, 2);
	assert_true(spec.zones[0].rules[0].filter.any);
	assert_false(spec.zones[0].rules[1].filter.any);
	assert_string_equal(spec.zones[1].name, "a.test");
	assert_string_equal(spec.zones[2].name, "c_1");
	dnsbl_spec_clear(&spec);
	dnsbl_spec_clear(&spec);
}

static void
test_nothing_is_no_zones(void **state)
{
	struct dnsbl_spec spec;

	(void)state;
	assert_int_equal(dnsbl_spec_parse(span_of(NULL, 0), &spec, NULL), 0);
	assert_int_equal(spec.zone_count, 0);
	dnsbl_spec_clear(&spec);
}

/* `n` zones "z0.test z1.test ..." */
static int
parse_zones(int n, struct dnsbl_spec *spec_r, struct errtext *why)
{
	char words[2048] = "";
	size_t used = 0;

	for (int i = 0; i < n; i++)
		used += (size_t)snprintf(
		    words + used, sizeof(words) - used, "key.z%d.test ", i);
	return dnsbl_spec_parse(span_of(words, used), spec_r, why);
}

static void
test_too_many_zones(void **state)
{
	struct errtext why = {""};
	struct dnsbl_spec spec;

	(void)state;
	assert_int_equal(parse_zones(DNSBL_ZONES_MAX, &spec, &why), 0);
	assert_int_equal(spec.zone_count, DNSBL_ZONES_MAX);
	dnsbl_spec_clear(&spec);
	assert_int_equal(parse_zones(DNSBL_ZONES_MAX + 1, &spec, &why), -1);
	assert_non_null(strstr(why.text, "\"...z64.test\" is"));
}

static void
test_ipv6_answers_match_no_octets(void **state)
{
	struct addr found = addr("::1");
	struct dnsbl_spec spec;

	(void)state;
	assert_int_equal(
	    dnsbl_spec_parse(
		span_str("a.test=[0..255].[0..255].[0..255].0"), &spec, NULL),
	    0);
	assert_int_equal(dnsbl_zone_points(spec.zones, &found, 1), 0);
	dnsbl_spec_clear(&spec);
}

static void
test_no_memory(void **state)
{
	struct errtext why;
	struct dnsbl_spec spec;
	unsigned n = 0;
	int rc;

	(void)state;
	do {
		why.text[0] = '\0';
		fake_mem_fail_after(n++);
		rc = dnsbl_spec_parse(
		    span_str("a.test b.test*2 a.test*3"), &spec, &why);
		fake_mem_heal();
		if (rc < 0) {
			assert_string_equal(why.text, "out of memory");
			assert_int_equal(fake_mem_live(), 0);
		}
	} while (rc < 0);
	assert_int_equal(n, 7); /* the array, two names, three rules, none */
	dnsbl_spec_clear(&spec);
	assert_int_equal(fake_mem_live(), 0);
}

static const struct {
	const char *sites, *found;
	bool is_error;
} codes[] = {
    {"bl.test", "127.0.0.2", false},
    {"bl.test", "127.0.0.254", false},
    {"bl.test", "127.1.0.1", false},
    {"bl.test", "127.0.10.255", false},
    {"bl.test", "127.255.0.1", false},
    {"bl.test", "127.0.0.1", true},
    {"bl.test", "127.0.0.255", true},
    {"bl.test", "127.255.255.0", true},
    {"bl.test", "127.255.255.254", true},
    {"bl.test", "126.255.255.255", true},
    {"bl.test", "128.0.0.1", true},
    {"bl.test", "203.0.113.9", true},
    {"bl.test", "::1", true},
    {"bl.test=127.0.0.1", "127.0.0.1", false},
    {"bl.test=127.0.0.1", "127.0.0.255", true},
    {"bl.test bl.test=127.0.0.1*0", "127.0.0.1", false},
    {"bl.test=127.0.0.[1..3]", "127.0.0.1", false},
    {"bl.test=127.0.0.[2..3]", "127.0.0.1", true},
    {"bl.test=127.0.0.[2..254] bl.test=127.0.0.255", "127.0.0.255", false},
    {"bl.test=127.0.0.[0..255]", "127.0.0.1", true},
    {"bl.test=127.0.0.[1..254]", "127.0.0.1", true},
    {"bl.test=127.0.[0..255].1", "127.0.0.1", true},
    {"bl.test=127.255.255.[0..255]", "127.255.255.254", false},
    {"bl.test=127.[0..255].[0..255].[0..255]", "127.255.255.254", true},
    {"bl.test=10.[0..255].[0..255].1", "10.7.7.1", false},
    {"bl.test=10.[0..255].[0..255].1", "10.7.7.2", true},
    {"bl.test=[0..255].0.0.1", "10.0.0.1", true},
};

static void
test_error_codes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		struct addr found = addr(codes[i].found);
		struct dnsbl_spec spec;
		struct errtext why;

		assert_int_equal(
		    dnsbl_spec_parse(span_str(codes[i].sites), &spec, &why), 0);
		if (dnsbl_zone_is_error(&spec.zones[0], &found) !=
		    codes[i].is_error)
			fail_msg("%s: %s", codes[i].sites, codes[i].found);
		dnsbl_spec_clear(&spec);
	}
}

static const struct {
	const char *client, *want;
} names[] = {
    {"192.0.2.9", "9.2.0.192.bl.test"},
    {"0.10.200.255", "255.200.10.0.bl.test"},
    {"100.101.1.99", "99.1.101.100.bl.test"},
    {"2001:db8::1a", "a.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
		     "8.b.d.0.1.0.0.2.bl.test"},
};

static void
test_query_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct addr client = addr(names[i].client);
		char name[DNSBL_NAME_MAX];

		assert_int_equal(dnsbl_query_name(&client, "bl.test", name), 0);
		assert_string_equal(name, names[i].want);
	}
}

static void
test_query_names_have_limits(void **state)
{
	struct addr client = addr("2001:db8::1"), none = {0};
	char zone[DNSBL_ZONE_MAX + 2], name[DNSBL_NAME_MAX];

	(void)state;
	memset(zone, 'z', sizeof(zone));
	zone[DNSBL_ZONE_MAX] = '\0';
	assert_int_equal(dnsbl_query_name(&client, zone, name), 0);
	assert_int_equal(strlen(name), 64 + DNSBL_ZONE_MAX);
	zone[DNSBL_ZONE_MAX] = 'z';
	zone[DNSBL_ZONE_MAX + 1] = '\0';
	assert_int_equal(dnsbl_query_name(&client, zone, name), -1);
	assert_int_equal(dnsbl_query_name(&none, "bl.test", name), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scores),
	    cmocka_unit_test(test_errors_quote_the_word),
	    cmocka_unit_test(test_zones_are_merged_and_keep_their_order),
	    cmocka_unit_test(test_nothing_is_no_zones),
	    cmocka_unit_test(test_too_many_zones),
	    cmocka_unit_test(test_ipv6_answers_match_no_octets),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_error_codes),
	    cmocka_unit_test(test_query_names),
	    cmocka_unit_test(test_query_names_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
