/* SPDX-License-Identifier: ISC */
#include "ops/json.h"

#include <string.h>

#include "base/must.h"
#include "base/quote.h"

/* RFC 8259. Keys are ours and need no escapes; values are whatever a client or
 * an admin wrote: base/quote.h. */

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

static void
put_quoted(struct json *j, struct span s)
{
	if (!j->failed && quote_add(j->out, s, SIZE_MAX) < 0)
		j->failed = true;
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
