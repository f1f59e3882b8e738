/* SPDX-License-Identifier: ISC */
/* smtp/reply.h - a reply is data; this module alone turns it into bytes.
 *
 * Owns:    nothing; texts stay the caller's.
 * Errors:  -1 with EMSGSIZE or ENOMEM from the buffer, which is then as it was.
 *
 * No text can smuggle in a line of its own: what is not printable, CR and LF
 * included, becomes '?'. */
#ifndef DOORBELL_SMTP_REPLY_H
#define DOORBELL_SMTP_REPLY_H

#include <stdbool.h>

#include "base/buf.h"

struct reply {
	int code;             /* 220, 550, ...; 0: no reply */
	const char *enhanced; /* "5.7.1" (RFC 3463), or NULL */
	const char *text;     /* without line ending; made printable here */
};

/* Append the footer for one 4xx or 5xx, which is quoted as "550 5.7.1 text",
 * before soft_bounce. Nothing appended: no footer. */
typedef void reply_footer_fn(struct span quoted, struct buf *out, void *arg);

#define REPLY_FOOTER_MAX 2048 /* bytes */

struct reply_style {
	bool soft_bounce; /* 5xx becomes 4xx, 5.x.y becomes 4.x.y */
	/* Lines behind every 4xx and 5xx; NULL or "": none. A newline, or a
	 * backslash and an n as main.cf has it, parts lines; a leading \c glues
	 * the first of them to the reply's own text. */
	const char *footer;
	/* Or, unless it is NULL, who chooses them for each reply. */
	reply_footer_fn *choose;
	void *choose_arg;
};

/* Append "550 5.7.1 text" CRLF, with the footer's lines behind it. */
int reply_render(
    const struct reply *r, const struct reply_style *style, struct buf *out);
/* Append one line of a longer reply, "250-text" or, when no `more` follow,
 * "250 text", with CRLF; neither style nor footer apply. */
int reply_part(const struct reply *r, bool more, struct buf *out);
/* Append "550 5.7.1 text" as log lines quote it: no footer, no line ending. */
int reply_quote(
    const struct reply *r, const struct reply_style *style, struct buf *out);

#endif
