/* SPDX-License-Identifier: ISC */
/* base/clock.h - two clocks that cannot be mixed up.
 *
 * struct mono is for waits, struct wall is what is stored and compared across
 * processes. Passing one for the other does not compile.
 *
 * Units:   milliseconds (mono), seconds since the epoch (wall). */
#ifndef DOORBELL_BASE_CLOCK_H
#define DOORBELL_BASE_CLOCK_H

#include <stdint.h>

struct mono {
	int64_t ms;
};

struct wall {
	int64_t s;
};

/* The only place that asks the kernel for the time. */
struct mono clock_mono(void);
struct wall clock_wall(void);
/* Since the epoch as well, for what must differ between two processes. */
uint64_t clock_wall_ns(void);

static inline struct mono
mono_after(struct mono t, int64_t ms)
{
	return (struct mono){t.ms + ms};
}

/* Milliseconds from `from` to `to`; negative when `to` is earlier. */
static inline int64_t
mono_between(struct mono from, struct mono to)
{
	return to.ms - from.ms;
}

static inline struct wall
wall_after(struct wall t, int64_t s)
{
	return (struct wall){t.s + s};
}

#endif
