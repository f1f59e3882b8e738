/* SPDX-License-Identifier: ISC */
/* links: child_end fake_clock sockets scratch */
#include "daemon/watchdog.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/child_end.h"
#include "support/fake_clock.h"
#include "support/scratch.h"
#include "support/sockets.h"

/* The log's other end is ours. The clock of the lines stands still at 22:13:20;
 * alarm(2) has its own. */

static struct scratch scratch;
static int reader;

static int
set_up(void **state)
{
	(void)state;
	fake_clock_reset();
	setenv("TZ", "UTC", 1);
	tzset();
	scratch_make(&scratch);
	reader = sockets_bind(
	    scratch_path(&scratch, "log"), SOCK_DGRAM | SOCK_NONBLOCK);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	close(reader);
	scratch_remove(&scratch);
	return 0;
}

static struct logsock *
log_of_ours(void)
{
	const struct logsock_options o = {.kind = LOGSOCK_POSTLOG,
	    .path = scratch_path(&scratch, "log"),
	    .host = "mx",
	    .tag = {"test/main", "test/dns", "test/tls"}};
	struct errtext why;

	return logsock_new(&o, &why);
}

/* The next line, without the pid in it; "" when there is none. */
static const char *
line_heard(void)
{
	static char text[LOG_LINE_MAX];
	ssize_t n = recv(reader, text, sizeof(text) - 1, 0);
	char *from, *to;

	text[n > 0 ? n : 0] = '\0';
	if ((from = strchr(text, '[')) != NULL &&
	    (to = strchr(from, ']')) != NULL)
		memmove(from + 1, to, strlen(to) + 1);
	return text;
}

/* --- in a child ---------------------------------------------------------------- */

/* The real thing: nobody comes to feed it. */
static int
stand_still(void)
{
	struct logsock *log = log_of_ours();

	watchdog_begin(&log);
	watchdog_feed(1);
	while (pause() < 0)
		;
	return 0;
}

/* From here on the alarm need not be waited for. */
static int
fed_twice(void)
{
	struct logsock *log = log_of_ours();

	watchdog_begin(&log);
	watchdog_feed(40);
	fake_clock_advance(10 * 1000);
	watchdog_feed(60);
	return raise(SIGALRM);
}

static int
no_log_yet(void)
{
	struct logsock *log = NULL;

	watchdog_begin(&log);
	watchdog_feed(60);
	return raise(SIGALRM);
}

/* The handler looks where the log is when it is needed, not before. */
static int
log_is_gone(void)
{
	struct logsock *log = log_of_ours();

	watchdog_begin(&log);
	watchdog_feed(60);
	logsock_free(&log);
	return raise(SIGALRM);
}

static int
ended(void)
{
	struct logsock *log = log_of_ours();

	watchdog_begin(&log);
	watchdog_feed(60);
	watchdog_end();
	watchdog_end();
	return raise(SIGALRM);
}

static void
who_stands_still_dies_and_says_so(void **state)
{
	static const struct {
		const char *name;
		int (*deed)(void);
		const char *line;
	} cases[] = {
	    {"nobody feeds it", stand_still,
		"Nov 14 22:13:21 mx test/main[]: fatal: watchdog timeout"},
	    {"fed twice", fed_twice,
		"Nov 14 22:14:30 mx test/main[]: fatal: watchdog timeout"},
	    {"no log yet", no_log_yet, ""},
	    {"the log is gone", log_is_gone, ""},
	    {"after its end", ended, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int got = child_outcome(cases[i].deed);
		const char *line = line_heard();

		if (got != -SIGALRM || strcmp(line, cases[i].line) != 0)
			fail_msg("%s: %d: %s", cases[i].name, got, line);
		assert_string_equal(line_heard(), "");
	}
}

/* --- here ------------------------------------------------------------------------- */

static void
the_alarm_is_as_it_was_said(void **state)
{
	struct logsock *log = log_of_ours();
	struct sigaction now;

	(void)state;
	assert_non_null(log);
	watchdog_begin(&log);
	assert_int_equal(alarm(0), 0); /* not fed yet: not hungry */
	watchdog_feed(1000);
	watchdog_feed(3000);
	assert_in_range(alarm(0), 2990, 3000);
	watchdog_feed(1000);
	watchdog_rest();
	assert_int_equal(alarm(0), 0);
	watchdog_feed(1000);
	watchdog_end();
	assert_int_equal(alarm(0), 0);
	assert_int_equal(sigaction(SIGALRM, NULL, &now), 0);
	assert_ptr_equal(now.sa_handler, SIG_DFL);
	assert_string_equal(line_heard(), "");
	logsock_free(&log);
}

static void
one_that_never_began_has_no_end(void **state)
{
	(void)state;
	alarm(1000);
	watchdog_end();
	assert_in_range(alarm(0), 990, 1000); /* somebody else's */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(who_stands_still_dies_and_says_so),
	    TEST(the_alarm_is_as_it_was_said),
	    TEST(one_that_never_began_has_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
