/* SPDX-License-Identifier: ISC */
/* base/mem.h - memory that may run out.
 *
 * Owns:    what it returns belongs to the caller.
 * Errors:  NULL with errno = ENOMEM. Sizes are checked: a product or a sum
 *          that does not fit is ENOMEM too. */
#ifndef DOORBELL_BASE_MEM_H
#define DOORBELL_BASE_MEM_H

#include <stddef.h>

/* `n` bytes of zeroes. n must not be 0. */
void *mem_new(size_t n) __attribute__((malloc, warn_unused_result));
/* `n` elements of `size` bytes, zeroed. */
void *mem_array(size_t n, size_t size)
    __attribute__((malloc, warn_unused_result));
/* Grow or shrink to n * size bytes; on failure the old block stays. */
void *mem_resize(void *p, size_t n, size_t size)
    __attribute__((warn_unused_result));
char *mem_strdup(const char *s) __attribute__((malloc, warn_unused_result));
/* A NUL-terminated copy of `n` bytes. */
char *mem_strndup(const char *s, size_t n)
    __attribute__((malloc, warn_unused_result));
/* printf into fresh memory. */
char *mem_printf(const char *format, ...)
    __attribute__((format(printf, 1, 2), malloc, warn_unused_result));
/* Frees; accepts NULL. Keeps errno. */
void mem_free(void *p);

/* `n` bytes of zeroes straight from the kernel, at an address that is a multiple
 * of n: a power of two, not below the size of a page. */
void *mem_pages(size_t n) __attribute__((malloc, warn_unused_result));
/* To the kernel at once; accepts NULL. */
void mem_free_pages(void *p, size_t n);

/* Much was freed: let the kernel have it, which the allocator keeps else. Not for
 * hot paths. */
void mem_give_back(void);

/* The struct that embeds *ptr as `member`: how callbacks find their owner
 * without a void pointer. */
#define OWNER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
