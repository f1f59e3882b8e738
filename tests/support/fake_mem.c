/* SPDX-License-Identifier: ISC */
#include "support/fake_mem.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_fault fake_mem_fault;

static bool failing;
static unsigned left;
static long live, bytes;

static bool
may_allocate(void)
{
	if (fake_mem_fault.suspended)
		return true;
	if (fake_fault_strikes(&fake_mem_fault) || (failing && left == 0)) {
		errno = ENOMEM;
		return false;
	}
	left -= failing;
	return true;
}

void
fake_mem_fail_after(unsigned n)
{
	failing = true;
	left = n;
}

void
fake_mem_heal(void)
{
	failing = false;
}

long
fake_mem_live(void)
{
	return live;
}

long
fake_mem_bytes(void)
{
	return bytes;
}

static void *
counted(void *p)
{
	live += p != NULL;
	bytes += (long)malloc_usable_size(p);
	return p;
}

void *
mem_array(size_t n, size_t size)
{
	if (!may_allocate())
		return NULL;
	return counted(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

void *
mem_new(size_t n)
{
	return mem_array(1, n);
}

void *
mem_resize(void *p, size_t n, size_t size)
{
	long before = (long)malloc_usable_size(p);
	bool fresh = p == NULL;

	if (!may_allocate())
		return NULL;
	p = reallocarray(p, n > 0 ? n : 1, size > 0 ? size : 1);
	if (p == NULL)
		return NULL;
	live += fresh;
	bytes += (long)malloc_usable_size(p) - before;
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
	char *copy = mem_array(n + 1, 1);

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

	if (!may_allocate())
		return NULL;
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		return NULL;
	return counted(text);
}

void
mem_free(void *p)
{
	int saved_errno = errno;

	live -= p != NULL;
	bytes -= (long)malloc_usable_size(p);
	free(p);
	errno = saved_errno;
}

void *
mem_pages(size_t n)
{
	void *p;

	if (!may_allocate() || (p = aligned_alloc(n, n)) == NULL)
		return NULL;
	return memset(counted(p), 0, n);
}

void
mem_free_pages(void *p, size_t n)
{
	(void)n;
	mem_free(p);
}

void
mem_give_back(void)
{
}
