/* SPDX-License-Identifier: ISC */
/* config/scope.h - what a name means: set, a default, or the machine's.
 *
 * Owns:    nothing.
 * Errors:  -1 with *why. */
#ifndef DOORBELL_CONFIG_SCOPE_H
#define DOORBELL_CONFIG_SCOPE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/errtext.h"
#include "config/params.h"
#include "config/set.h"

enum scope_state {
	SCOPE_CALM,     /* $stress is empty */
	SCOPE_STRESSED, /* $stress is yes */
	SCOPE_WRITTEN,  /* $stress is what the admin says, as in postconf(1) */
	SCOPE_BUILT_IN  /* nothing is set */
};

#define SCOPE_VALUE_MAX (256u * 1024) /* bytes of one expanded value */

/* The text of a name, not expanded; NULL when it has none. */
const char *scope_raw(
    const struct config_set *set, enum scope_state state, const char *name);
/* Append the expansion of `text`. */
int scope_expand(const struct config_set *set, enum scope_state state,
    const char *text, struct buf *out, struct errtext *why);
/* Append the text that a row's value is made from: expanded, but for what the
 * admin wrote in a RAW row. */
int scope_effective(const struct config_set *set, enum scope_state state,
    const struct param *param, struct buf *out, struct errtext *why);
/* Whether somebody has set this very name. */
bool scope_is_set(const struct config_set *set, const char *name);
/* The setting whose text decides the value of `name`, when necessary through
 * the names that it stands for; NULL when nobody set any of them. */
const struct setting *scope_origin(
    const struct config_set *set, const char *name);

#endif
