/* SPDX-License-Identifier: ISC */
/* support/turn_loop.h - a real loop that turns for a while. */
#ifndef DOORBELL_TESTS_TURN_LOOP_H
#define DOORBELL_TESTS_TURN_LOOP_H

#include "net/loop.h"

/* For so long, or until somebody stops it; once with 0. */
void turn_loop(struct loop *loop, int64_t ms);

#endif
