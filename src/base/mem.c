/* SPDX-License-Identifier: ISC */
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* NULL always means failure here: what malloc(0) returns is left to the
 * C library, so empty arrays are given one byte. */

void *
mem_new(size_t n)
{
	must(n > 0);
	return mem_array(1, n);
}

void *
mem_array(size_t n, size_t size)
{
	void *p;

	if (n == 0 || size == 0)
		n = size = 1;
	p = calloc(n, size); /* checks the product */
	if (p == NULL)
		errno = ENOMEM;
	return p;
}

void *
mem_resize(void *p, size_t n, size_t size)
{
	if (n == 0 || size == 0)
		n = size = 1;
	p = reallocarray(p, n, size);
	if (p == NULL)
		errno = ENOMEM;
	return p;
}

char *
mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *
mem_strndup(const char *s, size_t n)
{
	char *copy;

	if (n == SIZE_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	copy = mem_array(n + 1, 1);
	if (copy != NULL && n > 0)
		memcpy(copy, s, n);
	return copy;
}

char *
mem_printf(const char *format, ...)
{
	char *text;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		errno = ENOMEM;
		return NULL;
	}
	return text;
}

void
mem_free(void *p)
{
	int saved_errno = errno;

	free(p);
	errno = saved_errno;
}
