/* SPDX-License-Identifier: ISC */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

/* Invariant: n <= max, and n < cap once there is memory - every allocation
 * has one byte to spare, which is where buf_str() puts its NUL. */

#define FIRST_CAP_BYTES 24 /* what the smallest piece of the heap holds */
#define CAP_BITS (UINT32_MAX >> 1)

static uint32_t
ceiling(size_t max)
{
	return max < BUF_MAX ? (uint32_t)max : BUF_MAX;
}

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = ceiling(max)};
}

void
buf_widen(struct buf *b, size_t max)
{
	if (max > b->max)
		b->max = ceiling(max);
}

void
buf_borrow(struct buf *b, char *room, size_t size)
{
	must(size > 0 && size <= BUF_MAX);
	*b = (struct buf){
	    .p = room, .cap = size & CAP_BITS, .max = (uint32_t)size - 1};
}

void
buf_clear(struct buf *b)
{
	mem_free(b->p);
	buf_init(b, b->max);
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->lost = false;
}

/* Double, to make many small additions cheap, but never above max + 1. At first
 * no more than is asked for: many buffers are written once and kept long. */
static uint32_t
next_cap(const struct buf *b, uint32_t need)
{
	uint32_t cap = b->cap;

	if (cap == 0 && b->max >= FIRST_CAP_BYTES)
		return need > FIRST_CAP_BYTES ? need : FIRST_CAP_BYTES;
	cap = cap > b->max / 2 ? b->max : cap * 2;
	cap++;
	return cap > need ? cap : need;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	uint32_t need, cap;
	char *p;

	if (n > b->max - b->n) {
		b->lost = true;
		errno = EMSGSIZE;
		return NULL;
	}
	need = (uint32_t)(b->n + n) + 1; /* the NUL */
	if (need > b->cap) {
		cap = next_cap(b, need);
		p = mem_resize(b->p, cap, 1);
		if (p == NULL) {
			b->lost = true;
			return NULL;
		}
		b->p = p;
		b->cap = cap & CAP_BITS;
	}
	return b->p + b->n;
}

int
buf_add(struct buf *b, const void *p, size_t n)
{
	char *room = buf_reserve(b, n);

	if (room == NULL)
		return -1;
	if (n > 0)
		memcpy(room, p, n);
	b->n += n;
	return 0;
}

int
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int
buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	char *room;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0) {
		b->lost = true;
		errno = EMSGSIZE;
		return -1;
	}
	room = buf_reserve(b, (size_t)n);
	if (room == NULL)
		return -1;
	va_start(args, format);
	vsnprintf(room, (size_t)n + 1, format, args);
	va_end(args);
	b->n += (size_t)n;
	return 0;
}

void
buf_consume(struct buf *b, size_t n)
{
	must(n <= b->n);
	b->n -= n;
	if (n > 0 && b->n > 0)
		memmove(b->p, b->p + n, b->n);
}

bool
buf_is_whole(const struct buf *b)
{
	return !b->lost;
}

struct span
buf_span(const struct buf *b)
{
	return span_of(b->p, b->n);
}

const char *
buf_str(struct buf *b)
{
	char *end = buf_reserve(b, 0);

	if (end == NULL)
		return NULL;
	*end = '\0';
	return b->p;
}
