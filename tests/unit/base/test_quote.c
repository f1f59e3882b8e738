/* SPDX-License-Identifier: ISC */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/quote.h"

#include <string.h>

static const struct {
	const char *name, *in;
	size_t n, max;
	const char *want;
} cases[] = {
    {"nothing", "", 0, 99, "\"\""},
    {"plain", "EHLO x=y", 8, 99, "\"EHLO x=y\""},
    {"quote and backslash", "\"\\/", 3, 99, "\"\\\"\\\\/\""},
    {"line ends", "a\r\nb\tc", 6, 99, "\"a\\r\\nb\\tc\""},
    {"control bytes", "\0\x1b\177\b", 4, 99,
	"\"\\u0000\\u001b\\u007f\\u0008\""},
    {"UTF-8", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\xaa", 9, 99,
	"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\xaa\""},
    {"a terminal's control characters", "\xc2\x9b\xc2\x85\xc2\xa0", 6, 99,
	"\"\\u009b\\u0085\xc2\xa0\""},
    {"other ends of a line", "\xe2\x80\xa8\xe2\x80\xa9", 6, 99,
	"\"\\u2028\\u2029\""},
    {"turned around", "\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa7", 9, 99,
	"\"\\u202e\\u2066\xe2\x80\xa7\""},
    {"half a character", "a\xc3", 2, 99, "\"a\\ufffd\""},
    {"too long a form", "\xc0\xafx", 3, 99, "\"\\ufffd\\ufffdx\""},
    {"a surrogate", "\xed\xa0\x80", 3, 99, "\"\\ufffd\\ufffd\\ufffd\""},
    {"room for nothing", "abc", 3, 2, "\"\""},
    {"cut", "abc", 3, 4, "\"ab\""},
    {"just fits", "abc", 3, 5, "\"abc\""},
    {"not cut inside an escape", "a\n", 2, 4, "\"a\""},
    {"nor inside a long one", "a\x01", 2, 8, "\"a\""},
    {"nor inside a character", "a\xc3\xa4", 3, 4, "\"a\""},
};

static void
test_quotes(void **state)
{
	char room[100];
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_borrow(&out, room, sizeof(room));
		if (quote_add(&out, span_of(cases[i].in, cases[i].n),
			cases[i].max) != 0 ||
		    strcmp(buf_str(&out), cases[i].want) != 0) {
			print_error(
			    "case \"%s\": %s\n", cases[i].name, buf_str(&out));
			fail();
		}
	}
}

static void
test_full(void **state)
{
	char room[16];
	struct buf out;

	(void)state;
	for (size_t size = 1; size <= 7; size++) {
		buf_borrow(&out, room, size);
		assert_int_equal(quote_add(&out, span_str("a\r\nb"), 99), -1);
		assert_true(out.n < size);
	}
	buf_borrow(&out, room, 9);
	assert_int_equal(quote_add(&out, span_str("a\r\nb"), 99), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_quotes),
	    cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
