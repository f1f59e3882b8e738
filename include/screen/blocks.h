/* SPDX-License-Identifier: ISC */
/* screen/blocks.h - sessions by address block, and the block that has most.
 *
 * Owns:    one entry for each block that has a member now. Members are in the
 *          caller's structs.
 * Errors:  -1 with ENOMEM for the first member of a block; all else cannot
 *          fail.
 * Cost:    each call takes a bounded number of steps, however many members and
 *          blocks there are. */
#ifndef DOORBELL_SCREEN_BLOCKS_H
#define DOORBELL_SCREEN_BLOCKS_H

#include <stddef.h>
#include <sys/queue.h>

#include "lookup/record.h"

struct block;
struct blocks;

struct block_member {
	TAILQ_ENTRY(block_member) others;
	struct block *block; /* NULL: in none */
};

struct blocks *blocks_new(void);
void blocks_free(struct blocks **blocks); /* members are left alone */

/* The newest member of this block from now on. */
int blocks_add(struct blocks *blocks, const struct record_key *key,
    struct block_member *member);
void blocks_remove(struct blocks *blocks, struct block_member *member);
/* As if it had been removed and added again. */
void blocks_renew(struct block_member *member);

/* Members of this block. */
size_t blocks_count(const struct blocks *blocks, const struct record_key *key);
/* Members of the block that has most; 0: there are none. */
size_t blocks_most(const struct blocks *blocks);
/* The oldest member of the block that has most; of several, the one that has
 * had so many longest. NULL: there are none. */
struct block_member *blocks_oldest_of_most(const struct blocks *blocks);

#endif
