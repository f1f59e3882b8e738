/* SPDX-License-Identifier: ISC */
/* ops/ask.h - put a request to the running daemon.
 *
 * Owns:    nothing beyond the call.
 * Errors:  a status other than CONTROL_DONE, with *why. */
#ifndef DOORBELL_OPS_ASK_H
#define DOORBELL_OPS_ASK_H

#include "ops/control.h"

/* The body of the answer goes to `body`, which is empty. */
enum control_status ask_daemon(const char *path, const struct request *r,
    struct buf *body, struct errtext *why);

#endif
