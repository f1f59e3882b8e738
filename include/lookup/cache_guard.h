/* SPDX-License-Identifier: ISC */
/* lookup/cache_guard.h - a damaged cache file kills the process once, not twice.
 *
 * LMDB believes what it reads. A page of garbage can make it touch memory that
 * is not there, spoil the heap, or run in circles; no code of ours can prevent that. What the
 * guard does: when the process dies while the thread at fault is inside, the file
 * is renamed to NAME.crashed first, and the next process begins a new one.
 *
 * Owns:    the handlers of SIGBUS, SIGSEGV, SIGABRT and SIGALRM while it stands.
 *          What happens outside goes to whoever had the handler before.
 * Errors:  none; where there is no permission to rename, nothing is renamed.
 * Threads: begin and end while one thread runs; enter and leave are each
 *          thread's own, and may be nested. */
#ifndef DOORBELL_LOOKUP_CACHE_GUARD_H
#define DOORBELL_LOOKUP_CACHE_GUARD_H

#include "lookup/cache_place.h"

/* One file at a time. `file` tells which one has that name now; `place` may go
 * away, its descriptor may not. */
void cache_guard_begin(
    const struct cache_place *place, const struct stat *file);
/* For who may only look: the file stays, and the process exits with 1. */
void cache_guard_begin_to_read(const struct cache_place *place);
/* Nothing happens when it has not begun. */
void cache_guard_end(void);

void cache_guard_enter(void);
void cache_guard_leave(void);

#endif
