/* SPDX-License-Identifier: ISC */
/* net/proxyhdr.h - read the header by which a proxy announces its client.
 *
 * Versions 1 (a line of text) and 2 (binary) of the PROXY protocol. Pure: bytes
 * in, endpoints out. The whole header has to be there; a proxy sends it in one
 * piece, before anything else.
 *
 * Errors:  -1 with `why`, in the words of Postfix postscreen(8). */
#ifndef DOORBELL_NET_PROXYHDR_H
#define DOORBELL_NET_PROXYHDR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/text.h"

#define PROXYHDR_MAX 536 /* bytes; of what is longer the rest is not seen */

/* The families of addresses that may be announced. */
struct proxyhdr_families {
	bool ipv4, ipv6;
};

struct proxyhdr {
	size_t used; /* bytes of the header */
	bool local;  /* the proxy speaks for itself: nobody is announced */
	struct endpoint client, server;
	const char *why; /* what is wrong with it; NULL: nothing */
};

/* Read the header at the start of `in`. 0, or -1 with out_r->why. */
int proxyhdr_parse(
    struct span in, struct proxyhdr_families speaks, struct proxyhdr *out_r);

#endif
