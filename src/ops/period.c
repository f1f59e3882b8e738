/* SPDX-License-Identifier: ISC */
#include "ops/period.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/num.h"

/* mktime() knows when clocks were changed: days are stepped by their number in
 * the month, never by seconds. */

static struct tm
local(struct wall at)
{
	time_t t = (time_t)at.s;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	return tm;
}

static struct wall
begin_of(struct tm tm)
{
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	return (struct wall){(int64_t)mktime(&tm)};
}

struct wall
period_day(struct wall at, int days)
{
	struct tm tm = local(at);

	tm.tm_mday += days;
	return begin_of(tm);
}

int
period_hour(struct wall at)
{
	return local(at).tm_hour;
}

static bool
parse_part(struct span text, size_t at, size_t n, int64_t min, int64_t max,
    int *number_r)
{
	int64_t number;

	if (num_parse(span_of(text.p + at, n), min, max, &number) < 0)
		return false;
	*number_r = (int)number;
	return true;
}

/* The 31st of April is not the 1st of May. */
static bool
parse_date(struct span text, struct wall *at_r)
{
	struct tm tm = {0}, again;

	if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-' ||
	    !parse_part(text, 0, 4, 1970, 9999, &tm.tm_year) ||
	    !parse_part(text, 5, 2, 1, 12, &tm.tm_mon) ||
	    !parse_part(text, 8, 2, 1, 31, &tm.tm_mday))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*at_r = begin_of(tm);
	again = local(*at_r);
	return again.tm_mday == tm.tm_mday && again.tm_mon == tm.tm_mon;
}

static bool
parse_day(struct span text, struct wall now, struct wall *at_r)
{
	if (span_is(text, "today"))
		*at_r = period_day(now, 0);
	else if (span_is(text, "yesterday"))
		*at_r = period_day(now, -1);
	else
		return parse_date(text, at_r);
	return true;
}

int
period_parse(struct span text, struct wall now, bool is_end, struct wall *at_r,
    struct errtext *why)
{
	int64_t ago;

	if (parse_day(text, now, at_r)) {
		if (is_end)
			*at_r = period_day(*at_r, 1);
		return 0;
	}
	if (text.n > 0 && !text_is_digit(text.p[text.n - 1]) &&
	    num_parse_seconds(text, 's', &ago) == 0 && ago <= now.s) {
		*at_r = wall_after(now, -ago);
		return 0;
	}
	errtext_set(why,
	    "%.*s: neither a day (2026-11-20, today, yesterday) nor a time ago"
	    " (12h, 7d, 4w)",
	    (int)(text.n < 64 ? text.n : 64), text.p);
	return -1;
}

/* Not strftime(): the names of days are not the locale's. */
char *
period_date(struct wall at, char out[PERIOD_TEXT_MAX])
{
	struct tm tm = local(at);

	(void)snprintf(out, PERIOD_TEXT_MAX, "%04d-%02d-%02d",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	return out;
}

char *
period_short(struct wall at, char out[PERIOD_TEXT_MAX])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = local(at);

	(void)snprintf(out, PERIOD_TEXT_MAX, "%.3s %d %.3s",
	    days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon);
	return out;
}

char *
period_time(struct wall at, char out[PERIOD_TEXT_MAX])
{
	struct tm tm = local(at);

	(void)snprintf(
	    out, PERIOD_TEXT_MAX, "%02d:%02d", tm.tm_hour, tm.tm_min);
	return out;
}

char *
period_zone(struct wall at, char out[PERIOD_TEXT_MAX])
{
	struct tm tm = local(at);

	(void)snprintf(out, PERIOD_TEXT_MAX, "%.16s",
	    tm.tm_zone != NULL ? tm.tm_zone : "local");
	return out;
}
