/* SPDX-License-Identifier: ISC */
#include "net/loop.h"

#include <errno.h>

#include "base/mem.h"
#include "base/must.h"

/* One tick is one event_base_loop(EVLOOP_ONCE) followed by the laters that
 * are queued when it returns.
 *
 * Three choices of libevent are overridden. It caches the time while callbacks
 * run, and would count a timer that is started after a slow callback from
 * before that callback: NO_CACHE_TIME, so that no timer fires early. Its clock
 * is coarse unless told otherwise: PRECISE_TIMER. And the environment may turn
 * on its list of pending epoll changes: IGNORE_ENV, because a watch that is
 * set to 0 must have left the kernel's set when the call returns.
 *
 * Sessions start timers of a few lengths by the ten thousand, and most of them
 * are stopped before they fire. libevent keeps those of one length in a plain
 * list ("common timeout") instead of its heap, but never forgets a length. So a
 * length earns its list by being asked for often: rare ones wear the counter
 * of a candidate down, as in the majority vote of Boyer and Moore. */

#define LENGTHS 64          /* a power of two, under libevent's limit of 256 */
#define LENGTH_PROBES 4     /* slots in which one length may live */
#define LENGTH_USES_MANY 16 /* then it gets its list */

struct timer_length {
	int64_t ms;
	unsigned uses;
	const struct timeval *list; /* libevent's handle, once earned */
};

/* `end` is always the last element, so that unlinking never needs the head. */
struct later_list {
	struct loop_later *first;
	struct loop_later end;
};

struct loop {
	struct event_base *base;
	struct later_list laters;
	struct timer_length lengths[LENGTHS];
	struct mono now; /* this tick's, when has_now */
	bool has_now;
	bool running;
	bool stopping;
};

static void
laters_init(struct later_list *list)
{
	list->end.next = NULL;
	list->end.prev = &list->first;
	list->first = &list->end;
}

static bool
laters_wait(const struct later_list *list)
{
	return list->first != &list->end;
}

static void
laters_append(struct later_list *list, struct loop_later *later)
{
	later->next = &list->end;
	later->prev = list->end.prev;
	*later->prev = later;
	list->end.prev = &later->next;
}

/* Run what is queued now; what that adds is left for the next tick. False when
 * there was nothing. */
static bool
laters_run(struct later_list *list)
{
	struct later_list batch;
	struct loop_later *later;
	loop_later_fn *fn;

	if (!laters_wait(list))
		return false;
	batch.first = list->first;
	batch.first->prev = &batch.first;
	batch.end.next = NULL;
	batch.end.prev = list->end.prev;
	*batch.end.prev = &batch.end;
	laters_init(list);
	while ((later = batch.first) != &batch.end) {
		fn = later->fn;
		loop_later_cancel(later);
		fn(later);
	}
	return true;
}

static struct event_base *
base_new(void)
{
	struct event_config *config;
	struct event_base *base;

	if ((config = event_config_new()) == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK |
					      EVENT_BASE_FLAG_PRECISE_TIMER |
					      EVENT_BASE_FLAG_NO_CACHE_TIME |
					      EVENT_BASE_FLAG_IGNORE_ENV) < 0)
		base = NULL;
	else
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct loop *
loop_new(void)
{
	struct loop *loop;

	if ((loop = mem_new(sizeof(*loop))) == NULL)
		return NULL;
	laters_init(&loop->laters);
	errno = ENOMEM; /* libevent does not always say why */
	if ((loop->base = base_new()) == NULL) {
		mem_free(loop);
		return NULL;
	}
	return loop;
}

void
loop_free(struct loop **loop)
{
	if (*loop == NULL)
		return;
	event_base_free((*loop)->base);
	mem_free(*loop);
	*loop = NULL;
}

/* 0 to go on, 1 when nothing is left to wait for, -1 when polling failed. */
static int
loop_turn(struct loop *loop)
{
	int flags = EVLOOP_ONCE;
	int rc;

	if (laters_wait(&loop->laters))
		flags |= EVLOOP_NONBLOCK;
	loop->has_now = false;
	rc = event_base_loop(loop->base, flags);
	if (laters_run(&loop->laters) && rc == 1)
		rc = 0; /* they may have started something */
	return rc;
}

int
loop_run(struct loop *loop)
{
	int rc = 0;

	must(!loop->running);
	loop->running = true;
	while (rc == 0 && !loop->stopping)
		rc = loop_turn(loop);
	loop->running = false;
	loop->stopping = false;
	return rc < 0 ? -1 : 0;
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

int
loop_after_fork(struct loop *loop)
{
	return event_reinit(loop->base);
}

struct mono
loop_now(struct loop *loop)
{
	if (!loop->running)
		return clock_mono();
	if (!loop->has_now) {
		loop->now = clock_mono();
		loop->has_now = true;
	}
	return loop->now;
}

/* --- timers ------------------------------------------------------------ */
static struct timeval
timeval_of(int64_t ms)
{
	return (struct timeval){
	    .tv_sec = (time_t)(ms / 1000),
	    .tv_usec = (suseconds_t)(ms % 1000) * 1000,
	};
}

/* The slot that counts this length, or NULL while others keep the slots. */
static struct timer_length *
length_slot(struct loop *loop, int64_t ms)
{
	uint64_t hash = ((uint64_t)ms * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
	struct timer_length *weakest = NULL;
	struct timer_length *slot;
	unsigned i;

	for (i = 0; i < LENGTH_PROBES; i++) {
		slot = &loop->lengths[(hash + i) % LENGTHS];
		if (slot->ms == ms)
			return slot;
		if (slot->list == NULL &&
		    (weakest == NULL || slot->uses < weakest->uses))
			weakest = slot;
	}
	if (weakest == NULL)
		return NULL;
	if (weakest->uses > 0) {
		weakest->uses--;
		return NULL;
	}
	weakest->ms = ms;
	return weakest;
}

/* The list of the timers of this length, or NULL when it has none. */
static const struct timeval *
length_list(struct loop *loop, int64_t ms)
{
	struct timer_length *slot = length_slot(loop, ms);
	struct timeval tv = timeval_of(ms);

	if (slot == NULL)
		return NULL;
	if (slot->list == NULL && ++slot->uses >= LENGTH_USES_MANY) {
		slot->list = event_base_init_common_timeout(loop->base, &tv);
		slot->uses = 0; /* without memory: ask again later */
	}
	return slot->list;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t);
}

void
loop_timer_init(struct loop_timer *t, struct loop *loop, loop_timer_fn *fn)
{
	t->loop = loop;
	t->fn = fn;
	must(evtimer_assign(&t->event, loop->base, on_timer, t) == 0);
}

int
loop_timer_start(struct loop_timer *t, int64_t ms)
{
	struct timeval tv = timeval_of(ms > 0 ? ms : 0);
	const struct timeval *list = NULL;

	if (ms > 0)
		list = length_list(t->loop, ms);
	/* Moving a pending event from a list to the heap is not something
	 * event_add() reserves memory for; removing it first is. */
	event_del(&t->event);
	return event_add(&t->event, list != NULL ? list : &tv);
}

void
loop_timer_stop(struct loop_timer *t)
{
	if (t->loop != NULL)
		event_del(&t->event);
}

bool
loop_timer_is_running(const struct loop_timer *t)
{
	return t->loop != NULL && evtimer_pending(&t->event, NULL) != 0;
}

/* --- watches ----------------------------------------------------------- */
static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct loop_watch *w = arg;
	unsigned ready = 0;

	(void)fd;
	if (what & EV_READ)
		ready |= LOOP_READABLE;
	if (what & EV_WRITE)
		ready |= LOOP_WRITABLE;
	w->fn(w, ready);
}

void
loop_watch_init(
    struct loop_watch *w, struct loop *loop, int fd, loop_watch_fn *fn)
{
	w->loop = loop;
	w->fn = fn;
	w->wanted = 0;
	must(event_assign(&w->event, loop->base, fd, 0, on_watch, w) == 0);
}

int
loop_watch_set(struct loop_watch *w, unsigned wanted)
{
	int what = EV_PERSIST;

	if (wanted == w->wanted)
		return 0;
	event_del(&w->event);
	w->wanted = 0;
	if (wanted == 0)
		return 0;
	if (wanted & LOOP_READABLE)
		what |= EV_READ;
	if (wanted & LOOP_WRITABLE)
		what |= EV_WRITE;
	must(event_assign(&w->event, w->loop->base, event_get_fd(&w->event),
		 (short)what, on_watch, w) == 0);
	if (event_add(&w->event, NULL) < 0)
		return -1;
	w->wanted = wanted;
	return 0;
}

/* --- signals ----------------------------------------------------------- */
static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)number;
	(void)what;
	s->fn(s);
}

int
loop_signal_start(
    struct loop_signal *s, struct loop *loop, int number, loop_signal_fn *fn)
{
	if (evsignal_assign(&s->event, loop->base, number, on_signal, s) < 0 ||
	    evsignal_add(&s->event, NULL) < 0)
		return -1;
	s->fn = fn;
	return 0;
}

void
loop_signal_stop(struct loop_signal *s)
{
	if (s->fn == NULL)
		return;
	evsignal_del(&s->event);
	s->fn = NULL;
}

/* --- laters ------------------------------------------------------------ */
void
loop_later_add(struct loop *loop, struct loop_later *later, loop_later_fn *fn)
{
	if (later->fn != NULL)
		return;
	later->fn = fn;
	laters_append(&loop->laters, later);
}

void
loop_later_cancel(struct loop_later *later)
{
	if (later->fn == NULL)
		return;
	*later->prev = later->next;
	later->next->prev = later->prev;
	later->fn = NULL;
}

const char *
loop_version(void)
{
	return event_get_version();
}
