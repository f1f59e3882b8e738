/* SPDX-License-Identifier: ISC */
#include "table/list.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "table/cidr.h"
#include "table/load.h"
#include "table/watch.h"

/* Words that are addresses or networks, however many in a row, become one
 * cidr index whose values say which way each of them decides; so a file of
 * 100,000 networks is one item. Negation is settled while reading: inside
 * !/file every word means the opposite. Lists of plain words differ in what a
 * word becomes, and in nothing else. */

enum { YES = '+', NO = '-' };

struct item;

struct items {
	struct item *at;
	size_t count, cap;
};

/* A file that was read as part of the list. */
struct words_file {
	char *path;
	struct watch watch;
	struct items items;
	unsigned bad;   /* bad words that these were read with */
	unsigned depth; /* how many files this one is inside of */
	bool negated;
	bool of_words;
};

/* Exactly one of the pointers is set. */
struct item {
	struct cidr *blocks;
	struct table *table;
	struct words_file *file;
	char *word;
	bool negated; /* table and word only */
};

struct list {
	struct items items;
};

/* Where words come from, and what happens to bad ones. */
struct reading {
	const struct table_options *options;
	struct load *load;   /* of the file; NULL for the configuration */
	struct errtext *why; /* of the configuration */
	int line;
	unsigned depth;
	bool negated;
	bool of_words; /* what looks like a name is an item, and nothing is an
			* address */
};

/* What is looked for: one of the two. */
struct wanted {
	const struct addr *address;
	const char *word;
};

static int read_words(
    struct items *items, struct span text, const struct reading *r);

/* --- memory --------------------------------------------------------------- */
static void items_clear(struct items *items);

static void
words_file_free(struct words_file **f)
{
	if (*f == NULL)
		return;
	watch_close(&(*f)->watch);
	items_clear(&(*f)->items);
	mem_free((*f)->path);
	mem_free(*f);
	*f = NULL;
}

static void
items_clear(struct items *items)
{
	for (size_t i = 0; i < items->count; i++) {
		cidr_free(&items->at[i].blocks);
		table_free(&items->at[i].table);
		words_file_free(&items->at[i].file);
		mem_free(items->at[i].word);
	}
	mem_free(items->at);
	*items = (struct items){.count = 0};
}

static struct item *
items_add(struct items *items)
{
	size_t cap = items->cap == 0 ? 4 : items->cap * 2;
	struct item *more;

	if (items->at == NULL || items->count == items->cap) {
		more = mem_resize(items->at, cap, sizeof(*more));
		if (more == NULL)
			return NULL;
		items->at = more;
		items->cap = cap;
	}
	items->at[items->count] = (struct item){.blocks = NULL};
	return &items->at[items->count++];
}

static int
items_seal(struct items *items)
{
	for (size_t i = 0; i < items->count; i++)
		if (items->at[i].blocks != NULL &&
		    cidr_seal(items->at[i].blocks) < 0)
			return -1;
	return 0;
}

/* --- reading -------------------------------------------------------------- */

/* A bad word: 0 to go on without it, -1 to give up. */
static int
complain(const struct reading *r, const char *text)
{
	if (r->load == NULL) {
		errtext_set(r->why, "%s", text);
		return -1;
	}
	load_bad(r->load, r->line, "%s", text);
	return 0;
}

static int
add_block(struct items *items, struct span word, const struct reading *r)
{
	struct item *last =
	    items->count > 0 ? &items->at[items->count - 1] : NULL;
	struct addr_block block;
	struct errtext why;

	if (cidr_parse_block(word, &block, &why) < 0)
		return complain(r, why.text);
	if (last == NULL || last->blocks == NULL) {
		last = items_add(items);
		if (last == NULL || (last->blocks = cidr_new()) == NULL) {
			errtext_set(r->why, "%s", strerror(errno));
			return -1;
		}
	}
	return cidr_add(last->blocks, &block, r->negated ? "-" : "+", r->line);
}

static int
add_table(struct items *items, struct span word, const struct reading *r)
{
	struct errtext why;
	struct table *table;
	struct item *item;

	errno = 0;
	table = table_open(word, r->options, &why);
	if (table == NULL && errno == ENOMEM)
		return -1;
	if (table == NULL)
		return complain(r, why.text);
	item = items_add(items);
	if (item == NULL) {
		table_free(&table);
		return -1;
	}
	item->table = table;
	item->negated = r->negated;
	return 0;
}

static int
add_word(struct items *items, struct span word, const struct reading *r)
{
	struct item *item = items_add(items);

	if (item == NULL)
		return -1;
	item->negated = r->negated;
	item->word = mem_strndup(word.p, word.n);
	return item->word != NULL ? 0 : -1;
}

/* The line up to a comment: "#" at its start or behind white space. */
static struct span
without_comment(struct span line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '#' &&
		    (i == 0 || text_is_space(line.p[i - 1])))
			return span_of(line.p, i);
	return line;
}

static int
read_file_lines(struct items *items, struct span text, struct reading *r)
{
	const char *newline;
	struct span line;

	for (r->line = 1; text.n > 0; r->line++) {
		newline = memchr(text.p, '\n', text.n);
		line = text;
		if (newline != NULL)
			line.n = (size_t)(newline - text.p);
		if (read_words(items, without_comment(line), r) < 0)
			return -1;
		line.n += newline != NULL;
		text = span_of(text.p + line.n, text.n - line.n);
	}
	return items_seal(items);
}

/* Fills f->items; `text` is what the file holds. */
static int
read_file_text(struct words_file *f, struct items *items, struct span text,
    const struct table_options *o, struct load *l)
{
	struct reading r = {
	    .options = o,
	    .load = l,
	    .depth = f->depth,
	    .negated = f->negated,
	    .of_words = f->of_words,
	};

	return read_file_lines(items, text, &r);
}

static int
begin_words_file(
    struct words_file *f, const struct table_options *o, struct load *l)
{
	struct buf text;
	int rc;

	if (watch_open(&f->watch, f->path, "") < 0)
		return -1;
	buf_init(&text, TABLE_FILE_MAX);
	rc = watch_read(&f->watch, &text);
	if (rc >= 0)
		rc = read_file_text(f, &f->items, buf_span(&text), o, l);
	buf_clear(&text);
	return rc;
}

static void
open_words_file(struct words_file *f, const struct table_options *o)
{
	struct load l;

	load_init(&l, f->path, o);
	if (begin_words_file(f, o, &l) < 0 && o->report != NULL)
		o->report(f->path, 0, strerror(errno), o->arg);
	f->bad = l.bad;
}

static int
add_file(struct items *items, struct span word, const struct reading *r)
{
	struct words_file *f;
	struct item *item;

	if (r->depth == LIST_DEPTH_MAX)
		return complain(r, "files in files in files: too deep");
	item = items_add(items);
	f = item == NULL ? NULL : mem_new(sizeof(*f));
	if (f == NULL)
		return -1;
	item->file = f;
	watch_init(&f->watch);
	f->depth = r->depth + 1;
	f->negated = r->negated;
	f->of_words = r->of_words;
	f->path = mem_strndup(word.p, word.n);
	if (f->path == NULL)
		return -1;
	open_words_file(f, r->options);
	return 0;
}

/* "localhost", ".example.com": no address is called that. */
static bool
is_name(struct span word)
{
	bool has_letter = false;

	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] == ':' || word.p[i] == '/' || word.p[i] == '[')
			return false;
		if (text_is_alnum(word.p[i]) && !text_is_digit(word.p[i]))
			has_letter = true;
	}
	return has_letter;
}

static int
read_word(struct items *items, struct span word, const struct reading *outer)
{
	struct reading r = *outer;

	for (; word.n > 0 && word.p[0] == '!'; word.p++, word.n--)
		r.negated = !r.negated;
	if (word.n == 0)
		return complain(&r, "\"!\" without a pattern");
	if (word.p[0] == '/')
		return add_file(items, word, &r);
	if (table_is_spec(word))
		return add_table(items, word, &r);
	if (r.of_words)
		return add_word(items, word, &r);
	if (is_name(word))
		return 0;
	return add_block(items, word, &r);
}

static int
read_words(struct items *items, struct span text, const struct reading *r)
{
	struct span word;

	while (text_token(&text, TEXT_LIST_SEPARATORS, &word))
		if (read_word(items, word, r) < 0)
			return -1;
	return 0;
}

static struct list *
list_read(struct span words, const struct reading *r)
{
	struct list *l = mem_new(sizeof(*l));

	errtext_set(r->why, "%s", strerror(ENOMEM));
	if (l == NULL)
		return NULL;
	if (read_words(&l->items, words, r) < 0 || items_seal(&l->items) < 0)
		list_free(&l);
	else
		errtext_set(r->why, "%s", "");
	return l;
}

struct list *
list_open(struct span words, const struct table_options *o, struct errtext *why)
{
	return list_read(words, &(struct reading){.options = o, .why = why});
}

struct list *
list_open_words(
    struct span words, const struct table_options *o, struct errtext *why)
{
	return list_read(words,
	    &(struct reading){.options = o, .why = why, .of_words = true});
}

void
list_free(struct list **l)
{
	if (*l == NULL)
		return;
	items_clear(&(*l)->items);
	mem_free(*l);
	*l = NULL;
}

/* --- matching ------------------------------------------------------------- */

/* A word or a table: both go in the direction they were written in. */
static bool
is_hit(const struct item *item, const struct wanted *w)
{
	struct table_match match;

	if (item->word != NULL)
		return span_is_nocase(span_str(item->word), w->word);
	if (item->table == NULL)
		return false;
	if (w->word != NULL)
		return table_find(item->table, w->word, &match) == TABLE_FOUND;
	return table_find_addr(item->table, w->address, &match) == TABLE_FOUND;
}

/* YES, NO, or 0 when no word matches. */
static int
items_decide(const struct items *items, const struct wanted *w)
{
	const struct item *item = items->at;
	struct table_match match;
	int decision = 0;

	for (size_t i = 0; i < items->count && decision == 0; i++, item++) {
		if (item->file != NULL)
			decision = items_decide(&item->file->items, w);
		else if (is_hit(item, w))
			decision = item->negated ? NO : YES;
		else if (item->blocks != NULL &&
			 cidr_find(item->blocks, w->address, &match) ==
			     TABLE_FOUND)
			decision = match.value[0] == YES ? YES : NO;
	}
	return decision;
}

bool
list_has(const struct list *l, const struct addr *a)
{
	return items_decide(&l->items, &(struct wanted){.address = a}) == YES;
}

bool
list_has_word(const struct list *l, const char *word)
{
	return items_decide(&l->items, &(struct wanted){.word = word}) == YES;
}

static bool
items_each_block(const struct items *items, table_block_fn *fn, void *arg)
{
	const struct item *item = items->at;
	bool is_whole = true;

	for (size_t i = 0; i < items->count; i++, item++) {
		if (item->file != NULL)
			is_whole &=
			    items_each_block(&item->file->items, fn, arg);
		else if (item->table != NULL)
			is_whole &= table_each_block(item->table, fn, arg);
		else if (item->blocks != NULL)
			cidr_each_block(item->blocks, fn, arg);
	}
	return is_whole;
}

bool
list_each_block(const struct list *l, table_block_fn *fn, void *arg)
{
	return items_each_block(&l->items, fn, arg);
}

/* --- refreshing ----------------------------------------------------------- */
static enum table_change items_refresh(
    struct items *items, struct errtext *why);

/* What a table inside a re-read file has to say makes the file's line a bad
 * one. */
static void
on_nested_report(const char *file, int line, const char *text, void *arg)
{
	struct load *l = arg;

	load_bad(l, line, "%s: %s", file, text);
}

static bool
has_index(const struct items *items)
{
	const struct item *item = items->at;

	for (size_t i = 0; i < items->count; i++, item++)
		if ((item->table != NULL && table_is_indexed(item->table)) ||
		    (item->file != NULL && has_index(&item->file->items)))
			return true;
	return false;
}

static enum table_change
take_up(struct words_file *f, struct span text, struct errtext *why)
{
	struct table_options quiet = {.report = NULL};
	struct table_options nested = {.report = on_nested_report};
	struct items fresh = {.count = 0};
	enum table_change change;
	struct load l;

	load_init(&l, f->path, &quiet);
	nested.arg = &l;
	if (read_file_text(f, &fresh, text, &nested, &l) < 0) {
		errtext_set(why, "%s: %s", f->path, strerror(errno));
		watch_forget(&f->watch);
		items_clear(&fresh);
		return TABLE_BROKEN;
	}
	if (l.bad > f->bad) {
		change = has_index(&fresh) ? TABLE_STALE : TABLE_BROKEN;
		errtext_set(
		    why, "%s", change == TABLE_STALE ? f->path : l.first.text);
		items_clear(&fresh);
		return change;
	}
	items_clear(&f->items);
	f->items = fresh;
	f->bad = l.bad;
	errtext_set(why, "%s", f->path);
	return TABLE_RELOADED;
}

static enum table_change
words_file_refresh(struct words_file *f, struct errtext *why)
{
	enum table_change change;
	struct buf text;

	buf_init(&text, TABLE_FILE_MAX);
	change = watch_fetch(&f->watch, f->path, &text, why);
	if (change == TABLE_RELOADED)
		change = take_up(f, buf_span(&text), why);
	else if (change == TABLE_SAME)
		change = items_refresh(&f->items, why);
	buf_clear(&text);
	return change;
}

static enum table_change
items_refresh(struct items *items, struct errtext *why)
{
	enum table_change strongest = TABLE_SAME, change;
	struct errtext said = {.text = ""};
	struct item *item = items->at;

	for (size_t i = 0; i < items->count; i++, item++) {
		change = TABLE_SAME;
		if (item->table != NULL)
			change = table_refresh(item->table, &said);
		else if (item->file != NULL)
			change = words_file_refresh(item->file, &said);
		if (change > strongest) {
			strongest = change;
			errtext_set(why, "%s", said.text);
		}
	}
	return strongest;
}

enum table_change
list_refresh(struct list *l, struct errtext *why)
{
	return items_refresh(&l->items, why);
}
