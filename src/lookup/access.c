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

/* The decision word of "{ permit, name = value }"; *rest_r is what follows. */
static enum word
reserved_form(struct span braces, struct span *rest_r)
{
	struct span first;

	*rest_r = span_trim(span_of(braces.p + 1, braces.n - 1));
	if (rest_r->n == 0 || rest_r->p[rest_r->n - 1] != '}')
		return WORD_UNKNOWN;
	rest_r->n--;
	if (!text_token(rest_r, TEXT_LIST_SEPARATORS, &first))
		return WORD_DUNNO;
	*rest_r = span_trim(*rest_r);
	return word_of(first);
}

static int
shown(struct span text)
{
	return (int)(text.n < 100 ? text.n : 100);
}

/* table_options.check: is this value an access list? */
static int
check_value(const char *value, struct errtext *why)
{
	struct span rest = span_str(value), word, reserved = {NULL, 0};
	enum word found;

	/* What a regexp's substitution will yield is not known yet. */
	if (strchr(value, '$') != NULL)
		return 0;
	while (text_token(&rest, TEXT_LIST_SEPARATORS, &word)) {
		found = word.p[0] == '{' ? reserved_form(word, &reserved)
					 : word_of(word);
		if (found == WORD_UNKNOWN) {
			errtext_set(why,
			    "\"%.*s\" is not permit, reject, dunno or "
			    "permit_mynetworks, and reads as dunno",
			    shown(word), word.p);
			return -1;
		}
	}
	if (reserved.n == 0)
		return 0;
	errtext_set(
	    why, "\"%.*s\" has no effect yet", shown(reserved), reserved.p);
	return 1;
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
    const struct table_options *o, struct errtext *why)
{
	struct access *a = mem_new(sizeof(*a));
	struct table_options checked = *o;
	struct span word;

	if (a == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	checked.check = check_value;
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
apply_value(
    const struct access *a, const char *value, const struct addr *client)
{
	struct span rest = span_str(value), text, reserved;
	enum word word;

	while (text_token(&rest, TEXT_LIST_SEPARATORS, &text)) {
		word = text.p[0] == '{' ? reserved_form(text, &reserved)
					: word_of(text);
		word = apply_word(a, word, client);
		if (word != WORD_MYNETWORKS)
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
			word = apply_value(a, match.value, client);
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
