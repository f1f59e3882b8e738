/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "lookup/resolver.h"

#include <stdarg.h>
#include <setjmp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "lookup/dns_window.h"
#include "support/fake_mem.h"

#define LABEL_16 "aaaaaaaaaaaaaaaa"
#define LABEL_64 LABEL_16 LABEL_16 LABEL_16 LABEL_16

/* A name server on the test's own loop: the first label of the name says how
 * it behaves. */
enum {
	TIMEOUT_MS = 300,  /* where time runs out */
	PATIENT_MS = 2000, /* where it must not, nor a question come again */
	LONG_MS = 5000,
	PACKET_MAX = 4096
};

static struct loop *loop;
static struct loop_timer alarm_timer;
static struct loop_watch udp;
static int udp_fd, tcp_fd, talk_fd;
static unsigned short port;
static unsigned asked; /* questions that reached the server by UDP */
static struct sockaddr_in last_asker;

struct packet {
	uint8_t bytes[PACKET_MAX];
	size_t n;
};

/* --- writing messages --------------------------------------------------- */
static void
put(struct packet *p, const void *bytes, size_t n)
{
	assert_true(n <= sizeof(p->bytes) - p->n);
	memcpy(p->bytes + p->n, bytes, n);
	p->n += n;
}

static void
put16(struct packet *p, unsigned v)
{
	put(p, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void
put32(struct packet *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p, v & 0xffff);
}

/* Owner: the name in the question. */
static void
put_record(struct packet *p, unsigned type, uint32_t ttl, unsigned n)
{
	put16(p, 0xc00c);
	put16(p, type);
	put16(p, 1);
	put32(p, ttl);
	put16(p, n);
}

static void
put_a(struct packet *p, unsigned last_octet, uint32_t ttl)
{
	put_record(p, 1, ttl, 4);
	put(p, (uint8_t[]){127, 0, 0, (uint8_t)last_octet}, 4);
	p->bytes[7]++;
}

static void
put_soa(struct packet *p, uint32_t ttl, uint32_t minimum)
{
	put_record(p, 6, ttl, 2 + 20);
	put16(p, 0); /* two root names */
	for (int i = 0; i < 4; i++)
		put32(p, 7);
	put32(p, minimum);
	p->bytes[9]++;
}

/* The question again, with the header of an answer. */
static void
begin(struct packet *p, const struct packet *question, unsigned rcode)
{
	size_t end = 12;

	while (question->bytes[end] != 0)
		end += 1u + question->bytes[end];
	p->n = 0;
	put(p, question->bytes, end + 5);
	p->bytes[2] = 0x81;
	p->bytes[3] = (uint8_t)(0x80 | rcode);
	memset(p->bytes + 6, 0, 6);
}

/* --- the scripted server ------------------------------------------------ */
typedef void script_fn(struct packet *p);

static void
say_three(struct packet *p)
{
	put_a(p, 2, 300);
	put_a(p, 3, 60);
	put_a(p, 4, 120);
}

static void
say_many(struct packet *p)
{
	for (unsigned i = 0; i < 28; i++)
		put_a(p, i, 300 - i);
}

static void
say_alias(struct packet *p)
{
	put_record(p, 5, 30, 3);
	put(p, "\1x", 3);
	p->bytes[7]++;
	put(p, "\1X\0\0\1\0\1\0\0\2\x58\0\4\x7f\0\0\5", 17);
	p->bytes[7]++;
	put_a(p, 66, 10); /* not of the alias' target: does not count */
}

static void
say_soa_minimum(struct packet *p)
{
	put_soa(p, 3600, 60);
}

static void
say_soa_ttl(struct packet *p)
{
	put_soa(p, 90, 3600);
}

static void
say_cut_record(struct packet *p)
{
	put_a(p, 2, 300);
	p->n -= 3;
}

static void
say_truncated(struct packet *p)
{
	p->bytes[2] |= 2;
	put_a(p, 2, 300);
	put_a(p, 3, 300);
}

static void
say_only_truncated(struct packet *p)
{
	p->bytes[2] |= 2;
}

static void
say_listed(struct packet *p)
{
	put_a(p, 2, 300);
}

static void
say_nothing(struct packet *p)
{
	(void)p;
}

static const struct script {
	const char *label;
	unsigned rcode;
	script_fn *say;
} scripts[] = {
    {"three", 0, say_three},
    {"many", 0, say_many},
    {"alias", 0, say_alias},
    {"nx-minimum", 3, say_soa_minimum},
    {"nx-ttl", 3, say_soa_ttl},
    {"nx-bare", 3, say_nothing},
    {"nodata", 0, say_soa_ttl},
    {"servfail", 2, say_nothing},
    {"refused", 5, say_nothing},
    {"notimp", 4, say_nothing},
    {"cut", 0, say_cut_record},
    {"tc", 0, say_truncated},
    {"tc-empty", 0, say_only_truncated},
    {"", 0, say_listed},
};

static bool
label_is(const struct packet *question, const char *label)
{
	size_t n = strlen(label);

	return question->bytes[12] == n &&
	       memcmp(question->bytes + 13, label, n) == 0;
}

static void
answer_udp(
    const struct packet *p, const struct sockaddr_storage *to, socklen_t to_n)
{
	(void)sendto(
	    udp_fd, p->bytes, p->n, 0, (const struct sockaddr *)to, to_n);
}

/* Answers that do not belong to the question, each listing 127.0.0.66. Newer
 * c-ares takes unreadable ones for a broken server and asks again, so these come
 * only once. */
static void
answer_wrongly(const struct packet *question, const struct sockaddr_storage *to,
    socklen_t to_n)
{
	struct packet p;

	begin(&p, question, 0);
	put_a(&p, 66, 300);
	if (label_is(question, "wrong-id"))
		p.bytes[0] ^= 0x55;
	if (label_is(question, "wrong-name"))
		p.bytes[13] = 'x';
	if (label_is(question, "wrong-type"))
		p.bytes[12 + 1 + 10 + 1 + 4 + 1 + 1] = 28;
	if (label_is(question, "junk"))
		p.n = 5;
	if (label_is(question, "empty"))
		p.n = 0;
	if (label_is(question, "wrong-id") ||
	    label_is(question, "wrong-name") ||
	    label_is(question, "wrong-type") ||
	    (label_is(question, "junk") && asked == 1) ||
	    (label_is(question, "empty") && asked == 1))
		answer_udp(&p, to, to_n);
}

static void
on_udp(struct loop_watch *watch, unsigned ready)
{
	const struct script *s = scripts;
	struct sockaddr_storage from;
	socklen_t from_n = sizeof(from);
	struct packet question = {0}, p;
	ssize_t n = recvfrom(udp_fd, question.bytes, sizeof(question.bytes), 0,
	    (struct sockaddr *)&from, &from_n);

	(void)watch;
	(void)ready;
	if (n < 12)
		return;
	asked++;
	memcpy(&last_asker, &from, sizeof(last_asker));
	if (label_is(&question, "silent"))
		return;
	if (label_is(&question, "second") && asked == 1)
		return;
	answer_wrongly(&question, &from, from_n);
	while (s->label[0] != '\0' && !label_is(&question, s->label))
		s++;
	begin(&p, &question, s->rcode);
	s->say(&p);
	answer_udp(&p, &from, from_n);
}

/* One port of both kinds. */
static int
bind_both(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct sockaddr *sa = (struct sockaddr *)&sin;
	socklen_t n = sizeof(sin);
	int yes = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (setsockopt(tcp_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0)
		return -1;
	if (bind(udp_fd, sa, n) < 0 || getsockname(udp_fd, sa, &n) < 0)
		return -1;
	port = ntohs(sin.sin_port);
	return bind(tcp_fd, sa, n);
}

/* By UDP only; a question by TCP is refused. */
static int
server_open(void)
{
	for (int i = 0; i < 20; i++) {
		if (bind_both() == 0)
			return 0;
		close(udp_fd);
		close(tcp_fd);
	}
	return -1;
}

/* --- the world ---------------------------------------------------------- */
static void
on_alarm(struct loop_timer *timer)
{
	loop_stop(timer->loop);
}

static int
setup(void **state)
{
	(void)state;
	asked = 0;
	loop = loop_new();
	if (loop == NULL || server_open() < 0)
		return -1;
	loop_timer_init(&alarm_timer, loop, on_alarm);
	loop_watch_init(&udp, loop, udp_fd, on_udp);
	return loop_watch_set(&udp, LOOP_READABLE);
}

static int
teardown(void **state)
{
	(void)state;
	loop_watch_set(&udp, 0);
	loop_timer_stop(&alarm_timer);
	loop_free(&loop);
	close(udp_fd);
	close(tcp_fd);
	assert_int_equal(fake_mem_live(), 0);
	return 0;
}

static struct resolver *
open_at(const char *servers, int64_t timeout_ms)
{
	struct resolver_options o = {
	    .servers = servers, .timeout_ms = timeout_ms};
	struct errtext why = {""};
	struct resolver *r = resolver_new(loop, &o, &why);

	if (r == NULL)
		fail_msg("%s: %s", servers, why.text);
	return r;
}

static struct resolver *
open_here(int64_t timeout_ms)
{
	char servers[64];

	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	return open_at(servers, timeout_ms);
}

/* One who asks. */
struct asker {
	struct resolver_query *query;
	unsigned calls;
	struct resolver_answer answer;
	unsigned *left; /* stops the loop at 0 */
	void (*then)(struct asker *self);
	struct asker *other;
	struct resolver **resolver;
};

static void
on_reply(const struct resolver_answer *answer, void *arg)
{
	struct asker *a = arg;

	a->calls++;
	a->answer = *answer;
	a->query = NULL;
	if (a->left != NULL && --*a->left == 0)
		loop_stop(loop);
	if (a->then != NULL)
		a->then(a);
}

static void
ask(struct resolver *r, struct asker *a, const char *name)
{
	a->query = resolver_ask(r, name, on_reply, a);
	if (a->query == NULL)
		fail_msg("%s: %s", name, strerror(errno));
	assert_int_equal(a->calls, 0);
}

static void
run_ms(int64_t ms)
{
	assert_int_equal(loop_timer_start(&alarm_timer, ms), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_stop(&alarm_timer);
}

/* --- answers ------------------------------------------------------------ */
static const struct {
	const char *name;
	enum resolver_status status;
	size_t n;
	unsigned last_octet; /* of the first address */
	uint32_t ttl_s;
	bool has_ttl;
	unsigned asked; /* how often, at most; 0: any */
} answers[] = {
    {"three.bl.test", RESOLVER_FOUND, 3, 2, 60, true, 1},
    {"many.bl.test", RESOLVER_FOUND, 28, 0, 273, true, 1},
    {"alias.bl.test", RESOLVER_FOUND, 1, 5, 30, true, 1},
    {"nx-minimum.bl.test", RESOLVER_ABSENT, 0, 0, 60, true, 1},
    {"nx-ttl.bl.test", RESOLVER_ABSENT, 0, 0, 90, true, 1},
    {"nx-bare.bl.test", RESOLVER_ABSENT, 0, 0, 0, false, 1},
    {"nodata.bl.test", RESOLVER_ABSENT, 0, 0, 90, true, 1},
    {"servfail.bl.test", RESOLVER_FAILED, 0, 0, 0, false, 1},
    {"refused.bl.test", RESOLVER_FAILED, 0, 0, 0, false, 1},
    {"notimp.bl.test", RESOLVER_FAILED, 0, 0, 0, false, 1},
    {"wrong-id.bl.test", RESOLVER_FOUND, 1, 2, 300, true, 1},
    {"wrong-name.bl.test", RESOLVER_FOUND, 1, 2, 300, true, 1},
    {"wrong-type.bl.test", RESOLVER_FOUND, 1, 2, 300, true, 1},
    {"junk.bl.test", RESOLVER_FOUND, 1, 2, 300, true, 0},
    {"empty.bl.test", RESOLVER_FOUND, 1, 2, 300, true, 0},
    {"tc.bl.test", RESOLVER_FOUND, 2, 2, 300, true, 1},
    {"tc-empty.bl.test", RESOLVER_FAILED, 0, 0, 0, false, 1},
    {"three.BL.test", RESOLVER_FOUND, 3, 2, 60, true, 1},
    /* last, as a question of its may still be on the way */
    {"silent.bl.test", RESOLVER_TIMED_OUT, 0, 0, 0, false, 0},
};

static void
test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct resolver *r = open_here(
		    answers[i].status == RESOLVER_TIMED_OUT ? TIMEOUT_MS
							    : PATIENT_MS);
		unsigned left = 1;
		struct asker a = {.left = &left};
		const struct resolver_answer *got = &a.answer;

		asked = 0;
		ask(r, &a, answers[i].name);
		run_ms(LONG_MS);
		if (a.calls != 1)
			fail_msg("%s: %u answers", answers[i].name, a.calls);
		if (got->status != answers[i].status || got->n != answers[i].n)
			fail_msg("%s: status %d, %zu addresses",
			    answers[i].name, got->status, got->n);
		if (got->has_ttl != answers[i].has_ttl ||
		    got->ttl_s != answers[i].ttl_s)
			fail_msg("%s: ttl %u", answers[i].name, got->ttl_s);
		if (got->n > 0 &&
		    got->addr[0].bytes[3] != answers[i].last_octet)
			fail_msg("%s: 127.0.0.%u", answers[i].name,
			    got->addr[0].bytes[3]);
		if (answers[i].asked > 0 && asked != answers[i].asked)
			fail_msg("%s: asked %u times", answers[i].name, asked);
		if ((got->status == RESOLVER_FAILED) != (got->why != NULL))
			fail_msg("%s: why", answers[i].name);
		resolver_free(&r);
	}
}

static void
test_a_cut_answer_is_no_answer(void **state)
{
	struct resolver *r = open_here(PATIENT_MS);
	unsigned left = 1;
	struct asker a = {.left = &left};

	(void)state;
	ask(r, &a, "cut.bl.test");
	run_ms(LONG_MS);
	assert_int_equal(a.calls, 1);
	assert_true(a.answer.status == RESOLVER_FAILED ||
		    a.answer.status == RESOLVER_TIMED_OUT);
	resolver_free(&r);
}

static void
test_a_lost_question_is_asked_again(void **state)
{
	struct resolver *r = open_here(PATIENT_MS);
	unsigned left = 1;
	struct asker a = {.left = &left};

	(void)state;
	ask(r, &a, "second.bl.test");
	run_ms(LONG_MS);
	assert_int_equal(a.answer.status, RESOLVER_FOUND);
	assert_int_equal(asked, 2);
	resolver_free(&r);
}

static void
test_all_tries_end_in_time(void **state)
{
	struct resolver *r = open_here(PATIENT_MS);
	struct mono before = clock_mono();
	unsigned left = 1;
	struct asker a = {.left = &left};
	int64_t took;

	(void)state;
	ask(r, &a, "silent.bl.test");
	run_ms(LONG_MS);
	took = mono_between(before, clock_mono());
	assert_int_equal(a.answer.status, RESOLVER_TIMED_OUT);
	if (took < PATIENT_MS / 2 || took > PATIENT_MS * 3 / 2)
		fail_msg("%lld ms", (long long)took);
	resolver_free(&r);
}

/* The server refuses TCP, for which c-ares would give up all its queries. */
static void
test_a_truncating_list_disturbs_no_other(void **state)
{
	enum { LISTS = 20 };
	struct resolver *r = open_here(LONG_MS);
	unsigned left = 2 * LISTS;
	struct asker tc[LISTS] = {0}, other[LISTS] = {0};

	(void)state;
	for (int i = 0; i < LISTS; i++) {
		other[i].left = tc[i].left = &left;
		ask(r, &tc[i], i % 2 == 0 ? "tc.bl.test" : "tc-empty.bl.test");
		ask(r, &other[i], "three.other.test");
	}
	run_ms(LONG_MS);
	for (int i = 0; i < LISTS; i++)
		if (other[i].calls != 1 ||
		    other[i].answer.status != RESOLVER_FOUND)
			fail_msg("%d: %u calls, status %d", i, other[i].calls,
			    other[i].answer.status);
	assert_int_equal(asked, 2 * LISTS);
	resolver_free(&r);
}

/* A server that says by TCP what did not fit into a datagram. */
static struct loop_watch tcp_listening, tcp_talking;
static unsigned tcp_asked;
static bool tcp_is_mute;

static void
on_tcp_question(struct loop_watch *watch, unsigned ready)
{
	struct packet question = {0}, p;
	uint8_t length[2];

	(void)ready;
	if (recv(talk_fd, length, 2, MSG_WAITALL) != 2) {
		loop_watch_set(watch, 0);
		return;
	}
	question.n = (size_t)recv(talk_fd, question.bytes,
	    (size_t)(length[0] << 8 | length[1]), MSG_WAITALL);
	tcp_asked++;
	begin(&p, &question, 0);
	say_three(&p);
	length[0] = (uint8_t)(p.n >> 8);
	length[1] = (uint8_t)p.n;
	if (tcp_is_mute)
		return;
	assert_int_equal(send(talk_fd, length, 2, MSG_MORE), 2);
	assert_int_equal(send(talk_fd, p.bytes, p.n, 0), (ssize_t)p.n);
}

static void
on_tcp_caller(struct loop_watch *watch, unsigned ready)
{
	(void)watch;
	(void)ready;
	talk_fd = accept(tcp_fd, NULL, NULL);
	assert_true(talk_fd >= 0);
	loop_watch_init(&tcp_talking, loop, talk_fd, on_tcp_question);
	assert_int_equal(loop_watch_set(&tcp_talking, LOOP_READABLE), 0);
}

static void
tcp_server_open(bool is_mute)
{
	tcp_asked = 0;
	tcp_is_mute = is_mute;
	talk_fd = -1;
	assert_int_equal(listen(tcp_fd, 5), 0);
	loop_watch_init(&tcp_listening, loop, tcp_fd, on_tcp_caller);
	assert_int_equal(loop_watch_set(&tcp_listening, LOOP_READABLE), 0);
}

static void
tcp_server_close(void)
{
	loop_watch_set(&tcp_listening, 0);
	if (talk_fd < 0)
		return;
	loop_watch_set(&tcp_talking, 0);
	close(talk_fd);
}

static void
test_a_truncated_answer_is_completed_by_tcp(void **state)
{
	unsigned left = 3;
	struct asker some = {.left = &left}, none = {.left = &left},
		     plain = {.left = &left};
	struct resolver *r = open_here(LONG_MS);

	(void)state;
	tcp_server_open(false);
	ask(r, &some, "tc.bl.test");
	ask(r, &none, "tc-empty.bl.test");
	ask(r, &plain, "alias.bl.test");
	run_ms(LONG_MS);
	assert_int_equal(left, 0);
	assert_int_equal(tcp_asked, 2);
	assert_int_equal(some.answer.status, RESOLVER_FOUND);
	assert_int_equal(some.answer.n, 3);
	assert_int_equal(some.answer.ttl_s, 60);
	assert_int_equal(none.answer.status, RESOLVER_FOUND);
	assert_int_equal(none.answer.n, 3);
	assert_int_equal(plain.answer.n, 1);
	resolver_free(&r);
	tcp_server_close();
}

static void
test_tcp_that_is_mute_leaves_what_was_said(void **state)
{
	unsigned left = 2;
	struct asker some = {.left = &left}, none = {.left = &left};
	struct resolver *r = open_here(PATIENT_MS);

	(void)state;
	tcp_server_open(true);
	ask(r, &some, "tc.bl.test");
	ask(r, &none, "tc-empty.bl.test");
	run_ms(LONG_MS);
	assert_int_equal(left, 0);
	assert_true(tcp_asked > 0);
	assert_int_equal(some.answer.status, RESOLVER_FOUND);
	assert_int_equal(some.answer.n, 2);
	assert_int_equal(none.answer.status, RESOLVER_TIMED_OUT);
	resolver_free(&r);
	tcp_server_close();
}

static void
test_nobody_listens(void **state)
{
	struct resolver *r = open_at("127.0.0.1:9", LONG_MS);
	unsigned left = 1;
	struct asker a = {.left = &left};
	struct mono before = clock_mono();

	(void)state;
	ask(r, &a, "three.bl.test");
	run_ms(LONG_MS);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.answer.status, RESOLVER_FAILED);
	assert_non_null(a.answer.why);
	assert_true(mono_between(before, clock_mono()) < LONG_MS / 2);
	resolver_free(&r);
}

static void
test_the_next_server_is_tried(void **state)
{
	char servers[100];
	struct resolver *r;
	unsigned left = 1;
	struct asker a = {.left = &left};

	(void)state;
	snprintf(servers, sizeof(servers), "127.0.0.1:9, [127.0.0.1]:%u", port);
	r = open_at(servers, LONG_MS);
	ask(r, &a, "three.bl.test");
	run_ms(LONG_MS);
	assert_int_equal(a.answer.status, RESOLVER_FOUND);
	resolver_free(&r);
}

static in_port_t
port_of_a_question(struct resolver *r)
{
	unsigned left = 1;
	struct asker a = {.left = &left};

	ask(r, &a, "three.bl.test");
	run_ms(LONG_MS);
	assert_int_equal(a.answer.status, RESOLVER_FOUND);
	return last_asker.sin_port;
}

/* A port may be used again at once, but not for long; 1.34 counts. */
static void
test_ports_change(void **state)
{
	struct resolver *r = open_here(LONG_MS);
	in_port_t first = port_of_a_question(r);

	(void)state;
	run_ms(1100);
	if (strncmp(resolver_version(), "1.18", 4) == 0)
		assert_int_not_equal(port_of_a_question(r), first);
	resolver_free(&r);
}

/* Answers are looked for a little later, all at once. */
static void
test_answers_that_come_late_are_heard(void **state)
{
	struct resolver *r = open_here(PATIENT_MS);
	unsigned left = 2;
	struct asker late = {.left = &left}, quick = {.left = &left};

	(void)state;
	ask(r, &late, "second.bl.test"); /* is not answered at first */
	run_ms(50);
	ask(r, &quick, "three.bl.test");
	run_ms(LONG_MS);
	assert_int_equal(left, 0);
	assert_int_equal(late.answer.status, RESOLVER_FOUND);
	assert_int_equal(quick.answer.status, RESOLVER_FOUND);
	resolver_free(&r);
}

/* --- many --------------------------------------------------------------- */
static void
test_many_at_once(void **state)
{
	enum { MANY = DNS_WINDOW_START };
	struct asker *a = mem_array(MANY, sizeof(*a));
	struct resolver *r = open_here(LONG_MS);
	unsigned left = MANY;
	char name[64];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		a[i].left = &left;
		snprintf(name, sizeof(name), "n%d.bl.test", i);
		ask(r, &a[i], name);
	}
	run_ms(LONG_MS);
	for (int i = 0; i < MANY; i++)
		if (a[i].calls != 1 || a[i].answer.status != RESOLVER_FOUND)
			fail_msg("%d: %u calls", i, a[i].calls);
	resolver_free(&r);
	mem_free(a);
}

/* --- what callers do ---------------------------------------------------- */
static void
test_abandoned_queries_are_silent(void **state)
{
	struct resolver *r = open_here(PATIENT_MS);
	unsigned left = 1;
	struct asker kept = {.left = &left}, gone = {0}, late = {0};

	(void)state;
	ask(r, &gone, "three.bl.test");
	ask(r, &late, "silent.bl.test");
	ask(r, &kept, "three.bl.test");
	resolver_abandon(&gone.query);
	assert_null(gone.query);
	resolver_abandon(&gone.query);
	run_ms(LONG_MS);
	assert_int_equal(left, 0);
	resolver_abandon(&late.query);
	run_ms(PATIENT_MS + 250);
	assert_int_equal(gone.calls, 0);
	assert_int_equal(late.calls, 0);
	assert_int_equal(kept.calls, 1);
	resolver_free(&r);
}

static void
abandon_other(struct asker *a)
{
	resolver_abandon(&a->other->query);
}

static void
free_resolver(struct asker *a)
{
	resolver_free(a->resolver);
}

static void
ask_again(struct asker *a)
{
	a->then = NULL;
	a->query = resolver_ask(*a->resolver, "alias.bl.test", on_reply, a);
}

/* Two that are refused by the same tick, so both wait for delivery. */
static void
test_abandoned_between_answer_and_delivery(void **state)
{
	struct resolver *r = open_here(TIMEOUT_MS);
	unsigned left = 1;
	struct asker a[2] = {{.then = abandon_other, .left = &left},
	    {.then = abandon_other, .left = &left}};

	(void)state;
	a[0].other = &a[1];
	a[1].other = &a[0];
	ask(r, &a[0], "silent.bl.test");
	ask(r, &a[1], "silent.bl.test");
	run_ms(LONG_MS);
	assert_int_equal(left, 0);
	run_ms(50);
	assert_int_equal(a[0].calls + a[1].calls, 1);
	resolver_free(&r);
}

static void
test_freed_inside_a_callback(void **state)
{
	struct resolver *r = open_here(PATIENT_MS);
	unsigned left = 1;
	struct asker a[3] = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		a[i].left = &left;
		a[i].then = free_resolver;
		a[i].resolver = &r;
		ask(r, &a[i], i < 2 ? "three.bl.test" : "silent.bl.test");
	}
	run_ms(LONG_MS);
	assert_null(r);
	run_ms(50);
	assert_int_equal(a[0].calls + a[1].calls + a[2].calls, 1);
}

static void
test_freed_with_queries_in_flight(void **state)
{
	struct resolver *r = open_here(TIMEOUT_MS);
	struct asker a = {0};

	(void)state;
	ask(r, &a, "three.bl.test");
	resolver_free(&r);
	resolver_free(&r);
	run_ms(50);
	assert_int_equal(a.calls, 0);
}

static void
test_asked_inside_a_callback(void **state)
{
	struct resolver *r = open_here(PATIENT_MS);
	unsigned left = 2;
	struct asker a = {.then = ask_again, .resolver = &r, .left = &left};

	(void)state;
	ask(r, &a, "three.bl.test");
	run_ms(LONG_MS);
	assert_int_equal(a.calls, 2);
	assert_int_equal(a.answer.addr[0].bytes[3], 5);
	resolver_free(&r);
}

/* c-ares says at once that such names do not exist (RFC 7686). */
static void
test_an_answer_from_inside_c_ares_waits_for_the_loop(void **state)
{
	struct resolver *r = open_here(TIMEOUT_MS);
	unsigned left = 1;
	struct asker a = {.left = &left};

	(void)state;
	ask(r, &a, "x.onion");
	run_ms(LONG_MS);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.answer.status, RESOLVER_ABSENT);
	assert_false(a.answer.has_ttl);
	assert_int_equal(asked, 0);
	resolver_free(&r);
}

static void
test_names_that_cannot_be_asked(void **state)
{
	static const char *const names[] = {"", ".", ".a", "a..b", "a b",
	    "a\\046b", "\xc3\xa4.test", LABEL_64 ".test"};
	struct resolver *r = open_here(TIMEOUT_MS);
	struct asker a = {0};
	char name[300];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		errno = 0;
		if (resolver_ask(r, names[i], on_reply, &a) != NULL ||
		    errno != EINVAL)
			fail_msg("%s", names[i]);
	}
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	name[255] = '\0';
	assert_null(resolver_ask(r, name, on_reply, &a));
	name[253] = '\0';
	assert_non_null(resolver_ask(r, name, on_reply, &a));
	resolver_free(&r);
}

static const struct {
	const char *servers, *why;
} bad_servers[] = {
    {"localhost", "bad name server address \"localhost\""},
    {"127.0.0.1 127.0.0.300", "bad name server address \"127.0.0.300\""},
    {"127.0.0.1:", "bad name server address \"127.0.0.1:\""},
    {"127.0.0.1:0", "bad name server address \"127.0.0.1:0\""},
    {"127.0.0.1:65536", "bad name server address \"127.0.0.1:65536\""},
    {"[::1", "bad name server address \"[::1\""},
    {"[::1]53", "bad name server address \"[::1]53\""},
    {"[]:53", "bad name server address \"[]:53\""},
    {":53", "bad name server address \":53\""},
    {"::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1", "more than 8 name servers"},
};

static void
test_bad_servers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_servers) / sizeof(*bad_servers);
	     i++) {
		struct resolver_options o = {
		    .servers = bad_servers[i].servers, .timeout_ms = 100};
		struct errtext why = {""};

		if (resolver_new(loop, &o, &why) != NULL ||
		    strcmp(why.text, bad_servers[i].why) != 0)
			fail_msg("%s: %s", bad_servers[i].servers, why.text);
	}
}

static void
test_servers_of_the_host_and_all_notations(void **state)
{
	static const char *const servers[] = {"", NULL, " ",
	    "127.0.0.1:53 [::1]:5353 5.6.7.8", "::1", "[::1]",
	    "2001:db8::1, [2001:db8::2]:1053"};

	(void)state;
	for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++) {
		struct resolver *r = open_at(servers[i], TIMEOUT_MS);

		resolver_free(&r);
	}
}

/* --- fork --------------------------------------------------------------- */
/* Exit status of the child: 0 when its query was answered. */
static int
child(struct resolver *r, struct asker *a)
{
	struct errtext why;

	if (loop_after_fork(loop) < 0 || resolver_after_fork(r, &why) < 0)
		return 2;
	(void)loop_timer_start(&alarm_timer, LONG_MS);
	if (loop_run(loop) < 0)
		return 3;
	if (a[0].calls != 1 || a[0].answer.status != RESOLVER_FOUND)
		return 4;
	if (a[1].calls != 0)
		return 5;
	resolver_free(&r);
	return 0;
}

static void
test_after_fork(void **state)
{
	struct resolver *r = open_here(PATIENT_MS);
	unsigned left = 1;
	struct asker a[2] = {{.left = &left}, {0}};
	int status;
	pid_t pid;

	(void)state;
	ask(r, &a[0], "second.bl.test"); /* the first question is lost */
	ask(r, &a[1], "three.bl.test");
	resolver_abandon(&a[1].query);
	run_ms(20);
	assert_int_equal(a[0].calls, 0);
	asked = 1;
	if ((pid = fork()) == 0)
		_exit(child(r, a));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	/* the parent's own channel was not touched */
	run_ms(LONG_MS);
	assert_int_equal(a[0].calls, 1);
	resolver_free(&r);
}

/* What a child does, in the process that can be looked at: questions that wait
 * are asked by the new sockets, and those that nobody waits for are not. */
static void
test_new_sockets_behind_a_fork(void **state)
{
	struct resolver *r = open_here(LONG_MS);
	unsigned left = 2, before;
	struct asker waits = {.left = &left}, big = {.left = &left}, gone = {0};
	struct sockaddr_in first;
	struct errtext why = {""};

	(void)state;
	tcp_server_open(true);
	ask(r, &waits, "second.bl.test"); /* the first question is lost */
	ask(r, &big, "tc-empty.bl.test"); /* and this one is asked by TCP */
	ask(r, &gone, "three.bl.test");
	resolver_abandon(&gone.query);
	run_ms(20);
	assert_int_equal(left, 2);
	first = last_asker;
	tcp_server_close();
	/* Without memory all stays as it is. */
	fake_mem_fail_after(0);
	assert_int_equal(resolver_after_fork(r, &why), -1);
	fake_mem_heal();
	assert_true(why.text[0] != '\0');
	before = asked;
	assert_int_equal(resolver_after_fork(r, &why), 0);
	tcp_server_open(false);
	run_ms(LONG_MS);
	assert_int_equal(left, 0);
	assert_int_equal(gone.calls, 0);
	assert_true(asked >= before + 2);
	assert_int_not_equal(last_asker.sin_port, first.sin_port);
	assert_int_equal(waits.answer.status, RESOLVER_FOUND);
	assert_int_equal(big.answer.status, RESOLVER_FOUND);
	assert_int_equal(big.answer.n, 3);
	resolver_free(&r);
	tcp_server_close();
}

/* A failure, and no listing: whoever asks has to know. */
static void
test_no_memory_for_an_answer(void **state)
{
	struct resolver *r = open_here(PATIENT_MS);
	unsigned left = 1;
	struct asker a = {.left = &left};

	(void)state;
	ask(r, &a, "three.bl.test");
	fake_mem_fail_after(0);
	run_ms(LONG_MS);
	fake_mem_heal();
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.answer.status, RESOLVER_FAILED);
	assert_string_equal(a.answer.why, "out of memory");
	assert_int_equal(a.answer.n, 0);
	resolver_free(&r);
}

static void
test_no_memory(void **state)
{
	struct resolver_options o = {
	    .servers = "127.0.0.1", .timeout_ms = TIMEOUT_MS};
	struct resolver *r;
	unsigned left = 1;
	struct asker a = {.left = &left};
	struct errtext why = {""};

	(void)state;
	fake_mem_fail_after(0);
	assert_null(resolver_new(loop, &o, &why));
	assert_string_equal(why.text, "out of memory");
	fake_mem_heal();
	r = open_here(TIMEOUT_MS);
	fake_mem_fail_after(0);
	assert_null(resolver_ask(r, "three.bl.test", on_reply, &a));
	assert_int_equal(errno, ENOMEM);
	/* no memory for the watch of the socket: nobody hears the answer */
	fake_mem_fail_after(1);
	ask(r, &a, "three.bl.test");
	fake_mem_heal();
	run_ms(LONG_MS);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.answer.status, RESOLVER_TIMED_OUT);
	resolver_free(&r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_answers),
	    TEST(test_a_cut_answer_is_no_answer),
	    TEST(test_a_lost_question_is_asked_again),
	    TEST(test_all_tries_end_in_time),
	    TEST(test_a_truncating_list_disturbs_no_other),
	    TEST(test_a_truncated_answer_is_completed_by_tcp),
	    TEST(test_tcp_that_is_mute_leaves_what_was_said),
	    TEST(test_nobody_listens),
	    TEST(test_the_next_server_is_tried),
	    TEST(test_ports_change),
	    TEST(test_answers_that_come_late_are_heard),
	    TEST(test_many_at_once),
	    TEST(test_abandoned_queries_are_silent),
	    TEST(test_abandoned_between_answer_and_delivery),
	    TEST(test_freed_inside_a_callback),
	    TEST(test_freed_with_queries_in_flight),
	    TEST(test_asked_inside_a_callback),
	    TEST(test_an_answer_from_inside_c_ares_waits_for_the_loop),
	    TEST(test_names_that_cannot_be_asked),
	    TEST(test_bad_servers),
	    TEST(test_servers_of_the_host_and_all_notations),
	    TEST(test_after_fork),
	    TEST(test_new_sockets_behind_a_fork),
	    TEST(test_no_memory_for_an_answer),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
