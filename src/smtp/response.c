/* SPDX-License-Identifier: ISC */
#include "smtp/response.h"

#include <string.h>

enum { CODE_N = 3, LINE_N_MIN = CODE_N + 1 };

/* A line's bytes, its LF included; 0: none yet. */
static size_t
line_length(struct span input)
{
	const char *end = input.n > 0 ? memchr(input.p, '\n', input.n) : NULL;

	return end == NULL ? 0 : (size_t)(end - input.p) + 1;
}

/* 0 when the line does not begin with a code. Its LF is no digit. */
static int
line_code(struct span line)
{
	int code = 0;

	for (size_t i = 0; i < CODE_N; i++) {
		if (!text_is_digit(line.p[i]))
			return 0;
		code = code * 10 + (line.p[i] - '0');
	}
	return code;
}

/* Of a line with a code: behind that there is the LF at least. */
static bool
is_last(struct span line)
{
	return line.p[CODE_N] != '-';
}

enum response_result
response_next(struct span input, struct response *r)
{
	size_t used = 0, n;

	*r = (struct response){.code = 0};
	while ((n = line_length(span_of(input.p + used, input.n - used))) > 0) {
		struct span line = span_of(input.p + used, n);
		int code = line_code(line);

		if (code < 200 || (r->code != 0 && code != r->code))
			return RESPONSE_BROKEN;
		r->code = code;
		used += n;
		if (!is_last(line))
			continue;
		r->lines = span_of(input.p, used);
		return RESPONSE_READY;
	}
	return RESPONSE_MORE;
}

bool
response_line(struct span *lines, struct span *text_r)
{
	size_t n = line_length(*lines);
	struct span line = span_trim(span_of(lines->p, n));

	if (n == 0)
		return false;
	*lines = span_of(lines->p + n, lines->n - n);
	*text_r = line.n < LINE_N_MIN
		      ? span_of(line.p + line.n, 0)
		      : span_of(line.p + LINE_N_MIN, line.n - LINE_N_MIN);
	return true;
}
