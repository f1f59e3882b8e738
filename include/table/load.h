/* SPDX-License-Identifier: ISC */
/* table/load.h - one reading of a table's text: its lines and its complaints.
 *
 * Logical lines as in Postfix: comments and empty lines are nothing, a line
 * that starts with white space continues the one before it.
 *
 * Owns:    the text of the current line, until lines_clear().
 * Units:   line numbers from 1, of the first physical line; 0 is unknown.
 * Errors:  a bad line is counted and reported, never fatal. */
#ifndef DOORBELL_TABLE_LOAD_H
#define DOORBELL_TABLE_LOAD_H

#include "base/buf.h"
#include "base/errtext.h"
#include "base/text.h"
#include "table/table.h"

struct load {
	const char *file;             /* what complaints call the table */
	struct table_options options; /* .report NULL: only count */
	unsigned bad;                 /* lines without effect */
	bool has_note;                /* the value check has had its say */
	struct errtext first; /* "FILE:LINE: why" of the first bad one */
};

void load_init(struct load *l, const char *file, const struct table_options *o);
/* The line does not do what was meant. */
void load_bad(struct load *l, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The line counts, but its author should know something. */
void load_note(struct load *l, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Let the table's user look at a value (table_options.check). */
void load_check_value(struct load *l, int line, const char *value);

struct lines {
	struct span rest;
	int physical;    /* physical lines taken so far */
	struct buf text; /* the logical line, NUL-terminated */
	int line;
};

void lines_init(struct lines *lines, struct span text);
void lines_clear(struct lines *lines);
/* 1 with the next line in lines->text (trimmed at its end, never empty), 0 at
 * the end, -1 with errno ENOMEM. */
int lines_next(struct lines *lines, struct load *l);

/* The rules of "{ {rule}, {rule} }" as the lines of a file. 0, or -1 with
 * *why. */
int load_inline(struct span braces, struct buf *out, struct errtext *why);
/* The contents of "{ ... }" without braces and blanks around; false when they
 * do not match. */
bool load_unwrap(struct span braces, struct span *inside_r);

#endif
