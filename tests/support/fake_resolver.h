/* SPDX-License-Identifier: ISC */
/* support/fake_resolver.h - questions wait until the test answers them.
 *
 * Takes the place of lookup/resolver.c. All resolvers of the test share one
 * list of questions, oldest first. Callbacks run inside the functions here,
 * never inside resolver_ask(), so a test must not call these from a callback of
 * its own. */
#ifndef DOORBELL_TESTS_FAKE_RESOLVER_H
#define DOORBELL_TESTS_FAKE_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lookup/resolver.h"
#include "support/fake_fault.h"

/* Questions that wait for an answer. */
size_t fake_resolver_pending(void);
/* The name of the i-th of them, or NULL. */
const char *fake_resolver_name(size_t i);
/* How many of them are for this name (case does not count). */
size_t fake_resolver_asked(const char *name);
/* Questions since the beginning, answered and abandoned ones included. */
size_t fake_resolver_total(void);

/* Answer all questions that wait for this name; returns how many. */
size_t fake_resolver_answer(const char *name, enum resolver_status status,
    const struct addr *addrs, size_t n, uint32_t ttl_s, bool has_ttl);
/* The usual answers, for scripts: */
size_t fake_resolver_found(
    const char *name, const char *addr_text, uint32_t ttl_s);
size_t fake_resolver_absent(const char *name, uint32_t ttl_s);
size_t fake_resolver_fail(const char *name, const char *why);
/* Answer the oldest question, whatever it is for; false when there is none. */
bool fake_resolver_answer_first(enum resolver_status status);

/* resolver_ask() says EAGAIN while this many wait; 0: RESOLVER_FLIGHT_MAX. */
void fake_resolver_limit(size_t limit);
/* resolver_ask() for this name (which must stay) fails with `error` from now
 * on; NULL for none. */
void fake_resolver_refuse(const char *name, int error);
/* resolver_ask(), with EAGAIN. */
extern struct fake_fault fake_resolver_fault;
/* How often resolver_after_fork() was called. */
unsigned fake_resolver_forks(void);
/* Back to the beginning, for a cmocka setup; nothing may be pending. */
void fake_resolver_reset(void);

#endif
