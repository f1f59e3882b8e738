/* SPDX-License-Identifier: ISC */
/* base/text.h - looking at text without trusting it.
 *
 * Owns:    nothing; spans point into the caller's memory. */
#ifndef DOORBELL_BASE_TEXT_H
#define DOORBELL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Bytes with a length; not NUL-terminated. */
struct span {
	const char *p;
	size_t n;
};

static inline struct span
span_of(const char *p, size_t n)
{
	return (struct span){p, n};
}

struct span span_str(const char *s);
bool span_is(struct span a, const char *s);        /* exact */
bool span_is_nocase(struct span a, const char *s); /* ASCII case folded */
bool span_has_prefix(struct span a, const char *s);
/* Without leading and trailing blanks (space, tab, CR, LF). */
struct span span_trim(struct span a);

/* The next word of *rest, which is advanced past it; false at the end.
 * Words end at any byte of `separators`, but not between a '{' and its '}':
 * "inline:{a=b, c=d}" is one word, braces included, as in Postfix lists. A
 * '{' without its match protects all that follows. */
bool text_token(struct span *rest, const char *separators, struct span *word_r);
#define TEXT_LIST_SEPARATORS ", \t\r\n"

/* Append the C escape of `in`: printable ASCII as is, backslash doubled,
 * \a \b \f \n \r \t \v, every other byte as three octal digits. The escaped
 * text is cut at `max` bytes (which may cut inside an escape).
 * Returns 0, or -1 when `out` is full; it then holds what did fit. */
int text_escape(struct buf *out, struct span in, size_t max);

/* In place: control characters (Unicode's, too, and what ends lines or turns text
 * around) and what is not valid UTF-8 become '?', byte by byte. With `utf8` false
 * every byte above 0x7f does. */
void text_make_printable(char *p, size_t n, bool utf8);
/* Length of the valid UTF-8 sequence that `in`, which is not empty, begins with;
 * 0 when it does with none. */
size_t text_sequence(struct span in);
/* True for a whole, shortest-form UTF-8 text (RFC 3629). */
bool text_is_utf8(struct span in);

/* ASCII only, whatever the locale. */
char text_lower(char c);
char text_upper(char c);
bool text_is_space(char c);
bool text_is_alnum(char c);
bool text_is_digit(char c);
void text_fold(char *s); /* to lower case, in place */

/* How many edits turn a into b; for "did you mean". */
size_t text_distance(const char *a, const char *b);

/* For lines that are written for every client. Both write no NUL and return
 * the end; the caller knows that there is room. */
#define TEXT_NUMBER_MAX 20
char *text_put(char *p, const char *s);
char *text_put_number(char *p, unsigned long long n);

/* `ms` as Postfix prints delays: at most two significant digits and `decimals`
 * decimals (three are all there are), rounded half up - but always with one, so
 * that patterns like \d+\.\d+ match: "0.39", "0.0", "1.2", "16.0". Returns
 * `out`. */
#define TEXT_DELAY_MAX 32
char *text_delay(char out[TEXT_DELAY_MAX], long long ms, unsigned decimals);

#endif
