/* SPDX-License-Identifier: ISC */
#include "table/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "support/table_file.h"

static const struct {
	const char *word;
	bool want;
} spec_cases[] = {
    {"cidr:/x", true},
    {"static:all", true},
    {"no-such_type:x", true},
    {"10.0.0.1", false},
    {"10.0.0.0/8", false},
    {"fe80::1", false},
    {"abcd::/16", false},
    {"2001:db8::1", false},
    {"[::1]", false},
    {"/file:name", false},
    {"permit", false},
    {":x", false},
    {"", false},
};

static void
test_is_spec(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(spec_cases) / sizeof(spec_cases[0]); i++)
		if (table_is_spec(span_str(spec_cases[i].word)) !=
		    spec_cases[i].want)
			fail_msg("%s", spec_cases[i].word);
}

static const struct {
	const char *spec, *why;
} refused[] = {
    {"mysql:/etc/x", "table type \"mysql\" does not work here; the nearest "
		     "type that does is \"texthash\""},
    {"proxy:cidr:/x", "\"proxy\" does not work here"},
    {"tcp:127.0.0.1:9", "\"tcp\" does not work here"},
    {"cird:/x", "unknown table type \"cird\"; did you mean \"cidr\"?"},
    {"CIDR:/x", "unknown table type \"CIDR\""},
    {"static:", "expected TYPE:NAME"},
    {"cidr", "expected TYPE:NAME"},
    {"static:{a", "the braces do not match"},
    {"cidr:{10.0.0.1 x}", "a rule must stand in braces"},
    {"cidr:{{10.0.0.1 x}", "the braces do not match"},
    {"pcre:{{/x/ y}{/z/ y}}", "a rule must stand in braces"},
    {"inline:{}", "need { key=value, ... }"},
    {"inline:x", "need { key=value, ... }"},
    {"inline:{ a = b }", "\"a\" is not key=value"},
    {"inline:{ {a b = c} }", "is not key=value"},
    {"inline:{ =b }", "is not key=value"},
};

static void
test_refused(void **state)
{
	struct table_options options = {.report = NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct errtext why = {.text = ""};
		struct span spec = span_str(refused[i].spec);

		assert_null(table_open(spec, &options, &why));
		if (strstr(why.text, refused[i].why) == NULL)
			fail_msg("%s: %s", refused[i].spec, why.text);
		assert_null(table_open(spec, &options, NULL));
	}
}

static struct table *
open_table(const char *spec, struct complaints *complaints)
{
	struct table_options options = {
	    .report = on_complaint, .arg = complaints};
	struct errtext why = {.text = ""};
	struct table *t;

	*complaints = (struct complaints){.count = 0};
	t = table_open(span_str(spec), &options, &why);
	if (t == NULL)
		fail_msg("%s: %s", spec, why.text);
	assert_string_equal(table_spec(t), spec);
	return t;
}

static const char *
ask(const struct table *t, const char *key)
{
	struct table_match match;

	if (table_find(t, key, &match) == TABLE_ABSENT)
		return "-";
	assert_non_null(match.value);
	return match.value;
}

static const struct {
	const char *spec, *key, *want;
	unsigned complaints;
} found[] = {
    {"static:all", "x", "all", 0},
    {"static:all", "", "all", 0},
    {"static:{ a b }", "x", "a b", 0},
    {"inline:{ a=b }", "a", "b", 0},
    {"inline:{ a=b }", "A", "b", 0},
    {"inline:{ { A = b, c } d=e }", "a", "b, c", 0},
    {"inline:{ { A = b, c } d=e }", "d", "e", 0},
    {"inline:{ a=b, a=c }", "a", "c", 0},
    {"inline:{ a=b=c }", "a", "b=c", 0},
    {"inline:{ a= }", "a", "", 0},
    {"inline:{ a=b }", "b", "-", 0},
    {"cidr:{ {10.0.0.0/8 x} }", "10.1.2.3", "x", 0},
    {"cidr:{ {10.0.0.0/8 x} }", "not an address", "-", 0},
    {"cidr:{ {10.0.0.0/8 x} }", "[10.0.0.1]", "-", 0},
    {"cidr:{ {10.0.0.1/8 x} {10.0.0.0/9 y} }", "10.0.0.1", "y", 1},
    {"regexp:{ {/^(a+)b/ $1} }", "AAB", "AA", 0},
    {"pcre:{ {/^(a+)b(?!c)/ $1} }", "aabd", "aa", 0},
    {"pcre:{ {/^(a+)b(?!c)/ $1} }", "aabc", "-", 0},
    {"hash:/nonexistent/x", "a", "-", 1},
    {"texthash:/nonexistent/x", "a", "-", 1},
    {"pcre:/", "a", "-", 1},
};

static void
test_find(void **state)
{
	struct complaints complaints;
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
		struct table *t = open_table(found[i].spec, &complaints);
		const char *got = ask(t, found[i].key);

		if (strcmp(got, found[i].want) != 0 ||
		    complaints.count != found[i].complaints)
			fail_msg("%s: \"%s\": got \"%s\", %u complaints",
			    found[i].spec, found[i].key, got, complaints.count);
		assert_int_equal(table_refresh(t, &why), TABLE_SAME);
		table_free(&t);
		assert_null(t);
	}
}

static void
test_find_addr(void **state)
{
	static const char *const specs[] = {"cidr:{ {2001:db8::/32 x} }",
	    "inline:{ 2001:db8::1=x }", "pcre:{ {/^2001:db8::1$/ x} }",
	    "static:x"};
	struct complaints complaints;
	struct table_match match;
	struct addr a;

	(void)state;
	addr_parse(span_str("2001:DB8:0:0::1"), &a);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct table *t = open_table(specs[i], &complaints);

		if (table_find_addr(t, &a, &match) != TABLE_FOUND ||
		    strcmp(match.value, "x") != 0)
			fail_msg("%s", specs[i]);
		assert_null(match.file);
		table_free(&t);
	}
}

/* --- files ---------------------------------------------------------------- */
struct bench {
	char directory[128], path[160], spec[180];
	struct complaints complaints;
	struct errtext why;
};

static void
bench_open(struct bench *b, const char *type, const char *text)
{
	make_directory(b->directory);
	snprintf(b->path, sizeof(b->path), "%s/t", b->directory);
	snprintf(b->spec, sizeof(b->spec), "%s:%s", type, b->path);
	if (text != NULL)
		write_file(b->path, text);
}

static void
bench_close(struct bench *b)
{
	unlink(b->path);
	assert_int_equal(rmdir(b->directory), 0);
}

/* Old enough that nothing about the file is uncertain. */
static void
settle(const char *path)
{
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
test_file_lines(void **state)
{
	struct table_match match;
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(
	    &b, "texthash", "# x\nA  b c \nnovalue\nk\n v\na z\n\"u v\n");
	t = open_table(b.spec, &b.complaints);
	assert_int_equal(b.complaints.count, 3);
	assert_string_equal(b.complaints.file, b.path);
	assert_int_equal(b.complaints.line, 7);
	assert_int_equal(table_find(t, "a", &match), TABLE_FOUND);
	assert_string_equal(match.value, "b c");
	assert_string_equal(match.file, b.path);
	assert_int_equal(match.line, 2);
	assert_int_equal(table_find(t, "K", &match), TABLE_FOUND);
	assert_string_equal(match.value, "v");
	assert_int_equal(match.line, 4);
	assert_int_equal(table_find(t, "novalue", &match), TABLE_ABSENT);
	table_free(&t);
	bench_close(&b);
}

static void
test_quoted_keys(void **state)
{
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(&b, "texthash", "\"q r\" z\n\"a b\"c d\n\"x\\\"y z\" w\n");
	t = open_table(b.spec, &b.complaints);
	assert_string_equal(ask(t, "\"q r\""), "z");
	assert_string_equal(ask(t, "\"a b\"c"), "d");
	assert_string_equal(ask(t, "\"x\\\"y z\""), "w");
	assert_string_equal(ask(t, "\"q"), "-");
	table_free(&t);
	bench_close(&b);
}

static void
test_reload(void **state)
{
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(&b, "texthash", "a 1\n");
	t = open_table(b.spec, &b.complaints);
	assert_int_equal(table_refresh(t, &b.why), TABLE_SAME);
	write_file(b.path, "a 2\n");
	assert_int_equal(table_refresh(t, &b.why), TABLE_RELOADED);
	assert_string_equal(ask(t, "a"), "2");
	assert_int_equal(table_refresh(t, &b.why), TABLE_SAME);
	/* Touched, but the same. */
	settle(b.path);
	assert_int_equal(table_refresh(t, &b.why), TABLE_SAME);
	/* Another file of that name. */
	unlink(b.path);
	write_file(b.path, "a 3\n");
	assert_int_equal(table_refresh(t, &b.why), TABLE_RELOADED);
	assert_string_equal(ask(t, "a"), "3");
	assert_int_equal(b.complaints.count, 0);
	table_free(&t);
	bench_close(&b);
}

/* A change that leaves no trace: same size, and the times put back, as when
 * two writes fall into one tick of the file system's clock. */
static void
test_change_without_trace(void **state)
{
	struct timespec times[2];
	struct stat st;
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(&b, "texthash", "a 1\n");
	assert_int_equal(stat(b.path, &st), 0);
	t = open_table(b.spec, &b.complaints);
	write_file(b.path, "a 2\n");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, b.path, times, 0), 0);
	assert_int_equal(table_refresh(t, &b.why), TABLE_RELOADED);
	assert_string_equal(ask(t, "a"), "2");
	table_free(&t);
	bench_close(&b);
}

static void
test_broken(void **state)
{
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(&b, "cidr", "10.0.0.0/8 a\n");
	t = open_table(b.spec, &b.complaints);
	write_file(b.path, "10.0.0.0/9 b\nnonsense x\n");
	assert_int_equal(table_refresh(t, &b.why), TABLE_BROKEN);
	assert_non_null(strstr(b.why.text, "/t:2: bad address pattern"));
	assert_string_equal(ask(t, "10.0.0.1"), "a");
	/* Said once. */
	assert_int_equal(table_refresh(t, &b.why), TABLE_SAME);
	assert_string_equal(ask(t, "10.0.0.1"), "a");
	write_file(b.path, "10.0.0.0/9 b\n");
	assert_int_equal(table_refresh(t, &b.why), TABLE_RELOADED);
	assert_string_equal(ask(t, "10.0.0.1"), "b");
	assert_int_equal(b.complaints.count, 0);
	table_free(&t);
	bench_close(&b);
}

/* What was bad at the start does not stand in the way of later changes. */
static void
test_old_bad_line(void **state)
{
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(&b, "cidr", "nonsense x\n10.0.0.0/8 a\n");
	t = open_table(b.spec, &b.complaints);
	assert_int_equal(b.complaints.count, 1);
	assert_string_equal(ask(t, "10.0.0.1"), "a");
	write_file(b.path, "nonsense x\n10.0.0.0/8 bb\n");
	assert_int_equal(table_refresh(t, &b.why), TABLE_RELOADED);
	assert_string_equal(ask(t, "10.0.0.1"), "bb");
	write_file(b.path, "nonsense x\nmore y\n10.0.0.0/8 c\n");
	assert_int_equal(table_refresh(t, &b.why), TABLE_BROKEN);
	assert_string_equal(ask(t, "10.0.0.1"), "bb");
	write_file(b.path, "10.0.0.0/8 d\n");
	assert_int_equal(table_refresh(t, &b.why), TABLE_RELOADED);
	write_file(b.path, "nonsense x\n10.0.0.0/8 e\n");
	assert_int_equal(table_refresh(t, &b.why), TABLE_BROKEN);
	assert_string_equal(ask(t, "10.0.0.1"), "d");
	table_free(&t);
	bench_close(&b);
}

static void
test_gone_and_back(void **state)
{
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(&b, "regexp", "/^(a)/ $1\n");
	t = open_table(b.spec, &b.complaints);
	unlink(b.path);
	assert_int_equal(table_refresh(t, &b.why), TABLE_BROKEN);
	assert_non_null(strstr(b.why.text, "is gone"));
	assert_int_equal(table_refresh(t, &b.why), TABLE_SAME);
	assert_string_equal(ask(t, "abc"), "a");
	write_file(b.path, "/^(a)/ $1\n");
	assert_int_equal(table_refresh(t, &b.why), TABLE_RELOADED);
	table_free(&t);
	bench_close(&b);
}

static void
test_appears_later(void **state)
{
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(&b, "pcre", NULL);
	t = open_table(b.spec, &b.complaints);
	assert_int_equal(b.complaints.count, 1);
	assert_string_equal(ask(t, "a"), "-");
	assert_int_equal(table_refresh(t, &b.why), TABLE_SAME);
	write_file(b.path, "/a/ x\n");
	assert_int_equal(table_refresh(t, &b.why), TABLE_RELOADED);
	assert_string_equal(ask(t, "a"), "x");
	table_free(&t);
	bench_close(&b);
}

/* A link whose target is out of reach, as when the root was changed. */
static void
test_symbolic_link(void **state)
{
	char target[180];
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(&b, "texthash", NULL);
	snprintf(target, sizeof(target), "%s/real", b.directory);
	write_file(target, "a 1\n");
	assert_int_equal(symlink(target, b.path), 0);
	t = open_table(b.spec, &b.complaints);
	write_file(target, "a 2\n");
	assert_int_equal(table_refresh(t, &b.why), TABLE_RELOADED);
	unlink(target);
	assert_int_equal(table_refresh(t, &b.why), TABLE_SAME);
	assert_string_equal(ask(t, "a"), "2");
	unlink(b.path);
	assert_int_equal(table_refresh(t, &b.why), TABLE_BROKEN);
	table_free(&t);
	bench_close(&b);
}

/* The descriptor of the directory is what finds the file again. */
static void
test_directory_moves(void **state)
{
	char elsewhere[160];
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(&b, "texthash", "a 1\n");
	t = open_table(b.spec, &b.complaints);
	snprintf(elsewhere, sizeof(elsewhere), "%s.moved", b.directory);
	assert_int_equal(rename(b.directory, elsewhere), 0);
	assert_int_equal(table_refresh(t, &b.why), TABLE_SAME);
	assert_string_equal(ask(t, "a"), "1");
	assert_int_equal(rename(elsewhere, b.directory), 0);
	table_free(&t);
	bench_close(&b);
}

static void
test_not_readable(void **state)
{
	struct bench b;
	struct table *t;
	uid_t user = geteuid();

	(void)state;
	bench_open(&b, "texthash", "a 1\n");
	assert_int_equal(chmod(b.directory, 0755), 0);
	t = open_table(b.spec, &b.complaints);
	write_file(b.path, "a 2\n");
	assert_int_equal(chmod(b.path, 0), 0);
	if (user == 0)
		assert_int_equal(seteuid(65534), 0);
	assert_int_equal(table_refresh(t, &b.why), TABLE_STALE);
	assert_int_equal(table_refresh(t, &b.why), TABLE_SAME);
	assert_string_equal(ask(t, "a"), "1");
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(chmod(b.path, 0644), 0);
	assert_int_equal(table_refresh(t, &b.why), TABLE_RELOADED);
	assert_string_equal(ask(t, "a"), "2");
	table_free(&t);
	bench_close(&b);
}

static void
test_fifo_and_directory(void **state)
{
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(&b, "cidr", NULL);
	assert_int_equal(mkfifo(b.path, 0600), 0);
	t = open_table(b.spec, &b.complaints);
	assert_string_equal(ask(t, "10.0.0.1"), "-");
	table_free(&t);
	unlink(b.path);
	assert_int_equal(mkdir(b.path, 0700), 0);
	t = open_table(b.spec, &b.complaints);
	assert_string_equal(b.complaints.text, strerror(EISDIR));
	table_free(&t);
	rmdir(b.path);
	bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_is_spec),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_find_addr),
	    cmocka_unit_test(test_file_lines),
	    cmocka_unit_test(test_quoted_keys),
	    cmocka_unit_test(test_reload),
	    cmocka_unit_test(test_change_without_trace),
	    cmocka_unit_test(test_broken),
	    cmocka_unit_test(test_old_bad_line),
	    cmocka_unit_test(test_gone_and_back),
	    cmocka_unit_test(test_appears_later),
	    cmocka_unit_test(test_symbolic_link),
	    cmocka_unit_test(test_directory_moves),
	    cmocka_unit_test(test_not_readable),
	    cmocka_unit_test(test_fifo_and_directory),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
