/* SPDX-License-Identifier: ISC */
/* support/fake_slab.c - objects that are blocks of their own, so that there is
 * no room for one more when the memory is gone. Takes the place of base/slab.c. */
#include "base/slab.h"

#include "base/mem.h"

struct slab {
	size_t size;
};

struct slab *
slab_new(size_t size)
{
	struct slab *slab = mem_new(sizeof(*slab));

	if (slab != NULL)
		slab->size = size;
	return slab;
}

void
slab_free(struct slab **slab)
{
	mem_free(*slab);
	*slab = NULL;
}

void *
slab_take(struct slab *slab)
{
	return mem_new(slab->size);
}

void
slab_give(struct slab *slab, void *object)
{
	(void)slab;
	mem_free(object);
}
