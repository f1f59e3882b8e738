/* SPDX-License-Identifier: ISC */
#include "screen/stutter.h"

#include "base/mem.h"
#include "base/must.h"
#include "screen/patience.h"
#include "screen/verdict.h"

/* One timer and one reply for each session that is held back, in steps of a
 * second at most: each step looks whether there is a reason to stop, so that
 * nobody has to keep a list of those to be let go when stress begins. The client
 * is not read from meanwhile, and whether it is still there is seen in each
 * step too. */

struct stutter {
	struct session *session;
	stutter_fn *then;
	struct buf reply;               /* empty: nothing is held back */
	size_t sent;                    /* of it */
	int64_t delay_ms;               /* left before its first byte */
	int64_t stuttered_ms, spent_ms; /* in this session */
	int64_t step_ms;                /* that the timer runs for */
	struct loop_timer timer;
};

static void on_step(struct loop_timer *timer);

static size_t
sessions_max(const struct screen *screen)
{
	const struct config *cfg = screen_config(screen, screen->policy);
	int64_t quarter = cfg->pre_queue_limit / 4;

	if (quarter > STUTTER_SESSIONS_MAX)
		return STUTTER_SESSIONS_MAX;
	return quarter < 1 ? 1 : (size_t)quarter;
}

static bool
may_hold(const struct session *s)
{
	const struct config *cfg = session_config(s);

	return (cfg->suspect_reply_delay > 0 || cfg->suspect_stutter > 0) &&
	       patience_is_suspect(s) && !s->screen->stress &&
	       s->screen->held_back < sessions_max(s->screen);
}

bool
stutter_is_holding(const struct stutter *st)
{
	return st != NULL && st->reply.n > 0;
}

/* How long the next step is; 0: the rest goes out now. */
static int64_t
next_step(const struct stutter *st)
{
	int64_t left = STUTTER_SESSION_MS - st->spent_ms;
	int64_t step = STUTTER_BYTE_MS;

	if (st->session->screen->stress || left <= 0)
		return 0;
	if (st->delay_ms > 0 && st->delay_ms < step)
		step = st->delay_ms;
	if (st->delay_ms <= 0 &&
	    st->stuttered_ms >= session_config(st->session)->suspect_stutter)
		return 0;
	return step < left ? step : left;
}

static int
send_some(struct stutter *st, size_t n)
{
	int rc = stream_write(&st->session->stream, st->reply.p + st->sent, n);

	if (rc == 0)
		st->sent += n;
	if (rc == 0 && st->sent < st->reply.n)
		return 0;
	buf_clear(&st->reply);
	st->session->screen->held_back--;
	return rc < 0 ? -1 : 1;
}

static int
send_rest(struct stutter *st)
{
	loop_timer_stop(&st->timer);
	return send_some(st, st->reply.n - st->sent);
}

/* 1 when the reply is out, 0 when more of it follows later, or -1. */
static int
advance(struct stutter *st)
{
	int rc = 0;

	if ((st->step_ms = next_step(st)) == 0)
		return send_rest(st);
	if (st->delay_ms <= 0)
		rc = send_some(st, 1);
	if (rc == 0 && loop_timer_start(&st->timer, st->step_ms) < 0)
		return send_rest(st);
	return rc;
}

static void
on_step(struct loop_timer *timer)
{
	struct stutter *st = OWNER_OF(timer, struct stutter, timer);
	struct session *s = st->session;
	int rc;

	st->spent_ms += st->step_ms;
	if (st->delay_ms > 0)
		st->delay_ms -= st->step_ms;
	else
		st->stuttered_ms += st->step_ms;
	if (stream_has_left(&s->stream)) {
		session_follow(s, verdict_hang_up(s, EVENT_HANGUP_LATE));
		return;
	}
	if ((rc = advance(st)) > 0)
		session_follow(s, st->then(s));
	else if (rc < 0) /* half a line and a 421 would be no reply at all */
		session_follow(s, st->sent > 0
				      ? PHASE_DONE
				      : verdict_close(s, VERDICT_NO_RESOURCES));
}

static struct stutter *
stutter_new(struct session *s, stutter_fn *then)
{
	struct stutter *st = mem_new(sizeof(*st));

	if (st == NULL)
		return NULL;
	st->session = s;
	st->then = then;
	loop_timer_init(&st->timer, s->screen->loop, on_step);
	return st;
}

int
stutter_send(
    struct stutter **stp, struct session *s, struct buf *out, stutter_fn *then)
{
	struct stutter *st = *stp;
	int rc;

	must(!stutter_is_holding(st));
	if (out->n == 0 || !may_hold(s) ||
	    (st == NULL && (st = *stp = stutter_new(s, then)) == NULL)) {
		rc = stream_write(&s->stream, out->p, out->n);
		buf_clear(out); /* most sessions wait most of their time */
		return rc;
	}
	st->reply = *out;
	buf_init(out, out->max);
	st->sent = 0;
	st->delay_ms = session_config(s)->suspect_reply_delay;
	s->screen->held_back++;
	return advance(st) < 0 ? -1 : 0;
}

void
stutter_free(struct stutter **st)
{
	if (*st == NULL)
		return;
	if (stutter_is_holding(*st) && send_rest(*st) < 0 && (*st)->sent > 0)
		(*st)->session->farewell = VERDICT_NONE; /* as above */
	mem_free(*st);
	*st = NULL;
}
