/* SPDX-License-Identifier: ISC */
/* ops/offender_answers.h - the worst client prefixes, for the control socket.
 *
 * Nobody is among them who is permitted by the access list, allowed by hand or
 * known, or in mynetworks or in dnsbl_skip_networks. A block that has an allowed
 * one in it is left out wholly.
 *
 * Owns:    nothing. */
#ifndef DOORBELL_OPS_OFFENDER_ANSWERS_H
#define DOORBELL_OPS_OFFENDER_ANSWERS_H

#include "ops/control.h"

void offender_answers_list(struct control_call *call);

#endif
