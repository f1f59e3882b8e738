/* SPDX-License-Identifier: ISC */
#include "base/counters.h"

#include <stddef.h>

/* Relaxed order is enough: each number stands alone, and a reader that sees
 * one of them a moment late loses nothing. */

static const struct {
	const char *name;
	const char *help;
} rows[COUNTER_COUNT] = {
#define COUNTER(id, name, help) [COUNTER_##id] = {name, help},
#include "base/counters.def"
#undef COUNTER
};

void
counters_bump(struct counters *c, enum counter id)
{
	counters_add(c, id, 1);
}

void
counters_add(struct counters *c, enum counter id, uint64_t n)
{
	atomic_fetch_add_explicit(&c->value[id], n, memory_order_relaxed);
}

void
counters_set(struct counters *c, enum counter id, uint64_t n)
{
	atomic_store_explicit(&c->value[id], n, memory_order_relaxed);
}

uint64_t
counters_read(const struct counters *c, enum counter id)
{
	return atomic_load_explicit(&c->value[id], memory_order_relaxed);
}

const char *
counters_name(enum counter id)
{
	return rows[id].name;
}

const char *
counters_help(enum counter id)
{
	return rows[id].help;
}
