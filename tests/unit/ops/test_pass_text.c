/* SPDX-License-Identifier: ISC */
/* links: given_addr */
#include "ops/pass_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "support/given_addr.h"

static void
test_parse(void **state)
{
	static const struct {
		const char *in;
		enum pass_text_kind want;
		const char *again; /* as it is written */
	} cases[] = {
	    {"127.0.0.2\t1795339072;1;1;1;1", PASS_TEXT_RECORD,
		"127.0.0.2\t1795339072;1;1;1;1\n"},
	    {"127.0.0.2\t1;2;3;4;5\r\n", PASS_TEXT_RECORD,
		"127.0.0.2\t1;2;3;4;5\n"},
	    {"2001:DB8::1 0;0;0;0;253402300799\n", PASS_TEXT_RECORD,
		"2001:db8::1\t0;0;0;0;253402300799\n"},
	    {"::ffff:192.0.2.1\t7;1;1;1;1", PASS_TEXT_RECORD,
		"192.0.2.1\t7;1;1;1;1\n"},
	    {"192.0.2.1\t7;8", PASS_TEXT_RECORD, "192.0.2.1\t7;8;0;0;0\n"},
	    {"192.0.2.1\t7", PASS_TEXT_RECORD, "192.0.2.1\t7;0;0;0;0\n"},
	    {"", PASS_TEXT_NOTHING, NULL},
	    {" \n", PASS_TEXT_NOTHING, NULL},
	    {"_LAST_CACHE_CLEANUP_COMPLETED_\t1795252670", PASS_TEXT_NOTHING,
		NULL},
	    {"192.0.2.1", PASS_TEXT_BAD, NULL},
	    {"192.0.2.1\t", PASS_TEXT_BAD, NULL},
	    {"192.0.2.1\t1;2;3;4;5;6", PASS_TEXT_BAD, NULL},
	    {"192.0.2.1\t1;2;3;4;", PASS_TEXT_BAD, NULL},
	    {"192.0.2.1\t1;;3;4;5", PASS_TEXT_BAD, NULL},
	    {"192.0.2.1\t-1;2;3;4;5", PASS_TEXT_BAD, NULL},
	    {"192.0.2.1\t1;2;3;4;253402300800", PASS_TEXT_BAD, NULL},
	    {"192.0.2.1\t1;2;3;4;x", PASS_TEXT_BAD, NULL},
	    {"192.0.2.1\t1;2;3;4;5 x", PASS_TEXT_BAD, NULL},
	    {"192.0.2\t1;2;3;4;5", PASS_TEXT_BAD, NULL},
	    {"[192.0.2.1]\t1;2;3;4;5", PASS_TEXT_BAD, NULL},
	    {"mail.example.com\t1;2;3;4;5", PASS_TEXT_BAD, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errtext why = {""};
		struct record record;
		struct addr client;
		enum pass_text_kind kind;
		struct buf out;

		kind = pass_text_parse(
		    span_str(cases[i].in), &client, &record, &why);
		if (kind != cases[i].want)
			fail_msg("%s: %d %s", cases[i].in, (int)kind, why.text);
		assert_int_equal(kind == PASS_TEXT_BAD, why.text[0] != '\0');
		if (kind != PASS_TEXT_RECORD)
			continue;
		buf_init(&out, 200);
		assert_int_equal(pass_text_format(&client, &record, &out), 0);
		assert_string_equal(buf_str(&out), cases[i].again);
		buf_clear(&out);
	}
}

static void
test_nul(void **state)
{
	static const char line[] = "192.0.2.1\0\t1;2;3;4;5";
	struct record record;
	struct addr client;
	struct errtext why;

	(void)state;
	assert_int_equal(pass_text_parse(span_of(line, sizeof(line) - 1),
			     &client, &record, &why),
	    PASS_TEXT_BAD);
}

static void
test_describe(void **state)
{
	const struct record record = {
	    {{1000000000}, {999999999}, {1}, {0}, {2000000000}}};
	struct addr_block block;
	struct buf out;

	(void)state;
	assert_int_equal(
	    addr_block_parse(span_str("2001:db8::/64"), false, &block), 0);
	buf_init(&out, 400);
	assert_int_equal(pass_text_describe(&block, &record,
			     (struct wall){1000000000 - 1}, &out),
	    0);
	assert_string_equal(buf_str(&out),
	    "2001:db8::/64  pregreet until 2001-09-09 01:46:40, "
	    "dnsbl expired 2001-09-09 01:46:39, pipelining off, "
	    "non-smtp never, bare-newline until 2033-05-18 03:33:20");
	buf_reset(&out);
	assert_int_equal(
	    addr_block_parse(span_str("192.0.2.1"), false, &block), 0);
	assert_int_equal(
	    pass_text_describe(&block, &record, (struct wall){0}, &out), 0);
	assert_true(
	    span_has_prefix(buf_span(&out), "192.0.2.1  pregreet until "));
	buf_clear(&out);
}

/* A buffer that is too small is an error, wherever it ends. */
static void
test_no_room(void **state)
{
	const struct record record = {{{1}, {2}, {3}, {4}, {5}}};
	const struct addr client = given_addr("192.0.2.1");
	struct buf out;

	(void)state;
	for (size_t max = 0; max < strlen("192.0.2.1\t1;2;3;4;5\n"); max++) {
		buf_init(&out, max);
		assert_int_equal(pass_text_format(&client, &record, &out), -1);
		buf_clear(&out);
	}
}

static void
test_json(void **state)
{
	const struct record record = {
	    {{1000000000}, {999999999}, {1}, {0}, {2000000000}}};
	struct addr_block block;
	struct buf out;

	(void)state;
	assert_int_equal(
	    addr_block_parse(span_str("2001:db8::/64"), false, &block), 0);
	buf_init(&out, 200);
	assert_int_equal(pass_text_json(&block, &record, &out), 0);
	assert_string_equal(buf_str(&out),
	    "{\"client\":\"2001:db8::/64\",\"until\":{"
	    "\"pregreet\":1000000000,\"dnsbl\":999999999,"
	    "\"pipelining\":1,\"non-smtp\":0,"
	    "\"bare-newline\":2000000000}}\n");
	assert_int_equal(pass_text_json(&block, &record, &out), -1);
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_nul),
	    cmocka_unit_test(test_describe),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_no_room),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
