/* SPDX-License-Identifier: ISC */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/ident.h"

#include <string.h>

#include "base/clock.h"

static const struct {
	uint64_t ident;
	const char *text;
} cases[] = {
    {0, "00000000000"},
    {9, "00000000009"},
    {10, "0000000000A"},
    {35, "0000000000Z"},
    {36, "0000000000a"},
    {61, "0000000000z"},
    {62, "00000000010"},
    {UINT64_C(1700000000) * 1000000000, "21a17KPWDlQ"},
    {UINT64_MAX, "LygHa16AHYF"},
};

static void
test_texts(void **state)
{
	char text[IDENT_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(
		    ident_format(cases[i].ident, text), cases[i].text);
}

/* Who comes later sorts later, also across a carry. */
static void
test_order(void **state)
{
	char before[IDENT_TEXT_MAX], text[IDENT_TEXT_MAX];
	uint64_t ident = UINT64_C(1790000000123456789);

	(void)state;
	ident_format(ident, before);
	for (unsigned step = 1; step < 100000; step = step * 3 + 1) {
		ident_format(ident += step, text);
		assert_true(strcmp(before, text) < 0);
		memcpy(before, text, sizeof(before));
	}
}

static void
test_processes_differ(void **state)
{
	uint64_t first = ident_begin(), second;

	(void)state;
	assert_true(first / 1000000000 >= (uint64_t)clock_wall().s - 1);
	while ((second = ident_begin()) == first)
		continue;
	assert_true(second > first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_processes_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
