/* SPDX-License-Identifier: ISC */
/* daemon/housekeeping.h - what is done once a second, whoever calls. */
#ifndef DOORBELL_DAEMON_HOUSEKEEPING_H
#define DOORBELL_DAEMON_HOUSEKEEPING_H

#include "daemon/context.h"

/* Begin: watchdog, changed tables, news and sweeps of the cache. */
void housekeeping_start(struct doorbell *d);
/* The end of this process: say what is unfinished. */
void housekeeping_finish(struct doorbell *d);

#endif
