/* SPDX-License-Identifier: ISC */
/* lookup/cache_writer.h - the thread that writes, so that the loop need not.
 *
 * Owns:    the queue, its mutex and the thread. The file stays the cache's and
 *          must not be closed while the thread runs.
 * Errors:  0/-1 with errno; what goes wrong later is news.
 * Threads: all functions are for the loop's thread. */
#ifndef DOORBELL_LOOKUP_CACHE_WRITER_H
#define DOORBELL_LOOKUP_CACHE_WRITER_H

#include "lookup/cache.h"
#include "lookup/cache_file.h"

struct cache_writer;

struct cache_writer *cache_writer_new(void);
/* Not while the thread runs. */
void cache_writer_free(struct cache_writer **w);

int cache_writer_start(struct cache_writer *w, struct cache_file *f);
/* Write what is queued, end the thread. Without a thread the caller writes. */
void cache_writer_stop(struct cache_writer *w, struct cache_file *f);

/* -1 when it is dropped: ENOBUFS, ENOMEM, EIO (the file has failed). */
int cache_writer_add(struct cache_writer *w, const struct cache_change *change);
/* The same for a note. */
int cache_writer_keep(struct cache_writer *w, const struct cache_note *note);
/* The same for a total, which is the writer's when it returns 0. */
int cache_writer_total(struct cache_writer *w, struct cache_total *total);
enum cache_writer_answer {
	CACHE_WRITER_QUEUED, /* see *change_r */
	CACHE_WRITER_ABSENT, /* ask the file */
	CACHE_WRITER_FAILED  /* do not ask the file */
};
enum cache_writer_answer cache_writer_find(struct cache_writer *w,
    const struct record_key *key, struct cache_change *change_r);
/* The file cannot be used any longer; `why` becomes news, once. */
void cache_writer_fail(struct cache_writer *w, const struct errtext *why);
bool cache_writer_has_failed(struct cache_writer *w);
/* End the thread of a writer that has failed, drop what waits, and be as new.
 * -1 with EBUSY while the thread is still at the file: it is not waited for. */
int cache_writer_begin_anew(struct cache_writer *w);

void cache_writer_sweep(struct cache_writer *w, struct wall before);
void cache_writer_take_news(struct cache_writer *w, struct cache_news *news_r);
size_t cache_writer_backlog(struct cache_writer *w);

void cache_writer_before_fork(struct cache_writer *w);
void cache_writer_after_fork_parent(struct cache_writer *w);
/* No thread any more; what was flying waits again. */
void cache_writer_after_fork_child(struct cache_writer *w);

#endif
