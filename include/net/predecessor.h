/* SPDX-License-Identifier: ISC */
/* net/predecessor.h - who listens where we want to, and is on its way out?
 *
 * A daemon that ends closes its listeners first, but between its signal and
 * that the next one may have been started. */
#ifndef DOORBELL_NET_PREDECESSOR_H
#define DOORBELL_NET_PREDECESSOR_H

#include <stdbool.h>
#include <sys/socket.h>

#define PREDECESSOR_MS 300

/* True when nobody listens at this address (Unix, or TCP of this machine), or
 * soon nobody does: waits for that, PREDECESSOR_MS at most, and not on a loop.
 * Also true when there is no descriptor left to ask with. */
bool predecessor_is_gone(const struct sockaddr *sa, socklen_t n);

#endif
