/* SPDX-License-Identifier: ISC */
/* net/wheel.h - many moments to come, in order.
 *
 * Adding and removing cost the same however many there are, and need no memory
 * but the entry that the caller embeds.
 *
 * Owns:    nothing; entries are removed before they are freed.
 * Units:   milliseconds of a clock that starts at 0 or later and never goes
 *          back.
 * Errors:  none. */
#ifndef DOORBELL_NET_WHEEL_H
#define DOORBELL_NET_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_BITS 6   /* a level has 64 slots */
#define WHEEL_LEVELS 7 /* 42 bits: 139 years */
#define WHEEL_NEVER INT64_MAX

/* A circle of entries, or an entry in one; all zero is not in any. */
struct wheel_link {
	struct wheel_link *next, *prev;
};

struct wheel_entry {
	struct wheel_link link;
	int64_t due;
};

struct wheel {
	int64_t now;
	uint64_t used[WHEEL_LEVELS]; /* slots that may have entries */
	struct wheel_link slots[WHEEL_LEVELS][1 << WHEEL_BITS];
};

void wheel_init(struct wheel *w, int64_t now);
/* `due` may have passed already. The entry is in no wheel. */
void wheel_add(struct wheel *w, struct wheel_entry *e, int64_t due);
/* Also of an entry that wheel_turn() has moved to `due`. */
void wheel_remove(struct wheel_entry *e);
bool wheel_has(const struct wheel_entry *e);
/* When wheel_turn() should be called next: not behind the first moment, perhaps
 * before it. WHEEL_NEVER when there is nothing to wait for. */
int64_t wheel_next(struct wheel *w);
/* It is `now`: move what is due to the end of the circle `due`, in order. */
void wheel_turn(struct wheel *w, int64_t now, struct wheel_link *due);

void wheel_circle_init(struct wheel_link *circle);
/* Take the first one out; NULL when there is none. */
struct wheel_entry *wheel_circle_take(struct wheel_link *circle);

#endif
