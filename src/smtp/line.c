/* SPDX-License-Identifier: ISC */
#include "smtp/line.h"

#include <string.h>

/* The caller keeps what did not end yet and asks again with more behind it, so
 * there is no state to get wrong and a line means the same however the network
 * chopped it. Looking again from the start costs at most `max` bytes a time. */

static struct line
line_cut(const char *start, const char *newline)
{
	size_t n = (size_t)(newline - start);
	bool bare = n == 0 || start[n - 1] != '\r';

	return (struct line){
	    .text = span_of(start, bare ? n : n - 1),
	    .used = n + 1,
	    .bare_newline = bare,
	};
}

enum line_result
line_next(struct span input, size_t max, struct line *line_r)
{
	size_t look = input.n < max ? input.n : max;
	const char *newline;

	*line_r = (struct line){0};
	newline = look > 0 ? memchr(input.p, '\n', look) : NULL;
	if (newline == NULL)
		return input.n > max ? LINE_TOO_LONG : LINE_MORE;
	*line_r = line_cut(input.p, newline);
	return LINE_READY;
}
