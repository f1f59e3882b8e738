/* SPDX-License-Identifier: ISC */
#include "ops/logbook.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ops/report.h"

#define EVER ((struct wall){1000000000000})

struct told {
	struct history history;
	struct logbook *book;
};

static void
begin(struct told *t, int64_t since, int64_t until)
{
	history_init(&t->history);
	t->book = logbook_new(
	    &t->history, (struct wall){since}, (struct wall){until});
	assert_non_null(t->book);
}

/* "SECONDS TEXT", the text as "PROGRAM[PID]: ..." behind a day and an hour. */
static void
tell(struct told *t, int seconds, const char *text)
{
	struct logline l;
	char line[512];

	snprintf(line, sizeof(line), "2026-11-20T%02d:%02d:%02dZ mx postfix/%s",
	    10 + seconds / 3600, seconds / 60 % 60, seconds % 60, text);
	logline_parse(span_str(line), EVER, &l);
	logbook_line(t->book, &l);
}

static void
screen(struct told *t, int seconds, const char *text)
{
	char line[512];

	snprintf(line, sizeof(line), "postscreen[7]: %s", text);
	tell(t, seconds, line);
}

static void
finish(struct told *t, uint64_t *sum)
{
	assert_int_equal(logbook_finish(t->book), 0);
	logbook_free(&t->book);
	history_sum(&t->history, sum);
}

#define A "[192.0.2.1]:1001"
#define B "[192.0.2.2]:1002"
#define TO " to [198.51.100.25]:25"

static void
test_one_of_each(void **state)
{
	uint64_t sum[FIGURE_COUNT];
	struct told t;

	(void)state;
	begin(&t, 0, EVER.s);
	screen(&t, 0, "CONNECT from " A TO);
	screen(&t, 0, "PREGREET 11 after 0.3 from " A ": EHLO x");
	tell(&t, 1,
	    "dnsblog[8]: addr 192.0.2.1 listed by domain a.test as"
	    " 127.0.0.2");
	tell(&t, 1,
	    "dnsblog[8]: addr 192.0.2.1 listed by domain a.test as"
	    " 127.0.0.4");
	tell(&t, 1,
	    "dnsblog[8]: addr 192.0.2.1 listed by domain b.test as"
	    " 127.0.0.2");
	tell(&t, 1,
	    "dnsblog[8]: addr 192.0.2.9 listed by domain c.test as"
	    " 127.0.0.2"); /* of nobody */
	screen(&t, 6, "DNSBL rank 3 for " A);
	screen(&t, 6,
	    "NOQUEUE: reject: RCPT from " A ": 550 no; from=<>,"
	    " to=<a@b>, proto=SMTP, helo=<x>");
	screen(&t, 7, "DISCONNECT " A);
	screen(&t, 10, "CONNECT from " B TO);
	screen(&t, 16, "PASS NEW " B);
	screen(&t, 20, "CONNECT from " B TO); /* the port again */
	screen(&t, 20, "PASS OLD " B);
	screen(&t, 30, "CONNECT from " A TO);
	screen(&t, 31,
	    "HANGUP after 0.7 from " A " in tests before SMTP handshake");
	screen(&t, 31, "DISCONNECT " A);
	screen(&t, 31, "DISCONNECT " A); /* of nobody */
	finish(&t, sum);
	assert_int_equal(report_visits(sum), 4);
	assert_int_equal(sum[FIGURE_BOTH], 1);
	assert_int_equal(sum[FIGURE_NEW], 1);
	assert_int_equal(sum[FIGURE_KNOWN], 1);
	assert_int_equal(sum[FIGURE_HUNG_UP], 1);
	assert_int_equal(sum[FIGURE_WAIT_MS], 6000);
	assert_int_equal(sum[FIGURE_HANGUPS_EARLY + totals_bucket(700)], 1);
	assert_int_equal(sum[FIGURE_HELD], 1);
	assert_int_equal(sum[FIGURE_BURST], 2);
	assert_int_equal(t.history.lists.lists, 2);
	assert_int_equal(t.history.lists.list[0].visits, 1);
	assert_int_equal(t.history.lists.list[0].only, 0);
	assert_int_equal(t.history.lists.list[0].with[1], 1);
	history_clear(&t.history);
}

/* Two connections of an address share one round of questions. */
static void
test_shared_answers(void **state)
{
	uint64_t sum[FIGURE_COUNT];
	struct told t;

	(void)state;
	begin(&t, 0, EVER.s);
	screen(&t, 0, "CONNECT from [192.0.2.1]:1" TO);
	tell(&t, 1,
	    "dnsblog[8]: addr 192.0.2.1 listed by domain a.test as"
	    " 127.0.0.2");
	screen(&t, 2, "CONNECT from [192.0.2.1]:2" TO);
	screen(&t, 6, "DNSBL rank 3 for [192.0.2.1]:1");
	screen(&t, 6, "DISCONNECT [192.0.2.1]:1");
	screen(&t, 8, "DNSBL rank 3 for [192.0.2.1]:2");
	screen(&t, 8, "DISCONNECT [192.0.2.1]:2");
	finish(&t, sum);
	assert_int_equal(sum[FIGURE_LISTED], 2);
	assert_int_equal(t.history.lists.list[0].visits, 2);
	assert_int_equal(t.history.lists.list[0].only, 2);
	assert_int_equal(sum[FIGURE_HELD], 2);
	history_clear(&t.history);
}

static void
test_ends_that_are_missing(void **state)
{
	uint64_t sum[FIGURE_COUNT];
	struct told t;

	(void)state;
	begin(&t, 0, EVER.s);
	screen(&t, 0, "CONNECT from " A TO);
	screen(&t, 0, "PREGREET 11 after 0.3 from " A ": x"); /* ignored */
	screen(&t, 1, "CONNECT from " B TO);                  /* nobody knows */
	screen(&t, 7200, "CONNECT from [192.0.2.3]:3" TO);
	screen(&t, 7201, "PASS NEW [192.0.2.3]:3");
	screen(&t, 7202, "CONNECT from [192.0.2.4]:4" TO); /* still there */
	screen(&t, 7202, "PREGREET 11 after 0.3 from [192.0.2.4]:4: x");
	finish(&t, sum);
	assert_int_equal(report_visits(sum), 2);
	assert_int_equal(sum[FIGURE_EARLY], 1);
	assert_int_equal(sum[FIGURE_EXCUSED], 1);
	assert_int_equal(sum[FIGURE_NEW], 1);
	assert_int_equal(t.history.unfinished, 2);
	assert_int_equal(t.history.hours, 2);
	history_clear(&t.history);
}

static void
test_smtpd_and_stress(void **state)
{
	uint64_t sum[FIGURE_COUNT];
	struct told t;

	(void)state;
	begin(&t, 0, EVER.s);
	tell(&t, 0, "smtpd[1]: connect from x[192.0.2.1]");
	tell(&t, 1, "smtpd[2]: connect from x[192.0.2.1]");
	tell(&t, 2, "smtpd[1]: disconnect from x[192.0.2.1]");
	tell(&t, 3, "smtpd[3]: connect from x[192.0.2.1]");
	tell(&t, 4, "smtpd[3]: connect from x[192.0.2.1]"); /* it had died */
	tell(&t, 4, "smtpd[9]: disconnect from x[192.0.2.1]");
	screen(&t, 3500, "entering STRESS mode with 90 connections");
	screen(&t, 3700, "leaving STRESS mode with 70 connections");
	screen(&t, 3700, "leaving STRESS mode with 70 connections");
	tell(&t, 7300, "smtpd[4]: connect from x[192.0.2.1]"); /* 2, 3: old */
	finish(&t, sum);
	assert_int_equal(sum[FIGURE_SMTPD], 2);
	assert_int_equal(sum[FIGURE_STRESS_ENTERED], 1);
	assert_int_equal(sum[FIGURE_STRESS_S], 200);
	assert_int_equal(t.history.hour[0].figure[FIGURE_STRESS_S], 100);
	assert_int_equal(t.history.hour[1].figure[FIGURE_STRESS_S], 100);
	assert_int_equal(t.history.hour[2].figure[FIGURE_SMTPD], 1);
	history_clear(&t.history);
}

static void
test_period(void **state)
{
	uint64_t sum[FIGURE_COUNT];
	struct told t;

	(void)state;
	/* 10:00:10 to 10:00:20 */
	begin(&t, 1795168810, 1795168820);
	for (int s = 0; s < 30; s += 5) {
		screen(&t, s, "CONNECT from " A TO);
		screen(&t, s, "PASS OLD " A);
	}
	finish(&t, sum);
	assert_int_equal(sum[FIGURE_KNOWN], 2);
	history_clear(&t.history);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_of_each),
	    cmocka_unit_test(test_shared_answers),
	    cmocka_unit_test(test_ends_that_are_missing),
	    cmocka_unit_test(test_smtpd_and_stress),
	    cmocka_unit_test(test_period),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
