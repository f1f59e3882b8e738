/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "ops/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "ops/json_value.h"
#include "support/fake_mem.h"

static const struct {
	const char *name;
	const char *text;
	size_t n;
	const char *want;
} texts[] = {
    {"plain", "abc", 3, "\"abc\"\n"},
    {"empty", "", 0, "\"\"\n"},
    {"quotes", "\"\\/", 3, "\"\\\"\\\\/\"\n"},
    {"control bytes", "\r\n\t\0\177", 5, "\"\\r\\n\\t\\u0000\\u007f\"\n"},
    {"UTF-8", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\xaa", 9,
	"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\xaa\"\n"},
    {"half a character", "a\xc3", 2, "\"a\\ufffd\"\n"},
    {"too long a form", "\xc0\x80", 2, "\"\\ufffd\\ufffd\"\n"},
    {"a surrogate", "\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"\n"},
};

static void
test_texts(void **state)
{
	struct json j;
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		buf_init(&out, 256);
		json_init(&j, &out);
		json_span(&j, NULL, span_of(texts[i].text, texts[i].n));
		if (json_finish(&j) < 0 ||
		    strcmp(buf_str(&out), texts[i].want) != 0) {
			print_error(
			    "case \"%s\": %s\n", texts[i].name, buf_str(&out));
			fail();
		}
		buf_clear(&out);
	}
}

static void
write_all(struct json *j)
{
	json_object(j, NULL);
	json_text(j, "a", "b");
	json_number(j, "n", INT64_MIN);
	json_array(j, "list");
	json_bool(j, NULL, true);
	json_null(j, NULL);
	json_object(j, NULL);
	json_end(j);
	json_array(j, NULL);
	json_end(j);
	json_end(j);
	json_bool(j, "no", false);
}

#define ALL                                        \
	"{\"a\":\"b\",\"n\":-9223372036854775808," \
	"\"list\":[true,null,{},[]],\"no\":false}\n"

static void
test_commas_and_ends(void **state)
{
	struct json j;
	struct buf out;

	(void)state;
	buf_init(&out, 256);
	json_init(&j, &out);
	write_all(&j);
	assert_int_equal(json_finish(&j), 0);
	assert_string_equal(buf_str(&out), ALL);
	buf_clear(&out);
}

/* Whatever the ceiling, it is kept and told of. */
static void
test_every_ceiling(void **state)
{
	struct json j;
	struct buf out;

	(void)state;
	for (size_t max = 0; max <= strlen(ALL); max++) {
		buf_init(&out, max);
		json_init(&j, &out);
		write_all(&j);
		assert_int_equal(json_finish(&j), max < strlen(ALL) ? -1 : 0);
		assert_true(out.n <= max);
		buf_clear(&out);
	}
}

/* --- reading --------------------------------------------------------------- */

static void
test_read_back(void **state)
{
	static const char text[] =
	    " \t\r\n{\"a\" : \"x\\u00e4\\n\\\"\\\\\\/\\u20ac\" , \"n\":-12.75,"
	    "\"list\":[true,null,{},[ ]],\"a\":\"second\"} \n";
	struct errtext why;
	struct json_tree *tree = json_tree_new(span_str(text), &why);
	const struct json_value *root, *list;

	(void)state;
	assert_non_null(tree);
	root = json_tree_root(tree);
	assert_string_equal(
	    json_value_text(root, "a"), "x\xc3\xa4\n\"\\/\xe2\x82\xac");
	assert_int_equal(json_value_number(root, "n"), -12);
	list = json_value_get(root, "list");
	assert_int_equal(json_value_count(list), 4);
	assert_int_equal(list->first->kind, JSON_TRUE);
	assert_int_equal(json_value_count(root), 4);
	assert_null(json_value_get(root, "b"));
	assert_null(json_value_get(list, "a"));
	assert_string_equal(json_value_text(NULL, "a"), "");
	assert_int_equal(json_value_number(root, "a"), 0);
	assert_false(json_value_is_true(root, "n"));
	json_tree_free(&tree);
	assert_null(tree);
}

static const struct {
	const char *name, *text;
} bad[] = {
    {"nothing", ""},
    {"blanks", " \n"},
    {"two", "1 2"},
    {"a comma too many", "[1,]"},
    {"no value", "{\"a\":}"},
    {"no key", "{1:2}"},
    {"no colon", "{\"a\" 1}"},
    {"an open text", "\"abc"},
    {"an open escape", "\"abc\\"},
    {"a strange escape", "\"\\x41\""},
    {"half a code", "\"\\u12\""},
    {"a wrong code", "\"\\u12g4\""},
    {"a sign in a code", "\"\\u12-4\""},
    {"another in a code", "\"\\u12:4\""},
    {"no digits behind a point", "[1.x]"},
    {"an open array", "[[1]"},
    {"a wrong end", "[1}"},
    {"a word", "nul"},
    {"too big", "99999999999999999999"},
    {"too big by one", "9223372036854775808"},
    {"too small by one", "-9223372036854775809"},
    {"a minus", "-"},
    {"too deep",
	"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]"
	"]]]]]]]]]]]]]]]]]]]"},
};

static void
test_bad(void **state)
{
	struct errtext why;
	struct json_tree *tree;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tree = json_tree_new(span_str(bad[i].text), &why);
		if (tree != NULL || why.text[0] == '\0') {
			print_error("case \"%s\"\n", bad[i].name);
			fail();
		}
	}
}

static void
test_every_truncation(void **state)
{
	struct errtext why;
	struct json_tree *tree;

	(void)state;
	for (size_t n = 0; n < strlen(ALL) - 1; n++) {
		tree = json_tree_new(span_of(ALL, n), &why);
		assert_null(tree);
	}
}

static void
test_largest_and_least_number(void **state)
{
	static const struct {
		const char *text;
		int64_t number;
	} cases[] = {
	    {"9223372036854775807", INT64_MAX},
	    {"-9223372036854775808", INT64_MIN},
	    {"-9223372036854775808.9", INT64_MIN},
	    {"-0", 0},
	};
	struct errtext why;
	struct json_tree *tree;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		tree = json_tree_new(span_str(cases[i].text), &why);
		assert_non_null(tree);
		assert_true(json_tree_root(tree)->number == cases[i].number);
		json_tree_free(&tree);
	}
}

static void
test_number_at_the_end(void **state)
{
	struct errtext why;
	struct json_tree *tree = json_tree_new(span_str("7."), &why);

	(void)state;
	assert_non_null(tree);
	assert_int_equal(json_tree_root(tree)->number, 7);
	json_tree_free(&tree);
}

static void
test_nul_behind_a_backslash(void **state)
{
	struct errtext why;

	(void)state;
	assert_null(json_tree_new(span_of("\"\\\0\"", 4), &why));
}

static void
test_without_memory(void **state)
{
	long before = fake_mem_live();
	struct json_tree *tree = NULL;
	struct errtext why;

	(void)state;
	for (unsigned n = 0; tree == NULL; n++) {
		assert_true(n < 10);
		assert_int_equal(fake_mem_live(), before);
		fake_mem_fail_after(n);
		tree = json_tree_new(span_str("[1,2]"), &why);
		fake_mem_heal();
	}
	json_tree_free(&tree);
}

static void
test_bytes_that_no_text_has(void **state)
{
	struct errtext why;
	static const char text[] = "\"a\0b\\u0000c\\ud800d\x01\"";
	struct json_tree *tree =
	    json_tree_new(span_of(text, sizeof(text) - 1), &why);

	(void)state;
	assert_non_null(tree);
	assert_string_equal(json_tree_root(tree)->text, "a?b?c?d?");
	json_tree_free(&tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_commas_and_ends),
	    cmocka_unit_test(test_every_ceiling),
	    cmocka_unit_test(test_read_back),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_every_truncation),
	    cmocka_unit_test(test_largest_and_least_number),
	    cmocka_unit_test(test_number_at_the_end),
	    cmocka_unit_test(test_nul_behind_a_backslash),
	    cmocka_unit_test(test_without_memory),
	    cmocka_unit_test(test_bytes_that_no_text_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
