/* SPDX-License-Identifier: ISC */
/* net/loop.h - the event loop: timers, readiness, signals, end-of-tick work.
 *
 * Every callback gets the small struct that it was started with; the owner
 * embeds that struct and finds itself with OWNER_OF(). All of them can be
 * stopped at any time, also from inside their own callback, and never fire
 * after that.
 *
 * Owns:    the libevent base. Timers, watches and laters belong to whoever
 *          embeds them, and must be stopped before they are freed.
 * Units:   milliseconds, exact to the millisecond.
 * Errors:  NULL/-1 with errno. Starting a timer or a watch can fail only for
 *          want of memory.
 * Threads: none. */
#ifndef DOORBELL_NET_LOOP_H
#define DOORBELL_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "net/wheel.h"

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop **loop);
/* Where libevent's own warnings go, for all loops of the process; NULL: to
 * stderr. What it warns of fails as well. */
typedef void loop_voice_fn(int severity, const char *text);
void loop_set_voice(loop_voice_fn *say);
/* Run until loop_stop(), or until nothing is left to wait for; 0, or -1 when
 * the kernel's poll broke. */
int loop_run(struct loop *loop);
/* The tick that is running comes to its end first. Before loop_run(): that
 * returns at once. */
void loop_stop(struct loop *loop);
/* After fork(), in the child: the kernel's poll set must not be shared. */
int loop_after_fork(struct loop *loop);
/* One reading a tick, taken when first asked for. */
struct mono loop_now(struct loop *loop);

/* --- timers: the same small cost, however many there are --------------- */
struct loop_timer;
typedef void loop_timer_fn(struct loop_timer *timer);

struct loop_timer {
	struct wheel_entry entry;
	struct loop *loop;
	loop_timer_fn *fn;
};

void loop_timer_init(
    struct loop_timer *t, struct loop *loop, loop_timer_fn *fn);
/* Fire once, `ms` from now; a running timer is moved, or stays as it was when
 * that fails. 0 fires on the next tick. */
int loop_timer_start(struct loop_timer *t, int64_t ms);
/* The same, but up to `slack_ms` later if that lets it fire with others. */
int loop_timer_start_within(struct loop_timer *t, int64_t ms, int64_t slack_ms);
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_is_running(const struct loop_timer *t);

/* --- readiness of a descriptor ------------------------------------------ */
struct loop_watch;
enum loop_ready { LOOP_READABLE = 1, LOOP_WRITABLE = 2 };
/* `ready` is a set of enum loop_ready. */
typedef void loop_watch_fn(struct loop_watch *watch, unsigned ready);

struct loop_watch {
	struct event event;
	struct loop *loop;
	loop_watch_fn *fn;
	unsigned wanted; /* what it waits for now */
};

void loop_watch_init(
    struct loop_watch *w, struct loop *loop, int fd, loop_watch_fn *fn);
/* Wait for this set from now on (level-triggered, until changed); 0 stops.
 * Must be 0 before the descriptor is closed or passed on: a passed descriptor
 * cannot be removed from the kernel's set any more. */
int loop_watch_set(struct loop_watch *w, unsigned wanted);

/* --- signals --------------------------------------------------------------- */
struct loop_signal;
typedef void loop_signal_fn(struct loop_signal *sig);

struct loop_signal {
	struct event event;
	loop_signal_fn *fn;
};

int loop_signal_start(
    struct loop_signal *s, struct loop *loop, int number, loop_signal_fn *fn);
void loop_signal_stop(struct loop_signal *s);

/* --- work for after this tick -------------------------------------------- */
/* Runs when all callbacks of the tick have returned, before the kernel is
 * asked again. What is added meanwhile runs on the next tick (which then does
 * not sleep). This is how a module avoids calling back from inside the call
 * that asked. */
struct loop_later;
typedef void loop_later_fn(struct loop_later *later);

struct loop_later {
	struct loop_later *next, **prev;
	loop_later_fn *fn; /* NULL while not queued */
};

/* Queue once; queueing what is queued already changes nothing. The struct must
 * be zeroed before its first use. */
void loop_later_add(
    struct loop *loop, struct loop_later *later, loop_later_fn *fn);
void loop_later_cancel(struct loop_later *later);

/* For modules of net/ that use more of libevent. */
struct event_base *loop_base(struct loop *loop);

/* Of the libevent that runs. */
const char *loop_version(void);

#endif
