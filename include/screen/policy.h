/* SPDX-License-Identifier: ISC */
/* screen/policy.h - a configuration made ready for screening.
 *
 * Everything that sessions ask: the typed values, the access list, the address
 * lists, the DNS lists, the texts that do not change. A session keeps the
 * policy that it began with.
 *
 * Owns:    its tables, its resolver and its DNS lists. Counted.
 * Errors:  NULL with *why. Bad lines of tables go to the table report. */
#ifndef DOORBELL_SCREEN_POLICY_H
#define DOORBELL_SCREEN_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "lookup/access.h"
#include "lookup/dnsbl.h"
#include "lookup/resolver.h"
#include "net/tls.h"
#include "screen/journal.h"
#include "smtp/engine.h"
#include "table/list.h"
#include "table/table.h"

struct footer;
struct forbidden;
struct maps;
struct override_pool;
struct screen;

struct policy {
	unsigned refs;
	struct screen *screen; /* whose log and counters its DNS lists use */
	struct config_set *config;
	struct list *mynetworks;
	struct access *access;
	struct override_pool *overrides; /* that sessions use now */
	struct list *allow_interfaces;
	struct list *skip_networks;
	bool proxied;                /* upstream_proxy_protocol is set ... */
	struct list *proxy_networks; /* ... for these; NULL: for all */
	struct table *reply_map;     /* NULL: none */
	struct forbidden *forbidden;
	struct table *command_filter; /* NULL: none */
	struct maps *discard_maps;    /* EHLO keywords to conceal, by address */
	struct footer *footer;        /* NULL: none */
	struct resolver *resolver;    /* NULL: no DNS lists */
	struct dnsbl *dnsbl;          /* NULL: no DNS lists */
	struct tls_context *tls;      /* NULL: no STARTTLS, or not usable */
	char *teaser[2];  /* "220-banner\r\n" calm and stressed; NULL: none */
	bool ipv4, ipv6;  /* the address families that smtpd speaks */
	char *smtpd_path; /* where hand-offs go */
	char *keywords;   /* that smtpd offers, newlines between */
	bool knows_keywords;     /* they were heard, not guessed */
	bool entered;            /* new sessions are under it */
	int64_t watch_interval;  /* of the lists' self-tests; 0: none now */
	bool quiet[EVENT_COUNT]; /* log_events */
	bool words_by_default;   /* respectful_logging=no, but not by choice */
	size_t descriptor_limit; /* RLIMIT_NOFILE */
	size_t
	    session_ceiling; /* beyond it nobody is accepted, however known */
	size_t session_limit;
	size_t line_max[2]; /* calm, stressed; bytes, ending included */
	size_t line_room;   /* the greater: what a line that was taken fits */
	struct engine_options engine[2]; /* calm, stressed */
};

struct policy_options {
	struct config_set *config; /* referenced */
	struct loop *loop;
	struct table_options tables;
	struct screen *screen;   /* may be NULL when nobody will be screened */
	size_t descriptor_limit; /* RLIMIT_NOFILE */
	/* In force so far: its keys stay when the new ones cannot be had. NULL
	 * at the start. */
	const struct policy *before;
};

struct policy *policy_new(const struct policy_options *o, struct errtext *why);
struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy **p);

/* Whether smtpd speaks the address's family (inet_protocols). */
bool policy_speaks(const struct policy *p, const struct addr *a);

/* Whether connections from `peer` begin with a PROXY header. */
bool policy_has_proxy(const struct policy *p, const struct addr *peer);
/* smtpd's answer to EHLO: from the first one on its keywords are what good
 * clients are offered, less those that our part of the session cannot keep. */
void policy_learn_keywords(
    struct policy *p, const struct addr *client, struct span response);
/* The EHLO lines for clients that may still come to smtpd, newlines between. */
const char *policy_keywords(const struct policy *p);

/* It is the policy for new sessions from now on, under this state of stress, or
 * is no more: only meanwhile its DNS lists are tested. */
void policy_enter(struct policy *p, bool stress);
void policy_leave(struct policy *p);

/* Stress has begun or ended: what was compiled in with a value takes the new
 * one. */
void policy_set_stress(struct policy *p, bool stress);

/* In the child of a fork: sockets of its own for DNS. 0, or -1 with *why. */
int policy_after_fork(struct policy *p, struct errtext *why);

/* *mask, the EHLO keywords that nobody sees, becomes those that this client
 * shall not see; true when they differ, and somebody wants to know. */
bool policy_discards(
    const struct policy *p, const struct addr *client, unsigned *mask);

/* A DNS list's name as the world may see it (dnsbl_reply_map). */
const char *policy_zone_name(const struct policy *p, const char *zone);

#endif
