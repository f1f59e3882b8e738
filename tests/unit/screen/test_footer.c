/* SPDX-License-Identifier: ISC */
#include "screen/footer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* What a footer looks like is played in tests/replay/footer.bell. */

static const struct {
	const char *name, *text, *allowed;
} cases[] = {
    {"empty", "", ""},
    {"letters", "abc", "abc"},
    {"octal", "\\40\\101", " A"},
    {"octal ends after three digits", "\\1013", "A3"},
    {"octal ends at another byte", "\\558", "-8"},
    {"letters of C", "\\a\\b\\f\\n\\r\\t\\v", "\a\b\f\n\r\t\v"},
    {"a backslash", "\\\\", "\\"},
    {"another byte", "\\q\\]\\$", "q]$"},
    {"a backslash at the end", "a\\", "a\\"},
    {"no more than a byte", "\\501", "A"},
};

static void
test_filter(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct footer_filter filter =
		    footer_parse_filter(cases[i].text);

		for (int c = 1; c < 256; c++)
			if (filter.allows[c] !=
			    (strchr(cases[i].allowed, c) != NULL))
				fail_msg("%s: byte %d", cases[i].name, c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests_name("screen/footer", tests, NULL, NULL);
}
