/* SPDX-License-Identifier: ISC */
/* net/logframe.h - one log line as the bytes that its reader expects.
 *
 * The part of logsock that knows priorities, time stamps and tags, and nothing
 * of sockets.
 *
 * Owns:    copies of the names.
 * Errors:  0/-1 with errno. */
#ifndef DOORBELL_NET_LOGFRAME_H
#define DOORBELL_NET_LOGFRAME_H

#include <stddef.h>

#include "base/clock.h"
#include "base/errtext.h"
#include "net/logsock.h"

#define LOGFRAME_MAX 4096 /* bytes: what postlogd(8) reads of a datagram */

struct logframe {
	enum logsock_kind kind;
	int facility;
	char *host;
	char *tag[LOG_VOICE_COUNT];
	long pid;
	struct wall stamp_at;
	char stamp[32]; /* of that second; empty at first */
};

/* On failure there is nothing to clear. */
int logframe_init(
    struct logframe *f, const struct logsock_options *o, struct errtext *why);
void logframe_clear(struct logframe *f);
/* Returns the length; text that does not fit is cut. */
size_t logframe_line(struct logframe *f, char out[LOGFRAME_MAX],
    enum log_level level, enum log_voice voice, const char *text, size_t n);
/* As if it were that time. */
size_t logframe_line_at(struct logframe *f, char out[LOGFRAME_MAX],
    struct wall when, enum log_level level, enum log_voice voice,
    const char *text, size_t n);

#endif
