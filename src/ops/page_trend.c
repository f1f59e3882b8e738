/* SPDX-License-Identifier: ISC */
#include "ops/page_trend.h"

#include <stdio.h>

#include "ops/chart.h"
#include "ops/period.h"
#include "ops/report.h"

/* Each picture is there twice, for wide and for narrow windows, and the style
 * sheet shows one of them: in a picture that is made smaller nobody can read
 * the letters. */

enum {
	RECENT_BARS = 36,
	RECENT_SLOTS = 1, /* a bar */
	DAY_BARS = 24,
	DAY_SLOTS = TREND_SLOTS / DAY_BARS,
	BARS_MAX = RECENT_BARS,
	NARROW = 400 /* of a view box */
};

static const struct chart_series ends[TREND_ROWS] = {
    [TREND_LET_IN] = {"let in", 0},
    [TREND_REFUSED] = {"refused", 2},
    [TREND_HUNG_UP] = {"hung up", 5},
    [TREND_SHED] = {"had to make room", 3},
};
static const struct chart_series held[] = {{"most sessions at once", 7}};

struct view {
	const struct trend *trend;
	int64_t first; /* slot */
	unsigned bars, slots;
	const char *x;
	char text[BARS_MAX][PERIOD_TEXT_MAX];
	const char *label[BARS_MAX];
};

static void
begin_view(struct view *v, const struct trend *t, struct wall now,
    unsigned bars, unsigned slots, const char *x)
{
	v->trend = t;
	v->bars = bars;
	v->slots = slots;
	v->x = x;
	v->first = (trend_number(now) / slots - bars + 1) * slots;
	for (unsigned i = 0; i < bars; i++)
		v->label[i] =
		    period_time((struct wall){(v->first + (int64_t)i * slots) *
					      TREND_SLOT_S},
			v->text[i]);
}

static struct trend_slot
slot_of(const struct view *v, unsigned bar, unsigned i)
{
	return trend_at(v->trend, v->first + (int64_t)bar * v->slots + i);
}

/* Ends the section. */
static void
draw(const struct view *v, struct chart_bars *bars, struct buf *out)
{
	bars->x = v->x;
	bars->n = v->bars;
	bars->label = v->label;
	(void)buf_add_str(out, "<div class=\"wide\">");
	chart_bars(out, bars);
	(void)buf_add_str(out, "</div><div class=\"narrow\">");
	bars->width = NARROW;
	chart_bars(out, bars);
	(void)buf_add_str(out, "</div></section>\n");
}

static void
section(struct buf *out, const char *title, const char *how)
{
	(void)buf_add_str(out, "<section>");
	chart_heading(out, title, how);
}

/* What had to make room might have been mail. */
static uint64_t
nuisance_of(const struct trend_slot *slot)
{
	return (uint64_t)slot->count[TREND_REFUSED] +
	       slot->count[TREND_HUNG_UP];
}

static void
write_ends(
    const struct view *v, const char *when, const char *how, struct buf *out)
{
	uint64_t value[BARS_MAX * TREND_ROWS] = {0}, all = 0, nuisance = 0;
	char title[160], number[REPORT_NUMBER_MAX], share[REPORT_NUMBER_MAX];

	for (unsigned i = 0; i < v->bars * v->slots; i++) {
		unsigned bar = i / v->slots;
		struct trend_slot slot = slot_of(v, bar, i % v->slots);

		for (int k = 0; k < TREND_ROWS; k++) {
			value[bar * TREND_ROWS + (unsigned)k] += slot.count[k];
			all += slot.count[k];
		}
		nuisance += nuisance_of(&slot);
	}
	if (all == 0)
		(void)snprintf(title, sizeof(title), "%s: nobody came", when);
	else
		(void)snprintf(title, sizeof(title),
		    "%s: %s connection%s, %s brought no mail", when,
		    report_number(all, number), all == 1 ? "" : "s",
		    report_percent(nuisance, all, share));
	section(out, title, how);
	chart_legend(out, ends, TREND_ROWS);
	draw(v,
	    &(struct chart_bars){.title = title,
		.y = "connections",
		.series = TREND_ROWS,
		.value = value,
		.what = ends},
	    out);
}

/* The limit is in the picture when it is not far above. */
static void
write_held(const struct view *v, size_t limit, struct buf *out)
{
	uint64_t value[BARS_MAX] = {0}, most = 0;
	char title[80], number[REPORT_NUMBER_MAX];

	for (unsigned i = 0; i < v->bars * v->slots; i++) {
		uint64_t n = slot_of(v, i / v->slots, i % v->slots).held_max;

		if (n > value[i / v->slots])
			value[i / v->slots] = n;
		if (n > most)
			most = n;
	}
	(void)snprintf(title, sizeof(title), "At most %s %s at once",
	    report_number(most, number), most == 1 ? "session" : "sessions");
	section(out, title, "The most that there were in each hour.");
	draw(v,
	    &(struct chart_bars){.title = title,
		.y = "sessions",
		.series = 1,
		.value = value,
		.what = held,
		.mark = most > limit / 3 ? limit : 0,
		.mark_label = "the limit"},
	    out);
}

void
page_trend_write(
    const struct trend *t, struct wall now, size_t limit, struct buf *out)
{
	struct view v;

	begin_view(&v, t, now, RECENT_BARS, RECENT_SLOTS, "five minutes each");
	write_ends(&v, "The last three hours",
	    "How connections ended, by five minutes.", out);
	begin_view(&v, t, now, DAY_BARS, DAY_SLOTS, "hour");
	write_ends(&v, "The last day", "The same by hours.", out);
	write_held(&v, limit, out);
}

void
page_trend_sum(const struct trend *t, struct wall now, unsigned slots,
    uint64_t *all_r, uint64_t *nuisance_r)
{
	*all_r = *nuisance_r = 0;
	for (unsigned i = 0; i < slots; i++) {
		struct trend_slot slot = trend_at(t, trend_number(now) - i);

		for (int k = 0; k < TREND_ROWS; k++)
			*all_r += slot.count[k];
		*nuisance_r += nuisance_of(&slot);
	}
}
