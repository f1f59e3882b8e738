/* SPDX-License-Identifier: ISC */
/* support/expect_panic.h - prove that a broken claim stops the program. */
#ifndef DOORBELL_TESTS_EXPECT_PANIC_H
#define DOORBELL_TESTS_EXPECT_PANIC_H

#include <stdbool.h>

/* Runs fn(arg) in a child process. True when the child logged exactly one
 * panic line that contains `part`, and was then killed by abort(). */
bool expect_panic(const char *part, void (*fn)(void *arg), void *arg);

#endif
