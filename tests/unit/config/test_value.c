/* SPDX-License-Identifier: ISC */
#include "config/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROW(k, t, least, most)                                         \
	{                                                              \
		.kind = (k), .type = (t), .name = "x", .preset = "5s", \
		.min = (least), .max = (most)                          \
	}

static const struct param a_bool = ROW(PARAM_OWN, PARAM_BOOL, "", "");
static const struct param a_time = ROW(PARAM_OWN, PARAM_TIME, "1s", "60s");
static const struct param a_number = ROW(PARAM_OWN, PARAM_NUMBER, "-5", "10");
static const struct param postfix = ROW(PARAM_POSTFIX, PARAM_NUMBER, "", "");
static const struct param a_word = ROW(PARAM_OWN, PARAM_WORD, "|low|high", "");
static const struct param a_text = ROW(PARAM_OWN, PARAM_TEXT, "", "");
static const struct param raw = ROW(PARAM_OWN, PARAM_RAW, "1", "");
/* Bounds that say nothing do not bind. */
static const struct param odd = ROW(PARAM_OWN, PARAM_NUMBER, "few", "many");

static const struct {
	const char *name;
	const struct param *param;
	const char *text;
	int64_t want;
	const char *why; /* when it is refused */
} cases[] = {
    {"yes", &a_bool, "yes", 1, NULL},
    {"case", &a_bool, "No", 0, NULL},
    {"neither", &a_bool, "maybe", 0, "yes or no expected, not \"maybe\""},
    {"seconds", &a_time, "2", 2000, NULL},
    {"minutes", &a_time, "1m", 60000, NULL},
    {"plus", &a_time, "+2s", 2000, NULL},
    {"too short", &a_time, "0s", 0, "0s is below the minimum, 1s"},
    {"too long", &a_time, "61s", 0, "61s is above the maximum, 60s"},
    {"much too long", &a_time, "4000000w", 0,
	"bad time value or unit: \"4000000w\""},
    {"no time", &a_time, "2x", 0, "bad time value or unit: \"2x\""},
    {"number", &a_number, "-5", -5, NULL},
    {"plus number", &a_number, "+10", 10, NULL},
    {"plus alone", &a_number, "+", 0, "not a number: \"+\""},
    {"plus and minus", &a_number, "+-1", 0, "not a number: \"+-1\""},
    {"below", &a_number, "-6", 0, "-6 is below the minimum, -5"},
    {"above", &a_number, "11", 0, "11 is above the maximum, 10"},
    {"beyond all", &a_number, "99999999999", 0,
	"number out of range: \"99999999999\""},
    {"Postfix's are larger", &postfix, "99999999999", 99999999999, NULL},
    {"odd bounds", &odd, "7", 7, NULL},
    {"first word", &a_word, "", 0, NULL},
    {"second word", &a_word, "LOW", 1, NULL},
    {"last word", &a_word, "high", 2, NULL},
    {"half a word", &a_word, "hig", 0, "\"hig\" is none of (empty)|low|high"},
};

static int64_t
number_in(const struct param *param, const struct config *config)
{
	if (param->type == PARAM_BOOL)
		return *(const param_BOOL *)(const void *)config;
	if (param->type == PARAM_WORD)
		return *(const param_WORD *)(const void *)config;
	return *(const int64_t *)(const void *)config;
}

static void
test_store(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config config = {0};
		struct errtext why = {""};
		int rc =
		    value_store(cases[i].param, cases[i].text, &config, &why);

		if (rc != (cases[i].why == NULL ? 0 : -1) ||
		    (rc < 0 && strcmp(why.text, cases[i].why) != 0))
			fail_msg("%s: %d %s", cases[i].name, rc, why.text);
		if (rc == 0 &&
		    number_in(cases[i].param, &config) != cases[i].want)
			fail_msg("%s: another value", cases[i].name);
	}
}

static void
test_texts(void **state)
{
	struct config config = {0};
	struct errtext why;

	(void)state;
	assert_int_equal(value_store(&a_text, "", &config, &why), 0);
	assert_int_equal(value_store(&raw, "x", &config, &why), 0);
	assert_string_equal(*(const char **)(void *)&config, "x");
	assert_int_equal(value_store(&raw, "", &config, &why), -1);
	assert_string_equal(why.text, "must not be empty");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_store),
	    cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests_name("config/value", tests, NULL, NULL);
}
