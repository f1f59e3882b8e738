/* SPDX-License-Identifier: ISC */
/* base/slab.h - many objects of one size, whose memory comes back.
 *
 * The allocator of the C library gives memory back by the page, and one small
 * block that lives on keeps a page. Objects of a slab have pages to themselves:
 * when a flood of them is over, so is their memory.
 *
 * Owns:    the pages. Objects are given back before the slab is freed.
 * Errors:  NULL with errno = ENOMEM. */
#ifndef DOORBELL_BASE_SLAB_H
#define DOORBELL_BASE_SLAB_H

#include <stddef.h>

#define SLAB_OBJECT_MAX 2048

struct slab;

/* For objects of `size` bytes, at most SLAB_OBJECT_MAX. */
struct slab *slab_new(size_t size);
void slab_free(struct slab **slab);

/* An object, zeroed. */
void *slab_take(struct slab *slab) __attribute__((warn_unused_result));
/* Accepts NULL. */
void slab_give(struct slab *slab, void *object);

#endif
