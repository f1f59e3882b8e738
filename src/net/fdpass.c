/* SPDX-License-Identifier: ISC */
#include "net/fdpass.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

/* Everything that can fail for want of memory is done before connect(2): the
 * message is written and somebody will look for the answer. What follows is
 * connect and sendmsg, back to back, so smtpd never waits for the second half.
 *
 * connect(2) on a Unix socket never is "in progress": the backlog has room or
 * it is EAGAIN, and poll(2) cannot wait for room.
 *
 * smtpd never sends a byte, so readiness means that it closed the socket. To
 * have each socket watched costs three system calls; one poll(2) for a batch
 * costs an eighth of one, and tells as much. */

/* The two attributes of one end; every name and value ends with a NUL. */
static char *
put_end(char *p, const char *address_name, const char *port_name,
    const struct endpoint *e)
{
	char address[ADDR_TEXT_MAX];

	p = text_put(p, address_name);
	*p++ = '\0';
	p = text_put(p, addr_format(&e->addr, address));
	*p++ = '\0';
	p = text_put(p, port_name);
	*p++ = '\0';
	p = text_put_number(p, e->port);
	*p++ = '\0';
	return p;
}

size_t
fdpass_encode(char out[FDPASS_MESSAGE_MAX], const struct endpoint *client,
    const struct endpoint *server)
{
	char *p = out;

	if (client->addr.family == ADDR_NONE ||
	    server->addr.family == ADDR_NONE)
		return 0;
	*p++ = '\0';
	p = put_end(p, "client_address", "client_port", client);
	p = put_end(p, "server_address", "server_port", server);
	*p++ = '\0';
	return (size_t)(p - out);
}

static enum fdpass_result
connect_result(int error)
{
	switch (error) {
	case EAGAIN:
	case EMFILE: /* of ours, and as passing as a full backlog */
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return FDPASS_BUSY;
	default:
		return FDPASS_NO_SERVER;
	}
}

static int
connect_to(int fd, const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t n = strlen(path);

	if (n >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, path, n + 1);
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa));
}

/* All of the message with the descriptor, or -1. A part of it cannot happen
 * on an empty Unix socket, and could not be repaired if it did. */
static int
send_message(int fd, char *message, size_t n, int client_fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = message, .iov_len = n};
	struct msghdr msg = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.space,
	    .msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *header;
	ssize_t sent;

	memset(&control, 0, sizeof(control));
	header = CMSG_FIRSTHDR(&msg);
	header->cmsg_len = CMSG_LEN(sizeof(int));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(header), &client_fd, sizeof(int));
	sent = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return -1;
	if ((size_t)sent == n)
		return 0;
	errno = EIO;
	return -1;
}

/* A process may have only so many descriptors between two sockets, and those of
 * the same user's other processes count, too: they are on their way. */
static enum fdpass_result
send_result(int error)
{
	switch (error) {
	case ETOOMANYREFS:
	case ENOBUFS:
	case ENOMEM:
		return FDPASS_BUSY;
	default:
		return FDPASS_NOT_SENT;
	}
}

/* Asked on a pair of our own: a connection on which nothing comes is an error to
 * smtpd, and after a dozen of them it ends. */
static bool
would_be_taken(int client_fd)
{
	char byte = '\0';
	int pair[2], error;
	bool taken;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	taken = send_message(pair[0], &byte, 1, client_fd) == 0;
	error = errno;
	close(pair[0]);
	close(pair[1]);
	errno = error;
	return taken;
}

/* --- the answers ---------------------------------------------------------- */
static void
list_leave(struct fdpass *pass)
{
	if (pass->list == NULL)
		return;
	if (pass->list == &pass->collector->fresh)
		pass->collector->fresh_count--;
	TAILQ_REMOVE(pass->list, pass, others);
	pass->list = NULL;
}

static void
list_enter(struct fdpass *pass, struct fdpass_list *list)
{
	list_leave(pass);
	pass->list = list;
	TAILQ_INSERT_TAIL(list, pass, others);
	if (list == &pass->collector->fresh)
		pass->collector->fresh_count++;
}

static void
tell(struct fdpass *pass)
{
	fdpass_fn *fn = pass->fn;

	fdpass_cancel(pass);
	fn(pass, pass->taken);
}

/* End of file: smtpd has read the message. A reset, which is an error: it ended
 * with the message unread, and nobody has the client but us. */
static bool
means_taken(const struct pollfd *p)
{
	return (p->revents & POLLERR) == 0;
}

static void
on_ready(struct loop_watch *watch, unsigned ready)
{
	struct fdpass *pass = OWNER_OF(watch, struct fdpass, watch);
	struct pollfd p = {.fd = pass->fd};

	(void)ready;
	(void)poll(&p, 1, 0);
	pass->taken = means_taken(&p);
	tell(pass);
}

/* Without memory for a watch it stays fresh, and is looked at again. */
static void
watch_it(struct fdpass *pass)
{
	loop_watch_init(
	    &pass->watch, pass->collector->loop, pass->fd, on_ready);
	if (loop_watch_set(&pass->watch, LOOP_READABLE) == 0)
		list_leave(pass);
}

enum look { LOOK_IN_PASSING, LOOK_BY_THE_CLOCK, LOOK_IN_A_HURRY };

static void
note_unanswered(struct fdpass *pass, enum look look)
{
	list_enter(pass, &pass->collector->fresh); /* behind the others */
	if (look == LOOK_IN_A_HURRY ||
	    (look == LOOK_BY_THE_CLOCK && pass->is_late))
		watch_it(pass);
	else if (look == LOOK_BY_THE_CLOCK)
		pass->is_late = true;
}

enum { POLL_MAX = 32 };

/* At the first `n` of the fresh ones, without telling anybody. */
static void
look_at(struct fdpass_collector *c, size_t n, enum look look)
{
	struct pollfd batch[POLL_MAX];
	struct fdpass *pass = TAILQ_FIRST(&c->fresh), *next;
	size_t i;

	for (i = 0; i < n; i++, pass = TAILQ_NEXT(pass, others))
		batch[i] = (struct pollfd){.fd = pass->fd, .events = POLLIN};
	if (poll(batch, n, 0) < 0)
		memset(batch, 0, sizeof(batch));
	pass = TAILQ_FIRST(&c->fresh);
	for (i = 0; i < n; i++, pass = next) {
		next = TAILQ_NEXT(pass, others);
		if (batch[i].revents == 0) {
			note_unanswered(pass, look);
			continue;
		}
		pass->taken = means_taken(&batch[i]);
		list_enter(pass, &c->answered);
	}
}

static void
collect(struct fdpass_collector *c, enum look look)
{
	size_t left, n;
	struct fdpass *pass;

	for (left = c->fresh_count; left > 0; left -= n) {
		n = left < POLL_MAX ? left : POLL_MAX;
		look_at(c, n, look);
	}
	c->full_at = c->fresh_count + FDPASS_BATCH;
	while ((pass = TAILQ_FIRST(&c->answered)) != NULL)
		tell(pass);
}

void
fdpass_collect(struct fdpass_collector *c)
{
	collect(c, LOOK_IN_A_HURRY);
}

static void
on_time(struct loop_timer *timer)
{
	struct fdpass_collector *c =
	    OWNER_OF(timer, struct fdpass_collector, timer);

	collect(c, LOOK_BY_THE_CLOCK);
	if (c->fresh_count > 0)
		(void)loop_timer_start(timer, FDPASS_COLLECT_MS);
}

static void
on_full(struct loop_later *later)
{
	collect(
	    OWNER_OF(later, struct fdpass_collector, full), LOOK_IN_PASSING);
}

void
fdpass_collector_init(struct fdpass_collector *c, struct loop *loop)
{
	*c = (struct fdpass_collector){.loop = loop, .full_at = FDPASS_BATCH};
	TAILQ_INIT(&c->fresh);
	TAILQ_INIT(&c->answered);
	loop_timer_init(&c->timer, loop, on_time);
}

void
fdpass_collector_stop(struct fdpass_collector *c)
{
	loop_timer_stop(&c->timer);
	loop_later_cancel(&c->full);
}

/* --- sending -------------------------------------------------------------- */
static int
await_answer(struct fdpass *pass)
{
	struct fdpass_collector *c = pass->collector;

	if (!loop_timer_is_running(&c->timer) &&
	    loop_timer_start(&c->timer, FDPASS_COLLECT_MS) < 0)
		return -1;
	list_enter(pass, &c->fresh);
	if (c->fresh_count >= c->full_at)
		loop_later_add(c->loop, &c->full, on_full);
	return 0;
}

static enum fdpass_result
try(struct fdpass *pass, const char *path, char *message, size_t n,
    int client_fd)
{
	enum fdpass_result result = FDPASS_SENT;

	if (await_answer(pass) < 0 || connect_to(pass->fd, path) < 0)
		return connect_result(errno);
	if (send_message(pass->fd, message, n, client_fd) < 0)
		result = send_result(errno);
	pass->collector->is_full = result == FDPASS_BUSY;
	return result;
}

enum fdpass_result
fdpass_send(struct fdpass *pass, struct fdpass_collector *collector,
    const char *path, int client_fd, const struct endpoint *client,
    const struct endpoint *server, fdpass_fn *fn)
{
	char message[FDPASS_MESSAGE_MAX];
	size_t n = fdpass_encode(message, client, server);
	enum fdpass_result result;
	int error;

	*pass = (struct fdpass){.fd = -1, .collector = collector};
	if (n == 0) {
		errno = EINVAL;
		return FDPASS_NO_SERVER;
	}
	if (collector->is_full && !would_be_taken(client_fd))
		return FDPASS_BUSY;
	pass->fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (pass->fd < 0)
		return connect_result(errno);
	pass->fn = fn;
	if ((result = try(pass, path, message, n, client_fd)) == FDPASS_SENT)
		return result;
	error = errno;
	fdpass_cancel(pass);
	errno = error;
	return result;
}

void
fdpass_cancel(struct fdpass *pass)
{
	if (pass->fn == NULL)
		return;
	loop_watch_set(&pass->watch, 0);
	list_leave(pass);
	close(pass->fd);
	pass->fd = -1;
	pass->fn = NULL;
}
