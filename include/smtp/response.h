/* SPDX-License-Identifier: ISC */
/* smtp/response.h - what a real SMTP server answers (RFC 5321 section 4.2).
 *
 * Owns:    nothing; spans point into the input. */
#ifndef DOORBELL_SMTP_RESPONSE_H
#define DOORBELL_SMTP_RESPONSE_H

#include <stdbool.h>

#include "base/text.h"

enum response_result {
	RESPONSE_MORE, /* not whole yet */
	RESPONSE_READY,
	RESPONSE_BROKEN, /* not SMTP */
};

struct response {
	int code;
	struct span lines; /* all of it, with line endings */
};

/* The response at the beginning of `input`, all its lines. */
enum response_result response_next(struct span input, struct response *r);
/* The next line of *lines without code, separator and ending; false at the
 * end. */
bool response_line(struct span *lines, struct span *text_r);

#endif
