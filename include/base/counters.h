/* SPDX-License-Identifier: ISC */
/* base/counters.h - numbers that only go up, and how waits are distributed.
 *
 * The struct is plain memory of fixed shape: it may live on the heap, in a
 * test, or in a mapping that several processes add to (hence relaxed
 * atomics). Rows that events.def adds to are counted in screen/journal.c. */
#ifndef DOORBELL_BASE_COUNTERS_H
#define DOORBELL_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/histogram.h"

enum counter {
#define COUNTER(id, name, help) COUNTER_##id,
#include "base/counters.def"
#undef COUNTER
	COUNTER_COUNT
};

enum histogram_id {
#define HISTOGRAM(id, name, help) HISTOGRAM_##id,
#include "base/histograms.def"
#undef HISTOGRAM
	HISTOGRAM_COUNT
};

struct counters {
	_Atomic uint64_t value[COUNTER_COUNT];
	struct histogram wait[HISTOGRAM_COUNT];
};

void counters_bump(struct counters *c, enum counter id);
void counters_add(struct counters *c, enum counter id, uint64_t n);
void counters_note_wait(struct counters *c, enum histogram_id id, int64_t ms);
uint64_t counters_read(const struct counters *c, enum counter id);
const char *counters_name(enum counter id);
const char *counters_help(enum counter id);
const char *counters_wait_name(enum histogram_id id);
const char *counters_wait_help(enum histogram_id id);

#endif
