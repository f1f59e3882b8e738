/* SPDX-License-Identifier: ISC */
#include "screen/forbidden.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* Postfix asks its list for the command word alone, so a pattern never sees the
 * arguments; the header rule looks at the word alone, too: "x :" is none. */

struct item {
	struct span word;    /* inside `words` */
	struct table *table; /* NULL: it is a plain word */
	bool negated;
};

struct forbidden {
	char *words;
	struct item *items;
	size_t count;
	bool utf8;
};

/* Postfix would read it as part of the list. */
static void
report_file(struct span word, const struct table_options *o)
{
	struct errtext why;

	if (!span_has_prefix(word, "/") || o->report == NULL)
		return;
	errtext_set(&why,
	    "\"%.*s\" is taken as a word: files are not read here",
	    word.n < 100 ? (int)word.n : 100, word.p);
	o->report("doorbell_forbidden_commands", 0, why.text, o->arg);
}

static int
add_item(struct forbidden *f, struct span word, const struct table_options *o,
    struct errtext *why)
{
	struct item item = {.word = word}, *more;

	while (span_has_prefix(item.word, "!")) {
		item.word = span_of(item.word.p + 1, item.word.n - 1);
		item.negated = !item.negated;
	}
	more = mem_resize(f->items, f->count + 1, sizeof(item));
	if (more == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	f->items = more;
	report_file(item.word, o);
	if (table_is_spec(item.word)) {
		item.table = table_open(item.word, o, why);
		if (item.table == NULL)
			return -1;
	}
	f->items[f->count++] = item;
	return 0;
}

struct forbidden *
forbidden_open(struct span words, bool utf8, const struct table_options *o,
    struct errtext *why)
{
	struct forbidden *f = mem_new(sizeof(*f));
	struct span word;

	if (f == NULL || (f->words = mem_strndup(words.p, words.n)) == NULL) {
		errtext_set(why, "%s", strerror(errno));
		forbidden_free(&f);
		return NULL;
	}
	f->utf8 = utf8;
	words = span_str(f->words);
	while (text_token(&words, TEXT_LIST_SEPARATORS, &word))
		if (add_item(f, word, o, why) < 0) {
			forbidden_free(&f);
			break;
		}
	return f;
}

void
forbidden_free(struct forbidden **f)
{
	if (*f == NULL)
		return;
	for (size_t i = 0; i < (*f)->count; i++)
		table_free(&(*f)->items[i].table);
	mem_free((*f)->items);
	mem_free((*f)->words);
	mem_free(*f);
	*f = NULL;
}

static bool
is_equal_nocase(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (text_lower(a.p[i]) != text_lower(b.p[i]))
			return false;
	return true;
}

/* A field name is printable ASCII (RFC 5322 section 2.2), and a tab may stand
 * between it and its colon. */
static bool
is_header(struct span word)
{
	size_t n = 0;

	while (n < word.n && word.p[n] > ' ' && word.p[n] < '\177' &&
	       word.p[n] != ':')
		n++;
	if (n == 0)
		return false;
	while (n < word.n && word.p[n] == '\t')
		n++;
	return n < word.n && word.p[n] == ':';
}

static bool
is_listed(const struct forbidden *f, struct span word, const char *key)
{
	struct table_match match;

	for (size_t i = 0; i < f->count; i++) {
		const struct item *item = &f->items[i];
		bool hit =
		    item->table != NULL
			? table_find(item->table, key, &match) == TABLE_FOUND
			: is_equal_nocase(item->word, word);

		if (hit)
			return !item->negated;
	}
	return false;
}

bool
forbidden_has(const struct forbidden *f, struct span word)
{
	char *key;
	bool found;

	if (word.n == 0)
		return false;
	if (is_header(word) || (f->utf8 && !text_is_utf8(word)))
		return true;
	if ((key = mem_strndup(word.p, word.n)) == NULL)
		return false;
	found = is_listed(f, word, key);
	mem_free(key);
	return found;
}

enum table_change
forbidden_refresh(struct forbidden *f, struct errtext *why)
{
	enum table_change change, strongest = TABLE_SAME;
	struct errtext said;

	for (size_t i = 0; i < f->count; i++) {
		if (f->items[i].table == NULL)
			continue;
		change = table_refresh(f->items[i].table, &said);
		if (change > strongest) {
			strongest = change;
			*why = said;
		}
	}
	return strongest;
}
