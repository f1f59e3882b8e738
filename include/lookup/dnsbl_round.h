/* SPDX-License-Identifier: ISC */
/* lookup/dnsbl_round.h - the inside of lookup/dnsbl.h: one address being looked
 * up in all lists, for all sessions that wait for it.
 *
 * Owns:    a round belongs to its tickets; it is gone when the last one is.
 * Units:   as in lookup/dnsbl.h.
 * Errors:  NULL with errno ENOMEM. */
#ifndef DOORBELL_LOOKUP_DNSBL_ROUND_H
#define DOORBELL_LOOKUP_DNSBL_ROUND_H

#include <sys/queue.h>

#include "lookup/dnsbl.h"
#include "lookup/dnsbl_query.h"
#include "lookup/dnsbl_selftest.h"

#define DNSBL_LINGER_MAX 1024 /* rounds for which nobody waits any more */

struct dnsbl_zone {
	const struct dnsbl_zone_spec *spec;
	int low, high; /* what an answer can add; both 0: watched */
};

TAILQ_HEAD(dnsbl_round_list, dnsbl_round);

struct dnsbl {
	struct loop *loop;
	struct dnsbl_observer observer;
	int64_t timeout_ms;
	struct dnsbl_spec spec;
	struct dnsbl_zone *zones; /* spec.zone_count of them */
	struct dnsbl_health **health;
	struct dnsbl_flight *flight;
	struct dnsbl_selftest *selftest;
	struct map *rounds;
	struct dnsbl_round_list lingering;
	size_t lingering_count;
	size_t refs; /* owners, and rounds that do not linger */
};

struct dnsbl_round {
	struct map_link link;
	struct dnsbl *bl;
	struct addr client; /* the key */
	bool is_in_map, is_telling, lingers;
	bool goes_on; /* for the lists that have been asked */
	TAILQ_ENTRY(dnsbl_round) others; /* that linger */
	struct dnsbl_ticket *first, **end;
	struct dnsbl_ticket *cursor, *fence;
	struct mono began;
	struct loop_timer deadline;
	struct loop_later later; /* tells, when there is nothing to ask */
	int64_t points;
	int64_t low, high; /* what the outstanding queries can add */
	size_t outstanding;
	bool missing;
	uint32_t ttl_s;
	uint64_t listed_by;
	const char *zone;
	int zone_weight;
	struct dnsbl_query query[]; /* one for each zone */
};

/* The running round of that address, or NULL. */
struct dnsbl_round *dnsbl_round_find(
    const struct dnsbl *bl, const struct addr *client);
/* Its questions wait in their lanes. It needs a ticket now. */
struct dnsbl_round *dnsbl_round_new(
    struct dnsbl *bl, const struct addr *client);
void dnsbl_round_join(
    struct dnsbl_round *round, struct dnsbl_ticket *ticket, dnsbl_fn *fn);
/* May end the round. */
void dnsbl_round_leave(struct dnsbl_ticket *ticket);
struct dnsbl_score dnsbl_round_score(const struct dnsbl_round *round);
/* Of one that lingers. */
void dnsbl_round_free(struct dnsbl_round *round);

#endif
