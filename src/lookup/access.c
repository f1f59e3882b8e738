/* SPDX-License-Identifier: ISC */
#include "lookup/access.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* The semantics are postscreen's: a list that ends, or "dunno", inside a
 * table's value goes on behind the table, while a word nobody knows ends the
 * whole search - an admin's typing error must neither refuse nor wave through
 * whom a later word was not meant for.
 *
 * Values are read anew for each match: they are a word or two. Bad ones were
 * reported when their table was loaded, through table_options.check. */

enum word {
	WORD_UNKNOWN,
	WORD_PERMIT,
	WORD_REJECT,
	WORD_DUNNO,
	WORD_MYNETWORKS,
};

/* The names, as they appear in facts. */
static const char *const word_names[] = {
    [WORD_PERMIT] = "permit",
    [WORD_REJECT] = "reject",
    [WORD_DUNNO] = "dunno",
    [WORD_MYNETWORKS] = "permit_mynetworks",
};

enum { WORD_COUNT = sizeof(word_names) / sizeof(word_names[0]) };

struct step {
	enum word word;      /* when there is no table */
	struct table *table; /* may be NULL */
};

struct access {
	const struct list *mynetworks; /* the caller's, may be NULL */
	access_settings_fn *settings;
	struct step *steps;
	size_t count, cap;
};

static enum word
word_of(struct span text)
{
	for (size_t i = WORD_PERMIT; i < WORD_COUNT; i++)
		if (span_is_nocase(text, word_names[i]))
			return (enum word)i;
	return WORD_UNKNOWN;
}

/* The decision word of "{ permit, name = value }"; *settings_r is what
 * follows. */
static enum word
read_braces(struct span braces, struct span *settings_r)
{
	struct span rest = span_of(braces.p + 1, braces.n - 1), first;

	rest = span_trim(rest);
	if (rest.n == 0 || rest.p[rest.n - 1] != '}')
		return WORD_UNKNOWN;
	rest.n--;
	if (!text_token(&rest, TEXT_LIST_SEPARATORS, &first))
		return WORD_DUNNO;
	while (rest.n > 0 && strchr(TEXT_LIST_SEPARATORS, rest.p[0]) != NULL)
		rest = span_of(rest.p + 1, rest.n - 1);
	*settings_r = span_trim(rest);
	return word_of(first);
}

static enum word
read_value_word(struct span text, struct span *settings_r)
{
	*settings_r = span_of(NULL, 0);
	return text.p[0] == '{' ? read_braces(text, settings_r) : word_of(text);
}

static int
shown(struct span text)
{
	return (int)(text.n < 100 ? text.n : 100);
}

/* Something that a pattern's substitution will yield: $1, ${1}, $$. */
static bool
is_template(const char *value)
{
	for (const char *p = value; (p = strchr(p, '$')) != NULL; p++) {
		if (p[1] == '{' || p[1] == '(')
			p++;
		if (!text_is_alnum(p[1]) || text_is_digit(p[1]))
			return true;
	}
	return false;
}

/* table_options.check: is this value an access list? */
static int
check_value(const char *value, void *arg, struct errtext *why)
{
	const struct access *a = arg;
	struct span rest = span_str(value), word, settings;

	if (is_template(value))
		return 0;
	while (text_token(&rest, TEXT_LIST_SEPARATORS, &word)) {
		if (read_value_word(word, &settings) == WORD_UNKNOWN) {
			errtext_set(why,
			    "\"%.*s\" is not permit, reject, dunno or "
			    "permit_mynetworks, and reads as dunno",
			    shown(word), word.p);
			return -1;
		}
		if (settings.n > 0 && a->settings(settings, why) < 0)
			return -1;
	}
	return 0;
}

static struct step *
add_step(struct access *a)
{
	size_t cap = a->cap == 0 ? 4 : a->cap * 2;
	struct step *more;

	if (a->count == a->cap) {
		more = mem_resize(a->steps, cap, sizeof(*more));
		if (more == NULL)
			return NULL;
		a->steps = more;
		a->cap = cap;
	}
	a->steps[a->count] = (struct step){.table = NULL};
	return &a->steps[a->count++];
}

static int
read_word(struct access *a, struct span word, const struct table_options *o,
    struct errtext *why)
{
	struct step *step = add_step(a);

	if (step == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	if (table_is_spec(word)) {
		step->table = table_open(word, o, why);
		return step->table == NULL ? -1 : 0;
	}
	step->word = word_of(word);
	if (step->word != WORD_UNKNOWN)
		return 0;
	errtext_set(why,
	    "\"%.*s\" is not permit_mynetworks, permit, reject, dunno, or "
	    "TYPE:TABLE",
	    shown(word), word.p);
	return -1;
}

struct access *
access_open(struct span words, const struct list *mynetworks,
    access_settings_fn *settings, const struct table_options *o,
    struct errtext *why)
{
	struct access *a = mem_new(sizeof(*a));
	struct table_options checked = *o;
	struct span word;

	if (a == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	checked.check = check_value;
	checked.check_arg = a;
	a->settings = settings;
	a->mynetworks = mynetworks;
	while (a != NULL && text_token(&words, TEXT_LIST_SEPARATORS, &word))
		if (read_word(a, word, &checked, why) < 0)
			access_free(&a);
	return a;
}

void
access_free(struct access **a)
{
	if (*a == NULL)
		return;
	for (size_t i = 0; i < (*a)->count; i++)
		table_free(&(*a)->steps[i].table);
	mem_free((*a)->steps);
	mem_free(*a);
	*a = NULL;
}

/* What one word means for this client: WORD_PERMIT, WORD_REJECT, WORD_DUNNO
 * and WORD_UNKNOWN decide, WORD_MYNETWORKS says that it did not match. */
static enum word
apply_word(const struct access *a, enum word word, const struct addr *client)
{
	if (word == WORD_MYNETWORKS && a->mynetworks != NULL &&
	    list_has(a->mynetworks, client))
		return WORD_PERMIT;
	return word;
}

/* The same for a table's value; dunno and the end are one. */
static enum word
apply_value(const struct access *a, const char *value,
    const struct addr *client, struct span *settings_r)
{
	struct span rest = span_str(value), text, settings;
	enum word word;

	while (text_token(&rest, TEXT_LIST_SEPARATORS, &text)) {
		word = apply_word(a, read_value_word(text, &settings), client);
		if (word == WORD_MYNETWORKS)
			continue;
		if (settings.n == 0)
			return word;
		if (a->settings(settings, NULL) < 0)
			return WORD_UNKNOWN;
		*settings_r = settings;
		return word;
	}
	return WORD_DUNNO;
}

static enum access_verdict
verdict_of(enum word word)
{
	switch (word) {
	case WORD_PERMIT:
		return ACCESS_PERMIT;
	case WORD_REJECT:
		return ACCESS_REJECT;
	case WORD_UNKNOWN:
	case WORD_DUNNO:
	case WORD_MYNETWORKS:
		break;
	}
	return ACCESS_DUNNO;
}

struct access_fact
access_find(const struct access *a, const struct addr *client)
{
	struct access_fact fact = {.verdict = ACCESS_DUNNO};
	const struct step *step = a->steps;
	struct table_match match;
	enum word word;

	for (size_t i = 0; i < a->count; i++, step++) {
		match = (struct table_match){.file = NULL};
		if (step->table == NULL) {
			word = apply_word(a, step->word, client);
			if (word == WORD_MYNETWORKS)
				continue;
			fact.word = word_names[step->word];
		} else {
			if (!table_is_readable(step->table)) {
				fact.word = table_spec(step->table);
				break;
			}
			if (table_find_addr(step->table, client, &match) ==
			    TABLE_ABSENT)
				continue;
			word =
			    apply_value(a, match.value, client, &fact.settings);
			if (word == WORD_DUNNO)
				continue;
			fact.word = table_spec(step->table);
		}
		fact.verdict = verdict_of(word);
		fact.file = match.file;
		fact.line = match.line;
		break;
	}
	return fact;
}

bool
access_each_block(const struct access *a, table_block_fn *fn, void *arg)
{
	bool is_whole = true;

	for (size_t i = 0; i < a->count; i++)
		if (a->steps[i].table != NULL)
			is_whole &=
			    table_each_block(a->steps[i].table, fn, arg);
	return is_whole;
}

enum table_change
access_refresh(struct access *a, struct errtext *why)
{
	enum table_change strongest = TABLE_SAME, change;
	struct errtext said = {.text = ""};

	for (size_t i = 0; i < a->count; i++) {
		if (a->steps[i].table == NULL)
			continue;
		change = table_refresh(a->steps[i].table, &said);
		if (change > strongest) {
			strongest = change;
			errtext_set(why, "%s", said.text);
		}
	}
	return strongest;
}
