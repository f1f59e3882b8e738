/* SPDX-License-Identifier: ISC */
/* links: fake_mem turn_loop */
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/fake_mem.h"
#include "support/turn_loop.h"

#define INPUT_MAX 32

enum then { THEN_NOTHING, THEN_CLOSE, THEN_RELEASE, THEN_EAT };

/* The stream's owner: notes every event as a letter. */
static struct owner {
	struct stream *stream; /* on the heap, so that use after free shows */
	int peer;
	char events[64];
	char input[256];
	size_t input_n;
	int released;
	enum then then;
} o;
static struct loop *loop;

static void
on_event(struct stream *s, enum stream_event event)
{
	struct span in;
	size_t used = strlen(o.events);

	assert_ptr_equal(s, o.stream);
	assert_true(used < sizeof(o.events) - 1);
	o.events[used] =
	    "pidexm"[event]; /* peeked, input, drained, eof, x, memory */
	in = event == STREAM_PEEKED ? stream_peeked(s) : stream_input(s);
	if (event == STREAM_PEEKED || o.then == THEN_EAT) {
		if (in.n > sizeof(o.input) - o.input_n)
			in.n = sizeof(o.input) - o.input_n;
		if (in.n > 0)
			memcpy(o.input + o.input_n, in.p, in.n);
		o.input_n += in.n;
	}
	switch (o.then) {
	case THEN_CLOSE:
		stream_close(s);
		mem_free(s);
		o.stream = NULL;
		break;
	case THEN_RELEASE:
		o.released = stream_release(s);
		mem_free(s);
		o.stream = NULL;
		break;
	case THEN_EAT:
		stream_consume(s, stream_input(s).n);
		break;
	case THEN_NOTHING:
		break;
	}
}

/* The peer has little room from the start: taken away later, the window that it
 * had offered is used all the same, and what is too much is sent again. */
static void
tcp_pair(int fd[2])
{
	int few_bytes = 4096;
	struct sockaddr_in sa = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(sa);
	int server = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(server >= 0);
	assert_int_equal(bind(server, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(listen(server, 1), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&sa, &n), 0);
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd[1], SOL_SOCKET, SO_RCVBUF, &few_bytes, sizeof(few_bytes));
	assert_int_equal(connect(fd[1], (struct sockaddr *)&sa, n), 0);
	fd[0] = accept4(server, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd[0] >= 0);
	close(server);
}

static int
setup(void **state)
{
	int fd[2];

	(void)state;
	memset(&o, 0, sizeof(o));
	o.released = -1;
	loop = loop_new();
	o.stream = mem_new(sizeof(*o.stream));
	assert_non_null(loop);
	assert_non_null(o.stream);
	tcp_pair(fd);
	o.peer = fd[1];
	stream_init(o.stream, loop, fd[0], on_event);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (o.stream != NULL) {
		stream_close(o.stream);
		stream_close(o.stream); /* again is harmless */
		mem_free(o.stream);
	}
	if (o.released >= 0)
		close(o.released);
	if (o.peer >= 0)
		close(o.peer);
	loop_free(&loop);
	assert_int_equal(fake_mem_live(), 0);
	return 0;
}

/* Long enough for loopback; what must not happen has time to happen. */
static void
run_a_while(void)
{
	turn_loop(loop, 30);
}

static void
say(const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(send(o.peer, text, n, MSG_NOSIGNAL), n);
}

static void
peer_resets(void)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};

	assert_int_equal(
	    setsockopt(o.peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	close(o.peer);
	o.peer = -1;
}

static void
heard(const char *want)
{
	if (o.input_n != strlen(want) || memcmp(o.input, want, o.input_n) != 0)
		fail_msg("heard \"%.*s\", not \"%s\"", (int)o.input_n, o.input,
		    want);
}

/* --- the peek stage ------------------------------------------------------ */
static void
peek_reports_once_and_takes_nothing(void **state)
{
	char in[16];

	(void)state;
	assert_int_equal(stream_watch(o.stream), 0);
	run_a_while();
	assert_string_equal(o.events, "");
	say("EHLO x\r\n");
	run_a_while();
	assert_string_equal(o.events, "p");
	heard("EHLO x\r\n");
	assert_int_equal(o.stream->watch.wanted, 0); /* lest it spin */
	assert_true(stream_has_beyond(o.stream, 0));
	assert_int_equal(stream_input(o.stream).n, 0);

	o.released = stream_release(o.stream);
	assert_int_equal(stream_release(o.stream), -1);
	assert_int_equal(recv(o.released, in, sizeof(in), 0), 8);
}

static void
peek_is_bounded(void **state)
{
	char text[STREAM_PEEK_MAX + 200];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(stream_watch(o.stream), 0);
	say(text);
	run_a_while();
	assert_string_equal(o.events, "p");
	assert_int_equal(stream_peeked(o.stream).n, STREAM_PEEK_MAX);
}

static void
peek_again_sees_it_again(void **state)
{
	(void)state;
	say("a");
	assert_int_equal(stream_watch(o.stream), 0);
	run_a_while();
	say("b");
	assert_int_equal(stream_watch(o.stream), 0);
	run_a_while();
	assert_string_equal(o.events, "pp");
	heard("aab");
}

/* What is skipped is gone, what is behind it stays for the next reader. */
static void
skip_takes_exactly_that_much(void **state)
{
	char in[16];

	(void)state;
	say("PROXY\r\nEHLO\r\n");
	assert_int_equal(stream_watch(o.stream), 0);
	run_a_while();
	assert_int_equal(stream_skip(o.stream, 0), 0);
	assert_int_equal(stream_watch(o.stream), 0);
	run_a_while();
	assert_int_equal(stream_skip(o.stream, 7), 0);
	assert_int_equal(stream_peeked(o.stream).n, 0);
	run_a_while();
	assert_string_equal(o.events, "pp");
	assert_int_equal(stream_watch(o.stream), 0);
	run_a_while();
	assert_string_equal(o.events, "ppp");
	heard("PROXY\r\nEHLO\r\nPROXY\r\nEHLO\r\nEHLO\r\n");
	o.released = stream_release(o.stream);
	assert_int_equal(recv(o.released, in, sizeof(in), 0), 6);
}

static void
skip_of_all_leaves_a_quiet_socket(void **state)
{
	(void)state;
	say("PROXY\r\n");
	assert_int_equal(stream_watch(o.stream), 0);
	run_a_while();
	assert_int_equal(stream_skip(o.stream, 7), 0);
	assert_int_equal(stream_watch(o.stream), 0);
	run_a_while();
	assert_string_equal(o.events, "p");
	close(o.peer);
	o.peer = -1;
	run_a_while();
	assert_string_equal(o.events, "pe");
}

static void
skip_tells_when_the_bytes_are_gone(void **state)
{
	char in[4];

	(void)state;
	say("PROXY\r\n");
	assert_int_equal(stream_watch(o.stream), 0);
	run_a_while();
	assert_int_equal(recv(o.stream->fd, in, sizeof(in), 0), 4);
	errno = 0;
	assert_int_equal(stream_skip(o.stream, 7), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void
unwatch_stops_reports(void **state)
{
	(void)state;
	assert_int_equal(stream_watch(o.stream), 0);
	stream_unwatch(o.stream);
	say("a");
	run_a_while();
	assert_string_equal(o.events, "");
	assert_int_equal(stream_watch(o.stream), 0);
	run_a_while();
	assert_string_equal(o.events, "p");
}

static void
peek_stage_tells_hangup(void **state)
{
	(void)state;
	assert_int_equal(stream_watch(o.stream), 0);
	shutdown(o.peer, SHUT_WR);
	run_a_while();
	assert_string_equal(o.events, "e");
	assert_int_equal(stream_watch(o.stream), 0); /* nothing more to tell */
	run_a_while();
	assert_string_equal(o.events, "e");
}

static void
peek_stage_tells_reset(void **state)
{
	(void)state;
	assert_int_equal(stream_watch(o.stream), 0);
	peer_resets();
	run_a_while();
	assert_string_equal(o.events, "x");
	assert_int_equal(stream_error(o.stream), ECONNRESET);
}

/* --- the talk stage ------------------------------------------------------ */
static void
talk_reports_what_is_there_already(void **state)
{
	(void)state;
	assert_int_equal(stream_watch(o.stream), 0);
	say("early");
	run_a_while();
	o.input_n = 0;
	o.then = THEN_EAT;
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
	assert_string_equal(o.events, "p"); /* never from inside the call */
	run_a_while();
	assert_string_equal(o.events, "pi");
	heard("early");
	assert_false(stream_has_beyond(o.stream, 0));
}

static void
input_is_bounded_and_room_makes_it_go_on(void **state)
{
	char text[3 * INPUT_MAX + 1];

	(void)state;
	memset(text, 'b', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
	say(text);
	run_a_while();
	assert_string_equal(o.events, "i");
	assert_int_equal(stream_input(o.stream).n, INPUT_MAX);
	assert_true(stream_has_beyond(o.stream, INPUT_MAX));
	stream_consume(o.stream, 5);
	run_a_while();
	assert_string_equal(o.events, "ii");
	assert_int_equal(stream_input(o.stream).n, INPUT_MAX);
	o.then = THEN_EAT;
	stream_consume(o.stream, INPUT_MAX);
	run_a_while();
	assert_int_equal(o.input_n, 2 * INPUT_MAX - 5);
	assert_int_equal(stream_input(o.stream).n, 0);
}

static void
beyond_looks_in_buffer_and_socket(void **state)
{
	(void)state;
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
	say("one");
	run_a_while();
	assert_true(stream_has_beyond(o.stream, 2));
	assert_false(stream_has_beyond(o.stream, 3));
	say("two"); /* not read yet */
	assert_true(stream_has_beyond(o.stream, 3));
	run_a_while();
	assert_false(stream_has_beyond(o.stream, 6));
	shutdown(o.peer, SHUT_WR);
	run_a_while();
	assert_false(stream_has_beyond(o.stream, 6));
	assert_string_equal(o.events, "iie");
}

static void
eof_is_told_once_and_after_the_input(void **state)
{
	(void)state;
	o.then = THEN_EAT;
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
	say("last words");
	shutdown(o.peer, SHUT_WR);
	run_a_while();
	assert_string_equal(o.events, "ie");
	heard("last words");
	stream_pause(o.stream);
	stream_resume(o.stream);
	run_a_while();
	assert_string_equal(o.events, "ie");
}

static void
pause_holds_input_and_eof_back(void **state)
{
	(void)state;
	o.then = THEN_EAT;
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
	stream_pause(o.stream);
	say("waits");
	shutdown(o.peer, SHUT_WR);
	run_a_while();
	assert_string_equal(o.events, "");
	stream_resume(o.stream);
	run_a_while();
	assert_string_equal(o.events, "ie");
	heard("waits");
}

static void
reset_while_paused_is_told_after_resume(void **state)
{
	(void)state;
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
	stream_pause(o.stream);
	peer_resets();
	run_a_while();
	assert_string_equal(o.events, "");
	stream_resume(o.stream);
	run_a_while();
	assert_string_equal(o.events, "x");
}

/* --- writing ------------------------------------------------------------- */
static void
make_buffer_small(void)
{
	int bytes = 4096;

	setsockopt(o.stream->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* Write until something has to wait, and the kernel has found no more room
 * for it behind our back either; returns the bytes written. */
static size_t
fill(void)
{
	char block[1000];
	size_t total = 0;

	memset(block, 'w', sizeof(block));
	do {
		assert_int_equal(
		    stream_write(o.stream, block, sizeof(block)), 0);
		total += sizeof(block);
		for (int i = 0; i < 4 && stream_unsent(o.stream) > 0; i++)
			run_a_while();
	} while (stream_unsent(o.stream) == 0 && total < 10000000);
	o.events[0] = '\0';
	assert_true(stream_unsent(o.stream) > 0);
	return total;
}

static size_t
peer_reads_all(void)
{
	char block[8192];
	size_t total = 0;
	ssize_t got;

	while ((got = recv(o.peer, block, sizeof(block), MSG_DONTWAIT)) > 0)
		total += (size_t)got;
	return total;
}

static void
write_goes_out_at_once(void **state)
{
	char in[8];

	(void)state;
	assert_int_equal(stream_write(o.stream, "220-hi\r\n", 8), 0);
	assert_int_equal(stream_unsent(o.stream), 0);
	assert_int_equal(recv(o.peer, in, sizeof(in), 0), 8);
	assert_int_equal(stream_write(o.stream, NULL, 0), 0);
	run_a_while();
	assert_string_equal(o.events, ""); /* nothing had to wait */
	assert_null(o.stream->buffers);
}

static void
slow_reader_is_waited_for(void **state)
{
	size_t total, got = 0;
	int i;

	(void)state;
	make_buffer_small();
	total = fill();
	assert_int_equal(stream_write(o.stream, "end", 3), 0);
	total += 3;
	run_a_while();
	assert_string_equal(o.events, "");
	for (i = 0; i < 100 && got < total; i++) {
		got += peer_reads_all();
		run_a_while();
	}
	assert_int_equal(got, total);
	assert_string_equal(o.events, "d");
	assert_int_equal(stream_unsent(o.stream), 0);
}

static void
output_is_bounded(void **state)
{
	static const char block[STREAM_OUTPUT_MAX + 1];
	size_t waiting;

	(void)state;
	make_buffer_small();
	assert_int_equal(stream_write(o.stream, block, sizeof(block)), -1);
	assert_int_equal(errno, EMSGSIZE);
	fill();
	waiting = stream_unsent(o.stream);
	assert_int_equal(
	    stream_write(o.stream, block, STREAM_OUTPUT_MAX - waiting + 1), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(stream_unsent(o.stream), waiting);
	assert_int_equal(
	    stream_write(o.stream, block, STREAM_OUTPUT_MAX - waiting), 0);
	assert_int_equal(stream_unsent(o.stream), STREAM_OUTPUT_MAX);
}

static void
write_error_comes_later_and_once(void **state)
{
	(void)state;
	peer_resets();
	assert_int_equal(stream_write(o.stream, "a", 1), 0);
	assert_int_equal(stream_write(o.stream, "b", 1), 0);
	assert_string_equal(o.events, "");
	run_a_while();
	assert_string_equal(o.events, "x");
	assert_int_equal(stream_error(o.stream), ECONNRESET);
	assert_int_equal(stream_write(o.stream, "c", 1), 0);
	assert_int_equal(stream_unsent(o.stream), 0);
	run_a_while();
	assert_string_equal(o.events, "x");
}

/* A half-closed client still gets its reply, or we learn that it does not. */
static void
error_may_follow_eof(void **state)
{
	(void)state;
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
	shutdown(o.peer, SHUT_WR);
	run_a_while();
	assert_string_equal(o.events, "e");
	assert_int_equal(stream_write(o.stream, "a", 1), 0);
	run_a_while();
	assert_string_equal(o.events, "e");
	peer_resets();
	assert_int_equal(stream_write(o.stream, "b", 1), 0);
	run_a_while();
	assert_string_equal(o.events, "ex");
}

static void
reset_while_output_waits(void **state)
{
	(void)state;
	make_buffer_small();
	fill();
	peer_resets();
	run_a_while();
	assert_string_equal(o.events, "x");
}

/* --- ends ---------------------------------------------------------------- */
static void
begin_watching(void)
{
	assert_int_equal(stream_watch(o.stream), 0);
}

static void
begin_talking(void)
{
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
}

static void
callback_may_end_the_stream(void **state)
{
	static const enum then ends[] = {THEN_CLOSE, THEN_RELEASE};
	static void (*const begin[])(void) = {begin_watching, begin_talking};
	size_t end, how, what;

	for (end = 0; end < 2; end++) {
		for (how = 0; how < 2; how++) {
			for (what = 0; what < 3; what++) {
				teardown(state);
				setup(state);
				o.then = ends[end];
				begin[how]();
				if (what == 0)
					say("bytes");
				else if (what == 1)
					shutdown(o.peer, SHUT_WR);
				else
					peer_resets();
				run_a_while();
				assert_int_equal(strlen(o.events), 1);
				assert_null(o.stream);
			}
		}
	}
}

static void
drained_callback_may_close(void **state)
{
	int i;

	(void)state;
	make_buffer_small();
	fill();
	o.then = THEN_CLOSE;
	for (i = 0; i < 100 && o.stream != NULL; i++) {
		peer_reads_all();
		run_a_while();
	}
	assert_string_equal(o.events, "d");
}

/* Unread input must not turn the close into a reset that eats the reply. */
static void
close_lets_the_reply_through(void **state)
{
	char text[9000], in[64];

	(void)state;
	memset(text, 'c', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	say(text);
	run_a_while();
	assert_int_equal(stream_write(o.stream, "521 no\r\n", 8), 0);
	stream_close(o.stream);
	assert_int_equal(recv(o.peer, in, sizeof(in), 0), 8);
	assert_int_equal(recv(o.peer, in, sizeof(in), 0), 0);
}

static void
works_on_a_unix_socket(void **state)
{
	int fd[2];

	(void)state;
	stream_close(o.stream);
	close(o.peer);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	o.peer = fd[1];
	stream_init(o.stream, loop, fd[0], on_event);
	o.then = THEN_EAT;
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
	say("hello");
	run_a_while();
	heard("hello");
	say("unread");
	close(o.peer);
	o.peer = -1;
	assert_int_equal(stream_write(o.stream, "x", 1), 0);
	run_a_while();
	assert_int_equal(stream_error(o.stream), EPIPE);
}

/* Sent, read by the other end, answered, taken. */
static void
pair_at_rest_has_nothing_under_way(void **state)
{
	char in[8];
	int fd;

	(void)state;
	stream_close(o.stream);
	assert_int_equal(stream_init_pair(o.stream, loop, on_event, &fd), 0);
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
	assert_true(stream_is_at_rest(o.stream));
	assert_int_equal(stream_write(o.stream, "hello", 5), 0);
	assert_false(stream_is_at_rest(o.stream));
	assert_int_equal(recv(fd, in, 3, 0), 3);
	assert_false(stream_is_at_rest(o.stream));
	assert_int_equal(recv(fd, in, 8, 0), 2);
	assert_true(stream_is_at_rest(o.stream));
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_false(stream_is_at_rest(o.stream));
	run_a_while();
	assert_false(stream_is_at_rest(o.stream));
	stream_consume(o.stream, 1);
	assert_true(stream_is_at_rest(o.stream));
	close(fd);
}

/* --- no memory ----------------------------------------------------------- */
static void
no_memory_for_input(void **state)
{
	char heard[8];

	(void)state;
	assert_int_equal(stream_watch(o.stream), 0);
	say("a");
	fake_mem_fail_after(0);
	run_a_while();
	fake_mem_heal();
	assert_string_equal(o.events, "m");
	assert_int_equal(stream_error(o.stream), 0);
	/* It is told so, and no reset for what is unread overtakes that. */
	assert_int_equal(stream_write(o.stream, "421", 3), 0);
	stream_close(o.stream);
	assert_int_equal(recv(o.peer, heard, sizeof(heard), 0), 3);
	assert_int_equal(recv(o.peer, heard, sizeof(heard), 0), 0);

	teardown(state);
	setup(state);
	fake_mem_fail_after(0);
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), -1);
	fake_mem_heal();
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
	say("a");
	fake_mem_fail_after(0);
	run_a_while();
	fake_mem_heal();
	assert_string_equal(o.events, "m");
	say("b"); /* is not looked at */
	run_a_while();
	assert_string_equal(o.events, "m");
	assert_int_equal(stream_error(o.stream), 0);
}

static void
no_memory_for_output(void **state)
{
	static const char block[1000];
	int i;

	(void)state;
	make_buffer_small();
	fake_mem_fail_after(0);
	for (i = 0; i < 10000 && stream_error(o.stream) == 0; i++)
		assert_int_equal(
		    stream_write(o.stream, block, sizeof(block)), 0);
	fake_mem_heal();
	assert_int_equal(stream_error(o.stream), ENOMEM);
	assert_string_equal(o.events, "");
	peer_reads_all();
	run_a_while();
	assert_string_equal(o.events, "x");
}

#define STREAM_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    STREAM_TEST(peek_reports_once_and_takes_nothing),
	    STREAM_TEST(peek_is_bounded),
	    STREAM_TEST(peek_again_sees_it_again),
	    STREAM_TEST(skip_takes_exactly_that_much),
	    STREAM_TEST(skip_of_all_leaves_a_quiet_socket),
	    STREAM_TEST(skip_tells_when_the_bytes_are_gone),
	    STREAM_TEST(unwatch_stops_reports),
	    STREAM_TEST(peek_stage_tells_hangup),
	    STREAM_TEST(peek_stage_tells_reset),
	    STREAM_TEST(talk_reports_what_is_there_already),
	    STREAM_TEST(input_is_bounded_and_room_makes_it_go_on),
	    STREAM_TEST(beyond_looks_in_buffer_and_socket),
	    STREAM_TEST(eof_is_told_once_and_after_the_input),
	    STREAM_TEST(pause_holds_input_and_eof_back),
	    STREAM_TEST(reset_while_paused_is_told_after_resume),
	    STREAM_TEST(write_goes_out_at_once),
	    STREAM_TEST(slow_reader_is_waited_for),
	    STREAM_TEST(output_is_bounded),
	    STREAM_TEST(write_error_comes_later_and_once),
	    STREAM_TEST(error_may_follow_eof),
	    STREAM_TEST(reset_while_output_waits),
	    STREAM_TEST(callback_may_end_the_stream),
	    STREAM_TEST(drained_callback_may_close),
	    STREAM_TEST(close_lets_the_reply_through),
	    STREAM_TEST(works_on_a_unix_socket),
	    STREAM_TEST(pair_at_rest_has_nothing_under_way),
	    STREAM_TEST(no_memory_for_input),
	    STREAM_TEST(no_memory_for_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
