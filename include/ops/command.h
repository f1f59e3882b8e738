/* SPDX-License-Identifier: ISC */
/* ops/command.h - run a program and listen to what it says.
 *
 * Owns:    nothing beyond the call.
 * Units:   milliseconds.
 * Errors:  -1 with *why when it could not be run or did not end in time, which
 *          is 5 s from when a blocked SIGINT, SIGTERM or SIGHUP waits. */
#ifndef DOORBELL_OPS_COMMAND_H
#define DOORBELL_OPS_COMMAND_H

#include "base/buf.h"
#include "base/errtext.h"

#define COMMAND_WAIT_MS 60000

/* Run argv[0], an absolute path, with an empty input. What it writes, on both
 * outputs, is appended to `said` as far as there is room. Returns its exit
 * status; 128 + the signal when one killed it. */
int command_run(const char *const *argv, int wait_ms, struct buf *said,
    struct errtext *why);
/* It has to end with 0: -1 with *why, which has the last line it said. */
int command_must(const char *const *argv, int wait_ms, struct errtext *why);

#endif
