/* SPDX-License-Identifier: ISC */
/* lookup/sweep.h - remove records from the cache file, a few at a time.
 *
 * A plain sweep removes what expired before a given moment. A sweep for room
 * first measures, then removes about a tenth of all records: the expired ones
 * and those that expire next.
 *
 * Owns:    nothing; the struct is the caller's.
 * Units:   seconds (wall).
 * Errors:  as cache_file.
 * Threads: none; the cache's writer steps. */
#ifndef DOORBELL_LOOKUP_SWEEP_H
#define DOORBELL_LOOKUP_SWEEP_H

#include "lookup/cache_file.h"

#define SWEEP_STEP_MAX 1000 /* records looked at in one step */
#define SWEEP_SAMPLE_MAX 1024

enum sweep_phase { SWEEP_IDLE, SWEEP_MEASURE, SWEEP_REMOVE };

struct sweep {
	enum sweep_phase phase;
	bool for_room;
	struct wall before;
	uint64_t visited, dropped; /* so far */
	/* The rest is the module's own. */
	uint64_t quota;             /* no more than this */
	size_t step_max;            /* removals in one transaction */
	bool has_position;          /* false: at the first record */
	struct record_key position; /* the last one visited */
	size_t sample_n;
	uint64_t stride; /* one record in so many is in the sample */
	int64_t sample[SWEEP_SAMPLE_MAX];
	struct cache_scanned scanned[SWEEP_STEP_MAX];
	struct record_key expired[SWEEP_STEP_MAX];
};

void sweep_begin(struct sweep *s, struct wall before);
void sweep_begin_for_room(struct sweep *s);
/* One step; the phase is SWEEP_IDLE after the last one. Never ABSENT. */
enum cache_file_status sweep_step(
    struct sweep *s, struct cache_file *f, struct errtext *why);

#endif
