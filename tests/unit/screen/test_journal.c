/* SPDX-License-Identifier: ISC */
/* links: given_addr */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "screen/journal.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ops/json_value.h"
#include "support/given_addr.h"

static char last[LOG_LINE_MAX + 1];
static enum log_voice last_voice;
static enum log_level last_level;
static unsigned lines;

static void
keep(enum log_level level, enum log_voice voice, const char *text, size_t n,
    void *arg)
{
	(void)arg;
	(void)snprintf(last, sizeof(last), "%.*s", (int)n, text);
	last_level = level;
	last_voice = voice;
	lines++;
}

static int
setup(void **state)
{
	(void)state;
	lines = 0;
	last[0] = '\0';
	log_set_sink(keep, NULL);
	log_set_utf8(true);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	log_set_form(LOG_FORM_PLAIN);
	return 0;
}

/* One line for every row that admins' tools read, byte for byte. */
static void
test_lines(void **state)
{
	struct endpoint v4 = given_endpoint("192.0.2.1", 40000);
	struct endpoint v6 = given_endpoint("2001:db8::1", 40000);
	struct endpoint mx = given_endpoint("198.51.100.5", 25);
	struct addr listed = given_addr("127.0.0.2");
	const struct {
		enum journal_event event;
		struct journal_line line;
		const char *want;
	} cases[] = {
	    {EVENT_CONNECT, {.client = &v6, .server = &mx},
		"CONNECT from [2001:db8::1]:40000 to [198.51.100.5]:25"},
	    {EVENT_ALLOWLISTED, {.client = &v4},
		"ALLOWLISTED [192.0.2.1]:40000"},
	    {EVENT_ALLOWLISTED, {.client = &v4, .old_words = true},
		"WHITELISTED [192.0.2.1]:40000"},
	    {EVENT_ALLOWLIST_VETO, {.client = &v4, .old_words = true},
		"WHITELIST VETO [192.0.2.1]:40000"},
	    {EVENT_PREGREET,
		{.client = &v4,
		    .number = 11,
		    .delay_ms = 390,
		    .delay_decimals = 2,
		    .quoted = {"EHLO a\\b\r\n", 10}},
		"PREGREET 11 after 0.39 from [192.0.2.1]:40000: "
		"EHLO a\\\\b\\r\\n"},
	    {EVENT_HANGUP_LATE,
		{.client = &v4, .delay_ms = 16400, .delay_decimals = 2},
		"HANGUP after 16.0 from [192.0.2.1]:40000 in tests after "
		"SMTP handshake"},
	    {EVENT_DNSBL_RANK, {.client = &v4, .number = -3},
		"DNSBL rank -3 for [192.0.2.1]:40000"},
	    {EVENT_DNSBL_LISTED,
		{.address = &v6.addr, .word = "bl.test", .listed_as = &listed},
		"addr 2001:db8::1 listed by domain bl.test as 127.0.0.2"},
	    {EVENT_COMMAND_FILTERED,
		{.client = &v4,
		    .text = {"a\\\t\377", 4},
		    .other = {"NOOPx", 4}},
		"[192.0.2.1]:40000: replacing command \"a\\??\" with \"NOOP\""},
	    {EVENT_KEYWORDS, {.client = &v6, .text = {"DSN, ETRN", 9}},
		"[2001:db8::1]:40000: discarding EHLO keywords: DSN, ETRN"},
	    {EVENT_UNKNOWN_MACRO, {.word = "x"},
		"warning: unknown macro name \"x\" in expansion request"},
	    {EVENT_BAD_FOOTER, {.quoted = {"why\n", 4}},
		"warning: reject footer not used: why\\n"},
	    {EVENT_DNSBL_TIMEOUT, {.number = 10, .word = "bl.test"},
		"warning: dnsblog reply timeout 10s for bl.test"},
	    {EVENT_REJECT_RCPT,
		{.client = &v4,
		    .reply = {"550 5.5.1 Protocol error", 24},
		    .sender = {"a@b", 3},
		    .recipient = {"c@d", 3},
		    .proto = "ESMTP",
		    .helo = {"x>,y=<z", 7}},
		"NOQUEUE: reject: RCPT from [192.0.2.1]:40000: 550 5.5.1 "
		"Protocol error; from=<a@b>, to=<c@d>, proto=ESMTP, "
		"helo=<x??y=?z>"},
	    {EVENT_REJECT_FULL, {.client = &v4},
		"reject: connect from [192.0.2.1]:40000: all screening "
		"ports busy"},
	    {EVENT_COUNT_LIMIT, {.client = &v4, .word = "RCPT"},
		"COMMAND COUNT LIMIT from [192.0.2.1]:40000 after RCPT"},
	    {EVENT_STRESS_ENTER, {.number = 90},
		"entering STRESS mode with 90 connections"},
	};
	struct journal j = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		journal_write(&j, cases[i].event, &cases[i].line);
		assert_string_equal(last, cases[i].want);
		assert_true(j.seen[cases[i].event] > 0);
	}
	assert_int_equal(lines, sizeof(cases) / sizeof(*cases));
}

static void
test_voice_and_level(void **state)
{
	struct endpoint v4 = given_endpoint("192.0.2.1", 1);
	struct journal j = {0};

	(void)state;
	journal_write(&j, EVENT_CONNECT,
	    &(struct journal_line){.client = &v4, .server = &v4});
	assert_int_equal(last_voice, LOG_VOICE_MAIN);
	assert_int_equal(last_level, LOG_LEVEL_INFO);
	journal_write(&j, EVENT_DNSBL_FAILED,
	    &(struct journal_line){
		.word = "x.bl.test", .quoted = span_str("SERVFAIL")});
	assert_int_equal(last_voice, LOG_VOICE_DNSBLOG);
	assert_int_equal(last_level, LOG_LEVEL_WARNING);
	assert_string_equal(last,
	    "warning: dnsblog_query: lookup error for DNS query x.bl.test: "
	    "SERVFAIL");
}

static void
test_quoted_text_is_cut(void **state)
{
	struct endpoint v4 = given_endpoint("192.0.2.1", 1);
	struct journal j = {0};
	char junk[1023];
	const char *text;

	(void)state;
	memset(junk, 0x16, sizeof(junk));
	journal_write(&j, EVENT_PREGREET,
	    &(struct journal_line){
		.client = &v4, .number = 1023, .quoted = {junk, sizeof(junk)}});
	text = strstr(last, "]:1: ");
	assert_non_null(text);
	assert_int_equal(strlen(text + 5), 100);
	assert_int_equal(strncmp(text + 5, "\\026\\026", 8), 0);
}

static void
test_floods_are_summed_up(void **state)
{
	struct journal j = {0};
	struct journal_line line = {.number = 10, .word = "bl.test"};
	struct mono now = {1000};

	(void)state;
	for (unsigned i = 0; i < JOURNAL_BURST + 7; i++)
		journal_write_limited(&j, EVENT_DNSBL_TIMEOUT, &line, now);
	assert_int_equal(lines, JOURNAL_BURST);
	assert_int_equal(j.seen[EVENT_DNSBL_TIMEOUT], JOURNAL_BURST + 7);
	journal_write_limited(
	    &j, EVENT_DNSBL_TIMEOUT, &line, mono_after(now, JOURNAL_WINDOW_MS));
	assert_int_equal(lines, JOURNAL_BURST + 2);
	assert_string_equal(
	    last, "warning: dnsblog reply timeout 10s for bl.test");
}

/* Nobody has to say it again before the log tells how often it was said. */
static void
test_limit_is_told_in_time(void **state)
{
	struct journal_line line = {.number = 10, .word = "bl.test"};
	struct mono now = {5000};
	struct journal j = {.compatibility_noted = false};

	(void)state;
	journal_tick(&j, now);
	assert_int_equal(lines, 0);
	for (unsigned i = 0; i < JOURNAL_BURST + 7; i++)
		journal_write_limited(&j, EVENT_DNSBL_TIMEOUT, &line, now);
	journal_tick(&j, mono_after(now, JOURNAL_WINDOW_MS - 1));
	assert_int_equal(lines, JOURNAL_BURST);
	journal_tick(&j, mono_after(now, JOURNAL_WINDOW_MS));
	assert_int_equal(lines, JOURNAL_BURST + 1);
	assert_string_equal(last,
	    "warning: 7 more lines in the last minute like: dnsblog reply"
	    " timeout");
	journal_tick(&j, mono_after(now, 2 * JOURNAL_WINDOW_MS));
	assert_int_equal(lines, JOURNAL_BURST + 1);
	/* A minute with fewer has no sum. */
	journal_write_limited(&j, EVENT_DNSBL_TIMEOUT, &line, now);
	journal_tick(&j, mono_after(now, JOURNAL_WINDOW_MS));
	assert_int_equal(lines, JOURNAL_BURST + 2);
}

/* --- named fields --------------------------------------------------------- */

static void
test_named_fields(void **state)
{
	struct endpoint v4 = given_endpoint("192.0.2.1", 40000);
	struct endpoint mx = given_endpoint("2001:db8::25", 25);
	struct addr listed = given_addr("127.0.0.2");
	const struct {
		enum journal_event event;
		struct journal_line line;
		const char *logfmt, *json;
	} cases[] = {
	    {EVENT_CONNECT, {.ident = 62, .client = &v4, .server = &mx},
		"level=info event=connect session=00000000010 client=192.0.2.1 "
		"client_port=40000 server=2001:db8::25 server_port=25",
		"{\"level\":\"info\",\"event\":\"connect\",\"session\":"
		"\"00000000010\",\"client\":\"192.0.2.1\",\"client_port\":"
		"40000,\"server\":\"2001:db8::25\",\"server_port\":25}"},
	    {EVENT_PREGREET,
		{.ident = 62,
		    .client = &v4,
		    .number = 11,
		    .delay_ms = 390,
		    .quoted = {"EHLO a\\b\r\n", 10}},
		"level=info event=pregreet session=00000000010 "
		"client=192.0.2.1 client_port=40000 bytes=11 delay_ms=390 "
		"text=\"EHLO a\\\\b\\r\\n\"",
		"{\"level\":\"info\",\"event\":\"pregreet\",\"session\":"
		"\"00000000010\",\"client\":\"192.0.2.1\",\"client_port\":"
		"40000,\"bytes\":11,\"delay_ms\":390,"
		"\"text\":\"EHLO a\\\\b\\r\\n\"}"},
	    {EVENT_DNSBL_LISTED,
		{.address = &mx.addr, .word = "bl.test", .listed_as = &listed},
		"level=info event=dnsbl_listed client=2001:db8::25 "
		"list=bl.test answer=127.0.0.2",
		"{\"level\":\"info\",\"event\":\"dnsbl_listed\",\"client\":"
		"\"2001:db8::25\",\"list\":\"bl.test\","
		"\"answer\":\"127.0.0.2\"}"},
	    {EVENT_DNSBL_TIMEOUT, {.number = 10, .word = "bl.test"},
		"level=warning event=dnsbl_timeout seconds=10 list=bl.test",
		"{\"level\":\"warning\",\"event\":\"dnsbl_timeout\","
		"\"seconds\":10,\"list\":\"bl.test\"}"},
	    {EVENT_STRESS_ENTER, {.number = 90},
		"level=info event=stress_enter connections=90",
		"{\"level\":\"info\",\"event\":\"stress_enter\","
		"\"connections\":90}"},
	};
	struct journal j = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		log_set_form(LOG_FORM_LOGFMT);
		journal_write(&j, cases[i].event, &cases[i].line);
		assert_string_equal(last, cases[i].logfmt);
		log_set_form(LOG_FORM_JSON);
		journal_write(&j, cases[i].event, &cases[i].line);
		assert_string_equal(last, cases[i].json);
	}
}

static const char *const rests[EVENT_COUNT] = {
#define EVENT(id, word, old, level, voice, rest, ...) [EVENT_##id] = rest,
#include "screen/events.def"
#undef EVENT
};
static const char *const names[EVENT_COUNT] = {
#define EVENT(id, word, old, level, voice, rest, groups, names) \
	[EVENT_##id] = names,
#include "screen/events.def"
#undef EVENT
};

/* The fields of the row are there, in a line that is one JSON object, and none
 * that a client would like to have. */
static void
check_event(enum journal_event event)
{
	struct span rest = span_str(names[event]), word;
	struct json_tree *tree;
	struct errtext why;
	char name[64];

	tree = json_tree_new(span_str(last), &why);
	if (tree == NULL) {
		print_error("event %d: %s: %s\n", (int)event, why.text, last);
		fail();
	}
	while (text_token(&rest, " ", &word)) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)word.n, word.p);
		if (json_value_get(json_tree_root(tree), name) == NULL) {
			print_error("no %s in %s\n", name, last);
			fail();
		}
	}
	assert_null(json_value_get(json_tree_root(tree), "fake"));
	json_tree_free(&tree);
}

/* Every row, with the worst a client can say, in every place and at length. */
static void
test_no_forged_fields(void **state)
{
	static const char evil[] = "\",\"fake\":\"1\r\n\xc2\x85\xff fake=1 }";
	char text[2048];
	struct endpoint v6 = given_endpoint("2001:db8:1:2:3:4:5:6", 65535);
	struct addr listed = given_addr("127.255.255.254");
	struct span junk = {text, 0};
	struct journal j = {0};

	(void)state;
	while (junk.n + sizeof(evil) < sizeof(text)) {
		memcpy(text + junk.n, evil, sizeof(evil) - 1);
		junk.n += sizeof(evil) - 1;
	}
	text[junk.n] = '\0';
	log_set_form(LOG_FORM_JSON);
	for (enum journal_event i = 0; i < EVENT_COUNT; i++) {
		struct journal_line line = {.ident = UINT64_MAX,
		    .client = &v6,
		    .server = &v6,
		    .address = &v6.addr,
		    .listed_as = &listed,
		    .delay_ms = INT64_C(1) << 50,
		    .number = -(INT64_C(1) << 50),
		    .command = junk,
		    .quoted = junk,
		    .text = junk,
		    .other = junk,
		    .word = text,
		    .reply = junk,
		    .sender = junk,
		    .recipient = junk,
		    .helo = junk,
		    .proto = "ESMTP"};

		journal_write(&j, i, &line);
		check_event(i);
	}
}

/* A name for each letter. */
static void
test_names(void **state)
{
	struct span rest, word;
	unsigned letters, words;

	(void)state;
	for (size_t i = 0; i < EVENT_COUNT; i++) {
		letters = words = 0;
		for (const char *p = rests[i]; *p != '\0'; p++)
			letters += *p == '%';
		rest = span_str(names[i]);
		while (text_token(&rest, " ", &word))
			words++;
		if (letters != words) {
			print_error("\"%s\": \"%s\"\n", rests[i], names[i]);
			fail();
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_voice_and_level, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_quoted_text_is_cut, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_floods_are_summed_up, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_limit_is_told_in_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_named_fields, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_no_forged_fields, setup, teardown),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
