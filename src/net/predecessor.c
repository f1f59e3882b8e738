/* SPDX-License-Identifier: ISC */
#include "net/predecessor.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* A connection to it ends when it does: nobody needs to look again and again.
 * One that is ended by a daemon that stays (it may be out of memory) says
 * nothing, so another has to tell. A backlog that is full lets nobody wait in
 * it, so there we do look again. */

enum { CALLS_MAX = 10, LOOK_MS = 10 };

enum answer { NOBODY, SOMEBODY, HUNG_UP, BUSY };

static int64_t
left_ms(struct mono until)
{
	int64_t ms = mono_between(clock_mono(), until);

	return ms > 0 ? ms : 0;
}

/* Its error, which a refusal by TCP is, too. */
static int
error_of(int fd)
{
	int error = 0;
	socklen_t n = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 ? errno
								    : error;
}

static enum answer
wait_for_its_end(int fd, struct mono until)
{
	struct pollfd end = {.fd = fd, .events = POLLIN};
	int n;

	do
		n = poll(&end, 1, (int)left_ms(until));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return SOMEBODY;
	return error_of(fd) == ECONNREFUSED ? NOBODY : HUNG_UP;
}

static enum answer
call(const struct sockaddr *sa, socklen_t n, struct mono until)
{
	enum answer answer = NOBODY;
	int fd;

	fd = socket(
	    sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NOBODY;
	if (connect(fd, sa, n) == 0 || errno == EINPROGRESS)
		answer = wait_for_its_end(fd, until);
	else if (errno == EAGAIN)
		answer = BUSY;
	close(fd);
	return answer;
}

bool
predecessor_is_gone(const struct sockaddr *sa, socklen_t n, struct mono until)
{
	enum answer answer = call(sa, n, until);
	int calls = 1;

	while ((answer == HUNG_UP && calls < CALLS_MAX) ||
	       (answer == BUSY && left_ms(until) > 0)) {
		if (answer == BUSY)
			(void)poll(NULL, 0, LOOK_MS);
		else
			calls++;
		answer = call(sa, n, until);
	}
	return answer == NOBODY;
}
