/* SPDX-License-Identifier: ISC */
#include "support/fake_cache.h"

#include <errno.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"

enum { FAKE_CACHE_TOTAL_MAX = 1 << 18 };

struct entry {
	struct map_link link;
	struct record_key key;
	struct record record;
};

struct cache {
	struct map *entries;
	char *path;
	bool has_failed;
	struct cache_news news;
	struct fake_cache_hooks hooks;
	struct buf totals; /* of one hour */
	uint32_t hour;
};

struct cache *
cache_open(const struct cache_options *o, struct errtext *why)
{
	struct cache *c = mem_new(sizeof(*c));

	errtext_set(why, "%s", "");
	if (c == NULL)
		return NULL;
	buf_init(&c->totals, FAKE_CACHE_TOTAL_MAX);
	c->entries = map_new();
	c->path = mem_strdup(o->path);
	if (c->entries == NULL || c->path == NULL)
		cache_close(&c);
	return c;
}

bool
cache_is_usable(const struct cache *c)
{
	return !c->has_failed;
}

int
cache_start(struct cache *c, struct errtext *why)
{
	(void)c;
	errtext_set(why, "%s", "");
	return 0;
}

static void
free_entry(struct map_link *link, void *arg)
{
	struct entry *entry = OWNER_OF(link, struct entry, link);
	struct cache *c = arg;

	map_remove(c->entries, link);
	mem_free(entry);
}

void
cache_close(struct cache **c)
{
	if (*c == NULL)
		return;
	if ((*c)->entries != NULL)
		map_each((*c)->entries, free_entry, *c);
	map_free(&(*c)->entries);
	buf_clear(&(*c)->totals);
	mem_free((*c)->path);
	mem_free(*c);
	*c = NULL;
}

void
cache_before_fork(struct cache *c)
{
	(void)c;
}

void
cache_after_fork_parent(struct cache *c)
{
	(void)c;
}

void
cache_after_fork_child(struct cache *c, struct errtext *why)
{
	(void)c;
	errtext_set(why, "%s", "");
}

static struct entry *
entry_of(const struct cache *c, const struct record_key *key)
{
	struct map_link *link = map_find(c->entries, key->bytes, key->n);

	return link != NULL ? OWNER_OF(link, struct entry, link) : NULL;
}

bool
cache_find(
    struct cache *c, const struct record_key *key, struct record *record_r)
{
	const struct entry *entry = entry_of(c, key);

	if (c->has_failed || entry == NULL)
		return false;
	*record_r = entry->record;
	return true;
}

int
cache_store(
    struct cache *c, const struct record_key *key, const struct record *record)
{
	struct entry *entry = entry_of(c, key);

	if (c->has_failed) {
		c->news.lost++;
		errno = EIO;
		return -1;
	}
	c->news.stored++;
	if (entry != NULL) {
		record_merge(&entry->record, record);
		return 0;
	}
	if ((entry = mem_new(sizeof(*entry))) == NULL)
		return -1;
	entry->key = *key;
	entry->record = *record;
	map_add(c->entries, &entry->link, entry->key.bytes, entry->key.n);
	return 0;
}

int
cache_forget(struct cache *c, const struct record_key *key)
{
	struct entry *entry = entry_of(c, key);

	if (c->has_failed) {
		errno = EIO;
		return -1;
	}
	if (entry != NULL)
		free_entry(&entry->link, c);
	return 0;
}

struct broom {
	struct cache *cache;
	struct wall before;
};

static void
sweep_entry(struct map_link *link, void *arg)
{
	const struct entry *entry = OWNER_OF(link, struct entry, link);
	struct broom *broom = arg;
	struct cache_news *news = &broom->cache->news;

	if (record_last(&entry->record).s >= broom->before.s) {
		news->retained++;
		return;
	}
	news->dropped++;
	free_entry(link, broom->cache);
}

void
cache_sweep(struct cache *c, struct wall before)
{
	struct broom broom = {.cache = c, .before = before};

	if (c->has_failed)
		return;
	c->hooks.sweeps++;
	c->hooks.swept_before = before;
	c->news.swept = true;
	c->news.retained = 0;
	c->news.dropped = 0;
	map_each(c->entries, sweep_entry, &broom);
}

void
cache_take_news(struct cache *c, struct cache_news *news_r)
{
	*news_r = c->news;
	c->news = (struct cache_news){
	    .retained = c->news.retained, .dropped = c->news.dropped};
}

size_t
cache_backlog(struct cache *c)
{
	(void)c;
	return 0;
}

void
fake_cache_fail(struct cache *c, const char *why)
{
	c->has_failed = true;
	c->news.failed = true;
	errtext_set(&c->news.why, "%s", why);
}

size_t
fake_cache_count(const struct cache *c)
{
	return map_count(c->entries);
}

const char *
fake_cache_path(const struct cache *c)
{
	return c->path;
}

int
cache_keep_note(struct cache *c, const struct cache_note *note)
{
	if (c->has_failed)
		return errno = EIO, -1;
	if (c->hooks.notes_refused)
		return errno = ENOBUFS, -1;
	c->hooks.notes++;
	c->hooks.note = *note;
	return 0;
}

/* None is there at the start. */
int
cache_each_note(
    struct cache *c, cache_note_fn *fn, void *arg, struct errtext *why)
{
	(void)c;
	(void)fn;
	(void)arg;
	errtext_set(why, "%s", "");
	return 0;
}

/* What is stored is one hour's; another one takes its place. */
int
cache_total(
    struct cache *c, uint32_t hour, struct span bytes, cache_merge_fn *merge)
{
	struct buf both;
	int rc;

	if (c->has_failed)
		return errno = EIO, -1;
	if (c->hooks.totals_refused)
		return errno = ENOBUFS, -1;
	if (hour != c->hour)
		buf_reset(&c->totals);
	c->hour = hour;
	c->hooks.totals++;
	buf_init(&both, FAKE_CACHE_TOTAL_MAX);
	rc = merge(buf_span(&c->totals), bytes, &both);
	buf_clear(&c->totals);
	c->totals = both;
	return rc;
}

struct span
fake_cache_total(const struct cache *c, uint32_t *hour_r)
{
	*hour_r = c->hour;
	return buf_span(&c->totals);
}

int
cache_revive(struct cache *c, struct errtext *why)
{
	must(!cache_is_usable(c));
	c->hooks.revivals++;
	errtext_set(why, "%s", c->hooks.revival_why);
	if (!c->hooks.can_revive)
		return -1;
	c->has_failed = false;
	return 0;
}

struct fake_cache_hooks *
fake_cache_hooks(struct cache *c)
{
	return &c->hooks;
}

struct cache_news *
fake_cache_news(struct cache *c)
{
	return &c->news;
}

const char *
cache_map_path(const char *map, struct errtext *why)
{
	(void)why;
	return map;
}

const char *
cache_version(void)
{
	return "0.0";
}
