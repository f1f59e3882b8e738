/* SPDX-License-Identifier: ISC */
/* screen/encryption.h - STARTTLS, as the configuration wants it.
 *
 * Errors:  none. Without keys STARTTLS is not offered, and the table report of
 *          the policy's options says why: no reason not to screen. */
#ifndef DOORBELL_SCREEN_ENCRYPTION_H
#define DOORBELL_SCREEN_ENCRYPTION_H

#include "screen/policy.h"

/* Read the keys, and tell the policy's engines. */
void encryption_prepare(struct policy *p, const struct policy_options *o);

#endif
