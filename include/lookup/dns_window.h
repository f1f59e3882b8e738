/* SPDX-License-Identifier: ISC */
/* lookup/dns_window.h - how many questions a name server is given at once.
 *
 * What counts is the young ones: sent within the last DNS_YOUNG_MS and not
 * answered, so that they may still wait in the server's socket. An older one
 * waits for somebody else, or was lost.
 *
 * Pure: the owner says what happens, and when.
 *
 * Units:   questions; milliseconds. */
#ifndef DOORBELL_LOOKUP_DNS_WINDOW_H
#define DOORBELL_LOOKUP_DNS_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define DNS_YOUNG_MS 150
#define DNS_WINDOW_START 128 /* a socket of 128 KB has room for 170 */
#define DNS_WINDOW_MIN 64
#define DNS_WINDOW_MAX 8192
#define DNS_WINDOW_TERM_MS 1000 /* longer than it takes to see a loss */

struct dns_window {
	uint32_t limit, young;
	struct mono began; /* the term */
	/* of this term */
	bool was_full;
	uint32_t answers, losses;
};

void dns_window_init(struct dns_window *w, struct mono now);
/* Whether one more may go now. Being told that it may not counts as a wish. */
bool dns_window_has_room(struct dns_window *w, struct mono now);
void dns_window_sent(struct dns_window *w);
/* A question is young no more: answered, given up, or DNS_YOUNG_MS old. */
void dns_window_aged(struct dns_window *w);
/* `again`: it had to be asked more than once. */
void dns_window_answered(struct dns_window *w, bool again);

#endif
