/* SPDX-License-Identifier: ISC */
#include "smtp/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_whole_and_cut(void **state)
{
	static const struct {
		const char *name, *in;
		enum response_result want;
		int code;
		size_t used;
	} cases[] = {
	    {"one line", "220 mx ESMTP\r\n", RESPONSE_READY, 220, 14},
	    {"bare code", "250\r\nx", RESPONSE_READY, 250, 5},
	    {"code and blank", "250 \r\n", RESPONSE_READY, 250, 6},
	    {"two lines", "250-a\r\n250 b\r\n250 c\r\n", RESPONSE_READY, 250,
		14},
	    {"LF alone", "250-a\n250 b\n", RESPONSE_READY, 250, 12},
	    {"empty", "", RESPONSE_MORE, 0, 0},
	    {"no end", "250 b\r", RESPONSE_MORE, 0, 0},
	    {"more to come", "250-a\r\n250", RESPONSE_MORE, 0, 0},
	    {"two codes", "250-a\r\n550 b\r\n", RESPONSE_BROKEN, 0, 0},
	    {"no code", "hello\r\n", RESPONSE_BROKEN, 0, 0},
	    {"short", "2\r\n", RESPONSE_BROKEN, 0, 0},
	    {"shorter", "\r\n", RESPONSE_BROKEN, 0, 0},
	    {"digits, then none", "25x a\r\n", RESPONSE_BROKEN, 0, 0},
	    {"too small", "120 x\r\n", RESPONSE_BROKEN, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct response r;
		enum response_result got =
		    response_next(span_str(cases[i].in), &r);

		if (got != cases[i].want ||
		    (got == RESPONSE_READY && (r.code != cases[i].code ||
						  r.lines.n != cases[i].used)))
			fail_msg("%s", cases[i].name);
	}
}

static void
test_every_truncation_waits(void **state)
{
	static const char text[] = "250-mx\r\n250-SIZE 10\r\n250 DSN\r\n";
	struct response r;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(
		    response_next(span_of(text, n), &r), RESPONSE_MORE);
	assert_int_equal(
	    response_next(span_of(text, sizeof(text) - 1), &r), RESPONSE_READY);
}

static void
test_lines(void **state)
{
	struct span lines =
	    span_str("250-mx\r\n250-SIZE 10\r\n250 DSN\r\n250\r\n");
	struct span text;

	(void)state;
	assert_true(response_line(&lines, &text));
	assert_true(span_is(text, "mx"));
	assert_true(response_line(&lines, &text));
	assert_true(span_is(text, "SIZE 10"));
	assert_true(response_line(&lines, &text));
	assert_true(span_is(text, "DSN"));
	assert_true(response_line(&lines, &text));
	assert_int_equal(text.n, 0);
	assert_false(response_line(&lines, &text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole_and_cut),
	    cmocka_unit_test(test_every_truncation_waits),
	    cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
