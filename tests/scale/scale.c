/* SPDX-License-Identifier: ISC */
/* tests/scale/scale.c - what an event costs with a thousand sessions in the house,
 * and with a hundred thousand: the same.
 *
 * The real screening rooms run on fake clock, loop, streams and resolver; each
 * event is counted in steps (support/steps.h), not in time. A walk over all
 * sessions, timers, blocks or questions anywhere in src/ would show as a hundred
 * times as many. */
/* links: fake_clock fake_loop fake_stream fake_fdpass fake_resolver fake_cache fake_mem steps */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "lookup/cache_queue.h"
#include "net/wheel.h"
#include "screen/screen.h"
#include "screen/session.h"
#include "support/fake_clock.h"
#include "support/fake_fdpass.h"
#include "support/fake_loop.h"
#include "support/fake_mem.h"
#include "support/fake_resolver.h"
#include "support/fake_stream.h"
#include "support/steps.h"

enum {
	FEW = 1000,
	MANY = 100 * FEW,
	ROUNDS = 500,   /* of each event */
	IDLE_SHARE = 4, /* one in so many sessions is in the dialogue */
	GREET_MEMORY_MAX = 1000, /* bytes a session, beyond which it is news */
	FAR_AWAY_S = 50
};

/* What is counted; the order is that of the report. */
enum deed {
	ARRIVES,     /* a stranger, and its DNS questions */
	LEAVES,      /* while it waits */
	TALKS,       /* too early, and is refused */
	IS_ANSWERED, /* one of its DNS questions */
	PASSES,      /* the end of its wait */
	ALLOWED,     /* arrives, and is handed off */
	TAKEN,       /* by smtpd */
	KNOWN,       /* arrives, and is greeted */
	SAYS,        /* a command in the dialogue */
	SHEDS,       /* a stranger arrives in a full house */
	REJECTED,    /* by the access list */
	STORES,      /* a pass, in the queue for the disk */
	FINDS,       /* a pass, there */
	STARTS,      /* a timer */
	STOPS,       /* a timer */
	FIRES,       /* a timer */
	EVENTS
};
static const char *const event_names[EVENTS] = {"arrives", "leaves", "talks",
    "is answered", "passes", "allowed", "taken", "known", "says", "sheds",
    "rejected", "stores", "finds", "starts", "stops", "fires"};

struct tally {
	uint64_t sum, most;
};

struct house {
	size_t size;
	const char *sites;
	struct loop *loop;
	struct counters counters;
	struct cache *cache;
	struct policy *policy;
	struct screen *screen;
	uint32_t comers;
	long fakes; /* bytes of memory that are the streams' only here */
	struct tally tally[EVENTS];
	double bytes; /* of memory for each session */
};

static void
die(const char *what)
{
	fprintf(stderr, "scale: %s\n", what);
	exit(1);
}

static void
forget_line(enum log_level level, enum log_voice voice, const char *text,
    size_t n, void *arg)
{
	(void)level;
	(void)voice;
	(void)text;
	(void)n;
	(void)arg;
}

static void
report_config(enum config_severity severity, const char *file, int line,
    const char *text, void *arg)
{
	(void)file;
	(void)line;
	(void)arg;
	if (severity == CONFIG_ERROR)
		die(text);
}

static struct config_set *
load_config(size_t limit, const char *sites)
{
	char session_limit[64];
	const char *const settings[] = {"myhostname=mx.test",
	    "mynetworks=127.0.0.0/8", "compatibility_level=3.6",
	    "doorbell_dnsbl_skip_networks=", "doorbell_greet_wait=60s",
	    "doorbell_dnsbl_timeout=100s", "doorbell_command_time_limit=3600s",
	    "doorbell_late_handoff=yes", "doorbell_greet_action=drop",
	    "doorbell_access_list=cidr:{{192.0.2.0/24 permit} "
	    "{198.51.100.0/24 reject}}",
	    "doorbell_denylist_action=drop",
	    "doorbell_client_connection_count_limit=0",
	    "doorbell_dnsbl_selftest_interval=0s", session_limit, sites};
	const struct config_source source = {.file = "/dev/null",
	    .overrides = settings,
	    .override_count = sizeof(settings) / sizeof(*settings)};

	(void)snprintf(session_limit, sizeof(session_limit),
	    "doorbell_session_limit=%zu", limit);
	return config_load(&source, report_config, NULL);
}

static struct policy *
make_policy(struct house *h, size_t limit)
{
	struct policy_options o = {
	    .loop = h->loop,
	    .screen = h->screen,
	    .descriptor_limit = 4 * MANY,
	};
	struct errtext why = {""};
	struct policy *policy;

	if ((o.config = load_config(limit, h->sites)) == NULL)
		die("configuration");
	if ((policy = policy_new(&o, &why)) == NULL)
		die(why.text);
	config_unref(&o.config);
	return policy;
}

static void
open_house(struct house *h)
{
	struct screen_options o = {0};
	struct errtext why = {""};

	fake_clock_reset();
	fake_stream_reset();
	fake_fdpass_reset();
	fake_resolver_reset();
	h->loop = loop_new();
	h->cache = cache_open(&(struct cache_options){.path = "fake"}, &why);
	o.loop = h->loop;
	o.counters = &h->counters;
	o.cache = h->cache;
	if (h->loop == NULL || h->cache == NULL ||
	    (h->screen = screen_new(&o)) == NULL)
		die("no memory");
	h->policy = make_policy(h, 2 * MANY);
	screen_set_policy(h->screen, h->policy);
}

static void
close_house(struct house *h)
{
	screen_free(&h->screen);
	policy_unref(&h->policy);
	cache_close(&h->cache);
	loop_free(&h->loop);
}

/* --- clients --------------------------------------------------------------- */
static struct endpoint
from(uint32_t address)
{
	struct endpoint e = {.addr = {.family = ADDR_IPV4}, .port = 40000};

	for (int i = 0; i < 4; i++)
		e.addr.bytes[i] = (uint8_t)(address >> (24 - 8 * i));
	return e;
}

/* Spread over many blocks, which are of many sizes. */
static uint32_t
next_stranger(struct house *h)
{
	uint32_t n = h->comers++;

	return UINT32_C(10) << 24 | (n % 1000) << 8 | n / 1000;
}

static int
arrive(struct house *h, uint32_t address)
{
	static const struct endpoint server = {
	    .addr = {.family = ADDR_IPV4, .bytes = {198, 51, 100, 25}},
	    .port = 25};
	struct endpoint client = from(address);
	long before = fake_mem_bytes();
	int fd = fake_stream_new_fd();

	h->fakes += fake_mem_bytes() - before;
	screen_arrive(h->screen, fd, &client, &server);
	return fd;
}

static void
happen(struct house *h, int fd)
{
	do
		fake_loop_settle(h->loop);
	while (fd >= 0 && fake_stream_deliver_to(fd));
	fake_loop_settle(h->loop);
}

static uint64_t
come(struct house *h, uint32_t address, int *fd_r)
{
	uint64_t before = steps_taken();

	*fd_r = arrive(h, address);
	happen(h, *fd_r);
	return steps_taken() - before;
}

static void
count(struct house *h, enum deed deed, uint64_t steps)
{
	struct tally *t = &h->tally[deed];

	t->sum += steps;
	if (steps > t->most)
		t->most = steps;
}

static uint64_t
after_words(struct house *h, int fd, const char *words)
{
	uint64_t before = steps_taken();

	fake_stream_say(fd, words, strlen(words));
	happen(h, fd);
	return steps_taken() - before;
}

static uint64_t
after_leaving(struct house *h, int fd)
{
	uint64_t before = steps_taken();

	fake_stream_hang_up(fd);
	happen(h, fd);
	return steps_taken() - before;
}

static void
wait_s(struct house *h, int64_t seconds)
{
	fake_loop_advance_to(h->loop, mono_after(clock_mono(), seconds * 1000));
}

/* --- the play -------------------------------------------------------------- */
/* A quarter has passed and is silent, the others wait for the greeting. */
static int
fill(struct house *h)
{
	size_t idle = h->size / IDLE_SHARE;
	long before;
	int fd = -1;

	for (size_t i = 0; i < idle; i++)
		(void)come(h, next_stranger(h), &fd);
	/* Lists that never answer would not be asked any more. */
	while (fake_resolver_answer_first(RESOLVER_ABSENT))
		fake_loop_settle(h->loop);
	wait_s(h, 61);
	for (size_t i = 0; i < idle; i++)
		(void)after_words(h, FAKE_STREAM_FIRST_FD + (int)i, "");
	before = fake_mem_bytes() - h->fakes;
	for (size_t i = idle; i < h->size; i++)
		(void)come(h, next_stranger(h), &fd);
	h->bytes = (double)(fake_mem_bytes() - h->fakes - before) /
		   (double)(h->size - idle);
	if (screen_session_count(h->screen) != h->size)
		die("the house is not as full as it should be");
	return fd;
}

static void
play_strangers(struct house *h)
{
	uint64_t before;
	int fd;

	for (int i = 0; i < ROUNDS; i++) {
		count(h, ARRIVES, come(h, next_stranger(h), &fd));
		count(h, LEAVES, after_leaving(h, fd));
		(void)come(h, next_stranger(h), &fd);
		count(h, TALKS, after_words(h, fd, "EHLO x\r\n"));
		before = steps_taken();
		if (!fake_resolver_answer_first(RESOLVER_ABSENT))
			die("no question is open");
		happen(h, -1);
		count(h, IS_ANSWERED, steps_taken() - before);
	}
}

static void
play_at_the_door(struct house *h)
{
	uint64_t before;
	int fd;

	for (int i = 0; i < ROUNDS; i++) {
		count(h, ALLOWED,
		    come(h, UINT32_C(0xc0000200) + (uint32_t)i % 256, &fd));
		before = steps_taken();
		if (!fake_fdpass_take())
			die("nobody was handed off");
		happen(h, -1);
		count(h, TAKEN, steps_taken() - before);
		count(h, REJECTED,
		    come(h, UINT32_C(0xc6336400) + (uint32_t)i % 256, &fd));
	}
}

/* The first to come have passed: they talk, and their like comes again. */
static void
play_known(struct house *h)
{
	int fd;

	h->comers = 0;
	for (int i = 0; i < ROUNDS; i++) {
		count(h, SAYS,
		    after_words(h, FAKE_STREAM_FIRST_FD + i % 200, "RSET\r\n"));
		count(h, KNOWN, come(h, next_stranger(h), &fd));
		(void)after_leaving(h, fd);
	}
	h->comers = MANY + 4 * ROUNDS;
}

static void
play_full(struct house *h)
{
	struct policy *tight = make_policy(h, screen_session_count(h->screen));
	uint64_t before = counters_read(&h->counters, COUNTER_SHED);
	int fd;

	screen_set_policy(h->screen, tight);
	policy_unref(&tight);
	for (int i = 0; i < ROUNDS; i++)
		count(h, SHEDS, come(h, next_stranger(h), &fd));
	if (counters_read(&h->counters, COUNTER_SHED) - before != ROUNDS)
		die("each newcomer should have cost one");
}

/* The wait of all that came in the beginning ends: tick by tick. */
static void
play_time(struct house *h)
{
	size_t sessions = counters_read(&h->counters, COUNTER_CACHE_STORES);
	uint64_t before = steps_taken();

	wait_s(h, FAR_AWAY_S);
	wait_s(h, 11);
	sessions = counters_read(&h->counters, COUNTER_CACHE_STORES) - sessions;
	if (sessions < h->size / 8)
		die("nobody has passed");
	h->tally[PASSES].sum = (steps_taken() - before) / sessions * ROUNDS;
}

static void
play(struct house *h)
{
	open_house(h);
	(void)fill(h);
	play_strangers(h);
	play_at_the_door(h);
	play_known(h);
	play_full(h);
	play_time(h);
	close_house(h);
}

/* --- the queue of the cache ------------------------------------------------- */
static struct cache_change
pass_of(uint32_t n)
{
	struct endpoint client = from(UINT32_C(10) << 24 | n);

	return (struct cache_change){
	    .key = record_key_of(&client.addr, 32, 64),
	    .store = true,
	};
}

static void
play_cache(struct house *h)
{
	struct cache_queue *q = cache_queue_new();
	uint32_t size = h->size < CACHE_QUEUE_MAX / 2 ? (uint32_t)h->size
						      : CACHE_QUEUE_MAX / 2;
	struct cache_change change, found;
	uint64_t before;

	for (uint32_t n = 0; n < size + ROUNDS; n++) {
		change = pass_of(n);
		before = steps_taken();
		if (q == NULL || cache_queue_add(q, &change) < 0)
			die("the queue of the cache");
		if (n >= size)
			count(h, STORES, steps_taken() - before);
		change = pass_of(n / 2);
		before = steps_taken();
		if (!cache_queue_find(q, &change.key, &found))
			die("a pass was lost");
		if (n >= size)
			count(h, FINDS, steps_taken() - before);
	}
	cache_queue_free(&q);
}

/* --- the timers ------------------------------------------------------------- */
enum { TIMER_S = 300 };

/* Sessions come all the time, so their waits are spread over it. */
static int64_t
due(size_t i, size_t size)
{
	return 1 + (int64_t)(i * 7919 % size) * TIMER_S * 1000 / (int64_t)size;
}

/* Turned once a millisecond, as by an event loop with little to do. */
static void
play_turns(struct house *h, struct wheel *w, size_t timers)
{
	struct wheel_link ready;
	uint64_t before = steps_taken();
	size_t fired = 0;

	wheel_circle_init(&ready);
	for (int64_t now = 1; now <= TIMER_S * 1000; now = wheel_next(w)) {
		wheel_turn(w, now, &ready);
		while (wheel_circle_take(&ready) != NULL)
			fired++;
	}
	if (fired != timers)
		die("a timer has not fired");
	h->tally[FIRES].sum = (steps_taken() - before) / fired * ROUNDS;
}

static void
play_timers(struct house *h)
{
	static struct wheel w;
	struct wheel_entry *entries = mem_array(h->size, sizeof(*entries));
	uint64_t before;

	if (entries == NULL)
		die("no memory");
	wheel_init(&w, 0);
	for (size_t i = 0; i < h->size; i++)
		wheel_add(&w, &entries[i], due(i, h->size));
	for (size_t i = 0; i < ROUNDS; i++) {
		struct wheel_entry *e = &entries[i * (h->size / ROUNDS)];

		before = steps_taken();
		wheel_remove(e);
		count(h, STOPS, steps_taken() - before);
		before = steps_taken();
		wheel_add(&w, e, due(i, h->size));
		count(h, STARTS, steps_taken() - before);
	}
	play_turns(h, &w, h->size);
	mem_free(entries);
}

/* --- the verdict ------------------------------------------------------------ */
static double
mean(const struct house *h, enum deed deed)
{
	return (double)h->tally[deed].sum / ROUNDS;
}

/* Chains of a hash table are of different lengths, and now and then one moves a
 * few buckets: hence the tolerance. A walk would be a hundred times as many. */
static int
compare(const struct house *few, const struct house *many)
{
	int bad = 0;

	printf("%-12s %10s %10s %10s %10s  steps, with sessions\n", "",
	    "mean 1000", "100000", "most 1000", "100000");
	for (enum deed e = 0; e < EVENTS; e++) {
		bool grows = mean(many, e) > 1.5 * mean(few, e) + 20 ||
			     many->tally[e].most > 4 * few->tally[e].most + 200;

		printf("%-12s %10.0f %10.0f %10llu %10llu%s\n", event_names[e],
		    mean(few, e), mean(many, e),
		    (unsigned long long)few->tally[e].most,
		    (unsigned long long)many->tally[e].most,
		    grows ? "  GROWS" : "");
		bad += grows;
	}
	return bad;
}

int
main(void)
{
	static const char lists[] = "doorbell_dnsbl_sites=a.test b.test";
	static struct house few = {.size = FEW, .sites = lists},
			    many = {.size = MANY, .sites = lists},
			    plain = {
				.size = MANY, .sites = "doorbell_dnsbl_sites="};
	int bad;

	log_set_sink(forget_line, NULL);
	play(&few);
	play_cache(&few);
	play_timers(&few);
	play(&many);
	play_cache(&many);
	play_timers(&many);
	if (steps_taken() == 0)
		die("not built to count: see make scale");
	bad = compare(&few, &many);
	open_house(&plain);
	(void)fill(&plain);
	close_house(&plain);
	printf("waiting for the greeting: %.0f bytes a session, %.0f with two "
	       "DNS questions (struct session: %zu)\n",
	    plain.bytes, many.bytes, sizeof(struct session));
	if (plain.bytes > GREET_MEMORY_MAX || many.bytes > 1.5 * few.bytes) {
		printf("that is too much\n");
		bad++;
	}
	return bad > 0;
}
