/* SPDX-License-Identifier: ISC */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "screen/hush.h"

#include <string.h>

/* Of four events: CONNECT, PASS_OLD, DNSBL_RANK (of two groups) and NO_SERVER,
 * which is a warning; "1" is written. */
static const struct {
	const char *name, *list, *want;
} cases[] = {
    {"all", "all", "1111"},
    {"nothing", "", "0001"},
    {"blanks", " ,\t", "0001"},
    {"an event", "pass_old", "0101"},
    {"in capitals", "PASS_OLD", "0101"},
    {"a group", "pass", "0101"},
    {"one of two groups", "dnsbl", "0011"},
    {"the other", "fail", "0011"},
    {"all but one", "!connect", "0111"},
    {"the same, said otherwise", "all, !connect", "0111"},
    {"a group less an event", "pass !pass_old", "0001"},
    {"and back again", "!pass pass_old", "1111"},
    {"the last word counts", "dnsbl !fail", "0001"},
    {"a group of warnings is written", "!trouble", "1111"},
    {"all is not nothing", "!all", "0001"},
};

static void
test_lists(void **state)
{
	static const enum journal_event watched[] = {
	    EVENT_CONNECT, EVENT_PASS_OLD, EVENT_DNSBL_RANK, EVENT_NO_SERVER};
	bool quiet[EVENT_COUNT];
	struct errtext why;
	char got[5] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memset(quiet, 0x55, sizeof(quiet));
		assert_int_equal(
		    hush_parse(span_str(cases[i].list), quiet, &why), 0);
		for (size_t k = 0; k < 4; k++)
			got[k] = quiet[watched[k]] ? '0' : '1';
		if (strcmp(got, cases[i].want) != 0) {
			print_error("case \"%s\": %s\n", cases[i].name, got);
			fail();
		}
	}
}

static const struct {
	const char *list, *why;
} mistakes[] = {
    {"pass, pas", "no log event or group of events: pas"},
    {"!", "no log event or group of events: "},
    {"!!pass", "no log event or group of events: !pass"},
    {"all !no_server", "no_server is a warning, which is always written"},
};

static void
test_mistakes(void **state)
{
	bool quiet[EVENT_COUNT];
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		assert_int_equal(
		    hush_parse(span_str(mistakes[i].list), quiet, &why), -1);
		assert_string_equal(why.text, mistakes[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
