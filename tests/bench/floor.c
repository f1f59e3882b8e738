/* SPDX-License-Identifier: ISC */
/* The floor under every screen: take a connection, pass it on, forget it.
 *
 *	floor PORT QUEUE_DIRECTORY
 *
 * Six system calls a session, and no decision at all; whoever screens in the
 * same kernel cannot be cheaper. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/kit.h"

/* A byte to carry the descriptor, then what smtpd wants to know. */
static const char attributes[] = "\0client_address\000127.0.0.1\0"
				 "client_port\00040000\0"
				 "server_address\000127.0.0.1\0"
				 "server_port\00025\0";

static int
pass(const struct sockaddr_un *smtpd, int client)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
			 .cmsg_level = SOL_SOCKET,
			 .cmsg_type = SCM_RIGHTS}};
	char text[sizeof(attributes)];
	struct iovec io = {.iov_base = text, .iov_len = sizeof(text)};
	struct msghdr m = {.msg_iov = &io,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	int server, rc = -1;

	memcpy(text, attributes, sizeof(text));
	memcpy(CMSG_DATA(&control.head), &client, sizeof(client));
	if ((server = socket(
		 AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
		return -1;
	if (connect(server, (const struct sockaddr *)smtpd, sizeof(*smtpd)) ==
		0 &&
	    sendmsg(server, &m, MSG_NOSIGNAL | MSG_DONTWAIT) ==
		(ssize_t)sizeof(text))
		rc = 0;
	close(server);
	return rc;
}

int
main(int argc, char **argv)
{
	struct sockaddr_un smtpd = {.sun_family = AF_UNIX};
	struct sockaddr_storage peer;
	socklen_t n;
	int door, client;

	if (argc != 3)
		return 2;
	kit_settle();
	snprintf(smtpd.sun_path, sizeof(smtpd.sun_path), "%s/private/smtpd",
	    argv[2]);
	door = kit_inet(kit_number(argv[1], 1, 65535), SOCK_STREAM);
	if (listen(door, SOMAXCONN) < 0)
		kit_die("listen");
	for (;;) {
		n = sizeof(peer);
		client = accept4(door, (struct sockaddr *)&peer, &n,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client < 0)
			continue;
		if (pass(&smtpd, client) < 0)
			perror("hand-off");
		close(client);
	}
}
