/* SPDX-License-Identifier: ISC */
#include "base/slab.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

/* A sheet of pages is aligned to its size, so an object's address tells its
 * sheet. Objects are taken from the sheet that has had room for longest: the
 * others empty themselves meanwhile. One empty sheet is kept, lest a number that
 * goes to and fro over the edge of a sheet asks the kernel each time. */

enum { SHEET_BYTES_MIN = 16384, ALIGNMENT = 8 };

#ifndef __has_feature
#define __has_feature(x) 0
#endif

/* ASan sees that a freed object is used if it is a block of its own. */
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
static const bool one_by_one = true;
#else
static const bool one_by_one = false;
#endif

struct hole {
	struct hole *next;
};

struct sheet {
	TAILQ_ENTRY(sheet) others; /* those with room */
	struct hole *holes;        /* given back */
	uint32_t fresh;            /* never taken: the last so many */
	uint32_t taken;
};

struct slab {
	size_t size;
	size_t sheet_bytes; /* a power of two */
	uint32_t capacity;  /* of a sheet */
	TAILQ_HEAD(slab_sheets, sheet) roomy;
	struct sheet *empty; /* at most one; it is in `roomy` */
	size_t sheets;
};

struct slab *
slab_new(size_t size)
{
	struct slab *slab;

	must(size > 0 && size <= SLAB_OBJECT_MAX);
	if ((slab = mem_new(sizeof(*slab))) == NULL)
		return NULL;
	slab->size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	slab->sheet_bytes = (size_t)sysconf(_SC_PAGESIZE);
	if (slab->sheet_bytes < SHEET_BYTES_MIN)
		slab->sheet_bytes = SHEET_BYTES_MIN;
	slab->capacity =
	    (uint32_t)((slab->sheet_bytes - sizeof(struct sheet)) / slab->size);
	TAILQ_INIT(&slab->roomy);
	return slab;
}

static struct sheet *
sheet_new(struct slab *slab)
{
	struct sheet *sheet = mem_pages(slab->sheet_bytes);

	if (sheet == NULL)
		return NULL;
	sheet->fresh = slab->capacity;
	TAILQ_INSERT_TAIL(&slab->roomy, sheet, others);
	slab->sheets++;
	return sheet;
}

static void
sheet_free(struct slab *slab, struct sheet *sheet)
{
	TAILQ_REMOVE(&slab->roomy, sheet, others);
	slab->sheets--;
	mem_free_pages(sheet, slab->sheet_bytes);
}

void
slab_free(struct slab **slab)
{
	if (*slab == NULL)
		return;
	if ((*slab)->empty != NULL)
		sheet_free(*slab, (*slab)->empty);
	must((*slab)->sheets == 0);
	mem_free(*slab);
	*slab = NULL;
}

static void *
sheet_take(const struct slab *slab, struct sheet *sheet)
{
	struct hole *hole = sheet->holes;

	sheet->taken++;
	if (hole == NULL) /* from the end of the sheet, still zeroed */
		return (char *)sheet + slab->sheet_bytes -
		       slab->size * sheet->fresh--;
	sheet->holes = hole->next;
	return memset(hole, 0, slab->size);
}

void *
slab_take(struct slab *slab)
{
	struct sheet *sheet = TAILQ_FIRST(&slab->roomy);
	void *object;

	if (one_by_one)
		return mem_new(slab->size);
	if (sheet == NULL && (sheet = sheet_new(slab)) == NULL)
		return NULL;
	if (sheet == slab->empty)
		slab->empty = NULL;
	object = sheet_take(slab, sheet);
	if (sheet->taken == slab->capacity)
		TAILQ_REMOVE(&slab->roomy, sheet, others);
	return object;
}

/* Behind the others: it shall be used when there is no other. */
static void
retire(struct slab *slab, struct sheet *sheet)
{
	if (slab->empty != NULL) {
		sheet_free(slab, sheet);
		return;
	}
	slab->empty = sheet;
	TAILQ_REMOVE(&slab->roomy, sheet, others);
	TAILQ_INSERT_TAIL(&slab->roomy, sheet, others);
}

void
slab_give(struct slab *slab, void *object)
{
	size_t offset = (uintptr_t)object & (slab->sheet_bytes - 1);
	struct sheet *sheet;
	struct hole *hole = object;

	if (object == NULL || one_by_one) {
		mem_free(object);
		return;
	}
	sheet = (struct sheet *)(void *)((char *)object - offset);
	must(sheet->taken > 0);
	if (sheet->taken-- == slab->capacity)
		TAILQ_INSERT_TAIL(&slab->roomy, sheet, others);
	hole->next = sheet->holes;
	sheet->holes = hole;
	if (sheet->taken == 0)
		retire(slab, sheet);
}
