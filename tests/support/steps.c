/* SPDX-License-Identifier: ISC */
#include "support/steps.h"

void __sanitizer_cov_trace_pc(void);

static _Thread_local uint64_t steps;

void
__sanitizer_cov_trace_pc(void)
{
	steps++;
}

uint64_t
steps_taken(void)
{
	return steps;
}
