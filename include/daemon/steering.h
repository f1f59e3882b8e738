/* SPDX-License-Identifier: ISC */
/* daemon/steering.h - the control socket of this process.
 *
 * Trouble with it is a warning: nobody's mail waits for an admin's question. */
#ifndef DOORBELL_DAEMON_STEERING_H
#define DOORBELL_DAEMON_STEERING_H

#include "config/config.h"
#include "daemon/context.h"

/* Whether the parameters make sense: 0, or -1 with *why. */
int steering_check(const struct config *cfg, struct errtext *why);
/* Make the socket, with all privileges and the whole file system; another
 * process that has it may leave before `until`. */
void steering_open(struct doorbell *d, struct mono until);
/* Begin to answer. */
void steering_start(struct doorbell *d);
/* Answer no more: another process may take over. Whatever its state. */
void steering_stop(struct doorbell *d);

#endif
