/* SPDX-License-Identifier: ISC */
#include "base/counters.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "base/text.h"

static void
test_each_counts_alone(void **state)
{
	struct counters c = {0};

	(void)state;
	counters_bump(&c, COUNTER_CONNECTIONS);
	counters_bump(&c, COUNTER_CONNECTIONS);
	counters_add(&c, COUNTER_STRESS_ENTERED, UINT64_C(1) << 40);
	counters_add(&c, COUNTER_LOG_DROPS, 0);
	assert_int_equal(counters_read(&c, COUNTER_CONNECTIONS), 2);
	assert_int_equal(
	    counters_read(&c, COUNTER_STRESS_ENTERED), UINT64_C(1) << 40);
	for (int id = 0; id < COUNTER_COUNT; id++)
		if (id != COUNTER_CONNECTIONS && id != COUNTER_STRESS_ENTERED)
			assert_int_equal(
			    counters_read(&c, (enum counter)id), 0);
}

static bool
is_metric_name(const char *name, const char *ending)
{
	size_t n = strlen(name);

	for (const char *p = name; *p != '\0'; p++)
		if (text_is_digit(*p) || (*p != '_' && !text_is_alnum(*p)) ||
		    *p != text_lower(*p))
			return false;
	return n > strlen(ending) &&
	       strcmp(name + n - strlen(ending), ending) == 0;
}

static void
test_waits(void **state)
{
	struct counters c = {0};

	(void)state;
	counters_note_wait(&c, HISTOGRAM_HANDOFF_WAIT, 3);
	assert_int_equal(histogram_count(&c.wait[HISTOGRAM_HANDOFF_WAIT]), 1);
	for (int i = 0; i < HISTOGRAM_COUNT; i++)
		if (i != HISTOGRAM_HANDOFF_WAIT)
			assert_int_equal(histogram_count(&c.wait[i]), 0);
}

static void
check_row(const char *name, const char *help, const char *ending)
{
	if (!is_metric_name(name, ending))
		fail_msg("\"%s\" is no name for a metric", name);
	if (help[0] == '\0' || help[strlen(help) - 1] != '.' ||
	    strpbrk(help, "\n\\\"") != NULL)
		fail_msg("%s: help is no plain sentence", name);
}

static void
test_rows_are_fit_for_export(void **state)
{
	(void)state;
	for (int i = 0; i < COUNTER_COUNT; i++) {
		const char *name = counters_name((enum counter)i);

		check_row(name, counters_help((enum counter)i), "_total");
		for (int j = 0; j < i; j++)
			if (strcmp(counters_name((enum counter)j), name) == 0)
				fail_msg("%s is there twice", name);
	}
	for (int i = 0; i < HISTOGRAM_COUNT; i++)
		check_row(counters_wait_name((enum histogram_id)i),
		    counters_wait_help((enum histogram_id)i), "_seconds");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_counts_alone),
	    cmocka_unit_test(test_waits),
	    cmocka_unit_test(test_rows_are_fit_for_export),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
