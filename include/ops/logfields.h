/* SPDX-License-Identifier: ISC */
/* ops/logfields.h - a log line of named fields, read by the table that wrote it.
 *
 * With doorbell_log_format = logfmt or json each line of doorbelld is a row of
 * screen/events.def with its fields.
 *
 * Owns:    nothing; spans point into the line. Texts keep their escapes.
 * Errors:  a line that makes no sense is none of ours. */
#ifndef DOORBELL_OPS_LOGFIELDS_H
#define DOORBELL_OPS_LOGFIELDS_H

#include "ops/logline.h"

/* What stands behind the tag has this form. */
bool logfields_has(struct span text);
/* Fills kind, event, and the fields that are there; false leaves *line_r as it
 * was. */
bool logfields_read(struct span text, struct logline *line_r);

#endif
