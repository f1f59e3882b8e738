/* SPDX-License-Identifier: ISC */
/* links: borrowed_fds heard_log turn_loop */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "daemon/postfix.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "support/borrowed_fds.h"
#include "support/heard_log.h"
#include "support/turn_loop.h"

static void
test_generation_is_octal(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint32_t want;
	} cases[] = {
	    {"14", 0, 12},
	    {"0", 0, 0},
	    {"37777777777", 0, UINT32_MAX},
	    {"40000000000", -1, 0},
	    {"400000000000000000", -1, 0},
	    {"8", -1, 0},
	    {"", -1, 0},
	    {" 1", -1, 0},
	    {NULL, -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t n = 0;

		if (postfix_parse_generation(cases[i].text, &n) !=
			cases[i].rc ||
		    n != cases[i].want)
			fail_msg("%s",
			    cases[i].text == NULL ? "NULL" : cases[i].text);
	}
}

/* pid 4242 and GENERATION=14, as master reads them. */
static void
test_status_bytes(void **state)
{
	const int32_t pid = 4242, taken = 0, available = 1;
	const uint32_t generation = 12;
	unsigned char got[POSTFIX_STATUS_BYTES], want[POSTFIX_STATUS_BYTES];

	(void)state;
	memcpy(want, &pid, 4);
	memcpy(want + 4, &generation, 4);
	memcpy(want + 8, &taken, 4);
	postfix_encode_status(got, pid, generation, POSTFIX_TAKEN);
	assert_memory_equal(got, want, sizeof(want));
	memcpy(want + 8, &available, 4);
	postfix_encode_status(got, pid, generation, POSTFIX_AVAILABLE);
	assert_memory_equal(got, want, sizeof(want));
}

/* --- descriptors as master gives them ------------------------------------------- */

static struct borrowed_fds borrowed;
static int masters_end; /* of the status channel */
static struct loop *loop;
static struct postfix_channel channel;
static int retirements;

static void
give_descriptors(int sockets)
{
	int flow[2], status[2];

	assert_int_equal(pipe(flow), 0);
	borrowed_fds_put(flow[0], POSTFIX_FLOW_READ_FD);
	borrowed_fds_put(flow[1], POSTFIX_FLOW_WRITE_FD);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, status), 0);
	masters_end = fcntl(status[0], F_DUPFD_CLOEXEC, 50);
	assert_true(masters_end >= 0);
	close(status[0]);
	borrowed_fds_put(status[1], POSTFIX_STATUS_FD);
	for (int i = 0; i < sockets; i++)
		borrowed_fds_put(
		    socket(AF_UNIX, SOCK_STREAM, 0), POSTFIX_LISTEN_FD + i);
}

static void
say_nothing(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

static int
set_up(void **state)
{
	(void)state;
	borrowed_fds_begin(&borrowed);
	masters_end = -1;
	retirements = 0;
	memset(&channel, 0, sizeof(channel));
	heard_log_begin();
	log_set_verbose(1);
	loop_set_voice(say_nothing);
	setenv("GENERATION", "14", 1);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(&loop);
	loop_set_voice(NULL);
	if (masters_end >= 0)
		close(masters_end);
	borrowed_fds_end(&borrowed);
	log_set_verbose(0);
	heard_log_end();
	unsetenv("GENERATION");
	return 0;
}

static void
test_descriptors_are_not_for_our_children(void **state)
{
	struct errtext why = {""};

	(void)state;
	give_descriptors(2);
	assert_int_equal(postfix_check_descriptors(2, &why), 0);
	assert_string_equal(why.text, "");
	for (int fd = POSTFIX_FLOW_READ_FD; fd < POSTFIX_LISTEN_FD + 2; fd++)
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(postfix_check_descriptors(0, &why), 0);
}

/* Somebody has typed what only master says. */
static void
test_descriptors_are_missing(void **state)
{
	static const struct {
		int missing, sockets;
		const char *why;
	} cases[] = {
	    {3, 1,
		"descriptor 3: Bad file descriptor (this command line is for"
		" master(8))"},
	    {5, 0,
		"descriptor 5: Bad file descriptor (this command line is for"
		" master(8))"},
	    {7, 2,
		"descriptor 7: Bad file descriptor (this command line is for"
		" master(8))"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct errtext why = {""};

		give_descriptors(cases[i].sockets);
		close(cases[i].missing);
		assert_int_equal(
		    postfix_check_descriptors(cases[i].sockets, &why), -1);
		assert_string_equal(why.text, cases[i].why);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

/* --- the status channel ----------------------------------------------------------- */

static void
on_retire(struct postfix_channel *c)
{
	assert_ptr_equal(c, &channel);
	retirements++;
	loop_stop(loop);
}

static void
open_channel(void)
{
	struct errtext why = {""};

	give_descriptors(1);
	loop = loop_new();
	assert_non_null(loop);
	if (postfix_channel_start(&channel, loop, on_retire, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(channel.generation, 12);
}

enum { LONG_MS = 20000, SHORT_MS = 10 };

static void
test_end_of_file_means_retire(void **state)
{
	(void)state;
	open_channel();
	turn_loop(loop, SHORT_MS);
	assert_int_equal(retirements, 0);
	close(masters_end);
	masters_end = -1;
	turn_loop(loop, LONG_MS);
	assert_int_equal(retirements, 1);
	/* It is said once, though the file still ends there. */
	turn_loop(loop, SHORT_MS);
	assert_int_equal(retirements, 1);
	postfix_channel_close(&channel);
}

static void
test_whatever_master_says_means_retire(void **state)
{
	(void)state;
	open_channel();
	assert_int_equal(write(masters_end, "x", 1), 1);
	turn_loop(loop, LONG_MS);
	assert_int_equal(retirements, 1);
	turn_loop(loop, SHORT_MS);
	assert_int_equal(retirements, 1);
	postfix_channel_close(&channel);
}

/* When Postfix stops, a signal and the end of file come at the same time. */
static bool term_was_first;

static void
on_term(struct loop_signal *sig)
{
	(void)sig;
	term_was_first = retirements == 0;
}

static void
test_a_stop_is_no_reload(void **state)
{
	struct loop_signal term;

	for (int i = 0; i < 10; i++) {
		memset(&term, 0, sizeof(term));
		term_was_first = false;
		open_channel();
		assert_int_equal(
		    loop_signal_start(&term, loop, SIGTERM, on_term), 0);
		close(masters_end);
		masters_end = -1;
		assert_int_equal(kill(getpid(), SIGTERM), 0);
		turn_loop(loop, LONG_MS);
		assert_int_equal(retirements, 1);
		assert_true(term_was_first);
		loop_signal_stop(&term);
		postfix_channel_close(&channel);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

static void
test_close_takes_it_all_back(void **state)
{
	(void)state;
	open_channel();
	close(masters_end);
	masters_end = -1;
	for (int i = 0; i < 1000; i++)
		if (!loop_timer_is_running(&channel.settle))
			turn_loop(loop, 0);
	assert_true(loop_timer_is_running(&channel.settle));
	postfix_channel_close(&channel);
	turn_loop(loop, SHORT_MS);
	assert_int_equal(retirements, 0);
	for (int fd = POSTFIX_FLOW_READ_FD; fd <= POSTFIX_STATUS_FD; fd++)
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_true(fcntl(POSTFIX_LISTEN_FD, F_GETFD) >= 0);
}

/* What master reads: who, of which generation, and how it is. */
static void
hear_status(enum postfix_status status)
{
	unsigned char got[POSTFIX_STATUS_BYTES], want[POSTFIX_STATUS_BYTES];

	postfix_encode_status(want, (int32_t)getpid(), 12, status);
	assert_int_equal(
	    recv(masters_end, got, sizeof(got), MSG_DONTWAIT), sizeof(got));
	assert_memory_equal(got, want, sizeof(want));
}

static void
test_master_is_told_once(void **state)
{
	char byte;

	(void)state;
	open_channel();
	assert_false(channel.introduced);
	postfix_introduce(&channel);
	assert_true(channel.introduced);
	postfix_introduce(&channel);
	hear_status(POSTFIX_TAKEN);
	hear_status(POSTFIX_AVAILABLE);
	assert_int_equal(recv(masters_end, &byte, 1, MSG_DONTWAIT), -1);
	assert_string_equal(heard_log(), "");
	postfix_channel_close(&channel);
}

/* No signal, no wait, and a line for who wants to know. */
static void
test_master_does_not_listen(void **state)
{
	(void)state;
	open_channel();
	close(masters_end);
	masters_end = -1;
	postfix_introduce(&channel);
	assert_true(channel.introduced);
	assert_string_equal(heard_log(),
	    "status channel: Broken pipe\nstatus channel: Broken pipe\n");
	postfix_channel_close(&channel);
}

static void
test_no_channel(void **state)
{
	static const struct {
		const char *name, *generation, *why;
		bool is_a_file;
	} cases[] = {
	    {"not there", NULL,
		"GENERATION in the environment: Invalid argument", false},
	    {"not octal", "19",
		"GENERATION in the environment: Invalid argument", false},
	    {"too large", "77777777777",
		"GENERATION in the environment: Numerical result out of range",
		false},
	    {"a file", "14", "status channel: Operation not permitted", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct errtext why = {""};

		give_descriptors(0);
		if (cases[i].is_a_file)
			borrowed_fds_put(
			    memfd_create("status", 0), POSTFIX_STATUS_FD);
		loop = loop_new();
		assert_non_null(loop);
		if (cases[i].generation != NULL)
			setenv("GENERATION", cases[i].generation, 1);
		else
			unsetenv("GENERATION");
		if (postfix_channel_start(&channel, loop, on_retire, &why) ==
			0 ||
		    strcmp(why.text, cases[i].why) != 0)
			fail_msg("%s: %s", cases[i].name, why.text);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_generation_is_octal),
	    cmocka_unit_test(test_status_bytes),
	    TEST(test_descriptors_are_not_for_our_children),
	    TEST(test_descriptors_are_missing),
	    TEST(test_end_of_file_means_retire),
	    TEST(test_whatever_master_says_means_retire),
	    TEST(test_a_stop_is_no_reload),
	    TEST(test_close_takes_it_all_back),
	    TEST(test_master_is_told_once),
	    TEST(test_master_does_not_listen),
	    TEST(test_no_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
