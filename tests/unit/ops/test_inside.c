/* SPDX-License-Identifier: ISC */
/* A shell that waits, with the words of a daemon of Postfix. */
#include "ops/inside.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char queue[] = "/tmp/inside.XXXXXX";
static char queue_link[64];
static pid_t named, nameless;

static _Noreturn void
be_daemon(const int in[2], const int out[2], bool has_name)
{
	static const char script[] = "echo; read x";

	close(in[1]);
	if (chdir(queue) < 0 || dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0)
		_exit(1);
	if (has_name)
		execl("/bin/sh", "/bin/sh", "-c", script, "-n", "bell-test",
		    "-t", "pass", "-o", "x=-t", "-t", "inet", (char *)NULL);
	else
		execl("/bin/sh", "sh", "-c", script, "-t", "unix", "-u",
		    (char *)NULL);
	_exit(1);
}

/* It says one byte when it is there, and waits for the end of its input. */
static pid_t
start_daemon(bool has_name)
{
	int in[2], out[2];
	char byte;
	pid_t pid;

	if (pipe(in) < 0 || pipe(out) < 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0)
		be_daemon(in, out, has_name);
	close(out[1]);
	close(in[0]);
	return read(out[0], &byte, 1) == 1 ? pid : -1;
}

static int
start_both(void **state)
{
	(void)state;
	if (mkdtemp(queue) == NULL)
		return -1;
	snprintf(queue_link, sizeof(queue_link), "%s.link", queue);
	if (symlink(queue, queue_link) < 0)
		return -1;
	named = start_daemon(true);
	nameless = start_daemon(false);
	return named > 0 && nameless > 0 ? 0 : -1;
}

static void
stop(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

static int
stop_both(void **state)
{
	(void)state;
	stop(&named);
	stop(&nameless);
	unlink(queue_link);
	return rmdir(queue);
}

static void
found_by_its_words_and_its_place(void **state)
{
	const struct {
		const char *name;
		struct inside_entry entry;
		bool want;
	} cases[] = {
	    {"it", {queue, "sh", "bell-test", "pass"}, true},
	    {"by a link", {queue_link, "sh", "bell-test", "pass"}, true},
	    {"other place", {"/tmp", "sh", "bell-test", "pass"}, false},
	    {"no place", {"/nowhere", "sh", "bell-test", "pass"}, false},
	    {"other program", {queue, "h", "bell-test", "pass"}, false},
	    {"other service", {queue, "sh", "bell", "pass"}, false},
	    {"no name", {queue, "sh", "sh", "unix"}, true},
	    {"no name, other service", {queue, "sh", "bell", "unix"}, false},
	    {"a later word", {queue, "sh", "bell-test", "inet"}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (inside_has(&cases[i].entry) != cases[i].want)
			fail_msg("%s", cases[i].name);
}

static void
gone_when_it_is(void **state)
{
	const struct inside_entry entry = {queue, "sh", "bell-test", "pass"};

	(void)state;
	assert_true(inside_has(&entry));
	kill(named, SIGKILL);
	/* A zombie serves nobody. */
	assert_int_equal(
	    waitid(P_PID, (id_t)named, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
	assert_false(inside_has(&entry));
	stop(&named);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(found_by_its_words_and_its_place),
	    cmocka_unit_test(gone_when_it_is),
	};

	return cmocka_run_group_tests(tests, start_both, stop_both);
}
