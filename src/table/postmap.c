/* SPDX-License-Identifier: ISC */
#include "table/postmap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

/* posix_spawn(3) rather than fork(2): the caller may be big. The child gets
 * /dev/null and two pipes and nothing else of ours; closefrom comes last, so
 * it takes the pipes' own descriptors too. A child that is past its deadline
 * or its output limit is killed by pid, and always reaped. */

enum { CHUNK_BYTES = 64 * 1024, COMPLAINT_MAX = 2048, REAP_POLL_MS = 10 };

struct child {
	pid_t pid;
	int out, err; /* our ends, -1 after their end of file */
	struct mono deadline;
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- starting ------------------------------------------------------------- */
static int
add_actions(posix_spawn_file_actions_t *actions, int out, int err)
{
	int rc = posix_spawn_file_actions_addopen(
	    actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(
		    actions, out, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(
		    actions, err, STDERR_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(
		    actions, STDERR_FILENO + 1);
	return rc;
}

static int
add_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	rc = posix_spawnattr_setsigmask(attributes, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attributes, &all);
	if (rc == 0)
		rc = posix_spawnattr_setflags(attributes,
		    (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
	return rc;
}

/* posix_spawn() wants char *, though it promises not to write. */
static char *
unconst(const char *s)
{
	union {
		const char *from;
		char *to;
	} cast = {.from = s};

	return cast.to;
}

static int
spawn(const struct postmap_job *job, int out, int err, pid_t *pid_r)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char *argv[6];
	size_t n = 0;
	int rc;

	argv[n++] = unconst(job->program);
	if (job->config_directory != NULL) {
		argv[n++] = unconst("-c");
		argv[n++] = unconst(job->config_directory);
	}
	argv[n++] = unconst("-s");
	argv[n++] = unconst(job->spec);
	argv[n] = NULL;
	rc = posix_spawn_file_actions_init(&actions);
	if (rc != 0)
		return rc;
	rc = posix_spawnattr_init(&attributes);
	if (rc == 0) {
		rc = add_actions(&actions, out, err);
		if (rc == 0)
			rc = add_attributes(&attributes);
		if (rc == 0)
			rc = posix_spawn(pid_r, job->program, &actions,
			    &attributes, argv, environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* A pipe that does not sit on a standard descriptor, where the child's own
 * would overwrite it. */
static int
make_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	if (ends[0] > STDERR_FILENO && ends[1] > STDERR_FILENO)
		return 0;
	close_fd(&ends[0]);
	close_fd(&ends[1]);
	return errno = EBADF, -1;
}

static int
child_start(struct child *c, const struct postmap_job *job, struct errtext *why)
{
	int out[2] = {-1, -1}, err[2] = {-1, -1};
	int rc = 0;

	if (make_pipe(out) < 0 || make_pipe(err) < 0)
		rc = errno;
	else
		rc = spawn(job, out[1], err[1], &c->pid);
	close_fd(&out[1]);
	close_fd(&err[1]);
	c->out = out[0];
	c->err = err[0];
	c->deadline = mono_after(clock_mono(), job->wait_ms);
	if (rc == 0)
		return 0;
	close_fd(&c->out);
	close_fd(&c->err);
	errtext_set(why, "%s: %s", job->program, strerror(rc));
	return -1;
}

/* --- listening ------------------------------------------------------------ */
static int
time_left_ms(const struct child *c)
{
	int64_t left = mono_between(clock_mono(), c->deadline);

	return left > 0 ? (int)left : 0;
}

/* One read; *fd becomes -1 at the end of file. */
static int
read_some(int *fd, struct buf *into)
{
	size_t room = into->max - into->n;
	ssize_t got;
	char *p;

	if (room > CHUNK_BYTES)
		room = CHUNK_BYTES;
	if (room == 0)
		return errno = EMSGSIZE, -1;
	p = buf_reserve(into, room);
	if (p == NULL)
		return -1;
	got = read(*fd, p, room);
	if (got < 0)
		return errno == EINTR ? 0 : -1;
	into->n += (size_t)got;
	if (got == 0)
		close_fd(fd);
	return 0;
}

/* Of complaints the last ones count: the fatal one comes at the end. */
static int
read_complaint(int *fd, struct buf *complaint)
{
	if (complaint->n > COMPLAINT_MAX / 2)
		buf_consume(complaint, complaint->n - COMPLAINT_MAX / 2);
	return read_some(fd, complaint);
}

static int
listen_once(struct child *c, struct buf *out, struct buf *complaint)
{
	struct pollfd fds[2] = {
	    {.fd = c->out, .events = POLLIN},
	    {.fd = c->err, .events = POLLIN},
	};
	int left_ms = time_left_ms(c);

	if (left_ms == 0)
		return errno = ETIMEDOUT, -1;
	if (poll(fds, 2, left_ms) < 0)
		return errno == EINTR ? 0 : -1;
	if (fds[0].revents != 0 && read_some(&c->out, out) < 0)
		return -1;
	if (fds[1].revents != 0 && read_complaint(&c->err, complaint) < 0)
		return -1;
	return 0;
}

/* --- ending --------------------------------------------------------------- */

/* The exit status; killed first if it does not end in time. */
static int
child_reap(struct child *c, int *status_r)
{
	pid_t pid;

	close_fd(&c->out);
	close_fd(&c->err);
	for (;;) {
		pid = waitpid(c->pid, status_r, WNOHANG);
		if (pid == c->pid)
			return 0;
		if (pid < 0 && errno != EINTR)
			return -1;
		if (time_left_ms(c) == 0)
			break;
		poll(NULL, 0, REAP_POLL_MS);
	}
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, status_r, 0) < 0)
		if (errno != EINTR)
			break;
	return errno = ETIMEDOUT, -1;
}

/* The last line of what postmap said, without the program's name. */
static void
set_complaint(
    struct errtext *why, const struct postmap_job *job, struct buf *complaint)
{
	static const char name[] = "postmap: ";
	struct span said = span_trim(buf_span(complaint));
	size_t start = said.n;

	while (start > 0 && said.p[start - 1] != '\n')
		start--;
	said = span_of(said.p + start, said.n - start);
	if (span_has_prefix(said, name))
		said = span_of(
		    said.p + sizeof(name) - 1, said.n - (sizeof(name) - 1));
	if (said.n == 0)
		said = span_str("failed and did not say why");
	errtext_set(why, "%s: %.*s", job->program, (int)said.n, said.p);
}

static int
run(struct child *c, const struct postmap_job *job, struct buf *out,
    struct buf *complaint, struct errtext *why)
{
	int status = 0, rc = 0, saved_errno;

	while (rc == 0 && (c->out >= 0 || c->err >= 0))
		rc = listen_once(c, out, complaint);
	saved_errno = errno;
	if (rc < 0)
		c->deadline = clock_mono();
	if (child_reap(c, &status) < 0 && rc == 0) {
		saved_errno = errno;
		rc = -1;
	}
	if (rc < 0) {
		errtext_set(why, "%s -s %s: %s", job->program, job->spec,
		    strerror(saved_errno));
	} else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		set_complaint(why, job, complaint);
		rc = -1;
	}
	return rc;
}

int
postmap_dump(
    const struct postmap_job *job, struct buf *out, struct errtext *why)
{
	struct child c = {.pid = -1};
	struct buf complaint;
	int rc;

	if (job->program == NULL || job->program[0] != '/') {
		errtext_set(why, "there is no postmap(1) to read it with");
		return -1;
	}
	if (child_start(&c, job, why) < 0)
		return -1;
	buf_init(&complaint, COMPLAINT_MAX);
	rc = run(&c, job, out, &complaint, why);
	buf_clear(&complaint);
	return rc;
}
