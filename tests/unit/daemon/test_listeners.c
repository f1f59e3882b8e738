/* SPDX-License-Identifier: ISC */
/* links: nth_call given_addr sockets */
#include "daemon/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/given_addr.h"
#include "support/nth_call.h"
#include "support/sockets.h"

enum { FIRST = 200 }; /* of two descriptors that nobody else has */

static struct loop *loop;
static struct listeners doors;
static int arrivals;

static int
set_up(void **state)
{
	(void)state;
	arrivals = 0;
	doors = (struct listeners){.count = 0};
	return (loop = loop_new()) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	listeners_close(&doors);
	loop_free(&loop);
	return 0;
}

/* --- words ----------------------------------------------------------------- */
static void
test_words(void **state)
{
	static const char *const good[] = {
	    "inet:127.0.0.1:25",
	    "127.0.0.1:25",
	    "inet:[127.0.0.1]:65535",
	    "inet:[::1]:1, [::]:25",
	    "inet:2001:db8::1:25",
	    " ,\t0.0.0.0:25,,\n[::]:25 ",
	};
	static const struct {
		const char *words, *culprit;
	} bad[] = {
	    {"inet:127.0.0.1", "inet:127.0.0.1"},
	    {"inet:127.0.0.1:", "inet:127.0.0.1:"},
	    {"inet:127.0.0.1:0", "inet:127.0.0.1:0"},
	    {"inet:127.0.0.1:65536", "inet:127.0.0.1:65536"},
	    {"inet:127.0.0.1:smtp", "inet:127.0.0.1:smtp"},
	    {"inet:127.0.0.1:25x", "inet:127.0.0.1:25x"},
	    {"inet::25", "inet::25"},
	    {"inet:[]:25", "inet:[]:25"},
	    {"inet:[::1:25", "inet:[::1:25"},
	    {"mx.test:25", "mx.test:25"},
	    {"inet:", "inet:"},
	    {":25", ":25"},
	    {"25", "25"},
	    {"unix:/run/smtp", "unix:/run/smtp"},
	    {"[::]:25 nowhere 127.0.0.1:25", "nowhere"},
	};
	struct errtext why;
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		why.text[0] = '\0';
		if (listeners_open(NULL, NULL, good[i], &why) < 0)
			fail_msg("%s: %s", good[i], why.text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (listeners_open(NULL, NULL, bad[i].words, &why) == 0)
			fail_msg("%s", bad[i].words);
		(void)snprintf(text, sizeof(text),
		    "doorbell_listen: \"%s\" is not inet:address:port",
		    bad[i].culprit);
		assert_string_equal(why.text, text);
	}
	assert_int_equal(listeners_open(NULL, NULL, "", &why), -1);
	assert_string_equal(why.text, "doorbell_listen is empty");
	assert_int_equal(listeners_open(NULL, NULL, " , ", &why), -1);
	assert_string_equal(why.text, "doorbell_listen is empty");
}

static void
test_too_many_words(void **state)
{
	char words[LISTENERS_MAX * 16 + 16] = "";
	struct errtext why;
	size_t n = 0;

	(void)state;
	for (int i = 1; i <= LISTENERS_MAX; i++)
		n += (size_t)snprintf(
		    words + n, sizeof(words) - n, "127.0.0.1:%d ", i);
	assert_int_equal(listeners_open(NULL, NULL, words, &why), 0);
	(void)snprintf(words + n, sizeof(words) - n, "127.0.0.1:65");
	assert_int_equal(listeners_open(NULL, NULL, words, &why), -1);
	assert_string_equal(why.text, "more than 64 listening sockets");
}

/* --- doors ----------------------------------------------------------------- */
static void
on_arrival(int fd, const struct endpoint *client, const struct endpoint *server,
    void *arg)
{
	(void)client;
	(void)server;
	assert_ptr_equal(arg, &doors);
	close(fd);
	arrivals++;
	loop_stop(loop);
}

static const struct listen_ops ops = {.arrived = on_arrival};

static int
listening(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Who knocks there; -1 when nobody listens. */
static int
knock(const struct endpoint *where)
{
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(where, &sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&sa, n) == 0)
		return fd;
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	return -1;
}

/* Of a socket that is listening on a port of the kernel's choice. */
static struct endpoint
where_is(int fd)
{
	return given_endpoint("127.0.0.1", sockets_name(fd).port);
}

static void
test_doors_open_rest_and_close(void **state)
{
	struct endpoint where[2];
	struct errtext why;
	int first = listening(), second = listening(), client;

	(void)state;
	where[0] = where_is(first);
	where[1] = where_is(second);
	assert_int_equal(listeners_adopt(&doors, loop, first, 1, &why), 0);
	assert_int_equal(listeners_adopt(&doors, loop, second, 1, &why), 0);
	assert_int_equal(doors.count, 2);
	assert_int_equal(listeners_start(&doors, &ops, &doors, &why), 0);
	for (int i = 0; i < 2; i++) {
		client = knock(&where[i]);
		assert_int_equal(loop_run(loop), 0);
		assert_int_equal(arrivals, i + 1);
		close(client);
	}
	/* Without doors there is nothing to wait for. */
	listeners_stop(&doors);
	client = knock(&where[0]);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(arrivals, 2);
	assert_int_equal(listeners_start(&doors, &ops, &doors, &why), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(arrivals, 3);
	close(client);
	listeners_close(&doors);
	assert_int_equal(doors.count, 0);
	assert_int_equal(knock(&where[0]), -1);
	assert_int_equal(knock(&where[1]), -1);
}

static void
test_some_of_them(void **state)
{
	struct endpoint where;
	struct errtext why;
	int fd = listening(), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	where = where_is(fd);
	assert_int_equal(dup2(fd, FIRST), FIRST);
	assert_int_equal(dup2(null, FIRST + 1), FIRST + 1);
	close(fd);
	close(null);
	/* What came before one that is none stays. */
	assert_int_equal(listeners_adopt(&doors, loop, FIRST, 2, &why), -1);
	assert_non_null(strstr(why.text, "not a usable listening socket"));
	close(FIRST + 1);
	assert_int_equal(doors.count, 1);
	assert_int_equal(listeners_start(&doors, &ops, &doors, &why), 0);
	close(knock(&where));
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(arrivals, 1);
}

static void
test_an_address_that_is_not_ours(void **state)
{
	struct errtext why;

	(void)state;
	assert_int_equal(
	    listeners_open(&doors, loop, "inet:192.0.2.1:2525", &why), -1);
	assert_string_equal(why.text,
	    "[192.0.2.1]:2525: cannot bind: Cannot assign requested address");
	assert_int_equal(doors.count, 0);
}

static void
test_too_many(void **state)
{
	struct errtext why;
	int fd[LISTENERS_MAX + 1];

	(void)state;
	for (int i = 0; i <= LISTENERS_MAX; i++)
		fd[i] = listening();
	for (int i = 0; i < LISTENERS_MAX; i++)
		assert_int_equal(
		    listeners_adopt(&doors, loop, fd[i], 1, &why), 0);
	assert_int_equal(
	    listeners_adopt(&doors, loop, fd[LISTENERS_MAX], 1, &why), -1);
	assert_string_equal(why.text, "more than 64 listening sockets");
	assert_int_equal(doors.count, LISTENERS_MAX);
	/* That one is closed. */
	assert_int_equal(fcntl(fd[LISTENERS_MAX], F_GETFD), -1);
}

static void
say_nothing(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

static void
test_no_watch_for_a_door(void **state)
{
	struct errtext why;

	(void)state;
	loop_set_voice(say_nothing);
	assert_int_equal(
	    listeners_adopt(&doors, loop, listening(), 1, &why), 0);
	nth_call_arm(CALL_epoll_ctl, 1, ENOMEM);
	assert_int_equal(listeners_start(&doors, &ops, &doors, &why), -1);
	assert_int_equal(nth_call_disarm(), 1);
	assert_string_equal(why.text, "listening: Cannot allocate memory");
	loop_set_voice(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_words),
	    TEST(test_too_many_words),
	    TEST(test_doors_open_rest_and_close),
	    TEST(test_some_of_them),
	    TEST(test_an_address_that_is_not_ours),
	    TEST(test_too_many),
	    TEST(test_no_watch_for_a_door),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
