/* SPDX-License-Identifier: ISC */
#include "daemon/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"

/* The protocol is small and promised to be stable: descriptors from 3 up are
 * ours if LISTEN_PID is our pid, and each message is one datagram of
 * "NAME=value" lines to the socket that NOTIFY_SOCKET names. A watchdog is fed
 * twice in its time, by a timer of the loop: when the loop stands still so does
 * the pulse. */

static void
forget_environment(void)
{
	static const char *const names[] = {"LISTEN_PID", "LISTEN_FDS",
	    "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)unsetenv(names[i]);
}

/* Whether `name` holds our pid; unset is as good when `or_unset`. */
static bool
is_for_us(const char *name, bool or_unset)
{
	const char *text = getenv(name);
	int64_t pid;

	if (text == NULL)
		return or_unset;
	return num_parse(span_str(text), 1, INT32_MAX, &pid) == 0 &&
	       pid == getpid();
}

static int
take_sockets(struct systemd *s, struct errtext *why)
{
	const char *text = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	int64_t n;

	if (text == NULL || !is_for_us("LISTEN_PID", false))
		return 0;
	if (num_parse(span_str(text), 0, SYSTEMD_SOCKETS_MAX, &n) < 0) {
		errtext_set(why, "LISTEN_FDS=%s: not a number up to %d", text,
		    SYSTEMD_SOCKETS_MAX);
		return -1;
	}
	for (int fd = SYSTEMD_FIRST_FD; fd < SYSTEMD_FIRST_FD + (int)n; fd++) {
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
			errtext_set(why, "LISTEN_FDS=%s: descriptor %d: %s",
			    text, fd, strerror(errno));
			return -1;
		}
	}
	s->sockets = (size_t)n;
	if (names != NULL &&
	    (s->names = mem_strndup(names, strlen(names))) == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	return 0;
}

/* A path, or a name in the abstract space after "@". */
static int
open_notify(const char *name, struct errtext *why)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	int fd;

	if (n < 2 || n >= sizeof(sa.sun_path) ||
	    (name[0] != '/' && name[0] != '@')) {
		errtext_set(why, "NOTIFY_SOCKET=%s: not a Unix socket", name);
		return -1;
	}
	memcpy(sa.sun_path, name, n);
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == 0)
		return fd;
	errtext_set(why, "NOTIFY_SOCKET=%s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
take_notify(struct systemd *s, struct errtext *why)
{
	const char *name = getenv("NOTIFY_SOCKET");
	const char *usec = getenv("WATCHDOG_USEC");
	int64_t n;

	if (name == NULL || *name == '\0')
		return 0;
	if ((s->notify_fd = open_notify(name, why)) < 0)
		return -1;
	if (usec != NULL && is_for_us("WATCHDOG_PID", true) &&
	    num_parse(span_str(usec), 1, INT64_MAX, &n) == 0)
		s->watchdog_ms = n < 1000 ? 1 : n / 1000;
	return 0;
}

int
systemd_begin(struct systemd *s, struct errtext *why)
{
	int rc;

	s->begun = true;
	s->notify_fd = -1;
	rc = take_sockets(s, why);
	if (rc == 0)
		rc = take_notify(s, why);
	forget_environment();
	return rc;
}

bool
systemd_is_there(const struct systemd *s)
{
	return s->begun && s->notify_fd >= 0;
}

static struct span
name_of(const struct systemd *s, size_t number)
{
	const char *p = s->names != NULL ? s->names : "";

	for (; number > 0; number--) {
		p += strcspn(p, ":");
		if (*p == ':')
			p++;
	}
	return span_of(p, strcspn(p, ":"));
}

/* What is not named otherwise is where clients come. */
static bool
is_special(struct span name)
{
	static const char *const special[] = {"control", "http"};

	for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++)
		if (span_is(name, special[i]))
			return true;
	return false;
}

int
systemd_socket(const struct systemd *s, const char *name, size_t *number)
{
	while (*number < s->sockets) {
		struct span is = name_of(s, (*number)++);

		if (name != NULL ? span_is(is, name) : !is_special(is))
			return SYSTEMD_FIRST_FD + (int)*number - 1;
	}
	return -1;
}

static void
say(const struct systemd *s, const char *text)
{
	if (systemd_is_there(s))
		(void)send(s->notify_fd, text, strlen(text),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
on_pulse(struct loop_timer *timer)
{
	struct systemd *s = OWNER_OF(timer, struct systemd, pulse);

	(void)loop_timer_start(timer, s->watchdog_ms / 2);
	say(s, "WATCHDOG=1");
}

void
systemd_ready(struct systemd *s, struct loop *loop)
{
	if (!systemd_is_there(s))
		return;
	if (s->watchdog_ms > 0) {
		loop_timer_init(&s->pulse, loop, on_pulse);
		on_pulse(&s->pulse);
	}
	say(s, "READY=1\nSTATUS=waiting for the first client");
}

void
systemd_reloading(struct systemd *s)
{
	char text[64];

	/* Rounded up: a moment before the request would be an older reload. */
	(void)snprintf(text, sizeof(text),
	    "RELOADING=1\nMONOTONIC_USEC=%lld000",
	    (long long)clock_mono().ms + 1);
	say(s, text);
}

void
systemd_reloaded(struct systemd *s)
{
	say(s, "READY=1");
}

void
systemd_stopping(struct systemd *s)
{
	say(s, "STOPPING=1");
}

void
systemd_tell(struct systemd *s, size_t sessions, bool stress)
{
	char text[96];
	size_t news = 2 * sessions + (stress ? 2 : 1);

	if (news == s->told || !systemd_is_there(s))
		return;
	s->told = news;
	(void)snprintf(text, sizeof(text), "STATUS=%zu %s%s", sessions,
	    sessions == 1 ? "session" : "sessions",
	    stress ? ", under stress" : "");
	say(s, text);
}

void
systemd_leave(struct systemd *s)
{
	if (!s->begun)
		return;
	if (s->pulse.loop != NULL)
		loop_timer_stop(&s->pulse);
	if (s->notify_fd >= 0)
		close(s->notify_fd);
	s->notify_fd = -1;
	mem_free(s->names);
	s->names = NULL;
	s->begun = false;
}
