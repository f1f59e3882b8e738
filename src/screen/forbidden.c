/* SPDX-License-Identifier: ISC */
#include "screen/forbidden.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "table/list.h"

/* Postfix asks its list for the command word alone, so a pattern never sees the
 * arguments; the header rule looks at the word alone, too: "x :" is none. */

struct forbidden {
	struct list *list;
	bool utf8;
};

struct forbidden *
forbidden_open(struct span words, bool utf8, const struct table_options *o,
    struct errtext *why)
{
	struct forbidden *f = mem_new(sizeof(*f));

	if (f == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	f->utf8 = utf8;
	if ((f->list = list_open_words(words, o, why)) == NULL)
		forbidden_free(&f);
	return f;
}

void
forbidden_free(struct forbidden **f)
{
	if (*f == NULL)
		return;
	list_free(&(*f)->list);
	mem_free(*f);
	*f = NULL;
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

int
forbidden_has(const struct forbidden *f, struct span word)
{
	char *key;
	bool found;

	if (word.n == 0)
		return 0;
	if (is_header(word) || (f->utf8 && !text_is_utf8(word)))
		return 1;
	if ((key = mem_strndup(word.p, word.n)) == NULL)
		return -1;
	found = list_has_word(f->list, key);
	mem_free(key);
	return found;
}

enum table_change
forbidden_refresh(struct forbidden *f, struct errtext *why)
{
	return list_refresh(f->list, why);
}
