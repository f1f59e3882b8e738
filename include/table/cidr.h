/* SPDX-License-Identifier: ISC */
/* table/cidr.h - rules for address blocks: the first in order that matches.
 *
 * Owns:    copies of the values.
 * Errors:  NULL or -1 with errno ENOMEM. */
#ifndef DOORBELL_TABLE_CIDR_H
#define DOORBELL_TABLE_CIDR_H

#include "base/addr.h"
#include "table/load.h"
#include "table/table.h"

struct cidr;

/* Read cidr_table(5) text; bad lines go to `l`. */
struct cidr *cidr_read(struct span text, struct load *l);

/* Or build one by hand: new, add in order, seal, and only then find. */
struct cidr *cidr_new(void);
int cidr_add(struct cidr *c, const struct addr_block *block, const char *value,
    int line);
int cidr_seal(struct cidr *c);
void cidr_free(struct cidr **c);

/* Fills value and line of *match_r. */
enum table_result cidr_find(
    const struct cidr *c, const struct addr *a, struct table_match *match_r);

/* Of all rules, in order. */
void cidr_each_block(const struct cidr *c, table_block_fn *fn, void *arg);

/* "ADDR", "ADDR/LEN", "[ADDR]" or "[ADDR]/LEN". 0, or -1 with a sentence. */
int cidr_parse_block(
    struct span in, struct addr_block *out_r, struct errtext *why);

#endif
