/* SPDX-License-Identifier: ISC */
#include "ops/json.h"

#include <string.h>

#include "base/must.h"

/* RFC 8259. Keys are ours and need no escapes; values are whatever a client or
 * an admin wrote. UTF-8 is judged sequence by sequence, so that one bad byte
 * costs one character. */

static void
put(struct json *j, const char *p, size_t n)
{
	if (!j->failed && buf_add(j->out, p, n) < 0)
		j->failed = true;
}

static void
put_str(struct json *j, const char *s)
{
	put(j, s, strlen(s));
}

/* How many bytes the sequence at `p` has; 0 when it is none. */
static size_t
sequence_length(const char *p, size_t n)
{
	for (size_t i = 1; i <= 4 && i <= n; i++)
		if (text_is_utf8(span_of(p, i)))
			return i;
	return 0;
}

static void
put_quoted(struct json *j, struct span s)
{
	size_t n;

	put(j, "\"", 1);
	while (s.n > 0 && !j->failed) {
		unsigned char c = (unsigned char)s.p[0];

		n = 1;
		if (c == '"' || c == '\\') {
			put(j, "\\", 1);
			put(j, s.p, 1);
		} else if (c < 0x20 || c == 0x7f) {
			if (buf_printf(j->out, "\\u%04x", c) < 0)
				j->failed = true;
		} else if ((n = sequence_length(s.p, s.n)) > 0) {
			put(j, s.p, n);
		} else {
			put_str(j, "\\ufffd");
			n = 1;
		}
		s = span_of(s.p + n, s.n - n);
	}
	put(j, "\"", 1);
}

static void
begin_value(struct json *j, const char *key)
{
	if (j->follows)
		put(j, ",", 1);
	j->follows = true;
	if (key == NULL)
		return;
	put_quoted(j, span_str(key));
	put(j, ":", 1);
}

static void
open_with(struct json *j, const char *key, const char *opening, char closing)
{
	must(j->depth < JSON_DEPTH_MAX);
	begin_value(j, key);
	put_str(j, opening);
	j->closing[j->depth++] = closing;
	j->follows = false;
}

void
json_init(struct json *j, struct buf *out)
{
	*j = (struct json){.out = out};
}

void
json_object(struct json *j, const char *key)
{
	open_with(j, key, "{", '}');
}

void
json_array(struct json *j, const char *key)
{
	open_with(j, key, "[", ']');
}

void
json_end(struct json *j)
{
	must(j->depth > 0);
	put(j, &j->closing[--j->depth], 1);
	j->follows = true;
}

void
json_text(struct json *j, const char *key, const char *text)
{
	json_span(j, key, span_str(text));
}

void
json_span(struct json *j, const char *key, struct span text)
{
	begin_value(j, key);
	put_quoted(j, text);
}

void
json_number(struct json *j, const char *key, int64_t number)
{
	begin_value(j, key);
	if (!j->failed && buf_printf(j->out, "%lld", (long long)number) < 0)
		j->failed = true;
}

void
json_bool(struct json *j, const char *key, bool yes)
{
	begin_value(j, key);
	put_str(j, yes ? "true" : "false");
}

void
json_null(struct json *j, const char *key)
{
	begin_value(j, key);
	put_str(j, "null");
}

int
json_finish(struct json *j)
{
	while (j->depth > 0)
		json_end(j);
	put(j, "\n", 1);
	return j->failed ? -1 : 0;
}
