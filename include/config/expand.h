/* SPDX-License-Identifier: ISC */
/* config/expand.h - $name, ${name?x:y} and comparisons, as in Postfix.
 *
 *	$name $(name) ${name}		the value of name
 *	${name?text} ${name?{text}}	text, when name is not empty
 *	${name:text} ${name:{text}}	text, when name is empty
 *	${name?{x}:{y}}			either
 *	${{a} == {b} ? {x} : {y}}	comparison: == != < <= >= >, numeric when
 *					both sides are numbers; with the suffix
 *					"level" (<=level) Postfix compatibility
 *					levels are compared
 *	$$				a dollar sign
 *
 * Owns:    nothing.
 * Units:   at most EXPAND_DEPTH_MAX references deep, as in Postfix.
 * Errors:  -1 with *why: bad syntax, a value that refers to itself, too long,
 *          out of memory. */
#ifndef DOORBELL_CONFIG_EXPAND_H
#define DOORBELL_CONFIG_EXPAND_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/errtext.h"

#define EXPAND_DEPTH_MAX 100

/* The unexpanded value of a name; NULL when there is none (which is the same
 * as empty). `arg` is the caller's. */
typedef const char *expand_lookup_fn(const char *name, void *arg);

/* Append the expansion of `in` to `out`; `why` may be NULL. */
int expand_text(const char *in, expand_lookup_fn *lookup, void *arg,
    struct buf *out, struct errtext *why);

#endif
