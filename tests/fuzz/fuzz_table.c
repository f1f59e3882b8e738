/* SPDX-License-Identifier: ISC */
/* tests/fuzz/fuzz_table.c - tables and lists that an admin could write, and
 * keys that a client could choose. The first byte of the input says what it
 * is, the rest of the first line is the key, and the text follows. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "lookup/access.h"
#include "table/cidr.h"
#include "table/list.h"
#include "table/pairs.h"
#include "table/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct table_options no_options;

/* A value must be text whose every byte may be read. */
static void
use(enum table_result result, const struct table_match *match)
{
	if (result == TABLE_FOUND && strlen(match->value) > TABLE_FILE_MAX)
		abort();
}

static void
try_cidr(const char *key, struct span text, struct load *l)
{
	struct cidr *c = cidr_read(text, l);
	struct table_match match;
	struct addr a;

	if (c != NULL && addr_parse(span_str(key), &a) == 0)
		use(cidr_find(c, &a, &match), &match);
	cidr_free(&c);
}

static void
try_pairs(struct pairs *p, const char *key)
{
	struct table_match match;

	if (p != NULL)
		use(pairs_find(p, key, &match), &match);
	pairs_free(&p);
}

/* The C library's regcomp(3) takes hours or gigabytes for some expressions;
 * that is the admin's choice and not what is tested here. */
static bool
is_costly(struct span text)
{
	unsigned repeats = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '{' || text.p[i] == '\\')
			return true;
		repeats +=
		    text.p[i] == '+' || text.p[i] == '*' || text.p[i] == '?';
	}
	return text.n > 300 || repeats > 6;
}

static void
try_pattern(enum pattern_syntax syntax, const char *key, struct span text,
    struct load *l)
{
	struct pattern *p;
	struct table_match match;

	if (syntax == PATTERN_POSIX && is_costly(text))
		return;
	p = pattern_read(syntax, text, l);
	if (p != NULL)
		use(pattern_find(p, key, &match), &match);
	pattern_free(&p);
}

/* Lists may name files, and no file is to be read here. */
static bool
names_files(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '/' &&
		    (i + 1 == text.n || !text_is_digit(text.p[i + 1])))
			return true;
	return false;
}

static int
any_settings(struct span settings, struct errtext *why)
{
	(void)why;
	return settings.n % 2 == 0 ? 0 : -1;
}

static void
try_lists(const char *key, struct span text)
{
	struct errtext why;
	struct access *access;
	struct list *list;
	struct addr a;

	if (names_files(text))
		return;
	list = list_open(text, &no_options, &why);
	access = access_open(text, list, any_settings, &no_options, &why);
	if (addr_parse(span_str(key), &a) == 0) {
		if (list != NULL)
			list_has(list, &a);
		if (access != NULL)
			access_find(access, &a);
	}
	access_free(&access);
	list_free(&list);
}

static void
try_one(char kind, const char *key, struct span text)
{
	struct errtext why;
	struct load l;

	load_init(&l, "fuzz", &no_options);
	switch (kind) {
	case 'c':
		try_cidr(key, text, &l);
		break;
	case 't':
		try_pairs(pairs_read_text(text, &l), key);
		break;
	case 'd':
		try_pairs(pairs_read_dump(text, &l), key);
		break;
	case 'i':
		try_pairs(pairs_read_inline(text, &l, &why), key);
		break;
	case 'r':
		try_pattern(PATTERN_POSIX, key, text, &l);
		break;
	case 'p':
		try_pattern(PATTERN_PERL, key, text, &l);
		break;
	case 'l':
		try_lists(key, text);
		break;
	default:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *input = (const char *)bytes;
	const char *newline;
	char *key, *text;
	size_t key_n;

	if (n == 0 || (newline = memchr(input, '\n', n)) == NULL ||
	    newline == input)
		return 0;
	key_n = (size_t)(newline - input) - 1;
	key = mem_strndup(input + 1, key_n);
	/* A copy without a spare byte: reading past it is seen. */
	text = malloc(n - key_n - 1);
	if (key != NULL && text != NULL) {
		memcpy(text, newline + 1, n - key_n - 2);
		try_one(input[0], key, span_of(text, n - key_n - 2));
	}
	free(text);
	mem_free(key);
	return 0;
}
