/* SPDX-License-Identifier: ISC */
/* daemon/drain.h - leaving without losing anyone. */
#ifndef DOORBELL_DAEMON_DRAIN_H
#define DOORBELL_DAEMON_DRAIN_H

#include "daemon/context.h"

/* Under a master or a manager that starts the next one: fork; the pid
 * it knows exits at once, the child serves the
 * sessions and the cache's queue to their end. Returns in the child only, or
 * (when fork fails) in the parent, which then drains where it is and tries
 * again. */
void drain_in_background(struct doorbell *d);
/* Accept no more; end when the last session has. */
void drain_in_place(struct doorbell *d);
/* Say goodbye to all and end now; what the cache has queued is written by a
 * child. */
void drain_at_once(struct doorbell *d);

#endif
