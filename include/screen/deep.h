/* SPDX-License-Identifier: ISC */
/* screen/deep.h - the deep tests: how a client behaves after the greeting.
 *
 * A test that is due passes when a well-formed RCPT is reached in order, and is
 * revoked by a later fault in the same session. A client that failed any test
 * before is watched by all three, whatever is configured: what it does wrong is
 * worth a line in the log. */
#ifndef DOORBELL_SCREEN_DEEP_H
#define DOORBELL_SCREEN_DEEP_H

#include <stdbool.h>

#include "screen/session.h"
#include "smtp/command.h"
#include "smtp/line.h"

/* The dialogue begins: switch on what is to be watched. */
void deep_begin(struct session *s);
/* Look at a line before it is interpreted: at how it ends, then at the command
 * it is. `after` is the last command's name, `used` the bytes of input that the
 * line takes. PHASE_STAY, or what a fault leads to. */
enum phase deep_look_at_ending(struct session *s, const struct line *line);
enum phase deep_look_at_command(
    struct session *s, const struct command *c, const char *after, size_t used);
/* A well-formed RCPT was reached in order: what is due is passed. */
void deep_reached_recipient(struct session *s);

#endif
