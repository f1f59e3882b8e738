/* SPDX-License-Identifier: ISC */
/* support/fake_mem.h - memory that runs out when the test says so.
 *
 * Takes the place of base/mem.c. Without a word from the test it works like
 * the real one. */
#ifndef DOORBELL_TESTS_FAKE_MEM_H
#define DOORBELL_TESTS_FAKE_MEM_H

#include "base/mem.h"
#include "support/fake_fault.h"

/* The next `n` allocations work, all later ones fail with ENOMEM. */
void fake_mem_fail_after(unsigned n);
/* No more of these failures. */
void fake_mem_heal(void);
/* Every call that allocates is one of these, too. While it is suspended all of
 * them work: for what the test itself keeps. */
extern struct fake_fault fake_mem_fault;
/* Blocks that were handed out and not freed yet. */
long fake_mem_live(void);
/* Bytes of them, as the C library rounds them up. */
long fake_mem_bytes(void);

#endif
