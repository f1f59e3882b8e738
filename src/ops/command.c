/* SPDX-License-Identifier: ISC */
#include "ops/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* What the program says goes to a file in memory, not to a pipe: a program that
 * leaves another one behind would hold the pipe open, and we would wait for
 * that one. The child has no signal blocked, whatever we block meanwhile,
 * and is in a group of its own: Ctrl-C is for us, who may be in the middle of
 * something that has to be finished or undone. A child that goes on and on
 * after such a signal, which waits for us meanwhile, hangs, and is killed. */

enum { LOOK_MS = 10, HURRY_MS = 5000, SAID_MAX = 64 * 1024 };

/* posix_spawn() wants char *, though it promises not to write. */
static char *const *
unconst(const char *const *argv)
{
	union {
		const char *const *from;
		char *const *to;
	} cast = {.from = argv};

	return cast.to;
}

static int
spawn_with(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
    const char *const *argv, int out, pid_t *pid_r)
{
	sigset_t none;
	int rc;

	sigemptyset(&none);
	if ((rc = posix_spawn_file_actions_addopen(
		 actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)) != 0 ||
	    (rc = posix_spawn_file_actions_adddup2(
		 actions, out, STDOUT_FILENO)) != 0 ||
	    (rc = posix_spawn_file_actions_adddup2(
		 actions, out, STDERR_FILENO)) != 0 ||
	    (rc = posix_spawn_file_actions_addclosefrom_np(
		 actions, STDERR_FILENO + 1)) != 0 ||
	    (rc = posix_spawnattr_setsigmask(attributes, &none)) != 0 ||
	    (rc = posix_spawnattr_setpgroup(attributes, 0)) != 0 ||
	    (rc = posix_spawnattr_setflags(attributes,
		 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP)) != 0)
		return rc;
	return posix_spawn(
	    pid_r, argv[0], actions, attributes, unconst(argv), environ);
}

static int
spawn(const char *const *argv, int out, pid_t *pid_r)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int rc;

	if ((rc = posix_spawn_file_actions_init(&actions)) != 0)
		return rc;
	if ((rc = posix_spawnattr_init(&attributes)) == 0) {
		rc = spawn_with(&actions, &attributes, argv, out, pid_r);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

static bool
is_interrupted(void)
{
	sigset_t waiting;

	return sigpending(&waiting) == 0 &&
	       (sigismember(&waiting, SIGINT) == 1 ||
		   sigismember(&waiting, SIGTERM) == 1 ||
		   sigismember(&waiting, SIGHUP) == 1);
}

/* The exit status, or -1 with errno; killed, with all that it has started, if it
 * does not end in time. */
static int
await(pid_t pid, int wait_ms)
{
	struct mono now = clock_mono(), end = mono_after(now, wait_ms);
	bool hurries = false;
	int status;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) != pid) {
		if (got < 0 && errno != EINTR)
			return -1;
		now = clock_mono();
		if (!hurries && is_interrupted()) {
			hurries = true;
			if (mono_between(now, end) > HURRY_MS)
				end = mono_after(now, HURRY_MS);
		}
		if (mono_between(now, end) <= 0) {
			kill(-pid, SIGKILL);
			while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
				;
			return errno = hurries ? EINTR : ETIMEDOUT, -1;
		}
		poll(NULL, 0, LOOK_MS);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
collect(int out, struct buf *said)
{
	char part[4096];
	off_t at = 0;
	ssize_t got;

	while ((got = pread(out, part, sizeof(part), at)) > 0 &&
	       buf_add(said, part, (size_t)got) == 0)
		at += got;
}

int
command_run(
    const char *const *argv, int wait_ms, struct buf *said, struct errtext *why)
{
	int out = memfd_create("said", MFD_CLOEXEC), status = -1, rc;
	pid_t pid;

	if (out < 0) {
		errtext_set(why, "%s: %s", argv[0], strerror(errno));
		return -1;
	}
	if ((rc = spawn(argv, out, &pid)) != 0)
		errtext_set(why, "%s: %s", argv[0], strerror(rc));
	else if ((status = await(pid, wait_ms)) < 0)
		errtext_set(why, "%s: %s", argv[0], strerror(errno));
	else
		collect(out, said);
	close(out);
	return status;
}

static struct span
last_line(const struct buf *said)
{
	struct span text = span_trim(buf_span(said));
	size_t start = text.n;

	while (start > 0 && text.p[start - 1] != '\n')
		start--;
	return span_of(text.p + start, text.n - start);
}

int
command_must(const char *const *argv, int wait_ms, struct errtext *why)
{
	struct span last;
	struct buf said;
	int status;

	buf_init(&said, SAID_MAX);
	status = command_run(argv, wait_ms, &said, why);
	if (status > 0) {
		last = last_line(&said);
		if (last.n > 0)
			errtext_set(
			    why, "%s: %.*s", argv[0], (int)last.n, last.p);
		else
			errtext_set(why,
			    "%s ended with %d; the mail log may"
			    " say why",
			    argv[0], status);
	}
	buf_clear(&said);
	return status == 0 ? 0 : -1;
}
