/* SPDX-License-Identifier: ISC */
/* support/fast_clock.h - waits that are over sooner than they say.
 *
 * Takes the place of base/clock.c: the monotonic clock goes on by itself, but
 * some times as fast as it should. */
#ifndef DOORBELL_TESTS_FAST_CLOCK_H
#define DOORBELL_TESTS_FAST_CLOCK_H

#include "base/clock.h"

/* So many times, from now on; 1 when the test begins. */
void fast_clock_set(int64_t times);

#endif
