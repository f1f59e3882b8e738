/* SPDX-License-Identifier: ISC */
/* links: fast_clock scratch */
#include "ops/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/fast_clock.h"
#include "support/scratch.h"

/* Longer than any of these may take, shorter than the test may. */
enum { GENEROUS_MS = 60000, SAID_MAX = 100 };

static int
run(const char *script, size_t max, struct buf *said, struct errtext *why)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};

	buf_init(said, max);
	return command_run(argv, GENEROUS_MS, said, why);
}

/* --- how it ends ------------------------------------------------------------ */

static void
an_end_is_told(void **state)
{
	static const struct {
		const char *script;
		int status;
		const char *why;
	} cases[] = {
	    {"exit 0", 0, ""},
	    {"echo first; echo last >&2; exit 3", 3, "/bin/sh: last"},
	    {"printf 'first\nlast \n\n \n'; exit 3", 3, "/bin/sh: last"},
	    {"printf 'half a line'; exit 1", 1, "/bin/sh: half a line"},
	    {"exit 4", 4, "/bin/sh ended with 4; the mail log may say why"},
	    {"echo; exit 5", 5,
		"/bin/sh ended with 5; the mail log may say why"},
	    {"exit 255", 255,
		"/bin/sh ended with 255; the mail log may say why"},
	    {"kill -9 $$", 137,
		"/bin/sh ended with 137; the mail log may say why"},
	    {"echo oh; kill -TERM $$", 143, "/bin/sh: oh"},
	    /* What is left behind is not waited for. */
	    {"sleep 5 & exit 0", 0, ""},
	    {"read x && exit 5; exit 0", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const argv[] = {
		    "/bin/sh", "-c", cases[i].script, NULL};
		struct errtext why = {""};
		struct buf said;

		assert_int_equal(run(cases[i].script, SAID_MAX, &said, &why),
		    cases[i].status);
		buf_clear(&said);
		assert_int_equal(command_must(argv, GENEROUS_MS, &why),
		    cases[i].status == 0 ? 0 : -1);
		assert_string_equal(why.text, cases[i].why);
	}
}

/* Thousands of warnings, and then the reason. */
static void
the_last_line_of_many(void **state)
{
	const char *const argv[] = {"/bin/sh", "-c",
	    "yes 'warning: not owned by root' | head -n 5000;"
	    " echo 'fatal: the reason'; exit 1",
	    NULL};
	const char *const line[] = {"/bin/sh", "-c",
	    "yes x | head -n 5000 | tr -d '\\n'; exit 1", NULL};
	struct errtext why = {""};

	(void)state;
	assert_int_equal(command_must(argv, GENEROUS_MS, &why), -1);
	assert_string_equal(why.text, "/bin/sh: fatal: the reason");
	/* One that does not fit is cut. */
	assert_int_equal(command_must(line, GENEROUS_MS, &why), -1);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	assert_memory_equal(why.text, "/bin/sh: xxx", 12);
}

static void
what_is_said_finds_room_or_is_cut(void **state)
{
	static const struct {
		const char *script;
		size_t max;
		const char *want;
	} cases[] = {
	    {"", 10, ""},
	    {"printf one; printf two >&2; printf three", 100, "onetwothree"},
	    {"printf 0123456789", 10, "0123456789"},
	    {"printf 0123456789x", 10, "0123456789"},
	    {"printf 0123456789", 1, "0"},
	    {"printf 0123456789", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errtext why = {""};
		struct buf said;

		assert_int_equal(
		    run(cases[i].script, cases[i].max, &said, &why), 0);
		if (!span_is(buf_span(&said), cases[i].want))
			fail_msg("%s: \"%.*s\"", cases[i].script, (int)said.n,
			    said.p);
		buf_clear(&said);
	}
}

static void
what_is_said_comes_behind_what_was(void **state)
{
	const char *const argv[] = {"/bin/sh", "-c", "printf 23456", NULL};
	struct errtext why = {""};
	struct buf said;

	(void)state;
	buf_init(&said, 5);
	assert_int_equal(buf_add_str(&said, "01"), 0);
	assert_int_equal(command_run(argv, GENEROUS_MS, &said, &why), 0);
	assert_true(span_is(buf_span(&said), "01234"));
	buf_clear(&said);
}

/* More than is read at a time. */
static void
much_is_said(void **state)
{
	struct errtext why = {""};
	struct buf said;

	(void)state;
	assert_int_equal(run("yes | head -n 5000", 10001, &said, &why), 0);
	assert_int_equal(said.n, 10000);
	assert_memory_equal(said.p + 9998, "y\n", 2);
	buf_clear(&said);
}

/* --- what it finds ---------------------------------------------------------- */

/* Nothing of ours but its arguments and the environment. */
static void
it_begins_afresh(void **state)
{
	struct errtext why = {""};
	sigset_t hold, before;
	struct buf said;
	int fd = dup(STDERR_FILENO), status;
	char script[200];

	(void)state;
	assert_true(fd > STDERR_FILENO);
	assert_int_equal(setenv("COMMAND_TEST", "of the test", 1), 0);
	sigemptyset(&hold);
	sigaddset(&hold, SIGINT);
	sigaddset(&hold, SIGTERM);
	sigprocmask(SIG_BLOCK, &hold, &before);
	(void)snprintf(script, sizeof(script),
	    "echo \"$COMMAND_TEST\";"
	    " sed -n 's/^SigBlk:[[:space:]0]*/blocked /p' /proc/self/status;"
	    " [ -e /proc/self/fd/%d ] || echo closed;"
	    " readlink /proc/self/fd/0",
	    fd);
	status = run(script, SAID_MAX, &said, &why);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fd);
	assert_int_equal(status, 0);
	assert_string_equal(
	    buf_str(&said), "of the test\nblocked \nclosed\n/dev/null\n");
	buf_clear(&said);
}

/* Ctrl-C at the terminal does not reach it. */
static void
it_is_in_a_group_of_its_own(void **state)
{
	struct errtext why = {""};
	struct buf said;
	char want[50];

	(void)state;
	assert_int_equal(run("set -- $(cat /proc/$$/stat); echo $(( $1 == $5 ))"
			     " $5",
			     SAID_MAX, &said, &why),
	    0);
	assert_memory_equal(buf_str(&said), "1 ", 2);
	(void)snprintf(want, sizeof(want), "1 %d\n", (int)getpgrp());
	assert_string_not_equal(said.p, want);
	buf_clear(&said);
}

/* --- what cannot be run ------------------------------------------------------ */

/* Below valgrind a child says with 127 that it could not begin. */
static void
programs_that_are_none(void **state)
{
	static const struct {
		const char *path;
		int error;
	} cases[] = {
	    {"/nonexistent/program", ENOENT},
	    {"/dev/null/program", ENOTDIR},
	    {"/", EACCES},
	    {"/dev/null", EACCES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const argv[] = {cases[i].path, NULL};
		struct errtext why = {""}, must = {""};
		char want[200];
		struct buf said;
		int status;

		buf_init(&said, SAID_MAX);
		(void)snprintf(want, sizeof(want), "%s: %s", cases[i].path,
		    strerror(cases[i].error));
		status = command_run(argv, GENEROUS_MS, &said, &why);
		assert_int_equal(said.n, 0);
		assert_int_equal(command_must(argv, GENEROUS_MS, &must), -1);
		if (status == 127) {
			assert_non_null(strstr(must.text, cases[i].path));
			continue;
		}
		assert_int_equal(status, -1);
		assert_string_equal(why.text, want);
		assert_string_equal(must.text, want);
		buf_clear(&said);
	}
}

static void
no_descriptor_is_left(void **state)
{
	struct errtext why = {""};
	struct rlimit before, none;
	struct buf said;
	int status;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	status = run("exit 0", SAID_MAX, &said, &why);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(status, -1);
	assert_non_null(strstr(why.text, "/bin/sh: "));
	assert_non_null(strstr(why.text, strerror(EMFILE)));
}

/* As whoever starts us may have left it; its own children are kept, too. */
static void
children_that_nobody_waits_for(void **state)
{
	struct sigaction after;
	struct errtext why = {""};
	struct buf said;
	int status;

	(void)state;
	(void)signal(SIGCHLD, SIG_IGN);
	status = run(
	    "grep -q '^SigIgn:.*[13579bdf]....$' /proc/self/status && exit 1;"
	    " exit 7",
	    SAID_MAX, &said, &why);
	assert_int_equal(sigaction(SIGCHLD, NULL, &after), 0);
	(void)signal(SIGCHLD, SIG_DFL);
	assert_int_equal(status, 7);
	assert_true(after.sa_handler == SIG_IGN);
	buf_clear(&said);
}

/* --- what does not end ------------------------------------------------------- */

struct pipe_end {
	struct scratch scratch;
	int fd; /* ends when nobody has the other side open */
	char script[400];
};

static void
make_pipe(struct pipe_end *p, const char *then)
{
	const char *path;

	scratch_make(&p->scratch);
	path = scratch_path(&p->scratch, "pipe");
	assert_int_equal(mkfifo(path, 0600), 0);
	p->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(p->fd >= 0);
	(void)snprintf(p->script, sizeof(p->script), "exec 3>%s; echo >&3; %s",
	    path, then);
}

/* Nobody of the program is there any more. */
static void
expect_end(struct pipe_end *p)
{
	struct pollfd end = {.fd = p->fd, .events = POLLIN};
	char byte;
	ssize_t n;

	while ((n = read(p->fd, &byte, 1)) != 0)
		assert_true(n > 0 || poll(&end, 1, GENEROUS_MS) == 1);
	close(p->fd);
	scratch_remove(&p->scratch);
}

static void
who_is_too_slow_is_killed_with_all_its_own(void **state)
{
	struct errtext why = {""};
	struct pipe_end p;
	struct buf said;
	int status;

	(void)state;
	make_pipe(&p, "trap '' TERM; sleep 600 & sleep 600");
	fast_clock_set(100);
	status = run(p.script, SAID_MAX, &said, &why);
	fast_clock_set(1);
	assert_int_equal(status, -1);
	assert_int_equal(said.n, 0);
	assert_non_null(strstr(why.text, "/bin/sh: "));
	assert_non_null(strstr(why.text, strerror(ETIMEDOUT)));
	expect_end(&p);
}

/* Runs with one of these signals waiting, which then is no more. */
static int
run_interrupted(int signal_number, const char *script, struct errtext *why)
{
	const struct timespec none = {0};
	sigset_t hold, before;
	struct buf said;
	int status;

	sigemptyset(&hold);
	sigaddset(&hold, signal_number);
	sigprocmask(SIG_BLOCK, &hold, &before);
	raise(signal_number);
	status = run(script, SAID_MAX, &said, why);
	assert_int_equal(sigtimedwait(&hold, NULL, &none), signal_number);
	sigprocmask(SIG_SETMASK, &before, NULL);
	buf_clear(&said);
	return status;
}

/* 5 s, and not the minute that it would have had. */
static void
who_waits_with_a_signal_waits_less(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	(void)state;
	fast_clock_set(20);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct errtext why = {""};
		struct mono began = clock_mono();
		struct pipe_end p;
		int64_t took_ms;

		make_pipe(&p, "sleep 600");
		assert_int_equal(
		    run_interrupted(signals[i], p.script, &why), -1);
		took_ms = mono_between(began, clock_mono());
		assert_true(took_ms >= 5000 && took_ms < GENEROUS_MS);
		assert_non_null(strstr(why.text, strerror(EINTR)));
		expect_end(&p);
	}
	fast_clock_set(1);
}

/* Another signal is none of ours; and who ends in time has done its work. */
static void
who_ends_in_time_has_not_been_disturbed(void **state)
{
	struct errtext why = {""};

	(void)state;
	assert_int_equal(
	    run_interrupted(SIGINT, "sleep 0.05; exit 7", &why), 7);
	assert_int_equal(
	    run_interrupted(SIGUSR1, "sleep 0.05; exit 8", &why), 8);
	assert_string_equal(why.text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_end_is_told),
	    cmocka_unit_test(the_last_line_of_many),
	    cmocka_unit_test(what_is_said_finds_room_or_is_cut),
	    cmocka_unit_test(what_is_said_comes_behind_what_was),
	    cmocka_unit_test(much_is_said),
	    cmocka_unit_test(it_begins_afresh),
	    cmocka_unit_test(it_is_in_a_group_of_its_own),
	    cmocka_unit_test(programs_that_are_none),
	    cmocka_unit_test(no_descriptor_is_left),
	    cmocka_unit_test(children_that_nobody_waits_for),
	    cmocka_unit_test(who_is_too_slow_is_killed_with_all_its_own),
	    cmocka_unit_test(who_waits_with_a_signal_waits_less),
	    cmocka_unit_test(who_ends_in_time_has_not_been_disturbed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
