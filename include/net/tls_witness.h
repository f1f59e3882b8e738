/* SPDX-License-Identifier: ISC */
/* net/tls_witness.h - whether a client that talks TLS to somebody else, through
 * us, has finished its handshake.
 *
 * Without a key only the records' headers can be read, and those anybody can
 * write. But a server goes on after a client's first record of application data
 * only when it could decrypt it: else it sends an alert, or nothing. So what
 * the server says of its own once it has read such a record is the proof.
 *
 * Owns:    nothing. All zero is the beginning.
 * Units:   bytes. */
#ifndef DOORBELL_NET_TLS_WITNESS_H
#define DOORBELL_NET_TLS_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* How far one side has come in its present record. */
struct tls_witness_side {
	uint8_t header[5];
	uint8_t header_n; /* bytes of it that are known */
	uint16_t left;    /* of the payload */
	bool counts;      /* the present record is one of application data */
};

struct tls_witness {
	struct tls_witness_side client, server;
	size_t said;  /* by the client, of application data */
	bool spoke;   /* a whole record of it */
	bool heard;   /* which the server has read, and not yet answered */
	bool proven;  /* the server has said something of its own to it */
	bool not_tls; /* nothing will be proven any more */
};

/* What passes from the one to the other. */
void tls_witness_client(struct tls_witness *w, struct span bytes);
void tls_witness_server(struct tls_witness *w, struct span bytes);
/* At this moment the server has read all that passed, and all that it has said
 * has passed. */
void tls_witness_rest(struct tls_witness *w);

#endif
