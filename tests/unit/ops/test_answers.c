/* SPDX-License-Identifier: ISC */
/* links: fake_clock fake_loop */
#include "ops/answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "ops/json_value.h"
#include "screen/session.h"

/* A screen that has only what an answer looks at. */

static struct counters counters;
static struct policy policy = {.session_limit = 500};
static struct screen screen = {.counters = &counters, .policy = &policy};
static struct control_host host = {
    .mode = "standalone", .config = "/etc/a \"b\"", .log_level = 2};
static struct control control = {.screen = &screen, .host = &host};

static int
set_up(void **state)
{
	(void)state;
	control.loop = screen.loop = loop_new();
	screen.quota = quota_new();
	TAILQ_INIT(&screen.sessions);
	return control.loop == NULL || screen.quota == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	quota_free(&screen.quota);
	loop_free(&control.loop);
	return 0;
}

static void
test_status(void **state)
{
	struct session s[2] = {{.phase = PHASE_GREET}, {.phase = PHASE_RELAY}};
	const struct json_value *v;
	struct json_tree *tree;
	struct errtext why;
	struct json j;
	struct buf out;

	(void)state;
	TAILQ_INSERT_TAIL(&screen.sessions, &s[0], others);
	TAILQ_INSERT_TAIL(&screen.sessions, &s[1], others);
	counters_add(&counters, COUNTER_CONNECTIONS, 7);
	screen.handoffs.waiting = 3;
	screen.stress = true;
	buf_init(&out, 65536);
	json_init(&j, &out);
	json_object(&j, NULL);
	answers_write_status(&control, &j);
	assert_int_equal(json_finish(&j), 0);
	tree = json_tree_new(buf_span(&out), &why);
	assert_non_null(tree);
	v = json_tree_root(tree);
	assert_string_equal(json_value_text(v, "config"), "/etc/a \"b\"");
	assert_int_equal(json_value_number(v, "session_limit"), 500);
	assert_true(json_value_is_true(v, "stress"));
	assert_int_equal(
	    json_value_number(json_value_get(v, "handoffs"), "waiting"), 3);
	assert_int_equal(
	    json_value_number(json_value_get(v, "phases"), "greet"), 1);
	assert_int_equal(
	    json_value_number(json_value_get(v, "phases"), "relay"), 1);
	assert_int_equal(
	    json_value_number(json_value_get(v, "phases"), "dialogue"), 0);
	v = json_value_get(v, "counters");
	assert_int_equal(json_value_count(v), COUNTER_COUNT);
	assert_int_equal(json_value_number(v, "connections_total"), 7);
	json_tree_free(&tree);
	buf_clear(&out);
}

static const struct {
	const char *name, *line;
	int rc;
	size_t length;
} headers[] = {
    {"whole", "doorbell 1 0 123", 0, 123},
    {"another status", "doorbell 1 7 0", 0, 0},
    {"another protocol", "doorbell 2 0 123", -1, 0},
    {"no length", "doorbell 1 0", -1, 0},
    {"no status", "doorbell 1 ", -1, 0},
    {"not a number", "doorbell 1 0 12x", -1, 0},
    {"negative", "doorbell 1 0 -1", -1, 0},
    {"too much", "doorbell 1 0 99999999", -1, 0},
    {"nothing", "", -1, 0},
};

static void
test_headers(void **state)
{
	enum control_status status;
	size_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		length = 0;
		if (control_parse_header(span_str(headers[i].line), &status,
			&length) != headers[i].rc ||
		    length != headers[i].length) {
			print_error("case \"%s\"\n", headers[i].name);
			fail();
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_status, set_up, tear_down),
	    cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
