/* SPDX-License-Identifier: ISC */
#include "table/table.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "table/cidr.h"
#include "table/load.h"
#include "table/pairs.h"
#include "table/pattern.h"
#include "table/postmap.h"
#include "table/watch.h"

/* A table is a source of text and a form that the text is read into; the rows
 * of types.def pair them. New contents are built beside the old ones and take
 * their place only when they are whole.
 *
 * A file that had bad lines when it was opened was taken without them, as
 * Postfix does. These same lines must not freeze the table for good: a later
 * version of the file is refused only when it has more of them. */

enum source { SOURCE_FILE, SOURCE_POSTMAP, SOURCE_WORD, SOURCE_NOWHERE };
enum form { FORM_CIDR, FORM_PAIRS, FORM_REGEXP, FORM_PCRE, FORM_CONSTANT };

struct type {
	const char *word;
	enum source source;
	enum form form;
	const char *suffix;
	const char *instead;
};

static const struct type types[] = {
#define TYPE(word, source, form, suffix, instead) \
	{word, SOURCE_##source, FORM_##form, suffix, instead},
#include "table/types.def"
#undef TYPE
};

enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

/* One of these is there, or none when the table could not be read. */
struct contents {
	struct cidr *cidr;
	struct pairs *pairs;
	struct pattern *pattern;
	char *constant;
};

struct table {
	unsigned refs;
	const struct type *type;
	char *spec;
	const char *name; /* inside spec, behind the colon */
	bool has_file;
	struct watch watch;
	struct contents now;
	unsigned bad; /* bad lines in them */
	table_check_fn *check;
	void *check_arg;
};

static void
contents_clear(struct contents *c)
{
	cidr_free(&c->cidr);
	pairs_free(&c->pairs);
	pattern_free(&c->pattern);
	mem_free(c->constant);
	c->constant = NULL;
}

/* --- the spec ------------------------------------------------------------- */

/* Length of TYPE in TYPE:NAME, or 0. */
static size_t
type_length(struct span word)
{
	size_t n = 0;

	while (n < word.n && (text_is_alnum(word.p[n]) || word.p[n] == '_' ||
				 word.p[n] == '-'))
		n++;
	return n < word.n && word.p[n] == ':' ? n : 0;
}

bool
table_is_spec(struct span word)
{
	struct addr_block block;

	if (type_length(word) == 0 || text_is_digit(word.p[0]))
		return false;
	return addr_block_parse(word, true, &block) < 0; /* fe80::1 */
}

static const struct type *
find_type(struct span word)
{
	for (size_t i = 0; i < TYPE_COUNT; i++)
		if (span_is(word, types[i].word))
			return &types[i];
	return NULL;
}

/* The type whose word is the least edits away, or what works instead. */
static const char *
nearest_type(const char *word)
{
	const struct type *best = &types[0];

	for (size_t i = 0; i < TYPE_COUNT; i++)
		if (text_distance(word, types[i].word) <
		    text_distance(word, best->word))
			best = &types[i];
	return best->instead != NULL ? best->instead : best->word;
}

static const struct type *
choose_type(struct span spec, struct errtext *why)
{
	struct span word = span_of(spec.p, type_length(spec));
	const struct type *type = find_type(word);
	char text[32];

	if (word.n == 0 || word.n + 1 == spec.n) {
		errtext_set(why, "\"%.*s\": expected TYPE:NAME",
		    (int)(spec.n < 100 ? spec.n : 100), spec.p);
		return NULL;
	}
	if (type == NULL) {
		if (word.n >= sizeof(text))
			word.n = sizeof(text) - 1;
		memcpy(text, word.p, word.n);
		text[word.n] = '\0';
		errtext_set(why,
		    "unknown table type \"%s\"; did you mean \"%s\"?", text,
		    nearest_type(text));
		return NULL;
	}
	if (type->source == SOURCE_NOWHERE) {
		errtext_set(why,
		    "table type \"%s\" does not work here; the nearest "
		    "type that does is \"%s\"",
		    type->word, type->instead);
		return NULL;
	}
	return type;
}

/* --- reading -------------------------------------------------------------- */
static int
read_text(const struct type *type, struct span text, struct load *l,
    struct contents *out_r)
{
	switch (type->form) {
	case FORM_CIDR:
		out_r->cidr = cidr_read(text, l);
		return out_r->cidr == NULL ? -1 : 0;
	case FORM_PAIRS:
		out_r->pairs = pairs_read_text(text, l);
		return out_r->pairs == NULL ? -1 : 0;
	case FORM_REGEXP:
		out_r->pattern = pattern_read(PATTERN_POSIX, text, l);
		return out_r->pattern == NULL ? -1 : 0;
	case FORM_PCRE:
		out_r->pattern = pattern_read(PATTERN_PERL, text, l);
		return out_r->pattern == NULL ? -1 : 0;
	case FORM_CONSTANT:
		break;
	}
	return errno = EINVAL, -1;
}

static void
report_unreadable(const struct load *l, const char *why)
{
	if (l->options.report != NULL)
		l->options.report(l->file, 0, why, l->options.arg);
}

static void
open_file(struct table *t, struct load *l)
{
	struct buf text;

	buf_init(&text, TABLE_FILE_MAX);
	if (watch_open(&t->watch, t->name, t->type->suffix) < 0 ||
	    watch_read(&t->watch, &text) < 0 ||
	    read_text(t->type, buf_span(&text), l, &t->now) < 0)
		report_unreadable(l, strerror(errno));
	buf_clear(&text);
}

/* Indexed files: the change of the index is what is watched. */
static void
open_index(struct table *t, struct load *l)
{
	struct postmap_job job = {
	    .program = l->options.postmap,
	    .config_directory = l->options.config_directory,
	    .spec = t->spec,
	    .wait_ms = POSTMAP_WAIT_MS,
	};
	struct errtext why;
	struct buf text;

	buf_init(&text, TABLE_FILE_MAX);
	if (watch_open(&t->watch, t->name, t->type->suffix) < 0) {
		report_unreadable(l, strerror(errno));
	} else if (postmap_dump(&job, &text, &why) < 0) {
		report_unreadable(l, why.text);
	} else {
		t->now.pairs = pairs_read_dump(buf_span(&text), l);
		if (t->now.pairs == NULL)
			report_unreadable(l, strerror(errno));
	}
	buf_clear(&text);
}

static int
open_rules(struct table *t, struct load *l, struct errtext *why)
{
	struct buf text;
	int rc;

	buf_init(&text, TABLE_FILE_MAX);
	rc = load_inline(span_str(t->name), &text, why);
	if (rc == 0) {
		rc = read_text(t->type, buf_span(&text), l, &t->now);
		if (rc < 0)
			errtext_set(why, "%s", strerror(errno));
	}
	buf_clear(&text);
	return rc;
}

static int
open_constant(struct table *t, struct load *l, struct errtext *why)
{
	struct span value = span_str(t->name);

	if (t->name[0] == '{' && !load_unwrap(value, &value)) {
		errtext_set(why, "the braces do not match");
		return -1;
	}
	t->now.constant = mem_strndup(value.p, value.n);
	if (t->now.constant == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	load_check_value(l, 0, t->now.constant);
	return 0;
}

static int
open_contents(struct table *t, struct load *l, struct errtext *why)
{
	if (t->type->form == FORM_CONSTANT)
		return open_constant(t, l, why);
	if (t->type->source == SOURCE_WORD) {
		t->now.pairs = pairs_read_inline(span_str(t->name), l, why);
		return t->now.pairs == NULL ? -1 : 0;
	}
	if (t->type->source == SOURCE_FILE && t->name[0] == '{')
		return open_rules(t, l, why);
	t->has_file = true;
	l->file = t->name;
	if (t->type->source == SOURCE_FILE)
		open_file(t, l);
	else
		open_index(t, l);
	return 0;
}

static struct table *
table_new(const struct type *type, struct span spec)
{
	struct table *t = mem_new(sizeof(*t));

	if (t == NULL)
		return NULL;
	t->refs = 1;
	watch_init(&t->watch);
	t->type = type;
	t->spec = mem_strndup(spec.p, spec.n);
	if (t->spec == NULL) {
		mem_free(t);
		return NULL;
	}
	t->name = t->spec + strlen(type->word) + 1;
	return t;
}

static struct table *
read_table(const struct type *type, struct span spec,
    const struct table_options *o, struct errtext *why)
{
	struct table *t = table_new(type, spec);
	struct load l;

	if (t == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	load_init(&l, t->spec, o);
	if (open_contents(t, &l, why) < 0) {
		errtext_prefix(why, "%s", t->spec);
		table_free(&t);
		return NULL;
	}
	t->bad = l.bad;
	t->check = o->check;
	t->check_arg = o->check_arg;
	return t;
}

/* From the shelf, or read and put there. */
static struct table *
open_indexed(const struct type *type, struct span spec,
    const struct table_options *o, struct errtext *why)
{
	struct table *t = shelf_find(o->shelf, spec);

	if (t != NULL)
		return table_ref(t);
	if (shelf_is_closed(o->shelf)) {
		errtext_set(why,
		    "%.*s: an indexed table is read at the start only: "
		    "restart to take it up",
		    (int)(spec.n < 200 ? spec.n : 200), spec.p);
		return NULL;
	}
	if ((t = read_table(type, spec, o, why)) == NULL)
		return NULL;
	if (shelf_put(o->shelf, t) < 0) {
		errtext_set(why, "%s", strerror(errno));
		table_free(&t);
	}
	return t;
}

struct table *
table_open(struct span spec, const struct table_options *o, struct errtext *why)
{
	const struct type *type = choose_type(spec, why);

	if (type == NULL)
		return NULL;
	if (type->source == SOURCE_POSTMAP && o->shelf != NULL)
		return open_indexed(type, spec, o, why);
	return read_table(type, spec, o, why);
}

struct table *
table_ref(struct table *t)
{
	t->refs++;
	return t;
}

void
table_free(struct table **t)
{
	if (*t == NULL)
		return;
	if (--(*t)->refs > 0) {
		*t = NULL;
		return;
	}
	contents_clear(&(*t)->now);
	watch_close(&(*t)->watch);
	mem_free((*t)->spec);
	mem_free(*t);
	*t = NULL;
}

bool
table_is_indexed(const struct table *t)
{
	return t->type->source == SOURCE_POSTMAP;
}

const char *
table_spec(const struct table *t)
{
	return t->spec;
}

/* --- finding -------------------------------------------------------------- */
static void
match_clear(const struct table *t, struct table_match *match_r)
{
	*match_r = (struct table_match){.file = t->has_file ? t->name : NULL};
}

bool
table_is_readable(const struct table *t)
{
	return t->now.cidr != NULL || t->now.pairs != NULL ||
	       t->now.pattern != NULL || t->now.constant != NULL;
}

enum table_result
table_find(const struct table *t, const char *key, struct table_match *match_r)
{
	struct addr a;

	match_clear(t, match_r);
	if (t->now.cidr != NULL)
		return addr_parse(span_str(key), &a) < 0
			   ? TABLE_ABSENT
			   : cidr_find(t->now.cidr, &a, match_r);
	if (t->now.pairs != NULL)
		return pairs_find(t->now.pairs, key, match_r);
	if (t->now.pattern != NULL)
		return pattern_find(t->now.pattern, key, match_r);
	if (t->now.constant == NULL)
		return TABLE_ABSENT;
	match_r->value = t->now.constant;
	return TABLE_FOUND;
}

enum table_result
table_find_addr(
    const struct table *t, const struct addr *a, struct table_match *match_r)
{
	char text[ADDR_TEXT_MAX];

	if (t->now.cidr == NULL)
		return table_find(t, addr_format(a, text), match_r);
	match_clear(t, match_r);
	return cidr_find(t->now.cidr, a, match_r);
}

bool
table_each_block(const struct table *t, table_block_fn *fn, void *arg)
{
	if (t->now.cidr != NULL)
		cidr_each_block(t->now.cidr, fn, arg);
	else if (t->now.pairs != NULL)
		pairs_each_address(t->now.pairs, fn, arg);
	return t->now.pattern == NULL;
}

/* --- refreshing ----------------------------------------------------------- */
static enum table_change
take_up(struct table *t, struct span text, struct errtext *why)
{
	struct table_options quiet = {
	    .check = t->check, .check_arg = t->check_arg};
	struct contents fresh = {.cidr = NULL};
	struct load l;

	load_init(&l, t->name, &quiet);
	if (read_text(t->type, text, &l, &fresh) < 0) {
		errtext_set(why, "%s: %s", t->name, strerror(errno));
		watch_forget(&t->watch);
		return TABLE_BROKEN;
	}
	if (l.bad > t->bad) {
		errtext_set(why, "%s", l.first.text);
		contents_clear(&fresh);
		return TABLE_BROKEN;
	}
	contents_clear(&t->now);
	t->now = fresh;
	t->bad = l.bad;
	errtext_set(why, "%s", t->name);
	return TABLE_RELOADED;
}

/* An index is only looked at: reading it takes postmap(1), and time. */
static enum table_change
look_at_index(struct table *t, struct errtext *why)
{
	switch (watch_look(&t->watch)) {
	case WATCH_SAME:
		return TABLE_SAME;
	case WATCH_GONE:
		errtext_set(why, "%s: the index is gone", t->spec);
		return TABLE_BROKEN;
	case WATCH_CHANGED:
		break;
	}
	errtext_set(why, "%s", t->spec);
	return TABLE_STALE;
}

enum table_change
table_refresh(struct table *t, struct errtext *why)
{
	enum table_change change;
	struct buf text;

	if (table_is_indexed(t))
		return look_at_index(t, why);
	buf_init(&text, TABLE_FILE_MAX);
	change = watch_fetch(&t->watch, t->name, &text, why);
	if (change == TABLE_STALE)
		errtext_set(why, "%s", t->spec);
	if (change == TABLE_RELOADED)
		change = take_up(t, buf_span(&text), why);
	buf_clear(&text);
	return change;
}
