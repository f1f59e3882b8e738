/* SPDX-License-Identifier: ISC */
/* clang-format off */
/* links: fake_clock fake_cache fake_mem given_config */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "ops/spared.h"

#include <stdio.h>

#include "screen/checks.h"
#include "support/fake_cache.h"
#include "support/fake_clock.h"
#include "support/fake_mem.h"
#include "support/given_config.h"

/* IPv4 prefixes have 24 bits here, IPv6 ones 64. */

struct friends {
	const char *access, *mynetworks, *skip, *rule;
};

static const struct {
	const char *name;
	struct friends f;
	const char *prefix;
	bool want;
} cases[] = {
    {"nobody's friend", {"", "", "", ""}, "192.0.2.0/24", false},
    {"all are", {"permit", "", "", ""}, "192.0.2.0/24", true},
    {"all others are rejected first", {"static:reject, permit", "", "", ""},
	"192.0.2.0/24", false},
    {"one in a cidr table", {"cidr:{{192.0.2.77 permit}}", "", "", ""},
	"192.0.2.0/24", true},
    {"one next door", {"cidr:{{192.0.3.77 permit}}", "", "", ""},
	"192.0.2.0/24", false},
    {"one that is rejected", {"cidr:{{192.0.2.77 reject}}", "", "", ""},
	"192.0.2.0/24", false},
    {"the list has no opinion", {"cidr:{{192.0.2.77 dunno}}", "", "", ""},
	"192.0.2.0/24", false},
    {"one that was rejected before",
	{"cidr:{{192.0.2.64/26 reject} {192.0.2.77 permit}}", "", "", ""},
	"192.0.2.0/24", false},
    {"a wider network", {"cidr:{{192.0.0.0/16 permit}}", "", "", ""},
	"192.0.2.0/24", true},
    {"all but the first",
	{"cidr:{{192.0.2.0 reject} {192.0.2.0/24 permit}}", "", "", ""},
	"192.0.2.0/24", true},
    {"only the last",
	{"cidr:{{192.0.2.0/25 reject} {192.0.2.128/26 reject} "
	 "{192.0.2.192/27 reject} {192.0.2.224/28 reject} "
	 "{192.0.2.240/29 reject} {192.0.2.248/30 reject} "
	 "{192.0.2.252/31 reject} {192.0.2.254 reject} "
	 "{192.0.0.0/16 permit}}",
	    "", "", ""},
	"192.0.2.0/24", true},
    {"what is behind is another's",
	{"cidr:{{192.0.2.0/24 reject} {192.0.2.255 reject} "
	 "{192.0.0.0/16 permit}}",
	    "", "", ""},
	"192.0.2.0/24", false},
    {"all but some", {"cidr:{{!192.0.2.0/25 permit}}", "", "", ""},
	"192.0.2.0/24", true},
    {"inside an if",
	{"cidr:{{if 192.0.2.0/28} {192.0.2.3 permit} {endif}}", "", "", ""},
	"192.0.2.0/24", true},
    {"the end of all addresses",
	{"cidr:{{255.255.255.255 reject}}", "", "", ""}, "255.255.255.0/24",
	false},
    {"in a table of pairs", {"inline:{192.0.2.5=permit}", "", "", ""},
	"192.0.2.0/24", true},
    {"rejected by a table of pairs", {"inline:{192.0.2.5=reject}", "", "", ""},
	"192.0.2.0/24", false},
    {"patterns might", {"regexp:{{/^10\\./ permit}}", "", "", ""},
	"192.0.2.0/24", true},
    {"mynetworks that are not asked for", {"", "192.0.2.5", "", ""},
	"192.0.2.0/24", true},
    {"none of mynetworks", {"", "!192.0.2.5 198.51.100.0/24", "", ""},
	"192.0.2.0/24", false},
    {"a list of mynetworks in a table",
	{"static:permit_mynetworks", "192.0.2.9", "", ""}, "192.0.2.0/24",
	true},
    {"a table in mynetworks", {"", "inline:{192.0.2.5=x}", "", ""},
	"192.0.2.0/24", true},
    {"a pattern in mynetworks", {"", "regexp:{{/7/ x}}", "", ""},
	"192.0.2.0/24", true},
    {"networks that lists are not asked about", {"", "", "192.0.2.96/27", ""},
	"192.0.2.0/24", true},
    {"by hand, one", {"", "", "", "192.0.2.254"}, "192.0.2.0/24", true},
    {"by hand, all", {"", "", "", "192.0.0.0/16"}, "192.0.2.0/24", true},
    {"by hand, another", {"", "", "", "192.0.1.0/24"}, "192.0.2.0/24", false},
    {"denied by hand", {"", "", "", "-192.0.2.254"}, "192.0.2.0/24", false},
    {"ipv6, one of many", {"cidr:{{2001:db8::25 permit}}", "", "", ""},
	"2001:db8::/64", true},
    {"ipv6, in pairs", {"inline:{2001:db8::25=permit}", "", "", ""},
	"2001:db8::/64", true},
    {"ipv6, next door", {"cidr:{{2001:db8:0:1::25 permit}}", "", "", ""},
	"2001:db8::/64", false},
    {"ipv6, over the edge of a byte",
	{"cidr:{{2001:db8::/72 reject} {2001:db8::/64 permit}}", "", "", ""},
	"2001:db8::/64", true},
    {"ipv6, the end of all addresses",
	{"cidr:{{ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff reject}}", "", "", ""},
	"ffff:ffff:ffff:ffff::/64", false},
    {"a size of before", {"", "", "", ""}, "192.0.2.0/28", true},
};

static struct screen screen;
static struct policy policy;

static void
no_table_report(const char *file, int line, const char *text, void *arg)
{
	(void)arg;
	fail_msg("%s:%d: %s", file, line, text);
}

static int
no_settings(struct span settings, struct errtext *why)
{
	(void)settings;
	(void)why;
	return -1;
}

static int
set_up(void **state)
{
	const char *const words[] = {"doorbell_ipv4_prefix_length=24",
	    "doorbell_ipv6_prefix_length=64", NULL};
	struct errtext why;

	(void)state;
	policy.config = given_config(words);
	screen.policy = &policy;
	screen.cache =
	    cache_open(&(struct cache_options){.path = "/none"}, &why);
	return policy.config == NULL || screen.cache == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	cache_close(&screen.cache);
	config_unref(&policy.config);
	return 0;
}

static struct list *
list_of(const char *words)
{
	const struct table_options o = {.report = no_table_report};
	struct errtext why;
	struct list *l = list_open(span_str(words), &o, &why);

	assert_non_null(l);
	return l;
}

static void
make_friends(const struct friends *f)
{
	const struct table_options o = {.report = no_table_report};
	struct rule rule = {.allow = f->rule[0] != '-'};
	struct errtext why;

	policy.mynetworks = list_of(f->mynetworks);
	policy.skip_networks = list_of(f->skip);
	policy.access = access_open(
	    span_str(f->access), policy.mynetworks, no_settings, &o, &why);
	screen.rules = rules_new();
	assert_non_null(policy.access);
	assert_non_null(screen.rules);
	if (f->rule[0] == '\0')
		return;
	assert_int_equal(addr_block_parse(span_str(f->rule + !rule.allow),
			     false, &rule.block),
	    0);
	assert_int_equal(rules_set(screen.rules, &rule), 0);
}

static void
lose_friends(void)
{
	rules_free(&screen.rules);
	access_free(&policy.access);
	list_free(&policy.skip_networks);
	list_free(&policy.mynetworks);
}

static struct offender
offender_of(const char *prefix)
{
	struct offender o = {.weight = 100};
	struct addr_block block;

	assert_int_equal(addr_block_parse(span_str(prefix), false, &block), 0);
	o.key = record_key_of(&block.base, block.bits, block.bits);
	return o;
}

/* Each prefix stands between two that nobody speaks for. */
static void
test_friends(void **state)
{
	struct offender worst[3] = {offender_of("203.0.113.0/24"),
	    {.weight = 0}, offender_of("100.64.0.0/24")};
	bool is_spared[3];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		worst[1] = offender_of(cases[i].prefix);
		make_friends(&cases[i].f);
		assert_int_equal(spared_find(&screen, worst, 3, is_spared), 0);
		if (is_spared[1] != cases[i].want)
			fail_msg("case \"%s\"", cases[i].name);
		lose_friends();
	}
}

/* Whom the cache would let through, until that is over. */
static void
test_known(void **state)
{
	struct offender worst[1] = {offender_of("192.0.2.0/24")};
	struct record record = {
	    .expires = {[RECORD_PREGREET] = {2000}, [RECORD_DNSBL] = {2000}}};
	bool is_spared;

	(void)state;
	make_friends(&(struct friends){"", "", "", ""});
	fake_clock_set_wall((struct wall){1000});
	assert_int_equal(cache_store(screen.cache, &worst[0].key, &record), 0);
	assert_int_equal(spared_find(&screen, worst, 1, &is_spared), 0);
	assert_true(is_spared);
	fake_clock_set_wall((struct wall){2001});
	assert_int_equal(spared_find(&screen, worst, 1, &is_spared), 0);
	assert_false(is_spared);
	lose_friends();
}

/* Each of them is found among all others. */
static void
test_many(void **state)
{
	enum { MANY = 300 };
	static struct offender worst[MANY];
	static bool is_spared[MANY];
	char text[64];

	(void)state;
	make_friends(
	    &(struct friends){"cidr:{{10.0.7.9 permit} {10.1.7.9 permit} "
			      "{2001:db8:0:7::9 permit}}",
		"", "", ""});
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(text, sizeof(text),
		    i % 2 ? "10.%d.%d.0/24" : "2001:db8:%d:%d::/64", i >> 8,
		    (i * 37) & 255);
		worst[i] = offender_of(text);
	}
	assert_int_equal(spared_find(&screen, worst, MANY, is_spared), 0);
	for (int i = 0; i < MANY; i++) {
		bool want = ((i * 37) & 255) == 7 && (i % 2 || i < 256);

		if (is_spared[i] != want)
			fail_msg("offender %d", i);
	}
	lose_friends();
}

static void
test_no_memory(void **state)
{
	struct offender worst[1] = {offender_of("192.0.2.0/24")};
	bool is_spared;

	(void)state;
	make_friends(&(struct friends){"", "", "", ""});
	fake_mem_fail_after(0);
	assert_int_equal(spared_find(&screen, worst, 1, &is_spared), -1);
	fake_mem_heal();
	lose_friends();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_friends),
	    cmocka_unit_test(test_known),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
