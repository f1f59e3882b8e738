/* SPDX-License-Identifier: ISC */
/* ops/page_trend.h - the last hours and the last day of the status page.
 *
 * Owns:    nothing.
 * Errors:  none; a buffer that is full stays as it is. */
#ifndef DOORBELL_OPS_PAGE_TREND_H
#define DOORBELL_OPS_PAGE_TREND_H

#include "base/buf.h"
#include "base/trend.h"

/* Sections with charts: how connections ended, and how many there were. */
void page_trend_write(
    const struct trend *t, struct wall now, size_t limit, struct buf *out);
/* Of the last `slots` slots: all connections that ended, and those that
 * brought no mail. */
void page_trend_sum(const struct trend *t, struct wall now, unsigned slots,
    uint64_t *all_r, uint64_t *nuisance_r);

#endif
