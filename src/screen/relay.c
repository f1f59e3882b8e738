/* SPDX-License-Identifier: ISC */
#include "screen/session.h"

#include "screen/replay.h"
#include "screen/verdict.h"
#include "smtp/line.h"

/* Two streams, joined. Each side is read only while the other has taken what it
 * was given, so a slow reader slows the writer and not us; the end of one side
 * is passed on when all before it is. From here on every byte is between the
 * client and smtpd: TLS too. */

enum {
	RELAY_BUFFER_MAX = STREAM_OUTPUT_MAX,
	/* Ten seconds more than smtpd's own, so that it can say goodbye. */
	RELAY_IDLE_MS = 310 * 1000,
	TLS_PROOF_BYTES = 512, /* what no client sends before it means it */
	TLS_CHANGE_CIPHER_SPEC = 20,
	TLS_APPLICATION_DATA = 23,
	TLS_MAJOR = 3,
	TLS_RECORD_MAX = 16384 + 2048 /* RFC 5246 section 6.2.3 */
};

static struct stream *
server_of(struct session *s)
{
	return replay_server(s->replay);
}

/* What waits in `from`, as far as `to` has room for it. */
static struct span
movable(const struct stream *from, const struct stream *to)
{
	struct span bytes = stream_input(from);
	size_t room = RELAY_BUFFER_MAX - stream_unsent(to);

	return span_of(bytes.p, bytes.n < room ? bytes.n : room);
}

/* Move that, and the end when it has come. */
static int
move(struct stream *from, struct stream *to)
{
	struct span bytes = movable(from, to);

	if (bytes.n > 0) {
		if (stream_write(to, bytes.p, bytes.n) < 0)
			return -1;
		stream_consume(from, bytes.n);
	}
	if (stream_unsent(to) > 0)
		stream_pause(from);
	else if (from->ended && stream_input(from).n == 0)
		stream_end(to);
	else
		stream_resume(from);
	return 0;
}

/* The answer to STARTTLS: "220 ..." and TLS begins. */
static void
look_for_tls(struct session *s)
{
	if (s->tls == SESSION_TLS_ASKED &&
	    span_has_prefix(stream_input(server_of(s)), "220"))
		s->tls = SESSION_TLS_BEGUN;
}

/* One step through the client's TLS records (RFC 8446 section 5.1): a byte of
 * a header, or as much of a payload as there is. How many bytes it took. */
static size_t
follow_record(struct session *s, struct span bytes)
{
	struct session_record *r = &s->record;
	size_t n = bytes.n < r->left ? bytes.n : r->left;

	if (r->left > 0) {
		if (r->header[0] == TLS_APPLICATION_DATA)
			s->tls_bytes += n;
		r->left = (uint16_t)(r->left - n);
		return n;
	}
	r->header[r->header_n++] = (uint8_t)bytes.p[0];
	if (r->header_n == sizeof(r->header)) {
		r->header_n = 0;
		r->left = (uint16_t)(r->header[3] << 8 | r->header[4]);
		if (r->header[0] < TLS_CHANGE_CIPHER_SPEC ||
		    r->header[0] > TLS_APPLICATION_DATA ||
		    r->header[1] != TLS_MAJOR || r->left > TLS_RECORD_MAX)
			s->tls = SESSION_TLS_NONE; /* it is not TLS at all */
	}
	return 1;
}

/* A client that talks to smtpd inside TLS has shown what the deep tests ask. */
static void
follow_tls(struct session *s, struct span bytes)
{
	size_t n;

	while (bytes.n > 0 && s->tls == SESSION_TLS_BEGUN) {
		n = follow_record(s, bytes);
		bytes = span_of(bytes.p + n, bytes.n - n);
	}
	if (s->tls == SESSION_TLS_BEGUN && s->tls_bytes >= TLS_PROOF_BYTES) {
		s->tls = SESSION_TLS_PROVEN;
		verdict_pass_in_tls(s);
	}
}

static enum phase
move_both(struct session *s)
{
	struct stream *server = server_of(s);

	follow_tls(s, movable(&s->stream, server));
	/* What smtpd had said before it broke is still for the client. */
	if (server->broken)
		stream_pause(&s->stream);
	else if (move(&s->stream, server) < 0)
		return PHASE_DONE;
	look_for_tls(s);
	if (move(server, &s->stream) < 0 ||
	    loop_timer_start(&s->deadline, RELAY_IDLE_MS) < 0)
		return PHASE_DONE;
	if (server->ended && stream_input(server).n == 0 &&
	    stream_unsent(&s->stream) == 0)
		return PHASE_DONE;
	return PHASE_STAY;
}

static enum phase
on_event(struct session *s, enum stream_event event)
{
	if (event == STREAM_ERROR || event == STREAM_PEEKED)
		return PHASE_DONE;
	return move_both(s);
}

static void
on_server(struct stream *server, enum stream_event event)
{
	struct session *s = replay_session(server);

	(void)event;
	session_follow(s, move_both(s));
}

/* smtpd's refusal of what was replayed is the answer to the client's present
 * command, which then is not sent. */
static int
answer_with_refusal(struct session *s)
{
	struct span refusal = replay_refusal(s->replay);
	struct line line;

	if (refusal.n == 0)
		return 0;
	stream_consume(server_of(s), refusal.n);
	if (line_next(stream_input(&s->stream), s->policy->line_length_limit,
		&line) == LINE_READY)
		stream_consume(&s->stream, line.used);
	return stream_write(&s->stream, refusal.p, refusal.n);
}

static enum phase
relay_begin(struct session *s)
{
	session_log(s, EVENT_RELAYED, (struct journal_line){0});
	counters_bump(s->screen->counters, COUNTER_RELAYED);
	/* smtpd logs how it ends. */
	s->handed_off = true;
	replay_redirect(s->replay, on_server);
	stream_widen(&s->stream, RELAY_BUFFER_MAX);
	if (answer_with_refusal(s) < 0)
		return PHASE_DONE;
	return move_both(s);
}

static enum phase
relay_on_deadline(struct session *s)
{
	(void)s;
	return PHASE_DONE;
}

const struct phase_ops relay_phase = {
    .name = "relay",
    .begin = relay_begin,
    .on_stream = on_event,
    .on_deadline = relay_on_deadline,
    .end = replay_free,
};
