/* SPDX-License-Identifier: ISC */
/* smtp/line.h - find the next line in what a client has sent so far.
 *
 * Lines end in CRLF; a bare LF is accepted and remembered (RFC 5321 section
 * 2.3.8 forbids it). A CR elsewhere is part of the line.
 *
 * Units:   bytes; the ending counts towards `max`. */
#ifndef DOORBELL_SMTP_LINE_H
#define DOORBELL_SMTP_LINE_H

#include <stdbool.h>

#include "base/text.h"

enum line_result {
	LINE_MORE, /* no end yet, and not too long yet */
	LINE_READY,
	LINE_TOO_LONG, /* more than `max` bytes, ending included */
};

struct line {
	struct span text;  /* without its ending */
	size_t used;       /* bytes of input it took, ending included */
	bool bare_newline; /* LF without CR */
};

enum line_result line_next(struct span input, size_t max, struct line *line_r);

#endif
