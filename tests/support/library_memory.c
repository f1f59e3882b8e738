/* SPDX-License-Identifier: ISC */
#include "support/library_memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <event2/event.h>

static long left, gone, live;

static bool
has_some(void)
{
	if (left > 0) {
		left--;
		return true;
	}
	if (gone == 0)
		return true;
	gone--;
	return false;
}

static void *
take(size_t n)
{
	void *p = has_some() ? malloc(n) : NULL;

	live += p != NULL;
	return p;
}

static void *
resize(void *p, size_t n)
{
	void *q = has_some() ? realloc(p, n) : NULL;

	live += p == NULL && q != NULL;
	return q;
}

static void
give_back(void *p)
{
	live -= p != NULL;
	free(p);
}

void
library_memory_take(void)
{
	event_set_mem_functions(take, resize, give_back);
}

void
library_memory_spend(long works, long fails)
{
	left = works;
	gone = fails;
}

long
library_memory_live(void)
{
	return live;
}
