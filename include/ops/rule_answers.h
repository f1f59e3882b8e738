/* SPDX-License-Identifier: ISC */
/* ops/rule_answers.h - allow, deny, forget and rules, for the control socket.
 *
 * A rule counts from the moment of the answer; the writer of the cache keeps it.
 *
 * Owns:    nothing. */
#ifndef DOORBELL_OPS_RULE_ANSWERS_H
#define DOORBELL_OPS_RULE_ANSWERS_H

#include "ops/control.h"

void rule_answers_allow(struct control_call *call);
void rule_answers_deny(struct control_call *call);
void rule_answers_forget(struct control_call *call);
/* Only what the cache knows. */
void rule_answers_cache_delete(struct control_call *call);
void rule_answers_list(struct control_call *call);

#endif
