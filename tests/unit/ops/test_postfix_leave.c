/* SPDX-License-Identifier: ISC */
/* links: catch_output fake_clock scratch small_postfix */
#include "ops/postfix_leave.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ops/inside.h"
#include "support/catch_output.h"
#include "support/fake_clock.h"
#include "support/small_postfix.h"

#define OTHERS                                   \
	"pickup  unix  n  -  y  60  1  pickup\n" \
	"\t-o content_filter=\n# and the rest\n" \
	"cleanup unix  n  -  y  -   0  cleanup\n"
/* As nobody but its author would write it. */
#define BEFORE "smtp  inet  n  -  y  -  -  smtpd\n  -o  a=b\n" OTHERS
#define PORT_THEN "smtp  inet  n  -  y  -  -  smtpd -o  a=b\n"
#define PORT_NOW "smtp inet n - y - 1 doorbelld\n"
#define PASS_NOW "smtpd pass - - y - - smtpd -o a=b\n"
#define NOW PORT_NOW OTHERS PASS_NOW

#define SET_PORT "postconf|-M|smtp/inet=" PORT_THEN
#define DROP_PASS "postconf|-MX|smtpd/pass\n"
#define TAKE_UP "check\nreload\n"
#define NOBODY_INSIDE \
	"doorbelld smtp inet: 0\nsmtpd smtpd pass: 0\nsmtpd smtpd pass: 0\n"
#define WAITING                                                            \
	"Waiting up to 60 seconds for clients to finish; Ctrl-C ends the " \
	"waiting.\n"
#define ENOUGH "Not waiting any longer.\n"
#define KEPT "etc/master.cf.before-doorbell"

static struct small_postfix postfix;
static struct postfix_job job;
static sigset_t before;

/* --- who is inside --------------------------------------------------------------- */

/* So many looks still find somebody; then something happens. */
static struct {
	int screen, smtpd;
	void (*at_last)(void);
} inside;

/* Takes the place of ops/inside.c, and is written down with the other calls. */
bool
inside_has(const struct inside_entry *entry)
{
	FILE *calls = fopen(scratch_path(&postfix.scratch, "calls"), "ae");
	int *left = strcmp(entry->program, "doorbelld") == 0 ? &inside.screen
							     : &inside.smtpd;
	bool has = *left > 0;

	if (strcmp(entry->queue, scratch_path(&postfix.scratch, "queue")) != 0)
		fprintf(calls, "in %s: ", entry->queue);
	fprintf(calls, "%s %s %s: %d\n", entry->program, entry->service,
	    entry->type, *left);
	fclose(calls);
	*left -= has;
	if (has && *left == 0 && inside.at_last != NULL)
		inside.at_last();
	return has;
}

static void
time_passes(void)
{
	fake_clock_advance(POSTFIX_LEAVE_WAIT_MS);
	inside.screen = inside.smtpd = 1;
}

static void
somebody_changes_master_cf(void)
{
	int fd = open(scratch_path(&postfix.scratch, "etc/master.cf"),
	    O_WRONLY | O_APPEND | O_CLOEXEC);

	(void)!write(fd, "# new\n", 6);
	close(fd);
}

static void
somebody_puts_the_copy_back(void)
{
	(void)rename(scratch_path(&postfix.scratch, KEPT),
	    scratch_path(&postfix.scratch, "etc/master.cf"));
}

static void
somebody_removes_master_cf(void)
{
	(void)unlink(scratch_path(&postfix.scratch, "etc/master.cf"));
}

static void
interrupt(void)
{
	raise(SIGINT);
}

/* --- a job ------------------------------------------------------------------------ */

static void
hold_signals(void)
{
	sigset_t hold;

	sigemptyset(&hold);
	sigaddset(&hold, SIGINT);
	sigaddset(&hold, SIGTERM);
	sigaddset(&hold, SIGHUP);
	sigprocmask(SIG_BLOCK, &hold, &before);
}

static void
forget_signals(void)
{
	const struct timespec none = {0};
	sigset_t all;

	sigfillset(&all);
	while (sigtimedwait(&all, NULL, &none) > 0)
		;
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static int
setup(void **state)
{
	(void)state;
	small_postfix_make(&postfix, NOW, "");
	scratch_write(&postfix.scratch, KEPT, BEFORE, 0600);
	job = (struct postfix_job){.lock = -1};
	memset(&inside, 0, sizeof(inside));
	fake_clock_reset();
	hold_signals();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	forget_signals();
	postfix_job_end(&job);
	small_postfix_remove(&postfix);
	return 0;
}

static void
set_master(const char *text, mode_t mode)
{
	scratch_write(&postfix.scratch, "etc/master.cf", text, mode);
}

static void
expect_master(const char *text, mode_t mode)
{
	struct stat st;

	scratch_expect(&postfix.scratch, "etc/master.cf", text);
	assert_int_equal(
	    stat(scratch_path(&postfix.scratch, "etc/master.cf"), &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

/* Read what there is, and plan. */
static void
plan(const char *copy)
{
	const struct postfix_request request = {
	    .config = postfix.config, .service = "smtp"};
	struct errtext why = {""};
	struct master_cf then;

	if (postfix_job_begin(&job, &request, true, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(master_cf_parse(&then, span_str(copy), &why), 0);
	if (edit_plan_disable(&job.plan, &job.site.master, job.port, job.pass,
		&then, &why) < 0)
		fail_msg("%s", why.text);
	master_cf_clear(&then);
	small_postfix_expect_calls(&postfix, "status\n");
}

static void
plan_stopped(const char *copy)
{
	small_postfix_on(&postfix, "status", "exit 1");
	plan(copy);
	assert_false(job.runs);
}

static int
leave_saying(const char *out, const char *err, struct errtext *why)
{
	struct caught said;
	int rc;

	why->text[0] = '\0';
	catch_begin(&said);
	rc = postfix_leave(&job, why);
	catch_end(&said);
	scratch_expect_said(&postfix.scratch, said.out, out);
	scratch_expect_said(&postfix.scratch, said.err, err);
	catch_clear(&said);
	return rc;
}

static void
must_leave(const char *out, const char *err)
{
	struct errtext why;

	if (leave_saying(out, err, &why) < 0)
		fail_msg("%s", why.text);
}

/* It fails with this reason, and then all is brought back as it was. */
static void
cannot_leave(const char *out, const char *reason)
{
	struct errtext why;

	assert_int_equal(leave_saying(out, "", &why), -1);
	if (strstr(why.text, reason) == NULL)
		fail_msg("\"%s\", not \"%s\"", why.text, reason);
	assert_int_equal(postfix_job_undo(&job, &why), 0);
}

/* --- a Postfix that does not run ------------------------------------------------------ */

static void
the_whole_file_is_put_back(void **state)
{
	(void)state;
	set_master(NOW, 0640);
	plan_stopped(BEFORE);
	must_leave("", "");
	expect_master(BEFORE, 0640);
	scratch_expect(&postfix.scratch, KEPT, NULL);
	small_postfix_expect_calls(&postfix, "check\n");
	assert_false(job.reloaded);
}

static void
what_was_changed_meanwhile_stays(void **state)
{
	static const struct {
		const char *now, *then;
	} cases[] = {
	    {PORT_NOW "new unix n - y - - pipe\n" OTHERS PASS_NOW,
		PORT_THEN "new unix n - y - - pipe\n" OTHERS},
	    {PORT_NOW PASS_NOW, PORT_THEN},
	    {PORT_NOW OTHERS "# end\n" PASS_NOW, PORT_THEN OTHERS "# end\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_master(cases[i].now, 0644);
		scratch_write(&postfix.scratch, KEPT, BEFORE, 0600);
		plan_stopped(BEFORE);
		must_leave("", "");
		expect_master(cases[i].then, 0644);
		scratch_expect(&postfix.scratch, KEPT, NULL);
		small_postfix_expect_calls(
		    &postfix, SET_PORT DROP_PASS "check\n");
		postfix_job_end(&job);
	}
}

/* The copy is from before both screens; and the other still needs smtpd. */
static void
another_screen_keeps_copy_and_pass(void **state)
{
	static const char second[] = "26 inet n - y - 1 doorbelld\n";
	char now[500], then[500];

	(void)state;
	(void)snprintf(
	    now, sizeof(now), "%s%s%s%s", PORT_NOW, second, OTHERS, PASS_NOW);
	(void)snprintf(then, sizeof(then), "%s%s%s%s", PORT_THEN, second,
	    OTHERS, PASS_NOW);
	set_master(now, 0644);
	/* Nobody inside is waited for: nothing is taken from them. */
	inside.screen = 1;
	plan(BEFORE);
	must_leave("", "");
	expect_master(then, 0644);
	scratch_expect(&postfix.scratch, KEPT, BEFORE);
	small_postfix_expect_calls(&postfix, SET_PORT TAKE_UP);
}

/* --- one that runs ------------------------------------------------------------------------- */

static void
first_the_port_then_the_rest(void **state)
{
	(void)state;
	plan(BEFORE);
	must_leave(WAITING, "");
	expect_master(BEFORE, 0644);
	scratch_expect(&postfix.scratch, KEPT, NULL);
	small_postfix_expect_calls(
	    &postfix, SET_PORT TAKE_UP NOBODY_INSIDE TAKE_UP);
	assert_true(job.reloaded);
}

/* They are made anew behind it. */
static void
keep_what_is_between(void)
{
	(void)!link(scratch_path(&postfix.scratch, "etc/master.cf"),
	    scratch_path(&postfix.scratch, "between"));
	(void)!link(scratch_path(&postfix.scratch, KEPT),
	    scratch_path(&postfix.scratch, "between-kept"));
}

static void
clients_may_finish(void **state)
{
	(void)state;
	plan(BEFORE);
	inside.screen = 2;
	inside.smtpd = 2;
	inside.at_last = keep_what_is_between;
	must_leave(WAITING, "");
	expect_master(BEFORE, 0644);
	scratch_expect(&postfix.scratch, "between", PORT_THEN OTHERS PASS_NOW);
	scratch_expect(&postfix.scratch, "between-kept", BEFORE);
	small_postfix_expect_calls(&postfix,
	    SET_PORT TAKE_UP "doorbelld smtp inet: 2\n"
			     "doorbelld smtp inet: 1\n"
			     "doorbelld smtp inet: 0\n"
			     "smtpd smtpd pass: 2\n"
			     "reload\n"
			     "smtpd smtpd pass: 1\n"
			     "smtpd smtpd pass: 0\n" TAKE_UP);
}

static void
waiting_is_told_to_people(void **state)
{
	(void)state;
	plan(BEFORE);
	job.json = true;
	must_leave("", WAITING);
}

static void
waiting_has_an_end(void **state)
{
	(void)state;
	plan(BEFORE);
	inside.screen = 1;
	inside.at_last = time_passes;
	must_leave(WAITING ENOUGH, "");
	expect_master(BEFORE, 0644);
	scratch_expect(&postfix.scratch, KEPT, NULL);
	small_postfix_expect_calls(
	    &postfix, SET_PORT TAKE_UP "doorbelld smtp inet: 1\n" TAKE_UP);
}

static void
waiting_for_smtpd_has_an_end(void **state)
{
	(void)state;
	plan(BEFORE);
	inside.smtpd = 2;
	inside.at_last = time_passes;
	must_leave(WAITING ENOUGH, "");
	expect_master(BEFORE, 0644);
}

/* The change is not ended by it. */
static void
a_signal_ends_the_waiting(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		set_master(NOW, 0644);
		scratch_write(&postfix.scratch, KEPT, BEFORE, 0600);
		plan(BEFORE);
		inside.screen = 100;
		raise(signals[i]);
		must_leave(WAITING ENOUGH, "");
		expect_master(BEFORE, 0644);
		small_postfix_expect_calls(&postfix,
		    SET_PORT TAKE_UP "doorbelld smtp inet: 100\n" TAKE_UP);
		inside.screen = 0;
		postfix_job_end(&job);
	}
}

static void
a_signal_when_nobody_is_inside_any_more(void **state)
{
	(void)state;
	plan(BEFORE);
	inside.smtpd = 1;
	inside.at_last = interrupt;
	must_leave(WAITING ENOUGH, "");
	expect_master(BEFORE, 0644);
	small_postfix_expect_calls(&postfix,
	    SET_PORT TAKE_UP "doorbelld smtp inet: 0\nsmtpd smtpd pass: 1\n"
			     "reload\nsmtpd smtpd pass: 0\n" TAKE_UP);
}

/* --- somebody else at work -------------------------------------------------------------------- */

#define LEFT                                                                \
	"doorbellctl: somebody else has changed %/etc/master.cf: its line " \
	"\"smtpd pass\" is not needed any more\n"

static void
nothing_is_put_back_over_a_change(void **state)
{
	(void)state;
	plan(BEFORE);
	inside.screen = 1;
	inside.at_last = somebody_changes_master_cf;
	must_leave(WAITING, LEFT);
	expect_master(PORT_THEN OTHERS PASS_NOW "# new\n", 0644);
	scratch_expect(&postfix.scratch, KEPT, NULL);
	small_postfix_expect_calls(&postfix,
	    SET_PORT TAKE_UP "doorbelld smtp inet: 1\ndoorbelld smtp inet: 0\n"
			     "smtpd smtpd pass: 0\nsmtpd smtpd pass: 0\n");
}

static void
the_copy_is_put_back_by_somebody(void **state)
{
	(void)state;
	plan(BEFORE);
	inside.screen = 1;
	inside.at_last = somebody_puts_the_copy_back;
	must_leave(WAITING, LEFT);
	scratch_expect(&postfix.scratch, "etc/master.cf", BEFORE);
	scratch_expect(&postfix.scratch, KEPT, NULL);
}

/* A change that Postfix does not take: it is not ours to undo. */
static void
a_change_that_fails_the_reload_is_kept(void **state)
{
	(void)state;
	plan(BEFORE);
	small_postfix_on(&postfix, "reload",
	    "if grep -q new \"$D/etc/master.cf\"; then echo bad; exit 1; fi");
	inside.screen = 1;
	inside.smtpd = 1;
	inside.at_last = somebody_changes_master_cf;
	must_leave(
	    WAITING, "doorbellctl: postfix reload: %/bin/postfix: bad\n" LEFT);
}

static void
master_cf_is_gone_meanwhile(void **state)
{
	(void)state;
	plan(BEFORE);
	inside.screen = 1;
	inside.at_last = somebody_removes_master_cf;
	cannot_leave(WAITING, "/etc/master.cf: No such file");
	expect_master(NOW, 0644);
}

static void
master_cf_is_gone_before(void **state)
{
	(void)state;
	plan_stopped(BEFORE);
	somebody_removes_master_cf();
	cannot_leave("", "/etc/master.cf is gone");
	scratch_expect(&postfix.scratch, "etc/master.cf", NULL);
	scratch_expect(&postfix.scratch, KEPT, BEFORE);
}

/* --- steps that fail ----------------------------------------------------------------------------- */

static void
a_step_that_fails_leaves_all_as_it_was(void **state)
{
	static const struct {
		const char *what, *script, *out, *reason;
	} cases[] = {
	    {"postconf", "echo 'fatal: no'; exit 1", "",
		"/bin/postconf: fatal: no"},
	    {"postconf", "exit 0", "", "postconf made "},
	    {"edited", "sed -i '/^smtpd/d' \"$D/etc/master.cf\"", "",
		"postconf changed more"},
	    {"edited", "echo >>\"$D/etc/master.cf\"", "",
		"postconf changed more"},
	    {"check", "echo bad; exit 1", "", "postfix check: "},
	    {"check", "rm \"$D/etc/master.cf\"", "", "/etc/master.cf: "},
	    {"reload", "echo bad; exit 1", "", "postfix reload: "},
	    /* The second time. */
	    {"check", "echo >>\"$D/n\"; [ $(wc -l <\"$D/n\") = 2 ] && exit 7",
		WAITING, "/bin/postfix ended with 7"},
	    {"reload", "echo >>\"$D/m\"; [ $(wc -l <\"$D/m\") = 2 ] && exit 8",
		WAITING, "/bin/postfix ended with 8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_master(NOW, 0604);
		plan(BEFORE);
		small_postfix_on(&postfix, cases[i].what, cases[i].script);
		cannot_leave(cases[i].out, cases[i].reason);
		expect_master(NOW, 0604);
		scratch_expect(&postfix.scratch, KEPT, BEFORE);
		small_postfix_on(&postfix, cases[i].what, "");
		(void)unlink(scratch_path(&postfix.scratch, "calls"));
		postfix_job_end(&job);
	}
}

/* The reload between the two steps; a Ctrl-C that has reached it is one for the
 * waiting, too. */
static void
the_reload_between_fails(void **state)
{
	static const char script[] =
	    "echo >>\"$D/n\"; [ $(wc -l <\"$D/n\") = 2 ] && exit 8";

	(void)state;
	plan(BEFORE);
	inside.smtpd = 2;
	small_postfix_on(&postfix, "reload", script);
	cannot_leave(WAITING, "postfix reload: ");
	expect_master(NOW, 0644);
	scratch_expect(&postfix.scratch, KEPT, BEFORE);
	postfix_job_end(&job);

	(void)unlink(scratch_path(&postfix.scratch, "n"));
	(void)unlink(scratch_path(&postfix.scratch, "calls"));
	plan(BEFORE);
	inside.smtpd = 1;
	inside.at_last = interrupt;
	must_leave(WAITING ENOUGH, "");
	expect_master(BEFORE, 0644);
	scratch_expect(&postfix.scratch, KEPT, NULL);
}

static void
a_copy_that_cannot_be_read(void **state)
{
	const char *kept = scratch_path(&postfix.scratch, KEPT);

	(void)state;
	plan_stopped(BEFORE);
	assert_int_equal(unlink(kept), 0);
	assert_int_equal(mkdir(kept, 0755), 0);
	cannot_leave("", "/" KEPT ": Is a directory");
	expect_master(NOW, 0644);
}

/* Then it is not over, and all is brought back, as soon as it can be. */
static void
a_copy_that_cannot_be_removed(void **state)
{
	struct errtext why;

	(void)state;
	set_master(PORT_NOW PASS_NOW, 0644);
	plan_stopped(BEFORE);
	small_postfix_on(&postfix, "edited",
	    "rm -f \"$D/" KEPT "\"; mkdir -p \"$D/" KEPT "\"");
	assert_int_equal(leave_saying("", "", &why), -1);
	assert_non_null(strstr(why.text, "/" KEPT ": Is a directory"));
	assert_int_equal(postfix_job_undo(&job, &why), -1);
	expect_master(PORT_NOW PASS_NOW, 0644);
	assert_int_equal(rmdir(scratch_path(&postfix.scratch, KEPT)), 0);
	assert_int_equal(postfix_job_undo(&job, &why), 0);
	scratch_expect(&postfix.scratch, KEPT, BEFORE);
}

static void
a_copy_that_is_none(void **state)
{
	(void)state;
	plan_stopped(BEFORE);
	scratch_write(&postfix.scratch, KEPT, "half an entry\n", 0600);
	cannot_leave("", "less than 8 fields");
	expect_master(NOW, 0644);
	scratch_expect(&postfix.scratch, KEPT, "half an entry\n");
}

#define WITH_POSTFIX(test) \
	cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_POSTFIX(the_whole_file_is_put_back),
	    WITH_POSTFIX(what_was_changed_meanwhile_stays),
	    WITH_POSTFIX(another_screen_keeps_copy_and_pass),
	    WITH_POSTFIX(first_the_port_then_the_rest),
	    WITH_POSTFIX(clients_may_finish),
	    WITH_POSTFIX(waiting_is_told_to_people),
	    WITH_POSTFIX(waiting_has_an_end),
	    WITH_POSTFIX(waiting_for_smtpd_has_an_end),
	    WITH_POSTFIX(a_signal_ends_the_waiting),
	    WITH_POSTFIX(a_signal_when_nobody_is_inside_any_more),
	    WITH_POSTFIX(nothing_is_put_back_over_a_change),
	    WITH_POSTFIX(the_copy_is_put_back_by_somebody),
	    WITH_POSTFIX(a_change_that_fails_the_reload_is_kept),
	    WITH_POSTFIX(master_cf_is_gone_meanwhile),
	    WITH_POSTFIX(master_cf_is_gone_before),
	    WITH_POSTFIX(a_step_that_fails_leaves_all_as_it_was),
	    WITH_POSTFIX(the_reload_between_fails),
	    WITH_POSTFIX(a_copy_that_cannot_be_read),
	    WITH_POSTFIX(a_copy_that_cannot_be_removed),
	    WITH_POSTFIX(a_copy_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
