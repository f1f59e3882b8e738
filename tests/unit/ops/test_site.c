/* SPDX-License-Identifier: ISC */
/* links: catch_output scratch */
#include "ops/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "support/catch_output.h"
#include "support/scratch.h"

enum { NOBODY = 65534, MASTER_CF_MAX = 4 << 20 };

static struct scratch scratch;

static int
setup(void **state)
{
	(void)state;
	scratch_make(&scratch);
	scratch_write(&scratch, "main.cf", "myhostname = mx.test\n", 0644);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

/* What it says on stderr is compared, too; "%" in it is the directory. */
static int
open_saying(
    struct site *site, const char *path, const char *want, struct errtext *why)
{
	struct caught said;
	int rc;

	why->text[0] = '\0';
	catch_begin(&said);
	rc = site_open(site, path, why);
	catch_end(&said);
	scratch_expect_said(&scratch, said.err, want);
	assert_string_equal(said.out, "");
	catch_clear(&said);
	return rc;
}

static void
expect_failure(const char *path, const char *said, const char *reason)
{
	struct errtext why;
	struct site site;

	assert_int_equal(open_saying(&site, path, said, &why), -1);
	if (strstr(why.text, reason) == NULL)
		fail_msg("\"%s\", not \"%s\"", why.text, reason);
	site_close(&site);
	assert_null(site.path);
}

/* --- where it is ------------------------------------------------------------- */

static void
a_directory_of_postfix(void **state)
{
	char real[4096];
	struct errtext why;
	struct site site;

	(void)state;
	scratch_write(&scratch, "master.cf",
	    "smtp inet n - y - - smtpd\n -o myhostname=not.for.us\n", 0644);
	assert_int_equal(symlink(".", scratch_path(&scratch, "by-a-link")), 0);
	assert_int_equal(
	    open_saying(&site, scratch_path(&scratch, "by-a-link"), "", &why),
	    0);
	assert_non_null(realpath(scratch.dir, real));
	assert_string_equal(site.path, real);
	assert_ptr_equal(site.directory, site.path);
	assert_int_equal(site.master.entries, 1);
	assert_false(site.is_service);
	assert_int_equal(site.options.n, 0);
	assert_string_equal(site.cfg->postfix.myhostname, "mx.test");
	assert_string_equal(site.cfg->postfix.config_directory, real);
	site_close(&site);
	/* Once more does no harm. */
	site_close(&site);
}

static void
a_file_alone(void **state)
{
	struct errtext why;
	struct site site;

	(void)state;
	scratch_write(&scratch, "alone.cf", "myhostname = alone.test\n", 0644);
	/* This one is not meant. */
	scratch_write(&scratch, "master.cf", "not enough\n", 0644);
	assert_int_equal(
	    open_saying(&site, scratch_path(&scratch, "alone.cf"), "", &why),
	    0);
	assert_null(site.directory);
	assert_int_equal(site.master.entries, 0);
	assert_string_equal(site.cfg->postfix.myhostname, "alone.test");
	site_close(&site);
}

static void
what_the_environment_says(void **state)
{
	struct errtext why;
	struct site site;

	(void)state;
	assert_int_equal(setenv("MAIL_CONFIG", scratch.dir, 1), 0);
	assert_int_equal(open_saying(&site, NULL, "", &why), 0);
	assert_string_equal(site.cfg->postfix.myhostname, "mx.test");
	site_close(&site);
	assert_int_equal(setenv("MAIL_CONFIG", "/nonexistent/postfix", 1), 0);
	expect_failure(NULL, "", "/nonexistent/postfix: No such file");
	assert_int_equal(unsetenv("MAIL_CONFIG"), 0);
}

static void
where_nothing_is(void **state)
{
	(void)state;
	expect_failure("/nonexistent", "", "/nonexistent: No such file");
	expect_failure("", "", ": No such file");
	expect_failure("/dev/null/postfix", "", "Not a directory");
}

/* --- master.cf ---------------------------------------------------------------- */

/* doorbelld may run on its own, then there is none. */
static void
without_master_cf(void **state)
{
	struct errtext why;
	struct site site;

	(void)state;
	assert_int_equal(open_saying(&site, scratch.dir, "", &why), 0);
	assert_non_null(site.directory);
	assert_int_equal(site.master.entries, 0);
	assert_false(site.is_service);
	assert_string_equal(site.cfg->postfix.myhostname, "mx.test");
	site_close(&site);
	scratch_write(&scratch, "master.cf", "", 0644);
	assert_int_equal(open_saying(&site, scratch.dir, "", &why), 0);
	assert_int_equal(site.master.entries, 0);
	site_close(&site);
}

static void
a_master_cf_that_is_none(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
	    {"smtp inet n - y - - smtpd\nhalf an entry\n",
		"less than 8 fields: \"half an entry\""},
	    {"smtp\n", "less than 8 fields: \"smtp\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scratch_write(&scratch, "master.cf", cases[i].text, 0644);
		expect_failure(scratch.dir, "", cases[i].reason);
	}
}

static void
a_master_cf_that_cannot_be_read(void **state)
{
	const char *path = scratch_path(&scratch, "master.cf");

	(void)state;
	assert_int_equal(mkdir(path, 0755), 0);
	expect_failure(scratch.dir, "", "/master.cf: Is a directory");
	assert_int_equal(rmdir(path), 0);
	/* A link to nowhere is like no file, as for Postfix. */
	assert_int_equal(symlink("/nonexistent/x", path), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("master.cf", path), 0);
	expect_failure(scratch.dir, "", strerror(ELOOP));
}

static void
a_master_cf_for_others(void **state)
{
	struct errtext why = {""};
	struct site site;
	int rc;

	(void)state;
	if (geteuid() != 0)
		skip();
	scratch_write(
	    &scratch, "master.cf", "smtp inet n - y - - smtpd\n", 0600);
	assert_int_equal(seteuid(NOBODY), 0);
	rc = site_open(&site, scratch.dir, &why);
	assert_int_equal(seteuid(0), 0);
	site_close(&site);
	assert_int_equal(rc, -1);
	assert_non_null(strstr(why.text, "/master.cf: Permission denied"));
}

/* 4 MiB are more than anybody has written. */
static void
a_master_cf_without_end(void **state)
{
	static char text[MASTER_CF_MAX + 2];
	struct errtext why;
	struct site site;

	(void)state;
	memset(text, '#', MASTER_CF_MAX);
	scratch_write(&scratch, "master.cf", text, 0644);
	assert_int_equal(open_saying(&site, scratch.dir, "", &why), 0);
	site_close(&site);
	text[MASTER_CF_MAX] = '\n';
	scratch_write(&scratch, "master.cf", text, 0644);
	expect_failure(scratch.dir, "", "/master.cf: Message too long");
}

/* --- the -o words ------------------------------------------------------------- */

/* Those of the first doorbelld, and of no other program. */
static void
options_win_over_main_cf(void **state)
{
	struct errtext why;
	struct site site;

	(void)state;
	scratch_write(&scratch, "master.cf",
	    "smtp inet n - y - - smtpd\n"
	    "  -o myhostname=smtpd.test\n"
	    "25 inet n - y - 1 /usr/libexec/doorbelld\n"
	    "  -o myhostname=one.test -v\n"
	    "# in between\n"
	    "  -o { mydomain = of two words }\n"
	    "  -o myhostname=two.test\n"
	    "26 inet n - y - 1 doorbelld -o myhostname=other.test\n",
	    0644);
	assert_int_equal(open_saying(&site, scratch.dir, "", &why), 0);
	assert_true(site.is_service);
	assert_int_equal(site.options.n, 3);
	assert_string_equal(site.options.at[0], "myhostname=one.test");
	assert_string_equal(site.options.at[1], "mydomain = of two words");
	assert_string_equal(site.options.at[2], "myhostname=two.test");
	assert_string_equal(site.cfg->postfix.myhostname, "two.test");
	assert_string_equal(
	    config_text(site.config, "mydomain"), "of two words");
	site_close(&site);
}

static void
words_of_an_entry(void **state)
{
	static const struct {
		const char *arguments;
		size_t n;
		const char *first, *last;
	} cases[] = {
	    {"", 0, NULL, NULL},
	    {" -v -v", 0, NULL, NULL},
	    {" -o a=b", 1, "a=b", "a=b"},
	    {" -oa=b", 1, "a=b", "a=b"},
	    {" -vo a=b -o c=d", 2, "a=b", "c=d"},
	    {" -o", 1, "", ""},
	    {" -o { }", 1, "", ""},
	    {" -o a=b word -o c=d", 1, "a=b", "a=b"},
	    {" -o{a b} -o x", 2, "{a b}", "x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errtext why = {""};
		struct master_cf cf;
		struct words words;
		char line[200];

		(void)snprintf(line, sizeof(line),
		    "25 inet n - y - 1 doorbelld%s", cases[i].arguments);
		assert_int_equal(master_cf_parse(&cf, span_str(line), &why), 0);
		assert_int_equal(words_collect(&words, &cf.entry[0]), 0);
		if (words.n != cases[i].n ||
		    (words.n > 0 &&
			(strcmp(words.at[0], cases[i].first) != 0 ||
			    strcmp(words.at[words.n - 1], cases[i].last) != 0)))
			fail_msg("%s: %zu words, the first \"%s\"", line,
			    words.n, words.n > 0 ? words.at[0] : "");
		words_clear(&words);
		assert_int_equal(words.n, 0);
		words_clear(&words);
		master_cf_clear(&cf);
	}
}

/* Each byte of the line is a word, as far as it can be. */
static void
as_many_words_as_there_are(void **state)
{
	enum { WORDS = 1000 };
	struct errtext why = {""};
	struct master_cf cf;
	struct words words;
	struct buf line;

	(void)state;
	buf_init(&line, 100000);
	assert_int_equal(buf_add_str(&line, "a b c d e f g h"), 0);
	for (int i = 0; i < WORDS; i++)
		assert_int_equal(buf_add_str(&line, " -ox"), 0);
	assert_int_equal(master_cf_parse(&cf, buf_span(&line), &why), 0);
	assert_int_equal(words_collect(&words, &cf.entry[0]), 0);
	assert_int_equal(words.n, WORDS);
	assert_string_equal(words.at[WORDS - 1], "x");
	words_clear(&words);
	master_cf_clear(&cf);
	buf_clear(&line);
}

/* --- errors of the configuration ------------------------------------------------ */

static void
errors_are_said_with_their_place(void **state)
{
	(void)state;
	scratch_write(
	    &scratch, "doorbell.cf", "\ndoorbell_greet_wait = soon\n", 0644);
	expect_failure(scratch.dir,
	    "%/doorbell.cf:2: error: doorbell_greet_wait: "
	    "bad time value or unit: \"soon\"\n",
	    ": the configuration has errors");
}

static void
errors_of_options_have_no_place(void **state)
{
	(void)state;
	scratch_write(&scratch, "master.cf",
	    "25 inet n - y - 1 doorbelld -o doorbell_greet_wait=soon\n", 0644);
	expect_failure(scratch.dir,
	    "doorbellctl: error: doorbell_greet_wait: "
	    "bad time value or unit: \"soon\"\n",
	    ": the configuration has errors");
}

/* They are doorbelld's to say. */
static void
warnings_are_not_said(void **state)
{
	struct errtext why;
	struct site site;

	(void)state;
	scratch_write(&scratch, "doorbell.cf", "doorbell_no_such = 1\n", 0644);
	assert_int_equal(open_saying(&site, scratch.dir, "", &why), 0);
	site_close(&site);
}

static void
without_main_cf(void **state)
{
	(void)state;
	assert_int_equal(unlink(scratch_path(&scratch, "main.cf")), 0);
	expect_failure(scratch.dir,
	    "doorbellctl: error: %/main.cf: No such file or directory\n",
	    ": the configuration has errors");
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_SCRATCH(a_directory_of_postfix),
	    IN_SCRATCH(a_file_alone),
	    IN_SCRATCH(what_the_environment_says),
	    IN_SCRATCH(where_nothing_is),
	    IN_SCRATCH(without_master_cf),
	    IN_SCRATCH(a_master_cf_that_is_none),
	    IN_SCRATCH(a_master_cf_that_cannot_be_read),
	    IN_SCRATCH(a_master_cf_for_others),
	    IN_SCRATCH(a_master_cf_without_end),
	    IN_SCRATCH(options_win_over_main_cf),
	    cmocka_unit_test(words_of_an_entry),
	    cmocka_unit_test(as_many_words_as_there_are),
	    IN_SCRATCH(errors_are_said_with_their_place),
	    IN_SCRATCH(errors_of_options_have_no_place),
	    IN_SCRATCH(warnings_are_not_said),
	    IN_SCRATCH(without_main_cf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
