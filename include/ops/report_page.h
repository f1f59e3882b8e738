/* SPDX-License-Identifier: ISC */
/* ops/report_page.h - a report as one HTML file, with its pictures inside.
 *
 * Owns:    nothing; the buffer is the caller's.
 * Errors:  -1 with errno when not all of it is there. */
#ifndef DOORBELL_OPS_REPORT_PAGE_H
#define DOORBELL_OPS_REPORT_PAGE_H

#include "base/buf.h"
#include "ops/report.h"

int report_page(const struct report *r, struct buf *out);

#endif
