/* SPDX-License-Identifier: ISC */
/* support/library_memory.h - memory of libevent that runs out when the test says
 * so. It has functions of its own for that, and no sanitizer minds. */
#ifndef DOORBELL_TESTS_LIBRARY_MEMORY_H
#define DOORBELL_TESTS_LIBRARY_MEMORY_H

/* Before anything else is asked of the library. */
void library_memory_take(void);
/* From now on `works` allocations work, `fails` behind them do not, and all that
 * follow do. LONG_MAX is without end; 0, 0: all work. */
void library_memory_spend(long works, long fails);
/* Blocks that were handed out and not freed yet. */
long library_memory_live(void);

#endif
