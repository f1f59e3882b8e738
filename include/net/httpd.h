/* SPDX-License-Identifier: ISC */
/* net/httpd.h - a small HTTP server for people and programs of this machine.
 *
 * Each connection is one request without a body and one answer, and then its
 * end. What a client may cost is bounded: the number of connections (more wait
 * in the kernel's queue), the size of a request, and the time that it may take
 * from its first byte to the last one of the answer.
 *
 * Owns:    the socket and the connections.
 * Units:   bytes and milliseconds.
 * Errors:  NULL with *why. A client that misbehaves is told so, or closed.
 * Threads: none. */
#ifndef DOORBELL_NET_HTTPD_H
#define DOORBELL_NET_HTTPD_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/errtext.h"
#include "net/loop.h"

#define HTTPD_CLIENTS_MAX 16
#define HTTPD_REQUEST_MAX 8192 /* all headers together */
#define HTTPD_DEADLINE_MS 10000
#define HTTPD_BODY_MAX ((size_t)1 << 20) /* of an answer */

struct httpd;

struct httpd_place {
	const char *path;      /* a Unix socket, or NULL: */
	struct endpoint where; /* TCP */
};

struct httpd_request {
	const char *path;   /* decoded, without the query */
	const char *host;   /* "" when it has not said */
	const char *accept; /* likewise */
};

struct httpd_reply {
	int status;         /* 200 */
	const char *type;   /* of the body */
	const char *policy; /* Content-Security-Policy */
	struct buf body;    /* cleared by us */
};

/* Only for GET and HEAD. */
typedef void httpd_fn(
    const struct httpd_request *request, struct httpd_reply *reply, void *arg);

/* Bind; a Unix socket is open to every user. Who listens there may go before
 * `until`. Answers nobody before httpd_start(). */
struct httpd *httpd_open(struct loop *loop, const struct httpd_place *place,
    struct mono until, struct errtext *why);
/* The same with a socket that somebody else has bound and listens on: a Unix one,
 * or one of TCP on a loopback address. On failure it stays the caller's. */
struct httpd *httpd_adopt(struct loop *loop, int fd, struct errtext *why);
int httpd_start(struct httpd *h, httpd_fn *fn, void *arg, struct errtext *why);
/* Also before httpd_start(). Ends all connections. */
void httpd_close(struct httpd **h);

#endif
