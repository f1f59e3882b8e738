/* SPDX-License-Identifier: ISC */
/* links: catch_output */
#include "ops/postfix_say.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "ops/json_value.h"
#include "support/catch_output.h"

enum { NOBODY = 65534 };

#define PLAIN "smtp inet n - y - - smtpd -o a=b"
#define PORT "smtp inet n - y - 1 doorbelld"
#define PASS "smtpd pass - - y - - smtpd -o a=b"

static char master[] = "/etc/postfix/master.cf";
static char new_port[] = PORT, new_pass[] = PASS, old_port[] = PLAIN;

static struct master_cf cf;
static struct postfix_job job;
static struct caught said;

/* A job for the first entry of these; the second one is of type pass. */
static void
make_job(const char *entries)
{
	struct errtext why = {""};

	master_cf_clear(&cf);
	if (master_cf_parse(&cf, span_str(entries), &why) < 0)
		fail_msg("%s", why.text);
	job = (struct postfix_job){
	    .master = master,
	    .port = &cf.entry[0],
	    .plan.port = &cf.entry[0],
	    .plan.pass = cf.entries > 1 ? &cf.entry[1] : NULL,
	    .runs = true,
	    .lock = -1,
	};
}

static int
teardown(void **state)
{
	(void)state;
	catch_clear(&said);
	master_cf_clear(&cf);
	return 0;
}

static void
expect_said(const char *out, const char *err)
{
	catch_end(&said);
	assert_string_equal(said.out, out);
	assert_string_equal(said.err, err);
	catch_clear(&said);
}

static bool
is_root(void)
{
	return geteuid() == 0;
}

/* What somebody who is not root is told. */
static void
say_as_nobody(void (*say)(void))
{
	bool was_root = is_root();
	int rc = 0;

	catch_begin(&said);
	if (was_root)
		rc = seteuid(NOBODY);
	say();
	if (was_root)
		rc |= seteuid(0);
	catch_end(&said);
	assert_int_equal(rc, 0);
}

/* --- for people ---------------------------------------------------------------- */

static void
people_and_programs_hear_it_elsewhere(void **state)
{
	(void)state;
	make_job(PLAIN "\n");
	catch_begin(&said);
	postfix_say(&job, "Done: %s, %d%%\n", "it", 100);
	expect_said("Done: it, 100%\n", "");
	job.json = true;
	catch_begin(&said);
	postfix_say(&job, "Done: %s, %d%%\n", "it", 100);
	expect_said("", "Done: it, 100%\n");
}

/* It stands before what a command says that is run then. */
static void
it_is_said_at_once(void **state)
{
	static const char later[] = "later\n";

	(void)state;
	make_job(PLAIN "\n");
	catch_begin(&said);
	postfix_say(&job, "now\n");
	(void)!write(STDOUT_FILENO, later, sizeof(later) - 1);
	expect_said("now\nlater\n", "");
}

static void
a_plan_is_shown_as_a_difference(void **state)
{
	static const struct {
		char *port, *pass;
		bool pass_goes;
		const char *want;
	} cases[] = {
	    {NULL, NULL, false, ""},
	    {new_port, new_pass, false,
		"In /etc/postfix/master.cf:\n"
		"- " PLAIN "\n+ " PORT "\n+ " PASS "\n"},
	    {new_port, NULL, false,
		"In /etc/postfix/master.cf:\n- " PLAIN "\n+ " PORT "\n"},
	    {NULL, new_pass, false, "In /etc/postfix/master.cf:\n+ " PASS "\n"},
	    {new_port, NULL, true,
		"In /etc/postfix/master.cf:\n"
		"- " PLAIN "\n+ " PORT "\n- " PASS "\n"},
	    {NULL, NULL, true, "In /etc/postfix/master.cf:\n- " PASS "\n"},
	};

	(void)state;
	make_job(PLAIN "\n" PASS "\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		job.plan.new_port = cases[i].port;
		job.plan.new_pass = cases[i].pass;
		job.plan.pass_goes = cases[i].pass_goes;
		catch_begin(&said);
		postfix_say_plan(&job);
		expect_said(cases[i].want, "");
	}
}

static void
say_reload(void)
{
	postfix_say_reload(&job);
}

static void
whether_it_is_told_to_reload(void **state)
{
	(void)state;
	make_job(PLAIN "\n");
	say_as_nobody(say_reload);
	assert_string_equal(
	    said.out, "If Postfix runs, it will be told to reload.\n");
	catch_clear(&said);
	if (!is_root())
		return;
	catch_begin(&said);
	postfix_say_reload(&job);
	expect_said("Postfix runs and will be told to reload.\n", "");
	job.runs = false;
	catch_begin(&said);
	postfix_say_reload(&job);
	expect_said("Postfix does not run; nothing to reload.\n", "");
}

static void
say_status(void)
{
	postfix_say_status(&job);
}

static void
status_for_people(void **state)
{
	(void)state;
	make_job("127.0.0.1:smtp inet n - y - - /usr/lib/smtpd -o x=y\n");
	say_as_nobody(say_status);
	assert_string_equal(said.out,
	    "127.0.0.1:smtp: /usr/lib/smtpd (/etc/postfix/master.cf)\n");
	catch_clear(&said);
	if (!is_root())
		return;
	catch_begin(&said);
	postfix_say_status(&job);
	expect_said("127.0.0.1:smtp: /usr/lib/smtpd"
		    " (/etc/postfix/master.cf; Postfix runs)\n",
	    "");
	job.runs = false;
	catch_begin(&said);
	postfix_say_status(&job);
	expect_said("127.0.0.1:smtp: /usr/lib/smtpd"
		    " (/etc/postfix/master.cf; Postfix does not run)\n",
	    "");
}

/* --- for programs ---------------------------------------------------------------- */

#define HEAD                             \
	"{\"master_cf\":\"/etc/postfix/" \
	"master.cf\",\"service\":\"smtp\",\"runs\":"

static void
the_holder_has_a_word(void **state)
{
	static const struct {
		const char *command, *holder;
	} cases[] = {
	    {"doorbelld", "doorbelld"},
	    {"postscreen", "postscreen"},
	    {"smtpd", "smtpd"},
	    {"spawn", "other"},
	    {"/opt/sbin/doorbelld", "doorbelld"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[200];

		(void)snprintf(text, sizeof(text), "smtp inet n - y - - %s\n",
		    cases[i].command);
		make_job(text);
		job.json = true;
		say_as_nobody(say_status);
		(void)snprintf(text, sizeof(text),
		    HEAD "null,\"command\":\"%s\",\"holder\":\"%s\"}\n",
		    cases[i].command, cases[i].holder);
		assert_string_equal(said.out, text);
		assert_string_equal(said.err, "");
		catch_clear(&said);
	}
}

static void
only_root_knows_whether_it_runs(void **state)
{
	(void)state;
	if (!is_root())
		skip();
	make_job(PLAIN "\n");
	job.json = true;
	catch_begin(&said);
	postfix_say_status(&job);
	expect_said(
	    HEAD "true,\"command\":\"smtpd\",\"holder\":\"smtpd\"}\n", "");
	job.runs = false;
	catch_begin(&said);
	postfix_say_status(&job);
	expect_said(
	    HEAD "false,\"command\":\"smtpd\",\"holder\":\"smtpd\"}\n", "");
}

static bool is_dry, has_changed;

static void
say_result(void)
{
	postfix_say_result(&job, is_dry, has_changed);
}

static void
results_are_for_programs_only(void **state)
{
	(void)state;
	make_job(PLAIN "\n");
	catch_begin(&said);
	postfix_say_result(&job, false, true);
	expect_said("", "");
}

static void
a_result_has_what_comes_and_what_goes(void **state)
{
	static const struct {
		char *port, *pass;
		bool pass_goes, dry_run, changed;
		const char *want;
	} cases[] = {
	    {NULL, NULL, false, false, false,
		HEAD "null,\"dry_run\":false,\"changed\":false,"
		     "\"removed\":[],\"added\":[]}\n"},
	    {new_port, new_pass, false, true, false,
		HEAD "null,\"dry_run\":true,\"changed\":false,"
		     "\"removed\":[\"" PLAIN "\"],"
		     "\"added\":[\"" PORT "\",\"" PASS "\"]}\n"},
	    {old_port, NULL, true, false, true,
		HEAD "null,\"dry_run\":false,\"changed\":true,"
		     "\"removed\":[\"" PLAIN "\",\"" PASS "\"],"
		     "\"added\":[\"" PLAIN "\"]}\n"},
	    {NULL, new_pass, false, false, true,
		HEAD "null,\"dry_run\":false,\"changed\":true,"
		     "\"removed\":[],\"added\":[\"" PASS "\"]}\n"},
	};

	(void)state;
	make_job(PLAIN "\n" PASS "\n");
	job.json = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		job.plan.new_port = cases[i].port;
		job.plan.new_pass = cases[i].pass;
		job.plan.pass_goes = cases[i].pass_goes;
		is_dry = cases[i].dry_run;
		has_changed = cases[i].changed;
		say_as_nobody(say_result);
		assert_string_equal(said.out, cases[i].want);
		assert_string_equal(said.err, "");
		catch_clear(&said);
	}
}

/* Whatever an admin has in master.cf, it is one line, and JSON. */
static void
any_entry_is_json(void **state)
{
	static const char entry[] =
	    "s\"m\\tp inet n - y - - smtpd"
	    " -o { a=\"\001\033[1m\177 \\ <b>\xc3\xa9 }\n";
	const struct json_value *root;
	struct json_tree *tree;
	struct errtext why = {""};

	(void)state;
	make_job(entry);
	job.json = true;
	job.plan.new_port = cf.entry[0].text;
	say_as_nobody(say_result);
	assert_ptr_equal(
	    strchr(said.out, '\n'), said.out + strlen(said.out) - 1);
	tree = json_tree_new(span_str(said.out), &why);
	if (tree == NULL)
		fail_msg("%s", why.text);
	root = json_tree_root(tree);
	assert_string_equal(json_value_text(root, "service"), "s\"m\\tp");
	assert_string_equal(
	    json_value_get(root, "added")->first->text, cf.entry[0].text);
	json_tree_free(&tree);
}

/* Half a line would be no JSON. */
static void
an_entry_without_end_is_not_said(void **state)
{
	static char entry[70000];
	size_t n = (size_t)snprintf(
	    entry, sizeof(entry), "smtp inet n - y - - smtpd -o a=");

	(void)state;
	memset(entry + n, 'x', sizeof(entry) - 1 - n);
	make_job(entry);
	job.json = true;
	job.plan.new_port = cf.entry[0].text;
	say_as_nobody(say_result);
	assert_string_equal(said.out, "");
}

#define SAYS(test) cmocka_unit_test_teardown(test, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SAYS(people_and_programs_hear_it_elsewhere),
	    SAYS(it_is_said_at_once),
	    SAYS(a_plan_is_shown_as_a_difference),
	    SAYS(whether_it_is_told_to_reload),
	    SAYS(status_for_people),
	    SAYS(the_holder_has_a_word),
	    SAYS(only_root_knows_whether_it_runs),
	    SAYS(results_are_for_programs_only),
	    SAYS(a_result_has_what_comes_and_what_goes),
	    SAYS(any_entry_is_json),
	    SAYS(an_entry_without_end_is_not_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
