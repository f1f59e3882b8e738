/* SPDX-License-Identifier: ISC */
/* base/errtext.h - one bounded sentence that says why something failed.
 *
 * Owns:    nothing; the caller supplies the struct and reports it once, at
 *          the edge (config load, main, journal).
 * Errors:  none; text that does not fit is cut. */
#ifndef DOORBELL_BASE_ERRTEXT_H
#define DOORBELL_BASE_ERRTEXT_H

#include <stdarg.h>

#define ERRTEXT_MAX 512 /* bytes, with the NUL */

struct errtext {
	char text[ERRTEXT_MAX];
};

/* Write the sentence. Accepts NULL for callers that do not want to know.
 * Keeps errno. */
void errtext_set(struct errtext *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Put "PREFIX: " in front of what is there ("main.cf:12: ..."). */
void errtext_prefix(struct errtext *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
