/* SPDX-License-Identifier: ISC */
#include "ops/master_cf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const char debian[] =
    "# Postfix master process configuration file.\n"
    "\n"
    "smtp      inet  n       -       y       -       -       smtpd\n"
    "    -o syslog_name=postfix/in\n"
    "# a comment inside\n"
    "  -o { smtpd_x = a b }\n"
    "#smtpd     pass  -       -       y       -       -       smtpd\n"
    "pickup    unix  n       -       y       60      1       pickup\n"
    "127.0.0.1:10025 inet n - y - - ../x/smtpd -v";

static void
parse(struct master_cf *cf, const char *text)
{
	struct errtext why;

	if (master_cf_parse(cf, span_str(text), &why) < 0)
		fail_msg("%s", why.text);
}

static void
assert_span(struct span got, const char *want)
{
	if (!span_is(got, want))
		fail_msg("\"%.*s\" is not \"%s\"", (int)got.n, got.p, want);
}

static void
test_entries(void **state)
{
	const struct master_entry *e;
	struct master_cf cf;

	(void)state;
	parse(&cf, debian);
	assert_int_equal(cf.entries, 3);
	e = master_cf_find(&cf, span_str("smtp"), "inet");
	assert_non_null(e);
	assert_span(e->field[MASTER_CHROOT], "y");
	assert_span(e->field[MASTER_COMMAND], "smtpd");
	assert_span(
	    e->arguments, "-o syslog_name=postfix/in -o { smtpd_x = a b }");
	assert_true(master_entry_runs(e, "smtpd"));
	assert_false(master_entry_runs(e, "smtp"));
	e = master_cf_find(&cf, span_str("127.0.0.1:10025"), "inet");
	assert_non_null(e);
	assert_true(master_entry_runs(e, "smtpd"));
	assert_null(master_cf_find(&cf, span_str("smtpd"), "pass"));
	assert_null(master_cf_find(&cf, span_str("smtp"), "unix"));
	master_cf_clear(&cf);
}

static void
test_others(void **state)
{
	static const char want[] =
	    "# Postfix master process configuration file.\n"
	    "\n"
	    "# a comment inside\n"
	    "#smtpd     pass  -       -       y       -       -       smtpd\n"
	    "127.0.0.1:10025 inet n - y - - ../x/smtpd -v";
	struct master_cf cf;
	struct buf out;

	(void)state;
	parse(&cf, debian);
	buf_init(&out, 4096);
	assert_int_equal(
	    master_cf_others(&cf, &cf.entry[0], &cf.entry[1], &out), 0);
	assert_span(buf_span(&out), want);
	buf_reset(&out);
	assert_int_equal(master_cf_others(&cf, NULL, NULL, &out), 0);
	assert_span(buf_span(&out), debian);
	buf_clear(&out);
	master_cf_clear(&cf);
}

static void
test_bad(void **state)
{
	static const struct {
		const char *name;
		struct span text;
	} cases[] = {
	    {"seven fields", {"smtp inet n - y - -\n", 20}},
	    {"a NUL", {"smtp inet n - y - - sm\0pd\n", 26}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct master_cf cf;
		struct errtext why = {""};

		if (master_cf_parse(&cf, cases[i].text, &why) == 0 ||
		    why.text[0] == '\0')
			fail_msg("%s: accepted", cases[i].name);
		master_cf_clear(&cf);
	}
}

static void
test_nothing(void **state)
{
	static const char *const texts[] = {"", "\n", "# x\n", " orphan x\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct master_cf cf;

		parse(&cf, texts[i]);
		assert_int_equal(cf.entries, 0);
		master_cf_clear(&cf);
	}
}

static int
note(struct span value, void *arg)
{
	struct buf *out = arg;

	return buf_printf(out, "[%.*s]", (int)value.n, value.p);
}

static void
test_options(void **state)
{
	static const struct {
		const char *arguments, *want;
	} cases[] = {
	    {"", ""},
	    {"-v", ""},
	    {"-o a=b -o c=d", "[a=b][c=d]"},
	    {"-oa=b -vvo c=d -v", "[a=b][c=d]"},
	    {"-o { a = b, c } -o{x=y}", "[a = b, c][{x=y}]"},
	    {"{ -o a=b }", "[ a=b]"},
	    {"-n name -o a=b -m 5", "[a=b]"},
	    {"-n -o a=b", ""},
	    {"word -o a=b", ""},
	    {"-o a=b -- -o c=d", "[a=b]"},
	    {"--config=/x -o a=b", ""},
	    {"-o", "[]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[200];
		struct master_cf cf;
		struct buf got;

		(void)snprintf(text, sizeof(text),
		    "25 inet n - - - 1 doorbelld %s\n", cases[i].arguments);
		parse(&cf, text);
		buf_init(&got, 200);
		assert_int_equal(
		    master_entry_options(&cf.entry[0], note, &got), 0);
		if (!span_is(buf_span(&got), cases[i].want))
			fail_msg(
			    "%s: %.*s", cases[i].arguments, (int)got.n, got.p);
		buf_clear(&got);
		master_cf_clear(&cf);
	}
}

static void
test_same(void **state)
{
	static const struct {
		const char *a, *b;
		bool want;
	} cases[] = {
	    {"smtpd", "smtpd", true},
	    {"smtpd -o a=b", "smtpd\n  -o\n a=b", true},
	    {"smtpd -o a=b -v", "smtpd -oa=b -v", true},
	    {"smtpd -vo a=b", "smtpd -v -o a=b", true},
	    {"smtpd -o { a = b c }", "smtpd -o {a=b c}", true},
	    {"smtpd -o a=b", "smtpd -o a=c", false},
	    {"smtpd -o a=b", "smtpd", false},
	    {"smtpd", "smtpd -v", false},
	    {"smtpd", "postscreen", false},
	    {"smtpd -v", "smtpd -D", false},
	    {"smtpd x", "smtpd y", false},
	    {"smtpd --config=/x", "smtpd --c -o nfig=/x", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[400];
		struct master_cf cf;

		(void)snprintf(text, sizeof(text),
		    "25 inet n - - - 1 %s\n25  inet n - - - 1 %s\n", cases[i].a,
		    cases[i].b);
		parse(&cf, text);
		if (master_entry_same(&cf.entry[0], &cf.entry[1]) !=
		    cases[i].want)
			fail_msg("%s, %s", cases[i].a, cases[i].b);
		master_cf_clear(&cf);
	}
	assert_true(master_entry_same(NULL, NULL));
}

/* Every truncation either parses or says why not. */
static void
test_truncated(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(debian); n++) {
		struct errtext why = {""};
		struct master_cf cf;

		if (master_cf_parse(&cf, span_of(debian, n), &why) < 0)
			assert_string_not_equal(why.text, "");
		master_cf_clear(&cf);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_entries),
	    cmocka_unit_test(test_others),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_same),
	    cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
