/* SPDX-License-Identifier: ISC */
/* daemon/showing.h - metrics and the status page of this process.
 *
 * Trouble with it is a warning: nobody's mail waits for a picture. */
#ifndef DOORBELL_DAEMON_SHOWING_H
#define DOORBELL_DAEMON_SHOWING_H

#include "config/config.h"
#include "daemon/context.h"

/* Whether the parameter makes sense: 0, or -1 with *why. */
int showing_check(const struct config *cfg, struct errtext *why);
/* Make the socket, with all privileges and the whole file system; another
 * process that has it may leave before `until`. */
void showing_open(struct doorbell *d, struct mono until);
/* Begin to answer. After steering_start(). */
void showing_start(struct doorbell *d);
/* Answer no more: another process may take over. Whatever its state. */
void showing_stop(struct doorbell *d);

#endif
