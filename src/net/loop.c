/* SPDX-License-Identifier: ISC */
#include "net/loop.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

/* One tick is one event_base_loop(EVLOOP_ONCE) followed by the laters that
 * are queued when it returns.
 *
 * The environment may turn on libevent's list of pending epoll changes:
 * IGNORE_ENV, because a watch that is set to 0 must have left the kernel's set
 * when the call returns.
 *
 * Sessions start timers by the ten thousand, and most of them are stopped before
 * they fire: they are in a wheel. What wakes the wheel is a timerfd of ours.
 * libevent's own timers are either coarse or cost a system call in every tick;
 * this one costs one when the next moment comes nearer, and one when it has
 * come. If there is nothing to do when it fires, it is set anew. */

/* `end` is always the last element, so that unlinking never needs the head. */
struct later_list {
	struct loop_later *first;
	struct loop_later end;
};

struct loop {
	struct event_base *base;
	struct later_list laters;
	struct wheel wheel;                   /* of struct loop_timer */
	struct wheel_link due;                /* and not told yet */
	size_t timers;                        /* that run */
	struct event wake;                    /* while timers run */
	int wake_fd;                          /* a timerfd, or -1 */
	int64_t wake_at;                      /* WHEEL_NEVER: it is not set */
	struct evutil_monotonic_timer *clock; /* the wheel's: libevent's */
	struct mono now;                      /* this tick's, when has_now */
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
	if (event_config_set_flag(config,
		EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) < 0)
		base = NULL;
	else
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static int64_t
now_us(struct loop *loop)
{
	struct timeval tv;

	must(evutil_gettime_monotonic(loop->clock, &tv) == 0);
	return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

static void on_wake(evutil_socket_t fd, short what, void *arg);

/* Its event is not added. */
static int
wake_open(struct loop *loop)
{
	loop->wake_fd =
	    timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->wake_fd < 0)
		return -1;
	return event_assign(&loop->wake, loop->base, loop->wake_fd,
	    EV_READ | EV_PERSIST, on_wake, loop);
}

static int
loop_init(struct loop *loop)
{
	loop->wake_fd = -1;
	errno = ENOMEM; /* libevent does not always say why */
	if ((loop->base = base_new()) == NULL ||
	    (loop->clock = evutil_monotonic_timer_new()) == NULL ||
	    evutil_configure_monotonic_time(loop->clock, EV_MONOT_PRECISE) < 0)
		return -1;
	laters_init(&loop->laters);
	wheel_init(&loop->wheel, now_us(loop) / 1000);
	wheel_circle_init(&loop->due);
	loop->wake_at = WHEEL_NEVER;
	return wake_open(loop);
}

struct loop *
loop_new(void)
{
	struct loop *loop;

	if ((loop = mem_new(sizeof(*loop))) == NULL)
		return NULL;
	if (loop_init(loop) < 0)
		loop_free(&loop);
	return loop;
}

void
loop_free(struct loop **loop)
{
	if (*loop == NULL)
		return;
	if ((*loop)->clock != NULL)
		evutil_monotonic_timer_free((*loop)->clock);
	if ((*loop)->base != NULL)
		event_base_free((*loop)->base);
	if ((*loop)->wake_fd >= 0)
		close((*loop)->wake_fd);
	mem_free(*loop);
	*loop = NULL;
}

void
loop_set_voice(loop_voice_fn *say)
{
	event_set_log_callback(say);
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

/* Have the wheel turned at this millisecond, or before. */
static void
wake_by(struct loop *loop, int64_t at)
{
	struct itimerspec when = {.it_value = {.tv_nsec = 1}};
	int rc;

	if (at >= loop->wake_at)
		return;
	if (at > 0) { /* nothing but zeroes would be "never" */
		when.it_value.tv_sec = (time_t)(at / 1000);
		when.it_value.tv_nsec = (long)(at % 1000) * 1000000;
	}
	loop->wake_at = at;
	rc = timerfd_settime(loop->wake_fd, TFD_TIMER_ABSTIME, &when, NULL);
	must(rc == 0);
}

/* A set timerfd is one and the same in both processes. */
static int
wake_anew(struct loop *loop)
{
	int64_t at = loop->wake_at;

	event_del(&loop->wake);
	close(loop->wake_fd);
	if (wake_open(loop) < 0)
		return -1;
	if (loop->timers > 0 && event_add(&loop->wake, NULL) < 0)
		return -1;
	loop->wake_at = WHEEL_NEVER;
	wake_by(loop, at);
	return 0;
}

int
loop_after_fork(struct loop *loop)
{
	return event_reinit(loop->base) < 0 ? -1 : wake_anew(loop);
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
/* A loop with nothing to wait for comes to its end. */
static void
rest_without_timers(struct loop *loop)
{
	if (loop->timers > 0)
		return;
	event_del(&loop->wake);
	loop->wake_at = WHEEL_NEVER;
}

/* Callbacks may stop any timer that is due; what they start waits for the next
 * tick. To set the timerfd anew is what makes it unreadable. */
static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	struct wheel_entry *e;
	struct loop_timer *t;

	(void)fd;
	(void)what;
	loop->wake_at = WHEEL_NEVER;
	wheel_turn(&loop->wheel, now_us(loop) / 1000, &loop->due);
	while ((e = wheel_circle_take(&loop->due)) != NULL) {
		loop->timers--;
		t = OWNER_OF(e, struct loop_timer, entry);
		t->fn(t);
	}
	wake_by(loop, wheel_next(&loop->wheel));
	rest_without_timers(loop);
}

void
loop_timer_init(struct loop_timer *t, struct loop *loop, loop_timer_fn *fn)
{
	*t = (struct loop_timer){.loop = loop, .fn = fn};
}

int
loop_timer_start(struct loop_timer *t, int64_t ms)
{
	return loop_timer_start_within(t, ms, 1);
}

static int64_t
rounded_up(int64_t n, int64_t step)
{
	return (n + step - 1) / step * step;
}

/* A part of a millisecond counts as a whole one: never early. */
int
loop_timer_start_within(struct loop_timer *t, int64_t ms, int64_t slack_ms)
{
	struct loop *loop = t->loop;
	int64_t now = now_us(loop);
	int64_t due = ms > 0 ? rounded_up(now, 1000) / 1000 + ms : now / 1000;

	if (loop->timers == 0 && event_add(&loop->wake, NULL) < 0)
		return -1;
	due = rounded_up(due, slack_ms);
	wake_by(loop, due);
	if (wheel_has(&t->entry)) {
		wheel_remove(&t->entry);
		loop->timers--;
	}
	wheel_add(&loop->wheel, &t->entry, due);
	loop->timers++;
	return 0;
}

void
loop_timer_stop(struct loop_timer *t)
{
	if (!wheel_has(&t->entry))
		return;
	wheel_remove(&t->entry);
	t->loop->timers--;
	rest_without_timers(t->loop);
}

bool
loop_timer_is_running(const struct loop_timer *t)
{
	return wheel_has(&t->entry);
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

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}
