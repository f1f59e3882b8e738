/* SPDX-License-Identifier: ISC */
/* config/host.h - defaults that are worked out from the machine.
 *
 * Owns:    nothing; answers are appended to the caller's buffer.
 * Errors:  0 or -1 with *why. */
#ifndef DOORBELL_CONFIG_HOST_H
#define DOORBELL_CONFIG_HOST_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/errtext.h"

/* myhostname: the host's name; when that has no dot, with `domain` after it
 * (NULL: "localdomain"). */
int host_name(const char *domain, struct buf *out, struct errtext *why);
/* mydomain: what follows the first dot of `name`. */
int host_domain(const char *name, struct buf *out, struct errtext *why);
/* mynetworks: the networks around the addresses of this host, as
 * mynetworks_style, inet_interfaces and inet_protocols say. When `is_hurried`
 * the names among the interfaces are errors: a name server may be slow. */
int host_networks(const char *style, const char *interfaces,
    const char *protocols, bool is_hurried, struct buf *out,
    struct errtext *why);

#endif
