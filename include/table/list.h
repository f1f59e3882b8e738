/* SPDX-License-Identifier: ISC */
/* table/list.h - lists of addresses, networks and tables, as in mynetworks, and
 * of words and tables, as in forbidden_commands.
 *
 * Words separated by commas or white space: ADDR, ADDR/LEN, [ADDR], [ADDR]/LEN,
 * TYPE:NAME (found at all means a match), /file/name (its words are read as
 * part of the list; file lines may hold # comments), and !WORD, which ends the
 * search without a match. The first word that matches decides. !/file turns
 * all words of the file round. Names of hosts and domains never match, and
 * are no error: mynetworks may hold them for others.
 *
 * Owns:    its tables.
 * Errors:  NULL with *why for a bad word. A file that cannot be read matches
 *          nothing and is reported, as is a bad word in a file. */
#ifndef DOORBELL_TABLE_LIST_H
#define DOORBELL_TABLE_LIST_H

#include "table/table.h"

#define LIST_DEPTH_MAX 5 /* files in files */

struct list;

struct list *list_open(
    struct span words, const struct table_options *o, struct errtext *why);
void list_free(struct list **l);
bool list_has(const struct list *l, const struct addr *a);
/* As table_each_block(), for all that is in a list of addresses. */
bool list_each_block(const struct list *l, table_block_fn *fn, void *arg);
/* A list of plain words, which are matched without case; words and tables,
 * files and "!" are all there is in such a list. */
struct list *list_open_words(
    struct span words, const struct table_options *o, struct errtext *why);
bool list_has_word(const struct list *l, const char *word);
/* table_refresh() for everything inside; the strongest change wins. */
enum table_change list_refresh(struct list *l, struct errtext *why);

#endif
