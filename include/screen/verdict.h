/* SPDX-License-Identifier: ISC */
/* screen/verdict.h - from the outcome of a test to what we do about it.
 *
 * The only place that looks at actions (ignore, enforce, drop) and the only one
 * that knows which reply belongs to which fault. */
#ifndef DOORBELL_SCREEN_VERDICT_H
#define DOORBELL_SCREEN_VERDICT_H

#include <stdbool.h>

#include "screen/checks.h"
#include "screen/session.h"
#include "smtp/reply.h"

enum verdict {
	VERDICT_NONE,
#define VERDICT(id, ...) VERDICT_##id,
#include "screen/verdicts.def"
#undef VERDICT
	VERDICT_COUNT
};

/* The client failed a test. ignore: excused, PHASE_STAY. enforce: the refusal
 * of its recipients is set, PHASE_STAY. drop: PHASE_DONE, with the reply to
 * say. */
enum phase verdict_weigh(struct session *s, enum check_id id);
/* The access list rejects the client: the same for the denylist, where ignore
 * means that the client is treated like any other. */
enum phase verdict_denylisted(struct session *s);
/* Somebody has denied the client by hand: the same, but never ignored. */
enum phase verdict_denied_by_rule(struct session *s);
/* It has failed, or is rejected: nothing that it may still do will bring it to
 * smtpd. */
bool verdict_is_against(const struct session *s);
/* End the session with this verdict's reply. */
enum phase verdict_close(struct session *s, enum verdict v);
/* The client has left, or its connection broke: say so (`event` is the HANGUP of
 * the phase), keep what it has passed, PHASE_DONE. */
enum phase verdict_hang_up(struct session *s, enum journal_event event);
/* All due early tests have been looked at: PASS line, cache, and where the
 * session goes now. */
enum phase verdict_conclude(struct session *s);
/* A good client's way: to smtpd at once, or, with late_handoff, when it says
 * something that needs one. */
enum phase verdict_hand_on(struct session *s);
/* The client has stayed with smtpd inside TLS: what was due is passed, but for
 * no longer than a pregreet test. */
void verdict_pass_in_tls(struct session *s);
/* Log PASS and store what was passed, unless something failed. Does nothing the
 * second time. */
void verdict_settle(struct session *s);

#define VERDICT_TEXT_MAX 512 /* bytes, with the NUL */
/* The closing reply for `v`, whose text names nothing, ready to send; allocates
 * nothing. Returns its length. */
size_t verdict_plain(enum verdict v, char text[VERDICT_TEXT_MAX]);
/* The reply for `v`: as the end of a session, or as refusal of a recipient. */
struct reply verdict_reply(const struct session *s, enum verdict v,
    bool closing, char text[VERDICT_TEXT_MAX]);

#endif
