/* SPDX-License-Identifier: ISC */
#include "config/file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"

/* What the callbacks heard: "line:name=value;" for an entry, "!line;" for a
 * fatal line, "?line;" for one that is passed over. */

static int
on_entry(struct span name, struct span value, int line, void *arg)
{
	return buf_printf(arg, "%d:%.*s=%.*s;", line, (int)name.n, name.p,
	    (int)value.n, value.p);
}

static void
on_bad(bool fatal, const char *path, int line, const char *text, void *arg)
{
	assert_string_equal(path, "test.cf");
	assert_true(strlen(text) > 0);
	assert_int_equal(buf_printf(arg, "%c%d;", fatal ? '!' : '?', line), 0);
}

static const struct {
	const char *name, *in, *want;
} cases[] = {
    {"nothing", "", ""},
    {"only blank lines", "\n \n\t\n\r\n", ""},
    {"only a comment", "# x = y", ""},
    {"one", "a = b\n", "1:a=b;"},
    {"no newline at the end", "a = b", "1:a=b;"},
    {"tight", "a=b\nc=d\n", "1:a=b;2:c=d;"},
    {"empty value", "a =\nb=  \n", "1:a=;2:b=;"},
    {"value with equals", "a = b = c\n", "1:a=b = c;"},
    {"blanks of all kinds", "a\t=\v b \f\r\n", "1:a=b;"},
    {"continued", "a = b\n  c\n\td\n", "1:a=b  c\td;"},
    {"continued over a comment", "a = b\n#x\n c\n", "1:a=b c;"},
    {"continued over an indented comment", "a = b\n  # x\n c\n", "1:a=b c;"},
    {"continued over an empty line", "a = b\n\n  \n c\n", "1:a=b c;"},
    {"name, then the rest", "a\n = b\n", "1:a=b;"},
    {"line numbers", "\n#\na=b\n c\n\nd=e\n", "3:a=b c;6:d=e;"},
    {"no comment within a line", "a = b # c\n", "1:a=b # c;"},
    {"no equals", "a\nb=c\n", "!1;2:b=c;"},
    {"two words", "a b = c\n", "!1;"},
    {"no name", "= c\n", "!1;"},
    {"no equals, long",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nb=c\n",
	"!1;2:b=c;"},
    {"indented first line", " a = b\nc = d\n", "?1;2:c=d;"},
    {"indented first lines", " a = b\n e = f\nc = d\n", "?1;3:c=d;"},
    {"indented after a comment", "# x\n a = b\n", "?2;"},
    {"odd names are names", "$a-b=c\n", "1:$a-b=c;"},
};

static void
test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errtext why;
		struct buf got;

		buf_init(&got, 4096);
		if (file_parse("test.cf", span_str(cases[i].in), on_entry,
			on_bad, &got, &why) < 0)
			fail_msg("%s: %s", cases[i].name, why.text);
		if (!span_is(buf_span(&got), cases[i].want))
			fail_msg("%s: \"%s\"", cases[i].name, buf_str(&got));
		buf_clear(&got);
	}
}

static void
test_nul_is_reported(void **state)
{
	static const char in[] = "a = b\0c\nd = e\n";
	struct errtext why;
	struct buf got;

	(void)state;
	buf_init(&got, 4096);
	assert_int_equal(file_parse("test.cf", span_of(in, sizeof(in) - 1),
			     on_entry, on_bad, &got, &why),
	    0);
	assert_string_equal(buf_str(&got), "!1;2:d=e;");
	buf_clear(&got);
}

static int
stop(struct span name, struct span value, int line, void *arg)
{
	(void)name;
	(void)value;
	(void)line;
	++*(int *)arg;
	return -1;
}

static void
test_stops_when_told(void **state)
{
	struct errtext why;
	int count = 0;

	(void)state;
	assert_int_equal(file_parse("test.cf", span_str("a=b\nc=d\n"), stop,
			     on_bad, &count, &why),
	    -1);
	assert_int_equal(errno, ECANCELED);
	assert_int_equal(count, 1);
}

static void
test_read(void **state)
{
	char path[] = "/tmp/doorbell-file-XXXXXX";
	int fd = mkstemp(path);
	struct errtext why;
	struct buf got;

	(void)state;
	assert_true(fd >= 0);
	buf_init(&got, 4096);
	assert_int_equal(write(fd, "a = b\n", 6), 6);
	assert_int_equal(file_read(path, on_entry, on_bad, &got, &why), 0);
	assert_string_equal(buf_str(&got), "1:a=b;");
	assert_int_equal(ftruncate(fd, FILE_SIZE_MAX + 2), 0);
	assert_int_equal(file_read(path, on_entry, on_bad, &got, &why), -1);
	assert_int_equal(errno, EFBIG);
	assert_non_null(strstr(why.text, path));
	close(fd);
	unlink(path);
	assert_int_equal(file_read(path, on_entry, on_bad, &got, &why), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(file_read("/tmp", on_entry, on_bad, &got, &why), -1);
	assert_int_equal(errno, EISDIR);
	buf_clear(&got);
}

static int writer = -1;

static void
on_alarm(int sig)
{
	(void)sig;
	if (writer >= 0 && write(writer, "a = b\n", 6) == 6)
		(void)close(writer);
	writer = -1;
}

/* A signal comes while there is nothing to read yet. */
static void
test_interrupted(void **state)
{
	static const struct sigaction act = {.sa_handler = on_alarm};
	static const struct itimerval soon = {.it_value = {.tv_usec = 50000}};
	char path[] = "/tmp/doorbell-fifo-XXXXXX";
	struct errtext why;
	struct buf got;

	(void)state;
	assert_non_null(mkdtemp(path));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	writer = open(path, O_RDWR | O_CLOEXEC);
	assert_true(writer >= 0);
	buf_init(&got, 4096);
	assert_int_equal(sigaction(SIGALRM, &act, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(file_read(path, on_entry, on_bad, &got, &why), 0);
	assert_string_equal(buf_str(&got), "1:a=b;");
	buf_clear(&got);
	unlink(path);
}

static void
test_split(void **state)
{
	struct span name, value;
	struct errtext why;

	(void)state;
	assert_int_equal(
	    file_split(span_str(" a =  b c "), &name, &value, &why), 0);
	assert_true(span_is(name, "a") && span_is(value, "b c"));
	assert_int_equal(file_split(span_str("a"), &name, &value, &why), -1);
	assert_int_equal(file_split(span_str(""), &name, &value, &why), -1);
	assert_int_equal(file_split(span_str("=b"), &name, &value, &why), -1);
	assert_int_equal(
	    file_split(span_str("a b=c"), &name, &value, &why), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_nul_is_reported),
	    cmocka_unit_test(test_stops_when_told),
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_interrupted),
	    cmocka_unit_test(test_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
