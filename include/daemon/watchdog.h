/* SPDX-License-Identifier: ISC */
/* daemon/watchdog.h - a process that stands still is ended, and says so.
 *
 * Owns:    the handler of SIGALRM, and the process's alarm(2).
 * Units:   seconds.
 * Errors:  none. */
#ifndef DOORBELL_DAEMON_WATCHDOG_H
#define DOORBELL_DAEMON_WATCHDOG_H

#include "net/logsock.h"

/* Install the handler; before the cache is opened, whose guard listens first.
 * `log` is where the log's socket is found when it is needed. */
void watchdog_begin(struct logsock *const *log);
/* Not for so many seconds from now. */
void watchdog_feed(unsigned seconds);
/* No alarm any more. */
void watchdog_rest(void);
/* The log is about to go. */
void watchdog_end(void);

#endif
