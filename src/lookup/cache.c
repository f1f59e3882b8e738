/* SPDX-License-Identifier: ISC */
#include "lookup/cache.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "lookup/cache_file.h"
#include "lookup/cache_place.h"
#include "lookup/cache_writer.h"

/* What a lookup sees is what the file will hold once the queue is written: a
 * queued change is folded over the stored record just as the writer will do it.
 * The queue is asked before the file. In the other order a batch committed in
 * between would be seen in neither. */

struct cache {
	struct cache_place place;
	size_t map_bytes;
	struct cache_file *file; /* NULL: no memory */
	struct cache_writer *writer;
};

#define CACHE_TYPE "lmdb:"

const char *
cache_map_path(const char *map, struct errtext *why)
{
	if (map[0] == '\0')
		return map;
	if (span_has_prefix(span_str(map), CACHE_TYPE) &&
	    map[strlen(CACHE_TYPE)] != '\0')
		return map + strlen(CACHE_TYPE);
	errtext_set(why, "doorbell_cache_map = %s: only %s/path can be a cache",
	    map, CACHE_TYPE);
	return NULL;
}

static void
open_file(struct cache *c, struct errtext *why)
{
	c->file = cache_file_open(&c->place, c->map_bytes, why);
}

struct cache *
cache_open(const struct cache_options *o, struct errtext *why)
{
	struct cache *c = mem_new(sizeof(*c));

	errtext_set(why, "%s", "");
	if (c == NULL || (c->writer = cache_writer_new()) == NULL) {
		mem_free(c);
		errno = ENOMEM;
		return NULL;
	}
	c->map_bytes = o->map_bytes != 0 ? o->map_bytes : CACHE_MAP_BYTES;
	if (cache_place_init(&c->place, o->path, o->uid, o->gid) < 0)
		errtext_set(why, "%s: %s", o->path, strerror(errno));
	else
		open_file(c, why);
	return c;
}

bool
cache_is_usable(const struct cache *c)
{
	return c->file != NULL && !cache_writer_has_failed(c->writer);
}

int
cache_start(struct cache *c, struct errtext *why)
{
	if (c->file == NULL || cache_writer_start(c->writer, c->file) == 0)
		return 0;
	/* Without a writer the queue would only fill. */
	errtext_set(why, "cannot start the cache writer: %s", strerror(errno));
	cache_file_close(&c->file);
	return -1;
}

int
cache_revive(struct cache *c, struct errtext *why)
{
	must(!cache_is_usable(c));
	if (c->place.dir < 0) {
		errtext_set(why, "there is no directory for it");
		return -1;
	}
	if (c->file != NULL && cache_writer_begin_anew(c->writer) < 0) {
		errtext_set(why, "%s: %s", c->place.path, strerror(errno));
		return -1;
	}
	cache_file_close(&c->file);
	open_file(c, why);
	return c->file != NULL && cache_start(c, why) == 0 ? 0 : -1;
}

void
cache_close(struct cache **c)
{
	if (*c == NULL)
		return;
	if ((*c)->file != NULL)
		cache_writer_stop((*c)->writer, (*c)->file);
	cache_file_close(&(*c)->file);
	cache_writer_free(&(*c)->writer);
	cache_place_clear(&(*c)->place);
	mem_free(*c);
	*c = NULL;
}

void
cache_before_fork(struct cache *c)
{
	cache_writer_before_fork(c->writer);
}

void
cache_after_fork_parent(struct cache *c)
{
	cache_writer_after_fork_parent(c->writer);
}

void
cache_after_fork_child(struct cache *c, struct errtext *why)
{
	errtext_set(why, "%s", "");
	cache_writer_after_fork_child(c->writer);
	if (c->file == NULL)
		return;
	cache_file_abandon(&c->file);
	open_file(c, why);
	cache_start(c, why);
}

/* Ask the file; a file that fails is news, and no record. */
static bool
find_stored(
    struct cache *c, const struct record_key *key, struct record *record_r)
{
	struct errtext why;

	switch (cache_file_get(c->file, key, record_r, &why)) {
	case CACHE_FILE_DONE:
		return true;
	case CACHE_FILE_ABSENT:
	case CACHE_FILE_NO_MEMORY:
		return false;
	default:
		cache_writer_fail(c->writer, &why);
		return false;
	}
}

bool
cache_find(
    struct cache *c, const struct record_key *key, struct record *record_r)
{
	struct cache_change change;
	struct record stored;

	if (c->file == NULL)
		return false;
	switch (cache_writer_find(c->writer, key, &change)) {
	case CACHE_WRITER_ABSENT:
		return find_stored(c, key, record_r);
	case CACHE_WRITER_FAILED:
		return false;
	case CACHE_WRITER_QUEUED:
		break;
	}
	if (!change.store)
		return false;
	*record_r = change.record;
	if (!change.forget && find_stored(c, key, &stored))
		record_merge(record_r, &stored);
	return true;
}

int
cache_store(
    struct cache *c, const struct record_key *key, const struct record *record)
{
	const struct cache_change change = {
	    .key = *key, .record = *record, .store = true};

	if (c->file != NULL)
		return cache_writer_add(c->writer, &change);
	errno = EIO;
	return -1;
}

int
cache_forget(struct cache *c, const struct record_key *key)
{
	const struct cache_change change = {.key = *key, .forget = true};

	if (c->file != NULL)
		return cache_writer_add(c->writer, &change);
	errno = EIO;
	return -1;
}

int
cache_keep_note(struct cache *c, const struct cache_note *note)
{
	if (c->file != NULL)
		return cache_writer_keep(c->writer, note);
	errno = EIO;
	return -1;
}

int
cache_each_note(
    struct cache *c, cache_note_fn *fn, void *arg, struct errtext *why)
{
	if (c->file == NULL)
		return 0;
	if (cache_file_each_note(c->file, fn, arg, why) == CACHE_FILE_DONE)
		return 0;
	cache_writer_fail(c->writer, why);
	return -1;
}

int
cache_total(
    struct cache *c, uint32_t hour, struct span bytes, cache_merge_fn *merge)
{
	struct cache_total *total;

	if (c->file == NULL)
		return errno = EIO, -1;
	if ((total = cache_total_new(hour, bytes, merge)) == NULL)
		return -1;
	if (cache_writer_total(c->writer, total) == 0)
		return 0;
	cache_total_free(&total);
	return -1;
}

void
cache_sweep(struct cache *c, struct wall before)
{
	if (c->file != NULL)
		cache_writer_sweep(c->writer, before);
}

void
cache_take_news(struct cache *c, struct cache_news *news_r)
{
	cache_writer_take_news(c->writer, news_r);
}

size_t
cache_backlog(struct cache *c)
{
	return cache_writer_backlog(c->writer);
}

const char *
cache_version(void)
{
	return cache_file_version();
}
