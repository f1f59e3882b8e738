/* SPDX-License-Identifier: ISC */
/* base/histogram.h - how waits are distributed, in buckets that never change.
 *
 * Like the counters, plain memory of fixed shape that several processes may
 * add to. The bounds are 1, 2, 5, 10, ... milliseconds: fine enough to see
 * where a wait comes from, from a name server's answer to a long queue.
 *
 * Units:   milliseconds. */
#ifndef DOORBELL_BASE_HISTOGRAM_H
#define DOORBELL_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 18 /* the last one has no end */

struct histogram {
	_Atomic uint64_t bucket[HISTOGRAM_BUCKETS];
	_Atomic uint64_t sum_ms;
};

/* What is below 0 counts as 0. */
void histogram_note(struct histogram *h, int64_t ms);
/* The longest wait that bucket `i` counts; INT64_MAX for the last one. */
int64_t histogram_bound(unsigned i);
uint64_t histogram_count(const struct histogram *h);
/* So many percent of the waits were no longer than this; 0 when there were
 * none, INT64_MAX when it lies in the last bucket. */
int64_t histogram_percentile(const struct histogram *h, unsigned percent);

#endif
