/* SPDX-License-Identifier: ISC */
/* ops/explain.h - what happens to a client, and why, step by step.
 *
 * Facts go in, JSON comes out: a member for each step of the decision, and the
 * same as sentences, "story", for people who are not from here.
 *
 * Owns:    an override and its text, until explain_forget(); else facts point to
 *          the policy's.
 * Errors:  none. */
#ifndef DOORBELL_OPS_EXPLAIN_H
#define DOORBELL_OPS_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "lookup/resolver.h"
#include "lookup/rules.h"
#include "ops/json.h"
#include "screen/checks.h"
#include "screen/policy.h"

#define EXPLAIN_ADDR_MAX 8 /* of an answer */

enum explain_result {
	EXPLAIN_SILENT, /* no answer in time */
	EXPLAIN_LISTED,
	EXPLAIN_ABSENT,
	EXPLAIN_ERROR_CODE, /* nothing but what a list says about us */
	EXPLAIN_FAILED,
};

/* One DNS list. */
struct explain_list {
	const char *name; /* as the world may see it */
	enum explain_result result;
	size_t n;
	struct addr addr[EXPLAIN_ADDR_MAX];
	int points;
	bool has_ttl;
	uint32_t ttl_s;
	int64_t waited_ms;
	const char *state; /* of dnsbl_health_word() */
	bool is_out;       /* its answers do not count */
	const char *why;   /* of a failure; may be NULL */
};

struct explain_facts {
	struct addr client;
	const struct policy *policy;
	const struct config *cfg;  /* as the access list changes it */
	struct override *override; /* or NULL */
	struct wall now;
	struct access_fact access;
	char *settings; /* where those of `access` are; or NULL */
	bool has_rule;
	struct rule rule;
	bool has_cache, is_known;  /* there is a cache, and a record in it */
	const char *cache_trouble; /* why nobody knows; or NULL */
	struct checks checks;      /* what is due by that */
	bool has_counts;           /* of what follows */
	int64_t sessions,          /* that it has now */
	    connections, failures; /* in the last minute, in the last hour */
	const char *unasked;       /* why no list is; NULL: they are asked */
	struct explain_list *lists;
	size_t list_count;
};

/* All but the record and the lists. `rules` may be NULL. */
void explain_look(struct explain_facts *f, const struct policy *policy,
    bool stress, const struct rules *rules, const struct addr *client);
/* Before the policy goes. */
void explain_forget(struct explain_facts *f);
/* The record, or NULL: there is none. */
void explain_remember(struct explain_facts *f, const struct record *record);
/* Members of an object that is open. */
void explain_write(const struct explain_facts *f, struct json *j);

#endif
