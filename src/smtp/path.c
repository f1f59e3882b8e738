/* SPDX-License-Identifier: ISC */
#include "smtp/path.h"

#include <errno.h>
#include <string.h>

/* First unquote up to the end of the path, then look for a source route in what
 * came out: "<\@a:b>" is a route too. In the other direction a route stays as
 * it is and the local part runs to the last '@' behind it, so that nested
 * routes and several '@' come out as Postfix logs them. */

static const char path_specials[] = "()<>[]:;@\\,\"";

static struct span
span_from(struct span in, size_t skip)
{
	return skip == 0 ? in : span_of(in.p + skip, in.n - skip);
}

/* Bytes of a leading "@a,@b:", the colon included; 0 without one. */
static size_t
route_length(struct span address)
{
	const char *colon;

	if (address.n == 0 || address.p[0] != '@')
		return 0;
	colon = memchr(address.p, ':', address.n);
	return colon == NULL ? 0 : (size_t)(colon - address.p) + 1;
}

static int
path_unquote(struct span in, char stop, struct buf *out)
{
	bool quoted = false;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (in.p[i] == stop && !quoted)
			break;
		if (in.p[i] == '\\' && ++i == in.n)
			break;
		if (buf_add_char(out, in.p[i]) < 0)
			return -1;
	}
	return 0;
}

static void
path_drop_route(struct buf *out, size_t start)
{
	struct span address = span_from(buf_span(out), start);
	size_t route = route_length(address);

	if (route == 0)
		return;
	memmove(out->p + start, out->p + start + route, address.n - route);
	out->n -= route;
}

int
path_parse(struct span args, struct buf *out)
{
	size_t start = out->n;
	char stop = ' ';
	const char *colon;

	colon = args.n > 0 ? memchr(args.p, ':', args.n) : NULL;
	if (colon == NULL) {
		errno = EINVAL;
		return -1;
	}
	args = span_from(args, (size_t)(colon - args.p) + 1);
	while (args.n > 0 && args.p[0] == ' ')
		args = span_from(args, 1);
	if (args.n > 0 && args.p[0] == '<') {
		args = span_from(args, 1);
		stop = '>';
	}
	if (path_unquote(args, stop, out) < 0) {
		out->n = start;
		return -1;
	}
	path_drop_route(out, start);
	return 0;
}

/* RFC 5322 dot-atom; bytes of UTF-8 are atom text (RFC 6532). */
static bool
is_atom_byte(char c)
{
	unsigned char u = (unsigned char)c;

	return u > ' ' && u != 0x7f && strchr(path_specials, c) == NULL;
}

static bool
is_dot_atom(struct span local)
{
	if (local.n == 0 || local.p[0] == '.' || local.p[local.n - 1] == '.')
		return false;
	for (size_t i = 0; i < local.n; i++) {
		if (!is_atom_byte(local.p[i]))
			return false;
		if (local.p[i] == '.' && local.p[i - 1] == '.')
			return false;
	}
	return true;
}

static struct span
local_part(struct span address)
{
	const char *at =
	    address.n > 0 ? memrchr(address.p, '@', address.n) : NULL;

	return at == NULL ? address
			  : span_of(address.p, (size_t)(at - address.p));
}

static int
add_quoted(struct span local, struct buf *out)
{
	if (buf_add_char(out, '"') < 0)
		return -1;
	for (size_t i = 0; i < local.n; i++) {
		bool escape = local.p[i] == '"' || local.p[i] == '\\' ||
			      local.p[i] == '\r';

		if (escape && buf_add_char(out, '\\') < 0)
			return -1;
		if (buf_add_char(out, local.p[i]) < 0)
			return -1;
	}
	return buf_add_char(out, '"');
}

static int
add_external(struct span address, struct buf *out)
{
	size_t route = route_length(address);
	struct span rest = span_from(address, route);
	struct span local = local_part(rest);

	if (is_dot_atom(local))
		return buf_add(out, address.p, address.n);
	if (buf_add(out, address.p, route) < 0 || add_quoted(local, out) < 0)
		return -1;
	return buf_add(out, rest.p + local.n, rest.n - local.n);
}

int
path_format(struct span address, bool external, struct buf *out)
{
	size_t start = out->n;

	if (address.n == 0)
		return 0;
	if (!external)
		return buf_add(out, address.p, address.n);
	if (add_external(address, out) < 0) {
		out->n = start;
		return -1;
	}
	return 0;
}
