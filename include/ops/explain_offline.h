/* SPDX-License-Identifier: ISC */
/* ops/explain_offline.h - `explain` without a daemon: the configuration and the
 * cache file as they are, and no question to anybody.
 *
 * Owns:    nothing beyond the call.
 * Errors:  -1 with *why. */
#ifndef DOORBELL_OPS_EXPLAIN_OFFLINE_H
#define DOORBELL_OPS_EXPLAIN_OFFLINE_H

#include "base/buf.h"
#include "base/errtext.h"

/* The JSON that the daemon would answer goes to `out`. Started by root, the
 * process is the user of the cache from then on. */
int explain_offline(const char *config, const char *address, struct buf *out,
    struct errtext *why);

#endif
