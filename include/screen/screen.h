/* SPDX-License-Identifier: ISC */
/* screen/screen.h - what all sessions of this process share.
 *
 * Owns:    the sessions, the hand-off queue and the quota; references the
 *          policy. Loop, cache and counters are the caller's and outlive it.
 * Errors:  NULL with errno ENOMEM. */
#ifndef DOORBELL_SCREEN_SCREEN_H
#define DOORBELL_SCREEN_SCREEN_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/counters.h"
#include "lookup/cache.h"
#include "lookup/rules.h"
#include "net/loop.h"
#include "screen/crowd.h"
#include "screen/handoff.h"
#include "screen/journal.h"
#include "screen/policy.h"
#include "screen/quota.h"
#include "screen/totals.h"

struct offenders;
struct rate;
struct session;
TAILQ_HEAD(session_list, session);

struct screen;
/* The last session of a draining screen has ended. */
typedef void screen_empty_fn(struct screen *screen, void *arg);

struct replay;
TAILQ_HEAD(replay_list, replay);

/* Sessions on their second way to smtpd (screen/replay.c). */
struct replay_queue {
	struct replay_list known, strangers; /* waiting, oldest first */
	struct replay_list asked; /* smtpd has not greeted them yet */
	size_t waiting;
	size_t active;            /* of relay_limit */
	struct loop_timer retry;  /* smtpd's queue was full */
	struct loop_later runner; /* a place became free */
};

struct screen {
	struct loop *loop;
	struct counters *counters;
	struct cache *cache; /* NULL: no memory of clients */
	struct rules *rules; /* made by hand; NULL: none */
	struct policy
	    *policy; /* for new sessions; NULL until the first is set */
	struct quota *quota;
	struct rate *connections, *failures; /* of client prefixes, of late */
	struct offenders *offenders;
	struct crowd crowd;
	size_t held_back; /* sessions whose reply is (screen/stutter.c) */
	struct journal journal;
	struct totals *totals;     /* of the hour; NULL: nobody keeps them */
	struct totals_burst burst; /* of clients that passed */
	struct handoff_queue handoffs;
	struct replay_queue replays;
	struct slab *session_memory;
	struct session_list sessions; /* alive, oldest first */
	struct session_list ended;    /* freed after this tick */
	struct loop_later reaper;     /* by this */
	uint64_t next_ident;          /* of a session (base/ident.h) */
	bool crowded;                 /* by the number of sessions */
	bool stress;                  /* or because smtpd is behind */
	screen_empty_fn *on_empty;    /* set while draining */
	void *on_empty_arg;
};

struct screen_options {
	struct loop *loop;
	struct counters *counters;
	struct cache *cache;
	struct rules *rules; /* may be NULL */
};

struct screen *screen_new(const struct screen_options *o);
/* Ends all sessions at once, without a word. */
void screen_free(struct screen **screen);

/* A new connection; the descriptor now belongs to the screen. */
void screen_arrive(struct screen *screen, int fd, const struct endpoint *client,
    const struct endpoint *server);
/* New sessions get this policy; old ones keep theirs. Must be called once
 * before the first client arrives. */
void screen_set_policy(struct screen *screen, struct policy *policy);
/* The values in force for sessions of `policy`. */
const struct config *screen_config(
    const struct screen *screen, const struct policy *policy);
/* Look at the number of sessions and enter or leave stress mode. */
void screen_update_stress(struct screen *screen);
/* Tell when no session is left (on a later tick if there is none now). */
void screen_drain(struct screen *screen, screen_empty_fn *fn, void *arg);
/* Say 421 to every client whose dialogue is ours, and close all. */
void screen_shut(struct screen *screen);
size_t screen_session_count(const struct screen *screen);
/* More is held than session_limit allows: somebody has to go. */
bool screen_is_over_limit(const struct screen *screen);
/* No session more may be accepted now, whoever comes. */
bool screen_is_full(const struct screen *screen);

#endif
