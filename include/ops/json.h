/* SPDX-License-Identifier: ISC */
/* ops/json.h - write JSON into a buffer with a ceiling.
 *
 * Text may be anything: control bytes are escaped, and bytes that are not UTF-8
 * become U+FFFD, so the result is always valid.
 *
 * Owns:    nothing; the buffer is the caller's.
 * Errors:  remembered, and told by json_finish(). What does not fit is not
 *          written at all from there on. */
#ifndef DOORBELL_OPS_JSON_H
#define DOORBELL_OPS_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define JSON_DEPTH_MAX 16

struct json {
	struct buf *out;
	unsigned depth;
	bool follows; /* something is in front: a comma is needed */
	bool failed;
	char closing[JSON_DEPTH_MAX];
};

/* `key` is NULL inside an array, and for the outermost value. */
void json_init(struct json *j, struct buf *out);
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
/* Ends the innermost object or array. */
void json_end(struct json *j);
void json_text(struct json *j, const char *key, const char *text);
void json_span(struct json *j, const char *key, struct span text);
void json_number(struct json *j, const char *key, int64_t number);
void json_bool(struct json *j, const char *key, bool yes);
void json_null(struct json *j, const char *key);
/* A newline at the end. 0, or -1 when not all of it is there. */
int json_finish(struct json *j);

#endif
