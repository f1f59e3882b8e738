/* SPDX-License-Identifier: ISC */
/* ops/offender_answers.h - the worst client prefixes, for the control socket.
 *
 * Who is spared is said in ops/spared.h.
 *
 * Owns:    nothing. */
#ifndef DOORBELL_OPS_OFFENDER_ANSWERS_H
#define DOORBELL_OPS_OFFENDER_ANSWERS_H

#include "ops/control.h"

void offender_answers_list(struct control_call *call);

#endif
