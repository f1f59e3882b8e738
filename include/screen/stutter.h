/* SPDX-License-Identifier: ISC */
/* screen/stutter.h - replies to a suspect: late, and a byte at a time.
 *
 * suspect_reply_delay holds each reply back, suspect_stutter then sends it one
 * byte a second. Nothing is held back under stress, and what is held back when
 * stress begins goes out within a second. A session is held back for
 * STUTTER_SESSION_MS all in all; no more than a quarter of pre_queue_limit, and
 * never more than STUTTER_SESSIONS_MAX, are at once: others are answered as
 * everybody is.
 *
 * Owns:    the reply, while it is held back.
 * Units:   milliseconds.
 * Errors:  -1 as stream_write(). Without memory nothing is held back. */
#ifndef DOORBELL_SCREEN_STUTTER_H
#define DOORBELL_SCREEN_STUTTER_H

#include <stdbool.h>

#include "base/buf.h"
#include "screen/session.h"

#define STUTTER_BYTE_MS 1000
#define STUTTER_SESSION_MS (300 * 1000)
#define STUTTER_SESSIONS_MAX 1000

struct stutter; /* of one session, from its first reply that is held back */

/* The reply is out: what now? */
typedef enum phase stutter_fn(struct session *s);

/* Send the reply in `out`, which is empty afterwards. `then` runs, on a later
 * tick, only when stutter_is_holding() says so now. */
int stutter_send(
    struct stutter **st, struct session *s, struct buf *out, stutter_fn *then);
/* Accepts NULL. */
bool stutter_is_holding(const struct stutter *st);
/* Whatever is still held back goes out first. Accepts NULL. */
void stutter_free(struct stutter **st);

#endif
