/* SPDX-License-Identifier: ISC */
/* ops/answers.h - what the running daemon says to each command.
 *
 * Owns:    nothing.
 * Errors:  are answers, too. */
#ifndef DOORBELL_OPS_ANSWERS_H
#define DOORBELL_OPS_ANSWERS_H

#include "ops/control.h"

/* NULL for commands that are not for the daemon. */
extern control_fn *const answers_handler[ORDER_COUNT];

/* What `status` tells, as members of an object that is open: for whoever shows
 * the same elsewhere. */
void answers_write_status(const struct control *c, struct json *j);
/* The array "lists" that `dnsbl` tells. */
void answers_write_lists(const struct policy *policy, struct json *j);

#endif
