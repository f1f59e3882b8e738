/* SPDX-License-Identifier: ISC */
#include "daemon/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The command that starts us returns when clients are served, or says why they
 * are not: the parent waits for one byte. */

static _Noreturn void
wait_for_child(int fd, pid_t child)
{
	char byte;
	ssize_t got;
	int status;

	do
		got = read(fd, &byte, 1);
	while (got < 0 && errno == EINTR);
	if (got == 1)
		_exit(0);
	/* It has told stderr. */
	(void)waitpid(child, &status, 0);
	_exit(1);
}

int
background_enter(void)
{
	int fd[2];
	pid_t pid;

	if (pipe(fd) < 0 || (pid = fork()) < 0) {
		fprintf(stderr, "doorbelld: cannot go to the background: %s\n",
		    strerror(errno));
		return -1;
	}
	if (pid > 0) {
		close(fd[1]);
		wait_for_child(fd[0], pid);
	}
	close(fd[0]);
	(void)fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	(void)setsid();
	return fd[1];
}

void
background_ready(int fd)
{
	int null;

	if (fd < 0)
		return;
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	/* When nobody waits any more there is nobody to tell. */
	while (write(fd, "", 1) < 0 && errno == EINTR)
		continue;
	close(fd);
}
