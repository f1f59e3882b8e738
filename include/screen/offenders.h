/* SPDX-License-Identifier: ISC */
/* screen/offenders.h - the client prefixes that have misbehaved most, of late.
 *
 * Each offence adds to the weight of its prefix, and all weights halve in
 * OFFENDERS_HALF_LIFE_MS. The number of prefixes is bounded: when there are
 * more, the newcomer takes the place of the least and, as it may have been
 * there before, its weight ("space-saving"). So who has been worse than
 * 1/OFFENDERS_MAX of all is never missed, and `inherited` tells by how much a
 * weight may be too high.
 *
 * Owns:    its entries.
 * Units:   milliseconds; a weight is in offences.
 * Errors:  NULL with errno. An offence for which there is no memory is not
 *          counted.
 * Threads: none. */
#ifndef DOORBELL_SCREEN_OFFENDERS_H
#define DOORBELL_SCREEN_OFFENDERS_H

#include <stddef.h>

#include "base/clock.h"
#include "lookup/record.h"

#define OFFENDERS_MAX 4096 /* prefixes; about 1 MB */
#define OFFENDERS_HALF_LIFE_MS (INT64_C(3600) * 1000)

enum offence {
	OFFENCE_PREGREET, /* talked before its turn */
	OFFENCE_LISTED,   /* by the DNS lists */
	OFFENCE_PROTOCOL, /* failed a test after the greeting */
	OFFENCE_DENIED,   /* the access list rejects it */
	OFFENCE_FLOOD,    /* came too often, or too often at once */
	OFFENCE_HANGUP,   /* left while it was tested */
	OFFENCE_COUNT
};

struct offenders;

struct offender {
	struct record_key key;
	double weight;
	double inherited;              /* that much of it may be another's */
	uint32_t count[OFFENCE_COUNT]; /* since it is remembered */
	struct mono first, last;
};

struct offenders *offenders_new(size_t max, int64_t half_life_ms);
void offenders_free(struct offenders **o);
void offenders_note(struct offenders *o, const struct record_key *key,
    enum offence offence, struct mono now);
/* It has turned out to be a good one. */
void offenders_forgive(struct offenders *o, const struct record_key *key);
/* The `n` worst, the worst first, as of now; how many there are. Sorts all of
 * them: not for hot paths. */
size_t offenders_worst(
    struct offenders *o, struct offender *out_r, size_t n, struct mono now);
/* "pregreet", "listed", ... */
const char *offenders_word(enum offence offence);

#endif
