/* SPDX-License-Identifier: ISC */
/* lookup/resolver.h - DNS A queries on the loop.
 *
 * At most RESOLVER_FLIGHT_MAX queries are under way at once, and no more of
 * them in one moment than the server has shown to bear (lookup/dns_window.h);
 * who asks for more gets NULL with EAGAIN, and tries again when one of his own
 * is done or some time has passed.
 *
 * Owns:    the channel and the queries. A query belongs to the resolver; the
 *          caller may abandon it, and a late answer is then dropped.
 * Units:   milliseconds; TTLs in seconds.
 * Errors:  NULL with *why or errno. A server that fails is an answer.
 * Threads: none. The callback never runs inside resolver_ask(); it may ask,
 *          abandon and even free the resolver. Its query is gone by then. */
#ifndef DOORBELL_LOOKUP_RESOLVER_H
#define DOORBELL_LOOKUP_RESOLVER_H

#include <stdint.h>

#include "base/addr.h"
#include "base/errtext.h"
#include "net/loop.h"

#define RESOLVER_FLIGHT_MAX 8192 /* queries; c-ares hangs near 65,536 */
#define RESOLVER_ADDR_MAX 64     /* A records taken from one answer */

struct resolver;
struct resolver_query;

struct resolver_options {
	/* "addr:port addr [v6]:port", numeric; "" or NULL: resolv.conf, which is
	 * read once. */
	const char *servers;
	int64_t timeout_ms; /* all tries of one query end within this */
};

enum resolver_status {
	RESOLVER_FOUND,
	RESOLVER_ABSENT, /* NXDOMAIN, or no A record */
	RESOLVER_FAILED, /* SERVFAIL, REFUSED, nonsense */
	RESOLVER_TIMED_OUT,
};

struct resolver_answer {
	enum resolver_status status;
	size_t n; /* addresses */
	struct addr addr[RESOLVER_ADDR_MAX];
	uint32_t ttl_s;  /* FOUND: the least; ABSENT: from the SOA (RFC 2308) */
	bool has_ttl;    /* ABSENT without a SOA has none */
	bool truncated;  /* there was more; seen by the resolver alone */
	const char *why; /* FAILED: a static text */
};

typedef void resolver_fn(const struct resolver_answer *answer, void *arg);

struct resolver *resolver_new(
    struct loop *loop, const struct resolver_options *o, struct errtext *why);
/* Abandons all queries. */
void resolver_free(struct resolver **r);
/* Ask for the A records of `name`. NULL with EAGAIN when too many are under
 * way, ENOMEM, or EINVAL for a name that cannot be asked. */
struct resolver_query *resolver_ask(
    struct resolver *r, const char *name, resolver_fn *fn, void *arg);
/* The callback will not run. Sets *query to NULL; accepts NULL. */
void resolver_abandon(struct resolver_query **query);
/* In the child, after loop_after_fork(): sockets are shared with the parent;
 * open new ones. Queries in flight are asked again. On -1 the old ones are
 * still in use. */
int resolver_after_fork(struct resolver *r, struct errtext *why);

/* Of the c-ares that runs. */
const char *resolver_version(void);

#endif
