/* SPDX-License-Identifier: ISC */
#include "table/pairs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "table/cidr.h"
#include "table/pattern.h"

static const struct table_options no_options;

static const struct {
	const char *name, *text, *key, *want;
	unsigned bad;
} text_cases[] = {
    {"plain", "a b", "a", "b", 0},
    {"key is folded", "Key Value", "kEY", "Value", 0},
    {"tabs", "a\tb\t c ", "a", "b\t c", 0},
    {"first wins", "a 1\nA 2", "a", "1", 0},
    {"no value", "a\nb 1", "a", "-", 1},
    {"no value, next", "a\nb 1", "b", "1", 1},
    {"quoted key", "\"a b\" 1", "\"a b\"", "1", 0},
    {"quote inside", "a\"b c\"d 1", "a\"b c\"d", "1", 0},
    {"escaped quote", "\"a\\\" b\" 1", "\"a\\\" b\"", "1", 0},
    {"open quote", "\"a b 1", "\"a", "-", 1},
    {"backslash outside", "a\\ b", "a\\", "b", 0},
    {"utf-8", "\xc3\xa9t\xc3\xa9 x", "\xc3\xa9T\xc3\xa9", "x", 0},
    {"continued", "a b\n  c", "a", "b  c", 0},
};

static void
test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(text_cases) / sizeof(text_cases[0]);
	     i++) {
		struct table_match match = {.value = "-"};
		struct pairs *p;
		struct load l;

		load_init(&l, "test", &no_options);
		p = pairs_read_text(span_str(text_cases[i].text), &l);
		assert_non_null(p);
		pairs_find(p, text_cases[i].key, &match);
		if (strcmp(match.value, text_cases[i].want) != 0 ||
		    l.bad != text_cases[i].bad)
			fail_msg("%s: %s, %u bad", text_cases[i].name,
			    match.value, l.bad);
		pairs_free(&p);
		assert_null(p);
	}
}

static void
test_long_key(void **state)
{
	static char key[4000];
	struct table_match match;
	struct pairs *p;
	struct load l;

	(void)state;
	memset(key, 'a', sizeof(key) - 1);
	load_init(&l, "test", &no_options);
	p = pairs_read_text(span_str("a b"), &l);
	assert_int_equal(pairs_find(p, key, &match), TABLE_ABSENT);
	key[2048] = '\0';
	assert_int_equal(pairs_find(p, key, &match), TABLE_ABSENT);
	pairs_free(&p);
}

/* Every piece of a text, in a block of memory of just its size: no reader
 * looks behind the end. */
static void
test_truncated(void **state)
{
	static const char text[] =
	    "# x\nif 10.0.0.0/8\n!10.1.0.0/16 y\nendif\n[::1]/128 z\n"
	    "if !/a/i\n/^(b)/x ${1} $(1) $$\nendif\n\"k k\" v\n  w\na=b\tc\n";
	static const char braces[] = "{ a=b, { c = d e } , { f = {g} } }";

	(void)state;
	for (size_t n = 1; n < sizeof(text); n++) {
		char *copy = malloc(n);
		struct span piece = span_of(copy, n);
		struct pattern *posix, *perl;
		struct pairs *pairs, *dump;
		struct cidr *cidr;
		struct load l;

		memcpy(copy, text, n);
		load_init(&l, "test", &no_options);
		assert_non_null(cidr = cidr_read(piece, &l));
		assert_non_null(pairs = pairs_read_text(piece, &l));
		assert_non_null(dump = pairs_read_dump(piece, &l));
		assert_non_null(posix = pattern_read(PATTERN_POSIX, piece, &l));
		assert_non_null(perl = pattern_read(PATTERN_PERL, piece, &l));
		cidr_free(&cidr);
		pairs_free(&pairs);
		pairs_free(&dump);
		pattern_free(&posix);
		pattern_free(&perl);
		free(copy);
	}
	for (size_t n = 1; n < sizeof(braces); n++) {
		char *copy = malloc(n);
		struct pairs *p;
		struct load l;

		memcpy(copy, braces, n);
		load_init(&l, "test", &no_options);
		p = pairs_read_inline(span_of(copy, n), &l, NULL);
		assert_true((p != NULL) == (n == sizeof(braces) - 1));
		pairs_free(&p);
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_long_key),
	    cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests_name("pairs", tests, NULL, NULL);
}
