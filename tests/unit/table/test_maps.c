/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "table/maps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/fake_mem.h"
#include "support/table_file.h"

static struct maps *
open_maps(const char *words)
{
	struct table_options options = {0};
	struct errtext why = {""};
	struct maps *m = maps_open(span_str(words), &options, &why);

	if (m == NULL)
		fail_msg("\"%s\": %s", words, why.text);
	return m;
}

static const struct {
	const char *name, *words, *key, *value; /* NULL: absent */
} cases[] = {
    {"none", "", "a", NULL},
    {"blanks are none", " , \n", "a", NULL},
    {"the only one", "inline:{a=1}", "a", "1"},
    {"the first wins", "inline:{a=1} inline:{a=2}", "a", "1"},
    {"the second", "inline:{a=1}, inline:{b=2}", "b", "2"},
    {"neither", "inline:{a=1}, inline:{b=2}", "c", NULL},
    {"commas in braces", "inline:{a=1, b=2},static:x", "b", "2"},
    {"the last takes all", "inline:{a=1, b=2},static:x", "c", "x"},
};

static void
test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct maps *m = open_maps(cases[i].words);
		struct table_match match = {.value = NULL};
		enum table_result found = maps_find(m, cases[i].key, &match);
		bool wanted = cases[i].value != NULL;

		if ((found == TABLE_FOUND) != wanted ||
		    (wanted && strcmp(match.value, cases[i].value) != 0))
			fail_msg("%s", cases[i].name);
		maps_free(&m);
		assert_null(m);
	}
	assert_int_equal(fake_mem_live(), 0);
}

static void
test_find_addr(void **state)
{
	struct maps *m = open_maps(
	    "inline:{192.0.2.1=text} cidr:{{192.0.2.0/24 block}, {::/0 six}}");
	struct table_match match;
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse(span_str("192.0.2.1"), &a), 0);
	assert_int_equal(maps_find_addr(m, &a, &match), TABLE_FOUND);
	assert_string_equal(match.value, "text");
	assert_int_equal(addr_parse(span_str("192.0.2.2"), &a), 0);
	assert_int_equal(maps_find_addr(m, &a, &match), TABLE_FOUND);
	assert_string_equal(match.value, "block");
	assert_int_equal(addr_parse(span_str("192.0.3.2"), &a), 0);
	assert_int_equal(maps_find_addr(m, &a, &match), TABLE_ABSENT);
	maps_free(&m);
}

static void
test_is_empty(void **state)
{
	struct maps *none = open_maps(""), *one = open_maps("static:x");

	(void)state;
	assert_true(maps_is_empty(none));
	assert_false(maps_is_empty(one));
	maps_free(&none);
	maps_free(&one);
}

static void
test_mistakes(void **state)
{
	static const char *const wrong[] = {
	    "word", "static:x word", "nosuchtype:x", "static:x, nosuchtype:x"};
	struct table_options options = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct errtext why = {""};

		if (maps_open(span_str(wrong[i]), &options, &why) != NULL ||
		    why.text[0] == '\0')
			fail_msg("\"%s\" was taken", wrong[i]);
	}
	assert_int_equal(fake_mem_live(), 0);
}

static void
test_no_memory(void **state)
{
	struct table_options options = {0};
	struct maps *m = NULL;
	struct errtext why;

	(void)state;
	for (unsigned n = 0; m == NULL; n++) {
		assert_true(n < 100);
		fake_mem_fail_after(n);
		m = maps_open(
		    span_str("inline:{a=b} static:x"), &options, &why);
		fake_mem_heal();
		if (m == NULL)
			assert_int_equal(fake_mem_live(), 0);
	}
	maps_free(&m);
	maps_free(&m);
}

static void
test_refresh(void **state)
{
	char directory[128], a[160], b[160], words[400];
	struct table_match match;
	struct errtext why;
	struct maps *m;

	(void)state;
	make_directory(directory);
	snprintf(a, sizeof(a), "%s/a", directory);
	snprintf(b, sizeof(b), "%s/b", directory);
	snprintf(words, sizeof(words), "texthash:%s texthash:%s", a, b);
	write_file(a, "x 1\n");
	write_file(b, "y 2\n");
	m = open_maps(words);
	assert_int_equal(maps_refresh(m, &why), TABLE_SAME);

	write_file(b, "y 33\n");
	assert_int_equal(maps_refresh(m, &why), TABLE_RELOADED);
	assert_non_null(strstr(why.text, b));
	assert_int_equal(maps_find(m, "y", &match), TABLE_FOUND);
	assert_string_equal(match.value, "33");

	/* Trouble with one is not hidden by the good news of another. */
	assert_int_equal(unlink(a), 0);
	write_file(b, "y 444\n");
	assert_int_equal(maps_refresh(m, &why), TABLE_BROKEN);
	assert_non_null(strstr(why.text, a));
	assert_int_equal(maps_find(m, "x", &match), TABLE_FOUND);
	assert_int_equal(maps_find(m, "y", &match), TABLE_FOUND);
	assert_string_equal(match.value, "444");
	maps_free(&m);
	assert_int_equal(unlink(b), 0);
	assert_int_equal(rmdir(directory), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_find_addr),
	    cmocka_unit_test(test_is_empty),
	    cmocka_unit_test(test_mistakes),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_refresh),
	};

	return cmocka_run_group_tests_name("table/maps", tests, NULL, NULL);
}
