/* SPDX-License-Identifier: ISC */
/* lookup/cache.h - the pass cache in LMDB, which the event loop never waits for.
 *
 * Lookups read the memory map. Stores go to a queue that lookups consult first
 * and that one writer thread commits in batches, with the sync done there; the
 * same thread sweeps expired records, a few at a time. Several processes may
 * share one file.
 *
 * A file that cannot be opened, or turns out to be corrupt, is set aside as
 * PATH.broken (when it is ours to rename) and a new one is begun; when that
 * fails too, the cache stays without memory until cache_revive(): lookups find
 * nothing, stores are dropped, cache_is_usable() says no.
 *
 * Owns:    its environment, queue and thread.
 * Units:   seconds (wall) for expiry; map bytes are address space, the file
 *          grows as needed.
 * Errors:  never fatal: *why and the return value say what is lost.
 * Threads: the writer, and nothing else; all functions are for the loop. */
#ifndef DOORBELL_LOOKUP_CACHE_H
#define DOORBELL_LOOKUP_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/errtext.h"
#include "lookup/cache_note.h"
#include "lookup/cache_total.h"
#include "lookup/record.h"

#define CACHE_MAP_BYTES ((size_t)4 << 30) /* reserved, not used */
#define CACHE_QUEUE_MAX 65536             /* records waiting for the writer */
#define CACHE_BATCH_MIN 1000  /* records that are worth a transaction */
#define CACHE_BATCH_MAX 16384 /* and that go into one, if they wait */
#define CACHE_BATCH_MS 250    /* the longest wait for more records */
#define CACHE_FULL_MS 60000   /* no room: until the next try */

struct cache_options {
	const char *path; /* the data file; PATH-lock is beside it */
	size_t map_bytes; /* 0: CACHE_MAP_BYTES */
	uid_t uid;        /* owner of new files; (uid_t)-1: as we are */
	gid_t gid;
};

struct cache;

/* The path in "lmdb:/path", "" for "" (no cache), NULL with *why for a type that
 * cannot be a cache. Points into `map`. */
const char *cache_map_path(const char *map, struct errtext *why);

/* Open before privileges are dropped or the root is changed. Returns a cache
 * in any case but ENOMEM (NULL); *why is "" when all is well, else it says what
 * was set aside or why there is no memory. */
struct cache *cache_open(const struct cache_options *o, struct errtext *why);
bool cache_is_usable(const struct cache *c);
/* Start the writer: after privileges were dropped and after any fork. */
int cache_start(struct cache *c, struct errtext *why);
/* When the cache is not usable: try the file once more, or a new one if it was
 * set aside. 0 when it is usable again, *why then being "" or what was set
 * aside; -1 with *why. */
int cache_revive(struct cache *c, struct errtext *why);
/* Write what is queued, stop the writer, close. */
void cache_close(struct cache **c);

/* Fork-and-drain. Before fork() in the parent: blocks the queue, not the disk.
 * In the child: begins a new environment on the same file through a directory
 * descriptor from before, takes over the queue with the batch that was in
 * flight, and starts a writer of its own. In the parent after fork(), which
 * must then leave by _exit(). */
void cache_before_fork(struct cache *c);
void cache_after_fork_parent(struct cache *c);
void cache_after_fork_child(struct cache *c, struct errtext *why);

/* True when there is a record, queued or stored. */
bool cache_find(
    struct cache *c, const struct record_key *key, struct record *record_r);
/* Queue; -1 when it was dropped (queue full or no memory). */
int cache_store(
    struct cache *c, const struct record_key *key, const struct record *record);
int cache_forget(struct cache *c, const struct record_key *key);

/* Keep or drop a note; -1 with errno when it is not done: ENOBUFS
 * (CACHE_NOTES_WAITING_MAX of them wait), EIO. */
int cache_keep_note(struct cache *c, const struct cache_note *note);
/* All that are kept: before cache_start(). 0, or -1 with *why. */
int cache_each_note(
    struct cache *c, cache_note_fn *fn, void *arg, struct errtext *why);

/* Add bytes to the total of an hour; -1 with errno when they are not taken:
 * ENOBUFS (CACHE_TOTALS_WAITING_MAX of them wait), EIO, ENOMEM. */
int cache_total(
    struct cache *c, uint32_t hour, struct span bytes, cache_merge_fn *merge);

/* Ask the writer to remove records whose last test expired before `before`. A
 * sweep that runs already goes on. */
void cache_sweep(struct cache *c, struct wall before);

/* What the writer has to tell since the last call; poll it about once a
 * second. */
struct cache_news {
	bool swept;                 /* a sweep ended */
	bool sweeping;              /* one is under way */
	uint64_t retained, dropped; /* of that sweep, or of it so far */
	uint64_t stored;            /* records committed */
	uint64_t lost;              /* records dropped (full, failed) */
	bool full;                  /* the map or the disk was full */
	bool room_again;            /* stores again, after it had to drop */
	bool failed;                /* the file is of no use any longer */
	struct errtext why;         /* of `full` and `failed` */
};
void cache_take_news(struct cache *c, struct cache_news *news_r);
/* Records queued and not yet committed. */
size_t cache_backlog(struct cache *c);

/* Of the LMDB that runs. */
const char *cache_version(void);

#endif
