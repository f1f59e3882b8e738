/* SPDX-License-Identifier: ISC */
/* links: given_addr turn_loop sockets */
#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/given_addr.h"
#include "support/sockets.h"
#include "support/turn_loop.h"

#define CALLERS_MAX 200

static struct loop *loop;
static struct listener *door;
static int callers[CALLERS_MAX];
static int caller_count;

enum then { THEN_NOTHING, THEN_STOP, THEN_FREE };

static struct {
	int arrived;
	int troubles;
	int pauses;
	int exhausted, spare; /* times that one is given back */
	int error;
	int per_tick_max, this_tick;
	struct endpoint client, server;
	int flags, fd_flags, keepalive;
	enum then then;
	struct loop_later tick_end;
} seen;

/* In place of the C library's: fails when told to. */
static int accept_error, accept_failures, accept_calls;

int
accept4(int fd, __SOCKADDR_ARG sa, socklen_t *restrict n, int flags)
{
	accept_calls++;
	if (accept_failures > 0) {
		accept_failures--;
		errno = accept_error;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, sa.__sockaddr__, n, flags);
}

static void
accept_fails(int error, int times)
{
	accept_error = error;
	accept_failures = times;
}

static void
on_tick_end(struct loop_later *later)
{
	(void)later;
	if (seen.this_tick > seen.per_tick_max)
		seen.per_tick_max = seen.this_tick;
	seen.this_tick = 0;
}

static void
count_in_tick(void)
{
	seen.this_tick++;
	loop_later_add(loop, &seen.tick_end, on_tick_end);
}

static void
on_arrived(int fd, const struct endpoint *client, const struct endpoint *server,
    void *arg)
{
	socklen_t n = sizeof(seen.keepalive);

	assert_ptr_equal(arg, &seen);
	seen.arrived++;
	count_in_tick();
	seen.client = *client;
	seen.server = *server;
	seen.flags = fcntl(fd, F_GETFL);
	seen.fd_flags = fcntl(fd, F_GETFD);
	getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &seen.keepalive, &n);
	close(fd);
	if (seen.then == THEN_STOP)
		listen_stop(door);
	else if (seen.then == THEN_FREE)
		listen_free(&door);
}

static void
on_trouble(int error, bool paused, void *arg)
{
	assert_ptr_equal(arg, &seen);
	seen.troubles++;
	count_in_tick();
	seen.pauses += paused;
	seen.error = error;
	if (seen.then == THEN_FREE)
		listen_free(&door);
}

static bool
on_exhausted(int error, void *arg)
{
	assert_ptr_equal(arg, &seen);
	assert_true(error == EMFILE || error == ENFILE || error == ENOBUFS ||
		    error == ENOMEM);
	seen.exhausted++;
	return seen.spare-- > 0;
}

static const struct listen_ops ops = {on_arrived, on_trouble, on_exhausted};

static void
door_open(const char *text)
{
	struct endpoint where = given_endpoint(text, 0);
	struct errtext why;

	door = listen_open(loop, &where, &why);
	if (door == NULL)
		fail_msg("%s", why.text);
	assert_int_equal(listen_start(door, &ops, &seen), 0);
}

static int
setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	caller_count = 0;
	loop = loop_new();
	return loop == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	while (caller_count > 0)
		close(callers[--caller_count]);
	listen_free(&door);
	listen_free(&door);
	loop_free(&loop);
	return 0;
}

static struct endpoint
call(const char *text, uint16_t port)
{
	struct endpoint where = given_endpoint(text, port);
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(&where, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM, 0);

	assert_true(fd >= 0 && caller_count < CALLERS_MAX);
	callers[caller_count++] = fd;
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, n), 0);
	return sockets_name(fd);
}

/* However late we come to them. */
static void
run_turns(int n)
{
	while (n-- > 0)
		turn_loop(loop, 1);
}

static void
same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	char x[ENDPOINT_TEXT_MAX], y[ENDPOINT_TEXT_MAX];

	assert_string_equal(endpoint_format(a, x), endpoint_format(b, y));
}

/* --- arriving ------------------------------------------------------------ */
static void
both_ends_are_told(void **state)
{
	static const struct {
		const char *listen, *call;
	} cases[] = {
	    {"127.0.0.1", "127.0.0.1"},
	    {"127.0.0.3", "127.0.0.3"},
	    {"0.0.0.0", "127.0.0.2"},
	    {"::1", "::1"},
	    {"::", "::1"},
	};
	struct endpoint client, server;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&seen, 0, sizeof(seen));
		door_open(cases[i].listen);
		server =
		    given_endpoint(cases[i].call, listen_where(door)->port);
		assert_true(server.port != 0);
		client = call(cases[i].call, server.port);
		turn_loop(loop, 10);
		if (seen.arrived != 1)
			fail_msg("%s: nobody arrived", cases[i].listen);
		same_endpoint(&seen.client, &client);
		same_endpoint(&seen.server, &server);
		assert_true(seen.flags & O_NONBLOCK);
		assert_true(seen.fd_flags & FD_CLOEXEC);
		assert_int_equal(seen.keepalive, 1);
		teardown(state);
		setup(state);
	}
}

static void
burst_is_bounded_per_tick(void **state)
{
	int i;

	(void)state;
	door_open("127.0.0.1");
	for (i = 0; i < 150; i++)
		call("127.0.0.1", listen_where(door)->port);
	run_turns(20);
	assert_int_equal(seen.arrived, 150);
	assert_int_equal(seen.per_tick_max, LISTEN_BURST);
	assert_int_equal(seen.troubles, 0);
}

/* Who comes alone costs one accept(2): now and then a second one looks whether
 * more have come. After a crowd it is so again. */
static void
quiet_listener_is_not_asked_twice(void **state)
{
	int i, tries;

	(void)state;
	door_open("127.0.0.1");
	for (i = 0; i < 100; i++)
		call("127.0.0.1", listen_where(door)->port);
	run_turns(20);
	accept_calls = 0;
	for (i = 0; i < 50; i++) {
		call("127.0.0.1", listen_where(door)->port);
		for (tries = 0; seen.arrived <= 100 + i && tries < 1000;
		     tries++)
			turn_loop(loop, 1);
	}
	assert_int_equal(seen.arrived, 150);
	assert_in_range(accept_calls, 50, 55);
}

static void
nobody_arrives_while_stopped(void **state)
{
	(void)state;
	door_open("127.0.0.1");
	listen_stop(door);
	call("127.0.0.1", listen_where(door)->port);
	turn_loop(loop, 20);
	assert_int_equal(seen.arrived, 0);
	assert_int_equal(listen_start(door, &ops, &seen), 0);
	turn_loop(loop, 20);
	assert_int_equal(seen.arrived, 1);
}

static void
stopping_or_freeing_in_a_burst(void **state)
{
	int i;

	(void)state;
	door_open("127.0.0.1");
	for (i = 0; i < 5; i++)
		call("127.0.0.1", listen_where(door)->port);
	seen.then = THEN_STOP;
	turn_loop(loop, 20);
	assert_int_equal(seen.arrived, 1);
	seen.then = THEN_FREE;
	assert_int_equal(listen_start(door, &ops, &seen), 0);
	turn_loop(loop, 20);
	assert_int_equal(seen.arrived, 2);
	assert_null(door);
}

/* --- trouble ------------------------------------------------------------- */
static void
errors_are_told_apart(void **state)
{
	static const struct {
		const char *name;
		int error;
		int troubles, pauses;
	} cases[] = {
	    {"interrupted", EINTR, 0, 0},
	    {"client gone", ECONNABORTED, 1, 0},
	    {"client reset", ECONNRESET, 1, 0},
	    {"protocol", EPROTO, 1, 0},
	    {"network down", ENETDOWN, 1, 0},
	    {"host unreachable", EHOSTUNREACH, 1, 0},
	    {"firewall", EPERM, 1, 0},
	    {"our descriptors", EMFILE, 1, 1},
	    {"all descriptors", ENFILE, 1, 1},
	    {"buffers", ENOBUFS, 1, 1},
	    {"memory", ENOMEM, 1, 1},
	    {"unheard of", ENOTSOCK, 1, 1},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		teardown(state);
		setup(state);
		door_open("127.0.0.1");
		call("127.0.0.1", listen_where(door)->port);
		accept_fails(cases[i].error, 1);
		turn_loop(loop, 20);
		if (seen.troubles != cases[i].troubles ||
		    seen.pauses != cases[i].pauses ||
		    (seen.troubles > 0 && seen.error != cases[i].error) ||
		    seen.arrived == cases[i].pauses)
			fail_msg("%s: %d troubles, %d pauses, %d arrived",
			    cases[i].name, seen.troubles, seen.pauses,
			    seen.arrived);
	}
}

static void
shortage_pauses_and_goes_on(void **state)
{
	(void)state;
	door_open("127.0.0.1");
	call("127.0.0.1", listen_where(door)->port);
	accept_fails(EMFILE, 2);
	turn_loop(loop, LISTEN_PAUSE_MS / 2);
	assert_int_equal(seen.pauses, 1); /* no spinning */
	turn_loop(loop, LISTEN_PAUSE_MS);
	assert_int_equal(seen.pauses, 2);
	assert_int_equal(seen.arrived, 0);
	turn_loop(loop, LISTEN_PAUSE_MS);
	assert_int_equal(seen.pauses, 2);
	assert_int_equal(seen.arrived, 1);
}

/* While descriptors are given back there is no rest, and one try a tick. */
static void
shortage_is_cured_at_once(void **state)
{
	(void)state;
	door_open("127.0.0.1");
	call("127.0.0.1", listen_where(door)->port);
	accept_fails(EMFILE, 3);
	seen.spare = 3;
	turn_loop(loop, LISTEN_PAUSE_MS / 2);
	assert_int_equal(seen.exhausted, 3);
	assert_int_equal(seen.troubles, 3);
	assert_int_equal(seen.pauses, 0);
	assert_int_equal(seen.per_tick_max, 1);
	assert_int_equal(seen.arrived, 1);
}

/* For memory, accepting rests even so. */
static void
shortage_of_memory_rests(void **state)
{
	(void)state;
	door_open("127.0.0.1");
	call("127.0.0.1", listen_where(door)->port);
	accept_fails(ENOMEM, 1);
	seen.spare = 1;
	turn_loop(loop, LISTEN_PAUSE_MS / 2);
	assert_int_equal(seen.exhausted, 1);
	assert_int_equal(seen.pauses, 1);
	assert_int_equal(seen.arrived, 0);
	turn_loop(loop, LISTEN_PAUSE_MS);
	assert_int_equal(seen.arrived, 1);
}

static void
burst_of_errors_is_bounded(void **state)
{
	(void)state;
	door_open("127.0.0.1");
	call("127.0.0.1", listen_where(door)->port);
	accept_fails(ECONNABORTED, 150);
	run_turns(20);
	assert_int_equal(seen.troubles, 150);
	assert_int_equal(seen.per_tick_max, LISTEN_BURST);
	assert_int_equal(seen.arrived, 1);
}

static void
stopping_or_freeing_while_paused(void **state)
{
	(void)state;
	door_open("127.0.0.1");
	call("127.0.0.1", listen_where(door)->port);
	accept_fails(EMFILE, 2);
	turn_loop(loop, 10);
	listen_stop(door);
	turn_loop(loop, LISTEN_PAUSE_MS + 20);
	assert_int_equal(seen.pauses, 1);
	assert_int_equal(seen.arrived, 0);
	seen.then = THEN_FREE;
	assert_int_equal(listen_start(door, &ops, &seen), 0);
	turn_loop(loop, LISTEN_PAUSE_MS + 20);
	assert_int_equal(seen.pauses, 2);
	assert_null(door);
	assert_int_equal(seen.arrived, 0);
}

/* --- opening and adopting ------------------------------------------------ */
static void
occupied_port_is_refused(void **state)
{
	struct listener *second;
	struct errtext why;

	(void)state;
	door_open("127.0.0.1");
	second = listen_open(loop, listen_where(door), &why);
	assert_null(second);
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(why.text, "[127.0.0.1]:"));
	assert_non_null(strstr(why.text, "cannot bind: "));
}

static void
ipv6_leaves_ipv4_alone(void **state)
{
	struct listener *four = NULL;
	struct endpoint where;
	struct errtext why;
	int i;

	(void)state;
	/* Somebody else may have that very port. */
	for (i = 0; i < 5 && four == NULL; i++) {
		listen_free(&door);
		door_open("::");
		where = given_endpoint("0.0.0.0", listen_where(door)->port);
		four = listen_open(loop, &where, &why);
	}
	assert_non_null(four);
	listen_free(&four);
}

static int
foreign_listener(int family, bool v6only)
{
	struct endpoint where =
	    given_endpoint(family == AF_INET ? "127.0.0.1" : "::", 0);
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(&where, &sa);
	int fd = socket(family, SOCK_STREAM, 0);
	int only = v6only;

	assert_true(fd >= 0);
	if (family == AF_INET6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY,
				     &only, sizeof(only)),
		    0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void
adopted_socket_gets_what_it_lacks(void **state)
{
	struct errtext why;
	int i, fd = foreign_listener(AF_INET, false);

	(void)state;
	door = listen_adopt(loop, fd, &why);
	assert_non_null(door);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(listen_start(door, &ops, &seen), 0);
	/* A backlog of 1 would make these wait for ever. */
	for (i = 0; i < 20; i++)
		call("127.0.0.1", listen_where(door)->port);
	turn_loop(loop, 20);
	assert_int_equal(seen.arrived, 20);
	assert_int_equal(seen.keepalive, 1);
}

static void
mapped_addresses_become_ipv4(void **state)
{
	struct errtext why;
	struct endpoint client;
	int fd = foreign_listener(AF_INET6, false);

	(void)state;
	door = listen_adopt(loop, fd, &why);
	assert_non_null(door);
	assert_int_equal(listen_start(door, &ops, &seen), 0);
	client = call("127.0.0.1", listen_where(door)->port);
	turn_loop(loop, 20);
	assert_int_equal(seen.arrived, 1);
	assert_int_equal(seen.server.addr.family, ADDR_IPV4);
	same_endpoint(&seen.client, &client);
}

static void
unusable_descriptors_are_not_adopted(void **state)
{
	struct errtext why;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_null(listen_adopt(loop, fd[0], &why));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(close(fd[0]), 0); /* it stayed ours */
	close(fd[1]);
	assert_null(listen_adopt(loop, fd[0], &why));
	assert_int_equal(errno, EBADF);

	fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd[0], &(struct sockaddr){.sa_family = AF_UNIX},
			     sizeof(sa_family_t)),
	    0);
	assert_int_equal(listen(fd[0], 1), 0);
	assert_null(listen_adopt(loop, fd[0], &why));
	assert_int_equal(errno, EAFNOSUPPORT);
	close(fd[0]);
}

#define LISTEN_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    LISTEN_TEST(both_ends_are_told),
	    LISTEN_TEST(burst_is_bounded_per_tick),
	    LISTEN_TEST(quiet_listener_is_not_asked_twice),
	    LISTEN_TEST(nobody_arrives_while_stopped),
	    LISTEN_TEST(stopping_or_freeing_in_a_burst),
	    LISTEN_TEST(errors_are_told_apart),
	    LISTEN_TEST(shortage_pauses_and_goes_on),
	    LISTEN_TEST(shortage_is_cured_at_once),
	    LISTEN_TEST(shortage_of_memory_rests),
	    LISTEN_TEST(burst_of_errors_is_bounded),
	    LISTEN_TEST(stopping_or_freeing_while_paused),
	    LISTEN_TEST(occupied_port_is_refused),
	    LISTEN_TEST(ipv6_leaves_ipv4_alone),
	    LISTEN_TEST(adopted_socket_gets_what_it_lacks),
	    LISTEN_TEST(mapped_addresses_become_ipv4),
	    LISTEN_TEST(unusable_descriptors_are_not_adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
