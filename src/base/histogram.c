/* SPDX-License-Identifier: ISC */
#include "base/histogram.h"

/* Each bucket counts its own waits only, so that a wait is one addition; who
 * shows them adds them up. */

static const int64_t bounds[HISTOGRAM_BUCKETS] = {1, 2, 5, 10, 20, 50, 100, 200,
    500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, INT64_MAX};

void
histogram_note(struct histogram *h, int64_t ms)
{
	unsigned i = 0;

	if (ms < 0)
		ms = 0;
	while (ms > bounds[i])
		i++;
	atomic_fetch_add_explicit(&h->bucket[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(
	    &h->sum_ms, (uint64_t)ms, memory_order_relaxed);
}

int64_t
histogram_bound(unsigned i)
{
	return bounds[i];
}

uint64_t
histogram_count(const struct histogram *h)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum +=
		    atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
	return sum;
}

int64_t
histogram_percentile(const struct histogram *h, unsigned percent)
{
	uint64_t all = histogram_count(h), seen = 0;
	uint64_t wanted = all - all * (100 - percent) / 100;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen +=
		    atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
		if (seen > 0 && seen >= wanted)
			return bounds[i];
	}
	return 0;
}
