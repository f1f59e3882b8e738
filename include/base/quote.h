/* SPDX-License-Identifier: ISC */
/* base/quote.h - any text as a JSON string, which logfmt knows as well.
 *
 * The result is printable, is valid UTF-8 and stands on one line, whoever reads
 * it: control characters, those that other people's programs take for the end
 * of a line and those that change the direction of writing are escaped, and a
 * byte that is not part of UTF-8 becomes \ufffd.
 *
 * Errors:  -1 when `out` is full; it then holds what did fit. */
#ifndef DOORBELL_BASE_QUOTE_H
#define DOORBELL_BASE_QUOTE_H

#include "base/buf.h"

/* At most `max` bytes are added, quotes included; what is cut ends between two
 * characters. `max` is at least 2. */
int quote_add(struct buf *out, struct span in, size_t max);

#endif
