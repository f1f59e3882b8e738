/* SPDX-License-Identifier: ISC */
/* lookup/cache_note.h - a few bytes that the cache file keeps beside the passes.
 *
 * What they mean is somebody else's. A note stays until it is dropped: sweeps
 * and expiry do not touch it. */
#ifndef DOORBELL_LOOKUP_CACHE_NOTE_H
#define DOORBELL_LOOKUP_CACHE_NOTE_H

#include <stdbool.h>

#include "lookup/record.h"

#define CACHE_NOTE_BYTES 192
#define CACHE_NOTES_WAITING_MAX 256

struct cache_note {
	struct record_key key;
	bool drop; /* what was kept under the key */
	uint8_t n;
	uint8_t bytes[CACHE_NOTE_BYTES];
};

/* Of a note that is kept; valid inside. */
typedef void cache_note_fn(struct span key, struct span bytes, void *arg);

#endif
