/* SPDX-License-Identifier: ISC */
/* lookup/dnsbl_query.h - one list's part in a round of lookup/dnsbl_round.h.
 *
 * A query is settled by an answer, by the deadline of the round, or at once
 * when its list is out or rests. What it brings goes into the round's sums,
 * into the list's record, and to the observer.
 *
 * Owns:    nothing; it is a part of its round.
 * Errors:  none. A list that does not answer is a fact. */
#ifndef DOORBELL_LOOKUP_DNSBL_QUERY_H
#define DOORBELL_LOOKUP_DNSBL_QUERY_H

#include "lookup/dnsbl_flight.h"

struct dnsbl_round;

struct dnsbl_query {
	struct dnsbl_round *round;
	size_t zone;
	bool is_settled;
	bool is_complained_of; /* the observer knows that it is late */
	bool is_trial;
	struct dnsbl_question question;
};

/* Wait in the list's lane, or be settled at once. */
void dnsbl_query_begin(struct dnsbl_query *q, struct dnsbl_round *round,
    size_t zone, dnsbl_question_fn *fn);
/* Take what it was answered; dnsbl_query_settle() has to follow. */
void dnsbl_query_take(
    struct dnsbl_query *q, const struct resolver_answer *answer);
/* Its time is up, or its client's. Told once. */
void dnsbl_query_complain(struct dnsbl_query *q);
/* The score lacks its answer. */
void dnsbl_query_miss(const struct dnsbl_query *q);
/* Nothing is expected from it any more. */
void dnsbl_query_settle(struct dnsbl_query *q);
/* All weights of its list are 0: nothing hangs on the answer. */
bool dnsbl_query_is_watched(const struct dnsbl_query *q);

#endif
