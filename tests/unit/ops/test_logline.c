/* SPDX-License-Identifier: ISC */
#include "ops/logline.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

/* 2026-11-21 12:00:00 UTC */
#define NOW ((struct wall){1795262400})

struct heard {
	char text[4096];
	enum log_voice voice;
};

static void
hear(enum log_level level, enum log_voice voice, const char *text, size_t n,
    void *arg)
{
	struct heard *h = arg;

	(void)level;
	h->voice = voice;
	snprintf(h->text, sizeof(h->text), "%.*s", (int)n, text);
}

static struct logline
parse(const char *line)
{
	struct logline l;

	logline_parse(span_str(line), NOW, &l);
	return l;
}

static const char *
program_of(enum log_voice voice)
{
	return voice == LOG_VOICE_DNSBLOG    ? "dnsblog"
	       : voice == LOG_VOICE_TLSPROXY ? "tlsproxy"
					     : "postscreen";
}

/* A line with something in each of its letters. */
static void
write_event(enum journal_event event, bool old_words, struct heard *h)
{
	static const struct endpoint client = {
	    {ADDR_IPV4, {192, 0, 2, 1}}, 40000};
	static const struct endpoint server = {
	    {ADDR_IPV4, {198, 51, 100, 25}}, 25};
	static const struct addr as = {ADDR_IPV4, {127, 0, 0, 2}};
	const struct journal_line line = {
	    .client = &client,
	    .server = &server,
	    .listed_as = &as,
	    .delay_ms = 390,
	    .delay_decimals = 2,
	    .number = -42,
	    .command = span_str("NOOP"),
	    .quoted = span_str("said \"from\"\r\n"),
	    .text = span_str("some"),
	    .other = span_str("more"),
	    .word = "word",
	    .reply = span_str("550 5.7.1 no"),
	    .sender = span_str("a@b.test"),
	    .recipient = span_str("c@d.test"),
	    .helo = span_str("helo.test"),
	    .proto = "ESMTP",
	    .old_words = old_words,
	};
	static struct journal j;

	h->text[0] = '\0';
	log_set_sink(hear, h);
	journal_write(&j, event, &line);
	log_set_sink(NULL, NULL);
}

static bool
has_letter(enum journal_event event, char letter)
{
	static const char *const rests[] = {
#define EVENT(id, word, old, level, voice, rest, ...) rest,
#include "screen/events.def"
#undef EVENT
	};
	char pattern[] = {'%', letter, '\0'};

	return strstr(rests[event], pattern) != NULL;
}

static void
test_every_row(void **state)
{
	static const struct {
		const char *before, *behind;
	} prefixes[] = {
	    {"Nov 20 23:52:48 mx.test postfix/", "[247]"},
	    {"<22>Nov  2 23:52:48 mx ", "[247]"},
	    {"2026-11-20T23:52:48.123456+01:00 mx postfix-out/", "[247]"},
	    {"2026-11-20T23:52:48+0100 mx postfix/", "[247]"},
	    {"2026-11-20 23:52:48Z mx postfix/", ""},
	};
	struct heard h;
	char line[5000];

	(void)state;
	for (size_t i = 0; i < 2 * EVENT_COUNT * 5; i++) {
		enum journal_event event = (enum journal_event)(i / 10);
		struct logline l;

		write_event(event, i % 2 == 1, &h);
		snprintf(line, sizeof(line), "%s%s%s: %s",
		    prefixes[i / 2 % 5].before, program_of(h.voice),
		    prefixes[i / 2 % 5].behind, h.text);
		l = parse(line);
		if (l.kind != LOGLINE_EVENT || l.event != event || l.cut)
			print_error("%s -> kind %d event %d, not %d\n", line,
			    (int)l.kind, (int)l.event, (int)event);
		assert_int_equal(l.kind, LOGLINE_EVENT);
		assert_int_equal(l.event, event);
		assert_false(l.cut);
		if (has_letter(event, 'c')) {
			assert_true(l.has_client);
			assert_int_equal(l.client.port, 40000);
		}
		if (has_letter(event, 't'))
			assert_int_equal(l.delay_ms, 390);
		if (has_letter(event, 'n'))
			assert_int_equal(l.number, -42);
	}
}

/* The same as named fields. */
static void
test_every_row_in_other_forms(void **state)
{
	static const enum log_form forms[] = {LOG_FORM_LOGFMT, LOG_FORM_JSON};
	struct heard h;
	char line[5000];

	(void)state;
	for (size_t i = 0; i < 2 * EVENT_COUNT; i++) {
		enum journal_event event = (enum journal_event)(i / 2);
		struct logline l;

		log_set_form(forms[i % 2]);
		write_event(event, false, &h);
		log_set_form(LOG_FORM_PLAIN);
		snprintf(line, sizeof(line), "Nov 20 23:52:48 mx %s[247]: %s",
		    program_of(h.voice), h.text);
		l = parse(line);
		if (l.kind != LOGLINE_EVENT || l.event != event)
			print_error("%s\n", line);
		assert_int_equal(l.kind, LOGLINE_EVENT);
		assert_int_equal(l.event, event);
		assert_int_equal(l.at_ms, 1795218768000);
		assert_true(l.has_client);
		assert_int_equal(l.client.addr.bytes[3], 1);
		assert_int_equal(l.client.port, 40000);
		if (has_letter(event, 't'))
			assert_int_equal(l.delay_ms, 390);
		if (has_letter(event, 'n'))
			assert_int_equal(l.number, -42);
		if (has_letter(event, 'i'))
			assert_int_equal(l.listed_as.bytes[0], 127);
		if (has_letter(event, 'w'))
			assert_true(span_is(l.word, "word"));
	}
}

/* No part of a line is taken for the whole, but for the end of a long one. */
static void
test_truncations(void **state)
{
	static const char line[] =
	    "Nov 20 23:52:48 mx postfix/postscreen[247]: NOQUEUE: reject: RCPT"
	    " from [192.0.2.1]:40000: 550 5.7.1 no; from=<a@b>, to=<c@d>,"
	    " proto=ESMTP, helo=<x>";
	char longer[3000];
	struct logline l;

	(void)state;
	for (size_t n = 0; n < sizeof(line) - 1; n++) {
		logline_parse(span_of(line, n), NOW, &l);
		if (l.kind != LOGLINE_OTHER)
			print_error("%.*s\n", (int)n, line);
		assert_int_equal(l.kind, LOGLINE_OTHER);
	}
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, line, strlen(line) - strlen("x>"));
	logline_parse(span_of(longer, 2000), NOW, &l);
	assert_int_equal(l.kind, LOGLINE_EVENT);
	assert_int_equal(l.event, EVENT_REJECT_RCPT);
	assert_true(l.cut);
	assert_int_equal(l.client.port, 40000);
	/* From the middle of an address nothing is made. */
	logline_parse(span_of(longer, 80), NOW, &l);
	assert_int_equal(l.kind, LOGLINE_OTHER);
}

static void
test_times(void **state)
{
	static const struct {
		const char *stamp;
		int64_t want_ms; /* -1: no date */
		bool exact;
	} cases[] = {
	    {"2026-11-20T23:52:48Z", 1795218768000, false},
	    {"2026-11-20T23:52:48.123456Z", 1795218768123, true},
	    {"2026-11-20T23:52:48.5+01:00", 1795215168500, true},
	    {"2026-11-20T23:52:48-0530", 1795238568000, false},
	    {"2026-11-20 23:52:48,250+00:00", 1795218768250, true},
	    {"2026-11-20T23:52:48", 1795218768000, false}, /* TZ=UTC */
	    {"Nov 20 23:52:48", 1795218768000, false},
	    {"Nov  2 23:52:48", 1793663568000, false},
	    {"Nov 20 23:52:48.250", 1795218768250, true},
	    {"Nov 22 11:00:00", 1795345200000, false}, /* a clock goes fast */
	    {"Nov 23 11:00:00", 1763895600000, false}, /* last year */
	    {"Dec 31 23:59:60", 1767225600000, false}, /* a leap second */
	    {"Foo 20 23:52:48", -1, false},
	    {"Nov 32 23:52:48", -1, false},
	    {"Nov 20 24:52:48", -1, false},
	    {"2026-13-20T23:52:48Z", -1, false},
	    {"2026-11-20T23:52:48+1", -1, false},
	    {"2026-11-20T23:52:48+01", -1, false},
	    {"2026-11-20T23:52:48+01:0x", -1, false},
	    {"2026-11-20T23:52:48+24:00", -1, false},
	    {"2026-11-20T23:52:48+01:60", -1, false},
	    {"2026-11-20T23:52:61Z", -1, false},
	    {"2026-11-20T23:60:48Z", -1, false},
	    {"2026-11-20T23:52:48.Z", -1, false},
	    {"2026-11-20T23:52:48,x", -1, false},
	    {"2026-11-20x23:52:48Z", -1, false},
	    {"2026-11-20 23-52:48Z", -1, false},
	    {"2026-11-32T23:52:48Z", -1, false},
	    {"2026-11-00T23:52:48Z", -1, false},
	    {"2026-11-x0T23:52:48Z", -1, false},
	    {"2026-00-20T23:52:48Z", -1, false},
	    {"2026-x1-20T23:52:48Z", -1, false},
	    {"2026-11x20T23:52:48Z", -1, false},
	    {"2026x11-20T23:52:48Z", -1, false},
	    {"202x-11-20T23:52:48Z", -1, false},
	    {"1969-12-31T23:52:48Z", -1, false},
	    {"Nov x0 23:52:48", -1, false},
	    {"Nov  0 23:52:48", -1, false},
	    {"Nov 20x23:52:48", -1, false},
	    {"Nov 20 23:52:48.x", -1, false},
	    {"2026-11-20T23:52Z", -1, false},
	    {"", -1, false},
	};
	char line[128];
	struct logline l;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(line, sizeof(line),
		    "%s mx postfix/postscreen[1]: DISCONNECT [192.0.2.1]:1",
		    cases[i].stamp);
		l = parse(line);
		if ((l.kind == LOGLINE_EVENT) != (cases[i].want_ms >= 0) ||
		    (l.kind == LOGLINE_EVENT && l.at_ms != cases[i].want_ms))
			print_error(
			    "%s: %lld\n", cases[i].stamp, (long long)l.at_ms);
		if (cases[i].want_ms < 0) {
			assert_int_equal(l.kind, LOGLINE_OTHER);
			continue;
		}
		assert_int_equal(l.kind, LOGLINE_EVENT);
		assert_int_equal(l.at_ms, cases[i].want_ms);
		assert_int_equal(l.exact, cases[i].exact);
	}
}

static void
test_lines(void **state)
{
	static const struct {
		const char *name, *text;
		enum logline_kind want;
	} cases[] = {
	    {"smtpd begins", "postfix/smtpd[7]: connect from x[192.0.2.1]",
		LOGLINE_SMTPD_BEGINS},
	    {"smtpd ends", "postfix/smtpd[7]: disconnect from x[192.0.2.1] a=1",
		LOGLINE_SMTPD_ENDS},
	    {"smtpd, else", "postfix/smtpd[7]: lost connection after DATA",
		LOGLINE_OTHER},
	    {"users' smtpd", "postfix/submission/smtpd[7]: connect from x",
		LOGLINE_OTHER},
	    {"another program", "sshd[7]: DISCONNECT [192.0.2.1]:1",
		LOGLINE_OTHER},
	    {"in another's voice",
		"postfix/dnsblog[7]: CONNECT from"
		" [192.0.2.1]:1 to [192.0.2.2]:25",
		LOGLINE_OTHER},
	    {"a warning that is none",
		"postfix/postscreen[7]: warning: DISCONNECT [192.0.2.1]:1",
		LOGLINE_OTHER},
	    {"no port",
		"postfix/postscreen[7]: PREGREET 5 after 0 from"
		" [192.0.2.1]: x",
		LOGLINE_EVENT},
	    {"bad port", "postfix/postscreen[7]: DISCONNECT [192.0.2.1]:70000",
		LOGLINE_OTHER},
	    {"bad address", "postfix/postscreen[7]: DISCONNECT [192.0.2]:7",
		LOGLINE_OTHER},
	    {"something behind, no port",
		"postfix/postscreen[7]: DISCONNECT [192.0.2.1] xy",
		LOGLINE_OTHER},
	    {"something behind",
		"postfix/postscreen[7]: DISCONNECT [192.0.2.1]:7 x",
		LOGLINE_OTHER},
	    {"a pid too large",
		"postfix/postscreen[9999999999]: DISCONNECT [192.0.2.1]:7",
		LOGLINE_OTHER},
	    {"an open pid", "postfix/postscreen[7: DISCONNECT [192.0.2.1]:7",
		LOGLINE_OTHER},
	    {"smtps' smtpd", "postfix/smtps/smtpd[7]: connect from x",
		LOGLINE_OTHER},
	    {"a blank in the tag", "post screen: DISCONNECT [192.0.2.1]:7",
		LOGLINE_OTHER},
	    {"a tag that does not end",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxx: DISCONNECT [192.0.2.1]:7",
		LOGLINE_OTHER},
	    {"a colon, and no port",
		"postfix/postscreen[7]: DISCONNECT [192.0.2.1]:x",
		LOGLINE_OTHER},
	    {"no such wait",
		"postfix/postscreen[7]: PREGREET 5 after x from"
		" [192.0.2.1]:1: x",
		LOGLINE_OTHER},
	    {"no such count",
		"postfix/postscreen[7]: PREGREET x after 0 from"
		" [192.0.2.1]:1: x",
		LOGLINE_OTHER},
	    {"bad pid", "postfix/postscreen[x]: DISCONNECT [192.0.2.1]:7",
		LOGLINE_OTHER},
	    {"no tag", ": DISCONNECT [192.0.2.1]:7", LOGLINE_OTHER},
	    {"forged in a PROXY header",
		"doorbelld[7]: warning: haproxy read: bad: a from [x]:1 from"
		" [192.0.2.1]:7",
		LOGLINE_EVENT},
	};
	char line[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct logline l;

		snprintf(
		    line, sizeof(line), "Nov 20 23:52:48 mx %s", cases[i].text);
		l = parse(line);
		if (l.kind != cases[i].want)
			print_error("%s: %d\n", cases[i].name, (int)l.kind);
		assert_int_equal(l.kind, cases[i].want);
	}
}

/* What is behind the ceiling is not looked at; a priority has an end. */
static void
test_ends(void **state)
{
	static const char line[] =
	    "Nov 20 23:52:48 mx postfix/postscreen[247]: PREGREET 9000 after 0"
	    " from [192.0.2.1]:7: ";
	static const char proxy[] =
	    "Nov 20 23:52:48 mx postfix/postscreen[247]: warning: haproxy read:"
	    " bad: ";
	static const char nobody[] =
	    "Nov 20 23:52:48 mx postfix/postscreen[247]: warning: cannot "
	    "connect"
	    " to service ";
	static char longer[LOGLINE_MAX + 100];
	struct logline l;

	(void)state;
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, line, strlen(line));
	logline_parse(span_of(longer, sizeof(longer)), NOW, &l);
	assert_int_equal(l.kind, LOGLINE_EVENT);
	assert_true(l.text.p + l.text.n == longer + LOGLINE_MAX);
	/* A number, or what stands before the client, is not cut. */
	memset(strstr(longer, "9000"), '1', 2500);
	logline_parse(span_of(longer, 2500), NOW, &l);
	assert_int_equal(l.kind, LOGLINE_OTHER);
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, nobody, strlen(nobody));
	logline_parse(span_of(longer, 2500), NOW, &l);
	assert_int_equal(l.kind, LOGLINE_OTHER);
	memcpy(longer, proxy, strlen(proxy));
	logline_parse(span_of(longer, 2500), NOW, &l);
	assert_int_equal(l.kind, LOGLINE_OTHER);
	assert_int_equal(parse("<22").kind, LOGLINE_OTHER);
	logline_parse(span_str(line), (struct wall){INT64_MAX}, &l);
	assert_int_equal(l.kind, LOGLINE_OTHER);
	assert_int_equal(parse("<22>").kind, LOGLINE_OTHER);
	assert_int_equal(parse("Nov 20 23:52:48 mx").kind, LOGLINE_OTHER);
}

static void
test_fields(void **state)
{
	struct logline l;

	(void)state;
	l = parse("Nov 20 23:52:48 mx postfix/dnsblog[7]: addr 2001:db8::1"
		  " listed by domain bl.test as 127.0.0.4");
	assert_true(span_is(l.word, "bl.test"));
	assert_int_equal(l.address.family, ADDR_IPV6);
	assert_int_equal(l.listed_as.bytes[3], 4);
	assert_int_equal(l.pid, 7);
	l = parse("Nov 20 23:52:48 mx postfix/postscreen[7]: HANGUP after 16"
		  " from [192.0.2.1]:7 in tests after SMTP handshake");
	assert_int_equal(l.event, EVENT_HANGUP_LATE);
	assert_int_equal(l.delay_ms, 16000);
	l = parse("Nov 20 23:52:48 mx postfix/postscreen[7]: WHITELISTED"
		  " [192.0.2.1]:7");
	assert_int_equal(l.event, EVENT_ALLOWLISTED);
	assert_true(l.old_words);
	l = parse("Nov 20 23:52:48 mx doorbelld[7]: RULE [192.0.2.1]:7: denied"
		  " by hand as 192.0.2.0/24");
	assert_int_equal(l.event, EVENT_RULE);
	assert_true(span_is(l.word, "denied"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_row),
	    cmocka_unit_test(test_every_row_in_other_forms),
	    cmocka_unit_test(test_truncations),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_fields),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
