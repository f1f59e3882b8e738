/* SPDX-License-Identifier: ISC */
#include "ops/json_value.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* Each value but the first has a ',', '[' or '{' in front of it, so one count
 * over the text says how many there can be, and texts are decoded in a copy of
 * the input, where they only get shorter: two allocations for any tree. */

enum { DEPTH_MAX = 32 };

struct json_tree {
	char *bytes;
	struct json_value *values;
	size_t used;
};

struct reader {
	struct json_tree *tree;
	char *p, *end;
	unsigned depth;
};

static void
skip_blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' ||
				    *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool
takes(struct reader *r, char c)
{
	skip_blanks(r);
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static bool
takes_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

static int
read_hex(struct reader *r, unsigned *code_r)
{
	unsigned code = 0;

	if (r->end - r->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = text_lower(*r->p++);

		if (c >= '0' && c <= '9')
			code = code * 16 + (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			code = code * 16 + (unsigned)(c - 'a') + 10;
		else
			return -1;
	}
	*code_r = code;
	return 0;
}

/* Never longer than the six bytes of its escape. Half a surrogate pair is no
 * character; the writer of ours makes none. */
static char *
put_code(char *to, unsigned code)
{
	if (code == 0 || (code >= 0xd800 && code < 0xe000)) {
		*to++ = '?';
	} else if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3f));
	} else {
		*to++ = (char)(0xe0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	}
	return to;
}

static int
read_escape(struct reader *r, char **to)
{
	static const char letters[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *found;
	unsigned code;

	if (r->p == r->end)
		return -1;
	if (*r->p == 'u') {
		r->p++;
		if (read_hex(r, &code) < 0)
			return -1;
		*to = put_code(*to, code);
		return 0;
	}
	if (*r->p == '\0' || (found = strchr(letters, *r->p)) == NULL)
		return -1;
	r->p++;
	*(*to)++ = means[found - letters];
	return 0;
}

/* Behind the opening quote; decoded where it stands. */
static const char *
read_text(struct reader *r)
{
	char *start = r->p, *to = r->p, c;

	while (r->p < r->end && *r->p != '"') {
		c = *r->p++;
		if (c == '\\') {
			if (read_escape(r, &to) < 0)
				return NULL;
		} else {
			*to++ = (unsigned char)c < 0x20 ? '?' : c;
		}
	}
	if (r->p == r->end)
		return NULL;
	r->p++;
	*to = '\0';
	return start;
}

/* What the writer can write: below zero there is room for one more. */
static int
read_number(struct reader *r, int64_t *number_r)
{
	bool negative = *r->p == '-';
	int64_t n = 0, digit;
	char *start;

	if (negative)
		r->p++;
	for (start = r->p; r->p < r->end && text_is_digit(*r->p); r->p++) {
		digit = *r->p - '0';
		if (n < (INT64_MIN + digit) / 10)
			return -1;
		n = n * 10 - digit;
	}
	if (r->p == start || (!negative && n == INT64_MIN))
		return -1;
	if (r->p < r->end && *r->p == '.')
		for (r->p++; r->p < r->end && text_is_digit(*r->p); r->p++)
			;
	*number_r = negative ? n : -n;
	return 0;
}

static struct json_value *read_value(struct reader *r, const char *key);

static int
read_members(struct reader *r, struct json_value *v, char closing)
{
	struct json_value **to = &v->first;
	const char *key = NULL;

	if (takes(r, closing))
		return 0;
	do {
		if (v->kind == JSON_OBJECT &&
		    (!takes(r, '"') || (key = read_text(r)) == NULL ||
			!takes(r, ':')))
			return -1;
		if ((*to = read_value(r, key)) == NULL)
			return -1;
		to = &(*to)->next;
	} while (takes(r, ','));
	return takes(r, closing) ? 0 : -1;
}

static int
read_inside(struct reader *r, struct json_value *v)
{
	if (takes(r, '"')) {
		v->kind = JSON_TEXT;
		return (v->text = read_text(r)) != NULL ? 0 : -1;
	}
	if (takes(r, '{')) {
		v->kind = JSON_OBJECT;
		return read_members(r, v, '}');
	}
	if (takes(r, '[')) {
		v->kind = JSON_ARRAY;
		return read_members(r, v, ']');
	}
	if (takes_word(r, "null"))
		return 0;
	v->kind = JSON_TRUE;
	if (takes_word(r, "true"))
		return 0;
	v->kind = JSON_FALSE;
	if (takes_word(r, "false"))
		return 0;
	v->kind = JSON_NUMBER;
	return r->p < r->end ? read_number(r, &v->number) : -1;
}

static struct json_value *
read_value(struct reader *r, const char *key)
{
	struct json_value *v = &r->tree->values[r->tree->used++];
	int rc;

	v->key = key;
	v->text = "";
	skip_blanks(r);
	if (++r->depth > DEPTH_MAX)
		return NULL;
	rc = read_inside(r, v);
	r->depth--;
	return rc == 0 ? v : NULL;
}

static size_t
count_values(struct span in)
{
	size_t n = 1;

	for (size_t i = 0; i < in.n; i++)
		n += in.p[i] == ',' || in.p[i] == '[' || in.p[i] == '{';
	return n;
}

struct json_tree *
json_tree_new(struct span in, struct errtext *why)
{
	struct json_tree *tree = mem_new(sizeof(*tree));
	struct reader r = {.tree = tree};

	if (tree == NULL || (tree->bytes = mem_strndup(in.p, in.n)) == NULL ||
	    (tree->values = mem_array(
		 count_values(in), sizeof(*tree->values))) == NULL) {
		errtext_set(why, "%s", strerror(errno));
		json_tree_free(&tree);
		return NULL;
	}
	r.p = tree->bytes;
	r.end = r.p + in.n;
	if (read_value(&r, NULL) == NULL) {
		errtext_set(
		    why, "not JSON at byte %ld", (long)(r.p - tree->bytes));
		json_tree_free(&tree);
		return NULL;
	}
	skip_blanks(&r);
	if (r.p != r.end) {
		errtext_set(why, "something behind the JSON");
		json_tree_free(&tree);
	}
	return tree;
}

void
json_tree_free(struct json_tree **tree)
{
	if (*tree == NULL)
		return;
	mem_free((*tree)->bytes);
	mem_free((*tree)->values);
	mem_free(*tree);
	*tree = NULL;
}

const struct json_value *
json_tree_root(const struct json_tree *tree)
{
	return &tree->values[0];
}

const struct json_value *
json_value_get(const struct json_value *v, const char *key)
{
	if (v == NULL || v->kind != JSON_OBJECT)
		return NULL;
	for (v = v->first; v != NULL; v = v->next)
		if (strcmp(v->key, key) == 0)
			return v;
	return NULL;
}

const char *
json_value_text(const struct json_value *v, const char *key)
{
	v = json_value_get(v, key);
	return v != NULL ? v->text : "";
}

int64_t
json_value_number(const struct json_value *v, const char *key)
{
	v = json_value_get(v, key);
	return v != NULL ? v->number : 0;
}

bool
json_value_is_true(const struct json_value *v, const char *key)
{
	v = json_value_get(v, key);
	return v != NULL && v->kind == JSON_TRUE;
}

size_t
json_value_count(const struct json_value *v)
{
	size_t n = 0;

	for (v = v != NULL ? v->first : NULL; v != NULL; v = v->next)
		n++;
	return n;
}
