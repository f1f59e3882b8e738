/* SPDX-License-Identifier: ISC */
#include "table/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static const struct table_options no_options;

static struct pattern *
read_rules(enum pattern_syntax syntax, const char *text, unsigned *bad_r)
{
	struct pattern *p;
	struct load l;

	load_init(&l, "test", &no_options);
	p = pattern_read(syntax, span_str(text), &l);
	assert_non_null(p);
	*bad_r = l.bad;
	return p;
}

static const char *
ask(const struct pattern *p, const char *key)
{
	struct table_match match;

	return pattern_find(p, key, &match) == TABLE_FOUND ? match.value : "-";
}

/* More than a message quotes. */
#define LONG                                                      \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* What both syntaxes have in common. */
static const struct {
	const char *name, *text, *key, *want;
	unsigned bad;
} shared_cases[] = {
    {"plain", "/^a.c$/ x y", "abc", "x y", 0},
    {"no match", "/^a.c$/ x", "abd", "-", 0},
    {"case is ignored", "/ABC/ x", "abc", "x", 0},
    {"case matters", "/ABC/i x", "abc", "-", 0},
    {"case ignored again", "/ABC/ii x", "abc", "x", 0},
    {"first wins", "/a/ x\n/a/ y", "a", "x", 0},
    {"other delimiter", "~a/b~ x", "a/b", "x", 0},
    {"escaped delimiter", "/a\\/b/ x", "a/b", "x", 0},
    {"blanks in the pattern", "/a b/ x", "a b", "x", 0},
    {"negated", "!/a/ x", "b", "x", 0},
    {"negated, matches", "!/a/ x", "a", "-", 0},
    {"negated with blank", "! /a/ x", "b", "x", 0},
    {"if", "if /a/\n/b/ x\nendif", "ab", "x", 0},
    {"if, outside", "if /a/\n/b/ x\nendif\n/b/ y", "b", "y", 0},
    {"if not", "if !/a/\n/b/ x\nendif", "b", "x", 0},
    {"if without blank", "if/a/\n/b/ x\nendif", "ab", "x", 0},
    {"nested", "if /a/\nif /b/\n/c/ x\nendif\n/./ y\nendif\n/./ z", "ab", "y",
	0},
    {"nested, both skipped",
	"if /a/\nif /b/\n/c/ x\nendif\n/./ y\nendif\n/./ z", "bc", "z", 0},
    {"if without endif", "if /a/\n/./ x\n/b/ y", "b", "-", 1},
    {"endif without if", "endif\n/a/ x", "a", "x", 1},
    {"bad if", "if /a(/\n/b/ x\nendif", "b", "x", 2},
    {"text after if", "if /a/ junk\n/b/ x\nendif junk\n/b/ y", "b", "y", 0},
    {"group", "/^(a+)(b+)/ <$2$1>", "AABB", "<BBAA>", 0},
    {"group in braces", "/^(a)/ ${1}x", "a", "ax", 0},
    {"group in parentheses", "/^(a)/ $(1)x", "a", "ax", 0},
    {"group that took no part", "/^a(b)?c/ <$1>", "ac", "<>", 0},
    {"earlier group that took no part", "/^(x)?(a)/ <$1$2>", "a", "<a>", 0},
    {"dollar", "/a/ $$x$$", "a", "$x$", 0},
    {"dollar when negated", "!/a/ $$1", "b", "$1", 0},
    {"group when negated", "!/(a)/ $1", "b", "-", 1},
    {"no such group", "/(a)/ $2", "a", "-", 1},
    {"group 0", "/(a)/ $0", "a", "-", 1},
    {"named group", "/(a)/ $x", "a", "-", 1},
    {"lone dollar", "/a/ x$", "a", "-", 1},
    {"open brace", "/(a)/ ${1", "a", "-", 1},
    {"empty brace", "/(a)/ ${}", "a", "-", 1},
    {"huge number", "/(a)/ $99999999999999999999", "a", "-", 1},
    {"glued number", "/(a)/ $1x", "a", "-", 1},
    {"long name", "/(a)/ ${" LONG "}", "a", "-", 1},
    {"long text after if", "if /a/ " LONG "\n/b/ x\nendif", "ab", "x", 0},
    {"no result", "/a/", "a", "", 0},
    {"no delimiter", "/a x", "a", "-", 1},
    {"backslash at the end", "/a\\", "a", "-", 1},
    {"unknown flag", "/a/q x", "a", "-", 1},
    {"not a pattern", "abc x\n/a/ y", "a", "y", 1},
    {"bad pattern", "/a(/ x\n/a/ y", "a", "y", 1},
    {"only a delimiter", "/", "a", "-", 1},
    {"empty pattern flag", "/a/ x\n", "", "-", 0},
    {"empty", "", "a", "-", 0},
};

static void
test_shared(void **state)
{
	static const enum pattern_syntax both[] = {PATTERN_POSIX, PATTERN_PERL};
	size_t n = sizeof(shared_cases) / sizeof(shared_cases[0]);
	unsigned bad;

	(void)state;
	for (size_t i = 0; i < 2 * n; i++) {
		struct pattern *p =
		    read_rules(both[i / n], shared_cases[i % n].text, &bad);
		const char *got = ask(p, shared_cases[i % n].key);

		if (strcmp(got, shared_cases[i % n].want) != 0 ||
		    bad != shared_cases[i % n].bad)
			fail_msg("%s, syntax %d: got \"%s\", %u bad",
			    shared_cases[i % n].name, (int)both[i / n], got,
			    bad);
		pattern_free(&p);
		assert_null(p);
	}
}

static const struct {
	enum pattern_syntax syntax;
	const char *text, *key, *want;
	unsigned bad;
} own_cases[] = {
    {PATTERN_POSIX, "/a+/ x", "aa", "x", 0},
    {PATTERN_POSIX, "/^a+$/x x", "aa", "-", 0}, /* basic syntax */
    {PATTERN_POSIX, "/^a+$/x x", "a+", "x", 0},
    {PATTERN_POSIX, "/^b$/ x", "a\nb", "-", 0},
    {PATTERN_POSIX, "/^b$/m x", "a\nb", "x", 0},
    {PATTERN_POSIX, "/a/s x", "a", "-", 1},
    {PATTERN_PERL, "/^a(?!b)/ x", "ac", "x", 0},
    {PATTERN_PERL, "/^b$/ x", "a\nb", "-", 0},
    {PATTERN_PERL, "/^b$/m x", "a\nb", "x", 0},
    {PATTERN_PERL, "/a.b/ x", "a\nb", "x", 0},
    {PATTERN_PERL, "/a.b/s x", "a\nb", "-", 0},
    {PATTERN_PERL, "/a b/x x", "ab", "x", 0},
    {PATTERN_PERL, "/b/A x", "ab", "-", 0},
    {PATTERN_PERL, "/b$/ x", "ab\n", "x", 0},
    {PATTERN_PERL, "/b$/E x", "ab\n", "-", 0},
    {PATTERN_PERL, "/^(a+)/ $1", "aaa", "aaa", 0},
    {PATTERN_PERL, "/^(a+)/U $1", "aaa", "a", 0},
    {PATTERN_PERL, "/a/X x", "a", "x", 0},
    {PATTERN_PERL, "/^.$/ x", "\xc3\xa9", "-", 0}, /* bytes */
    {PATTERN_PERL, "/(?<n>a)/ $1", "a", "a", 0},
    /* (a match that ends before it begins) */
    {PATTERN_PERL, "/(?(DEFINE)(?<n>b\\K))(a)(?=(?&n))/ <$2>", "ab", "<a>", 0},
};

static void
test_own(void **state)
{
	unsigned bad;

	(void)state;
	for (size_t i = 0; i < sizeof(own_cases) / sizeof(own_cases[0]); i++) {
		struct pattern *p =
		    read_rules(own_cases[i].syntax, own_cases[i].text, &bad);
		const char *got = ask(p, own_cases[i].key);

		if (strcmp(got, own_cases[i].want) != 0 ||
		    own_cases[i].bad != bad)
			fail_msg("%s: got \"%s\", %u bad", own_cases[i].text,
			    got, bad);
		pattern_free(&p);
	}
}

/* The last group that can be named, and one more. */
static void
test_many_groups(void **state)
{
	static const enum pattern_syntax both[] = {PATTERN_POSIX, PATTERN_PERL};
	char text[600] = "/^", key[101];
	size_t n = 2;
	unsigned bad;

	(void)state;
	memset(key, 'y', 98);
	memcpy(key + 98, "zx", 3);
	for (int i = 0; i < 99; i++, n += 3)
		memcpy(text + n, "(.)", 3);
	memcpy(text + n, "(x)?$/ $99", 11);
	for (size_t i = 0; i < 2; i++) {
		struct pattern *p = read_rules(both[i], text, &bad);

		assert_int_equal(bad, 0);
		assert_string_equal(ask(p, key), "z"); /* with the x */
		key[99] = '\0';
		assert_string_equal(ask(p, key), "z");
		key[99] = 'x';
		pattern_free(&p);
	}
}

/* No key may stall the loop, and giving up decides nothing. */
static void
test_evil_pattern(void **state)
{
	struct mono before = clock_mono();
	unsigned bad;
	struct pattern *p = read_rules(PATTERN_PERL,
	    "/^(a+)+[!?]$/ x\n!/^(a+)+[!?]$/ y\nif !/^(a|aa)+[!?]$/\n"
	    "/./ z\nendif\n"
	    "/^a/ last",
	    &bad);

	(void)state;
	assert_int_equal(bad, 0);
	assert_string_equal(
	    ask(p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	    "last");
	assert_true(mono_between(before, clock_mono()) < 5000);
	pattern_free(&p);
}

static void
test_long_key(void **state)
{
	static char key[100001];
	unsigned bad;
	struct pattern *p = read_rules(PATTERN_PERL, "/./ x", &bad);

	(void)state;
	memset(key, 'a', sizeof(key) - 1);
	assert_string_equal(ask(p, key), "-");
	key[2048] = '\0';
	assert_string_equal(ask(p, key), "x");
	pattern_free(&p);
}

/* 100 times "$1" of a long key is more than a result may hold. */
static void
test_long_result(void **state)
{
	static char key[2049], text[400] = "/(.*)/ ";
	unsigned bad;
	struct pattern *p;

	(void)state;
	for (size_t n = strlen(text), i = 0; i < 100; i++, n += 3)
		memcpy(text + n, "$1 ", 3);
	memset(key, 'a', sizeof(key) - 1);
	p = read_rules(PATTERN_POSIX, text, &bad);
	assert_int_equal(bad, 0);
	assert_string_equal(ask(p, key), "-");
	key[3] = '\0';
	assert_int_equal(strlen(ask(p, key)), 100 * 4 - 1);
	pattern_free(&p);
}

static void
test_line_numbers(void **state)
{
	struct table_match match;
	struct pattern *p;
	struct load l;

	(void)state;
	load_init(&l, "/etc/x", &no_options);
	p = pattern_read(
	    PATTERN_PERL, span_str("# x\n/a/\n  one\n/b(/ x\n\n/b/ two\n"), &l);
	assert_int_equal(l.bad, 1);
	assert_memory_equal(l.first.text, "/etc/x:4: error in regex", 24);
	assert_int_equal(pattern_find(p, "a", &match), TABLE_FOUND);
	assert_int_equal(match.line, 2);
	assert_string_equal(match.value, "one");
	assert_int_equal(pattern_find(p, "b", &match), TABLE_FOUND);
	assert_int_equal(match.line, 6);
	pattern_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shared),
	    cmocka_unit_test(test_own),
	    cmocka_unit_test(test_many_groups),
	    cmocka_unit_test(test_evil_pattern),
	    cmocka_unit_test(test_long_key),
	    cmocka_unit_test(test_long_result),
	    cmocka_unit_test(test_line_numbers),
	};

	return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
