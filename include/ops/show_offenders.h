/* SPDX-License-Identifier: ISC */
/* ops/show_offenders.h - the worst client prefixes, for people and filters.
 *
 * Owns:    nothing. */
#ifndef DOORBELL_OPS_SHOW_OFFENDERS_H
#define DOORBELL_OPS_SHOW_OFFENDERS_H

#include <stdio.h>

#include "ops/json_value.h"

/* In the form that the answer says it was asked for. */
void show_offenders(const struct json_value *answer, FILE *out);

#endif
