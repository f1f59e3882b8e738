/* SPDX-License-Identifier: ISC */
#include "smtp/keywords.h"

/* Postfix forgives what it does not know, so that one list can serve several
 * versions; who wrote "pipeline" learns it from the caller of
 * keywords_parse(). */

static const struct {
	const char *name;
	bool ours;
} rows[KEYWORD_COUNT] = {
#define KEYWORD(id, name, ours) [KEYWORD_##id] = {(name), (ours)},
#include "smtp/keywords.def"
#undef KEYWORD
};

_Static_assert(KEYWORD_COUNT < 32, "keywords fit into an unsigned mask");

const char *
keywords_name(enum keyword id)
{
	return rows[id].name;
}

unsigned
keywords_ours(void)
{
	unsigned mask = 0;

	for (unsigned id = 0; id < KEYWORD_COUNT; id++)
		if (rows[id].ours)
			mask |= KEYWORD_BIT(id);
	return mask;
}

static bool
add_keyword(struct keywords *k, struct span word)
{
	for (unsigned id = 0; id < KEYWORD_COUNT; id++)
		if (span_is_nocase(word, rows[id].name)) {
			k->mask |= KEYWORD_BIT(id);
			return true;
		}
	if (!span_is_nocase(word, "silent-discard"))
		return false;
	k->silent = true;
	return true;
}

struct keywords
keywords_parse(struct span words, struct span *unknown_r)
{
	struct keywords k = {0, false};
	struct span word;

	*unknown_r = span_of("", 0);
	while (text_token(&words, TEXT_LIST_SEPARATORS, &word))
		if (!add_keyword(&k, word) && unknown_r->n == 0)
			*unknown_r = word;
	return k;
}

int
keywords_format(unsigned mask, struct buf *out)
{
	const char *separator = "";

	for (unsigned id = 0; id < KEYWORD_COUNT; id++) {
		if ((mask & KEYWORD_BIT(id)) == 0)
			continue;
		if (buf_add_str(out, separator) < 0 ||
		    buf_add_str(out, rows[id].name) < 0)
			return -1;
		separator = ", ";
	}
	return 0;
}
