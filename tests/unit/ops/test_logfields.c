/* SPDX-License-Identifier: ISC */
#include "ops/logfields.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static const struct {
	const char *name, *text;
	bool want;
} cases[] = {
    {"json",
	"{\"level\":\"info\",\"event\":\"pass_new\",\"session\":\"x\","
	"\"client\":\"192.0.2.1\",\"client_port\":7}",
	true},
    {"logfmt",
	"level=info event=pass_new session=x client=192.0.2.1 client_port=7",
	true},
    {"a new field that nobody knew then",
	"level=info event=pass_new client=192.0.2.1 mood=\"a b\"", true},
    {"no client", "level=info event=pass_new session=x", false},
    {"not a client", "level=info event=pass_new client=192.0.2", false},
    {"bad port", "level=info event=pass_new client=192.0.2.1 client_port=65536",
	false},
    {"another event", "level=info event=message text=x", false},
    {"no event", "level=info client=192.0.2.1", false},
    {"no level", "event=pass_new client=192.0.2.1", false},
    {"nothing", "", false},
    {"an end", "{}", false},
    {"no end",
	"{\"level\":\"info\",\"event\":\"pass_new\",\"client\":\"192.0.2.1\"",
	false},
    {"something behind",
	"{\"level\":\"info\",\"event\":\"pass_new\","
	"\"client\":\"192.0.2.1\"}}",
	false},
    {"a word that is none", "level=info event=pass_new client=192.0.2.1 alone",
	false},
    {"an open quote", "level=info event=pregreet client=192.0.2.1 text=\"a\\\"",
	false},
    {"a bad delay", "level=info event=pregreet client=192.0.2.1 delay_ms=-1",
	false},
    {"a quote in a text does not end it",
	"level=info event=pregreet client=192.0.2.1 bytes=1 delay_ms=5"
	" text=\"\\\" client=192.0.2.66 \\\\\"",
	true},
};

static void
test_read(void **state)
{
	const struct endpoint client = {{ADDR_IPV4, {192, 0, 2, 1}}, 0};
	struct logline l;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		l = (struct logline){.kind = LOGLINE_OTHER};
		if (logfields_read(span_str(cases[i].text), &l) !=
		    cases[i].want)
			fail_msg("%s", cases[i].name);
		assert_int_equal(
		    l.kind, cases[i].want ? LOGLINE_EVENT : LOGLINE_OTHER);
		if (cases[i].want && !addr_equal(&l.client.addr, &client.addr))
			fail_msg("%s: another client", cases[i].name);
	}
}

static void
test_about_nobody(void **state)
{
	struct logline l = {.kind = LOGLINE_OTHER};

	(void)state;
	assert_true(logfields_read(
	    span_str("level=info event=stress_enter connections=7"), &l));
	assert_int_equal(l.kind, LOGLINE_EVENT);
	assert_int_equal(l.event, EVENT_STRESS_ENTER);
	assert_int_equal(l.number, 7);
	assert_false(l.has_client);
}

static void
test_form(void **state)
{
	(void)state;
	assert_true(logfields_has(span_str("level=info event=x")));
	assert_true(logfields_has(span_str("{\"level\":\"info\"")));
	assert_false(logfields_has(span_str("PASS NEW [192.0.2.1]:7")));
	assert_false(logfields_has(span_str("{")));
	assert_false(logfields_has(span_of(NULL, 0)));
}

/* Wherever a line of JSON ends too early, it is none. */
static void
test_truncations(void **state)
{
	static const char line[] =
	    "{\"level\":\"info\",\"event\":\"pregreet\",\"client\":"
	    "\"192.0.2.9\",\"client_port\":40000,\"bytes\":11,"
	    "\"delay_ms\":390,\"text\":\"EHLO \\\"spam\\r\\n\"}";
	struct logline l = {.kind = LOGLINE_OTHER};

	(void)state;
	for (size_t n = 0; n < strlen(line); n++)
		if (logfields_read(span_of(line, n), &l))
			fail_msg("%.*s", (int)n, line);
	assert_true(logfields_read(span_str(line), &l));
	assert_int_equal(l.delay_ms, 390);
	assert_int_equal(l.number, 11);
	assert_true(span_is(l.text, "EHLO \\\"spam\\r\\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_about_nobody),
	    cmocka_unit_test(test_form),
	    cmocka_unit_test(test_truncations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
