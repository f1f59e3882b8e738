/* SPDX-License-Identifier: ISC */
/* ops/report_lists.h - the part of the report's page about DNS lists: coverage,
 * overlap, health.
 *
 * Owns:    nothing; the buffer is the caller's.
 * Errors:  -1 with errno when there is no memory. */
#ifndef DOORBELL_OPS_REPORT_LISTS_H
#define DOORBELL_OPS_REPORT_LISTS_H

#include "base/buf.h"
#include "ops/report.h"

int report_lists(const struct report *r, struct buf *out);

#endif
