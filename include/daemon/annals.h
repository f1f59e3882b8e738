/* SPDX-License-Identifier: ISC */
/* daemon/annals.h - the totals of this hour, and their way into the cache file.
 *
 * Once a minute what has come together is added to the hour's record there, by
 * the writer's thread: who is killed loses a minute at most. Without a cache
 * nothing is kept.
 *
 * Owns:    the totals, and references to the records of DNS lists.
 * Errors:  -1 with errno ENOMEM; else none: what cannot be stored waits. */
#ifndef DOORBELL_DAEMON_ANNALS_H
#define DOORBELL_DAEMON_ANNALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "screen/totals.h"

#define ANNALS_EVERY_S 60

/* A DNS list as it stood when its totals were last taken. */
struct annals_list {
	struct dnsbl_health *health;
	struct dnsbl_health before;
};

struct annals {
	struct totals *totals; /* NULL: none are kept */
	int64_t hour;
	struct wall stored_at;
	uint64_t stress_seen; /* lines about it */
	size_t lists;
	struct annals_list list[TOTALS_LISTS_MAX];
};

struct doorbell;
int annals_begin(struct doorbell *d);
/* Once a second. */
void annals_tick(struct doorbell *d);
/* Nothing waits to be stored. */
bool annals_is_empty(const struct doorbell *d);
/* Stores what there is. */
void annals_end(struct doorbell *d);

#endif
