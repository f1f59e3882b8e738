/* SPDX-License-Identifier: ISC */
/* screen/patience.h - how much of it a client gets.
 *
 * A suspect is a client that has failed a test in this session, with an action
 * that is not ignore, or that the access list rejects with such an action.
 * Before a session has had its tests, those of the last hour count: see
 * patience_greet_wait().
 *
 * Owns:    nothing; the counts are the screen's.
 * Units:   milliseconds. */
#ifndef DOORBELL_SCREEN_PATIENCE_H
#define DOORBELL_SCREEN_PATIENCE_H

#include <stdbool.h>

#include "screen/offenders.h"
#include "screen/session.h"

#define PATIENCE_CONNECTIONS_MS (60 * 1000)   /* of connection_rate_limit */
#define PATIENCE_FAILURES_MS (60 * 60 * 1000) /* of failure_rate_limit */

bool patience_is_suspect(const struct session *s);
/* The client has failed a test, and that counts. */
void patience_note_failure(struct session *s);
/* For the list of the worst; never of allowed clients, or of a proxy's own
 * connections. */
void patience_note_offence(struct session *s, enum offence offence);
/* Has it come too often in the last minute? If not, this time counts. */
bool patience_is_rushed(struct session *s);
/* Have it and its neighbours failed too often in the last hour? */
bool patience_is_lost(const struct session *s);

/* The one for a client that the access list rejects, and for one whose prefix
 * has failed a test within the last hour, is suspect_greet_wait. */
int64_t patience_greet_wait(const struct session *s);
/* For one command line. A suspect gets the shorter one of its own and
 * everybody's. */
int64_t patience_command_time(const struct session *s);

#endif
