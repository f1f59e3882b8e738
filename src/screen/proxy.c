/* SPDX-License-Identifier: ISC */
#include "screen/session.h"

#include "net/proxyhdr.h"
#include "screen/verdict.h"

/* A peer that may speak for others must: its first bytes are the header, and
 * are the only bytes that are read here. Until then nobody knows the client, so
 * there is no CONNECT line, and when it comes to nothing no DISCONNECT either;
 * the trouble names the peer.
 *
 * A proxy's own connection is most often a health check that leaves at once.
 * For a moment we wait for that, so that such a check costs no smtpd and no line
 * in any log. One that stays is quiet until there is something to tell about
 * it. A reset takes an unread header with it, so it is a health check, too.
 * haproxy has no word for its own connections in version 1: it announces what
 * they are, with the very addresses and ports of the socket. */

enum { LOCAL_LINGER_MS = 100 };

/* Not session_log(), which would begin with CONNECT; and whoever reaches the
 * port can have such a line for the price of a connection. */
static enum phase
fail(struct session *s, enum journal_event event, struct journal_line line)
{
	session_log_limited(s, event, line);
	return verdict_close(s, VERDICT_NO_RESOURCES);
}

/* From here on the client is the one who was announced: tests, limits, memory
 * and log lines are its own. */
static enum phase
announce(struct session *s, const struct proxyhdr *header)
{
	if (session_set_ends(s, &header->client, &header->server) < 0)
		return fail(s, EVENT_NO_MEMORY, (struct journal_line){0});
	s->quiet = false;
	session_mark(s);
	return PHASE_ADMIT;
}

static bool
is_same(const struct endpoint *a, const struct endpoint *b)
{
	return addr_equal(&a->addr, &b->addr) && a->port == b->port;
}

static bool
is_own(const struct session *s, const struct proxyhdr *header)
{
	return header->local || (is_same(&header->client, &s->client) &&
				    is_same(&header->server, &s->server));
}

static enum phase
linger(struct session *s)
{
	s->local = true;
	if (stream_watch(&s->stream) < 0 ||
	    loop_timer_start(&s->deadline, LOCAL_LINGER_MS) < 0)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	return PHASE_STAY;
}

static enum phase
read_header(struct session *s)
{
	const struct proxyhdr_families speaks = {
	    .ipv4 = s->policy->ipv4, .ipv6 = s->policy->ipv6};
	struct span said = stream_peeked(&s->stream);
	struct proxyhdr header;

	if (said.n > PROXYHDR_MAX)
		said.n = PROXYHDR_MAX;
	if (proxyhdr_parse(said, speaks, &header) < 0)
		return fail(s, EVENT_PROXY_HEADER,
		    (struct journal_line){.word = header.why, .quoted = said});
	if (stream_skip(&s->stream, header.used) < 0)
		return PHASE_DONE;
	return is_own(s, &header) ? linger(s) : announce(s, &header);
}

/* Others make room for it already; whether there is some is asked when it has a
 * name. */
static enum phase
proxy_begin(struct session *s)
{
	s->quiet = true;
	(void)crowd_make_room(s);
	if (stream_watch(&s->stream) < 0 ||
	    loop_timer_start(
		&s->deadline, session_config(s)->upstream_proxy_timeout) < 0)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	return PHASE_STAY;
}

static enum phase
proxy_on_stream(struct session *s, enum stream_event event)
{
	switch (event) {
	case STREAM_PEEKED:
		return s->local ? PHASE_ADMIT : read_header(s);
	case STREAM_EOF:
		s->outcome = COUNTER_HUNG_UP;
		if (!s->local)
			return fail(
			    s, EVENT_PROXY_EOF, (struct journal_line){0});
		return PHASE_DONE;
	case STREAM_ERROR:
		s->outcome = COUNTER_HUNG_UP;
		return PHASE_DONE;
	case STREAM_NO_MEMORY:
		return verdict_close(s, VERDICT_NO_RESOURCES);
	case STREAM_INPUT:
	case STREAM_DRAINED:
		break;
	}
	return PHASE_STAY;
}

static enum phase
proxy_on_deadline(struct session *s)
{
	if (s->local)
		return PHASE_ADMIT;
	return fail(s, EVENT_PROXY_TIMEOUT, (struct journal_line){0});
}

const struct phase_ops proxy_phase = {
    .name = "proxy",
    .begin = proxy_begin,
    .on_stream = proxy_on_stream,
    .on_deadline = proxy_on_deadline,
};
