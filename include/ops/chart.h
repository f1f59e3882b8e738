/* SPDX-License-Identifier: ISC */
/* ops/chart.h - pictures, as SVG inside of HTML.
 *
 * Colours are classes "c0" to "c7" of the page's style sheet, so that light and
 * dark are its affair. All texts are escaped here. Labels that would overlap are
 * left out.
 *
 * Owns:    nothing.
 * Errors:  none; a buffer that is full stays as it is, and its owner can see
 *          that. */
#ifndef DOORBELL_OPS_CHART_H
#define DOORBELL_OPS_CHART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Text for HTML, in attributes too. */
void chart_text(struct buf *out, const char *text);
/* What the next picture shows, and how it is read. */
void chart_heading(struct buf *out, const char *finding, const char *how);
/* "950", "12k", "1.2M": for axes. */
#define CHART_NUMBER_MAX 32
char *chart_number(uint64_t n, char out[CHART_NUMBER_MAX]);
/* A round number from which `most` is not far below, and the step of its
 * ticks. */
uint64_t chart_ceiling(uint64_t most, uint64_t *step_r);

struct chart_series {
	const char *name;
	unsigned color; /* 0 to 7 */
};

/* Bars side by side, each a stack of its series. */
struct chart_bars {
	const char *title; /* for who cannot see it */
	const char *x, *y; /* what the axes are */
	size_t n, series;
	const uint64_t *value; /* of bar i and series k: [i * series + k] */
	const struct chart_series *what;
	const char *const *label; /* of each bar */
	uint64_t mark;            /* a line at this height; 0: none */
	const char *mark_label;
	unsigned width; /* of the view box; 0: that of a page */
};
void chart_bars(struct buf *out, const struct chart_bars *c);
/* What the colours mean; once above charts that share them. */
void chart_legend(
    struct buf *out, const struct chart_series *what, size_t series);

/* Bars below each other: a part of each is darker. */
struct chart_row {
	const char *name, *note; /* in front, behind */
	uint64_t whole, part;
};
void chart_rows(struct buf *out, const char *title, const struct chart_row *row,
    size_t n, uint64_t most);

/* Cells, the darker the more. */
struct chart_grid {
	const char *title;
	size_t rows, columns;
	const uint64_t *value; /* [row * columns + column] */
	const char *const *row_label, *const *column_label;
	const char *const *cell; /* texts in them; NULL: none */
	unsigned color;
	uint64_t most; /* of the darkest; 0: find it */
};
void chart_grid(struct buf *out, const struct chart_grid *c);

#endif
