/* SPDX-License-Identifier: ISC */
#include "support/fast_clock.h"

#include <time.h>

static int64_t speed = 1;
static int64_t since_ms; /* by the kernel, when the speed was set */
static int64_t begun_ms; /* by ours */

static int64_t
kernel_ns(clockid_t id)
{
	struct timespec t = {0};

	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct mono
clock_mono(void)
{
	int64_t now_ms = kernel_ns(CLOCK_MONOTONIC) / 1000000;

	return (struct mono){begun_ms + (now_ms - since_ms) * speed};
}

struct wall
clock_wall(void)
{
	return (struct wall){kernel_ns(CLOCK_REALTIME) / 1000000000};
}

uint64_t
clock_wall_ns(void)
{
	return (uint64_t)kernel_ns(CLOCK_REALTIME);
}

void
fast_clock_set(int64_t times)
{
	begun_ms = clock_mono().ms;
	since_ms = kernel_ns(CLOCK_MONOTONIC) / 1000000;
	speed = times;
}
