/* SPDX-License-Identifier: ISC */
#include "net/httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "base/mem.h"
#include "net/local.h"
#include "net/predecessor.h"

/* libevent's evhttp reads requests and writes answers. It bounds the size of a
 * request, and how long a client may be idle, but neither how many there are
 * nor how long one may dribble. So each connection's bufferevent is made, and
 * referenced, by us: evhttp takes its callbacks away when it closes the
 * connection, and that is how we see who is still there. The socket is closed
 * with our reference, not by evhttp: that would leave the descriptor in the
 * kernel's poll set, where the next one of the same number is taken for it. When
 * all places are taken the listener rests. A client whose time is up has its
 * socket shut down, and evhttp finds out by itself. */

enum { BACKLOG = 64, IDLE_S = 5, LOOK_MS = 100, IDLE_LOOK_MS = 1000 };

struct connection {
	struct bufferevent *bev; /* NULL: a free place */
	struct mono since;
};

struct httpd {
	struct loop *loop;
	struct evhttp *http;
	struct evconnlistener *listener; /* evhttp's, once it is bound */
	bool is_bound;
	httpd_fn *fn;
	void *arg;
	struct connection connections[HTTPD_CLIENTS_MAX];
	struct loop_timer look;
};

/* --- connections ----------------------------------------------------------- */
static bool
is_alive(const struct connection *c)
{
	bufferevent_event_cb on_event = NULL;

	bufferevent_getcb(c->bev, NULL, NULL, &on_event, NULL);
	return on_event != NULL;
}

static void
leave(struct connection *c)
{
	(void)bufferevent_decref(c->bev);
	c->bev = NULL;
}

/* The number of connections that are left. */
static size_t
sweep(struct httpd *h)
{
	size_t count = 0;

	for (size_t i = 0; i < HTTPD_CLIENTS_MAX; i++) {
		struct connection *c = &h->connections[i];

		if (c->bev != NULL && !is_alive(c))
			leave(c);
		count += c->bev != NULL;
	}
	return count;
}

static void
end_overdue(const struct httpd *h)
{
	struct mono now = loop_now(h->loop);

	for (size_t i = 0; i < HTTPD_CLIENTS_MAX; i++) {
		const struct connection *c = &h->connections[i];

		if (c->bev != NULL &&
		    mono_between(c->since, now) >= HTTPD_DEADLINE_MS)
			(void)shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
	}
}

static void
on_look(struct loop_timer *timer)
{
	struct httpd *h = OWNER_OF(timer, struct httpd, look);
	size_t count = sweep(h);

	end_overdue(h);
	if (count < HTTPD_CLIENTS_MAX)
		(void)evconnlistener_enable(h->listener);
	(void)loop_timer_start(&h->look, count > 0 ? LOOK_MS : IDLE_LOOK_MS);
}

static struct connection *
free_place(struct httpd *h)
{
	for (size_t i = 0; i < HTTPD_CLIENTS_MAX; i++)
		if (h->connections[i].bev == NULL)
			return &h->connections[i];
	return NULL;
}

/* evhttp has accepted a client; it takes the bufferevent for it from here, and
 * without one makes its own, which is bounded by nobody but evhttp. */
static struct bufferevent *
on_client(struct event_base *base, void *arg)
{
	struct httpd *h = arg;
	size_t count = sweep(h);
	struct connection *c = free_place(h);
	struct bufferevent *bev =
	    bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

	if (bev == NULL || c == NULL)
		return bev;
	bufferevent_incref(bev);
	*c = (struct connection){.bev = bev, .since = loop_now(h->loop)};
	if (count + 1 >= HTTPD_CLIENTS_MAX)
		(void)evconnlistener_disable(h->listener);
	if (count == 0)
		(void)loop_timer_start(&h->look, LOOK_MS);
	return bev;
}

/* --- requests -------------------------------------------------------------- */
static const char *
header(struct evhttp_request *req, const char *name)
{
	const char *value =
	    evhttp_find_header(evhttp_request_get_input_headers(req), name);

	return value != NULL ? value : "";
}

static void
add_headers(struct evkeyvalq *out, const struct httpd_reply *reply)
{
	const char *const rows[][2] = {
	    {"Content-Type", reply->type},
	    {"Content-Security-Policy", reply->policy},
	    {"X-Content-Type-Options", "nosniff"},
	    {"X-Frame-Options", "DENY"},
	    {"Referrer-Policy", "no-referrer"},
	    {"Cross-Origin-Resource-Policy", "same-origin"},
	    {"Cache-Control", "no-store"},
	    {"Connection", "close"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		(void)evhttp_add_header(out, rows[i][0], rows[i][1]);
}

/* evhttp would send a body to HEAD as well. */
static int
fill(struct evhttp_request *req, const struct httpd_reply *reply,
    struct evbuffer *out)
{
	char length[24];

	if (evhttp_request_get_command(req) != EVHTTP_REQ_HEAD)
		return evbuffer_add(out, reply->body.p, reply->body.n);
	(void)snprintf(length, sizeof(length), "%zu", reply->body.n);
	return evhttp_add_header(
	    evhttp_request_get_output_headers(req), "Content-Length", length);
}

static void
send_reply(struct evhttp_request *req, struct httpd_reply *reply)
{
	struct evbuffer *out = evbuffer_new();
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

	if (out == NULL || fill(req, reply, out) < 0) {
		evhttp_send_error(req, 503, NULL);
	} else {
		add_headers(headers, reply);
		evhttp_send_reply(req, reply->status, NULL, out);
	}
	if (out != NULL)
		evbuffer_free(out);
	buf_clear(&reply->body);
}

static bool
is_read_only(struct evhttp_request *req)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(req);

	return method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD;
}

static void
on_request(struct evhttp_request *req, void *arg)
{
	struct httpd *h = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	struct httpd_request request = {
	    .host = header(req, "Host"), .accept = header(req, "Accept")};
	struct httpd_reply reply = {.status = 200,
	    .type = "text/plain; charset=utf-8",
	    .policy = "default-src 'none'"};
	char *decoded = path != NULL ? evhttp_uridecode(path, 0, NULL) : NULL;

	buf_init(&reply.body, HTTPD_BODY_MAX);
	request.path = decoded != NULL ? decoded : "";
	if (is_read_only(req)) {
		h->fn(&request, &reply, h->arg);
	} else {
		reply.status = 405;
		(void)evhttp_add_header(evhttp_request_get_output_headers(req),
		    "Allow", "GET, HEAD");
		(void)buf_add_str(&reply.body, "This is for reading only.\n");
	}
	send_reply(req, &reply);
	free(decoded); /* libevent's */
}

/* --- the server ------------------------------------------------------------ */
/* Out of descriptors, most likely: a listener that goes on would be called
 * again at once. The argument is evhttp's, so the next look wakes it. */
static void
on_refusal(struct evconnlistener *listener, void *arg)
{
	(void)arg;
	(void)evconnlistener_disable(listener);
}

static int
bind_and_listen(
    int fd, const struct sockaddr *sa, socklen_t n, struct mono until)
{
	int rc = bind(fd, sa, n);

	if (rc < 0 && errno == EADDRINUSE) {
		/* Whatever it finds, the kernel has the last word. */
		(void)predecessor_is_gone(sa, n, until);
		rc = bind(fd, sa, n);
	}
	return rc == 0 ? listen(fd, BACKLOG) : -1;
}

static int
inet_socket(
    const struct endpoint *where, struct mono until, struct errtext *why)
{
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(where, &sa);
	char text[ENDPOINT_TEXT_MAX];
	int yes = 1, fd;

	fd =
	    socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
	    bind_and_listen(fd, (const struct sockaddr *)&sa, n, until) == 0)
		return fd;
	errtext_set(why, "%s: cannot listen: %s", endpoint_format(where, text),
	    strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
local_socket(const char *path, struct mono until, struct errtext *why)
{
	const struct local_options o = {.path = path,
	    .group = (gid_t)-1,
	    .for_everybody = true,
	    .until = until};

	return local_bind(&o, why);
}

/* The socket is ours from here, but for a failure. */
static struct httpd *
build(struct loop *loop, int fd, struct errtext *why)
{
	struct httpd *h = mem_new(sizeof(*h));

	if (h != NULL)
		h->listener = evconnlistener_new(loop_base(loop), NULL, NULL,
		    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
			LEV_OPT_DISABLED,
		    0, fd);
	if (h == NULL || h->listener == NULL) {
		errtext_set(why, "no memory for a server");
		mem_free(h);
		return NULL;
	}
	h->loop = loop;
	loop_timer_init(&h->look, loop, on_look);
	return h;
}

struct httpd *
httpd_open(struct loop *loop, const struct httpd_place *place,
    struct mono until, struct errtext *why)
{
	struct httpd *h = NULL;
	int fd = place->path != NULL ? local_socket(place->path, until, why)
				     : inet_socket(&place->where, until, why);

	if (fd >= 0 && (h = build(loop, fd, why)) == NULL)
		close(fd);
	return h;
}

/* Of this machine, as those are that we make. */
static bool
is_fitting(int fd)
{
	struct sockaddr_storage sa = {0};
	struct sockaddr *any = (struct sockaddr *)&sa;
	socklen_t n = sizeof(sa), size = sizeof(int);
	struct endpoint e;
	int yes = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) == 0 &&
	       yes != 0 && getsockname(fd, any, &n) == 0 &&
	       (sa.ss_family == AF_UNIX ||
		   (endpoint_from_sockaddr(any, &e) == 0 &&
		       addr_is_loopback(&e.addr)));
}

struct httpd *
httpd_adopt(struct loop *loop, int fd, struct errtext *why)
{
	if (is_fitting(fd) && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		return build(loop, fd, why);
	errtext_set(why,
	    "descriptor %d does not listen on a Unix socket or a loopback"
	    " address",
	    fd);
	return NULL;
}

int
httpd_start(struct httpd *h, httpd_fn *fn, void *arg, struct errtext *why)
{
	h->fn = fn;
	h->arg = arg;
	if ((h->http = evhttp_new(loop_base(h->loop))) == NULL ||
	    evhttp_bind_listener(h->http, h->listener) == NULL) {
		errtext_set(why, "no memory for a server");
		return -1;
	}
	h->is_bound = true;
	evhttp_set_max_headers_size(h->http, HTTPD_REQUEST_MAX);
	evhttp_set_max_body_size(h->http, 0);
	evhttp_set_timeout(h->http, IDLE_S);
	evhttp_set_allowed_methods(h->http,
	    EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
		EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
		EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
	evhttp_set_bevcb(h->http, on_client, h);
	evhttp_set_gencb(h->http, on_request, h);
	evconnlistener_set_error_cb(h->listener, on_refusal);
	if (loop_timer_start(&h->look, IDLE_LOOK_MS) == 0 &&
	    evconnlistener_enable(h->listener) == 0)
		return 0;
	errtext_set(why, "no memory for a server");
	return -1;
}

void
httpd_close(struct httpd **hp)
{
	struct httpd *h = *hp;

	*hp = NULL;
	if (h == NULL)
		return;
	loop_timer_stop(&h->look);
	if (h->http != NULL)
		evhttp_free(h->http);
	for (size_t i = 0; i < HTTPD_CLIENTS_MAX; i++)
		if (h->connections[i].bev != NULL)
			leave(&h->connections[i]);
	if (!h->is_bound)
		evconnlistener_free(h->listener);
	mem_free(h);
}
