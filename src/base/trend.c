/* SPDX-License-Identifier: ISC */
#include "base/trend.h"

#include <stddef.h>

/* A slot says itself which one it is, so times in which nobody looked, and
 * clocks that are set back, leave nothing to tidy up. */

static uint64_t
total_of(const struct counters *c, enum trend_row row)
{
	switch (row) {
	case TREND_LET_IN:
		return counters_read(c, COUNTER_HANDED_OFF) +
		       counters_read(c, COUNTER_RELAYED);
	case TREND_REFUSED:
		return counters_read(c, COUNTER_REFUSED);
	case TREND_HUNG_UP:
		return counters_read(c, COUNTER_HUNG_UP);
	case TREND_SHED:
		return counters_read(c, COUNTER_SHED);
	case TREND_ROWS:
		break;
	}
	return 0;
}

int64_t
trend_number(struct wall when)
{
	return when.s / TREND_SLOT_S;
}

static size_t
place_of(int64_t number)
{
	return (size_t)((uint64_t)number % TREND_SLOTS);
}

static uint32_t
add(uint32_t sum, uint64_t n)
{
	return n > UINT32_MAX - sum ? UINT32_MAX : sum + (uint32_t)n;
}

void
trend_update(
    struct trend *t, const struct counters *c, struct wall now, uint64_t held)
{
	int64_t number = trend_number(now);
	struct trend_slot *slot = &t->slot[place_of(number)];

	if (slot->number != number)
		*slot = (struct trend_slot){.number = number};
	for (int i = 0; i < TREND_ROWS; i++) {
		uint64_t total = total_of(c, (enum trend_row)i);

		slot->count[i] = add(slot->count[i], total - t->seen[i]);
		t->seen[i] = total;
	}
	if (held > slot->held_max)
		slot->held_max = add(0, held);
}

struct trend_slot
trend_at(const struct trend *t, int64_t number)
{
	const struct trend_slot *slot = &t->slot[place_of(number)];

	if (slot->number == number)
		return *slot;
	return (struct trend_slot){.number = number};
}
