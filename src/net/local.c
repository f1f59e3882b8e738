/* SPDX-License-Identifier: ISC */
#include "net/local.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/predecessor.h"

/* A client reads its line, thinks while its owner works, and writes; each stage
 * has one deadline. When all places are taken the listener is not watched: the
 * backlog waits, and deadlines make room.
 *
 * A client that is done is freed after the tick, since the owner may answer from
 * inside `asked`. What it has said beyond its line is read away before the
 * close: a Unix socket closed with unread bytes resets its peer, which then may
 * never see the answer.
 *
 * bind(2) makes the socket with the mode that the umask leaves, so nobody can
 * slip in before a chmod(2). */

enum stage { STAGE_READING, STAGE_THINKING, STAGE_WRITING, STAGE_DONE };
enum { DISCARD_MAX = 64 * 1024, BACKLOG = 64 };

struct local_client {
	struct local *local;
	enum stage stage;
	int fd;
	struct local_peer peer;
	struct buf in, out;
	struct loop_watch watch;
	struct loop_timer deadline;
	struct loop_later reaper;
	struct local_client *next, **prev;
};

struct local {
	int fd;
	struct loop *loop; /* NULL until it is started */
	struct loop_watch watch;
	struct loop_timer rest; /* from accepting */
	const struct local_ops *ops;
	void *arg;
	struct local_client *clients;
	size_t count;
};

/* --- one client ------------------------------------------------------------ */

static void
discard_rest(int fd)
{
	char rest[4096];

	for (size_t n = 0; n < DISCARD_MAX; n += sizeof(rest))
		if (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) <= 0)
			return;
}

static void
local_watch(struct local *l)
{
	/* Without the kernel's help there is the timer. */
	if (loop_watch_set(&l->watch, LOOP_READABLE) < 0)
		(void)loop_timer_start(&l->rest, 1000);
}

static void
client_free(struct local_client *c)
{
	struct local *l = c->local;

	loop_later_cancel(&c->reaper);
	if (c->next != NULL)
		c->next->prev = c->prev;
	*c->prev = c->next;
	buf_clear(&c->in);
	buf_clear(&c->out);
	mem_free(c);
	l->count--;
}

static void
reap(struct loop_later *later)
{
	struct local_client *c = OWNER_OF(later, struct local_client, reaper);
	struct local *l = c->local;

	client_free(c);
	local_watch(l);
}

/* The connection ends here, the memory after the tick. */
static void
client_close(struct local_client *c)
{
	struct local *l = c->local;
	bool waits = c->stage == STAGE_THINKING;

	if (c->stage == STAGE_DONE)
		return;
	c->stage = STAGE_DONE;
	loop_timer_stop(&c->deadline);
	(void)loop_watch_set(&c->watch, 0);
	discard_rest(c->fd);
	close(c->fd);
	loop_later_add(l->loop, &c->reaper, reap);
	if (waits)
		l->ops->gone(c, l->arg);
}

static void
client_write(struct local_client *c)
{
	ssize_t n;

	while (c->out.n > 0) {
		n = send(
		    c->fd, c->out.p, c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN &&
		    loop_watch_set(&c->watch, LOOP_WRITABLE) == 0)
			return;
		if (n <= 0)
			break;
		buf_consume(&c->out, (size_t)n);
	}
	client_close(c);
}

void
local_answer(struct local_client *c, const char *p, size_t n)
{
	must(c->stage == STAGE_THINKING);
	c->stage = STAGE_WRITING;
	if (buf_add(&c->out, p, n) < 0 ||
	    loop_timer_start(&c->deadline, LOCAL_OUTPUT_MS) < 0)
		client_close(c);
	else
		client_write(c);
}

static void
client_ask(struct local_client *c, size_t line)
{
	struct local *l = c->local;
	size_t n = line;

	(void)loop_watch_set(&c->watch, 0);
	if (loop_timer_start(&c->deadline, LOCAL_THINK_MS) < 0) {
		client_close(c);
		return;
	}
	c->stage = STAGE_THINKING;
	if (n > 0 && c->in.p[n - 1] == '\r')
		n--;
	l->ops->asked(c, span_of(c->in.p, n), l->arg);
}

static void
client_read(struct local_client *c)
{
	char *end, *room = buf_reserve(&c->in, 512);
	size_t free = LOCAL_REQUEST_MAX - c->in.n;
	ssize_t n;

	n = room == NULL
		? 0
		: recv(c->fd, room, free < 512 ? free : 512, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	c->in.n += (size_t)n;
	end = memchr(c->in.p, '\n', c->in.n);
	if (end != NULL)
		client_ask(c, (size_t)(end - c->in.p));
	else if (c->in.n >= LOCAL_REQUEST_MAX)
		client_close(c);
}

static void
on_client(struct loop_watch *watch, unsigned ready)
{
	struct local_client *c = OWNER_OF(watch, struct local_client, watch);

	(void)ready;
	if (c->stage == STAGE_READING)
		client_read(c);
	else if (c->stage == STAGE_WRITING)
		client_write(c);
}

static void
on_deadline(struct loop_timer *timer)
{
	client_close(OWNER_OF(timer, struct local_client, deadline));
}

const struct local_peer *
local_client_peer(const struct local_client *c)
{
	return &c->peer;
}

/* --- the listener ---------------------------------------------------------- */

static int
ask_for_peer(struct local_client *c)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		return -1;
	c->peer = (struct local_peer){who.uid, who.gid, who.pid};
	return 0;
}

static int
client_begin(struct local *l, int fd)
{
	struct local_client *c = mem_new(sizeof(*c));

	if (c == NULL)
		return -1;
	c->local = l;
	c->fd = fd;
	/* One more byte than a line may have: room to read into. */
	buf_init(&c->in, LOCAL_REQUEST_MAX + 512);
	buf_init(&c->out, LOCAL_OUTPUT_MAX);
	loop_watch_init(&c->watch, l->loop, fd, on_client);
	loop_timer_init(&c->deadline, l->loop, on_deadline);
	if (ask_for_peer(c) < 0 ||
	    loop_timer_start(&c->deadline, LOCAL_REQUEST_MS) < 0 ||
	    loop_watch_set(&c->watch, LOOP_READABLE) < 0) {
		loop_timer_stop(&c->deadline);
		mem_free(c);
		return -1;
	}
	c->prev = &l->clients;
	if ((c->next = l->clients) != NULL)
		c->next->prev = &c->next;
	l->clients = c;
	l->count++;
	return 0;
}

static void
on_listener(struct loop_watch *watch, unsigned ready)
{
	struct local *l = OWNER_OF(watch, struct local, watch);
	int fd;

	(void)ready;
	if (l->count >= LOCAL_CLIENTS_MAX) {
		(void)loop_watch_set(&l->watch, 0);
		return;
	}
	fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		if (client_begin(l, fd) < 0)
			close(fd);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	/* No descriptors, no memory: it would be ready again at once. */
	(void)loop_watch_set(&l->watch, 0);
	(void)loop_timer_start(&l->rest, 1000);
}

static void
on_rested(struct loop_timer *timer)
{
	local_watch(OWNER_OF(timer, struct local, rest));
}

/* --- making ---------------------------------------------------------------- */

static int
make_directory(const char *path, struct errtext *why)
{
	const char *slash = strrchr(path, '/');
	char *directory;
	int rc = 0;

	if (slash == NULL || slash == path)
		return 0;
	if ((directory = mem_strndup(path, (size_t)(slash - path))) == NULL)
		rc = -1;
	else if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		rc = -1;
	if (rc < 0)
		errtext_set(why, "%s: cannot make its directory: %s", path,
		    strerror(errno));
	mem_free(directory);
	return rc;
}

static int
address_of(const char *path, const char *suffix, struct sockaddr_un *sa)
{
	size_t n = strlen(path), m = strlen(suffix);

	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (n >= LOCAL_PATH_MAX || n + m >= sizeof(sa->sun_path))
		return errno = ENAMETOOLONG, -1;
	memcpy(sa->sun_path, path, n);
	memcpy(sa->sun_path + n, suffix, m);
	return 0;
}

/* A descriptor that is the lock, until it is closed; or -1. The file stays: who
 * removed it would let two in. */
static int
lock_path(const struct local_options *o)
{
	char name[LOCAL_PATH_MAX + sizeof(".lock")];
	int fd, error;

	(void)snprintf(name, sizeof(name), "%s.lock", o->path);
	fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		error = errno;
		if ((error != EWOULDBLOCK && error != EINTR) ||
		    mono_between(clock_mono(), o->until) <= 0) {
			close(fd);
			return errno = error, -1;
		}
		(void)poll(NULL, 0, 10);
	}
	return fd;
}

static int
bind_by_rename(int fd, const struct local_options *o,
    const struct sockaddr_un *at, const char **step_r)
{
	struct sockaddr_un temporary;

	*step_r = "use this name";
	if (address_of(o->path, ".new", &temporary) < 0)
		return -1;
	*step_r = "bind";
	if (unlink(temporary.sun_path) < 0 && errno != ENOENT)
		return -1;
	if (bind(fd, (struct sockaddr *)&temporary, sizeof(temporary)) < 0)
		return -1;
	*step_r = "give it to its group";
	if (o->group != (gid_t)-1 &&
	    lchown(temporary.sun_path, (uid_t)-1, o->group) < 0)
		goto failed;
	*step_r = "listen";
	if (listen(fd, BACKLOG) < 0)
		goto failed;
	*step_r = "rename";
	if (rename(temporary.sun_path, at->sun_path) == 0)
		return 0;
failed:
	(void)!unlink(temporary.sun_path);
	return -1;
}

static bool
is_free(const struct sockaddr_un *at, struct mono until)
{
	if (predecessor_is_gone(
		(const struct sockaddr *)at, sizeof(*at), until))
		return true;
	errno = EADDRINUSE;
	return false;
}

/* On failure *step_r says what could not be done. Others may have waited for the
 * same end as we have, so we look again when we have the lock. */
static int
place_socket(int fd, const struct local_options *o, const char **step_r)
{
	struct sockaddr_un at;
	int lock, error, rc = -1;

	*step_r = "use this name";
	if (address_of(o->path, "", &at) < 0)
		return -1;
	*step_r = "take it over";
	if (!is_free(&at, o->until))
		return -1;
	*step_r = "lock it";
	if ((lock = lock_path(o)) < 0)
		return -1;
	*step_r = "take it over";
	if (is_free(&at, (struct mono){0}))
		rc = bind_by_rename(fd, o, &at, step_r);
	error = errno;
	close(lock);
	return errno = error, rc;
}

static int
bound_socket(const struct local_options *o, struct errtext *why)
{
	const char *step = "create a socket";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd >= 0 && place_socket(fd, o, &step) == 0)
		return fd;
	error = errno;
	errtext_set(why, "%s: cannot %s: %s", o->path, step, strerror(error));
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

int
local_bind(const struct local_options *o, struct errtext *why)
{
	mode_t mask = umask(022);
	int fd = -1;

	if (!o->make_directory || make_directory(o->path, why) == 0) {
		(void)umask(o->for_everybody ? 0111 : 0117);
		fd = bound_socket(o, why);
	}
	(void)umask(mask);
	return fd;
}

struct local *
local_open(const struct local_options *o, struct errtext *why)
{
	struct local *l = mem_new(sizeof(*l));

	if (l == NULL) {
		errtext_set(why, "%s: %s", o->path, strerror(errno));
		return NULL;
	}
	if ((l->fd = local_bind(o, why)) < 0) {
		mem_free(l);
		l = NULL;
	}
	return l;
}

static bool
listens(int fd)
{
	struct sockaddr_un sa = {.sun_family = AF_UNSPEC};
	socklen_t n = sizeof(sa), size = sizeof(int);
	int yes = 0;

	return getsockname(fd, (struct sockaddr *)&sa, &n) == 0 &&
	       sa.sun_family == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) == 0 &&
	       yes != 0;
}

struct local *
local_adopt(int fd, struct errtext *why)
{
	struct local *l = NULL;

	if (!listens(fd) || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		errtext_set(
		    why, "descriptor %d is not a listening Unix socket", fd);
	else if ((l = mem_new(sizeof(*l))) == NULL)
		errtext_set(why, "%s", strerror(errno));
	else
		l->fd = fd;
	return l;
}

int
local_start(
    struct local *l, struct loop *loop, const struct local_ops *ops, void *arg)
{
	loop_watch_init(&l->watch, loop, l->fd, on_listener);
	if (loop_watch_set(&l->watch, LOOP_READABLE) < 0)
		return -1;
	loop_timer_init(&l->rest, loop, on_rested);
	l->loop = loop;
	l->ops = ops;
	l->arg = arg;
	return 0;
}

void
local_close(struct local **lp)
{
	struct local *l = *lp;

	*lp = NULL;
	if (l == NULL)
		return;
	if (l->loop != NULL) {
		(void)loop_watch_set(&l->watch, 0);
		loop_timer_stop(&l->rest);
	}
	while (l->clients != NULL) {
		client_close(l->clients);
		client_free(l->clients);
	}
	close(l->fd);
	mem_free(l);
}
