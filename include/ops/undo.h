/* SPDX-License-Identifier: ISC */
/* ops/undo.h - how some files were, so that they can be so again.
 *
 * Owns:    copies of what the files had in them.
 * Errors:  -1 with *why, which names the file. */
#ifndef DOORBELL_OPS_UNDO_H
#define DOORBELL_OPS_UNDO_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/errtext.h"

#define UNDO_FILES_MAX 4

struct undo_file {
	char *path;
	bool existed;
	struct buf bytes;
	struct stat st;
};

struct undo {
	struct undo_file file[UNDO_FILES_MAX];
	size_t n;
};

/* Before the file is changed, made or removed. What it has in it is then in
 * the returned struct; NULL with *why. */
const struct undo_file *undo_remember(
    struct undo *undo, const char *path, struct errtext *why);
/* Bring all of them back, the last one first, and go on after an error, which
 * is then the one that is told. */
int undo_all(const struct undo *undo, struct errtext *why);
void undo_clear(struct undo *undo);

#endif
