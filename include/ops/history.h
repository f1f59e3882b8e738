/* SPDX-License-Identifier: ISC */
/* ops/history.h - what happened, hour by hour, for the report.
 *
 * Filled from the totals that doorbelld keeps, or from log files. Hours are
 * those of UTC; in a time zone that is half an hour off, days are, too.
 *
 * Owns:    its hours.
 * Units:   an hour is the number of hours since 1970.
 * Errors:  NULL when there is no room or no memory. */
#ifndef DOORBELL_OPS_HISTORY_H
#define DOORBELL_OPS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errtext.h"
#include "screen/totals.h"

#define HISTORY_DAYS_MAX 400
#define HISTORY_HOURS_MAX (HISTORY_DAYS_MAX * 24 + 25)

struct history_hour {
	int64_t hour;
	uint64_t figure[FIGURE_COUNT];
};

struct history {
	struct history_hour *hour; /* ascending */
	size_t hours, room;
	struct totals lists; /* of all hours; no figures */
	bool from_logs;
	/* of logs */
	uint64_t lines, ours, cut; /* read; understood; without their end */
	uint64_t unfinished;       /* connections whose end is not there */
	bool is_coarse;            /* times are whole seconds */
};

void history_init(struct history *h);
void history_clear(struct history *h);
/* The figures of that hour, from now on there. */
uint64_t *history_hour(struct history *h, int64_t hour);
int history_add(struct history *h, int64_t hour, const struct totals *t);
void history_sum(const struct history *h, uint64_t sum_r[FIGURE_COUNT]);

#endif
