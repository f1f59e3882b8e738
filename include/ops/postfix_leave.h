/* SPDX-License-Identifier: ISC */
/* ops/postfix_leave.h - take doorbelld out of a Postfix that may be running.
 *
 * Owns:    nothing beyond the call.
 * Errors:  -1 with *why; the job can be undone. */
#ifndef DOORBELL_OPS_POSTFIX_LEAVE_H
#define DOORBELL_OPS_POSTFIX_LEAVE_H

#include "ops/postfix_job.h"

/* So long the clients inside are waited for. */
#define POSTFIX_LEAVE_WAIT_MS 60000

/* Carry out the plan of a `disable`. SIGINT, SIGTERM and SIGHUP are blocked;
 * one that comes while clients are waited for ends the waiting. */
int postfix_leave(struct postfix_job *job, struct errtext *why);

#endif
