/* SPDX-License-Identifier: ISC */
#include "screen/quota.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/slab.h"

/* One entry for each prefix with sessions, in a hash table; entries are counted
 * by their sessions, so nothing ages and nothing needs sweeping. */

struct quota {
	struct map *clients;
	struct slab *memory; /* of struct quota_client */
	size_t sessions;
};

struct quota *
quota_new(void)
{
	struct quota *q = mem_new(sizeof(*q));

	if (q != NULL &&
	    ((q->clients = map_new()) == NULL ||
		(q->memory = slab_new(sizeof(struct quota_client))) == NULL))
		quota_free(&q);
	return q;
}

static void
free_client(struct map_link *link, void *arg)
{
	struct quota *q = arg;

	map_remove(q->clients, link);
	slab_give(q->memory, OWNER_OF(link, struct quota_client, link));
}

void
quota_free(struct quota **qp)
{
	struct quota *q = *qp;

	*qp = NULL;
	if (q == NULL)
		return;
	if (q->clients != NULL)
		map_each(q->clients, free_client, q);
	map_free(&q->clients);
	slab_free(&q->memory);
	mem_free(q);
}

struct quota_client *
quota_enter(struct quota *q, const struct record_key *key)
{
	struct map_link *link = map_find(q->clients, key->bytes, key->n);
	struct quota_client *client;

	if (link != NULL) {
		client = OWNER_OF(link, struct quota_client, link);
	} else {
		if ((client = slab_take(q->memory)) == NULL)
			return NULL;
		client->key = *key;
		map_add(q->clients, &client->link, client->key.bytes,
		    client->key.n);
	}
	client->sessions++;
	q->sessions++;
	return client;
}

void
quota_leave(struct quota *q, struct quota_client *client)
{
	must(client->sessions > 0 && q->sessions > 0);
	q->sessions--;
	if (--client->sessions > 0)
		return;
	map_remove(q->clients, &client->link);
	slab_give(q->memory, client);
}

unsigned
quota_sessions_of(const struct quota *q, const struct record_key *key)
{
	struct map_link *link = map_find(q->clients, key->bytes, key->n);

	return link != NULL
		   ? OWNER_OF(link, struct quota_client, link)->sessions
		   : 0;
}

size_t
quota_sessions(const struct quota *q)
{
	return q->sessions;
}

bool
quota_stress(const struct quota *q, bool stressed, int64_t limit)
{
	int64_t sessions = (int64_t)q->sessions;

	/* Divided first: the limit may be huge, the rounding is down. */
	if (stressed)
		return sessions > limit / 10 * 7 + limit % 10 * 7 / 10;
	return sessions >= limit / 10 * 9 + limit % 10 * 9 / 10;
}
