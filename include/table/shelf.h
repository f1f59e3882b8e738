/* SPDX-License-Identifier: ISC */
/* table/shelf.h - indexed tables, kept from one configuration to the next.
 *
 * Reading an indexed table takes postmap(1), time, and rights that are given up
 * after the start. So a configuration that is read while clients are served
 * takes its indexed tables from the shelf; one that is not there cannot be had.
 *
 * Owns:    a reference to each table on it.
 * Errors:  NULL, -1 with ENOMEM. */
#ifndef DOORBELL_TABLE_SHELF_H
#define DOORBELL_TABLE_SHELF_H

#include <stdbool.h>

#include "base/text.h"

struct table;
struct shelf;

struct shelf *shelf_new(void);
void shelf_free(struct shelf **shelf);
/* A table with this spec, or NULL; the reference stays the shelf's. */
struct table *shelf_find(const struct shelf *shelf, struct span spec);
/* Keep a reference. -1 with ENOMEM. */
int shelf_put(struct shelf *shelf, struct table *t);
/* From now on nothing can be read that is not here. */
void shelf_close(struct shelf *shelf);
bool shelf_is_closed(const struct shelf *shelf);

#endif
