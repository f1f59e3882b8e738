/* SPDX-License-Identifier: ISC */
#include "table/postmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "support/table_file.h"
#include "table/table.h"

/* A shell script stands in for postmap(1). */
struct bench {
	char directory[128], program[160];
	struct buf out;
	struct errtext why;
};

static void
bench_open(struct bench *b, const char *script)
{
	make_directory(b->directory);
	snprintf(b->program, sizeof(b->program), "%s/postmap", b->directory);
	write_file(b->program, script);
	assert_int_equal(chmod(b->program, 0755), 0);
	buf_init(&b->out, 1000);
	errtext_set(&b->why, "%s", "");
}

static void
bench_close(struct bench *b)
{
	buf_clear(&b->out);
	unlink(b->program);
	assert_int_equal(rmdir(b->directory), 0);
}

static int
dump(struct bench *b, const char *config_directory, int wait_ms)
{
	struct postmap_job job = {
	    .program = b->program,
	    .config_directory = config_directory,
	    .spec = "hash:/x y",
	    .wait_ms = wait_ms,
	};

	return postmap_dump(&job, &b->out, &b->why);
}

static void
test_arguments(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, "#!/bin/sh\nfor a; do echo \"<$a>\"; done\ncat\n");
	assert_int_equal(dump(&b, "/etc/postfix", 5000), 0);
	assert_string_equal(
	    buf_str(&b.out), "<-c>\n</etc/postfix>\n<-s>\n<hash:/x y>\n");
	buf_reset(&b.out);
	assert_int_equal(dump(&b, NULL, 5000), 0);
	assert_string_equal(buf_str(&b.out), "<-s>\n<hash:/x y>\n");
	bench_close(&b);
}

/* Whatever we have open, and however it was opened, stays ours. */
static void
test_descriptors(void **state)
{
	struct bench b;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	bench_open(&b, "#!/bin/sh\nfor f in 3 4 5 6 7 8 9; do\n"
		       "if [ -e /proc/$$/fd/$f ] && [ \"$(readlink "
		       "/proc/$$/fd/$f)\" = /dev/null ]; then echo open; fi\n"
		       "done\n");
	assert_true(fd >= 0);
	assert_int_equal(dump(&b, NULL, 5000), 0);
	assert_int_equal(b.out.n, 0);
	close(fd);
	bench_close(&b);
}

static void
test_failure(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, "#!/bin/sh\necho 'postmap: warning: w' >&2\n"
		       "echo 'postmap: fatal: no such table' >&2\nexit 1\n");
	assert_int_equal(dump(&b, NULL, 5000), -1);
	assert_non_null(strstr(b.why.text, "postmap: fatal: no such table"));
	assert_null(strstr(b.why.text, "warning"));
	bench_close(&b);

	bench_open(&b, "#!/bin/sh\nkill -9 $$\n");
	assert_int_equal(dump(&b, NULL, 5000), -1);
	assert_non_null(strstr(b.why.text, "did not say why"));
	bench_close(&b);
}

/* Warnings alone are no failure, however many there are. */
static void
test_many_complaints(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, "#!/bin/sh\ni=0\nwhile [ $i -lt 2000 ]; do\n"
		       "echo 'a warning of some length, again and again' >&2\n"
		       "i=$((i + 1)); done\necho done\n");
	assert_int_equal(dump(&b, NULL, 20000), 0);
	assert_string_equal(buf_str(&b.out), "done\n");
	bench_close(&b);
}

static void
test_deadline(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, "#!/bin/sh\necho x\nexec sleep 60\n");
	assert_int_equal(dump(&b, NULL, 200), -1);
	assert_non_null(strstr(b.why.text, "timed out"));
	bench_close(&b);

	bench_open(&b, "#!/bin/sh\nexec >&- 2>&-\nexec sleep 60\n");
	assert_int_equal(dump(&b, NULL, 200), -1);
	assert_non_null(strstr(b.why.text, "timed out"));
	bench_close(&b);
}

static void
test_too_much(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, "#!/bin/sh\nexec yes\n");
	assert_int_equal(dump(&b, NULL, 20000), -1);
	assert_non_null(strstr(b.why.text, "too long"));
	bench_close(&b);
}

static void
test_no_program(void **state)
{
	struct bench b;
	struct postmap_job job = {.spec = "hash:/x", .wait_ms = 1000};

	(void)state;
	bench_open(&b, "not a program\n");
	chmod(b.program, 0644);
	assert_int_equal(dump(&b, NULL, 1000), -1);
	assert_non_null(strstr(b.why.text, b.program));
	assert_int_equal(postmap_dump(&job, &b.out, &b.why), -1);
	job.program = "postmap";
	assert_int_equal(postmap_dump(&job, &b.out, &b.why), -1);
	bench_close(&b);
}

/* The whole way through table_open(). */
static void
test_table(void **state)
{
	char path[160], index[170], spec[180];
	struct complaints complaints = {.count = 0};
	struct table_options options = {
	    .report = on_complaint, .arg = &complaints};
	struct table_match match;
	struct bench b;
	struct table *t;

	(void)state;
	bench_open(&b, "#!/bin/sh\nprintf 'a b\\tc d\\nKEY\\tx\\ty\\nbad\\n"
		       "last\\tz'\n");
	snprintf(path, sizeof(path), "%s/t", b.directory);
	snprintf(index, sizeof(index), "%s.cdb", path);
	snprintf(spec, sizeof(spec), "cdb:%s", path);
	write_file(index, "old");
	options.postmap = b.program;
	t = table_open(span_str(spec), &options, &b.why);
	assert_non_null(t);
	assert_int_equal(complaints.count, 1);
	assert_string_equal(complaints.file, path);
	assert_int_equal(table_find(t, "A B", &match), TABLE_FOUND);
	assert_string_equal(match.value, "c d");
	assert_string_equal(match.file, path);
	assert_int_equal(match.line, 0);
	assert_int_equal(table_find(t, "key", &match), TABLE_FOUND);
	assert_string_equal(match.value, "x\ty");
	assert_int_equal(table_find(t, "last", &match), TABLE_FOUND);
	assert_int_equal(table_find(t, "bad", &match), TABLE_ABSENT);
	assert_int_equal(table_refresh(t, &b.why), TABLE_SAME);
	write_file(index, "newer");
	assert_int_equal(table_refresh(t, &b.why), TABLE_STALE);
	assert_non_null(strstr(b.why.text, spec));
	assert_int_equal(table_refresh(t, &b.why), TABLE_SAME);
	table_free(&t);
	unlink(index);
	bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_arguments),
	    cmocka_unit_test(test_descriptors),
	    cmocka_unit_test(test_failure),
	    cmocka_unit_test(test_many_complaints),
	    cmocka_unit_test(test_deadline),
	    cmocka_unit_test(test_too_much),
	    cmocka_unit_test(test_no_program),
	    cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests_name("postmap", tests, NULL, NULL);
}
