/* SPDX-License-Identifier: ISC */
#include "replay/faults.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "support/fake_fdpass.h"
#include "support/fake_loop.h"
#include "support/fake_mem.h"
#include "support/fake_resolver.h"
#include "support/fake_stream.h"

static struct fake_fault line_fault; /* a line after which something happens */
static unsigned armed_kind;

static const struct {
	const char *name;
	struct fake_fault *fault;
	bool lasting;
	enum fdpass_result result; /* of hand-offs */
	enum faults_event event;   /* of lines */
} kinds[] = {
    {"an allocation fails", &fake_mem_fault, false, 0, 0},
    {"all allocations from one on fail", &fake_mem_fault, true, 0, 0},
    {"a timer or watch fails", &fake_loop_fault, false, 0, 0},
    {"a stream fails", &fake_stream_fault, false, 0, 0},
    {"a hand-off (not sent) fails", &fake_fdpass_fault, false, FDPASS_NOT_SENT,
	0},
    {"a hand-off (busy) fails", &fake_fdpass_fault, false, FDPASS_BUSY, 0},
    {"a hand-off (no server) fails", &fake_fdpass_fault, false,
	FDPASS_NO_SERVER, 0},
    {"hand-offs from one on fail", &fake_fdpass_fault, true, FDPASS_NOT_SENT,
	0},
    {"a question fails", &fake_resolver_fault, false, 0, 0},
    {"all questions from one on fail", &fake_resolver_fault, true, 0, 0},
    {"shutdown after a line", &line_fault, false, 0, FAULTS_SHUTDOWN},
    {"drain after a line", &line_fault, false, 0, FAULTS_DRAIN},
    {"the clock jumps on", &line_fault, false, 0, FAULTS_CLOCK_FORTH},
    {"the clock jumps back", &line_fault, false, 0, FAULTS_CLOCK_BACK},
};

enum { KIND_COUNT = sizeof(kinds) / sizeof(*kinds) };

const char *
faults_name(unsigned kind)
{
	return kind < KIND_COUNT ? kinds[kind].name : NULL;
}

void
faults_disarm(void)
{
	for (unsigned i = 0; i < KIND_COUNT; i++)
		kinds[i].fault->armed = false;
}

void
faults_arm(unsigned kind, unsigned long at)
{
	for (unsigned i = 0; i < KIND_COUNT; i++)
		*kinds[i].fault =
		    (struct fake_fault){.armed = true, .at = ULONG_MAX};
	armed_kind = kind;
	if (at == 0)
		return;
	*kinds[kind].fault = (struct fake_fault){
	    .armed = true, .at = at, .lasting = kinds[kind].lasting};
	fake_fdpass_fault_result = kinds[kind].result;
}

unsigned long
faults_calls(unsigned kind)
{
	return kinds[kind].fault->calls;
}

enum faults_event
faults_after_line(void)
{
	if (!fake_fault_strikes(&line_fault))
		return FAULTS_NOTHING;
	return kinds[armed_kind].event;
}

void
faults_suspend(bool suspended)
{
	for (unsigned i = 0; i < KIND_COUNT; i++)
		kinds[i].fault->suspended = suspended;
}

/* --- what came of it -------------------------------------------------------- */
static const char *
last_line(const char *text)
{
	const char *p = text + strlen(text);

	if (p > text)
		p--;
	while (p > text && p[-1] != '\n')
		p--;
	return p;
}

/* We have closed, and what was said last is no end of a conversation. */
static bool
is_left_alone(int fd, const char *heard)
{
	const char *last = last_line(heard);

	return fake_stream_is_closed(fd) && !fake_stream_has_gone(fd) &&
	       last[0] != '4' && last[0] != '5' && strncmp(last, "221", 3) != 0;
}

void
outcome_take(struct outcome *o, const int *fds, size_t n, struct span log)
{
	struct span heard;

	must(n <= OUTCOME_CLIENTS_MAX);
	*o = (struct outcome){.clients = n};
	for (size_t i = 0; i < n; i++) {
		heard = fake_stream_heard(fds[i]);
		o->heard[i] = mem_strndup(heard.p, heard.n);
		must(o->heard[i] != NULL);
		o->let_in[i] = fake_stream_is_released(fds[i]);
		o->left_alone[i] = is_left_alone(fds[i], o->heard[i]);
	}
	o->log = mem_strndup(log.p, log.n);
	must(o->log != NULL);
}

size_t
outcome_blocks(const struct outcome *o)
{
	return o->clients + (o->log != NULL);
}

void
outcome_clear(struct outcome *o)
{
	for (size_t i = 0; i < o->clients; i++)
		mem_free(o->heard[i]);
	mem_free(o->log);
	*o = (struct outcome){0};
}

static bool
anybody_hears(const struct outcome *o, const char *words)
{
	for (size_t i = 0; i < o->clients; i++)
		if (strstr(o->heard[i], words) != NULL)
			return true;
	return false;
}

/* A refusal for good that nobody got without the fault: "550". Who goes on as if
 * nothing were after a "450" has it from itself. */
static bool
has_new_refusal(
    const char *heard, const struct outcome *without, struct errtext *why)
{
	char code[4] = "";
	const char *line = heard, *end;

	for (; *line != '\0'; line = *end == '\n' ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		if (line[0] == '4')
			return false;
		if (line[0] != '5' || !isdigit((unsigned char)line[1]))
			continue;
		memcpy(code, line, strnlen(line, sizeof(code) - 1));
		if (anybody_hears(without, code))
			continue;
		errtext_set(why, "hears %.*s", (int)(end - line), line);
		return true;
	}
	return false;
}

/* Something is said that was not said without the fault. */
static bool
is_announced(const char *log, const char *without, const char *words)
{
	char line[256];
	const char *begin;

	for (; (log = strstr(log, words)) != NULL; log++) {
		begin = log + strcspn(log, "\n");
		while (begin > log && begin[-1] != '\n')
			begin--;
		(void)snprintf(line, sizeof(line), "%.*s",
		    (int)strcspn(begin, "\n"), begin);
		if (strstr(without, line) == NULL)
			return true;
	}
	return false;
}

/* Is there a line "WORD [address]:port" about client `i`? */
static bool
has_line(const char *log, const char *word, size_t i)
{
	char end[16];

	(void)snprintf(end, sizeof(end), "]:%zu\n", 40000 + i);
	for (; (log = strstr(log, word)) != NULL; log++)
		if (strncmp(log + strcspn(log, "]"), end, strlen(end)) == 0)
			return true;
	return false;
}

/* Client `i` was refused, and is not any more. */
static bool
gets_through(const struct outcome *is, const struct outcome *without, size_t i)
{
	const char *heard = without->heard[i];

	if (strstr(heard, "550 ") == NULL && strstr(heard, "521 ") == NULL)
		return false;
	if (is->let_in[i] && !without->let_in[i])
		return true;
	/* (after a "450" it has gone another way) */
	return strstr(is->heard[i], "\n4") == NULL &&
	       has_line(is->log, "PASS ", i) &&
	       !has_line(without->log, "PASS ", i);
}

bool
outcome_is_allowed(const struct outcome *is, const struct outcome *without,
    struct errtext *why)
{
	/* (the clients of scenarios do not wait longer for an answer) */
	bool announced =
	    is_announced(is->log, without->log, "warning: ") ||
	    is_announced(is->log, without->log, "DNSBL score ") ||
	    is_announced(is->log, without->log, "COMMAND PIPELINING ");

	for (size_t i = 0; i < is->clients && i < without->clients; i++) {
		/* (what smtpd has begun to say is not ours to end) */
		if (is->left_alone[i] && !without->left_alone[i] &&
		    !has_line(is->log, "RELAYED ", i)) {
			errtext_set(why,
			    "client %zu is left without a word: %s", i,
			    is->heard[i]);
			return false;
		}
		/* (a list that had spoken for it may be what is missing) */
		if (!announced && has_new_refusal(is->heard[i], without, why))
			return false;
		if (!announced && gets_through(is, without, i)) {
			errtext_set(why,
			    "client %zu gets through, and nobody says so", i);
			return false;
		}
	}
	return true;
}
