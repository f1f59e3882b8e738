/* SPDX-License-Identifier: ISC */
#include "screen/blocks.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"

/* A ladder: blocks with equally many members stand on one rung, and rungs that
 * have a block are chained by their number, so the block that has most stands on
 * the last one. A member that comes or goes moves its block to the next number,
 * which is the next rung or a new one beside it: nothing is searched.
 *
 * There is one rung for each block, used or spare, and a block stands on one
 * rung: so a move never needs memory. */

struct rung {
	TAILQ_ENTRY(rung) others;
	TAILQ_HEAD(rung_blocks,
	    block) blocks; /* who has stood here longest is first */
	size_t number;     /* of members of each */
};

struct block {
	struct map_link link;
	struct record_key key;
	struct rung *rung;
	TAILQ_ENTRY(block) beside;
	TAILQ_HEAD(block_members, block_member) members; /* oldest first */
};

struct blocks {
	struct map *map;
	TAILQ_HEAD(rung_list, rung) rungs; /* numbers ascend */
	struct rung_list spare;
};

struct blocks *
blocks_new(void)
{
	struct blocks *b = mem_new(sizeof(*b));

	if (b == NULL)
		return NULL;
	TAILQ_INIT(&b->rungs);
	TAILQ_INIT(&b->spare);
	if ((b->map = map_new()) == NULL) {
		mem_free(b);
		return NULL;
	}
	return b;
}

static void
free_rungs(struct rung_list *list)
{
	struct rung *rung;

	while ((rung = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, rung, others);
		mem_free(rung);
	}
}

static void
free_block(struct map_link *link, void *arg)
{
	map_remove(arg, link);
	mem_free(OWNER_OF(link, struct block, link));
}

void
blocks_free(struct blocks **bp)
{
	struct blocks *b = *bp;

	*bp = NULL;
	if (b == NULL)
		return;
	map_each(b->map, free_block, b->map);
	map_free(&b->map);
	free_rungs(&b->rungs);
	free_rungs(&b->spare);
	mem_free(b);
}

/* --- the ladder ------------------------------------------------------------ */
static void
leave_rung(struct blocks *b, struct block *block)
{
	struct rung *rung = block->rung;

	TAILQ_REMOVE(&rung->blocks, block, beside);
	block->rung = NULL;
	if (!TAILQ_EMPTY(&rung->blocks))
		return;
	TAILQ_REMOVE(&b->rungs, rung, others);
	TAILQ_INSERT_HEAD(&b->spare, rung, others);
}

/* The last to come stands at the end. */
static void
stand_on(struct rung *rung, struct block *block)
{
	TAILQ_INSERT_TAIL(&rung->blocks, block, beside);
	block->rung = rung;
}

static struct rung *
new_rung(struct blocks *b, size_t number)
{
	struct rung *rung = TAILQ_FIRST(&b->spare);

	must(rung != NULL);
	TAILQ_REMOVE(&b->spare, rung, others);
	rung->number = number;
	TAILQ_INIT(&rung->blocks);
	return rung;
}

/* From `below` (NULL: the ground) to the number above it. */
static void
climb(struct blocks *b, struct block *block)
{
	struct rung *below = block->rung;
	size_t number = below == NULL ? 1 : below->number + 1;
	struct rung *above =
	    below == NULL ? TAILQ_FIRST(&b->rungs) : TAILQ_NEXT(below, others);

	if (above == NULL || above->number != number) {
		if (below != NULL && TAILQ_FIRST(&below->blocks) == block &&
		    TAILQ_NEXT(block, beside) == NULL) {
			below->number = number; /* it stood there alone */
			return;
		}
		above = new_rung(b, number);
		if (below == NULL)
			TAILQ_INSERT_HEAD(&b->rungs, above, others);
		else
			TAILQ_INSERT_AFTER(&b->rungs, below, above, others);
	}
	if (below != NULL)
		leave_rung(b, block);
	stand_on(above, block);
}

/* To the number below, or to the ground. */
static void
descend(struct blocks *b, struct block *block)
{
	struct rung *above = block->rung;
	struct rung *below = TAILQ_PREV(above, rung_list, others);
	size_t number = above->number - 1;

	if (number == 0) {
		leave_rung(b, block);
		return;
	}
	if (below == NULL || below->number != number) {
		if (TAILQ_FIRST(&above->blocks) == block &&
		    TAILQ_NEXT(block, beside) == NULL) {
			above->number = number;
			return;
		}
		below = new_rung(b, number);
		TAILQ_INSERT_BEFORE(above, below, others);
	}
	leave_rung(b, block);
	stand_on(below, block);
}

/* --- blocks ---------------------------------------------------------------- */
static struct block *
find_block(const struct blocks *b, const struct record_key *key)
{
	struct map_link *link = map_find(b->map, key->bytes, key->n);

	return link == NULL ? NULL : OWNER_OF(link, struct block, link);
}

static struct block *
new_block(struct blocks *b, const struct record_key *key)
{
	struct block *block = mem_new(sizeof(*block));
	struct rung *rung = mem_new(sizeof(*rung));

	if (block == NULL || rung == NULL) {
		mem_free(block);
		mem_free(rung);
		return NULL;
	}
	TAILQ_INSERT_HEAD(&b->spare, rung, others);
	TAILQ_INIT(&block->members);
	block->key = *key;
	map_add(b->map, &block->link, block->key.bytes, block->key.n);
	return block;
}

static void
end_block(struct blocks *b, struct block *block)
{
	struct rung *rung = TAILQ_FIRST(&b->spare);

	TAILQ_REMOVE(&b->spare, rung, others);
	mem_free(rung);
	map_remove(b->map, &block->link);
	mem_free(block);
}

int
blocks_add(
    struct blocks *b, const struct record_key *key, struct block_member *member)
{
	struct block *block = find_block(b, key);

	must(member->block == NULL);
	if (block == NULL && (block = new_block(b, key)) == NULL)
		return -1;
	TAILQ_INSERT_TAIL(&block->members, member, others);
	member->block = block;
	climb(b, block);
	return 0;
}

void
blocks_remove(struct blocks *b, struct block_member *member)
{
	struct block *block = member->block;

	must(block != NULL);
	TAILQ_REMOVE(&block->members, member, others);
	member->block = NULL;
	descend(b, block);
	if (block->rung == NULL)
		end_block(b, block);
}

void
blocks_renew(struct block_member *member)
{
	struct block *block = member->block;
	struct rung *rung = block->rung;

	TAILQ_REMOVE(&block->members, member, others);
	TAILQ_INSERT_TAIL(&block->members, member, others);
	TAILQ_REMOVE(&rung->blocks, block, beside);
	TAILQ_INSERT_TAIL(&rung->blocks, block, beside);
}

size_t
blocks_count(const struct blocks *b, const struct record_key *key)
{
	const struct block *block = find_block(b, key);

	return block == NULL ? 0 : block->rung->number;
}

size_t
blocks_most(const struct blocks *b)
{
	const struct rung *last = TAILQ_LAST(&b->rungs, rung_list);

	return last == NULL ? 0 : last->number;
}

struct block_member *
blocks_oldest_of_most(const struct blocks *b)
{
	const struct rung *last = TAILQ_LAST(&b->rungs, rung_list);

	if (last == NULL)
		return NULL;
	return TAILQ_FIRST(&TAILQ_FIRST(&last->blocks)->members);
}
