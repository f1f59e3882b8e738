/* SPDX-License-Identifier: ISC */
#include "support/turn_loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
on_time(struct loop_timer *timer)
{
	loop_stop(timer->loop);
}

void
turn_loop(struct loop *loop, int64_t ms)
{
	struct loop_timer timer;

	loop_timer_init(&timer, loop, on_time);
	assert_int_equal(loop_timer_start(&timer, ms), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_stop(&timer);
}
