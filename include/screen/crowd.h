/* SPDX-License-Identifier: ISC */
/* screen/crowd.h - who goes when there is no room.
 *
 * Every session that may be asked to leave has a place by its standing. When
 * the house is full, the one that stands worst is shed: it hears 421, and the
 * newcomer is let in. The order is told in doorbelld(8), "Overload".
 *
 * A session that is with smtpd, or on its way there, is never shed.
 *
 * Owns:    the entries of address blocks. Places are in the sessions.
 * Cost:    each call takes a bounded number of steps, however many sessions
 *          there are. */
#ifndef DOORBELL_SCREEN_CROWD_H
#define DOORBELL_SCREEN_CROWD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "screen/blocks.h"

#define CROWD_IDLE_MS 5000     /* without a command: idle in the engine */
#define CROWD_NAMELESS_MS 1000 /* a proxy says sooner for whom it speaks */
#define CROWD_SHED_AT_ONCE 16  /* sessions, when descriptors run out */

struct screen;
struct session;

enum crowd_rank {
	CROWD_OUTSIDE,  /* never shed */
	CROWD_FAILED,   /* has failed a test, or is rejected */
	CROWD_ENGINE,   /* may still come to smtpd when it says more */
	CROWD_NAMELESS, /* its proxy has not said who it is */
	CROWD_UNTESTED, /* waits for the greeting */
};

/* In every session; all zero: outside. */
struct crowd_place {
	TAILQ_ENTRY(session) by_age; /* not for CROWD_UNTESTED */
	struct block_member member;  /* CROWD_ENGINE and CROWD_UNTESTED */
	struct mono since;           /* it came here, or said something */
	uint8_t rank;                /* enum crowd_rank */
	bool known;                  /* which blocks it is a member of */
};

TAILQ_HEAD(crowd_list, session);

struct crowd {
	struct crowd_list failed, engine, nameless; /* oldest first */
	struct blocks *strangers, *known;
};

int crowd_init(struct crowd *crowd); /* 0, or -1 with ENOMEM */
void crowd_clear(struct crowd *crowd);

/* Give the session the place that its phase and its tests call for. Without
 * memory it stays outside. */
void crowd_settle(struct session *s);
void crowd_leave(struct session *s);
/* It has said a whole command. */
void crowd_note_activity(struct session *s);

/* Shed until `s`, which has come in or needs more, has room. False when there
 * is none, and nobody stands worse. */
bool crowd_make_room(const struct session *s);
/* Shed up to CROWD_SHED_AT_ONCE sessions for an unknown newcomer; how many. */
unsigned crowd_shed_some(struct screen *screen);

#endif
