/* SPDX-License-Identifier: ISC */
/* table/perlre.h - Perl regular expressions with pcre_table(5) flags.
 *
 * Owns:    the compiled expression. The room to match in is the caller's: one
 *          for many expressions, because it keeps the memory it has needed.
 * Errors:  NULL with *why. */
#ifndef DOORBELL_TABLE_PERLRE_H
#define DOORBELL_TABLE_PERLRE_H

#include "base/errtext.h"
#include "table/groups.h"

struct perlre;
struct perlre_room;

/* NULL with errno ENOMEM. */
struct perlre_room *perlre_room_new(void);
void perlre_room_free(struct perlre_room **room);

/* Flags toggle: i (on), m (off), s (on), x, A, E, U (off); X is ignored. */
struct perlre *perlre_new(
    const char *pattern, struct span flags, struct errtext *why);
void perlre_free(struct perlre **re);
/* How many parentheses there are. */
size_t perlre_group_count(const struct perlre *re);
enum groups_match perlre_match(const struct perlre *re,
    struct perlre_room *room, const char *key, struct groups *groups_r);

#endif
