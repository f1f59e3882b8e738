/* SPDX-License-Identifier: ISC */
/* screen/hush.h - which log lines are written (log_events).
 *
 * A list of words, read from left to right: the name of an event in events.def,
 * the name of a group there, or all; with a '!' in front it takes away. A list
 * that begins with '!' begins with all. What is a warning is always written.
 *
 * Errors:  -1 with *why. */
#ifndef DOORBELL_SCREEN_HUSH_H
#define DOORBELL_SCREEN_HUSH_H

#include "base/errtext.h"
#include "screen/journal.h"

int hush_parse(
    struct span list, bool quiet_r[EVENT_COUNT], struct errtext *why);

#endif
