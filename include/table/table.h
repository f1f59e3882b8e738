/* SPDX-License-Identifier: ISC */
/* table/table.h - lookup tables that an admin names in the configuration.
 *
 *	cidr:/file texthash:/file regexp:/file pcre:/file	read, and re-read
 *	hash: btree: cdb: lmdb: dbm: sdbm:	read whole through postmap -s
 *	inline:{ key=value, { key = text }, ... }
 *	static:value  static:{ value }
 *	TYPE:{ { line }, { line } }	cidr, regexp and pcre without a file
 *
 * Opening reads everything into memory, so a lookup never waits. A file is
 * remembered by a descriptor of its directory: it can be re-read after
 * privileges were dropped or the root was changed, if the file allows it.
 *
 * Owns:    the contents. A found value is valid until the next call with the
 *          same table.
 * Errors:  as in Postfix a bad line is skipped and reported, and a table that
 *          cannot be read matches nothing and is reported; table_open() fails
 *          (NULL, *why) only for a type that cannot work here and for a spec
 *          that makes no sense.
 * Threads: none. Opening and refreshing read files: local disks only. */
#ifndef DOORBELL_TABLE_TABLE_H
#define DOORBELL_TABLE_TABLE_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/errtext.h"
#include "base/text.h"
#include "table/shelf.h"

#define TABLE_FILE_MAX (256u * 1024 * 1024) /* bytes of one table */

/* A line that was skipped, or a table that cannot be read; `line` may be 0.
 * Called while opening only, never from table_refresh(). */
typedef void table_report_fn(
    const char *file, int line, const char *text, void *arg);
/* What the table's user thinks of a value: -1 with *why makes its line a bad
 * one (it stays in the table), 1 with *why is a remark that is reported once,
 * 0 is fine. Also called while refreshing. */
typedef int table_check_fn(const char *value, void *arg, struct errtext *why);

struct table_options {
	const char *postmap; /* path of postmap(1), for indexed files */
	const char *config_directory; /* postmap -c, may be NULL */
	table_report_fn *report;
	void *arg;
	table_check_fn *check; /* may be NULL */
	void *check_arg;     /* outlives the table, unless it is on the shelf */
	struct shelf *shelf; /* of indexed tables; may be NULL */
};

struct table; /* opaque, counted */

enum table_result {
	TABLE_ABSENT,
	TABLE_FOUND,
};

struct table_match {
	const char *value;
	const char *file; /* NULL for inline and static */
	int line;         /* 0 when unknown */
};

enum table_change {
	TABLE_SAME,
	TABLE_RELOADED,
	TABLE_BROKEN, /* changed, but unusable: the old contents stay */
	TABLE_STALE,  /* changed, but cannot be re-read in place: *why is the
		       * table's name and nothing else */
};

/* True when `word` looks like TYPE:NAME or TYPE:{...}. */
bool table_is_spec(struct span word);
struct table *table_open(
    struct span spec, const struct table_options *o, struct errtext *why);
struct table *table_ref(struct table *t);
/* Gives the reference back. */
void table_free(struct table **t);
/* Read through postmap(1), so not to be opened while running. */
bool table_is_indexed(const struct table *t);
/* As it was written in the configuration. */
const char *table_spec(const struct table *t);

/* False when the table could not be read at all: it finds nothing. */
bool table_is_readable(const struct table *t);
enum table_result table_find(
    const struct table *t, const char *key, struct table_match *match_r);
/* The same for an address; tables of patterns and texts get it as text. */
enum table_result table_find_addr(
    const struct table *t, const struct addr *a, struct table_match *match_r);

/* Every block of addresses that the table names: at their edges, and nowhere
 * else, neighbours find different things. False when it cannot tell, because
 * patterns may divide addresses anywhere. */
typedef void table_block_fn(const struct addr_block *block, void *arg);
bool table_each_block(const struct table *t, table_block_fn *fn, void *arg);

/* Has the file changed? Looks at it (one fstatat(2)) and takes it up. Says
 * TABLE_BROKEN and TABLE_STALE once for each change, with *why; with
 * TABLE_RELOADED *why is the file's name. A file is broken when it has more bad
 * lines than the contents in force had. */
enum table_change table_refresh(struct table *t, struct errtext *why);

#endif
