/* SPDX-License-Identifier: ISC */
/* support/steps.h - how many steps the program has taken.
 *
 * The library is compiled with -fsanitize-coverage=trace-pc (make scale): each
 * basic block that is entered is a step. So a loop counts as often as it goes
 * round, whatever it does, and no clock is asked. Tests and fakes are compiled
 * without, and cost nothing; nor do other libraries. */
#ifndef DOORBELL_TESTS_STEPS_H
#define DOORBELL_TESTS_STEPS_H

#include <stdint.h>

/* Of this thread, since it began. */
uint64_t steps_taken(void);

#endif
