/* SPDX-License-Identifier: ISC */
#include "screen/handoff.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "net/fdpass.h"
#include "screen/replay.h"
#include "screen/session.h"
#include "screen/verdict.h"

/* smtpd answers a hand-off by closing its socket, when one of its processes is
 * free: so what is sent and not answered tells how far smtpd is behind, and
 * post_queue_limit bounds it. Answers are collected now and then; when their
 * number matters, or somebody waits for a place, they are asked for at once.
 *
 * A hand-off is sent whole or not at all. Once it is sent the connection is
 * smtpd's, whatever happens: then it is only closed. */

struct handoff {
	struct session *session;
	bool queued, known, allowed;
	bool lost_once; /* smtpd died with it in its queue */
	struct mono since;
	TAILQ_ENTRY(handoff) others;
	TAILQ_ENTRY(handoff) older;
	struct fdpass pass;
};

static void handoff_queue_run(struct screen *screen);
static void on_look(struct loop_timer *timer);

static void
on_retry(struct loop_timer *timer)
{
	handoff_queue_run(OWNER_OF(timer, struct screen, handoffs.retry));
}

static void
on_free_place(struct loop_later *later)
{
	handoff_queue_run(OWNER_OF(later, struct screen, handoffs.runner));
}

/* --- is smtpd behind? ------------------------------------------------------ */
static bool
somebody_waits_long(struct screen *screen, struct mono now)
{
	const struct handoff *oldest = TAILQ_FIRST(&screen->handoffs.by_age);

	if (oldest != NULL &&
	    mono_between(oldest->since, now) >= HANDOFF_SLOW_MS)
		return true;
	return replay_oldest_ms(screen, now) >= HANDOFF_SLOW_MS;
}

bool
handoff_server_is_slow(const struct screen *screen)
{
	return mono_between(
		   loop_now(screen->loop), screen->handoffs.slow_until) > 0;
}

static void
note_server_gone(struct screen *screen)
{
	struct handoff_queue *q = &screen->handoffs;

	q->gone_at = loop_now(screen->loop);
	if (!q->is_gone)
		q->gone_since = q->gone_at;
	q->is_gone = true;
}

int64_t
handoff_server_gone_ms(const struct screen *screen, int64_t forget_ms)
{
	const struct handoff_queue *q = &screen->handoffs;
	struct mono now = loop_now(screen->loop);

	if (!q->is_gone || mono_between(q->gone_at, now) > forget_ms)
		return -1;
	return mono_between(q->gone_since, now);
}

void
handoff_watch_server(struct screen *screen)
{
	struct loop_timer *look = &screen->handoffs.look;

	if (!loop_timer_is_running(look))
		(void)loop_timer_start(look, HANDOFF_SLOW_MS);
}

/* Late hand-off has begun: who waits here for smtpd can wait with us until it
 * says something. */
static void
greet_list(struct handoff_list *list)
{
	struct handoff *h, *next;

	for (h = TAILQ_FIRST(list); h != NULL; h = next) {
		next = TAILQ_NEXT(h, others);
		if (h->allowed || !session_config(h->session)->late_handoff)
			continue;
		h->session->late = true;
		session_follow(h->session, PHASE_DIALOGUE);
	}
}

static void
on_look(struct loop_timer *timer)
{
	struct screen *screen = OWNER_OF(timer, struct screen, handoffs.look);
	struct mono now = loop_now(screen->loop);

	bool is_slow = somebody_waits_long(screen, now);

	if (is_slow)
		screen->handoffs.slow_until = mono_after(now, HANDOFF_CALM_MS);
	if (is_slow || TAILQ_EMPTY(&screen->handoffs.by_age))
		screen->handoffs.window = 0;
	if (handoff_server_is_slow(screen) ||
	    !TAILQ_EMPTY(&screen->handoffs.by_age) ||
	    replay_oldest_ms(screen, now) >= 0)
		handoff_watch_server(screen);
	screen_update_stress(screen);
	greet_list(&screen->handoffs.known);
	greet_list(&screen->handoffs.strangers);
}

void
handoff_queue_init(struct handoff_queue *q, struct loop *loop)
{
	TAILQ_INIT(&q->known);
	TAILQ_INIT(&q->strangers);
	TAILQ_INIT(&q->by_age);
	fdpass_collector_init(&q->sent, loop);
	loop_timer_init(&q->look, loop, on_look);
	loop_timer_init(&q->retry, loop, on_retry);
}

void
handoff_queue_stop(struct handoff_queue *q)
{
	fdpass_collector_stop(&q->sent);
	loop_timer_stop(&q->look);
	loop_timer_stop(&q->retry);
	loop_later_cancel(&q->runner);
}

/* Newcomers queue up behind, who has been at the head goes back there. */
static void
enqueue(struct handoff_queue *q, struct handoff *h, bool at_head)
{
	struct handoff_list *list = h->known ? &q->known : &q->strangers;

	if (at_head)
		TAILQ_INSERT_HEAD(list, h, others);
	else
		TAILQ_INSERT_TAIL(list, h, others);
	h->queued = true;
	q->waiting++;
}

static void
dequeue(struct handoff_queue *q, struct handoff *h)
{
	if (h->known)
		TAILQ_REMOVE(&q->known, h, others);
	else
		TAILQ_REMOVE(&q->strangers, h, others);
	h->queued = false;
	q->waiting--;
}

/* After a teaser the greeting is finished first, and the first command gets the
 * 421: a 220- line followed by a 421 would be one reply with two codes. */
static enum phase
turn_away(struct session *s, enum verdict at_once, enum verdict later)
{
	if (!s->greeted)
		return verdict_close(s, at_once);
	s->turn_away = (uint8_t)later;
	return PHASE_DIALOGUE;
}

static enum phase
turn_away_busy(struct session *s)
{
	session_log(s, EVENT_REJECT_SERVER, (struct journal_line){0});
	return turn_away(s, VERDICT_SERVER_BUSY, VERDICT_SERVER_BUSY);
}

static enum phase
on_failure(struct session *s, enum journal_event event, enum verdict v)
{
	counters_bump(s->screen->counters, COUNTER_HANDOFF_FAILED);
	session_log(s, event,
	    (struct journal_line){.word = s->policy->smtpd_path,
		.quoted = span_str(strerror(errno))});
	return turn_away(s, v, VERDICT_NO_RESOURCES);
}

/* To the head of the queue, watching for a client that leaves. */
static enum phase
wait_again(struct handoff *h)
{
	struct session *s = h->session;
	struct handoff_queue *q = &s->screen->handoffs;

	enqueue(q, h, true);
	if (loop_timer_start(&q->retry, HANDOFF_RETRY_MS) < 0 ||
	    stream_watch(&s->stream) < 0)
		return turn_away_busy(s);
	return PHASE_STAY;
}

/* smtpd ended before it took the client out of its queue: the connection never
 * was touched, and is ours again. */
static enum phase
on_lost(struct handoff *h)
{
	struct session *s = h->session;

	s->passed_on = false;
	s->screen->handoffs.in_flight--;
	fdpass_cancel(&h->pass);
	if (h->lost_once) {
		errno = ECONNRESET; /* as the kernel has told, long ago */
		return on_failure(s, EVENT_NOT_PASSED, VERDICT_NO_RESOURCES);
	}
	h->lost_once = true;
	return wait_again(h);
}

static void
on_answer(struct fdpass *pass, bool taken)
{
	struct handoff *h = OWNER_OF(pass, struct handoff, pass);
	struct session *s = h->session;

	if (!taken) {
		session_follow(s, on_lost(h));
		return;
	}
	s->handed_off = true;
	s->screen->handoffs.window++;
	counters_note_wait(s->screen->counters, HISTOGRAM_HANDOFF_WAIT,
	    mono_between(h->since, loop_now(s->screen->loop)));
	session_follow(s, PHASE_DONE);
}

static enum phase
try_send(struct handoff *h)
{
	struct session *s = h->session;

	stream_unwatch(&s->stream);
	switch (fdpass_send(&h->pass, &s->screen->handoffs.sent,
	    s->policy->smtpd_path, s->stream.fd, &s->client, &s->server,
	    on_answer)) {
	case FDPASS_SENT:
		s->screen->handoffs.is_gone = false;
		s->passed_on = true;
		s->screen->handoffs.in_flight++;
		/* smtpd's turn: it has as long again. */
		(void)loop_timer_start(&s->deadline, HANDOFF_WAIT_MS);
		return PHASE_STAY;
	case FDPASS_BUSY:
		counters_bump(s->screen->counters, COUNTER_HANDOFF_RETRIES);
		return wait_again(h);
	case FDPASS_NO_SERVER:
		note_server_gone(s->screen);
		return on_failure(s, EVENT_NO_SERVER, VERDICT_SERVER_BUSY);
	case FDPASS_NOT_SENT:
		break;
	}
	return on_failure(s, EVENT_NOT_PASSED, VERDICT_NO_RESOURCES);
}

static bool
smtpd_has_place(const struct screen *screen, const struct handoff *h)
{
	const struct handoff_queue *q = &screen->handoffs;
	int64_t limit = screen_config(screen, screen->policy)->post_queue_limit;
	int64_t window = (int64_t)q->window + HANDOFF_WINDOW_FIRST;

	if (!h->allowed && window < limit)
		limit = window;
	return (int64_t)q->in_flight < limit;
}

static bool
has_place(struct screen *screen, const struct handoff *h)
{
	struct handoff_queue *q = &screen->handoffs;

	if (loop_timer_is_running(&q->retry))
		return false;
	if (!smtpd_has_place(screen, h))
		fdpass_collect(&q->sent);
	return smtpd_has_place(screen, h);
}

static struct handoff *
first_waiting(struct handoff_queue *q)
{
	struct handoff *h = TAILQ_FIRST(&q->known);

	return h != NULL ? h : TAILQ_FIRST(&q->strangers);
}

static void
handoff_queue_run(struct screen *screen)
{
	struct handoff_queue *q = &screen->handoffs;
	struct handoff *h;

	while ((h = first_waiting(q)) != NULL && has_place(screen, h)) {
		dequeue(q, h);
		session_follow(h->session, try_send(h));
	}
	if (q->waiting > 0) /* for the next answer */
		fdpass_collect(&q->sent);
}

/* A newcomer that nobody is before. */
static bool
is_next(const struct handoff_queue *q, const struct handoff *h)
{
	return h->allowed ? TAILQ_EMPTY(&q->known) : q->waiting == 0;
}

/* The waiting may fill half of the house; then the newest stranger goes. */
static enum phase
keep_room(struct session *s)
{
	struct handoff_queue *q = &s->screen->handoffs;
	struct handoff *newest = TAILQ_LAST(&q->strangers, handoff_list);

	if (q->waiting <= s->policy->session_limit / 2 || newest == NULL)
		return PHASE_STAY;
	if (newest->session == s)
		return turn_away_busy(s);
	session_follow(newest->session, turn_away_busy(newest->session));
	return PHASE_STAY;
}

static enum phase
handoff_begin(struct session *s)
{
	struct handoff_queue *q = &s->screen->handoffs;
	struct handoff *h = mem_new(sizeof(*h));
	enum phase wish;

	if ((s->handoff = h) == NULL)
		return turn_away(s, VERDICT_NO_RESOURCES, VERDICT_NO_RESOURCES);
	h->session = s;
	h->since = loop_now(s->screen->loop);
	TAILQ_INSERT_TAIL(&q->by_age, h, older);
	handoff_watch_server(s->screen);
	h->known = s->standing != STANDING_STRANGER;
	h->allowed = s->standing == STANDING_ALLOWED;
	/* One deadline from here on, however often smtpd is tried. */
	if (loop_timer_start(&s->deadline, HANDOFF_WAIT_MS) < 0)
		return turn_away_busy(s);
	if (is_next(q, h) && has_place(s->screen, h)) {
		wish = try_send(h);
		if (wish != PHASE_STAY || !h->queued)
			return wish;
	} else {
		enqueue(q, h, false);
		if (stream_watch(&s->stream) < 0)
			return turn_away_busy(s);
	}
	return keep_room(s);
}

/* Only while it waits in our queue: what is sent is not watched any more. What
 * it says early is smtpd's business. */
static enum phase
handoff_on_stream(struct session *s, enum stream_event event)
{
	if (event != STREAM_EOF && event != STREAM_ERROR)
		return PHASE_STAY;
	return verdict_hang_up(s, EVENT_HANGUP_EARLY);
}

static enum phase
handoff_on_deadline(struct session *s)
{
	if (s->handoff->queued)
		return turn_away_busy(s);
	counters_bump(s->screen->counters, COUNTER_HANDOFF_FAILED);
	session_log(s, EVENT_SERVER_TIMEOUT,
	    (struct journal_line){.word = s->policy->smtpd_path});
	return PHASE_DONE;
}

static void
handoff_end(struct session *s)
{
	struct handoff_queue *q = &s->screen->handoffs;
	struct handoff *h = s->handoff;

	if (h == NULL)
		return;
	TAILQ_REMOVE(&q->by_age, h, older);
	if (h->queued)
		dequeue(q, h);
	if (s->passed_on) {
		q->in_flight--;
		fdpass_cancel(&h->pass);
	}
	if (q->waiting > 0)
		loop_later_add(s->screen->loop, &q->runner, on_free_place);
	mem_free(h);
	s->handoff = NULL;
}

const struct phase_ops handoff_phase = {
    .name = "hand-off",
    .begin = handoff_begin,
    .on_stream = handoff_on_stream,
    .on_deadline = handoff_on_deadline,
    .end = handoff_end,
};
