/* SPDX-License-Identifier: ISC */
/* links: fake_clock fake_mem nth_call scratch library_memory given_addr sockets turn_loop */
#include "net/httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/fake_clock.h"
#include "support/fake_mem.h"
#include "support/given_addr.h"
#include "support/library_memory.h"
#include "support/nth_call.h"
#include "support/scratch.h"
#include "support/sockets.h"
#include "support/turn_loop.h"

/* A real loop, real sockets, and a clock by which nobody's time is up before the
 * test says so. */

enum { PATIENCE = 1000 /* turns of TURN_MS */, TURN_MS = 10, GOT_MAX = 4096 };

static struct scratch scratch;
static struct loop *loop;
static struct httpd *httpd;
static struct errtext why;
static struct httpd_place place;

/* --- what is asked, and answered ------------------------------------------- */
static int asked;
static char path[256], host[256], accepts[256];
static const char *body;
static size_t body_n;
static long spent; /* memory, as soon as there is an answer */

static void
on_request(
    const struct httpd_request *request, struct httpd_reply *reply, void *arg)
{
	assert_ptr_equal(arg, &asked);
	asked++;
	snprintf(path, sizeof(path), "%s", request->path);
	snprintf(host, sizeof(host), "%s", request->host);
	snprintf(accepts, sizeof(accepts), "%s", request->accept);
	if (strcmp(path, "/other") == 0) {
		reply->status = 404;
		reply->type = "text/html";
		reply->policy = "default-src 'self'";
	}
	assert_int_equal(buf_add(&reply->body, body, body_n), 0);
	library_memory_spend(0, spent);
}

static void
turn(void)
{
	turn_loop(loop, TURN_MS);
}

static int64_t patience_ms; /* for those who leave */

static int
open_httpd(void)
{
	httpd = httpd_open(
	    loop, &place, mono_after(clock_mono(), patience_ms), &why);
	return httpd == NULL ? -1 : 0;
}

static void
start(void)
{
	if (open_httpd() < 0 ||
	    httpd_start(httpd, on_request, &asked, &why) < 0)
		fail_msg("%s", why.text);
}

static int
set_up(void **state)
{
	(void)state;
	fake_clock_reset();
	scratch_make(&scratch);
	loop = loop_new();
	place = (struct httpd_place){.path = scratch_path(&scratch, "page")};
	asked = 0;
	body = "hello\n";
	body_n = 6;
	library_memory_spend(0, spent = 0);
	return loop == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	httpd_close(&httpd);
	assert_null(httpd);
	loop_free(&loop);
	scratch_remove(&scratch);
	return 0;
}

/* --- clients --------------------------------------------------------------- */
struct client {
	int fd;
	char got[GOT_MAX]; /* the beginning */
	size_t n;          /* of all */
	bool ended;
};

static void
come(struct client *c)
{
	*c = (struct client){.fd = sockets_call(place.path)};
	assert_true(c->fd >= 0);
}

static void
look(struct client *c)
{
	char part[16384];
	ssize_t n;

	while ((n = recv(c->fd, part, sizeof(part), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++, c->n++)
			if (c->n < sizeof(c->got) - 1)
				c->got[c->n] = part[i];
	}
	c->ended |= n == 0 || (errno != EAGAIN && errno != EINTR);
}

static void
until_end(struct client *c)
{
	for (int i = 0; i < PATIENCE && !c->ended; i++) {
		turn();
		look(c);
	}
	assert_true(c->ended);
}

static void
until_asked(int n)
{
	for (int i = 0; i < PATIENCE && asked < n; i++)
		turn();
	assert_int_equal(asked, n);
}

static void
leave(struct client *c)
{
	close(c->fd);
	c->fd = -1;
}

/* The answer to this; good until the next question. */
static const char *
ask(const char *text)
{
	static struct client c;

	come(&c);
	sockets_say(c.fd, text);
	until_end(&c);
	leave(&c);
	return c.got;
}

static bool
has_line(const char *answer, const char *line)
{
	size_t n = strlen(line);
	const char *at = answer;

	for (; at != NULL; at = strstr(at, "\r\n")) {
		at += *at == '\r' ? 2 : 0;
		if (strncmp(at, line, n) == 0 && at[n] == '\r')
			return true;
	}
	return false;
}

static void
expect_line(const char *answer, const char *line)
{
	if (!has_line(answer, line))
		fail_msg("\"%s\" is not in \"%s\"", line, answer);
}

static const char *
body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

/* --- requests --------------------------------------------------------------- */
static void
test_get(void **state)
{
	const char *answer;

	(void)state;
	start();
	answer = ask("GET /a%20b/%63?d=%65 HTTP/1.1\r\nHost: mx.test:81\r\n"
		     "accept: text/html, */*\r\n\r\n");
	assert_int_equal(asked, 1);
	assert_string_equal(path, "/a b/c");
	assert_string_equal(host, "mx.test:81");
	assert_string_equal(accepts, "text/html, */*");
	expect_line(answer, "HTTP/1.1 200 OK");
	expect_line(answer, "Content-Type: text/plain; charset=utf-8");
	expect_line(answer, "Content-Security-Policy: default-src 'none'");
	expect_line(answer, "X-Content-Type-Options: nosniff");
	expect_line(answer, "X-Frame-Options: DENY");
	expect_line(answer, "Referrer-Policy: no-referrer");
	expect_line(answer, "Cross-Origin-Resource-Policy: same-origin");
	expect_line(answer, "Cache-Control: no-store");
	expect_line(answer, "Connection: close");
	expect_line(answer, "Content-Length: 6");
	assert_string_equal(body_of(answer), "hello\n");
}

static void
test_what_the_answer_is(void **state)
{
	const char *answer;

	(void)state;
	start();
	body_n = 0;
	answer = ask("GET /other HTTP/1.0\r\n\r\n");
	assert_string_equal(host, "");
	assert_string_equal(accepts, "");
	assert_non_null(strstr(answer, " 404 "));
	expect_line(answer, "Content-Type: text/html");
	expect_line(answer, "Content-Security-Policy: default-src 'self'");
	assert_string_equal(body_of(answer), "");
}

static void
test_head(void **state)
{
	const char *answer;

	(void)state;
	start();
	answer = ask("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_int_equal(asked, 1);
	expect_line(answer, "HTTP/1.1 200 OK");
	expect_line(answer, "Content-Length: 6");
	assert_string_equal(body_of(answer), "");
}

static void
test_other_methods(void **state)
{
	static const char *const methods[] = {
	    "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"};
	char text[128];

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		const char *answer;

		snprintf(text, sizeof(text),
		    "%s / HTTP/1.1\r\nHost: localhost\r\n"
		    "Content-Length: 0\r\n\r\n",
		    methods[i]);
		answer = ask(text);
		if (strstr(answer, " 405 ") == NULL)
			fail_msg("%s: %s", methods[i], answer);
		expect_line(answer, "Allow: GET, HEAD");
		assert_string_equal(
		    body_of(answer), "This is for reading only.\n");
	}
	assert_int_equal(asked, 0);
}

/* Whatever the library makes of them: nobody is asked, and they end. */
static void
test_no_requests(void **state)
{
	static const char *const cases[] = {
	    "BREW / HTTP/1.1\r\n\r\n",
	    "GET\r\n\r\n",
	    "GET /\r\n\r\n",
	    "GET / HTTP/9.9.9\r\n\r\n",
	    "EHLO mx.test\r\n\r\n",
	    "\x16\x03\x01\x02\r\n\r\n",
	    "GET / HTTP/1.1\r\nno colon\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"
	    "hello",
	    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
	    "POST / HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Length: 99999999999\r\n\r\n",
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *answer = ask(cases[i]);

		if (asked != 0 || strstr(answer, " 200 ") != NULL)
			fail_msg("%s: %s", cases[i], answer);
	}
	(void)ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_int_equal(asked, 1);
}

static void
test_paths(void **state)
{
	static const struct {
		const char *said, *path;
	} cases[] = {
	    {"/", "/"},
	    {"/..%2f..", "/../.."},
	    {"//x", ""},
	    {"/%", "/%"},
	    {"/%zz", "/%zz"},
	    {"/%ff", "/\xff"},
	    {"/a+b", "/a+b"},
	    {"http://evil.test/here", "/here"},
	    {"http://evil.test", ""},
	    {"*", "*"},
	};
	char text[128];

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(path, sizeof(path), "nobody asked");
		snprintf(text, sizeof(text),
		    "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
		    cases[i].said);
		(void)ask(text);
		if (strcmp(path, cases[i].path) != 0)
			fail_msg("%s: %s", cases[i].said, path);
	}
}

static void
test_too_long(void **state)
{
	static char text[HTTPD_REQUEST_MAX + 256];
	size_t n;

	(void)state;
	start();
	n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nX: ");
	memset(text + n, 'x', HTTPD_REQUEST_MAX);
	memcpy(text + n + HTTPD_REQUEST_MAX, "\r\n\r\n", 5);
	(void)ask(text);
	assert_int_equal(asked, 0);
	/* Less is taken. */
	memcpy(text + HTTPD_REQUEST_MAX / 2, "\r\n\r\n", 5);
	(void)ask(text);
	assert_int_equal(asked, 1);
}

static void
test_one_request_each(void **state)
{
	const char *answer;

	(void)state;
	start();
	answer = ask("GET /first HTTP/1.1\r\nHost: a\r\n\r\n"
		     "GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(asked, 1);
	assert_string_equal(path, "/first");
	assert_string_equal(body_of(answer), "hello\n");
}

static void
test_large_answer(void **state)
{
	static char large[HTTPD_BODY_MAX];
	static struct client c;
	size_t before = 0;

	(void)state;
	start();
	memset(large, 'x', sizeof(large));
	body = large;
	body_n = sizeof(large);
	come(&c);
	sockets_say(c.fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	/* It does not read for a while. */
	until_asked(1);
	for (int i = 0; i < 10; i++)
		turn();
	until_end(&c);
	leave(&c);
	expect_line(c.got, "Content-Length: 1048576");
	before = (size_t)(body_of(c.got) - c.got);
	assert_int_equal(c.n - before, sizeof(large));
}

/* --- how many, and for how long ---------------------------------------------- */
static void
test_no_more_than_so_many(void **state)
{
	static struct client guests[HTTPD_CLIENTS_MAX], late;

	(void)state;
	start();
	for (int i = 0; i < HTTPD_CLIENTS_MAX; i++) {
		come(&guests[i]);
		turn();
	}
	come(&late);
	sockets_say(late.fd, "GET /late HTTP/1.0\r\n\r\n");
	for (int i = 0; i < 30; i++)
		turn();
	assert_int_equal(asked, 0);
	/* The others are served as ever. */
	sockets_say(guests[7].fd, "GET /seventh HTTP/1.0\r\n\r\n");
	until_end(&guests[7]);
	assert_string_equal(body_of(guests[7].got), "hello\n");
	leave(&guests[7]);
	until_end(&late);
	assert_int_equal(asked, 2);
	assert_string_equal(path, "/late");
	assert_string_equal(body_of(late.got), "hello\n");
	leave(&late);
	/* One that says nothing, and goes, was no better. */
	leave(&guests[3]);
	leave(&guests[5]);
	for (int i = 0; i < 3; i++)
		(void)ask("GET / HTTP/1.0\r\n\r\n");
	for (int i = 0; i < HTTPD_CLIENTS_MAX; i++)
		if (guests[i].fd >= 0)
			leave(&guests[i]);
}

static void
test_deadline(void **state)
{
	static struct client slow, late;

	(void)state;
	start();
	come(&slow);
	sockets_say(slow.fd, "GET / HTTP/1.0\r\nX: ");
	turn();
	turn();
	fake_clock_advance(HTTPD_DEADLINE_MS - 1);
	come(&late);
	for (int i = 0; i < 30; i++) {
		turn();
		sockets_say(slow.fd, "x");
	}
	look(&slow);
	assert_false(slow.ended);
	fake_clock_advance(1);
	until_end(&slow);
	assert_int_equal(slow.n, 0);
	assert_int_equal(asked, 0);
	leave(&slow);
	/* The time of others is theirs. */
	sockets_say(late.fd, "GET / HTTP/1.0\r\n\r\n");
	until_end(&late);
	assert_int_equal(asked, 1);
	leave(&late);
}

static void
test_no_descriptors(void **state)
{
	static struct client c;

	(void)state;
	start();
	come(&c);
	sockets_say(c.fd, "GET / HTTP/1.0\r\n\r\n");
	nth_call_arm(CALL_accept4, 1, EMFILE);
	until_asked(1);
	/* It was not called again and again. */
	assert_true(nth_call_disarm() <= 3);
	until_end(&c);
	assert_string_equal(body_of(c.got), "hello\n");
	leave(&c);
}

static void
ignore_library(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

static void
test_no_memory_to_begin(void **state)
{
	int rc = -1;

	(void)state;
	fake_mem_fail_after(0);
	assert_int_equal(open_httpd(), -1);
	assert_string_equal(why.text, "no memory for a server");
	fake_mem_heal();
	for (long n = 0; rc < 0; n++) {
		library_memory_spend(n, LONG_MAX);
		rc = open_httpd();
		if (rc == 0)
			rc = httpd_start(httpd, on_request, &asked, &why);
		library_memory_spend(0, 0);
		if (rc < 0)
			assert_string_equal(why.text, "no memory for a server");
		if (rc < 0)
			httpd_close(&httpd);
	}
	(void)ask("GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(asked, 1);
}

/* Memory is gone when the answer is there. The library is not fit for having
 * none when a client comes (2.1.12 follows a null pointer then). */
static void
test_no_memory_to_answer(void **state)
{
	static struct client c;
	const char *answer;

	(void)state;
	start();
	spent = 1;
	answer = ask("GET / HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(answer, " 503 "));
	come(&c);
	sockets_say(c.fd, "GET / HTTP/1.0\r\n\r\n");
	spent = LONG_MAX;
	until_asked(2);
	library_memory_spend(0, spent = 0);
	until_end(&c);
	assert_int_equal(c.n, 0);
	leave(&c);
	assert_int_equal(asked, 2);
	answer = ask("GET /afterwards HTTP/1.0\r\n\r\n");
	assert_string_equal(body_of(answer), "hello\n");
}

/* --- the socket ------------------------------------------------------------- */
static void
test_for_everybody(void **state)
{
	struct stat st;

	(void)state;
	start();
	assert_int_equal(stat(place.path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0666);
}

static void
test_close_ends_all(void **state)
{
	static struct client reading, waiting;

	(void)state;
	httpd_close(&httpd); /* there is none */
	assert_int_equal(open_httpd(), 0);
	/* Nobody is answered yet. */
	come(&waiting);
	sockets_say(waiting.fd, "GET / HTTP/1.0\r\n\r\n");
	turn();
	assert_int_equal(asked, 0);
	httpd_close(&httpd);
	until_end(&waiting);
	leave(&waiting);
	start();
	come(&reading);
	sockets_say(reading.fd, "GET");
	turn();
	turn();
	httpd_close(&httpd);
	until_end(&reading);
	assert_int_equal(reading.n, 0);
	leave(&reading);
	assert_int_equal(sockets_call(place.path), -1);
}

/* A socket of ours; the kernel chooses the port. */
static int
bound(const char *address, int type, bool listens, struct endpoint *e)
{
	struct sockaddr_storage sa;
	socklen_t n;
	int fd;

	*e = given_endpoint(address, 0);
	n = endpoint_to_sockaddr(e, &sa);
	fd = socket(sa.ss_family, type, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(listens ? listen(fd, 5) : 0, 0);
	*e = sockets_name(fd);
	return fd;
}

static void
come_by_tcp(struct client *c, const struct endpoint *where)
{
	struct sockaddr_storage sa;
	socklen_t n = endpoint_to_sockaddr(where, &sa);

	*c = (struct client){.fd = socket(sa.ss_family, SOCK_STREAM, 0)};
	assert_int_equal(connect(c->fd, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
}

static void
serves(const struct endpoint *where)
{
	static struct client c;

	asked = 0;
	come_by_tcp(&c, where);
	sockets_say(c.fd, "GET / HTTP/1.0\r\n\r\n");
	until_end(&c);
	leave(&c);
	assert_int_equal(asked, 1);
}

static void
test_tcp(void **state)
{
	char text[ENDPOINT_TEXT_MAX], want[256];
	int fd;

	(void)state;
	/* A port that is free: somebody else's connections to it have ended. */
	fd = bound("127.0.0.1", SOCK_STREAM, true, &place.where);
	place.path = NULL;
	assert_int_equal(open_httpd(), -1);
	snprintf(want, sizeof(want),
	    "%s: cannot listen: Address already in use",
	    endpoint_format(&place.where, text));
	assert_string_equal(why.text, want);
	close(fd);
	start();
	serves(&place.where);
	httpd_close(&httpd);
	/* At once again: its connections are still remembered. */
	start();
	serves(&place.where);
}

/* Its listener goes when somebody has come. Whatever goes wrong here shows as an
 * address that is not had. */
static void *
leave_house(void *arg)
{
	const int *door = arg;
	int fd = accept(*door, NULL, NULL);

	close(*door);
	close(fd);
	return NULL;
}

static void
test_tcp_of_one_who_leaves(void **state)
{
	static int door; /* the thread's, even when we have failed */
	pthread_t thread;
	int yes = 1;

	(void)state;
	door = bound("127.0.0.1", SOCK_STREAM, true, &place.where);
	assert_int_equal(
	    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
	place.path = NULL;
	assert_int_equal(pthread_create(&thread, NULL, leave_house, &door), 0);
	patience_ms = 20000;
	start();
	patience_ms = 0;
	assert_int_equal(pthread_join(thread, NULL), 0);
	serves(&place.where);
}

static void
test_no_such_places(void **state)
{
	(void)state;
	place.path = scratch_path(&scratch, "no/such/directory");
	assert_int_equal(open_httpd(), -1);
	assert_non_null(strstr(why.text, place.path));
	assert_non_null(strstr(why.text, strerror(ENOENT)));
	place.path = NULL;
	place.where.port = 80;
	assert_int_equal(
	    addr_parse(span_str("192.0.2.1"), &place.where.addr), 0);
	assert_int_equal(open_httpd(), -1);
	assert_string_equal(why.text,
	    "[192.0.2.1]:80: cannot listen: Cannot assign requested address");
	nth_call_arm(CALL_socket, 1, EMFILE);
	assert_int_equal(open_httpd(), -1);
	(void)nth_call_disarm();
	assert_string_equal(
	    why.text, "[192.0.2.1]:80: cannot listen: Too many open files");
}

static void
adopt(int fd)
{
	httpd = httpd_adopt(loop, fd, &why);
	if (httpd == NULL || httpd_start(httpd, on_request, &asked, &why) < 0)
		fail_msg("%s", why.text);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void
test_adopted(void **state)
{
	struct endpoint e;
	int fd;

	(void)state;
	fd = bound("127.0.0.1", SOCK_STREAM, true, &e);
	adopt(fd);
	serves(&e);
	httpd_close(&httpd);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	/* One for both families that is bound to an address of IPv4. */
	fd = bound("127.0.0.2", SOCK_STREAM, true, &e);
	adopt(fd);
	serves(&e);
	httpd_close(&httpd);
	fd = sockets_bind(place.path, SOCK_STREAM);
	assert_int_equal(listen(fd, 5), 0);
	adopt(fd);
	asked = 0;
	(void)ask("GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(asked, 1);
}

static void
refuse(int fd)
{
	char want[128];

	httpd = httpd_adopt(loop, fd, &why);
	assert_null(httpd);
	snprintf(want, sizeof(want),
	    "descriptor %d does not listen on a Unix socket or a loopback"
	    " address",
	    fd);
	assert_string_equal(why.text, want);
	/* It stays the caller's. */
	if (fd >= 0)
		assert_int_equal(close(fd), 0);
}

static void
test_not_adopted(void **state)
{
	struct endpoint e;
	int pipes[2];

	(void)state;
	refuse(-1);
	assert_int_equal(pipe(pipes), 0);
	refuse(pipes[0]);
	close(pipes[1]);
	refuse(bound("127.0.0.1", SOCK_STREAM, false, &e));
	refuse(bound("127.0.0.1", SOCK_DGRAM, false, &e));
	refuse(bound("0.0.0.0", SOCK_STREAM, true, &e));
	fake_mem_fail_after(0);
	httpd = httpd_adopt(
	    loop, pipes[0] = bound("127.0.0.1", SOCK_STREAM, true, &e), &why);
	fake_mem_heal();
	assert_null(httpd);
	assert_string_equal(why.text, "no memory for a server");
	assert_int_equal(close(pipes[0]), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_get),
	    TEST(test_what_the_answer_is),
	    TEST(test_head),
	    TEST(test_other_methods),
	    TEST(test_no_requests),
	    TEST(test_paths),
	    TEST(test_too_long),
	    TEST(test_one_request_each),
	    TEST(test_large_answer),
	    TEST(test_no_more_than_so_many),
	    TEST(test_deadline),
	    TEST(test_no_descriptors),
	    TEST(test_no_memory_to_begin),
	    TEST(test_no_memory_to_answer),
	    TEST(test_for_everybody),
	    TEST(test_close_ends_all),
	    TEST(test_tcp),
	    TEST(test_tcp_of_one_who_leaves),
	    TEST(test_no_such_places),
	    TEST(test_adopted),
	    TEST(test_not_adopted),
	};

	library_memory_take();
	loop_set_voice(ignore_library);
	return cmocka_run_group_tests_name("net/httpd", tests, NULL, NULL);
}
