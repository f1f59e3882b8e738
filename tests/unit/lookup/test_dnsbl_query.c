/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
/* Clients by the thousand and lists in every condition, on real sockets: a name
 * server of the test's own answers by the name of the list. */
#include "lookup/dnsbl_query.h"

#include <stdarg.h>
#include <setjmp.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "lookup/dnsbl.h"
#include "support/fake_mem.h"

enum {
	CLIENTS = 1200,
	CLIENTS_A_BEAT = 25, /* what fits into a socket's buffer */
	BEAT_MS = 5,
	SOON_MS = 400,
	LONG_MS = 4000, /* under valgrind on a busy machine, too */
	NO_RETRY_MS = 40000,
	PATIENCE_MS = 60000,
	QUESTION_MAX = 512,
	PACKET_MAX = QUESTION_MAX + 16
};

struct client {
	struct dnsbl_ticket ticket;
	unsigned completed;
	struct dnsbl_score last;
};

static struct loop *loop;
static struct loop_timer alarm_timer, beat;
static struct loop_watch udp;
static int udp_fd;
static char servers[64];
static struct dnsbl *bl;
static unsigned left, to_come, beats;
static struct client client[CLIENTS];

/* --- the name server ---------------------------------------------------- */
/* The label behind the four of the address. */
static bool
is_about(const uint8_t *question, const char *label)
{
	const uint8_t *p = question + 12;

	for (int i = 0; i < 4; i++)
		p += 1 + *p;
	return *p == strlen(label) && memcmp(p + 1, label, *p) == 0;
}

/* Returns the length of the answer. No EDNS: the question ends where the name
 * and four bytes end. */
static size_t
answer(uint8_t p[PACKET_MAX])
{
	static const uint8_t record[] = {
	    0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 2};
	size_t n = 12;

	p[2] = 0x81;
	p[3] = is_about(p, "fail") ? 0x82 : 0x80;
	memset(p + 8, 0, 4);
	while (p[n] != 0)
		n += 1u + p[n];
	n += 5;
	if (is_about(p, "fail") || is_about(p, "clean"))
		return n;
	p[7] = 1;
	memcpy(p + n, record, sizeof(record));
	n += sizeof(record);
	if (is_about(p, "error"))
		p[n - 3] = p[n - 2] = 255;
	return is_about(p, "garbled") ? n - 3 : n;
}

/* All that is there: a burst must not wait for the loop's next turn. */
static void
on_question(struct loop_watch *watch, unsigned ready)
{
	struct sockaddr_storage from;
	struct sockaddr *peer = (struct sockaddr *)&from;
	socklen_t from_n = sizeof(from);
	uint8_t p[PACKET_MAX];

	(void)watch;
	(void)ready;
	while (recvfrom(udp_fd, p, QUESTION_MAX, MSG_DONTWAIT, peer, &from_n) >
	       12) {
		if (!is_about(p, "hole"))
			(void)sendto(udp_fd, p, answer(p), 0, peer, from_n);
		from_n = sizeof(from);
	}
}

/* --- the world ---------------------------------------------------------- */
static void
on_alarm(struct loop_timer *timer)
{
	loop_stop(timer->loop);
}

static void
on_score(struct dnsbl_ticket *ticket, const struct dnsbl_score *score)
{
	struct client *c = OWNER_OF(ticket, struct client, ticket);

	c->last = *score;
	if (!score->complete)
		return;
	c->completed++;
	if (--left == 0)
		loop_stop(loop);
}

static void
start(unsigned i)
{
	struct addr from = {.family = ADDR_IPV4,
	    .bytes = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
	bool joined;

	assert_int_equal(
	    dnsbl_start(bl, &from, &client[i].ticket, on_score, &joined), 0);
}

static void
on_beat(struct loop_timer *timer)
{
	beats++;
	for (int i = 0; i < CLIENTS_A_BEAT && to_come > 0; i++)
		start(--to_come);
	(void)loop_timer_start(timer, BEAT_MS);
}

static int
setup(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t n = sizeof(sin);

	(void)state;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (udp_fd < 0 || bind(udp_fd, (struct sockaddr *)&sin, n) < 0 ||
	    getsockname(udp_fd, (struct sockaddr *)&sin, &n) < 0 ||
	    (loop = loop_new()) == NULL)
		return -1;
	snprintf(servers, sizeof(servers), "127.0.0.1:%u",
	    (unsigned)ntohs(sin.sin_port));
	memset(client, 0, sizeof(client));
	beats = 0;
	loop_timer_init(&alarm_timer, loop, on_alarm);
	loop_timer_init(&beat, loop, on_beat);
	loop_watch_init(&udp, loop, udp_fd, on_question);
	return loop_watch_set(&udp, LOOP_READABLE);
}

static int
teardown(void **state)
{
	(void)state;
	loop_watch_set(&udp, 0);
	loop_timer_stop(&alarm_timer);
	loop_timer_stop(&beat);
	loop_free(&loop);
	close(udp_fd);
	return fake_mem_live() != 0;
}

/* Look up `n` clients, and wait for all of them. */
static void
look_up(const char *sites, unsigned n, int64_t timeout_ms, int64_t retry_ms)
{
	struct errtext why = {""};
	struct resolver *resolver = resolver_new(
	    loop, &(struct resolver_options){servers, retry_ms}, &why);
	struct dnsbl_options o = {
	    .sites = span_str(sites), .timeout_ms = timeout_ms};

	assert_non_null(resolver);
	bl = dnsbl_new(loop, resolver, &o, &why);
	assert_non_null(bl);
	left = to_come = n;
	assert_int_equal(loop_timer_start(&alarm_timer, PATIENCE_MS), 0);
	assert_int_equal(loop_timer_start(&beat, 0), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(left, 0);
	dnsbl_unref(&bl);
	resolver_free(&resolver);
}

/* --- lists in every condition ------------------------------------------- */
static const struct {
	const char *name, *sites;
	int points;
	bool missing;
	uint64_t listed_by;
} cases[] = {
    {"listed", "good.test*3", 3, false, 1},
    {"not listed", "clean.test*3", 0, false, 0},
    {"error code", "error.test*3", 0, true, 0},
    {"error code, named", "error.test=127.255.255.2*3", 3, false, 1},
    {"server failure", "fail.test*3", 0, true, 0},
    {"garbled", "garbled.test*3", 0, true, 0},
    {"black hole", "hole.test*3", 0, true, 0},
    {"watched black hole", "hole.test*0 good.test", 1, false, 2},
    {"all at once",
	"good.test*3 clean.test*3 error.test fail.test hole.test garbled.test",
	3, true, 1},
};

static void
test_lists_in_every_condition(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		client[0] = (struct client){0};
		look_up(cases[i].sites, 1, SOON_MS, SOON_MS);
		if (client[0].completed != 1 ||
		    client[0].last.points != cases[i].points ||
		    client[0].last.missing != cases[i].missing ||
		    client[0].last.listed_by != cases[i].listed_by)
			fail_msg("%s: %d points, missing %d", cases[i].name,
			    client[0].last.points, client[0].last.missing);
	}
}

/* Two lists of three swallow everything: more questions than may be under way.
 * All clients end with what the third list says, and the loop goes on. */
static void
test_a_black_hole_beside_a_good_list(void **state)
{
	(void)state;
	look_up("hole.one.test hole.two.test good.test*3", CLIENTS, LONG_MS,
	    NO_RETRY_MS);
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(client[i].completed, 1);
		assert_int_equal(client[i].last.points, 3);
		assert_true(client[i].last.missing);
	}
	assert_true(beats > CLIENTS / CLIENTS_A_BEAT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_lists_in_every_condition),
	    TEST(test_a_black_hole_beside_a_good_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
