/* SPDX-License-Identifier: ISC */
/* ops/http.h - metrics and the status page, over HTTP.
 *
 * /metrics for Prometheus, /healthz for load balancers, /api/status.json for
 * programs, / for people. All of it is for reading.
 *
 * Owns:    the server, once started.
 * Errors:  -1 with *why. */
#ifndef DOORBELL_OPS_HTTP_H
#define DOORBELL_OPS_HTTP_H

#include "base/trend.h"
#include "net/httpd.h"
#include "ops/control.h"

#define HTTP_SERVER_GONE_MS 60000 /* so long a failed hand-off counts */

struct http {
	const struct control *control;
	const struct trend *trend;
	const bool *draining;
	struct httpd *httpd;
};

/* "inet:ADDRESS:PORT" with a loopback address, or "unix:/PATH". The path points
 * into `text`. */
int http_parse_place(
    const char *text, struct httpd_place *place_r, struct errtext *why);
/* Take the server over, on success, and answer from now on. */
int http_start(struct http *h, struct httpd **httpd, struct errtext *why);
/* Answer nobody any more; also one that was never started. */
void http_stop(struct http *h);

/* Hosts by which this machine alone is known: a page from elsewhere whose name
 * was made to lead here gets nothing. */
bool http_host_is_ours(const char *host);

#endif
