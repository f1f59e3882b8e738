/* SPDX-License-Identifier: ISC */
/* config/file.h - the lines of a main.cf.
 *
 * Logical lines: a line that begins with white space continues the one before;
 * empty lines and lines whose first non-blank byte is '#' are skipped, also
 * between a line and its continuation.
 *
 * Owns:    nothing beyond the call.
 * Errors:  -1 with *why, which names file and line. */
#ifndef DOORBELL_CONFIG_FILE_H
#define DOORBELL_CONFIG_FILE_H

#include <stdbool.h>

#include "base/errtext.h"
#include "base/text.h"

#define FILE_SIZE_MAX (4u * 1024 * 1024) /* bytes of one file */

/* One "name = value"; `line` is where the name stands. -1 stops reading. */
typedef int file_entry_fn(
    struct span name, struct span value, int line, void *arg);

/* Feed every entry of the file at `path` to `fn`. A line without '=' is an
 * error that is reported through `bad` and skipped. */
typedef void file_bad_fn(
    const char *path, int line, const char *text, void *arg);
int file_read(const char *path, file_entry_fn *fn, file_bad_fn *bad, void *arg,
    struct errtext *why);

#endif
