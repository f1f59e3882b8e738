/* SPDX-License-Identifier: ISC */
#include "support/html_check.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* No parser of HTML: it knows as much as our pages need. */

enum { DEPTH_MAX = 32, NAME_MAX_BYTES = 16, SHOWN = 60 };

struct element {
	char name[NAME_MAX_BYTES];
};

struct checker {
	const char *at;
	struct element open[DEPTH_MAX];
	size_t depth;
};

static void
complain(const struct checker *c, const char *what)
{
	fail_msg("%s: %.*s", what, SHOWN, c->at);
}

static bool
is_void(const char *name)
{
	return strcmp(name, "meta") == 0 || strcmp(name, "link") == 0;
}

static void
check_entity(const struct checker *c)
{
	static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(c->at, known[i], strlen(known[i])) == 0)
			return;
	complain(c, "no entity");
}

static void
check_byte(const struct checker *c)
{
	if (*c->at == '&')
		check_entity(c);
	else if ((unsigned char)*c->at < ' ' && *c->at != '\n')
		complain(c, "a control character");
}

static void
take_name(struct checker *c, char name[NAME_MAX_BYTES])
{
	size_t n = strcspn(c->at, " />\n");

	if (n == 0 || n >= NAME_MAX_BYTES)
		complain(c, "no name of an element");
	memcpy(name, c->at, n);
	name[n] = '\0';
	c->at += n;
}

/* name, or name="value" */
static void
take_attribute(struct checker *c)
{
	size_t n = 0;

	while (isalnum((unsigned char)c->at[n]) || c->at[n] == '-')
		n++;
	if (n == 0)
		complain(c, "no attribute");
	c->at += n;
	if (*c->at != '=')
		return;
	if (*++c->at != '"')
		complain(c, "a value without quotes");
	for (c->at++; *c->at != '"'; c->at++) {
		if (*c->at == '\0' || *c->at == '<')
			complain(c, "a value without an end");
		check_byte(c);
	}
	c->at++;
}

static void
close_element(struct checker *c)
{
	char name[NAME_MAX_BYTES];

	c->at += 2;
	take_name(c, name);
	if (*c->at != '>')
		complain(c, "an end without its end");
	if (c->depth == 0 || strcmp(c->open[c->depth - 1].name, name) != 0)
		complain(c, "the end of what is not open");
	c->at++;
	c->depth--;
}

/* What is in these is another language. */
static void
skip_foreign(struct checker *c, const char *name)
{
	if (strcmp(name, "style") != 0 && strcmp(name, "script") != 0)
		return;
	c->at = strstr(c->at, "</");
	if (c->at == NULL)
		fail_msg("<%s> without an end", name);
}

static void
open_element(struct checker *c)
{
	char name[NAME_MAX_BYTES];
	bool is_closed;

	c->at++;
	take_name(c, name);
	while (*c->at == ' ') {
		c->at++;
		take_attribute(c);
	}
	is_closed = *c->at == '/';
	c->at += is_closed;
	if (*c->at != '>')
		complain(c, "an element without its end");
	c->at++;
	if (is_closed || is_void(name))
		return;
	if (c->depth == DEPTH_MAX)
		complain(c, "too deep");
	memcpy(c->open[c->depth++].name, name, sizeof(name));
	skip_foreign(c, name);
}

void
html_check(const char *html)
{
	static const char doctype[] = "<!DOCTYPE html>";
	struct checker c = {.at = html};

	if (strncmp(html, doctype, sizeof(doctype) - 1) != 0)
		complain(&c, "it begins with something else");
	c.at += sizeof(doctype) - 1;
	while (*c.at != '\0') {
		if (strncmp(c.at, "</", 2) == 0) {
			close_element(&c);
		} else if (*c.at == '<') {
			open_element(&c);
		} else {
			check_byte(&c);
			if (*c.at == '>')
				complain(&c, "an end of nothing");
			c.at++;
		}
	}
	if (c.depth > 0)
		fail_msg("<%s> is not closed", c.open[c.depth - 1].name);
}

void
html_check_has(const char *html, const char *wanted)
{
	if (strstr(html, wanted) != NULL)
		return;
	/* It is longer than what cmocka prints. */
	fprintf(stderr, "%s\n", html);
	fail_msg("not there: %s", wanted);
}

void
html_check_lacks(const char *html, const char *unwanted)
{
	const char *at = strstr(html, unwanted);

	if (at != NULL)
		fail_msg("there: %.*s", SHOWN, at);
}

size_t
html_check_count(const char *html, const char *text)
{
	size_t n = 0;

	for (; (html = strstr(html, text)) != NULL; html += strlen(text))
		n++;
	return n;
}
