/* SPDX-License-Identifier: ISC */
/* links: nth_call scratch sockets */
#include "net/predecessor.h"

#include <arpa/inet.h>
#include <errno.h>
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

static bool
is_gone(const struct sockaddr_storage *sa, socklen_t n)
{
	return predecessor_is_gone((const struct sockaddr *)sa, n);
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

	(void)state;
	nth_call_arm(CALL_poll, 1, EINTR);
	assert_false(is_gone(&sa, n));
	assert_int_equal(nth_call_disarm(), 2);
	close(fd);
	n = tcp_address(&sa);
	fd = listen_at(&sa, &n, 5);
	assert_false(is_gone(&sa, n));
	close(fd);
}

static void
test_a_full_backlog_is_somebody(void **state)
{
	struct sockaddr_storage sa;
	socklen_t n = unix_address("busy", &sa);
	int server = listen_at(&sa, &n, 0), fd[8], calls = 0;

	(void)state;
	while ((fd[calls] = sockets_call(scratch_path(&scratch, "busy"))) >= 0)
		assert_true(++calls < 8);
	assert_false(is_gone(&sa, n));
	while (calls > 0)
		close(fd[--calls]);
	close(server);
}

/* --- on its way out --------------------------------------------------------- */
struct other {
	pthread_t thread;
	int fd;
	int clients; /* that it hangs up on before it closes; -1: never closes */
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
		close(fd);
	}
	if (other->clients == 0)
		close(other->fd);
	return NULL;
}

static void
start_other(struct other *other)
{
	assert_int_equal(
	    pthread_create(&other->thread, NULL, run_other, other), 0);
}

static void
test_somebody_who_leaves(void **state)
{
	struct other other = {.clients = 1};
	struct sockaddr_storage sa;
	socklen_t n = unix_address("leaves", &sa);

	(void)state;
	other.fd = listen_at(&sa, &n, 5);
	start_other(&other);
	assert_true(is_gone(&sa, n));
	assert_int_equal(pthread_join(other.thread, NULL), 0);
	assert_int_equal(other.calls, 1);
	n = tcp_address(&sa);
	other = (struct other){.clients = 3, .fd = listen_at(&sa, &n, 5)};
	start_other(&other);
	assert_true(is_gone(&sa, n));
	assert_int_equal(pthread_join(other.thread, NULL), 0);
	assert_int_equal(other.calls, 3);
}

/* It has no memory for clients, say. */
static void
test_somebody_who_hangs_up_and_stays(void **state)
{
	struct other other = {.clients = -1};
	struct sockaddr_storage sa;
	socklen_t n = unix_address("hangs-up", &sa);

	(void)state;
	other.fd = listen_at(&sa, &n, 20);
	start_other(&other);
	assert_false(is_gone(&sa, n));
	assert_int_equal(shutdown(other.fd, SHUT_RDWR), 0);
	assert_int_equal(pthread_join(other.thread, NULL), 0);
	assert_true(other.calls > 1);
	close(other.fd);
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
	assert_false(is_gone(&sa, n));
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
	    cmocka_unit_test(test_a_full_backlog_is_somebody),
	    cmocka_unit_test(test_somebody_who_leaves),
	    cmocka_unit_test(test_somebody_who_hangs_up_and_stays),
	    cmocka_unit_test(test_nothing_to_ask_with),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
