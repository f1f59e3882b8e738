/* SPDX-License-Identifier: ISC */
#include "table/rule.h"

#include <string.h>

#include "base/mem.h"

/* Keywords need no blank behind them: "if/x/" and "if!10.0.0.0/8" are
 * written, and Postfix takes them. */

static bool
take_keyword(struct span *line, const char *keyword)
{
	size_t n = strlen(keyword);

	if (line->n < n || !span_is_nocase(span_of(line->p, n), keyword) ||
	    (line->n > n && text_is_alnum(line->p[n])))
		return false;
	*line = span_trim(span_of(line->p + n, line->n - n));
	return true;
}

enum rule_kind
rule_take_kind(struct span *line)
{
	if (take_keyword(line, "if"))
		return RULE_IF;
	if (take_keyword(line, "endif"))
		return RULE_ENDIF;
	return RULE_MATCH;
}

bool
rule_take_negation(struct span *line)
{
	bool negated = false;

	while (line->n > 0 && line->p[0] == '!') {
		negated = !negated;
		*line = span_trim(span_of(line->p + 1, line->n - 1));
	}
	return negated;
}

struct span
rule_take_word(struct span *line)
{
	struct span word = span_of(line->p, 0);

	while (word.n < line->n && !text_is_space(line->p[word.n]))
		word.n++;
	*line = span_trim(span_of(line->p + word.n, line->n - word.n));
	return word;
}

int
rule_blocks_push(struct rule_blocks *blocks, uint32_t rule)
{
	uint32_t cap = blocks->cap == 0 ? 8 : blocks->cap * 2;
	uint32_t *more;

	if (blocks->count == blocks->cap) {
		more = mem_resize(blocks->open, cap, sizeof(*more));
		if (more == NULL)
			return -1;
		blocks->open = more;
		blocks->cap = cap;
	}
	blocks->open[blocks->count++] = rule;
	return 0;
}

bool
rule_blocks_pop(struct rule_blocks *blocks, uint32_t *rule_r)
{
	if (blocks->count == 0)
		return false;
	*rule_r = blocks->open[--blocks->count];
	return true;
}

void
rule_blocks_clear(struct rule_blocks *blocks)
{
	mem_free(blocks->open);
	*blocks = (struct rule_blocks){.count = 0};
}
