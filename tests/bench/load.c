/* SPDX-License-Identifier: ISC */
/* The load: many SMTP clients in one process, with manners of your choice.
 *
 *	load [options] known|good|mail|pregreet|hangup|storm	runs, reports, ends
 *	load [options] zombie|bot	obeys on stdin: add N, say, count; ends with it
 *
 *	-p PORT		-d ADDRESS of the screen (127.0.0.1)
 *	-s ADDRESS	the first client's; -b BLOCKS of 256 (IPv6: /64) to spread
 *			over, -a ADDRESSES in all, one after the other
 *	-n SESSIONS	-c at the same time	-r new ones a second (0: no pace)
 *	-k zombies that are thrown out come back
 *	-t MS until one that hears nothing hangs	-w MS that hangup stays
 *
 * A zombie says nothing; a bot is one that talked too early and stays.
 * Each session ends in exactly one outcome, and each report is a line of JSON
 * with all of them, so that a wrong answer cannot pass for a fast one. The
 * latency is that of the final "220 " from the beginning of connect(). Ends are
 * resets: 28,000 ports for each address are not enough to leave them in
 * TIME_WAIT. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/kit.h"

#define EVENTS_AT_ONCE 256
#define LINE_MAX_BYTES 128
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LOOK_MS 50 /* for those that hang */
#define EARLY_WORDS "EHLO early.test\r\n"

/* What becomes of a session; the order is that of the report. */
enum outcome {
	GREETED, /* heard the whole greeting, and the goodbye if it wanted one */
	BUSY,    /* 4xx: come back later */
	REFUSED, /* 5xx */
	CUT,     /* the connection ended without a word that explains it */
	HUNG,    /* nothing came in time */
	NO_DOOR, /* could not connect */
	LEFT,    /* hung up as it should, or was let go when all was over */
	OUTCOMES
};
static const char *const outcome_names[OUTCOMES] = {
    "greeted", "busy", "refused", "cut", "hung", "no_door", "left"};

struct manners {
	const char *name;
	bool early; /* talks before the greeting */
	bool talks; /* EHLO and QUIT after it; else that was all it wanted */
	bool mails; /* and a recipient between, which costs an smtpd */
	bool leaves;
	bool stays; /* whatever happens, until it is thrown out */
};
static const struct manners all_manners[] = {
    {.name = "known"},
    {.name = "good", .talks = true},
    {.name = "mail", .talks = true, .mails = true},
    {.name = "pregreet", .early = true},
    {.name = "hangup", .leaves = true},
    {.name = "storm", .talks = true},
    {.name = "zombie", .stays = true},
    {.name = "bot", .early = true, .stays = true},
};

struct session {
	int fd; /* -1: the slot is free */
	bool settled;
	uint8_t step; /* of the talk */
	size_t used;
	int64_t began_us;
	char line[LINE_MAX_BYTES]; /* so far */
};

struct load {
	struct manners manners;
	struct sockaddr_storage door, first;
	uint32_t blocks, addresses, wanted, parallel, rate;
	int64_t patience_us, stay_us;
	int epoll;
	struct session *sessions;
	uint32_t *free_slots;
	uint32_t free_n, started, ended, settling, answered;
	uint32_t outcomes[OUTCOMES];
	uint32_t *latencies_us;
	uint32_t latencies_n;
	int64_t began_us;
	bool complained;
	bool comes_back; /* the stubborn: one that was thrown out */
	uint32_t owed;   /* such */
	int64_t came_back_us;
};

/* Neighbours in time are not neighbours in the network. */
static void
source_of(const struct load *l, uint32_t i, struct sockaddr_storage *a)
{
	uint32_t n = i % l->addresses, block = n % l->blocks,
		 host = n / l->blocks + 1;

	*a = l->first;
	if (a->ss_family == AF_INET) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)a;

		v4->sin_addr.s_addr =
		    htonl(ntohl(v4->sin_addr.s_addr) + block * 256 + host);
	} else {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;
		uint8_t *p = v6->sin6_addr.s6_addr;

		p[6] = (uint8_t)(block >> 8);
		p[7] = (uint8_t)block;
		p[14] = (uint8_t)(host >> 8);
		p[15] = (uint8_t)host;
	}
}

static int
dial(const struct load *l, uint32_t i)
{
	struct sockaddr_storage source;
	int fd, on = 1;

	source_of(l, i, &source);
	fd = socket(
	    source.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* The port is chosen at connect(), by both ends of the connection. */
	if (setsockopt(
		fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&source, sizeof(source)) < 0 ||
	    (connect(fd, (const struct sockaddr *)&l->door, sizeof(l->door)) <
		    0 &&
		errno != EINPROGRESS)) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static void
unsettle(struct load *l, struct session *s)
{
	if (!s->settled) {
		s->settled = true;
		l->settling--;
	}
}

static void
end(struct load *l, struct session *s, enum outcome outcome)
{
	static const struct linger at_once = {.l_onoff = 1};

	l->outcomes[outcome]++;
	l->ended++;
	if (l->comes_back && l->manners.stays)
		l->owed++;
	unsettle(l, s);
	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(s->fd);
	s->fd = -1;
	l->free_slots[l->free_n++] = (uint32_t)(s - l->sessions);
}

static void
say(const struct session *s, const char *text)
{
	/* One that was thrown out meanwhile hears of it when it reads. */
	if (send(s->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

static void
begin(struct load *l)
{
	struct session *s;
	uint32_t events = EPOLLIN;
	int fd;

	if ((fd = dial(l, l->started++)) < 0) {
		if (!l->complained)
			perror("load: connect");
		l->complained = true;
		l->outcomes[NO_DOOR]++;
		l->ended++;
		return;
	}
	s = &l->sessions[l->free_slots[--l->free_n]];
	*s = (struct session){.fd = fd, .began_us = kit_now_us()};
	l->settling++;
	if (l->manners.early)
		events |= EPOLLOUT; /* once; see on_event() */
	kit_watch(l->epoll, fd, events, (uint64_t)(s - l->sessions));
}

/* What it says next, or NULL when it has all it came for. */
static const char *
next_words(const struct load *l, const struct session *s)
{
	static const char *const talk[] = {"EHLO good.test\r\n", "QUIT\r\n"};
	static const char *const bot[] = {"MAIL FROM:<bot@early.test>\r\n",
	    "RCPT TO:<victim@example.test>\r\n"};
	static const char *const mail[] = {"EHLO good.test\r\n",
	    "MAIL FROM:<sender@good.test>\r\n",
	    "RCPT TO:<inbox@example.test>\r\n", "QUIT\r\n"};

	if (!l->manners.early && !l->manners.talks)
		return NULL;
	if (l->manners.mails)
		return s->step == COUNT(mail) ? NULL : mail[s->step];
	if (s->step == COUNT(talk))
		return NULL;
	return l->manners.early ? bot[s->step] : talk[s->step];
}

/* What a whole line means to this client. */
static void
on_reply(struct load *l, struct session *s)
{
	const char *words;

	if (!l->manners.stays && (s->line[0] == '4' || s->line[0] == '5')) {
		end(l, s, s->line[0] == '4' ? BUSY : REFUSED);
		return;
	}
	if (s->line[0] != '2' || (s->used > 3 && s->line[3] == '-'))
		return;
	if (l->manners.stays) {
		l->answered++;
		return;
	}
	if (s->step == 0)
		l->latencies_us[l->latencies_n++] =
		    (uint32_t)(kit_now_us() - s->began_us);
	if ((words = next_words(l, s)) == NULL) {
		end(l, s, GREETED);
		return;
	}
	s->step++;
	say(s, words);
}

static void
on_bytes(struct load *l, struct session *s)
{
	char bytes[1024];
	ssize_t n;

	if ((n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			end(l, s,
			    errno == ECONNREFUSED && n < 0 ? NO_DOOR : CUT);
		return;
	}
	unsettle(l, s);
	for (ssize_t i = 0; i < n && s->fd >= 0; i++) {
		if (bytes[i] == '\n') {
			on_reply(l, s);
			s->used = 0;
		} else if (s->used < sizeof(s->line)) {
			s->line[s->used++] = bytes[i];
		}
	}
}

static void
on_event(struct load *l, const struct epoll_event *ev)
{
	struct session *s = &l->sessions[ev->data.u64];

	if (s->fd < 0)
		return;
	if ((ev->events & EPOLLOUT) != 0) {
		struct epoll_event only = {.events = EPOLLIN, .data = ev->data};

		say(s, EARLY_WORDS);
		epoll_ctl(l->epoll, EPOLL_CTL_MOD, s->fd, &only);
	}
	if ((ev->events & ~(uint32_t)EPOLLOUT) != 0)
		on_bytes(l, s);
}

/* Those whose time is up, by hanging or by intention. */
static void
look_after(struct load *l)
{
	int64_t now = kit_now_us();

	for (uint32_t i = 0; i < l->parallel; i++) {
		struct session *s = &l->sessions[i];

		if (s->fd < 0 || l->manners.stays)
			continue;
		if (l->manners.leaves && now - s->began_us >= l->stay_us)
			end(l, s, LEFT);
		else if (now - s->began_us >= l->patience_us)
			end(l, s, HUNG);
	}
}

static void
turn(struct load *l, int wait_ms)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n;

	n = epoll_wait(l->epoll, events, EVENTS_AT_ONCE, wait_ms);
	for (int i = 0; i < n; i++)
		on_event(l, &events[i]);
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t
latency(const struct load *l, uint32_t percent)
{
	uint32_t i = (uint32_t)((uint64_t)l->latencies_n * percent / 100);

	if (l->latencies_n == 0)
		return 0;
	return l->latencies_us[i < l->latencies_n ? i : l->latencies_n - 1];
}

static void
report(const struct load *l)
{
	printf("{\"n\": %u", l->started);
	for (int i = 0; i < OUTCOMES; i++)
		printf(", \"%s\": %u", outcome_names[i], l->outcomes[i]);
	if (l->latencies_n > 0)
		qsort(l->latencies_us, l->latencies_n,
		    sizeof(l->latencies_us[0]), compare);
	printf(", \"held\": %u, \"answered\": %u, \"p50_us\": %u, "
	       "\"p99_us\": %u, \"max_us\": %u, \"seconds\": %.3f}\n",
	    l->started - l->ended, l->answered, latency(l, 50), latency(l, 99),
	    latency(l, 100), (double)(kit_now_us() - l->began_us) / 1e6);
	fflush(stdout);
}

/* How many may have been started by now. */
static uint32_t
due(const struct load *l)
{
	uint64_t n;

	if (l->rate == 0)
		return l->wanted;
	n = (uint64_t)(kit_now_us() - l->began_us) * l->rate / 1000000 + 1;
	return n < l->wanted ? (uint32_t)n : l->wanted;
}

static void
run(struct load *l)
{
	int64_t looked_us = 0;

	while (l->ended < l->wanted) {
		uint32_t allowed = due(l);
		int64_t now;

		while (l->started < allowed && l->free_n > 0)
			begin(l);
		turn(l, l->rate != 0 && l->started < l->wanted ? 1 : LOOK_MS);
		now = kit_now_us();
		if (now - looked_us >= LOOK_MS * 1000) {
			look_after(l);
			looked_us = now;
		}
	}
	report(l);
}

static void
add_zombies(struct load *l, uint32_t n)
{
	uint32_t goal = l->started + n;
	int64_t began = kit_now_us();

	while (l->started < goal || l->settling > 0) {
		while (l->started < goal && l->free_n > 0 &&
		       l->settling < l->parallel &&
		       (l->rate == 0 || (uint64_t)(kit_now_us() - began) *
						l->rate / 1000000 >
					    (uint64_t)(l->started + n - goal)))
			begin(l);
		turn(l, 1);
		if (kit_now_us() - began > l->patience_us)
			return; /* the report tells how many are there */
	}
}

/* Those who were thrown out try again, a thousand a second. */
static void
come_back(struct load *l)
{
	int64_t now = kit_now_us();

	if (now - l->came_back_us < LOOK_MS * 1000)
		return;
	l->came_back_us = now;
	for (int i = 0; i < LOOK_MS && l->owed > 0 && l->free_n > 0; i++) {
		l->owed--;
		begin(l);
	}
}

static void
obey(struct load *l)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char command[64];

	for (;;) {
		/* What was said to them is read before anything is counted. */
		turn(l, LOOK_MS);
		come_back(l);
		if (poll(&in, 1, 0) == 0)
			continue;
		if (fgets(command, sizeof(command), stdin) == NULL)
			return;
		command[strcspn(command, "\n")] = '\0';
		if (strncmp(command, "add ", 4) == 0)
			add_zombies(l, kit_number(command + 4, 1, 1000000));
		for (uint32_t i = 0; strcmp(command, "say") == 0; i++) {
			if (i == l->wanted)
				break;
			if (l->sessions[i].fd >= 0)
				say(&l->sessions[i], EARLY_WORDS);
			if (i % 64 == 63)
				turn(l, 1);
		}
		for (int i = 0; i < 16; i++)
			turn(l, 0);
		report(l);
	}
}

static void
address(const char *text, uint32_t port, struct sockaddr_storage *a)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	memset(a, 0, sizeof(*a));
	v4.sin_port = v6.sin6_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		memcpy(a, &v4, sizeof(v4));
	else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
		memcpy(a, &v6, sizeof(v6));
	else
		kit_die(text);
}

static void
options(struct load *l, int argc, char **argv)
{
	const char *door = "127.0.0.1", *first = "127.1.0.0";
	uint32_t port = 25, n;
	int c;

	while ((c = getopt(argc, argv, "p:d:s:b:a:n:c:r:t:w:k")) != -1) {
		if (c == 'd' || c == 's') {
			*(c == 'd' ? &door : &first) = optarg;
			continue;
		}
		if (c == '?')
			exit(2);
		if (c == 'k') {
			l->comes_back = true;
			continue;
		}
		n = kit_number(optarg, c == 'r' || c == 'w' ? 0 : 1, 100000000);
		switch (c) {
		case 'p':
			port = n;
			break;
		case 'b':
			l->blocks = n;
			break;
		case 'a':
			l->addresses = n;
			break;
		case 'n':
			l->wanted = n;
			break;
		case 'c':
			l->parallel = n;
			break;
		case 'r':
			l->rate = n;
			break;
		case 't':
			l->patience_us = (int64_t)n * 1000;
			break;
		default:
			l->stay_us = (int64_t)n * 1000;
			break;
		}
	}
	address(door, port, &l->door);
	address(first, 0, &l->first);
}

int
main(int argc, char **argv)
{
	struct load l = {.blocks = 200,
	    .addresses = 40,
	    .wanted = 1,
	    .parallel = 1,
	    .patience_us = 20000000};
	uint32_t slots;
	size_t i;

	kit_settle();
	options(&l, argc, argv);
	for (i = 0; i < sizeof(all_manners) / sizeof(all_manners[0]); i++) {
		if (optind < argc &&
		    strcmp(argv[optind], all_manners[i].name) == 0)
			l.manners = all_manners[i];
	}
	if (l.manners.name == NULL)
		return 2;
	/* For zombies -n is how many there may be, -c how many at a time. */
	slots = l.manners.stays ? l.wanted : l.parallel;
	l.sessions = kit_zeroed(slots, sizeof(l.sessions[0]));
	l.free_slots = kit_zeroed(slots, sizeof(l.free_slots[0]));
	l.latencies_us = kit_zeroed(l.wanted, sizeof(l.latencies_us[0]));
	for (uint32_t k = 0; k < slots; k++) {
		l.sessions[k].fd = -1;
		l.free_slots[l.free_n++] = slots - 1 - k;
	}
	if ((l.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		kit_die("epoll_create1");
	l.began_us = kit_now_us();
	if (l.manners.stays)
		obey(&l);
	else
		run(&l);
	free(l.sessions);
	free(l.free_slots);
	free(l.latencies_us);
	return 0;
}
