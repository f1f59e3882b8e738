/* SPDX-License-Identifier: ISC */
/* table/maps.h - "TYPE:NAME, TYPE:NAME": tables that are asked one after the
 * other, until one knows the key.
 *
 * Owns:    its tables. A found value is valid until the next call.
 * Errors:  NULL with *why, as table_open(). */
#ifndef DOORBELL_TABLE_MAPS_H
#define DOORBELL_TABLE_MAPS_H

#include "table/table.h"

struct maps;

struct maps *maps_open(
    struct span words, const struct table_options *o, struct errtext *why);
void maps_free(struct maps **m);
bool maps_is_empty(const struct maps *m);
enum table_result maps_find(
    const struct maps *m, const char *key, struct table_match *match_r);
enum table_result maps_find_addr(
    const struct maps *m, const struct addr *a, struct table_match *match_r);
/* table_refresh() for all of them; the strongest change wins. */
enum table_change maps_refresh(struct maps *m, struct errtext *why);

#endif
