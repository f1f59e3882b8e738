/* SPDX-License-Identifier: ISC */
/* screen/onward.h - when a client that we talk to needs the real smtpd, and what
 * smtpd has to be told again then.
 *
 * Owns:    copies of two of the client's lines.
 * Errors:  -1 with ENOMEM or EMSGSIZE. */
#ifndef DOORBELL_SCREEN_ONWARD_H
#define DOORBELL_SCREEN_ONWARD_H

#include <stdbool.h>

#include "base/buf.h"
#include "screen/session.h"
#include "smtp/command.h"
#include "smtp/engine.h"

struct onward {
	struct buf hello, mail; /* lines with their endings; empty: not said */
	bool is_well_formed;    /* the MAIL is: smtpd will not object */
	bool lacks_tls;         /* EHLO was answered without STARTTLS */
};

void onward_init(struct onward *o, size_t line_max);
void onward_clear(struct onward *o);
/* The client may still come to smtpd: nothing has failed, and the first session
 * after the deep tests, or a late hand-off, is meant to be relayed. */
bool onward_is_open(const struct session *s);
/* The engine has answered this line. */
int onward_note(struct onward *o, const struct engine *e,
    const struct command *c, struct span line);
/* This command is the one that needs smtpd. Marks what it passes on the way. */
bool onward_needs_smtpd(struct session *s, const struct onward *o,
    const struct engine *e, const struct command *c);

#endif
