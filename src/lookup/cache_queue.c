/* SPDX-License-Identifier: ISC */
#include "lookup/cache_queue.h"

#include <errno.h>
#include <sys/queue.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"
#include "lookup/cache.h"

/* One item holds both layers of its key: what flies and what waits. So letting
 * a batch fly moves no item between tables, a lookup hashes once, and the
 * mutex around all this is held for some tens of microseconds at most. */

struct item {
	struct map_link link;
	struct record_key key;
	struct cache_change waiting, flying;
	bool is_waiting, is_flying;
	TAILQ_ENTRY(item) in_waiting;
	TAILQ_ENTRY(item) in_flying;
};

TAILQ_HEAD(item_list, item);

struct cache_queue {
	struct map *items; /* by key */
	struct item_list waiting, flying;
	size_t waiting_count;
};

struct cache_queue *
cache_queue_new(void)
{
	struct cache_queue *q = mem_new(sizeof(*q));

	if (q == NULL || (q->items = map_new()) == NULL)
		goto failed;
	TAILQ_INIT(&q->waiting);
	TAILQ_INIT(&q->flying);
	return q;
failed:
	mem_free(q);
	return NULL;
}

static void
free_item(struct map_link *link, void *arg)
{
	struct item *item = OWNER_OF(link, struct item, link);
	struct map *items = arg;

	map_remove(items, link);
	mem_free(item);
}

void
cache_queue_free(struct cache_queue **q)
{
	if (*q == NULL)
		return;
	map_each((*q)->items, free_item, (*q)->items);
	map_free(&(*q)->items);
	mem_free(*q);
	*q = NULL;
}

/* `change` becomes the effect of itself and then of `newer`. */
static void
fold(struct cache_change *change, const struct cache_change *newer)
{
	if (newer->forget)
		*change = *newer;
	else if (!change->store)
		change->record = newer->record;
	else
		record_merge(&change->record, &newer->record);
	change->store = newer->store;
}

static struct item *
item_of(const struct cache_queue *q, const struct record_key *key)
{
	struct map_link *link = map_find(q->items, key->bytes, key->n);

	return link != NULL ? OWNER_OF(link, struct item, link) : NULL;
}

static struct item *
item_new(struct cache_queue *q, const struct record_key *key)
{
	struct item *item;

	if (map_count(q->items) >= CACHE_QUEUE_MAX) {
		errno = ENOBUFS;
		return NULL;
	}
	if ((item = mem_new(sizeof(*item))) == NULL)
		return NULL;
	item->key = *key;
	map_add(q->items, &item->link, item->key.bytes, item->key.n);
	return item;
}

int
cache_queue_add(struct cache_queue *q, const struct cache_change *change)
{
	struct item *item = item_of(q, &change->key);

	must(change->forget || change->store);
	if (item != NULL && item->is_waiting) {
		fold(&item->waiting, change);
		return 0;
	}
	if (item == NULL && (item = item_new(q, &change->key)) == NULL)
		return -1;
	item->waiting = *change;
	item->is_waiting = true;
	TAILQ_INSERT_TAIL(&q->waiting, item, in_waiting);
	q->waiting_count++;
	return 0;
}

bool
cache_queue_find(const struct cache_queue *q, const struct record_key *key,
    struct cache_change *change_r)
{
	const struct item *item = item_of(q, key);

	if (item == NULL)
		return false;
	*change_r = item->is_flying ? item->flying : item->waiting;
	if (item->is_flying && item->is_waiting)
		fold(change_r, &item->waiting);
	return true;
}

size_t
cache_queue_take(struct cache_queue *q, struct cache_change *batch, size_t max)
{
	struct item *item;
	size_t n = 0;

	/* What flies and waits came after all that did not fly yet. */
	while (n < max && (item = TAILQ_FIRST(&q->waiting)) != NULL &&
	       !item->is_flying) {
		TAILQ_REMOVE(&q->waiting, item, in_waiting);
		q->waiting_count--;
		item->is_waiting = false;
		TAILQ_INSERT_TAIL(&q->flying, item, in_flying);
		item->is_flying = true;
		item->flying = item->waiting;
		batch[n++] = item->flying;
	}
	return n;
}

bool
cache_queue_settle(struct cache_queue *q, size_t max)
{
	struct item *item;

	while (max-- > 0 && (item = TAILQ_FIRST(&q->flying)) != NULL) {
		TAILQ_REMOVE(&q->flying, item, in_flying);
		item->is_flying = false;
		if (!item->is_waiting)
			free_item(&item->link, q->items);
	}
	return !TAILQ_EMPTY(&q->flying);
}

void
cache_queue_put_back(struct cache_queue *q)
{
	struct item *item;

	while ((item = TAILQ_LAST(&q->flying, item_list)) != NULL) {
		TAILQ_REMOVE(&q->flying, item, in_flying);
		item->is_flying = false;
		if (item->is_waiting) {
			fold(&item->flying, &item->waiting);
			item->waiting = item->flying;
			continue;
		}
		item->waiting = item->flying;
		item->is_waiting = true;
		TAILQ_INSERT_HEAD(&q->waiting, item, in_waiting);
		q->waiting_count++;
	}
}

size_t
cache_queue_count(const struct cache_queue *q)
{
	return map_count(q->items);
}

size_t
cache_queue_waiting(const struct cache_queue *q)
{
	return q->waiting_count;
}
