/* SPDX-License-Identifier: ISC */
#include "support/fake_cache_file.h"

/* The writer's thread asks, the test's tells. */
#include <pthread.h>
#include <stdatomic.h>

static _Atomic enum cache_file_status answer;
static atomic_uint tries;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

void
fake_cache_file_answer(enum cache_file_status status)
{
	answer = status;
}

void
fake_cache_file_hold(bool held)
{
	if (held)
		pthread_mutex_lock(&gate);
	else
		pthread_mutex_unlock(&gate);
}

unsigned
fake_cache_file_tries(void)
{
	return tries;
}

struct cache_file *
cache_file_open(
    const struct cache_place *place, size_t map_bytes, struct errtext *why)
{
	(void)place;
	(void)map_bytes;
	errtext_set(why, "there is no file");
	return NULL;
}

struct cache_file *
cache_file_open_to_read(
    const struct cache_place *place, size_t map_bytes, struct errtext *why)
{
	return cache_file_open(place, map_bytes, why);
}

void
cache_file_close(struct cache_file **f)
{
	*f = NULL;
}

void
cache_file_abandon(struct cache_file **f)
{
	*f = NULL;
}

void
cache_file_warm(struct cache_file *f)
{
	(void)f;
}

enum cache_file_status
cache_file_get(struct cache_file *f, const struct record_key *key,
    struct record *record_r, struct errtext *why)
{
	(void)f;
	(void)key;
	(void)record_r;
	(void)why;
	return CACHE_FILE_ABSENT;
}

enum cache_file_status
cache_file_apply(struct cache_file *f, const struct cache_change *changes,
    size_t n, struct errtext *why)
{
	(void)f;
	(void)changes;
	(void)n;
	errtext_set(why, "as told");
	tries++;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return answer;
}

enum cache_file_status
cache_file_scan(struct cache_file *f, const struct record_key *after,
    struct cache_scanned *scanned, size_t max, size_t *n_r, struct errtext *why)
{
	(void)f;
	(void)after;
	(void)scanned;
	(void)max;
	(void)why;
	*n_r = 0;
	return CACHE_FILE_DONE;
}

enum cache_file_status
cache_file_remove(struct cache_file *f, const struct record_key *keys, size_t n,
    struct wall before, size_t *dropped_r, struct errtext *why)
{
	(void)f;
	(void)keys;
	(void)n;
	(void)before;
	*dropped_r = 0;
	errtext_set(why, "as told");
	return answer;
}

const char *
cache_file_version(void)
{
	return "fake";
}

enum cache_file_status
cache_file_keep(struct cache_file *f, const struct cache_note *notes, size_t n,
    struct errtext *why)
{
	(void)f;
	(void)notes;
	(void)n;
	errtext_set(why, "as told");
	tries++;
	return answer;
}

enum cache_file_status
cache_file_each_note(
    struct cache_file *f, cache_note_fn *fn, void *arg, struct errtext *why)
{
	(void)f;
	(void)fn;
	(void)arg;
	errtext_set(why, "as told");
	return answer;
}

enum cache_file_status
cache_file_total(
    struct cache_file *f, const struct cache_total *total, struct errtext *why)
{
	(void)f;
	(void)total;
	errtext_set(why, "as told");
	tries++;
	return answer;
}

enum cache_file_status
cache_file_each_total(struct cache_file *f, uint32_t from, cache_total_fn *fn,
    void *arg, struct errtext *why)
{
	(void)f;
	(void)from;
	(void)fn;
	(void)arg;
	errtext_set(why, "as told");
	return answer;
}
