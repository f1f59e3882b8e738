/* SPDX-License-Identifier: ISC */
/* fuzz/fuzz_screen.c - whole stories: clients, name servers, smtpd and the clock
 * do what the input says to the real screening rooms.
 *
 * Input: one byte that picks the configuration, then deeds, each a byte and what
 * it needs. After every deed each connection is held or has ended in one way;
 * after all of them, everybody gone and some time passed, nothing is left. */
/* links: fake_clock fake_loop fake_stream fake_fdpass fake_resolver fake_cache fake_mem */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/must.h"
#include "config/config.h"
#include "screen/crowd.h"
#include "screen/screen.h"
#include "support/fake_clock.h"
#include "support/fake_fdpass.h"
#include "support/fake_loop.h"
#include "support/fake_resolver.h"
#include "support/fake_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum {
	CLIENTS_MAX = 24,
	SETTINGS_MAX = 16,
	DEEDS_MAX = 512,
	PAIRS_MAX = CLIENTS_MAX,
	LONG_MS = 1000 * 1000, /* longer than any wait for a silent client */
};

/* Every configuration adds to the first. */
static const char *const settings[][SETTINGS_MAX] = {
    {"myhostname=mx.test", "doorbell_cache_map=lmdb:fake", "mynetworks=",
	"doorbell_greet_wait=2s", "doorbell_client_connection_count_limit=6",
	"doorbell_dnsbl_selftest_interval=0"},
    {"doorbell_greet_action=enforce", "doorbell_dnsbl_action=enforce",
	"doorbell_dnsbl_sites=a.test*2 b.test*-1 c.test=127.0.0.[2..9]*3",
	"doorbell_dnsbl_threshold=2", "doorbell_dnsbl_skip_networks="},
    {"doorbell_greet_action=drop", "doorbell_dnsbl_action=drop",
	"doorbell_dnsbl_sites=a.test*2 secret.test*1 w.test*0",
	"doorbell_dnsbl_skip_networks=",
	"doorbell_dnsbl_allowlist_threshold=-1"},
    {"doorbell_pipelining_enable=yes", "doorbell_bare_newline_enable=yes",
	"doorbell_non_smtp_command_enable=yes",
	"doorbell_pipelining_action=enforce",
	"doorbell_bare_newline_action=enforce"},
    {"doorbell_pipelining_enable=yes", "doorbell_late_handoff=yes",
	"smtpd_tls_security_level=may", "doorbell_relay_limit=2"},
    {"doorbell_pipelining_enable=yes", "doorbell_deep_pass_action=defer",
	"doorbell_access_list=inline:{ 192.0.2.1=reject, 192.0.2.2=permit }",
	"doorbell_denylist_action=enforce", "doorbell_suspect_reply_delay=1s",
	"doorbell_suspect_stutter=3s"},
    {"doorbell_upstream_proxy_protocol=haproxy",
	"doorbell_proxy_networks=192.0.2.3"},
    {"doorbell_session_limit=4", "doorbell_pre_queue_limit=6",
	"doorbell_post_queue_limit=2", "doorbell_connection_rate_limit=9",
	"doorbell_failure_rate_limit=5", "doorbell_greet_action=enforce"},
};

struct input {
	const uint8_t *p;
	size_t n;
};

struct story {
	struct loop *loop;
	struct counters counters;
	struct config_set *config;
	struct policy *policy;
	struct cache *cache;
	struct screen *screen;
	int clients[CLIENTS_MAX];
	size_t client_count;
	int pairs[PAIRS_MAX]; /* our ends towards smtpd */
	size_t pair_count;
};

static unsigned
next(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->p++;
}

/* A line of the log can be told from the next one. */
static void
check_line(enum log_level level, enum log_voice voice, const char *text,
    size_t n, void *arg)
{
	(void)level;
	(void)voice;
	(void)arg;
	for (size_t i = 0; i < n; i++)
		must((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void
no_report(enum config_severity severity, const char *file, int line,
    const char *text, void *arg)
{
	(void)file;
	(void)line;
	(void)text;
	(void)arg;
	must(severity != CONFIG_ERROR);
}

static void
no_table_report(const char *file, int line, const char *text, void *arg)
{
	(void)file;
	(void)line;
	(void)text;
	(void)arg;
}

static struct policy *
make_policy(struct story *s)
{
	const struct policy_options o = {
	    .config = s->config,
	    .loop = s->loop,
	    .tables = {.report = no_table_report},
	    .screen = s->screen,
	    .descriptor_limit = 20000,
	    .before = s->screen->policy,
	};
	struct errtext why;
	struct policy *policy = policy_new(&o, &why);

	must(policy != NULL);
	return policy;
}

/* Read once: the parser has a target of its own. */
static struct config_set *
configuration(unsigned which)
{
	static struct config_set *known[sizeof(settings) / sizeof(*settings)];
	const char *words[2 * SETTINGS_MAX];
	struct config_source source = {.file = "/dev/null", .overrides = words};

	if (known[which] != NULL)
		return config_ref(known[which]);
	for (size_t set = 0; set <= which; set += which > 0 ? which : 1)
		for (size_t i = 0; i < SETTINGS_MAX; i++)
			if (settings[set][i] != NULL)
				words[source.override_count++] =
				    settings[set][i];
	known[which] = config_load(&source, no_report, NULL);
	must(known[which] != NULL);
	return config_ref(known[which]);
}

static void
begin(struct story *s, unsigned which)
{
	struct screen_options so = {0};
	struct errtext why;

	fake_clock_reset();
	fake_stream_reset();
	fake_fdpass_reset();
	fake_resolver_reset();
	s->loop = loop_new();
	s->config =
	    configuration(which % (sizeof(settings) / sizeof(*settings)));
	s->cache = cache_open(&(struct cache_options){.path = "fake"}, &why);
	must(s->loop != NULL && s->cache != NULL);
	so.loop = s->loop;
	so.counters = &s->counters;
	so.cache = s->cache;
	s->screen = screen_new(&so);
	must(s->screen != NULL);
	s->policy = make_policy(s);
	log_set_sink(check_line, NULL);
	screen_set_policy(s->screen, s->policy);
}

static void
settle(struct story *s)
{
	int pair;

	do
		fake_loop_settle(s->loop);
	while (fake_stream_deliver());
	fake_loop_settle(s->loop);
	pair = fake_stream_last_pair();
	if (pair >= 0 && s->pair_count < PAIRS_MAX &&
	    (s->pair_count == 0 || s->pairs[s->pair_count - 1] != pair))
		s->pairs[s->pair_count++] = pair;
}

static void
check_sum(const struct story *s)
{
	static const enum counter ends[] = {COUNTER_HANDED_OFF, COUNTER_RELAYED,
	    COUNTER_REFUSED, COUNTER_HUNG_UP, COUNTER_SHED};
	uint64_t sum = screen_session_count(s->screen);

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sum += counters_read(&s->counters, ends[i]);
	must(sum == counters_read(&s->counters, COUNTER_CONNECTIONS));
}

/* --- deeds ----------------------------------------------------------------- */
static void
connect_client(struct story *s, struct input *in)
{
	struct endpoint client = {.port = 40000}, server = {.port = 25};
	char text[64];
	unsigned b = next(in);

	if (s->client_count == CLIENTS_MAX)
		return;
	(void)snprintf(text, sizeof(text),
	    (b & 0x80) != 0 ? "2001:db8:%x::%x" : "192.0.%u.%u",
	    2 + (b >> 5 & 3), b & 7);
	must(addr_parse(span_str(text), &client.addr) == 0);
	must(addr_parse(span_str((b & 0x80) != 0 ? "2001:db8:ff::25"
						 : "198.51.100.25"),
		 &server.addr) == 0);
	s->clients[s->client_count] = fake_stream_new_fd();
	screen_arrive(
	    s->screen, s->clients[s->client_count++], &client, &server);
}

static int
somebody(const int *of, size_t count, struct input *in)
{
	unsigned b = next(in);

	return count == 0 ? -1 : of[count - 1 - b % count];
}

/* What clients and smtpd say most, so that the input need not spell it. */
static void
say(int fd, struct input *in)
{
	static const char *const phrases[] = {"EHLO client.test\r\n",
	    "MAIL FROM:<a@client.test>\r\n", "RCPT TO:<b@mx.test>\r\n",
	    "DATA\r\n", ".\r\n", "QUIT\r\n", "RSET\r\n", "STARTTLS\r\n",
	    "220 mx.test ESMTP\r\n",
	    "250-mx.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
	    "250 2.1.0 Ok\r\n", "354 go on\r\n", "421 4.3.2 no\r\n",
	    "GET / HTTP/1.1\r\n", "RCPT TO:<x>\n",
	    "PROXY TCP4 192.0.2.9 198.51.100.25 1234 25\r\n"};
	const size_t count = sizeof(phrases) / sizeof(*phrases);
	unsigned b = next(in);
	size_t n;

	if (fd < 0)
		return;
	if (b < count) {
		fake_stream_say(fd, phrases[b], strlen(phrases[b]));
		return;
	}
	n = b - count < in->n ? b - count : in->n;
	fake_stream_say(fd, in->p, n);
	in->p += n;
	in->n -= n;
}

static void
answer_dns(struct input *in)
{
	static const char *const found[] = {"127.0.0.2", "127.0.0.10",
	    "127.255.255.254", "127.0.0.1", "192.0.2.77"};
	const char *name = fake_resolver_name(next(in) % 4);
	unsigned b = next(in);
	char copy[256];

	if (name == NULL)
		return;
	(void)snprintf(copy, sizeof(copy), "%s", name);
	if (b % 8 < 5)
		(void)fake_resolver_found(copy, found[b % 8], b);
	else if (b % 8 == 5)
		(void)fake_resolver_absent(copy, b);
	else
		(void)fake_resolver_fail(copy, "SERVFAIL");
}

static void
move_smtpd(unsigned how)
{
	static const struct {
		enum fdpass_result result;
		int error;
	} moods[] = {{FDPASS_SENT, 0}, {FDPASS_BUSY, EAGAIN},
	    {FDPASS_NO_SERVER, ECONNREFUSED}, {FDPASS_NOT_SENT, EPIPE}};

	switch (how % 8) {
	case 4:
		(void)fake_fdpass_take_quietly();
		break;
	case 5:
		(void)fake_fdpass_lose();
		break;
	case 6:
	case 7:
		(void)fake_fdpass_take();
		break;
	default:
		fake_fdpass_set(moods[how % 8].result, moods[how % 8].error);
	}
}

static void
pass_time(struct story *s, int64_t ms)
{
	fake_loop_advance_to(s->loop, mono_after(loop_now(s->loop), ms));
}

static void
reload(struct story *s)
{
	struct policy *policy = make_policy(s);

	policy_unref(&s->policy);
	s->policy = policy;
	screen_set_policy(s->screen, policy);
}

static void
do_deed(struct story *s, struct input *in)
{
	unsigned b = next(in);
	int client = b % 16 > 0 && b % 16 < 8
			 ? somebody(s->clients, s->client_count, in)
			 : -1;

	switch (b % 16) {
	case 0:
		connect_client(s, in);
		break;
	case 1:
	case 2:
		say(client, in);
		break;
	case 3:
		if (client >= 0)
			fake_stream_hang_up(client);
		break;
	case 4:
		if (client >= 0)
			fake_stream_reset_by_client(client);
		break;
	case 5:
		if (client >= 0)
			fake_stream_block(client, (b & 0x10) != 0);
		break;
	case 6:
		if (client >= 0)
			fake_stream_break(client, ETIMEDOUT);
		break;
	case 8:
	case 9:
		answer_dns(in);
		break;
	case 10:
		move_smtpd(next(in));
		break;
	case 11:
		say(somebody(s->pairs, s->pair_count, in), in);
		break;
	case 12:
		pass_time(s, (int64_t)next(in) * 40);
		break;
	case 13:
		pass_time(s, (int64_t)next(in) * 2000);
		break;
	case 14:
		if (s->pair_count > 0)
			fake_stream_hang_up(
			    somebody(s->pairs, s->pair_count, in));
		break;
	case 15:
		if ((b & 0x10) != 0)
			reload(s);
		else
			(void)crowd_shed_some(s->screen);
		break;
	default:
		break;
	}
	settle(s);
	check_sum(s);
}

static void
end(struct story *s)
{
	fake_fdpass_set(FDPASS_SENT, 0);
	for (size_t i = 0; i < s->client_count; i++) {
		fake_stream_block(s->clients[i], false);
		fake_stream_hang_up(s->clients[i]);
	}
	for (size_t i = 0; i < s->pair_count; i++)
		fake_stream_hang_up(s->pairs[i]);
	settle(s);
	for (int i = 0; i < 4; i++) {
		pass_time(s, LONG_MS);
		while (fake_fdpass_take())
			continue;
		settle(s);
	}
	must(screen_session_count(s->screen) == 0);
	check_sum(s);
	log_set_sink(NULL, NULL);
	screen_free(&s->screen);
	policy_unref(&s->policy);
	cache_close(&s->cache);
	config_unref(&s->config);
	must(fake_loop_timers(s->loop) == 0);
	loop_free(&s->loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input in = {bytes, n};
	struct story s = {0};

	begin(&s, next(&in));
	for (int i = 0; i < DEEDS_MAX && in.n > 0; i++)
		do_deed(&s, &in);
	end(&s);
	return 0;
}
