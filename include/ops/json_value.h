/* SPDX-License-Identifier: ISC */
/* ops/json_value.h - read JSON, for the commands that show it to people.
 *
 * Numbers are whole (a fraction is cut off). Of a key that is there twice the
 * first one counts.
 *
 * Owns:    a tree owns its values and their texts; the input may go.
 * Errors:  NULL with *why. Asking for what is not there yields nothing: NULL,
 *          0 or "". */
#ifndef DOORBELL_OPS_JSON_VALUE_H
#define DOORBELL_OPS_JSON_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errtext.h"
#include "base/text.h"

enum json_kind {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_TEXT,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json_value {
	enum json_kind kind;
	const char *key;  /* in an object, else NULL */
	const char *text; /* "" unless JSON_TEXT; NULs became '?' */
	int64_t number;
	struct json_value *first, *next;
};

struct json_tree;

struct json_tree *json_tree_new(struct span in, struct errtext *why);
void json_tree_free(struct json_tree **tree);
const struct json_value *json_tree_root(const struct json_tree *tree);

/* In an object; `v` may be NULL. */
const struct json_value *json_value_get(
    const struct json_value *v, const char *key);
const char *json_value_text(const struct json_value *v, const char *key);
int64_t json_value_number(const struct json_value *v, const char *key);
bool json_value_is_true(const struct json_value *v, const char *key);
/* Of an array or object. */
size_t json_value_count(const struct json_value *v);

#endif
