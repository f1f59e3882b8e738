/* SPDX-License-Identifier: ISC */
/* tests/replay/replay.c - play scenarios against the real screening rooms, on a
 * virtual clock, without sockets, name servers or Postfix. The language is
 * described in tests/README.md. */
/* links: fake_clock fake_loop fake_stream fake_fdpass fake_resolver fake_cache fake_mem fake_slab */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "config/config.h"
#include "replay/faults.h"
#include "screen/offenders.h"
#include "screen/screen.h"
#include "screen/session.h"
#include "screen/totals.h"
#include "support/fake_clock.h"
#include "support/fake_fdpass.h"
#include "support/fake_loop.h"
#include "support/fake_mem.h"
#include "support/fake_resolver.h"
#include "support/fake_stream.h"

enum {
	WORDS_MAX = 32,
	WORD_MAX = 1024,
	LABELS_MAX = 256,
	SETTINGS_MAX = 64,
	LOG_MAX = 4 * 1024 * 1024,
	LOG_FIRST = 4096, /* room for lines about memory that is gone */
	LINE_MAX_BYTES = 8192,
	LINES_MAX = 4096,           /* of a file */
	LONG_TIME_MS = 3600 * 1000, /* all waits of ours are over */
	CLOCK_JUMP_S = 10 * 366 * 86400
};

struct word {
	char text[WORD_MAX];
	size_t n;
	bool quoted;
};

struct guest {
	char label[32];
	int fd;
	size_t heard; /* bytes that earlier expectations have used up */
};

struct play {
	const char *file;
	int line;
	char name[256]; /* of the scenario; "" between scenarios */
	char *settings[SETTINGS_MAX];
	size_t setting_count;
	struct loop *loop;
	struct counters counters;
	struct config_set *config;
	struct policy *policy;
	struct cache *cache;
	struct rules *rules;
	struct totals totals;
	struct screen *screen; /* NULL until the first timed line */
	struct mono began;
	struct guest guests[LABELS_MAX];
	size_t guest_count;
	struct buf log;
	size_t smtpd_heard; /* used up likewise */
	size_t log_used;    /* by expectations so far */
	unsigned played, failed;
	bool no_memory;
	bool broken; /* this scenario has failed */
	/* Played once more, with a call that fails. What is expected need not
	 * come to pass then. */
	bool is_faulty;
	unsigned kind;
	unsigned long at; /* 0: none fails yet, they are counted */
	struct outcome without, outcome;
	unsigned long faults;
	bool guilty;      /* what came of the fault may not be */
	bool no_doors;    /* nobody comes any more */
	bool is_empty;    /* and all who were there have gone */
	bool is_shut_out; /* the last one to connect found no door */
};

static void complain(struct play *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
complain(struct play *p, const char *format, ...)
{
	va_list ap;

	if (p->is_faulty)
		return;
	fprintf(stderr, "%s:%d: %s: ", p->file, p->line, p->name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	p->broken = true;
}

/* What may not be, whatever has failed. */
static void accuse(struct play *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
accuse(struct play *p, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: %s: ", p->file, p->line, p->name);
	if (p->is_faulty && p->at > 0)
		fprintf(stderr, "%s, %lu: ", faults_name(p->kind), p->at);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	p->guilty = p->is_faulty;
	p->broken = true;
}

static void
keep_line(enum log_level level, enum log_voice voice, const char *text,
    size_t n, void *arg)
{
	struct play *p = arg;

	(void)level;
	faults_suspend(true);
	if (voice == LOG_VOICE_DNSBLOG)
		(void)buf_add_str(&p->log, "dnsblog: ");
	else if (voice == LOG_VOICE_TLSPROXY)
		(void)buf_add_str(&p->log, "tlsproxy: ");
	(void)buf_add(&p->log, text, n);
	(void)buf_add_char(&p->log, '\n');
	faults_suspend(false);
}

/* --- words ---------------------------------------------------------------- */
static char
unescape(const char **p)
{
	char digits[3];

	switch (*++*p) {
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '0':
	case '1':
	case '2':
	case '3':
		digits[0] = (*p)[0];
		digits[1] = (*p)[1];
		digits[2] = (*p)[2];
		*p += 2;
		return (char)((digits[0] - '0') * 64 + (digits[1] - '0') * 8 +
			      (digits[2] - '0'));
	default:
		return **p;
	}
}

static const char *
read_quoted(const char *p, struct word *w)
{
	w->quoted = true;
	for (p++; *p != '"' && *p != '\0'; p++) {
		if (w->n < WORD_MAX - 1)
			w->text[w->n++] = *p == '\\' ? unescape(&p) : *p;
	}
	return *p == '"' ? p + 1 : p;
}

static size_t
split(const char *p, struct word words[WORDS_MAX])
{
	size_t n = 0;

	while (n < WORDS_MAX) {
		while (text_is_space(*p))
			p++;
		if (*p == '\0' || *p == '#')
			break;
		memset(&words[n], 0, sizeof(words[n]));
		if (*p == '"')
			p = read_quoted(p, &words[n]);
		while (!text_is_space(*p) && *p != '\0' && *p != '"') {
			if (words[n].n < WORD_MAX - 1)
				words[n].text[words[n].n++] = *p;
			p++;
			/* name="value with blanks" */
			if (*p == '"' && words[n].text[words[n].n - 1] == '=')
				p = read_quoted(p, &words[n]);
		}
		n++;
	}
	return n;
}

/* --- the stage ------------------------------------------------------------- */
static void
report_config(enum config_severity severity, const char *file, int line,
    const char *text, void *arg)
{
	(void)file;
	(void)line;
	if (severity == CONFIG_ERROR)
		complain(arg, "%s", text);
}

static void
report_table(const char *file, int line, const char *text, void *arg)
{
	(void)line;
	complain(arg, "%s: %s", file, text);
}

static struct policy *
make_policy(struct play *p)
{
	const struct policy_options o = {
	    .config = p->config,
	    .loop = p->loop,
	    .tables = {.report = report_table, .arg = p},
	    .screen = p->screen,
	    .descriptor_limit = 20000,
	    .before = p->screen->policy,
	};
	struct errtext why = {""};
	struct policy *policy = policy_new(&o, &why);

	if (policy == NULL)
		complain(p, "policy: %s", why.text);
	return policy;
}

static bool
raise_curtain(struct play *p)
{
	const struct config_source source = {.file = "/dev/null",
	    .overrides = (const char *const *)p->settings,
	    .override_count = p->setting_count};
	struct screen_options so = {0};
	struct errtext why = {""};

	fake_clock_reset();
	fake_stream_reset();
	fake_fdpass_reset();
	fake_resolver_reset();
	p->began = clock_mono();
	p->loop = loop_new();
	memset(&p->counters, 0, sizeof(p->counters));
	p->config = config_load(&source, report_config, p);
	memset(&p->totals, 0, sizeof(p->totals));
	p->cache = cache_open(&(struct cache_options){.path = "fake"}, &why);
	p->rules = rules_new();
	if (p->loop == NULL || p->config == NULL || p->cache == NULL ||
	    p->rules == NULL)
		return false;
	so.loop = p->loop;
	so.counters = &p->counters;
	so.cache = p->cache;
	so.rules = p->rules;
	p->screen = screen_new(&so);
	p->screen->totals = &p->totals;
	if ((p->policy = make_policy(p)) == NULL)
		return false;
	log_set_sink(keep_line, p);
	log_set_form((enum log_form)config_under(p->config, false)->log_format);
	screen_set_policy(p->screen, p->policy);
	if (p->is_faulty)
		faults_arm(p->kind, p->at);
	return true;
}

static void settle(struct play *p);
static void check_sum(struct play *p);

static void
let_long_time_pass(struct play *p)
{
	fake_loop_advance_to(p->loop, mono_after(clock_mono(), LONG_TIME_MS));
	settle(p);
}

/* Nobody waits for ever, and nothing is kept of who has gone. Who is relayed may
 * wait for smtpd, which has time limits of its own. */
static void
expect_the_end(struct play *p)
{
	struct session *s;
	struct errtext why;
	int fds[LABELS_MAX];

	let_long_time_pass(p);
	TAILQ_FOREACH (s, &p->screen->sessions, others)
		if (s->phase != PHASE_RELAY)
			accuse(p, "a session stays, phase %s",
			    session_phase_name((enum phase)s->phase));
	faults_disarm();
	for (size_t i = 0; i < p->guest_count; i++)
		fds[i] = p->guests[i].fd;
	outcome_take(&p->outcome, fds, p->guest_count, buf_span(&p->log));
	fake_stream_hang_up_all();
	let_long_time_pass(p);
	check_sum(p);
	if (screen_session_count(p->screen) > 0)
		accuse(p, "a session stays when all have gone");
	if (p->screen->on_empty != NULL && !p->is_empty)
		accuse(p, "nobody says that all have gone");
	if (p->at > 0 && !outcome_is_allowed(&p->outcome, &p->without, &why))
		accuse(p, "%s", why.text);
}

static void
drop_curtain(struct play *p)
{
	if (p->name[0] == '\0')
		return;
	p->no_memory = false;
	fake_mem_heal();
	if (p->is_faulty && p->screen != NULL)
		expect_the_end(p);
	log_set_sink(NULL, NULL);
	log_set_form(LOG_FORM_PLAIN);
	screen_free(&p->screen);
	policy_unref(&p->policy);
	cache_close(&p->cache);
	rules_free(&p->rules);
	config_unref(&p->config);
	if (p->loop != NULL && fake_loop_timers(p->loop) > 0)
		accuse(p, "a timer survived its session");
	if (fake_resolver_pending() > 0)
		accuse(p, "a question survived its session");
	loop_free(&p->loop);
	fake_stream_reset();
	if (p->broken && p->log.n > 0)
		fprintf(stderr, "--- log\n%.*s---\n", (int)p->log.n, p->log.p);
	buf_clear(&p->log);
	for (size_t i = 0; i < p->setting_count; i++)
		mem_free(p->settings[i]);
	p->setting_count = p->guest_count = p->log_used = 0;
	p->smtpd_heard = 0;
	p->played += !p->is_faulty;
	p->failed += p->broken && !p->is_faulty;
	p->broken = false;
	p->no_doors = p->is_empty = p->is_shut_out = false;
	p->name[0] = '\0';
}

/* Let everything happen that can happen now. */
static void
settle(struct play *p)
{
	do
		fake_loop_settle(p->loop);
	while (fake_stream_deliver());
	fake_loop_settle(p->loop);
}

/* Each connection is held or has ended in exactly one way, at any time, and in
 * the totals, too, but for a proxy's own, of which nobody hears. */
static void
check_sum(struct play *p)
{
	static const enum counter ends[] = {COUNTER_HANDED_OFF, COUNTER_RELAYED,
	    COUNTER_REFUSED, COUNTER_HUNG_UP, COUNTER_SHED};
	uint64_t came = counters_read(&p->counters, COUNTER_CONNECTIONS);
	uint64_t sum = screen_session_count(p->screen), visits = sum;

	for (int i = FIGURE_KNOWN; i <= FIGURE_LEFT; i++)
		visits += p->totals.figure[i];
	if (visits > came)
		accuse(p, "%llu connections, and %llu in the totals",
		    (unsigned long long)came, (unsigned long long)visits);

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sum += counters_read(&p->counters, ends[i]);
	if (sum != came)
		accuse(p, "%llu connections, but %llu are accounted for",
		    (unsigned long long)came, (unsigned long long)sum);
}

static struct guest *
find_guest(struct play *p, const char *label)
{
	for (size_t i = 0; i < p->guest_count; i++) {
		if (strcmp(p->guests[i].label, label) == 0)
			return &p->guests[i];
	}
	return NULL;
}

static struct session *
session_of(const struct play *p, const struct guest *g)
{
	struct session *s;

	TAILQ_FOREACH (s, &p->screen->sessions, others) {
		if (s->stream.fd == g->fd)
			return s;
	}
	return NULL;
}

/* --- what may happen ------------------------------------------------------- */
/* Memory is short with us, not with the client. */
static void
be_client(void)
{
	fake_mem_heal();
	faults_suspend(true);
}

static void
be_ourselves(const struct play *p)
{
	faults_suspend(false);
	if (p->no_memory)
		fake_mem_fail_after(0);
}

/* connect ADDRESS [as LABEL] [to ADDRESS] */
static void
do_connect(struct play *p, struct word *w, size_t n)
{
	struct guest *g = &p->guests[p->guest_count];
	struct endpoint client = {.port = (uint16_t)(40000 + p->guest_count)};
	struct endpoint server = {.port = 25};

	if (p->no_doors) {
		p->is_shut_out = true;
		return;
	}
	(void)addr_parse(span_str("198.51.100.25"), &server.addr);
	if (p->guest_count == LABELS_MAX ||
	    addr_parse(span_str(w[0].text), &client.addr) < 0) {
		complain(p, "cannot connect %s", w[0].text);
		return;
	}
	(void)snprintf(g->label, sizeof(g->label), "%zu", p->guest_count);
	for (size_t i = 1; i + 1 < n; i += 2) {
		if (strcmp(w[i].text, "as") == 0)
			(void)snprintf(
			    g->label, sizeof(g->label), "%.31s", w[i + 1].text);
		else
			(void)addr_parse(span_str(w[i + 1].text), &server.addr);
	}
	g->heard = 0;
	be_client();
	g->fd = fake_stream_new_fd();
	be_ourselves(p);
	p->guest_count++;
	screen_arrive(p->screen, g->fd, &client, &server);
}

/* The client that a line is about: named, or the last to connect. */
static struct guest *
take_guest(struct play *p, struct word **w, size_t *n)
{
	struct guest *g = NULL;

	if (*n > 0 && !(*w)->quoted)
		g = find_guest(p, (*w)->text);
	if (g != NULL) {
		(*w)++;
		(*n)--;
		return g;
	}
	if (p->is_shut_out)
		return NULL;
	if (p->guest_count > 0)
		return &p->guests[p->guest_count - 1];
	complain(p, "nobody has connected");
	return NULL;
}

/* client [LABEL] "TEXT" [times N] */
static void
do_client(struct play *p, struct word *w, size_t n)
{
	struct guest *g = take_guest(p, &w, &n);
	int64_t times = 1;

	if (g == NULL || n == 0)
		return;
	if (n == 3 && num_parse(span_str(w[2].text), 1, 1000000, &times) < 0)
		complain(p, "%s: not a number", w[2].text);
	be_client();
	while (times-- > 0)
		fake_stream_say(g->fd, w[0].text, w[0].n);
	be_ourselves(p);
}

static void
do_hangup(struct play *p, struct word *w, size_t n)
{
	struct guest *g = take_guest(p, &w, &n);

	if (g != NULL)
		fake_stream_hang_up(g->fd);
}

static void
do_reset(struct play *p, struct word *w, size_t n)
{
	struct guest *g = take_guest(p, &w, &n);

	if (g != NULL)
		fake_stream_reset_by_client(g->fd);
}

/* breaks [LABEL]: with an error that is not how clients usually leave */
static void
do_breaks(struct play *p, struct word *w, size_t n)
{
	struct guest *g = take_guest(p, &w, &n);

	if (g != NULL)
		fake_stream_break(g->fd, ENOBUFS);
}

/* memory gone | memory back */
static void
do_memory(struct play *p, struct word *w, size_t n)
{
	p->no_memory = n > 0 && strcmp(w[0].text, "gone") == 0;
	fake_mem_heal();
	be_ourselves(p);
}

/* descriptors gone | descriptors back: for socket pairs */
static void
do_descriptors(struct play *p, struct word *w, size_t n)
{
	(void)p;
	fake_stream_spend_pairs(n > 0 && strcmp(w[0].text, "gone") == 0);
}

/* shakes [LABEL] [badly] */
static void
do_shakes(struct play *p, struct word *w, size_t n)
{
	struct guest *g = take_guest(p, &w, &n);

	if (g != NULL)
		fake_stream_shake(
		    g->fd, n == 0 || strcmp(w[0].text, "badly") != 0);
}

static void
do_deaf(struct play *p, struct word *w, size_t n)
{
	struct guest *g = take_guest(p, &w, &n);

	if (g != NULL)
		fake_stream_block(g->fd, true);
}

static void
do_hears(struct play *p, struct word *w, size_t n)
{
	struct guest *g = take_guest(p, &w, &n);

	if (g != NULL)
		fake_stream_block(g->fd, false);
}

/* "canary.ZONE" is the question about an address in 240.0.0.0/4, whatever it
 * is. */
static void
find_canary(char *name, size_t size)
{
	const char *zone = strchr(name, '.'), *asked;
	unsigned d[4];
	int used;

	if (zone == NULL || strncmp(name, "canary.", 7) != 0)
		return;
	for (size_t i = 0; (asked = fake_resolver_name(i)) != NULL; i++) {
		used = 0;
		if (sscanf(asked, "%u.%u.%u.%u%n", &d[3], &d[2], &d[1], &d[0],
			&used) == 4 &&
		    d[0] >= 240 && strcmp(asked + used, zone) == 0) {
			(void)snprintf(name, size, "%s", asked);
			return;
		}
	}
}

/* dns NAME ADDRESS|absent|failed [ttl N] */
static void
do_dns(struct play *p, struct word *w, size_t n)
{
	int64_t ttl = 300;
	size_t answered = 0;

	if (n < 2 || (n == 4 && num_parse(span_str(w[3].text), 0, UINT32_MAX,
				    &ttl) < 0)) {
		complain(p, "dns NAME ANSWER [ttl N]");
		return;
	}
	find_canary(w[0].text, sizeof(w[0].text));
	if (strcmp(w[1].text, "absent") == 0)
		answered = fake_resolver_absent(w[0].text, (uint32_t)ttl);
	else if (strcmp(w[1].text, "failed") == 0)
		answered = fake_resolver_fail(w[0].text, "SERVFAIL");
	else
		answered =
		    fake_resolver_found(w[0].text, w[1].text, (uint32_t)ttl);
	if (answered == 0)
		complain(p, "nobody asks for %s", w[0].text);
}

/* smtpd's end of the newest relayed connection. A fault may have been before
 * there was one: then nobody hears what it says. */
static int
server_end(const struct play *p)
{
	int fd = fake_stream_last_pair();

	return fd < 0 && p->is_faulty ? fake_stream_new_fd() : fd;
}

/* smtpd takes [quietly] | smtpd loses | smtpd ready | smtpd busy | smtpd gone |
 * smtpd broken */
static void
do_smtpd(struct play *p, struct word *w, size_t n)
{
	if (n > 1 && strcmp(w[0].text, "takes") == 0) {
		if (strcmp(w[1].text, "quietly") != 0)
			complain(p, "smtpd takes quietly, or just takes");
		else if (!fake_fdpass_take_quietly())
			complain(p, "no client was passed to smtpd");
	} else if (n > 0 && strcmp(w[0].text, "takes") == 0) {
		if (!fake_fdpass_take())
			complain(p, "no client was passed to smtpd");
	} else if (n > 0 && strcmp(w[0].text, "loses") == 0) {
		if (!fake_fdpass_lose())
			complain(p, "no client was passed to smtpd");
	} else if (n > 1 && strcmp(w[0].text, "says") == 0) {
		fake_stream_say(server_end(p), w[1].text, w[1].n);
	} else if (n > 0 && strcmp(w[0].text, "breaks") == 0) {
		fake_stream_reset_by_client(server_end(p));
	} else if (n > 0 && strcmp(w[0].text, "deaf") == 0) {
		fake_stream_block(server_end(p), true);
	} else if (n > 0 && strcmp(w[0].text, "hears") == 0) {
		fake_stream_block(server_end(p), false);
	} else if (n > 0 && strcmp(w[0].text, "hangs") == 0) {
		fake_stream_hang_up(server_end(p));
	} else if (n > 0 && strcmp(w[0].text, "busy") == 0) {
		fake_fdpass_set(FDPASS_BUSY, EAGAIN);
	} else if (n > 0 && strcmp(w[0].text, "gone") == 0) {
		fake_fdpass_set(FDPASS_NO_SERVER, ECONNREFUSED);
	} else if (n > 0 && strcmp(w[0].text, "broken") == 0) {
		fake_fdpass_set(FDPASS_NOT_SENT, EPIPE);
	} else {
		fake_fdpass_set(FDPASS_SENT, 0);
	}
}

/* accept(2) has failed for want of descriptors. */
static void
do_exhausted(struct play *p, struct word *w, size_t n)
{
	(void)w;
	(void)n;
	(void)crowd_shed_some(p->screen);
}

/* The same configuration anew: old sessions keep the old one. */
static void
do_reload(struct play *p, struct word *w, size_t n)
{
	(void)w;
	(void)n;
	policy_unref(&p->policy);
	if ((p->policy = make_policy(p)) != NULL)
		screen_set_policy(p->screen, p->policy);
}

static void
make_rule(struct play *p, const struct word *w, size_t n, bool allow)
{
	struct rule rule = {.allow = allow, .until = {RULE_FOR_GOOD}};

	be_client();
	if (n == 0 ||
	    addr_block_parse(span_str(w[0].text), false, &rule.block) < 0 ||
	    rules_set(p->rules, &rule) < 0)
		complain(p, "%s: no rule", n > 0 ? w[0].text : "(nobody)");
	be_ourselves(p);
}

/* allow BLOCK */
static void
do_allow(struct play *p, struct word *w, size_t n)
{
	make_rule(p, w, n, true);
}

/* deny BLOCK */
static void
do_deny(struct play *p, struct word *w, size_t n)
{
	make_rule(p, w, n, false);
}

static void
do_shutdown(struct play *p, struct word *w, size_t n)
{
	(void)w;
	(void)n;
	screen_shut(p->screen);
}

/* --- what must have happened ------------------------------------------------ */
static void
expect_log(struct play *p, struct word *w, size_t n)
{
	const char *text = buf_str(&p->log), *found;

	if (n == 0)
		return;
	found = text == NULL ? NULL : strstr(text + p->log_used, w[0].text);
	if (found == NULL)
		complain(p, "not in the log: %s", w[0].text);
	else
		p->log_used = (size_t)(found - text) + w[0].n;
}

static void
expect_nolog(struct play *p, struct word *w, size_t n)
{
	const char *text = buf_str(&p->log);

	if (n > 0 && text != NULL && strstr(text, w[0].text) != NULL)
		complain(p, "in the log: %s", w[0].text);
}

static void
expect_reply(struct play *p, struct word *w, size_t n)
{
	struct guest *g = take_guest(p, &w, &n);
	struct span heard;

	if (g == NULL || n == 0)
		return;
	heard = fake_stream_heard(g->fd);
	heard = span_of(heard.p + g->heard, heard.n - g->heard);
	if (heard.n < w[0].n || memcmp(heard.p, w[0].text, w[0].n) != 0)
		complain(p, "wanted %s\nheard  %s", w[0].text,
		    heard.n == 0 ? "(nothing)" : heard.p);
	else
		g->heard += w[0].n;
}

/* What smtpd was told on the newest relayed connection. */
static void
expect_smtpd(struct play *p, struct word *w, size_t n)
{
	int fd = fake_stream_last_pair();
	struct span heard;

	if (fd < 0 || n == 0) {
		complain(p, "nothing is relayed");
		return;
	}
	heard = fake_stream_heard(fd);
	heard = span_of(heard.p + p->smtpd_heard, heard.n - p->smtpd_heard);
	if (heard.n < w[0].n || memcmp(heard.p, w[0].text, w[0].n) != 0)
		complain(p, "smtpd should hear %s\nand hears %.*s", w[0].text,
		    (int)heard.n, heard.n == 0 ? "" : heard.p);
	else
		p->smtpd_heard += w[0].n;
}

static void
expect_silence(struct play *p, struct word *w, size_t n)
{
	struct guest *g = take_guest(p, &w, &n);
	struct span heard;

	if (g == NULL)
		return;
	heard = fake_stream_heard(g->fd);
	if (heard.n > g->heard)
		complain(p, "heard %s", heard.p + g->heard);
}

/* expect phase [LABEL] NAME: with "gone" for a closed client and "passed" for
 * one that smtpd has. */
static void
expect_phase(struct play *p, struct word *w, size_t n)
{
	struct guest *g = take_guest(p, &w, &n);
	const struct session *s;
	const char *is;

	if (g == NULL || n == 0)
		return;
	if ((s = session_of(p, g)) != NULL)
		is = session_phase_name((enum phase)s->phase);
	else
		is = fake_stream_is_released(g->fd) ? "passed" : "gone";
	if (strcmp(is, w[0].text) != 0)
		complain(p, "phase is %s, not %s", is, w[0].text);
}

static void
expect_number(
    struct play *p, const struct word *w, size_t n, size_t is, const char *what)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%zu", is);
	if (n == 0 || strcmp(text, w[0].text) != 0)
		complain(p, "%s: there are %s", what, text);
}

static void
expect_asked(struct play *p, struct word *w, size_t n)
{
	if (n == 2)
		expect_number(
		    p, w + 1, 1, fake_resolver_asked(w[0].text), w[0].text);
	else
		expect_number(p, w, n, fake_resolver_pending(), "questions");
}

static void
expect_waiting(struct play *p, struct word *w, size_t n)
{
	expect_number(p, w, n, fake_fdpass_waiting(), "hand-offs in flight");
}

static void
expect_sessions(struct play *p, struct word *w, size_t n)
{
	expect_number(p, w, n, screen_session_count(p->screen), "sessions");
}

/* expect counter NAME N */
static void
expect_counter(struct play *p, struct word *w, size_t n)
{
	for (unsigned id = 0; n > 0 && id < COUNTER_COUNT; id++) {
		if (strcmp(counters_name((enum counter)id), w[0].text) == 0) {
			expect_number(p, w + 1, n - 1,
			    counters_read(&p->counters, (enum counter)id),
			    w[0].text);
			return;
		}
	}
	complain(p, "no such counter");
}

/* expect waits NAME N */
static void
expect_waits(struct play *p, struct word *w, size_t n)
{
	for (unsigned id = 0; n > 0 && id < HISTOGRAM_COUNT; id++) {
		if (strcmp(counters_wait_name((enum histogram_id)id),
			w[0].text) == 0) {
			expect_number(p, w + 1, n - 1,
			    histogram_count(&p->counters.wait[id]), w[0].text);
			return;
		}
	}
	complain(p, "no such waits");
}

/* expect figure NAME N: in the totals */
static void
expect_figure(struct play *p, struct word *w, size_t n)
{
	static const struct {
		const char *name;
		enum figure figure;
	} rows[] = {
#define FIGURE(id, name, ...) {name, FIGURE_##id},
#include "screen/figures.def"
#undef FIGURE
	};

	for (size_t i = 0; n > 0 && i < sizeof(rows) / sizeof(*rows); i++) {
		if (strcmp(rows[i].name, w[0].text) == 0) {
			expect_number(p, w + 1, n - 1,
			    p->totals.figure[rows[i].figure], w[0].text);
			return;
		}
	}
	complain(p, "no such figure");
}

/* expect listed NAME VISITS [ONLY]: what this DNS list was worth */
static void
expect_listed(struct play *p, struct word *w, size_t n)
{
	const struct totals_list *list =
	    n > 0 ? totals_list(&p->totals, w[0].text) : NULL;

	if (list == NULL) {
		complain(p, "no such list");
		return;
	}
	expect_number(p, w + 1, n - 1, list->visits, w[0].text);
	if (n > 2)
		expect_number(p, w + 2, n - 2, list->only, "only by it");
}

/* expect worst ["PREFIX" OFFENCE N ...] */
static void
expect_worst(struct play *p, struct word *w, size_t n)
{
	struct offender worst;
	char text[RECORD_KEY_TEXT_MAX];

	if (offenders_worst(
		p->screen->offenders, &worst, 1, loop_now(p->loop)) == 0) {
		if (n > 0)
			complain(p, "nobody has misbehaved");
		return;
	}
	(void)record_key_format(&worst.key, text);
	if (n == 0 || strcmp(w[0].text, text) != 0)
		complain(p, "the worst is %s", text);
	for (size_t i = 1; i + 1 < n; i += 2)
		for (int k = 0; k < OFFENCE_COUNT; k++)
			if (strcmp(offenders_word((enum offence)k),
				w[i].text) == 0)
				expect_number(
				    p, w + i + 1, 1, worst.count[k], w[i].text);
}

static void
expect_unread(struct play *p, struct word *w, size_t n)
{
	struct guest *g = take_guest(p, &w, &n);

	if (g != NULL)
		expect_number(p, w, n, fake_stream_unread(g->fd).n,
		    "bytes left in the socket");
}

typedef void verb_fn(struct play *p, struct word *w, size_t n);

struct verb {
	const char *name;
	verb_fn *fn;
};

static const struct verb expectations[] = {
    {"log", expect_log},
    {"nolog", expect_nolog},
    {"reply", expect_reply},
    {"silence", expect_silence},
    {"smtpd", expect_smtpd},
    {"phase", expect_phase},
    {"asked", expect_asked},
    {"waiting", expect_waiting},
    {"sessions", expect_sessions},
    {"counter", expect_counter},
    {"waits", expect_waits},
    {"figure", expect_figure},
    {"listed", expect_listed},
    {"worst", expect_worst},
    {"unread", expect_unread},
    {NULL, NULL},
};

static void do_expect(struct play *p, struct word *w, size_t n);

static const struct verb actions[] = {
    {"connect", do_connect},
    {"client", do_client},
    {"hangup", do_hangup},
    {"reset", do_reset},
    {"breaks", do_breaks},
    {"memory", do_memory},
    {"descriptors", do_descriptors},
    {"shakes", do_shakes},
    {"deaf", do_deaf},
    {"hears", do_hears},
    {"dns", do_dns},
    {"smtpd", do_smtpd},
    {"allow", do_allow},
    {"deny", do_deny},
    {"reload", do_reload},
    {"shutdown", do_shutdown},
    {"exhausted", do_exhausted},
    {"expect", do_expect},
    {NULL, NULL},
};

static void
run_verb(struct play *p, const struct verb *verbs, struct word *w, size_t n)
{
	for (const struct verb *v = verbs; n > 0 && v->name != NULL; v++) {
		if (strcmp(v->name, w[0].text) == 0) {
			v->fn(p, w + 1, n - 1);
			return;
		}
	}
	complain(p, "unknown word %s", n > 0 ? w[0].text : "(none)");
}

/* "expect A ... expect B ..." on one line are two expectations. */
static void
do_expect(struct play *p, struct word *w, size_t n)
{
	size_t end;

	if (p->is_faulty)
		return;
	for (end = 0; end < n; end++) {
		if (!w[end].quoted && strcmp(w[end].text, "expect") == 0)
			break;
	}
	run_verb(p, expectations, w, end);
	if (end < n)
		do_expect(p, w + end + 1, n - end - 1);
}

/* --- lines -------------------------------------------------------------------- */
static void
add_setting(struct play *p, const char *prefix, const struct word *w)
{
	char *text = mem_printf("%s%s", prefix, w->text);

	if (p->setting_count == SETTINGS_MAX || text == NULL)
		complain(p, "too many settings");
	else
		p->settings[p->setting_count++] = text;
}

static void
begin_scenario(struct play *p, const char *name)
{
	static const char *const stage[] = {"myhostname=mx.test",
	    "mynetworks=127.0.0.0/8", "compatibility_level=3.6",
	    "doorbell_dnsbl_skip_networks=",
	    "doorbell_dnsbl_selftest_interval=0"};
	struct word w = {.n = 0};

	drop_curtain(p);
	(void)snprintf(p->name, sizeof(p->name), "%.255s", name);
	buf_init(&p->log, LOG_MAX);
	if (buf_reserve(&p->log, LOG_FIRST) == NULL)
		complain(p, "no memory for the log");
	for (size_t i = 0; i < sizeof(stage) / sizeof(*stage); i++) {
		(void)snprintf(w.text, sizeof(w.text), "%s", stage[i]);
		add_setting(p, "", &w);
	}
}

/* "1.5" seconds of the scenario. */
static bool
parse_moment(const char *text, int64_t *ms)
{
	char *end;
	double seconds = strtod(text, &end);

	*ms = (int64_t)(seconds * 1000 + 0.5);
	return end != text && *end == '\0';
}

static void
on_empty(struct screen *screen, void *arg)
{
	struct play *p = arg;

	(void)screen;
	p->is_empty = true;
}

static void
happen(struct play *p, enum faults_event event)
{
	struct wall now = clock_wall();

	switch (event) {
	case FAULTS_NOTHING:
		return;
	case FAULTS_SHUTDOWN:
		p->no_doors = true;
		screen_shut(p->screen);
		break;
	case FAULTS_DRAIN:
		p->no_doors = true;
		screen_drain(p->screen, on_empty, p);
		break;
	case FAULTS_CLOCK_FORTH:
		fake_clock_set_wall(wall_after(now, CLOCK_JUMP_S));
		break;
	case FAULTS_CLOCK_BACK:
		fake_clock_set_wall(wall_after(now, -CLOCK_JUMP_S));
		break;
	}
	settle(p);
	if (event == FAULTS_SHUTDOWN && screen_session_count(p->screen) > 0)
		accuse(p, "a session stays");
}

static void
play_moment(struct play *p, struct word *w, size_t n)
{
	int64_t ms;

	if (!parse_moment(w[0].text, &ms)) {
		complain(p, "%s: not a time", w[0].text);
		return;
	}
	if (p->screen == NULL && (p->broken || !raise_curtain(p))) {
		p->broken = true;
		return;
	}
	fake_loop_advance_to(p->loop, mono_after(p->began, ms));
	settle(p);
	run_verb(p, actions, w + 1, n - 1);
	settle(p);
	check_sum(p);
	if (p->is_faulty && strcmp(w[1].text, "expect") != 0)
		happen(p, faults_after_line());
}

static void
play_line(struct play *p, const char *line)
{
	static struct word words[WORDS_MAX];
	size_t n = split(line, words);

	if (n == 0)
		return;
	if (strcmp(words[0].text, "scenario") == 0) {
		begin_scenario(p, line + strlen("scenario "));
	} else if (p->name[0] == '\0') {
		complain(p, "%s outside of a scenario", words[0].text);
	} else if (strcmp(words[0].text, "set") == 0) {
		for (size_t i = 1; i < n; i++)
			add_setting(p, "doorbell_", &words[i]);
	} else if (strcmp(words[0].text, "main") == 0) {
		for (size_t i = 1; i < n; i++)
			add_setting(p, "", &words[i]);
	} else if (!p->broken) {
		play_moment(p, words, n);
	}
}

/* --- files ---------------------------------------------------------------- */
struct script {
	char *lines[LINES_MAX];
	int n;
};

static void
read_script(struct script *script, const char *path)
{
	static char line[LINE_MAX_BYTES];
	FILE *fp = fopen(path, "re");

	if (fp == NULL) {
		perror(path);
		exit(1);
	}
	for (script->n = 0; fgets(line, sizeof(line), fp) != NULL;
	     script->n++) {
		line[strcspn(line, "\n")] = '\0';
		if (script->n == LINES_MAX ||
		    (script->lines[script->n] = mem_strdup(line)) == NULL) {
			fprintf(stderr, "%s: is too long\n", path);
			exit(1);
		}
	}
	fclose(fp);
}

static void
forget_script(struct script *script)
{
	while (script->n > 0)
		mem_free(script->lines[--script->n]);
}

static void
play_lines(struct play *p, const struct script *script, int from, int to)
{
	for (int i = from; i < to; i++) {
		p->line = i + 1;
		play_line(p, script->lines[i]);
	}
	drop_curtain(p);
}

/* The next descriptor that would be used: it grows when one is lost. */
static int
next_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static void
play_with_fault(struct play *p, const struct script *script, int from, int to,
    unsigned long at)
{
	char name[sizeof(p->name)];
	long live = fake_mem_live();
	int fd = next_descriptor();

	p->is_faulty = true;
	p->at = at;
	(void)snprintf(name, sizeof(name), "%s",
	    script->lines[from] + strlen("scenario "));
	play_lines(p, script, from, to);
	(void)snprintf(p->name, sizeof(p->name), "%s", name);
	if (fake_mem_live() - (long)outcome_blocks(&p->outcome) != live)
		accuse(p, "%ld blocks of memory are lost",
		    fake_mem_live() - (long)outcome_blocks(&p->outcome) - live);
	if (next_descriptor() != fd)
		accuse(p, "a descriptor is lost");
	p->name[0] = '\0';
	if (at == 0)
		p->without = p->outcome;
	else
		outcome_clear(&p->outcome);
	p->outcome = (struct outcome){0};
	p->faults += at > 0;
	p->broken = p->is_faulty = false;
}

/* Once as it is, then with each call of each kind failing that it reaches. */
static void
play_with_faults(struct play *p, const struct script *script, int from, int to)
{
	p->guilty = false;
	play_with_fault(p, script, from, to, 0);
	for (p->kind = 0; faults_name(p->kind) != NULL && !p->guilty;
	     p->kind++) {
		unsigned long at = 0;

		do
			play_with_fault(p, script, from, to, ++at);
		while (!p->guilty && faults_calls(p->kind) >= at);
	}
	outcome_clear(&p->without);
	p->played++;
	p->failed += p->guilty;
}

static int
next_scenario(const struct script *script, int i)
{
	while (i < script->n && strncmp(script->lines[i], "scenario ", 9) != 0)
		i++;
	return i;
}

static void
play_file(struct play *p, const char *path, bool with_faults)
{
	static struct script script;
	int i, next;

	read_script(&script, path);
	p->file = path;
	if (!with_faults)
		play_lines(p, &script, 0, script.n);
	for (i = next_scenario(&script, 0); with_faults && i < script.n;
	     i = next) {
		next = next_scenario(&script, i + 1);
		play_with_faults(p, &script, i, next);
	}
	forget_script(&script);
}

/* replay [-f] FILE...: -f lets one call after another fail */
int
main(int argc, char **argv)
{
	static struct play play;
	bool with_faults = argc > 1 && strcmp(argv[1], "-f") == 0;

	for (int i = 1 + with_faults; i < argc; i++)
		play_file(&play, argv[i], with_faults);
	printf("replay: %u passed, %u failed", play.played - play.failed,
	    play.failed);
	if (with_faults)
		printf(", %lu faults", play.faults);
	printf("\n");
	return play.failed > 0 || play.played == 0;
}
