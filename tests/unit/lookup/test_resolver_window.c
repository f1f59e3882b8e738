/* SPDX-License-Identifier: ISC */
/* links: fake_clock fake_mem turn_loop */
/* How many questions a name server gets that says nothing. */
#include "lookup/resolver.h"

#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lookup/dns_window.h"
#include "support/fake_clock.h"
#include "support/fake_mem.h"
#include "support/turn_loop.h"

enum { TIMEOUT_MS = 250000 };

static struct loop *loop;
static struct resolver *resolver;
static struct resolver_query *query[RESOLVER_FLIGHT_MAX + 1];
static size_t asked;
static int silent_fd;

static int
setup(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct resolver_options o = {.timeout_ms = TIMEOUT_MS};
	socklen_t n = sizeof(sin);
	struct errtext why;
	char server[32];

	(void)state;
	fake_clock_reset();
	asked = 0;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	silent_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (silent_fd < 0 ||
	    bind(silent_fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
	    getsockname(silent_fd, (struct sockaddr *)&sin, &n) < 0)
		return -1;
	snprintf(server, sizeof(server), "127.0.0.1:%u", ntohs(sin.sin_port));
	o.servers = server;
	if ((loop = loop_new()) == NULL)
		return -1;
	resolver = resolver_new(loop, &o, &why);
	return resolver != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	resolver_free(&resolver);
	loop_free(&loop);
	close(silent_fd);
	return fake_mem_live() != 0;
}

static void
on_answer(const struct resolver_answer *answer, void *arg)
{
	(void)answer;
	(void)arg;
	fail();
}

/* The time is read once a tick. */
static void
pass_ms(int64_t ms)
{
	fake_clock_advance(ms);
	turn_loop(loop, 0);
}

/* Ask as many as may be; returns how many. */
static size_t
ask(void)
{
	size_t before = asked;

	while (asked <= RESOLVER_FLIGHT_MAX &&
	       (query[asked] = resolver_ask(
		    resolver, "silent.test", on_answer, NULL)) != NULL)
		asked++;
	assert_int_equal(errno, EAGAIN);
	return asked - before;
}

static void
test_the_young_fill_the_window(void **state)
{
	(void)state;
	assert_int_equal(ask(), DNS_WINDOW_START);
	pass_ms(DNS_YOUNG_MS - 1);
	assert_int_equal(ask(), 0);
	pass_ms(1);
	assert_int_equal(ask(), DNS_WINDOW_START);
	pass_ms(DNS_YOUNG_MS / 2);
	for (size_t i = 0; i < DNS_WINDOW_START + 10; i++)
		resolver_abandon(&query[i]);
	assert_int_equal(ask(), 10);
	pass_ms(DNS_YOUNG_MS / 2);
	assert_int_equal(ask(), DNS_WINDOW_START - 10);
}

static void
test_old_ones_are_limited_too(void **state)
{
	size_t n;

	(void)state;
	while ((n = ask()) > 0)
		pass_ms(DNS_YOUNG_MS);
	assert_int_equal(asked, RESOLVER_FLIGHT_MAX);
	pass_ms(DNS_YOUNG_MS);
	assert_int_equal(ask(), 0);
	resolver_abandon(&query[0]);
	assert_int_equal(ask(), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_young_fill_the_window),
	    TEST(test_old_ones_are_limited_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
