/* SPDX-License-Identifier: ISC */
/* base/fields.h - one line of named values, as logfmt or as JSON.
 *
 *	level=info event=pregreet client=192.0.2.9 text="EHLO x\r\n"
 *	{"level":"info","event":"pregreet","client":"192.0.2.9","text":"EHLO ..."}
 *
 * Names are ours: letters, digits and '_'. Values may be anything.
 *
 * Owns:    nothing; the buffer is the caller's.
 * Units:   bytes. A line never gets longer than its ceiling: a text is cut at
 *          FIELDS_TEXT_MAX, or where the line is full, and what has no room at
 *          all is left out. What is there is always whole.
 * Errors:  none. */
#ifndef DOORBELL_BASE_FIELDS_H
#define DOORBELL_BASE_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define FIELDS_TEXT_MAX 400 /* as it is written */

enum fields_form { FIELDS_LOGFMT, FIELDS_JSON };

struct fields {
	struct buf *out;
	size_t max;
	enum fields_form form;
};

/* `out` is empty and has room for `max` bytes. */
void fields_begin(
    struct fields *f, enum fields_form form, struct buf *out, size_t max);
void fields_text(struct fields *f, const char *name, struct span text);
/* The last one, of any length. */
void fields_rest(struct fields *f, const char *name, struct span text);
void fields_number(struct fields *f, const char *name, int64_t number);
void fields_end(struct fields *f);

#endif
