/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "screen/forbidden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/fake_mem.h"
#include "support/table_file.h"

#define DEFAULT "CONNECT GET POST regexp:{{/^[^A-Z]/ Bogus}}"

static const struct {
	const char *name, *list, *word;
	bool has;
} cases[] = {
    {"a word", DEFAULT, "CONNECT", true},
    {"without case", DEFAULT, "gEt", true},
    {"more than the word", DEFAULT, "GETS", false},
    {"less than the word", DEFAULT, "GE", false},
    {"unknown", DEFAULT, "FOO", false},
    {"an empty line", DEFAULT, "", false},
    {"no letter", DEFAULT, "1", true},
    {"a small letter is one", DEFAULT, "x", false},
    {"no ASCII", DEFAULT, "\303\266", true},
    {"control", DEFAULT, "\026\003\001", true},
    {"header", "", "Subject:", true},
    {"header without a blank", "", "a:b", true},
    {"header, tab", "", "x\t:", true},
    {"header, two colons", "", "a::", true},
    {"header, tab inside", "", "x\ty:", false},
    {"colon alone", "", ":", false},
    {"colon alone, with the list", DEFAULT, ":", true},
    {"tab and colon", "", "\t:", false},
    {"control in a header", "", "x\001:", false},
    {"header name in UTF-8", "", "\303\266:", false},
    {"not UTF-8", "", "Q\377", true},
    {"cut UTF-8", "", "Q\303", true},
    {"UTF-8", "", "Q\303\266", false},
    {"commas", "foo,bar", "bar", true},
    {"negated first", "!getx regexp:{{/^GET/ x}}", "GETX", false},
    {"negated, another", "!getx regexp:{{/^GET/ x}}", "GETY", true},
    {"negated too late", "regexp:{{/^GET/ x}} !getx", "GETX", true},
    {"negated table", "!inline:{foo=1} foo bar", "foo", false},
    {"behind a negated table", "!inline:{foo=1} foo bar", "bar", true},
    {"negated twice", "!!foo", "FOO", true},
    {"a table of words, folded", "inline:{foo=1}", "FOO", true},
    {"static", "static:all", "anything", true},
};

static struct forbidden *
open_list(const char *list, bool utf8)
{
	struct table_options options = {0};
	struct errtext why = {""};
	struct forbidden *f =
	    forbidden_open(span_str(list), utf8, &options, &why);

	if (f == NULL)
		fail_msg("\"%s\": %s", list, why.text);
	return f;
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct forbidden *f = open_list(cases[i].list, true);
		struct errtext why;

		if (forbidden_has(f, span_str(cases[i].word)) != cases[i].has)
			fail_msg("%s", cases[i].name);
		assert_int_equal(forbidden_refresh(f, &why), TABLE_SAME);
		forbidden_free(&f);
		assert_null(f);
	}
	assert_int_equal(fake_mem_live(), 0);
}

static void
test_without_smtputf8(void **state)
{
	struct forbidden *f = open_list("", false);

	(void)state;
	assert_int_equal(0, forbidden_has(f, span_str("Q\377")));
	assert_int_equal(1, forbidden_has(f, span_str("x:")));
	forbidden_free(&f);
}

/* A word is not NUL-terminated, and none is longer than it says. */
static void
test_part_of_a_line(void **state)
{
	struct forbidden *f = open_list("inline:{get=1} post", true);

	(void)state;
	assert_int_equal(1, forbidden_has(f, span_of("GET / HTTP", 3)));
	assert_int_equal(1, forbidden_has(f, span_of("POST:", 4)));
	assert_int_equal(0, forbidden_has(f, span_of("GET:", 2)));
	forbidden_free(&f);
}

static void
test_mistakes(void **state)
{
	struct table_options options = {0};
	struct errtext why = {""};

	(void)state;
	assert_null(
	    forbidden_open(span_str("GET nosuchtype:x"), true, &options, &why));
	assert_string_not_equal(why.text, "");
	assert_int_equal(fake_mem_live(), 0);
}

/* As all lists, it may name a file. */
static void
test_file(void **state)
{
	char directory[128], path[160], words[200];
	struct forbidden *f;
	struct errtext why;

	(void)state;
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/words", directory);
	snprintf(words, sizeof(words), "!head %s last", path);
	write_file(path, "# not SMTP\nGET, HEAD\n!LAST post # nor this\n");
	f = open_list(words, true);
	assert_int_equal(1, forbidden_has(f, span_str("get")));
	assert_int_equal(1, forbidden_has(f, span_str("POST")));
	assert_int_equal(0, forbidden_has(f, span_str("HEAD")));
	assert_int_equal(0, forbidden_has(f, span_str("last")));
	assert_int_equal(0, forbidden_has(f, span_str("nor")));

	write_file(path, "PUT\n");
	assert_int_equal(forbidden_refresh(f, &why), TABLE_RELOADED);
	assert_int_equal(1, forbidden_has(f, span_str("put")));
	assert_int_equal(1, forbidden_has(f, span_str("LAST")));
	assert_int_equal(0, forbidden_has(f, span_str("GET")));
	forbidden_free(&f);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void
test_no_memory(void **state)
{
	struct table_options options = {0};
	struct forbidden *f = NULL;
	struct errtext why;

	(void)state;
	for (unsigned n = 0; f == NULL; n++) {
		assert_true(n < 100);
		fake_mem_fail_after(n);
		f = forbidden_open(
		    span_str("GET inline:{a=b}"), true, &options, &why);
		fake_mem_heal();
		if (f == NULL)
			assert_int_equal(fake_mem_live(), 0);
	}
	fake_mem_fail_after(0);
	assert_int_equal(-1, forbidden_has(f, span_str("GET")));
	assert_int_equal(1, forbidden_has(f, span_str("x:")));
	fake_mem_heal();
	assert_int_equal(1, forbidden_has(f, span_str("GET")));
	forbidden_free(&f);
	forbidden_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_without_smtputf8),
	    cmocka_unit_test(test_part_of_a_line),
	    cmocka_unit_test(test_mistakes),
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name(
	    "screen/forbidden", tests, NULL, NULL);
}
