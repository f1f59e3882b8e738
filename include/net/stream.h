/* SPDX-License-Identifier: ISC */
/* net/stream.h - one client's connection, never blocking.
 *
 * A stream begins in the peek stage, where bytes are looked at and stay in the
 * socket: they belong to the real smtpd. stream_talk() begins the second
 * stage, where bytes are read into a bounded buffer; there is no way back, and
 * such a connection can never be handed off.
 *
 * stream_start_tls() begins a third stage, in which the same events tell of what
 * is inside TLS.
 *
 * Owns:    the descriptor, until stream_release() or stream_close(). Buffers
 *          are allocated when the first byte needs one.
 * Units:   bytes.
 * Errors:  0/-1 with errno, or STREAM_ERROR with stream_error() saying why.
 * Threads: none. */
#ifndef DOORBELL_NET_STREAM_H
#define DOORBELL_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "net/loop.h"

#define STREAM_PEEK_MAX 1023    /* bytes looked at before the greeting */
#define STREAM_OUTPUT_MAX 16384 /* bytes waiting for a slow reader */

enum stream_event {
	STREAM_PEEKED,  /* bytes wait in the socket: stream_peeked() */
	STREAM_INPUT,   /* more bytes in stream_input() */
	STREAM_DRAINED, /* all that was written is in the kernel's hands */
	STREAM_EOF,     /* the client will send no more */
	STREAM_ERROR,   /* broken: reset, timeout */
	/* None for what the peer says. Nothing more is read, but it can still be
	 * told. */
	STREAM_NO_MEMORY,
};

struct stream;
struct stream_buffers; /* input and output, from the first use */
struct stream_tls;     /* from stream_start_tls() on */
struct tls_context;
typedef void stream_fn(struct stream *stream, enum stream_event event);

struct stream {
	int fd; /* -1 once released or closed */
	bool talking;
	bool looked;  /* its first bytes were reported: see stream_watch() */
	bool paused;  /* talking, but reading nothing for now */
	bool ended;   /* EOF or error was reported: no more input */
	bool broken;  /* error was reported: no more output either */
	bool starved; /* no memory was reported: there are bytes nobody took */
	int error;    /* errno of STREAM_ERROR, before and after its report */
	stream_fn *fn;
	struct stream_buffers *buffers;
	struct stream_tls *tls; /* NULL: plain */
	struct loop_watch watch;
};

/* Take over `fd`, which is non-blocking. Nothing is watched yet. */
void stream_init(struct stream *s, struct loop *loop, int fd, stream_fn *fn);
/* The same with one end of a fresh socket pair; the other end, blocking, is for
 * somebody else, and the caller's to close. -1 with errno. */
int stream_init_pair(
    struct stream *s, struct loop *loop, stream_fn *fn, int *other_r);
/* Stop watching and close. What is unread is thrown away first, so that the
 * client gets our last reply and not a reset: never do this to a connection
 * that was handed off, release it instead. Accepts a released stream. */
void stream_close(struct stream *s);
/* Stop watching and give the descriptor to the caller; -1 if there is none. */
int stream_release(struct stream *s);

/* Peek stage: report the first bytes (STREAM_PEEKED), EOF or error, once. */
int stream_watch(struct stream *s);
/* Stop watching, for writing too, and keep the descriptor. */
void stream_unwatch(struct stream *s);
/* What the client has said: valid inside the STREAM_PEEKED callback only. */
struct span stream_peeked(const struct stream *s);
/* Take the first `n` of the peeked bytes, and no other, out of the socket: they
 * were for us. 0 or -1 with errno. Ends the validity of stream_peeked(). */
int stream_skip(struct stream *s, size_t n);

/* Begin the talk stage. STREAM_INPUT follows whenever bytes come in, until
 * `input_max` bytes wait; consuming makes room. */
int stream_talk(struct stream *s, size_t input_max);
struct span stream_input(const struct stream *s);
void stream_consume(struct stream *s, size_t n);
/* Let up to `input_max` bytes wait from now on: for streams that carry mail. */
void stream_widen(struct stream *s, size_t input_max);
/* The peer has closed or reset the connection and left nothing to read. */
bool stream_has_left(const struct stream *s);
/* The peer, of a pair, has read all that was written and has said nothing that
 * we have not taken. */
bool stream_is_at_rest(const struct stream *s);
/* We will send no more, and say so under TLS; call when nothing is unsent. */
void stream_end(struct stream *s);
/* Read no more for now (a reply is still unsent, say); and on again. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
/* True when the client has sent bytes beyond stream_input()'s first `used`
 * bytes: in our buffer or still in the socket. */
bool stream_has_beyond(const struct stream *s, size_t used);

/* Be the server of a TLS handshake from now on, when nothing is unsent. Input
 * that was not consumed came in the clear, behind the command that begins TLS,
 * and is thrown away: nobody may take it for a part of what comes under TLS
 * (CVE-2011-0411). The handshake has no deadline but the owner's. When it is
 * done nothing is reported: STREAM_INPUT comes, or STREAM_DRAINED for what was
 * written meanwhile. When it fails, STREAM_EOF or STREAM_ERROR come while
 * stream_is_secure() is false. */
int stream_start_tls(struct stream *s, struct tls_context *context);
/* From stream_start_tls() on, and from the end of its handshake on. */
bool stream_has_tls(const struct stream *s);
bool stream_is_secure(const struct stream *s);

/* Send, or keep what the kernel does not take for later: when stream_unsent()
 * is not 0 afterwards, STREAM_DRAINED tells when it is gone. -1 with EMSGSIZE
 * when more than STREAM_OUTPUT_MAX might wait: nothing is sent then; -1 with
 * another errno when the descriptor cannot be watched. Errors of the
 * connection itself come as STREAM_ERROR later (also after an EOF), never from
 * inside this call. */
int stream_write(struct stream *s, const void *p, size_t n);
size_t stream_unsent(const struct stream *s);
int stream_error(const struct stream *s);

#endif
