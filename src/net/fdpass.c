/* SPDX-License-Identifier: ISC */
#include "net/fdpass.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

/* Everything that can fail for want of memory is done before connect(2): the
 * message is written and the socket is watched. What follows is connect and
 * sendmsg, back to back, so smtpd never waits for the second half.
 *
 * connect(2) on a Unix socket never is "in progress": the backlog has room or
 * it is EAGAIN, and poll(2) cannot wait for room.
 *
 * smtpd never sends a byte. So readiness alone means that it closed the socket,
 * and no recv(2) asks. */

size_t
fdpass_encode(char out[FDPASS_MESSAGE_MAX], const struct endpoint *client,
    const struct endpoint *server)
{
	char client_text[ADDR_TEXT_MAX], server_text[ADDR_TEXT_MAX];
	int n;

	if (client->addr.family == ADDR_NONE ||
	    server->addr.family == ADDR_NONE)
		return 0;
	n = snprintf(out, FDPASS_MESSAGE_MAX,
	    "%cclient_address%c%s%cclient_port%c%u"
	    "%cserver_address%c%s%cserver_port%c%u%c%c",
	    0, 0, addr_format(&client->addr, client_text), 0, 0,
	    (unsigned)client->port, 0, 0,
	    addr_format(&server->addr, server_text), 0, 0,
	    (unsigned)server->port, 0, 0);
	return n > 0 && n < FDPASS_MESSAGE_MAX ? (size_t)n : 0;
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

/* End of file: smtpd has read the message. A reset: it ended with the message
 * unread, and nobody has the client but us. */
static void
on_answer(struct loop_watch *watch, unsigned ready)
{
	struct fdpass *pass = OWNER_OF(watch, struct fdpass, watch);
	fdpass_fn *fn = pass->fn;
	char byte;
	bool taken = recv(pass->fd, &byte, 1, MSG_DONTWAIT) >= 0;

	(void)ready;
	fdpass_cancel(pass);
	fn(pass, taken);
}

enum fdpass_result
fdpass_send(struct fdpass *pass, struct loop *loop, const char *path,
    int client_fd, const struct endpoint *client, const struct endpoint *server,
    fdpass_fn *fn)
{
	char message[FDPASS_MESSAGE_MAX];
	size_t n = fdpass_encode(message, client, server);
	enum fdpass_result result;
	int error;

	pass->fd = -1;
	pass->fn = NULL;
	if (n == 0) {
		errno = EINVAL;
		return FDPASS_NO_SERVER;
	}
	pass->fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (pass->fd < 0)
		return connect_result(errno);
	pass->fn = fn;
	loop_watch_init(&pass->watch, loop, pass->fd, on_answer);
	if (loop_watch_set(&pass->watch, LOOP_READABLE) < 0 ||
	    connect_to(pass->fd, path) < 0)
		result = connect_result(errno);
	else if (send_message(pass->fd, message, n, client_fd) < 0)
		result = FDPASS_NOT_SENT;
	else
		return FDPASS_SENT;
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
	close(pass->fd);
	pass->fd = -1;
	pass->fn = NULL;
}
