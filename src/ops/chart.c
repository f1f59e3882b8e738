/* SPDX-License-Identifier: ISC */
#include "ops/chart.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Coordinates are those of a view box that is as wide as a page; the browser
 * makes it fit. A letter is about LETTER wide: which labels have room is worked
 * out from that, as nobody here knows the font. */

enum {
	WIDTH = 960,
	PLOT_LEFT = 64,
	PLOT_MARGIN = 16, /* at the right */
	PLOT_RIGHT = WIDTH - PLOT_MARGIN,
	PLOT_TOP = 30,
	PLOT_BOTTOM = 250,
	BARS_HEIGHT = 300,
	LETTER = 7,
	TICKS_MAX = 5,
	ROW_HEIGHT = 30,
	ROW_LEFT = 240,
	ROW_RIGHT = 720,
	CELL_HEIGHT_MAX = 40,
	GRID_HEIGHT = 300
};

static void
say(struct buf *out, const char *text)
{
	(void)buf_add_str(out, text);
}

void
chart_text(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		switch (*text) {
		case '&':
			say(out, "&amp;");
			break;
		case '<':
			say(out, "&lt;");
			break;
		case '>':
			say(out, "&gt;");
			break;
		case '"':
			say(out, "&quot;");
			break;
		default:
			(void)buf_add_char(
			    out, (unsigned char)*text < ' ' ? '?' : *text);
		}
}

char *
chart_number(uint64_t n, char out[CHART_NUMBER_MAX])
{
	static const struct {
		uint64_t unit;
		char letter;
	} units[] = {{1000000000, 'G'}, {1000000, 'M'}, {1000, 'k'}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		unsigned long long tenths = n / (units[i].unit / 10);

		if (n < units[i].unit)
			continue;
		if (tenths % 10 == 0 || tenths >= 1000)
			(void)snprintf(out, CHART_NUMBER_MAX, "%llu%c",
			    tenths / 10, units[i].letter);
		else
			(void)snprintf(out, CHART_NUMBER_MAX, "%llu.%llu%c",
			    tenths / 10, tenths % 10, units[i].letter);
		return out;
	}
	(void)snprintf(out, CHART_NUMBER_MAX, "%llu", (unsigned long long)n);
	return out;
}

uint64_t
chart_ceiling(uint64_t most, uint64_t *step_r)
{
	static const uint64_t factors[] = {1, 2, 5};

	for (uint64_t power = 1; power < UINT64_MAX / 100; power *= 10)
		for (size_t i = 0; i < 3; i++) {
			*step_r = factors[i] * power;
			if (most / *step_r < TICKS_MAX)
				return (most / *step_r +
					   (most % *step_r != 0 || most == 0)) *
				       *step_r;
		}
	*step_r = most / TICKS_MAX;
	return most;
}

static void
begin(struct buf *out, const char *title, int width, int height)
{
	(void)buf_printf(out,
	    "<div class=\"chart\"><svg viewBox=\"0 0 %d %d\" role=\"img\""
	    " xmlns=\"http://www.w3.org/2000/svg\"><title>",
	    width, height);
	chart_text(out, title);
	say(out, "</title>\n");
}

static void
end(struct buf *out)
{
	say(out, "</svg></div>\n");
}

static void
put_text(
    struct buf *out, double x, double y, const char *class, const char *text)
{
	(void)buf_printf(
	    out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
	chart_text(out, text);
	say(out, "</text>\n");
}

void
chart_heading(struct buf *out, const char *finding, const char *how)
{
	say(out, "<h2>");
	chart_text(out, finding);
	say(out, "</h2>\n<p>");
	chart_text(out, how);
	say(out, "</p>\n");
}

/* --- bars ------------------------------------------------------------------- */

static int
width_of(const struct chart_bars *c)
{
	return c->width > 0 ? (int)c->width : WIDTH;
}

static uint64_t
height_of(const struct chart_bars *c, size_t i)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < c->series; k++)
		sum += c->value[i * c->series + k];
	return sum;
}

static double
y_of(uint64_t n, uint64_t top)
{
	return PLOT_BOTTOM - (double)n / (double)top * (PLOT_BOTTOM - PLOT_TOP);
}

static void
put_y_axis(
    struct buf *out, const struct chart_bars *c, uint64_t top, uint64_t step)
{
	char number[CHART_NUMBER_MAX];

	for (uint64_t n = 0; n <= top; n += step) {
		(void)buf_printf(out,
		    "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\""
		    " class=\"grid\"/>\n",
		    PLOT_LEFT, width_of(c) - PLOT_MARGIN, y_of(n, top),
		    y_of(n, top));
		put_text(out, PLOT_LEFT - 8, y_of(n, top) + 4, "end",
		    chart_number(n, number));
	}
	put_text(out, 0, 10, "axis", c->y);
}

/* So many labels apart that none touches the next. */
static size_t
label_step(const char *const *label, size_t n, double room)
{
	size_t longest = 1, len;

	for (size_t i = 0; i < n; i++)
		if ((len = strlen(label[i])) > longest)
			longest = len;
	len = (size_t)((double)((longest + 2) * LETTER) / room) + 1;
	return len;
}

/* The last one may be too near to the edge. */
static bool
has_room(double x, const char *label, int width)
{
	return x + (double)(strlen(label) * LETTER) / 2 <= width;
}

static void
put_x_axis(struct buf *out, const struct chart_bars *c, double width)
{
	size_t step = label_step(c->label, c->n, width);
	double x;

	for (size_t i = 0; i < c->n; i += step) {
		x = PLOT_LEFT + ((double)i + 0.5) * width;
		if (has_room(x, c->label[i], width_of(c)))
			put_text(out, x, PLOT_BOTTOM + 18, "mid", c->label[i]);
	}
	put_text(out, (PLOT_LEFT + width_of(c) - PLOT_MARGIN) / 2.0,
	    PLOT_BOTTOM + 40, "mid axis", c->x);
}

static void
put_bar(struct buf *out, const struct chart_bars *c, size_t i, double width,
    uint64_t top)
{
	double gap = width > 4 ? width * 0.15 : 0;
	uint64_t below = 0, value;

	for (size_t k = 0; k < c->series; k++) {
		value = c->value[i * c->series + k];
		if (value == 0)
			continue;
		(void)buf_printf(out,
		    "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\""
		    " height=\"%.2f\" class=\"c%u\"><title>",
		    PLOT_LEFT + (double)i * width + gap / 2,
		    y_of(below + value, top), width - gap,
		    y_of(below, top) - y_of(below + value, top),
		    c->what[k].color);
		chart_text(out, c->label[i]);
		say(out, ": ");
		chart_text(out, c->what[k].name);
		(void)buf_printf(
		    out, " %llu</title></rect>\n", (unsigned long long)value);
		below += value;
	}
}

static void
put_mark(struct buf *out, const struct chart_bars *c, uint64_t top)
{
	double y = y_of(c->mark, top);

	(void)buf_printf(out,
	    "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\""
	    " class=\"mark\"/>\n",
	    PLOT_LEFT, width_of(c) - PLOT_MARGIN, y, y);
	put_text(
	    out, width_of(c) - PLOT_MARGIN, y - 5, "end strong", c->mark_label);
}

void
chart_bars(struct buf *out, const struct chart_bars *c)
{
	uint64_t most = c->mark, top, step, height;
	double width = (double)(width_of(c) - PLOT_MARGIN - PLOT_LEFT) /
		       (double)(c->n > 0 ? c->n : 1);

	for (size_t i = 0; i < c->n; i++)
		if ((height = height_of(c, i)) > most)
			most = height;
	top = chart_ceiling(most, &step);
	begin(out, c->title, width_of(c), BARS_HEIGHT);
	put_y_axis(out, c, top, step);
	for (size_t i = 0; i < c->n; i++)
		put_bar(out, c, i, width, top);
	if (c->mark > 0)
		put_mark(out, c, top);
	put_x_axis(out, c, width);
	end(out);
}

void
chart_legend(struct buf *out, const struct chart_series *what, size_t series)
{
	say(out, "<ul class=\"legend\">");
	for (size_t k = 0; k < series; k++) {
		(void)buf_printf(out,
		    "<li><svg width=\"12\" height=\"12\""
		    " aria-hidden=\"true\"><rect width=\"12\" height=\"12\""
		    " class=\"c%u\"/></svg> ",
		    what[k].color);
		chart_text(out, what[k].name);
		say(out, "</li>");
	}
	say(out, "</ul>\n");
}

/* --- rows ------------------------------------------------------------------- */

static void
put_row_bar(
    struct buf *out, size_t i, uint64_t n, uint64_t most, const char *class)
{
	(void)buf_printf(out,
	    "<rect x=\"%d\" y=\"%zu\" width=\"%.2f\" height=\"%d\""
	    " class=\"%s\"/>\n",
	    ROW_LEFT, i * ROW_HEIGHT + 5,
	    (double)n / (double)(most > 0 ? most : 1) * (ROW_RIGHT - ROW_LEFT),
	    ROW_HEIGHT - 10, class);
}

/* What does not fit in front of its bar loses its end. */
static void
put_name(struct buf *out, double x, double y, const char *name)
{
	char text[ROW_LEFT / LETTER - 1];

	(void)snprintf(text, sizeof(text), "%s", name);
	if (strlen(name) >= sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	put_text(out, x, y, "end", text);
}

void
chart_rows(struct buf *out, const char *title, const struct chart_row *row,
    size_t n, uint64_t most)
{
	begin(out, title, WIDTH, (int)n * ROW_HEIGHT + 8);
	for (size_t i = 0; i < n; i++) {
		double y = (double)i * ROW_HEIGHT + 20;

		put_name(out, ROW_LEFT - 10, y, row[i].name);
		put_row_bar(out, i, row[i].whole, most, "c1");
		put_row_bar(out, i, row[i].part, most, "c0");
		put_text(out,
		    ROW_LEFT + 8 +
			(double)row[i].whole / (double)(most > 0 ? most : 1) *
			    (ROW_RIGHT - ROW_LEFT),
		    y, "", row[i].note);
	}
	end(out);
}

/* --- cells ------------------------------------------------------------------ */

struct grid_place {
	double left, top, width, height;
};

static void
put_cell(struct buf *out, const struct chart_grid *c, size_t i,
    const struct grid_place *g, uint64_t most)
{
	size_t row = i / c->columns, column = i % c->columns;
	double share = most > 0 ? (double)c->value[i] / (double)most : 0;
	double x = g->left + (double)column * g->width;
	double y = g->top + (double)row * g->height;

	(void)buf_printf(out,
	    "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\""
	    " class=\"c%u\" fill-opacity=\"%.2f\"><title>",
	    x, y, g->width - (g->width > 6 ? 1 : 0), g->height - 1, c->color,
	    c->value[i] > 0 ? 0.08 + 0.82 * share : 0.0);
	chart_text(out, c->row_label[row]);
	say(out, ", ");
	chart_text(out, c->column_label[column]);
	(void)buf_printf(
	    out, ": %llu</title></rect>\n", (unsigned long long)c->value[i]);
	if (c->cell != NULL &&
	    (double)(strlen(c->cell[i]) * LETTER + 4) < g->width)
		put_text(out, x + g->width / 2, y + g->height / 2 + 5,
		    share > 0.55 ? "mid on" : "mid", c->cell[i]);
}

static void
put_labels(
    struct buf *out, const struct chart_grid *c, const struct grid_place *g)
{
	size_t every = g->height < 14 ? 3 : 1;
	size_t step = label_step(c->column_label, c->columns, g->width);

	for (size_t i = 0; i < c->rows; i += every)
		put_name(out, g->left - 8,
		    g->top + ((double)i + 0.5) * g->height + 4,
		    c->row_label[i]);
	for (size_t i = 0; i < c->columns; i += step) {
		double x = g->left + ((double)i + 0.5) * g->width;

		if (has_room(x, c->column_label[i], WIDTH))
			put_text(out, x, g->top - 8, "mid", c->column_label[i]);
	}
}

void
chart_grid(struct buf *out, const struct chart_grid *c)
{
	struct grid_place g = {.top = 28};
	uint64_t most = c->most;

	if (c->rows == 0 || c->columns == 0)
		return;
	g.height = GRID_HEIGHT / (double)c->rows;
	if (g.height > CELL_HEIGHT_MAX || c->cell != NULL)
		g.height =
		    c->cell != NULL && c->rows > 8 ? 26 : CELL_HEIGHT_MAX;
	g.left = c->cell != NULL ? ROW_LEFT : PLOT_LEFT;
	g.width = (PLOT_RIGHT - g.left) / (double)c->columns;
	if (c->cell != NULL && g.width > 2 * LETTER * 10)
		g.width = 2 * LETTER * 10;
	for (size_t i = 0; c->most == 0 && i < c->rows * c->columns; i++)
		if (c->value[i] > most)
			most = c->value[i];
	begin(out, c->title, WIDTH,
	    (int)(g.top + g.height * (double)c->rows) + 8);
	put_labels(out, c, &g);
	for (size_t i = 0; i < c->rows * c->columns; i++)
		put_cell(out, c, i, &g, most);
	end(out);
}
