/* SPDX-License-Identifier: ISC */
/* screen/totals.h - the totals of an hour, or of any time.
 *
 * Figures are rows of screen/figures.def; beside them stands what each DNS list
 * was worth, by itself and next to the others.
 *
 * Owns:    nothing; plain memory, all zero when empty.
 * Units:   milliseconds where a name says so.
 * Errors:  -1 with errno. */
#ifndef DOORBELL_SCREEN_TOTALS_H
#define DOORBELL_SCREEN_TOTALS_H

#include <stdint.h>

#include "base/buf.h"
#include "lookup/dnsbl_health.h"
#include "screen/visit.h"

#define TOTALS_BUCKETS 20
#define TOTALS_LISTS_MAX 32
#define TOTALS_NAME_MAX 96 /* of a list, with the NUL; longer ones are cut */
#define TOTALS_BYTES_MAX (128 * 1024)

enum figure {
#define FIGURE(id, name, kind, n, help) \
	FIGURE_##id, FIGURE_##id##_END = FIGURE_##id + (n)-1,
#include "screen/figures.def"
#undef FIGURE
	FIGURE_COUNT
};

enum totals_use {
	TOTALS_USE_UNKNOWN, /* logs do not tell */
	TOTALS_USE_BLOCKS,
	TOTALS_USE_WATCHED, /* all its weights are 0 */
	TOTALS_USE_ALLOWS   /* none is above 0 */
};

struct totals_list {
	char name[TOTALS_NAME_MAX];
	uint64_t use;    /* enum totals_use */
	uint64_t visits; /* it listed so many clients */
	uint64_t only;   /* and was the only one that blocks */
	uint64_t queries, failures, timeouts, error_codes, unasked;
	uint64_t latency[DNSBL_LATENCY_BUCKETS];
	uint64_t with[TOTALS_LISTS_MAX]; /* visits that list i had, too */
};

struct totals {
	uint64_t figure[FIGURE_COUNT];
	size_t lists;
	struct totals_list list[TOTALS_LISTS_MAX];
};

const char *totals_name(enum figure figure);
const char *totals_help(enum figure figure);

/* The bucket of a wait, and where bucket i ends; INT64_MAX: the last one. */
size_t totals_bucket(int64_t ms);
int64_t totals_bucket_end(size_t i);

/* The list of that name, which becomes the next one. NULL: there is no room, or
 * no name (dnsbl_reply_map may take it away). */
struct totals_list *totals_list(struct totals *t, const char *name);
/* `lists` of the visit are bits of t->list. */
void totals_visit(struct totals *t, const struct visit *v);
/* The same in two steps. */
void totals_visit_figures(uint64_t *figure, const struct visit *v);
void totals_visit_lists(struct totals *t, const struct visit *v);
void totals_peak(uint64_t *figures, enum figure figure, uint64_t n);

/* How many there were within TOTALS_BURST_S seconds, with the one that is added
 * now; seconds of any clock that does not go back. */
#define TOTALS_BURST_S 10
struct totals_burst {
	int64_t last;
	uint32_t count[TOTALS_BURST_S];
};
uint64_t totals_burst(struct totals_burst *b, int64_t second);
/* Sums are added, of peaks the higher one stays; lists are known by name. */
void totals_add(struct totals *t, const struct totals *more);
/* The same for figures alone. */
void totals_add_figures(uint64_t *to, const uint64_t *more);

/* As it is stored: versioned; figures that are not there yet read as 0. */
int totals_encode(const struct totals *t, struct buf *out);
int totals_decode(struct span in, struct totals *t_r);
/* Two of them as one. What makes no sense counts as nothing. */
int totals_merge(struct span stored, struct span more, struct buf *out);

#endif
