/* SPDX-License-Identifier: ISC */
#include "support/fake_clock.h"

/* The wall clock is kept in milliseconds, so that ten steps of 100 ms move it
 * by one second. */

static int64_t mono_ms = FAKE_CLOCK_MONO_MS;
static int64_t wall_ms = FAKE_CLOCK_WALL_S * 1000;

struct mono
clock_mono(void)
{
	return (struct mono){mono_ms};
}

struct wall
clock_wall(void)
{
	return (struct wall){wall_ms / 1000};
}

uint64_t
clock_wall_ns(void)
{
	return (uint64_t)wall_ms * 1000000;
}

void
fake_clock_reset(void)
{
	mono_ms = FAKE_CLOCK_MONO_MS;
	wall_ms = FAKE_CLOCK_WALL_S * 1000;
}

void
fake_clock_advance(int64_t ms)
{
	mono_ms += ms;
	wall_ms += ms;
}

void
fake_clock_set_mono(struct mono now)
{
	mono_ms = now.ms;
}

void
fake_clock_set_wall(struct wall now)
{
	wall_ms = now.s * 1000;
}
