/* SPDX-License-Identifier: ISC */
/* screen/rate.h - how often something has happened with a client, of late.
 *
 * Counts for each client prefix the events of a sliding window. The number of
 * prefixes is bounded: when there are more, the one that nothing has happened
 * with for the longest time is forgotten, and begins at zero.
 *
 * Owns:    its entries.
 * Units:   milliseconds. The window moves in RATE_SLOTS steps, so an event is
 *          forgotten up to one step early and never late.
 * Errors:  NULL with errno. An event for which there is no memory is not
 *          counted.
 * Threads: none. */
#ifndef DOORBELL_SCREEN_RATE_H
#define DOORBELL_SCREEN_RATE_H

#include <stddef.h>

#include "base/clock.h"
#include "lookup/record.h"

#define RATE_SLOTS 12
#define RATE_ENTRIES_MAX 32768 /* prefixes; about 4 MB */
#define RATE_COUNT_MAX 65535   /* events of one prefix in one step */

struct rate;

/* `window_ms` is a multiple of RATE_SLOTS. */
struct rate *rate_new(int64_t window_ms, size_t entries_max);
void rate_free(struct rate **r);
/* One event more. */
void rate_add(struct rate *r, const struct record_key *key, struct mono now);
/* How many there were in the window that ends now. */
unsigned rate_of(
    const struct rate *r, const struct record_key *key, struct mono now);
/* Prefixes that are remembered. */
size_t rate_entries(const struct rate *r);

#endif
