/* SPDX-License-Identifier: ISC */
#include "base/counters.h"

#include <stddef.h>

/* Relaxed order is enough: each number stands alone, and a reader that sees
 * one of them a moment late loses nothing. */

struct counters_row {
	const char *name;
	const char *help;
};

static const struct counters_row rows[COUNTER_COUNT] = {
#define COUNTER(id, name, help) [COUNTER_##id] = {name, help},
#include "base/counters.def"
#undef COUNTER
};

static const struct counters_row wait_rows[HISTOGRAM_COUNT] = {
#define HISTOGRAM(id, name, help) [HISTOGRAM_##id] = {name, help},
#include "base/histograms.def"
#undef HISTOGRAM
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
counters_note_wait(struct counters *c, enum histogram_id id, int64_t ms)
{
	histogram_note(&c->wait[id], ms);
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

const char *
counters_wait_name(enum histogram_id id)
{
	return wait_rows[id].name;
}

const char *
counters_wait_help(enum histogram_id id)
{
	return wait_rows[id].help;
}
