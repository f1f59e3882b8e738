/* SPDX-License-Identifier: ISC */
/* base/num.h - the only place where text becomes a number.
 *
 * Errors:  0, or -1 with errno EINVAL (not a number) or ERANGE; *out_r is
 *          written only on success. The whole span must be the number. */
#ifndef DOORBELL_BASE_NUM_H
#define DOORBELL_BASE_NUM_H

#include <stdint.h>

#include "base/text.h"

int num_parse(struct span in, int64_t min, int64_t max, int64_t *out_r);
/* Digits with an optional suffix s m h d w; without one `unit` counts (one
 * of these letters). Result in seconds. */
int num_parse_seconds(struct span in, char unit, int64_t *seconds_r);

#endif
