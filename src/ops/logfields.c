/* SPDX-License-Identifier: ISC */
#include "ops/logfields.h"

#include <string.h>

#include "base/must.h"
#include "base/num.h"

/* Names and order are the writer's (screen/journal.c, base/fields.h): level and
 * event first, then the client, then one name for each letter of the row. A
 * value is a number, a bare word, or a text in quotes, in which a quote always
 * has a backslash in front: no client can end its own text. What had no room is
 * left out by the writer, whole; only a client has to be there. */

struct row {
	const char *id, *rest, *names;
};

static const struct row rows[EVENT_COUNT] = {
#define EVENT(id, word, old, level, voice, rest, groups, names) \
	[EVENT_##id] = {#id, rest, names},
#include "screen/events.def"
#undef EVENT
};

/* --- fields ----------------------------------------------------------------- */

struct fields_in {
	struct span rest;
	bool is_json;
};

static bool
take_char(struct span *rest, char c)
{
	if (rest->n == 0 || rest->p[0] != c)
		return false;
	*rest = span_of(rest->p + 1, rest->n - 1);
	return true;
}

/* What is before the first of `ends`, or all; that stays. */
static struct span
take_to(struct span *rest, const char *ends)
{
	size_t n = 0;

	while (n < rest->n && strchr(ends, rest->p[n]) == NULL)
		n++;
	*rest = span_of(rest->p + n, rest->n - n);
	return span_of(rest->p - n, n);
}

/* Behind the opening quote, up to the closing one, which is taken. */
static bool
take_quoted(struct span *rest, struct span *text_r)
{
	size_t n = 0;

	while (n < rest->n && rest->p[n] != '"')
		n += rest->p[n] == '\\' ? 2 : 1;
	if (n >= rest->n)
		return false;
	*text_r = span_of(rest->p, n);
	*rest = span_of(rest->p + n + 1, rest->n - n - 1);
	return true;
}

static bool
take_name(struct span *rest, bool is_json, struct span *name_r)
{
	if (is_json)
		return (take_char(rest, '{') || take_char(rest, ',')) &&
		       take_char(rest, '"') && take_quoted(rest, name_r) &&
		       take_char(rest, ':');
	(void)take_char(rest, ' ');
	*name_r = take_to(rest, "= ");
	return name_r->n > 0 && take_char(rest, '=');
}

/* False at the end, and where the line is not what we write; it stays then. */
static bool
take_field(struct fields_in *in, struct span *name_r, struct span *value_r)
{
	struct span rest = in->rest;

	if (!take_name(&rest, in->is_json, name_r))
		return false;
	if (take_char(&rest, '"')) {
		if (!take_quoted(&rest, value_r))
			return false;
	} else {
		*value_r = take_to(&rest, in->is_json ? ",}" : " ");
		if (value_r->n == 0)
			return false;
	}
	in->rest = rest;
	return true;
}

/* --- what they mean ---------------------------------------------------------- */

static bool
find_event(struct span value, enum journal_event *event_r)
{
	for (size_t i = 0; i < EVENT_COUNT; i++) {
		if (span_is_nocase(value, rows[i].id)) {
			*event_r = (enum journal_event)i;
			return true;
		}
	}
	return false;
}

/* The letter that has this name in the row, or '\0'. */
static char
letter_of(const struct row *row, struct span name)
{
	struct span names = span_str(row->names), word;
	const char *p = row->rest;

	while (text_token(&names, " ", &word)) {
		p = strchr(p, '%');
		must(p != NULL);
		if (word.n == name.n && memcmp(word.p, name.p, name.n) == 0)
			return p[1];
		p += 2;
	}
	return '\0';
}

static bool
read_client(struct span name, struct span value, struct logline *l)
{
	int64_t port;

	if (span_is(name, "client")) {
		l->has_client = true;
		return addr_parse(value, &l->client.addr) == 0;
	}
	if (!span_is(name, "client_port"))
		return true;
	if (num_parse(value, 0, UINT16_MAX, &port) < 0)
		return false;
	l->client.port = (uint16_t)port;
	return true;
}

static void
keep_text(struct span *first, struct span text)
{
	if (first->p == NULL)
		*first = text;
}

static bool
read_value(char letter, struct span value, struct logline *l)
{
	switch (letter) {
	case '\0': /* level, session, a server's port */
	case 'c':
	case 's':
		return true;
	case 'a':
		return addr_parse(value, &l->address) == 0;
	case 'i':
		return addr_parse(value, &l->listed_as) == 0;
	case 'n':
		return num_parse(value, INT64_MIN, INT64_MAX, &l->number) == 0;
	case 't':
		return num_parse(value, 0, INT64_MAX, &l->delay_ms) == 0;
	case 'w':
		keep_text(&l->word, value);
		return true;
	case 'y':
		l->other = value;
		return true;
	default:
		keep_text(&l->text, value);
		return true;
	}
}

static bool
read_fields(struct fields_in *in, struct logline *l)
{
	const struct row *row = &rows[l->event];
	struct span name, value;

	while (take_field(in, &name, &value))
		if (!read_client(name, value, l) ||
		    !read_value(letter_of(row, name), value, l))
			return false;
	if (in->is_json && !take_char(&in->rest, '}'))
		return false;
	return in->rest.n == 0 &&
	       (l->has_client || strstr(row->rest, "%c") == NULL);
}

bool
logfields_has(struct span text)
{
	return span_has_prefix(text, "{\"level\":") ||
	       span_has_prefix(text, "level=");
}

bool
logfields_read(struct span text, struct logline *line_r)
{
	struct fields_in in = {text, text.n > 0 && text.p[0] == '{'};
	struct logline l = *line_r;
	struct span name, value;

	if (!take_field(&in, &name, &value) || !span_is(name, "level") ||
	    !take_field(&in, &name, &value) || !span_is(name, "event") ||
	    !find_event(value, &l.event) || !read_fields(&in, &l))
		return false;
	l.kind = LOGLINE_EVENT;
	*line_r = l;
	return true;
}
