/* SPDX-License-Identifier: ISC */
#include "base/ident.h"

#include "base/clock.h"

/* 62 to the power of 11 is more than 2 to the power of 64. Base 64 would do with
 * as many, but its two other characters end the word for a double click, mean
 * something to a shell, or are escaped in a URL. */

enum { DIGITS = IDENT_TEXT_MAX - 1, BASE = 62 };

uint64_t
ident_begin(void)
{
	uint64_t now = clock_wall_ns();

	return now != 0 ? now : 1;
}

const char *
ident_format(uint64_t ident, char out[IDENT_TEXT_MAX])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz";

	for (int i = DIGITS; i-- > 0; ident /= BASE)
		out[i] = digits[ident % BASE];
	out[DIGITS] = '\0';
	return out;
}
