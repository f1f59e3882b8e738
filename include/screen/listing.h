/* SPDX-License-Identifier: ISC */
/* screen/listing.h - write down and count what the DNS lists of a policy say.
 *
 * Names of lists may hold secrets, so every name passes through the policy's
 * dnsbl_reply_map. */
#ifndef DOORBELL_SCREEN_LISTING_H
#define DOORBELL_SCREEN_LISTING_H

#include "lookup/dnsbl.h"
#include "screen/policy.h"

/* For the DNS lists of this policy, which must have a screen. */
struct dnsbl_observer listing_observer(struct policy *policy);

#endif
