/* SPDX-License-Identifier: ISC */
/* Stands in for smtpd(8) behind the hand-off socket, so that only the screen
 * is measured: takes connections as smtpd does, greets, speaks the SMTP that
 * the generator needs.
 *
 *	receiver QUEUE_DIRECTORY
 *
 * The attributes follow the descriptor in the same message or in later ones;
 * like smtpd it reads them to their end before it closes, which is what the
 * screen waits for. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench/kit.h"

#define BACKLOG 4096
#define ACCEPTS_AT_ONCE 64
#define PATIENCE_S 5

static void
say(int client, const char *text)
{
	if (send(client, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return; /* it has gone; the next read says so */
}

/* The client's descriptor, or -1. */
static int
take(int server)
{
	static const struct timeval patience = {.tv_sec = PATIENCE_S};
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char text[1024];
	struct iovec io = {.iov_base = text, .iov_len = sizeof(text)};
	struct msghdr m = {.msg_iov = &io,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	const struct cmsghdr *c;
	ssize_t n;
	int client = -1;

	setsockopt(
	    server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if ((n = recvmsg(server, &m, MSG_CMSG_CLOEXEC)) <= 0 ||
	    (c = CMSG_FIRSTHDR(&m)) == NULL || c->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&client, CMSG_DATA(c), sizeof(client));
	while (n < 2 || text[n - 1] != '\0' || text[n - 2] != '\0') {
		ssize_t more;

		more = recv(server, text + n, sizeof(text) - (size_t)n, 0);
		if (more <= 0)
			break;
		n += more;
	}
	return client;
}

static void
welcome(int epoll, int door)
{
	int server, client;

	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		if ((server = accept4(door, NULL, NULL, SOCK_CLOEXEC)) < 0)
			return;
		client = take(server);
		close(server);
		if (client < 0)
			continue;
		say(client, "220 receiver ESMTP\r\n");
		kit_watch(epoll, client, EPOLLIN, (uint64_t)client);
	}
}

/* The screen may still hold its copy, for which epoll would go on to report. */
static void
let_go(int epoll, int client)
{
	epoll_ctl(epoll, EPOLL_CTL_DEL, client, NULL);
	close(client);
}

/* Each packet of the generator is one command. */
static void
serve(int epoll, int client)
{
	char line[512];
	ssize_t n;

	n = recv(client, line, sizeof(line), MSG_DONTWAIT);
	if (n <= 0 || (n >= 4 && strncasecmp(line, "QUIT", 4) == 0)) {
		if (n > 0)
			say(client, "221 2.0.0 Bye\r\n");
		let_go(epoll, client);
		return;
	}
	say(client, "250 2.0.0 Ok\r\n");
}

int
main(int argc, char **argv)
{
	struct epoll_event events[ACCEPTS_AT_ONCE];
	int epoll, door, n;

	if (argc != 2)
		return 2;
	kit_settle();
	door = kit_unix(argv[1], "private/smtpd", SOCK_STREAM | SOCK_NONBLOCK);
	if (listen(door, BACKLOG) < 0 || (epoll = epoll_create1(0)) < 0)
		kit_die("listen");
	kit_watch(epoll, door, EPOLLIN, (uint64_t)door);
	for (;;) {
		n = epoll_wait(epoll, events, ACCEPTS_AT_ONCE, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.u64 == (uint64_t)door)
				welcome(epoll, door);
			else
				serve(epoll, (int)events[i].data.u64);
		}
	}
}
