/* SPDX-License-Identifier: ISC */
/* screen/replay.h - a second connection to smtpd for a client that we already
 * talk to.
 *
 * smtpd gets one end of a socket pair with the client's own addresses, and is
 * told again what the client has told us; then both ends can be joined
 * (screen/relay.c). At most relay_limit sessions have one at a time; more wait
 * their turn.
 *
 * Owns:    the pair, until the session ends.
 * Errors:  REPLAY_FAILED. The session's deadline bounds the wait. */
#ifndef DOORBELL_SCREEN_REPLAY_H
#define DOORBELL_SCREEN_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/text.h"
#include "net/loop.h"
#include "net/stream.h"
#include "screen/session.h"

#define REPLAY_WAIT_MS (100 * 1000) /* from the beginning to smtpd's answers */
#define REPLAY_RETRY_MS 50          /* when smtpd's queue is full */

enum replay_result {
	REPLAY_READY,   /* smtpd stands where the client believes us to be */
	REPLAY_REFUSED, /* it refused: replay_refusal() is for the client */
	REPLAY_FAILED,  /* it cannot be reached, or makes no sense */
};

struct replay;
typedef enum phase replay_fn(struct session *s, enum replay_result result);

/* Begin, in s->replay. `hello` and `mail` are the client's lines with
 * their endings; an empty one is not said. `fn` runs once, on a later tick, and its
 * wish is followed. 0, or -1 with ENOMEM. */
int replay_start(
    struct session *s, struct span hello, struct span mail, replay_fn *fn);
/* End it, whatever its state, and let the next one begin. */
void replay_free(struct session *s);
/* smtpd's end, once the result is READY or REFUSED. */
struct stream *replay_server(struct replay *r);
/* Who hears of the server's stream from now on. */
void replay_redirect(struct replay *r, stream_fn *fn);
struct session *replay_session(struct stream *server);
/* smtpd's refusal, with line endings. */
struct span replay_refusal(const struct replay *r);

/* How long the oldest that smtpd has not greeted has waited; -1: there is none. */
int64_t replay_oldest_ms(const struct screen *screen, struct mono now);
void replay_queue_init(struct screen *screen);
void replay_queue_stop(struct screen *screen);

#endif
