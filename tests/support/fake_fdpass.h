/* SPDX-License-Identifier: ISC */
/* support/fake_fdpass.h - an smtpd that the test commands.
 *
 * Takes the place of net/fdpass.c (fdpass_encode() included, which says only
 * whether both ends have an address). */
#ifndef DOORBELL_TESTS_FAKE_FDPASS_H
#define DOORBELL_TESTS_FAKE_FDPASS_H

#include <stdbool.h>
#include <stddef.h>

#include "net/fdpass.h"
#include "support/fake_fault.h"

/* What fdpass_send() says from now on, and errno with it. */
void fake_fdpass_set(enum fdpass_result result, int error);
/* A hand-off that fails once: with this result. */
extern struct fake_fault fake_fdpass_fault;
extern enum fdpass_result fake_fdpass_fault_result;
/* smtpd takes the oldest client that was passed; false when there is none. */
bool fake_fdpass_take(void);
/* The same, but nobody knows before fdpass_collect(). */
bool fake_fdpass_take_quietly(void);
/* smtpd ends without having looked at the oldest one. */
bool fake_fdpass_lose(void);
/* Passed and not taken. */
size_t fake_fdpass_waiting(void);
/* Passed since the beginning. */
size_t fake_fdpass_total(void);
void fake_fdpass_reset(void);

#endif
