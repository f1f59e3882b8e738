/* SPDX-License-Identifier: ISC */
/* links: sockets turn_loop */
#include "net/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/sockets.h"
#include "support/turn_loop.h"

static struct loop *loop;
static struct fdpass_collector collector;
static char directory[] = "/tmp/fdpass.XXXXXX";
static char path[64];
static int server = -1;
static struct fdpass pass;
static int taken, lost;
static int client[2]; /* the connection that is handed over */

static const struct endpoint from = {{ADDR_IPV4, {192, 0, 2, 10}}, 54321};
static const struct endpoint to = {{ADDR_IPV4, {198, 51, 100, 5}}, 25};

static int
listen_at_path(int backlog)
{
	int fd = sockets_bind(path, SOCK_STREAM);

	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static int
setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/smtpd", directory);
	loop = loop_new();
	assert_non_null(loop);
	fdpass_collector_init(&collector, loop);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	server = listen_at_path(5);
	memset(&pass, 0, sizeof(pass));
	taken = lost = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fdpass_cancel(&pass);
	fdpass_collector_stop(&collector);
	close(server);
	unlink(path);
	close(client[0]);
	close(client[1]);
	loop_free(&loop);
	return 0;
}

static void
on_taken(struct fdpass *p, bool was_taken)
{
	assert_ptr_equal(p, &pass);
	if (was_taken)
		taken++;
	else
		lost++;
}

static enum fdpass_result
hand_over(void)
{
	return fdpass_send(
	    &pass, &collector, path, client[0], &from, &to, on_taken);
}

/* --- the message --------------------------------------------------------- */
/* As sent by postscreen(8), taken from a system call trace. */
/* clang-format off */
static const char worked_example[] =
	"\0" "client_address\0" "192.0.2.10\0"
	"client_port\0" "54321\0"
	"server_address\0" "198.51.100.5\0"
	"server_port\0" "25\0";
/* clang-format on */

static void
message_is_the_worked_example(void **state)
{
	char out[FDPASS_MESSAGE_MAX];

	(void)state;
	assert_int_equal(sizeof(worked_example), 89);
	assert_int_equal(fdpass_encode(out, &from, &to), 89);
	assert_memory_equal(out, worked_example, 89);
}

static void
message_for_the_longest_addresses(void **state)
{
	static const char want[] = "\0client_address\0"
				   "2001:db8:1111:2222:3333:4444:5555:6666\0"
				   "client_port\0"
				   "65535\0"
				   "server_address\0"
				   "::1\0"
				   "server_port\0"
				   "0\0";
	char out[FDPASS_MESSAGE_MAX];
	struct endpoint long_one = {
	    {ADDR_IPV6, {0x20, 1, 0xd, 0xb8, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33,
			    0x44, 0x44, 0x55, 0x55, 0x66, 0x66}},
	    65535};
	struct endpoint short_one = {{ADDR_IPV6, {0}}, 0};

	(void)state;
	short_one.addr.bytes[15] = 1;
	assert_int_equal(
	    fdpass_encode(out, &long_one, &short_one), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
}

static void
message_needs_both_addresses(void **state)
{
	static const struct endpoint nobody;
	char out[FDPASS_MESSAGE_MAX];

	(void)state;
	assert_int_equal(fdpass_encode(out, &nobody, &to), 0);
	assert_int_equal(fdpass_encode(out, &from, &nobody), 0);
	assert_int_equal(fdpass_send(&pass, &collector, path, client[0],
			     &nobody, &to, on_taken),
	    FDPASS_NO_SERVER);
	assert_int_equal(errno, EINVAL);
}

/* --- handing over -------------------------------------------------------- */
/* What smtpd does: one byte with the descriptor, then the attributes. */
static int
receive(int fd, char *attributes, size_t *n_r)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.space,
	    .msg_controllen = sizeof(control.space)};
	struct cmsghdr *header;
	ssize_t got;
	int passed;

	assert_int_equal(recvmsg(fd, &msg, 0), 1);
	assert_int_equal(byte, 0);
	header = CMSG_FIRSTHDR(&msg);
	assert_non_null(header);
	assert_int_equal(header->cmsg_level, SOL_SOCKET);
	assert_int_equal(header->cmsg_type, SCM_RIGHTS);
	assert_int_equal(header->cmsg_len, CMSG_LEN(sizeof(int)));
	assert_null(CMSG_NXTHDR(&msg, header));
	memcpy(&passed, CMSG_DATA(header), sizeof(passed));
	got = recv(fd, attributes, 4096, 0);
	assert_true(got > 0);
	*n_r = (size_t)got;
	return passed;
}

static void
receiver_gets_a_working_descriptor(void **state)
{
	char attributes[4096], in[8];
	int fd, passed;
	size_t n;

	(void)state;
	assert_int_equal(hand_over(), FDPASS_SENT);
	fd = accept(server, NULL, NULL);
	passed = receive(fd, attributes, &n);
	assert_int_equal(n, 88);
	assert_memory_equal(attributes, worked_example + 1, 88);
	assert_int_equal(write(passed, "220 hi", 6), 6);
	assert_int_equal(read(client[1], in, sizeof(in)), 6);
	assert_int_equal(taken, 0);

	close(fd); /* that is the answer */
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(taken, 1);
	assert_null(pass.fn);
	assert_true(fcntl(client[0], F_GETFD) >= 0); /* still the caller's */
	close(passed);
}

/* The listener goes with the message in its queue: nobody has read it. */
static void
server_that_dies_before_it_looks_loses_the_client(void **state)
{
	(void)state;
	assert_int_equal(hand_over(), FDPASS_SENT);
	close(server);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(lost, 1);
	assert_int_equal(taken, 0);
	assert_null(pass.fn);
	unlink(path);
	server = listen_at_path(5);
}

static void
waits_while_smtpd_is_busy(void **state)
{
	(void)state;
	assert_int_equal(hand_over(), FDPASS_SENT);
	turn_loop(loop, 30);
	assert_int_equal(taken, 0);
	fdpass_cancel(&pass);
	fdpass_cancel(&pass);
	assert_int_equal(loop_run(loop), 0); /* nothing is left to wait for */
	assert_int_equal(taken, 0);
}

/* --- collecting ---------------------------------------------------------- */
enum { CROWD = 3 * FDPASS_BATCH + 1 };

static struct crowd {
	struct fdpass pass[CROWD];
	char answer[CROWD]; /* 't'aken, 'l'ost, 0: none yet */
	size_t told;
	bool in_order;
} crowd;

static void
on_crowd(struct fdpass *p, bool was_taken)
{
	size_t i = (size_t)(p - crowd.pass);

	assert_int_equal(crowd.answer[i], 0);
	crowd.answer[i] = was_taken ? 't' : 'l';
	if (i != crowd.told++)
		crowd.in_order = false;
}

static void
send_crowd(size_t n, fdpass_fn *fn)
{
	memset(&crowd, 0, sizeof(crowd));
	crowd.in_order = true;
	assert_int_equal(listen(server, CROWD), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(fdpass_send(&crowd.pass[i], &collector, path,
				     client[0], &from, &to, fn),
		    FDPASS_SENT);
}

static void
take_one(void)
{
	char attributes[4096];
	size_t n;
	int fd = accept(server, NULL, NULL);

	close(receive(fd, attributes, &n));
	close(fd);
}

static void
lose_one(void)
{
	close(accept(server, NULL, NULL)); /* unread */
}

static void
cancel_crowd(size_t n)
{
	for (size_t i = 0; i < n; i++)
		fdpass_cancel(&crowd.pass[i]);
}

static void
a_look_tells_taken_from_lost_from_none(void **state)
{
	(void)state;
	send_crowd(CROWD, on_crowd);
	for (size_t i = 0; i < CROWD - 1; i++)
		if (i % 3 == 1)
			lose_one();
		else
			take_one();
	assert_int_equal(crowd.told, 0);
	fdpass_collect(&collector);
	assert_int_equal(crowd.told, CROWD - 1);
	assert_true(crowd.in_order);
	for (size_t i = 0; i < CROWD - 1; i++)
		assert_int_equal(crowd.answer[i], i % 3 == 1 ? 'l' : 't');
	fdpass_collect(&collector); /* the last one is watched now */
	assert_int_equal(crowd.told, CROWD - 1);
	take_one();
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(crowd.answer[CROWD - 1], 't');
}

/* Nothing but the loop's own timer looks. */
static void
one_alone_is_collected_by_the_clock(void **state)
{
	(void)state;
	send_crowd(1, on_crowd);
	take_one();
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(crowd.answer[0], 't');
}

static void
a_batch_is_collected_after_the_tick(void **state)
{
	(void)state;
	send_crowd(FDPASS_BATCH, on_crowd);
	for (size_t i = 0; i < FDPASS_BATCH; i++)
		take_one();
	assert_int_equal(crowd.told, 0); /* nobody is called back from there */
	turn_loop(loop, 0);
	assert_int_equal(crowd.told, FDPASS_BATCH);
}

/* Those that smtpd lets wait: two looks of the clock, then they are watched. */
static void
who_waits_long_is_watched(void **state)
{
	(void)state;
	send_crowd(FDPASS_BATCH, on_crowd);
	turn_loop(loop, 0);
	assert_int_equal(collector.fresh_count, FDPASS_BATCH);
	assert_int_equal(crowd.pass[0].watch.wanted, 0);
	for (int i = 0; i < 100 && collector.fresh_count > 0; i++)
		turn_loop(loop, FDPASS_COLLECT_MS);
	assert_int_equal(collector.fresh_count, 0);
	for (size_t i = 0; i < FDPASS_BATCH; i++)
		take_one();
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(crowd.told, FDPASS_BATCH);
}

/* Whose answer has come, but was not told yet. */
static void
cancel_all(struct fdpass *p, bool was_taken)
{
	on_crowd(p, was_taken);
	cancel_crowd(CROWD);
}

static void
cancelled_by_another_is_not_told(void **state)
{
	(void)state;
	send_crowd(CROWD, cancel_all);
	for (size_t i = 0; i < CROWD / 2; i++)
		take_one();
	fdpass_collect(&collector);
	assert_int_equal(crowd.told, 1);
	assert_int_equal(collector.fresh_count, 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(crowd.told, 1);
}

/* As a session that asks for room does, in the end of another one. */
static void
collect_again(struct fdpass *p, bool was_taken)
{
	on_crowd(p, was_taken);
	fdpass_collect(&collector);
}

static void
collecting_may_be_asked_for_while_it_tells(void **state)
{
	(void)state;
	send_crowd(CROWD, collect_again);
	for (size_t i = 0; i < CROWD; i++)
		take_one();
	fdpass_collect(&collector);
	assert_int_equal(crowd.told, CROWD);
	assert_true(crowd.in_order);
}

/* The listener goes with all of them in its queue. */
static void
server_that_dies_loses_the_whole_batch(void **state)
{
	(void)state;
	send_crowd(CROWD, on_crowd);
	take_one();
	close(server);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(crowd.told, CROWD);
	assert_int_equal(crowd.answer[0], 't');
	for (size_t i = 1; i < CROWD; i++)
		assert_int_equal(crowd.answer[i], 'l');
	unlink(path);
	server = listen_at_path(5);
}

/* --- what can go wrong --------------------------------------------------- */
static void
full_backlog_is_busy(void **state)
{
	struct fdpass other[3];
	int i;

	(void)state;
	assert_int_equal(listen(server, 1), 0);
	for (i = 0; i < 3; i++) {
		memset(&other[i], 0, sizeof(other[i]));
		if (fdpass_send(&other[i], &collector, path, client[0], &from,
			&to, on_taken) != FDPASS_SENT)
			break;
	}
	assert_int_equal(i, 2);
	assert_int_equal(hand_over(), FDPASS_BUSY);
	assert_int_equal(errno, EAGAIN);
	assert_null(pass.fn);
	close(accept(server, NULL, NULL));
	assert_int_equal(hand_over(), FDPASS_SENT);
	for (i = 0; i < 3; i++)
		fdpass_cancel(&other[i]);
}

static void
no_descriptors_is_busy(void **state)
{
	struct rlimit old, low;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(hand_over(), FDPASS_BUSY);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(hand_over(), FDPASS_SENT);
}

static void
nobody_there(void **state)
{
	char too_long[300];

	(void)state;
	close(server);
	assert_int_equal(hand_over(), FDPASS_NO_SERVER);
	assert_int_equal(errno, ECONNREFUSED);
	unlink(path);
	assert_int_equal(hand_over(), FDPASS_NO_SERVER);
	assert_int_equal(errno, ENOENT);
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_int_equal(fdpass_send(&pass, &collector, too_long, client[0],
			     &from, &to, on_taken),
	    FDPASS_NO_SERVER);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(taken, 0);
	server = listen_at_path(1);
}

static void
descriptor_that_cannot_be_passed(void **state)
{
	(void)state;
	assert_int_equal(
	    fdpass_send(&pass, &collector, path, -1, &from, &to, on_taken),
	    FDPASS_NOT_SENT);
	assert_int_equal(errno, EBADF);
	assert_null(pass.fn);
}

enum { FEW = 32, MANY = 64 };

static void
put_many_in_flight(int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(MANY * sizeof(int))];
	} control = {.space = {0}};
	char byte = 'x';
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.space,
	    .msg_controllen = sizeof(control.space)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_len = CMSG_LEN(MANY * sizeof(int));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	for (size_t i = 0; i < MANY; i++)
		memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof(int));
	assert_int_equal(sendmsg(client[1], &msg, 0), 1);
}

/* Valgrind keeps limits to itself, and the kernel hears nothing of them. */
static bool
is_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

/* With nothing on it: an error to smtpd. */
static size_t
empty_connections(void)
{
	size_t n = 0;
	char byte;
	int fd;

	assert_int_equal(fcntl(server, F_SETFL, O_NONBLOCK), 0);
	while ((fd = accept(server, NULL, NULL)) >= 0) {
		n += recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
		close(fd);
	}
	return n;
}

/* The kernel's limit is that of descriptors, and not for root. */
static void
too_many_on_their_way_is_busy(void **state)
{
	struct rlimit before, low;
	enum fdpass_result result[3];
	int error[3], last;

	(void)state;
	if (geteuid() != 0 || is_under_valgrind())
		skip();
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(chmod(path, 0777), 0);
	put_many_in_flight(client[1]);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){FEW, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(seteuid(65534), 0);
	for (size_t i = 0; i < 3; i++) {
		result[i] = hand_over();
		error[i] = errno;
	}
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(error[i], ETOOMANYREFS);
		assert_int_equal(result[i], FDPASS_BUSY);
	}
	assert_null(pass.fn);
	assert_int_equal(empty_connections(), 1);
	/* There is room again; and the pair that is asked may fail itself. */
	last = dup(0);
	low = (struct rlimit){(rlim_t)last + 1, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(hand_over(), FDPASS_BUSY);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(last);
	assert_int_equal(hand_over(), FDPASS_SENT);
	assert_false(collector.is_full);
	assert_int_equal(empty_connections(), 0);
}

static int
make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

#define FDPASS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    FDPASS_TEST(message_is_the_worked_example),
	    FDPASS_TEST(message_for_the_longest_addresses),
	    FDPASS_TEST(message_needs_both_addresses),
	    FDPASS_TEST(receiver_gets_a_working_descriptor),
	    FDPASS_TEST(server_that_dies_before_it_looks_loses_the_client),
	    FDPASS_TEST(waits_while_smtpd_is_busy),
	    FDPASS_TEST(a_look_tells_taken_from_lost_from_none),
	    FDPASS_TEST(one_alone_is_collected_by_the_clock),
	    FDPASS_TEST(a_batch_is_collected_after_the_tick),
	    FDPASS_TEST(who_waits_long_is_watched),
	    FDPASS_TEST(cancelled_by_another_is_not_told),
	    FDPASS_TEST(collecting_may_be_asked_for_while_it_tells),
	    FDPASS_TEST(server_that_dies_loses_the_whole_batch),
	    FDPASS_TEST(full_backlog_is_busy),
	    FDPASS_TEST(no_descriptors_is_busy),
	    FDPASS_TEST(too_many_on_their_way_is_busy),
	    FDPASS_TEST(nobody_there),
	    FDPASS_TEST(descriptor_that_cannot_be_passed),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
