/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "config/override.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/set.h"
#include "support/fake_mem.h"

static struct config_set set = {
    .calm = {.command_time_limit = 300000,
	.command_count_limit = 20,
	.greet_wait = 6000},
    .stressed = {.command_time_limit = 10000,
	.command_count_limit = 20,
	.greet_wait = 2000},
};

/* What becomes of command_time_limit, calm and stressed, and of
 * command_count_limit. */
static const struct {
	const char *name, *settings;
	int64_t calm, stressed, count;
} good[] = {
    {"nothing", "", 300000, 10000, 20},
    {"separators alone", " , ,, \t", 300000, 10000, 20},
    {"blanks around", "command_time_limit = 5s", 5000, 5000, 20},
    {"no blanks", "command_time_limit=5s", 5000, 5000, 20},
    {"whole name", "doorbell_command_time_limit=5", 5000, 5000, 20},
    {"another unit", "command_time_limit=2m", 120000, 120000, 20},
    {"comma", "command_time_limit=5s,command_count_limit=3", 5000, 5000, 3},
    {"blank", "command_time_limit=5s command_count_limit=3", 5000, 5000, 3},
    {"both, and at the ends",
	", command_time_limit =5s ,\tcommand_count_limit= 3 ,", 5000, 5000, 3},
    {"the later one", "command_count_limit=3 command_count_limit=4", 300000,
	10000, 4},
    {"stress", "command_time_limit=${stress?{5}:{60}}s", 60000, 5000, 20},
    {"stress, with blanks", "command_time_limit=${stress ? {5} : {60}}s", 60000,
	5000, 20},
    {"stress, compared",
	"command_count_limit=${{$stress} == {yes} ? {1} : {2}}", 300000, 10000,
	2},
    {"zero where it may be",
	"client_connection_count_limit=0 connection_rate_limit=0 "
	"failure_rate_limit=0 suspect_reply_delay=0 suspect_stutter=0",
	300000, 10000, 20},
    {"the others", "suspect_command_time_limit=1s suspect_greet_wait=1s",
	300000, 10000, 20},
};

static void
test_good(void **state)
{
	struct override_pool *pool = override_pool_new(&set);

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct span settings = span_str(good[i].settings);
		struct errtext why = {""};
		struct override *o = override_get(pool, settings, &why);
		const struct config *calm, *stressed;

		if (o == NULL || override_check(settings, &why) < 0)
			fail_msg("%s: %s", good[i].name, why.text);
		calm = override_under(o, false);
		stressed = override_under(o, true);
		if (calm->command_time_limit != good[i].calm ||
		    stressed->command_time_limit != good[i].stressed ||
		    calm->command_count_limit != good[i].count)
			fail_msg("%s: %d %d %d", good[i].name,
			    (int)calm->command_time_limit,
			    (int)stressed->command_time_limit,
			    (int)calm->command_count_limit);
		assert_int_equal(calm->greet_wait, 6000);
		assert_int_equal(stressed->greet_wait, 2000);
		override_put(&o);
		assert_null(o);
	}
	override_pool_free(&pool);
	assert_null(pool);
}

static const struct {
	const char *name, *settings, *want;
} bad[] = {
    {"a word", "command_time_limit",
	"name = value expected at \"command_time_limit\""},
    {"a word behind", "command_count_limit=3 x",
	"name = value expected at \"x\""},
    {"no name", "=3", "name = value expected at \"=3\""},
    {"a long word",
	"0123456789012345678901234567890123456789012345678901234567890123",
	"name = value expected at"
	" \"012345678901234567890123456789012345678901234567890123456789\""},
    {"a name, blank, and something", "command_count_limit 3",
	"name = value expected at \"command_count_limit 3\""},
    {"no value", "command_count_limit=",
	"doorbell_command_count_limit: not a number: \"\""},
    {"no value, another behind", "command_count_limit = , x = 1",
	"doorbell_command_count_limit: not a number: \"\""},
    {"braces", "{command_count_limit=3}",
	"name = value expected at \"{command_count_limit=3}\""},
    {"unknown", "comand_count_limit=3",
	"\"comand_count_limit\" cannot be set for a network"},
    {"known, but not here", "greet_wait=3s",
	"\"greet_wait\" cannot be set for a network"},
    {"its twin", "postscreen_command_count_limit=3",
	"\"postscreen_command_count_limit\" cannot be set for a network"},
    {"the prefix alone", "doorbell_=3",
	"\"doorbell_\" cannot be set for a network"},
    {"not a number", "command_count_limit=many",
	"doorbell_command_count_limit: not a number: \"many\""},
    {"bad unit", "command_time_limit=3x",
	"doorbell_command_time_limit: bad time value or unit: \"3x\""},
    {"too small", "command_count_limit=0",
	"doorbell_command_count_limit: 0 is below the minimum, 1"},
    {"too large", "suspect_stutter=301s",
	"doorbell_suspect_stutter: 301s is above the maximum, 300s"},
    {"bad under stress", "command_time_limit=${stress?{0}:{1}}s",
	"doorbell_command_time_limit: 0s is below the minimum, 1s"},
    {"bad when calm", "command_time_limit=${stress?1}s",
	"doorbell_command_time_limit: bad time value or unit: \"s\""},
    {"another name", "command_count_limit=$doorbell_greet_wait",
	"doorbell_command_count_limit: only $stress can be used in "
	"\"$doorbell_greet_wait\""},
    {"unfinished", "command_count_limit=${stress",
	"doorbell_command_count_limit: unfinished reference: \"${stress\""},
    {"the second one", "command_count_limit=3, command_time_limit=x",
	"doorbell_command_time_limit: bad time value or unit: \"x\""},
};

static void
test_bad(void **state)
{
	struct override_pool *pool = override_pool_new(&set);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct span settings = span_str(bad[i].settings);
		struct errtext why = {""};

		errno = 0;
		if (override_check(settings, &why) == 0 || errno != EINVAL ||
		    strcmp(why.text, bad[i].want) != 0)
			fail_msg("%s: %s", bad[i].name, why.text);
		if (override_get(pool, settings, &why) != NULL)
			fail_msg("%s: made", bad[i].name);
		assert_int_equal(override_check(settings, NULL), -1);
	}
	override_pool_free(&pool);
}

static void
test_too_long(void **state)
{
	char text[600];
	struct errtext why = {""};

	(void)state;
	memset(text, '1', sizeof(text));
	memcpy(text, "command_count_limit=", 20);
	assert_int_equal(override_check(span_of(text, sizeof(text)), &why), -1);
	assert_string_equal(
	    why.text, "doorbell_command_count_limit: the value is too long");
	/* A short text may expand to a long one. */
	for (size_t i = 0; i + 8 < 240; i += 7)
		memcpy(text + 20 + i, "$stress", 7);
	text[20] = '1';
	assert_int_equal(override_check(span_of(text, 20 + 231), &why), -1);
	memcpy(text + 20, "3\0004", 3);
	assert_int_equal(override_check(span_of(text, 23), &why), -1);
}

/* Every beginning of what is good is good, or is refused with a reason; it is
 * read from memory that ends there. */
static void
test_truncated(void **state)
{
	static const char whole[] =
	    "command_time_limit = ${stress?{5}:{60}}s, "
	    "doorbell_connection_rate_limit=7\tsuspect_stutter = 30s";

	(void)state;
	for (size_t n = 0; n < sizeof(whole); n++) {
		char *copy = mem_new(n > 0 ? n : 1);
		struct errtext why = {""};

		memcpy(copy, whole, n);
		if (override_check(span_of(copy, n), &why) < 0 &&
		    why.text[0] == '\0')
			fail_msg("%u: no reason", (unsigned)n);
		mem_free(copy);
	}
	assert_int_equal(override_check(span_str(whole), NULL), 0);
}

static void
test_shared(void **state)
{
	struct override_pool *pool = override_pool_new(&set);
	struct span one = span_str("command_count_limit=3");
	struct span two = span_str("command_count_limit=4");
	struct override *a, *b, *c;

	(void)state;
	a = override_get(pool, one, NULL);
	b = override_get(pool, two, NULL);
	c = override_get(pool, one, NULL);
	assert_ptr_equal(a, c);
	assert_ptr_not_equal(a, b);
	override_put(&a);
	assert_int_equal(override_under(c, false)->command_count_limit, 3);
	assert_int_equal(override_under(b, true)->command_count_limit, 4);
	override_put(&b);
	override_put(&c);
	override_put(&c);
	a = override_get(pool, one, NULL);
	assert_non_null(a);
	override_put(&a);
	override_pool_free(&pool);
	override_pool_free(&pool);
}

static void
test_without_memory(void **state)
{
	struct span settings =
	    span_str("command_count_limit=${stress?{1}:{2}}");
	long live = fake_mem_live();
	unsigned refusals = 0;

	(void)state;
	for (unsigned n = 0; n < 20; n++) {
		struct override_pool *pool;
		struct override *o = NULL;

		fake_mem_fail_after(n);
		pool = override_pool_new(&set);
		if (pool != NULL) {
			errno = 0;
			o = override_get(pool, settings, NULL);
			refusals += o == NULL;
			if (o == NULL)
				assert_int_equal(errno, ENOMEM);
		}
		fake_mem_heal();
		override_put(&o);
		override_pool_free(&pool);
		assert_int_equal(fake_mem_live(), live);
	}
	assert_true(refusals > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_shared),
	    cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests_name("override", tests, NULL, NULL);
}
