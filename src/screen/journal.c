/* SPDX-License-Identifier: ISC */
#include "screen/journal.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fields.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/must.h"

/* A line is its row's word and a small template. Client text goes through
 * text_escape() (%q) or add_name() (HELO, addresses); log_text() makes the rest
 * printable, so nothing a client sends can forge a line or a field. Among named
 * fields the client always comes first, where a pattern finds it that is anchored
 * at the beginning of the line. */

enum { LINE_MAX_BYTES = 2 * LOG_LINE_MAX, QUOTED_MAX = 100, HEADER_MAX = 1800 };

struct journal_row {
	const char *word, *old_word, *rest, *id, *names;
	enum log_level level;
	enum log_voice voice;
};

static const struct journal_row rows[EVENT_COUNT] = {
#define EVENT(id, word, old, level, voice, rest, groups, names)         \
	[EVENT_##id] = {word, old, rest, #id, names, LOG_LEVEL_##level, \
	    LOG_VOICE_##voice},
#include "screen/events.def"
#undef EVENT
};

/* helo=<x>,y=<z> would look like two fields, and so would from=<"x>, to=<y"@z>,
 * which is an address. */
static void
add_name(struct buf *out, struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c == '<' || c == '>' || c == ',')
			c = '?';
		if (buf_add_char(out, c) < 0)
			return;
	}
}

static void
add_cut(struct buf *out, struct span text)
{
	(void)buf_add(out, text.p, text.n < QUOTED_MAX ? text.n : QUOTED_MAX);
}

static void
add_delay(struct buf *out, const struct journal_line *line)
{
	char text[TEXT_DELAY_MAX];

	(void)buf_add_str(
	    out, text_delay(text, line->delay_ms, line->delay_decimals));
}

static void
add_endpoint(struct buf *out, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_MAX];

	(void)buf_add_str(out, endpoint_format(e, text));
}

static void
add_address(struct buf *out, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	(void)buf_add_str(out, addr_format(a, text));
}

/* A line that grows past its ceiling is cut there: nothing to report. */
static void
add_field(struct buf *out, char letter, const struct journal_line *line)
{
	switch (letter) {
	case 'c':
		add_endpoint(out, line->client);
		break;
	case 's':
		add_endpoint(out, line->server);
		break;
	case 'a':
		add_address(out, line->address != NULL ? line->address
						       : &line->client->addr);
		break;
	case 'i':
		add_address(out, line->listed_as);
		break;
	case 't':
		add_delay(out, line);
		break;
	case 'n':
		(void)buf_printf(out, "%lld", (long long)line->number);
		break;
	case 'q':
		(void)text_escape(out, line->quoted, QUOTED_MAX);
		break;
	case 'x':
		add_cut(out, line->text);
		break;
	case 'y':
		add_cut(out, line->other);
		break;
	case 'e':
		(void)text_escape(out, line->quoted, HEADER_MAX);
		break;
	case 'Q':
		(void)text_escape(out, line->quoted, LINE_MAX_BYTES);
		break;
	case 'v':
		(void)buf_add(out, line->command.p, line->command.n);
		break;
	case 'w':
		(void)buf_add_str(out, line->word);
		break;
	case 'r':
		(void)buf_add(out, line->reply.p, line->reply.n);
		break;
	case 'f':
		add_name(out, line->sender);
		break;
	case 'o':
		add_name(out, line->recipient);
		break;
	case 'p':
		(void)buf_add_str(out, line->proto);
		break;
	case 'h':
		add_name(out, line->helo);
		break;
	default:
		must(
		    letter == 'c'); /* a letter that events.def does not name */
	}
}

/* --- named fields ----------------------------------------------------------- */

enum { NAME_MAX_BYTES = 32 };

static void
put_endpoint(struct fields *f, const char *name, const struct endpoint *e)
{
	char address[ADDR_TEXT_MAX], port_name[NAME_MAX_BYTES];

	(void)snprintf(port_name, sizeof(port_name), "%s_port", name);
	fields_text(f, name, span_str(addr_format(&e->addr, address)));
	fields_number(f, port_name, e->port);
}

static void
put_address(struct fields *f, const char *name, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	fields_text(f, name, span_str(addr_format(a, text)));
}

static struct span
cut(struct span text)
{
	return span_of(text.p, text.n < QUOTED_MAX ? text.n : QUOTED_MAX);
}

static struct span
text_of(char letter, const struct journal_line *line)
{
	switch (letter) {
	case 'q':
		return cut(line->quoted);
	case 'x':
		return cut(line->text);
	case 'y':
		return cut(line->other);
	case 'e':
	case 'Q':
		return line->quoted;
	case 'v':
		return line->command;
	case 'r':
		return line->reply;
	case 'f':
		return line->sender;
	case 'o':
		return line->recipient;
	case 'h':
		return line->helo;
	case 'p':
		return span_str(line->proto);
	default:
		must(letter == 'w');
		return span_str(line->word);
	}
}

static void
put_field(struct fields *f, char letter, const char *name,
    const struct journal_line *line)
{
	switch (letter) {
	case 'c': /* is there already */
		break;
	case 's':
		put_endpoint(f, name, line->server);
		break;
	case 'a':
		if (line->address != NULL)
			put_address(f, name, line->address);
		break;
	case 'i':
		put_address(f, name, line->listed_as);
		break;
	case 't':
		fields_number(f, name, line->delay_ms > 0 ? line->delay_ms : 0);
		break;
	case 'n':
		fields_number(f, name, line->number);
		break;
	default:
		fields_text(f, name, text_of(letter, line));
	}
}

static void
put_head(struct fields *f, const struct journal_row *row,
    const struct journal_line *line)
{
	char event[NAME_MAX_BYTES], ident[IDENT_TEXT_MAX];

	(void)snprintf(event, sizeof(event), "%s", row->id);
	text_fold(event);
	fields_text(f, "level", span_str(log_level_name(row->level)));
	fields_text(f, "event", span_str(event));
	if (line->ident != 0)
		fields_text(
		    f, "session", span_str(ident_format(line->ident, ident)));
	if (line->client != NULL)
		put_endpoint(f, "client", line->client);
}

static void
write_fields(const struct journal_row *row, const struct journal_line *line,
    enum fields_form form)
{
	char text[LOG_LINE_MAX + 1], name[NAME_MAX_BYTES];
	struct span names = span_str(row->names), word;
	struct fields f;
	struct buf out;

	buf_borrow(&out, text, sizeof(text));
	fields_begin(&f, form, &out, LOG_LINE_MAX);
	put_head(&f, row, line);
	for (const char *p = strchr(row->rest, '%'); p != NULL;
	     p = strchr(p + 2, '%')) {
		must(text_token(&names, " ", &word) && word.n < sizeof(name));
		memcpy(name, word.p, word.n);
		name[word.n] = '\0';
		put_field(&f, p[1], name, line);
	}
	fields_end(&f);
	log_fields(row->level, row->voice, buf_span(&out));
}

/* --- writing ---------------------------------------------------------------- */

static void
write_plain(const struct journal_row *row, const struct journal_line *line)
{
	char text[LINE_MAX_BYTES + 1]; /* "no memory" is news, too */
	struct buf out;
	size_t plain;

	buf_borrow(&out, text, sizeof(text));
	(void)buf_add_str(&out, line->old_words ? row->old_word : row->word);
	for (const char *p = row->rest; *p != '\0'; p++) {
		plain = strcspn(p, "%");
		(void)buf_add(&out, p, plain);
		p += plain;
		if (*p == '\0')
			break;
		add_field(&out, *++p, line);
	}
	if (out.n > 0)
		log_text(row->level, row->voice, buf_span(&out));
}

void
journal_write(struct journal *j, enum journal_event event,
    const struct journal_line *line)
{
	j->seen[event]++;
	if (j->quiet[event])
		return;
	switch (log_form()) {
	case LOG_FORM_PLAIN:
		write_plain(&rows[event], line);
		break;
	case LOG_FORM_LOGFMT:
		write_fields(&rows[event], line, FIELDS_LOGFMT);
		break;
	case LOG_FORM_JSON:
		write_fields(&rows[event], line, FIELDS_JSON);
		break;
	}
}

/* Its minute is over: say how many lines were left out of it. */
static void
sum_up(struct journal *j, enum journal_event event, struct mono now)
{
	unsigned *count = &j->window_count[event];

	if (*count == 0 ||
	    mono_between(j->window_since[event], now) < JOURNAL_WINDOW_MS)
		return;
	if (*count > JOURNAL_BURST)
		log_line(rows[event].level, rows[event].voice,
		    "%u more lines in the last minute like: %s",
		    *count - JOURNAL_BURST, rows[event].word);
	*count = 0;
}

void
journal_tick(struct journal *j, struct mono now)
{
	for (enum journal_event event = 0; event < EVENT_COUNT; event++)
		sum_up(j, event, now);
}

void
journal_write_limited(struct journal *j, enum journal_event event,
    const struct journal_line *line, struct mono now)
{
	unsigned *count = &j->window_count[event];

	sum_up(j, event, now);
	if (*count == 0)
		j->window_since[event] = now;
	if ((*count)++ < JOURNAL_BURST)
		journal_write(j, event, line);
	else
		j->seen[event]++;
}
