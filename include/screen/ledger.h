/* SPDX-License-Identifier: ISC */
/* screen/ledger.h - what becomes of sessions goes into the totals of the hour.
 *
 * Owns:    nothing. Without totals (screen->totals is NULL) nothing is done. */
#ifndef DOORBELL_SCREEN_LEDGER_H
#define DOORBELL_SCREEN_LEDGER_H

#include "screen/journal.h"

struct session;
struct totals_list;

/* A line about the session is being logged. */
void ledger_note(struct session *s, enum journal_event event, int64_t delay_ms);
/* It has ended. */
void ledger_close(struct session *s);

struct policy;
struct totals;
/* The totals of the policy's i-th DNS list, under the name that the world may
 * see; NULL when there is no room for one more. */
struct totals_list *ledger_list(
    struct totals *t, const struct policy *policy, size_t i);

#endif
