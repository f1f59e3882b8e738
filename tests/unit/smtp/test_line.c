/* SPDX-License-Identifier: ISC */
#include "smtp/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *name, *in;
	size_t n, max;
	enum line_result want;
	const char *text;
	size_t used;
	bool bare;
} cases[] = {
#define LINE(name, in, max, want, text, used, bare) \
	{name, in, sizeof(in) - 1, max, LINE_##want, text, used, bare},
#include "line_cases.def"
#undef LINE
};

enum { CASE_COUNT = sizeof(cases) / sizeof(cases[0]) };

static void
check(size_t i, size_t n)
{
	/* A copy of exactly n bytes: reading on is noticed. */
	char *copy = malloc(n);
	struct line line;
	enum line_result got;

	assert_true(copy != NULL || n == 0);
	if (n > 0)
		memcpy(copy, cases[i].in, n);
	got = line_next(span_of(copy, n), cases[i].max, &line);
	if (got != cases[i].want)
		fail_msg("%s: result %d", cases[i].name, (int)got);
	if (line.used != cases[i].used || line.bare_newline != cases[i].bare)
		fail_msg("%s: used %zu", cases[i].name, line.used);
	if (!span_is(line.text, cases[i].text))
		fail_msg("%s: text '%.*s'", cases[i].name, (int)line.text.n,
		    line.text.p);
	free(copy);
}

static void
test_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++)
		check(i, cases[i].n);
}

/* How many bytes it takes to know the answer. */
static size_t
bytes_to_decide(size_t i)
{
	switch (cases[i].want) {
	case LINE_READY:
		return cases[i].used;
	case LINE_TOO_LONG:
		return cases[i].max + 1;
	case LINE_MORE:
		break;
	}
	return cases[i].n;
}

/* LINE_MORE until the last byte that counts is there, then the same answer
 * whatever follows. */
static void
test_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		size_t decided = bytes_to_decide(i);
		struct line line;

		for (size_t n = 0; n < decided; n++) {
			struct span part = span_of(cases[i].in, n);

			if (line_next(part, cases[i].max, &line) != LINE_MORE ||
			    line.used != 0)
				fail_msg("%s: cut at %zu", cases[i].name, n);
		}
		for (size_t n = decided; n <= cases[i].n; n++)
			check(i, n);
	}
}

static void
test_nothing_at_all(void **state)
{
	struct line line;

	(void)state;
	assert_int_equal(line_next(span_of(NULL, 0), 10, &line), LINE_MORE);
	assert_int_equal(line_next(span_of(NULL, 0), 0, &line), LINE_MORE);
	assert_int_equal(line_next(span_of("\n", 1), 0, &line), LINE_TOO_LONG);
	assert_int_equal(line.used, 0);
}

/* The measure that Postfix takes: line_length_limit counts CR and LF. */
static void
test_limit_of_2048(void **state)
{
	char in[2049];
	struct line line;

	(void)state;
	memset(in, 'x', sizeof(in));
	in[2046] = '\r';
	in[2047] = '\n';
	assert_int_equal(line_next(span_of(in, 2048), 2048, &line), LINE_READY);
	assert_int_equal(line.text.n, 2046);
	in[2046] = 'x';
	in[2047] = '\r';
	in[2048] = '\n';
	assert_int_equal(line_next(span_of(in, 2048), 2048, &line), LINE_MORE);
	assert_int_equal(
	    line_next(span_of(in, 2049), 2048, &line), LINE_TOO_LONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_byte_by_byte),
	    cmocka_unit_test(test_nothing_at_all),
	    cmocka_unit_test(test_limit_of_2048),
	};

	return cmocka_run_group_tests_name("smtp/line", tests, NULL, NULL);
}
