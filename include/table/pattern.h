/* SPDX-License-Identifier: ISC */
/* table/pattern.h - tables of regular expressions: the first that matches.
 *
 * Owns:    the rules, and the last result.
 * Errors:  NULL with errno ENOMEM. */
#ifndef DOORBELL_TABLE_PATTERN_H
#define DOORBELL_TABLE_PATTERN_H

#include "table/load.h"
#include "table/table.h"

enum pattern_syntax {
	PATTERN_POSIX, /* regexp_table(5) */
	PATTERN_PERL,  /* pcre_table(5) */
};

struct pattern;

/* Bad lines go to `l`. */
struct pattern *pattern_read(
    enum pattern_syntax syntax, struct span text, struct load *l);
void pattern_free(struct pattern **p);

/* Fills value and line of *match_r; the value is valid until the next call. */
enum table_result pattern_find(
    const struct pattern *p, const char *key, struct table_match *match_r);

#endif
