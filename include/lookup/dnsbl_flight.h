/* SPDX-License-Identifier: ISC */
/* lookup/dnsbl_flight.h - the questions to all lists of one configuration: in
 * flight, or waiting for their turn.
 *
 * A list has a lane: at most DNSBL_ZONE_FLIGHT_MAX of its questions are in
 * flight, more wait in the lane's own queue, so a slow list delays nobody's
 * answers from the others. Lanes are served in turn.
 *
 * Owns:    the lanes. A question belongs to who asked it, and must stay until
 *          it is answered or dropped. The resolver must outlive it.
 * Errors:  a question that cannot be asked is answered RESOLVER_FAILED.
 * Threads: none; callbacks never run inside the functions below. */
#ifndef DOORBELL_LOOKUP_DNSBL_FLIGHT_H
#define DOORBELL_LOOKUP_DNSBL_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "lookup/resolver.h"

#define DNSBL_ZONE_FLIGHT_MAX 1024 /* questions to one list */

struct dnsbl_flight;
struct dnsbl_lane;
struct dnsbl_question;

/* The question is idle by then. May do everything, free the flight, too. */
typedef void dnsbl_question_fn(
    struct dnsbl_question *q, const struct resolver_answer *answer);
/* A question went out. Must not call back. */
typedef void dnsbl_asked_fn(const char *zone, void *arg);

enum dnsbl_question_state {
	DNSBL_QUESTION_IDLE,
	DNSBL_QUESTION_WAITING,
	DNSBL_QUESTION_ASKED,
	DNSBL_QUESTION_REFUSED, /* could not be asked; will be told later */
};

/* Embed it, zeroed. */
struct dnsbl_question {
	enum dnsbl_question_state state;
	bool was_sent;
	struct dnsbl_lane *lane;
	const struct addr *about;
	dnsbl_question_fn *fn;
	struct mono asked_at; /* when it was sent */
	struct resolver_query *asked;
	TAILQ_ENTRY(dnsbl_question) link;
};

struct dnsbl_flight *dnsbl_flight_new(struct loop *loop,
    struct resolver *resolver, size_t lanes, dnsbl_asked_fn *asked, void *arg);
/* No question may be open. */
void dnsbl_flight_free(struct dnsbl_flight **f);
/* Once for each lane: the name of its list, which must stay. */
void dnsbl_flight_name(struct dnsbl_flight *f, size_t lane, const char *zone);
/* Let the question wait in its lane; dnsbl_flight_serve() sends it. */
void dnsbl_flight_add(struct dnsbl_flight *f, size_t lane,
    struct dnsbl_question *q, const struct addr *about, dnsbl_question_fn *fn);
/* The callback will not run. An idle question is left alone. */
void dnsbl_flight_drop(struct dnsbl_flight *f, struct dnsbl_question *q);
/* Send what may be sent now. */
void dnsbl_flight_serve(struct dnsbl_flight *f);

#endif
