/* SPDX-License-Identifier: ISC */
#include "base/mem.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/must.h"

/* NULL always means failure here: what malloc(0) returns is left to the
 * C library, so empty arrays are given one byte. */

void *
mem_new(size_t n)
{
	must(n > 0);
	return mem_array(1, n);
}

/* The product, never 0. An object larger than PTRDIFF_MAX would break the
 * subtraction of pointers, so that is where memory ends. */
static int
byte_count(size_t n, size_t size, size_t *bytes_r)
{
	if (n == 0 || size == 0)
		n = size = 1;
	if (__builtin_mul_overflow(n, size, bytes_r) ||
	    *bytes_r > PTRDIFF_MAX) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

void *
mem_array(size_t n, size_t size)
{
	size_t bytes;

	return byte_count(n, size, &bytes) < 0 ? NULL : calloc(1, bytes);
}

void *
mem_resize(void *p, size_t n, size_t size)
{
	size_t bytes;

	return byte_count(n, size, &bytes) < 0 ? NULL : realloc(p, bytes);
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

/* Twice as much is sure to have what is asked for in it. */
void *
mem_pages(size_t n)
{
	size_t before;
	char *p;

	p = mmap(NULL, 2 * n, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)p & (n - 1);
	mem_free_pages(before > 0 ? p : NULL, before);
	mem_free_pages(p + before + n, n - before);
	return p + before;
}

void
mem_free_pages(void *p, size_t n)
{
	if (p != NULL)
		(void)munmap(p, n);
}

void
mem_give_back(void)
{
	(void)malloc_trim(0);
}
