/* SPDX-License-Identifier: ISC */
#include "net/wheel.h"

#include "base/mem.h"
#include "base/must.h"

/* Varghese and Lauck's hierarchical wheel. The moments are numbers with digits
 * of six bits. An entry is in the level of the highest digit in which it differs
 * from the present, in the slot of that digit. So all entries of a level come
 * before those of the next one, and within a level the slots are in order: the
 * next thing to happen is the first used slot of the first used level.
 *
 * When the present reaches a slot of a higher level, its entries agree with the
 * present in one digit more and move down. An entry moves at most once for each
 * digit. Nobody tells a slot that it lost its last entry: its bit is wiped when
 * it is looked at. */

#define SLOTS (1 << WHEEL_BITS)
#define DIGIT_MASK (SLOTS - 1)
#define DUE_MAX ((INT64_C(1) << (WHEEL_BITS * WHEEL_LEVELS)) - 1)

static unsigned
digit_of(int64_t moment, unsigned level)
{
	return (unsigned)(moment >> (WHEEL_BITS * level)) & DIGIT_MASK;
}

static unsigned
level_of(int64_t now, int64_t due)
{
	uint64_t differing = (uint64_t)(now ^ due) | 1;

	return (63 - (unsigned)__builtin_clzll(differing)) / WHEEL_BITS;
}

static void
link_append(struct wheel_link *circle, struct wheel_link *link)
{
	link->next = circle;
	link->prev = circle->prev;
	link->prev->next = link;
	circle->prev = link;
}

static void
link_remove(struct wheel_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	*link = (struct wheel_link){NULL, NULL};
}

static bool
circle_is_empty(const struct wheel_link *circle)
{
	return circle->next == circle;
}

void
wheel_circle_init(struct wheel_link *circle)
{
	circle->next = circle->prev = circle;
}

struct wheel_entry *
wheel_circle_take(struct wheel_link *circle)
{
	struct wheel_link *first = circle->next;

	if (circle_is_empty(circle))
		return NULL;
	link_remove(first);
	return OWNER_OF(first, struct wheel_entry, link);
}

void
wheel_init(struct wheel *w, int64_t now)
{
	*w = (struct wheel){.now = now};
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		for (unsigned i = 0; i < SLOTS; i++)
			wheel_circle_init(&w->slots[level][i]);
}

static void
place(struct wheel *w, struct wheel_entry *e)
{
	unsigned level = level_of(w->now, e->due);
	unsigned digit = digit_of(e->due, level);

	link_append(&w->slots[level][digit], &e->link);
	w->used[level] |= UINT64_C(1) << digit;
}

void
wheel_add(struct wheel *w, struct wheel_entry *e, int64_t due)
{
	must(!wheel_has(e));
	if (due < w->now)
		due = w->now;
	e->due = due < DUE_MAX ? due : DUE_MAX;
	place(w, e);
}

void
wheel_remove(struct wheel_entry *e)
{
	if (wheel_has(e))
		link_remove(&e->link);
}

bool
wheel_has(const struct wheel_entry *e)
{
	return e->link.next != NULL;
}

/* The first slot of the level that has entries, or -1. */
static int
first_slot(struct wheel *w, unsigned level)
{
	int digit;

	while (w->used[level] != 0) {
		digit = __builtin_ctzll(w->used[level]);
		if (!circle_is_empty(&w->slots[level][digit]))
			return digit;
		w->used[level] &= ~(UINT64_C(1) << digit);
	}
	return -1;
}

/* The first slot that has entries, and when it begins. */
static int64_t
next_slot(struct wheel *w, unsigned *level_r, struct wheel_link **slot_r)
{
	unsigned level, above;
	int digit = -1;

	for (level = 0; level < WHEEL_LEVELS; level++)
		if ((digit = first_slot(w, level)) >= 0)
			break;
	if (digit < 0)
		return WHEEL_NEVER;
	*level_r = level;
	*slot_r = &w->slots[level][digit];
	above = WHEEL_BITS * (level + 1);
	return (w->now >> above << above) | (int64_t)digit
						<< (WHEEL_BITS * level);
}

int64_t
wheel_next(struct wheel *w)
{
	struct wheel_link *slot;
	unsigned level;

	return next_slot(w, &level, &slot);
}

/* The slot's time has come: its entries are due, or move down. */
static void
empty_slot(struct wheel *w, unsigned level, struct wheel_link *slot,
    struct wheel_link *due)
{
	struct wheel_entry *e;

	while ((e = wheel_circle_take(slot)) != NULL) {
		if (level == 0)
			link_append(due, &e->link);
		else
			place(w, e);
	}
}

void
wheel_turn(struct wheel *w, int64_t now, struct wheel_link *due)
{
	struct wheel_link *slot;
	unsigned level;
	int64_t next;

	while ((next = next_slot(w, &level, &slot)) <= now) {
		w->now = next;
		empty_slot(w, level, slot, due);
	}
	if (now > w->now)
		w->now = now;
}
