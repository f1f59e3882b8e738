/* SPDX-License-Identifier: ISC */
/* lookup/record.h - what the pass cache remembers of one client.
 *
 * One expiry for each test. Bytes on disk are versioned and of fixed size;
 * bytes of another version or size read as "nothing known".
 *
 * Units:   seconds since the epoch. */
#ifndef DOORBELL_LOOKUP_RECORD_H
#define DOORBELL_LOOKUP_RECORD_H

#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/text.h"

/* Places in the record; their order is that of postscreen's cache. */
enum record_slot {
	RECORD_PREGREET,
	RECORD_DNSBL,
	RECORD_PIPELINING,
	RECORD_NON_SMTP,
	RECORD_BARE_NEWLINE,
	RECORD_SLOTS
};

/* Expiries with a meaning of their own. */
#define RECORD_NEVER 0 /* never passed */
#define RECORD_OFF 1   /* the test was off when the client passed the others */

struct record {
	struct wall expires[RECORD_SLOTS];
};

#define RECORD_BYTES (1 + 8 * RECORD_SLOTS)
void record_encode(const struct record *r, uint8_t out[RECORD_BYTES]);
/* 0, or -1 when the bytes are not a record of this version. */
int record_decode(struct span in, struct record *out_r);
/* The last moment at which any test is still valid; when it is RECORD_OFF or
 * RECORD_NEVER nothing ever was. */
struct wall record_last(const struct record *r);
/* Keep the later expiry of each slot: several processes share one cache. */
void record_merge(struct record *into, const struct record *from);

/* A client as the cache knows it: an address block. */
#define RECORD_KEY_MAX 18
struct record_key {
	uint8_t n;                     /* bytes used */
	uint8_t bytes[RECORD_KEY_MAX]; /* family, bits, address */
};
struct record_key record_key_of(
    const struct addr *a, unsigned ipv4_bits, unsigned ipv6_bits);
/* "192.0.2.1" or "2001:db8::/64" again; 0, or -1 for strange bytes. */
int record_key_block(struct span key, struct addr_block *block_r);
#define RECORD_KEY_TEXT_MAX 52 /* with the NUL */
/* The same as text; "?" for strange bytes. Returns `out`. */
char *record_key_format(
    const struct record_key *key, char out[RECORD_KEY_TEXT_MAX]);

#endif
