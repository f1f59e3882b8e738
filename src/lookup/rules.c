/* SPDX-License-Identifier: ISC */
#include "lookup/rules.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* A map keyed by family, length and address, and a count of rules for each
 * family and length: only lengths in use are probed, longest first. The earliest
 * expiry is a lower bound, looked up anew whenever it has come. */

enum { LENGTHS = 129, FAMILIES = 2 };

struct entry {
	struct map_link link;
	struct record_key key;
	struct rule rule;
	bool is_lost; /* and to be kept anew */
};

struct rules {
	struct map *map;
	size_t lost;
	uint32_t count[FAMILIES][LENGTHS];
	struct wall earliest; /* RULE_FOR_GOOD: nothing expires */
};

static uint32_t *
count_of(struct rules *r, const struct addr_block *block)
{
	return &r->count[block->base.family == ADDR_IPV6][block->bits];
}

struct record_key
rules_key(const struct addr_block *block)
{
	return record_key_of(&block->base, block->bits, block->bits);
}

struct rules *
rules_new(void)
{
	struct rules *r = mem_new(sizeof(*r));

	if (r != NULL && (r->map = map_new()) == NULL) {
		mem_free(r);
		r = NULL;
	}
	return r;
}

static void
drop(struct rules *r, struct entry *entry)
{
	--*count_of(r, &entry->rule.block);
	r->lost -= entry->is_lost;
	map_remove(r->map, &entry->link);
	mem_free(entry);
}

static void
drop_link(struct map_link *link, void *arg)
{
	drop(arg, OWNER_OF(link, struct entry, link));
}

void
rules_free(struct rules **r)
{
	if (*r == NULL)
		return;
	map_each((*r)->map, drop_link, *r);
	map_free(&(*r)->map);
	mem_free(*r);
	*r = NULL;
}

static struct entry *
entry_of(const struct rules *r, const struct record_key *key)
{
	struct map_link *link = map_find(r->map, key->bytes, key->n);

	return link != NULL ? OWNER_OF(link, struct entry, link) : NULL;
}

static void
note_expiry(struct rules *r, struct wall until)
{
	if (until.s != RULE_FOR_GOOD &&
	    (r->earliest.s == RULE_FOR_GOOD || until.s < r->earliest.s))
		r->earliest = until;
}

int
rules_set(struct rules *r, const struct rule *rule)
{
	struct record_key key = rules_key(&rule->block);
	struct entry *entry = entry_of(r, &key);

	if (entry == NULL) {
		if (map_count(r->map) >= RULES_MAX)
			return errno = ENOSPC, -1;
		if ((entry = mem_new(sizeof(*entry))) == NULL)
			return -1;
		entry->key = key;
		map_add(r->map, &entry->link, entry->key.bytes, entry->key.n);
		++*count_of(r, &rule->block);
	}
	entry->rule = *rule;
	note_expiry(r, rule->until);
	return 0;
}

bool
rules_remove(struct rules *r, const struct addr_block *block)
{
	struct record_key key = rules_key(block);
	struct entry *entry = entry_of(r, &key);

	if (entry == NULL)
		return false;
	drop(r, entry);
	return true;
}

static bool
has_expired(const struct rule *rule, struct wall now)
{
	return rule->until.s != RULE_FOR_GOOD && rule->until.s <= now.s;
}

const struct rule *
rules_find(const struct rules *r, const struct addr *client, struct wall now)
{
	const uint32_t *count = r->count[client->family == ADDR_IPV6];
	const struct entry *entry;
	struct record_key key;

	if (map_count(r->map) == 0)
		return NULL;
	for (unsigned bits = addr_bits(client) + 1; bits-- > 0;) {
		if (count[bits] == 0)
			continue;
		key = record_key_of(client, bits, bits);
		entry = entry_of(r, &key);
		if (entry != NULL && !has_expired(&entry->rule, now))
			return &entry->rule;
	}
	return NULL;
}

size_t
rules_count(const struct rules *r)
{
	return map_count(r->map);
}

/* --- all of them ----------------------------------------------------------- */

struct walk {
	struct rules *rules;
	struct wall now;
	rules_fn *fn;
	void *arg;
};

static void
tell(struct map_link *link, void *arg)
{
	struct walk *w = arg;

	w->fn(&OWNER_OF(link, struct entry, link)->rule, w->arg);
}

void
rules_each(struct rules *r, rules_fn *fn, void *arg)
{
	struct walk w = {.rules = r, .fn = fn, .arg = arg};

	map_each(r->map, tell, &w);
}

static void
expire(struct map_link *link, void *arg)
{
	struct entry *entry = OWNER_OF(link, struct entry, link);
	struct walk *w = arg;

	if (!has_expired(&entry->rule, w->now)) {
		note_expiry(w->rules, entry->rule.until);
		return;
	}
	w->fn(&entry->rule, w->arg);
	drop(w->rules, entry);
}

void
rules_expire(struct rules *r, struct wall now, rules_fn *fn, void *arg)
{
	struct walk w = {.rules = r, .now = now, .fn = fn, .arg = arg};

	if (r->earliest.s == RULE_FOR_GOOD || r->earliest.s > now.s)
		return;
	r->earliest.s = RULE_FOR_GOOD;
	map_each(r->map, expire, &w);
}

/* --- kept anew ------------------------------------------------------------ */

static void
lose(struct map_link *link, void *arg)
{
	struct rules *r = arg;

	OWNER_OF(link, struct entry, link)->is_lost = true;
	r->lost++;
}

void
rules_lose(struct rules *r)
{
	r->lost = 0;
	map_each(r->map, lose, r);
}

struct keeping {
	struct rules *rules;
	rules_keep_fn *fn;
	void *arg;
	bool is_refused;
};

static void
keep(struct map_link *link, void *arg)
{
	struct entry *entry = OWNER_OF(link, struct entry, link);
	struct keeping *k = arg;

	if (!entry->is_lost || k->is_refused)
		return;
	k->is_refused = k->fn(&entry->rule, k->arg) < 0;
	if (k->is_refused)
		return;
	entry->is_lost = false;
	k->rules->lost--;
}

void
rules_keep(struct rules *r, rules_keep_fn *fn, void *arg)
{
	struct keeping k = {.rules = r, .fn = fn, .arg = arg};

	if (r->lost > 0)
		map_each(r->map, keep, &k);
}

/* --- bytes ----------------------------------------------------------------- */

/* Version, allow, uid, since, until (big-endian), note. */
enum {
	VERSION = 1,
	AT_ALLOW = 1,
	AT_UID = 2,
	AT_SINCE = 6,
	AT_UNTIL = 14,
	AT_NOTE = 22
};

static void
put_number(uint8_t *to, size_t n, uint64_t number)
{
	for (; n > 0; n--) {
		to[n - 1] = (uint8_t)number;
		number >>= 8;
	}
}

static uint64_t
get_number(const char *from, size_t n)
{
	uint64_t number = 0;

	for (size_t i = 0; i < n; i++)
		number = number << 8 | (uint8_t)from[i];
	return number;
}

void
rules_encode(const struct rule *rule, struct cache_note *note_r)
{
	size_t n = strlen(rule->note);

	memset(note_r, 0, sizeof(*note_r));
	note_r->key = rules_key(&rule->block);
	note_r->bytes[0] = VERSION;
	note_r->bytes[AT_ALLOW] = rule->allow;
	put_number(note_r->bytes + AT_UID, 4, rule->uid);
	put_number(note_r->bytes + AT_SINCE, 8, (uint64_t)rule->since.s);
	put_number(note_r->bytes + AT_UNTIL, 8, (uint64_t)rule->until.s);
	memcpy(note_r->bytes + AT_NOTE, rule->note, n);
	note_r->n = (uint8_t)(AT_NOTE + n);
}

int
rules_decode(struct span key, struct span bytes, struct rule *rule_r)
{
	memset(rule_r, 0, sizeof(*rule_r));
	if (record_key_block(key, &rule_r->block) < 0 || bytes.n < AT_NOTE ||
	    bytes.n >= AT_NOTE + RULE_NOTE_MAX || bytes.p[0] != VERSION)
		return -1;
	rule_r->allow = bytes.p[AT_ALLOW] != 0;
	rule_r->uid = (uint32_t)get_number(bytes.p + AT_UID, 4);
	rule_r->since.s = (int64_t)get_number(bytes.p + AT_SINCE, 8);
	rule_r->until.s = (int64_t)get_number(bytes.p + AT_UNTIL, 8);
	memcpy(rule_r->note, bytes.p + AT_NOTE, bytes.n - AT_NOTE);
	return 0;
}
