/* SPDX-License-Identifier: ISC */
#include "smtp/reply.h"

#include <stdint.h>
#include <stdio.h>

/* Each line is written whole, then its printable part is cleaned in place, and
 * only then comes its CRLF: nothing that a list, a footer or a host name says
 * can end a line early (response splitting). */

struct head {
	char code[12];     /* any int */
	char enhanced[16]; /* with its blank, or "" */
};

/* The pieces of a footer that were not taken yet. */
struct footer {
	struct span rest;
	bool more;
	struct buf chosen; /* the text, when it was made for this reply */
};

static struct head
head_of(const struct reply *r, bool soft_bounce)
{
	bool soften = soft_bounce && r->code >= 500 && r->code <= 599;
	struct head head = {.enhanced = ""};

	snprintf(head.code, sizeof(head.code), "%03d",
	    soften ? r->code - 100 : r->code);
	if (r->enhanced != NULL)
		snprintf(
		    head.enhanced, sizeof(head.enhanced), "%s ", r->enhanced);
	if (soften && head.enhanced[0] == '5')
		head.enhanced[0] = '4';
	return head;
}

static int
add_text(const struct head *head, char separator, struct span text,
    struct span glued, struct buf *out)
{
	size_t start = out->n;

	if (buf_add_str(out, head->code) < 0 ||
	    buf_add_char(out, separator) < 0 ||
	    buf_add_str(out, head->enhanced) < 0 ||
	    buf_add(out, text.p, text.n) < 0 ||
	    buf_add(out, glued.p, glued.n) < 0)
		return -1;
	text_make_printable(out->p + start, out->n - start, true);
	return 0;
}

static int
add_line(const struct head *head, bool more, struct span text,
    struct span glued, struct buf *out)
{
	if (add_text(head, more ? '-' : ' ', text, glued, out) < 0)
		return -1;
	return buf_add_str(out, "\r\n");
}

/* Bytes of the separator that `at` points to: a newline, or a backslash and an
 * n; 0 for none. What stands before the backslash does not matter. */
static size_t
separator_length(struct span at)
{
	if (span_has_prefix(at, "\n"))
		return 1;
	return span_has_prefix(at, "\\n") ? 2 : 0;
}

static struct span
footer_next(struct footer *footer)
{
	struct span all = footer->rest;

	for (size_t i = 0; i < all.n; i++) {
		struct span at = span_of(all.p + i, all.n - i);
		size_t skip = separator_length(at);

		if (skip > 0) {
			footer->rest = span_of(at.p + skip, at.n - skip);
			return span_of(all.p, i);
		}
	}
	footer->more = false;
	return all;
}

static int
choose_footer(const struct reply *r, const struct reply_style *style,
    struct footer *footer)
{
	struct head head = head_of(r, false);
	struct span none = span_of("", 0);
	struct buf quoted;
	int rc;

	buf_init(&quoted, BUF_MAX);
	rc = add_text(&head, ' ', span_str(r->text), none, &quoted);
	if (rc == 0)
		style->choose(
		    buf_span(&quoted), &footer->chosen, style->choose_arg);
	buf_clear(&quoted);
	footer->rest = buf_span(&footer->chosen);
	return rc;
}

/* `footer` is to be cleared in any case. */
static int
footer_begin(const struct reply *r, const struct reply_style *style,
    struct footer *footer)
{
	*footer = (struct footer){.more = false};
	buf_init(&footer->chosen, REPLY_FOOTER_MAX);
	if (r->code < 400)
		return 0;
	if (style->choose == NULL)
		footer->rest =
		    span_str(style->footer != NULL ? style->footer : "");
	else if (choose_footer(r, style, footer) < 0)
		return -1;
	footer->more = footer->rest.n > 0;
	return 0;
}

static struct span
footer_glued(struct footer *footer)
{
	if (!span_has_prefix(footer->rest, "\\c"))
		return span_of("", 0);
	footer->rest.p += 2;
	footer->rest.n -= 2;
	return footer_next(footer);
}

static int
add_lines(
    const struct reply *r, const struct reply_style *style, struct buf *out)
{
	struct head head = head_of(r, style->soft_bounce);
	struct span none = span_of("", 0);
	struct footer footer;
	struct span text, glued;
	int rc = footer_begin(r, style, &footer);

	if (rc == 0) {
		glued = footer_glued(&footer);
		text = span_str(r->text);
		rc = add_line(&head, footer.more, text, glued, out);
	}
	while (rc == 0 && footer.more) {
		text = footer_next(&footer);
		rc = add_line(&head, footer.more, text, none, out);
	}
	buf_clear(&footer.chosen);
	return rc;
}

int
reply_render(
    const struct reply *r, const struct reply_style *style, struct buf *out)
{
	size_t start = out->n;

	if (r->code != 0 && add_lines(r, style, out) < 0) {
		out->n = start;
		return -1;
	}
	return 0;
}

int
reply_part(const struct reply *r, bool more, struct buf *out)
{
	struct head head = head_of(r, false);
	size_t start = out->n;

	if (add_line(&head, more, span_str(r->text), span_of("", 0), out) < 0) {
		out->n = start;
		return -1;
	}
	return 0;
}

int
reply_quote(
    const struct reply *r, const struct reply_style *style, struct buf *out)
{
	struct head head = head_of(r, style->soft_bounce);
	size_t start = out->n;

	if (r->code != 0 &&
	    add_text(&head, ' ', span_str(r->text), span_of("", 0), out) < 0) {
		out->n = start;
		return -1;
	}
	return 0;
}
