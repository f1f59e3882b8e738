/* SPDX-License-Identifier: ISC */
/* table/watch.h - a file that is read, looked at, and read again.
 *
 * Remembers the directory by descriptor, so that the file can be found after
 * the root was changed.
 *
 * Owns:    the descriptor and the name.
 * Errors:  -1 with errno. */
#ifndef DOORBELL_TABLE_WATCH_H
#define DOORBELL_TABLE_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/errtext.h"
#include "table/table.h"

struct watch {
	int dir;    /* O_PATH descriptor, -1 when there is nothing to watch */
	char *name; /* below it */
	bool present;
	bool unsettled;      /* it was young when it was read */
	bool is_second_look; /* at a file that has not changed since */
	bool has_digest;
	uint64_t digest; /* of the text last read */
	struct stat seen;
};

enum watch_look {
	WATCH_SAME,
	WATCH_CHANGED,
	WATCH_GONE, /* said once */
};

/* Nothing to watch, yet. */
void watch_init(struct watch *w);
/* `suffix` is appended to the path. A missing file is no error. */
int watch_open(struct watch *w, const char *path, const char *suffix);
void watch_close(struct watch *w);

/* One fstatat(2). */
enum watch_look watch_look(struct watch *w);
/* The whole file, at most out->max bytes: 1, or 0 when it is what it was at
 * the last reading. */
int watch_read(struct watch *w, struct buf *out);
/* Look, and read what has changed: TABLE_RELOADED means that `text` is new and
 * is to be taken up. `name` is for *why. */
enum table_change watch_fetch(
    struct watch *w, const char *name, struct buf *text, struct errtext *why);
/* Take the next look for a change, whatever it finds. */
void watch_forget(struct watch *w);

#endif
