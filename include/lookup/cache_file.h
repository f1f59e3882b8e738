/* SPDX-License-Identifier: ISC */
/* lookup/cache_file.h - the pass cache on disk: one LMDB environment.
 *
 * Owns:    its environment.
 * Errors:  a status; *why is written for FULL and FAILED.
 * Threads: cache_file_get() on the loop; apply, scan and remove on one other
 *          thread at the same time; open and close while no other call runs. */
#ifndef DOORBELL_LOOKUP_CACHE_FILE_H
#define DOORBELL_LOOKUP_CACHE_FILE_H

#include <stddef.h>

#include "base/errtext.h"
#include "lookup/cache_note.h"
#include "lookup/cache_place.h"
#include "lookup/cache_queue.h"
#include "lookup/cache_total.h"
#include "lookup/record.h"

enum cache_file_status {
	CACHE_FILE_DONE,
	CACHE_FILE_ABSENT, /* no such record */
	CACHE_FILE_FULL,   /* no room in the map or on the disk; nothing done */
	CACHE_FILE_NO_MEMORY, /* nothing done; the next may fare better */
	CACHE_FILE_FAILED     /* the file cannot be used any longer */
};

struct cache_file;

/* NULL when there is no way to have one. A file that makes no sense is renamed
 * to NAME.broken and a new one begun; so is one that a process has died of. *why
 * then says so, otherwise it is "". `place` must stay until the file is closed. */
struct cache_file *cache_file_open(
    const struct cache_place *place, size_t map_bytes, struct errtext *why);
/* Only to look, with cache_file_get() and cache_file_scan(), as who may be there
 * at the same time as a daemon: nothing is made, mended or set aside, now or
 * later. NULL with *why when there is no cache, or no sound one. */
struct cache_file *cache_file_open_to_read(
    const struct cache_place *place, size_t map_bytes, struct errtext *why);
void cache_file_close(struct cache_file **f);
/* In the child of a fork: forget the parent's environment without a call to
 * LMDB, without closing its descriptors. */
void cache_file_abandon(struct cache_file **f);

enum cache_file_status cache_file_get(struct cache_file *f,
    const struct record_key *key, struct record *record_r, struct errtext *why);

/* Ask the kernel to read the file ahead, so that lookups find it in memory. */
void cache_file_warm(struct cache_file *f);
/* All changes in one transaction, or none. */
enum cache_file_status cache_file_apply(struct cache_file *f,
    const struct cache_change *changes, size_t n, struct errtext *why);

/* The same for notes: the last one of a key counts. */
enum cache_file_status cache_file_keep(struct cache_file *f,
    const struct cache_note *notes, size_t n, struct errtext *why);
/* All of them; on the loop, before the thread begins. */
enum cache_file_status cache_file_each_note(
    struct cache_file *f, cache_note_fn *fn, void *arg, struct errtext *why);

/* Add it to what is kept of its hour. */
enum cache_file_status cache_file_total(
    struct cache_file *f, const struct cache_total *total, struct errtext *why);
/* Those that are kept, from that hour on, ascending. */
enum cache_file_status cache_file_each_total(struct cache_file *f,
    uint32_t from, cache_total_fn *fn, void *arg, struct errtext *why);

struct cache_scanned {
	struct record_key key;
	struct wall last; /* RECORD_NEVER for bytes we cannot read */
};
/* The next up to `max` keys behind `after` (NULL: from the first one);
 * *n_r < max at the end. */
enum cache_file_status cache_file_scan(struct cache_file *f,
    const struct record_key *after, struct cache_scanned *scanned, size_t max,
    size_t *n_r, struct errtext *why);
/* Remove those of `keys` that expired before `before`, in one transaction. */
enum cache_file_status cache_file_remove(struct cache_file *f,
    const struct record_key *keys, size_t n, struct wall before,
    size_t *dropped_r, struct errtext *why);

/* Of the LMDB that runs. */
const char *cache_file_version(void);

#endif
