/* SPDX-License-Identifier: ISC */
#include "screen/replay.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/fdpass.h"
#include "screen/screen.h"
#include "screen/verdict.h"
#include "smtp/command.h"
#include "smtp/response.h"

/* One step after the other: smtpd's greeting, then each line is sent only when
 * the answer to the one before is whole. So every answer is known to belong to
 * its command, and what smtpd refuses is told to the client in place of the
 * answer it waits for. A line is sent as the client has sent it, to the byte:
 * what smtpd thinks of its ending, or of a NUL in it, is for smtpd to say. */

enum { SERVER_INPUT_MAX = 16384, LINES_MAX = 2 };

struct replay {
	struct session *session;
	TAILQ_ENTRY(replay) others;
	struct mono since;
	bool queued;  /* waits for a place, or for smtpd's queue */
	bool asked;   /* smtpd has not greeted it yet */
	bool counted; /* has one of relay_limit places */
	replay_fn *fn;
	struct buf lines[LINES_MAX]; /* hello and mail; empty: not said */
	int step;                    /* lines[step] is said next */
	struct buf refusal;
	struct fdpass pass;
	struct stream server;
	int smtpd_end; /* of the pair, until it is passed; -1 */
};

static void finish(struct replay *r, enum replay_result result);
static void run_queue(struct screen *screen);

static void
on_retry(struct loop_timer *timer)
{
	run_queue(OWNER_OF(timer, struct screen, replays.retry));
}

static void
on_free_place(struct loop_later *later)
{
	run_queue(OWNER_OF(later, struct screen, replays.runner));
}

void
replay_queue_init(struct screen *screen)
{
	TAILQ_INIT(&screen->replays.known);
	TAILQ_INIT(&screen->replays.strangers);
	TAILQ_INIT(&screen->replays.asked);
	loop_timer_init(&screen->replays.retry, screen->loop, on_retry);
}

void
replay_queue_stop(struct screen *screen)
{
	loop_timer_stop(&screen->replays.retry);
	loop_later_cancel(&screen->replays.runner);
}

/* --- the dialogue with smtpd ------------------------------------------------ */
static void
say_next(struct replay *r)
{
	const struct buf *line;

	while (r->step < LINES_MAX && r->lines[r->step].n == 0)
		r->step++;
	if (r->step == LINES_MAX) {
		finish(r, REPLAY_READY);
		return;
	}
	line = &r->lines[r->step++];
	if (stream_write(&r->server, line->p, line->n) < 0)
		finish(r, REPLAY_FAILED);
}

/* What smtpd offers is what we may offer from now on. */
static void
learn(struct replay *r, const struct response *response)
{
	if (r->step == 1 && response->code == 250 &&
	    command_parse(buf_span(&r->lines[0])).id == COMMAND_EHLO)
		policy_learn_keywords(r->session->policy,
		    &r->session->client.addr, response->lines);
}

static void
leave_asked(struct replay *r)
{
	if (r->asked)
		TAILQ_REMOVE(&r->session->screen->replays.asked, r, others);
	r->asked = false;
}

static void
take_response(struct replay *r, const struct response *response)
{
	leave_asked(r);
	learn(r, response);
	if (response->code >= 400) {
		(void)buf_add(
		    &r->refusal, response->lines.p, response->lines.n);
		finish(r, r->refusal.n > 0 ? REPLAY_REFUSED : REPLAY_FAILED);
		return;
	}
	stream_consume(&r->server, response->lines.n);
	say_next(r);
}

static void
on_server(struct stream *server, enum stream_event event)
{
	struct replay *r = OWNER_OF(server, struct replay, server);
	struct response response;

	if (event == STREAM_DRAINED || event == STREAM_PEEKED)
		return;
	/* Before it is passed nobody has the other end. */
	if (event != STREAM_INPUT || r->smtpd_end >= 0) {
		finish(r, REPLAY_FAILED);
		return;
	}
	switch (response_next(stream_input(server), &response)) {
	case RESPONSE_MORE:
		if (stream_input(server).n >= SERVER_INPUT_MAX)
			finish(r, REPLAY_FAILED);
		break;
	case RESPONSE_READY:
		take_response(r, &response);
		break;
	case RESPONSE_BROKEN:
		finish(r, REPLAY_FAILED);
		break;
	}
}

/* --- the way to smtpd --------------------------------------------------------- */
static void
on_answer(struct fdpass *pass, bool taken)
{
	struct replay *r = OWNER_OF(pass, struct replay, pass);

	/* Who has greeted has taken it, whatever became of the other socket;
	 * the dialogue may be over by then. */
	if (!taken && r->asked)
		finish(r, REPLAY_FAILED);
}

static void
close_smtpd_end(struct replay *r)
{
	if (r->smtpd_end >= 0)
		close(r->smtpd_end);
	r->smtpd_end = -1;
}

static int
open_pair(struct replay *r)
{
	struct session *s = r->session;

	if (r->smtpd_end >= 0)
		return 0;
	if (stream_init_pair(
		&r->server, s->screen->loop, on_server, &r->smtpd_end) < 0)
		return -1;
	if (stream_talk(&r->server, SERVER_INPUT_MAX) == 0)
		return 0;
	/* The next try begins anew: nobody would listen on this one. */
	stream_close(&r->server);
	close_smtpd_end(r);
	return -1;
}

/* Who is known goes before who is not, as with hand-offs. */
static struct replay_list *
list_of(struct replay *r)
{
	struct replay_queue *q = &r->session->screen->replays;

	return r->session->standing == STANDING_STRANGER ? &q->strangers
							 : &q->known;
}

static struct replay *
first_waiting(struct replay_queue *q)
{
	struct replay *r = TAILQ_FIRST(&q->known);

	return r != NULL ? r : TAILQ_FIRST(&q->strangers);
}

/* Newcomers queue up behind, who has been at the head goes back there. */
static void
enqueue(struct replay *r, bool at_head)
{
	if (at_head)
		TAILQ_INSERT_HEAD(list_of(r), r, others);
	else
		TAILQ_INSERT_TAIL(list_of(r), r, others);
	r->queued = true;
	r->session->screen->replays.waiting++;
}

static void
dequeue(struct replay *r)
{
	TAILQ_REMOVE(list_of(r), r, others);
	r->queued = false;
	r->session->screen->replays.waiting--;
}

static void
wait_again(struct replay *r)
{
	struct replay_queue *q = &r->session->screen->replays;

	enqueue(r, true);
	if (loop_timer_start(&q->retry, REPLAY_RETRY_MS) < 0)
		finish(r, REPLAY_FAILED);
}

static void
connect_now(struct replay *r)
{
	struct session *s = r->session;

	/* Its stream is paused: who left meanwhile is found out here. */
	if (stream_has_left(&s->stream)) {
		session_follow(s, verdict_hang_up(s, EVENT_HANGUP_LATE));
		return;
	}
	if (open_pair(r) < 0) {
		wait_again(r); /* descriptors or memory: they come back */
		return;
	}
	switch (fdpass_send(&r->pass, &s->screen->handoffs.sent,
	    s->policy->smtpd_path, r->smtpd_end, &s->client, &s->server,
	    on_answer)) {
	case FDPASS_SENT:
		r->counted = true;
		s->screen->replays.active++;
		(void)crowd_make_room(s); /* for two descriptors more */
		r->asked = true;
		TAILQ_INSERT_TAIL(&s->screen->replays.asked, r, others);
		close_smtpd_end(r);
		break;
	case FDPASS_BUSY:
		wait_again(r);
		break;
	case FDPASS_NO_SERVER:
	case FDPASS_NOT_SENT:
		session_log_limited(s, EVENT_NO_SERVER,
		    (struct journal_line){.word = s->policy->smtpd_path,
			.quoted = span_str(strerror(errno))});
		finish(r, REPLAY_FAILED);
		break;
	}
}

/* As with hand-offs, the waiting may fill half of the house, for nobody sheds
 * them; then the newest stranger has to come again. */
static void
keep_room(struct screen *screen)
{
	struct replay_queue *q = &screen->replays;
	struct replay *newest;

	while (q->waiting > screen->policy->session_limit / 2 &&
	       (newest = TAILQ_LAST(&q->strangers, replay_list)) != NULL) {
		dequeue(newest);
		finish(newest, REPLAY_FAILED);
	}
}

static void
run_queue(struct screen *screen)
{
	struct replay_queue *q = &screen->replays;
	const struct config *cfg = screen_config(screen, screen->policy);
	struct replay *r;

	while (!loop_timer_is_running(&q->retry) &&
	       (int64_t)q->active < cfg->relay_limit &&
	       (r = first_waiting(q)) != NULL) {
		dequeue(r);
		connect_now(r);
	}
	keep_room(screen);
}

/* --- the contract ----------------------------------------------------------- */
static int
keep_line(struct buf *kept, struct span line)
{
	buf_init(kept, line.n);
	return buf_add(kept, line.p, line.n);
}

int
replay_start(
    struct session *s, struct span hello, struct span mail, replay_fn *fn)
{
	struct replay_queue *q = &s->screen->replays;
	struct replay *r = mem_new(sizeof(*r));

	if (r == NULL)
		return -1;
	s->replay = r;
	r->session = s;
	r->fn = fn;
	r->smtpd_end = -1;
	r->server.fd = -1;
	buf_init(&r->refusal, SERVER_INPUT_MAX);
	if (keep_line(&r->lines[0], hello) < 0 ||
	    keep_line(&r->lines[1], mail) < 0) {
		replay_free(s);
		return errno = ENOMEM, -1;
	}
	enqueue(r, false);
	r->since = loop_now(s->screen->loop);
	handoff_watch_server(s->screen);
	loop_later_add(s->screen->loop, &q->runner, on_free_place);
	return 0;
}

void
replay_free(struct session *s)
{
	struct replay *r = s->replay;
	struct replay_queue *q = &s->screen->replays;

	if (r == NULL)
		return;
	if (r->queued)
		dequeue(r);
	leave_asked(r);
	if (r->counted)
		q->active--;
	fdpass_cancel(&r->pass);
	stream_close(&r->server);
	close_smtpd_end(r);
	buf_clear(&r->refusal);
	for (int i = 0; i < LINES_MAX; i++)
		buf_clear(&r->lines[i]);
	mem_free(r);
	s->replay = NULL;
	loop_later_add(s->screen->loop, &q->runner, on_free_place);
}

/* The session's function may free us. */
static void
finish(struct replay *r, enum replay_result result)
{
	struct session *s = r->session;

	session_follow(s, r->fn(s, result));
}

static int64_t
age_ms(const struct replay *r, struct mono now)
{
	return r == NULL ? -1 : mono_between(r->since, now);
}

int64_t
replay_oldest_ms(const struct screen *screen, struct mono now)
{
	const struct replay_queue *q = &screen->replays;
	const int64_t ages[] = {age_ms(TAILQ_FIRST(&q->known), now),
	    age_ms(TAILQ_FIRST(&q->strangers), now),
	    age_ms(TAILQ_FIRST(&q->asked), now)};
	int64_t oldest = -1;

	for (size_t i = 0; i < sizeof(ages) / sizeof(*ages); i++) {
		if (ages[i] > oldest)
			oldest = ages[i];
	}
	return oldest;
}

struct stream *
replay_server(struct replay *r)
{
	return &r->server;
}

void
replay_redirect(struct replay *r, stream_fn *fn)
{
	r->server.fn = fn;
}

struct session *
replay_session(struct stream *server)
{
	return OWNER_OF(server, struct replay, server)->session;
}

struct span
replay_refusal(const struct replay *r)
{
	return buf_span(&r->refusal);
}
