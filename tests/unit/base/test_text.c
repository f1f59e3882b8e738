/* SPDX-License-Identifier: ISC */
#include "base/text.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void
test_spans(void **state)
{
	struct span abc = span_of("abcdef", 3), none = span_of(NULL, 0);

	(void)state;
	assert_true(span_is(abc, "abc"));
	assert_false(span_is(abc, "abcd"));
	assert_false(span_is(abc, "ab"));
	assert_false(span_is(abc, "abC"));
	assert_true(span_is_nocase(abc, "aBC"));
	assert_false(span_is_nocase(abc, "abd"));
	/* 32 apart as well, but no ASCII letters */
	assert_false(span_is_nocase(span_str("["), "{"));
	assert_false(span_is_nocase(span_str("\xc4"), "\xe4"));
	assert_true(span_has_prefix(abc, "ab"));
	assert_true(span_has_prefix(abc, "abc"));
	assert_true(span_has_prefix(abc, ""));
	assert_false(span_has_prefix(abc, "abcd"));
	assert_true(span_is(none, ""));
	assert_true(span_is_nocase(none, ""));
	assert_true(span_has_prefix(none, ""));
	assert_false(span_has_prefix(none, "a"));
}

static void
test_trim(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
	    {"", ""},
	    {"a", "a"},
	    {" \t\r\na b\n\r\t ", "a b"},
	    {" \t\r\n", ""},
	    {"\va\f", "\va\f"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (!span_is(span_trim(span_str(cases[i].in)), cases[i].want))
			fail_msg("\"%s\"", cases[i].in);
	assert_int_equal(span_trim(span_of(NULL, 0)).n, 0);
}

static void
test_token(void **state)
{
	static const struct {
		const char *in, *want; /* words joined by '|' */
	} cases[] = {
	    {"", ""},
	    {" ,\t\r\n", ""},
	    {"a", "a"},
	    {"a b,c\td\r\ne", "a|b|c|d|e"},
	    {" , a , b , ", "a|b"},
	    {"{a b} c", "{a b}|c"},
	    {"{a {b c} d}, e", "{a {b c} d}|e"},
	    {"inline:{a=b, c=d} hash:/x", "inline:{a=b, c=d}|hash:/x"},
	    {"CONNECT regexp:{{/^[^A-Z]/ Bogus}}",
		"CONNECT|regexp:{{/^[^A-Z]/ Bogus}}"},
	    {"{a}{b c} d", "{a}{b c}|d"},
	    {"{a b", "{a b"},
	    {"a} b", "a}|b"},
	    {"} {a b}", "}|{a b}"},
	    {"{}", "{}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span rest = span_str(cases[i].in), word;
		char got[100] = {0};

		while (text_token(&rest, TEXT_LIST_SEPARATORS, &word)) {
			if (got[0] != '\0')
				got[strlen(got)] = '|';
			strncat(got, word.p, word.n);
		}
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("\"%s\": \"%s\"", cases[i].in, got);
		assert_int_equal(rest.n, 0);
	}
}

static void
test_token_with_a_nul(void **state)
{
	struct span rest = span_of("a\0b c", 5), word;

	(void)state;
	assert_true(text_token(&rest, " ", &word));
	assert_int_equal(word.n, 3); /* NUL separates nothing */
	assert_true(text_token(&rest, " ", &word));
	assert_true(span_is(word, "c"));
	assert_false(text_token(&rest, " ", &word));
}

static void
test_escape(void **state)
{
	static const struct {
		const char *name;
		struct span in;
		size_t max;
		const char *want;
	} cases[] = {
	    {"empty", {"", 0}, 100, ""},
	    {"plain", {"EHLO spam.example", 17}, 100, "EHLO spam.example"},
	    {"letters", {"\a\b\f\n\r\t\v\\", 8}, 100,
		"\\a\\b\\f\\n\\r\\t\\v\\\\"},
	    {"quote stays", {"\"'", 2}, 100, "\"'"},
	    {"octal", {"\026\003\0\351\377", 5}, 100,
		"\\026\\003\\000\\351\\377"},
	    {"digit behind octal", {"\0019", 2}, 100, "\\0019"},
	    {"edges of ASCII", {"\037 ~\177", 4}, 100, "\\037 ~\\177"},
	    {"cut between", {"ab\ncd", 5}, 4, "ab\\n"},
	    {"cut inside letter", {"ab\ncd", 5}, 3, "ab\\"},
	    {"cut inside octal", {"ab\001", 3}, 5, "ab\\00"},
	    {"nothing allowed", {"abc", 3}, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct buf out;

		buf_init(&out, 1000);
		assert_int_equal(
		    text_escape(&out, cases[i].in, cases[i].max), 0);
		if (strcmp(buf_str(&out), cases[i].want) != 0)
			fail_msg("%s: \"%s\"", cases[i].name, buf_str(&out));
		buf_clear(&out);
	}
}

static void
test_escape_into_a_full_buffer(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 5);
	assert_int_equal(text_escape(&out, span_str("ab\001cd"), 100), -1);
	assert_true(span_is(buf_span(&out), "ab"));
	buf_clear(&out);
}

/* One table for both judges: a text is UTF-8 exactly when making it
 * printable changes nothing (control characters aside). */
static const struct {
	const char *name, *in;
	const char *utf8, *ascii; /* printable form */
	bool valid;
} utf8_cases[] = {
    {"empty", "", "", "", true},
    {"ASCII", "a ~", "a ~", "a ~", true},
    {"two bytes", "\xc3\xa9", "\xc3\xa9", "??", true},
    {"two bytes, least", "\xc2\x80", "??", "??", true},
    {"U+0085, next line", "\xc2\x85z", "??z", "??z", true},
    {"U+009F", "\xc2\x9f", "??", "??", true},
    {"U+00A0", "\xc2\xa0", "\xc2\xa0", "??", true},
    {"U+2027", "\xe2\x80\xa7", "\xe2\x80\xa7", "???", true},
    {"U+2028, line separator", "\xe2\x80\xa8", "???", "???", true},
    {"U+202E, right to left", "\xe2\x80\xae", "???", "???", true},
    {"U+202F", "\xe2\x80\xaf", "\xe2\x80\xaf", "???", true},
    {"U+2065", "\xe2\x81\xa5", "\xe2\x81\xa5", "???", true},
    {"U+2066, isolate", "\xe2\x81\xa6", "???", "???", true},
    {"U+2069", "\xe2\x81\xa9", "???", "???", true},
    {"U+206A", "\xe2\x81\xaa", "\xe2\x81\xaa", "???", true},
    {"U+20A8", "\xe2\x82\xa8", "\xe2\x82\xa8", "???", true},
    {"two bytes, most", "\xdf\xbf", "\xdf\xbf", "??", true},
    {"three bytes", "\xe2\x82\xac", "\xe2\x82\xac", "???", true},
    {"three bytes, least", "\xe0\xa0\x80", "\xe0\xa0\x80", "???", true},
    {"U+D7FF", "\xed\x9f\xbf", "\xed\x9f\xbf", "???", true},
    {"U+E000", "\xee\x80\x80", "\xee\x80\x80", "???", true},
    {"U+FFFF", "\xef\xbf\xbf", "\xef\xbf\xbf", "???", true},
    {"four bytes", "\xf0\x9f\x94\x94", "\xf0\x9f\x94\x94", "????", true},
    {"U+10000", "\xf0\x90\x80\x80", "\xf0\x90\x80\x80", "????", true},
    {"U+10FFFF", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", "????", true},
    {"overlong slash", "\xc0\xaf", "??", "??", false},
    {"overlong DEL", "\xc1\xbf", "??", "??", false},
    {"overlong three", "\xe0\x9f\xbf", "???", "???", false},
    {"overlong four", "\xf0\x8f\xbf\xbf", "????", "????", false},
    {"surrogate, first", "\xed\xa0\x80", "???", "???", false},
    {"surrogate, last", "\xed\xbf\xbf", "???", "???", false},
    {"U+110000", "\xf4\x90\x80\x80", "????", "????", false},
    {"lead f5", "\xf5\x80\x80\x80", "????", "????", false},
    {"lead ff", "\xff\xfe", "??", "??", false},
    {"lone continuation", "a\x80z", "a?z", "a?z", false},
    {"cut two", "a\xc3", "a?", "a?", false},
    {"cut three", "\xe2\x82", "??", "??", false},
    {"cut four", "\xf0\x9f\x94", "???", "???", false},
    {"lead then ASCII", "\xe2zz", "?zz", "?zz", false},
    {"lead then lead", "\xe2\xc3\xa9", "?\xc3\xa9", "???", false},
    {"third byte bad", "\xe2\x82z", "??z", "??z", false},
    {"fourth byte bad", "\xf0\x9f\x94z", "???z", "???z", false},
};

static void
test_make_printable(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(utf8_cases); i++) {
		size_t n = strlen(utf8_cases[i].in);
		char utf8[16] = "", ascii[16] = "";

		memcpy(utf8, utf8_cases[i].in, n);
		memcpy(ascii, utf8_cases[i].in, n);
		text_make_printable(utf8, n, true);
		text_make_printable(ascii, n, false);
		if (strcmp(utf8, utf8_cases[i].utf8) != 0)
			fail_msg("%s, UTF-8 allowed", utf8_cases[i].name);
		if (strcmp(ascii, utf8_cases[i].ascii) != 0)
			fail_msg("%s, ASCII only", utf8_cases[i].name);
	}
}

static void
test_is_utf8(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(utf8_cases); i++)
		if (text_is_utf8(span_str(utf8_cases[i].in)) !=
		    utf8_cases[i].valid)
			fail_msg("%s", utf8_cases[i].name);
	assert_true(text_is_utf8(span_of(NULL, 0)));
	assert_true(text_is_utf8(span_of("a\0b", 3)));
	/* the span ends inside the sequence that memory completes */
	assert_false(text_is_utf8(span_of("\xe2\x82\xac", 2)));
}

static void
test_put(void **state)
{
	static const struct {
		unsigned long long n;
		const char *want;
	} cases[] = {
	    {0, "0"},
	    {9, "9"},
	    {10, "10"},
	    {255, "255"},
	    {65535, "65535"},
	    {100000, "100000"},
	    {18446744073709551615ULL, "18446744073709551615"},
	};
	char text[TEXT_NUMBER_MAX + 4];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *p = text_put(text, "<");

		p = text_put_number(p, cases[i].n);
		p = text_put(p, "");
		p = text_put(p, ">");
		*p = '\0';
		assert_int_equal(p - text, strlen(cases[i].want) + 2);
		assert_memory_equal(
		    text + 1, cases[i].want, strlen(cases[i].want));
		assert_int_equal(p[-1], '>');
	}
}

static void
test_control_bytes_are_not_printable(void **state)
{
	(void)state;
	for (int c = 0; c < 128; c++) {
		char p = (char)c;

		text_make_printable(&p, 1, true);
		assert_int_equal(p, c < 32 || c == 127 ? '?' : c);
	}
}

static void
test_character_classes(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		char c = (char)i;
		bool upper = i >= 'A' && i <= 'Z', lower = i >= 'a' && i <= 'z';
		bool digit = i >= '0' && i <= '9';

		assert_int_equal(text_lower(c), upper ? (char)(i + 32) : c);
		assert_int_equal(text_upper(c), lower ? (char)(i - 32) : c);
		assert_int_equal(text_is_digit(c), digit);
		assert_int_equal(text_is_alnum(c), digit || upper || lower);
		assert_int_equal(text_is_space(c), i == ' ' || i == '\t' ||
						       i == '\n' || i == '\v' ||
						       i == '\f' || i == '\r');
	}
}

static void
test_fold(void **state)
{
	char text[] = "SMTPD_Banner \xc4 [";

	(void)state;
	text_fold(text);
	assert_string_equal(text, "smtpd_banner \xc4 [");
}

static void
test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		size_t want;
	} cases[] = {
	    {"", "", 0},
	    {"", "abc", 3},
	    {"greet_wait", "greet_wait", 0},
	    {"greet_wait", "greet_wiat", 2},
	    {"greet_wait", "greetwait", 1},
	    {"greet_wait", "greet_waits", 1},
	    {"kitten", "sitting", 3},
	    {"abc", "xyz", 3},
	};
	char long_name[300], other[300];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (text_distance(cases[i].a, cases[i].b) != cases[i].want ||
		    text_distance(cases[i].b, cases[i].a) != cases[i].want)
			fail_msg("%s, %s", cases[i].a, cases[i].b);
	memset(long_name, 'x', sizeof(long_name));
	long_name[299] = '\0';
	memcpy(other, long_name, sizeof(other));
	assert_int_equal(text_distance(long_name, other), 0);
	other[298] = 'y';
	assert_true(text_distance(long_name, other) >= 1);
	assert_true(text_distance("a", long_name) >= 298);
}

static void
test_delay(void **state)
{
	static const struct {
		long long ms;
		const char *want;
	} cases[] = {
	    {-1, "0.0"},
	    {0, "0.0"},
	    {4, "0.0"},
	    {5, "0.01"},
	    {14, "0.01"},
	    {15, "0.02"},
	    {94, "0.09"},
	    {95, "0.1"},
	    {200, "0.2"},
	    {204, "0.2"},
	    {205, "0.21"},
	    {390, "0.39"},
	    {900, "0.9"},
	    {994, "0.99"},
	    {995, "1.0"},
	    {999, "1.0"},
	    {1000, "1.0"},
	    {1049, "1.0"},
	    {1050, "1.1"},
	    {1200, "1.2"},
	    {5000, "5.0"},
	    {9949, "9.9"},
	    {9950, "10.0"},
	    {10499, "10.0"},
	    {10500, "11.0"},
	    {16000, "16.0"},
	    {123456, "123.0"},
	    {LLONG_MAX, "9223372036854776.0"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char out[TEXT_DELAY_MAX];

		text_delay(out, cases[i].ms, 2);
		if (strcmp(out, cases[i].want) != 0)
			fail_msg("%lld ms: \"%s\"", cases[i].ms, out);
	}
}

static void
test_delay_resolution(void **state)
{
	static const struct {
		long long ms;
		unsigned decimals;
		const char *want;
	} cases[] = {
	    {390, 0, "0.0"},
	    {500, 0, "1.0"},
	    {1200, 0, "1.0"},
	    {390, 1, "0.4"},
	    {49, 1, "0.0"},
	    {39, 3, "0.039"},
	    {3, 3, "0.003"},
	    {390, 3, "0.39"},
	    {395, 3, "0.4"},
	    {39, 6, "0.039"},
	    {1234, 6, "1.2"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char out[TEXT_DELAY_MAX];

		text_delay(out, cases[i].ms, cases[i].decimals);
		if (strcmp(out, cases[i].want) != 0)
			fail_msg("%lld ms, %u: \"%s\"", cases[i].ms,
			    cases[i].decimals, out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_spans),
	    cmocka_unit_test(test_trim),
	    cmocka_unit_test(test_token),
	    cmocka_unit_test(test_token_with_a_nul),
	    cmocka_unit_test(test_escape),
	    cmocka_unit_test(test_escape_into_a_full_buffer),
	    cmocka_unit_test(test_make_printable),
	    cmocka_unit_test(test_is_utf8),
	    cmocka_unit_test(test_control_bytes_are_not_printable),
	    cmocka_unit_test(test_put),
	    cmocka_unit_test(test_character_classes),
	    cmocka_unit_test(test_fold),
	    cmocka_unit_test(test_distance),
	    cmocka_unit_test(test_delay),
	    cmocka_unit_test(test_delay_resolution),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
