/* SPDX-License-Identifier: ISC */
#include "support/expect_panic.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

/* The sink of the child sends each line through a pipe. cmocka catches
 * SIGABRT to fail the test, the child must therefore forget that handler. */

static void
write_to_pipe(enum log_level level, enum log_voice voice, const char *text,
    size_t n, void *arg)
{
	const int *fd = arg;

	(void)level;
	(void)voice;
	if (write(*fd, text, n) < 0 || write(*fd, "\n", 1) < 0)
		_exit(2);
}

_Noreturn static void
run_child(int fd, void (*fn)(void *arg), void *arg)
{
	const struct rlimit no_core = {0, 0};

	signal(SIGABRT, SIG_DFL);
	if (setrlimit(RLIMIT_CORE, &no_core) < 0)
		_exit(2);
	log_set_sink(write_to_pipe, &fd);
	fn(arg);
	_exit(0);
}

static void
read_all(int fd, char *text, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size - 1 && (got = read(fd, text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
}

bool
expect_panic(const char *part, void (*fn)(void *arg), void *arg)
{
	char text[2 * LOG_LINE_MAX];
	const char *end;
	int fd[2], status;
	pid_t child;

	if (pipe(fd) < 0 || (child = fork()) < 0)
		return false;
	if (child == 0)
		run_child(fd[1], fn, arg);
	close(fd[1]);
	read_all(fd[0], text, sizeof(text));
	close(fd[0]);
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGABRT)
		return false;
	end = strchr(text, '\n');
	return strncmp(text, "panic: ", 7) == 0 && strstr(text, part) != NULL &&
	       end != NULL && end[1] == '\0';
}
