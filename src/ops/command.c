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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* What the program says goes to a file in memory, not to a pipe: a program that
 * leaves another one behind would hold the pipe open, and we would wait for
 * that one. The child has no signal blocked, whatever we block meanwhile,
 * and is in a group of its own: Ctrl-C is for us, who may be in the middle of
 * something that has to be finished or undone. A child that goes on and on
 * after such a signal, which waits for us meanwhile, hangs, and is killed. */

enum { LOOK_MS = 10, HURRY_MS = 5000, LAST_MAX = 4096 };

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

/* What stands behind `at`, as far as there is room. */
static void
collect(int out, off_t at, struct buf *said)
{
	char part[4096];
	size_t room;
	ssize_t got;

	while ((room = said->max - said->n) > 0) {
		got = pread(
		    out, part, room < sizeof(part) ? room : sizeof(part), at);
		if (got <= 0 || buf_add(said, part, (size_t)got) < 0)
			return;
		at += got;
	}
}

/* Who has started us may not want to know of children; we do, and so may the
 * child of its own. */
static void
keep_children(struct sigaction *before)
{
	struct sigaction keep = {.sa_handler = SIG_DFL};

	sigemptyset(&keep.sa_mask);
	sigaction(SIGCHLD, &keep, before);
}

/* On success what it has said is in *out_r, to be closed. */
static int
run(const char *const *argv, int wait_ms, int *out_r, struct errtext *why)
{
	int out = memfd_create("said", MFD_CLOEXEC), status = -1, rc;
	struct sigaction before;
	pid_t pid;

	if (out < 0) {
		errtext_set(why, "%s: %s", argv[0], strerror(errno));
		return -1;
	}
	keep_children(&before);
	if ((rc = spawn(argv, out, &pid)) != 0)
		errtext_set(why, "%s: %s", argv[0], strerror(rc));
	else if ((status = await(pid, wait_ms)) < 0)
		errtext_set(why, "%s: %s", argv[0], strerror(errno));
	sigaction(SIGCHLD, &before, NULL);
	if (status < 0)
		close(out);
	*out_r = out;
	return status;
}

int
command_run(
    const char *const *argv, int wait_ms, struct buf *said, struct errtext *why)
{
	int out, status = run(argv, wait_ms, &out, why);

	if (status >= 0) {
		collect(out, 0, said);
		close(out);
	}
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

/* However much it has said before. */
static void
tell_last_line(const char *program, int out, int status, struct errtext *why)
{
	struct stat st = {0};
	struct span last;
	struct buf said;

	buf_init(&said, LAST_MAX);
	(void)fstat(out, &st);
	collect(out, st.st_size > LAST_MAX ? st.st_size - LAST_MAX : 0, &said);
	last = last_line(&said);
	if (last.n > 0)
		errtext_set(why, "%s: %.*s", program, (int)last.n, last.p);
	else
		errtext_set(why, "%s ended with %d; the mail log may say why",
		    program, status);
	buf_clear(&said);
}

int
command_must(const char *const *argv, int wait_ms, struct errtext *why)
{
	int out, status = run(argv, wait_ms, &out, why);

	if (status > 0)
		tell_last_line(argv[0], out, status, why);
	if (status >= 0)
		close(out);
	return status == 0 ? 0 : -1;
}
