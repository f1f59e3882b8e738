/* SPDX-License-Identifier: ISC */
/* ops/period.h - from when until when, and days as people count them.
 *
 * In the local time zone: a day may have 23 or 25 hours.
 *
 * Errors:  -1 with *why. */
#ifndef DOORBELL_OPS_PERIOD_H
#define DOORBELL_OPS_PERIOD_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/errtext.h"
#include "base/text.h"

/* "2026-11-20", "today", "yesterday": where that day begins, or, as an end,
 * where the next one does. "12h", "7d": so long ago. */
int period_parse(struct span text, struct wall now, bool is_end,
    struct wall *at_r, struct errtext *why);
/* Where the day begins that has `at` in it, and the one `days` later. */
struct wall period_day(struct wall at, int days);
/* "2026-11-20", "Fri 20 Nov", "14:00", "CET". */
#define PERIOD_TEXT_MAX 32
char *period_date(struct wall at, char out[PERIOD_TEXT_MAX]);
char *period_short(struct wall at, char out[PERIOD_TEXT_MAX]);
char *period_time(struct wall at, char out[PERIOD_TEXT_MAX]);
char *period_zone(struct wall at, char out[PERIOD_TEXT_MAX]);
int period_hour(struct wall at); /* of the day */

#endif
