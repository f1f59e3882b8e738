/* SPDX-License-Identifier: ISC */
/* ops/logline.h - a line of a log file, read by the table that wrote it.
 *
 * doorbelld and postscreen(8) write the rows of screen/events.def, in their own
 * name or as dnsblog and tlsproxy; doorbelld maybe as named fields
 * (ops/logfields.h). In front stands what a log daemon has put there:
 * "Nov 20 23:52:48 host tag[pid]: ", or the time as in ISO 8601. Of smtpd(8) two
 * lines are known, that a client is there and that it has gone.
 *
 * Owns:    nothing; spans point into the line.
 * Units:   milliseconds since 1970; the local time zone, where a line names
 *          none.
 * Errors:  a line that is none of ours is LOGLINE_OTHER. */
#ifndef DOORBELL_OPS_LOGLINE_H
#define DOORBELL_OPS_LOGLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/text.h"
#include "screen/journal.h"

#define LOGLINE_MAX 8192 /* bytes; what is behind is not looked at */

enum logline_kind {
	LOGLINE_OTHER,
	LOGLINE_EVENT,
	LOGLINE_SMTPD_BEGINS,
	LOGLINE_SMTPD_ENDS
};

struct logline {
	enum logline_kind kind;
	int64_t at_ms;
	bool exact;  /* at_ms is not just a second */
	int64_t pid; /* 0: none */
	/* of an event */
	enum journal_event event;
	bool old_words; /* respectful_logging=no */
	bool cut;       /* too long for its writer: the end is missing */
	bool has_client;
	struct endpoint client;  /* %c; port 0 when the line has none */
	struct addr address;     /* %a */
	struct addr listed_as;   /* %i */
	int64_t number;          /* %n */
	int64_t delay_ms;        /* %t */
	struct span word;        /* %w, the first one */
	struct span text, other; /* %x and texts of clients; %y */
};

/* A line without its newline. `now` says which year it is meant to be where the
 * line has none: the last one in which its date is not in the future. */
void logline_parse(struct span line, struct wall now, struct logline *line_r);

#endif
