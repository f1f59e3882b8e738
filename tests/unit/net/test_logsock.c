/* SPDX-License-Identifier: ISC */
/* links: fake_clock fake_mem nth_call sockets turn_loop */
#include "net/logsock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/fake_clock.h"
#include "support/fake_mem.h"
#include "support/nth_call.h"
#include "support/sockets.h"
#include "support/turn_loop.h"

#define RETRY_MS 1000 /* as in logsock.c */

static char directory[] = "/tmp/logsock.XXXXXX";
static char path[64], other_path[64];
enum { READER = SOCK_DGRAM | SOCK_NONBLOCK };

static struct loop *loop;
static struct logsock *l;
static int reader = -1;
static char got[8192]; /* the last datagram */

static void
reader_stop(void)
{
	close(reader);
	reader = -1;
	unlink(path);
}

/* False when nothing waits. */
static bool
next_line(void)
{
	ssize_t n = recv(reader, got, sizeof(got) - 1, MSG_DONTWAIT);

	if (n < 0)
		return false;
	got[n] = '\0';
	return true;
}

static struct logsock_options
options(enum logsock_kind kind)
{
	return (struct logsock_options){
	    .kind = kind,
	    .path = path,
	    .facility = LOG_MAIL,
	    .host = "mx",
	    .tag = {"postfix/postscreen", "postfix/dnsblog",
		"postfix/tlsproxy"},
	};
}

static void
open_log(enum logsock_kind kind)
{
	struct logsock_options o = options(kind);
	struct errtext why;

	l = logsock_new(&o, &why);
	if (l == NULL)
		fail_msg("%s", why.text);
}

static void
say(const char *text)
{
	logsock_write(LOG_LEVEL_INFO, LOG_VOICE_MAIN, text, strlen(text), l);
}

static void
say_number(int i)
{
	char text[32];

	snprintf(text, sizeof(text), "line %d", i);
	say(text);
}

static bool
got_ends_with(const char *text)
{
	size_t n = strlen(got), m = strlen(text);

	return n >= m && strcmp(got + n - m, text) == 0;
}

static void
next_line_is(const char *text)
{
	if (!next_line())
		fail_msg("nothing came in place of \"%s\"", text);
	if (!got_ends_with(text))
		fail_msg("\"%s\" does not end with \"%s\"", got, text);
}

static int
setup(void **state)
{
	(void)state;
	fake_clock_reset();
	snprintf(path, sizeof(path), "%s/log", directory);
	snprintf(other_path, sizeof(other_path), "%s/other", directory);
	loop = loop_new();
	reader = sockets_bind(path, READER);
	return loop == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	logsock_free(&l);
	logsock_free(&l);
	reader_stop();
	loop_free(&loop);
	assert_int_equal(fake_mem_live(), 0);
	return 0;
}

/* --- framing ------------------------------------------------------------- */
static void
both_kinds_arrive_framed(void **state)
{
	char want[128];

	(void)state;
	open_log(LOGSOCK_SYSLOG);
	say("text");
	snprintf(want, sizeof(want),
	    "<22>Nov 14 22:13:20 postfix/postscreen[%ld]: text",
	    (long)getpid());
	assert_true(next_line());
	assert_string_equal(got, want);
	logsock_free(&l);

	open_log(LOGSOCK_POSTLOG);
	say("text");
	snprintf(want, sizeof(want),
	    "Nov 14 22:13:20 mx postfix/postscreen[%ld]: text", (long)getpid());
	assert_true(next_line());
	assert_string_equal(got, want);
}

/* What a watchdog says at the end of its wait, whatever waits in the queue. */
static void
prepared_line_is_sent_as_it_was_made(void **state)
{
	char want[128];

	(void)state;
	open_log(LOGSOCK_POSTLOG);
	logsock_send_prepared(l);
	assert_false(next_line());
	logsock_prepare(
	    l, LOG_LEVEL_FATAL, "fatal: the end", wall_after(clock_wall(), 40));
	say("before");
	logsock_send_prepared(l);
	logsock_send_prepared(l);
	next_line_is(": before");
	snprintf(want, sizeof(want),
	    "Nov 14 22:14:00 mx postfix/postscreen[%ld]: fatal: the end",
	    (long)getpid());
	for (int i = 0; i < 2; i++) {
		assert_true(next_line());
		assert_string_equal(got, want);
	}
	reader_stop();
	logsock_send_prepared(l);
}

static void
long_line_is_cut_at_what_postlogd_reads(void **state)
{
	char text[6000];

	(void)state;
	memset(text, 'x', sizeof(text));
	open_log(LOGSOCK_POSTLOG);
	logsock_write(LOG_LEVEL_INFO, LOG_VOICE_MAIN, text, sizeof(text), l);
	assert_true(next_line());
	assert_int_equal(strlen(got), 4096);
}

static void
wrong_options_are_refused(void **state)
{
	struct logsock_options o[5];
	struct errtext why;
	char long_text[4096];
	size_t i;

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (i = 0; i < 5; i++)
		o[i] = options(LOGSOCK_POSTLOG);
	o[0].path = NULL;
	o[1].path = long_text;
	o[2].host = NULL;
	o[3].tag[LOG_VOICE_DNSBLOG] = NULL;
	o[4].tag[LOG_VOICE_MAIN] = long_text;
	for (i = 0; i < 5; i++) {
		why.text[0] = '\0';
		errno = 0;
		l = logsock_new(&o[i], &why);
		if (l != NULL || errno != EINVAL || why.text[0] == '\0')
			fail_msg("case %zu was accepted", i);
	}
}

/* --- a reader that does not keep up -------------------------------------- */
static void
burst_waits_and_keeps_its_order(void **state)
{
	int i, n;

	(void)state;
	open_log(LOGSOCK_SYSLOG);
	assert_int_equal(logsock_attach(l, loop), 0);
	for (i = 0; i < 1000; i++)
		say_number(i);
	for (n = 0; n < 1000; turn_loop(loop, 1)) {
		while (next_line()) {
			char want[32];

			snprintf(want, sizeof(want), ": line %d", n++);
			assert_true(got_ends_with(want));
		}
	}
	assert_int_equal(n, 1000);
	say("after");
	next_line_is(": after");
	assert_int_equal(logsock_drops(l), 0);
}

static void
burst_before_the_loop_waits_too(void **state)
{
	int i, n = 0;

	(void)state;
	open_log(LOGSOCK_SYSLOG);
	for (i = 0; i < 50; i++)
		say_number(i);
	while (next_line())
		n++;
	assert_in_range(n, 1, 49); /* else this tests nothing */
	say("more");               /* tries the queue first */
	while (next_line())
		n++;
	assert_int_equal(logsock_attach(l, loop), 0);
	while (n < 51) {
		turn_loop(loop, 1);
		while (next_line())
			n++;
	}
	assert_int_equal(n, 51);
	assert_true(got_ends_with(": more"));
}

static int64_t
cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
waiting_costs_nothing(void **state)
{
	int64_t before;
	int i;

	(void)state;
	open_log(LOGSOCK_SYSLOG);
	assert_int_equal(logsock_attach(l, loop), 0);
	for (i = 0; i < 1000; i++)
		say_number(i);
	before = cpu_ms();
	turn_loop(loop, 300);
	assert_true(cpu_ms() - before < 100);
}

static void
lost_lines_are_counted_and_told(void **state)
{
	static char text[1800];
	uint64_t lost;
	int i, n = 0, reports = 0;
	char want[64];

	(void)state;
	open_log(LOGSOCK_SYSLOG);
	assert_int_equal(logsock_attach(l, loop), 0);
	memset(text, 'x', sizeof(text));
	for (i = 0; i < 1000; i++)
		logsock_write(
		    LOG_LEVEL_INFO, LOG_VOICE_MAIN, text, sizeof(text), l);
	lost = logsock_drops(l);
	assert_in_range(lost, 300, 600);
	snprintf(
	    want, sizeof(want), "warning: %d log lines were lost", (int)lost);
	for (i = 0; i < 2000 && reports == 0; i++, turn_loop(loop, 1)) {
		while (next_line()) {
			if (strstr(got, want) != NULL) {
				assert_memory_equal(got, "<20>", 4);
				reports++;
			} else {
				n++;
			}
		}
	}
	assert_int_equal(reports, 1);
	assert_int_equal(n + (int)lost, 1000);
	say("after");
	next_line_is(": after");
	assert_int_equal(logsock_drops(l), lost);
}

/* The report comes before the first line that finds room again. */
static void
report_stands_where_the_lines_are_missing(void **state)
{
	int i;

	(void)state;
	open_log(LOGSOCK_SYSLOG);
	for (i = 0; i < 100; i++)
		say_number(i);
	fake_mem_fail_after(0);
	say("lost");
	say("lost too");
	fake_mem_heal();
	assert_int_equal(logsock_drops(l), 2);
	say("found");
	assert_int_equal(logsock_drops(l), 2);
	assert_int_equal(logsock_attach(l, loop), 0);
	for (i = 0; i < 100; i++) {
		char want[32];

		snprintf(want, sizeof(want), ": line %d", i);
		if (!next_line()) {
			turn_loop(loop, 1);
			assert_true(next_line());
		}
		assert_true(got_ends_with(want));
	}
	turn_loop(loop, 1);
	assert_true(next_line());
	assert_non_null(strstr(got, "warning: 2 log lines were lost"));
	next_line_is(": found");
}

/* --- a daemon that goes and comes ---------------------------------------- */
static void
restarted_daemon_is_found_at_once(void **state)
{
	(void)state;
	open_log(LOGSOCK_SYSLOG);
	assert_int_equal(logsock_attach(l, loop), 0);
	say("one");
	next_line_is(": one");
	fake_clock_advance(RETRY_MS);
	reader_stop();
	reader = sockets_bind(path, READER);
	say("two");
	next_line_is(": two");
}

static void
connecting_is_tried_once_a_second(void **state)
{
	int i;

	(void)state;
	reader_stop();
	open_log(LOGSOCK_SYSLOG); /* tries, in vain */
	for (i = 0; i < 3; i++)
		say_number(i);
	reader = sockets_bind(path, READER);
	fake_clock_advance(RETRY_MS - 1);
	say("3");
	assert_false(next_line());
	fake_clock_advance(1);
	say("4");
	for (i = 0; i < 3; i++) {
		assert_true(next_line());
		assert_int_equal(got[strlen(got) - 1], '0' + i);
	}
	next_line_is(": 3");
	next_line_is(": 4");
}

static void
loop_reconnects_by_itself(void **state)
{
	int64_t before;

	(void)state;
	open_log(LOGSOCK_SYSLOG);
	assert_int_equal(logsock_attach(l, loop), 0);
	say("a");
	next_line_is(": a");
	fake_clock_advance(RETRY_MS);
	reader_stop();
	say("b");
	fake_clock_advance(RETRY_MS); /* by the time that the timer fires */
	before = cpu_ms();
	turn_loop(loop, RETRY_MS / 4);
	assert_true(cpu_ms() - before < 100);
	reader = sockets_bind(path, READER);
	turn_loop(loop, RETRY_MS);
	next_line_is(": b");
	assert_int_equal(logsock_drops(l), 0);
}

static void
another_path_is_used_from_now_on(void **state)
{
	int old;

	(void)state;
	open_log(LOGSOCK_POSTLOG);
	assert_int_equal(logsock_repath(l, other_path), 0);
	say("a");
	next_line_is(": a"); /* the connection stays */
	fake_clock_advance(RETRY_MS);
	old = reader;
	reader = sockets_bind(other_path, READER);
	close(old);
	say("b");
	next_line_is(": b");
	unlink(other_path);
}

static void
last_lines_are_tried_at_the_end(void **state)
{
	int i, n = 0;

	(void)state;
	open_log(LOGSOCK_SYSLOG);
	for (i = 0; i < 15; i++)
		say_number(i);
	while (next_line())
		n++;
	logsock_free(&l);
	while (next_line())
		n++;
	assert_int_equal(n, 15);
}

/* Everything that waits is sent by the child, under the pid that said it. */
static int
drain_as_child(int said, int read_before)
{
	char want[64];
	int n = read_before;

	logsock_after_fork(l);
	if (loop_after_fork(loop) < 0)
		return 1;
	say("child");
	snprintf(want, sizeof(want), "[%ld]: child", (long)getpid());
	for (int turns = 0; turns < 1000 && n <= said; turns++) {
		turn_loop(loop, 1);
		for (; next_line(); n++)
			continue;
	}
	return n == said + 1 && got_ends_with(want) ? 0 : 2;
}

static void
child_sends_what_waits_and_has_its_own_pid(void **state)
{
	int i, n = 0, status;
	pid_t pid;

	(void)state;
	open_log(LOGSOCK_SYSLOG);
	assert_int_equal(logsock_attach(l, loop), 0);
	for (i = 0; i < 100; i++)
		say_number(i);
	for (; next_line(); n++)
		continue;
	assert_true(n < 100);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(drain_as_child(100, n));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* --- calls that fail ----------------------------------------------------- */
/* A line that is refused for good holds up nobody. */
static void
refused_line_is_lost_and_told(void **state)
{
	(void)state;
	open_log(LOGSOCK_SYSLOG);
	nth_call_arm(CALL_send, 1, EMSGSIZE);
	say("too much");
	(void)nth_call_disarm();
	assert_int_equal(logsock_drops(l), 1);
	assert_int_equal(logsock_backlog(l), 0);
	assert_false(next_line());
	say("next");
	next_line_is("warning: 1 log lines were lost: the log daemon does not"
		     " keep up");
	next_line_is(": next");
	assert_int_equal(logsock_drops(l), 1);
}

static void
refused_line_leaves_the_queue(void **state)
{
	int n = 0;

	(void)state;
	open_log(LOGSOCK_SYSLOG);
	nth_call_arm(CALL_send, 1, ENOBUFS);
	say("first");
	assert_int_equal(nth_call_disarm(), 1);
	assert_true(logsock_backlog(l) > 0);
	nth_call_arm(CALL_send, 1, EMSGSIZE);
	say("second");
	(void)nth_call_disarm();
	assert_int_equal(logsock_backlog(l), 0);
	assert_int_equal(logsock_drops(l), 1);
	next_line_is("1 log lines were lost: the log daemon does not keep up");
	next_line_is(": second");
	while (next_line())
		n++;
	assert_int_equal(n, 0);
}

static void
no_descriptor_is_tried_again(void **state)
{
	(void)state;
	nth_call_arm(CALL_socket, 1, EMFILE);
	open_log(LOGSOCK_SYSLOG);
	assert_int_equal(nth_call_disarm(), 1);
	say("a");
	assert_true(logsock_backlog(l) > 0);
	fake_clock_advance(RETRY_MS);
	say("b");
	next_line_is(": a");
	next_line_is(": b");
	assert_int_equal(logsock_backlog(l), 0);
}

/* --- the end of a process ------------------------------------------------ */
/* Takes so many lines, in a process of its own. Returns an exit status. */
static int
read_as_child(int lines)
{
	struct timeval patience = {.tv_sec = 30};
	int n = 0;

	if (setsockopt(reader, SOL_SOCKET, SO_RCVTIMEO, &patience,
		sizeof(patience)) < 0)
		return 1;
	while (n < lines) {
		if (recv(reader, got, sizeof(got), 0) > 0)
			n++;
		else if (errno != EINTR) /* as after a stop, signal(7) */
			return 2;
	}
	return 0;
}

/* Lines that wait; the reader has taken none. */
static int
fill_queue(void)
{
	int n = 0;

	open_log(LOGSOCK_SYSLOG);
	while (logsock_backlog(l) == 0)
		say_number(n++);
	for (int i = 0; i < 100; i++)
		say_number(n++);
	return n;
}

static void
end_waits_for_the_reader(void **state)
{
	int status, said = fill_queue(), flags = fcntl(reader, F_GETFL);
	pid_t pid;

	(void)state;
	assert_int_equal(fcntl(reader, F_SETFL, flags & ~O_NONBLOCK), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(read_as_child(said));
	/* A signal is not the end. */
	nth_call_arm(CALL_poll, 1, EINTR);
	logsock_finish(l, 30000);
	(void)nth_call_disarm();
	assert_int_equal(logsock_backlog(l), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* Nothing waits. */
	logsock_finish(l, 30000);
}

static void
end_does_not_wait_for_ever(void **state)
{
	size_t waiting;

	(void)state;
	(void)fill_queue();
	waiting = logsock_backlog(l);
	logsock_finish(l, 0);
	assert_int_equal(logsock_backlog(l), waiting);
	nth_call_arm(CALL_poll, 1, EBADF);
	logsock_finish(l, 30000);
	assert_int_equal(nth_call_disarm(), 1);
	assert_int_equal(logsock_backlog(l), waiting);
	/* A reader that is gone is not waited for at all. */
	reader_stop();
	logsock_finish(l, 30000);
	reader = sockets_bind(path, READER);
}

/* --- stderr -------------------------------------------------------------- */
static void
stderr_gets_whole_lines_without_blocking(void **state)
{
	struct logsock_options o = options(LOGSOCK_STDERR);
	char want[64], in[65536];
	int fd[2], saved, i, lines = 0;
	ssize_t n, at;

	(void)state;
	o.path = NULL;
	assert_int_equal(pipe(fd), 0);
	saved = dup(STDERR_FILENO);
	assert_true(dup2(fd[1], STDERR_FILENO) >= 0);
	l = logsock_new(&o, NULL);
	assert_non_null(l);
	assert_int_equal(logsock_attach(l, loop), 0);
	say("first");
	n = read(fd[0], in, sizeof(in));
	snprintf(want, sizeof(want), "postfix/postscreen[%ld]: first\n",
	    (long)getpid());
	assert_int_equal(n, strlen(want));
	assert_memory_equal(in, want, strlen(want));

	for (i = 0; i < 5000; i++)
		say("more than a pipe holds"); /* one m in each */
	for (i = 0; i < 100 && lines < 5000; i++) {
		n = read(fd[0], in, sizeof(in));
		for (at = 0; at < n; at++)
			lines += in[at] == 'm';
		say("x"); /* something to read for sure */
		turn_loop(loop, 25);
	}
	logsock_free(&l);
	dup2(saved, STDERR_FILENO); /* it was not closed */
	close(saved);
	close(fd[0]);
	close(fd[1]);
	assert_true(i < 100);
}

static void
memory_that_runs_out_leaks_nothing(void **state)
{
	struct logsock_options o = options(LOGSOCK_POSTLOG);
	struct errtext why;
	unsigned n;
	long before = fake_mem_live();

	(void)state;
	for (n = 0; n < 20 && l == NULL; n++) {
		fake_mem_fail_after(n);
		l = logsock_new(&o, &why);
		fake_mem_heal();
		if (l == NULL) {
			assert_int_equal(errno, ENOMEM);
			assert_int_equal(fake_mem_live(), before);
		}
	}
	assert_int_equal(n, 6); /* one for each tag */
}

static int
make_directory(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

#define LOGSOCK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    LOGSOCK_TEST(both_kinds_arrive_framed),
	    LOGSOCK_TEST(prepared_line_is_sent_as_it_was_made),
	    LOGSOCK_TEST(long_line_is_cut_at_what_postlogd_reads),
	    LOGSOCK_TEST(wrong_options_are_refused),
	    LOGSOCK_TEST(burst_waits_and_keeps_its_order),
	    LOGSOCK_TEST(burst_before_the_loop_waits_too),
	    LOGSOCK_TEST(waiting_costs_nothing),
	    LOGSOCK_TEST(lost_lines_are_counted_and_told),
	    LOGSOCK_TEST(report_stands_where_the_lines_are_missing),
	    LOGSOCK_TEST(restarted_daemon_is_found_at_once),
	    LOGSOCK_TEST(connecting_is_tried_once_a_second),
	    LOGSOCK_TEST(loop_reconnects_by_itself),
	    LOGSOCK_TEST(another_path_is_used_from_now_on),
	    LOGSOCK_TEST(last_lines_are_tried_at_the_end),
	    LOGSOCK_TEST(child_sends_what_waits_and_has_its_own_pid),
	    LOGSOCK_TEST(refused_line_is_lost_and_told),
	    LOGSOCK_TEST(refused_line_leaves_the_queue),
	    LOGSOCK_TEST(no_descriptor_is_tried_again),
	    LOGSOCK_TEST(end_waits_for_the_reader),
	    LOGSOCK_TEST(end_does_not_wait_for_ever),
	    LOGSOCK_TEST(stderr_gets_whole_lines_without_blocking),
	    LOGSOCK_TEST(memory_that_runs_out_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
