/* SPDX-License-Identifier: ISC */
/* ops/metrics.h - all numbers, for Prometheus.
 *
 * Two dialects: the text format 0.0.4, and OpenMetrics 1.0 for who asks for it.
 *
 * Owns:    nothing.
 * Errors:  what does not fit into `out` is not there; then -1. */
#ifndef DOORBELL_OPS_METRICS_H
#define DOORBELL_OPS_METRICS_H

#include "ops/control.h"

enum metrics_dialect { METRICS_TEXT, METRICS_OPEN };

/* The better one of those that this Accept header names. */
enum metrics_dialect metrics_dialect_for(const char *accept);
/* The Content-Type. */
const char *metrics_type(enum metrics_dialect dialect);
int metrics_write(
    const struct control *c, enum metrics_dialect dialect, struct buf *out);

#endif
