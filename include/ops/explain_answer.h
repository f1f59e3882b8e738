/* SPDX-License-Identifier: ISC */
/* ops/explain_answer.h - `explain`, answered by the running daemon: with its
 * tables, its memory, and questions to the DNS lists.
 *
 * Owns:    the questions, until the answer or the end of the call.
 * Units:   at most EXPLAIN_AT_ONCE calls ask the lists, and on average one in
 *          EXPLAIN_PACE_MS may; EXPLAIN_BURST of them at once. */
#ifndef DOORBELL_OPS_EXPLAIN_ANSWER_H
#define DOORBELL_OPS_EXPLAIN_ANSWER_H

#include "ops/control.h"

#define EXPLAIN_AT_ONCE 8
#define EXPLAIN_PACE_MS 250
#define EXPLAIN_BURST 40

void explain_answer(struct control_call *call);

#endif
