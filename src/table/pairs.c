/* SPDX-License-Identifier: ISC */
#include "table/pairs.h"

#include <errno.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

/* Of a duplicate key the first line counts in a file, the last pair in an
 * inline table: so it is in Postfix. Only ASCII is folded; Postfix with
 * smtputf8_enable folds all of Unicode, but no key of a screening daemon -
 * addresses, list names, commands - has other letters. */

enum { KEY_MAX = 2048 }; /* bytes; longer ones are not looked up */

struct pair {
	struct map_link link;
	struct pair *next; /* all pairs, newest first */
	const char *value;
	int line;
	char key[]; /* key, NUL, value, NUL */
};

struct pairs {
	struct map *map;
	struct pair *all;
};

static struct pairs *
pairs_new(void)
{
	struct pairs *p = mem_new(sizeof(*p));

	if (p != NULL && (p->map = map_new()) == NULL) {
		mem_free(p);
		return NULL;
	}
	return p;
}

void
pairs_free(struct pairs **p)
{
	struct pair *pair, *next;

	if (*p == NULL)
		return;
	map_free(&(*p)->map);
	for (pair = (*p)->all; pair != NULL; pair = next) {
		next = pair->next;
		mem_free(pair);
	}
	mem_free(*p);
	*p = NULL;
}

static struct pair *
pair_new(struct span key, struct span value, int line)
{
	struct pair *pair = mem_new(sizeof(*pair) + key.n + value.n + 2);

	if (pair == NULL)
		return NULL;
	memcpy(pair->key, key.p, key.n);
	text_fold(pair->key);
	memcpy(pair->key + key.n + 1, value.p, value.n);
	pair->value = pair->key + key.n + 1;
	pair->line = line;
	return pair;
}

enum duplicate { KEEP_FIRST, KEEP_LAST };

/* 1 when the key was there, 0 when it is new, -1 with errno ENOMEM. */
static int
add_pair(struct pairs *p, struct span key, struct span value, int line,
    enum duplicate keep)
{
	struct pair *pair = pair_new(key, value, line);
	struct map_link *old;

	if (pair == NULL)
		return -1;
	pair->next = p->all;
	p->all = pair;
	old = map_find(p->map, pair->key, key.n);
	if (old != NULL && keep == KEEP_FIRST)
		return 1;
	if (old != NULL)
		map_remove(p->map, old);
	map_add(p->map, &pair->link, pair->key, key.n);
	return old != NULL;
}

enum table_result
pairs_find(const struct pairs *p, const char *key, struct table_match *match_r)
{
	size_t n = strlen(key);
	const struct pair *pair;
	char folded[KEY_MAX + 1];
	struct map_link *link;

	if (n > KEY_MAX)
		return TABLE_ABSENT;
	memcpy(folded, key, n + 1);
	text_fold(folded);
	link = map_find(p->map, folded, n);
	if (link == NULL)
		return TABLE_ABSENT;
	pair = OWNER_OF(link, struct pair, link);
	match_r->value = pair->value;
	match_r->line = pair->line;
	return TABLE_FOUND;
}

void
pairs_each_address(const struct pairs *p, table_block_fn *fn, void *arg)
{
	struct addr_block block;

	for (const struct pair *pair = p->all; pair != NULL;
	     pair = pair->next) {
		if (addr_parse(span_str(pair->key), &block.base) < 0)
			continue;
		block.bits = (uint8_t)addr_bits(&block.base);
		fn(&block, arg);
	}
}

/* --- texthash ------------------------------------------------------------- */

/* Where the key ends: at the first white space that is not in double quotes,
 * where a backslash hides the next byte. False when a quote stays open. */
static bool
measure_key(struct span text, size_t *n_r)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n && quoted)
			i++;
		else if (text.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && text_is_space(text.p[i]))
			break;
	}
	*n_r = i;
	return !quoted;
}

static int
read_line(struct pairs *p, struct span text, int line, struct load *l)
{
	struct span key, value;
	size_t n;
	int rc;

	if (!measure_key(text, &n)) {
		load_bad(l, line, "unbalanced '\"'");
		return 0;
	}
	key = span_of(text.p, n);
	value = span_trim(span_of(text.p + n, text.n - n));
	if (value.n == 0) {
		load_bad(l, line, "expected: key, white space, value");
		return 0;
	}
	load_check_value(l, line, value.p);
	rc = add_pair(p, key, value, line, KEEP_FIRST);
	if (rc > 0)
		load_note(l, line, "duplicate entry: \"%.*s\"",
		    (int)(key.n < 100 ? key.n : 100), key.p);
	return rc < 0 ? -1 : 0;
}

struct pairs *
pairs_read_text(struct span text, struct load *l)
{
	struct pairs *p = pairs_new();
	struct lines lines;
	int rc;

	if (p == NULL)
		return NULL;
	lines_init(&lines, text);
	while ((rc = lines_next(&lines, l)) > 0) {
		if (read_line(p, buf_span(&lines.text), lines.line, l) < 0) {
			rc = -1;
			break;
		}
	}
	lines_clear(&lines);
	if (rc < 0)
		pairs_free(&p);
	return p;
}

/* --- postmap -s ----------------------------------------------------------- */
static int
read_dump_line(struct pairs *p, struct span text, struct load *l)
{
	const char *tab = text.n > 0 ? memchr(text.p, '\t', text.n) : NULL;
	char *value;
	size_t n;
	int rc;

	if (tab == NULL) {
		if (text.n > 0)
			load_bad(l, 0, "line without a tab from postmap");
		return 0;
	}
	n = (size_t)(tab - text.p);
	value = mem_strndup(tab + 1, text.n - n - 1);
	if (value == NULL)
		return -1;
	load_check_value(l, 0, value);
	rc = add_pair(p, span_of(text.p, n), span_str(value), 0, KEEP_FIRST);
	mem_free(value);
	return rc < 0 ? -1 : 0;
}

struct pairs *
pairs_read_dump(struct span text, struct load *l)
{
	struct pairs *p = pairs_new();
	const char *newline;
	struct span line;

	while (p != NULL && text.n > 0) {
		newline = memchr(text.p, '\n', text.n);
		line = text;
		if (newline != NULL)
			line.n = (size_t)(newline - text.p);
		if (read_dump_line(p, line, l) < 0)
			pairs_free(&p);
		line.n += newline != NULL;
		text = span_of(text.p + line.n, text.n - line.n);
	}
	return p;
}

/* --- inline --------------------------------------------------------------- */
static int
read_inline_word(
    struct pairs *p, struct span word, struct load *l, struct errtext *why)
{
	struct span inside = word, key, value;
	const char *equals;

	if (word.p[0] == '{' && !load_unwrap(word, &inside)) {
		errtext_set(why, "the braces do not match");
		return -1;
	}
	equals = inside.n > 0 ? memchr(inside.p, '=', inside.n) : NULL;
	key = equals == NULL
		  ? inside
		  : span_trim(span_of(inside.p, (size_t)(equals - inside.p)));
	if (equals == NULL || key.n == 0 || memchr(key.p, ' ', key.n) != NULL) {
		errtext_set(why, "\"%.*s\" is not key=value",
		    (int)(word.n < 100 ? word.n : 100), word.p);
		return -1;
	}
	value = span_trim(
	    span_of(equals + 1, (size_t)(inside.p + inside.n - equals - 1)));
	if (add_pair(p, key, value, 0, KEEP_LAST) < 0) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	load_check_value(l, 0, p->all->value);
	return 0;
}

struct pairs *
pairs_read_inline(struct span braces, struct load *l, struct errtext *why)
{
	struct pairs *p = pairs_new();
	struct span rest, word;

	if (p == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	if (!load_unwrap(braces, &rest) || rest.n == 0) {
		errtext_set(why, "need { key=value, ... }");
		pairs_free(&p);
	}
	while (p != NULL && text_token(&rest, TEXT_LIST_SEPARATORS, &word))
		if (read_inline_word(p, word, l, why) < 0)
			pairs_free(&p);
	return p;
}
