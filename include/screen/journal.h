/* SPDX-License-Identifier: ISC */
/* screen/journal.h - every log line about a client is written here.
 *
 * The lines are rows of screen/events.def, in the words of Postfix
 * postscreen(8), because log tools know them, or as named fields where
 * log_form() says so. Each row has a counter.
 *
 * Errors:  none. A line that cannot be put together is cut. */
#ifndef DOORBELL_SCREEN_JOURNAL_H
#define DOORBELL_SCREEN_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/text.h"
#include "smtp/reply.h"

enum journal_event {
#define EVENT(id, ...) EVENT_##id,
#include "screen/events.def"
#undef EVENT
	EVENT_COUNT
};

/* Troubles that come by the thousand (a dead name server) are written down
 * JOURNAL_BURST times a minute; then one line says how many were not. */
#define JOURNAL_BURST 20
#define JOURNAL_WINDOW_MS 60000

struct journal {
	bool compatibility_noted; /* said once in a process */
	bool quiet[EVENT_COUNT];  /* only counted */
	uint64_t seen[EVENT_COUNT];
	struct mono window_since[EVENT_COUNT];
	unsigned window_count[EVENT_COUNT];
};

/* What a line may contain; see events.def for the letters. Unused parts stay
 * zero. */
struct journal_line {
	uint64_t ident; /* of the session, 0: none; only in named fields */
	const struct endpoint *client, *server; /* %c %s %a */
	const struct addr *address;   /* %a, when there is no client endpoint */
	const struct addr *listed_as; /* %i */
	unsigned delay_decimals; /* of it (delay_logging_resolution_limit) */
	int64_t delay_ms;        /* %t */
	int64_t number;          /* %n */
	struct span command;     /* %v */
	struct span quoted;      /* %q %Q %e */
	struct span text, other; /* %x %y */
	const char *word;        /* %w */
	struct span reply;       /* %r */
	struct span sender, recipient, helo; /* %f %o %h */
	const char *proto;                   /* %p */
	bool old_words;                      /* respectful_logging=no */
};

void journal_write(struct journal *j, enum journal_event event,
    const struct journal_line *line);
/* The same for events that may come in floods: JOURNAL_BURST a minute. */
void journal_write_limited(struct journal *j, enum journal_event event,
    const struct journal_line *line, struct mono now);
/* Say how many there were more, when the minute is over: to be called about once
 * a second. */
void journal_tick(struct journal *j, struct mono now);

#endif
