/* SPDX-License-Identifier: ISC */
/* links: given_addr */
#include "table/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/given_addr.h"
#include "support/table_file.h"

static struct list *
open_list(const char *words, struct complaints *complaints)
{
	struct table_options options = {
	    .report = on_complaint, .arg = complaints};
	struct errtext why = {.text = ""};
	struct list *l;

	*complaints = (struct complaints){.count = 0};
	l = list_open(span_str(words), &options, &why);
	if (l == NULL)
		fail_msg("%s: %s", words, why.text);
	return l;
}

static bool
has(const struct list *l, const char *address)
{
	const struct addr a = given_addr(address);

	return list_has(l, &a);
}

static const struct {
	const char *name, *words, *address;
	bool want;
} word_cases[] = {
    {"empty", "", "192.0.2.1", false},
    {"address", "192.0.2.1", "192.0.2.1", true},
    {"other address", "192.0.2.1", "192.0.2.2", false},
    {"network", "127.0.0.0/8 192.0.2.0/24", "192.0.2.9", true},
    {"commas", "127.0.0.0/8,192.0.2.0/24,", "192.0.2.9", true},
    {"ipv6", "[2001:db8::]/32", "2001:db8::1", true},
    {"ipv6 host", "[::1]", "::1", true},
    {"ipv6 host with length", "[::1]/128", "::1", true},
    {"ipv6 without brackets", "2001:db8::/32", "2001:db8::1", true},
    {"ipv6 that looks like a type", "fe80::1", "fe80::1", true},
    {"bracketed ipv4", "[192.0.2.1]", "192.0.2.1", true},
    {"excluded", "!192.0.2.1 192.0.2.0/24", "192.0.2.1", false},
    {"beside the excluded", "!192.0.2.1 192.0.2.0/24", "192.0.2.2", true},
    {"excluded too late", "192.0.2.0/24 !192.0.2.1", "192.0.2.1", true},
    {"only exclusions", "!192.0.2.1", "192.0.2.2", false},
    {"twice negated", "!!192.0.2.1", "192.0.2.1", true},
    {"static:all", "!192.0.2.1 static:all", "192.0.2.2", true},
    {"static:all, excluded", "!192.0.2.1 static:all", "192.0.2.1", false},
    {"not static:all", "!static:all 192.0.2.1", "192.0.2.1", false},
    {"inline table", "inline:{192.0.2.1=x}", "192.0.2.1", true},
    {"inline cidr", "cidr:{{192.0.2.0/24 reject}}", "192.0.2.1", true},
    {"behind a table", "inline:{192.0.2.1=x} 192.0.2.2", "192.0.2.2", true},
    {"ipv6 in a table", "inline:{2001:db8::1=x}", "2001:db8:0::1", true},
    {"a hash sign within", "localhost#1 192.0.2.1", "192.0.2.1", true},
    {"names", "localhost .example.com 192.0.2.1", "192.0.2.1", true},
};

static void
test_words(void **state)
{
	struct complaints complaints;

	(void)state;
	for (size_t i = 0; i < sizeof(word_cases) / sizeof(word_cases[0]);
	     i++) {
		struct list *l = open_list(word_cases[i].words, &complaints);

		if (has(l, word_cases[i].address) != word_cases[i].want)
			fail_msg("%s", word_cases[i].name);
		assert_int_equal(complaints.count, 0);
		list_free(&l);
		assert_null(l);
	}
}

static const struct {
	const char *words, *why;
} bad_cases[] = {
    {"192.0.2.1/24", "non-null host address bits"},
    {"10.0.0.0/8 192.0.2.0/33", "bad address pattern"},
    {"192.0.2", "bad address pattern"},
    {"[::1", "bad address pattern"},
    {"!", "without a pattern"},
    {"mysql:/etc/x", "\"mysql\" does not work here"},
    {"cidr:/etc/x hsah:/etc/x", "did you mean \"hash\""},
};

static void
test_bad_words(void **state)
{
	struct table_options options = {.report = NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(bad_cases) / sizeof(bad_cases[0]); i++) {
		struct errtext why = {.text = ""};

		assert_null(
		    list_open(span_str(bad_cases[i].words), &options, &why));
		if (strstr(why.text, bad_cases[i].why) == NULL)
			fail_msg("%s: \"%s\"", bad_cases[i].words, why.text);
		assert_null(
		    list_open(span_str(bad_cases[i].words), &options, NULL));
	}
}

static void
test_files(void **state)
{
	char directory[128], path[160], other[160], words[400];
	struct complaints complaints;
	struct list *l;

	(void)state;
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/networks", directory);
	snprintf(other, sizeof(other), "%s/more", directory);
	snprintf(words, sizeof(words),
	    "# local\n 127.0.0.0/8, [::1] # both\n\n!192.0.2.1\n192.0.2.1/24\n"
	    "!%s\n198.51.100.0/24\n",
	    other);
	write_file(path, words);
	write_file(other, "198.51.100.7 !198.51.100.8");

	l = open_list(path, &complaints);
	assert_int_equal(complaints.count, 1);
	assert_int_equal(complaints.line, 5);
	assert_string_equal(complaints.file, path);
	assert_true(has(l, "127.9.9.9"));
	assert_true(has(l, "::1"));
	assert_false(has(l, "192.0.2.1"));
	assert_false(has(l, "198.51.100.7"));
	assert_true(has(l, "198.51.100.8"));
	assert_true(has(l, "198.51.100.9"));
	list_free(&l);

	snprintf(words, sizeof(words), "!%s 0.0.0.0/0", path);
	l = open_list(words, &complaints);
	assert_false(has(l, "127.9.9.9"));
	assert_true(has(l, "192.0.2.1"));
	assert_true(has(l, "198.51.100.7"));
	assert_true(has(l, "203.0.113.1"));
	list_free(&l);

	unlink(path);
	unlink(other);
	rmdir(directory);
}

static void
test_missing_file(void **state)
{
	struct complaints complaints;
	struct list *l = open_list("/nonexistent/x 192.0.2.1", &complaints);

	(void)state;
	assert_int_equal(complaints.count, 1);
	assert_string_equal(complaints.file, "/nonexistent/x");
	assert_true(has(l, "192.0.2.1"));
	assert_false(has(l, "192.0.2.2"));
	list_free(&l);
}

/* Nobody has to listen to what is wrong with a file. */
static void
test_unreadable_file(void **state)
{
	static const struct table_options deaf = {.report = NULL};
	/* The last one can be opened, but there is no memory at 0. */
	static const char *const words[] = {"/tmp 192.0.2.1",
	    "/nonexistent/x 192.0.2.1", "/proc/self/mem 192.0.2.1"};
	struct complaints complaints;
	struct errtext why;
	struct list *l;

	(void)state;
	l = open_list(words[0], &complaints);
	assert_int_equal(complaints.count, 1);
	list_free(&l);
	for (size_t i = 0; i < 3; i++) {
		l = list_open(span_str(words[i]), &deaf, &why);
		assert_non_null(l);
		assert_true(has(l, "192.0.2.1"));
		list_free(&l);
	}
}

static void
count_block(const struct addr_block *block, void *arg)
{
	(void)block;
	++*(unsigned *)arg;
}

/* Files and tables within it, too; what is a name is no block. */
static void
test_each_block(void **state)
{
	static const struct table_options none = {.report = NULL};
	char directory[128], path[160], words[400];
	struct complaints complaints;
	unsigned count = 0;
	struct errtext why;
	struct list *l;

	(void)state;
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/networks", directory);
	write_file(
	    path, "127.0.0.0/8 a#b [::1] # x\ncidr:{{198.51.100.0/24 x}}\n");
	snprintf(words, sizeof(words),
	    "192.0.2.1 localhost %s inline:{192.0.2.7=x}", path);
	l = open_list(words, &complaints);
	assert_true(list_each_block(l, count_block, &count));
	assert_int_equal(count, 5);
	list_free(&l);
	l = list_open_words(span_str("one two"), &none, &why);
	assert_non_null(l);
	count = 0;
	assert_true(list_each_block(l, count_block, &count));
	assert_int_equal(count, 0);
	list_free(&l);
	unlink(path);
	rmdir(directory);
}

/* A file that names itself must not recurse for ever. */
static void
test_depth(void **state)
{
	char directory[128], path[160], words[400];
	struct complaints complaints;
	struct list *l;

	(void)state;
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/loop", directory);
	snprintf(words, sizeof(words), "%s\n192.0.2.1\n", path);
	write_file(path, words);
	l = open_list(path, &complaints);
	assert_int_equal(complaints.count, 1);
	assert_true(has(l, "192.0.2.1"));
	list_free(&l);
	unlink(path);
	rmdir(directory);
}

static void
test_refresh(void **state)
{
	char directory[128], path[160], table[160], words[400];
	struct complaints complaints;
	struct errtext why;
	struct list *l;

	(void)state;
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/networks", directory);
	snprintf(table, sizeof(table), "%s/x.cidr", directory);
	snprintf(words, sizeof(words), "%s cidr:%s", path, table);
	write_file(path, "192.0.2.1\n");
	write_file(table, "198.51.100.0/24 x\n");
	l = open_list(words, &complaints);
	assert_int_equal(list_refresh(l, &why), TABLE_SAME);

	write_file(path, "192.0.2.2\n");
	assert_int_equal(list_refresh(l, &why), TABLE_RELOADED);
	assert_false(has(l, "192.0.2.1"));
	assert_true(has(l, "192.0.2.2"));
	assert_int_equal(list_refresh(l, &why), TABLE_SAME);

	write_file(table, "198.51.101.0/24 x\n");
	assert_int_equal(list_refresh(l, &why), TABLE_RELOADED);
	assert_true(has(l, "198.51.101.1"));

	/* The strongest change speaks; the old words stay. */
	write_file(path, "192.0.2.3\n192.0.2.3/24\n");
	write_file(table, "198.51.102.0/24 x\n");
	assert_int_equal(list_refresh(l, &why), TABLE_BROKEN);
	assert_non_null(strstr(why.text, "/networks:2: non-null host"));
	assert_true(has(l, "192.0.2.2"));
	assert_false(has(l, "192.0.2.3"));
	assert_true(has(l, "198.51.102.1"));
	assert_int_equal(list_refresh(l, &why), TABLE_SAME);

	unlink(path);
	assert_int_equal(list_refresh(l, &why), TABLE_BROKEN);
	assert_int_equal(list_refresh(l, &why), TABLE_SAME);
	assert_true(has(l, "192.0.2.2"));
	/* This needs postmap(1), which a running process does not start. */
	write_file(path, "hash:/nonexistent");
	assert_int_equal(list_refresh(l, &why), TABLE_STALE);
	assert_true(has(l, "192.0.2.2"));
	list_free(&l);
	unlink(path);
	unlink(table);
	rmdir(directory);
}

/* What a file names is looked at as well: tables, and other files. */
static void
test_refresh_nested(void **state)
{
	char directory[128], path[160], inner[160], words[400];
	struct complaints complaints;
	struct errtext why;
	struct list *l;

	(void)state;
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/networks", directory);
	snprintf(inner, sizeof(inner), "%s/more", directory);
	write_file(path, "192.0.2.1\n");
	write_file(inner, "192.0.2.7\n");
	l = open_list(path, &complaints);
	snprintf(
	    words, sizeof(words), "cidr:{{198.51.100.0/24 x}} %s\n", inner);
	write_file(path, words);
	assert_int_equal(list_refresh(l, &why), TABLE_RELOADED);
	assert_true(has(l, "192.0.2.7"));
	assert_true(has(l, "198.51.100.1"));
	assert_false(has(l, "192.0.2.1"));

	write_file(inner, "192.0.2.8 inline:{192.0.2.9=x}\n");
	assert_int_equal(list_refresh(l, &why), TABLE_RELOADED);
	assert_true(has(l, "192.0.2.8"));
	assert_true(has(l, "192.0.2.9"));
	assert_false(has(l, "192.0.2.7"));

	snprintf(words, sizeof(words),
	    "cidr:{{198.51.100.0/24 x}} %s 192.0.2.3/24\n", inner);
	write_file(path, words);
	assert_int_equal(list_refresh(l, &why), TABLE_BROKEN);
	assert_non_null(strstr(why.text, "/networks:1: non-null host"));

	write_file(inner, "hash:/nonexistent\n");
	snprintf(words, sizeof(words), "192.0.2.1 %s\n", inner);
	write_file(path, words);
	assert_int_equal(list_refresh(l, &why), TABLE_STALE);
	assert_true(has(l, "192.0.2.8"));
	assert_false(has(l, "192.0.2.1"));
	list_free(&l);
	unlink(path);
	unlink(inner);
	rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_bad_words),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_missing_file),
	    cmocka_unit_test(test_unreadable_file),
	    cmocka_unit_test(test_each_block),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_refresh),
	    cmocka_unit_test(test_refresh_nested),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
