/* SPDX-License-Identifier: ISC */
/* ops/top.h - a view of the running daemon that redraws itself.
 *
 * On a terminal it is drawn anew each second, in its height, until it is
 * interrupted. Elsewhere, and with --once, two looks a second apart make one
 * view, as text without control sequences.
 *
 * Errors:  the exit status, enum control_status; why is on stderr. */
#ifndef DOORBELL_OPS_TOP_H
#define DOORBELL_OPS_TOP_H

#include <stdio.h>

#include "ops/json_value.h"
#include "ops/request.h"

int top_run(const char *path, const struct request *r);

/* One view: what has changed since `before` (NULL: nothing is known of that),
 * which is `ms` ago; of at most `rows` lines. */
void top_draw(const struct json_value *before, const struct json_value *now,
    int64_t ms, unsigned rows, FILE *out);

#endif
