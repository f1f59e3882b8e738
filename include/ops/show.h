/* SPDX-License-Identifier: ISC */
/* ops/show.h - the daemon's answers for people.
 *
 * Owns:    nothing.
 * Errors:  none; what an answer lacks is left out. All text of others is made
 *          printable. */
#ifndef DOORBELL_OPS_SHOW_H
#define DOORBELL_OPS_SHOW_H

#include <stdio.h>

#include "ops/json_value.h"
#include "ops/request.h"

/* Text of somebody else, or NULL for none, padded to `width`. */
void show_text(FILE *out, const char *text, int width);
void show_answer(
    enum order_id order, const struct json_value *answer, FILE *out);

#endif
