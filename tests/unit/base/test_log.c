/* SPDX-License-Identifier: ISC */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct heard {
	enum log_level level;
	enum log_voice voice;
	char text[LOG_LINE_MAX + 1];
	size_t n;
	unsigned lines;
};

static void
hear(enum log_level level, enum log_voice voice, const char *text, size_t n,
    void *arg)
{
	struct heard *h = arg;

	assert_true(n <= LOG_LINE_MAX);
	assert_int_equal(text[n], '\0');
	assert_int_equal(strlen(text), n);
	h->level = level;
	h->voice = voice;
	h->n = n;
	memcpy(h->text, text, n + 1);
	h->lines++;
	errno = EIO; /* the caller must not notice */
}

static int
set_up(void **state)
{
	static struct heard h;

	memset(&h, 0, sizeof(h));
	*state = &h;
	log_set_sink(hear, &h);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	log_set_verbose(0);
	log_set_utf8(true);
	log_set_form(LOG_FORM_PLAIN);
	return 0;
}

static void
test_prefix_follows_level(void **state)
{
	static const struct {
		enum log_level level;
		const char *want;
	} cases[] = {
	    {LOG_LEVEL_DEBUG, "x 1"},
	    {LOG_LEVEL_INFO, "x 1"},
	    {LOG_LEVEL_WARNING, "warning: x 1"},
	    {LOG_LEVEL_ERROR, "error: x 1"},
	    {LOG_LEVEL_FATAL, "fatal: x 1"},
	    {LOG_LEVEL_PANIC, "panic: x 1"},
	};
	struct heard *h = *state;

	log_set_verbose(1);
	for (size_t i = 0; i < LOG_LEVEL_COUNT; i++) {
		log_line(cases[i].level, LOG_VOICE_DNSBLOG, "x %d", 1);
		assert_string_equal(h->text, cases[i].want);
		assert_int_equal(h->level, cases[i].level);
		assert_int_equal(h->voice, LOG_VOICE_DNSBLOG);
	}
}

/* The daemon's own lines, where lines are named fields. */
static void
test_messages(void **state)
{
	struct heard *h = *state;
	char long_text[3000], line[LOG_LINE_MAX + 1];
	size_t n;

	log_set_form(LOG_FORM_LOGFMT);
	log_warning("%s", "a \"b\"\n");
	assert_string_equal(
	    h->text, "level=warning event=message text=\"a \\\"b\\\"\\n\"");
	log_set_form(LOG_FORM_JSON);
	log_info("ready");
	assert_string_equal(h->text,
	    "{\"level\":\"info\",\"event\":\"message\","
	    "\"text\":\"ready\"}");
	assert_int_equal(h->level, LOG_LEVEL_INFO);
	memset(long_text, 'x', sizeof(long_text));
	log_text(LOG_LEVEL_ERROR, LOG_VOICE_MAIN,
	    span_of(long_text, sizeof(long_text)));
	assert_true(strlen(h->text) <= LOG_LINE_MAX);
	assert_true(strlen(h->text) > LOG_LINE_MAX - 8);
	assert_string_equal(h->text + strlen(h->text) - 3, "x\"}");
	log_fields(LOG_LEVEL_INFO, LOG_VOICE_MAIN, span_str("{\"a\":1}\n"));
	assert_string_equal(h->text, "{\"a\":1}?");
	log_set_utf8(false);
	log_info("\xc3\xa4");
	assert_string_equal(h->text,
	    "{\"level\":\"info\",\"event\":\"message\",\"text\":\"??\"}");
	n = log_render(LOG_LEVEL_FATAL, span_str("x"), line);
	assert_int_equal(n, strlen(line));
	assert_string_equal(
	    line, "{\"level\":\"fatal\",\"event\":\"message\",\"text\":\"x\"}");
	log_set_form(LOG_FORM_PLAIN);
	n = log_render(LOG_LEVEL_FATAL, span_str("x"), line);
	assert_int_equal(n, strlen(line));
	assert_string_equal(line, "fatal: x");
}

static void
test_short_forms(void **state)
{
	struct heard *h = *state;

	log_info("CONNECT from %s", "[192.0.2.1]:25");
	assert_string_equal(h->text, "CONNECT from [192.0.2.1]:25");
	assert_int_equal(h->level, LOG_LEVEL_INFO);
	assert_int_equal(h->voice, LOG_VOICE_MAIN);
	log_warning("%s", "w");
	assert_string_equal(h->text, "warning: w");
	log_error("%s", "e");
	assert_string_equal(h->text, "error: e");
	assert_int_equal(h->lines, 3);
}

static void
test_ready_text(void **state)
{
	static char long_text[LOG_LINE_MAX + 10];
	struct heard *h = *state;

	errno = ENOENT;
	log_text(
	    LOG_LEVEL_WARNING, LOG_VOICE_DNSBLOG, span_str("50% of a\nline"));
	assert_int_equal(errno, ENOENT);
	assert_string_equal(h->text, "warning: 50% of a?line");
	assert_int_equal(h->level, LOG_LEVEL_WARNING);
	assert_int_equal(h->voice, LOG_VOICE_DNSBLOG);
	log_text(LOG_LEVEL_INFO, LOG_VOICE_MAIN, span_of("not all of it", 3));
	assert_string_equal(h->text, "not");
	log_text(LOG_LEVEL_INFO, LOG_VOICE_MAIN, span_of("a\0b", 3));
	assert_string_equal(h->text, "a?b");
	log_text(LOG_LEVEL_INFO, LOG_VOICE_MAIN, span_of(NULL, 0));
	assert_string_equal(h->text, "");
	memset(long_text, 'x', sizeof(long_text));
	for (size_t n = LOG_LINE_MAX - 8; n < sizeof(long_text); n++) {
		log_text(LOG_LEVEL_INFO, LOG_VOICE_MAIN, span_of(long_text, n));
		assert_int_equal(h->n, n < LOG_LINE_MAX ? n : LOG_LINE_MAX);
		log_text(
		    LOG_LEVEL_ERROR, LOG_VOICE_MAIN, span_of(long_text, n));
		assert_int_equal(h->n, n + strlen("error: ") < LOG_LINE_MAX
					   ? n + strlen("error: ")
					   : LOG_LINE_MAX);
	}
	h->lines = 0;
	log_text(LOG_LEVEL_DEBUG, LOG_VOICE_MAIN, span_str("quiet"));
	assert_int_equal(h->lines, 0);
}

static void
test_debug_only_when_verbose(void **state)
{
	struct heard *h = *state;

	assert_false(log_is_verbose());
	log_debug("%s", "quiet");
	assert_int_equal(h->lines, 0);
	log_set_verbose(1);
	assert_true(log_is_verbose());
	log_debug("%s", "loud");
	assert_int_equal(h->lines, 1);
	assert_string_equal(h->text, "loud");
	assert_int_equal(h->level, LOG_LEVEL_DEBUG);
}

static void
test_no_second_line(void **state)
{
	struct heard *h = *state;

	log_info("a\nb\tc\x7f\x1b[1m\xff\xc3\xa9%c!", '\0');
	assert_string_equal(h->text, "a?b?c??[1m?\xc3\xa9?!");
	log_set_utf8(false);
	log_info("\xc3\xa9");
	assert_string_equal(h->text, "??");
}

static void
test_cut(void **state)
{
	struct heard *h = *state;
	char large[LOG_LINE_MAX + 100];

	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	log_info("%s", large);
	assert_int_equal(h->n, LOG_LINE_MAX);
	log_warning("%s", large);
	assert_int_equal(h->n, LOG_LINE_MAX);
	assert_memory_equal(h->text, "warning: xx", 11);
	log_info("%.*s", LOG_LINE_MAX, large);
	assert_int_equal(h->n, LOG_LINE_MAX);
	log_info("%.*s", LOG_LINE_MAX - 1, large);
	assert_int_equal(h->n, LOG_LINE_MAX - 1);
}

/* A character that the cut splits does not stay half. */
static void
test_cut_inside_a_character(void **state)
{
	struct heard *h = *state;
	char large[LOG_LINE_MAX];

	memset(large, 'x', sizeof(large));
	large[LOG_LINE_MAX - 1] = '\0';
	log_info("%s\xc3\xa9", large);
	assert_int_equal(h->n, LOG_LINE_MAX);
	assert_int_equal(h->text[LOG_LINE_MAX - 1], '?');
}

static void
test_keeps_errno(void **state)
{
	struct heard *h = *state;

	errno = ENOENT;
	log_warning("open: %s", strerror(errno));
	assert_int_equal(errno, ENOENT);
	assert_string_equal(
	    h->text, "warning: open: No such file or directory");
	log_debug("dropped");
	assert_int_equal(errno, ENOENT);
}

/* Runs say(arg) in a child; what it wrote to stderr comes back. */
static int
stderr_of(void (*say)(void *arg), void *arg, char *text, size_t size)
{
	int fd[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(fd), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(fd[1], STDERR_FILENO);
		say(arg);
		_exit(0);
	}
	close(fd[1]);
	while ((got = read(fd[0], text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(fd[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
say_warning(void *arg)
{
	(void)arg;
	log_set_sink(NULL, NULL);
	log_warning("the door is open");
	log_line(LOG_LEVEL_INFO, LOG_VOICE_DNSBLOG, "listed");
}

static void
test_first_sink_is_stderr(void **state)
{
	char text[200];

	(void)state;
	assert_int_equal(stderr_of(say_warning, NULL, text, sizeof(text)), 0);
	assert_string_equal(
	    text, "test_log: warning: the door is open\ndnsblog: listed\n");
}

static void
say_fatal(void *arg)
{
	(void)arg;
	log_set_sink(NULL, NULL);
	log_fatal("no %s", "config");
}

static void
test_fatal_exits(void **state)
{
	char text[200];

	(void)state;
	assert_int_equal(stderr_of(say_fatal, NULL, text, sizeof(text)), 1);
	assert_string_equal(text, "test_log: fatal: no config\n");
}

static void
sink_with_trouble(enum log_level level, enum log_voice voice, const char *text,
    size_t n, void *arg)
{
	(void)level;
	(void)voice;
	(void)n;
	(void)arg;
	log_warning("cannot write \"%s\"", text);
}

static void
say_into_trouble(void *arg)
{
	log_set_sink(sink_with_trouble, arg);
	log_info("one");
	log_info("two");
}

static void
test_sink_that_logs(void **state)
{
	char text[200];

	(void)state;
	assert_int_equal(
	    stderr_of(say_into_trouble, NULL, text, sizeof(text)), 0);
	assert_string_equal(text, "test_log: warning: cannot write \"one\"\n"
				  "test_log: warning: cannot write \"two\"\n");
}

#define HEARD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    HEARD(test_prefix_follows_level),
	    HEARD(test_short_forms),
	    HEARD(test_messages),
	    HEARD(test_ready_text),
	    HEARD(test_debug_only_when_verbose),
	    HEARD(test_no_second_line),
	    HEARD(test_cut),
	    HEARD(test_cut_inside_a_character),
	    HEARD(test_keeps_errno),
	    cmocka_unit_test(test_first_sink_is_stderr),
	    cmocka_unit_test(test_fatal_exits),
	    cmocka_unit_test(test_sink_that_logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
