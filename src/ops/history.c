/* SPDX-License-Identifier: ISC */
#include "ops/history.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* A sorted array. Hours come in order, or nearly so: a new one is put in from
 * the end. */

enum { ROOM_FIRST = 64 };

void
history_init(struct history *h)
{
	memset(h, 0, sizeof(*h));
}

void
history_clear(struct history *h)
{
	mem_free(h->hour);
	memset(h, 0, sizeof(*h));
}

static int
make_room(struct history *h)
{
	size_t room = h->room == 0 ? ROOM_FIRST : 2 * h->room;
	struct history_hour *hour;

	if (h->hours >= HISTORY_HOURS_MAX)
		return errno = ENOSPC, -1;
	if (h->hours < h->room)
		return 0;
	if ((hour = mem_resize(h->hour, room, sizeof(*hour))) == NULL)
		return -1;
	h->hour = hour;
	h->room = room;
	return 0;
}

uint64_t *
history_hour(struct history *h, int64_t hour)
{
	size_t at = h->hours;

	while (at > 0 && h->hour[at - 1].hour > hour)
		at--;
	if (at > 0 && h->hour[at - 1].hour == hour)
		return h->hour[at - 1].figure;
	if (make_room(h) < 0)
		return NULL;
	memmove(&h->hour[at + 1], &h->hour[at],
	    (h->hours - at) * sizeof(h->hour[0]));
	memset(&h->hour[at], 0, sizeof(h->hour[at]));
	h->hour[at].hour = hour;
	h->hours++;
	return h->hour[at].figure;
}

int
history_add(struct history *h, int64_t hour, const struct totals *t)
{
	uint64_t *figure = history_hour(h, hour);

	if (figure == NULL)
		return -1;
	totals_add_figures(figure, t->figure);
	totals_add(&h->lists, t);
	memset(h->lists.figure, 0, sizeof(h->lists.figure));
	return 0;
}

void
history_sum(const struct history *h, uint64_t sum_r[FIGURE_COUNT])
{
	memset(sum_r, 0, FIGURE_COUNT * sizeof(sum_r[0]));
	for (size_t i = 0; i < h->hours; i++)
		totals_add_figures(sum_r, h->hour[i].figure);
}
