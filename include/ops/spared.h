/* SPDX-License-Identifier: ISC */
/* ops/spared.h - whose prefixes are not shown among the worst.
 *
 * Of a prefix with many addresses each one counts: permitted by the access
 * list, in mynetworks or dnsbl_skip_networks, or allowed by hand. And so does
 * the prefix itself: known to the cache, or not what is one client by now.
 *
 * Owns:    nothing.
 * Errors:  -1 with errno ENOMEM. */
#ifndef DOORBELL_OPS_SPARED_H
#define DOORBELL_OPS_SPARED_H

#include <stdbool.h>

#include "screen/offenders.h"
#include "screen/screen.h"

/* is_spared_r[i] is about worst[i]. */
int spared_find(const struct screen *screen, const struct offender *worst,
    size_t n, bool *is_spared_r);

#endif
