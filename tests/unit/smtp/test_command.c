/* SPDX-License-Identifier: ISC */
#include "smtp/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *name, *in;
	size_t n;
	enum command_id id;
	const char *word, *rest;
} cases[] = {
#define LINE(name, in, id, word, rest) \
	{name, in, sizeof(in) - 1, COMMAND_##id, word, rest},
#include "command_cases.def"
#undef LINE
};

enum { CASE_COUNT = sizeof(cases) / sizeof(cases[0]) };

static void
check_span(const char *name, struct span got, const char *want)
{
	if (!span_is(got, want))
		fail_msg(
		    "%s: got '%.*s', not '%s'", name, (int)got.n, got.p, want);
}

static void
test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		struct span in = span_of(cases[i].in, cases[i].n);
		struct command got = command_parse(in);

		if (got.id != cases[i].id)
			fail_msg("%s: id %d", cases[i].name, (int)got.id);
		check_span(cases[i].name, got.word, cases[i].word);
		check_span(cases[i].name, got.rest, cases[i].rest);
	}
}

/* Whatever is cut off, nothing outside the line is touched or pointed to. */
static void
test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		for (size_t n = 1; n <= cases[i].n; n++) {
			char *copy = malloc(n);
			struct command got;

			assert_non_null(copy);
			memcpy(copy, cases[i].in, n);
			got = command_parse(span_of(copy, n));
			if (got.word.p < copy || got.rest.p < copy ||
			    got.word.p + got.word.n > copy + n ||
			    got.rest.p + got.rest.n > copy + n ||
			    got.tail.p < copy ||
			    got.tail.p + got.tail.n > copy + n)
				fail_msg("%s: cut at %zu", cases[i].name, n);
			free(copy);
		}
	}
}

/* As typed, behind one blank. */
static void
test_tail(void **state)
{
	static const struct {
		const char *in, *want;
	} lines[] = {
	    {"", ""},
	    {"  ", ""},
	    {"QUIT", ""},
	    {"QUIT ", ""},
	    {"QUIT  ", " "},
	    {"GET  / HTTP ", " / HTTP "},
	    {"  POST x ", "x "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		check_span(lines[i].in,
		    command_parse(span_str(lines[i].in)).tail, lines[i].want);
}

static void
test_nothing(void **state)
{
	struct command got = command_parse(span_of(NULL, 0));

	(void)state;
	assert_int_equal(got.id, COMMAND_UNKNOWN);
	assert_int_equal(got.word.n, 0);
	assert_int_equal(got.rest.n, 0);
	assert_int_equal(got.tail.n, 0);
}

static void
test_first_word(void **state)
{
	(void)state;
	check_span("only", command_word(span_str("a")), "a");
	check_span("first", command_word(span_str("  a\tb c ")), "a\tb");
	check_span("none", command_word(span_str("  ")), "");
	check_span("nothing", command_word(span_of(NULL, 0)), "");
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(command_name(COMMAND_UNKNOWN), "UNIMPLEMENTED");
	assert_string_equal(command_name(COMMAND_EHLO), "EHLO");
	for (int id = COMMAND_UNKNOWN + 1; id < COMMAND_COUNT; id++) {
		const char *name = command_name((enum command_id)id);

		assert_int_equal(command_parse(span_str(name)).id, id);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_tail),
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_first_word),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("smtp/command", tests, NULL, NULL);
}
