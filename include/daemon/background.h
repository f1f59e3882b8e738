/* SPDX-License-Identifier: ISC */
/* daemon/background.h - standalone without -f: leave the terminal, but not
 * before it is known whether the start succeeds. */
#ifndef DOORBELL_DAEMON_BACKGROUND_H
#define DOORBELL_DAEMON_BACKGROUND_H

/* Fork; the parent exits with 0 when background_ready() is called, with 1 when
 * the child ends before. In the child: a descriptor for background_ready(); -1
 * after saying why on stderr. */
int background_enter(void);
/* Clients are served: let go of the terminal. Ignores -1. */
void background_ready(int fd);

#endif
