/* SPDX-License-Identifier: ISC */
/* net/predecessor.h - who listens where we want to, and is on its way out?
 *
 * A daemon that ends closes its listeners, but between its signal and that the
 * next one may have been started.
 *
 * Owns:    nothing.
 * Units:   milliseconds.
 * Errors:  none that are told: who cannot ask finds nobody. */
#ifndef DOORBELL_NET_PREDECESSOR_H
#define DOORBELL_NET_PREDECESSOR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/clock.h"

#define PREDECESSOR_MS 300 /* of patience, in all, for one who starts */

/* True when nobody listens at this address (Unix, or TCP of this machine), or
 * nobody does before `until`: waits for that, and not on a loop. Also true when
 * there is no descriptor left to ask with. */
bool predecessor_is_gone(
    const struct sockaddr *sa, socklen_t n, struct mono until);

#endif
