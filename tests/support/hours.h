/* SPDX-License-Identifier: ISC */
/* support/hours.h - what was counted in a few hours, for tests of who tells it.
 *
 * Needs fake_mem. The zone is UTC.
 *
 * Owns:    all that is in it, but for reports.
 * Errors:  a failed assertion. */
#ifndef DOORBELL_TESTS_HOURS_H
#define DOORBELL_TESTS_HOURS_H

#include "ops/report.h"

struct hours {
	struct history h;
	struct totals totals; /* of no hour yet */
	struct buf out;       /* room for what is told */
};

/* For cmocka; *state becomes a struct hours. No memory is left behind. */
int hours_set_up(void **state);
int hours_tear_down(void **state);

/* So many more in this hour. */
void hours_add(struct hours *f, int64_t hour, size_t figure, uint64_t n);
/* One more DNS list, which blocks, in the totals. */
struct totals_list *hours_add_list(
    struct hours *f, const char *name, uint64_t visits, uint64_t only);
/* The totals are those of this hour, and there is no other. */
void hours_set_totals(struct hours *f, int64_t hour);

/* Of all hours; report_free() frees it. */
struct report *hours_report(const struct hours *f);
/* Whoever tells a report: 0, or -1 with errno. */
typedef int hours_tell_fn(const struct report *r, struct buf *out);
/* Each allocation fails once while it is told, and then each with all that
 * follow: it is told as a whole, or not. */
void hours_starve(const struct report *r, hours_tell_fn *tell);
/* There is room for less, from nothing on in steps of so many bytes, and then
 * for each number of the last hundred: a piece that is missing is told, whatever
 * has fitted behind it. */
void hours_squeeze(const struct report *r, hours_tell_fn *tell, size_t step);

#endif
