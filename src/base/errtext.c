/* SPDX-License-Identifier: ISC */
#include "base/errtext.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The arguments may point into why->text ("%s, too: %s"), therefore a new
 * sentence is written beside the old one and copied at the end. */

__attribute__((format(printf, 2, 0))) static void
format_sentence(char out[ERRTEXT_MAX], const char *format, va_list args)
{
	if (vsnprintf(out, ERRTEXT_MAX, format, args) < 0)
		out[0] = '\0';
}

/* Append what fits of `more`. */
static void
join(char sentence[ERRTEXT_MAX], const char *more)
{
	size_t n = strlen(sentence), more_n = strlen(more);

	if (more_n > ERRTEXT_MAX - 1 - n)
		more_n = ERRTEXT_MAX - 1 - n;
	memcpy(sentence + n, more, more_n);
	sentence[n + more_n] = '\0';
}

void
errtext_set(struct errtext *why, const char *format, ...)
{
	int saved_errno = errno;
	char fresh[ERRTEXT_MAX];
	va_list args;

	if (why == NULL)
		return;
	va_start(args, format);
	format_sentence(fresh, format, args);
	va_end(args);
	why->text[0] = '\0';
	join(why->text, fresh);
	errno = saved_errno;
}

void
errtext_prefix(struct errtext *why, const char *format, ...)
{
	int saved_errno = errno;
	char fresh[ERRTEXT_MAX];
	va_list args;

	if (why == NULL)
		return;
	va_start(args, format);
	format_sentence(fresh, format, args);
	va_end(args);
	join(fresh, ": ");
	join(fresh, why->text);
	why->text[0] = '\0';
	join(why->text, fresh);
	errno = saved_errno;
}
