/* SPDX-License-Identifier: ISC */
/* ops/postfix_say.h - what is told of a change to a Postfix, and of its state.
 *
 * For people it is said as it happens; for programs there is one line of JSON
 * when it is over, and the rest goes to standard error.
 *
 * Owns:    nothing.
 * Errors:  what cannot be written is lost. */
#ifndef DOORBELL_OPS_POSTFIX_SAY_H
#define DOORBELL_OPS_POSTFIX_SAY_H

#include "ops/postfix_job.h"

/* For people: where job->json does not want it on standard output. */
void postfix_say(const struct postfix_job *job, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void postfix_say_plan(const struct postfix_job *job);
void postfix_say_reload(const struct postfix_job *job);
/* It is over, and nothing has failed. */
void postfix_say_result(
    const struct postfix_job *job, bool dry_run, bool changed);
void postfix_say_status(const struct postfix_job *job);

#endif
