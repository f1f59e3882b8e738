/* SPDX-License-Identifier: ISC */
/* support/fake_loop.h - the event loop under a clock that the test moves.
 *
 * Takes the place of net/loop.c, and needs fake_clock. Timers fire in the order
 * of their time while the clock is advanced; laters run after each tick. There
 * is no kernel: watches are remembered and never ready. */
#ifndef DOORBELL_TESTS_FAKE_LOOP_H
#define DOORBELL_TESTS_FAKE_LOOP_H

#include "net/loop.h"
#include "support/fake_fault.h"

/* Move the clock to `now`, firing what is due on the way, each timer in a tick
 * of its own. */
void fake_loop_advance_to(struct loop *loop, struct mono now);
/* End the tick: run the laters, and those that they add, until none is left. */
void fake_loop_settle(struct loop *loop);
/* Starting a timer and setting a watch. */
extern struct fake_fault fake_loop_fault;
/* Timers that are running. */
size_t fake_loop_timers(const struct loop *loop);

#endif
