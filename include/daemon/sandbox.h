/* SPDX-License-Identifier: ISC */
/* daemon/sandbox.h - a filter of system calls for the process that serves.
 *
 * Once entered there is no way back, for all threads and every child. What is
 * allowed is daemon/calls.def, and of the rest: sockets of the families in use,
 * threads and forks without new namespaces, memory that is not executable.
 *
 * Errors:  -1 with *why; nothing is confined then. */
#ifndef DOORBELL_DAEMON_SANDBOX_H
#define DOORBELL_DAEMON_SANDBOX_H

#include <stdbool.h>

#include "base/errtext.h"

/* Any other call ends the process with SIGSYS; with `only_log` the kernel's
 * audit log hears of it instead. */
int sandbox_enter(bool only_log, struct errtext *why);
/* Instruments that need other calls watch this program: a sanitizer, valgrind. */
bool sandbox_is_watched(void);

#endif
