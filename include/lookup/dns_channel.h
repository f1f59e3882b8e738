/* SPDX-License-Identifier: ISC */
/* lookup/dns_channel.h - questions for A records to name servers: c-ares on the
 * loop.
 *
 * A channel has no limits and no deadlines of its own, and calls back when it
 * likes; lookup/resolver.c makes it bearable.
 *
 * Owns:    the channel and its sockets. A query belongs to who asked, and must
 *          stay until its callback has run.
 * Units:   milliseconds.
 * Errors:  NULL/-1 with *why. A server that fails is an answer. */
#ifndef DOORBELL_LOOKUP_DNS_CHANNEL_H
#define DOORBELL_LOOKUP_DNS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/errtext.h"
#include "lookup/resolver.h"
#include "net/loop.h"

#define DNS_SERVERS_MAX 8

struct dns_servers {
	struct endpoint list[DNS_SERVERS_MAX];
	size_t n;
};

/* "1.2.3.4", "1.2.3.4:53", "::1", "[::1]" or "[::1]:53", and several. */
int dns_servers_parse(
    const char *text, struct dns_servers *servers_r, struct errtext *why);
/* What resolv.conf says. */
int dns_servers_learn(struct dns_servers *servers_r, struct errtext *why);

struct dns_channel;
struct dns_channel_query;

/* The answer is NULL when the channel closes. May run inside the functions
 * below. */
typedef void dns_channel_fn(
    struct dns_channel_query *query, const struct resolver_answer *answer);

struct dns_channel_query {
	uint32_t magic;
	struct dns_channel *channel; /* NULL when idle */
	dns_channel_fn *fn;
	unsigned repeats; /* how often it was asked again, when `fn` runs */
};

struct dns_channel_options {
	struct dns_servers servers;
	int64_t timeout_ms; /* all tries of a question end about then */
	bool tcp;
};

struct dns_channel *dns_channel_open(struct loop *loop,
    const struct dns_channel_options *o, struct errtext *why);
/* Calls back for all questions that are left. */
void dns_channel_close(struct dns_channel **channel);
/* The callback runs exactly once. */
void dns_channel_ask(struct dns_channel *channel,
    struct dns_channel_query *query, const char *name, dns_channel_fn *fn);
/* To be called now and then while a question is open: retries. */
void dns_channel_tick(struct dns_channel *channel);

/* Of the c-ares that runs. */
const char *dns_channel_version(void);

#endif
