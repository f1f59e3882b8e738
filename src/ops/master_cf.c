/* SPDX-License-Identifier: ISC */
#include "ops/master_cf.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* Each physical line is remembered with the entry it belongs to, so that an
 * entry can be taken out and everything else compared byte for byte. Words in
 * braces are one word; daemons get them without the braces. Options are found
 * as getopt(3) would find them, with the option string of Postfix's daemons. */

#define SEPARATORS " \t\r\n"
/* Those of Postfix's daemons that take a value. */
#define VALUE_OPTIONS "imnorst"

static bool
is_comment(struct span line)
{
	struct span content = span_trim(line);

	return content.n == 0 || content.p[0] == '#';
}

static size_t
count_lines(struct span text)
{
	size_t n = text.n > 0 && text.p[text.n - 1] != '\n';

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

/* Cut the text into lines and say whose they are. */
static void
assign_lines(struct master_cf *cf, struct span text)
{
	struct master_line *l;
	const char *end;
	size_t n;

	for (; text.n > 0; text = span_of(text.p + n, text.n - n)) {
		end = memchr(text.p, '\n', text.n);
		n = end != NULL ? (size_t)(end - text.p) + 1 : text.n;
		l = &cf->line[cf->lines++];
		l->text = span_of(text.p, n);
		l->entry = MASTER_NOBODY;
		if (is_comment(l->text))
			continue;
		if (!text_is_space(text.p[0]))
			cf->entries++;
		/* White space before the first entry continues nothing. */
		if (cf->entries > 0)
			l->entry = cf->entries - 1;
	}
}

/* The logical line: newlines become blanks. */
static int
join(const struct master_cf *cf, size_t entry, struct buf *out)
{
	struct span line;

	for (size_t i = 0; i < cf->lines; i++) {
		if (cf->line[i].entry != entry)
			continue;
		line = span_trim(cf->line[i].text);
		if ((out->n > 0 && buf_add_char(out, ' ') < 0) ||
		    buf_add(out, line.p, line.n) < 0)
			return -1;
	}
	return 0;
}

static int
split(struct master_entry *e, struct errtext *why)
{
	struct span rest = span_str(e->text);

	for (size_t i = 0; i < MASTER_FIELDS; i++) {
		if (!text_token(&rest, SEPARATORS, &e->field[i])) {
			errtext_set(why,
			    "an entry of master.cf has less than "
			    "%d fields: \"%.60s\"",
			    MASTER_FIELDS, e->text);
			errno = EINVAL;
			return -1;
		}
	}
	e->arguments = span_trim(rest);
	return 0;
}

static int
build_entry(struct master_cf *cf, size_t i, size_t max, struct errtext *why)
{
	struct buf logical;

	errtext_set(why, "%s", strerror(ENOMEM));
	buf_init(&logical, max);
	if (join(cf, i, &logical) == 0)
		cf->entry[i].text = mem_strndup(logical.p, logical.n);
	buf_clear(&logical);
	return cf->entry[i].text != NULL ? split(&cf->entry[i], why) : -1;
}

int
master_cf_parse(struct master_cf *cf, struct span text, struct errtext *why)
{
	*cf = (struct master_cf){0};
	errtext_set(why, "%s", strerror(ENOMEM));
	if (text.n > 0 && memchr(text.p, '\0', text.n) != NULL) {
		errtext_set(why, "master.cf: NUL byte in a line");
		return -1;
	}
	if ((cf->text = mem_strndup(text.n > 0 ? text.p : "", text.n)) ==
		NULL ||
	    (cf->line = mem_array(count_lines(text) + 1, sizeof(*cf->line))) ==
		NULL)
		return -1;
	assign_lines(cf, span_of(cf->text, text.n));
	cf->entry = mem_array(cf->entries + 1, sizeof(*cf->entry));
	if (cf->entry == NULL)
		return -1;
	for (size_t i = 0; i < cf->entries; i++)
		if (build_entry(cf, i, text.n + cf->lines, why) < 0)
			return -1;
	return 0;
}

void
master_cf_clear(struct master_cf *cf)
{
	for (size_t i = 0; cf->entry != NULL && i < cf->entries; i++)
		mem_free(cf->entry[i].text);
	mem_free(cf->entry);
	mem_free(cf->line);
	mem_free(cf->text);
	*cf = (struct master_cf){0};
}

static bool
spans_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

const struct master_entry *
master_cf_find(
    const struct master_cf *cf, struct span service, const char *type)
{
	const struct master_entry *found = NULL;

	for (size_t i = 0; i < cf->entries; i++) {
		const struct master_entry *e = &cf->entry[i];

		if (spans_equal(e->field[MASTER_SERVICE], service) &&
		    span_is(e->field[MASTER_TYPE], type))
			found = e;
	}
	return found;
}

bool
master_entry_runs(const struct master_entry *entry, const char *program)
{
	struct span command = entry->field[MASTER_COMMAND];

	for (size_t i = command.n; i > 0; i--)
		if (command.p[i - 1] == '/') {
			command = span_of(command.p + i, command.n - i);
			break;
		}
	return span_is(command, program);
}

/* "{ a b }" is the word "a b". */
static struct span
unbrace(struct span word)
{
	if (word.n >= 2 && word.p[0] == '{' && word.p[word.n - 1] == '}')
		return span_trim(span_of(word.p + 1, word.n - 2));
	return word;
}

static struct span
before(struct span word, const char *at)
{
	return span_trim(span_of(word.p, (size_t)(at - word.p)));
}

static struct span
behind(struct span word, const char *at)
{
	return span_trim(span_of(at + 1, word.n - (size_t)(at - word.p) - 1));
}

/* "name = value" and "name=value" are the same option. */
static bool
values_equal(struct span a, struct span b)
{
	const char *end_a, *end_b;

	if (spans_equal(a, b))
		return true;
	if (a.n == 0 || b.n == 0 || (end_a = memchr(a.p, '=', a.n)) == NULL ||
	    (end_b = memchr(b.p, '=', b.n)) == NULL)
		return false;
	return spans_equal(before(a, end_a), before(b, end_b)) &&
	       spans_equal(behind(a, end_a), behind(b, end_b));
}

/* --- arguments ------------------------------------------------------------- */

/* One option after the other; "-vo a=b" and "-v -oa=b" are the same two. */
struct walk {
	struct span rest;    /* words to come */
	struct span letters; /* of this word, to come */
	bool over;           /* what comes are no options */
};

struct argument {
	char letter; /* '\0': a word */
	struct span value;
};

static bool
walk_word(struct walk *w, struct span *word)
{
	if (!text_token(&w->rest, SEPARATORS, word))
		return false;
	*word = unbrace(*word);
	return true;
}

static void
take_letter(struct walk *w, struct argument *a)
{
	a->letter = w->letters.p[0];
	a->value = span_of("", 0);
	w->letters = span_of(w->letters.p + 1, w->letters.n - 1);
	if (strchr(VALUE_OPTIONS, a->letter) == NULL)
		return;
	if (w->letters.n > 0)
		a->value = w->letters;
	else
		(void)walk_word(w, &a->value);
	w->letters.n = 0;
}

static bool
walk_next(struct walk *w, struct argument *a)
{
	struct span word;

	if (w->letters.n == 0) {
		if (!walk_word(w, &word))
			return false;
		if (w->over || word.n < 2 || word.p[0] != '-' ||
		    word.p[1] == '-') {
			w->over = true;
			*a = (struct argument){'\0', word};
			return true;
		}
		w->letters = span_of(word.p + 1, word.n - 1);
	}
	take_letter(w, a);
	return true;
}

bool
master_entry_same(const struct master_entry *a, const struct master_entry *b)
{
	struct argument x, y;
	struct walk i, j;
	bool more;

	if (a == NULL || b == NULL)
		return a == b;
	for (size_t f = 0; f < MASTER_FIELDS; f++)
		if (!spans_equal(a->field[f], b->field[f]))
			return false;
	i = (struct walk){.rest = a->arguments};
	j = (struct walk){.rest = b->arguments};
	while ((more = walk_next(&i, &x)) == walk_next(&j, &y)) {
		if (!more)
			return true;
		if (x.letter != y.letter || !values_equal(x.value, y.value))
			return false;
	}
	return false;
}

int
master_entry_options(
    const struct master_entry *entry, master_option_fn *fn, void *arg)
{
	struct walk w = {.rest = entry->arguments};
	struct argument a;

	while (walk_next(&w, &a))
		if (a.letter == 'o' && fn(a.value, arg) < 0)
			return -1;
	return 0;
}

int
master_cf_others(const struct master_cf *cf, const struct master_entry *a,
    const struct master_entry *b, struct buf *out)
{
	const struct master_entry *owner;
	const struct master_line *l;

	for (size_t i = 0; i < cf->lines; i++) {
		l = &cf->line[i];
		owner = l->entry == MASTER_NOBODY ? NULL : &cf->entry[l->entry];
		if (owner != NULL && (owner == a || owner == b))
			continue;
		if (buf_add(out, l->text.p, l->text.n) < 0)
			return -1;
	}
	return 0;
}
