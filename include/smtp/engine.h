/* SPDX-License-Identifier: ISC */
/* smtp/engine.h - the SMTP server that refuses every recipient.
 *
 * A pure state machine: a line goes in, reply bytes and an outcome come out. It
 * knows no sockets, no clocks and no policy; the refusal for RCPT is handed in
 * by whoever decides.
 *
 * Owns:    copies of the HELO name, the sender and the recipient, which grow
 *          with the line they came in and no further.
 * Errors:  ENGINE_BROKEN when memory ran out (the session should end).
 * Threads: none. */
#ifndef DOORBELL_SMTP_ENGINE_H
#define DOORBELL_SMTP_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "smtp/command.h"
#include "smtp/keywords.h"
#include "smtp/reply.h"

enum engine_tls {
	ENGINE_TLS_OFF,
	ENGINE_TLS_BROKEN, /* configured, but it cannot be used */
	ENGINE_TLS_USABLE
};

struct engine_options {
	const char *myhostname;
	int64_t message_size_limit; /* bytes; 0 announces SIZE without one */
	bool helo_required;
	bool disable_vrfy;
	bool smtputf8;
	bool external_addresses; /* quote logged addresses (RFC 5322) */
	unsigned command_limit;  /* commands, QUIT not counted */
	unsigned discard;        /* KEYWORD_BITs that EHLO conceals */
	enum engine_tls tls;     /* STARTTLS */
	bool tls_required;       /* no mail without it */
	struct reply_style style;
};

enum engine_outcome {
	ENGINE_GO_ON,    /* reply and read on */
	ENGINE_RCPT,     /* refused a recipient: log it, read on */
	ENGINE_STARTTLS, /* reply; what comes next is a TLS handshake */
	ENGINE_DATA,     /* DATA: log it, reply, close */
	ENGINE_BDAT,     /* BDAT: log it, reply, close */
	ENGINE_QUIT,     /* reply, close */
	ENGINE_TOO_MANY, /* command limit: log it, reply, close */
	ENGINE_BROKEN,   /* out of memory */
};

struct engine {
	const struct engine_options *options;
	const char *offer; /* EHLO lines in place of ours, newlines between */
	struct buf helo;   /* as typed */
	struct buf sender, recipient; /* as log lines show them */
	bool has_helo, has_sender;
	bool secure;          /* since STARTTLS */
	unsigned discarded;   /* the mask that the last EHLO used */
	bool esmtp;           /* any EHLO was seen: it stays true */
	unsigned commands;    /* counted so far */
	enum command_id last; /* the last command */
	bool started;         /* any command was seen */
};

/* `options` must outlive the engine. */
void engine_init(struct engine *e, const struct engine_options *options);
void engine_clear(struct engine *e);
/* Interpret one line. `refusal` is the answer to RCPT and VRFY. Appends the
 * reply to `out`. A line beyond the command limit leaves the engine as it was,
 * engine_where() included. */
enum engine_outcome engine_take(struct engine *e, struct span line,
    const struct reply *refusal, struct buf *out);
/* Whether somebody else's offer (`offer`) has this keyword, and shows it. */
bool engine_is_offered(const struct engine *e, enum keyword id);
/* The "after ..." of log lines: the last command in upper case, "CONNECT" at
 * the start, "UNIMPLEMENTED" after an unknown one. */
const char *engine_where(const struct engine *e);
/* "SMTP", or "ESMTP" after any EHLO. */
const char *engine_proto(const struct engine *e);

#endif
