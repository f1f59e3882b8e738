/* SPDX-License-Identifier: ISC */
/* base/buf.h - a byte buffer that knows its ceiling.
 *
 * Owns:    its memory; buf_clear() returns it.
 * Units:   bytes.
 * Errors:  0, or -1 with errno EMSGSIZE (ceiling) or ENOMEM; on error the
 *          contents are as before. */
#ifndef DOORBELL_BASE_BUF_H
#define DOORBELL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define BUF_MAX ((UINT32_MAX >> 1) - 1) /* no buffer has more */

/* Each session has half a dozen of them: small is good. */
struct buf {
	char *p;           /* NULL until something is stored */
	size_t n;          /* bytes used */
	uint32_t cap : 31; /* bytes allocated */
	uint32_t lost : 1; /* see buf_is_whole() */
	uint32_t max;      /* never grows past this */
};

/* A `max` of more than BUF_MAX is as good as that. */
void buf_init(struct buf *b, size_t max);
/* Raise the ceiling, if this is higher. */
void buf_widen(struct buf *b, size_t max);
/* Use `size` bytes of the caller's, one of them for the NUL: such a buffer
 * needs no memory, cannot run out of it, and is not given to buf_clear(). */
void buf_borrow(struct buf *b, char *room, size_t size);
/* Give the memory back; the buffer may be used again. */
void buf_clear(struct buf *b);
/* Forget the contents, keep the memory. */
void buf_reset(struct buf *b);

int buf_add(struct buf *b, const void *p, size_t n);
int buf_add_str(struct buf *b, const char *s);
int buf_add_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Make room for `n` more bytes and return where they go (the caller then
 * adds to b->n what it wrote), or NULL. */
char *buf_reserve(struct buf *b, size_t n);
/* Drop `n` bytes from the front. */
void buf_consume(struct buf *b, size_t n);

/* Nothing that was to be added since it was empty is missing: for who writes
 * much in small pieces, and looks once at the end. */
bool buf_is_whole(const struct buf *b);

struct span buf_span(const struct buf *b);
/* NUL-terminated view, valid until the next change; NULL when there is no
 * memory for the NUL (the NUL does not count towards max). */
const char *buf_str(struct buf *b);

#endif
