/* SPDX-License-Identifier: ISC */
/* links: nth_call scratch sockets */
#include "net/predecessor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/nth_call.h"
#include "support/scratch.h"
#include "support/sockets.h"

static struct scratch scratch;

static socklen_t
unix_address(const char *name, struct sockaddr_storage *sa)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	snprintf(un.sun_path, sizeof(un.sun_path), "%s",
	    scratch_path(&scratch, name));
	memcpy(sa, &un, sizeof(un));
	return sizeof(un);
}

static int
listen_at(struct sockaddr_storage *sa, socklen_t *n, int backlog)
{
	int fd = socket(sa->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)sa, *n), 0);
	assert_int_equal(listen(fd, backlog), 0);
	/* A port of the kernel's choice. */
	if (sa->ss_family != AF_UNIX)
		assert_int_equal(getsockname(fd, (struct sockaddr *)sa, n), 0);
	return fd;
}

static socklen_t
tcp_address(struct sockaddr_storage *sa)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	memcpy(sa, &in, sizeof(in));
	return sizeof(in);
}

enum { LONG_MS = 20000, SHORT_MS = 300 };

static bool
goes_within(int64_t ms, const struct sockaddr_storage *sa, socklen_t n)
{
	return predecessor_is_gone(
	    (const struct sockaddr *)sa, n, mono_after(clock_mono(), ms));
}

static bool
is_gone(const struct sockaddr_storage *sa, socklen_t n)
{
	return goes_within(0, sa, n);
}

static void
test_nobody(void **state)
{
	struct sockaddr_storage sa;
	socklen_t n = unix_address("nobody", &sa);

	(void)state;
	assert_true(is_gone(&sa, n));
	/* A socket that was left behind. */
	close(listen_at(&sa, &n, 1));
	assert_true(is_gone(&sa, n));
	n = tcp_address(&sa);
	close(listen_at(&sa, &n, 1));
	assert_true(is_gone(&sa, n));
}

/* It is waited for, and does not go; a signal is not the end of the wait. */
static void
test_somebody_who_stays(void **state)
{
	struct sockaddr_storage sa;
	socklen_t n = unix_address("stays", &sa);
	int fd = listen_at(&sa, &n, 5);
	struct mono before = clock_mono();

	(void)state;
	nth_call_arm(CALL_poll, 1, EINTR);
	assert_false(goes_within(SHORT_MS, &sa, n));
	assert_int_equal(nth_call_disarm(), 2);
	assert_true(mono_between(before, clock_mono()) >= SHORT_MS);
	close(fd);
	n = tcp_address(&sa);
	fd = listen_at(&sa, &n, 5);
	assert_false(is_gone(&sa, n));
	close(fd);
}

/* --- on its way out --------------------------------------------------------- */
struct other {
	pthread_t thread;
	int fd;
	int clients; /* that it hangs up on before it closes; -1: never closes */
	int pause_ms; /* before it hangs up */
	int calls;
};

/* Whatever goes wrong here shows as a wait that is not answered. */
static void *
run_other(void *arg)
{
	struct other *other = arg;
	int fd;

	while (
	    other->clients != 0 && (fd = accept(other->fd, NULL, NULL)) >= 0) {
		other->calls++;
		other->clients -= other->clients > 0;
		(void)poll(NULL, 0, other->pause_ms);
		close(fd);
	}
	if (other->clients == 0)
		close(other->fd);
	return NULL;
}

/* The thread may still be there when a test has failed. */
static struct other *
start_other(struct other what)
{
	static struct other other;

	other = what;
	assert_int_equal(
	    pthread_create(&other.thread, NULL, run_other, &other), 0);
	return &other;
}

static void
test_somebody_who_leaves(void **state)
{
	struct sockaddr_storage sa;
	socklen_t n = unix_address("leaves", &sa);
	struct other *other = start_other(
	    (struct other){.clients = 1, .fd = listen_at(&sa, &n, 5)});

	(void)state;
	assert_true(goes_within(LONG_MS, &sa, n));
	assert_int_equal(pthread_join(other->thread, NULL), 0);
	assert_int_equal(other->calls, 1);
	n = tcp_address(&sa);
	other = start_other(
	    (struct other){.clients = 3, .fd = listen_at(&sa, &n, 5)});
	assert_true(goes_within(LONG_MS, &sa, n));
	assert_int_equal(pthread_join(other->thread, NULL), 0);
	assert_int_equal(other->calls, 3);
}

/* It has no memory for clients, say. */
static void
test_somebody_who_hangs_up_and_stays(void **state)
{
	struct sockaddr_storage sa;
	socklen_t n = unix_address("hangs-up", &sa);
	struct other *other = start_other(
	    (struct other){.clients = -1, .fd = listen_at(&sa, &n, 20)});

	(void)state;
	assert_false(goes_within(LONG_MS, &sa, n));
	assert_int_equal(shutdown(other->fd, SHUT_RDWR), 0);
	assert_int_equal(pthread_join(other->thread, NULL), 0);
	assert_in_range(other->calls, 2, 10);
	close(other->fd);
}

/* The patience is for all calls together, not for each of them. */
static void
test_somebody_who_hangs_up_slowly(void **state)
{
	struct sockaddr_storage sa;
	socklen_t n = unix_address("slow", &sa);
	struct other *other = start_other((struct other){.clients = -1,
	    .pause_ms = SHORT_MS / 2,
	    .fd = listen_at(&sa, &n, 20)});

	(void)state;
	assert_false(goes_within(SHORT_MS, &sa, n));
	assert_int_equal(shutdown(other->fd, SHUT_RDWR), 0);
	assert_int_equal(pthread_join(other->thread, NULL), 0);
	assert_in_range(other->calls, 1, 4);
	close(other->fd);
}

/* --- busy ------------------------------------------------------------------- */
static int
fill_backlog(const char *name, int fd[], int max)
{
	int n = 0;

	while ((fd[n] = sockets_call(scratch_path(&scratch, name))) >= 0)
		assert_true(++n < max);
	return n;
}

static void
test_a_full_backlog_is_somebody(void **state)
{
	struct sockaddr_storage sa;
	socklen_t n = unix_address("busy", &sa);
	int server = listen_at(&sa, &n, 0), fd[8];
	int calls = fill_backlog("busy", fd, 8);

	(void)state;
	assert_false(is_gone(&sa, n));
	assert_false(goes_within(SHORT_MS, &sa, n));
	while (calls > 0)
		close(fd[--calls]);
	close(server);
}

static void *
close_soon(void *arg)
{
	(void)poll(NULL, 0, SHORT_MS / 3);
	close(*(const int *)arg);
	return NULL;
}

static void
test_a_full_backlog_of_one_who_leaves(void **state)
{
	static int server;
	struct sockaddr_storage sa;
	socklen_t n = unix_address("full", &sa);
	pthread_t thread;
	int fd[8], calls;

	(void)state;
	server = listen_at(&sa, &n, 0);
	calls = fill_backlog("full", fd, 8);
	assert_false(is_gone(&sa, n));
	assert_int_equal(pthread_create(&thread, NULL, close_soon, &server), 0);
	assert_true(goes_within(LONG_MS, &sa, n));
	assert_int_equal(pthread_join(thread, NULL), 0);
	while (calls > 0)
		close(fd[--calls]);
}

static void
test_nothing_to_ask_with(void **state)
{
	struct sockaddr_storage sa;
	socklen_t n = unix_address("unasked", &sa);
	int fd = listen_at(&sa, &n, 5);

	(void)state;
	nth_call_arm(CALL_socket, 1, EMFILE);
	assert_true(is_gone(&sa, n));
	assert_int_equal(nth_call_disarm(), 1);
	nth_call_arm(CALL_poll, 1, ENOMEM);
	assert_false(goes_within(LONG_MS, &sa, n));
	assert_int_equal(nth_call_disarm(), 1);
	close(fd);
}

static int
make_directory(void **state)
{
	(void)state;
	scratch_make(&scratch);
	return 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nobody),
	    cmocka_unit_test(test_somebody_who_stays),
	    cmocka_unit_test(test_somebody_who_leaves),
	    cmocka_unit_test(test_somebody_who_hangs_up_and_stays),
	    cmocka_unit_test(test_somebody_who_hangs_up_slowly),
	    cmocka_unit_test(test_a_full_backlog_is_somebody),
	    cmocka_unit_test(test_a_full_backlog_of_one_who_leaves),
	    cmocka_unit_test(test_nothing_to_ask_with),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
