/* SPDX-License-Identifier: ISC */
/* config/file.h - the lines of a main.cf.
 *
 * Logical lines: a line that begins with white space continues the one before;
 * empty lines and lines whose first non-blank byte is '#' are skipped, also
 * between a line and its continuation.
 *
 * Owns:    nothing beyond the call.
 * Errors:  -1 with *why, which names the file; errno of open(2) or read(2),
 *          EFBIG, or ECANCELED when `fn` said stop. */
#ifndef DOORBELL_CONFIG_FILE_H
#define DOORBELL_CONFIG_FILE_H

#include <stdbool.h>

#include "base/errtext.h"
#include "base/text.h"

#define FILE_SIZE_MAX (4u * 1024 * 1024) /* bytes of one file */

/* One "name = value", both trimmed; `line` is where the name stands. -1 stops
 * reading. */
typedef int file_entry_fn(
    struct span name, struct span value, int line, void *arg);
/* A logical line that is no entry; it is skipped. Postfix does not start with
 * a `fatal` one and only warns of the others. */
typedef void file_bad_fn(
    bool fatal, const char *path, int line, const char *text, void *arg);

/* Feed every entry of the file at `path` to `fn`. */
int file_read(const char *path, file_entry_fn *fn, file_bad_fn *bad, void *arg,
    struct errtext *why);
/* The same for text in memory that came from `path`. */
int file_parse(const char *path, struct span text, file_entry_fn *fn,
    file_bad_fn *bad, void *arg, struct errtext *why);
/* Split "name = value", as in -o. 0, or -1 with *why. */
int file_split(struct span entry, struct span *name_r, struct span *value_r,
    struct errtext *why);

#endif
