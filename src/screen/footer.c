/* SPDX-License-Identifier: ISC */
#include "screen/footer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/ident.h"
#include "base/mem.h"
#include "config/expand.h"
#include "screen/session.h"
#include "table/maps.h"

/* The text is the administrator's, the values are not: '$' and the backslash,
 * which mean something in the text, never come from a value, whatever the filter
 * allows. smtp/reply.c makes every line printable after it was parted from the
 * others, so nothing here can end a reply early. */

enum { VALUE_MAX = 320 /* a host name, and some */ };

struct footer {
	struct maps *maps;
	char *text;
	struct footer_filter filter;
};

/* One text while it is expanded. */
struct expansion {
	struct session *session;
	char value[VALUE_MAX];
};

/* --- the set of bytes that values may have -------------------------------- */

static unsigned char
take_octal(const char **at)
{
	unsigned value = 0;

	for (int i = 0; i < 3 && **at >= '0' && **at <= '7'; i++, (*at)++)
		value = value * 8 + (unsigned)(**at - '0');
	return (unsigned char)(value & UCHAR_MAX);
}

/* What follows a backslash, as in C. */
static unsigned char
take_escaped(const char **at)
{
	static const char letters[] = "abfnrtv", meant[] = "\a\b\f\n\r\t\v";
	const char *letter;

	if (**at >= '0' && **at <= '7')
		return take_octal(at);
	letter = strchr(letters, **at);
	(*at)++;
	return (unsigned char)(letter != NULL ? meant[letter - letters]
					      : (*at)[-1]);
}

struct footer_filter
footer_parse_filter(const char *text)
{
	struct footer_filter filter = {.allows = {false}};

	while (*text != '\0') {
		unsigned char c = (unsigned char)*text++;

		if (c == '\\' && *text != '\0')
			c = take_escaped(&text);
		filter.allows[c] = true;
	}
	return filter;
}

/* --- expansion ------------------------------------------------------------ */

/* "Nov 21 09:15:40", always in English. */
static void
print_local_time(char out[VALUE_MAX])
{
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t now = (time_t)clock_wall().s;
	struct tm tm;

	out[0] = '\0';
	if (localtime_r(&now, &tm) != NULL)
		snprintf(out, VALUE_MAX, "%s %02d %02d:%02d:%02d",
		    months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min,
		    tm.tm_sec);
}

/* "bl.example, other.example": what the world may know of their names. */
static void
print_reasons(const struct session *s, char out[VALUE_MAX])
{
	const char *front = "";
	struct buf names;

	buf_borrow(&names, out, VALUE_MAX);
	for (size_t i = 0; i < DNSBL_ZONES_MAX; i++) {
		if ((s->listed_by >> i & 1) == 0)
			continue;
		if (buf_printf(&names, "%s%s", front,
			policy_zone_name(s->policy,
			    dnsbl_zone_health(s->policy->dnsbl, i)->zone)) < 0)
			break;
		front = ", ";
	}
	out[names.n] = '\0';
}

static bool
print_value(const struct session *s, const char *name, char out[VALUE_MAX])
{
	char address[ADDR_TEXT_MAX];

	if (strcmp(name, "client_address") == 0)
		snprintf(out, VALUE_MAX, "%s",
		    addr_format(&s->client.addr, address));
	else if (strcmp(name, "client_port") == 0)
		snprintf(out, VALUE_MAX, "%u", (unsigned)s->client.port);
	else if (strcmp(name, "localtime") == 0)
		print_local_time(out);
	else if (strcmp(name, "session_id") == 0)
		ident_format(s->ident, out);
	else if (strcmp(name, "dnsbl_reasons") == 0)
		print_reasons(s, out);
	else if (strcmp(name, "server_name") == 0)
		snprintf(out, VALUE_MAX, "%s",
		    session_config(s)->postfix.myhostname);
	else
		return false;
	return true;
}

static const char *
look_up(const char *name, void *arg)
{
	struct expansion *e = arg;
	struct session *s = e->session;
	const struct footer_filter *filter = &s->policy->footer->filter;

	if (!print_value(s, name, e->value)) {
		session_log_limited(s, EVENT_UNKNOWN_MACRO,
		    (struct journal_line){.word = name});
		return NULL;
	}
	for (char *p = e->value; *p != '\0'; p++)
		if (!filter->allows[(unsigned char)*p] || *p == '$' ||
		    *p == '\\')
			*p = '_';
	return e->value;
}

static const char *
choose_text(const struct footer *f, struct span quoted)
{
	struct table_match match;
	const char *text = f->text;
	char *key;

	if (maps_is_empty(f->maps) ||
	    (key = mem_strndup(quoted.p, quoted.n)) == NULL)
		return text;
	if (maps_find(f->maps, key, &match) == TABLE_FOUND)
		text = match.value;
	mem_free(key);
	return text;
}

static void
add_footer(struct span quoted, struct buf *out, void *arg)
{
	struct expansion e = {.session = arg};
	struct errtext why = {""};
	const char *text = choose_text(e.session->policy->footer, quoted);

	if (expand_text(text, look_up, &e, out, &why) == 0)
		return;
	buf_reset(out);
	session_log_limited(e.session, EVENT_BAD_FOOTER,
	    (struct journal_line){.quoted = span_str(why.text)});
}

struct reply_style
footer_style(struct session *s)
{
	struct reply_style style = {
	    .soft_bounce = session_config(s)->postfix.soft_bounce,
	};

	if (s->policy->footer != NULL) {
		style.choose = add_footer;
		style.choose_arg = s;
	}
	return style;
}

/* --- opening -------------------------------------------------------------- */

struct footer *
footer_open(const struct config *cfg, const struct table_options *o,
    struct errtext *why)
{
	struct footer *f = mem_new(sizeof(*f));

	if (f == NULL || (f->text = mem_strdup(cfg->reject_footer)) == NULL) {
		errtext_set(why, "%s", strerror(errno));
		footer_free(&f);
		return NULL;
	}
	f->filter = footer_parse_filter(cfg->expansion_filter);
	f->maps = maps_open(span_str(cfg->reject_footer_maps), o, why);
	if (f->maps == NULL)
		footer_free(&f);
	return f;
}

void
footer_free(struct footer **f)
{
	if (*f == NULL)
		return;
	maps_free(&(*f)->maps);
	mem_free((*f)->text);
	mem_free(*f);
	*f = NULL;
}

enum table_change
footer_refresh(struct footer *f, struct errtext *why)
{
	return maps_refresh(f->maps, why);
}
