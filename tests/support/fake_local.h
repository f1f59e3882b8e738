/* SPDX-License-Identifier: ISC */
/* support/fake_local.h - a Unix socket without a socket: a question is handed
 * over in the call that puts it, and so is an answer that does not wait.
 *
 * Takes the place of net/local.c, for what local_open() makes. There is one such
 * socket, and one client at a time. */
#ifndef DOORBELL_TESTS_FAKE_LOCAL_H
#define DOORBELL_TESTS_FAKE_LOCAL_H

#include "net/local.h"

/* This user asks; whoever asked before and waits still is gone. */
void fake_local_ask(const char *line, uid_t uid);
/* The client goes before it has its answer. */
void fake_local_leave(void);
/* It has an answer, or was closed without one. */
bool fake_local_is_answered(void);
/* Valid until the next question; empty: was closed without a word. */
struct span fake_local_answer(void);

#endif
