/* SPDX-License-Identifier: ISC */
/* lookup/access.h - the permanent access list: permit, reject, or no opinion.
 *
 * Words, first decision wins: permit_mynetworks, permit, reject, dunno, and
 * TYPE:NAME tables that are asked for the client's address. A table's value is
 * again a list of such words, without tables. There "dunno" goes on behind the
 * table; elsewhere it ends the search without a decision. { WORD, name = value
 * ... } as a table's value reads as WORD, and the settings behind it go with the
 * decision; those of "dunno" do, unless what decides has some of its own.
 *
 * Owns:    its tables. `mynetworks` stays the caller's and must outlive it.
 * Errors:  NULL with *why for an unknown word in the configuration; an unknown
 *          word in a table's value is reported like a bad line, and ends the
 *          search without a decision. So does a table that cannot be read: the
 *          words behind it may have been meant for those it does not name. */
#ifndef DOORBELL_LOOKUP_ACCESS_H
#define DOORBELL_LOOKUP_ACCESS_H

#include "table/list.h"
#include "table/table.h"

enum access_verdict {
	ACCESS_DUNNO,
	ACCESS_PERMIT,
	ACCESS_REJECT,
};

/* What decided: for "why was this client refused". */
struct access_fact {
	enum access_verdict verdict;
	const char *word; /* the word or table that decided, or NULL */
	const char *file; /* of the table's line, or NULL */
	int line;
	struct span settings; /* valid until the next question; may be empty */
};

/* 0, or -1 with *why (which may be NULL): a value with such settings is like an
 * unknown word. */
typedef int access_settings_fn(struct span settings, struct errtext *why);

struct access;

struct access *access_open(struct span words, const struct list *mynetworks,
    access_settings_fn *settings, const struct table_options *o,
    struct errtext *why);
void access_free(struct access **a);
struct access_fact access_find(
    const struct access *a, const struct addr *client);
/* As table_each_block(), for its tables; `mynetworks` is the caller's to ask. */
bool access_each_block(const struct access *a, table_block_fn *fn, void *arg);
enum table_change access_refresh(struct access *a, struct errtext *why);

#endif
