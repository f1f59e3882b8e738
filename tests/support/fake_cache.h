/* SPDX-License-Identifier: ISC */
/* support/fake_cache.h - a pass cache in plain memory, without file or thread.
 *
 * Takes the place of lookup/cache.c. What is stored is "written" at once;
 * a sweep is over when cache_sweep() returns. */
#ifndef DOORBELL_TESTS_FAKE_CACHE_H
#define DOORBELL_TESTS_FAKE_CACHE_H

#include "lookup/cache.h"

/* From now on as after a failure of the file: nothing is found or stored.
 * The news says so with `why`. */
void fake_cache_fail(struct cache *c, const char *why);
/* Records known. */
size_t fake_cache_count(const struct cache *c);
/* What cache_open() got. */
const char *fake_cache_path(const struct cache *c);

/* What it was asked for, and how it answers. */
struct fake_cache_hooks {
	unsigned sweeps;
	struct wall swept_before; /* by the last of them */
	unsigned revivals;        /* tries */
	bool can_revive;
	const char *revival_why; /* set before a revival */
	unsigned notes;
	struct cache_note note; /* the last one */
	bool notes_refused;     /* too many of them wait */
	unsigned totals;
	bool totals_refused;
};

struct fake_cache_hooks *fake_cache_hooks(struct cache *c);
/* What it will tell next. */
struct cache_news *fake_cache_news(struct cache *c);
/* The totals of the hour that was last added to. */
struct span fake_cache_total(const struct cache *c, uint32_t *hour_r);

#endif
