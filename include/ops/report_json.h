/* SPDX-License-Identifier: ISC */
/* ops/report_json.h - a report for programs.
 *
 * Owns:    nothing; the buffer is the caller's.
 * Errors:  -1 with errno when not all of it is there. */
#ifndef DOORBELL_OPS_REPORT_JSON_H
#define DOORBELL_OPS_REPORT_JSON_H

#include "base/buf.h"
#include "ops/report.h"

int report_json(const struct report *r, struct buf *out);

#endif
