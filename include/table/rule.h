/* SPDX-License-Identifier: ISC */
/* table/rule.h - what the lines of cidr:, regexp: and pcre: tables share.
 *
 * Owns:    rule_blocks owns its stack, until rule_blocks_clear(). */
#ifndef DOORBELL_TABLE_RULE_H
#define DOORBELL_TABLE_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum rule_kind { RULE_MATCH, RULE_IF, RULE_ENDIF };

/* Strip if, endif, or one or more "!" (two cancel out), and blanks behind. */
enum rule_kind rule_take_kind(struct span *line);
bool rule_take_negation(struct span *line);
/* The first word; *line becomes what follows it. */
struct span rule_take_word(struct span *line);

/* Which if rules are open: indices of the caller's. */
struct rule_blocks {
	uint32_t *open;
	uint32_t count, cap;
};

/* 0, or -1 with errno ENOMEM. */
int rule_blocks_push(struct rule_blocks *blocks, uint32_t rule);
bool rule_blocks_pop(struct rule_blocks *blocks, uint32_t *rule_r);
void rule_blocks_clear(struct rule_blocks *blocks);

#endif
