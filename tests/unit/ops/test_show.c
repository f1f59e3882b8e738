/* SPDX-License-Identifier: ISC */
#include "ops/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

/* Answers as the daemon gives them, and as it never should: what is shown goes
 * to a terminal, and what is missing is left out. Times are UTC. */

#define SESSION_HEAD                                                          \
	"SESSION     ADDRESS                                  PORT PHASE    " \
	"     AGE STANDING FAILED\n"
#define LIST_HEAD                                                             \
	"LIST                           STATE     QUERIES   LISTED     ONLY " \
	"   CODES   FAILED  TIMEOUT   P50 MS   P99 MS\n"

static const struct {
	const char *name;
	enum order_id order;
	const char *answer, *want;
} cases[] = {
    {"status", ORDER_STATUS,
	"{\"version\":\"1.2\",\"pid\":77,\"mode\":\"service\",\"config\":"
	"\"/etc/postfix\",\"uptime_ms\":7384000,\"stress\":true,\"sessions\":"
	"3,\"session_limit\":500,\"phases\":{\"greet\":2,\"dialogue\":0,"
	"\"relay\":1},\"handoffs\":{\"waiting\":4,\"in_flight\":5},"
	"\"relayed\":6,\"cache\":{\"usable\":true,\"waiting\":8},"
	"\"counters\":{\"connections_total\":9,\"odd\":null}}",
	"doorbelld 1.2, process 77, service, for 2h3m\n"
	"configuration /etc/postfix\n"
	"stress        yes\n"
	"sessions      3 of 500 (2 greet, 1 relay)\n"
	"for smtpd     4 waiting, 5 sent, 6 relayed\n"
	"cache         in use, 8 changes to write\n"
	"counted since the counters began\n"
	"  connections_total        9\n"
	"  odd                      \n"},
    {"status that says nothing", ORDER_STATUS, "{}",
	"doorbelld , process 0, , for 0.0s\n"
	"configuration \n"
	"stress        no\n"
	"sessions      0 of 0\n"
	"for smtpd     0 waiting, 0 sent, 0 relayed\n"
	"cache         none, 0 changes to write\n"
	"counted since the counters began\n"},
    {"phases without names", ORDER_STATUS, "{\"phases\":[1,[2]]}",
	"doorbelld , process 0, , for 0.0s\n"
	"configuration \n"
	"stress        no\n"
	"sessions      0 of 0 (1 -)\n"
	"for smtpd     0 waiting, 0 sent, 0 relayed\n"
	"cache         none, 0 changes to write\n"
	"counted since the counters began\n"},
    {"sessions", ORDER_SESSIONS,
	"{\"sessions\":[{\"session\":\"k3\",\"address\":\"192.0.2.9\","
	"\"port\":40000,\"phase\":\"greet\",\"age_ms\":1250,\"standing\":"
	"\"stranger\",\"tls\":false,\"failed\":[]},{\"session\":\"k4\","
	"\"address\":\"2001:db8:1111:2222:3333:4444:5555:6666\",\"port\":25,"
	"\"phase\":\"dialogue\",\"age_ms\":59999,\"standing\":\"known\","
	"\"failed\":[\"pregreet\",\"DNSBL\"]}],\"matching\":2}",
	SESSION_HEAD
	"k3          192.0.2.9                               40000 greet    "
	"    1.2s stranger -\n"
	"k4          2001:db8:1111:2222:3333:4444:5555:6666     25 dialogue "
	"   59.9s known    pregreet,DNSBL\n"},
    {"more sessions than are shown", ORDER_SESSIONS,
	"{\"sessions\":[],\"matching\":7}",
	SESSION_HEAD "... and 7 more: --limit says how many\n"},
    {"no sessions", ORDER_SESSIONS, "{\"sessions\":[],\"matching\":0}",
	SESSION_HEAD},
    {"explain", ORDER_EXPLAIN,
	"{\"address\":\"192.0.2.9\",\"outcome\":\"tested\",\"story\":"
	"[\"One.\",\"Two.\"]}",
	"192.0.2.9\n  One.\n  Two.\n"},
    {"explain without a story", ORDER_EXPLAIN, "{\"address\":\"::1\"}",
	"::1\n"},
    {"DNS lists", ORDER_DNSBL,
	"{\"lists\":[{\"list\":\"bl.test\",\"state\":\"used\",\"queries\":"
	"1,\"listed\":2,\"only\":3,\"error_codes\":4,\"failures\":5,"
	"\"timeouts\":6,\"p50_ms\":7,\"p99_ms\":8}]}",
	LIST_HEAD
	"bl.test                        used            1        2        3 "
	"       4        5        6        7        8\n"},
    {"no DNS lists", ORDER_DNSBL, "{\"lists\":[]}", "no DNS lists are asked\n"},
    {"nothing about DNS lists", ORDER_DNSBL, "{}", "no DNS lists are asked\n"},
    {"allow", ORDER_ALLOW,
	"{\"rule\":{\"what\":\"allow\",\"block\":\"192.0.2.0/24\",\"until\":"
	"1700003600,\"uid\":0,\"since\":1700000000,\"note\":\"a "
	"customer\"},\"kept\":true}",
	"allow 192.0.2.0/24       until 2023-11-14 23:13:20  by root on "
	"2023-11-14 22:13:20: a customer\n"},
    {"deny that is not kept", ORDER_DENY,
	"{\"rule\":{\"what\":\"deny\",\"block\":\"::/0\",\"until\":null,"
	"\"uid\":4123456789,\"since\":1700000000,\"note\":\"\"},\"kept\":"
	"false}",
	"deny  ::/0               until it is forgotten      by uid "
	"4123456789 on 2023-11-14 22:13:20\n"
	"it cannot be kept: it ends with this doorbelld\n"},
    {"no time of ours", ORDER_ALLOW,
	"{\"rule\":{\"what\":\"allow\",\"block\":\"::1\",\"until\":"
	"922337203685477580,\"uid\":4123456789},\"kept\":true}",
	"allow ::1                until 922337203685477580  by uid 4123456789 "
	"on 1970-01-01 00:00:00\n"},
    {"rules", ORDER_RULES,
	"{\"total\":3,\"rules\":[{\"what\":\"deny\",\"block\":\"192.0.2.1\","
	"\"until\":null,\"uid\":0,\"since\":0}]}",
	"deny  192.0.2.1          until it is forgotten      by root on "
	"1970-01-01 00:00:00\n"
	"... and 2 more: --limit says how many\n"},
    {"no rules", ORDER_RULES, "{\"total\":0,\"rules\":[]}",
	"nothing is allowed or denied by hand\n"},
    {"none of the rules", ORDER_RULES, "{\"total\":2,\"rules\":[]}",
	"... and 2 more: --limit says how many\n"},
    {"forget", ORDER_FORGET,
	"{\"block\":\"192.0.2.1/32\",\"rule\":true,\"cache\":true}",
	"192.0.2.1/32: the rule is gone\n"
	"what the cache knew is forgotten\n"},
    {"forget what is not there", ORDER_FORGET,
	"{\"block\":\"192.0.2.1/32\",\"rule\":false,\"cache\":false}",
	"192.0.2.1/32: there was no rule\nthe cache knew nothing\n"},
    {"forget a network", ORDER_FORGET,
	"{\"block\":\"192.0.2.0/24\",\"rule\":true,\"cache\":null}",
	"192.0.2.0/24: the rule is gone\n"
	"its clients stay in the cache as they are\n"},
    {"version", ORDER_VERSION, "{\"version\":\"1.2\",\"pid\":7}",
	"doorbelld 1.2\n"},
    {"reload", ORDER_RELOAD, "{}",
	"the configuration is read again, under master(8) by the next process; "
	"the log says how it went\n"},
    {"drain", ORDER_DRAIN, "{\"sessions\":12}",
	"nobody is accepted any more; 12 sessions go on\n"},
    {"log level", ORDER_LOG_LEVEL, "{\"log_level\":3}", "log level 3\n"},
    {"a command without a view", ORDER_TOP,
	"{\"text\":\"a\\tb\",\"yes\":true,\"no\":false,\"n\":-5,\"list\":[1],"
	"\"a key that is longer than its column\":1}",
	"text                     a?b\n"
	"yes                      yes\n"
	"no                       no\n"
	"n                        -5\n"
	"list                     \n"
	"a key that is longer than its column 1\n"},
    {"an array for an answer", ORDER_TOP, "[1,\"x\"]",
	"-                        1\n-                        x\n"},
    {"a terminal is not told what to do", ORDER_EXPLAIN,
	"{\"address\":\"\\u001b[2J\\u009b1m\\r\\n\\u0000\","
	"\"story\":[\"\\u001b]0;x\\u0007 caf\\u00e9 \\u007f\"]}",
	"?[2J??1m???\n  ?]0;x? caf\xc3\xa9 ?\n"},
};

static char *
shown(enum order_id order, const char *answer)
{
	struct errtext why;
	struct json_tree *tree = json_tree_new(span_str(answer), &why);
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (tree == NULL)
		fail_msg("%s: %s", why.text, answer);
	assert_non_null(out);
	show_answer(order, json_tree_root(tree), out);
	assert_int_equal(fclose(out), 0);
	json_tree_free(&tree);
	return text;
}

static void
test_views(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = shown(cases[i].order, cases[i].answer);

		if (strcmp(text, cases[i].want) != 0)
			fail_msg("case \"%s\":\n%s\nnot\n%s", cases[i].name,
			    text, cases[i].want);
		free(text);
	}
}

/* Whatever the daemon says, or something in its place. */
static void
test_other_shapes(void **state)
{
	static const char *const answers[] = {"5", "null", "\"x\"", "[]", "{}",
	    "[[[]]]",
	    "{\"phases\":5,\"handoffs\":[],\"cache\":\"x\",\"counters\":null,"
	    "\"sessions\":{\"a\":1,\"b\":[]},\"story\":5,\"lists\":[1,[],\"\"],"
	    "\"rules\":[null],\"rule\":[],\"total\":-4,\"matching\":-1,"
	    "\"offenders\":7,\"format\":[]}",
	    "{\"phases\":[9],\"sessions\":[[1]],\"rules\":{\"a\":{}},\"lists\":"
	    "{\"a\":{}},\"story\":{\"a\":{}},\"uptime_ms\":-5,\"counters\":"
	    "[true]}"};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		for (enum order_id o = ORDER_NONE; o < ORDER_COUNT; o++) {
			char *text = shown(o, answers[i]);

			assert_true(
			    text[0] == '\0' || text[strlen(text) - 1] == '\n');
			free(text);
		}
}

static void
test_durations(void **state)
{
	static const struct {
		long long ms;
		const char *want;
	} spans[] = {
	    {0, "0.0s"},
	    {99, "0.0s"},
	    {100, "0.1s"},
	    {59999, "59.9s"},
	    {60000, "1m0s"},
	    {3599999, "59m59s"},
	    {3600000, "1h0m"},
	    {86399999, "23h59m"},
	    {86400000, "1d0h"},
	    {INT64_MAX, "106751991167d7h"},
	};
	char answer[64], want[64], *text;

	(void)state;
	for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++) {
		(void)snprintf(answer, sizeof(answer), "{\"uptime_ms\":%lld}",
		    spans[i].ms);
		(void)snprintf(want, sizeof(want), ", for %s\n", spans[i].want);
		text = shown(ORDER_STATUS, answer);
		if (strstr(text, want) == NULL)
			fail_msg("%lld: %s", spans[i].ms, text);
		free(text);
	}
}

static char *
text_shown(const char *p, int width)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	show_text(out, p, width);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void
test_text(void **state)
{
	char longest[1001], *text;

	(void)state;
	text = text_shown("ab", 5);
	assert_string_equal(text, "ab   ");
	free(text);
	text = text_shown("abcdefg", 5);
	assert_string_equal(text, "abcdefg");
	free(text);
	text = text_shown("\x1b[31m\xff\xc3\xa9", 0);
	assert_string_equal(text, "?[31m?\xc3\xa9");
	free(text);
	/* It ends within a letter of two bytes. */
	for (size_t i = 0; i < sizeof(longest) - 1; i++)
		longest[i] = i % 2 == 0 ? 'x' : '\xc3';
	for (size_t i = 0; i + 2 < sizeof(longest); i += 2)
		memcpy(longest + i, "\xc3\xa9", 2);
	memmove(longest + 1, longest, sizeof(longest) - 2);
	longest[0] = 'x';
	longest[sizeof(longest) - 1] = '\0';
	text = text_shown(longest, 0);
	assert_int_equal(strlen(text), 400);
	assert_int_equal(memcmp(text, longest, 399), 0);
	assert_int_equal(text[399], '?');
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_views),
	    cmocka_unit_test(test_other_shapes),
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_text),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
