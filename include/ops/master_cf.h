/* SPDX-License-Identifier: ISC */
/* ops/master_cf.h - the services in Postfix's master.cf.
 *
 * Lines as in main.cf: what begins with white space continues the line before;
 * comments and empty lines belong to nobody, also within an entry.
 *
 * Owns:    a copy of the text; everything else points into it.
 * Errors:  -1 with *why. */
#ifndef DOORBELL_OPS_MASTER_CF_H
#define DOORBELL_OPS_MASTER_CF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/errtext.h"

enum master_field {
	MASTER_SERVICE,
	MASTER_TYPE,
	MASTER_PRIVATE,
	MASTER_UNPRIV,
	MASTER_CHROOT,
	MASTER_WAKEUP,
	MASTER_MAXPROC,
	MASTER_COMMAND,
	MASTER_FIELDS
};

struct master_entry {
	char *text; /* the logical line */
	struct span field[MASTER_FIELDS];
	struct span arguments; /* what follows the command */
};

struct master_line {
	struct span text; /* with its newline */
	size_t entry;     /* whose it is; MASTER_NOBODY for a comment */
};
#define MASTER_NOBODY ((size_t)-1)

struct master_cf {
	char *text;
	struct master_entry *entry;
	size_t entries;
	struct master_line *line;
	size_t lines;
};

/* An entry with less than eight fields is an error. */
int master_cf_parse(
    struct master_cf *cf, struct span text, struct errtext *why);
/* Also after a failed parse. */
void master_cf_clear(struct master_cf *cf);

/* NULL when there is none. Postfix takes the last of several. */
const struct master_entry *master_cf_find(
    const struct master_cf *cf, struct span service, const char *type);
/* The last part of the command field is this program. */
bool master_entry_runs(const struct master_entry *entry, const char *program);
/* Both mean the same, however they are written; NULL is like NULL only. */
bool master_entry_same(
    const struct master_entry *a, const struct master_entry *b);

/* Call `fn` with the value of each -o among the arguments, its braces removed,
 * as the program would get it. -1 as soon as `fn` returns it. */
typedef int master_option_fn(struct span value, void *arg);
int master_entry_options(
    const struct master_entry *entry, master_option_fn *fn, void *arg);

/* Append all lines that are not of these entries; NULL is skipped. */
int master_cf_others(const struct master_cf *cf, const struct master_entry *a,
    const struct master_entry *b, struct buf *out);

#endif
