/* SPDX-License-Identifier: ISC */
/* ops/logbook.h - connections, put together from the lines of log files.
 *
 * Lines come in the order of time, file after file. A connection that was given
 * to smtpd has no last line: it ends when LOGBOOK_IDLE_MS have gone by without
 * one.
 *
 * Owns:    the connections that are open. The history is the caller's.
 * Errors:  NULL with errno ENOMEM. When memory runs out later, connections are
 *          left out, and logbook_finish() says so. */
#ifndef DOORBELL_OPS_LOGBOOK_H
#define DOORBELL_OPS_LOGBOOK_H

#include "ops/history.h"
#include "ops/logline.h"

#define LOGBOOK_IDLE_MS (2 * 3600 * 1000)
#define LOGBOOK_OPEN_MAX 500000

struct logbook;

/* Of connections that end outside of [since, until) nothing is kept. */
struct logbook *logbook_new(
    struct history *history, struct wall since, struct wall until);
void logbook_line(struct logbook *b, const struct logline *line);
/* The end of the last file. 0, or -1 when not all could be kept. */
int logbook_finish(struct logbook *b);
void logbook_free(struct logbook **b);

#endif
