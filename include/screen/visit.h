/* SPDX-License-Identifier: ISC */
/* screen/visit.h - what became of one connection, for the totals.
 *
 * It follows from the log lines about it: doorbelld notes them as it writes
 * them, and whoever has only the log as it reads them. So both count alike.
 *
 * Owns:    nothing.
 * Units:   milliseconds. */
#ifndef DOORBELL_SCREEN_VISIT_H
#define DOORBELL_SCREEN_VISIT_H

#include <stdbool.h>
#include <stdint.h>

#include "screen/journal.h"

enum visit_mark {
	VISIT_CAME = 1,
	VISIT_ALLOWED = 1 << 1, /* by the access list, or by hand */
	VISIT_DENIED = 1 << 2,
	VISIT_NEW = 1 << 3,
	VISIT_OLD = 1 << 4,
	VISIT_EARLY = 1 << 5,  /* talked before its turn */
	VISIT_LISTED = 1 << 6, /* its score was high enough */
	VISIT_DEEP = 1 << 7,   /* failed a test after the greeting */
	VISIT_HUNG_EARLY = 1 << 8,
	VISIT_HUNG_LATE = 1 << 9,
	VISIT_SHED = 1 << 10,
	VISIT_BUSY = 1 << 11,
	VISIT_LIMITED = 1 << 12,
	VISIT_INCOMPLETE = 1 << 13,
	VISIT_ENDED = 1 << 14 /* here, not in smtpd */
};
#define VISIT_PASSED (VISIT_ALLOWED | VISIT_NEW | VISIT_OLD)
#define VISIT_FAILED (VISIT_EARLY | VISIT_LISTED | VISIT_DEEP | VISIT_DENIED)

struct visit {
	uint16_t marks;
	int32_t wait_ms; /* from its coming until it passed */
	int32_t hung_ms; /* "HANGUP after" */
	uint64_t lists;  /* DNS lists that have it; whoever notes says which */
};

/* A line about the visit, so long after it began. */
void visit_note(struct visit *v, enum journal_event event,
    int64_t since_came_ms, int64_t delay_ms);
/* It was tested at the door, not known or refused there. */
bool visit_was_tested(const struct visit *v);

#endif
