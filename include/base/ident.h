/* SPDX-License-Identifier: ISC */
/* base/ident.h - names for what comes and goes: no two are the same.
 *
 * A process begins with the time in nanoseconds and adds one for each session.
 * Nobody gets a thousand million clients a second, so whoever starts later
 * begins behind all names of those that started earlier, on the same clock.
 *
 * Units:   11 digits and letters; their order in ASCII is that of time. */
#ifndef DOORBELL_BASE_IDENT_H
#define DOORBELL_BASE_IDENT_H

#include <stdint.h>

#define IDENT_TEXT_MAX 12 /* bytes, the NUL included */

/* Where a process begins; never 0. */
uint64_t ident_begin(void);
/* Returns `out`. */
const char *ident_format(uint64_t ident, char out[IDENT_TEXT_MAX]);

#endif
