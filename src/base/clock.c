/* SPDX-License-Identifier: ISC */
#include "base/clock.h"

#include <time.h>

#include "base/must.h"

/* CLOCK_MONOTONIC is also what libevent waits by; it stands still while the
 * machine is suspended, which is right for a wait on a client that is
 * suspended with us. clock_gettime(2) cannot fail for these two clocks. */

static struct timespec
reading(clockid_t id)
{
	struct timespec t;

	must(clock_gettime(id, &t) == 0);
	return t;
}

struct mono
clock_mono(void)
{
	struct timespec t = reading(CLOCK_MONOTONIC);

	return (struct mono){(int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000};
}

struct wall
clock_wall(void)
{
	return (struct wall){reading(CLOCK_REALTIME).tv_sec};
}

uint64_t
clock_wall_ns(void)
{
	struct timespec t = reading(CLOCK_REALTIME);

	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
