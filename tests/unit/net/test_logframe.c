/* SPDX-License-Identifier: ISC */
/* links: fake_clock fake_mem */
#include "net/logframe.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/fake_clock.h"
#include "support/fake_mem.h"

static struct logframe frame;
static char out[LOGFRAME_MAX + 1];

static struct logsock_options
options(enum logsock_kind kind)
{
	return (struct logsock_options){
	    .kind = kind,
	    .facility = LOG_MAIL,
	    .host = "mx",
	    .tag = {"postfix/postscreen", "postfix/dnsblog",
		"postfix/tlsproxy"},
	};
}

static void
frame_open(enum logsock_kind kind)
{
	struct logsock_options o = options(kind);
	struct errtext why;

	assert_int_equal(logframe_init(&frame, &o, &why), 0);
	assert_int_equal(frame.pid, getpid());
	frame.pid = 4242;
}

static int
setup(void **state)
{
	(void)state;
	fake_clock_reset();
	memset(&frame, 0, sizeof(frame));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	logframe_clear(&frame);
	logframe_clear(&frame);
	return fake_mem_live() == 0 ? 0 : -1;
}

/* The line as a string. */
static const char *
line(enum log_level level, enum log_voice voice, const char *text, size_t n)
{
	out[logframe_line(&frame, out, level, voice, text, n)] = '\0';
	return out;
}

static void
lines_look_as_postfix_writes_them(void **state)
{
	static const struct {
		const char *name;
		enum logsock_kind kind;
		enum log_level level;
		enum log_voice voice;
		int64_t at;
		const char *want;
	} cases[] = {
	    {"info", LOGSOCK_SYSLOG, LOG_LEVEL_INFO, LOG_VOICE_MAIN, 1700000000,
		"<22>Nov 14 22:13:20 postfix/postscreen[4242]: text"},
	    {"day below ten", LOGSOCK_SYSLOG, LOG_LEVEL_INFO, LOG_VOICE_MAIN,
		1699000000,
		"<22>Nov  3 08:26:40 postfix/postscreen[4242]: text"},
	    {"debug", LOGSOCK_SYSLOG, LOG_LEVEL_DEBUG, LOG_VOICE_DNSBLOG,
		1700000000, "<23>Nov 14 22:13:20 postfix/dnsblog[4242]: text"},
	    {"warning", LOGSOCK_SYSLOG, LOG_LEVEL_WARNING, LOG_VOICE_MAIN,
		1700000001,
		"<20>Nov 14 22:13:21 postfix/postscreen[4242]: text"},
	    {"error", LOGSOCK_SYSLOG, LOG_LEVEL_ERROR, LOG_VOICE_MAIN,
		1700000000,
		"<19>Nov 14 22:13:20 postfix/postscreen[4242]: text"},
	    {"fatal", LOGSOCK_SYSLOG, LOG_LEVEL_FATAL, LOG_VOICE_MAIN,
		1700000000,
		"<18>Nov 14 22:13:20 postfix/postscreen[4242]: text"},
	    {"panic", LOGSOCK_SYSLOG, LOG_LEVEL_PANIC, LOG_VOICE_MAIN,
		1700000000,
		"<18>Nov 14 22:13:20 postfix/postscreen[4242]: text"},
	    {"stderr", LOGSOCK_STDERR, LOG_LEVEL_INFO, LOG_VOICE_MAIN,
		1700000000, "postfix/postscreen[4242]: text\n"},
	    {"postlog", LOGSOCK_POSTLOG, LOG_LEVEL_WARNING, LOG_VOICE_DNSBLOG,
		1700000000, "Nov 14 22:13:20 mx postfix/dnsblog[4242]: text"},
	    {"postlog, day below ten", LOGSOCK_POSTLOG, LOG_LEVEL_INFO,
		LOG_VOICE_MAIN, 1699000000,
		"Nov 03 08:26:40 mx postfix/postscreen[4242]: text"},
	};
	const char *is;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		frame_open(cases[i].kind);
		fake_clock_set_wall((struct wall){cases[i].at});
		is = line(cases[i].level, cases[i].voice, "text", 4);
		if (strcmp(is, cases[i].want) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].name, is,
			    cases[i].want);
		logframe_clear(&frame);
	}
}

static void
stamp_follows_the_clock(void **state)
{
	static const struct {
		int64_t advance_ms;
		const char *want;
	} steps[] = {
	    {0, "<22>Nov 14 22:13:20"},
	    {999, "<22>Nov 14 22:13:20"},
	    {1, "<22>Nov 14 22:13:21"},
	    {86400000, "<22>Nov 15 22:13:21"},
	};
	size_t i;

	(void)state;
	frame_open(LOGSOCK_SYSLOG);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fake_clock_advance(steps[i].advance_ms);
		line(LOG_LEVEL_INFO, LOG_VOICE_MAIN, "x", 1);
		assert_memory_equal(out, steps[i].want, 19);
	}
	fake_clock_set_wall((struct wall){1699000000}); /* set back */
	line(LOG_LEVEL_INFO, LOG_VOICE_MAIN, "x", 1);
	assert_memory_equal(out, "<22>Nov  3 08:26:40", 19);
}

static void
long_text_is_cut(void **state)
{
	static const enum logsock_kind kinds[] = {
	    LOGSOCK_SYSLOG, LOGSOCK_POSTLOG, LOGSOCK_STDERR};
	char text[LOGFRAME_MAX + 100];
	size_t i;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (i = 0; i < 3; i++) {
		frame_open(kinds[i]);
		line(LOG_LEVEL_INFO, LOG_VOICE_MAIN, text, sizeof(text));
		assert_int_equal(strlen(out), LOGFRAME_MAX);
		assert_int_equal(out[LOGFRAME_MAX - 1],
		    kinds[i] == LOGSOCK_STDERR ? '\n' : 'x');
		logframe_clear(&frame);
	}
}

static void
wrong_names_are_refused(void **state)
{
	struct logsock_options o[3];
	struct errtext why;
	char long_text[LOGFRAME_MAX];
	size_t i;

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (i = 0; i < 3; i++)
		o[i] = options(LOGSOCK_POSTLOG);
	o[0].host = NULL;
	o[1].tag[LOG_VOICE_DNSBLOG] = NULL;
	o[2].tag[LOG_VOICE_MAIN] = long_text;
	for (i = 0; i < 3; i++) {
		why.text[0] = '\0';
		errno = 0;
		if (logframe_init(&frame, &o[i], &why) == 0 ||
		    errno != EINVAL || why.text[0] == '\0')
			fail_msg("case %zu was accepted", i);
	}
	o[0].kind = LOGSOCK_SYSLOG; /* needs no host */
	assert_int_equal(logframe_init(&frame, &o[0], &why), 0);
}

#define FRAME_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    FRAME_TEST(lines_look_as_postfix_writes_them),
	    FRAME_TEST(stamp_follows_the_clock),
	    FRAME_TEST(long_text_is_cut),
	    FRAME_TEST(wrong_names_are_refused),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
