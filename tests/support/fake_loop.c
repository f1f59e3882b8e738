/* SPDX-License-Identifier: ISC */
#include "support/fake_loop.h"

#include <errno.h>

#include "base/mem.h"
#include "support/fake_clock.h"

struct fake_fault fake_loop_fault;

/* Timers are a heap by time; of equal times the one that was started first is
 * first. Each knows its place in it, in a field that only the real loop uses. */
struct running {
	struct loop_timer *timer;
	struct mono due;
	uint64_t order;
};

struct loop {
	struct running *timers; /* from 1 on */
	size_t n, room;
	uint64_t started;
	struct loop_later *first;
	struct loop_later end; /* always the last: unlinking needs no head */
};

struct loop *
loop_new(void)
{
	struct loop *loop = mem_new(sizeof(*loop));

	if (loop != NULL) {
		loop->first = &loop->end;
		loop->end.prev = &loop->first;
	}
	return loop;
}

void
loop_free(struct loop **loop)
{
	if (*loop == NULL)
		return;
	mem_free((*loop)->timers);
	mem_free(*loop);
	*loop = NULL;
}

void
loop_set_voice(loop_voice_fn *say)
{
	(void)say;
}

int
loop_run(struct loop *loop)
{
	fake_loop_settle(loop);
	return 0;
}

void
loop_stop(struct loop *loop)
{
	(void)loop;
}

int
loop_after_fork(struct loop *loop)
{
	(void)loop;
	return 0;
}

struct mono
loop_now(struct loop *loop)
{
	(void)loop;
	return clock_mono();
}

struct event_base *
loop_base(struct loop *loop)
{
	(void)loop;
	return NULL;
}

const char *
loop_version(void)
{
	return "fake";
}

/* --- timers ------------------------------------------------------------ */
static bool
is_before(const struct running *a, const struct running *b)
{
	if (a->due.ms != b->due.ms)
		return a->due.ms < b->due.ms;
	return a->order < b->order;
}

static void
put(struct loop *loop, size_t i, struct running r)
{
	loop->timers[i] = r;
	r.timer->entry.due = (int64_t)i;
}

/* To where it belongs, from the hole at `i`. */
static void
settle_at(struct loop *loop, size_t i, struct running r)
{
	size_t child;

	for (; i > 1 && is_before(&r, &loop->timers[i / 2]); i /= 2)
		put(loop, i, loop->timers[i / 2]);
	for (; (child = 2 * i) <= loop->n; i = child) {
		if (child < loop->n &&
		    is_before(&loop->timers[child + 1], &loop->timers[child]))
			child++;
		if (!is_before(&loop->timers[child], &r))
			break;
		put(loop, i, loop->timers[child]);
	}
	put(loop, i, r);
}

void
loop_timer_init(struct loop_timer *t, struct loop *loop, loop_timer_fn *fn)
{
	t->loop = loop;
	t->fn = fn;
	t->entry.due = 0;
}

int
loop_timer_start(struct loop_timer *t, int64_t ms)
{
	struct loop *loop = t->loop;
	struct running *grown;

	if (fake_fault_strikes(&fake_loop_fault))
		return errno = ENOMEM, -1;
	if (loop->n + 1 >= loop->room) {
		grown = mem_resize(
		    loop->timers, loop->room * 2 + 16, sizeof(*loop->timers));
		if (grown == NULL)
			return -1;
		loop->timers = grown;
		loop->room = loop->room * 2 + 16;
	}
	loop_timer_stop(t);
	loop->n++;
	settle_at(loop, loop->n,
	    (struct running){
		.timer = t,
		.due = mono_after(clock_mono(), ms > 0 ? ms : 0),
		.order = loop->started++,
	    });
	return 0;
}

/* Patience is a matter of cost, which a fake has none of. */
int
loop_timer_start_within(struct loop_timer *t, int64_t ms, int64_t slack_ms)
{
	(void)slack_ms;
	return loop_timer_start(t, ms);
}

void
loop_timer_stop(struct loop_timer *t)
{
	struct loop *loop = t->loop;
	size_t i;

	if (!loop_timer_is_running(t))
		return;
	i = (size_t)t->entry.due;
	t->entry.due = 0;
	loop->n--;
	if (i <= loop->n)
		settle_at(loop, i, loop->timers[loop->n + 1]);
}

bool
loop_timer_is_running(const struct loop_timer *t)
{
	return t->loop != NULL && t->entry.due != 0;
}

size_t
fake_loop_timers(const struct loop *loop)
{
	return loop->n;
}

void
fake_loop_advance_to(struct loop *loop, struct mono now)
{
	struct loop_timer *next;

	while (loop->n > 0 && loop->timers[1].due.ms <= now.ms) {
		fake_clock_advance(loop->timers[1].due.ms - clock_mono().ms);
		next = loop->timers[1].timer;
		loop_timer_stop(next);
		next->fn(next);
		fake_loop_settle(loop);
	}
	if (now.ms > clock_mono().ms)
		fake_clock_advance(now.ms - clock_mono().ms);
}

/* --- watches and signals ------------------------------------------------ */
void
loop_watch_init(
    struct loop_watch *w, struct loop *loop, int fd, loop_watch_fn *fn)
{
	(void)fd;
	w->loop = loop;
	w->fn = fn;
	w->wanted = 0;
}

int
loop_watch_set(struct loop_watch *w, unsigned wanted)
{
	if (wanted != 0 && fake_fault_strikes(&fake_loop_fault))
		return errno = ENOMEM, -1;
	w->wanted = wanted;
	return 0;
}

int
loop_signal_start(
    struct loop_signal *s, struct loop *loop, int number, loop_signal_fn *fn)
{
	(void)loop;
	(void)number;
	s->fn = fn;
	return 0;
}

void
loop_signal_stop(struct loop_signal *s)
{
	s->fn = NULL;
}

/* --- laters -------------------------------------------------------------- */
void
loop_later_add(struct loop *loop, struct loop_later *later, loop_later_fn *fn)
{
	if (later->fn != NULL)
		return;
	later->fn = fn;
	later->next = &loop->end;
	later->prev = loop->end.prev;
	*later->prev = later;
	loop->end.prev = &later->next;
}

void
loop_later_cancel(struct loop_later *later)
{
	if (later->fn == NULL)
		return;
	later->fn = NULL;
	*later->prev = later->next;
	later->next->prev = later->prev;
}

void
fake_loop_settle(struct loop *loop)
{
	struct loop_later *later;
	loop_later_fn *fn;

	while ((later = loop->first) != &loop->end) {
		fn = later->fn;
		loop_later_cancel(later);
		fn(later);
	}
}
