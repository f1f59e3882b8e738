/* SPDX-License-Identifier: ISC */
/* links: nth_call scratch sockets */
#include "ops/ask.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "support/nth_call.h"
#include "support/scratch.h"
#include "support/sockets.h"

/* A daemon that hears one question in a thread of its own, and says what it was
 * told to say. */

enum { BODY_MAX = 65536 };

static struct daemon {
	int fd;
	pthread_t thread;
	struct span answer;
	char asked[REQUEST_LINE_MAX + 1];
} doorbelld;

static struct scratch scratch;
static const char *path;

static int
set_up(void **state)
{
	(void)state;
	scratch_make(&scratch);
	path = scratch_path(&scratch, "control");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

static int
listen_at(const char *at)
{
	int fd;

	(void)unlink(at);
	fd = sockets_bind(at, SOCK_STREAM | SOCK_CLOEXEC);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* The question is a line; who has none hears nothing. */
static bool
hear(struct daemon *d, int fd)
{
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(d->asked) - 1 &&
	       (got = read(fd, d->asked + n, sizeof(d->asked) - 1 - n)) > 0) {
		n += (size_t)got;
		d->asked[n] = '\0';
		if (d->asked[n - 1] == '\n')
			return true;
	}
	return false;
}

/* In small pieces, and whoever does not want to hear it all may go. */
static void *
serve(void *arg)
{
	struct daemon *d = arg;
	int fd = accept(d->fd, NULL, NULL);
	size_t said = 0, n;

	must(fd >= 0);
	if (hear(d, fd))
		for (; said < d->answer.n; said += n) {
			n = d->answer.n - said < 1000 ? d->answer.n - said
						      : 1000;
			if (send(fd, d->answer.p + said, n, MSG_NOSIGNAL) !=
			    (ssize_t)n)
				break;
		}
	close(fd);
	return NULL;
}

static struct request
request_of(const char *first, const char *second)
{
	const char *const words[] = {first, second};
	struct errtext why;
	struct request r;

	assert_int_equal(
	    request_parse(&r, words, second != NULL ? 2 : 1, 0, &why), 0);
	return r;
}

static int
lowest_free(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static enum control_status
ask(const struct request *r, struct buf *body, struct errtext *why)
{
	int before = lowest_free();
	enum control_status status;

	buf_init(body, BODY_MAX);
	errtext_set(why, "%s", "");
	status = ask_daemon(path, r, body, why);
	assert_int_equal(lowest_free(), before);
	return status;
}

/* A question to the daemon, which says this. */
static enum control_status
converse(const struct request *r, struct span answer, struct buf *body,
    struct errtext *why)
{
	enum control_status status;
	int before = lowest_free();

	doorbelld = (struct daemon){.fd = listen_at(path), .answer = answer};
	assert_int_equal(
	    pthread_create(&doorbelld.thread, NULL, serve, &doorbelld), 0);
	buf_init(body, BODY_MAX);
	errtext_set(why, "%s", "");
	status = ask_daemon(path, r, body, why);
	assert_int_equal(pthread_join(doorbelld.thread, NULL), 0);
	close(doorbelld.fd);
	assert_int_equal(lowest_free(), before);
	return status;
}

/* --- answers ----------------------------------------------------------------- */

static const struct {
	const char *name, *answer;
	enum control_status status;
	const char *text; /* the body, or with another status why */
} answers[] = {
    {"whole", "doorbell 1 0 3\n{}\n", CONTROL_DONE, "{}\n"},
    {"of several lines", "doorbell 1 0 6\n{\n1\n}\n", CONTROL_DONE,
	"{\n1\n}\n"},
    {"nothing to say", "doorbell 1 0 0\n", CONTROL_DONE, ""},
    {"not done", "doorbell 1 1 15\n{\"error\":\"no\"}\n", CONTROL_FAILED, "no"},
    {"not known", "doorbell 1 2 17\n{\"error\":\"what\"}\n", CONTROL_BAD,
	"what"},
    {"a status of later days", "doorbell 1 9 16\n{\"error\":\"odd\"}\n",
	(enum control_status)9, "odd"},
    {"without a reason", "doorbell 1 1 0\n", CONTROL_FAILED,
	"doorbelld does not say why"},
    {"a reason that is not JSON", "doorbell 1 1 5\noops\n", CONTROL_FAILED,
	"doorbelld does not say why"},
    {"half a reason", "doorbell 1 1 11\n{\"error\":\"n", CONTROL_FAILED,
	"doorbelld does not say why"},
    {"another reason", "doorbell 1 1 3\n{}\n", CONTROL_FAILED,
	"doorbelld does not say why"},
    {"a reason that is a number", "doorbell 1 1 12\n{\"error\":5}\n",
	CONTROL_FAILED, "doorbelld does not say why"},
    {"a reason that is empty", "doorbell 1 1 13\n{\"error\":\"\"}\n",
	CONTROL_FAILED, "doorbelld does not say why"},
    {"a reason in a list", "doorbell 1 1 3\n[]\n", CONTROL_FAILED,
	"doorbelld does not say why"},
    {"closed at once", "", CONTROL_FAILED,
	"doorbelld: the answer is not whole"},
    {"a header without its end", "doorbell 1 0 3", CONTROL_FAILED,
	"doorbelld: the answer is not whole"},
    {"nothing but a newline", "\n", CONTROL_FAILED,
	"doorbelld: the answer is not whole"},
    {"another protocol", "doorbell 2 0 3\n{}\n", CONTROL_FAILED,
	"doorbelld: the answer is not whole"},
    {"somebody else", "220 mx.test ESMTP\r\n", CONTROL_FAILED,
	"doorbelld: the answer is not whole"},
    {"a body that is cut", "doorbell 1 0 4\n{}\n", CONTROL_FAILED,
	"doorbelld: the answer is not whole"},
    {"a body and more", "doorbell 1 0 2\n{}\n", CONTROL_FAILED,
	"doorbelld: the answer is not whole"},
    {"no status of a process", "doorbell 1 126 3\n{}\n", CONTROL_FAILED,
	"doorbelld: the answer is not whole"},
};

static void
test_answers(void **state)
{
	const struct request r = request_of("status", NULL);
	enum control_status status;
	struct errtext why;
	struct buf body;
	bool is_same;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		status = converse(&r, span_str(answers[i].answer), &body, &why);
		is_same = status == CONTROL_DONE
			      ? span_is(buf_span(&body), answers[i].text)
			      : strcmp(why.text, answers[i].text) == 0;
		buf_clear(&body);
		if (status != answers[i].status || !is_same)
			fail_msg("case \"%s\": %d, %s", answers[i].name,
			    (int)status, why.text);
		assert_string_equal(doorbelld.asked, "status\n");
	}
}

/* The words of a command line become one line. */
static void
test_question(void **state)
{
	struct request r = request_of("allow", "192.0.2.1");
	struct errtext why;
	struct buf body;

	(void)state;
	r.with[SWITCH_NOTE] = "a \"friend\"";
	r.with[SWITCH_FOR] = "2h";
	assert_int_equal(
	    converse(&r, span_str("doorbell 1 0 0\n"), &body, &why),
	    CONTROL_DONE);
	assert_string_equal(doorbelld.asked,
	    "allow --for=2h --note=\"a \\\"friend\\\"\" -- 192.0.2.1\n");
	buf_clear(&body);
}

/* What is no question is not sent. */
static void
test_no_question(void **state)
{
	static char note[REQUEST_LINE_MAX];
	struct request r = request_of("allow", "192.0.2.1");
	struct errtext why;
	struct buf body;

	(void)state;
	r.with[SWITCH_NOTE] = "two\nlines";
	assert_int_equal(
	    converse(&r, span_str("doorbell 1 0 0\n"), &body, &why),
	    CONTROL_BAD);
	assert_string_equal(why.text, "a control character in a word");
	assert_string_equal(doorbelld.asked, "");
	memset(note, 'n', sizeof(note) - 1);
	r.with[SWITCH_NOTE] = note;
	assert_int_equal(
	    converse(&r, span_str("doorbell 1 0 0\n"), &body, &why),
	    CONTROL_BAD);
	assert_string_equal(why.text, "the words are too long");
	assert_string_equal(doorbelld.asked, "");
}

/* As much as there is room for, and one byte more. */
static void
test_long_answer(void **state)
{
	static char text[BODY_MAX + 100];
	const struct request r = request_of("sessions", NULL);
	struct errtext why;
	struct buf body;
	int n;

	(void)state;
	memset(text, 'x', sizeof(text));
	n = snprintf(text, 32, "doorbell 1 0 %d\n", BODY_MAX - 19);
	assert_int_equal(n, 19);
	text[n] = 'x';
	assert_int_equal(
	    converse(&r, span_of(text, BODY_MAX), &body, &why), CONTROL_DONE);
	assert_int_equal(body.n, BODY_MAX - n);
	assert_int_equal(body.p[0], 'x');
	buf_clear(&body);
	assert_int_equal(converse(&r, span_of(text, BODY_MAX + 1), &body, &why),
	    CONTROL_FAILED);
	assert_string_equal(why.text, "doorbelld: Message too long");
	buf_clear(&body);
}

/* --- nobody ------------------------------------------------------------------ */

static void
expect(enum control_status want, const char *front, const char *behind)
{
	const struct request r = request_of("status", NULL);
	enum control_status status;
	struct errtext why;
	struct buf body;
	char all[ERRTEXT_MAX];

	status = ask(&r, &body, &why);
	(void)snprintf(all, sizeof(all), "%s%s%s", front, path, behind);
	assert_string_equal(why.text, all);
	assert_int_equal(status, want);
	assert_int_equal(body.n, 0);
}

static void
test_nobody(void **state)
{
	char longest[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];

	(void)state;
	expect(CONTROL_NOBODY, "no doorbelld answers at ", "");
	/* What a daemon has left behind. */
	close(listen_at(path));
	expect(CONTROL_NOBODY, "no doorbelld answers at ", "");
	path = scratch_path(&scratch, "control/deeper");
	expect(CONTROL_NOBODY, "no doorbelld answers at ", "");
	/* A file that is no socket. */
	scratch_write(&scratch, "file", "", 0600);
	path = scratch_path(&scratch, "file");
	expect(CONTROL_NOBODY, "no doorbelld answers at ", "");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	path = longest;
	expect(CONTROL_FAILED, "", ": the name is too long");
	longest[sizeof(longest) - 2] = '\0';
	expect(CONTROL_NOBODY, "no doorbelld answers at ", "");
	path = "";
	expect(CONTROL_NOBODY, "no doorbelld answers at ", "");
}

static const struct {
	enum nth_call call;
	uint32_t at;
	int error;
	enum control_status status;
	const char *why;
} faults[] = {
    {CALL_connect, 1, EACCES, CONTROL_FORBIDDEN,
	": this user may not ask doorbelld"},
    {CALL_connect, 1, EPERM, CONTROL_FORBIDDEN,
	": this user may not ask doorbelld"},
    {CALL_connect, 1, EAGAIN, CONTROL_FAILED,
	": Resource temporarily unavailable"},
    {CALL_socket, 1, EMFILE, CONTROL_FAILED, ": Too many open files"},
    {CALL_setsockopt, 1, ENOMEM, CONTROL_FAILED, ": Cannot allocate memory"},
    {CALL_setsockopt, 2, ENOMEM, CONTROL_FAILED, ": Cannot allocate memory"},
};

static void
test_faults_before(void **state)
{
	int fd = listen_at(path);

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		nth_call_arm(faults[i].call, faults[i].at, faults[i].error);
		expect(faults[i].status, "", faults[i].why);
		assert_true(nth_call_disarm() >= faults[i].at);
	}
	close(fd);
}

static const struct {
	enum nth_call call;
	int error;
	const char *why; /* NULL: nothing happens */
} breaks[] = {
    {CALL_send, EINTR, NULL},
    {CALL_send, EPIPE, "doorbelld: Broken pipe"},
    {CALL_send, EAGAIN, "doorbelld: Resource temporarily unavailable"},
    {CALL_recv, EINTR, NULL},
    {CALL_recv, EAGAIN, "doorbelld: no answer in time"},
    {CALL_recv, ECONNRESET, "doorbelld: Connection reset by peer"},
};

static void
test_faults_within(void **state)
{
	const struct request r = request_of("status", NULL);
	enum control_status status;
	struct errtext why;
	struct buf body;

	(void)state;
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		nth_call_arm(breaks[i].call, 1, breaks[i].error);
		status =
		    converse(&r, span_str("doorbell 1 0 3\n{}\n"), &body, &why);
		assert_true(nth_call_disarm() > 0);
		assert_string_equal(
		    why.text, breaks[i].why != NULL ? breaks[i].why : "");
		assert_int_equal(status,
		    breaks[i].why != NULL ? CONTROL_FAILED : CONTROL_DONE);
		assert_true(
		    status != CONTROL_DONE || span_is(buf_span(&body), "{}\n"));
		buf_clear(&body);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_answers),
	    TEST(test_question),
	    TEST(test_no_question),
	    TEST(test_long_answer),
	    TEST(test_nobody),
	    TEST(test_faults_before),
	    TEST(test_faults_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
