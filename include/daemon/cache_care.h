/* SPDX-License-Identifier: ISC */
/* daemon/cache_care.h - what the cache needs once a second, and its news.
 *
 * Owns: struct cache_care in the context. */
#ifndef DOORBELL_DAEMON_CACHE_CARE_H
#define DOORBELL_DAEMON_CACHE_CARE_H

#include "daemon/context.h"

/* The first sweep is at the start, as in postscreen. */
void cache_care_start(struct doorbell *d);
void cache_care_tick(struct doorbell *d);
/* Say what there is to say before the cache is closed. */
void cache_care_finish(struct doorbell *d);

#endif
