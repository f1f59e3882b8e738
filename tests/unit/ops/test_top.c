/* SPDX-License-Identifier: ISC */
#include "ops/top.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define STATUS(pid, connections)                                        \
	"{\"version\":\"1\\u001b[2J\",\"pid\":" pid ",\"stress\":true," \
	"\"sessions\":4,\"session_limit\":9,"                           \
	"\"phases\":{\"greet\":3,\"relay\":1,\"dialogue\":0},"          \
	"\"handoffs\":{\"waiting\":5,\"in_flight\":6},\"relayed\":7,"   \
	"\"counters\":{\"connections_total\":" connections ","          \
	"\"refused_total\":3},"                                         \
	"\"worst\":[{\"block\":\"192.0.2.1/"                            \
	"32\",\"sessions\":3,\"failed\":2}]}"

static char *
drawn(const char *before, const char *now, int64_t ms, unsigned rows)
{
	struct errtext why;
	struct json_tree *was =
	    before != NULL ? json_tree_new(span_str(before), &why) : NULL;
	struct json_tree *is = json_tree_new(span_str(now), &why);
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(is);
	assert_non_null(out);
	top_draw(was != NULL ? json_tree_root(was) : NULL, json_tree_root(is),
	    ms, rows, out);
	fclose(out);
	json_tree_free(&was);
	json_tree_free(&is);
	return text;
}

static void
test_rates(void **state)
{
	char *text = drawn(STATUS("7", "100"), STATUS("7", "125"), 2000, 1000);

	(void)state;
	assert_non_null(strstr(text, "process 7, 4 of 9 sessions, STRESS\n"));
	assert_non_null(strstr(text, "  greet             3 ######"));
	assert_non_null(strstr(text, "5 waiting, 6 sent, 7 relayed\n"));
	assert_non_null(strstr(text, "  192.0.2.1/32"));
	assert_non_null(
	    strstr(text, "  connections_total                      12.5\n"));
	/* What has not moved. */
	assert_null(strstr(text, "refused_total"));
	/* What a terminal must not be told. */
	assert_null(strchr(text, '\033'));
	free(text);
}

static void
test_no_rates_of_another_process(void **state)
{
	char *text = drawn(STATUS("7", "100"), STATUS("8", "125"), 1000, 1000);

	(void)state;
	assert_null(strstr(text, "PER SECOND"));
	free(text);
	text = drawn(NULL, STATUS("8", "125"), 0, 1000);
	assert_null(strstr(text, "PER SECOND"));
	free(text);
	text = drawn(STATUS("8", "100"), STATUS("8", "125"), 0, 1000);
	assert_null(strstr(text, "PER SECOND"));
	free(text);
}

static void
test_it_keeps_to_its_lines(void **state)
{
	size_t lines, most = 0;
	char *text;

	(void)state;
	for (unsigned rows = 0; rows < 20; rows++) {
		text =
		    drawn(STATUS("7", "100"), STATUS("7", "125"), 1000, rows);
		lines = 0;
		for (const char *p = text; *p != '\0'; p++)
			lines += *p == '\n';
		assert_true(lines <= rows);
		assert_true(lines >= most);
		most = lines;
		free(text);
	}
	assert_int_equal(most, 9);
}

static void
test_an_empty_answer(void **state)
{
	char *text = drawn("{}", "{}", 1000, 1000);

	(void)state;
	assert_non_null(strstr(text, "0 of 0 sessions"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rates),
	    cmocka_unit_test(test_no_rates_of_another_process),
	    cmocka_unit_test(test_it_keeps_to_its_lines),
	    cmocka_unit_test(test_an_empty_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
