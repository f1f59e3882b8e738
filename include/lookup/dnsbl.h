/* SPDX-License-Identifier: ISC */
/* lookup/dnsbl.h - score client addresses against weighted DNS lists.
 *
 * All zones are asked at once. Sessions of one address share one round of
 * queries for as long as it runs, and its deadline, which is set when the round
 * begins; zones that have not answered by then are counted as timed out.
 *
 * A zone that is out (lookup/dnsbl_health.h) is not asked, as if it were not
 * there; one that rests is not asked and missed. Error codes are missed, too. A
 * zone whose weights are all 0 is watched: nothing in a score but `listed_by`
 * comes from it, and it is asked to the end when nobody waits any more.
 *
 * Owns:    rounds and queries. The caller owns the ticket until
 *          dnsbl_cancel() returns.
 * Units:   milliseconds; TTLs in seconds; scores in points.
 * Errors:  -1 with errno ENOMEM. A zone that does not answer is a result.
 * Threads: none; the callback never runs inside dnsbl_start(). */
#ifndef DOORBELL_LOOKUP_DNSBL_H
#define DOORBELL_LOOKUP_DNSBL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "lookup/dnsbl_flight.h"
#include "lookup/dnsbl_health.h"
#include "lookup/dnsbl_selftest.h"
#include "lookup/dnsbl_spec.h"
#include "lookup/resolver.h"

struct dnsbl;       /* the configured zones; counted */
struct dnsbl_round; /* one address being looked up */

/* What is known so far. */
struct dnsbl_score {
	int points;         /* from the answers that are in */
	int low, high;      /* the final score is within these */
	bool complete;      /* nothing is outstanding any more */
	bool missing;       /* some zone failed or timed out */
	uint32_t ttl_s;     /* least TTL of the answers, UINT32_MAX: none */
	uint64_t listed_by; /* a bit for each zone with a matching rule */
	const char *zone;   /* whose rule weighed most, or NULL; the dnsbl's */
};

struct dnsbl_ticket;
/* Runs after each answer that changes something, and with score.complete at
 * the end; by then the ticket is idle and may be started again. Tickets may be
 * cancelled and started inside, and references dropped. */
typedef void dnsbl_fn(
    struct dnsbl_ticket *ticket, const struct dnsbl_score *score);

/* One session waiting for a score; embed it, zeroed. */
struct dnsbl_ticket {
	struct dnsbl_ticket *next, **prev;
	struct dnsbl_round *round; /* NULL when idle */
	dnsbl_fn *fn;
};

/* Facts for the log and the counters, once for each query. These functions
 * must not call back into dnsbl. Any of them may be NULL. */
struct dnsbl_observer {
	void (*asked)(const char *zone, void *arg);
	void (*answered)(int64_t waited_ms, void *arg);
	void (*listed)(const struct addr *client, const char *zone,
	    const struct addr *as, void *arg); /* for each A record */
	void (*failed)(const char *query_name, const char *zone,
	    const char *reason, void *arg);
	void (*timed_out)(const char *zone, int64_t waited_ms, void *arg);
	void (*unasked)(const char *zone, void *arg);
	void (*error_code)(const char *zone, void *arg); /* each of them */
	dnsbl_news_fn *news; /* what an admin should hear */
	void *arg;
};

struct dnsbl_options {
	struct span sites;  /* the words of dnsbl_sites */
	int64_t timeout_ms; /* from the dnsbl_start() that began the round */
	struct dnsbl_observer observer;
	/* Zones that were there before keep their records. NULL: none were. */
	const struct dnsbl *before;
};

/* The resolver must outlive it. */
struct dnsbl *dnsbl_new(struct loop *loop, struct resolver *resolver,
    const struct dnsbl_options *o, struct errtext *why);
struct dnsbl *dnsbl_ref(struct dnsbl *bl);
/* Rounds under way keep it alive until their tickets are cancelled or done. */
void dnsbl_unref(struct dnsbl **bl);
size_t dnsbl_zone_count(const struct dnsbl *bl);
/* i-th bit of `listed_by`. */
const struct dnsbl_health *dnsbl_zone_health(const struct dnsbl *bl, size_t i);
/* Whether one of its answers can raise a score. */
bool dnsbl_zone_blames(const struct dnsbl *bl, size_t i);
/* The same, for who keeps a reference to it. */
struct dnsbl_health *dnsbl_zone_record(const struct dnsbl *bl, size_t i);
/* The least and the most points that its answer can earn. */
void dnsbl_zone_bounds(
    const struct dnsbl *bl, size_t i, int *low_r, int *high_r);
/* Rounds that begin from now on wait this long for answers. */
void dnsbl_set_timeout(struct dnsbl *bl, int64_t timeout_ms);
/* Test the zones now and from time to time; 0: do not, any more. */
void dnsbl_watch(struct dnsbl *bl, int64_t interval_ms);

/* Begin scoring. *joined_r tells whether a running round was joined. */
int dnsbl_start(struct dnsbl *bl, const struct addr *client,
    struct dnsbl_ticket *ticket, dnsbl_fn *fn, bool *joined_r);
/* Forget the score. A round nobody waits for any more is abandoned. */
void dnsbl_cancel(struct dnsbl_ticket *ticket);
/* The same when the score is clear: lists that have been asked still show
 * whether they answer. */
void dnsbl_let_go(struct dnsbl_ticket *ticket);
/* The same when the client's time is up: lists that have not answered are
 * reported to the observer as timed out. */
void dnsbl_give_up(struct dnsbl_ticket *ticket);
/* The score as it stands; for when the wait ends early. An idle ticket has
 * none: 0 points, not complete. */
struct dnsbl_score dnsbl_score_now(const struct dnsbl_ticket *ticket);

#endif
