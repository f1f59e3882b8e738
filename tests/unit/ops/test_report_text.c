/* SPDX-License-Identifier: ISC */
/* The report as text: what it says, and what it does not claim to know. */
/* links: fake_mem hours */
#include "ops/report_text.h"

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

enum {
	HOUR_0 = 498672, /* 2026-11-21 00:00 UTC */
	NOON = HOUR_0 + 12,
	COLUMNS = 78
};

static void
check_lines(const char *text)
{
	size_t n;

	for (; *text != '\0'; text += n + 1) {
		n = strcspn(text, "\n");
		assert_int_equal(text[n], '\n');
		if (n > COLUMNS)
			fail_msg("too wide: %.*s", (int)n, text);
		if (n > 0 && text[n - 1] == ' ')
			fail_msg("a blank at the end: %.*s", (int)n, text);
	}
}

static const char *
text_of(struct hours *f)
{
	struct report *r = hours_report(f);
	const char *text;

	buf_reset(&f->out);
	assert_int_equal(report_text(r, &f->out), 0);
	report_free(&r);
	text = buf_str(&f->out);
	assert_non_null(text);
	check_lines(text);
	return text;
}

static const char *
text_of_lists(struct hours *f)
{
	hours_set_totals(f, NOON);
	return text_of(f);
}

static void
check_has(const char *text, const char *wanted)
{
	if (strstr(text, wanted) == NULL)
		fail_msg("not there: %s\n%s", wanted, text);
}

static void
check_lacks(const char *text, const char *unwanted)
{
	if (strstr(text, unwanted) != NULL)
		fail_msg("there: %s\n%s", unwanted, text);
}

#define HAS(wanted) check_has(text, wanted)
#define LACKS(unwanted) check_lacks(text, unwanted)

/* --- all of it -------------------------------------------------------------- */

/* One day of log files. */
static const char whole_day[] =
    "doorbell: 2026-11-21 to 2026-11-21 (UTC)\n"
    "from log files: 1000 lines, 90 of them about screening\n"
    "left out, as their ends are not in there: 3 connections\n"
    "\n"
    "40 connections; 62.5 % of them brought no mail\n"
    "  known clients                       9   22.5 %  ######\n"
    "  strangers that passed               2    5.0 %  #\n"
    "  on DNS lists                       20   50.0 %  ##############\n"
    "  talked too early                    4   10.0 %  ###\n"
    "  failed otherwise                    0    0.0 %\n"
    "  hung up                             1    2.5 %  #\n"
    "  turned away: no room                4   10.0 %  ###\n"
    "  7 failed a test whose action is ignore, and went on to smtpd\n"
    "\n"
    "Who catches whom, of all that were tested\n"
    "  DNS lists alone                    15   50.0 %  ##############\n"
    "  talking early alone                 4   13.3 %  ####\n"
    "  both                                5   16.7 %  #####\n"
    "  neither                             6   20.0 %  ######\n"
    "\n"
    "Hang-ups before the greeting, after\n"
    "  up to 1 s                           1  100.0 %"
    "  ############################\n"
    "\n"
    "Hang-ups after the greeting, after\n"
    "  up to 1.5 s                         3   75.0 %"
    "  #####################\n"
    "  more                                1   25.0 %  #######\n"
    "\n"
    "11 good clients\n"
    "  known: no wait                      9   81.8 %"
    "  #######################\n"
    "  strangers                           2   18.2 %  #####\n"
    "What the strangers waited, 6.2 s on average"
    " (the log has whole seconds)\n"
    "  up to 7 s                           2  100.0 %"
    "  ############################\n"
    "\n"
    "DNS lists, and how many of all tested clients they have\n"
    "  a.test\n"
    "    listed                           15   50.0 %  ##############\n"
    "    nobody else blocks 10 of these, 66.7 %\n"
    "  b.test\n"
    "    listed                           10   33.3 %  #########\n"
    "    nobody else blocks 5 of these, 50.0 %\n"
    "\n"
    "How many in 100 of a row's clients the column has, too\n"
    "          1   2\n"
    "     1    -  33  a.test\n"
    "     2   50   -  b.test\n"
    "  Logs do not tell weights, how fast the lists answer,\n"
    "  nor what was not listed.\n"
    "\n"
    "How many smtpd processes\n"
    "  At most 9 good clients came within 10 seconds (2026-11-21)."
    "  If a mail takes\n"
    "  so long, they need as many processes.\n"
    "  9, and half as many to spare: 14; rounded up: 15 processes.\n"
    "\n"
    "At most 1,200 connections were held at a time.\n"
    "Under stress 1 times, 60 seconds.\n"
    "3 had to make room for others, 1 found none.\n"
    "\n"
    "Connections per hour, and how many in 100 brought no mail\n"
    "  12:00                  40   62.5 %  ############################\n"
    "  13:00                   0    0.0 %\n";

static void
test_a_whole_day(void **state)
{
	struct hours *f = *state;
	struct totals_list *a, *b;

	a = hours_add_list(f, "a.test", 15, 10);
	b = hours_add_list(f, "b.test", 10, 5);
	a->use = b->use = TOTALS_USE_UNKNOWN;
	a->with[1] = b->with[0] = 5;
	assert_int_equal(history_add(&f->h, NOON, &f->totals), 0);
	f->h.from_logs = f->h.is_coarse = true;
	f->h.lines = 1000;
	f->h.ours = 90;
	f->h.unfinished = 3;
	hours_add(f, NOON, FIGURE_KNOWN, 9);
	hours_add(f, NOON, FIGURE_NEW, 2);
	hours_add(f, NOON, FIGURE_WAIT_MS, 12500);
	hours_add(f, NOON, FIGURE_WAITS + totals_bucket(6500), 2);
	hours_add(f, NOON, FIGURE_LISTED, 15);
	hours_add(f, NOON, FIGURE_BOTH, 5);
	hours_add(f, NOON, FIGURE_EARLY, 4);
	hours_add(f, NOON, FIGURE_HUNG_UP, 1);
	hours_add(f, NOON, FIGURE_SHED, 3);
	hours_add(f, NOON, FIGURE_BUSY, 1);
	hours_add(f, NOON, FIGURE_EXCUSED, 7);
	hours_add(f, NOON, FIGURE_BY_LISTS, 15);
	hours_add(f, NOON, FIGURE_BY_EARLY, 4);
	hours_add(f, NOON, FIGURE_BY_BOTH, 5);
	hours_add(f, NOON, FIGURE_BY_NONE, 6);
	hours_add(f, NOON, FIGURE_HANGUPS_EARLY + totals_bucket(800), 1);
	hours_add(f, NOON, FIGURE_HANGUPS_LATE + totals_bucket(1001), 3);
	hours_add(f, NOON, FIGURE_HANGUPS_LATE_END, 1);
	hours_add(f, NOON, FIGURE_BURST, 9);
	hours_add(f, NOON, FIGURE_HELD, 1200);
	hours_add(f, NOON, FIGURE_STRESS_ENTERED, 1);
	hours_add(f, NOON + 1, FIGURE_STRESS_S, 60);
	assert_string_equal(text_of(f), whole_day);
}

/* What was not, and what cannot be known, is left out. */
static void
test_only_what_there_is(void **state)
{
	struct hours *f = *state;

	hours_add(f, NOON, FIGURE_HUNG_UP, 1);
	assert_string_equal(text_of(f),
	    "doorbell: 2026-11-21 to 2026-11-21 (UTC)\n"
	    "\n"
	    "1 connections; 100.0 % of them brought no mail\n"
	    "  known clients                       0    0.0 %\n"
	    "  strangers that passed               0    0.0 %\n"
	    "  on DNS lists                        0    0.0 %\n"
	    "  talked too early                    0    0.0 %\n"
	    "  failed otherwise                    0    0.0 %\n"
	    "  hung up                             1  100.0 %"
	    "  ############################\n"
	    "  turned away: no room                0    0.0 %\n"
	    "\n"
	    "At most 0 connections were held at a time.\n"
	    "\n"
	    "Connections per hour, and how many in 100 brought no mail\n"
	    "  12:00                   1  100.0 %"
	    "  ############################\n");
}

static void
test_nobody(void **state)
{
	struct hours *f = *state;

	assert_string_equal(text_of(f), "nobody came in this time\n");
	/* Of us the log has nothing. */
	f->h.from_logs = true;
	f->h.lines = 5;
	hours_add(f, NOON, FIGURE_SMTPD, 1);
	assert_string_equal(text_of(f),
	    "doorbell: 2026-11-21 to 2026-11-21 (UTC)\n"
	    "from log files: 5 lines, 0 of them about screening\n"
	    "nobody came in this time\n");
}

/* --- parts of it ------------------------------------------------------------ */

/* Two days are told by the hour, three by the day. */
static void
test_days(void **state)
{
	struct hours *f = *state;
	const char *text;

	hours_add(f, HOUR_0 - 1, FIGURE_KNOWN, 1000000);
	hours_add(f, HOUR_0, FIGURE_LISTED, 1);
	text = text_of(f);
	HAS("doorbell: 2026-11-20 to 2026-11-21 (UTC)\n");
	HAS("\nConnections per hour, and how many in 100 brought no mail\n"
	    "  23:00           1,000,000    0.0 %"
	    "  ############################\n"
	    /* However few, they are there. */
	    "  00:00                   1  100.0 %  #\n");
	HAS("  known clients               1,000,000  >99.9 %  ####");
	HAS("  on DNS lists                        1   <0.1 %  #\n");
	hours_add(f, HOUR_0 - 25, FIGURE_KNOWN, 500000);
	text = text_of(f);
	HAS("\nConnections per day, and how many in 100 brought no mail\n"
	    "  Thu 19 Nov        500,000    0.0 %  ##############\n"
	    "  Fri 20 Nov      1,000,000    0.0 %"
	    "  ############################\n"
	    "  Sat 21 Nov              1  100.0 %  #\n");
	LACKS("per hour");
}

static void
test_strangers(void **state)
{
	struct hours *f = *state;
	const char *text;

	hours_add(f, NOON, FIGURE_KNOWN, 4);
	text = text_of(f);
	HAS("\n4 good clients\n");
	HAS("  strangers                           0    0.0 %\n");
	LACKS("What the strangers waited");
	hours_add(f, NOON, FIGURE_NEW, 3);
	hours_add(f, NOON, FIGURE_WAIT_MS, 3 * 60999);
	text = text_of(f);
	HAS("What the strangers waited, 60.9 s on average\n");
	LACKS("whole seconds");
}

static void
test_smtpd_processes(void **state)
{
	struct hours *f = *state;
	const char *text;

	hours_add(f, NOON, FIGURE_KNOWN, 4);
	hours_add(f, NOON, FIGURE_BURST, 100);
	hours_add(f, NOON - 24, FIGURE_SMTPD, 11);
	text = text_of(f);
	HAS("\nHow many smtpd processes\n"
	    "  At most 11 were busy at the same time (2026-11-20).\n"
	    "  11, and half as many to spare: 17; rounded up: 20 processes.\n");
	LACKS("within 10 seconds");
}

static void
test_pressure(void **state)
{
	static const struct {
		const char *name;
		enum figure figure;
		uint64_t n;
		const char *stress, *room; /* NULL: nothing of it */
	} cases[] = {
	    {"none", FIGURE_HELD, 2, NULL, NULL},
	    {"entered", FIGURE_STRESS_ENTERED, 2,
		"Under stress 2 times, 0 seconds.\n", NULL},
	    {"from before", FIGURE_STRESS_S, 1200,
		"Under stress 0 times, 1,200 seconds.\n", NULL},
	    {"shed", FIGURE_SHED, 1, NULL,
		"1 had to make room for others, 0 found none.\n"},
	    {"busy", FIGURE_BUSY, 1, NULL,
		"0 had to make room for others, 1 found none.\n"},
	};
	struct hours *f = *state;
	const char *text;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		history_clear(&f->h);
		hours_add(f, NOON, FIGURE_KNOWN, 1);
		hours_add(f, NOON, cases[i].figure, cases[i].n);
		text = text_of(f);
		if ((strstr(text, "Under stress") != NULL) !=
			(cases[i].stress != NULL) ||
		    (strstr(text, "had to make room") != NULL) !=
			(cases[i].room != NULL))
			fail_msg("%s: %s", cases[i].name, text);
		HAS(cases[i].stress != NULL ? cases[i].stress : "");
		HAS(cases[i].room != NULL ? cases[i].room : "");
	}
}

/* --- DNS lists -------------------------------------------------------------- */

static void
test_lists(void **state)
{
	struct hours *f = *state;
	const char *text;

	f->totals.figure[FIGURE_LISTED] = 10;
	f->totals.figure[FIGURE_BY_LISTS] = 10;
	hours_add_list(f, "one.test", 7, 7);
	text = text_of_lists(f);
	HAS("  one.test\n"
	    "    listed                            7   70.0 %"
	    "  ####################\n"
	    "    nobody else blocks 7 of these, 100.0 %\n");
	/* One list shares nothing, and had no trouble. */
	LACKS("How many in 100 of a row");
	LACKS("answers:");
	LACKS("questions");
	LACKS("Logs do not tell");
	hours_add_list(f, "watched.test", 6, 6)->use = TOTALS_USE_WATCHED;
	hours_add_list(f, "white.test", 5, 0)->use = TOTALS_USE_ALLOWS;
	hours_add_list(f, "none.test", 0, 0);
	f->totals.list[0].with[1] = f->totals.list[1].with[0] = 6;
	text = text_of_lists(f);
	HAS("  watched.test (watched: weight 0)\n");
	HAS("  white.test (lets pass)\n");
	HAS("    nobody else blocks 0 of these, 0.0 %\n");
	HAS("\n          1   2   3   4\n"
	    "     1    -  86   0   0  one.test\n"
	    "     2  100   -   0   0  watched.test\n"
	    "     3    0   0   -   0  white.test\n"
	    /* Nobody: no shares. */
	    "     4    -   -   -   -  none.test\n");
}

static void
test_answers_of_lists(void **state)
{
	static const struct {
		const char *name;
		uint64_t first, second; /* within 20 ms, 500 ms */
		uint64_t later;         /* than all */
		const char *want;       /* NULL: nothing */
	} cases[] = {
	    {"none", 0, 0, 0, NULL},
	    {"quick", 98, 2, 0, "half within 20 ms, 99 % within 500 ms\n"},
	    {"all alike", 9, 0, 0, "half within 20 ms, 99 % within 20 ms\n"},
	    {"some late", 50, 40, 10,
		"half within 20 ms, one in a hundred later than 10 s\n"},
	    {"half of them late", 1, 1, 3, "half later than 10 s\n"},
	    {"all late", 0, 0, 1, "half later than 10 s\n"},
	};
	struct hours *f = *state;
	const char *text;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct totals_list *l;

		memset(&f->totals, 0, sizeof(f->totals));
		f->totals.figure[FIGURE_LISTED] = 1;
		l = hours_add_list(f, "one.test", 1, 1);
		l->latency[4] = cases[i].first;
		l->latency[8] = cases[i].second;
		l->latency[DNSBL_LATENCY_BUCKETS - 1] = cases[i].later;
		text = text_of_lists(f);
		if ((strstr(text, "answers: ") != NULL) !=
		    (cases[i].want != NULL))
			fail_msg("%s: %s", cases[i].name, text);
		HAS(cases[i].want != NULL ? cases[i].want : "");
	}
}

/* Each kind of trouble is a reason to tell of all. */
static void
test_trouble_of_lists(void **state)
{
	static const struct {
		uint64_t failures, timeouts, error_codes, unasked;
		const char *want; /* NULL: nothing */
	} cases[] = {
	    {0, 0, 0, 0, NULL},
	    {7, 0, 0, 0, "7 failed, 0 timed out, 0 error codes; 0 not asked\n"},
	    {0, 7, 0, 0, "0 failed, 7 timed out, 0 error codes; 0 not asked\n"},
	    {0, 0, 7, 0, "0 failed, 0 timed out, 7 error codes; 0 not asked\n"},
	    {0, 0, 0, 7, "0 failed, 0 timed out, 0 error codes; 7 not asked\n"},
	};
	struct hours *f = *state;
	const char *text;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct totals_list *l;

		memset(&f->totals, 0, sizeof(f->totals));
		f->totals.figure[FIGURE_LISTED] = 1;
		l = hours_add_list(f, "one.test", 1, 1);
		l->queries = 100;
		l->failures = cases[i].failures;
		l->timeouts = cases[i].timeouts;
		l->error_codes = cases[i].error_codes;
		l->unasked = cases[i].unasked;
		text = text_of_lists(f);
		if (cases[i].want == NULL)
			LACKS("questions");
		else
			HAS("    of 100 questions: ");
		HAS(cases[i].want != NULL ? cases[i].want : "");
	}
}

/* A terminal must not be told what to do. */
static void
test_names_of_lists(void **state)
{
	struct hours *f = *state;
	const char *text;

	f->totals.figure[FIGURE_LISTED] = 1;
	hours_add_list(f, "evil\033[2J\r\x7f.test", 1, 1);
	hours_add_list(f, "b\xc3\xa4.test", 1, 1);
	text = text_of_lists(f);
	HAS("  evil?[2J??.test\n");
	HAS("   1    -   0  evil?[2J??.test\n");
	HAS("  b\xc3\xa4.test\n");
	LACKS("\033");
	LACKS("\r");
	LACKS("\x7f");
}

/* --- when not all of it can be there ---------------------------------------- */

static struct report *
rich_report(struct hours *f)
{
	f->totals.figure[FIGURE_LISTED] = 10;
	f->totals.figure[FIGURE_BY_LISTS] = 10;
	f->totals.figure[FIGURE_BURST] = 10;
	hours_add_list(f, "a.test", 30, 1);
	hours_add_list(f, "b.test", 20, 1);
	assert_int_equal(history_add(&f->h, NOON, &f->totals), 0);
	return hours_report(f);
}

static void
test_no_room(void **state)
{
	struct hours *f = *state;
	struct report *r = rich_report(f);
	struct report *nobody = NULL;
	struct history none;
	struct buf small;

	hours_squeeze(r, report_text, 1);
	report_free(&r);
	history_init(&none);
	nobody = report_new(&none, (struct wall){0}, (struct wall){1});
	assert_non_null(nobody);
	buf_init(&small, strlen("nobody came in this time\n") - 1);
	assert_int_equal(report_text(nobody, &small), -1);
	buf_clear(&small);
	report_free(&nobody);
}

static void
test_no_memory(void **state)
{
	struct hours *f = *state;
	struct report *r = rich_report(f);

	hours_starve(r, report_text);
	report_free(&r);
}

int
main(void)
{
#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, hours_set_up, hours_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_whole_day),
	    TEST(test_only_what_there_is),
	    TEST(test_nobody),
	    TEST(test_days),
	    TEST(test_strangers),
	    TEST(test_smtpd_processes),
	    TEST(test_pressure),
	    TEST(test_lists),
	    TEST(test_answers_of_lists),
	    TEST(test_trouble_of_lists),
	    TEST(test_names_of_lists),
	    TEST(test_no_room),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
