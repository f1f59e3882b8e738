/* SPDX-License-Identifier: ISC */
/* links: house scratch nth_call sockets given_addr */
#include "daemon/showing.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon/drain.h"
#include "daemon/steering.h"
#include "support/house.h"
#include "support/nth_call.h"
#include "support/sockets.h"

enum { ANSWER_MAX = 1 << 18 };

static void
set_http(struct house *h)
{
	char line[64];

	(void)snprintf(line, sizeof(line),
	    "doorbell_http_listen = inet:%s:%u\n", h->address, h->http_port);
	house_set(h, line);
}

/* The whole answer. */
static const char *
fetched(struct house *h, int fd, const char *path)
{
	static char answer[ANSWER_MAX];
	char request[128];

	assert_true(fd >= 0);
	(void)snprintf(request, sizeof(request),
	    "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
	sockets_say(fd, request);
	(void)house_client_hears_all(h, fd, answer, sizeof(answer));
	close(fd);
	return answer;
}

static const char *
fetched_from_port(struct house *h, const char *path)
{
	return fetched(h, house_call_port(h, h->http_port), path);
}

static void
has(const char *answer, const char *part)
{
	if (strstr(answer, part) == NULL)
		fail_msg("\"%s\" is not in:\n%s", part, answer);
}

static void
begins_with(const char *answer, const char *part)
{
	if (strncmp(answer, part, strlen(part)) != 0)
		fail_msg("\"%s\" does not open:\n%s", part, answer);
}

/* One who is greeted, while pages are shown. */
static int
open_with_client(struct house *h)
{
	set_http(h);
	house_open(h);
	return house_enter(h);
}

static void
test_pages_of_a_serving_process(void **state)
{
	struct house *h = *state;
	const char *answer;
	int client = open_with_client(h);

	answer = fetched_from_port(h, "/healthz");
	begins_with(answer, "HTTP/1.0 200 OK\r\n");
	has(answer, "\r\n\r\nok\n");
	answer = fetched_from_port(h, "/metrics");
	has(answer, "\ndoorbell_connections_total 1\n");
	answer = fetched_from_port(h, "/api/status.json");
	has(answer, "\"healthy\":true");
	has(answer, "\"sessions\":1");
	has(answer, "\"mode\":\"standalone\"");
	answer = fetched_from_port(h, "/");
	has(answer, "<!DOCTYPE html>");
	close(client);
	house_close(h);
	assert_int_equal(house_call_port(h, h->http_port), -1);
}

static void
test_who_drains_says_so(void **state)
{
	struct house *h = *state;
	const char *answer;
	int client = open_with_client(h);

	drain_in_place(h->bell);
	answer = fetched_from_port(h, "/healthz");
	begins_with(answer, "HTTP/1.0 503 ");
	has(answer, "draining: no new clients\n");
	showing_stop(h->bell);
	assert_int_equal(house_call_port(h, h->http_port), -1);
	close(client);
}

static void
test_a_path(void **state)
{
	struct house *h = *state;
	char line[300];

	(void)snprintf(line, sizeof(line), "doorbell_http_listen = unix:%s\n",
	    scratch_path(&h->scratch, "http"));
	house_set(h, line);
	house_open(h);
	has(fetched(h, house_call_path(h, "http"), "/healthz"), "ok\n");
}

static void
test_nobody_wants_it(void **state)
{
	struct house *h = *state;

	house_open(h);
	assert_null(h->bell->http_socket);
	assert_null(h->bell->http.httpd);
	showing_stop(h->bell);
	showing_stop(h->bell);
}

/* --- what cannot be: mail goes on ------------------------------------------ */
static void
goes_on_without(struct house *h, const char *why)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "warning: status page: %s", why);
	house_hears(h, line);
	house_hears(h, "; going on without it\n");
	close(house_enter(h));
}

static void
test_a_taken_port(void **state)
{
	struct house *h = *state;
	int other = house_listener(h, h->http_port);

	set_http(h);
	house_open(h);
	goes_on_without(h, "");
	house_hears(h, "Address already in use");
	close(other);
}

/* Whoever has the page is waited for, but no client waits for that. */
static void
test_clients_come_before_the_page(void **state)
{
	struct house *h = *state;
	int other = house_listener(h, h->http_port), asked, client;

	set_http(h);
	house_fork(h);
	asked = accept(other, NULL, NULL);
	assert_true(asked >= 0);
	client = house_call(h);
	assert_true(client >= 0);
	close(client);
	close(asked);
	close(other);
	house_serves(h);
}

static void
test_a_place_that_is_none(void **state)
{
	struct house *h = *state;

	house_set(h, "doorbell_http_listen = inet:192.0.2.1:80\n");
	house_open(h);
	goes_on_without(h, "doorbell_http_listen = inet:192.0.2.1:80: not a"
			   " loopback address");
}

static void
say_nothing(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

/* Whether it has begun when the `at`-th change to the poll set has failed; there
 * were *calls_r. */
static bool
shows_with_fault(struct house *h, uint32_t at, uint32_t *calls_r)
{
	struct errtext why;
	bool shows;

	h->bell = context_new(&h->options, &why);
	assert_non_null(h->bell);
	steering_start(h->bell);
	loop_set_voice(say_nothing);
	house_forget(h);
	nth_call_arm(CALL_epoll_ctl, at, ENOMEM);
	showing_start(h->bell);
	*calls_r = nth_call_disarm();
	shows = h->bell->http.httpd != NULL;
	assert_int_equal(shows,
	    !house_has_heard(h, "warning: status page: no memory for a server;"
				" going on without it\n"));
	house_close(h);
	return shows;
}

static void
test_no_watch_for_it(void **state)
{
	struct house *h = *state;
	uint32_t at = 1, calls;

	set_http(h);
	while (!shows_with_fault(h, at, &calls)) {
		assert_true(calls >= at);
		at++;
	}
	assert_true(at > 1 && calls < at);
}

static void
test_words(void **state)
{
	static const struct {
		const char *words;
		int rc;
	} cases[] = {
	    {"", 0},
	    {"inet:127.0.0.1:9125", 0},
	    {"inet:[::1]:9125", 0},
	    {"unix:/run/doorbell/http", 0},
	    {"unix:run/http", -1},
	    {"127.0.0.1:9125", -1},
	    {"inet:0.0.0.0:9125", -1},
	    {"inet:localhost:9125", -1},
	    {"inet:127.0.0.1:", -1},
	    {"inet:127.0.0.1:0", -1},
	};
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct config cfg = {.http_listen = cases[i].words};

		why.text[0] = '\0';
		if (showing_check(&cfg, &why) != cases[i].rc)
			fail_msg("%s: %s", cases[i].words, why.text);
		if (cases[i].rc < 0)
			has(why.text, cases[i].words);
	}
}

/* --- a socket from a manager ----------------------------------------------- */
static void
fork_with_given(struct house *h, int fd)
{
	h->given[h->given_count++] = fd;
	assert_int_equal(setenv("LISTEN_FDS", "1", 1), 0);
	assert_int_equal(setenv("LISTEN_FDNAMES", "http", 1), 0);
	house_fork(h);
	assert_int_equal(unsetenv("LISTEN_FDS"), 0);
	assert_int_equal(unsetenv("LISTEN_FDNAMES"), 0);
	house_serves(h);
}

static void
test_a_socket_is_given(void **state)
{
	struct house *h = *state;

	/* The parameter is of no interest then. */
	house_set(h, "doorbell_http_listen = inet:192.0.2.1:80\n");
	fork_with_given(h, house_listener(h, h->http_port));
	has(fetched_from_port(h, "/healthz"), "ok\n");
	assert_false(house_has_heard(h, "warning"));
	/* And it is no door for clients. */
	close(house_enter(h));
}

static void
test_what_is_given_is_no_socket(void **state)
{
	struct house *h = *state;

	fork_with_given(h, open("/dev/null", O_RDWR | O_CLOEXEC));
	goes_on_without(h, "descriptor 3");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, house_set_up, house_tear_down)
	    TEST(test_pages_of_a_serving_process),
	    TEST(test_who_drains_says_so),
	    TEST(test_a_path),
	    TEST(test_nobody_wants_it),
	    TEST(test_a_taken_port),
	    TEST(test_clients_come_before_the_page),
	    TEST(test_a_place_that_is_none),
	    TEST(test_no_watch_for_it),
	    TEST(test_words),
	    TEST(test_a_socket_is_given),
	    TEST(test_what_is_given_is_no_socket),
	};

	return cmocka_run_group_tests(tests, house_move_in, house_move_out);
}
