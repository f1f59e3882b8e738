/* SPDX-License-Identifier: ISC */
#include "table/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/table_file.h"

static const struct table_options no_options;

/* "LINE:text|LINE:text|" */
static void
join_lines(const char *text, size_t n, char *out, size_t size, unsigned *bad_r)
{
	struct lines lines;
	struct load l;
	size_t used = 0;
	int rc;

	load_init(&l, "test", &no_options);
	lines_init(&lines, span_of(text, n));
	out[0] = '\0';
	while ((rc = lines_next(&lines, &l)) > 0)
		used += (size_t)snprintf(out + used, size - used, "%d:%s|",
		    lines.line, lines.text.p);
	assert_int_equal(rc, 0);
	assert_int_equal(lines_next(&lines, &l), 0);
	lines_clear(&lines);
	*bad_r = l.bad;
}

static const struct {
	const char *name, *text, *want;
	unsigned bad;
} line_cases[] = {
    {"nothing", "", "", 0},
    {"empty lines", "\n\n \n\t\r\n", "", 0},
    {"comments", "#a\n  #b\n", "", 0},
    {"one", "a b\n", "1:a b|", 0},
    {"no newline at the end", "a\nb", "1:a|2:b|", 0},
    {"trimmed behind", "a \t\r\n", "1:a|", 0},
    {"continued", "a\n b\n\tc\nd", "1:a b\tc|4:d|", 0},
    {"blanks before the continuation stay", "a  \n  b", "1:a    b|", 0},
    {"continued over a comment", "a\n#x\n\n b\nc", "1:a b|5:c|", 0},
    {"a comment is not continued", "#a\n b\nc", "3:c|", 1},
    {"white space first", " a\n b\nc\n d", "3:c d|", 2},
    {"hash inside", "a #b", "1:a #b|", 0},
};

static void
test_lines(void **state)
{
	char got[200];
	unsigned bad;

	(void)state;
	for (size_t i = 0; i < sizeof(line_cases) / sizeof(line_cases[0]);
	     i++) {
		const char *text = line_cases[i].text;

		join_lines(text, strlen(text), got, sizeof(got), &bad);
		if (strcmp(got, line_cases[i].want) != 0 ||
		    bad != line_cases[i].bad)
			fail_msg(
			    "%s: %s (%u bad)", line_cases[i].name, got, bad);
	}
}

static void
test_nul(void **state)
{
	char got[200];
	unsigned bad;

	(void)state;
	join_lines("a\nb\0c\n d\ne", 10, got, sizeof(got), &bad);
	assert_string_equal(got, "1:a d|4:e|");
	assert_int_equal(bad, 1);
}

static const struct {
	const char *in, *inside; /* NULL: refused */
} brace_cases[] = {
    {"{}", ""},
    {"{ a b }", "a b"},
    {"{{a} {b}}", "{a} {b}"},
    {"{a} {b}", NULL},
    {"{a}{b}", NULL},
    {"{a", NULL},
    {"a}", NULL},
    {"{{a}", NULL},
    {"{a}}", NULL},
    {"{", NULL},
    {"}", NULL},
    {"", NULL},
};

static void
test_unwrap(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(brace_cases) / sizeof(brace_cases[0]);
	     i++) {
		struct span inside;
		bool ok = load_unwrap(span_str(brace_cases[i].in), &inside);

		if (ok != (brace_cases[i].inside != NULL) ||
		    (ok && !span_is(inside, brace_cases[i].inside)))
			fail_msg("%s", brace_cases[i].in);
	}
}

static void
test_inline(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} cases[] = {
	    {"{}", ""}, {"{{a b} {c}}", "a b\nc\n"}, {"{{a} b}", NULL},
	    {"{{a}", NULL},
	    {"{xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}",
		NULL},
	    {"{{0123456789} {0123456789}}", NULL}, /* no room */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errtext why = {""};
		struct buf out;
		int rc;

		buf_init(&out, 20);
		rc = load_inline(span_str(cases[i].in), &out, &why);
		if (rc != (cases[i].out != NULL ? 0 : -1) ||
		    (rc < 0 && why.text[0] == '\0') ||
		    (rc == 0 && !span_is(buf_span(&out), cases[i].out)))
			fail_msg("%s: %s", cases[i].in, why.text);
		buf_clear(&out);
	}
}

static char check_arg;

static int
check(const char *value, void *arg, struct errtext *why)
{
	assert_ptr_equal(arg, &check_arg);
	errtext_set(why, "seen %s", value);
	return value[0] == '-' ? -1 : value[0] == '+';
}

static void
test_complaints(void **state)
{
	struct complaints complaints = {.count = 0};
	struct table_options options = {.report = on_complaint,
	    .arg = &complaints,
	    .check = check,
	    .check_arg = &check_arg};
	struct load l;

	(void)state;
	load_init(&l, "/f", &options);
	load_note(&l, 3, "note %d", 1);
	assert_int_equal(l.bad, 0);
	assert_int_equal(complaints.count, 1);
	load_check_value(&l, 4, "fine");
	assert_int_equal(complaints.count, 1);
	load_check_value(&l, 5, "+remark");
	load_check_value(&l, 6, "+remark");
	assert_int_equal(complaints.count, 2);
	assert_int_equal(l.bad, 0);
	load_check_value(&l, 7, "-bad");
	load_bad(&l, 8, "worse");
	assert_int_equal(complaints.count, 4);
	assert_int_equal(complaints.line, 8);
	assert_string_equal(complaints.text, "worse");
	assert_int_equal(l.bad, 2);
	assert_string_equal(l.first.text, "/f:7: seen -bad");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_nul),
	    cmocka_unit_test(test_unwrap),
	    cmocka_unit_test(test_inline),
	    cmocka_unit_test(test_complaints),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
