/* SPDX-License-Identifier: ISC */
#include "config/expand.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/num.h"

/* A recursive descent over spans of the text; only the branch that is taken
 * gets expanded, so mistakes in the other one go unnoticed, as in Postfix.
 * Whether ${name?...} holds is decided by the unexpanded value of the name.
 * Each level of nesting costs one of EXPAND_DEPTH_MAX, and all references
 * together are counted: a chain of values that each name the next one twice
 * would take for ever while producing nothing. */

enum { REFERENCES_MAX = 100000 };

struct expansion {
	expand_lookup_fn *lookup;
	void *arg;
	struct buf *out;
	struct errtext *why;
	unsigned depth;
	unsigned references;
};

static int expand_span(struct expansion *e, struct span in);

static int
fail_at(struct expansion *e, const char *problem, struct span where)
{
	errtext_set(e->why, "%s: \"%.*s\"", problem,
	    where.n < 60 ? (int)where.n : 60, where.p);
	return -1;
}

static struct span
skip(struct span s, size_t n)
{
	return span_of(s.p + n, s.n - n);
}

static struct span
skip_blanks(struct span s)
{
	while (s.n > 0 && text_is_space(s.p[0]))
		s = skip(s, 1);
	return s;
}

static size_t
name_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && (text_is_alnum(s.p[n]) || s.p[n] == '_'))
		n++;
	return n;
}

/* `in` begins with `open`: how many bytes up to and with the `close` that
 * matches it; 0 when there is none. Nothing escapes a brace. */
static size_t
balanced_length(struct span in, char open, char close)
{
	size_t depth = 0;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == open)
			depth++;
		else if (in.p[i] == close && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* Take "{text}" off the front of *rest, and the blanks around it. In
 * parentheses, $(...), a brace need not have its partner. */
static bool
take_braced(struct span *rest, struct span *text_r)
{
	struct span s = skip_blanks(*rest);
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '{')
		n = balanced_length(s, '{', '}');
	if (n == 0)
		return false;
	*text_r = span_of(s.p + 1, n - 2);
	*rest = skip_blanks(skip(s, n));
	return true;
}

static bool
begins_with(struct span s, char c)
{
	return s.n > 0 && s.p[0] == c;
}

/* What follows '?': {yes}, {yes}:{no}, {yes}:no, or yes up to the end. Blanks
 * around braces are nothing, those of text without braces belong to it. */
static int
split_yes(struct expansion *e, struct span rest, struct span *yes_r,
    struct span *no_r)
{
	*no_r = span_of(rest.p, 0);
	*yes_r = rest;
	rest = skip_blanks(rest);
	if (!begins_with(rest, '{'))
		return 0;
	if (!take_braced(&rest, yes_r))
		return fail_at(e, "missing '}'", rest);
	if (rest.n == 0)
		return 0;
	if (rest.p[0] != ':')
		return fail_at(e, "':' expected", rest);
	*no_r = skip(rest, 1);
	rest = skip_blanks(*no_r);
	if (begins_with(rest, '{')) {
		if (!take_braced(&rest, no_r))
			return fail_at(e, "missing '}'", rest);
		if (rest.n > 0)
			return fail_at(e, "unexpected text", rest);
	}
	return 0;
}

/* What follows ':': {no}, or no up to the end. */
static int
split_no(struct expansion *e, struct span rest, struct span *no_r)
{
	*no_r = rest;
	rest = skip_blanks(rest);
	if (!begins_with(rest, '{'))
		return 0;
	if (!take_braced(&rest, no_r))
		return fail_at(e, "missing '}'", rest);
	return rest.n == 0 ? 0 : fail_at(e, "unexpected text", rest);
}

/* `rest` begins with the '?' or ':' after a condition. */
static int
expand_choice(struct expansion *e, bool holds, struct span rest)
{
	struct span yes = span_of(rest.p, 0), no;
	struct span after = skip(rest, 1);
	int rc;

	rc = rest.p[0] == '?' ? split_yes(e, after, &yes, &no)
			      : split_no(e, after, &no);
	if (rc < 0)
		return -1;
	return expand_span(e, holds ? yes : no);
}

/* "major[.minor[.patch]]" as one number. Postfix reads the parts with
 * strtoul(3), hence the '+' and the blanks; minor and patch have ten bits. */
static int
parse_level(struct span in, int64_t *level_r)
{
	enum { PART_MAX = 1023, PART_COUNT = 3 };
	int64_t level = 0, part;
	size_t n;

	for (int i = 0; i < PART_COUNT; i++) {
		in = skip_blanks(in);
		if (begins_with(in, '+'))
			in = skip(in, 1);
		for (n = 0; n < in.n && in.p[n] != '.';)
			n++;
		part = 0;
		if ((in.n > 0 || i == 0) &&
		    num_parse(span_of(in.p, n), 0,
			i == 0 ? INT64_MAX >> 20 : PART_MAX, &part) < 0)
			return -1;
		level = level * (PART_MAX + 1) + part;
		in = skip(in, n);
		if (in.n == 1)
			return -1; /* a dot at the end */
		if (in.n > 0)
			in = skip(in, 1);
	}
	*level_r = level;
	return in.n == 0 ? 0 : -1;
}

static bool
is_all_digits(struct span in)
{
	for (size_t i = 0; i < in.n; i++)
		if (!text_is_digit(in.p[i]))
			return false;
	return in.n > 0;
}

static int
compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int
compare_texts(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

/* *order_r is below, at or above zero as a is below, equal to or above b. */
static int
compare(struct expansion *e, struct span a, struct span b, bool levels,
    int *order_r)
{
	int64_t left, right;

	if (levels) {
		if (parse_level(a, &left) < 0)
			return fail_at(e, "bad compatibility level", a);
		if (parse_level(b, &right) < 0)
			return fail_at(e, "bad compatibility level", b);
		*order_r = compare_numbers(left, right);
	} else if (is_all_digits(a) && is_all_digits(b)) {
		if (num_parse(a, 0, INT64_MAX, &left) < 0)
			return fail_at(e, "number too large", a);
		if (num_parse(b, 0, INT64_MAX, &right) < 0)
			return fail_at(e, "number too large", b);
		*order_r = compare_numbers(left, right);
	} else {
		*order_r = compare_texts(a, b);
	}
	return 0;
}

static const struct relation {
	const char *sign;
	bool below, equal, above; /* the orders for which it holds */
} relations[] = {
    {"==", false, true, false},
    {"!=", true, false, true},
    {"<", true, false, false},
    {"<=", true, true, false},
    {">", false, false, true},
    {">=", false, true, true},
};

static const struct relation *
take_relation(struct expansion *e, struct span *rest, bool *levels_r)
{
	size_t n = 0, letters;
	struct span sign, suffix;

	while (n < rest->n && strchr("=!<>", rest->p[n]) != NULL)
		n++;
	sign = span_of(rest->p, n);
	letters = name_length(skip(*rest, n));
	suffix = span_of(rest->p + n, letters);
	*levels_r = span_is(suffix, "level");
	for (size_t i = 0; i < sizeof(relations) / sizeof(relations[0]); i++)
		if (span_is(sign, relations[i].sign)) {
			if (letters > 0 && !*levels_r) {
				fail_at(e, "bad operator suffix", suffix);
				return NULL;
			}
			*rest = skip(*rest, n + letters);
			return &relations[i];
		}
	fail_at(e, "one of == != < <= >= > expected", *rest);
	return NULL;
}

static int
expand_aside(struct expansion *e, struct span in, struct buf *out)
{
	struct buf *outer = e->out;
	int rc;

	buf_init(out, outer->max);
	e->out = out;
	rc = expand_span(e, in);
	e->out = outer;
	return rc;
}

/* {left} == {right}, and what is to be done with the answer. */
static int
expand_comparison(struct expansion *e, struct span rest)
{
	struct buf a = {0}, b = {0};
	struct span left, right;
	const struct relation *relation;
	bool levels, holds;
	int order, rc = -1;

	if (!take_braced(&rest, &left))
		return fail_at(e, "missing '}'", rest);
	relation = take_relation(e, &rest, &levels);
	if (relation == NULL)
		return -1;
	if (!take_braced(&rest, &right))
		return fail_at(e, "{text} expected", rest);
	if (expand_aside(e, left, &a) < 0 || expand_aside(e, right, &b) < 0 ||
	    compare(e, buf_span(&a), buf_span(&b), levels, &order) < 0)
		goto done;
	holds = order < 0    ? relation->below
		: order == 0 ? relation->equal
			     : relation->above;
	if (rest.n == 0)
		rc = holds ? expand_span(e, span_str("true")) : 0;
	else if (rest.p[0] == '?' || rest.p[0] == ':')
		rc = expand_choice(e, holds, rest);
	else
		fail_at(e, "'?' or ':' expected", rest);
done:
	buf_clear(&a);
	buf_clear(&b);
	return rc;
}

enum { NAME_LENGTH_MAX = 255 };

static int
look_up(struct expansion *e, struct span name, const char **value_r)
{
	char text[NAME_LENGTH_MAX + 1];

	if (name.n > NAME_LENGTH_MAX)
		return fail_at(e, "name too long", name);
	if (++e->references > REFERENCES_MAX) {
		errtext_set(e->why, "too many references");
		return -1;
	}
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	*value_r = e->lookup(text, e->arg);
	return 0;
}

static int
expand_name(struct expansion *e, struct span name)
{
	const char *value = NULL;

	if (look_up(e, name, &value) < 0)
		return -1;
	if (value == NULL)
		return 0;
	if (e->depth >= EXPAND_DEPTH_MAX)
		return fail_at(e, "a value that refers to itself", name);
	return expand_span(e, span_str(value));
}

/* What stands between the braces of ${...}. */
static int
expand_braced(struct expansion *e, struct span inside)
{
	struct span name, rest = skip_blanks(inside);
	const char *value = NULL;

	if (begins_with(rest, '{'))
		return expand_comparison(e, rest);
	name = span_of(rest.p, name_length(rest));
	rest = skip_blanks(skip(rest, name.n));
	if (rest.n == 0)
		return expand_name(e, name);
	if (rest.p[0] != '?' && rest.p[0] != ':')
		return fail_at(e, "bad parameter name", inside);
	if (look_up(e, name, &value) < 0)
		return -1;
	return expand_choice(e, value != NULL && value[0] != '\0', rest);
}

/* *rest begins with '$'; take the reference off its front. */
static int
expand_reference(struct expansion *e, struct span *rest)
{
	struct span at = *rest, after = skip(at, 1);
	size_t n;

	if (begins_with(after, '$')) {
		*rest = skip(after, 1);
		return buf_add_char(e->out, '$');
	}
	if (begins_with(after, '{') || begins_with(after, '(')) {
		n = balanced_length(
		    after, after.p[0], after.p[0] == '{' ? '}' : ')');
		if (n == 0)
			return fail_at(e, "unfinished reference", at);
		if (n == 2)
			return fail_at(e, "missing parameter name", at);
		*rest = skip(after, n);
		return expand_braced(e, span_of(after.p + 1, n - 2));
	}
	n = name_length(after);
	if (n == 0)
		return fail_at(e, "missing parameter name", at);
	*rest = skip(after, n);
	return expand_name(e, span_of(after.p, n));
}

static int
expand_pieces(struct expansion *e, struct span in)
{
	const char *dollar;
	size_t n;

	while (in.n > 0) {
		dollar = memchr(in.p, '$', in.n);
		n = dollar != NULL ? (size_t)(dollar - in.p) : in.n;
		if (buf_add(e->out, in.p, n) < 0)
			return -1;
		in = skip(in, n);
		if (in.n > 0 && expand_reference(e, &in) < 0)
			return -1;
	}
	return 0;
}

static int
expand_span(struct expansion *e, struct span in)
{
	int rc;

	if (e->depth >= EXPAND_DEPTH_MAX)
		return fail_at(e, "nested too deep", in);
	e->depth++;
	rc = expand_pieces(e, in);
	e->depth--;
	return rc;
}

int
expand_text(const char *in, expand_lookup_fn *lookup, void *arg,
    struct buf *out, struct errtext *why)
{
	struct errtext unheard;
	struct expansion e = {
	    lookup, arg, out, why != NULL ? why : &unheard, 0, 0};

	e.why->text[0] = '\0';
	if (expand_span(&e, span_str(in)) == 0)
		return 0;
	if (e.why->text[0] == '\0') /* nobody complained: it was a buffer */
		errtext_set(e.why, "%s",
		    errno == ENOMEM ? "out of memory"
				    : "the expanded value is too long");
	return -1;
}
