/* SPDX-License-Identifier: ISC */
#include "base/quote.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"

/* RFC 8259 section 7 asks for less: U+0080 to U+009F are control characters of
 * terminals, U+2028 and U+2029 end a line for JavaScript and Python, and what
 * follows them up to U+202E, like U+2066 to U+2069, turns a text around. */

enum { ESCAPE_MAX = 6 /* \u0000 */, QUOTES = 2 };

/* Of a valid sequence. */
static uint32_t
code_point(const char *p, size_t n)
{
	static const unsigned char lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = (unsigned char)p[0] & lead_bits[n];

	for (size_t i = 1; i < n; i++)
		code = code << 6 | ((unsigned char)p[i] & 0x3f);
	return code;
}

static bool
is_unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||
	       (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

/* Writes the escape, and returns its length. */
static size_t
escape(char out[ESCAPE_MAX + 1], uint32_t code)
{
	static const char plain[] = "\"\\\n\r\t", letter[] = "\"\\nrt";
	const char *found =
	    code != 0 && code < 0x80 ? strchr(plain, (char)code) : NULL;

	if (found == NULL)
		return (size_t)snprintf(
		    out, ESCAPE_MAX + 1, "\\u%04x", (unsigned)(code & 0xffff));
	out[0] = '\\';
	out[1] = letter[found - plain];
	return 2;
}

/* What the text begins with, as it is to be written; *taken_r of its bytes. */
static struct span
next_piece(struct span in, char room[ESCAPE_MAX + 1], size_t *taken_r)
{
	size_t n = text_sequence(in);
	uint32_t code;

	*taken_r = n > 0 ? n : 1;
	if (n == 0)
		return span_str("\\ufffd");
	code = code_point(in.p, n);
	if (code == '"' || code == '\\' || is_unsafe(code))
		return span_of(room, escape(room, code));
	return span_of(in.p, n);
}

int
quote_add(struct buf *out, struct span in, size_t max)
{
	char room[ESCAPE_MAX + 1];
	struct span piece;
	size_t taken;

	must(max >= QUOTES);
	max -= QUOTES;
	if (buf_add_char(out, '"') < 0)
		return -1;
	for (; in.n > 0; in = span_of(in.p + taken, in.n - taken)) {
		piece = next_piece(in, room, &taken);
		if (piece.n > max)
			break;
		max -= piece.n;
		if (buf_add(out, piece.p, piece.n) < 0)
			return -1;
	}
	return buf_add_char(out, '"');
}
