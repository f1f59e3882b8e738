/* SPDX-License-Identifier: ISC */
/* lookup/rules.h - clients that somebody has allowed or denied by hand.
 *
 * A rule is for a block of addresses; the longest block that has a client
 * decides. All of them are in memory, and a lookup costs one probe for each
 * length of blocks that there are. A rule whose time is up decides nothing.
 *
 * Owns:    the rules. What keeps them over a restart is the caller's: see
 *          rules_encode().
 * Units:   seconds since the epoch.
 * Errors:  -1 with errno: ENOSPC (RULES_MAX), ENOMEM, EINVAL. */
#ifndef DOORBELL_LOOKUP_RULES_H
#define DOORBELL_LOOKUP_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "lookup/cache_note.h"

#define RULES_MAX 100000
#define RULE_NOTE_MAX 128 /* bytes, with the NUL */
#define RULE_FOR_GOOD 0   /* as `until` */

struct rule {
	bool allow; /* or deny */
	struct addr_block block;
	struct wall since, until;
	uint32_t uid; /* who made it */
	char note[RULE_NOTE_MAX];
};

struct rules;

struct rules *rules_new(void);
void rules_free(struct rules **r);
/* In place of another rule for the same block. */
int rules_set(struct rules *r, const struct rule *rule);
/* False when there is no rule for just this block. */
bool rules_remove(struct rules *r, const struct addr_block *block);
/* NULL: none. Valid until the next change. */
const struct rule *rules_find(
    const struct rules *r, const struct addr *client, struct wall now);
size_t rules_count(const struct rules *r);
/* In any order. */
typedef void rules_fn(const struct rule *rule, void *arg);
void rules_each(struct rules *r, rules_fn *fn, void *arg);
/* Take out what has expired, telling `fn` of each; cheap when nothing has. */
void rules_expire(struct rules *r, struct wall now, rules_fn *fn, void *arg);

/* What kept them is gone: all of them are to be kept anew. */
void rules_lose(struct rules *r);
/* Give those that are to be kept anew to `fn`, until it refuses one by returning
 * -1; cheap when there is none. */
typedef int rules_keep_fn(const struct rule *rule, void *arg);
void rules_keep(struct rules *r, rules_keep_fn *fn, void *arg);

struct record_key rules_key(const struct addr_block *block);
/* The note that keeps a rule. */
void rules_encode(const struct rule *rule, struct cache_note *note_r);
/* 0, or -1 for strange bytes. */
int rules_decode(struct span key, struct span bytes, struct rule *rule_r);

#endif
