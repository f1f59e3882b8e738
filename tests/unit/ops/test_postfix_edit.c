/* SPDX-License-Identifier: ISC */
/* What is done to a Postfix, and undone when a step fails, takes root; what is
 * planned, and what others are told, does not. */
/* links: catch_output fast_clock scratch small_postfix */
#include "ops/postfix_edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "ops/replace.h"
#include "support/catch_output.h"
#include "support/fast_clock.h"
#include "support/small_postfix.h"

enum { NOBODY = 65534 };

#define OTHERS                                   \
	"pickup  unix  n  -  y  60  1  pickup\n" \
	"\t-o content_filter=\n# and the rest\n" \
	"cleanup unix  n  -  y  -   0  cleanup\n"
#define PLAIN_TEXT "smtp  inet n - y - - smtpd -o a=b"
#define PORT_TEXT "smtp inet n - y - 1 doorbelld"
#define PASS_TEXT "smtpd pass - - y - - smtpd -o a=b"
#define PLAIN "smtp  inet n - y - - smtpd\n  -o a=b\n"
#define BEFORE PLAIN OTHERS
#define NOW PORT_TEXT "\n" OTHERS PASS_TEXT "\n"
#define KEPT "etc/master.cf.before-doorbell"
#define ENABLE_CALLS                                          \
	"status\ndoorbelld\npostconf|-M|smtp/inet=" PORT_TEXT \
	"|smtpd/pass=smtpd pass - - y - - smtpd -o a=b\ncheck\nreload\n"

static struct small_postfix postfix;
static char *program; /* of this test */

static int
setup(void **state)
{
	(void)state;
	small_postfix_make(&postfix, BEFORE, "");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	small_postfix_remove(&postfix);
	return 0;
}

static void
set_master(const char *text)
{
	scratch_write(&postfix.scratch, "etc/master.cf", text, 0640);
}

static void
expect_file(const char *name, const char *text)
{
	scratch_expect(&postfix.scratch, name, text);
}

typedef int command(const struct postfix_request *);

/* Which of these are blocked. */
static unsigned
signals_held(void)
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	return (unsigned)(sigismember(&now, SIGINT) |
			  sigismember(&now, SIGTERM) << 1 |
			  sigismember(&now, SIGHUP) << 2);
}

static int
run(command *what, const struct postfix_request *more, const char *out,
    const char *err)
{
	struct postfix_request request = *more;
	unsigned held = signals_held();
	struct caught said;
	int status;

	request.config = postfix.config;
	catch_begin(&said);
	status = what(&request);
	catch_end(&said);
	scratch_expect_said(&postfix.scratch, said.out, out);
	scratch_expect_said(&postfix.scratch, said.err, err);
	catch_clear(&said);
	assert_int_equal(signals_held(), held);
	return status;
}

static const struct postfix_request really = {0}, dry = {.dry_run = true},
				    as_json = {.json = true};

static void
skip_unless_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* --- others than root ------------------------------------------------------------- */

static int
run_as_nobody(
    command *what, const struct postfix_request *more, struct caught *said)
{
	struct postfix_request request = *more;
	bool was_root = geteuid() == 0;
	int rc = 0, status;

	request.config = postfix.config;
	catch_begin(said);
	if (was_root)
		rc = seteuid(NOBODY);
	status = what(&request);
	if (was_root)
		rc |= seteuid(0);
	catch_end(said);
	assert_int_equal(rc, 0);
	return status;
}

static void
others_change_nothing(void **state)
{
	static command *const commands[] = {postfix_enable, postfix_disable};
	struct caught said;

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		assert_int_equal(run_as_nobody(commands[i], &really, &said), 1);
		assert_string_equal(said.out, "");
		assert_string_equal(
		    said.err, "doorbellctl: only root can change a Postfix\n");
		catch_clear(&said);
	}
	expect_file("etc/master.cf", BEFORE);
	small_postfix_expect_calls(&postfix, NULL);
}

/* The calls are not written down: the directory is not theirs. */
static void
others_may_ask(void **state)
{
	struct caught said;

	(void)state;
	assert_int_equal(run_as_nobody(postfix_status, &really, &said), 4);
	scratch_expect_said(
	    &postfix.scratch, said.out, "smtp: smtpd (%/etc/master.cf)\n");
	catch_clear(&said);
	assert_int_equal(run_as_nobody(postfix_enable, &dry, &said), 0);
	scratch_expect_said(&postfix.scratch, said.out,
	    "In %/etc/master.cf:\n- " PLAIN_TEXT "\n+ " PORT_TEXT
	    "\n+ " PASS_TEXT "\n"
	    "A copy of the file is kept as %/" KEPT ".\n"
	    "If Postfix runs, it will be told to reload.\n");
	assert_string_equal(said.err, "");
	catch_clear(&said);
	expect_file("etc/master.cf", BEFORE);
	expect_file(KEPT, NULL);
}

/* --- status -------------------------------------------------------------------------- */

static void
status_tells_who_has_the_port(void **state)
{
	static const struct {
		const char *master, *service, *holder;
		int status;
	} cases[] = {
	    {NOW, NULL, "doorbelld", 0},
	    {"25 inet n - y - 1 postscreen\n", NULL, "postscreen", 3},
	    {BEFORE, NULL, "smtpd", 4},
	    {"smtp inet n - y - - spawn\n", NULL, "other", 5},
	    {BEFORE "26 inet n - y - 1 doorbelld\n", "26", "doorbelld", 0},
	};
	struct caught said;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct postfix_request request = {
		    .config = postfix.config,
		    .service = cases[i].service,
		    .json = true};
		int status;
		char holder[50];

		set_master(cases[i].master);
		catch_begin(&said);
		status = postfix_status(&request);
		catch_end(&said);
		assert_int_equal(status, cases[i].status);
		(void)snprintf(holder, sizeof(holder), "\"holder\":\"%s\"}\n",
		    cases[i].holder);
		assert_non_null(strstr(said.out, holder));
		assert_string_equal(said.err, "");
		catch_clear(&said);
	}
}

static void
status_of_what_is_none(void **state)
{
	(void)state;
	set_master(OTHERS);
	assert_int_equal(run(postfix_status, &really, "",
			     "doorbellctl: master.cf has no service on port"
			     " 25\n"),
	    1);
	assert_int_equal(
	    unlink(scratch_path(&postfix.scratch, "etc/main.cf")), 0);
	assert_int_equal(
	    run(postfix_status, &as_json, "",
		"doorbellctl: error: %/etc/main.cf: No such file or"
		" directory\n"
		"doorbellctl: %/etc: the configuration has errors\n"),
	    1);
}

/* --- enable ---------------------------------------------------------------------------- */

#define PLAN                                                                   \
	"In %/etc/master.cf:\n- " PLAIN_TEXT "\n+ " PORT_TEXT "\n+ " PASS_TEXT \
	"\nA copy of the file is kept as %/" KEPT ".\n"
#define RUNS "Postfix runs and will be told to reload.\n"
#define STOPPED "Postfix does not run; nothing to reload.\n"
#define RESULT_HEAD \
	"{\"master_cf\":\"%/etc/master.cf\",\"service\":\"smtp\",\"runs\":"

static void
doorbelld_is_put_in(void **state)
{
	struct stat st;

	(void)state;
	skip_unless_root();
	set_master(BEFORE);
	assert_int_equal(
	    chown(scratch_path(&postfix.scratch, "etc/master.cf"), 12, 34), 0);
	assert_int_equal(run(postfix_enable, &dry, PLAN RUNS, ""), 0);
	expect_file("etc/master.cf", BEFORE);
	small_postfix_expect_calls(&postfix, "status\n");
	assert_int_equal(run(postfix_enable, &really,
			     PLAN RUNS "Done: doorbelld has the port.\n", ""),
	    0);
	expect_file("etc/master.cf", NOW);
	small_postfix_expect_calls(&postfix, ENABLE_CALLS);
	/* The copy is as the file was, also whose. */
	expect_file(KEPT, BEFORE);
	assert_int_equal(stat(scratch_path(&postfix.scratch, KEPT), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_gid, 34);
	/* Once more does nothing. */
	assert_int_equal(
	    run(postfix_enable, &really,
		"doorbelld has the port already: nothing to do.\n", ""),
	    0);
	expect_file("etc/master.cf", NOW);
	expect_file(KEPT, BEFORE);
	small_postfix_expect_calls(&postfix, "status\n");
}

static void
programs_get_one_line(void **state)
{
	const struct postfix_request both = {.dry_run = true, .json = true};

	(void)state;
	skip_unless_root();
	assert_int_equal(
	    run(postfix_enable, &both,
		RESULT_HEAD "true,\"dry_run\":true,\"changed\":false,"
			    "\"removed\":[\"" PLAIN_TEXT "\"],"
			    "\"added\":[\"" PORT_TEXT "\",\"" PASS_TEXT
			    "\"]}\n",
		PLAN RUNS),
	    0);
	assert_int_equal(
	    run(postfix_enable, &as_json,
		RESULT_HEAD "true,\"dry_run\":false,\"changed\":true,"
			    "\"removed\":[\"" PLAIN_TEXT "\"],"
			    "\"added\":[\"" PORT_TEXT "\",\"" PASS_TEXT
			    "\"]}\n",
		PLAN RUNS "Done: doorbelld has the port.\n"),
	    0);
	assert_int_equal(
	    run(postfix_enable, &as_json,
		RESULT_HEAD "true,\"dry_run\":false,\"changed\":false,"
			    "\"removed\":[],\"added\":[]}\n",
		"doorbelld has the port already: nothing to do.\n"),
	    0);
	/* An error is none of them. */
	set_master(OTHERS);
	assert_int_equal(run(postfix_enable, &as_json, "",
			     "doorbellctl: master.cf has no service on port"
			     " 25\n"),
	    1);
}

static void
a_postfix_that_does_not_run(void **state)
{
	(void)state;
	skip_unless_root();
	small_postfix_on(&postfix, "status", "exit 1");
	assert_int_equal(
	    run(postfix_enable, &really,
		PLAN STOPPED "Done: doorbelld has the port.\n", ""),
	    0);
	small_postfix_expect_calls(&postfix,
	    "status\ndoorbelld\npostconf|-M|smtp/inet=" PORT_TEXT
	    "|smtpd/pass=" PASS_TEXT "\ncheck\n");
	assert_int_equal(
	    run(postfix_disable, &really,
		"In %/etc/master.cf:\n"
		"- " PORT_TEXT "\n+ " PLAIN_TEXT "\n"
		"- " PASS_TEXT "\n" STOPPED "Done: the old entries are back.\n",
		""),
	    0);
	expect_file("etc/master.cf", BEFORE);
	expect_file(KEPT, NULL);
}

/* The copy is from before the first of them. */
static void
a_second_port_leaves_the_copy(void **state)
{
	const struct postfix_request request = {.service = "26"};

	(void)state;
	skip_unless_root();
	set_master(NOW "26 inet n - y - - smtpd -o a=b\n");
	scratch_write(&postfix.scratch, KEPT, BEFORE, 0600);
	assert_int_equal(
	    run(postfix_enable, &request,
		"In %/etc/master.cf:\n- 26 inet n - y - - smtpd -o a=b\n"
		"+ 26 inet n - y - 1 doorbelld\n"
		"A copy of the file is kept as %/" KEPT ".\n" RUNS
		"Done: doorbelld has the port.\n",
		""),
	    0);
	expect_file("etc/master.cf", NOW "26 inet n - y - 1 doorbelld\n");
	expect_file(KEPT, BEFORE);
}

/* Without a screen it is one that somebody has forgotten. */
static void
an_old_copy_is_replaced(void **state)
{
	(void)state;
	skip_unless_root();
	scratch_write(&postfix.scratch, KEPT, "of last year\n", 0600);
	assert_int_equal(run(postfix_enable, &really,
			     PLAN RUNS "Done: doorbelld has the port.\n", ""),
	    0);
	expect_file(KEPT, BEFORE);
}

static void
smtpd_speaks_the_proxy_protocol(void **state)
{
	static const char refusal[] =
	    "doorbellctl: smtpd speaks the proxy protocol here: move"
	    " smtpd_upstream_proxy_protocol to"
	    " doorbell_upstream_proxy_protocol first\n";
	static const struct {
		const char *master, *main;
		int status;
	} cases[] = {
	    {"smtp inet n - y - - smtpd\n"
	     " -o smtpd_upstream_proxy_protocol=haproxy\n",
		"", 1},
	    {BEFORE, "smtpd_upstream_proxy_protocol = haproxy\n", 1},
	    {BEFORE, "smtpd_upstream_proxy_protocol =\n", 0},
	    /* There smtpd is behind a screen already. */
	    {"smtp inet n - y - 1 postscreen\n"
	     "smtpd pass - - y - - smtpd\n",
		"smtpd_upstream_proxy_protocol = haproxy\n", 0},
	};
	struct caught said;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct postfix_request request = {
		    .config = postfix.config, .dry_run = true};
		int status;

		small_postfix_remove(&postfix);
		small_postfix_make(&postfix, cases[i].master, cases[i].main);
		catch_begin(&said);
		status = postfix_enable(&request);
		catch_end(&said);
		assert_int_equal(status, cases[i].status);
		assert_string_equal(said.err, status == 0 ? "" : refusal);
		catch_clear(&said);
	}
}

static void
a_port_of_somebody_else(void **state)
{
	(void)state;
	set_master("smtp inet n - y - - spawn\n");
	assert_int_equal(run(postfix_enable, &dry, "",
			     "doorbellctl: neither smtpd nor postscreen has"
			     " the port: \"smtp inet n - y - - spawn\"\n"),
	    1);
}

/* --- a step that fails -------------------------------------------------------------------- */

#define UNDONE "doorbellctl: every file is as it was\n"

static void
give_away_master_cf(void)
{
	const char *path = scratch_path(&postfix.scratch, "etc/master.cf");

	assert_int_equal(chown(path, 12, 34), 0);
	assert_int_equal(chmod(path, 0604), 0);
}

static void
expect_as_it_was(void)
{
	struct stat st;

	expect_file("etc/master.cf", BEFORE);
	expect_file(KEPT, NULL);
	expect_file("etc/master.cf.doorbellctl", NULL);
	assert_int_equal(
	    stat(scratch_path(&postfix.scratch, "etc/master.cf"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_gid, 34);
}

static void
a_step_that_fails_leaves_all_as_it_was(void **state)
{
	static const struct {
		const char *what, *script, *err;
		bool told_again; /* Postfix had heard of the change */
	} cases[] = {
	    {"doorbelld", "echo it is wrong >&2; exit 1",
		"it is wrong\n"
		"doorbellctl: doorbelld -t: the configuration has "
		"errors\n" UNDONE,
		false},
	    {"postconf", "echo 'fatal: no'; exit 1",
		"doorbellctl: %/bin/postconf: fatal: no\n" UNDONE, false},
	    {"postconf", "kill -9 $$",
		"doorbellctl: %/bin/postconf ended with 137; the mail log may"
		" say why\n" UNDONE,
		false},
	    {"postconf", "exit 0",
		"doorbellctl: postconf made \"" PLAIN_TEXT "\" of"
		" \"" PORT_TEXT "\"\n" UNDONE,
		false},
	    {"edited", "sed -i 's/60/61/' \"$D/etc/master.cf\"",
		"doorbellctl: postconf changed more of master.cf than it was"
		" told to\n" UNDONE,
		false},
	    {"edited", "rm \"$D/etc/master.cf\"",
		"doorbellctl: %/etc/master.cf: No such file or"
		" directory\n" UNDONE,
		false},
	    {"check", "echo 'fatal: bad owner'; exit 1",
		"doorbellctl: postfix check: %/bin/postfix: fatal: bad"
		" owner\n" UNDONE,
		false},
	    {"check", "exit 75",
		"doorbellctl: postfix check: %/bin/postfix ended with 75; the"
		" mail log may say why\n" UNDONE,
		false},
	    /* Once with the change, and once when it is undone. */
	    {"reload", "grep -q doorbelld \"$D/etc/master.cf\" && exit 9",
		"doorbellctl: postfix reload: %/bin/postfix ended with 9; the"
		" mail log may say why\n" UNDONE,
		true},
	    {"reload", "echo no; exit 1",
		"doorbellctl: postfix reload: %/bin/postfix: no\n" UNDONE
		"doorbellctl: postfix reload: %/bin/postfix: no\n",
		true},
	};

	(void)state;
	skip_unless_root();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		give_away_master_cf();
		small_postfix_on(&postfix, cases[i].what, cases[i].script);
		assert_int_equal(
		    run(postfix_enable, &really, PLAN RUNS, cases[i].err), 1);
		expect_as_it_was();
		if (cases[i].told_again)
			small_postfix_expect_calls(
			    &postfix, ENABLE_CALLS "reload\n");
		small_postfix_on(&postfix, cases[i].what, "");
		(void)unlink(scratch_path(&postfix.scratch, "calls"));
	}
	assert_int_equal(run(postfix_enable, &really,
			     PLAN RUNS "Done: doorbelld has the port.\n", ""),
	    0);
}

/* The commands before this one take the time that they need. */
static void
on_usr1(int signal_number)
{
	(void)signal_number;
	fast_clock_set(1000);
}

/* One that comes stays until the test takes it. */
static int
setup_with_signals(void **state)
{
	sigset_t hold;

	sigemptyset(&hold);
	sigaddset(&hold, SIGTERM);
	sigprocmask(SIG_BLOCK, &hold, NULL);
	(void)signal(SIGUSR1, on_usr1);
	return setup(state);
}

static bool
take_signal(int signal_number)
{
	const struct timespec none = {0};
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, signal_number);
	return sigtimedwait(&held, NULL, &none) == signal_number;
}

static int
teardown_with_signals(void **state)
{
	sigset_t held;

	(void)take_signal(SIGTERM);
	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &held, NULL);
	(void)signal(SIGUSR1, SIG_DFL);
	fast_clock_set(1);
	return teardown(state);
}

/* A minute, and then it is killed and all is undone. */
static void
a_step_that_hangs(void **state)
{
	(void)state;
	skip_unless_root();
	give_away_master_cf();
	small_postfix_on(
	    &postfix, "check", "kill -USR1 $PPID; sleep 600 & wait");
	assert_int_equal(run(postfix_enable, &really, PLAN RUNS,
			     "doorbellctl: postfix check: %/bin/postfix:"
			     " Connection timed out\n" UNDONE),
	    1);
	expect_as_it_was();
	assert_false(take_signal(SIGTERM));
}

/* What comes in the middle has to wait until all is undone, or done. */
static void
a_signal_in_the_middle(void **state)
{
	(void)state;
	skip_unless_root();
	give_away_master_cf();
	small_postfix_on(&postfix, "check",
	    "kill -TERM $PPID; kill -USR1 $PPID; exec sleep 600");
	assert_int_equal(run(postfix_enable, &really, PLAN RUNS,
			     "doorbellctl: postfix check: %/bin/postfix:"
			     " Interrupted system call\n" UNDONE),
	    1);
	expect_as_it_was();
	assert_true(take_signal(SIGTERM));
	fast_clock_set(1);
	/* Who answers in time has not been disturbed. */
	small_postfix_on(&postfix, "check", "kill -TERM $PPID");
	assert_int_equal(run(postfix_enable, &really,
			     PLAN RUNS "Done: doorbelld has the port.\n", ""),
	    0);
	assert_true(take_signal(SIGTERM));
}

/* Nobody can help then; but it is said where to look. */
static void
an_undo_that_fails(void **state)
{
	(void)state;
	skip_unless_root();
	small_postfix_on(&postfix, "check",
	    "mkdir \"$D/etc/master.cf.doorbellctl\"; exit 3");
	assert_int_equal(
	    run(postfix_enable, &really, PLAN RUNS,
		"doorbellctl: postfix check: %/bin/postfix ended with 3; the"
		" mail log may say why\n"
		"doorbellctl: %/etc/master.cf: Is a directory\n"
		"doorbellctl: look at %/etc/master.cf\n"),
	    1);
	expect_file("etc/master.cf", NOW);
}

static void
a_copy_that_cannot_be_made(void **state)
{
	static const char *const in_its_way[] = {KEPT, KEPT ".doorbellctl"};

	(void)state;
	skip_unless_root();
	for (size_t i = 0; i < 2; i++) {
		const char *path =
		    scratch_path(&postfix.scratch, in_its_way[i]);

		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(
		    run(postfix_enable, &really, PLAN RUNS,
			"doorbellctl: %/" KEPT ": Is a directory\n" UNDONE),
		    1);
		assert_int_equal(rmdir(path), 0);
		expect_file("etc/master.cf", BEFORE);
		expect_file(KEPT, NULL);
		small_postfix_expect_calls(&postfix, "status\n");
	}
}

/* Between the reading and the writing, by whoever takes no lock. */
static void
master_cf_is_gone(void **state)
{
	(void)state;
	skip_unless_root();
	small_postfix_on(&postfix, "status", "rm \"$D/etc/master.cf\"");
	assert_int_equal(run(postfix_enable, &really, PLAN RUNS,
			     "doorbellctl: %/etc/master.cf is gone\n" UNDONE),
	    1);
	expect_file("etc/master.cf", NULL);
	expect_file(KEPT, NULL);
}

static void
another_is_at_work(void **state)
{
	int fd;

	(void)state;
	skip_unless_root();
	fd = open(postfix.config, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(
	    run(postfix_enable, &really, "",
		"doorbellctl: %/etc: another doorbellctl is at work\n"),
	    1);
	/* Who only looks may. */
	assert_int_equal(run(postfix_enable, &dry, PLAN RUNS, ""), 0);
	close(fd);
	expect_file("etc/master.cf", BEFORE);
}

/* --- disable --------------------------------------------------------------------------------- */

static void
nothing_to_take_out(void **state)
{
	(void)state;
	assert_int_equal(
	    run(postfix_disable, &dry,
		"doorbelld does not have the port: nothing to do.\n", ""),
	    0);
	expect_file("etc/master.cf", BEFORE);
}

static void
disable_needs_to_know_what_was(void **state)
{
	static const struct {
		const char *kept, *err;
	} cases[] = {
	    {NULL, "doorbellctl: there is no copy of what was before:"
		   " %/" KEPT ": No such file or directory\n"},
	    {"half an entry\n",
		"doorbellctl: an entry of master.cf has less than 8 fields:"
		" \"half an entry\"\n"},
	    {"", "doorbellctl: the copy of master.cf does not say who had the"
		 " port before\n"},
	    {NOW, "doorbellctl: the copy of master.cf does not say who had"
		  " the port before\n"},
	};

	(void)state;
	set_master(NOW);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].kept != NULL)
			scratch_write(
			    &postfix.scratch, KEPT, cases[i].kept, 0600);
		assert_int_equal(
		    run(postfix_disable, &dry, "", cases[i].err), 1);
		expect_file("etc/master.cf", NOW);
	}
}

#define PLAN_BACK                                                              \
	"In %/etc/master.cf:\n- " PORT_TEXT "\n+ " PLAIN_TEXT "\n- " PASS_TEXT \
	"\n"
#define WAITING                                                            \
	"Waiting up to 60 seconds for clients to finish; Ctrl-C ends the " \
	"waiting.\n"

static void
doorbelld_is_taken_out(void **state)
{
	(void)state;
	skip_unless_root();
	set_master(NOW);
	scratch_write(&postfix.scratch, KEPT, BEFORE, 0600);
	assert_int_equal(run(postfix_disable, &dry, PLAN_BACK RUNS, ""), 0);
	expect_file("etc/master.cf", NOW);
	expect_file(KEPT, BEFORE);
	assert_int_equal(
	    run(postfix_disable, &really,
		PLAN_BACK RUNS WAITING "Done: the old entries are back.\n", ""),
	    0);
	expect_file("etc/master.cf", BEFORE);
	expect_file(KEPT, NULL);
	assert_int_equal(
	    run(postfix_disable, &really,
		"doorbelld does not have the port: nothing to do.\n", ""),
	    0);
}

static void
a_disable_that_fails_leaves_doorbelld_in(void **state)
{
	(void)state;
	skip_unless_root();
	set_master(NOW);
	scratch_write(&postfix.scratch, KEPT, BEFORE, 0600);
	small_postfix_on(&postfix, "reload",
	    "grep -q doorbelld \"$D/etc/master.cf\" || exit 4");
	assert_int_equal(
	    run(postfix_disable, &really, PLAN_BACK RUNS,
		"doorbellctl: postfix reload: %/bin/postfix ended with 4; the"
		" mail log may say why\n" UNDONE),
	    1);
	expect_file("etc/master.cf", NOW);
	expect_file(KEPT, BEFORE);
}

/* --- the program ------------------------------------------------------------------------------- */

/* This program, in another place and in the role of doorbellctl. */
static int
run_copy(struct caught *said)
{
	const char *path = scratch_path(&postfix.scratch, "doorbellctl");
	struct errtext why = {""};
	struct buf bytes;
	int status;
	pid_t pid;

	buf_init(&bytes, REPLACE_FILE_MAX);
	if (replace_read(program, &bytes, NULL, &why) < 0 ||
	    replace_write(path, buf_span(&bytes), 0755, 0, 0, &why) < 0)
		fail_msg("%s", why.text);
	buf_clear(&bytes);
	catch_begin(said);
	if ((pid = fork()) == 0) {
		execl(path, path, postfix.config, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = -1;
	catch_end(said);
	assert_true(status >= 0 && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
expect_copy(int want, const char *out, const char *err)
{
	struct caught said;

	assert_int_equal(run_copy(&said), want);
	scratch_expect_said(&postfix.scratch, said.out, out);
	scratch_expect_said(&postfix.scratch, said.err, err);
	catch_clear(&said);
}

#define COPIED "The program is copied to %/libexec/doorbelld.\n"

static void
move_doorbelld(const char *from, const char *to)
{
	assert_int_equal(rename(scratch_path(&postfix.scratch, from),
			     scratch_path(&postfix.scratch, to)),
	    0);
}

/* The one beside doorbellctl is copied to where master(8) looks for it. */
static void
the_program_comes_along(void **state)
{
	struct stat st;

	(void)state;
	skip_unless_root();
	move_doorbelld("libexec/doorbelld", "doorbelld");
	assert_int_equal(
	    chmod(scratch_path(&postfix.scratch, "doorbelld"), 0700), 0);
	expect_copy(0, PLAN COPIED RUNS "Done: doorbelld has the port.\n", "");
	assert_int_equal(
	    stat(scratch_path(&postfix.scratch, "libexec/doorbelld"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_uid, 0);
	small_postfix_expect_calls(&postfix, ENABLE_CALLS);
	/* A program that is there already stays. */
	scratch_write(&postfix.scratch, "doorbelld", "other\n", 0755);
	expect_copy(0, "doorbelld has the port already: nothing to do.\n", "");
	assert_int_equal(
	    unlink(scratch_path(&postfix.scratch, "libexec/doorbelld")), 0);
	move_doorbelld("doorbelld", "libexec/other");
	/* And one that is missing comes also without another change. */
	scratch_write(&postfix.scratch, "doorbelld", "#!/bin/sh\n", 0755);
	expect_copy(0, COPIED RUNS "Done: doorbelld has the port.\n", "");
	expect_file("libexec/doorbelld", "#!/bin/sh\n");
	expect_file("etc/master.cf", NOW);
	expect_file(KEPT, BEFORE);
}

static void
a_program_that_was_copied_goes_again(void **state)
{
	(void)state;
	skip_unless_root();
	move_doorbelld("libexec/doorbelld", "doorbelld");
	small_postfix_on(&postfix, "check", "exit 3");
	expect_copy(1, PLAN COPIED RUNS,
	    "doorbellctl: postfix check: %/bin/postfix ended with 3; the mail"
	    " log may say why\n" UNDONE);
	expect_file("libexec/doorbelld", NULL);
	expect_file("etc/master.cf", BEFORE);
	expect_file(KEPT, NULL);
}

static void
no_program_comes_along(void **state)
{
	(void)state;
	skip_unless_root();
	move_doorbelld("libexec/doorbelld", "libexec/other");
	expect_copy(1, PLAN COPIED RUNS,
	    "doorbellctl: %/doorbelld: No such file or directory\n" UNDONE);
	expect_file("libexec/doorbelld", NULL);
	expect_file("etc/master.cf", BEFORE);
	/* One that is none. */
	scratch_write(&postfix.scratch, "doorbelld", "text\n", 0644);
	expect_copy(1, PLAN COPIED RUNS,
	    "doorbellctl: %/doorbelld: Permission denied\n" UNDONE);
	expect_file("etc/master.cf", BEFORE);
}

#define WITH_POSTFIX(test) \
	cmocka_unit_test_setup_teardown(test, setup, teardown)
#define WITH_SIGNALS(test)               \
	cmocka_unit_test_setup_teardown( \
	    test, setup_with_signals, teardown_with_signals)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    WITH_POSTFIX(others_change_nothing),
	    WITH_POSTFIX(others_may_ask),
	    WITH_POSTFIX(status_tells_who_has_the_port),
	    WITH_POSTFIX(status_of_what_is_none),
	    WITH_POSTFIX(doorbelld_is_put_in),
	    WITH_POSTFIX(programs_get_one_line),
	    WITH_POSTFIX(a_postfix_that_does_not_run),
	    WITH_POSTFIX(a_second_port_leaves_the_copy),
	    WITH_POSTFIX(an_old_copy_is_replaced),
	    WITH_POSTFIX(smtpd_speaks_the_proxy_protocol),
	    WITH_POSTFIX(a_port_of_somebody_else),
	    WITH_POSTFIX(a_step_that_fails_leaves_all_as_it_was),
	    WITH_SIGNALS(a_step_that_hangs),
	    WITH_SIGNALS(a_signal_in_the_middle),
	    WITH_POSTFIX(an_undo_that_fails),
	    WITH_POSTFIX(a_copy_that_cannot_be_made),
	    WITH_POSTFIX(master_cf_is_gone),
	    WITH_POSTFIX(another_is_at_work),
	    WITH_POSTFIX(nothing_to_take_out),
	    WITH_POSTFIX(disable_needs_to_know_what_was),
	    WITH_POSTFIX(doorbelld_is_taken_out),
	    WITH_POSTFIX(a_disable_that_fails_leaves_doorbelld_in),
	    WITH_POSTFIX(the_program_comes_along),
	    WITH_POSTFIX(a_program_that_was_copied_goes_again),
	    WITH_POSTFIX(no_program_comes_along),
	};
	const struct postfix_request request = {.config = argv[1]};

	/* Called by the test itself. */
	if (argc > 1)
		return postfix_enable(&request);
	program = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
