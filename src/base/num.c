/* SPDX-License-Identifier: ISC */
#include "base/num.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/must.h"

/* Numbers are gathered below zero, because INT64_MIN has no positive twin.
 * Every byte is looked at before a range is judged: "99999999999999999999x"
 * is no number rather than a large one. */

static bool
is_all_digits(struct span in)
{
	for (size_t i = 0; i < in.n; i++)
		if (!text_is_digit(in.p[i]))
			return false;
	return in.n > 0;
}

int
num_parse(struct span in, int64_t min, int64_t max, int64_t *out_r)
{
	bool negative = in.n > 0 && in.p[0] == '-';
	struct span digits = negative ? span_of(in.p + 1, in.n - 1) : in;
	int64_t v = 0;

	if (!is_all_digits(digits)) {
		errno = EINVAL;
		return -1;
	}
	for (size_t i = 0; i < digits.n; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_sub_overflow(v, digits.p[i] - '0', &v))
			goto out_of_range;
	if (!negative && __builtin_sub_overflow(0, v, &v))
		goto out_of_range;
	if (v < min || v > max)
		goto out_of_range;
	*out_r = v;
	return 0;
out_of_range:
	errno = ERANGE;
	return -1;
}

/* 0 for a letter that is no unit. */
static int64_t
seconds_in(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 604800;
	default:
		return 0;
	}
}

int
num_parse_seconds(struct span in, char unit, int64_t *seconds_r)
{
	int64_t factor = seconds_in(unit), v;

	must(factor != 0);
	if (in.n > 0 && !text_is_digit(in.p[in.n - 1])) {
		factor = seconds_in(in.p[in.n - 1]);
		in.n--;
	}
	if (factor == 0 || !is_all_digits(in)) {
		errno = EINVAL;
		return -1;
	}
	if (num_parse(in, 0, INT64_MAX / factor, &v) < 0)
		return -1;
	*seconds_r = v * factor;
	return 0;
}
