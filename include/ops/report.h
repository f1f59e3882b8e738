/* SPDX-License-Identifier: ISC */
/* ops/report.h - what a history says: days, shares, and advice.
 *
 * Owns:    its days and hours; the history is the caller's.
 * Errors:  NULL with errno ENOMEM. */
#ifndef DOORBELL_OPS_REPORT_H
#define DOORBELL_OPS_REPORT_H

#include "base/clock.h"
#include "ops/history.h"

/* What became of connections, for people: each is in one of these. */
enum report_part {
	REPORT_KNOWN,
	REPORT_NEW,
	REPORT_LISTED, /* talked early or not */
	REPORT_EARLY,
	REPORT_OTHER, /* failed something else, or came to nothing */
	REPORT_HUNG_UP,
	REPORT_FULL, /* turned away by us */
	REPORT_PARTS
};

struct report_time {
	struct wall begin;
	uint64_t figure[FIGURE_COUNT];
};

#define REPORT_BYTES_MAX ((size_t)64 << 20) /* of a page */

/* From a peak to a number of processes. */
struct report_advice {
	bool is_measured;    /* smtpd's own lines were in the log */
	uint64_t peak;       /* 0: nothing to go by */
	struct wall on;      /* the day of it */
	uint64_t with_spare; /* and a half more */
	uint64_t processes;  /* rounded up */
};

struct report {
	const struct history *history;
	struct wall since, until;       /* asked for */
	struct report_time *day, *hour; /* without gaps */
	size_t days, hours;
	uint64_t sum[FIGURE_COUNT];
	struct report_advice advice;
	const struct totals_list *list[TOTALS_LISTS_MAX]; /* the widest first */
	size_t lists;
};

/* Of the clients of `a`, how many does `b` list? */
uint64_t report_overlap(const struct report *r, const struct totals_list *a,
    const struct totals_list *b);
/* Clients that were tested at the door. */
uint64_t report_tested(const uint64_t *figures);

struct report *report_new(
    const struct history *h, struct wall since, struct wall until);
void report_free(struct report **r);

const char *report_part_name(enum report_part part);
const char *report_part_key(enum report_part part);
uint64_t report_part(const uint64_t *figures, enum report_part part);
uint64_t report_visits(const uint64_t *figures);
/* What brought no mail and was not turned away by us. */
uint64_t report_nuisance(const uint64_t *figures);
/* Of 1000. */
uint64_t report_permille(uint64_t part, uint64_t whole);
/* Half, or nine of ten, of a histogram: the end of its bucket in ms; -1: it is
 * empty, INT64_MAX: longer than all. */
int64_t report_wait(const uint64_t *bucket, size_t n, unsigned percent);
uint64_t report_histogram_sum(const uint64_t *bucket);

/* "0.1 s", "6 s", "5 min", "more". */
#define REPORT_SPAN_MAX 32
char *report_span(int64_t ms, char out[REPORT_SPAN_MAX]);
/* "1,234,567" */
#define REPORT_NUMBER_MAX 32
char *report_number(uint64_t n, char out[REPORT_NUMBER_MAX]);
/* "91.3 %", "<0.1 %" */
char *report_percent(
    uint64_t part, uint64_t whole, char out[REPORT_NUMBER_MAX]);

#endif
