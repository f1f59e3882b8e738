/* SPDX-License-Identifier: ISC */
/* support/fake_clock.h - time that stands still until the test moves it.
 *
 * Takes the place of base/clock.c. Both clocks run together under
 * fake_clock_advance(), parts of a second included; setting one of them is a
 * jump that the other does not see, as when an administrator sets the date. */
#ifndef DOORBELL_TESTS_FAKE_CLOCK_H
#define DOORBELL_TESTS_FAKE_CLOCK_H

#include "base/clock.h"

/* Where the clocks stand when the test begins. */
#define FAKE_CLOCK_MONO_MS INT64_C(1000000)
#define FAKE_CLOCK_WALL_S INT64_C(1700000000)

/* Back to the beginning, for a cmocka setup function. */
void fake_clock_reset(void);
void fake_clock_advance(int64_t ms);
void fake_clock_set_mono(struct mono now);
void fake_clock_set_wall(struct wall now);

#endif
