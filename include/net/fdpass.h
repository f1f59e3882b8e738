/* SPDX-License-Identifier: ISC */
/* net/fdpass.h - give a client's connection to Postfix smtpd(8).
 *
 * Speaks the protocol of a master.cf "pass" service: one sendmsg(2) carries a
 * zero byte, the connection's attributes (name NUL value NUL ... NUL) and the
 * descriptor. smtpd answers by closing the socket: then it has the client.
 * A half-sent hand-off would block the smtpd that accepts it and every other
 * hand-off with it; hence the message is complete before connect(2), and it
 * goes out in one piece or not at all.
 *
 * smtpd mostly answers within a fraction of a millisecond, and nobody is in a
 * hurry to know: answers are collected a few at a time, after FDPASS_COLLECT_MS
 * at the latest. Only hand-offs that take longer are watched one by one.
 *
 * Owns:    the hand-off socket. The client's descriptor stays the caller's: it
 *          must be closed by the caller, and not be touched otherwise after
 *          FDPASS_SENT (smtpd shares its file description).
 * Errors:  enum fdpass_result, with errno. */
#ifndef DOORBELL_NET_FDPASS_H
#define DOORBELL_NET_FDPASS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "net/loop.h"

enum fdpass_result {
	FDPASS_SENT,      /* on its way; `fn` runs when smtpd has it */
	FDPASS_BUSY,      /* smtpd's queue is full, or we are out of
			   * descriptors or memory, or too many are between
			   * sockets: try again on a timer */
	FDPASS_NO_SERVER, /* nothing was connected: errno says why */
	FDPASS_NOT_SENT,  /* connected, but the message was not taken */
};

struct fdpass;
/* smtpd closed the hand-off socket: with the client taken, or ended without
 * having looked at it (then the connection is untouched and the caller's). */
typedef void fdpass_fn(struct fdpass *pass, bool taken);

TAILQ_HEAD(fdpass_list, fdpass);

/* What all hand-offs of a loop share. */
struct fdpass_collector {
	struct loop *loop;
	struct fdpass_list fresh;    /* unanswered, and not watched yet */
	struct fdpass_list answered; /* and `fn` has not been told yet */
	size_t fresh_count;
	size_t full_at; /* the fresh_count at which the next look is due */
	bool is_full;   /* the kernel takes no more messages, as it seems */
	struct loop_timer timer;
	struct loop_later full;
};

struct fdpass {
	int fd;
	fdpass_fn *fn; /* NULL when idle; a zeroed struct is idle */
	struct fdpass_collector *collector;
	struct fdpass_list *list; /* the one it is in, or NULL */
	TAILQ_ENTRY(fdpass) others;
	bool taken;   /* when answered */
	bool is_late; /* the clock has looked, in vain */
	struct loop_watch watch;
};

#define FDPASS_BATCH 8       /* more hand-offs, and there is a look */
#define FDPASS_COLLECT_MS 20 /* between the clock's looks */

#define FDPASS_PATH_MAX 108    /* bytes, with the NUL: what the kernel takes */
#define FDPASS_MESSAGE_MAX 256 /* bytes */

/* The bytes that accompany the descriptor. Returns how many, or 0 when an
 * endpoint has no address. */
size_t fdpass_encode(char out[FDPASS_MESSAGE_MAX],
    const struct endpoint *client, const struct endpoint *server);

/* `path` is shorter than 108 bytes; it may be relative to the working
 * directory. */
enum fdpass_result fdpass_send(struct fdpass *pass,
    struct fdpass_collector *collector, const char *path, int client_fd,
    const struct endpoint *client, const struct endpoint *server,
    fdpass_fn *fn);
/* Close the hand-off socket; `fn` will not run. smtpd may still take the
 * client. */
void fdpass_cancel(struct fdpass *pass);

void fdpass_collector_init(struct fdpass_collector *c, struct loop *loop);
/* No hand-off may be under way any more. */
void fdpass_collector_stop(struct fdpass_collector *c);
/* Look now, because it matters: `fn` runs for all that were answered before
 * this call returns, and for the others as soon as they are. */
void fdpass_collect(struct fdpass_collector *c);

#endif
