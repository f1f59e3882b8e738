/* SPDX-License-Identifier: ISC */
#include "base/fields.h"

#include <stdio.h>
#include <string.h>

#include "base/quote.h"

/* There is always room for the end of the line, so a value is begun only where
 * all of it has room, or enough of a text to be of use. */

enum {
	TEXT_ROOM_MIN = 16,
	AROUND_NAME = 4, /* ,"": */
	NUMBER_ROOM = TEXT_NUMBER_MAX + 8
};

void
fields_begin(
    struct fields *f, enum fields_form form, struct buf *out, size_t max)
{
	*f = (struct fields){.out = out, .max = max, .form = form};
}

static size_t
room_for_value(const struct fields *f, const char *name)
{
	size_t used = f->out->n + AROUND_NAME + strlen(name) + 1;

	return used < f->max ? f->max - used : 0;
}

static void
add_name(struct fields *f, const char *name)
{
	bool first = f->out->n == 0;

	if (f->form == FIELDS_JSON)
		(void)buf_printf(f->out, "%c\"%s\":", first ? '{' : ',', name);
	else
		(void)buf_printf(f->out, "%s%s=", first ? "" : " ", name);
}

/* Needs no quotes in logfmt. */
static bool
is_bare(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f ||
		    strchr("\"=\\", text.p[i]) != NULL)
			return false;
	return text.n > 0;
}

static void
add_text(struct fields *f, const char *name, struct span text, size_t max)
{
	size_t room = room_for_value(f, name);

	if (room < TEXT_ROOM_MIN)
		return;
	if (room > max)
		room = max;
	add_name(f, name);
	if (f->form == FIELDS_LOGFMT && text.n <= room && is_bare(text))
		(void)buf_add(f->out, text.p, text.n);
	else
		(void)quote_add(f->out, text, room);
}

void
fields_text(struct fields *f, const char *name, struct span text)
{
	add_text(f, name, text, FIELDS_TEXT_MAX);
}

void
fields_rest(struct fields *f, const char *name, struct span text)
{
	add_text(f, name, text, f->max);
}

void
fields_number(struct fields *f, const char *name, int64_t number)
{
	if (room_for_value(f, name) < NUMBER_ROOM)
		return;
	add_name(f, name);
	(void)buf_printf(f->out, "%lld", (long long)number);
}

void
fields_end(struct fields *f)
{
	if (f->form != FIELDS_JSON)
		return;
	(void)buf_add_str(f->out, f->out->n == 0 ? "{}" : "}");
}
