/* SPDX-License-Identifier: ISC */
/* Any bytes as a request by HTTP, to the real server over a real socket. Input:
 * one byte says how they are cut and how the client ends, the rest is what it
 * sends. What comes back looks like HTTP, nobody waits longer than it must, and
 * no descriptor is left. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/text.h"
#include "ops/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum {
	CHUNK = 0x3f,     /* of the first byte; 0: all at once */
	HANGS_UP = 0x80,  /* it does not wait for an answer */
	PATIENCE = 8,     /* ticks in which the server can answer */
	STUCK_MS = 20000, /* a tick is microseconds */
	HEARD_MAX = 65536
};

static const char page[] = "it works\n";

struct client {
	struct loop *loop;
	struct loop_watch watch;
	struct loop_timer stuck;
	int fd;
	unsigned how, ticks;
	struct span said;
	struct buf heard;
	bool reset; /* by the server: what was heard may be cut */
};

/* --- the page -------------------------------------------------------------- */
static void
on_request(
    const struct httpd_request *request, struct httpd_reply *reply, void *arg)
{
	(void)arg;
	must(request->path != NULL && request->host != NULL &&
	     request->accept != NULL);
	must(strlen(request->path) <= HTTPD_REQUEST_MAX);
	must(strchr(request->host, '\n') == NULL);
	must(strchr(request->accept, '\n') == NULL);
	if (!http_host_is_ours(request->host))
		reply->status = 421;
	must(buf_add_str(&reply->body, page) == 0);
}

/* --- the client ------------------------------------------------------------ */
static void
on_stuck(struct loop_timer *timer)
{
	(void)timer;
	must(false);
}

static void
speak(struct client *c)
{
	size_t n = c->how & CHUNK;
	ssize_t sent;

	if (c->said.n > 0) {
		if (n == 0 || n > c->said.n)
			n = c->said.n;
		sent = send(c->fd, c->said.p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		n = sent > 0 ? (size_t)sent : errno == EAGAIN ? 0 : c->said.n;
		c->said = span_of(c->said.p + n, c->said.n - n);
	} else if ((c->how & HANGS_UP) != 0) {
		loop_stop(c->loop);
	} else if (++c->ticks == PATIENCE) {
		(void)shutdown(c->fd, SHUT_WR);
		must(loop_watch_set(&c->watch, LOOP_READABLE) == 0);
	}
}

static void
hear(struct client *c)
{
	char room[4096];
	ssize_t n = recv(c->fd, room, sizeof(room), MSG_DONTWAIT);

	if (n > 0) {
		must(buf_add(&c->heard, room, (size_t)n) == 0);
		return;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	c->reset = n < 0;
	loop_stop(c->loop);
}

static void
on_ready(struct loop_watch *watch, unsigned ready)
{
	struct client *c = OWNER_OF(watch, struct client, watch);

	if ((ready & LOOP_READABLE) != 0)
		hear(c);
	if ((ready & LOOP_WRITABLE) != 0)
		speak(c);
}

/* --- what it heard --------------------------------------------------------- */
/* A line with its end; NULL when there is none. */
static const char *
take_line(struct span *in, struct span *line)
{
	const char *end = in->n > 0 ? memchr(in->p, '\n', in->n) : NULL;
	size_t n;

	if (end == NULL)
		return NULL;
	n = (size_t)(end - in->p);
	must(n > 0 && in->p[n - 1] == '\r');
	*line = span_of(in->p, n - 1);
	must(memchr(line->p, '\r', line->n) == NULL);
	*in = span_of(end + 1, in->n - n - 1);
	return end;
}

static int
take_number(struct span *in)
{
	int number = 0;

	must(in->n > 0 && text_is_digit(in->p[0]));
	for (; in->n > 0 && text_is_digit(in->p[0]); in->p++, in->n--)
		number = (number * 10 + in->p[0] - '0') % 100000;
	return number;
}

static void
take(struct span *in, char c)
{
	must(in->n > 0 && in->p[0] == c);
	*in = span_of(in->p + 1, in->n - 1);
}

static void
take_version(struct span *in)
{
	if (span_has_prefix(*in, "-"))
		take(in, '-');
	(void)take_number(in);
}

/* "HTTP/1.1 200 OK": libevent names the version that the client has named, and
 * does not mind one that is below 0. */
static int
check_status(struct span line)
{
	int status;

	must(span_has_prefix(line, "HTTP/"));
	line = span_of(line.p + 5, line.n - 5);
	take_version(&line);
	take(&line, '.');
	take_version(&line);
	take(&line, ' ');
	status = take_number(&line);
	take(&line, ' ');
	must(status >= 100 && status < 600);
	return status;
}

/* The status; what is left of `in` is the body. */
static int
check_head(struct span *in)
{
	struct span line;
	int status;

	must(take_line(in, &line) != NULL);
	status = check_status(line);
	do {
		must(take_line(in, &line) != NULL);
		must(line.n == 0 || memchr(line.p, ':', line.n) != NULL);
	} while (line.n > 0);
	return status;
}

static void
check_heard(struct span in)
{
	int status = 100;

	while (in.n > 0 && status == 100)
		status = check_head(&in);
	if (status == 200 && in.n > 0)
		must(span_is(in, page));
	if (status == 100)
		must(in.n == 0);
}

/* --- a visit --------------------------------------------------------------- */
static int
make_listener(struct sockaddr_un *name, socklen_t *size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*name = (struct sockaddr_un){.sun_family = AF_UNIX};
	*size = sizeof(*name);
	/* The kernel finds a name for it. */
	must(fd >= 0 &&
	     bind(fd, (struct sockaddr *)name, sizeof(sa_family_t)) == 0);
	must(listen(fd, 4) == 0 &&
	     getsockname(fd, (struct sockaddr *)name, size) == 0);
	return fd;
}

static void
visit(struct client *c, const struct sockaddr_un *name, socklen_t size)
{
	buf_init(&c->heard, HEARD_MAX);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(c->fd >= 0 &&
	     connect(c->fd, (const struct sockaddr *)name, size) == 0);
	loop_watch_init(&c->watch, c->loop, c->fd, on_ready);
	loop_timer_init(&c->stuck, c->loop, on_stuck);
	must(loop_timer_start(&c->stuck, STUCK_MS) == 0);
	must(loop_watch_set(&c->watch, LOOP_READABLE | LOOP_WRITABLE) == 0);
	must(loop_run(c->loop) == 0);
	loop_timer_stop(&c->stuck);
	must(loop_watch_set(&c->watch, 0) == 0);
	must(close(c->fd) == 0);
	if (!c->reset && (c->how & HANGS_UP) == 0)
		check_heard(buf_span(&c->heard));
	buf_clear(&c->heard);
}

static void
try_texts(const uint8_t *bytes, size_t n)
{
	char *text = mem_strndup((const char *)bytes, n);
	struct httpd_place place;
	struct errtext why = {""};

	must(text != NULL);
	if (http_parse_place(text, &place, &why) < 0)
		must(why.text[0] != '\0');
	else
		must(place.path != NULL || addr_is_loopback(&place.where.addr));
	(void)http_host_is_ours(text);
	mem_free(text);
}

static int
lowest_free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	must(fd >= 0 && close(fd) == 0);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	int free_before = lowest_free_descriptor();
	struct client c = {.fd = -1};
	struct sockaddr_un name;
	struct errtext why;
	struct httpd *httpd;
	socklen_t size;

	if (n == 0)
		return 0;
	(void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	try_texts(bytes + 1, n - 1);
	c.how = bytes[0];
	c.said = span_of((const char *)bytes + 1, n - 1);
	must((c.loop = loop_new()) != NULL);
	httpd = httpd_adopt(c.loop, make_listener(&name, &size), &why);
	must(httpd != NULL && httpd_start(httpd, on_request, NULL, &why) == 0);
	visit(&c, &name, size);
	httpd_close(&httpd);
	loop_free(&c.loop);
	must(lowest_free_descriptor() == free_before);
	return 0;
}
