/* SPDX-License-Identifier: ISC */
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

/* Nothing here asks <ctype.h>: its answers depend on the locale, and its
 * functions are undefined for the negative chars that clients send. */

struct span
span_str(const char *s)
{
	return span_of(s, strlen(s));
}

bool
span_is(struct span a, const char *s)
{
	return a.n == strlen(s) && (a.n == 0 || memcmp(a.p, s, a.n) == 0);
}

bool
span_is_nocase(struct span a, const char *s)
{
	if (a.n != strlen(s))
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (text_lower(a.p[i]) != text_lower(s[i]))
			return false;
	return true;
}

bool
span_has_prefix(struct span a, const char *s)
{
	size_t n = strlen(s);

	return a.n >= n && (n == 0 || memcmp(a.p, s, n) == 0);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span a)
{
	while (a.n > 0 && is_blank(a.p[0])) {
		a.p++;
		a.n--;
	}
	while (a.n > 0 && is_blank(a.p[a.n - 1]))
		a.n--;
	return a;
}

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

bool
text_token(struct span *rest, const char *separators, struct span *word_r)
{
	size_t start = 0, end, depth = 0;

	while (start < rest->n && is_one_of(rest->p[start], separators))
		start++;
	if (start == rest->n) {
		*rest = span_of(rest->p + start, 0);
		return false;
	}
	for (end = start; end < rest->n; end++) {
		char c = rest->p[end];

		if (c == '{')
			depth++;
		else if (c == '}' && depth > 0)
			depth--;
		else if (depth == 0 && is_one_of(c, separators))
			break;
	}
	*word_r = span_of(rest->p + start, end - start);
	*rest = span_of(rest->p + end, rest->n - end);
	return true;
}

static bool
is_plain(char c)
{
	return c >= 0x20 && c < 0x7f;
}

/* Writes the escape of one byte; returns its length, 1 to 4. */
static size_t
escape_byte(char out[4], char c)
{
	static const char plain[] = "\a\b\f\n\r\t\v\\";
	static const char letter[] = "abfnrtv\\";
	const char *found = c != '\0' ? strchr(plain, c) : NULL;
	unsigned byte = (unsigned char)c;

	if (found != NULL) {
		out[0] = '\\';
		out[1] = letter[found - plain];
		return 2;
	}
	if (is_plain(c)) {
		out[0] = c;
		return 1;
	}
	out[0] = '\\';
	out[1] = (char)('0' + byte / 64);
	out[2] = (char)('0' + byte / 8 % 8);
	out[3] = (char)('0' + byte % 8);
	return 4;
}

int
text_escape(struct buf *out, struct span in, size_t max)
{
	char escape[4];
	size_t n;

	for (size_t i = 0; i < in.n && max > 0; i++) {
		n = escape_byte(escape, in.p[i]);
		if (n > max)
			n = max;
		if (buf_add(out, escape, n) < 0)
			return -1;
		max -= n;
	}
	return 0;
}

/* The well-formed sequences of RFC 3629 section 4: the first byte says how
 * long the sequence is and what the second may be, which is where overlong
 * forms, surrogates and numbers above U+10FFFF end. */
static const struct utf8_lead {
	unsigned char first, last;            /* lead bytes */
	unsigned char second_min, second_max; /* first continuation byte */
	uint8_t length;
} utf8_leads[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2},
    {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3},
    {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4},
    {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool
is_utf8_tail(const struct utf8_lead *lead, const unsigned char *s, size_t n)
{
	if (n < lead->length || s[1] < lead->second_min ||
	    s[1] > lead->second_max)
		return false;
	for (size_t i = 2; i < lead->length; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return false;
	return true;
}

size_t
text_sequence(struct span in)
{
	const unsigned char *s = (const unsigned char *)in.p;
	const struct utf8_lead *lead = utf8_leads;
	const size_t leads = sizeof(utf8_leads) / sizeof(utf8_leads[0]);

	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < leads; i++, lead++)
		if (s[0] >= lead->first && s[0] <= lead->last)
			return is_utf8_tail(lead, s, in.n) ? lead->length : 0;
	return 0;
}

/* Terminals and readers of logs obey more than ASCII's: U+0080 to U+009F; U+2028
 * and U+2029, which end lines; U+202A to U+202E and U+2066 to U+2069, which turn
 * text around. */
static bool
is_control(const char *p, size_t length)
{
	const unsigned char *s = (const unsigned char *)p;

	switch (length) {
	case 1:
		return s[0] < 0x20 || s[0] == 0x7f;
	case 2:
		return s[0] == 0xc2 && s[1] < 0xa0;
	case 3:
		if (s[0] != 0xe2)
			return false;
		return s[1] == 0x80
			   ? s[2] >= 0xa8 && s[2] <= 0xae
			   : s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9;
	default:
		return false;
	}
}

void
text_make_printable(char *p, size_t n, bool utf8)
{
	size_t length;

	for (size_t i = 0; i < n; i += length) {
		length = 1;
		if (is_plain(p[i]))
			continue; /* nearly all there ever is */
		length = text_sequence(span_of(p + i, n - i));
		if (length == 0 || (length > 1 && !utf8) ||
		    is_control(p + i, length)) {
			p[i] = '?';
			length = 1;
		}
	}
}

bool
text_is_utf8(struct span in)
{
	size_t length;

	for (size_t i = 0; i < in.n; i += length)
		if ((length = text_sequence(span_of(in.p + i, in.n - i))) == 0)
			return false;
	return true;
}

char
text_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

char
text_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

bool
text_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool
text_is_alnum(char c)
{
	char lower = text_lower(c);

	return text_is_digit(c) || (lower >= 'a' && lower <= 'z');
}

bool
text_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

void
text_fold(char *s)
{
	for (; *s != '\0'; s++)
		*s = text_lower(*s);
}

char *
text_put(char *p, const char *s)
{
	size_t n = strlen(s);

	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): on purpose */
	memcpy(p, s, n);
	return p + n;
}

char *
text_put_number(char *p, unsigned long long n)
{
	char digits[TEXT_NUMBER_MAX];
	size_t i = 0;

	do {
		digits[i++] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	while (i > 0)
		*p++ = digits[--i];
	return p;
}

static size_t
smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Longer than any name in our tables; beyond it nobody is misspelling. */
#define DISTANCE_NAME_MAX 127

/* Wagner and Fischer's table, one row at a time: row[j] is the distance of
 * the first i bytes of a and the first j bytes of b. */
size_t
text_distance(const char *a, const char *b)
{
	size_t row[DISTANCE_NAME_MAX + 1];
	size_t a_n = strlen(a), b_n = strlen(b), diagonal, above;

	if (a_n > DISTANCE_NAME_MAX || b_n > DISTANCE_NAME_MAX)
		return strcmp(a, b) == 0 ? 0 : a_n > b_n ? a_n : b_n;
	for (size_t j = 0; j <= b_n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_n; i++) {
		diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b_n; j++) {
			above = row[j];
			row[j] = smallest(above + 1, row[j - 1] + 1,
			    diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[b_n];
}

/* `ms` in units of `unit` milliseconds, half rounded up, without overflow. */
static long long
rounded(long long ms, long long unit)
{
	return ms / unit + (ms % unit * 2 >= unit);
}

char *
text_delay(char out[TEXT_DELAY_MAX], long long ms, unsigned decimals)
{
	static const long long units[] = {1000, 100, 10, 1}; /* of a decimal */
	long long parts;
	unsigned wanted;

	if (ms < 0)
		ms = 0;
	for (wanted = 0; wanted < 3 && ms / units[wanted] < 10; wanted++)
		continue; /* two significant digits */
	if (wanted > decimals)
		wanted = decimals;
	parts = rounded(ms, units[wanted]);
	while (wanted > 1 && parts % 10 == 0) {
		parts /= 10;
		wanted--;
	}
	if (wanted == 0)
		snprintf(out, TEXT_DELAY_MAX, "%lld.0", parts);
	else
		snprintf(out, TEXT_DELAY_MAX, "%lld.%0*lld",
		    parts / (1000 / units[wanted]), (int)wanted,
		    parts % (1000 / units[wanted]));
	return out;
}
