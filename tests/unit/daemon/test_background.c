/* SPDX-License-Identifier: ISC */
/* links: catch_output child_end counted_exit */
#include "daemon/background.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/catch_output.h"
#include "support/child_end.h"

/* The command is a child of ours, and the daemon a child of that; it comes to us
 * when the command has ended. What it finds out is told through a pipe. */

struct told {
	bool has_session;    /* of its own */
	bool is_on_terminal; /* one of descriptors 0 to 2 is not /dev/null */
	bool is_inherited;   /* its descriptor, by programs that it starts */
	pid_t pid;
};

enum order { READY, READY_TO_NOBODY, FAIL };

static int news[2], orders[2];

static bool
is_null(int fd)
{
	struct stat null, st;

	return stat("/dev/null", &null) == 0 && fstat(fd, &st) == 0 &&
	       st.st_rdev == null.st_rdev;
}

static _Noreturn void
be_daemon(int fd, enum order order)
{
	struct told told = {
	    .has_session = getsid(0) == getpid(),
	    .is_inherited = (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0,
	    .pid = getpid(),
	};
	char byte;

	if (order == FAIL)
		child_exit(3);
	if (order == READY_TO_NOBODY) {
		(void)signal(SIGPIPE, SIG_IGN);
		if (write(news[1], &told, sizeof(told)) < 0 ||
		    read(orders[0], &byte, 1) != 1)
			child_exit(4);
	}
	background_ready(fd);
	for (int i = 0; i < 3; i++)
		told.is_on_terminal |= !is_null(i);
	/* Nobody may hear this. */
	fprintf(stderr, "serving\n");
	if (write(news[1], &told, sizeof(told)) < 0)
		child_exit(4);
	child_exit(fcntl(fd, F_GETFD) < 0 ? 0 : 5);
}

static pid_t
command(enum order order)
{
	pid_t pid;

	(void)fflush(NULL);
	assert_true((pid = fork()) >= 0);
	if (pid == 0)
		be_daemon(background_enter(), order);
	return pid;
}

static int
status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct told
daemon_tells(void)
{
	struct told told;

	assert_int_equal(read(news[0], &told, sizeof(told)), sizeof(told));
	return told;
}

static int
set_up(void **state)
{
	(void)state;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || pipe(orders) < 0)
		return -1;
	return pipe(news);
}

static int
tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		close(news[i]);
		close(orders[i]);
	}
	return waitpid(-1, NULL, WNOHANG) < 0 ? 0 : -1;
}

static void
test_the_command_ends_when_clients_are_served(void **state)
{
	struct caught caught;
	struct told told;
	int status;
	pid_t pid;

	(void)state;
	catch_begin(&caught);
	pid = command(READY);
	status = status_of(pid);
	told = daemon_tells();
	catch_end(&caught);
	assert_int_equal(status, 0);
	assert_int_not_equal(told.pid, pid);
	assert_true(told.has_session);
	assert_false(told.is_on_terminal);
	assert_false(told.is_inherited);
	assert_int_equal(status_of(told.pid), 0);
	assert_string_equal(caught.out, "");
	assert_string_equal(caught.err, "");
	catch_clear(&caught);
}

static void
test_the_command_fails_when_they_are_not(void **state)
{
	(void)state;
	/* Its child was waited for: there is nobody left for us. */
	assert_int_equal(status_of(command(FAIL)), 1);
}

static void
test_the_command_does_not_wait_any_more(void **state)
{
	struct told told;
	pid_t pid = command(READY_TO_NOBODY);

	(void)state;
	told = daemon_tells();
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(status_of(pid), -1);
	assert_int_equal(write(orders[1], "", 1), 1);
	told = daemon_tells();
	assert_false(told.is_on_terminal);
	assert_int_equal(status_of(told.pid), 0);
}

static void
test_no_pipe(void **state)
{
	struct rlimit before, none;
	struct caught caught;
	int fd;

	(void)state;
	catch_begin(&caught);
	(void)getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 3;
	(void)setrlimit(RLIMIT_NOFILE, &none);
	fd = background_enter();
	(void)setrlimit(RLIMIT_NOFILE, &before);
	catch_end(&caught);
	assert_int_equal(fd, -1);
	assert_string_equal(caught.err,
	    "doorbelld: cannot go to the background: Too many open files\n");
	catch_clear(&caught);
}

static void
test_in_the_foreground(void **state)
{
	struct stat before, after;

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &before), 0);
	background_ready(-1);
	assert_int_equal(fstat(STDERR_FILENO, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_the_command_ends_when_clients_are_served),
	    TEST(test_the_command_fails_when_they_are_not),
	    TEST(test_the_command_does_not_wait_any_more),
	    TEST(test_no_pipe),
	    TEST(test_in_the_foreground),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
