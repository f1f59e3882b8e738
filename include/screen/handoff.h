/* SPDX-License-Identifier: ISC */
/* screen/handoff.h - the queue of clients on their way to smtpd.
 *
 * At most post_queue_limit hand-offs wait inside smtpd's own queue, and not many
 * more than it has taken lately; more wait here, known clients first. When late
 * hand-off begins they are greeted by us. A client that has waited for HANDOFF_WAIT_MS, or
 * the newest stranger when the waiting fill half of all sessions, is told that
 * all server ports are busy. */
#ifndef DOORBELL_SCREEN_HANDOFF_H
#define DOORBELL_SCREEN_HANDOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "net/fdpass.h"
#include "net/loop.h"

#define HANDOFF_WAIT_MS (100 * 1000) /* in our queue, and in smtpd's */
#define HANDOFF_SLOW_MS 1000 /* a longer wait means that smtpd is behind */
#define HANDOFF_CALM_MS (60 * 1000) /* without one before that is over */
#define HANDOFF_RETRY_MS 50         /* when smtpd's queue is full */
#define HANDOFF_WINDOW_FIRST 8 /* in flight before smtpd has answered any */

struct handoff;
TAILQ_HEAD(handoff_list, handoff);

struct handoff_queue {
	struct handoff_list known, strangers; /* waiting, oldest first */
	struct handoff_list by_age;           /* all of them, oldest first */
	size_t waiting;
	size_t in_flight; /* sent, and no answer was collected */
	size_t window;    /* of it, as far as smtpd has kept up; 0: at rest */
	struct fdpass_collector sent; /* those, and the replays' */
	struct loop_timer
	    look; /* once a second while there is anything to see */
	struct mono slow_until;          /* smtpd counts as behind */
	bool is_gone;                    /* nobody took the last hand-off ... */
	struct mono gone_since, gone_at; /* ... since, and was it last tried */
	struct loop_timer retry;         /* smtpd's queue was full */
	struct loop_later runner;        /* a place became free */
};

void handoff_queue_init(struct handoff_queue *q, struct loop *loop);
/* Somebody has begun to wait for smtpd: watch how long it takes. */
struct screen;
void handoff_watch_server(struct screen *screen);
/* smtpd is, or was not long ago, more than HANDOFF_SLOW_MS behind. */
bool handoff_server_is_slow(const struct screen *screen);
/* For how long smtpd has not been there; -1 when it is, or when nobody has tried
 * for `forget_ms`. */
int64_t handoff_server_gone_ms(const struct screen *screen, int64_t forget_ms);
/* Nothing waits any more: stop the timer. */
void handoff_queue_stop(struct handoff_queue *q);

#endif
