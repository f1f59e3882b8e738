/* SPDX-License-Identifier: ISC */
#include "screen/session.h"

#include "base/mem.h"
#include "net/tls_witness.h"
#include "screen/replay.h"
#include "screen/verdict.h"
#include "smtp/line.h"

/* Two streams, joined. Each side is read only while the other has taken what it
 * was given, so a slow reader slows the writer and not us; the end of one side
 * is passed on when all before it is. From here on every byte is between the
 * client and smtpd: TLS too.
 *
 * That one side is silent means nothing: smtpd is, for as long as a big mail
 * comes in slowly. When both are, smtpd's own time limit goes first, so that
 * the client hears its goodbye; ours is for an smtpd that has none. */

enum {
	RELAY_BUFFER_MAX = STREAM_OUTPUT_MAX,
	STALL_MS = 300 * 1000,   /* for one side to take what the other sent */
	SILENCE_MS = 310 * 1000, /* of both; smtpd's is 300 s */
	TLS_PROOF_BYTES = 512    /* what no client sends before it means it */
};

/* One direction. */
struct way {
	size_t given;      /* to the stream that it leads to */
	size_t taken;      /* of it, by the kernel, when last looked at */
	bool stuck;        /* something was left */
	struct mono since; /* that, or that some was taken */
};

struct relay {
	struct tls_witness witness;
	unsigned reply_n;  /* bytes of the answer to STARTTLS */
	struct mono heard; /* when anybody last said anything */
	struct way to_server, to_client;
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
move(struct session *s, struct stream *from, struct stream *to, struct way *way)
{
	struct span bytes = movable(from, to);

	if (bytes.n > 0) {
		if (stream_write(to, bytes.p, bytes.n) < 0)
			return -1;
		way->given += bytes.n;
		s->relay->heard = loop_now(s->screen->loop);
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

/* --- time ------------------------------------------------------------------- */
/* When this direction has been stuck for too long, if it is. */
static struct mono
way_limit(struct way *way, const struct stream *to, struct mono now)
{
	size_t taken = way->given - stream_unsent(to);

	if (!way->stuck || taken != way->taken)
		way->since = now;
	way->stuck = taken != way->given;
	way->taken = taken;
	return mono_after(way->since, STALL_MS);
}

/* How long it may go on like this; 0: no longer. */
static int64_t
time_left(struct session *s)
{
	struct relay *r = s->relay;
	struct mono now = loop_now(s->screen->loop);
	const struct mono limits[] = {mono_after(r->heard, SILENCE_MS),
	    way_limit(&r->to_server, server_of(s), now),
	    way_limit(&r->to_client, &s->stream, now)};
	int64_t least = SILENCE_MS;

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		int64_t left = mono_between(now, limits[i]);

		if (left < least)
			least = left;
	}
	return least > 0 ? least : 0;
}

/* --- TLS that passes through ------------------------------------------------- */
/* The answer to STARTTLS is still in the clear: "220 ...", and TLS begins. */
static struct span
follow_answer(struct session *s, struct span bytes)
{
	struct relay *r = s->relay;

	while (bytes.n > 0 && s->tls == SESSION_TLS_ASKED) {
		if (r->reply_n < 3 && bytes.p[0] != "220"[r->reply_n])
			s->tls = SESSION_TLS_NONE;
		else if (bytes.p[0] == '\n')
			s->tls = SESSION_TLS_BEGUN;
		r->reply_n++;
		bytes = span_of(bytes.p + 1, bytes.n - 1);
	}
	return bytes;
}

/* A client that talks to smtpd inside TLS has shown what the deep tests ask. */
static void
follow_tls(struct session *s)
{
	struct tls_witness *w = &s->relay->witness;

	if (s->tls != SESSION_TLS_BEGUN)
		return;
	if (stream_is_at_rest(server_of(s)))
		tls_witness_rest(w);
	if (w->not_tls) {
		s->tls = SESSION_TLS_NONE;
	} else if (w->proven && w->said >= TLS_PROOF_BYTES) {
		s->tls = SESSION_TLS_PROVEN;
		verdict_pass_in_tls(s);
	}
}

static void
follow_client(struct session *s)
{
	if (s->tls == SESSION_TLS_BEGUN)
		tls_witness_client(
		    &s->relay->witness, movable(&s->stream, server_of(s)));
}

static void
follow_server(struct session *s)
{
	struct span bytes = movable(server_of(s), &s->stream);

	bytes = follow_answer(s, bytes);
	if (s->tls == SESSION_TLS_BEGUN)
		tls_witness_server(&s->relay->witness, bytes);
}

/* --- both ways ---------------------------------------------------------------- */
static int
move_to_server(struct session *s)
{
	struct stream *server = server_of(s);

	/* What smtpd had said before it broke is still for the client. */
	if (server->broken) {
		stream_pause(&s->stream);
		return 0;
	}
	follow_client(s);
	return move(s, &s->stream, server, &s->relay->to_server);
}

static int
move_to_client(struct session *s)
{
	follow_server(s);
	return move(s, server_of(s), &s->stream, &s->relay->to_client);
}

static enum phase
move_both(struct session *s)
{
	const struct stream *server = server_of(s);
	int64_t left;

	if (move_to_server(s) < 0 || move_to_client(s) < 0)
		return PHASE_DONE;
	follow_tls(s);
	left = time_left(s);
	if (left == 0 || loop_timer_start(&s->deadline, left) < 0)
		return PHASE_DONE;
	if (server->ended && stream_input(server).n == 0 &&
	    stream_unsent(&s->stream) == 0)
		return PHASE_DONE;
	return PHASE_STAY;
}

static enum phase
on_event(struct session *s, enum stream_event event)
{
	if (event == STREAM_ERROR || event == STREAM_NO_MEMORY ||
	    event == STREAM_PEEKED)
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
	if (line_next(stream_input(&s->stream), s->policy->line_room, &line) ==
	    LINE_READY)
		stream_consume(&s->stream, line.used);
	return stream_write(&s->stream, refusal.p, refusal.n);
}

static enum phase
relay_begin(struct session *s)
{
	if ((s->relay = mem_new(sizeof(*s->relay))) == NULL)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	s->relay->heard = loop_now(s->screen->loop);
	session_log(s, EVENT_RELAYED, (struct journal_line){0});
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
	int64_t left = time_left(s);

	/* A slow reader may have taken some without a word to us. */
	if (left == 0 || loop_timer_start(&s->deadline, left) < 0)
		return PHASE_DONE;
	return PHASE_STAY;
}

static void
relay_end(struct session *s)
{
	mem_free(s->relay);
	s->relay = NULL;
	replay_free(s);
}

const struct phase_ops relay_phase = {
    .name = "relay",
    .begin = relay_begin,
    .on_stream = on_event,
    .on_deadline = relay_on_deadline,
    .end = relay_end,
};
