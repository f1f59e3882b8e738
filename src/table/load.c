/* SPDX-License-Identifier: ISC */
#include "table/load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"

/* A comment or an empty line between a line and its continuation does not
 * separate them: Postfix joins them, and tables in the field rely on it. The
 * white space that opens a continuation stays, the newline goes. */

void
load_init(struct load *l, const char *file, const struct table_options *o)
{
	*l = (struct load){.file = file, .options = *o};
}

static void
complain(struct load *l, int line, const char *text)
{
	if (l->options.report != NULL)
		l->options.report(l->file, line, text, l->options.arg);
}

void
load_bad(struct load *l, int line, const char *format, ...)
{
	char text[ERRTEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (l->bad++ == 0)
		errtext_set(&l->first, "%s:%d: %s", l->file, line, text);
	complain(l, line, text);
}

void
load_note(struct load *l, int line, const char *format, ...)
{
	char text[ERRTEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	complain(l, line, text);
}

void
load_check_value(struct load *l, int line, const char *value)
{
	struct errtext why = {.text = ""};
	int opinion = 0;

	if (l->options.check != NULL)
		opinion = l->options.check(value, l->options.check_arg, &why);
	if (opinion < 0) {
		load_bad(l, line, "%s", why.text);
	} else if (opinion > 0 && !l->has_note) {
		l->has_note = true;
		load_note(l, line, "%s", why.text);
	}
}

void
lines_init(struct lines *lines, struct span text)
{
	*lines = (struct lines){.rest = text};
	buf_init(&lines->text, TABLE_FILE_MAX);
}

void
lines_clear(struct lines *lines)
{
	buf_clear(&lines->text);
}

/* The next physical line without its newline; *taken_r bytes are it. */
static struct span
peek_physical(const struct lines *lines, size_t *taken_r)
{
	struct span rest = lines->rest;
	const char *newline = memchr(rest.p, '\n', rest.n);
	size_t n = newline == NULL ? rest.n : (size_t)(newline - rest.p);

	*taken_r = newline == NULL ? n : n + 1;
	return span_of(rest.p, n);
}

static bool
is_nothing(struct span line)
{
	for (size_t i = 0; i < line.n; i++)
		if (!text_is_space(line.p[i]))
			return line.p[i] == '#';
	return true;
}

/* Add a physical line to the logical one: 1, 0 when it begins the next one,
 * or -1 without memory. */
static int
join_physical(struct lines *lines, struct span line, struct load *l)
{
	int number = lines->physical + 1;

	if (is_nothing(line))
		return 1;
	if (memchr(line.p, '\0', line.n) != NULL) {
		load_bad(l, number, "NUL byte in line");
		return 1;
	}
	if (text_is_space(line.p[0]) && lines->text.n == 0) {
		load_bad(l, number, "line must not start with white space");
		return 1;
	}
	if (!text_is_space(line.p[0])) {
		if (lines->text.n > 0)
			return 0;
		lines->line = number;
	}
	return buf_add(&lines->text, line.p, line.n) < 0 ? -1 : 1;
}

int
lines_next(struct lines *lines, struct load *l)
{
	struct buf *text = &lines->text;
	struct span line;
	size_t taken;
	int rc = 1;

	buf_reset(text);
	while (lines->rest.n > 0) {
		line = peek_physical(lines, &taken);
		rc = join_physical(lines, line, l);
		if (rc < 1)
			break;
		lines->rest =
		    span_of(lines->rest.p + taken, lines->rest.n - taken);
		lines->physical++;
	}
	while (text->n > 0 && text_is_space(text->p[text->n - 1]))
		text->n--;
	if (rc < 0)
		return -1;
	must(text->n == 0 ||
	     buf_str(text) != NULL); /* it keeps room for a NUL */
	return text->n > 0;
}

bool
load_unwrap(struct span braces, struct span *inside_r)
{
	size_t depth = 0, i;

	if (braces.n < 2 || braces.p[0] != '{')
		return false;
	for (i = 0; i < braces.n; i++) {
		if (braces.p[i] == '{')
			depth++;
		else if (braces.p[i] == '}' && --depth == 0)
			break;
	}
	if (i != braces.n - 1)
		return false;
	*inside_r = span_trim(span_of(braces.p + 1, braces.n - 2));
	return true;
}

int
load_inline(struct span braces, struct buf *out, struct errtext *why)
{
	struct span rest, word, rule;

	if (!load_unwrap(braces, &rest)) {
		errtext_set(why, "the braces do not match");
		return -1;
	}
	while (text_token(&rest, TEXT_LIST_SEPARATORS, &word)) {
		if (!load_unwrap(word, &rule)) {
			errtext_set(why,
			    "a rule must stand in braces: \"%.*s\"",
			    (int)(word.n < 100 ? word.n : 100), word.p);
			return -1;
		}
		if (buf_add(out, rule.p, rule.n) < 0 ||
		    buf_add_char(out, '\n') < 0) {
			errtext_set(why, "%s", strerror(errno));
			return -1;
		}
	}
	return 0;
}
