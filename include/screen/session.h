/* SPDX-License-Identifier: ISC */
/* screen/session.h - one connection, from accept to its end.
 *
 * An explicit machine: a session is in one phase, session_enter() alone moves
 * it, and a phase moves on by returning a wish. The struct is freed by the
 * reaper after the tick, so no callback outlives its argument.
 *
 * Owns:    the stream, the timer and what its phase has allocated. */
#ifndef DOORBELL_SCREEN_SESSION_H
#define DOORBELL_SCREEN_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/clock.h"
#include "lookup/dnsbl.h"
#include "net/loop.h"
#include "net/stream.h"
#include "screen/checks.h"
#include "screen/crowd.h"
#include "screen/journal.h"
#include "screen/policy.h"
#include "screen/quota.h"
#include "screen/screen.h"
#include "screen/visit.h"

enum phase {
	PHASE_STAY,     /* as a wish: nothing changes */
	PHASE_PROXY,    /* a proxy in front says who the client is */
	PHASE_ADMIT,    /* at the door: limits, access list, cache */
	PHASE_GREET,    /* teaser, pregreet, DNS lists */
	PHASE_DIALOGUE, /* our own SMTP server refuses politely */
	PHASE_HANDOFF,  /* waiting for smtpd to take the client */
	PHASE_RELAY,    /* the client and smtpd, joined through us */
	PHASE_DONE,     /* said goodbye, will be freed */
	PHASE_COUNT
};

/* How good the client stands: who goes first when there is a queue. */
enum standing {
	STANDING_STRANGER,
	STANDING_KNOWN,  /* PASS OLD from the cache */
	STANDING_ALLOWED /* in the access list */
};

/* How far a relayed session has come with STARTTLS. */
enum session_tls {
	SESSION_TLS_NONE,
	SESSION_TLS_ASKED,
	SESSION_TLS_BEGUN,
	SESSION_TLS_PROVEN /* enough was said inside */
};

/* The phases' own state, while they last. */
struct greet {
	struct dnsbl_ticket ticket;
	struct dnsbl_score score; /* the last one heard */
	bool asked;               /* there is, or will be, a score */
	unsigned waiting;         /* a set, 0: for nothing any more */
};

struct dialogue;
struct handoff;
struct override;
struct replay;
struct relay;

struct session {
	unsigned magic;    /* SESSION_MAGIC */
	uint8_t phase;     /* enum phase */
	uint8_t standing;  /* enum standing */
	uint8_t refusal;   /* enum verdict for RCPT, 0: none yet */
	uint8_t farewell;  /* enum verdict said at the end, 0: none */
	uint8_t outcome;   /* enum counter: how it ends */
	uint8_t turn_away; /* enum verdict for the first command, 0: none */
	uint8_t tls;       /* enum session_tls */
	uint8_t blamed;    /* in listed_by: the list to name in the refusal */
	bool local : 1;    /* a proxy's own connection, maybe a health check */
	bool quiet : 1;    /* CONNECT is not written, and nothing to tell yet */
	bool greeted : 1;  /* the teaser was sent */
	bool denied : 1;   /* the access list rejects it, and that counts */
	bool vetoed : 1;   /* came to an address where nobody is handed off */
	bool settled : 1;  /* PASS and cache are done with */
	bool passed_on : 1;  /* sent to smtpd: the descriptor is not touched */
	bool handed_off : 1; /* and smtpd has it */
	bool late : 1; /* gets smtpd when it says something that needs one */
	struct screen *screen;
	struct policy *policy;
	struct override *override; /* its network's settings; or NULL */
	struct quota_client *client_entry;
	uint64_t ident;     /* its name in logs and replies */
	uint64_t listed_by; /* DNS lists that make it fail, as a set */
	/* Of the phase it is in. The first is no pointer: most sessions are in
	 * that phase for most of their time. */
	union {
		struct greet greet;
		struct dialogue *dialogue;
		struct handoff *handoff;
		struct relay *relay;
	};
	struct replay *replay;   /* begins in the dialogue, goes to the relay */
	struct mono begun;       /* when it was accepted */
	struct mono phase_since; /* for "after N" */
	struct visit visit;
	struct endpoint client, server;
	struct checks checks;
	TAILQ_ENTRY(session) others;
	struct crowd_place crowd;
	struct loop_timer deadline;
	struct stream stream;
};

#define SESSION_MAGIC 0xd00bbe11u

/* What a phase is: its entry points. Each returns a wish. NULL entries are
 * never called, or ignored (end). */
struct phase_ops {
	const char *name;
	enum phase (*begin)(struct session *s);
	enum phase (*on_stream)(struct session *s, enum stream_event event);
	enum phase (*on_deadline)(struct session *s);
	void (*end)(struct session *s);
};

extern const struct phase_ops proxy_phase;
extern const struct phase_ops admit_phase;
extern const struct phase_ops greet_phase;
extern const struct phase_ops dialogue_phase;
extern const struct phase_ops handoff_phase;
extern const struct phase_ops relay_phase;

/* Begin a session and admit it. NULL with errno when there is no memory; the
 * descriptor stays the caller's then. */
struct session *session_new(struct screen *screen, int fd,
    const struct endpoint *client, const struct endpoint *server);
/* Carry out a wish. For events that do not come through the phase's entry
 * points (DNS answers, smtpd). */
void session_follow(struct session *s, enum phase wish);
/* Free at once, whatever the phase: only when the screen is torn down. */
void session_free(struct session *s);
/* At the end of this tick those that have ended are freed, and if none is left
 * screen->on_empty hears of it. */
void session_reap_later(struct screen *screen);

/* The DNS list to name in the refusal, as the configuration has it; "" if none. */
const char *session_blamed_zone(const struct session *s);
/* How the cache and the tables of rates know the client. */
const struct record_key *session_key(const struct session *s);
/* The configuration in force for this session, under the present stress. */
const struct config *session_config(const struct session *s);
/* Who talks to whom, and whom the session counts for. 0, or -1 with errno and
 * nothing changed. */
int session_set_ends(struct session *s, const struct endpoint *client,
    const struct endpoint *server);
/* A log line about this session. A quiet one's coming and going is no news; the
 * first other line has CONNECT in front. */
void session_log(
    struct session *s, enum journal_event event, struct journal_line line);
/* The same for what may come in floods. */
void session_log_limited(
    struct session *s, enum journal_event event, struct journal_line line);
/* Restart the clock of "after N". */
void session_mark(struct session *s);
const char *session_phase_name(enum phase phase);

#endif
