/* SPDX-License-Identifier: ISC */
/* screen/quota.h - how many connections there are, and whose.
 *
 * Owns:    one small entry for each client prefix that has a session now.
 * Errors:  NULL when there is no memory for an entry. */
#ifndef DOORBELL_SCREEN_QUOTA_H
#define DOORBELL_SCREEN_QUOTA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "lookup/record.h"

/* A client prefix with at least one session. */
struct quota_client {
	struct map_link link;
	struct record_key key;
	unsigned sessions;
	unsigned passed_new; /* PASS NEW said while sessions overlap */
};

struct quota;

struct quota *quota_new(void);
void quota_free(struct quota **q);

/* Count one more session of `key`. */
struct quota_client *quota_enter(struct quota *q, const struct record_key *key);
/* The session ends; the entry goes with the last one. */
void quota_leave(struct quota *q, struct quota_client *client);
size_t quota_sessions(const struct quota *q);
unsigned quota_sessions_of(const struct quota *q, const struct record_key *key);

/* The stress state that follows from the number of sessions: on from 90 % of
 * `limit`, off at 70 %, in between as it was. */
bool quota_stress(const struct quota *q, bool stressed, int64_t limit);

#endif
