/* SPDX-License-Identifier: ISC */
/* table/posixre.h - POSIX regular expressions with regexp_table(5) flags.
 *
 * Owns:    the compiled expression.
 * Errors:  NULL with *why. */
#ifndef DOORBELL_TABLE_POSIXRE_H
#define DOORBELL_TABLE_POSIXRE_H

#include "base/errtext.h"
#include "table/groups.h"

struct posixre;

/* Flags toggle: i (on), m (off), x (on). */
struct posixre *posixre_new(
    const char *pattern, struct span flags, struct errtext *why);
void posixre_free(struct posixre **re);
/* How many parentheses there are. */
size_t posixre_group_count(const struct posixre *re);
enum groups_match posixre_match(
    const struct posixre *re, const char *key, struct groups *groups_r);

#endif
