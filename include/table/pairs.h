/* SPDX-License-Identifier: ISC */
/* table/pairs.h - keys and values: texthash:, inline:, and what postmap(1)
 * prints of an indexed file. Keys are folded to lower case on both sides.
 *
 * Owns:    copies of keys and values.
 * Errors:  NULL with errno ENOMEM. */
#ifndef DOORBELL_TABLE_PAIRS_H
#define DOORBELL_TABLE_PAIRS_H

#include "table/load.h"
#include "table/table.h"

struct pairs;

/* "key value" lines, as given to postmap(1). */
struct pairs *pairs_read_text(struct span text, struct load *l);
/* "key<TAB>value" lines, as printed by postmap -s. */
struct pairs *pairs_read_dump(struct span text, struct load *l);
/* "{ key=value, { key = text } }"; NULL with *why when that makes no sense. */
struct pairs *pairs_read_inline(
    struct span braces, struct load *l, struct errtext *why);
void pairs_free(struct pairs **p);

/* Fills value and line of *match_r. */
enum table_result pairs_find(
    const struct pairs *p, const char *key, struct table_match *match_r);
/* Each key that is an address, as a block of one. */
void pairs_each_address(const struct pairs *p, table_block_fn *fn, void *arg);

#endif
