/* SPDX-License-Identifier: ISC */
#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* accept(2) on Linux passes on errors of the connection that was about to be
 * accepted; they are the peer's or the network's, and the next connection may
 * be fine. When descriptors or memory run out, the connection stays in the
 * backlog and readiness would be reported again at once. Either the owner has
 * descriptors to give back, which is progress, or accepting rests for a moment;
 * and so it does for any error not known to be harmless, which is better than a
 * loop that spins.
 *
 * One system call per connection: accept4(2) sets the flags and tells the
 * peer, SO_KEEPALIVE comes from the listener, and our own end is asked for only
 * when the listener is bound to a wildcard address. Nor is the backlog asked
 * whether it is empty, as it mostly is after the first: a burst is as long as
 * the last one that came to its end, and grows when the backlog outlasts it. */

/* Bursts in a row that left something, before a longer one is tried. */
#define LISTEN_PATIENCE 16

struct listener {
	struct loop *loop;
	int fd;
	struct endpoint where;
	bool wildcard;
	unsigned burst;  /* accepts at the next readiness */
	unsigned filled; /* bursts in a row that did not find the end */
	bool in_burst;   /* callbacks may stop and free us */
	bool doomed;     /* freed in a burst: gone when it ends */
	struct loop_watch watch;
	struct loop_timer rest;
	const struct listen_ops *ops; /* NULL while stopped */
	void *arg;
};

static int
own_end(int fd, struct endpoint *out_r)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &n) < 0)
		return -1;
	if (endpoint_from_sockaddr((struct sockaddr *)&sa, out_r) == 0)
		return 0;
	errno = EAFNOSUPPORT;
	return -1;
}

/* --- accepting ----------------------------------------------------------- */
static bool
is_of_one_connection(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case ECONNRESET:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENETDOWN:
	case ENETUNREACH:
	case ENONET:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case EPERM: /* a firewall's word */
	case EPROTO:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static bool
is_for_want(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	       error == ENOMEM;
}

/* Descriptors that were given back are there at once; for memory, nobody
 * knows. */
static bool
found_descriptors(struct listener *l, int error)
{
	return is_for_want(error) && l->ops->exhausted(error, l->arg) &&
	       (error == EMFILE || error == ENFILE);
}

/* True when the next one may be accepted. */
static bool
accept_failed(struct listener *l, int error)
{
	if (error == EAGAIN)
		return false;
	if (is_of_one_connection(error)) {
		if (error != EINTR)
			l->ops->trouble(error, false, l->arg);
		return true;
	}
	if (found_descriptors(l, error)) {
		l->ops->trouble(error, false, l->arg);
		return false; /* on the next tick */
	}
	/* Should the timer not start, spinning is better than deafness. */
	if (loop_timer_start(&l->rest, LISTEN_PAUSE_MS) == 0)
		loop_watch_set(&l->watch, 0);
	l->ops->trouble(error, true, l->arg);
	return false;
}

static bool
accept_one(struct listener *l)
{
	struct endpoint client, server = l->where;
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	int fd, error;

	fd = accept4(
	    l->fd, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return accept_failed(l, errno);
	error = 0;
	if (endpoint_from_sockaddr((struct sockaddr *)&sa, &client) < 0)
		error = EAFNOSUPPORT;
	else if (l->wildcard && own_end(fd, &server) < 0)
		error = errno;
	if (error == 0) {
		l->ops->arrived(fd, &client, &server, l->arg);
		return true;
	}
	close(fd);
	l->ops->trouble(error, false, l->arg);
	return true;
}

static void
listener_destroy(struct listener *l)
{
	close(l->fd);
	mem_free(l);
}

/* `n` were accepted. */
static void
suit_burst(struct listener *l, unsigned n)
{
	if (n < l->burst) {
		l->burst = n > 0 ? n : 1;
		l->filled = 0;
	} else if (l->filled < LISTEN_PATIENCE) {
		l->filled++;
	} else {
		l->burst =
		    l->burst < LISTEN_BURST / 2 ? l->burst * 2 : LISTEN_BURST;
	}
}

static void
on_ready(struct loop_watch *watch, unsigned ready)
{
	struct listener *l = OWNER_OF(watch, struct listener, watch);
	unsigned n;

	(void)ready;
	l->in_burst = true;
	for (n = 0; n < l->burst && l->ops != NULL; n++)
		if (!accept_one(l))
			break;
	l->in_burst = false;
	suit_burst(l, n);
	if (l->doomed)
		listener_destroy(l);
}

static void
on_rested(struct loop_timer *timer)
{
	struct listener *l = OWNER_OF(timer, struct listener, rest);

	if (loop_watch_set(&l->watch, LOOP_READABLE) < 0)
		loop_timer_start(&l->rest, LISTEN_PAUSE_MS);
}

/* --- making -------------------------------------------------------------- */
static struct listener *
listener_new(struct loop *loop, int fd)
{
	static const struct addr any4 = {.family = ADDR_IPV4};
	static const struct addr any6 = {.family = ADDR_IPV6};
	struct listener *l;

	if ((l = mem_new(sizeof(*l))) == NULL)
		return NULL;
	if (own_end(fd, &l->where) < 0) {
		mem_free(l);
		return NULL;
	}
	l->loop = loop;
	l->fd = fd;
	l->burst = 1;
	l->wildcard = addr_equal(&l->where.addr, &any4) ||
		      addr_equal(&l->where.addr, &any6);
	loop_watch_init(&l->watch, loop, fd, on_ready);
	loop_timer_init(&l->rest, loop, on_rested);
	return l;
}

static int
set_option(int fd, int level, int option)
{
	static const int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on));
}

/* On failure *step_r says what could not be done. */
static int
bound_socket(const struct endpoint *where, const char **step_r)
{
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(where, &sa);
	int fd, error;

	*step_r = "create a socket";
	fd =
	    socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	*step_r = "set socket options";
	if (set_option(fd, SOL_SOCKET, SO_REUSEADDR) < 0 ||
	    set_option(fd, SOL_SOCKET, SO_KEEPALIVE) < 0 ||
	    (sa.ss_family == AF_INET6 &&
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0))
		goto failed;
	*step_r = "bind";
	if (bind(fd, (struct sockaddr *)&sa, n) < 0)
		goto failed;
	*step_r = "listen";
	if (listen(fd, SOMAXCONN) == 0)
		return fd;
failed:
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

struct listener *
listen_open(
    struct loop *loop, const struct endpoint *where, struct errtext *why)
{
	char text[ENDPOINT_TEXT_MAX];
	struct listener *l = NULL;
	const char *step;
	int fd, error;

	fd = bound_socket(where, &step);
	if (fd >= 0 && (l = listener_new(loop, fd)) != NULL)
		return l;
	error = errno;
	errtext_set(why, "%s: cannot %s: %s", endpoint_format(where, text),
	    step, strerror(error));
	if (fd >= 0)
		close(fd);
	errno = error;
	return NULL;
}

/* Status flags belong to the open file description, which other processes
 * share: they are written only when they are wrong. */
static int
adopt_socket(int fd)
{
	int listening = 0;
	socklen_t n = sizeof(listening);
	int flags;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) < 0)
		return -1;
	if (!listening) {
		errno = EINVAL;
		return -1;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    (flags = fcntl(fd, F_GETFL)) < 0)
		return -1;
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -1;
	if (set_option(fd, SOL_SOCKET, SO_KEEPALIVE) < 0)
		return -1;
	return listen(fd, SOMAXCONN);
}

struct listener *
listen_adopt(struct loop *loop, int fd, struct errtext *why)
{
	struct listener *l;
	int error;

	if (adopt_socket(fd) == 0 && (l = listener_new(loop, fd)) != NULL)
		return l;
	error = errno;
	errtext_set(why, "descriptor %d: not a usable listening socket: %s", fd,
	    strerror(error));
	errno = error;
	return NULL;
}

/* --- life ---------------------------------------------------------------- */
int
listen_start(struct listener *l, const struct listen_ops *ops, void *arg)
{
	if (loop_watch_set(&l->watch, LOOP_READABLE) < 0)
		return -1;
	l->ops = ops;
	l->arg = arg;
	return 0;
}

void
listen_stop(struct listener *l)
{
	loop_watch_set(&l->watch, 0);
	loop_timer_stop(&l->rest);
	l->ops = NULL;
}

void
listen_free(struct listener **l)
{
	if (*l == NULL)
		return;
	listen_stop(*l);
	if ((*l)->in_burst)
		(*l)->doomed = true;
	else
		listener_destroy(*l);
	*l = NULL;
}

const struct endpoint *
listen_where(const struct listener *l)
{
	return &l->where;
}
