/* SPDX-License-Identifier: ISC */
/* The report's page: each picture says its number, and so does its heading. */
/* links: fake_mem html_check hours */
#include "ops/report_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support/hours.h"
#include "support/html_check.h"

enum {
	HOUR_0 = 498672, /* 2026-11-21 00:00 UTC */
	NOON = HOUR_0 + 12
};

static void
set_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

/* From 2026 on days begin at some hour UTC, as the zone has it. */
static int64_t
hour_of(int month, int day)
{
	struct tm tm = {.tm_year = 126,
	    .tm_mon = month - 1,
	    .tm_mday = day,
	    .tm_isdst = -1};

	return (int64_t)mktime(&tm) / 3600;
}

static const char *
page_of(struct hours *f)
{
	struct report *r = hours_report(f);
	const char *text;

	buf_reset(&f->out);
	assert_int_equal(report_page(r, &f->out), 0);
	report_free(&r);
	text = buf_str(&f->out);
	assert_non_null(text);
	html_check(text);
	html_check_lacks(text, "nan");
	html_check_lacks(text, "inf\"");
	assert_string_equal(text + strlen(text) - strlen("</body></html>\n"),
	    "</body></html>\n");
	return text;
}

#define HAS(text) html_check_has(page, text)
#define LACKS(text) html_check_lacks(page, text)

/* --- when ------------------------------------------------------------------- */

static void
test_nobody(void **state)
{
	struct hours *f = *state;
	const char *page = page_of(f);

	HAS("</h1>\n<p></p>\n<h2>Nobody came in this time</h2>\n");
	LACKS("<svg");
	/* Not a line was about us. */
	f->h.from_logs = true;
	f->h.lines = 12;
	page = page_of(f);
	HAS("</h1>\n<p>From 12 lines of log files; 0 connections are left");
	/* Of smtpd alone. */
	hours_add(f, NOON, FIGURE_SMTPD, 3);
	f->h.unfinished = 4;
	page = page_of(f);
	HAS("<p>2026-11-21 to 2026-11-21, UTC, from 12 lines of log files; 4"
	    " connections are left out, as their ends are not in there</p>");
	HAS("<h2>Nobody came in this time</h2>\n");
	LACKS("<svg");
}

static void
test_hours(void **state)
{
	struct hours *f = *state;
	const char *page;

	hours_add(f, HOUR_0 + 8, FIGURE_KNOWN, 3);
	hours_add(f, HOUR_0 + 8, FIGURE_LISTED, 1);
	hours_add(f, HOUR_0 + 8, FIGURE_BOTH, 1);
	hours_add(f, HOUR_0 + 8, FIGURE_EARLY, 4);
	hours_add(f, HOUR_0 + 10, FIGURE_NEW, 1);
	hours_add(f, HOUR_0 + 10, FIGURE_HUNG_UP, 1000);
	hours_add(f, HOUR_0 + 10, FIGURE_PROTOCOL, 2);
	hours_add(f, HOUR_0 + 10, FIGURE_DENIED, 2);
	hours_add(f, HOUR_0 + 10, FIGURE_LIMITED, 2);
	hours_add(f, HOUR_0 + 10, FIGURE_LEFT, 2);
	hours_add(f, HOUR_0 + 10, FIGURE_BUSY, 5);
	hours_add(f, HOUR_0 + 10, FIGURE_SHED, 2);
	page = page_of(f);
	HAS("<p>2026-11-21 to 2026-11-21, UTC</p>");
	HAS("<h2>98.9 % of 1,025 connections brought no mail</h2>");
	HAS(">hour</text>");
	HAS("<title>08:00: known clients 3</title>");
	HAS("<title>08:00: on DNS lists 2</title>");
	HAS("<title>08:00: talked too early 4</title>");
	HAS("<title>10:00: strangers that passed 1</title>");
	HAS("<title>10:00: hung up 1000</title>");
	HAS("<title>10:00: failed otherwise 8</title>");
	HAS("<title>10:00: turned away: no room 7</title>");
	/* The gap has its place. */
	HAS(">09:00</text>");
	LACKS("<title>09:00: ");
	/* The clock is for more days than these. */
	LACKS("came in an hour");
}

/* Four days are drawn by the day. */
static void
test_days(void **state)
{
	struct hours *f = *state;
	const char *page;

	hours_add(f, HOUR_0 - 48 + 5, FIGURE_KNOWN, 7);
	hours_add(f, HOUR_0, FIGURE_KNOWN, 20);
	page = page_of(f);
	LACKS(">day</text>");
	hours_add(f, HOUR_0 - 72, FIGURE_KNOWN, 2);
	hours_add(f, HOUR_0 + 23, FIGURE_NEW, 30);
	page = page_of(f);
	HAS("<p>2026-11-18 to 2026-11-21, UTC</p>");
	HAS(">day</text>");
	HAS("<title>Wed 18 Nov: known clients 2</title>");
	HAS("<title>Sat 21 Nov: known clients 20</title>");
	HAS("<title>Sat 21 Nov: strangers that passed 30</title>");
	HAS("<h2>At most 30 came in an hour</h2>");
	HAS("<title>00:00, Wed 18 Nov: 2</title>");
	HAS("<title>05:00, Thu 19 Nov: 7</title>");
	HAS("<title>00:00, Fri 20 Nov: 0</title>");
	HAS("<title>00:00, Sat 21 Nov: 20</title>");
	HAS("<title>23:00, Sat 21 Nov: 30</title>");
	/* Each hour of each day has a cell. */
	assert_int_equal(html_check_count(page, " Nov: 0</title>"), 24 * 4 - 4);
}

/* 29 March has no third hour, 25 October has it twice. */
static void
test_days_of_other_lengths(void **state)
{
	static const struct {
		int month, day;
		const char *short_day, *cell;
	} cases[] = {
	    {3, 28, "Sun 29 Mar", "<title>02:00, Sun 29 Mar: 0</title>"},
	    {10, 24, "Sun 25 Oct", "<title>02:00, Sun 25 Oct: 2</title>"},
	};
	struct hours *f = *state;
	char other[64];
	const char *page;

	set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t first = hour_of(cases[i].month, cases[i].day);
		int64_t end = hour_of(cases[i].month, cases[i].day + 5);

		history_clear(&f->h);
		for (int64_t hour = first; hour < end; hour++)
			hours_add(f, hour, FIGURE_KNOWN, 1);
		page = page_of(f);
		HAS(cases[i].cell);
		for (int hour = 0; hour < 24; hour++) {
			snprintf(other, sizeof(other),
			    "<title>%02d:00, %s: 1</title>", hour,
			    cases[i].short_day);
			if (hour != 2)
				HAS(other);
		}
		/* The days around it are whole. */
		assert_int_equal(html_check_count(page, "00:00, "), 5);
		assert_int_equal(
		    html_check_count(page, ": 1</title>"), 4 * 24 + 23);
	}
}

/* A log with strange dates: as many hours as there may be. */
static void
test_a_long_time(void **state)
{
	struct hours *f = *state;
	const char *page;

	hours_add(f, 1, FIGURE_KNOWN, 1000);
	hours_add(f, NOON, FIGURE_KNOWN, 1);
	page = page_of(f);
	HAS("<p>2025-10-16 to 2026-11-21, UTC</p>");
	HAS("<title>Sat 21 Nov: known clients 1</title>");
	LACKS("known clients 1000");
}

/* --- cards ------------------------------------------------------------------ */

static void
test_cards(void **state)
{
	struct hours *f = *state;
	const char *page;

	hours_add(f, NOON, FIGURE_HUNG_UP, 4);
	page = page_of(f);
	HAS("<div><b>4</b><span>connections</span></div>");
	HAS("<div><b>100.0 %</b><span>brought no mail</span></div>");
	HAS("<div><b>0.0 %</b><span>of good clients did not wait</span></div>");
	HAS("<div><b>-</b><span>a stranger waits on average</span></div>");
	HAS("<div><b>-</b><span>smtpd processes are enough</span></div>");
	hours_add(f, NOON, FIGURE_KNOWN, 30);
	hours_add(f, NOON, FIGURE_NEW, 10);
	hours_add(f, NOON, FIGURE_WAIT_MS, 62600);
	hours_add(f, NOON, FIGURE_BURST, 9);
	page = page_of(f);
	HAS("<div><b>44</b><span>connections</span></div>");
	HAS("<div><b>9.1 %</b><span>brought no mail</span></div>");
	HAS("<b>75.0 %</b><span>of good clients did not wait</span>");
	HAS("<div><b>6.3 s</b><span>a stranger waits on average</span></div>");
	HAS("<div><b>15</b><span>smtpd processes are enough</span></div>");
}

/* --- who catches whom, hang-ups, waits -------------------------------------- */

static void
test_catchers(void **state)
{
	struct hours *f = *state;
	const char *page;

	hours_add(f, NOON, FIGURE_KNOWN, 1);
	page = page_of(f);
	LACKS("were caught");
	hours_add(f, NOON, FIGURE_BY_NONE, 40);
	page = page_of(f);
	HAS("<h2>0.0 % of those caught were caught by DNS lists alone</h2>");
	hours_add(f, NOON, FIGURE_BY_EARLY, 10);
	hours_add(f, NOON, FIGURE_BY_LISTS, 20);
	hours_add(f, NOON, FIGURE_BY_BOTH, 30);
	page = page_of(f);
	HAS("<h2>33.3 % of those caught were caught by DNS lists alone</h2>");
	HAS("<title>talked early, on DNS lists: 30</title>");
	HAS("<title>talked early, not listed: 10</title>");
	HAS("<title>waited its turn, on DNS lists: 20</title>");
	HAS("<title>waited its turn, not listed: 40</title>");
	HAS(">30.0 %</text>");
	HAS(">10.0 %</text>");
	HAS(">20.0 %</text>");
	HAS(">40.0 %</text>");
}

static void
test_hangups(void **state)
{
	struct hours *f = *state;
	const char *page;

	hours_add(f, NOON, FIGURE_HUNG_UP, 10);
	page = page_of(f);
	LACKS("hung up before");
	LACKS("Half of those");
	hours_add(f, NOON, FIGURE_HANGUPS_LATE + totals_bucket(700), 6);
	page = page_of(f);
	HAS("<h2>Nobody hung up before the greeting</h2>");
	HAS("<title>1 s: after it 6</title>");
	/* One place more than what there is. */
	HAS("<title>1 s: after it 6</title></rect>\n<text");
	HAS(">1.5 s</text>");
	LACKS(">2 s</text>");
	hours_add(f, NOON, FIGURE_HANGUPS_EARLY + totals_bucket(90), 2);
	hours_add(f, NOON, FIGURE_HANGUPS_EARLY + totals_bucket(2500), 2);
	page = page_of(f);
	HAS("<h2>Half of those who hang up before the greeting have gone after"
	    " 0.1 s</h2>");
	HAS("<title>0.1 s: before the greeting 2</title>");
	HAS("<title>3 s: before the greeting 2</title>");
	HAS("<title>1 s: after it 6</title>");
	/* The last bucket has no end, and nothing behind it. */
	hours_add(f, NOON, FIGURE_HANGUPS_EARLY_END, 5);
	page = page_of(f);
	HAS("<h2>Half of those who hang up before the greeting stay longer than"
	    " 5 min</h2>");
	HAS("<title>more: before the greeting 5</title>");
}

static void
test_waits(void **state)
{
	struct hours *f = *state;
	const char *page;

	hours_add(f, NOON, FIGURE_KNOWN, 1);
	page = page_of(f);
	LACKS("Nine of ten");
	hours_add(f, NOON, FIGURE_NEW, 10);
	hours_add(f, NOON, FIGURE_WAITS + totals_bucket(6000), 8);
	hours_add(f, NOON, FIGURE_WAITS + totals_bucket(6001), 1);
	hours_add(f, NOON, FIGURE_WAITS + totals_bucket(90000), 1);
	page = page_of(f);
	HAS("<h2>Nine of ten strangers had waited no longer than 7 s</h2>");
	HAS("until they had passed. Known clients do not wait.</p>");
	HAS("<title>6 s: strangers that passed 8</title>");
	HAS("<title>7 s: strangers that passed 1</title>");
	HAS("<title>2 min: strangers that passed 1</title>");
	f->h.is_coarse = true;
	page = page_of(f);
	HAS("had passed; the log has whole seconds. Known clients");
	/* The last bucket has no end. */
	hours_add(f, NOON, FIGURE_WAITS_END, 2);
	page = page_of(f);
	HAS("<h2>More than one in ten strangers had waited longer than 5"
	    " min</h2>");
}

/* --- DNS lists -------------------------------------------------------------- */

static void
begin_lists(struct hours *f)
{
	memset(&f->totals, 0, sizeof(f->totals));
	f->totals.figure[FIGURE_LISTED] = 60;
	f->totals.figure[FIGURE_BY_LISTS] = 60;
	f->totals.figure[FIGURE_BY_NONE] = 40;
}

static const char *
page_of_lists(struct hours *f)
{
	hours_set_totals(f, NOON);
	return page_of(f);
}

static void
test_no_lists(void **state)
{
	struct hours *f = *state;
	const char *page;

	begin_lists(f);
	page = page_of_lists(f);
	HAS("<h2>No client was on a DNS list</h2>\n<p>Or no list was "
	    "asked.</p>");
	LACKS("<table>");
}

static void
test_one_list(void **state)
{
	struct hours *f = *state;
	struct totals_list *l;
	const char *page;

	begin_lists(f);
	l = hours_add_list(f, "one.test", 25, 24);
	l->queries = 1234;
	l->failures = 2;
	l->timeouts = 3;
	l->error_codes = 4;
	l->unasked = 5;
	page = page_of_lists(f);
	HAS("<h2>one.test has 25.0 % of all that were tested</h2>");
	HAS(">25.0 %, 24 only it</text>");
	LACKS("know the same clients");
	HAS("<tr><td>one.test</td><td>blocks</td><td>1,234</td><td>2</td>"
	    "<td>3</td><td>4</td><td>5</td><td>-</td><td>-</td></tr>");
	/* Nobody is on it. */
	begin_lists(f);
	hours_add_list(f, "one.test", 0, 0);
	page = page_of_lists(f);
	HAS("<h2>one.test has 0.0 % of all that were tested</h2>");
}

static void
test_lists(void **state)
{
	static const struct {
		enum totals_use use;
		const char *note, *cell;
	} uses[] = {
	    {TOTALS_USE_UNKNOWN, ">60.0 %, 0 only it</text>", "<td></td>"},
	    {TOTALS_USE_BLOCKS, ">60.0 %, 0 only it</text>", "<td>blocks</td>"},
	    {TOTALS_USE_WATCHED, ">60.0 %, 0 only it - watched</text>",
		"<td>watched</td>"},
	    {TOTALS_USE_ALLOWS, ">60.0 %, 0 only it - lets pass</text>",
		"<td>lets pass</td>"},
	};
	struct hours *f = *state;
	struct totals_list *small, *large;
	const char *page;

	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		begin_lists(f);
		small = hours_add_list(f, "small.test", 8, 1);
		large = hours_add_list(f, "large.test", 60, 0);
		large->use = uses[i].use;
		small->with[1] = large->with[0] = 3;
		large->latency[4] = 98;
		large->latency[8] = 2;
		small->latency[DNSBL_LATENCY_BUCKETS - 1] = 1;
		page = page_of_lists(f);
		/* The largest first, also in the table of the shared ones. */
		HAS("<h2>large.test has 60.0 % of all that were tested</h2>");
		HAS(uses[i].note);
		HAS(uses[i].cell);
		HAS("<title>1  large.test, 1: 0</title>");
		HAS("<title>1  large.test, 2: 5</title>");
		HAS("<title>2  small.test, 1: 38</title>");
		HAS(">38</text>");
		HAS("<td>20 ms</td><td>500 ms</td></tr>");
		HAS("<td>more</td><td>more</td></tr>");
	}
}

static void
test_lists_of_logs(void **state)
{
	struct hours *f = *state;
	const char *page;

	begin_lists(f);
	hours_add_list(f, "one.test", 25, 24)->use = TOTALS_USE_UNKNOWN;
	assert_int_equal(history_add(&f->h, NOON, &f->totals), 0);
	f->h.from_logs = true;
	page = page_of(f);
	HAS(">25.0 %, 24 only it</text>");
	HAS("<p>Logs do not tell weights, ");
	LACKS("<table>");
}

/* As many as there may be, with names as long and as bad as they can be. */
static void
test_names_of_lists(void **state)
{
	static const char bad[] =
	    "<script>\"&'\x01\t\n</script>\x7f\xff</title>";
	struct hours *f = *state;
	char name[TOTALS_NAME_MAX];
	const char *page;

	begin_lists(f);
	for (unsigned i = 0; i < TOTALS_LISTS_MAX; i++) {
		snprintf(name, sizeof(name), "%u %s %050d", i, bad, 7);
		hours_add_list(f, name, 60 - i, i);
		f->totals.list[i].use = i % 4;
		for (unsigned k = 0; k < TOTALS_LISTS_MAX; k++)
			f->totals.list[i].with[k] = 20;
	}
	page = page_of_lists(f);
	HAS("<h2>0 &lt;script&gt;&quot;&amp;'???&lt;/script&gt;");
	HAS("07 has 60.0 % of all that were tested</h2>");
	LACKS("<script");
	assert_int_equal(
	    html_check_count(page, "\n<tr><td>"), TOTALS_LISTS_MAX);
	HAS("<title>32  31 &lt;script&gt;");
}

/* --- smtpd, pressure -------------------------------------------------------- */

static void
test_advice(void **state)
{
	struct hours *f = *state;
	const char *page;

	hours_add(f, NOON, FIGURE_KNOWN, 1);
	page = page_of(f);
	LACKS("are enough for");
	hours_add(f, NOON - 24, FIGURE_BURST, 8);
	hours_add(f, NOON, FIGURE_BURST, 7);
	page = page_of(f);
	HAS("<h2>15 smtpd processes are enough for those who bring mail</h2>\n"
	    "<p>Most good clients within ten seconds, as if a mail took so"
	    " long: 8 on 2026-11-20. Half as many to spare: 12. Rounded up:"
	    " 15.</p>");
	HAS("<title>12:00: good clients within ten seconds 8</title>");
	HAS("<title>12:00: good clients within ten seconds 7</title>");
	HAS(">process limit 15</text>");
	/* What was measured is better than what was guessed. */
	hours_add(f, NOON, FIGURE_SMTPD, 2);
	page = page_of(f);
	HAS("<h2>5 smtpd processes are enough");
	HAS("<p>Most smtpd processes busy at the same time: 2 on 2026-11-21."
	    " Half as many to spare: 3. Rounded up: 5.</p>");
	HAS("<title>12:00: busy at the same time 2</title>");
	LACKS("within ten seconds");
}

static void
test_pressure(void **state)
{
	struct hours *f = *state;
	const char *page;

	hours_add(f, NOON, FIGURE_KNOWN, 1);
	hours_add(f, NOON, FIGURE_HELD, 1234);
	page = page_of(f);
	HAS("<h2>There was room for everybody, and never any stress: at most"
	    " 1,234 at a time</h2>\n<p></p>");
	hours_add(f, NOON, FIGURE_STRESS_ENTERED, 2);
	hours_add(f, NOON, FIGURE_STRESS_S, 3600);
	page = page_of(f);
	HAS("<h2>Under stress 2 times, 3,600 seconds in all</h2>");
	HAS("<p>Nobody was.</p>");
	LACKS("There was room");
	hours_add(f, NOON, FIGURE_SHED, 3);
	hours_add(f, NOON + 1, FIGURE_BUSY, 4);
	page = page_of(f);
	HAS("<title>12:00: had to make room for others 3</title>");
	HAS("<title>13:00: found no room 4</title>");
	LACKS("Nobody was.");
}

/* --- when not all of it can be there ---------------------------------------- */

static struct report *
rich_report(struct hours *f)
{
	begin_lists(f);
	hours_add_list(f, "a.test", 30, 1);
	hours_add_list(f, "b.test", 20, 1);
	f->totals.figure[FIGURE_NEW] = 10;
	f->totals.figure[FIGURE_WAITS] = 10;
	f->totals.figure[FIGURE_HANGUPS_EARLY] = 10;
	f->totals.figure[FIGURE_BURST] = 10;
	f->totals.figure[FIGURE_SHED] = 10;
	for (int day = 0; day < 5; day++)
		assert_int_equal(
		    history_add(&f->h, HOUR_0 + 24 * day, &f->totals), 0);
	return hours_report(f);
}

static void
test_no_room(void **state)
{
	struct hours *f = *state;
	struct report *r = rich_report(f);

	hours_squeeze(r, report_page, 499);
	report_free(&r);
}

static void
test_no_memory(void **state)
{
	struct hours *f = *state;
	struct report *r = rich_report(f);

	hours_starve(r, report_page);
	report_free(&r);
}

int
main(void)
{
#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, hours_set_up, hours_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_nobody),
	    TEST(test_hours),
	    TEST(test_days),
	    TEST(test_days_of_other_lengths),
	    TEST(test_a_long_time),
	    TEST(test_cards),
	    TEST(test_catchers),
	    TEST(test_hangups),
	    TEST(test_waits),
	    TEST(test_no_lists),
	    TEST(test_one_list),
	    TEST(test_lists),
	    TEST(test_lists_of_logs),
	    TEST(test_names_of_lists),
	    TEST(test_advice),
	    TEST(test_pressure),
	    TEST(test_no_room),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
