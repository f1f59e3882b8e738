/* SPDX-License-Identifier: ISC */
/* ops/replace.h - whole files, read at once and replaced in one step.
 *
 * Owns:    nothing beyond the call.
 * Errors:  -1 with *why, which names the file; a file that could not be
 *          replaced is as it was. */
#ifndef DOORBELL_OPS_REPLACE_H
#define DOORBELL_OPS_REPLACE_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/errtext.h"

#define REPLACE_FILE_MAX ((size_t)128 << 20) /* bytes: a program fits */

/* Append the file to `out`; *st_r (may be NULL) is about it. errno is kept. */
int replace_read(
    const char *path, struct buf *out, struct stat *st_r, struct errtext *why);
/* Write the bytes to the file at `path`, made anew with this mode and these
 * owners, and on disk before it takes the name. */
int replace_write(const char *path, struct span bytes, mode_t mode, uid_t uid,
    gid_t gid, struct errtext *why);

#endif
