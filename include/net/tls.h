/* SPDX-License-Identifier: ISC */
/* net/tls.h - the server's end of TLS on a non-blocking socket (OpenSSL).
 *
 * A context has keys and rules, and is shared; a struct tls is one connection.
 * net/stream.h is what uses it: nobody else has to.
 *
 * Owns:    copies of all that was read. Contexts are counted; a connection
 *          holds on to its own. The descriptor stays the caller's.
 * Errors:  -1 with errno or *why. EAGAIN: when the socket is ready, do the same
 *          again. EPROTO: the peer does not speak TLS as we do.
 * Threads: none. */
#ifndef DOORBELL_NET_TLS_H
#define DOORBELL_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/errtext.h"

/* A certificate of another kind and its key. */
struct tls_pair {
	const char *cert_file; /* NULL or "": none */
	const char *key_file;
};

#define TLS_MORE_PAIRS 2 /* ECDSA and DSA besides RSA */

/* No string is NULL, but in `more`. */
struct tls_options {
	const char *chain_files; /* "": the single files instead */
	const char *cert_file;   /* "none": anonymous ciphers only */
	const char *key_file;
	const char *ca_file;
	const char *protocols; /* see net/tls_spec.h: this and the rest */
	const char *cipher_grade;
	const char *excluded_ciphers;
	struct tls_pair more[TLS_MORE_PAIRS];
};

struct tls_context; /* opaque, counted */
struct tls;         /* opaque: one connection */

struct tls_context *tls_context_new(
    const struct tls_options *o, struct errtext *why);
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context **c);

struct tls *tls_new(struct tls_context *context, int fd);
void tls_free(struct tls **tls);
/* 1: done; 0: the client has gone. A -1 may have sent an alert. */
int tls_handshake(struct tls *t);
/* Up to `n` bytes; 0: the client will say no more. */
ssize_t tls_read(struct tls *t, void *p, size_t n);
/* How much was taken of it. After EAGAIN the same bytes have to come again,
 * perhaps with more behind them. */
ssize_t tls_write(struct tls *t, const void *p, size_t n);
/* After EAGAIN from tls_handshake() or tls_read(): what it waits for is that
 * the socket can be written to. */
bool tls_wants_write(const struct tls *t);
/* Whether tls_read() has something to tell, bytes, end or error, that does not
 * show on the socket. */
bool tls_is_ready(const struct tls *t);
/* Whether there are bytes for tls_read(), in the socket too; what is there but
 * is none (a goodbye, say) is dealt with on the way. */
bool tls_has_text(struct tls *t);
/* Tell the client that we have said all, if the socket takes it. */
void tls_say_goodbye(struct tls *t);

#endif
