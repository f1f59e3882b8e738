/* SPDX-License-Identifier: ISC */
/* daemon/postfix.h - master(8)'s side of the house.
 *
 * Descriptors from master: 3 and 4 are a pipe of no use to us, 5 is the status
 * channel, 6 and up are the listening sockets. End of file on the status
 * channel means "retire": the pid that master knows must exit at once, so the
 * process forks and its child serves the remaining sessions.
 *
 * Errors:  -1 with errno. */
#ifndef DOORBELL_DAEMON_POSTFIX_H
#define DOORBELL_DAEMON_POSTFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errtext.h"
#include "net/loop.h"

#define POSTFIX_FLOW_READ_FD 3
#define POSTFIX_FLOW_WRITE_FD 4
#define POSTFIX_STATUS_FD 5
#define POSTFIX_LISTEN_FD 6

enum postfix_status { POSTFIX_TAKEN = 0, POSTFIX_AVAILABLE = 1 };

#define POSTFIX_STATUS_BYTES 12
/* The status message: pid, generation and status in native order. */
void postfix_encode_status(unsigned char out[POSTFIX_STATUS_BYTES], int32_t pid,
    uint32_t generation, enum postfix_status status);
/* $GENERATION is octal. */
int postfix_parse_generation(const char *text, uint32_t *generation_r);

struct postfix_channel;
typedef void postfix_retire_fn(struct postfix_channel *channel);

struct postfix_channel {
	uint32_t generation;
	bool introduced; /* master has heard from us */
	postfix_retire_fn *on_retire;
	struct loop_watch watch;
	struct loop_timer settle;
};

/* Mark master's descriptors close-on-exec and check that they are what they
 * should be. */
int postfix_check_descriptors(int sockets, struct errtext *why);
int postfix_channel_start(struct postfix_channel *c, struct loop *loop,
    postfix_retire_fn *on_retire, struct errtext *why);
/* Tell master, once, that a client has been taken: from then on a crash does not
 * make it throttle the service. */
void postfix_introduce(struct postfix_channel *c);
/* Close everything that master gave us but the listeners. */
void postfix_channel_close(struct postfix_channel *c);

#endif
