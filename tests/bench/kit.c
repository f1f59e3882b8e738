/* SPDX-License-Identifier: ISC */
#include "bench/kit.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

void
kit_die(const char *what)
{
	perror(what);
	exit(2);
}

uint32_t
kit_number(const char *text, uint32_t min, uint32_t max)
{
	int64_t value;

	if (num_parse(span_str(text), min, max, &value) < 0)
		kit_die(text);
	return (uint32_t)value;
}

void *
kit_zeroed(size_t n, size_t size)
{
	void *p;

	if ((p = calloc(n, size)) == NULL)
		kit_die("memory");
	return p;
}

int64_t
kit_now_us(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
		kit_die("clock");
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void
kit_settle(void)
{
	struct rlimit limit;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		kit_die("RLIMIT_NOFILE");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		kit_die("RLIMIT_NOFILE");
}

int
kit_unix(const char *directory, const char *name, int type)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd, n;

	n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", directory, name);
	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		kit_die("a long path");
	unlink(a.sun_path);
	if ((fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0)) < 0 ||
	    bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
	    chmod(a.sun_path, 0666) < 0)
		kit_die(a.sun_path);
	return fd;
}

int
kit_inet(uint32_t port, int type)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd, on = 1;

	a.sin_port = htons((uint16_t)port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = socket(AF_INET, type | SOCK_CLOEXEC, 0)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		kit_die("a port");
	return fd;
}

void
kit_watch(int epoll, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event ev = {.events = events};

	ev.data.u64 = tag;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		kit_die("epoll_ctl");
}
