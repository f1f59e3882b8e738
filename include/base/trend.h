/* SPDX-License-Identifier: ISC */
/* base/trend.h - what the last day was like, in steps of five minutes.
 *
 * Like the counters, plain memory of fixed shape that may live in a mapping:
 * who comes after goes on with it. One process at a time writes.
 *
 * Units:   seconds since the epoch; slots are numbered from there. */
#ifndef DOORBELL_BASE_TREND_H
#define DOORBELL_BASE_TREND_H

#include "base/clock.h"
#include "base/counters.h"

#define TREND_SLOT_S 300
#define TREND_SLOTS 288

/* The ways in which a connection ends. */
enum trend_row {
	TREND_LET_IN, /* handed off or relayed */
	TREND_REFUSED,
	TREND_HUNG_UP,
	TREND_SHED,
	TREND_ROWS
};

struct trend_slot {
	int64_t number;
	uint32_t count[TREND_ROWS];
	uint32_t held_max; /* the most sessions at once */
};

struct trend {
	uint64_t seen[TREND_ROWS]; /* of the counters, at the last look */
	struct trend_slot slot[TREND_SLOTS];
};

/* Look at the counters: what is new is of now. `held` are the sessions that
 * are open. */
void trend_update(
    struct trend *t, const struct counters *c, struct wall now, uint64_t held);
int64_t trend_number(struct wall when);
/* All zero when nothing is known of it. */
struct trend_slot trend_at(const struct trend *t, int64_t number);

#endif
