/* SPDX-License-Identifier: ISC */
/* ops/report_text.h - a report for a terminal, and for mail.
 *
 * Owns:    nothing; the buffer is the caller's.
 * Errors:  -1 with errno when not all of it is there. */
#ifndef DOORBELL_OPS_REPORT_TEXT_H
#define DOORBELL_OPS_REPORT_TEXT_H

#include "base/buf.h"
#include "ops/report.h"

int report_text(const struct report *r, struct buf *out);

#endif
