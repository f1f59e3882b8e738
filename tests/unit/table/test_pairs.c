/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "table/pairs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "table/cidr.h"
#include "support/fake_mem.h"
#include "table/pattern.h"

static const struct table_options no_options;

/* More than a message quotes. */
#define LONG                                                      \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

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
    {"backslash at the end", "\"a\\", "\"a\\", "-", 1},
    {"long key twice", LONG " 1\n" LONG " 2", LONG, "1", 0},
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

/* --- what postmap -s writes ------------------------------------------------ */
static void
test_dump(void **state)
{
	static const struct {
		const char *name, *text, *key, *want;
		unsigned bad;
	} cases[] = {
	    {"one", "a\tb\n", "a", "b", 0},
	    {"no newline", "a\tb", "a", "b", 0},
	    {"empty line", "\n\na\tb\n", "a", "b", 0},
	    {"no tab", "a b\nc\td\n", "c", "d", 1},
	    {"tabs in the value", "a\tb\tc\n", "a", "b\tc", 0},
	    {"first wins", "a\tb\na\tc\n", "a", "b", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct table_match match = {.value = "-"};
		struct pairs *p;
		struct load l;

		load_init(&l, "test", &no_options);
		p = pairs_read_dump(span_str(cases[i].text), &l);
		assert_non_null(p);
		pairs_find(p, cases[i].key, &match);
		if (strcmp(match.value, cases[i].want) != 0 ||
		    l.bad != cases[i].bad)
			fail_msg("%s: %s, %u bad", cases[i].name, match.value,
			    l.bad);
		pairs_free(&p);
	}
}

/* --- inline ----------------------------------------------------------------- */
static void
test_inline(void **state)
{
	static const struct {
		const char *name, *text, *want, *why;
	} cases[] = {
	    {"one", "{a=b}", "b", NULL},
	    {"last wins", "{a=b, a=c}", "c", NULL},
	    {"with blanks", "{ { a = b c } }", "b c", NULL},
	    {"empty value", "{a=}", "", NULL},
	    {"nothing", "{}", NULL, "need { key=value, ... }"},
	    {"empty braces", "{{}}", NULL, "\"{}\" is not key=value"},
	    {"no braces", "a=b", NULL, "need { key=value, ... }"},
	    {"braces within", "{{a}b}", NULL, "braces do not match"},
	    {"no key", "{=b}", NULL, "\"=b\" is not key=value"},
	    {"two keys", "{{a b = c}}", NULL, "\"{a b = c}\" is not key=value"},
	    {"a long word", "{" LONG "}", NULL, "is not key=value"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct table_match match = {.value = "-"};
		struct errtext why = {""};
		struct pairs *p;
		struct load l;

		load_init(&l, "test", &no_options);
		p = pairs_read_inline(span_str(cases[i].text), &l, &why);
		if ((p != NULL) != (cases[i].want != NULL))
			fail_msg("%s: %s", cases[i].name, why.text);
		if (p == NULL) {
			if (strstr(why.text, cases[i].why) == NULL)
				fail_msg("%s: %s", cases[i].name, why.text);
			continue;
		}
		pairs_find(p, "a", &match);
		if (strcmp(match.value, cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].name, match.value);
		pairs_free(&p);
	}
}

static void
count_block(const struct addr_block *block, void *arg)
{
	assert_int_equal(block->bits, addr_bits(&block->base));
	++*(unsigned *)arg;
}

static void
test_addresses(void **state)
{
	unsigned count = 0;
	struct pairs *p;
	struct load l;

	(void)state;
	load_init(&l, "test", &no_options);
	p = pairs_read_text(
	    span_str("192.0.2.1 x\nname x\n2001:db8::1 x\n"), &l);
	assert_non_null(p);
	pairs_each_address(p, count_block, &count);
	assert_int_equal(count, 2);
	pairs_free(&p);
}

static struct pairs *
read_as(size_t how, struct load *l)
{
	switch (how) {
	case 0:
		return pairs_read_text(span_str("a 1\nb 2\n"), l);
	case 1:
		return pairs_read_dump(span_str("a\t1\nb\t2\n"), l);
	default:
		return pairs_read_inline(span_str("{a=1, b=2}"), l, NULL);
	}
}

/* All of it or nothing. */
static void
test_without_memory(void **state)
{
	long before = fake_mem_live();
	struct pairs *p = NULL;
	struct table_match match;
	struct load l;

	(void)state;
	for (size_t how = 0; how < 3; how++) {
		for (unsigned n = 0; p == NULL; n++) {
			assert_true(n < 50);
			assert_int_equal(fake_mem_live(), before);
			load_init(&l, "test", &no_options);
			fake_mem_fail_after(n);
			p = read_as(how, &l);
			fake_mem_heal();
		}
		assert_int_equal(pairs_find(p, "b", &match), TABLE_FOUND);
		assert_string_equal(match.value, "2");
		pairs_free(&p);
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
	    cmocka_unit_test(test_dump),
	    cmocka_unit_test(test_inline),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_without_memory),
	    cmocka_unit_test(test_long_key),
	    cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests_name("pairs", tests, NULL, NULL);
}
